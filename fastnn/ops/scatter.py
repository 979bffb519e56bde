"""Writing elements by position: the opposite of indexing.

Integers, and products and extremes by group, are NumPy's work: the definitions in
fastnn/reference/scatter.py. Every function makes a new tensor; the methods with a final underscore
(`x.scatter_add_`) write into x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import IndexMistake
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import scatter as reference
from ..tensor import Tensor, check_key, number_of, tensor
from .arithmetic import common_shape, div, mul
from .checks import FLOATS, need_array, need_integers, need_native
from .indexing import getitem, masked_fill, slice_numbers
from .repeat import expand
from .shape import reshape
from .shape_op import axis, draw, slice_axis

__all__ = ["diagonal_scatter", "index_add", "index_copy", "index_fill", "index_put", "index_reduce", "masked_scatter",
           "put", "scatter", "scatter_add", "scatter_reduce", "select_scatter", "slice_scatter", "take"]


def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None,
            reduce: str | None = None) -> Tensor:
    r"""A copy with elements replaced along one dimension, one for each element of the index.

    .. math:: y_{i,\, index_{ij}} = src_{ij} \quad \text{for } dim = 1

    Of several values for one element the last stays, and has the gradient.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    index : Tensor of integers
        Of input's rank, and nowhere larger than src, nor, but along dim, than input.
    src, value : Tensor of input's dtype, or a number, which stands for all
    reduce : "add" or "multiply", optional
        Join the values with what is there. `scatter_reduce` does more.

    Returns
    -------
    Tensor of input's shape.

    Raises
    ------
    RangeError : if an index, or dim, is out of range, or input's type cannot hold the number.
    ShapeError : if the shapes do not fit.
    DTypeError : if index is not of integers, or src of another type than input.

    Cost: copies input, and reads and writes each chosen element once.

    >>> import fastnn as nn
    >>> nn.scatter(nn.zeros(2, 3), 1, nn.tensor([[2], [0]]), 1.0)
    tensor([[0., 0., 1.],
            [1., 0., 0.]])
    """
    if (src is None) == (value is None):
        raise DTypeError("src or value is needed", who="scatter", got="neither" if src is None else "both")
    if reduce not in (None, "add", "multiply"):
        raise RangeError(who="scatter", expected="reduce 'add' or 'multiply'", got=repr(reduce))
    src = value if src is None else src
    if not isinstance(src, Tensor):
        number = number_of("scatter", src, input.dtype)
        if reduce is None and input.dtype in FLOATS:
            return by_dim(SCATTER_VALUE, "scatter", input, dim, index, value=number)
        src = Tensor(np.full(index.shape, number, input.dtype))
    elif src.ndim == 0 and index.ndim > 0:
        src = expand(src, index.shape)
    if reduce == "add":
        return added("scatter", input, dim, index, src)
    if reduce is None and input.dtype in FLOATS:
        return by_dim(SCATTER, "scatter", input, dim, index, src)
    where, src = places("scatter", input, dim, index, src)
    return joined("scatter", input, where, src, "prod", True) if reduce else written(input, where, src, False)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    r"""A copy with numbers added along one dimension: sums by group.

    .. math:: y_{i,\, index_{ij}} = x_{i,\, index_{ij}} + src_{ij} \quad \text{for } dim = 1,
        \qquad dsrc_{ij} = dy_{i,\, index_{ij}}

    Every value counts, however many go to one element; they are added in the order of the index.

    Parameters
    ----------
    input, dim, index : as in `scatter`
    src : Tensor of input's dtype

    Errors and cost: as `scatter`.

    >>> import fastnn as nn
    >>> nn.scatter_add(nn.zeros(3), 0, nn.tensor([0, 2, 0]), nn.tensor([1.0, 2.0, 3.0]))
    tensor([4., 0., 2.])
    """
    return added("scatter_add", input, dim, index, src)


def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *,
                   include_self: bool = True) -> Tensor:
    r"""A copy with the values for each element joined: sums, products, means or extremes by group.

    Parameters
    ----------
    input, dim, index, src : as in `scatter_add`
    reduce : "sum", "prod", "mean", "amax" or "amin"
        Equal extremes share the gradient.
    include_self : bool
        Whether input's element is one of those joined; if not, it stays only where nothing goes.

    Raises
    ------
    RangeError : for another way to join, and as `scatter`.
    ShapeError, DTypeError : as `scatter`.

    Cost: as `scatter_add`; a product's gradient sorts the values.

    >>> import fastnn as nn
    >>> x, group = nn.tensor([1.0, 2.0, 9.0]), nn.tensor([0, 0, 1])
    >>> nn.scatter_reduce(nn.zeros(2), 0, group, x, "mean", include_self=False)
    tensor([1.5, 9.0])
    """
    if reduce == "sum" and include_self:
        return added("scatter_reduce", input, dim, index, src)
    where, src = places("scatter_reduce", input, dim, index, src)
    return joined("scatter_reduce", input, where, src, reduce, include_self)


# ---- whole slices --------------------------------------------------------------------------------
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    r"""A copy with slices added by number along one dimension.

    .. math:: y_{index_i} = x_{index_i} + \alpha\, source_i \quad \text{for } dim = 0

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    index : Tensor of integers, of one dimension
    source : Tensor of input's dtype, and of its shape but along dim, where it is as long as index
    alpha : number

    Errors and cost: as `scatter_add`.

    >>> import fastnn as nn
    >>> messages = nn.tensor([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]])
    >>> nn.index_add(nn.zeros(2, 2), 0, nn.tensor([1, 0, 1]), messages)
    tensor([[2., 2.],
            [5., 5.]])
    """
    if input.dtype in FLOATS and input.ndim:
        d, index, source = numbered("index_add", input, dim, index, source)
        return apply(INDEX_ADD, input, index, source if alpha == 1 else mul(source, alpha), dim=d)
    where, source = slices("index_add", input, dim, index, source)
    return written(input, where, source if alpha == 1 else mul(source, alpha), True)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    r"""A copy with slices replaced by number along one dimension.

    .. math:: y_{index_i} = source_i \quad \text{for } dim = 0

    Of several slices for one place the last stays. Parameters: as `index_add`. Errors and cost: as
    `scatter`.

    >>> import fastnn as nn
    >>> nn.index_copy(nn.zeros(3, 2), 0, nn.tensor([2]), nn.ones(1, 2))
    tensor([[0., 0.],
            [0., 0.],
            [1., 1.]])
    """
    if input.dtype in FLOATS and input.ndim:
        d, index, source = numbered("index_copy", input, dim, index, source)
        return apply(INDEX_COPY, input, index, source, dim=d)
    where, source = slices("index_copy", input, dim, index, source)
    return written(input, where, source, False)


def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy with slices, by number along one dimension, filled with one value.

    Parameters
    ----------
    input, dim, index : as in `index_add`; numbers below 0 count from the end
    value : number, or Tensor without dimensions, which gets a gradient

    Errors and cost: as `scatter`.

    >>> import fastnn as nn
    >>> nn.index_fill(nn.zeros(2, 3), 1, nn.tensor([0, 2]), 1.0)
    tensor([[1., 0., 1.],
            [1., 0., 1.]])
    """
    d = axis("index_fill", dim, input.ndim)
    n = input.shape[d] if input.ndim else 1
    places = vector("index_fill", index)
    in_range("index_fill", places, n, -n)
    if isinstance(value, Tensor) and value.ndim:
        raise ShapeError(who="index_fill", expected="a number or a tensor without dimensions", got=value.shape)
    chosen = np.zeros(n, bool)
    chosen[places] = True
    mask: Any = chosen.reshape((-1, *[1] * (input.ndim - 1 - d)) if input.ndim else ())
    number: Any = value
    return masked_fill(input, Tensor(mask), number)


