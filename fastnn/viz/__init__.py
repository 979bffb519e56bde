"""Pictures without matplotlib: learning curves, confusion matrices, filters, feature maps, as SVG.

>>> from fastnn import viz
>>> picture = viz.confusion([0, 1, 1, 2], [0, 1, 2, 2], ["cat", "dog", "cow"])
>>> path = picture.save("confusion.svg")                                          # doctest: +SKIP

A picture shows itself in a notebook and follows the reader's light or dark theme. Everything here
takes NumPy arrays, lists, tensors, or whatever else has ``__array__``. `fastnn.report.report` puts
the pictures of one run into one HTML page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .charts import bar_chart, line_chart
from .heatmap import heat_map
from .images import image_grid
from .svg import Svg, beside

__all__ = ["Svg", "bar_chart", "beside", "confusion", "confusion_matrix", "curves", "feature_maps", "filters",
           "heat_map", "history_series", "image_grid", "line_chart"]


def filters(weight: Any, *, shape: tuple[int, int] | None = None, most: int = 64, title: str = "Filters") -> Svg:
    """The learned filters of a convolution, or of a linear layer over images.

    Blue weights are negative, orange ones positive, the paper colour is zero; one scale for all
    filters.

    Parameters
    ----------
    weight : (K, C, R, S) or (K, R, S) array
        K filters. With C = 1 there is one image per filter; otherwise a row per filter, with an
        image for each of its C input channels.
    shape : (H, W), optional
        For the weight (K, H*W) of a linear layer: the image that each row looks at.
    most : int
        Show at most so many images; the title says how many were left out.

    Raises
    ------
    ValueError
        If the weight has another shape.

    Examples
    --------
    >>> filters(np.zeros((8, 1, 3, 3))).label
    'Filters: 8 images'
    """
    values = np.asarray(weight)
    if shape is not None:
        pixels = shape[0]*shape[1]
        if values.ndim != 2 or values.shape[1] != pixels:
            raise ValueError(f"filters: shape={tuple(shape)} needs a weight of shape (K, {pixels}), got {values.shape}")
        values = values.reshape(-1, *shape)
    if values.ndim == 3:
        values = values[:, None]
    if values.ndim != 4:
        hint = " Pass shape=(H, W) for a linear layer." if values.ndim == 2 else ""
        raise ValueError(f"filters: expected a weight of shape (K, C, R, S), got {values.shape}.{hint}")
    filter_count, channels = values.shape[:2]
    by_channel = channels > 1
    shown = min(filter_count, max(1, most//channels)) if by_channel else min(filter_count, most)
    used_channels = min(channels, most)
    images = values[:shown, :used_channels].reshape(-1, *values.shape[2:])
    if shown*used_channels < filter_count*channels:
        title = f"{title} ({shown*used_channels} of {filter_count*channels})"
    labels = [f"{k}, {c}" if by_channel else str(k) for k in range(shown) for c in range(used_channels)]
    columns = used_channels if by_channel else None
    return image_grid(images, labels, columns, colours="diverging", title=title, scale=True)


def feature_maps(activation: Any, *, index: int = 0, most: int = 64, title: str = "Feature maps") -> Svg:
    """What a layer makes of one input: one image per channel, bright where the channel responds.

    Parameters
    ----------
    activation : (C, H, W), (N, C, H, W) or (H, W) array
        Of a batch, image `index` is taken.
    most : int
        Show at most so many channels; the title says how many were left out.

    Examples
    --------
    >>> feature_maps(np.zeros((2, 4, 8, 8)), index=1).label
    'Feature maps: 4 images'
    """
    values = np.asarray(activation)
    if values.ndim == 4:
        values = values[index]
    if values.ndim == 2:
        values = values[None]
    if values.ndim != 3:
        raise ValueError("feature_maps: expected an activation of shape (C, H, W) or (N, C, H, W), "
                         f"got {np.shape(activation)}")
    if len(values) > most:
        title = f"{title} ({most} of {len(values)})"
        values = values[:most]
    return image_grid(values, range(len(values)), title=title, scale=True)


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
    columns = np.asarray(predicted)
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
    values = np.asarray(labels)
    if values.ndim != 1:
        raise ValueError(f"confusion: {kind} must be one label per image, got shape {values.shape}")
    if np.issubdtype(values.dtype, np.integer) or values.dtype == bool:
        return values.astype(np.int64)
    if not values.size:
        return np.zeros(0, np.int64)
    if names is None:
        raise ValueError(f"confusion: {kind} holds {values.dtype} labels; give their names in classes=, or use integers")
    places = {name: i for i, name in enumerate(names)}
    unknown = [label for label in values.tolist() if label not in places]
    if unknown:
        raise ValueError(f"confusion: {kind} holds the label {unknown[0]!r}, which is not in classes")
    return np.array([places[label] for label in values.tolist()])


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


def curves(history: Any, *, title: str = "") -> Svg:
    """The learning curves of a run: loss, and accuracy where it was recorded, for training and
    validation.

    Parameters
    ----------
    history : mapping, sequence of rows, or object
        ``{"train_loss": [...], "valid_loss": [...], "train_accuracy": [...], "valid_accuracy":
        [...]}``, or one such mapping of numbers per epoch, or an object with these as attributes
        (or with such a mapping as ``history``). Every name that contains "loss" or "acc" is drawn,
        others are left out.

    Raises
    ------
    ValueError
        If nothing in `history` can be drawn; the message lists what it holds.

    Examples
    --------
    >>> curves({"train_loss": [2.3, 0.8], "valid_loss": [1.9, 0.7]})
    <Svg 400 x 270: Loss: train from 2.3 to 0.8, validation from 1.9 to 0.7>
    """
    charts = curve_charts(history)
    if not charts:
        held = ", ".join(sorted(_columns(history))) or "nothing"
        raise ValueError(f"curves: no loss and no accuracy in the history; it holds {held}")
    return charts[0] if len(charts) == 1 and not title else beside(charts, label=title or None)


def curve_charts(history: Any) -> list[Svg]:
    """The charts of `curves` one by one: loss first, then accuracy with its best validation epoch
    ringed.
    """
    series = history_series(history)
    charts = []
    if series["loss"]:
        values = np.concatenate([np.array(v, dtype=np.float64) for v in series["loss"].values()])
        values = values[np.isfinite(values)]
        # a loss that falls twentyfold lies flat on the floor of a linear axis for most epochs
        log = bool(values.size and values.min() > 0 and values.max() >= 20*values.min())
        title = "Loss (logarithmic)" if log else "Loss"
        charts.append(line_chart(series["loss"], title=title, x_label="epoch", log=log))
    if series["accuracy"]:
        values = np.concatenate([np.array(v, dtype=np.float64) for v in series["accuracy"].values()])
        percent = bool(np.nanmax(values, initial=0) <= 1)
        charts.append(line_chart(series["accuracy"], title="Accuracy", x_label="epoch", percent=percent,
                                 notes=_best(series["accuracy"], percent)))
    return charts


def _best(accuracy: Mapping[str, Sequence[float]], percent: bool) -> list[tuple[float, float, str]]:
    values = np.array(accuracy.get("validation", []), dtype=np.float64)
    if len(values) < 2 or not np.isfinite(values).any():
        return []
    epoch = int(np.nanargmax(values))
    best = float(values[epoch])
    return [(epoch + 1.0, best, f"best {100*best:.1f}%" if percent else f"best {best:.4g}")]


def history_series(history: Any) -> dict[str, dict[str, list[float]]]:
    """The loss and the accuracy columns of a history (see `curves`), named for a legend.

    >>> history_series([{"train_loss": 2.0, "val_acc": 0.4, "epoch": 1}, {"train_loss": 1.0, "val_acc": 0.7, "epoch": 2}])
    {'loss': {'train': [2.0, 1.0]}, 'accuracy': {'validation': [0.4, 0.7]}}
    """
    found: dict[str, dict[str, list[float]]] = {"loss": {}, "accuracy": {}}
    for name, values in _columns(history).items():
        for key, kind in (("loss", "loss"), ("acc", "accuracy")):
            if key in name.lower():
                found[kind][_legend_name(name.lower())] = [float("nan") if v is None else float(v) for v in values]
                break
    return found


def _legend_name(name: str) -> str:
    rest = name.replace("accuracy", "").replace("acc", "").replace("loss", "").strip(" _-./")
    known = {"": "train", "training": "train", "val": "validation", "valid": "validation"}
    return known.get(rest, rest.replace("_", " "))


def _columns(history: Any) -> dict[str, Sequence[Any]]:
    """A history in any of the accepted forms as ``{name: values}``."""
    if not isinstance(history, Mapping):
        inner = getattr(history, "history", None)
        if isinstance(inner, Mapping):
            history = inner
        elif isinstance(history, Iterable):
            rows = [row if isinstance(row, Mapping) else vars(row) for row in history]
            names = dict.fromkeys(name for row in rows for name in row)
            history = {name: [row.get(name) for row in rows] for name in names}
        else:
            history = vars(history)
    return {str(name): values for name, values in history.items()
            if isinstance(values, (list, tuple)) or getattr(values, "ndim", 0) == 1}
