"""Layer, RMS, group and batch norm: a number worked by hand, PyTorch as second opinion, running
statistics, large means.
"""

import numpy as np
import pytest
from second_opinion import close, compare

import fastnn as nn
from fastnn.errors import ShapeError

F = nn.functional
RNG = np.random.default_rng


def test_layer_norm_by_hand():
    # x = [1, 2, 6]:  mean = 3,  deviations = [-2, -1, 3],  var = (4 + 1 + 9)/3 = 14/3
    # with eps = 4/3:  rstd = 1/sqrt(6) = 0.408248
    # xhat = [-0.816497, -0.408248, 1.224745]
    # y = xhat * [1, 2, 3] + [0, 0, 1] = [-0.816497, -0.816497, 4.674235]
    x = nn.tensor(np.array([[1.0, 2.0, 6.0]]), requires_grad=True)
    w = nn.tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    y = F.layer_norm(x, (3,), w, nn.tensor(np.array([0.0, 0.0, 1.0])), eps=4 / 3)
    np.testing.assert_allclose(y.detach().numpy(), [[-0.816497, -0.816497, 4.674235]], atol=1e-6)
    # dy = [1, 0, 0]:  g = dy * w = [1, 0, 0],  mean(g) = 1/3
    # mean(g * xhat) = -0.816497/3 = -0.272166
    # dx = rstd * (g - 1/3 + 0.272166 * xhat)
    #    = 0.408248 * [0.444444, -0.444444, 0] = [0.181444, -0.181444, 0]
    y.backward(np.array([[1.0, 0.0, 0.0]]))
    np.testing.assert_allclose(x.grad.numpy(), [[0.181444, -0.181444, 0.0]], atol=1e-6)
    np.testing.assert_allclose(w.grad.numpy(), [-0.816497, 0.0, 0.0], atol=1e-6)


def test_batch_norm_by_hand():
    # one channel, values 1, 3, 8:  mean = 4,  var = (9 + 1 + 16)/3 = 26/3,  unbiased 13
    # momentum 0.1:  running_mean = 0.9 * 0 + 0.1 * 4 = 0.4,  running_var = 0.9 * 1 + 0.1 * 13 = 2.2
    mean, var = nn.tensor(np.zeros(1)), nn.tensor(np.ones(1))
    y = F.batch_norm(nn.tensor(np.array([[1.0], [3.0], [8.0]])), mean, var, training=True, eps=1 / 3)
    # deviations [-3, -1, 4] / sqrt(26/3 + 1/3) = 3
    np.testing.assert_allclose(y.numpy(), [[-1.0], [-1 / 3], [4 / 3]])
    np.testing.assert_allclose(mean.numpy(), [0.4])
    np.testing.assert_allclose(var.numpy(), [2.2])


# ---- PyTorch -------------------------------------------------------------------------------------
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


@DTYPES
@pytest.mark.parametrize("affine", ["weight and bias", "weight", "bias", "none"])
def test_layer_norm_is_pytorchs(torch, dtype, affine):
    rng = RNG(1)
    w = rng.standard_normal((5, 33)) if "weight" in affine else None
    b = rng.standard_normal((5, 33)) if "bias" in affine else None
    compare(lambda x, w, b: F.layer_norm(x, (5, 33), w, b, 1e-3),
            lambda x, w, b: torch.nn.functional.layer_norm(x, (5, 33), w, b, 1e-3),
            [rng.standard_normal((4, 5, 33)), w, b], dtype)


@DTYPES
@pytest.mark.parametrize("eps", [None, 1e-3])
def test_rms_norm_is_pytorchs(torch, dtype, eps):
    rng = RNG(2)
    for w in (rng.standard_normal(70), None):
        compare(lambda x, w: F.rms_norm(x, (70,), w, eps),
                lambda x, w: torch.nn.functional.rms_norm(x, (70,), w, eps), [rng.standard_normal((4, 5, 70)), w],
                dtype)


