"""Long short-term memory: a step worked by hand, PyTorch as second opinion, and the bugs that others released."""

import dataclasses

import numpy as np
import pytest

import fastnn as nn
from fastnn.errors import FastnnError, ShapeError
from fastnn.ops import recurrent
from fastnn.ops.lstm import LSTM, LSTM_CELL
from fastnn.reference import lstm as reference
from fastnn.testing import laws

F = nn.functional


def test_one_step_by_hand():
    # With sigmoid(ln 3) = 0.75, sigmoid(0) = 0.5, sigmoid(-ln 3) = 0.25 and tanh(ln(3)/2) = 0.5, for x = 2, h = -1, c = 0.25:
    #         w_ih   w_hh   b_ih   b_hh        z = 2 w_ih - w_hh + b_ih + b_hh
    #     i   ln 3   ln 3   0      0           ln 3          i = 0.75
    #     f   1      2      0      0           0             f = 0.5
    #     g   0      0      ln 3   -ln(3)/2    ln(3)/2       g = 0.5
    #     o   0      ln 3   0      0           -ln 3         o = 0.25
    # c' = 0.5 * 0.25 + 0.75 * 0.5 = 0.5          h' = 0.25 * tanh(0.5) = 0.25 * 0.462117 = 0.115529
    s = np.log(3.0)
    columns = [[s, 1, 0, 0], [s, 2, 0, s], [0, 0, s, 0], [0, 0, -s / 2, 0]]
    w_ih, w_hh, b_ih, b_hh = (nn.tensor(np.array(a), requires_grad=True) for a in columns)
    x, h, c = (nn.tensor(np.array([[a]]), requires_grad=True) for a in (2.0, -1.0, 0.25))
    new_h, new_c = F.lstm_cell(x, (h, c), F.reshape(w_ih, (4, 1)), F.reshape(w_hh, (4, 1)), b_ih, b_hh)
    np.testing.assert_allclose(new_h.data, [[0.115529]], atol=1e-6)
    np.testing.assert_allclose(new_c.data, [[0.5]])
    # with dh' = 1:   do = tanh(0.5) = 0.462117                       dz_o = do * 0.25 * 0.75 = 0.086647
    #                 dc' = 0.25 * (1 - 0.462117^2) = 0.196612
    #                 di = dc' * g = 0.098306                          dz_i = di * 0.75 * 0.25 = 0.018432
    #                 df = dc' * c = 0.049153                          dz_f = df * 0.5 * 0.5   = 0.012288
    #                 dg = dc' * i = 0.147459                          dz_g = dg * (1 - 0.25)  = 0.110594
    #                 dc = dc' * f = 0.098306
    new_h.backward(np.ones((1, 1)))
    dz = np.array([0.018432, 0.012288, 0.110594, 0.086647])
    np.testing.assert_allclose(c.grad.data, [[0.098306]], atol=1e-6)
    np.testing.assert_allclose(b_ih.grad.data, dz, atol=1e-6)
    np.testing.assert_allclose(b_hh.grad.data, dz, atol=1e-6)
    np.testing.assert_allclose(w_ih.grad.data, 2 * dz, atol=2e-6)
    np.testing.assert_allclose(w_hh.grad.data, -dz, atol=1e-6)
    np.testing.assert_allclose(x.grad.data, [[s * 0.018432 + 0.012288]], atol=1e-5)
    np.testing.assert_allclose(h.grad.data, [[s * 0.018432 + 2 * 0.012288 + s * 0.086647]], atol=1e-5)


# ---- PyTorch --------------------------------------------------------------------------------------------------
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def same(ours, theirs, dtype):
    """Equal to 1e-5 (float32) or 1e-12 (float64) of the largest element."""
    want = theirs.detach().numpy()
    assert ours.shape == want.shape
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(ours.data, want, rtol=0, atol=tolerance * max(1.0, np.abs(want).max(initial=0)))


@DTYPES
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("B, I, H", [(1, 1, 1), (1, 20, 48), (5, 7, 3), (40, 9, 33)])
def test_the_cell_is_pytorchs(B, I, H, bias, dtype):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    cell = torch.nn.LSTMCell(I, H, bias=bias, dtype=torch.float32 if dtype == np.float32 else torch.float64)
    theirs = [torch.randn(B, n, dtype=cell.weight_ih.dtype, requires_grad=True) for n in (I, H, H)]
    want = cell(theirs[0], (theirs[1], theirs[2]))
    theirs += list(cell.parameters())
    ours = [nn.tensor(t.detach().numpy().copy(), requires_grad=True) for t in theirs]
    got = F.lstm_cell(ours[0], (ours[1], ours[2]), *ours[3:])
    rng = np.random.default_rng(1)
    dys = [rng.standard_normal((B, H)).astype(dtype) for _ in got]
    torch.autograd.backward(want, [torch.tensor(dy) for dy in dys])
    nn.autograd.backward(got, dys)
    for a, b in zip(got, want):
        same(a, b, dtype)
    for a, b in zip(ours, theirs):
        same(a.grad, b.grad, dtype)


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
    "unbatched": {"T": 5, "B": None, "I": 4, "H": 6, "num_layers": 2, "bidirectional": True},
    "unbatched, batch first": {"T": 5, "B": None, "I": 4, "H": 6, "batch_first": True},
}


