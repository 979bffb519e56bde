"""Running extremes and sums, differences, searches, and sums that leave NaN out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, tensor
from .arithmetic import div, sub
from .checks import need_float, renamed, single
from .clone import clone
from .compare import isnan, ne
from .composed import logaddexp
from .extremes import amax, amin
from .flip import flip
from .indexing import gather, where
from .join import cat
from .reduce import norm, sum
from .shape_op import axis
from .slices import diagonal, narrow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["aminmax", "bucketize", "cummax", "cummin", "diff", "dist", "fliplr", "flipud", "isin",
           "logcumsumexp", "nanmean", "nansum", "searchsorted", "trace"]


def cummax(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Running:
    r"""The largest element so far along a dimension, and its place.

    .. math:: y_i = \max_{j \le i} x_j

    Of equals the last; NaN stays from where it appears.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int

    Returns
    -------
    A named tuple (values, indices) of input's shape.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: four passes over the elements, in NumPy.

    >>> import fastnn as nn
    >>> nn.cummax(nn.tensor([1.0, 3.0, 2.0]), 0)
    Running(values=tensor([1., 3., 3.]), indices=tensor([0, 1, 1]))
    """
    return running("cummax", input, dim, np.maximum, numpy)


def cummin(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Running:
    """The smallest element so far along a dimension, and its place.

    Parameters, errors and cost: as `cummax`.

    >>> import fastnn as nn
    >>> nn.cummin(nn.tensor([3.0, 1.0, 2.0]), 0)
    Running(values=tensor([3., 1., 1.]), indices=tensor([0, 1, 1]))
    """
    return running("cummin", input, dim, np.minimum, numpy)


def logcumsumexp(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The logarithm of the sum so far of exponentials along a dimension, without overflow.

    .. math:: y_i = \ln \sum_{j \le i} e^{x_j}

    Where a sum is infinite its slope is that of `logaddexp`, and NaN in PyTorch.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    dim : int

    Raises
    ------
    RangeError : if there is no such dimension.
    DTypeError : if input is not floating point.

    Cost: log2(n) times `logaddexp`, along a dimension of size n.

    Reference: Hillis, Steele (1986), "Data parallel algorithms", for sums of twice as many each
    time.

    >>> import fastnn as nn
    >>> nn.logcumsumexp(nn.tensor([1000.0, 1000.0]), 0)
    tensor([1000.0000, 1000.6932])
    """
    d = axis("logcumsumexp", renamed("logcumsumexp", numpy, dim=dim)["dim"] if numpy else dim, input.ndim)
    need_float("logcumsumexp", input=input._data)
    n, step = input.shape[d] if input.ndim else 1, 1
    y = clone(input)
    while step < n:                                 # y_i has the sum of the last `step` elements
        y = cat([narrow(y, d, 0, step), logaddexp(narrow(y, d, step, n - step), narrow(y, d, 0, n - step))], d)
        step *= 2
    return y


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
         append: Tensor | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""Differences of neighbours along a dimension, n times.

    .. math:: y_i = x_{i + 1} - x_i

    Parameters
    ----------
    input : Tensor of numbers, or of bool
    n : int
        How often, from 0.
    dim : int
    prepend, append : Tensor, optional
        What stands before and behind input along dim.

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if n is negative, input has no dimensions, or what is put on does not fit.

    Cost: one pass over the elements each time; n = 0 copies.

    >>> import fastnn as nn
    >>> nn.diff(nn.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if numpy:
        dim = renamed("diff", numpy, dim=None if dim == -1 else dim)["dim"]
    n = single("diff", "n", n, 0)
    if input.ndim == 0:
        raise ShapeError(who="diff", expected="a tensor with dimensions", got=input.shape)
    d = axis("diff", dim, input.ndim)
    if n == 0:
        return clone(input)
    parts = [t for t in (prepend, input, append) if t is not None]
    x = cat(parts, d) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[d])):
        m = x.shape[d] - 1
        later, before = narrow(x, d, min(1, x.shape[d]), m), narrow(x, d, 0, m)
        x = ne(later, before) if x.dtype.kind == "b" else sub(later, before)
    return x


