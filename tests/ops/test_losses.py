"""Losses beyond the laws: hand-worked numbers, the mistakes of users, extremes, PyTorch as second
opinion.
"""

import itertools
import math
import warnings

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn
from fastnn import errors

F = nn.functional
both_types = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
both_backends = pytest.mark.parametrize("backend", ["kernels", "reference"])
each_reduction = pytest.mark.parametrize("reduction", ["none", "mean", "sum"])

# Losses of (input, target), with the arguments that matter.
POINTWISE = {
    "mse_loss": {},
    "l1_loss": {},
    "smooth_l1_loss": {},
    "smooth_l1_loss beta 0.3": {"beta": 0.3},
    "smooth_l1_loss beta 0": {"beta": 0.0},
    "huber_loss": {},
    "huber_loss delta 2": {"delta": 2.0},
    "binary_cross_entropy": {},
    "binary_cross_entropy_with_logits": {},
    "kl_div": {},
    "kl_div log_target": {"log_target": True},
}


def inputs_for(name, shape, dtype):
    """An input and a target from where the loss is defined."""
    rng = np.random.default_rng(len(name))
    x, t = rng.standard_normal((2, *shape)) * 2
    p, q = rng.uniform(0.01, 0.99, (2, *shape))
    pairs = {"binary_cross_entropy": (p, q), "binary_cross_entropy_with_logits": (x, q), "kl_div": (np.log(p), q),
             "kl_div log_target": (np.log(p), np.log(q))}
    return tuple(a.astype(dtype) for a in pairs.get(name, (x, t)))


# ---- by hand -------------------------------------------------------------------------------------
def test_cross_entropy_by_hand():
    # p = (1/4, 3/4); label 1: y = -log 3/4; dx = p - (0, 1)
    x = nn.tensor([[0.0, np.log(3.0)]], requires_grad=True)
    y = F.cross_entropy(x, nn.tensor([1]))
    np.testing.assert_allclose(y.item(), np.log(4 / 3), rtol=1e-6)
    y.backward()
    np.testing.assert_allclose(x.grad.data, [[0.25, -0.25]], rtol=1e-6)


def test_class_weights_and_ignored_labels_by_hand():
    # losses log 2 with weights 1 and 3, the third ignored: sum 4 log 2, mean 4 log 2 / 4
    x, t, w = nn.tensor(np.zeros((3, 2))), nn.tensor([0, 1, -100]), nn.tensor(np.array([1.0, 3.0]))
    np.testing.assert_allclose(F.cross_entropy(x, t, w, reduction="none").data, np.log(2) * np.array([1, 3, 0]),
                               rtol=1e-12)
    np.testing.assert_allclose(F.cross_entropy(x, t, w, reduction="sum").item(), 4 * np.log(2), rtol=1e-12)
    np.testing.assert_allclose(F.cross_entropy(x, t, w).item(), np.log(2), rtol=1e-12)


def test_label_smoothing_by_hand():
    # p = (1/4, 3/4), smoothing 0.2 of label 1: a = (0.1, 0.9), y = 0.1 log 4 + 0.9 log 4/3
    x, a = nn.tensor([[0.0, np.log(3.0)]]), nn.tensor([[0.1, 0.9]])
    want = 0.1 * np.log(4) + 0.9 * np.log(4 / 3)
    np.testing.assert_allclose(F.cross_entropy(x, nn.tensor([1]), label_smoothing=0.2).item(), want, rtol=1e-6)
    np.testing.assert_allclose(F.cross_entropy(x, a).item(), want, rtol=1e-6)


