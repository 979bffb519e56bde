"""What holds for every optimiser, because it is registered: kernel = definition = PyTorch over 50
steps; and a step that cannot be done changes nothing.
"""

import copy
import inspect
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sabotage import every_place, replaced

import fastnn as nn
from fastnn.optim.rule import RULES, State, at_least_zero
from fastnn.testing import trajectory
from fastnn.testing.trajectory import trajectory_is_the_definition

DTYPES = [np.float32, np.float64]
CASES = [(optimizer, sample) for optimizer, rule in RULES.items() for sample in rule.samples]
per_case = pytest.mark.parametrize("optimizer, sample", CASES, ids=[f"{c.__name__}, {s}" for c, s in CASES])
per_rule = pytest.mark.parametrize("optimizer", RULES, ids=lambda c: c.__name__)
per_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.__name__)


def test_there_are_rules():
    assert {nn.optim.SGD, nn.optim.Adam, nn.optim.AdamW} <= set(RULES)
    assert all(rule.samples and rule.settings for rule in RULES.values())


# ---- the trajectory ------------------------------------------------------------------------------
@per_dtype
@per_case
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_trajectory_is_the_definition(optimizer, sample, dtype, backend):
    trajectory_is_the_definition(optimizer, optimizer.rule.samples[sample], dtype, backend=backend)


def pytorchs_course(torch, name, settings, dtype):
    """The parameters at the end of the course under PyTorch's optimiser of that name."""
    params = [torch.nn.Parameter(torch.tensor(a)) for a in trajectory.starts(dtype)]
    theirs = getattr(torch.optim, name)(trajectory.groups(params, settings, settings["lr"]))
    for step in range(trajectory.STEPS):
        for p, g in zip(params, trajectory.gradients(step, dtype)):
            p.grad = None if g is None else torch.tensor(g)
        theirs.step()
    return params


@per_dtype
@per_case
def test_trajectory_is_pytorchs(torch, optimizer, sample, dtype):
    settings = optimizer.rule.samples[sample]
    want = trajectory.definition_course(optimizer, settings)
    lr = {**optimizer.rule.defaults, **settings}["lr"]
    params = pytorchs_course(torch, optimizer.__name__, {**settings, "lr": lr}, dtype)
    for i, p in enumerate(params):
        allowed = trajectory.allowance(want.largest[i], want.path[i], dtype, trajectory.STEPS)
        trajectory.within(f"shape {tuple(p.shape)}", p.detach().numpy(), want.params[i], allowed, dtype)


@per_rule
def test_bits_do_not_depend_on_threads(optimizer):
    for settings in optimizer.rule.samples.values():
        with nn.threads(1):
            _, one = trajectory.class_course(optimizer, settings, np.float32, 5)
        with nn.threads(3):
            _, three = trajectory.class_course(optimizer, settings, np.float32, 5)
        assert all(a.data.tobytes() == b.data.tobytes() for a, b in zip(one, three))


@per_rule
def test_a_gradients_layout_does_not_matter(optimizer):
    layouts = {
        "strided": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
        "Fortran order": np.asfortranarray,
        "negative strides": lambda a: np.flip(np.flip(a).copy()),
        "read-only": lambda a: np.lib.stride_tricks.as_strided(a, writeable=False),
        "misaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1).reshape(a.shape),
    }
    g = np.random.default_rng(0).standard_normal((33, 7)).astype(np.float32)
    for backend in ("kernels", "reference"):
        results = {}
        for name, change in {"plain": lambda a: a, **layouts}.items():
            p = nn.Parameter(np.ones((33, 7), np.float32))
            opt = optimizer([p], lr=0.1)
            p.grad = nn.Tensor(change(g))
            with nn.use_backend(backend):
                opt.step()
                opt.step()
            results[name] = p.data.tobytes()
        assert len(set(results.values())) == 1, f"{backend}: {results.keys()}"


