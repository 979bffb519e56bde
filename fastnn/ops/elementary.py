"""Elementary functions of one array.

Kernels: csrc/pointwise/arithmetic.c. Definitions: fastnn/reference/arithmetic.py.

The float32 functions are in csrc/core/simd.h, with their errors in ulp: the distance between two
neighbouring numbers of the type.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import arithmetic as reference
from ..tensor import Tensor, number_of, tensor, wrapped
from .arithmetic import (
    DIV,
    MAXIMUM,
    MINIMUM,
    POW_TENSOR,
    as_float,
    binary,
    cast,
    common_shape,
    operand,
)
from .checks import common_dtype, need_array, need_float
from .clone import to

__all__ = ["abs", "absolute", "clamp", "clip", "cos", "erf", "exp", "expm1", "log", "log1p", "log2", "log10", "neg",
           "negative", "pow", "reciprocal", "rsqrt", "sin", "sqrt", "square"]

_PLAIN = frozenset({float, int, type(None)})        # the classes of bounds that take the quick way


def neg(input: Tensor) -> Tensor:
    r"""The opposite of each element.

    .. math:: y = -x \qquad dx = -dy

    Parameters
    ----------
    input : Tensor of any shape
        Integers give integers and have no gradient.

    Returns
    -------
    Tensor of the same shape and dtype.

    Raises
    ------
    DTypeError : for booleans.

    Cost: reads and writes each element once.

    >>> import fastnn as nn
    >>> -nn.tensor([1.0, -2.0])
    tensor([-1.,  2.])
    """
    return wrapped(np.asarray(-input._data)) if is_integer(input) else apply(NEG, input)


def abs(input: Tensor) -> Tensor:
    r"""The absolute value of each element.

    .. math:: y = |x| \qquad dx = \operatorname{sign}(x)\, dy, \; 0 \text{ at } 0

    Parameters, errors and cost: as `neg`.

    >>> import fastnn as nn
    >>> nn.tensor([-3.0, 2.0]).abs()
    tensor([3., 2.])
    """
    return wrapped(np.asarray(np.abs(input._data))) if is_integer(input) else apply(ABS, input)


def exp(input: Tensor) -> Tensor:
    r"""The exponential of each element.

    .. math:: y = e^x \qquad dx = y\, dy

    float32 is exact within 1.02 ulp.

    Parameters
    ----------
    input : Tensor of any shape
        Integers count as float32 and have no gradient.

    Returns
    -------
    Tensor of the same shape and dtype.

    Raises
    ------
    DTypeError : for booleans.

    Cost: reads and writes each element once; about 12 flop an element.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).exp()
    tensor([1.0000, 2.7183])
    """
    try:
        return apply(EXP, input)
    except DTypeError:
        return apply(EXP, as_floats(input))


def expm1(input: Tensor) -> Tensor:
    r"""exp(x) - 1, exact to the last digits also where x is small.

    .. math:: y = e^x - 1 \qquad dx = (y + 1)\, dy

    float32 is exact within 1.6 ulp. Parameters, errors and cost: as `exp`.

    >>> import fastnn as nn
    >>> nn.tensor([1e-20]).expm1(), nn.tensor([1e-20]).exp() - 1
    (tensor([1.e-20]), tensor([0.]))
    """
    try:
        return apply(EXPM1, input)
    except DTypeError:
        return apply(EXPM1, as_floats(input))


def log(input: Tensor) -> Tensor:
    r"""The natural logarithm of each element.

    .. math:: y = \ln x \qquad dx = dy / x

    Minus infinity at 0, NaN below. float32 is exact within 0.9 ulp.

    Parameters, errors and cost: as `exp`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 10.0]).log()
    tensor([0.0000, 2.3026])
    """
    try:
        return apply(LOG, input)
    except DTypeError:
        return apply(LOG, as_floats(input))


def log1p(input: Tensor) -> Tensor:
    r"""ln(1 + x), exact to the last digits also where x is small.

    .. math:: y = \ln(1 + x) \qquad dx = dy / (1 + x)

    float32 is exact within 1.5 ulp. Parameters, errors and cost: as `exp`.

    >>> import fastnn as nn
    >>> nn.tensor([1e-20]).log1p(), (nn.tensor([1e-20]) + 1).log()
    (tensor([1.e-20]), tensor([0.]))
    """
    try:
        return apply(LOG1P, input)
    except DTypeError:
        return apply(LOG1P, as_floats(input))


def log2(input: Tensor) -> Tensor:
    r"""The logarithm to base 2 of each element.

    .. math:: y = \ln x / \ln 2 \qquad dx = dy / (x \ln 2)

    Minus infinity at 0, NaN below. Exact at powers of 2; elsewhere float32 is within 1.4 ulp.

    Parameters, errors and cost: as `exp`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 8.0]).log2()
    tensor([0., 3.])
    """
    try:
        return apply(LOG2, input)
    except DTypeError:
        return apply(LOG2, as_floats(input))


def log10(input: Tensor) -> Tensor:
    r"""The logarithm to base 10 of each element.

    .. math:: y = \ln x / \ln 10 \qquad dx = dy / (x \ln 10)

    Minus infinity at 0, NaN below. Exact at powers of 10; elsewhere float32 is within 2.1 ulp.

    Parameters, errors and cost: as `exp`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 100.0]).log10()
    tensor([0., 2.])
    """
    try:
        return apply(LOG10, input)
    except DTypeError:
        return apply(LOG10, as_floats(input))


def erf(input: Tensor) -> Tensor:
    r"""The error function of each element.

    .. math:: y = \frac{2}{\sqrt\pi} \int_0^x e^{-t^2} dt \qquad dx = \frac{2}{\sqrt\pi} e^{-x^2} dy

    float32 is exact within 2.5 ulp. Parameters, errors and cost: as `exp`; about 24 flop.

    >>> import fastnn as nn
    >>> nn.functional.erf(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8427])
    """
    try:
        return apply(ERF, input)
    except DTypeError:
        return apply(ERF, as_floats(input))


def sqrt(input: Tensor) -> Tensor:
    r"""The square root of each element.

    .. math:: y = \sqrt x \qquad dx = dy / 2y

    NaN below 0. Parameters, errors and cost: as `exp`, with one instruction for the root.

    >>> import fastnn as nn
    >>> nn.tensor([4.0, 9.0]).sqrt()
    tensor([2., 3.])
    """
    try:
        return apply(SQRT, input)
    except DTypeError:
        return apply(SQRT, as_floats(input))


def rsqrt(input: Tensor) -> Tensor:
    r"""One over the square root of each element.

    .. math:: y = 1 / \sqrt x \qquad dx = -dy\, y / 2x

    Parameters, errors and cost: as `exp`, in two passes.

    >>> import fastnn as nn
    >>> nn.tensor([4.0, 16.0]).rsqrt()
    tensor([0.50, 0.25])
    """
    return apply(DIV, 1.0, sqrt(input))


def reciprocal(input: Tensor) -> Tensor:
    r"""One over each element.

    .. math:: y = 1 / x \qquad dx = -dy / x^2

    Parameters, errors and cost: as `exp`, with one division.

    >>> import fastnn as nn
    >>> nn.tensor([2.0, 4.0]).reciprocal()
    tensor([0.50, 0.25])
    """
    try:
        return apply(POW, input, exponent=-1.0)
    except DTypeError:
        return apply(POW, as_floats(input), exponent=-1.0)


def square(input: Tensor) -> Tensor:
    r"""The square of each element.

    .. math:: y = x^2 \qquad dx = 2 x\, dy

    Parameters, errors and cost: as `neg`.

    >>> import fastnn as nn
    >>> nn.tensor([2.0, -3.0]).square()
    tensor([4., 9.])
    """
    return pow(input, 2)


def sin(input: Tensor) -> Tensor:
    r"""The sine of each element, an angle in radians.

    .. math:: y = \sin x \qquad dx = \cos(x)\, dy

    Parameters, errors and cost: as `exp`. NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).sin()
    tensor([0.0000, 0.8415])
    """
    try:
        return apply(SIN, input)
    except DTypeError:
        return apply(SIN, as_floats(input))


def cos(input: Tensor) -> Tensor:
    r"""The cosine of each element, an angle in radians.

    .. math:: y = \cos x \qquad dx = -\sin(x)\, dy

    Parameters, errors and cost: as `exp`. NumPy computes it.

    >>> import fastnn as nn
    >>> nn.tensor([0.0, 1.0]).cos()
    tensor([1.0000, 0.5403])
    """
    try:
        return apply(COS, input)
    except DTypeError:
        return apply(COS, as_floats(input))


def pow(input: Any, exponent: Any) -> Tensor:
    r"""a to the power b, element by element, broadcast.

    .. math:: y = a^b \qquad da = b\, a^{b-1} dy, \quad db = a^b \ln(a)\, dy

    da is taken as 0 where b = 0, and db as 0 where y = 0.

    Parameters
    ----------
    input, exponent : Tensor, array or number
        a and b; one of them may be a number.

    Raises
    ------
    ShapeError : if the shapes cannot be broadcast together.
    DTypeError : if an operand is no number, array or tensor.

    Cost: the exponents 2, 3, -1, 1/2 and -1/2, as numbers, take one or two multiplications,
    divisions or roots; others one call of the C library's pow.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]) ** 2
    tensor([1., 4., 9.])
    >>> 2 ** nn.tensor([1.0, 2.0, 3.0])
    tensor([2., 4., 8.])
    """
    number = exponent.__class__ is int or exponent.__class__ is float
    if number and isinstance(input, Tensor) and input._data.dtype.kind == "f":
        return apply(POW, input, exponent=float(exponent))
    return binary(POW_TENSOR, np.power, input, exponent)


def clamp(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    r"""Each element moved into the range from min to max.

    .. math:: y = \min(\max(x, low), high) \qquad dx = dy \cdot [low \le x \le high]

    Where low is above high, y is high everywhere; a bound of NaN makes y NaN.

    Parameters
    ----------
    input : Tensor of any shape
        Integers with bounds that have fractions become float32.
    min, max : number or Tensor, optional
        low and high. One may be left out; tensors broadcast, and get the gradient where they are
        the result.

    Raises
    ------
    RangeError : if there is neither a lower nor an upper bound, or no integer of input's type lies
        within.
    ShapeError : if bounds that are tensors cannot be broadcast.
    DTypeError : if all are booleans.

    Cost: reads and writes each element once; with tensors once for each bound.

    >>> import fastnn as nn
    >>> nn.tensor([-1.0, 0.5, 2.0]).clamp(0, 1)
    tensor([0.0, 0.5, 1.0])
    """
    if (isinstance(input, Tensor) and input._data.dtype.kind == "f"
            and min.__class__ in _PLAIN and max.__class__ in _PLAIN):
        if min is None and max is None:
            raise RangeError("a lower or an upper bound is needed", who="clamp", expected="min, max or both",
                             got="neither")
        return apply(CLAMP, input, low=-np.inf if min is None else as_float("clamp", min),
                     high=np.inf if max is None else as_float("clamp", max))
    need_array("clamp", input=getattr(input, "_data", input))
    x, low, high = (None if a is None else operand("clamp", a) for a in (input, min, max))
    if x is None or (low is None and high is None):
        raise RangeError("a tensor and a bound are needed", who="clamp", expected="min, max or both", got="neither")
    dtype = common_dtype("clamp", *[getattr(a, "_data", a) for a in (x, low, high) if a is not None])
    if dtype.kind == "b":
        raise DTypeError(who="clamp", expected="float32, float64 or an integer type", got="bool",
                         hint="Convert it, for example with .float().")
    if dtype.kind != "f":
        y = x._data.astype(dtype, copy=False)
        common_shape("clamp", *[a.shape for a in (x, low, high) if isinstance(a, Tensor)])
        y = y if low is None else np.maximum(y, integer_bound(low, dtype, -1))
        return wrapped(np.asarray(y if high is None else np.minimum(y, integer_bound(high, dtype, 1))))
    x, low, high = (a if a is None else cast("clamp", a, dtype) for a in (x, low, high))
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        return apply(CLAMP_BETWEEN, x, *[a if a is None or isinstance(a, Tensor) else tensor(a, dtype)
                                         for a in (low, high)])
    return apply(CLAMP, x, low=-np.inf if low is None else low, high=np.inf if high is None else high)


negative, clip, absolute = neg, clamp, abs


# ---- what the functions share --------------------------------------------------------------------
def is_integer(x: Any) -> bool:
    """An integer tensor: NumPy computes it, and there is no gradient."""
    return isinstance(x, Tensor) and x._data.dtype.kind in "iu"


def as_floats(input: Any) -> Any:
    """Called while a DTypeError is handled: integers as float32, as in PyTorch; of anything else
    the error goes on.
    """
    if getattr(input, "dtype", np.dtype(bool)).kind not in "iu":
        raise
    return to(input, np.float32)


def integer_bound(bound: Any, dtype: np.dtype, side: int) -> np.ndarray:
    """A lower (side -1) or upper (1) bound in an integer type; one beyond all its numbers is no
    bound.
    """
    if isinstance(bound, Tensor):
        if bound.ndim:
            return bound._data.astype(dtype, copy=False)
        bound = bound.item()
    info = np.iinfo(dtype)
    if side < 0:
        bound = info.min if bound < info.min else bound
    else:
        bound = info.max if bound > info.max else bound
    return np.asarray(number_of("clamp", bound, dtype), dtype)


# ---- checks --------------------------------------------------------------------------------------
def check_between(x: Any, low: Any, high: Any) -> None:
    need_float("clamp", input=x, min=low, max=high)
    common_shape("clamp", *[a.shape for a in (x, low, high) if a is not None])


def float_check(who: str) -> Callable[..., None]:
    """A check that the one input is a float array."""
    def check(x: Any, **attrs: Any) -> None:
        need_float(who, x=x)
    return check


# ---- samples -------------------------------------------------------------------------------------
def values(name: str, *shape: int, low: float = -2.0, high: float = 2.0, **attrs: float) -> Sample:
    """Values between low and high that stay 0.05 away from 0."""
    x = seeded(name).uniform(low, high, shape)
    x = np.asarray(x + np.where(x >= 0, 0.05, -0.05))
    return Sample(name, (x,), attrs, {"n": x.size})


def grid(low: float = -2.0, high: float = 2.0, **attrs: float) -> list[Sample]:
    shapes = (("one", (1,)), ("odd", (3, 5, 7)), ("zero-dimensional", ()), ("empty", (0, 4)), ("blocks", (2, 16411)))
    return [values(name, *shape, low=low, high=high, **attrs) for name, shape in shapes]


def pow_samples() -> list[Sample]:
    """Exponents with a loop of their own, and others; fractions only of positive numbers."""
    shapes = [("one", (1,)), ("odd", (3, 5, 7)), ("empty", (0, 4))]
    small = [values(f"{name} {p:g}", *shape, low=-2.0 if p % 1 == 0 else 0.0, exponent=p)
             for p in (2.0, 3.0, -1.0, 1.0, 0.5, -0.5, -1.7) for name, shape in shapes]
    return [*small, values("blocks", 2, 16411, exponent=2.0)]


def clamp_samples() -> list[Sample]:
    """Finite and infinite bounds, none within 0.01 of a value; some values lie inside, where the
    slope is not 0.
    """
    samples = [Sample("one", (np.array([0.5]),), {"low": 0.0, "high": 1.0}, {"n": 1}),
               Sample("empty", (np.zeros((0, 4)),), {"low": 0.0, "high": 1.0}, {"n": 0})]
    for low, high in ((0.0, 1.0), (-np.inf, 1.0), (-0.7, np.inf)):
        x = seeded("odd").uniform(-2, 2, (3, 5, 7))
        x = np.where((np.abs(x - low) < 0.01) | (np.abs(x - high) < 0.01), 0.5, x)
        samples.append(Sample(f"odd {low:g} {high:g}", (x,), {"low": low, "high": high}, {"n": x.size}))
    return samples


def between_samples() -> list[Sample]:
    """Bounds of every way of broadcasting, none within 0.03 of a value; some lie the wrong way
    round. There is none of one element: two of its three slopes would be 0.
    """
    samples = []
    shapes: list[tuple[str, Any, Any, Any]] = [
        ("odd", (3, 5, 7), (3, 5, 7), (3, 5, 7)), ("low only", (4, 5), (5,), None),
        ("high only", (4, 5), None, (4, 1)), ("row and column", (4, 5), (5,), (4, 1)),
        ("repeated input", (5,), (4, 1), ()), ("empty", (0, 4), (4,), ())]
    for name, x, low, high in shapes:
        rng = seeded(name)
        tenths = [None if shape is None else np.asarray(rng.integers(first, first + 12, shape) / 10.0 + offset)
                  for shape, first, offset in ((x, -10, 0.0), (low, -18, 0.03), (high, -8, 0.06))]
        sizes = {"n": int(np.prod(np.broadcast_shapes(*[a.shape for a in tenths if a is not None])))}
        samples.append(Sample(name, tuple(tenths), sizes=sizes))
    return samples


# ---- cost and benchmarks -------------------------------------------------------------------------
def between_forward(x: Any, low: Any, high: Any) -> Any:
    """The two kernels after each other."""
    y = x if low is None else MAXIMUM.kernels[0](x, low)[0]
    return y if high is None else MINIMUM.kernels[0](y, high)[0], (x, low, high)


def fast_erf(x: np.ndarray) -> np.ndarray:
    """NumPy has no erf. Abramowitz, Stegun (1964), formula 7.1.26, to 1.5e-7, is what people write
    instead.
    """
    t = 1 / (1 + x.dtype.type(0.3275911) * np.abs(x))
    p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return np.copysign(1 - p * np.exp(-x * x), x)


# ---- records -------------------------------------------------------------------------------------
def unary_op(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[[Any], Any],
             samples: Callable[[], list[Sample]] = grid, compiled: bool = True, flops: int = 1,
             linear_in: tuple[str, ...] = (), **attrs: float) -> Op:
    """The record of y = f(x); `attrs` are those of the benchmark."""
    return register(Op(
        name=name, family="elementary", inputs=("x",), formula=formula,
        forward=kernel(f"{name}_forward") if compiled else None,
        backward=kernel(f"{name}_backward") if compiled else None,
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=float_check(name), fits=kernel("fits_float"), samples=samples, linear_in=linear_in, fast_numpy=fast_numpy,
        errors=(
            Refusal("text", lambda: call("1"), DTypeError, (name, "str")),
            Refusal("booleans", lambda: call(tensor([True])), DTypeError, (name, "bool", "float32")),
        ),
        bench={"2048x512": lambda: replace(values("2048x512", 2048, 512, low=0.0), attrs=attrs)},
        flops=lambda n: flops * n, bytes=lambda n: 8 * n))


NEG = unary_op("neg", "y = -x", np.negative, neg, linear_in=("x",))
ABS = unary_op("abs", "y = |x|", np.abs, abs)
EXP = unary_op("exp", "y = e^x", np.exp, exp,
               lambda: [*grid(), values("large", 33, low=-80, high=80)], flops=12)
EXPM1 = unary_op("expm1", "y = e^x - 1", np.expm1, expm1, flops=14)
LOG = unary_op("log", "y = ln x", np.log, log,
               lambda: [*grid(low=0), values("large", 33, low=1, high=1e4)], flops=14)
LOG2 = unary_op("log2", "y = log2 x", np.log2, log2,
                lambda: [*grid(low=0), values("large", 33, low=1, high=1e4)], flops=15)
LOG10 = unary_op("log10", "y = log10 x", np.log10, log10,
                 lambda: [*grid(low=0), values("large", 33, low=1, high=1e4)], flops=16)
LOG1P = unary_op("log1p", "y = ln(1 + x)", np.log1p, log1p, lambda: grid(low=-0.9), flops=16)
ERF = unary_op("erf", "y = erf x", fast_erf, erf, flops=24)
SQRT = unary_op("sqrt", "y = sqrt(x)", np.sqrt, sqrt, lambda: grid(low=0))
SIN = unary_op("sin", "y = sin x", np.sin, sin, compiled=False, flops=20)
COS = unary_op("cos", "y = cos x", np.cos, cos, compiled=False, flops=20)
POW = unary_op("pow", "y = x^p", lambda x, exponent: x**exponent, reciprocal, pow_samples, flops=2,
               exponent=2.0)
CLAMP_BETWEEN = register(Op(
    name="clamp_between", family="elementary", inputs=("x", "low", "high"), formula="y = min(max(x, low), high)",
    forward=between_forward if MAXIMUM.forward else None,
    ref_forward=reference.clamp_between_forward, ref_backward=reference.clamp_between_backward,
    check=check_between, samples=between_samples, fast_numpy=np.clip,
    errors=(
        Refusal("shapes", lambda: clamp(tensor([1.0, 2.0]), tensor([0.0, 0.0, 0.0])), ShapeError, ("clamp", "(3,)")),
    ),
    bench={"2048x512": lambda: Sample("2048x512", (*values("2048x512", 2048, 512).inputs, np.full(512, -1.0),
                                                   np.full(512, 1.0)), sizes={"n": 2048 * 512})},
    flops=lambda n: 2 * n, bytes=lambda n: 16 * n))
CLAMP = unary_op("clamp", "y = min(max(x, low), high)", lambda x, low, high: np.clip(x, low, high),
                 lambda x: clamp(x, False, True), clamp_samples, flops=2, low=0.5, high=1.5)
