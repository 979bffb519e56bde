"""A small SVG writer: elements, text, theme, axis ticks. Every picture of fastnn is drawn with it.

A picture is an :class:`Svg`: a string that a notebook shows, that ``save`` writes, and that a page
can put in line. All colours are CSS variables with a light and a dark value, so that a picture
follows the reader's theme; in line it takes the variables of its page. Pictures have no script, no
external font and no element ids (two pictures on one page cannot disturb each other).

Symbols: lengths are in user units, which are CSS pixels at the picture's natural size.
"""

from __future__ import annotations

import math
import os
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from ..errors import RangeError
from ..guard import guarded, named
from ..html import escape
from ..io.atomic import atomic_write

SVG_NAMESPACE = "http://www.w3.org/2000/svg"

# Text and surfaces, then six series colours: blue and orange come first because they stay apart for
# every kind of colour blindness. "on" is text that stands on a strongly filled series colour.
LIGHT = {
    "paper": "#ffffff", "ink": "#1b2430", "soft": "#5a6675", "line": "#e1e6ec", "on": "#ffffff",
    "s1": "#2560c4", "s2": "#c4541a", "s3": "#13816a", "s4": "#7a4bb5", "s5": "#8f6c00", "s6": "#b8336a",
}
DARK = {
    "paper": "#151b23", "ink": "#e7ecf2", "soft": "#9aa7b5", "line": "#2c3642", "on": "#0d1219",
    "s1": "#78aaf5", "s2": "#f2935c", "s3": "#57c7a8", "s4": "#bd9bec", "s5": "#dcb84c", "s6": "#f087ae",
}
# a chart takes a larger value as not finite: the arithmetic of its axes would overflow
LARGEST = 1e300
SERIES = ("s1", "s2", "s3", "s4", "s5", "s6")
MISSING = "\N{EN DASH}"      # stands where there is no number
TIMES = "\N{MULTIPLICATION SIGN}"
MARGIN = 14                # paper around a standalone picture; in line, the page has its own
FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Helvetica Neue',Arial,sans-serif"


def theme_variables(colours: dict[str, str]) -> str:
    """The CSS declarations ``--fnn-ink:#1b2430;...`` of one theme."""
    return "".join(f"--fnn-{name}:{value};" for name, value in colours.items())


def drawing_rules() -> str:
    """The CSS that the elements of a picture rely on; a page that puts pictures in line needs it
    once.
    """
    # each colour is given twice: a reader without CSS variables keeps the first, a browser takes
    # the second
    colour = "".join(f".fnn-{n}{{color:{LIGHT[n]};color:var(--fnn-{n},{LIGHT[n]})}}" for n in LIGHT)
    return f".fnn text{{font-family:{FONT};font-variant-numeric:tabular-nums}}{colour}"


def _standalone_style() -> str:
    return (f"<style>.fnn{{{theme_variables(LIGHT)}max-width:100%;height:auto}}"
            f"@media (prefers-color-scheme:dark){{.fnn{{{theme_variables(DARK)}}}}}{drawing_rules()}</style>")


