"""Trigonometric, hyperbolic and special functions of each element, remainders and common divisors,
signs, and bounds from one side.

erfc, erfinv, lgamma and digamma have kernels. NumPy computes the others: the definitions in
fastnn/reference/transcendental.py are what runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import apply, stepped
from ..errors import DTypeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import transcendental as reference
from ..tensor import Tensor, tensor
from .arithmetic import cast, common_shape, maximum, minimum, mul, of_integers, operand, sub
from .checks import common_dtype, need_float
from .compare import ge, gt, le, lt, sign, trunc
from .elementary import as_floats, clamp, float_check
from .indexing import where

__all__ = ["acos", "acosh", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin",
           "asinh", "atan", "atan2", "atanh", "clamp_max", "clamp_min", "copysign", "cosh", "deg2rad", "digamma",
           "erfc", "erfinv", "exp2", "fmax", "fmin", "fmod", "frac", "gcd", "hypot", "isneginf", "isposinf", "isreal",
           "lcm", "lgamma", "logit", "rad2deg", "sgn", "signbit", "sinc", "sinh", "tan", "xlogy"]


# ---- of one array --------------------------------------------------------------------------------
def tan(input: Tensor) -> Tensor:
    r"""The tangent of each element, an angle in radians.

    .. math:: y = \tan x \qquad dx = (1 + y^2)\, dy

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).tan()
    tensor([0.0000, 1.5574])
    """
    return of_one(TAN, input)


def asin(input: Tensor) -> Tensor:
    r"""The angle whose sine is x, from -pi/2 to pi/2.

    .. math:: y = \arcsin x \qquad dx = dy / \sqrt{1 - x^2}

    NaN outside -1 to 1. Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).asin()
    tensor([0.0000, 1.5708])
    """
    return of_one(ASIN, input)


def acos(input: Tensor) -> Tensor:
    r"""The angle whose cosine is x, from 0 to pi.

    .. math:: y = \arccos x \qquad dx = -dy / \sqrt{1 - x^2}

    NaN outside -1 to 1. Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).acos()
    tensor([1.5708, 0.0000])
    """
    return of_one(ACOS, input)


def atan(input: Tensor) -> Tensor:
    r"""The angle whose tangent is x, from -pi/2 to pi/2.

    .. math:: y = \arctan x \qquad dx = dy / (1 + x^2)

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).atan()
    tensor([0.0000, 0.7854])
    """
    return of_one(ATAN, input)


def sinh(input: Tensor) -> Tensor:
    r"""The hyperbolic sine of each element.

    .. math:: y = (e^x - e^{-x}) / 2 \qquad dx = \cosh(x)\, dy

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).sinh()
    tensor([0.0000, 1.1752])
    """
    return of_one(SINH, input)


def cosh(input: Tensor) -> Tensor:
    r"""The hyperbolic cosine of each element.

    .. math:: y = (e^x + e^{-x}) / 2 \qquad dx = \sinh(x)\, dy

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).cosh()
    tensor([1.0000, 1.5431])
    """
    return of_one(COSH, input)


def asinh(input: Tensor) -> Tensor:
    r"""The inverse of `sinh`.

    .. math:: y = \ln(x + \sqrt{x^2 + 1}) \qquad dx = dy / \sqrt{x^2 + 1}

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).asinh()
    tensor([0.0000, 0.8814])
    """
    return of_one(ASINH, input)


def acosh(input: Tensor) -> Tensor:
    r"""The inverse of `cosh` from 1 on; NaN below.

    .. math:: y = \ln(x + \sqrt{x^2 - 1}) \qquad dx = dy / \sqrt{x^2 - 1}

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]).acosh()
    tensor([0.000, 1.317])
    """
    return of_one(ACOSH, input)


def atanh(input: Tensor) -> Tensor:
    r"""The inverse of `tanh`; NaN outside -1 to 1.

    .. math:: y = \tfrac12 \ln \frac{1 + x}{1 - x} \qquad dx = dy / (1 - x^2)

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 0.5]).atanh()
    tensor([0.0000, 0.5493])
    """
    return of_one(ATANH, input)


def exp2(input: Tensor) -> Tensor:
    r"""2 to the power of each element.

    .. math:: y = 2^x \qquad dx = y \ln(2)\, dy

    Parameters, errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 3.0]).exp2()
    tensor([1., 8.])
    """
    return of_one(EXP2, input)


def sinc(input: Tensor) -> Tensor:
    r"""The sine of pi x over pi x: what a low-pass filter answers to a single pulse.

    .. math:: y = \frac{\sin \pi x}{\pi x}, \; 1 \text{ at } 0 \qquad dx = dy\, (\cos \pi x - y) / x

    0 at an infinity, the limit. Parameters, errors and cost: as `exp`; NumPy computes it in
    float64.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 0.5]).sinc()
    tensor([1.0000, 0.6366])
    """
    return of_one(SINC, input)


def erfc(input: Tensor) -> Tensor:
    r"""What `erf` leaves to 1, with all digits also where that is tiny.

    .. math:: y = 1 - \operatorname{erf} x \qquad dx = -\frac{2}{\sqrt\pi} e^{-x^2} dy

    Parameters and errors: as `exp`. Cost: one pass, some forty multiply-adds an element.

    >>> import fastnn as nn
    >>> nn.erfc(nn.tensor([0.0, 3.0], dtype=nn.float64))
    tensor([1.000e+00, 2.209e-05], dtype=float64)
    """
    return of_one(ERFC, input)


def erfinv(input: Tensor) -> Tensor:
    r"""The inverse of `erf`: quantiles of the normal distribution.

    .. math:: y = \operatorname{erf}^{-1} x \qquad dx = \frac{\sqrt\pi}{2} e^{y^2} dy

    Infinite at -1 and 1, NaN outside. Parameters and errors: as `exp`. Cost: one pass, some sixty
    multiply-adds an element, twice that in float64.

    >>> import fastnn as nn
    >>> nn.erfinv(nn.tensor([0.0, 0.5]))
    tensor([0.0000, 0.4769])
    """
    return of_one(ERFINV, input)


def lgamma(input: Tensor) -> Tensor:
    r"""The logarithm of the gamma function, or of its opposite where that is negative.

    .. math:: y = \ln |\Gamma(x)|, \quad \Gamma(n) = (n - 1)! \qquad dx = \psi(x)\, dy

    Parameters and errors: as `exp`. Cost: one pass, some hundred multiply-adds an element.

    >>> import fastnn as nn
    >>> nn.lgamma(nn.tensor([1.0, 5.0]))
    tensor([0.0000, 3.1781])
    """
    return of_one(LGAMMA, input)


def digamma(input: Tensor) -> Tensor:
    r"""The derivative of `lgamma`.

    .. math:: y = \psi(x) = \frac{d}{dx} \ln |\Gamma(x)|

    NaN at -1, -2, ..., infinite at 0. Parameters and errors: as `exp`. Cost: one pass, some hundred
    multiply-adds an element.

    >>> import fastnn as nn
    >>> nn.digamma(nn.tensor([1.0, 2.0]))
    tensor([-0.5772,  0.4228])
    """
    return of_one(DIGAMMA, input)


def logit(input: Tensor, eps: float | None = None) -> Tensor:
    r"""The inverse of `sigmoid`: the score of a probability.

    .. math:: y = \ln \frac{x}{1 - x} \qquad dx = \frac{dy}{x (1 - x)}

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64; integers become float32
    eps : float, optional
        Move x into eps to 1 - eps first, outside of which the gradient is 0. Else the result is NaN
        outside 0 to 1.

    Errors and cost: as `exp`; NumPy computes it.

    >>> import fastnn as nn
    >>> nn.logit(nn.tensor([0.5, 0.9]))
    tensor([0.0000, 2.1972])
    """
    eps = None if eps is None or eps < 0 else float(eps)
    try:
        return apply(LOGIT, input, eps=eps)
    except DTypeError:
        return apply(LOGIT, as_floats(input), eps=eps)


def frac(input: Tensor) -> Tensor:
    r"""What is behind the decimal point, with x's sign.

    .. math:: y = x - \operatorname{trunc}(x) \qquad dx = dy

    Parameters and errors: as `exp`, but no integers. Cost: two passes over the elements. Of
    infinity it is NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.frac(nn.tensor([1.25, -1.25]))
    tensor([ 0.25, -0.25])
    """
    need_float("frac", input=input._data)
    return sub(input, trunc(input.detach()))


def deg2rad(input: Tensor) -> Tensor:
    r"""Degrees as radians: pi x / 180.

    Parameters, errors and cost: as `exp`, with one multiplication.

    >>> import fastnn as nn
    >>> nn.deg2rad(nn.tensor([180.0]))
    tensor([3.1416])
    """
    return mul(input, math.pi / 180)


def rad2deg(input: Tensor) -> Tensor:
    r"""Radians as degrees: 180 x / pi.

    Parameters, errors and cost: as `exp`, with one multiplication.

    >>> import fastnn as nn
    >>> nn.rad2deg(nn.tensor([nn.pi]))
    tensor([180.])
    """
    return mul(input, 180 / math.pi)


def angle(input: Tensor) -> Tensor:
    """0, or pi where x is below 0: the angle of a number of the complex plane. The gradient is 0.

    Parameters, errors and cost: as `isnan`.

    >>> import fastnn as nn
    >>> nn.angle(nn.tensor([1.0, -2.0]))
    tensor([0.0000, 3.1416])
    """
    x = input._data if input._data.dtype.kind == "f" else input._data.astype(np.float32)
    return stepped("angle", np.asarray(np.where(np.isnan(x), x, np.where(x < 0, math.pi, 0)), x.dtype), input)


def clamp_min(input: Tensor, min: Any) -> Tensor:
    """The larger of x and a lower bound.

    Of equals x has the gradient, and at NaN there is none.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    min : number or Tensor, which broadcasts

    Errors: as `clamp`. Cost: as `clamp`; with a tensor seven passes.

    >>> import fastnn as nn
    >>> nn.clamp_min(nn.tensor([-1.0, 2.0]), 0)
    tensor([0., 2.])
    """
    if not isinstance(min, Tensor):
        return clamp(input, min) if input.dtype.kind != "b" else maximum(input, min)
    return where(ge(input, min), input, where(lt(input, min), min, maximum(input, min).detach()))


def clamp_max(input: Tensor, max: Any) -> Tensor:
    """The smaller of x and an upper bound.

    Of equals x has the gradient, and at NaN there is none.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    max : number or Tensor, which broadcasts

    Errors and cost: as `clamp_min`.

    >>> import fastnn as nn
    >>> nn.clamp_max(nn.tensor([-1.0, 2.0]), 0)
    tensor([-1.,  0.])
    """
    if not isinstance(max, Tensor):
        return clamp(input, None, max) if input.dtype.kind != "b" else minimum(input, max)
    return where(le(input, max), input, where(gt(input, max), max, minimum(input, max).detach()))


# ---- of two arrays -------------------------------------------------------------------------------
def atan2(input: Tensor, other: Any) -> Tensor:
    r"""The angle of the point (b, a), from -pi to pi.

    .. math:: y = \arg(b + i a) \qquad da = \frac{b\, dy}{a^2 + b^2}, \quad
        db = \frac{-a\, dy}{a^2 + b^2}

    The slopes at (0, 0) are taken as 0.

    Parameters
    ----------
    input, other : Tensor, array or number
        a and b, which broadcast; integers become float32.

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if an operand is no number, array or tensor.

    Cost: reads both and writes the result once, in NumPy.

    >>> import fastnn as nn
    >>> nn.atan2(nn.tensor([1.0, 1.0]), nn.tensor([1.0, -1.0]))
    tensor([0.7854, 2.3562])
    """
    return of_two(ATAN2, input, other)


def hypot(input: Tensor, other: Any) -> Tensor:
    r"""The longest side of a right triangle; no square overflows.

    .. math:: y = \sqrt{a^2 + b^2} \qquad da = dy\, a / y, \quad db = dy\, b / y

    Parameters, errors and cost: as `atan2`, but no integers.

    >>> import fastnn as nn
    >>> nn.hypot(nn.tensor([3.0, 3e30]), nn.tensor([4.0, 4e30]))
    tensor([5.e+00, 5.e+30])
    """
    return of_two(HYPOT, input, other, integers=False)


def xlogy(input: Any, other: Any) -> Tensor:
    r"""a times the logarithm of b, and 0 where a is 0: a term of an entropy.

    .. math:: y = a \ln b \qquad da = \ln(b)\, dy, \quad db = dy\, a / b

    Parameters, errors and cost: as `atan2`.

    >>> import fastnn as nn
    >>> nn.xlogy(nn.tensor([0.0, 2.0]), nn.tensor([0.0, 1.0]))
    tensor([0., 0.])
    """
    return of_two(XLOGY, input, other)


def fmod(input: Tensor, other: Any) -> Tensor:
    r"""What a division leaves, with a's sign; `remainder` has b's.

    .. math:: y = a - b \operatorname{trunc}(a / b) \qquad da = dy, \quad
        db = -\operatorname{trunc}(a / b)\, dy

    Parameters, errors and cost: as `atan2`; integers stay integers. Where a is infinite or b is 0
    the result is NaN, but of integers an error.

    >>> import fastnn as nn
    >>> nn.fmod(nn.tensor([-7.0, 7.0]), 3)
    tensor([-1.,  1.])
    """
    return of_two(FMOD, input, other, np.fmod)


def copysign(input: Tensor, other: Any) -> Tensor:
    r"""The size of a with the sign of b.

    .. math:: y = \pm a \qquad da = \pm dy, \; 0 \text{ at } 0

    The gradient of b is 0. Parameters, errors and cost: as `atan2`, in three passes.

    >>> import fastnn as nn
    >>> nn.copysign(nn.tensor([1.0, -2.0]), -1.0)
    tensor([-1., -2.])
    """
    a, b = floats_of("copysign", input, other)
    common_shape("copysign", a.shape, b.shape)
    changes = np.signbit(a._data) != np.signbit(b._data)
    zero = Tensor(np.asarray(np.copysign(a.dtype.type(0), b._data)))
    sign = stepped("copysign", np.asarray(np.where(changes, -1, 1), a.dtype), b)
    return where(Tensor(np.asarray(a._data == 0)), zero, mul(a, sign))


def fmax(input: Tensor, other: Tensor) -> Tensor:
    """The larger of a and b; where one is NaN, the other. Of equals a has the gradient.

    Parameters, errors and cost: as `atan2`, but integers stay integers.

    >>> import fastnn as nn
    >>> nn.fmax(nn.tensor([1.0, float("nan")]), nn.tensor([2.0, 3.0]))
    tensor([2., 3.])
    """
    a, b = input._data, other._data
    common_shape("fmax", a.shape, b.shape)
    return where(Tensor(np.asarray((a >= b) | np.isnan(b))), input, other)


def fmin(input: Tensor, other: Tensor) -> Tensor:
    """The smaller of a and b; where one is NaN, the other. Of equals a has the gradient.

    Parameters, errors and cost: as `fmax`.

    >>> import fastnn as nn
    >>> nn.fmin(nn.tensor([1.0, float("nan")]), nn.tensor([2.0, 3.0]))
    tensor([1., 3.])
    """
    a, b = input._data, other._data
    common_shape("fmin", a.shape, b.shape)
    return where(Tensor(np.asarray((a <= b) | np.isnan(b))), input, other)


def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor of integers.

    Parameters
    ----------
    input, other : Tensor of integers, which broadcast

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if one is not of integers.

    Cost: as `atan2`.

    >>> import fastnn as nn
    >>> nn.gcd(nn.tensor([12, 7]), nn.tensor([18, 0]))
    tensor([6, 7])
    """
    return of_whole("gcd", np.gcd, input, other)


