"""One line per epoch: rewritten in place in a terminal and a notebook, written once in a pipe or a
file.
"""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

__all__ = ["Progress"]

# seconds between rewrites: a fast loop must not spend its time on printing
INTERVAL = 0.1


def is_notebook() -> bool:
    """Whether output goes to a notebook's cell, where a carriage return rewrites the line as in a
    terminal.
    """
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    return type(shell).__name__ == "ZMQInteractiveShell"


class Progress:
    """The line of one epoch after another.

        epoch  2/5  [##########----------]  12/23  loss 0.4312  accuracy 0.871  1.2 s
    """

    def __init__(self, epochs: int, enabled: bool = True, stream: TextIO | None = None):
        self.epochs, self.enabled = epochs, enabled
        self.stream = stream or sys.stdout
        self.live = enabled and (getattr(self.stream, "isatty", lambda: False)() or is_notebook())
        self.shown = 0                              # width of the line on the screen
        self.last = 0.0

    def _write(self, text: str, end: str) -> None:
        blank = " " * max(0, self.shown - len(text))
        self.stream.write(("\r" if self.live else "") + text + blank + end)
        self.stream.flush()
        self.shown = 0 if end else len(text)

    def batch(self, epoch: int, done: int, total: int, numbers: dict[str, Any]) -> None:
        """Rewrite the line, at most every INTERVAL; nothing in a pipe."""
        now = time.monotonic()
        if self.live and now - self.last >= INTERVAL:
            self.last = now
            width = 20
            filled = width * done // max(total, 1)
            self._write(f"{self._head(epoch)}  [{'#' * filled}{'-' * (width - filled)}]  {done}/{total}  {self._numbers(numbers)}", "")

    def epoch(self, epoch: int, numbers: dict[str, Any], note: str = "") -> None:
        """The finished line of an epoch."""
        if self.enabled:
            self._write(f"{self._head(epoch)}  {self._numbers(numbers)}{'  ' + note if note else ''}", "\n")

    def message(self, text: str) -> None:
        if self.enabled:
            self._write(text, "\n")

    def _head(self, epoch: int) -> str:
        return f"epoch {epoch:>{len(str(self.epochs))}}/{self.epochs}"

    @staticmethod
    def _numbers(numbers: dict[str, Any]) -> str:
        parts = []
        for key, value in numbers.items():
            if key == "seconds":
                parts.append(f"{value:.1f} s")
            elif key != "epoch":
                parts.append(f"{key.replace('_', ' ')} {value:.4f}")
        return "  ".join(parts)
