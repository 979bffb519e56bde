"""The arithmetic of sizes (smaller, larger, rounded up) is written once, in csrc/core/sizes.h."""

import re

import pytest
from checkout import ROOT, needs_sources

CSRC = ROOT/"csrc"
pytestmark = needs_sources

AGAIN = {
    "a function of this meaning": r"(?i)^\s*(?:static\s+inline|#\s*define)\s([\w* ]+ \*?)?(\w+_)?"
                                  r"(min|max|ceil_div|round_up|divup)(_\w+)?\(",
    "a quotient rounded up": r"\+ ([\w>.-]+) - 1\) ?/ ?\1\b",
}


def again(text: str) -> list[str]:
    return [f"{number}: {what}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1)
            for what, pattern in AGAIN.items() if re.search(pattern, line)]


def test_the_arithmetic_of_sizes_is_written_once():
    found = {path.relative_to(CSRC).as_posix(): told for path in sorted(CSRC.rglob("*.[ch]"))
             if (told := again(path.read_text(encoding="utf-8")))}
    assert len(found.pop("core/sizes.h")) >= 5
    assert not found, found


@pytest.mark.parametrize("line", ["static inline fnn_size conv_min(fnn_size a, fnn_size b) { return a < b ? a : b; }",
                                  "#define MAX(a, b) ((a) > (b) ? (a) : (b))", "    n = (rows + TILE - 1) / TILE;",
                                  "    return (g->H + g->sh - 1) / g->sh;"])
def test_a_second_one_is_found(line):
    assert again(line)
