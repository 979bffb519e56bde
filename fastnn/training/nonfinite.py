"""When the loss is NaN or infinite: which layer made it first?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import NonFiniteError
from ..layers.module import Module
from ..moved import moved_names
from ..random import random_state, set_random_state
from ..tensor import Tensor

__all__ = ["explain"]


HUGE = 1e6                                          # outputs of a step that was too large


def explain(model: Module, inputs: tuple[Any, ...], target: Any, loss: float, random: dict[str, Any],
            where: str) -> NonFiniteError:
    """The error for a loss that is not finite. Runs the batch again, with the same random numbers,
    watching each layer's output.

    The model is left as it was: its buffers (running statistics) are put back.
    """
    what = f"the loss became {loss} in {where}"
    if any(map(_bad, inputs)) or _bad(target):
        return NonFiniteError(f"{what}: the batch itself holds NaN or infinity", who="fit",
                              hint="Clean or clip the data.")
    for name, p in model.named_parameters():
        if _bad(p):
            return NonFiniteError(f"{what}: the parameter {name} holds NaN or infinity, so an earlier step was too "
                                  "large", who="fit",
                                  hint="Lower the learning rate or clip the gradients (clip_norm=1.0).")
    first: list[str] = []

    def watch(path: str) -> Any:
        def hook(module: Module, given: tuple[Any, ...], output: Any) -> None:
            if not first and _bad(output) and not any(map(_bad, given)):
                first.append(f"model{'.' + path if path else ''} ({module.describe()})")
        return hook
    buffers = [(b, b.data.copy()) for b in model.buffers()]
    now = random_state()
    removers = [module.register_forward_hook(watch(path)) for path, module in model.named_modules()
                if not list(module.children())]
    try:
        set_random_state(random)
        with no_grad(), np.errstate(all="ignore"):
            output = model(*inputs)
    finally:
        for remove in removers:
            remove()
        for b, values in buffers:
            b.data[...] = values
        set_random_state(now)
    if first:
        return NonFiniteError(f"{what}: this layer was the first to make NaN or infinity out of finite numbers",
                              who=first[0], hint="Lower the learning rate, clip the gradients (clip_norm=1.0), "
                                                 "or scale the inputs.")
    largest = float(np.abs(output._data).max(initial=0)) if isinstance(output, Tensor) else 0.0
    if largest > HUGE:
        return NonFiniteError(f"{what}: the model's outputs are as large as {largest:.0e}, which the loss function "
                              "could not hold, so an earlier step was too large", who="fit",
                              hint="Lower the learning rate, clip the gradients (clip_norm=1.0), or scale the inputs.")
    return NonFiniteError(f"{what}, although every layer's output is finite: the loss function made it", who="fit",
                          hint="Does the loss take logits, and are the targets in its range?")


def _bad(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(map(_bad, value))
    a = getattr(value, "_data", value)
    return isinstance(a, np.ndarray) and a.dtype.kind == "f" and not np.isfinite(a).all()


moved_names(__name__)
