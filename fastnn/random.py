"""One seed for everything random: initialisation, dropout, shuffling."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DTypeError, RangeError
from .guard import named

__all__ = ["generator", "manual_seed", "next_dropout_key", "random_state", "seed", "set_random_state"]

# made when first used: numpy.random takes time to import
_generator: np.random.Generator | None = None
_dropout_key = 0
_dropout_calls = 0


@named
def seed(value: int) -> None:
    """Begin all of fastnn's random streams anew: initialisation, dropout, shuffling without a seed
    of its own.

    The same seed gives the same numbers on every machine, for any number of threads.

    >>> import fastnn as nn
    >>> nn.seed(0); a = nn.randn(3); nn.seed(0); b = nn.randn(3)
    >>> (a == b).all().item()
    True
    """
    global _generator, _dropout_key, _dropout_calls
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DTypeError(who="seed", expected="a whole number", got=repr(value))
    if value < 0:
        raise RangeError(who="seed", expected="a whole number from 0 up", got=value)
    _generator = np.random.default_rng(value)
    _dropout_key = int(np.random.default_rng([value, 1]).integers(2**63))
    _dropout_calls = 0


manual_seed = seed


def generator() -> np.random.Generator:
    """The generator behind init and randn."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def next_dropout_key() -> tuple[int, int]:
    """(key, call number) for a counter-based generator: another pair for each call, the same
    sequence after seed().
    """
    global _dropout_calls
    _dropout_calls += 1
    return _dropout_key, _dropout_calls


def random_state() -> dict[str, Any]:
    """Everything random, as plain data: a checkpoint keeps it so that training resumes bit for bit.
    """
    return {"generator": generator().bit_generator.state, "dropout_key": _dropout_key, "dropout_calls": _dropout_calls}


def set_random_state(state: dict[str, Any]) -> None:
    """Go on where random_state() was called.

    Everything is checked before anything changes.
    """
    global _dropout_key, _dropout_calls
    if set(state) != {"generator", "dropout_key", "dropout_calls"}:
        raise ValueError(f"expected generator, dropout_key and dropout_calls, got {', '.join(map(str, state))}")
    key, calls = state["dropout_key"], state["dropout_calls"]
    for name, value in (("dropout_key", key), ("dropout_calls", calls)):
        if type(value) is not int or not 0 <= value < 2**63:
            raise ValueError(f"expected {name}, a whole number from 0 to 2^63 - 1, got {value!r}")
    bits: Any = generator().bit_generator
    trial = type(bits)()
    trial.state = state["generator"]
    # NumPy takes True and 1.5 for numbers, and any number for a flag
    if not _same(trial.state, state["generator"]) or state["generator"]["has_uint32"] not in (0, 1):
        raise ValueError(f"expected generator, a state of {type(bits).__name__}, got {state['generator']!r}")
    bits.state = state["generator"]
    _dropout_key, _dropout_calls = key, calls


def _same(a: Any, b: Any) -> bool:
    """Whether two states are equal, types of numbers included."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    return type(a) is type(b) and a == b
