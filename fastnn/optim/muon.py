"""Muon: momentum, orthogonalised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..guard import guard_all
from ..kernels import compiled
from ..reference import optim as reference
from .optimizer import Optimizer
from .rule import Rule, Setting, State, are_numbers, at_least_zero, register, switch

__all__ = ["Muon"]


class Muon(Optimizer):
    r"""Muon: the momentum, orthogonalised: an update is about equally long in all directions of a
    matrix.

    .. math::
        m \leftarrow \mu m + (1 - \mu) g \qquad
        O = \text{NewtonSchulz}((1 - \mu) g + \mu m) \qquad
        p \leftarrow (1 - \eta \lambda) p - \eta \sqrt{\max(1, R / C)} \; O

    NewtonSchulz(M) begins with X, M over its Frobenius norm, and repeats

    .. math:: X \leftarrow a X + (b A + c A^2) X, \qquad A = X X^T

    which keeps the singular vectors and maps each singular value s to a s + b s^3 + c s^5. Five
    repetitions bring all that were above 0.0015 to between 0.68 and 1.21. U V^T of the singular
    value decomposition of M, to which O is near, would have 1.

    Parameters
    ----------
    params : iterable of Parameters of two dimensions [R, C], or of groups
        The matrices inside a network. Give biases, norms and embeddings to AdamW.
    lr : float
        eta, the learning rate.
    weight_decay : float
        lambda: p shrinks by the fraction eta lambda.
    momentum : float
        mu, the fraction of m that is kept.
    nesterov : bool
        Look ahead; without, O is made of m.
    ns_coefficients : (float, float, float)
        a, b, c.
    eps : float
        The least norm by which M is divided.
    ns_steps : int
        How often X is replaced, below 100.
    adjust_lr_fn : None, "original" or "match_rms_adamw"
        The factor of the step: sqrt(max(1, R/C)), or 0.2 sqrt(max(R, C)), with which AdamW's
        learning rates serve.

    State: "momentum_buffer", m, of the parameter's shape.

    PyTorch rounds M to bfloat16, so its steps differ from these by one or two percent; here all has
    the parameter's precision. Jordan's m is a sum, mu m + g, and not a mean, which makes no
    difference to O; he has no weight decay, which Liu et al. add, with the factor of
    "match_rms_adamw".

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
        for param, gradient, mean in zip(p, g, m):
            mean *= momentum
            mean += (1 - momentum) * gradient
            x = (1 - momentum) * gradient + momentum * mean if nesterov else mean
            x = _orthogonalised(x, **polynomial)
            param *= 1 - lr * weight_decay
            param -= (lr * reference.muon_scale(param.shape, adjust_lr_fn)) * x


def _orthogonalised(x: np.ndarray, ns_coefficients: tuple[float, float, float], eps: float,
                    ns_steps: int) -> np.ndarray:
    """As reference.orthogonalised, with the kernels' matrix products."""
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


register(Muon, Rule(
    formula="m = mean of g;  p -= lr (m with all singular values about 1)",
    definition=reference.muon_step, kernel=muon_kernel,
    state=(State("momentum_buffer"),), dimensions=2,
    settings={"lr": at_least_zero(1e-3), "weight_decay": at_least_zero(0.1), "momentum": at_least_zero(0.95),
              "nesterov": switch(True),
              "ns_coefficients": Setting((3.4445, -4.775, 2.0315), lambda value: isinstance(value, (tuple, list))
                                         and len(value) == 3 and are_numbers(value), "three finite numbers"),
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
