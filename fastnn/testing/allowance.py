"""What rounding may cost, and how results are compared: what the laws have in common.

The rounding allowance is derived, not tuned: 4 sqrt(L) u scale per element, where u is the unit
roundoff, L the number of products summed into one element (`op.terms`), and scale what the op gives
on absolute values, that is, the sum if nothing had cancelled (for ops that are not linear: |y| + 1
and the largest |gradient| of the sample). `op.slack` widens it where the record says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import Op, Sample

__all__ = ["absolute", "allowance", "as_tuple", "backward_scale", "compare", "differentiable", "each", "forward_scale",
           "hold", "is_floating", "same", "unit_roundoff", "widened", "widest"]


def hold(holds: Any, op: Op, sample: Sample, what: str) -> None:
    """Raise the error that names the op and its sample, unless it holds."""
    if not holds:
        raise AssertionError(f"{op.name}[{sample.name}]: {what}")


def compare(op: Op, sample: Sample, what: str, got: Any, want: Any, allowed: Any) -> float:
    """The worst error as a share of the allowance; AssertionError above 1."""
    hold(got.shape == want.shape, op, sample, f"{what}: shape {got.shape}, expected {want.shape}")
    if want.size == 0:
        return 0.0
    if not is_floating(want):
        hold((got == want).all(), op, sample, f"{what}: differs")
        return 0.0
    # infinities and NaN where the definition has them
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        share = np.where(same, 0.0, np.abs(got.astype(np.float64) - want) / allowed)
    share = np.where(np.isnan(share), np.inf, share)
    worst, at = float(share.max()), np.unravel_index(int(share.argmax()), want.shape)
    hold(worst <= 1, op, sample, f"{what}: error {worst:.3g} x the allowance at {tuple(map(int, at))}: "
                                  f"got {got[at]!r}, expected {want[at]!r}")
    return worst


def allowance(op: Op, sample: Sample, dtype: Any, scale: Any, terms: int = 1) -> Any:
    """What rounding may cost each element of a result, by the rule at the head of this file; terms:
    of the sum, where they may be more than `op.terms` says.
    """
    terms = max(op.terms(**sample.sizes), terms, 1)
    return 4 * np.sqrt(terms) * op.slack * unit_roundoff(dtype) * scale + float(np.finfo(dtype).tiny)


def forward_scale(op: Op, sample: Sample, dtype: Any, want: tuple[Any, ...]) -> list[Any]:
    """For each output the size of the terms behind each element, which is what rounding goes by."""
    if op.linear_in:
        inputs = [absolute(widened(a)) for a in sample.cast(dtype)]
        sums = as_tuple(op.ref_forward(*inputs, **sample.attrs)[0])
        return [np.maximum(np.abs(s), np.abs(w)) for s, w in zip(sums, want)]
    return [np.abs(w) + 1 if is_floating(w) else w for w in want]


def backward_scale(op: Op, sample: Sample, wide: list[Any], wide_dy: Any, want: Any) -> list[Any]:
    """The same for each gradient."""
    forward, backward = op.definition
    assert backward is not None
    if not op.linear_in:
        return [None if w is None else np.abs(w) + max(1.0, float(np.abs(w).max(initial=0))) for w in want]
    saved = forward(*map(absolute, wide), **sample.attrs)[1]
    scales = backward(each(absolute, wide_dy), saved, **sample.attrs)
    return [None if s is None or w is None else np.maximum(np.abs(s), np.abs(w)) for s, w in zip(scales, want)]


def differentiable(op: Op) -> list[bool]:
    return [op.differentiable is None or name in op.differentiable for name in op.inputs]


def unit_roundoff(dtype: Any) -> float:
    """The unit roundoff: the largest relative error of one rounding."""
    return float(np.finfo(dtype).eps) / 2


def as_tuple(y: Any) -> tuple[Any, ...]:
    return y if isinstance(y, tuple) else (y,)


def each(function: Callable[[Any], Any], y: Any) -> Any:
    """The function of an array, or of each in a tuple; None stays None."""
    if isinstance(y, tuple):
        return tuple(None if a is None else function(a) for a in y)
    return None if y is None else function(y)


def is_floating(a: Any) -> bool:
    return isinstance(a, (np.ndarray, np.generic)) and a.dtype.kind == "f"


def widened(a: Any) -> Any:
    return a.astype(np.float64) if is_floating(a) else a


def widest(a: Any) -> Any:
    """float32 as float64; float64 as long double, where that has a larger range."""
    return a.astype(np.float64 if a.dtype == np.float32 else np.longdouble) if is_floating(a) else a


def absolute(a: Any) -> Any:
    return np.asarray(np.abs(a)) if is_floating(a) else a


def same(a: Any, b: Any) -> bool:
    """The same numbers, NaN for NaN; what is no array counts as the same."""
    return not isinstance(a, np.ndarray) or np.array_equal(a, b, equal_nan=is_floating(a))
