"""Trigonometric, hyperbolic and special functions of each element. But for erfc, erfinv, lgamma and
digamma, this is also what runs.
"""

import math

import numpy as np

from .arithmetic import shape, sum_to


def plain(x):
    """A copy in row-major order: elsewhere NumPy has other loops, which round differently."""
    return np.array(x, order="C")


def elementwise(function, slope, wide=False):
    """(forward, backward) of y = function(x), whose derivative is slope(x, y). `wide`: the function
    is computed in float64.
    """
    def forward(x):
        x = plain(x)
        with np.errstate(all="ignore"):
            y = np.asarray(function(x.astype(np.float64) if wide else x), x.dtype)
        return y, (x, y)

    def backward(dy, saved):
        x, y = saved                                    # forward was  y = function(x)
        with np.errstate(all="ignore"):
            if wide:
                return (np.asarray(dy * slope(x.astype(np.float64), y.astype(np.float64)), dy.dtype),)
            return (np.asarray(dy * slope(x, y), dy.dtype),)
    return forward, backward


tan = elementwise(np.tan, lambda x, y: 1 + y * y)
asin = elementwise(np.arcsin, lambda x, y: 1 / np.sqrt((1 - x) * (1 + x)))
acos = elementwise(np.arccos, lambda x, y: -1 / np.sqrt((1 - x) * (1 + x)))
atan = elementwise(np.arctan, lambda x, y: 1 / (1 + x * x))
sinh = elementwise(np.sinh, lambda x, y: np.cosh(x))
cosh = elementwise(np.cosh, lambda x, y: np.sinh(x))
asinh = elementwise(np.arcsinh, lambda x, y: 1 / np.hypot(1, x))
acosh = elementwise(np.arccosh, lambda x, y: 1 / np.sqrt((x - 1) * (x + 1)))
atanh = elementwise(np.arctanh, lambda x, y: 1 / ((1 - x) * (1 + x)))
exp2 = elementwise(np.exp2, lambda x, y: y * math.log(2))


# ---- sin(pi x) / (pi x) --------------------------------------------------------------------------
def sinc_of(x):
    return np.where(np.isinf(x), 0, np.sinc(x))         # the limit


def sinc_slope(x, y):
    z = math.pi * x
    near = z * (-1 / 3 + z**2 * (1 / 30 + z**2 * (-1 / 840 + z**2 / 45360)))    # the series about 0
    far = (np.cos(z) - y) / np.where(x == 0, 1, x)
    return np.where(np.isinf(x), 0, np.where(np.abs(z) < 0.1, math.pi * near, far))


sinc = elementwise(sinc_of, sinc_slope, wide=True)


# ---- of the normal distribution ------------------------------------------------------------------
erf_of = np.vectorize(math.erf, otypes=[np.float64])
erfc_of = np.vectorize(math.erfc, otypes=[np.float64])


def erfinv_of(x):
    """An approximation to three digits (Winitzki, 2008), and Halley's method for the others."""
    w = np.log((1 - x) * (1 + x))
    b = 2 / (math.pi * 0.147) + w / 2
    y = np.copysign(np.sqrt(np.sqrt(b * b - w / 0.147) - b), x)
    for _ in range(3):
        # near 1 the distance from 1 has more digits
        over = np.where(np.abs(x) < 0.5, erf_of(y) - x, np.sign(x) * ((1 - np.abs(x)) - erfc_of(np.abs(y))))
        step = over / (2 / math.sqrt(math.pi) * np.exp(-y * y))
        y = np.where(np.isfinite(step), y - step / (1 + y * step), y)
    return np.where(np.abs(x) == 1, np.copysign(np.inf, x), np.where(np.abs(x) > 1, np.nan, y))


erfc = elementwise(erfc_of, lambda x, y: -2 / math.sqrt(math.pi) * np.exp(-x * x), wide=True)
erfinv = elementwise(erfinv_of, lambda x, y: math.sqrt(math.pi) / 2 * np.exp(y * y), wide=True)


# ---- of the gamma function -----------------------------------------------------------------------
def one_lgamma(x):
    try:
        return math.lgamma(x)
    except ValueError:                                  # at 0, -1, -2, ...
        return math.inf


lgamma_of = np.vectorize(one_lgamma, otypes=[np.float64])
SHIFTS = 10                                             # from there on the series have all digits


