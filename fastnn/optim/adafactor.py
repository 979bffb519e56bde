"""Adafactor: Adam's root mean square from the sums of rows and columns alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, Setting, State, at_least_zero, register, switch

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    r"""Adafactor: the mean square of a matrix's gradient is kept as means of rows and of columns,
    so the state is much smaller than the parameters.

    .. math::
        r \leftarrow r + t^{\beta} (\overline{g^2}_{row} - r) \qquad
        c \leftarrow c + t^{\beta} (\overline{g^2}_{column} - c) \qquad
        u = g \Big/ \sqrt{\max(r c / \max(\bar r, \epsilon_1), \epsilon_1^2)}

        p \leftarrow (1 - \eta \lambda) p - \max(\epsilon_2, \text{rms}(p)) \min(\eta, 1/\sqrt t) \,
            \frac{u}{\max(1, \text{rms}(u) / d)}

    A parameter with fewer than two dimensions keeps the mean of its own g^2. rms is the root of the
    mean of the squares; of more than two dimensions the last two are the matrix.

    Parameters
    ----------
    params : iterable of Parameters, or of groups {"params": [...], "lr": ...}
    lr : float
        eta, the most by which a step changes p, relative to the size of p.
    beta2_decay : float
        beta, at most 0: the share of the new square is t^beta.
    eps : (float or None, float)
        epsilon_1, of a square's size, None for the dtype's; epsilon_2, the least size of p that
        counts.
    d : float
        The largest root mean square of an update, at least 1.
    weight_decay : float
        lambda: p shrinks by the share eta lambda.
    maximize : bool
        Climb instead of descend.
    foreach : accepted for PyTorch's sake

    State: "step", t; "row_var", r, and "col_var", c, or "variance".

    The paper clips u against d as here, and has relative steps as an option; PyTorch, and so this
    class, always has them.

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
    for a, slope, of_rows, of_columns, alone, step in zip(p, g, row, column, variance, t):
        least = np.finfo(a.dtype).eps if eps[0] is None else eps[0]
        compiled.adafactor_step(a, slope, of_rows, alone if of_columns is None else of_columns,
                                step**settings["beta2_decay"], min(lr, 1 / math.sqrt(step)), least, eps[1],
                                settings["d"], keep)


def _of_rows(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return (*shape[:-1], 1) if len(shape) >= 2 else None


def _of_columns(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return (*shape[:-2], 1, shape[-1]) if len(shape) >= 2 else None


def _of_a_vector(shape: tuple[int, ...]) -> tuple[int, ...] | None:
    return shape if len(shape) < 2 else None


def _is_number(value: Any) -> bool:
    return not isinstance(value, (bool, np.bool_)) and abs(float(value)) < np.inf


def _is_eps(value: Any) -> bool:
    return (isinstance(value, (tuple, list)) and len(value) == 2
            and all(_is_number(number) and number >= 0 for number in value if number is not None)
            and value[1] is not None)


register(Adafactor, Rule(
    formula="v = means of g^2 over rows, times those over columns;  p -= lr rms(p) g / sqrt(v)",
    definition=reference.adafactor_step, kernel=adafactor_kernel,
    state=(State("row_var", shape=_of_rows, least=0.0), State("col_var", shape=_of_columns, least=0.0),
           State("variance", shape=_of_a_vector, least=0.0)), counts_steps=True,
    settings={"lr": at_least_zero(1e-2),
              "beta2_decay": Setting(-0.8, lambda value: _is_number(value) and value <= 0, "<= 0"),
              "eps": Setting((None, 1e-3), _is_eps, "a pair: None or a number >= 0, and a number >= 0"),
              "d": Setting(1.0, lambda value: _is_number(value) and value >= 1, ">= 1"),
              "weight_decay": at_least_zero(0.0), "maximize": switch(False)},
    samples={
        "defaults": {"lr": 0.01},
        "decay": {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-3, 1e-2), "d": 1.5, "weight_decay": 0.1},
        "short": {"lr": 0.5, "d": 1.0},
        "maximize": {"lr": 0.01, "maximize": True},
    }))


guard_all(globals())
