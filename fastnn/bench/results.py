"""What was measured, kept: one JSON file per processor, instruction set and number of threads, and
the same as Markdown.

A record is the race of `bench` (speed.py) with all that must be said beside a figure, and the parts
that memory.py, scaling.py, overhead.py and sweep.py measured. Each part has facts of its own, since
it may be of another day.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from .. import console
from ..about import __version__, describe
from . import bars
from .levels import held
from .libraries import NAMES
from .race import Result, geometric_mean

__all__ = [
    "about",
    "as_json",
    "commit",
    "facts",
    "file_name",
    "geometric_means",
    "held_to",
    "markdown",
    "part",
    "results_of",
    "rows_of",
    "save",
]


def commit(root: Path | None = None) -> str:
    """The commit of the checkout that runs, with a + where files differ from it other than those
    that measuring writes; "" outside of one.
    """
    root = root or Path(__file__).resolve().parents[2]
    if not (root/".git").exists():
        return ""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=10,
                              check=True).stdout.strip()
    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)benchmarks/results",
                      ":(exclude)README.md")
        return git("describe", "--always") + ("+" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def about(threads: int, warning: str = "") -> dict[str, Any]:
    """Where and when: what every part of a record begins with."""
    found = describe()
    return {"command": " ".join(["python -m fastnn", *sys.argv[1:]]), "date": time.strftime("%Y-%m-%d %H:%M"),
            "commit": commit(),
            "processor": found["processor"], "instruction set": found["instruction set"], "threads": threads,
            "versions": {"fastnn": f"fastnn {__version__} ({found['instruction set']})"}, "python": found["python"],
            "system": found["system"], "compiler": found["compiler"], "warning": warning}


# ---- rows ----------------------------------------------------------------------------------------
def rows_of(results: Sequence[Result], rivals: Sequence[str], limits: dict[str, float]) -> list[dict[str, Any]]:
    """Results as plain data, with the figures that are read off them; five digits of each time."""
    results = [replace(r, times={name: [float(f"{t:.5g}") for t in times] for name, times in r.times.items()})
               for r in results]
    return [{**asdict(r), "median": {name: r.median(name) for name in r.times},
             "best": {name: r.best(name) for name in r.times},
             "ratio": {name: r.ratio(name) for name in rivals}, "share of limit": r.share(limits)} for r in results]


def results_of(record: dict[str, Any]) -> list[Result]:
    """The results of a record, from its rows."""
    names = [field.name for field in fields(Result)]
    return [Result(**{name: row[name] for name in names}) for row in record.get("results", ())]


def directions(results: Sequence[Result]) -> list[str]:
    return list(dict.fromkeys(result.workload.rsplit("/", 1)[1] for result in results))


def geometric_means(results: Sequence[Result], rivals: Sequence[str]) -> list[tuple[str, str, int, int, float]]:
    """(direction, rival, workloads, how many of them won, geometric mean of the ratios), and over
    all directions as "all".
    """
    rows = []
    for direction in [*directions(results), "all"]:
        for rival in rivals:
            ratios = [r.ratio(rival) for r in results if direction in ("all", r.workload.rsplit("/", 1)[1])]
            known = [ratio for ratio in ratios if ratio]
            mean = geometric_mean(known)
            if mean:
                rows.append((direction, rival, len(known), sum(ratio >= 1 for ratio in known), mean))
    return rows if len(directions(results)) > 1 else [row for row in rows if row[0] != "all"]


# ---- Markdown ------------------------------------------------------------------------------------
def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """A Markdown table, its first `left` columns to the left."""
    return [f"| {' | '.join(heads)} |", f"|{'---|'*left}{'---:|'*(len(heads) - left)}",
            *[f"| {' | '.join(row)} |" for row in rows], ""]


def facts(record: dict[str, Any]) -> list[str]:
    """What must be said beside the figures, a line each."""
    lines = [f"NOTE: {record['warning']}"] if record["warning"] else []
    lines += [f"{record['processor']}, {record['instruction set']}, {console.count(record['threads'], 'thread')}; "
              f"{', '.join(record['versions'].values())}; "
              f"Python {record['python']}, {record['system']}, {record['compiler']}",
              f"commit {record['commit'] or 'unknown'}, {record['date']}, {record['command']}"]
    if record.get("lowered"):
        rivals = [*record["held"], *[rival for rival in record["rivals"] if rival not in record["held"]]]
        how = ", ".join(["fastnn", *[held_how(rival, record["held"].get(rival, {})) for rival in rivals]])
        lines.append(f"held to {record['lowered']}, below what this processor has: {how}")
    limits = record.get("limits")
    if limits:
        lines.append(f"limits: {limits['flops']/1e9:.0f} GFLOP/s of multiply-adds "
                     f"in {record['instruction set']} registers, {limits['bytes']/1e9:.1f} GB/s of copying; "
                     "above it the data come from a cache")
    if "rounds" in record:
        lines.append(f"medians of {console.count(record['rounds'], 'round')}; "
                     f"in each, every contestant ran alone for about {record['seconds per round']*1000:.0f} ms")
    return lines


def held_how(rival: str, switches: dict[str, str]) -> str:
    """By which switches a rival is held to a level."""
    if not switches:
        return f"{NAMES[rival]} NOT, it has no switch"
    return f"{NAMES[rival]} by " + " ".join(f"{key}={value!r}" if " " in value else f"{key}={value}"
                                            for key, value in switches.items())


def race_lines(record: dict[str, Any]) -> list[str]:
    rivals, results = record["rivals"], results_of(record)
    heads = ["workload", "fastnn", "best"]
    for rival in rivals:
        heads += [NAMES[rival], "best", "ratio"]
    rows = []
    for r in results:
        ours = r.median("fastnn")
        cells = [r.workload, console.time(ours), console.time(r.best("fastnn"))]
        for rival in rivals:
            ratio = r.ratio(rival)
            cells += [console.time(r.median(rival)), console.time(r.best(rival)),
                      f"{ratio:.2f}" if ratio else "wrong" if rival in r.wrong else ""]
        rows.append([*cells,
                     f"{r.flops/ours/1e9:.1f}" if ours and r.flops else "",
                     f"{r.bytes/ours/1e9:.1f}" if ours and r.bytes else "",
                     r.share_in_words(record["limits"]),
                     f"{max(r.differences.values()):.0e}" if r.differences else ""])
    means = [[direction, NAMES[rival], str(count), str(won), f"{mean:.2f}"]
             for direction, rival, count, won, mean in geometric_means(results, rivals)]
    return ["Ratio: the rival's median over fastnn's; above 1 fastnn is faster. Results were compared before timing.",
            "", *table([*heads, "GFLOP/s", "GB/s", "of limit", "differs by"], rows),
            *table(["geometric mean", "against", "workloads", "won", "ratio"], means, 2)]


# ---- the other parts -----------------------------------------------------------------------------
@dataclass(frozen=True)
class Part:
    """How a part of a record is shown: title, a line that explains the figures, heads, and rows of
    text.
    """

    title: str
    note: Callable[[dict[str, Any]], str]
    heads: Callable[[dict[str, Any]], list[str]]
    rows: Callable[[dict[str, Any]], list[list[str]]]


def memory_heads(part: dict[str, Any]) -> list[str]:
    return ["network's training step", "fastnn",
            *[head for rival in part["rivals"] for head in (NAMES[rival], "fastnn's share")]]


def memory_rows(part: dict[str, Any]) -> list[list[str]]:
    cells = []
    for row in part["rows"]:
        ours = row["peak"].get("fastnn")
        line = [row["network"], console.size(ours)]
        for rival in part["rivals"]:
            theirs = row["peak"].get(rival)
            line += [console.size(theirs), f"{ours/theirs:.2f}" if ours and theirs else ""]
        cells.append(line)
    return cells


def scaling_heads(part: dict[str, Any]) -> list[str]:
    return ["workload", *[head for library in ("fastnn", *part["rivals"])
                          for head in (f"{NAMES[library]}, 1 thread", console.count(part["threads"], "thread"),
                                       "speed-up")]]


def scaling_rows(part: dict[str, Any]) -> list[list[str]]:
    def cells(row: dict[str, Any], library: str) -> list[str]:
        one, many = row["seconds"].get(library, [None, None])
        return [console.time(one), console.time(many), f"{one/many:.2f}" if one and many else ""]
    return [[row["workload"], *[cell for library in ("fastnn", *part["rivals"]) for cell in cells(row, library)]]
            for row in part["rows"]]


def overhead_rows(part: dict[str, Any]) -> list[list[str]]:
    def over(row: dict[str, Any], name: str) -> str:
        return console.time(row[name] - row["kernel"]) if row[name] else ""
    return [[row["op"], console.time(row["kernel"]), *[over(row, name) for name in ("function", "tape", "layer")]]
            for row in part["rows"]]


def sweep_rows(part: dict[str, Any]) -> list[list[str]]:
    return [[row["what"], row["dtype"], str(row["size"]), console.time(row["seconds"]), f"{row['rate']/1e9:.1f}",
             f"{row['cost']:.2f}", "CLIFF" if row["cost"] > bars.CLIFF else ""] for row in part["rows"]]


SHOWN = {
    "memory": Part(
        "Memory", lambda part: f"Peak resident memory over what was resident before the model was made, "
                               f"{part['steps']} steps with Adam; below 1 fastnn needs less.",
        memory_heads, memory_rows),
    "scaling": Part(
        "Threads", lambda part: "Speed-up: the median on one thread over the median on all.",
        scaling_heads, scaling_rows),
    "overhead": Part(
        "Overhead", lambda part: "Of 16 numbers: the kernel's call with its wrapper, and what the function, the "
                                 "function with the tape recording, and the layer in training cost over it.",
        lambda part: ["op", "kernel", "function", "with tape", "layer"], overhead_rows),
    "sweep": Part(
        "Odd sizes", lambda part: f"Cost: time of one operation over that at the better of the sizes next to it; "
                                  f"above {bars.CLIFF} it is a cliff.",
        lambda part: ["what", "dtype", "size", "time", "GFLOP/s", "cost", ""], sweep_rows),
}


def held_to(level: str, rivals: Sequence[str]) -> dict[str, Any]:
    """The facts of a lowered level (levels.py): the level, and the switches that hold the rivals to
    it.
    """
    return {"lowered": level, "rivals": list(rivals),
            "held": {rival: switches for rival in rivals if (switches := held(rival, level))}}


def part(threads: int, level: str, rivals: Sequence[str], rows: Sequence[dict[str, Any]], warning: str = "",
         **more: Any) -> dict[str, Any]:
    """A part of a record: where and when, who took part at which level, what else must be said, and
    the rows.
    """
    return {**about(threads, warning), **held_to(level, rivals), **more, "rows": list(rows)}


def markdown(record: dict[str, Any]) -> str:
    """The whole record as a page."""
    lines = ["# fastnn measured", "", *[f"- {fact}" for fact in facts(record)], ""]
    if "results" in record:
        lines += race_lines(record)
    for name, shown in SHOWN.items():
        if name in record:
            part = record[name]
            lines += [f"## {shown.title}", "", *[f"- {fact}" for fact in facts(part)], "", shown.note(part), "",
                      *table(shown.heads(part), shown.rows(part))]
    found = bars.measure(record)
    if found:
        lines += ["## The bars", "",
                  "What was asked of this table, what was aimed at, and what came out; misses are listed like hits.",
                  "",
                  *table(["", "asked", "aim", "measured", "verdict", "the lowest, or where it comes from"],
                         bars.cells(found), 1)]
    return "\n".join(lines).rstrip() + "\n"


# ---- files ---------------------------------------------------------------------------------------
def file_name(record: dict[str, Any]) -> str:
    """The name of a record's files, after processor, instruction set and threads.

    >>> file_name({"processor": "Intel(R) Xeon(R) CPU", "instruction set": "avx2", "threads": 2})
    'intel-xeon-avx2-2-threads'
    """
    processor = re.sub(r"\((R|TM)\)|\b(processor|cpu)\b|@.*", " ", record["processor"], flags=re.I)
    words = re.findall(r"[a-z0-9]+", processor.lower())
    return "-".join([*words, record["instruction set"], *console.count(record["threads"], "thread").split()])


def as_json(record: dict[str, Any]) -> str:
    """The record as it is saved: with the means and the bars, which follow from the rest."""
    means = [dict(zip(("direction", "against", "workloads", "won", "ratio"), row))
             for row in geometric_means(results_of(record), record.get("rivals", ()))]
    text = json.dumps({**record, "geometric means": means, "bars": [asdict(bar) for bar in bars.measure(record)]},
                      indent=1)
    # a list of numbers needs no more than one line
    return re.sub(r"\[\s+([-+.\de,\s]+?)\s+\]", lambda numbers: f"[{' '.join(numbers[1].split())}]", text) + "\n"


def save(folder: str | Path, measured: dict[str, Any], part: str = "") -> tuple[Path, Path]:
    """Write a race, or another part of a record, beside the parts that the folder's record of this
    machine has already.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder/f"{file_name(measured)}.json"
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if part:
        record = {**(before or {key: value for key, value in measured.items() if key != "rows"}), part: measured}
    else:
        record = {**measured, **{name: before[name] for name in SHOWN if name in before}}
    path.write_text(as_json(record), encoding="utf-8")
    page = path.with_suffix(".md")
    page.write_text(markdown(record), encoding="utf-8")
    return page, path
