"""One run as one self-contained HTML page: `Report` describes the run in plain data, `write` makes
the page.

Every part is optional: what is not given is left out of the page. Nothing in the page comes from
another machine, so the file can be mailed, put on a course page, or opened in ten years.

>>> report = Report(accuracy=0.986, tested=360, seconds=8.4, parameters=9098)
>>> page = render(report)
>>> page.startswith("<!DOCTYPE html>") and "355 of 360" in page
True
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..viz.svg import write_text
from . import sections
from .page import page

DIGITS_ATTRIBUTION = (
    "Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak (1998), UCI Machine Learning "
    "Repository, licensed under CC BY 4.0; the 1,797 images of 8 x 8 pixels that scikit-learn ships.")


@dataclass(frozen=True)
class Confusion:
    """How often class i was taken for class j:

    `matrix[i][j]`, from `fastnn.viz.confusion_matrix`.
    """

    matrix: Any
    classes: Sequence[object] | None = None       # names; 0, 1, 2, ... if not given

    def __post_init__(self) -> None:
        shape = np.shape(self.matrix)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"Confusion: expected a square matrix (classes, classes), got shape {shape}")
        counts = np.asarray(self.matrix)
        if not np.issubdtype(counts.dtype, np.integer) or counts.min(initial=0) < 0:
            raise ValueError("Confusion: expected counts, that is, integers from 0 up; got "
                             f"{counts.dtype} from {counts.min(initial=0)} up")
        if self.classes is not None and len(self.classes) != shape[0]:
            raise ValueError(f"Confusion: the matrix has {shape[0]} classes, but there are {len(self.classes)} names")


@dataclass(frozen=True)
class Filters:
    """The weight (K, C, R, S) of a convolution and the name of its layer."""

    weight: Any
    layer: str = "conv1"

    def __post_init__(self) -> None:
        if np.ndim(self.weight) != 4:
            raise ValueError(f"Filters: expected a weight of shape (K, C, R, S), got {np.shape(self.weight)}")


@dataclass(frozen=True)
class FeatureMaps:
    """One image on its way through the layers."""

    image: Any                                    # (H, W), what goes in
    layers: Sequence[tuple[str, Any]]             # (name, activation (C, H, W)) in order
    truth: object = None
    probabilities: Sequence[float] | None = None  # one per class: what comes out
    classes: Sequence[object] | None = None

    def __post_init__(self) -> None:
        if np.ndim(self.image) != 2:
            raise ValueError(f"FeatureMaps: expected an image of shape (H, W), got {np.shape(self.image)}")
        for name, activation in self.layers:
            if np.ndim(activation) != 3:
                raise ValueError("FeatureMaps: expected activations of shape (C, H, W), "
                                 f"{name} has {np.shape(activation)}")
        if self.classes is not None and self.probabilities is not None and len(self.classes) != len(self.probabilities):
            raise ValueError(f"FeatureMaps: {len(self.probabilities)} probabilities, but {len(self.classes)} classes")


@dataclass(frozen=True)
class Mistake:
    """One image that the network got wrong."""

    image: Any                                    # (H, W)
    said: object
    truth: object
    confidence: float                             # probability that it gave to what it said
    index: int | None = None                      # which image of the validation set

    def __post_init__(self) -> None:
        if np.ndim(self.image) != 2:
            raise ValueError(f"Mistake: expected an image of shape (H, W), got {np.shape(self.image)}")


@dataclass(frozen=True)
class SummaryRow:
    """One layer of the summary table; ``None`` leaves a cell empty."""

    layer: str
    output_shape: Sequence[int] | None = None     # without the batch axis
    parameters: int | None = None
    multiply_adds: int | None = None
    bytes: int | None = None                      # of the activation
    receptive_field: int | Sequence[int] | None = None


@dataclass(frozen=True)
class CheckRow:
    """The comparison of one op family with its NumPy definition."""

    family: str
    cases: int
    worst: float                                  # largest error as a share of its allowance; at most 1 passes
    passed: bool | None = None                    # default: worst is a number and at most 1

    @property
    def ok(self) -> bool:
        """Whether the family passed."""
        return math.isfinite(self.worst) and self.worst <= 1 if self.passed is None else self.passed


@dataclass(frozen=True)
class SpeedRow:
    """One workload of the speed table, in microseconds."""

    workload: str
    fastnn: float
    rivals: Mapping[str, float | None] = field(default_factory=dict)    # {"NumPy": 812.0, "PyTorch": 95.1}

    def ratio(self, rival: str) -> float | None:
        """How many times faster fastnn is than `rival`; below 1 it is slower.

        None where a time is missing.
        """
        other = self.rivals.get(rival)
        if other is None or not (math.isfinite(other) and math.isfinite(self.fastnn) and other > 0 and self.fastnn > 0):
            return None
        return other/self.fastnn


@dataclass(frozen=True)
class Report:
    """Everything that the page can show about one run. All fields are optional and keyword
    arguments.

    Attributes
    ----------
    title, lead : str
        The heading, and a sentence under it that says what this is.
    accuracy : float
        Share of the `tested` images that the network got right, 0 to 1.
    tested : int
        Number of images that it had never seen.
    seconds : float
        What training took.
    parameters : int
        Number of weights learned.
    machine : mapping of str to str
        What it ran on, in the order to show: ``{"CPU": ..., "Instruction set": ..., "Threads": ...,
        ...}``.
    samples : images (N, H, W)
        A few of the images that it learned from, to show beside the title; 24 fill the place.
    history : mapping, rows or object
        As `fastnn.viz.curves` takes it.
    confusion, filters, feature_maps, mistakes, summary, checks, speed
        The sections of the page, see their classes.
    mistakes_total : int
        How many mistakes there were if `mistakes` shows only some.
    speed_note : str
        How the speed table was measured.
    attribution : str
        Where the data come from; in the foot of the page.
    created, command : str
        When and by which command the page was made; in the foot.
    """

    title: str = "A network that reads handwriting"
    lead: str = ("fastnn trained this small convolutional network on handwritten digits, on this machine. "
                 "This page shows what it learned, where it fails, and how its kernels were checked.")
    accuracy: float | None = None
    tested: int | None = None
    seconds: float | None = None
    parameters: int | None = None
    machine: Mapping[str, str] = field(default_factory=dict)
    samples: Any = None
    history: Any = None
    confusion: Confusion | None = None
    filters: Filters | None = None
    feature_maps: FeatureMaps | None = None
    mistakes: Sequence[Mistake] | None = None     # an empty list is shown as "no mistakes", None leaves the section out
    mistakes_total: int | None = None
    summary: Sequence[SummaryRow] = ()
    checks: Sequence[CheckRow] = ()
    speed: Sequence[SpeedRow] = ()
    speed_note: str = ""
    attribution: str | None = DIGITS_ATTRIBUTION
    created: str = ""
    command: str = ""


def render(report: Report) -> str:
    """The whole page as a string of HTML5.

    Cost: a few tens of milliseconds and some 100 kB for the digits run.
    """
    parts = [part for section in sections.SECTIONS if (part := section(report)) is not None]
    body = "\n".join([sections.header(report), sections.contents(parts), "<main>",
                      *[part.html for part in parts], "</main>", sections.footer(report)])
    return page(report.title, report.lead, body)


def write(report: Report, path: str | os.PathLike[str]) -> Path:
    """Write the page to `path` in one step and return the path.

    Raises
    ------
    OSError
        If it cannot be written; an older page of that name is then unchanged.
    """
    return write_text(path, render(report))
