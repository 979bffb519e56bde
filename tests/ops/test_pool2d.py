"""Pooling: worked by hand, against PyTorch and naive loops, on one and several threads, at every
instruction-set level.
"""

from functools import partial
from itertools import islice, product

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn
from fastnn.errors import ShapeError
from fastnn.op import seeded
from fastnn.reference.adaptive_pool import adaptive_window, adaptive_windows

F = nn.functional
LEVELS = ["numpy"]
if nn.isa() != "numpy":
    LEVELS = [name for name, (_, runs) in nn.kernels.compiled.levels().items() if runs]
NAN, INF = float("nan"), float("inf")


def run(pool, x, dy=None):
    """pool(x) and the gradient of x for dy (of ones, if not given), as arrays."""
    x = nn.tensor(x, requires_grad=True)
    y = pool(x)
    y = y[0] if isinstance(y, tuple) else y
    y.backward(np.ones(y.shape) if dy is None else dy)
    return y.data, x.grad.data


# ---- by hand -------------------------------------------------------------------------------------
def test_max_pool2d_overlapping_windows_add_up():
    """3x3 windows at stride 1 over 4x4. All four windows see the 9 at (1,1); those of the right
    column see the 9.5 at (2,3) as well. So dx[1,1] = dy[0,0] + dy[1,0] and dx[2,3] = dy[0,1] +
    dy[1,1]."""
    x = np.array([[[[1.0, 2, 3, 4], [5, 9, 6, 0], [1, 2, 3, 9.5], [0, 1, 2, 3]]]])
    y, dx = run(lambda t: F.max_pool2d(t, 3, stride=1), x, np.array([[[[1.0, 10], [100, 1000]]]]))
    assert y.tolist() == [[[[9, 9.5], [9, 9.5]]]]
    want = np.zeros((4, 4))
    want[1, 1], want[2, 3] = 101, 1010
    assert np.array_equal(dx[0, 0], want)


def test_max_pool2d_ties_go_to_the_first():
    """Of equal values the first in reading order is the maximum: in 2x2 windows, in others, where
    all are minus infinity.
    """
    for size, stride in ((2, None), (3, 2)):
        x = np.zeros((1, 1, 6, 6))
        x[0, 0, 1, 0] = x[0, 0, 0, 1] = 5
        x[0, 0, 2, 2:] = -INF
        y, indices = F.max_pool2d(nn.tensor(x), size, stride, return_indices=True)
        assert y.data[0, 0, 0, 0] == 5 and indices.data[0, 0, 0, 0] == 1
        _, dx = run(lambda t, size=size, stride=stride: F.max_pool2d(t, size, stride), x)
        assert dx[0, 0, 0, 1] == 1 and dx[0, 0, 1, 0] == 0
    low = np.full((1, 1, 4, 4), -INF)
    for pool in (lambda t: F.max_pool2d(t, 2), lambda t: F.max_pool2d(t, 3, 1), lambda t: F.adaptive_max_pool2d(t, 3)):
        y, dx = run(pool, low)
        assert (y == -INF).all() and dx[0, 0, 0, 0] == 1 and dx.sum() == y.size


def test_max_pool2d_nan_wins():
    for size, stride in ((2, None), (3, 1)):
        x = np.arange(16.0).reshape(1, 1, 4, 4)
        x[0, 0, 0, 0] = NAN
        y, dx = run(lambda t, size=size, stride=stride: F.max_pool2d(t, size, stride), x)
        assert np.isnan(y[0, 0, 0, 0]) and np.isnan(y).sum() == 1 and dx[0, 0, 0, 0] == 1
        assert np.isnan(F.adaptive_max_pool2d(nn.tensor(x), 3).data).sum() == 1


def test_padding_is_minus_infinity_for_max_and_zero_for_mean():
    """One pixel of -3 in a 3x3 window with padding 1: the maximum is -3, the mean -3/9, or -3 where
    padding is not counted.
    """
    x = np.full((1, 1, 1, 1), -3.0)
    assert F.max_pool2d(nn.tensor(x), 3, padding=1).data.item() == -3
    assert F.avg_pool2d(nn.tensor(x), 3, padding=1).data.item() == -3 / 9
    assert F.avg_pool2d(nn.tensor(x), 3, padding=1, count_include_pad=False).data.item() == -3


