"""Images read at places that are computed, as in spatial transformers. Composed of others: the
places have a gradient, too.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import stepped
from ..errors import RangeError, ShapeError
from ..guard import whole
from ..tensor import Tensor, wrapped
from .arithmetic import add, mul, sub
from .checks import need_float, need_room
from .composed import rsub
from .indexing import gather, getitem, where
from .matmul import matmul
from .permute import transpose
from .repeat import expand
from .shape import reshape, unsqueeze

__all__ = ["affine_grid", "grid_sample"]

MODES, PADDINGS = ("bilinear", "nearest", "bicubic"), ("zeros", "border", "reflection")
A = -0.75                                           # a of Keys' kernel (Keys, 1981)


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    r"""The places where each pixel of an output looks, after an affine map: for `grid_sample`.

    .. math:: grid_{pq} = \theta\, (x^t_q, y^t_p, 1)^T

    x^t and y^t are the place of a pixel in the output. They go from -1 to 1, from the left to the
    right and from the top to the bottom.

    Parameters
    ----------
    theta : Tensor of shape (N, 2, 3), or (N, 3, 4) for volumes, float32 or float64
    size : sequence of int
        The output's (N, C, P, Q), or (N, C, O, P, Q).
    align_corners : bool, optional
        True: -1 and 1 are the centres of the outermost pixels; else their outer edges.

    Returns
    -------
    Tensor of shape (N, P, Q, 2), or (N, O, P, Q, 3): (x, y) or (x, y, z) of each.

    Raises
    ------
    ShapeError : if the shapes do not fit, or a size is below 1.
    DTypeError : if theta is not floating point.

    Cost: a matrix product with 3 or 4 multiply-adds a number.

    Reference: Jaderberg, Simonyan, Zisserman, Kavukcuoglu (2015), "Spatial transformer networks",
    arXiv:1506.02025.

    >>> import fastnn as nn
    >>> theta = nn.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]])
    >>> nn.functional.affine_grid(theta, (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    need_float("affine_grid", theta=theta._data)
    sizes = tuple([whole("affine_grid", "size as int", n) for n in size])
    axes = len(sizes) - 2
    if axes not in (2, 3) or theta.shape != (sizes[0], axes, axes + 1) or any(n < 1 for n in sizes):
        raise ShapeError(who="affine_grid", expected="theta (N, 2, 3) and size (N, C, P, Q), or (N, 3, 4) and "
                                                     "(N, C, O, P, Q)", got=f"{theta.shape} and {sizes}")
    need_room("affine_grid", (sizes[0], *sizes[2:], axes + 1), theta.dtype.itemsize)
    lines = []
    for n in reversed(sizes[2:]):                   # x first
        line = np.linspace(-1, 1, n) if n > 1 else np.zeros(1)
        # else the centres of n pixels of width 2/n: (2q + 1)/n - 1
        lines.append(line if align_corners else line * (n - 1) / n)
    places = np.meshgrid(*reversed(lines), indexing="ij")
    base = np.stack([*reversed(places), np.ones(sizes[2:])], -1).reshape(1, -1, axes + 1)
    return reshape(matmul(wrapped(base.astype(theta.dtype)), transpose(theta, 1, 2)), sizes[0], *sizes[2:], axes)


def grid_sample(input: Tensor, grid: Tensor, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: bool | None = None) -> Tensor:
    r"""The image read at the places of a grid, between pixels by their neighbours.

    .. math:: y_{ncpq} = \sum_{ij} w(v_{npq} - i)\, w(u_{npq} - j)\, x_{ncij}, \qquad
        u = \frac{(x + 1) W - 1}{2} \;\text{ or, aligned, }\; \frac{(x + 1)(W - 1)}{2}

    u is the grid's x in pixels, and likewise v its y, with H. Volumes have a third direction. The
    kernel w depends on the mode: in "nearest" it picks the pixel at the rounded u and v; in
    "bilinear" and in "bicubic" (Keys, with a = -3/4) it is

    .. math:: w(t) = \max(0, 1 - |t|), \qquad w(t) = \begin{cases}
        (a + 2) |t|^3 - (a + 3) |t|^2 + 1 & |t| \le 1 \\
        a |t|^3 - 5a |t|^2 + 8a |t| - 4a & 1 < |t| < 2 \\ 0 & \text{else} \end{cases}

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W) or (N, C, D, H, W), float32 or float64
    grid : Tensor of shape (N, P, Q, 2) or (N, O, P, Q, 3), of input's dtype
        The (x, y) or (x, y, z) of each output; -1 and 1 are the borders. What is no number is far
        outside.
    mode : "bilinear", "nearest" or "bicubic"
        In "nearest" the gradient of the grid is 0; "bicubic" is for images alone.
    padding_mode : "zeros", "border" or "reflection"
        What is outside: zeros, the nearest pixel, or the image in a mirror.
    align_corners : bool, optional
        True: -1 and 1 are the centres of the outermost pixels; else their outer edges.

    Returns
    -------
    Tensor of shape (N, C, P, Q) or (N, C, O, P, Q).

    Raises
    ------
    ShapeError : if the shapes do not fit, or the image has no pixels.
    RangeError : for another mode.
    DTypeError : if the dtypes differ, or are not floating point.

    Cost: 1, 4 (of volumes 8) or 16 pixels for each number, gathered in NumPy.

    Reference: Jaderberg, Simonyan, Zisserman, Kavukcuoglu (2015), "Spatial transformer networks",
    arXiv:1506.02025; Keys (1981), "Cubic convolution interpolation for digital image processing".

    >>> import fastnn as nn
    >>> x = nn.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> nn.functional.grid_sample(x, nn.tensor([[[[0.0, 0.0], [1.0, -1.0]]]]), align_corners=True)
    tensor([[[[2.5, 2.0]]]])
    """
    need_float("grid_sample", input=input._data, grid=grid._data)
    if mode not in MODES or padding_mode not in PADDINGS:
        raise RangeError(who="grid_sample", expected=f"mode as one of {', '.join(MODES)}, padding_mode as one of "
                                                     f"{', '.join(PADDINGS)}", got=f"{mode!r} and {padding_mode!r}")
    axes = input.ndim - 2
    if (axes not in (2, 3) or grid.ndim != input.ndim or grid.shape[0] != input.shape[0] or grid.shape[-1] != axes
            or 0 in input.shape[2:] or (axes == 3 and mode == "bicubic")):
        raise ShapeError(who="grid_sample", expected="input (N, C, H, W) with pixels and grid (N, P, Q, 2), or, but "
                                                     "for bicubic, (N, C, D, H, W) and (N, O, P, Q, 3)",
                         got=f"{input.shape} and {grid.shape}")
    N, C, *sizes = input.shape
    out = (N, C, *grid.shape[1:-1])
    need_room("grid_sample", out, input.dtype.itemsize)
    flat = reshape(input, N, C, math.prod(sizes))
    number = math.prod(out[2:])
    # of each axis, the last of which is x: pixels, their weights, and which of them are inside
    along = [taps(getitem(grid, (..., axes - 1 - d)), n, mode, padding_mode, bool(align_corners))
             for d, n in enumerate(sizes)]
    y = None
    for chosen in itertools.product(*along):
        place: Any = 0
        for n, (i, _, _) in zip(sizes, chosen):
            place = place * n + i
        picked = gather(flat, 2, expand(reshape(wrapped(place), N, 1, number), N, C, number))
        picked = reshape(picked, out)
        if padding_mode == "zeros":
            inside = functools.reduce(np.logical_and, [inside for _, _, inside in chosen])
            picked = where(wrapped(inside[:, None]), picked, 0.0)
        if mode != "nearest":
            weight = functools.reduce(mul, [weight for _, weight, _ in chosen])
            picked = mul(picked, unsqueeze(weight, 1))
        y = picked if y is None else add(y, picked)
    assert y is not None                            # there is a tap at least
    if mode == "nearest" and grid.requires_grad:    # which has a gradient, of zeros
        y = where(wrapped(np.asarray(True)), y, stepped("grid_sample", y._data, grid))
    return y


# ---- what the functions share --------------------------------------------------------------------
def taps(places: Tensor, n: int, mode: str, padding: str, align_corners: bool) -> list[tuple[Any, Any, Any]]:
    """(the pixel, its weight, whether it is inside) of each tap along an axis of n pixels."""
    pixels = mul(add(places, 1.0), (n - 1) / 2) if align_corners else \
        mul(sub(mul(add(places, 1.0), float(n)), 1.0), 0.5)
    if mode != "bicubic":
        pixels = moved(pixels, n, padding, align_corners)
    at = representable(pixels._data)
    if mode == "nearest":
        return [tap(np.rint(at), None, n)]
    below = np.floor(at)
    # the value of t is at - below; its gradient is that of pixels, but none where `representable`
    # replaced the place
    same = wrapped(np.isfinite(pixels._data) & (at == pixels._data))
    t = sub(where(same, pixels, wrapped(at)), wrapped(below))
    if mode == "bilinear":
        return [tap(below, rsub(t, 1.0), n), tap(below + 1, t, n)]
    found = []
    for k in (-1, 0, 1, 2):
        i = below + k
        if padding != "zeros":
            i = value_and_slope(i, n, padding, align_corners)[0]
        found.append(tap(i, keys(sub(t, float(k)) if k < 1 else rsub(t, float(k)), inner=k in (0, 1)), n))
    return found


def tap(i: np.ndarray, weight: Tensor | None, n: int) -> tuple[np.ndarray, Tensor | None, np.ndarray]:
    inside = (i >= 0) & (i < n)
    return np.where(inside, i, 0).astype(np.int64), weight, inside


def keys(t: Tensor, inner: bool) -> Tensor:
    """Keys' kernel at t from 0 to 1, or, not inner, from 1 to 2."""
    if inner:                                       # ((a + 2) t - (a + 3)) t^2 + 1
        return add(mul(mul(sub(mul(t, A + 2), A + 3), t), t), 1.0)
    # ((a t - 5a) t + 8a) t - 4a
    return sub(mul(add(mul(sub(mul(t, A), 5 * A), t), 8 * A), t), 4 * A)


def representable(at: np.ndarray) -> np.ndarray:
    """Places that integers can number: the others become one far outside, as in PyTorch."""
    with np.errstate(invalid="ignore"):
        return np.where(np.abs(at) < 2**31 - 128, at, at.dtype.type(-100))


def moved(pixels: Tensor, n: int, padding: str, align_corners: bool) -> Tensor:
    """Places outside moved to the border, or mirrored.

    Written as slope * pixels + rest, with both constants, so that the tape sees the slope 1, -1 or
    0.
    """
    if padding == "zeros":
        return pixels
    x = pixels._data
    value, slope = value_and_slope(x, n, padding, align_corners)
    with np.errstate(invalid="ignore", over="ignore"):
        rest = value - slope * x
    steep = slope != 0
    by, more = (wrapped(np.where(steep, a, 0).astype(x.dtype)) for a in (slope, rest))
    return where(wrapped(steep), add(mul(pixels, by), more), wrapped(value))


def value_and_slope(x: np.ndarray, n: int, padding: str, align_corners: bool) -> tuple[np.ndarray, np.ndarray]:
    """Where a place outside goes, and how fast it moves: 1, -1, or 0 at the border.

    low is the first mirror, and span the distance to the other. After an even number of spans the
    image runs forward, after an odd one backward.
    """
    slope = np.ones_like(x)
    with np.errstate(invalid="ignore", over="ignore"):
        if padding == "reflection":
            low, span = (0.0, float(n - 1)) if align_corners else (-0.5, float(n))
            if span == 0:
                return np.zeros_like(x), np.zeros_like(x)
            apart = np.abs(x - low)
            times = np.floor(apart / span)
            rest = np.fmod(apart, span)
            back = np.fmod(times, 2) != 0
            slope = np.where(x < low, -1, 1) * np.where(back, -1, 1).astype(x.dtype)
            x = np.where(back, span - rest + low, rest + low).astype(x.dtype)
        slope = np.where((x <= 0) | (x >= n - 1) | (x != x), 0, slope).astype(x.dtype)
        x = np.clip(x, 0, n - 1)
        return np.where(x != x, x.dtype.type(0), x), slope
