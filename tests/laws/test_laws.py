"""Every law on every op, sample and dtype.

`pytest tests/laws/test_laws.py -k conv2d` runs one op's.
"""

import numpy as np
import pytest

import fastnn as nn
from fastnn.op import OPS
from fastnn.testing.laws import LAWS

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample.name}") for op in OPS.values() for sample in op.samples()]
ERRORS = [pytest.param(row, id=f"{op.name}-{row[0]}") for op in OPS.values() for row in op.errors]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("op, sample", CASES)
def test_laws(op, sample, dtype):
    for law in LAWS.values():
        law(op, sample, dtype)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("row", ERRORS)
def test_error_table(row, backend):
    _, call, error, words = row
    with nn.use_backend(backend), pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


@pytest.mark.parametrize("op", OPS.values(), ids=OPS)
def test_record_is_complete(op):
    samples = list(op.samples())
    assert len({s.name for s in samples}) == len(samples) > 0
    assert all(len(s.inputs) == len(op.inputs) for s in samples)
    assert op.formula and op.errors
    if op.forward is not None:
        assert op.bench and op.fast_numpy and op.flops and op.bytes
