"""Pooling to a given output size, from its definition.

N images, C channels, H x W input, P x Q output. Output p of P sees the rows from floor(p H / P) to
ceil((p + 1) H / P) - 1, and likewise the columns.
"""

import numpy as np

from .pool2d import max_over, scatter


def adaptive_window(p, size, outputs):
    """First and one past the last pixel of window p."""
    return p * size // outputs, -(-(p + 1) * size // outputs)


def adaptive_windows(size, outputs):
    """Yield (outputs, pixels) as slices: one output each, or all that see the same pixels."""
    p = 0
    while p < outputs:
        begin, end = adaptive_window(p, size, outputs)
        # the first to see others
        after = min(-(-(begin + 1) * outputs // size), end * outputs // size)
        yield slice(p, after), slice(begin, end)
        p = after


def windows(size, output_size):
    """Yield (p, q, rows, columns) as slices."""
    (H, W), (P, Q) = size, output_size
    for p, i in adaptive_windows(H, P):
        for q, j in adaptive_windows(W, Q):
            yield p, q, i, j


def adaptive_avg_pool2d_forward(x, output_size):
    y = np.zeros((*x.shape[:2], *output_size), x.dtype)
    for p, q, i, j in windows(x.shape[2:], output_size):
        y[:, :, p, q] = x[:, :, i, j].mean((2, 3), keepdims=True)
    return y, (x.shape[2:],)


def adaptive_avg_pool2d_backward(dy, saved, output_size):
    size, = saved
    dx = np.zeros((*dy.shape[:2], *size), dy.dtype)
    for p, q, i, j in windows(size, output_size):
        # forward was  y[:, :, p, q] = x[:, :, i, j].mean((2, 3), keepdims=True)
        dx[:, :, i, j] += dy[:, :, p, q].sum((2, 3), keepdims=True) / ((i.stop - i.start) * (j.stop - j.start))
    return (dx,)


def adaptive_max_pool2d_forward(x, output_size, return_indices):
    y, argmax = np.zeros((*x.shape[:2], *output_size), x.dtype), np.zeros((*x.shape[:2], *output_size), np.int64)
    for p, q, i, j in windows(x.shape[2:], output_size):
        largest, at = max_over(x, list(range(i.start, i.stop)), list(range(j.start, j.stop)))
        y[:, :, p, q], argmax[:, :, p, q] = largest[..., None, None], at[..., None, None]
    return (y, argmax) if return_indices else y, (argmax, x.shape[2:])


def adaptive_max_pool2d_backward(dy, saved, output_size, return_indices):
    argmax, size = saved
    return (scatter(dy[0] if return_indices else dy, argmax, size),)
