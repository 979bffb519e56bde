"""Bessel functions, derivatives of digamma, the normal distribution, entropies: numbers worked by
hand, numbers to 20 digits, PyTorch as a second opinion, also at the ends.
"""

import functools
import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from messages import refused
from second_opinion import close, compare

import fastnn as nn
from fastnn.reference.special import polygamma_of

F = nn.functional
X = np.array([-30.5, -19.9, -7.3, -1.2, -0.31, 0.0, 1e-9, 0.27, 1.6, 5.5, 11.2, 19.999, 20.001, 40.1])
BETWEEN = np.array([0.001, 0.02, 0.2499, 0.2501, 0.4, 0.5, 0.6, 0.7501, 0.93, 0.9999])
ENDS = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 0.5, 2.0, 1e-20, 1e-310, 1e20, -1e20])
BESSEL = ["i0", "i0e", "i1", "i1e"]


def of(torch, name):
    return getattr(torch.special, name)


def test_by_hand():
    # I_0(2) = sum 1 / k!^2 = 1 + 1 + 1/4 + 1/36 + 1/576 + ..., I_1(2) = sum 1 / (k! (k + 1)!)
    two = nn.tensor(2.0, dtype=nn.float64)
    assert nn.i0(two).item() == pytest.approx(sum(1 / math.factorial(k)**2 for k in range(20)), rel=1e-15)
    assert nn.i1(two).item() == pytest.approx(sum(k / math.factorial(k)**2 for k in range(1, 20)), rel=1e-15)
    # psi_1(1) = 1 + 1/4 + 1/9 + ... = pi^2 / 6; psi_3(1) = 3! (1 + 1/16 + 1/81 + ...) = pi^4 / 15;
    # psi_2(2) = psi_2(1) + 2
    one = nn.tensor([1.0, 2.0], dtype=nn.float64)
    assert np.allclose(nn.polygamma(1, one).data, [math.pi**2 / 6, math.pi**2 / 6 - 1], rtol=1e-15)
    assert nn.polygamma(3, one).data[0] == pytest.approx(math.pi**4 / 15, rel=1e-15)
    assert np.diff(nn.polygamma(2, one).data)[0] == pytest.approx(2, rel=1e-14)
    # of a fair coin, 2 entr(1/2) = ln 2
    assert 2 * nn.entr(nn.tensor(0.5, dtype=nn.float64)).item() == pytest.approx(math.log(2), rel=1e-15)
    # the quantile of 97.5 % is the 1.96 of every textbook
    assert nn.ndtri(nn.tensor(0.975, dtype=nn.float64)).item() == pytest.approx(1.959963984540054, rel=1e-15)
    # Gamma_2(x) = sqrt(pi) Gamma(x) Gamma(x - 1/2)
    assert nn.mvlgamma(two, 2).item() == pytest.approx(math.log(math.pi / 2), rel=1e-15)
    # 12 = 0.75 2^4, and the smallest denormal number is half of 2^-1073
    mantissa, exponent = nn.frexp(nn.tensor([12.0, -0.0, 5e-324], dtype=nn.float64))
    assert mantissa.tolist() == [0.75, 0.0, 0.5] and exponent.tolist() == [4, 0, -1073]


# to 20 digits, by mpmath 1.3 with 40
EXACT = {
    "i0": [(0.5, 1.0634833707413235193), (19.999, 43515848.297188726456), (20.001, 43600758.257455531122),
           (712.0, 2.4684110577627524298e+307)],
    "i1": [(1e-12, 4.9999999999999998994e-13), (8.25, 506.43383830764546706), (-20.001, -42496429.170288068186)],
    "i0e": [(10000000000.0, 3.9894228040641945645e-6), (19.999, 0.089782586060965360509)],
    "i1e": [(-10000000000.0, -3.9894228038647234242e-6), (0.125, 0.055263853241603239146)],
    "erfcx": [(-5.0, 144009798674.66104041), (1.0, 0.42758357615580700441), (19.97, 0.028216568358532466909),
              (100000.0, 5.6418958351954680777e-6)],
    "log_ndtr": [(-1000.0, -500007.82669481218431), (-1.0, -1.8410216450092635058),
                 (10.0, -7.619853024160526066e-24)],
    "ndtri": [(1e-300, -37.047096299361199237), (0.2499, -0.67480447011060998732), (0.75, 0.6744897501960817432)],
}


@pytest.mark.parametrize("name", EXACT)
def test_all_digits(name):
    x, want = np.array(EXACT[name]).T
    np.testing.assert_allclose(getattr(nn, name)(nn.tensor(x)).data, want, rtol=9 * 2.0**-52)


