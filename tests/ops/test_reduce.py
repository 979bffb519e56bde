"""Reductions beyond the laws: hand-worked numbers, accuracy, ties, empty and infinite input,
PyTorch as second opinion.
"""

import math

import numpy as np
import pytest
from second_opinion import close, compare

import fastnn as nn
from fastnn.config import isas

F = nn.functional
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])


def gradient(function, x):
    t = nn.tensor(np.asarray(x, np.float64), requires_grad=True)
    y = function(t)
    y.backward(np.ones(y.shape))
    return t.grad.tolist()


# ---- numbers worked by hand ----------------------------------------------------------------------
@both_backends
def test_by_hand(backend):
    x = nn.tensor([[1.0, 2.0, 3.0], [4.0, 6.0, 8.0]])
    with nn.use_backend(backend):
        assert x.sum().item() == 24 and x.sum(0).tolist() == [5, 8, 11]
        assert x.sum((0, 1), keepdim=True).tolist() == [[24]]
        assert x.mean(1).tolist() == [2, 6] and x.mean(-2, keepdim=True).tolist() == [[2.5, 4, 5.5]]
        assert x.var(1).tolist() == [1, 4] and x.std(1).tolist() == [1, 2]
        assert x.var(0, correction=0).tolist() == x.var(0, unbiased=False).tolist() == [2.25, 4, 6.25]
        assert [t.tolist() for t in F.var_mean(x, 1)] == [[1, 4], [2, 6]]
        assert [t.tolist() for t in F.std_mean(x, 1)] == [[1, 2], [2, 6]]
        assert x.prod(1).tolist() == [6, 192] and x.cumsum(1).tolist() == [[1, 3, 6], [4, 10, 18]]
        assert nn.tensor([[3.0, -4.0]]).norm(dim=1).tolist() == [5] and nn.tensor([3.0, -4.0]).norm(1).item() == 7
        assert nn.tensor([3.0, -4.0]).norm(math.inf).item() == 4 and nn.tensor([3.0, -4.0]).norm(-math.inf).item() == 3
        assert nn.tensor([1.0, 2.0, 2.0]).norm("fro").item() == 3
        assert F.logsumexp(nn.tensor([math.log(1.0), math.log(3.0)]), 0).item() == pytest.approx(math.log(4))
        assert x.amax().item() == 8 and x.amin((0, 1)).item() == 1 and x.amax(0).tolist() == [4, 6, 8]
        values, indices = x.min(1)
        assert values.tolist() == [1, 4] and indices.tolist() == [0, 0] and x.max(1).indices.tolist() == [2, 2]
        assert x.argmax().item() == 5 and x.argmin(0, keepdim=True).tolist() == [[0, 0, 0]]

        assert gradient(lambda t: t.mean(), [1.0, 2, 3, 4]) == [0.25] * 4
        # 2 (x - 2) / 2
        assert gradient(lambda t: t.var(), [1.0, 2, 3]) == [-1, 0, 1]
        # (x - 3) / (2 * 2)
        assert gradient(lambda t: t.std(), [1.0, 3, 5]) == pytest.approx([-0.5, 0, 0.5])
        assert gradient(lambda t: t.norm(), [3.0, -4]) == pytest.approx([0.6, -0.8])
        assert gradient(lambda t: t.norm(1), [3.0, -4, 0]) == [1, -1, 0]
        assert gradient(lambda t: t.prod(), [2.0, 3, 5]) == [15, 10, 6]
        assert gradient(lambda t: t.prod(), [2.0, 0, 5]) == [0, 10, 0]
        assert gradient(lambda t: t.prod(), [0.0, 0, 5]) == [0, 0, 0]
        assert gradient(lambda t: t.cumsum(0), [7.0, 8, 9]) == [3, 2, 1]
        assert gradient(lambda t: t.logsumexp(0), [0.0, math.log(3)]) == pytest.approx([0.25, 0.75])


