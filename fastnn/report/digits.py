"""The page about a network that learned the bundled digits: what `python -m fastnn` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.sets.digits import DIGITS_ATTRIBUTION
from .classifier import report
from .parts import Report

if TYPE_CHECKING:
    from ..models.recipes import Run

__all__ = ["digits_report"]


def digits_report(run: Run, **texts: Any) -> Report:
    """The page of one training (fastnn/models/recipes.py).

    texts: fields of `Report` that the run does not know: machine, checks, speed, created, command.
    """
    _, labels = run.test
    return report(
        run.model, run.test, history=run.history, train=run.train, item="digit",
        title="A network that reads handwriting",
        lead="fastnn trained this small convolutional network on handwritten digits, on this machine. "
             "This page shows what it learned, where it fails, and how its kernels were checked.",
        layers={"relu1": "conv1, norm, ReLU", "relu2": "conv2, norm, ReLU", "relu3": "conv3, norm, ReLU"},
        example=int(np.argmax(labels == 8)), seconds=run.seconds, attribution=DIGITS_ATTRIBUTION, **texts)
