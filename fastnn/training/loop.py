"""fit: the loop that every course writes, once, with what goes wrong taken care of.

    for x, y in loader:
        loss = loss_function(model(x), y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import functional
from ..autograd import no_grad
from ..data import DataLoader, TensorDataset
from ..errors import FileError, RangeError, ShapeError
from ..io import load, save
from ..layers.module import Module
from ..random import random_state, set_random_state
from ..tensor import Tensor, tensor
from .history import History
from .interrupt import CalmInterrupt
from .nonfinite import explain
from .progress import Progress

__all__ = ["evaluate", "fit", "predict"]

Metric = Callable[[np.ndarray, np.ndarray], float]


def _loss_function(loss: str | Callable[..., Tensor]) -> Callable[..., Tensor]:
    if callable(loss):
        return loss
    for name in (loss, f"{loss}_loss"):
        if hasattr(functional, name):
            return getattr(functional, name)
    raise RangeError(f"there is no loss {loss!r}", who="fit",
                     hint="Use the name of a function in nn.functional, like 'cross_entropy' or 'mse', or pass a function.")


def _loader(data: Any, batch_size: int, shuffle: bool) -> Any:
    """Batches from whatever was given: a DataLoader, a dataset, or a tuple of arrays."""
    if isinstance(data, DataLoader) or data is None:
        return data
    if isinstance(data, (tuple, list)):
        data = TensorDataset(*data)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        return DataLoader(data, batch_size=batch_size, shuffle=shuffle)
    return data                                     # any iterable of batches


def _accuracy_metric(loss: Any) -> Mapping[str, Metric]:
    """Accuracy where the loss is one of classification, else nothing."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if name in ("cross_entropy", "CrossEntropyLoss", "nll", "nll_loss", "NLLLoss"):
        def accuracy(output: np.ndarray, target: np.ndarray) -> float:
            if target.dtype.kind == "f":            # class probabilities
                target = target.argmax(1)
            return float((output.argmax(1) == target).mean()) if output.ndim > 1 else float(output.argmax() == target)
        return {"accuracy": accuracy}
    if name in ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"):
        return {"accuracy": lambda output, target: float(((output > 0) == (target > 0.5)).mean())}
    if name in ("binary_cross_entropy", "BCELoss"):
        return {"accuracy": lambda output, target: float(((output > 0.5) == (target > 0.5)).mean())}
    return {}


class _Means:
    """Means over samples of the loss and the metrics, batch by batch."""

    def __init__(self, metrics: Mapping[str, Metric], state: Mapping[str, Any] | None = None):
        self.metrics = metrics
        self.count = int(state["count"]) if state else 0
        self.sums: dict[str, float] = dict(state["sums"]) if state else dict.fromkeys(["loss", *metrics], 0.0)

    def add(self, loss: float, output: Any, target: Any, size: int) -> None:
        self.count += size
        self.sums["loss"] += loss * size
        if self.metrics:
            out, true = np.asarray(output.data if isinstance(output, Tensor) else output), np.asarray(target)
            for name, metric in self.metrics.items():
                self.sums[name] += metric(out, true) * size

    def values(self, prefix: str = "") -> dict[str, float]:
        return {prefix + name: total / max(self.count, 1) for name, total in self.sums.items()}

    def state(self) -> dict[str, Any]:
        return {"count": self.count, "sums": dict(self.sums)}


