"""Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d.

Letters: N images, C channels in, H x W the image, K filters, R x S the filter's window, P x Q the
output, G groups. Gradients and the methods that run stand at the functions: nn.functional.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import arrays, init
from .. import functional as F
from ..errors import RangeError, ShapeError
from ..guard import need_defaults
from ..ops import conv1d, conv2d, conv_transpose
from ..ops.checks import pair, single
from ..ops.window import named_padding
from ..tensor import Parameter, Tensor, tensor
from .module import Module, Window
from .sizes import need_sizes, parameter_dtype

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """The parameters of a convolution, plain or transposed, and their start values."""

    bias: Parameter | None
    weight: Parameter
    padding: Any                                    # a number per direction, or "same" or "valid"
    padding_mode = "zeros"                          # for pickles of older versions
    rank = 2                                        # directions in which the window slides
    transposed = False

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
                 groups: int, bias: bool, padding_mode: str, dtype: Any) -> None:
        super().__init__()
        need_sizes(type(self).__name__, in_channels=in_channels, out_channels=out_channels, groups=groups)
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ShapeError(f"groups={groups} must divide the {in_channels} channels in and the {out_channels} "
                             "channels out", who=type(self).__name__)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = self._sizes("kernel_size", kernel_size, 1)
        self.stride, self.dilation = self._sizes("stride", stride, 1), self._sizes("dilation", dilation, 1)
        self.padding_mode = padding_mode
        by_name = isinstance(padding, str) and not self.transposed              # "same" or "valid"
        least = 0 if padding_mode == "zeros" else -math.inf                     # F.pad may also cut
        self.padding = padding if by_name else self._sizes("padding", padding, least)
        first, second = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        self.weight = Parameter(arrays.empty((first, second // groups, *self.kernel_size), dtype))
        self.register_parameter("bias", Parameter(arrays.empty((out_channels,), dtype)) if bias else None)
        self.reset_parameters()

    def _sizes(self, name: str, value: Any, low: float) -> tuple[int, ...]:
        """One number per direction."""
        who = type(self).__name__
        return pair(who, name, value, low) if self.rank == 2 else (single(who, name, value, low),)

    def reset_parameters(self) -> None:
        """PyTorch's default: both uniform in +-1/sqrt(elements of weight[0])."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(max(init.fans(self.weight)[0], 1))
            init.uniform_(self.bias, -bound, bound)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        return (inputs[0] if self.transposed else output).numel() * math.prod(self.weight.shape[1:])

    def describe(self) -> str:
        window = "x".join(map(str, self.kernel_size))
        return f"{type(self).__name__} {self.in_channels} -> {self.out_channels}, {window}"

    def extra_repr(self) -> str:
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, default in (("padding", (0,) * self.rank), ("output_padding", (0,) * self.rank),
                              ("dilation", (1,) * self.rank), ("groups", 1)):
            if getattr(self, name, default) != default:
                text += f", {name}={getattr(self, name)!r}"
        if self.bias is None:
            text += ", bias=False"
        return text if self.padding_mode == "zeros" else text + f", padding_mode={self.padding_mode!r}"


class _Plain(_Convolution):
    """What Conv1d and Conv2d share: the border around what the filters slide over."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", *,
                 device: Any = None, dtype: Any = None) -> None:
        who = type(self).__name__
        if padding_mode not in PADDING_MODES:
            raise RangeError(who=who, expected=f"padding_mode as one of {', '.join(map(repr, PADDING_MODES))}",
                             got=repr(padding_mode))
        dtype = parameter_dtype(who, dtype, device)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         dtype)
        self._around()                              # refuses a word that is no padding

    def convolved(self, function: Callable[..., Tensor], input: Tensor) -> Tensor:
        """y by this function of self.weight: the convolution, or it and what follows it."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = self._bordered(input), 0
        return function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _bordered(self, input: Tensor) -> Tensor:
        """The input and its border; what the convolution would refuse is refused here, of the input
        as it came.
        """
        x = input if isinstance(input, Tensor) else tensor(input)
        around = self._around()
        self._check(x._data[None] if x.ndim == self.rank + 1 else x._data, around)
        return F.pad(x, [n for widths in reversed(around) for n in widths], self.padding_mode)

    def _around(self) -> tuple[tuple[int, int], ...]:
        """(before, after) of each direction: how far the border reaches."""
        if isinstance(self.padding, str):
            return named_padding(type(self).__name__, self.padding, self.kernel_size, self.stride, self.dilation)
        return tuple([(p, p) for p in self.padding])

    def _check(self, x: Any, around: tuple[tuple[int, int], ...]) -> None:
        """The function's check of a batch of arrays, as if the border were one of zeros."""
        raise NotImplementedError(type(self).__name__)

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        x, padding, border = inputs[0], self.padding, 0
        if self.padding_mode != "zeros":
            x, padding = self._bordered(x), 0
            border = 2 * x._data.nbytes             # the copy with the border, and its gradient
        return border + self._workspace(x, padding)

    def _workspace(self, x: Any, padding: Any) -> int:
        """That of the function."""
        raise NotImplementedError(type(self).__name__)


