"""`python -m fastnn bench`: fastnn against PyTorch and NumPy, each in a process of its own (race.py), wins and losses alike."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from .. import config
from ..ops.registry import OPS
from . import console
from .console import UserError, heading, paint, say
from .libraries import NAMES
from .race import Contestants, Result, busy, geometric_mean, race
from .workloads import BACKWARD, STEP, Workload, catalogue

__all__ = ["choose", "command", "geometric_means", "rivals_here", "run"]

GROUPS = ("ops", "kernels", "networks")
NAME_WIDTH = 50


def choose(names: Sequence[str], backward: bool = False) -> list[Workload]:
    """The workloads of these ops, families, kernels, networks or groups; kernels and networks without names."""
    everything = catalogue()
    chosen: dict[str, Workload] = {}
    for name in names or ("kernels", "networks"):
        family = {op.name for op in OPS.values() if op.family == name}
        # the first meaning that fits is taken: a group, one workload, a subject or its case, a family of ops
        meanings: list[Callable[[Workload], bool]] = [
            lambda w, name=name: w.group == name, lambda w, name=name: w.name == name,                # type: ignore[misc]
            lambda w, name=name: w.name.startswith(name + "/"), lambda w, family=family: w.subject in family]     # type: ignore[misc]
        matches = next((found for fits in meanings if (found := [w for w in everything.values() if fits(w)])), [])
        if not matches:
            if name in OPS:
                raise UserError(f"{name} has no benchmark: it moves no numbers or has no kernel")
            known = [*GROUPS, *dict.fromkeys(w.subject for w in everything.values())]
            close = get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if name in k][:3]
            raise UserError(f"there is nothing called {name!r} to measure" + (f"; did you mean {', '.join(close)}?" if close else ""))
        chosen.update({w.name: w for w in matches})
    workloads = [w for w in chosen.values() if not backward or w.direction in (BACKWARD, STEP)]
    if not workloads:
        raise UserError("none of these has a backward")
    return workloads


def rivals_here(wanted: Iterable[str]) -> tuple[list[str], list[str]]:
    """(those that are installed, those that are not) of the rivals asked for."""
    names = [name for name in wanted if name]
    for name in names:
        if name not in ("torch", "numpy"):
            raise UserError(f"cannot measure against {name!r}; known rivals are torch and numpy")
    here = [name for name in names if importlib.util.find_spec(name) is not None]
    return here, [name for name in names if name not in here]


class Screen:
    """The table, a line as soon as it is measured."""

    def __init__(self, rivals: Sequence[str], limits: dict[str, float]):
        self.rivals, self.limits = rivals, limits

    def heads(self) -> None:
        cells = [f"{'fastnn':>9}", *[f"{NAMES[rival]:>9} {'':>7}" for rival in self.rivals],
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


def directions(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.workload.rsplit("/", 1)[1] for result in results))


def geometric_means(results: Sequence[Result], rivals: Sequence[str]) -> list[tuple[str, str, int, int, float]]:
    """(direction, rival, workloads, how many of them won, geometric mean of the ratios), and over all directions as "all"."""
    rows = []
    for direction in [*directions(results), "all"]:
        for rival in rivals:
            ratios = [r.ratio(rival) for r in results if direction in ("all", r.workload.rsplit("/", 1)[1])]
            known = [ratio for ratio in ratios if ratio]
            mean = geometric_mean(known)
            if mean:
                rows.append((direction, rival, len(known), sum(ratio >= 1 for ratio in known), mean))
    return rows if len(directions(results)) > 1 else [row for row in rows if row[0] != "all"]


def commit() -> str:
    """The commit of the checkout that runs, with a + where files differ from it; "" outside of one."""
    root = Path(__file__).resolve().parents[2]
    if not (root/".git").exists():
        return ""
    try:
        name = subprocess.run(["git", "describe", "--always", "--dirty=+"], cwd=root, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return ""
    return name.stdout.strip()


def run(workloads: Sequence[Workload], libraries: Sequence[str], threads: int, rounds: int, seconds: float,
        screen: Callable[[Sequence[str], dict[str, float]], Any]) -> dict[str, Any]:
    """Race all workloads; returns the results with everything that must be said beside a figure."""
    warning = busy()
    with Contestants(["fastnn", *libraries], threads) as contestants:
        versions = contestants.versions()
        if "fastnn" not in versions:
            raise UserError("the process that should measure fastnn did not start")
        rivals = [name for name in libraries if name in versions]
        limits = contestants.limits()
        show = screen(rivals, limits)
        results = []
        for i, workload in enumerate(workloads):
            console.progress(f"  measuring {workload.name} ({i + 1} of {len(workloads)})")
            results.append(race(contestants, workload, rounds, seconds))
            show(results[-1])
    found = config.config()
    return {"command": "python -m fastnn " + " ".join(sys.argv[1:]), "date": time.strftime("%Y-%m-%d %H:%M"), "commit": commit(),
            "processor": found["processor"], "instruction set": found["instruction set"], "threads": threads,
            "versions": versions, "python": found["python"], "system": found["system"], "compiler": found["compiler"],
            "rounds": rounds, "seconds per turn": seconds, "limits": limits, "rivals": rivals, "warning": warning,
            "results": results}


def facts(run: dict[str, Any]) -> list[str]:
    limits = run["limits"]
    warning = [f"NOTE: {run['warning']}"] if run["warning"] else []
    threads, rounds = console.count(run["threads"], "thread"), console.count(run["rounds"], "round")
    return [*warning,
            f"{run['processor']}, {run['instruction set']}, {threads}; {', '.join(run['versions'].values())}; "
            f"Python {run['python']}, {run['system']}, {run['compiler']}",
            f"commit {run['commit'] or 'unknown'}, {run['date']}, {run['command']}",
            f"limits: {limits['flops']/1e9:.0f} GFLOP/s of multiply-adds in registers, {limits['bytes']/1e9:.1f} GB/s of copying",
            f"medians of {rounds}; in each, every contestant in turn ran for about {run['seconds per turn']*1000:.0f} ms"]


def markdown(run: dict[str, Any]) -> str:
    """The table for a README or a commit message."""
    rivals, results = run["rivals"], run["results"]
    heads = ["workload", "fastnn", "best"]
    for rival in rivals:
        heads += [NAMES[rival], "best", "ratio"]
    heads += ["GFLOP/s", "GB/s", "of limit", "differs by"]
    lines = ["# fastnn measured", "", *[f"- {fact}" for fact in facts(run)], "",
             "Ratio: the rival's median over fastnn's; above 1 fastnn is faster. Results were compared before timing.", "",
             f"| {' | '.join(heads)} |", f"|---|{'---:|'*(len(heads) - 1)}"]
    for r in results:
        ours = r.median("fastnn")
        cells = [r.workload, console.time(ours), console.time(r.best("fastnn"))]
        for rival in rivals:
            ratio = r.ratio(rival)
            cells += [console.time(r.median(rival)), console.time(r.best(rival)),
                      f"{ratio:.2f}" if ratio else "wrong" if rival in r.wrong else ""]
        share = r.share(run["limits"])
        cells += [f"{r.flops/ours/1e9:.1f}" if ours and r.flops else "", f"{r.bytes/ours/1e9:.1f}" if ours and r.bytes else "",
                  console.share(share) if share else "", f"{max(r.differences.values()):.0e}" if r.differences else ""]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "| geometric mean | against | workloads | won | ratio |", "|---|---|---:|---:|---:|"]
    lines += [f"| {direction} | {NAMES[rival]} | {count} | {won} | {mean:.2f} |"
              for direction, rival, count, won, mean in geometric_means(results, rivals)]
    return "\n".join(lines) + "\n"


def as_json(run: dict[str, Any]) -> str:
    rows = [{**asdict(r), "median": {name: r.median(name) for name in r.times}, "best": {name: r.best(name) for name in r.times},
             "ratio": {name: r.ratio(name) for name in run["rivals"]}, "share of limit": r.share(run["limits"])}
            for r in run["results"]]
    means = [dict(zip(("direction", "against", "workloads", "won", "ratio"), row))
             for row in geometric_means(run["results"], run["rivals"])]
    return json.dumps({**run, "results": rows, "geometric means": means}, indent=1)


def command(args: Namespace) -> int:
    workloads = choose(args.names, args.backward)
    rivals, missing = rivals_here(args.against.replace(" ", "").split(","))
    threads = args.threads or config.get_num_threads()
    if not args.json:
        heading(", ".join(console.count(*pair) for pair in ((len(workloads), "workload"), (threads, "thread"), (args.rounds, "round"))))
        for name in missing:
            say(paint(f"  {NAMES[name]} is not installed here, so it does not take part", "yellow"))

    def screen(rivals: Sequence[str], limits: dict[str, float]) -> Callable[[Result], None]:
        table = Screen(rivals, limits)
        if args.json:
            return lambda result: None
        table.heads()
        return table.row

    measured = run(workloads, rivals, threads, args.rounds, args.seconds, screen)
    if args.json:
        say(as_json(measured))
    else:
        means = geometric_means(measured["results"], measured["rivals"])
        if means:
            heading("geometric means (above 1, fastnn is faster)")
        for direction, rival, count, won, mean in means:
            style = "green" if mean >= 1 else "red"
            say(f"  {direction:<17} against {NAMES[rival]:<8} {paint(f'{mean:.2f} x', style)}   {won} of {count} won")
        say()
        for fact in facts(measured):
            say(paint(f"  {fact}", "dim"))
    if args.save:
        folder = Path(args.save)
        folder.mkdir(parents=True, exist_ok=True)
        (folder/"bench.md").write_text(markdown(measured), encoding="utf-8")
        (folder/"bench.json").write_text(as_json(measured) + "\n", encoding="utf-8")
        if not args.json:
            say(f"\nsaved {folder/'bench.md'} and {folder/'bench.json'}")
    failed = [r for r in measured["results"] if r.wrong or "fastnn" in r.refused]
    return 1 if failed else 0
