"""Name what an op lacks in the files that it is made of, before a link error does.

    python tools/places.py              one line for each; exit code 1 if there are any
    python tools/places.py --build      only what would not compile, link or import: make build
                                        begins with it

It reads the files and imports nothing, so that it also runs where a half-written op cannot be
imported. CONTRIBUTING.md has the list for people.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
READ = ("csrc/*.h", "csrc/*/*.[ch]", "fastnn/kernels/*.p[xy][xi]", "fastnn/kernels/*.pyx", "fastnn/functional.py",
        "fastnn/ops/*.py", "fastnn/layers/*.py", "tests/c/cases_*.c", "tests/ops/*.py", "tests/layers/*.py",
        "docs/api/*.md", "docs/ops.md")
# functions of which PyTorch has no layer; swish is another name
NO_LAYER = {"heaviside", "swish"}
# base classes; rows of tests/layers that are made in a loop; two layers that are compared with the
# functions, as PyTorch's slopes are rounded to float32
NO_ROW = re.compile(r"Recurrent(Cell)?$|(Zero|Reflection|Replication|Circular)Pad[123]d|Hardsigmoid|Hardswish")


def sources(root: Path = ROOT) -> dict[str, str]:
    """path -> text of every file that is read."""
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
            for pattern in READ for path in sorted(root.glob(pattern)) if path.name != "rows.pxi"}


class Record(NamedTuple):
    """What a file of fastnn/ops says of one op."""

    path: str
    name: str
    kernels: tuple[str, ...]        # the wrappers that it names


# ---- what is there -------------------------------------------------------------------------------
def text_of(files: Mapping[str, str], pattern: str) -> str:
    return "\n".join(text for path, text in files.items() if fnmatch(path, pattern))


def rows(files: Mapping[str, str]) -> dict[str, str]:
    """kernel -> the header with its row."""
    return {name: path for path, text in files.items() if path.endswith(".h") and not path.endswith(".tmpl.h")
            for name in re.findall(r"^KERNEL\((\w+),", text, re.MULTILINE)}


def exported(text: str) -> list[str]:
    """The names in the __all__ of a module."""
    found = re.search(r"^__all__ = (\[.*?\])$", text, re.MULTILINE | re.DOTALL)
    return ast.literal_eval(found[1]) if found else []


def records(files: Mapping[str, str]) -> Iterator[Record]:
    """The records that stand as Op(name="relu", ...), or as a call of a function that makes one:
    activation("relu", ...).
    """
    for path, text in files.items():
        if fnmatch(path, "fastnn/ops/*.py"):
            yield from records_of(path, text)


@lru_cache(maxsize=200)                                 # three ask, and most files stay as they are
def records_of(path: str, text: str) -> list[Record]:
    module, found = ast.parse(text), []
    words = {line.targets[0].id: line.value.value for line in module.body if isinstance(line, ast.Assign)
             and isinstance(line.targets[0], ast.Name) and isinstance(line.value, ast.Constant)}
    makers = {line.name: line for line in module.body if isinstance(line, ast.FunctionDef)
              and line.args.args and line.args.args[0].arg == "name" and calls_of(line, "Op")}
    for line in module.body:
        if isinstance(line, ast.FunctionDef):
            continue
        for call in calls_of(line, "Op", *makers):
            maker = makers.get(call.func.id)
            given = {word.arg: word.value for word in call.keywords if word.arg}
            first = call.args[0] if call.args else given.get("name")
            name = first.value if isinstance(first, ast.Constant) else words.get(getattr(first, "id", ""))
            if not isinstance(name, str):
                continue
            compiled = not isinstance(given.get("compiled"), ast.Constant) or bool(given["compiled"].value)
            known = {**words, "name": name}
            inside = maker and next(iter(calls_of(maker, "Op")))
            named = [*kernels_in(call, known, compiled), *(kernels_in(inside, known, compiled) if inside else ())]
            found.append(Record(path, name, tuple(dict.fromkeys(named))))
    return found


def calls_of(tree: ast.AST, *functions: str) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            and node.func.id in functions]


def kernels_in(call: ast.Call, words: Mapping[str, object], compiled: bool) -> Iterator[str]:
    """The names that kernel(...) gets directly as an argument of this call, or `if compiled`."""
    for word in call.keywords:
        value = word.value
        if isinstance(value, ast.IfExp):
            if not (isinstance(value.test, ast.Name) and value.test.id == "compiled" and compiled):
                continue
            value = value.body
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "kernel":
            try:
                yield eval(compile(ast.Expression(value.args[0]), "record", "eval"), {"__builtins__": {}}, dict(words))
            except NameError:
                continue


# ---- what is not ---------------------------------------------------------------------------------
def lacking(files: Mapping[str, str]) -> list[str]:
    """A line for each thing that is missing: where it belongs, and what."""
    return [*kernels_lack(files), *wrappers_lack(files), *families_lack(files), *functions_lack(files),
            *layers_lack(files)]


def kernels_lack(files: Mapping[str, str]) -> Iterator[str]:
    """Rows of kernels without a body, a case, a name in their header, or a caller."""
    templates = text_of(files, "csrc/*.tmpl.h")
    bodies = set(re.findall(r"^[A-Z]\w*\((\w+)[,)]", templates, re.MULTILINE))
    for line in re.findall(r"^[a-z].*\bFN\(.*", templates, re.MULTILINE):
        bodies.update(re.findall(r"\bFN\((\w+)\)", line))
    cases = set(re.findall(r"^[A-Z]\w*\((\w+)", text_of(files, "tests/c/*"), re.MULTILINE))
    called = set(re.findall(r"\bfnn_(\w+)", text_of(files, "fastnn/kernels/*.pxi")))
    for name, header in rows(files).items():
        if name not in bodies:
            yield f"{header[:-1]}tmpl.h: the body of {name}, FN({name}) or a line MAP1({name}, ...)"
        if name not in cases:
            yield f"tests/c/cases_*.c: a case of {name}; tests/c/cases.h tells how"
        if not re.search(rf"\bfnn_{name}\b", files[header].partition("*/")[0]):
            yield f"{header}: fnn_{name} under Names, at the top"
        if name not in called:
            yield f"fastnn/kernels/*.pxi: a call of fnn_{name}"


def wrappers_lack(files: Mapping[str, str]) -> Iterator[str]:
    """Wrappers that call what has no row, and records that name what is no wrapper."""
    known = set(rows(files))
    wrappers = {path: text for path, text in files.items() if path.endswith(".pxi")}
    declared = set()
    for text in wrappers.values():
        for block in re.findall(r"^cdef extern .*\n(?:(?:[ ]{4}.*)?\n)+", text, re.MULTILINE):
            declared |= set(re.findall(r"\bfnn_(\w+)", block))
    for path, text in wrappers.items():
        code = re.sub(r"#.*", "", text)
        for name in sorted(set(re.findall(r"\bfnn_(\w+)", code)) - known - declared):
            yield f"csrc/<family>/<name>.h: a row KERNEL({name}, ...), which {path} calls"
    defined = set(re.findall(r"^(?:def )?(\w+)(?:\(| = )", "\n".join(wrappers.values()), re.MULTILINE))
    for record in records(files):
        for name in record.kernels:
            if name not in defined:
                yield f"fastnn/kernels/*.pxi: def {name}(...), which the record of {record.name} in {record.path} names"


def families_lack(files: Mapping[str, str]) -> Iterator[str]:
    """Files that no list names: kernels.h, _kernels.pyx."""
    for header in sorted(set(rows(files).values())):
        if f'#include "{header.removeprefix("csrc/")}"' not in files["csrc/kernels.h"]:
            yield f'csrc/kernels.h: #include "{header.removeprefix("csrc/")}"'
        if header[:-1] + "c" not in files:
            yield f"{header[:-1]}c: four lines, as in csrc/pointwise/activation.c"
    for path in files:
        if path.endswith(".pxi") and f'include "{Path(path).name}"' not in files["fastnn/kernels/_kernels.pyx"]:
            yield f'fastnn/kernels/_kernels.pyx: include "{Path(path).name}"'


def functions_lack(files: Mapping[str, str]) -> Iterator[str]:
    """Functions that nn.functional, the pages or the tests do not have, ops that the table does not
    have.
    """
    for path, text in files.items():
        stem = Path(path).stem
        functions = re.findall(r"^def (\w+)\(", text, re.MULTILINE)
        if not fnmatch(path, "fastnn/ops/*.py") or not set(exported(text)) & set(functions):
            continue
        if f"from .ops.{stem} import *" in files["fastnn/functional.py"]:
            if f"::: fastnn.ops.{stem}\n" not in text_of(files, "docs/api/*") + "\n":
                yield f"docs/api/*.md: ::: fastnn.ops.{stem}"
        elif stem not in ("checks", "shape_op", "window", "recurrent"):     # of the ops themselves
            yield f"fastnn/functional.py: from .ops.{stem} import *"
    tests = text_of(files, "tests/ops/*")
    for record in records(files):
        if f"| `{record.name}` |" not in files["docs/ops.md"]:
            yield f"docs/ops.md: the row of {record.name}; `make readme` writes it"
        if record.name in exported(files[record.path]) and not re.search(rf"\b{record.name}\b", tests):
            yield f"tests/ops/test_*.py: a number of {record.name} worked by hand, and PyTorch's"


def layers_lack(files: Mapping[str, str]) -> Iterator[str]:
    """Activations without a layer, layers without their rows of tests."""
    layers = exported(files["fastnn/layers/activation.py"])
    for name in exported(files["fastnn/ops/activation.py"]):
        if name.replace("_", "") not in {layer.lower() for layer in layers} | NO_LAYER:
            yield (f"fastnn/layers/activation.py: the layer of {name}, if PyTorch has one; else name it in NO_LAYER of "
                   "tools/places.py")
    module = files["tests/layers/test_module.py"]
    found = re.search(r"^ERRORS = \[$.*?^\]$", module, re.MULTILINE | re.DOTALL)
    refused = found[0] if found else ""
    tests = files["tests/layers/test_layers.py"] + module.replace(refused, "")
    bases = dict(re.findall(r"^class (\w+)\((\w+)", text_of(files, "fastnn/layers/*"), re.MULTILINE))
    for name in bases:
        above = [name]
        while above[-1] in bases:
            above.append(bases[above[-1]])
        if above[-1] != "Module" or name[0] == "_" or NO_ROW.match(name):
            continue
        if not re.search(rf"\b{name}\b", tests):
            yield f"tests/layers/test_layers.py: a row of {name} in CASES"
        if not re.search(rf"\b{name}\b", refused):
            yield f"tests/layers/test_module.py: a row of {name} in ERRORS, for what it refuses"


if __name__ == "__main__":
    files = sources()
    found = lacking(files) if sys.argv[1:] != ["--build"] else [*kernels_lack(files), *wrappers_lack(files),
                                                                *families_lack(files)]
    for line in found:
        print(f"missing in {line}", file=sys.stderr)
    sys.exit(1 if found else 0)