def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple of integers. Parameters, errors and cost: as `gcd`.

    >>> import fastnn as nn
    >>> nn.lcm(nn.tensor([4, 7]), nn.tensor([6, 0]))
    tensor([12,  0])
    """
    return of_whole("lcm", np.lcm, input, other)


# ---- what is so: bool tensors --------------------------------------------------------------------
def signbit(input: Tensor) -> Tensor:
    """Where x has a minus sign, -0.0 too. Parameters, errors and cost: as `isnan`.

    >>> import fastnn as nn
    >>> nn.signbit(nn.tensor([1.0, -0.0]))
    tensor([False,  True])
    """
    x = input._data
    return Tensor(np.asarray(np.signbit(x) if x.dtype.kind == "f" else x < 0))


def isposinf(input: Tensor) -> Tensor:
    """Where x is plus infinity. Parameters, errors and cost: as `isnan`.

    >>> import fastnn as nn
    >>> nn.isposinf(nn.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    return Tensor(np.asarray(input._data == np.inf))


def isneginf(input: Tensor) -> Tensor:
    """Where x is minus infinity. Parameters, errors and cost: as `isnan`.

    >>> import fastnn as nn
    >>> nn.isneginf(nn.tensor([1.0, float("-inf")]))
    tensor([False,  True])
    """
    return Tensor(np.asarray(input._data == -np.inf))


def isreal(input: Tensor) -> Tensor:
    """True everywhere: fastnn has no complex numbers. Parameters, errors and cost: as `isnan`.

    >>> import fastnn as nn
    >>> nn.isreal(nn.tensor([1.0]))
    tensor([ True])
    """
    return Tensor(np.ones(input.shape, bool))


def sgn(input: Tensor) -> Tensor:
    """`sign` under the name that PyTorch has for complex numbers, too.

    Parameters, errors and cost: as `sign`.

    >>> import fastnn as nn
    >>> nn.sgn(nn.tensor([-2.0, 0.0]))
    tensor([-1.,  0.])
    """
    return sign(input)


arcsin, arccos, arctan, arctan2, arcsinh, arccosh, arctanh = asin, acos, atan, atan2, asinh, acosh, atanh


# ---- what the functions share --------------------------------------------------------------------
def of_one(op: Op, input: Any) -> Tensor:
    try:
        return apply(op, input)
    except DTypeError:
        return apply(op, as_floats(input))


def floats_of(who: str, a: Any, b: Any, integers: bool = True) -> list[Tensor]:
    """Two operands as tensors of one floating-point type; integers as float32, or an error."""
    a, b = operand(who, a), operand(who, b)
    arrays = [t._data if isinstance(t, Tensor) else t for t in (a, b)]
    dtype = common_dtype(who, *arrays)
    if dtype.kind != "f":
        if not integers:
            raise DTypeError(who=who, expected="float32 or float64", got=str(dtype),
                             hint="Convert it, for example with .float().")
        dtype = np.dtype(np.float32)
    return [t if isinstance(t, Tensor) else tensor(np.asarray(t, dtype)) for t in (cast(who, t, dtype) for t in (a, b))]


def of_two(op: Op, a: Any, b: Any, whole: Callable[..., Any] | None = None, integers: bool = True) -> Tensor:
    """op(a, b) of floats; `whole` computes integers where the result has no fractions."""
    a, b = operand(op.name, a), operand(op.name, b)
    if whole is not None:
        arrays = [t._data if isinstance(t, Tensor) else t for t in (a, b)]
        dtype = common_dtype(op.name, *arrays)
        if dtype.kind != "f":
            return Tensor(of_integers(op.name, whole, dtype, *arrays))
    return apply(op, *floats_of(op.name, a, b, integers))


def of_whole(who: str, function: Callable[..., Any], a: Tensor, b: Tensor) -> Tensor:
    for t in (a, b):
        if t.dtype.kind not in "iu":
            raise DTypeError(who=who, expected="integers", got=str(t.dtype), hint="Convert it with .long().")
    common_shape(who, a.shape, b.shape)
    dtype = common_dtype(who, a._data, b._data)
    return Tensor(np.asarray(function(a._data.astype(dtype), b._data.astype(dtype))))


# ---- checks --------------------------------------------------------------------------------------
def check_two(who: str) -> Callable[..., None]:
    """A check that two float arrays of one type broadcast."""
    def check(a: Any, b: Any) -> None:
        need_float(who, a=a, b=b)
        common_shape(who, a.shape, b.shape)
    return check


# ---- samples -------------------------------------------------------------------------------------
SHAPES: tuple[tuple[str, tuple[int, ...]], ...] = (("one", (1,)), ("odd", (3, 5, 7)), ("zero-dimensional", ()),
                                                   ("empty", (0, 4)))


def values(name: str, shape: tuple[int, ...], low: float, high: float, **attrs: Any) -> Sample:
    """Values between low and high that stay 0.05 away from whole numbers, where there are kinks."""
    x = seeded(name).uniform(low, high, shape)
    x = np.asarray(np.floor(x) + np.clip(x - np.floor(x), 0.05, 0.95))
    return Sample(name, (x,), attrs, {"n": x.size})


def pairs(low: float) -> list[Sample]:
    """Every way of broadcasting; both positive where low is 0."""
    shapes: list[tuple[str, tuple[int, ...], tuple[int, ...]]] = [
        ("odd", (3, 5, 7), (3, 5, 7)), ("row", (4, 5), (5,)), ("column first", (4, 1), (4, 5)), ("number", (3, 5), ()),
        ("empty", (0, 4), (4,))]
    return [Sample(name, (values(name, a, low, 3).inputs[0],
                          np.asarray(values(f"{name} b", b, low, 2).inputs[0] * 1.07)),
                   sizes={"n": math.prod(np.broadcast_shapes(a, b))}) for name, a, b in shapes]


# ---- records -------------------------------------------------------------------------------------
def of_elements(name: str, formula: str, call: Callable[..., Any], low: float = -2, high: float = 2,
                definitions: Any = reference, **fields: Any) -> Op:
    """The record of y = f(x), with samples between low and high."""
    forward, backward = getattr(definitions, name)
    return register(Op(
        name=name, family="elementary", inputs=("x",), formula=formula, ref_forward=forward, ref_backward=backward,
        check=float_check(name), samples=lambda: [values(what, shape, low, high) for what, shape in SHAPES],
        flops=lambda n: 20 * n, bytes=lambda n: 8 * n,
        errors=(Refusal("text", lambda: call("1"), DTypeError, (name, "str")),
                Refusal("booleans", lambda: call(tensor([True])), DTypeError, (name, "bool", "float32"))), **fields))


def in_c(name: str, formula: str, call: Callable[..., Any], low: float = -2, high: float = 2,
         **fields: Any) -> Op:
    """of_elements with kernels. NumPy has no such function, so the definition is what they race."""
    return of_elements(
        name, formula, call, low, high, forward=kernel(f"{name}_forward"), backward=kernel(f"{name}_backward"),
        fits=kernel("fits_float"), fast_numpy=lambda x: getattr(reference, name)[0](x)[0],
        bench={"2048x512": lambda: values("2048x512", (2048, 512), low, high)}, **fields)


def of_pairs(name: str, formula: str, call: Callable[..., Any], low: float = -3, definitions: Any = reference,
             **fields: Any) -> Op:
    """The record of y = f(a, b)."""
    return register(Op(
        name=name, family="elementary", inputs=("a", "b"), formula=formula,
        ref_forward=getattr(definitions, f"{name}_forward"), ref_backward=getattr(definitions, f"{name}_backward"),
        check=check_two(name), samples=lambda: pairs(low), flops=lambda n: 20 * n, bytes=lambda n: 12 * n,
        errors=(Refusal("shapes", lambda: call(tensor(np.ones((2, 3))), tensor(np.ones((2, 4)))),
                        ShapeError, (name, "(2, 3)", "(2, 4)")),
                Refusal("text", lambda: call(tensor([1.0]), "2"), DTypeError, (name, "str"))), **fields))


TAN = of_elements("tan", "y = tan x", tan, -1.4, 1.4)
ASIN = of_elements("asin", "y = arcsin x", asin, -1, 1)
ACOS = of_elements("acos", "y = arccos x", acos, -1, 1)
ATAN = of_elements("atan", "y = arctan x", atan)
SINH = of_elements("sinh", "y = sinh x", sinh)
COSH = of_elements("cosh", "y = cosh x", cosh)
ASINH = of_elements("asinh", "y = arsinh x", asinh)
ACOSH = of_elements("acosh", "y = arcosh x", acosh, 1, 4)
ATANH = of_elements("atanh", "y = artanh x", atanh, -1, 1)
EXP2 = of_elements("exp2", "y = 2^x", exp2)
SINC = of_elements("sinc", "y = sin(pi x) / (pi x)", sinc, -3, 3)
ERFC = in_c("erfc", "y = 1 - erf x", erfc)
ERFINV = in_c("erfinv", "y = the z of which x is erf z", erfinv, -1, 1)
# Python's lgamma is off by up to 9 unit roundoffs of 1 + |y|, measured against 40 digits, and the
# kernel by 4. The slope, digamma, is off by 10 and 8: the logarithm of 20 and ten fractions, some 3
# in all, are nearly equal.
LGAMMA = in_c("lgamma", "y = ln |Gamma(x)|", lgamma, -3, 8, slack=4)
DIGAMMA = in_c("digamma", "y = d/dx ln |Gamma(x)|", digamma, -3, 8, slack=5)
ATAN2 = of_pairs("atan2", "y = the angle of (b, a)", atan2)
HYPOT = of_pairs("hypot", "y = sqrt(a^2 + b^2)", hypot)
XLOGY = of_pairs("xlogy", "y = a ln b, 0 where a = 0", xlogy, 0)
FMOD = of_pairs("fmod", "y = a - b trunc(a / b)", fmod, keeps_nan=("a",))
LOGIT = register(Op(
    name="logit", family="elementary", inputs=("x",), formula="y = ln(x / (1 - x))",
    ref_forward=reference.logit_forward, ref_backward=reference.logit_backward, check=float_check("logit"),
    samples=lambda: [*[values(what, shape, 0, 1, eps=None) for what, shape in SHAPES],
                     values("moved", (3, 5), 0, 1, eps=0.2)],
    flops=lambda n: 20 * n, bytes=lambda n: 8 * n,
    errors=(Refusal("booleans", lambda: logit(tensor([True])), DTypeError, ("logit", "bool")),)))
