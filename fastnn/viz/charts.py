"""Charts of plain numbers: `line_chart` and `bar_chart`. Pure functions from data to an
:class:`Svg`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..guard import guard_all
from ..html import escape
from .svg import (
    LARGEST,
    MISSING,
    SERIES,
    Svg,
    element,
    lines_of,
    log_ticks,
    nice_ticks,
    number,
    short_number,
    shorten,
    text,
    text_width,
    tick_labels,
)

MARKED_POINTS = 60         # a series with more points than this gets a bare line
DRAWN_POINTS = 1000        # a series with more points than this is thinned, keeping every peak


# ---- line chart ----------------------------------------------------------------------------------

def line_chart(series: Mapping[str, Sequence[float]], x: Sequence[float] | None = None, *, title: str = "",
               x_label: str = "", y_label: str = "", percent: bool = False, log: bool = False,
               notes: Sequence[tuple[float, float, str]] = (), width: float = 400, height: float = 270) -> Svg:
    """Several series over a common x axis, with ticks, legend, and a marker at each point of a
    short series.

    Parameters
    ----------
    series : mapping of name to values
        Series may differ in length. A value that is not finite breaks its line and is counted in
        the legend.
    x : sequence of float, optional
        Where the values stand, in rising order; 1, 2, 3, ... if not given.
    title, x_label, y_label : str
        Text at the top, under the x axis and over the y axis.
    percent : bool
        The values are shares between 0 and 1, shown as percentages.
    log : bool
        A logarithmic y axis, and the title says so; values that are not above zero cannot be drawn
        on it and are counted in the legend.
    notes : sequence of (x, y, text)
        Points to ring and to name, such as the best epoch. The text stands where it covers no line.

    Returns
    -------
    Svg

    Raises
    ------
    ValueError
        If a series is not one row of numbers, or has more values than `x`.

    Examples
    --------
    >>> losses = {"train": [2.3, 0.9, 0.4], "validation": [1.2, 0.7, float("nan")]}
    >>> line_chart(losses, title="Loss", x_label="epoch")
    <Svg 400 x 270: Loss: train from 2.3 to 0.4, validation from 1.2 to 0.7>
    """
    lines = {str(name): _row(values, name, log) for name, values in series.items()}
    longest = max((len(y) for y in lines.values()), default=0)
    places = np.arange(1.0, longest + 1) if x is None else _row(x, "x")
    for name, y in lines.items():
        if len(y) > len(places):
            raise ValueError(f"line_chart: series {name!r} has {len(y)} values, but x has only {len(places)}")

    drawn_x = places[np.isfinite(places)]
    rings = [note for note in notes if note[0] in drawn_x and np.isfinite(_row([note[1]], "notes", log)).all()]
    finite = [y[np.isfinite(y)] for y in lines.values()] + [np.array([y for _, y, _ in rings])]
    drawn_y = np.concatenate(finite)
    if not drawn_y.size:
        y_ticks = [1.0, 2.0]
    else:
        y_ticks = (log_ticks if log else nice_ticks)(float(drawn_y.min()), float(drawn_y.max()))
    if percent and drawn_y.size and 0 <= drawn_y.min() and drawn_y.max() <= 1:
        # nothing can be better than 100%
        y_ticks = [tick for tick in y_ticks if 0 <= tick <= 1 + 1e-9]
    if not drawn_y.size:
        y_names = ["" for _ in y_ticks]
    elif log:
        y_names = [f"{short_number(100*tick)}%" if percent else short_number(tick) for tick in y_ticks]
    else:
        y_names = tick_labels(y_ticks, percent=percent)

    title = _says_so(title, log, width - 4)
    # the frame: title and legend rows above it, the widest tick label to its left
    fault = "not finite" if not log else "not above 0%" if percent else "not above 0"
    legend, legend_height = _legend(lines, 30 if title else 8, width, fault)
    left = 14 + max(text_width(name, 12) for name in y_names)
    top = (30 if title else 8) + legend_height + (18 if y_label else 4)
    right, bottom = width - 14, height - (44 if x_label else 26)
    x_low, x_high = _span(drawn_x)

    def at_x(value: float) -> float:
        return left + 8 + (value - x_low)/(x_high - x_low)*(right - left - 16)

    def at_y(value: float) -> float:
        place = math.log if log else float
        return bottom - (place(value) - place(y_ticks[0]))/(place(y_ticks[-1]) - place(y_ticks[0]))*(bottom - top)

    parts = [text(0, 17, title, size=15, weight=600, width=width - 4)] if title else []
    parts.append(legend)
    if y_label:
        parts.append(text(left - 8, top - 10, y_label, colour="soft", anchor="start", width=width - left))
    for tick, name in zip(y_ticks, y_names):
        parts.append(_rule(left, at_y(tick), right, at_y(tick)))
        parts.append(text(left - 8, at_y(tick) + 4, name, colour="soft", anchor="end"))
    for tick, name in _x_ticks(drawn_x, (right - left)/46) if drawn_y.size else ():
        parts.append(text(at_x(tick), bottom + 18, name, colour="soft", anchor="middle"))
    if x_label:
        parts.append(text((left + right)/2, bottom + 38, x_label, colour="soft", anchor="middle", width=right - left))
    if not drawn_y.size:
        parts.append(text((left + right)/2, (top + bottom)/2 + 4, "no data", size=14, colour="soft", anchor="middle"))

    for index, (name, y) in enumerate(lines.items()):
        parts.append(_line(name, places[:len(y)], y, index, at_x, at_y, percent))
    frame = (left, top, right, bottom)
    covered = [_along(places[:len(y)], y, at_x, at_y) for y in lines.values()] if rings else []
    covered += [_ring(at_x(x), at_y(y)) for x, y, _ in rings]
    for note_x, note_y, note in rings:
        drawn, box = _note(at_x(note_x), at_y(note_y), note, frame, np.concatenate(covered))
        parts.append(drawn)
        covered.append(box)
    return Svg("".join(parts), width, height, _describe(title or "Line chart", lines))


def _row(values: Any, name: object, log: bool = False) -> np.ndarray:
    """`values` as a float64 vector in which everything that cannot be drawn is NaN."""
    row = np.array(values, dtype=np.float64)
    if row.ndim != 1:
        raise ValueError(f"line_chart: {name!r} must be one row of numbers, got shape {row.shape}")
    row[~(np.abs(row) <= LARGEST)] = np.nan
    if log:
        row[~(row >= 1/LARGEST)] = np.nan
    return row


def _span(values: np.ndarray) -> tuple[float, float]:
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _x_ticks(places: np.ndarray, most: float) -> list[tuple[float, str]]:
    """Ticks inside the data's range; whole numbers only where the data are whole numbers (there is
    no epoch 2.5).
    """
    low, high = _span(places)
    if places.size == 1:
        return [(places[0], short_number(places[0]))]
    ticks = nice_ticks(low, high, max(2, min(8, int(most))))
    if places.size and np.all(places == np.round(places)):
        if high - low <= most:
            ticks = [float(tick) for tick in range(int(low), int(high) + 1)]
        ticks = [tick for tick in ticks if tick == round(tick)]
        if low == 1 and ticks[:2] == [0.0, 2.0]:
            ticks = [tick - 1 for tick in ticks]                # count epochs from 1: 1, 3, 5, ...
        elif low == 1 and ticks[0] == 0:
            ticks[0] = 1.0                                            # 1, 5, 10, ...
    ticks = [tick for tick in ticks if low <= tick <= high]
    return list(zip(ticks, tick_labels(ticks)))


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str = "line", **more: object) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke="currentColor", class_=f"fnn-{colour}", **more)


def _marker(x: float, y: float, index: int, size: float = 3.2, **more: object) -> str:
    """Each series has its own shape, so that colour is never the only difference."""
    shape = index % 4
    if shape == 0:
        return element("circle", cx=x, cy=y, r=size, **more)
    corners = {1: ((-.9, -.9), (.9, -.9), (.9, .9), (-.9, .9)), 2: ((0, -1.3), (1.2, .9), (-1.2, .9)),
               3: ((0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0))}[shape]
    points = " ".join(f"{number(x + size*dx)},{number(y + size*dy)}" for dx, dy in corners)
    return element("polygon", points=points, **more)


def _dashes(index: int) -> str | None:
    return "5 4" if index % (2*len(SERIES)) >= len(SERIES) else None


def _legend(lines: Mapping[str, np.ndarray], top: float, width: float, fault: str) -> tuple[str, float]:
    """The legend, in as many rows as it needs, and its height.

    `fault` says why a value is not drawn.
    """
    if not lines:
        return "", 0.0
    parts, left, start = [], 0.0, top
    for index, (name, y) in enumerate(lines.items()):
        lost = int(np.isnan(y).sum())
        label = f"{name} ({lost} {fault})" if lost else name
        needed = 26 + text_width(label, 12.5)
        if left and left + needed > width:
            left, top = 0.0, top + 20
        room = width - left - 30
        colour = SERIES[index % len(SERIES)]
        parts += [_rule(left, top + 9, left + 20, top + 9, colour, stroke_width=2, stroke_dasharray=_dashes(index)),
                  element("g", _marker(left + 10, top + 9, index), fill="currentColor", class_=f"fnn-{colour}"),
                  text(left + 26, top + 13, label, size=12.5, width=room)]
        left += 26 + text_width(shorten(label, room, 12.5), 12.5) + 16
    return "".join(parts), top - start + 24


def _line(name: str, x: np.ndarray, y: np.ndarray, index: int, at_x: Any, at_y: Any, percent: bool) -> str:
    keep = _thinned(y)
    x, y = x[keep], y[keep]
    good = np.isfinite(x) & np.isfinite(y)
    path, pen_down, alone = [], False, []
    for i in range(len(y)):
        if good[i]:
            path.append(f"{'L' if pen_down else 'M'}{number(at_x(x[i]))} {number(at_y(y[i]))}")
            if not pen_down and (i + 1 == len(y) or not good[i + 1]):
                alone.append(i)                 # a point between two gaps has no line to show it
        pen_down = bool(good[i])
    parts = [element("path", d="".join(path), fill="none", stroke="currentColor", stroke_width=2,
                     stroke_linejoin="round", stroke_linecap="round", stroke_dasharray=_dashes(index))] if path else []
    marked = np.flatnonzero(good).tolist() if good.sum() <= MARKED_POINTS else alone
    for i in marked:
        value = f"{100*y[i]:.2f}%" if percent else short_number(float(y[i]))
        tip = element("title", escape(f"{name}, {short_number(float(x[i]))}: {value}"))
        parts.append(element("g", tip, _marker(at_x(x[i]), at_y(y[i]), index)))
    return element("g", *parts, fill="currentColor", class_=f"fnn-{SERIES[index % len(SERIES)]}")


def _thinned(y: np.ndarray) -> np.ndarray:
    """Indices to draw: all of a short series; of each stretch of a long one the lowest, the highest
    and a lost value.
    """
    if len(y) <= DRAWN_POINTS:
        return np.arange(len(y))
    keep: set[int] = {0, len(y) - 1}
    for stretch in np.array_split(np.arange(len(y)), DRAWN_POINTS//2):
        lost = np.isnan(y[stretch])
        if lost.any():
            keep.add(int(stretch[lost][0]))
        if not lost.all():
            keep.update((int(stretch[np.nanargmin(y[stretch])]), int(stretch[np.nanargmax(y[stretch])])))
    return np.array(sorted(keep))


def _along(x: np.ndarray, y: np.ndarray, at_x: Any, at_y: Any) -> np.ndarray:
    """(points, 2) of the picture that lie on a series' line, at most 3 apart."""
    good = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    ends = [(at_x(x[i]), at_y(y[i])) for i in good]
    pieces = [np.array(ends).reshape(-1, 2)]
    for (i, a), (j, b) in pairwise(zip(good, ends)):
        if j == i + 1:                          # no gap between them
            pieces.append(np.linspace(a, b, 2 + int(math.dist(a, b)/3)))
    return np.concatenate(pieces)


