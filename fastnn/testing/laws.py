"""The laws: what must hold for every op.

Each is a plain function law(op, sample, dtype) that raises AssertionError. They are generic: an op
gets all of them by its record alone. tests/laws/test_laws.py runs each of LAWS over all ops,
samples and dtypes; tests/laws/test_sabotage.py shows that each fails on an op that is broken on
purpose. Those of infinities, NaN, huge and tiny numbers are in ends.py; allowance.py says how far
results may be apart.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ..config import flushes_denormal, isas, set_flush_denormal, threads, use_isa
from ..op import Op, Sample, takes_needs, takes_save
from .allowance import (
    absolute,
    allowance,
    as_tuple,
    backward_scale,
    compare,
    differentiable,
    each,
    forward_scale,
    hold,
    is_floating,
    same,
    unit_roundoff,
    widened,
)
from .derivatives import inner, op_gradcheck, random_cotangent
from .ends import (
    LAWS_OF_ENDS,
    ends_are_the_definition,
    limits_are_reached,
    nan_passes,
    weights_of_any_size,
)

__all__ = ["LAWS", "LAWS_OF_ENDS", "adjoint_identity", "backward_is_the_definition", "close_to_definition",
           "definition_gradient_is_the_derivative", "denormals_are_kept", "ends_are_the_definition",
           "errors_stay_in_their_window", "exact_on_integers", "forward_is_the_definition", "inputs_are_unchanged",
           "layouts_do_not_matter", "limits_are_reached", "nan_passes", "nothing_kept_same_result",
           "outputs_are_overwritten", "same_bits_for_any_threads", "wanted_gradients_only", "weights_of_any_size"]


# ---- the kernel is the definition ----------------------------------------------------------------
def forward_is_the_definition(op: Op, sample: Sample, dtype: Any) -> float:
    """The kernel's forward equals the definition's."""
    return close_to_definition(op, sample, dtype, op.kernels[0])


def close_to_definition(op: Op, sample: Sample, dtype: Any, forward: Callable[..., Any]) -> float:
    """forward(*inputs, **attrs) agrees with the definition within the rounding allowance; returns
    the worst share of it.
    """
    inputs = sample.cast(dtype)
    want = as_tuple(op.ref_forward(*map(widened, inputs), **sample.attrs)[0])
    got = as_tuple(forward(*inputs, **sample.attrs)[0])
    hold(len(got) == len(want), op, sample, f"{len(got)} outputs, expected {len(want)}")
    worst = 0.0
    for i, (g, w, scale) in enumerate(zip(got, want, forward_scale(op, sample, dtype, want))):
        allowed = None
        if is_floating(w):
            # an op that converts says so in its attributes
            expected = np.dtype(sample.attrs.get("dtype", dtype))
            hold(g.dtype == expected, op, sample, f"output {i} is {g.dtype}, expected {expected}")
            allowed = allowance(op, sample, dtype, scale)
        worst = max(worst, compare(op, sample, f"output {i}", g, w, allowed))
    return worst


def backward_is_the_definition(op: Op, sample: Sample, dtype: Any) -> float:
    """The kernel's gradients equal the definition's, for a random upstream gradient."""
    forward, backward = op.kernels
    ref_forward, ref_backward = op.definition
    if backward is None or ref_backward is None:
        return 0.0
    inputs = sample.cast(dtype)
    wide = [widened(a) for a in inputs]
    y, saved = forward(*inputs, **sample.attrs)
    _, want_saved = ref_forward(*wide, **sample.attrs)
    dy = random_cotangent(y, sample.rng())
    wide_dy = each(widened, dy)
    got = backward(dy, saved, **sample.attrs)
    want = ref_backward(wide_dy, want_saved, **sample.attrs)
    scales = backward_scale(op, sample, wide, wide_dy, want)
    hold(len(got) == len(want) == len(op.inputs), op, sample, f"{len(got)} gradients for {len(op.inputs)} inputs")
    upstream = sum(a.size for a in as_tuple(wide_dy) if a is not None)
    worst = 0.0
    for name, x, g, w, scale, wanted in zip(op.inputs, inputs, got, want, scales, differentiable(op)):
        if not wanted or not is_floating(x):
            continue
        hold(g is not None and w is not None, op, sample, f"no gradient for {name}")
        assert g is not None
        hold(g.dtype == np.dtype(dtype), op, sample, f"the gradient of {name} is {g.dtype}")
        # a gradient of a broadcast or shared input sums as many terms as dy has elements for it
        allowed = allowance(op, sample, dtype, scale, upstream // max(x.size, 1))
        worst = max(worst, compare(op, sample, f"the gradient of {name}", g, w, allowed))
    return worst


def definition_gradient_is_the_derivative(op: Op, sample: Sample, dtype: Any = np.float64) -> float:
    """The definition's backward is the derivative of its forward, by finite differences."""
    if op.ref_backward is None:
        return 0.0
    try:
        errors = op_gradcheck(op.ref_forward, op.ref_backward, sample.cast(np.float64), dict(sample.attrs),
                              sample.rng(), differentiable(op), names=op.inputs)
    except AssertionError as vacuous:
        raise AssertionError(f"{op.name}[{sample.name}]: {vacuous}") from None
    for k, error in errors.items():
        hold(error < 1e-6, op, sample, f"the gradient of {op.inputs[k]} is off by {error:.1e}")
    return max(errors.values(), default=0.0) / 1e-6


