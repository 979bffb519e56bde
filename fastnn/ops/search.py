"""Where values lie: in sorted rows, in intervals between boundaries, in a set."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, tensor
from .indexing import gather

__all__ = ["bucketize", "isin", "searchsorted"]


def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Tensor | None = None) -> Tensor:
    """Where values go in sorted rows, so that these stay sorted.

    Parameters
    ----------
    sorted_sequence : Tensor of any dtype, sorted along its last dimension
    input : Tensor, or number
        Of the same dimensions but the last, or of any where there is one row.
    out_int32 : bool
        Whether the places are int32.
    right, side : bool, "left" or "right"
        Whether behind equals: True or "right".
    sorter : Tensor of integers, optional
        As argsort gives it: sorted_sequence is not sorted yet, and is taken in this order.

    Returns
    -------
    Tensor of input's shape, int64 or int32.

    Raises
    ------
    ShapeError : if the rows do not fit.
    RangeError : for another side.

    Cost: a search of log2(n) steps a value, in NumPy.

    >>> import fastnn as nn
    >>> nn.searchsorted(nn.tensor([1.0, 3.0, 5.0]), nn.tensor([3.0, 6.0]))
    tensor([1, 3])
    """
    if side not in (None, "left", "right"):
        raise RangeError(who="searchsorted", expected="side 'left' or 'right'", got=repr(side))
    if sorter is not None:
        sorted_sequence = gather(sorted_sequence, -1, sorter)
    rows, values = sorted_sequence._data, np.asarray(getattr(input, "_data", input))
    way: Any = "right" if right or side == "right" else "left"
    if rows.ndim == 1:
        found = np.asarray(np.searchsorted(rows, values, way))
    elif rows.ndim == 0 or rows.shape[:-1] != values.shape[:-1]:
        raise ShapeError(who="searchsorted", expected=f"values of shape (*{rows.shape[:-1]}, n)", got=values.shape)
    else:
        found = np.zeros(values.shape, np.int64)
        for i in np.ndindex(rows.shape[:-1]):
            found[i] = np.searchsorted(rows[i], values[i], way)
    return Tensor(found.astype(np.int32 if out_int32 else np.int64))


def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """The number of the interval, between sorted boundaries, in which each value lies.

    Parameters
    ----------
    input : Tensor, or number
    boundaries : Tensor of one dimension, sorted
    out_int32, right : as in `searchsorted`

    Raises
    ------
    ShapeError : if boundaries has not one dimension.

    Cost: as `searchsorted`.

    >>> import fastnn as nn
    >>> nn.bucketize(nn.tensor([0.5, 3.0]), nn.tensor([1.0, 2.0]))
    tensor([0, 2])
    """
    if boundaries.ndim != 1:
        raise ShapeError(who="bucketize", expected="boundaries of one dimension", got=boundaries.shape)
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def isin(elements: Any = None, test_elements: Any = None, *, assume_unique: bool = False, invert: bool = False,
         element: Any = None, test_element: Any = None) -> Tensor:
    """Whether each element is one of those in a set. No gradient.

    Parameters
    ----------
    elements, test_elements : Tensor, or number
    assume_unique : accepted for PyTorch's sake
    invert : bool
        Whether it is none of them.
    element, test_element : PyTorch's names for elements and test_elements that are numbers

    Raises
    ------
    DTypeError : if one is no number, array or tensor, or if one is missing.

    Cost: sorts both, in NumPy.

    >>> import fastnn as nn
    >>> nn.isin(nn.tensor([1, 2, 3]), nn.tensor([2, 5]))
    tensor([False,  True, False])
    """
    elements = element if elements is None else elements
    test_elements = test_element if test_elements is None else test_elements
    for name, given in (("elements", elements), ("test_elements", test_elements)):
        if given is None:
            raise DTypeError(who="isin", expected=f"{name} as a Tensor or a number", got="None")
    a, b = tensor(elements)._data, tensor(test_elements)._data
    return Tensor(np.asarray(np.isin(a, b, invert=bool(invert))))