@both_backends
def test_equals(backend):
    """max along an axis picks the first; amax, and max over all, share."""
    x = [[2.0, 7, 7, 1], [5, 5, 5, 5]]
    with nn.use_backend(backend):
        assert nn.tensor(x).max(1).indices.tolist() == [1, 0] and nn.tensor(x).min(1).indices.tolist() == [3, 0]
        assert nn.tensor(x).argmax(1).tolist() == [1, 0] and nn.tensor(x).argmax().item() == 1
        assert nn.tensor(x).argmin(0).tolist() == [0, 1, 1, 0]
        assert gradient(lambda t: t.max(1).values, x) == [[0, 1, 0, 0], [1, 0, 0, 0]]
        assert gradient(lambda t: t.amax(1), x) == [[0, 0.5, 0.5, 0], [0.25] * 4]
        assert gradient(lambda t: t.max(), x) == [[0, 0.5, 0.5, 0], [0] * 4]
        assert gradient(lambda t: t.amin((0, 1)), x) == [[0, 0, 0, 1], [0] * 4]


@both_types
@both_backends
@pytest.mark.parametrize("shape", [(7,), (5, 1000), (1000, 5), (40, 3, 30)])
def test_nan_is_the_extreme(torch, shape, backend, dtype):
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    x.reshape(-1)[[2, 5, x.size // 2]] = np.nan
    t, u = nn.tensor(x), torch.tensor(x)
    with nn.use_backend(backend):
        assert np.isnan(t.max().item()) and np.isnan(t.amin().item())
        for dim in range(len(shape)):
            for name in ("max", "min"):
                for ours, theirs in zip(getattr(t, name)(dim), getattr(u, name)(dim)):
                    close(ours, theirs, name, roundings=0)
            for name in ("amax", "argmin"):
                close(getattr(t, name)(dim), getattr(u, name)(dim), name, roundings=0)


# ---- PyTorch -------------------------------------------------------------------------------------
NAMES = ["sum", "mean", "var", "std", "norm", "norm 1", "norm inf", "norm 3", "logsumexp", "amax", "amin"]
DIMS = [None, 0, 1, 2, -1, (0, 1), (1, 2), (0, 2), (0, 1, 2), (-1, 0)]


@both_types
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", DIMS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_pytorch_agrees(torch, name, dim, keepdim, dtype):
    x = np.random.default_rng(0).standard_normal((4, 6, 5))
    function, p = [*name.split(), "2"][:2]
    all_of = tuple(range(3)) if dim is None else dim
    if function == "norm":
        compare(lambda t: t.norm(float(p), dim, keepdim),
                lambda t: torch.linalg.vector_norm(t, float(p), all_of, keepdim), [x], dtype, each=True)
    else:
        compare(lambda t: getattr(t, function)(dim=dim, keepdim=keepdim),
                lambda t: getattr(t, function)(dim=all_of, keepdim=keepdim), [x], dtype, each=True)


@both_types
@pytest.mark.parametrize("dim", [0, 1, 2, -1, None])
@pytest.mark.parametrize("name", ["max", "min", "prod", "cumsum"])
def test_pytorch_agrees_along_one_axis(torch, name, dim, dtype):
    if name == "cumsum" and dim is None:
        dim = 0
    x = np.random.default_rng(0).standard_normal((4, 6, 5))
    along = [] if dim is None else [dim]
    compare(lambda t: getattr(t, name)(*along), lambda t: getattr(t, name)(*along), [x], dtype, each=True)


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, np.bool_])
def test_integers(torch, dtype):
    x = np.array([[3, 1, 2], [0, 5, 5]]).astype(dtype)
    t, u = nn.tensor(x), torch.tensor(x)
    for name, dims in {"sum": (None, 0, 1), "prod": (None, 0, 1), "amax": (0, 1, (0, 1)), "any": (None, 0),
                       "all": (None, 1), "argmax": (1,)}.items():
        if name == "argmax" and dtype is np.bool_:
            continue                                              # PyTorch has none for booleans
        for dim in dims:
            ours, theirs = (getattr(v, name)(*([] if dim is None else [dim])) for v in (t, u))
            if name in ("any", "all"):
                theirs = theirs.bool()          # uint8 stays uint8 there, for historical reasons
            close(ours, theirs, f"{name} {dim}")
    values, indices = t.max(1)
    assert values.dtype == dtype and values.tolist() == x.max(1).tolist() and indices.tolist() == x.argmax(1).tolist()
    with pytest.raises(nn.DTypeError, match="mean"):
        t.mean()


@pytest.fixture
def kernels():
    """For what is promised of the kernels and not of the definitions."""
    if nn.kernels.compiled is None:
        pytest.skip("there are no compiled kernels here")
    with nn.use_backend("kernels"):
        yield


