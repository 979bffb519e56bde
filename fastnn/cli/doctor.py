"""`python -m fastnn doctor`: what fastnn found on this machine, why it chose what it chose, and
what is missing.
"""

from __future__ import annotations

import os
import time
from argparse import Namespace

import numpy as np

from .. import about, config
from ..console import heading, paint, say
from ..kernels import compiled
from ..moved import moved_names
from ..op import OPS
from ..testing.verdicts import check_op

__all__ = ["command"]


def command(args: Namespace) -> int:
    found = about.describe()
    levels = compiled.levels() if compiled else {}
    heading("fastnn")
    facts(version=found["fastnn"], python=f"{found['python']} on {found['system']}", backend=found["backend"],
          built_by=found["compiler"], compiler_here=about.compiler_here())
    heading("processor")
    facts(name=found["processor"], instruction_sets=", ".join(describe(*row) for row in levels.items())
          or "none: no compiled kernels", chosen=chosen(found["instruction set"], list(levels)),
          threads="{} ({})".format(*about.threads_and_why()),
          l2_cache_for_blocks=f"{compiled.l2_bytes() >> 10} KiB" if compiled else "no blocks: no compiled kernels")
    heading("memory")
    facts(machine=gigabytes(about.machine_memory()), this_process_may_use=gigabytes(about.memory_limit()),
          buffers_kept_for_reuse=f"at most {gigabytes(config.memory.limit())} (FASTNN_CACHE_MB)")
    heading("numpy")
    facts(version=np.__version__, blas=about.numpy_blas())
    heading("extras")
    width = max(map(len, about.EXTRAS))
    for name, version in about.extras().items():
        purpose, how = about.EXTRAS[name]
        told = f"{version}: {purpose}" if version else paint(f"not installed: {purpose}; {how}", "dim")
        say(f"  {name:<{width}}  {told}")
    heading("self-test")
    return self_test()


def facts(**rows: str) -> None:
    width = max(map(len, rows))
    for name, value in rows.items():
        say(f"  {name.replace('_', ' '):<{width}}  {value}")


def chosen(level: str, levels: list[str]) -> str:
    """The level in use, and why."""
    if not levels:
        return f"{level}: the definitions in fastnn/reference"
    return f"{level} (FASTNN_ISA)" if os.environ.get("FASTNN_ISA") else f"{level}, the highest that runs"


def describe(name: str, state: tuple[bool, bool]) -> str:
    built, runs = state
    return name if runs else f"{name} (built, not on this processor)" if built else f"{name} (not built)"


def gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size/2**30:.1f} GiB"


def self_test() -> int:
    """A few ops against their definitions; a second or two at most."""
    start = time.perf_counter()
    verdicts = [check_op(OPS[name]) for name in ("relu", "linear", "softmax", "conv2d", "lstm") if name in OPS]
    failures = [failure for verdict in verdicts for failure in verdict.failures]
    for failure in failures[:5]:
        say(paint(f"  {failure}", "red"))
    if failures:
        say(paint("  FAILED: kernels differ from their definitions; `python -m fastnn check` tells where", "red"))
        return 1
    cases = sum(verdict.cases for verdict in verdicts)
    say(f"  {cases} cases of {', '.join(v.name for v in verdicts)}: all agree ({time.perf_counter() - start:.1f} s)")
    return 0


moved_names(__name__)
