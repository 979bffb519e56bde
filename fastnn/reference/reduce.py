"""Sums, extremes and the like along axes, from the definitions.

`dim` is a sorted tuple of axes, or one axis where a result has an index; keepdim keeps them with
size 1.
"""

import math

import numpy as np


def count(shape, dim):
    """How many elements are reduced to one."""
    return int(np.prod([shape[d] for d in dim], dtype=np.int64))


def expand(dy, shape, dim):
    """dy in the shape that was reduced: repeated along the axes `dim`."""
    return np.broadcast_to(dy.reshape([1 if d in dim else n for d, n in enumerate(shape)]), shape)


def sum_forward(x, *, dim, keepdim):
    return np.asarray(np.sum(x, axis=dim, keepdims=keepdim)), (x.shape,)


def sum_backward(dy, saved, *, dim, keepdim):
    shape, = saved                                  # each x is in one sum, with factor 1
    return (np.array(expand(dy, shape, dim)),)


def mean_forward(x, *, dim, keepdim):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sum(x, axis=dim, keepdims=keepdim) / x.dtype.type(count(x.shape, dim))), (x.shape,)


def mean_backward(dy, saved, *, dim, keepdim):
    shape, = saved
    return (expand(dy, shape, dim) / dy.dtype.type(count(shape, dim)),)


def near_one(x, dim):
    """(x / 2^exponent, exponent): a power of 2 for each slice along `dim`, by which its largest
    element comes near 1, so that squares neither overflow nor vanish. Nothing is rounded.
    """
    top = np.max(np.abs(x), axis=dim, keepdims=True, initial=0)
    exponent = np.frexp(np.where(np.isfinite(top), top, 1))[1]
    return np.ldexp(x, -exponent), exponent


def spread(x, dim, correction):
    """(deviations from the mean, their mean square with n - correction for n, exponent): the first
    two of x / 2^exponent.
    """
    x, exponent = near_one(x, dim)
    d = x - np.mean(x, axis=dim, keepdims=True)
    rest = np.mean(d, axis=dim, keepdims=True)
    d = d - np.where(np.isfinite(rest), rest, 0)    # takes out what rounding has left of the mean
    with np.errstate(divide="ignore", invalid="ignore"):
        y = np.sum(d * d, axis=dim, keepdims=True) / max(count(x.shape, dim) - correction, 0)
    return d, y if count(x.shape, dim) else np.full_like(y, np.nan), exponent


def var_forward(x, *, dim, keepdim, correction):
    d, y, exponent = spread(x, dim, correction)
    y = np.ldexp(y, 2 * exponent)
    return np.asarray(y if keepdim else np.squeeze(y, axis=dim)), (np.ldexp(d, exponent),)


def var_backward(dy, saved, *, dim, keepdim, correction):
    d, = saved                              # the mean moves too, but its part is sum (x - mean) = 0
    return (expand(dy, d.shape, dim) * (d / (max(count(d.shape, dim) - correction, 0) / 2)),)


def std_forward(x, *, dim, keepdim, correction):
    d, y, exponent = spread(x, dim, correction)
    near = np.sqrt(y)
    y = np.ldexp(near, exponent)
    return np.asarray(y if keepdim else np.squeeze(y, axis=dim)), (d, near)


def std_backward(dy, saved, *, dim, keepdim, correction):
    # forward was  y = sqrt(v),  so  dv = dy / 2y;  0 where y is 0.  d / y is the same for x / 2^k,
    # whose deviations and whose root do not overflow
    d, y = saved
    share = np.where(y == 0, 0, d / np.where(y == 0, 1, y))
    return (expand(dy, d.shape, dim) * share / max(count(d.shape, dim) - correction, 0),)


def scaled_norm(x, p, dim):
    """(near, scale, norm of near) with x = scale near: no power of near overflows or vanishes."""
    if p == 2:
        near, exponent = near_one(x, dim)
        near = 2 * near                     # so that the largest scale is a number of the type
        return near, np.ldexp(x.dtype.type(1), exponent - 1), np.sqrt(np.sum(near * near, axis=dim, keepdims=True))
    # the largest |x|, or for p < 0 the smallest, leads
    size = np.abs(x, order="C")             # whatever order x has, one sum
    lead = (np.max(size, axis=dim, keepdims=True, initial=0) if p > 0 else
            np.min(size, axis=dim, keepdims=True, initial=np.inf))
    lead = np.where(np.isfinite(lead) & (lead > 0), lead, 1).astype(x.dtype)
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return x / lead, lead, np.sum((size / lead)**p, axis=dim, keepdims=True)**(1 / p)


def norm_forward(x, *, p, dim, keepdim):
    if p == 1:
        y = np.sum(np.abs(x), axis=dim, keepdims=True)
    else:
        _, scale, norm = scaled_norm(x, p, dim)
        with np.errstate(over="ignore", under="ignore"):
            y = scale * norm
    return np.asarray(y if keepdim else np.squeeze(y, axis=dim)), (x, y)


def norm_backward(dy, saved, *, p, dim, keepdim):
    x, y = saved
    if p == 1:
        return (expand(dy, x.shape, dim) * np.sign(x),)
    # forward was  y^p = sum |x|^p;  the slope is 1 or -1 at one infinity, unknown at several.  That
    # of near is the same, also where y overflows
    infinite = np.isinf(x) & np.isinf(y)
    near, _, norm = scaled_norm(x, p, dim)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        share = near / np.where(norm == 0, 1, norm)
        if p != 2:
            share = np.where((x == 0) | (norm == 0), 0, np.sign(x) * np.abs(share)**(p - 1))
        slope = np.where(infinite, np.sign(x), share)
    slope = np.where(np.sum(infinite, axis=dim, keepdims=True) > 1, np.nan, slope).astype(x.dtype)
    return (expand(dy, x.shape, dim) * slope,)


