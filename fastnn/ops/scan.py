"""Running extremes, running sums of exponentials, and differences of neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import ShapeError
from ..tensor import Tensor
from .arithmetic import sub
from .checks import need_float, renamed, single
from .clone import clone
from .compare import ne
from .composed import logaddexp
from .indexing import gather
from .join import cat
from .shape_op import axis
from .slices import narrow

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["cummax", "cummin", "diff", "logcumsumexp"]


def cummax(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Running:
    r"""The largest element so far along a dimension, and its place.

    .. math:: y_i = \max_{j \le i} x_j

    Of equals the last; NaN stays from where it appears.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int

    Returns
    -------
    A named tuple (values, indices) of input's shape.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: four passes over the elements, in NumPy.

    >>> import fastnn as nn
    >>> nn.cummax(nn.tensor([1.0, 3.0, 2.0]), 0)
    Running(values=tensor([1., 3., 3.]), indices=tensor([0, 1, 1]))
    """
    return running("cummax", input, dim, np.maximum, numpy)


def cummin(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Running:
    """The smallest element so far along a dimension, and its place.

    Parameters, errors and cost: as `cummax`.

    >>> import fastnn as nn
    >>> nn.cummin(nn.tensor([3.0, 1.0, 2.0]), 0)
    Running(values=tensor([3., 1., 1.]), indices=tensor([0, 1, 1]))
    """
    return running("cummin", input, dim, np.minimum, numpy)


def logcumsumexp(input: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The logarithm of the sum so far of exponentials along a dimension, without overflow.

    .. math:: y_i = \ln \sum_{j \le i} e^{x_j}

    Where a sum is infinite its slope is that of `logaddexp`, and NaN in PyTorch.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    dim : int

    Raises
    ------
    RangeError : if there is no such dimension.
    DTypeError : if input is not floating point.

    Cost: log2(n) times `logaddexp`, along a dimension of size n.

    Reference: Hillis, Steele (1986), "Data parallel algorithms", for sums of twice as many each
    time.

    >>> import fastnn as nn
    >>> nn.logcumsumexp(nn.tensor([1000.0, 1000.0]), 0)
    tensor([1000.0000, 1000.6932])
    """
    d = axis("logcumsumexp", renamed("logcumsumexp", numpy, dim=dim)["dim"] if numpy else dim, input.ndim)
    need_float("logcumsumexp", input=input._data)
    n, step = input.shape[d] if input.ndim else 1, 1
    y = clone(input)
    while step < n:                                 # y_i has the sum of the last `step` elements
        y = cat([narrow(y, d, 0, step), logaddexp(narrow(y, d, step, n - step), narrow(y, d, 0, n - step))], d)
        step *= 2
    return y


def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None,
         append: Tensor | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""Differences of neighbours along a dimension, n times.

    .. math:: y_i = x_{i + 1} - x_i

    Parameters
    ----------
    input : Tensor of numbers, or of bool
    n : int
        How often, from 0.
    dim : int
    prepend, append : Tensor, optional
        What stands before and behind input along dim.

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if n is negative, input has no dimensions, or what is put on does not fit.

    Cost: one pass over the elements each time; n = 0 copies.

    >>> import fastnn as nn
    >>> nn.diff(nn.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if numpy:
        dim = renamed("diff", numpy, dim=None if dim == -1 else dim)["dim"]
    n = single("diff", "n", n, 0)
    if input.ndim == 0:
        raise ShapeError(who="diff", expected="a tensor with dimensions", got=input.shape)
    d = axis("diff", dim, input.ndim)
    if n == 0:
        return clone(input)
    parts = [t for t in (prepend, input, append) if t is not None]
    x = cat(parts, d) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[d])):
        m = x.shape[d] - 1
        later, before = narrow(x, d, min(1, x.shape[d]), m), narrow(x, d, 0, m)
        x = ne(later, before) if x.dtype.kind == "b" else sub(later, before)
    return x


# ---- without NaN ---------------------------------------------------------------------------------
# ---- where something is --------------------------------------------------------------------------
# ---- what the functions share --------------------------------------------------------------------
class Running(NamedTuple):
    """What cummax and cummin return."""

    values: Tensor
    indices: Tensor


def running(who: str, input: Tensor, dim: int | None, best: Any, numpy: Mapping[str, Any]) -> Running:
    """Where the element is as good as all before, its place; the places' maximum so far."""
    d = axis(who, renamed(who, numpy, dim=dim)["dim"] if numpy else dim, input.ndim)
    x = input._data
    if x.ndim == 0:
        return Running(input, Tensor(np.zeros((), np.int64)))
    with np.errstate(invalid="ignore"):
        y = best.accumulate(x, d) if x.size else x
    number = np.arange(x.shape[d]).reshape([-1 if e == d else 1 for e in range(x.ndim)])
    new = (x == y) | (x != x)
    places = Tensor(np.maximum.accumulate(np.where(new, number, 0), d) if x.size else np.zeros(x.shape, np.int64))
    return Running(gather(input, d, places), places)
