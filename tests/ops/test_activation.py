"""Activations and elementary functions beyond the laws: hand-worked numbers, accuracy in ulp,
extremes, PyTorch as second opinion.
"""

import math

import numpy as np
import pytest
from second_opinion import both, close, compare

import fastnn as nn

F = nn.functional
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])
LEVELS = [name for name, (_, runs) in nn.kernels.compiled.levels().items() if runs] if nn.kernels.compiled else []
every_level = pytest.mark.parametrize("level", LEVELS)


# ---- numbers worked by hand ----------------------------------------------------------------------
def slope(function, x, dtype=np.float64):
    t = nn.tensor(np.array([x], dtype), requires_grad=True)
    function(t).backward(np.ones(1))
    return t.grad.item()


@both_backends
def test_by_hand(backend):
    half = nn.tensor([math.log(3.0)])                           # e^-x = 1/3
    with nn.use_backend(backend):
        assert F.sigmoid(half).item() == pytest.approx(3 / 4, abs=1e-7)
        assert F.tanh(half).item() == pytest.approx(4 / 5, abs=1e-7)            # (9 - 1) / (9 + 1)
        assert F.silu(half).item() == pytest.approx(3 / 4 * math.log(3), abs=1e-6)
        assert F.softplus(half).item() == pytest.approx(math.log(4), abs=1e-6)
        assert F.logsigmoid(half).item() == pytest.approx(math.log(3 / 4), abs=1e-6)
        assert F.mish(nn.tensor([0.0])).item() == 0
        assert F.elu(-half, alpha=3.0).item() == pytest.approx(-2, abs=1e-6)       # 3 (1/3 - 1)
        # Phi(1), from the tables
        assert F.gelu(nn.tensor([1.0])).item() == pytest.approx(0.8413447, abs=1e-6)
        assert F.softsign(nn.tensor([-3.0])).item() == -0.75
        assert slope(F.sigmoid, math.log(3.0)) == pytest.approx(3 / 16, abs=1e-12)
        assert slope(F.tanh, math.log(3.0)) == pytest.approx(9 / 25, abs=1e-12)
        assert slope(F.gelu, 0.0) == 0.5
        assert slope(F.silu, 0.0) == 0.5
        assert slope(F.mish, 0.0) == pytest.approx(0.6)             # tanh(ln 2) = (4 - 1) / (4 + 1)
        assert slope(F.softsign, 1.0) == 0.25
        # lambda 1 takes -3 to -3 + 1 and 2 to 2 - 1, or leaves them; 1 is no larger
        x = nn.tensor([-3.0, 1.0, 2.0])
        assert F.softshrink(x, 1.0).tolist() == [-2, 0, 1] and F.hardshrink(x, 1.0).tolist() == [-3, 0, 2]
        assert F.threshold(x, 1.0, 5.0).tolist() == [5, 5, 2]
        assert [slope(lambda x: F.softshrink(x, 1.0), v) for v in (-3.0, 1.0, 2.0)] == [1, 0, 1]
        assert [slope(lambda x: F.hardshrink(x, 1.0), v) for v in (-3.0, 1.0, 2.0)] == [1, 0, 1]
        assert [slope(lambda x: F.threshold(x, 1.0, 5.0), v) for v in (-3.0, 1.0, 2.0)] == [0, 0, 1]
        assert slope(F.selu, -1e-9) == pytest.approx(1.0507009873554805 * 1.6732632423543772)


# ---- accuracy ------------------------------------------------------------------------------------
def sweep():
    """Every 8191st float32 that is not denormal: all exponents, both signs."""
    x = np.arange(0, 2**32, 8191, dtype=np.uint64).astype(np.uint32).view(np.float32)
    return x[np.isfinite(x) & ((np.abs(x) >= np.finfo(np.float32).tiny) | (x == 0))]


def ulps(got, want):
    """Errors in units in the last place of float32 at `want`; both infinities, both NaN and both
    below the normal numbers are equal.
    """
    tiny, high = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    with np.errstate(over="ignore", invalid="ignore"):
        same = (got == want.astype(np.float32)) | (np.isnan(got) & np.isnan(want))
        same |= (np.abs(got) <= tiny) & (np.abs(want) <= tiny)
        unit = np.ldexp(1.0, np.clip(np.frexp(np.where(np.isfinite(want), want, 1))[1], -125, 128) - 24)
        error = np.abs(got.astype(np.float64) - want) / unit
        error = np.where(np.isinf(got) & (np.abs(want) > high), 0, error)
    return np.where(same, 0, np.where(np.isnan(error), np.inf, error))


