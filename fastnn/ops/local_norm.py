"""Normalisation of each image by itself, and of each pixel by its channels. Composed of others."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import RangeError, ShapeError
from ..tensor import Tensor
from .arithmetic import add, div, mul
from .batch_norm import batch_norm
from .checks import need_float, single
from .elementary import abs, pow, square
from .norm import group_norm
from .pad import pad
from .shape import reshape
from .slices import narrow
from .transcendental import hypot

__all__ = ["instance_norm", "local_response_norm"]


def instance_norm(input: Tensor, running_mean: Any = None, running_var: Any = None, weight: Tensor | None = None,
                  bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1,
                  eps: float = 1e-5) -> Tensor:
    r"""Standardise each channel of each image, then scale and shift.

    .. math:: y = (x - \mathrm{E}[x]) / \sqrt{\mathrm{Var}[x] + \epsilon} \cdot weight_c + bias_c

    Parameters
    ----------
    input : Tensor of shape (N, C, ...), float32 or float64
    running_mean, running_var : array or Tensor of shape (C,), optional
        Move towards the means over the batch of the images' means and unbiased variances.
    weight, bias : Tensor of shape (C,), optional
    use_input_stats : bool
        False: standardise by running_mean and running_var, as `batch_norm` does in eval mode.
    momentum, eps : as in `batch_norm`
        Where eps is 0 and all elements of a channel are the same, y is NaN; in PyTorch it is 0.

    Raises
    ------
    ShapeError : if there are fewer than three dimensions, or only one pixel.
    RangeError : if there are no statistics to use.
    DTypeError : if input is not floating point.

    Cost: as `group_norm` with as many groups as channels.

    Reference: Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization", arXiv:1607.08022.

    >>> import fastnn as nn
    >>> nn.functional.instance_norm(nn.tensor([[[1.0, 3.0]]]), eps=0.0)
    tensor([[[-1.,  1.]]])
    """
    if input.ndim < 3:
        raise ShapeError(who="instance_norm", expected="input of shape (N, C, ...) with pixels", got=input.shape)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RangeError(who="instance_norm", expected="running_mean and running_var, or use_input_stats=True",
                             got="neither")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    N, C, *sizes = input.shape
    pixels = int(np.prod(sizes))
    if pixels == 1:
        raise ShapeError("one pixel has no variance", who="instance_norm", got=input.shape)
    y = group_norm(input, C, weight, bias, eps)
    x = input._data.reshape(N, C, pixels)
    if N == 0 or pixels == 0:                       # nothing that could be added to what is known
        return y
    with np.errstate(all="ignore"):
        for running, now in ((running_mean, x.mean(2)), (running_var, x.var(2, ddof=1))):
            if running is not None:
                a = getattr(running, "_data", running)
                a[...] = (1 - momentum) * a + momentum * now.mean(0)
                if isinstance(running, Tensor):
                    running._version[0] += 1
    return y


def local_response_norm(input: Tensor, size: int, alpha: float | Tensor = 1e-4, beta: float | Tensor = 0.75,
                        k: float | Tensor = 1.0) -> Tensor:
    r"""Each element divided by a mean of squares of the channels around its own.

    .. math:: y_c = x_c \Big(k + \frac{\alpha}{size} \sum_{c'} x_{c'}^2\Big)^{-\beta}

    with c' from c - size // 2 to c + (size - 1) // 2, as far as there are channels.

    Parameters
    ----------
    input : Tensor of shape (N, C, ...), float32 or float64
    size : int
        How many channels.
    alpha, beta, k : float

    Raises
    ------
    ShapeError : if there are fewer than three dimensions, or size is below 1.
    DTypeError : if input is not floating point.

    Cost: min(size, 2 C + 1) + 5 passes over the elements, and as many again, of `hypot`, where a
    square has left the range. An infinite element gives NaN, as in PyTorch. With k = 0 the slopes
    of tiny elements leave the range, and may be NaN.

    Reference: Krizhevsky, Sutskever, Hinton (2012), "ImageNet classification with deep
    convolutional neural networks".

    >>> import fastnn as nn
    >>> nn.functional.local_response_norm(nn.ones(1, 2, 1), 2, alpha=2.0, beta=1.0, k=0.0)
    tensor([[[1.0],
             [0.5]]])
    """
    n = single("local_response_norm", "size", size, 1)
    need_float("local_response_norm", input=input._data)
    if input.ndim < 3:
        raise ShapeError(who="local_response_norm", expected="input of shape (N, C, ...)", got=input.shape)
    below = pow(add(mul(neighbours(square(input), n, add), alpha / n), k), beta)
    if k >= 0 and alpha > 0 and out_of_range(input._data, below._data):
        # (alpha / n)^beta length^(2 beta), without the squares and in two steps
        length = neighbours(abs(input), n, hypot)
        root = pow(hypot(length, math.sqrt(k * n / alpha)) if k else length, beta)
        return div(div(mul(input, (n / alpha)**beta), root), root)
    return div(input, below)


# ---- what the functions share --------------------------------------------------------------------
def neighbours(x: Tensor, n: int, together: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The n channels around each, taken together one after another; 0 where there are none."""
    N, C, *_ = x.shape
    rows = reshape(x, N, C, -1) if x.numel() else reshape(x, N, C, 0)
    # C channels further there are none
    before, after = min(n // 2, C), min((n - 1) // 2, C)
    padded = pad(rows, (0, 0, before, after))
    total = narrow(padded, 1, 0, C)
    for i in range(1, before + 1 + after):
        total = together(total, narrow(padded, 1, i, C))
    return reshape(total, x.shape)


def out_of_range(x: np.ndarray, below: np.ndarray) -> bool:
    """Whether squares of numbers other than infinity have overflowed or vanished."""
    with np.errstate(all="ignore"):
        lost = (np.isinf(below) | (below < 1e6 * np.finfo(below.dtype).tiny)) & (x != 0)
        return bool(lost.any() and np.isfinite(x).all())