# ---- sabotage: each of these mistakes must be found ----------------------------------------------
def wrong_kernel(change):
    """A rule whose kernel does something else than its definition."""
    def make(rule):
        def kernel(*lists, **settings):
            change(rule, lists, settings)
        return replace(rule, kernel=kernel)
    return make


def a_little_long(rule, lists, settings):
    rule.kernel(*lists, **{**settings, "lr": settings["lr"] * (1 + 1e-4)})


def no_decay(rule, lists, settings):
    rule.kernel(*lists, **{**settings, "weight_decay": 0.0})


def leaves_one_out(rule, lists, settings):
    rule.kernel(*[column[:-1] for column in lists], **settings)


def swaps_two_states(rule, lists, settings):
    p, g, *state = lists
    state[0][:], state[1][:] = state[1][:], state[0][:]
    rule.kernel(p, g, *state, **settings)


def always_the_first_step(rule, lists, settings):
    rule.kernel(*lists[:-1], [1] * len(lists[0]), **settings)


def forgets_its_momentum(rule, lists, settings):
    lists[2][:] = [None] * len(lists[0])
    rule.kernel(*lists, **settings)


def changes_the_gradient(rule, lists, settings):
    rule.kernel(*lists, **settings)
    for p, g in zip(lists[0], lists[1]):
        p += np.where(np.abs(g) > 3, 1e-3, 0).astype(p.dtype)


SABOTAGE = [
    ("SGD", "plain", a_little_long), ("SGD", "momentum", a_little_long), ("Adam", "defaults", a_little_long),
    ("SGD", "decay", no_decay), ("AdamW", "decay", no_decay), ("SGD", "plain", leaves_one_out),
    ("Adam", "defaults", leaves_one_out), ("Adam", "defaults", swaps_two_states),
    ("Adam", "defaults", always_the_first_step), ("SGD", "momentum", forgets_its_momentum),
    ("SGD", "plain", changes_the_gradient),
]


@per_dtype
@pytest.mark.parametrize("name, sample, change", SABOTAGE, ids=[f"{n}, {c.__name__}" for n, _, c in SABOTAGE])
def test_a_wrong_kernel_is_found(name, sample, change, dtype):
    right = getattr(nn.optim, name)
    wrong = type(f"Wrong{name}", (right,), {"rule": wrong_kernel(change)(right.rule)})
    with pytest.raises(AssertionError):
        trajectory_is_the_definition(wrong, right.rule.samples[sample], dtype)


def test_a_wrong_record_is_found():
    adam = nn.optim.Adam
    for mistake in ({"fixed": {"decoupled_weight_decay": True}}, {"state": tuple(reversed(adam.rule.state))}):
        # the definition is taken by another record: as if the record's author had erred
        other = replace(adam.rule, **mistake)

        class Wrong(adam):
            rule = adam.rule

            def step(self, closure=None, other=other):
                self.rule = other
                return super().step(closure)
        with pytest.raises(AssertionError):
            trajectory_is_the_definition(Wrong, adam.rule.samples["decay"], np.float64)


# ---- a new rule ----------------------------------------------------------------------------------
def test_a_new_rule_needs_a_definition_a_record_and_a_class(torch):
    def rmsprop_step(p, g, v, *, lr, alpha, eps):
        v = alpha * v + (1 - alpha) * g * g
        return p - lr * g / (np.sqrt(v) + eps), v

    class RMSprop(nn.optim.Optimizer):
        rule = nn.optim.Rule(
            "p -= lr g / sqrt(mean of g^2)", rmsprop_step, state=(State("square_avg"),),
            settings={"lr": at_least_zero(0.01), "alpha": at_least_zero(0.99), "eps": at_least_zero(1e-8)})

        def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8):
            super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps})
    for dtype in DTYPES:
        trajectory_is_the_definition(RMSprop, {"lr": 0.02}, dtype)
    opt, params = trajectory.class_course(RMSprop, {"lr": 0.02}, np.float64)
    for p, q in zip(params, pytorchs_course(torch, "RMSprop", {"lr": 0.02}, np.float64)):
        np.testing.assert_allclose(p.data, q.detach().numpy(), rtol=1e-11, atol=1e-12)
    again = RMSprop([p.detach() for p in params[0::2]], lr=1.0)
    with pytest.raises(nn.ShapeError, match="groups"):
        again.load_state_dict(opt.state_dict())


