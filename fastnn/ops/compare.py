"""Comparisons, logic and rounding.

NumPy computes them. What is rounded has a gradient of zeros; truth values have none.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import stepped
from ..errors import DTypeError, RangeError
from ..guard import FOREIGN, refuse
from ..tensor import Tensor, wrapped
from .arithmetic import arrays_of, as_float, divide_rounded, of_integers, operand
from .checks import common_dtype

__all__ = ["allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift",
           "bitwise_xor", "ceil", "eq", "equal", "fix", "floor", "floor_divide", "ge", "greater", "greater_equal", "gt",
           "isclose", "isfinite", "isinf", "isnan", "le", "less", "less_equal", "logical_and", "logical_not",
           "logical_or", "logical_xor", "lt", "ne", "not_equal", "round", "sign", "trunc"]


# ---- comparisons ---------------------------------------------------------------------------------
def eq(input: Tensor, other: Any) -> Tensor:
    """Where a = b, element by element, broadcast.

    Parameters
    ----------
    input, other : Tensor, array or number
        a and b. They are compared in the type that arithmetic would use.

    Returns
    -------
    Tensor of bool, without a gradient.

    Raises
    ------
    ShapeError : if the shapes cannot be broadcast together.
    DTypeError : if an operand is no number, array or tensor.

    Cost: reads both operands once, in NumPy.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]) == 2
    tensor([False,  True])
    """
    return compare(np.equal, "eq", input, other)


def ne(input: Tensor, other: Any) -> Tensor:
    """Where a and b differ, element by element, broadcast. Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]) != 2
    tensor([ True, False,  True])
    """
    return compare(np.not_equal, "ne", input, other)


def lt(input: Tensor, other: Any) -> Tensor:
    """Where a < b, element by element, broadcast. Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]) < 2
    tensor([ True, False, False])
    """
    return compare(np.less, "lt", input, other)


def le(input: Tensor, other: Any) -> Tensor:
    """Where a <= b, element by element, broadcast. Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]) <= 2
    tensor([ True,  True, False])
    """
    return compare(np.less_equal, "le", input, other)


def gt(input: Tensor, other: Any) -> Tensor:
    """Where a > b, element by element, broadcast. Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]) > 2
    tensor([False, False,  True])
    """
    return compare(np.greater, "gt", input, other)


def ge(input: Tensor, other: Any) -> Tensor:
    """Where a >= b, element by element, broadcast. Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]) >= 2
    tensor([False,  True,  True])
    """
    return compare(np.greater_equal, "ge", input, other)


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne


def isclose(input: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Where |a - b| <= atol + rtol |b|, element by element, broadcast.

    Parameters
    ----------
    input, other : as in `eq`
    rtol, atol : float
        How far b may lie from a: a share of |b|, and a distance.
    equal_nan : bool
        Whether NaN is close to NaN.

    Errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.functional.isclose(nn.tensor([1.0, 2.0]), nn.tensor([1.000001, 2.1]))
    tensor([ True, False])
    """
    a, b = arrays_of("isclose", input, other)
    if not (as_float("isclose", rtol) >= 0 and as_float("isclose", atol) >= 0):
        raise RangeError(who="isclose", expected="rtol and atol of at least 0", got=(rtol, atol))
    with np.errstate(invalid="ignore", over="ignore"):
        return wrapped(np.asarray(np.isclose(a, b, rtol, atol, equal_nan)))


