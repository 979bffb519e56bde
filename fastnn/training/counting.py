"""What a batch counts for in the means of an epoch.

A loss with reduction="mean" is already a quotient: a sum over what counts, divided by what counts.
The mean over several batches is right only if each batch weighs as much as it was divided by.

    class numbers     labels other than ignore_index, each times its class's weight
    numbers           elements
    anything else     samples
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import functional as F
from ..layers import loss as losses
from ..tensor import Tensor

__all__ = ["IGNORED", "Counting"]

IGNORED = -100                                      # cross_entropy's default of ignore_index


class Counting:
    """How the batches of one loss function are weighed.

    A loss of fastnn's, by function, layer or functools.partial, tells its ignore_index, class
    weights and reduction. A function of the user's own is taken to give a mean over the labels
    other than -100 where the target is made of integers, and over the samples elsewhere.

    >>> import numpy as np, fastnn as nn
    >>> count = Counting(nn.CrossEntropyLoss(weight=[1.0, 3.0]))
    >>> count((), np.array([0, 1, -100]))           # what the loss weighs, labels that count
    (4.0, 2)
    """

    def __init__(self, loss: Callable[..., Tensor]):
        settings: dict[str, Any] = {}
        while isinstance(loss, functools.partial):
            settings = {**loss.keywords, **settings}
            loss = loss.func
        self.ours = isinstance(loss, losses._Loss) or getattr(F, getattr(loss, "__name__", ""), None) is loss
        self.ignore_index = settings.get("ignore_index", getattr(loss, "ignore_index", IGNORED))
        self.reduction = settings.get("reduction", getattr(loss, "reduction", "mean"))
        self._weight_of = lambda: settings.get("weight", getattr(loss, "weight", None))
        self.by_class = loss in (F.cross_entropy, F.nll_loss) or isinstance(
            loss, (losses.CrossEntropyLoss, losses.NLLLoss))

    def __call__(self, inputs: tuple[Any, ...], target: Any) -> tuple[float, int]:
        """(what the loss of this batch weighs, how many labels or samples count)."""
        labels = getattr(target, "_data", target)
        if not isinstance(labels, np.ndarray) or labels.ndim == 0:
            size = len(inputs[0]) if inputs and np.ndim(getattr(inputs[0], "_data", inputs[0])) else 1
            return size, size
        if labels.dtype.kind in "iu":
            ignored = labels == self.ignore_index
            size = labels.size - int(np.count_nonzero(ignored))
            weights = self._weight_of() if self.by_class else None
            if weights is None or not size or self.reduction != "mean":
                return size, size
            weights = np.asarray(getattr(weights, "data", weights))
            kept = labels[~ignored]
            if kept.min() < 0 or kept.max() >= len(weights):
                return size, size                   # the loss itself will say what is wrong
            return float(weights[kept].sum(dtype=np.float64)), size
        samples = len(labels)
        return (labels.size if self.ours and self.reduction != "batchmean" else samples), samples

    @property
    def summed(self) -> bool:
        """Whether the loss is a sum, so that it is not to be weighed again."""
        return self.reduction == "sum"
