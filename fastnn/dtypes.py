"""The types of elements under PyTorch's names: NumPy's own dtype objects, and their ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DTypeError
from .guard import named

__all__ = ["bool", "double", "finfo", "float", "float32", "float64", "iinfo", "int", "int8", "int16", "int32", "int64",
           "long", "short", "uint8", "uint16", "uint32", "uint64"]

float32 = float = np.dtype(np.float32)
float64 = double = np.dtype(np.float64)
int8, int16 = np.dtype(np.int8), np.dtype(np.int16)
int32 = int = np.dtype(np.int32)
int64 = long = np.dtype(np.int64)
uint8, uint16, uint32, uint64 = np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.uint32), np.dtype(np.uint64)
bool, short = np.dtype(np.bool_), int16


@named
def finfo(dtype: Any = float32) -> np.finfo[Any]:
    """The range and precision of a floating-point type, or of a tensor's: max, min, eps, bits.

    Parameters
    ----------
    dtype : a floating-point type, its name, or a tensor; DTypeError for another

    >>> import fastnn as nn
    >>> nn.finfo(nn.float32).eps.item() < 1e-6
    True
    """
    try:
        return np.finfo(getattr(dtype, "dtype", dtype))
    except (TypeError, ValueError):
        raise DTypeError(who="finfo", expected="a floating-point type", got=dtype,
                         hint="Of integers nn.iinfo tells the range.") from None


@named
def iinfo(dtype: Any) -> np.iinfo[Any]:
    """The range of an integer type, or of a tensor's: max, min, bits.

    Parameters
    ----------
    dtype : an integer type, its name, or a tensor; DTypeError for another

    >>> import fastnn as nn
    >>> nn.iinfo("int8").max
    127
    """
    try:
        return np.iinfo(getattr(dtype, "dtype", dtype))
    except (TypeError, ValueError):
        raise DTypeError(who="iinfo", expected="an integer type", got=dtype,
                         hint="Of floating point nn.finfo tells the range.") from None
