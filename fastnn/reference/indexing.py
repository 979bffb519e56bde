"""Choosing elements by position or by condition. NumPy does this, so this is also what runs."""

import numpy as np

from .shape import sum_to


def getitem_forward(x, *, key):
    y = x[key]
    if not isinstance(y, np.ndarray):               # a number; as an array without axes it is a view of x
        y = x[(*key, ...) if isinstance(key, tuple) else (key, ...)]
    return y, (x.shape,)


def takes_once(key):
    """Whether no element can be taken twice: slices, integers, masks, but no arrays of integers."""
    return all(k is None or k is Ellipsis or isinstance(k, (slice, int)) or getattr(k, "dtype", None) == np.bool_
               for k in (key if isinstance(key, tuple) else (key,)))


def getitem_backward(dy, saved, *, key):
    dx = np.zeros(saved[0], dy.dtype)
    if takes_once(key):
        dx[key] = dy
    else:
        np.add.at(dx, key, dy)                      # an element that was taken twice gets both gradients
    return (dx,)


def along(index, dim):
    """The tuple of index arrays that picks x[..., index[...], ...] along one axis."""
    where = list(np.ogrid[tuple(map(slice, index.shape))])
    where[dim] = index
    return tuple(where)


def gather_forward(x, index, *, dim):
    return x[along(index, dim)], (x.shape, index)


def gather_backward(dy, saved, *, dim):
    shape, index = saved
    dx = np.zeros(shape, dy.dtype)
    np.add.at(dx, along(index, dim), dy)
    return dx, None


def index_select_forward(x, index, *, dim):
    return np.take(x, index, axis=dim), (x.shape, index)


def index_select_backward(dy, saved, *, dim):
    shape, index = saved
    dx = np.zeros(shape, dy.dtype)
    np.add.at(np.moveaxis(dx, dim, 0), index, np.moveaxis(dy, dim, 0))
    return dx, None


def where_forward(condition, a, b):
    return np.where(condition, a, b), (condition, a.shape, b.shape)


def where_backward(dy, saved):
    condition, shape_a, shape_b = saved
    zero = np.zeros((), dy.dtype)
    return None, sum_to(np.where(condition, dy, zero), shape_a), sum_to(np.where(condition, zero, dy), shape_b)


def masked_fill_forward(x, mask, *, value):
    return np.where(mask, np.asarray(value, x.dtype), x), (x.shape, mask)


def masked_fill_backward(dy, saved, *, value):
    shape, mask = saved
    return sum_to(np.where(mask, np.zeros((), dy.dtype), dy), shape), None