# ---- a step that cannot be done changes nothing --------------------------------------------------
def three_groups(optimizer, dtype=np.float32):
    """Three groups after two steps, the gradients of the next step in place."""
    params = [nn.Parameter(np.full(shape, 0.5, dtype)) for shape in ((4, 3), (5,), (2, 2), (6,))]
    settings = next(iter(reversed(optimizer.rule.samples.values())))
    opt = optimizer([{"params": params[:2]}, {"params": params[2:3]}, {"params": params[3:]}], **settings)
    for _ in range(2):
        for p in params:
            p.grad = nn.Tensor(np.full(p.shape, 0.25, dtype))
        opt.step()
    return opt, params


def everything(opt, params):
    """All that a step may change."""
    return ([(p.data.tobytes(), p.dtype, p._version[0]) for p in params],
            {i: {k: v.tobytes() if isinstance(v, np.ndarray) else v for k, v in s.items()}
             for i, s in opt.state_dict()["state"].items()},
            opt.state_dict()["param_groups"])


def scalar_tensor(p):
    """A tensor over NumPy's scalar, which is no array: only by force."""
    t = nn.tensor(1.0)
    t._data = np.float32(1)
    return t


def bad_gradient(value):
    def spoil(opt, p):
        p.grad = value(p)
    return spoil


def spoil_setting(opt, p):
    opt.param_groups[-1]["lr"] = float("nan")


def spoil_group(change):
    """Changes the last group."""
    def spoil(opt, p):
        change(opt.param_groups[-1])
    return spoil


def replace_group(value):
    def spoil(opt, p):
        opt.param_groups[-1] = value
    return spoil


SPOILS = [
    ("shape", bad_gradient(lambda p: nn.Tensor(np.ones(7, np.float32))), nn.ShapeError, r"parameter 0 of group 2"),
    ("transposed", bad_gradient(lambda p: nn.Tensor(np.ones((6, 1), np.float32))), nn.ShapeError, r"\(6, 1\)"),
    ("wider dtype", bad_gradient(lambda p: nn.Tensor(np.ones(6, np.float64))), nn.DTypeError, "float64"),
    ("integers", bad_gradient(lambda p: nn.Tensor(np.ones(6, np.int64))), nn.DTypeError, "int64"),
    ("byte order", bad_gradient(lambda p: nn.Tensor(np.ones(6, ">f4"))), nn.DTypeError, ">f4"),
    ("no tensor", bad_gradient(lambda p: np.ones(6, np.float32)), nn.DTypeError, "no tensor.*nn.tensor"),
    ("float16", bad_gradient(lambda p: nn.Tensor(np.ones(6, np.float16))), nn.DTypeError, "float16"),
    ("rank", bad_gradient(lambda p: nn.Tensor(np.ones((1, 6), np.float32))), nn.ShapeError, r"\(1, 6\)"),
    ("scalar", bad_gradient(scalar_tensor), nn.DTypeError, "no tensor"),
    ("a tensor without its fields", bad_gradient(lambda p: nn.Tensor.__new__(nn.Tensor)), nn.DTypeError, "no tensor"),
    ("setting", spoil_setting, nn.RangeError, "lr >= 0, got nan"),
    ("infinite setting", spoil_group(lambda g: g.update(lr=float("inf"))), nn.RangeError, "lr >= 0, got inf"),
    ("no setting", spoil_group(lambda g: g.pop("lr")), nn.RangeError, "lr >= 0, got None"),
    ("no parameters", spoil_group(lambda g: g.pop("params")), nn.DTypeError, "group 2 has lost its parameters"),
    ("None for parameters", spoil_group(lambda g: g.update(params=None)), nn.DTypeError, "NoneType"),
    # the first step would use it up, and the next ones do nothing
    ("a generator", spoil_group(lambda g: g.update(params=iter(g["params"]))), nn.DTypeError, "list_iterator"),
    ("a number among them", spoil_group(lambda g: g["params"].append(1.0)), nn.DTypeError,
     "parameter 1 of group 2.*float"),
    ("no group", replace_group(None), nn.DTypeError, "group 2.*NoneType"),
    ("a list for a group", replace_group([1]), nn.DTypeError, "group 2.*list"),
]
# The compiled glance at a step, and the way that looks at everything
paths = pytest.mark.parametrize("path", ["compiled", "in Python"])


