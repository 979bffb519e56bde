"""Compiled kernels older or newer than the Python files: an error that names what to do.

Other fields of op.Running: tests/autograd/test_autograd.py.
"""

import subprocess
import sys

import pytest

from fastnn.kernels import compiled, kernel

pytestmark = pytest.mark.skipif(compiled is None, reason="there are no compiled kernels here")


def test_a_kernel_that_is_not_there():
    with pytest.raises(ImportError, match=r"lack no_such_kernel: .* build them again: make build"):
        kernel("no_such_kernel")


# In a process of its own, since the tape holds what it is told.
CONNECT = """
from fastnn import op
from fastnn.kernels import compiled

class Slots:
    __slots__ = ("_data",)

class Dict:
    _data = None

try:
    compiled.connect_tape({Tensor}, Slots, [], op.Running._fields, None, None, None, None, None, None)
except ImportError as error:
    print(error)
"""


@pytest.mark.parametrize("tensor, said", [
    ("Slots", "Slots._version is no slot"),
    ("Dict", "Dict._data is no slot"),
], ids=["gone", "no slot"])
def test_a_tape_of_other_fields(tensor, said):
    done = subprocess.run([sys.executable, "-c", CONNECT.format(Tensor=tensor)], capture_output=True, text=True)
    assert done.stdout.startswith(f"fastnn: {said}"), done.stdout + done.stderr
    assert "build them again: make build" in done.stdout
