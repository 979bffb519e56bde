"""`python -m fastnn doctor`: what fastnn found on this machine, why it chose what it chose, and
what is missing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import time
from argparse import Namespace
from importlib import metadata

import numpy as np

from .. import about, config
from ..console import heading, paint, say
from ..kernels import compiled
from ..op import OPS
from .check import check_op

__all__ = ["command", "numpy_blas", "threads_and_why"]

EXTRAS = {          # what can be installed beside fastnn: package -> what it is for, and how to get it
    "safetensors": ("models in .safetensors files", 'pip install "fastnn-engine[safetensors]"'),
    "matplotlib": ("your own plots; reports do not need it", 'pip install "fastnn-engine[viz]"'),
    "PIL": ("pictures other than PNG for `predict`", 'pip install "fastnn-engine[images]"'),
    "pytest_benchmark": ("python -m pytest benchmarks --benchmark-only", 'pip install "fastnn-engine[test]"'),
    "threadpoolctl": ("threads of NumPy's BLAS in benchmarks", 'pip install "fastnn-engine[bench]"'),
    "torch": ("a second opinion in tests, a rival in benchmarks", 'pip install "fastnn-engine[bench]"'),
    "onnxruntime": ("a rival in benchmarks", 'pip install "fastnn-engine[bench]"'),
}
DISTRIBUTIONS = {"PIL": "pillow", "pytest_benchmark": "pytest-benchmark"}


def command(args: Namespace) -> int:
    found = about.describe()
    levels = compiled.levels() if compiled else {}
    heading("fastnn")
    facts(version=found["fastnn"], python=f"{found['python']} on {found['system']}", backend=found["backend"],
          built_by=found["compiler"], compiler_here=compiler_here())
    heading("processor")
    facts(name=found["processor"], instruction_sets=", ".join(describe(*row) for row in levels.items())
          or "none: no compiled kernels", chosen=chosen(found["instruction set"], list(levels)),
          threads="{} ({})".format(*threads_and_why()),
          l2_cache_for_blocks=f"{compiled.l2_bytes() >> 10} KiB" if compiled else "no blocks: no compiled kernels")
    heading("memory")
    facts(machine=gigabytes(machine_memory()), this_process_may_use=gigabytes(memory_limit()),
          buffers_kept_for_reuse=f"at most {gigabytes(config.memory.limit())} (FASTNN_CACHE_MB)")
    heading("numpy")
    facts(version=np.__version__, blas=numpy_blas())
    heading("extras")
    width = max(map(len, EXTRAS))
    for name, (purpose, how) in EXTRAS.items():
        version = version_of(name)
        say(f"  {name:<{width}}  {f'{version}: {purpose}' if version else paint(f'not installed: {purpose}; {how}', 'dim')}")
    heading("self-test")
    return self_test()


def facts(**rows: str) -> None:
    width = max(map(len, rows))
    for name, value in rows.items():
        say(f"  {name.replace('_', ' '):<{width}}  {value}")


def chosen(level: str, levels: list[str]) -> str:
    """The level in use, and why."""
    if not levels:
        return f"{level}: the definitions in fastnn/reference"
    return f"{level} (FASTNN_ISA)" if os.environ.get("FASTNN_ISA") else f"{level}, the highest that runs"


def describe(name: str, state: tuple[bool, bool]) -> str:
    built, runs = state
    return name if runs else f"{name} (built, not on this processor)" if built else f"{name} (not built)"


def threads_and_why() -> tuple[int, str]:
    """The number of threads, and what decided it."""
    count = config.get_num_threads()
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
    for name in filter(None, (os.environ.get("CC", ""), "cc", "gcc", "clang", "cl")):
        path = shutil.which(name.split()[-1])
        if path:
            try:
                text = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10).stdout
            except (OSError, subprocess.SubprocessError):
                text = ""
            return f"{name}: {text.splitlines()[0]}" if text else name
    return "none found; install gcc or clang to build fastnn's kernels"


def machine_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE")*os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


def memory_limit() -> int | None:
    """The smaller of the machine's memory and the container's limit."""
    limits = [machine_memory()]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):               # no such file, or "max"
            pass
    known = [limit for limit in limits if limit]
    return min(known) if known else None


def gigabytes(size: int | None) -> str:
    return "unknown" if size is None else f"{size/2**30:.1f} GiB"


def numpy_blas() -> str:
    """Which library multiplies NumPy's matrices."""
    try:
        blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    except (KeyError, TypeError):
        return "unknown"
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def version_of(name: str) -> str | None:
    """The installed version of a package, without importing it."""
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return metadata.version(DISTRIBUTIONS.get(name, name))
    except metadata.PackageNotFoundError:
        return "installed"


def self_test() -> int:
    """A few ops against their definitions; a second or two at most."""
    start = time.perf_counter()
    verdicts = [check_op(OPS[name]) for name in ("relu", "linear", "softmax", "conv2d", "lstm") if name in OPS]
    failures = [failure for verdict in verdicts for failure in verdict.failures]
    for failure in failures[:5]:
        say(paint(f"  {failure}", "red"))
    if failures:
        say(paint("  FAILED: kernels differ from their definitions; `python -m fastnn check` tells where", "red"))
        return 1
    cases = sum(verdict.cases for verdict in verdicts)
    say(f"  {cases} cases of {', '.join(v.name for v in verdicts)}: all agree ({time.perf_counter() - start:.1f} s)")
    return 0
