"""The lower and the upper triangle of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import ShapeError
from ..op import Refusal, Sample
from ..tensor import Tensor, tensor
from .checks import need_array
from .shape_op import draw, shape_op

__all__ = ["tril", "triu"]


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two dimensions, zeros above it. The gradient is cut alike.

    Parameters
    ----------
    input : Tensor of shape (..., m, n)
    diagonal : int
        The last diagonal that is kept: 0 the main one, 1 the one above it.

    Raises
    ------
    ShapeError : if the tensor has less than two dimensions.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.functional.tril(nn.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return apply(TRIANGLE, input, diagonal=int(diagonal), upper=False)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dimensions, zeros below it.

    `diagonal` is the first diagonal that is kept. Parameters, errors and cost: as `tril`.

    >>> import fastnn as nn
    >>> nn.functional.triu(nn.ones(2, 2), 1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return apply(TRIANGLE, input, diagonal=int(diagonal), upper=True)


# ---- the check -----------------------------------------------------------------------------------
def check_triangle(x: Any, *, diagonal: int, upper: bool) -> None:
    need_array("triangle", x=x)
    if x.ndim < 2:
        raise ShapeError(who="triu" if upper else "tril", expected="a matrix or a stack of matrices", got=x.shape)


# ---- the record ----------------------------------------------------------------------------------
TRIANGLE = shape_op(
    "triangle", "y = x on and below (above) a diagonal, else 0", check=check_triangle,
    samples=lambda: [Sample("lower", (draw("lower", 2, 3, 5),), {"diagonal": 1, "upper": False}),
                     Sample("upper", (draw("upper", 3, 4),), {"diagonal": -1, "upper": True})],
    errors=(
        Refusal("vector", lambda: tril(tensor(np.zeros(3))), ShapeError, ("tril", "matrix", "(3,)")),
    ))
