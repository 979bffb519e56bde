"""Write fastnn/_kernels.pyi, the module's signatures for type checkers, from the wrappers
fastnn/kernels/*.pxi: `make build` does.

A parameter is Any. A forward gives (y, saved), a backward a tuple of gradients; what another
function gives its annotation says, or it is Any.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PATH = ROOT/"fastnn"/"_kernels.pyi"
HEAD = '''"""Signatures of the compiled kernels: NumPy arrays in, NumPy arrays out. tools/stubs.py writes them
from fastnn/kernels/*.pxi.
"""

from typing import Any

'''
DEF = re.compile(r"^def (\w+)\((.*?)\)(?: -> ([^\n]+))?:$", re.MULTILINE | re.DOTALL)


def stub(name: str, parameters: str, returns: str) -> str:
    """The line of a function: its parameters without the types of C."""
    found = []
    # commas in a default, (True, True), part nothing
    for parameter in re.split(r",\s*(?![^()]*\))", parameters.strip()):
        declared, _, default = parameter.partition("=")
        if declared:
            typed = declared.split()[-1] + ("" if declared.strip() == "*" else ": Any")
            found.append(f"{typed} = {default}" if default else typed)
    if not returns:
        returns = {"forward": "tuple[Any, Any]", "backward": "tuple[Any, ...]"}.get(name.rpartition("_")[2], "Any")
    # lines end within the brackets: what is behind them is one word
    words = f"def {name}({', '.join(found)})" + f" -> {returns}: ...".replace(" ", "\0")
    return textwrap.fill(words, 120, subsequent_indent=" "*(len(name) + 5)).replace("\0", " ")


def stubs() -> str:
    """The text of the file."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT/"fastnn"/"kernels").glob("*.pxi")))
    objects = sorted(re.findall(r"^(fits_\w+) = |^cdef class (guarded):", text, re.MULTILINE))
    lines = sorted(stub(*found) for found in DEF.findall(text))
    return HEAD + "\n".join([*[f"{a or b}: Any" for a, b in objects], "", *lines, ""])


if __name__ == "__main__":
    if PATH.read_text(encoding="utf-8") != stubs():
        PATH.write_text(stubs(), encoding="utf-8")
        print(f"wrote {PATH.relative_to(ROOT)}")
