"""The data set that comes with fastnn: handwritten digits, so that the first run needs no download.

Source, licence and attribution are in fastnn/data/LICENSE-digits.txt.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from ...errors import RangeError
from ...guard import named
from ..dataset import TensorDataset

__all__ = ["DIGITS_ATTRIBUTION", "digits"]

DIGITS_ATTRIBUTION = (
    "Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine Learning "
    "Repository, licensed under CC BY 4.0; the 1,797 images of 8 x 8 pixels that scikit-learn ships.")


@named
def digits(split: str | None = None) -> TensorDataset:
    """The 1,797 handwritten digits of 8 x 8 pixels that scikit-learn ships too.

    Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine
    Learning Repository, CC BY 4.0.

    Parameters
    ----------
    split : None, "train" or "test"
        All 1,797 images, the 1,438 for training, or the 359 held out. Of every five images of a
        class, counted in file order, the third is held out: a fifth of each class, without any
        random numbers. The 13 writers appear in both.

    Returns
    -------
    TensorDataset of
        images, float32 of shape (n, 1, 8, 8), 0 (paper) to 1 (ink);
        labels, int64 of shape (n,), 0 to 9.
        Fresh arrays at every call, read in about 2 ms.

    Raises
    ------
    RangeError
        Another split.

    Examples
    --------
    >>> from fastnn.data import digits
    >>> train, test = digits("train"), digits("test")
    >>> len(train), len(test)
    (1438, 359)
    >>> images, labels = train.tensors
    >>> images.shape, labels.data[:10].tolist()
    ((1438, 1, 8, 8), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    if split not in (None, "train", "test"):
        raise RangeError(who="digits", expected='split None, "train" or "test"', got=repr(split))
    from importlib import resources  # here, so that `import fastnn` does not pay for it

    with resources.files("fastnn.data").joinpath("digits.npz").open("rb") as file:
        with np.load(file, allow_pickle=False) as archive:
            images, labels = archive["images"], archive["labels"]
    images = (images[:, None] / np.float32(16)).astype(np.float32)
    labels = labels.astype(np.int64)
    if split is not None:
        keep = held_out(labels) == (split == "test")
        images, labels = images[keep], labels[keep]
    return TensorDataset(images, labels)


def held_out(labels: np.ndarray) -> np.ndarray:
    """Which samples are the third of every five of their class; a mask of shape (n,)."""
    mask = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        mask[np.flatnonzero(labels == label)[2::5]] = True
    return mask


def pack_digits(path: str | os.PathLike[str]) -> None:
    """Write `digits.npz` from scikit-learn's copy of the data: how the bundled file was made.

    images: uint8 of shape (1797, 8, 8), 0 to 16; labels: uint8 of shape (1797,); both compressed.
    Needs scikit-learn.
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    np.savez_compressed(path, images=bunch.images.astype(np.uint8), labels=bunch.target.astype(np.uint8))
