"""Choosing elements by position or by condition. But for gather and index_select of floating-point
numbers, this is also what runs.
"""

import numpy as np

from .shape import sum_to


def getitem_forward(x, *, key):
    y = x[key]
    if not isinstance(y, np.ndarray):       # a number; as an array without axes it is a view of x
        y = x[(*key, ...) if isinstance(key, tuple) else (key, ...)]
    return y, (x.shape,)


def add_at(total, key, terms):
    """total[key] += terms, where an element that is named twice gets both terms.

    NumPy's add.at ends the process where more than 32 dimensions meet. There the elements are
    numbered, and the numbers have one dimension.
    """
    if max(total.ndim, terms.ndim) <= 32:
        np.add.at(total, key, terms)
    else:
        numbers = np.arange(total.size).reshape(total.shape)[key]
        np.add.at(total.reshape(-1), numbers.reshape(-1), terms.reshape(-1))


def takes_once(key):
    """Whether no element can be taken twice: slices, integers, masks, but no arrays of integers."""
    return all(k is None or k is Ellipsis or isinstance(k, (slice, int)) or getattr(k, "dtype", None) == np.bool_
               for k in (key if isinstance(key, tuple) else (key,)))


def getitem_backward(dy, saved, *, key):
    dx = np.zeros(saved[0], dy.dtype)
    if takes_once(key):
        dx[key] = dy
    else:
        add_at(dx, key, dy)                 # an element that was taken twice gets both gradients
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
    add_at(dx, along(index, dim), dy)
    return dx, None


def index_select_forward(x, index, *, dim):
    return np.take(x, index.reshape(-1), axis=dim), (x.shape, index)


def index_select_backward(dy, saved, *, dim):
    shape, index = saved
    dx = np.zeros(shape, dy.dtype)
    add_at(dx, (slice(None),) * (dim % dx.ndim) + (index.reshape(-1),), dy)
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
