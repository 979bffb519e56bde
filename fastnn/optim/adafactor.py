"""Adafactor: Adam's mean square, of which only the means of rows and columns are kept."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, Setting, State, are_numbers, at_least_zero, number, register, switch

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    r"""Adafactor: the mean square of a matrix's gradient is kept as means of rows and of columns,
    so the state is much smaller than the parameters.

    .. math::
        \beta_{2t} = 1 - t^{\beta} \qquad
        r \leftarrow \beta_{2t} r + (1 - \beta_{2t}) \, \text{mean}_{columns}(g^2) \qquad
        c \leftarrow \beta_{2t} c + (1 - \beta_{2t}) \, \text{mean}_{rows}(g^2)

        v = \frac{r c}{\max(\text{mean}(r), \epsilon_1)} \qquad
        u = \frac{g}{\sqrt{\max(v, \epsilon_1^2)}} \qquad
        \alpha_t = \max(\epsilon_2, \text{rms}(p)) \, \min(\eta, 1/\sqrt t)

        p \leftarrow (1 - \eta \lambda) p - \alpha_t \frac{u}{\max(1, \text{rms}(u) / d)}

    t is the number of the step, from 1; rms is the root of the mean of the squares. r has a number
    for each row and c one for each column; r c is their outer product. Of more than two dimensions
    the last two are the matrix. With one or none nothing is factored: v is the running mean
    v <- beta_2t v + (1 - beta_2t) g^2 itself, and the rest is the same.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta. A step is relative: with d = 1 its rms is at most eta times that of p, or times
        epsilon_2 where p is smaller; 1/sqrt(t) takes the place of eta from t = 1 / eta^2 on.
    beta2_decay : float
        beta, at most 0: the weight of the new square, t^beta, is 1 in the first step.
    eps : (float or None, float)
        epsilon_1, the least root of v, so of a gradient's size, and the least mean of r, where it
        is of a square's; None is the dtype's, 1.2e-7 of float32. epsilon_2, the least rms of p.
    d : float
        The largest rms of the update u, at least 1.
    weight_decay : float
        lambda: p shrinks by the fraction eta lambda.
    maximize : bool
        Climb instead of descend.
    foreach : accepted for PyTorch's sake

    State: "step", t; of a parameter of shape (..., R, C) "row_var", r, of shape (..., R, 1), and
    "col_var", c, of shape (..., 1, C); of one with fewer dimensions "variance", v, of its shape.

    The paper's Algorithms 4 and 5 have these relative steps and the clipping by d, with eta = 0.01.
    Other libraries can switch relative steps off; PyTorch and this class cannot. The paper adds
    epsilon_1 = 1e-30 to g^2. PyTorch, and so this class, bounds v instead, by a much larger
    epsilon_1: where all gradients of a matrix have an rms below 3.5e-4 in float32, mean(r) is below
    it, and v is too small, so that d alone bounds u. The paper has no weight decay, and a momentum
    as an option; here is none.

    Raises
    ------
    RangeError
        A setting outside its range.
    ShapeError, DTypeError
        Nothing to optimise, or something that is no parameter.

    Cost: four passes over the gradients, and memory for R + C numbers of an R x C matrix.

    Shazeer, Stern (2018), "Adafactor: adaptive learning rates with sublinear memory cost".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([[1.0, -2.0]])
    >>> optimizer = nn.optim.Adafactor([p], lr=0.1)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([[ 0.8419, -1.8419]], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-2, beta2_decay: float = -0.8,
                 eps: tuple[float | None, float] = (None, 1e-3), d: float = 1.0, weight_decay: float = 0.0, *,
                 foreach: bool | None = None, maximize: bool = False):
        super().__init__(params, {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d,
                                  "weight_decay": weight_decay, "maximize": maximize})


def adafactor_kernel(p: list[np.ndarray], g: list[np.ndarray], row: list[Any], column: list[Any],
                     variance: list[Any], t: list[int], *, eps: tuple[float | None, float], **settings: float) -> None:
    """The rule for many parameters at once; see Rule.kernel."""
    lr, keep = settings["lr"], 1 - settings["lr"] * settings["weight_decay"]
    for param, gradient, of_rows, of_columns, alone, step in zip(p, g, row, column, variance, t):
        eps1 = np.finfo(param.dtype).eps if eps[0] is None else eps[0]
        compiled.adafactor_step(param, gradient, of_rows, alone if of_columns is None else of_columns,
                                step**settings["beta2_decay"], min(lr, 1 / math.sqrt(step)), eps1, eps[1],
                                settings["d"], keep)


def _of_rows(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return (*shape[:-1], 1) if len(shape) >= 2 else None


def _of_columns(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return (*shape[:-2], 1, shape[-1]) if len(shape) >= 2 else None


def _of_a_vector(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return shape if len(shape) < 2 else None


def _is_eps(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    numbers = value[1:] if value[0] is None else value
    return are_numbers(numbers) and min(numbers) >= 0


register(Adafactor, Rule(
    formula="v = means of g^2 over rows, times those over columns;  p -= lr rms(p) g / sqrt(v)",
    definition=reference.adafactor_step, kernel=adafactor_kernel,
    state=(State("row_var", shape=_of_rows, least=0.0), State("col_var", shape=_of_columns, least=0.0),
           State("variance", shape=_of_a_vector, least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(1e-2),
              "beta2_decay": number(-0.8, most=0),
              "eps": Setting((None, 1e-3), _is_eps, "a pair: None or a number >= 0, and a number >= 0"),
              "d": number(1.0, least=1),
              "weight_decay": at_least_zero(0.0), "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 1e-2), "d": 1.5, "weight_decay": 0.1},
        "short": {"lr": 0.5, "d": 1.0},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
