"""Layers that find the number of their inputs in the first batch.

Until then their parameters have no shape: make the optimiser after a first `model(x)`. At that call
the layer becomes an ordinary one, of the class without "Lazy".
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import ShapeError
from ..parameters import UninitializedBuffer, UninitializedParameter, forget_shape, is_lazy
from ..random import random_state, set_random_state
from ..tensor import Tensor
from .convolution import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from .linear import Linear
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d, InstanceNorm1d, InstanceNorm2d
from .sizes import need_sizes, parameter_dtype

__all__ = ["LazyBatchNorm1d", "LazyBatchNorm2d", "LazyConv1d", "LazyConv2d", "LazyConvTranspose1d",
           "LazyConvTranspose2d", "LazyInstanceNorm1d", "LazyInstanceNorm2d", "LazyLinear"]


# one thread at a time finds sizes; another one waits for them
FIRST_CALL = threading.RLock()


class _Lazy(Module):
    """What all lazy layers share: the first call.

    If this layer's own forward refuses the input, it is lazy as before. What a layer behind it says
    of the output changes nothing: the sizes stay, and a later error tells where they come from.
    """

    cls_to_become: Any                              # the ordinary class

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return bool(self._without_shape())

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the sizes from an input, and give shapes and values to what has none."""
        with FIRST_CALL:
            self._first_call(input, lambda: None)

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        layer: Any = self                           # whose class another thread may change
        with FIRST_CALL:
            if isinstance(layer, _Lazy):
                y: Tensor = self._first_call(input, lambda: self.cls_to_become.forward(self, input, *args, **kwargs))
                return y
        y = layer.forward(input, *args, **kwargs)
        return y

    def _first_call(self, input: Tensor, use: Callable[[], Any]) -> Any:
        """What `use` gives once the sizes are those of the input; if it fails, nothing changed."""
        layer: Any = self
        lazy, random = self._without_shape(), random_state()
        try:
            self._take_sizes(input, lazy)
            y = use()
        except BaseException:
            self._resize(0)
            for t in lazy.values():
                forget_shape(t)
            set_random_state(random)
            raise
        # last: until then, other threads come to the lock
        layer.__class__ = self.cls_to_become
        if lazy:
            layer.__dict__["_first_input"] = input.shape
        return y

    def _without_shape(self) -> dict[str, Any]:
        return {name: t for name, t in (*self._parameters.items(), *self._buffers.items()) if is_lazy(t)}

    def _take_sizes(self, input: Tensor, lazy: dict[str, Any]) -> None:
        """Become a layer for such an input, with values for what is lazy."""
        channels, given = self._inputs_of(input), {}
        for name, shape in self._shapes(channels).items():
            t = getattr(self, name)
            if t is not None and name not in lazy:  # it was loaded before the first call
                if t.shape != shape:
                    raise ShapeError(who=type(self).__name__, expected=f"{name} of shape {shape} for this input",
                                     got=t.shape)
                given[name] = t.data.copy()
        self._resize(channels)
        if lazy:
            for name, t in lazy.items():
                t.materialize(self._shapes(channels)[name])
            # not the method of this class, which does nothing
            self.cls_to_become.reset_parameters(self)
            for name, values in given.items():
                np.copyto(getattr(self, name).data, values)

    def describe(self) -> str:
        return type(self).__name__                  # there are no sizes to tell

    def reset_parameters(self) -> None:
        """Nothing: there are no parameters yet."""

    def _inputs_of(self, input: Tensor) -> int:
        """The number of inputs or channels."""
        raise NotImplementedError(type(self).__name__)

    def _resize(self, channels: int) -> None:
        raise NotImplementedError(type(self).__name__)

    # ---- shapes ----------------------------------------------------------------------------------
    def _free_name(self) -> str:
        """What the size is called that the first batch says."""
        raise NotImplementedError(type(self).__name__)

    def _pattern(self) -> dict[str, tuple[int | None, ...]]:
        """name -> shape of each parameter and buffer that there may be, None for the free size."""
        raise NotImplementedError(type(self).__name__)

    def _free(self, channels: int) -> int:
        """The free size for so many inputs."""
        return channels

    def _may_be(self, size: int) -> bool:
        """Whether the free size may be this."""
        return True

    def _shapes(self, channels: int) -> dict[str, tuple[int, ...]]:
        """name -> shape of each parameter and buffer that there may be."""
        return {name: tuple([self._free(channels) if n is None else n for n in sizes])
                for name, sizes in self._pattern().items()}

    def _expected_shapes(self, given: Mapping[str, tuple[int, ...]]) -> dict[str, Any]:
        """Of those that have none yet: the free size is that of what has one, or of the first that
        comes in a shape that may be.
        """
        pattern, size = self._pattern(), None
        known = {name: t.shape for name in pattern if (t := getattr(self, name)) is not None and not is_lazy(t)}
        for name, shape in {**known, **given}.items():
            if size is None and None in pattern.get(name, ()) and len(shape) == len(pattern[name]):
                n = shape[pattern[name].index(None)]
                size = n if self._may_be(n) else None
        found: dict[str, Any] = {}
        for name, sizes in pattern.items():
            if size is not None or None not in sizes:
                found[name] = tuple([size if n is None else n for n in sizes])
            else:
                words = [self._free_name() if n is None else str(n) for n in sizes]
                found[name] = f"({', '.join(words)}{',' if len(words) == 1 else ''})"
        return found


