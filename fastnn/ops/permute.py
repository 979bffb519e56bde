"""The dimensions in another order: permute, transpose, movedim. Views, see shape_op.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import RangeError, ShapeError
from ..guard import FOREIGN, explain
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .shape_op import axis, draw, shape_op, sizes_of

__all__ = ["movedim", "permute", "swapaxes", "transpose"]


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: dimension d of the result is dimension dims[d] of the input.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *dims : int, or one tuple of int
        Each dimension once. The gradient is permuted back.

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
    try:
        order, ndim = sizes_of(dims), input._data.ndim
        found = [d if 0 <= d < ndim else axis("permute", d, ndim) for d in order]
        if sorted(found) != list(range(ndim)):
            raise ShapeError(f"the order must name each of the {ndim} dimensions once", who="permute", got=order)
        return apply(PERMUTE, input, dims=tuple(found))
    except FOREIGN as error:
        return explain(permute, error, input, *dims)


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
    try:
        ndim = input._data.ndim
        order = list(range(ndim))
        a, b = axis("transpose", dim0, ndim), axis("transpose", dim1, ndim)
        if order:
            order[a], order[b] = b, a
        return apply(PERMUTE, input, dims=tuple(order))
    except FOREIGN as error:
        return explain(transpose, error, input, dim0, dim1)


swapaxes = transpose


def movedim(input: Tensor, source: int, destination: int) -> Tensor:
    """Move one dimension to another place among the others. A view.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    source, destination : int

    Errors and cost: as `transpose`.

    >>> import fastnn as nn
    >>> nn.functional.movedim(nn.ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    order = list(range(input.ndim))
    order.insert(axis("movedim", destination, input.ndim), order.pop(axis("movedim", source, input.ndim)))
    return apply(PERMUTE, input, dims=tuple(order))


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
