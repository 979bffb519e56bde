"""Long short-term memory from its definition: one step, and a sequence as a loop over steps.

T steps, B batch, I inputs, H hidden units; x (T, B, I), h and c (B, H). The gates are in the order
i f g o.

    z = x W_ih^T + b_ih + h W_hh^T + b_hh            its four quarters give the gates
    i = sigmoid(z_i)    f = sigmoid(z_f)    g = tanh(z_g)    o = sigmoid(z_o)
    c' = f * c + i * g
    h' = o * tanh(c')
"""

import numpy as np

from .activation import s as sigmoid


def lstm_cell_forward(x, h, c, w_ih, w_hh, b_ih, b_hh):
    z = x @ w_ih.T + h @ w_hh.T
    z = z if b_ih is None else z + b_ih
    z = z if b_hh is None else z + b_hh
    z_i, z_f, z_g, z_o = np.split(z, 4, axis=1)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), np.tanh(z_g), sigmoid(z_o)
    new_c = f * c + i * g
    new_h = o * np.tanh(new_c)
    return (new_h, new_c), (x, h, c, w_ih, w_hh, b_ih is not None, b_hh is not None, i, f, g, o, np.tanh(new_c))


def lstm_cell_backward(dy, saved):
    x, h, c, w_ih, w_hh, has_b_ih, has_b_hh, i, f, g, o, tanh_c = saved
    dh, dnew_c = (np.zeros_like(c) if d is None else d for d in dy)
    # forward was  h' = o * tanh(c')
    do = dh * tanh_c
    dnew_c = dnew_c + dh * o * (1 - tanh_c**2)
    # forward was  c' = f * c + i * g
    di, df, dg, dc = dnew_c * g, dnew_c * c, dnew_c * i, dnew_c * f
    # forward was  i, f, o = sigmoid(z),  g = tanh(z)
    dz = np.concatenate([di * i * (1 - i), df * f * (1 - f), dg * (1 - g**2), do * o * (1 - o)], axis=1)
    # forward was  z = x W_ih^T + b_ih + h W_hh^T + b_hh
    db = dz.sum(0)
    return dz @ w_ih, dz @ w_hh, dc, dz.T @ x, dz.T @ h, db if has_b_ih else None, db if has_b_hh else None


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, *, reverse):
    T, H = x.shape[0], h0.shape[1]
    y = np.zeros((T, *h0.shape[:1], H), x.dtype)
    h, c, steps = h0, c0, []
    for t in reversed(range(T)) if reverse else range(T):
        (h, c), saved = lstm_cell_forward(x[t], h, c, w_ih, w_hh, b_ih, b_hh)
        y[t] = h
        steps.append((t, saved))
    return (y, h, c), (steps, x.shape)


def lstm_backward(dy, saved, *, reverse):
    dy, dh, dc = dy
    steps, shape = saved
    dx = np.zeros(shape, steps[0][1][0].dtype)
    total = [0.0] * 4
    for t, step in reversed(steps):
        if dy is not None:                          # h_t goes out as y[t] and into the next step
            dh = dy[t] if dh is None else dh + dy[t]
        dx[t], dh, dc, *weights = lstm_cell_backward((dh, dc), step)
        # the weights are the same in all steps
        total = [None if b is None else a + b for a, b in zip(total, weights)]
    return (dx, dh, dc, *total)
