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
from ..functional import softmax
from ..tensor import tensor
from .picture import ascii_picture, read_pictures, to_digit

__all__ = ["command", "probabilities"]

DRAWN = 10          # with more pictures than this, a line for each is enough


def command(args: Namespace) -> int:
    model, info = models.load(args.model)
    shape = tuple(model.input_shape[-2:])
    names, digits = [], []
    for path in args.images:
        pictures = read_pictures(path)
        for i, picture in enumerate(pictures):
            names.append(path if len(pictures) == 1 else f"{path}[{i}]")
            try:
                digits.append(to_digit(picture, shape))
            except UserError as error:
                raise UserError(f"{names[-1]}: {error}") from error
    classes = info.get("classes") or range(model.settings["classes"])
    for name, digit, shares in zip(names, digits, probabilities(model, np.stack(digits))):
        say_one(name, digit, shares, [str(c) for c in classes], draw=len(digits) <= DRAWN)
    return 0


def probabilities(model: Any, digits: np.ndarray) -> np.ndarray:
    """(N, H, W) digits to (N, classes) probabilities."""
    with no_grad():
        return np.asarray(softmax(model(tensor(digits[:, None].astype(np.float32))), dim=1))


def say_one(name: str, digit: np.ndarray, shares: np.ndarray, classes: list[str], draw: bool) -> None:
    best = np.argsort(-shares, kind="stable")[:3]
    first, *others = [f"{classes[k]}  {100*shares[k]:5.1f} %" for k in best]
    rest = ", ".join(f"{classes[k]} {100*shares[k]:.1f} %" for k in best[1:])
    if not draw:
        say(f"{name}: {classes[best[0]]}, {100*shares[best[0]]:.1f} % sure ({rest})")
        return
    say()
    say(f"{name}: {paint(classes[best[0]], 'bold')}, {100*shares[best[0]]:.1f} % sure")
    drawing = ascii_picture(digit)
    notes = ["", first, *others]
    notes += [""]*(len(drawing) - len(notes))
    for line, note in zip(drawing, notes):
        say(f"  |{line}|   {note}".rstrip())