@pytest.mark.parametrize("name, x, t, values, slopes", [
    ("mse_loss", [1, -2], [0, 1], [1, 9], [2, -6]),
    ("l1_loss", [1, -2], [0, 1], [1, 3], [1, -1]),
    ("smooth_l1_loss", [0.5, -2], [0, 1], [0.125, 2.5], [0.5, -1]),
    ("huber_loss delta 2", [0.5, -2], [0, 1], [0.125, 4], [0.5, -2]),
    ("binary_cross_entropy", [0.25, 0.5], [0, 1], [np.log(4 / 3), np.log(2)], [4 / 3, -2]),
    ("binary_cross_entropy_with_logits", [0, np.log(3)], [1, 0], [np.log(2), np.log(4)], [-0.5, 0.75]),
    ("kl_div", [np.log(0.5), np.log(0.5)], [1, 0.25], [np.log(2), 0.25 * np.log(0.5)], [-1, -0.25]),
    ("kl_div log_target", [np.log(0.5)], [np.log(0.25)], [0.25 * np.log(0.5)], [-0.25]),
])
def test_pointwise_by_hand(name, x, t, values, slopes):
    x, t = nn.tensor(np.array(x, float), requires_grad=True), nn.tensor(np.array(t, float))
    y = getattr(F, name.split()[0])(x, t, reduction="none", **POINTWISE[name])
    np.testing.assert_allclose(y.data, values, rtol=1e-12)
    y.backward(np.ones(y.shape))
    np.testing.assert_allclose(x.grad.data, slopes, rtol=1e-12)


# ---- extremes ------------------------------------------------------------------------------------
@both_backends
@both_types
def test_cross_entropy_of_large_scores(dtype, backend):
    """At 10,000 the loss still knows differences of 1."""
    with nn.use_backend(backend):
        for shift in (1e4, -1e4):
            x = nn.tensor(np.array([[0, 1, 2], [2, 1, 0]], dtype) + dtype(shift), requires_grad=True)
            y = F.cross_entropy(x, nn.tensor([2, 2]), reduction="none")
            log_total = np.log(1 + np.exp(-1) + np.exp(-2))
            np.testing.assert_allclose(y.data, [log_total, 2 + log_total], rtol=8 * np.finfo(dtype).eps)
            y.backward(np.ones(2, dtype))
            p = np.exp([-2, -1, 0] - log_total)
            np.testing.assert_allclose(x.grad.data, [p - [0, 0, 1], p[::-1] - [0, 0, 1]],
                                       rtol=1e-5 if dtype == np.float32 else 1e-12)
        far = F.cross_entropy(nn.tensor(np.array([[1e4, -1e4]], dtype)), nn.tensor([1]))
        assert far.item() == 2e4


@both_backends
def test_everything_ignored(backend):
    """The mean of nothing is NaN and its gradient zero; the sum of nothing is zero.

    As in PyTorch.
    """
    with nn.use_backend(backend):
        for function in (F.cross_entropy, F.nll_loss):
            x = nn.tensor(np.full((3, 4), np.nan), requires_grad=True)
            t = nn.tensor([-100, -100, -100])
            assert function(x, t, reduction="sum").item() == 0
            y = function(x, t)
            assert np.isnan(y.item())
            y.backward()
            np.testing.assert_array_equal(x.grad.data, np.zeros((3, 4)))


@both_backends
def test_the_mean_of_nothing(backend):
    with nn.use_backend(backend):
        nothing = nn.tensor(np.zeros((0, 3)))
        for name in POINTWISE:
            function = getattr(F, name.split()[0])
            assert np.isnan(function(nothing, nothing, **POINTWISE[name]).item())
            assert function(nothing, nothing, reduction="sum", **POINTWISE[name]).item() == 0
        assert np.isnan(F.cross_entropy(nothing, nn.tensor(np.zeros(0, int))).item())
        assert np.isnan(F.cross_entropy(nn.tensor(np.zeros((2, 3, 0))), nn.tensor(np.zeros((2, 3, 0)))).item())


@both_backends
@both_types
def test_impossible_classes(dtype, backend):
    """-inf among the scores: a class that cannot be, at no cost unless it is the label."""
    with nn.use_backend(backend):
        x = nn.tensor(np.array([[0, -np.inf, 0], [0, -np.inf, 0]], dtype), requires_grad=True)
        y = F.cross_entropy(x, nn.tensor([0, 1]), reduction="none")
        np.testing.assert_allclose(y.data, [np.log(2), np.inf], rtol=1e-6)
        y.backward(np.array([1, 0], dtype))
        np.testing.assert_allclose(x.grad.data[0], [-0.5, 0, 0.5], rtol=1e-6)


