"""The small parts that the sections of the report are made of: tables, bars, pictures, numbers.

Each gives HTML.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..html import escape
from ..viz.images import colour_strip, limits_of, pixels_of, png_uri
from ..viz.svg import MISSING, TIMES, short_number

__all__ = ["MISSING", "TIMES", "bar", "colour_key", "count", "microseconds", "numbered", "percent", "pixel_picture",
           "sizes", "table"]


def table(heads: Sequence[str], kinds: str, rows: Iterable[Sequence[str]], foot: Sequence[str] | None = None, *,
          caption: str = "", name: str) -> str:
    """A table in a box that scrolls by itself, so that a phone never scrolls the page sideways.

    Parameters
    ----------
    heads, caption : str
        Plain text. A column without a head belongs to the one before it.
    kinds : str
        A letter per column: ``t`` text, ``n`` number, ``b`` bar. The first column names the row.
    rows, foot : cells
        Markup.
    name : str
        CSS class, and the name of the box for screen readers.
    """
    style = {"t": "", "n": ' class="n"', "b": ' class="with-bar"'}

    def line(cells: Sequence[str]) -> str:
        # what the style sheet writes before each cell where a phone shows a row as a card
        names = [f' data-head="{escape(head)}"' if head and cell not in ("", MISSING) else ""
                 for head, cell in zip(heads, cells)]
        rest = "".join(f"<td{style[kind]}{name}>{cell}</td>"
                       for cell, kind, name in zip(cells[1:], kinds[1:], names[1:]))
        return f'<tr><th scope="row">{cells[0]}</th>{rest}</tr>'

    top = "".join(f'<th scope="col"{style[kind]}>{escape(head)}</th>' if head else f"<td{style[kind]}></td>"
                  for head, kind in zip(heads, kinds))
    return "".join([
        f'<div class="scroll" tabindex="0" role="region" aria-label="Table: {name}"><table class="{name}">',
        f"<caption>{escape(caption)}</caption>" if caption else "", f"<thead><tr>{top}</tr></thead>",
        f"<tbody>{''.join(map(line, rows))}</tbody>", f"<tfoot>{line(foot)}</tfoot>" if foot else "", "</table></div>"])


def bar(share: float, bad: bool = False) -> str:
    """A share between 0 and 1 as a bar; what is not a number fills it."""
    width = 100*min(max(share, 0.0), 1.0) if math.isfinite(share) else 100.0
    kind = ' class="bad"' if bad else ""
    return f'<span class="bar" aria-hidden="true"><i{kind} style="width:{width:.1f}%"></i></span>'


def pixel_picture(image: Any, size: int, description: str, colours: str = "ink",
                  limits: tuple[float, float] | None = None) -> str:
    """An image, (H, W) through a colour map or (H, W, 3) as it is, `size` pixels wide and crisp."""
    pixels = pixels_of(np.asarray(image), colours, limits)
    if 0 in pixels.shape:
        return f'<p class="soft">{escape(description)} (an image without pixels)</p>'
    height = round(size*pixels.shape[0]/pixels.shape[1])
    return (f'<img class="pixel" src="{png_uri(pixels, size)}" width="{size}" height="{height}" '
            f'alt="{escape(description)}">')


def numbered(images: Any, names: Sequence[str], colours: str, what: str, beside: Sequence[str] = ()) -> str:
    """Images in as many columns as there is room for, a name under each, one colour scale for all.

    beside: markup before each name.
    """
    limits = limits_of(images, colours)
    items = [f"<li>{pixel_picture(image, 84, f'{what} {name}', colours, limits)}"
             f"<span>{mark}{escape(name)}</span></li>"
             for image, name, mark in zip(images, names, beside or [""]*len(names))]
    return f'<ol class="grid">{"".join(items)}</ol>'


def colour_key(colours: str, values: Any) -> str:
    """What the two ends of a colour map stand for, in a line under the pictures."""
    low, high = limits_of(values, colours)
    return (f'<p class="key"><span>{short_number(low)}</span>'
            f'<img src="{colour_strip(colours)}" width="160" height="8" alt="to"><span>{short_number(high)}</span></p>')


def percent(share: float, decimals: int = 1) -> str:
    """A share as a percentage; nearly nothing and nearly all without decimals.

    >>> percent(0.123), percent(0.9999), percent(0.00001), percent(0.123, 0)
    ('12.3%', '100%', '0%', '12%')
    """
    if not math.isfinite(share):
        return MISSING
    return f"{100*share:.0f}%" if not 0.0005 <= share < 0.9995 else f"{100*share:.{decimals}f}%"


def count(value: int | None) -> str:
    """A whole number with separators, or a dash."""
    return MISSING if value is None else f"{value:,}"


def sizes(value: int | Sequence[int] | None) -> str:
    """(6, 28, 28) with multiplication signs in between; a single number as it is."""
    if value is None:
        return MISSING
    parts = value if isinstance(value, (tuple, list)) else (value,)
    return f" {TIMES} ".join(escape(part) for part in parts)


def microseconds(value: float | None) -> str:
    """A time with three digits or more.

    >>> microseconds(6.837), microseconds(68.37), microseconds(68370)
    ('6.84', '68.4', '68,370')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
