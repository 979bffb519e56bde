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


@pytest.mark.skipif(nn.kernels.compiled is None, reason="there are no kernels")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_call_ends_the_process(part):
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        import direct_calls
    finally:
        sys.path.pop(0)
    names = direct_calls.names()
    assert len(names) > 150
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-X", "faulthandler", str(SCRIPT), *names[part::PARTS]], env=environment,
                          capture_output=True, text=True, timeout=600)
    last = done.stdout.split("begin ")[-1].split()[0]
    assert done.returncode == 0, f"{last}: exit code {done.returncode}\n{done.stderr[-2000:]}"
    assert int(done.stdout.split()[-1]) > 1000
