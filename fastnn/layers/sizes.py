"""Checks of the sizes that a layer or a network is made with."""

from __future__ import annotations

from typing import Any

from ..errors import DTypeError
from ..ops.checks import single

__all__ = ["need_sizes"]


def need_sizes(who: str, low: float = 0, **sizes: Any) -> None:
    """Every named argument must be an int, at least `low`."""
    for name, value in sizes.items():
        if isinstance(value, (tuple, list)):
            raise DTypeError(who=who, expected=f"{name} as an int", got=value)
        single(who, name, value, low)
