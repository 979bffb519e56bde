"""The laws of the ends of the range: infinities, NaN, huge and tiny numbers, at every level; and
that they notice what they are for.
"""

import dataclasses

import numpy as np
import pytest
from sabotage import caught

import fastnn as nn
from fastnn.op import OPS
from fastnn.testing import laws

# the ops of one element, or of one slice
FAMILIES = ("activation", "elementary", "arithmetic", "loss", "softmax", "reduction")
CASES = [pytest.param(op, sample, id=f"{op.name}-{sample.name}")
         for op in OPS.values() if op.family in FAMILIES for sample in op.samples()]
LEVELS = [name for name, (_, runs) in nn.kernels.compiled.levels().items() if runs] if nn.kernels.compiled else []


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("op, sample", CASES)
def test_laws(op, sample, dtype):
    for law in laws.LAWS_OF_ENDS.values():
        for level in LEVELS:
            with nn.use_isa(level):
                law(op, sample, dtype)
        law(dataclasses.replace(op, forward=None, backward=None), sample, dtype)


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.keeps_nan], ids=lambda op: op.name)
def test_where_nan_is_kept_the_docstring_says_so(op):
    assert "NaN" in getattr(nn.functional, op.name).__doc__


def plain_product(x):
    with np.errstate(invalid="ignore", over="ignore"):
        return x * (1 / (1 + np.exp(-x))), (x,)


def test_zero_times_infinity_is_noticed():
    """x s(x) as it was written before: NaN at -infinity."""
    silu = OPS["silu"]
    assert caught(laws.ends_are_the_definition, dataclasses.replace(silu, forward=plain_product))
    assert caught(laws.limits_are_reached, dataclasses.replace(silu, forward=plain_product))
    both = dataclasses.replace(silu, forward=plain_product, ref_forward=plain_product)
    assert not caught(laws.ends_are_the_definition, both)
    assert caught(laws.limits_are_reached, both)


def test_a_slope_that_is_lost_at_infinity_is_noticed():
    softsign = OPS["softsign"]

    def backward(dy, saved):
        x, = saved
        with np.errstate(all="ignore"):
            return (dy * (1 / (1 + np.abs(x)) - x * np.sign(x) / (1 + np.abs(x))**2),)
    assert caught(laws.limits_are_reached, dataclasses.replace(softsign, backward=backward))
    assert caught(laws.ends_are_the_definition, dataclasses.replace(softsign, backward=backward))


def test_squares_that_overflow_are_noticed():
    def norm(x, *, p, dim, keepdim):
        with np.errstate(all="ignore"):
            y = np.sqrt((x * x).sum(axis=dim, keepdims=keepdim))
        return np.asarray(y), (x, np.asarray(y))
    assert caught(laws.ends_are_the_definition, dataclasses.replace(OPS["norm"], forward=norm, backward=None))
