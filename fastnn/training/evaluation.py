"""evaluate and predict: a model without training it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ..autograd import no_grad
from ..data import DataLoader, Dataset
from ..data.dataset import numbers
from ..errors import DTypeError, FastnnError, RangeError, ShapeError
from ..guard import named
from ..layers.modes import evaluating
from ..layers.module import Module
from ..layers.recurrent import GRU, LSTM, RNN
from ..tensor import Tensor, wrapped
from .batches import loader_of, loss_of, nothing_counts, parts, scalar_loss, tell_strange, tell_who
from .counting import Counting
from .means import Means, Metric, accuracy_metric, check_metrics

if TYPE_CHECKING:
    from ..layers.module import HasForward

__all__ = ["evaluate", "measure", "predict"]

Result = TypeVar("Result")


@named
def evaluate(model: Module, data: Any, *, loss: str | Callable[..., Tensor] = "cross_entropy",
             metrics: Mapping[str, Metric] | None = None, batch_size: int = 256) -> dict[str, float]:
    """The loss and the metrics of a model over data, in eval mode, without gradients.

    Parameters
    ----------
    model : Module
        Not changed; each of its layers is left in the mode in which it was.
    data : DataLoader, dataset, tuple of arrays (inputs..., target), or an iterable of such batches
    loss : str or function(output, target) -> scalar Tensor
        A name in nn.functional, or a function that gives a mean over samples.
        Batches are weighed by what they hold: samples; where targets are class numbers, the labels
        other than the loss's `ignore_index` (-100), by its class weights. So the result of a
        loss of fastnn's does not depend on `batch_size`.
    metrics : {name: function(output, target) -> float}, optional
        On NumPy arrays; default: accuracy for losses of classification.
    batch_size : int
        For a dataset or arrays.

    Returns
    -------
    {"loss": ..., "accuracy": ...} : means over samples, or over the labels that count.

    Raises
    ------
    ShapeError
        There is no batch, none in which a label counts, or a batch is not (inputs..., target).
    RangeError
        There is no loss of that name.

    Examples
    --------
    >>> import numpy as np, fastnn as nn
    >>> model = nn.Linear(2, 2)
    >>> x, y = np.zeros((4, 2), np.float32), np.array([0, 1, 0, 1])
    >>> sorted(nn.evaluate(model, (x, y)))
    ['accuracy', 'loss']
    """
    check_metrics(metrics, "evaluate")
    if not isinstance(model, Module):
        raise DTypeError(who="evaluate", expected="a model, that is, a Module", got=type(model).__name__)
    loader = loader_of(data, batch_size, False, "evaluate")
    return measure(model, loader, loss_of(loss, "evaluate"), accuracy_metric(loss) if metrics is None else metrics,
                   "evaluate")


def measure(model: Module, loader: Any, loss_function: Callable[..., Tensor], metrics: Mapping[str, Metric],
            who: str) -> dict[str, float]:
    """The means over the batches of a loader."""
    means, counting, seen = Means(metrics), Counting(loss_function), False
    with evaluating(model), no_grad():
        for batch in loader:
            inputs, target = parts(batch, who)
            weight, size = counting(inputs, target)
            seen = True
            if size == 0:
                continue
            try:
                output = model(*inputs)
                # classes of weight 0 alone: their mean loss is 0/0, their accuracy is not
                loss = scalar_loss(loss_function, output, target, who).item() if weight else 0.0
            except FastnnError as error:
                tell_strange(error, inputs, target, who)
                raise
            means.add(loss, output, target, size, weight, counting.summed)
    if means.count == 0:
        raise nothing_counts("the data", seen, who)
    return means.values()


@named
def predict(model: HasForward[..., Result], *inputs: Any, batch_size: int = 256) -> Result:
    """The model's output for all of the inputs, in eval mode, without gradients, batch by batch.

    Parameters
    ----------
    model : Module
        Not changed; each of its layers is left in the mode in which it was.
    *inputs : arrays or Tensors of shape (N, ...)
        What the model is called with.
    batch_size : int

    Returns
    -------
    Tensor (N, ...) : the outputs, one after another. A tuple, list or dict of them where the model
    returns one.

    Raises
    ------
    ShapeError
        No inputs, or inputs of different N; an output whose first dimension does not count the
        samples, like the last states of an LSTM.
    DTypeError
        A model that returns something else than Tensors.

    Examples
    --------
    >>> import numpy as np, fastnn as nn
    >>> nn.predict(nn.Linear(3, 2), np.zeros((1000, 3), np.float32)).shape
    (1000, 2)
    """
    if not isinstance(model, Module):
        raise DTypeError(who="predict", expected="a model, that is, a Module", got=type(model).__name__)
    if isinstance(batch_size, bool) or not isinstance(batch_size, Integral) or batch_size < 1:
        raise RangeError(who="predict", expected="batch_size, a whole number >= 1", got=batch_size)
    for x in inputs:
        if isinstance(x, (Mapping, DataLoader, Dataset)):
            raise DTypeError(who="predict, input", expected="arrays or Tensors of shape (N, ...)",
                             got=type(x).__name__, hint="Of a loader, with nn.no_grad(): "
                             "nn.cat([model(x) for x, y in loader]).")
        if isinstance(x, (tuple, list)):
            shapes = {a.shape for a in x if isinstance(a, (np.ndarray, Tensor)) and a.ndim}
            if len(shapes) > 1 or (shapes and isinstance(x, tuple)):
                raise DTypeError(who="predict, input", expected="arrays or Tensors of shape (N, ...)",
                                 got=f"a {type(x).__name__} of arrays", hint="Give the inputs alone, without the "
                                 "target, and one by one: predict(model, x).")
    arrays = [numbers(f"predict, input {i}" if len(inputs) > 1 else "predict, input", x) for i, x in enumerate(inputs)]
    sizes = [a.shape[0] if a.ndim else None for a in arrays]
    if not arrays or None in sizes or len(set(sizes)) > 1:
        raise ShapeError(who="predict", expected="inputs of shape (N, ...), N the same in all",
                         got=", ".join(str(a.shape) for a in arrays) or "no inputs")
    with evaluating(model), no_grad():
        pieces = []
        for i in range(0, max(sizes[0] or 0, 1), batch_size):
            batch = [Tensor(a.data[i:i + batch_size]) for a in arrays]
            try:
                output = model(*batch)
            except FastnnError as error:
                tell_who(error, "predict")
                raise
            pieces.append(_samples(output, len(batch[0]), model))
    result: Result = _joined(pieces)
    return result


def _samples(output: Any, size: int, model: Module, nested: bool = False) -> Any:
    """The output of one batch, after a check that every Tensor in it is of shape (size, ...)."""
    who = f"predict, {type(model).__name__}"
    hint = "Write a Module whose forward returns only what you want: return self.model(x)[0]."
    if isinstance(output, Tensor):
        # An LSTM's states (layers, N, H) may have as many layers as there are samples.
        if output.ndim == 0 or len(output) != size or (nested and isinstance(model, (LSTM, GRU, RNN))):
            raise ShapeError("an output does not have one entry for each sample", who=who,
                             expected=f"({size}, ...)", got=output.shape,
                             hint=hint if nested else "Does the model return a mean or a sum?")
        return output
    inside = output.values() if isinstance(output, Mapping) else output
    if not isinstance(output, (Mapping, tuple, list)):
        raise DTypeError(who=who, expected="a model that returns a Tensor, or a tuple, list or dict of Tensors",
                         got=type(output).__name__, hint=hint)
    for item in inside:
        _samples(item, size, model, nested=True)
    return output


def _joined(pieces: list[Any]) -> Any:
    """The outputs of all batches as one, of the structure that the model returns."""
    first = pieces[0]
    if isinstance(first, Tensor):
        return wrapped(np.concatenate([piece.data for piece in pieces]))
    if isinstance(first, Mapping):
        return {key: _joined([piece[key] for piece in pieces]) for key in first}
    items = [_joined(list(column)) for column in zip(*pieces)]
    return type(first)(*items) if hasattr(first, "_fields") else type(first)(items)
