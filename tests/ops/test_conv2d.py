"""Convolution, unfold and fold: by hand, against PyTorch, on one and several threads, at every
instruction-set level.
"""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from checkout import ROOT, needs_sources
from conv2d_methods import METHODS
from second_opinion import both, compare

import fastnn as nn
from fastnn.op import seeded
from fastnn.ops.conv2d import CONV2D, CONV2D_RELU, case
from fastnn.testing.laws import errors_stay_in_their_window

F = nn.functional
LEVELS = ["numpy"]
if nn.isa() != "numpy":
    LEVELS = [name for name, (_, runs) in nn.kernels.compiled.levels().items() if runs]


def test_hand_worked():
    """A 2x2 filter on a 3x3 image.

    y[0,0] = 1*1 + 2*2 + 4*3 + 5*4 + 10 = 47          y[0,1] = 2*1 + 3*2 + 5*3 + 6*4 + 10 = 57
    y[1,0] = 4*1 + 5*2 + 7*3 + 8*4 + 10 = 77          y[1,1] = 5*1 + 6*2 + 8*3 + 9*4 + 10 = 87
    With dy = [[1, 0], [0, 2]]: dw[r,s] = x[r,s] + 2 x[1+r,1+s], dx = w placed at (0,0) plus 2 w
    placed at (1,1), db = 3.
    """
    x = nn.tensor(np.arange(1.0, 10).reshape(1, 1, 3, 3), requires_grad=True)
    w = nn.tensor([[[[1.0, 2.0], [3.0, 4.0]]]], dtype="float64", requires_grad=True)
    b = nn.tensor([10.0], dtype="float64", requires_grad=True)
    y = F.conv2d(x, w, b)
    assert y.data.tolist() == [[[[47, 57], [77, 87]]]]
    y.backward(np.array([[[[1.0, 0.0], [0.0, 2.0]]]]))
    assert w.grad.data.tolist() == [[[[1 + 2 * 5, 2 + 2 * 6], [4 + 2 * 8, 5 + 2 * 9]]]]
    assert x.grad.data.tolist() == [[[[1, 2, 0], [3, 4 + 2 * 1, 2 * 2], [0, 2 * 3, 2 * 4]]]]
    assert b.grad.data.tolist() == [3]


def test_same_padding_puts_the_odd_zero_at_the_end():
    """A 1x2 filter that looks right: at the last column it sees the zero."""
    x = nn.tensor([[[[1.0, 2.0, 3.0]]]])
    assert F.conv2d(x, nn.tensor([[[[0.0, 1.0]]]]), padding="same").data.tolist() == [[[[2, 3, 0]]]]
    assert F.conv2d(x, nn.tensor([[[[1.0, 1.0]]]]), padding="valid").data.tolist() == [[[[3, 5]]]]


def test_unfold_and_fold_hand_worked():
    """Windows of 1x2 at stride 2 with one zero on each side of 3 pixels: (0, 1) and (2, 3); folding
    sees each pixel once.
    """
    x = nn.tensor([[[[1.0, 2.0, 3.0]]]])
    cols = F.unfold(x, (1, 2), padding=(0, 1), stride=(1, 2))
    assert cols.data.tolist() == [[[0, 2], [1, 3]]]
    assert F.fold(cols, (1, 3), (1, 2), padding=(0, 1), stride=(1, 2)).data.tolist() == x.data.tolist()
    # the middle is seen twice
    assert F.fold(F.unfold(x, (1, 2)), (1, 3), (1, 2)).data.tolist() == [[[[1, 4, 3]]]]


# ---- PyTorch as a second opinion -----------------------------------------------------------------
def random_conv(rng):
    """Sizes and attributes of a convolution that fits."""
    while True:
        groups = int(rng.choice([1, 1, 2, 3]))
        depthwise = rng.random() < 0.3
        Cg, Kg = (1, int(rng.integers(1, 4))) if depthwise else (int(rng.integers(1, 6)), int(rng.integers(1, 8)))
        groups = int(rng.integers(1, 6)) if depthwise else groups
        R, S = (int(n) for n in rng.integers(1, 6, 2))
        H, W = (int(n) for n in rng.integers(1, 24, 2))
        attrs = {"stride": tuple(map(int, rng.integers(1, 4, 2))), "padding": tuple(map(int, rng.integers(0, 5, 2))),
                 "dilation": tuple(map(int, rng.integers(1, 4, 2))), "groups": groups}
        if rng.random() < 0.3:
            attrs["stride"] = (1, 1)
        if attrs["stride"] == (1, 1) and rng.random() < 0.4:
            attrs["padding"] = str(rng.choice(["same", "valid"]))
        around = (0, 0) if attrs["padding"] == "valid" else attrs["padding"]
        if around == "same" or all(n + 2 * p > d * (k - 1)
                                   for n, p, d, k in zip((H, W), around, attrs["dilation"], (R, S))):
            break
    N, bias = int(rng.integers(1, 5)), rng.random() < 0.7
    x, w = rng.standard_normal((N, Cg * groups, H, W)), rng.standard_normal((Kg * groups, Cg, R, S))
    return (x, w, rng.standard_normal(Kg * groups) if bias else None), attrs


