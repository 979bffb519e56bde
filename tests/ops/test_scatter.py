"""Writing by position: numbers worked by hand, PyTorch as a second opinion, writes in place."""

import numpy as np
import pytest
from messages import refused
from second_opinion import compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
X, S = R.standard_normal((4, 5)), R.standard_normal((3, 4))
ONE = np.array([[0, 4, 1, 2], [3, 0, 1, 4], [2, 1, 0, 3]])          # in a row no place twice
MANY = np.array([[0, 0, 1, 0], [4, 4, 4, 4], [2, 1, 2, 3]])
HALF = X > 0.3
WAYS = ("sum", "prod", "mean", "amax", "amin")


def test_by_hand():
    # 1 and 2 go to place 0, 4 to place 2: 10 + 1 + 2 = 13, 20, 30 + 4 = 34
    x, index, src = nn.tensor([10.0, 20.0, 30.0]), nn.tensor([0, 2, 0]), nn.tensor([1.0, 4.0, 2.0])
    for t in (x, src):
        t.requires_grad_()
    y = nn.scatter_add(x, 0, index, src)
    assert y.tolist() == [13, 20, 34]
    y.backward(np.array([1.0, 2.0, 3.0], np.float32))
    assert x.grad.tolist() == [1, 2, 3] and src.grad.tolist() == [1, 3, 1]
    # replaced: the last of the two values for place 0 stays, and it alone has the gradient
    src.grad = x.grad = None
    y = nn.scatter(x, 0, index, src)
    assert y.tolist() == [2, 20, 4]
    y.backward(np.array([1.0, 2.0, 3.0], np.float32))
    assert x.grad.tolist() == [0, 2, 0] and src.grad.tolist() == [0, 3, 1]
    # the mean of 10, 1 and 2 is 13/3; without 10 it is 3/2
    assert nn.scatter_reduce(x, 0, index, src, "mean").tolist() == pytest.approx([13 / 3, 20, 17])
    assert nn.scatter_reduce(x, 0, index, src, "mean", include_self=False).tolist() == [1.5, 20, 4]
    assert nn.scatter_reduce(x, 0, index, src, "prod").tolist() == [20, 20, 120]


# name, arrays, the call of a library's function with them
CASES = {
    "scatter": ([X, ONE, S], lambda f, x, i, s: f(x, 1, i, s)),
    "scatter of a number": ([X, ONE], lambda f, x, i: f(x, 1, i, 2.5)),
    "scatter narrower": ([X, ONE[:2, :3], S[:2, :3]], lambda f, x, i, s: f(x, -1, i, s)),
    "scatter_add": ([X, MANY, S], lambda f, x, i, s: f(x, 1, i, s)),
    "scatter_add down": ([X, MANY % 4, S], lambda f, x, i, s: f(x, 0, i, s)),
    **{f"scatter_reduce {way} {own}": ([X, MANY, S], lambda f, *t, way=way, own=own: f(
        t[0], 1, *t[1:], way, include_self=own)) for way in WAYS for own in (True, False)},
    "index_add": ([X, np.array([1, 1, 3]), R.standard_normal((3, 5))], lambda f, x, i, s: f(x, 0, i, s, alpha=2)),
    "index_copy": ([X, np.array([4, 0]), R.standard_normal((4, 2))], lambda f, x, i, s: f(x, 1, i, s)),
    "index_fill": ([X, np.array([4, 0])], lambda f, x, i: f(x, 1, i, -1.5)),
    "index_reduce": ([X, np.array([1, 1, 3]), R.standard_normal((3, 5))], lambda f, x, i, s: f(x, 0, i, s, "prod")),
    "index_put": ([X, np.array([0, 3]), np.array([1, 1]), S[0, :2]], lambda f, x, i, j, v: f(x, (i, j), v)),
    "index_put added": ([X, np.array([0, 3, 0]), R.standard_normal(5)], lambda f, x, i, v: f(x, (i,), v, True)),
    "index_put added from the end": ([X, np.array([-1, 3, 0]), R.standard_normal((3, 5))],
                                     lambda f, x, i, v: f(x, (i,), v, True)),
    "index_put masked": ([X, HALF, np.array(2.0)], lambda f, x, m, v: f(x, (m,), v)),
    "masked_scatter": ([X, HALF, R.standard_normal(20)], lambda f, x, m, s: f(x, m, s)),
    "put": ([X, np.array([3, -1]), S[0, :2]], lambda f, x, i, s: f(x, i, s)),
    "put added": ([X, np.array([3, 3]), S[0, :2]], lambda f, x, i, s: f(x, i, s, True)),
    "take": ([X, np.array([[3, 3], [-1, 0]])], lambda f, x, i: f(x, i)),
    "select_scatter": ([X, R.standard_normal(4)], lambda f, x, s: f(x, s, 1, -2)),
    "slice_scatter": ([X, R.standard_normal((4, 2))], lambda f, x, s: f(x, s, 1, 1, 5, 2)),
    "diagonal_scatter": ([X, R.standard_normal(4)], lambda f, x, s: f(x, s, 1)),
}


@pytest.mark.filterwarnings("ignore:index_reduce")
@pytest.mark.parametrize("name", CASES)
def test_like_torch(torch, name):
    arrays, call = CASES[name]
    ours, theirs = (getattr(library, name.split()[0]) for library in (F, torch))
    compare(lambda *t: call(ours, *t), lambda *t: call(theirs, *t), arrays)


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith((
    "take", "select_", "slice_", "diagonal_"))])
