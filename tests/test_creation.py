"""New tensors: shapes, dtypes, values, as PyTorch has them."""

import numpy as np
import pytest

import fastnn as nn
from fastnn import RangeError, ShapeError

CALLS = {
    "zeros": lambda n, f64: n.zeros(2, 3),
    "zeros tuple": lambda n, f64: n.zeros((2, 3), dtype=f64),
    "zeros scalar": lambda n, f64: n.zeros(()),
    "ones": lambda n, f64: n.ones(2, 0),
    "full": lambda n, f64: n.full((2, 3), 1.5),
    "full int": lambda n, f64: n.full((3,), 2),
    "full bool": lambda n, f64: n.full((3,), True),
    "eye": lambda n, f64: n.eye(3),
    "eye wide": lambda n, f64: n.eye(2, 4),
    "zeros_like": lambda n, f64: n.zeros_like(n.ones(2, 3, dtype=f64)),
    "ones_like": lambda n, f64: n.ones_like(n.zeros(2), dtype=f64),
    "full_like": lambda n, f64: n.full_like(n.zeros(2), 3.5),
    "arange": lambda n, f64: n.arange(5),
    "arange from": lambda n, f64: n.arange(2, 9, 3),
    "arange down": lambda n, f64: n.arange(5, 0, -2),
    "arange real": lambda n, f64: n.arange(0, 1, 0.25),
    "arange typed": lambda n, f64: n.arange(3, dtype=f64),
    "linspace": lambda n, f64: n.linspace(-1, 1, 5),
}


@pytest.mark.parametrize("name", CALLS)
def test_constants_equal_torch(torch, name):
    got, want = CALLS[name](nn, np.float64), CALLS[name](torch, torch.float64).numpy()
    assert got.dtype == want.dtype and got.shape == want.shape and not got.requires_grad
    np.testing.assert_array_equal(got.data, want)


def test_random_numbers_follow_the_seed():
    def draw():
        nn.seed(3)
        like = nn.zeros(4)
        drawn = (nn.rand(1000), nn.randn(1000, dtype=np.float64), nn.randint(-2, 5, (1000,)), nn.randint(3, (4, 5)),
                 nn.rand_like(like), nn.randn_like(like, dtype=np.float64))
        return [t.data for t in drawn]
    first = draw()
    assert all(np.array_equal(a, b) for a, b in zip(first, draw()))
    uniform, normal, whole, low, like, normal_like = first
    assert uniform.dtype == np.float32 and 0 <= uniform.min() < 0.05 and 0.95 < uniform.max() < 1
    assert normal.dtype == np.float64 and abs(normal.mean()) < 0.15 and normal.std() == pytest.approx(1, rel=0.1)
    assert whole.dtype == np.int64 and set(whole) == set(range(-2, 5))
    assert low.shape == (4, 5) and set(low.flat) == {0, 1, 2}
    assert like.shape == (4,) and like.dtype == np.float32 and normal_like.dtype == np.float64


def test_requires_grad():
    for t in (nn.zeros(2, requires_grad=True), nn.randn(2, requires_grad=True), nn.arange(3.0, requires_grad=True)):
        assert t.requires_grad and t.is_leaf


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.zeros(-1), ShapeError, "zeros: expected sizes"),
    (lambda: nn.ones(1.5), ShapeError, "ones: expected sizes"),
    (lambda: nn.randn("3"), ShapeError, "randn"),
    (lambda: nn.arange(0, 3, 0), RangeError, "step other than 0"),
    (lambda: nn.arange(3, 0), RangeError, "leads away"),
    (lambda: nn.randint(3, 3, (2,)), RangeError, "low < high"),
    (lambda: nn.randint(3), RangeError, "a size"),
    (lambda: nn.zeros(2, dtype=np.int64, requires_grad=True), nn.DTypeError, "gradient"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()
