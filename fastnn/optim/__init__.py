"""Optimisers: they turn gradients into steps, all parameters in one call into C.

PyTorch's names and state_dict structure.
"""

from typing import Any

from ..moved import moved_name
from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .lr_scheduler import CosineAnnealingLR, StepLR
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "CosineAnnealingLR", "Optimizer", "StepLR", "clip_grad_norm_", "clip_grad_value_"]


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
