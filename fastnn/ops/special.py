"""Bessel functions, the derivatives of digamma, the normal distribution, entropies: what PyTorch
has in torch.special, and `frexp`. NumPy computes them in float64: fastnn/reference/special.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError
from ..guard import whole
from ..op import Op, Refusal, Sample, register
from ..reference import special as reference
from ..tensor import Tensor, tensor
from .arithmetic import add, mul
from .checks import need_float
from .elementary import as_floats, float_check
from .reduce import sum
from .shape import unsqueeze
from .transcendental import SHAPES, erfc, lgamma, of_elements, of_one, of_pairs, of_two, values

__all__ = ["entr", "erfcx", "frexp", "i0", "i0e", "i1", "i1e", "log_ndtr", "multigammaln", "mvlgamma", "ndtr", "ndtri",
           "polygamma", "xlog1py"]


# ---- modified Bessel functions -------------------------------------------------------------------
def i0(input: Tensor) -> Tensor:
    r"""The modified Bessel function of the first kind, of order 0.

    .. math:: y = I_0(x) = \sum_{k \ge 0} \frac{(x / 2)^{2 k}}{k!^2} \qquad dx = I_1(x)\, dy

    Infinite at an infinity, the limit; PyTorch's is NaN there. Within 9 ulp of float64, from which
    float32 is rounded. Parameters and errors: as `exp`.
    Cost: some hundred passes of NumPy.

    >>> import fastnn as nn
    >>> nn.i0(nn.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    return of_one(I0, input)


def i0e(input: Tensor) -> Tensor:
    r"""`i0` without its growth.

    .. math:: y = e^{-|x|} I_0(x) \qquad dx = (e^{-|x|} I_1(x) - \operatorname{sign}(x)\, y)\, dy

    Parameters, error, errors and cost: as `i0`.

    >>> import fastnn as nn
    >>> nn.i0e(nn.tensor([0.0, 1e3]))
    tensor([1.0000, 0.0126])
    """
    return of_one(I0E, input)


def i1(input: Tensor) -> Tensor:
    r"""The modified Bessel function of the first kind, of order 1.

    .. math:: y = I_1(x) = \sum_{k \ge 0} \frac{(x / 2)^{2 k + 1}}{k!\, (k + 1)!} \qquad
        dx = (I_0(x) - y / x)\, dy

    Parameters, error, errors and cost: as `i0`.

    >>> import fastnn as nn
    >>> nn.i1(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.5652])
    """
    return of_one(I1, input)


def i1e(input: Tensor) -> Tensor:
    r"""`i1` without its growth.

    .. math:: y = e^{-|x|} I_1(x) \qquad
        dx = (e^{-|x|} I_0(x) - (\operatorname{sign}(x) + 1 / x)\, y)\, dy

    Parameters, error, errors and cost: as `i0`.

    >>> import fastnn as nn
    >>> nn.i1e(nn.tensor([0.0, 1e3]))
    tensor([0.0000, 0.0126])
    """
    return of_one(I1E, input)


# ---- the normal distribution ---------------------------------------------------------------------
def ndtr(input: Tensor) -> Tensor:
    r"""The probability that a normal variable is at most x.

    .. math:: y = \Phi(x) = \tfrac12 \operatorname{erfc}(-x / \sqrt 2) \qquad
        dx = \frac{e^{-x^2 / 2}}{\sqrt{2 \pi}}\, dy

    Where it is tiny it has digits, too, x^2 ulp less than `erfc`; PyTorch's has none. Parameters
    and errors: as `exp`. Cost: that of `erfc`, and two passes.

    >>> import fastnn as nn
    >>> nn.ndtr(nn.tensor([0.0, -9.0], dtype=nn.float64))
    tensor([5.0000e-01, 1.1286e-19], dtype=float64)
    """
    return mul(erfc(mul(input, -math.sqrt(0.5))), 0.5)


def log_ndtr(input: Tensor) -> Tensor:
    r"""The logarithm of `ndtr`, with all digits wherever it is.

    .. math:: y = \ln \Phi(x) \qquad dx = \frac{\varphi(x)}{\Phi(x)}\, dy

    Within 5 ulp of float64. Parameters and errors: as `exp`. Cost: NumPy's, which calls Python's
    erfc for each element.

    >>> import fastnn as nn
    >>> nn.log_ndtr(nn.tensor([0.0, -100.0]))
    tensor([-6.9315e-01, -5.0055e+03])
    """
    return of_one(LOG_NDTR, input)


def ndtri(input: Tensor) -> Tensor:
    r"""The inverse of `ndtr`: the quantile of a normal variable that has the probability x.

    .. math:: y = \Phi^{-1}(x) \qquad dx = \sqrt{2 \pi}\, e^{y^2 / 2}\, dy

    Infinite at 0 and 1, NaN outside. Within 4 ulp of float64. Parameters and errors: as `exp`.
    Cost: as `log_ndtr`, seven times.

    >>> import fastnn as nn
    >>> nn.ndtri(nn.tensor([0.5, 0.975]))
    tensor([0.00, 1.96])
    """
    return of_one(NDTRI, input)


def erfcx(input: Tensor) -> Tensor:
    r"""`erfc` without its decay.

    .. math:: y = e^{x^2} \operatorname{erfc} x \qquad dx = (2 x y - 2 / \sqrt\pi)\, dy

    Within 4 ulp of float64. Parameters, errors and cost: as `log_ndtr`.

    >>> import fastnn as nn
    >>> nn.erfcx(nn.tensor([0.0, 100.0]))
    tensor([1.0000, 0.0056])
    """
    return of_one(ERFCX, input)


# ---- of the gamma function -----------------------------------------------------------------------
def polygamma(n: int, input: Tensor) -> Tensor:
    r"""The n-th derivative of `digamma`.

    .. math:: y = \psi^{(n)}(x) = (-1)^{n + 1} n! \sum_{k \ge 0} \frac{1}{(x + k)^{n + 1}} \qquad
        dx = \psi^{(n + 1)}(x)\, dy

    Parameters
    ----------
    n : int
        At least 0, where it is `digamma`.
    input : Tensor of any shape, float32 or float64; integers become float32

    Infinite at 0, -1, -2, ..., with the sign that it has right of 0, and where it is too large for
    float64, as mpmath has it. Within 4 + n / 2 ulp of float64 for n up to 1000; but near a zero,
    which even n have half way between two poles, of the largest term.

    Raises
    ------
    RangeError : if n is below 0.
    DTypeError : if n is no whole number, or the input is boolean.

    Cost: up to 200 passes of NumPy, three times as many below 0.

    >>> import fastnn as nn
    >>> nn.polygamma(1, nn.tensor([1.0, 2.0]))
    tensor([1.6449, 0.6449])
    """
    n = order_of("polygamma", "n", n, 0)
    try:
        return apply(POLYGAMMA, input, n=n)
    except DTypeError:
        return apply(POLYGAMMA, as_floats(input), n=n)


def mvlgamma(input: Tensor, p: int) -> Tensor:
    r"""The logarithm of the multivariate gamma function, as Wishart's distribution has it.

    .. math:: y = \frac{p (p - 1)}{4} \ln \pi + \sum_{j=0}^{p-1} \ln |\Gamma(x - j / 2)|

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64; integers become float32
        Above (p - 1) / 2, else the function is not defined, and y whatever the sum gives.
    p : int
        The dimension, from 1 to 65536.

    Raises
    ------
    RangeError : if p is below 1 or larger than that.
    DTypeError : if p is no whole number, or the input is boolean.

    Cost: p times that of `lgamma`.

    >>> import fastnn as nn
    >>> nn.mvlgamma(nn.tensor([2.0, 3.0]), 2)
    tensor([0.4516, 1.5502])
    """
    p = order_of("mvlgamma", "p", p, 1, 2**16)
    if input.dtype.kind == "b":
        raise DTypeError(who="mvlgamma", expected="numbers", got="bool", hint="Convert it: x.float().")
    halves = Tensor((0 - np.arange(p) / 2).astype(input.dtype if input.dtype.kind == "f" else np.float32))
    return add(sum(lgamma(add(unsqueeze(input, -1), halves)), -1), p * (p - 1) / 4 * math.log(math.pi))


# ---- entropies -----------------------------------------------------------------------------------
def entr(input: Tensor) -> Tensor:
    r"""What a probability adds to an entropy.

    .. math:: y = -x \ln x, \; 0 \text{ at } 0 \qquad dx = -(1 + \ln x)\, dy

    Minus infinity below 0. Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.entr(nn.tensor([0.0, 0.5]))
    tensor([0.0000, 0.3466])
    """
    return of_one(ENTR, input)


def xlog1py(input: Any, other: Any) -> Tensor:
    r"""a times the logarithm of 1 + b, exact also where b is small, and 0 where a is 0.

    .. math:: y = a \ln(1 + b) \qquad da = \ln(1 + b)\, dy, \quad db = dy\, a / (1 + b)

    Parameters, errors and cost: as `atan2`.

    >>> import fastnn as nn
    >>> nn.xlog1py(nn.tensor([0.0, 2.0]), nn.tensor([-1.0, 1.0]))
    tensor([0.0000, 1.3863])
    """
    return of_two(XLOG1PY, input, other)


# ---- the parts of a number -----------------------------------------------------------------------
def frexp(input: Tensor) -> Parts:
    r"""The mantissa, from 0.5 to 1, and the exponent of each element.

    .. math:: x = mantissa \cdot 2^{exponent} \qquad dx = d\,mantissa \cdot 2^{-exponent}

    Zeros, infinities and NaN are their own mantissa, with exponent 0. The slope at infinity is 0,
    the limit; PyTorch's is 1.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64

    Returns
    -------
    (mantissa, exponent) : Tensors of its shape, in its dtype and int32

    Errors: as `relu`. Cost: NumPy's frexp.

    >>> import fastnn as nn
    >>> nn.frexp(nn.tensor([12.0]))
    Parts(mantissa=tensor([0.75]), exponent=tensor([4], dtype=int32))
    """
    return Parts(*apply(FREXP, input))


multigammaln = mvlgamma


# ---- checks --------------------------------------------------------------------------------------
class Parts(NamedTuple):
    """What frexp returns."""

    mantissa: Tensor
    exponent: Tensor


def order_of(who: str, name: str, n: Any, least: int, most: float = math.inf) -> int:
    """n as a whole number from `least` to `most`."""
    n = whole(who, f"{name} as an int", n)
    if not least <= n <= most:
        raise RangeError(who=who, expected=f"{name} >= {least}" + (f", at most {most}" if n > most else ""), got=n)
    return n


def check_polygamma(x: Any, *, n: int) -> None:
    need_float("polygamma", x=x)


# ---- records -------------------------------------------------------------------------------------
def special(name: str, formula: str, call: Callable[..., Any], low: float = -2, high: float = 2) -> Op:
    """of_elements, whose definition is in reference/special.py."""
    return of_elements(name, formula, call, low, high, definitions=reference)


I0 = special("i0", "y = I_0(x)", i0)
I0E = special("i0e", "y = e^-|x| I_0(x)", i0e, -30, 30)
I1 = special("i1", "y = I_1(x)", i1)
I1E = special("i1e", "y = e^-|x| I_1(x)", i1e, -30, 30)
LOG_NDTR = special("log_ndtr", "y = ln Phi(x)", log_ndtr, -8, 8)
NDTRI = special("ndtri", "y = the z of which x is Phi(z)", ndtri, 0, 1)
ERFCX = special("erfcx", "y = e^(x^2) erfc x", erfcx)
ENTR = special("entr", "y = -x ln x", entr, 0, 3)
XLOG1PY = of_pairs("xlog1py", "y = a ln(1 + b), 0 where a = 0", xlog1py, 0, definitions=reference)
POLYGAMMA = register(Op(
    name="polygamma", family="elementary", inputs=("x",), formula="y = the n-th derivative of digamma",
    ref_forward=reference.polygamma_forward, ref_backward=reference.polygamma_backward, check=check_polygamma,
    samples=lambda: [*[values(what, shape, 1, 8, n=1) for what, shape in SHAPES],
                     values("digamma", (3, 5), 1, 8, n=0), values("third", (3, 5), 1, 8, n=3)],
    flops=lambda n: 200 * n, bytes=lambda n: 8 * n,
    errors=(Refusal("booleans", lambda: polygamma(1, tensor([True])), DTypeError, ("polygamma", "bool")),
            Refusal("negative", lambda: polygamma(-1, tensor([1.0])), RangeError, ("polygamma", "n >= 0", "-1")),
            Refusal("fraction",
                    # a wrong type on purpose
                    lambda: polygamma(1.5, tensor([1.0])),  # type: ignore[arg-type]
                    DTypeError, ("polygamma", "n as an int", "1.5")))))
FREXP = register(Op(
    name="frexp", family="elementary", inputs=("x",), formula="mantissa, exponent of x = mantissa 2^exponent",
    ref_forward=reference.frexp_forward, ref_backward=reference.frexp_backward, check=float_check("frexp"),
    samples=lambda: [Sample(s.name, tuple([a * 9 for a in s.inputs]), sizes=s.sizes)
                     for s in (values(what, shape, -2, 2) for what, shape in SHAPES)],
    flops=lambda n: n, bytes=lambda n: 12 * n,
    errors=(Refusal("integers", lambda: frexp(tensor([1])), DTypeError, ("frexp", "int64", "float32")),)))
