"""Long short-term memory: a step worked by hand, and the bugs that others released.

What holds of all recurrences is in test_recurrent.py.
"""

import dataclasses

import numpy as np
import pytest
from sabotage import caught

import fastnn as nn
from fastnn.ops.lstm import LSTM, LSTM_CELL
from fastnn.reference import lstm as reference
from fastnn.testing import laws

F = nn.functional


def test_one_step_by_hand():
    # With sigmoid(ln 3) = 0.75, sigmoid(0) = 0.5, sigmoid(-ln 3) = 0.25 and tanh(ln(3)/2) = 0.5,
    # for x = 2, h = -1, c = 0.25:
    #         w_ih   w_hh   b_ih   b_hh        z = 2 w_ih - w_hh + b_ih + b_hh
    #     i   ln 3   ln 3   0      0           ln 3          i = 0.75
    #     f   1      2      0      0           0             f = 0.5
    #     g   0      0      ln 3   -ln(3)/2    ln(3)/2       g = 0.5
    #     o   0      ln 3   0      0           -ln 3         o = 0.25
    # c' = 0.5 * 0.25 + 0.75 * 0.5 = 0.5,  h' = 0.25 * tanh(0.5) = 0.25 * 0.462117 = 0.115529
    s = np.log(3.0)
    columns = [[s, 1, 0, 0], [s, 2, 0, s], [0, 0, s, 0], [0, 0, -s / 2, 0]]
    w_ih, w_hh, b_ih, b_hh = (nn.tensor(np.array(a), requires_grad=True) for a in columns)
    x, h, c = (nn.tensor(np.array([[a]]), requires_grad=True) for a in (2.0, -1.0, 0.25))
    new_h, new_c = F.lstm_cell(x, (h, c), F.reshape(w_ih, (4, 1)), F.reshape(w_hh, (4, 1)), b_ih, b_hh)
    np.testing.assert_allclose(new_h.data, [[0.115529]], atol=1e-6)
    np.testing.assert_allclose(new_c.data, [[0.5]])
    # with dh' = 1:
    #     do = tanh(0.5) = 0.462117                    dz_o = do * 0.25 * 0.75 = 0.086647
    #     dc' = 0.25 * (1 - 0.462117^2) = 0.196612
    #     di = dc' * g = 0.098306                      dz_i = di * 0.75 * 0.25 = 0.018432
    #     df = dc' * c = 0.049153                      dz_f = df * 0.5 * 0.5   = 0.012288
    #     dg = dc' * i = 0.147459                      dz_g = dg * (1 - 0.25)  = 0.110594
    #     dc = dc' * f = 0.098306
    new_h.backward(np.ones((1, 1)))
    dz = np.array([0.018432, 0.012288, 0.110594, 0.086647])
    np.testing.assert_allclose(c.grad.data, [[0.098306]], atol=1e-6)
    np.testing.assert_allclose(b_ih.grad.data, dz, atol=1e-6)
    np.testing.assert_allclose(b_hh.grad.data, dz, atol=1e-6)
    np.testing.assert_allclose(w_ih.grad.data, 2 * dz, atol=2e-6)
    np.testing.assert_allclose(w_hh.grad.data, -dz, atol=1e-6)
    np.testing.assert_allclose(x.grad.data, [[s * 0.018432 + 0.012288]], atol=1e-5)
    np.testing.assert_allclose(h.grad.data, [[s * 0.018432 + 2 * 0.012288 + s * 0.086647]], atol=1e-5)


# ---- the bugs that others released: each must be noticed -----------------------------------------
def numpy_backward(bug=None):
    """A backward for what the kernel's forward saves, right or with one of the bugs."""
    def backward(dy, saved, *, reverse):
        x, h0, c0, w_ih, w_hh, has_b_ih, has_b_hh, y, gates, cells = saved
        gates = gates[:, :, :4 * h0.shape[1]]           # rows are longer in memory
        T, order = len(x), range(len(x))[::-1 if reverse else 1]
        dy, dh, dc = (np.zeros_like(a) if d is None else d for d, a in zip(dy, (y, h0, c0)))
        dx, dw_ih, dw_hh = np.zeros_like(x), np.zeros_like(w_ih), np.zeros_like(w_hh)
        db = np.zeros_like(gates[0, :1].sum(0))
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


@WITH_KERNELS
def test_the_numpy_backward_is_right_before_it_is_broken():
    assert not caught(laws.backward_is_the_definition, dataclasses.replace(LSTM, backward=numpy_backward()))


@WITH_KERNELS
@pytest.mark.parametrize("bug", BUGS)
def test_a_released_bug_is_noticed_in_the_kernel(bug):
    assert caught(laws.backward_is_the_definition, dataclasses.replace(LSTM, backward=numpy_backward(bug)))


@WITH_KERNELS
@pytest.mark.parametrize("bug", BUGS)
def test_a_released_bug_is_noticed_in_the_definition(bug):
    broken = dataclasses.replace(LSTM, ref_forward=LSTM.forward, ref_backward=numpy_backward(bug))
    assert caught(laws.definition_gradient_is_the_derivative, broken)


@pytest.mark.parametrize("op", [LSTM_CELL, LSTM], ids=lambda op: op.name)
def test_one_bias_for_all_gates_is_noticed(op):
    """numpy-ml's LSTM used the output gate's bias everywhere."""
    forward = op.kernels[0]

    def broken(*inputs, **attrs):
        *rest, b_ih, b_hh = inputs
        H = rest[1].shape[1]
        b_ih, b_hh = (None if b is None else np.tile(b[3 * H:], 4) for b in (b_ih, b_hh))
        return forward(*rest, b_ih, b_hh, **attrs)
    assert caught(laws.forward_is_the_definition, dataclasses.replace(op, forward=broken))


def test_gates_in_another_order_are_noticed():
    """i f o g instead of PyTorch's i f g o."""
    def swapped(w):
        if w is None:
            return None
        i, f, g, o = np.split(w, 4)
        return np.concatenate([i, f, o, g])

    def forward(x, h, c, *w):
        return reference.lstm_cell_forward(x, h, c, *map(swapped, w))
    broken = dataclasses.replace(LSTM_CELL, forward=forward)
    assert caught(laws.forward_is_the_definition, broken)
