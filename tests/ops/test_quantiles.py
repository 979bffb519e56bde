"""Medians, quantiles, ranks, modes, histograms and covariances."""

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
M, A = R.standard_normal((5, 4)), R.standard_normal((3, 5, 2))
HOLES = np.where(R.random((5, 4)) < 0.3, np.nan, M)


# ---- by hand -------------------------------------------------------------------------------------
def test_by_hand():
    x = nn.tensor([7.0, 1.0, 3.0, 5.0])                 # in order 1 3 5 7
    assert x.median().item() == 3                       # the lower of the two in the middle
    assert x.quantile(0.25).item() == 1 + 0.75 * 2      # rank 0.25 * 3 = 0.75, between 1 and 3
    assert x.quantile(0.25, interpolation="nearest").item() == 3
    assert x.kthvalue(4).values.item() == 7 and x.kthvalue(4).indices.item() == 0
    values, places = nn.tensor([[2, 9, 2], [4, 3, 5]]).mode()
    assert values.tolist() == [2, 3] and places.tolist() == [2, 1]
    # means 1 and 2; (-1, 0, 1) and (-2, 0, 2): sums of products 2, 4, 8 over 3 - 1
    assert nn.tensor([[0.0, 1.0, 2.0], [0.0, 2.0, 4.0]]).cov().tolist() == [[1, 2], [2, 4]]


@pytest.mark.parametrize("size", [1e-42, 1e-30, 1e-20, 1e20, 1e30])
def test_correlations_of_rows_of_any_size(size):
    before = nn.config.flushes_denormal()
    nn.set_flush_denormal(False)
    try:
        x, dy = np.random.default_rng(2).standard_normal((3, 9)), np.random.default_rng(3).standard_normal((3, 3))
        rows = [x.astype(np.float32), (x * np.array([[1], [size], [1 / size if size > 1e-40 else 1]])).astype("f4")]
        t = [nn.tensor(row, requires_grad=True) for row in rows]
        y = [F.corrcoef(row) for row in t]
        for each in y:
            each.backward(dy.astype(np.float32))
        # a denormal has few digits
        close = 1e-5 if size > 1e-40 else 0.02
        np.testing.assert_allclose(y[1].data, y[0].data, rtol=0, atol=close)
        np.testing.assert_allclose(t[1].grad.data[0], t[0].grad.data[0], rtol=0, atol=close)
        if size > 1e-40:
            np.testing.assert_allclose(t[1].grad.data[1] * size, t[0].grad.data[1], rtol=0, atol=close)
    finally:
        nn.set_flush_denormal(before)


def test_equals_share_the_gradient_of_the_median():
    x = nn.tensor([2.0, 1.0, 2.0, 5.0, 2.0], requires_grad=True)
    x.median().backward()
    assert np.allclose(x.grad.data, [1 / 3, 0, 1 / 3, 0, 1 / 3], rtol=1e-6)


# ---- PyTorch -------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["median", "nanmedian"])
@pytest.mark.parametrize("x", [M, A, HOLES, np.full(3, np.nan), np.array(2.0)], ids=range(5))
def test_medians(torch, name, x):
    compare(getattr(F, name), getattr(torch, name), [x], roundings=0)
    for dim in range(x.ndim):
        for keepdim in (False, True):
            compare(getattr(F, name), getattr(torch, name), [x], dim=dim, keepdim=keepdim, roundings=0)


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
@pytest.mark.parametrize("how", ["linear", "lower", "higher", "midpoint", "nearest"])
def test_quantiles(torch, name, how):
    for x in (M, A, HOLES, np.array(2.0)):
        for q in (0.0, 0.3, 1.0, np.array([0.5, 0.125, 0.99])):
            for attrs in ({}, {"dim": -1}, {"dim": 0, "keepdim": True}):
                qs = (q, torch.tensor(q)) if isinstance(q, np.ndarray) else (q, q)
                compare(lambda t, qs=qs, **kw: getattr(F, name)(t, nn.tensor(qs[0]) if np.ndim(qs[0]) else qs[0], **kw),
                        lambda t, qs=qs, **kw: getattr(torch, name)(t, qs[1], **kw), [x], interpolation=how,
                        differentiable=() if x is HOLES else None, **attrs)
    q = np.array([0.2, 0.7])
    if how == "linear":
        compare(F.quantile, torch.quantile, [M, q], dim=0)


