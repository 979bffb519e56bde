"""What setup.py says where it cannot do its work: no compiler, or an old setuptools."""

import os
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
NO_CYTHON = {"Cython/__init__.py": "", "Cython/Build.py": "def cythonize(modules, **options):\n    return modules\n"}


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


def test_an_old_setuptools_is_named_with_what_to_install(tmp_path):
    done = build(tmp_path, OLD_SETUPTOOLS)
    assert done.returncode == 1
    assert "setup.py needs setuptools >= 77, and here is 76.1.0" in done.stderr
    assert "python -m pip install 'setuptools>=77' 'cython>=3.1'" in done.stderr


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
