"""Initialisation: the right distribution, by its bounds and moments; PyTorch's constants."""

import math

import numpy as np
import pytest

import fastnn as nn
from fastnn import RangeError, ShapeError, init


def blank(*shape, dtype=np.float32):
    return nn.Parameter(np.full(shape, np.nan, dtype))


def is_uniform(t, bound):
    """Within +-bound, nearly reaching it, with a uniform's standard deviation."""
    x = t.data
    assert np.abs(x).max() <= bound * (1 + 1e-6) and np.abs(x).max() > 0.99 * bound
    assert x.std() == pytest.approx(bound / math.sqrt(3), rel=0.03) and abs(x.mean()) < 0.03 * bound


def is_normal(t, std):
    x = t.data / std
    assert x.std() == pytest.approx(1, rel=0.03) and abs(x.mean()) < 0.03
    assert (np.abs(x) > 1).mean() == pytest.approx(0.3173, abs=0.02)
    assert (np.abs(x) > 3).mean() == pytest.approx(0.0027, abs=0.002)


@pytest.mark.parametrize("shape, n_in, n_out", [((200, 100), 100, 200), ((40, 20, 5, 3), 300, 600)])
def test_by_fans(shape, n_in, n_out):
    assert init.fans(blank(*shape)) == (n_in, n_out)
    is_uniform(init.xavier_uniform_(blank(*shape)), math.sqrt(6 / (n_in + n_out)))
    is_normal(init.xavier_normal_(blank(*shape), gain=2.0), 2 * math.sqrt(2 / (n_in + n_out)))
    is_uniform(init.kaiming_uniform_(blank(*shape), a=math.sqrt(5)), 1 / math.sqrt(n_in))
    is_normal(init.kaiming_normal_(blank(*shape), nonlinearity="relu"), math.sqrt(2 / n_in))
    is_normal(init.kaiming_normal_(blank(*shape), mode="fan_out", nonlinearity="linear"), 1 / math.sqrt(n_out))


def test_plain_distributions():
    is_uniform(init.uniform_(blank(20000), -3.0, 3.0), 3.0)
    is_normal(init.normal_(blank(20000), std=0.5), 0.5)
    t = init.trunc_normal_(blank(20000), mean=1.0, std=2.0, a=-1.0, b=3.0)
    assert t.data.min() >= -1 and t.data.max() <= 3
    # cut at +-1 sigma
    assert t.data.std() == pytest.approx(2 * 0.5396, rel=0.03) and t.data.mean() == pytest.approx(1, abs=0.05)
    assert (init.constant_(blank(3), 2.5).data == 2.5).all() and (init.ones_(blank(3)).data == 1).all()
    assert (init.zeros_(blank(3)).data == 0).all()


@pytest.mark.parametrize("shape", [(7, 7), (3, 8), (8, 3), (4, 2, 3)])
def test_orthogonal(shape):
    m = init.orthogonal_(blank(*shape, dtype=np.float64), gain=2.0).data.reshape(shape[0], -1) / 2
    product = m @ m.T if m.shape[0] <= m.shape[1] else m.T @ m
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-13)


def test_same_seed_same_numbers_and_in_place():
    def draw():
        nn.seed(7)
        return nn.Linear(5, 3).weight.data.copy()
    assert np.array_equal(draw(), draw())
    t = blank(3, 4)
    array = t.data
    assert init.normal_(t) is t and t.data is array and t.dtype == np.float32


def test_a_fill_counts_as_a_change():
    w = nn.Parameter(np.ones((2, 2), np.float32))
    y = nn.functional.linear(nn.tensor(np.ones((1, 2), np.float32), requires_grad=True), w).sum()
    init.zeros_(w)
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()


