"""Slices by number: select, narrow, diagonals, and slices repeated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply
from ..creation import arange
from ..errors import RangeError, ShapeError
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor, wrapped
from .checks import need_integers, need_room, renamed, single
from .clone import clone
from .indexing import getitem, index_select
from .permute import movedim
from .reduce import sum
from .shape import reshape
from .shape_op import axis, draw, shape_op, slice_axis

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["diag", "diag_embed", "diagflat", "diagonal", "narrow", "repeat_interleave", "select", "trace"]


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One slice along a dimension, which the result does not have. A view.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim, index : int
        The dimension and the number of the slice; negative ones count from the end.

    Raises
    ------
    RangeError : if there is no such dimension, or no such slice.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0], [3.0, 4.0]]).select(1, 0)
    tensor([1., 3.])
    """
    d = slice_axis("select", dim, input.ndim)
    n = input.shape[d]
    if not -n <= index < n:
        raise RangeError(who="select", expected=f"{-n} <= index < {n}", got=index)
    return getitem(input, (*[slice(None)] * d, int(index)))


def narrow(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """length slices along a dimension, from start on. A view.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim, start, length : int
        A negative start counts from the end.

    Raises
    ------
    RangeError : if there is no such dimension, or no such slices.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.arange(6).narrow(0, 1, 3)
    tensor([1, 2, 3])
    """
    d = slice_axis("narrow", dim, input.ndim)
    n = input.shape[d]
    begin = start + n if start < 0 else start
    if not (0 <= begin and 0 <= length and begin + length <= n):
        raise RangeError(who="narrow", expected=f"start and length within the {n} slices", got=(start, length))
    return getitem(input, (*[slice(None)] * d, slice(begin, begin + length)))


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    r"""The diagonal of two dimensions, which becomes the last one. A view.

    .. math:: y_i = x_{i,\, i + offset}

    Parameters
    ----------
    input : Tensor of at least two dimensions
    offset : int
        Above the main diagonal, or, negative, below it.
    dim1, dim2 : int
        The two dimensions, which must differ.

    Raises
    ------
    RangeError : if there are no such dimensions, or they are one.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0], [3.0, 4.0]]).diagonal()
    tensor([1., 4.])
    """
    a, b = axis("diagonal", dim1, input.ndim), axis("diagonal", dim2, input.ndim)
    if a == b:
        raise RangeError(who="diagonal", expected="two dimensions that differ", got=(dim1, dim2))
    return apply(DIAGONAL, input, offset=int(offset), dims=(a, b))


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


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Of a vector, the matrix that has it as its diagonal; of a matrix, its diagonal.

    Parameters
    ----------
    input : Tensor of one or two dimensions
    diagonal : int
        Which: above the main one, or, negative, below it.

    Raises
    ------
    ShapeError : for another number of dimensions.

    Cost: writes each element of the result once; `diagonal` is a view.

    >>> import fastnn as nn
    >>> nn.diag(nn.tensor([1.0, 2.0]))
    tensor([[1., 0.],
            [0., 2.]])
    """
    if input.ndim not in (1, 2):
        raise ShapeError(who="diag", expected="a vector or a matrix", got=input.shape)
    offset = single("diag", "diagonal", diagonal, -2**31)
    if input.ndim == 2:
        return clone(apply(DIAGONAL, input, offset=offset, dims=(0, 1)))
    n = input.shape[0] + abs(offset)
    need_room("diag", (n, n), input.dtype.itemsize)
    result = wrapped(np.zeros((n, n), input.dtype))
    rows = np.arange(input.shape[0]) + max(-offset, 0)
    result[rows, rows + offset] = input
    return result


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix that has all elements as its diagonal.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    offset : int
        Which diagonal: above the main one, or, negative, below it.

    Errors: none but of the arguments' types. Cost: writes each element of the matrix once.

    >>> import fastnn as nn
    >>> nn.diagflat(nn.tensor([1.0, 2.0]), 1)
    tensor([[0., 1., 0.],
            [0., 0., 2.],
            [0., 0., 0.]])
    """
    return diag(reshape(input, -1), offset)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    r"""Matrices that have the last dimension as their diagonal: the opposite of `diagonal`.

    .. math:: y_{i,\, i + offset} = x_i

    Parameters
    ----------
    input : Tensor of at least one dimension
    offset : int
        Which diagonal: above the main one, or, negative, below it.
    dim1, dim2 : int
        The dimensions of the rows and of the columns in the result.

    Raises
    ------
    ShapeError : if the tensor has no dimension.
    RangeError : if there are no such dimensions, or they are one.

    Cost: writes each element of the result once.

    >>> import fastnn as nn
    >>> nn.diag_embed(nn.tensor([[1.0, 2.0]])).tolist()
    [[[1.0, 0.0], [0.0, 2.0]]]
    """
    if input.ndim == 0:
        raise ShapeError(who="diag_embed", expected="a tensor with at least one dimension", got=input.shape)
    offset = single("diag_embed", "offset", offset, -2**31)
    a, b = (axis("diag_embed", d, input.ndim + 1) for d in (dim1, dim2))
    if a == b:
        raise RangeError(who="diag_embed", expected="two dimensions that differ", got=(dim1, dim2))
    n = input.shape[-1] + abs(offset)
    need_room("diag_embed", (*input.shape[:-1], n, n), input.dtype.itemsize)
    result = wrapped(np.zeros((*input.shape[:-1], n, n), input.dtype))
    rows = np.arange(input.shape[-1]) + max(-offset, 0)
    result[..., rows, rows + offset] = input
    return movedim(result, (-2, -1), (a, b))


def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None,
                      **numpy: Unpack[Numpy]) -> Tensor:
    """Each element, or each slice along a dimension, several times in a row.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    repeats : int, or Tensor of integers
        How often each; a tensor has a number for each slice. Given alone, in the place of input,
        the result has the indices of the slices: [2, 1] gives [0, 0, 1].
    dim : int, optional
        None: the elements as one row.
    output_size : the sum of repeats, which PyTorch has no need to compute then

    Raises
    ------
    RangeError : if there is no such dimension, or a number is negative.
    ShapeError : if there is not one number for each slice.
    DTypeError : if the numbers are no integers.

    Cost: writes each element of the result once.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]).repeat_interleave(2)
    tensor([1., 1., 2., 2.])
    """
    if numpy:
        return repeat_interleave(input, repeats, output_size=output_size,
                                 **renamed("repeat_interleave", numpy, dim=dim))
    if repeats is None:                     # the numbers alone: of which place each copy is
        input, repeats = arange(len(input)), input
    if dim is None:
        input, dim = reshape(input, -1), 0
    d = slice_axis("repeat_interleave", dim, input.ndim)
    counts = np.asarray(getattr(repeats, "_data", repeats))
    need_integers("repeat_interleave", repeats=counts)
    n = input.shape[d]
    if counts.ndim > 1 or counts.size not in (1, n):
        raise ShapeError(who="repeat_interleave", expected=f"one number, or {n}", got=counts.shape)
    if (counts < 0).any():
        raise RangeError(who="repeat_interleave", expected="repeats >= 0", got=int(counts.min()))
    total = int(counts.sum()) if counts.size == n else int(counts.reshape(-1)[0]) * n
    if output_size not in (None, total):
        raise ShapeError(who="repeat_interleave", expected=f"output_size={total}, the sum of repeats", got=output_size)
    need_room("repeat_interleave", [*input.shape[:d], total, *input.shape[d + 1:]], input.dtype.itemsize)
    return index_select(input, d, wrapped(np.repeat(np.arange(n), counts.reshape(-1))))


# ---- the record ----------------------------------------------------------------------------------
DIAGONAL = shape_op(
    "diagonal", "y_i = x[i, i + offset]",
    samples=lambda: [
        Sample("square", (draw("square", 4, 4),), {"offset": 0, "dims": (0, 1)}),
        Sample("odd", (draw("odd", 3, 2, 5),), {"offset": 1, "dims": (0, 2)}),
        Sample("below", (draw("below", 2, 5, 3),), {"offset": -2, "dims": (1, 2)}),
        Sample("transposed", (draw("transposed", 5, 3),), {"offset": 1, "dims": (1, 0)}),
        Sample("nothing", (draw("nothing", 2, 3),), {"offset": 7, "dims": (0, 1)}),
    ],
    errors=(
        Refusal("one", lambda: diagonal(tensor(np.zeros((2, 3))), 0, 1, 1), RangeError, ("diagonal", "differ")),
        Refusal("none", lambda: diagonal(tensor(np.zeros(3))), RangeError, ("diagonal", "dimension 1")),
    ))
