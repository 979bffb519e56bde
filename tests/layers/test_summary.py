"""summary: every number counted a second time, by loops or by hand; and the model is afterwards as
it was.
"""

import numpy as np
import pytest

import fastnn as nn
from fastnn import RangeError, ShapeError


def rows_of(model, *shapes, **kwargs):
    return model.summary(*shapes, **kwargs).rows


def small_cnn():
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 10))


def test_a_small_network_by_hand():
    s = small_cnn().summary((1, 28, 28))
    assert [row.output_shape for row in s.rows] == [(6, 28, 28), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 10, 10),
                                                    (16, 5, 5), (400,), (120,), (120,), (10,)]
    assert [row.parameters for row in s.rows] == [156, 0, 0, 2416, 0, 0, 0, 48120, 0, 1210]
    assert [row.multiply_adds for row in s.rows] == [28 * 28 * 6 * 25, 0, 0, 10 * 10 * 16 * 6 * 25, 0, 0, 0, 48000, 0,
                                                     1200]
    assert [row.bytes for row in s.rows] == [4 * n for n in (4704, 4704, 1176, 1600, 1600, 400, 0, 120, 120, 10)]
    assert [row.receptive_field for row in s.rows] == [(5, 5), (5, 5), (6, 6), (14, 14), (14, 14), (16, 16),
                                                       *[None] * 4]
    assert (s.parameters, s.trainable, s.parameter_bytes, s.input_bytes) == (51902, 51902, 4 * 51902, 4 * 784)
    assert s.multiply_adds == sum(row.multiply_adds for row in s.rows) and s.unused == []


def test_the_text():
    text = str(small_cnn().summary((1, 28, 28)))
    lines = text.splitlines()
    assert lines[0] == "Sequential on (1, 28, 28), a batch of 1"
    assert " ".join(lines[4].split()) == "0 Conv2d 1 -> 6, 5x5 (6, 28, 28) 156 117,600 18.4 KiB 5x5"
    assert "total" in text and "51,902" in text and repr(small_cnn().summary((1, 28, 28))) == text
    numbers = [line for line in lines[2:15] if not line.startswith("-")]
    assert len({line.index("parameters") + len("parameters") for line in numbers if "parameters" in line}) == 1
    assert max(map(len, lines)) < 110 and not any(line != line.rstrip() for line in lines)


