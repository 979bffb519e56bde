"""Pictures without matplotlib: learning curves, confusion matrices, filters, feature maps, as SVG.

A picture shows itself in a notebook and follows the reader's light or dark theme. Everything here
takes NumPy arrays, lists, tensors, or whatever else has ``__array__``.

    learning_curves.py   loss and accuracy over epochs    charts.py    lines and bars
    classification.py    confusion matrices               heatmap.py   a matrix as colours
    network.py           filters and feature maps         images.py    small images in rows
    svg.py               what all pictures are made of

`report` puts the pictures of one classifier into one HTML page (fastnn/report).

>>> from fastnn import viz
>>> viz.confusion([0, 1, 1, 2], [0, 1, 2, 2], ["cat", "dog", "cow"])
<Svg 159 x 180: Confusion matrix: 3 rows, 3 columns>
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..moved import moved_names
from .charts import bar_chart, line_chart
from .classification import confusion, confusion_matrix
from .heatmap import heat_map
from .images import image_grid
from .learning_curves import curves, history_series
from .network import feature_maps, filters
from .svg import Svg, beside

if TYPE_CHECKING:
    from ..report import report

__all__ = ["Svg", "bar_chart", "beside", "confusion", "confusion_matrix", "curves", "feature_maps", "filters",
           "heat_map", "history_series", "image_grid", "line_chart", "report"]


_moved = moved_names(__name__)


if not TYPE_CHECKING:               # which would take it that any name is there
    def __getattr__(name: str) -> Any:
        if name != "report":
            return _moved(name)
        # the page stands above the pictures: it is imported when it is wanted
        from ..report import report
        return report