def _ring(x: float, y: float) -> np.ndarray:
    angles = np.linspace(0, 2*math.pi, 16)
    return np.stack([x + 6.5*np.cos(angles), y + 6.5*np.sin(angles)], axis=1)


def _free_place(x: float, y: float, half: float, frame: tuple[float, float, float, float],
                covered: np.ndarray) -> tuple[float, float]:
    """The middle of the baseline of a text of that half width, near (x, y) and inside the frame,
    over as few of the covered points as can be.
    """
    left, top, right, bottom = frame
    places = []
    for distance in range(14, 200, 6):
        for shift in (0.0, -0.5, 0.5, -1.0, 1.0):
            middle = min(max(x + shift*(half + 12), left + half), right - half)
            places += [(middle, y - distance), (middle, y + distance + 9)]
    places = [(middle, base) for middle, base in places if top + 10 <= base <= bottom - 5] or [(x, y - 14)]

    def under(place: tuple[float, float]) -> int:
        across, down = np.abs(covered[:, 0] - place[0]), covered[:, 1] - place[1]
        return int(((across <= half + 4) & (down >= -13) & (down <= 6)).sum())
    return next((place for place in places if not under(place)), None) or min(places, key=under)


def _note(x: float, y: float, note: str, frame: tuple[float, float, float, float],
          covered: np.ndarray) -> tuple[str, np.ndarray]:
    """A ring and its words, and the points that they cover themselves."""
    half = text_width(note, 12)/2
    middle, above = _free_place(x, y, half, frame, covered)
    box = np.array([(middle + side*half, above + down) for side in np.linspace(-1, 1, 24) for down in (-10, -4, 3)])
    # from the ring to the words where they had to go further away
    nearest = box[np.argmin(((box - (x, y))**2).sum(axis=1))]
    away = math.dist(nearest, (x, y))
    leader = ""
    if away > 18:
        start = (x, y) + 7*(nearest - (x, y))/away
        leader = _rule(float(start[0]), float(start[1]), float(nearest[0]), float(nearest[1]), "soft")
    # a wide outline in the colour of the paper keeps the words readable where they cross a line
    halo = element("g", text(middle, above, note, anchor="middle", weight=600, colour="paper"), class_="fnn-paper",
                   stroke="currentColor", stroke_width=4, stroke_linejoin="round")
    words = halo + text(middle, above, note, anchor="middle", weight=600)
    ring = element("circle", cx=x, cy=y, r=6.5, fill="none", stroke="currentColor", stroke_width=1.5, class_="fnn-ink")
    return leader + ring + words, box


