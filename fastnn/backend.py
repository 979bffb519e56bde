"""Which implementation of every op runs: the compiled kernels or the NumPy definitions.

A function of yours in the place of one op: testing/replace.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import RangeError
from .guard import named
from .kernels import compiled
from .moved import moved_names
from .op import OPS, REPLACED, Op, activate

__all__ = ["backend", "use_backend"]

_name = "kernels"


@named
def backend() -> str:
    """Which implementation runs now: "kernels" or "reference"."""
    return _name


def pair_of(op: Op, name: str) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
    """(forward, backward) of an op in the backend of this name."""
    if name == "kernels" and compiled is not None:
        return op.kernels
    forward, backward = op.definition
    return quiet(forward), None if backward is None else quiet(backward)


@functools.cache
def quiet(definition: Callable[..., Any]) -> Callable[..., Any]:
    """The definition without NumPy's warnings: NaN and infinity are results, as a kernel's are."""
    @functools.wraps(definition)
    def run(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):
            return definition(*args, **kwargs)
    return run


class use_backend:
    """Run every op on the C kernels ("kernels") or on its NumPy definition ("reference").

    Works as a statement and as a context manager; FASTNN_BACKEND=reference chooses at import. For
    teaching, debugging and checking. An op that `use_kernel` has replaced keeps the user's
    function. RangeError for any other name.

    >>> import fastnn as nn
    >>> with nn.use_backend("reference"):
    ...     y = nn.functional.relu(nn.tensor([-1.0, 2.0]))
    >>> y
    tensor([0., 2.])
    """

    @named
    def __init__(self, name: str):
        global _name
        if not isinstance(name, str) or name not in ("kernels", "reference"):
            raise RangeError(who="use_backend", expected="'kernels' or 'reference'", got=repr(name))
        self.before = _name
        self._switch(name)

    @staticmethod
    def _switch(name: str) -> None:
        global _name
        for op in OPS.values():
            if op.name not in REPLACED:             # what the user put there stays
                activate(op, *pair_of(op, name))
        _name = name

    def __enter__(self) -> use_backend:
        return self

    def __exit__(self, *_: object) -> None:
        self._switch(self.before)


moved_names(__name__)
