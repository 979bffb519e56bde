"""`python -m fastnn predict MODEL IMAGE...`: what a trained network sees in pictures, and how sure
it is.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np

from .. import models
from ..autograd import no_grad
from ..console import UserError, paint, say
from ..errors import RangeError
from ..functional import softmax
from ..io.pictures import read_pictures
from ..tensor import tensor

__all__ = ["ascii_picture", "command", "probabilities"]

DRAWN = 10              # with more pictures than this, a line for each is enough
WIDEST = 40             # pixels along a side that fit a terminal
SHADES = " .:-=+*#%@"


def command(args: Namespace) -> int:
    model, info = models.load(args.model)
    prepare = models.preprocessing_of(model, info)
    if prepare is None:
        raise UserError(f"{args.model} does not say what pictures go through before its network sees them")
    names, images = [], []
    for path in args.images:
        pictures = read_pictures(path)
        for i, picture in enumerate(pictures):
            names.append(path if len(pictures) == 1 else f"{path}[{i}]")
            try:
                images.append(prepare(picture))
            except RangeError as error:
                raise UserError(f"{names[-1]}: {error}") from error
    shares = probabilities(model, np.stack(images))
    classes = [str(name) for name in info.get("classes") or range(shares.shape[1])]
    if len(classes) != shares.shape[1]:
        raise UserError(f"{args.model} names {len(classes)} classes, and its network has {shares.shape[1]}")
    for name, image, share in zip(names, images, shares):
        say_one(name, image, share, classes, draw=len(images) <= DRAWN)
    return 0


def probabilities(model: Any, images: np.ndarray) -> np.ndarray:
    """(N, C, H, W) images to (N, classes) probabilities."""
    with no_grad():
        return np.asarray(softmax(model(tensor(images)), dim=1))


def say_one(name: str, image: np.ndarray, shares: np.ndarray, classes: list[str], draw: bool) -> None:
    """A line; of a small grey image a drawing, with what it may be beside it."""
    best = np.argsort(-shares, kind="stable")[:3]
    first, *others = [f"{classes[k]}  {100*shares[k]:5.1f} %" for k in best]
    rest = ", ".join(f"{classes[k]} {100*shares[k]:.1f} %" for k in best[1:])
    if not draw or len(image) > 1 or max(image.shape) > WIDEST:
        say(f"{name}: {classes[best[0]]}, {100*shares[best[0]]:.1f} % sure ({rest})")
        return
    say()
    say(f"{name}: {paint(classes[best[0]], 'bold')}, {100*shares[best[0]]:.1f} % sure")
    drawing = ascii_picture(image[0])
    notes = ["", first, *others]
    notes += [""]*(len(drawing) - len(notes))
    for line, note in zip(drawing, notes):
        say(f"  |{line}|   {note}".rstrip())


def ascii_picture(image: np.ndarray) -> list[str]:
    """A picture in characters, two per pixel so that it looks square.

    >>> ascii_picture(np.array([[0.0, 1.0]]))
    ['  @@']
    """
    shades = np.clip((image*len(SHADES)).astype(int), 0, len(SHADES) - 1)
    return ["".join(SHADES[shade]*2 for shade in row) for row in shades]
