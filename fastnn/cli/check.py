"""`python -m fastnn check`: the kernels against their NumPy definitions, on this machine."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence

from .. import console
from ..console import say
from ..moved import moved_names
from ..op import OPS
from ..optable import find_ops
from ..testing.verdicts import DTYPES, Verdict, check_families, check_op

__all__ = ["command", "print_verdicts", "verdicts_of_all"]


def command(args: Namespace) -> int:
    ops = find_ops(args.ops)
    dtypes = DTYPES if args.dtype == "both" else (args.dtype,)
    start = time.perf_counter()
    if args.ops:
        verdicts = [check_op(op, dtypes, args.all_laws) for op in ops]
    else:
        verdicts = verdicts_of_all(dtypes, args.all_laws)
    print_verdicts(verdicts, "op" if args.ops else "family")
    failed = [v.name for v in verdicts if not v.passed]
    cases, seconds = sum(v.cases for v in verdicts), time.perf_counter() - start
    say()
    if failed:
        say(console.paint(f"{', '.join(failed)} differ; {cases:,} cases in {seconds:.1f} s", "red"))
        return 1
    say(f"{len(ops)} ops, {cases:,} cases, all agree ({seconds:.1f} s)")
    return 0


def verdicts_of_all(dtypes: Sequence[str] = DTYPES, everything: bool = False) -> list[Verdict]:
    """A verdict for each family; the screen says which op is being checked."""
    verdicts = check_families(OPS.values(), dtypes, everything, lambda op: console.progress(f"  checking {op.name}"))
    console.progress("")
    return verdicts


def print_verdicts(verdicts: Sequence[Verdict], what: str = "family") -> None:
    rows = [[v.name, v.ops, v.cases, console.share(v.worst), ("agrees", "green") if v.passed else ("DIFFERS", "red")]
            for v in verdicts]
    say(console.table([what, "ops", "cases", "worst error / allowance", "verdict"], rows, "lrrrl"))
    for v in verdicts:
        for failure in v.failures[:5]:
            say(console.paint(f"  {failure}", "red"))
        if len(v.failures) > 5:
            say(f"  ... and {len(v.failures) - 5} more of {v.name}")


moved_names(__name__)
