"""Lengths, angles and distances of vectors, composed of other functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, wrapped
from .arithmetic import add, div, mul, sub
from .checks import need_float, renamed
from .compare import gt
from .elementary import clamp
from .indexing import index_select, where
from .reduce import norm, one_axis, sum
from .repeat import broadcast_tensors
from .shape import unsqueeze

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["cdist", "cosine_similarity", "dist", "normalize", "pairwise_distance", "pdist", "renorm"]

COMPUTE_MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float | Tensor = 1e-12,
              **numpy: Unpack[Numpy]) -> Tensor:
    r"""Vectors of length 1, in the same direction.

    .. math:: y = x / \max(|x|_p, eps)

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    p : float
        Of the `norm`.
    dim : int
        Along which the vectors lie.
    eps : float
        Shorter ones are divided by it.

    Raises
    ------
    RangeError : if there is no such dimension.
    DTypeError : if input is not floating point.

    Cost: that of `norm`, and two passes. An infinite element gives NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.functional.normalize(nn.tensor([[3.0, 4.0]]))
    tensor([[0.6, 0.8]])
    """
    if numpy:
        return normalize(input, p, eps=eps, **renamed("normalize", numpy, dim=0 if dim == 1 else dim))
    return div(input, clamp(norm(input, p, dim, True), min=eps))


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The cosine of the angle between vectors.

    .. math:: y = \frac{a \cdot b}{\max(|a|, eps) \max(|b|, eps)}

    Parameters
    ----------
    x1, x2 : Tensor, float32 or float64, which broadcast
    dim : int
        Along which the vectors lie, which the result does not have.
    eps : float
        Shorter lengths count as eps.

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if the shapes do not broadcast.
    DTypeError : if one is not floating point.

    Cost: two norms, a product and a sum. An infinite element gives NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.functional.cosine_similarity(nn.tensor([[1.0, 0.0]]), nn.tensor([[3.0, 4.0]]))
    tensor([0.6])
    """
    if numpy:
        return cosine_similarity(x1, x2, eps=eps, **renamed("cosine_similarity", numpy, dim=0 if dim == 1 else dim))
    a, b = (div(x, clamp(norm(x, 2, dim, True), min=eps)) for x in broadcast_tensors(x1, x2))
    return sum(mul(a, b), dim)


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    r"""The distance of vectors, in pairs.

    .. math:: y = |a - b + eps|_p

    Parameters
    ----------
    x1, x2 : Tensor, float32 or float64, which broadcast; vectors lie along the last dimension
    p : float
        Of the `norm`.
    eps : float
        Added to each difference, so that the slope exists.
    keepdim : bool
        Keep the last dimension with size 1.

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if one is not floating point.

    Cost: that of `norm`, and two passes. At an infinite difference the slope is its limit, 1 or -1,
    and NaN in PyTorch.

    >>> import fastnn as nn
    >>> nn.functional.pairwise_distance(nn.tensor([[0.0, 0.0]]), nn.tensor([[3.0, 4.0]]))
    tensor([5.])
    """
    return norm(add(sub(x1, x2), eps), p, -1, keepdim)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str | None = None) -> Tensor:
    r"""The distance of each vector of one set from each of another.

    .. math:: y_{ij} = |a_i - b_j|_p

    Parameters
    ----------
    x1, x2 : Tensor of shape (..., n, d) and (..., m, d), float32 or float64
        The leading axes broadcast.
    p : float
        Of the `norm`; from 0 up.
    compute_mode : accepted for PyTorch's sake, where it is one of PyTorch's words
        Differences are taken always: a matrix product would be quicker and less exact.

    Returns
    -------
    Tensor of shape (..., n, m).

    Raises
    ------
    ShapeError : if one has fewer than two dimensions, or the d differ.
    RangeError : if p is below 0, or compute_mode is none of PyTorch's.
    DTypeError : if one is not floating point.

    Cost: n m d differences in memory. The slope where a distance is 0 is taken as 0.

    >>> import fastnn as nn
    >>> nn.cdist(nn.tensor([[0.0, 0.0]]), nn.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([[5., 1.]])
    """
    if compute_mode not in (None, *COMPUTE_MODES):
        raise RangeError(who="cdist", expected=f"compute_mode of {', '.join(COMPUTE_MODES)}", got=repr(compute_mode))
    if x1.ndim < 2 or x2.ndim < 2 or x1.shape[-1] != x2.shape[-1]:
        raise ShapeError(who="cdist", expected="(..., n, d) and (..., m, d)", got=f"{x1.shape} and {x2.shape}")
    if not p >= 0:
        raise RangeError(who="cdist", expected="p >= 0", got=p)
    for name, x in (("x1", x1), ("x2", x2)):
        if x.dtype.kind != "f":
            raise DTypeError(who="cdist", expected=f"{name} of dtype float32 or float64", got=str(x.dtype))
    apart = sub(unsqueeze(x1, -2), unsqueeze(x2, -3))
    return sum(apart, -1) if x1.shape[-1] == 0 else norm(apart, p, -1)


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    r"""The distance of each two of some vectors: what lies above the diagonal of `cdist`.

    .. math:: y = |a_i - a_j|_p \quad \text{for } i < j

    Parameters
    ----------
    input : Tensor of shape (n, d), float32 or float64
    p : as in `cdist`

    Returns
    -------
    Tensor of shape (n (n - 1) / 2,): (0, 1), (0, 2), ..., (1, 2), ...

    Raises
    ------
    ShapeError : if there are not two dimensions.
    RangeError : if p is below 0.
    DTypeError : if input is not floating point.

    Cost: n (n - 1) d / 2 differences in memory. The slope where a distance is 0 is taken as 0.

    >>> import fastnn as nn
    >>> nn.pdist(nn.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]]))
    tensor([5., 3., 4.])
    """
    need_float("pdist", input=input._data)
    if input.ndim != 2:
        raise ShapeError(who="pdist", expected="(n, d)", got=input.shape)
    if not p >= 0:
        raise RangeError(who="pdist", expected="p >= 0", got=p)
    i, j = (wrapped(k) for k in np.triu_indices(input.shape[0], 1))
    apart = sub(index_select(input, 0, i), index_select(input, 0, j))
    return sum(apart, -1) if input.shape[1] == 0 else norm(apart, p, -1)


