"""Transposed convolution from its definition, for sequences and images alike.

Every input pixel writes a copy of the filters, times its value, into the output, `stride` pixels
from its neighbour's. What overlaps is added.

N images, K channels in, C channels out, G groups. Sizes and attributes are tuples with one number
per direction. The padding is cut off the output on all sides; output_padding is what the output
keeps beyond that at the end.
"""

from math import prod

import numpy as np

from .conv2d import seen


def out_size(size, taps, stride, padding, output_padding, dilation):
    """Pixels of the output: from the first to the last tap, less the padding on both sides."""
    return (size - 1) * stride + dilation * (taps - 1) + 1 + output_padding - 2 * padding


def out_shape(x, w, stride, padding, output_padding, dilation):
    """The sizes of the output."""
    return tuple(out_size(*each) for each in zip(x.shape[2:], w.shape[2:], stride, padding, output_padding, dilation))


def written(size, out, taps, stride, padding, dilation):
    """Yield (here, there, by) for each input pixel: its index, that of the output pixels to which
    it writes, and that of the taps by which it does. What is cut off is not written.
    """
    for here in np.ndindex(*size):
        each = [seen(*along) for along in zip(here, out, taps, stride, padding, dilation)]
        there, by = zip(*each)
        yield (..., *here), (..., *there), (..., *by)


def conv_transpose_forward(x, w, b, stride, padding, output_padding, dilation, groups):
    N, K, *size = x.shape
    Cg, *taps = w.shape[1:]
    xg, wg = x.reshape(N, groups, K // groups, *size), w.reshape(groups, K // groups, Cg, *taps)
    out = out_shape(x, w, stride, padding, output_padding, dilation)
    y = np.zeros((N, groups, Cg, *out), x.dtype)
    for here, there, by in written(size, out, taps, stride, padding, dilation):
        y[there] += np.einsum("ngk,gkc...->ngc...", xg[here], wg[by])
    y = y.reshape(N, groups * Cg, *out)
    return y if b is None else y + b.reshape(-1, *[1] * len(size)), (x, w, b is not None)


def conv_transpose_backward(dy, saved, stride, padding, output_padding, dilation, groups):
    x, w, has_bias = saved
    N, K, *size = x.shape
    Cg, *taps = w.shape[1:]
    xg, wg = x.reshape(N, groups, K // groups, *size), w.reshape(groups, K // groups, Cg, *taps)
    dyg = dy.reshape(N, groups, Cg, *dy.shape[2:])
    dx, dw = np.zeros_like(xg), np.zeros_like(wg)
    for here, there, by in written(size, dy.shape[2:], taps, stride, padding, dilation):
        # forward was  y[there] += einsum("ngk,gkc...->ngc...", xg[here], wg[by]);  here t is "..."
        d, v = dyg[there], wg[by]
        t = prod(v.shape[3:])
        dx[here] = np.einsum("ngct,gkct->ngk", d.reshape(N, groups, Cg, t), v.reshape(*v.shape[:3], t))
        dw[by] += np.einsum("ngct,ngk->gkct", d.reshape(N, groups, Cg, t), xg[here]).reshape(v.shape)
    db = dy.sum((0, *range(2, dy.ndim))) if has_bias else None      # forward was  y += b
    return dx.reshape(x.shape), dw.reshape(w.shape), db
