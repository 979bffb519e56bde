"""Pictures from files, as arrays from 0 to 1: PNG, other formats through Pillow, and arrays in
`.npy` and `.npz`. And back: as bytes for a PNG, as characters for a terminal.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from ..errors import FileError
from . import load
from .png import check_pixels, read_png

__all__ = ["ascii_picture", "black_on_white", "read_pictures"]

SHADES = " .:-=+*#%@"           # from nothing to full ink


def read_pictures(path: str | os.PathLike[str]) -> list[np.ndarray]:
    """The pictures in a file.

    `.npy` and `.npz` hold arrays of shape (H, W), (N, H, W), (N, 1, H, W) or (N, 3, H, W); an
    `.npz` with several arrays has its pictures under the name `images`. Whole numbers, and values
    above 1, count from 0 to 16 or from 0 to 255. Any other file is one picture.

    Returns
    -------
    list of (H, W) or (H, W, C) float32, or float64 out of `.npy` and `.npz`
        From 0 (black) to 1 (white); C = 1 grey, 2 grey and alpha, 3 red, green, blue, 4 the same
        and alpha.

    Raises
    ------
    FileError
        It holds no picture, is damaged, or has more than 16,777,216 pixels.
    OSError
        It cannot be read.
    """
    name, ending = os.fspath(path), Path(path).suffix.lower()
    if ending == ".npy":
        try:
            # mapped first: a header that promises more than the file has allocates nothing
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError:
            raise
        except Exception as error:                  # NumPy's reader of headers raises many kinds
            raise FileError(f"{name} is not an array of numbers that can be read ({error})") from error
        return pictures_of(array, name)
    if ending == ".npz":
        return pictures_of(array_of_images(name), name)
    data = Path(path).read_bytes()
    try:
        return [read_png(data) if data[:4] == b"\x89PNG" else read_with_pillow(name)]
    except FileError as error:
        raise FileError(f"{name} cannot be read: {error}") from error


def array_of_images(path: str) -> np.ndarray:
    """The array of an `.npz` that is its pictures."""
    arrays = {name: a for name, a in load(path).items() if isinstance(a, np.ndarray) and a.ndim >= 2}
    for name in ("images", "image", "x"):
        if name in arrays:
            return arrays[name]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise FileError(f"{path} holds {len(arrays)} arrays that could be pictures; call the right one 'images'")


def pictures_of(array: np.ndarray, path: str) -> list[np.ndarray]:
    """An array as pictures from 0 to 1."""
    if array.dtype.kind not in "fiub" or 0 in array.shape:
        raise unlike_pictures(array, path)
    if array.ndim == 4 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 4 and array.shape[1] == 3:
        array = np.moveaxis(array, 1, 3)                        # (N, H, W, 3)
    elif array.ndim == 2:
        array = array[None]
    elif array.ndim != 3:
        raise unlike_pictures(array, path)
    values = array.astype(np.float64)
    if not np.isfinite(values).all() or values.min() < 0:
        raise FileError(f"{path} holds values that are negative or not finite")
    top = values.max()
    if top > 1:
        values = values/(16 if top <= 16 else 255 if top <= 255 else top)
    return list(values)


def unlike_pictures(array: np.ndarray, path: str) -> FileError:
    return FileError(f"{path} holds an array of {array.dtype} and shape {array.shape}; "
                     "expected numbers of shape (H, W), (N, H, W), (N, 1, H, W) or (N, 3, H, W)")


def read_with_pillow(path: str) -> np.ndarray:
    """Any format that Pillow knows, if it is installed."""
    try:
        from PIL import Image
    except ImportError:
        raise FileError('it is not a PNG, and other formats need Pillow: pip install "fastnn-engine[images]"') from None
    try:
        with warnings.catch_warnings():
            # check_pixels refuses it
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                check_pixels(*image.size)
                return np.divide(image.convert("RGBA"), 255, dtype=np.float32)
    except FileError:
        raise
    except Exception as error:                  # a damaged file makes Pillow raise nearly anything
        raise FileError(f"Pillow: {error}") from error


# ---- and back ------------------------------------------------------------------------------------
def black_on_white(ink: np.ndarray, times: int = 1) -> np.ndarray:
    """(H, W) ink from 0 to 1 as (times H, times W, 3) bytes for `png.write_png`.

    >>> black_on_white(np.array([[0.0, 1.0]]))[0].tolist()
    [[255, 255, 255], [0, 0, 0]]
    """
    large = ink.repeat(times, axis=0).repeat(times, axis=1)
    return np.rint(255*(1 - large))[..., None].repeat(3, axis=2).astype(np.uint8)


def ascii_picture(image: np.ndarray) -> list[str]:
    """(H, W) from 0 to 1 in characters, two per pixel so that a pixel looks square.

    >>> ascii_picture(np.array([[0.0, 1.0]]))
    ['  @@']
    """
    shades = np.clip((image*len(SHADES)).astype(int), 0, len(SHADES) - 1)
    return ["".join(SHADES[shade]*2 for shade in row) for row in shades]
