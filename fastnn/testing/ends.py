"""The laws of the ends of the range: infinities, NaN, huge and tiny numbers.

They are functions law(op, sample, dtype), as those of laws.py. tests/laws/test_ends.py runs each
of LAWS_OF_ENDS over all ops, samples and dtypes, and shows what they notice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..config import flushes_denormal, isa, isas, set_flush_denormal, use_isa
from ..errors import FastnnError
from ..op import Op, Sample
from .allowance import as_tuple, differentiable, each, hold, is_floating, widened, widest
from .derivatives import random_cotangent

__all__ = ["LAWS_OF_ENDS", "ends_are_the_definition", "is_allowed", "limits_are_reached", "nan_passes",
           "one_element_replaced", "results_of", "weights_of_any_size"]


def nan_passes(op: Op, sample: Sample, dtype: Any) -> float:
    """Where one element of an input is NaN, each output that depends on it is NaN in the
    definition, as in PyTorch; `ends_are_the_definition` holds the kernel to that.

    An output depends on the element where another number in its place gives another output.
    """
    def outputs(inputs: list[Any]) -> list[np.ndarray]:
        return [np.asarray(y) for y in results_of((op.ref_forward, None), inputs, None, sample)]

    for k, name, put in one_element_replaced(op, sample, np.float64):
        if k >= len(op.inputs) or name in op.drops_nan or not is_allowed(op, sample, put(np.nan)[0]):
            continue
        before = outputs(sample.cast(np.float64))
        reached = [np.zeros(y.shape, bool) for y in before]
        for value in (-30.0, -3.0, -0.3, 0.0, 0.3, 0.9, 3.0, 30.0):
            if is_allowed(op, sample, put(value)[0]):
                reached = [r | (y != b) for r, y, b in zip(reached, outputs(put(value)[0]), before)]
        for i, (y, depends) in enumerate(zip(outputs(put(np.nan)[0]), reached)):
            hold(not is_floating(y) or np.isnan(y[depends]).all(), op, sample,
                  f"{name} is NaN in one element, and output {i} of the definition, which depends on it, is a number: "
                  "PyTorch's functions let NaN pass (a comparison with NaN is false: keep x there)")
    return 0.0


_SMALL = 2000           # samples up to so many elements: an end of the range acts on its neighbours


def ends_are_the_definition(op: Op, sample: Sample, dtype: Any) -> float:
    """NaN and both infinities stand in the same elements of the kernel's results and of the
    definition's, forward and backward, at every level, and the other elements are near: where one
    element of an input or of an upstream gradient is infinite or NaN; and, except in linear ops,
    where it is +-1e30, in float64 1e300, or too small for a normal number, which may count as 0.

    Beside large numbers only outputs must be near: the terms of gradients may cancel there. The
    definition computes in double precision, large numbers with a larger range, and is held to that
    in the op's own type. That type decides where the op saturates, and for dy, with denormals kept:
    a slope that rounds to 0 there is NaN times infinity.
    """
    tiny = float(np.finfo(dtype).tiny) / 4
    values = [np.inf, -np.inf, np.nan, 1e30, -1e30, tiny] if dtype == np.float32 else [-np.inf, np.nan, 1e300]
    if op.linear_in:
        values = [np.inf, np.nan]
    calls = []
    for k, name, put in one_element_replaced(op, sample, dtype):
        upstream = k >= len(op.inputs)
        for value in values[:4] if op.saturates else values:
            inputs, dy = put(value)
            if not is_allowed(op, sample, inputs):
                continue
            wide = widest if np.isfinite(value) else widened
            wants = [results_of(op.definition, [wide(a) for a in given], each(wide, d), sample)
                     for given, d in map(put, [value, 0.0] if value == tiny else [value])]
            near = [not np.isfinite(value) or (i < len(wants[0]) - len(op.inputs) and not op.saturates)
                    for i in range(len(wants[0]))]
            if np.isfinite(value):  # sums over repetitions, whose terms may leave the range apart
                largest = max(a.size for a in wants[0] if a is not None)
                wants = [[None if i >= len(w) - len(op.inputs) and a is not None and a.size < largest else a
                          for i, a in enumerate(w)] for w in wants]
            call = _Call(f"{name} = {value} in one element", inputs, dy, wants, near, flush=not upstream)
            if dtype == np.float32 or np.isfinite(value):
                plain = results_of(op.definition, inputs, dy, sample)
                if op.saturates or upstream:
                    wants.append(plain)
                else:
                    call.hold(op, sample, "the definition", plain)
            calls.append(call)
    return _hold_at_every_level(op, sample, calls)


def limits_are_reached(op: Op, sample: Sample, dtype: Any) -> float:
    """Where one element of an input goes to +-infinity and the definition has a limit, the
    definition and the kernel at every level give it at infinity: as value, and as slope if it is
    finite.

    The limit is seen at 1e25, 1e50 and 1e100. Products with a factor 0 are NaN as in IEEE 754 in
    ops that are linear (`op.linear_in`), for the inputs `op.keeps_nan`, and in the gradients of ops
    that saturate.
    """
    if op.saturates:
        op = replace(op, backward=None, ref_backward=None)
    calls = []
    for k, name, put in one_element_replaced(op, sample, dtype):
        if k >= len(op.inputs) or name in op.linear_in or name in op.keeps_nan or not differentiable(op)[k]:
            continue
        for sign in (1, -1):
            inputs, dy = put(sign * np.inf)
            if not is_allowed(op, sample, inputs):
                continue
            seen = []
            for size in (1e25, 1e50, 1e100):
                large = [widened(a) for a in inputs]
                large[k] = put(sign * size, np.float64)[0][k]
                seen.append(results_of(op.definition, large, each(widened, dy), sample))
            outputs = len(seen[0]) - (len(op.inputs) if op.ref_backward else 0)
            limits = [_limit(*map(np.asarray, s)) if is_floating(s[0]) else None for s in zip(*seen)]
            # an infinite slope need not be reached: NaN stands for what may be anything
            limits = [np.where(np.isinf(a), np.nan, a) if a is not None and i >= outputs else a
                      for i, a in enumerate(limits)]
            call = _Call(f"{name} goes to {sign * np.inf} in one element", inputs, dy, [limits], [True] * len(limits),
                         unknown=True)
            call.hold(op, sample, "the definition", results_of(op.definition, inputs, dy, sample))
            calls.append(call)
    return _hold_at_every_level(op, sample, calls)


def weights_of_any_size(op: Op, sample: Sample, dtype: Any) -> float:
    """Where the weights of a loss are all multiplied by a power of two, so that they stand at
    either end of the range, value and slopes are the definition's, computed with a larger range, at
    every level: also where the sum of the weights, its reciprocal, or a weight times a loss is
    beyond the range.

    The upstream gradient is as large as ever, or about as much smaller or larger as the weights
    became larger or smaller, since a mean over weights takes their size away and others do not.
    """
    at = [i for i, name in enumerate(op.inputs) if name == "weight"]
    inputs = sample.cast(dtype)
    if op.family != "loss" or not at or inputs[at[0]] is None or inputs[at[0]].size == 0:
        return 0.0
    weight, limits = inputs[at[0]], np.finfo(dtype)
    if np.finfo(widest(weight).dtype).maxexp == limits.maxexp:  # no type has a larger range
        return 0.0
    dy = random_cotangent(op.ref_forward(*map(widened, inputs), **sample.attrs)[0], sample.rng())
    calls = []
    for size in (limits.maxexp - 3 - np.frexp(weight.max())[1], limits.minexp + 2 - np.frexp(weight.min())[1]):
        inputs = [*inputs[:at[0]], np.ldexp(weight, size), *inputs[at[0] + 1:]]
        for shift in (0, -size + (16 if size > 0 else -16)):        # dy and slopes stay normal
            upstream = each(lambda a: np.ldexp(a.astype(dtype), shift), dy)     # noqa: B023
            want = results_of(op.definition, [widest(a) for a in inputs], each(widest, upstream), sample)
            call = _Call(f"weights times 2^{size}, dy times 2^{shift}", inputs, upstream, [want], [True] * len(want),
                         scaled=4 * inputs[0].size * float(limits.tiny))
            call.hold(op, sample, "the definition", results_of(op.definition, inputs, upstream, sample))
            calls.append(call)
    return _hold_at_every_level(op, sample, calls)


@dataclass
class _Call:
    """A call with an end of the range in it, and what its results may be.

    what      for the message
    wants     each is a list of results; None is not compared
    near      for each result whether its finite elements are compared as numbers
    unknown   NaN in `wants` stands for anything
    flush     whether denormal numbers count as 0, if they do otherwise
    scaled    near is meant beside the largest of a result, not beside 1; and what may be lost of it
              where terms are denormal
    """

    what: str
    inputs: list[Any]
    dy: Any
    wants: list[list[Any]]
    near: list[bool]
    unknown: bool = False
    flush: bool = True
    scaled: float = 0.0

    def hold(self, op: Op, sample: Sample, who: str, got: list[Any]) -> None:
        """Raise the error unless each element of `got` is one of those wanted."""
        for i, g in enumerate(got):
            if g is None or not is_floating(g) or any(want[i] is None for want in self.wants):
                continue
            same = [_agrees(g, want[i], self.near[i], self.scaled) | (self.unknown & np.isnan(want[i]))
                    for want in self.wants]
            hold(np.logical_or.reduce(same).all(), op, sample, f"{self.what}: result {i} of {who} is another")


def _hold_at_every_level(op: Op, sample: Sample, calls: list[_Call]) -> float:
    """Hold the kernels to what is wanted of these calls, and give 0."""
    before, levels = flushes_denormal(), isas() if op.forward else []
    try:
        for level in levels or [isa()]:
            with use_isa(level) if levels else nullcontext():
                for call in calls:
                    set_flush_denormal(call.flush and before)
                    call.hold(op, sample, level, results_of(op.kernels, call.inputs, call.dy, sample))
    finally:
        set_flush_denormal(before)
    return 0.0


def one_element_replaced(op: Op, sample: Sample, dtype: Any) -> Any:
    """For each floating-point input of a small sample, and each upstream gradient: (its number
    among them all, its name, a function that gives inputs and upstream gradients with a number in
    one of its elements).
    """
    inputs = sample.cast(dtype)
    if sum(a.size for a in inputs if isinstance(a, np.ndarray)) > _SMALL:
        return
    y = op.ref_forward(*sample.cast(np.float64), **sample.attrs)[0]
    dy = random_cotangent(each(lambda a: a.astype(dtype) if is_floating(a) else a, y), sample.rng())
    upstream = as_tuple(dy) if op.ref_backward else ()
    every = [*inputs, *upstream]
    names = [*op.inputs, *["dy"] * len(upstream)]
    for k, (name, a) in enumerate(zip(names, every)):
        if not is_floating(a) or a.size == 0:
            continue
        at = int(sample.rng().integers(a.size))

        def put(value: float, dtype: Any = dtype, k: int = k, at: int = at) -> tuple[list[Any], Any]:
            changed = list(every)
            changed[k] = every[k].astype(dtype)
            changed[k].reshape(-1)[at] = value
            rest = tuple(changed[len(inputs):])
            return changed[:len(inputs)], rest if isinstance(dy, tuple) or not rest else rest[0]
        yield k, name, put


def is_allowed(op: Op, sample: Sample, inputs: list[Any]) -> bool:
    """Whether the op takes such inputs: some losses want probabilities."""
    try:
        if op.check is not None:
            op.check(*inputs, **sample.attrs)
    except FastnnError:
        return False
    return True


def results_of(functions: tuple[Callable[..., Any], Any], inputs: list[Any], dy: Any, sample: Sample) -> list[Any]:
    """The outputs, and after them the gradients."""
    forward, backward = functions
    with np.errstate(all="ignore"):
        y, saved = forward(*inputs, **sample.attrs)
        return [*as_tuple(y), *(backward(dy, saved, **sample.attrs) if backward else ())]


def _agrees(got: np.ndarray, want: Any, values: bool, scaled: float = 0.0) -> np.ndarray:
    """Where two arrays have NaN, the same infinity, or both a finite number; values: near each
    other, too, beside their own size and 1, or, scaled, the largest size.
    """
    with np.errstate(all="ignore"):
        w = np.asarray(want).astype(got.dtype)
        if values:                                  # an infinity is near nothing
            largest = np.abs(w).max(initial=0, where=np.isfinite(w)) if scaled else 1
            near = np.abs(got - w) <= 1e-3 * (np.abs(w) + largest) + scaled
            return near | (got == w) | ((got != got) & (w != w))
        return (got == w) | ((got != got) & (w != w)) | (np.isfinite(got) & np.isfinite(w))


def _limit(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The limit that three values of one function suggest, at arguments each the square of the one
    before: what they agree on, 0, or an infinity; NaN where they suggest nothing.
    """
    with np.errstate(all="ignore"):
        steady = (c == b) | (np.abs(c - b) <= 1e-9 * np.abs(c) + 1e-15)
        fades = (np.abs(c) < 0.1 * np.abs(b)) & (np.abs(b) < 0.5 * np.abs(a))
        grows = (np.abs(c) > 1.5 * np.abs(b)) & (np.abs(b) > 1.2 * np.abs(a)) & (np.sign(c) == np.sign(a))
        return np.where(steady, c, np.where(fades, 0, np.where(grows, np.sign(c) * np.inf, np.nan)))


LAWS_OF_ENDS: dict[str, Callable[[Op, Sample, Any], float]] = {
    law.__name__: law for law in (ends_are_the_definition, limits_are_reached, nan_passes, weights_of_any_size)}
