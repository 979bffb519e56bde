"""What convolution, unfold and pooling share: checks of a window over an image, and images without a batch axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import RangeError, ShapeError
from ..reference.conv2d import out_shape
from ..tensor import Tensor, tensor
from .checks import need_rank
from .shape import reshape

__all__ = ["batched", "need_image", "need_window"]

MOST_ELEMENTS = 2**48                               # of a result; sizes up to here cannot overflow anywhere


def need_image(who: str, x: np.ndarray) -> None:
    """x must be (N, C, H, W) with at least one channel and pixel; N may be 0."""
    need_rank(who, "input", x, "(N, C, H, W) or (C, H, W)", 4, "An image without channels needs one: x.unsqueeze(-3).")
    if 0 in x.shape[1:]:
        raise ShapeError("only the batch may be empty", who=who, expected="input with C, H, W >= 1", got=x.shape)


def need_window(who: str, image: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...], padding: tuple[Any, ...],
                dilation: tuple[int, ...]) -> tuple[int, ...]:
    """The window must fit into the padded image; padding is ((top, bottom), (left, right)). Returns the output's size."""
    spread = tuple(d * (k - 1) + 1 for k, d in zip(window, dilation))
    padded = tuple(n + before + after for n, (before, after) in zip(image, padding))
    if any(k < 1 for k in window):
        raise ShapeError(who=who, expected="a window of at least 1 x 1", got=f"{window[0]} x {window[1]}")
    if any(k > n for k, n in zip(spread, padded)):
        dilated = f" ({spread[0]} x {spread[1]} with dilation {dilation})" if spread != tuple(window) else ""
        raise ShapeError(f"the {window[0]} x {window[1]} window{dilated} is larger than the padded image", who=who,
                         expected=f"at most {padded[0]} x {padded[1]}",
                         hint="Use a larger image, more padding or fewer pooling layers before.")
    output = out_shape(image, window, stride, padding, dilation)
    if max(*padded, *stride) > MOST_ELEMENTS or output[0] * output[1] * window[0] * window[1] > MOST_ELEMENTS:
        raise RangeError("the padding or stride makes sizes that no memory holds", who=who,
                         got=f"output {output[0]} x {output[1]}")
    return output


def batched(function: Callable[[Tensor], Any], input: Any, rank: int = 4) -> Any:
    """function(input); an input with one dimension less than `rank` is a batch of one, whose axis the results lose again."""
    x = input if isinstance(input, Tensor) else tensor(input)
    if x.ndim != rank - 1:
        return function(x)
    y = function(reshape(x, (1, *x.shape)))
    if isinstance(y, tuple):
        return tuple(reshape(t, t.shape[1:]) for t in y)
    return reshape(y, y.shape[1:])
