"""The one place that prints: lines, tables, units, and colour where a person is looking."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

__all__ = ["Line", "UserError", "colour", "complain", "count", "heading", "paint", "progress", "say", "share", "size",
           "table", "time"]

STYLES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34"}


class UserError(Exception):
    """A mistake of the person at the keyboard: told in one line, without a traceback; exit code 2.
    """


def colour(stream: TextIO | None = None) -> bool:
    """Whether to colour: on a terminal, unless NO_COLOR is set (no-color.org) or the terminal is
    dumb.
    """
    stream = stream or sys.stdout                   # None under pythonw
    if stream is None or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str, style: str) -> str:
    """The text in a style of STYLES, where colour is wanted."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style and colour() else text


def say(text: str = "") -> None:
    """One line, at once: a pipe must not hold it back while something long runs."""
    print(text, flush=True)


def complain(text: str) -> None:
    """One line on standard error: what went wrong."""
    sys.stderr.write(f"{text}\n")


def heading(text: str) -> None:
    """A title with an empty line before it."""
    say()
    say(paint(text, "bold"))


def progress(text: str) -> None:
    """A line that the next one overwrites; nothing where nobody watches. An empty text wipes it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text[:110]}")
        sys.stderr.flush()


class Line:
    """A line that is rewritten in place where somebody watches, in a terminal or a notebook's cell;
    elsewhere, in a pipe or a file, it is written once, when it is finished.

    >>> line = Line()
    >>> line.rewrite("half way"); line.finish("done")
    done
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.live = getattr(self.stream, "isatty", lambda: False)() or is_notebook()
        self.shown = 0                              # width of what stands there now

    def rewrite(self, text: str) -> None:
        """Put the text in the place of the line as it stands; nothing where nobody watches."""
        if self.live:
            self._write(text, "")

    def finish(self, text: str) -> None:
        """The same, for the last time: what comes next begins a new line."""
        self._write(text, "\n")

    def _write(self, text: str, end: str) -> None:
        blank = " "*max(0, self.shown - len(text))
        self.stream.write(("\r" if self.live else "") + text + blank + end)
        self.stream.flush()
        self.shown = 0 if end else len(text)


def is_notebook() -> bool:
    """Whether output goes to a notebook's cell, where a carriage return rewrites the line as in a
    terminal.
    """
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


Cell = Any      # a text, or (text, style)


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]], sides: str, indent: int = 2) -> str:
    """Rows under heads as aligned text. sides: a letter per column, "l" aligned to the left, "r" to
    the right.

    >>> print(table(["op", "cases"], [["relu", 10], ["conv2d", 9]], "lr", indent=0))
    op      cases
    relu       10
    conv2d      9
    """
    rows = [[cell if isinstance(cell, tuple) else (str(cell), "") for cell in row] for row in rows]
    width = [max([len(head), *(len(row[i][0]) for row in rows)]) for i, head in enumerate(heads)]

    def line(cells: Sequence[tuple[str, str]]) -> str:
        padded = [text.ljust(w) if side == "l" else text.rjust(w) for (text, _), w, side in zip(cells, width, sides)]
        padded[-1] = padded[-1].rstrip()
        return " "*indent + "  ".join(paint(text, style) if style else text for text, (_, style) in zip(padded, cells))
    return "\n".join([line([(head, "dim") for head in heads]), *map(line, rows)])


def time(seconds: float | None) -> str:
    """Three digits and a unit.

    >>> time(0.00001234), time(0.5), time(None)
    ('12.3 us', '500 ms', '-')
    """
    if seconds is None:
        return "-"
    unit, size = ("s", 1.0) if seconds >= 1 else ("ms", 1e-3) if seconds >= 1e-3 else ("us", 1e-6)
    value = seconds/size
    return f"{value:.{0 if value >= 99.5 else 1 if value >= 9.95 else 2}f} {unit}"


def count(number: int, thing: str) -> str:
    """A number of things.

    >>> count(1, "thread"), count(2, "thread")
    ('1 thread', '2 threads')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def share(value: float) -> str:
    """A share of an allowance or limit in percent.

    >>> share(0.1234), share(0.0), share(0.0001), share(12.3)
    ('12 %', '0 %', '0.01 %', '1230 %')
    """
    percent = 100*value
    return f"{percent:.0f} %" if percent >= 1 or percent == 0 else f"{percent:.2f} %"


def size(nbytes: float | None) -> str:
    """Bytes in three digits and a unit.

    >>> size(1536), size(52_428_800), size(None)
    ('1.50 KiB', '50.0 MiB', '-')
    """
    if nbytes is None:
        return "-"
    unit, one = next((unit, one) for unit, one in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("bytes", 1))
                     if nbytes >= one or one == 1)
    value = nbytes/one
    return f"{value:.{0 if value >= 99.5 or one == 1 else 1 if value >= 9.95 else 2}f} {unit}"
