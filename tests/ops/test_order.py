"""An op's file shows its functions first, and its records last, for they name all the others."""

import ast
import itertools
from pathlib import Path

import pytest

import fastnn.ops

FILES = sorted(path for path in Path(fastnn.ops.__file__).parent.glob("*.py") if path.name != "__init__.py")
ORDER = ["imports", "__all__", "constants", "public functions", "helpers", "records"]


def names_of(node):
    """The names that a statement at the top of a file defines."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]


def makers(sources):
    """The functions that make records, of all the files: one may make those of another."""
    return {"register"} | {node.name for source in sources for node in ast.parse(source).body
                           if isinstance(node, ast.FunctionDef) and node.returns is not None
                           and ast.unparse(node.returns) == "Op"}


MAKERS = makers(path.read_text(encoding="utf-8") for path in FILES)


def parts(source):
    """(line, part) of each statement, with what belongs to several parts in the part before it."""
    tree = ast.parse(source)
    public = next(ast.literal_eval(node.value) for node in tree.body if "__all__" in names_of(node))
    found, now = [], 0
    for node in tree.body[1:]:                      # the first is the docstring
        names = names_of(node)
        function = isinstance(node, (ast.FunctionDef, ast.ClassDef))
        if isinstance(node, (ast.Import, ast.ImportFrom)) or ast.unparse(node).startswith("if TYPE_CHECKING:"):
            now = 0
        elif names == ["__all__"]:
            now = 1
        elif isinstance(getattr(node, "value", None), ast.Call) and ast.unparse(node.value.func) in MAKERS:
            now = 5
        elif names and set(names) <= set(public):
            now = 3                             # a function, or another name of one: swish = silu
        elif function:
            now = 4
        else:                                       # a constant: its place is where it is used
            now = now if now >= 4 else 2
        found.append((node.lineno, ORDER[now]))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_functions_come_first_and_records_last(path):
    found = parts(path.read_text(encoding="utf-8"))
    for (_, before), (line, part) in itertools.pairwise(found):
        assert ORDER.index(before) <= ORDER.index(part), f"{path.name}:{line}: {part} after {before}"


def test_the_order_is_noticed():
    source = '"""doc"""\nimport a\n__all__ = ["f"]\nK = 1\ndef f(): pass\ndef check(): pass\nF = register(f)\n'
    assert [part for _, part in parts(source)] == ORDER
    for late in ("import b", "K = 2\ndef f(): pass", "def check(): pass"):
        found = [ORDER.index(part) for _, part in parts(source + late)]
        assert found != sorted(found)