# ---- accuracy ------------------------------------------------------------------------------------
@pytest.mark.parametrize("shape, dim", [((1_000_003,), 0), ((1_000_003, 1), 0), ((300_001, 3), 0), ((3, 300_001), 1),
                                        ((1201, 700), 0), ((2, 9000, 40), 1)])
def test_sums_are_accurate(shape, dim, kernels):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 1.5, shape) * rng.choice([1.0, 1e4], shape)
    exact = np.apply_along_axis(math.fsum, dim, x)
    # two units of float64
    np.testing.assert_allclose(nn.tensor(x).sum(dim).data, exact, rtol=4e-16)
    single = x.astype(np.float32)
    exact = np.apply_along_axis(math.fsum, dim, single.astype(float))
    # one rounding
    np.testing.assert_allclose(nn.tensor(single).sum(dim).data, exact, rtol=2.0**-24 * 1.01)
    np.testing.assert_allclose(nn.tensor(single).mean(dim).data, exact / shape[dim], rtol=2.0**-24 * 1.01)


def test_variance_of_numbers_with_a_large_mean(kernels):
    x = np.random.default_rng(0).standard_normal((4, 5000)) + 1e4
    want = x.astype(np.float32).astype(float).var(1, ddof=1)
    np.testing.assert_allclose(nn.tensor(x.astype(np.float32)).var(1).data, want, rtol=1e-5)
    np.testing.assert_allclose(nn.tensor(np.full(1000, 0.1, np.float32)).std().data, 0, atol=1e-8)


SPREADS = [((1000,), (0,)), ((3, 5003), (1,)), ((5003, 3), (0,)), ((40, 30, 50), (0, 2)), ((7, 6), (0, 1)),
           ((20_011, 2), (0,)), ((2, 3, 1031), (1,)), ((2, 2), (1,))]


def exact_spread(x, dim):
    """(x - mean, its mean square with n - 1): in long double, the mean taken out twice."""
    wide = x.astype(np.longdouble)
    d = wide - wide.mean(dim, keepdims=True)
    d -= d.mean(dim, keepdims=True)
    return d, (d * d).sum(dim, keepdims=True) / (math.prod([x.shape[a] for a in dim]) - 1)


@both_types
@both_backends
@pytest.mark.parametrize("shape, dim", SPREADS, ids=str)
def test_a_large_mean_costs_a_variance_no_digits(shape, dim, backend, dtype):
    """What is rounded is some numbers of the size of the deviations: 16 units, however large the
    mean is; in NumPy, whose sums of columns go from row to row, more by the root of their number.
    A gradient has the rounding of a float64 mean.
    """
    unit, rng = np.finfo(dtype).eps / 2, np.random.default_rng(0)
    if backend == "reference":
        unit *= math.prod([shape[a] for a in dim]) ** 0.5
    if dtype is np.float64 and np.finfo(np.longdouble).eps == np.finfo(dtype).eps:
        pytest.skip("long double is no wider here")
    for mean in (0, 1e3, 1e5, 3e6) if dtype is np.float32 else (0, 1e3, 1e8, 1e14):
        x = (mean + rng.standard_normal(shape)).astype(dtype)
        d, want = exact_spread(x, dim)
        dy = rng.standard_normal(want.shape).astype(dtype)
        slope = 2 * dy * d / (math.prod([x.shape[a] for a in dim]) - 1)
        with nn.use_backend(backend):
            t = nn.tensor(x, requires_grad=True)
            np.testing.assert_allclose(t.std(dim, keepdim=True).data, np.sqrt(want), rtol=16 * unit)
            y = t.var(dim, keepdim=True)
            np.testing.assert_allclose(y.data, want, rtol=16 * unit)
            y.backward(dy)
            allowed = 16 * unit * (1 if dtype is np.float32 and backend == "kernels" else 1 + mean)
            np.testing.assert_allclose(t.grad.data, slope, rtol=0, atol=float(allowed * np.abs(slope).max()))