def test_ranks_and_modes(torch):
    for k in (1, 3, 4):
        compare(F.kthvalue, torch.kthvalue, [M], k=k, roundings=0)
        close(F.kthvalue(nn.tensor(HOLES), k).values, torch.kthvalue(torch.tensor(HOLES), k).values)
    compare(F.kthvalue, torch.kthvalue, [A], k=2, dim=1, keepdim=True, roundings=0)
    a = R.integers(0, 3, (4, 9))
    for dim in (0, 1):
        got, want = F.mode(nn.tensor(a), dim), torch.mode(torch.tensor(a), dim)
        close(got.values, want.values)
        close(F.gather(nn.tensor(a), dim, got.indices.unsqueeze(dim)).squeeze(dim), want.values)
    compare(F.mode, torch.mode, [M], keepdim=True, roundings=0)


def test_histograms(torch):
    x = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, -1.0, np.nan, 0.25])
    for dtype in (np.float32, np.float64):
        for attrs in ({"bins": 4, "min": 0, "max": 2}, {"bins": 3, "min": -1, "max": 7}):
            close(F.histc(nn.tensor(x.astype(dtype)), **attrs), torch.histc(torch.tensor(x.astype(dtype)), **attrs))
        for a in (M, np.ones(3), np.zeros(0)):
            close(F.histc(nn.tensor(a.astype(dtype)), 7), torch.histc(torch.tensor(a.astype(dtype)), 7))


def test_covariances(torch):
    counts, weights = np.array([1, 0, 3, 2]), np.array([0.5, 2, 0.1, 1])
    for x in (M, M[0], A[:, 0, 0]):
        n = x.shape[-1]
        for attrs in ({}, {"correction": 0}):
            compare(F.cov, torch.cov, [x], **attrs)
            compare(lambda t, f, w: F.cov(t, fweights=f, aweights=w),
                    lambda t, f, w: torch.cov(t, fweights=f, aweights=w), [x, counts[:n], weights[:n]])
            compare(lambda t, w: F.cov(t, aweights=w), lambda t, w: torch.cov(t, aweights=w), [x, weights[:n]])
        compare(F.corrcoef, torch.corrcoef, [x])
    close(F.cov(nn.tensor(np.arange(6).reshape(2, 3))), torch.cov(torch.arange(6).reshape(2, 3)))


# ---- errors --------------------------------------------------------------------------------------
T2, I2, NONE = nn.ones(2, 3), nn.tensor([[1, 2]]), nn.zeros(0, 3)


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.median(T2, 2), nn.RangeError, ("median", "dimension 2")),
    (lambda: F.nanmedian(NONE, 0), nn.ShapeError, ("nanmedian", "above 0 along dimension 0", "(0, 3)")),
    (lambda: F.kthvalue(T2, 4), nn.RangeError, ("kthvalue", "1 to 3", "4")),
    (lambda: F.kthvalue(T2, 0), nn.RangeError, ("kthvalue", "1 to 3", "0")),
    (lambda: F.mode(NONE, 0), nn.ShapeError, ("mode", "above 0")),
    (lambda: F.quantile(T2, 1.5), nn.RangeError, ("quantile", "0 <= q <= 1", "1.5")),
    (lambda: F.quantile(T2, nn.tensor([0.5], dtype="float64")), nn.DTypeError, ("quantile", "float32", "float64")),
    (lambda: F.quantile(T2, 0.5, interpolation="cubic"), nn.RangeError, ("quantile", "midpoint", "'cubic'")),
    (lambda: F.nanquantile(NONE, 0.5), nn.ShapeError, ("nanquantile", "(0, 3)")),
    (lambda: F.quantile(I2, 0.5), nn.DTypeError, ("quantile", "int64")),
    (lambda: F.histc(T2, 0), nn.ShapeError, ("histc", "bins >= 1", "0")),
    (lambda: F.histc(T2, 3, 2, 1), nn.RangeError, ("histc", "min <= max", "2.0 to 1.0")),
    (lambda: F.histc(T2 / 0, 3), nn.RangeError, ("histc", "finite", "inf")),
    (lambda: F.histc(I2), nn.DTypeError, ("histc", "int64")),
    (lambda: F.cov(nn.ones(2, 3, 4)), nn.ShapeError, ("cov", "two dimensions", "(2, 3, 4)")),
    (lambda: F.cov(T2 > 0), nn.DTypeError, ("cov", "booleans")),
    (lambda: F.cov(T2, aweights=nn.ones(2)), nn.ShapeError, ("cov", "aweights", "(3,)", "(2,)")),
    (lambda: F.cov(T2, fweights=nn.tensor([1, 2, -1])), nn.RangeError, ("cov", "fweights >= 0", "-1")),
    (lambda: F.cov(T2, fweights=nn.ones(3)), nn.DTypeError, ("cov", "fweights", "float32")),
    (lambda: F.cov(T2, aweights=nn.zeros(3)), nn.ShapeError, ("cov", "not all 0"))])
def test_errors(call, error, words):
    refused(call, error, words)
