"""Where the coefficients in csrc/core/simd.h and csrc/pointwise/special.tmpl.h come from: python
tools/fit_elementary.py (needs mpmath).

Each polynomial is the minimax fit of a smooth function f on an interval, weighted so that the
*relative* error of the final result is what is equal everywhere. It is found by Lawson's method:
least squares at Chebyshev points, repeated with weights that grow where the error is largest.
Coefficients are then rounded to float from the lowest power up, and the rest is fitted again after
each rounding, so that the rounding of one is made good by the others.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(f, weight, low, high, powers, fixed=(), points=600, rounds=400):
    """Coefficients of x**p for p in powers so that |f - sum| * weight is smallest on low..high;
    returns them and the largest error.
    """
    t = np.cos(np.pi * (np.arange(points) + 0.5) / points)
    x = low + (high - low) * (t + 1) / 2
    want = np.array([float(f(mp.mpf(v))) for v in x], np.longdouble)
    scale = np.array([float(weight(mp.mpf(v))) for v in x], np.longdouble)
    chosen = dict(fixed)
    left = [p for p in powers if p not in chosen]
    xl = x.astype(np.longdouble)
    while True:
        rest = want - sum((np.longdouble(c) * xl**p for p, c in chosen.items()), np.longdouble(0))
        lawson = np.ones(points)
        best = None
        for _ in range(rounds if left else 1):
            if left:
                a = np.stack([xl**p for p in left], 1).astype(float)
                w = (scale * np.sqrt(lawson)).astype(float)
                norm = np.abs(a * w[:, None]).max(0)
                c = np.linalg.lstsq(a * w[:, None] / norm, rest.astype(float) * w, rcond=None)[0] / norm
                error = np.abs((rest - a @ c) * scale).astype(float)
            else:
                c, error = [], np.abs(rest * scale).astype(float)
            if best is None or error.max() < best[0]:
                best = error.max(), c
            lawson *= error / error.max() + 1e-9
            lawson /= lawson.max()
        if not left:
            return chosen, best[0]
        p = left.pop(0)
        chosen[p] = float(np.float32(best[1][0]))


def interpolate(f, low, high, degree):
    """Coefficients in double of the polynomial that is f at Chebyshev points, which is within a few
    percent of the minimax fit; and the largest relative error.
    """
    low, high, n = mp.mpf(low), mp.mpf(high), degree + 1
    x = [(low + high) / 2 + (high - low) / 2 * mp.cos(mp.pi * (k + mp.mpf(1) / 2) / n) for k in range(n)]
    c = [f(v) for v in x]
    for j in range(1, n):                   # divided differences, and the powers out of them
        for k in range(n - 1, j - 1, -1):
            c[k] = (c[k] - c[k - 1]) / (x[k] - x[k - j])
    powers = [c[-1]]
    for k in range(n - 2, -1, -1):
        powers = [a - b * x[k] for a, b in zip([c[k], *powers], [*powers, mp.mpf(0)])]
    rounded = [float(a) for a in powers]
    points = [low + (high - low) * (k + mp.mpf(1) / 3) / 400 for k in range(400)]
    return rounded, max(float(abs(mp.polyval(rounded[::-1], v) / f(v) - 1)) for v in points)


def show_double(name, result):
    chosen, error = result
    print(f"{name}: largest relative error {error:.1e}")
    for p in range(len(chosen) - 1, -1, -1):
        print(f"    {chosen[p]!r},   x^{p}")


def quotient_of_erfinv(w):
    """erfinv(x) / x for w = -ln(1 - x^2), by Halley's method."""
    x = mp.sqrt(-mp.expm1(-w))
    y, rest = (x if w < 1 else mp.sqrt(w)), mp.exp(-w) / (1 + x)
    for _ in range(100):
        step = (rest - mp.erfc(y)) * mp.sqrt(mp.pi) / 2 * mp.exp(y * y)
        y -= step / (1 + abs(y * step))
    return y / x if w else mp.sqrt(mp.pi) / 2


def show(name, result):
    chosen, error = result
    print(f"{name}: largest relative error {error:.1e}, {error / 2**-24:.2f} half ulp")
    for p in sorted(chosen, reverse=True):
        print(f"    {chosen[p]:.9g}f,   x^{p}")


