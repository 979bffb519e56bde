"""What we tell people to install is ours: the distribution is `fastnn-engine`, the import `fastnn`.

`fastnn` on the package index is another project, so a hint that named it would bring a stranger's
code.
"""

import re
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

import fastnn as nn

pytestmark = needs_sources

PLACES = ("fastnn", "csrc", "docs", "examples", "benchmarks", "tests", "tools", ".ci", "README.md", "CHANGELOG.md",
          "CONTRIBUTING.md", "Makefile", "setup.py", "pyproject.toml", "mkdocs.yml")
TEXT = {".py", ".pyx", ".pxi", ".pyi", ".c", ".h", ".md", ".txt", ".toml", ".yml", ".html", ".css", ".js", ""}
HINT = re.compile(r"""pip3?(?:\s-[\w-]+)*\sinstall\s+([^`\n|;&)(]*)""")
OURS = re.compile(r"fastnn-engine(?:\[([\w,-]+)\])?$")


def project() -> dict:
    tomllib = pytest.importorskip("tomllib", reason="pyproject.toml is read from Python 3.11 on")
    return tomllib.loads((ROOT/"pyproject.toml").read_text(encoding="utf-8"))["project"]


def texts():
    """(path, text) of every file in the project that a person reads."""
    for place in PLACES:
        top = ROOT/place
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and path.suffix in TEXT and "__pycache__" not in path.parts and path != Path(__file__):
                yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def hints(text: str):
    """The packages of every `pip install` in a text, without quotes: ["-e", ".[test]"]."""
    for found in HINT.finditer(text):
        yield [word.strip("\"',.:\\") or "." for word in found[1].split()]


def strangers(text: str) -> list[str]:
    """Hints that would bring another project's fastnn."""
    return [word for words in hints(text) for word in words if word.startswith("fastnn") and not OURS.match(word)]


def test_the_distribution_is_fastnn_engine():
    assert project()["name"] == "fastnn-engine"


def test_the_version_has_one_place():
    assert "version" not in project() and "version" in project()["dynamic"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", nn.__version__)


def test_every_hint_brings_our_code():
    found = dict(texts())
    assert {"README.md", "fastnn/io/safetensors.py", "csrc/fastnn.h", "docs/guide/install.md"} <= set(found)
    assert {path: bad for path, text in found.items() if (bad := strangers(text))} == {}


def test_every_extra_that_is_named_exists():
    known = set(project()["optional-dependencies"])
    for path, text in texts():
        for words in hints(text):
            for word in words:
                ours = OURS.match(word) or re.match(r"\.\[([\w,-]+)\]", word)
                assert not ours or not ours[1] or set(ours[1].split(",")) <= known, f"{path}: {word}"
    assert sum(bool(OURS.match(word)) for _, text in texts() for words in hints(text) for word in words) >= 8


def test_the_library_names_the_extra_and_not_a_package():
    """One way to say it: what an extra brings is installed by the extra."""
    for path, text in texts():
        if path.startswith("fastnn/"):
            assert all(OURS.match(words[0]) for words in hints(text)), path


@pytest.mark.parametrize("text", [
    "pip install fastnn", "pip install 'fastnn[images]'", "python -m pip install -U fastnn",
    "`pip install fastnn[bench]`", 'pip install "fastnn==0.1"', "pip install numpy fastnn"])
def test_the_search_can_fail(text):
    assert strangers(text)


@pytest.mark.parametrize("text", ['pip install -e ".[test]" && python', 'pip install "fastnn-engine[images]"',
                                  "pip install fastnn-engine", "pip install -e . && .venv/bin/python -m fastnn"])
def test_the_search_lets_our_own_pass(text):
    assert not strangers(text)
