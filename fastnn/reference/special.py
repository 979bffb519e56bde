"""Bessel functions, the derivatives of digamma, the normal distribution, entropies: each element in
float64. This is also what runs.

The errors are against mpmath with 40 digits, in ulp: the distance of two neighbouring numbers.
"""

import math

import numpy as np

from .arithmetic import shape, sum_to
from .transcendental import digamma_of, elementwise, erfc_of, erfinv_of, plain, trigamma_of

# ---- modified Bessel functions -------------------------------------------------------------------
# Up to here the power series, 40 terms of one sign; from here on the asymptotic one, whose smallest
# term is e^(-2 x), and whose terms but the first are of one sign, too. So nothing cancels: all four
# are off by 1 ulp on average, and by 9 at most.
BESSEL_FAR, BESSEL_TERMS = 20, 40


def power_series(order, u):
    """sum over k of u^k / (k! (k + order)!)."""
    total = 1.0
    for k in range(BESSEL_TERMS, 0, -1):
        total = 1 + u / (k * (k + order)) * total
    return total


def far_coefficients(order):
    """Of x^-k in I(x) sqrt(2 pi x) e^-x: prod over j <= k of ((2 j - 1)^2 - 4 order^2) / (8 j)."""
    c = [1.0]
    for k in range(1, 2 * BESSEL_FAR - 4):
        c.append(c[-1] * ((2 * k - 1)**2 - 4 * order**2) / (8 * k))
    return np.array(c)


FAR = [far_coefficients(0), far_coefficients(1)]


def scaled_bessel(order, x):
    """e^-|x| I(|x|)."""
    a = np.abs(x)
    near, far = np.minimum(a, BESSEL_FAR), np.maximum(a, BESSEL_FAR)
    series = (near / 2)**order * power_series(order, near * near / 4) * np.exp(-near)
    return np.where(a < BESSEL_FAR, series, np.polyval(FAR[order][::-1], 1 / far) / np.sqrt(2 * math.pi * far))


def bessel(order, x):
    """I(|x|)."""
    a = np.abs(x)
    near, far = np.minimum(a, BESSEL_FAR), np.maximum(a, BESSEL_FAR)
    series = (near / 2)**order * power_series(order, near * near / 4)
    half = np.exp(far / 2)                              # e^x overflows first
    large = half * (half * (np.polyval(FAR[order][::-1], 1 / far) / np.sqrt(2 * math.pi * far)))
    return np.where(np.isinf(a), a, np.where(a < BESSEL_FAR, series, large))


def i0_of(x):
    return bessel(0, x)


def i1_of(x):
    return np.copysign(bessel(1, x), x)


def i0e_of(x):
    return scaled_bessel(0, x)


def i1e_of(x):
    return np.copysign(scaled_bessel(1, x), x)


def half_at_0(x, y):
    """y / x of i1 and i1e: 1/2 + O(x) at 0, where y may be a denormal."""
    near = np.abs(x) < 1e-17
    return np.where(near, 0.5, y / np.where(near, 1, x))


def i1_slope(x, y):
    return np.where(np.isinf(x), np.inf, i0_of(x) - half_at_0(x, y))


def far_slope(order, x):
    """The derivative of e^-x I(x) = x^-1/2 (2 pi)^-1/2 sum c_k x^-k. Elsewhere it cancels."""
    a = np.maximum(np.abs(x), BESSEL_FAR)
    c = FAR[order] * (np.arange(len(FAR[order])) + 0.5)
    return -np.polyval(c[::-1], 1 / a) / (a * np.sqrt(2 * math.pi * a))


def i0e_slope(x, y):
    return np.where(np.abs(x) < BESSEL_FAR, i1e_of(x) - np.sign(x) * y, np.sign(x) * far_slope(0, x))


def i1e_slope(x, y):
    near = i0e_of(x) - np.sign(x) * y - half_at_0(x, y)
    return np.where(np.abs(x) < BESSEL_FAR, near, far_slope(1, x))


i0 = elementwise(i0_of, lambda x, y: i1_of(x), wide=True)
i1 = elementwise(i1_of, i1_slope, wide=True)
i0e = elementwise(i0e_of, i0e_slope, wide=True)
i1e = elementwise(i1e_of, i1e_slope, wide=True)


# ---- the normal distribution ---------------------------------------------------------------------
ERFCX_FAR = 20                                          # from here on eight terms have all digits


def erfcx_of(x):
    """e^(x^2) erfc x, off by 4 ulp; the square in two parts, as its rounding counts x^2 times."""
    z = np.clip(x, -30, ERFCX_FAR)
    head = np.round(z * 16) / 16                        # its square is exact
    near = np.exp(head * head) * np.exp((z - head) * (z + head)) * erfc_of(z)
    far = np.maximum(x, ERFCX_FAR)
    y = np.where(x < ERFCX_FAR, near, (1 + erfcx_tail(far)) / (far * math.sqrt(math.pi)))
    return np.where(np.isnan(x), x, y)


