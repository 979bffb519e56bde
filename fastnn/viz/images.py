"""Pictures of arrays: colour maps, and `image_grid` for filters, feature maps and digits."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..guard import guard_all
from ..html import escape
from ..io.png import write_png
from ..moved import moved_names
from ..tensor import array_of
from .svg import Svg, element, short_number, text, text_width

# Colours at equal distances along each map, mixed linearly in between. Lightness rises or falls
# steadily along every map (for "diverging": from the middle to both ends), so that they survive a
# black-and-white printer ("diverging" loses its sign there) and every kind of colour blindness.
COLOUR_MAPS = {
    # 0 is paper, 1 is ink
    "ink": ("#fbf8f1", "#c9c8ca", "#8c93a3", "#4b566d", "#141d33"),
    # 0 is night, 1 is light
    "sequential": ("#101a33", "#20456e", "#24808a", "#74b96e", "#f4d35e", "#fff6d8"),
    # the middle is 0
    "diverging": ("#0d3b73", "#3d7fc1", "#a9cbe6", "#f7f4ec", "#f3c29b", "#cf6b2c", "#7d2d06"),
}
NOT_FINITE = (214, 40, 170)     # a magenta that no map holds: NaN and infinity must catch the eye


def colours_of(values: Any, colour_map: str = "sequential", limits: tuple[float, float] | None = None) -> np.ndarray:
    """Pixels of an array of numbers: (..., H, W) floats to (..., H, W, 3) bytes.

    Parameters
    ----------
    colour_map : str
        ``"ink"``, ``"sequential"`` or ``"diverging"``.
    limits : (low, high), optional
        What the two ends of the map stand for; values beyond are clipped. By default `limits_of`
        the values.

    Examples
    --------
    >>> colours_of([[0.0, 1.0, float("nan")]], "ink").tolist()
    [[[251, 248, 241], [20, 29, 51], [214, 40, 170]]]
    """
    if colour_map not in COLOUR_MAPS:
        raise ValueError(f"unknown colour map {colour_map!r}: expected one of {', '.join(map(repr, COLOUR_MAPS))}")
    values = np.asarray(array_of(values), dtype=np.float64)
    low, high = limits_of(values, colour_map) if limits is None else limits
    stops = np.array([[int(colour[i:i + 2], 16) for i in (1, 3, 5)] for colour in COLOUR_MAPS[colour_map]], np.float64)
    finite = np.isfinite(values)
    share = np.clip((np.where(finite, values, low) - low)/((high - low) or 1.0), 0, 1)
    places = np.linspace(0, 1, len(stops))
    pixels = np.stack([np.interp(share, places, stops[:, channel]) for channel in range(3)], axis=-1)
    pixels[~finite] = NOT_FINITE
    return np.rint(pixels).astype(np.uint8)


def limits_of(values: Any, colour_map: str) -> tuple[float, float]:
    """The range of the finite values; symmetric around zero for the diverging map, so that zero is
    its middle.
    """
    values = np.asarray(array_of(values), dtype=np.float64)
    values = values[np.isfinite(values)]
    if not values.size:
        return (-1.0, 1.0) if colour_map == "diverging" else (0.0, 1.0)
    if colour_map == "diverging":
        most = float(np.abs(values).max()) or 1.0
        return -most, most
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (min(low, 0.0), max(high, 0.0) or 1.0)


def png_uri(pixels: np.ndarray, size: int = 64) -> str:
    """The pixels as a ``data:image/png`` URI, enlarged to about `size` pixels without smoothing.

    The enlargement is done here because not every program that shows SVG obeys a wish for crisp
    pixels; repeated rows cost the compressor next to nothing.
    """
    times = max(1, math.ceil(size/max(pixels.shape[:2])))
    large = pixels.repeat(times, axis=0).repeat(times, axis=1)
    return "data:image/png;base64," + base64.b64encode(write_png(large)).decode("ascii")


def channels_last(picture: np.ndarray) -> np.ndarray:
    """A network's image, (1, H, W) or (3, H, W), as (H, W) or (H, W, 3); others as they are."""
    if picture.ndim != 3 or picture.shape[2] == 3:
        return picture
    return picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, 2) if len(picture) == 3 else picture


