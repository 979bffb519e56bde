"""`new-op`: what it writes is red, complete but for what it says, and green when it is filled."""

import os
import re
import shutil
import subprocess
import sys

import pytest
from checkout import ROOT, needs_sources

from fastnn.console import UserError
from fastnn.kernels import compiled
from fastnn.op import OPS
from fastnn.optable import skeleton
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
    # PyTorch has no such function
    assert "cubic_is_pytorchs" not in (checkout/"tests/ops/test_activation.py").read_text()
    layers = (checkout/"tests/layers/test_layers.py").read_text()
    assert "def test_cubic_is_its_function" in layers and "n.Cubic()," not in layers
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
    tests = checkout/"tests/ops/test_pairs.py"
    worked = iter(["10**0.5, 20**0.5", "0.1**0.5, 0.2**0.5", "0.9**0.5, 0.8**0.5"])
    tests.write_text(re.sub(r"\[\.\.\.\]", lambda blank: f"pytest.approx([{next(worked)}])", tests.read_text()))
    green = run(checkout, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/ops/test_pairs.py")
    assert green.returncode == 0 and "3 passed" in green.stdout, green.stdout
    assert fastnn(checkout, "check", "hypotenuse", "--all-laws").returncode == 0
    assert "--folder" in fastnn(checkout, "new-op", "hypotenuse", "--kernel").stderr
    assert fastnn(checkout, "new-op", "hypotenuse", "--kernel", "--folder", "pointwise").returncode == 0
    assert lacking(checkout, monkeypatch) == [TABLE.format("hypotenuse")]
    assert compiles(checkout, "csrc/pointwise/pairs.c") is True
    template = (checkout/"csrc/pointwise/pairs.tmpl.h").read_text(encoding="utf-8")
    assert "MAP2(hypotenuse_forward, a, b, R(NAN) * a * b)" in template
    assert "const REAL dy = args->dy[i], a = args->a[i], b = args->b[i];" in template
    header = (checkout/"csrc/pointwise/pairs.h").read_text(encoding="utf-8")
    assert "Names      fnn_hypotenuse_forward, fnn_hypotenuse_backward:\n *            FN(hypotenuse_forward)" in header
    assert "pairs.tmpl.h" in (checkout/"csrc/pointwise/map.tmpl.h").read_text()


def test_an_elementary_function(checkout):
    assert fastnn(checkout, "new-op", "cubic", "--family", "elementary", "--attr", "by=2").returncode == 0
    fill(checkout, "fastnn/reference/arithmetic.py", "y = by * x**3", "dx = dy * 3 * by * x**2")
    assert fastnn(checkout, "check", "cubic", "--all-laws").returncode == 0


def drafted_tests(name, inputs=("x",), family="activation", **how):
    """The text of the tests that a draft has, all together, which is Python in 120 columns."""
    draft = op_skeleton(name, family, inputs, {"by": 2.0}, "arithmetic", **how)
    for path, text in draft.files.items():
        if path.endswith(".py"):
            compile(text, path, "exec")
            assert max(map(len, text.splitlines())) <= 120, path
    return "".join(text for path, text in draft.files.items() if path.startswith("tests/"))


@pytest.mark.parametrize("inputs, family", [(("x",), "activation"), (("a", "b"), "pairs"), (("a", "b", "c"), "pairs"),
                                            (("a", "b"), "transcendental"), (("a", "b"), "arithmetic")])
def test_pytorch_is_compared_where_it_has_the_function(monkeypatch, inputs, family):
    """And only there; --no-torch leaves it out everywhere."""
    monkeypatch.setattr(skeleton, "torch_names", lambda name: {"quartic", "Quartic"} & {name, name.title()})
    assert "def test_quartic_is_pytorchs" in drafted_tests("quartic", inputs, family)
    for name, how in (("quartic", {"with_torch": False}), ("quintic", {})):
        text = drafted_tests(name, inputs, family, **how)
        assert f"def test_{name}_by_hand" in text and f"{name}_is_pytorchs" not in text
        assert f'both("{name}")' not in text and f"lambda n: n.{name.title()}()" not in text
    if family == "activation":
        assert '"Quartic": (lambda n: n.Quartic(), [(3, 4, 6)])' in drafted_tests("quartic")
        # what the layer refuses is ours to test
        assert 'nn.Quintic()(zeros' in drafted_tests("quintic")


def test_what_pytorch_has(torch, monkeypatch):
    assert skeleton.torch_names("i0") == {"i0"} and skeleton.torch_names("softsign") == {"softsign", "Softsign"}
    assert not skeleton.torch_names("cubic") and not skeleton.torch_names("float32")    # a dtype
    def broken(name):
        raise OSError("no such library")
    monkeypatch.setattr(skeleton.importlib, "import_module", broken)
    assert not skeleton.torch_names("i0")


def test_several_inputs_are_as_complete_as_one():
    files = op_skeleton("quartic", "pairs", ("a", "b"), {"by": 2.0}, "arithmetic").files
    ops, definition = files["fastnn/ops/pairs.py"], files["fastnn/reference/pairs.py"]
    for words in (r"qquad da = dy\, ..., \quad db = dy\, ...", "which broadcast", "ShapeError : if the shapes do not",
                  'common_shape("quartic", a.shape, b.shape)', "apply(QUARTIC, *broadcast_tensors(a, b), by=float(by))",
                  'Refusal("shapes"', 'Refusal("dtypes"', 'Refusal("integers"', "tensor([1.0, 2.0]), nn.tensor([3.0"):
        assert words in ops, words
    assert "a, b = saved" in definition and "return (da, db)" in definition
    assert "def test_quartic_broadcasts" in files["tests/ops/test_pairs.py"]
    alone = op_skeleton("quartic", "singles", ("x",), {}, "arithmetic").files["fastnn/ops/singles.py"]
    assert "broadcast" not in alone and "ShapeError" not in alone


@pytest.mark.parametrize("make, words", [
    (lambda: op_skeleton("relu", "activation"), "there is relu already, in fastnn.ops.activation"),
    (lambda: op_skeleton("tanhshrink", "activation"), "there is tanhshrink already, in fastnn.ops.composed"),
    (lambda: op_skeleton("My-Op", "activation"), "'My-Op' is no name"),
    (lambda: op_skeleton("import", "activation"), "'import' is a word of Python's own and names nothing"),
    (lambda: op_skeleton("cubic", "import", (), {}, "arithmetic"), "'import' is a word of Python's own"),
    (lambda: op_skeleton("cubic", "arithmetic", ("a", "in")), "'in' is a word of Python's own"),
    (lambda: op_skeleton("cubic", "activation", attrs={"lambda": 0.5}), "write 'lambd'"),
    (lambda: op_skeleton("cubic", "activation", attrs={"float": 0.5}), "'float' has a meaning already"),
    (lambda: op_skeleton("apply", "arithmetic"), "'apply' has a meaning already"),
    (lambda: op_skeleton("cubic", "arithmetic", ("a", "a")), "'a' is given twice"),
    (lambda: op_skeleton("cubic", "activation", attrs={"cubic": 1}), "'cubic' is given twice"),
    (lambda: op_skeleton("cubic", "activation", ("a", "b")), "have one input; 2 go to another family"),
    (lambda: op_skeleton("cubic", "activaton"), "did you mean activation? fastnn/ops/activaton.py would be new"),
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
