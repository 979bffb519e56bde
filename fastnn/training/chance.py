"""A loss that stayed that of guessing: what `fit` notices when it ends."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import warn_once
from ..tensor import Tensor
from .callbacks import Callback
from .counting import Counting
from .means import accuracy_metric
from .state import State

__all__ = ["Chance"]

# Parts of log C.
NEAR = 0.02                                         # what a loss may be below that of guessing
FALLS = 0.005                                       # falling by so much an epoch is learning
STEPS = 20                                          # so many make good for bad start values


class Chance(Callback):
    """Warn where the loss of the last epoch is no better than that of guessing among C classes,
    log C, and no more labels are right than by naming one class always.

    C is the width of the scores. In a run's first epoch it counts the labels; of class
    probabilities and weights it says nothing, as their loss of guessing is another. Nor of a
    network whose loss still falls in each epoch, nor of one that has learned how frequent each
    class is, whose loss is below log C.
    """

    def __init__(self, loss: Callable[..., Any]) -> None:
        counting = Counting(loss)
        self.looks = counting.ours and counting.reduction == "mean" and bool(accuracy_metric(loss))
        self.by_class, self.ignored = counting.by_class, counting.ignore_index
        if not self.by_class and (isinstance(loss, functools.partial) or any(
                getattr(loss, name, None) is not None for name in ("weight", "pos_weight"))):
            self.looks = False
        self.first: int | None = None               # the epoch in which labels are counted
        self.labels = np.zeros(0, np.int64)

    def on_batch_end(self, state: State) -> None:
        if self.first is None:
            self.first = state.epoch
        if self.first != state.epoch or not self.looks:
            return
        output, target = state.output, np.asarray(getattr(state.target, "_data", state.target))
        kinds = "iu" if self.by_class else "fb"
        if not isinstance(output, Tensor) or output.ndim < 1 or target.dtype.kind not in kinds:
            self.looks = False
            return
        if self.by_class:
            classes = output.shape[min(output.ndim - 1, 1)]
            labels = target[(target != self.ignored) & (target >= 0)]
        else:                                       # yes or no, for each element
            labels, classes = target > 0.5, 2
        counts = np.bincount(labels.reshape(-1), minlength=classes)
        self.labels = counts if counts.size != self.labels.size else self.labels + counts

    def on_fit_end(self, state: State) -> None:
        rows, classes = state.history.rows, len(self.labels)
        if len(rows) < 2 or classes < 2 or not self.looks or "accuracy" not in rows[-1] or not self.labels.sum():
            return
        guessed, loss, right = math.log(classes), rows[-1]["loss"], rows[-1]["accuracy"]
        always = max(1 / classes, self.labels.max() / self.labels.sum())
        falls = [before["loss"] - after["loss"] for before, after in pairwise(rows)]
        above = loss > (1 + NEAR) * guessed         # of start values that are worse than guessing
        if above:
            learning = state.step < STEPS or (rows[0]["loss"] < 2 * guessed and min(falls) > NEAR * guessed)
        else:
            learning = right > rows[0]["accuracy"] and min(falls) > FALLS * guessed
        if loss >= (1 - NEAR) * guessed and right <= always + min(0.6 / classes, 0.06) and not learning:
            what = "worse than that of" if above else "that of"
            warn_once("chance-level loss", f"fit: after {len(rows)} epochs the loss is {loss:.3f}, {what} guessing "
                      f"among {classes} classes (log {classes} = {guessed:.3f}), and the accuracy {right:.2f}. Do "
                      "inputs and labels belong together, does the last layer give scores (no ReLU or softmax), and is "
                      "the learning rate right?")
