"""Clipping gradients: by their common norm, or element by element."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..errors import RangeError
from ..kernels import compiled
from ..reference import optim as reference
from ..tensor import Tensor
from .rule import on_kernels

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    r"""Scale all gradients down by one factor when their common norm is above max_norm.

    .. math:: |g| = \sqrt{\sum_{p} \sum_i g_{p,i}^2} \qquad
        g_p \leftarrow g_p \cdot \min(1, \text{max\_norm} / |g|)

    Parameters
    ----------
    parameters : iterable of Tensors, or one
        Those without a gradient are passed over.
    max_norm : float
        From 0 up.

    Returns
    -------
    float : |g| as it was before.

    Raises
    ------
    RangeError
        max_norm is negative or NaN.

    Cost: one pass over the gradients, two where they are scaled.

    Pascanu, Mikolov, Bengio (2013), "On the difficulty of training recurrent neural networks".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([3.0, 4.0]); (p * p).sum().backward()
    >>> nn.optim.clip_grad_norm_([p], 1.0), p.grad
    (10.0, tensor([0.6, 0.8]))
    """
    if not max_norm >= 0:
        raise RangeError(who="clip_grad_norm_", expected="max_norm >= 0", got=max_norm)
    by_dtype: dict[np.dtype, list[np.ndarray]] = {}
    for g in _gradients(parameters):
        by_dtype.setdefault(g.dtype, []).append(g)
    square_sum, scale_all = (compiled.square_sum, compiled.scale_all) if on_kernels() else (
        reference.square_sum, reference.scale_all)
    norm = math.sqrt(sum(square_sum(gs) for gs in by_dtype.values()))
    if norm == math.inf:
        norm = _large_norm(by_dtype)
    if norm > max_norm:
        for gs in by_dtype.values():
            scale_all(gs, max_norm / norm)
    return norm


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Cut every element of every gradient to [-clip_value, clip_value].

    Raises
    ------
    RangeError
        clip_value is negative or NaN.

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([3.0, -0.1]); (p * p).sum().backward()
    >>> nn.optim.clip_grad_value_([p], 1.0); p.grad
    tensor([ 1.0, -0.2])
    """
    if not clip_value >= 0:
        raise RangeError(who="clip_grad_value_", expected="clip_value >= 0", got=clip_value)
    for g in _gradients(parameters):
        np.clip(g, -clip_value, clip_value, out=g)


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[np.ndarray]:
    """The gradients' arrays, which can be changed in place."""
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in params:
        if p.grad is not None and not p.grad._data.flags.carray:
            p.grad = Tensor(p.grad._data.copy())
    return [p.grad._data for p in params if p.grad is not None]


def _large_norm(by_dtype: dict[np.dtype, list[np.ndarray]]) -> float:
    """The norm where the sum of squares overflows: gradients are made small by a power of two."""
    largest = max(float(np.abs(g).max(initial=0.0)) for gs in by_dtype.values() for g in gs)
    if not math.isfinite(largest):
        return math.inf
    power = math.frexp(largest)[1]
    return math.ldexp(math.sqrt(sum(reference.square_sum([np.ldexp(g, -power) for g in gs])
                                    for gs in by_dtype.values())), power)
