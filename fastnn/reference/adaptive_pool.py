"""Pooling to a given output size, from its definition.

N images, C channels, H x W input, P x Q output. Output p of P sees the rows from floor(p H / P) to
ceil((p + 1) H / P) - 1, and likewise the columns.
"""

import numpy as np

from .pool2d import max_over, scatter


def adaptive_window(p, size, outputs):
    """First and one past the last pixel of window p."""
    return p * size // outputs, -(-(p + 1) * size // outputs)


def windows(size, output_size):
    """Yield (p, q, rows, columns) as slices."""
    (H, W), (P, Q) = size, output_size
    for p in range(P):
        for q in range(Q):
            yield p, q, slice(*adaptive_window(p, H, P)), slice(*adaptive_window(q, W, Q))


def adaptive_avg_pool2d_forward(x, output_size):
    y = np.zeros((*x.shape[:2], *output_size), x.dtype)
    for p, q, i, j in windows(x.shape[2:], output_size):
        y[:, :, p, q] = x[:, :, i, j].mean((2, 3))
    return y, (x.shape[2:],)


def adaptive_avg_pool2d_backward(dy, saved, output_size):
    size, = saved
    dx = np.zeros((*dy.shape[:2], *size), dy.dtype)
    for p, q, i, j in windows(size, output_size):
        # forward was  y[:, :, p, q] = x[:, :, i, j].mean((2, 3))
        dx[:, :, i, j] += dy[:, :, p:p + 1, q:q + 1] / ((i.stop - i.start) * (j.stop - j.start))
    return (dx,)


def adaptive_max_pool2d_forward(x, output_size, return_indices):
    y, argmax = np.zeros((*x.shape[:2], *output_size), x.dtype), np.zeros((*x.shape[:2], *output_size), np.int64)
    for p, q, i, j in windows(x.shape[2:], output_size):
        y[:, :, p, q], argmax[:, :, p, q] = max_over(x, list(range(i.start, i.stop)), list(range(j.start, j.stop)))
    return (y, argmax) if return_indices else y, (argmax, x.shape[2:])


def adaptive_max_pool2d_backward(dy, saved, output_size, return_indices):
    argmax, size = saved
    return (scatter(dy[0] if return_indices else dy, argmax, size),)