def index_reduce(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *,
                 include_self: bool = True) -> Tensor:
    """scatter_reduce of whole slices by number along one dimension.

    Parameters
    ----------
    input, dim, index, source : as in `index_add`
    reduce : "prod", "mean", "amax" or "amin"
    include_self : as in `scatter_reduce`

    Errors and cost: as `scatter_reduce`.

    >>> import fastnn as nn
    >>> nn.index_reduce(nn.zeros(2, 1), 0, nn.tensor([1, 1]), nn.tensor([[3.0], [7.0]]), "amax")
    tensor([[0.],
            [7.]])
    """
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RangeError(who="index_reduce", expected="reduce 'prod', 'mean', 'amax' or 'amin'", got=repr(reduce))
    where, source = slices("index_reduce", input, dim, index, source)
    return joined("index_reduce", input, where, source, reduce, include_self)


# ---- any places ----------------------------------------------------------------------------------
def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy y with y[indices] = values, or += values.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    indices : tuple of Tensors of integers or booleans
        One a dimension, or None for all of it, as NumPy's index with a colon there.
    values : Tensor of input's dtype, which broadcasts to y[indices]
    accumulate : bool
        Add every value, however many go to one element. Else the last stays.

    Raises
    ------
    RangeError : if an index is out of range.
    ShapeError : if the values do not broadcast.
    DTypeError : if an index is of fractions, or the values' type is another than input's.

    Cost: as `scatter`.

    >>> import fastnn as nn
    >>> rows, columns = nn.tensor([0, 1, 1]), nn.tensor([0, 2, 2])
    >>> nn.index_put(nn.zeros(2, 3), (rows, columns), nn.ones(3), accumulate=True)
    tensor([[1., 0., 0.],
            [0., 0., 2.]])
    """
    if not isinstance(indices, (tuple, list)):
        raise DTypeError(who="index_put", expected="indices as a tuple of tensors", got=type(indices).__name__)
    key = tuple(slice(None) if k is None else getattr(k, "_data", k) for k in indices)
    for k in key:
        if not isinstance(k, slice) and getattr(k, "dtype", np.dtype(float)).kind not in "iub":
            raise DTypeError(who="index_put", expected="indices of integers or booleans",
                             got=getattr(k, "dtype", type(k).__name__), hint="Convert it with .long().")
    check_key("index_put", key)
    rows: Any = key[0] if len(key) == 1 else None
    if accumulate and slice_numbers(input, rows) and values.dtype == input.dtype:
        rows = rows.astype(np.int64)
        rows += len(input._data) * (rows < 0)
        return apply(INDEX_ADD, input, Tensor(rows), fitting("index_put", values, (rows.size, *input.shape[1:])), dim=0)
    try:
        where = numbers(input)[key]
    except IndexError as error:
        raise IndexMistake(str(error), who="index_put", got=f"a tensor of shape {input.shape}") from None
    return written(input, Tensor(where), fitting("index_put", values, where.shape), bool(accumulate))


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the elements under a mask replaced by source's, one after the other.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    mask : Tensor of bool; both broadcast
    source : Tensor of input's dtype
        Of at least as many elements as the mask has True.

    Raises
    ------
    ShapeError : if the shapes do not broadcast, or source has too few elements.
    DTypeError : if the mask is not bool, or source of another type.

    Cost: as `scatter`.

    >>> import fastnn as nn
    >>> x = nn.zeros(4)
    >>> nn.masked_scatter(x, nn.tensor([False, True, False, True]), nn.tensor([1.0, 2.0]))
    tensor([0., 1., 0., 2.])
    """
    same_type("masked_scatter", input, source=source)
    if mask.dtype.kind != "b":
        raise DTypeError(who="masked_scatter", expected="a mask of dtype bool", got=str(mask.dtype),
                         hint="Compare it, for example mask == 0.")
    shape = common_shape("masked_scatter", input.shape, mask.shape)
    where = np.flatnonzero(np.broadcast_to(mask._data, shape))
    if source.numel() < where.size:
        raise ShapeError(who="masked_scatter", expected=f"source of at least {where.size} elements", got=source.shape)
    values = getitem(reshape(source, -1), slice(0, where.size))
    return written(expand(input, shape), Tensor(where), values, False)


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with elements replaced by their number, the tensor taken as one row.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    index : Tensor of integers; numbers below 0 count from the end
    source : Tensor of input's dtype, of as many elements as index
    accumulate : as in `index_put`

    Errors and cost: as `scatter`.

    >>> import fastnn as nn
    >>> nn.put(nn.zeros(2, 2), nn.tensor([3]), nn.tensor([5.0]))
    tensor([[0., 0.],
            [0., 5.]])
    """
    same_type("put", input, source=source)
    need_integers("put", index=index._data)
    if index.numel() != source.numel():
        raise ShapeError(who="put", expected=f"source of {index.numel()} elements, as index", got=source.shape)
    n = input.numel()
    in_range("put", index._data, n, -n)
    if index.numel() and index._data.min() < 0:
        where = index._data.astype(np.int64)
        where += n * (where < 0)
        index = Tensor(where)
    return written(input, index, source if source.shape == index.shape else reshape(source, index.shape),
                   bool(accumulate))


def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements by their number, the tensor taken as one row.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    index : Tensor of integers; numbers below 0 count from the end

    Returns
    -------
    Tensor of index's shape.

    Errors and cost: as `gather`.

    >>> import fastnn as nn
    >>> nn.take(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), nn.tensor([3, 0]))
    tensor([4., 1.])
    """
    need_integers("take", index=index._data)
    in_range("take", index._data, input.numel(), -input.numel())
    return getitem(reshape(input, -1), index)


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with one slice replaced: what `select` takes, written.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    src : Tensor of input's dtype, and of the slice's shape
    dim, index : int

    Errors and cost: as `scatter`.

    >>> import fastnn as nn
    >>> nn.select_scatter(nn.zeros(2, 2), nn.ones(2), 0, 1)
    tensor([[0., 0.],
            [1., 1.]])
    """
    d = slice_axis("select_scatter", dim, input.ndim)
    n = input.shape[d]
    if not -n <= index < n:
        raise RangeError(who="select_scatter", expected=f"{-n} <= index < {n}", got=index)
    key: tuple[Any, ...] = (*[slice(None)] * d, int(index))
    return window("select_scatter", input, src, numbers(input)[key])


def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
                  step: int = 1) -> Tensor:
    """A copy with the slices start:end:step along a dimension replaced.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    src : Tensor of input's dtype, and of the slices' shape
    dim, start, end, step : int

    Errors and cost: as `scatter`.

    >>> import fastnn as nn
    >>> nn.slice_scatter(nn.zeros(4), nn.ones(2), start=2)
    tensor([0., 0., 1., 1.])
    """
    d = slice_axis("slice_scatter", dim, input.ndim)
    if not step > 0:
        raise RangeError(who="slice_scatter", expected="step > 0", got=step)
    key = (*[slice(None)] * d, slice(start, end, step))
    return window("slice_scatter", input, src, numbers(input)[key])


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A copy with a diagonal replaced: what `diagonal` takes, written.

    Parameters
    ----------
    input : Tensor of at least two dimensions
    src : Tensor of input's dtype, and of the diagonal's shape
    offset, dim1, dim2 : as in `diagonal`

    Errors: as `diagonal` and `scatter`. Cost: as `scatter`.

    >>> import fastnn as nn
    >>> nn.diagonal_scatter(nn.zeros(2, 2), nn.ones(2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    a, b = axis("diagonal_scatter", dim1, input.ndim), axis("diagonal_scatter", dim2, input.ndim)
    if a == b:
        raise RangeError(who="diagonal_scatter", expected="two dimensions that differ", got=(dim1, dim2))
    same_type("diagonal_scatter", input, src=src)
    return window("diagonal_scatter", input, src, numbers(input).diagonal(offset, a, b))


# ---- what the functions share --------------------------------------------------------------------
def written(input: Tensor, where: Tensor, src: Tensor, accumulate: bool) -> Tensor:
    """The values put at their places; integers and booleans have no gradient, and no kernel."""
    if input.dtype in FLOATS or input.dtype != src.dtype:   # the check has words for the latter
        return apply(PUT, input, where, src, accumulate=accumulate)
    check_put("put")(input._data, where._data, src._data)
    return Tensor(np.asarray(reference.put_forward(input._data, where._data, src._data, accumulate=accumulate)[0]))


def added(who: str, input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """scatter_add; integers and booleans have no gradient, and no kernel."""
    if input.dtype in FLOATS:
        return by_dim(SCATTER_ADD, who, input, dim, index, src)
    return written(input, *places(who, input, dim, index, src), True)


def by_dim(op: Op, who: str, input: Tensor, dim: int, index: Tensor, *values: Tensor, **attrs: Any) -> Tensor:
    """A scatter by its op, with the part of src that is written; a number counts as a row of one.

    values : src, if the op has one
    """
    d, shape = axis(who, dim, max(input.ndim, 1)), input.shape
    if index.numel() == 0:                              # of any shape: nothing is written
        need_integers(who, index=index._data)
        nothing = (*shape[:d], 0, *shape[d + 1:])
        index = Tensor(np.zeros(nothing, np.int64))
        values = tuple([reshape(getitem(reshape(src, -1), slice(0, 0)), nothing) for src in values])
    input, index, *parts = (t if t.ndim else reshape(t, 1) for t in (input, index, *values))
    for k, src in enumerate(parts):
        if src.shape != index.shape and not misplaced(d, input.shape, index.shape, src.shape):
            parts[k] = getitem(src, tuple(map(slice, index.shape)))
    y: Tensor = apply(op, input, index, *parts, dim=d, **attrs)
    return y if shape else reshape(y, ())


def misplaced(d: int, x: tuple[int, ...], index: tuple[int, ...], src: tuple[int, ...]) -> bool:
    """Whether an index of a scatter along d is of another rank, or has elements without a value, or
    beside x.
    """
    return not len(x) == len(index) == len(src) or any(m > k or (e != d and m > n) for e, (m, n, k) in
                                                       enumerate(zip(index, x, src)))


def need_places(who: str, d: int, x: tuple[int, ...], index: tuple[int, ...], src: tuple[int, ...]) -> None:
    if misplaced(d, x, index, src):
        raise ShapeError(who=who, expected=f"an index of rank {len(x)}, nowhere larger than src {src}, nor, but along "
                                           f"dim {d}, than input {x}", got=index)


def joined(who: str, input: Tensor, where: Tensor, src: Tensor, reduce: str, include_self: bool) -> Tensor:
    """Of all values for one element one result."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RangeError(who=who, expected="reduce 'sum', 'prod', 'mean', 'amax' or 'amin'", got=repr(reduce))
    if reduce in reference.JOIN:
        return apply(SCATTER_REDUCE, input, where, src, reduce=reduce, include_self=bool(include_self))
    n = np.bincount(where._data.reshape(-1), minlength=input.numel()).reshape(input.shape)
    if not include_self:
        input = masked_fill(input, Tensor(np.asarray(n > 0)), 0)
    total = written(input, where, src, True)
    if reduce == "sum":
        return total
    count = Tensor(np.asarray(np.maximum(n + bool(include_self), 1).astype(input.dtype)))
    return div(total, count, rounding_mode=None if input.dtype.kind == "f" else "floor")


