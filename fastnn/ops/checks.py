"""Checks that many ops share.

They run before any work, on the arrays. An error says what was expected, what was got, and the fix.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError

__all__ = ["FLOATS", "need_array", "need_float", "need_integers", "need_rank", "pair", "single"]


FLOATS = _FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def need_array(who: str, **arrays: Any) -> None:
    """Every named argument (None is let through) must be an array by now."""
    for name, a in arrays.items():
        if a is not None and not isinstance(a, np.ndarray):
            raise DTypeError(f"{name} must be a tensor or an array", who=who, got=type(a).__name__,
                             hint="Wrap it in nn.tensor(...).")


def need_float(who: str, **arrays: Any) -> None:
    """Every named array (None is let through) must be float32 or float64, and all of one type."""
    first: Any = None
    for a in arrays.values():                       # the common case, quickly
        if a is not None:
            dtype: Any = a.dtype if a.__class__ is np.ndarray else False
            if dtype is not first:
                if first is not None or (dtype is not _FLOAT32 and dtype is not _FLOAT64):
                    break
                first = dtype
    else:
        return
    raise_for_float(who, arrays)


def need_integers(who: str, **arrays: Any) -> None:
    """Every named array (None is let through) must be of integers."""
    for name, a in arrays.items():
        need_array(who, **{name: a})
        if a is not None and a.dtype.kind not in "iu":
            raise DTypeError(who=who, expected=f"{name} of an integer dtype", got=str(a.dtype),
                             hint="Convert it with .long().")


def need_rank(who: str, name: str, a: np.ndarray, shape: str, rank: int, hint: str = "") -> None:
    """`a` must have `rank` dimensions; `shape` says what they mean, like "(N, C, H, W)"."""
    if a.ndim != rank:
        raise ShapeError(who=who, expected=f"{name} of shape {shape}", got=a.shape, hint=hint)


def pair(who: str, name: str, value: Any, low: int) -> tuple[int, int]:
    """An int for both directions, or a pair (vertical, horizontal); each at least `low`."""
    if value.__class__ is int:                      # the common cases, quickly
        if value >= low:
            return value, value
    elif value.__class__ is tuple and len(value) == 2:
        if value[0].__class__ is int is value[1].__class__ and value[0] >= low <= value[1]:
            return value
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            value = (value[0], value[0])
        if len(value) != 2:
            raise ShapeError(who=who, expected=f"{name} as an int or a pair of int", got=value)
        a, b = value
    else:
        a = b = value
    try:
        a, b = a.__index__(), b.__index__()
    except AttributeError:
        raise DTypeError(who=who, expected=f"{name} as an int or a pair of int", got=value) from None
    if a < low or b < low:
        raise ShapeError(who=who, expected=f"{name} >= {low}", got=value)
    return a, b


def single(who: str, name: str, value: Any, low: float) -> int:
    """An int, or a tuple of one; at least `low`."""
    if isinstance(value, (tuple, list)) and len(value) == 1:
        value = value[0]
    index = getattr(value, "__index__", None)
    if index is None:
        raise DTypeError(who=who, expected=f"{name} as an int", got=value)
    number: int = index()
    if number < low:
        raise ShapeError(who=who, expected=f"{name} >= {low}", got=value)
    return number


# ---- what the functions share --------------------------------------------------------------------
def raise_for_float(who: str, arrays: dict[str, Any]) -> None:
    """Raise the error of the first array that is not as need_float wants it."""
    first = None
    for name, a in arrays.items():
        if a is None:
            continue
        if not isinstance(a, np.ndarray):
            need_array(who, **{name: a})
        dtype = a.dtype
        if dtype not in FLOATS:
            raise DTypeError(who=who, expected=f"{name} of dtype float32 or float64", got=str(dtype),
                             hint="Convert it, for example with .float().")
        if first is None:
            first = (name, dtype)
        elif dtype != first[1]:
            raise DTypeError(f"{first[0]} is {first[1]} but {name} is {dtype}", who=who,
                             hint="Convert one of them: x.to(dtype) or model.to(dtype).")
