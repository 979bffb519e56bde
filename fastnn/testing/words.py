"""How a verdict is written: numbers, arrays, and lines of a word and a text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["array", "laid_out", "number", "times"]

WIDTH = 88                      # columns of a verdict


def number(value: Any) -> str:
    if np.asarray(value).dtype.kind != "f":
        return str(value)
    return f"{float(value):.9g}" if np.asarray(value).dtype == np.float32 else f"{float(value):.12g}"


def array(a: Any) -> str:
    return np.array2string(np.asarray(a), precision=6, separator=", ", suppress_small=False, max_line_width=10_000)


def times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"


def laid_out(head: str, lines: Sequence[tuple[str, str]]) -> str:
    """The head, and under it words with their texts, wrapped."""
    out = [head]
    for word, text in lines:
        whole = textwrap.wrap(" ".join(text.split()), WIDTH - 13, break_long_words=False, break_on_hyphens=False)
        out += [f"  {word if n == 0 else '':<10} {part}" for n, part in enumerate(whole)]
    return "\n".join(out)
