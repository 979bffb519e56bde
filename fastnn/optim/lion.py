"""Lion: the sign of a mean of gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, betas, register, switch

__all__ = ["Lion"]


class Lion(Optimizer):
    r"""Lion: every element moves by the same length, against the sign of a mean of gradients.

    .. math::
        p \leftarrow (1 - \eta \lambda) p - \eta \, \text{sign}(\beta_1 m + (1 - \beta_1) g)

        m \leftarrow \beta_2 m + (1 - \beta_2) g

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the length of a step in each coordinate: a third to a tenth of AdamW's.
    betas : (float, float)
        beta_1, the weight of m in the update, and beta_2, the fraction of m that is kept.
        0 <= beta < 1.
    weight_decay : float
        lambda: p shrinks by the fraction eta lambda: three to ten times AdamW's.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's way to say it, at its default alone
    foreach : accepted as in PyTorch's optimisers

    State: "exp_avg", m, of the parameter's shape.

    This is Algorithm 2 of the paper. PyTorch has no Lion; the names of the arguments are those of
    its Adam. A mean that is denormal (below 1.2e-38 in float32) is 0, and its element only decays,
    unless nn.set_flush_denormal(False) is called.

    Raises
    ------
    RangeError
        A negative setting, a beta outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for one more copy of them.

    Chen et al. (2023), "Symbolic discovery of optimization algorithms".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Lion([p], lr=0.5)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-4, betas: tuple[float, float] = (0.9, 0.99),
                 weight_decay: float = 0.0, *, maximize: bool = False, foreach: bool | None = None,
                 differentiable: bool = False):
        need_defaults("Lion", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})


def lion_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[np.ndarray], *, lr: float,
                betas: tuple[float, float], weight_decay: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.lion_step(p, g, m, lr, *betas, weight_decay)


register(Lion, Rule(
    formula="m = mean of g;  p -= lr sign(a mean with more of g in it)",
    definition=reference.lion_step, kernel=lion_kernel,
    state=(State("exp_avg"),),
    settings={"lr": at_least_zero(1e-4), "betas": betas((0.9, 0.99)), "weight_decay": at_least_zero(0.0),
              "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "betas": (0.5, 0.7), "weight_decay": 0.3},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