@both_backends
@both_types
def test_binary_losses_at_the_ends(dtype, backend):
    with nn.use_backend(backend):
        x = nn.tensor(np.array([0, 1, 0, 1], dtype), requires_grad=True)
        y = F.binary_cross_entropy(x, nn.tensor(np.array([0, 1, 1, 0], dtype)), reduction="none")
        np.testing.assert_array_equal(y.data, [0, 0, 100, 100])
        y.backward(np.ones(4, dtype))
        np.testing.assert_allclose(x.grad.data, [0, 0, -1e12, 1e12], rtol=1e-6)
        x = nn.tensor(np.array([1e4, 1e4, -1e4, -1e4, -20], dtype), requires_grad=True)
        y = F.binary_cross_entropy_with_logits(x, nn.tensor(np.array([1, 0, 1, 0, 0], dtype)), reduction="none")
        np.testing.assert_allclose(y.data, [0, 1e4, 1e4, 0, np.log1p(np.exp(-20.0))], rtol=8 * np.finfo(dtype).eps)
        y.backward(np.ones(5, dtype))
        np.testing.assert_allclose(x.grad.data, [0, 1, -1, 0, 1 / (1 + np.exp(20))], rtol=1e-6 if dtype == np.float32
                                   else 1e-12)


@both_backends
@pytest.mark.parametrize("size", [1e38, 2e-38])
@pytest.mark.parametrize("smoothing", [0, 0.1])
def test_class_weights_near_the_ends_of_float32(torch, backend, smoothing, size):
    """A mean depends on the ratios of the weights. PyTorch in double precision, where nothing
    overflows, as second opinion.
    """
    rng = np.random.default_rng(5)
    x, t = rng.standard_normal((8, 3)).astype(np.float32), rng.integers(0, 3, 8)
    w = (np.array([1, 2, 3]) * size).astype(np.float32)
    theirs = torch.tensor(x.astype(np.float64), requires_grad=True)
    torch.nn.functional.cross_entropy(theirs, torch.tensor(t), torch.tensor(w.astype(np.float64)),
                                      label_smoothing=smoothing).backward()
    with nn.use_backend(backend):
        ours = nn.tensor(x, requires_grad=True)
        F.cross_entropy(ours, nn.tensor(t), nn.tensor(w), label_smoothing=smoothing).backward()
    np.testing.assert_allclose(ours.grad.data, theirs.grad.numpy(), rtol=1e-5, atol=1e-6)


def test_logarithm_is_accurate():
    """The vectorised logarithms of float32, through the loss, over all magnitudes and near 1."""
    x = np.concatenate([np.logspace(-37, 0, 20_001), 1 - np.logspace(-7, -0.1, 20_001)]).astype(np.float32)
    x = x[(x > 0) & (x <= 1)]
    ones = nn.tensor(np.ones_like(x))
    y = F.binary_cross_entropy(nn.tensor(x), ones, reduction="none").data
    np.testing.assert_allclose(y, np.minimum(-np.log(x.astype(np.float64)), 100), rtol=4e-7)
    small = x[x < 0.5]
    y = F.binary_cross_entropy(nn.tensor(small), nn.tensor(np.zeros_like(small)), reduction="none").data
    np.testing.assert_allclose(y, -np.log1p(-small.astype(np.float64)), rtol=4e-7)


def test_kl_div_where_the_target_is_zero():
    """Where t = 0, t log t is 0 and no gradient is infinite."""
    x, t = nn.tensor(np.array([-1.0, -2.0]), requires_grad=True), nn.tensor(np.array([0.0, 1.0]), requires_grad=True)
    for backend in ("kernels", "reference"):
        with nn.use_backend(backend):
            y = F.kl_div(x, t, reduction="none")
            np.testing.assert_array_equal(y.data, [0, 2])
            x.grad = t.grad = None
            y.backward(np.ones(2))
            np.testing.assert_array_equal(x.grad.data, [0, -1])
            np.testing.assert_array_equal(t.grad.data, [1, 3])


# ---- what users do -------------------------------------------------------------------------------
def test_softmax_before_cross_entropy_is_noticed_once(monkeypatch):
    monkeypatch.setattr(errors, "_told", set())
    x, t = nn.tensor(np.random.default_rng(0).standard_normal((5, 7))), nn.tensor([0, 1, 2, 3, 4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.cross_entropy(x, t)
    with pytest.warns(UserWarning, match="logits"):
        F.cross_entropy(F.softmax(x, 1), t)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        F.cross_entropy(F.softmax(x, 1), t)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, ">i8"])