@DTYPES
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_group_norm_is_pytorchs(torch, dtype, groups):
    rng = RNG(3)
    compare(lambda x, w, b: F.group_norm(x, groups, w, b),
            lambda x, w, b: torch.nn.functional.group_norm(x, groups, w, b),
            [rng.standard_normal((3, 6, 5, 7)), rng.standard_normal(6), rng.standard_normal(6)], dtype)


@DTYPES
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("shape", [(9, 5), (130, 70), (4, 5, 6), (4, 5, 6, 7), (2, 3, 70, 70)], ids=str)
def test_batch_norm_is_pytorchs_and_so_are_the_running_statistics(torch, dtype, training, shape):
    rng, C = RNG(4), shape[1]
    mean, var = rng.standard_normal(C).astype(dtype), rng.uniform(0.5, 2, C).astype(dtype)
    ours = nn.tensor(mean.copy()), nn.tensor(var.copy())
    theirs = torch.tensor(mean), torch.tensor(var)
    compare(lambda x, w, b: F.batch_norm(x, *ours, w, b, training, 0.3, 1e-4),
            lambda x, w, b: torch.nn.functional.batch_norm(x, *theirs, w, b, training, 0.3, 1e-4),
            [rng.standard_normal(shape), rng.standard_normal(C), rng.standard_normal(C)], dtype)
    for name, a, b in zip(("mean", "variance"), ours, theirs):
        close(a, b, f"running {name}")


# ---- running statistics --------------------------------------------------------------------------
@DTYPES
@pytest.mark.parametrize("training", [True, False], ids=["training", "inference"])
@pytest.mark.parametrize("shape", [(9, 5), (130, 70), (4, 5, 6), (40, 35, 3, 5), (2, 3, 70, 70)], ids=str)
def test_batch_norm_relu_is_pytorchs(torch, dtype, training, shape):
    rng = RNG(1)
    arrays = rng.standard_normal(shape), rng.standard_normal(shape[1]), rng.standard_normal(shape[1])
    mean, var = rng.standard_normal(shape[1]).astype(dtype), rng.uniform(0.5, 2, shape[1]).astype(dtype)
    ours = nn.tensor(mean.copy()), nn.tensor(var.copy())
    theirs = torch.tensor(mean), torch.tensor(var)
    compare(lambda x, w, b: F.batch_norm_relu(x, *ours, w, b, training),
            lambda x, w, b: torch.relu(torch.nn.functional.batch_norm(x, *theirs, w, b, training)), arrays, dtype)
    for name, a, b in zip(("mean", "variance"), ours, theirs):
        close(a, b, f"running {name}")


def test_batch_norm_relu_by_hand():
    # one channel, values 1, 3, 8:  z = [-1, -1/3, 4/3] as above, so y = [0, 0, 4/3]
    # only the last has a gradient: with dy = 1 there,  xhat = z,  mean(dz) = 1/3,
    # mean(dz * xhat) = 4/9,  dx = ([0, 0, 1] - 1/3 - 4/9 * [-1, -1/3, 4/3]) / 3
    x = nn.tensor(np.array([[1.0], [3.0], [8.0]]), requires_grad=True)
    y = F.batch_norm_relu(x, None, None, training=True, eps=1 / 3)
    np.testing.assert_allclose(y.data[:, 0], [0, 0, 4 / 3])
    y.backward(np.ones((3, 1)))
    np.testing.assert_allclose(x.grad.data[:, 0], [1 / 27, -5 / 81, 2 / 81])


def test_batch_norm_relu_lets_nan_pass():
    x = nn.tensor(np.array([[1.0, 1.0], [np.nan, 2.0], [3.0, 3.0]]))
    y = F.batch_norm_relu(x, None, None, training=True).data
    assert np.isnan(y[:, 0]).all() and y[0, 1] == 0 and y[2, 1] > 0


def test_running_statistics_may_be_arrays_or_missing():
    x = nn.tensor(RNG(5).standard_normal((7, 3)))
    mean, var = np.zeros(3), np.ones(3)
    with_arrays = F.batch_norm(x, mean, var, training=True, momentum=1.0)
    np.testing.assert_allclose(mean, x.data.mean(0))
    np.testing.assert_allclose(var, x.data.var(0, ddof=1))
    assert np.array_equal(with_arrays.data, F.batch_norm(x, None, None, training=True).data)


