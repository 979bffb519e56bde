"""Training and eval mode of a whole model: how what runs it leaves it as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .module import Module

__all__ = ["TrainingMode", "evaluating", "keeping_modes"]


@contextmanager
def keeping_modes(model: Module) -> Iterator[None]:
    """Afterwards each layer is in the mode, training or not, in which it was before."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """The model in eval mode; afterwards each layer is in the mode in which it was."""
    with keeping_modes(model):
        model.eval()
        yield


class TrainingMode:
    """Puts a model into training mode, but not the layers that its user has frozen.

    A layer is frozen if it is in eval mode while the whole model is in training mode. A model that
    is in eval mode as a whole trains as a whole.
    """

    def __init__(self, model: Module):
        self.model = model
        self.frozen: list[Module] = []

    def on(self) -> None:
        """Begin an epoch."""
        if self.model.training:
            self.frozen = [module for module in self.model.modules() if not module.training]
        else:
            self.model.train()
            for module in self.frozen:
                module.training = False
