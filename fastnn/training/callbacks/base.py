"""Callback, the base of all callbacks, and Points, which calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...errors import DTypeError, RangeError
from ..state import State

__all__ = ["POINTS", "Callback", "Points"]


class Callback:
    """Something that happens at the points of a training run. Override what you need.

        on_fit_start
        for each epoch:
            on_epoch_start
            for each batch:
                on_batch_start      state.inputs, state.target may be changed
                                    forward, loss, backward
                on_step             gradients are there, the optimiser has not stepped yet
                                    the optimiser's step
                on_batch_end
                                    validation
            on_epoch_end            state.row has the epoch's numbers
        on_fit_end

    Each method gets the run's State, the same object at every point. `state.stop()` ends the run.
    Callbacks are called in their order: those that `fit` makes of its arguments (schedule,
    clipping, history, patience, progress), then yours, then on_epoch= and the checkpoint. An epoch
    that is taken up from a checkpoint in its middle gets on_epoch_start again. on_fit_end comes
    however the run ends, Ctrl-C included, except by an error.

    An error in a callback ends the run. It is raised as it is, with a note that names the callback
    and the point; the model is as after its last whole step.

    A callback with a memory that has to survive an interruption defines state_dict and
    load_state_dict too: checkpoints then keep it.

    >>> import numpy as np, fastnn as nn
    >>> class StopAt(nn.training.Callback):
    ...     "Stop as soon as the training accuracy of an epoch is good enough."
    ...     def __init__(self, accuracy):
    ...         self.accuracy = accuracy
    ...     def on_epoch_end(self, state):
    ...         if state.row["accuracy"] >= self.accuracy:
    ...             state.stop()
    >>> x = np.random.default_rng(0).standard_normal((64, 2)).astype("float32")
    >>> y = (x[:, 0] > x[:, 1]).astype("int64")
    >>> model = nn.Linear(2, 2)
    >>> optimizer = nn.optim.Adam(model.parameters(), lr=0.1)
    >>> history = nn.fit(model, (x, y), epochs=100, optimizer=optimizer, callbacks=[StopAt(0.9)],
    ...                  progress=False)
    >>> len(history) < 100 and history["accuracy"][-1] >= 0.9
    True
    """

    def on_fit_start(self, state: State) -> None:
        """Before the first epoch, after a checkpoint was taken up."""

    def on_epoch_start(self, state: State) -> None:
        """The model is in training mode; no batch has been drawn."""

    def on_batch_start(self, state: State) -> None:
        """state.inputs and state.target are the batch."""

    def on_step(self, state: State) -> None:
        """state.output, state.loss and the gradients are there; the optimiser steps next."""

    def on_batch_end(self, state: State) -> None:
        """The parameters have changed; state.step counts this step."""

    def on_epoch_end(self, state: State) -> None:
        """state.row is the epoch's row in the history."""

    def on_fit_end(self, state: State) -> None:
        """The run is over."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of this callback: arrays and plain values."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken. Check everything before changing anything."""
        if state:
            raise RangeError(f"{type(self).__name__} keeps no state", who="fit", got=sorted(map(str, state)))

    def check(self, state: State) -> None:
        """Raise if what load_state_dict took does not fit this run.

        Then nothing of the checkpoint is taken.
        """


POINTS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class Points:
    """The methods to call at each point, in order: those that a callback overrides, and no others.

    A point where nothing happens costs nothing: its list is empty.
    """

    on_fit_start: Sequence[Callable[[State], Any]]
    on_epoch_start: Sequence[Callable[[State], Any]]
    on_batch_start: Sequence[Callable[[State], Any]]
    on_step: Sequence[Callable[[State], Any]]
    on_batch_end: Sequence[Callable[[State], Any]]
    on_epoch_end: Sequence[Callable[[State], Any]]
    on_fit_end: Sequence[Callable[[State], Any]]

    def __init__(self, callbacks: Iterable[Callback], users: Iterable[Callback] = ()):
        """`users` : those of the callbacks that the user brought, whose errors are to name them."""
        names = {id(callback) for callback in users}
        for point in POINTS:
            calls = []
            for callback in callbacks:
                method = getattr(callback, point)
                if getattr(type(callback), point) is not getattr(Callback, point):
                    calls.append(named(method, callback, point) if id(callback) in names else method)
            setattr(self, point, calls)


def named(method: Callable[[State], Any], callback: Callback, point: str) -> Callable[[State], None]:
    """The method, and where it raises a note on the error that says which one it was."""
    def call(state: State) -> None:
        try:
            method(state)
        except Exception as error:
            batch = f", batch {state.batch}" if state.batch else ""
            note = (f"in the callback {type(callback).__name__}.{point}, epoch {state.epoch}{batch}; "
                    "the model is as after its last whole step")
            # what add_note does from Python 3.11 on
            error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
            raise
    return call


def check_callbacks(callbacks: Any) -> list[Callback]:
    """The user's callbacks as a list, each looked at before any work is done.

    Raises
    ------
    DTypeError
        Something that is no callback.
    RangeError
        A method that looks like a point and is none: it would never be called.
    """
    if isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable):
        raise DTypeError(who="fit, callbacks", expected="a list of callbacks", got=type(callbacks).__name__,
                         hint="Write callbacks=[...].")
    found = list(callbacks)
    for callback in found:
        if isinstance(callback, type):
            raise DTypeError(who="fit, callbacks", expected="an object", got=f"the class {callback.__name__}",
                             hint=f"Write {callback.__name__}().")
        if not isinstance(callback, Callback):
            raise DTypeError(who="fit, callbacks", expected="objects of classes derived from nn.training.Callback",
                             got=type(callback).__name__, hint="A function goes to on_epoch=.")
        for name in POINTS:
            if not callable(getattr(callback, name)):
                raise DTypeError(f"{type(callback).__name__}.{name} cannot be called", who="fit, callbacks",
                                 expected="a method of (self, state)", got=type(getattr(callback, name)).__name__)
        for name in dir(type(callback)):
            if name.startswith("on_") and name not in POINTS and callable(getattr(callback, name)):
                raise RangeError(f"{type(callback).__name__}.{name} would never be called", who="fit, callbacks",
                                 expected=f"one of {', '.join(POINTS)}", got=name)
    if len({id(callback) for callback in found}) < len(found):
        raise RangeError("a callback stands in the list twice", who="fit, callbacks")
    return found
