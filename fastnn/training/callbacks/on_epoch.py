"""on_epoch: a function as a callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...guard import named
from ..state import State
from .base import Callback

__all__ = ["OnEpoch"]


class OnEpoch(Callback):
    """Calls function(epoch, row) after each epoch, and ends the run when it returns True; `fit`
    makes it of on_epoch=.
    """

    @named
    def __init__(self, function: Callable[[int, dict[str, float]], Any]):
        self.function = function

    def on_epoch_end(self, state: State) -> None:
        if self.function(state.epoch, state.row):
            state.stop()
