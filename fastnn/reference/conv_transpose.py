"""Transposed convolution from its definition, for sequences and images alike.

Every input pixel writes a copy of the filters, times its value, into the output, `stride` pixels
from its neighbour's. What overlaps is added.

N images, K channels in, C channels out, G groups. Sizes and attributes are tuples with one number
per direction. The padding is cut off the output on all sides; output_padding is what the output
keeps beyond that at the end.
"""

from math import prod

import numpy as np


def out_size(size, taps, stride, padding, output_padding, dilation):
    """Pixels of the output: from the first to the last tap, less the padding on both sides."""
    return (size - 1) * stride + dilation * (taps - 1) + 1 + output_padding - 2 * padding


def places(size, taps, stride, dilation):
    """Yield (here, there) for each input pixel: its index, and that of the pixels in the uncut
    output that it writes to.
    """
    for here in np.ndindex(*size):
        there = [slice(i * s, i * s + d * (k - 1) + 1, d) for i, k, s, d in zip(here, taps, stride, dilation)]
        yield (..., *here), (..., *there)


def whole(x, w, stride, output_padding, dilation):
    """The size of the output before the padding is cut off."""
    return tuple(out_size(n, k, s, 0, o, d)
                 for n, k, s, o, d in zip(x.shape[2:], w.shape[2:], stride, output_padding, dilation))


def inside(size, padding):
    """Where the output is in the uncut one."""
    return (..., *(slice(p, n - p) for n, p in zip(size, padding)))


def conv_transpose_forward(x, w, b, stride, padding, output_padding, dilation, groups):
    N, K, *size = x.shape
    Cg, *taps = w.shape[1:]
    xg, wg = x.reshape(N, groups, K // groups, *size), w.reshape(groups, K // groups, Cg, *taps)
    uncut = whole(x, w, stride, output_padding, dilation)
    y = np.zeros((N, groups, Cg, *uncut), x.dtype)
    for here, there in places(size, taps, stride, dilation):
        y[there] += np.einsum("ngk,gkc...->ngc...", xg[here], wg)
    y = y.reshape(N, groups * Cg, *uncut)[inside(uncut, padding)]
    return y.copy() if b is None else y + b.reshape(-1, *[1] * len(size)), (x, w, b is not None)


def conv_transpose_backward(dy, saved, stride, padding, output_padding, dilation, groups):
    x, w, has_bias = saved
    N, K, *size = x.shape
    Cg, *taps = w.shape[1:]
    xg, wg = x.reshape(N, groups, K // groups, *size), w.reshape(groups, K // groups, Cg, prod(taps))
    uncut = whole(x, w, stride, output_padding, dilation)
    d = np.zeros((N, groups * Cg, *uncut), dy.dtype)
    d[inside(uncut, padding)] = dy                  # forward was  y[inside] of the uncut sum
    d = d.reshape(N, groups, Cg, *uncut)
    dx, dw = np.zeros_like(xg), np.zeros_like(wg)
    for here, there in places(size, taps, stride, dilation):
        # forward was  y[there] += einsum("ngk,gkc...->ngc...", xg[here], wg);  here t is "..."
        d_there = d[there].reshape(N, groups, Cg, prod(taps))
        dx[here] = np.einsum("ngct,gkct->ngk", d_there, wg)
        dw += np.einsum("ngct,ngk->gkct", d_there, xg[here])
    db = dy.sum((0, *range(2, dy.ndim))) if has_bias else None      # forward was  y += b
    return dx.reshape(x.shape), dw.reshape(w.shape), db
