"""Arithmetic, element by element.

Kernels: csrc/pointwise/arithmetic.c. Definitions: fastnn/reference/arithmetic.py.

Operands are broadcast as in NumPy: shapes are aligned at their last dimension, and a dimension of
size 1 is repeated. The gradient of a repeated operand is the sum over its repetitions.

Types follow PyTorch. A Python number takes the type of the tensor; an integer tensor with a Python
float becomes float32. Of two tensors the wider type of the higher kind wins (bool < integer <
float), and a tensor without dimensions counts less than one that has some. Integers and booleans
are computed by NumPy and have no gradient. A number that the integer type cannot hold (uint8 + 300)
is a RangeError, where PyTorch wraps it around; so is an integer division by zero.

Functions of one array (neg, exp, pow, clamp, ...) are in elementary.py. Those without a slope
(comparisons, rounding, logic) are in compare.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import numpy as np

from ..autograd import apply, stepped
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import as_tensor_hint
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import arithmetic as reference
from ..tensor import Tensor, number_of, tensor, wrapped
from .checks import common_dtype, need_float
from .clone import to

__all__ = ["add", "div", "divide", "maximum", "minimum", "mul", "multiply", "remainder", "sub", "subtract",
           "true_divide"]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_NUMBERS = frozenset({float, int})


def add(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    r"""Sum of two operands, element by element, broadcast.

    .. math:: y = a + \alpha b \qquad da = dy, \quad db = \alpha\, dy

    Parameters
    ----------
    input, other : Tensor, array or number
        a and b; their shapes broadcast together.
    alpha : number
        A whole one for integers.

    Returns
    -------
    Tensor of the broadcast shape. The type is PyTorch's: of two tensors the wider one.

    Raises
    ------
    ShapeError : if the shapes cannot be broadcast together.
    DTypeError : if an operand is no number, array or tensor.
    RangeError : for a number that an integer type cannot hold.

    Cost: reads both operands and writes the result once.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0], [2.0]]) + nn.tensor([10.0, 20.0])
    tensor([[11., 21.],
            [12., 22.]])
    """
    if alpha != 1:
        other = scaled("add", input, other, alpha)
    return binary(ADD, np.add, input, other)


def sub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    r"""Difference of two operands, element by element, broadcast.

    .. math:: y = a - \alpha b \qquad da = dy, \quad db = -\alpha\, dy

    Parameters, errors and cost: as `add`.

    >>> import fastnn as nn
    >>> 1 - nn.tensor([1.0, 2.0])
    tensor([ 0., -1.])
    """
    if alpha != 1:
        other = scaled("sub", input, other, alpha)
    return binary(SUB, np.subtract, input, other)


def mul(input: Tensor, other: Any) -> Tensor:
    r"""Product of two operands, element by element, broadcast.

    .. math:: y = a b \qquad da = b\, dy, \quad db = a\, dy

    Parameters, errors and cost: as `add`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]) * nn.tensor([3.0, 4.0])
    tensor([3., 8.])
    """
    return binary(MUL, np.multiply, input, other)


def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    r"""Quotient of two operands, element by element, broadcast.

    .. math:: y = a / b \qquad da = dy / b, \quad db = -dy\, y / b

    Parameters
    ----------
    input, other : as in `add`
        Integers give float32.
    rounding_mode : None, "floor" or "trunc"
        "floor" rounds down and "trunc" towards zero. The gradients are then 0.

    Raises
    ------
    ShapeError, DTypeError : as `add`.
    RangeError : for another rounding mode, or where integers are divided by zero and rounded.

    Cost: as `add`.

    >>> import fastnn as nn
    >>> nn.tensor([1, 2]) / 4
    tensor([0.25, 0.50])
    """
    if rounding_mode is not None:
        return divide_rounded("div", input, other, rounding_mode)
    return binary(DIV, np.divide, input, other, fractions=True)


def maximum(input: Tensor, other: Any) -> Tensor:
    r"""The larger of two operands, element by element, broadcast; NaN where either is NaN.

    .. math:: y = \max(a, b) \qquad da = dy\, ([a > b] + \tfrac12 [a = b]), \quad db = dy - da

    The gradient goes to the larger; equals share it. Parameters, errors and cost: as `add`.

    >>> import fastnn as nn
    >>> nn.functional.maximum(nn.tensor([1.0, 5.0]), nn.tensor([3.0, 4.0]))
    tensor([3., 5.])
    """
    return binary(MAXIMUM, np.maximum, input, other)


def minimum(input: Tensor, other: Any) -> Tensor:
    r"""The smaller of two operands, element by element, broadcast; NaN where either is NaN.

    .. math:: y = \min(a, b) \qquad da = dy\, ([a < b] + \tfrac12 [a = b]), \quad db = dy - da

    The gradient goes to the smaller; equals share it. Parameters, errors and cost: as `add`.

    >>> import fastnn as nn
    >>> nn.functional.minimum(nn.tensor([1.0, 5.0]), nn.tensor([3.0, 4.0]))
    tensor([1., 4.])
    """
    return binary(MINIMUM, np.minimum, input, other)


def remainder(input: Tensor, other: Any) -> Tensor:
    r"""What the division leaves, with the sign of b, as Python's %.

    .. math:: y = a - b \lfloor a / b \rfloor \qquad da = dy, \quad db = -\lfloor a / b \rfloor\, dy

    NaN where a is infinite or b is 0, as in PyTorch.

    Parameters, errors and cost: as `add`; a RangeError where integers are divided by zero, too.

    >>> import fastnn as nn
    >>> nn.tensor([-1.0, 5.0]) % 3
    tensor([2., 2.])
    """
    return binary(REMAINDER, np.remainder, input, other)


multiply, subtract, divide, true_divide = mul, sub, div, div


# ---- what the functions share --------------------------------------------------------------------
def common_shape(who: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that all are broadcast to; ShapeError where they do not fit."""
    try:
        return np.broadcast_shapes(*shapes)
    except (ValueError, RuntimeError):      # RuntimeError: more dimensions than NumPy broadcasts
        if all({*sizes} <= {1, max(sizes)} for sizes in zip_longest(*[s[::-1] for s in shapes], fillvalue=1)):
            raise ShapeError("the result would have more elements than an array can have", who=who,
                             got=" and ".join(map(str, shapes))) from None
        raise ShapeError("the shapes cannot be broadcast together", who=who,
                         expected="sizes that are equal or 1, counted from the last dimension",
                         got=" and ".join(map(str, shapes))) from None


