"""LSTM, GRU and RNN: PyTorch as second opinion, what must hold without one, and, of GRU and RNN, a
step worked by hand and mistakes that must be noticed. The LSTM's are in test_lstm.py."""

import dataclasses

import numpy as np
import pytest
from sabotage import caught
from second_opinion import close, flat, in_dtype, same_results

import fastnn as nn
from fastnn.errors import FastnnError, ShapeError
from fastnn.kernels import compiled
from fastnn.ops import recurrent
from fastnn.ops.gru import GRU, GRU_CELL
from fastnn.ops.lstm import LSTM, LSTM_CELL
from fastnn.ops.rnn import RNN, RNN_CELL
from fastnn.reference import gru as gru_reference
from fastnn.testing import laws

F = nn.functional


@dataclasses.dataclass(frozen=True)
class Kind:
    """One of the recurrences, with what PyTorch calls it."""

    gates: int
    states: int
    op: object
    cell_op: object
    attrs: dict
    function: object
    cell: object
    torch_layer: str
    torch_args: dict

    def run(self, *inputs, reverse=False):
        return self.op.kernels[0](*inputs, reverse=reverse, **self.attrs)

    def hx(self, states):
        """The state as the public functions, ours and PyTorch's, take it."""
        return states[0] if self.states == 1 else tuple(states)


KINDS = {
    "lstm": Kind(4, 2, LSTM, LSTM_CELL, {}, F.lstm, F.lstm_cell, "LSTM", {}),
    "gru": Kind(3, 1, GRU, GRU_CELL, {}, F.gru, F.gru_cell, "GRU", {}),
    "rnn_tanh": Kind(1, 1, RNN, RNN_CELL, {"relu": False}, F.rnn_tanh, F.rnn_tanh_cell, "RNN",
                     {"nonlinearity": "tanh"}),
    "rnn_relu": Kind(1, 1, RNN, RNN_CELL, {"relu": True}, F.rnn_relu, F.rnn_relu_cell, "RNN", {"nonlinearity": "relu"}),
}
ALL = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
ONE_STATE = pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.states == 1],
                                    ids=[n for n in KINDS if n != "lstm"])


# ---- by hand -------------------------------------------------------------------------------------
def column(*numbers):
    return nn.tensor(np.array(numbers, float).reshape(-1, 1), requires_grad=True)


def test_one_step_of_gru_by_hand():
    # With s = ln 3: sigmoid(s) = 0.75, sigmoid(-s) = 0.25 and tanh(s/2) = 0.5, for x = 1, h = 2:
    #         w_ih   w_hh   b_ih   b_hh     a = w_ih + b_ih    u = 2 w_hh + b_hh
    #     r   s      0      0      0        s                  0
    #     z   0      -s     0      s        0                  -s
    #     n   0      s      s/8    -3s/2    s/8                s/2
    # r = sigmoid(s) = 0.75,  z = sigmoid(-s) = 0.25,  n = tanh(s/8 + 0.75 s/2) = tanh(s/2) = 0.5
    # h' = 0.75 * 0.5 + 0.25 * 2 = 0.875
    s = np.log(3.0)
    w_ih, w_hh = column(s, 0, 0), column(0, -s, s)
    b_ih, b_hh = (nn.tensor(np.array(b), requires_grad=True) for b in ([0, 0, s / 8], [0, s, -1.5 * s]))
    x, h = column(1), column(2)
    y = F.gru_cell(x, h, w_ih, w_hh, b_ih, b_hh)
    np.testing.assert_allclose(y.data, [[0.875]])
    # with dh' = 1:
    #     dn = 0.75                                    da_n = 0.75 * (1 - 0.25) = 0.5625
    #     dz = h - n = 1.5                             da_z = 1.5 * 0.25 * 0.75 = 0.28125
    #     dr = da_n * u_n = 0.5625 s/2 = 0.28125 s     da_r = 0.28125 s * 0.1875 = 0.052734375 s
    #                                                  du_n = da_n * r = 0.421875
    #     dh = z + w_hh . du = 0.25 - 0.28125 s + 0.421875 s = 0.25 + 0.140625 s
    y.backward(np.ones((1, 1)))
    da, du = np.array([0.052734375 * s, 0.28125, 0.5625]), np.array([0.052734375 * s, 0.28125, 0.421875])
    np.testing.assert_allclose(b_ih.grad.data, da)
    np.testing.assert_allclose(b_hh.grad.data, du)
    np.testing.assert_allclose(w_ih.grad.data.ravel(), da)
    np.testing.assert_allclose(w_hh.grad.data.ravel(), 2 * du)
    np.testing.assert_allclose(x.grad.data, [[0.052734375 * s * s]])
    np.testing.assert_allclose(h.grad.data, [[0.25 + 0.140625 * s]])


