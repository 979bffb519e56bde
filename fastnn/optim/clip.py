"""Clipping gradients."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from ..errors import RangeError
from ..kernels import compiled
from ..tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[np.ndarray]:
    params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in params:
        if p.grad is not None and not (p.grad._data.flags.c_contiguous and p.grad._data.flags.writeable):
            p.grad = Tensor(p.grad._data.copy())
    return [p.grad._data for p in params if p.grad is not None]


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float) -> float:
    """Scale all gradients by max_norm / |g| if |g|, the Euclidean norm over all of them, is above
    max_norm.

    Returns |g| before. Pascanu, Mikolov, Bengio (2013).

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
    norm = math.sqrt(sum(compiled.square_sum(gs) if compiled else sum(float(np.square(g, dtype=np.float64).sum())
                                                                      for g in gs)
                         for gs in by_dtype.values()))
    if norm > max_norm:
        for gs in by_dtype.values():
            if compiled:
                compiled.scale_all(gs, max_norm / norm)
            else:
                for g in gs:
                    g *= max_norm / norm
    return norm


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Cut every element of every gradient to [-clip_value, clip_value]."""
    if not clip_value >= 0:
        raise RangeError(who="clip_grad_value_", expected="clip_value >= 0", got=clip_value)
    for g in _gradients(parameters):
        np.clip(g, -clip_value, clip_value, out=g)
