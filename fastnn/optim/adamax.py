"""Adamax: Adam with the largest gradient in the place of the root of the mean square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, betas, register, switch

__all__ = ["Adamax"]


class Adamax(Optimizer):
    r"""Adamax: steps scaled by a running mean of the gradient and by its largest size.

    .. math::
        g' = g + \lambda p \qquad
        m \leftarrow \beta_1 m + (1 - \beta_1) g' \qquad
        u \leftarrow \max(\beta_2 u, |g'| + \epsilon)

        p \leftarrow p - \frac{\eta}{1 - \beta_1^t} \frac{m}{u}

    t is the number of the step, from 1.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate: at most the length of a step in each coordinate.
    betas : (float, float)
        beta_1 and beta_2, the fractions of m and u that are kept. 0 <= beta < 1.
    eps : float
        epsilon, which keeps the quotient finite where all gradients were zero.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step", t; "exp_avg", m, and "exp_inf", u, of the parameter's shape.

    The paper, which calls it AdaMax, has u = max(beta_2 u, |g|), without epsilon. PyTorch, and so
    this class, adds it to |g|, where others add it to the denominator. u needs no bias correction.

    Raises
    ------
    RangeError
        A negative setting, a beta outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Kingma, Ba (2015), "Adam: a method for stochastic optimization", section 7.

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Adamax([p], lr=0.1)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.9, -1.9], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, foreach: bool | None = None, *, maximize: bool = False,
                 differentiable: bool = False, capturable: bool = False):
        need_defaults("Adamax", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize})


def adamax_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[np.ndarray], u: list[np.ndarray], t: list[int], *,
                  lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    beta1, beta2 = betas
    compiled.adamax_step(p, g, m, u, [lr / (1 - beta1**step) for step in t], beta1, beta2, eps, weight_decay)


register(Adamax, Rule(
    formula="m = mean of g, u = largest abs(g);  p -= lr m / u",
    definition=reference.adamax_step, kernel=adamax_kernel,
    state=(State("exp_avg"), State("exp_inf", least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(2e-3), "betas": betas(), "eps": at_least_zero(1e-8),
              "weight_decay": at_least_zero(0.0), "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        "no memory": {"lr": 0.01, "betas": (0.0, 0.0), "eps": 1e-3},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
