"""A lower instruction set for everybody: a table taken at AVX2 compares AVX2 with AVX2, as on most
people's laptops.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from .. import config
from ..console import UserError
from ..kernels import compiled

__all__ = ["at_level", "held", "lowered"]

# What keeps a rival from using more than a level, set before its process starts. PyTorch has three
# sets of kernels of its own and others' (ATen, oneDNN, MKL), each with a switch; ONNX Runtime has
# none.
SWITCHES: dict[str, dict[str, dict[str, str]]] = {
    "avx2": {
        "torch": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
        "numpy": {"OPENBLAS_CORETYPE": "Haswell"},
    },
}


def wider_than_avx2() -> str:
    """NumPy's own dispatched features beyond AVX2, as NPY_DISABLE_CPU_FEATURES wants them."""
    # the latter in NumPy 1.26
    core = "numpy._core" if importlib.util.find_spec("numpy._core") else "numpy.core"
    features = importlib.import_module(f"{core}._multiarray_umath").__cpu_dispatch__
    return " ".join(name for name in features if name.startswith(("AVX512", "X86_V4")))


def held(library: str, level: str) -> dict[str, str]:
    """The environment that holds a rival to a level; {} where there is nothing to hold it with.

    >>> held("torch", "avx2")["ONEDNN_MAX_CPU_ISA"], held("torch", ""), held("onnxruntime", "avx2")
    ('AVX2', {}, {})
    """
    switches = dict(SWITCHES.get(level, {}).get(library, {}))
    if switches and library == "numpy" and (features := wider_than_avx2()):
        switches["NPY_DISABLE_CPU_FEATURES"] = features
    return switches


def lowered() -> str:
    """The level in force if this machine has a better one, else ""."""
    levels = [name for name, (_, runs) in compiled.levels().items() if runs] if compiled else []
    return config.isa() if levels and config.isa() != levels[-1] else ""


@contextmanager
def at_level(name: str | None) -> Iterator[str]:
    """Use a level for a while (None: the one in force); gives what `lowered` says then.

    UserError if this machine does not have it.
    """
    if not name:
        yield lowered()
        return
    try:
        level = config.use_isa(name)
    except ValueError as error:
        raise UserError(str(error)) from error
    with level:
        yield lowered()
