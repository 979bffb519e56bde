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


def seen(p, size, taps, stride, before, dilation):
    """(pixels, taps) of window p along one direction, as slices: the pixels that it sees, and those
    of its taps that see them. The others lie in the padding and add nothing.
    """
    first = p * stride - before                 # where tap 0 lies: pixel 0, or before or behind it
    begin = max(0, -(first // dilation))        # the first tap with  first + tap dilation >= 0
    end = max(begin, min(taps, -((first - size) // dilation)))  # and the first with  ... >= size
    return slice(first + begin * dilation, max(0, first + end * dilation), dilation), slice(begin, end)


def windows(image, window, stride, padding, dilation):
    """Yield (p, q, i, j, r, s): output (p, q) reads pixels [i, j], with taps [r, s]."""
    P, Q = out_shape(image, window, stride, padding, dilation)
    for p in range(P):
        i, r = seen(p, image[0], window[0], stride[0], padding[0][0], dilation[0])
        for q in range(Q):
            j, s = seen(q, image[1], window[1], stride[1], padding[1][0], dilation[1])
            yield p, q, i, j, r, s


def conv2d_forward(x, w, b, stride, padding, dilation, groups):
    N, C, H, W = x.shape
    K, Cg, R, S = w.shape
    xg, wg = x.reshape(N, groups, Cg, H, W), w.reshape(groups, K // groups, Cg, R, S)
    P, Q = out_shape((H, W), (R, S), stride, padding, dilation)
    y = np.zeros((N, groups, K // groups, P, Q), x.dtype)
    for p, q, i, j, r, s in windows((H, W), (R, S), stride, padding, dilation):
        y[..., p, q] = np.einsum("ngcrs,gkcrs->ngk", xg[..., i, j], wg[..., r, s])
    y = y.reshape(N, K, P, Q)
    if b is not None:
        y = y + b[:, None, None]
    return y, (x, w, b is not None)


def conv2d_backward(dy, saved, stride, padding, dilation, groups):
    x, w, has_bias = saved
    N, C, H, W = x.shape
    K, Cg, R, S = w.shape
    xg, wg = x.reshape(N, groups, Cg, H, W), w.reshape(groups, K // groups, Cg, R, S)
    dyg = dy.reshape(N, groups, K // groups, *dy.shape[2:])
    dxg, dwg = np.zeros_like(xg), np.zeros_like(wg)
    for p, q, i, j, r, s in windows((H, W), (R, S), stride, padding, dilation):
        # forward was  y[..., p, q] = einsum("ngcrs,gkcrs->ngk", xg[..., i, j], wg[..., r, s])
        dxg[..., i, j] += np.einsum("ngk,gkcrs->ngcrs", dyg[..., p, q], wg[..., r, s])
        dwg[..., r, s] += np.einsum("ngk,ngcrs->gkcrs", dyg[..., p, q], xg[..., i, j])
    db = dy.sum((0, 2, 3)) if has_bias else None    # forward was  y += b[:, None, None]
    return dxg.reshape(x.shape), dwg.reshape(w.shape), db


def conv2d_relu_forward(x, w, b, stride, padding, dilation, groups):
    z, saved = conv2d_forward(x, w, b, stride, padding, dilation, groups)
    return np.where(z < 0, np.zeros((), z.dtype), z), (*saved, ~(z <= 0))


def conv2d_relu_backward(dy, saved, stride, padding, dilation, groups):
    *saved, passed = saved          # forward was  y = z where z > 0, else 0;  z = conv2d(x, w, b)
    return conv2d_backward(np.where(passed, dy, np.zeros((), dy.dtype)), saved, stride, padding, dilation, groups)
