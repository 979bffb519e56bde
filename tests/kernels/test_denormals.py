"""Denormal numbers: flushed to zero in kernels unless told otherwise, and then IEEE's.

That every op keeps them is a law (denormals_are_kept, fastnn/testing/laws.py).
"""

import threading

import numpy as np
import pytest

import fastnn as nn
from fastnn.config import flushes_denormal, isas

F = nn.functional
pytestmark = pytest.mark.skipif(nn.kernels.compiled is None, reason="there are no compiled kernels here")


@pytest.fixture
def kept():
    before = flushes_denormal()
    nn.set_flush_denormal(False)
    yield
    nn.set_flush_denormal(before)


def test_they_are_flushed_at_first_and_setting_says_whether_that_works():
    x = nn.tensor([1e-40])
    can = nn.set_flush_denormal(True)
    assert can is True or can is False
    assert flushes_denormal() is can
    if can:
        assert (x * 1e10).item() == 0 and F.log(x).item() == -np.inf
    assert nn.set_flush_denormal(False) is can and flushes_denormal() is False
    assert (x * 1e10).item() == pytest.approx(1e-30, rel=1e-4)
    nn.set_flush_denormal(True)


@pytest.mark.parametrize("isa", isas())
def test_functions_of_denormals(kept, isa):
    with nn.use_isa(isa):
        x = nn.tensor([1e-40])
        value = float(x.data[0])
        assert F.log(x).item() == pytest.approx(np.log(value))
        assert F.sqrt(x).item() == pytest.approx(value**0.5)
        assert F.amax(nn.tensor([1e-40, -1.0])).item() == F.maximum(x, nn.tensor([0.0])).item() == value
        assert F.sum(nn.tensor([1e-40, 1e-40])).item() == pytest.approx(2 * value, rel=1e-4)
        assert (1e-3 / x).item() == pytest.approx(1e-3 / value) and not (x == 0).item()
        assert x.to(np.float64).item() == value
        assert F.binary_cross_entropy(x, nn.tensor([1.0])).item() == pytest.approx(-np.log(value))


@pytest.mark.parametrize("isa", isas())
def test_results_that_are_denormal(kept, isa):
    """Exponentials below the normal numbers, down to the smallest denormal and to 0."""
    x = np.array([-87.0, -88.0, -95.0, -103.0, -103.9, -104.1, -1000.0], np.float32)
    want = np.exp(x.astype(float)).astype(np.float32)
    with nn.use_isa(isa):
        np.testing.assert_allclose(F.exp(nn.tensor(x)).data, want, rtol=1e-6, atol=2e-45)
        np.testing.assert_allclose(F.sigmoid(nn.tensor(x)).data, want, rtol=1e-6, atol=2e-45)
        rows = np.concatenate([[0], x, np.full(90, -200)]).astype(np.float32)
        wide = np.exp(rows.astype(float))
        for y in (F.softmax(nn.tensor(rows), 0), F.softmax(nn.tensor(np.stack([rows, rows], 1)), 0)[:, 0]):
            np.testing.assert_allclose(y.data, wide / wide.sum(), rtol=1e-6, atol=4e-45)


def test_in_every_thread(kept):
    """Blocks in workers, before and after a change of the mode, and in a thread of the caller's."""
    x = nn.tensor(np.full(400_000, 1e-40, np.float32))

    def share_kept():
        return np.count_nonzero((x + x).data) / x.data.size
    with nn.threads(3):
        for _ in range(5):
            assert share_kept() == 1
            if nn.set_flush_denormal(True):
                assert share_kept() == 0
            nn.set_flush_denormal(False)
        seen = []
        thread = threading.Thread(target=lambda: seen.append(share_kept()))
        thread.start()
        thread.join()
        assert seen == [1]


@pytest.mark.parametrize("flush", [True, False])
def test_the_callers_own_arithmetic_is_left_alone(flush):
    tiny = np.full(3, 1e-40, np.float32)
    nn.set_flush_denormal(flush)
    try:
        for n in (3, 400_000):
            F.relu(nn.tensor(np.full(n, 1e-40, np.float32))).sum()
            assert (tiny * np.float32(0.5)).all() and (tiny + tiny).all()
    finally:
        nn.set_flush_denormal(True)