def test_inference_leaves_the_running_statistics_alone():
    mean, var = nn.tensor(np.ones(3)), nn.tensor(np.ones(3))
    F.batch_norm(nn.tensor(RNG(6).standard_normal((7, 3))), mean, var)
    assert (mean.data == 1).all() and (var.data == 1).all() and mean._version == [0]


def test_a_change_of_the_running_statistics_is_counted():
    mean = nn.tensor(np.zeros(3))
    F.batch_norm(nn.tensor(RNG(7).standard_normal((7, 3))), mean, None, training=True)
    assert mean._version == [1]


def test_a_failed_call_leaves_the_running_statistics_alone():
    mean, var = nn.tensor(np.zeros(3)), nn.tensor(np.ones(3))
    with pytest.raises(ShapeError):
        F.batch_norm(nn.tensor(np.ones((1, 3))), mean, var, training=True)
    with pytest.raises(ShapeError):
        F.batch_norm(nn.tensor(np.ones((2, 3))), mean, var, nn.tensor(np.ones(2)), training=True)
    assert (mean.data == 0).all() and (var.data == 1).all()


def test_gradients_flow_through_the_batch_statistics_only_in_training():
    x = RNG(8).standard_normal((5, 2))
    dy = RNG(9).standard_normal((5, 2))

    def gradient(training):
        t = nn.tensor(x, requires_grad=True)
        F.batch_norm(t, nn.tensor(x.mean(0)), nn.tensor(x.var(0)), training=training).backward(dy)
        return t.grad.numpy()
    assert np.abs(gradient(True).sum(0)).max() < 1e-12      # a common shift of x changes nothing
    np.testing.assert_allclose(gradient(False), dy / np.sqrt(x.var(0) + 1e-5))


# ---- edges ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_an_empty_batch(backend):
    with nn.use_backend(backend):
        x = nn.tensor(np.zeros((0, 3, 2)), requires_grad=True)
        w = nn.tensor(np.ones(3), requires_grad=True)
        mean, var = nn.tensor(np.full(3, 7.0)), nn.tensor(np.full(3, 8.0))
        y = F.batch_norm(x, mean, var, w, training=True)
        y.backward(np.zeros((0, 3, 2)))
        assert y.shape == x.grad.shape == (0, 3, 2)
        assert (w.grad.data == 0).all() and (mean.data == 7).all() and (var.data == 8).all()
        for y in (F.layer_norm(x, (2,), nn.tensor(np.ones(2), requires_grad=True)), F.group_norm(x, 3, w),
                  F.rms_norm(x, (2,))):
            y.backward(np.zeros((0, 3, 2)))
            assert y.shape == (0, 3, 2)
        for x in (nn.tensor(np.zeros((3, 0))), nn.tensor(np.zeros((2, 3, 0)))):
            assert F.layer_norm(x, (0,)).shape == x.shape


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_a_row_of_one_is_its_bias(backend):
    with nn.use_backend(backend):
        x = nn.tensor(np.array([[3.0], [4.0]]), requires_grad=True)
        y = F.layer_norm(x, (1,), nn.tensor(np.array([2.0])), nn.tensor(np.array([5.0])))
        y.backward(np.array([[1.0], [1.0]]))
        assert (y.data == 5).all() and (x.grad.data == 0).all()


