"""Functions of fastnn._kernels, called without the checks of their ops, with arguments that do not
fit: an error, or a number, but never the end of the process.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn as nn

SCRIPT = Path(__file__).with_name("direct_calls.py")
ROOT = SCRIPT.parents[2]
PARTS = 8


pytestmark = pytest.mark.skipif(nn.kernels.compiled is None, reason="there are no kernels")


def calls_made(*arguments):
    """How many calls the script made, in a process of its own, which must live to the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-X", "faulthandler", str(SCRIPT), *arguments], env=environment,
                          capture_output=True, text=True, timeout=600)
    last = done.stdout.split("begin ")[-1].split()[0]
    assert done.returncode == 0, f"{last}: exit code {done.returncode}\n{done.stderr[-2000:]}"
    return int(done.stdout.split()[-1])


@pytest.mark.parametrize("part", range(PARTS))
def test_no_call_ends_the_process(part):
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        import direct_calls
    finally:
        sys.path.pop(0)
    names = direct_calls.names()
    assert len(names) > 150
    assert calls_made(*names[part::PARTS]) > 1000


def test_backward_survives_wrong_positions():
    """Those that max-pooling, gather and their like saved, whatever they have become since."""
    assert calls_made("--positions") > 300


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's limit of a process's memory")
def test_no_kernel_runs_without_its_scratch_memory():
    assert calls_made("--scratch") > 500