def _parts(batch: Any) -> tuple[tuple[Any, ...], Any]:
    """(inputs, target): the last field is the target, everything before it goes to the model."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise ShapeError("a batch must be (inputs..., target)", who="fit", got=type(batch).__name__,
                         hint="Make the dataset with TensorDataset(x, y).")
    return tuple(batch[:-1]), batch[-1]


def fit(model: Module, train: Any, valid: Any = None, *, loss: str | Callable[..., Tensor] = "cross_entropy",
        optimizer: Any = None,
        epochs: int = 1, batch_size: int = 32, metrics: Mapping[str, Metric] | None = None, scheduler: Any = None,
        clip_norm: float | None = None, patience: int | None = None, checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = True, progress: bool = True,
        on_epoch: Callable[[int, dict[str, float]], Any] | None = None) -> History:
    """Train a model: forward, loss, backward, step, for every batch of every epoch.

    Parameters
    ----------
    model : Module
        Changed in place; left in training mode as it was found.
    train, valid : DataLoader, dataset, tuple of arrays (inputs..., target), or any iterable of such
    batches
        Datasets and tuples are batched by `batch_size`, train shuffled. valid is run after each
        epoch, in eval mode, without gradients.
    loss : str or function(output, target) -> scalar Tensor
        A name in nn.functional: "cross_entropy", "mse", "binary_cross_entropy_with_logits", ...
    optimizer : Optimizer, optional
        Default: Adam with its defaults.
    epochs : int
        How many in all; a resumed run does the rest.
    metrics : {name: function(output, target) -> float}, optional
        On NumPy arrays; default: accuracy for losses of classification.
    scheduler : with .step(), called after each epoch.
    clip_norm : float, optional
        Scale the gradients down when their norm is above this.
    patience : int, optional
        Stop when the validation loss (training loss without valid) has not improved for this many
        epochs.
    checkpoint : path ending in .npz or .safetensors, optional
        Written, atomically, after each epoch and at Ctrl-C. If it exists and `resume` is true,
        training goes on from it, bit for bit as if it had not stopped.
    progress : bool
        A line per epoch; live in a terminal or a notebook.
    on_epoch : function(epoch, row), optional
        Called after each epoch; return True to stop.

    Returns
    -------
    History : one row per epoch. Ctrl-C does not lose it: the rows so far come back, `interrupted`
    is set, and the model keeps its last whole step.

    Raises
    ------
    NonFiniteError
        The loss became NaN or infinite; names the first layer that made it. The model is as it was
        before that step.

    >>> import numpy as np, fastnn as nn
    >>> nn.seed(0)
    >>> x = np.random.default_rng(0).standard_normal((64, 2)).astype("float32")
    >>> y = (x[:, 0] > x[:, 1]).astype("int64")
    >>> model = nn.Linear(2, 2)
    >>> history = nn.fit(model, (x, y), epochs=20, optimizer=nn.optim.Adam(model.parameters(), lr=0.1), progress=False)
    >>> history["accuracy"][-1] > 0.9
    True
    """
    if epochs < 0:
        raise RangeError(who="fit", expected="epochs >= 0", got=epochs)
    loss_function = _loss_function(loss)
    metrics = _accuracy_metric(loss) if metrics is None else metrics
    loader, valid_loader = _loader(train, batch_size, True), _loader(valid, batch_size, False)
    if optimizer is None:
        from ..optim import Adam
        optimizer = Adam(model.parameters())
    history, start, partial = History(), 0, None
    if checkpoint is not None and resume and os.path.exists(checkpoint):
        history, start, partial = _restore(checkpoint, model, optimizer, loader, scheduler)
    line = Progress(epochs, progress)
    best = min((row.get("valid_loss", row["loss"]) for row in history), default=float("inf"))
    best_epoch = next((i for i, row in enumerate(history) if row.get("valid_loss", row["loss"]) == best), -1)
    was_training = model.training
    means = _Means(metrics, partial)
    epoch = start
    try:
        with CalmInterrupt() as interrupt:
            while epoch < epochs and not interrupt.requested:
                model.train()
                clock = time.perf_counter() - (partial["seconds"] if partial else 0.0)
                total = len(loader) if hasattr(loader, "__len__") else 0
                done = -(-means.count // loader.batch_size) if partial else 0
                for batch in loader:
                    inputs, target = _parts(batch)
                    _step(model, inputs, target, loss_function, optimizer, clip_norm, means,
                          f"epoch {epoch + 1}, batch {done + 1}")
                    done += 1
                    line.batch(epoch + 1, done, total, means.values())
                    # after the last batch the epoch is rounded off first
                    if interrupt.requested and done < total:
                        raise KeyboardInterrupt
                if means.count == 0:
                    raise ShapeError("the training data has no batch", who="fit",
                                     hint="Is the dataset empty, or drop_last with too few samples?")
                row = {"epoch": epoch + 1, **means.values()}
                if valid_loader is not None:
                    row.update({f"valid_{k}": v for k, v in evaluate(model, valid_loader, loss=loss_function,
                                                                     metrics=metrics).items()})
                row["seconds"] = time.perf_counter() - clock
                if scheduler is not None:
                    scheduler.step()
                history.append(row)
                epoch, partial, means = epoch + 1, None, _Means(metrics)
                watched = row.get("valid_loss", row["loss"])
                if watched < best:
                    best, best_epoch = watched, epoch - 1
                if checkpoint is not None:
                    _save(checkpoint, model, optimizer, loader, scheduler, history, epoch, None)
                line.epoch(epoch, row)
                if on_epoch is not None and on_epoch(epoch, row):
                    break
                if patience is not None and epoch - 1 - best_epoch >= patience:
                    history.stopped_early = True
                    line.message(f"stopped: no better than epoch {best_epoch + 1} for {patience} epochs")
                    break
            history.interrupted = interrupt.requested
    except KeyboardInterrupt:
        history.interrupted = True
        note = ""
        if checkpoint is not None and interrupt.requested and means.count:
            _save(checkpoint, model, optimizer, loader, scheduler, history, epoch,
                  {**means.state(), "seconds": time.perf_counter() - clock})
            note = f", and {os.fspath(checkpoint)} resumes from it"
        line.message(f"interrupted in epoch {epoch + 1}: the model keeps its last whole step{note}")
    finally:
        model.train(was_training)
    return history


def _step(model: Module, inputs: tuple[Any, ...], target: Any, loss_function: Callable[..., Tensor], optimizer: Any,
          clip_norm: float | None, means: _Means, where: str) -> None:
    """One batch: forward, loss, backward, step."""
    random = random_state()
    optimizer.zero_grad()
    output = model(*inputs)
    value = loss_function(output, target)
    number = value.item()
    if not np.isfinite(number):
        raise explain(model, inputs, target, number, random, where)
    value.backward()
    if clip_norm is not None:
        from ..optim import clip_grad_norm_
        clip_grad_norm_(model.parameters(), clip_norm)
    optimizer.step()
    means.add(number, output, target, len(target))


def evaluate(model: Module, data: Any, *, loss: str | Callable[..., Tensor] = "cross_entropy",
             metrics: Mapping[str, Metric] | None = None,
             batch_size: int = 256) -> dict[str, float]:
    """{"loss": ..., "accuracy": ...} over a data set, in eval mode, without gradients; means over
    samples.
    """
    function = _loss_function(loss)
    means = _Means(_accuracy_metric(loss) if metrics is None else metrics)
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            for batch in _loader(data, batch_size, False):
                inputs, target = _parts(batch)
                output = model(*inputs)
                means.add(function(output, target).item(), output, target, len(target))
    finally:
        model.train(was_training)
    return means.values()


def predict(model: Module, *inputs: Any, batch_size: int = 256) -> Tensor:
    """The model's output for all of the inputs, in eval mode, without gradients, batch by batch."""
    arrays = [tensor(x) for x in inputs]
    was_training = model.training
    model.eval()
    try:
        with no_grad():
            pieces = [model(*[Tensor(a.data[i:i + batch_size]) for a in arrays]).data
                      for i in range(0, max(len(arrays[0]), 1), batch_size)]
    finally:
        model.train(was_training)
    return Tensor(np.concatenate(pieces))


