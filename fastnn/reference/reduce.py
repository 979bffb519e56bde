"""Sums and the like along axes, from the definitions. `dim` is a sorted tuple of axes; keepdim keeps them with size 1."""

import numpy as np


def count(x, dim):
    """How many elements are reduced to one."""
    return int(np.prod([x.shape[d] for d in dim], dtype=np.int64))


def expand(dy, x, dim):
    """dy as x's shape: repeated along the axes that were reduced."""
    shape = [1 if d in dim else n for d, n in enumerate(x.shape)]
    return np.broadcast_to(dy.reshape(shape), x.shape)


def sum_forward(x, *, dim, keepdim):
    return np.asarray(np.sum(x, axis=dim, keepdims=keepdim)), (x,)


def sum_backward(dy, saved, *, dim, keepdim):
    x, = saved                                      # each x is in one sum, with factor 1
    return (expand(dy, x, dim) + np.zeros_like(x),)


def mean_forward(x, *, dim, keepdim):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sum(x, axis=dim, keepdims=keepdim) / x.dtype.type(count(x, dim))), (x,)


def mean_backward(dy, saved, *, dim, keepdim):
    x, = saved
    return (expand(dy, x, dim) / x.dtype.type(count(x, dim)) + np.zeros_like(x),)