def test_labels_of_any_integer_type(dtype):
    x = np.random.default_rng(0).standard_normal((4, 5))
    want = F.cross_entropy(nn.tensor(x), nn.tensor(np.array([0, 4, 2, 1]))).item()
    t = nn.Tensor(np.array([0, 4, 2, 1]).astype(dtype))
    assert F.cross_entropy(nn.tensor(x), t).item() == want
    with pytest.raises(nn.RangeError, match="label is 5"):
        F.cross_entropy(nn.tensor(x), nn.Tensor(np.array([0, 4, 5, 1]).astype(dtype)))


def test_an_error_leaves_nothing_behind():
    x = nn.tensor(np.zeros((2, 3)), requires_grad=True)
    with pytest.raises(nn.RangeError):
        F.cross_entropy(x, nn.tensor([0, 3]))
    assert x.grad is None and F.cross_entropy(x, nn.tensor([0, 2])).item() == pytest.approx(np.log(3))


def test_identities():
    rng = np.random.default_rng(1)
    x, t = nn.tensor(rng.standard_normal((6, 5))), nn.tensor(rng.integers(0, 5, 6))
    a = F.cross_entropy(x, t).item()
    assert a == pytest.approx(F.nll_loss(F.log_softmax(x, 1), t).item(), rel=1e-12)
    assert a == pytest.approx(F.cross_entropy(x, nn.tensor(np.eye(5)[t.data])).item(), rel=1e-12)
    u, v = nn.tensor(rng.standard_normal(50)), nn.tensor(rng.standard_normal(50))
    smooth = F.smooth_l1_loss(u, v, beta=0.7).item()
    assert F.huber_loss(u, v, delta=0.7).item() == pytest.approx(0.7 * smooth, rel=1e-12)
    s, y = nn.tensor(rng.standard_normal(50)), nn.tensor(rng.uniform(0, 1, 50))
    p = nn.tensor(1 / (1 + np.exp(-s.data)))
    by_probability = F.binary_cross_entropy(p, y).item()
    assert F.binary_cross_entropy_with_logits(s, y).item() == pytest.approx(by_probability, rel=1e-12)


def test_threads_and_levels():
    """The same bits on 1 and 2 threads over many blocks; the same numbers at every instruction-set
    level.
    """
    rng = np.random.default_rng(2)
    scores, labels = rng.standard_normal((700, 333)).astype(np.float32), nn.tensor(rng.integers(0, 333, 700))

    def run():
        found = []
        for name, attrs in POINTWISE.items():
            x, t = (nn.tensor(a, requires_grad=True) for a in inputs_for(name, (100_003,), np.float32))
            y = getattr(F, name.split()[0])(x, t, **attrs)
            y.backward()
            found += [y.data, x.grad.data, t.grad.data]
        x = nn.tensor(scores, requires_grad=True)
        y = F.cross_entropy(x, labels, label_smoothing=0.1)
        y.backward()
        return [*found, y.data, x.grad.data]
    with nn.threads(1):
        one = run()
    with nn.threads(2):
        assert [a.tobytes() for a in run()] == [a.tobytes() for a in one]
    for level in nn.about.describe()["sets that run here"]:
        with nn.use_isa(level):
            for a, b in zip(run(), one):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * np.abs(b).max(), err_msg=level)


# ---- PyTorch -------------------------------------------------------------------------------------
@both_types
@each_reduction
@pytest.mark.parametrize("shape", [(7, 5), (2, 5, 3, 7), (11,), (64, 257), (2, 3, 70)])
def test_cross_entropy_like_pytorch(torch, shape, reduction, dtype):
    rng = np.random.default_rng(4)
    classes = shape[1] if len(shape) > 1 else shape[0]
    positions = shape[:1] + shape[2:] if len(shape) > 1 else ()
    x = (rng.standard_normal(shape) * 3).astype(dtype)
    t = np.asarray(rng.integers(0, classes, positions))
    p = rng.uniform(0, 1, shape).astype(dtype)
    w = rng.uniform(0.5, 2, classes).astype(dtype)
    for smoothing, weight in itertools.product([0.0, 0.1, 1.0], [[], [w]]):
        attrs = {"reduction": reduction, "label_smoothing": smoothing}
        for ignore_index in (-100, 2):
            compare(*both("cross_entropy"), [x, t, *weight], differentiable=[0], ignore_index=ignore_index, **attrs)
        compare(*both("cross_entropy"), [x, p, *weight], differentiable=[0, 1], **attrs)
    for ignore_index, weight in itertools.product([-100, 2], [[], [w]]):
        compare(*both("nll_loss"), [x, t, *weight], differentiable=[0], ignore_index=ignore_index, reduction=reduction)


