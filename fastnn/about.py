"""What fastnn is, was built with and runs on: `nn.show_config()`."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

import numpy as np

from .backend import backend
from .config import get_num_threads, isa
from .console import say
from .kernels import compiled

__all__ = ["describe", "processor", "show_config"]

__version__ = "0.1.0"


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


def describe() -> dict[str, Any]:
    """What show_config() prints, as data."""
    levels = compiled.levels() if compiled else {}
    free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()
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
        "python": platform.python_version() + (" free-threaded" if free_threaded else ""),
        "numpy": np.__version__,
        "system": f"{platform.system()} {platform.machine()}",
    }


def show_config() -> dict[str, Any]:
    """Print what fastnn is, was built with and runs on; also returned, as a dict.

    Paste it into a report of a fault.

    >>> import fastnn as nn
    >>> nn.about.describe()["backend"]
    'kernels'
    """
    found = describe()
    width = max(map(len, found))
    for key, value in found.items():
        say(f"{key:<{width}}  {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return found
