"""`python -m fastnn bench`: fastnn against PyTorch, NumPy and ONNX Runtime, each in a process of
its own (race.py), wins and losses alike.
"""

from __future__ import annotations

import importlib
import importlib.util
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from .. import config, console
from ..bench import bars, results
from ..bench.levels import at_level
from ..bench.libraries import NAMES, PACKAGES
from ..bench.race import Contestants, Result, busy, race
from ..bench.workloads import BACKWARD, STEP, Workload, catalogue
from ..console import UserError, heading, paint, say
from ..op import OPS

__all__ = ["choose", "command", "rivals_here", "run"]

GROUPS = ("ops", "kernels", "networks")
NAME_WIDTH = 50


def choose(names: Sequence[str], backward: bool = False) -> list[Workload]:
    """The workloads of these ops, families, kernels, networks or groups; kernels and networks
    without names.
    """
    everything = catalogue()
    chosen: dict[str, Workload] = {}
    for name in names or ("kernels", "networks"):
        family = {op.name for op in OPS.values() if op.family == name}
        matches = (                                 # the first meaning that fits is taken
            [w for w in everything.values() if w.group == name]
            or [w for w in everything.values() if w.name == name]
            or [w for w in everything.values() if w.name.startswith(name + "/")]
            or [w for w in everything.values() if w.subject in family])
        if not matches:
            if name in OPS:
                raise UserError(f"{name} has no benchmark: it moves no numbers or has no kernel")
            known = [*GROUPS, *dict.fromkeys(w.subject for w in everything.values())]
            close = get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if name in k][:3]
            raise UserError(f"there is nothing called {name!r} to measure" + (f"; did you mean {', '.join(close)}?"
                                                                              if close else ""))
        chosen.update({w.name: w for w in matches})
    workloads = [w for w in chosen.values() if not backward or w.direction in (BACKWARD, STEP)]
    if not workloads:
        raise UserError("none of these has a backward")
    return workloads


def say_missing(missing: Iterable[str]) -> None:
    """One line for every rival that is not installed."""
    for name in missing:
        say(paint(f'  {NAMES[name]} does not take part: pip install "fastnn-engine[bench]"', "yellow"))