class Svg(str):
    """One picture: a complete, standalone SVG document as a string.

    Parameters
    ----------
    body : str
        SVG elements, already escaped.
    width, height : float
        Natural size in pixels; the picture scales down with its container.
    label : str
        What the picture shows, in words, for screen readers.

    Examples
    --------
    >>> picture = Svg(element("circle", cx=5, cy=5, r=4), 10, 10, "a dot")
    >>> picture.startswith("<svg ") and picture.endswith("</svg>")
    True
    >>> picture
    <Svg 10 x 10: a dot>
    """

    body: str
    width: float
    height: float
    label: str

    @named
    def __new__(cls, body: str, width: float, height: float, label: str) -> Svg:
        paper = element("rect", x=-MARGIN, y=-MARGIN, width=width + 2*MARGIN, height=height + 2*MARGIN, rx=8,
                        fill="currentColor", class_="fnn-paper")
        self = super().__new__(cls, _root(_standalone_style() + paper + body, width, height, label, MARGIN))
        self.body, self.width, self.height, self.label = body, width, height, label
        return self

    # what copy and pickle call __new__ with; str's own would pass the whole document as the body
    def __getnewargs__(self) -> tuple[str, float, float, str]:  # type: ignore[override]
        return self.body, self.width, self.height, self.label

    def __repr__(self) -> str:
        return f"<Svg {number(self.width)} x {number(self.height)}: {self.label}>"

    def _repr_svg_(self) -> str:
        """The hook by which notebooks show the picture."""
        return str(self)

    def inline(self) -> str:
        """The ``<svg>`` element alone, without background: for a page that has `drawing_rules` and
        the theme variables.
        """
        return _root(self.body, self.width, self.height, self.label)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture to `path`, which ends in .svg or .png, and return the path.

        A PNG is drawn by matplotlib, in the light theme, two pixels to a unit. An older file of
        that name survives if writing fails.

        Raises
        ------
        RangeError
            Another ending: a browser or an editor would take the file for what it is not.
        ImportError
            A .png without matplotlib.
        OSError
            The file cannot be written.
        """
        ending = os.fspath(path).lower()[-4:]
        if ending == ".png":
            # needed for this alone
            from .raster import png_of
            return _write(path, png_of(self.body, self.width, self.height, MARGIN, LIGHT))
        if ending != ".svg":
            raise RangeError("a picture is written as .svg, which every browser shows, or as .png", who="save",
                             got=repr(os.fspath(path)))
        return write_text(path, str(self) + "\n")


def _root(body: str, width: float, height: float, label: str, margin: float = 0) -> str:
    width, height = width + 2*margin, height + 2*margin
    box = " ".join(number(side) for side in (-margin, -margin, width, height))
    return element("svg", body, xmlns=SVG_NAMESPACE, class_="fnn", viewBox=box, width=width, height=height, role="img",
                   aria_label=label)


@guarded
def beside(pictures: Sequence[Svg], *, columns: int = 2, gap: float = 20, label: str | None = None) -> Svg:
    """Several pictures as one, in rows of `columns`."""
    parts, top, right = [], 0.0, 0.0
    for start in range(0, len(pictures), columns):
        row = pictures[start:start + columns]
        left = 0.0
        for picture in row:
            parts.append(element("g", picture.body, transform=f"translate({number(left)} {number(top)})"))
            left += picture.width + gap
        right = max(right, left - gap)
        top += max(picture.height for picture in row) + gap
    return Svg("".join(parts), right, max(top - gap, 0), label or "; ".join(picture.label for picture in pictures))


# ---- elements ------------------------------------------------------------------------------------

def number(value: float) -> str:
    """A coordinate: two decimals at most, no trailing zeros.

    >>> number(3.0), number(2.718281828), number(-0.001)
    ('3', '2.72', '0')
    """
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def element(name: str, *children: str, **attributes: object) -> str:
    """``<name attributes>children</name>``. Children are markup; values are escaped, ``None``
    leaves one out.

    An underscore in an attribute's name becomes a hyphen, a trailing one is dropped.

    >>> element("text", escape("a < b"), x=1.5, font_size=12, class_="fnn-ink")
    '<text x="1.5" font-size="12" class="fnn-ink">a &lt; b</text>'
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            shown = number(value) if isinstance(value, float) else escape(value)
            parts.append(f'{key.rstrip("_").replace("_", "-")}="{shown}"')
    content = "".join(children)
    return f"<{' '.join(parts)}>{content}</{name}>" if content else f"<{' '.join(parts)}/>"


def text(x: float, y: float, string: object, *, size: float = 12, colour: str = "ink", anchor: str = "start",
         weight: int | None = None, width: float | None = None) -> str:
    """A line of text with its baseline at (x, y); cut with an ellipsis where it is longer than
    `width`.
    """
    whole = str(string)
    shown = whole if width is None else shorten(whole, width, size)
    full_text = element("title", escape(whole)) if shown != whole else ""
    return element("text", escape(shown) + full_text, x=float(x), y=float(y), font_size=float(size),
                   fill="currentColor",
                   class_=f"fnn-{colour}", text_anchor=None if anchor == "start" else anchor, font_weight=weight)


def text_width(string: str, size: float) -> float:
    """About how wide a line of text is; there is no font to measure with, so this is an average on
    the safe side.
    """
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in string)
    return size*(0.56*(len(string) - wide) + 1.0*wide)


def shorten(string: str, width: float, size: float) -> str:
    """`string`, or its beginning and an ellipsis, in at most `width`.

    >>> shorten("a rather long label", 60, 12)
    'a rathe…'
    """
    if text_width(string, size) <= width:
        return string
    while string and text_width(string + "…", size) > width:
        string = string[:-1]
    return string.rstrip() + "…"


