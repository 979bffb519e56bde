"""Docstrings as Markdown, for the site (a griffe extension; mkdocs.yml names it).

The docstrings follow numpydoc, freely. Here each becomes the Markdown of one page's entry:

    Parameters ... Raises               a list: the name, then its type and what it is
    Shapes: x (N, C) -> y (N,)          a paragraph with a label
    lines in     columns                a block of text, as it stands
    >>> 1 + 1                           a block of code, wherever it stands
    .. math:: y = x                     a fence of `math` (tools/site.py draws it)
    :math:`y = x`                       MathML within the line

A name under Parameters that the signature does not have is a warning, which the strict build takes
for an error.
"""

from __future__ import annotations

import logging
import re
from textwrap import dedent
from typing import Any

import griffe
from latex2mathml.converter import convert

log = logging.getLogger("mkdocs.plugins.docstrings")

ITEMS = ("Parameters", "Attributes", "Raises")          # sections of items, one at the margin each
NAMES = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: : (.*))?$")
ERRORS = re.compile(r"((?:\w*(?:Error|Exception|Interrupt|Warning)(?:, )?)+(?:\.\.\.)?)(?: : (.*))?$")
LABEL = re.compile(r"([A-Z][\w ]{2,20}): +(?=\S)")
COLUMNS = re.compile(r"[\w)\]] {2,}\S")
# Markdown's, but here they are none
MARKS = re.compile(r"(?<!^)\*(?! )|(?<=\S)\*|(?<=\])[\[(]|_(?=_)|(?<=_)_")
EQUATION = re.compile(r"\w[\w, \[\]{}']* +<?[=~] ")


class Docstrings(griffe.Extension):
    """Each docstring is rewritten before the generator sees it."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.is_module:                           # the page has an introduction of its own
            obj.docstring = None
        elif obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value, obj)


def markdown(text: str, obj: Any = None) -> str:
    """The docstring `text` of `obj` as Markdown."""
    found: list[str] = []
    text = "\n\n".join(map(columns, text.split("\n\n")))
    text = re.sub(r":math:`([^`]*)`", lambda role: f"`${' '.join(role[1].split())}$`", text)
    for title, body in sections(fences(text.splitlines())):
        if title:
            found += ["", f"**{title}**", ""]
        if title in ITEMS:
            items, rest = split_items(title, body)
            if title == "Parameters":
                compare_with_signature([name for names, _ in items for name in names.split(", ")], obj)
            for names, description in items:
                found += [", ".join(f"`{name}`" for name in names.split(", ")),
                          *definition(prose(description, summary=True)), ""]
            found += prose(rest)
        elif title == "References":
            found += prose([line if (i and not body[i - 1].rstrip().endswith(".")) or not line else f"- {line}"
                            for i, line in enumerate(body)])
        elif title and body and EQUATION.match(body[0]):
            end = body.index("") if "" in body else len(body)
            found += ["```text", *body[:end], "```", *prose(body[end:])]
        else:
            found += prose(body, summary=not title)
    return "\n".join(found).strip()


def columns(paragraph: str) -> str:
    """A paragraph whose lines are columns, fenced."""
    lines = paragraph.splitlines()
    headed = len(lines) > 1 and set(lines[1]) == {"-"}
    if lines and not headed and not paragraph.startswith((" ", ">>>", "..")) and sum(
            bool(COLUMNS.search(line)) for line in lines) > len(lines)/2:
        return f"```text\n{paragraph}\n```"
    return paragraph


def fences(lines: list[str]) -> list[str]:
    """Doctests and formulas as blocks: what later steps must leave alone."""
    found: list[str] = []
    lines = [*lines, ""]
    i = 0
    while i < len(lines):
        line, margin = lines[i], lines[i][:len(lines[i]) - len(lines[i].lstrip())]
        block: list[str] = []
        if line.lstrip().startswith(">>>"):
            while lines[i].strip():
                block.append(re.sub(r"\s*# doctest:.*|<BLANKLINE>", "", lines[i][len(margin):]))
                i += 1
            found += ["", margin + "```pycon", *(margin + text for text in block), margin + "```", ""]
        elif line.startswith(".. math::"):
            block.append(line[len(".. math::"):].strip())
            i += 1
            while i < len(lines) and (not lines[i].strip() or lines[i].startswith(" ")):
                block.append(lines[i])
                i += 1
            found += ["", "```math", *dedent("\n".join(block)).strip().splitlines(), "```", ""]
        else:
            found.append(line)
            i += 1
    return found


def sections(lines: list[str]) -> list[tuple[str, list[str]]]:
    """(title, lines) of each part; the first has no title."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    i = 0
    while i < len(lines):
        if i + 1 < len(lines) and lines[i].strip() and re.fullmatch(r"-{3,}", lines[i + 1]):
            parts.append((lines[i], []))
            i += 2
            continue
        parts[-1][1].append(lines[i])
        i += 1
    return parts


def split_items(title: str, body: list[str]) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """[(names, description)], and what stands behind the items: a label or an example ends them."""
    items: list[tuple[str, list[str]]] = []
    for i, line in enumerate(body):
        starts = (ERRORS if title == "Raises" else NAMES).match(line)
        if i and not body[i - 1].strip() and line and not line.startswith(" ") and (not starts or LABEL.match(line)):
            return items, body[i:]
        if starts:
            items.append((starts[1].removesuffix(", "), [f"{starts[2].rstrip('.')}."] if starts[2] else []))
        elif items:                             # a type or a reason may be too long for one line
            reason = title == "Raises" and not body[i - 1].endswith(".")
            if line and (reason or not line.startswith(" ")) and items[-1][1]:
                items[-1][1][-1] = items[-1][1][-1].removesuffix(".")
            items[-1][1].append(line.removeprefix("    "))
    return items, []


def definition(lines: list[str]) -> list[str]:
    """The description of an item, in the form of a Markdown definition."""
    kept = "\n".join(lines).strip().splitlines() or ["\u00a0"]
    return [(":   " if i == 0 else "    ") + line for i, line in enumerate(kept)]


def prose(lines: list[str], summary: bool = False) -> list[str]:
    """Text whose stars and brackets are multiplication and indices, not Markdown. A paragraph may
    have a label, but for the first of a docstring, its summary.
    """
    found = []
    fenced = False
    for line in lines:
        opens = line.lstrip().startswith("```")
        if not fenced and not opens and not line.startswith("    "):
            label = LABEL.match(line) if (not found and not summary) or (found and not found[-1].strip()) else None
            pieces = re.split(r"(`[^`]*`)", line)
            pieces[::2] = [MARKS.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
            pieces[1::2] = [convert(piece[2:-2], display="inline") if piece.startswith("`$") else piece
                            for piece in pieces[1::2]]
            line = "".join(pieces)
            if label:
                line = f"**{label[1]}.** {line[label.end():]}"
        fenced ^= opens
        found.append(line)
    return found


def compare_with_signature(names: list[str], obj: Any) -> None:
    known = getattr(obj, "parameters", None)
    if known is None:
        return
    known = {parameter.name.lstrip("*") for parameter in known}
    for name in names:
        if known and name.lstrip("*") not in known:
            log.warning("%s: its docstring has a parameter %r that its signature does not have", obj.path, name)
