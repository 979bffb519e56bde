"""Linear, Bilinear, Flatten, Unflatten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import arrays, init
from .. import functional as F
from ..tensor import Parameter, Tensor
from .module import Module
from .sizes import need_sizes, parameter_dtype

__all__ = ["Bilinear", "Flatten", "Linear", "Unflatten"]


class Linear(Module):
    r"""A dense layer, y = x W^T + b.

    Parameters
    ----------
    in_features, out_features : int
        I and O.
    bias : bool
        Whether to add b.

    Shapes: x (..., I) -> y (..., O); weight (O, I), bias (O,), both from U(-1/sqrt(I), 1/sqrt(I)).
    ShapeError for x of another width, DTypeError for x of another dtype than the weight's.

    Cost: I*O multiply-adds per row of x.

    >>> import fastnn as nn
    >>> nn.Linear(784, 10)(nn.zeros(32, 784)).shape
    (32, 10)
    """

    bias: Parameter | None
    weight: Parameter

    def __init__(self, in_features: int, out_features: int, bias: bool = True, *, device: Any = None,
                 dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__()
        need_sizes("Linear", in_features=in_features, out_features=out_features)
        self.in_features, self.out_features = in_features, out_features
        self.weight = Parameter(arrays.empty((out_features, in_features), dtype))
        self.register_parameter("bias", Parameter(arrays.empty((out_features,), dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """PyTorch's default: both uniform in +-1/sqrt(I)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        return output.numel() * self.in_features

    def describe(self) -> str:
        return f"{type(self).__name__} {self.in_features} -> {self.out_features}"

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """A layer that is linear in each of two inputs, y_k = x1 W_k x2 + b_k.

    Shapes: x1 (..., I), x2 (..., J) -> y (..., K); weight (K, I, J), bias (K,), both from
    U(-1/sqrt(I), 1/sqrt(I)). ShapeError for inputs of other widths, or of different sizes before.

    Cost: I*J*K multiply-adds per row.

    >>> import fastnn as nn
    >>> nn.Bilinear(2, 3, 4)(nn.zeros(5, 2), nn.zeros(5, 3)).shape
    (5, 4)
    """

    bias: Parameter | None
    weight: Parameter

    def __init__(self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, *,
                 device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype("Bilinear", dtype, device)
        super().__init__()
        need_sizes("Bilinear", 1, in1_features=in1_features)
        need_sizes("Bilinear", in2_features=in2_features, out_features=out_features)
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        self.weight = Parameter(arrays.empty((out_features, in1_features, in2_features), dtype))
        self.register_parameter("bias", Parameter(arrays.empty((out_features,), dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """PyTorch's default: both uniform in +-1/sqrt(I)."""
        bound = 1 / math.sqrt(self.in1_features)
        for t in (self.weight, self.bias):
            if t is not None:
                init.uniform_(t, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        return output.numel() * self.in1_features * self.in2_features

    def extra_repr(self) -> str:
        return (f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
                f"out_features={self.out_features}, bias={self.bias is not None}")


class Flatten(Module):
    """Merge dimensions start_dim to end_dim; by default everything but the batch. A view: no copy
    where the memory allows.

    >>> import fastnn as nn
    >>> nn.Flatten()(nn.zeros(32, 1, 28, 28)).shape
    (32, 784)
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Tensor) -> Tensor:
        return F.flatten(input, self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Split one dimension into several, whose product it must be; one of them may be -1.

    >>> import fastnn as nn
    >>> nn.Unflatten(1, (1, 28, 28))(nn.zeros(32, 784)).shape
    (32, 1, 28, 28)
    """

    def __init__(self, dim: int, unflattened_size: Sequence[int]) -> None:
        super().__init__()
        self.dim, self.unflattened_size = dim, tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        return F.unflatten(input, self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