@DTYPES
@pytest.mark.parametrize("state", [True, False], ids=["state", "no state"])
@pytest.mark.parametrize("name", COMPOSITIONS)
def test_the_composition_is_pytorchs(name, state, dtype):
    """Output, last states, and the gradients of all inputs, states and parameters."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    case = {"num_layers": 1, "bidirectional": False, "batch_first": False, "bias": True} | COMPOSITIONS[name]
    T, B, I, H, bias = (case.pop(key) for key in ("T", "B", "I", "H", "bias"))
    kind = torch.float32 if dtype == np.float32 else torch.float64
    theirs_lstm = torch.nn.LSTM(I, H, bias=bias, dtype=kind, **case)
    cells = case["num_layers"] * (1 + case["bidirectional"])
    shape = (T, I) if B is None else (B, T, I) if case["batch_first"] else (T, B, I)
    theirs = [torch.randn(shape, dtype=kind, requires_grad=True)]
    if state:
        theirs += [torch.randn((cells, H) if B is None else (cells, B, H), dtype=kind, requires_grad=True) for _ in range(2)]
    want_y, want_state = theirs_lstm(theirs[0], tuple(theirs[1:]) if state else None)
    ours = [nn.tensor(t.detach().numpy().copy(), requires_grad=True) for t in theirs]
    params = [nn.tensor(p.detach().numpy().copy(), requires_grad=True) for p in theirs_lstm.parameters()]
    y, last = F.lstm(ours[0], tuple(ours[1:]) if state else None, params, **case)
    rng = np.random.default_rng(2)
    for a, b in zip((y, *last), (want_y, *want_state)):
        same(a, b, dtype)
    dys = [rng.standard_normal(a.shape).astype(dtype) for a in (y, *last)]
    torch.autograd.backward((want_y, *want_state), [torch.tensor(dy) for dy in dys])
    nn.autograd.backward((y, *last), dys)
    for a, b in zip(ours + params, theirs + list(theirs_lstm.parameters())):
        same(a.grad, b.grad, dtype)


@pytest.mark.parametrize("which", [0, 1, 2], ids=["output", "h_n", "c_n"])
def test_a_gradient_may_arrive_through_one_result_only(which):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(3, 4, 2, dtype=torch.float64)
    x = torch.randn(5, 2, 3, dtype=torch.float64, requires_grad=True)
    y, (h, c) = lstm(x)
    (y, h, c)[which].sum().backward()
    ours = nn.tensor(x.detach().numpy().copy(), requires_grad=True)
    params = [nn.tensor(p.detach().numpy().copy(), requires_grad=True) for p in lstm.parameters()]
    y, (h, c) = F.lstm(ours, None, params, num_layers=2)
    result = (y, h, c)[which]
    result.backward(np.ones(result.shape))
    same(ours.grad, x.grad, np.float64)
    for a, b in zip(params, lstm.parameters()):
        same(a.grad, b.grad, np.float64)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("bidirectional", [True, False])
def test_the_parameters_have_pytorchs_names_shapes_and_order(bias, bidirectional):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.LSTM(3, 5, 2, bias=bias, bidirectional=bidirectional)
    want = {name: tuple(p.shape) for name, p in theirs.named_parameters()}
    got = recurrent.parameter_shapes(4, 3, 5, 2, bias, bidirectional)
    assert list(got.items()) == list(want.items())


# ---- what must hold without a second opinion ------------------------------------------------------------------
def arrays(T, B, I, H, dtype=np.float64, seed=3):
    rng = np.random.default_rng(seed)
    shapes = (T, B, I), (B, H), (B, H), (4 * H, I), (4 * H, H), (4 * H,), (4 * H,)
    return [(rng.standard_normal(shape) * (1.0 if i < 3 else H ** -0.5)).astype(dtype) for i, shape in enumerate(shapes)]


def test_a_layer_is_its_cell_step_by_step():
    x, h, c, *weights = (nn.tensor(a) for a in arrays(6, 3, 4, 5))
    y, h_n, c_n = nn.autograd.apply(LSTM, x, h, c, *weights, reverse=False)
    for t in range(6):
        h, c = F.lstm_cell(nn.tensor(x.data[t]), (h, c), *weights)
        np.testing.assert_allclose(y.data[t], h.data, rtol=0, atol=1e-14)
    np.testing.assert_allclose(h_n.data, h.data, rtol=0, atol=1e-14)
    np.testing.assert_allclose(c_n.data, c.data, rtol=0, atol=1e-14)


def test_reverse_is_the_sequence_read_backwards():
    x, *rest = arrays(6, 3, 4, 37)
    backwards = LSTM.kernels[0](x, *rest, reverse=True)[0]
    flipped = LSTM.kernels[0](x[::-1], *rest, reverse=False)[0]
    assert np.array_equal(backwards[0], flipped[0][::-1])
    assert np.array_equal(backwards[1], flipped[1]) and np.array_equal(backwards[2], flipped[2])


def test_saturated_gates_stay_finite():
    x, *rest = arrays(4, 2, 3, 5, np.float32)
    (y, _, c), saved = LSTM.kernels[0](1e6 * x, *rest, reverse=False)
    assert np.isfinite(y).all() and np.isfinite(c).all()
    for g in LSTM.kernels[1]((y, None, None), saved, reverse=False):
        assert np.isfinite(g).all()


def test_nan_stays_nan_in_its_sequence():
    x, *rest = arrays(3, 2, 4, 5, np.float32)
    x[1, 0, 2] = np.nan
    y = LSTM.kernels[0](x, *rest, reverse=False)[0][0]
    assert np.isnan(y[1:, 0]).all() and np.isfinite(y[:, 1]).all() and np.isfinite(y[0]).all()


@pytest.mark.parametrize("B, I, H", [(40, 24, 160), (1, 64, 512)], ids=["batch", "one sequence"])
def test_the_bits_do_not_depend_on_the_number_of_threads(B, I, H):
    inputs = arrays(5, B, I, H, np.float32)
    dy = [np.random.default_rng(4).standard_normal(shape).astype(np.float32) for shape in ((5, B, H), (B, H), (B, H))]

    def run(reverse):
        y, saved = LSTM.kernels[0](*inputs, reverse=reverse)
        return [a.tobytes() for a in (*y, *LSTM.kernels[1](tuple(dy), saved, reverse=reverse))]
    for reverse in (False, True):
        with nn.threads(1):
            one = run(reverse)
        for n in (2, 3):
            with nn.threads(n):
                assert run(reverse) == one


@pytest.mark.parametrize("backend", ["kernels", "reference"])
def test_an_empty_batch(backend):
    with nn.use_backend(backend):
        x = nn.tensor(np.zeros((3, 0, 4)), requires_grad=True)
        params = [nn.tensor(np.ones(shape), requires_grad=True) for shape in recurrent.parameter_shapes(4, 4, 5, 2, True, True).values()]
        y, (h, c) = F.lstm(x, None, params, num_layers=2, bidirectional=True)
        assert y.shape == (3, 0, 10) and h.shape == c.shape == (4, 0, 5)
        y.backward(np.zeros(y.shape))
        assert x.grad.shape == (3, 0, 4) and all((p.grad.data == 0).all() for p in params)


def test_dropout_acts_between_layers_in_training_only():
    x = nn.tensor(arrays(4, 3, 5, 8)[0])
    rng = np.random.default_rng(5)
    params = [nn.tensor(rng.standard_normal(shape)) for shape in recurrent.parameter_shapes(4, 5, 8, 2).values()]
    plain = F.lstm(x, None, params, num_layers=2)[0].data
    assert np.array_equal(F.lstm(x, None, params, num_layers=2, dropout=0.5)[0].data, plain)
    first = F.lstm(x, None, params[:4])[0]
    nn.seed(7)
    got = F.lstm(x, None, params, num_layers=2, dropout=0.5, training=True)[0].data
    nn.seed(7)
    want = F.lstm(F.dropout(first, 0.5), None, params[4:])[0].data
    assert np.array_equal(got, want) and not np.array_equal(got, plain)
    everything = F.lstm(x, None, params, num_layers=2, dropout=1.0, training=True)[0].data
    assert np.array_equal(everything, F.lstm(nn.tensor(np.zeros((4, 3, 8))), None, params[4:])[0].data)


def test_errors_of_the_composition_come_before_any_work():
    calls = []
    with nn.use_kernel("lstm", lambda *a, **k: calls.append(1), lambda *a, **k: None, check=False):
        x, weights = nn.tensor(np.zeros((3, 2, 4))), [nn.tensor(np.zeros(s)) for s in recurrent.parameter_shapes(4, 4, 5, 2).values()]
        for state in ((nn.tensor(np.zeros((2, 2, 5))),), nn.tensor(np.zeros((2, 2, 5))),
                      (nn.tensor(np.zeros((2, 2, 5))), nn.tensor(np.zeros((1, 2, 5))))):
            with pytest.raises(ShapeError):
                F.lstm(x, state, weights, num_layers=2)
        with pytest.raises(ShapeError):
            F.lstm(x, None, weights[:4] + weights[:4], num_layers=2)
        with pytest.raises(FastnnError):
            F.lstm(x, None, [*weights[:-1], nn.tensor(np.zeros(20, np.float32))], num_layers=2)
    assert calls == []


# ---- the bugs that others released: each must be noticed ------------------------------------------------------
def numpy_backward(bug=None):
    """A backward for what the kernel's forward saves, right or with one of the bugs."""
    def backward(dy, saved, *, reverse):
        x, h0, c0, w_ih, w_hh, has_b_ih, has_b_hh, y, gates, cells = saved
        T, order = len(x), range(len(x))[::-1 if reverse else 1]
        dy, dh, dc = (np.zeros_like(a) if d is None else d for d, a in zip(dy, (y, h0, c0)))
        dx, dw_ih, dw_hh, db = np.zeros_like(x), np.zeros_like(w_ih), np.zeros_like(w_hh), np.zeros_like(gates[0, :1].sum(0))
        if bug == "gradients start as a copy of the weights":
            dw_ih, dw_hh = w_ih.copy(), w_hh.copy()
        for s in range(T - 1, -1, -1):
            if bug == "first step skipped" and s == 0:
                break
            t = order[s]
            h_before, c_before = (y[order[s - 1]], cells[order[s - 1]]) if s else (h0, c0)
            i, f, g, o = np.split(gates[t], 4, axis=1)
            tanh_c = np.tanh(cells[t])
            dh = dh + dy[t]
            dc = dc + dh * o * (1 - tanh_c**2)
            dz = [dc * g * i * (1 - i), dc * c_before * f * (1 - f), dc * i * (1 - g**2), dh * tanh_c * o * (1 - o)]
            dz = np.concatenate([dz[3]] * 4 if bug == "every gate gets the output gate's gradient" else dz, axis=1)
            if bug == "gate gradients never stored":
                dz = np.zeros_like(dz)
            dx[t] = dz @ w_ih
            dw_ih += dz.T @ x[t]
            dw_hh += dz.T @ (y[t] if bug == "y_t instead of y_{t-1}" else h_before)
            db += dz.sum(0)
            dh, dc = dz @ w_hh, dc * f
        return dx, dh, dc, dw_ih, dw_hh, db if has_b_ih else None, db if has_b_hh else None
    return backward