def _says_so(title: str, log: bool, width: float) -> str:
    """A title that says that the axis is logarithmic, however little room there is."""
    said = " (logarithmic)"
    if not log or said.strip(" ()") in title.lower():
        return title
    return (shorten(title, width - text_width(said, 15), 15) + said).strip()


def _describe(title: str, lines: Mapping[str, np.ndarray]) -> str:
    ends = {name: y[np.isfinite(y)] for name, y in lines.items()}
    said = [f"{name} from {short_number(y[0])} to {short_number(y[-1])}" if y.size else f"{name} without values"
            for name, y in ends.items()]
    return f"{title}: {', '.join(said) or 'no data'}"


# ---- bar chart -----------------------------------------------------------------------------------

def bar_chart(values: Mapping[str, float | Mapping[str, float | None]], *, title: str = "", baseline: float = 0.0,
              log: bool = False, unit: str = "", limits: tuple[float, float] | None = None,
              width: float = 400) -> Svg:
    """Horizontal bars, one group per entry, drawn from `baseline` to both sides.

    For speed ratios take ``baseline=1, log=True``: twice as fast and half as fast are then equally
    long, to the right and to the left of the line, and the figures beside the bars say the rest.

    Parameters
    ----------
    values : mapping
        ``{group: value}``, or ``{group: {series: value}}`` for several bars in a group. ``None``
        and values that are not finite (or, with `log`, not positive) are shown as a dash.
    log : bool
        A logarithmic axis; the title says so.
    unit : str
        Written behind each figure, for example ``"x"``.
    limits : (low, high), optional
        Draw on an axis that reaches at least so far, to give several charts the same scale.

    With a single bar in each group, bars above the baseline are blue and bars below it orange;
    otherwise every series has its colour.

    Examples
    --------
    >>> ratios = {"conv2d": {"NumPy": 9.1, "PyTorch": 1.3}, "lstm": {"NumPy": 21.0, "PyTorch": 0.9}}
    >>> bar_chart(ratios, title="Speed", baseline=1, log=True, unit="x").label
    'Speed (logarithmic): conv2d NumPy 9.10x, PyTorch 1.30x; lstm NumPy 21.0x, PyTorch 0.90x'
    """
    if log and baseline <= 0:
        raise ValueError(f"bar_chart: a logarithmic axis needs a positive baseline, got {baseline}")
    groups = {str(group): {str(k): v for k, v in bars.items()} if isinstance(bars, Mapping) else {"": bars}
              for group, bars in values.items()}
    names = list(dict.fromkeys(name for bars in groups.values() for name in bars))

    def place(value: float) -> float:
        return math.log(value) if log else value

    def drawable(value: float | None) -> bool:
        return value is not None and abs(value) <= LARGEST and (value > 0 or not log)

    spread = [place(float(v)) for bars in groups.values() for v in bars.values() if v is not None and drawable(v)]
    spread += [place(limit) for limit in limits or () if drawable(limit)]
    low, high = min([place(baseline), *spread]), max([place(baseline), *spread])
    left_room, right_room = (52 if low < place(baseline) else 0), 58
    scale = (width - left_room - right_room)/(high - low or 1.0)

    def at(value: float) -> float:
        return left_room + (place(value) - low)*scale

    parts, y = [], 0.0
    title = _says_so(title, log, width - 4)
    if title:
        parts, y = [text(0, 17, title, size=15, weight=600, width=width - 4)], 30.0
    if names != [""]:
        parts.append(_swatches(names, y, width))
        y += 26
    for group, bars in groups.items():
        for line in lines_of(group, width - 4, 12.5):
            parts.append(text(0, y + 14, line, size=12.5))
            y += 16
        y += 4
        parts.append(_rule(at(baseline), y - 1, at(baseline), y + 17*len(bars) - 1, "soft"))
        for name, value in bars.items():
            series = names.index(name) % len(SERIES)
            if names == [""] and value is not None and value < baseline:
                series = 1
            if value is None or not drawable(value):
                parts.append(text(at(baseline) + 6, y + 11, MISSING, colour="soft"))
            else:
                parts.append(_bar(at(baseline), at(value), y, SERIES[series], f"{ratio_text(value)}{unit}",
                                  f"{group} {name}".strip()))
            y += 17
        y += 9
    said = "; ".join(f"{g} " + ", ".join(f"{n} {ratio_text(v)}{unit}".strip() for n, v in b.items())
                     for g, b in groups.items())
    return Svg("".join(parts), width, max(y, 20), f"{title or 'Bar chart'}: {said or 'no data'}")