def operand(who: str, x: Any) -> Any:
    """A tensor or a Python number; arrays become tensors."""
    if isinstance(x, (Tensor, bool, int, float)):
        return x
    if isinstance(x, np.ndarray):
        return tensor(x)
    if isinstance(x, (np.bool_, np.integer, np.floating)):
        return x.item()
    raise DTypeError(who=who, expected="a tensor, an array or a number", got=type(x).__name__,
                     hint=as_tensor_hint(x))


def cast(who: str, x: Any, dtype: np.dtype) -> Any:
    """The operand in `dtype`; differentiable. RangeError for a number that it cannot hold."""
    if isinstance(x, Tensor):
        if x._data.dtype == dtype:
            return x
        return to(x, dtype) if dtype.kind == "f" else wrapped(whole(who, x._data, dtype))
    return as_float(who, x) if dtype.kind == "f" else number_of(who, x, dtype)


def whole(who: str, x: Any, dtype: np.dtype) -> np.ndarray:
    """Integers or booleans in a type of that kind; RangeError for a number that it cannot hold, in
    a tensor without dimensions too: such a one does not decide the type.
    """
    if isinstance(x, np.ndarray) and (x.ndim or x.dtype == dtype):
        return x.astype(dtype, copy=False)
    return np.asarray(number_of(who, x, dtype), dtype)


def scaled(who: str, input: Any, other: Any, alpha: Any) -> Tensor:
    """alpha * other, in the type that arithmetic on input and other has."""
    a, b, alpha = (operand(who, x) for x in (input, other, alpha))
    dtype = common_dtype(who, *[getattr(x, "_data", x) for x in (a, b)])
    if dtype.kind != "f" and not isinstance(alpha, int):
        raise DTypeError(who=who, expected=f"alpha as an int, for {dtype}", got=repr(alpha))
    b = cast(who, b, dtype)
    return mul(b if isinstance(b, Tensor) else tensor(b, dtype), alpha if dtype.kind != "b" else bool(alpha))


def as_float(who: str, x: float) -> float:
    """The number as a float; RangeError for an integer beyond them."""
    try:
        return float(x)
    except OverflowError:
        raise RangeError("the number is too large for a float", who=who, expected="at most 1.8e308",
                         got=f"about 2^{int(x).bit_length()}") from None


