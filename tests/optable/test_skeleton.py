"""`new-op`: what it writes is red, complete but for what it says, and green when it is filled."""

import os
import shutil
import subprocess
import sys

import pytest
from checkout import ROOT, needs_sources

from fastnn.console import UserError
from fastnn.kernels import compiled
from fastnn.op import OPS
from fastnn.optable.skeleton import kernel_skeleton, op_skeleton

pytestmark = needs_sources
TABLE = "docs/ops.md: the row of {}; `make readme` writes it"


@pytest.fixture
def checkout(tmp_path):
    """A copy of the files that make an op, with the compiled module."""
    for folder in ("csrc", "fastnn", "docs/api", "tests/c", "tests/ops", "tests/layers"):
        shutil.copytree(ROOT/folder, tmp_path/folder, ignore=shutil.ignore_patterns("*.so", "_kernels.c", "__pyc*"))
    shutil.copy(ROOT/"docs/ops.md", tmp_path/"docs")
    if compiled:
        os.symlink(compiled.__file__, tmp_path/"fastnn"/os.path.basename(compiled.__file__))
    return tmp_path


def fastnn(checkout, *words):
    return run(checkout, "-m", "fastnn", *words)


def run(checkout, *words):
    return subprocess.run([sys.executable, *words], cwd=checkout, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"})


def lacking(checkout, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT/"tools"))
    import places
    return places.lacking(places.sources(checkout))


def fill(checkout, definition, forward, backward):
    """Write the two lines of a definition."""
    path = checkout/definition
    text = path.read_text(encoding="utf-8")
    for blank, line in (('raise NotImplementedError("y = ..., straight from the formula")', forward),
                        ('raise NotImplementedError("dy times the derivative of that line")', backward)):
        assert text.count(blank) == 1
        text = text.replace(blank, line)
    path.write_text(text, encoding="utf-8")


def compiles(checkout, source):
    """Whether the compiler finds nothing wrong with a C file, for which nothing is optimised."""
    compiler = shutil.which(os.environ.get("CC", "cc").split()[-1]) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return True
    done = subprocess.run([compiler, "-std=c11", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-Wno-psabi",
                           "-Wno-unknown-pragmas", "-Icsrc", source], cwd=checkout, capture_output=True, text=True)
    return done.returncode == 0 or done.stderr


def test_an_activation(checkout, monkeypatch):
    done = fastnn(checkout, "new-op", "cubic", "--family", "activation", "--attr", "lambd=0.5")
    assert done.returncode == 0 and "fastnn/reference/activation.py" in done.stdout, done.stderr
    assert lacking(checkout, monkeypatch) == [TABLE.format("cubic")]
    red = fastnn(checkout, "check", "cubic")
    assert red.returncode == 1 and "NotImplementedError" in red.stdout
    fill(checkout, "fastnn/reference/activation.py", "y = lambd * x * x * x", "dx = dy * 3 * lambd * x * x")
    green = fastnn(checkout, "check", "cubic", "--all-laws")
    assert green.returncode == 0 and "all agree" in green.stdout, green.stdout
    # overflow is a result
    ends = "import fastnn as nn; nn.functional.cubic(nn.tensor([1e30], requires_grad=True)).backward()"
    quiet = run(checkout, "-W", "error", "-c", ends)
    assert quiet.returncode == 0, quiet.stderr
    shown = fastnn(checkout, "ops", "cubic").stdout
    assert "fastnn.functional.cubic(input, lambd=0.5)" in shown and "NumPy" not in shown
    done = fastnn(checkout, "new-op", "cubic", "--kernel")
    assert done.returncode == 0 and "tests/c/cases_elements.c" in done.stdout, done.stderr
    assert lacking(checkout, monkeypatch) == [TABLE.format("cubic")]
    template = (checkout/"csrc/pointwise/activation.tmpl.h").read_text(encoding="utf-8")
    assert "MAP2P(cubic_backward, dy, x, lambd, R(NAN) * dy * x * lambd)" in template
    assert compiles(checkout, "csrc/pointwise/activation.c") is True
    if compiled:                                    # the module has none so far
        assert "compiled kernels lack cubic_forward" in fastnn(checkout, "ops").stderr


@pytest.mark.slow
def test_a_new_family_with_two_inputs(checkout, monkeypatch):
    done = fastnn(checkout, "new-op", "hypotenuse", "--family", "pairs", "--inputs", "a,b", "--page", "arithmetic")
    assert done.returncode == 0 and "fastnn/ops/pairs.py  (new)" in done.stdout, done.stderr
    assert lacking(checkout, monkeypatch) == [TABLE.format("hypotenuse")]
    fill(checkout, "fastnn/reference/pairs.py", "y = np.sqrt(a * a + b * b)",
         "da, db = (dy * c / np.sqrt(a * a + b * b) for c in (a, b))")
    assert fastnn(checkout, "check", "hypotenuse", "--all-laws").returncode == 0
    assert "--folder" in fastnn(checkout, "new-op", "hypotenuse", "--kernel").stderr
    assert fastnn(checkout, "new-op", "hypotenuse", "--kernel", "--folder", "pointwise").returncode == 0
    assert lacking(checkout, monkeypatch) == [TABLE.format("hypotenuse")]
    assert compiles(checkout, "csrc/pointwise/pairs.c") is True
    header = (checkout/"csrc/pointwise/pairs.h").read_text(encoding="utf-8")
    assert "Names      fnn_hypotenuse_forward, fnn_hypotenuse_backward:\n *            FN(hypotenuse_forward)" in header
    assert "pairs.tmpl.h" in (checkout/"csrc/pointwise/map.tmpl.h").read_text()


def test_an_elementary_function(checkout):
    assert fastnn(checkout, "new-op", "cubic", "--family", "elementary", "--attr", "by=2").returncode == 0
    fill(checkout, "fastnn/reference/arithmetic.py", "y = by * x**3", "dx = dy * 3 * by * x**2")
    assert fastnn(checkout, "check", "cubic", "--all-laws").returncode == 0


@pytest.mark.parametrize("make, words", [
    (lambda: op_skeleton("relu", "activation"), "there is relu already, in fastnn.ops.activation"),
    (lambda: op_skeleton("tanhshrink", "activation"), "there is tanhshrink already, in fastnn.ops.composed"),
    (lambda: op_skeleton("My-Op", "activation"), "'My-Op' is no name"),
    (lambda: op_skeleton("cubic", "activation", ("a", "b")), "have one input; 2 go to another family"),
    (lambda: op_skeleton("cubic", "cubes"), "--page says on which page of docs/api"),
    (lambda: op_skeleton("cubic", "activation", root=ROOT/"docs"), "a checkout of fastnn"),
    (lambda: kernel_skeleton("cubic"), "there is no op cubic: first its definition"),
    (lambda: kernel_skeleton(next(name for name in OPS if OPS[name].forward)), "has a kernel"),
] if compiled else [])
def test_what_it_refuses(make, words):
    with pytest.raises(UserError) as caught:
        make()
    assert words in str(caught.value)


def test_without_a_family_it_says_what_to_type():
    done = fastnn(ROOT, "new-op", "cubic")
    assert done.returncode == 2 and "--family says to which file" in done.stderr
    wrong = fastnn(ROOT, "new-op", "cubic", "--family", "activation", "--attr", "lambd")
    assert wrong.returncode == 2 and "as in lambd=0.5, got lambd" in wrong.stderr
