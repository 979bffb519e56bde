"""What lies in the middle, at a share, or at a rank; how often; and how spread and alike rows are.

NumPy finds the places, without a gradient; the values are gathered from there, with one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, number_of, tensor, wrapped
from .arithmetic import div, mul, sub
from .checks import need_array, need_float, need_integers, need_room, renamed, single
from .clone import to
from .composed import lead_of, lerp, with_values
from .elementary import sqrt
from .extremes import amax
from .indexing import gather, getitem, where
from .matmul import matmul
from .permute import movedim, permute
from .reduce import mean, one_axis, sum
from .shape import reshape, squeeze, unsqueeze
from .slices import diagonal
from .sort import order

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["corrcoef", "cov", "histc", "kthvalue", "median", "mode", "nanmedian", "nanquantile", "quantile"]

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def median(input: Tensor, dim: int | None = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Any:
    """The element in the middle, of an even number the lower of the two; NaN where one is NaN.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int, optional
        None: of all elements.
    keepdim : bool
        Keep the dimension with size 1.

    Returns
    -------
    Tensor without dimensions; with dim the pair (values, indices). Without dim, elements that are
    equal to the median share its gradient.

    Raises
    ------
    ShapeError : if there is nothing along dim. Of no elements at all the median is NaN.
    RangeError : if there is no such dimension.

    Cost: as `sort`.

    >>> import fastnn as nn
    >>> nn.median(nn.tensor([3.0, 1.0, 2.0, 9.0]))
    tensor(2.)
    """
    return middle("median", input, dim, keepdim, numpy)


def nanmedian(input: Tensor, dim: int | None = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Any:
    """median of what is not NaN; NaN where nothing else is.

    Parameters, errors and cost: as `median`.

    >>> import fastnn as nn
    >>> nn.nanmedian(nn.tensor([3.0, float("nan"), 2.0]))
    tensor(2.)
    """
    return middle("nanmedian", input, dim, keepdim, numpy)


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Ranked:
    """The k-th smallest element along a dimension, and where it is; NaN counts as the largest.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    k : int
        From 1.
    dim, keepdim : as in `median`

    Returns
    -------
    The pair (values, indices), indices of int64; equals are counted in their order, in PyTorch in
    any. The values have a gradient.

    Raises
    ------
    RangeError : if there is no such dimension, or k is not from 1 to its size.

    Cost: as `sort`.

    >>> import fastnn as nn
    >>> nn.kthvalue(nn.tensor([3.0, 1.0, 2.0]), 2)
    Ranked(values=tensor(2.), indices=tensor(2))
    """
    if numpy:
        return kthvalue(input, k, **renamed("kthvalue", numpy, dim=0 if dim == -1 else dim, keepdim=keepdim))
    d = one_axis("kthvalue", input.ndim, dim)
    n = input.shape[d] if input.ndim else 1
    if not 1 <= single("kthvalue", "k", k, -2**63) <= n:
        raise RangeError(who="kthvalue", expected=f"k from 1 to {n}", got=k)
    x = np.atleast_1d(input._data)
    return ranked(input, d, np.take(order(x, d, False), [k - 1], d), keepdim)


def mode(input: Tensor, dim: int = -1, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Ranked:
    """The most frequent element along a dimension, of several the smallest, and its last place.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim, keepdim : as in `median`

    Returns
    -------
    The pair (values, indices), indices of int64. The values have a gradient.

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if it has size 0.

    Cost: as `sort`.

    >>> import fastnn as nn
    >>> nn.mode(nn.tensor([3, 1, 3, 2]))
    Ranked(values=tensor(3), indices=tensor(2))
    """
    if numpy:
        return mode(input, **renamed("mode", numpy, dim=0 if dim == -1 else dim, keepdim=keepdim))
    d = one_axis("mode", input.ndim, dim)
    x = np.atleast_1d(input._data)
    something("mode", x, d)
    places = np.moveaxis(order(x, d, False), d, -1)
    row = np.take_along_axis(np.moveaxis(x, d, -1), places, -1)
    number = np.arange(row.shape[-1])
    # of each element, where the run of its equals begins; the first of the longest runs counts
    new = np.concatenate([np.ones_like(row[..., :1], bool), row[..., 1:] != row[..., :-1]], -1)
    length = number - np.maximum.accumulate(np.where(new, number, 0), -1)
    last = np.argmax(length, -1)[..., None] if row.size else np.zeros((*row.shape[:-1], 1), np.int64)
    return ranked(input, d, np.moveaxis(np.take_along_axis(places, last, -1), -1, d), keepdim)


def quantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *, interpolation: str = "linear",
             **numpy: Unpack[Numpy]) -> Tensor:
    r"""The value below which a share of the elements lies; NaN where one is NaN.

    .. math:: y = s_i + (r - i)\, (s_{i + 1} - s_i), \quad r = q\, (n - 1), \; i = \lfloor r \rfloor

    s are the n elements in order.

    Parameters
    ----------
    input : Tensor, float32 or float64
    q : float, or Tensor of one dimension of input's dtype
        Shares from 0 to 1.
    dim, keepdim : as in `median`
    interpolation : "linear", "lower", "higher", "midpoint" or "nearest"
        Between two elements: the share of the way, one of the two, or half the way.

    Returns
    -------
    Tensor; for several q, they are its first dimension.

    Raises
    ------
    RangeError : if q is not from 0 to 1, there is no such dimension, or no such interpolation.
    ShapeError : if there are no elements, or q has more than one dimension.
    DTypeError : if input is not floating point, or q is of another dtype.

    Cost: as `sort`. Between two elements an infinite gradient from above gives NaN.

    >>> import fastnn as nn
    >>> nn.quantile(nn.tensor([0.0, 10.0, 20.0]), 0.75)
    tensor(15.)
    """
    return share("quantile", input, q, dim, keepdim, interpolation, numpy)


def nanquantile(input: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, *,
                interpolation: str = "linear", **numpy: Unpack[Numpy]) -> Tensor:
    """quantile of what is not NaN; NaN where nothing else is.

    Parameters, errors and cost: as `quantile`.

    >>> import fastnn as nn
    >>> nn.nanquantile(nn.tensor([0.0, float("nan"), 20.0]), 0.5)
    tensor(10.)
    """
    return share("nanquantile", input, q, dim, keepdim, interpolation, numpy)


# ---- how often -----------------------------------------------------------------------------------
def histc(input: Tensor, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """How many elements lie in each of some intervals of one width. No gradient.

    Parameters
    ----------
    input : Tensor, float32 or float64
    bins : int
        The number of intervals.
    min, max : number
        Where the first begins and the last ends, its end included; equal: the extremes of the
        elements. What lies elsewhere, and NaN, is not counted.

    Returns
    -------
    Tensor of shape (bins,), of input's dtype.

    Raises
    ------
    ShapeError : if bins is below 1.
    RangeError : if min is above max, or one is not finite.
    DTypeError : if input is not floating point.

    Cost: sorts the elements, in NumPy.

    >>> import fastnn as nn
    >>> nn.histc(nn.tensor([1.0, 2.0, 1.0]), 4, 0, 3)
    tensor([0., 2., 1., 0.])
    """
    x = input._data
    need_float("histc", input=x)
    number = single("histc", "bins", bins, 1)
    need_room("histc", [number + 1], 8)
    low, high = (float(number_of("histc", end, x.dtype)) for end in (min, max))
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if not (np.isfinite(low) and np.isfinite(high) and low <= high):
        raise RangeError(who="histc", expected="finite min <= max", got=f"{low} to {high}")
    if low == high:
        low, high = low - 1, high + 1
    ends = np.linspace(low, high, number + 1).astype(x.dtype)
    places = np.searchsorted(ends, x.reshape(-1), "right") - 1
    places[x.reshape(-1) == ends[-1]] = number - 1
    counted = (places >= 0) & (places < number)
    return wrapped(np.bincount(places[counted], minlength=number).astype(x.dtype))


# ---- rows ----------------------------------------------------------------------------------------
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
        aweights: Tensor | None = None) -> Tensor:
    r"""The covariances of variables, of which each row has the observations.

    .. math:: y_{ij} = \frac1{n - correction} \sum_k (x_{ik} - \bar x_i)(x_{jk} - \bar x_j)

    Parameters
    ----------
    input : Tensor of at most two dimensions
    correction : int
        1: the unbiased estimate.
    fweights : Tensor of integers, of shape (n,), optional
        How often each observation counts.
    aweights : Tensor of shape (n,), optional
        The weight of each observation.

    Returns
    -------
    Tensor of shape (variables, variables), or without dimensions for one variable.

    Raises
    ------
    ShapeError : if there are more dimensions, or not one weight for each observation.
    RangeError : if a weight is negative.
    DTypeError : if fweights are no integers, or input is bool.

    Cost: one matrix product. The mean is taken out twice, so a large mean costs no digits, as in
    `var`. Where nothing is left to divide by, and at infinite elements, results are infinite or
    NaN; so are products that leave the range.

    >>> import fastnn as nn
    >>> nn.cov(nn.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    x = rows_of(input)
    n = x.shape[1]
    weights = weights_of(fweights, aweights, n)
    if weights is None:
        total = tensor(float(n))
        left = sub(total, correction)
    else:
        total = sum(weights)
        by = 1.0 if aweights is None else div(sum(mul(weights, aweights)), total)
        left = sub(total, mul(by, correction) if isinstance(by, Tensor) else correction)
    if total.item() == 0:
        raise ShapeError("there is nothing to divide by", who="cov", got=input.shape,
                         expected="observations whose weights are not all 0")
    apart = deviations(x, total, weights)
    product = matmul(apart, permute(apart if weights is None else mul(apart, weights), 1, 0))
    return squeeze(div(product, left if left.item() > 0 else 0.0))


def corrcoef(input: Tensor) -> Tensor:
    r"""The correlations of variables, of which each row has the observations.

    .. math:: y_{ij} = c_{ij} / \sqrt{c_{ii}\, c_{jj}}

    c are the covariances: `cov`.

    Parameters
    ----------
    input : Tensor of at most two dimensions

    Errors: as `cov`. Cost: as `cov`, and four passes. Rows of any size and mean lose no digits. A
    row that does not vary, or has an infinite element, gives NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.corrcoef(nn.tensor([[0.0, 1.0, 2.0], [2.0, 1.0, 0.0]]))
    tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    # of rows of any size: neither their means nor their squares leave the range
    apart = deviations(rows_of(input))
    c = cov(div(apart, wrapped(lead_of(apart._data, 1))))
    if c.ndim == 0:
        return div(c, c)
    spread = sqrt(diagonal(c))
    y = div(div(c, unsqueeze(spread, 1)), unsqueeze(spread, 0))
    return with_values(y, np.clip(y._data, -1, 1))  # what rounding has brought beyond


# ---- what the functions share --------------------------------------------------------------------
class Ranked(NamedTuple):
    """What median, nanmedian, kthvalue and mode return along a dimension."""

    values: Tensor
    indices: Tensor


def something(who: str, x: np.ndarray, d: int) -> None:
    if x.shape[d] == 0:
        raise ShapeError(who=who, expected=f"a size above 0 along dimension {d}", got=x.shape)


def ranked(input: Tensor, d: int, index: np.ndarray, keepdim: bool) -> Ranked:
    """The elements at these places, one along dimension d, and the places."""
    x = input if input.ndim else reshape(input, 1)
    places = wrapped(np.ascontiguousarray(index))
    pair = gather(x, d, places), places
    return Ranked(*[t if keepdim and input.ndim else squeeze(t, d) for t in pair])


def middle(who: str, input: Tensor, dim: int | None, keepdim: bool, numpy: Any) -> Any:
    """median, or nanmedian."""
    if numpy:
        return middle(who, input, **renamed(who, numpy, dim=dim, keepdim=keepdim), numpy={})
    need_array(who, input=getattr(input, "_data", input))
    x = np.atleast_1d(input._data)
    nan = np.isnan(x) if x.dtype.kind == "f" else np.zeros(x.shape, bool)
    if dim is None:
        flat, holes = x.reshape(-1), nan.reshape(-1)
        if who == "nanmedian":
            flat = flat[~holes]
        if flat.size == 0 or (who == "median" and holes.any()):
            chosen = holes
        else:
            chosen = x.reshape(-1) == np.partition(flat, (flat.size - 1) // 2)[(flat.size - 1) // 2]
        if not chosen.any():
            return wrapped(np.asarray(np.nan if x.dtype.kind == "f" else np.iinfo(x.dtype).min, x.dtype))
        # its gradient goes to all equals, in equal parts
        return amax(getitem(reshape(input, -1), chosen))
    d = one_axis(who, input.ndim, dim)
    something(who, x, d)
    holes = nan.sum(d, keepdims=True)
    some = x.shape[d] - holes
    # NaN stands behind all others: the first of them, or the middle of the others
    rank = (np.maximum(some, 1) - 1) // 2
    if who == "median":
        rank = np.where(holes > 0, some, rank)
    return ranked(input, d, np.take_along_axis(order(x, d, False), rank, d), keepdim)


def share(who: str, input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, numpy: Any) -> Tensor:
    """quantile, or nanquantile."""
    if numpy:
        return share(who, input, q, **renamed(who, numpy, dim=dim, keepdim=keepdim), interpolation=interpolation,
                     numpy={})
    need_float(who, input=input._data)
    if interpolation not in INTERPOLATIONS:
        raise RangeError(who=who, expected=f"interpolation as one of {', '.join(INTERPOLATIONS)}",
                         got=repr(interpolation))
    if isinstance(q, Tensor) and q.dtype != input.dtype:
        raise DTypeError(who=who, expected=f"q of dtype {input.dtype}", got=str(q.dtype))
    shares = np.asarray(getattr(q, "_data", q), input.dtype)
    if shares.ndim > 1 or input.numel() == 0:
        raise ShapeError(who=who, expected="elements, and q of at most one dimension",
                         got=f"{input.shape}, q {shares.shape}")
    if not ((shares >= 0) & (shares <= 1)).all():
        raise RangeError(who=who, expected="0 <= q <= 1", got=shares.tolist())
    d = None if dim is None else one_axis(who, input.ndim, dim)
    x = reshape(input, -1) if d is None or input.ndim == 0 else movedim(input, d, -1)
    something(who, x._data, -1)
    n = x.shape[-1]
    holes = np.isnan(x._data).sum(-1, keepdims=True)
    rank = reshape(q if isinstance(q, Tensor) else wrapped(shares), -1)
    rank = mul(rank, wrapped(np.maximum(n - 1 - holes * (who == "nanquantile"), 0).astype(input.dtype)))
    if who == "quantile" and holes.any():           # NaN is the last
        rank = where(wrapped(holes > 0), float(n - 1), rank)
    r = rank._data
    if interpolation in ("lower", "higher", "nearest"):
        r = {"lower": np.floor, "higher": np.ceil, "nearest": np.rint}[interpolation](r)
    places = order(x._data, -1, False)
    low, high = (gather(x, -1, wrapped(np.take_along_axis(places, np.asarray(end).astype(np.int64), -1)))
                 for end in (np.floor(r), np.ceil(r)))
    if interpolation == "midpoint":
        y = lerp(low, high, 0.5)
    else:
        y = low if interpolation != "linear" else lerp(low, high, sub(rank, wrapped(np.floor(r))))
    y = movedim(y, -1, 0)                           # (q, the other dimensions)
    if keepdim and input.ndim:
        y = reshape(y, -1, *[1] * input.ndim) if d is None else unsqueeze(y, 1 + d)
    return y if shares.ndim else squeeze(y, 0)


def rows_of(input: Tensor) -> Tensor:
    """The variables of cov as rows of floating point."""
    if input.ndim > 2:
        raise ShapeError(who="cov", expected="at most two dimensions", got=input.shape)
    if input.dtype.kind == "b":
        raise DTypeError(who="cov", expected="numbers", got="booleans", hint="Convert them with .float().")
    x = input if input.dtype.kind == "f" else to(input, np.float32)
    return reshape(x, 1, -1) if x.ndim < 2 else x


def deviations(x: Tensor, total: Tensor | None = None, weights: Tensor | None = None) -> Tensor:
    """What is left of rows without their means; the weights add up to `total`."""
    apart = sub(x, mean(x, 1, True) if weights is None else unsqueeze(div(sum(mul(x, weights), 1), total), 1))
    with np.errstate(all="ignore"):                 # what rounding has left of a large mean
        w = np.ones(x.shape[1]) if weights is None else weights._data.astype(np.float64)
        rest = (apart._data @ w / w.sum())[:, None].astype(x.dtype)
        large = np.abs(rest) > 8 * np.finfo(x.dtype).eps * np.abs(apart._data).max(1, keepdims=True, initial=0)
    if not (large & np.isfinite(rest)).any():       # no more than the deviations' own rounding
        return apart
    return sub(apart, wrapped(np.where(np.isfinite(rest), rest, 0)))


def weights_of(fweights: Tensor | None, aweights: Tensor | None, n: int) -> Tensor | None:
    """The weight of each observation; None where all are 1."""
    if fweights is not None:
        need_integers("cov", fweights=fweights._data)
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        if w is not None and w.shape != (n,):
            raise ShapeError(who="cov", expected=f"{name} of shape ({n},)", got=w.shape)
        if w is not None and w.numel() and w._data.min() < 0:
            raise RangeError(who="cov", expected=f"{name} >= 0", got=w._data.min())
    return aweights if fweights is None else fweights if aweights is None else mul(fweights, aweights)