def take(path, monkeypatch):
    if path == "in Python":
        monkeypatch.setattr(nn.optim.optimizer, "gathered", None)
        monkeypatch.setattr(nn.optim.optimizer, "gathered_states", None)


@per_rule
@paths
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("what, spoil, error, words", SPOILS, ids=[row[0] for row in SPOILS])
def test_an_error_in_the_last_group_changes_nothing(optimizer, what, spoil, error, words, backend, path, monkeypatch):
    take(path, monkeypatch)
    opt, params = three_groups(optimizer)
    last = opt.param_groups[-1]
    kept = {**last, "params": list(last["params"])}
    spoil(opt, params[-1])
    before = everything_but_groups(opt, params)
    with nn.use_backend(backend), pytest.raises(error, match=words):
        opt.step()
    assert everything_but_groups(opt, params) == before
    # and with the fault mended, the step is as it would have been
    opt.param_groups[-1] = kept
    other, others = three_groups(optimizer)
    for p, q in zip(params, others):
        p.grad, q.grad = nn.Tensor(np.ones(p.shape, p.dtype)), nn.Tensor(np.ones(p.shape, p.dtype))
    with nn.use_backend(backend):
        opt.step()
        other.step()
    assert [p.data.tobytes() for p in params] == [q.data.tobytes() for q in others]


def everything_but_groups(opt, params):
    return ([(p.data.tobytes(), p.dtype, p._version[0]) for p in params],
            {id(p): repr(state) for p, state in opt.state.items()})


@per_case
def test_the_compiled_glance_is_the_way_in_python(optimizer, sample, monkeypatch):
    settings = optimizer.rule.samples[sample]
    opt, params = trajectory.class_course(optimizer, settings, np.float32, 7)
    take("in Python", monkeypatch)
    other, others = trajectory.class_course(optimizer, settings, np.float32, 7)
    assert [row[0] for row in everything(opt, params)[0]] == [row[0] for row in everything(other, others)[0]]
    assert everything(opt, params)[1:] == everything(other, others)[1:]


def test_a_setting_that_changes_and_stays_the_same_object_is_noticed():
    p = nn.Parameter(np.ones(3))
    p.grad = nn.Tensor(np.ones(3))
    opt = nn.optim.Adam([p], betas=[0.5, 0.5])
    opt.step()
    opt.param_groups[0]["betas"][0] = 2.0
    with pytest.raises(nn.RangeError, match="betas"):
        opt.step()
    lr = nn.tensor(0.5)
    opt = nn.optim.SGD([p], lr=lr)
    opt.step()
    lr.fill_(-1)
    with pytest.raises(nn.RangeError, match="lr"):
        opt.step()


with_state = pytest.mark.parametrize("optimizer", [c for c, rule in RULES.items() if rule.state],
                                     ids=lambda c: c.__name__)
SPOILT_STATES = [
    ("wider", lambda a: a.astype(np.float64), "load_state_dict"),
    ("longer", lambda a: np.append(a, a), r"of shape \(12,\)"),
    ("shorter", lambda a: a[:5], "new optimiser"), ("rank", lambda a: a[None], r"\(1, 6\)"),
    ("0-d", lambda a: np.float32(0), "has been changed"), ("number", lambda a: 0.5, "has been changed"),
    ("integers", lambda a: a.astype(np.int32), "int32"), ("byte order", lambda a: a.astype(">f4"), ">f4"),
    ("list", lambda a: a.tolist(), "has been changed"), ("tensor", nn.Tensor, "has been changed"),
    ("text", lambda a: "a", "has been changed"),
]