def image_grid(images: Any, labels: Sequence[object] | None = None, columns: int | None = None, *,
               colours: str = "sequential", limits: tuple[float, float] | None = None, cell: float = 48,
               title: str = "", scale: bool = False) -> Svg:
    """Small images in rows and columns, with crisp pixels and one colour scale for all of them.

    Parameters
    ----------
    images : (N, H, W) array or sequence of (H, W) arrays
        Their sizes may differ. (H, W, 3) images are taken as red, green, blue: bytes, or floats
        between 0 and 1. Networks' images, (1, H, W) and (3, H, W), are taken as well.
    labels : sequence, optional
        A text under each image; a line break in it starts a new line.
    columns : int, optional
        Images in a row; by default a shape near three to two.
    colours : str
        ``"sequential"`` for magnitudes, ``"diverging"`` for signed values (zero in the middle),
        ``"ink"`` for handwriting.
    limits : (low, high), optional
        The numbers at the ends of the colour map; by default the range of all images together.
    cell : float
        Width of one image in the picture, in pixels.
    scale : bool
        Draw the colour map with its limits underneath.

    Raises
    ------
    ValueError
        If an image has not the shape (H, W) or (H, W, 3), or there are more or fewer labels than
        images.

    Examples
    --------
    >>> import numpy as np
    >>> weights = np.random.default_rng(0).normal(size=(6, 3, 3))
    >>> image_grid(weights, colours="diverging", title="Filters").label
    'Filters: 6 images'
    """
    pictures = [channels_last(array_of(image)) for image in images]
    for k, picture in enumerate(pictures):
        if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3):
            raise ValueError(f"image_grid: expected images of shape (H, W) or (H, W, 3), image {k} has {picture.shape}")
    if labels is not None and len(labels) != len(pictures):
        raise ValueError(f"image_grid: there are {len(pictures)} images, but {len(labels)} labels")
    if columns is None:
        columns = math.ceil(math.sqrt(1.5*len(pictures))) if pictures else 1
    if columns < 1:
        raise ValueError(f"image_grid: columns must be at least 1, got {columns}")

    numbers = [picture.ravel() for picture in pictures if picture.ndim == 2]
    low, high = limits or limits_of(np.concatenate(numbers) if numbers else [], colours)
    captions = [str(label).split("\n") for label in labels] if labels is not None else [[] for _ in pictures]
    heights = [cell*min(_aspect(picture), 4.0) for picture in pictures]
    gap, y = max(6.0, 0.12*cell), 30.0 if title else 2.0
    step = cell + gap
    width = max(2 + min(columns, len(pictures))*step, text_width(title, 15), 110 if scale else 70)

    parts = [text(0, 17, title, size=15, weight=600, width=width - 4)] if title else []
    for start in range(0, len(pictures), columns):
        row = range(start, min(start + columns, len(pictures)))
        tallest = max(heights[k] for k in row)
        for k in row:
            x = 2 + (k - start)*step
            parts.append(_image(pictures[k], x, y, cell, colours, (low, high), " ".join(captions[k])))
            for line, words in enumerate(captions[k]):
                parts.append(text(x + cell/2, y + tallest + 14 + 15*line, words, size=11.5, anchor="middle", width=step,
                                  colour="soft" if line else "ink"))
        lines = max(len(captions[k]) for k in row)
        y += tallest + gap + (15*lines + 4 if lines else 0)
    if not pictures:
        parts.append(text(0, y + 16, "no images", colour="soft"))
        y += 24
    if scale:
        parts.append(_scale(2, y + 2, min(width - 4, 240), colours, low, high))
        y += 34
    return Svg("".join(parts), width, y, f"{title or 'Images'}: {len(pictures)} images")


def _aspect(picture: np.ndarray) -> float:
    return picture.shape[0]/picture.shape[1] if picture.shape[1] else 1.0


def _image(picture: np.ndarray, x: float, y: float, cell: float, colours: str, limits: tuple[float, float],
           tip: str) -> str:
    height = cell*min(_aspect(picture), 4.0)
    frame = element("rect", x=x - 0.5, y=y - 0.5, width=cell + 1, height=height + 1, fill="none", stroke="currentColor",
                    class_="fnn-line")
    if 0 in picture.shape:
        return frame
    uri = png_uri(pixels_of(picture, colours, limits), int(1.5*cell))
    image = element("image", element("title", escape(tip)) if tip else "", href=uri, x=x, y=y, width=float(cell),
                    height=float(height), preserveAspectRatio="none", style="image-rendering:pixelated")
    return image + frame


def pixels_of(picture: np.ndarray, colours: str, limits: tuple[float, float] | None = None) -> np.ndarray:
    """(H, W) numbers through a colour map, or (H, W, 3) colours as they are, as (H, W, 3) bytes."""
    if picture.ndim == 2:
        return colours_of(picture, colours, limits)
    if picture.dtype == np.uint8:
        return array_of(picture)
    values = np.asarray(array_of(picture), dtype=np.float64)
    pixels: np.ndarray = np.rint(255*np.clip(np.where(np.isfinite(values), values, 0), 0, 1)).astype(np.uint8)
    pixels[~np.isfinite(values).all(axis=-1)] = NOT_FINITE
    return pixels


def colour_strip(colours: str) -> str:
    """A colour map from its low end to its high end, as the URI of a flat image."""
    return png_uri(colours_of(np.linspace(0, 1, 64)[None, :], colours, (0.0, 1.0)), 128)


def _scale(x: float, y: float, width: float, colours: str, low: float, high: float) -> str:
    """The colour map as a strip, with the numbers that its ends (and, if it is there, zero) stand
    for.
    """
    strip = element("image", href=colour_strip(colours), x=x, y=y, width=float(width), height=8.0,
                    preserveAspectRatio="none")
    marks = [(0.0, low, "start"), (1.0, high, "end")]
    if low < 0 < high:
        marks.append((-low/(high - low), 0.0, "middle"))
    return strip + "".join(text(x + share*width, y + 22, short_number(value), size=11.5, colour="soft", anchor=anchor)
                           for share, value, anchor in marks)


guard_all(globals())


moved_names(__name__)
