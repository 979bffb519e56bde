"""Pooling layers: no parameters.

Shapes: x (N, C, H, W) or (C, H, W) -> y (N, C, P, Q) or (C, P, Q), and in one direction x (N, C, L)
or (C, L) -> y (N, C, Q) or (C, Q). P = (H + 2 padding - dilation (R - 1) - 1) // stride + 1 for a
window of R rows, rounded up with ceil_mode; likewise Q. A number stands for a pair (vertical,
horizontal). Gradients, costs and errors stand at the functions: nn.functional.
"""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..ops.checks import pair
from ..ops.fractional_pool import counts
from ..tensor import Tensor
from .module import Module, Window

__all__ = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AvgPool1d", "AvgPool2d",
           "FractionalMaxPool2d", "LPPool1d", "LPPool2d", "MaxPool1d", "MaxPool2d", "MaxUnpool1d", "MaxUnpool2d"]


class MaxPool2d(Module):
    """The largest value of each window.

    Parameters
    ----------
    kernel_size, stride, padding, dilation : int or pair
        stride None means kernel_size: windows that do not overlap. Padding counts as minus
        infinity, and is at most half the window.
    return_indices : bool
        Return also each maximum's place i*W + j in its plane.
    ceil_mode : bool
        Also take a last window that the edge cuts off.

    >>> import fastnn as nn
    >>> nn.MaxPool2d(2)(nn.tensor([[[[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 0.0]]]]))
    tensor([[[[4., 5.]]]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return F.max_pool2d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)

    def receptive_window(self) -> Window:
        return _pair(self.kernel_size), _pair(self.stride), _pair(self.dilation)

    def describe(self) -> str:
        return f"MaxPool2d {self.kernel_size}"

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class AvgPool2d(Module):
    """The mean of each window.

    Parameters
    ----------
    kernel_size, stride, padding : int or pair
        stride None means kernel_size: windows that do not overlap. Padding counts as zeros.
    ceil_mode : bool
        Also take a last window that the edge cuts off.
    count_include_pad : bool
        Divide by the window's size; else by the pixels that lie inside the image.
    divisor_override : int, optional
        Divide by this instead.

    >>> import fastnn as nn
    >>> nn.AvgPool2d(2)(nn.tensor([[[[1.0, 2.0, 5.0, 0.0], [3.0, 4.0, 0.0, 1.0]]]]))
    tensor([[[[2.5, 1.5]]]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True, divisor_override: int | None = None) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
                            self.divisor_override)

    def receptive_window(self) -> Window:
        return _pair(self.kernel_size), _pair(self.stride), (1, 1)

    def describe(self) -> str:
        return f"AvgPool2d {self.kernel_size}"

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Means over a grid of output_size windows that cover the image; 1 is the global average.

    >>> import fastnn as nn
    >>> nn.AdaptiveAvgPool2d(1)(nn.ones(2, 64, 7, 7)).shape
    (2, 64, 1, 1)
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool2d(Module):
    """Largest values over a grid of output_size windows that cover the image.

    >>> import fastnn as nn
    >>> nn.AdaptiveMaxPool2d((3, 2))(nn.zeros(2, 64, 7, 5)).shape
    (2, 64, 3, 2)
    """

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class MaxPool1d(Module):
    """The largest value of each window of a sequence. Arguments: see MaxPool2d.

    >>> import fastnn as nn
    >>> nn.MaxPool1d(2)(nn.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[3., 2.]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation, self.return_indices, self.ceil_mode = padding, dilation, return_indices, ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return F.max_pool1d(input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
                            self.return_indices)

    def describe(self) -> str:
        return f"MaxPool1d {self.kernel_size}"

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
                f"dilation={self.dilation}, ceil_mode={self.ceil_mode}")


class AvgPool1d(Module):
    """The mean of each window of a sequence. Arguments: see AvgPool2d.

    >>> import fastnn as nn
    >>> nn.AvgPool1d(2)(nn.tensor([[1.0, 3.0, 2.0, 0.0]]))
    tensor([[2., 1.]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def describe(self) -> str:
        return f"AvgPool1d {self.kernel_size}"

    def extra_repr(self) -> str:
        sizes = (("kernel_size", self.kernel_size), ("stride", self.stride), ("padding", self.padding))
        return ", ".join(f"{name}={size if isinstance(size, tuple) else (size,)}" for name, size in sizes)


class AdaptiveAvgPool1d(Module):
    """Means over output_size windows that cover the sequence; 1 is the global average.

    >>> import fastnn as nn
    >>> nn.AdaptiveAvgPool1d(1)(nn.tensor([[1.0, 3.0, 2.0]]))
    tensor([[2.]])
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(Module):
    """Largest values over output_size windows that cover the sequence.

    >>> import fastnn as nn
    >>> nn.AdaptiveMaxPool1d(1)(nn.tensor([[1.0, 3.0, 2.0]]))
    tensor([[3.]])
    """

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size, self.return_indices = output_size, return_indices

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _LPPool(Module):
    """What both share: the arguments."""

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def extra_repr(self) -> str:
        return (f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
                f"ceil_mode={self.ceil_mode}")


class LPPool1d(_LPPool):
    """The root of the sum of powers of each window of a sequence: (sum x^p)^(1/p).

    norm_type is p; the other arguments are those of MaxPool2d.

    >>> import fastnn as nn
    >>> nn.LPPool1d(2, 2)(nn.tensor([[3.0, 4.0, 0.0, 1.0]]))
    tensor([[5., 1.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool2d(_LPPool):
    """The root of the sum of powers of each window of an image. Arguments: see LPPool1d.

    >>> import fastnn as nn
    >>> nn.LPPool2d(1, 2)(nn.ones(1, 4, 4))
    tensor([[[4., 4.],
             [4., 4.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(input, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)

    def receptive_window(self) -> Window:
        return _pair(self.kernel_size), _pair(self.kernel_size if self.stride is None else self.stride), (1, 1)


class _MaxUnpool(Module):
    """What both share: the arguments."""

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """The opposite of MaxPool1d: each maximum where it was, zeros elsewhere.

    Called with the values and the indices that MaxPool1d(..., return_indices=True) gives, and where
    several lengths are possible with output_size. The arguments are those of the pooling.

    >>> import fastnn as nn
    >>> y, i = nn.MaxPool1d(2, return_indices=True)(nn.tensor([[1.0, 3.0, 2.0, 0.0]]))
    >>> nn.MaxUnpool1d(2)(y, i)
    tensor([[0., 3., 2., 0.]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpool):
    """The opposite of MaxPool2d: each maximum where it was, zeros elsewhere. See MaxUnpool1d.

    >>> import fastnn as nn
    >>> pool = nn.MaxPool2d(2, return_indices=True)
    >>> y, i = pool(nn.tensor([[[1.0, 3.0], [2.0, 0.0]]]))
    >>> nn.MaxUnpool2d(2)(y, i)
    tensor([[[0., 3.],
             [0., 0.]]])
    """

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class FractionalMaxPool2d(Module):
    """The largest value of each of P x Q windows, at distances that are drawn.

    Parameters
    ----------
    kernel_size : int or pair
    output_size : int or pair
        P and Q.
    output_ratio : float or pair of float
        Instead of output_size: P is H times it, rounded down; between 0 and 1.
    return_indices : bool
    _random_samples : Tensor of shape (N, C, 2), optional
        What is drawn else, uniform from 0 to 1.

    Graham (2014), "Fractional max-pooling".

    >>> import fastnn as nn
    >>> nn.FractionalMaxPool2d(3, output_ratio=0.5)(nn.randn(2, 3, 20, 10)).shape
    (2, 3, 10, 5)
    """

    _random_samples: Tensor | None

    def __init__(self, kernel_size: Any, output_size: Any = None,
                 output_ratio: float | tuple[float, float] | None = None, return_indices: bool = False,
                 _random_samples: Tensor | None = None) -> None:
        super().__init__()
        counts("FractionalMaxPool2d", (2**30, 2**30), output_size, output_ratio)    # refuses early
        self.kernel_size, self.return_indices = _pair(kernel_size), return_indices
        self.output_size, self.output_ratio = output_size, output_ratio
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool2d(input, self.kernel_size, self.output_size, self.output_ratio,
                                       self.return_indices, self._random_samples)

    def extra_repr(self) -> str:
        size = f"output_ratio={self.output_ratio}" if self.output_size is None else f"output_size={self.output_size}"
        return f"kernel_size={self.kernel_size}, {size}"


def _pair(value: Any) -> tuple[int, int]:
    """(vertical, horizontal) of a size that may be one number."""
    return pair("pooling", "size", value, 1)
