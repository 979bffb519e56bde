"""Order and number: sorting, the largest few, what is not zero, what there is and how often.

NumPy finds the places, without a gradient; the values are gathered from there, with one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, wrapped
from .checks import need_array, need_integers, need_room, renamed, single
from .indexing import gather, getitem
from .reduce import one_axis
from .repeat import broadcast_tensors
from .shape import reshape
from .shape_op import slice_axis

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["argsort", "argwhere", "bincount", "count_nonzero", "masked_select", "msort", "nonzero", "sort", "topk",
           "unique", "unique_consecutive"]


def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False,
         **numpy: Unpack[Numpy]) -> Sorted:
    """The elements along a dimension in order, and where they were.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    descending : bool
        The largest first. NaN counts as the largest.
    stable : bool
        Equal elements stay in their order; here they always do.

    Returns
    -------
    The pair (values, indices), indices of int64. The values have a gradient.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: n log n comparisons along the dimension, in NumPy.

    >>> import fastnn as nn
    >>> values, indices = nn.tensor([3.0, 1.0, 2.0]).sort(); values, indices
    (tensor([1., 2., 3.]), tensor([1, 2, 0]))
    """
    if numpy:
        return sort(input, descending=descending, stable=stable,
                    **renamed("sort", numpy, dim=0 if dim == -1 else dim))
    d = one_axis("sort", input.ndim, dim)
    return picked(input, d, order(input._data, d, descending))


def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False,
            **numpy: Unpack[Numpy]) -> Tensor:
    """Where the elements of sort were. Parameters, errors and cost: as `sort`.

    >>> import fastnn as nn
    >>> nn.tensor([3.0, 1.0, 2.0]).argsort()
    tensor([1, 2, 0])
    """
    if numpy:
        return argsort(input, descending=descending, stable=stable,
                       **renamed("argsort", numpy, dim=0 if dim == -1 else dim))
    return wrapped(order(input._data, one_axis("argsort", input.ndim, dim), descending))


def msort(input: Tensor) -> Tensor:
    """sort along the first dimension, the values alone. Parameters, errors and cost: as `sort`.

    >>> import fastnn as nn
    >>> nn.msort(nn.tensor([3, 1, 2]))
    tensor([1, 2, 3])
    """
    return sort(input, 0).values


def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True,
         **numpy: Unpack[Numpy]) -> Sorted:
    """The k largest elements along a dimension, and where they are.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    k : int
    dim : int
    largest : bool
        False: the k smallest.
    sorted : bool
        In order; here they always are.

    Returns
    -------
    The pair (values, indices), indices of int64. The values have a gradient.

    Raises
    ------
    RangeError : if there is no such dimension, or it has fewer than k elements.

    Cost: as `sort`; where k is small against n, n comparisons and k log k.

    >>> import fastnn as nn
    >>> values, indices = nn.tensor([3.0, 1.0, 2.0]).topk(2); values, indices
    (tensor([3., 2.]), tensor([0, 2]))
    """
    if numpy:
        return topk(input, k, largest=largest, sorted=sorted, **renamed("topk", numpy, dim=0 if dim == -1 else dim))
    d = one_axis("topk", input.ndim, dim)
    x = input._data
    n = x.shape[d] if x.ndim else 1
    k = single("topk", "k", k, 0)
    if k > n:
        raise RangeError(who="topk", expected=f"k of at most {n}, the size of dimension {dim}", got=k)
    if x.ndim and 8 * k < n and x.dtype.kind == "f" and not np.isnan(x).any():
        # the k best are on one side of the k-th place; those few are then sorted
        part = np.argpartition(x, n - k if largest else k - 1, d) if k else np.zeros(x.shape, np.int64)
        few = np.sort(np.take(part, range(n - k, n) if largest else range(k), d), d)
        return picked(input, d, np.take_along_axis(few, order(np.take_along_axis(x, few, d), d, largest), d))
    found = order(x, d, largest)
    return picked(input, d, np.take(found, range(k), d) if x.ndim else found)


@overload
def nonzero(input: Tensor, *, as_tuple: Literal[False] = False) -> Tensor: ...
@overload
def nonzero(input: Tensor, *, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero, a row each.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    as_tuple : bool
        A tensor for each dimension, to index with.

    Returns
    -------
    Tensor of shape (n, dimensions), int64; no gradient.

    Raises
    ------
    DTypeError : if input is no tensor.

    Cost: reads each element twice, in NumPy.

    >>> import fastnn as nn
    >>> nn.nonzero(nn.tensor([[0, 1], [2, 0]]))
    tensor([[0, 1],
            [1, 0]])
    """
    x = input._data
    if as_tuple:
        return tuple([wrapped(i) for i in np.nonzero(np.atleast_1d(x))])
    return wrapped(np.argwhere(x).astype(np.int64, copy=False))


