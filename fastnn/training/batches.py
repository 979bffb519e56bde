"""What `fit` and `evaluate` take for data and for a loss, made into what the loop needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import functional, optim
from ..data import DataLoader, TensorDataset
from ..data.dataset import numbers
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import strange
from ..layers.loss import CrossEntropyLoss
from ..layers.module import Module
from ..tensor import Tensor

__all__ = ["length", "loader_of", "loss_of", "nothing_counts", "parts", "scalar_loss", "tell_strange", "tell_who"]


def loader_of(data: Any, batch_size: int, shuffle: bool, who: str) -> Any:
    """Batches out of whatever was given: a DataLoader, a dataset, a tuple of arrays, or any
    iterable of batches, which is taken as it is.
    """
    if isinstance(data, DataLoader):
        return data
    if isinstance(data, tuple) or (isinstance(data, list) and not _holds_batches(data)):
        if not data:
            raise ShapeError(who=who, expected="data, (inputs..., target)", got=f"an empty {type(data).__name__}")
        arrays = [numbers(f"{who}, {part}", rows) for part, rows in zip(_names(len(data)), data)]
        try:
            data = TensorDataset(*arrays)
        except ShapeError as error:
            error.who = who
            raise
    if isinstance(data, list) or not hasattr(data, "__getitem__") or not hasattr(data, "__len__"):
        if not hasattr(data, "__iter__"):
            raise DTypeError(who=who, expected="data: a DataLoader, a dataset, a tuple (inputs..., target) of arrays, "
                             "or an iterable of such batches", got=type(data).__name__)
        return data
    return DataLoader(data, batch_size=batch_size, shuffle=shuffle)


def _holds_batches(data: list[Any]) -> bool:
    """Whether a list is one of batches, (inputs..., target) each, not one of arrays."""
    return bool(data) and all(isinstance(item, (tuple, list)) and len(item) > 1
                              and all(hasattr(a, "shape") for a in (item[:1] if isinstance(item, tuple) else item))
                              for item in data)


def _names(parts: int) -> list[str]:
    """What the parts of a batch are called: the last is the target."""
    inputs = ["input"] if parts == 2 else [f"input {i}" for i in range(parts - 1)]
    return [*inputs, "target"] if parts > 1 else ["input"]


def tell_strange(error: BaseException, inputs: tuple[Any, ...], target: Any, who: str) -> None:
    """Raise an error about what in a batch is no number, where a model or a loss refused the batch
    and that is likely why: arrays of objects, a target that is None. A model may take words. Any
    other refusal is raised by the caller, with the name of its function in front.
    """
    tell_who(error, who)
    if not isinstance(error, DTypeError):
        return
    for part, rows in zip(_names(len(inputs) + 1), (*inputs, target)):
        if rows is None or isinstance(rows, np.ndarray) or (rows is target and isinstance(rows, (list, tuple, str))):
            found = strange(rows)
            if found is not None:
                raise DTypeError(who=f"{who}, {part}", expected="numbers", got=found[0], hint=found[1]) from error


def tell_who(error: BaseException, who: str) -> None:
    """Put fit's name before that of the model or loss that refused a batch; the error of a callback
    of the user's stays as it is.
    """
    if isinstance(error, (DTypeError, RangeError, ShapeError)) and not (
            getattr(error, "__notes__", None) or error.who.startswith(who)):
        error.who = f"{who}, {error.who}"


# What a loss is called elsewhere, without "_" and "loss" -> its function here
LOSSES = {"bcewithlogits": "binary_cross_entropy_with_logits", "bce": "binary_cross_entropy", "mae": "l1",
          "crossentropy": "cross_entropy", "categoricalcrossentropy": "cross_entropy",
          "sparsecategoricalcrossentropy": "cross_entropy", "binarycrossentropy": "binary_cross_entropy",
          "meansquarederror": "mse", "meanabsoluteerror": "l1", "kldivergence": "kl_div"}


def loss_of(loss: str | Callable[..., Tensor], who: str) -> Callable[..., Tensor]:
    """The loss function of a name in nn.functional, or the function that was given."""
    if isinstance(loss, type):
        raise DTypeError(who=who, expected="loss: a name or a function", got=f"the class {loss.__name__}",
                         hint=f"Write {loss.__name__}().")
    if callable(loss):
        return loss
    for name in (loss, f"{loss}_loss"):
        if isinstance(loss, str) and callable(getattr(functional, name, None)):
            return getattr(functional, name)
    losses = {known.removesuffix("_loss"): known for known in dir(functional)
              if known.endswith(("_loss", "cross_entropy", "_logits"))}
    from ..names import near
    asked = str(loss).replace("_", "").lower().removesuffix("loss")     # also of a layer, MSELoss
    asked = LOSSES.get(asked, asked)
    close = near(asked, losses)
    if close:
        raise RangeError(f"there is no loss {loss!r}", who=who, hint=f"Did you mean {close[0]!r}?")
    raise RangeError(f"there is no loss {loss!r}", who=who,
                     hint="Use the name of a function in nn.functional, like 'cross_entropy' or 'mse', "
                          "or pass a function.")


def optimizer_of(optimizer: Any, model: Any) -> Any:
    """The optimiser of a name, "adam", over a model's parameters; anything else as it is."""
    if not isinstance(optimizer, str) or not isinstance(model, Module):
        return optimizer
    from ..names import about_library, near
    known: dict[str, Any] = {name.lower(): rule for name, rule in vars(optim).items()
             if isinstance(rule, type) and issubclass(rule, optim.Optimizer) and rule is not optim.Optimizer}
    if optimizer.lower() in known:
        return known[optimizer.lower()](model.parameters())
    close = near(optimizer, known)
    raise RangeError(f"there is no optimizer {optimizer!r}", who="fit", expected=", ".join(map(repr, sorted(known))),
                     hint=f"Did you mean {close[0]!r}?" if close else about_library(optimizer))


