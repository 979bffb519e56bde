"""One call of a kernel beside the definition: which calls, and what came of each.

A result is right if, element by element,

    |got - definition| <= the laws' rounding allowance + 16 x what rounding the inputs once changes

The second part is there because a laws' kernel may be better than it has to be: where the question
itself is delicate, no answer can be sharper than its inputs.
"""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from .. import console
from ..op import OPS, Op, Sample, seeded
from .allowance import (
    allowance,
    as_tuple,
    backward_scale,
    differentiable,
    each,
    forward_scale,
    is_floating,
    unit_roundoff,
    widened,
)
from .derivatives import random_cotangent
from .ends import is_allowed

__all__ = ["DTYPES", "Broken", "Kernel", "Result", "Trial", "attempt", "calls", "copied", "described", "told",
           "worst"]

DTYPES = ("float64", "float32")


class Broken(Exception):
    """The kernel does not keep to what an op is."""


@dataclass(frozen=True)
class Kernel:
    """A pair of functions in the place of an op's. Without a backward, forward returns y alone."""

    op: Op
    forward: Callable[..., Any]
    backward: Callable[..., Any] | None

    def run(self, *inputs: Any, **attrs: Any) -> Any:
        """The forward as an op's: (y, saved)."""
        made = self.forward(*inputs, **attrs)
        if self.backward is None:
            return made, None
        if not isinstance(made, tuple) or len(made) != 2:
            raise Broken(f"forward returns {described(made)}. With a backward beside it, it returns (y, saved): the "
                         "result, and what backward needs of it.")
        return made

    def results(self, trial: Trial, inputs: Sequence[Any]) -> list[np.ndarray]:
        """Outputs and gradients of a call like the trial's, as arrays of their own."""
        y, saved = self.run(*map(copied, inputs), **trial.sample.attrs)
        out = [np.array(a) for a in as_tuple(y)]
        if self.backward is not None and trial.gradients:
            grads = self.backward(each(np.copy, trial.dy), saved, **trial.sample.attrs)
            out += [np.array(g) for g in grads if g is not None]
        return out


@dataclass(eq=False)
class Result:
    """One output or gradient of one call.

    name      "y", "y[1]", "the gradient of x"
    fault     "", or what is wrong: "shape", "values", or "dtype" alone
    at        where the error is largest
    share     that error as a share of the rounding allowance
    """

    name: str
    got: Any
    want: Any
    allowed: Any = None
    fault: str = ""
    at: tuple[int, ...] = ()
    share: float = 0.0


@dataclass(eq=False)
class Trial:
    """One call of the kernel, and what came of it.

    attrs     the sample's, and the defaults of the others
    error     what it raised, or how it broke the rules of an op; then results are missing
    broken    whether it is the latter, which explains itself
    """

    sample: Sample
    dtype: str
    inputs: list[Any]
    attrs: dict[str, Any]
    dy: Any = None
    outputs: list[Result] = field(default_factory=list)
    gradients: list[Result] = field(default_factory=list)
    error: str = ""
    broken: bool = False
    seconds: float = 0.0


# ---- the calls -----------------------------------------------------------------------------------
@cache
def calls(name: str) -> tuple[Sample, ...]:
    """The op's samples, and those at which textbook formulas overflow or lose their digits."""
    op = OPS[name]
    samples = tuple(op.samples())
    return *samples, *_squares(op, samples), *_extremes(op, samples)


def _squares(op: Op, samples: Sequence[Sample]) -> Iterator[Sample]:
    """A square matrix, whose transpose has the same shape: no exception tells of that mistake."""
    if op.name in ("linear", "linear_relu", "matmul"):
        rng = seeded("judge: a square matrix")
        shapes = [(5, 5), (5, 5), (5,)][:len(op.inputs)]
        yield Sample("square", tuple(rng.standard_normal(shape) for shape in shapes),
                     sizes={key: 1 if key == "batch" else 5 for key in samples[0].sizes})


