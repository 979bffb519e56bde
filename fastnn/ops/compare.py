"""Comparisons, logic and rounding: NumPy computes them, and they have no gradient, for their slope
is zero or does not exist.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..tensor import Tensor
from .arithmetic import common_dtype, common_shape, operand

__all__ = ["allclose", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "ceil", "eq", "equal", "floor",
           "floor_divide", "ge", "gt",
           "isclose", "isfinite", "isinf", "isnan", "le", "logical_and", "logical_not", "logical_or", "logical_xor",
           "lt", "ne", "round", "sign", "trunc"]


def eq(input: Tensor, other: Any) -> Tensor:
    """a == b, element by element, broadcast: a bool tensor without a gradient. `ne`, `lt`, `le`,
    `gt`, `ge` are alike.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]) == 2
    tensor([False,  True])
    """
    return compare(np.equal, "eq", input, other)


def ne(input: Tensor, other: Any) -> Tensor:
    """a != b; see eq."""
    return compare(np.not_equal, "ne", input, other)


def lt(input: Tensor, other: Any) -> Tensor:
    """a < b; see eq."""
    return compare(np.less, "lt", input, other)


def le(input: Tensor, other: Any) -> Tensor:
    """a <= b; see eq."""
    return compare(np.less_equal, "le", input, other)


def gt(input: Tensor, other: Any) -> Tensor:
    """a > b; see eq."""
    return compare(np.greater, "gt", input, other)


def ge(input: Tensor, other: Any) -> Tensor:
    """a >= b; see eq."""
    return compare(np.greater_equal, "ge", input, other)


def isclose(input: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """|a - b| <= atol + rtol |b|, element by element."""
    a, b = arrays_of("isclose", input, other)
    return Tensor(np.asarray(np.isclose(a, b, rtol, atol, equal_nan)))


def allclose(input: Tensor, other: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether |a - b| <= atol + rtol |b| everywhere."""
    return bool(isclose(input, other, rtol, atol, equal_nan)._data.all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same values."""
    return bool(np.array_equal(input._data, other._data))


def bitwise_and(input: Tensor, other: Any) -> Tensor:
    """a & b for booleans (logical and) and integers (bit by bit)."""
    return bits(np.bitwise_and, "and", input, other)


def bitwise_or(input: Tensor, other: Any) -> Tensor:
    """a | b for booleans (logical or) and integers (bit by bit)."""
    return bits(np.bitwise_or, "or", input, other)


def bitwise_xor(input: Tensor, other: Any) -> Tensor:
    """a ^ b for booleans (exactly one) and integers (bit by bit)."""
    return bits(np.bitwise_xor, "xor", input, other)


def bitwise_not(input: Tensor) -> Tensor:
    """~a for booleans (logical not) and integers (bit by bit)."""
    return bits(np.invert, "not", input)


def logical_and(input: Tensor, other: Any) -> Tensor:
    """Both are not zero; any type."""
    return Tensor(np.asarray(np.logical_and(*arrays_of("logical_and", input, other))))


def logical_or(input: Tensor, other: Any) -> Tensor:
    """One or both are not zero; any type."""
    return Tensor(np.asarray(np.logical_or(*arrays_of("logical_or", input, other))))


def logical_xor(input: Tensor, other: Any) -> Tensor:
    """Exactly one is not zero; any type."""
    return Tensor(np.asarray(np.logical_xor(*arrays_of("logical_xor", input, other))))


def logical_not(input: Tensor) -> Tensor:
    """Is zero; any type."""
    return Tensor(np.asarray(np.logical_not(input._data)))


def isnan(input: Tensor) -> Tensor:
    """Is not a number."""
    return Tensor(np.asarray(np.isnan(input._data)))


def isinf(input: Tensor) -> Tensor:
    """Is plus or minus infinity."""
    return Tensor(np.asarray(np.isinf(input._data)))


def isfinite(input: Tensor) -> Tensor:
    """Is neither infinite nor NaN."""
    return Tensor(np.asarray(np.isfinite(input._data)))


def floor(input: Tensor) -> Tensor:
    """The next whole number below, element by element.

    The result has no gradient: the slope is 0 almost everywhere.
    """
    return rounded(np.floor, input)


def ceil(input: Tensor) -> Tensor:
    """The next whole number above; no gradient."""
    return rounded(np.ceil, input)


def trunc(input: Tensor) -> Tensor:
    """The next whole number towards zero; no gradient."""
    return rounded(np.trunc, input)


def round(input: Tensor, *, decimals: int = 0) -> Tensor:
    """The nearest number with so many decimals, halves to even; no gradient.

    For a straight-through estimator write x + (x.round() - x).detach().
    """
    return rounded(np.round, input, decimals)


def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1, element by element; no gradient."""
    return rounded(np.sign, input)


def floor_divide(input: Tensor, other: Any) -> Tensor:
    """a / b rounded down, as Python's //; no gradient.

    >>> import fastnn as nn
    >>> nn.tensor([-7, 7]) // 2
    tensor([-4,  3])
    """
    return divide_rounded(input, other, "floor")


# ---- what the functions share --------------------------------------------------------------------
def arrays_of(who: str, input: Any, other: Any) -> tuple[Any, Any]:
    """Both operands as arrays or numbers, their shapes known to fit."""
    a, b = (x._data if isinstance(x, Tensor) else x for x in (operand(who, input), operand(who, other)))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.shape != b.shape:
        common_shape(who, a.shape, b.shape)
    return a, b


def compare(function: np.ufunc, who: str, input: Any, other: Any) -> Tensor:
    """A bool tensor: function(a, b), both in the type that arithmetic would use."""
    a, b = arrays_of(who, input, other)
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype != b.dtype:
        dtype = common_dtype(a, b)
        a, b = a.astype(dtype), b.astype(dtype)
    return Tensor(np.asarray(function(a, b)))


def bits(function: np.ufunc, who: str, *inputs: Any) -> Tensor:
    arrays = [x._data if isinstance(x, Tensor) else x for x in (operand(who, x) for x in inputs)]
    for a in arrays:
        if isinstance(a, float) or (isinstance(a, np.ndarray) and a.dtype.kind not in "biu"):
            raise DTypeError(who=who, expected="booleans or integers", got=str(getattr(a, "dtype", "float")),
                             hint="Compare first, for example (x > 0) & (x < 1); the brackets are needed.")
    common_shape(who, *[a.shape for a in arrays if isinstance(a, np.ndarray)])
    return Tensor(np.asarray(function(*arrays)))


def rounded(function: Callable[..., Any], input: Tensor, *args: Any) -> Tensor:
    return Tensor(np.asarray(function(input._data, *args)).astype(input._data.dtype, copy=False))


def divide_rounded(input: Any, other: Any, mode: str) -> Tensor:
    """a / b rounded: "floor" down, "trunc" towards zero; in the type of arithmetic; no gradient."""
    if mode not in ("floor", "trunc"):
        raise RangeError(who="div", expected='rounding_mode None, "floor" or "trunc"', got=repr(mode))
    a, b = arrays_of("div", input, other)
    dtype = common_dtype(a, b)
    a, b = np.asarray(a, dtype), np.asarray(b, dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        if mode == "floor":
            return Tensor(np.asarray(np.floor_divide(a, b)))
        if dtype.kind != "f":
            return Tensor(np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))))
        return Tensor(np.asarray(np.trunc(a / b)))