def logsumexp_forward(x, *, dim, keepdim):
    top = np.max(x, axis=dim, keepdims=True, initial=-np.inf)        # of nothing: ln 0
    # all are -infinity, or one is infinity: nothing to protect
    top = np.where(np.isinf(top), 0, top)
    with np.errstate(divide="ignore", over="ignore"):
        y = np.log(np.sum(np.exp(x - top), axis=dim, keepdims=True)) + top
    return np.asarray(y if keepdim else np.squeeze(y, axis=dim)), (x, y)


def logsumexp_backward(dy, saved, *, dim, keepdim):
    x, y = saved                                    # dy/dx = e^x / sum e^x,  which is softmax
    if count(x.shape, dim) == 1:
        return (np.array(expand(dy, x.shape, dim)),)
    tops = np.sum(x == np.inf, axis=dim, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):
        slope = np.exp(x - np.where(y == -np.inf, 0, y))
    # an infinity has all the weight; of several nobody knows the shares; all of -inf have none
    slope = np.where((tops == 1) & ~np.isnan(y), x == np.inf, np.where(tops > 0, np.nan, slope)).astype(x.dtype)
    return (expand(dy, x.shape, dim) * slope,)


def prod_forward(x, *, dim, keepdim):
    return np.asarray(product(x, axis=dim, keepdims=keepdim)), (x,)


@np.errstate(over="ignore", invalid="ignore")
def product(x, **axes):
    """np.prod in double: a product that leaves float32's range may come back, or meet a 0."""
    return np.prod(x, dtype=np.result_type(x, np.float64), **axes).astype(x.dtype)


def prod_backward(dy, saved, *, dim, keepdim):
    x, = saved
    rest = [n for d, n in enumerate(x.shape) if d not in dim]
    moved = np.moveaxis(x, dim, range(len(dim))).reshape((count(x.shape, dim), math.prod(rest)))
    others = np.stack([product(np.delete(moved, a, axis=0), axis=0)
                       for a in range(len(moved))]) if len(moved) else moved
    shape = [x.shape[d] for d in dim] + rest
    return (expand(dy, x.shape, dim) * np.moveaxis(others.reshape(shape), range(len(dim)), dim),)


def cumsum_forward(x, *, dim):
    return np.cumsum(x, axis=dim, dtype=x.dtype), ()


def cumsum_backward(dy, saved, *, dim):
    return (np.flip(np.cumsum(np.flip(dy, dim), axis=dim), dim),)  # x[b] is in all y[a] with a >= b


@np.errstate(over="ignore", invalid="ignore")
def cumprod_forward(x, *, dim):
    # in double, as `product`
    return np.cumprod(x, axis=dim, dtype=np.result_type(x, np.float64)).astype(x.dtype), (x,)


@np.errstate(over="ignore", invalid="ignore")
def cumprod_backward(dy, saved, *, dim):
    # forward was  y[a] = prod of x[c] over c <= a.  Without x[b] that is the product before b times
    # the one between b and a; the sum of dy[a] times the latter is found from the end
    double = np.result_type(dy, np.float64)
    x, d = (np.moveaxis(a, dim, 0).astype(double) for a in (saved[0], dy))
    before = np.ones_like(x)
    before[1:] = np.cumprod(x[:-1], axis=0)
    behind = np.array(d)
    for b in range(len(x) - 2, -1, -1):
        behind[b] += x[b + 1] * behind[b + 1]
    return (np.moveaxis(before * behind, 0, dim).astype(dy.dtype),)


def equal_shares(dy, x, y, dim):
    """dy in equal parts to all x along `dim` that are equal to y."""
    top = expand(y, x.shape, dim)
    same = (x == top) | (np.isnan(x) & np.isnan(top))
    each = expand(dy, x.shape, dim) / np.sum(same, axis=dim, keepdims=True, dtype=x.dtype)
    return np.where(same, each, each.dtype.type(0))


def amax_forward(x, *, dim, keepdim):
    y = np.asarray(np.max(x, axis=dim, keepdims=keepdim))
    return y, (x, y)


def amax_backward(dy, saved, *, dim, keepdim):
    return (equal_shares(dy, *saved, dim),)


def amin_forward(x, *, dim, keepdim):
    y = np.asarray(np.min(x, axis=dim, keepdims=keepdim))
    return y, (x, y)


def amin_backward(dy, saved, *, dim, keepdim):
    return (equal_shares(dy, *saved, dim),)


def max_forward(x, *, dim, keepdim):
    index = np.argmax(x, axis=dim, keepdims=True)
    y = np.take_along_axis(x, index, dim)
    return (y, index) if keepdim else (np.squeeze(y, dim), np.squeeze(index, dim)), (x, index)


def max_backward(dy, saved, *, dim, keepdim):
    x, index = saved
    dx = np.zeros_like(x)
    np.put_along_axis(dx, index, dy[0] if keepdim else np.expand_dims(dy[0], dim), dim)
    return (dx,)


def min_forward(x, *, dim, keepdim):
    index = np.argmin(x, axis=dim, keepdims=True)
    y = np.take_along_axis(x, index, dim)
    return (y, index) if keepdim else (np.squeeze(y, dim), np.squeeze(index, dim)), (x, index)


def min_backward(dy, saved, *, dim, keepdim):
    return max_backward(dy, saved, dim=dim, keepdim=keepdim)


def argmax_forward(x, *, dim, keepdim):
    return np.asarray(np.argmax(x, axis=dim, keepdims=keepdim), np.int64), ()


def argmin_forward(x, *, dim, keepdim):
    return np.asarray(np.argmin(x, axis=dim, keepdims=keepdim), np.int64), ()