def dist(input: Tensor, other: Tensor, p: float = 2.0) -> Tensor:
    """The norm of a difference: `norm` of input - other.

    Parameters
    ----------
    input, other : Tensor, floating point, which broadcast
    p : as in `norm`

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if input is not floating point.

    Cost: as `norm`, and one pass.

    >>> import fastnn as nn
    >>> nn.dist(nn.tensor([3.0, 0.0]), nn.tensor([0.0, 4.0]))
    tensor(5.)
    """
    return norm(sub(input, other), p)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Range:
    """`amin` and `amax` at once.

    Parameters
    ----------
    input, dim, keepdim : as in `amax`

    Returns
    -------
    A named tuple (min, max).

    Errors: as `amax`. Cost: twice `amax`.

    >>> import fastnn as nn
    >>> nn.aminmax(nn.tensor([2.0, 1.0]))
    Range(min=tensor(1.), max=tensor(2.))
    """
    if numpy:
        return aminmax(input, **renamed("aminmax", numpy, dim=dim, keepdim=keepdim))
    return Range(amin(input, dim, keepdim), amax(input, dim, keepdim))


def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's diagonal.

    Parameters
    ----------
    input : Tensor of two dimensions

    Raises
    ------
    ShapeError : for another number of dimensions.

    Cost: reads the diagonal.

    >>> import fastnn as nn
    >>> nn.trace(nn.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor(5.)
    """
    if input.ndim != 2:
        raise ShapeError(who="trace", expected="a matrix", got=input.shape)
    return sum(diagonal(input))


def fliplr(input: Tensor) -> Tensor:
    """The columns in reverse order. Parameters, errors and cost: as `flip`.

    >>> import fastnn as nn
    >>> nn.fliplr(nn.tensor([[1, 2], [3, 4]]))
    tensor([[2, 1],
            [4, 3]])
    """
    if input.ndim < 2:
        raise ShapeError(who="fliplr", expected="at least two dimensions", got=input.shape)
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """The rows in reverse order. Parameters, errors and cost: as `flip`.

    >>> import fastnn as nn
    >>> nn.flipud(nn.tensor([1, 2, 3]))
    tensor([3, 2, 1])
    """
    if input.ndim < 1:
        raise ShapeError(who="flipud", expected="at least one dimension", got=input.shape)
    return flip(input, 0)


# ---- without NaN ---------------------------------------------------------------------------------
def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
           **numpy: Unpack[Numpy]) -> Tensor:
    """`sum`, where NaN counts as 0.

    Parameters
    ----------
    input, dim, keepdim, dtype : as in `sum`

    Errors: as `sum`. Cost: as `sum`, and two passes.

    >>> import fastnn as nn
    >>> nn.nansum(nn.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    if numpy:
        return nansum(input, dtype=dtype, **renamed("nansum", numpy, dim=dim, keepdim=keepdim))
    x = where(isnan(input), 0.0, input) if input.dtype.kind == "f" else input
    return sum(x, dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
            **numpy: Unpack[Numpy]) -> Tensor:
    """The mean of what is not NaN; NaN where nothing else is.

    Parameters
    ----------
    input, dim, keepdim, dtype : as in `sum`

    Errors: as `mean`. Cost: as `mean`, and four passes.

    >>> import fastnn as nn
    >>> nn.nanmean(nn.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5)
    """
    if numpy:
        return nanmean(input, dtype=dtype, **renamed("nanmean", numpy, dim=dim, keepdim=keepdim))
    need_float("nanmean", input=input._data)
    there = Tensor(np.asarray(~np.isnan(input._data)).astype(input.dtype))
    return div(nansum(input, dim, keepdim, dtype=dtype), sum(there, dim, keepdim, dtype=dtype))


# ---- where something is --------------------------------------------------------------------------
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


# ---- what the functions share --------------------------------------------------------------------
class Running(NamedTuple):
    """What cummax and cummin return."""

    values: Tensor
    indices: Tensor


class Range(NamedTuple):
    """What aminmax returns."""

    min: Tensor
    max: Tensor


def running(who: str, input: Tensor, dim: int | None, best: Any, numpy: Mapping[str, Any]) -> Running:
    """Where the element is as good as all before, its place; the places' maximum so far."""
    d = axis(who, renamed(who, numpy, dim=dim)["dim"] if numpy else dim, input.ndim)
    x = input._data
    if x.ndim == 0:
        return Running(input, Tensor(np.zeros((), np.int64)))
    with np.errstate(invalid="ignore"):
        y = best.accumulate(x, d) if x.size else x
    number = np.arange(x.shape[d]).reshape([-1 if e == d else 1 for e in range(x.ndim)])
    new = (x == y) | (x != x)
    places = Tensor(np.maximum.accumulate(np.where(new, number, 0), d) if x.size else np.zeros(x.shape, np.int64))
    return Running(gather(input, d, places), places)