@pytest.mark.filterwarnings("ignore:Using padding='same'")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_conv2d_agrees_with_pytorch(torch, dtype):
    rng = seeded("conv2d and PyTorch")
    for _ in range(150):
        arrays, attrs = random_conv(rng)
        compare(*both("conv2d"), arrays, dtype, **attrs)


# Sizes that take each method over several blocks: (x, w, attributes).
LARGE = {
    "3x3": ((3, 32, 40, 41), (48, 32, 3, 3), {"padding": 1}),
    "3x3, small images": ((19, 40, 9, 7), (70, 40, 3, 3), {"padding": 1}),
    "3x3, one image of few pixels": ((1, 160, 9, 9), (200, 160, 3, 3), {"padding": 1}),
    "3x3, many channels and filters": ((3, 150, 21, 18), (300, 150, 3, 3), {"padding": 1}),
    "3x3, filters transformed once per band": ((2, 300, 13, 9), (272, 300, 3, 3), {"padding": 2}),
    "3x3, filters transformed by each thread": ((7, 260, 14, 13), (272, 260, 3, 3), {"padding": 1}),
    "3x3, filter gradient in parts": ((11, 96, 16, 15), (128, 96, 3, 3), {"padding": 1}),
    "3x3 strided": ((4, 24, 45, 43), (40, 24, 3, 3), {"padding": 1, "stride": 2}),
    "3x3 strided, small images": ((9, 40, 8, 8), (70, 40, 3, 3), {"padding": 1, "stride": 2}),
    "3x3 strided, tiny images": ((21, 40, 7, 6), (50, 40, 3, 3), {"padding": 1, "stride": 2}),
    "strides, dilation and groups": ((4, 24, 40, 41), (36, 12, 3, 4),
                                     {"stride": (3, 2), "dilation": (2, 3), "padding": (3, 2), "groups": 2}),
    "many taps": ((2, 130, 26, 25), (20, 130, 5, 5), {"padding": 2}),
    "1x1": ((4, 96, 30, 31), (64, 96, 1, 1), {}),
    "1x1, small images": ((9, 96, 6, 5), (64, 96, 1, 1), {}),
    "1x1 strided": ((4, 96, 31, 30), (64, 96, 1, 1), {"stride": 2}),
    "first layer": ((4, 3, 70, 71), (32, 3, 7, 7), {"stride": 2, "padding": 3}),
    "groups": ((4, 48, 25, 26), (96, 16, 3, 3), {"groups": 3, "padding": 1}),
    "few filters": ((70, 6, 14, 14), (16, 6, 5, 5), {}),
    "few filters, groups": ((5, 24, 30, 31), (28, 12, 3, 3), {"padding": 1, "groups": 2}),
    "many channels, few filters": ((3, 120, 21, 22), (7, 120, 3, 2), {"padding": 1}),
    "depthwise": ((5, 40, 30, 29), (40, 1, 3, 3), {"groups": 40, "padding": 1}),
    "depthwise strided": ((5, 40, 31, 30), (80, 1, 3, 3), {"groups": 40, "padding": 1, "stride": 2}),
    "one channel": ((50, 1, 28, 28), (6, 1, 5, 5), {"padding": 2}),
    "one channel, one filter": ((120, 1, 40, 40), (1, 1, 5, 5), {}),
    "long rows": ((3, 20, 3, 1300), (34, 20, 1, 11), {"padding": (0, 5)}),
    "few pixels for the filters": ((2, 20, 6, 5), (97, 20, 3, 3), {"stride": 2, "padding": 1}),
    "few outputs, many filters": ((1, 130, 4, 4), (130, 130, 3, 3), {"padding": 1}),
    "few outputs, several images": ((3, 75, 7, 9), (111, 75, 3, 3), {"padding": (0, 1), "stride": 2}),
    "few outputs, dilated": ((1, 90, 8, 7), (100, 90, 3, 2), {"padding": (2, 1), "dilation": 2}),
    "few outputs of 1x1": ((1, 400, 8, 8), (190, 400, 1, 1), {"stride": 2}),
    "one row of few outputs": ((2, 100, 3, 20), (100, 100, 3, 3), {}),
    "window much larger than the output": ((6, 8, 40, 40), (24, 8, 35, 36), {}),
}


def large(name, dtype):
    x_shape, w_shape, attrs = LARGE[name]
    rng = seeded(name)
    return [rng.standard_normal(shape).astype(dtype) for shape in (x_shape, w_shape, w_shape[:1])], attrs


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LARGE)
def test_large_agrees_with_pytorch(torch, name, dtype):
    arrays, attrs = large(name, dtype)
    compare(*both("conv2d"), arrays, dtype, **attrs)


# ---- which method when ---------------------------------------------------------------------------
needs_kernels = pytest.mark.skipif(nn.kernels.compiled is None, reason="the methods are the kernels'")


