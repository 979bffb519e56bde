"""Elements in another order along a dimension: reversed (flip), shifted around (roll), or a plane
rotated (rot90).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import RangeError, ShapeError
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .clone import clone
from .permute import transpose
from .shape_op import axis, draw, shape_op, sizes_of, slice_axis

__all__ = ["flip", "fliplr", "flipud", "roll", "rot90"]


def flip(input: Tensor, *along: Any, dims: int | Sequence[int] | None = None) -> Tensor:
    """Reverse the order along the given dimensions. A copy, as in PyTorch.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *along : int, or one tuple of int
    dims : the same by name

    Errors: as `transpose`. Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.functional.flip(nn.tensor([1.0, 2.0, 3.0]), 0)
    tensor([3., 2., 1.])
    """
    flipped = tuple([axis("flip", d, input.ndim) for d in sizes_of(along, dims, "flip")])
    return apply(FLIP, input, dims=flipped if input.ndim or len(flipped) > 1 else ())


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Shift around: what leaves at one end comes in at the other.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    shifts : int or sequence of int
    dims : int or sequence of int, optional
        One for each shift; None: the flattened tensor is shifted.

    Raises
    ------
    ShapeError : if there is not one shift for each dimension.
    RangeError : if there is no such dimension.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.functional.roll(nn.tensor([1.0, 2.0, 3.0]), 1)
    tensor([3., 1., 2.])
    """
    if dims is None:
        shift = shifts[0] if isinstance(shifts, (tuple, list)) and len(shifts) == 1 else shifts
        # int refuses a tuple at run time, in words of its own
        return apply(ROLL, input, shifts=int(shift), dims=None)     # type: ignore[arg-type]
    by = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    along = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(by) != len(along):
        raise ShapeError("needs one shift per dimension", who="roll",
                         got=f"{len(by)} shifts for {len(along)} dimensions")
    return apply(ROLL, input, shifts=by, dims=tuple(slice_axis("roll", d, input.ndim) for d in along))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    r"""Rotate by quarters in a plane, from its first dimension towards its second. A copy.

    .. math:: y_{ij} = x_{j,\, n - 1 - i} \quad \text{for } k = 1

    Parameters
    ----------
    input : Tensor of at least two dimensions
    k : int
        How many quarters; negative ones the other way.
    dims : pair of int

    Raises
    ------
    ShapeError : if there are not two dimensions, or dims is no pair.
    RangeError : if there is no such dimension, or both are one.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.rot90(nn.tensor([[1, 2], [3, 4]]))
    tensor([[2, 4],
            [1, 3]])
    """
    if input.ndim < 2 or len(dims) != 2:
        raise ShapeError(who="rot90", expected="at least two dimensions, and a pair of them",
                         got=f"{input.shape}, dims={tuple(dims)}")
    a, b = (axis("rot90", d, input.ndim) for d in dims)
    if a == b:
        raise RangeError(who="rot90", expected="two dimensions that differ", got=tuple(dims))
    quarters = int(k) % 4
    if quarters == 2:
        return flip(input, a, b)
    if quarters % 2 == 0:
        return clone(input)
    return transpose(flip(input, b), a, b) if quarters == 1 else flip(transpose(input, a, b), b)


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


# ---- records -------------------------------------------------------------------------------------
FLIP = shape_op(
    "flip", "y = x in reverse order along dims",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"dims": (0,)}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"dims": (0, 2)}),
        Sample("empty", (draw("empty", 0, 3),), {"dims": (1,)}),
    ],
    errors=(
        Refusal("missing", lambda: flip(tensor(np.zeros(3)), 1), RangeError, ("flip", "dimension 1")),
    ))

ROLL = shape_op(
    "roll", "y[(i + shift) mod size] = x[i]",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"shifts": (1,), "dims": (0,)}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"shifts": (1, -2), "dims": (0, 2)}),
        Sample("flat", (draw("flat", 2, 3),), {"shifts": 2, "dims": None}),
    ],
    errors=(
        Refusal("lengths", lambda: roll(tensor(np.zeros(3)), (1, 2), (0,)),
                ShapeError, ("roll", "one shift per dimension")),
    ))
