"""Softmax and log-softmax beyond the laws: hand-worked numbers, extremes, invariances, PyTorch as
second opinion.
"""

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn

F = nn.functional
FUNCTIONS = {"softmax": F.softmax, "log_softmax": F.log_softmax}
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])
LEVELS = [name for name, (_, runs) in nn.kernels.compiled.levels().items() if runs] if nn.kernels.compiled else []
every_level = pytest.mark.parametrize("level", LEVELS)


def test_by_hand():
    # e^0 : e^log 3 = 1 : 3
    y = F.softmax(nn.tensor([[0.0, np.log(3.0)]]), 1)
    np.testing.assert_allclose(y.data, [[0.25, 0.75]], rtol=1e-6)
    # dx = y (dy - sum dy y) = (1/4, 3/4) * ((1, 0) - 1/4)
    x = nn.tensor([0.0, np.log(3.0)], requires_grad=True)
    F.softmax(x, 0).backward(np.array([1.0, 0.0]))
    np.testing.assert_allclose(x.grad.data, [3 / 16, -3 / 16], rtol=1e-6)
    # dx = dy - y sum dy = (1, 0) - (1/4, 3/4)
    x = nn.tensor([0.0, np.log(3.0)], requires_grad=True)
    F.log_softmax(x, 0).backward(np.array([1.0, 0.0]))
    np.testing.assert_allclose(x.grad.data, [0.75, -0.75], rtol=1e-6)


@both_backends
@both_types
@pytest.mark.parametrize("shape, dim", [((4,), 0), ((1,), 0), ((5, 1), 1), ((3, 40, 70), 1), ((), 0)])
def test_extremes(shape, dim, dtype, backend):
    """Scores of 10,000 neither overflow nor lose the small differences beside them."""
    rng = np.random.default_rng(0)
    small = np.asarray(rng.integers(-3, 4, shape), dtype)
    with nn.use_backend(backend):
        for name, function in FUNCTIONS.items():
            plain = function(nn.tensor(small), dim).data
            for shift in (1e4, -1e4):
                y = function(nn.tensor(small + dtype(shift)), dim).data
                np.testing.assert_allclose(y, plain, rtol=8 * np.finfo(dtype).eps, err_msg=name)
        steep = F.log_softmax(nn.tensor(np.array([1e4, -1e4, 0], dtype)), 0).data
        np.testing.assert_array_equal(steep, np.array([0, -2e4, -1e4], dtype))


@both_backends
@both_types
def test_minus_infinity(dtype, backend):
    with nn.use_backend(backend):
        x = nn.tensor(np.array([[0, -np.inf, 0], [-np.inf] * 3, [-np.inf, 5, -np.inf]], dtype), requires_grad=True)
        y = F.softmax(x, 1)
        np.testing.assert_array_equal(y.data[[0, 2]], np.array([[0.5, 0, 0.5], [0, 1, 0]], dtype))
        assert np.isnan(y.data[1]).all()        # no answer where nothing is possible, as in PyTorch
        y.backward(np.array([[1, 2, 3], [0, 0, 0], [4, 5, 6]], dtype))
        np.testing.assert_array_equal(x.grad.data[[0, 2]], np.array([[-0.5, 0, 0.5], [0, 0, 0]], dtype))
        z = F.log_softmax(nn.tensor(x.data[[0, 2]]), 1).data
        np.testing.assert_allclose(z, np.array([[-np.log(2), -np.inf, -np.log(2)], [-np.inf, 0, -np.inf]]), rtol=1e-6)


@both_types
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_show(bad, dtype):
    """A NaN or +inf anywhere makes its own row NaN, wherever it falls in a vector register, and no
    other row. So in PyTorch.
    """
    for at in (0, 1, 15, 16, 17, 36):
        x = np.zeros((3, 37), dtype)
        x[1, at] = bad
        for function in FUNCTIONS.values():
            for wrong in (np.isnan(function(nn.tensor(x), 1).data), np.isnan(function(nn.tensor(x.T), 0).data).T):
                assert wrong[1].all() and not wrong[[0, 2]].any()


@both_types
def test_probabilities_sum_to_one(dtype):
    rng = np.random.default_rng(1)
    x = (rng.standard_normal((13, 1031)) * 10).astype(dtype)
    y = F.softmax(nn.tensor(x), 1).data.astype(np.float64)
    assert (y >= 0).all()
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=40 * np.finfo(dtype).eps)


