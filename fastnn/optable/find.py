"""Ops by their names or families."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from ..console import UserError
from ..op import OPS, Op

__all__ = ["families", "find_ops"]


def families() -> dict[str, list[Op]]:
    """The ops of each family, in the order of the table."""
    found: dict[str, list[Op]] = {}
    for op in OPS.values():
        found.setdefault(op.family, []).append(op)
    return found


def find_ops(names: Sequence[str]) -> list[Op]:
    """The ops of these names or families; all without names.

    UserError: a name that is neither, with what is close to it.
    """
    found: dict[str, Op] = {}
    for name in names:
        matches = [OPS[name]] if name in OPS else families().get(name, [])
        if not matches:
            begins = [family for family in families() if family.startswith(name)]
            close = list(dict.fromkeys([*begins, *get_close_matches(name, {**OPS, **families()}, n=3)]))[:3]
            hint = f"; did you mean {', '.join(close)}?" if close else "; `python -m fastnn ops` lists them"
            raise UserError(f"there is no op or family {name!r}{hint}")
        found.update({op.name: op for op in matches})
    return list(found.values()) if names else list(OPS.values())
