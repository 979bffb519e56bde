"""Tensors joined: along a dimension that they have (cat), or along a new one (stack)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..op import Op, Refusal, Sample, register
from ..reference import shape as reference
from ..tensor import Tensor, tensor
from .checks import common_dtype, need_array, renamed
from .clone import to
from .shape import atleast_1d, atleast_2d, atleast_3d, reshape
from .shape_op import axis, draw

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["cat", "column_stack", "concat", "concatenate", "dstack", "hstack", "row_stack", "stack", "vstack"]


def cat(tensors: Sequence[Tensor], dim: int = 0, **numpy: Unpack[Numpy]) -> Tensor:
    """Join tensors along a dimension that they have.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of one shape but for dimension dim; an empty vector fits everywhere. Where the dtypes
        differ, all get the one that arithmetic on them would have, as in PyTorch.
    dim : int

    Raises
    ------
    ShapeError : if there is no tensor, or the shapes differ elsewhere.
    DTypeError : if one is no tensor, or the dtypes have none in common.
    RangeError : if there is no such dimension.

    Cost: copies each element once; the gradients are views of dy.

    >>> import fastnn as nn
    >>> nn.cat([nn.tensor([1.0]), nn.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    if numpy:
        return cat(tensors, **renamed("cat", numpy, dim=dim))
    try:
        tensors = of_one_dtype("cat", tensors)
        return apply(CAT, *tensors, dim=axis("cat", dim, tensors[0].ndim) if tensors else 0)
    except (ShapeError, RangeError):
        something = [t for t in tensors if t.shape != (0,)]         # tensor([]) fits everywhere
        if not 0 < len(something) < len(tensors):
            raise
        return cat(something, dim)


concatenate = concat = cat


def stack(tensors: Sequence[Tensor], dim: int = 0, **numpy: Unpack[Numpy]) -> Tensor:
    """Join tensors of one shape along a new dimension. Parameters, errors and cost: as `cat`.

    >>> import fastnn as nn
    >>> nn.stack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    if numpy:
        return stack(tensors, **renamed("stack", numpy, dim=dim))
    tensors = of_one_dtype("stack", tensors)
    return apply(STACK, *tensors, dim=axis("stack", dim, tensors[0].ndim + 1) if tensors else 0)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the second dimension, vectors along the first.

    Parameters, errors and cost: as `cat`.

    >>> import fastnn as nn
    >>> nn.hstack([nn.tensor([1.0, 2.0]), nn.tensor([3.0])])
    tensor([1., 2., 3.])
    """
    tensors = [atleast_1d(t) for t in tensors]
    return cat(tensors, 0 if tensors and tensors[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the first dimension, where a vector is a row.

    Parameters, errors and cost: as `cat`.

    >>> import fastnn as nn
    >>> nn.vstack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    return cat([atleast_2d(t) for t in tensors])


row_stack = vstack


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the third dimension, which matrices and vectors get.

    Parameters, errors and cost: as `cat`.

    >>> import fastnn as nn
    >>> nn.dstack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])]).shape
    (1, 2, 2)
    """
    return cat([atleast_3d(t) for t in tensors], 2)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Join along the second dimension, where a vector is a column.

    Parameters, errors and cost: as `cat`.

    >>> import fastnn as nn
    >>> nn.column_stack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])])
    tensor([[1., 3.],
            [2., 4.]])
    """
    return cat([t if t.ndim > 1 else reshape(t, -1, 1) for t in map(atleast_1d, tensors)], 1)


