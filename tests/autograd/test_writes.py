"""Writes into tensors, `buffer[t] = h` and its kin, are followed by the tape."""

import copy
import operator
import weakref

import numpy as np
import pytest

import fastnn as nn
from fastnn.autograd import apply_in_python
from fastnn.op import OPS

F = nn.functional


def leaf(*shape, start=1.0):
    return nn.Parameter(np.arange(start, start + np.prod(shape, dtype=int)).reshape(shape) / 4)


# ---- the gradient of what is written, and of what was there --------------------------------------
ROWS = np.array([3, 0])
KEYS = {
    "a row": (1, (5,)), "a number of a row": ((1, 2), ()), "a slice": (slice(1, 3), (2, 5)),
    "a column": ((slice(None), 2), (4,)), "steps back": (slice(None, None, -2), (2, 5)),
    "broadcast": (slice(None), (5,)), "a row with an axis more": (1, (1, 5)), "all": (..., (4, 5)),
    "a number with axes": ((1, 2), (1, 1)), "one number for a row, with axes": (1, (1, 1, 1)),
    "a new axis": ((None, 2), (1, 5)), "a mask": (np.arange(20).reshape(4, 5) % 3 == 0, (7,)),
    "a mask of rows": (np.array([True, False, False, True]), (2, 5)),
    "one number at a mask": (np.ones((4, 5), bool), ()), "rows": (ROWS, (2, 5)),
    "elements": ((ROWS, np.array([4, 1])), (2,)), "rows of a slice": ((ROWS, slice(1, 4)), (2, 3)),
    "twice the same row": (np.array([2, 2, 1]), (3, 5)), "a list": ([0, 2], (2, 5)), "nothing": (slice(2, 2), (0, 5)),
}


@pytest.mark.parametrize("name", KEYS)
def test_the_gradient_of_a_write(name):
    key, shape = KEYS[name]
    before, value = leaf(4, 5), leaf(*shape, start=3)

    def whole(before, value):
        x = before * 2
        x[key] = value * 3
        return x * x + before                       # which is used even where all is overwritten

    def through_a_view(before, value):
        x = (before * 2).reshape(2, 10)
        view = x.reshape(4, 5)
        view[key] = value * 3
        return x * x + before.reshape(2, 10)
    assert np.array_equal(whole(before, value).data.ravel(), through_a_view(before, value).data.ravel())
    for function in (whole, through_a_view):
        nn.testing.gradcheck(function, *[t for t in (before, value) if t.numel()]) if value.numel() else None


@pytest.mark.parametrize("make", [np.array, nn.tensor])
def test_an_index_may_change_after_the_write(make):
    value, x, index = leaf(2), nn.zeros(5), make([1, 3])
    x[index] = value
    index[...] = 0
    (x * nn.arange(5)).sum().backward()
    assert value.grad.tolist() == [1, 3]


IN_PLACE = {"add_": operator.add, "sub_": operator.sub, "mul_": operator.mul, "div_": operator.truediv,
            "copy_": lambda a, b: b + 0 * a}
AUGMENTED = {"+=": operator.iadd, "-=": operator.isub, "*=": operator.imul, "/=": operator.itruediv,
             "//=": operator.ifloordiv, "%=": operator.imod, "**=": operator.ipow, "@=": operator.imatmul}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("start", [lambda a: a * 2, lambda a: nn.tensor(2 * a.data)], ids=["result", "buffer"])
def test_methods_that_write(name, start):
    a, b = leaf(3, 2), leaf(2, start=9)
    rest = a.sum() + b.sum()                                    # so that both are used in any case
    want = nn.autograd.grad((IN_PLACE[name](start(a), b * 3) ** 2).sum() + rest, [a, b], retain_graph=True)
    x = start(a)
    assert getattr(x, name)(b * 3) is x
    got = nn.autograd.grad((x ** 2).sum() + rest, [a, b])
    for g, w in zip(got, want):
        assert np.allclose(g.data, w.data)


def test_clamp_and_fill():
    w = nn.Parameter([1.0, -2.0, 3.0])
    x = w * 1
    x.clamp_(min=0).sum().backward()
    assert w.grad.tolist() == [1, 0, 1]
    value, w.grad, x = nn.Parameter(5.0), None, w * 1
    x.fill_(value)
    (x.sum() + w.sum()).backward()
    assert value.grad.item() == 3 and w.grad.tolist() == [1, 1, 1] and x.tolist() == [5, 5, 5]
    x.zero_()
    assert x.tolist() == [0, 0, 0]


