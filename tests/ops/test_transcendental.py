"""Trigonometric, hyperbolic and special functions: numbers worked by hand, PyTorch as a second
opinion, also at the ends.
"""

import math

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn

F = nn.functional
X = np.linspace(-0.95, 0.95, 39).reshape(3, 13)
BROAD = np.array([-7.3, -2.5, -1.2, -0.31, 0.27, 1.6, 2.5, 5.5, 11.2, 40.1])
ENDS = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 1e-20, 1e20, -1e20])
WITHIN = ["tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "atanh", "exp2", "erfc", "erfinv", "sinc", "deg2rad",
          "rad2deg", "frac"]
WIDE = ["atan", "sinh", "asinh", "exp2", "erfc", "lgamma", "digamma", "sinc", "frac"]
# roundings: PyTorch's digamma has 13 digits, and its derivative 9
DIGITS = {"digamma": 4e6, "lgamma": 2000}
PAIRS = ["atan2", "hypot", "fmod", "fmax", "fmin"]


def test_by_hand():
    # gamma(5) = 4! = 24; tan of 45 degrees is 1; the point (-1, 1) stands at 135 degrees
    assert math.isclose(nn.lgamma(nn.tensor([5.0], dtype=nn.float64)).item(), math.log(24), rel_tol=1e-15)
    assert math.isclose(nn.tan(nn.tensor(math.pi / 4, dtype=nn.float64)).item(), 1, rel_tol=1e-15)
    assert math.isclose(nn.atan2(nn.tensor(1.0), -1.0).item(), 0.75 * math.pi, rel_tol=1e-6)
    # psi(1) is minus Euler's constant, psi(2) = psi(1) + 1
    psi = nn.digamma(nn.tensor([1.0, 2.0], dtype=nn.float64)).data
    assert np.allclose(psi, [-0.5772156649015329, 0.4227843350984671], rtol=1e-15)
    # 0 ln 0 is 0, the limit
    assert nn.xlogy(nn.tensor([0.0]), nn.tensor([0.0])).item() == 0
    assert nn.logit(nn.sigmoid(nn.tensor([2.0], dtype=nn.float64))).item() == pytest.approx(2)
    assert nn.erfinv(nn.erf(nn.tensor([1.5], dtype=nn.float64))).item() == pytest.approx(1.5, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_kernels_are_within_4_ulp(dtype):
    """At every level, where the exact value is known: Python's erfc is within 1, erfinv undoes it;
    Gamma(n) = (n - 1)!, Gamma(1/2) = sqrt(pi), lgamma(1 + e) = -gamma e + pi^2 / 12 e^2; psi(1) =
    -gamma.
    """
    def off(y, want):
        y, want = np.asarray(y, np.longdouble), np.asarray(want, np.longdouble)
        unit = np.spacing(np.maximum(np.abs(want), np.finfo(dtype).tiny).astype(dtype)).astype(np.longdouble)
        return float((np.abs(y - want) / unit).max())

    gamma = 0.57721566490153286061
    x = np.concatenate([np.linspace(-5, 9 if dtype == np.float32 else 26, 3001), [0.75, np.nextafter(0.75, 1), 0]])
    x = x.astype(dtype)
    small = np.array([1e-4, -1e-4, 1e-5, -1e-5, 1e-6]).astype(dtype)
    one = (1 + small).astype(dtype)
    e = one.astype(np.longdouble) - 1
    near_1 = -gamma * e + np.pi**2 / 12 * e**2 - 1.2020569031595942 / 3 * e**3 + np.pi**4 / 360 * e**4
    whole = np.arange(1, 30)
    factorials = [math.log(math.factorial(n - 1)) for n in whole]
    p = np.array([0.5, -0.5, 1e-9, 0.9, 0.99]).astype(dtype)
    for level in nn.config.isas():
        with nn.use_isa(level):
            assert off(nn.erfc(nn.tensor(x)).numpy(), [math.erfc(v) for v in x.tolist()]) <= 4
            assert off(nn.erf(nn.tensor(x)).numpy(), [math.erf(v) for v in x.tolist()]) < 4
            assert off(nn.lgamma(nn.tensor(whole.astype(dtype))).numpy(), factorials) < 4
            assert off(nn.lgamma(nn.tensor(one)).numpy(), near_1) < 4
            assert off(nn.lgamma(nn.tensor(np.asarray(0.5, dtype))).numpy(), math.log(math.pi) / 2) < 4
            y = nn.erfinv(nn.tensor(p)).numpy()
            # one ulp of y is worth so many of erf y
            slope = 2 / math.sqrt(math.pi) * np.exp(-y.astype(float)**2) * np.abs(y) / np.abs(p)
            back = np.array([math.erf(v) for v in y.tolist()])
            assert (np.abs(back - p) <= (3 * slope + 1) * np.spacing(np.abs(p)) * 2).all()
            psi = nn.digamma(nn.tensor(np.array([1, 2, 11], dtype))).numpy()
            harmonic = np.array([0, 1, sum(1 / k for k in range(1, 11))])
            assert np.abs(psi - (harmonic - gamma)).max() < 8 * np.finfo(dtype).eps


def floats(low, high, step):
    """Every so many of the floats from low > 0 to high."""
    bits = np.array([low, high], np.float32).view(np.int32)
    return np.arange(bits[0], bits[1] + 1, step, np.int32).view(np.float32)


# where all floats were tried and the error was largest
@pytest.mark.parametrize("name, x, worst, bound, without_fma", [
    ("erfc", [floats(1e-38, 9.1945, 997), -floats(1e-38, 20, 9973)], [0.815002978, 0.817782164, 0.00219026208], 2.95,
     2.95),
    ("erfinv", [floats(1.4e-38, 1, 997), -floats(1.4e-38, 1, 9973)], [0.993695736, 0.995228827, 0.999997497], 1.7,
     2.2)])
def test_floats_computed_in_float(name, x, worst, bound, without_fma):
    """Against the kernel of double, which is within 4 of its own ulp."""
    x = np.concatenate([*x, np.array(worst, np.float32)])
    x = x[np.abs(x) < 1] if name == "erfinv" else x
    function = getattr(nn, name)
    want = function(nn.tensor(x.astype(np.float64))).numpy()
    assert np.abs(want).min() >= np.finfo(np.float32).tiny
    ulp = 2.0 ** (np.floor(np.log2(np.abs(want))) - 23)
    for level in nn.config.isas():
        with nn.use_isa(level):
            off = np.abs(function(nn.tensor(x)).numpy() - want) / ulp
        assert off.max() <= (without_fma if level == "portable" else bound), (level, x[off.argmax()])


def test_the_ends_of_floats_computed_in_float():
    x = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 9.38, 30, 3.4e38, -30], np.float32)
    p = np.array([0, -0.0, 1, -1, np.nan, 1e-45, -1e-45, 1.0000001, -1.0000001, 2, np.inf, -np.inf], np.float32)
    for level in nn.config.isas():
        with nn.use_isa(level):
            y, z = nn.erfc(nn.tensor(x)).numpy(), nn.erfinv(nn.tensor(p)).numpy()
        assert np.array_equal(y, [1, 1, 0, 2, np.nan, 1, 1, 0, 0, 0, 2], equal_nan=True)
        assert np.array_equal(z, [0, 0, np.inf, -np.inf, np.nan, 0, 0, *[np.nan] * 5], equal_nan=True)
        assert np.signbit(z[:2]).tolist() == [False, True]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", WITHIN)
