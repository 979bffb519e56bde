"""Is a kernel of one's own right, and how fast is it? The judge behind `use_kernel`.

A kernel is called with every sample of the op's record, and with samples that are derived from them
at the ends that a textbook formula stumbles over (large numbers, a large mean), in float32 and
float64, forward and backward (trials.py). These calls have one thread. Then the judge repeats them
with several, to see what a network would stumble over later (behaviour.py). Last it looks at the
time (timing.py).

A verdict names the sample, the place, what the kernel gave and what is right; and the mistake, if
the definition with that mistake gives the kernel's numbers (diagnosis.py).

A Trial is one call. Its Results, one for each output and gradient, hold got, want, fault, and
share: the error over the rounding allowance (trials.py). `kind` is which of them is meant,
"outputs" or "gradients".
"""

from __future__ import annotations

import inspect
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .. import console
from ..config import get_num_threads, threads
from ..errors import DTypeError, RangeError
from ..guard import named
from ..names import did_you_mean
from ..op import OPS, Op, Sample
from .allowance import is_floating
from .behaviour import CHECKS, some, unsteady
from .diagnosis import Diagnosis, diagnose
from .timing import timed
from .trials import DTYPES, Kernel, Result, Trial, attempt, calls
from .words import array, laid_out, number, times

__all__ = ["Judgement", "judge"]

REPEAT_SECONDS = 0.1            # a call that takes longer is not repeated


class NoSuchOp(RangeError, KeyError):
    """Also a KeyError: a name that is not in the table."""

    __str__ = RangeError.__str__                    # KeyError's would be the message's repr


class Judgement(str):
    """The verdict on a kernel: a text, and what it says as data.

    passed      whether the kernel is right
    diagnosis   what is wrong, in a sentence; "" where no known mistake gives its numbers
    ratio       its time as a multiple of the compiled kernel's, forward; NaN if it is wrong
    """

    passed: bool
    diagnosis: str
    ratio: float

    def __new__(cls, text: str, passed: bool, diagnosis: str = "", ratio: float = float("nan")) -> Judgement:
        made = super().__new__(cls, text)
        made.passed, made.diagnosis, made.ratio = passed, diagnosis, ratio
        return made

    def __repr__(self) -> str:                      # in a notebook, a verdict is to be read
        return str(self)


@named
def judge(name: str, forward: Callable[..., Any], backward: Callable[..., Any] | None = None) -> Judgement:
    """Judge a kernel of your own against the op's definition, and time it; nothing is replaced.

    Parameters
    ----------
    name : str
        The op: `python -m fastnn ops` lists them.
    forward : function
        forward(*inputs, **attrs), on arrays, returns y; with a backward beside it, (y, saved).
    backward : function, optional
        backward(dy, saved, **attrs) returns one gradient per input.

    Returns
    -------
    Judgement : a text, with `passed`, `diagnosis` and `ratio`.

    Raises
    ------
    RangeError
        There is no such op. It is a KeyError as well.
    DTypeError
        forward or backward is no function.

    Cost: four calls per sample, and a few more; a second, and some more for loops in Python. A call
    that takes over 0.1 s is not repeated.

    >>> import numpy as np, fastnn as nn
    >>> verdict = nn.testing.judge("relu", lambda x: np.abs(x))
    >>> verdict.passed, verdict.diagnosis
    (False, 'the absolute value of x is used')
    """
    if not isinstance(name, str) or name not in OPS:
        raise NoSuchOp(f"there is no op {name!r}; `python -m fastnn ops` lists them", who="judge",
                       hint=did_you_mean(str(name), OPS))
    for what, function in (("forward", forward), ("backward", backward)):
        if not callable(function) and (what == "forward" or function is not None):
            raise DTypeError(who="judge", expected=f"{what} as a function", got=repr(function))
    watch = Watch(name)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")         # overflow, where a sample wants it
            return _Judge(Kernel(OPS[name], forward, backward), watch).verdict()
    finally:
        watch.wipe()


class Watch:
    """A line that says how far the judge is, from the second second on, where somebody watches."""

    def __init__(self, name: str):
        self.name, self.begin, self.line = name, time.perf_counter(), console.Line(sys.stderr)

    def tell(self, text: str) -> None:
        if time.perf_counter() - self.begin > 1:
            self.line.rewrite(f"judging {self.name}: {text}")

    def wipe(self) -> None:
        if self.line.shown:
            self.line.rewrite("")
            self.line.rewrite("")                   # back to the first column


