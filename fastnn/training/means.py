"""The numbers of an epoch: means over samples of the loss and of the metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..tensor import Tensor

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
        self.count = 0
        self.sums: dict[str, float] = dict.fromkeys(["loss", *self.metrics], 0.0)

    def add(self, loss: float, output: Any, target: Any, size: int) -> None:
        """A batch of `size` samples: its mean loss, and what the metrics need."""
        self.count += size
        self.sums["loss"] += loss * size
        if self.metrics:
            out, true = np.asarray(output.data if isinstance(output, Tensor) else output), np.asarray(target)
            for name, metric in self.metrics.items():
                value = metric(out, true)
                try:
                    self.sums[name] += float(value) * size
                except (TypeError, ValueError):
                    raise DTypeError(who=f"the metric {name}", expected="a number",
                                     got=f"{type(value).__name__} of shape {np.shape(value)}"
                                     if isinstance(value, (np.ndarray, Tensor)) else repr(value)) from None

    def values(self, prefix: str = "") -> dict[str, float]:
        """{name: mean}, names with a prefix."""
        return {prefix + name: total / max(self.count, 1) for name, total in self.sums.items()}


def check_metrics(metrics: Any, who: str) -> None:
    """Refuse metrics that are no functions by name, and names that a row has already."""
    if metrics is None:
        return
    if not isinstance(metrics, Mapping) or not all(callable(metric) for metric in metrics.values()):
        raise DTypeError(who=who, expected="metrics, {name: function(output, target)}", got=type(metrics).__name__)
    for name in metrics:
        if not isinstance(name, str):
            raise DTypeError(who=who, expected="names of metrics as strings", got=repr(name))
        if name in ("loss", "epoch", "seconds") or name.startswith("valid_"):
            raise RangeError(f"a metric cannot be called {name!r}: that is a column of its own", who=who,
                             expected="any name but loss, epoch, seconds and valid_...", got=repr(name))


def accuracy_metric(loss: Any) -> Mapping[str, Metric]:
    """{"accuracy": ...} where the loss, a name or a function, is one of classification; else {}."""
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    if name in ("cross_entropy", "CrossEntropyLoss", "nll", "nll_loss", "NLLLoss"):
        return {"accuracy": _accuracy}
    if name in ("binary_cross_entropy_with_logits", "BCEWithLogitsLoss"):
        return {"accuracy": lambda output, target: float(((output > 0) == (target > 0.5)).mean())}
    if name in ("binary_cross_entropy", "BCELoss"):
        return {"accuracy": lambda output, target: float(((output > 0.5) == (target > 0.5)).mean())}
    return {}


def _accuracy(output: np.ndarray, target: np.ndarray) -> float:
    """The share of samples whose largest output is the one of their class."""
    if target.dtype.kind == "f":                    # class probabilities
        target = target.argmax(1)
    return float((output.argmax(1) == target).mean()) if output.ndim > 1 else float(output.argmax() == target)
