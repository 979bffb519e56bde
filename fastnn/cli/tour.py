"""`python -m fastnn` with nothing else: check every kernel, learn handwriting, race, write a
report. Offline, half a minute.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import about, config, console
from ..backend import backend
from ..bench.libraries import NAMES
from ..bench.race import Contestants, Result, busy, geometric_mean, race
from ..bench.workloads import catalogue
from ..console import heading, paint, say
from ..data.sets.digits import DIGITS_ATTRIBUTION
from ..op import OPS
from ..report import CheckRow, Report, SpeedRow, report
from ..viz.images import png
from . import bench, check, train
from .doctor import threads_and_why

__all__ = ["GOAL", "SPEED", "command", "make_report"]

GOAL = 0.98                 # share of the held-out digits that must be read correctly
ROUNDS, TURN = 7, 0.01      # of the race: turns, and seconds of one

SPEED = {                   # workload -> what to call it
    "matmul/256/forward": "matrix product 256 x 256",
    "matmul/1024/forward": "matrix product 1024 x 1024",
    "linear/mlp/forward": "linear layer of an MLP",
    "conv2d/lenet.conv2/forward": "convolution 5x5, LeNet's second",
    "conv3x3-64c56/forward": "convolution 3x3, 64 channels of 56 x 56",
    "max_pool2d/2x2.64c56/forward": "max-pooling 2x2, 32 x 64 x 56 x 56",
    "softmax/2048x512/forward": "softmax, 2048 x 512",
    "layer_norm/2048x512/forward": "layer norm, 2048 x 512",
    "relu/2048x512/forward": "ReLU, 2048 x 512",
    "attention-8x8x256x64-causal/forward": "causal attention, 8 heads of 256 x 64",
    "lstm-T64-B32-I128-H256/forward": "LSTM, 64 steps of 32, 256 wide",
    "lenet/one": "LeNet-5 reads one image",
    "lenet/step": "LeNet-5 learns from 64 images",
    "mlp-64-128-10/step": "small MLP learns from 32 samples",
}


def command(args: Namespace) -> int:
    started = time.perf_counter()
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)                      # a mistake in --out must not come to light in the end
    threads, why = threads_and_why()
    machine = describe_machine(threads)
    from .. import __version__
    say(paint(f"fastnn {__version__}", "bold") + ": check the kernels, learn handwriting, race, write a report")
    for name, value in machine.items():
        say(f"  {name:<16} {value}" + (f" ({why})" if name == "Threads" else ""))
    if config.isa() == "numpy" or backend() != "kernels":
        say(paint("  Everything runs on the NumPy definitions, NOT on compiled kernels, and takes several times as long.", "red"))

    rivals, missing = bench.rivals_here(["numpy", "torch"])
    warning = busy()
    # the contestants import what they need while the kernels are being checked
    with Contestants(["fastnn", *rivals], threads) as contestants:
        verdicts = check_all()
        finished = learn(args)
        results = speed(contestants, missing, warning)
    images = finished.test[0]

    heading("4  What is on the disk now")
    model_path, digit_path, report_path = out/"digits.npz", out/"digit.png", out/"report.html"
    train.save(finished, model_path)
    digit_path.write_bytes(png(as_picture(images[0, 0])))
    make_report(finished, verdicts, results, machine, args).save(report_path)
    rows = [[report_path, "curves, mistakes, filters, feature maps, checks and speed: open it in a browser"],
            [model_path, "the network that was just trained"], [digit_path, "a digit that it had not seen"]]
    say(console.table(["", ""], rows, "ll").split("\n", 1)[1])
    heading("What to try next")
    for line in (f"predict {model_path} {digit_path}", "ops conv2d", "bench lenet conv2d", "train lenet", "--help"):
        say(f"  python -m fastnn {line}")
    return verdict(verdicts, finished.accuracy, time.perf_counter() - started)


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


# ---- the four parts ------------------------------------------------------------------------------
def check_all() -> list[check.Verdict]:
    heading("1  Every op against its definition")
    start = time.perf_counter()
    verdicts = check.check_families(OPS.values())
    check.print_verdicts(verdicts)
    say(f"  {len(OPS)} ops, {sum(v.cases for v in verdicts):,} cases in {time.perf_counter() - start:.1f} s; "
        "100 % is what rounding may cost")
    return verdicts


def learn(args: Namespace) -> train.Run:
    heading("2  A convolutional network learns handwriting")
    model = train.RECIPES["digits"].model()
    say(str(model.summary(model.input_shape)))
    say()
    finished = train.run("digits", seed=args.seed, epochs=args.epochs)
    if finished.history.interrupted:
        raise KeyboardInterrupt
    total = len(finished.test[1])
    right = round(finished.accuracy*total)
    style = "green" if finished.accuracy >= GOAL else "red"
    say(f"  {right} of {total} digits that it had never seen read correctly: {paint(f'{100*finished.accuracy:.1f} %', style)}, "
        f"after {finished.seconds:.1f} s on {len(finished.train[1]):,} others")
    return finished


@dataclass(frozen=True)
class Race:
    """The speed table."""

    rivals: list[str]
    results: list[Result]
    note: str


def speed(contestants: Contestants, missing: Sequence[str], warning: str) -> Race:
    heading("3  How fast")
    versions = contestants.versions()
    if "fastnn" not in versions:
        say(paint("  the process that should measure fastnn did not start; no speed table", "red"))
        return Race([], [], "")
    rivals = [name for name in versions if name != "fastnn"]
    workloads = catalogue()
    results = []
    for name, title in SPEED.items():
        console.progress(f"  measuring {title}")
        results.append(race(contestants, workloads[name], ROUNDS, TURN))
    console.progress("")
    heads = ["workload", "fastnn"]
    for rival in rivals:
        heads += [NAMES[rival], "ratio"]
    say(console.table(heads, [speed_row(result, rivals) for result in results], "lr" + "rr"*len(rivals)))
    means = [f"{NAMES[rival]} {mean:.2f}" for rival in rivals
             if (mean := geometric_mean(r.ratio(rival) for r in results))]
    note = f"Medians of {ROUNDS} alternating rounds, {console.count(contestants.threads, 'thread')}, each contestant in a process of its own: "
    note += ", ".join(versions.values()) + "."
    say(f"  Ratio above 1: fastnn is faster. Geometric means: {', '.join(means) or 'none'}.")
    say(f"  {note}")
    if warning:
        note = f"{note} Note: {warning}."
        say(paint(f"  Note: {warning}.", "yellow"))
    for result in results:
        for who, why in {**result.refused, **result.wrong}.items():
            if who == "fastnn" or who in result.wrong:
                say(paint(f"  {SPEED[result.workload]}: {NAMES[who]}: {why}", "red"))
    for name in missing:
        say(f"  {NAMES[name]} is not installed here; with it, the table has another column.")
    return Race(rivals, results, note)


def speed_row(result: Result, rivals: Sequence[str]) -> list[Any]:
    row: list[Any] = [SPEED[result.workload], console.time(result.median("fastnn"))]
    for rival in rivals:
        ratio = result.ratio(rival)
        text = f"{ratio:.2f}" if ratio else "WRONG" if rival in result.wrong else ""
        row += [console.time(result.median(rival)),
                (text, "" if not text else "green" if ratio and ratio >= 1 else "red")]
    return row


def verdict(verdicts: Sequence[check.Verdict], accuracy: float, seconds: float) -> int:
    """The last line and the exit code."""
    failed = [v.name for v in verdicts if not v.passed]
    say()
    if failed:
        say(paint(f"FAILED: kernels differ from their definitions in {', '.join(failed)}; see above", "red"))
    if accuracy < GOAL:
        say(paint(f"FAILED: {100*accuracy:.1f} % of the digits read correctly, expected {100*GOAL:.0f} %; train longer with --epochs",
                  "red"))
    if failed or accuracy < GOAL:
        return 1
    say(f"{paint('All is well.', 'green')} {seconds:.0f} s in all.")
    return 0


# ---- the report ----------------------------------------------------------------------------------
def make_report(finished: train.Run, verdicts: Sequence[check.Verdict], race: Race, machine: dict[str, str],
                args: Namespace) -> Report:
    """Everything that happened, as the page shows it."""
    _, labels = finished.test
    return report(
        finished.model, finished.test, history=finished.history, train=finished.train, item="digit",
        title="A network that reads handwriting",
        lead="fastnn trained this small convolutional network on handwritten digits, on this machine. "
             "This page shows what it learned, where it fails, and how its kernels were checked.",
        layers={"relu1": "conv1, norm, ReLU", "relu2": "conv2, norm, ReLU", "relu3": "conv3, norm, ReLU"},
        example=int(np.argmax(labels == 8)), seconds=finished.seconds, machine=machine, attribution=DIGITS_ATTRIBUTION,
        checks=[CheckRow(v.name, v.cases, v.worst, v.passed) for v in verdicts],
        speed=[speed_entry(result, race.rivals) for result in race.results if result.median("fastnn")],
        speed_note=race.note, created=time.strftime("%Y-%m-%d %H:%M"),
        command=f"python -m fastnn --seed {args.seed} --epochs {args.epochs}")


def speed_entry(result: Result, rivals: Sequence[str]) -> SpeedRow:
    def microseconds(library: str) -> float | None:
        seconds = result.median(library)
        return None if seconds is None else 1e6*seconds
    return SpeedRow(SPEED[result.workload], microseconds("fastnn") or 0.0,
                         {NAMES[rival]: microseconds(rival) for rival in rivals})
