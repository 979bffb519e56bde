"""Which mistake gives the numbers that a kernel gave? The search through mistakes.py.

A diagnosis is computed, never guessed: the definition with one mistake in it must give the numbers
that the kernel gave, where it is wrong, and should leave right what it has right. If no mistake
does, got / expected is compared with the sizes of the call; and then pairs of mistakes are tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..op import Op
from .allowance import as_tuple, is_floating, unit_roundoff
from .mistakes import Mistake, Unsuitable, changed_results, mistakes_of, run
from .trials import Result, Trial

__all__ = ["Diagnosis", "constant_ratio", "diagnose", "resemblance"]

MADE = "the definition with this mistake gives your numbers"
PAIRS_SECONDS = 1.5             # how long pairs of mistakes are tried


class Diagnosis(NamedTuple):
    """What the mistake is, and how we know."""

    what: str
    proof: str


# ---- the search ----------------------------------------------------------------------------------
def diagnose(op: Op, trials: Sequence[Trial], kind: str, index: int) -> Diagnosis | None:
    """The mistake that gives what the kernel gave as output or gradient number `index`, or None.

    of: "outputs" or "gradients".
    """
    seen = [t for t in trials if not t.error and index < len(getattr(t, kind))]
    search = _Search(op, kind, index)
    wrong = [t for t in seen if search.result(t).fault]
    if not wrong or any(not isinstance(search.result(t).got, np.ndarray) for t in wrong):
        return None
    # float64 tells mistakes apart better; what is wrong only in float32 is a matter of its range
    dtype = "float64" if any(t.dtype == "float64" for t in wrong) else "float32"
    search.seen = [t for t in seen if t.dtype == dtype]
    search.wrong = sorted((t for t in wrong if t.dtype == dtype),
                          key=lambda t: (search.result(t).want.size < 4, search.result(t).want.size))
    return search.diagnosis()


@dataclass
class _Search:
    """The calls whose result number `index` is wrong, those that tell most first, and all calls."""

    op: Op
    kind: str
    index: int
    wrong: list[Trial] = field(default_factory=list)
    seen: list[Trial] = field(default_factory=list)

    def result(self, trial: Trial) -> Result:
        row: Result = getattr(trial, self.kind)[self.index]
        return row

    def diagnosis(self) -> Diagnosis | None:
        known = list(mistakes_of(self.op, self.seen, self.kind, self.index))
        likely: list[Mistake] = []
        best = 0, False
        for mistake in known:
            count = self.explained(mistake)
            if count:
                score = count, count >= best[0] and self.holds_elsewhere(mistake)
                if score > best:
                    best, likely = score, [mistake, *likely]
                else:
                    likely.append(mistake)
                if score == (len(self.wrong), True):
                    break
        if best[0] == len(self.wrong):
            return Diagnosis(self.worded(likely[0].what), f"{MADE} wherever they are wrong.")
        factor = self.factor()
        if factor:
            return Diagnosis(factor, "got / expected is this in all wrong calls, at all places.")
        pair = self.pair(known, likely)
        if pair:
            return Diagnosis(self.worded(pair),
                             "the definition with both mistakes gives your numbers wherever they are wrong.")
        if likely and 2*best[0] >= len(self.wrong):
            return Diagnosis(self.worded(likely[0].what), f"{MADE} in {best[0]} of {len(self.wrong)} wrong calls.")
        return None

    def worded(self, what: str) -> str:
        return what if self.kind == "outputs" else what.replace("the result is", "the gradient is")

    def explained(self, mistake: Mistake) -> int:
        """How many of the wrong results the mistake gives; 0 if that proves nothing."""
        count, telling = 0, 0
        for n, trial in enumerate(self.wrong):
            if self.gives(mistake, trial):
                count += 1
                telling += min(self.result(trial).got.size, 4)
            elif count == 0 and n >= 5:             # it does not give those that tell most
                return 0
        return count if telling >= min(4, sum(self.result(t).got.size for t in self.wrong)) else 0

    def holds_elsewhere(self, mistake: Mistake) -> bool:
        """Whether the mistake leaves right what the kernel has right."""
        return all(self.gives(mistake, t, distinct=False) for t in self.seen if not self.result(t).fault)

    def gives(self, mistake: Mistake, trial: Trial, distinct: bool = True) -> bool:
        """Whether the mistake gives what the kernel gave; distinct: and not what was expected."""
        try:
            with np.errstate(all="ignore"):
                made = np.asarray(mistake.results(trial, self.kind)[self.index])
        except Exception:                           # the definition refuses such a call
            return False
        if mistake.noisy:
            return not distinct or (_has_type(self.result(trial).got, mistake.type)
                                    and _as_noisy(made, self.result(trial)))
        return _equal(self.op, trial, made, self.result(trial), distinct)

    def factor(self) -> str:
        """The number, size or root of one by which all wrong results are off, in words."""
        tolerance = 1e-9 if self.wrong[0].dtype == "float64" else 1e-4
        ratios: list[float] = []
        used: list[Trial] = []
        for t in self.wrong:
            row = self.result(t)
            if not is_floating(row.want) or not row.want.any():         # 0 times anything
                continue
            ratio = constant_ratio(np.asarray(row.got), row.want, tolerance)
            if ratio is None:
                return ""
            used.append(t)
            ratios.append(ratio)
        if not ratios or (len(ratios) < 2 and sum(self.result(t).want.size for t in used) < 4):
            return ""
        numbers = [_numbers(self.op, t, self.result(t)) for t in used]
        for name in dict.fromkeys(key for n in numbers for key in n):
            for words, form in FORMS:
                try:
                    made = [float(form(n[name])) for n in numbers]
                except (KeyError, ZeroDivisionError, ValueError, OverflowError, TypeError):
                    continue
                if len(set(made)) > 1 and np.allclose(made, ratios, rtol=10*tolerance):
                    return f"every number is {words.format(name)} times what it should be"
        if np.allclose(ratios, ratios[0], rtol=10*tolerance):
            return f"every number is {ratios[0]:.6g} times what it should be"
        return ""

    def pair(self, known: Sequence[Mistake], likely: Sequence[Mistake]) -> str:
        """Two mistakes at once that give all wrong results, in words; likely: what gives some."""
        probe = next((t for t in self.wrong if self.result(t).got.size >= 4
                      and not any(self.gives(m, t) for m in likely)), None)
        if probe is None:
            return ""
        begin = time.thread_time()
        acting = self.acting(known, probe)
        first = [m for m in acting if m in likely]
        pairs = [*((a, b) for a in first for b in acting if a is not b),
                 *((a, b) for n, a in enumerate(acting) for b in acting[n + 1:])]
        for one, other in pairs:
            if one.change is None:
                one, other = other, one
            if one.change is None or time.thread_time() - begin > PAIRS_SECONDS:
                continue
            both = _both(self.op, one, other)
            if self.gives(both, probe) and self.explained(both) == len(self.wrong):
                return both.what
        return ""

    def acting(self, known: Sequence[Mistake], probe: Trial) -> list[Mistake]:
        """The mistakes that show in this call, those with equal results once."""
        made = [self.result(probe).want]
        found = []
        for m in known:
            if m.change is None and m.finish is None:
                continue
            try:
                with np.errstate(all="ignore"):
                    a = np.asarray(m.results(probe, self.kind)[self.index])
            except Exception:
                continue
            if not any(a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for b in made):
                made.append(a)
                found.append(m)
        return found


def _equal(op: Op, trial: Trial, made: np.ndarray, result: Result, distinct: bool) -> bool:
    """Whether `made` is what the kernel gave, up to rounding; distinct: and not as near to what was
    expected.
    """
    got, want = np.asarray(result.got), result.want
    if made.shape != got.shape or made.dtype.kind not in "fiub" or got.dtype.kind not in "fiub":
        return False
    if made.dtype.kind in "iub":
        return bool((made == got).all()) and not (distinct and want.shape == got.shape and (want == got).all())
    if distinct and result.fault == "values" and result.share < 20:
        return False                                # a matter of rounding
    off = _distance(got, made)
    finite = np.abs(made[np.isfinite(made)])
    scale = np.abs(np.where(np.isfinite(made), made, 0)) + (finite.max() if finite.size else 0)
    terms = max(op.terms(**trial.sample.sizes), 1, trial_terms(trial, got))
    allowed = 8*np.sqrt(terms)*op.slack*unit_roundoff(trial.dtype)*scale
    if not (off <= allowed).all():
        return False
    if not distinct or want.shape != got.shape:
        return True
    return bool(off.max(initial=0) < 0.25*_distance(got, want).max(initial=0))


def trial_terms(trial: Trial, got: np.ndarray) -> int:
    """How many upstream gradients may have been summed into one element."""
    return sum(a.size for a in as_tuple(trial.dy) if a is not None)//max(got.size, 1)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """|a - b|, 0 for equal infinities and for NaN and NaN, infinite for NaN and a number."""
    with np.errstate(all="ignore"):
        same = (a == b) | ((a != a) & (b != b))
        off = np.abs(np.asarray(a, np.float64) - b)
    return np.where(same, 0.0, np.where(np.isnan(off), np.inf, off))


def _has_type(got: Any, dtype: Any) -> bool:
    """Whether all numbers are those of a smaller type."""
    a = np.asarray(got)
    return dtype is None or np.array_equal(a, a.astype(dtype).astype(a.dtype), equal_nan=a.dtype.kind == "f")


def _as_noisy(made: np.ndarray, result: Result) -> bool:
    """Whether the mistake's error is as large as the kernel's: rounding itself is not repeated."""
    if result.fault != "values" or made.shape != result.want.shape or made.dtype.kind != "f":
        return False
    mine, theirs = (_distance(np.asarray(a), result.want).max(initial=0) for a in (made, result.got))
    allowed = float(np.max(result.allowed, initial=0))
    return bool(mine > 2*allowed and (mine == theirs or theirs/30 < mine < 30*theirs))


def _both(op: Op, first: Mistake, second: Mistake) -> Mistake:
    def results(trial: Trial, kind: str) -> Sequence[Any]:
        assert first.change is not None
        inputs, attrs = first.change(list(trial.inputs), dict(trial.attrs))
        if second.change is not None:
            inputs, attrs = second.change(inputs, attrs)
        made = run(op.definition, inputs, attrs, trial.dy, kind)
        return made if second.finish is None else [a if a is None else second.finish(a) for a in made]
    return Mistake(f"{first.what}; and {second.what}", results)


# ---- factors -------------------------------------------------------------------------------------
def constant_ratio(got: np.ndarray, want: np.ndarray, tolerance: float) -> float | None:
    """got / want where it is one number throughout and not 1; else None."""
    if got.shape != want.shape or not np.isfinite(got).all() or not np.isfinite(want).all() or not want.size:
        return None
    size = float(np.abs(want).max())
    if size == 0:
        return None
    at = np.unravel_index(int(np.abs(want).argmax()), want.shape)
    ratio = float(got[at]/want[at])
    close = np.abs(got - ratio*want).max() <= tolerance*size*max(abs(ratio), 1e-3)
    return ratio if close and abs(ratio - 1) > 10*tolerance and ratio != 0 else None


# what a factor may be, of a number n
FORMS: list[tuple[str, Callable[[float], float]]] = [
    ("{}", lambda n: n), ("1/({})", lambda n: 1/n), ("sqrt({})", lambda n: n**0.5), ("1/sqrt({})", lambda n: n**-0.5),
    ("(1 - {})", lambda n: 1 - n), ("1/(1 - {})", lambda n: 1/(1 - n)), ("n/(n - 1) for n = {}:", lambda n: n/(n - 1)),
    ("(n - 1)/n for n = {}:", lambda n: (n - 1)/n), ("2 x ({})", lambda n: 2*n), ("1/2 x ({})", lambda n: n/2)]


def _numbers(op: Op, trial: Trial, result: Result) -> dict[str, float]:
    """The sizes and numbers of a call, by name."""
    found: dict[str, float] = {}
    for name, a in zip(op.inputs, trial.inputs):
        if isinstance(a, np.ndarray):
            found[f"the number of elements of {name}"] = a.size
            found.update({f"the length of {name}'s axis {d}": n for d, n in enumerate(a.shape)})
    for r in trial.outputs:
        if r.want is not None and r.want.size:
            found[f"the number of elements of {r.name}"] = r.want.size
            if isinstance(trial.inputs[0], np.ndarray) and trial.inputs[0].size > r.want.size:
                found[f"the number of elements behind one of {r.name}"] = trial.inputs[0].size/r.want.size
    summed = trial_terms(trial, result.want)
    if result.name.startswith("the gradient") and summed > 1:
        found["the number of rows that are summed up"] = summed
    for key, value in trial.attrs.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9:
            found[key] = value
        elif isinstance(value, tuple) and value and all(isinstance(n, int) for n in value):
            found[f"the product of {key}"] = float(np.prod(value))
    found.update({f"the size {key}": n for key, n in trial.sample.sizes.items()})
    return found


def resemblance(got: np.ndarray, want: np.ndarray, tolerance: float) -> str:
    """How a wrong gradient is made from the right one, in words, or ""."""
    if want.size < 3:
        return ""
    for what, finish in changed_results():
        try:
            with np.errstate(all="ignore"):
                made = np.asarray(finish(want))
        except (Unsuitable, ValueError, IndexError):
            continue
        scale = float(np.abs(want).max(initial=0))
        if made.shape == got.shape and (_distance(made, got).max(initial=0) <= tolerance*scale
                                        < 0.25*_distance(got, want).max(initial=0)):
            return what.replace("the result", "the gradient")
    return ""
