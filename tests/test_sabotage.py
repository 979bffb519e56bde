"""The laws must notice: each is shown to fail on an op that is broken on purpose. A test that cannot fail proves nothing."""

import dataclasses

import numpy as np
import pytest

from fastnn.ops.registry import OPS
from fastnn.testing import laws

WITH_GRADIENT = [op for op in OPS.values() if op.ref_backward is not None]


def change_gradients(backward, bug):
    def broken(dy, saved, **attrs):
        return tuple(None if g is None else bug(g) for g in backward(dy, saved, **attrs))
    return broken


def change_output(forward, bug):
    def broken(*inputs, **attrs):
        y, saved = forward(*inputs, **attrs)
        return (tuple(bug(a) if a.dtype.kind == "f" else a for a in y) if isinstance(y, tuple) else bug(y)), saved
    return broken


def first_slice_forgotten(g):
    g = np.array(g)
    g[:1] = 0
    return g


GRADIENT_BUGS = {
    "all zero": lambda g: 0 * g,
    "off by a thousandth": lambda g: 1.001 * g,
    "first slice forgotten": lambda g: first_slice_forgotten(g) if g.ndim else 0 * g,
    "values shifted": lambda g: np.roll(g, 1) if g.size > 1 and np.ptp(g) else 0 * g,
}


def caught(law, op, dtype=np.float64):
    """Whether the law fails on at least one sample."""
    for sample in op.samples():
        try:
            law(op, sample, dtype)
        except AssertionError:
            return True
    return False


@pytest.mark.parametrize("bug", GRADIENT_BUGS)
@pytest.mark.parametrize("op", WITH_GRADIENT, ids=lambda op: op.name)
def test_a_wrong_definition_is_noticed(op, bug):
    broken = dataclasses.replace(op, ref_backward=change_gradients(op.ref_backward, GRADIENT_BUGS[bug]))
    assert caught(laws.definition_gradient_is_the_derivative, broken)


@pytest.mark.parametrize("bug", GRADIENT_BUGS)
@pytest.mark.parametrize("op", WITH_GRADIENT, ids=lambda op: op.name)
def test_a_wrong_kernel_gradient_is_noticed(op, bug):
    broken = dataclasses.replace(op, backward=change_gradients(op.kernels[1], GRADIENT_BUGS[bug]))
    assert caught(laws.backward_is_the_definition, broken)
