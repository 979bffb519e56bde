"""Optimisers: they make steps of gradients, all parameters in one call into C.

PyTorch's names, signatures and state_dict keys. To add an optimiser, see rule.py.
"""

from typing import Any

from ..moved import moved_names
from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_grad_value_
from .lr_scheduler import CosineAnnealingLR, StepLR
from .optimizer import Optimizer
from .rule import Rule
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "CosineAnnealingLR", "Optimizer", "Rule", "StepLR", "clip_grad_norm_",
           "clip_grad_value_"]


moved_names(__name__)
