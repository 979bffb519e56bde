"""Adagrad: rates that shrink with the sum of all squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, register, switch

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    r"""Adagrad: each element's rate shrinks with the sum of the squares of all its gradients.

    .. math:: g' = g + \lambda p \qquad s \leftarrow s + g'^2 \qquad
        p \leftarrow p - \frac{\eta}{1 + (t - 1) \gamma} \frac{g'}{\sqrt{s} + \epsilon}

    t is the number of the step, from 1.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate.
    lr_decay : float
        gamma: the rate also falls with the number of the step.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient.
    initial_accumulator_value : float
        s before the first step.
    eps : float
        epsilon, which keeps the quotient finite where all gradients were zero.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, fused : accepted for PyTorch's sake

    State: "step", t; "sum", s, of the parameter's shape.

    epsilon is the paper's delta, and outside the root as there. Lecture notes, which call s G,
    often write sqrt(s + epsilon), which with epsilon = 1e-8 is never below 1e-4. The decay of the
    rate is PyTorch's, and so is a start above 0.

    Raises
    ------
    RangeError
        A negative setting.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for one more copy of them.

    Duchi, Hazan, Singer (2011), "Adaptive subgradient methods for online learning and stochastic
    optimization".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Adagrad([p], lr=0.5)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10, foreach: bool | None = None, *,
                 maximize: bool = False, differentiable: bool = False, fused: bool | None = None):
        need_defaults("Adagrad", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay,
                                  "initial_accumulator_value": initial_accumulator_value, "eps": eps,
                                  "maximize": maximize})


def adagrad_kernel(p: list[np.ndarray], g: list[np.ndarray], total: list[np.ndarray], t: list[int], *, lr: float,
                   lr_decay: float, weight_decay: float, initial_accumulator_value: float, eps: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.adagrad_step(p, g, total, [lr / (1 + (step - 1) * lr_decay) for step in t], eps, weight_decay)


register(Adagrad, Rule(
    formula="s = s + g^2;  p -= lr g / (sqrt(s) + eps)",
    definition=reference.adagrad_step, kernel=adagrad_kernel,
    state=(State("sum", initial="initial_accumulator_value", least=0.0),), counts_steps=True,
    settings={"lr": at_least_zero(1e-2), "lr_decay": at_least_zero(0.0), "weight_decay": at_least_zero(0.0),
              "initial_accumulator_value": at_least_zero(0.0), "eps": at_least_zero(1e-10), "maximize": switch(False)},
    samples={
        "defaults": {},
        "decay": {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.03},
        "a start": {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3},
        "maximize": {"lr": 0.1, "maximize": True},
    }))


guard_all(globals())