# ---- whole numbers: nothing is rounded, so nothing is forgiven -----------------------------------
def exact_on_integers(op: Op, sample: Sample, dtype: Any) -> float:
    """An op that is linear in its inputs is exact on small whole numbers, forward and backward."""
    if not op.linear_in:
        return 0.0
    whole = sample.integers(-4, 5)
    got, saved = op.kernels[0](*whole.cast(dtype), **sample.attrs)
    want, want_saved = op.ref_forward(*whole.cast(np.float64), **sample.attrs)
    for i, (g, w) in enumerate(zip(as_tuple(got), as_tuple(want))):
        hold(np.array_equal(g, w), op, sample, f"output {i} is not exact on whole numbers")
    backward = op.kernels[1]
    if backward is None or op.ref_backward is None:
        return 0.0
    dy = _whole_cotangent(want, sample.rng())
    grads = backward(each(lambda a: a.astype(dtype), dy), saved, **sample.attrs)
    wants = op.ref_backward(dy, want_saved, **sample.attrs)
    for name, g, w in zip(op.inputs, grads, wants):
        if name in op.linear_in and w is not None:
            hold(np.array_equal(g, w), op, sample, f"the gradient of {name} is not exact on whole numbers")
    return 0.0


def adjoint_identity(op: Op, sample: Sample, dtype: Any = np.float64) -> float:
    """<A x, u> = <x, A^T u>: backward is the adjoint of forward, that is, its transpose A^T where
    forward is a matrix A.

    Exactly on whole numbers, for each input alone in which the op is linear (the others fixed,
    offsets removed).
    """
    forward, backward = op.kernels
    if not op.linear_in or backward is None:
        return 0.0
    inputs = sample.integers(-4, 5).cast(np.float64)
    for k, name in enumerate(op.inputs):
        x = inputs[k]
        if name not in op.linear_in or not isinstance(x, np.ndarray):
            continue
        y, saved = forward(*inputs, **sample.attrs)
        offset, _ = forward(*[np.zeros_like(a) if i == k else a for i, a in enumerate(inputs)], **sample.attrs)
        u = _whole_cotangent(y, sample.rng())
        linear = tuple(a - b if is_floating(a) else a for a, b in zip(as_tuple(y), as_tuple(offset)))
        g = backward(u, saved, **sample.attrs)[k]
        left, right = inner(as_tuple(u), linear), float((x * g).sum())
        hold(left == right, op, sample, f"<A {name}, u> = {left} but <{name}, A^T u> = {right}")
    return 0.0


