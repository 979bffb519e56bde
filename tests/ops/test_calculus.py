"""Derivatives and integrals of sampled functions: worked by hand, PyTorch as a second opinion."""

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional
RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5, 6))
PLACES = np.cumsum(RNG.uniform(0.2, 2, 6))


def test_by_hand():
    # x^2 at 0, 1, 2, 3: the slopes between are 1, 3, 5; in the middle (1 + 3) / 2 and (3 + 5) / 2;
    # at the ends those of the chords, or a half of the next difference further: 1 - (3 - 1) / 2
    squares = nn.tensor([0.0, 1.0, 4.0, 9.0])
    assert nn.gradient(squares)[0].tolist() == [1, 2, 4, 5]
    assert nn.gradient(squares, edge_order=2)[0].tolist() == [0, 2, 4, 6]
    # a parabola's derivative is exact at any positions, twice the position
    at = nn.tensor([0.0, 1.0, 3.0, 4.0])
    assert nn.gradient(at * at, spacing=[at], edge_order=2)[0].tolist() == [0, 2, 6, 8]
    # trapezoids of (1 + 2) / 2 and (2 + 4) / 2
    assert nn.cumulative_trapezoid(nn.tensor([1, 2, 4])).tolist() == [1.5, 4.5]
    assert nn.trapezoid(nn.tensor([1, 2, 4]), nn.tensor([0, 1, 3])).item() == 1.5 + 2 * 3
    assert nn.trapz is nn.trapezoid and nn.trapezoid(nn.ones(1)).item() == 0
    # an end that is infinite: the limit, where PyTorch has NaN
    assert nn.trapezoid(nn.tensor([float("inf"), 1.0])).item() == float("inf")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("attrs", [
    {}, {"spacing": None}, {"spacing": 0.5}, {"spacing": [2.0, 0.25, 1.0]}, {"dim": 1},
    {"dim": [2, -3], "spacing": (0.5, 2)}, {"dim": []}, {"edge_order": 2}, {"dim": -1, "edge_order": 2, "spacing": 3}])
def test_gradient_like_torch(torch, dtype, attrs):
    compare(F.gradient, torch.gradient, [X], dtype, **attrs)


@pytest.mark.parametrize("order", [1, 2])
def test_gradient_at_positions_like_torch(torch, order):
    """The positions have gradients, too."""
    def of(library, f):
        return lambda x, p: f(x, spacing=[p, library.tensor(np.array([0, 1, 2, 4, 5.0]))], dim=[2, 1], edge_order=order)
    compare(of(nn, F.gradient), of(torch, torch.gradient), [X, PLACES])
    compare(lambda x, p: F.gradient(x, spacing=[p], dim=0), lambda x, p: torch.gradient(x, spacing=[p], dim=0),
            [X[:2, 0], PLACES[:2]])


def test_gradient_of_integers_like_torch(torch):
    for x in (np.array([3, 1, 7, 4]), np.array([3, 1, 7, 4], np.int8)):
        for attrs in ({}, {"spacing": 2, "edge_order": 2}):
            close(F.gradient(nn.tensor(x), **attrs)[0], torch.gradient(torch.tensor(x), **attrs)[0])
        close(F.gradient(nn.tensor(x), spacing=[nn.tensor([0, 1, 3, 4])])[0],
              torch.gradient(torch.tensor(x), spacing=[torch.tensor([0, 1, 3, 4])])[0])
    close(F.gradient(nn.tensor(X), spacing=nn.tensor(2.0))[0], torch.gradient(torch.tensor(X), spacing=2.0)[0])
    assert F.gradient(nn.tensor(1.0)) == ()


