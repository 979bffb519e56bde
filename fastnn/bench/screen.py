"""What `bench` shows on the screen: the race line by line, means, bars, and the other parts of a
record as tables; and the short race of the main job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .. import console
from ..console import heading, paint, say
from . import bars, results
from .highlights import HIGHLIGHTS, Highlights
from .libraries import NAMES
from .race import Result

__all__ = ["RaceTable", "say_missing", "show_highlights", "show_part", "show_summary"]

NAME_WIDTH = 50


def say_missing(missing: Iterable[str]) -> None:
    """One line for every rival that is not installed."""
    for name in missing:
        say(paint(f'  {NAMES[name]} does not take part: pip install "fastnn-engine[bench]"', "yellow"))


class RaceTable:
    """The table of a race. Each row is printed as soon as it is measured."""

    def __init__(self, rivals: Sequence[str], limits: dict[str, float]):
        self.rivals, self.limits = rivals, limits
        cells = [f"{'fastnn':>9}", *[f"{f'{NAMES[rival]:>9}':<17}" for rival in rivals],
                 f"{'GFLOP/s':>8}", f"{'GB/s':>7}", f"{'of limit':>11}", "differs by"]
        say(paint(f"{'':<{NAME_WIDTH}} {' '.join(cells)}", "dim"))

    def row(self, result: Result) -> None:
        name = result.workload if len(result.workload) <= NAME_WIDTH else result.workload[:NAME_WIDTH - 2] + ".."
        ours = result.median("fastnn")
        cells = [f"{console.time(ours):>9}", *[self.against(result, rival) for rival in self.rivals],
                 f"{result.flops/ours/1e9:8.1f}" if ours and result.flops else f"{'':>8}",
                 f"{result.bytes/ours/1e9:7.1f}" if ours and result.bytes else f"{'':>7}",
                 f"{result.share_in_words(self.limits):>11}",
                 f"{max(result.differences.values()):.0e}" if result.differences else ""]
        say(f"{name:<{NAME_WIDTH}} {' '.join(cells)}")
        if "fastnn" in result.refused:
            say(paint(f"  fastnn: {result.refused['fastnn']}", "red"))
        for rival, why in result.wrong.items():
            say(paint(f"  {NAMES[rival]}: {why}; not timed", "red"))

    @staticmethod
    def against(result: Result, rival: str) -> str:
        """A rival's time and the ratio to ours."""
        text, style = ratio_cell(result, rival, " x")
        return f"{console.time(result.median(rival)):>9} {paint(f'{text:>7}', style)}"


def ratio_cell(result: Result, rival: str, unit: str = "") -> tuple[str, str]:
    """The rival's time over ours, and its style: green where fastnn is faster."""
    ratio = result.ratio(rival)
    text = f"{ratio:.2f}{unit}" if ratio else "WRONG" if rival in result.wrong else ""
    return text, "" if not text else "green" if ratio and ratio >= 1 else "red"


def show_summary(record: dict[str, Any]) -> None:
    """What stands below the table of a race: means, bars and facts."""
    means = results.geometric_means(results.results_of(record), record["rivals"])
    if means:
        heading("geometric means (above 1, fastnn is faster)")
    for direction, rival, count, won, mean in means:
        style = "green" if mean >= 1 else "red"
        say(f"  {direction:<17} against {NAMES[rival]:<8} {paint(f'{mean:.2f} x', style)}   {won} of {count} won")
    found = bars.measure(record)
    if found:
        heading("the bars")
        styles = {"MISSED": "red", "reported": "", "met": "green", "aim": "green"}
        rows = [[*row[:4], (row[4], styles[row[4]]), row[5]] for row in bars.cells(found)]
        say(console.table(["", "asked", "aim", "measured", "verdict", ""], rows, "lrrrll"))
    say()
    for fact in results.facts(record):
        say(paint(f"  {fact}", "dim"))


def show_part(name: str, part: dict[str, Any]) -> None:
    """Another part of a record (memory, scaling, overhead, sweep) as a table."""
    shown = results.SHOWN[name]
    heading(f"{shown.title.lower()}, {console.count(part['threads'], 'thread')}")
    say(f"  {shown.note(part)}")
    heads = shown.heads(part)
    say(console.table(heads, shown.rows(part), "l" + "r"*(len(heads) - 1)))


def show_highlights(race: Highlights, missing: Iterable[str]) -> None:
    """The short race as a table, and what must be said beside it."""
    heads = ["workload", "fastnn"]
    for rival in race.rivals:
        heads += [NAMES[rival], "ratio"]
    rows: list[list[Any]] = []
    for result in race.results:
        rows.append([HIGHLIGHTS[result.workload], console.time(result.median("fastnn"))])
        for rival in race.rivals:
            rows[-1] += [console.time(result.median(rival)), ratio_cell(result, rival)]
    say(console.table(heads, rows, "lr" + "rr"*len(race.rivals)))
    means = ", ".join(f"{NAMES[rival]} {mean:.2f}" for rival, mean in race.means.items())
    say(f"  Ratio above 1: fastnn is faster. Geometric means: {means or 'none'}.")
    say(f"  {race.note}")
    if race.warning:
        say(paint(f"  Note: {race.warning}.", "yellow"))
    for workload, who, why in race.mistakes():
        say(paint(f"  {workload}: {who}: {why}", "red"))
    for name in missing:
        say(f"  {NAMES[name]} is not installed here; with it, the table has another column.")