def test_exponential_is_accurate():
    """exp(x - 0) for all x in the range of float32, through a softmax whose largest score is 0 and
    whose sum is known.
    """
    x = np.linspace(-87, 0, 20_001).astype(np.float32)
    pairs = np.stack([x, np.zeros_like(x)], axis=1)
    y = F.softmax(nn.tensor(pairs), 1).data[:, 0]
    e = np.exp(x.astype(np.float64))
    np.testing.assert_allclose(y, e / (1 + e), rtol=4 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("dim", [-1, 0, 1, 2, -3])
def test_rows_and_columns_agree(dim):
    """An axis in any place gives what the same axis gives as the last one."""
    x = np.random.default_rng(2).standard_normal((5, 67, 9)).astype(np.float32)
    for function in FUNCTIONS.values():
        a = function(nn.tensor(x), dim).data
        b = np.moveaxis(function(nn.tensor(np.ascontiguousarray(np.moveaxis(x, dim, -1))), -1).data, -1, dim)
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("shape, dim", [((301, 257), 1), ((3, 211, 151), 1)])
def test_threads_and_levels(shape, dim):
    """The same bits on 1 and 2 threads; the same numbers at every instruction-set level."""
    x = np.random.default_rng(3).standard_normal(shape).astype(np.float32)
    dy = np.random.default_rng(4).standard_normal(shape).astype(np.float32)

    def run():
        found = []
        for function in FUNCTIONS.values():
            t = nn.tensor(x, requires_grad=True)
            y = function(t, dim)
            y.backward(dy)
            found += [y.data, t.grad.data]
        return found
    with nn.threads(1):
        one = run()
    with nn.threads(2):
        assert [a.tobytes() for a in run()] == [a.tobytes() for a in one]
    for level in nn.about.describe()["sets that run here"]:
        with nn.use_isa(level):
            for a, b in zip(run(), one):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6, err_msg=level)


@both_types
@pytest.mark.parametrize("scale", [1, 30])
@pytest.mark.parametrize("shape", [(1,), (2,), (7, 5), (3, 5, 7), (2, 3, 5, 67), (129, 1000)])
def test_like_pytorch(torch, shape, scale, dtype):
    x = np.random.default_rng(5).standard_normal(shape) * scale
    for name in FUNCTIONS:
        for dim in range(-1, len(shape)):
            compare(*both(name), [x], dtype, dim=dim)


def test_in_a_graph():
    assert nn.testing.gradcheck(lambda x: F.softmax(x, 1), np.random.default_rng(6).standard_normal((4, 5)))
    assert nn.testing.gradcheck(lambda x: F.log_softmax(x, 0), np.random.default_rng(7).standard_normal((4, 5)))


# ---- rows in flight together ---------------------------------------------------------------------
@every_level
@pytest.mark.parametrize("n", [1, 7, 8, 31, 32, 33, 67, 200])
def test_rows_do_not_leak_into_their_neighbours(level, n):
    """The kernels work on three rows at once: one of NaN, of infinities or of large numbers must
    not show in the rows around it.
    """
    rng = np.random.default_rng(n)
    x = rng.standard_normal((7, n)).astype(np.float32)
    x[1], x[3], x[5] = np.nan, -np.inf, rng.standard_normal(n) * 1e4
    label = rng.integers(0, n, 7)
    with nn.use_isa(level), nn.use_backend("kernels"):
        p, lp = F.softmax(nn.tensor(x), 1).data, F.log_softmax(nn.tensor(x), 1).data
        loss = F.cross_entropy(nn.tensor(x), nn.tensor(label), reduction="none").data
        alone = [F.cross_entropy(nn.tensor(x[k : k + 1]), nn.tensor(label[k : k + 1]), reduction="none").data
                 for k in range(7)]
    assert np.isnan(p[[1, 3]]).all() and np.isnan(lp[[1, 3]]).all() and np.isnan(loss[[1, 3]]).all()
    good = [0, 2, 4, 5, 6]
    wide = x[good].astype(np.float64)
    top = wide.max(1, keepdims=True)
    want = (wide - top) - np.log(np.exp(wide - top).sum(1, keepdims=True))
    np.testing.assert_allclose(lp[good], want, rtol=3e-7, atol=1e-6)
    np.testing.assert_allclose(p[good], np.exp(want), rtol=2e-6, atol=1e-37)
    np.testing.assert_allclose(loss[good], -want[np.arange(5), label[good]], rtol=3e-7, atol=1e-6)
    # and no bit depends on which rows are neighbours
    np.testing.assert_array_equal(loss, np.concatenate(alone))
