"""How gradients are computed.

    tape.py         apply: runs an op and leaves a Node; the one rule, the same for every op
    walk.py         backward and grad: from the newest node to the oldest
    twice.py        grad(create_graph=True): gradients that are on the tape themselves
    steps.py        floor and its kin: results whose slope is 0
    writes.py       writes into a tensor: buffer[t] = h and its kin
    reach.py        which nodes lead to the tensors whose gradients are wanted
    accumulate.py   sums of gradients, in place where nobody can see it
    hooks.py        functions that see a gradient, and may replace it
    modes.py        no_grad and its kin; detect_anomaly
    function.py     Function: a differentiable function of your own

Nothing here knows an op by name, nor imports Tensor: tensor.py stands above and hands its class
over (tape.connect).
"""

from typing import TYPE_CHECKING

from .function import Function
from .hooks import RemovableHandle, add_hook
from .modes import detect_anomaly, is_grad_enabled, set_grad_enabled
from .steps import stepped
from .tape import Node, apply, apply_in_python
from .walk import backward, grad
from .writes import leave, may_write, renew, write

if TYPE_CHECKING:
    from .modes import Mode, ModeOr

    no_grad: Mode
    enable_grad: Mode
    inference_mode: ModeOr
else:
    from .modes import enable_grad, inference_mode, no_grad

__all__ = ["Function", "Node", "RemovableHandle", "add_hook", "apply", "apply_in_python", "backward",
           "detect_anomaly", "enable_grad", "grad", "inference_mode", "is_grad_enabled", "leave", "may_write",
           "no_grad", "renew", "set_grad_enabled", "stepped", "write"]
