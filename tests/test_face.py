"""`import fastnn as nn`: what is loaded later, and what a missing name says."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn as nn

FACE = Path(nn.__file__)


def test_what_is_loaded_later_is_what_type_checkers_see():
    tree = ast.parse(FACE.read_text(encoding="utf-8"))
    block, = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    seen = {alias.name for line in block.body for alias in line.names}
    assert seen == set(nn._LAZY) and seen <= set(dir(nn))
    for name in seen:
        assert getattr(nn, name) is not None


def test_an_import_loads_no_more_than_it_needs():
    code = "import sys, numpy; before = {*sys.modules}; import fastnn; print(*{*sys.modules} - before)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(told.stdout.split())
    later = ("bench", "cli", "data", "io", "models", "report", "testing", "training", "viz")
    slow = {"numpy.random", "difflib", "fractions", "importlib.abc", "tempfile", "shutil", "zlib", "fastnn.names"}
    assert "fastnn.layers" in loaded and not loaded & {*slow, *[f"fastnn.{room}" for room in later]}


@pytest.mark.parametrize("name, place", [
    ("Linaer", "nn.Linear"), ("batchnorm2d", "nn.BatchNorm2d"), ("optimm", "nn.optim"),
    ("cros_entropy", "nn.cross_entropy"), ("conv2", "nn.conv2d"),
    ("Adam", "nn.optim.Adam"), ("adam", "nn.optim.Adam"), ("xavier_uniform", "nn.init.xavier_uniform_"),
    ("detect_anomaly", "nn.autograd.detect_anomaly"), ("usekernel", "nn.use_kernel")])
def test_a_missing_name_says_what_is_near(name, place):
    with pytest.raises(AttributeError, match=rf"^module 'fastnn' has no attribute '{name}'\. Did you mean {place}\?$"):
        getattr(nn, name)


@pytest.mark.parametrize("name", ["xyzzy", "__wrapped__"])
def test_a_name_that_is_like_none_says_so(name):
    with pytest.raises(AttributeError, match=rf"^module 'fastnn' has no attribute '{name}'$"):
        getattr(nn, name)


# ---- the faces of the packages -------------------------------------------------------------------
MAY_DEFINE = {"kernels/__init__.py": {"kernel"}}    # it decides whether there are compiled kernels


def work_in(text):
    """The public functions and classes that a file defines itself."""
    return {node.name for node in ast.parse(text).body
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_")}


@pytest.mark.parametrize("path", sorted(FACE.parent.rglob("__init__.py")),
                         ids=lambda path: path.relative_to(FACE.parent).as_posix())
def test_an_init_is_a_face(path):
    """It says what the room is for and names what stands in its files; the work is in these."""
    text = path.read_text(encoding="utf-8")
    assert work_in(text) == MAY_DEFINE.get(path.relative_to(FACE.parent).as_posix(), set())
    assert ast.get_docstring(ast.parse(text))


def test_work_in_a_face_is_found():
    assert work_in("from .a import b\n\n\ndef save():\n    pass\n\n\ndef __getattr__(name):\n    pass\n") == {"save"}