class Conv1d(_Plain):
    r"""Slide K filters along N sequences: y[n,k] = b[k] + sum_c w[k,c] * x[n,c].

    The star is cross-correlation: the filter is not flipped.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int
        S, the step from window to window, and the distance between neighbouring weights.
    padding : int, "same" or "valid"
        Elements on either side; "same" keeps the length (stride 1), "valid" is 0.
    groups : int
        G; must divide C and K. Filter k of group g sees only the channels of group g.
    bias : bool
    padding_mode : "zeros", "reflect", "replicate" or "circular"
        What they hold: see `nn.functional.pad`, which runs first unless they are zeros. The
        convolution then reads a copy of x with its border.

    Shapes: x (N, C, L) or (C, L) -> y (N, K, Q) or (K, Q); weight (K, C/G, S), bias (K,), both from
    U(-a, a) with a = 1/sqrt(C/G S). Q = (L + 2 padding - dilation (S - 1) - 1) // stride + 1.

    Cost: N*K*Q*C/G*S multiply-adds.

    Raises
    ------
    ShapeError
        groups does not divide C and K; when called: x has another rank or C, is shorter than the
        filter, or than padding_mode="reflect" or "circular" needs it.
    RangeError
        another word as padding or padding_mode; padding="same" with a stride.
    DTypeError
        When called: x has another dtype than the weight.

    >>> import fastnn as nn
    >>> nn.Conv1d(16, 33, 3, stride=2)(nn.zeros(20, 16, 50)).shape
    (20, 33, 24)
    """

    rank = 1

    def forward(self, input: Tensor) -> Tensor:
        if self.padding_mode == "zeros":            # the common case, with no call between
            return F.conv1d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return self.convolved(F.conv1d, input)

    def _check(self, x: Any, around: tuple[tuple[int, int], ...]) -> None:
        bias = None if self.bias is None else self.bias._data
        conv1d.check(x, self.weight._data, bias, self.stride[0], around[0], self.dilation[0], self.groups)

    def _workspace(self, x: Any, padding: Any) -> int:
        padding = padding[0] if isinstance(padding, tuple) else padding
        return conv1d.workspace_bytes(x, self.weight, self.stride[0], padding, self.dilation[0], self.groups)


