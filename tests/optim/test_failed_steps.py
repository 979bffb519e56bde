"""A step that cannot be done changes nothing: no parameter, no state, no setting."""

from dataclasses import replace

import numpy as np
import pytest
from optim_cases import (
    NONSENSE,
    VECTORS,
    arrays_of_the_last,
    everything,
    everything_but_groups,
    forced,
    paths,
    per_case,
    per_rule,
    per_rule_of_vectors,
    take,
    three_groups,
)
from sabotage import every_place, replaced

import fastnn as nn
from fastnn.testing import trajectory


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
    ("byte order", bad_gradient(lambda p: forced(np.ones(6, ">f4"))), nn.DTypeError, ">f4"),
    ("no tensor", bad_gradient(lambda p: np.ones(6, np.float32)), nn.DTypeError, "no tensor.*nn.tensor"),
    ("float16", bad_gradient(lambda p: forced(np.ones(6, np.float16))), nn.DTypeError, "float16"),
    ("rank", bad_gradient(lambda p: nn.Tensor(np.ones((1, 6), np.float32))), nn.ShapeError, r"\(1, 6\)"),
    ("scalar", bad_gradient(lambda p: forced(np.float32(1))), nn.DTypeError, "no tensor"),
    ("a tensor without its fields", bad_gradient(lambda p: nn.Tensor.__new__(nn.Tensor)), nn.DTypeError, "no tensor"),
    ("setting", spoil_setting, nn.RangeError, "lr >= 0 and finite, got nan"),
    ("infinite setting", spoil_group(lambda g: g.update(lr=float("inf"))), nn.RangeError,
     "lr >= 0 and finite, got inf"),
    ("no setting", spoil_group(lambda g: g.pop("lr")), nn.RangeError, "lr >= 0 and finite, got None"),
    ("no parameters", spoil_group(lambda g: g.pop("params")), nn.DTypeError, "group 2 has lost its parameters"),
    ("None for parameters", spoil_group(lambda g: g.update(params=None)), nn.DTypeError, "NoneType"),
    # the first step would use it up, and the next ones do nothing
    ("a generator", spoil_group(lambda g: g.update(params=iter(g["params"]))), nn.DTypeError, "list_iterator"),
    ("a number among them", spoil_group(lambda g: g["params"].append(1.0)), nn.DTypeError,
     "parameter 1 of group 2.*float"),
    ("no group", replace_group(None), nn.DTypeError, "group 2.*NoneType"),
    ("a list for a group", replace_group([1]), nn.DTypeError, "group 2.*list"),
]


@per_rule_of_vectors
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


with_state = pytest.mark.parametrize("optimizer", [c for c in VECTORS if c.rule.state],
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
    for name in arrays_of_the_last(*three_groups(optimizer)):
        opt, params = three_groups(optimizer)
        opt.state[params[-1]][name] = change(opt.state[params[-1]][name])
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
    for name in arrays_of_the_last(opt, params):
        state = opt.state[params[-1]]
        state[name] = change(state[name])
        given.append((state[name], state[name].tobytes()))
    with nn.use_backend(backend):
        opt.step()
        plain.step()
    assert [p.data.tobytes() for p in params] == [q.data.tobytes() for q in others]
    assert all(a.tobytes() == bits for a, bits in given if not a.flags.writeable)


@pytest.mark.parametrize("optimizer, name", [(c, spec.name) for c in VECTORS for spec in c.rule.state if spec.number],
                         ids=lambda value: getattr(value, "__name__", value))
def test_a_number_of_the_state_that_was_changed_is_refused(optimizer, name):
    for wrong in ("two", None, True, np.ones(2), 1j, [1.0]):
        opt, params = three_groups(optimizer)
        opt.state[params[-1]][name] = wrong
        before = everything_but_groups(opt, params)
        with pytest.raises(nn.DTypeError, match=f"the state {name} has been changed.*a number"):
            opt.step()
        assert everything_but_groups(opt, params) == before


def test_a_state_of_another_shape_than_the_parameters_is_held_to_its_own():
    p = nn.Parameter(np.ones((2, 3, 4)))
    opt = nn.optim.Adafactor([p])
    p.grad = nn.Tensor(np.ones((2, 3, 4)))
    opt.step()
    assert {k: np.shape(v) for k, v in opt.state[p].items()} == {"step": (), "row_var": (2, 3, 1), "col_var": (2, 1, 4)}
    opt.state[p]["row_var"] = np.ones((2, 3, 4))
    with pytest.raises(nn.DTypeError, match=r"row_var does not fit.*\(2, 3, 1\)"):
        opt.step()


def test_an_optimiser_of_matrices_says_so():
    for shape in ((), (3,), (2, 2, 2)):
        with pytest.raises(nn.ShapeError, match=r"Muon: .*2 dimensions.*AdamW"):
            nn.optim.Muon([nn.Parameter(np.ones((2, 2))), nn.Parameter(np.ones(shape))])


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


@per_rule_of_vectors
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_parameter_that_changes_its_type_after_a_step(optimizer, backend):
    """Refused, or stepped in its new type; nothing is written past the end of an array."""
    for change in (lambda p: p.data.astype(np.float64), lambda p: np.append(p.data, p.data), lambda p: p.data[:3],
                   lambda p: p.data.astype(np.int64), lambda p: p.data.astype(np.float16), lambda p: p.data[None]):
        for with_gradient in (True, False):
            opt, params = three_groups(optimizer)
            forced(change(params[-1]), params[-1])
            if with_gradient:
                params[-1].grad = forced(np.ones_like(params[-1].data))
            before = everything_but_groups(opt, params)
            with nn.use_backend(backend):
                try:
                    opt.step()
                except (nn.DTypeError, nn.ShapeError):
                    assert everything_but_groups(opt, params) == before
                else:
                    assert not optimizer.rule.state and with_gradient


@per_rule_of_vectors
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
