"""Changes to the files of a checkout that are all made, or none: what skeleton.py writes with."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from ..console import UserError

__all__ = ["Draft"]


class Draft:
    """The files below `root`; `files` has those that changed, path -> text, until `write`."""

    def __init__(self, root: Path):
        if not (root / "csrc").is_dir():
            raise UserError("new-op writes into a checkout of fastnn, and there is none here")
        self.root = root
        self.files: dict[str, str] = {}

    def write(self) -> None:
        for path, text in self.files.items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_text(text, encoding="utf-8")

    def __contains__(self, path: str) -> bool:
        return path in self.files or (self.root / path).exists()

    def read(self, path: str) -> str:
        return self.files[path] if path in self.files else (self.root / path).read_text(encoding="utf-8")

    def append(self, path: str, text: str, begins: str = "") -> None:
        """Add to the end of a file; one that is not there begins with `begins`."""
        self.files[path] = (self.read(path) if path in self else begins) + text

    def insert(self, path: str, pattern: str, text: str, before: bool = False) -> None:
        """Add text behind (or before) the last match of the pattern, which must be there."""
        source = self.read(path)
        found = [*re.finditer(pattern, source, re.MULTILINE | re.DOTALL)]
        if not found:
            raise UserError(f"{path} is not as new-op expects it: it has no {pattern!r}")
        at = found[-1].start() if before else found[-1].end()
        self.files[path] = source[:at] + text + source[at:]

    def export(self, path: str, name: str) -> None:
        """Name it in __all__: constants, classes, functions, each in order, in 120 columns."""
        source = self.read(path)
        found = re.search(r"^__all__ = (\[.*?\])$", source, re.MULTILINE | re.DOTALL)
        if found is None:
            raise UserError(f"{path} is not as new-op expects it: it has no __all__")
        every = {*ast.literal_eval(found[1]), name}
        words = [f'"{word}"' for word in sorted(every, key=in_order)]
        self.files[path] = source[:found.start()] + joined("__all__ = [", words, "]") + source[found.end():]

    def bring(self, path: str, module: str, *names: str) -> None:
        """Import names of a module, beside what is imported of it, or where it belongs."""
        source = self.read(path)
        found = re.search(rf"^from {re.escape(module)} import (\([^)]*\)|[^\n]*)", source, re.MULTILINE)
        if found:
            every = sorted({*re.findall(r"\w+(?: as \w+)?", found[1]), *names}, key=in_order)
            line = f"from {module} import {', '.join(every)}"
            if len(line) > 120:
                line = f"from {module} import (\n" + "".join(f"    {name},\n" for name in every) + ")"
            self.files[path] = source[:found.start()] + line + source[found.end():]
            return
        others = [*re.finditer(r"^from (\.\S+|second_opinion) import (?:\([^)]*\)|[^\n]*)\n", source, re.MULTILINE)]
        behind = [m for m in others if place(m[1]) < place(module)]
        at = behind[-1].end() if behind else others[0].start() if others else source.index("\n__all__") + 1
        line = f"from {module} import {', '.join(names)}\n" + ("" if others else "\n")
        self.files[path] = source[:at] + line + source[at:]

    def publish(self, path: str, text: str) -> None:
        """Add a function behind the last one that __all__ names, or behind __all__."""
        source = self.read(path)
        tree = ast.parse(source)
        names = {id(node): {getattr(node, "name", ""), *(getattr(t, "id", "") for t in getattr(node, "targets", ()))}
                 for node in tree.body}
        public = next(set(ast.literal_eval(node.value)) | {"__all__"} for node in tree.body
                      if isinstance(node, ast.Assign) and "__all__" in names[id(node)])
        lines = source.splitlines(keepends=True)
        at = max(node.end_lineno or 0 for node in tree.body if names[id(node)] & public)
        self.files[path] = "".join([*lines[:at], "\n\n", text, *lines[at:]])


def in_order(name: str) -> tuple[bool, bool, list[tuple[str, int]]]:
    """Constants, classes, functions; log2 before log10."""
    return not name.isupper(), name.islower(), [(word, int(digits or 0)) for word, digits in
                                                re.findall(r"(\D+)(\d*)", name)]


def place(module: str) -> tuple[int, str]:
    """Where an import stands: `..op` before `.checks`, and others first."""
    dots = len(module) - len(module.lstrip("."))
    return (-dots if dots else -9), module


def joined(begin: str, words: list[str], end: str) -> str:
    """The words with commas in lines of 120 columns, which line up behind `begin`."""
    lines, line = [], begin
    for i, word in enumerate(words):
        word += end if i == len(words) - 1 else ", "
        if len(line + word.rstrip()) > 120:
            lines.append(line.rstrip())
            line = " "*len(begin)
        line += word
    return "\n".join([*lines, line])
