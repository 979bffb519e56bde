"""One-dimensional convolution from its definition.

N sequences, C channels of length L, K filters of S taps, Q outputs, G groups.
"""

import numpy as np

from .conv2d import out_size


def windows(length, taps, stride, padding, dilation):
    """Yield (q, slice): the part of the padded sequence that output q reads."""
    for q in range(out_size(length, taps, stride, *padding, dilation)):
        yield q, slice(q * stride, q * stride + dilation * (taps - 1) + 1, dilation)


def conv1d_forward(x, w, b, stride, padding, dilation, groups):
    N, C, L = x.shape
    K, Cg, S = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), padding)).reshape(N, groups, Cg, L + sum(padding))
    wg = w.reshape(groups, K // groups, Cg, S)
    y = np.zeros((N, groups, K // groups, out_size(L, S, stride, *padding, dilation)), x.dtype)
    for q, j in windows(L, S, stride, padding, dilation):
        y[..., q] = np.einsum("ngcs,gkcs->ngk", xp[..., j], wg)
    y = y.reshape(N, K, y.shape[3])
    if b is not None:
        y = y + b[:, None]
    return y, (x, w, b is not None)


def conv1d_backward(dy, saved, stride, padding, dilation, groups):
    x, w, has_bias = saved
    N, C, L = x.shape
    K, Cg, S = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), padding)).reshape(N, groups, Cg, L + sum(padding))
    wg = w.reshape(groups, K // groups, Cg, S)
    dyg = dy.reshape(N, groups, K // groups, dy.shape[2])
    dxp, dwg = np.zeros_like(xp), np.zeros_like(wg)
    for q, j in windows(L, S, stride, padding, dilation):
        # forward was  y[..., q] = einsum("ngcs,gkcs->ngk", xp[..., j], wg)
        dxp[..., j] += np.einsum("ngk,gkcs->ngcs", dyg[..., q], wg)
        dwg += np.einsum("ngk,ngcs->gkcs", dyg[..., q], xp[..., j])
    dx = dxp.reshape(N, C, xp.shape[3])[..., padding[0]:padding[0] + L].copy()
    db = dy.sum((0, 2)) if has_bias else None       # forward was  y += b[:, None]
    return dx, dwg.reshape(w.shape), db
