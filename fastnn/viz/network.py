"""Pictures of a network: the filters that it learned, and what its layers make of an image."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..guard import guard_all
from ..tensor import array_of
from .images import image_grid
from .svg import Svg

__all__ = ["feature_maps", "filters"]


def filters(weight: Any, *, shape: tuple[int, int] | None = None, most: int = 64, title: str = "Filters") -> Svg:
    """The learned filters of a convolution, or of a linear layer over images.

    Blue weights are negative, orange ones positive, the paper colour is zero; one scale for all
    filters.

    Parameters
    ----------
    weight : (K, C, R, S) or (K, R, S) array
        K filters. With C = 1 there is one image per filter; otherwise a row per filter, with an
        image for each of its C input channels.
    shape : (H, W), optional
        For the weight (K, H*W) of a linear layer: the image that each row looks at.
    most : int
        Show at most so many images; the title says how many were left out.

    Raises
    ------
    ValueError
        If the weight has another shape.

    Examples
    --------
    >>> filters(np.zeros((8, 1, 3, 3))).label
    'Filters: 8 images'
    """
    values = array_of(weight)
    if shape is not None:
        pixels = shape[0]*shape[1]
        if values.ndim != 2 or values.shape[1] != pixels:
            raise ValueError(f"filters: shape={tuple(shape)} needs a weight of shape (K, {pixels}), got {values.shape}")
        values = values.reshape(-1, *shape)
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4:
        hint = " Pass shape=(H, W) for a linear layer." if values.ndim == 2 else ""
        raise ValueError(f"filters: expected a weight of shape (K, C, R, S), got {values.shape}.{hint}")
    filter_count, channels = values.shape[:2]
    by_channel = channels > 1
    shown = min(filter_count, max(1, most//channels)) if by_channel else min(filter_count, most)
    used_channels = min(channels, most)
    images = values[:shown, :used_channels].reshape(-1, *values.shape[2:])
    if shown*used_channels < filter_count*channels:
        title = f"{title} ({shown*used_channels} of {filter_count*channels})"
    labels = [f"{k}, {c}" if by_channel else str(k) for k in range(shown) for c in range(used_channels)]
    columns = used_channels if by_channel else None
    return image_grid(images, labels, columns, colours="diverging", title=title, scale=True)


def feature_maps(activation: Any, *, index: int = 0, most: int = 64, title: str = "Feature maps") -> Svg:
    """What a layer makes of one input: one image per channel, bright where the channel responds.

    Parameters
    ----------
    activation : (C, H, W), (N, C, H, W) or (H, W) array
        Of a batch, image `index` is taken.
    most : int
        Show at most so many channels; the title says how many were left out.

    Examples
    --------
    >>> feature_maps(np.zeros((2, 4, 8, 8)), index=1).label
    'Feature maps: 4 images'
    """
    values = array_of(activation)
    if values.ndim == 4:
        values = values[index]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise ValueError("feature_maps: expected an activation of shape (C, H, W) or (N, C, H, W), "
                         f"got {np.shape(activation)}")
    if len(values) > most:
        title = f"{title} ({most} of {len(values)})"
        values = values[:most]
    return image_grid(values, range(len(values)), title=title, scale=True)


guard_all(globals())
