"""Copies, and the same values in another dtype."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..device import destination, on_cpu
from ..errors import DTypeError
from ..op import Op, Refusal, Sample
from ..tensor import Tensor, dtype_of, wrapped
from ..tensor import tensor as as_tensor
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


def to(input: Tensor, *args: Any, dtype: Any = None, device: Any = None, non_blocking: bool = False,
       copy: bool = False, memory_format: Any = None, tensor: Tensor | None = None) -> Tensor:
    """The same values in another dtype; the tensor itself if it has that dtype.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *args : a dtype, "cpu", both, or a tensor, whose dtype is wanted
    dtype : float32, float64, an integer type or bool
        The gradient comes back in the old one. Integers and booleans have none.
    device : "cpu"
        The only one there is.
    non_blocking, memory_format : accepted for PyTorch's sake
    copy : bool
        A copy, also where nothing changes.
    tensor : Tensor, whose dtype is wanted

    Raises
    ------
    DTypeError : for another type.
    RangeError : for another device.

    Cost: converts each element once.

    >>> import fastnn as nn
    >>> nn.functional.to(nn.tensor([1.7, -1.7]), "int64")
    tensor([ 1, -1])
    """
    if tensor is not None:
        args = (tensor, *args)
    if len(args) != 1 or args[0].__class__ is not np.dtype:         # the common case, quickly
        if len(args) > 2 and isinstance(args[-1], bool) and isinstance(args[-2], bool):
            copy, args = args[-1], args[:-1]
        dtype = destination("to", args, dtype, device)
    else:
        dtype = args[0]
        on_cpu("to", device)
    new = input.dtype if dtype is None else dtype_of("to", dtype)
    if new == input.dtype:
        return clone(input) if copy else input if isinstance(input, Tensor) else as_tensor(input)
    if new.kind != "f":
        with np.errstate(invalid="ignore"):         # NaN as an integer is anything
            return wrapped(input.data.astype(new))
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
        Refusal("complex", lambda: to(as_tensor([1.0]), "complex64"), DTypeError, ("to", "complex64")),
    ))