@pytest.mark.parametrize("write", [
    lambda out, t, h: out.__setitem__(t, h),
    lambda out, t, h: out[t].copy_(h),
    lambda out, t, h: out[t].__setitem__(slice(None), h),
    lambda out, t, h: operator.setitem(out, t, operator.iadd(out[t], h)),
    lambda out, t, h: out.reshape(-1)[2*t:2*t + 2].copy_(h),
    lambda out, t, h: out.unbind(0)[t].add_(h),
    lambda out, t, h: out.T[:, t].copy_(h),
], ids=["row", "copy_", "part of a view", "+=", "view of a view", "unbind", "transposed"])
def test_a_sequence_is_filled_step_by_step(write):
    w, h, steps = nn.Parameter([[0.5, 0.25], [-1.0, 2.0]]), nn.tensor([1.0, 1.0]), []
    out = nn.zeros(4, 2)
    for t in range(4):
        h = (w @ h).tanh()
        write(out, t, h)
        steps.append(h)
    (out ** 2).sum().backward(retain_graph=True)
    got, w.grad = w.grad.data, None
    (F.stack(steps) ** 2).sum().backward()
    assert np.allclose(got, w.grad.data)
    assert np.array_equal(out.data, F.stack(steps).data)


VIEWS = {"a row": lambda x: x[1], "flat": lambda x: x.reshape(6), "transposed": lambda x: x.T,
         "expanded": lambda x: x[1:2].expand(4, 2), "a view of a view": lambda x: x[1:][0].reshape(1, 2),
         "steps back": lambda x: x[::-1], "another row": lambda x: x[0], "itself": lambda x: x,
         "a number": lambda x: x[1, 1]}


@pytest.mark.parametrize("name", VIEWS)
def test_views_from_before_a_write_are_renewed(name):
    grads = []
    for early in (True, False):
        w, buffer = nn.Parameter([2.0, 3.0]), nn.zeros(3, 2)
        view = VIEWS[name](buffer) if early else None
        buffer[0] = 5.0
        buffer[1] = w * 2
        view = view if early else VIEWS[name](buffer)
        y = (view * view).sum() + w.sum()
        y.backward()
        grads.append(w.grad.tolist())
    assert grads[0] == grads[1]
    assert name == "another row" or grads[0] != [1, 1]


@pytest.mark.parametrize("use", [
    lambda view, w: view.requires_grad, lambda view, w: view.is_leaf, lambda view, w: view.grad_fn is None,
    lambda view, w: view.numpy(), lambda view, w: np.exp(view), lambda view, w: np.from_dlpack(view),
    lambda view, w: copy.deepcopy(view), lambda view, w: view.requires_grad_(False), lambda view, w: view.retain_grad(),
    lambda view, w: view.register_hook(lambda g: g) and None, lambda view, w: "grad_fn" in repr(view),
    lambda view, w: view.backward(np.ones(2)) or w.grad.tolist(),
    lambda view, w: nn.autograd.grad(view, w, np.ones(2))[0].tolist(),
    lambda view, w: nn.zeros(2, 2).copy_(view).sum().backward() or w.grad.tolist(),
], ids=["requires_grad", "is_leaf", "grad_fn", "numpy", "a function of NumPy", "dlpack", "deepcopy", "requires_grad_",
        "retain_grad", "register_hook", "repr", "backward", "grad", "written elsewhere"])
def test_a_view_knows_of_a_write_whatever_is_asked_first(use):
    told = []
    for early in (True, False):
        w, buffer = nn.Parameter([2.0, 3.0]), nn.zeros(3, 2)
        view = buffer[1] if early else None
        buffer[1] = w * 2
        view = view if early else buffer[1]
        try:
            told.append(use(view, w))
        except nn.GraphError as error:
            told.append(str(error))
    assert told[0] == told[1]


@pytest.mark.parametrize("rule", [nn.autograd.apply, apply_in_python], ids=["compiled", "python"])
def test_a_view_without_history_keeps_no_tensor_alive(rule):
    x = leaf(3) * 2
    with nn.no_grad():
        view = rule(OPS["getitem"], x, key=slice(1, 2))
    dead, x = weakref.ref(x), None
    assert view.tolist() == [1] and dead() is None


