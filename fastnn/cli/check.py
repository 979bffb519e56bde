"""`python -m fastnn check`: the kernels against their NumPy definitions, on this machine.

An op with a kernel is compared with its definition, forward and backward. An op without one (a
view, or all of them where nothing was compiled) runs on its definition, and that one's gradient is
checked by finite differences instead.
"""

from __future__ import annotations

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from .. import console
from ..console import UserError, say
from ..op import OPS, Op
from ..testing import laws

__all__ = ["Verdict", "check_families", "check_op", "command", "find_ops", "print_verdicts"]

DTYPES = ("float32", "float64")


@dataclass
class Verdict:
    """The outcome for one op or one family."""

    name: str
    ops: int = 0
    cases: int = 0
    worst: float = 0.0                      # the largest error as a share of its allowance
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures

    def add(self, other: Verdict) -> None:
        self.ops += other.ops
        self.cases += other.cases
        self.worst = max(self.worst, other.worst)
        self.failures += other.failures


def laws_for(op: Op, everything: bool) -> list[Callable[..., float]]:
    if everything:
        return list(laws.LAWS.values())
    if op.forward is None:
        return [laws.definition_gradient_is_the_derivative]
    return [laws.forward_is_the_definition, laws.backward_is_the_definition]


def check_op(op: Op, dtypes: Sequence[str] = DTYPES, everything: bool = False) -> Verdict:
    """Every sample of the op in every dtype under the laws; what fails is told, and the rest goes
    on.
    """
    verdict = Verdict(op.name, ops=1)
    for sample in op.samples():
        for law in laws_for(op, everything):
            # this law works in float64, whatever it is given
            for dtype in dtypes[-1:] if law is laws.definition_gradient_is_the_derivative else dtypes:
                verdict.cases += 1
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")         # overflow where a sample wants it
                        verdict.worst = max(verdict.worst, law(op, sample, dtype))
                except AssertionError as error:
                    verdict.worst = float("inf")
                    verdict.failures.append(f"{dtype} {error}")
                except Exception as error:
                    verdict.worst = float("inf")
                    verdict.failures.append(f"{dtype} {op.name}[{sample.name}]: {law.__name__}: {type(error).__name__}: {error}")
    return verdict


def check_families(ops: Iterable[Op], dtypes: Sequence[str] = DTYPES, everything: bool = False) -> list[Verdict]:
    """One verdict per family, in the order of the table of ops."""
    families: dict[str, Verdict] = {}
    for op in ops:
        console.progress(f"  checking {op.name}")
        families.setdefault(op.family, Verdict(op.family)).add(check_op(op, dtypes, everything))
    console.progress("")
    return list(families.values())


def print_verdicts(verdicts: Sequence[Verdict], what: str = "family") -> None:
    rows = [[v.name, v.ops, v.cases, console.share(v.worst), ("agrees", "green") if v.passed else ("DIFFERS", "red")]
            for v in verdicts]
    heads = [what, "ops", "cases", "worst error / allowance", "verdict"]
    say(console.table(heads, rows, "lrrrl"))
    for v in verdicts:
        for failure in v.failures[:5]:
            say(console.paint(f"  {failure}", "red"))
        if len(v.failures) > 5:
            say(f"  ... and {len(v.failures) - 5} more of {v.name}")


def find_ops(names: Sequence[str]) -> list[Op]:
    """The ops of these names or families; all without names.

    A name that is neither is told, with what is close to it.
    """
    families = dict.fromkeys(op.family for op in OPS.values())
    found: dict[str, Op] = {}
    for name in names:
        matches = [op for op in OPS.values() if name == op.name] or [op for op in OPS.values() if name == op.family]
        if not matches:
            close = get_close_matches(name, [*OPS, *families], n=3)
            hint = f"; did you mean {', '.join(close)}?" if close else "; `python -m fastnn ops` lists them"
            raise UserError(f"there is no op or family {name!r}{hint}")
        found.update({op.name: op for op in matches})
    return list(found.values()) if names else list(OPS.values())


def command(args: Namespace) -> int:
    ops = find_ops(args.ops)
    dtypes = DTYPES if args.dtype == "both" else (args.dtype,)
    start = time.perf_counter()
    if args.ops:
        verdicts = [check_op(op, dtypes, args.all_laws) for op in ops]
        print_verdicts(verdicts, "op")
    else:
        verdicts = check_families(ops, dtypes, args.all_laws)
        print_verdicts(verdicts)
    failed = [v.name for v in verdicts if not v.passed]
    cases, seconds = sum(v.cases for v in verdicts), time.perf_counter() - start
    say()
    if failed:
        say(console.paint(f"{', '.join(failed)} differ; {cases:,} cases in {seconds:.1f} s", "red"))
        return 1
    say(f"{len(ops)} ops, {cases:,} cases, all agree ({seconds:.1f} s)")
    return 0