@pytest.mark.parametrize("cell, y, slope", [(F.rnn_tanh_cell, 0.5, 0.75), (F.rnn_relu_cell, np.log(3) / 2, 1.0)],
                         ids=["tanh", "relu"])
def test_one_step_of_rnn_by_hand(cell, y, slope):
    # z = 2 * 0.25 s + 1 * (-0.5 s) + 0.75 s - 0.25 s = s/2 with s = ln 3
    # tanh(s/2) = 0.5, whose slope is 1 - 0.25
    s = np.log(3.0)
    x, h, w_ih, w_hh = column(2), column(1), column(0.25 * s), column(-0.5 * s)
    b_ih, b_hh = (nn.tensor(np.array([b]), requires_grad=True) for b in (0.75 * s, -0.25 * s))
    got = cell(x, h, w_ih, w_hh, b_ih, b_hh)
    np.testing.assert_allclose(got.data, [[y]])
    got.backward(np.ones((1, 1)))
    for tensor, want in ((x, 0.25 * s), (h, -0.5 * s), (w_ih, 2), (w_hh, 1), (b_ih, 1), (b_hh, 1)):
        np.testing.assert_allclose(tensor.grad.data.ravel(), [slope * want])


# ---- PyTorch -------------------------------------------------------------------------------------
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def ours_of(theirs):
    return [nn.tensor(t.detach().numpy().copy(), requires_grad=True) for t in theirs]


@DTYPES
@ALL
@pytest.mark.parametrize("B, I, H, bias", [(1, 1, 1, True), (5, 7, 3, True), (2, 3, 37, False), (1, 20, 48, True),
                                           (50, 20, 130, True)])
def test_a_cell_is_pytorchs(torch, B, I, H, bias, kind, dtype):
    make = getattr(torch.nn, kind.torch_layer + "Cell")
    cell = in_dtype(make(I, H, bias=bias, **kind.torch_args), dtype)
    theirs = [torch.randn(B, n, dtype=cell.weight_ih.dtype, requires_grad=True) for n in (I, *[H] * kind.states)]
    want = flat(cell(theirs[0], kind.hx(theirs[1:])))
    theirs += list(cell.parameters())
    ours = ours_of(theirs)
    got = flat(kind.cell(ours[0], kind.hx(ours[1:1 + kind.states]), *ours[1 + kind.states:]))
    same_results(got, want, ours, theirs)


COMPOSITIONS = {
    "one layer": {"T": 6, "B": 5, "I": 7, "H": 33},
    "one sequence": {"T": 9, "B": 1, "I": 7, "H": 20},
    "two layers": {"T": 5, "B": 3, "I": 4, "H": 6, "num_layers": 2},
    "both directions": {"T": 5, "B": 3, "I": 4, "H": 6, "bidirectional": True},
    "three layers in both directions": {"T": 4, "B": 2, "I": 3, "H": 5, "num_layers": 3, "bidirectional": True},
    "batch first": {"T": 5, "B": 3, "I": 4, "H": 6, "num_layers": 2, "bidirectional": True, "batch_first": True},
    "no biases": {"T": 5, "B": 3, "I": 4, "H": 6, "num_layers": 2, "bias": False},
    "one step": {"T": 1, "B": 3, "I": 4, "H": 6, "num_layers": 2, "bidirectional": True},
    "crossing tiles": {"T": 3, "B": 61, "I": 10, "H": 130},
    "several parts backward": {"T": 6, "B": 90, "I": 5, "H": 9, "bidirectional": True},
    "unbatched": {"T": 5, "B": None, "I": 4, "H": 6, "num_layers": 2, "bidirectional": True},
    "unbatched, batch first": {"T": 5, "B": None, "I": 4, "H": 6, "batch_first": True},
}


