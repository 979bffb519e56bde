"""Every window of an image as a column, and the way back, from their definitions.

N images, C channels, H x W pixels, R x S window, P x Q positions; columns (N, C R S, P Q).
"""

import numpy as np

from .conv2d import out_shape, windows


def unfold_forward(x, kernel_size, dilation, padding, stride):
    N, C, H, W = x.shape
    around = tuple((p, p) for p in padding)
    P, Q = out_shape((H, W), kernel_size, stride, around, dilation)
    cols = np.zeros((N, C, *kernel_size, P, Q), x.dtype)            # 0 where a tap sees padding
    for p, q, i, j, r, s in windows((H, W), kernel_size, stride, around, dilation):
        cols[:, :, r, s, p, q] = x[:, :, i, j]
    return cols.reshape(N, C * kernel_size[0] * kernel_size[1], P * Q), ((H, W),)


def unfold_backward(dy, saved, kernel_size, dilation, padding, stride):
    size, = saved
    return (fold_forward(dy, size, kernel_size, dilation, padding, stride)[0],)


def fold_forward(x, output_size, kernel_size, dilation, padding, stride):
    N, taps, _ = x.shape
    (R, S), (H, W) = kernel_size, output_size
    around = tuple((p, p) for p in padding)
    P, Q = out_shape((H, W), kernel_size, stride, around, dilation)
    cols = x.reshape(N, taps // (R * S), R, S, P, Q)
    y = np.zeros((N, taps // (R * S), H, W), x.dtype)
    for p, q, i, j, r, s in windows((H, W), kernel_size, stride, around, dilation):
        # unfold was  cols[:, :, r, s, p, q] = x[:, :, i, j]
        y[:, :, i, j] += cols[:, :, r, s, p, q]
    return y, ()


def fold_backward(dy, saved, output_size, kernel_size, dilation, padding, stride):
    return (unfold_forward(dy, kernel_size, dilation, padding, stride)[0],)