def test_a_window_that_holds_no_pixel():
    """With dilation 2 a 2x2 window on one pixel has its taps at -1 and 1: the maximum of nothing is
    minus infinity.
    """
    y, dx = run(lambda t: F.max_pool2d(t, 2, stride=1, padding=1, dilation=2), np.ones((1, 1, 1, 1)))
    assert y.tolist() == [[[[-INF]]]] and dx.tolist() == [[[[0]]]]


def test_ceil_mode_by_hand():
    """5 pixels, windows of 2 at stride 2: the third holds only the last pixel. With stride 3 and
    padding 1 over 4 pixels a third window would begin at 5, in the padding after the image, and is
    not taken."""
    x = nn.tensor([[[[1.0, 2.0, 3.0, 4.0, 5.0]]]])
    assert F.max_pool2d(x, (1, 2), ceil_mode=True).data.tolist() == [[[[2, 4, 5]]]]
    # the last divides by one
    assert F.avg_pool2d(x, (1, 2), ceil_mode=True).data.tolist() == [[[[1.5, 3.5, 5]]]]
    assert F.max_pool2d(x, (1, 2)).data.tolist() == [[[[2, 4]]]]
    x = nn.tensor(np.ones((1, 1, 1, 4)))
    assert F.max_pool2d(x, (1, 2), stride=(1, 3), padding=(0, 1), ceil_mode=True).shape == (1, 1, 1, 2)


def test_avg_pool2d_by_hand():
    """Windows of 2 at stride 1 over [2, 4, 8]: means 3 and 6; the middle pixel is in both, so its
    gradient is (1 + 10) / 2.
    """
    y, dx = run(lambda t: F.avg_pool2d(t, (1, 2), stride=1), np.array([[[[2.0, 4, 8]]]]), np.array([[[[1.0, 10]]]]))
    assert y.tolist() == [[[[3, 6]]]] and dx.tolist() == [[[[0.5, 5.5, 5]]]]


def test_adaptive_pooling_by_hand():
    """5 pixels to 3: windows 0..1, 1..3, 3..4."""
    x = np.array([[[[1.0, 3, 5, 10, 20]]]])
    y, dx = run(lambda t: F.adaptive_avg_pool2d(t, (1, 3)), x, np.array([[[[2.0, 30, 200]]]]))
    assert y.tolist() == [[[[2, 6, 15]]]]
    assert dx.tolist() == [[[[1, 11, 10, 110, 100]]]]
    y, dx = run(lambda t: F.adaptive_max_pool2d(t, (1, 3)), x)
    assert y.tolist() == [[[[3, 10, 20]]]] and dx.tolist() == [[[[0, 1, 0, 1, 1]]]]
    assert F.adaptive_avg_pool2d(nn.tensor(x), 1).data.item() == 39 / 5
    assert F.adaptive_avg_pool2d(nn.tensor(x), (None, 1)).shape == (1, 1, 1, 1)
    assert F.adaptive_max_pool2d(nn.tensor(x), (1, None)).data.tolist() == x.tolist()


def test_adaptive_windows_that_see_the_same_pixels_are_one():
    """The definition walks over them: some two for a pixel, however many outputs there are."""
    for size, outputs in product(range(1, 14), range(1, 40)):
        walked = [(p, (pixels.start, pixels.stop)) for seeing, pixels in adaptive_windows(size, outputs)
                  for p in range(seeing.start, seeing.stop)]
        assert walked == [(p, adaptive_window(p, size, outputs)) for p in range(outputs)]
    assert len(list(islice(adaptive_windows(40, 2**40), 100))) < 80


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("pool", [F.avg_pool1d, F.max_pool1d, partial(F.lp_pool1d, norm_type=2.0)],
                         ids=["avg", "max", "lp"])
def test_a_window_far_larger_than_the_image(pool, backend):
    """With ceil_mode it is cut off at the image's end, and costs what it sees."""
    x = nn.tensor([[3.0, 4.0]], requires_grad=True)
    with nn.use_backend(backend):
        y = pool(x, kernel_size=2**40, ceil_mode=True)
        y.sum().backward()
    assert y.shape == (1, 1) and x.grad.shape == (1, 2)


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("pool", [F.adaptive_avg_pool1d, F.adaptive_max_pool1d])
def test_an_output_far_larger_than_the_image(pool, backend):
    x = nn.tensor([[1.0, 2.0, 4.0]], requires_grad=True)
    with nn.use_backend(backend):
        y = pool(x, 3 * 2**18)
        y.sum().backward()
    assert y.data[0, ::2**18].tolist() == [1, 2, 4] and x.grad.tolist() == [[2**18] * 3]