def test_polygamma_has_its_digits():
    """psi_n(1/2) = (-1)^(n + 1) n! (2^(n + 1) - 1) zeta(n + 1), psi_n(-1/2) that + n! 2^(n + 1) by
    one step, and psi_n(x) is near (-1)^(n + 1) (n - 1)! / x^n for large x, whose n! overflows.
    """
    for n, zeta in [(2, 1.2020569031595942854), (3, math.pi**4 / 90), (5, math.pi**6 / 945), (20, 1 + 2.0**-21)]:
        sign, scale = (-1)**(n + 1), math.factorial(n)
        want = np.array([scale * (2**(n + 1) - 1) * zeta, scale * (2**(n + 1) - 1) * zeta + (-2)**(n + 1) * scale])
        got = nn.polygamma(n, nn.tensor([0.5, -0.5], dtype=nn.float64)).data
        assert np.abs(got - sign * want).max() <= 2.0**-52 * (4 + n / 2) * want[0] + 1e-9 * (n == 20) * want[0]
    for n, x in [(100, 1e4), (200, 1e6), (262144, 1e300)]:
        lead = math.exp(min(math.lgamma(n) - n * math.log(x), 700)) * (-1)**(n + 1)
        assert nn.polygamma(n, nn.tensor(x, dtype=nn.float64)).item() == pytest.approx(lead, rel=n / x + 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*BESSEL, "ndtr", "log_ndtr"])
