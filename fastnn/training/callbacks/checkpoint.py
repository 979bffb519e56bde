"""Checkpoint: the run is kept in a file after each epoch, and when it is left within one."""

from __future__ import annotations

import os

from ...guard import named
from ...io import check_path
from ..checkpoint import save
from ..state import State
from .base import Callback

__all__ = ["Checkpoint"]


class Checkpoint(Callback):
    """Write the whole run to a file, from which `fit(checkpoint=path)` takes it up again; `fit`
    makes it of checkpoint=.

    Written atomically after each epoch. A run that is left in the middle of an epoch, by Ctrl-C or
    state.stop(), is written as it stands between two batches, if its loader can tell where that is.
    """

    @named
    def __init__(self, path: str | os.PathLike[str]):
        check_path(path, "Checkpoint")
        self.path = path

    def on_epoch_end(self, state: State) -> None:
        save(self.path, state)

    def on_fit_end(self, state: State) -> None:
        if state.unfinished and state.resumable:
            save(self.path, state)
