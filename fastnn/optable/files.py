"""The files that an op is made of: its record, definition, kernel, wrapper, page and tests."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from ..op import Op

__all__ = ["files_of"]

# of a checkout; in an installed package the C files are not there
ROOT = Path(__file__).resolve().parents[2]


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