def test_like_torch(torch, name, dtype):
    near = np.abs(X) < 15           # I_0(20) is 4e7
    # PyTorch's slope of log_ndtr counts the rounding of x x^2 times
    compare(getattr(F, name), of(torch, name), [X if name not in ("i0", "i1") else X[near]], dtype, each=True,
            roundings=500 if name == "log_ndtr" else None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erfcx_like_torch(torch, dtype):
    compare(F.erfcx, torch.special.erfcx, [X[np.abs(X) < 3]], dtype, roundings=200)
    close(F.erfcx(nn.tensor(X[4:])), torch.special.erfcx(torch.tensor(X[4:])))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_between_0_and_1_like_torch(torch, dtype):
    compare(F.ndtri, torch.special.ndtri, [BETWEEN], dtype, each=True)
    compare(F.entr, torch.special.entr, [np.concatenate([BETWEEN, [3.0, 50.0]])], dtype)
    close(F.ndtri(nn.tensor([1e-40])), torch.special.ndtri(torch.tensor([1e-40])))


@pytest.mark.parametrize("n", range(6))
def test_polygamma_like_torch(torch, n):
    # PyTorch's trigamma has 9 digits
    for x in (np.array([0.3, 1.0, 2.5, 7.7, 40.0]), np.array([-0.4, -1.6, -7.3])):
        compare(lambda x: F.polygamma(n, x), lambda x: torch.polygamma(n, x), [x], roundings=5e6 if n < 2 else 2000)


# B_2j / (2 j)! by the recurrence of the Bernoulli numbers
@functools.cache
def bernoulli(j):
    return (1 if j == 0 else -sum(math.comb(j + 1, i) * bernoulli(i) for i in range(j)) / Fraction(j + 1))


def polygammas(n, start, below):
    """(x, psi_n(x)) for x = start, start - 1, ..., start - below, summed in decimals: n + 60 terms,
    then Euler and Maclaurin's series; below start, term by term. For even n, these cancel where
    x + 1/2 is whole: at -7.5 all 248 digits of 17^201.
    """
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 280 if start == 0.5 else 60, 10**6, -10**6
        terms, m = n + 60, n + 1
        w = Decimal(start) + terms
        total = sum((Decimal(start) + k)**-m for k in range(terms)) + w**-n / n + w**-m / 2
        rising = m * w**-(m + 1)
        for j in range(2, 60, 2):
            b = bernoulli(j) / math.factorial(j)
            total += rising * b.numerator / b.denominator
            rising *= (m + j - 1) * (m + j) / w**2
        for k in range(below + 1):
            x = Decimal(start) - k
            if k:
                total += x**-m
            yield float(x), float((-1)**m * math.factorial(n) * total)


@pytest.mark.parametrize("start, below", [(0.3125, 80), (0.5, 8), (0.875, 80), (1.0, 0), (40.25, 42), (700.5, 1)])
def test_polygamma_against_sums_in_decimals(start, below):
    """Also where n!, or the largest term, is beyond float64, and half way between two poles."""
    for n in [*range(1, 201), *(() if start == 0.5 else (400, 1000, 1001, 1500))]:
        x, want = np.array(list(polygammas(n, start, below))).T
        with np.errstate(all="ignore"):
            y = polygamma_of(n, x)
        assert np.array_equal(np.isinf(y), np.isinf(want)) and np.array_equal(y[np.isinf(y)], want[np.isinf(y)]), n
        exact = np.isfinite(y)
        error = np.abs(y[exact] - want[exact]) / np.spacing(np.abs(want[exact]))
        assert (error <= (1e4 if n > 1000 else 4 + n / 2)).all(), (n, x[exact][error.argmax()], error.max())
        for dtype in (np.float32, np.float64):
            with np.errstate(over="ignore"):
                np.testing.assert_array_equal(F.polygamma(n, nn.tensor(x.astype(dtype))).data, y.astype(dtype))


@pytest.mark.parametrize("p", [1, 2, 5])
def test_mvlgamma_like_torch(torch, p):
    x = np.array([2.1, 3.0, 17.5])
    # PyTorch's digamma has 13 digits
    compare(lambda x: F.mvlgamma(x, p), lambda x: torch.mvlgamma(x, p), [x], roundings=5e4)
    close(nn.tensor([3, 4]).mvlgamma(p), torch.tensor([3, 4]).mvlgamma(p))
    assert nn.multigammaln is nn.mvlgamma


def test_xlog1py_like_torch(torch):
    a, b = np.array([[-1.5], [0.0], [0.0], [2.0]]), np.array([-0.9, 1e-20, 0.0, 3.0])
    compare(F.xlog1py, torch.special.xlog1py, [a, b])
    for call in (lambda t, f: f(2.0, t.tensor([1.0])), lambda t, f: f(t.tensor([1]), 3)):
        close(call(nn, F.xlog1py), call(torch, torch.special.xlog1py))


def test_frexp_like_torch(torch):
    x = np.array([12.0, -0.3, 0.0, -0.0, 1e-310, 3e300, np.inf, -np.inf, np.nan])
    for dtype in (np.float32, np.float64):
        with np.errstate(over="ignore"):
            some = x.astype(dtype)
        for got, want in zip(F.frexp(nn.tensor(some)), torch.frexp(torch.tensor(some))):
            close(got, want)
    compare(lambda x: F.frexp(x).mantissa, lambda x: torch.frexp(x).mantissa, [x[:4]])


@pytest.mark.parametrize("name", [*BESSEL, "erfcx", "ndtr", "log_ndtr", "ndtri", "entr"])
def test_ends_like_torch(torch, name):
    """But at the infinities of i0 and i1, where PyTorch's is NaN and not the limit."""
    ends = ENDS[2:] if name in ("i0", "i1") else ENDS
    close(getattr(F, name)(nn.tensor(ends)), of(torch, name)(torch.tensor(ends)), each=True)
    if name in ("i0", "i1"):
        y = getattr(F, name)(nn.tensor([math.inf, -math.inf]))
        assert y.tolist() == [math.inf, math.inf if name == "i0" else -math.inf]


def test_two_ends_like_torch(torch):
    a, b = (m.reshape(-1) for m in np.meshgrid(ENDS, ENDS))
    close(F.xlog1py(nn.tensor(a), nn.tensor(b)), torch.special.xlog1py(torch.tensor(a), torch.tensor(b)), each=True)


@pytest.mark.parametrize("n", [2, 3])
def test_ends_of_polygamma_like_torch(torch, n):
    """But at infinity, where PyTorch's is NaN and not 0."""
    x = np.array([0.0, -0.0, -1.0, -2.0, np.nan, 1e-20, 1e20])
    close(F.polygamma(n, nn.tensor(x)), torch.polygamma(n, torch.tensor(x)), each=True)
    assert F.polygamma(n, nn.tensor([np.inf, -np.inf])).tolist() == [0, math.copysign(math.inf, -(-1)**n)]


@pytest.mark.parametrize("name", [*BESSEL, "erfcx", "log_ndtr", "ndtri", "entr", "ndtr"])
def test_second_derivative_like_torch(torch, name):
    inputs = np.array([0.2, 0.7]) if name == "ndtri" else np.array([0.3, 1.7, 21.0 if "e" in name[1:3] else 2.0])
    found = []
    for library, f in ((nn, getattr(F, name)), (torch, of(torch, name))):
        x = library.tensor(inputs, requires_grad=True)
        g, = library.autograd.grad(f(x).sum(), x, create_graph=True)
        found.append(library.autograd.grad(g.sum(), x)[0])
    close(*found, roundings=2000)


def test_further_derivatives():
    x = nn.tensor([1.5], dtype=nn.float64, requires_grad=True)
    g, = nn.autograd.grad(nn.polygamma(1, x).sum(), x, create_graph=True)
    second, = nn.autograd.grad(g.sum(), x)
    assert second.item() == nn.polygamma(3, x).item()
    g, = nn.autograd.grad(nn.lgamma(x).sum(), x, create_graph=True)
    g, = nn.autograd.grad(g.sum(), x, create_graph=True)
    third, = nn.autograd.grad(g.sum(), x)
    assert third.item() == nn.polygamma(2, x).item()
    # I_1 = x / 2 + x^3 / 16 + ...: its third derivative at 0 is 3/8
    x = nn.tensor([0.0], dtype=nn.float64, requires_grad=True)
    y = nn.i1(x)
    for _ in range(3):
        y, = nn.autograd.grad(y.sum(), x, create_graph=True)
    assert y.item() == 0.375
    x = nn.tensor([12.0], dtype=nn.float64, requires_grad=True)
    y, = nn.autograd.grad((nn.frexp(x).mantissa**2).sum(), x, create_graph=True)
    assert nn.autograd.grad(y.sum(), x)[0].item() == 2 / 16**2


def test_in_place():
    x = nn.tensor([1.0, 2.0])
    for name, args in (("i0_", ()), ("polygamma_", (1,)), ("mvlgamma_", (1,))):
        y = x.clone()
        assert getattr(y, name)(*args) is y
        want = F.polygamma(1, x) if args and name[0] == "p" else getattr(x, name[:-1])(*args)
        np.testing.assert_array_equal(y.data, want.data)
    np.testing.assert_array_equal(x.polygamma(2).data, F.polygamma(2, x).data)


def test_the_namespace(torch):
    """nn.special has functions of nn.functional, whose names torch.special has."""
    assert set(nn.special.__all__) <= set(torch.special.__all__)
    functions = [vars(F)[name] for name in F.__all__] if hasattr(F, "__all__") else list(vars(F).values())
    assert all(any(getattr(nn.special, name) is f for f in functions) for name in nn.special.__all__)
    x = np.array([0.2, 0.4])
    for name, args in [("expit", ()), ("gammaln", ()), ("psi", ()), ("logsumexp", (0,)), ("softmax", (0,)),
                       ("log_softmax", (0,)), ("multigammaln", (1,)), ("xlogy", (2.0,)), ("xlog1py", (2.0,))]:
        close(getattr(nn.special, name)(nn.tensor(x), *args), getattr(torch.special, name)(torch.tensor(x), *args))
    close(nn.special.round(nn.tensor(x * 7), decimals=1), torch.special.round(torch.tensor(x * 7), decimals=1))


@pytest.mark.parametrize("name, words", [
    ("gamaln", "Did you mean nn.special.gammaln?"), ("erfcinv", "Did you mean nn.special.erfinv?"),
    ("zeta", "PyTorch has it, fastnn does not."), ("modified_bessel_i0", "nn.special.i0"),
    ("relu", "Did you mean nn.relu?")])
def test_a_name_that_is_missing(name, words):
    with pytest.raises(AttributeError) as caught:
        getattr(nn.special, name)
    assert words in str(caught.value)


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.i0(nn.tensor([True])), nn.DTypeError, ("i0", "bool")),
    (lambda: F.frexp(nn.tensor([1])), nn.DTypeError, ("frexp", "int64")),
    (lambda: F.polygamma(True, nn.ones(1)), nn.DTypeError, ("polygamma", "n as an int", "True")),
    (lambda: F.polygamma(-1, nn.ones(1)), nn.RangeError, ("polygamma", "n >= 0", "-1")),
    (lambda: F.mvlgamma(nn.ones(1), 0), nn.RangeError, ("mvlgamma", "p >= 1", "0")),
    (lambda: F.mvlgamma(nn.ones(1), 1.5), nn.DTypeError, ("mvlgamma", "p as an int", "1.5")),
    (lambda: F.xlog1py(nn.ones(2), nn.ones(3)), nn.ShapeError, ("xlog1py", "(2,)", "(3,)"))])
def test_errors(call, error, words):
    refused(call, error, words)


@pytest.mark.parametrize("name", ["i1", "i1e"])
def test_the_slope_of_a_bessel_function_at_denormals_is_a_half(name):
    for dtype, tiny in ((np.float32, 1e-45), (np.float64, 5e-324)):
        x = nn.tensor(np.array([tiny, -tiny, 0.0], dtype), requires_grad=True)
        getattr(nn.special, name)(x).sum().backward()
        assert x.grad.tolist() == [0.5, 0.5, 0.5]


def test_mvlgamma_takes_no_booleans():
    with pytest.raises(nn.DTypeError, match="mvlgamma: expected numbers, got bool"):
        nn.mvlgamma(nn.tensor([True]), 1)