@pytest.mark.filterwarnings("ignore:index_reduce")
def test_in_place_like_torch(torch, name):
    """Of the result of an op, so that the tape follows; the old values are no longer there."""
    arrays, call = CASES[name]

    def in_place(x, *others):
        y = x * 2
        z = call(lambda y, *rest, **options: getattr(y, f"{name.split()[0]}_")(*rest, **options), y, *others)
        assert z is y
        return y
    compare(in_place, in_place, arrays)


@pytest.mark.parametrize("name", ["scatter_", "scatter_add_", "index_add_", "index_copy_", "index_put_", "put_"])
def test_a_leaf_is_not_changed(name):
    w, places, ones = nn.Parameter([1.0, 2.0]), nn.tensor([0]), nn.ones(1)
    arguments = {"index_put_": ((places,), ones), "put_": (places, ones)}.get(name, (0, places, ones))
    with pytest.raises(nn.GraphError, match=name):
        getattr(w, name)(*arguments)
    with nn.no_grad():
        getattr(w, name)(*arguments)
    assert w.tolist() == [2 if "add" in name else 1, 2]


def test_what_was_saved_is_missed():
    x = nn.Parameter([1.0, 2.0])
    y = x * 1
    z = y * y
    y.scatter_(0, nn.tensor([0]), 5.0)
    with pytest.raises(nn.GraphError, match="changed"):
        z.sum().backward()


def test_factors_of_0_and_infinity_have_the_slope_of_the_others():
    src = nn.tensor([0.0, 2.0, np.inf, 3.0, 0.0], requires_grad=True)
    y = F.scatter_reduce(nn.ones(2), 0, nn.tensor([0, 0, 1, 1, 0]), src, "prod", include_self=False)
    y.sum().backward()
    assert y.tolist() == [0, np.inf] and src.grad.tolist() == [0, 0, 3, np.inf, 0]


T, I, ONES = nn.ones(2, 3), nn.tensor([[0, 1, 1]]), nn.ones(1, 3)


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.scatter(T, 0, I), nn.DTypeError, ("scatter", "src or value")),
    (lambda: F.scatter(T, 0, I, ONES, reduce="max"), nn.RangeError, ("scatter", "multiply", "'max'")),
    (lambda: F.scatter(T, 0, I, ONES.double()), nn.DTypeError, ("scatter", "float32", "float64")),
    (lambda: F.scatter(T, 2, I, ONES), nn.RangeError, ("scatter", "dimension 2")),
    (lambda: F.scatter(T, 0, I + 1, ONES), nn.RangeError, ("scatter", "index 2", "0 <= index < 2")),
    (lambda: F.scatter(T, 0, I.float(), ONES), nn.DTypeError, ("scatter", "integer", ".long()")),
    (lambda: F.scatter_add(T, 0, I, nn.ones(1, 2)), nn.ShapeError, ("scatter_add", "nowhere larger", "(1, 3)")),
    (lambda: F.scatter_reduce(T, 0, I, ONES, "median"), nn.RangeError, ("scatter_reduce", "'median'")),
    (lambda: F.index_add(T, 0, nn.tensor([[0]]), T), nn.ShapeError, ("index_add", "one dimension", "(1, 1)")),
    (lambda: F.index_add(T, 0, nn.tensor([2]), ONES), nn.RangeError, ("index_add", "index 2")),
    (lambda: F.index_copy(T, 1, nn.tensor([0]), T), nn.ShapeError, ("index_copy", "(2, 1)", "(2, 3)")),
    (lambda: F.index_fill(T, 1, nn.tensor([3]), 0), nn.RangeError, ("index_fill", "index 3")),
    (lambda: F.index_fill(T, 1, nn.tensor([0]), ONES), nn.ShapeError, ("index_fill", "(1, 3)")),
    (lambda: F.index_reduce(T, 0, nn.tensor([0]), ONES, "sum"), nn.RangeError, ("index_reduce", "'sum'")),
    (lambda: F.index_put(T, nn.tensor([0]), ONES), nn.DTypeError, ("index_put", "tuple")),
    (lambda: F.index_put(T, (T,), ONES), nn.DTypeError, ("index_put", "integers or booleans", "float32")),
    (lambda: F.masked_scatter(T, T, T), nn.DTypeError, ("masked_scatter", "bool", "float32")),
    (lambda: F.masked_scatter(T, T > 0, ONES), nn.ShapeError, ("masked_scatter", "at least 6", "(1, 3)")),
    (lambda: F.masked_scatter(T, nn.ones(4) > 0, T), nn.ShapeError, ("masked_scatter", "(2, 3)", "(4,)")),
    (lambda: F.put(T, nn.tensor([0, 1]), ONES), nn.ShapeError, ("put", "2 elements", "(1, 3)")),
    (lambda: F.put(T, nn.tensor([6]), nn.ones(1)), nn.RangeError, ("put", "index 6")),
    (lambda: F.take(T, nn.tensor([-7])), nn.RangeError, ("take", "index -7", "-6 <= index < 6")),
    (lambda: F.select_scatter(T, nn.ones(3), 0, 2), nn.RangeError, ("select_scatter", "index < 2")),
    (lambda: F.select_scatter(T, T, 0, 1), nn.ShapeError, ("select_scatter", "(3,)", "(2, 3)")),
    (lambda: F.slice_scatter(T, T, 0, step=-1), nn.RangeError, ("slice_scatter", "step > 0")),
    (lambda: F.diagonal_scatter(T, T), nn.ShapeError, ("diagonal_scatter", "(2,)", "(2, 3)")),
    (lambda: F.diagonal_scatter(T, T, 0, 1, 1), nn.RangeError, ("diagonal_scatter", "differ"))])
def test_errors(call, error, words):
    refused(call, error, words)
