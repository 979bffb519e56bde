"""What holds for every optimiser, because it is registered: kernel = definition = PyTorch over 50
steps, and the class is its record.
"""

import inspect
from dataclasses import replace

import numpy as np
import pytest
from optim_cases import DTYPES, per_case, per_dtype, per_rule

import fastnn as nn
from fastnn.optim.rule import RULES, State, at_least_zero
from fastnn.testing import trajectory
from fastnn.testing.trajectory import trajectory_is_the_definition


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


# ---- the class is the record ---------------------------------------------------------------------
@per_rule
def test_the_signature_is_the_records_and_pytorchs(torch, optimizer):
    # accepted for PyTorch's sake, and no part of the rule
    neutral = {"params", "amsgrad", "foreach", "fused", "capturable", "differentiable",
               "decoupled_weight_decay"}
    ours = {name: p.default for name, p in inspect.signature(optimizer).parameters.items() if name not in neutral}
    assert ours == optimizer.rule.defaults and list(ours) == list(optimizer.rule.settings)
    theirs = inspect.signature(getattr(torch.optim, optimizer.__name__)).parameters
    positional = [name for name, p in theirs.items() if p.kind is p.POSITIONAL_OR_KEYWORD and name != "params"]
    assert {name: theirs[name].default for name in ours} == ours
    before = [name for name in ours if name in positional]          # the others come by name
    assert positional[:len(before)] == before and list(ours)[:len(before)] == before


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
            with pytest.raises((nn.RangeError, nn.DTypeError), match=name):
                optimizer([nn.Parameter([1.0])], **{name: nonsense})
