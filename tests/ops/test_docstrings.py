"""The docstring of every function has its parts: parameters, errors, cost, an example."""

import importlib
import inspect
import re
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

import fastnn as nn
import fastnn.ops

OPS = Path(fastnn.ops.__file__).parent
# no functions of the user's
SHARED = {"__init__", "checks", "recurrent", "shape_op", "slopes", "window"}
MODULES = [importlib.import_module(f"fastnn.ops.{path.stem}") for path in sorted(OPS.glob("*.py"))
           if path.stem not in SHARED]
FUNCTIONS = {name: getattr(module, name) for module in MODULES for name in module.__all__}
# swish is silu
OTHER_NAMES = {name for name, function in FUNCTIONS.items() if function.__name__ != name}

# part -> its section or label. "Parameters, errors and cost: as `relu`." stands for them.
PARTS = {"parameters": r"^Parameters\n-+\n", "errors": r"^Raises\n-+\n|^Errors: none",
         "cost": r"^Cost\n-+\n|(^|\. )Cost: (?!as `)"}


def has(name, part, on_the_way=()):
    """Whether the docstring has this part, or names a function that has it."""
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    if re.search(PARTS[part], text, re.MULTILINE):
        return True
    for sentence in re.findall(r"[^.]*: as\s`\w+`", text):
        other = re.search(r"`(\w+)`$", sentence)[1]
        if part in sentence.lower() and other not in (name, *on_the_way):
            return has(other, part, (*on_the_way, name))
    return False


def documented(name):
    """The parameters under Parameters."""
    text = inspect.getdoc(FUNCTIONS[name])
    section = re.search(r"^Parameters\n-+\n(.*?)(?=^\w[\w ]+\n-{3,}|\Z)", text, re.MULTILINE | re.DOTALL)
    items = re.findall(r"^(\*?\w+(?:, \*?\w+)*) : ", section[1], re.MULTILINE) if section else []
    return {part.strip("*") for item in items for part in item.split(", ")}


def test_there_are_functions():
    assert len(FUNCTIONS) > 170 and {"swish", "clip", "concatenate"} <= OTHER_NAMES
    assert all(hasattr(nn.functional, name) for name in FUNCTIONS)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - OTHER_NAMES))
def test_every_part_is_there(name):
    text = inspect.getdoc(FUNCTIONS[name])
    assert text and re.match(r"\S.*[.:]", text), "a first sentence, on one line"
    assert ">>>" in text, "an example that runs"
    for part in PARTS:
        assert has(name, part), part
    if "\nParameters\n" in text:
        parameters = inspect.signature(FUNCTIONS[name]).parameters
        # **numpy: axis and keepdims, in all functions that have dim and keepdim
        missing = {p.name for p in parameters.values() if p.kind is not p.VAR_KEYWORD} - documented(name)
        assert not missing, f"not under Parameters: {missing}"


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - OTHER_NAMES))
def test_items_are_told_apart(name):
    """Under Parameters and Raises a line begins an item, or goes on with one and is indented."""
    text = inspect.getdoc(FUNCTIONS[name])
    for title, begins in (("Parameters", r"\*?\w+(, \*?\w+)* : "), ("Raises", r"\w+Error(, \w+Error)* : ")):
        section = re.search(rf"^{title}\n-+\n(.*?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
        for line in section[1].splitlines() if section else ():
            assert re.match(rf"    \S|{begins}", line), line


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - OTHER_NAMES))
def test_what_is_said_of_others_is_so(name):
    """`names` in a docstring are functions or parameters, and what is "as in" another is there."""
    text = inspect.getdoc(FUNCTIONS[name])
    for names, other in re.findall(r"^(\w+(?:, \w+)*) : as in `(\w+)`", text, re.MULTILINE):
        assert set(names.split(", ")) <= documented(other), f"{other} has no {names}"
    for other in re.findall(r"(?<!:math:)`(\w+)`", text):
        assert other in FUNCTIONS or other in inspect.signature(FUNCTIONS[name]).parameters, other


@needs_sources
@pytest.mark.parametrize("room", ["ops", "reference"])
def test_paths_exist(room):
    for path in sorted((ROOT/"fastnn"/room).glob("*.py")):
        for named in re.findall(r"\b(?:csrc|fastnn|docs|tests)/[\w/.]+\.\w+", path.read_text(encoding="utf-8")):
            assert (ROOT/named).exists(), f"{path.name} names {named}"
