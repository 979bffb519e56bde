"""Embedding of bags: a sum worked by hand, PyTorch as a second opinion."""

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn

R = np.random.default_rng(0)
TABLE, WORDS, GRID = R.standard_normal((7, 3)), np.array([0, 2, 2, 6, 5, 1, 2, 4]), np.array([[0, 2, 2], [6, 1, 2]])
OFFSETS = np.array([0, 3, 3, 5])


def test_by_hand():
    table = nn.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    words, weights = nn.tensor([0, 1, 1]), nn.tensor([1.0, 2.0, 10.0], requires_grad=True)
    # the first bag is row 0 and twice row 1, the second ten times row 1
    y = nn.embedding_bag(words, table, nn.tensor([0, 2]), mode="sum", per_sample_weights=weights)
    assert y.tolist() == [[7, 12], [30, 50]]
    y.sum().backward()
    # row 1 counts 2 and 10 times; a weight's slope is the sum of its row
    assert table.grad.tolist() == [[1, 1], [12, 12]] and weights.grad.tolist() == [3, 8, 8]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_like_torch(torch, mode, dtype):
    ours, theirs = both("embedding_bag")
    for attrs in ({}, {"padding_idx": 2}):
        compare(ours, theirs, [GRID, TABLE], dtype, mode=mode, **attrs)
        compare(ours, theirs, [WORDS, TABLE, OFFSETS], dtype, mode=mode, **attrs)
        compare(ours, theirs, [WORDS, TABLE, np.append(OFFSETS, 8)], dtype, mode=mode, include_last_offset=True,
                **attrs)


def test_weights_like_torch(torch):
    ours, theirs = both("embedding_bag")
    for words, *offsets in ((WORDS, OFFSETS), (GRID,)):
        for attrs in ({}, {"padding_idx": -5}):
            compare(lambda i, w, u, *o, f=ours, a=attrs: f(i, w, *o, mode="sum", per_sample_weights=u, **a),
                    lambda i, w, u, *o, f=theirs, a=attrs: f(i, w, *o, mode="sum", per_sample_weights=u, **a),
                    [words, TABLE, R.standard_normal(words.shape), *offsets])


def test_the_first_of_equal_maxima_has_the_gradient():
    table = nn.tensor([[1.0], [1.0], [float("nan")]], requires_grad=True)
    nn.embedding_bag(nn.tensor([[1, 0]]), table, mode="max").sum().backward()
    assert table.grad.tolist() == [[0], [1], [0]]
    assert np.isnan(nn.embedding_bag(nn.tensor([[1, 2]]), table, mode="max").item())
