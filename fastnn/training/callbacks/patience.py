"""Patience: stop when training no longer helps, and keep the best weights."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np

from ...errors import RangeError, ShapeError
from ...guard import guard_all
from ..state import State
from .base import Callback

__all__ = ["Patience"]


class Patience(Callback):
    """Stop when the loss has not improved for some epochs, in the literature early stopping; `fit`
    makes it of patience= and restore_best=.

    Parameters
    ----------
    patience : int or None
        Epochs in a row without a loss below the lowest so far, after which the run ends; at least
        1. None: it never ends the run.
    restore_best : bool
        When the run is over, put back the weights of the epoch with the lowest loss. After Ctrl-C,
        or a stop in the middle of an epoch, the model keeps its last whole step.

    The loss is the validation loss, or the training loss where nothing is validated. A loss that is
    NaN is no improvement.

    Attributes
    ----------
    best : float
        The lowest loss so far.
    best_epoch : int
        The epoch that had it, from 1; 0 before the first.

    Cost: with `restore_best`, memory for one more copy of the model.

    Prechelt (1998), "Early stopping - but when?"
    """

    def __init__(self, patience: int | None, restore_best: bool = False):
        if patience is not None and (isinstance(patience, bool) or not isinstance(patience, Integral) or patience < 1):
            raise RangeError(who="Patience", expected="patience, a whole number >= 1, or None", got=repr(patience))
        self.patience, self.restore_best = patience, restore_best
        self.best, self.best_epoch = math.inf, 0
        self.weights: dict[str, np.ndarray] | None = None

    def on_fit_start(self, state: State) -> None:
        if self.best_epoch == 0:                    # epochs of a run that was not watched
            for number, row in enumerate(state.history, 1):
                self._look(number, row)
        self._decide(state)

    def on_epoch_end(self, state: State) -> None:
        if self._look(state.epoch, state.row) and self.restore_best:
            self.weights = {key: t.data.copy() for key, t in state.model.state_dict().items()}
        self._decide(state)

    def on_fit_end(self, state: State) -> None:
        if self.weights is not None and self.restore_best and not state.interrupted and not state.unfinished:
            state.model.load_state_dict(self.weights)

    def _look(self, epoch: int, row: Mapping[str, float]) -> bool:
        """Whether this epoch is the best so far."""
        loss = row.get("valid_loss", row["loss"])
        if loss < self.best:
            self.best, self.best_epoch = loss, epoch
            return True
        return False

    def _decide(self, state: State) -> None:
        if self.patience is not None and state.epoch - self.best_epoch >= self.patience:
            state.history.stopped_early = True
            kept = "; its weights are put back" if self.weights is not None else ""
            state.stop(f"stopped: no better than epoch {self.best_epoch} for {self.patience} epochs{kept}")

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if not isinstance(state, Mapping) or set(state) != {"best", "best_epoch", "weights"}:
            raise RangeError(who="Patience", expected="the keys best, best_epoch and weights",
                             got=sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__)
        best, epoch, weights = state["best"], state["best_epoch"], state["weights"]
        if isinstance(best, bool) or not isinstance(best, (int, float)) or type(epoch) is not int or epoch < 0:
            raise RangeError(who="Patience", expected="a number and an epoch", got=f"{best!r} and {epoch!r}")
        if not best <= math.inf or (best < math.inf) != (epoch > 0):
            raise RangeError(who="Patience", expected="the lowest loss and its epoch, or infinity and 0",
                             got=f"{best!r} and {epoch!r}")
        if weights is not None and (not isinstance(weights, Mapping)
                                    or not all(isinstance(a, np.ndarray) for a in weights.values())):
            raise RangeError(who="Patience", expected="weights, arrays by name", got=type(weights).__name__)
        self.best, self.best_epoch = float(best), epoch
        self.weights = None if weights is None else dict(weights)

    def check(self, state: State) -> None:
        if self.best_epoch > len(state.history):
            raise RangeError(who="Patience", expected=f"best_epoch, one of {len(state.history)}", got=self.best_epoch)
        shapes = {key: t.shape for key, t in state.model.state_dict().items()}
        if self.weights is not None and {key: a.shape for key, a in self.weights.items()} != shapes:
            raise ShapeError("the best weights are of another model", who="Patience",
                             expected=f"{len(shapes)} arrays of the model's names and shapes",
                             got=", ".join(f"{key} {a.shape}" for key, a in self.weights.items()
                                           if shapes.get(key) != a.shape) or f"{len(self.weights)} arrays")
        if self.weights is not None:
            state.model._fitting(self.weights)      # they are loaded when the run is over


guard_all(globals())