def allclose(input: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether |a - b| <= atol + rtol |b| everywhere. Parameters, errors and cost: as `isclose`.

    >>> import fastnn as nn
    >>> nn.functional.allclose(nn.tensor([1.0, 2.0]), nn.tensor([1.000001, 2.0]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same values.

    Parameters
    ----------
    input, other : Tensor of any shape and dtype

    Errors: none; tensors of other shapes are not equal.

    Cost: reads both once, in NumPy.

    >>> import fastnn as nn
    >>> nn.functional.equal(nn.ones(2), nn.ones(2)), nn.functional.equal(nn.ones(2), nn.ones(1))
    (True, False)
    """
    return bool(np.array_equal(input._data, other._data))


# ---- logic ---------------------------------------------------------------------------------------
def bitwise_and(input: Tensor, other: Any) -> Tensor:
    """a & b: for booleans both, for integers bit by bit.

    Parameters
    ----------
    input, other : Tensor, array or number, of booleans or integers
        Their shapes broadcast together.

    Raises
    ------
    DTypeError : for floating-point operands.
    ShapeError : if the shapes cannot be broadcast together.

    Cost: reads both operands once, in NumPy.

    >>> import fastnn as nn
    >>> x = nn.tensor([-1.0, 0.5, 2.0])
    >>> (x > 0) & (x < 1)
    tensor([False,  True, False])
    """
    return bits(np.bitwise_and, "bitwise_and", input, other)


def bitwise_or(input: Tensor, other: Any) -> Tensor:
    """a | b: for booleans one or both, for integers bit by bit.

    Parameters, errors and cost: as `bitwise_and`.

    >>> import fastnn as nn
    >>> nn.tensor([4, 1]) | 1
    tensor([5, 1])
    """
    return bits(np.bitwise_or, "bitwise_or", input, other)


def bitwise_xor(input: Tensor, other: Any) -> Tensor:
    """a ^ b: for booleans exactly one, for integers bit by bit.

    Parameters, errors and cost: as `bitwise_and`.

    >>> import fastnn as nn
    >>> nn.tensor([5, 1]) ^ 1
    tensor([4, 0])
    """
    return bits(np.bitwise_xor, "bitwise_xor", input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """~a: for booleans the opposite, for integers bit by bit.

    Parameters, errors and cost: as `bitwise_and`.

    >>> import fastnn as nn
    >>> ~nn.tensor([True, False])
    tensor([False,  True])
    """
    return bits(np.invert, "bitwise_not", input)


def bitwise_left_shift(input: Tensor, other: Any) -> Tensor:
    r"""The bits moved to the left, and zeros from the right.

    .. math:: y = a\, 2^b

    What leaves the type is lost; so is everything where b is negative.

    Parameters
    ----------
    input, other : Tensor, array or number, of integers
        Their shapes broadcast together.

    Raises
    ------
    DTypeError : for operands that are not of integers.
    ShapeError : if the shapes cannot be broadcast together.

    Cost: reads both operands once, in NumPy.

    >>> import fastnn as nn
    >>> nn.tensor([1, 3]) << 2
    tensor([ 4, 12])
    """
    return shifted(np.left_shift, "bitwise_left_shift", input, other)


def bitwise_right_shift(input: Tensor, other: Any) -> Tensor:
    r"""The bits moved to the right, and the sign from the left.

    .. math:: y = \lfloor a / 2^b \rfloor

    Where b is negative or more than there are bits, the sign is left: 0 or -1.

    Parameters, errors and cost: as `bitwise_left_shift`.

    >>> import fastnn as nn
    >>> nn.tensor([5, -5]) >> 1
    tensor([ 2, -3])
    """
    return shifted(np.right_shift, "bitwise_right_shift", input, other)


def logical_and(input: Tensor, other: Any) -> Tensor:
    """Where both are not zero, element by element, broadcast; any type.

    Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.functional.logical_and(nn.tensor([0.0, 0.0, 2.0]), nn.tensor([0, 1, 1]))
    tensor([False, False,  True])
    """
    return logical(np.logical_and, "logical_and", input, other)


def logical_or(input: Tensor, other: Any) -> Tensor:
    """Where one or both are not zero, element by element, broadcast; any type.

    Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.functional.logical_or(nn.tensor([0.0, 0.0, 2.0]), nn.tensor([0, 1, 1]))
    tensor([False,  True,  True])
    """
    return logical(np.logical_or, "logical_or", input, other)


def logical_xor(input: Tensor, other: Any) -> Tensor:
    """Where exactly one is not zero, element by element, broadcast; any type.

    Parameters, errors and cost: as `eq`.

    >>> import fastnn as nn
    >>> nn.functional.logical_xor(nn.tensor([0.0, 0.0, 2.0]), nn.tensor([0, 1, 1]))
    tensor([False,  True, False])
    """
    return logical(np.logical_xor, "logical_xor", input, other)


def logical_not(input: Tensor) -> Tensor:
    """Where an element is zero; any type.

    Parameters
    ----------
    input : Tensor of any shape and dtype

    Returns
    -------
    Tensor of bool, without a gradient.

    Errors: none. Cost: reads each element once, in NumPy.

    >>> import fastnn as nn
    >>> nn.functional.logical_not(nn.tensor([0.0, 2.0]))
    tensor([ True, False])
    """
    return wrapped(np.asarray(np.logical_not(input._data)))


def isnan(input: Tensor) -> Tensor:
    """Where an element is not a number. Parameters, errors and cost: as `logical_not`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, float("inf"), float("nan")]).isnan()
    tensor([False, False,  True])
    """
    return wrapped(np.asarray(np.isnan(input._data)))


def isinf(input: Tensor) -> Tensor:
    """Where an element is plus or minus infinity. Parameters, errors and cost: as `logical_not`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, float("inf"), float("nan")]).isinf()
    tensor([False,  True, False])
    """
    return wrapped(np.asarray(np.isinf(input._data)))


def isfinite(input: Tensor) -> Tensor:
    """Where an element is neither infinite nor NaN. Parameters, errors and cost: as `logical_not`.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, float("inf"), float("nan")]).isfinite()
    tensor([ True, False, False])
    """
    return wrapped(np.asarray(np.isfinite(input._data)))


# ---- rounding ------------------------------------------------------------------------------------
def floor(input: Tensor) -> Tensor:
    """The next whole number below, element by element.

    The gradient is 0 everywhere: the slope is, but at the steps.

    Parameters
    ----------
    input : Tensor of any shape and dtype

    Returns
    -------
    Tensor of the same shape and dtype.

    Errors: none. Cost: reads and writes each element once, in NumPy.

    >>> import fastnn as nn
    >>> nn.tensor([-1.5, 1.5]).floor()
    tensor([-2.,  1.])
    """
    return rounded("floor", np.floor, input)


def ceil(input: Tensor) -> Tensor:
    """The next whole number above; the gradient is 0. Parameters, errors and cost: as `floor`.

    >>> import fastnn as nn
    >>> nn.tensor([-1.5, 1.5]).ceil()
    tensor([-1.,  2.])
    """
    return rounded("ceil", np.ceil, input)


def trunc(input: Tensor) -> Tensor:
    """The next whole number towards zero; the gradient is 0.

    Parameters, errors and cost: as `floor`.

    >>> import fastnn as nn
    >>> nn.tensor([-1.5, 1.5]).trunc()
    tensor([-1.,  1.])
    """
    return rounded("trunc", np.trunc, input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals, halves to the even neighbour; the gradient is 0.

    A straight-through estimator, which rounds forward and lets the gradient pass, is
    x + (x.round() - x).detach().

    Parameters
    ----------
    input : Tensor of any shape and dtype
    decimals : int

    Errors and cost: as `floor`.

    >>> import fastnn as nn
    >>> nn.tensor([0.5, 1.5, 2.5]).round()
    tensor([0., 2., 2.])
    """
    return rounded("round", np.round, input, decimals)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1, element by element; 0 of NaN, as in PyTorch; the gradient is 0.

    Parameters, errors and cost: as `floor`.

    >>> import fastnn as nn
    >>> nn.tensor([-3.0, 0.0, 2.0]).sign()
    tensor([-1.,  0.,  1.])
    """
    if input._data.dtype.kind == "b":
        return wrapped(input._data.copy())
    return rounded("sign", lambda x: np.where(np.isnan(x), 0, np.sign(x)) if x.dtype.kind == "f" else np.sign(x), input)


def floor_divide(input: Tensor, other: Any) -> Tensor:
    """a / b rounded down, as Python's //; the gradient is 0.

    Parameters, errors and cost: as `eq`; a RangeError where integers are divided by zero. The type
    is that of arithmetic.

    >>> import fastnn as nn
    >>> nn.tensor([-7, 7]) // 2
    tensor([-4,  3])
    """
    return divide_rounded("floor_divide", input, other, "floor")


fix = trunc


# ---- what the functions share --------------------------------------------------------------------
def compare(function: np.ufunc, who: str, input: Any, other: Any) -> Tensor:
    """A bool tensor: function(a, b), both in the type that arithmetic would use."""
    a, b = arrays_of(who, input, other)
    try:
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype != b.dtype:
            dtype = common_dtype(who, a, b)
            if dtype.kind == "f":                   # integers are compared as they are
                a, b = a.astype(dtype), b.astype(dtype)
        elif a.__class__ is int and not -2**63 <= a < 2**63:
            a = comparable(a, b)
        elif b.__class__ is int and not -2**63 <= b < 2**63:
            b = comparable(b, a)
        return wrapped(np.asarray(function(a, b)))
    except FOREIGN as error:
        return refuse(who, ("input", "other"), error, (a, b), {})


def comparable(number: Any, array: Any) -> float:
    """The number, where NumPy can compare it with the array; else what lies on the same side of all
    its elements.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind == "f":
        return float(number)
    return number if array.dtype.kind in "iu" and 0 < number < 2**64 else math.inf if number > 0 else -math.inf