@pytest.mark.parametrize("mean", [1e4, 1e6])
def test_a_large_mean_does_not_spoil_the_result(mean):
    """float32 input around `mean` with deviation about 1: the answer is that of float64 on the same
    input, in float32.
    """
    x = (mean + RNG(10).standard_normal((6, 8, 300))).astype(np.float32)
    wide = x.astype(np.float64)

    def standard(axes):
        return (wide - wide.mean(axes, keepdims=True)) / np.sqrt(wide.var(axes, keepdims=True) + 1e-5)
    close = {"rtol": 1e-5, "atol": 2e-6}
    np.testing.assert_allclose(F.layer_norm(nn.tensor(x), (300,)).data, standard(2), **close)
    np.testing.assert_allclose(F.layer_norm(nn.tensor(x), (8, 300)).data, standard((1, 2)), **close)
    np.testing.assert_allclose(F.group_norm(nn.tensor(x), 1).data, standard((1, 2)), **close)
    np.testing.assert_allclose(F.batch_norm(nn.tensor(x), None, None, training=True).data, standard((0, 2)), **close)
    columns = nn.tensor(np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, 8))
    want = standard((0, 2)).transpose(0, 2, 1).reshape(-1, 8)
    np.testing.assert_allclose(F.batch_norm(columns, None, None, training=True).data, want, **close)


def test_a_drifting_mean_does_not_spoil_the_result():
    """Long sums are merged from chunks whose means differ."""
    x = (np.linspace(0, 1e4, 40000) + RNG(11).standard_normal(40000)).astype(np.float32).reshape(1, 1, -1)
    wide = x.astype(np.float64)
    want = (wide - wide.mean()) / wide.std()
    for y in (F.layer_norm(nn.tensor(x), (40000,)), F.group_norm(nn.tensor(x), 1),
              F.batch_norm(nn.tensor(x), None, None, training=True),
              F.batch_norm(nn.tensor(x.reshape(-1, 1)), None, None, training=True)):
        np.testing.assert_allclose(y.data.reshape(-1), want.reshape(-1), rtol=1e-5, atol=1e-6)


# ---- rows of any size ----------------------------------------------------------------------------
NORMS = {"layer": lambda x, w, b, eps: F.layer_norm(x, w.shape, w, b, eps),
         "rms": lambda x, w, b, eps: F.rms_norm(x, w.shape, w, eps),
         "group": lambda x, w, b, eps: F.group_norm(x, 2, w, b, eps),
         "batch": lambda x, w, b, eps: F.batch_norm(x, None, None, w, b, True, 0.1, eps),
         "batch relu": lambda x, w, b, eps: F.batch_norm_relu(x, None, None, w, b, True, 0.1, eps)}
ROWS = [(3, 5), (2, 5003), (40, 130)]
IMAGES = [(5, 6), (70, 130), (3, 4, 5, 7), (2, 4, 5003), (19, 20, 4, 4)]
CALLS = [(kind, shape) for kind in NORMS for shape in (ROWS if kind in ("layer", "rms") else IMAGES)]


def standardise(kind, x, w, b, dy, eps):
    """(y, dx, dweight, dbias) in the type of x, from the formulas."""
    rows = kind in ("layer", "rms")
    axes = (-1,) if rows else (2,) if kind == "group" else (0, *range(2, x.ndim))
    sets = x.reshape(*x.shape[:1], 2, -1) if kind == "group" else x
    along = (-1,) if rows else (1, -1) + (1,) * (x.ndim - 2)
    others = tuple(range(x.ndim - 1)) if rows else (0, *range(2, x.ndim))
    d = sets if kind == "rms" else sets - sets.mean(axes, keepdims=True)
    if kind != "rms":
        d = d - d.mean(axes, keepdims=True)
    rstd = 1 / np.sqrt((d * d).mean(axes, keepdims=True) + eps)
    xhat = d * rstd
    y = xhat.reshape(x.shape) * w.reshape(along) + (0 if kind == "rms" else b.reshape(along))
    if kind == "batch relu":
        y, dy = np.maximum(y, 0), np.where(y > 0, dy, 0)
    g = (dy * w.reshape(along)).reshape(sets.shape)
    dx = g - xhat * (g * xhat).mean(axes, keepdims=True) - (0 if kind == "rms" else g.mean(axes, keepdims=True))
    return y, (rstd * dx).reshape(x.shape), (dy * xhat.reshape(x.shape)).sum(others), dy.sum(others)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("kind, shape", CALLS, ids=str)
