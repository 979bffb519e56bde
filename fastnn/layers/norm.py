"""BatchNorm1d, BatchNorm2d, LayerNorm, GroupNorm, RMSNorm, InstanceNorm1d, InstanceNorm2d.

    y = (x - mean) / sqrt(var + eps) * weight + bias

They differ in what mean and variance are taken over. weight begins as ones, bias as zeros; y has
x's shape. Gradients and costs stand at the functions: nn.functional.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from .. import arrays
from .. import functional as F
from ..errors import ShapeError
from ..ops.norm import as_shape
from ..tensor import Parameter, Tensor
from .module import POINTWISE, Module, Window, notice_training
from .sizes import need_sizes, parameter_dtype

__all__ = ["BatchNorm1d", "BatchNorm2d", "GroupNorm", "InstanceNorm1d", "InstanceNorm2d", "LayerNorm",
           "LocalResponseNorm", "RMSNorm"]


class _BatchNorm(Module):
    """What both batch norms share: all but the shape of x."""

    ranks: tuple[int, ...] = ()                     # allowed numbers of dimensions
    shape_in_words = ""                             # the same for a person
    takes_unbatched = False                         # whether the lowest rank has no batch
    _least: ClassVar[Mapping[str, float]] = {"running_var": 0, "num_batches_tracked": 0}

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, *, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__()
        need_sizes(type(self).__name__, num_features=num_features)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        self.register_parameter("weight", Parameter(arrays.full((num_features,), 1, dtype)) if affine else None)
        self.register_parameter("bias", Parameter(arrays.full((num_features,), 0, dtype)) if affine and bias else None)
        self.register_buffer("running_mean", arrays.full((num_features,), 0, dtype) if track_running_stats else None)
        self.register_buffer("running_var", arrays.full((num_features,), 1, dtype) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", np.zeros((), np.int64) if track_running_stats else None)

    def reset_parameters(self) -> None:
        """weight 1, bias 0, running mean 0 and variance 1."""
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0),
                            ("num_batches_tracked", 0)):
            t = getattr(self, name)
            if t is not None:
                t.data[...] = value
                t._version[0] += 1

    def forward(self, input: Tensor) -> Tensor:
        return self.normalised(F.batch_norm, input)

    def normalised(self, function: Callable[..., Tensor], input: Tensor) -> Tensor:
        """y by this function, batch_norm or batch_norm_relu; the running statistics follow."""
        if input.ndim not in self.ranks or input.shape[1] != self.num_features:
            raise ShapeError(who=type(self).__name__,
                             expected=f"input of shape {self.shape_in_words} with C = {self.num_features}",
                             got=input.shape,
                             hint="One sample has no batch dimension: model(x[None])?"
                             if input.ndim + 1 in self.ranks and input.shape[:1] == (self.num_features,) else "")
        training = self.training or not self.track_running_stats
        momentum = self.momentum
        if momentum is None:                        # the plain mean of all batches so far
            momentum = 1.0 / (float(self.num_batches_tracked.item()) + 1) if self.track_running_stats else 0.0
        y = function(input, self.running_mean, self.running_var, self.weight, self.bias, training, momentum, self.eps)
        if self.training and self.track_running_stats:
            self.num_batches_tracked.data[...] += 1
            if y.node is None:
                notice_training(self)
        return y

    def receptive_window(self) -> Window:
        return POINTWISE        # in eval mode; in training every output depends on the whole batch

    def describe(self) -> str:
        return f"{type(self).__name__} {self.num_features}"

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class BatchNorm1d(_BatchNorm):
    r"""Normalise each feature over the batch: y = (x - mean) / sqrt(var + eps) * weight + bias.

    In training mean and (biased) variance are the batch's, and the running ones move towards them
    by `momentum` (the variance unbiased). In eval mode the running ones are used.

    Parameters
    ----------
    num_features : int
        C.
    eps : float
        Added to the variance.
    momentum : float or None
        running = (1 - momentum) running + momentum batch. None: the plain mean of all batches.
    affine : bool
        Whether there are weight and bias.
    bias : bool
        With False there is no bias.
    track_running_stats : bool
        Whether there are running_mean, running_var (C,) and num_batches_tracked; without them the
        batch's statistics are used in eval mode too.

    Shapes: x (N, C) or (N, C, L); weight and bias (C,). ShapeError for x of another rank or C.

    Ioffe, Szegedy (2015), "Batch normalization: accelerating deep network training by reducing
    internal covariate shift".

    >>> import fastnn as nn
    >>> nn.BatchNorm1d(1, eps=1e-12)(nn.tensor([[1.0], [3.0]]))
    tensor([[-1.],
            [ 1.]], grad_fn=<batch_norm>)
    """

    ranks, shape_in_words = (2, 3), "(N, C) or (N, C, L)"


class BatchNorm2d(_BatchNorm):
    """Normalise each channel over batch and image; x (N, C, H, W). See BatchNorm1d.

    >>> import fastnn as nn
    >>> norm = nn.BatchNorm2d(3)
    >>> y = norm(nn.randn(8, 3, 5, 5) * 2 + 1)
    >>> y.shape, bool((y.mean((0, 2, 3)).abs() < 1e-5).all()), norm.num_batches_tracked.item()
    ((8, 3, 5, 5), True, 1)
    """

    ranks, shape_in_words = (4,), "(N, C, H, W)"


class _RowNorm(Module):
    """What LayerNorm and RMSNorm share: the last dimensions, which are normalised together."""

    eps: Any

    def __init__(self, normalized_shape: Any, elementwise_affine: bool, dtype: Any) -> None:
        super().__init__()
        self.normalized_shape, self.elementwise_affine = as_shape(normalized_shape), elementwise_affine
        weight = Parameter(arrays.full(self.normalized_shape, 1, dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def describe(self) -> str:
        return f"{type(self).__name__} {'x'.join(map(str, self.normalized_shape))}"

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LayerNorm(_RowNorm):
    """Normalise each sample over its last dimensions.

    normalized_shape is the size of the last dimension, or the sizes of the last few; weight and
    bias have this shape (without elementwise_affine there are none). ShapeError for x that does not
    end in it. Training and eval mode do the same.

    Ba, Kiros, Hinton (2016), "Layer normalization".

    >>> import fastnn as nn
    >>> nn.LayerNorm(2, eps=0.0)(nn.tensor([[1.0, 3.0]]))
    tensor([[-1.,  1.]], grad_fn=<layer_norm>)
    """

    def __init__(self, normalized_shape: Any, eps: float = 1e-5, elementwise_affine: bool = True, bias: bool = True, *,
                 device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(normalized_shape, elementwise_affine, dtype)
        self.eps = eps
        zeros = Parameter(arrays.full(self.normalized_shape, 0, dtype)) if elementwise_affine and bias else None
        self.register_parameter("bias", zeros)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, bias={self.bias is not None}"

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class RMSNorm(_RowNorm):
    """Divide each sample by the root mean square of its last dimensions.

    y = x / sqrt(mean(x^2) + eps) * weight; eps None means the dtype's machine epsilon. Otherwise as
    LayerNorm, without mean and bias.

    Zhang, Sennrich (2019), "Root mean square layer normalization".

    >>> import fastnn as nn
    >>> nn.RMSNorm(2, eps=0.0)(nn.tensor([[3.0, 3.0]]))
    tensor([[1., 1.]], grad_fn=<rms_norm>)
    """

    def __init__(self, normalized_shape: Any, eps: float | None = None, elementwise_affine: bool = True, *,
                 device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(normalized_shape, elementwise_affine, dtype)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)


class GroupNorm(Module):
    """Normalise each sample over groups of its channels.

    x (N, C, ...), with the C = num_channels channels cut into num_groups equal groups (ShapeError
    if they cannot be); weight and bias (C,), or with bias=False only the weight. Independent of the
    batch's size, unlike batch norm.

    Wu, He (2018), "Group normalization".

    >>> import fastnn as nn
    >>> nn.GroupNorm(2, 6)(nn.randn(3, 6, 4, 4)).shape
    (3, 6, 4, 4)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, *,
                 bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__()
        need_sizes("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_groups < 1 or num_channels % num_groups:
            raise ShapeError(f"{num_channels} channels cannot be cut into {num_groups} equal groups", who="GroupNorm")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        self.register_parameter("weight", Parameter(arrays.full((num_channels,), 1, dtype)) if affine else None)
        self.register_parameter("bias", Parameter(arrays.full((num_channels,), 0, dtype)) if affine and bias else None)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def describe(self) -> str:
        return f"GroupNorm {self.num_channels} in {self.num_groups}"

    def extra_repr(self) -> str:
        return (f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
                f"bias={self.bias is not None}")


class _InstanceNorm(_BatchNorm):
    """What both share: without affine there are no weights, and no statistics unless asked for."""

    takes_unbatched = True

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
                 track_running_stats: bool = False, *, bias: bool = True, device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, bias=bias, device=device,
                         dtype=dtype)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in self.ranks or input.shape[input.ndim - self.ranks[-1] + 1] != self.num_features:
            raise ShapeError(who=type(self).__name__, got=input.shape,
                             expected=f"input of shape {self.shape_in_words} with C = {self.num_features}")
        x = input if input.ndim == self.ranks[-1] else F.unsqueeze(input, 0)
        y = F.instance_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return y if input.ndim == self.ranks[-1] else F.squeeze(y, 0)


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each sequence; x (N, C, L) or (C, L).

    Arguments as BatchNorm1d, where affine and track_running_stats are False by default.

    Ulyanov, Vedaldi, Lempitsky (2016), "Instance normalization".

    >>> import fastnn as nn
    >>> nn.InstanceNorm1d(1, eps=0.0)(nn.tensor([[[1.0, 3.0]]]))
    tensor([[[-1.,  1.]]])
    """

    ranks, shape_in_words = (2, 3), "(N, C, L) or (C, L)"


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each image; x (N, C, H, W) or (C, H, W). See InstanceNorm1d.

    >>> import fastnn as nn
    >>> nn.InstanceNorm2d(3)(nn.randn(8, 3, 5, 5)).shape
    (8, 3, 5, 5)
    """

    ranks, shape_in_words = (3, 4), "(N, C, H, W) or (C, H, W)"


class LocalResponseNorm(Module):
    """Divide each element by a mean of squares of `size` channels around its own; x (N, C, ...).

    Krizhevsky, Sutskever, Hinton (2012), "ImageNet classification with deep convolutional neural
    networks".

    >>> import fastnn as nn
    >>> nn.LocalResponseNorm(2, alpha=2.0, beta=1.0, k=0.0)(nn.ones(1, 2, 1)).flatten()
    tensor([1.0, 0.5])
    """

    def __init__(self, size: int, alpha: float | Tensor = 1e-4, beta: float | Tensor = 0.75,
                 k: float | Tensor = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
