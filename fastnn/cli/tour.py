"""`python -m fastnn` with nothing else: check every kernel, learn handwriting, race, write a
report. Offline, half a minute.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import about, config, console
from ..backend import backend
from ..bench import highlights
from ..bench.choice import choose_rivals
from ..bench.highlights import Highlights
from ..bench.race import Contestants, busy
from ..bench.screen import show_highlights
from ..console import heading, paint, say
from ..io.atomic import atomic_write
from ..io.pictures import black_on_white
from ..io.png import write_png
from ..models import recipes
from ..moved import moved_names
from ..op import OPS
from ..report import CheckRow, SpeedRow
from ..report.digits import digits_report
from ..testing.verdicts import Verdict
from .check import print_verdicts, verdicts_of_all

__all__ = ["GOAL", "command"]

GOAL = 0.98                 # share of the held-out digits that must be read correctly


def command(args: Namespace) -> int:
    started = time.perf_counter()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)  # a mistake in --out must not come to light in the end
    threads, why = about.threads_and_why()
    machine = about.machine(threads)
    introduce(machine, why)
    rivals, missing = choose_rivals("numpy,torch")
    warning = busy()
    # the contestants import what they need while the kernels are being checked
    with Contestants(["fastnn", *rivals], threads) as contestants:
        verdicts = check_all()
        run = learn(args)
        race = compete(contestants, missing, warning)
    write_files(out, run, {
        "machine": machine, "checks": [CheckRow(v.name, v.cases, v.worst, v.passed) for v in verdicts],
        "speed": [SpeedRow(*row) for row in race.microseconds()], "speed_note": race.remark,
        "command": f"python -m fastnn --seed {args.seed} --epochs {args.epochs}"})
    return verdict(verdicts, run.accuracy, time.perf_counter() - started)


def introduce(machine: dict[str, str], why: str) -> None:
    from .. import __version__
    say(paint(f"fastnn {__version__}", "bold") + ": check the kernels, learn handwriting, race, write a report")
    for name, value in machine.items():
        say(f"  {name:<16} {value}" + (f" ({why})" if name == "Threads" else ""))
    if config.isa() == "numpy" or backend() != "kernels":
        say(paint("  Everything runs on the NumPy definitions, NOT on compiled kernels, "
                  "and takes several times as long.", "red"))


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


def compete(contestants: Contestants, missing: Sequence[str], warning: str) -> Highlights:
    heading("3  How fast")
    race = highlights.measure(contestants, warning)
    if race is None:
        say(paint("  the process that should measure fastnn did not start; no speed table", "red"))
        return Highlights()
    show_highlights(race, missing)
    return race


def write_files(out: Path, run: recipes.Run, told: dict[str, Any]) -> None:
    """The network, a digit, and the report; told: what the report says beside the run itself."""
    heading("4  What is on the disk now")
    model_path, digit_path, report_path = out/"digits.npz", out/"digit.png", out/"report.html"
    run.save(model_path)
    with atomic_write(digit_path, follow_links=False) as file:
        file.write(write_png(black_on_white(run.test[0][0, 0], 32)))
    digits_report(run, created=time.strftime("%Y-%m-%d %H:%M"), **told).save(report_path)
    rows = [[report_path, "curves, mistakes, filters, feature maps, checks and speed: open it in a browser"],
            [model_path, "the network that was just trained"], [digit_path, "a digit that it had not seen"]]
    say(console.table(["", ""], rows, "ll").split("\n", 1)[1])
    heading("What to try next")
    for line in (f"predict {model_path} {digit_path}", "ops conv2d", "bench lenet conv2d", "train lenet", "--help"):
        say(f"  python -m fastnn {line}")


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


moved_names(__name__)
