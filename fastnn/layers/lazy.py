"""Layers that find the number of their inputs in the first batch.

Until then their parameters have no shape: make the optimiser after a first `model(x)`. At that call
the layer becomes an ordinary one, of the class without "Lazy".
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import FrameType
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


CALL = Module._call.__code__


class FirstCall:
    """What the lazy layers of a model became in a call that may yet be refused, there or in any
    layer behind them: then its input says nothing about their sizes.

    It belongs to the outermost module that is being called, whose first success ends it.
    """

    def __init__(self, model: Module) -> None:
        self.model, self.undo = model, list[Callable[[], None]]()
        self.handle = model.register_forward_hook(self.accepted)
        model.__dict__["_first_call"] = self

    @staticmethod
    def running() -> FirstCall | None:
        """That of the outermost call from which this is called."""
        model: Module | None = None
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            if frame.f_code is CALL:
                model = frame.f_locals["self"]
            frame = frame.f_back
        if model is None:
            return None
        call: FirstCall | None = model.__dict__.get("_first_call")
        return FirstCall(model) if call is None else call

    def accepted(self, *_: Any) -> None:
        """A forward hook: the sizes are right."""
        self.handle.remove()
        del self.model.__dict__["_first_call"]

    def refused(self) -> None:
        """The layers are lazy again, and the random numbers those that they were."""
        self.accepted()
        for take_back in reversed(self.undo):
            take_back()


class _Lazy(Module):
    """What all lazy layers share: the first call."""

    cls_to_become: type[Module]

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer has no shape yet."""
        return any(is_lazy(t) for t in (*self._parameters.values(), *self._buffers.values()))

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the sizes from an input, and give shapes and values to what has none."""
        self._begin(self._inputs_of(input))

    def _begin(self, channels: int) -> Callable[[], None]:
        """Become the ordinary layer of so many inputs; returns what takes all of it back."""
        who, lazy, before, random = type(self).__name__, [], self.__dict__.copy(), random_state()
        given = {}                                  # what has values already keeps them
        for name, shape in self._shapes(channels).items():
            t = getattr(self, name)
            if is_lazy(t):
                lazy.append((t, shape))
            elif t is not None:                     # it was loaded before the first call
                if t.shape != shape:
                    raise ShapeError(who=who, expected=f"{name} of shape {shape} for this input", got=t.shape)
                given[name] = t.data.copy()
        for t, shape in lazy:
            t.materialize(shape)
        self._resize(channels)
        layer: Any = self                           # whose class is another in a moment
        kind, layer.__class__ = type(self), self.cls_to_become
        if lazy:                                    # else only the class changes
            layer.reset_parameters()                # of that class: the one of _Lazy does nothing
            for name, values in given.items():
                np.copyto(getattr(self, name).data, values)

        def take_back() -> None:
            layer.__class__ = kind
            layer.__dict__.update(before)
            for t, _ in lazy:
                forget_shape(t)
            for name, values in given.items() if lazy else ():
                np.copyto(getattr(layer, name).data, values)
            set_random_state(random)
        return take_back

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        take_back = self._begin(self._inputs_of(input))
        call = FirstCall.running()
        if call is not None:
            call.undo.append(take_back)
        try:
            y: Tensor = self.forward(input, *args, **kwargs)    # of the class that it is now
        except BaseException:
            if call is None:                        # forward() itself was called, not the layer
                take_back()
            raise
        return y

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