def _extremes(op: Op, samples: Sequence[Sample]) -> Iterator[Sample]:
    """Samples with numbers up to 100, and around 1,000, in the first input, where the op's own
    kernel is right there.

    An op that is linear in it has nothing to lose there.
    """
    first = next((k for k, (name, wanted) in enumerate(zip(op.inputs, differentiable(op))) if wanted), None)
    if first is None or op.inputs[first] in op.linear_in:
        return
    for sample in samples:
        x = sample.inputs[first]
        if is_floating(x) and 6 <= x.size <= 2000 and np.isfinite(x).all() and x.max() > 0:
            break
    else:
        return
    for what, changed in ((f"{op.inputs[first]} up to 100", x*(100/x.max())),
                          (f"{op.inputs[first]} + 1000", x + 1000)):
        extreme = replace(sample, name=f"{sample.name}, {what}",
                          inputs=tuple(changed if k == first else a for k, a in enumerate(sample.inputs)))
        if is_allowed(op, extreme, extreme.cast("float64")) and all(_held(op, extreme, dtype) for dtype in DTYPES):
            yield extreme


def _held(op: Op, sample: Sample, dtype: str) -> bool:
    """Whether the definition is finite there, and the op's own kernel right."""
    forward, backward = op.kernels
    alone = forward if backward is not None else lambda *xs, **attrs: forward(*xs, **attrs)[0]
    trial = attempt(Kernel(op, alone, backward), sample, dtype)
    rows = [*trial.outputs, *trial.gradients]
    limit = float(np.finfo(dtype).max)
    return not trial.error and not any(r.fault for r in rows) and all(
        bool((np.abs(r.want) < limit).all()) for r in rows if is_floating(r.want))


# ---- one call ------------------------------------------------------------------------------------
def attempt(kernel: Kernel, sample: Sample, dtype: str) -> Trial:
    """Call the kernel and compare with the definition."""
    op, forward, backward = kernel.op, kernel.run, kernel.backward
    inputs = sample.cast(dtype)
    trial = Trial(sample, dtype, inputs, {**_defaults(op.name), **sample.attrs})
    given = [copied(a) for a in inputs]
    with np.errstate(all="ignore"):
        y, ref_saved = op.ref_forward(*map(widened, inputs), **sample.attrs)
        trial.dy = each(lambda a: a.astype(dtype), random_cotangent(y, sample.rng()))
        begin = time.thread_time()                  # of this thread: others' work is no measure
        try:
            made, saved = forward(*given, **sample.attrs)
            trial.seconds = time.thread_time() - begin
            trial.outputs = _outputs(op, sample, dtype, inputs, made, y)
            _unchanged(op.inputs, inputs, given, "forward")
            _apart(op, sample, given, made)
            if backward is not None and op.ref_backward is not None:
                dy = each(np.copy, trial.dy)
                grads = backward(dy, saved, **sample.attrs)
                trial.gradients = _gradients(op, trial, grads, ref_saved)
                _unchanged(op.inputs, inputs, given, "backward")
                _unchanged(["dy"]*len(as_tuple(dy)), as_tuple(trial.dy), as_tuple(dy), "backward")
        except Broken as error:
            trial.error, trial.broken = str(error), True
        except Exception as error:
            trial.error = told(error)
    return trial


@cache
def _defaults(name: str) -> dict[str, Any]:
    """The attributes that a call may leave out."""
    return {p.name: p.default for p in inspect.signature(OPS[name].ref_forward).parameters.values()
            if p.kind is p.KEYWORD_ONLY and p.default is not p.empty}


def copied(a: Any) -> Any:
    return a.copy() if isinstance(a, np.ndarray) else a