# ---- naive loops and PyTorch ---------------------------------------------------------------------
def random_pool(rng, dilated):
    """Sizes and attributes of a pooling that is allowed."""
    while True:
        window = tuple(map(int, rng.integers(1, 6, 2)))
        dilation = tuple(map(int, rng.integers(1, 4, 2))) if dilated else (1, 1)
        spread = tuple(d * (k - 1) + 1 for k, d in zip(window, dilation))
        padding = tuple(int(rng.integers(0, k // 2 + 1)) for k in window)
        size = tuple(map(int, rng.integers(1, 20, 2)))
        stride = None if rng.random() < 0.3 else tuple(map(int, rng.integers(1, 5, 2)))
        if all(n >= k if dilated else n + 2 * p >= k for n, p, k in zip(size, padding, spread)):
            break
    attrs = {"kernel_size": window, "stride": stride, "padding": padding, "ceil_mode": bool(rng.random() < 0.5)}
    if dilated:
        attrs["dilation"] = dilation
    return rng.standard_normal((2, 3, *size)), attrs


def test_indices_are_those_of_naive_loops():
    rng = seeded("naive maximum")
    for _ in range(40):
        x, attrs = random_pool(rng, dilated=True)
        x = np.round(x)                             # many ties
        y, indices = F.max_pool2d(nn.tensor(x), **attrs, return_indices=True)
        stride = attrs["stride"] or attrs["kernel_size"]
        for n, c, p, q in np.ndindex(*y.shape):
            best, at = -INF, -1
            for r in range(attrs["kernel_size"][0]):
                for s in range(attrs["kernel_size"][1]):
                    i = p * stride[0] - attrs["padding"][0] + r * attrs["dilation"][0]
                    j = q * stride[1] - attrs["padding"][1] + s * attrs["dilation"][1]
                    if 0 <= i < x.shape[2] and 0 <= j < x.shape[3] and x[n, c, i, j] > best:
                        best, at = x[n, c, i, j], i * x.shape[3] + j
            assert (y.data[n, c, p, q], indices.data[n, c, p, q]) == (best, at), f"{x.shape} {attrs} {(n, c, p, q)}"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pooling_agrees_with_pytorch(torch, dtype):
    rng = seeded("pooling and PyTorch")
    for i in range(80):
        x, attrs = random_pool(rng, dilated=True)
        if i % 4 == 0:
            x = np.round(x)                         # ties
        if i % 5 == 0:
            x[rng.random(x.shape) < 0.1] = NAN
        compare(*both("max_pool2d"), [x], dtype, **attrs, return_indices=True)
        x, attrs = random_pool(rng, dilated=False)
        attrs["count_include_pad"] = bool(rng.random() < 0.5)
        attrs["divisor_override"] = None if rng.random() < 0.7 else int(rng.integers(1, 9))
        compare(*both("avg_pool2d"), [x], dtype, **attrs)
        size = {"output_size": tuple(map(int, rng.integers(1, 9, 2)))}
        compare(*both("adaptive_avg_pool2d"), [x], dtype, **size)
        compare(*both("adaptive_max_pool2d"), [x], dtype, **size, return_indices=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("width", [33, 131, 4500])
def test_long_rows_agree_with_pytorch(torch, dtype, width):
    """Rows of several vectors, and of several tiles; ties everywhere, as after relu; a NaN in one
    plane, minus infinity in another.
    """
    for window, stride, padding, dilation in ((3, 2, 1, 1), (3, 1, 1, 1), ((2, 5), (1, 2), 0, 1),
                                              ((3, 2), (2, 3), 1, (2, 1)), ((5, 3), 2, (2, 1), 1)):
        attrs = {"kernel_size": window, "stride": stride, "padding": padding, "dilation": dilation}
        x = np.maximum(np.round(seeded(str(attrs)).standard_normal((1, 3, 9, width))), 0)
        x[0, 1, 5, width // 2] = NAN
        x[0, 2, 1:7, 3:20] = -INF
        compare(*both("max_pool2d"), [x], dtype, **attrs, return_indices=True)


# Over several blocks of planes.
LARGE = {
    "max 2x2": lambda t: F.max_pool2d(t, 2),
    "max 3x3 stride 2": lambda t: F.max_pool2d(t, 3, 2, 1),
    "max 3x3 stride 1": lambda t: F.max_pool2d(t, 3, 1, 1),
    "mean 2x2": lambda t: F.avg_pool2d(t, 2),
    "mean 3x3 stride 2": lambda t: F.avg_pool2d(t, 3, 2, 1),
    "mean 4x4 stride 3": lambda t: F.avg_pool2d(t, 4, 3, 2, count_include_pad=False),
    "mean of the plane": lambda t: F.adaptive_avg_pool2d(t, 1),
    "adaptive mean": lambda t: F.adaptive_avg_pool2d(t, (6, 7)),
    "adaptive max": lambda t: F.adaptive_max_pool2d(t, (6, 7)),
}


@pytest.mark.parametrize("name", LARGE)
def test_bits_do_not_depend_on_threads(name):
    x = seeded(name).standard_normal((9, 13, 41, 37)).astype(np.float32)
    y = LARGE[name](nn.tensor(x))
    dy = np.cos(np.arange(y.numel(), dtype=np.float32)).reshape(y.shape)
    with nn.threads(1):
        want = [a.tobytes() for a in run(LARGE[name], x, dy)]
    for n in (2, 5):
        with nn.threads(n):
            assert [a.tobytes() for a in run(LARGE[name], x, dy)] == want


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LARGE)
def test_levels_agree_with_the_definition(name, level, dtype):
    x = seeded(name).standard_normal((3, 5, 41, 37))
    with nn.use_backend("reference"):
        want = run(LARGE[name], x)
    with nn.use_isa(level):
        got = run(LARGE[name], x.astype(dtype))
    rounding = 1e-12 if dtype == np.float64 else 1e-5
    for a, b in zip(got, want):
        np.testing.assert_allclose(a, b, rtol=rounding, atol=rounding)


def test_mean_is_adjoint_to_its_gradient_exactly():
    """<A x, u> = <x, A^T u> on whole numbers: the mean with divisor 1 is a sum."""
    rng = seeded("adjoint")
    for _ in range(40):
        x, attrs = random_pool(rng, dilated=False)
        x = np.round(4 * x)
        total = partial(F.avg_pool2d, **attrs, divisor_override=1)
        u = rng.integers(-4, 5, total(nn.tensor(x)).shape).astype(float)
        y, dx = run(total, x, u)
        assert (y * u).sum() == (x * dx).sum()


def test_one_image_without_a_batch_axis():
    x = seeded("unbatched").standard_normal((3, 6, 7))
    for pool in (lambda t: F.max_pool2d(t, 2, return_indices=True), lambda t: F.avg_pool2d(t, 2),
                 lambda t: F.adaptive_avg_pool2d(t, 2),
                 lambda t: F.adaptive_max_pool2d(t, (2, None), return_indices=True)):
        one, batch = pool(nn.tensor(x)), pool(nn.tensor(x[None]))
        for a, b in zip(*((y if isinstance(y, tuple) else (y,)) for y in (one, batch))):
            assert a.ndim == 3 and np.array_equal(a.data, b.data[0])
        _, dx = run(pool, x)
        assert dx.shape == x.shape and dx.any()


def test_empty_batch():
    for pool in (lambda t: F.max_pool2d(t, 2), lambda t: F.avg_pool2d(t, 2), lambda t: F.adaptive_avg_pool2d(t, 2),
                 lambda t: F.adaptive_max_pool2d(t, 3)):
        y, dx = run(pool, np.ones((0, 3, 6, 6)))
        assert y.shape[:2] == (0, 3) and dx.shape == (0, 3, 6, 6)


def test_what_pytorch_refuses_is_refused(torch):
    x = np.ones((1, 1, 5, 5), np.float32)
    for attrs in ({"kernel_size": 3, "padding": 2}, {"kernel_size": 2, "padding": 2}, {"kernel_size": 6}):
        for name in ("max_pool2d", "avg_pool2d"):
            with pytest.raises(RuntimeError):
                getattr(torch.nn.functional, name)(torch.from_numpy(x), **attrs)
            with pytest.raises(ShapeError):
                getattr(F, name)(nn.tensor(x), **attrs)


# Planes that take several tiles in both directions, windows of more taps than a byte can name,
# strides that are not sorted into frames.
TILES = {
    "long row": ((2, 1, 1, 9001), (1, 3), (1, 2), (0, 1), 1),
    "long row, 2x2": ((1, 2, 3, 9001), 2, 2, 0, 1),
    "tall": ((2, 2, 700, 61), 3, 2, 1, 1),
    "tall, 2x2": ((2, 2, 701, 61), 2, 2, 0, 1),
    "wide and tall": ((1, 2, 90, 4500), (3, 2), (1, 2), (1, 1), 1),
    "dilated": ((1, 2, 300, 301), 3, (2, 3), 1, (3, 2)),
    "many taps": ((2, 3, 60, 70), (17, 16), (4, 5), (8, 3), 1),
    "long stride": ((2, 3, 60, 70), 3, (9, 11), 1, 1),
    "long window": ((2, 3, 40, 50), (2, 45), (2, 1), (1, 20), 1),
    "one output": ((5, 3, 29, 31), (29, 31), 1, 0, 1),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", TILES)
def test_tiles_agree_with_pytorch(torch, name, level):
    shape, window, stride, padding, dilation = TILES[name]
    x = seeded(name).standard_normal(shape)
    x[:, :, ::5, ::7] = -INF                        # some windows of nothing else
    attrs = {"kernel_size": window, "stride": stride, "padding": padding}
    with nn.use_isa(level):
        compare(*both("max_pool2d"), [x], np.float32, **attrs, dilation=dilation, return_indices=True)
        if dilation == 1:
            x[x == -INF] = 1
            compare(*both("avg_pool2d"), [x], np.float32, **attrs, count_include_pad=False)


def test_windows_of_minus_infinity_and_padding_choose_a_pixel():
    """A maximum of minus infinity comes from the first pixel under the window, not from the padding
    before it.
    """
    x = np.full((1, 1, 5, 6), -INF)
    y, indices = F.max_pool2d(nn.tensor(x), 3, 2, 1, return_indices=True)
    assert (y.data == -INF).all() and indices.data[0, 0].tolist() == [[0, 1, 3], [6, 7, 9], [18, 19, 21]]
    assert run(lambda t: F.max_pool2d(t, 3, 2, 1), x)[1].sum() == 9
    x[0, 0, 1, 1] = NAN
    y, dx = run(lambda t: F.max_pool2d(t, 3, 2, 1), x)
    assert np.isnan(y).sum() == 4 and dx[0, 0, 1, 1] == 4


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("width", [2, 3, 7, 16, 17, 33, 64, 67])
def test_three_by_three_windows_at_stride_two(width, level):
    """Windows that go through registers, at widths around those of vectors: ties, NaN and
    infinities, any edge, with indices and without.
    """
    op, rng = nn.op.OPS["max_pool2d"], seeded(f"three by three {width}")
    before = nn.isa()
    if level != "numpy":
        nn.kernels.compiled.use_level(level)
    try:
        paddings = (0, 0), (1, 1), (0, 1), (1, 0)
        for height, padding, ceil_mode, kind in product((3, 4, 9), paddings, (False, True), range(3)):
            if width + 2 * padding[1] < 3:
                continue
            x = rng.integers(-3, 4, (2, 2, height, width)).astype(np.float32)
            if kind > 0:
                x[rng.random(x.shape) < 0.3] = -INF
            if kind > 1:
                x[rng.random(x.shape) < 0.1] = NAN
            attrs = {"kernel_size": (3, 3), "stride": (2, 2), "padding": padding, "dilation": (1, 1),
                     "ceil_mode": ceil_mode}
            (y, places), saved = op.kernels[0](x, **attrs, return_indices=True)
            (want, want_places), want_saved = op.ref_forward(x, **attrs, return_indices=True)
            assert np.array_equal(y, want, equal_nan=True) and np.array_equal(places, want_places)
            if level != "numpy":
                assert np.array_equal(op.kernels[0](x, **attrs, return_indices=False, save=False)[0], want,
                                      equal_nan=True)
            dy = rng.integers(-4, 5, y.shape).astype(np.float32)
            dx, = op.kernels[1](dy, saved, **attrs, return_indices=False)
            assert np.array_equal(dx, op.ref_backward(dy, want_saved, **attrs, return_indices=False)[0])
    finally:
        if level != "numpy":
            nn.kernels.compiled.use_level(before)
