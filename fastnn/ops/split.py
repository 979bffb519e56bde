"""A tensor cut into pieces along a dimension. Views, see shape_op.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import whole
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .checks import renamed, single
from .indexing import getitem
from .shape_op import axis, draw, shape_op, slice_axis

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["chunk", "dsplit", "hsplit", "split", "split_with_sizes", "tensor_split", "unbind", "vsplit"]


# of which most would be empty: a larger number is a slip
MOST_PIECES = 2**12


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0,
          **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]:
    """Cut along a dimension.

    Parameters
    ----------
    tensor : Tensor of any shape and dtype
    split_size_or_sections : int or sequence of int
        The size of all pieces, of which the last may be smaller; or the size of each.
    dim : int

    Returns
    -------
    Tuple of tensors, which are views.

    Raises
    ------
    ShapeError : if the sizes do not add up.
    RangeError : for a size below 1, or if there is no such dimension.

    Cost: as `unbind`.

    >>> import fastnn as nn
    >>> nn.functional.split(nn.tensor([1.0, 2.0, 3.0]), 2)
    (tensor([1., 2.]), tensor([3.]))
    """
    if numpy:
        return split(tensor, split_size_or_sections, **renamed("split", numpy, dim=dim))
    d = slice_axis("split", dim, tensor.ndim)
    total = tensor.shape[d]
    if isinstance(split_size_or_sections, (tuple, list)):
        sections = list(split_size_or_sections)
        if sum(sections) != total or any(n < 0 for n in sections):
            raise ShapeError(who="split", expected=f"sizes that add up to {total}", got=sections)
    else:
        step = whole("split", "split_size_or_sections as an int or a list of int", split_size_or_sections)
        if step < 1:
            raise RangeError(who="split", expected="a size of at least 1", got=step)
        sections = [min(step, total - i) for i in range(0, total, step)] or [0]
    pieces: tuple[Tensor, ...] = apply(SPLIT, tensor, sections=tuple(sections), dim=d)
    return pieces


def chunk(input: Tensor, chunks: int, dim: int = 0, **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]:
    """Cut along a dimension into pieces of equal size, of which the last may be smaller.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    chunks : int
        At most so many pieces.
    dim : int

    Raises
    ------
    RangeError : for less than 1 chunk, or if there is no such dimension.

    Cost: as `unbind`.

    >>> import fastnn as nn
    >>> nn.functional.chunk(nn.tensor([1.0, 2.0, 3.0, 4.0]), 2)
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    if numpy:
        return chunk(input, chunks, **renamed("chunk", numpy, dim=dim))
    if chunks < 1:
        raise RangeError(who="chunk", expected="at least 1 chunk", got=chunks)
    return split(input, max(1, -(-input.shape[slice_axis("chunk", dim, input.ndim)] // chunks)), dim)


def unbind(input: Tensor, dim: int = 0, **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]:
    """All slices along a dimension, which they do not have.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int

    Returns
    -------
    Tuple of tensors, which are views.

    Raises
    ------
    ShapeError : if the tensor has no dimension.
    RangeError : if there is no such dimension.

    Cost: none. Backward copies each element once, or nothing where the slices' gradients lie side
    by side in memory.

    >>> import fastnn as nn
    >>> nn.functional.unbind(nn.tensor([[1.0, 2.0], [3.0, 4.0]]))
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    if numpy:
        return unbind(input, **renamed("unbind", numpy, dim=dim))
    if input.ndim == 0:
        raise ShapeError(who="unbind", expected="a tensor with at least one dimension", got=input.shape)
    pieces: tuple[Tensor, ...] = apply(UNBIND, input, dim=axis("unbind", dim, input.ndim))
    return pieces


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0,
                     **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]:
    """split into pieces of given sizes.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    split_sizes : sequence of int
    dim : int

    Errors and cost: as `split`.

    >>> import fastnn as nn
    >>> nn.split_with_sizes(nn.tensor([1.0, 2.0, 3.0]), [1, 2])
    (tensor([1.]), tensor([2., 3.]))
    """
    if numpy:
        return split_with_sizes(input, split_sizes, **renamed("split_with_sizes", numpy, dim=dim))
    return split(input, tuple(split_sizes), dim)


def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
                 sections: Any = None, **numpy: Unpack[Numpy]) -> tuple[Tensor, ...]:
    """Cut along a dimension into a number of pieces, or before given places. As np.array_split.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    indices_or_sections, indices, sections : int, or sequence or Tensor of int
        The number of pieces, of which the first may be larger by one; or where pieces begin, as in
        slices x[a:b].
    dim : int

    Returns
    -------
    Tuple of tensors, which are views.

    Raises
    ------
    ShapeError : if the tensor has no dimension.
    RangeError : for less than 1 piece, or if there is no such dimension.
    DTypeError : if it is not said where to cut.

    Cost: as `unbind`.

    >>> import fastnn as nn
    >>> nn.tensor_split(nn.tensor([1.0, 2.0, 3.0]), 2), nn.tensor_split(nn.tensor([1.0, 2.0]), (1,))
    ((tensor([1., 2.]), tensor([3.])), (tensor([1.]), tensor([2.])))
    """
    if numpy:
        return tensor_split(input, indices_or_sections, indices=indices, sections=sections,
                            **renamed("tensor_split", numpy, dim=dim))
    return cut("tensor_split", input, one_of("tensor_split", indices_or_sections, indices, sections), dim)


def hsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
           sections: Any = None) -> tuple[Tensor, ...]:
    """tensor_split along the columns, of a vector along its only dimension; n pieces are equal.

    Parameters
    ----------
    input, indices_or_sections, indices, sections : as in `tensor_split`

    Raises
    ------
    ShapeError : if there are too few dimensions, or the pieces would not be equal.
    RangeError, DTypeError : as `tensor_split`.

    Cost: as `unbind`.

    >>> import fastnn as nn
    >>> nn.hsplit(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), 2)[0]
    tensor([[1.],
            [3.]])
    """
    return cut("hsplit", input, one_of("hsplit", indices_or_sections, indices, sections), 1 if input.ndim > 1 else 0, 1)


def vsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
           sections: Any = None) -> tuple[Tensor, ...]:
    """tensor_split along the rows; n pieces are equal. Parameters, errors and cost: as `hsplit`.

    >>> import fastnn as nn
    >>> nn.vsplit(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), 2)
    (tensor([[1., 2.]]), tensor([[3., 4.]]))
    """
    return cut("vsplit", input, one_of("vsplit", indices_or_sections, indices, sections), 0, 2)


def dsplit(input: Tensor, indices_or_sections: Any = None, *, indices: Any = None,
           sections: Any = None) -> tuple[Tensor, ...]:
    """tensor_split along the third dimension; n pieces are equal.

    Parameters, errors and cost: as `hsplit`.

    >>> import fastnn as nn
    >>> [piece.shape for piece in nn.dsplit(nn.zeros(2, 3, 4), (1,))]
    [(2, 3, 1), (2, 3, 3)]
    """
    return cut("dsplit", input, one_of("dsplit", indices_or_sections, indices, sections), 2, 3)


# ---- what the functions share --------------------------------------------------------------------
def one_of(who: str, *given: Any) -> Any:
    """Where to cut, which has three names; DTypeError if several are used."""
    found = [x for x in given if x is not None]
    if len(found) > 1:
        raise DTypeError("indices and sections are one argument", who=who, got=" and ".join(map(repr, found)))
    return found[0] if found else None


def cut(who: str, input: Tensor, where: Any, dim: int, equal: int = 0) -> tuple[Tensor, ...]:
    """The pieces of tensor_split. equal: a number of pieces must be equal, and there must be so
    many dimensions.
    """
    if input.ndim < max(equal, 1):
        raise ShapeError(who=who, expected=f"a tensor with at least {max(equal, 1)} dimensions", got=input.shape)
    d = axis(who, dim, input.ndim)
    n, places = input.shape[d], getattr(where, "_data", where)
    if np.ndim(places) == 0:
        pieces = single(who, "indices_or_sections", places, -2**63)
        if pieces < 1:
            raise RangeError(who=who, expected="at least 1 piece", got=pieces)
        if pieces > max(n, MOST_PIECES):
            raise RangeError(who=who, expected=f"at most {max(n, MOST_PIECES)} pieces", got=pieces)
        if equal and n % pieces:
            raise ShapeError(who=who, expected=f"pieces of equal size of the {n} slices", got=f"{pieces} pieces")
        sections = [n // pieces + (i < n % pieces) for i in range(pieces)]
        pieces_of: tuple[Tensor, ...] = apply(SPLIT, input, sections=tuple(sections), dim=d)
        return pieces_of
    ends = [whole(who, "places as int", i) for i in places]
    return tuple([getitem(input, (*[slice(None)] * d, slice(a, b))) for a, b in zip([0, *ends], [*ends, n])])


# ---- records -------------------------------------------------------------------------------------
SPLIT = shape_op(
    "split", "y_i = the i-th piece of x along dim",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"sections": (1,), "dim": 0}),
        Sample("odd", (draw("odd", 2, 7, 3),), {"sections": (2, 0, 5), "dim": 1}),
        Sample("first", (draw("first", 5, 3),), {"sections": (1, 4), "dim": 0}),
    ],
    errors=(
        Refusal("sum", lambda: split(tensor(np.zeros((2, 3))), [1, 1], 1), ShapeError, ("split", "add up to 3")),
        Refusal("size", lambda: split(tensor(np.zeros((2, 3))), 0), RangeError, ("split", "at least 1")),
    ))

UNBIND = shape_op(
    "unbind", "y_i = x[i] along dim",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"dim": 0}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"dim": 1}),
        Sample("last", (draw("last", 5, 2),), {"dim": 1}),
    ],
    errors=(
        Refusal("number", lambda: unbind(tensor(1.0)), ShapeError, ("unbind", "dimension")),
        Refusal("dim", lambda: unbind(tensor(np.zeros((2, 3))), 2), RangeError, ("unbind", "dimension 2")),
    ))