def _unchanged(names: Sequence[str], before: Sequence[Any], after: Sequence[Any], who: str) -> None:
    for name, a, b in zip(names, before, after):
        if isinstance(a, np.ndarray) and not np.array_equal(a, b, equal_nan=is_floating(a)):
            raise Broken(f"{who} overwrites its input {name}. Other layers, and backward, still need it: "
                         f"work on a copy, {name}.copy().")


def _apart(op: Op, sample: Sample, given: Sequence[Any], made: Any) -> None:
    """Results share no memory with an input, unless those of the op's own kernel do, as views."""
    for k, (name, a) in enumerate(zip(op.inputs, given)):
        if not isinstance(a, np.ndarray) or not any(isinstance(y, np.ndarray) and np.shares_memory(a, y)
                                                    for y in as_tuple(made)):
            continue
        own = [copied(b) for b in given]
        if not any(np.shares_memory(own[k], y) for y in as_tuple(op.kernels[0](*own, **sample.attrs)[0])):
            raise Broken(f"The result aliases its input: y and {name} are the same memory, so that a change of one is "
                         f"a change of the other. Return a new array, {name}.copy().")


def _outputs(op: Op, sample: Sample, dtype: str, inputs: list[Any], made: Any, y: Any) -> list[Result]:
    wants, gots = as_tuple(y), as_tuple(made)
    if isinstance(made, tuple) and not isinstance(y, tuple):
        raise Broken(f"forward returns a tuple of {len(made)} as its result, expected one array. Without a backward it "
                     "returns y alone; with one, (y, saved).")
    if len(gots) != len(wants):
        raise Broken(f"forward returns {console.count(len(gots), 'result')}, expected {len(wants)} of them.")
    names = ["y"] if len(wants) == 1 else [f"y[{i}]" for i in range(len(wants))]
    scales = forward_scale(op, sample, dtype, wants)
    kind = np.dtype(sample.attrs.get("dtype", dtype))
    rows = []
    for i, (name, got, want, scale) in enumerate(zip(names, gots, wants, scales)):
        allowed = allowance(op, sample, dtype, scale) if is_floating(want) else None
        rows.append(_compared(name, got, want, allowed, kind, "forward",
                              partial(_sensitivity, op, sample, dtype, inputs, None, i)))
    return rows