def dist(input: Tensor, other: Tensor, p: float = 2.0) -> Tensor:
    """The norm of a difference: `norm` of input - other.

    Parameters
    ----------
    input, other : Tensor, floating point, which broadcast
    p : as in `norm`

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if input is not floating point.

    Cost: as `norm`, and one pass.

    >>> import fastnn as nn
    >>> nn.dist(nn.tensor([3.0, 0.0]), nn.tensor([0.0, 4.0]))
    tensor(5.)
    """
    return norm(sub(input, other), p)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    r"""Slices along a dimension made shorter, where they are too long.

    .. math:: y_i = x_i \cdot \frac{maxnorm}{|x_i|_p + 10^{-7}} \; (|x_i|_p > maxnorm), \; x_i \;
        (\text{else})

    Parameters
    ----------
    input : Tensor of at least two dimensions, float32 or float64
    p : float
        Of the `norm`; above 0.
    dim : int
        The dimension whose slices are measured, each by itself.
    maxnorm : float
        From 0 up.

    Raises
    ------
    ShapeError : if there are fewer than two dimensions.
    RangeError : if there is no such dimension, p is not above 0, or maxnorm is negative.
    DTypeError : if input is not floating point.

    Cost: a norm, and three passes over the elements. An infinite element gives NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.renorm(nn.tensor([[3.0, 4.0], [0.0, 1.0]]), 2, 0, 1.0)
    tensor([[0.6, 0.8],
            [0.0, 1.0]])
    """
    need_float("renorm", input=input._data)
    if input.ndim < 2:
        raise ShapeError(who="renorm", expected="at least two dimensions", got=input.shape)
    if not (p > 0 and maxnorm >= 0):
        raise RangeError(who="renorm", expected="p > 0 and maxnorm >= 0", got=f"p={p}, maxnorm={maxnorm}")
    d = one_axis("renorm", input.ndim, dim)
    others = tuple([e for e in range(input.ndim) if e != d])
    long = gt(norm(input.detach(), p, others, True), maxnorm)
    length = norm(where(long, input, 0.0), p, others, True)     # what stays as it is has slope 1
    return where(long, mul(input, float(maxnorm) / add(length, 1e-7)), input)