@both_types
@each_reduction
# PyTorch advises another one for kl_div
@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("name", POINTWISE)
def test_pointwise_like_pytorch(torch, name, reduction, dtype):
    for shape in [(), (1,), (7, 5), (3, 1009)]:
        arrays = inputs_for(name, shape, dtype)
        compare(*both(name.split()[0]), arrays, differentiable=[0, 1], reduction=reduction, **POINTWISE[name])


def weighted(function, reduction):
    return lambda x, t, w, pw: function(x, t, weight=w, reduction=reduction, pos_weight=pw)


@both_types
@each_reduction
def test_weighted_binary_losses_like_pytorch(torch, reduction, dtype):
    rng = np.random.default_rng(5)
    x, q = inputs_for("binary_cross_entropy_with_logits", (6, 5), dtype)
    for w_shape, pw_shape in [((6, 5), (5,)), ((5,), (6, 1)), ((1, 5), ())]:
        w, pw = (np.asarray(rng.uniform(0.5, 2, s), dtype) for s in (w_shape, pw_shape))
        compare(*both("binary_cross_entropy"), [1 / (1 + np.exp(-x)), q, w], differentiable=[0],
                reduction=reduction)
        compare(*(weighted(f, reduction) for f in both("binary_cross_entropy_with_logits")), [x, q, w, pw],
                differentiable=[0])


@both_types
def test_batchmean_like_pytorch(torch, dtype):
    compare(*both("kl_div"), inputs_for("kl_div", (6, 5), dtype), differentiable=[0, 1], reduction="batchmean")


# ---- zero times infinity -------------------------------------------------------------------------
INF = np.inf
HALF = float(np.log(0.5))


def value_and_slope(function, x, *args, dtype, **attrs):
    x = nn.tensor(np.array(x, dtype), requires_grad=True)
    args = [a if a is None else nn.tensor(np.array(a, dtype if isinstance(np.ravel(a)[0], float) else np.int64))
            for a in args]
    y = function(x, *args, reduction="sum", **attrs)
    y.backward()
    return y.item(), x.grad.data