class LazyLinear(_Lazy, Linear):
    """Linear whose in_features is the size of x's last dimension.

    >>> import fastnn as nn
    >>> layer = nn.LazyLinear(3)
    >>> y = layer(nn.zeros(4, 5))
    >>> layer
    Linear(in_features=5, out_features=3, bias=True)
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype("LazyLinear", dtype, device)
        need_sizes("LazyLinear", out_features=out_features)
        super().__init__(0, 0, False, dtype=dtype)
        self.out_features = out_features
        self.weight = UninitializedParameter(dtype=dtype)
        self.bias = UninitializedParameter(dtype=dtype) if bias else None

    def _inputs_of(self, input: Tensor) -> int:
        if input.ndim == 0:
            raise ShapeError(who="LazyLinear", expected="input of shape (..., I)", got=input.shape)
        return input.shape[-1]

    def _resize(self, channels: int) -> None:
        self.in_features = channels

    def _free_name(self) -> str:
        return "in_features"

    def _pattern(self) -> dict[str, tuple[int | None, ...]]:
        return {"weight": (self.out_features, None), "bias": (self.out_features,)}


# ---- convolutions --------------------------------------------------------------------------------
class _LazyConvolution(_Lazy):
    """Of a convolution, plain or transposed."""

    rank: int
    transposed: bool
    in_channels: int
    out_channels: int
    groups: int
    kernel_size: tuple[int, ...]
    weight: Any
    bias: Any

    def _prepare(self, out_channels: int, bias: bool, dtype: Any) -> None:
        """The parameters, without a shape, in the place of empty ones."""
        need_sizes(type(self).__name__, out_channels=out_channels)
        if out_channels % self.groups:
            raise ShapeError(f"groups={self.groups} must divide the {out_channels} channels out",
                             who=type(self).__name__)
        self.out_channels = out_channels
        self.weight = UninitializedParameter(dtype=dtype)
        self.bias = UninitializedParameter(dtype=dtype) if bias else None

    def _inputs_of(self, input: Tensor) -> int:
        axes = "C, H, W" if self.rank == 2 else "C, L"
        if input.ndim not in (self.rank + 1, self.rank + 2):
            raise ShapeError(who=type(self).__name__, expected=f"input of shape (N, {axes}) or ({axes})",
                             got=input.shape)
        channels = input.shape[-self.rank - 1]
        if channels % self.groups:
            raise ShapeError(f"groups={self.groups} must divide the {channels} channels in", who=type(self).__name__)
        return channels

    def _resize(self, channels: int) -> None:
        self.in_channels = channels

    def _free_name(self) -> str:
        if self.groups == 1:
            return "in_channels"
        return f"a multiple of {self.groups}" if self.transposed else f"in_channels / {self.groups}"

    def _may_be(self, size: int) -> bool:
        return size > 0 and not (self.transposed and size % self.groups)

    def _free(self, channels: int) -> int:
        return channels if self.transposed else channels // self.groups

    def _pattern(self) -> dict[str, tuple[int | None, ...]]:
        first, second = (None, self.out_channels // self.groups) if self.transposed else (self.out_channels, None)
        return {"weight": (first, second, *self.kernel_size), "bias": (self.out_channels,)}


class LazyConv1d(_LazyConvolution, Conv1d):
    """Conv1d whose in_channels is that of x (N, C, L) or (C, L).

    >>> import fastnn as nn
    >>> layer = nn.LazyConv1d(8, 3)
    >>> y = layer(nn.zeros(2, 5, 10))
    >>> layer
    Conv1d(5, 8, kernel_size=(3,), stride=(1,))
    """

    cls_to_become = Conv1d

    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
                 groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device=device,
                         dtype=dtype)
        self._prepare(out_channels, bias, parameter_dtype("LazyConv1d", dtype, device))


class LazyConv2d(_LazyConvolution, Conv2d):
    """Conv2d whose in_channels is that of x (N, C, H, W) or (C, H, W).

    >>> import fastnn as nn
    >>> model = nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
    >>> y = model(nn.zeros(2, 1, 6, 6)); model[0], model[3]
    (Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1)), \
