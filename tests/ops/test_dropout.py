"""Dropout: the generator's published numbers, the mask that backward computes again, chance, and
PyTorch's meaning.
"""

import numpy as np
import pytest
from second_opinion import close

import fastnn as nn
from fastnn.functional import dropout, dropout2d
from fastnn.ops.dropout import DROPOUT
from fastnn.reference.philox import keep_mask, philox


@pytest.mark.parametrize("key, hi, lo, words", [
    (0, 0, 0, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    (2**64 - 1, 2**64 - 1, 2**64 - 1, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (0x299f31d0a4093822, 0x0370734413198a2e, 0x85a308d3243f6a88, "d16cfe09 94fdcceb 5001e420 24126ea1"),
])
def test_philox_known_answers(key, hi, lo, words):
    """The paper's own test vectors (kat_vectors of Random123)."""
    assert " ".join(f"{int(w):08x}" for w in philox(key, hi, np.uint64(lo))) == words


@pytest.mark.parametrize("n", [1, 3, 4, 127, 128, 129, 16383, 16385, 70001])
@pytest.mark.parametrize("p", [0.1, 0.5, 1 / 3, 0.999])
def test_the_kernel_drops_what_the_definition_drops(n, p):
    x = np.ones(n, np.float32)
    y, _ = DROPOUT.forward(x, p=p, key=2**62 + 12345, call=2**32 + 1, span=1)
    np.testing.assert_array_equal(y != 0, keep_mask(p, 2**62 + 12345, 2**32 + 1, np.arange(n)))
    np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)


def test_hand_worked():
    """Key 0, call 0 begins 6627e8d5 e169c58d bc57ac4c 9b00dbd8, of which only the second is at
    least 3/4 of 2^32.
    """
    y, _ = DROPOUT.forward(np.arange(1.0, 5.0), p=0.75, key=0, call=0, span=1)
    np.testing.assert_array_equal(y, [0, 8, 0, 0])


def test_backward_uses_the_mask_of_forward():
    x = nn.tensor(np.full((50, 31), 3.0), requires_grad=True)
    y = dropout(x, 0.25)
    y.backward(np.full((50, 31), 6.0))
    np.testing.assert_array_equal(x.grad.data, np.where(y.data != 0, 8.0, 0.0))
    assert 0 < (y.data == 0).sum() < y.data.size


def test_identity_without_training_or_p():
    x = nn.tensor([1.0, -2.0])
    assert dropout(x, 0.3, training=False) is x and dropout(x, 0.0) is x
    assert dropout2d(nn.tensor(np.ones((1, 2, 2))), 0).shape == (1, 2, 2)


def test_p_one_drops_everything():
    x = nn.tensor(np.array([1.0, np.inf, np.nan], np.float32), requires_grad=True)
    y = dropout(x, 1.0)
    y.backward(np.ones(3))
    assert y.tolist() == [0, 0, 0] and x.grad.tolist() == [0, 0, 0]


def test_the_same_seed_gives_the_same_masks_and_each_call_another():
    x = nn.tensor(np.ones(1000, np.float32))
    nn.seed(5)
    first, second = dropout(x).data, dropout(x).data
    nn.seed(5)
    again = dropout(x).data
    nn.seed(6)
    other = dropout(x).data
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second) and not np.array_equal(first, other)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_chance(p):
    """The share of zeros lies within five standard deviations, and so does the correlation of
    neighbours.
    """
    n = 200_000
    kept = DROPOUT.forward(np.ones(n, np.float32), p=p, key=7, call=1, span=1)[0] != 0
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / n)
    a, b = kept[:-1] - kept.mean(), kept[1:] - kept.mean()
    assert abs((a * b).mean()) < 5 * p * (1 - p) / np.sqrt(n)


def test_dropout2d_drops_whole_channels():
    x = nn.tensor(np.ones((8, 16, 5, 7), np.float32))
    y = dropout2d(x, 0.5).data
    flat = y.reshape(8 * 16, 35)
    assert set(np.unique(flat)) == {0.0, 2.0} and (flat == flat[:, :1]).all()
    assert 30 < (flat[:, 0] == 0).sum() < 98
    assert dropout2d(nn.tensor(x.data[0]), 0.5).shape == (16, 5, 7)
    assert dropout2d(nn.tensor(np.ones((0, 3, 2, 2))), 0.5).shape == (0, 3, 2, 2)


def test_against_torch(torch):
    """PyTorch draws other bits; its values and gradients at the elements that both keep are the
    same.
    """
    a = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    x, tx = nn.tensor(a, requires_grad=True), torch.tensor(a, requires_grad=True)
    y, ty = dropout(x, 0.3), torch.nn.functional.dropout(tx, 0.3)
    y.backward(a)
    ty.backward(torch.tensor(a))
    kept = (y.data != 0) & (ty.detach().numpy() != 0)
    assert kept.sum() > 500
    close(y.data[kept], ty.detach().numpy()[kept], roundings=2, each=True)
    close(x.grad.data[kept], tx.grad.numpy()[kept], roundings=2, each=True)
