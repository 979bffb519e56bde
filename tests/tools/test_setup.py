"""What setup.py says where it cannot do its work: no compiler, no Cython, or an old setuptools; and
that CONTRIBUTING's set-up brings what its commands need.
"""

import os
import re
import subprocess
import sys

import pytest
from checkout import ROOT, needs_sources

pytestmark = needs_sources

OLD_SETUPTOOLS = {
    "setuptools/__init__.py": '__version__ = "76.1.0"\nExtension = setup = None\n',
    "setuptools/command/__init__.py": "",
    "setuptools/command/build_ext.py": "build_ext = object\n",
}
# takes the extension as it is, so that nothing is written beside the sources
NO_CYTHON = {"Cython/__init__.py": '__version__ = "3.1.0"\n',
             "Cython/Build.py": "def cythonize(modules, **options):\n    return modules\n"}


def build(tmp_path, modules, **environment):
    """`setup.py build_ext` in a process that finds these modules first."""
    for name, text in modules.items():
        path = tmp_path/"modules"/name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FASTNN_")}
    return subprocess.run(
        [sys.executable, "setup.py", "-q", "build_ext", "--build-lib", tmp_path/"lib", "--build-temp", tmp_path/"temp"],
        cwd=ROOT, env={**kept, "PYTHONPATH": str(tmp_path/"modules"), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True, text=True)


@pytest.mark.parametrize("modules, words", [
    (OLD_SETUPTOOLS, "setuptools >= 77, and here is 76.1.0"),
    ({"setuptools/__init__.py": "raise ImportError\n"}, "setuptools >= 77, and here is none"),
    ({"Cython/__init__.py": "raise ImportError\n"}, "Cython >= 3.1, and here is none"),
    ({"Cython/__init__.py": '__version__ = "3.0.12"\n'}, "Cython >= 3.1, and here is 3.0.12")],
    ids=["old setuptools", "no setuptools", "no Cython", "old Cython"])
def test_what_a_build_lacks_is_named_in_a_line_with_what_to_install(tmp_path, modules, words):
    done = build(tmp_path, modules)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [f"fastnn: setup.py needs {words}: "
                                        f"{sys.executable} -m pip install 'setuptools>=77' 'cython>=3.1'"]


def test_what_setup_py_looks_for_is_what_pip_brings():
    lists = (ROOT/"pyproject.toml").read_text(encoding="utf-8")
    assert 'requires = ["setuptools>=77", "cython>=3.1"]' in lists
    assert '(("setuptools", (77,)), ("Cython", (3, 1)))' in (ROOT/"setup.py").read_text(encoding="utf-8")


def test_the_set_up_of_contributing_brings_what_make_calls():
    assert '.venv/bin/pip install -e ".[dev]"' in (ROOT/"CONTRIBUTING.md").read_text(encoding="utf-8")
    lists = (ROOT/"pyproject.toml").read_text(encoding="utf-8")
    dev = "".join(re.findall(r"^(?:dev|test|docs) = (\[.*\])", lists, re.MULTILINE)).lower()
    called = set(re.findall(r"\$\(PY\) -m (\w+)", (ROOT/"Makefile").read_text(encoding="utf-8")))
    assert {"pytest", "ruff", "mypy", "pyright"} <= called
    # ziglang is a compiler for other systems, of 100 MB
    assert {name for name in called - {"fastnn", "ziglang"} if f'"{name}' not in dev} == set()


@pytest.mark.skipif(os.name == "nt", reason="CC names no compiler there")
def test_without_a_compiler_it_says_how_to_install_again(tmp_path):
    done = build(tmp_path, NO_CYTHON, CC="false")
    assert done.returncode == 0, done.stderr
    assert "the C kernels could NOT be compiled" in done.stderr
    assert "pip install --no-cache-dir --force-reinstall" in done.stderr
    assert not list(tmp_path.rglob("_kernels*.so"))


@pytest.mark.skipif(os.name == "nt", reason="CC names no compiler there")
def test_where_kernels_are_required_a_failed_compilation_stops_the_build(tmp_path):
    done = build(tmp_path, NO_CYTHON, CC="false", FASTNN_REQUIRE="1")
    assert done.returncode != 0 and "could NOT be compiled" not in done.stderr
