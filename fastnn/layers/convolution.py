"""Conv2d."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import functional as F
from .. import init
from ..errors import ShapeError
from ..ops.checks import pair
from ..ops.conv2d import workspace_bytes
from ..tensor import Parameter, Tensor
from .module import Module, Window

__all__ = ["Conv2d"]


class Conv2d(Module):
    r"""Slide K filters over images: y[n,k] = b[k] + sum_c w[k,c] * x[n,c] (cross-correlation).

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int or pair (vertical, horizontal)
    padding : int, pair, "same" or "valid"
    groups : int
        G; must divide C and K. Filter k of group g sees only the channels of group g.
    bias : bool

    Shapes: x (N, C, H, W) or (C, H, W) -> y (N, K, P, Q) or (K, P, Q); weight (K, C/G, R, S), bias (K,), both from
    U(-a, a) with a = 1/sqrt(C/G R S). P = (H + 2 ph - dh (R - 1) - 1) // sh + 1.

    >>> import fastnn as nn
    >>> nn.Conv2d(1, 6, 5, padding=2)(nn.zeros(8, 1, 28, 28)).shape
    (8, 6, 28, 28)
    """

    bias: Parameter | None
    weight: Parameter

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, *, dtype: Any = np.float32) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(f"groups={groups} must divide the {in_channels} channels in and the {out_channels} channels out",
                             who="Conv2d")
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = pair("Conv2d", "kernel_size", kernel_size, 1)
        self.stride, self.dilation = pair("Conv2d", "stride", stride, 1), pair("Conv2d", "dilation", dilation, 1)
        self.padding = padding if isinstance(padding, str) else pair("Conv2d", "padding", padding, 0)
        self.weight = Parameter(np.empty((out_channels, in_channels // groups, *self.kernel_size), dtype))
        self.register_parameter("bias", Parameter(np.empty(out_channels, dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """PyTorch's default: both uniform in +-1/sqrt(C/G R S)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(init.fans(self.weight)[0], 1))
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        return output.numel() * math.prod(self.weight.shape[1:])

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        return workspace_bytes(inputs[0], self.weight, self.stride, self.padding, self.dilation, self.groups)

    def receptive_window(self) -> Window:
        return self.kernel_size, self.stride, self.dilation

    def describe(self) -> str:
        r, s = self.kernel_size
        return f"Conv2d {self.in_channels} -> {self.out_channels}, {r}x{s}"

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in (("padding", (0, 0)), ("dilation", (1, 1)), ("groups", 1)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)!r}"
        return text if self.bias is not None else text + ", bias=False"
