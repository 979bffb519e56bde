"""A tensor cut into pieces along a dimension: split, chunk, unbind. Views, see shape_op.py."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..autograd import apply
from ..errors import RangeError, ShapeError
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .checks import renamed
from .shape_op import axis, draw, shape_op

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["chunk", "split", "unbind"]


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
    d = axis("split", dim, tensor.ndim)
    total = tensor.shape[d]
    if isinstance(split_size_or_sections, (tuple, list)):
        sections = list(split_size_or_sections)
        if sum(sections) != total or any(n < 0 for n in sections):
            raise ShapeError(who="split", expected=f"sizes that add up to {total}", got=sections)
    else:
        # isinstance does not narrow Sequence away
        step = operator.index(split_size_or_sections)   # type: ignore[arg-type]
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
    return split(input, max(1, -(-input.shape[axis("chunk", dim, input.ndim)] // chunks)), dim)


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
