"""One-dimensional and transposed convolution: by hand, against PyTorch, and each other's adjoint,
the linear map transposed.
"""

import numpy as np
import pytest
from second_opinion import both, compare

import fastnn as nn
from fastnn.op import seeded

F = nn.functional
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_conv1d_hand_worked():
    """Two taps at stride 2 on four numbers: y = [1*1 + 2*2, 1*3 + 2*4] + 10.

    With dy = [1, 2]: dw = [1 + 2*3, 2 + 2*4].
    """
    x, w = nn.tensor([[[1.0, 2.0, 3.0, 4.0]]], requires_grad=True), nn.tensor([[[1.0, 2.0]]], requires_grad=True)
    b = nn.tensor([10.0], requires_grad=True)
    y = F.conv1d(x, w, b, stride=2)
    assert y.data.tolist() == [[[15, 21]]]
    y.backward(np.array([[[1.0, 2.0]]]))
    assert w.grad.data.tolist() == [[[7, 10]]] and b.grad.data.tolist() == [3]
    assert x.grad.data.tolist() == [[[1, 2, 2, 4]]]


def test_conv1d_same_padding_puts_the_odd_zero_at_the_end():
    x = nn.tensor([[[1.0, 2.0, 3.0]]])
    assert F.conv1d(x, nn.tensor([[[0.0, 1.0]]]), padding="same").data.tolist() == [[[2, 3, 0]]]
    assert F.conv1d(x, nn.tensor([[[1.0, 1.0]]]), padding="valid").data.tolist() == [[[3, 5]]]


