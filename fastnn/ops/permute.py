"""The dimensions in another order: permute, transpose, movedim. Views, see shape_op.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import RangeError, ShapeError
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .shape_op import axis, draw, shape_op, sizes_of

__all__ = ["moveaxis", "movedim", "permute", "swapaxes", "swapdims", "t", "transpose"]


def permute(input: Tensor, *order: Any, dims: Sequence[int] | None = None) -> Tensor:
    """The dimensions in another order: dimension d of the result is the input's dimension order[d].

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *order : int, or one tuple of int
        Each dimension once. The gradient is permuted back.
    dims : the same by name

    Returns
    -------
    Tensor, a view.

    Raises
    ------
    ShapeError : if a dimension is missing or named twice.
    RangeError : if there is no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.ones(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    named, ndim = sizes_of(order, dims, "permute"), input._data.ndim
    found = [d if 0 <= d < ndim else axis("permute", d, ndim) for d in named]
    if sorted(found) != list(range(ndim)):
        raise ShapeError(f"the order must name each of the {ndim} dimensions once", who="permute", got=named)
    return apply(PERMUTE, input, dims=tuple(found))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions. A view; matmul and linear read it without a copy.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim0, dim1 : int

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0, 3.0]]).transpose(0, 1).shape
    (3, 1)
    """
    ndim = input._data.ndim
    order = list(range(ndim))
    a, b = axis("transpose", dim0, ndim), axis("transpose", dim1, ndim)
    if order:
        order[a], order[b] = b, a
    return apply(PERMUTE, input, dims=tuple(order))


swapdims = transpose


def swapaxes(input: Tensor, axis0: int, axis1: int) -> Tensor:
    """`transpose` under NumPy's name, with NumPy's names of the dimensions.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    axis0, axis1 : int

    Errors and cost: as `transpose`.

    >>> import fastnn as nn
    >>> nn.swapaxes(nn.ones(2, 3), axis0=0, axis1=1).shape
    (3, 2)
    """
    return transpose(input, axis0, axis1)


def t(input: Tensor) -> Tensor:
    """A matrix with its dimensions exchanged; a vector or a number as it is. A view.

    Parameters
    ----------
    input : Tensor of at most two dimensions

    Raises
    ------
    ShapeError : for more dimensions.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.t(nn.ones(2, 3)).shape
    (3, 2)
    """
    if input.ndim > 2:
        raise ShapeError(who="t", expected="at most 2 dimensions", got=input.shape,
                         hint="Use .mT for the last two, or .transpose(dim0, dim1).")
    return transpose(input, 0, 1) if input.ndim == 2 else input if isinstance(input, Tensor) else tensor(input)


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Move dimensions to other places among the others. A view.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    source, destination : int, or as many int in each

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if a dimension is named twice, or the numbers of sources and destinations differ.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.movedim(nn.ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    given = [list(d) if isinstance(d, (tuple, list)) else [d] for d in (source, destination)]
    come, go = ([axis("movedim", d, input.ndim) for d in dims] for dims in given)
    if len(come) != len(go) or len(set(come)) < len(come) or len(set(go)) < len(go):
        raise ShapeError(who="movedim", expected="as many destinations as sources, each once",
                         got=(source, destination))
    if input.ndim == 0:
        return apply(PERMUTE, input, dims=())
    order = [d for d in range(input.ndim) if d not in come]
    for place, d in sorted(zip(go, come)):
        order.insert(place, d)
    return apply(PERMUTE, input, dims=tuple(order))


moveaxis = movedim


# ---- the record ----------------------------------------------------------------------------------
PERMUTE = shape_op(
    "permute", "y = x with its dimensions in another order",
    samples=lambda: [
        Sample("one", (draw("one", 1, 1),), {"dims": (1, 0)}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"dims": (2, 0, 1)}),
        Sample("empty", (draw("empty", 0, 3),), {"dims": (1, 0)}),
    ],
    errors=(
        Refusal("repeated", lambda: permute(tensor(np.zeros((2, 3))), 0, 0), ShapeError, ("permute", "(0, 0)")),
        Refusal("missing", lambda: transpose(tensor(np.zeros((2, 3))), 0, 2), RangeError, ("transpose", "dimension 2")),
    ))
