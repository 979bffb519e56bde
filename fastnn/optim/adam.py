"""Adam and AdamW."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..errors import RangeError
from ..kernels import compiled
from ..reference import optim as reference
from ..tensor import Tensor
from .optimizer import Optimizer

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam: steps scaled by running estimates of the gradient's first and second moment.

    .. math::
        m \leftarrow \beta_1 m + (1 - \beta_1) g \qquad v \leftarrow \beta_2 v + (1 - \beta_2) g^2 \qquad
        p \leftarrow p - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    weight_decay adds lambda p to the gradient (AdamW shrinks p instead). Cost: one pass over the
    parameters, memory for two more copies. Kingma, Ba (2015), "Adam: a method for stochastic
    optimization".

    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> opt = nn.optim.Adam([p], lr=0.1)
    >>> (p * p).sum().backward(); opt.step(); p
    parameter([ 0.9, -1.9], requires_grad=True)
    """

    decoupled = False

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay})

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if len(group["betas"]) != 2 or not all(0 <= beta < 1 for beta in group["betas"]):
            raise RangeError(who=type(self).__name__, expected="two betas, 0 <= beta < 1", got=group["betas"])

    def _step(self, group: dict[str, Any], params: list[Tensor]) -> None:
        beta1, beta2 = group["betas"]
        settings = {"lr": group["lr"], "beta1": beta1, "beta2": beta2, "eps": group["eps"],
                    "weight_decay": group["weight_decay"], "decoupled": self.decoupled}
        grads = [p.grad._data for p in params]      # type: ignore[union-attr]
        ms, vs = [self._zeros(p, "exp_avg") for p in params], [self._zeros(p, "exp_avg_sq") for p in params]
        steps = []
        for p in params:
            state = self.state[id(p)]
            state["step"] = int(state.get("step", 0)) + 1
            steps.append(state["step"])
        if self.on_kernels:
            # mostly all are at one step
            scales = {t: (1 / (1 - beta1 ** t), 1 / math.sqrt(1 - beta2 ** t)) for t in set(steps)}
            compiled.adam_step([p._data for p in params], grads, ms, vs, [scales[t][0] for t in steps],
                               [scales[t][1] for t in steps], **settings)
            return
        for p, g, m, v, t in zip(params, grads, ms, vs, steps):
            p._data[...], m[...], v[...] = reference.adam_step(p._data, g, m, v, t, **settings)


class AdamW(Adam):
    r"""Adam with decoupled weight decay: p <- p - lr weight_decay p before Adam's step, whatever
    the gradient's size.

    Loshchilov, Hutter (2019), "Decoupled weight decay regularization".

    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0])
    >>> opt = nn.optim.AdamW([p], lr=0.1, weight_decay=0.5)
    >>> (p * 0).sum().backward(); opt.step(); p
    parameter([0.95], requires_grad=True)
    """

    decoupled = True

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2):
        super().__init__(params, lr, betas, eps, weight_decay)