@DTYPES
@ALL
@pytest.mark.parametrize("state", [True, False], ids=["state", "no state"])
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_the_composition_is_pytorchs(torch, name, state, kind, dtype):
    """Output, last state, and the gradients of all inputs, states and parameters."""
    case = {"num_layers": 1, "bidirectional": False, "batch_first": False, "bias": True} | COMPOSITIONS[name]
    T, B, I, H, bias = (case.pop(key) for key in ("T", "B", "I", "H", "bias"))
    layer = in_dtype(getattr(torch.nn, kind.torch_layer)(I, H, bias=bias, **case, **kind.torch_args), dtype)
    real = layer.weight_ih_l0.dtype
    cells = case["num_layers"] * (1 + case["bidirectional"])
    shape = (T, I) if B is None else (B, T, I) if case["batch_first"] else (T, B, I)
    theirs = [torch.randn(shape, dtype=real, requires_grad=True)]
    if state:
        theirs += [torch.randn((cells, H) if B is None else (cells, B, H), dtype=real, requires_grad=True)
                   for _ in range(kind.states)]
    want = flat(layer(theirs[0], kind.hx(theirs[1:]) if state else None))
    first = len(theirs)
    theirs += list(layer.parameters())
    ours = ours_of(theirs)
    got = flat(kind.function(ours[0], kind.hx(ours[1:first]) if state else None, ours[first:], **case))
    same_results(got, want, ours, theirs)


@ALL
@pytest.mark.parametrize("which", [0, 1, -1], ids=["output", "h_n", "the last state"])
def test_a_gradient_may_arrive_through_one_result_only(torch, which, kind):
    layer = getattr(torch.nn, kind.torch_layer)(3, 4, 2, dtype=torch.float64, **kind.torch_args)
    theirs = [torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True), *layer.parameters()]
    flat(layer(theirs[0]))[which].sum().backward()
    ours = ours_of(theirs)
    result = flat(kind.function(ours[0], None, ours[1:], num_layers=2))[which]
    result.backward(np.ones(result.shape))
    for a, b in zip(ours, theirs):
        close(a.grad, b.grad)