@pytest.mark.parametrize("call, error, words", [
    (lambda: init.xavier_uniform_(blank(3)), ShapeError, "at least two dimensions"),
    (lambda: init.orthogonal_(blank(3)), ShapeError, "at least two dimensions"),
    (lambda: init.eye_(blank(3)), ShapeError, "a matrix"),
    (lambda: init.dirac_(blank(3, 3)), ShapeError, "3 to 5 dimensions"),
    (lambda: init.dirac_(blank(3, 3, 3), groups=2), ShapeError, "multiple of groups=2"),
    (lambda: init.sparse_(blank(3, 3, 3), 0.5), ShapeError, "a matrix"),
    (lambda: init.sparse_(blank(3, 3), 1.5), RangeError, "0 <= sparsity <= 1"),
    (lambda: init.kaiming_normal_(blank(3, 3), mode="fan_up"), RangeError, "fan_up"),
    (lambda: init.kaiming_normal_(blank(3, 3), nonlinearity="cubic"), RangeError, "cubic"),
    (lambda: init.trunc_normal_(blank(3), a=1.0, b=1.0), RangeError, "a < b"),
])
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_gains_equal_torch(torch):
    for arguments in (("linear",), ("conv2d",), ("sigmoid",), ("tanh",), ("relu",), ("selu",), ("leaky_relu",),
                      ("leaky_relu", 0.2)):
        want = torch.nn.init.calculate_gain(*arguments)
        assert init.calculate_gain(*arguments) == pytest.approx(want, rel=1e-12)


