"""Rprop: steps whose length depends on the gradient's signs alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all, need_defaults
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, State, at_least_zero, pair, register, switch

__all__ = ["Rprop"]


class Rprop(Optimizer):
    r"""Resilient backpropagation: each element has a step of its own length, which grows while the
    gradient keeps its sign and shrinks when it changes.

    .. math::
        h \leftarrow \text{clip}(h \cdot \begin{cases} \eta^+ & g \, g_{t-1} > 0 \\
            \eta^- & g \, g_{t-1} < 0 \\ 1 & \text{else} \end{cases}, \; h_{min}, h_{max})

        g \leftarrow 0 \text{ if } g \, g_{t-1} < 0 \qquad p \leftarrow p - h \, \text{sign}(g)

    g_{t-1} is the gradient of the last step as that step left it, 0 before the first. So after a
    change of sign the element stays where it is, and h is neither longer nor shorter in the next
    step.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        h before the first step.
    etas : (float, float)
        eta- and eta+: 0 < eta- < 1 < eta+.
    step_sizes : (float, float)
        h_min and h_max, the shortest and the longest step.
    maximize : bool
        Climb instead of descend.
    differentiable : PyTorch's, at its default alone
    foreach, capturable : accepted for PyTorch's sake

    State: "step"; "prev", g_{t-1}, and "step_size", h, of the parameter's shape.

    For gradients of the whole data: the signs of a batch's gradients say little.

    Where the sign changes, the paper also takes the last step back. PyTorch, and so this class,
    does not: this is the variant that Igel and Huesken call iRprop-. The paper begins with h = 0.1.

    Signs are compared, so small gradients count as large ones do; PyTorch multiplies g by g_{t-1},
    which rounds to 0 in float32 where both are below 1e-23. A denormal gradient (below 1.2e-38 in
    float32) is 0, and its element stays, unless nn.set_flush_denormal(False) is called.

    Raises
    ------
    RangeError
        A setting outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: one pass over the parameters, and memory for two more copies of them.

    Riedmiller, Braun (1993), "A direct adaptive method for faster backpropagation learning: the
    RPROP algorithm". Igel, Huesken (2000), "Improving the Rprop learning algorithm".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([1.0, -2.0])
    >>> optimizer = nn.optim.Rprop([p], lr=0.5)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([ 0.5, -1.5], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50.0), *, capturable: bool = False,
                 foreach: bool | None = None, maximize: bool = False, differentiable: bool = False):
        need_defaults("Rprop", "A step is no part of the tape.", differentiable=(differentiable, False))
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})


def rprop_kernel(p: list[np.ndarray], g: list[np.ndarray], previous: list[np.ndarray], size: list[np.ndarray],
                 t: list[int], *, lr: float, etas: tuple[float, float], step_sizes: tuple[float, float]) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    compiled.rprop_step(p, g, previous, size, *etas, *step_sizes)


register(Rprop, Rule(
    formula="h = h etaplus, or h etaminus where g changed its sign;  p -= h sign(g)",
    definition=reference.rprop_step, kernel=rprop_kernel,
    state=(State("prev"), State("step_size", initial="lr", least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(1e-2),
              "etas": pair((0.5, 1.2), lambda minus, plus: 0 < minus < 1 < plus, "0 < etaminus < 1 < etaplus"),
              "step_sizes": pair((1e-6, 50.0), lambda least, most: 0 <= least <= most, "0 <= shortest <= longest step"),
              "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "narrow": {"lr": 0.01, "etas": (0.7, 1.5), "step_sizes": (0.005, 0.02)},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