def logistic(x):
    return 1 / (1 + np.exp(-x))


# the bounds of csrc/core/simd.h, measured there over every float
ACCURACY = {
    "exp": (F.exp, np.exp, 1.02),
    "expm1": (F.expm1, np.expm1, 1.6),
    "log": (F.log, np.log, 0.9),
    "log2": (F.log2, np.log2, 1.4),
    "log10": (F.log10, np.log10, 2.1),
    "log1p": (F.log1p, np.log1p, 1.5),
    "erf": (F.erf, np.vectorize(math.erf, otypes=[float]), 2.5),
    "sigmoid": (F.sigmoid, logistic, 2.2),
    "tanh": (F.tanh, np.tanh, 2.7),
    "softplus": (lambda x: F.softplus(x, threshold=1e30),
                 lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), 2.3),
}


@every_level
@pytest.mark.parametrize("name", ACCURACY)
def test_error_in_ulp(name, level):
    function, exact, bound = ACCURACY[name]
    x = sweep()
    with np.errstate(all="ignore"):
        want = exact(x.astype(np.float64))
    with nn.use_isa(level), nn.use_backend("kernels"):
        error = ulps(function(nn.tensor(x)).data, want)
    worst = int(error.argmax())
    assert error[worst] <= bound, f"{name}({x[worst]!r}) is off by {error[worst]:.3f} ulp, the bound is {bound}"
    assert error.max() > 0.5                                    # it is float32 that was measured


@both_backends
def test_logarithms_of_powers_are_whole(backend):
    """A power of the base gives its exponent, so that floor(log10(x)) + 1 counts digits."""
    two, ten = np.arange(-126, 128), np.arange(-37, 39)
    with nn.use_backend(backend):
        np.testing.assert_array_equal(F.log2(nn.tensor(np.ldexp(np.float32(1), two))).data, two)
        np.testing.assert_array_equal(F.log2(nn.tensor(np.ldexp(1.0, two * 8))).data, two * 8)
        np.testing.assert_array_equal(F.log10(nn.tensor((10.0**ten).astype(np.float32))).data, ten)
        np.testing.assert_array_equal(F.log10(nn.tensor(10.0**np.arange(23))).data, np.arange(23))


@every_level
def test_error_of_powers(level):
    """0.51 ulp as csrc/core/simd.h says, over bases of all sizes with exponents that keep the
    result in range, and near 1.
    """
    rng = np.random.default_rng(0)
    base = np.exp(rng.uniform(-87, 88, 200_000)).astype(np.float32)
    size = np.maximum(np.abs(np.log(base.astype(np.float64))), 1e-3)
    exponent = (rng.uniform(-87, 88, base.size) / size).astype(np.float32)
    near = rng.uniform(0.3, 3, 200_000).astype(np.float32)
    base = np.concatenate([base, near])
    exponent = np.concatenate([exponent, rng.uniform(-80, 80, near.size).astype(np.float32)])
    with np.errstate(all="ignore"):
        want = np.power(base.astype(np.float64), exponent.astype(np.float64))
    with nn.use_isa(level), nn.use_backend("kernels"):
        error = ulps((nn.tensor(base) ** nn.tensor(exponent)).data, want)
    assert 0.4 < error.max() <= 0.51


@every_level
def test_powers_at_the_edges(level):
    """Zeros, infinities, NaN, negative bases, whole and odd exponents: as in the C standard."""
    edges = np.array([0.0, -0.0, 1, -1, 2, -2, 0.5, -0.5, 3, -3, 2.5, -2.5, np.inf, -np.inf, np.nan, 1.5e38, -1.5e38,
                      0.999999, 1.000001,
                      16777216, 16777215, -16777215, 8388609, 8388607.5, -8388607.5, 1e-30, 1 / 3], np.float32)
    base, exponent = (v.ravel().copy() for v in np.meshgrid(edges, edges))
    with np.errstate(all="ignore"):
        want = np.power(base.astype(np.float64), exponent.astype(np.float64))
    with nn.use_isa(level), nn.use_backend("kernels"):
        got = (nn.tensor(base) ** nn.tensor(exponent)).data
        # one exponent for all; these have loops of their own
        for p in set(edges.tolist()) - {2, 3, -1, 1, 0.5, -0.5}:
            one = nn.functional.pow(nn.tensor(edges), float(p)).data
            with np.errstate(all="ignore"):
                assert (ulps(one, np.power(edges.astype(np.float64), np.float64(p))) <= 1.0).all(), p
    assert (ulps(got, want) <= 0.51).all()
    number = ~np.isnan(want)
    assert (np.signbit(got) == np.signbit(want))[number].all()


