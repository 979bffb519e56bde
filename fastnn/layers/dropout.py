"""Dropout of elements and of channels: active in training mode alone."""

from __future__ import annotations

from .. import functional as F
from ..errors import RangeError
from ..tensor import Tensor
from .module import POINTWISE, Module, Window, notice_training

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class Dropout(Module):
    """Zero each element with probability p and scale the others by 1 / (1 - p); in eval mode y = x.

    The scale keeps the expected value, so that nothing has to change for evaluation. Which elements
    are dropped follows nn.seed. RangeError unless 0 <= p <= 1.

    Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov (2014), "Dropout: a simple way to
    prevent neural networks from overfitting".

    >>> import fastnn as nn
    >>> dropout = nn.Dropout(0.5)
    >>> sorted(set(dropout(nn.ones(100)).tolist())), dropout.eval()(nn.ones(2))
    ([0.0, 2.0], tensor([1., 1.]))
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise RangeError(who=type(self).__name__, expected="a probability 0 <= p <= 1", got=p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return self._noticed(F.dropout(input, self.p, self.training))

    def _noticed(self, y: Tensor) -> Tensor:
        """y, and a warning where eval() seems to be forgotten."""
        if y.node is None and self.training and self.p:
            notice_training(self)
        return y

    def receptive_window(self) -> Window:
        return POINTWISE

    def describe(self) -> str:
        return f"{type(self).__name__} {self.p}"

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace=False"         # as it is, whatever was given


class Dropout2d(Dropout):
    """Dropout of whole channels of x (N, C, H, W): neighbouring pixels say nearly the same, so
    dropping single ones hides little.

    Tompson, Goroshin, Jain, LeCun, Bregler (2015).

    >>> import fastnn as nn
    >>> y = nn.Dropout2d(0.5)(nn.ones(8, 16, 2, 2))
    >>> bool((y.amax((2, 3)) == y.amin((2, 3))).all())
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._noticed(F.dropout2d(input, self.p, self.training))


class Dropout1d(Dropout):
    """Dropout of whole channels of x (N, C, L) or (C, L).

    >>> import fastnn as nn
    >>> y = nn.Dropout1d(0.5)(nn.ones(8, 16, 2))
    >>> nn.equal(y[..., 0], y[..., 1])
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._noticed(F.dropout1d(input, self.p, self.training))


class Dropout3d(Dropout):
    """Dropout of whole channels of x (N, C, D, H, W) or (C, D, H, W).

    >>> import fastnn as nn
    >>> y = nn.Dropout3d(0.5)(nn.ones(8, 16, 1, 1, 2))
    >>> nn.equal(y[..., 0], y[..., 1])
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._noticed(F.dropout3d(input, self.p, self.training))


class AlphaDropout(Dropout):
    """Dropout for networks with SELU: what is dropped becomes SELU's least value, and mean 0 and
    variance 1 stay.

    Klambauer, Unterthiner, Mayr, Hochreiter (2017), "Self-normalizing neural networks".

    >>> import fastnn as nn
    >>> len(nn.unique(nn.AlphaDropout(0.5)(nn.zeros(100))))
    2
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._noticed(F.alpha_dropout(input, self.p, self.training))


class FeatureAlphaDropout(Dropout):
    """AlphaDropout of whole channels of x (N, C, ...).

    >>> import fastnn as nn
    >>> y = nn.FeatureAlphaDropout(0.5)(nn.zeros(8, 16, 2))
    >>> nn.equal(y[..., 0], y[..., 1])
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        return self._noticed(F.feature_alpha_dropout(input, self.p, self.training))
