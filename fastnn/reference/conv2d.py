"""Two-dimensional convolution from its definition; and with relu after it.

Forward and backward run the same loop over output pixels; each backward line is the transpose of
the forward line that it quotes. N images, C channels, H x W input, K filters, R x S window, P x Q
output, G groups.
"""

import numpy as np


def out_size(size, taps, stride, before, after, dilation):
    """Positions that a window of `taps` can take on `size` pixels padded before and after, moving
    by `stride`.
    """
    return (size + before + after - dilation * (taps - 1) - 1) // stride + 1


def out_shape(image, window, stride, padding, dilation):
    """(P, Q); padding is ((top, bottom), (left, right))."""
    return tuple(out_size(n, k, s, before, after, d)
                 for n, k, s, (before, after), d in zip(image, window, stride, padding, dilation))


def windows(image, window, stride, padding, dilation):
    """Yield (p, q, rows, columns): slices of the padded image, those that output (p, q) reads."""
    (R, S), (sh, sw), (dh, dw) = window, stride, dilation
    P, Q = out_shape(image, window, stride, padding, dilation)
    for p in range(P):
        for q in range(Q):
            yield p, q, slice(p * sh, p * sh + dh * (R - 1) + 1, dh), slice(q * sw, q * sw + dw * (S - 1) + 1, dw)


def pad(x, padding):
    """x with zeros around each image; padding is ((top, bottom), (left, right))."""
    return np.pad(x, ((0, 0), (0, 0), *padding))


def crop(x, padding, size):
    """The image inside its padding."""
    (top, _), (left, _) = padding
    return x[:, :, top:top + size[0], left:left + size[1]].copy()


def conv2d_forward(x, w, b, stride, padding, dilation, groups):
    N, _, H, W = x.shape
    K, Cg, R, S = w.shape
    xp = pad(x, padding).reshape(N, groups, Cg, H + sum(padding[0]), W + sum(padding[1]))
    wg = w.reshape(groups, K // groups, Cg, R, S)
    P, Q = out_shape((H, W), (R, S), stride, padding, dilation)
    y = np.zeros((N, groups, K // groups, P, Q), x.dtype)
    for p, q, i, j in windows((H, W), (R, S), stride, padding, dilation):
        y[..., p, q] = np.einsum("ngcrs,gkcrs->ngk", xp[..., i, j], wg)
    y = y.reshape(N, K, P, Q)
    if b is not None:
        y = y + b[:, None, None]
    return y, (x, w, b is not None)


def conv2d_backward(dy, saved, stride, padding, dilation, groups):
    x, w, has_bias = saved
    N, C, H, W = x.shape
    K, Cg, R, S = w.shape
    xp = pad(x, padding).reshape(N, groups, Cg, H + sum(padding[0]), W + sum(padding[1]))
    wg = w.reshape(groups, K // groups, Cg, R, S)
    dyg = dy.reshape(N, groups, K // groups, *dy.shape[2:])
    dxp, dwg = np.zeros_like(xp), np.zeros_like(wg)
    for p, q, i, j in windows((H, W), (R, S), stride, padding, dilation):
        # forward was  y[..., p, q] = einsum("ngcrs,gkcrs->ngk", xp[..., i, j], wg)
        dxp[..., i, j] += np.einsum("ngk,gkcrs->ngcrs", dyg[..., p, q], wg)
        dwg += np.einsum("ngk,ngcrs->gkcrs", dyg[..., p, q], xp[..., i, j])
    dx = crop(dxp.reshape(N, C, *xp.shape[3:]), padding, (H, W))
    db = dy.sum((0, 2, 3)) if has_bias else None    # forward was  y += b[:, None, None]
    return dx, dwg.reshape(w.shape), db


def conv2d_relu_forward(x, w, b, stride, padding, dilation, groups):
    z, saved = conv2d_forward(x, w, b, stride, padding, dilation, groups)
    return np.where(z < 0, np.zeros((), z.dtype), z), (*saved, z > 0)


def conv2d_relu_backward(dy, saved, stride, padding, dilation, groups):
    *saved, passed = saved                          # forward was  y = z where z > 0, else 0;  z = conv2d(x, w, b)
    return conv2d_backward(np.where(passed, dy, np.zeros((), dy.dtype)), saved, stride, padding, dilation, groups)