@needs_kernels
def test_methods_are_those_of_the_table():
    lines = METHODS.strip().splitlines()
    wrong = []
    for line in lines:
        sizes, methods = line.split(": ")
        (N, C, H, W), (K, G, R, S), stride, (top, bottom, left, right), dilation = (
            tuple(map(int, group.split())) for group in sizes.split(", "))
        got = nn.kernels.compiled.conv2d_methods((N, C, H, W), (K, C//G, R, S), stride, ((top, bottom), (left, right)),
                                                 dilation, G)
        if "; ".join(got) != methods:
            wrong.append(f"{line}, now {'; '.join(got)}")
    assert len(lines) == len(set(lines)) > 200 and not wrong, "\n".join(wrong)
    met = [set(column) for column in zip(*(line.split(": ")[1].split("; ") for line in lines))]
    assert met[0] == {"winograd", "few", "pixels", "direct", "columns"}
    assert met[1] == {"direct", "pixels", "columns", *(f"flipped, {method}" for method in met[0])}
    assert met[2] == {"winograd", "direct", "taps", "columns"}


@needs_kernels
@needs_sources
@pytest.mark.parametrize("result, name", [(0, "y"), (1, "dx"), (2, "dw")])
def test_the_tables_of_methods_are_what_runs(result, name):
    """The rows stand in the order in which conv_choose tries the methods, name files that exist,
    and have an example that goes by the method.
    """
    page = (ROOT/"docs/kernels/conv2d.md").read_text(encoding="utf-8")
    section = page[page.index(f"### Methods of {name}\n"):]
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in section[:section.index("\n#", 1)].splitlines() if line.startswith("| ") and line[2].isdigit()]
    code = (ROOT/"csrc/conv/conv2d_choose.h").read_text(encoding="utf-8")
    choose = code[code.index("conv_choose(const fnn_window *g"):]
    case = choose[choose.index(f"case CONV_{name.upper()}:"):]
    tried = re.findall(r"return CONV_(\w+)", case[:case.index("break;")])
    assert [row[1] for row in rows] == [method.lower() for method in tried] + ["columns"]
    for number, (order, method, files, _, example) in enumerate(rows, 1):
        assert int(order) == number
        assert all((ROOT/"csrc/conv"/file).exists() for file in re.findall(r"`([\w.]+)`", files))
        x, w = (tuple(map(int, re.search(rf"{letter} \(([\d, ]+)\)", example)[1].split(","))) for letter in "xw")
        padding, stride, groups = (int(found[1]) if (found := re.search(rf"{word} (\d+)", example)) else default
                                   for word, default in (("padding", 0), ("stride", 1), ("groups", 1)))
        got = nn.kernels.compiled.conv2d_methods(x, w, (stride, stride), ((padding, padding), (padding, padding)),
                                                 (1, 1), groups)
        assert got[result].split(", ")[0] == method, example


def matrices(text):
    """{"B^T", "G", "A^T": matrix} of a text in which they stand side by side between bars."""
    lines = [line.split("|")[1::2] for line in text.splitlines() if "|" in line]
    return {name: np.array([[float(Fraction(entry)) for entry in line[column].replace(".", "0").split()]
                            for line in lines if len(line) > column])
            for column, name in enumerate(re.findall(r"(B\^T|G|A\^T) =", text))}


@needs_sources
def test_winograds_matrices_in_the_page_and_in_the_header_convolve():
    """The tables as they stand in docs/kernels/winograd.md and in winograd_points.tmpl.h."""
    header = (ROOT/"csrc/conv/winograd_points.tmpl.h").read_text(encoding="utf-8").replace("\n *", "\n")
    page = (ROOT/"docs/kernels/winograd.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```text\n(.*?)```", page, re.S)
    first, large, small = (matrices(block) for block in blocks if "B^T" in block)
    whole = [matrices(block) for block in header.split("\n\n") if "B^T" in block and "|" in block]
    for want, got in zip((large, small), whole, strict=True):
        assert want.keys() == got.keys() and all(np.array_equal(want[key], got[key]) for key in want)
    small["G"] = large["G"][:4]
    rng = seeded("Winograd by hand")
    for found in (first, large, small):
        outputs, points = found["A^T"].shape
        d, g = rng.integers(-9, 10, outputs + 2), rng.integers(-9, 10, 3)
        pixels, weights = found["B^T"] @ d, found["G"] @ g
        products = pixels*weights
        if points == 6:                     # the last two are the real and the imaginary part at i
            at_i = (pixels[4] + 1j*pixels[5])*(weights[4] + 1j*weights[5])
            products[4:] = at_i.real, -at_i.imag
        assert np.array_equal(found["A^T"] @ products, np.correlate(d, g))