@dataclass
class _Judge:
    """One kernel, and its way to a verdict."""

    kernel: Kernel
    watch: Watch

    def verdict(self) -> Judgement:
        complaint = self._signature()
        if complaint:
            return self._refused("cannot be called as this op is", [("", complaint)], complaint)
        samples = calls(self.kernel.op.name)
        trials = []
        with threads(1):
            for n, (sample, dtype) in enumerate((s, d) for s in samples for d in DTYPES):
                self.watch.tell(f"call {n + 1} of {2*len(samples)}")
                trials.append(attempt(self.kernel, sample, dtype))
        return self._wrong(trials) or self._misbehaves(trials) or self._accepted(samples, trials)

    def _signature(self) -> str:
        """What is wrong with the arguments, or "": one call is tried for every set of them."""
        want = inspect.signature(self.kernel.op.ref_forward)
        names = list(self.kernel.op.inputs)
        by_position = [p.name for p in want.parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
        attrs = [str(p) for p in want.parameters.values() if p.kind is p.KEYWORD_ONLY] + by_position[len(names):]
        for what, function, given in (("forward", self.kernel.forward, names),
                                      ("backward", self.kernel.backward, ["dy", "saved"])):
            if function is None:
                continue
            try:
                signature = inspect.signature(function)
            except (TypeError, ValueError):
                continue
            for sample in calls(self.kernel.op.name):
                try:
                    positions = sample.inputs if what == "forward" else given
                    signature.bind(*positions, **sample.attrs)
                except TypeError as error:
                    star = ["*"] if attrs else []
                    return (f"{what}{signature} cannot be called for sample '{sample.name}': {error}. "
                            f"It gets {', '.join(given)}"
                            + (f", and by name {', '.join(a.split('=')[0] for a in attrs)}" if attrs else "")
                            + f". Write: def {what}({', '.join([*given, *star, *attrs])})")
        return ""

    def _wrong(self, trials: Sequence[Trial]) -> Judgement | None:
        """The refusal of a kernel whose results are wrong."""
        failing = [t for t in trials if t.error or any(r.fault for r in t.outputs)]
        kind = "outputs"
        if not failing:
            failing, kind = [t for t in trials if any(r.fault for r in t.gradients)], "gradients"
        if not failing:
            return None
        wrong = {t.sample.name for t in failing}
        head = f"wrong on {len(wrong)} of {len(calls(self.kernel.op.name))} samples"
        head = head if kind == "outputs" else f"backward {head}"
        shown = _clearest(failing, kind)
        state = "" if shown.error else unsteady(self.kernel, shown)
        found = [] if state else self._diagnosed(trials, kind)
        lines = self._shown(shown, kind)
        raising = next((t for t in failing if t.error), None)
        if raising is not None and not shown.error:
            lines.append(("Elsewhere", f"'{raising.sample.name}': {raising.error}"))
        pattern = _pattern(self.kernel.op, trials, failing, sizes=not found)
        if pattern:
            lines.append(("Where", pattern))
        diagnosis = state or "; ".join(d.what for _, d in found)
        if state:
            lines.insert(0, ("Diagnosis", state))
        elif not found and (shown.error or self._fault(shown, kind).fault == "dtype"):
            diagnosis = shown.error or "wrong dtype"
        if found:
            first = [("Diagnosis", f"{'' if len(found) == 1 else name + ': '}{d.what}.") for name, d in found]
            lines = [*first, ("Proof", found[0][1].proof), *lines]
        elif _precision_only(failing, trials):
            diagnosis = "the formula loses its digits"
            lines = [("Diagnosis", "the formula loses its digits: in float64 it is right on the same samples, so the "
                      "mathematics is right, and the order of the work is not."), *lines]
        return self._refused(head, lines, diagnosis)

    def _diagnosed(self, trials: Sequence[Trial], kind: str) -> list[tuple[str, Diagnosis]]:
        """(name of the result, its mistake) for each result that is wrong, one for each mistake."""
        self.watch.tell("looking for the mistake")
        count = max((len(getattr(t, kind)) for t in trials), default=0)
        found: list[tuple[str, Diagnosis]] = []
        for index in range(count):
            row = next((getattr(t, kind)[index] for t in trials if index < len(getattr(t, kind))
                        and getattr(t, kind)[index].fault), None)
            if row is None or row.fault == "dtype":
                continue
            made = diagnose(self.kernel.op, trials, kind, index)
            if made is not None and made.what not in [d.what for _, d in found]:
                found.append((row.name, made))
        return found

    def _shown(self, trial: Trial, kind: str) -> list[tuple[str, str]]:
        """The sample, its input, what came and what should have come."""
        lines = [("Sample", f"'{trial.sample.name}' in {trial.dtype}"), ("Input", self._input(trial))]
        if trial.error:
            return [("Diagnosis", trial.error), *lines] if trial.broken else [*lines, ("Got", trial.error)]
        row = self._fault(trial, kind)
        got, want = row.got, row.want
        if row.fault == "shape":
            return [*lines, ("Got", f"{row.name} of shape {got.shape}"), ("Expected", f"shape {np.shape(want)}"),
                    *[(word, array(a)) for word, a in (("All got", got), ("All right", want)) if 0 < a.size <= 8]]
        if row.fault == "dtype":
            return [("Diagnosis", "wrong dtype: np.zeros(shape) is float64 unless it is told "
                     f"dtype={self.kernel.op.inputs[0]}.dtype, and an array of float64 constants widens what it "
                     "meets."), *lines,
                    ("Got", f"{row.name} as {got.dtype}; the numbers are right"),
                    ("Expected", f"{trial.dtype if is_floating(want) else want.dtype}, as the inputs are")]
        place = f"{row.name}{list(row.at)}" if row.at else row.name
        lines.append(("Place", f"{place}, where the error is largest" + (
            f", {times(row.share)} what rounding may do" if row.share < 1e4 else "")))
        lines += [("Got", number(got[row.at])), ("Expected", number(want[row.at]))]
        with np.errstate(all="ignore"):
            ratio = float(got[row.at])/float(want[row.at]) if want[row.at] else float("nan")
        if np.isfinite(ratio) and abs(ratio - 1) > 1e-3:
            lines.append(("Ratio", f"{ratio:.6g}"))
        if 1 < want.size <= 8:
            lines += [("All got", array(got)), ("All right", array(want))]
        return lines

    @staticmethod
    def _fault(trial: Trial, kind: str) -> Result:
        """The result that is most wrong."""
        return max((r for r in getattr(trial, kind) if r.fault), key=lambda r: r.share)

    def _input(self, trial: Trial) -> str:
        parts = []
        for name, a in zip(self.kernel.op.inputs, trial.inputs):
            if not isinstance(a, np.ndarray):
                parts.append(f"{name} = {a}")
            elif a.size <= 8:
                parts.append(f"{name} = {array(a)}")
            else:
                span = f" from {a.min():.4g} to {a.max():.4g}" if a.dtype.kind in "fiu" else ""
                parts.append(f"{name} {a.shape}{span}")
        return ", ".join([*parts, *[f"{k}={v!r}" for k, v in trial.attrs.items()]])

    def _misbehaves(self, trials: Sequence[Trial]) -> Judgement | None:
        """The refusal of a kernel that is right and does what a network would stumble over."""
        # those that say more than a single number come first
        quick = sorted((t for t in trials if t.seconds < REPEAT_SECONDS), key=lambda t: _numbers(t) < 4)
        several = _several()
        for check, count in CHECKS:
            chosen = quick if count is None else some(quick, count)
            for n, trial in enumerate(chosen):
                self.watch.tell(f"{check.__name__.replace('_', ' ')}, call {n + 1} of {len(chosen)}")
                with threads(several):
                    complaint = check(self.kernel, trial)
                if complaint:
                    return self._refused("right alone, and wrong in a network", [
                        ("Diagnosis", complaint), ("Sample", f"'{trial.sample.name}' in {trial.dtype}"),
                        ("Input", self._input(trial))], complaint)
        return None

    def _accepted(self, samples: Sequence[Sample], trials: Sequence[Trial]) -> Judgement:
        worst = max((r.share for t in trials for r in [*t.outputs, *t.gradients]), default=0.0)
        ways = "forward and backward" if self.kernel.backward else "forward (the gradient is the definition's)"
        quick = sum(t.seconds < REPEAT_SECONDS for t in trials)
        if quick == len(trials):
            how = f"with 1 and {_several()} threads"
        elif quick:
            how = f"with 1 thread; {quick} of {len(trials)} calls with {_several()} too, others are too slow to repeat"
        else:
            how = "with 1 thread (too slow to repeat)"
        text, ratio = timed(self.kernel, trials)
        return Judgement(laid_out(f"{self.kernel.op.name}: correct on {len(samples)} samples", [
            ("Checked", f"float32 and float64, {ways}, {how}"),
            ("Rounding", f"at most {console.share(worst)} of what is allowed"), *text]), True, "", ratio)

    def _refused(self, head: str, lines: list[tuple[str, str]], diagnosis: str) -> Judgement:
        formula = [] if any(word == "" for word, _ in lines) else [("Formula", self.kernel.op.formula)]
        return Judgement(laid_out(f"{self.kernel.op.name}: {head}", [*lines, *formula]), False, diagnosis)


def _several() -> int:
    """With how many threads a call is repeated."""
    return max(get_num_threads(), 3)


def _numbers(trial: Trial) -> int:
    return sum(a.size for a in trial.inputs if isinstance(a, np.ndarray))


def _clearest(failing: Sequence[Trial], kind: str) -> Trial:
    """The failing call that says most: small, in float64, not of a single number."""
    def rank(t: Trial) -> tuple[Any, ...]:
        size = _numbers(t)
        empty = any(isinstance(a, np.ndarray) and a.size == 0 for a in t.inputs)
        # an error that rounding has made is larger in float32
        rounding = max((r.share for r in getattr(t, kind) if r.fault), default=0) < 1e5
        return (bool(t.error), rounding and t.dtype == "float64", t.dtype != "float64", size < 4 or empty, size)
    return min(failing, key=rank)


def _precision_only(failing: Sequence[Trial], trials: Sequence[Trial]) -> bool:
    """Whether only float32 is wrong, and finite."""
    rows = [r for t in failing for r in [*t.outputs, *t.gradients] if r.fault]
    return (all(t.dtype == "float32" and not t.error for t in failing) and bool(rows)
            and all(r.fault == "values" and np.isfinite(r.got[np.isfinite(r.want)]).all() for r in rows))


def _pattern(op: Op, trials: Sequence[Trial], failing: Sequence[Trial], sizes: bool) -> str:
    """What all samples that are wrong have in common, and no other has, in words; sizes: of them
    too, which seldom say more than a diagnosis.
    """
    wrong = {id(t) for t in failing}
    # where there is no element, none is wrong
    trials = [t for t in trials if id(t) in wrong or any(r.want.size for r in t.outputs)]
    if len(wrong) == len(trials):
        return "on all samples"
    for words, has in _features(op, trials, sizes):
        marks = [(has(t), id(t) in wrong) for t in trials]
        if all(a == b for a, b in marks):
            return f"wrong {words}, right elsewhere"
    names = list(dict.fromkeys(t.sample.name for t in failing))
    if len(names) == 1:
        return ""
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return "wrong on " + ", ".join(f"'{n}'" for n in names[:6]) + more


def _features(op: Op, trials: Sequence[Trial], sizes: bool) -> Iterator[tuple[str, Callable[[Trial], bool]]]:
    """What may tell one call from another, in words and as a function."""
    yield "in float32", lambda t: t.dtype == "float32"
    yield "in float64", lambda t: t.dtype == "float64"
    yield "where the input is empty", lambda t: any(isinstance(a, np.ndarray) and a.size == 0 for a in t.inputs)
    for key in dict.fromkeys(k for t in trials for k in t.attrs):
        values: list[Any] = []
        for t in trials:
            if not any(_same_value(t.attrs.get(key), v) for v in values):
                values.append(t.attrs.get(key))
        for v in values[:12]:
            yield f"where {key} is {v!r}", partial(_has, key, v, True)
            yield f"where {key} is not {v!r}", partial(_has, key, v, False)
    for k, name in enumerate(op.inputs):
        yield f"where {name} is None", partial(_is, k, lambda a: a is None)
        yield f"where {name} is given", partial(_is, k, lambda a: a is not None)
        for ndim in range(5):
            yield f"where {name} has {ndim} {'axis' if ndim == 1 else 'axes'}", partial(_is, k, partial(_axes, ndim))
        for size in (100, 1000, 10_000) if sizes else ():
            yield f"where {name} has {size:,} elements or more", partial(_is, k, partial(_at_least, size))


def _has(key: str, value: Any, yes: bool, t: Trial) -> bool:
    return _same_value(t.attrs.get(key), value) == yes


def _is(k: int, so: Callable[[Any], bool], t: Trial) -> bool:
    return k < len(t.inputs) and so(t.inputs[k])


def _axes(count: int, a: Any) -> bool:
    return a is not None and np.ndim(a) == count


def _at_least(count: int, a: Any) -> bool:
    return a is not None and np.size(a) >= count


def _same_value(a: Any, b: Any) -> bool:
    return type(a) is type(b) and repr(a) == repr(b)
