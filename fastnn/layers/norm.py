"""BatchNorm1d, BatchNorm2d, LayerNorm."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import functional as F
from ..errors import ShapeError
from ..tensor import Parameter, Tensor
from .module import Module

__all__ = ["BatchNorm1d", "BatchNorm2d", "LayerNorm"]


class _BatchNorm(Module):
    ranks: tuple[int, ...] = ()
    shape = ""

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, dtype: Any = np.float32) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum, self.affine, self.track_running_stats = num_features, eps, momentum, affine, track_running_stats
        self.register_parameter("weight", Parameter(np.ones(num_features, dtype)) if affine else None)
        self.register_parameter("bias", Parameter(np.zeros(num_features, dtype)) if affine else None)
        self.register_buffer("running_mean", np.zeros(num_features, dtype) if track_running_stats else None)
        self.register_buffer("running_var", np.ones(num_features, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if track_running_stats else None)

    def reset_parameters(self) -> None:
        """weight 1, bias 0, running mean 0 and variance 1."""
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0), ("num_batches_tracked", 0)):
            t = getattr(self, name)
            if t is not None:
                t.data[...] = value
                t._version[0] += 1

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self.ranks:
            raise ShapeError(who=type(self).__name__, expected=f"input of shape {self.shape}", got=input.shape)
        training = self.training or not self.track_running_stats
        momentum = self.momentum
        if momentum is None:                        # the plain mean of all batches so far
            momentum = 1.0 / (float(self.num_batches_tracked.item()) + 1) if self.track_running_stats else 0.0
        y = F.batch_norm(input, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps)
        if self.training and self.track_running_stats:
            self.num_batches_tracked.data[...] += 1
        return y

    def describe(self) -> str:
        return f"{type(self).__name__} {self.num_features}"

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    r"""Normalise each feature over the batch: y = (x - mean) / sqrt(var + eps) * weight + bias.

    In training mean and (biased) variance are the batch's, and the running ones move towards them by `momentum` (the variance unbiased); in
    eval mode the running ones are used. x (N, C) or (N, C, L). Ioffe, Szegedy (2015).
    """

    ranks, shape = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over batch and image; x (N, C, H, W). See BatchNorm1d."""

    ranks, shape = (4,), "(N, C, H, W)"


class LayerNorm(Module):
    """Normalise each sample over its last dimensions: y = (x - mean) / sqrt(var + eps) * weight + bias. Ba, Kiros, Hinton (2016)."""

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True, dtype: Any = np.float32) -> None:
        super().__init__()
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps, self.elementwise_affine = eps, elementwise_affine
        self.register_parameter("weight", Parameter(np.ones(self.normalized_shape, dtype)) if elementwise_affine else None)
        self.register_parameter("bias", Parameter(np.zeros(self.normalized_shape, dtype)) if elementwise_affine and bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"LayerNorm {'x'.join(map(str, self.normalized_shape))}"

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
