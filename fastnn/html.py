"""Text that is safe in HTML and SVG, and what a notebook shows for a tensor, a model and a summary:
the `_repr_html_` of each is a function here.

No colour is fixed. Words have the notebook's own, lines and tints are half transparent, so that all
can be read on a light and on a dark page, whatever says which it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["escape", "model_html", "summary_html", "tensor_html"]

TIMES = "\N{MULTIPLICATION SIGN}"
SHOWN = 8               # rows and columns of a matrix; half of them from each end
OPEN = 2                # levels of a model that are unfolded at first

LINE = "rgba(128,128,128,.35)"
BOX = f"display:inline-block;border:1px solid {LINE};border-radius:8px;padding:8px 12px;max-width:100%;overflow-x:auto"
HEAD = "opacity:.75;font-size:.9em;margin-bottom:6px"
TABLE = "border-collapse:collapse;border:0;margin:0;font-variant-numeric:tabular-nums"
CELL = "padding:3px 9px;border:0;background:none;white-space:nowrap;vertical-align:middle;text-align:"
BLUE, ORANGE = "64,132,246", "240,120,40"


def escape(value: object) -> str:
    """`value` as text that is safe in SVG and HTML, both between tags and inside a quoted
    attribute.

    >>> escape('<b class="x">&')
    '&lt;b class=&quot;x&quot;&gt;&amp;'
    """
    text = "".join(c if _is_allowed(c) else "\N{REPLACEMENT CHARACTER}" for c in str(value))
    for plain, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(plain, escaped)
    return text


def _is_allowed(character: str) -> bool:
    """Whether XML 1.0 allows the character at all (a NUL byte or half of a surrogate pair cannot
    even be escaped).
    """
    code = ord(character)
    return character in "\t\n\r" or (code >= 0x20 and not 0xD800 <= code <= 0xDFFF and code not in (0xFFFE, 0xFFFF))


# ---- tensors -------------------------------------------------------------------------------------
def tensor_html(t: Any) -> str:
    """A matrix or a row as a table, blue where it is above zero and orange below; what has more
    dimensions, or one number, as its repr. Long ones are shown at both ends.
    """
    a = t._data
    facts = [f" {TIMES} ".join(map(str, a.shape)) or "one number", str(a.dtype)]
    if not t.is_leaf:
        facts.append(f"made by {t.node.name}")
    elif t.requires_grad:
        facts.append("requires a gradient")
    head = f"<b>{escape(type(t).__name__)}</b> {escape(' · '.join(facts))}"
    if a.ndim not in (1, 2) or not a.size:
        return _box(head, f'<pre style="margin:0;background:none;color:inherit">{escape(repr(t))}</pre>')
    rows, columns = (_ends(n) for n in (a.shape if a.ndim == 2 else (1, a.shape[0])))
    matrix = a if a.ndim == 2 else a[None]
    some = matrix[np.ix_([i for i in rows if i is not None], [j for j in columns if j is not None])]
    words = np.array2string(some, threshold=some.size + 1, max_line_width=10**6, precision=4, separator=" ",
                            floatmode="maxprec_equal", suppress_small=True).replace("[", " ").replace("]", " ").split()
    finite = np.abs(some[np.isfinite(some)].astype(np.float64)) if a.dtype.kind != "b" else np.ones(1)
    most, next_word = float(finite.max(initial=0)) or 1.0, iter(words)
    lines = []
    for i in rows:
        cells = []
        for j in columns:
            if i is None or j is None:
                cells.append(f'<td style="{CELL}center;opacity:.6">{"⋮" if i is None else "…"}</td>')
                continue
            value = float(matrix[i, j])
            share = min(abs(value)/most, 1.0) if np.isfinite(value) else 0.0
            tint = f";background:rgba({BLUE if value > 0 else ORANGE},{0.4*share:.2f})" if share >= 0.005 else ""
            cells.append(f'<td style="{CELL}right{tint}">{escape(next(next_word))}</td>')
        lines.append(f'<tr style="background:none">{"".join(cells)}</tr>')
    return _box(head, _table(lines))


def _ends(n: int) -> list[int | None]:
    """0 to n - 1, or some from both ends with None between them."""
    return [*range(n)] if n <= SHOWN else [*range(SHOWN//2), None, *range(n - SHOWN//2, n)]


# ---- models --------------------------------------------------------------------------------------
def model_html(model: Any) -> str:
    """The modules as a tree that unfolds, with the parameters of each."""
    return f'<div style="{BOX}">{_branch("", model, 0)}</div>'


def _branch(name: str, module: Any, depth: int) -> str:
    sized = [p for p in module.parameters() if hasattr(p, "_data")]     # lazy ones have no size yet
    count = sum(p.numel() for p in sized)
    fixed = count - sum(p.numel() for p in sized if p.requires_grad)
    numbers = f"{count:,} parameters" + (f", {fixed:,} of them fixed" if fixed else "") if count else ""
    kind = module.describe()
    if not list(module.named_children()):
        inside = module.extra_repr()
        kind = f"{type(module).__name__}({inside})" if inside else kind
    line = f'<code style="background:none">{escape(kind)}</code> <span style="opacity:.65">{numbers}</span>'
    line = f"<b>{escape(name)}</b> {line}" if name else line
    children = "".join(_branch(key, child, depth + 1) for key, child in module.named_children())
    style = "margin:2px 0 2px 1.1em" if depth else "margin:0"
    if not children:
        return f'<div style="{style}">{line}</div>'
    unfolded = " open" if depth < OPEN else ""
    return f'<details{unfolded} style="{style}"><summary style="cursor:pointer">{line}</summary>{children}</details>'


# ---- summaries -----------------------------------------------------------------------------------
def summary_html(s: Any, size: Any) -> str:
    """The table of layers, a bar behind each cost: its share of the column.

    size: words for a number of bytes (layers/summary.py).
    """
    shapes = ", ".join(map(str, s.input_shapes))
    head = f"<b>{escape(s.model)}</b> on {escape(shapes)}" + ("" if s.batch is None else f", a batch of {s.batch}")
    names = ("path", "layer", "output", "parameters", "multiply-adds", "bytes", "sees")
    rule = f"border-bottom:1px solid {LINE}"
    lines = ["<tr>" + "".join(f'<th style="{CELL}{"left" if k < 3 else "right"};{rule}">{name}</th>'
                              for k, name in enumerate(names)) + "</tr>"]
    most = [max((getattr(row, cost) for row in s.rows), default=0) for cost in ("parameters", "multiply_adds", "bytes")]
    for row in s.rows:
        path = (row.path or "(model)") + (f" {TIMES}{row.calls}" if row.calls > 1 else "")
        cells = [f'<td style="{CELL}left">{escape(text)}</td>'
                 for text in (path, row.layer, f" {TIMES} ".join(map(str, row.output_shape)))]
        costs = (row.parameters, row.multiply_adds, row.bytes)
        for value, largest, text in zip(costs, most, (f"{costs[0]:,}", f"{costs[1]:,}", size(costs[2]))):
            share = 100*value/largest if largest else 0.0
            bar = f";background:linear-gradient(270deg,rgba({BLUE},.25) {share:.1f}%,transparent 0)" if share else ""
            cells.append(f'<td style="{CELL}right{bar}">{escape(text)}</td>')
        sees = "" if row.receptive_field is None else f" {TIMES} ".join(map(str, row.receptive_field))
        lines.append(f'<tr style="background:none">{"".join(cells)}<td style="{CELL}right">{sees}</td></tr>')
    total = ("total", "", "", f"{s.parameters:,}", f"{s.multiply_adds:,}", size(s.bytes), "")
    lines.append("<tr>" + "".join(f'<td style="{CELL}{"left" if k < 3 else "right"};border-top:1px solid {LINE}">'
                                  f"<b>{text}</b></td>" for k, text in enumerate(total)) + "</tr>")
    notes = [f"Not reached: {', '.join(s.unused)}."] if s.unused else []
    if s.trainable < s.parameters:
        notes.append(f"{s.parameters - s.trainable:,} parameters are fixed.")
    foot = f'<div style="{HEAD};margin:6px 0 0">{escape(" ".join(notes))}</div>' if notes else ""
    return _box(head, _table(lines) + foot)


# ---- what they share -----------------------------------------------------------------------------
def _box(head: str, content: str) -> str:
    return f'<div style="{BOX}"><div style="{HEAD}">{head}</div>{content}</div>'


def _table(lines: list[str]) -> str:
    return f'<table style="{TABLE}">{"".join(lines)}</table>'
