"""Every law on every op, sample and dtype.

`pytest tests/laws/test_laws.py -k conv2d` runs one op's.
"""

import numpy as np
import pytest

import fastnn as nn
from fastnn.op import OPS
from fastnn.testing.laws import LAWS

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample.name}") for op in OPS.values() for sample in op.samples()]
REFUSALS = [pytest.param(bad, id=f"{op.name}-{bad.what}") for op in OPS.values() for bad in op.errors]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("op, sample", CASES)
def test_laws(op, sample, dtype):
    for law in LAWS.values():
        law(op, sample, dtype)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("bad", REFUSALS)
def test_bad_calls_are_refused_and_told_why(bad, backend):
    with nn.use_backend(backend), pytest.raises(bad.raises) as caught:
        bad.call()
    for word in bad.words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_record_is_complete(op):
    samples = list(op.samples())
    assert len({s.name for s in samples}) == len(samples) > 0
    assert all(len(s.inputs) == len(op.inputs) for s in samples)
    assert op.formula and op.errors
    if op.forward is not None:
        assert op.bench and op.fast_numpy and op.flops and op.bytes
