"""State: what a training run is at, for the loop and for every callback."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..guard import named_init
from ..layers.module import Module
from ..tensor import Tensor
from .means import Means, Metric

__all__ = ["State"]


@named_init
@dataclass
class State:
    """One training run. There is one object for the whole run, and callbacks may read all of it.

    What the run is made of:

    model, optimizer
    loss_function    function(output, target) -> scalar Tensor
    metrics          {name: function(output, target) -> float}, on NumPy arrays
    loader           the training data, batch by batch
    valid_loader     the validation data, or None
    epochs           how many in all
    history          the rows of the epochs that are over
    scheduler        of the learning rate, or None
    checkpoint       the file that keeps the run, or None
    callbacks        all of them, in their order

    Where it stands:

    epoch            number of the epoch that runs, from 1; after it, of the last one
    batch            number of the batch in its epoch, from 1; 0 between two epochs
    batches          how many there are in an epoch; None where the loader cannot tell
    step             optimiser steps since the training began
    means            the loss and the metrics so far in this epoch: `means.values()`
    row              the numbers of the epoch that is just over

    The batch at hand, from on_batch_start to on_batch_end:

    inputs           what the model is called with, a tuple
    target
    output           what the model returned
    loss             its loss, a number
    lr               the learning rate of its step, of the first group; None where none is told

    How it ends:

    stopping         stop() was called
    interrupted      Ctrl-C
    unfinished       an epoch was left before its last batch
    """

    model: Module
    optimizer: Any
    loss_function: Callable[..., Tensor]
    metrics: Mapping[str, Metric]
    loader: Any
    valid_loader: Any
    epochs: int
    history: Any
    scheduler: Any = None
    checkpoint: str | os.PathLike[str] | None = None
    callbacks: Sequence[Any] = ()

    epoch: int = 0
    batch: int = 0
    batches: int | None = None
    step: int = 0
    means: Means = field(default_factory=Means)
    row: dict[str, float] = field(default_factory=dict)

    inputs: tuple[Any, ...] = ()
    target: Any = None
    output: Any = None
    loss: float = float("nan")
    lr: float | None = None

    stopping: bool = False
    reason: str = ""
    interrupted: bool = False
    unfinished: bool = False
    torn: bool = False                              # left in the middle of a step
    started: float = 0.0                            # when the epoch began, by time.perf_counter

    def stop(self, reason: str = "") -> None:
        """End the run: at the end of this batch, or of this epoch if its last batch is over.

        An epoch that is left before its last batch has no row in the history. `reason`, if given,
        is told in the line of progress.
        """
        self.stopping, self.reason = True, reason or self.reason

    @property
    def seconds(self) -> float:
        """How long this epoch has run, interruptions left out."""
        return time.perf_counter() - self.started

    @property
    def resumable(self) -> bool:
        """Whether the run stands between two steps, and its loader can tell where."""
        return not self.torn and hasattr(self.loader, "state_dict") and hasattr(self.loader, "__len__")
