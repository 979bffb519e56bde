"""Images of another size: numbers worked by hand, PyTorch as a second opinion."""

import numpy as np
import pytest
from second_opinion import compare

import fastnn as nn

F = nn.functional
R = np.random.default_rng(0)
ROW, IMAGE, VOLUME = R.standard_normal((2, 3, 7)), R.standard_normal((2, 3, 5, 7)), R.standard_normal((2, 2, 3, 4, 5))


def test_by_hand():
    # doubled: the new centres lie at -1/4, 1/4, 3/4, 5/4; outside the border goes on
    x = nn.tensor([[[0.0, 4.0]]], requires_grad=True)
    y = F.interpolate(x, scale_factor=2, mode="linear")
    assert y.tolist() == [[[0, 1, 3, 4]]]
    # 4 is in 1 with a quarter, in 3 with three quarters, and is 4: the slope is 1/4 + 3/4 + 1
    y.sum().backward()
    assert x.grad.tolist() == [[[2, 2]]]
    # half way between two pixels Keys' curve weighs -3/32, 19/32, 19/32, -3/32
    edge = nn.tensor([[[[0.0, 0.0, 32.0, 32.0, 32.0, 0.0]]]])
    middle = F.interpolate(edge, size=(1, 3), mode="bicubic")
    assert middle[0, 0, 0, 1].item() == 19 + 19 - 3         # pixels 1 to 4: 0, 32, 32, 32
    assert F.interpolate(edge, size=(1, 3), mode="area").tolist() == [[[[0, 32, 16]]]]


@pytest.mark.parametrize("mode, x", [("nearest", ROW), ("nearest-exact", ROW), ("linear", ROW), ("area", ROW),
                                     ("nearest", IMAGE), ("nearest-exact", IMAGE), ("bilinear", IMAGE),
                                     ("bicubic", IMAGE), ("area", IMAGE), ("nearest", VOLUME),
                                     ("nearest-exact", VOLUME), ("trilinear", VOLUME), ("area", VOLUME)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_like_torch(torch, mode, x, dtype):
    space = x.ndim - 2
    corners = ({}, {"align_corners": True}) if "linear" in mode or "cubic" in mode else ({},)
    for attrs in corners:
        for size in (1, 3, 4, 9, 14, (11, 2, 6)[:space]):
            compare(F.interpolate, torch.nn.functional.interpolate, [x], dtype, size=size, mode=mode, **attrs)
        for factor in (0.6, 1.4, 2, (1.7, 0.8, 2.5)[:space]):
            for again in (None, True):
                compare(F.interpolate, torch.nn.functional.interpolate, [x], dtype, scale_factor=factor, mode=mode,
                        recompute_scale_factor=again, **attrs)


@pytest.mark.parametrize("shape, sizes", [((1, 2, 5), (0, (0,))), ((2, 3, 3, 4), (0, (0, 2), (2, 0))),
                                          ((1, 2, 2, 3, 4), (0, (0, 1, 1), (1, 0, 2))), ((0, 2, 3, 4), (0,)),
                                          ((1, 0, 3, 4), (0,)), ((1, 2, 0), (0, 2)), ((1, 2, 3, 4), (-1, (0, -1)))])
def test_areas_of_nothing_like_torch(torch, shape, sizes):
    """No other mode takes a size of 0. PyTorch gives no gradient of it; it is 0."""
    modes = ("area", "nearest", "nearest-exact", {3: "linear", 4: "bilinear", 5: "trilinear"}[len(shape)])
    calls = [{"size": size} for size in sizes] + [{"scale_factor": f} for f in (0.1, 0.3, 0.0, -1.0)]
    for mode in modes:
        for attrs in calls:
            x, made = nn.tensor(np.ones(shape), requires_grad=True), []
            for function, t in ((torch.nn.functional.interpolate, torch.ones(shape)), (F.interpolate, x)):
                try:
                    made.append(tuple(function(t, mode=mode, **attrs).shape))
                except Exception as error:
                    made.append(error)
            theirs, ours = made
            assert isinstance(theirs, Exception) == isinstance(ours, nn.errors.FastnnError), (mode, attrs, theirs, ours)
            assert isinstance(ours, Exception) or ours == theirs
            if isinstance(ours, tuple) and 0 in ours[2:]:
                F.interpolate(x, mode=mode, **attrs).sum().backward()
                assert x.grad.shape == shape and not x.grad.data.any()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("corners", [False, True])
def test_antialias_like_torch(torch, mode, corners):
    for size in ((2, 3), (5, 7), (3, 11), (1, 1)):
        compare(F.interpolate, torch.nn.functional.interpolate, [IMAGE], size=size, mode=mode, antialias=True,
                align_corners=corners)


def test_the_nearest_pixel_is_found_without_rounding():
    """floor(p n / m), and floor((p + 1/2) n / m), which quotients of floats miss here and there."""
    for n, m in ((2, 41), (2, 82), (6, 74), (8, 82), (7, 3), (5, 5)):
        x, p = nn.tensor(np.arange(n, dtype=np.float32).reshape(1, 1, n)), np.arange(m)
        found = [F.interpolate(x, m, mode=mode).data.reshape(-1) for mode in ("nearest", "nearest-exact")]
        assert np.array_equal(found, [p * n // m, (2 * p + 1) * n // (2 * m)])


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_infinity_where_the_weight_is_0_has_no_effect(mode):
    """PyTorch gives NaN there."""
    x = nn.tensor([[[[1.0, 2.0, np.inf, 4.0, 5.0]]]])
    y = F.interpolate(x, size=(1, 9), mode="bi" + mode, align_corners=True).tolist()[0][0][0]
    assert y[0] == 1 and y[2] == 2 and y[4] == np.inf and y[8] == 5 and not np.isnan(y).any()


@pytest.mark.filterwarnings("ignore:.*nn.functional.upsample")
def test_names_like_torch(torch):
    for name, attrs in (("upsample", {"scale_factor": 2, "mode": "bilinear"}), ("upsample_nearest", {"size": (3, 9)}),
                        ("upsample_bilinear", {"scale_factor": (2, 3)})):
        compare(getattr(F, name), getattr(torch.nn.functional, name), [IMAGE], **attrs)
