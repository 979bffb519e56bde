"""The report as data: `Report` describes one run, its other classes are the parts of it.

Every part is optional: what is not given is left out of the page.
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
from .page import render

__all__ = ["ANCHORS", "CheckRow", "Confusion", "FeatureMaps", "Filters", "Mistake", "Report", "SpeedRow", "SummaryRow"]

# the sections
ANCHORS = ("learning", "confusion", "mistakes", "filters", "maps", "summary", "checks", "speed")

@dataclass(frozen=True)
class Confusion:
    """matrix[i][j]: how often class i was taken for class j (`fastnn.viz.confusion_matrix`)."""

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


def _check_image(who: str, image: Any) -> None:
    shape = np.shape(image)
    if len(shape) != 2 and not (len(shape) == 3 and shape[2] == 3):
        raise ValueError(f"{who}: expected an image of shape (H, W) or (H, W, 3), got {shape}")


@dataclass(frozen=True)
class FeatureMaps:
    """One image on its way through the layers."""

    image: Any                                    # what goes in: (H, W), or (H, W, 3) in colour
    layers: Sequence[tuple[str, Any]]             # (name, activation (C, H, W)) in order
    truth: object = None
    probabilities: Sequence[float] | None = None  # one per class: what comes out
    classes: Sequence[object] | None = None

    def __post_init__(self) -> None:
        _check_image("FeatureMaps", self.image)
        for name, activation in self.layers:
            if np.ndim(activation) != 3:
                raise ValueError("FeatureMaps: expected activations of shape (C, H, W), "
                                 f"{name} has {np.shape(activation)}")
        if self.classes is not None and self.probabilities is not None and len(self.classes) != len(self.probabilities):
            raise ValueError(f"FeatureMaps: {len(self.probabilities)} probabilities, but {len(self.classes)} classes")


@dataclass(frozen=True)
class Mistake:
    """One sample that the network got wrong."""

    image: Any                              # (H, W) or (H, W, 3); None where the data are no images
    said: object
    truth: object
    confidence: float                             # probability that it gave to what it said
    index: int | None = None                      # which sample of the validation set

    def __post_init__(self) -> None:
        if self.image is not None:
            _check_image("Mistake", self.image)


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
    worst: float                    # largest error as a share of its allowance; at most 1 passes
    passed: bool | None = None      # default: worst is a number and at most 1

    @property
    def ok(self) -> bool:
        """Whether the family passed."""
        return math.isfinite(self.worst) and self.worst <= 1 if self.passed is None else self.passed


@dataclass(frozen=True)
class SpeedRow:
    """One workload of the speed table, in microseconds."""

    workload: str
    fastnn: float
    # {"NumPy": 812.0, "PyTorch": 95.1}
    rivals: Mapping[str, float | None] = field(default_factory=dict)

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
    """Everything that the page can show about one run.

    All fields are optional and keyword arguments.

    Attributes
    ----------
    title, lead : str
        The heading, and a sentence under it that says what this is.
    item : str
        What one sample is called: "image", "digit", "flower". Its plural takes an s.
    headings, captions : mapping of str to str
        Texts of your own for sections, by their anchor: "learning", "confusion", "mistakes",
        "filters", "maps", "summary", "checks", "speed". A caption is the sentence that says what
        to look at; an empty one is left out.
    accuracy : float
        Share of the `tested` samples that the network got right, 0 to 1.
    tested : int
        Number of samples that it had never seen.
    seconds : float
        What training took.
    parameters : int
        Number of weights learned.
    machine : mapping of str to str
        What it ran on, in the order to show: ``{"CPU": ..., "Threads": ...}``.
    samples : images (N, H, W) or (N, H, W, 3)
        A few of the images that it learned from, to show beside the title; 24 fill the place.
    colours : str
        The colour map of grey images: "ink" for dark on light, "sequential" for light on dark.
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

    Raises
    ------
    ValueError
        A text for a section that does not exist.

    Examples
    --------
    >>> report = Report(title="Irises", item="flower", accuracy=0.96, tested=50)
    >>> "48 of 50" in report.html()
    True
    """

    title: str = "What the network learned"
    lead: str = "This page shows what a network learned, and where it fails."
    item: str = "image"
    headings: Mapping[str, str] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    accuracy: float | None = None
    tested: int | None = None
    seconds: float | None = None
    parameters: int | None = None
    machine: Mapping[str, str] = field(default_factory=dict)
    samples: Any = None
    colours: str = "ink"
    history: Any = None
    confusion: Confusion | None = None
    filters: Filters | None = None
    feature_maps: FeatureMaps | None = None
    # an empty list is shown as "no mistakes", None leaves the section out
    mistakes: Sequence[Mistake] | None = None
    mistakes_total: int | None = None
    summary: Sequence[SummaryRow] = ()
    checks: Sequence[CheckRow] = ()
    speed: Sequence[SpeedRow] = ()
    speed_note: str = ""
    attribution: str | None = None
    created: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        unknown = sorted({*self.headings, *self.captions} - set(ANCHORS))
        if unknown:
            raise ValueError(f"Report: there is no section {unknown[0]!r}; the sections are {', '.join(ANCHORS)}")

    def __repr__(self) -> str:
        return f"<Report: {self.title}>"

    def html(self) -> str:
        """The whole page as a string of HTML5.

        Nothing in it comes from another machine, so the file can be mailed, put on a course page,
        or opened in ten years. Cost: a few tens of milliseconds and some 100 kB for the digits.
        """
        return render(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to `path` in one step, and return the path.

        Raises
        ------
        OSError
            If it cannot be written; an older page of that name is then unchanged.
        """
        return write_text(path, self.html())
