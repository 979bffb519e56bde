"""`python -m fastnn` with nothing else: check every kernel, learn handwriting, race, write a
report. Offline, half a minute.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import about, config, console
from ..backend import backend
from ..bench import highlights
from ..bench.choice import choose_rivals
from ..bench.highlights import HIGHLIGHTS, Highlights
from ..bench.libraries import NAMES
from ..bench.race import Contestants, Result, busy
from ..console import heading, paint, say
from ..data.sets.digits import DIGITS_ATTRIBUTION
from ..io.atomic import atomic_write
from ..io.png import write_png
from ..models import recipes
from ..op import OPS
from ..report import CheckRow, Report, SpeedRow, report
from ..testing.verdicts import Verdict
from .check import print_verdicts, verdicts_of_all

__all__ = ["GOAL", "command"]

GOAL = 0.98                 # share of the held-out digits that must be read correctly


def command(args: Namespace) -> int:
    started = time.perf_counter()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)                      # a mistake in --out must not come to light in the end
    threads, why = about.threads_and_why()
    machine = describe_machine(threads)
    introduce(machine, why)
    rivals, missing = choose_rivals("numpy,torch")
    warning = busy()
    # the contestants import what they need while the kernels are being checked
    with Contestants(["fastnn", *rivals], threads) as contestants:
        verdicts = check_all()
        run = learn(args)
        race = speed(contestants, missing, warning)

    heading("4  What is on the disk now")
    model_path, digit_path, report_path = out/"digits.npz", out/"digit.png", out/"report.html"
    run.save(model_path)
    with atomic_write(digit_path, follow_links=False) as file:
        file.write(write_png(as_picture(run.test[0][0, 0])))
    make_report(run, verdicts, race, machine, args).save(report_path)
    rows = [[report_path, "curves, mistakes, filters, feature maps, checks and speed: open it in a browser"],
            [model_path, "the network that was just trained"], [digit_path, "a digit that it had not seen"]]
    say(console.table(["", ""], rows, "ll").split("\n", 1)[1])
    heading("What to try next")
    for line in (f"predict {model_path} {digit_path}", "ops conv2d", "bench lenet conv2d", "train lenet", "--help"):
        say(f"  python -m fastnn {line}")
    return verdict(verdicts, run.accuracy, time.perf_counter() - started)


def introduce(machine: dict[str, str], why: str) -> None:
    from .. import __version__
    say(paint(f"fastnn {__version__}", "bold") + ": check the kernels, learn handwriting, race, write a report")
    for name, value in machine.items():
        say(f"  {name:<16} {value}" + (f" ({why})" if name == "Threads" else ""))
    if config.isa() == "numpy" or backend() != "kernels":
        say(paint("  Everything runs on the NumPy definitions, NOT on compiled kernels, "
                  "and takes several times as long.", "red"))


def describe_machine(threads: int) -> dict[str, str]:
    found = about.describe()
    return {"Processor": found["processor"], "Instruction set": found["instruction set"], "Threads": str(threads),
            "Compiler": found["compiler"],
            "Versions": f"fastnn {found['fastnn']}, NumPy {found['numpy']}, Python {found['python']}",
            "System": found["system"]}


def as_picture(digit: np.ndarray) -> np.ndarray:
    """(8, 8) ink as (256, 256, 3) bytes, black on white."""
    large = digit.repeat(32, axis=0).repeat(32, axis=1)
    return np.rint(255*(1 - large))[..., None].repeat(3, axis=2).astype(np.uint8)


# ---- the parts -----------------------------------------------------------------------------------
def check_all() -> list[Verdict]:
    heading("1  Every op against its definition")
    start = time.perf_counter()
    verdicts = verdicts_of_all()
    print_verdicts(verdicts)
    say(f"  {len(OPS)} ops, {sum(v.cases for v in verdicts):,} cases in {time.perf_counter() - start:.1f} s; "
        "100 % is what rounding may cost")
    return verdicts


def learn(args: Namespace) -> recipes.Run:
    heading("2  A convolutional network learns handwriting")
    say(str(recipes.RECIPES["digits"].record.summary()))
    say()
    run = recipes.train("digits", seed=args.seed, epochs=args.epochs)
    if run.history.interrupted:
        raise KeyboardInterrupt
    total = len(run.test[1])
    share = paint(f"{100*run.accuracy:.1f} %", "green" if run.accuracy >= GOAL else "red")
    say(f"  {round(run.accuracy*total)} of {total} digits that it had never seen read correctly: {share}, "
        f"after {run.seconds:.1f} s on {len(run.train[1]):,} others")
    return run


def speed(contestants: Contestants, missing: Sequence[str], warning: str) -> Highlights:
    heading("3  How fast")
    race = highlights.measure(contestants)
    if race is None:
        say(paint("  the process that should measure fastnn did not start; no speed table", "red"))
        return Highlights()
    heads = ["workload", "fastnn"]
    for rival in race.rivals:
        heads += [NAMES[rival], "ratio"]
    say(console.table(heads, [speed_row(result, race.rivals) for result in race.results],
                      "lr" + "rr"*len(race.rivals)))
    means = ", ".join(f"{NAMES[rival]} {mean:.2f}" for rival, mean in race.means.items())
    say(f"  Ratio above 1: fastnn is faster. Geometric means: {means or 'none'}.")
    say(f"  {race.note}")
    if warning:
        say(paint(f"  Note: {warning}.", "yellow"))
        race = replace(race, note=f"{race.note} Note: {warning}.")
    for workload, who, why in race.mistakes():
        say(paint(f"  {workload}: {who}: {why}", "red"))
    for name in missing:
        say(f"  {NAMES[name]} is not installed here; with it, the table has another column.")
    return race


def speed_row(result: Result, rivals: Sequence[str]) -> list[Any]:
    row: list[Any] = [HIGHLIGHTS[result.workload], console.time(result.median("fastnn"))]
    for rival in rivals:
        ratio = result.ratio(rival)
        text = f"{ratio:.2f}" if ratio else "WRONG" if rival in result.wrong else ""
        row += [console.time(result.median(rival)),
                (text, "" if not text else "green" if ratio and ratio >= 1 else "red")]
    return row


def verdict(verdicts: Sequence[Verdict], accuracy: float, seconds: float) -> int:
    """The last line and the exit code."""
    failed = [v.name for v in verdicts if not v.passed]
    say()
    if failed:
        say(paint(f"FAILED: kernels differ from their definitions in {', '.join(failed)}; see above", "red"))
    if accuracy < GOAL:
        say(paint(f"FAILED: {100*accuracy:.1f} % of the digits read correctly, expected {100*GOAL:.0f} %; "
                  "train longer with --epochs", "red"))
    if failed or accuracy < GOAL:
        return 1
    say(f"{paint('All is well.', 'green')} {seconds:.0f} s in all.")
    return 0


# ---- the report ----------------------------------------------------------------------------------
def make_report(run: recipes.Run, verdicts: Sequence[Verdict], race: Highlights, machine: dict[str, str],
                args: Namespace) -> Report:
    """Everything that happened, as the page shows it."""
    _, labels = run.test
    return report(
        run.model, run.test, history=run.history, train=run.train, item="digit",
        title="A network that reads handwriting",
        lead="fastnn trained this small convolutional network on handwritten digits, on this machine. "
             "This page shows what it learned, where it fails, and how its kernels were checked.",
        layers={"relu1": "conv1, norm, ReLU", "relu2": "conv2, norm, ReLU", "relu3": "conv3, norm, ReLU"},
        example=int(np.argmax(labels == 8)), seconds=run.seconds, machine=machine, attribution=DIGITS_ATTRIBUTION,
        checks=[CheckRow(v.name, v.cases, v.worst, v.passed) for v in verdicts],
        speed=[speed_entry(result, race.rivals) for result in race.results if result.median("fastnn")],
        speed_note=race.note, created=time.strftime("%Y-%m-%d %H:%M"),
        command=f"python -m fastnn --seed {args.seed} --epochs {args.epochs}")


def speed_entry(result: Result, rivals: Sequence[str]) -> SpeedRow:
    def microseconds(library: str) -> float | None:
        seconds = result.median(library)
        return None if seconds is None else 1e6*seconds
    return SpeedRow(HIGHLIGHTS[result.workload], microseconds("fastnn") or 0.0,
                    {NAMES[rival]: microseconds(rival) for rival in rivals})
