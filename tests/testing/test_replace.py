"""use_kernel: a function in an op's place is checked, timed, run, and taken away again."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

import fastnn as nn
from fastnn.op import ACTIVE, OPS, REPLACED

F = nn.functional


def relu(x):
    return np.maximum(x, 0)


def test_the_function_runs_and_the_verdict_says_how_well():
    before, x = ACTIVE["relu"], nn.tensor([-1.0, 2.0], requires_grad=True)
    with nn.use_kernel("relu", relu) as verdict:
        assert verdict.passed and re.match(r"relu: correct on \d+ samples\n", verdict)
        assert re.search(r"Time       2048x512, float32: .* the kernel's", verdict)
        y = F.relu(x)
        assert ACTIVE["relu"].check is before.check and "relu" in REPLACED
    y.sum().backward()                                  # the definition's gradient
    assert y.tolist() == [0, 2] and x.grad.tolist() == [0, 1]
    assert ACTIVE["relu"] is before and not REPLACED


def test_a_wrong_function_is_refused_and_nothing_is_changed():
    before = ACTIVE["relu"]
    with pytest.raises(AssertionError, match="relu"):
        with nn.use_kernel("relu", lambda x: np.maximum(x, 1e-3)):
            raise RuntimeError("the block must not run")
    assert ACTIVE["relu"] is before and not REPLACED
    with nn.use_kernel("relu", lambda x: x * 0, check=False) as verdict:
        assert verdict == "relu: not checked" and F.relu(nn.tensor([3.0])).tolist() == [0]
    with pytest.raises(KeyError, match=r"no op 'reul'.*fastnn ops"):
        with nn.use_kernel("reul", relu):
            pass


def test_use_backend_inside_leaves_the_function_in_place():
    """As a block and as a statement; afterwards the op runs in the backend that is chosen then."""
    x = nn.tensor([3.0])
    with nn.use_kernel("relu", lambda x: x * 10, check=False):
        assert F.relu(x).item() == 30
        with nn.use_backend("reference"):
            assert F.relu(x).item() == 30 and ACTIVE["add"].forward.__wrapped__ is OPS["add"].ref_forward
        assert F.relu(x).item() == 30 and nn.backend() == "kernels"
        outer = nn.use_backend("reference")
        assert F.relu(x).item() == 30
    try:
        assert F.relu(x).item() == 3 and ACTIVE["relu"].forward.__wrapped__ is OPS["relu"].ref_forward
    finally:
        outer.__exit__()
    assert ACTIVE["relu"].forward is OPS["relu"].kernels[0] and not REPLACED


@pytest.mark.parametrize("call", [
    lambda: nn.use_backend("numpy"), lambda: nn.use_backend(None), lambda: nn.use_backend([]),
    lambda: nn.use_isa("sse"), lambda: nn.use_isa(3),
    lambda: nn.set_num_threads("2"), lambda: nn.set_num_threads(0), lambda: nn.seed(2**64),
    lambda: nn.set_num_threads(float("nan")), lambda: nn.seed("a"), lambda: nn.memory.limit("a"),
    lambda: nn.memory.limit(-1), lambda: nn.use_kernel("reul", relu).__enter__(),
    lambda: nn.use_kernel([], relu).__enter__(), lambda: nn.use_kernel("relu", 3).__enter__(),
    lambda: nn.use_kernel("relu", relu, 3).__enter__(),
])
def test_switches_refuse_what_does_not_exist(call):
    with pytest.raises(nn.FastnnError, match=r"^(use_|set_num|seed|memory)"):
        call()


@pytest.mark.parametrize("name", ["FASTNN_ISA", "FASTNN_BACKEND"])
def test_environment_variables_with_nonsense_are_named(name):
    done = subprocess.run([sys.executable, "-c", "import fastnn"], capture_output=True, text=True,
                          env={**os.environ, name: "nonsense"})
    assert done.returncode and re.search(rf"RangeError: {name}.*nonsense", done.stderr), done.stderr


def test_a_backward_of_one_s_own():
    x = nn.tensor([-1.0, 2.0], requires_grad=True)
    with nn.use_kernel("relu", lambda x: (relu(x), (x > 0,)), lambda dy, saved: (dy * saved[0],)):
        F.relu(x).sum().backward()
    assert x.grad.tolist() == [0, 1]
    x.grad = None
    with nn.use_kernel("relu", lambda x: (relu(x), (x > 0,)), lambda dy, saved: (100 * dy * saved[0],), check=False):
        F.relu(x).sum().backward()
    assert x.grad.tolist() == [0, 100]


def test_blocks_nest_and_an_error_inside_ends_them():
    before, x = ACTIVE["relu"], nn.tensor([3.0])
    with pytest.raises(ZeroDivisionError):
        with nn.use_kernel("relu", lambda x: x + 1, check=False):
            with nn.use_kernel("relu", lambda x: x + 2, check=False):
                assert F.relu(x).item() == 5
            assert F.relu(x).item() == 4 and "relu" in REPLACED
            raise ZeroDivisionError
    assert ACTIVE["relu"] is before and not REPLACED
