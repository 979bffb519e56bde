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
    np.testing.assert_allclose(y.numpy(), [[-1.0], [-1 / 3], [4 / 3]])   # deviations [-3, -1, 4] / sqrt(26/3 + 1/3) = 3
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
    assert np.abs(gradient(True).sum(0)).max() < 1e-12          # a common shift of x changes nothing
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
