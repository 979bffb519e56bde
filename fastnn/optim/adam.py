"""Adam and AdamW: one definition, with weight decay in the gradient or beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..guard import guard_all
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, Setting, State, at_least_zero, need_defaults, register, switch

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam: steps scaled by running means of the gradient and of its square.

    .. math::
        g' = g + \lambda p \qquad
        m \leftarrow \beta_1 m + (1 - \beta_1) g' \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g'^2

        p \leftarrow p - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    t is the number of the step, from 1. m and v begin as zeros; the divisions undo their bias
    towards zero.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate: about the length of a step in each coordinate.
    betas : (float, float)
        beta_1 and beta_2, the shares of m and v that are kept. 0 <= beta < 1.
    eps : float
        epsilon, which keeps the quotient finite where the gradient is zero.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient. AdamW shrinks p instead.
    maximize : bool
        Climb instead of descend.
    amsgrad, differentiable : PyTorch's, at their defaults alone
    foreach, fused, capturable : accepted for PyTorch's sake

    State: "step", t; "exp_avg", m, and "exp_avg_sq", v, of the parameter's shape.

    Raises
    ------
    RangeError
        A negative setting, a beta outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Kingma, Ba (2015), "Adam: a method for stochastic optimization".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Adam([p], lr=0.1)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.9, -1.9], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, fused: bool | None = None, capturable: bool = False,
                 differentiable: bool = False, decoupled_weight_decay: bool = False):
        need_defaults(type(self).__name__, "Use nn.optim.AdamW.", decoupled_weight_decay=decoupled_weight_decay)
        need_defaults(type(self).__name__, "AMSGrad is not there." if amsgrad else "A step is no part of the tape.",
                      amsgrad=amsgrad, differentiable=differentiable)
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize})


class AdamW(Adam):
    r"""Adam with decoupled weight decay: p shrinks by the same share whatever its gradient's size.

    .. math:: p \leftarrow p - \eta \lambda p \qquad \text{and then Adam's step with } g' = g

    Parameters, state, errors and cost are Adam's; `weight_decay` is 0.01 by default.

    Loshchilov, Hutter (2019), "Decoupled weight decay regularization".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0])
    >>> optimizer = nn.optim.AdamW([p], lr=0.1, weight_decay=0.5)
    >>> (p * 0).sum().backward(); optimizer.step(); p
    parameter([0.95], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False,
                 foreach: bool | None = None, fused: bool | None = None, capturable: bool = False,
                 differentiable: bool = False):
        need_defaults(type(self).__name__, "AMSGrad is not there." if amsgrad else "A step is no part of the tape.",
                      amsgrad=amsgrad, differentiable=differentiable)
        super().__init__(params, lr, betas, eps, weight_decay, maximize=maximize)


def adam_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[np.ndarray], v: list[np.ndarray], t: list[int], *,
                lr: float, betas: tuple[float, float], eps: float, weight_decay: float,
                decoupled_weight_decay: bool) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    beta1, beta2 = betas
    compiled.adam_step(p, g, m, v, t, lr, beta1, beta2, eps, weight_decay, decoupled_weight_decay)


def _betas(betas: Any) -> bool:
    return isinstance(betas, (tuple, list)) and len(betas) == 2 and all(0 <= beta < 1 for beta in betas)


register(Adam, Rule(
    formula="m = mean of g, v = mean of g^2;  p -= lr m / (sqrt(v) + eps)",
    definition=reference.adam_step, kernel=adam_kernel,
    state=(State("exp_avg"), State("exp_avg_sq", least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(1e-3), "betas": Setting((0.9, 0.999), _betas, "a pair with 0 <= beta < 1"),
              "eps": at_least_zero(1e-8), "weight_decay": at_least_zero(0.0), "maximize": switch(False)},
    fixed={"decoupled_weight_decay": False},
    samples={
        "defaults": {"lr": 0.01},
        "short memory": {"lr": 0.01, "betas": (0.5, 0.6), "eps": 1e-3},
        "decay": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1},
        "no memory": {"lr": 0.01, "betas": (0.0, 0.9)},
        "maximize": {"lr": 0.01, "maximize": True},
    }))

register(AdamW, replace(
    Adam.rule,
    formula="p -= lr weight_decay p;  then Adam's step",
    settings={**Adam.rule.settings, "weight_decay": at_least_zero(1e-2)},
    fixed={"decoupled_weight_decay": True},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "weight_decay": 0.2},
        "no decay": {"lr": 0.01, "weight_decay": 0.0, "betas": (0.8, 0.95), "eps": 1e-4},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
