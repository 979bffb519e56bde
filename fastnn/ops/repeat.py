"""Elements repeated: expand and broadcasting without a copy, repeat and tile with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import RangeError, ShapeError
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .checks import need_room
from .shape import reshape
from .shape_op import draw, shape_op, sizes_of

__all__ = ["broadcast_tensors", "broadcast_to", "expand", "meshgrid", "repeat", "tile"]


def expand(input: Tensor, *shape: Any, size: Sequence[int] | None = None) -> Tensor:
    """Repeat along dimensions of size 1, and along new leading ones, without a copy.

    The gradient is the sum over the repetitions.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *shape : int, or one tuple of int
        -1 keeps a size.
    size : the same by name

    Returns
    -------
    Tensor of that shape, a view whose elements share memory.

    Raises
    ------
    ShapeError : if a dimension of another size than 1 would change.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0], [2.0]]).expand(2, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """
    new = sizes_of(shape, size, "expand")
    lead = len(new) - input.ndim
    full = tuple((input.shape[i - lead] if i >= lead else -1) if n == -1 else n for i, n in enumerate(new))
    fits = all(have in (1, n) for have, n in zip(input.shape, full[max(lead, 0):]))
    if lead < 0 or any(n < 0 for n in full) or not fits:
        raise ShapeError(f"shape {input.shape} cannot be expanded to {new}: only dimensions of size 1 repeat",
                         who="expand")
    need_room("expand", full, 1)
    return apply(EXPAND, input, shape=full)


broadcast_to = expand


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All of them expanded to the one shape that NumPy's broadcasting gives. Views.

    Parameters
    ----------
    *tensors : Tensor

    Raises
    ------
    ShapeError : if the shapes do not broadcast.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> [t.shape for t in nn.functional.broadcast_tensors(nn.ones(3, 1), nn.ones(4))]
    [(3, 4), (3, 4)]
    """
    try:
        shape = np.broadcast_shapes(*[t.shape for t in tensors])
    except ValueError:
        raise ShapeError("these shapes do not broadcast", who="broadcast_tensors",
                         got=[t.shape for t in tensors]) from None
    return tuple(expand(t, shape) for t in tensors)


def repeat(input: Tensor, *counts: Any, repeats: Sequence[int] | None = None) -> Tensor:
    """Copy the whole tensor counts[d] times along dimension d, as NumPy's tile.

    The gradient is the sum over the copies.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *counts : int, or one tuple of int
        At least as many counts as dimensions; those in front make new dimensions.
    repeats : the same by name

    Raises
    ------
    ShapeError : if there are fewer counts than dimensions, or a negative one.

    Cost: writes each element of the result once.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]).repeat(2, 2)
    tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]])
    """
    counts = sizes_of(counts, repeats, "repeat")
    if len(counts) < input.ndim or any(n < 0 for n in counts):
        raise ShapeError(who="repeat", expected=f"at least {input.ndim} counts, none negative", got=counts)
    lead = (1,) * (len(counts) - input.ndim)
    need_room("repeat", [n * times for n, times in zip((*lead, *input.shape), counts)], input.dtype.itemsize)
    return apply(TILE, input, repeats=counts)


def tile(input: Tensor, *counts: Any, dims: Sequence[int] | None = None) -> Tensor:
    """repeat, where missing counts are ones on the left. Parameters, errors and cost: as `repeat`.

    >>> import fastnn as nn
    >>> nn.functional.tile(nn.tensor([[1.0, 2.0]]), 2)
    tensor([[1., 2., 1., 2.]])
    """
    counts = sizes_of(counts, dims, "tile")
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """The coordinates of a grid: one tensor for each axis, all of the grid's shape. Views.

    Parameters
    ----------
    *tensors : Tensor, vectors or numbers
        Or one list of them.
    indexing : "ij" or "xy"
        "xy" exchanges the first two dimensions, as pictures have them.

    Raises
    ------
    ShapeError : if one is neither a vector nor a number, or there is none.
    RangeError : for another indexing.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> y, x = nn.meshgrid(nn.tensor([0, 1]), nn.tensor([5, 6, 7]))
    >>> x
    tensor([[5, 6, 7],
            [5, 6, 7]])
    """
    given = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors
    if indexing not in ("ij", "xy"):
        raise RangeError(who="meshgrid", expected='indexing "ij" or "xy"', got=repr(indexing))
    if not given or any(t.ndim > 1 for t in given):
        raise ShapeError(who="meshgrid", expected="vectors", got=[t.shape for t in given])
    order = list(range(len(given)))
    if indexing == "xy" and len(given) > 1:
        order[:2] = [1, 0]
    shape = [given[k].numel() for k in order]
    need_room("meshgrid", shape, 8)
    return tuple([expand(reshape(t, *[-1 if k == i else 1 for k in order]), *shape) for i, t in enumerate(given)])


# ---- records -------------------------------------------------------------------------------------
EXPAND = shape_op(
    "expand", "y = x repeated along dimensions of size 1",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"shape": (3,)}),
        Sample("odd", (draw("odd", 3, 1),), {"shape": (2, 3, 5)}),
        Sample("same", (draw("same", 3, 2),), {"shape": (3, 2)}),
        Sample("empty", (draw("empty", 1, 3),), {"shape": (0, 3)}),
    ],
    errors=(
        Refusal("size", lambda: expand(tensor(np.zeros((2, 3))), 4, 3), ShapeError, ("expand", "(2, 3)", "(4, 3)")),
    ))

TILE = shape_op(
    "tile", "y = x repeated whole, repeats[d] times along dimension d",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"repeats": (3,)}),
        Sample("odd", (draw("odd", 3, 5),), {"repeats": (2, 3, 2)}),
        Sample("empty", (draw("empty", 0, 3),), {"repeats": (2, 2)}),
    ],
    errors=(
        Refusal("rank", lambda: repeat(tensor(np.zeros((2, 3))), 4), ShapeError, ("repeat", "at least 2")),
    ))