@with_state
@paths
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("what, change, words", SPOILT_STATES, ids=[row[0] for row in SPOILT_STATES])
def test_a_state_in_the_last_group_that_does_not_fit_changes_nothing(optimizer, backend, what, change, words, path,
                                                                     monkeypatch):
    take(path, monkeypatch)
    for spec in optimizer.rule.state:
        opt, params = three_groups(optimizer)
        opt.state[params[-1]][spec.name] = change(opt.state[params[-1]][spec.name])
        before = everything_but_groups(opt, params)
        with nn.use_backend(backend), pytest.raises(nn.DTypeError, match=f"(?s){words}"):
            opt.step()
        assert everything_but_groups(opt, params) == before


@with_state
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("what, change", [
    ("read-only", lambda a: np.frombuffer(a.tobytes(), a.dtype)), ("strided", lambda a: np.repeat(a, 2)[::2]),
    ("misaligned", lambda a: np.frombuffer(bytearray(b"x" + a.tobytes()), a.dtype, offset=1)),
    ("a subclass", lambda a: a.view(np.recarray))])
def test_a_state_of_any_layout_is_taken_and_not_written_through(optimizer, backend, what, change):
    (opt, params), (plain, others) = three_groups(optimizer), three_groups(optimizer)
    given = []
    for spec in optimizer.rule.state:
        state = opt.state[params[-1]]
        state[spec.name] = change(state[spec.name])
        given.append((state[spec.name], state[spec.name].tobytes()))
    with nn.use_backend(backend):
        opt.step()
        plain.step()
    assert [p.data.tobytes() for p in params] == [q.data.tobytes() for q in others]
    assert all(a.tobytes() == bits for a, bits in given if not a.flags.writeable)


@pytest.mark.parametrize("step", [-1, 1.5, "two", None, float("inf"), 2**60, True, np.ones(2)], ids=repr)
@paths
def test_a_count_of_steps_that_was_changed_is_refused(step, path, monkeypatch):
    take(path, monkeypatch)
    opt, params = three_groups(nn.optim.Adam)
    for spoil in (lambda state: state.update(step=step), lambda state: state.pop("step")):
        spoil(opt.state[params[-1]])
        before = everything_but_groups(opt, params)
        with pytest.raises(nn.DTypeError, match="the state step has been changed"):
            opt.step()
        assert everything_but_groups(opt, params) == before
    opt.state[params[-1]] = None
    with pytest.raises(nn.DTypeError, match="has been changed"):
        opt.step()


@per_rule
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_parameter_that_changes_its_type_after_a_step(optimizer, backend):
    """Refused, or stepped in its new type; nothing is written past the end of an array."""
    for change in (lambda p: p.data.astype(np.float64), lambda p: np.append(p.data, p.data), lambda p: p.data[:3],
                   lambda p: p.data.astype(np.int64), lambda p: p.data.astype(np.float16), lambda p: p.data[None]):
        for with_gradient in (True, False):
            opt, params = three_groups(optimizer)
            params[-1].data = change(params[-1])
            if with_gradient:
                params[-1].grad = nn.Tensor(np.ones_like(params[-1].data))
            before = everything_but_groups(opt, params)
            with nn.use_backend(backend):
                try:
                    opt.step()
                except (nn.DTypeError, nn.ShapeError):
                    assert everything_but_groups(opt, params) == before
                else:
                    assert not optimizer.rule.state and with_gradient


@per_rule
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_an_error_in_the_first_step_leaves_no_state(optimizer, backend):
    a, b = nn.Parameter(np.ones(3)), nn.Parameter(np.ones(4))
    opt = optimizer([{"params": [a]}, {"params": [b]}], lr=0.1)
    a.grad, b.grad = nn.Tensor(np.ones(3)), nn.Tensor(np.ones(5))
    with nn.use_backend(backend), pytest.raises(nn.ShapeError):
        opt.step()
    assert not opt.state and a.data.tolist() == [1, 1, 1] and a._version[0] == 0
    b.grad = nn.Tensor(np.ones(4))
    opt.step()
    assert a.data[0] != 1 and b.data[0] != 1


