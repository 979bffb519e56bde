"""The arithmetic of sizes (smaller, larger, rounded up, items in a block) is written once, in
csrc/core/sizes.h.
"""

import re

import pytest
from checkout import ROOT, needs_sources

CSRC = ROOT/"csrc"
pytestmark = needs_sources

BOUND = r"(?:-?\d+|[A-Z][A-Z_]+)"
ARGUMENT = r"(?:[^(),]|\((?:[^()]|\([^()]*\))*\))+"
AGAIN = {
    "a function of this meaning": r"(?i)^\s*(?:static\s+inline|#\s*define)\s([\w* ]+ \*?)?(\w+_)?"
                                  r"(min|max|ceil_div|round_up|divup)(_\w+)?\(",
    "a quotient rounded up": r"\+ ([\w>.-]+) - 1\) ?/ ?\1\b|\(([\w>.-]+) - 1\) ?/ ?[\w>.-]+ \+ 1\b",
    "fnn_grain": r"[<>]=? ([A-Z]\w+) \? (?:1 : )?\1 / |\bfnn_max\((?:1, [A-Z]\w+ / |[A-Z]\w+ / .*, 1\))",
    # with a decimal point it is a formula, such as an approximation's range
    "fnn_clamp": r"(?<![\w.>-])([\w>.-]+) <=? ([^?:.]+) \? \2(?: >> \w+)? : \1 >=? ([^?:.]+) \? \3\b"
                 r"|(?<![\w.>-])([\w>.-]+) >=? ([^?:.]+) \? \5(?: >> \w+)? : \4 <=? ([^?:.]+) \? \6\b"
                 rf"|\bfnn_(max|min)\((?:{BOUND}, fnn_(?!\7)(?:max|min)\((?:{BOUND}, {ARGUMENT}|{ARGUMENT}, {BOUND})\)"
                 rf"|fnn_(?!\7)(?:max|min)\((?:{BOUND}, {ARGUMENT}|{ARGUMENT}, {BOUND})\), {BOUND})\)",
}


def again(text: str) -> list[str]:
    return [f"{number}: {what}: {line.strip()}" for number, line in enumerate(text.splitlines(), 1)
            for what, pattern in AGAIN.items() if re.search(pattern, line)]


def test_the_arithmetic_of_sizes_is_written_once():
    found = {path.relative_to(CSRC).as_posix(): told for path in sorted(CSRC.rglob("*.[ch]"))
             if path.name != "simd.h"           # whose clamps are the ranges of approximations
             and (told := again(path.read_text(encoding="utf-8")))}
    assert len(found.pop("core/sizes.h")) >= 5
    assert not found, found


@pytest.mark.parametrize("line", ["static inline fnn_size conv_min(fnn_size a, fnn_size b) { return a < b ? a : b; }",
                                  "#define MAX(a, b) ((a) > (b) ? (a) : (b))", "    n = (rows + TILE - 1) / TILE;",
                                  "    return (g->H + g->sh - 1) / g->sh;", "    j.blocks = (n - 1) / grain + 1;",
                                  "    return D < GRAIN ? GRAIN / (D ? D : 1) : 1;",
                                  "    return work >= GRAIN ? 1 : GRAIN / work;",
                                  "    f(n, fnn_max(1, BLOCK / fnn_max(1, n)), g);", "    f(fnn_max(BLOCK / n, 1));",
                                  "    return x < LEAST ? LEAST : x > MOST ? MOST : x;",
                                  "    e = e > range ? range : e < -range ? -range : e;",
                                  "    e = fnn_max(-1000, fnn_min(e, 1000));",
                                  "    n = fnn_min(fnn_max(n / BLOCKS, LEAST), MOST);"])
def test_a_second_one_is_found(line):
    assert again(line)