def rivals_here(wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """(those that are installed, those that are not) of the rivals asked for."""
    names = [name for name in wanted if name]
    for name in names:
        if name not in PACKAGES:
            raise UserError(f"cannot measure against {name!r}; known rivals are torch, numpy and onnxruntime")
    here = [name for name in names if all(importlib.util.find_spec(package) for package in PACKAGES[name])]
    return here, [name for name in names if name not in here]


class Screen:
    """The table, a line as soon as it is measured."""

    def __init__(self, rivals: Sequence[str], limits: dict[str, float]):
        self.rivals, self.limits = rivals, limits

    def heads(self) -> None:
        cells = [f"{'fastnn':>9}", *[f"{f'{NAMES[rival]:>9}':<17}" for rival in self.rivals],
                 f"{'GFLOP/s':>8}", f"{'GB/s':>7}", f"{'of limit':>8}", "differs by"]
        say(paint(f"{'':<{NAME_WIDTH}} {' '.join(cells)}", "dim"))

    def row(self, result: Result) -> None:
        console.progress("")
        name = result.workload if len(result.workload) <= NAME_WIDTH else result.workload[:NAME_WIDTH - 2] + ".."
        ours = result.median("fastnn")
        cells = [f"{console.time(ours):>9}"]
        for rival in self.rivals:
            ratio = result.ratio(rival)
            text = f"{ratio:.2f} x" if ratio else "WRONG" if rival in result.wrong else ""
            style = "" if not text else "green" if ratio and ratio >= 1 else "red"
            cells.append(f"{console.time(result.median(rival)):>9} {paint(f'{text:>7}', style)}")
        share = result.share(self.limits)
        cells += [f"{result.flops/ours/1e9:8.1f}" if ours and result.flops else f"{'':>8}",
                  f"{result.bytes/ours/1e9:7.1f}" if ours and result.bytes else f"{'':>7}",
                  f"{console.share(share):>8}" if share else f"{'':>8}",
                  f"{max(result.differences.values()):.0e}" if result.differences else ""]
        say(f"{name:<{NAME_WIDTH}} {' '.join(cells)}")
        if "fastnn" in result.refused:
            say(paint(f"  fastnn: {result.refused['fastnn']}", "red"))
        for rival, why in result.wrong.items():
            say(paint(f"  {NAMES[rival]}: {why}; not timed", "red"))


def run(workloads: Sequence[Workload], libraries: Sequence[str], threads: int, rounds: int, seconds: float,
        screen: Callable[[Sequence[str], dict[str, float]], Any], level: str = "") -> dict[str, Any]:
    """Race all workloads; returns the record (results.py): results with everything that must be
    said beside a figure.

    level: the instruction set that rivals are held to (levels.py); "": to none. fastnn uses the one
    in force.
    """
    warning = busy()
    with Contestants(["fastnn", *libraries], threads, level) as contestants:
        versions = contestants.versions()
        if "fastnn" not in versions:
            raise UserError("the process that should measure fastnn did not start")
        rivals = [name for name in libraries if name in versions]
        limits = contestants.limits()
        show = screen(rivals, limits)
        raced = []
        for i, workload in enumerate(workloads):
            console.progress(f"  measuring {workload.name} ({i + 1} of {len(workloads)})")
            raced.append(race(contestants, workload, rounds, seconds))
            show(raced[-1])
    return {**results.about(threads, warning), "versions": versions, **results.held_to(level, rivals), "rounds": rounds,
            "seconds per turn": seconds, "limits": limits,
            "results": results.rows_of(raced, rivals, limits)}


# measurements of other kinds, by the first name after `bench`; each is a module of that name
KINDS = ("memory", "scaling", "overhead", "sweep")


def command(args: Namespace) -> int:
    if args.ladder:
        return int(importlib.import_module("fastnn.bench.ladder").command(args))
    if args.names and args.names[0] in KINDS:
        return int(importlib.import_module(f"fastnn.bench.{args.names[0]}").command(args))
    workloads = choose(args.names, args.backward)
    rivals, missing = rivals_here(args.against.replace(" ", "").split(","))
    threads = args.threads or config.get_num_threads()
    if not args.json:
        heading(", ".join(console.count(*pair) for pair in ((len(workloads), "workload"), (threads, "thread"),
                                                            (args.rounds, "round"))))
        say_missing(missing)

    def screen(rivals: Sequence[str], limits: dict[str, float]) -> Callable[[Result], None]:
        table = Screen(rivals, limits)
        if args.json:
            return lambda result: None
        table.heads()
        return table.row

    with at_level(args.isa) as level:
        measured = run(workloads, rivals, threads, args.rounds, args.seconds, screen, level)
    if args.json:
        say(results.as_json(measured).rstrip())
    else:
        report(measured)
    if args.save:
        saved = results.save(args.save, measured)
        if not args.json:
            say(f"\nsaved {' and '.join(map(str, saved))}")
    failed = [row for row in measured["results"] if row["wrong"] or "fastnn" in row["refused"]]
    return 1 if failed else 0


def report(measured: dict[str, Any]) -> None:
    """What stands below the table: means, bars and facts."""
    means = results.geometric_means(results.results_of(measured), measured["rivals"])
    if means:
        heading("geometric means (above 1, fastnn is faster)")
    for direction, rival, count, won, mean in means:
        style = "green" if mean >= 1 else "red"
        say(f"  {direction:<17} against {NAMES[rival]:<8} {paint(f'{mean:.2f} x', style)}   {won} of {count} won")
    found = bars.measure(measured)
    if found:
        heading("the bars")
        styles = {"MISSED": "red", "reported": "", "met": "green", "aim": "green"}
        rows = [[*row[:4], (row[4], styles[row[4]]), row[5]] for row in bars.cells(found)]
        say(console.table(["", "asked", "aim", "measured", "verdict", ""], rows, "lrrrll"))
    say()
    for fact in results.facts(measured):
        say(paint(f"  {fact}", "dim"))