# ---- with relu as y is written -------------------------------------------------------------------
def test_conv2d_relu_by_hand():
    """A 1x1 filter of 2 with bias -3 on (1, 2): z = (-1, 1), so y = (0, 1); only the second pixel
    has a gradient.
    """
    x, w, b = (nn.tensor(a, requires_grad=True) for a in ([[[[1.0, 2.0]]]], [[[[2.0]]]], [-3.0]))
    y = F.conv2d_relu(x, w, b)
    assert y.data.tolist() == [[[[0, 1]]]]
    y.backward(np.array([[[[5.0, 7.0]]]], np.float32))
    assert x.grad.data.tolist() == [[[[0, 14]]]] and w.grad.data.tolist() == [[[[14]]]] and b.grad.data.tolist() == [7]


@pytest.mark.parametrize("name", LARGE)
def test_conv2d_relu_agrees_with_pytorch(torch, name):
    arrays, attrs = large(name, np.float64)
    compare(F.conv2d_relu, lambda *t, **k: torch.relu(torch.nn.functional.conv2d(*t, **k)), arrays, **attrs)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("pixel", [None, np.nan, np.inf])
@pytest.mark.parametrize("name", LARGE)
def test_conv2d_relu_has_the_bits_of_relu_after_conv2d(name, pixel, level):
    """By every method, with and without a pixel that is not finite; NaN stays NaN."""
    arrays, attrs = large(name, np.float32)
    if pixel is not None:
        arrays[0][0, 0, 2, 2] = pixel
    results = []
    with nn.use_isa(level):
        for function in (F.conv2d_relu, lambda *a, **k: F.relu(F.conv2d(*a, **k))):
            x, w, b = (nn.tensor(a, requires_grad=True) for a in arrays)
            y = function(x, w, b, **attrs)
            y.backward(np.cos(np.arange(y.numel(), dtype=y.dtype)).reshape(y.shape))
            results.append([t.data for t in (y, x.grad, w.grad, b.grad)])
    assert np.isnan(results[0][0]).any() == (pixel is np.nan)
    for fused, apart in zip(*results):
        np.testing.assert_array_equal(fused, apart)


def run(x, w, b, **attrs):
    """Output and gradients as bytes."""
    x, w, b = (nn.tensor(a, requires_grad=True) for a in (x, w, b))
    y = F.conv2d(x, w, b, **attrs)
    y.backward(np.cos(np.arange(y.numel(), dtype=y.dtype)).reshape(y.shape))
    return [a.data.tobytes() for a in (y, x.grad, w.grad, b.grad)]


@pytest.mark.parametrize("name", LARGE)
def test_bits_do_not_depend_on_threads(name):
    arrays, attrs = large(name, np.float32)
    with nn.threads(1):
        want = run(*arrays, **attrs)
    for n in (2, 5):
        with nn.threads(n):
            assert run(*arrays, **attrs) == want


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", LARGE)
def test_levels_agree(name, level):
    """On whole numbers every level gives the same bits. The first level is the plain one."""
    x_shape, w_shape, attrs = LARGE[name]
    rng = seeded(name)
    arrays = [rng.integers(-3, 4, shape).astype(np.float64) for shape in (x_shape, w_shape, w_shape[:1])]
    dy = rng.integers(-3, 4, F.conv2d(*map(nn.tensor, arrays), **attrs).shape)

    def results(use):
        with nn.use_isa(use):
            tensors = [nn.tensor(a, requires_grad=True) for a in arrays]
            y = F.conv2d(*tensors, **attrs)
            y.backward(dy)
        return [y.data, *[t.grad.data for t in tensors]]
    for a, b in zip(results(LEVELS[0]), results(level)):
        assert np.array_equal(a, b)


def test_workspace_and_scratch_are_overwritten():
    """The same call after memory full of NaN has gone back to the pool."""
    arrays, attrs = large("first layer", np.float32)
    want = run(*arrays, **attrs)
    for _ in range(3):
        nan = nn.tensor(np.full_like(arrays[0], np.nan), requires_grad=True)
        junk = F.conv2d(nan, nn.tensor(arrays[1], requires_grad=True), **attrs)
        junk.backward(np.full_like(junk.data, np.nan))
        del junk
        assert run(*arrays, **attrs) == want


def test_only_wanted_gradients_are_computed():
    sample = case("needs", N=2, C=3, H=6, W=6, K=4, R=3, S=3, padding=1)
    y, saved = CONV2D.kernels[0](*sample.inputs, **sample.attrs)
    grads = CONV2D.kernels[1](np.ones_like(y), saved, needs=(False, True, False), **sample.attrs)
    assert grads[0] is None and grads[2] is None and grads[1].shape == sample.inputs[1].shape
    x, w = nn.tensor(sample.inputs[0]), nn.tensor(sample.inputs[1], requires_grad=True)
    y = F.conv2d(x, w)
    y.backward(y.data)
    assert x.grad is None and w.grad.shape == w.shape


