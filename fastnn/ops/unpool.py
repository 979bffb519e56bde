"""Pooling by powers, and maxima put back where they came from. Composed of others."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..errors import RangeError, ShapeError
from ..guard import whole
from ..tensor import Tensor, wrapped
from .arithmetic import div, mul
from .checks import need_float, need_integers, need_room, pair, single
from .composed import lead_of, with_values
from .elementary import pow
from .indexing import where
from .pad import pad
from .pool1d import avg_pool1d
from .pool2d import avg_pool2d
from .reduce import sum
from .scatter import scatter
from .shape import reshape, unsqueeze
from .unfold import unfold

__all__ = ["lp_pool1d", "lp_pool2d", "max_unpool1d", "max_unpool2d"]


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    r"""The root of the sum of powers under each window of a sequence.

    .. math:: y = \Big(\sum_s x_s^p\Big)^{1/p}

    p = 1 is a sum, and with p towards infinity y tends to the largest value. Where p is odd, a
    negative x has a negative power, and the root of a negative sum is NaN; where a sum is 0, the
    slope is taken as 0, and at an infinite element, for p > 1, it is NaN. With ceil_mode, a window
    that hangs over the end counts the mean of its powers as often as a full window has elements.
    All four are PyTorch's. As in `norm`, no power overflows or vanishes on the way.

    Parameters
    ----------
    input : Tensor of shape (N, C, L) or (C, L), float32 or float64
    norm_type : float
        p, not 0.
    kernel_size, stride, ceil_mode : as in `max_pool2d`

    Raises
    ------
    RangeError : if norm_type is 0.
    ShapeError, DTypeError : as `avg_pool2d`.

    Cost: as `avg_pool2d`, and two powers in five passes; where powers leave the range, memory for
    as many inputs as a window has elements.

    >>> import fastnn as nn
    >>> nn.functional.lp_pool1d(nn.tensor([[3.0, 4.0, 1.0, 0.0]]), 2, 2)
    tensor([[5., 1.]])
    """
    window = single("lp_pool1d", "kernel_size", kernel_size, 1)
    p = power("lp_pool1d", input, norm_type)
    powers = pow(input, p)
    mean = avg_pool1d(powers, window, stride, 0, ceil_mode)
    if out_of_range(input._data, powers._data, mean._data, window, p):
        step = window if stride is None or stride == () else stride
        y = scaled(unsqueeze(input, -2), (1, mean.shape[-1]), p, (1, window), (1, step))
        return reshape(y, mean.shape)
    return rooted(mean, window, p)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    r"""The root of the sum of powers under each window of an image.

    .. math:: y = \Big(\sum_{rs} x_{rs}^p\Big)^{1/p}

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W) or (C, H, W), float32 or float64
    norm_type, kernel_size, stride, ceil_mode : as in `lp_pool1d`
        Sizes are numbers or pairs.

    Signs, NaN, ceil_mode, errors and cost: as `lp_pool1d`.

    >>> import fastnn as nn
    >>> nn.functional.lp_pool2d(nn.tensor([[[3.0, 0.0], [4.0, 0.0]]]), 2.0, 2)
    tensor([[[5.]]])
    """
    window = pair("lp_pool2d", "kernel_size", kernel_size, 1)
    p = power("lp_pool2d", input, norm_type)
    powers = pow(input, p)
    mean = avg_pool2d(powers, window, stride, 0, ceil_mode)
    if out_of_range(input._data, powers._data, mean._data, window[0] * window[1], p):
        return scaled(input, (mean.shape[-2], mean.shape[-1]), p, window, stride)
    return rooted(mean, window[0] * window[1], p)


def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:
    """The opposite of max_pool1d: each maximum where it was in its sequence, zeros elsewhere.

    Parameters
    ----------
    input : Tensor of shape (N, C, Q) or (C, Q)
    indices : Tensor of integers, of input's shape
        As max_pool1d returns them.
    kernel_size, stride, padding : int
        Those of the pooling.
    output_size : int, or sequence, optional
        The length, where several would give the same Q.

    Errors and cost: as `max_unpool2d`.

    >>> import fastnn as nn
    >>> y, i = nn.functional.max_pool1d(nn.tensor([[1.0, 5.0, 2.0, 0.0]]), 2, return_indices=True)
    >>> nn.functional.max_unpool1d(y, i, 2)
    tensor([[0., 5., 2., 0.]])
    """
    who = "max_unpool1d"
    k = single(who, "kernel_size", kernel_size, 1)
    s = k if stride is None or stride == () else single(who, "stride", stride, 1)
    p = single(who, "padding", padding, 0)
    return unpooled(who, input, indices, (k,), (s,), (p,), output_size)


def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0,
                 output_size: Any = None) -> Tensor:
    r"""The opposite of max_pool2d: each maximum where it was in its image, zeros elsewhere.

    .. math:: y_{indices_q} = x_q, \quad dx_q = dy_{indices_q}

    Parameters
    ----------
    input : Tensor of shape (N, C, P, Q) or (C, P, Q)
    indices : Tensor of integers, of input's shape
        Places i*W + j in the image, as max_pool2d returns them. Of several maxima for one place the
        last stays, and has the gradient.
    kernel_size, stride, padding : int or pair
        Those of the pooling.
    output_size : sequence of int, optional
        The sizes (H, W), where several would give the same P and Q.

    Raises
    ------
    ShapeError : if the shapes do not fit, or output_size is not one that pooling makes P x Q.
    RangeError : if an index is outside the image.
    DTypeError : if input is not floating point, or indices are no integers.

    Cost: two passes over the result, and one over the maxima.

    >>> import fastnn as nn
    >>> x = nn.tensor([[[1.0, 5.0], [2.0, 0.0]]])
    >>> y, i = nn.functional.max_pool2d(x, 2, return_indices=True)
    >>> nn.functional.max_unpool2d(y, i, 2)
    tensor([[[0., 5.],
             [0., 0.]]])
    """
    who = "max_unpool2d"
    k = pair(who, "kernel_size", kernel_size, 1)
    s = k if stride is None or stride == () else pair(who, "stride", stride, 1)
    return unpooled(who, input, indices, k, s, pair(who, "padding", padding, 0), output_size)


# ---- what the functions share --------------------------------------------------------------------
def power(who: str, input: Tensor, norm_type: float) -> float:
    need_float(who, input=input._data)
    p = float(norm_type)
    if not (p and math.isfinite(p)):
        raise RangeError(who=who, expected="a norm_type that is finite and not 0", got=norm_type)
    return p


def rooted(mean: Tensor, n: int, p: float) -> Tensor:
    """The p-th root of n times a mean of powers, with slope 0 at 0."""
    zero = wrapped(np.asarray(mean._data == 0))
    return where(zero, 0.0 if p > 0 else math.inf, pow(mul(where(zero, 1.0, mean), n), 1 / p))


def out_of_range(x: np.ndarray, powers: np.ndarray, mean: np.ndarray, n: int, p: float) -> bool:
    """Whether the power of a number other than 0 and infinity has overflowed or vanished where a
    window shows it; or for p < 0 its slope, of power p - 1.
    """
    limits, size = np.finfo(x.dtype), np.abs(mean)
    share = p / (p - 1) if p < 0 else 1.0
    low, high = float(limits.tiny / limits.eps)**share, (float(limits.max) / n)**share
    if not ((size < low) | (size > high)).any():
        return False
    size = np.abs(powers)
    return bool((((size < low) | (size > high)) & np.isfinite(x) & (x != 0)).any())


def scaled(images: Tensor, sizes: tuple[int, int], p: float, window: tuple[int, int], stride: Any) -> Tensor:
    """What pooling of (..., H, W) gives, of these sizes (P, Q), with each window in units of its
    own largest element: as many copies of the images as a window has elements.
    """
    *several, H, W = images.shape
    step = window if stride is None or stride == () else pair("lp_pool", "stride", stride, 1)
    ends = [(m - 1) * s + k for m, s, k in zip(sizes, step, window)]
    border = (0, ends[1] - W, 0, ends[0] - H)       # where windows hang over the end, and count as
    value = 0.0 if p > 0 else math.inf              # often as if they were full
    inside = [np.minimum(np.arange(m) * s + k, n) - np.arange(m) * s
              for m, s, k, n in zip(sizes, step, window, (H, W))]
    within = reshape(wrapped(np.multiply.outer(*inside).astype(images.dtype)), -1)
    x = unfold(pad(reshape(images, -1, 1, H, W), border, value=value), window, stride=step)
    lead = lead_of(x._data, 1, p)
    mean = div(sum(pow(with_values(x, x._data / lead), p), 1), within)
    y = rooted(mean, window[0] * window[1], p)
    with np.errstate(over="ignore"):                # a result may be infinite
        y = with_values(y, y._data * lead[:, 0])
    return reshape(y, *several, *sizes)


def unpooled(who: str, input: Tensor, indices: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...],
             padding: tuple[int, ...], output_size: Any) -> Tensor:
    """The images that pooling made input of, along as many axes as there are sizes."""
    need_float(who, input=input._data)
    need_integers(who, indices=indices._data)
    axes = len(kernel)
    letters = "L" if axes == 1 else "H, W"
    if input.ndim not in (axes + 1, axes + 2) or indices.shape != input.shape:
        raise ShapeError(who=who, expected=f"input (N, C, {letters}) or (C, {letters}), and indices of its shape",
                         got=f"{input.shape} and {indices.shape}")
    sizes = tuple([(n - 1) * s - 2 * p + k for n, s, p, k in zip(input.shape[-axes:], stride, padding, kernel)])
    if output_size is not None:
        given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,)
        wanted = tuple([whole(who, "output_size as int", n) for n in given[-axes:]])
        if len(given) not in (axes, axes + 2) or not all(-s < a - b < s for a, b, s in zip(wanted, sizes, stride)):
            raise ShapeError(who=who, expected=f"an output_size less than the stride from {sizes}", got=output_size)
        sizes = wanted
    if any(n < 1 for n in sizes):
        raise ShapeError(who=who, expected="an output with pixels", got=sizes)
    lead, total = input.shape[:-axes], math.prod(sizes)
    need_room(who, (*lead, total), input.dtype.itemsize)
    places = indices._data.reshape(*lead, -1)
    if places.size and (places.min() < 0 or places.max() >= total):
        worst = int(places.max() if places.max() >= total else places.min())
        raise RangeError(f"index {worst} is out of range", who=who, expected=f"0 <= index < {total}")
    y = scatter(wrapped(np.zeros((*lead, total), input.dtype)), -1, wrapped(places), reshape(input, *lead, -1))
    return reshape(y, *lead, *sizes)
