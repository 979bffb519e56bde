"""History: what happened in each epoch of a run, as plain numbers."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...errors import FileError
from ...guard import NameMistake, named
from ...io.atomic import atomic_write
from ..state import State
from .base import Callback

if TYPE_CHECKING:
    from ...viz import Svg

__all__ = ["History"]


class History(Callback):
    """One row per epoch; a column is a list: `history["loss"]`, `history["valid_accuracy"]`.

    Attributes
    ----------
    rows : list of dict
        {"epoch": 1, "loss": ..., "lr": ..., "seconds": ...}, and metrics by their names; what was
        measured on validation data begins with "valid_".
    interrupted : bool
        Ctrl-C ended the run.
    stopped_early : bool
        There was no improvement for `patience` epochs.

    >>> from fastnn.training import History
    >>> h = History()
    >>> h.append({"epoch": 1, "loss": 2.5}); h.append({"epoch": 2, "loss": 1.25})
    >>> h["loss"], h.best("loss")
    ([2.5, 1.25], {'epoch': 2, 'loss': 1.25})
    """

    @named
    def __init__(self, rows: list[dict[str, float]] | None = None):
        self.rows: list[dict[str, float]] = list(rows or [])
        self.interrupted = False
        self.stopped_early = False

    def on_epoch_end(self, state: State) -> None:
        self.append(state.row)

    def append(self, row: dict[str, float]) -> None:
        """Add the row of an epoch."""
        self.rows.append(row)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, float]]:
        return iter(self.rows)

    def __getitem__(self, column: str) -> list[float]:
        if self.rows and not any(column in row for row in self.rows):
            raise self._no_column(column)
        return [row[column] for row in self.rows if column in row]

    def _no_column(self, column: str) -> NameMistake:
        from ...names import did_you_mean
        return NameMistake(f"there is no column {column!r}", who="History", expected=", ".join(self.columns),
                           hint=did_you_mean(column, self.columns))

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in order."""
        return list(dict.fromkeys(key for row in self.rows for key in row))

    def best(self, column: str = "valid_loss") -> dict[str, float]:
        """The row where a column was best: smallest for a loss, largest for anything else.

        Raises
        ------
        KeyError
            There is no such column.
        """
        rows = [row for row in self.rows if column in row]
        if not rows:
            raise self._no_column(column)
        return (min if column.endswith("loss") else max)(rows, key=lambda row: row[column])

    def plot(self) -> Svg:
        """The curves of losses and metrics: a notebook shows them, `.save(path)` writes them."""
        from ...viz import curves
        return curves(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the rows as .csv, or as .jsonl, one JSON object a line; entirely or not at all.

        Raises
        ------
        FileError
            Another ending.
        """
        path = os.fsdecode(path)
        text = io.StringIO()
        if path.endswith(".csv"):
            writer = csv.DictWriter(text, self.columns)
            writer.writeheader()
            writer.writerows(self.rows)
        elif path.endswith(".jsonl"):
            text.writelines(json.dumps(row) + "\n" for row in self.rows)
        else:
            raise FileError(who="History.save", expected="a file name that ends in .csv or .jsonl", got=repr(path))
        with atomic_write(path) as file:
            file.write(text.getvalue().encode("utf-8"))

    def __repr__(self) -> str:
        last = ", ".join(f"{k}={v:.4g}" for k, v in self.rows[-1].items()) if self.rows else "empty"
        return f"History({len(self.rows)} epochs; last: {last})"
