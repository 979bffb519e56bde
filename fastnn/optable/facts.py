"""What the record of an op knows, in words: its call, inputs, costs and samples; and the tables of
docs/ops.md.
"""

from __future__ import annotations

import inspect
from typing import Any, NamedTuple

from .. import functional
from ..op import Op
from .files import files_of
from .find import families

__all__ = ["Cost", "call_of", "costs_of", "facts_of", "markdown", "samples_of", "text_of"]


# ---- one op --------------------------------------------------------------------------------------
def text_of(op: Op) -> list[str]:
    """The docstring of the op's function down to its first section, a line each."""
    lines: list[str] = []
    function = getattr(functional, op.name, None)
    for line in inspect.cleandoc(getattr(function, "__doc__", None) or "").splitlines():
        if line.startswith(("Parameters", "Symbols", "Returns", "Raises", "Examples", ">>>")):
            break
        lines.append(line.rstrip())
    while lines and not lines[-1]:
        lines.pop()
    return lines


def call_of(op: Op) -> str:
    """How the op is called. The signature has no types: the docstring tells them better."""
    function = getattr(functional, op.name, None)
    if function is None:
        return "through tensors and operators"
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return f"fastnn.functional.{op.name}" + str(signature.replace(parameters=bare,
                                                                  return_annotation=inspect.Signature.empty))


def facts_of(op: Op) -> dict[str, str]:
    """What is true of the op as a whole, and its files: what -> text."""
    differentiable = op.inputs if op.differentiable is None else op.differentiable
    attributes = sorted({name for sample in op.samples() for name in sample.attrs})
    facts = {"call": call_of(op),
             "inputs": ", ".join(name if name in differentiable else f"{name} (no gradient)" for name in op.inputs),
             "attributes": ", ".join(attributes), "linear in": ", ".join(op.linear_in), **files_of(op)}
    return {what: text for what, text in facts.items() if text}


class Cost(NamedTuple):
    """What one forward of a benchmark's case costs at least, in float32."""

    case: str
    inputs: str             # their shapes
    flops: int              # a multiply-add counts as two
    bytes: int              # that must move between memory and processor


def costs_of(op: Op) -> list[Cost]:
    """The cost of each case that the op is measured on."""
    costs = []
    for case, make in op.bench.items():
        sample = make()
        costs.append(Cost(case, _shapes(sample.inputs), op.flops(**sample.sizes) if op.flops else 0,
                          op.bytes(**sample.sizes) if op.bytes else 0))
    return costs


def samples_of(op: Op) -> list[str]:
    """The tiny calls that every law is tried on: their names, and the shapes of the inputs."""
    return [f"{sample.name} {_shapes(sample.inputs)}" for sample in op.samples()]


def _shapes(inputs: tuple[Any, ...]) -> str:
    return ", ".join("x".join(map(str, a.shape)) or "number" if hasattr(a, "shape") else str(a) for a in inputs)


# ---- all ops -------------------------------------------------------------------------------------
def markdown() -> str:
    """The tables of docs/ops.md, one for each family."""
    lines = []
    for family, ops in sorted(families().items()):
        lines += [f"## {family.capitalize()}", "", "| op | formula | inputs | runs in |", "|---|---|---|---|"]
        for op in ops:
            # a bar would end the cell; the code of one is understood by every reader of Markdown
            formula = f"<code>{_escape(op.formula)}</code>" if "|" in op.formula else f"`{op.formula}`"
            lines.append(f"| `{op.name}` | {formula} | {', '.join(op.inputs)} | {'C' if op.forward else 'NumPy'} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def _escape(text: str) -> str:
    """`text` for a cell of a Markdown table, as HTML."""
    for character in "&|<>*_[]":
        text = text.replace(character, f"&#{ord(character)};") if character != "&" else text.replace("&", "&amp;")
    return text
