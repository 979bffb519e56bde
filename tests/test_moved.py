"""Old import paths lead to where the thing is now, and say where that is."""

import importlib
import sys

import pytest

import fastnn
from fastnn import moved


@pytest.mark.parametrize("old", moved.MODULES)
def test_old_module_is_the_new_one(old, monkeypatch):
    monkeypatch.delitem(sys.modules, old, raising=False)
    new = importlib.import_module(moved.MODULES[old])
    spec = new.__spec__
    with pytest.warns(DeprecationWarning, match=moved.MODULES[old]):
        assert importlib.import_module(old) is new
    assert new.__spec__ is spec and new.__name__ == moved.MODULES[old]


@pytest.mark.parametrize("module, name", [(module, name) for module, names in moved.NAMES.items() for name in names])
def test_old_name_is_the_new_one(module, name):
    new, attribute = moved.NAMES[module][name]
    with pytest.warns(DeprecationWarning, match=f"{new}.{attribute}"):
        assert getattr(importlib.import_module(module), name) is getattr(importlib.import_module(new), attribute)


def test_attributes_of_packages_work_as_well(monkeypatch):
    monkeypatch.delitem(sys.modules, "fastnn.ops.registry", raising=False)
    monkeypatch.delattr(fastnn.ops, "registry", raising=False)
    with pytest.warns(DeprecationWarning, match=r"fastnn\.op"):
        assert fastnn.ops.registry.OPS is fastnn.op.OPS


@pytest.mark.parametrize("old", moved.GONE)
def test_what_is_done_in_another_way_says_how(old):
    with pytest.raises(ModuleNotFoundError, match=r"nn\.viz\.report"):
        importlib.import_module(old)


def test_what_never_was_is_not_found():
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("fastnn.cli.never")
    with pytest.raises(AttributeError, match="never"):
        fastnn.config.never  # noqa: B018
