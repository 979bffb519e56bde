"""Learning curves: loss and error over the epochs of a run, from a history in any form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..guard import guard_all
from .charts import line_chart
from .svg import Svg, beside, short_number

__all__ = ["curve_charts", "curves", "history_series"]


def curves(history: Any, *, title: str = "") -> Svg:
    """The learning curves of a run: loss, and where accuracy was recorded the error, 1 - accuracy,
    for training and validation.

    The error has a logarithmic axis: from 98% to 99% half of the mistakes go, which is a step as
    large as from 60% to 80%.

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
    """The charts of `curves` one by one: loss first, then the error with its best validation epoch
    ringed. Accuracy itself where it is no share, or always 1.
    """
    series = history_series(history)
    charts = []
    if series["loss"]:
        values = np.concatenate([np.array(v, dtype=np.float64) for v in series["loss"].values()])
        values = values[np.isfinite(values)]
        # a loss that falls twentyfold lies flat on the floor of a linear axis for most epochs
        log = bool(values.size and values.min() > 0 and values.max() >= 20*values.min())
        charts.append(line_chart(series["loss"], title="Loss", x_label="epoch", log=log))
    if series["accuracy"]:
        accuracy = {name: np.array(v, dtype=np.float64) for name, v in series["accuracy"].items()}
        values = np.concatenate(list(accuracy.values()))
        share = bool(np.nanmax(values, initial=0) <= 1)
        best = _best(accuracy)
        if share and (values[np.isfinite(values)] < 1).any():
            # in float64 1 - 0.9 is a little too much
            error = {name: np.round(1 - v, 12).tolist() for name, v in accuracy.items()}
            notes = [(epoch, 1 - y, f"best {short_number(100*(1 - y))}%") for epoch, y in best]
            charts.append(line_chart(error, title="Error", x_label="epoch", percent=True, log=True, notes=notes))
        else:
            notes = [(epoch, y, f"best {100*y:.1f}%" if share else f"best {y:.4g}") for epoch, y in best]
            charts.append(line_chart(series["accuracy"], title="Accuracy", x_label="epoch", percent=share, notes=notes))
    return charts


def _best(accuracy: Mapping[str, np.ndarray]) -> list[tuple[float, float]]:
    """The best epoch of the validation data and its accuracy, where there is one."""
    values = accuracy.get("validation", np.array([]))
    if len(values) < 2 or not np.isfinite(values).any():
        return []
    epoch = int(np.nanargmax(values))
    return [(epoch + 1.0, float(values[epoch]))]


def history_series(history: Any) -> dict[str, dict[str, list[float]]]:
    """The loss and the accuracy columns of a history (see `curves`), named for a legend.

    >>> rows = [{"train_loss": 2.0, "val_acc": 0.4}, {"train_loss": 1.0, "val_acc": 0.7}]
    >>> history_series(rows)
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


guard_all(globals())