def test_a_definition_that_raises_changes_nothing():
    def raises_on_large(p, g, *, lr):
        if p.size > 3:
            raise ZeroDivisionError
        return (p - lr * g,)

    class Fragile(nn.optim.Optimizer):
        rule = nn.optim.Rule("", raises_on_large, {"lr": nn.optim.SGD.rule.settings["lr"]})
    a, b = nn.Parameter(np.ones(3)), nn.Parameter(np.ones(4))
    a.grad, b.grad = nn.Tensor(np.ones(3)), nn.Tensor(np.ones(4))
    opt = Fragile([{"params": [a]}, {"params": [b]}], {})
    with pytest.raises(ZeroDivisionError):
        opt.step()
    assert a.data.tolist() == [1, 1, 1]


def test_a_definition_of_another_shape_is_told():
    class Sums(nn.optim.Optimizer):
        rule = nn.optim.Rule("", lambda p, g, *, lr: (p.sum(),), {"lr": nn.optim.SGD.rule.settings["lr"]})
    p = nn.Parameter(np.ones(3))
    p.grad = nn.Tensor(np.ones(3))
    with pytest.raises(nn.ShapeError, match=r"Sums: the definition returns another shape.*\(3,\)"):
        Sums([p], {}).step()
    Sums.rule = replace(Sums.rule, definition=lambda p, g, *, lr: p)
    with pytest.raises(nn.ShapeError, match="tuple"):
        Sums([p], {}).step()
    assert p.data.tolist() == [1, 1, 1]


# ---- the state -----------------------------------------------------------------------------------
@per_case
def test_state_continues_bit_for_bit(optimizer, sample):
    settings = optimizer.rule.samples[sample]
    _, whole = trajectory.class_course(optimizer, settings, np.float32, 10)
    opt, half = trajectory.class_course(optimizer, settings, np.float32, 5)
    params = [nn.Parameter(p.data.copy()) for p in half]
    again = optimizer(trajectory.groups(params, {}, 0.777))
    again.load_state_dict(opt.state_dict())
    for step in range(5, 10):
        for p, g in zip(params, trajectory.gradients(step, np.float32)):
            p.grad = None if g is None else nn.tensor(g)
        again.step()
    assert all(p.data.tobytes() == b.data.tobytes() for p, b in zip(params, whole))


@per_case
def test_copies_keep_their_state(optimizer, sample):
    settings = optimizer.rule.samples[sample]
    model = nn.Linear(3, 2)
    opt = optimizer(model.parameters(), **settings)
    for copied in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        model(nn.ones(4, 3)).sum().backward()
        opt.step()
        opt.zero_grad()
        twin, twins_opt = copied((model, opt))
        for m, o in ((model, opt), (twin, twins_opt)):
            m(nn.ones(4, 3)).sum().backward()
            o.step()
            o.zero_grad()
        assert twin.weight.data.tobytes() == model.weight.data.tobytes()
        assert twin.weight is not model.weight and set(twins_opt.state) <= set(twin.parameters())


@per_case
def test_a_state_of_pytorch_is_taken(torch, optimizer, sample):
    settings = optimizer.rule.samples[sample]
    start = np.random.default_rng(0).standard_normal((3, 2))
    theirs, ours = torch.nn.Parameter(torch.tensor(start)), nn.Parameter(start.copy())
    topt = getattr(torch.optim, optimizer.__name__)([theirs], **settings)
    opt = optimizer([ours], lr=0.777)
    theirs.grad = torch.tensor(start) ** 2
    topt.step()
    ours.data[...] = theirs.detach().numpy()
    opt.load_state_dict(topt.state_dict())
    ours.grad = nn.tensor(start ** 3)
    theirs.grad = torch.tensor(start) ** 3
    topt.step()
    opt.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-13)