def test_conv_transpose2d_hand_worked():
    """One pixel writes the filter; a second one, two columns further, writes it times 10.

    The padding cuts a column off each end.
    """
    x = nn.tensor([[[[1.0, 10.0]]]], requires_grad=True)
    w = nn.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]], requires_grad=True)
    y = F.conv_transpose2d(x, w, stride=2, padding=(0, 1))
    assert y.data.tolist() == [[[[2, 3 + 10, 20], [5, 6 + 40, 50]]]]
    y.backward(np.array([[[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]]))
    # the first sees y from column -1 on, the second from column 1 on
    assert x.grad.data.tolist() == [[[[2 + 6, 4]]]]
    assert w.grad.data.tolist() == [[[[0, 1, 0], [10, 0, 1]]]]


def test_output_padding_says_which_size_is_meant():
    """Images of 7 and of 8 columns give 4 outputs of a 3-tap filter at stride 2 with padding 1."""
    w = nn.tensor(np.ones((1, 1, 1, 3)))
    for columns, more in ((7, 0), (8, 1)):
        small = F.conv2d(nn.tensor(np.ones((1, 1, 1, columns))), w, stride=(1, 2), padding=(0, 1))
        assert small.shape == (1, 1, 1, 4)
        assert F.conv_transpose2d(small, w, stride=(1, 2), padding=(0, 1),
                                  output_padding=(0, more)).shape == (1, 1, 1, columns)


@DTYPES
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_conv1d_agrees_with_pytorch(torch, dtype):
    rng = seeded("conv1d and PyTorch")
    done = 0
    while done < 80:
        groups, Cg, Kg, S, L, N = (int(n) for n in rng.integers((1, 1, 1, 1, 1, 1), (4, 7, 9, 8, 90, 5)))
        Cg = 1 if rng.random() < 0.3 else Cg
        attrs = {"stride": int(rng.integers(1, 4)), "padding": int(rng.integers(0, 6)),
                 "dilation": int(rng.integers(1, 4)), "groups": groups}
        if rng.random() < 0.2:
            attrs |= {"stride": 1, "padding": str(rng.choice(["same", "valid"]))}
        around = 0 if attrs["padding"] == "valid" else attrs["padding"]
        if around != "same" and L + 2 * around <= attrs["dilation"] * (S - 1):
            continue
        done += 1
        x, w = rng.standard_normal((N, Cg * groups, L)), rng.standard_normal((Kg * groups, Cg, S))
        b = rng.standard_normal(Kg * groups) if rng.random() < 0.7 else None
        compare(*both("conv1d"), [x, w, b], dtype, **attrs)


@DTYPES
@pytest.mark.parametrize("rank", [1, 2])
def test_conv_transpose_agrees_with_pytorch(torch, rank, dtype):
    rng = seeded(f"conv_transpose{rank}d and PyTorch")
    done = 0
    while done < 80:
        groups, Kg, Cg, N = (int(n) for n in rng.integers((1, 1, 1, 1), (4, 8, 7, 5)))
        Cg = 1 if rng.random() < 0.3 else Cg
        size, taps, stride, padding, dilation = (
            rng.integers(low, high, rank) for low, high in ((1, 17), (1, 6), (1, 4), (0, 4), (1, 4)))
        more = rng.integers(0, np.maximum(stride, dilation))
        if ((size - 1) * stride + dilation * (taps - 1) + 1 + more - 2 * padding < 1).any():
            continue
        done += 1
        attrs = {"stride": stride, "padding": padding, "output_padding": more, "dilation": dilation}
        attrs = {name: tuple(map(int, value)) for name, value in attrs.items()} | {"groups": groups}
        x, w = rng.standard_normal((N, Kg * groups, *size)), rng.standard_normal((Kg * groups, Cg, *taps))
        b = rng.standard_normal(Cg * groups) if rng.random() < 0.7 else None
        compare(*both(f"conv_transpose{rank}d"), [x, w, b], dtype, **attrs)


# sizes that take each method over several blocks: (x, w, attributes)
LARGE = {
    "stride 2": ((5, 64, 17, 18), (64, 40, 4, 4), {"stride": 2, "padding": 1}),
    "stride 1": ((4, 48, 30, 31), (48, 40, 3, 3), {"padding": 1}),
    "few channels out": ((4, 64, 40, 41), (64, 3, 4, 4), {"stride": 2, "padding": 1}),
    "2x2": ((3, 96, 28, 27), (96, 48, 2, 2), {"stride": 2}),
    "depthwise": ((5, 40, 30, 29), (40, 1, 4, 4), {"groups": 40, "stride": 2, "padding": 1}),
    "groups": ((4, 48, 20, 21), (48, 16, 3, 3), {"groups": 3, "stride": 2, "padding": 1, "output_padding": 1}),
}


def large(name):
    x_shape, w_shape, attrs = LARGE[name]
    rng = seeded(name)
    b_shape = (w_shape[1] * attrs.get("groups", 1),)
    return [rng.standard_normal(shape) for shape in (x_shape, w_shape, b_shape)], attrs


@pytest.mark.parametrize("name", LARGE)
def test_large_agrees_with_pytorch(torch, name):
    arrays, attrs = large(name)
    compare(*both("conv_transpose2d"), arrays, np.float32, **attrs)


@pytest.mark.parametrize("name", LARGE)
def test_bits_do_not_depend_on_threads(name):
    arrays, attrs = large(name)

    def run():
        x, w, b = (nn.tensor(a.astype(np.float32), requires_grad=True) for a in arrays)
        y = F.conv_transpose2d(x, w, b, **attrs)
        y.backward(np.cos(np.arange(y.numel(), dtype=np.float32)).reshape(y.shape))
        return [a.data.tobytes() for a in (y, x.grad, w.grad, b.grad)]
    with nn.threads(1):
        want = run()
    for n in (2, 5):
        with nn.threads(n):
            assert run() == want


def test_transposed_convolution_is_the_gradient_of_convolution():
    rng = seeded("adjoint")
    x, w = rng.integers(-4, 5, (2, 6, 9, 8)).astype(float), rng.integers(-4, 5, (4, 3, 3, 2)).astype(float)
    t = nn.tensor(x, requires_grad=True)
    y = F.conv2d(t, nn.tensor(w), stride=(2, 3), padding=1, groups=2)
    y.backward(y.data)
    back = F.conv_transpose2d(nn.tensor(y.data), nn.tensor(w), stride=(2, 3), padding=1, groups=2,
                              output_padding=(0, 2))
    assert np.array_equal(back.data, t.grad.data)


def test_output_size_of_the_layers():
    up = nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1)
    x = nn.zeros(2, 4, 5, 6)
    assert up(x, output_size=(10, 11)).shape == up(x, output_size=(2, 3, 10, 11)).shape == (2, 3, 10, 11)
    assert nn.ConvTranspose1d(4, 3, 3, stride=4)(nn.zeros(4, 5), output_size=[22]).shape == (3, 22)
    with pytest.raises(nn.ShapeError, match=r"output_size from \(9, 11\) to \(10, 12\)"):
        up(x, output_size=(11, 11))


def test_one_sequence_without_a_batch_axis():
    rng = seeded("unbatched")
    x, w = rng.standard_normal((3, 17)), rng.standard_normal((4, 3, 5))
    assert np.array_equal(F.conv1d(nn.tensor(x), nn.tensor(w)).data, F.conv1d(nn.tensor(x[None]), nn.tensor(w)).data[0])
    v = w.transpose(1, 0, 2).copy()
    assert np.array_equal(F.conv_transpose1d(nn.tensor(x), nn.tensor(v)).data,
                          F.conv_transpose1d(nn.tensor(x[None]), nn.tensor(v)).data[0])
