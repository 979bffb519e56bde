"""Threads, instruction sets, memory and the seed: what the engine runs on, asked and set at run time."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

import numpy as np

from .kernels import compiled

__all__ = ["get_num_threads", "isa", "memory", "seed", "set_num_threads", "show_config", "threads", "use_isa"]

_numpy_threads = 1


def get_num_threads() -> int:
    """How many threads a kernel may use."""
    return compiled.num_threads() if compiled else _numpy_threads


def set_num_threads(n: int) -> None:
    """Let kernels use n threads. The default respects FASTNN_NUM_THREADS, OMP_NUM_THREADS, affinity and the container's quota.

    The results' bits do not depend on it.
    """
    if int(n) != n or n < 1:
        raise ValueError(f"the number of threads must be a whole number of at least 1, got {n!r}")
    if compiled:
        compiled.set_num_threads(int(n))


class threads:
    """`with nn.threads(1): ...` : another number of threads for a while."""

    def __init__(self, n: int):
        self.n = n

    def __enter__(self) -> threads:
        self.before = get_num_threads()
        set_num_threads(self.n)
        return self

    def __exit__(self, *_: object) -> None:
        set_num_threads(self.before)


def isa() -> str:
    """The instruction-set level that the kernels use: "portable", "avx2", "avx512" or "neon"; "numpy" without compiled kernels."""
    return compiled.level() if compiled else "numpy"


class use_isa:
    """Use another instruction-set level; a statement or a `with` block. FASTNN_ISA=avx2 does it at import."""

    def __init__(self, name: str):
        self.before = isa()
        if not compiled:
            raise ValueError("there are no compiled kernels here, so no instruction sets to choose from")
        compiled.use_level(name)

    def __enter__(self) -> use_isa:
        return self

    def __exit__(self, *_: object) -> None:
        compiled.use_level(self.before)


class memory:
    """The recycled buffers that large results live in."""

    @staticmethod
    def cached() -> int:
        """Bytes held for reuse."""
        return compiled.memory_cached() if compiled else 0

    @staticmethod
    def in_use() -> int:
        """Bytes in living arrays."""
        return compiled.memory_in_use() if compiled else 0

    @staticmethod
    def trim() -> None:
        """Give what is held for reuse back to the system."""
        if compiled:
            compiled.memory_trim()

    @staticmethod
    def limit(nbytes: int | None = None) -> int:
        """The bound on bytes held for reuse; sets it if given."""
        if compiled and nbytes is not None:
            compiled.set_memory_limit(nbytes)
        return compiled.memory_limit() if compiled else 0


# ---- one seed for everything --------------------------------------------------------------------------------------------------------
_generator: np.random.Generator | None = None       # made when first asked for: numpy.random takes time to import
_dropout_key = 0
_dropout_calls = 0


def seed(value: int) -> None:
    """Begin all of fastnn's random streams anew: initialisation, dropout, shuffling without a seed of its own.

    >>> import fastnn as nn
    >>> nn.seed(0); a = nn.randn(3); nn.seed(0); b = nn.randn(3)
    >>> (a == b).all().item()
    True
    """
    global _generator, _dropout_key, _dropout_calls
    _generator = np.random.default_rng(value)
    _dropout_key = int(np.random.default_rng([value, 1]).integers(2**63))
    _dropout_calls = 0


def generator() -> np.random.Generator:
    """The generator behind init and randn."""
    global _generator
    if _generator is None:
        _generator = np.random.default_rng()
    return _generator


def next_dropout_key() -> tuple[int, int]:
    """(key, call number) for a counter-based generator: another pair for each call, the same sequence after seed()."""
    global _dropout_calls
    _dropout_calls += 1
    return _dropout_key, _dropout_calls


def random_state() -> dict[str, Any]:
    """Everything random, as plain data: a checkpoint keeps it so that training resumes bit for bit."""
    return {"generator": generator().bit_generator.state, "dropout_key": _dropout_key, "dropout_calls": _dropout_calls}


def set_random_state(state: dict[str, Any]) -> None:
    global _dropout_key, _dropout_calls
    generator().bit_generator.state = state["generator"]
    _dropout_key, _dropout_calls = int(state["dropout_key"]), int(state["dropout_calls"])


# ---- what this is -------------------------------------------------------------------------------------------------------------------
def processor() -> str:
    """The processor's own name for itself."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.lower().startswith(("model name", "cpu model")):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def config() -> dict[str, Any]:
    """What show_config() prints, as data."""
    from . import __version__
    from .backend import backend

    levels = compiled.levels() if compiled else {}
    return {
        "fastnn": __version__,
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": get_num_threads(),
        "instruction set": isa(),
        "sets built": [name for name, (built, _) in levels.items() if built],
        "sets that run here": [name for name, (_, runs) in levels.items() if runs],
        "compiler": compiled.compiler() if compiled else "none: NumPy definitions only",
        "backend": backend(),
        "python": platform.python_version() + ("" if getattr(sys, "_is_gil_enabled", lambda: True)() else " free-threaded"),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def show_config() -> dict[str, Any]:
    """Print what fastnn is, was built with and runs on; also returned, as a dict."""
    found = config()
    width = max(map(len, found))
    for key, value in found.items():
        print(f"{key:<{width}}  {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return found
