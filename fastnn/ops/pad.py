"""A border around the last dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import RangeError, ShapeError
from ..op import Refusal, Sample
from ..reference import shape as reference
from ..tensor import Tensor, number_of, tensor, wrapped
from .checks import need_array, need_room
from .indexing import index_select
from .shape_op import draw, shape_op

__all__ = ["pad"]


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put a border around the last dimensions.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    pad : sequence of int
        (left, right, top, bottom, ...): two widths for each dimension, from the last backwards, as
        in PyTorch. Negative widths cut.
    mode : "constant", "reflect", "replicate" or "circular"
        The border is `value`; or a mirror image, without the element at the edge; or the element at
        the edge; or what stands at the other end, around what negative widths leave.
    value : number, optional
        Default 0; in input's type. Integers drop the fraction, as in PyTorch.

    Raises
    ------
    ShapeError : if the widths are not pairs, are too many, or are larger than the mode allows.
    RangeError : for another mode, or if input's type cannot hold the value.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0, 3.0])
    >>> nn.functional.pad(x, (2, 1)), nn.functional.pad(x, (2, 1), "reflect")
    (tensor([0., 0., 1., 2., 3., 0.]), tensor([3., 2., 1., 2., 3., 2.]))
    """
    widths = list(pad)
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ShapeError(who="pad", expected=f"pairs of widths for at most {input.ndim} dimensions", got=tuple(pad))
    full = [(0, 0)] * (input.ndim - len(widths) // 2) + list(zip(widths[0::2], widths[1::2]))[::-1]
    cut: Any = ...
    if any(min(w) < 0 for w in full):
        # a border that repeats the edge or mirrors it knows what is cut, one that wraps does not
        late = mode in ("reflect", "replicate")
        cut = tuple([slice(max(0, -b), n + (max(0, b) + max(0, a) if late else 0) - max(0, -a))
                     for (b, a), n in zip(full, input.shape)])
        if any(s.stop < s.start for s in cut):
            raise ShapeError("more is cut than there is", who="pad", got=f"{tuple(pad)} for shape {input.shape}")
        full = [(max(b, 0), max(a, 0)) for b, a in full]
        if not late:
            sizes, input, cut = input.shape, input[cut], ...
            if mode == "circular":
                input, full = wound(input, full, sizes)
    need_room("pad", [max(n, 0) + b + a for n, (b, a) in zip(input.shape, full)], input.dtype.itemsize)
    padded = apply(PAD, input, widths=tuple(full), mode=mode,
                   value=number_of("pad", 0 if value is None else value, input.dtype))
    return padded if cut is ... else padded[cut]


def wound(input: Tensor, widths: list[tuple[int, int]], sizes: Sequence[int]) -> tuple[Tensor, list[tuple[int, int]]]:
    """A circular border that is wider than what was left of the sizes goes around more than once;
    the borders that are still to be put.
    """
    rest = []
    for d, ((before, after), n) in enumerate(zip(widths, sizes)):
        left = input.shape[d]
        if 0 < left < max(before, after) <= n:
            input = index_select(input, d, wrapped(np.arange(-before, left + after) % left))
            before = after = 0
        rest.append((before, after))
    return input, rest


# ---- the check -----------------------------------------------------------------------------------
def check_pad(x: Any, *, widths: Any, mode: str, value: float) -> None:
    need_array("pad", x=x)
    if mode not in reference._PAD_MODES:
        raise RangeError(who="pad", expected=f"mode one of {', '.join(reference._PAD_MODES)}", got=mode)
    for d, ((before, after), n) in enumerate(zip(widths, x.shape)):
        limit = {"constant": None, "replicate": None, "reflect": n - 1, "circular": n}[mode]
        too_wide = limit is not None and max(before, after) > max(limit, 0)
        if before < 0 or after < 0 or too_wide or (mode == "replicate" and n == 0 < before + after):
            raise ShapeError(f"dimension {d} of size {n} cannot be padded by {before, after} in mode {mode!r}",
                             who="pad")


# ---- samples -------------------------------------------------------------------------------------
def border(name: str, shape: tuple[int, ...], widths: Any, mode: str = "constant", value: float = 0.0) -> Sample:
    return Sample(name, (draw(name, *shape),), {"widths": widths, "mode": mode, "value": value})


# ---- the record ----------------------------------------------------------------------------------
PAD = shape_op(
    "pad", "y = x with a border", check=check_pad,
    samples=lambda: [
        border("one", (1,), ((0, 1),)),
        *[border(mode, (2, 4, 5), ((0, 0), (1, 2), (3, 1)), mode) for mode in reference._PAD_MODES],
        border("value", (2, 3), ((0, 0), (1, 0)), value=2.0),
    ],
    errors=(
        Refusal("reflect", lambda: pad(tensor(np.zeros((1, 3))), (3, 0), "reflect"),
                ShapeError, ("pad", "size 3", "reflect")),
        Refusal("odd", lambda: pad(tensor(np.zeros((1, 3))), (3,)), ShapeError, ("pad", "pairs")),
        Refusal("mode", lambda: pad(tensor(np.zeros((1, 3))), (1, 1), "mirror"),
                RangeError, ("pad", "mirror", "reflect")),
    ))
