"""Maxima of windows whose distances are drawn, so that any size comes out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..creation import rand
from ..errors import RangeError, ShapeError
from ..tensor import Tensor
from .checks import need_float, pair
from .extremes import argmax
from .indexing import gather
from .shape import reshape

__all__ = ["fractional_max_pool2d", "fractional_max_pool2d_with_indices"]


def fractional_max_pool2d(input: Tensor, kernel_size: Any, output_size: Any = None,
                          output_ratio: float | tuple[float, float] | None = None, return_indices: bool = False,
                          _random_samples: Tensor | None = None) -> Any:
    r"""The largest value of each window, of which there are P x Q, at distances that are drawn.

    .. math:: y_{pq} = \max_{r, s} x_{i_p + r,\, j_q + s}, \quad
        i_p = \lfloor (p + u) a \rfloor - \lfloor u a \rfloor, \quad a = \frac{H - R}{P - 1}

    u is uniform from 0 to 1, drawn for each image and channel, from the stream of nn.seed; j_q
    likewise. The last window ends where the image does.

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W) or (C, H, W), float32 or float64
    kernel_size : int or pair
        R and S.
    output_size : int or pair
        P and Q.
    output_ratio : float or pair of float
        Instead of output_size: P is H times it, rounded down; between 0 and 1.
    return_indices : bool
        Return (y, places i*W + j in the image), too.
    _random_samples : Tensor of shape (N, C, 2), optional
        u for columns, and u for rows, instead of drawing them.

    Raises
    ------
    ShapeError : if input has another rank, the windows do not fit, or the samples have another
        shape.
    RangeError : unless one of output_size and output_ratio is given, or for a ratio outside 0 to 1.
    DTypeError : if input is not floating point.

    Cost: copies each window, and two passes over that.

    Graham (2014), "Fractional max-pooling".

    >>> import fastnn as nn
    >>> y = nn.functional.fractional_max_pool2d(nn.arange(25.0).reshape(1, 5, 5), 2, output_size=3)
    >>> y.shape, y[0, -1, -1]
    ((1, 3, 3), tensor(24.))
    """
    y, places = fractional_max_pool2d_with_indices(input, kernel_size, output_size, output_ratio, True, _random_samples)
    return (y, places) if return_indices else y


def fractional_max_pool2d_with_indices(input: Tensor, kernel_size: Any, output_size: Any = None,
                                       output_ratio: float | tuple[float, float] | None = None,
                                       return_indices: bool = False,
                                       _random_samples: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """`fractional_max_pool2d` with return_indices=True.

    Parameters, errors and cost: as `fractional_max_pool2d`.

    >>> import fastnn as nn
    >>> x = nn.arange(25.0).reshape(1, 5, 5)
    >>> nn.functional.fractional_max_pool2d_with_indices(x, 5, output_size=1)
    (tensor([[[24.]]]), tensor([[[24]]]))
    """
    who = "fractional_max_pool2d"
    need_float(who, input=input._data)
    if input.ndim not in (3, 4):
        raise ShapeError(who=who, expected="(N, C, H, W) or (C, H, W)", got=input.shape)
    size, window = input.shape[-2:], pair(who, "kernel_size", kernel_size, 1)
    count = counts(who, size, output_size, output_ratio)
    if any(p + r - 1 > h for p, r, h in zip(count, window, size)):
        raise ShapeError(who=who, expected=f"at least {tuple([p + r - 1 for p, r in zip(count, window)])} pixels for "
                                           f"{count} windows of {window}", got=input.shape)
    N, C = (1, *input.shape)[-4:-2]
    if _random_samples is None:
        u = rand(N, C, 2, dtype=np.float64)._data
    elif _random_samples.shape != (N, C, 2):
        raise ShapeError(who=who, expected=f"_random_samples {(N, C, 2)}", got=_random_samples.shape)
    else:
        u = _random_samples._data.astype(input.dtype)
    # rows and columns of each window's elements: (N, C, P, 1, R, 1) and (N, C, 1, Q, 1, S)
    i = starts(u[:, :, 1:], size[0], count[0], window[0])[:, :, :, None, None, None] + np.arange(window[0])[:, None]
    j = starts(u[:, :, :1], size[1], count[1], window[1])[:, :, None, :, None, None] + np.arange(window[1])
    windows, pixels_each = count[0] * count[1], window[0] * window[1]
    places = (i * size[1] + j).reshape(N, C, windows, pixels_each)
    pixels = reshape(input, N, C, size[0] * size[1])
    seen = gather(pixels.detach(), 2, Tensor(places.reshape(N, C, windows * pixels_each)))
    which = argmax(reshape(seen, *places.shape), -1, True)._data
    best = Tensor(np.take_along_axis(places, which, -1)[..., 0])
    shape = (*input.shape[:-2], *count)
    return reshape(gather(pixels, 2, best), *shape), reshape(best, *shape)


def counts(who: str, size: tuple[int, ...], output_size: Any, output_ratio: Any) -> tuple[int, int]:
    """How many windows, vertically and horizontally."""
    if (output_size is None) == (output_ratio is None):
        raise RangeError(who=who, expected="output_size or output_ratio", got="none" if output_size is None else "both")
    if output_ratio is None:
        return pair(who, "output_size", output_size, 1)
    ratio = tuple(output_ratio) if isinstance(output_ratio, (tuple, list)) else (output_ratio, output_ratio)
    if len(ratio) != 2 or not all(0 < q < 1 for q in ratio):
        raise RangeError(who=who, expected="output_ratio between 0 and 1", got=output_ratio)
    return pair(who, "output_size", tuple([int(n * q) for n, q in zip(size, ratio)]), 1)


def starts(u: np.ndarray, size: int, count: int, window: int) -> np.ndarray:
    """Where windows begin: (N, C, 1) -> (N, C, count)."""
    a = u.dtype.type((size - window) / max(count - 1, 1))
    first = ((np.arange(count, dtype=u.dtype) + u) * a).astype(np.int64) - (u * a).astype(np.int64)
    first[:, :, -1] = size - window
    return first
