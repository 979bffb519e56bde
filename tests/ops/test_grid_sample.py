"""Images read at computed places: numbers by hand, PyTorch as a second opinion, errors."""

import itertools
import warnings

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
X, GRID = R.standard_normal((2, 3, 4, 5)), R.uniform(-1.6, 1.6, (2, 3, 6, 2))
V, PLACES = R.standard_normal((1, 2, 3, 4, 2)), R.uniform(-1.4, 1.4, (1, 2, 2, 3, 3))
HOW = list(itertools.product(("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection"), (False, True)))


def test_by_hand():
    x = nn.tensor([[[[1.0, 2.0, 4.0]]]])
    # with aligned corners -1, 0, 1 are the three pixels; 0.5 is half way from 2 to 4
    at = nn.tensor([[[[-1.0, 0.0], [0.5, 0.0], [2.0, 0.0]]]])
    assert F.grid_sample(x, at, align_corners=True).tolist() == [[[[1, 3, 0]]]]
    assert F.grid_sample(x, at, padding_mode="border", align_corners=True).tolist() == [[[[1, 3, 4]]]]
    # 2 is one pixel beyond 1: in the mirror it is the pixel in the middle
    assert F.grid_sample(x, at, padding_mode="reflection", align_corners=True).tolist() == [[[[1, 3, 2]]]]
    # outer edges: -1 is half a pixel before the first, where half of it is seen
    assert F.grid_sample(x, nn.tensor([[[[-1.0, 0.0]]]])).item() == 0.5


@pytest.mark.parametrize("mode, padding_mode, align_corners", HOW)
def test_like_torch(torch, mode, padding_mode, align_corners):
    how = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    theirs = torch.nn.functional.grid_sample
    only = {"differentiable": [0]} if mode == "nearest" else {}
    for dtype in (np.float32, np.float64):
        for x, grid in ((X, GRID), (X[:, :, :1, :1], GRID), (X[:, :0], GRID), (X, GRID[:, :0])):
            # a pixel's place has its rounding times H or W, and the sixteen terms of a slope cancel
            compare(F.grid_sample, theirs, [x, grid], dtype, **only, **how, roundings=400)
    if mode != "bicubic":
        compare(F.grid_sample, theirs, [V, PLACES], **only, **how)


@pytest.mark.parametrize("mode, padding_mode, align_corners", HOW)
def test_places_that_are_no_numbers(torch, mode, padding_mode, align_corners):
    """They are far outside: zeros, or the border, and never an index that is none."""
    at = np.array([np.nan, np.inf, -np.inf, 1e30, -1e30, 1e10, 2.0**31, -3.0])
    grid = np.stack([at, np.zeros(8)], -1).reshape(1, 1, 8, 2)
    how = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
    y = F.grid_sample(nn.tensor(X[:1]), nn.tensor(grid, requires_grad=True), **how)
    assert np.isfinite(y.data).all()
    if padding_mode == "zeros":
        assert not y.data[..., :3].any()


def test_a_grid_that_is_the_identity(torch):
    theta = np.tile(np.array([[1.0, 0, 0], [0, 1, 0]]), (2, 1, 1))
    for align in (False, True):
        grid = F.affine_grid(nn.tensor(theta), X.shape, align)
        close(F.grid_sample(nn.tensor(X), grid, align_corners=align), X, roundings=40)
        for t, size in ((theta + R.standard_normal(theta.shape), (2, 1, 3, 4)), (theta, (2, 1, 2, 1)),
                        (R.standard_normal((1, 3, 4)), (1, 2, 2, 3, 1))):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")         # of one pixel with aligned corners
                compare(lambda t, size=size, align=align: F.affine_grid(t, size, align),
                        lambda t, size=size, align=align: torch.nn.functional.affine_grid(t, size, align), [t])


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.grid_sample(nn.ones(2, 3), nn.ones(2, 3)), nn.ShapeError, ("grid_sample", "(N, C, H, W)", "(2, 3)")),
    (lambda: F.grid_sample(nn.ones(1, 1, 0, 2), nn.ones(1, 1, 1, 2)), nn.ShapeError, ("grid_sample", "pixels")),
    (lambda: F.grid_sample(nn.ones(1, 1, 2, 2), nn.ones(2, 1, 1, 2)), nn.ShapeError, ("grid_sample", "(2, 1, 1, 2)")),
    (lambda: F.grid_sample(nn.ones(1, 1, 2, 2), nn.ones(1, 1, 1, 2), "cubic"), nn.RangeError,
     ("grid_sample", "bicubic", "'cubic'")),
    (lambda: F.grid_sample(nn.ones(1, 1, 2, 2), nn.ones(1, 1, 1, 2), "nearest", "wrap"), nn.RangeError,
     ("grid_sample", "reflection", "'wrap'")),
    (lambda: F.grid_sample(nn.ones(1, 1, 2, 2), nn.ones(1, 1, 1, 2).double()), nn.DTypeError,
     ("grid_sample", "float32", "float64")),
    (lambda: F.affine_grid(nn.ones(1, 3, 3), (1, 1, 2, 2)), nn.ShapeError, ("affine_grid", "(N, 2, 3)", "(1, 3, 3)")),
    (lambda: F.affine_grid(nn.ones(1, 2, 3), (1, 1, 0, 2)), nn.ShapeError, ("affine_grid", "(1, 1, 0, 2)")),
    (lambda: F.affine_grid(nn.ones(1, 2, 3), (1, 1, 2**30, 2**30)), nn.ShapeError, ("affine_grid", "memory"))])
def test_errors(call, error, words):
    refused(call, error, words)
