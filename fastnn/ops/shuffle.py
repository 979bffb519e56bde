"""Channels exchanged for pixels, and mixed among groups. Composed of reshape and permute."""

from __future__ import annotations

from ..errors import ShapeError
from ..tensor import Tensor
from .checks import single
from .clone import clone
from .permute import permute
from .shape import reshape

__all__ = ["channel_shuffle", "pixel_shuffle", "pixel_unshuffle"]


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    r"""r r channels become one image, r times as high and as wide.

    .. math:: y_{c,\, ri + a,\, rj + b} = x_{c r^2 + r a + b,\, i,\, j}

    Parameters
    ----------
    input : Tensor of shape (..., C r r, H, W)
    upscale_factor : int
        r

    Returns
    -------
    Tensor of shape (..., C, H r, W r).

    Raises
    ------
    ShapeError : if there are fewer than three dimensions, or the channels are no multiple of r r.

    Cost: copies each element once.

    Reference: Shi et al. (2016), "Real-time single image and video super-resolution using an
    efficient sub-pixel convolutional neural network", arXiv:1609.05158.

    >>> import fastnn as nn
    >>> nn.functional.pixel_shuffle(nn.ones(2, 12, 5, 7), 2).shape
    (2, 3, 10, 14)
    """
    r = single("pixel_shuffle", "upscale_factor", upscale_factor, 1)
    if input.ndim < 3 or input.shape[-3] % (r * r):
        raise ShapeError(who="pixel_shuffle", expected=f"(..., C, H, W) with C a multiple of {r * r}", got=input.shape)
    *lead, C, H, W = input.shape
    n = len(lead)
    x = permute(reshape(input, *lead, C // (r * r), r, r, H, W), *range(n), n, n + 3, n + 1, n + 4, n + 2)
    return reshape(clone(x), *lead, C // (r * r), H * r, W * r)    # a copy also where nothing moves


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """What pixel_shuffle does, undone: an image becomes r r channels of its pixels.

    Parameters
    ----------
    input : Tensor of shape (..., C, H r, W r)
    downscale_factor : int
        r

    Raises
    ------
    ShapeError : if there are fewer than three dimensions, or a side is no multiple of r.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.functional.pixel_unshuffle(nn.ones(2, 3, 10, 14), 2).shape
    (2, 12, 5, 7)
    """
    r = single("pixel_unshuffle", "downscale_factor", downscale_factor, 1)
    if input.ndim < 3 or input.shape[-2] % r or input.shape[-1] % r:
        raise ShapeError(who="pixel_unshuffle", expected=f"(..., C, H, W) with H and W multiples of {r}",
                         got=input.shape)
    *lead, C, H, W = input.shape
    n = len(lead)
    x = permute(reshape(input, *lead, C, H // r, r, W // r, r), *range(n), n, n + 2, n + 4, n + 1, n + 3)
    return reshape(clone(x), *lead, C * r * r, H // r, W // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """The channels of all groups in turn: the first of each, the second of each, ...

    Parameters
    ----------
    input : Tensor of shape (N, C, ...)
    groups : int
        Of C / groups channels each.

    Raises
    ------
    ShapeError : if there are fewer than three dimensions, or groups does not divide C.

    Cost: copies each element once.

    Reference: Zhang et al. (2018), "ShuffleNet", arXiv:1707.01083.

    >>> import fastnn as nn
    >>> nn.functional.channel_shuffle(nn.arange(4).reshape(1, 4, 1), 2).flatten()
    tensor([0, 2, 1, 3])
    """
    g = single("channel_shuffle", "groups", groups, 1)
    if input.ndim < 3 or input.shape[1] % g:
        raise ShapeError(who="channel_shuffle", expected=f"(N, C, ...) with C a multiple of {g}", got=input.shape)
    N, C, *sizes = input.shape
    x = reshape(input, N, g, C // g, *sizes)
    return reshape(clone(permute(x, 0, 2, 1, *range(3, x.ndim))), input.shape)
