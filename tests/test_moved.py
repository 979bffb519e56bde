"""Old import paths lead to where the thing is now, and say where that is.

old_names.txt holds the public names of every module before the rooms were cut.
"""

import importlib
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import fastnn
from fastnn import moved


def old_names():
    """{old module: its names}"""
    found, module = {}, ""
    for line in Path(__file__).with_name("old_names.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            found[module] += line.split()
        elif line and not line.startswith("#"):
            module = line
            found[module] = []
    return found


OLD = old_names()


@pytest.mark.parametrize("module", OLD)
def test_every_old_name_works_or_says_where_it_went(module):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        if module in moved.GONE:
            with pytest.raises(ModuleNotFoundError, match=r"fastnn\.report"):
                importlib.import_module(module)
            return
        here = importlib.import_module(module)
        for name in OLD[module]:
            if f"{module}.{name}" in moved.GONE:
                instead = moved.GONE[f"{module}.{name}"]
                with pytest.warns(FutureWarning) as told, pytest.raises(AttributeError) as error:
                    getattr(here, name)
                assert str(told[0].message) == str(error.value) == instead and f"{module}.{name} has gone; " in instead
            else:
                getattr(here, name)


def test_the_tables_hold_nothing_that_never_was():
    """An entry with a slip in it would help nobody."""
    names = {f"{module}.{name}" for module, names in OLD.items() for name in names}
    listed = {f"{module}.{name}" for module, names in moved.NAMES.items() for name in names}
    assert set(moved.MODULES) <= set(OLD) and listed | set(moved.GONE) <= names | set(OLD)
    assert not listed & set(moved.GONE)


@pytest.mark.parametrize("old", moved.MODULES)
def test_old_module_is_the_new_one(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)
    new = importlib.import_module(moved.MODULES[old])
    spec = new.__spec__
    with pytest.warns(DeprecationWarning, match=moved.MODULES[old]):
        assert importlib.import_module(old) is new
    assert new.__spec__ is spec and new.__name__ == moved.MODULES[old]


@pytest.mark.parametrize("old", [f"{module}.{name}" for module, names in moved.NAMES.items() for name in names])
def test_old_name_is_the_new_one(old):
    module, _, name = old.rpartition(".")
    new, _, attribute = moved.NAMES[module][name].rpartition(".")
    wanted = getattr(importlib.import_module(new), attribute)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)     # the module may have moved as well
        here = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=f"{old} has moved to {new}.{attribute}"):
        assert getattr(here, name) is wanted


def test_attributes_of_packages_work_as_well(monkeypatch):
    monkeypatch.delitem(sys.modules, "fastnn.ops.registry", raising=False)
    # not by delattr, which looks the attribute up and so gets the warning itself
    monkeypatch.delitem(vars(fastnn.ops), "registry", raising=False)
    with pytest.warns(DeprecationWarning, match=r"fastnn\.op"):
        assert fastnn.ops.registry.OPS is fastnn.op.OPS


@pytest.mark.parametrize("line", ["import fastnn.optim.schedule", "from fastnn.ops import registry",
                                  "fastnn.ops.registry", "from fastnn.config import seed",
                                  "from fastnn.cli.train import RECIPES", "from fastnn.cli.bench import run"])
def test_the_warning_is_at_the_line_that_uses_the_old_path(line, tmp_path):
    """Python shows a DeprecationWarning only where the user's own script is to blame."""
    script = tmp_path/"script.py"
    script.write_text(f"import fastnn\n{line}\n", encoding="utf-8")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=Path(__file__).parents[1],
                         env={"PYTHONPATH": str(Path(__file__).parents[1])})
    assert run.stderr.startswith(f"{script}:2: ") and f"  {line}\n" in run.stderr, run.stderr


def test_what_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fastnn.cli.never")
    for module in (fastnn.config, fastnn.viz, fastnn.io):
        with pytest.raises(AttributeError, match="has no attribute 'never'"):
            module.never  # noqa: B018