@every_level
def test_error_of_gelu(level):
    """The normal distribution under it is within 1e-7; the product is rounded once more."""
    x = np.concatenate([np.linspace(-14, 14, 200_001), [-1e3, -30, 30, 1e3]]).astype(np.float32)
    wide = x.astype(np.float64)
    normal = 0.5 * np.vectorize(math.erfc)(-wide / math.sqrt(2))
    density = np.exp(-0.5 * wide**2) / math.sqrt(2 * math.pi)
    t = nn.tensor(x, requires_grad=True)
    with nn.use_isa(level), nn.use_backend("kernels"):
        y = F.gelu(t)
        y.backward(np.ones(x.shape))
    assert (np.abs(y.data - wide * normal) <= (np.abs(x) + 0.1) * 1e-7).all()
    assert (np.abs(t.grad.data - (normal + wide * density)) <= 4e-7).all()
    tail = (x < -3) & (x > -5)
    # and the tail is no rounding noise
    np.testing.assert_allclose(y.data[tail], (wide * normal)[tail], rtol=0.02)


def test_the_ulp_measure_notices():
    x = sweep()
    with np.errstate(all="ignore"):
        want = np.tanh(x.astype(np.float64))
    assert ulps((want * (1 + 4 * 2.0**-23)).astype(np.float32), want).max() > 2.7
    broken = want.astype(np.float32)
    broken[len(broken) // 3] = np.nan
    assert ulps(broken, want).max() == np.inf


@both_backends
@both_types
@pytest.mark.parametrize("name, at_minus_infinity, at_infinity", [
    ("exp", 0, np.inf), ("expm1", -1, np.inf), ("log", np.nan, np.inf), ("log1p", np.nan, np.inf),
    ("erf", -1, 1), ("sigmoid", 0, 1), ("tanh", -1, 1), ("relu", 0, np.inf), ("softplus", 0, np.inf),
    ("logsigmoid", -np.inf, 0), ("hardsigmoid", 0, 1), ("relu6", 0, 6), ("elu", -1, np.inf), ("hardtanh", -1, 1),
    ("sqrt", np.nan, np.inf), ("abs", np.inf, np.inf)])
def test_limits(name, at_minus_infinity, at_infinity, dtype, backend):
    x = nn.tensor(np.array([-np.inf, np.inf, np.nan], dtype))
    with nn.use_backend(backend), np.errstate(all="ignore"):
        y = getattr(F, name)(x).data
    np.testing.assert_array_equal(y, np.array([at_minus_infinity, at_infinity, np.nan], dtype))


def gelu_tanh(x):
    return F.gelu(x, approximate="tanh")


@both_backends
@both_types
@pytest.mark.parametrize("function, below, above", [
    (F.silu, 0, np.inf), (F.gelu, 0, np.inf), (gelu_tanh, 0, np.inf), (F.mish, 0, np.inf), (F.hardswish, 0, np.inf),
    (F.softsign, -1, 1), (F.softplus, 0, np.inf), (lambda x: F.leaky_relu(x, 0.0), 0, np.inf)],
    ids=["silu", "gelu", "gelu_tanh", "mish", "hardswish", "softsign", "softplus", "leaky_relu 0"])
def test_zero_times_infinity_is_its_limit(function, below, above, dtype, backend):
    """Values at both infinities; slopes there and where squares and cubes of x overflow: 0 and 1,
    or 0 and 0. NaN stays.
    """
    large = float(np.finfo(dtype).max) * 0.9
    x = nn.tensor(np.array([-np.inf, -large, -1e20, 1e16, 1e20, large, np.inf, np.nan], dtype), requires_grad=True)
    with nn.use_backend(backend), np.errstate(all="ignore"):
        y = function(x)
        y.backward(np.ones(8, dtype))
    slope = 0.0 if above == 1 else 1.0
    np.testing.assert_array_equal(np.abs(y.data[:3]), abs(below))
    np.testing.assert_array_equal(y.data[3:7], 1 if above == 1 else x.data[3:7])
    np.testing.assert_allclose(x.grad.data[:7], [0, 0, 0, *[slope] * 4], rtol=1e-6 if dtype is np.float32 else 1e-15,
                               atol=1e-30)
    assert x.grad.data[0] == 0 and x.grad.data[6] == slope
    assert np.isnan(y.data[7])


@both_types
def test_slopes_of_powers_leave_the_range_with_the_result(dtype):
    """The slope of 1 / x is -1 / x^2, of x^(-1/2) it is -x^(-3/2) / 2: where x^2 is too small to be
    a number, neither is infinite yet.
    """
    small = np.array([1e-19] if dtype is np.float32 else [1e-153], dtype)
    for power, wide in ((-1.0, small), (-0.5, small**np.array(1.3, dtype))):
        x = nn.tensor(wide, requires_grad=True)
        F.pow(x, power).sum().backward()
        want = power * wide.astype(np.longdouble)**(power - 1)
        np.testing.assert_allclose(x.grad.data, want.astype(dtype), rtol=1e-6)


@every_level
def test_ends_of_the_range(level):
    with nn.use_isa(level), nn.use_backend("kernels"):
        low, high = np.float32(-87.3), np.float32(88.72)
        y = F.exp(nn.tensor(np.array([low, high, 88.8, -104, -1e30, 1e30], np.float32))).data
        np.testing.assert_allclose(y[:2], np.exp(np.array([low, high], float)), rtol=2e-7)
        np.testing.assert_array_equal(y[2:], [np.inf, 0, 0, np.inf])
        # e^-100 is no normal float: it counts as zero
        assert F.exp(nn.tensor([-100.0])).item() == 0
        np.testing.assert_allclose(F.expm1(nn.tensor([88.5])).data, np.expm1(np.array([88.5])), rtol=2e-7)
        np.testing.assert_array_equal(F.log(nn.tensor([0.0, -0.0, -1.0, 1.0])).data,
                                      np.array([-np.inf, -np.inf, np.nan, 0], np.float32))
        np.testing.assert_array_equal(F.log1p(nn.tensor([-1.0, -2.0, 0.0])).data,
                                      np.array([-np.inf, np.nan, 0], np.float32))
        np.testing.assert_array_equal(F.mish(nn.tensor([-1000.0, 1000.0])).data, np.array([0, 1000], np.float32))
        np.testing.assert_array_equal(F.silu(nn.tensor([-1000.0, 1000.0])).data, np.array([0, 1000], np.float32))
        np.testing.assert_array_equal(F.gelu(nn.tensor([-1000.0, 1000.0])).data, np.array([0, 1000], np.float32))


@both_types
def test_identities(dtype):
    x = nn.tensor(np.linspace(-9, 9, 1001).astype(dtype))
    close = {"rtol": 0, "atol": 40 * float(np.finfo(dtype).eps)}
    np.testing.assert_allclose((F.sigmoid(x) + F.sigmoid(-x)).data, 1, **close)
    for f in (F.gelu, F.silu, F.softplus):                      # f(x) - f(-x) = x
        np.testing.assert_allclose((f(x) - f(-x)).data, x.data, **close)
    np.testing.assert_allclose((F.gelu(x, approximate="tanh") - F.gelu(-x, approximate="tanh")).data, x.data, **close)
    np.testing.assert_allclose(F.logsigmoid(x).data, F.log(F.sigmoid(x)).data, **close)
    np.testing.assert_allclose(F.exp(F.log1p(F.expm1(x * 0.1))).data, F.exp(x * 0.1).data,
                               rtol=40 * float(np.finfo(dtype).eps))


# ---- PyTorch -------------------------------------------------------------------------------------
CALLS = {
    "relu": {}, "relu6": {}, "leaky_relu": {"negative_slope": 0.2}, "elu": {"alpha": 1.7}, "selu": {}, "gelu": {},
    "gelu tanh": {"approximate": "tanh"}, "silu": {}, "mish": {}, "softplus": {},
    "softplus beta": {"beta": 3.0, "threshold": 4.0}, "softplus negative": {"beta": -0.5},
    "hardtanh": {"min_val": -0.5, "max_val": 2.0}, "softsign": {}, "logsigmoid": {}, "hardswish": {},
    "hardsigmoid": {}, "sigmoid": {}, "tanh": {}, "glu": {"dim": 0}, "hardshrink": {}, "softshrink": {"lambd": 2.0},
    "threshold": {"threshold": -0.5, "value": 7.0}}
# More roundings of float64: PyTorch's 1/6 is a float32; 1 - tanh^2 subtracts nearly equal numbers.
MORE = {"hardsigmoid": 2.0**29, "gelu tanh": 32}
KINKS = np.array([-6, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 6, 25, -25, 100, -100])


@both_types
@pytest.mark.parametrize("name", CALLS)
def test_pytorch_agrees(torch, name, dtype):
    x = np.concatenate([KINKS, np.random.default_rng(0).standard_normal(983) * 3])
    roundings = MORE.get(name) if dtype is np.float64 else None
    compare(*both(name.split()[0]), [x], dtype, each=True, roundings=roundings, **CALLS[name])


def test_prelu_at_the_ends(torch):
    x = np.array([np.inf, 1e30, 2.0, 0.0, -2.0, -1e30, -np.inf] * 4)
    w = np.repeat([np.inf, -np.inf, 0.0, 1e30], 7)
    found = []
    for lib, prelu in ((nn, F.prelu), (torch, torch.nn.functional.prelu)):
        a, b = [lib.tensor(v[None].astype("f4"), requires_grad=True) for v in (x, w)]
        y = prelu(a, b.reshape(-1))
        y.sum().backward()
        found.append([y.detach().numpy(), a.grad.numpy(), b.grad.numpy()])
    for ours, theirs in zip(*found):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("shape, weights", [((5,), 1), ((3, 4), 4), ((2, 3, 5), 3), ((2, 3, 5, 7), 1)])
def test_prelu(torch, shape, weights):
    rng = np.random.default_rng(2)
    compare(*both("prelu"), [rng.standard_normal(shape), rng.standard_normal(weights)], each=True)


# ---- what only some have -------------------------------------------------------------------------
def test_step_is_flat():
    x = nn.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = F.heaviside(x, nn.tensor(0.5))
    y.sum().backward()
    assert y.tolist() == [0, 0.5, 1] and x.grad.tolist() == [0, 0, 0]


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.gelu(nn.ones(1), approximate="fast"), nn.RangeError, ("gelu", "fast")),
    (lambda: F.hardtanh(nn.ones(1), 2.0, 1.0), nn.RangeError, ("hardtanh", "min_val <= max_val")),
    (lambda: F.softplus(nn.ones(1), beta=0), nn.RangeError, ("softplus", "beta")),
    (lambda: F.prelu(nn.ones(2, 3), nn.ones(2)), nn.ShapeError, ("prelu", "1 or 3 weights", "(2,)")),
    (lambda: F.glu(nn.ones(3)), nn.ShapeError, ("glu", "even", "(3,)")),
    (lambda: F.gelu(nn.tensor([True])), nn.DTypeError, ("gelu", "bool"))])
