"""Pooling over two-dimensional windows, from its definition.

For each output pixel, the maximum or the mean of the pixels under its window. N images, C channels,
H x W input, R x S window, P x Q output.
"""

import numpy as np


def pooled_size(size, taps, stride, padding, dilation, ceil_mode):
    """Windows along one direction.

    With ceil_mode the last may be cut off if it begins in the image or the padding before.
    """
    span = size + 2 * padding - dilation * (taps - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    count = -(-span // stride) + 1
    return count - 1 if (count - 1) * stride >= size + padding else count


def under(p, size, taps, stride, padding, dilation):
    """The pixels that window p sees along one direction."""
    begin = p * stride - padding
    before = max(0, -(begin // dilation))           # taps that lie before the image
    return list(range(begin + before * dilation, min(begin + taps * dilation, size), dilation))


def first_maximum(values):
    """Along the last axis: the index of the first of the largest values, or of the last NaN."""
    n = values.shape[-1]
    nan = np.isnan(values)
    last_nan = n - 1 - np.argmax(nan[..., ::-1], axis=-1)
    return np.where(nan.any(-1), last_nan, np.argmax(np.where(nan, -np.inf, values), axis=-1))


def scatter(dy, argmax, size):
    """dx[n, c, argmax[n, c, p, q]] += dy[n, c, p, q]: windows may overlap, so a pixel can be the
    maximum of several.
    """
    N, C = dy.shape[:2]
    dx = np.zeros((N, C, size[0] * size[1]), dy.dtype)
    n, c = np.arange(N)[:, None, None, None], np.arange(C)[:, None, None]
    # forward was  y[n, c, p, q] = x[n, c, argmax]
    np.add.at(dx, (n, c, np.maximum(argmax, 0)), np.where(argmax >= 0, dy, 0))
    return dx.reshape(N, C, *size)


def max_over(x, rows, columns):
    """The maximum over the pixels rows x columns of every plane, and its index i W + j there."""
    W = x.shape[3]
    index = (np.array(rows)[:, None] * W + np.array(columns)).ravel()
    values = x[:, :, rows][:, :, :, columns].reshape(*x.shape[:2], index.size)
    best = first_maximum(values)
    return np.take_along_axis(values, best[..., None], -1)[..., 0], index[best]


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    N, C, H, W = x.shape
    attributes = list(zip((H, W), kernel_size, stride, padding, dilation))
    P, Q = (pooled_size(*a, ceil_mode) for a in attributes)
    y, argmax = np.full((N, C, P, Q), -np.inf, x.dtype), np.full((N, C, P, Q), -1, np.int64)
    for p in range(P):
        for q in range(Q):
            rows, columns = under(p, *attributes[0]), under(q, *attributes[1])
            if rows and columns:
                y[:, :, p, q], argmax[:, :, p, q] = max_over(x, rows, columns)
    return (y, argmax) if return_indices else y, (argmax, (H, W))


def max_pool2d_backward(dy, saved, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    argmax, size = saved
    return (scatter(dy[0] if return_indices else dy, argmax, size),)


def mean_divisor(p, q, size, kernel_size, stride, padding, count_include_pad, divisor_override):
    """By what window (p, q) divides: its elements in the image, or in the padded image."""
    if divisor_override:
        return divisor_override
    count = 1
    for o, n, k, s, pad in zip((p, q), size, kernel_size, stride, padding):
        begin, end = o * s - pad, min(o * s - pad + k, n + pad)
        count *= end - begin if count_include_pad else min(end, n) - max(begin, 0)
    return count


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    N, C, H, W = x.shape
    attributes = list(zip((H, W), kernel_size, stride, padding, (1, 1)))
    P, Q = (pooled_size(*a, ceil_mode) for a in attributes)
    y = np.zeros((N, C, P, Q), x.dtype)
    for p in range(P):
        for q in range(Q):
            rows, columns = under(p, *attributes[0]), under(q, *attributes[1])
            if rows and columns:
                d = mean_divisor(p, q, (H, W), kernel_size, stride, padding, count_include_pad, divisor_override)
                y[:, :, p, q] = x[:, :, rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].sum((2, 3)) / d
    return y, ((H, W),)


def avg_pool2d_backward(dy, saved, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    size, = saved
    attributes = list(zip(size, kernel_size, stride, padding, (1, 1)))
    dx = np.zeros((*dy.shape[:2], *size), dy.dtype)
    for p in range(dy.shape[2]):
        for q in range(dy.shape[3]):
            rows, columns = under(p, *attributes[0]), under(q, *attributes[1])
            if rows and columns:
                d = mean_divisor(p, q, size, kernel_size, stride, padding, count_include_pad, divisor_override)
                # forward was  y[:, :, p, q] = x[:, :, rows, columns].sum((2, 3)) / d
                dx[:, :, rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1] += dy[:, :, p:p + 1, q:q + 1] / d
    return (dx,)