def erfcx_tail(x):
    """x sqrt(pi) erfcx x - 1 = -1/(2 x^2) + 3/(2 x^2)^2 - 3 5/(2 x^2)^3 + ... for large x."""
    v, total = 0.5 / x / x, 0.0
    for k in range(8, 0, -1):
        total = -(2 * k - 1) * v * (1 + total)
    return total


def erfcx_slope(x, y):
    near = 2 * np.where(x < ERFCX_FAR, x, 0) * y - 2 / math.sqrt(math.pi)
    return np.where(x < ERFCX_FAR, near, 2 / math.sqrt(math.pi) * erfcx_tail(np.maximum(x, ERFCX_FAR)))


def gauss(x):
    """e^(-x^2 / 2), with the square in two parts."""
    head = np.round(np.clip(x, -40, 40) * 16) / 16
    return np.exp(-0.5 * head * head) * np.exp(-0.5 * (x - head) * (x + head))


def above(x):
    """1 - Phi(x) for x >= -1. erfc(x / sqrt 2) would count the rounding of x / sqrt 2 x^2 times."""
    return 0.5 * gauss(x) * erfcx_of(x * math.sqrt(0.5))


def log_ndtr_of(x):
    """ln Phi(x), off by 5 ulp, and near its zero at -0 by as much of Phi."""
    left, right = np.minimum(x, -1), np.maximum(x, -1)
    return np.where(x < -1, np.log(erfcx_of(left * -math.sqrt(0.5)) / 2) - 0.5 * left * left, np.log1p(-above(right)))


def log_ndtr_slope(x, y):
    """phi(x) / Phi(x)."""
    left, right = np.minimum(x, -1), np.maximum(x, -1)
    return math.sqrt(2 / math.pi) * np.where(x < -1, 1 / erfcx_of(left * -math.sqrt(0.5)),
                                             0.5 * gauss(right) / (1 - above(right)))


def ndtri_of(p):
    """In the middle by erfinv, elsewhere the y with ln Phi(y) = ln p, by Newton's method, which
    starts on its left and cannot pass it, as ln Phi is concave. Off by 4 ulp.
    """
    middle = np.abs(p - 0.5) < 0.25                     # there 2 p - 1 is exact
    tail = np.minimum(p, 1 - p)
    goal = np.log(np.where(middle | ~(tail > 0), 0.25, tail))
    y = -np.sqrt(-2 * goal)
    for _ in range(6):
        y = y - (log_ndtr_of(y) - goal) / log_ndtr_slope(y, None)
    y = np.where(middle, math.sqrt(2) * erfinv_of(np.where(middle, 2 * p - 1, 0)), np.where(p < 0.5, y, -y))
    y = np.where(tail == 0, np.where(p < 0.5, -np.inf, np.inf), y)
    return np.where(tail >= 0, y, np.nan)


erfcx = elementwise(erfcx_of, erfcx_slope, wide=True)
log_ndtr = elementwise(log_ndtr_of, log_ndtr_slope, wide=True)
ndtri = elementwise(ndtri_of, lambda p, y: math.sqrt(2 * math.pi) * np.exp(0.5 * y * y), wide=True)


# ---- derivatives of digamma ----------------------------------------------------------------------
# B_2j / (2 j)!, the Bernoulli numbers' series
BERNOULLI = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600,
             -3617 / 10670622842880000, 43867 / 5109094217170944000, -174611 / 802857662698291200000]


SHIFTS = 64                                             # terms that are added one by one, at most


def tail(n, w, unit):
    """unit^(n + 1) sum over k >= 0 of (w + k)^-(n + 1), by Euler and Maclaurin's series: all digits
    where w >= n + 15, else the right size.
    """
    series, rising = 1 + np.minimum(n / w, 2) / 2, 1.0
    for j, b in enumerate(BERNOULLI):
        rising = rising * np.minimum((n + 2 * j) / w, 2) * np.minimum((n + 2 * j + 1) / w, 2)
        series = series + b * rising
    return (unit / w)**(n + 1) * (w / n) * series


def hurwitz(n, z, unit):
    """unit^(n + 1) sum over k >= 0 of (z + k)^-(n + 1), z > 0: the first terms by one, the others
    by their series. Where that has too few digits, n is so large that the others are below e^-60 of
    the first.
    """
    shifts = min(15 + n, SHIFTS)
    return sum((unit / (z + k))**(n + 1) for k in range(shifts)) + tail(n, z + shifts, unit)