def test_like_torch(torch, name, dtype):
    compare(getattr(F, name), getattr(torch, name), [X], dtype)


@pytest.mark.parametrize("name", WIDE)
def test_further_away_like_torch(torch, name):
    compare(getattr(F, name), getattr(torch, name), [BROAD], roundings=DIGITS.get(name, 200))


@pytest.mark.parametrize("name", ["acosh", "lgamma", "digamma"])
def test_above_1_like_torch(torch, name):
    compare(getattr(F, name), getattr(torch, name), [np.abs(BROAD) + 1.1], roundings=DIGITS.get(name, 200))


@pytest.mark.parametrize("attrs", [{}, {"eps": 0.1}])
def test_logit_like_torch(torch, attrs):
    compare(F.logit, torch.logit, [np.linspace(0.02, 0.98, 17)], **attrs)


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_like_torch(torch, name):
    for a, b in ((X, X[::-1].copy() * 2), (X, X[0]), (X[:, :1], X), (X, np.array(0.3))):
        compare(getattr(F, name), getattr(torch, name), [a, b])


@pytest.mark.parametrize("name", ["clamp_min", "clamp_max"])
def test_one_bound_like_torch(torch, name):
    bound = np.where(X > 0.3, X, 0.1)
    for b in (bound, bound[0]):
        compare(getattr(F, name), getattr(torch, name), [X, b])
    compare(lambda x: getattr(F, name)(x, 0.2), lambda x: getattr(torch, name)(x, 0.2), [X])
    close(getattr(F, name)(nn.tensor(X > 0), nn.tensor(X > 0.5)),
          getattr(torch, name)(torch.tensor(X > 0), torch.tensor(X > 0.5)))