def _bar(start: float, end: float, y: float, colour: str, figure: str, name: str) -> str:
    bar = element("rect", element("title", escape(f"{name}: {figure}")), x=min(start, end), y=y + 1, rx=2,
                  width=max(abs(end - start), 1.0), height=13, fill="currentColor", class_=f"fnn-{colour}")
    side = ("start", end + 6) if end >= start else ("end", end - 6)
    return bar + text(side[1], y + 12, figure, anchor=side[0], weight=600)


def _swatches(names: Sequence[str], top: float, width: float) -> str:
    parts, left = [], 0.0
    for index, name in enumerate(names):
        parts.append(element("rect", x=left, y=top + 3, width=12, height=12, rx=2, fill="currentColor",
                             class_=f"fnn-{SERIES[index % len(SERIES)]}"))
        parts.append(text(left + 18, top + 13, name, size=12.5, width=max(width - left - 18, 20)))
        left += 18 + text_width(name, 12.5) + 16
    return "".join(parts)


def ratio_text(value: float | None) -> str:
    """A factor with two or three digits: 0.42, 3.14, 27.0, 310.

    >>> [ratio_text(value) for value in (0.4219, 3.14159, 27.04, 310.4)]
    ['0.42', '3.14', '27.0', '310']
    """
    if value is None or not abs(value) <= LARGEST:
        return MISSING
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:,.0f}"


guard_all(globals())
