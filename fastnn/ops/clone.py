"""Copies, and the same values in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError
from ..op import Op, Refusal, Sample
from ..tensor import Tensor, dtype_of, tensor
from .shape_op import draw, shape_op

__all__ = ["clone", "contiguous", "to"]


def clone(input: Tensor) -> Tensor:
    """A copy in memory of its own; the gradient passes.

    Parameters
    ----------
    input : Tensor of any shape and dtype

    Raises
    ------
    DTypeError : if input is no tensor.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0])
    >>> y = x.clone(); y[0] = 5.0; x
    tensor([1., 2.])
    """
    return apply(CLONE, input)


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its memory is in row-major order, else a copy that is.

    Parameters, errors and cost: as `clone`; nothing for the tensor itself.

    >>> import fastnn as nn
    >>> x = nn.ones(2, 3)
    >>> x.contiguous() is x, x.transpose(0, 1).contiguous().data.flags.c_contiguous
    (True, True)
    """
    return input if input.data.flags.c_contiguous else apply(CLONE, input)


def to(input: Tensor, dtype: Any) -> Tensor:
    """The same values in another dtype; the tensor itself if it has that dtype.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dtype : float32, float64, an integer type or bool
        The gradient comes back in the old one. Integers and booleans have none.

    Raises
    ------
    DTypeError : for another type.

    Cost: converts each element once.

    >>> import fastnn as nn
    >>> nn.functional.to(nn.tensor([1.7, -1.7]), "int64")
    tensor([ 1, -1])
    """
    new = dtype_of("to", dtype)
    if new == input.dtype:
        return input if isinstance(input, Tensor) else tensor(input)
    if new.kind != "f":
        return Tensor(input.data.astype(new))
    return apply(TO, input, dtype=new)


# ---- records -------------------------------------------------------------------------------------
CLONE: Op = shape_op(
    "clone", "y = x in memory of its own",
    samples=lambda: [Sample("odd", (draw("odd", 2, 3, 5),)), Sample("empty", (draw("empty", 0, 2),))],
    errors=(
        Refusal("list", lambda: apply(CLONE, [1.0]), DTypeError, ("clone", "list", "nn.tensor")),
    ))

TO = shape_op(
    "to", "y = x in another dtype",
    samples=lambda: [Sample("odd", (draw("odd", 2, 3, 5),), {"dtype": np.float64})],
    errors=(
        Refusal("complex", lambda: to(tensor([1.0]), "complex64"), DTypeError, ("to", "complex64")),
    ))