def first_terms(n, z, many, unit):
    """unit^(n + 1) sum over 0 <= k < many of (z + k)^-(n + 1), 0 < z < 1 and unit <= 1/2."""
    shifts = min(15 + n, SHIFTS)
    total = sum(np.where(k < many, (unit / (z + k))**(n + 1), 0) for k in range(shifts))
    # small beside the first: what cancels in the difference is below the rounding error
    return total + np.where(many > shifts, tail(n, z + shifts, unit) - hurwitz(n, z + many, unit), 0)


def times_factorial(n, total, unit):
    """n! unit^-(n + 1) total: each factor may overflow where the product does not."""
    if n > 1000:                                        # n! has too many digits to be found quickly
        logarithm = np.log(np.abs(total)) + (math.lgamma(n + 1) - (n + 1) * np.log(unit))
        return np.copysign(np.exp(logarithm), total)
    bits = (factorial := math.factorial(n)).bit_length()
    mantissa, exponent = np.frexp(unit)
    up = mantissa < math.sqrt(0.5)                      # to sqrt 2: its powers are numbers
    mantissa, exponent = np.where(up, 2 * mantissa, mantissa), exponent - up
    total, more = np.frexp(total)
    return np.ldexp(factorial / 2**bits * total * mantissa**-(n + 1), bits - (n + 1) * exponent + more)


def polygamma_of(n, x):
    """(-1)^(n + 1) n! times the sum over k >= 0 of (x + k)^-(n + 1), in units of its largest term.

    Below 0 these are the terms right of 0, from `up` on, and as many left of it as x has whole
    numbers above it, from -`down` on. For even n they cancel half way between two poles, where x
    and 1 - x have one value. Off by 4 + n / 2 ulp; near a zero, of the largest term.
    """
    sign, pole = 1 if n % 2 else -1, (x <= 0) & (x == np.floor(x))
    if n == 0:
        return digamma_of(x)
    if n == 1:
        return np.where(pole, np.inf, trigamma_of(x))
    fraction = x - np.rint(x)                           # exact
    left = (x < 0) & ~pole & ((n % 2 == 1) | (np.abs(fraction) != 0.5))
    up = np.where(left, np.where(fraction > 0, fraction, 1 + fraction), np.where(x < 0, 1 - x, x))
    down = np.where(left, np.where(fraction > 0, 1 - fraction, -fraction), np.inf)
    unit = np.minimum(up, down)
    total = hurwitz(n, up, unit)
    if left.any():
        total = total + sign * np.where(left, first_terms(n, np.where(left, down, 0.5), np.where(left, -np.floor(x), 0),
                                                          np.where(left, unit, 0.5)), 0)
    return sign * np.where(pole, np.inf, np.where(np.isinf(x), 0, times_factorial(n, total, unit)))


def polygamma_forward(x, *, n):
    x = plain(x)
    with np.errstate(all="ignore"):
        return np.asarray(polygamma_of(n, x.astype(np.float64)), x.dtype), (x,)


def polygamma_backward(dy, saved, *, n):
    x, = saved                                          # forward was  y = psi_n(x)
    with np.errstate(all="ignore"):
        return (np.asarray(dy * polygamma_of(n + 1, x.astype(np.float64)), dy.dtype),)


# ---- entropies -----------------------------------------------------------------------------------
def entr_of(x):
    return np.where(x < 0, -np.inf, np.where(x == 0, 0, -x * np.log(x)))


entr = elementwise(entr_of, lambda x, y: -1 - np.log(x))


def xlog1py_forward(a, b):
    a, b = plain(a), plain(b)
    with np.errstate(all="ignore"):
        return np.where((a == 0) & ~np.isnan(b), a.dtype.type(0), a * np.log1p(b)), (a, b)


def xlog1py_backward(dy, saved):
    a, b = saved                                        # forward was  y = a ln(1 + b)
    with np.errstate(all="ignore"):
        da = np.where((a == 0) & (b <= -1), dy.dtype.type(0), dy * np.log1p(b))
        return sum_to(da, shape(a)), sum_to(dy * (a / (1 + b)), shape(b))


# ---- the parts of a number -----------------------------------------------------------------------
def frexp_forward(x):
    mantissa, exponent = np.frexp(plain(x))
    return (np.asarray(mantissa), np.where(np.isfinite(x), exponent, 0).astype(np.int32)), (x,)


def frexp_backward(dy, saved):
    x, = saved                                          # forward was  x = mantissa 2^exponent
    with np.errstate(all="ignore"):
        return (np.asarray(np.where(np.isinf(x), 0, np.ldexp(dy[0], -np.frexp(x)[1])), x.dtype),)