@both_types
@both_backends
@pytest.mark.parametrize("n", [2, 1000, 5003])
def test_a_large_mean_costs_a_covariance_no_digits(n, backend, dtype):
    """As a variance, plain and weighted; each in units of both deviations."""
    if dtype is np.float64 and np.finfo(np.longdouble).eps == np.finfo(dtype).eps:
        pytest.skip("long double is no wider here")
    unit, rng = np.finfo(dtype).eps / 2, np.random.default_rng(0)
    weights = rng.integers(1, 4, n)
    for mean in (0, 1e3, 1e5, 3e6) if dtype is np.float32 else (0, 1e3, 1e8, 1e14):
        x = (mean + rng.standard_normal((3, n))).astype(dtype)
        for w in (None, weights):
            d, _ = exact_spread(np.repeat(x, 1 if w is None else w, 1), (1,))
            want = np.asarray(d @ d.T / (d.shape[1] - 1), np.longdouble)
            size = np.sqrt(np.multiply.outer(np.diag(want), np.diag(want)))
            with nn.use_backend(backend):
                got = F.cov(nn.tensor(x), fweights=None if w is None else nn.tensor(w)).data
                assert np.all(np.abs(got - want) <= 16 * unit * n**0.5 * size), (mean, w)
                if w is None:
                    assert np.all(np.abs(F.corrcoef(nn.tensor(x)).data - want / size) <= 16 * unit * n**0.5), mean


@both_backends
@pytest.mark.parametrize("shape, dim", SPREADS, ids=str)
def test_squares_beyond_the_range_of_double(shape, dim, backend):
    """A norm or a deviation is finite where it can be, and not 0 where it is not."""
    direction = np.random.default_rng(0).uniform(-1, 1, shape)
    _, variance = exact_spread(direction, dim)
    norm = np.sqrt((direction**2).sum(dim, keepdims=True))
    for dtype, size in ((np.float32, 1e30), (np.float32, 1e36), (np.float64, 1e300), (np.float64, 1e305),
                        (np.float64, 1e-170), (np.float64, 1e-290)):
        with nn.use_backend(backend):
            x = nn.tensor((size * direction).astype(dtype), requires_grad=True)
            np.testing.assert_allclose(x.std(dim, keepdim=True).data / size, np.sqrt(variance), rtol=1e-5)
            y = x.norm(2, dim, keepdim=True)
            np.testing.assert_allclose(y.data / size, norm, rtol=1e-5)
            y.backward(np.ones_like(y.data))
            np.testing.assert_allclose(x.grad.data, direction / norm, rtol=1e-5, atol=1e-9)


@both_types
@both_backends
@pytest.mark.parametrize("name, row", [("std", 2.0581927), ("var", 2.0581927), ("std", 0.0), ("norm", 0.0)])
def test_a_slope_of_zero_times_any_gradient(name, row, backend, dtype):
    """Equal numbers do not spread: a large gradient does not overflow on the way, and infinity and
    NaN times 0 are NaN.
    """
    for dy in (1.0, -np.finfo(dtype).max, np.inf, np.nan):
        x = nn.tensor(np.full(4, row, dtype), requires_grad=True)
        with nn.use_backend(backend), np.errstate(all="ignore"):
            getattr(x, name)().backward(np.array(dy, dtype))
        assert np.array_equal(x.grad.data, np.full(4, 0 * dy), equal_nan=True), (dy, x.grad)


@both_types
def test_long_sums_do_not_overflow_early(dtype, kernels):
    big = np.full(10_000, np.finfo(dtype).max / 10_001, dtype)
    assert np.isfinite(nn.tensor(big).sum().item()) and np.isfinite(nn.tensor(big).mean().item())
    # squares of 1e30 are beyond float32, but not beyond double
    if dtype is np.float32:
        np.testing.assert_allclose(nn.tensor(np.full(4, 1e30, dtype)).norm().item(), 2e30, rtol=1e-6)


def test_threads_do_not_change_bits():
    for shape, dim in (((1_500_000,), 0), ((700_001, 3), 0), ((40, 50_000), 1)):
        x = nn.tensor(np.random.default_rng(0).standard_normal(shape).astype(np.float32))
        seen = set()
        for n in (1, 2, 3):
            with nn.threads(n):
                seen.add((x.sum(dim).data.tobytes(), x.var(dim).data.tobytes(), x.logsumexp(dim).data.tobytes(),
                          x.amax(dim).data.tobytes()))
        assert len(seen) == 1


