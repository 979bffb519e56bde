"""The reference is whole: each public name has one entry, and each page is in the navigation."""

import importlib
import re

from checkout import ROOT, needs_sources

import fastnn as nn

API = ROOT/"docs"/"api"
pytestmark = needs_sources

# public for the library itself
INSIDE = {"nn.autograd.apply", "nn.autograd.apply_in_python", "nn.autograd.Node"}
ROOMS = ("autograd", "data", "errors", "functional", "init", "io", "layers", "models", "optim", "special", "testing",
         "training", "viz")


def entries() -> dict[str, str]:
    """module -> the page that lists it."""
    found: dict[str, str] = {}
    for page in sorted(API.glob("*.md")):
        for module in re.findall(r"^::: (fastnn[\w.]*)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert module not in found, f"{module} is on {found[module]} and on {page.name}"
            found[module] = page.name
    return found


def public() -> dict[str, object]:
    """Every function and class that a user can write as nn.x or nn.room.x."""
    named = {f"nn.{name}": getattr(nn, name) for name in dir(nn) if not name.startswith("_")}
    for room in ROOMS:
        module = importlib.import_module(f"fastnn.{room}")
        named |= {f"nn.{room}.{name}": getattr(module, name) for name in getattr(module, "__all__", dir(module))
                  if not name.startswith("_")}
    return {name: thing for name, thing in named.items()
            if callable(thing) and getattr(thing, "__module__", "").startswith("fastnn") and name not in INSIDE}


def test_every_public_name_has_an_entry():
    listed = set(entries())
    shown = {id(getattr(module, name)) for module in map(importlib.import_module, listed)
             for name in getattr(module, "__all__", ())}
    missing = {name for name, thing in public().items() if thing.__module__ not in listed and id(thing) not in shown}
    assert len(public()) > 200
    assert missing == set(), "name their modules in a page of docs/api"


def test_every_public_name_explains_itself():
    bare = {name for name, thing in public().items() if not (thing.__doc__ or "").strip()}
    assert bare == set()


def test_every_entry_is_a_module_that_shows_something():
    for module in entries():
        found = importlib.import_module(module)
        names = getattr(found, "__all__", dir(found))
        assert any(callable(getattr(found, name)) and not name.startswith("_") for name in names), module


def test_every_page_is_in_the_navigation():
    text = (ROOT/"mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"([\w./-]+\.md)$", text[text.index("\nnav:"):], re.MULTILINE))
    pages = {path.relative_to(ROOT/"docs").as_posix() for path in (ROOT/"docs").rglob("*.md")}
    assert pages - listed == set()
    assert {page for page in listed - pages if not (ROOT/page.removeprefix("project/")).exists()} == set()