def test_what_can_only_be_read_is_not_written():
    x = leaf(1, 2).expand(3, 2)
    for write in (lambda: x.fill_(1), lambda: x.copy_(nn.ones(3, 2)), lambda: x.detach().zero_()):
        with pytest.raises(nn.GraphError, match=r"only be read|leaf"):
            write()
    with pytest.raises(nn.GraphError, match=r"fill_: this tensor can only be read.*clone"):
        nn.ones(1, 2).expand(3, 2).fill_(1)


def test_what_was_overwritten_has_no_gradient():
    a, b = leaf(3), leaf(3, start=7)
    x = a * 2
    x[1] = 0.0
    x[0] = b[0]
    x.sum().backward()
    assert a.grad.tolist() == [0, 0, 2] and b.grad.tolist() == [1, 0, 0]


def test_a_buffer_can_be_used_again():
    w, buffer = leaf(2), nn.zeros(2)
    for _ in range(3):
        w.grad = None
        buffer.zero_()
        buffer += w * 3
        buffer.sum().backward()
        assert w.grad.tolist() == [3, 3]


def test_a_written_buffer_is_let_go_of():
    w, buffer = leaf(2), nn.zeros(2)
    view, dead = buffer[0], weakref.ref(buffer)
    buffer[1] = w[0]
    del buffer
    assert dead() is not None                                     # the view looks into it
    del view
    assert dead() is None


# ---- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize("name", AUGMENTED)
def test_a_leaf_is_not_changed_while_the_tape_records(name):
    p = nn.Parameter([[1.0, 2.0], [3.0, 4.0]])
    before, memory = p.data.copy(), p.data
    for other in (2.0, nn.ones(2, 2)) if name != "@=" else (nn.ones(2, 2),):
        with pytest.raises(nn.GraphError, match=r"no_grad"):
            AUGMENTED[name](p, other)
        assert np.array_equal(p.data, before)
    for view in (p[0], p.reshape(4), p.T):
        with pytest.raises(nn.GraphError, match=r"leaf"):
            view += 1
    with nn.no_grad():
        q = AUGMENTED[name](p, nn.full((2, 2), 3.0))
    assert q is p and p.data is memory and not np.array_equal(p.data, before)


def test_results_of_ops_stay_as_they_are():
    x = leaf(3)
    y = F.relu(x)
    z = y
    y += 1
    assert y is not z and (z.data + 1 == y.data).all()
    (y * z).sum().backward()
    assert np.allclose(x.grad.data, 2 * x.data + 1)


@pytest.mark.parametrize("change", [lambda y: y.add_(1), lambda y: y.__setitem__(0, 5.0), lambda y: y.detach().zero_(),
                                    lambda y: y[:2].mul_(2), lambda y: nn.tensor(y.detach()).fill_(3),
                                    lambda y: nn.from_numpy(y.detach().numpy()).fill_(3)])
@pytest.mark.parametrize("op", [F.relu, F.exp, F.tanh, lambda x: F.softmax(x, 0),
                                lambda x: F.logsumexp(x.unsqueeze(1), 1), lambda x: F.norm(x.unsqueeze(1), 2, 1)])
def test_a_change_of_a_saved_result_is_noticed(op, change):
    x = leaf(3)
    y = op(x)
    change(y)
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.sum().backward()


def test_integers_cannot_follow():
    w, counts = leaf(3), nn.zeros(3, dtype=np.int64)
    for write in (lambda: counts.__setitem__(0, w[0]), lambda: counts.copy_(w), lambda: counts.fill_(w[0])):
        with pytest.raises(nn.GraphError, match="detach"):
            write()
    counts[0] = w.detach()[2] * 4
    assert counts.tolist() == [3, 0, 0]


@pytest.mark.parametrize("write, error", [
    (lambda x: x.__setitem__(0, nn.ones(7)), nn.ShapeError), (lambda x: x.copy_(nn.ones(7)), nn.ShapeError),
    (lambda x: x.to(np.int64).copy_(nn.tensor([0.5, 1.0])), nn.DTypeError),
    (lambda x: x.add_(nn.ones(4, 2)), nn.ShapeError), (lambda x: x.__setitem__(0, [[1.0], [1.0, 2.0]]), nn.DTypeError),
])
def test_what_does_not_fit_changes_nothing(write, error):
    for x in (nn.ones(2), leaf(2) * 1):
        before, node = x.data.copy(), x.node
        with pytest.raises(error):
            write(x)
        assert np.array_equal(x.data, before) and x.node is node