Linear(in_features=128, out_features=10, bias=True))
    """

    cls_to_become = Conv2d

    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
                 groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, dilation, groups, False, padding_mode, device=device,
                         dtype=dtype)
        self._prepare(out_channels, bias, parameter_dtype("LazyConv2d", dtype, device))


class LazyConvTranspose1d(_LazyConvolution, ConvTranspose1d):
    """ConvTranspose1d whose in_channels is that of x (N, K, Q) or (K, Q).

    >>> import fastnn as nn
    >>> layer = nn.LazyConvTranspose1d(8, 3)
    >>> y = layer(nn.zeros(2, 5, 10)); layer.weight.shape
    (5, 8, 3)
    """

    cls_to_become = ConvTranspose1d

    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                 groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode,
                         device=device, dtype=dtype)
        self._prepare(out_channels, bias, parameter_dtype("LazyConvTranspose1d", dtype, device))


class LazyConvTranspose2d(_LazyConvolution, ConvTranspose2d):
    """ConvTranspose2d whose in_channels is that of x (N, K, P, Q) or (K, P, Q).

    >>> import fastnn as nn
    >>> layer = nn.LazyConvTranspose2d(8, 3)
    >>> y = layer(nn.zeros(2, 5, 10, 10)); layer.weight.shape
    (5, 8, 3, 3)
    """

    cls_to_become = ConvTranspose2d

    def __init__(self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
                 groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, 0, kernel_size, stride, padding, output_padding, groups, False, dilation, padding_mode,
                         device=device, dtype=dtype)
        self._prepare(out_channels, bias, parameter_dtype("LazyConvTranspose2d", dtype, device))


# ---- norms ---------------------------------------------------------------------------------------
class _LazyNorm(_Lazy):
    """Of batch and instance norm."""

    ranks: Any
    shape_in_words: Any
    takes_unbatched: bool
    affine: bool
    track_running_stats: bool
    num_features: int
    weight: Any
    bias: Any

    def _prepare(self, affine: bool, bias: bool, track: bool, dtype: Any) -> None:
        """The parameters and statistics, without a shape, in the place of empty ones."""
        self.affine, self.track_running_stats = affine, track
        for name, there in (("weight", affine), ("bias", affine and bias)):
            setattr(self, name, UninitializedParameter(dtype=dtype) if there else None)
        for name in ("running_mean", "running_var"):
            if track:
                self._own(self._buffers, name, UninitializedBuffer(dtype=dtype))

    def _inputs_of(self, input: Tensor) -> int:
        if input.ndim not in self.ranks:
            raise ShapeError(who=type(self).__name__, expected=f"input of shape {self.shape_in_words}", got=input.shape)
        # the lowest rank lacks the batch, in instance norms, or what follows the channels
        return input.shape[0 if self.takes_unbatched and input.ndim == self.ranks[0] else 1]

    def _resize(self, channels: int) -> None:
        self.num_features = channels

    def _free_name(self) -> str:
        return "num_features"

    def _pattern(self) -> dict[str, tuple[int | None, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (None,))


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """BatchNorm1d whose num_features is the C of x (N, C) or (N, C, L).

    >>> import fastnn as nn
    >>> norm = nn.LazyBatchNorm1d()
    >>> y = norm(nn.zeros(4, 5)); norm.running_var.shape
    (5,)
    """

    cls_to_become = BatchNorm1d

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, track_running_stats, device=device, dtype=dtype)
        self._prepare(affine, bias, track_running_stats, parameter_dtype("LazyBatchNorm1d", dtype, device))


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """BatchNorm2d whose num_features is the C of x (N, C, H, W). Arguments: see LazyBatchNorm1d.

    >>> import fastnn as nn
    >>> norm = nn.LazyBatchNorm2d()
    >>> y = norm(nn.zeros(4, 5, 2, 2)); norm.num_features
    5
    """

    cls_to_become = BatchNorm2d

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, track_running_stats, device=device, dtype=dtype)
        self._prepare(affine, bias, track_running_stats, parameter_dtype("LazyBatchNorm2d", dtype, device))


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """InstanceNorm1d whose num_features is the C of x (N, C, L) or (C, L).

    >>> import fastnn as nn
    >>> norm = nn.LazyInstanceNorm1d(affine=True)
    >>> y = norm(nn.zeros(4, 5, 3)); norm.weight.shape
    (5,)
    """

    cls_to_become = InstanceNorm1d

    def __init__(self, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, track_running_stats, device=device, dtype=dtype)
        self._prepare(affine, bias, track_running_stats, parameter_dtype("LazyInstanceNorm1d", dtype, device))


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """InstanceNorm2d whose num_features is the C of x (N, C, H, W) or (C, H, W).

    >>> import fastnn as nn
    >>> norm = nn.LazyInstanceNorm2d()
    >>> y = norm(nn.zeros(4, 5, 3, 3)); norm.num_features
    5
    """

    cls_to_become = InstanceNorm2d

    def __init__(self, eps: float = 1e-5, momentum: float = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(0, eps, momentum, False, track_running_stats, device=device, dtype=dtype)
        self._prepare(affine, bias, track_running_stats, parameter_dtype("LazyInstanceNorm2d", dtype, device))
