"""The softmax over many classes that spends its time on the frequent ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import functional as F
from ..errors import RangeError, ShapeError
from ..tensor import Tensor
from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module
from .sizes import need_sizes

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class ASMoutput(NamedTuple):
    """What AdaptiveLogSoftmaxWithLoss returns: the targets' log probabilities, and their loss."""

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    r"""The log probabilities of labels among many classes, and minus their mean as the loss.

    Classes are sorted by frequency and cut into clusters. A head scores those of the first, and
    each other cluster as one; only where the label is in another cluster its classes are scored:

    .. math:: \ln p(c) = \ln p(\text{cluster}) + \ln p(c \mid \text{cluster})

    Parameters
    ----------
    in_features, n_classes : int
        D and C.
    cutoffs : list of int
        Where the clusters end but the last, ascending, from 1 to C - 1.
    div_value : float
        Cluster i = 1, 2, ... is scored from D / div_value^i features.
    head_bias : bool
        Whether the head's Linear has a bias.

    Shapes: input (N, D), target (N,) -> output (N,), loss (); or (D,), () -> (), (). State:
    head.weight, tail.0.0.weight, tail.0.1.weight, ... ShapeError and RangeError name what does not
    fit.

    Cost: the head for all rows, and of each cluster the rows whose label is in it.

    Grave, Joulin, Cisse, Grangier, Jegou (2017), "Efficient softmax approximation for GPUs".

    >>> import fastnn as nn
    >>> layer = nn.AdaptiveLogSoftmaxWithLoss(8, 1000, [10, 100])
    >>> output, loss = layer(nn.ones(3, 8), nn.tensor([2, 50, 999]))
    >>> output.shape, loss.shape, layer.log_prob(nn.ones(3, 8)).shape
    ((3,), (), (3, 1000))
    """

    def __init__(self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
                 head_bias: bool = False, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        who = type(self).__name__
        need_sizes(who, in_features=in_features, n_classes=n_classes)
        ends = [int(c) for c in cutoffs]
        if not ends or ends != list(cutoffs) or sorted(set(ends)) != ends or not 1 <= ends[0] <= ends[-1] < n_classes:
            raise RangeError(who=who, expected=f"cutoffs as ascending ints from 1 to {n_classes - 1}", got=cutoffs)
        self.in_features, self.n_classes, self.div_value, self.head_bias = in_features, n_classes, div_value, head_bias
        self.cutoffs = [*ends, n_classes]
        self.shortlist_size, self.n_clusters = ends[0], len(ends)
        self.head_size = self.shortlist_size + self.n_clusters
        self.head = Linear(in_features, self.head_size, bias=head_bias, device=device, dtype=dtype)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            hidden = int(in_features // div_value**(i + 1))
            self.tail.append(Sequential(
                Linear(in_features, hidden, bias=False, device=device, dtype=dtype),
                Linear(hidden, self.cutoffs[i + 1] - self.cutoffs[i], bias=False, device=device, dtype=dtype)))

    def reset_parameters(self) -> None:
        """New start values for all parts."""
        for layer in self.modules():
            if isinstance(layer, Linear):
                layer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> ASMoutput:
        x, labels = self._rows(input_), np.atleast_1d(target_._data)
        if labels.shape != (x.shape[0],) or target_.ndim != input_.ndim - 1:
            raise ShapeError(who=type(self).__name__, expected=f"one label for each of {x.shape[0]} rows",
                             got=f"input {input_.shape}, target {target_.shape}")
        if labels.size and (labels.dtype.kind not in "iu" or not 0 <= labels.min() <= labels.max() < self.n_classes):
            raise RangeError(who=type(self).__name__, expected=f"labels as ints from 0 to {self.n_classes - 1}",
                             got=f"{labels.dtype}, {labels.min()} to {labels.max()}")
        cluster = np.searchsorted(self.cutoffs, labels, side="right")
        # in the head's scores the classes of the first cluster come first, and then the clusters
        place = np.where(cluster == 0, labels, self.shortlist_size + cluster - 1)
        output = picked(F.log_softmax(self.head(x), 1), place)
        for i, scores in enumerate(self.tail):
            rows = np.flatnonzero(cluster == i + 1)
            if rows.size:
                inside = F.log_softmax(scores(F.index_select(x, 0, Tensor(rows))), 1)
                output = F.index_add(output, 0, Tensor(rows), picked(inside, labels[rows] - self.cutoffs[i]))
        return ASMoutput(output if target_.ndim else F.reshape(output, ()), -F.mean(output))

    def log_prob(self, input: Tensor) -> Tensor:
        """The log probabilities of all classes: (N, D) -> (N, C)."""
        x = self._rows(input)
        head, k = F.log_softmax(self.head(x), 1), self.shortlist_size
        clusters = [F.log_softmax(scores(x), 1) + head[:, k + i:k + i + 1] for i, scores in enumerate(self.tail)]
        return F.reshape(F.cat([head[:, :k], *clusters], 1), *input.shape[:-1], self.n_classes)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class of each row: (N, D) -> (N,).

        The clusters are scored only where the head prefers one.
        """
        x = self._rows(input)
        best = np.array(F.argmax(self.head(x), 1)._data)
        rows = np.flatnonzero(best >= self.shortlist_size)
        if rows.size:
            best[rows] = F.argmax(self.log_prob(F.index_select(x, 0, Tensor(rows))), 1)._data
        return Tensor(best.reshape(input.shape[:-1]))

    def _rows(self, input: Tensor) -> Tensor:
        if input.ndim not in (1, 2) or input.shape[-1] != self.in_features:
            raise ShapeError(who=type(self).__name__, expected=f"input (N, {self.in_features})", got=input.shape)
        return F.reshape(input, 1 if input.ndim == 1 else input.shape[0], self.in_features)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.n_classes}, cutoffs={self.cutoffs[:-1]}, div_value={self.div_value}"


def picked(x: Tensor, columns: np.ndarray) -> Tensor:
    """One element of each row."""
    return F.reshape(F.gather(x, 1, Tensor(columns[:, None].astype(np.int64))), len(columns))