@both_backends
@both_types
@pytest.mark.parametrize("function, x, args, attrs, value, slope", [
    # a class that weighs nothing costs nothing, even if its probability is 0
    (F.cross_entropy, [[-INF, 0, 0]], ([[0, 0.5, 0.5]],), {}, math.log(2), [[0, 0, 0]]),
    (F.cross_entropy, [[-INF, 0, 0]], ([[0.5, 0.25, 0.25]],), {}, INF, [[-0.5, 0.25, 0.25]]),
    (F.cross_entropy, [[-INF, 0, 0]], ([0], [0.0, 1, 1]), {}, 0, [[0, 0, 0]]),
    (F.cross_entropy, [[-INF, 0, 0]], ([1], [0.0, 1, 1]), {"label_smoothing": 0.5}, 5 / 6 * math.log(2),
     [[0, -0.25, 0.25]]),
    (F.cross_entropy, [[-INF, 0, 0]], ([[0.2, 0.4, 0.4]], [0.0, 1, 1]), {}, 0.8 * math.log(2), [[0, 0, 0]]),
    (F.cross_entropy, [[-INF, 0], [0, 0]], ([-100, 1],), {}, math.log(2), [[0, 0], [0.5, -0.5]]),
    (F.cross_entropy, [[[-INF], [0], [0]]], ([[[0], [0.5], [0.5]]],), {}, math.log(2), [[[0], [0], [0]]]),
    (F.nll_loss, [[-INF, -1]], ([0], [0.0, 1]), {}, 0, [[0, 0]]),
    (F.kl_div, [-INF, HALF, HALF], ([0, 0.5, 0.5],), {}, 0, [0, -0.5, -0.5]),
    (F.kl_div, [-INF, HALF, HALF], ([-INF, HALF, HALF],), {"log_target": True}, 0, [0, -0.5, -0.5]),
    (F.kl_div, [-1, HALF, HALF], ([-INF, HALF, HALF],), {"log_target": True}, 0, [0, -0.5, -0.5]),
    (F.kl_div, [-INF, HALF], ([0.5, 0.5],), {}, INF, [-0.5, -0.5]),
    (F.binary_cross_entropy_with_logits, [INF, -INF], ([1.0, 0],), {}, 0, [0, 0]),
    (F.binary_cross_entropy_with_logits, [INF, 0], ([0.0, 0],), {}, INF, [1, 0.5]),
    (F.binary_cross_entropy_with_logits, [-INF, 0], ([0.9, 0],), {}, INF, [-0.9, 0.5]),
    (F.binary_cross_entropy_with_logits, [INF, 0], ([0.0, 0.0], [0.0, 1]), {}, math.log(2), [0, 0.5]),
    (F.binary_cross_entropy_with_logits, [-INF, 0], ([1.0, 0],), {"pos_weight": [0.0, 1]}, math.log(2), [0, 0.5]),
    (F.huber_loss, [INF, 0], ([0.0, 0],), {}, INF, [1, 0]),
    (F.smooth_l1_loss, [-INF, 0], ([0.0, 0],), {}, INF, [-1, 0]),
    (F.l1_loss, [-INF, 0], ([0.0, 0],), {}, INF, [-1, 0]),
    (F.mse_loss, [-INF, 0], ([0.0, 0],), {}, INF, [-INF, 0])])
def test_what_weighs_nothing_costs_nothing(function, x, args, attrs, value, slope, dtype, backend):
    attrs = {name: nn.tensor(np.array(a, dtype)) if name == "pos_weight" else a for name, a in attrs.items()}
    with nn.use_backend(backend), np.errstate(all="ignore"):
        y, dx = value_and_slope(function, x, *args, dtype=dtype, **attrs)
    assert y == pytest.approx(value, rel=1e-6, abs=1e-7)
    np.testing.assert_allclose(dx, slope, rtol=1e-6, atol=1e-7)


@both_backends
def test_the_slopes_of_targets_at_infinity(backend):
    """log s(-x) - q log s(x) is infinite at infinite scores; a weight of 0 stops it."""
    t = nn.tensor(np.array([1.0, 1.0, 1.0]), requires_grad=True)
    x, w = nn.tensor(np.array([np.inf, -np.inf, np.inf])), nn.tensor(np.array([1.0, 1.0, 0.0]))
    with nn.use_backend(backend), np.errstate(all="ignore"):
        F.binary_cross_entropy_with_logits(x, t, w, reduction="sum").backward()
    assert t.grad.tolist() == [-np.inf, np.inf, 0]


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_nll_loss_whose_weights_are_all_zero(backend):
    """The mean is 0/0; a class that does not count has no gradient all the same."""
    x = nn.zeros(2, 3, requires_grad=True)
    with nn.use_backend(backend):
        loss = F.nll_loss(x, nn.tensor([0, 2]), nn.zeros(3))
        loss.backward()
    assert np.isnan(loss.item()) and x.grad.tolist() == [[0] * 3] * 2


def test_with_one_class_only_rounding_is_left():
    """The slope is g w t (p - 1) with p = 1, as a difference of two terms: each may be off by the
    roundings of a product, and no more, however large the weight.
    """
    rng = np.random.default_rng(0)
    for weight in (5e27, 1.0):
        x = nn.tensor(rng.standard_normal((100, 1)).astype("f4"), requires_grad=True)
        t = rng.uniform(0, 1, (100, 1)).astype("f4")
        F.cross_entropy(x, nn.tensor(t), nn.tensor(np.full(1, weight, "f4")), reduction="sum").backward()
        assert (np.abs(x.grad.data) <= 2.0**-22 * weight * t).all()
