"""From a picture file to what a digit network takes: one digit, light on dark, filling its little
square.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .. import io
from ..console import UserError
from ..io.png import BadPicture, read_png

__all__ = ["ascii_picture", "read_pictures", "to_digit"]

SHADES = " .:-=+*#%@"
MARGIN = {8: 0, 28: 4}          # the digits of the 8 x 8 set touch the border, those of 28 x 28 sets do not


def read_pictures(path: str) -> list[np.ndarray]:
    """The pictures in a file, each (H, W) float64 from 0 (black) to 1 (white, or whatever the
    highest value stands for).

    `.npy` and `.npz` hold arrays of (H, W), (N, H, W) or (N, 1, H, W); any other file is one
    picture.
    """
    ending = Path(path).suffix.lower()
    if ending == ".npy":
        try:
            return pictures_of(np.load(path, allow_pickle=False), path)
        except (ValueError, EOFError) as error:
            raise UserError(f"{path} is not an array of numbers that can be read ({error})") from error
    if ending == ".npz":
        arrays = {name: a for name, a in io.load(path).items() if isinstance(a, np.ndarray) and a.ndim >= 2}
        name = next((name for name in ("images", "image", "x") if name in arrays),
                    next(iter(arrays)) if len(arrays) == 1 else None)
        if name is None:
            raise UserError(f"{path} holds {len(arrays)} arrays that could be pictures; call the right one 'images'")
        return pictures_of(arrays[name], path)
    data = Path(path).read_bytes()
    try:
        pixels = read_png(data) if data[:4] == b"\x89PNG" else read_with_pillow(path)
    except BadPicture as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    return [grey(pixels)]


def pictures_of(array: np.ndarray, path: str) -> list[np.ndarray]:
    """An array as pictures from 0 to 1.

    Whole numbers, or values above 1, count from 0 to 16 or from 0 to 255.
    """
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 3 or array.dtype.kind not in "fiub" or 0 in array.shape:
        raise UserError(f"{path} holds an array of {array.dtype} and shape {array.shape}; expected (H, W) or (N, H, W) numbers")
    values = array.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise UserError(f"{path} holds values that are negative or not finite")
    top = values.max()
    if (array.dtype.kind in "iu" and top > 1) or top > 1:
        values = values/(16 if top <= 16 else 255 if top <= 255 else top)
    return list(values)


def read_with_pillow(path: str) -> np.ndarray:
    """Any format that Pillow knows, if it is installed."""
    try:
        from PIL import Image
    except ImportError:
        raise BadPicture('it is not a PNG, and other formats need Pillow: pip install "fastnn-engine[images]"') from None
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGBA"))/255.0
    except (OSError, ValueError, SyntaxError) as error:
        raise BadPicture(str(error)) from error


def grey(pixels: np.ndarray) -> np.ndarray:
    """(H, W, C) to (H, W): the luminance of ITU-R BT.601, transparency on white paper."""
    if pixels.shape[2] in (2, 4):
        alpha = pixels[..., -1:]
        pixels = pixels[..., :-1]*alpha + (1 - alpha)
    return pixels @ np.array([0.299, 0.587, 0.114]) if pixels.shape[2] == 3 else pixels[..., 0]


def to_digit(picture: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Find the ink in a picture and draw it, averaged over areas, as large as the training digits
    are.

    Ink is whatever differs from the border: dark on light or light on dark. A picture that has the
    shape already is only turned to light ink on dark, and not moved.

    >>> paper = np.ones((40, 30)); paper[5:35, 14:18] = 0         # a black bar on white paper
    >>> to_digit(paper, (8, 8))[4].round(1).tolist()
    [0.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0]
    """
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    paper = float(np.median(border))
    ink = 1 - picture if paper > 0.5 else picture
    if picture.shape == shape:
        return ink
    ink = np.clip(ink - (1 - paper if paper > 0.5 else paper), 0, None)
    darkest = float(ink.max())
    if darkest < 0.1:
        raise UserError("there is nothing to see: the picture is of one colour")
    ink = ink/darkest
    rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
    ink = ink[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]

    room = [size - 2*MARGIN.get(size, size//8) for size in shape]
    scale = min(room[0]/ink.shape[0], room[1]/ink.shape[1])
    for axis in (0, 1):
        ink = np.moveaxis(np.tensordot(placement(ink.shape[axis], shape[axis], scale), ink, (1, axis)), 0, axis)
    return np.clip(ink, 0, 1)


def placement(old: int, new: int, scale: float) -> np.ndarray:
    """(new, old) weights that average `old` pixels, scaled and centred, over the areas of `new`
    ones.
    """
    edges = (np.arange(old + 1) - old/2)*scale + new/2
    low, high = edges[:-1], edges[1:]
    pixel = np.arange(new)[:, None]
    return np.clip(np.minimum(high, pixel + 1) - np.maximum(low, pixel), 0, None)


def ascii_picture(digit: np.ndarray) -> list[str]:
    """A picture in characters, two per pixel so that it looks square.

    >>> ascii_picture(np.array([[0.0, 1.0]]))
    ['  @@']
    """
    shades = np.clip((digit*len(SHADES)).astype(int), 0, len(SHADES) - 1)
    return ["".join(SHADES[shade]*2 for shade in row) for row in shades]