# ---- tensors over one array ----------------------------------------------------------------------
def with_data(data):
    t = nn.zeros(3)
    t.data = data
    return t


@pytest.mark.parametrize("alias", [
    nn.tensor, lambda t: nn.tensor(t.data), lambda t: nn.from_numpy(t.numpy()), lambda t: nn.tensor(np.asarray(t)),
    lambda t: nn.tensor(t.numpy()[:1]), lambda t: t.detach(), lambda t: t[:1], lambda t: nn.Parameter(t).detach(),
    lambda t: t.reshape(2, 1), lambda t: nn.tensor(nn.tensor(t)), lambda t: t.T, nn.from_dlpack,
    lambda t: nn.from_dlpack(t.numpy()), with_data, lambda t: with_data(t.data), lambda t: with_data(t[:1]),
])
@pytest.mark.parametrize("make", [lambda: nn.tensor([1.0, 2.0]), lambda: nn.from_numpy(np.ones(2, np.float32)),
                                  lambda: nn.ones(2) + 1])
def test_a_change_through_another_tensor_is_noticed(make, alias):
    w, t = leaf(2), make()
    other = alias(t)
    y = (w.to(t.dtype) * t).sum()
    with nn.no_grad():
        other.fill_(7.0)
    assert t.data[0] == 7
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()


def test_a_view_of_what_was_given_other_data_stands_alone():
    w, buffer = leaf(2), nn.zeros(3)
    view = buffer[1:]
    buffer.data = np.zeros(3, np.float32)
    view.copy_(w * 2)
    assert not buffer.requires_grad and buffer.tolist() == [0, 0, 0]
    view.sum().backward()
    assert w.grad.tolist() == [2, 2]


def test_a_view_of_what_was_given_other_data_keeps_the_history_it_had():
    w, buffer = leaf(2), nn.zeros(3)
    view = buffer[1:]
    buffer[:2] = w * 2
    assert view.requires_grad                       # it has looked
    buffer.data = np.zeros(3, np.float32)
    buffer[2:] = w[:1]                              # another array's history
    view.sum().backward()
    assert w.grad.tolist() == [0, 2]


def test_a_view_of_what_was_given_other_data_learns_of_writes_before():
    w, buffer = leaf(2), nn.zeros(3)
    view, other = buffer[1:], buffer[:2]
    buffer[:2] = w * 2
    buffer.data = np.zeros(3, np.float32)
    buffer[2:] = w[:1]                              # another array's history
    (view.sum() + other.sum()).backward()
    assert w.grad.tolist() == [2, 4]
    view.copy_(w * 3)                               # stands alone by now
    w.grad = None
    view.sum().backward()
    assert w.grad.tolist() == [3, 3] and buffer.tolist() == [0, 0, w.tolist()[0]]


def test_a_view_that_was_given_other_data_is_no_view():
    h = leaf(3) * 2
    view = h[1:]
    view.data = np.ones(2, np.float32)
    view.detach_()
    assert not view.requires_grad and view._base is None


def test_retain_grad_is_about_what_the_tensor_is_now():
    w = leaf(3)
    h = w * 1
    h.retain_grad()
    h.mul_(2)
    h[0] = 0
    (h * h).sum().backward()
    assert h.grad.tolist() == (2 * h.data).tolist() and w.grad.tolist() == (2 * h.grad.data * [0, 1, 1]).tolist()


def test_arrays_are_forgotten_when_they_go():
    from fastnn.tensor import _versions
    before = len(_versions)
    for n in range(100):
        t = nn.tensor(np.ones(n, np.float32))
        assert t.data is not None and nn.tensor(t.data)._version is t._version
    del t
    assert len(_versions) <= before


def test_a_write_of_nothing_is_followed():
    """As a loop over an empty batch does: the gradient is 0, and no error."""
    h, buffer = leaf(3), nn.zeros(0, 3)
    buffer.copy_(h)
    buffer.sum().backward()
    assert h.grad.tolist() == [0, 0, 0]
    h, buffer = leaf(3), nn.zeros(2, 3)
    buffer[1:1] = h
    buffer[:, 3:].copy_(h[:1])
    buffer.sum().backward()
    assert h.grad.tolist() == [0, 0, 0] and buffer.tolist() == [[0] * 3] * 2
