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

    NumPy's arrays begin at a multiple of 16 bytes, mostly, and then every vector of 64 bytes lies
    in two lines: reading the weights of a layer for one image takes up to 1.6 times as long. The
    memory is NumPy's all the same: results' recycled memory would hold parameters beside what comes
    and goes, and cannot serve NumPy's own temporaries.
    """
    kind = np.dtype(dtype)
    nbytes = math.prod(shape) * kind.itemsize
    if nbytes < ALIGNED_FROM or kind.hasobject:
        return np.empty(shape, kind)
    memory = np.empty(nbytes + LINE, np.uint8)
    return np.ndarray(shape, kind, memory, -memory.__array_interface__["data"][0] % LINE)


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