def binary(op: Op, function: Callable[..., Any], a: Any, b: Any, fractions: bool = False) -> Tensor:
    """op(a, b) in the type that PyTorch would use; integers by the NumPy function, or as float32
    where the result has `fractions`.
    """
    x = a._data.dtype if isinstance(a, Tensor) else a.__class__
    y = b._data.dtype if isinstance(b, Tensor) else b.__class__
    # the common cases, quickly
    if (((x is _FLOAT32 or x is _FLOAT64) and (x is y or y in _NUMBERS))
            or (x in _NUMBERS and (y is _FLOAT32 or y is _FLOAT64))):
        try:
            return apply(op, a, b)
        except OverflowError:
            return apply(op, *[x if isinstance(x, Tensor) else as_float(op.name, x) for x in (a, b)])
    who = op.name.removesuffix("_tensor")
    a, b = operand(who, a), operand(who, b)
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = tensor(a)
    arrays = [t._data if isinstance(t, Tensor) else t for t in (a, b)]
    dtype = common_dtype(who, *arrays)
    if dtype.kind != "f" and fractions:
        dtype = _FLOAT32
    if dtype.kind == "f":
        return apply(op, cast(who, a, dtype), cast(who, b, dtype))
    return wrapped(of_integers(who, function, dtype, *arrays))


# What NumPy or PyTorch do not compute with two booleans, by the ops' names
_NOT_OF_BOOLEANS = frozenset({"sub", "remainder", "fmod", "pow", "floor_divide", "div"})


def of_integers(who: str, function: Callable[..., Any], dtype: np.dtype, a: Any, b: Any) -> np.ndarray:
    """function(a, b) of integers or booleans, all in `dtype`.

    RangeError for a division by zero, and for a negative power of integers.
    """
    shape = common_shape(who, *[x.shape for x in (a, b) if isinstance(x, np.ndarray)])
    if dtype.kind == "b" and who in _NOT_OF_BOOLEANS:
        raise DTypeError(who=who, expected="numbers", got="booleans",
                         hint="Use ^, or convert them with .long()." if who == "sub" else "Convert them with .long().")
    a, b = whole(who, a, dtype), whole(who, b, dtype)
    if math.prod(shape):
        if who in ("remainder", "fmod", "floor_divide", "div") and not b.all():
            raise RangeError("integers cannot be divided by zero", who=who, expected="other than 0", got=0,
                             hint="Convert to floating point first, where the result is infinite or NaN.")
        if who == "pow" and dtype.kind == "i" and b.min() < 0:
            raise RangeError("an integer to a negative power is no integer", who=who, expected="an exponent >= 0",
                             got=int(b.min()), hint="Convert to floating point first, for example with .float().")
    with np.errstate(over="ignore"):    # integers wrap around, as in PyTorch: the smallest // -1
        return np.asarray(function(a, b))


def divide_rounded(who: str, input: Any, other: Any, mode: str) -> Tensor:
    """a / b rounded down ("floor") or towards zero ("trunc"), in the type of arithmetic."""
    if mode not in ("floor", "trunc"):
        raise RangeError(who=who, expected='rounding_mode None, "floor" or "trunc"', got=repr(mode))
    a, b = arrays_of(who, input, other)
    dtype: Any = getattr(a, "dtype", None)
    if dtype is not _FLOAT32 or (b.__class__ not in _NUMBERS and getattr(b, "dtype", None) is not dtype):
        dtype = common_dtype(who, a, b)
    if dtype.kind != "f":
        return wrapped(of_integers(who, np.floor_divide if mode == "floor" else truncated, dtype, a, b))
    a, b = np.asarray(a, dtype), np.asarray(b, dtype)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        y = np.asarray(np.floor_divide(a, b) if mode == "floor" else np.trunc(a / b))
    return stepped(who, y, input, other)


