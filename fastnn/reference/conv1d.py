"""One-dimensional convolution from its definition.

N sequences, C channels of length L, K filters of S taps, Q outputs, G groups.
"""

import numpy as np

from .conv2d import out_size, seen


def windows(length, taps, stride, padding, dilation):
    """Yield (q, j, s): output q reads elements [j] of the sequence, with taps [s]."""
    for q in range(out_size(length, taps, stride, *padding, dilation)):
        yield q, *seen(q, length, taps, stride, padding[0], dilation)


def conv1d_forward(x, w, b, stride, padding, dilation, groups):
    N, C, L = x.shape
    K, Cg, S = w.shape
    xg, wg = x.reshape(N, groups, Cg, L), w.reshape(groups, K // groups, Cg, S)
    y = np.zeros((N, groups, K // groups, out_size(L, S, stride, *padding, dilation)), x.dtype)
    for q, j, s in windows(L, S, stride, padding, dilation):
        y[..., q] = np.einsum("ngcs,gkcs->ngk", xg[..., j], wg[..., s])
    y = y.reshape(N, K, y.shape[3])
    if b is not None:
        y = y + b[:, None]
    return y, (x, w, b is not None)


def conv1d_backward(dy, saved, stride, padding, dilation, groups):
    x, w, has_bias = saved
    N, C, L = x.shape
    K, Cg, S = w.shape
    xg, wg = x.reshape(N, groups, Cg, L), w.reshape(groups, K // groups, Cg, S)
    dyg = dy.reshape(N, groups, K // groups, dy.shape[2])
    dxg, dwg = np.zeros_like(xg), np.zeros_like(wg)
    for q, j, s in windows(L, S, stride, padding, dilation):
        # forward was  y[..., q] = einsum("ngcs,gkcs->ngk", xg[..., j], wg[..., s])
        dxg[..., j] += np.einsum("ngk,gkcs->ngcs", dyg[..., q], wg[..., s])
        dwg[..., s] += np.einsum("ngk,ngcs->gkcs", dyg[..., q], xg[..., j])
    db = dy.sum((0, 2)) if has_bias else None       # forward was  y += b[:, None]
    return dxg.reshape(x.shape), dwg.reshape(w.shape), db
