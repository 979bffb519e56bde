"""Adadelta: steps as long as the last ones were."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, fraction, register, switch

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    r"""Adadelta: the gradient over the root mean square of past gradients, times that of past
    updates.

    .. math:: g' = g + \lambda p \qquad v \leftarrow \rho v + (1 - \rho) g'^2 \qquad
        \Delta = \frac{\sqrt{a + \epsilon}}{\sqrt{v + \epsilon}} g'

        a \leftarrow \rho a + (1 - \rho) \Delta^2 \qquad p \leftarrow p - \eta \Delta

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, a factor of every update.
    rho : float
        The fraction of the running means v and a that is kept, from 0 to 1.
    eps : float
        epsilon, from which the first updates get their length, sqrt(epsilon / (1 - rho)).
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step"; "square_avg", v, and "acc_delta", a, of the parameter's shape, both 0 at first.

    In the paper's letters v is E[g^2] and a is E[Delta x^2]. The paper has no learning rate, which
    is eta = 1 here, and no weight decay; epsilon is inside both roots, as here.

    Raises
    ------
    RangeError
        A negative setting, a rho above 1.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Zeiler (2012), "ADADELTA: an adaptive learning rate method".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Adadelta([p], lr=100.0)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.6838, -1.6838], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6,
                 weight_decay: float = 0.0, foreach: bool | None = None, *, capturable: bool = False,
                 maximize: bool = False, differentiable: bool = False):
        need_defaults("Adadelta", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay,
                                  "maximize": maximize})


def adadelta_kernel(p: list[np.ndarray], g: list[np.ndarray], v: list[np.ndarray], a: list[np.ndarray], t: list[int],
                    *, lr: float, rho: float, eps: float, weight_decay: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.adadelta_step(p, g, v, a, lr, rho, eps, weight_decay)


register(Adadelta, Rule(
    formula="v = mean of g^2, a = mean of d^2;  d = g sqrt(a + eps) / sqrt(v + eps);  p -= lr d",
    definition=reference.adadelta_step, kernel=adadelta_kernel,
    state=(State("square_avg", least=0.0), State("acc_delta", least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(1.0), "rho": fraction(0.9), "eps": at_least_zero(1e-6),
              "weight_decay": at_least_zero(0.0), "maximize": switch(False)},
    samples={
        "defaults": {},
        "decay": {"lr": 0.5, "rho": 0.8, "eps": 1e-3, "weight_decay": 0.03},
        "maximize": {"maximize": True},
    }))


guard_all(globals())
