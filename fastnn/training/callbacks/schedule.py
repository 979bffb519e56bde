"""Schedule: the learning rate changes after each epoch, or after each step."""

from __future__ import annotations

from typing import Any

from ...errors import DTypeError
from ...guard import named
from ..state import State
from .base import Callback

__all__ = ["Schedule", "StepSchedule", "schedule"]


def schedule(scheduler: Any) -> Schedule:
    """The callback that calls scheduler.step() as often as the scheduler says.

    After each optimiser step if its `interval` is "step", else after each epoch.
    """
    return (StepSchedule if getattr(scheduler, "interval", "epoch") == "step" else Schedule)(scheduler)


class Schedule(Callback):
    """Calls scheduler.step() after each epoch; `fit` makes it of scheduler=.

    One with a method metric_of(row), as ReduceLROnPlateau, gets that number of the epoch's row. A
    checkpoint keeps the scheduler's own state.
    """

    @named
    def __init__(self, scheduler: Any):
        if isinstance(scheduler, type) or not callable(getattr(scheduler, "step", None)):
            raise DTypeError(who="Schedule", expected="a scheduler with step()",
                             got=f"the class {scheduler.__name__}" if isinstance(scheduler, type)
                             else type(scheduler).__name__)
        self.scheduler = scheduler

    def on_epoch_end(self, state: State) -> None:
        metric_of = getattr(self.scheduler, "metric_of", None)
        if metric_of is None:
            self.scheduler.step()
        else:
            self.scheduler.step(metric_of(state.row))


class StepSchedule(Schedule):
    """Calls scheduler.step() after each optimiser step."""

    def on_batch_end(self, state: State) -> None:
        self.scheduler.step()

    def on_epoch_end(self, state: State) -> None:
        """Nothing: each step has been counted."""
