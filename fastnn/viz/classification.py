"""How often a classifier takes one class for another: as counts, and as a picture of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..guard import guard_all
from ..tensor import array_of
from .heatmap import heat_map
from .svg import Svg

__all__ = ["confusion", "confusion_matrix"]


def confusion(truth: Any, predicted: Any, classes: int | Sequence[object] | None = None, *,
              title: str = "Confusion matrix") -> Svg:
    """`confusion_matrix` as a picture: right answers on the blue diagonal, mistakes outlined in
    orange.

    Examples
    --------
    >>> confusion([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]], ["cat", "dog"]).label
    'Confusion matrix: 2 rows, 2 columns'
    """
    matrix = confusion_matrix(truth, predicted, classes)
    names, _ = _class_names(classes)
    return heat_map(matrix, names, names, title=title, row_title="truth", column_title="said", diagonal=True)


def confusion_matrix(truth: Any, predicted: Any, classes: int | Sequence[object] | None = None) -> np.ndarray:
    """Count how often class i was taken for class j.

    Parameters
    ----------
    truth : (N,) integers, or names that occur in `classes`
    predicted : (N,) of the same, or (N, C) scores, of which the largest counts
    classes : int or sequence, optional
        How many classes there are, or their names; by default the largest label decides.

    Returns
    -------
    (C, C) int64 array
        Row: the true class. Column: the predicted one.

    Raises
    ------
    ValueError
        If lengths differ or a label is not a class.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1]).tolist()
    [[1, 1], [0, 1]]
    """
    names, count = _class_names(classes)
    rows = _class_indices(truth, names, "truth")
    columns = array_of(predicted)
    columns = columns.argmax(axis=1) if columns.ndim == 2 else _class_indices(columns, names, "predicted")
    if len(rows) != len(columns):
        raise ValueError(f"confusion: truth has {len(rows)} labels, predicted has {len(columns)}")
    if count is None:
        count = int(max(rows.max(initial=-1), columns.max(initial=-1))) + 1
    for kind, labels in (("truth", rows), ("predicted", columns)):
        if len(labels) and not 0 <= labels.min() <= labels.max() < count:
            wrong = labels.min() if labels.min() < 0 else labels.max()
            raise ValueError(f"confusion: {kind} holds the label {wrong}, expected 0 to {count - 1}")
    matrix = np.zeros((count, count), np.int64)
    np.add.at(matrix, (rows, columns), 1)
    return matrix


def _class_names(classes: int | Sequence[object] | None) -> tuple[list[object] | None, int | None]:
    """The names, where there are any, and the number of classes, where it is known."""
    if classes is None:
        return None, None
    if isinstance(classes, (int, np.integer)):
        return None, int(classes)
    return list(classes), len(classes)


def _class_indices(labels: Any, names: list[object] | None, kind: str) -> np.ndarray:
    values = array_of(labels)
    if values.ndim != 1:
        raise ValueError(f"confusion: {kind} must be one label per image, got shape {values.shape}")
    if np.issubdtype(values.dtype, np.integer) or values.dtype == bool:
        return values.astype(np.int64)
    if not values.size:
        return np.zeros(0, np.int64)
    if names is None:
        raise ValueError(f"confusion: {kind} holds {values.dtype} labels; give their names in classes=, "
                         "or use integers")
    places = {name: i for i, name in enumerate(names)}
    unknown = [label for label in values.tolist() if label not in places]
    if unknown:
        raise ValueError(f"confusion: {kind} holds the label {unknown[0]!r}, which is not in classes")
    return np.array([places[label] for label in values.tolist()])


guard_all(globals())