def places(who: str, input: Tensor, dim: int, index: Tensor, src: Tensor) -> tuple[Tensor, Tensor]:
    """Where the values of scatter go, and the part of src that is written; a number counts as a row
    of one.
    """
    same_type(who, input, src=src)
    need_integers(who, index=index._data)
    d = axis(who, dim, max(input.ndim, 1))
    a, i, s = (t._data.reshape(t.shape or 1) for t in (input, index, src))
    if i.size == 0:
        return Tensor(np.zeros(0, np.int64)), getitem(reshape(src, -1), slice(0, 0))
    need_places(who, d, a.shape, i.shape, s.shape)
    in_range(who, i, a.shape[d])
    where = i.astype(np.int64) * steps(a.shape)[d]
    for e, (step, size) in enumerate(zip(steps(a.shape), i.shape)):
        where += 0 if e == d else position(step, size, e, i.ndim)
    return Tensor(where), reshape(src, s.shape) if s.shape == i.shape else getitem(src, tuple(map(slice, i.shape)))


def numbered(who: str, input: Tensor, dim: int, index: Tensor,
             source: Tensor) -> tuple[int, Tensor, Tensor]:
    """(dim, the numbers of the slices, the slices); a number counts as a row of one. Whether the
    numbers are in range the ops' checks see.
    """
    same_type(who, input, source=source)
    d, shape = axis(who, dim, max(input.ndim, 1)), input.shape or (1,)
    n = vector(who, index).size
    room = (*shape[:d], n, *shape[d + 1:])
    if source.shape != room:
        if not (len(shape) == 1 and source.ndim == 0 and n == 1):
            raise ShapeError(who=who, expected=f"source of shape {room}", got=source.shape)
        source = reshape(source, room)
    return d, index if index.ndim else reshape(index, 1), source