@pytest.mark.parametrize("name", ["angle", "sgn"])
def test_without_slope_like_torch(torch, name):
    close(getattr(F, name)(nn.tensor(ENDS)), getattr(torch, name)(torch.tensor(ENDS)))


def test_copysign_like_torch(torch):
    b = X[::-1].copy()
    compare(lambda a: F.copysign(a, nn.tensor(b)), lambda a: torch.copysign(a, torch.tensor(b)), [X])


def test_xlogy_like_torch(torch):
    compare(F.xlogy, torch.xlogy, [X, np.abs(X) + 0.1])
    compare(F.xlogy, torch.xlogy, [np.array([0.0, 0.0, 2.0]), np.array([0.0, 3.0, 1.0])])


@pytest.mark.parametrize("name", [*WITHIN[:11], "acosh", "lgamma", "digamma", "logit"])
def test_ends_like_torch(torch, name):
    close(getattr(F, name)(nn.tensor(ENDS)), getattr(torch, name)(torch.tensor(ENDS)), roundings=2000, each=True)


@pytest.mark.parametrize("name", ["atan2", "hypot", "fmod", "copysign", "fmax", "fmin", "xlogy"])
def test_two_ends_like_torch(torch, name):
    a, b = (m.reshape(-1) for m in np.meshgrid(ENDS, ENDS))
    want = getattr(torch, name)(torch.tensor(a), torch.tensor(b))
    close(getattr(F, name)(nn.tensor(a), nn.tensor(b)), want, each=True)


@pytest.mark.parametrize("name", ["signbit", "isposinf", "isneginf", "isreal"])
def test_what_is_so_like_torch(torch, name):
    for x in (ENDS, np.array([-1, 0, 2])):
        close(getattr(F, name)(nn.tensor(x)), getattr(torch, name)(torch.tensor(x)))


def test_integers_like_torch(torch):
    a, b = np.array([12, -7, 9, 0]), np.array([18, 3, -6, 5])
    for name in ("gcd", "lcm", "fmod", "atan2", "copysign", "fmax", "fmin"):
        close(getattr(F, name)(nn.tensor(a), nn.tensor(b)), getattr(torch, name)(torch.tensor(a), torch.tensor(b)))
    for name in ("tan", "erfc", "lgamma", "sinh", "deg2rad", "sgn", "angle"):
        close(getattr(F, name)(nn.tensor(b)), getattr(torch, name)(torch.tensor(b)))


@pytest.mark.parametrize("name", [name for name in WITHIN if name not in ("asinh", "atanh")])
def test_in_place_like_torch(torch, name):
    def in_place(x):
        y = x * 0.9
        assert getattr(y, f"{name}_")() is y
        return y
    compare(in_place, in_place, [X])


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.frac(nn.tensor([1])), nn.DTypeError, ("frac", "int64")),
    (lambda: F.hypot(nn.tensor([1]), nn.tensor([1])), nn.DTypeError, ("hypot", "int64", ".float()")),
    (lambda: F.gcd(nn.ones(2), nn.tensor([1])), nn.DTypeError, ("gcd", "float32")),
    (lambda: F.fmod(nn.tensor([1]), 0), nn.RangeError, ("fmod", "0")),
    (lambda: F.fmax(nn.ones(2), nn.ones(3)), nn.ShapeError, ("fmax", "(2,)", "(3,)")),
    (lambda: F.copysign(nn.ones(2), nn.ones(3)), nn.ShapeError, ("copysign", "(2,)", "(3,)"))])
def test_errors(call, error, words):
    refused(call, error, words)
