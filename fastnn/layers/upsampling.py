"""Layers that bring images to another size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import functional as F
from ..tensor import Tensor
from .module import Module

__all__ = ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


class Upsample(Module):
    """The image, signal or volume in another size; x (N, C, ...).

    Parameters
    ----------
    size, scale_factor, mode, align_corners, recompute_scale_factor : as in `interpolate`

    >>> import fastnn as nn
    >>> nn.Upsample(scale_factor=2, mode="bilinear")(nn.ones(2, 3, 4, 5)).shape
    (2, 3, 8, 10)
    """

    def __init__(self, size: Any = None, scale_factor: float | Sequence[float] | None = None, mode: str = "nearest",
                 align_corners: bool | None = None, recompute_scale_factor: bool | None = None) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def forward(self, input: Tensor) -> Tensor:
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners,
                             self.recompute_scale_factor)

    def extra_repr(self) -> str:
        factor = self.scale_factor if isinstance(self.scale_factor, Sequence) else float(self.scale_factor or 0)
        size = f"scale_factor={factor}" if self.size is None else f"size={self.size}"
        return f"{size}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Upsample with mode "nearest"; x (N, C, H, W).

    >>> import fastnn as nn
    >>> nn.UpsamplingNearest2d(scale_factor=2)(nn.tensor([[[[1.0, 2.0]]]]))
    tensor([[[[1., 1., 2., 2.],
              [1., 1., 2., 2.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """Upsample with mode "bilinear" and corners aligned; x (N, C, H, W).

    >>> import fastnn as nn
    >>> nn.UpsamplingBilinear2d(size=(1, 3))(nn.tensor([[[[1.0, 3.0]]]]))
    tensor([[[[1., 2., 3.]]]])
    """

    def __init__(self, size: Any = None, scale_factor: float | Sequence[float] | None = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)
