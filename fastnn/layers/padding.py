"""Borders as layers: nn.functional.pad in its modes, for sequences, images and volumes."""

from __future__ import annotations

from typing import Any

from .. import functional as F
from ..errors import ShapeError
from ..tensor import Tensor
from .module import Module

__all__ = ["CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d",
           "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d",
           "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d"]


class _Pad(Module):
    """A border around the last `rank` dimensions.

    padding is one width for all sides, or two for each dimension, from the last backwards: (left,
    right, top, bottom, ...). Negative widths cut. x (N, C, ...) or (C, ...); with a constant border
    of any shape that has so many dimensions.
    """

    rank = 1
    mode = "constant"
    value: float = 0.0

    def __init__(self, padding: Any) -> None:
        super().__init__()
        widths = tuple(padding) if isinstance(padding, (tuple, list)) else (padding,) * (2 * self.rank)
        if len(widths) != 2 * self.rank or not all(hasattr(n, "__index__") for n in widths):
            raise ShapeError(who=type(self).__name__, expected=f"padding as an int, or as {2 * self.rank}", got=padding)
        self.padding = widths

    def forward(self, input: Tensor) -> Tensor:
        if self.mode != "constant" and input.ndim not in (self.rank + 1, self.rank + 2):
            raise ShapeError(who=type(self).__name__, got=input.shape,
                             expected=f"input of {self.rank + 1} or {self.rank + 2} dimensions")
        return F.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return str(self.padding)


class ConstantPad1d(_Pad):
    """Of one value, around the last dimension.

    >>> import fastnn as nn
    >>> nn.ConstantPad1d(1, 9.0)(nn.tensor([[1.0, 2.0, 3.0]]))
    tensor([[9., 1., 2., 3., 9.]])
    """

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """Of one value, around the last two dimensions. See ConstantPad1d.

    >>> import fastnn as nn
    >>> nn.ConstantPad2d(1, 0.5)(nn.ones(1, 1, 2, 2)).shape
    (1, 1, 4, 4)
    """

    rank = 2


class ConstantPad3d(ConstantPad1d):
    """Of one value, around the last three dimensions. See ConstantPad1d.

    >>> import fastnn as nn
    >>> nn.ConstantPad3d(1, 0.5)(nn.ones(1, 1, 2, 2, 2)).shape
    (1, 1, 4, 4, 4)
    """

    rank = 3


class ZeroPad1d(_Pad):
    """Of zeros, around the last dimension.

    >>> import fastnn as nn
    >>> nn.ZeroPad1d((2, 0))(nn.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 0., 1., 2., 3.]])
    """


class ZeroPad2d(ZeroPad1d):
    """Of zeros, around the last two dimensions. See ZeroPad1d.

    >>> import fastnn as nn
    >>> nn.ZeroPad2d(1)(nn.ones(1, 1, 2, 2)).shape
    (1, 1, 4, 4)
    """

    rank = 2


class ZeroPad3d(ZeroPad1d):
    """Of zeros, around the last three dimensions. See ZeroPad1d.

    >>> import fastnn as nn
    >>> nn.ZeroPad3d(1)(nn.ones(1, 1, 2, 2, 2)).shape
    (1, 1, 4, 4, 4)
    """

    rank = 3


class ReflectionPad1d(_Pad):
    """A mirror image, without the element at the edge, around the last dimension.

    >>> import fastnn as nn
    >>> nn.ReflectionPad1d(1)(nn.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2.]])
    """

    mode = "reflect"


class ReflectionPad2d(ReflectionPad1d):
    """A mirror image without the edge, around the last two dimensions. See ReflectionPad1d.

    >>> import fastnn as nn
    >>> nn.ReflectionPad2d(1)(nn.ones(1, 1, 2, 2)).shape
    (1, 1, 4, 4)
    """

    rank = 2


class ReflectionPad3d(ReflectionPad1d):
    """A mirror image without the edge, around the last three dimensions. See ReflectionPad1d.

    >>> import fastnn as nn
    >>> nn.ReflectionPad3d(1)(nn.ones(1, 1, 2, 2, 2)).shape
    (1, 1, 4, 4, 4)
    """

    rank = 3


class ReplicationPad1d(_Pad):
    """The element at the edge, around the last dimension.

    >>> import fastnn as nn
    >>> nn.ReplicationPad1d(1)(nn.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 2., 3., 3.]])
    """

    mode = "replicate"


class ReplicationPad2d(ReplicationPad1d):
    """The element at the edge, around the last two dimensions. See ReplicationPad1d.

    >>> import fastnn as nn
    >>> nn.ReplicationPad2d(1)(nn.ones(1, 1, 2, 2)).shape
    (1, 1, 4, 4)
    """

    rank = 2


class ReplicationPad3d(ReplicationPad1d):
    """The element at the edge, around the last three dimensions. See ReplicationPad1d.

    >>> import fastnn as nn
    >>> nn.ReplicationPad3d(1)(nn.ones(1, 1, 2, 2, 2)).shape
    (1, 1, 4, 4, 4)
    """

    rank = 3


class CircularPad1d(_Pad):
    """What stands at the other end, around the last dimension.

    >>> import fastnn as nn
    >>> nn.CircularPad1d(1)(nn.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    mode = "circular"


class CircularPad2d(CircularPad1d):
    """What stands at the other end, around the last two dimensions. See CircularPad1d.

    >>> import fastnn as nn
    >>> nn.CircularPad2d(1)(nn.ones(1, 1, 2, 2)).shape
    (1, 1, 4, 4)
    """

    rank = 2


class CircularPad3d(CircularPad1d):
    """What stands at the other end, around the last three dimensions. See CircularPad1d.

    >>> import fastnn as nn
    >>> nn.CircularPad3d(1)(nn.ones(1, 1, 2, 2, 2)).shape
    (1, 1, 4, 4, 4)
    """

    rank = 3