# ---- checkpoints ---------------------------------------------------------------------------------
def _save(path: Any, model: Module, optimizer: Any, loader: Any, scheduler: Any, history: History, epoch: int,
          partial: Any) -> None:
    save({
        "fastnn": "checkpoint 1",
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "loader": loader.state_dict() if hasattr(loader, "state_dict") else None,
        "scheduler": scheduler.state_dict() if hasattr(scheduler, "state_dict") else None,
        "random": random_state(),
        "history": history.rows,
        "epoch": epoch,
        "partial": partial,
    }, path)


def _restore(path: Any, model: Module, optimizer: Any, loader: Any, scheduler: Any) -> tuple[History, int, Any]:
    """Put everything back as it was; nothing is changed unless all of it fits."""
    state = load(path)
    if not isinstance(state, dict) or state.get("fastnn") != "checkpoint 1":
        raise FileError(f"{os.fspath(path)} is not a checkpoint that fit() wrote", who="fit",
                        hint="Give another path, or resume=False to begin anew and overwrite it.")
    before = {key: t.data.copy() for key, t in model.state_dict().items()}
    model.load_state_dict(state["model"])
    try:
        optimizer.load_state_dict(state["optimizer"])
        if state["loader"] is not None and hasattr(loader, "load_state_dict"):
            loader.load_state_dict(state["loader"])
        if state["scheduler"] is not None and hasattr(scheduler, "load_state_dict"):
            scheduler.load_state_dict(state["scheduler"])
        set_random_state(state["random"])
    except Exception:
        model.load_state_dict(before)
        raise
    return History(state["history"]), int(state["epoch"]), state["partial"]