def truncated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b of integers, rounded towards zero: one more than downwards where the signs differ and
    something is left.
    """
    down = a // b
    return np.asarray(down + ((down * b != a) & ((a < 0) != (b < 0))).astype(a.dtype))


def arrays_of(who: str, input: Any, other: Any) -> tuple[Any, Any]:
    """Both operands as arrays or numbers, their shapes known to fit. Integers that no float can
    hold become infinite, which compares as they do.
    """
    a = input._data if isinstance(input, Tensor) else plain(operand(who, input))
    b = other._data if isinstance(other, Tensor) else plain(operand(who, other))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape != b.shape:
        common_shape(who, a.shape, b.shape)
    return a, b


def plain(x: Any) -> Any:
    """The array of a tensor; a number, where an integer that no float can hold becomes infinite."""
    if isinstance(x, Tensor):
        return x._data
    return x if not isinstance(x, int) or x.bit_length() < 1024 else math.inf if x > 0 else -math.inf


# ---- checks --------------------------------------------------------------------------------------
def check_pair(who: str) -> Callable[[Any, Any], None]:
    """A check that two operands are floats of one type (or one a number) whose shapes fit."""
    def check(a: Any, b: Any) -> None:
        arrays = {name: x for name, x in (("a", a), ("b", b)) if isinstance(x, np.ndarray)}
        need_float(who, **arrays)
        if len(arrays) == 2:
            common_shape(who, a.shape, b.shape)
    return check


# ---- samples -------------------------------------------------------------------------------------
def pair(name: str, a: tuple[int, ...] | float, b: tuple[int, ...] | float, low: int = -30, high: int = 30) -> Sample:
    """Operands near odd tenths, and near odd tenths + 0.05: none is ever 0, no two are equal."""
    rng = seeded(name)

    def draw(what: Any, offset: float) -> Any:
        if not isinstance(what, tuple):
            return what
        return np.asarray(rng.integers(low // 2, high // 2, what) / 5 + 0.1 + offset + rng.uniform(-0.02, 0.02, what))

    inputs = draw(a, 0.0), draw(b, 0.05)
    shapes = [x.shape for x in inputs if isinstance(x, np.ndarray)]
    return Sample(name, inputs, sizes={"n": int(np.prod(np.broadcast_shapes(*shapes)))})


def pairs(low: int = -30, high: int = 30) -> list[Sample]:
    """Every way of broadcasting, with sizes that are different primes."""
    shapes: list[tuple[str, Any, Any]] = [
        ("one", (1,), (1,)),
        ("odd", (3, 5, 7), (3, 5, 7)),
        ("row", (4, 5), (5,)),
        ("row first", (5,), (4, 5)),
        ("column", (4, 5), (4, 1)),
        ("column first", (4, 1), (4, 5)),
        ("outer", (4, 1), (1, 3)),
        ("channels", (2, 3, 5, 7), (3, 1, 1)),
        ("both repeated", (2, 1, 5, 1), (3, 1, 7)),
        ("zero-dimensional", (3, 5), ()),
        ("number", (3, 5), 2.5),
        ("number first", 1.5, (3, 5)),
        ("empty", (0, 4), (4,)),
        ("blocks", (2, 16411), (2, 1)),
    ]
    return [pair(name, a, b, low, high) for name, a, b in shapes]


# ---- records -------------------------------------------------------------------------------------
def pair_op(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[..., Any],
            samples: Callable[[], list[Sample]] = pairs, linear_in: tuple[str, ...] = (), flops: int = 1,
            keeps_nan: tuple[str, ...] = ()) -> Op:
    """The record of y = f(a, b)."""
    return register(Op(
        name=name, family="arithmetic", inputs=("a", "b"), formula=formula,
        forward=kernel(f"{name}_forward"), backward=kernel(f"{name}_backward"),
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=check_pair(name), fits=kernel("fits_pair"), samples=samples, linear_in=linear_in, fast_numpy=fast_numpy,
        errors=(
            Refusal("shapes", lambda: call(tensor(np.ones((2, 3))), tensor(np.ones((2, 4)))),
                    ShapeError, (name, "(2, 3)", "(2, 4)")),
            Refusal("not a number", lambda: call(tensor([1.0]), "2"),
                    DTypeError, (name.removesuffix("_tensor"), "str")),
        ),
        bench={"2048x512": lambda: pair("2048x512", (2048, 512), (2048, 512), 1, 30),
               "2048x512 row": lambda: pair("2048x512 row", (2048, 512), (512,), 1, 30)},
        flops=lambda n: flops * n, bytes=lambda n: 12 * n, keeps_nan=keeps_nan))


ADD = pair_op("add", "y = a + b", np.add, add, linear_in=("a", "b"))
SUB = pair_op("sub", "y = a - b", np.subtract, sub, linear_in=("a", "b"))
MUL = pair_op("mul", "y = a b", np.multiply, mul, linear_in=("a", "b"))
DIV = pair_op("div", "y = a / b", np.divide, div)
# without the sample of one pair: one of the two has no slope
MAXIMUM = pair_op("maximum", "y = max(a, b)", np.maximum, maximum, lambda: pairs()[1:])
MINIMUM = pair_op("minimum", "y = min(a, b)", np.minimum, minimum, lambda: pairs()[1:])
POW_TENSOR: Op = pair_op("pow_tensor", "y = a^b", np.power, lambda a, b: binary(POW_TENSOR, np.power, a, b),
                         lambda: pairs(1, 30), flops=30)
REMAINDER = pair_op("remainder", "y = a - b floor(a / b)", np.remainder, remainder,
                    lambda: pairs(1, 30), flops=10, keeps_nan=("a",))
