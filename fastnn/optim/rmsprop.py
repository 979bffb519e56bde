"""RMSprop: the gradient over the root of its mean square."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, fraction, register, switch

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    r"""RMSprop: the gradient, divided by the root of a running mean of its square.

    .. math:: g' = g + \lambda p \qquad v \leftarrow \alpha v + (1 - \alpha) g'^2 \qquad
        p \leftarrow p - \eta \frac{g'}{\sqrt{v} + \epsilon}

    With `centered`, v - w^2 takes the place of v, where w <- alpha w + (1 - alpha) g': the variance
    and not the mean square. With momentum mu, m <- mu m + g' / (sqrt(v) + epsilon), and
    p <- p - eta m.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the learning rate.
    alpha : float
        The fraction of v and w that is kept, from 0 to 1.
    eps : float
        epsilon, which keeps the quotient finite where the gradient is zero.
    weight_decay : float
        lambda: an L2 penalty, as part of the gradient.
    momentum : float
        mu, the fraction of m that is kept.
    centered : bool
        Divide by the standard deviation.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step"; "square_avg", v; with `centered` "grad_avg", w; with momentum "momentum_buffer",
    m; all of the parameter's shape.

    Rounding can make v - w^2 negative; it counts as 0, where PyTorch's step is NaN.

    The lecture that introduced RMSprop has alpha = 0.9 and no epsilon; notes often write
    sqrt(v + epsilon). Graves's centred form, with momentum, has epsilon inside the root too, and
    keeps eta times the quotient in m. PyTorch, and so this class, adds epsilon outside the root and
    multiplies by eta at the end.

    Raises
    ------
    RangeError
        A negative setting, an alpha above 1.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for one to three more copies of them.

    Tieleman, Hinton (2012), "Lecture 6.5: RMSprop". Graves (2013), "Generating sequences with
    recurrent neural networks".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.RMSprop([p], lr=0.05)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False):
        need_defaults("RMSprop", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "alpha": alpha, "eps": eps, "weight_decay": weight_decay,
                                  "momentum": momentum, "centered": centered, "maximize": maximize})


def rmsprop_kernel(p: list[np.ndarray], g: list[np.ndarray], v: list[np.ndarray], w: list[Any], m: list[Any],
                   t: list[int], *, momentum: float, centered: bool, **settings: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.rmsprop_step(p, g, v, w if centered else None, m if momentum else None, momentum=momentum, **settings)


register(RMSprop, Rule(
    formula="v = mean of g^2;  p -= lr g / (sqrt(v) + eps)",
    definition=reference.rmsprop_step, kernel=rmsprop_kernel,
    state=(State("square_avg", least=0.0), State("grad_avg", only_if="centered"),
           State("momentum_buffer", only_if="momentum")), counts_steps=True,
    settings={"lr": at_least_zero(1e-2), "alpha": fraction(0.99), "eps": at_least_zero(1e-8),
              "weight_decay": at_least_zero(0.0), "momentum": at_least_zero(0.0), "centered": switch(False),
              "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.01, "alpha": 0.9, "eps": 1e-3, "weight_decay": 0.1},
        "momentum": {"lr": 0.01, "momentum": 0.9},
        "centered": {"lr": 0.01, "centered": True, "eps": 0.1},
        "centered, momentum": {"lr": 0.01, "centered": True, "momentum": 0.5, "eps": 0.1, "weight_decay": 0.01},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