@pytest.mark.parametrize("name", ["trapezoid", "cumulative_trapezoid"])
def test_integrals_like_torch(torch, name):
    ours, theirs = getattr(F, name), getattr(torch, name)
    for dtype in (np.float32, np.float64):
        for attrs in ({}, {"dx": 0.5}, {"dim": 0}, {"dim": -2, "dx": 2}):
            compare(ours, theirs, [X], dtype, **attrs)
        compare(ours, theirs, [X, PLACES], dtype)
        compare(ours, theirs, [X, np.cumsum(np.abs(X), 1)], dtype, dim=1)
        compare(ours, theirs, [X, np.cumsum(np.abs(X[0]), -1)], dtype)
        compare(ours, theirs, [X[:1], X], dtype)
    for y in (np.array([1, 2, 200], np.uint8), np.array([4, 2, 7]), np.ones((3, 1)), np.ones(0)):
        close(ours(nn.tensor(y)), theirs(torch.tensor(y)))
    close(ours(nn.tensor([1, 2, 4]), nn.tensor([0, 1, 3])), theirs(torch.tensor([1, 2, 4]), torch.tensor([0, 1, 3])))


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.gradient(nn.ones(4), edge_order=3), nn.RangeError, ("gradient", "edge_order 1 or 2", "3")),
    (lambda: F.gradient(nn.ones(2), edge_order=2), nn.ShapeError, ("gradient", "size above 2", "(2,)")),
    (lambda: F.gradient(nn.ones(2, 3), dim=[1, -1]), nn.RangeError, ("gradient", "each dimension once", "(1, -1)")),
    (lambda: F.gradient(nn.ones(2, 3), dim=2), nn.RangeError, ("gradient", "2")),
    (lambda: F.gradient(nn.ones(2, 3), spacing=[1.0]), nn.ShapeError, ("gradient", "2 of them", "1")),
    (lambda: F.gradient(nn.ones(3), spacing=[nn.ones(2)]), nn.ShapeError, ("gradient", "3 positions", "(2,)")),
    (lambda: F.gradient(nn.ones(3), spacing=nn.ones(3)), nn.DTypeError, ("gradient", "spacing=[x]", "(3,)")),
    (lambda: F.gradient(nn.ones(3), spacing=["1"]), nn.DTypeError, ("gradient", "spacing as a number", "1")),
    (lambda: F.gradient(nn.tensor([True, False])), nn.DTypeError, ("gradient", "bool", ".float()")),
    (lambda: F.trapezoid(nn.tensor([True])), nn.DTypeError, ("trapezoid", "bool")),
    (lambda: F.trapezoid(nn.ones(3), nn.ones(2)), nn.ShapeError, ("trapezoid", "3 positions", "(2,)")),
    (lambda: F.trapezoid(nn.ones(3), nn.ones(1, 3)), nn.ShapeError, ("trapezoid", "x as a vector", "(1, 3)")),
    (lambda: F.trapezoid(nn.ones(3), nn.ones(3), dx=1), nn.RangeError, ("trapezoid", "x or dx")),
    (lambda: F.trapezoid(nn.ones(3), dim=1), nn.RangeError, ("trapezoid", "1")),
    (lambda: F.cumulative_trapezoid(nn.tensor(1.0)), nn.RangeError, ("cumulative_trapezoid", "()"))])
def test_errors(call, error, words):
    refused(call, error, words)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("function", [
    lambda y, h: nn.trapezoid(y, dx=h), lambda y, h: nn.trapezoid(y, dx=h.reshape(1)),
    lambda y, h: nn.cumulative_trapezoid(y, dx=h).sum(), lambda y, h: nn.gradient(y, spacing=h)[0].sum(),
    lambda y, h: nn.gradient(y, spacing=(h,), edge_order=2)[0].sum()])
def test_a_distance_that_requires_a_gradient_gets_it(function, dtype):
    """z is proportional to h or to 1 / h, so its slope is z / h or - z / h. PyTorch refuses it."""
    y, h = nn.tensor([1.0, 2.0, 4.0, 8.0], dtype=dtype), nn.tensor(0.5, dtype=dtype, requires_grad=True)
    z, half = function(y, h), function(y, nn.tensor(0.25, dtype=dtype))
    slope, = nn.autograd.grad(z, h)
    assert z.dtype == y.dtype and slope.dtype == h.dtype and z.item() != half.item()
    assert slope.item() == pytest.approx(z.item() / 0.5 * (1 if half.item() < z.item() else -1))


def test_a_distance_is_one_number():
    y = nn.ones(4)
    assert nn.trapezoid(y, dx=nn.tensor(2)).item() == nn.trapezoid(y, dx=nn.tensor([2.0])).item() == 6
    for h in (nn.ones(3), nn.ones(3, requires_grad=True)):
        with pytest.raises(nn.FastnnError, match="trapezoid"):
            nn.trapezoid(y, dx=h)
