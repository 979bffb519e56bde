"""The bars: what a record is asked to reach (results.py), group by group, and what it did reach.
Misses are listed like hits.

A bar sums up one group of workloads by one figure: the geometric mean of the ratios, or the lowest
of them. What was not measured has no row.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..console import share
from .race import geometric_mean

__all__ = ["CLIFF", "Bar", "cells", "measure"]

Row = dict[str, Any]
CLIFF = 1.5     # how many times slower per operation than its neighbour a size may be (sweep.py)


@dataclass(frozen=True)
class Bar:
    """One line of the summary. asked: None where the figure is only reported; most: the figure must
    stay below, not above.
    """

    what: str
    measured: float
    where: str
    asked: float | None
    aim: float | None
    unit: str = "x"
    most: bool = False

    def reached(self, mark: float | None) -> bool:
        return mark is not None and (self.measured <= mark if self.most else self.measured >= mark)

    @property
    def verdict(self) -> str:
        if self.reached(self.aim):
            return "aim"
        if self.asked is None:
            return "reported"
        return "met" if self.reached(self.asked) else "MISSED"

    def show(self, value: float | None) -> str:
        """A figure in the bar's unit, rounded against us: 1.699 does not pass for 1.70."""
        if value is None:
            return ""
        rounded = (math.ceil if self.most else math.floor)(100*value + (-1e-9 if self.most else 1e-9))/100
        return share(rounded) if self.unit == "%" else f"{rounded:.2f} {self.unit}"


def cells(found: Sequence[Bar]) -> list[list[str]]:
    """A row of text for each bar."""
    sign = {True: "at most ", False: ""}
    return [[b.what, sign[b.most]*(b.asked is not None) + b.show(b.asked),
             sign[b.most]*(b.aim is not None) + b.show(b.aim), b.show(b.measured), b.verdict, b.where] for b in found]


# ---- reading rows --------------------------------------------------------------------------------
def ratio(*rivals: str) -> Callable[[Row, Row], float | None]:
    """fastnn's speed over the fastest of these rivals'."""
    def of(row: Row, record: Row) -> float | None:
        known = [value for rival in rivals if (value := row["ratio"].get(rival))]
        return min(known, default=None)
    return of


def of_limit(what: str) -> Callable[[Row, Row], float | None]:
    """"flops" or "bytes" a second as a share of the machine's."""
    def of(row: Row, record: Row) -> float | None:
        ours = row["median"].get("fastnn")
        return row[what]/ours/record["limits"][what] if ours and row[what] else None
    return of


def mean_and_lowest(record: Row, chosen: Sequence[Row],
                    figure: Callable[[Row, Row], float | None]) -> tuple[list[float], str]:
    """The figures of some rows that have one, lowest first, and the name of the lowest's workload.
    """
    found = sorted((value, row["workload"]) for row in chosen if (value := figure(row, record)))
    return [value for value, _ in found], found[0][1] if found else ""


def square(row: Row) -> int:
    """n of a gemm of n x n matrices; 0 for others."""
    match = re.fullmatch(r"gemm-(\d+)/.*", row["workload"])
    return int(match[1]) if match else 0


def named(*beginnings: str, forward: bool = False) -> Callable[[Row], bool]:
    return lambda row: row["workload"].startswith(beginnings) and (not forward or row["workload"].endswith("/forward"))


def is_kernel(row: Row) -> bool:
    return row["group"] == "kernels"


def is_step(row: Row) -> bool:
    return row["group"] == "networks" and row["workload"].endswith("/step")


def is_large_gemm(row: Row) -> bool:
    return square(row) >= 512 and row["workload"].endswith("/forward")


def is_small_gemm(row: Row) -> bool:
    return row["workload"].startswith("gemm-") and square(row) < 512


def is_inference(row: Row) -> bool:
    return row["group"] == "networks" and row["workload"].endswith(("/inference", "/one"))


PYTORCH, BOTH, ONNX = ratio("torch"), ratio("torch", "numpy"), ratio("onnxruntime")
COPYING = {"pooling": ("maxpool", "avgpool", "globalavgpool"),
           "norms": ("layernorm", "batchnorm", "groupnorm", "rmsnorm"),
           "activations": ("relu", "gelu", "tanh", "sigmoid", "silu"), "softmax": ("softmax",),
           "cross-entropy": ("crossentropy",), "optimisers": ("adam", "sgd")}