def digamma_of(x):
    """psi(x) = psi(x + 1) - 1 / x up to a series for large x; psi(x) = psi(1 - x) - pi / tan(pi x)
    below 0.
    """
    z = np.where(x < 0, 1 - x, x)
    below, z = shifted(z, 1)
    u = 1 / (z * z)
    series = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u * (1 / 132 - u * (691 / 32760 - u / 12))))))
    y = np.where(np.isinf(z), z, np.log(z) - 0.5 / z - series) - below
    fraction = x - np.rint(x)                       # tan repeats, and is exact for small numbers
    y = np.where(x < 0, y - math.pi / np.tan(math.pi * fraction), y)
    y = np.where(x == 0, -np.copysign(np.inf, x), y)
    return np.where((x < 0) & (fraction == 0) | (x == -np.inf), np.nan, y)


def trigamma_of(x):
    """The derivative of digamma, by the derivatives of its rules."""
    z = np.where(x < 0, 1 - x, x)
    below, z = shifted(z, 2)
    u = 1 / (z * z)
    series = u * (1 / 6 - u * (1 / 30 - u * (1 / 42 - u * (1 / 30 - u * (5 / 66 - u * (691 / 2730 - u * 7 / 6))))))
    y = 1 / z + u / 2 + series / z + below
    return np.where(x < 0, (math.pi / np.sin(math.pi * (x - np.rint(x))))**2 - y, y)


def shifted(z, power):
    """(sum of (z + k)^-power for k < SHIFTS, z + SHIFTS)."""
    return sum((z + k)**-power for k in range(SHIFTS)), z + SHIFTS


lgamma = elementwise(lgamma_of, lambda x, y: digamma_of(x), wide=True)
digamma = elementwise(digamma_of, lambda x, y: trigamma_of(x), wide=True)


# ---- with an attribute ---------------------------------------------------------------------------
def logit_forward(x, *, eps):
    x = plain(x)
    z = x if eps is None else np.clip(x, x.dtype.type(eps), x.dtype.type(1 - eps))
    with np.errstate(all="ignore"):
        return np.asarray(np.log(z / (1 - z)), x.dtype), (x,)


def logit_backward(dy, saved, *, eps):
    x, = saved                                          # forward was  y = ln(x / (1 - x))
    low, high = (0, 1) if eps is None else (eps, 1 - eps)
    with np.errstate(all="ignore"):
        outside = dy.dtype.type(np.nan if eps is None else 0)
        return (np.asarray(np.where((x < low) | (x > high), outside, dy / (x * (1 - x))), x.dtype),)


# ---- of two arrays -------------------------------------------------------------------------------
def atan2_forward(a, b):
    a, b = plain(a), plain(b)
    return np.asarray(np.arctan2(a, b)), (a, b)


def atan2_backward(dy, saved):
    a, b = saved                                        # forward was  y = the angle of (b, a)
    with np.errstate(all="ignore"):
        r = np.hypot(a, b)
        # a and b by r, so that no square overflows; far away, and at 0, the angle does not change
        still = np.isinf(r) | (r == 0)
        return (sum_to(np.where(still, 0, dy * (b / r) / r), shape(a)),
                sum_to(np.where(still, 0, -dy * (a / r) / r), shape(b)))


def hypot_forward(a, b):
    a, b = plain(a), plain(b)
    with np.errstate(over="ignore"):
        y = np.asarray(np.hypot(a, b))
    return y, (a, b, y)


def hypot_backward(dy, saved):
    a, b, y = saved                                     # forward was  y = sqrt(a^2 + b^2)
    with np.errstate(all="ignore"):
        return (sum_to(np.where(np.isinf(a), dy * np.sign(a), dy * (a / y)), shape(a)),
                sum_to(np.where(np.isinf(b), dy * np.sign(b), dy * (b / y)), shape(b)))


def xlogy_forward(a, b):
    a, b = plain(a), plain(b)
    with np.errstate(all="ignore"):
        return np.where((a == 0) & ~np.isnan(b), a.dtype.type(0), a * np.log(b)), (a, b)


def xlogy_backward(dy, saved):
    a, b = saved                                        # forward was  y = a ln b,  0 where a = 0
    with np.errstate(all="ignore"):
        da = np.where((a == 0) & (b <= 0), dy.dtype.type(0), dy * np.log(b))
        return sum_to(da, shape(a)), sum_to(dy * (a / b), shape(b))


def fmod_forward(a, b):
    a, b = plain(a), plain(b)
    with np.errstate(all="ignore"):
        return np.asarray(np.fmod(a, b)), (a, b)


def fmod_backward(dy, saved):
    a, b = saved                                        # forward was  y = a - b trunc(a / b)
    with np.errstate(all="ignore"):
        return sum_to(dy, shape(a)), sum_to(-dy * np.trunc(a / b), shape(b))