# ---- nothing, infinity, no dimensions ------------------------------------------------------------
@both_backends
def test_nothing(backend):
    x = nn.ones(2, 0, 3)
    with nn.use_backend(backend), np.errstate(all="ignore"):
        assert x.sum(1).tolist() == [[0] * 3] * 2 and x.prod(1).tolist() == [[1] * 3] * 2 and x.sum().item() == 0
        assert np.isnan(x.mean(1).data).all() and x.sum(0).shape == (0, 3) and x.cumsum(1).shape == (2, 0, 3)
        assert np.isnan(nn.ones(1).var().item()) and nn.ones(1).var(correction=0).item() == 0
        for call in (lambda: x.max(1), lambda: x.amax(), lambda: x.argmin(1), lambda: nn.zeros(0, dtype=np.int64).max(),
                     lambda: x.argmax()):
            with pytest.raises(nn.ShapeError, match="extreme"):
                call()
        assert x.max(2).values.shape == (2, 0)


@both_backends
def test_no_dimensions(backend):
    x = nn.tensor(np.array(3.0), requires_grad=True)
    with nn.use_backend(backend):
        for y in (x.sum(), x.mean(), x.sum(0), x.mean(-1), x.amax(), x.max(), x.prod(), x.norm(), x.logsumexp(0),
                  x.max(0).values, x.cumsum(0)):
            assert y.shape == () and y.item() == pytest.approx(3)
            assert nn.grad(y, x)[0].tolist() == pytest.approx(1)
        assert x.argmax().item() == 0 and x.max(0).indices.item() == 0
        with pytest.raises(nn.RangeError, match="-1 <= dim < 1"):
            x.sum(1)


@both_types
@both_backends
def test_logsumexp_of_infinities(backend, dtype):
    inf = np.inf
    x = nn.tensor(np.array([[-inf, -inf], [inf, 1], [-inf, 2], [1e4, 1e4]], dtype), requires_grad=True)
    with nn.use_backend(backend):
        y = x.logsumexp(1)
        np.testing.assert_allclose(y.data, np.array([-inf, inf, 2, 1e4 + math.log(2)], dtype), rtol=1e-6)
        y[2:].sum().backward()
        np.testing.assert_allclose(x.grad.data[2:], [[0, 1], [0.5, 0.5]], rtol=1e-3 if dtype is np.float32 else 1e-11)


@both_backends
def test_slope_of_a_norm_at_zero(backend):
    with nn.use_backend(backend):
        assert gradient(lambda t: t.norm(dim=1), [[0.0, 0.0], [3.0, 4.0]]) == [[0, 0], pytest.approx([0.6, 0.8])]
        assert gradient(lambda t: t.std(1), [[2.0, 2.0], [1.0, 3.0]])[0] == [0, 0]
        assert gradient(lambda t: t.norm(1), [0.0, -1.0]) == [0, -1]


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.ones(2, 3).sum((0, 0)), nn.RangeError, ("sum", "twice")),
    (lambda: nn.ones(2, 3).sum((0, -2)), nn.RangeError, ("sum", "twice")),
    (lambda: nn.ones(2, 3).mean("rows"), nn.DTypeError, ("mean", "dim as an int", "rows")),
    (lambda: nn.ones(2, 3).max(-3), nn.RangeError, ("max", "-3", "-2 <= dim < 2")),
    (lambda: nn.ones(2, 3).norm(p="nuc"), nn.RangeError, ("norm", "'nuc'", "fro")),
    (lambda: nn.ones(2, 3).std(1.0), nn.DTypeError, ("std", "1.0"))])
def test_errors(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words)


# ---- ends of the range ---------------------------------------------------------------------------
@both_backends
@both_types
def test_a_constant_has_no_variance(dtype, backend):
    x = np.full((3, 1001), 16777.217, dtype)
    with nn.use_backend(backend):
        assert F.var(nn.tensor(x), 1).data.max() <= (1e-3 * float(np.finfo(dtype).eps) * 16777)**2
        assert F.std(nn.tensor(x), 1).data.max() <= 1e-3 * float(np.finfo(dtype).eps) * 16777


