"""Threads, instruction sets and memory: what the engine runs on, to be seen and set at run time."""

from __future__ import annotations

import math

import numpy as np

from .errors import RangeError
from .guard import named
from .kernels import compiled
from .moved import moved_names

__all__ = ["get_num_threads", "isa", "memory", "set_flush_denormal", "set_num_threads", "threads", "use_isa"]

_numpy_threads = 1


@named
def get_num_threads() -> int:
    """How many threads a kernel may use."""
    return compiled.num_threads() if compiled else _numpy_threads


@named
def set_num_threads(n: int) -> None:
    """Let kernels use n threads; the results' bits do not depend on it.

    The default respects FASTNN_NUM_THREADS, OMP_NUM_THREADS, affinity and the container's quota.

    Raises
    ------
    RangeError
        n is not a whole number of at least 1.

    >>> import fastnn as nn
    >>> with nn.threads(1):             # afterwards as before
    ...     nn.set_num_threads(2)
    ...     nn.get_num_threads()
    2
    """
    if not isinstance(n, (int, float, np.integer)) or not math.isfinite(n) or int(n) != n or not 1 <= n < 2**31:
        raise RangeError(who="set_num_threads", expected="a whole number of at least 1", got=repr(n))
    if compiled:
        compiled.set_num_threads(int(n))


class threads:
    """Another number of threads for a while.

    >>> import fastnn as nn
    >>> with nn.threads(1):
    ...     nn.get_num_threads()
    1
    """

    @named
    def __init__(self, n: int):
        self.n = n

    def __enter__(self) -> threads:
        self.before = get_num_threads()
        set_num_threads(self.n)
        return self

    def __exit__(self, *_: object) -> None:
        set_num_threads(self.before)


@named
def set_flush_denormal(mode: bool) -> bool:
    """Whether kernels take denormal numbers as zero; they do unless told otherwise.

    Denormals are the numbers below 1.18e-38 in float32 and 2.2e-308 in float64. Processors compute
    with them up to a hundred times slower, and a network that trains for long comes to hold them.
    So a kernel reads them as 0 and writes 0 in their place: log(1e-40) is -inf, 1e-40 * 1e10 is 0.
    With False every op gives IEEE 754's results. NumPy's own arithmetic, and so the definitions,
    always keep denormals; what a caller has set for its own thread is never touched.

    Parameters
    ----------
    mode : bool
        True flushes, False keeps. It holds for the whole process and all threads, from the next
        kernel on.

    Returns
    -------
    bool: whether kernels can flush here. If not (a processor without such a mode, no compiled
    kernels), they keep denormals in any case.

    Cost: with False, float32 ops that work element by element compute in double, two to five times
    as long; the others only where they meet denormals.

    >>> import fastnn as nn
    >>> x = nn.tensor([1e-40])
    >>> x * 1e10
    tensor([0.])
    >>> _ = nn.set_flush_denormal(False)
    >>> x * 1e10
    tensor([9.9999e-31])
    >>> _ = nn.set_flush_denormal(True)
    """
    return compiled.set_flush_denormal(bool(mode)) if compiled else False


def flushes_denormal() -> bool:
    """Whether kernels take denormal numbers as zero now."""
    return compiled.flush_denormal() if compiled else False


@named
def isa() -> str:
    """The instruction-set level that the kernels use: "portable", "avx2", "avx512" or "neon";
    "numpy" without compiled kernels.
    """
    return compiled.level() if compiled else "numpy"


def isas() -> list[str]:
    """The levels that run here, lowest first; none without compiled kernels."""
    return [name for name, (_, runs) in compiled.levels().items() if runs] if compiled else []


class use_isa:
    """Use another instruction-set level; a statement or a `with` block.

    FASTNN_ISA=avx2 does it at import. `nn.show_config()` lists the levels that run here.

    Raises
    ------
    RangeError
        There is no such level, this processor does not have it, or there are no compiled kernels.

    >>> import fastnn as nn
    >>> with nn.use_isa("portable"):
    ...     nn.isa()
    'portable'
    """

    @named
    def __init__(self, name: str):
        self.before = isa()
        if not compiled:
            raise RangeError("there are no compiled kernels here, so no instruction sets to choose from", who="use_isa")
        try:
            compiled.use_level(name)
        except (TypeError, ValueError) as error:
            raise RangeError(str(error), who="use_isa") from None

    def __enter__(self) -> use_isa:
        return self

    def __exit__(self, *_: object) -> None:
        compiled.use_level(self.before)


class memory:
    """The recycled buffers that large results live in.

    >>> import fastnn as nn
    >>> y = nn.randn(1000, 1000).exp()
    >>> nn.memory.in_use() >= y.data.nbytes
    True
    """

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
    @named
    def limit(nbytes: int | None = None) -> int:
        """The bound on bytes held for reuse; sets it if given. RangeError unless it is a whole
        number of at least 0.
        """
        if nbytes is not None and not (isinstance(nbytes, (int, np.integer)) and 0 <= nbytes < 2**63):
            raise RangeError(who="memory.limit", expected="a whole number of bytes", got=repr(nbytes))
        if compiled and nbytes is not None:
            compiled.set_memory_limit(nbytes)
        return compiled.memory_limit() if compiled else 0


moved_names(__name__)
