"""Derivatives and integrals of sampled functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor
from .arithmetic import add, div, mul, sub
from .checks import renamed
from .clone import to
from .join import cat
from .reduce import cumsum, one_axis, sum
from .scan import diff
from .shape import reshape
from .slices import narrow

__all__ = ["cumulative_trapezoid", "gradient", "trapezoid", "trapz"]


def gradient(input: Tensor, *, spacing: Any = None, dim: int | Sequence[int] | None = None,
             edge_order: int = 1, **numpy: Any) -> tuple[Tensor, ...]:
    r"""The derivative of a sampled function along each dimension, by differences of neighbours.

    .. math:: g_i = \frac{x_{i + 1} - x_{i - 1}}{2 h}, \qquad
        g_i = \frac{d_1^2 x_{i + 1} + (d_2^2 - d_1^2) x_i - d_2^2 x_{i - 1}}{d_1 d_2 (d_1 + d_2)}

    The second where positions are given, with the distances :math:`d_1` to the one before and
    :math:`d_2` to the one behind. Both are exact for parabolas, and 0 for constants of any size.
    Beside an infinity two differences may be infinite: then the result is NaN, in PyTorch infinite.

    Parameters
    ----------
    input : Tensor of numbers
        Integers give float32.
    spacing : number, or list with a number or a vector for each dimension, optional
        The distance of neighbours; or the positions, a tensor, whose gradients are computed, too.
        Default: 1.
    dim : int or list of int, optional
        Default: all dimensions.
    edge_order : 1 or 2
        At the ends the difference of two, or a parabola through three.

    Returns
    -------
    One tensor of input's shape for each dimension.

    Raises
    ------
    RangeError : for another edge_order, or if there is no such dimension, or one comes twice.
    ShapeError : if spacing has another length than the dimensions, positions are no vector of the
        dimension's size, or a size is at most edge_order.
    DTypeError : for booleans and uint8, and for other kinds of spacing.

    Cost: some five passes over the elements for each dimension. The slopes of positions are
    differences, in which the digits of large numbers cancel.

    >>> import fastnn as nn
    >>> nn.gradient(nn.tensor([0.0, 1.0, 4.0, 9.0]))
    (tensor([1., 2., 4., 5.]),)
    >>> nn.gradient(nn.tensor([0.0, 1.0, 9.0]), spacing=[nn.tensor([0.0, 1.0, 3.0])], edge_order=2)
    (tensor([0., 2., 6.]),)
    """
    who = "gradient"
    if numpy:
        dim = renamed(who, numpy, dim=dim)["dim"]
    if input.dtype.kind == "b" or input.dtype == np.uint8:
        raise DTypeError(who=who, expected="floating-point numbers or signed integers", got=str(input.dtype),
                         hint="Convert it with .float().")
    if isinstance(edge_order, bool) or edge_order not in (1, 2):
        raise RangeError(who=who, expected="edge_order 1 or 2", got=edge_order)
    given = range(input.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    dims = [one_axis(who, input.ndim, d) for d in given]
    if len(set(dims)) < len(dims):
        raise RangeError(who=who, expected="each dimension once", got=tuple(given))
    step = 1 if spacing is None else spacing
    steps = list(step) if isinstance(step, (tuple, list)) else [number(step)] * len(dims)
    if len(steps) != len(dims):
        raise ShapeError(who=who, expected=f"spacing as a number, or {len(dims)} of them", got=f"{len(steps)}")
    for d, h in zip(dims, steps):
        if input.shape[d] <= edge_order:
            raise ShapeError(who=who, expected=f"a size above {edge_order} along dimension {d}", got=input.shape)
        if isinstance(h, Tensor) and h.ndim and h.shape != (input.shape[d],):
            raise ShapeError(who=who, expected=f"{input.shape[d]} positions along dimension {d}", got=h.shape)
    return tuple([along_positions(input, h, d, edge_order) if isinstance(h, Tensor) and h.ndim
                  else along_steps(input, number(h), d, edge_order) for d, h in zip(dims, steps)])


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1,
              **numpy: Any) -> Tensor:
    r"""The integral of a sampled function along a dimension, by trapezoids between neighbours.

    .. math:: z = \sum_i \frac{y_i + y_{i + 1}}{2} (x_{i + 1} - x_i)

    Parameters
    ----------
    y : Tensor of numbers
        Integers give float32.
    x : Tensor, optional
        The positions: a vector along dim, or a tensor that broadcasts with y.
    dx : number, optional
        The distance of neighbours, where x is not given. Default: 1. A tensor that requires a
        gradient gets one.
    dim : int

    Raises
    ------
    RangeError : if there is no such dimension, or x and dx are both given.
    ShapeError : if a vector x has not y's size along dim, or x does not broadcast with y.
    DTypeError : for booleans.

    Cost: four passes over the elements. An infinite end gives an infinity, in PyTorch NaN. The sum
    of two areas that leave the range is NaN where their signs differ.

    >>> import fastnn as nn
    >>> nn.trapezoid(nn.tensor([1.0, 2.0, 4.0]), nn.tensor([0.0, 1.0, 3.0]))
    tensor(7.5)
    """
    d, areas = trapezoids("trapezoid", y, x, dx, dim, numpy)
    return sum(areas, d)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Any = None, dim: int = -1,
                         **numpy: Any) -> Tensor:
    r"""`trapezoid` up to each element but the first.

    .. math:: z_k = \sum_{i \le k} \frac{y_i + y_{i + 1}}{2} (x_{i + 1} - x_i)

    Parameters, errors and cost: as `trapezoid`.

    >>> import fastnn as nn
    >>> nn.cumulative_trapezoid(nn.tensor([1.0, 2.0, 4.0]))
    tensor([1.5, 4.5])
    """
    d, areas = trapezoids("cumulative_trapezoid", y, x, dx, dim, numpy)
    return cumsum(areas, d)


trapz = trapezoid


# ---- what they share -----------------------------------------------------------------------------
def plain(h: Any) -> Any:
    """A tensor that is one number as that number, unless it requires a gradient."""
    return h.item() if isinstance(h, Tensor) and h.ndim == 0 and not h.requires_grad else h


def number(h: Any) -> Any:
    """A spacing that is one number."""
    h = plain(h)
    if isinstance(h, Tensor) and h.ndim == 0:
        return h
    if not isinstance(h, (int, float, np.integer, np.floating)):
        raise DTypeError(who="gradient", expected="spacing as a number, or a list of numbers or of vectors",
                         got=f"a tensor of shape {h.shape}" if isinstance(h, Tensor) else h,
                         hint="Positions stand in a list: spacing=[x].")
    return h


def along_steps(x: Tensor, h: Any, d: int, order: int) -> Tensor:
    """The derivative where all neighbours are h apart."""
    n = x.shape[d]
    at = [narrow(x, d, i, 1) for i in (0, 1, n - 2, n - 1)]
    first, last = div(sub(at[1], at[0]), h), div(sub(at[3], at[2]), h)
    if order == 2:              # half of the next difference more
        first = sub(mul(first, 1.5), div(sub(narrow(x, d, 2, 1), at[1]), 2 * h))
        last = sub(mul(last, 1.5), div(sub(at[2], narrow(x, d, n - 3, 1)), 2 * h))
    return cat([first, div(sub(narrow(x, d, 2, n - 2), narrow(x, d, 0, n - 2)), 2 * h), last], d)


def along_positions(x: Tensor, positions: Tensor, d: int, order: int) -> Tensor:
    """The derivative where neighbours stand at these positions: of slopes between neighbours the
    mean, in which the nearer counts more.
    """
    n = x.shape[d]
    if positions.dtype.kind != "f":
        positions = to(positions, x.dtype if x.dtype.kind == "f" else np.float32)
    apart = reshape(diff(positions), [n - 1 if i == d else 1 for i in range(x.ndim)])
    slope = div(diff(x, dim=d), apart)
    d1, d2 = narrow(apart, d, 0, n - 2), narrow(apart, d, 1, n - 2)
    s1, s2 = narrow(slope, d, 0, n - 2), narrow(slope, d, 1, n - 2)
    both = add(d1, d2)
    inner = div(add(mul(s1, d2), mul(s2, d1)), both)
    first, last = narrow(slope, d, 0, 1), narrow(slope, d, n - 2, 1)
    if order == 2:              # the parabola's slope is linear between its two chords' middles
        more = mul(sub(first, narrow(slope, d, 1, 1)), narrow(d1, d, 0, 1))
        first = add(first, div(more, narrow(both, d, 0, 1)))
        more = mul(sub(last, narrow(slope, d, n - 3, 1)), narrow(d2, d, n - 3, 1))
        last = add(last, div(more, narrow(both, d, n - 3, 1)))
    return cat([first, inner, last], d)


def trapezoids(who: str, y: Tensor, x: Tensor | None, dx: Any, dim: int, numpy: Any) -> tuple[int, Tensor]:
    """The dimension, and the area under each two neighbours."""
    if numpy:
        dim = renamed(who, numpy, dim=0 if dim == -1 else dim)["dim"]
    if x is not None and dx is not None:
        raise RangeError(who=who, expected="x or dx", got="both")
    if any(t.dtype.kind == "b" for t in (y, x) if t is not None):
        raise DTypeError(who=who, expected="numbers", got="bool", hint="Convert it with .float().")
    if y.ndim == 0:
        raise RangeError(who=who, expected="y with dimensions", got=y.shape)
    d = one_axis(who, y.ndim, dim)
    y = y if y.dtype.kind == "f" else to(y, np.float32)
    m = max(y.shape[d] - 1, 0)
    pairs = add(narrow(y, d, 0, m), narrow(y, d, y.shape[d] - m, m))
    if x is None:
        apart = plain(reshape(dx, ()) if isinstance(dx, Tensor) else 1 if dx is None else dx)
        return d, mul(pairs, div(apart, 2) if isinstance(apart, Tensor) else apart / 2)
    if x.ndim == 1:
        if x.shape[0] != y.shape[d]:
            raise ShapeError(who=who, expected=f"x with {y.shape[d]} positions", got=x.shape)
        x = reshape(x, [-1 if i == d else 1 for i in range(y.ndim)])
    elif x.ndim > y.ndim or x.ndim == 0:
        raise ShapeError(who=who, expected=f"x as a vector, or of 2 to {y.ndim} dimensions", got=x.shape)
    else:
        x = reshape(x, [1] * (y.ndim - x.ndim) + list(x.shape))
    return d, mul(pairs, div(diff(x, dim=d), 2))