class Conv2d(_Plain):
    r"""Slide K filters over N images: y[n,k] = b[k] + sum_c w[k,c] * x[n,c].

    The star is cross-correlation: the filter is not flipped.

    Parameters
    ----------
    in_channels, out_channels : int
        C and K.
    kernel_size, stride, dilation : int or pair (vertical, horizontal)
        (R, S), the step (sh, sw) from window to window, and the distance (dh, dw) between
        neighbouring weights.
    padding : int, pair, "same" or "valid"
        (ph, pw) rows and columns on each side; "same" keeps the size (stride 1), "valid" is 0.
    groups : int
        G; must divide C and K. Filter k of group g sees only the channels of group g.
    bias : bool
    padding_mode : "zeros", "reflect", "replicate" or "circular"
        What they hold: see `nn.functional.pad`, which runs first unless they are zeros. The
        convolution then reads a copy of x with its border.

    Shapes: x (N, C, H, W) or (C, H, W) -> y (N, K, P, Q) or (K, P, Q); weight (K, C/G, R, S), bias
    (K,), both from U(-a, a) with a = 1/sqrt(C/G R S). P = (H + 2 ph - dh (R - 1) - 1) // sh + 1.

    Cost: N*K*P*Q*C/G*R*S multiply-adds, fewer where Winograd's method runs.

    Raises
    ------
    ShapeError
        groups does not divide C and K; when called: x has another rank or C, is smaller than the
        filter, or than padding_mode="reflect" or "circular" needs it.
    RangeError
        another word as padding or padding_mode; padding="same" with a stride.
    DTypeError
        When called: x has another dtype than the weight.

    >>> import fastnn as nn
    >>> nn.Conv2d(1, 6, 5, padding=2)(nn.zeros(8, 1, 28, 28)).shape
    (8, 6, 28, 28)
    """

    def forward(self, input: Tensor) -> Tensor:
        if self.padding_mode == "zeros":            # the common case, with no call between
            return F.conv2d(input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return self.convolved(F.conv2d, input)

    def _check(self, x: Any, around: tuple[tuple[int, int], ...]) -> None:
        bias = None if self.bias is None else self.bias._data
        conv2d.check_as("conv2d")(x, self.weight._data, bias, self.stride, around, self.dilation, self.groups)

    def _workspace(self, x: Any, padding: Any) -> int:
        return conv2d.workspace_bytes(x, self.weight, self.stride, padding, self.dilation, self.groups)

    def receptive_window(self) -> Window:
        (r, s), (sh, sw), (dh, dw) = self.kernel_size, self.stride, self.dilation
        return (r, s), (sh, sw), (dh, dw)


class _Transposed(_Convolution):
    """What both transposed layers share: output_padding, or the size of the output that it is found
    from.
    """

    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
                 output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1,
                 padding_mode: str = "zeros", *, device: Any = None, dtype: Any = None) -> None:
        need_defaults(type(self).__name__, "PyTorch has no other here either.", padding_mode=(padding_mode, "zeros"))
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode,
                         dtype)
        self.output_padding = self._sizes("output_padding", output_padding, 0)

    def _output_padding(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """What makes the output `output_size` pixels large (the last numbers of it, one per
        direction).
        """
        if output_size is None:
            return self.output_padding
        wanted: tuple[int, ...] = tuple(output_size)[-self.rank:]
        sizes = zip(input.shape[-self.rank:], self.stride, self.padding, self.dilation, self.kernel_size)
        least = tuple((n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in sizes)
        more = tuple(want - low for want, low in zip(wanted, least))
        if len(wanted) != self.rank or any(not 0 <= n < s for n, s in zip(more, self.stride)):
            most = tuple(low + s - 1 for low, s in zip(least, self.stride))
            raise ShapeError(who=type(self).__name__, expected=f"output_size from {least} to {most}",
                             got=tuple(output_size))
        return more

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        output_padding = self._output_padding(inputs[0], output.shape)
        return conv_transpose.workspace_bytes(inputs[0], self.weight, self.stride, self.padding, output_padding,
                                              self.dilation, self.groups)


class ConvTranspose1d(_Transposed):
    r"""The adjoint of Conv1d (its transposed matrix): every element writes a copy of the filters,
    times its value, into a longer sequence.

    Shapes: x (N, K, Q) or (K, Q) -> y (N, C, L) or (C, L), L = (Q - 1) stride - 2 padding +
    dilation (S - 1) + output_padding + 1; weight (K, C/G, S), bias (C,). Arguments, and output_size
    of a call: see ConvTranspose2d.

    >>> import fastnn as nn
    >>> nn.ConvTranspose1d(16, 8, 4, stride=2, padding=1)(nn.zeros(20, 16, 50)).shape
    (20, 8, 100)
    """

    rank = 1

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        return F.conv_transpose1d(input, self.weight, self.bias, self.stride, self.padding,
                                  self._output_padding(input, output_size), self.groups, self.dilation)


class ConvTranspose2d(_Transposed):
    r"""The adjoint of Conv2d (its transposed matrix): every pixel writes a copy of the filters,
    times its value, into a larger image.

    Parameters
    ----------
    in_channels, out_channels : int
        K and C: the letters are those of the Conv2d that goes the other way.
    kernel_size, stride, dilation : int or pair (vertical, horizontal)
    padding : int or pair
        Rows and columns that are cut off the output on each side.
    output_padding : int or pair
        Rows and columns more at the bottom and right, fewer than the stride.
    groups : int
        G; must divide K and C.
    bias : bool

    Called as layer(x), or layer(x, output_size=(H, W)), which finds the output_padding that gives
    that size, or raises ShapeError where none does.

    Shapes: x (N, K, P, Q) or (K, P, Q) -> y (N, C, H, W) or (C, H, W); weight (K, C/G, R, S), bias
    (C,), both from U(-a, a) with a = 1/sqrt(C/G R S).
    H = (P - 1) sh - 2 ph + dh (R - 1) + output_padding + 1.

    Cost: N*K*P*Q*C/G*R*S multiply-adds.

    >>> import fastnn as nn
    >>> down = nn.Conv2d(8, 16, 3, stride=2, padding=1)
    >>> up = nn.ConvTranspose2d(16, 8, 3, stride=2, padding=1)
    >>> x = nn.zeros(4, 8, 12, 12)
    >>> up(down(x)).shape, up(down(x), output_size=x.shape).shape
    ((4, 8, 11, 11), (4, 8, 12, 12))
    """

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        return F.conv_transpose2d(input, self.weight, self.bias, self.stride, self.padding,
                                  self._output_padding(input, output_size), self.groups, self.dilation)
