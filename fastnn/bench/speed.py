"""`python -m fastnn bench`: fastnn against PyTorch, NumPy and ONNX Runtime, wins and losses alike.

Workloads are raced one after the other (race.py); what comes out is a record (results.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import console
from ..console import UserError
from . import results
from .contest import Workload
from .race import Contestants, Result, busy, race

__all__ = ["failed", "measure"]

Show = Callable[[Result], None]


def measure(workloads: Sequence[Workload], libraries: Sequence[str], threads: int, rounds: int, seconds: float, *,
            level: str = "", begin: Callable[[Sequence[str], dict[str, float]], Show] | None = None) -> dict[str, Any]:
    """Race all workloads. The record has the results, with all that must be said beside a figure.

    Parameters
    ----------
    libraries
        The rivals; those that do not start are left out.
    rounds, seconds
        See race.
    level : str
        The instruction set that rivals are held to (levels.py); "": to none. fastnn uses the one in
        force.
    begin
        begin(rivals, limits) is called before the first race; what it returns, with each result.

    Raises
    ------
    UserError
        fastnn's own process does not start.
    """
    warning = busy()
    with Contestants(["fastnn", *libraries], threads, level) as contestants:
        versions = contestants.versions()
        if "fastnn" not in versions:
            raise UserError("the process that should measure fastnn did not start")
        rivals = [name for name in libraries if name in versions]
        limits = contestants.limits()
        show = begin(rivals, limits) if begin else None
        raced = []
        for i, workload in enumerate(workloads):
            console.progress(f"  measuring {workload.name} ({i + 1} of {len(workloads)})")
            raced.append(race(contestants, workload, rounds, seconds))
            console.progress("")
            if show:
                show(raced[-1])
    return {**results.about(threads, warning), "versions": versions, **results.held_to(level, rivals), "rounds": rounds,
            "seconds per round": seconds, "limits": limits, "results": results.rows_of(raced, rivals, limits)}


def failed(record: dict[str, Any]) -> list[str]:
    """The workloads that fastnn could not run, or where a rival's result is another."""
    return [row["workload"] for row in record["results"] if row["wrong"] or "fastnn" in row["refused"]]
