"""A race of few workloads that takes seconds: the speed table of the main job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .. import console
from .libraries import NAMES
from .race import Contestants, Result, geometric_mean, race
from .workloads import catalogue

__all__ = ["HIGHLIGHTS", "Highlights", "measure"]

ROUNDS, SECONDS = 7, 0.01   # rounds, and seconds of a contestant in each

HIGHLIGHTS = {              # workload -> what to call it
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


@dataclass(frozen=True)
class Highlights:
    """The outcome: who raced against fastnn, a result per workload, and what must be said."""

    rivals: list[str] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    note: str = ""
    means: dict[str, float] = field(default_factory=dict)   # rival -> geometric mean of the ratios
    warning: str = ""                               # why the figures mean little; "": they do not

    @property
    def remark(self) -> str:
        """The note, and the warning where there is one."""
        return f"{self.note} Note: {self.warning}." if self.warning else self.note

    def microseconds(self) -> list[tuple[str, float, dict[str, float | None]]]:
        """(what was measured, fastnn's time, {rival: its time}), where fastnn ran."""
        def scaled(seconds: float | None) -> float | None:
            return None if seconds is None else 1e6*seconds
        return [(HIGHLIGHTS[result.workload], 1e6*ours, {NAMES[rival]: scaled(result.median(rival))
                                                         for rival in self.rivals})
                for result in self.results if (ours := result.median("fastnn"))]

    def mistakes(self) -> Iterator[tuple[str, str, str]]:
        """(workload, library, why) where fastnn did not run, or a result differs from its."""
        for result in self.results:
            for who, why in {**result.refused, **result.wrong}.items():
                if who == "fastnn" or who in result.wrong:
                    yield HIGHLIGHTS[result.workload], NAMES[who], why


def measure(contestants: Contestants, warning: str = "") -> Highlights | None:
    """Race them; None where fastnn's own process did not start.

    warning: what `race.busy` said before anything was started.
    """
    versions = contestants.versions()
    if "fastnn" not in versions:
        return None
    rivals = [name for name in versions if name != "fastnn"]
    workloads = catalogue()
    raced = []
    for name, title in HIGHLIGHTS.items():
        console.progress(f"  measuring {title}")
        raced.append(race(contestants, workloads[name], ROUNDS, SECONDS))
    console.progress("")
    means = {rival: mean for rival in rivals if (mean := geometric_mean(result.ratio(rival) for result in raced))}
    note = (f"Medians of {ROUNDS} alternating rounds, {console.count(contestants.threads, 'thread')}, "
            f"each contestant in a process of its own: {', '.join(versions.values())}.")
    return Highlights(rivals, raced, note, means, warning)
