"""fit: the loop that every course writes, once, with what goes wrong taken care of.

    for x, y in loader:
        optimizer.zero_grad()
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()

`fit` checks its arguments and makes callbacks of them, `_run` goes through the epochs, `_epoch`
through the batches of one. Everything else happens in callbacks (callbacks/base.py).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..guard import named
from ..io import check_path
from ..layers.modes import TrainingMode, keeping_modes
from ..layers.module import Module, hidden_layers
from ..moved import moved_names
from ..optim import Adam
from ..random import random_state
from ..tensor import Tensor
from .batches import length, loader_of, loss_of, nothing_counts, optimizer_of, parts, scalar_loss, tell_strange
from .buffers import Buffers
from .callbacks import Callback, Checkpoint, Clipping, History, OnEpoch, Patience, Points, progress_line, schedule
from .callbacks.base import check_callbacks
from .chance import Chance
from .checkpoint import restore
from .counting import Counting
from .evaluation import measure
from .interrupt import CalmInterrupt
from .means import Means, Metric, accuracy_metric, check_metrics
from .nonfinite import explain
from .state import State

__all__ = ["fit"]


@named
def fit(model: Module, train: Any, valid: Any = None, *, loss: str | Callable[..., Tensor] = "cross_entropy",
        optimizer: Any = None, epochs: int = 1, batch_size: int = 32, metrics: Mapping[str, Metric] | None = None,
        scheduler: Any = None, clip_norm: float | None = None, patience: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None, resume: bool = True, progress: bool = True,
        on_epoch: Callable[[int, dict[str, float]], Any] | None = None, restore_best: bool = False,
        callbacks: Iterable[Callback] = ()) -> History:
    """Train a model: forward, loss, backward, step, for every batch of every epoch.

    Parameters
    ----------
    model : Module
        Changed in place. Each of its layers is left in the mode, training or not, in which it was.
        A layer in eval mode inside a model in training mode stays so while it is trained: that is
        how batch norm's statistics are frozen.
    train, valid : DataLoader, dataset, tuple of arrays, or any iterable of batches
        A batch, like such a tuple, is (inputs..., target).
        Datasets and tuples are batched by `batch_size`, train shuffled. valid is run after each
        epoch, in eval mode, without gradients. A batch in which no label counts (all are the loss's
        `ignore_index`) is passed over.
    loss : str or function(output, target) -> scalar Tensor
        A name in nn.functional: "cross_entropy", "mse", "binary_cross_entropy_with_logits", ...
    optimizer : Optimizer or its name, optional
        "adam", "sgd", ...: with its defaults. Default: "adam".
    epochs : int
        How many in all; a resumed run does the rest.
    metrics : {name: function(output, target) -> float}, optional
        On NumPy arrays; default: accuracy for losses of classification.
    scheduler : object with .step(), optional
        Called after each epoch; after each optimiser step if its `interval` is "step". A
        ReduceLROnPlateau gets the validation loss, or its `metric`.
    clip_norm : float, optional
        Scale the gradients down when their norm is above this.
    patience : int, optional
        Stop when the validation loss (training loss without valid) has not improved for this many
        epochs.
    checkpoint : path ending in .npz or .safetensors, optional
        Written, atomically, after each epoch and at Ctrl-C. If it exists and `resume` is true,
        training goes on from it, bit for bit as if it had not stopped. Unless all of it fits,
        nothing is changed: neither model nor optimiser, loader, scheduler, callbacks or random
        streams.
    progress : bool
        A line per epoch; live in a terminal or a notebook.
    on_epoch : function(epoch, row), optional
        Called after each epoch; return True to stop.
    restore_best : bool
        Put back the weights of the epoch with the lowest validation loss when the run is over.
    callbacks : list of Callback, optional
        What else is to happen at the points of the run; see `nn.training.Callback`.

    Returns
    -------
    History : one row per epoch: means of the loss and the metrics, "lr", the learning rate of the
    first group in the last step of the epoch, and "seconds". Ctrl-C does not lose it: the rows so
    far come back, `interrupted` is set, and the model keeps its last whole step.

    Raises
    ------
    NonFiniteError
        The loss became NaN or infinite; names the first layer that made it. The model is as it was
        before that step.
    RangeError, DTypeError
        An argument outside its range, before any work is done.
    FileError
        The checkpoint is damaged, or of another run; names what does not fit.
    ShapeError
        There is no batch, or a batch is not (inputs..., target).

    Cost per batch, beside forward, loss, backward and step: a copy of the model's buffers, so that
    a step that fails can be undone, and the metrics.

    Examples
    --------
    >>> import numpy as np, fastnn as nn
    >>> nn.seed(0)
    >>> x = np.random.default_rng(0).standard_normal((64, 2)).astype("float32")
    >>> y = (x[:, 0] > x[:, 1]).astype("int64")
    >>> model = nn.Linear(2, 2)
    >>> optimizer = nn.optim.Adam(model.parameters(), lr=0.1)
    >>> history = nn.fit(model, (x, y), epochs=20, optimizer=optimizer, progress=False)
    >>> history["accuracy"][-1] > 0.9
    True
    """
    optimizer = optimizer_of(optimizer, model)
    _check(model, train, optimizer, epochs, metrics, scheduler, clip_norm, patience, checkpoint, on_epoch)
    mine = [*check_callbacks(callbacks), *([OnEpoch(on_epoch)] if on_epoch is not None else [])]
    history = History()
    state = State(
        model, optimizer=Adam(model.parameters()) if optimizer is None else optimizer,
        loss_function=loss_of(loss, "fit"), metrics=accuracy_metric(loss) if metrics is None else metrics,
        loader=loader_of(train, batch_size, True, "fit"),
        valid_loader=None if valid is None else loader_of(valid, batch_size, False, "fit, validation"),
        epochs=epochs, history=history, scheduler=scheduler, checkpoint=checkpoint)
    state.callbacks = [
        *([schedule(scheduler)] if scheduler is not None else []),
        *([Clipping(clip_norm)] if clip_norm is not None else []),
        history,
        *([Patience(patience, restore_best)] if patience is not None or restore_best else []),
        *([progress_line()] if progress else []),
        *mine,
        *([Checkpoint(checkpoint)] if checkpoint is not None else []),
    ]
    if checkpoint is not None and resume and os.path.exists(checkpoint):
        restore(checkpoint, state)
    with keeping_modes(model):
        _run(state, Points([*state.callbacks, Chance(state.loss_function)], users=mine))
    return history


def _run(state: State, points: Points) -> None:
    """Epoch after epoch, until all are done, a callback stops the run, or Ctrl-C."""
    mode = TrainingMode(state.model)
    mode.on()                                       # before a callback may change it
    with CalmInterrupt() as interrupt:
        try:
            for call in points.on_fit_start:
                call(state)
            while state.epoch < state.epochs and not state.stopping and not interrupt.requested:
                if not _epoch(state, points, interrupt, mode):
                    state.unfinished = True
                    break
                state.row = {"epoch": state.epoch, **state.means.values()}
                if state.valid_loader is not None:
                    found = measure(state.model, state.valid_loader, state.loss_function, state.metrics,
                                    "fit, validation")
                    state.row.update({f"valid_{name}": value for name, value in found.items()})
                if state.lr is not None:
                    state.row["lr"] = state.lr
                state.row["seconds"] = state.seconds
                state.batch, state.means = 0, Means(state.metrics)
                for call in points.on_epoch_end:
                    call(state)
        except KeyboardInterrupt:           # a second Ctrl-C, or one that could not be held back
            state.torn = state.unfinished = state.interrupted = True
        state.interrupted = state.history.interrupted = state.interrupted or interrupt.requested
        for call in points.on_fit_end:
            call(state)


def _epoch(state: State, points: Points, interrupt: CalmInterrupt, mode: TrainingMode) -> bool:
    """The batches of one epoch, or those that are left of it; False if it was left early."""
    model, optimizer, loss_function = state.model, state.optimizer, state.loss_function
    state.epoch += 1
    if state.batch == 0:
        state.started, state.means = time.perf_counter(), Means(state.metrics)
    state.batches = length(state.loader)
    mode.on()
    for call in points.on_epoch_start:
        call(state)
    if state.stopping:
        return False
    on_batch_start, on_step, on_batch_end = points.on_batch_start, points.on_step, points.on_batch_end
    buffers, counting, seen = Buffers(model), Counting(loss_function), False
    for batch in state.loader:
        state.inputs, state.target = parts(batch)
        state.batch += 1
        weight, size = counting(state.inputs, state.target)
        seen = True
        if weight == 0:                 # a mean over nothing is NaN, and there is nothing to learn
            continue
        buffers.keep()
        try:
            for call in on_batch_start:
                call(state)
            random = random_state()             # explain runs the batch again with the same dropout
            optimizer.zero_grad()
            state.output = model(*state.inputs)
            loss = scalar_loss(loss_function, state.output, state.target, "fit")
            state.loss = loss.item()
            if not math.isfinite(state.loss):
                buffers.put_back()
                raise explain(model, state.inputs, state.target, state.loss, random,
                              f"epoch {state.epoch}, batch {state.batch}")
            loss.backward()
            for call in on_step:
                call(state)
            state.lr = _learning_rate(optimizer)
            optimizer.step()
        except BaseException as error:
            buffers.put_back()              # the step was not done, so the model is as before it
            tell_strange(error, state.inputs, state.target, "fit")
            raise
        state.step += 1
        state.means.add(state.loss, state.output, state.target, size, weight, counting.summed)
        for call in on_batch_end:
            call(state)
        state.output = None                         # its memory serves the next batch
        # after the last batch the epoch is validated and recorded first
        if (state.stopping or interrupt.requested) and state.batch != state.batches:
            return False
    if state.means.count == 0:
        raise nothing_counts("the training data", seen, "fit")
    return True


def _check(model: Any, train: Any, optimizer: Any, epochs: Any, metrics: Any, scheduler: Any, clip_norm: Any,
           patience: Any, checkpoint: Any, on_epoch: Any) -> None:
    """Refuse arguments that make no sense before any work is done."""
    def require(holds: bool, error: type[DTypeError] | type[RangeError], expected: str, got: Any) -> None:
        if not holds:
            raise error(who="fit", expected=expected, got=got)

    def whole(value: Any, least: int) -> bool:
        return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least

    for name, value in (("model", model), ("optimizer", optimizer), ("scheduler", scheduler)):
        if isinstance(value, type):
            raise DTypeError(who="fit", expected=f"{name}: an object", got=f"the class {value.__name__}",
                             hint=f"Write {name}={value.__name__}(...).")
    require(isinstance(model, Module), DTypeError, "a model, that is, a Module", type(model).__name__)
    if isinstance(train, (Tensor, np.ndarray)):
        raise DTypeError(who="fit", expected="train, a tuple of arrays (inputs..., target)", got="one array",
                         hint="Write fit(model, (x, y)).")
    require(whole(epochs, 0), RangeError, "epochs, a whole number >= 0", epochs)
    require(patience is None or whole(patience, 1), RangeError, "patience, a whole number >= 1, or None", patience)
    require(clip_norm is None or (isinstance(clip_norm, Real) and float(clip_norm) > 0), RangeError,
            "clip_norm > 0, or None", clip_norm)
    require(optimizer is None or all(callable(getattr(optimizer, name, None)) for name in ("step", "zero_grad")),
            DTypeError, "an optimizer with step() and zero_grad()", type(optimizer).__name__)
    trained = [p.requires_grad for p in model.parameters()]
    if not any(trained):
        lost = hidden_layers(model)
        raise RangeError("all parameters are frozen" if trained else "the model has no parameters", who="fit",
                         expected="parameters to train", hint=lost[0] if lost else
                         "Unfreeze some: model.requires_grad_(True), or one layer's." if trained else "")
    require(not _strangers(model, optimizer), RangeError, "an optimizer over parameters of this model",
            "one over none of them: was it made for another model, or before the parameters were replaced?")
    require(scheduler is None or callable(getattr(scheduler, "step", None)), DTypeError,
            "a scheduler with step()", type(scheduler).__name__)
    check_metrics(metrics, "fit")
    require(on_epoch is None or callable(on_epoch), DTypeError, "on_epoch, a function(epoch, row)",
            type(on_epoch).__name__)
    if checkpoint is not None:
        check_path(checkpoint, "fit, checkpoint")
        require(optimizer is None or hasattr(optimizer, "state_dict"), DTypeError,
                "an optimizer with state_dict() and load_state_dict(), for the checkpoint", type(optimizer).__name__)


def _learning_rate(optimizer: Any) -> float | None:
    """Of the first group, where the optimiser tells it."""
    groups = getattr(optimizer, "param_groups", None)
    rate = groups[0].get("lr") if isinstance(groups, list) and groups and isinstance(groups[0], Mapping) else None
    return float(rate) if isinstance(rate, (Real, Tensor)) else None


def _strangers(model: Module, optimizer: Any) -> bool:
    """Whether an optimiser tells its parameters, and not one of them is the model's."""
    groups = getattr(optimizer, "param_groups", None)
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) and "params" in group for group in groups):
        return False
    mine = {id(p) for p in model.parameters()}
    return bool(mine) and not any(id(p) in mine for group in groups for p in group["params"])


moved_names(__name__)
