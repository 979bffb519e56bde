"""The compiled kernels, or None where the package was installed without a compiler."""

from __future__ import annotations

import importlib
import os
import warnings
from collections.abc import Callable
from typing import Any

from ..errors import RangeError
from ..moved import moved_names

try:
    compiled: Any = importlib.import_module("fastnn._kernels")
except ImportError as error:
    compiled = None
    warnings.warn(f"fastnn: the C kernels are not available ({error}); everything runs on the NumPy definitions, "
                  "slowly. Install a C compiler, and fastnn once more with pip's --no-cache-dir --force-reinstall.",
                  RuntimeWarning, stacklevel=2)
else:
    compiled.best_level()
    # reads the environment and registers the fork handlers; starts no thread
    compiled.num_threads()
    if _wanted := os.environ.get("FASTNN_ISA"):
        try:
            compiled.use_level(_wanted)
        except ValueError as error:
            raise RangeError(str(error), who="FASTNN_ISA") from None


def kernel(name: str) -> Callable[..., Any] | None:
    """The compiled function of that name, or None without a compiler (then the op runs on its
    definition).
    """
    if compiled is None:
        return None
    if not hasattr(compiled, name):
        raise ImportError(f"fastnn: the compiled kernels lack {name}: they are of other sources than the Python files; "
                          "build them again: make build")
    return getattr(compiled, name)


moved_names(__name__)
