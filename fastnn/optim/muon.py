"""Muon: steps whose singular values are all alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, Setting, State, at_least_zero, register, switch

__all__ = ["Muon"]


class Muon(Optimizer):
    r"""Muon: the momentum, made orthogonal: a step goes equally far in all directions of a matrix.

    .. math::
        m \leftarrow \mu m + (1 - \mu) g \qquad
        X = \text{orthogonal}((1 - \mu) g + \mu m) \qquad
        p \leftarrow p - \eta \lambda p - \eta \sqrt{\max(1, R / C)} \; X

    "orthogonal" is some steps of Newton and Schulz from Y over its Frobenius norm,

    .. math:: Y \leftarrow a Y + (b A + c A^2) Y, \qquad A = Y Y^T

    after which all singular values that were not tiny are between about 0.7 and 1.2.

    Parameters
    ----------
    params : iterable of Parameters of two dimensions [R, C], or of groups
        The matrices inside a network. Give biases, norms and embeddings to AdamW.
    lr : float
        eta, the learning rate.
    weight_decay : float
        lambda: p shrinks by the share eta lambda.
    momentum : float
        mu, the share of m that is kept.
    nesterov : bool
        Look ahead; without, X is made of m.
    ns_coefficients : (float, float, float)
        a, b, c.
    eps : float
        The least norm by which Y is divided.
    ns_steps : int
        How often, below 100.
    adjust_lr_fn : None, "original" or "match_rms_adamw"
        The factor of the step: sqrt(max(1, R/C)), or 0.2 sqrt(max(R, C)), with which AdamW's
        learning rates serve.

    State: "momentum_buffer", m, of the parameter's shape.

    PyTorch rounds Y to bfloat16; here it has the parameter's precision, as in the formula.

    Raises
    ------
    RangeError
        A setting outside its range.
    ShapeError, DTypeError
        Nothing to optimise, a parameter that is no matrix, or something that is no parameter.

    Cost: ns_steps (4 R^2 C + 2 R^3) flop for R <= C, and memory for one more copy of the
    parameters.

    Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks". Liu et al.
    (2025), "Muon is scalable for LLM training".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([[3.0, 0.0], [0.0, 1.0]])
    >>> optimizer = nn.optim.Muon([p], lr=1.0, weight_decay=0.0)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([[ 2.2470,  0.0000],
            [ 0.0000, -0.1337]], requires_grad=True)
    """

    def __init__(self, params: Iterable[Any], lr: float = 1e-3, weight_decay: float = 0.1, momentum: float = 0.95,
                 nesterov: bool = True, ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
                 eps: float = 1e-7, ns_steps: int = 5, adjust_lr_fn: str | None = None):
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov,
                                  "ns_coefficients": ns_coefficients, "eps": eps, "ns_steps": ns_steps,
                                  "adjust_lr_fn": adjust_lr_fn})


def muon_kernel(p: list[np.ndarray], g: list[np.ndarray], m: list[np.ndarray], *, lr: float, weight_decay: float,
                momentum: float, nesterov: bool, adjust_lr_fn: str | None, **polynomial: Any) -> None:
    """The rule for many parameters at once, with our own matrix products; see Rule.kernel."""
    with np.errstate(all="ignore"):                 # infinities and NaN are no mistakes
        for a, slope, mean in zip(p, g, m):
            mean *= momentum
            mean += (1 - momentum) * slope
            x = (1 - momentum) * slope + momentum * mean if nesterov else mean
            x = _orthogonalised(x, **polynomial)
            a *= 1 - lr * weight_decay
            a -= (lr * reference.muon_scale(a.shape, adjust_lr_fn)) * x


def _orthogonalised(x: np.ndarray, ns_coefficients: tuple[float, float, float], eps: float,
                    ns_steps: int) -> np.ndarray:
    """See fastnn/reference/optim.py."""
    a, b, c = ns_coefficients
    tall = x.shape[0] > x.shape[1]
    x = np.ascontiguousarray(x.T if tall else x)
    x = x / x.dtype.type(max(compiled.square_sum([x])**0.5, eps))
    for _ in range(ns_steps):
        gram = compiled.matmul_forward(x, x.T)[0]
        mix = compiled.matmul_forward(gram, gram)[0]
        mix *= c
        mix += b * gram
        x = a * x + compiled.matmul_forward(mix, x)[0]
    return x.T if tall else x


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


register(Muon, Rule(
    formula="m = mean of g;  p -= lr (m with all singular values about 1)",
    definition=reference.muon_step, kernel=muon_kernel,
    state=(State("momentum_buffer"),), dimensions=2,
    settings={"lr": at_least_zero(1e-3), "weight_decay": at_least_zero(0.1), "momentum": at_least_zero(0.95),
              "nesterov": switch(True),
              "ns_coefficients": Setting((3.4445, -4.775, 2.0315), lambda value: isinstance(value, (tuple, list))
                                         and len(value) == 3 and all(map(_is_number, value)), "three numbers"),
              "eps": at_least_zero(1e-7),
              "ns_steps": Setting(5, lambda value: isinstance(value, int) and not isinstance(value, bool)
                                  and 0 <= value < 100, "a whole number from 0 to 99"),
              "adjust_lr_fn": Setting(None, lambda value: value is None or value in ("original", "match_rms_adamw"),
                                      'None, "original" or "match_rms_adamw"')},
    samples={
        "defaults": {"lr": 0.01},
        "plain momentum": {"lr": 0.01, "nesterov": False, "momentum": 0.5, "weight_decay": 0.0, "ns_steps": 3},
        "as AdamW": {"lr": 0.01, "adjust_lr_fn": "match_rms_adamw"},
    }))


guard_all(globals())
