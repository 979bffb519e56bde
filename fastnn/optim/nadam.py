"""NAdam: Adam with Nesterov's look ahead."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, betas, register, switch

__all__ = ["NAdam"]


class NAdam(Optimizer):
    r"""NAdam: Adam whose step takes the momentum of the next step already, as Nesterov's does.

    .. math::
        g' = g + \lambda p \qquad
        m \leftarrow \beta_1 m + (1 - \beta_1) g' \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g'^2

        \mu_t = \beta_1 (1 - 0.96^{t \psi} / 2) \qquad M_t = \mu_1 \mu_2 \cdots \mu_t

        p \leftarrow p - \eta \frac{(1 - \mu_t) / (1 - M_t) \, g' + \mu_{t+1} / (1 - M_{t+1}) \, m}
            {\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    t is the number of the step, from 1; M_{t+1} = M_t mu_{t+1}. The momentum mu grows from about
    beta_1 / 2 towards beta_1.

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
        lambda: an L2 penalty, as part of the gradient; see `decoupled_weight_decay`.
    momentum_decay : float
        psi: how fast the momentum grows.
    decoupled_weight_decay : bool
        Shrink p by the fraction eta lambda instead, as AdamW does.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step", t; "mu_product", M_t, a number; "exp_avg", m, and "exp_avg_sq", v, of the
    parameter's shape.

    The schedule of mu is the paper's, with psi = 0.004. In the paper m is made with mu_t as well:
    mu_t m + (1 - mu_t) g. PyTorch, and so this class, makes it with beta_1. Lecture notes mostly
    keep mu = beta_1, and correct with beta_1^t and beta_1^{t+1}: that is any psi so large that
    0.96^psi is 0 beside 1, such as 1000.

    Raises
    ------
    RangeError
        A negative setting, a beta outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Dozat (2016), "Incorporating Nesterov momentum into Adam".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.NAdam([p], lr=0.1)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.8944, -1.8944], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, momentum_decay: float = 4e-3,
                 decoupled_weight_decay: bool = False, *, foreach: bool | None = None, maximize: bool = False,
                 capturable: bool = False, differentiable: bool = False):
        need_defaults("NAdam", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
                                  "maximize": maximize})


def nadam_kernel(p: list[np.ndarray], g: list[np.ndarray], mu_product: list[float], m: list[np.ndarray],
                 v: list[np.ndarray], t: list[int], *, lr: float, betas: tuple[float, float], momentum_decay: float,
                 **settings: Any) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    beta1, beta2 = betas
    mu, mu_next = ([beta1 * (1 - 0.96**((step + k) * momentum_decay) / 2) for step in t] for k in (0, 1))
    mu_product[:] = [product * mu_t for product, mu_t in zip(mu_product, mu)]
    compiled.nadam_step(p, g, m, v, [lr * (1 - mu_t) / (1 - product) for mu_t, product in zip(mu, mu_product)],
                        [lr * ahead / (1 - product * ahead) for ahead, product in zip(mu_next, mu_product)],
                        [1 / math.sqrt(1 - beta2**step) for step in t], beta1, beta2, lr=lr, **settings)


register(NAdam, Rule(
    formula="m = mean of g, v = mean of g^2;  p -= lr (m ahead of its time) / (sqrt(v) + eps)",
    definition=reference.nadam_step, kernel=nadam_kernel,
    state=(State("mu_product", initial=1.0, number=True, least=0.0, most=1.0), State("exp_avg"),
           State("exp_avg_sq", least=0.0)),
    counts_steps=True,
    settings={"lr": at_least_zero(2e-3), "betas": betas(), "eps": at_least_zero(1e-8),
              "weight_decay": at_least_zero(0.0), "momentum_decay": at_least_zero(4e-3),
              "decoupled_weight_decay": switch(False), "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1, "momentum_decay": 0.1},
        "decoupled": {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
