"""`python -m fastnn bench scaling`: how many times faster a workload is on several threads than on
one, fastnn's beside its rivals'.

Every library runs in two processes, one with a single thread and one with all, and they alternate
as in a race (race.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import console
from ..console import UserError
from . import results
from .contest import Workload
from .race import Contestants, busy, race

__all__ = ["SCALED", "measure", "part"]

SCALED = ("gemm-1024/forward", "gemm-256/forward", "conv3x3-64c56/forward", "lstm-T64-B32-I128-H256/forward",
          "attention-8x8x256x64-causal/forward", "layernorm-2048x512/forward", "lenet/step", "resnet18/step",
          "char-lstm/step", "gpt-4x128/step")


def measure(workloads: Sequence[Workload], libraries: Sequence[str], threads: int, rounds: int, seconds: float,
            level: str = "") -> list[dict[str, Any]]:
    """A row per workload: {"workload": name, "seconds": {library: [on one thread, on all]},
    "speed-up": {library: their ratio}}.
    """
    pairs = {(library, n): library if n == 1 else f"{library} on {n}" for library in libraries for n in (1, threads)}
    rows = []
    with Contestants({name: pair for pair, name in pairs.items()}, threads, level) as contestants:
        contestants.versions()
        for i, workload in enumerate(workloads):
            console.progress(f"  measuring {workload.name} ({i + 1} of {len(workloads)})")
            result = race(contestants, workload, rounds, seconds)
            times = {library: [result.median(pairs[library, 1]), result.median(pairs[library, threads])]
                     for library in libraries}
            ratios = {library: one/many if one and many else None for library, (one, many) in times.items()}
            rows.append({"workload": workload.name, "seconds": times, "speed-up": ratios})
    console.progress("")
    return rows


def part(workloads: Sequence[Workload], rivals: Sequence[str], threads: int, rounds: int, seconds: float,
         level: str = "") -> dict[str, Any]:
    """The part of a record. UserError where there is but one thread."""
    if threads < 2:
        raise UserError("scaling compares one thread with several: give --threads 2 or more")
    warning = busy()
    rows = measure(workloads, ["fastnn", *rivals], threads, rounds, seconds, level)
    return results.part(threads, level, rivals, rows, warning, rounds=rounds, **{"seconds per round": seconds})
