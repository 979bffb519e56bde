"""What fastnn is, was built with and runs on: `nn.show_config()`, and what else
`python -m fastnn doctor` finds out.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

import numpy as np

from .arrays import machine_memory, memory_limit
from .backend import backend
from .config import get_num_threads, isa
from .console import say
from .guard import named
from .kernels import compiled

__all__ = ["EXTRAS", "compiler_here", "describe", "extras", "machine", "machine_memory", "memory_limit", "numpy_blas",
           "processor", "show_config", "threads_and_why", "version_of"]

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


def machine(threads: int) -> dict[str, str]:
    """What somebody who reads a measurement must know of where it was made, in words."""
    found = describe()
    return {"Processor": found["processor"], "Instruction set": found["instruction set"], "Threads": str(threads),
            "Compiler": found["compiler"],
            "Versions": f"fastnn {found['fastnn']}, NumPy {found['numpy']}, Python {found['python']}",
            "System": found["system"]}


@named
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


# ---- the machine ---------------------------------------------------------------------------------
def threads_and_why() -> tuple[int, str]:
    """The number of threads, and what decided it."""
    count = get_num_threads()
    if not compiled:
        return count, "no compiled kernels"
    if count != compiled.default_num_threads():
        return count, "set_num_threads"
    for name in ("FASTNN_NUM_THREADS", "OMP_NUM_THREADS"):
        if os.environ.get(name, "").strip() == str(count):
            return count, name
    machine = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else machine
    if count < allowed:
        return count, f"the CPU quota of this container; {allowed} processors"
    if allowed < machine:
        return count, f"the affinity mask of this process; {machine} processors"
    return count, "all processors"


def compiler_here() -> str:
    """The C compiler that a build would use now."""
    import shutil
    import subprocess

    for name in filter(None, (os.environ.get("CC", ""), "cc", "gcc", "clang", "cl")):
        path = shutil.which(name.split()[-1])
        if path:
            try:
                text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10).stdout
            except (OSError, subprocess.SubprocessError):
                text = ""
            return f"{name}: {text.splitlines()[0]}" if text else name
    return "none found; install gcc or clang to build fastnn's kernels"


def numpy_blas() -> str:
    """Which library multiplies NumPy's matrices."""
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (KeyError, TypeError):
        return "unknown"
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


# ---- packages beside fastnn ----------------------------------------------------------------------
EXTRAS = {          # name on import -> what it is for, and how to get it
    "safetensors": ("models in .safetensors files", 'pip install "fastnn-engine[safetensors]"'),
    "matplotlib": ("pictures as PNG, and your own plots; reports do not need it", 'pip install "fastnn-engine[viz]"'),
    "PIL": ("pictures other than PNG for `predict`", 'pip install "fastnn-engine[images]"'),
    "pytest_benchmark": ("python -m pytest benchmarks --benchmark-only", 'pip install "fastnn-engine[test]"'),
    "threadpoolctl": ("threads of NumPy's BLAS in benchmarks", 'pip install "fastnn-engine[bench]"'),
    "torch": ("a second opinion in tests, a rival in benchmarks", 'pip install "fastnn-engine[bench]"'),
    "onnxruntime": ("a rival in benchmarks", 'pip install "fastnn-engine[bench]"'),
}
# where the index has another name
DISTRIBUTIONS = {"PIL": "pillow", "pytest_benchmark": "pytest-benchmark"}


def extras() -> dict[str, str | None]:
    """The version of every package of EXTRAS; None where it is missing."""
    return {package: version_of(package, DISTRIBUTIONS.get(package, "")) for package in EXTRAS}


def version_of(package: str, distribution: str = "") -> str | None:
    """The installed version of a package, without importing it; None where it is missing.

    distribution: its name on the package index, where that is another.
    """
    import importlib.util
    from importlib import metadata

    if importlib.util.find_spec(package) is None:
        return None
    try:
        return metadata.version(distribution or package)
    except metadata.PackageNotFoundError:
        return "installed"
