"""One classifier on one self-contained HTML page: how it learned, what it takes for what, where it
fails, what its layers see.

    classifier.py   report(model, data): everything that can be found out about a classifier
    parts.py        Report and its parts: the page as data
    page.py         the frame of the page and its style sheet
    sections.py     one function a section
    html.py         tables, bars, pictures, numbers: what sections are made of
"""

from __future__ import annotations

from .classifier import report
from .parts import (
    CheckRow,
    Confusion,
    FeatureMaps,
    Filters,
    Mistake,
    Report,
    SpeedRow,
    SummaryRow,
)

__all__ = ["CheckRow", "Confusion", "FeatureMaps", "Filters", "Mistake", "Report", "SpeedRow", "SummaryRow", "report"]
