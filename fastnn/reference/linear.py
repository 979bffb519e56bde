"""The linear layer from its definition, alone and with relu after it.

    y[..., o] = sum_i x[..., i] w[o, i] + b[o]
"""

import math

import numpy as np


def linear_forward(x, w, b):
    y = np.einsum("...i,oi->...o", x, w)
    if b is not None:
        y = y + b
    return y, (x, w, b)


def linear_backward(dy, saved):
    x, w, b = saved
    dx = np.einsum("...o,oi->...i", dy, w)          # forward was  y[o] = sum_i x[i] w[o,i] + b[o]
    count = math.prod(x.shape[:-1])
    rows, dy_rows = x.reshape(count, w.shape[1]), dy.reshape(count, w.shape[0])
    dw = np.einsum("ro,ri->oi", dy_rows, rows)  # a weight works on all rows: the sum runs over them
    db = None if b is None else dy_rows.sum(0)
    return dx, dw, db


def linear_relu_forward(x, w, b):
    z, saved = linear_forward(x, w, b)
    return np.where(z < 0, np.zeros((), z.dtype), z), (*saved, ~(z <= 0))


def linear_relu_backward(dy, saved):
    *saved, passed = saved          # forward was  y = z where z > 0, else 0;  z = linear(x, w, b)
    return linear_backward(np.where(passed, dy, np.zeros((), dy.dtype)), saved)