BUGS = ["gate gradients never stored", "gradients start as a copy of the weights", "y_t instead of y_{t-1}",
        "first step skipped", "every gate gets the output gate's gradient"]
WITH_KERNELS = pytest.mark.skipif(LSTM.forward is None, reason="the broken backward reads what the kernel saves")


def caught(op, law):
    for sample in op.samples():
        try:
            law(op, sample, np.float64)
        except AssertionError:
            return True
    return False


@WITH_KERNELS
def test_the_numpy_backward_is_right_before_it_is_broken():
    assert not caught(dataclasses.replace(LSTM, backward=numpy_backward()), laws.backward_is_the_definition)


@WITH_KERNELS
@pytest.mark.parametrize("bug", BUGS)
def test_a_released_bug_is_noticed_in_the_kernel(bug):
    assert caught(dataclasses.replace(LSTM, backward=numpy_backward(bug)), laws.backward_is_the_definition)


@WITH_KERNELS
@pytest.mark.parametrize("bug", BUGS)
def test_a_released_bug_is_noticed_in_the_definition(bug):
    broken = dataclasses.replace(LSTM, ref_forward=LSTM.forward, ref_backward=numpy_backward(bug))
    assert caught(broken, laws.definition_gradient_is_the_derivative)


@pytest.mark.parametrize("op", [LSTM_CELL, LSTM], ids=lambda op: op.name)
def test_one_bias_for_all_gates_is_noticed(op):
    """numpy-ml's LSTM used the output gate's bias everywhere."""
    forward = op.kernels[0]

    def broken(*inputs, **attrs):
        *rest, b_ih, b_hh = inputs
        H = rest[1].shape[1]
        b_ih, b_hh = (None if b is None else np.tile(b[3 * H:], 4) for b in (b_ih, b_hh))
        return forward(*rest, b_ih, b_hh, **attrs)
    assert caught(dataclasses.replace(op, forward=broken), laws.forward_is_the_definition)


def test_gates_in_another_order_are_noticed():
    """i f o g instead of PyTorch's i f g o."""
    def swapped(w):
        if w is None:
            return None
        i, f, g, o = np.split(w, 4)
        return np.concatenate([i, f, o, g])
    broken = dataclasses.replace(LSTM_CELL, forward=lambda x, h, c, *w: reference.lstm_cell_forward(x, h, c, *map(swapped, w)))
    assert caught(broken, laws.forward_is_the_definition)