def scalar_loss(function: Callable[..., Tensor], output: Any, target: Any, who: str) -> Tensor:
    """function(output, target), which must be a Tensor of one element."""
    if (getattr(output, "ndim", 0) > 1 and output.shape[1] == 1 and not is_integer(target)
            and (function is functional.cross_entropy or isinstance(function, CrossEntropyLoss))):
        raise RangeError("the model has one output and the target is numbers, but cross_entropy takes the output for "
                         "one class, of which the loss is always 0", who=f"{who}, loss",
                         hint="For numbers: loss='mse_loss'; for yes or no: loss='binary_cross_entropy_with_logits'; "
                              "for classes the last layer needs one output for each, and the target whole numbers.")
    loss = function(output, target)
    if not isinstance(loss, Tensor):
        raise DTypeError(who=f"{who}, loss", expected="a scalar Tensor", got=type(loss).__name__,
                         hint="Does the function return its result, computed with fastnn's ops?")
    if loss._data.size != 1:
        raise ShapeError(who=f"{who}, loss", expected="a scalar Tensor", got=loss.shape,
                         hint="Take its mean over the samples: .mean().")
    return loss


def is_integer(target: Any) -> bool:
    """Whether a target is of whole numbers: labels."""
    return np.asarray(getattr(target, "_data", target)).dtype.kind in "iu"


def length(loader: Any) -> int | None:
    """The number of batches; None where a loader does not know it: a sampler without len()."""
    try:
        return len(loader)
    except TypeError:
        return None


def parts(batch: Any, who: str = "fit") -> tuple[tuple[Any, ...], Any]:
    """(inputs, target): the last field is the target, everything before it goes to the model."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise ShapeError("a batch must be (inputs..., target)", who=who, got=type(batch).__name__,
                         hint="A sample is (a dict, target): return {'x': x}, y. The model's forward gets the dict."
                         if isinstance(batch, Mapping) else "Make the dataset with TensorDataset(x, y).")
    return tuple(batch[:-1]), batch[-1]


def nothing_counts(data: str, seen: bool, who: str) -> ShapeError:
    """The error for data of which no mean can be taken; `seen`: there were samples."""
    if seen:
        return ShapeError(f"{data} has no label that counts", who=who,
                          hint="Every label is the loss's ignore_index (-100), or of a class of weight 0.")
    return ShapeError(f"{data} has no batch", who=who,
                      hint="Is the dataset empty, or drop_last with too few samples? "
                           "An iterator can be run through only once: pass a DataLoader.")
