"""Optimisers: they turn gradients into steps, all parameters in one call into C. PyTorch's names and state_dict structure."""

from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer
from .schedule import CosineAnnealingLR, StepLR
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "CosineAnnealingLR", "Optimizer", "StepLR", "clip_grad_norm_", "clip_grad_value_"]