def test_what_pytorch_saved_for_another_rule_is_refused(torch):
    p, q = nn.Parameter(np.ones(2)), torch.nn.Parameter(torch.ones(2))
    for settings, words in (({"amsgrad": True}, "amsgrad"), ({"maximize": True}, "maximize")):
        opt = nn.optim.Adam([p])
        with pytest.raises(nn.RangeError, match=words):
            opt.load_state_dict(torch.optim.Adam([q], **settings).state_dict())
    for ours, theirs in ((nn.optim.Adam, torch.optim.AdamW), (nn.optim.AdamW, torch.optim.Adam)):
        with pytest.raises(nn.RangeError, match="decoupled_weight_decay"):
            ours([p]).load_state_dict(theirs([q]).state_dict())
    nn.optim.AdamW([p]).load_state_dict(torch.optim.AdamW([q]).state_dict())


def test_after_double_the_state_is_refused_and_can_be_converted():
    model = nn.Linear(64, 64)
    opt = nn.optim.Adam(model.parameters(), lr=1e-3)
    model(nn.ones(2, 64)).sum().backward()
    opt.step()
    opt.zero_grad()
    model.double()
    before = model.weight.data.copy()
    model(nn.ones(2, 64, dtype=np.float64)).sum().backward()
    with pytest.raises(nn.DTypeError, match=r"exp_avg.*float64.*float32.*load_state_dict"):
        opt.step()
    assert (model.weight.data == before).all()
    opt.load_state_dict(opt.state_dict())
    opt.step()
    assert 0 < np.abs(model.weight.data - before).max() < 1.1e-3


def saved(**changes):
    """A state of Adam's for one parameter of shape (3,), with one thing changed."""
    state = {"step": 2, "exp_avg": np.ones(3), "exp_avg_sq": np.ones(3)}
    group = {"lr": 0.5, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0, "params": [0]}
    for key, value in changes.items():
        (group if key in group else state)[key] = value
    return {"state": {0: state}, "param_groups": [group]}


BAD_STATES = [
    ("nonsense", "nonsense", nn.RangeError, "not the state of an optimiser"),
    ("empty", {}, nn.RangeError, "not the state of an optimiser"),
    ("no dicts", {"state": [1], "param_groups": [{"params": [0]}]}, nn.RangeError, "not the state of an optimiser"),
    ("groups", {"state": {}, "param_groups": ["x"]}, nn.RangeError, "not the state of an optimiser"),
    ("a number of nobody", saved(params=[1]), nn.RangeError, "whose"),
    ("no number", saved(params=["x"]), nn.RangeError, "not the state of an optimiser"),
    ("more parameters", saved(params=[0, 1]), nn.ShapeError, r"groups of \[1\], got groups of \[2\]"),
    ("shape", saved(exp_avg=np.ones(4)), nn.ShapeError, r"exp_avg of parameter 0"),
    ("text", saved(exp_avg=np.array(["a", "b", "c"])), nn.DTypeError, "exp_avg of parameter 0"),
    ("step", saved(step="two"), nn.DTypeError, "step of parameter 0"),
    ("half a step", saved(step=1.5), nn.RangeError, "step of parameter 0"),
    ("negative step", saved(step=-1), nn.RangeError, "step of parameter 0"),
    ("missing", saved(exp_avg_sq=None), nn.RangeError, "exp_avg_sq"),
    ("unknown", saved(momentum_buffer=np.ones(3)), nn.RangeError, "momentum_buffer"),
    ("setting", saved(lr=-1.0), nn.RangeError, "lr >= 0"),
    ("betas", saved(betas="ab"), nn.RangeError, "betas"),
]


@pytest.mark.parametrize("what, state, error, words", BAD_STATES, ids=[row[0] for row in BAD_STATES])
def test_a_state_that_does_not_fit_changes_nothing(what, state, error, words):
    p = nn.Parameter(np.ones(3))
    opt = nn.optim.Adam([p], lr=0.1)
    p.grad = nn.tensor(np.ones(3))
    opt.step()
    before = everything(opt, [p])
    with pytest.raises(error, match=words):
        opt.load_state_dict(state)
    assert str(everything(opt, [p])) == str(before)
    opt.load_state_dict(saved())
    assert opt.param_groups[0]["lr"] == 0.5 and opt.state[p]["step"] == 2


