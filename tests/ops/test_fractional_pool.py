"""Pooling at drawn distances, and the softmax in clusters: by hand, and what they refuse.
tests/layers/test_layers.py compares both with PyTorch.
"""

import math

import numpy as np
import pytest
from second_opinion import compare

import fastnn as nn

F = nn.functional


def test_pooling_by_hand():
    # 5 pixels, windows of 2, 3 of them: a = 3 / 2; with u = 0.5 they begin at 0, then at
    # int(1.5 a) - int(0.5 a) = 2 - 0, and the last at 3
    x = nn.tensor([[[9.0, 1.0, 2.0, 3.0, 4.0]] * 2])
    half = nn.tensor([[[0.5, 0.5]]])
    y, places = F.fractional_max_pool2d(x, 2, (1, 3), return_indices=True, _random_samples=half)
    assert y.tolist() == [[[9, 3, 4]]] and places.tolist() == [[[0, 3, 4]]]
    assert F.fractional_max_pool2d(nn.ones(0, 2, 5, 5), 2, 3).shape == (0, 2, 3, 3)


def test_it_draws_from_the_stream_of_the_seed():
    x = nn.arange(400.0).reshape(1, 20, 20)
    found = []
    for seed in (1, 1, 2):
        nn.seed(seed)
        found.append(F.fractional_max_pool2d(x, 2, output_ratio=0.6).tolist())
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_like_torch(torch, dtype):
    x, u = np.random.default_rng(0).standard_normal((2, 3, 9, 11)), np.random.default_rng(1).random((2, 3, 2))
    for kernel, options in (((2, 3), {"output_size": (4, 5)}), (9, {"output_size": 1}),
                            (1, {"output_ratio": (0.99, 0.99)})):
        compare(lambda x: F.fractional_max_pool2d(x, kernel, _random_samples=nn.tensor(u.astype(dtype)), **options),
                lambda x: torch.nn.functional.fractional_max_pool2d(
                    x, kernel, _random_samples=torch.tensor(u.astype(dtype)), **options), [x], dtype)


def test_clusters_by_hand():
    # without weights the head gives each of its 2 + 1 scores 1/3, and a cluster of 3 each of its
    # classes a third of that: the mean of ln 3 and ln 9
    layer = nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])
    for p in layer.parameters():
        p.data[:] = 0
    output, loss = layer(nn.ones(2, 4), nn.tensor([1, 4]))
    np.testing.assert_allclose(output.tolist(), [-math.log(3), -math.log(9)], rtol=1e-6)
    assert loss.item() == pytest.approx(1.5 * math.log(3), rel=1e-6)
    assert np.exp(layer.log_prob(nn.ones(2, 4)).detach().numpy()).sum(1) == pytest.approx(1, rel=1e-6)
    layer.reset_parameters()
    assert all(p.data.any() for p in layer.parameters())


LAYER = nn.AdaptiveLogSoftmaxWithLoss(4, 5, [2])


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.fractional_max_pool2d(nn.ones(1, 5, 5), 2), nn.RangeError, ("output_size or output_ratio", "none")),
    (lambda: nn.FractionalMaxPool2d(2, 3, 0.5), nn.RangeError, ("FractionalMaxPool2d", "both")),
    (lambda: F.fractional_max_pool2d(nn.ones(1, 5, 5), 2, output_ratio=1.5), nn.RangeError, ("between 0 and 1", "1.5")),
    (lambda: F.fractional_max_pool2d(nn.ones(5, 5), 2, 3), nn.ShapeError, ("(C, H, W)", "(5, 5)")),
    (lambda: F.fractional_max_pool2d(nn.ones(1, 5, 5), 2, 3, _random_samples=nn.ones(1, 2)), nn.ShapeError,
     ("_random_samples (1, 1, 2)", "(1, 2)")),
    (lambda: F.fractional_max_pool2d(nn.tensor([[[1]]]), 1, 1), nn.DTypeError, ("int64",)),
    (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 5, [3, 2]), nn.RangeError, ("ascending ints", "[3, 2]")),
    (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 5, []), nn.RangeError, ("cutoffs", "[]")),
    (lambda: LAYER(nn.ones(2, 3), nn.tensor([1, 2])), nn.ShapeError, ("(N, 4)", "(2, 3)")),
    (lambda: LAYER(nn.ones(2, 4), nn.tensor([1])), nn.ShapeError, ("one label for each of 2 rows", "target (1,)")),
    (lambda: LAYER(nn.ones(2, 4), nn.tensor([1, 5])), nn.RangeError, ("from 0 to 4", "1 to 5")),
    (lambda: LAYER(nn.ones(1, 4), nn.tensor([1.0])), nn.RangeError, ("labels as ints", "float32"))])
def test_errors(call, error, words):
    with pytest.raises(error) as caught:
        call()
    assert all(word in str(caught.value) for word in words), str(caught.value)
