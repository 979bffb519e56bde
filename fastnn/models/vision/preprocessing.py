"""What a picture goes through before a network sees it. It is plain data, and travels with the
weights.

    pictures.read_pictures(file)  ->  (H, W) or (H, W, C), 0 to 1  ->  Photo or Ink  ->  (C, H, W)
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...errors import FileError, RangeError
from ...guard import guard_all

__all__ = ["Ink", "Photo", "area_weights", "from_data", "grey", "to_data"]

MOST = 4096             # pixels along a side that a file may demand


@dataclass(frozen=True)
class Photo:
    """Photographs: enlarge or shrink them, cut out the middle, bring the colours to mean 0 and
    spread 1.

    resize          length that the shorter side is brought to; 0 leaves the picture as it is
    crop            side of the square that is cut out of the middle
    mean, std       of red, green and blue: y = (x - mean)/std
    interpolation   "bilinear": triangles that widen where the picture shrinks, as Pillow has them
    """

    resize: int = 256
    crop: int = 224
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        sizes = type(self.resize) is type(self.crop) is int and 0 <= self.resize <= MOST and 1 <= self.crop <= MOST
        channels = len(self.mean) == len(self.std) and len(self.mean) in (1, 3) and all(np.isfinite(self.mean))
        if self.interpolation != "bilinear" or not sizes or not channels or not all(0 < s < np.inf for s in self.std):
            raise RangeError(who="Photo", expected="bilinear, sizes up to 4096, and a mean and std above 0 per channel",
                             got=self)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(H, W) or (H, W, C) from 0 to 1, to (C, crop, crop) float32."""
        x = on_white(picture if picture.ndim == 3 else picture[..., None])
        if len(self.mean) != x.shape[2]:
            x = grey(x)[..., None] if len(self.mean) == 1 else x.repeat(3, axis=2)
        if self.resize:
            shorter = min(x.shape[:2])
            height, width = (self.resize*side//shorter for side in x.shape[:2])
            if max(height, width) > 4*MOST:
                raise RangeError(f"a picture of {x.shape[1]} x {x.shape[0]} pixels is too long and narrow")
            x = resized(x, height, width)
        x = middle(x, self.crop)
        return ((x - np.array(self.mean))/np.array(self.std)).transpose(2, 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Ink:
    """Handwriting: find the ink, and draw it, averaged over areas, as large as the training digits.

    Ink is whatever differs from the border, dark on light or light on dark. A picture that has the
    size already is only made light ink on dark, and not moved.

    size     pixels along each side
    margin   of them, left free around the ink

    >>> paper = np.ones((40, 30)); paper[5:35, 14:18] = 0         # a black bar on white paper
    >>> Ink(8)(paper)[0, 4].round(1).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0]
    """

    size: int
    margin: int = 0

    def __post_init__(self) -> None:
        if (type(self.size) is not int or type(self.margin) is not int or not 1 <= self.size <= MOST
                or not 0 <= 2*self.margin < self.size):
            raise RangeError(who="Ink", expected="a size up to 4096, and a margin below half of it", got=self)

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """(H, W) or (H, W, C) from 0 to 1, to (1, size, size) float32.

        RangeError: the picture is of one colour.
        """
        picture = picture if picture.ndim == 2 else grey(picture)
        border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
        paper = float(np.median(border))
        ink = 1 - picture if paper > 0.5 else picture
        if picture.shape == (self.size, self.size):
            return ink[None].astype(np.float32)
        ink = np.clip(ink - (1 - paper if paper > 0.5 else paper), 0, None)
        darkest = float(ink.max())
        if darkest < 0.1:
            raise RangeError("there is nothing to see: the picture is of one colour")
        ink = ink/darkest
        rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
        ink = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
        scale = (self.size - 2*self.margin)/max(ink.shape)
        for axis in (0, 1):
            weights = area_weights(ink.shape[axis], self.size, scale)
            ink = np.moveaxis(np.tensordot(weights, ink, (1, axis)), 0, axis)
        return np.clip(ink, 0, 1)[None].astype(np.float32)


# ---- as plain data -------------------------------------------------------------------------------
KINDS: dict[str, type[Any]] = {"photo": Photo, "ink": Ink}


def to_data(preprocessing: Photo | Ink) -> dict[str, Any]:
    """For a model's file.

    >>> to_data(Ink(28, margin=4))
    {'kind': 'ink', 'size': 28, 'margin': 4}
    """
    kind = next(kind for kind, cls in KINDS.items() if type(preprocessing) is cls)
    return {"kind": kind, **asdict(preprocessing)}


def from_data(data: Any) -> Photo | Ink:
    """What `to_data` wrote. FileError where it makes no sense."""
    try:
        values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value
                                  for key, value in data.items()}
        return KINDS[values.pop("kind")](**values)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise FileError(f"{str(data)[:200]} is no preprocessing that this fastnn knows ({error})") from error


# ---- pixels --------------------------------------------------------------------------------------
def on_white(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) without its alpha: what is transparent shows white paper."""
    if pixels.shape[2] in (2, 4):
        alpha = pixels[..., -1:]
        return pixels[..., :-1]*alpha + (1 - alpha)
    return pixels


def grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) to (H, W): the luminance of ITU-R BT.601, transparency on white paper."""
    pixels = on_white(pixels)
    return pixels @ np.array([0.299, 0.587, 0.114]) if pixels.shape[2] == 3 else pixels[..., 0]


def area_weights(old: int, new: int, scale: float) -> np.ndarray:
    """(new, old) weights that average `old` pixels, scaled and centred, over the areas of `new`
    ones.
    """
    edges = (np.arange(old + 1) - old/2)*scale + new/2
    low, high = edges[:-1], edges[1:]
    pixel = np.arange(new)[:, None]
    return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)


def triangle_weights(old: int, new: int) -> np.ndarray:
    """(new, old) weights of linear interpolation; where the picture shrinks, over as many old
    pixels as make a new one.
    """
    step = old/new
    centre = (np.arange(new)[:, None] + 0.5)*step
    weights = np.clip(1 - np.abs(np.arange(old) + 0.5 - centre)/max(step, 1.0), 0, None)
    return weights/weights.sum(axis=1, keepdims=True)


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W, C) to (height, width, C)."""
    for axis, new in ((0, height), (1, width)):
        weights = triangle_weights(pixels.shape[axis], new)
        pixels = np.moveaxis(np.tensordot(weights, pixels, (1, axis)), 0, axis)
    return pixels


def middle(pixels: np.ndarray, side: int) -> np.ndarray:
    """The square in the middle of (H, W, C); black around it where the picture is smaller."""
    lack = [max(0, side - size) for size in pixels.shape[:2]]
    if any(lack):
        pixels = np.pad(pixels, [*((n//2, n - n//2) for n in lack), (0, 0)])
    top, left = (round((size - side)/2) for size in pixels.shape[:2])
    return pixels[top:top + side, left:left + side]


guard_all(globals())
