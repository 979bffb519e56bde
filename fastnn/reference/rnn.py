"""The plain recurrent layer from its definition: one step, and a sequence as a loop over steps.

T steps, B batch, I inputs, H hidden units; x (T, B, I), h (B, H).

    h' = f(x W_ih^T + b_ih + h W_hh^T + b_hh)         f = tanh, or max(0, .) where relu
"""

import numpy as np


def rnn_cell_forward(x, h, w_ih, w_hh, b_ih, b_hh, *, relu):
    z = x @ w_ih.T + h @ w_hh.T
    z = z if b_ih is None else z + b_ih
    z = z if b_hh is None else z + b_hh
    new_h = np.maximum(z, 0) if relu else np.tanh(z)
    return new_h, (x, h, w_ih, w_hh, b_ih is not None, b_hh is not None, new_h)


def rnn_cell_backward(dy, saved, *, relu):
    x, h, w_ih, w_hh, has_b_ih, has_b_hh, new_h = saved
    # forward was  h' = max(0, z)  or  tanh(z)
    dz = np.where(new_h > 0, dy, np.zeros((), dy.dtype)) if relu else dy * (1 - new_h**2)
    # forward was  z = x W_ih^T + b_ih + h W_hh^T + b_hh
    db = dz.sum(0)
    return dz @ w_ih, dz @ w_hh, dz.T @ x, dz.T @ h, db if has_b_ih else None, db if has_b_hh else None


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, *, reverse, relu):
    T, H = x.shape[0], h0.shape[1]
    y = np.zeros((T, *h0.shape[:1], H), x.dtype)
    h, steps = h0, []
    for t in reversed(range(T)) if reverse else range(T):
        h, saved = rnn_cell_forward(x[t], h, w_ih, w_hh, b_ih, b_hh, relu=relu)
        y[t] = h
        steps.append((t, saved))
    return (y, h), (steps, x.shape)


def rnn_backward(dy, saved, *, reverse, relu):
    dy, dh = dy
    steps, shape = saved
    dx = np.zeros(shape, steps[0][1][0].dtype)
    dh = np.zeros_like(steps[0][1][1]) if dh is None else dh
    total = [0.0] * 4
    for t, step in reversed(steps):
        if dy is not None:                          # h_t goes out as y[t] and into the next step
            dh = dh + dy[t]
        dx[t], dh, *weights = rnn_cell_backward(dh, step, relu=relu)
        # the weights are the same in all steps
        total = [None if b is None else a + b for a, b in zip(total, weights)]
    return (dx, dh, *total)