# ---- what the functions share --------------------------------------------------------------------
def of_one_dtype(who: str, tensors: Any) -> Sequence[Tensor]:
    """Several tensors or arrays in the type that arithmetic on them would have."""
    if tensors.__class__ is list or tensors.__class__ is tuple:         # the common case, quickly
        dtype: Any = None
        for t in tensors:
            if not isinstance(t, Tensor) or (t._data.dtype is not dtype and dtype is not None):
                break
            dtype = t._data.dtype
        else:
            return tensors
    if not isinstance(tensors, (list, tuple)):
        if isinstance(tensors, (str, bytes, dict)) or not hasattr(tensors, "__iter__"):
            raise DTypeError(who=who, expected="a sequence of tensors", got=type(tensors).__name__)
        tensors = list(tensors)
    need_array(who, **{f"tensor {i}": getattr(t, "_data", t) for i, t in enumerate(tensors)})
    found = [t if isinstance(t, Tensor) else tensor(t) for t in tensors]
    if any(t._data.dtype != found[0]._data.dtype for t in found):
        dtype = common_dtype(who, *[t._data for t in found])
        found = [to(t, dtype) for t in found]
    return found


# ---- the check -----------------------------------------------------------------------------------
def check_join(name: str, arrays: tuple[Any, ...], dim: int) -> None:
    if not arrays:
        raise ShapeError("needs at least one tensor", who=name)
    first = arrays[0]
    for i, a in enumerate(arrays):
        if a.__class__ is not np.ndarray:
            need_array(name, **{f"tensor {i}": a})
        if name == "stack":
            fits, expected = a.shape == first.shape, f"{first.shape}"
        else:
            fits = a.ndim == first.ndim and all(d == dim or m == n
                                                for d, (m, n) in enumerate(zip(a.shape, first.shape)))
            expected = f"{first.shape} but for dimension {dim}"
        if not fits:
            raise ShapeError(f"tensor {i} does not fit tensor 0", who=name, expected=expected, got=a.shape)
        if a.dtype != first.dtype:
            raise DTypeError(f"tensor 0 is {first.dtype} but tensor {i} is {a.dtype}", who=name,
                             hint="Convert one of them.")


# ---- records -------------------------------------------------------------------------------------
# The number of inputs varies, so the records show three.
CAT = register(Op(
    name="cat", family="shape", inputs=("a", "b", "c"), formula="y = the inputs one after another along dim",
    ref_forward=reference.cat_forward, ref_backward=reference.cat_backward,
    check=lambda *xs, dim: check_join("cat", xs, dim), linear_in=("a", "b", "c"),
    flops=lambda n: 0, bytes=lambda n: 8 * n,
    samples=lambda: [
        Sample("one", (draw("a", 1), draw("b", 1), draw("c", 1)), {"dim": 0}),
        Sample("odd", (draw("a", 2, 3), draw("b", 2, 1), draw("c", 2, 5)), {"dim": 1}),
        Sample("empty", (draw("a", 0, 3), draw("b", 2, 3), draw("c", 1, 3)), {"dim": 0}),
    ],
    errors=(
        Refusal("shape", lambda: cat([tensor(np.zeros((2, 3))), tensor(np.zeros((2, 4)))]),
                ShapeError, ("cat", "tensor 1", "(2, 4)")),
        Refusal("none", lambda: cat([]), ShapeError, ("cat", "at least one")),
    )))

STACK = register(Op(
    name="stack", family="shape", inputs=("a", "b", "c"), formula="y = the inputs side by side along a new dim",
    ref_forward=reference.stack_forward, ref_backward=reference.stack_backward,
    check=lambda *xs, dim: check_join("stack", xs, dim), linear_in=("a", "b", "c"),
    flops=lambda n: 0, bytes=lambda n: 8 * n,
    samples=lambda: [
        Sample("one", (draw("a", 1), draw("b", 1), draw("c", 1)), {"dim": 0}),
        Sample("odd", (draw("a", 2, 5), draw("b", 2, 5), draw("c", 2, 5)), {"dim": 1}),
        Sample("last", (draw("a", 2, 5), draw("b", 2, 5), draw("c", 2, 5)), {"dim": 2}),
    ],
    errors=(
        Refusal("shape", lambda: stack([tensor(np.zeros(2)), tensor(np.zeros(3))]),
                ShapeError, ("stack", "tensor 1", "(3,)")),
    )))
