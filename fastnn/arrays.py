"""Arrays that begin a cache line: where parameters, optimisers' state and batches live."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["copied", "empty", "full"]

LINE = 64                                           # bytes of a cache line
ALIGNED_FROM = 2048                                 # bytes; smaller arrays have few loads to gain


def empty(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """np.empty for what lives long or is read often: it begins a cache line.

    NumPy's arrays mostly begin at a multiple of 16 bytes. A vector of 64 bytes then lies in two
    cache lines, and reading the weights of a layer for one image takes up to 1.6 times as long.

    The memory is NumPy's, not the kernels' recycled memory: there, parameters would lie between
    results that come and go, and NumPy's own temporaries could not use it.

    >>> import fastnn as nn
    >>> a = nn.arrays.empty((32, 64))
    >>> a.shape, a.dtype, a.ctypes.data % 64
    ((32, 64), dtype('float32'), 0)
    """
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    if nbytes < ALIGNED_FROM or dtype.hasobject:
        return np.empty(shape, dtype)
    memory = np.empty(nbytes + LINE, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.__array_interface__["data"][0] % LINE)


def full(shape: tuple[int, ...], value: Any, dtype: Any = np.float32) -> np.ndarray:
    """np.full in such memory."""
    y = empty(shape, dtype)
    np.copyto(y, value, casting="unsafe")
    return y


def copied(a: np.ndarray, dtype: Any = None) -> np.ndarray:
    """A contiguous copy in such memory."""
    y = empty(a.shape, a.dtype if dtype is None else dtype)
    np.copyto(y, a, casting="unsafe")
    return y