@ALL
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_parameters_have_pytorchs_names_shapes_and_order(torch, bias, bidirectional, kind):
    theirs = getattr(torch.nn, kind.torch_layer)(3, 5, 2, bias=bias, bidirectional=bidirectional)
    want = {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    assert list(recurrent.parameter_shapes(kind.gates, 3, 5, 2, bias, bidirectional).items()) == list(want.items())


# ---- what must hold without a second opinion -----------------------------------------------------
def arrays(kind, T, B, I, H, dtype=np.float64, seed=3):
    rng, rows = np.random.default_rng(seed), kind.gates * H
    shapes = [(T, B, I), *[(B, H)] * kind.states, (rows, I), (rows, H), (rows,), (rows,)]
    return [(rng.standard_normal(shape) * (1.0 if i <= kind.states else H ** -0.5)).astype(dtype)
            for i, shape in enumerate(shapes)]


@ALL
def test_a_layer_is_its_cell_step_by_step(kind):
    x, *rest = (nn.tensor(a) for a in arrays(kind, 6, 3, 4, 5))
    states, weights = rest[:kind.states], rest[kind.states:]
    y, *last = nn.autograd.apply(kind.op, x, *states, *weights, reverse=False, **kind.attrs)
    for t in range(6):
        states = flat(kind.cell(nn.tensor(x.data[t]), kind.hx(states), *weights))
        np.testing.assert_allclose(y.data[t], states[0].data, rtol=0, atol=1e-14)
    for a, b in zip(last, states, strict=True):
        np.testing.assert_allclose(a.data, b.data, rtol=0, atol=1e-14)


@ALL
def test_reverse_is_the_sequence_read_backwards(kind):
    x, *rest = arrays(kind, 6, 3, 4, 37)
    backwards, flipped = kind.run(x, *rest, reverse=True)[0], kind.run(x[::-1], *rest)[0]
    assert np.array_equal(backwards[0], flipped[0][::-1])
    for a, b in zip(backwards[1:], flipped[1:], strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("kind", [KINDS["lstm"], KINDS["gru"]], ids=["lstm", "gru"])
def test_saturated_gates_stay_finite(kind):
    x, *rest = arrays(kind, 4, 2, 3, 5, np.float32)
    y, saved = kind.run(1e6 * x, *rest)
    assert all(np.isfinite(a).all() for a in y)
    assert all(np.isfinite(g).all() for g in kind.op.kernels[1]((y[0], *[None] * kind.states), saved, reverse=False))


@ALL
def test_nan_stays_nan_in_its_sequence(kind):
    x, *rest = arrays(kind, 3, 2, 4, 5, np.float32)
    x[1, 0, 2] = np.nan
    y = kind.run(x, *rest)[0][0]
    assert np.isnan(y[1:, 0]).all() and np.isfinite(y[:, 1]).all() and np.isfinite(y[0]).all()


@ALL
@pytest.mark.parametrize("B, I, H", [(40, 24, 160), (1, 64, 800), (5, 16, 512), (90, 9, 80)],
                         ids=["batch", "one sequence", "few", "parts"])
def test_the_bits_do_not_depend_on_the_number_of_threads(B, I, H, kind):
    inputs = arrays(kind, 4, B, I, H, np.float32)
    dy = tuple(np.random.default_rng(4).standard_normal(shape).astype(np.float32)
               for shape in ((4, B, H), *[(B, H)] * kind.states))

    def run(reverse):
        y, saved = kind.run(*inputs, reverse=reverse)
        return [a.tobytes() for a in (*y, *kind.op.kernels[1](dy, saved, reverse=reverse, **kind.attrs))]
    for reverse in (False, True):
        with nn.threads(1):
            one = run(reverse)
        for n in (2, 3):
            with nn.threads(n):
                assert run(reverse) == one


@ALL
@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_an_empty_batch(backend, kind):
    with nn.use_backend(backend):
        x = nn.tensor(np.zeros((3, 0, 4)), requires_grad=True)
        shapes = recurrent.parameter_shapes(kind.gates, 4, 5, 2, True, True).values()
        params = [nn.tensor(np.ones(shape), requires_grad=True) for shape in shapes]
        y, *last = flat(kind.function(x, None, params, num_layers=2, bidirectional=True))
        assert y.shape == (3, 0, 10) and [h.shape for h in last] == [(4, 0, 5)] * kind.states
        y.backward(np.zeros(y.shape))
        assert x.grad.shape == (3, 0, 4) and all((p.grad.data == 0).all() for p in params)


@ALL
@pytest.mark.skipif(compiled is None, reason="there are no compiled kernels here")
@pytest.mark.parametrize("T, B, I, H", [(7, 50, 30, 40), (4, 2, 5, 37), (20, 33, 17, 64), (1, 60, 70, 50)],
                         ids=["parts", "one part", "many parts", "one step"])
def test_the_reported_workspace_is_what_backward_takes(T, B, I, H, kind):
    """Only csrc/recurrent/recurrent.h knows how rows lie: what Python says comes from there, and
    the kernel takes it.
    """
    y, saved = kind.run(*arrays(kind, T, B, I, H, np.float32))
    dy = tuple(np.ones(a.shape, np.float32) for a in y)
    compiled.memory_trim()
    # kept: only the workspace is free
    gradients = kind.op.kernels[1](dy, saved, reverse=False, **kind.attrs)
    taken = compiled.memory_cached()
    assert len(gradients) == len(saved[:kind.states + 1]) + 4
    reported = recurrent.workspace_bytes(kind.gates, T, B, I, H, 4)
    assert reported <= taken < reported + 2048      # the pool's header and the end of its piece


@ALL
def test_no_workspace_is_reported_without_kernels(kind, monkeypatch):
    monkeypatch.setattr(recurrent, "compiled", None)
    assert recurrent.workspace_bytes(kind.gates, 7, 50, 30, 40, 4) == 0


@ALL
def test_dropout_acts_between_layers_in_training_only(kind):
    x = nn.tensor(arrays(kind, 4, 3, 5, 8)[0])
    rng = np.random.default_rng(5)
    shapes = recurrent.parameter_shapes(kind.gates, 5, 8, 2).values()
    params = [nn.tensor(rng.standard_normal(shape)) for shape in shapes]
    plain = kind.function(x, None, params, num_layers=2)[0].data
    assert np.array_equal(kind.function(x, None, params, num_layers=2, dropout=0.5)[0].data, plain)
    first = kind.function(x, None, params[:4])[0]
    nn.seed(7)
    got = kind.function(x, None, params, num_layers=2, dropout=0.5, training=True)[0].data
    nn.seed(7)
    want = kind.function(F.dropout(first, 0.5), None, params[4:])[0].data
    assert np.array_equal(got, want) and not np.array_equal(got, plain)
    everything = kind.function(x, None, params, num_layers=2, dropout=1.0, training=True)[0].data
    assert np.array_equal(everything, kind.function(nn.tensor(np.zeros((4, 3, 8))), None, params[4:])[0].data)


@ALL
def test_errors_of_the_composition_come_before_any_work(kind):
    calls = []
    with nn.use_kernel(kind.op.name, lambda *a, **k: calls.append(1), lambda *a, **k: None, check=False):
        x = nn.tensor(np.zeros((3, 2, 4)))
        weights = [nn.tensor(np.zeros(s)) for s in recurrent.parameter_shapes(kind.gates, 4, 5, 2).values()]
        right, short = nn.tensor(np.zeros((2, 2, 5))), nn.tensor(np.zeros((1, 2, 5)))
        for state in ((right,), short, (right, short) if kind.states == 2 else (right, right)):
            with pytest.raises(ShapeError):
                kind.function(x, state, weights, num_layers=2)
        with pytest.raises(ShapeError):
            kind.function(x, None, weights[:4] + weights[:4], num_layers=2)
        with pytest.raises(FastnnError):
            kind.function(x, None, [*weights[:-1], nn.tensor(np.zeros(5 * kind.gates, np.float32))], num_layers=2)
    assert calls == []


# ---- mistakes that must be noticed ---------------------------------------------------------------
def pieces(w, order):
    return None if w is None else np.concatenate([np.split(w, 3)[i] for i in order])


def test_gates_in_another_order_are_noticed():
    """z r n, as Keras has them, instead of PyTorch's r z n."""
    broken = dataclasses.replace(GRU_CELL, forward=lambda x, h, *w: gru_reference.gru_cell_forward(
        x, h, *(pieces(a, (1, 0, 2)) for a in w)))
    assert caught(laws.forward_is_the_definition, broken)


@pytest.mark.parametrize("mistake", ["reset before the product", "reset without the bias", "none"])
def test_another_reset_gate_is_noticed(mistake):
    """The original paper resets the state before the product; and some forget that the bias is
    reset too.
    """
    def forward(x, h, w_ih, w_hh, b_ih, b_hh):
        b_ih, b_hh = (np.zeros(len(w_hh)) if b is None else b for b in (b_ih, b_hh))
        H = h.shape[1]
        a, u = x @ w_ih.T + b_ih, h @ w_hh.T + b_hh
        r, z = (1 / (1 + np.exp(-(a + u)[:, k * H:(k + 1) * H])) for k in (0, 1))
        u_n, b_n = u[:, 2 * H:], b_hh[2 * H:]
        if mistake == "reset before the product":
            reset = (r * h) @ w_hh[2 * H:].T + b_n
        else:
            reset = r * (u_n - b_n) + b_n if mistake == "reset without the bias" else r * u_n
        n = np.tanh(a[:, 2 * H:] + reset)
        return (1 - z) * n + z * h, ()
    broken = dataclasses.replace(GRU_CELL, forward=forward)
    assert caught(laws.forward_is_the_definition, broken) == (mistake != "none")


@ONE_STATE
def test_y_t_instead_of_the_h_before_is_noticed(kind):
    """The gradient of W_hh from each step's own output, as a released LSTM had it."""
    forward, backward = kind.op.definition

    def broken(dy, saved, **attrs):
        steps, shape = saved
        outputs = [*(s[1] for _, s in steps[1:]), steps[-1][1][1] + 1]
        spoilt = [(t, (s[0], y_t, *s[2:])) for (t, s), y_t in zip(steps, outputs)]
        dx, dh0, dw_ih, _, *biases = backward(dy, saved, **attrs)
        return (dx, dh0, dw_ih, backward(dy, (spoilt, shape), **attrs)[3], *biases)
    assert caught(laws.backward_is_the_definition, dataclasses.replace(kind.op, forward=forward, backward=broken))


def test_no_layers_and_small_integers_for_a_flag():
    with pytest.raises(nn.RangeError, match="num_layers >= 1"):
        nn.functional.rnn_relu(nn.zeros(1, 1, 1), None, [], num_layers=0)
    # a small integer is true as True is
    layer = nn.GRU(3, 5, 2, bidirectional=np.uint8(1))
    assert layer(nn.zeros(7, 4, 3))[0].shape == (7, 4, 10)
