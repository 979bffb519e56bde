"""Adam and AdamW: one definition, with weight decay in the gradient or beside it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, betas, register, switch

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    r"""Adam: steps scaled by running means of the gradient and of its square.

    .. math::
        g' = g + \lambda p \qquad
        m \leftarrow \beta_1 m + (1 - \beta_1) g' \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g'^2

        p \leftarrow p - \eta \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    t is the number of the step, from 1. m and v begin as zeros; the divisions, the paper's m-hat
    and v-hat, correct their bias towards zero.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate: about the length of a step in each coordinate.
    betas : (float, float)
        beta_1 and beta_2, the fractions of m and v that are kept. 0 <= beta < 1.
    eps : float
        epsilon, which keeps the quotient finite where the gradient is zero.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient. AdamW shrinks p instead.
    maximize : bool
        Climb instead of descend.
    amsgrad : bool
        The largest v so far takes the place of v. The paper has no bias correction; here both
        corrections stay, that of v applied to the largest.
    decoupled_weight_decay : bool
        AdamW's weight decay.
    differentiable : PyTorch's, at its default alone
    foreach, fused, capturable : accepted for PyTorch's sake

    State: "step", t; "exp_avg", m, and "exp_avg_sq", v, of the parameter's shape; with `amsgrad`
    "max_exp_avg_sq".

    Without weight decay this is Algorithm 1 of the paper, with epsilon outside the root. In the
    paper's shorter form, alpha sqrt(1 - beta_2^t) / (1 - beta_1^t) times m / (sqrt(v) + epsilon),
    epsilon is larger by 1 / sqrt(1 - beta_2^t), 32 times at the first step; some libraries use
    that. Lecture notes that leave the corrections out begin with steps 3 times as long.

    Raises
    ------
    RangeError
        A negative setting, a beta outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Kingma, Ba (2015), "Adam: a method for stochastic optimization". Reddi, Kale, Kumar (2018), "On
    the convergence of Adam and beyond": AMSGrad.

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Adam([p], lr=0.1)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.9, -1.9], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False, *, foreach: bool | None = None,
                 maximize: bool = False, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None, decoupled_weight_decay: bool = False):
        need_defaults(type(self).__name__, "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "amsgrad": amsgrad, "maximize": maximize,
                                  "decoupled_weight_decay": decoupled_weight_decay})


class AdamW(Adam):
    r"""Adam with decoupled weight decay: p shrinks by the same fraction whatever its gradient is.

    .. math:: p \leftarrow (1 - \eta \lambda) p \qquad \text{and then Adam's step with } g' = g

    Parameters, state, errors and cost are Adam's; `weight_decay` is 0.01 by default.

    In the paper a schedule scales the decay, and the learning rate alpha does not: p <- p - s_t
    (alpha m-hat / ... + lambda p). PyTorch, and so this class, multiplies both by eta = s_t alpha,
    so the paper's lambda is alpha lambda here, and another lr wants another weight_decay.

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
                 foreach: bool | None = None, capturable: bool = False, differentiable: bool = False,
                 fused: bool | None = None):
        need_defaults("AdamW", "A step is no part of the tape.", differentiable=(differentiable, False))
        Optimizer.__init__(self, params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                          "amsgrad": amsgrad, "maximize": maximize})


def adam_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[np.ndarray], v: list[np.ndarray], top: list[Any],
                t: list[int], *, betas: tuple[float, float], amsgrad: bool, **settings: Any) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.adam_step(p, g, m, v, top if amsgrad else None, t, *betas, **settings)


register(Adam, Rule(
    formula="m = mean of g, v = mean of g^2;  p -= lr m / (sqrt(v) + eps)",
    definition=reference.adam_step, kernel=adam_kernel,
    state=(State("exp_avg"), State("exp_avg_sq", least=0.0), State("max_exp_avg_sq", only_if="amsgrad", least=0.0)),
    counts_steps=True,
    settings={"lr": at_least_zero(1e-3), "betas": betas(), "eps": at_least_zero(1e-8),
              "weight_decay": at_least_zero(0.0), "amsgrad": switch(False), "maximize": switch(False),
              "decoupled_weight_decay": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "short memory": {"lr": 0.01, "betas": (0.5, 0.6), "eps": 1e-3},
        "decay": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-4, "weight_decay": 0.1},
        "no memory": {"lr": 0.01, "betas": (0.0, 0.9)},
        "amsgrad": {"lr": 0.01, "betas": (0.8, 0.9), "amsgrad": True, "weight_decay": 0.1},
        "decoupled": {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
        "maximize": {"lr": 0.01, "maximize": True},
    }))

register(AdamW, replace(
    Adam.rule,
    formula="p -= lr weight_decay p;  then Adam's step",
    settings={**{name: setting for name, setting in Adam.rule.settings.items() if name != "decoupled_weight_decay"},
              "weight_decay": at_least_zero(1e-2)},
    fixed={"decoupled_weight_decay": True},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "weight_decay": 0.2},
        "no decay": {"lr": 0.01, "weight_decay": 0.0, "betas": (0.8, 0.95), "eps": 1e-4},
        "amsgrad": {"lr": 0.01, "betas": (0.8, 0.9), "amsgrad": True},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
