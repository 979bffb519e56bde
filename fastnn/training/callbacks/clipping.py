"""Clipping: gradients that are too long are scaled down before the optimiser's step."""

from __future__ import annotations

from numbers import Real

from ...errors import RangeError
from ...guard import named
from ...optim import clip_grad_norm_
from ...tensor import Tensor
from ..state import State
from .base import Callback

__all__ = ["Clipping"]


class Clipping(Callback):
    """Scale the gradients of all parameters by one factor, so that their norm is at most
    `clip_norm`; `fit` makes it of clip_norm=.

    See `nn.optim.clip_grad_norm_`.
    """

    @named
    def __init__(self, clip_norm: float):
        if not isinstance(clip_norm, Real) or not float(clip_norm) > 0:
            raise RangeError(who="Clipping", expected="clip_norm > 0", got=repr(clip_norm))
        self.clip_norm: float = clip_norm
        self.parameters: list[Tensor] = []

    def on_epoch_start(self, state: State) -> None:
        # once an epoch: walking a model takes time
        self.parameters = list(state.model.parameters())

    def on_step(self, state: State) -> None:
        clip_grad_norm_(self.parameters, self.clip_norm)
