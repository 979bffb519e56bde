"""Moving elements without computing: reshape, permute, expand, join, pad, flip. NumPy does these without work, so this is also what runs."""

import numpy as np


def reshape_forward(x, *, shape):
    return x.reshape(shape), (x.shape,)


def reshape_backward(dy, saved, *, shape):
    return (dy.reshape(saved[0]),)


def permute_forward(x, *, dims):
    return x.transpose(dims), ()


def permute_backward(dy, saved, *, dims):
    return (dy.transpose(np.argsort(dims)),)        # forward was  y = x.transpose(dims);  argsort inverts a permutation


def sum_to(dy, shape):
    """Sum dy over the axes along which an array of `shape` was repeated to reach dy's shape."""
    lead = dy.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(lead + i for i, size in enumerate(shape) if size == 1 and dy.shape[lead + i] != 1)
    # NumPy adds in memory order; a contiguous copy makes the order, and so the bits, the same for every layout of dy
    return np.ascontiguousarray(dy).sum(axes, keepdims=True).reshape(shape) if axes else dy


def expand_forward(x, *, shape):
    return np.broadcast_to(x, shape), (x.shape,)


def expand_backward(dy, saved, *, shape):
    return (sum_to(dy, saved[0]),)                  # each element went to many places: their gradients add


def cat_forward(*xs, dim):
    return np.concatenate(xs, axis=dim), tuple(x.shape[dim] for x in xs)


def cat_backward(dy, saved, *, dim):
    return tuple(np.split(dy, np.cumsum(saved)[:-1], axis=dim))


def stack_forward(*xs, dim):
    return np.stack(xs, axis=dim), (len(xs),)


def stack_backward(dy, saved, *, dim):
    return tuple(np.moveaxis(dy, dim, 0))


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
    return np.flip(x, dims), ()


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
    # forward wrote copy r of x[i] to y[r * size + i]: split each axis into (repeat, size) and add over the repeats
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
