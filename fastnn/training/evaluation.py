"""evaluate and predict: a model without training it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import ShapeError
from ..layers.module import Module
from ..tensor import Tensor, tensor
from .batches import loader_of, loss_of, parts, scalar_loss
from .means import Means, Metric, accuracy_metric, check_metrics

__all__ = ["evaluate", "keeping_modes", "measure", "predict"]


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
    metrics : {name: function(output, target) -> float}, optional
        On NumPy arrays; default: accuracy for losses of classification.
    batch_size : int
        For a dataset or arrays.

    Returns
    -------
    {"loss": ..., "accuracy": ...} : means over samples.

    Raises
    ------
    ShapeError
        There is no batch, or a batch is not (inputs..., target).
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
    loader = loader_of(data, batch_size, False, "evaluate")
    return measure(model, loader, loss_of(loss, "evaluate"), accuracy_metric(loss) if metrics is None else metrics,
                   "evaluate")


def measure(model: Module, loader: Any, loss_function: Callable[..., Tensor], metrics: Mapping[str, Metric],
            who: str) -> dict[str, float]:
    """The means over the batches of a loader."""
    means = Means(metrics)
    with keeping_modes(model), no_grad():
        model.eval()
        for batch in loader:
            inputs, target = parts(batch, who)
            output = model(*inputs)
            loss = scalar_loss(loss_function, output, target, who)
            means.add(loss.item(), output, target, len(target))
    if means.count == 0:
        raise ShapeError("the data has no batch", who=who,
                         hint="Is the dataset empty? An iterator can be run through only once: pass a DataLoader.")
    return means.values()


def predict(model: Module, *inputs: Any, batch_size: int = 256) -> Tensor:
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
    Tensor (N, ...) : the outputs, one after another.

    Examples
    --------
    >>> import numpy as np, fastnn as nn
    >>> nn.predict(nn.Linear(3, 2), np.zeros((1000, 3), np.float32)).shape
    (1000, 2)
    """
    arrays = [tensor(x) for x in inputs]
    with keeping_modes(model), no_grad():
        model.eval()
        pieces = [model(*[Tensor(a.data[i:i + batch_size]) for a in arrays]).data
                  for i in range(0, max(len(arrays[0]), 1), batch_size)]
    return Tensor(np.concatenate(pieces))


@contextmanager
def keeping_modes(model: Module) -> Iterator[None]:
    """Afterwards each layer is in the mode, training or not, in which it was before."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
