"""What convolution, unfold and pooling share: checks of windows over images, and single images."""

from __future__ import annotations

import sys
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from ..errors import RangeError, ShapeError
from ..reference.conv2d import out_shape
from ..tensor import Tensor, tensor
from .checks import need_rank
from .shape import reshape

__all__ = ["batched", "named_padding", "need_filters", "need_image", "need_window"]

# of a result; sizes up to here overflow nowhere, nor do their bytes where addresses have 32 bits
MOST_ELEMENTS = min(2**48, sys.maxsize//16)


def need_image(who: str, x: np.ndarray, axes: str = "HW") -> None:
    """x must be (N, C, *axes) with at least one channel and pixel; N may be 0.

    Axes "L" are those of sequences.
    """
    sizes = ", ".join(axes)
    what = "An image" if len(axes) == 2 else "A sequence"
    need_rank(who, "input", x, f"(N, C, {sizes}) or (C, {sizes})", 2 + len(axes),
              f"{what} without channels needs one: x.unsqueeze({-1 - len(axes)}).")
    if 0 in x.shape[1:]:
        raise ShapeError("only the batch may be empty", who=who, expected=f"input with C, {sizes} >= 1", got=x.shape)


def need_filters(who: str, x: np.ndarray, w: np.ndarray, b: np.ndarray | None, groups: int, axes: str) -> None:
    """w must be (K, C/groups, *axes) for the channels of x, b (K,), and groups divide both."""
    need_rank(who, "weight", w, f"(K, C/groups, {', '.join(axes)})", 2 + len(axes))
    C, K = x.shape[1], w.shape[0]
    if C % groups or K % groups or K == 0:
        raise ShapeError(f"groups={groups} must divide the channels and the filters", who=who,
                         got=f"{C} channels and {K} filters")
    if w.shape[1] * groups != C:
        channels = w.shape[1] * groups
        takes = f"{channels}" if groups == 1 else f"{w.shape[1]} x {groups} groups = {channels}"
        last = {1: "Sequences are (N, C, L): input.permute(0, 2, 1)?",
                2: "Images are (N, C, H, W): input.permute(0, 3, 1, 2)?"}
        one = f"A batch of one channel without its dimension: input.unsqueeze({-1 - len(axes)})?"
        raise ShapeError(f"the input has {C} channels but the weight takes {takes}", who=who,
                         got=f"input {x.shape}, weight {w.shape}, groups={groups}",
                         hint=last[len(axes)] if x.shape[-1] == channels else
                         one if channels == x.shape[0] == 1 else colours(C, channels) if len(axes) == 2 else "")
    if b is not None and b.shape != (K,):
        raise ShapeError(who=who, expected=f"bias of shape ({K},), one per filter", got=b.shape)


def need_window(who: str, image: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...],
                padding: tuple[Any, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    """The window must fit into the padded image; padding is ((top, bottom), (left, right)).

    Returns the output's size.
    """
    spread = tuple(d * (k - 1) + 1 for k, d in zip(window, dilation))
    padded = tuple(n + before + after for n, (before, after) in zip(image, padding))
    if any(k < 1 for k in window):
        raise ShapeError(who=who, expected=f"a window of at least {by((1,) * len(window))}", got=by(window))
    if any(k > n for k, n in zip(spread, padded)):
        dilated = f" ({by(spread)} with dilation {dilation})" if spread != tuple(window) else ""
        what = "image" if len(image) == 2 else "sequence"
        raise ShapeError(f"the {by(window)} window{dilated} is larger than the padded {what}", who=who,
                         expected=f"at most {by(padded)}",
                         hint=f"Use a larger {what}, more padding or fewer pooling layers before.")
    output = out_shape(image, window, stride, padding, dilation)
    if max(*padded, *stride) > MOST_ELEMENTS or prod(output) * prod(window) > MOST_ELEMENTS:
        raise RangeError("the padding or stride makes sizes that no memory holds", who=who, got=f"output {by(output)}")
    return output


def named_padding(who: str, padding: str, window: tuple[int, ...], stride: tuple[int, ...],
                  dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """((top, bottom), (left, right)) that a convolution's padding of "valid" or "same" means, or
    ((before, after),) of a sequence.
    """
    if padding == "valid":
        return ((0, 0),) * len(stride)
    if padding != "same":
        numbers = "an int" if len(stride) == 1 else "an int, a pair of int"
        raise RangeError(who=who, expected=f"padding as {numbers}, 'same' or 'valid'", got=repr(padding))
    if any(s != 1 for s in stride):
        raise RangeError("padding='same' needs stride 1", who=who,
                         got=f"stride={stride if len(stride) != 1 else stride[0]}", hint="Give the padding as numbers.")
    if len(window) != len(stride):                  # of weights that the check refuses
        return ((0, 0),) * len(stride)
    totals = [d * (k - 1) for k, d in zip(window, dilation)]
    return tuple([(total // 2, total - total // 2) for total in totals])


def batched(function: Callable[[Tensor], Any], input: Any, rank: int = 4) -> Any:
    """function(input); an input with one dimension less than `rank` is a batch of one, whose axis
    the results lose again.
    """
    x = input if isinstance(input, Tensor) else tensor(input)
    if x.ndim != rank - 1:
        return function(x)
    y = function(reshape(x, (1, *x.shape)))
    if isinstance(y, tuple):
        return tuple(reshape(t, t.shape[1:]) for t in y)
    return reshape(y, y.shape[1:])


# ---- what the functions share --------------------------------------------------------------------
def by(sizes: Any) -> str:
    """(3, 3) as "3 x 3"."""
    return " x ".join(map(str, sizes))


def colours(has: int, takes: int) -> str:
    """The hint where grey pictures (1 channel) meet coloured ones (3)."""
    if (has, takes) == (1, 3):
        return "The pictures are grey and the layer is for colour: x.expand(-1, 3, -1, -1), or Conv2d(1, ...)?"
    if (has, takes) == (3, 1):
        return "The pictures are in colour and the layer is for grey: x.mean(1, keepdim=True), or Conv2d(3, ...)?"
    return ""
