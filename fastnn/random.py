"""One seed for everything random: initialisation, dropout, shuffling."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import DTypeError, RangeError
from .guard import named

__all__ = ["Generator", "generator", "manual_seed", "next_dropout_key", "random_state", "seed", "set_random_state"]

# made when first used: numpy.random takes time to import
_generator: np.random.Generator | None = None
_dropout_key = 0
_dropout_calls = 0


@named
def seed(seed: int) -> None:
    """Begin all of fastnn's random streams anew: initialisation, dropout, shuffling without a seed
    of its own.

    The same seed gives the same numbers on every machine, for any number of threads.

    >>> import fastnn as nn
    >>> nn.seed(0); a = nn.randn(3); nn.seed(0); b = nn.randn(3)
    >>> (a == b).all().item()
    True
    """
    global _generator, _dropout_key, _dropout_calls
    seed = _checked_seed("seed", seed)
    _generator = np.random.default_rng(seed)
    _dropout_key = int(np.random.default_rng([seed, 1]).integers(2**63))
    _dropout_calls = 0


manual_seed = seed


class Generator:
    """A stream of random numbers of one's own, for the argument `generator=` of what draws some.

    What is drawn from it takes nothing from the stream of `nn.seed`, and the other way round.

    Parameters
    ----------
    device : "cpu"
        The only one there is.

    >>> import fastnn as nn
    >>> g = nn.Generator().manual_seed(3)
    >>> a = nn.rand(2, generator=g)
    >>> bool((a == nn.rand(2, generator=g.manual_seed(3))).all())
    True
    """

    @named
    def __init__(self, device: Any = "cpu") -> None:
        if str(device).partition(":")[0] != "cpu":
            raise RangeError(who="Generator", expected='device "cpu"', got=repr(str(device)),
                             hint="fastnn runs on the CPU: leave the device out.")
        self.seed()

    @named
    def manual_seed(self, seed: int) -> Generator:
        """Begin anew with this seed, from -2**63 to 2**64 - 1; returns self."""
        self._seed = _checked_seed("Generator.manual_seed", seed)
        self._stream = np.random.default_rng(self._seed)
        return self

    def seed(self) -> int:
        """Begin anew with a seed of the system's, which is returned."""
        found = int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1)
        self.manual_seed(found)
        return found

    def initial_seed(self) -> int:
        """The seed that it began with."""
        return self._seed

    def get_state(self) -> dict[str, Any]:
        """Where it stands, as plain data."""
        return {"seed": self._seed, "stream": self._stream.bit_generator.state}

    @named
    def set_state(self, new_state: dict[str, Any]) -> Generator:
        """Go on where `get_state` was called; returns self."""
        if not isinstance(new_state, dict) or set(new_state) != {"seed", "stream"}:
            raise DTypeError(who="Generator.set_state", expected="what get_state() returned",
                             got=type(new_state).__name__)
        fresh = np.random.default_rng(0)
        try:
            fresh.bit_generator.state = new_state["stream"]
        except (TypeError, ValueError, KeyError) as error:
            raise DTypeError(who="Generator.set_state", expected="what get_state() returned", got=str(error)) from None
        self._seed, self._stream = new_state["seed"], fresh
        return self

    def __repr__(self) -> str:
        return f"Generator(seed={self._seed})"


def stream_of(who: str, generator: Any) -> np.random.Generator:
    """NumPy's generator behind the argument `generator`; that of `nn.seed` for None."""
    if generator is None:
        return globals()["generator"]()
    if isinstance(generator, Generator):
        return generator._stream
    foreign = type(generator).__module__.partition(".")[0] == "torch"
    raise DTypeError(who=who, expected="generator as a nn.Generator or None", got=type(generator).__name__,
                     hint="It is PyTorch's: nn.Generator().manual_seed(0)." if foreign else "")


def _checked_seed(who: str, seed: Any) -> int:
    """The seed as one from 0 to 2**64 - 1; one below 0 is 2**64 more, as in PyTorch."""
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise DTypeError(who=who, expected="a whole number", got=repr(seed))
    if not -2**63 <= int(seed) < 2**64:
        raise RangeError(who=who, expected="a whole number from -2**63 to 2**64 - 1", got=seed)
    return int(seed) % 2**64


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
