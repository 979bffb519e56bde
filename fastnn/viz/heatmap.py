"""`heat_map`: a matrix with its numbers in tinted cells, among them the confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..guard import guard_all
from ..html import escape
from ..tensor import array_of
from .svg import LARGEST, MISSING, Svg, element, lines_of, number, short_number, text, text_width

NAME = 150              # what a line of a row's or column's name may take


def heat_map(matrix: Any, row_labels: Sequence[object] | None = None,
             column_labels: Sequence[object] | None = None, *, title: str = "", row_title: str = "",
             column_title: str = "",
             diagonal: bool = False, width: float | None = None) -> Svg:
    """A matrix with its numbers in tinted cells.

    Parameters
    ----------
    matrix : (rows, columns) array
    row_labels, column_labels : sequences, optional
        0, 1, 2, ... if not given.
    row_title, column_title : str
        What the rows and the columns stand for.
    diagonal : bool
        False: blue for positive and orange for negative numbers, against the largest magnitude.
        True (confusion matrix): blue on the diagonal, orange with an outline for what lies off it,
        each as a share of its row; zeros off the diagonal fade to a dot, so that the errors stand
        out for every reader.

    Raises
    ------
    ValueError
        If `matrix` has not two dimensions or a label list has another length.

    Examples
    --------
    >>> names = ["cat", "dog"]
    >>> heat_map([[50, 0], [3, 47]], names, names, diagonal=True, title="Confusion").label
    'Confusion: 2 rows, 2 columns'
    """
    cells = np.array(array_of(matrix))
    if cells.ndim != 2:
        raise ValueError(f"heat_map: expected a matrix of shape (rows, columns), got shape {cells.shape}")
    rows, columns = cells.shape
    row_names = _labels(row_labels, rows, "row")
    column_names = _labels(column_labels, columns, "column")

    values = cells.astype(np.float64)
    good = np.abs(values) <= LARGEST
    strength = np.where(good, np.abs(values), 0.0)
    largest = strength.sum(axis=1, keepdims=True) if diagonal else strength.max(initial=0.0)
    positive = np.broadcast_to(largest > 0, strength.shape)
    strength = np.divide(strength, largest, out=np.zeros_like(strength), where=positive)
    figures = [[_figure(cells[i, j], values[i, j]) for j in range(columns)] for i in range(rows)]

    widest = max([text_width(figure, 13) for row in figures for figure in row], default=0)
    cell_width = max(34.0, widest + 12) if width is None else 0.0
    row_lines = [lines_of(name, NAME, 12.5) for name in row_names]
    name_width = max([text_width(line, 12.5) for lines in row_lines for line in lines], default=0)
    left = name_width + 12 + (20 if row_title else 0)
    if width is not None:
        cell_width = max((width - left - 4)/max(columns, 1), 8)
    # two lines need 27
    cell_height = min(cell_width if max(map(len, row_lines), default=1) == 1 else max(cell_width, 27.0), 34.0)
    slanted = any(text_width(name, 12.5) > cell_width - 4 for name in column_names)
    column_lines = [lines_of(name, NAME, 12.5) for name in column_names]
    longest = max([text_width(line, 12.5) for lines in column_lines for line in lines], default=0)
    name_height = 0.72*longest + 16 if slanted else 22
    top = (32 if title else 4) + (20 if column_title else 0) + name_height
    overhang = max(0, name_height - cell_width/2) if slanted else 0
    total_width = max(left + columns*cell_width + 4 + overhang, text_width(title, 15) + 4)
    total_height = top + rows*cell_height + 4

    parts = [text(0, 17, title, size=15, weight=600, width=total_width - 4)] if title else []
    if column_title:
        centre = left + columns*cell_width/2
        parts.append(text(centre, (32 if title else 4) + 12, column_title, colour="soft", anchor="middle"))
    if row_title:
        middle = top + rows*cell_height/2
        parts.append(element("g", text(0, 0, row_title, colour="soft", anchor="middle"),
                             transform=f"translate(13 {number(middle)}) rotate(-90)"))
    for j, (name, lines) in enumerate(zip(column_names, column_lines)):
        x, y = left + (j + 0.5)*cell_width, top - 8
        if slanted:
            # two lines of one name, and the next name beside them: 24 for all where a cell has 34
            parts.append(element("g", *[text(0, 12*k - 6*(len(lines) - 1), line, size=12.5 if len(lines) == 1 else 11)
                                        for k, line in enumerate(lines)],
                                 transform=f"translate({number(x)} {number(y)}) rotate(-45)"))
        else:
            parts.append(text(x, y, name, size=12.5, anchor="middle"))
    for i, lines in enumerate(row_lines):
        middle = top + (i + 0.5)*cell_height + 4.5 - 6.5*(len(lines) - 1)
        parts += [text(left - 8, middle + 13*k, line, size=12.5, anchor="end") for k, line in enumerate(lines)]
        for j in range(columns):
            error = diagonal and i != j
            colour = "s2" if error or (not diagonal and values[i, j] < 0) else "s1"
            tip = f"{row_names[i]}, {column_names[j]}: {figures[i][j]}"
            box = (left + j*cell_width, top + i*cell_height, cell_width, cell_height)
            parts.append(_cell(box, figures[i][j], float(strength[i, j]), colour, error, bool(values[i, j] == 0), tip))
    return Svg("".join(parts), total_width, total_height, f"{title or 'Matrix'}: {rows} rows, {columns} columns")


def _labels(labels: Sequence[object] | None, count: int, kind: str) -> list[str]:
    names = [str(i) for i in range(count)] if labels is None else [str(label) for label in labels]
    if len(names) != count:
        raise ValueError(f"heat_map: the matrix has {count} {kind}s, but there are {len(names)} {kind} labels")
    return names


def _figure(cell: Any, value: float) -> str:
    if not abs(value) <= LARGEST:
        return MISSING
    whole = np.issubdtype(np.asarray(cell).dtype, np.integer) or (value == int(value) and abs(value) < 1e6)
    return str(int(cell)) if whole else short_number(value)


def _cell(box: tuple[float, float, float, float], figure: str, strength: float, colour: str, error: bool, zero: bool,
          tip: str) -> str:
    x, y, width, height = box
    faded = error and zero
    # errors are few among many: the square root lifts one mistake in forty to a visible tint
    tint = 0.12 + 0.6*math.sqrt(strength) if error else 0.06 + 0.86*strength
    outline = {"stroke": "currentColor", "stroke_width": 1.5} if error else {}
    inset = 2.0 if error else 1.0
    area = "" if faded or zero else element(
        "rect", x=x + inset, y=y + inset, width=width - 2*inset, height=height - 2*inset, rx=3, fill="currentColor",
        fill_opacity=round(min(tint, 0.92), 3), class_=f"fnn-{colour}", **outline)
    ink = "on" if tint > 0.6 and not zero else "soft" if faded else "ink"
    label = text(x + width/2, y + height/2 + 4.5, "·" if faded else figure, size=13, anchor="middle", colour=ink,
                 weight=700 if error and not zero else None, width=width + 4)
    return element("g", element("title", escape(tip)), area, label)


guard_all(globals())
