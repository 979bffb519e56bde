"""Progress: one line per epoch; where somebody watches, it is rewritten as the epoch goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TextIO

from ...console import Line
from ...guard import named
from ..state import State
from .base import Callback

__all__ = ["LiveProgress", "Progress", "progress_line"]

# seconds between two rewrites: a fast loop must not spend its time on printing
INTERVAL = 0.1
WIDTH = 20                          # characters of the bar


def progress_line(stream: TextIO | None = None) -> Progress:
    """The line that suits the stream, by default standard output: live where somebody watches."""
    line = Line(stream)
    return (LiveProgress if line.live else Progress)(line)


class Progress(Callback):
    """A line when an epoch is over, and one when the run is; `fit` makes it of progress=True.

        epoch  2/5  loss 0.4312  accuracy 0.8710  1.2 s
    """

    @named
    def __init__(self, line: Line | None = None):
        self.line = line or Line()

    def on_epoch_end(self, state: State) -> None:
        self.line.finish(f"{head(state)}  {numbers(state.row)}")

    def on_fit_end(self, state: State) -> None:
        if state.interrupted and state.unfinished:
            kept = ""
            if state.checkpoint is not None and state.resumable:
                kept = f", and {os.fspath(state.checkpoint)} resumes from it"
            self.line.finish(f"interrupted in epoch {state.epoch}: the model keeps its last whole step{kept}")
        elif state.interrupted:
            self.line.finish(f"interrupted after epoch {state.epoch}")
        elif state.reason:
            self.line.finish(state.reason)


class LiveProgress(Progress):
    """The line is there while the epoch runs, with a bar.

        epoch  2/5  [##########----------]  12/23  loss 0.4312  accuracy 0.8710
    """

    @named
    def __init__(self, line: Line | None = None):
        super().__init__(line)
        self.last = -INTERVAL                       # when the line was written last

    def on_batch_end(self, state: State) -> None:
        now = time.monotonic()
        if now - self.last >= INTERVAL:
            self.last = now
            filled = WIDTH * state.batch // state.batches if state.batches else 0
            bar = f"[{'#' * filled}{'-' * (WIDTH - filled)}]"
            self.line.rewrite(f"{head(state)}  {bar}  {state.batch}/{state.batches or '?'}  "
                              f"{numbers(state.means.values())}")


def head(state: State) -> str:
    """epoch  3/12"""
    return f"epoch {state.epoch:>{len(str(state.epochs))}}/{state.epochs}"


def numbers(row: Mapping[str, float]) -> str:
    """The numbers of an epoch with their names."""
    parts = []
    for key, value in row.items():
        if key == "seconds":
            parts.append(f"{value:.1f} s")
        elif key not in ("epoch", "lr"):
            parts.append(f"{key.replace('_', ' ')} {value:.4f}")
    return "  ".join(parts)