# ---- multiply-adds against counted loops ---------------------------------------------------------
def count_conv2d(N, C, H, W, K, R, S, stride, padding, dilation, groups):
    """One for each product that the definition sums.

    Zeros of the padding are multiplied too, as the kernels do.
    """
    count = 0
    for _ in range(N):
        for _ in range(K):
            for p in range(-padding, H + padding - dilation * (R - 1), stride):
                for q in range(-padding, W + padding - dilation * (S - 1), stride):
                    for _ in range(C // groups):
                        for _ in range(R):
                            for _ in range(S):
                                count += p is not None and q is not None
    return count


@pytest.mark.parametrize("stride, padding, dilation, groups",
                         [(1, 0, 1, 1), (2, 1, 1, 1), (1, 2, 2, 2), (3, 1, 2, 4), (2, 0, 1, 4)])
def test_conv2d(stride, padding, dilation, groups):
    layer = nn.Conv2d(4, 8, (3, 2), stride, padding, dilation, groups)
    for batch in (1, 3):
        row, = rows_of(layer, (4, 7, 6), batch=batch)
        assert row.multiply_adds == count_conv2d(batch, 4, 7, 6, 8, 3, 2, stride, padding, dilation, groups)
        assert row.parameters == 8 * (4 // groups) * 3 * 2 + 8


def test_linear():
    row, = rows_of(nn.Linear(5, 3), (2, 4, 5), batch=3)
    assert row.multiply_adds == sum(1 for _ in range(3 * 2 * 4) for _ in range(3) for _ in range(5))
    assert row.output_shape == (2, 4, 3) and row.bytes == 3 * 2 * 4 * 3 * 4


def count_recurrent(G, T, B, I, H, layers, directions):
    """Each step multiplies x by W_ih and h by W_hh, G*H rows each; layers above the first read all
    directions' outputs.
    """
    count = 0
    for layer in range(layers):
        for _ in range(directions * T * B):
            inputs = I if layer == 0 else directions * H
            count += sum(1 for _ in range(G * H) for _ in range(inputs))
            count += sum(1 for _ in range(G * H) for _ in range(H))
    return count


@pytest.mark.parametrize("layers, both", [(1, False), (3, False), (2, True)])
def test_lstm(layers, both):
    layer = nn.LSTM(3, 5, layers, bidirectional=both, batch_first=True)
    row, = rows_of(layer, (7, 3), batch=2)
    D = 1 + both
    assert row.multiply_adds == count_recurrent(4, 7, 2, 3, 5, layers, D) and row.output_shape == (7, 5 * D)
    assert row.parameters == sum(D * 4 * 5 * ((3 if k == 0 else 5 * D) + 5 + 2) for k in range(layers))
    # every step's h; the last h and c
    assert row.bytes == 4 * (2 * 7 * 5 * D + 2 * 2 * layers * D * 5)
    row, = rows_of(nn.LSTMCell(3, 5), (3,), batch=2)
    assert row.multiply_adds == count_recurrent(4, 1, 2, 3, 5, 1, 1) and row.parameters == 4 * 5 * (3 + 5 + 2)


@pytest.mark.parametrize("layers, both", [(1, False), (2, True)])
@pytest.mark.parametrize("name, G", [("GRU", 3), ("RNN", 1)])
def test_gru_and_rnn(name, G, layers, both):
    row, = rows_of(getattr(nn, name)(3, 5, layers, bidirectional=both, batch_first=True), (7, 3), batch=2)
    D = 1 + both
    assert row.multiply_adds == count_recurrent(G, 7, 2, 3, 5, layers, D) and row.output_shape == (7, 5 * D)
    assert row.parameters == sum(D * G * 5 * ((3 if k == 0 else 5 * D) + 5 + 2) for k in range(layers))
    assert row.bytes == 4 * (2 * 7 * 5 * D + 2 * layers * D * 5)        # every step's h; the last h
    row, = rows_of(getattr(nn, name + "Cell")(3, 5), (3,), batch=2)
    assert row.multiply_adds == count_recurrent(G, 1, 2, 3, 5, 1, 1) and row.parameters == G * 5 * (3 + 5 + 2)


def count_attention(B, T, U, D, NH, kdim, vdim):
    count = 0
    for _ in range(B):
        count += sum(1 for _ in range(T) for _ in range(D) for _ in range(D))          # q
        count += sum(1 for _ in range(U) for _ in range(D) for _ in range(kdim))       # k
        count += sum(1 for _ in range(U) for _ in range(D) for _ in range(vdim))       # v
        for _ in range(NH):
            count += sum(1 for _ in range(T) for _ in range(U) for _ in range(D // NH))     # q k^T
            count += sum(1 for _ in range(T) for _ in range(D // NH) for _ in range(U))     # p v
        count += sum(1 for _ in range(T) for _ in range(D) for _ in range(D))          # out_proj
    return count


@pytest.mark.parametrize("kdim, vdim", [(6, 6), (4, 3)])
def test_attention(kdim, vdim):
    layer = nn.MultiheadAttention(6, 2, kdim=kdim, vdim=vdim, batch_first=True)
    row, = rows_of(layer, (5, 6), (7, kdim), (7, vdim), batch=3)
    assert row.multiply_adds == count_attention(3, 5, 7, 6, 2, kdim, vdim)
    assert row.parameters == 6 * (6 + kdim + vdim + 6) + 4 * 6 and row.path == ""
    time_first = nn.MultiheadAttention(6, 2, kdim=kdim, vdim=vdim)
    row, = rows_of(time_first, (5, 3, 6), (7, 3, kdim), (7, 3, vdim), batch=None)
    assert row.multiply_adds == count_attention(3, 5, 7, 6, 2, kdim, vdim) and row.output_shape == (5, 3, 6)


def test_workspace():
    """Copies of filters for convolution's backward, positions for embedding's, gates for LSTM's.

    The largest: they alternate.
    """
    conv, table = nn.Conv2d(16, 32, 3, padding=1), nn.Embedding(1000, 4)
    row, = rows_of(conv, (16, 28, 28))
    assert row.workspace > 0 and row.workspace % conv.weight.data.nbytes == 0
    row, = rows_of(table, (5, 3), dtype="int64")
    assert row.workspace == 8 * (1000 + 1 + 15)
    for layer, shape in ((nn.LSTM(3, 5), (7, 2, 3)), (nn.LSTM(3, 5, batch_first=True, num_layers=2), (2, 7, 3))):
        row, = rows_of(layer, shape, batch=None)
        # a row of dz is 20 long, and takes 48
        assert row.workspace == 4 * (14 * 48 + 4 * 5 * (5 + 64) + 2 * 5)
    row, = rows_of(nn.LSTMCell(3, 5), (3,), batch=2)
    assert row.workspace == 4 * (2 * 48 + 4 * 5 * (5 + 64) + 2 * 5)
    row, = rows_of(nn.GRU(3, 5), (7, 2, 3), batch=None)
    assert row.workspace == 4 * (14 * 48 + 3 * 5 * (5 + 64) + 2 * 5)
    # five steps at a time, one more kept, W_ih packed
    row, = rows_of(nn.GRU(3, 5), (7, 50, 3), batch=None)
    assert row.workspace == 4 * (6 * 50 * 48 + 3 * 5 * (5 + 64) + 50 * 5 + 32 * 3 * 5 + 64)
    row, = rows_of(nn.RNN(3, 5), (7, 2, 3), batch=None)
    assert row.workspace == 4 * (14 * 16 + 5 * (5 + 64) + 2 * 5)
    s = nn.Sequential(conv, nn.Conv2d(32, 64, 3)).summary((16, 28, 28))
    assert s.workspace == max(row.workspace for row in s.rows) > 0 and "of workspace at a time" in str(s)


def test_element_wise_layers_count_nothing():
    for layer, shape in [(nn.LayerNorm(5), (5,)), (nn.BatchNorm2d(3), (3, 4, 4)), (nn.GroupNorm(3, 3), (3, 4, 4)),
                         (nn.RMSNorm(5), (5,)), (nn.ReLU(), (5,)), (nn.Softmax(-1), (5,)), (nn.MaxPool2d(2), (3, 4, 4)),
                         (nn.Dropout(), (5,)), (nn.Flatten(), (2, 3))]:
        row, = rows_of(layer, shape)
        assert row.multiply_adds == 0


# ---- receptive field -----------------------------------------------------------------------------
def measured_receptive_field(model, shape):
    """Which input pixels change the output's middle pixel."""
    x = nn.tensor(np.random.default_rng(0).standard_normal((1, *shape)), requires_grad=True)
    y = model.double()(x)
    dy = np.zeros(y.shape)
    dy[0, :, y.shape[2] // 2, y.shape[3] // 2] = 1
    y.backward(dy)
    seen = np.abs(x.grad.data[0]).sum(0) > 0
    return tuple(int(np.ptp(np.flatnonzero(seen.any(axis)))) + 1 for axis in (1, 0))


@pytest.mark.parametrize("make", [
    lambda: [nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3)],
    lambda: [nn.Conv2d(1, 2, (5, 3), stride=2), nn.BatchNorm2d(2).eval(), nn.Conv2d(2, 2, 3, dilation=2)],
    lambda: [nn.Conv2d(1, 2, 3), nn.AvgPool2d((2, 3)), nn.ReLU(), nn.Conv2d(2, 2, (1, 3)),
             nn.AvgPool2d(3, 1, padding=1)],
    lambda: [nn.Conv2d(1, 2, 3, stride=(1, 2), dilation=(2, 1)), nn.Identity(), nn.Dropout2d(0.0), nn.Conv2d(2, 1, 3)],
])
def test_receptive_field_is_what_gradients_reach(make):
    nn.seed(3)
    layers = [layer if not isinstance(layer, nn.ReLU) else nn.Identity() for layer in make()]
    model = nn.Sequential(*layers)
    want = measured_receptive_field(model, (1, 41, 43))
    assert rows_of(model, (1, 41, 43))[-1].receptive_field == want


def test_receptive_field_ends_where_it_is_not_defined():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.after = nn.Conv2d(1, 1, 3, padding=1), nn.Conv2d(1, 1, 3)

        def forward(self, x):
            return self.after(self.conv(x) + x)
    assert [row.receptive_field for row in rows_of(Residual(), (1, 8, 8))] == [(3, 3), None]
    assert rows_of(nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d(1)), (1, 8, 8))[1].receptive_field is None
    assert rows_of(nn.Sequential(nn.ReLU()), (8,))[0].receptive_field is None


# ---- inputs --------------------------------------------------------------------------------------
def test_embedding_model_takes_integers():
    model = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 2))
    s = model.summary((5,), dtype="int64")
    assert [row.output_shape for row in s.rows] == [(5, 6), (5, 2)] and s.input_bytes == 40
    assert model.summary(5, dtype=np.int64).rows == s.rows


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.numbers, self.out = nn.Embedding(7, 4), nn.Linear(3, 4), nn.Linear(4, 1)

    def forward(self, words, numbers):
        return self.out(self.words(words) + self.numbers(numbers))


def test_several_inputs():
    s = Two().summary((), (3,), dtype=("int64", "float32"), batch=2)
    assert [row.output_shape for row in s.rows] == [(4,), (4,), (1,)] and s.rows[1].multiply_adds == 2 * 12
    assert Two().summary([(), (3,)], dtype=("int64", "float32"), batch=2).rows == s.rows


def test_float64_models():
    assert rows_of(nn.Linear(5, 3).double(), (5,))[0].bytes == 24


@pytest.mark.parametrize("shapes", [(), ("28",), (None,), ((-1, 5),), ((1.5, "a"),)])
def test_bad_shapes(shapes):
    with pytest.raises(ShapeError, match="without the batch axis"):
        nn.Linear(5, 3).summary(*shapes)


def test_bad_dtypes_and_batch():
    with pytest.raises(ShapeError, match="one dtype, or 2, one per input"):
        Two().summary((), (3,), dtype=("int64",))
    with pytest.raises(RangeError, match="batch"):
        nn.Linear(5, 3).summary((5,), batch=-1)


# ---- sharing, repetition, parts that do not run --------------------------------------------------
def test_shared_parameters_count_once():
    model = nn.Sequential(nn.Embedding(7, 5), nn.Linear(5, 7, bias=False))
    model[1].weight = model[0].weight
    s = model.summary((3,), dtype="int64")
    assert [row.parameters for row in s.rows] == [35, 0] and s.parameters == 35
    layer = nn.Linear(4, 4)
    s = nn.Sequential(layer, nn.Tanh(), layer).summary((4,))
    assert [row.parameters for row in s.rows] == [20, 0, 0] and s.parameters == 20
    assert [row.multiply_adds for row in s.rows] == [16, 0, 16]


def test_a_layer_called_in_a_row_is_one_row():
    class Repeat(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            for _ in range(5):
                x = self.layer(x)
            return x
    s = Repeat().summary((4,))
    row, = s.rows
    assert (row.calls, row.multiply_adds, row.parameters, row.bytes) == (5, 80, 20, 80)
    assert "layer x5" in str(s)


def test_parameters_outside_layers_and_layers_that_do_not_run():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(np.zeros(3, np.float32))
            self.used, self.idle = nn.Linear(2, 3), nn.Linear(2, 3)
            self.used.bias.requires_grad_(False)

        def forward(self, x):
            return self.used(x) + self.bias

        def cost(self, inputs, output):
            return 1000
    s = Odd().summary((2,))
    assert [(row.path, row.parameters, row.multiply_adds) for row in s.rows] == [("used", 9, 6), ("", 3, 1000)]
    assert (s.parameters, s.trainable, s.unused) == (21, 18, ["idle"])
    assert "not reached   idle" in str(s) and "3 are fixed" in str(s) and "(model)" in str(s)


# ---- the model is afterwards as it was -----------------------------------------------------------
class Restless(nn.Module):
    """Changes its buffers, draws random numbers and looks at its mode whenever it runs."""

    def __init__(self):
        super().__init__()
        self.norm, self.layer = nn.BatchNorm1d(4), nn.Linear(4, 2)
        self.register_buffer("runs", np.zeros(1))
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        self.runs = nn.tensor(self.runs.data + 1)
        self.norm.running_mean.data[...] += 1
        nn.randn(3) if hasattr(nn, "randn") else nn.random.generator().normal()
        return self.layer(nn.functional.dropout(self.norm(x)))


@pytest.mark.parametrize("shape", [(4,), (5,)], ids=["works", "fails"])
def test_nothing_stays_behind(shape):
    model = Restless()
    model.norm.eval()
    seen = []
    model.layer.register_forward_hook(lambda *_: seen.append(1))
    modes = [m.training for m in model.modules()]
    runs, state = model.runs, {key: t.data.copy() for key, t in model.state_dict().items()}
    nn.seed(4)
    want = nn.random.random_state()
    if shape == (4,):
        model.summary(shape)
        assert seen == [1]                          # the user's own hook ran, and stays
    else:
        with pytest.raises(ShapeError):
            model.summary(shape)
    assert nn.random.random_state() == want
    assert [m.training for m in model.modules()] == modes == [True, False, True] and model.modes == [False]
    assert model.runs is runs
    for key, t in model.state_dict().items():
        assert np.array_equal(t.data, state[key]), key
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()] == [0, 0, 1]
    assert all(p.grad is None for p in model.parameters()) and nn.is_grad_enabled()


def test_a_wrong_shape_shows_the_rows_before_it():
    with pytest.raises(ShapeError) as caught:
        small_cnn().summary((1, 32, 28))
    text = str(caught.value)
    assert text.startswith("model.7 (Linear 400 -> 120): expected (..., 400), got (1, 480). "
                           "The layers before it:\npath")
    table = text.splitlines()[1:]
    assert [line.split()[0] for line in table[2:]] == list("0123456") and "(16, 12, 10)" in table[5]


def test_a_failing_first_layer_shows_no_table():
    with pytest.raises(ShapeError) as caught:
        nn.Linear(3, 2).summary((4,))
    assert "path" not in str(caught.value)
