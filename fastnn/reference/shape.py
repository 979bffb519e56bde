"""Moving elements without computing: reshape, permute, expand, join, cut, pad, flip.

NumPy does this, mostly without work, so this is also what runs.
"""

import numpy as np


def reshape_forward(x, *, shape):
    return x.reshape(shape), (x.shape,)


def reshape_backward(dy, saved, *, shape):
    return (dy.reshape(saved[0]),)


def permute_forward(x, *, dims):
    return x.transpose(dims), ()


def permute_backward(dy, saved, *, dims):
    # forward was  y = x.transpose(dims);  sorting inverts
    return (dy.transpose(sorted(range(len(dims)), key=dims.__getitem__)),)


def diagonal_forward(x, *, offset, dims):
    y = x.diagonal(offset, *dims)
    if x.flags.writeable:
        y.flags.writeable = True                    # NumPy's is not, by default
    return y, (x.shape,)


def diagonal_backward(dy, saved, *, offset, dims):
    dx = np.zeros(saved[0], dy.dtype)
    d = dx.diagonal(offset, *dims)
    d.flags.writeable = True
    d[...] = dy                                     # forward was  y = x.diagonal(offset, *dims)
    return (dx,)


def sum_to(dy, shape):
    """Sum dy over the axes along which an array of `shape` was broadcast to dy's shape: each of its
    elements was used that many times.
    """
    lead = dy.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and dy.shape[lead + i] != 1)
    # NumPy adds in memory order; a contiguous copy makes the order, and so the bits, the same for
    # every layout of dy
    return np.ascontiguousarray(dy).sum(axes, keepdims=True).reshape(shape) if axes else dy


def expand_forward(x, *, shape):
    return np.broadcast_to(x, shape), (x.shape,)


def expand_backward(dy, saved, *, shape):
    return (sum_to(dy, saved[0]),)          # each element went to many places: their gradients add


def cat_forward(*xs, dim):
    return np.concatenate(xs, axis=dim), tuple(x.shape[dim] for x in xs)


def cat_backward(dy, saved, *, dim):
    return tuple(np.split(dy, np.cumsum(saved)[:-1], axis=dim))


def stack_forward(*xs, dim):
    # as plain arrays: NumPy's stack of an np.matrix along a new last axis reads outside of it
    return np.stack([np.asarray(x) for x in xs], axis=dim), (len(xs),)


def stack_backward(dy, saved, *, dim):
    return tuple(np.moveaxis(dy, dim, 0))


def rejoined(pieces, dim, shape):
    """The array of which these are the pieces along `dim`, if they lie in one block of memory in
    that order: a view. Else None.

    The pieces have that dimension (split) or lack it (unbind): `shape`, the whole's, tells. An op
    that writes its gradients side by side spares a copy so, as attention does for the parts of one
    projection.
    """
    first = pieces[0]
    if first is None or not isinstance(first.base, np.ndarray) or not first.base.flags.c_contiguous:
        return None
    base, strides, address = first.base, first.strides, first.__array_interface__["data"][0]
    bound = first.ndim == len(shape)
    at = address
    for i, piece in enumerate(pieces):
        if piece is None or piece.base is not base or piece.strides != strides or piece.dtype != first.dtype:
            return None
        here = piece.__array_interface__["data"][0]
        if i == 1 and not bound:
            step = at = here
            step -= address
        if here != at:
            return None
        at += piece.shape[dim] * strides[dim] if bound else step if i else 0
    if not bound:
        if len(pieces) == 1:
            return first.reshape(shape)
        strides = (*strides[:dim], step, *strides[dim:])
    if min(strides, default=1) < 0:
        return None
    return np.ndarray(shape, first.dtype, base, address - base.__array_interface__["data"][0], strides)


def split_forward(x, *, sections, dim):
    before = (slice(None),) * dim
    keys = [(*before, slice(end - n, end)) for n, end in zip(sections, np.cumsum(sections))]
    return tuple([x[key] for key in keys]), (x.shape,)


def split_backward(dy, saved, *, sections, dim):
    (shape,) = saved
    whole = rejoined(dy, dim, shape)
    if whole is None:
        dtype = next(g.dtype for g in dy if g is not None)
        whole = np.concatenate([np.zeros((*shape[:dim], n, *shape[dim + 1:]), dtype) if g is None else g
                                for g, n in zip(dy, sections)], dim)
    return (whole,)


def unbind_forward(x, *, dim):
    before = (slice(None),) * dim
    keys = [(*before, i) for i in range(x.shape[dim])]
    return tuple([x[key] for key in keys]), (x.shape,)


def unbind_backward(dy, saved, *, dim):
    whole = rejoined(dy, dim, saved[0])
    if whole is None:
        given = next(g for g in dy if g is not None)
        whole = np.stack([np.zeros_like(given) if g is None else g for g in dy], dim)
    return (whole,)


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def pad_forward(x, *, widths, mode, value):
    """widths: ((before, after), ...) per axis."""
    if mode == "constant":
        return np.pad(x, widths, constant_values=value), (x.shape,)
    return np.pad(x, widths, mode=_PAD_MODES[mode]), (x.shape,)


def pad_backward(dy, saved, *, widths, mode, value):
    shape, = saved
    if mode == "constant":
        inside = tuple(slice(before, before + size) for (before, _), size in zip(widths, shape))
        return (dy[inside],)
    # forward was  y[i] = x[source[i]]  with the same padding applied to the numbers of the elements
    source = np.pad(np.arange(int(np.prod(shape))).reshape(shape), widths, mode=_PAD_MODES[mode])
    dx = np.zeros(int(np.prod(shape)), dy.dtype)
    np.add.at(dx, source.reshape(-1), dy.reshape(-1))
    return (dx.reshape(shape),)


def flip_forward(x, *, dims):
    return np.flip(x, dims).copy(), ()      # np.flip is a view


def flip_backward(dy, saved, *, dims):
    return (np.flip(dy, dims),)


def roll_forward(x, *, shifts, dims):
    return np.roll(x, shifts, dims), ()


def roll_backward(dy, saved, *, shifts, dims):
    back = tuple(-s for s in shifts) if isinstance(shifts, tuple) else -shifts
    return (np.roll(dy, back, dims),)


def tile_forward(x, *, repeats):
    return np.tile(x, repeats), (x.shape,)


def tile_backward(dy, saved, *, repeats):
    shape, = saved
    # forward wrote copy r of x[i] to y[r * size + i]: split each axis into (repeat, size) and add
    # over the repeats
    sizes = (1,) * (len(repeats) - len(shape)) + shape
    pairs = [n for pair in zip(repeats, sizes) for n in pair]
    return (np.ascontiguousarray(dy).reshape(pairs).sum(tuple(range(0, len(pairs), 2))).reshape(shape),)


def clone_forward(x):
    return x.copy(), ()


def clone_backward(dy, saved):
    return (dy.copy(),)


def to_forward(x, *, dtype):
    return x.astype(dtype), (x.dtype,)


def to_backward(dy, saved, *, dtype):
    return (dy.astype(saved[0]),)


def triangle_forward(x, *, diagonal, upper):
    return (np.triu if upper else np.tril)(x, diagonal), ()


def triangle_backward(dy, saved, *, diagonal, upper):
    return ((np.triu if upper else np.tril)(dy, diagonal),)
