"""The same elements in another shape: reshape and its kin. Views, see shape_op.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..moved import moved_names
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .checks import renamed
from .clone import to
from .shape_op import axis, draw, shape_op, sizes_of, slice_axis

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "flatten", "is_floating_point", "numel", "ravel", "reshape",
           "squeeze", "unflatten", "unsqueeze"]


def reshape(input: Tensor, *sizes: Any, shape: Sequence[int] | None = None) -> Tensor:
    """The same elements, in the same row-major order, in another shape.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *sizes : int, or one tuple of int
        One size may be -1: it is whatever is left. The gradient gets the old shape back.
    shape : the same by name

    Returns
    -------
    Tensor of that shape; a view where the layout allows, else a copy.

    Raises
    ------
    ShapeError : if the shape does not have as many elements.

    Cost: none for a view. The same holds for all functions that say "a view".

    >>> import fastnn as nn
    >>> nn.functional.reshape(nn.tensor([1.0, 2.0, 3.0, 4.0]), 2, -1)
    tensor([[1., 2.],
            [3., 4.]])
    """
    new = sizes_of(sizes, shape, "reshape")
    size = input._data.size
    known, holes, least = 1, 0, 0
    for n in new:
        if n == -1:
            holes += 1
        else:
            known *= n
            least = n if n < least else least
    if holes > 1 or least < 0 or (known != size if holes == 0 else known == 0 or size % known):
        raise ShapeError(f"{size} elements of shape {input.shape} do not fit the shape {new}", who="reshape")
    return apply(RESHAPE, input, shape=tuple([size // known if n == -1 else n for n in new]) if holes else new)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge neighbouring dimensions into one.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    start_dim, end_dim : int
        The first and the last dimension to merge.

    Raises
    ------
    RangeError : if there is no such dimension, or start_dim is behind end_dim.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.flatten(nn.ones(2, 3, 4), 1).shape
    (2, 12)
    """
    if start_dim == 1 == input.ndim:
        raise RangeError("dimension 1 does not exist", who="flatten", expected="-1 <= dim < 1",
                         hint="Is it one example? Put a batch axis in front: x[None].")
    start, end = axis("flatten", start_dim, input.ndim), axis("flatten", end_dim, input.ndim)
    if input.ndim == 0:
        return reshape(input, 1)
    if start > end:
        raise RangeError(who="flatten", expected="start_dim <= end_dim", got=(start_dim, end_dim))
    sizes = input._data.shape
    return apply(RESHAPE, input, shape=(*sizes[:start], math.prod(sizes[start:end + 1]), *sizes[end + 1:]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one dimension into several.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    sizes : sequence of int
        The new dimensions; one of them may be -1.

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if the sizes do not multiply to the old one.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.unflatten(nn.ones(2, 12), 1, (3, -1)).shape
    (2, 3, 4)
    """
    d = slice_axis("unflatten", dim, input.ndim)
    sizes = tuple(sizes)
    if -1 in sizes:
        rest = -int(np.prod(sizes))
        if sizes.count(-1) > 1 or rest == 0 or input.shape[d] % rest:
            raise ShapeError(f"dimension {dim} of size {input.shape[d]} cannot be split into {sizes}", who="unflatten")
        sizes = tuple(input.shape[d] // rest if n == -1 else n for n in sizes)
    if int(np.prod(sizes)) != input.shape[d]:
        raise ShapeError(f"dimension {dim} of size {input.shape[d]} cannot be split into {sizes}", who="unflatten")
    return apply(RESHAPE, input, shape=(*input.shape[:d], *sizes, *input.shape[d + 1:]))


def squeeze(input: Tensor, dim: int | tuple[int, ...] | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    """Drop dimensions of size 1.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int or tuple of int, optional
        Which; None: all. A dimension of another size is left alone.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.ones(1, 3, 1).squeeze().shape, nn.ones(1, 3, 1).squeeze(0).shape
    ((3,), (3, 1))
    """
    if numpy:
        return squeeze(input, **renamed("squeeze", numpy, dim=dim))
    if dim is None:
        drop: Sequence[int] = range(input.ndim)
    else:
        drop = [axis("squeeze", d, input.ndim) for d in (dim if isinstance(dim, tuple) else (dim,))]
    return apply(RESHAPE, input, shape=tuple(n for d, n in enumerate(input.shape) if n != 1 or d not in drop))


def unsqueeze(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    """A new dimension of size 1.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
        Its number in the result.

    Raises
    ------
    RangeError : if the result has no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.ones(3).unsqueeze(0).shape, nn.ones(3).unsqueeze(-1).shape
    ((1, 3), (3, 1))
    """
    if numpy:
        return unsqueeze(input, **renamed("unsqueeze", numpy, dim=dim))
    d = axis("unsqueeze", dim, input.ndim + 1)
    return apply(RESHAPE, input, shape=(*input.shape[:d], 1, *input.shape[d:]))


def atleast_1d(*tensors: Tensor) -> Any:
    """A tensor without dimensions as a vector of one element; any other as it is. Of several, or of
    a list of them, a tuple.

    Errors and cost: as `reshape`.

    Parameters
    ----------
    *tensors : Tensor of any shape and dtype

    >>> import fastnn as nn
    >>> nn.functional.atleast_1d(nn.tensor(3.0))
    tensor([3.])
    """
    if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
        input = tensors[0]
        return reshape(input, 1) if input.ndim == 0 else to(input, input.dtype)
    return tuple([atleast_1d(t) for t in each(tensors, "atleast_1d")])


def atleast_2d(*tensors: Tensor) -> Any:
    """With at least two dimensions: a vector becomes a row. Parameters, errors and cost: as
    `atleast_1d`.

    >>> import fastnn as nn
    >>> nn.functional.atleast_2d(nn.ones(3)).shape
    (1, 3)
    """
    if len(tensors) != 1 or isinstance(tensors[0], (tuple, list)):
        return tuple([atleast_2d(t) for t in each(tensors, "atleast_2d")])
    input = atleast_1d(tensors[0])
    return input if input.ndim > 1 else unsqueeze(input, 0)


def atleast_3d(*tensors: Tensor) -> Any:
    """With at least three dimensions: a vector of n becomes (1, n, 1), a matrix (m, n, 1).
    Parameters, errors and cost: as `atleast_1d`.

    >>> import fastnn as nn
    >>> nn.functional.atleast_3d(nn.ones(3)).shape
    (1, 3, 1)
    """
    if len(tensors) != 1 or isinstance(tensors[0], (tuple, list)):
        return tuple([atleast_3d(t) for t in each(tensors, "atleast_3d")])
    input = atleast_2d(tensors[0])
    return input if input.ndim > 2 else unsqueeze(input, -1)


def ravel(input: Tensor) -> Tensor:
    """All elements as one row. Parameters, errors and cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.ravel(nn.ones(2, 3)).shape
    (6,)
    """
    return reshape(input, -1)


def numel(input: Tensor) -> int:
    """The number of elements. Parameters and errors: as `reshape`. Cost: none.

    >>> import fastnn as nn
    >>> nn.numel(nn.ones(2, 3))
    6
    """
    return input._data.size


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are float32 or float64. Parameters and errors: as `reshape`. Cost: none.

    >>> import fastnn as nn
    >>> nn.is_floating_point(nn.ones(2)), nn.is_floating_point(nn.tensor([1]))
    (True, False)
    """
    return input.is_floating_point()


def each(tensors: tuple[Any, ...], who: str) -> tuple[Any, ...]:
    """Several tensors that were given one by one or as one list; a list in a list is none."""
    given = tuple(tensors[0]) if len(tensors) == 1 else tensors
    for i, t in enumerate(given):
        if isinstance(t, (tuple, list)):
            raise DTypeError(who=who, expected=f"tensor {i} as a tensor", got=type(t).__name__,
                             hint="Wrap it in nn.tensor(...).")
    return given


# ---- the record ----------------------------------------------------------------------------------
RESHAPE = shape_op(
    "reshape", "y = x in the same order with another shape",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"shape": ()}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"shape": (5, 6)}),
        Sample("empty", (draw("empty", 0, 3),), {"shape": (3, 0)}),
    ],
    errors=(
        Refusal("size", lambda: reshape(tensor(np.zeros((2, 3))), 4), ShapeError, ("reshape", "(2, 3)", "6")),
    ))


moved_names(__name__)