def argwhere(input: Tensor) -> Tensor:
    """nonzero, a row for each. Parameters, errors and cost: as `nonzero`.

    >>> import fastnn as nn
    >>> nn.argwhere(nn.tensor([0, 1, 2]))
    tensor([[1],
            [2]])
    """
    return nonzero(input)


def count_nonzero(input: Tensor, dim: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    """How many elements are not zero, over all or over some axes.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int or tuple of int, optional

    Returns
    -------
    Tensor of int64, without a gradient.

    Raises
    ------
    RangeError : if there is no such axis.

    Cost: reads each element once, in NumPy.

    >>> import fastnn as nn
    >>> nn.count_nonzero(nn.tensor([0, 1, 2]))
    tensor(2)
    """
    if numpy:
        return count_nonzero(input, **renamed("count_nonzero", numpy, dim=dim))
    over = None if dim is None else tuple([one_axis("count_nonzero", input.ndim, d)
                                           for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
    return wrapped(np.asarray((input._data != 0).sum(axis=over or None if input.ndim else None), np.int64))


def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a mask is True, as a vector.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    mask : Tensor of bool
        The shapes broadcast together.

    Raises
    ------
    DTypeError : if the mask is not bool.
    ShapeError : if the shapes do not broadcast.

    Cost: reads each element once and writes those chosen; backward as `getitem`.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0, 3.0])
    >>> nn.masked_select(x, x > 1)
    tensor([2., 3.])
    """
    need_array("masked_select", mask=getattr(mask, "_data", mask))
    if mask.dtype.kind != "b":
        raise DTypeError(who="masked_select", expected="a mask of dtype bool", got=str(mask.dtype),
                         hint="Compare it, for example mask == 0.")
    a, b = broadcast_tensors(input, mask)
    return getitem(reshape(a, -1), b._data.reshape(-1))


@overload
def unique(input: Tensor, sorted: bool = ..., return_inverse: Literal[False] = ..., return_counts: Literal[False] = ...,
           dim: int | None = ..., **numpy: Unpack[Numpy]) -> Tensor: ...
@overload
def unique(input: Tensor, sorted: bool = ..., *, return_inverse: Literal[True], return_counts: bool = ...,
           dim: int | None = ..., **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]: ...
@overload
def unique(input: Tensor, sorted: bool = ..., return_inverse: bool = ..., *, return_counts: Literal[True],
           dim: int | None = ..., **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]: ...
@overload
def unique(input: Tensor, sorted: bool = ..., return_inverse: bool = ..., return_counts: bool = ...,
           dim: int | None = ..., **numpy: Unpack[Numpy]) -> Any: ...
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None, **numpy: Unpack[Numpy]) -> Any:
    """Each value once, in ascending order.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    sorted : bool
        Here they always are.
    return_inverse : bool
        Also where in the result each element's value is, of input's shape.
    return_counts : bool
        Also how often each occurs.
    dim : int, optional
        Slices along this dimension instead of single elements.

    Returns
    -------
    Tensor, or a tuple with what was asked for; no gradient.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: as `sort`.

    >>> import fastnn as nn
    >>> nn.unique(nn.tensor([3, 1, 3]), return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    if numpy:
        return unique(input, sorted, return_inverse, return_counts, **renamed("unique", numpy, dim=dim))
    axis = None if dim is None else slice_axis("unique", dim, input.ndim)
    x = input._data
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True, axis=axis, equal_nan=False)
    shape = x.shape if axis is None else (x.shape[axis],)
    found = [values, *([inverse.reshape(shape)] if return_inverse else []), *([counts] if return_counts else [])]
    tensors = [wrapped(np.asarray(a, a.dtype if a is values else np.int64)) for a in found]
    return tuple(tensors) if len(tensors) > 1 else tensors[0]


@overload
def unique_consecutive(input: Tensor, return_inverse: Literal[False] = ..., return_counts: Literal[False] = ...,
                       dim: int | None = ..., **numpy: Unpack[Numpy]) -> Tensor: ...
@overload
def unique_consecutive(input: Tensor, *, return_inverse: Literal[True], return_counts: bool = ...,
                       dim: int | None = ..., **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]: ...
@overload
def unique_consecutive(input: Tensor, return_inverse: bool = ..., *, return_counts: Literal[True],
                       dim: int | None = ..., **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]: ...
@overload
def unique_consecutive(input: Tensor, return_inverse: bool = ..., return_counts: bool = ...,
                       dim: int | None = ..., **numpy: Unpack[Numpy]) -> Any: ...
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False,
                       dim: int | None = None, **numpy: Unpack[Numpy]) -> Any:
    """Each run of equal neighbours once, in the order in which they come.

    Parameters
    ----------
    input, return_inverse, return_counts, dim : as in `unique`

    Returns
    -------
    Tensor, or a tuple with what was asked for; no gradient.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: reads each element once, in NumPy.

    >>> import fastnn as nn
    >>> nn.unique_consecutive(nn.tensor([3, 3, 1, 3]), return_counts=True)
    (tensor([3, 1, 3]), tensor([2, 1, 1]))
    """
    if numpy:
        return unique_consecutive(input, return_inverse, return_counts, **renamed("unique_consecutive", numpy, dim=dim))
    x = input._data
    axis = None if dim is None else one_axis("unique_consecutive", input.ndim, dim)
    rows = x.reshape(-1, 1) if axis is None or x.ndim == 0 else np.moveaxis(x, axis, 0)
    n = rows.shape[0]
    new = np.ones(n, bool)
    new[1:] = (rows[1:] != rows[:-1]).reshape(max(n - 1, 0), math.prod(rows.shape[1:])).any(1)
    begins = np.flatnonzero(new)
    values = x.reshape(-1)[begins] if axis is None or x.ndim == 0 else np.take(x, begins, axis)
    inverse = np.cumsum(new) - 1
    shape = x.shape if axis is None else inverse.shape
    found = [values, *([inverse.reshape(shape)] if return_inverse else []),
             *([np.diff(np.append(begins, n))] if return_counts else [])]
    tensors = [wrapped(np.asarray(a, a.dtype if a is values else np.int64)) for a in found]
    return tuple(tensors) if len(tensors) > 1 else tensors[0]


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each number from 0 up occurs.

    Parameters
    ----------
    input : Tensor of integers, of one dimension
        None below 0.
    weights : Tensor of input's shape, optional
        What each counts; then the result is floating point.
    minlength : int
        At least so many numbers.

    Raises
    ------
    DTypeError : if input is not of integers.
    ShapeError : if it is no vector, or the weights have another shape.
    RangeError : if a number is negative.

    Cost: reads each element once, in NumPy; no gradient.

    >>> import fastnn as nn
    >>> nn.bincount(nn.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    x = input._data
    need_integers("bincount", input=x)
    if x.ndim != 1 or (weights is not None and weights.shape != x.shape):
        raise ShapeError(who="bincount", expected="a vector, and weights of its shape",
                         got=x.shape if weights is None else f"{x.shape} and {weights.shape}")
    if x.size and int(x.min()) < 0:
        raise RangeError(who="bincount", expected="numbers >= 0", got=int(x.min()))
    least = single("bincount", "minlength", minlength, 0)
    need_room("bincount", [max(least, int(x.max()) + 1 if x.size else 0)], 8)
    if weights is None:
        return wrapped(np.bincount(x.astype(np.int64), minlength=least).astype(np.int64, copy=False))
    counts = np.bincount(x.astype(np.int64), weights._data, least)
    return wrapped(counts.astype(weights.dtype if weights.dtype == np.float32 else np.float64))


# ---- what the functions share --------------------------------------------------------------------
class Sorted(NamedTuple):
    """What sort and topk return."""

    values: Tensor
    indices: Tensor


def order(x: np.ndarray, axis: int, descending: bool) -> np.ndarray:
    """np.argsort where equals keep their order in both directions, and NaN is the largest."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, axis, kind="stable")
    # of the reversed elements the last of equals is the first of all
    found = np.argsort(np.flip(x, axis), axis, kind="stable")
    return np.ascontiguousarray(x.shape[axis] - 1 - np.flip(found, axis))


def picked(input: Tensor, dim: int, index: np.ndarray) -> Sorted:
    """The elements at these places, and the places."""
    places = wrapped(index)
    return Sorted(gather(input, dim, places), places)