def lines_of(string: str, width: float, size: float, most: int = 2) -> list[str]:
    """`string` in at most so many lines, broken at spaces and, in a word that is too long,
    anywhere; what does not fit in the last is cut with an ellipsis.

    >>> lines_of("conv2d, forward and backward", 110, 12)
    ['conv2d, forward', 'and backward']
    """
    lines: list[str] = []
    rest = string
    while rest and len(lines) < most - 1 and text_width(rest, size) > width:
        end = max((k for k in range(1, len(rest) + 1) if text_width(rest[:k], size) <= width), default=1)
        space = rest.rfind(" ", 0, end + 1)
        end = space if space > 0 else end
        lines.append(rest[:end])
        rest = rest[end:].lstrip()
    return [*lines, shorten(rest, width, size)]


# ---- axes ----------------------------------------------------------------------------------------

def nice_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About `count` round numbers that enclose [low, high], 1, 2, 2.5 or 5 times a power of ten
    apart.

    >>> nice_ticks(0.13, 0.87)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"nice_ticks needs finite limits, got {low} and {high}")
    if high < low:
        low, high = high, low
    # constant: open a window around the value
    if high - low <= max(1e-12*max(abs(low), abs(high)), 1e-290):
        margin = 0.5*abs(low) or 0.5
        low, high = low - margin, high + margin
    rough = (high - low)/count
    power = 10.0**math.floor(math.log10(rough))
    step = next(m*power for m in (1, 2, 2.5, 5, 10) if m*power >= rough*(1 - 1e-9))
    first, last = math.floor(low/step + 1e-9), math.ceil(high/step - 1e-9)
    # round to the step's own precision: 3*0.1 should read 0.3
    digits = max(0, 1 - math.floor(math.log10(step)))
    return [round(i*step, digits) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose [low, high] on a logarithmic axis: 1, 2, 5, 10; 1, 3, 10; or
    powers of ten.

    >>> log_ticks(0.03, 2.3), log_ticks(2e-9, 0.5)
    ([0.03, 0.1, 0.3, 1.0, 3.0], [1e-09, 1e-07, 1e-05, 0.001, 0.1, 10.0])
    """
    if not 0 < low <= high < math.inf:
        raise ValueError(f"log_ticks needs 0 < low <= high, got {low} and {high}")
    decades = math.log10(high) - math.log10(low)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    mantissas = (1, 2, 5) if decades <= 1.2 else (1, 3) if decades <= 3 else (1,)
    step = max(1, math.ceil(decades/7))
    ticks = [float(f"{m}e{power}") for power in range(first, last + step + 1, step) for m in mantissas]
    start = max((k for k, tick in enumerate(ticks) if tick <= low), default=0)
    stop = min(k for k, tick in enumerate(ticks) if tick >= high and k > start)
    return ticks[start:stop + 1]


def tick_labels(ticks: Sequence[float], *, percent: bool = False) -> list[str]:
    """The ticks as text, all with the same decimals.

    >>> tick_labels([0.0, 0.5, 1.0]), tick_labels([0.9, 0.95, 1.0], percent=True)
    (['0.0', '0.5', '1.0'], ['90%', '95%', '100%'])
    >>> tick_labels([0, 2e6])
    ['0', '2e6']
    """
    values = [100*tick for tick in ticks] if percent else [float(tick) for tick in ticks]
    suffix = "%" if percent else ""
    biggest = max((abs(value) for value in values), default=0.0)
    step = min((abs(b - a) for a, b in pairwise(values)), default=biggest or 1.0)
    if biggest >= 1e5 or 0 < step < 1e-4:
        return [_short_power(value) + suffix for value in values]
    decimals = next((d for d in range(5) if all(abs(round(v, d) - v) <= 1e-6*step for v in values)), 5)
    return [f"{value:.{decimals}f}{suffix}" for value in values]


def _short_power(value: float) -> str:
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def short_number(value: float) -> str:
    """A number with three significant digits, for labels: 0.0123, 4.57, 1240, 3.1e7.

    >>> short_number(0.012345), short_number(1240.2), short_number(float("nan"))
    ('0.0123', '1240', 'nan')
    """
    if not math.isfinite(value):
        return str(float(value))
    size = abs(value)
    if size and not 1e-3 <= size < 1e6:
        return _short_power(float(f"{value:.2e}"))
    if size >= 100:
        return f"{value:.0f}"
    return f"{float(f'{value:.3g}'):g}"


# ---- files ---------------------------------------------------------------------------------------

def write_text(path: str | os.PathLike[str], content: str) -> Path:
    """Write UTF-8 text to `path` in one step: a reader sees the old file or the new one, never half
    of it.

    Raises OSError if it cannot be written; an older file of that name is then unchanged and nothing
    else is left.
    """
    return _write(path, content.encode("utf-8"))


def _write(path: str | os.PathLike[str], content: bytes) -> Path:
    with atomic_write(path, follow_links=False) as file:
        file.write(content)
    return Path(path)