@both_backends
@both_types
def test_slopes_at_infinity(dtype, backend):
    """One infinity has all the weight; of two nobody knows which is larger."""
    inf, nan = np.inf, np.nan
    rows = np.array([[inf, 0, 1], [0, -inf, 1], [-inf] * 3, [inf, inf, 0]], dtype)
    cases = [
        (lambda x: F.logsumexp(x, 1), [[1, 0, 0], None, [0, 0, 0], [nan] * 3]),
        (lambda x: F.norm(x, dim=1), [[1, 0, 0], [0, -1, 0], [nan] * 3, [nan] * 3]),
        (lambda x: F.norm(x, 1, dim=1), [[1, 0, 1], [0, -1, 1], [-1] * 3, [1, 1, 0]]),
        (lambda x: F.prod(x + 2, 1), [[6, inf, inf], [-inf, 6, -inf], [inf] * 3, [inf] * 3])]
    for function, slopes in cases:
        x = nn.tensor(rows, requires_grad=True)
        with nn.use_backend(backend), np.errstate(all="ignore"):
            function(x).backward(np.ones(4))
        for got, want in zip(x.grad.tolist(), slopes):
            if want is not None:
                np.testing.assert_array_equal(got, want)


@both_backends
def test_the_slope_of_a_product_that_leaves_the_range(backend):
    x = nn.tensor(np.array([1e200, 1e-300, 1e200, -1e200]), requires_grad=True)
    z = nn.tensor(np.array([[1e-200, 2], [1e-200, 3], [1e200, 4]]), requires_grad=True)
    with nn.use_backend(backend), np.errstate(all="ignore"):
        F.prod(x).backward()
        F.prod(z, 0).backward(np.ones(2))
    np.testing.assert_allclose(x.grad.data[[0, 2, 3]], [-1e100, -1e100, 1e100], rtol=1e-12)
    np.testing.assert_allclose(z.grad.data, [[1, 12], [1, 8], [0, 6]], rtol=1e-12, atol=1e-300)


@both_backends
@both_types
def test_logsumexp_of_nothing(dtype, backend):
    """ln 0, for any shape around it; nothing is read."""
    with nn.use_backend(backend):
        for shape, dim in (((0,), 0), ((0, 5), 0), ((3, 0), 1), ((2, 0, 7), 1), ((0, 100_003), 0), ((0, 0), 1)):
            x = nn.tensor(np.zeros(shape, dtype), requires_grad=True)
            y = F.logsumexp(x, dim)
            assert (y.data == -np.inf).all() and y.data.size == np.prod(np.delete(shape, dim))
            y.backward(np.ones(y.shape))
            assert x.grad.shape == shape


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_number_is_its_own_extreme_along_its_only_dimension(backend):
    with nn.use_backend(backend):
        x = nn.tensor(3.0, requires_grad=True)
        assert F.argmax(x, 0).item() == F.argmin(x, -1).item() == 0
        values, indices = F.max(x, 0)
        assert values.item() == 3.0 and indices.item() == 0
        values.backward()
        assert x.grad.item() == 1.0


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value")
def test_the_correction_is_a_number(backend):
    x = nn.tensor([1.0, 2.0, 4.0])
    with nn.use_backend(backend):
        for correction in (np.uint8(255), np.int64(1), np.float32(0.5), True):
            assert F.var(x, correction=correction).item() == F.var(x, correction=float(correction)).item()
        for wrong in (x, "1", [1]):
            with pytest.raises(nn.DTypeError, match="correction, a number"):
                F.std(x, correction=wrong)
        assert np.isnan(F.var(nn.zeros(0), correction=-1).item())


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_zero_behind_a_product_beyond_the_range(backend):
    """In float32 the first 20 factors alone are 2^160, and infinity times 0 would be NaN."""
    x = nn.tensor([256.0] * 20 + [0.0], requires_grad=True)
    with nn.use_backend(backend):
        y = x.prod()
        y.backward()
    assert y.item() == 0
    assert x.grad[:20].tolist() == [0] * 20 and math.isinf(x.grad[20].item())


@pytest.mark.parametrize("name", ["var", "std", "sum", "prod", "amax"])
def test_an_op_refuses_axes_that_there_are_not(name):
    """The functions look first; who calls the op itself must not write beside its shape."""
    more = {"correction": 1} if name in ("var", "std") else {}
    for dim in ([1, 2], [-1], [10**6]):
        with pytest.raises((nn.FastnnError, ValueError, IndexError)):
            nn.autograd.apply(nn.op.OPS[name], nn.ones(2, 3), dim=dim, keepdim=False, **more)


