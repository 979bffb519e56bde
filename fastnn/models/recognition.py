"""What the network in a file sees in pictures from files, and how sure it is."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import FileError, RangeError
from ..functional import softmax
from ..io.pictures import read_pictures
from ..layers import Module
from ..training import predict
from .files import load, preprocessing_of

__all__ = ["Seen", "probabilities", "recognise"]


@dataclass(frozen=True, eq=False)
class Seen:
    """What the network saw in one picture."""

    name: str                       # the file, with a number where it holds several pictures
    image: np.ndarray               # (C, H, W): what the network was given
    shares: np.ndarray              # a probability for each class
    classes: list[str]

    def best(self, count: int = 3) -> list[tuple[str, float]]:
        """The likeliest classes and their probabilities, the likeliest first."""
        return [(self.classes[k], float(self.shares[k])) for k in np.argsort(-self.shares, kind="stable")[:count]]


def recognise(model_file: str | os.PathLike[str], picture_files: Iterable[str]) -> list[Seen]:
    """Load a network, bring pictures into the form that it was trained on, and ask it.

    Raises
    ------
    FileError
        The model's file is damaged, or does not say what pictures go through or how many classes
        there are; a file holds no picture.
    RangeError
        A picture in which there is nothing to see.
    OSError
        A file cannot be read.
    """
    model, info = load(model_file)
    prepare = preprocessing_of(model, info)
    if prepare is None:
        raise FileError(f"{model_file} does not say what pictures go through before its network sees them")
    names, images = [], []
    for path in picture_files:
        pictures = read_pictures(path)
        for i, picture in enumerate(pictures):
            names.append(path if len(pictures) == 1 else f"{path}[{i}]")
            try:
                images.append(prepare(picture))
            except RangeError as error:
                raise RangeError(f"{names[-1]}: {error}") from error
    shares = probabilities(model, np.stack(images))
    classes = [str(name) for name in info.get("classes") or range(shares.shape[1])]
    if len(classes) != shares.shape[1]:
        raise FileError(f"{model_file} names {len(classes)} classes, and its network has {shares.shape[1]}")
    return [Seen(name, image, share, classes) for name, image, share in zip(names, images, shares)]


def probabilities(model: Module, images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) images to (N, classes) probabilities.

    >>> import fastnn as nn
    >>> probabilities(nn.models.DigitsCNN(), np.zeros((2, 1, 8, 8), np.float32)).shape
    (2, 10)
    """
    return np.asarray(softmax(predict(model, images), dim=1))
