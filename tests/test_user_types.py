"""The types that users get from an installed fastnn, editable or not: mypy and pyright over scripts
of theirs (typed_script.py, typed_mistakes.py), from a folder and an environment of their own.

What is installed here has no kernels: checkers read Python alone. So `setup.py` stays away, and the
build takes two seconds.
"""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

import fastnn as nn

pytestmark = needs_sources
HERE = Path(__file__).parent
ROOMS = ("autograd", "data", "errors", "functional", "init", "layers", "models", "optim", "special", "testing",
         "utils", "viz")


def need(*packages):
    for package in packages:
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed")


@pytest.fixture(scope="module", params=["editable", "wheel"])
def python(request, tmp_path_factory):
    """The interpreter of an environment where fastnn is installed, with NumPy from this one."""
    need("pip", "setuptools")
    room = tmp_path_factory.mktemp(request.param)
    project = room/"project"
    shutil.copytree(ROOT/"fastnn", project/"fastnn", ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.c"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT/name, project)
    venv.create(room/"venv")
    python = room/"venv/bin/python"
    purelib, = (room/"venv").glob("lib/python*/site-packages")
    (purelib/"these.pth").write_text(sysconfig.get_path("purelib"))
    subprocess.run([sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-build-isolation",
                    "--no-deps", *(["-e"] if request.param == "editable" else []), project],
                   check=True, capture_output=True)
    if request.param == "wheel":                    # no way back to the sources
        shutil.rmtree(project)
    return python


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def check(request, python, tmp_path_factory):
    """Gives a checker files of these names and texts: {(file, line): what it says}."""
    need(request.param)
    room = tmp_path_factory.mktemp(request.param)

    def found(**texts):
        for name, text in texts.items():
            (room/f"{name}.py").write_text(text)
        files = [f"{name}.py" for name in texts]
        if request.param == "mypy":
            told = run(["--strict", "--python-executable", python, "--no-error-summary", *files])
            return {(name, int(line)): text for name, line, text in
                    re.findall(r"^(\w+)\.py:(\d+): error: (.*)", told, re.MULTILINE)}
        told = json.loads(run(["--pythonpath", python, "--outputjson", *files]))["generalDiagnostics"]
        return {(Path(row["file"]).stem, row["range"]["start"]["line"] + 1): row["message"] for row in told
                if row["severity"] == "error" and row["rule"] != "reportUnusedExpression"}

    def run(args):
        done = subprocess.run([sys.executable, "-m", request.param, *args], cwd=room, capture_output=True, text=True)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout
    return found


def test_fastnn_is_a_command(python):
    """Beside `python -m fastnn`, under its own name."""
    def told(*command, code=0):
        done = subprocess.run(command, capture_output=True, text=True, cwd=python.parent)
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout
    command = python.with_name("fastnn")
    assert told(command, "--version") == told(python, "-m", "fastnn", "--version") == f"fastnn {nn.__version__}\n"
    assert told(command, "ops", "relu") == told(python, "-m", "fastnn", "ops", "relu")
    assert "\nfastnn: " in "\n" + told(command, "--epoch", code=2)
    assert "\npython -m fastnn: " in "\n" + told(python, "-m", "fastnn", "--epoch", code=2)


def every_public_name():
    """A script that names all that the face, its rooms, tensors and modules show to users."""
    lines = ["import fastnn as nn", "", "x = nn.ones(2)", "model = nn.Linear(2, 3)"]
    inside = {path.stem for path in (ROOT/"fastnn").iterdir()} - set(ROOMS) - set(nn._LAZY) - {"creation", "device"}
    inside |= {"TYPE_CHECKING", "Any", "annotations"}
    lines += [f"nn.{name}" for name in dir(nn) if name[0] != "_" and name not in inside]
    for room in ROOMS:
        module = getattr(nn, room)
        names = getattr(module, "__all__", None) or [
            name for name, value in vars(module).items()
            if name[0] != "_" and getattr(value, "__module__", "").startswith("fastnn")]
        lines += [f"nn.{room}.{name}" for name in names]
    for name, thing in (("x", nn.ones(2, 2)), ("model", nn.Linear(2, 3))):
        # the class also knows names that it only says something about: x.append
        lines += [f"{name}.{known}" for known in dir(type(thing)) if known[0] != "_" and hasattr(thing, known)]
    return "\n".join(lines) + "\n"


def test_a_checker_sees_what_a_user_sees(check):
    """The right script has no error, the mistakes are found, and every public name is there."""
    script, mistakes, names = ((HERE/"typed_script.py").read_text(), (HERE/"typed_mistakes.py").read_text(),
                               every_public_name())
    assert names.count("\n") > 1000
    found = check(typed_script=script, typed_mistakes=mistakes, public_names=names)
    wrong = {("typed_mistakes", number) for number, line in enumerate(mistakes.splitlines(), 1) if "# wrong" in line}
    assert {place: text for place, text in found.items() if place not in wrong} == {}
    assert wrong - set(found) == set()
