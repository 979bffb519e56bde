"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..arrays import empty
from ..errors import RangeError
from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, register, switch

__all__ = ["SGD"]


class SGD(Optimizer):
    r"""Gradient descent, with momentum and Nesterov's variant.

    .. math:: g' = g + \lambda p \qquad m \leftarrow \mu m + (1 - d) g'
        \qquad p \leftarrow p - \eta m

    The first step has m = g', without dampening. With `nesterov` p <- p - eta (g' + mu m). Without
    momentum p <- p - eta g'.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate.
    momentum : float
        mu, the fraction of m that is kept.
    dampening : float
        d, the fraction of the gradient that is left out of m.
    weight_decay : float
        lambda: an L2 penalty lambda/2 |p|^2 on the parameters.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, fused : accepted for PyTorch's sake
    nesterov : bool
        Look ahead; needs momentum and no dampening.

    State: "momentum_buffer", m, of the parameter's shape; only with momentum.

    Sutskever et al., and most lecture notes, keep the velocity v <- mu v - eta g and add it to p.
    PyTorch, and so this class, keeps m = -v / eta: the same as long as eta does not change, and
    where it does, the new eta scales past gradients too. Nesterov's gradient in the paper is that
    at p + mu v, before the step; here p is already there, so the gradient is the one at hand.
    Dampening is PyTorch's; with d = mu, m is a running mean of the gradients, but for the first.

    Raises
    ------
    RangeError
        A negative setting; `nesterov` without momentum or with dampening.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, with momentum memory for one more copy of them.

    Robbins, Monro (1951), "A stochastic approximation method". Polyak (1964), "Some methods of
    speeding up the convergence of iteration methods". Sutskever et al. (2013), "On the importance
    of initialization and momentum in deep learning".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, 2.0])
    >>> optimizer = nn.optim.SGD([p], lr=0.5)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([0., 0.], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, differentiable: bool = False, fused: bool | None = None):
        need_defaults("SGD", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "momentum": momentum, "dampening": dampening,
                                  "weight_decay": weight_decay, "nesterov": nesterov, "maximize": maximize})


def sgd_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[Any], *, momentum: float, **settings: Any) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    if momentum == 0:
        compiled.sgd_step(p, g, [], [False] * len(p), momentum=0.0, **settings)
        return
    fresh = [a is None for a in m]
    if any(fresh):
        m[:] = [empty(q.shape, q.dtype) if a is None else a for q, a in zip(p, m)]
    compiled.sgd_step(p, g, m, fresh, momentum=momentum, **settings)


def _check(who: str, settings: Mapping[str, Any]) -> None:
    if settings["nesterov"] and (settings["momentum"] == 0 or settings["dampening"] != 0):
        raise RangeError("Nesterov's variant needs a momentum and no dampening", who=who,
                         got=f"momentum={settings['momentum']}, dampening={settings['dampening']}")


register(SGD, Rule(
    formula="m = momentum m + g + weight_decay p;  p -= lr m",
    definition=reference.sgd_step, kernel=sgd_kernel,
    state=(State("momentum_buffer", initial=None, only_if="momentum"),),
    settings={"lr": at_least_zero(1e-3), "momentum": at_least_zero(0.0), "dampening": at_least_zero(0.0),
              "weight_decay": at_least_zero(0.0), "nesterov": switch(False), "maximize": switch(False)},
    check=_check,
    samples={
        "plain": {"lr": 0.1},
        "decay": {"lr": 0.1, "weight_decay": 0.03},
        "momentum": {"lr": 0.1, "momentum": 0.9},
        "dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01},
        "nesterov": {"lr": 0.1, "momentum": 0.9, "nesterov": True},
        "maximize": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.03, "maximize": True},
        "nesterov, decay": {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.01},
    }))


guard_all(globals())
