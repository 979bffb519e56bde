"""Gated recurrent units from their definition: one step, and a sequence as a loop over steps.

T steps, B batch, I inputs, H hidden units; x (T, B, I), h (B, H). The gates are in the order r z n.

    a = x W_ih^T + b_ih       u = h W_hh^T + b_hh      three pieces each
    r = sigmoid(a_r + u_r)    z = sigmoid(a_z + u_z)
    n = tanh(a_n + r * u_n)
    h' = (1 - z) * n + z * h
"""

import numpy as np

from .activation import s as sigmoid


def gru_cell_forward(x, h, w_ih, w_hh, b_ih, b_hh):
    a, u = x @ w_ih.T, h @ w_hh.T
    a = a if b_ih is None else a + b_ih
    u = u if b_hh is None else u + b_hh
    (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
    r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
    n = np.tanh(a_n + r * u_n)
    return (1 - z) * n + z * h, (x, h, w_ih, w_hh, b_ih is not None, b_hh is not None, r, z, n, u_n)


def gru_cell_backward(dy, saved):
    x, h, w_ih, w_hh, has_b_ih, has_b_hh, r, z, n, u_n = saved
    # forward was  h' = (1 - z) * n + z * h
    dz, dn, dh = dy * (h - n), dy * (1 - z), dy * z
    # forward was  n = tanh(a_n + r * u_n)
    da_n = dn * (1 - n**2)
    dr, du_n = da_n * u_n, da_n * r
    # forward was  r, z = sigmoid(a + u)
    da_r, da_z = dr * r * (1 - r), dz * z * (1 - z)
    da, du = np.concatenate([da_r, da_z, da_n], axis=1), np.concatenate([da_r, da_z, du_n], axis=1)
    # forward was  a = x W_ih^T + b_ih,  u = h W_hh^T + b_hh
    return (da @ w_ih, dh + du @ w_hh, da.T @ x, du.T @ h, da.sum(0) if has_b_ih else None,
            du.sum(0) if has_b_hh else None)


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, *, reverse):
    T, H = x.shape[0], h0.shape[1]
    y = np.zeros((T, *h0.shape[:1], H), x.dtype)
    h, steps = h0, []
    for t in reversed(range(T)) if reverse else range(T):
        h, saved = gru_cell_forward(x[t], h, w_ih, w_hh, b_ih, b_hh)
        y[t] = h
        steps.append((t, saved))
    return (y, h), (steps, x.shape)


def gru_backward(dy, saved, *, reverse):
    dy, dh = dy
    steps, shape = saved
    dx = np.zeros(shape, steps[0][1][0].dtype)
    dh = np.zeros_like(steps[0][1][1]) if dh is None else dh
    total = [0.0] * 4
    for t, step in reversed(steps):
        if dy is not None:                          # h_t goes out as y[t] and into the next step
            dh = dh + dy[t]
        dx[t], dh, *weights = gru_cell_backward(dh, step)
        # the weights are the same in all steps
        total = [None if b is None else a + b for a, b in zip(total, weights)]
    return (dx, dh, *total)