def test_rows_of_any_size(kind, shape, backend):
    """Where squares overflow or vanish, and where rstd itself does, the result is that of numbers
    near 1; so is the gradient where the type can hold it.
    """
    if np.finfo(np.longdouble).maxexp == np.finfo(np.float64).maxexp:
        pytest.skip("long double is no wider here")
    rng = RNG(14)
    channels = shape[-1] if kind in ("layer", "rms") else shape[1]
    for dtype, sizes in ((np.float32, (1, 1e19, 1e30, 3e38, 1e-25)), (np.float64, (1, 1e160, 1e300, 1.7e308, 1e-200))):
        for size, middle in [(size, middle) for size in sizes for middle in (0, 0.5)]:
            x = ((middle + rng.uniform(-0.5, 0.5, shape)) * size).astype(dtype)
            w, b = rng.uniform(0.5, 1.5, channels).astype(dtype), rng.standard_normal(channels).astype(dtype)
            dy = rng.standard_normal(shape).astype(dtype)
            # batch norm refuses 0 in training
            eps = 0.0 if size < 1 and "batch" not in kind else 1e-5
            want = standardise(kind, *(a.astype(np.longdouble) for a in (x, w, b, dy)), eps)
            t = [nn.tensor(a, requires_grad=True) for a in (x, w, b)]
            with nn.use_backend(backend):
                y = NORMS[kind](*t, eps)
                y.backward(dy)
            for what, got, exact in zip(("y", "dx", "dweight", "dbias"), (y, *(a.grad for a in t)), want):
                largest = np.abs(exact).max()
                if got is not None and largest > np.finfo(dtype).tiny * 1e6:
                    error = float(np.abs(got.data - exact).max() / largest)
                    assert error < (1e-4 if dtype is np.float32 else 1e-11), (what, dtype, size, middle, error)


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("kind, shape", CALLS, ids=str)
def test_infinities_are_where_the_definition_has_them(kind, shape, dtype):
    """In the input, a weight, a bias or the upstream gradient: kernel and definition have the same
    infinities and NaN.
    """
    channels = shape[-1] if kind in ("layer", "rms") else shape[1]
    for which in range(4):
        for bad in (np.inf, -np.inf, np.nan):
            rng = RNG(15)
            arrays = [rng.standard_normal(shape), rng.standard_normal(channels), rng.standard_normal(channels),
                      rng.standard_normal(shape)]
            arrays[which].reshape(-1)[1] = bad
            seen = []
            for backend in ("kernels", "reference"):
                with nn.use_backend(backend), np.errstate(all="ignore"):
                    t = [nn.tensor(a.astype(dtype), requires_grad=True) for a in arrays[:3]]
                    y = NORMS[kind](*t, 1e-5)
                    y.backward(arrays[3].astype(dtype))
                    seen.append([np.where(np.isfinite(a.data), 0, a.data) for a in (y, *(a.grad for a in t))
                                 if a is not None])
            for what, ours, theirs in zip(("y", "dx", "dweight", "dbias"), *seen):
                np.testing.assert_array_equal(ours, theirs, f"{what} with {bad} in input {which}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])
@pytest.mark.parametrize("relu", [False, True])
def test_infinite_running_statistics(relu, dtype):
    x = np.array([[1.0, 2.0, -3.0], [-np.inf, 5.0, np.inf]])
    call = F.batch_norm_relu if relu else F.batch_norm
    for mean, var in (([np.inf, -np.inf, 0], [1, 1, 1]), ([0, 1, 2], [np.inf, np.inf, np.nan])):
        seen = []
        for backend in ("kernels", "reference"):
            with nn.use_backend(backend), np.errstate(all="ignore"):
                seen.append(call(nn.tensor(x.astype(dtype)), nn.tensor(np.array(mean, dtype)),
                                 nn.tensor(np.array(var, dtype))).data)
        np.testing.assert_allclose(*seen, rtol=1e-6)


def test_running_statistics_that_count_for_nothing_do_no_harm():
    """The factors 0 and 1: no zero times infinity."""
    x = nn.tensor(np.array([[3e38], [-3e38]], np.float32))
    for momentum, before, after in ((0.0, 1.0, 1.0), (1.0, np.inf, np.inf)):
        mean, var = nn.tensor(np.zeros(1, np.float32)), nn.tensor(np.full(1, before, np.float32))
        with np.errstate(all="ignore"):
            F.batch_norm(x, mean, var, training=True, momentum=momentum)
        assert var.item() == after and mean.item() == 0


@pytest.mark.parametrize("shape", [(300, 3), (9000, 70), (40, 20, 4, 4), (3, 2, 70, 80), (1, 2, 40_000)], ids=str)
@pytest.mark.parametrize("isa", ["portable", "best"])
def test_a_large_mean_costs_the_batch_variance_no_digits(shape, isa):
    """The variance that batch norm tells, and so rstd: within 64 units, up to a mean of 3e6
    deviations, where float32 has hardly a digit of a deviation.
    """
    if nn.kernels.compiled is None:
        pytest.skip("there are no compiled kernels here")
    with nn.use_isa(nn.isa() if isa == "best" else isa):
        for mean in (0, 1e2, 1e4, 1e6, 3e6):
            x = (mean + RNG(16).standard_normal(shape)).astype(np.float32)
            want = x.astype(np.float64).var((0, *range(2, x.ndim)), ddof=1)
            var = nn.tensor(np.zeros(shape[1], np.float32))
            F.batch_norm(nn.tensor(x), None, var, training=True, momentum=1.0)
            np.testing.assert_allclose(var.data, want, rtol=64 * 2.0**-24)


def test_group_norm_with_c_groups_standardises_each_channel():
    x = RNG(12).standard_normal((2, 3, 50))
    y = F.group_norm(nn.tensor(x), 3, eps=0.0).data
    np.testing.assert_allclose(y.mean(2), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(2), 1)


@pytest.mark.parametrize("call", [
    lambda x, w, b: F.layer_norm(F.reshape(x, (-1, 48)), (48,), w, b),
    lambda x, w, b: F.rms_norm(F.reshape(x, (-1, 48)), (48,), w),
    lambda x, w, b: F.group_norm(x, 4, w, b), lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True),
    lambda x, w, b: F.batch_norm(F.reshape(x, (-1, 48)), None, None, w, b, training=True)],
    ids=["layer", "rms", "group", "batch", "batch rank 2"])
