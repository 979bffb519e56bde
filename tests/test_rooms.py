"""docs/design/rooms.md, held over the syntax trees: who imports whom, and who prints."""

import ast
import re

import pytest
from checkout import ROOT, needs_sources

PAGE = ROOT/"docs"/"design"/"rooms.md"


@needs_sources
def test_the_rules_hold():
    found = faults(ROOT/"fastnn", PAGE.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def faults(package, page):
    """What breaks a rule, a line each."""
    rows = {names(row[0])[0]: row[2] for row in table(page, "The rooms")}
    order = list(rows)
    may = {who: order[:i] if rows[who] == "all above" else names(rows[who]) for i, who in enumerate(order)}
    exceptions = {(names(row[0])[0], names(row[1])[0]) for row in table(page, "Exceptions")}
    files = modules(package)
    there = {room(module) for module in files}

    found = [f"rooms.md: {who} may import {whom}, which stands below it"
             for i, who in enumerate(order) for whom in may[who] if whom not in order[:i]]
    found += [f"rooms.md: a row for {who}, which is not there" for who in order if who not in there]
    found += [f"{who} has no row in rooms.md" for who in sorted(there - set(order))]
    graph, used = {}, set()
    for who, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for whom, inside, line in dict.fromkeys(imports(who, path, tree, files)):
            excepted = exceptions & {(who, whom), (who, room(whom))} if inside else set()
            used |= excepted
            if excepted:
                continue
            graph.setdefault(who, set()).add(whom)
            if room(whom) != room(who) and room(whom) not in may.get(room(who), ()):
                found.append(f"{path.name}:{line}: {who} imports {whom}, which {room(who)} may not")
        for line, call in printed(tree):
            if who != "console":
                found.append(f"{path.name}:{line}: {who} calls {call} outside console.py")
    found += [f"a circle of imports: {', '.join(sorted(circle))}" for circle in circles(graph)]
    return found + [f"rooms.md: the exception {who} -> {whom} is not needed" for who, whom in sorted(exceptions - used)]


def table(page, heading):
    """The rows of the table under a heading: a list of cells each."""
    body = next(part for part in re.split(r"^#+ ", page, flags=re.M) if part.startswith(heading))
    lines = [line for line in body.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell):
    return re.findall(r"`([\w.]+)`", cell)


def room(module):
    return module.split(".")[0]


def modules(package):
    """{"layers.norm": its file}; the package itself is "fastnn"."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "fastnn"] = path
    return found


def imports(who, path, tree, known):
    """(module, whether inside a function, line) of all that one file imports from the package.

    What type checkers alone import does not count.
    """
    here = ["fastnn", *(who.split(".") if who != "fastnn" else [])]
    here = here if path.name == "__init__.py" else here[:-1]

    def targets(node):
        if isinstance(node, ast.Import):
            return [alias.name.split(".") for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            base = here[:len(here) - node.level + 1] if node.level else []
            base = base + (node.module.split(".") if node.module else [])
            return [[*base, alias.name] for alias in node.names]
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            return [node.args[0].value.split(".")] if isinstance(node.args[0], ast.Constant) else []
        return []

    def visit(node, inside):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
                continue
            for top, *rest in targets(child):
                if top == "fastnn" and rest != ["_kernels"]:
                    candidates = ".".join(rest), ".".join(rest[:-1])    # a module, or a name in one
                    yield next((module for module in candidates if module in known), "fastnn"), inside, child.lineno
            yield from visit(child, inside or isinstance(child, (ast.FunctionDef, ast.Lambda)))
    return visit(tree, False)


def printed(tree):
    """(line, function) of all calls that print."""
    for node in ast.walk(tree):
        call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        if call in ("print", "sys.stdout.write", "sys.stderr.write"):
            yield node.lineno, call


def circles(graph):
    """Sets of modules that import each other, around one or more corners."""
    def reached(start):
        seen, waiting = set(), [start]
        while waiting:
            fresh = graph.get(waiting.pop(), set()) - seen
            seen |= fresh
            waiting += fresh
        return seen
    beyond = {module: reached(module) for module in graph}
    return {frozenset(other for other in seen if module in beyond.get(other, ()))
            for module, seen in beyond.items() if module in seen}


# ---- the test of the test: a small tree, in which each rule is broken once -----------------------
RULES = """
## The rooms
| room | what | may import |
|---|---|---|
| `console` | | nothing |
| `low` | | nothing |
| `layers` | | `low` |
| `fastnn` | | `layers` |
| `top` | | all above |

## Exceptions
| who | whom | why |
|---|---|---|
| `low.a` | `top` | |
"""
TREE = {
    "__init__.py": "from .layers import x",
    "console.py": "print('here alone')",
    "low/__init__.py": "from . import a",
    "low/a.py": "def draw():\n    from .. import top",
    "low/b.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..top import x",
    "layers.py": "from .low import a",
    "top.py": "import fastnn, sys",
}


@pytest.mark.parametrize("files, rules, told", [
    ({}, RULES, []),
    ({"low/b.py": "from .. import layers"}, RULES, ["b.py:1: low.b imports layers, which low may not"]),
    ({"low/b.py": "def f():\n    import fastnn.top"}, RULES, ["b.py:2: low.b imports top, which low may not"]),
    ({"low/b.py": "import importlib\nimportlib.import_module('fastnn.top')"}, RULES, ["b.py:2: low.b imports top"]),
    ({"low/b.py": "from .. import x"}, RULES, ["low.b imports fastnn, which low may not"]),
    ({"low/a.py": "from .. import top"}, RULES, ["low.a imports top", "circle", "low.a -> top is not needed"]),
    ({"low/a.py": ""}, RULES, ["exception low.a -> top is not needed"]),
    ({"low/b.py": "from . import c", "low/c.py": "def f():\n    from .b import y"}, RULES, ["imports: low.b, low.c"]),
    ({"new.py": ""}, RULES, ["new has no row"]),
    ({"top.py": "print(1)"}, RULES, ["top.py:1: top calls print outside console.py"]),
    ({"top.py": "import sys\nsys.stderr.write('')"}, RULES, ["top.py:2: top calls sys.stderr.write outside"]),
    ({}, RULES.replace("`low` | | nothing", "`low` | | `layers`"), ["low may import layers, which stands below"]),
    ({}, RULES.replace("| `top`", "| `gone` | | nothing |\n| `top`", 1), ["a row for gone, which is not there"])])
def test_a_broken_rule_is_told(tmp_path, files, rules, told):
    package = tmp_path/"fastnn"
    (package/"low").mkdir(parents=True)
    for name, text in {**TREE, **files}.items():
        (package/name).write_text(text, encoding="utf-8")
    found = faults(package, rules)
    assert len(found) == len(told) and all(words in line for words, line in zip(told, found)), found