LAYERS = {
    "Linear": lambda n: n.Linear(300, 200),
    "Conv2d": lambda n: n.Conv2d(30, 60, 3, groups=2),
    "Conv1d": lambda n: n.Conv1d(60, 400, 5, groups=2),
    "ConvTranspose2d": lambda n: n.ConvTranspose2d(30, 400, 3, groups=2),
    "ConvTranspose1d": lambda n: n.ConvTranspose1d(60, 400, 5),
    "Embedding": lambda n: n.Embedding(200, 100),
    "MultiheadAttention": lambda n: n.MultiheadAttention(120, 4),
    "MultiheadAttention, widths": lambda n: n.MultiheadAttention(120, 4, kdim=60, vdim=80),
    "LSTM": lambda n: n.LSTM(40, 64, num_layers=2, bidirectional=True),
    "LSTMCell": lambda n: n.LSTMCell(40, 64),
    "GRU": lambda n: n.GRU(40, 64, num_layers=2, bidirectional=True),
    "GRUCell": lambda n: n.GRUCell(40, 64),
    "RNN": lambda n: n.RNN(60, 100, num_layers=2, bidirectional=True),
    "RNNCell": lambda n: n.RNNCell(60, 100),
    "BatchNorm2d": lambda n: n.BatchNorm2d(5),
    "LayerNorm": lambda n: n.LayerNorm(5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_start_as_in_torch(torch, name):
    """The same constants, and distributions of the same bounds and spread."""
    ours, theirs = LAYERS[name](nn).state_dict(), LAYERS[name](torch.nn).state_dict()
    assert list(ours) == list(theirs)
    for key, want in theirs.items():
        a, b = ours[key].data, want.numpy()
        if b.size < 1000 and np.ptp(b) == 0:
            np.testing.assert_array_equal(a, b, err_msg=key)
        else:
            assert np.ptp(a) > 0
            few = b.size < 3000     # drawn numbers: the fewer, the further from their distribution
            assert a.std() == pytest.approx(b.std(), rel=0.2 if few else 0.05), key
            if name != "Embedding":
                assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.1 if few else 0.05), key


def test_padding_rows_start_as_zeros():
    weight = nn.Embedding(5, 3, padding_idx=-2).weight.data
    assert not weight[3].any() and weight[[0, 1, 2, 4]].all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
def test_uniform_never_reaches_its_upper_bound(dtype):
    """Rounding to float32 may make b of a number below it; PyTorch's interval is half open."""
    for a, b in ((1000.0, 1001.0), (0.0, 1.0), (-3.0, -2.9999), (1e30, 1.0001e30), (0.1, 0.1 + 1e-7)):
        t = init.uniform_(blank(200_000, dtype=dtype), a, b)
        assert (t.data < dtype(b)).all() and (t.data >= dtype(a)).all(), (a, b)
    for point in (7.0, 1000.0):
        assert (init.uniform_(blank(10, dtype=dtype), point, point).data == point).all()
    assert (init.uniform_(blank(10), 1.0, 1.0 + 1e-9).data == 1).all()      # no float32 in between
    assert (nn.rand(2_000_000, dtype=dtype).data < 1).all()


def truncated_moments(low, high):
    """Mean and variance of N(0, 1) between low and high, by summation."""
    start, end = max(low, -40.0), min(high, 40.0)
    peak = min(max(0.0, start), end)
    x = np.linspace(start, min(end, peak + 40) if peak == start else end, 400_001)
    weights = np.exp((peak * peak - x * x) / 2)
    mean = (x * weights).sum() / weights.sum()
    return mean, ((x - mean)**2 * weights).sum() / weights.sum()


@pytest.mark.parametrize("low, high", [
    (-2, 2), (5, 6), (5, math.inf), (-math.inf, -4), (-6, -5), (0, 0.1), (-0.05, 0.05), (10, 10.05), (30, 35), (0.5, 3),
    (-1, 0.2), (2, 2.5), (0, math.inf), (-0.1, 9)])
def test_truncated_normal_follows_its_law(low, high):
    """In the middle, in the tails and in narrow intervals: mean and variance within 4.5 standard
    errors, nothing outside, and nothing piled up at a bound.
    """
    n = 40_000
    x = init.trunc_normal_(blank(n, dtype=np.float64), mean=3.0, std=2.0, a=3 + 2 * low, b=3 + 2 * high).data
    z = (x - 3) / 2
    mean, variance = truncated_moments(low, high)
    assert abs(z.mean() - mean) < 4.5 * math.sqrt(variance / n)
    fourth = ((z - z.mean())**4).mean()
    assert abs(z.var() - variance) < 4.5 * math.sqrt(fourth / n)
    assert ((x >= 3 + 2 * low) & (x <= 3 + 2 * high)).all() and len(np.unique(x)) > 0.999 * n


def test_truncated_normal_at_the_ends():
    assert (init.trunc_normal_(blank(3), mean=1.0, std=0.0).data == 1).all()
    assert (init.trunc_normal_(blank(3), mean=9.0, std=0.0).data == 2).all()
    assert (init.trunc_normal_(blank(3), std=1e-320, a=1.0, b=2.0).data == 1).all()


@pytest.mark.parametrize("call", [
    lambda: init.uniform_(blank(3), 2.0, 1.0), lambda: init.uniform_(blank(3), math.nan, 1.0),
    lambda: init.uniform_(blank(3), -1e308, 1e308), lambda: init.normal_(blank(3), 0.0, -1.0),
    lambda: init.normal_(blank(3), math.nan), lambda: init.trunc_normal_(blank(3), 0.0, -1.0),
    lambda: init.trunc_normal_(blank(3), a=math.nan),
])
def test_laws_that_do_not_exist_are_refused(call):
    with pytest.raises(RangeError):
        call()


def test_fractions_do_not_go_into_integers():
    for fill in (init.uniform_, init.normal_, init.trunc_normal_):
        with pytest.raises(nn.DTypeError, match=fill.__name__):
            fill(nn.tensor([1, 2]))
    with pytest.raises(nn.DTypeError, match="rand"):
        nn.rand(3, dtype=np.int64)


@pytest.mark.parametrize("shape, groups", [((4, 3, 5), 1), ((2, 4, 3, 3), 1), ((6, 2, 4, 3), 3), ((4, 4, 1, 2, 3), 2)])
def test_dirac_and_eye_like_torch(torch, shape, groups):
    ours = init.dirac_(blank(*shape), groups)
    assert np.array_equal(ours.data, torch.nn.init.dirac_(torch.empty(shape), groups).numpy())
    assert np.array_equal(init.eye_(blank(*shape[:2])).data, torch.nn.init.eye_(torch.empty(shape[:2])).numpy())


def test_sparse():
    """The zeros of each column, and the spread of the others."""
    w = init.sparse_(blank(1001, 50), 0.3, std=2.0).data
    assert ((w == 0).sum(0) == 301).all() and abs(w[w != 0].std() - 2.0) < 0.05
    assert len({tuple(column) for column in (w == 0).T}) == 50          # each its own places
    assert not init.sparse_(blank(3, 3), 1.0).data.any() and init.sparse_(blank(3, 3), 0.0).data.all()
