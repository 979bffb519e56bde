"""Ops by their names or families."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from difflib import get_close_matches

from .. import functional
from ..console import UserError
from ..op import OPS, Op
from .files import ROOT

__all__ = ["families", "find_ops"]


def families() -> dict[str, list[Op]]:
    """The ops of each family, in the order of the table."""
    found: dict[str, list[Op]] = {}
    for op in OPS.values():
        found.setdefault(op.family, []).append(op)
    return found


def find_ops(names: Sequence[str]) -> list[Op]:
    """The ops of these names or families; all without names. A function's other names are names of
    its op, as clip of clamp.

    UserError: a function without a record, with its files; or a name that is unknown, with what is
    close to it.
    """
    found: dict[str, Op] = {}
    for name in names:
        matches = [OPS[name]] if name in OPS else families().get(name, [])
        function = inspect.unwrap(getattr(functional, name, find_ops))
        if not matches and function.__module__.startswith("fastnn.ops."):
            if function.__name__ not in OPS:
                raise UserError(without_record(name, function.__module__))
            matches = [OPS[function.__name__]]
        if not matches:
            begins = [family for family in families() if family.startswith(name)]
            close = list(dict.fromkeys([*begins, *get_close_matches(name, {**OPS, **families()}, n=3)]))[:3]
            hint = f"; did you mean {', '.join(close)}?" if close else "; `python -m fastnn ops` lists them"
            raise UserError(f"there is no op or family {name!r}{hint}")
        found.update({op.name: op for op in matches})
    return list(found.values()) if names else list(OPS.values())


def without_record(name: str, module: str) -> str:
    """Where a function of nn.functional stands that is no op, and its tests."""
    path = module.replace(".", "/")
    own = f"tests/ops/test_{path.rsplit('/', 1)[-1]}.py"
    tests = [own] if (ROOT / own).exists() else []
    return (f"{name} has no record of its own: it calls other ops, or NumPy, in {path}.py; its tests: "
            f"{', '.join([*tests, 'tests/laws/test_composed.py'])} -k {name}")
