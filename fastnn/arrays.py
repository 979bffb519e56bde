"""Arrays that begin a cache line: where parameters, optimisers' state and batches live.

`meta()` gives them a shape without memory, so that a network can be counted before it is built.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

__all__ = ["copied", "empty", "full", "is_meta", "machine_memory", "memory_limit", "meta", "restore_dtype",
           "with_own_dtype"]

LINE = 64                               # bytes of a cache line
ALIGNED_FROM = 2048                     # bytes; smaller arrays have few loads to gain
MUCH = 2**30                            # bytes from which on the machine is asked what it has
MOST = 2**47                            # bytes: the addresses that a program has on most processors


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
    if (room := _room.get()) is not None:
        return room.array(shape, dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    # Beyond MOST, NumPy's own error is a ValueError. What the machine does not have, the system may
    # promise all the same, and ends the program while it is being filled.
    if nbytes > MUCH and nbytes > (memory_limit() or MOST):
        raise MemoryError(f"no memory for {nbytes:.3g} bytes, an array of shape {shape}")
    if nbytes < ALIGNED_FROM or dtype.hasobject:
        return np.empty(shape, dtype)
    memory = np.empty(nbytes + LINE, np.uint8)
    return np.ndarray(shape, dtype, memory, -memory.__array_interface__["data"][0] % LINE)


def full(shape: tuple[int, ...], value: Any, dtype: Any = np.float32) -> np.ndarray:
    """np.full in such memory."""
    y = empty(shape, dtype)
    if not is_meta(y):
        np.copyto(y, value, casting="unsafe")
    return y


def copied(a: np.ndarray, dtype: Any = None) -> np.ndarray:
    """A contiguous copy in such memory."""
    y = empty(a.shape, a.dtype if dtype is None else dtype)
    if not is_meta(y):
        np.copyto(y, a, casting="unsafe")
    return y


# ---- how much there is ---------------------------------------------------------------------------
def machine_memory() -> int | None:
    """Bytes of memory of the machine; None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE")*os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def memory_limit() -> int | None:
    """The smaller of the machine's memory and the container's limit, in bytes."""
    limits = [machine_memory()]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):               # no such file, or "max"
            pass
    known = [limit for limit in limits if limit]
    return min(known) if known else None


# ---- NumPy's own dtypes --------------------------------------------------------------------------
_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)


def with_own_dtype(a: np.ndarray) -> np.ndarray:
    """The array, or a view of it, whose dtype is NumPy's own object.

    Kernels know a type by that object's address. An equal one, as in arrays that were pickled or
    that went through `newbyteorder`, would send every call the long way.
    """
    dtype = a.dtype
    if dtype is _FLOAT32 or dtype is _FLOAT64 or dtype is _INT64:       # the common cases, quickly
        return a
    own = np.dtype(dtype.str) if dtype.kind in "fiub" else dtype
    return a if dtype is own else a.view(own)


def restore_dtype(a: np.ndarray) -> None:
    """The same in place, for an array that pickle has made, which others may share."""
    own = with_own_dtype(a).dtype
    if own is not a.dtype:
        # NumPy allows it; its types do not
        a.dtype = own                               # type: ignore[misc]


# ---- shapes without memory -----------------------------------------------------------------------
class _Room:
    """Gives arrays whose elements are all the same one, as long as there is room for them."""

    def __init__(self, most: float):
        self.left = most

    def array(self, shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
        self.left -= math.prod(shape) + 1
        if self.left < 0:
            raise MemoryError("more elements than there is room for")
        element = _ELEMENTS.setdefault(kind, np.zeros(1, kind))
        return np.ndarray(shape, kind, element, strides=(0,)*len(shape))


_ELEMENTS: dict[np.dtype, np.ndarray] = {}      # dtype -> the one element of all its meta arrays
_room: ContextVar[_Room | None] = ContextVar("room", default=None)


@contextmanager
def meta(most: float = math.inf) -> Iterator[None]:
    """Inside, `empty`, `full` and `copied` give arrays that have a shape but no memory.

    All their elements are one and the same, and `init` leaves them alone: PyTorch's meta device. A
    network that is built here costs nothing. It can be counted, its shapes can be compared with
    those of a file, and `summary` can run it.

    Parameters
    ----------
    most : float
        How many elements there may be in all; each array counts as one more.

    Raises
    ------
    MemoryError
        An array for which there is no room left.

    >>> with meta():
    ...     a = empty((1_000_000, 1_000_000))
    >>> a.shape, is_meta(a), is_meta(empty((2, 3)))
    ((1000000, 1000000), True, False)
    """
    token = _room.set(_Room(most))
    try:
        yield
    finally:
        _room.reset(token)


def is_meta(a: np.ndarray) -> bool:
    """Whether this is an array of `meta`, or a view of one."""
    return a.base is not None and a.base is _ELEMENTS.get(a.dtype)