def slices(who: str, input: Tensor, dim: int, index: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
    """Where slices by number go, and the slices."""
    d, index, source = numbered(who, input, dim, index, source)
    shape, chosen = input.shape or (1,), index._data
    in_range(who, chosen, shape[d])
    parts = [position(step, size, e, len(shape)) for e, (step, size) in enumerate(zip(steps(shape), shape))]
    parts[d] = parts[d].reshape(-1)[chosen].reshape([-1 if e == d else 1 for e in range(len(shape))])
    return Tensor(np.asarray(sum(parts))), source


def steps(shape: tuple[int, ...]) -> list[int]:
    """How many elements apart neighbours along each dimension are, in row-major order."""
    return [math.prod(shape[e + 1:]) for e in range(len(shape))]


def position(step: int, size: int, e: int, ndim: int) -> np.ndarray:
    """What dimension e of ndim adds to the number of an element."""
    return (np.arange(size) * step).reshape([-1 if e == k else 1 for k in range(ndim)])


def numbers(input: Tensor) -> np.ndarray:
    """The number of each element, where the tensor is taken as one row."""
    return np.arange(input.numel()).reshape(input.shape)


def window(who: str, input: Tensor, src: Tensor, where: np.ndarray) -> Tensor:
    same_type(who, input, src=src)
    if src.shape != where.shape:
        raise ShapeError(who=who, expected=f"src of shape {where.shape}", got=src.shape)
    return written(input, Tensor(np.asarray(where)), src, False)


def fitting(who: str, values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The values broadcast to a shape."""
    if values.ndim > len(shape) or any(m not in (1, n) for m, n in zip(values.shape[::-1], shape[::-1])):
        raise ShapeError(who=who, expected=f"values that broadcast to {shape}", got=values.shape)
    return values if values.shape == shape else expand(values, shape)


def vector(who: str, index: Tensor) -> np.ndarray:
    need_integers(who, index=index._data)
    if index.ndim > 1:
        raise ShapeError(who=who, expected="an index of one dimension", got=index.shape)
    return index._data


def in_range(who: str, index: np.ndarray, size: int, low: int = 0) -> None:
    if index.size and (index.min() < low or index.max() >= size):
        worst = int(index.max() if index.max() >= size else index.min())
        raise RangeError(f"index {worst} is out of range", who=who, expected=f"{low} <= index < {size}")


def same_type(who: str, input: Tensor, **others: Tensor) -> None:
    for name, t in others.items():
        if t.dtype != input.dtype:
            raise DTypeError(who=who, expected=f"{name} of input's dtype, {input.dtype}", got=str(t.dtype),
                             hint="Convert one of them, for example with .to(dtype).")


# ---- checks --------------------------------------------------------------------------------------
def check_put(who: str) -> Callable[..., None]:
    """A check that values of one type have a place each."""
    def check(x: Any, places: Any, values: Any, **attrs: Any) -> None:
        need_array(who, input=x, values=values)
        need_native(who, input=x)
        need_integers(who, places=places)
        if x.dtype != values.dtype:
            raise DTypeError(who=who, expected=f"values of input's dtype, {x.dtype}", got=str(values.dtype),
                             hint="Convert one of them, for example with .to(dtype).")
        if places.shape != values.shape:
            raise ShapeError(who=who, expected=f"values of shape {places.shape}", got=values.shape)
        in_range(who, places, x.size)
    return check


def check_by_dim(who: str) -> Callable[..., None]:
    """A check of a scatter: an index for each value, and a place for each index."""
    def check(x: Any, index: Any, *values: Any, dim: int, value: float = 0) -> None:
        need_array(who, input=x, index=index)
        need_native(who, input=x)
        need_integers(who, index=index)
        for src in values:
            need_array(who, src=src)
            if x.dtype != src.dtype:
                raise DTypeError(who=who, expected=f"src of input's dtype, {x.dtype}", got=str(src.dtype),
                                 hint="Convert one of them, for example with .to(dtype).")
            need_places(who, dim, x.shape, index.shape, src.shape)
            if src.shape != index.shape:
                raise ShapeError(who=who, expected=f"src of index's shape, {index.shape}", got=src.shape)
        need_places(who, dim, x.shape, index.shape, index.shape)
        in_range(who, index, x.shape[dim])
    return check


def check_slices(who: str) -> Callable[..., None]:
    """A check that there is a slice for each number, and a place for each slice."""
    def check(x: Any, index: Any, source: Any, *, dim: int) -> None:
        need_array(who, x=x, index=index, source=source)
        need_native(who, x=x)
        if x.dtype != source.dtype:
            raise DTypeError(who=who, expected=f"source of input's dtype, {x.dtype}", got=str(source.dtype),
                             hint="Convert one of them, for example with .to(dtype).")
        if index.ndim != 1 or source.shape != (*x.shape[:dim], index.size, *x.shape[dim + 1:]):
            raise ShapeError(who=who, expected=f"source of input's shape {x.shape}, but as long as index along "
                                               f"dim {dim}", got=source.shape)
        need_integers(who, index=index)
        in_range(who, index, x.shape[dim])
    return check


# ---- samples -------------------------------------------------------------------------------------
# groups of one, two and three, and elements that nothing goes to
GO: tuple[tuple[str, tuple[int, ...], Any], ...] = (
    ("smallest", (2,), np.array([1])), ("once", (3, 5), np.array([[0, 4], [7, 6], [12, 13]])),
    ("several", (3, 5), np.array([[0, 4, 4], [1, 0, 4]])), ("empty", (3, 5), np.zeros(0, np.int64)))


def case(name: str, go: tuple[str, tuple[int, ...], Any], first: float, **attrs: Any) -> Sample:
    """The first value is multiplied, so that it is an extreme and has a slope."""
    kind, x, where = go
    name = f"{name} {kind}"
    values = draw(f"{name} values", *where.shape)
    values.flat[:1] = first * np.abs(values.flat[:1])
    return Sample(name, (draw(name, *x), where, values), attrs, {"n": where.size})


def put_samples() -> list[Sample]:
    return [case("added" if add else "put", go, 1.0, accumulate=add) for add in (False, True) for go in GO]


def reduce_samples() -> list[Sample]:
    return [case(reduce if itself else f"{reduce} alone", go, -50.0 if reduce == "amin" else 50.0, reduce=reduce,
                 include_self=itself) for reduce in reference.JOIN for itself in (True, False) for go in GO]


def along(name: str, shape: tuple[int, ...], index: Any, dim: int, **attrs: Any) -> Sample:
    """A call of scatter_add or scatter, or with a number of scatter_value."""
    values = () if attrs else (draw(f"{name} src", *index.shape),)
    return Sample(name, (draw(name, *shape), index, *values), {"dim": dim, **attrs}, {"n": index.size})


def along_samples(**attrs: Any) -> list[Sample]:
    return [
        along("smallest", (2,), np.array([1]), 0, **attrs),
        along("rows", (3, 5), np.array([[0, 4, 0], [1, 1, 1], [2, 3, 4]]), 1, **attrs),
        along("columns", (3, 5), np.array([[0, 2, 1, 1, 0], [0, 1, 1, 2, 0]]), 0, **attrs),
        along("between", (2, 3, 5), in_any_order("between", 3, 2, 4, 5), 1, **attrs),
        along("narrower", (3, 5, 7), np.arange(16).reshape(2, 4, 2) % 5, 1, **attrs),
        along("wide", (3, 67), in_any_order("wide", 3, 5, 67), 0, **attrs),
        along("empty", (3, 5), np.zeros((3, 0), np.int64), 1, **attrs),
        along("no columns", (3, 0), np.zeros((2, 0), np.int64), 0, **attrs),
    ]


def by_slice(name: str, shape: tuple[int, ...], index: Any, dim: int) -> Sample:
    """A call of index_add or index_copy."""
    source = draw(f"{name} source", *shape[:dim], index.size, *shape[dim + 1:])
    return Sample(name, (draw(name, *shape), index, source), {"dim": dim}, {"n": source.size})


def slice_samples() -> list[Sample]:
    return [
        by_slice("smallest", (2,), np.array([1]), 0), by_slice("rows", (3, 5), np.array([2, 0, 2, 2]), 0),
        by_slice("columns", (3, 5), np.array([4, 4, 1, 0]), 1), by_slice("between", (2, 3, 5), np.array([1, 1]), 1),
        by_slice("many before", (37, 3, 2), np.array([1, 2, 1, 1]), 1),
        by_slice("many rows", (37, 3), np.array([1, 2, 1, 1]), 1),
        by_slice("none", (3, 5), np.zeros(0, np.int64), 0), by_slice("no columns", (3, 0), np.array([2, 0]), 0),
    ]


def in_any_order(name: str, size: int, *shape: int) -> np.ndarray:
    return np.asarray(seeded(name).integers(0, size, shape))


def once_each(name: str, *shape: int) -> np.ndarray:
    """Positions along the last dimension, each once."""
    return seeded(name).permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)


def put_fast(x: np.ndarray, places: np.ndarray, values: np.ndarray, accumulate: bool) -> np.ndarray:
    y = x.reshape(-1).copy()
    if accumulate:
        y += np.bincount(places.reshape(-1), values.reshape(-1), y.size)
    else:
        y[places.reshape(-1)] = values.reshape(-1)
    return y.reshape(x.shape)


def scatter_fast(x: np.ndarray, index: np.ndarray, src: np.ndarray, dim: int) -> np.ndarray:
    y = x.copy()
    np.put_along_axis(y, index, src, dim)
    return y


def scatter_value_fast(x: np.ndarray, index: np.ndarray, dim: int, value: float) -> np.ndarray:
    y = x.copy()
    np.put_along_axis(y, index, value, dim)
    return y


def index_copy_fast(x: np.ndarray, index: np.ndarray, source: np.ndarray, dim: int) -> np.ndarray:
    y = x.copy()
    where: tuple[Any, ...] = (*[slice(None)] * dim, index)
    y[where] = source
    return y


def scatter_add_fast(x: np.ndarray, index: np.ndarray, src: np.ndarray, dim: int) -> np.ndarray:
    y = x.copy()
    where: list[Any] = list(np.ogrid[tuple(map(slice, index.shape))])
    where[dim] = index
    np.add.at(y, tuple(where), src)
    return y


def index_add_fast(x: np.ndarray, index: np.ndarray, source: np.ndarray, dim: int) -> np.ndarray:
    y = x.copy()
    where: tuple[Any, ...] = (*[slice(None)] * dim, index)
    np.add.at(y, where, source)
    return y


# ---- records -------------------------------------------------------------------------------------
PUT = register(Op(
    name="put", family="indexing", inputs=("x", "places", "values"),
    formula="y = x, but y.flat[places] = values, or += values",
    forward=kernel("put_forward"), backward=kernel("put_backward"), fits=kernel("fits_put"),
    ref_forward=reference.put_forward, ref_backward=reference.put_backward, check=check_put("put"),
    linear_in=("x", "values"), differentiable=("x", "values"), flops=lambda n: n, bytes=lambda n: 24 * n,
    samples=put_samples, terms=lambda n: n + 1, fast_numpy=put_fast,
    bench={"added": lambda: case("added", ("row", (1 << 20,), in_any_order("added", 1 << 20, 1 << 20)), 1.0,
                                 accumulate=True),
           "last": lambda: case("last", ("row", (1 << 20,), seeded("last").permutation(1 << 20)), 1.0,
                                accumulate=False)},
    errors=(
        Refusal("range", lambda: index_put(tensor(np.zeros(3)), (tensor([3]),), tensor(np.ones(1))),
                RangeError, ("index_put", "3")),
        Refusal("shape", lambda: index_put(tensor(np.zeros(3)), (tensor([0, 1]),), tensor(np.ones(3))),
                ShapeError, ("index_put", "(2,)", "(3,)")),
        Refusal("type", lambda: scatter_add(tensor(np.zeros(3)), 0, tensor([0]), tensor([1])),
                DTypeError, ("scatter_add", "float64", "int64")),
        Refusal("negative", lambda: scatter_add(tensor(np.zeros(3)), 0, tensor([-1]), tensor(np.ones(1))),
                RangeError, ("scatter_add", "index -1", "0 <= index < 3")),
        Refusal("slices", lambda: index_add(tensor(np.zeros((2, 3))), 0, tensor([0]), tensor(np.ones((2, 3)))),
                ShapeError, ("index_add", "(1, 3)", "(2, 3)")),
    )))

SCATTER = register(Op(
    name="scatter", family="indexing", inputs=("x", "index", "src"),
    formula="y = x, but y[i, index[i,j]] = src[i,j]",
    forward=kernel("scatter_forward"), backward=kernel("scatter_backward"), fits=kernel("fits_scatter"),
    ref_forward=reference.scatter_forward, ref_backward=reference.scatter_backward, check=check_by_dim("scatter"),
    linear_in=("x", "src"), differentiable=("x", "src"), flops=lambda n: 0, bytes=lambda n: 24 * n,
    fast_numpy=scatter_fast, samples=along_samples,
    bench={"columns": lambda: along("columns", (1024, 1024), once_each("columns", 1024, 1024), 1),
           "rows": lambda: along("rows", (1024, 1024), once_each("rows", 1024, 1024).T.copy(), 0),
           "row": lambda: along("row", (1 << 20,), once_each("row", 1 << 20), 0)},
    errors=(
        Refusal("range", lambda: scatter(tensor(np.zeros((2, 3))), 1, tensor([[0], [3]]), tensor(np.ones((2, 1)))),
                RangeError, ("scatter", "index 3", "0 <= index < 3")),
        Refusal("negative", lambda: scatter(tensor(np.zeros(3)), 0, tensor([-1]), tensor(np.ones(1))),
                RangeError, ("scatter", "index -1", "0 <= index < 3")),
        Refusal("shape", lambda: scatter(tensor(np.zeros((2, 3))), 1, tensor([[0, 1]]), tensor(np.ones((1, 1)))),
                ShapeError, ("scatter", "src (1, 1)", "(1, 2)")),
    )))

SCATTER_VALUE = register(Op(
    name="scatter_value", family="indexing", inputs=("x", "index"), formula="y = x, but y[i, index[i,j]] = value",
    forward=kernel("scatter_value_forward"), backward=kernel("scatter_value_backward"), fits=kernel("fits_scatter"),
    ref_forward=reference.scatter_value_forward, ref_backward=reference.scatter_value_backward,
    check=check_by_dim("scatter"), linear_in=("x",), differentiable=("x",), flops=lambda n: 0,
    bytes=lambda n: 16 * n, fast_numpy=scatter_value_fast, samples=lambda: along_samples(value=2.5),
    bench={"columns": lambda: along("columns", (1024, 1024), once_each("columns", 1024, 1024), 1, value=1.0)},
    errors=(
        Refusal("rank", lambda: scatter(tensor(np.zeros((2, 3))), 1, tensor([0]), 1.0),
                ShapeError, ("scatter", "rank 2")),
        Refusal("fractions", lambda: scatter(tensor(np.zeros(3)), 0, tensor([0.5]), 1.0),
                DTypeError, ("scatter", "integer", "float32")),
        Refusal("negative", lambda: scatter(tensor(np.zeros(3)), 0, tensor([-1]), 1.0),
                RangeError, ("scatter", "index -1", "0 <= index < 3")),
    )))

SCATTER_ADD = register(Op(
    name="scatter_add", family="indexing", inputs=("x", "index", "src"),
    formula="y[i,j] = x[i,j] + sum of src[i,k] over the k with index[i,k] = j",
    forward=kernel("scatter_add_forward"), backward=kernel("scatter_add_backward"),
    fits=kernel("fits_scatter"),
    ref_forward=reference.scatter_add_forward, ref_backward=reference.scatter_add_backward,
    check=check_by_dim("scatter_add"),
    linear_in=("x", "src"), differentiable=("x", "src"), flops=lambda n: n, bytes=lambda n: 24 * n,
    terms=lambda n: n + 1, fast_numpy=scatter_add_fast,
    samples=along_samples,
    bench={"features": lambda: along("features", (1024, 64), in_any_order("features", 1024, 4096, 64), 0),
           "row": lambda: along("row", (1 << 20,), in_any_order("row", 1 << 20, 1 << 20), 0)},
    errors=(
        Refusal("range", lambda: scatter_add(tensor(np.zeros((2, 3))), 1, tensor([[0], [3]]), tensor(np.ones((2, 1)))),
                RangeError, ("scatter_add", "index 3", "0 <= index < 3")),
        Refusal("shape", lambda: scatter_add(tensor(np.zeros((2, 3))), 1, tensor([[0, 1]]), tensor(np.ones((1, 1)))),
                ShapeError, ("scatter_add", "src (1, 1)", "(1, 2)")),
        Refusal("fractions", lambda: scatter_add(tensor(np.zeros(3)), 0, tensor([0.5]), tensor(np.ones(1))),
                DTypeError, ("scatter_add", "integer", "float32")),
    )))

INDEX_ADD = register(Op(
    name="index_add", family="indexing", inputs=("x", "index", "source"),
    formula="y[i,:] = x[i,:] + sum of source[j,:] over the j with index[j] = i",
    forward=kernel("index_add_forward"), backward=kernel("index_add_backward"),
    ref_forward=reference.index_add_forward, ref_backward=reference.index_add_backward,
    check=check_slices("index_add"), fits=kernel("fits_slices"), linear_in=("x", "source"),
    differentiable=("x", "source"), flops=lambda n: n, bytes=lambda n: 16 * n,
    terms=lambda n: n + 1, fast_numpy=index_add_fast, samples=slice_samples,
    bench={"rows": lambda: by_slice("rows", (1024, 64), in_any_order("rows", 1024, 4096), 0),
           "columns": lambda: by_slice("columns", (4096, 64), in_any_order("columns", 64, 32), 1)},
    errors=(
        Refusal("range", lambda: index_add(tensor(np.zeros(3)), 0, tensor([3]), tensor(np.ones(1))),
                RangeError, ("index_add", "index 3", "0 <= index < 3")),
        Refusal("shape", lambda: index_add(tensor(np.zeros((3, 2))), 0, tensor([0]), tensor(np.ones((1, 3)))),
                ShapeError, ("index_add", "(1, 2)", "(1, 3)")),
        Refusal("type", lambda: index_add(tensor(np.zeros(3)), 0, tensor([0]), tensor([1])),
                DTypeError, ("index_add", "float64", "int64")),
    )))

INDEX_COPY = register(Op(
    name="index_copy", family="indexing", inputs=("x", "index", "source"),
    formula="y = x, but y[index[j],:] = source[j,:]",
    forward=kernel("index_copy_forward"), backward=kernel("index_copy_backward"), fits=kernel("fits_slices"),
    ref_forward=reference.index_copy_forward, ref_backward=reference.index_copy_backward,
    check=check_slices("index_copy"), linear_in=("x", "source"), differentiable=("x", "source"),
    flops=lambda n: 0, bytes=lambda n: 16 * n, fast_numpy=index_copy_fast, samples=slice_samples,
    bench={"rows": lambda: by_slice("rows", (4096, 64), once_each("rows", 4096), 0),
           "columns": lambda: by_slice("columns", (4096, 64), once_each("columns", 64)[:32], 1),
           "row": lambda: by_slice("row", (1 << 20,), once_each("row", 1 << 20), 0)},
    errors=(
        Refusal("range", lambda: index_copy(tensor(np.zeros(3)), 0, tensor([3]), tensor(np.ones(1))),
                RangeError, ("index_copy", "index 3", "0 <= index < 3")),
        Refusal("negative", lambda: index_copy(tensor(np.zeros(3)), 0, tensor([-1]), tensor(np.ones(1))),
                RangeError, ("index_copy", "index -1", "0 <= index < 3")),
        Refusal("shape", lambda: index_copy(tensor(np.zeros((3, 2))), 0, tensor([0]), tensor(np.ones((1, 3)))),
                ShapeError, ("index_copy", "(1, 2)", "(1, 3)")),
        Refusal("type", lambda: index_copy(tensor(np.zeros(3)), 0, tensor([0]), tensor([1])),
                DTypeError, ("index_copy", "float64", "int64")),
    )))

SCATTER_REDUCE = register(Op(
    name="scatter_reduce", family="indexing", inputs=("x", "places", "src"),
    formula="y.flat[p] = the product or an extreme of x.flat[p] and all of src that go to p",
    ref_forward=reference.scatter_reduce_forward, ref_backward=reference.scatter_reduce_backward,
    check=check_put("scatter_reduce"), differentiable=("x", "src"), samples=reduce_samples,
    flops=lambda n: n, bytes=lambda n: 0,
    errors=(
        Refusal("way", lambda: scatter_reduce(tensor(np.zeros(3)), 0, tensor([0]), tensor(np.ones(1)), "max"),
                RangeError, ("scatter_reduce", "amax", "'max'")),
    )))