# ---- denormals -----------------------------------------------------------------------------------
def denormals_are_kept(op: Op, sample: Sample, dtype: Any) -> float:
    """With set_flush_denormal(False) and denormal numbers in one input after the other, the kernel
    equals the definition at every level, forward and backward.

    A result near the denormals may be off by 2^13 of the smallest, a thousandth of the range that
    flushing would make 0, and by one part in 10,000; other results have the usual allowance.
    """
    if op.forward is None or not isas():
        return 0.0                                  # NumPy keeps denormals anyway
    before, worst = flushes_denormal(), 0.0
    set_flush_denormal(False)
    try:
        for k, a in enumerate(sample.cast(np.float64)):
            if not is_floating(a) or a.size == 0:
                continue
            inputs = sample.cast(dtype)
            inputs[k] = (a * float(np.finfo(dtype).tiny) / 16).astype(dtype)
            with np.errstate(all="ignore"):
                want, plain = (_run(op.definition, [cast(b) for b in inputs], sample, cast)
                               for cast in (widened, lambda b: b))
                for level in isas():
                    with use_isa(level):
                        got = _run(op.kernels, inputs, sample, lambda b: b)
                    for i, (g, w, p) in enumerate(zip(got, want, plain)):
                        if is_floating(w):
                            worst = max(worst, _near_denormals(op, sample, f"result {i} at {level}, {op.inputs[k]} "
                                                               "denormal", np.asarray(g), np.asarray(w), np.asarray(p)))
    finally:
        set_flush_denormal(before)
    return worst


def _run(pair: Any, inputs: list[Any], sample: Sample, cast: Callable[[Any], Any]) -> list[Any]:
    """The outputs and then the gradients, for an upstream gradient that the law draws."""
    forward, backward = pair
    y, saved = forward(*inputs, **sample.attrs)
    if backward is None:
        return list(as_tuple(y))
    dtype = next(b.dtype for b in inputs if is_floating(b))
    dy = each(lambda b: b.astype(dtype), random_cotangent(y, sample.rng()))
    return [*as_tuple(y), *backward(each(cast, dy), saved, **sample.attrs)]


def _near_denormals(op: Op, sample: Sample, what: str, got: Any, want: Any, plain: Any) -> float:
    """`_compare` for denormal inputs. `plain` is the definition in got's type: where that overflows
    the kernel may, too. Where the wide definition is 0 its terms may have cancelled.
    """
    info = np.finfo(got.dtype)
    small = (np.abs(want) < info.tiny * 2.0**13) & (want != 0)
    # the unit of a denormal is coarser: x near tiny / 16 has 4 digits less
    unit = unit_roundoff(got.dtype) + 2.0**6 * float(info.smallest_subnormal / info.tiny)
    terms = np.sqrt(max(op.terms(**sample.sizes), 1))
    allowed = np.where(small, info.smallest_subnormal * 2.0**13 + 1e-4 * np.abs(want),
                       4 * terms * op.slack * unit * (np.abs(want) + max(1.0, float(np.abs(want).max(initial=0)))))
    beyond = ~np.isfinite(want) | (np.abs(want) > info.max) | (~np.isfinite(got) & ~np.isfinite(plain))
    return compare(op, sample, what, np.where(beyond, 0, got), np.where(beyond, 0, want), allowed)


# ---- one element far larger than the others ------------------------------------------------------
FAR_LARGER = 1e8
# rows and columns so many times the others; and what fast algorithms may add to the allowance
LARGER, FAST = (11.0, 50.0), 32