def test_the_bits_do_not_depend_on_the_number_of_threads(call):
    rng = RNG(13)
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in ((16, 48, 24, 24), 48, 48)]
    dy = rng.standard_normal(arrays[0].shape).astype(np.float32)

    def run():
        x, w, b = (nn.tensor(a, requires_grad=True) for a in arrays)
        y = call(x, w, b)
        y.backward(dy.reshape(y.shape))
        return [t.data.tobytes() for t in (y, x.grad, w.grad, b.grad) if t is not None]
    with nn.threads(1):
        one = run()
    with nn.threads(2):
        assert one == run() == run()


@pytest.mark.parametrize("eps", [float("inf"), 1e300, float("nan"), -1.0])
def test_an_eps_that_leaves_nothing_is_refused(eps):
    x = nn.zeros(2, 4)
    for call in (lambda: nn.functional.layer_norm(x, (4,), eps=eps), lambda: nn.functional.rms_norm(x, (4,), eps=eps),
                 lambda: nn.functional.group_norm(x, 2, eps=eps),
                 lambda: nn.functional.batch_norm(x, None, None, training=True, eps=eps)):
        with pytest.raises(nn.RangeError, match="eps"):
            call()


@pytest.mark.parametrize("shape", [(2, 4, 0), (0, 4, 3)])
def test_images_without_pixels_leave_running_statistics_alone(shape):
    layer = nn.InstanceNorm1d(4, track_running_stats=True)
    assert layer(nn.zeros(*shape)).shape == shape
    assert layer.running_mean.tolist() == [0]*4 and layer.running_var.tolist() == [1]*4
