"""RAdam: Adam that warms up by itself."""

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

__all__ = ["RAdam"]


class RAdam(Optimizer):
    r"""RAdam: rectified Adam, whose steps are short as long as the variance of their rate is large,
    which is a warm-up by itself.

    .. math::
        \rho_\infty = \frac{2}{1 - \beta_2} - 1 \qquad
        \rho_t = \rho_\infty - \frac{2 t \beta_2^t}{1 - \beta_2^t} \qquad
        r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2) \rho_\infty}
            {(\rho_\infty - 4)(\rho_\infty - 2) \rho_t}}

        p \leftarrow p - \eta \frac{m}{1 - \beta_1^t} \cdot
            \begin{cases} r_t \sqrt{1 - \beta_2^t} / (\sqrt{v} + \epsilon) & \rho_t > 5 \\
            1 & \text{else} \end{cases}

    m and v are Adam's running means of g' and g'^2; t is the number of the step, from 1. r_t is
    the rectification, and rho_t the number of squares in a plain average as good as v.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate.
    betas : (float, float)
        beta_1 and beta_2, the fractions of m and v that are kept. 0 <= beta < 1. For beta_2 up to
        2/3, rho never reaches 5, and v is never used.
    eps : float
        epsilon, which keeps the quotient finite where the gradient is zero.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient; see `decoupled_weight_decay`.
    decoupled_weight_decay : bool
        Shrink p by the fraction eta lambda instead, as AdamW does.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step", t; "exp_avg", m, and "exp_avg_sq", v, of the parameter's shape.

    The paper rectifies where rho_t > 4, since there the variance of the rate is finite. PyTorch,
    and so this class, waits until rho_t > 5, as the paper's own code does: with beta_2 = 0.999 the
    first five steps are momentum's. The paper has no epsilon; here it is added before v's bias is
    corrected, so it counts as epsilon / sqrt(1 - beta_2^t) in Adam.

    Raises
    ------
    RangeError
        A negative setting, a beta outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Liu et al. (2020), "On the variance of the adaptive learning rate and beyond".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.RAdam([p], lr=0.1)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.8, -1.6], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
                 eps: float = 1e-8, weight_decay: float = 0.0, decoupled_weight_decay: bool = False, *,
                 foreach: bool | None = None, maximize: bool = False, capturable: bool = False,
                 differentiable: bool = False):
        need_defaults("RAdam", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay,
                                  "decoupled_weight_decay": decoupled_weight_decay, "maximize": maximize})


def radam_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[np.ndarray], v: list[np.ndarray], t: list[int], *,
                 lr: float, betas: tuple[float, float], **settings: Any) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    beta1, beta2 = betas
    rectifications = [reference.radam_rectification(step, beta2) for step in t]
    rates = [lr / (1 - beta1**step) * (r * math.sqrt(1 - beta2**step) if r else 1)
             for step, r in zip(t, rectifications)]
    compiled.radam_step(p, g, m, v, rates, rectifications, beta1, beta2, lr=lr, **settings)


register(RAdam, Rule(
    formula="m = mean of g, v = mean of g^2;  p -= lr r m / (sqrt(v) + eps), at first lr m",
    definition=reference.radam_step, kernel=radam_kernel,
    state=(State("exp_avg"), State("exp_avg_sq", least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(1e-3), "betas": betas(), "eps": at_least_zero(1e-8),
              "weight_decay": at_least_zero(0.0), "decoupled_weight_decay": switch(False), "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
        "decoupled": {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True},
        "never adaptive": {"lr": 0.01, "betas": (0.9, 0.5)},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
