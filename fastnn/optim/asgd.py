"""ASGD: gradient descent that also averages where it was."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, register, switch

__all__ = ["ASGD"]


class ASGD(Optimizer):
    r"""Averaged stochastic gradient descent: the mean of the parameters on the way varies less than
    the last ones.

    .. math::
        g' = g + \lambda p \qquad p \leftarrow (1 - \Lambda \eta_t) p - \eta_t g' \qquad
        a \leftarrow a + \mu_t (p - a)

        \eta_1 = \eta \qquad \eta_{t+1} = \frac{\eta}{(1 + \Lambda \eta t)^\alpha} \qquad
        \mu_1 = 1 \qquad \mu_{t+1} = \frac{1}{\max(1, t - t_0)}

    t is the number of the step, from 1. Up to step t0 + 2 mu is 1, and a is p; later a is the mean
    of p after the steps t0 + 2, t0 + 3, ..., t.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate.
    lambd : float
        Lambda, the decay of the parameters and of the rate.
    alpha : float
        The power of the rate's decay.
    t0 : float
        The step two after which averaging begins. The default, a million, is that of long training:
        lower it for a short one, where a would be p to the end.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step", t; "eta" and "mu", numbers; "ax", a, of the parameter's shape. The parameters are
    p: copy the averages from optimizer.state[p]["ax"].

    The paper averages from the first step on and leaves the rates open, but for a decay slower than
    1/t. PyTorch's, and so this class's, are Xu's, as is the decay Lambda in every step.

    Raises
    ------
    RangeError
        A negative setting.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for one more copy of them.

    Polyak, Juditsky (1992), "Acceleration of stochastic approximation by averaging". Xu (2011),
    "Towards optimal one pass large scale learning with averaged stochastic gradient descent".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.ASGD([p], lr=0.25, lambd=0.0)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.5, -1.0], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, lambd: float = 1e-4, alpha: float = 0.75,
                 t0: float = 1e6, weight_decay: float = 0.0, foreach: bool | None = None, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False):
        need_defaults("ASGD", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
                                  "maximize": maximize})


def asgd_kernel(p: list[np.ndarray], g: list[np.ndarray], eta: list[float], mu: list[float], ax: list[np.ndarray],
                t: list[int], *, t0: float, weight_decay: float, **rate: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.asgd_step(p, g, ax, eta, mu, rate["lambd"], weight_decay)
    eta[:] = [reference.asgd_rate(t=step, **rate) for step in t]
    mu[:] = [1 / max(1.0, step - t0) for step in t]


register(ASGD, Rule(
    formula="p -= eta g;  ax = mean of p",
    definition=reference.asgd_step, kernel=asgd_kernel,
    state=(State("eta", initial="lr", number=True, least=0.0),
           State("mu", initial=1.0, number=True, least=0.0, most=1.0), State("ax")),
    counts_steps=True,
    settings={"lr": at_least_zero(1e-2), "lambd": at_least_zero(1e-4), "alpha": at_least_zero(0.75),
              "t0": at_least_zero(1e6), "weight_decay": at_least_zero(0.0), "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "averaged": {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 5, "weight_decay": 0.01},
        "maximize": {"lr": 0.1, "t0": 10.0, "maximize": True},
    }))


guard_all(globals())