def errors_stay_in_their_window(op: Op, sample: Sample, dtype: Any) -> float:
    """An element that is 1e8 times the others leaves no larger error in results that do not depend
    on it, forward and backward: the first, the last and one in the middle of each input and of dy.

    Results do not depend on it where the definition gives them bit for bit as without it, and as
    numbers if NaN stands in its place.

    And of an op that is linear in its inputs each result has an error of at most 32 times the
    allowance of its own terms, where rows and columns of all inputs and of dy are 11 or 50 times
    the others: an algorithm that adds numbers up before it multiplies them makes products of large
    ones that some results do not have.

    And so where one element is 1e8 and half of all other arrays are zeros: it meets nothing else in
    some results, which then go by the other elements.
    """
    worst = max(_larger_lines(op, sample, dtype), _larger_beside_zeros(op, sample, dtype))
    plain = sample.cast(dtype)
    with np.errstate(all="ignore"):
        dy = random_cotangent(op.kernels[0](*plain, **sample.attrs)[0], sample.rng())
        before = _definition_of(op, sample, plain, dy)
        for k, a in enumerate([*plain, *as_tuple(dy)]):
            if not is_floating(a) or a.size == 0:
                continue
            for at in {0, a.size // 2 + 1 if a.size > 2 else 0, a.size - 1}:
                calls: list[Any] = []
                for value in (FAR_LARGER * (a.flat[at] or 1), np.nan):
                    changed = [b.copy() if i == k else b for i, b in enumerate([*plain, *as_tuple(dy)])]
                    changed[k].flat[at] = value
                    rest = tuple(changed[len(plain):])
                    calls.append((changed[:len(plain)], rest if isinstance(dy, tuple) else rest[0]))
                worst = max(worst, _untouched(op, sample, dtype, calls[0], calls[1], before))
    return worst


def _larger_lines(op: Op, sample: Sample, dtype: Any) -> float:
    """The worst error, as a share of 32 times the allowance, where a row and a column of each array
    are larger: the first or the fourth of each input and of dy, in every combination.
    """
    worst, plain = 0.0, sample.cast(dtype)
    if not op.linear_in:
        return worst
    dy = random_cotangent(op.kernels[0](*plain, **sample.attrs)[0], sample.rng())
    arrays = [*plain, *as_tuple(dy)]
    lined = [i for i, a in enumerate(arrays) if is_floating(a) and a.ndim > 1 and a.size > 0]
    for size in LARGER if lined else ():
        for places in product((0, 3), repeat=len(lined)):
            large = [a.copy() if i in lined else a for i, a in enumerate(arrays)]
            for i, place in zip(lined, places):
                large[i][..., min(place, large[i].shape[-2] - 1), :] *= size
                large[i][..., min(place, large[i].shape[-1] - 1)] *= size
            rest = tuple(large[len(plain):])
            worst = max(worst, _terms_of_each(op, sample, dtype, large[:len(plain)],
                                              rest if isinstance(dy, tuple) else rest[0],
                                              f"rows and columns {size:g} times the others"))
    return worst


def _larger_beside_zeros(op: Op, sample: Sample, dtype: Any) -> float:
    """The worst error, as a share of 32 times the allowance, where the middle element of an array
    is 1e8, and what is negative in all other arrays is 0.
    """
    worst, plain = 0.0, sample.cast(dtype)
    if not op.linear_in:
        return worst
    dy = random_cotangent(op.kernels[0](*plain, **sample.attrs)[0], sample.rng())
    arrays = [*plain, *as_tuple(dy)]
    for k, a in enumerate(arrays):
        if not is_floating(a) or a.size == 0:
            continue
        # of its own dtype: NumPy before 2.0 makes float64 of a float32 without dimensions
        large = [np.asarray(np.maximum(b, 0), b.dtype) if i != k and is_floating(b) else b
                 for i, b in enumerate(arrays)]
        large[k] = a.copy()
        large[k].flat[a.size // 2 + 1 if a.size > 2 else 0] = FAR_LARGER
        rest = tuple(large[len(plain):])
        worst = max(worst, _terms_of_each(op, sample, dtype, large[:len(plain)],
                                          rest if isinstance(dy, tuple) else rest[0],
                                          "an element far larger than the others, beside zeros"))
    return worst


def _terms_of_each(op: Op, sample: Sample, dtype: Any, inputs: list[Any], dy: Any, which: str) -> float:
    """The worst error of a call, as a share of 32 times the allowance of a result's terms."""
    outputs, output_scales, grads, grad_scales = _definition_of(op, sample, inputs, dy)
    y, saved = op.kernels[0](*inputs, **sample.attrs)
    rows = list(zip(["output"] * len(outputs), as_tuple(y), outputs, output_scales))
    if op.kernels[1] is not None and op.ref_backward is not None:
        rows += zip([f"the gradient of {name}" for name in op.inputs], op.kernels[1](dy, saved, **sample.attrs),
                    grads, grad_scales)
    worst = 0.0
    for what, got, want, scale in rows:
        if got is None or want is None or not is_floating(want):
            continue
        terms = max(op.terms(**sample.sizes), 1,
                    max(a.size for a in as_tuple(dy) if a is not None) // max(want.size, 1))
        allowed = FAST * 4 * np.sqrt(terms) * op.slack * unit_roundoff(dtype) * scale + float(np.finfo(dtype).tiny)
        worst = max(worst, compare(op, sample, f"{what}, {which}", got, want, allowed))
    return worst


def _definition_of(op: Op, sample: Sample, inputs: list[Any], dy: Any) -> tuple[Any, Any, Any, Any]:
    """The definition's outputs and gradients in double precision, and the sizes of the terms behind
    each.
    """
    wide, wide_dy = [widened(a) for a in inputs], each(widened, dy)
    y, saved = op.ref_forward(*wide, **sample.attrs)
    if op.linear_in:
        sums = as_tuple(op.ref_forward(*map(absolute, wide), **sample.attrs)[0])
        scales = [np.maximum(np.abs(s), np.abs(w)) for s, w in zip(sums, as_tuple(y))]
    else:
        scales = [np.abs(w) + max(1.0, float(np.abs(w).max(initial=0))) if is_floating(w) else w for w in as_tuple(y)]
    if op.ref_backward is None:
        return as_tuple(y), scales, (), ()
    grads = op.ref_backward(wide_dy, saved, **sample.attrs)
    return as_tuple(y), scales, grads, backward_scale(op, sample, wide, wide_dy, grads)


def _untouched(op: Op, sample: Sample, dtype: Any, large: Any, with_nan: Any, before: Any) -> float:
    """The worst error of a call, as a share of twice the allowance, among results that are what
    they were before. A call: inputs, dy.
    """
    outputs, output_scales, grads, grad_scales = before
    inputs, dy = large
    after, reached = _definition_of(op, sample, *large), _definition_of(op, sample, *with_nan)
    y, saved = op.kernels[0](*inputs, **sample.attrs)
    rows = list(zip([f"output {i}" for i in range(len(outputs))], as_tuple(y), outputs, after[0],
                    reached[0], output_scales))
    if op.kernels[1] is not None and op.ref_backward is not None:
        names = [f"the gradient of {name}" for name in op.inputs]
        rows += zip(names, op.kernels[1](dy, saved, **sample.attrs), grads, after[2], reached[2], grad_scales)
    worst = 0.0
    for what, got, then, now, nan, scale in rows:
        if got is None or then is None or not is_floating(now) or now.shape != then.shape:
            continue
        terms = max(op.terms(**sample.sizes), 1, max(a.size for a in as_tuple(dy) if a is not None) // max(now.size, 1))
        allowed = 8 * np.sqrt(terms) * op.slack * unit_roundoff(dtype) * scale + float(np.finfo(dtype).tiny)
        same = (then == now) & ~np.isnan(nan)
        worst = max(worst, compare(op, sample, f"{what}, beside an element far larger than the others",
                                    np.where(same, got, 0), np.where(same, now, 0), allowed))
    return worst


# ---- memory --------------------------------------------------------------------------------------
def outputs_are_overwritten(op: Op, sample: Sample, dtype: Any) -> float:
    """Every element of an output is written: what was in its memory before never shows."""
    first = _poisoned(op, sample, dtype)
    second = _poisoned(op, sample, dtype)
    for a, b in zip([*as_tuple(first[0]), *first[1]], [*as_tuple(second[0]), *second[1]]):
        hold(same(a, b), op, sample, "two calls differ: memory was not overwritten")
    want = as_tuple(op.ref_forward(*sample.cast(np.float64), **sample.attrs)[0])
    for a, w in zip(as_tuple(first[0]), want):
        if is_floating(w):
            hold(np.array_equal(np.isnan(a), np.isnan(w)), op, sample, "NaN where the definition has none")
    return 0.0


def _poisoned(op: Op, sample: Sample, dtype: Any) -> tuple[Any, Any]:
    """Run forward and backward right after the memory that they will get was filled with NaN."""
    inputs = sample.cast(dtype)
    forward, backward = op.kernels
    poison_memory(forward, inputs, sample)
    y, saved = forward(*inputs, **sample.attrs)
    y = each(np.array, y)
    if backward is None:
        return y, ()
    dy = random_cotangent(y, sample.rng())
    for a in backward(dy, saved, **sample.attrs):
        if isinstance(a, np.ndarray) and a.flags.writeable and a.flags.owndata:
            a.fill(np.nan if is_floating(a) else 1)
    return y, backward(dy, saved, **sample.attrs)


def poison_memory(forward: Callable[..., Any], inputs: list[Any], sample: Sample) -> None:
    """Run forward once and fill what it returned with NaN before letting go of it: the next call is
    handed the same memory.
    """
    y, saved = forward(*inputs, **sample.attrs)
    given = [b for b in inputs if isinstance(b, np.ndarray)]
    for a in [*as_tuple(y), *(saved if isinstance(saved, (tuple, list)) else ())]:
        if is_floating(a) and a.flags.writeable and not any(a is b or np.shares_memory(a, b) for b in given):
            a.fill(np.nan)


def _strided(a: np.ndarray) -> np.ndarray:
    """The same values with a gap after every element along the last axis."""
    if a.ndim == 0:
        return a
    wide = np.repeat(a, 2, axis=-1)
    return wide[..., ::2]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "strided": _strided,
    # which would make a number a vector
    "Fortran order": lambda a: np.asfortranarray(a) if a.ndim else a,
    "negative strides": lambda a: np.flip(np.flip(a).copy()) if a.ndim else a,
    "read-only": lambda a: np.lib.stride_tricks.as_strided(a, writeable=False) if a.ndim else a,
    "byte-swapped": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "misaligned": lambda a: _misaligned(a),
}


def _misaligned(a: np.ndarray) -> np.ndarray:
    raw = np.zeros(a.nbytes + 1, np.uint8)
    b = raw[1:].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


def layouts_do_not_matter(op: Op, sample: Sample, dtype: Any) -> float:
    """Inputs in any layout give the same bits: strided, Fortran-ordered, reversed, read-only,
    byte-swapped and misaligned. A definition that runs as its own kernel may round in another way:
    NumPy's powers do.
    """
    forward, backward = op.kernels
    plain = sample.cast(dtype)
    want, want_saved = forward(*plain, **sample.attrs)
    dy = random_cotangent(want, sample.rng())
    want_grads = backward(dy, want_saved, **sample.attrs) if backward else ()
    for what, change in LAYOUTS.items():
        if what in ("byte-swapped", "misaligned") and op.forward is None:
            continue                                # NumPy's own views keep such types as they are
        y, saved = forward(*[change(a) if isinstance(a, np.ndarray) else a for a in plain], **sample.attrs)
        grads = backward(each(change, dy), saved, **sample.attrs) if backward else ()
        for a, b in zip([*as_tuple(want), *want_grads], [*as_tuple(y), *grads]):
            near = (op.forward is None and is_floating(a)
                    and np.allclose(a, b, 8 * unit_roundoff(dtype), 0, equal_nan=True))
            hold(near or same(a, b), op, sample, f"{what} inputs change the result")
    return 0.0


def inputs_are_unchanged(op: Op, sample: Sample, dtype: Any) -> float:
    """Neither forward nor backward writes to its inputs, to dy, or to what was saved."""
    forward, backward = op.kernels
    inputs = sample.cast(dtype)
    before = [a.copy() if isinstance(a, np.ndarray) else a for a in inputs]
    y, saved = forward(*inputs, **sample.attrs)
    if backward:
        dy = random_cotangent(y, sample.rng())
        dy_before = each(np.copy, dy)
        first = [a.copy() if isinstance(a, np.ndarray) else a for a in backward(dy, saved, **sample.attrs)]
        for a, b in zip(first, backward(dy, saved, **sample.attrs)):
            hold(same(a, b), op, sample, "backward changed what forward saved")
        for a, b in zip(as_tuple(dy_before), as_tuple(dy)):
            hold(same(a, b), op, sample, "dy was changed")
    for name, a, b in zip(op.inputs, before, inputs):
        hold(same(a, b), op, sample, f"{name} was changed")
    return 0.0


# ---- what must make no difference ----------------------------------------------------------------
def same_bits_for_any_threads(op: Op, sample: Sample, dtype: Any) -> float:
    """One, two and more threads give the same bits, forward and backward."""
    def run() -> list[Any]:
        y, saved = op.kernels[0](*sample.cast(dtype), **sample.attrs)
        grads = op.kernels[1](random_cotangent(y, sample.rng()), saved, **sample.attrs) if op.kernels[1] else ()
        return [a.tobytes() for a in [*as_tuple(y), *grads] if isinstance(a, np.ndarray)]
    with threads(1):
        want = run()
    for n in (2, 3, 5):
        with threads(n):
            hold(run() == want, op, sample, f"the bits with {n} threads differ from those with one")
    return 0.0


def wanted_gradients_only(op: Op, sample: Sample, dtype: Any) -> float:
    """A backward that takes `needs` gives the same bits for the wanted gradients, whatever else is
    wanted, and None for the rest.
    """
    forward, backward = op.kernels
    if backward is None or not takes_needs(backward):
        return 0.0
    inputs = sample.cast(dtype)
    y, saved = forward(*inputs, **sample.attrs)
    dy = random_cotangent(y, sample.rng())
    full = backward(dy, saved, needs=(True,) * len(inputs), **sample.attrs)
    for k, name in enumerate(op.inputs):
        alone = backward(dy, saved, needs=tuple(i == k for i in range(len(inputs))), **sample.attrs)
        hold(all(g is None for i, g in enumerate(alone) if i != k), op, sample, "unwanted gradients are computed")
        if full[k] is not None:
            hold(alone[k].tobytes() == full[k].tobytes(), op, sample,
                  f"the gradient of {name} depends on what else is wanted")
    return 0.0


def nothing_kept_same_result(op: Op, sample: Sample, dtype: Any) -> float:
    """A forward that takes `save` gives the same bits where nothing is to be saved, in memory that
    held something else, and then saves nothing.
    """
    forward = op.kernels[0]
    if not takes_save(forward):
        return 0.0
    inputs = sample.cast(dtype)
    want = [np.array(a) for a in as_tuple(forward(*inputs, **sample.attrs)[0])]
    poison_memory(forward, inputs, sample)
    y, saved = forward(*inputs, save=False, **sample.attrs)
    hold(saved == (), op, sample, "something was saved for a backward that will not be called")
    for a, b in zip(want, as_tuple(y)):
        hold(a.tobytes() == np.asarray(b).tobytes(), op, sample,
              "the result depends on whether backward may follow")
    return 0.0


LAWS: dict[str, Callable[[Op, Sample, Any], float]] = {
    law.__name__: law for law in (
        forward_is_the_definition, backward_is_the_definition, definition_gradient_is_the_derivative,
        exact_on_integers, adjoint_identity, denormals_are_kept, errors_stay_in_their_window,
        outputs_are_overwritten, layouts_do_not_matter, inputs_are_unchanged, same_bits_for_any_threads,
        wanted_gradients_only, nothing_kept_same_result)
}


def _whole_cotangent(y: Any, rng: np.random.Generator) -> Any:
    """Small whole numbers as upstream gradients of y's shapes; None for outputs without one."""
    return each(lambda a: rng.integers(-4, 5, a.shape).astype(np.float64) if is_floating(a) else None, y)