if __name__ == "__main__":
    ln2 = float(mp.log(2))
    # e^r = 1 + r + r^2 q(r),  |r| <= ln 2 / 2
    show("exp: q", fit(lambda r: (mp.expm1(r) - r) / r**2, lambda r: r**2 / mp.exp(r), -ln2 / 2, ln2 / 2, range(5)))
    # ln(1 + f) = f - f^2 / 2 + f^3 q(f),  sqrt(1/2) <= 1 + f <= sqrt(2)
    show("log: q", fit(lambda f: (mp.log1p(f) - f + f**2 / 2) / f**3, lambda f: f**3 / mp.log1p(f),
                       float(mp.sqrt(0.5)) - 1, float(mp.sqrt(2)) - 1, range(9)))
    # erf(u) = 1 - e^{-p},  p = u q(u),  0 <= u <= 3.92; the result's relative error is
    # dp e^-p / (1 - e^-p), and q(0) is kept exact
    p = lambda u: -mp.log(mp.erfc(u))
    show("erf: q", fit(lambda u: p(u) / u, lambda u: u * mp.exp(-p(u)) / mp.erf(u), 1e-6, 3.92, range(9),
                       fixed={0: float(2 / mp.sqrt(mp.pi))}))
    # the normal distribution at -u is 2^{-p(u)},  0 <= u <= 5.6; its absolute error is
    # dp ln2 2^-p
    p2 = lambda u: -mp.log(mp.erfc(u / mp.sqrt(2)) / 2, 2)
    show("normal: p", fit(p2, lambda u: max(mp.mpf(2) ** -p2(u), mp.mpf(3e-8)), 0, 5.6, range(9)))
    # ln(1 + e) = e + e^2 q(e),  0 <= e <= 1
    show("softplus: q", fit(lambda e: (mp.log1p(e) - e) / e**2, lambda e: e**2 / mp.log1p(e), 1e-9, 1, range(9)))
    # 2^r = 1 + r q(r), |r| <= 1/2, for sums of many exponentials (csrc/pointwise/rows.h) and for
    # gelu
    show("sum of exponentials: q",
         fit(lambda r: mp.expm1(r * mp.log(2)) / r, lambda r: abs(r) / mp.mpf(2) ** r, -0.5, 0.5, range(5)))
    # the same with |r| <= 1/16, the rest of 2^x looked up
    show("sum of exponentials, with a table: q",
         fit(lambda r: mp.expm1(r * mp.log(2)) / r, lambda r: abs(r) / mp.mpf(2) ** r, -1 / 16, 1 / 16, range(3)))
    # ---- csrc/pointwise/special.tmpl.h, float ----
    # erfc u = e^(-u^2) / d(u), d(u) = sqrt(pi) u + p(z), z = u / (u + 5/2), p(0) = 1; sqrt(pi) is 2
    # less a float
    slope = 2 - float(np.float32(2 - float(mp.sqrt(mp.pi))))
    d = lambda u: mp.exp(-u * u) / mp.erfc(u)
    u_of = lambda z: 2.5 * z / (1 - z)
    show("erfc: p", fit(lambda z: d(u_of(z)) - slope * u_of(z), lambda z: 1 / d(u_of(z)), 1e-7, 9.4 / 11.9, range(11),
                        fixed={0: 1.0}, points=300, rounds=300))
    show("erfinv: p", fit(lambda w: quotient_of_erfinv(w) - 1, lambda w: 1 / quotient_of_erfinv(w), 0, 5, range(10),
                          points=200, rounds=200))
    of_root = lambda v: quotient_of_erfinv((v + 3) ** 2)
    show("erfinv: q", fit(lambda v: of_root(v) - 1, lambda v: 1 / of_root(v), 5 ** 0.5 - 3, 1, range(10), points=200,
                          rounds=200))
    # ---- the same, double ----
    show_double("erf x / x, in x^2", interpolate(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z), 0, 0.5625, 10))
    K = mp.mpf(15) / 4

    def scaled_erfc(t):
        u = K * (1 + t) / (1 - t)
        return (1 + 2 * u) * mp.exp(u * u) * mp.erfc(u)

    show_double("(1 + 2u) e^(u^2) erfc u, in (u - 15/4) / (u + 15/4)",
                interpolate(scaled_erfc, (0.75 - K) / (0.75 + K), (28 - K) / (28 + K), 20))
    show_double("erfinv x / x, in w", interpolate(quotient_of_erfinv, 0, 5, 11))
    show_double("erfinv x / (x sqrt w), in 1 / sqrt w",
                interpolate(lambda t: quotient_of_erfinv(1 / t**2) * t, 1 / mp.mpf(6.06), 1 / mp.sqrt(5), 11))
    show_double("ln Gamma(2 + f) / f", interpolate(
        lambda f: mp.loggamma(2 + f) / f if abs(f) > 1e-30 else mp.psi(0, 2), -0.75, 0.5, 20))
    show_double("sin(pi r) / r, in r^2", interpolate(
        lambda z: mp.sin(mp.pi * mp.sqrt(z)) / mp.sqrt(z), 0, 0.25, 8))
