"""Random slopes and choices, dropout of other kinds, activations in place."""

import math

import numpy as np
import pytest
from messages import refused
from second_opinion import compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
X = R.standard_normal((3, 4))


def test_slopes_are_drawn_from_their_interval(torch):
    nn.seed(0)
    x = nn.tensor(np.concatenate([-np.ones(20_000), np.ones(10), [0.0, np.nan]]), requires_grad=True)
    y = F.rrelu(x, 0.2, 0.6, training=True)
    y.sum().backward()
    slopes = -y.data[:20_000]
    # uniform: mean 0.4, deviation 0.4 / sqrt(12); the mean of 20,000 strays by 0.0008
    assert slopes.min() >= 0.2 and slopes.max() <= 0.6 and abs(slopes.mean() - 0.4) < 0.004
    assert abs(slopes.std() - 0.4 / math.sqrt(12)) < 0.004
    assert np.array_equal(x.grad.data[:20_000], slopes) and (x.grad.data[20_000:20_010] == 1).all()
    compare(F.rrelu, torch.nn.functional.rrelu, [X], lower=0.1, upper=0.4, roundings=1)


def test_choices_follow_the_logits():
    nn.seed(0)
    shares = np.array([0.1, 0.2, 0.7])
    logits = nn.tensor(np.tile(np.log(shares), (20_000, 1)), requires_grad=True)
    y = F.gumbel_softmax(logits, tau=0.5, hard=True)
    assert set(np.unique(y.data)) <= {0, 1} and (y.data.sum(1) == 1).all()
    # a share p of n choices strays by sqrt(p (1 - p) / n) < 0.0033
    np.testing.assert_allclose(y.data.mean(0), shares, atol=0.016)
    (y * nn.tensor([1.0, 2.0, 3.0], dtype="float64")).sum().backward()
    assert np.abs(logits.grad.data).max() > 0
    np.testing.assert_allclose(logits.grad.data.sum(1), 0, atol=1e-12)


def test_a_hard_choice_has_the_gradient_of_the_soft_one():
    grads = []
    for hard in (False, True):
        nn.seed(3)
        x = nn.tensor(X, requires_grad=True)
        (F.gumbel_softmax(x, 0.7, hard, dim=0)**1 * nn.tensor(X)).sum().backward()
        grads.append(x.grad.data)
    np.testing.assert_array_equal(*grads)


# ---- dropout -------------------------------------------------------------------------------------
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(p):
    nn.seed(1)
    x = nn.tensor(np.random.default_rng(5).standard_normal(400_000))
    y = F.alpha_dropout(x, p, training=True).data
    # fourth moments are below 10, so that both stray by less than sqrt(10 / 400,000) = 0.005
    assert abs(y.mean()) < 0.02 and abs(y.var() - 1) < 0.03
    least = -1.7580993408473766
    a = ((1 - p) * (1 + p * least**2))**-0.5
    dropped = np.isclose(y, a * least * (1 - p), rtol=1e-12)
    assert abs(dropped.mean() - p) < 0.005
    np.testing.assert_allclose(y[~dropped], a * (x.data[~dropped] - least * p), rtol=1e-9, atol=1e-12)


def test_alpha_dropout_at_its_ends(torch):
    for p, training in ((0.0, True), (1.0, True), (0.5, False)):
        for name in ("alpha_dropout", "feature_alpha_dropout"):
            compare(getattr(F, name), getattr(torch.nn.functional, name), [X], p=p, training=training, roundings=0)


@pytest.mark.parametrize("name, shape", [("dropout1d", (40, 3, 5)), ("dropout1d", (300, 5)),
                                         ("dropout3d", (40, 3, 2, 1, 3)), ("dropout3d", (200, 2, 2, 2))])
def test_whole_channels_are_dropped(name, shape):
    nn.seed(0)
    axes = int(name[-2])
    x = nn.tensor(np.ones(shape), requires_grad=True)
    y = getattr(F, name)(x, 0.25)
    rows = y.data.reshape(*shape[:-axes], -1)
    assert (rows == rows[..., :1]).all() and set(np.unique(rows)) == {0, 4 / 3}
    y.sum().backward()
    assert np.array_equal(x.grad.data, y.data)
    assert getattr(F, name)(x, 0.25, training=False) is x


def test_whole_channels_become_the_least_value():
    y = F.feature_alpha_dropout(nn.zeros(30, 4, 2, 3), 0.5, training=True).data
    assert (y == y[..., :1, :1]).all() and len(np.unique(y)) == 2


# ---- in place ------------------------------------------------------------------------------------
@pytest.mark.parametrize("name, args", [
    ("relu_", ()), ("elu_", (0.7,)), ("selu_", ()), ("celu_", (0.5,)), ("leaky_relu_", (0.2,)),
    ("hardtanh_", (-0.5, 0.3)), ("threshold_", (0.2, -1.0)), ("rrelu_", (0.1, 0.3))])
def test_in_place_like_torch(torch, name, args):
    compare(lambda x: getattr(F, name)(x * 1, *args), lambda x: getattr(torch.nn.functional, name)(x * 1, *args), [X],
            roundings=16)
    x = nn.tensor(X.copy())
    assert getattr(F, name)(x, *args) is x and not np.array_equal(x.data, X)
    with pytest.raises(nn.GraphError, match=name):
        getattr(F, name)(nn.tensor(X, requires_grad=True), *args)


def test_methods_are_functions_too(torch):
    """Every in-place function of PyTorch's of which fastnn has the method."""
    for name in dir(nn.Tensor):
        if name.endswith("_") and hasattr(nn.Tensor, name) and callable(getattr(torch, name, None)):
            assert hasattr(nn, name), name
    x = nn.tensor([1.0, 4.0])
    assert nn.sqrt_(x) is x and x.tolist() == [1, 2] and nn.zero_(x).tolist() == [0, 0]
    assert not nn.detach(nn.Parameter([1.0])).requires_grad


@pytest.mark.parametrize("call, error, words", [
    (lambda: F.rrelu(nn.ones(2), 2, 1), nn.RangeError, ("rrelu", "lower <= upper", "2 and 1")),
    (lambda: F.rrelu(nn.tensor([1])), nn.DTypeError, ("rrelu", "int64")),
    (lambda: F.gumbel_softmax(nn.ones(2), 0), nn.RangeError, ("gumbel_softmax", "tau > 0", "0")),
    (lambda: F.gumbel_softmax(nn.ones(2), dim=1), nn.RangeError, ("gumbel_softmax", "dimension 1")),
    (lambda: F.alpha_dropout(nn.ones(2), 2.0), nn.RangeError, ("alpha_dropout", "p <= 1", "2.0")),
    (lambda: F.alpha_dropout(nn.tensor([1])), nn.DTypeError, ("alpha_dropout", "int64")),
    (lambda: F.feature_alpha_dropout(nn.ones(2), training=True), nn.ShapeError,
     ("feature_alpha_dropout", "(N, C, ...)", "(2,)")),
    (lambda: F.dropout1d(nn.ones(2)), nn.ShapeError, ("dropout1d", "(N, C, L)", "(2,)")),
    (lambda: F.dropout3d(nn.ones(2, 3)), nn.ShapeError, ("dropout3d", "(C, D, H, W)", "(2, 3)"))])
def test_errors(call, error, words):
    refused(call, error, words)
