"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import RangeError
from ..kernels import compiled
from ..reference import optim as reference
from ..tensor import Tensor
from .optimizer import Optimizer

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Gradient descent, with momentum and Nesterov's variant.

    .. math:: g' = g + \lambda p \qquad m \leftarrow \mu m + (1 - d) g' \qquad p \leftarrow p - \eta m

    With `nesterov` the step is g' + mu m; the first step has m = g'.

    Parameters
    ----------
    params : parameters or groups
    lr : float
        The learning rate, eta.
    momentum, dampening, weight_decay : float
        mu, d and lambda.
    nesterov : bool
        Look ahead; needs momentum and no dampening.

    Raises: RangeError for negative settings. Cost: one pass over the parameters. Robbins, Monro
    (1951); Polyak (1964); Sutskever et al. (2013).

    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, 2.0])
    >>> opt = nn.optim.SGD([p], lr=0.5)
    >>> (p * p).sum().backward(); opt.step(); p
    parameter([0., 0.], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False):
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
                                  "nesterov": nesterov})

    def _check(self, group: dict[str, Any]) -> None:
        super()._check(group)
        if not group["momentum"] >= 0:
            raise RangeError(who="SGD", expected="momentum >= 0", got=group["momentum"])
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            raise RangeError("Nesterov's variant needs a momentum and no dampening", who="SGD")

    def _step(self, group: dict[str, Any], params: list[Tensor]) -> None:
        settings = {k: group[k] for k in ("lr", "momentum", "dampening", "weight_decay", "nesterov")}
        grads = [p.grad._data for p in params]      # type: ignore[union-attr]
        if not self.on_kernels:
            for p, g in zip(params, grads):
                state = self.state.setdefault(id(p), {})
                p._data[...], state["momentum_buffer"] = reference.sgd_step(p._data, g, state.get("momentum_buffer"),
                                                                            **settings)
            return
        momenta, fresh = [], []
        if group["momentum"]:
            fresh = ["momentum_buffer" not in self.state.get(id(p), ()) for p in params]
            momenta = [self._zeros(p, "momentum_buffer") for p in params]
        compiled.sgd_step([p._data for p in params], grads, momenta, fresh or [False] * len(params), **settings)
