"""The numbers of an epoch: means of the loss and of the metrics over what counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..tensor import Tensor
from .counting import Counting

__all__ = ["Means", "Metric", "accuracy_metric", "check_metrics"]

Metric = Callable[[np.ndarray, np.ndarray], float]


class Means:
    """Means over samples, gathered batch by batch: a last batch that is smaller weighs less.

    >>> means = Means()
    >>> means.add(1.0, None, None, size=3)
    >>> means.add(2.0, None, None, size=1)
    >>> means.values()
    {'loss': 1.25}
    """

    def __init__(self, metrics: Mapping[str, Metric] | None = None):
        self.metrics = metrics or {}
        self.sums: dict[str, float] = dict.fromkeys(["loss", *self.metrics], 0.0)
        self.counts: dict[str, float] = dict.fromkeys(self.sums, 0)

    @property
    def count(self) -> float:
        """What the losses weigh together; 0 before the first batch."""
        return self.counts["loss"]

    def add(self, loss: float, output: Any, target: Any, size: int, weight: float | None = None,
            summed: bool = False) -> None:
        """A batch: its loss, and what the metrics need.

        size : int
            The samples, or labels, that count: what a metric of this batch weighs.
        weight : float, optional
            What its loss weighs; default: size.
        summed : bool
            The loss is a sum, not a mean.
        """
        weight = size if weight is None else weight
        self.counts["loss"] += weight
        self.sums["loss"] += loss if summed else loss * weight
        if self.metrics:
            out, true = arrays_of(output), arrays_of(target)
            for name, metric in self.metrics.items():
                value = metric(out, true)
                try:
                    self.sums[name] += float(value) * size
                except (TypeError, ValueError):
                    raise DTypeError(who=f"the metric {name}", expected="a number",
                                     got=f"{type(value).__name__} of shape {np.shape(value)}"
                                     if isinstance(value, (np.ndarray, Tensor)) else repr(value)) from None
                self.counts[name] += size

    def values(self, prefix: str = "") -> dict[str, float]:
        """{name: mean}, names with a prefix."""
        return {prefix + name: total / (self.counts[name] or 1) for name, total in self.sums.items()}


def arrays_of(value: Any) -> Any:
    """NumPy arrays out of Tensors, also within the tuples, lists and dicts that a model returns."""
    if isinstance(value, Tensor):
        return value.data
    if isinstance(value, Mapping):
        return {key: arrays_of(item) for key, item in value.items()}
    if isinstance(value, tuple) or (isinstance(value, list) and any(isinstance(item, Tensor) for item in value)):
        return tuple(map(arrays_of, value))
    return np.asarray(value)


def check_metrics(metrics: Any, who: str) -> None:
    """Refuse metrics that are no functions by name, and names that a row has already."""
    if metrics is None:
        return
    if not isinstance(metrics, Mapping) or not all(callable(metric) for metric in metrics.values()):
        raise DTypeError(who=who, expected="metrics, {name: function(output, target)}", got=type(metrics).__name__,
                         hint="Accuracy is measured where the loss is one of classification.")
    for name in metrics:
        if not isinstance(name, str):
            raise DTypeError(who=who, expected="names of metrics as strings", got=repr(name))
        if name in ("loss", "epoch", "lr", "seconds") or name.startswith("valid_"):
            raise RangeError(f"a metric cannot be called {name!r}: that is a column of its own", who=who,
                             expected="any name but loss, epoch, lr, seconds and valid_...", got=repr(name))


def accuracy_metric(loss: Any) -> Mapping[str, Metric]:
    """{"accuracy": ...} where the loss, a name or a function, is one of classification; else {}."""
    function = loss
    while hasattr(function, "func"):                # functools.partial
        function = function.func
    name = function if isinstance(function, str) else getattr(function, "__name__", type(function).__name__)
    if name in ("cross_entropy", "CrossEntropyLoss", "nll", "nll_loss", "NLLLoss"):
        ignored = Counting(loss).ignore_index
        return {"accuracy": lambda output, target: _accuracy(output, target, ignored)}
    if name in ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"):
        return {"accuracy": lambda output, target: float(((output > 0) == (target > 0.5)).mean())}
    if name in ("binary_cross_entropy", "BCELoss"):
        return {"accuracy": lambda output, target: float(((output > 0.5) == (target > 0.5)).mean())}
    return {}


def _accuracy(output: np.ndarray, target: np.ndarray, ignored: int) -> float:
    """The share of the labels that count whose class has the largest output."""
    found = output.argmax(1 if output.ndim > 1 else 0)
    if target.dtype.kind == "f":                    # class probabilities
        return float((found == target.argmax(1 if target.ndim > 1 else 0)).mean())
    counts = target != ignored
    return int(np.count_nonzero((found == target) & counts)) / max(int(np.count_nonzero(counts)), 1)
