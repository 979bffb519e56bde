"""Dropout, Dropout2d: active in training mode alone."""

from __future__ import annotations

from .. import functional as F
from ..errors import RangeError
from ..tensor import Tensor
from .module import POINTWISE, Module, Window

__all__ = ["Dropout", "Dropout2d"]


class Dropout(Module):
    """Zero each element with probability p and scale the others by 1 / (1 - p).

    Srivastava et al. (2014).
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise RangeError(who=type(self).__name__, expected="a probability 0 <= p <= 1", got=p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training)

    def receptive_window(self) -> Window:
        return POINTWISE

    def describe(self) -> str:
        return f"{type(self).__name__} {self.p}"

    def extra_repr(self) -> str:
        return f"p={self.p}"


class Dropout2d(Dropout):
    """Zero whole channels of (N, C, H, W): neighbouring pixels say nearly the same, so dropping
    single ones hides little.

    Tompson et al. (2015).
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training)