def test_errors(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "abs"])
def test_slopes_at_nan_like_torch(torch, name, dtype, backend):
    """NaN goes on forward; the slope there is PyTorch's. Not of hardtanh and elu, where PyTorch has
    one slope in its vectors and another behind them.
    """
    x = np.array([np.nan, 1.0, -1.0, 0.0, 9.0] * 9, dtype)
    a, b = nn.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    with nn.use_backend(backend):
        getattr(F, name)(a).sum().backward()
    (getattr(torch.nn.functional, name, None) or getattr(torch, name))(b).sum().backward()
    close(a.grad, b.grad, name, each=True)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_fused_slopes_at_nan_are_those_of_relu(backend):
    """A row with NaN passes what comes from above, in one pass as in two."""
    x = np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32)
    x[1, 2] = np.nan
    results = []
    for function in (lambda w: F.linear_relu(nn.tensor(x), w, nn.zeros(3)),
                     lambda w: F.relu(F.linear(nn.tensor(x), w, nn.zeros(3)))):
        w = nn.ones(3, 4, requires_grad=True)
        with nn.use_backend(backend):
            function(w).sum().backward()
        results.append(w.grad.data)
    np.testing.assert_array_equal(*results)
    assert np.isnan(results[0][:, 2]).all() and np.isfinite(results[0][:, :2]).all()


@every_level
@pytest.mark.parametrize("name", ["kernels", "reference"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_the_ends_of_hard_functions_are_exact(dtype, name, level):
    """At the bounds and beyond, in the blocks of a kernel and behind them."""
    with nn.use_isa(level), nn.use_backend(name):
        for n in (1, 7, 33):
            for x, share in ((-3, 0), (-3.1, 0), (-np.inf, 0), (3, 1), (3.1, 1), (np.inf, 1)):
                a = nn.tensor(np.full(n, x, dtype))
                assert set(F.hardsigmoid(a).tolist()) == {share}
                assert set(F.hardswish(a).tolist()) == set(a.tolist() if share else [0])