def bits(function: np.ufunc, who: str, *inputs: Any) -> Tensor:
    """function(*inputs) of booleans or integers, in the type that arithmetic would use."""
    arrays = [x._data if isinstance(x, Tensor) else x for x in (operand(who, x) for x in inputs)]
    for a in arrays:
        if isinstance(a, float) or (isinstance(a, np.ndarray) and a.dtype.kind not in "biu"):
            raise DTypeError(who=who, expected="booleans or integers", got=str(getattr(a, "dtype", "float")),
                             hint="Compare first, for example (x > 0) & (x < 1); the brackets are needed.")
    if len(arrays) == 1:
        return wrapped(np.asarray(function(arrays[0])))
    return wrapped(of_integers(who, function, common_dtype(who, *arrays), *arrays))


def shifted(function: np.ufunc, who: str, *inputs: Any) -> Tensor:
    """function(*inputs) of integers."""
    dtype = common_dtype(who, *[getattr(operand(who, x), "_data", x) for x in inputs])
    if dtype.kind not in "iu":
        raise DTypeError(who=who, expected="integers", got=str(dtype), hint="Convert them with .long().")
    return bits(function, who, *inputs)


def logical(function: np.ufunc, who: str, input: Any, other: Any) -> Tensor:
    """function(a, b), each element taken as whether it is not zero."""
    return wrapped(np.asarray(function(*[x if isinstance(x, np.ndarray) else bool(x)
                                        for x in arrays_of(who, input, other)])))


def rounded(who: str, function: Callable[..., Any], input: Tensor, *args: Any) -> Tensor:
    """function(input) in the input's type, with a gradient of zeros."""
    return stepped(who, np.asarray(function(input._data, *args)).astype(input._data.dtype, copy=False), input)