def _gradients(op: Op, trial: Trial, grads: Any, ref_saved: Any) -> list[Result]:
    sample, dtype = trial.sample, trial.dtype
    if not isinstance(grads, (tuple, list)):
        raise Broken(f"backward returns {described(grads)}, expected a tuple with one gradient per input: "
                     f"({', '.join('d' + n for n in op.inputs)}{',' if len(op.inputs) == 1 else ''}).")
    if len(grads) != len(op.inputs):
        raise Broken(f"backward returns {console.count(len(grads), 'gradient')}, expected {len(op.inputs)}, one per "
                     f"input: ({', '.join('d' + n for n in op.inputs)}). None stands where there is none.")
    assert op.ref_backward is not None
    wide_dy, wide = each(widened, trial.dy), [widened(a) for a in trial.inputs]
    wants = op.ref_backward(wide_dy, ref_saved, **sample.attrs)
    scales = backward_scale(op, sample, wide, wide_dy, wants)
    upstream = sum(a.size for a in as_tuple(wide_dy) if a is not None)
    rows = []
    for k, (name, x, got, want, scale, wanted) in enumerate(zip(op.inputs, trial.inputs, grads, wants, scales,
                                                                differentiable(op))):
        if not wanted or not is_floating(x) or want is None:
            rows.append(Result(f"the gradient of {name}", got, np.zeros(0)))
            continue
        allowed = allowance(op, sample, dtype, scale, upstream//max(x.size, 1))
        rows.append(_compared(f"the gradient of {name}", got, want, allowed, np.dtype(dtype), "backward",
                              partial(_sensitivity, op, sample, dtype, trial.inputs, trial.dy, k)))
    return rows


def _compared(name: str, got: Any, want: Any, allowed: Any, dtype: Any, who: str,
              sensitivity: Callable[[], Any]) -> Result:
    """What came beside what is right."""
    row = Result(name, got, want, allowed)
    if isinstance(got, np.generic):
        row.got = got = np.asarray(got)
    if not isinstance(got, np.ndarray):
        hint = ("Does it end in return?" if who == "forward" else "An input has no gradient only if it is None or of "
                "integers.") if got is None else "A kernel gets and gives NumPy arrays."
        raise Broken(f"{who} returns {described(got)} as {name}, expected an array {np.shape(want)}. {hint}")
    if got.shape != np.shape(want):
        row.fault = "shape"
    elif not is_floating(want):
        wrong = np.asarray(got != want)
        row.fault = "values" if wrong.any() else "" if got.dtype.kind in "iub" else "dtype"
        row.at, row.share = (_first(wrong), np.inf) if wrong.any() else ((), 0.0)
    else:
        row.share, row.at = worst(got, want, allowed)
        if row.share > 1:
            row.allowed = allowed = allowed + sensitivity()
            row.share, row.at = worst(got, want, allowed)
        row.fault = "values" if row.share > 1 else ""
        # a number without dimensions may be wider: NumPy 1 makes it so
        if not row.fault and got.dtype != dtype and (got.ndim or got.dtype.kind != "f"):
            row.fault = "dtype"
    return row


def worst(got: np.ndarray, want: np.ndarray, allowed: Any) -> tuple[float, tuple[int, ...]]:
    """The largest error as a share of the allowance, and where it is."""
    if want.size == 0:
        return 0.0, ()
    with np.errstate(all="ignore"):
        same = (got == want) | (np.isnan(got) & np.isnan(want)) if got.dtype.kind == "f" else got == want
        share = np.where(same, 0.0, np.abs(got.astype(np.float64) - want)/allowed)
    share = np.where(np.isnan(share), np.inf, share)
    return float(share.max()), _first(share == share.max())


def _first(where: Any) -> tuple[int, ...]:
    return tuple(int(i) for i in np.argwhere(where)[0]) if np.ndim(where) else ()


def _sensitivity(op: Op, sample: Sample, dtype: str, inputs: list[Any], dy: Any, index: int) -> Any:
    """16 times what the result changes when every input is moved by one rounding; at most 100,000
    roundings of the result, so that a jump is no excuse.
    """
    rng, u = sample.rng(), unit_roundoff(dtype)

    def moved(a: Any) -> Any:
        return a*(1 + u*rng.choice([-1.0, 1.0], a.shape)) if is_floating(a) else a

    def result(move: Callable[[Any], Any]) -> Any:
        y, saved = op.ref_forward(*[np.asarray(move(widened(a))) if is_floating(a) else a for a in inputs],
                                  **sample.attrs)
        if dy is None:
            return as_tuple(y)[index]
        assert op.ref_backward is not None
        return op.ref_backward(each(lambda a: np.asarray(move(widened(a))), dy), saved, **sample.attrs)[index]
    want = result(lambda a: a)
    with np.errstate(all="ignore"):
        change = np.maximum.reduce([np.abs(result(moved) - want) for _ in range(4)])
        most = 1e5*u*(np.abs(want) + max(1.0, float(np.abs(want[np.isfinite(want)]).max(initial=0))))
    return np.where(np.isfinite(change), np.minimum(16*change, most), 0.0)


def told(error: Exception) -> str:
    """The kind of an exception, its message and the line of the kernel."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parent.parent)
    here = [f for f in frames if not f.filename.startswith(ours) and "numpy" not in f.filename]
    where = f", in line {here[-1].lineno}: {(here[-1].line or '').strip()}" if here else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"


def described(a: Any) -> str:
    if a is None:
        return "None"
    if isinstance(a, np.ndarray):
        return f"an array {a.shape}"
    return f"a {type(a).__name__}"
