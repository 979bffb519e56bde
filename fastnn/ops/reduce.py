"""Sums and the like along axes. Kernels: csrc/reduce.c. Definitions: fastnn/reference/reduce.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError
from ..kernels import kernel
from ..reference import reduce as reference
from ..tensor import Tensor, tensor
from .elementary import float_check
from .registry import Op, Sample, register, seeded
from .shape import to

__all__ = ["mean", "sum"]

_ALL = [tuple(range(ndim)) for ndim in range(65)]     # all axes of an array of so many dimensions


def axes(who: str, ndim: int, dim: Any) -> tuple[int, ...]:
    """The axes as a sorted tuple of numbers counted from the front; None and () mean all."""
    if dim is None or dim == ():
        return _ALL[ndim]
    if dim.__class__ is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    found = sorted([one_axis(who, ndim, d) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
    if len(set(found)) != len(found):
        raise RangeError("an axis is named twice", who=who, got=tuple(dim))
    return tuple(found) if ndim else ()


def one_axis(who: str, ndim: int, dim: Any) -> int:
    """One axis counted from the front; a tensor without dimensions lets 0 and -1 pass."""
    try:
        d = dim.__index__()
    except AttributeError:
        raise DTypeError(who=who, expected="dim as an int, a tuple of int, or None", got=repr(dim)) from None
    bound = ndim or 1
    if not -bound <= d < bound:
        raise RangeError(f"dimension {d} does not exist", who=who, expected=f"{-bound} <= dim < {bound}")
    return d % bound


def rank(who: str, input: Any) -> int:
    """The number of dimensions of a tensor."""
    if not isinstance(input, Tensor):
        raise DTypeError(who=who, expected="a tensor", got=type(input).__name__, hint="Wrap it in nn.tensor(...).")
    return input._data.ndim


# ---- records ------------------------------------------------------------------------------------------------------------------------
def draw(name: str, shape: tuple[int, ...], dim: tuple[int, ...], keepdim: bool = False) -> Sample:
    x = np.asarray(seeded(name).standard_normal(shape))
    terms = int(np.prod([shape[d] for d in dim], dtype=np.int64))
    return Sample(name, (x,), {"dim": dim, "keepdim": keepdim}, {"n": x.size, "terms": terms})


def reductions() -> list[Sample]:
    """First, last, middle, neighbouring and separate axes; none; lengths around the blocks of csrc/reduce.c."""
    return [draw("one", (1,), (0,)), draw("all", (3, 5, 7), (0, 1, 2)), draw("first", (3, 5, 7), (0,)), draw("middle", (3, 5, 7), (1,)),
            draw("last", (3, 5, 7), (2,)), draw("last two", (3, 5, 7), (1, 2)), draw("first and last", (3, 5, 7), (0, 2)),
            draw("channels", (2, 3, 5, 7), (0, 2, 3), True), draw("kept", (3, 5, 7), (1,), True), draw("zero-dimensional", (), ()),
            draw("empty result", (0, 3), (1,)), draw("long", (1031,), (0,)), draw("tall", (523, 3), (0,)), draw("wide", (2, 3, 1031), (1,)),
            draw("pieces", (2, 40009), (1,)), draw("pieces of columns", (20011, 2), (0,))]


def reduction(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[..., Any],
              samples: Callable[[], list[Sample]] = reductions, **fields: Any) -> Op:
    """The record of a reduction over `dim`."""
    return register(Op(
        name=name, family="reduction", inputs=("x",), formula=formula,
        forward=kernel(f"{name}_forward"), backward=kernel(f"{name}_backward"),
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=float_check(name), samples=samples, fast_numpy=fast_numpy,
        errors=(("text", lambda: call("1"), DTypeError, (name, "str")),
                ("no such axis", lambda: call(tensor(np.ones((2, 3))), 2), RangeError, (name, "2", "-2 <= dim < 2"))),
        bench={"2048x512 rows": lambda: draw("2048x512 rows", (2048, 512), (1,)),
               "2048x512 columns": lambda: draw("2048x512 columns", (2048, 512), (0,))},
        flops=lambda n, terms: n, bytes=lambda n, terms: 4 * n, terms=lambda n, terms: terms, **fields))


SUM = reduction("sum", "y = sum x", lambda x, dim, keepdim: x.sum(axis=dim, keepdims=keepdim), lambda *args: sum(*args), linear_in=("x",))
MEAN = reduction("mean", "y = sum x / n", lambda x, dim, keepdim: x.mean(axis=dim, keepdims=keepdim), lambda *args: mean(*args))


def sum(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over all elements, or over the axes `dim`; dx = dy, repeated along them.

    Parameters
    ----------
    input : Tensor of any shape; integers and booleans give int64 and have no gradient
    dim : int, tuple of int, or None for all axes; negative ones count from the end
    keepdim : keep the reduced axes with size 1
    dtype : convert to it first

    Floats are added in double and rounded once; doubles by halves. The bits do not depend on the number of threads.

    >>> import fastnn as nn
    >>> x = nn.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.sum(), x.sum(0), x.sum(-1, keepdim=True).shape
    (tensor(10.), tensor([4., 6.]), (2, 1))
    """
    if dtype is not None:
        input = to(input, dtype)
    if isinstance(input, Tensor) and input._data.dtype.kind != "f":
        x = input._data
        return Tensor(np.asarray(x.sum(axis=axes("sum", x.ndim, dim), keepdims=keepdim, dtype=np.int64)))
    return apply(SUM, input, dim=axes("sum", rank("sum", input), dim), keepdim=keepdim)


def mean(input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over all elements, or over the axes `dim`; dx = dy / n, repeated along them. NaN where there are no elements.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(0)
    tensor([2., 3.])
    """
    if dtype is not None:
        input = to(input, dtype)
    return apply(MEAN, input, dim=axes("mean", rank("mean", input), dim), keepdim=keepdim)