@pytest.mark.parametrize("p", [0.5, 1.5, 3, 4, 100, -1, -3])
@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_a_norm_of_any_power_neither_overflows_nor_vanishes(p, scale):
    x = nn.tensor([3.0 * scale, -4.0 * scale, 5.0 * scale], requires_grad=True)
    y = x.norm(p)
    y.backward()
    part = np.array([3.0, 4.0, 5.0])
    wanted = (part**p).sum() ** (1 / p)
    np.testing.assert_allclose(y.item(), wanted * scale, rtol=1e-5)
    np.testing.assert_allclose(x.grad.data, np.array([1, -1, 1]) * (part / wanted)**(p - 1), rtol=1e-4)


LARGE = {np.float32: 3e38, np.float64: 1.5e308}


@both_types
@pytest.mark.parametrize("isa", [*isas(), "reference"])
@pytest.mark.parametrize("function", [
    lambda t: t.norm(2, 0), lambda t: t.norm(3, 0), lambda t: t.norm(1.5, 0), lambda t: t.norm(0.5, 0),
    lambda t: t.norm(-2, 0), lambda t: t.std(0), lambda t: t.std(0, correction=0),
], ids=["2", "3", "1.5", "0.5", "-2", "std", "std of all"])
def test_slopes_where_the_result_overflows(function, isa, dtype):
    """x / |x| and its like do not depend on x's size: where |x| is infinite, huge or tiny they are
    what they are near 1, and small gradients from above do not vanish on the way.
    """
    columns = np.array([[1.0, 0.9, 0.2, 0.5], [-0.8, 0.2, 0.9, -0.25], [0.9, 0.1, -0.3, 0.75], [-1.0, 0.3, 0.7, 0.6]])
    sizes = np.array([LARGE[dtype], LARGE[dtype] / 8, 1, 1e-30])
    for dy in (1.0, 1e-6):
        with nn.use_backend("reference") if isa == "reference" else nn.use_isa(isa):
            x = nn.tensor((columns * sizes).astype(dtype), requires_grad=True)
            y = function(x)
            y.backward(np.full(4, dy, dtype))
        same = nn.tensor(columns, requires_grad=True)
        function(same).backward(np.full(4, dy))
        assert np.isinf(y.data[0]) or y.data[0] >= LARGE[dtype] / 8
        np.testing.assert_allclose(x.grad.data, same.grad.data, rtol=1e-5, atol=dy * 1e-7)


@pytest.mark.parametrize("p", [3, 1.5, 0.5, -1, -2])
def test_a_norm_of_zeros_is_0_and_has_slope_0(p):
    x = nn.tensor([[0.0, -0.0], [0.0, 2.0]], requires_grad=True)
    y = x.norm(p, 1)
    y.backward([1.0, 1.0])
    last = 2.0 if p > 0 else 0.0
    assert y.tolist() == [0, last] and x.grad.tolist() == [[0, 0], [0, last / 2]]


@both_types
@both_backends
def test_a_slope_of_the_variance_does_not_overflow_on_the_way(dtype, backend):
    large = LARGE[dtype]
    x = nn.tensor(np.array([large, -large, 0, 0, 0], dtype), requires_grad=True)
    with nn.use_backend(backend):
        x.var().backward()
    np.testing.assert_allclose(x.grad.data / dtype(large), [0.5, -0.5, 0, 0, 0], rtol=1e-6)


@both_backends
def test_a_running_product_may_come_back(torch, backend):
    """1e30, 1e60, 1e30: the middle one alone is beyond float32, as of `prod` and PyTorch."""
    a = np.array([1e30, 1e30, 1e-30], np.float32)
    x, t = nn.tensor(a, requires_grad=True), torch.tensor(a)
    with nn.use_backend(backend):
        y = x.cumprod(0)
        y[2].backward()
    np.testing.assert_array_equal(y.data, torch.cumprod(t, 0).numpy())
    assert y[2].item() == x.prod().item() == np.float32(1e30)
    np.testing.assert_allclose(x.grad.data, [1, 1, np.inf], rtol=1e-6)      # the others' product


def test_running_products_by_hand():
    """y = x1, x1 x2, x1 x2 x3 of 2, 0, 5: where dy is 1, dx1 = 1 + x2 + x2 x3 = 1,
    dx2 = x1 + x1 x3 = 12 and dx3 = x1 x2 = 0.
    """
    x = nn.tensor([2.0, 0.0, 5.0], requires_grad=True)
    y = x.cumprod(0)
    y.sum().backward()
    assert y.tolist() == [2, 0, 0] and x.grad.tolist() == [1, 12, 0]