# ---- nonsense in any place -----------------------------------------------------------------------
NONSENSE = ["nonsense", None, True, float("nan"), float("inf"), -1, 1.5, 2**70, 10**400, [], [None], {}, {"a": 1},
            (1, 2), np.zeros((2, 7)), np.array("x"), np.array([None]), np.float32(1), np.zeros(3, ">f8"),
            nn.Tensor(np.ones(2)), object(), b"x", 1j, nn.Linear, range(3)]


@per_rule
def test_nonsense_in_a_saved_state_is_refused_when_it_is_loaded(optimizer):
    """Or it makes sense: then the next step takes it."""
    good = three_groups(optimizer)[0].state_dict()
    opt, params = three_groups(optimizer)
    for place in every_place(good):
        if place[:1] == ("state",) and place[1:2] > (1,):
            continue                                # as those of the first two parameters
        for value in NONSENSE:
            before = str(everything(opt, params))
            try:
                opt.load_state_dict(replaced(good, place, value))
            except nn.FastnnError:
                assert str(everything(opt, params)) == before, (place, value)
            else:
                opt.step()
                opt, params = three_groups(optimizer)


@per_rule
@paths
@pytest.mark.parametrize("name", ["param_groups", "state"])
def test_nonsense_in_an_optimizer_is_refused_by_its_step(optimizer, name, path, monkeypatch):
    take(path, monkeypatch)
    opt, params = three_groups(optimizer)
    good = getattr(opt, name)
    for number in range(1, sum(1 for _ in every_place(good))):
        for value in NONSENSE:
            opt, params = three_groups(optimizer)
            place = list(every_place(getattr(opt, name)))[number]
            setattr(opt, name, replaced(getattr(opt, name), place, value))
            before = everything_but_groups(opt, params)
            try:
                opt.step()
            except nn.FastnnError:
                assert everything_but_groups(opt, params) == before, (place, value)


# ---- the class is the record ---------------------------------------------------------------------
@per_rule
def test_the_signature_is_the_records_and_pytorchs(torch, optimizer):
    ours = {name: p.default for name, p in inspect.signature(optimizer).parameters.items() if name != "params"}
    assert ours == optimizer.rule.defaults and list(ours) == list(optimizer.rule.settings)
    theirs = inspect.signature(getattr(torch.optim, optimizer.__name__)).parameters
    positional = [name for name, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD and name != "params"]
    assert {name: theirs[name].default for name in ours} == ours
    assert positional[:len(ours)] == list(ours)


@per_rule
def test_the_state_dict_has_pytorchs_keys(torch, optimizer):
    for settings in optimizer.rule.samples.values():
        p, q = nn.Parameter(np.ones(3)), torch.nn.Parameter(torch.ones(3))
        opt, topt = optimizer([p], **settings), getattr(torch.optim, optimizer.__name__)([q], **settings)
        p.grad, q.grad = nn.tensor(np.ones(3)), torch.ones(3)
        opt.step()
        topt.step()
        ours, theirs = opt.state_dict(), topt.state_dict()
        assert ours.keys() == theirs.keys()
        assert {k: set(v) for k, v in ours["state"].items()} == {k: set(v) for k, v in theirs["state"].items()}
        assert set(ours["param_groups"][0]) <= set(theirs["param_groups"][0])
        assert ours["param_groups"][0]["params"] == theirs["param_groups"][0]["params"]


@per_rule
def test_every_setting_is_checked(optimizer):
    for name in optimizer.rule.settings:
        for nonsense in (-1.0, "x", float("nan"), None):
            with pytest.raises(nn.RangeError, match=name):
                optimizer([nn.Parameter([1.0])], **{name: nonsense})
