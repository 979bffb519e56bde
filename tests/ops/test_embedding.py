"""Embedding: a hand-worked table, the padding row, the order of sums, and PyTorch's opinion."""

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn
from fastnn.functional import embedding
from fastnn.ops.embedding import EMBEDDING


def test_hand_worked():
    w = nn.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], requires_grad=True)
    y = embedding(nn.tensor([[2, 0], [2, 2]]), w)
    assert y.tolist() == [[[5, 6], [1, 2]], [[5, 6], [5, 6]]]
    y.backward([[[1, 0], [0, 10]], [[2, 0], [4, 1]]])
    assert w.grad.tolist() == [[0, 10], [0, 0], [7, 1]]


@pytest.mark.parametrize("padding_idx", [0, 2, -1])
def test_the_padding_row_gets_no_gradient(padding_idx):
    index = nn.tensor([0, 2, 4, 0, 2, 4])
    for backend in ("kernels", "reference"):
        w = nn.tensor(np.ones((5, 3)), requires_grad=True)
        with nn.use_backend(backend):
            embedding(index, w, padding_idx).backward(np.ones((6, 3)))
        want = np.zeros((5, 3))
        want[[0, 2, 4]] = 2
        want[padding_idx] = 0
        np.testing.assert_array_equal(w.grad.data, want)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64, ">i4"])
def test_any_integers_will_do(dtype):
    w = np.arange(12.0).reshape(4, 3)
    index = np.array([[3, 0], [1, 3]]).astype(dtype)
    np.testing.assert_array_equal(EMBEDDING.forward(index, w, padding_idx=None)[0], w[index.astype(int)])


def test_the_gradient_adds_in_the_order_of_positions():
    """float32 sums depend on their order: ours is from the first position to the last, whatever the
    threads.
    """
    rng = np.random.default_rng(1)
    index = rng.integers(0, 3, 5000)
    dy = (rng.standard_normal((5000, 4)) * 10.0 ** rng.integers(-3, 4, (5000, 1))).astype(np.float32)
    want = np.zeros((3, 4), np.float32)
    for i, v in enumerate(index):
        want[v] += dy[i]
    _, saved = EMBEDDING.forward(index, np.zeros((3, 4), np.float32), padding_idx=None)
    for n in (1, 2, 4):
        with nn.threads(n):
            assert EMBEDDING.backward(dy, saved, padding_idx=None)[1].tobytes() == want.tobytes()


def test_the_index_may_change_after_the_call():
    """What is saved is the index that forward read, as a copy."""
    w, index = nn.tensor(np.ones((3, 2)), requires_grad=True), nn.tensor([0, 1])
    y = embedding(index, w)
    index[0] = 2
    y.backward(np.ones((2, 2)))
    assert w.grad.tolist() == [[1, 1], [1, 1], [0, 0]]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("padding_idx", [None, 3])
def test_like_torch(torch, dtype, padding_idx):
    rng = np.random.default_rng(0)
    compare(*both("embedding"), [rng.integers(0, 11, (6, 5)), rng.standard_normal((11, 7))], dtype, roundings=0,
            padding_idx=padding_idx)
