"""`python -m fastnn ops`: the table of ops; `ops conv2d`: everything that the record of one op
knows.
"""

from __future__ import annotations

import inspect
import re
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import functional
from ..console import heading, say, table
from ..op import OPS, Op
from .check import find_ops

__all__ = ["command", "files_of", "markdown"]

ROOT = Path(__file__).resolve().parents[2]      # of a checkout; in an installed package the C files are not there


def command(args: Namespace) -> int:
    if args.markdown:
        say(markdown())
    elif args.op is None:
        print_table()
    else:
        for op in find_ops([args.op]):
            print_op(op)
    return 0


def print_table() -> None:
    families: dict[str, list[Op]] = {}
    for op in OPS.values():
        families.setdefault(op.family, []).append(op)
    width = max(map(len, OPS))
    for family, ops in families.items():
        heading(family)
        for op in ops:
            say(f"  {op.name:<{width}}  {'C    ' if op.forward else 'NumPy'}  {op.formula}")
    say()
    say(f"{len(OPS)} ops, and what each runs in. "
        "`python -m fastnn ops NAME` shows the files, costs and samples of one.")


def markdown() -> str:
    """The tables of docs/ops.md, one for each family."""
    families: dict[str, list[Op]] = {}
    for op in OPS.values():
        families.setdefault(op.family, []).append(op)
    lines = []
    for family, ops in sorted(families.items()):
        lines += [f"## {family.capitalize()}", "", "| op | formula | inputs | runs in |", "|---|---|---|---|"]
        for op in ops:
            # a bar would end the cell; the code of one is understood by every reader of Markdown
            formula = f"<code>{escape(op.formula)}</code>" if "|" in op.formula else f"`{op.formula}`"
            lines.append(f"| `{op.name}` | {formula} | {', '.join(op.inputs)} | {'C' if op.forward else 'NumPy'} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def escape(text: str) -> str:
    """`text` for a cell of a Markdown table, as HTML."""
    for character in "&|<>*_[]":
        text = text.replace(character, f"&#{ord(character)};") if character != "&" else text.replace("&", "&amp;")
    return text


def print_op(op: Op) -> None:
    function = getattr(functional, op.name, None)
    heading(f"{op.name} ({op.family})")
    say(f"  {op.formula}")
    if function is not None and function.__doc__:
        say()
        for line in head_of(inspect.cleandoc(function.__doc__)):
            say(f"  {line}".rstrip())
    say()
    differentiable = op.inputs if op.differentiable is None else op.differentiable
    attributes = sorted({name for sample in op.samples() for name in sample.attrs})
    facts = [["call", f"fastnn.functional.{op.name}{arguments(function)}" if function
              else "through tensors and operators"],
             ["inputs", ", ".join(name if name in differentiable else f"{name} (no gradient)" for name in op.inputs)]]
    if attributes:
        facts.append(["attributes", ", ".join(attributes)])
    if op.linear_in:
        facts.append(["linear in", ", ".join(op.linear_in)])
    for what, path in files_of(op).items():
        facts.append([what, path])
    say(table(["", ""], facts, "ll").split("\n", 1)[1])
    print_costs(op)
    samples = [f"{sample.name} {shapes(sample.inputs)}" for sample in op.samples()]
    heading(f"samples: {len(samples)} tiny calls that every law is tried on")
    for text in samples:
        say(f"  {text}")
    if op.errors:
        heading("errors: what it refuses")
        rows = [[bad.what, bad.raises.__name__, ", ".join(bad.words)] for bad in op.errors]
        say(table(["call", "raises", "the message names"], rows, "lll"))
    say()


def arguments(function: Callable[..., Any]) -> str:
    """The signature without its types, which the docstring tells better."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def head_of(doc: str) -> list[str]:
    """The first paragraph of a docstring and the formula below it."""
    lines = []
    for line in doc.splitlines():
        if line.startswith(("Parameters", "Symbols", "Returns", "Raises", "Examples", ">>>")):
            break
        lines.append(line)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def shapes(inputs: tuple[Any, ...]) -> str:
    return ", ".join("x".join(map(str, a.shape)) or "number" if hasattr(a, "shape") else str(a) for a in inputs)


def print_costs(op: Op) -> None:
    rows = []
    for name, make in op.bench.items():
        sample = make()
        flops = op.flops(**sample.sizes) if op.flops else 0
        moved = op.bytes(**sample.sizes) if op.bytes else 0
        rows.append([name, shapes(sample.inputs), f"{flops/1e6:,.1f}", f"{moved/1e6:,.1f}",
                     f"{flops/moved:.1f}" if moved else "-"])
    if rows:
        heading("cost of one forward, in float32")
        say(table(["case", "inputs", "Mflop", "MB moved", "flop per byte"], rows, "llrrr"))


def files_of(op: Op) -> dict[str, str]:
    """The files that are this op, relative to the root of a checkout: what -> path."""
    record = record_module(op)
    stem = record.rsplit(".", 1)[-1]
    files = {"record": f"{record.replace('.', '/')}.py",
             "definition": f"{op.ref_forward.__module__.replace('.', '/')}.py"}
    if op.forward is not None:
        wrapper, kernel = kernel_files(wrappers_of(op), stem)
        files["kernel"] = f"csrc/{kernel}.tmpl.h, contract in csrc/{kernel}.h"
        files["wrapper"] = f"fastnn/kernels/{wrapper}.pxi"
        page = f"docs/kernels/{kernel.rsplit('/', 1)[-1]}.md"
        if (ROOT / page).exists():
            files["how it is made"] = page
    named = dict.fromkeys([f"tests/ops/test_{stem}.py", f"tests/ops/test_{op.family}.py"])
    tests = [path for path in named if (ROOT / path).exists()]
    files["tests"] = ", ".join([*tests, f"tests/laws/test_laws.py -k {op.name}"])
    return files


def record_module(op: Op) -> str:
    """The module of fastnn.ops that registered the op."""
    for name, module in list(sys.modules.items()):
        if name.startswith("fastnn.ops.") and any(value is op for value in vars(module).values()):
            return name
    return "fastnn.ops." + op.ref_forward.__module__.rsplit(".", 1)[-1]


def wrappers_of(op: Op) -> list[str]:
    """The functions of the extension module that run an op: its own, or those that a Python
    function of its record calls.
    """
    found = []
    for function in filter(None, (op.forward, op.backward)):
        module = sys.modules.get(function.__module__)
        if module is None or not module.__name__.startswith("fastnn.ops"):
            found.append(function.__name__)
        else:
            # made of other ops' kernels, like MAXIMUM.kernels[0](...), or of kernels by name
            others = re.findall(r"\b([A-Z][A-Z0-9_]*)\.(?:forward|kernels\[0\])\(", inspect.getsource(function))
            found += [vars(module)[name].forward.__name__ for name in others]
            found += re.findall(r"kernel\(\"(\w+)\"\)", inspect.getsource(module))
    return found


def kernel_files(wrappers: list[str], otherwise: str) -> tuple[str, str]:
    """The stem of the .pxi that defines one of these functions, and the C header whose kernel it
    calls, as `family/name`.
    """
    for piece in sorted((ROOT / "fastnn/kernels").glob("*.pxi")):
        text = piece.read_text(encoding="utf-8")
        for name in wrappers:
            body = re.search(rf"^def {name}\(.*?(?=^\S|\Z)", text, re.M | re.S)
            if body:
                called = re.findall(r"\bfnn_(\w+)", body[0])
                return piece.stem, next(filter(None, map(header_of, called)), header_named(piece.stem))
    return otherwise, otherwise


def header_of(kernel: str) -> str | None:
    for header in sorted((ROOT / "csrc").rglob("*.h")):
        if header.name.endswith(".tmpl.h"):
            continue
        if re.search(rf"^KERNEL\({kernel}\b", header.read_text(encoding="utf-8"), re.M):
            return header.relative_to(ROOT / "csrc").with_suffix("").as_posix()
    return None


def header_named(stem: str) -> str:
    """The header of a family with the name of its wrapper, as `family/name`."""
    found = next((ROOT / "csrc").rglob(f"{stem}.h"), None)
    return found.parent.name + "/" + stem if found else stem
