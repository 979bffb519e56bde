"""Running extremes, differences, searches, and what leaves NaN out: PyTorch as a second opinion."""

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional
X = np.random.default_rng(0).integers(-5, 6, (3, 7)) / 2
HOLES = np.where(X > 1, np.nan, X)


@pytest.mark.parametrize("name, arrays, attrs", [
    ("cummax", [X], {"dim": 1}), ("cummin", [X], {"dim": 0}), ("diff", [X], {}), ("diff", [X], {"n": 2, "dim": 0}),
    ("diff", [X], {"n": 9}), ("diff", [X], {"n": 0}),
    ("dist", [X, X[::-1].copy()], {}), ("dist", [X, X[0] + 0.3], {"p": 3.0}),
    ("aminmax", [X], {"dim": 1}), ("trace", [X], {}), ("fliplr", [X], {}), ("flipud", [X], {}),
    ("nansum", [HOLES], {}), ("nansum", [HOLES], {"dim": 1, "keepdim": True}), ("nanmean", [HOLES], {"dim": 1})])
def test_like_torch(torch, name, arrays, attrs):
    compare(getattr(F, name), getattr(torch, name), arrays, **attrs)


def test_ends_and_other_types_like_torch(torch):
    for x in (HOLES, np.array([3, 1, 3, 2]), np.array([True, False, True]), np.array(2.0), np.zeros((0, 3))):
        for name in ("cummax", "cummin"):
            found = getattr(F, name)(nn.tensor(x), 0), getattr(torch, name)(torch.tensor(x), 0)
            for got, want in zip(*found, strict=True):
                close(got, want)
    for x in (np.array([3, 1, 3]), np.array([True, False, True])):
        close(F.diff(nn.tensor(x)), torch.diff(torch.tensor(x)))
    ends = np.array([[1.0], [2.0], [3.0]])
    compare(lambda x, e: F.diff(x, prepend=e, append=e), lambda x, e: torch.diff(x, prepend=e, append=e), [X, ends])


def test_searches_like_torch(torch):
    rows, values = np.sort(X, 1), X[:, :4] + 0.25
    for a, v in ((rows, values), (rows[0], values), (rows, X)):
        for attrs in ({}, {"right": True}, {"side": "right"}, {"out_int32": True}):
            close(F.searchsorted(nn.tensor(a), nn.tensor(v), **attrs),
                  torch.searchsorted(torch.tensor(a), torch.tensor(v), **attrs))
    order = np.argsort(X, 1)
    close(F.searchsorted(nn.tensor(X), nn.tensor(values), sorter=nn.tensor(order)),
          torch.searchsorted(torch.tensor(X), torch.tensor(values), sorter=torch.tensor(order)))
    close(F.bucketize(nn.tensor(X), nn.tensor(rows[0])), torch.bucketize(torch.tensor(X), torch.tensor(rows[0])))
    for attrs in ({}, {"invert": True}):
        found = [isin(made(X), made(X[0, :2]), **attrs) for isin, made in ((F.isin, nn.tensor),
                                                                           (torch.isin, torch.tensor))]
        close(*found)


T = nn.ones(2, 3)


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.cummax(T, 2), nn.RangeError, ("cummax", "dimension 2")),
    (lambda: F.diff(nn.tensor(1.0)), nn.ShapeError, ("diff", "dimensions", "()")),
    (lambda: F.diff(T, -1), nn.ShapeError, ("diff", "n >= 0", "-1")),
    (lambda: F.trace(nn.ones(3)), nn.ShapeError, ("trace", "matrix", "(3,)")),
    (lambda: F.fliplr(nn.ones(3)), nn.ShapeError, ("fliplr", "two dimensions", "(3,)")),
    (lambda: F.nanmean(nn.tensor([1])), nn.DTypeError, ("nanmean", "int64")),
    (lambda: F.searchsorted(T, nn.ones(3, 3)), nn.ShapeError, ("searchsorted", "(2,)", "(3, 3)")),
    (lambda: F.searchsorted(T, T, side="up"), nn.RangeError, ("searchsorted", "'left'", "'up'")),
    (lambda: F.bucketize(T, T), nn.ShapeError, ("bucketize", "one dimension", "(2, 3)"))])
def test_errors(call, error, words):
    refused(call, error, words)