def test_infinities_stay_where_they_are():
    """An infinite pixel reaches the outputs whose windows see it and no other, and changes nothing
    about other images.
    """
    for dtype in (np.float32, np.float64):
        for C, K, groups in ((1, 2, 1), (2, 2, 1), (2, 2, 2), (40, 64, 1)):
            x = seeded("infinities").integers(0, 9, (3, C, 12, 11)).astype(dtype)
            w = nn.tensor(np.ones((K, C // groups, 3, 3), dtype))
            want = F.conv2d(nn.tensor(x), w, padding=1, groups=groups).data
            x[1, 0, 4, 4] = np.inf
            y = F.conv2d(nn.tensor(x), w, padding=1, groups=groups).data
            seen = np.zeros((12, 11), bool)
            seen[3:6, 3:6] = True
            assert np.array_equal(np.isinf(y[1, 0]), seen) and not np.isnan(y).any()
            assert np.array_equal(y[~np.isinf(y)], want[~np.isinf(y)])


@pytest.mark.parametrize("stride", [1, 2])
def test_an_infinite_pixel_reaches_no_weight_that_does_not_see_it(stride):
    """Depthwise: the corner of an image without padding is seen by the first tap alone, its right
    edge by the last column of taps.
    """
    x = seeded("infinite corners").integers(1, 9, (2, 3, 13, 13)).astype(np.float32)
    w = nn.tensor(np.ones((3, 1, 3, 3), np.float32), requires_grad=True)
    for row, column, seen in ((0, 0, np.s_[0, 0]), (4, 12, np.s_[..., 2])):
        broken = x.copy()
        broken[1, 1, row, column] = np.inf
        y = F.conv2d(nn.tensor(broken), w, stride=stride, groups=3)
        w.grad = None
        y.backward(np.ones(y.shape, np.float32))
        want = F.conv2d(nn.tensor(x), w, stride=stride, groups=3)
        got = w.grad.data.copy()
        w.grad = None
        want.backward(np.ones(y.shape, np.float32))
        infinite = np.zeros((3, 1, 3, 3), bool)
        infinite[1, 0][seen] = True
        # at a stride, rows of taps pass over it
        infinite[1, 0] &= np.isinf(got[1, 0]) | (stride == 1)
        assert np.array_equal(np.isinf(got), infinite) and infinite.any() and not np.isnan(got).any()
        assert np.array_equal(got[~infinite], w.grad.data[~infinite])


# every method of y, dx and dw on padded images: N, C, H = W, K, groups, R = S, stride, padding,
# dilation
PADDED = [(1, 2, 4, 2, 1, 3, 2, 1, 2), (1, 2, 4, 2, 1, 2, 3, 1, 1), (1, 2, 9, 4, 2, 3, 1, 1, 1),
          (1, 2, 7, 4, 2, 3, 2, 1, 1), (1, 4, 19, 4, 1, 3, 1, 1, 1), (1, 128, 4, 20, 1, 5, 2, 2, 1),
          (1, 128, 4, 128, 1, 2, 1, 1, 2),
          (1, 8, 14, 32, 1, 3, 1, 2, 1), (2, 32, 8, 16, 1, 3, 1, 1, 1), (1, 32, 6, 16, 1, 2, 1, 2, 2),
          (1, 16, 12, 32, 1, 2, 2, 2, 1), (1, 16, 8, 16, 1, 3, 1, 1, 2), (1, 2, 2, 4, 1, 3, 1, 1, 1)]


def padded(sizes):
    N, C, H, K, groups, R, stride, padding, dilation = sizes
    return case(f"padded {sizes}", N=N, C=C, H=H, W=H, K=K, R=R, S=R, stride=(stride, stride), padding=padding,
                dilation=(dilation, dilation), groups=groups)


@needs_kernels
def test_every_method_meets_padding():
    met = [set(), set(), set()]
    for sizes in PADDED:
        N, C, H, K, groups, R, stride, padding, dilation = sizes
        assert padding > 0
        for found, method in zip(met, nn.kernels.compiled.conv2d_methods(
                (N, C, H, H), (K, C//groups, R, R), (stride,) * 2, ((padding,) * 2,) * 2, (dilation,) * 2, groups)):
            found.add(method)
    assert met[0] == {"winograd", "few", "pixels", "direct", "columns"}
    assert met[1] == {"direct", "pixels", "columns", *(f"flipped, {method}" for method in met[0])}
    assert met[2] >= {"winograd", "direct", "taps", "columns"}


@pytest.mark.parametrize("sizes", PADDED)
def test_padding_adds_nothing_where_it_meets_infinity(sizes):
    """Infinite weights, pixels and upstream gradients, in the corners and in the middle: each
    stands in the results where the definition has it, which multiplies no padding.
    """
    sample = padded(sizes)
    x, w, b = sample.cast(np.float32)
    dy = seeded("upstream").standard_normal(CONV2D.kernels[0](x, w, b, **sample.attrs)[0].shape).astype(np.float32)
    for k, a in enumerate((x, w, dy)):
        for at, value in ((0, np.inf), (a.size // 2, -np.inf), (a.size - 1, np.nan),
                          (min(w.shape[3], a.size) - 1, np.inf)):
            arrays = [x.copy(), w.copy(), dy.copy()]
            arrays[k].flat[at] = value
            with np.errstate(invalid="ignore"):
                y, saved = CONV2D.ref_forward(*arrays[:2], b, **sample.attrs)
                want = [y, np.where(y < 0, 0, y), *CONV2D.ref_backward(arrays[2], saved, **sample.attrs)]
            for level in LEVELS:
                with nn.use_isa(level):
                    y, saved = CONV2D.kernels[0](*arrays[:2], b, **sample.attrs)
                    relu = CONV2D_RELU.kernels[0](*arrays[:2], b, **sample.attrs)[0]
                    got = [y, relu, *CONV2D.kernels[1](arrays[2], saved, **sample.attrs)]
                for g, e in zip(got, want):
                    np.testing.assert_allclose(g, e, rtol=1e-3, atol=1e-3)


def test_sums_that_overflow_in_a_transform():
    """Numbers that are added before they are multiplied: what the definition can say is said."""
    x = np.zeros((1, 40, 12, 12), np.float32)
    x[0, 0] = 3e38
    w = np.zeros((64, 40, 3, 3), np.float32)
    w[:, 0, 1, 1] = 0.5
    assert np.array_equal(F.conv2d(nn.tensor(x), nn.tensor(w), padding=1).data[0], np.repeat(x[0, :1] / 2, 64, axis=0))
    w[3] = np.nan
    y = F.conv2d(nn.tensor(x), nn.tensor(w), padding=1).data
    assert np.isnan(y[0, 3]).all() and not np.isnan(np.delete(y, 3, axis=1)).any()


WINOGRADS = [(2, 32, 12, 12, 32, 0), (1, 33, 10, 12, 40, 1), (2, 32, 9, 11, 48, 1), (2, 32, 12, 10, 32, 2),
             (1, 32, 11, 12, 32, 3), (4, 30, 7, 7, 34, 1), (1, 130, 8, 8, 32, 1), (1, 32, 8, 9, 40, 5)]


def remembered(function):
    """For a law that asks the definition the same at each level."""
    answers = {}

    def answer(*inputs, **attrs):           # forward's arrays, or dy and what forward saved
        key = tuple(a.tobytes() for given in inputs for a in (given if isinstance(given, tuple) else (given,))
                    if isinstance(a, np.ndarray))
        if key not in answers:
            answers[key] = function(*inputs, **attrs)
        return answers[key]
    return answer


@pytest.mark.parametrize("N, C, H, W, K, padding", WINOGRADS)
def test_a_far_larger_element_drowns_nothing_beside_it(N, C, H, W, K, padding):
    """Winograd adds up a tile and cancels what an output does not see: pixels, weights at padded
    edges and upstream gradients, in tiles of every size.
    """
    op = replace(CONV2D, ref_forward=remembered(CONV2D.ref_forward), ref_backward=remembered(CONV2D.ref_backward))
    for level in LEVELS:
        with nn.use_isa(level):
            sample = case("a far larger element", N=N, C=C, H=H, W=W, K=K, R=3, S=3, padding=padding)
            errors_stay_in_their_window(op, sample, np.float32)


def need_direct_sums_errors(x, w, b, padding):
    """y in float32, by Winograd where there are kernels: at most 32 times the allowance of a direct
    sum from float64's.
    """
    x, w, b = (a.astype(np.float32) for a in (x, w, b))
    if nn.kernels.compiled is not None:
        around = ((padding, padding),) * 2
        assert nn.kernels.compiled.conv2d_methods(x.shape, w.shape, (1, 1), around, (1, 1), 1)[0] == "winograd"
    y = F.conv2d(*map(nn.tensor, (x, w, b)), padding=padding).data
    exact = F.conv2d(*(nn.tensor(a.astype(np.float64)) for a in (x, w, b)), padding=padding).data
    terms = F.conv2d(*(nn.tensor(np.abs(a).astype(np.float64)) for a in (x, w, b)), padding=padding).data
    unit = np.finfo(np.float32).eps / 2
    assert (np.abs(y - exact) <= 32 * 4 * np.sqrt(9 * x.shape[1]) * unit * terms).all()
    return y


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("level", LEVELS)
def test_large_elements_of_a_channel_beside_zeros(level, count):
    """They meet nothing in some taps of dw, which then go by all that is small: without a look at
    the results these were off by up to 187,000 times the allowance.
    """
    rng = np.random.default_rng(count)
    x, dy = (rng.standard_normal((2, 32, 12, 12)).astype(np.float32) for _ in range(2))
    x, w = np.maximum(x, 0), np.zeros((32, 32, 3, 3), np.float32)
    for _ in range(count):
        dy[rng.integers(2), 3, rng.integers(12), rng.integers(12)] = 1e8*rng.standard_normal()

    def slope(x, dy, dtype):
        leaf = nn.tensor(w.astype(dtype), requires_grad=True)
        F.conv2d(nn.tensor(x.astype(dtype)), leaf, padding=1).backward(dy.astype(dtype))
        return leaf.grad.data
    with nn.use_isa(level):
        got = slope(x, dy, np.float32)
    exact, terms = slope(x, dy, np.float64), slope(x, np.abs(dy), np.float64)
    assert (np.abs(got - exact) <= 512 * 4 * np.sqrt(dy[:, 0].size) * np.finfo(np.float32).eps / 2 * terms).all()


@pytest.mark.parametrize("seed", [2423, 5354, 550])
@pytest.mark.parametrize("level", LEVELS)
def test_large_rows_and_columns_of_both_operands_multiply(level, seed):
    """Ratios that are let through one by one: of a window and its tile, of a view and its filter,
    of x and dy. Without their product, y, dx and dw of a seed each were off by 207, 104 and 1104
    times the allowance.
    """
    rng = np.random.default_rng(seed)
    x, w, dy = (rng.standard_normal(shape).astype(np.float32)
                for shape in ((2, 32, 12, 12), (32, 32, 3, 3), (2, 32, 12, 12)))
    for a, most in ((x, 2), (dy, 2), (w, 1.8)):
        a[:, :, rng.integers(a.shape[2])] *= 10**rng.uniform(.5, most)
        a[:, :, :, rng.integers(a.shape[3])] *= 10**rng.uniform(.5, most)

    def results(*arrays):
        tensors = [nn.tensor(a, requires_grad=True) for a in arrays[:2]]
        y = F.conv2d(*tensors, padding=1)
        y.backward(nn.tensor(arrays[2]))
        return [y.data, *(t.grad.data for t in tensors)]

    wide = [a.astype(np.float64) for a in (x, w, dy)]
    exact, terms = results(*wide), results(*map(np.abs, wide))
    with nn.use_isa(level):
        got = results(x, w, dy)
    for g, e, size, count in zip(got, exact, terms, (9*32, 9*32, 2*12*12)):
        assert (np.abs(g - e) <= 32 * 4 * np.sqrt(count) * np.finfo(np.float32).eps / 2 * size).all()


@pytest.mark.parametrize("times", [15, 17, 1e6])
@pytest.mark.parametrize("of_dy", [False, True])
@pytest.mark.parametrize("level", LEVELS)
def test_one_element_that_meets_zeros_drowns_no_tap(level, of_dy, times):
    """Of eight channels of x, or of dy, one element is so many times the sum of all others, and
    half of the other operand is zeros: 16 times are let through.
    """
    rng = seeded("meets zeros")
    x, w, dy = (rng.standard_normal(shape).astype(np.float32)
                for shape in ((2, 32, 12, 12), (32, 32, 3, 3), (2, 32, 12, 12)))
    large, other = (dy, x) if of_dy else (x, dy)
    np.maximum(other, 0, out=other)
    for c in range(8):
        large[0, c, 3 + c % 4, 2 + c // 4] = 0
        large[0, c, 3 + c % 4, 2 + c // 4] = times * np.abs(large[:, c]).sum()

    def weight_gradient(x, w, dy):
        weight = nn.tensor(w, requires_grad=True)
        F.conv2d(nn.tensor(x), weight, padding=1).backward(nn.tensor(dy))
        return weight.grad.data

    wide = [a.astype(np.float64) for a in (x, w, dy)]
    exact, terms = weight_gradient(*wide), weight_gradient(*map(np.abs, wide))
    with nn.use_isa(level):
        got = weight_gradient(x, w, dy)
    assert (np.abs(got - exact) <= 32 * 4 * np.sqrt(2*12*12) * np.finfo(np.float32).eps / 2 * terms).all()


@pytest.mark.parametrize("size", [1e3, 1e4, 1e5, 1e12])
def test_the_error_goes_by_the_window(size):
    """A pixel that is not quite large enough to be noticed costs at most 32 times the allowance of
    a direct sum; and where a window is all zeros the result is the bias.
    """
    rng = seeded("window")
    x, w, b = rng.standard_normal((2, 48, 18, 17)), rng.standard_normal((40, 48, 3, 3)), rng.standard_normal(40)
    x[0, 5, 6, 6] = size
    x[1, :, :7], x[1, 3, 3, 3] = 0, size
    y = need_direct_sums_errors(x, w, b, padding=1)
    assert np.array_equal(y[1, :, 0, 6:], np.repeat(b.astype(np.float32)[:, None], 11, axis=1))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("large", ["two pixels", "a pixel where a weight is 0", "a row of weights",
                                   "a row of weights, beside wide padding", "a weight where pixels are 0"])
def test_each_way_of_being_large_is_noticed_by_itself(large, level):
    """Each is one that a single sign of it shows: faint windows, a pixel that outweighs its tile,
    edges that see small weights only, a weight that outweighs its filter.
    """
    rng, padding = seeded("large"), 1
    x, w, b = rng.standard_normal((2, 48, 17, 17)), rng.standard_normal((40, 48, 3, 3)), rng.standard_normal(40)
    if large == "two pixels":                       # neither outweighs the other
        x[0, 5, 6, 6] = x[0, 7, 4, 6] = 1e8
    elif large == "a pixel where a weight is 0":
        # in the last tile, of 3 x 3 outputs that all see it
        padding, x[0, 5, 14, 14], w[:, 5, 1, 1] = 0, 1e8, 0
    elif large == "a row of weights":
        w[3, :, 0] *= 1e8
    elif large == "a row of weights, beside wide padding":
        # the first rows of outputs see no tap at all
        padding, w[3, :, 0] = 5, w[3, :, 0] * 1e8
    else:
        w[3, 5, 1, 1], x[:, 5, ::2] = 1e8, 0
    with nn.use_isa(level):
        need_direct_sums_errors(x, w, b, padding)


@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("level", LEVELS)
def test_ends_of_every_length(level, padding):
    """3x3 filters on images of every height and width modulo 4, by tiles that end in smaller ones:
    whole numbers, so the definition's bits.
    """
    rng = seeded("ends")
    w = rng.integers(-3, 4, (40, 36, 3, 3)).astype(np.float32)
    with nn.use_isa(level):
        for H in range(4, 10):
            for W in range(5, 12):
                x = rng.integers(-3, 4, (5, 36, H, W)).astype(np.float32)
                dy = rng.integers(-3, 4, (5, 40, H + 2*padding - 2, W + 2*padding - 2)).astype(np.float32)
                a, b = nn.tensor(x, requires_grad=True), nn.tensor(w, requires_grad=True)
                y = F.conv2d(a, b, padding=padding)
                y.backward(nn.tensor(dy))
                frame = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
                # n c p q r s
                seen = np.lib.stride_tricks.sliding_window_view(frame, (3, 3), (2, 3))
                assert np.array_equal(y.data, np.einsum("ncpqrs,kcrs->nkpq", seen, w, optimize=True))
                assert np.array_equal(b.grad.data, np.einsum("ncpqrs,nkpq->kcrs", seen, dy, optimize=True))
                frame = np.pad(dy, ((0, 0), (0, 0), (2, 2), (2, 2)))
                back = np.lib.stride_tricks.sliding_window_view(frame, (3, 3), (2, 3))
                dx = np.einsum("nkijrs,kcrs->ncij", back, w[:, :, ::-1, ::-1], optimize=True)
                assert np.array_equal(a.grad.data, dx[:, :, padding:padding + H, padding:padding + W])


def test_one_image_without_a_batch_axis():
    rng = seeded("unbatched")
    x, w, b = rng.standard_normal((3, 7, 6)), rng.standard_normal((4, 3, 3, 2)), rng.standard_normal(4)
    one, batch = nn.tensor(x, requires_grad=True), nn.tensor(x[None], requires_grad=True)
    y, z = F.conv2d(one, nn.tensor(w), nn.tensor(b)), F.conv2d(batch, nn.tensor(w), nn.tensor(b))
    assert y.shape == (4, 5, 5) and np.array_equal(y.data, z.data[0])
    y.backward(y.data)
    z.backward(z.data)
    assert np.array_equal(one.grad.data, batch.grad.data[0])
    cols = F.unfold(nn.tensor(x), 2)
    assert cols.shape == (12, 30) and F.fold(cols, (7, 6), 2).shape == (3, 7, 6)


def test_empty_batch():
    w, b = nn.tensor(np.ones((4, 3, 3, 3)), requires_grad=True), nn.tensor(np.ones(4), requires_grad=True)
    x = nn.tensor(np.ones((0, 3, 8, 8)), requires_grad=True)
    y = F.conv2d(x, w, b, padding=1)
    assert y.shape == (0, 4, 8, 8)
    y.backward(np.zeros(y.shape))
    assert x.grad.shape == x.shape and not w.grad.data.any() and not b.grad.data.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_unfold_and_fold_agree_with_pytorch(torch, dtype):
    rng = seeded("unfold and PyTorch")
    done = 0
    while done < 60:
        window, dilation, stride = (tuple(map(int, rng.integers(1, 5, 2))) for _ in range(3))
        padding, size = tuple(map(int, rng.integers(0, 4, 2))), tuple(map(int, rng.integers(1, 14, 2)))
        if any(n + 2 * p <= d * (k - 1) for n, p, d, k in zip(size, padding, dilation, window)):
            continue
        done += 1
        attrs = {"kernel_size": window, "dilation": dilation, "padding": padding, "stride": stride}
        x = rng.standard_normal((2, 3, *size))
        compare(*both("unfold"), [x], dtype, **attrs)
        cols = rng.standard_normal(F.unfold(nn.tensor(x), **attrs).shape)
        compare(*both("fold"), [cols], dtype, output_size=size, **attrs)


def test_convolution_is_a_product_with_unfolded_columns():
    rng = seeded("unfold")
    x, w = rng.integers(-4, 5, (2, 3, 8, 9)).astype(float), rng.integers(-4, 5, (5, 3, 3, 2)).astype(float)
    cols = F.unfold(nn.tensor(x), (3, 2), padding=1, stride=2).data
    y = F.conv2d(nn.tensor(x), nn.tensor(w), padding=1, stride=2).data
    assert np.array_equal((w.reshape(5, -1) @ cols).reshape(y.shape), y)