# (what, rows, figure, "mean" or "lowest", asked, aim, unit); at a lowered level (levels.py) LOWERED
# gives other marks
Goal = tuple[str, Callable[[Row], bool], Callable[[Row, Row], float | None], str, float | None, float | None, str]
RACE: list[Goal] = [
    ("kernels against PyTorch, geometric mean", is_kernel, PYTORCH, "mean", 1.7, 2.5, "x"),
    ("slowest kernel against PyTorch", is_kernel, PYTORCH, "lowest", 1.0, 1.2, "x"),
    ("training steps against PyTorch, geometric mean", is_step, PYTORCH, "mean", 2.0, 3.0, "x"),
    ("slowest training step against PyTorch", is_step, PYTORCH, "lowest", 1.2, 1.5, "x"),
    ("gemm, n >= 512: share of the multiply-add peak", is_large_gemm, of_limit("flops"), "lowest", 0.85, 0.92, "%"),
    ("small and odd gemm against the better of PyTorch and NumPy, geometric mean", is_small_gemm, BOTH, "mean", 1.0,
     1.5, "x"),
    ("slowest small or odd gemm", is_small_gemm, BOTH, "lowest", 1.0, 1.5, "x"),
    ("convolution 3x3: effective rate over the multiply-add peak", named("conv3x3-", forward=True), of_limit("flops"),
     "lowest", 0.85, 1.3, "%"),
    *[(f"{what}: share of the copy bandwidth", named(*names), of_limit("bytes"), "lowest", 0.7, 0.9, "%")
      for what, names in COPYING.items()],
    ("LSTM, GRU and RNN against PyTorch, slowest", named("lstm-", "gru-", "rnn-"), PYTORCH, "lowest", 1.2, 2.0, "x"),
    ("attention against PyTorch, slowest", named("attention-"), PYTORCH, "lowest", 2.0, 3.5, "x"),
    ("inference against ONNX Runtime, geometric mean", is_inference, ONNX, "mean", None, 1.0, "x"),
    ("slowest inference against ONNX Runtime", is_inference, ONNX, "lowest", None, 1.0, "x"),
]
LOWERED: dict[str, tuple[float, float | None]] = {
    "kernels against PyTorch, geometric mean": (1.3, None),
    "slowest kernel against PyTorch": (0.9, None),
    "training steps against PyTorch, geometric mean": (1.6, None),
    "slowest training step against PyTorch": (0.9, None),
    "gemm, n >= 512: share of the multiply-add peak": (0.85, None),
}


def measure(record: Row) -> list[Bar]:
    """The bars of a record, from its rows and parts.

    At a level below the machine's best only some figures have marks of their own; the others are
    reported.
    """
    found = []
    for what, chosen, figure, summary, asked, aim, unit in RACE:
        values, lowest = mean_and_lowest(record, [row for row in record.get("results", ()) if chosen(row)], figure)
        if record.get("lowered"):
            asked, aim = LOWERED.get(what, (None, None))
        mean = geometric_mean(values)
        if summary == "mean" and mean:
            found.append(Bar(what, mean, f"{len(values)} workloads, {sum(value >= 1 for value in values)} won", asked,
                             aim, unit))
        elif values and summary == "lowest":
            found.append(Bar(what, values[0], lowest, asked, aim, unit))
    return found + memory_bars(record) + scaling_bars(record) + overhead_bars(record) + sweep_bars(record)


def memory_bars(record: Row) -> list[Bar]:
    shares = [(row["peak"]["fastnn"]/row["peak"]["torch"], row["network"])
              for row in record.get("memory", {}).get("rows", ())
              if row["peak"].get("fastnn") and row["peak"].get("torch")]
    return [Bar("peak memory of a training step over PyTorch's, highest", *max(shares), 1.0, 0.5,
                most=True)] if shares else []


def scaling_bars(record: Row) -> list[Bar]:
    threads = record.get("scaling", {}).get("threads")
    asked, aim = (1.8, 1.95) if threads == 2 else (None, None)
    return [Bar(f"{threads} threads over one", row["speed-up"]["fastnn"], row["workload"], asked, aim)
            for row in record.get("scaling", {}).get("rows", ())
            if row["workload"] in ("gemm-1024/forward", "resnet18/step") and row["speed-up"].get("fastnn")]


def overhead_bars(record: Row) -> list[Bar]:
    found = []
    for name, what in (("tape", "tape"), ("layer", "tape and layer")):
        costs = [(1e6*(row[name] - row["kernel"]), row["op"]) for row in record.get("overhead", {}).get("rows", ())
                 if row[name]]
        if costs:
            found.append(Bar(f"overhead of {what} over the C call, highest", *max(costs), 2.0, 1.0, "us", most=True))
    return found


def sweep_bars(record: Row) -> list[Bar]:
    costs = [(row["cost"], f"{row['what']} of {row['size']}, {row['dtype']}")
             for row in record.get("sweep", {}).get("rows", ())]
    return [Bar("cost of an odd size over its neighbour's, highest", *max(costs), CLIFF, None,
                most=True)] if costs else []
