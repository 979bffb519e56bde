"""The size of the L2 cache decides how work is cut, never what comes out."""

import numpy as np
import pytest

import fastnn as nn
from fastnn import functional as F
from fastnn.kernels import compiled

needs_kernels = pytest.mark.skipif(compiled is None, reason="there are no compiled kernels here")


@pytest.fixture
def l2():
    """Sets the size; the system's is back afterwards."""
    yield compiled.set_l2_bytes
    compiled.set_l2_bytes(0)


@needs_kernels
def test_size_is_plausible(l2):
    found = compiled.l2_bytes()
    assert 256 << 10 <= found <= 2 << 20
    l2(300 << 10)
    assert compiled.l2_bytes() == 300 << 10
    l2(0)
    assert compiled.l2_bytes() == found


@needs_kernels
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bits_do_not_depend_on_it(l2, dtype):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((301, 523)).astype(dtype), rng.standard_normal((523, 1301)).astype(dtype)
    x, w = rng.standard_normal((2, 48, 30, 30)).astype(dtype), rng.standard_normal((64, 48, 3, 3)).astype(dtype)
    one, many = rng.standard_normal((1, 150, 8, 7)).astype(dtype), rng.standard_normal((80, 150, 3, 3)).astype(dtype)

    def results():
        image, filters = nn.tensor(x, requires_grad=True), nn.tensor(w, requires_grad=True)
        y = F.conv2d(image, filters, padding=1)
        y.sum().backward()
        return [(nn.tensor(a) @ nn.tensor(b)).data, (nn.tensor(b.T) @ nn.tensor(a.T)).data, y.data, image.grad.data,
                filters.grad.data, F.conv2d(nn.tensor(one), nn.tensor(many), padding=1).data]

    l2(2 << 20)
    want = results()
    for nbytes in (1, 64 << 10, 512 << 10):
        l2(nbytes)
        for got, wanted in zip(results(), want, strict=True):
            assert np.array_equal(got, wanted)
