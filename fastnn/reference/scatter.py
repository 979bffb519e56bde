"""Writing elements by position. Of integers, and for products and extremes, this is what runs.

A place is the number of an element where the array is taken as one row.
"""

import numpy as np

from .indexing import add_at, along

JOIN = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def put_forward(x, places, values, *, accumulate):
    y = x.reshape(-1).copy()
    if accumulate:
        np.add.at(y, places.reshape(-1), values.reshape(-1))
    else:
        y[places.reshape(-1)] = values.reshape(-1)      # of values for one element the last stays
    return y.reshape(x.shape), (places,)


def put_backward(dy, saved, *, accumulate):
    places, = saved
    dvalues = dy.reshape(-1)[places]
    if accumulate:
        return dy, None, dvalues
    dx = dy.reshape(-1).copy()
    dx[places.reshape(-1)] = 0                          # what is overwritten has no effect
    number = np.arange(places.size).reshape(places.shape)
    last = np.zeros(dy.size, np.int64)
    last[places.reshape(-1)] = number.reshape(-1)
    return dx.reshape(dy.shape), None, np.where(last[places] == number, dvalues, 0)


def scatter_forward(x, index, src, *, dim):
    y = x.copy()
    y[along(index, dim)] = src                          # of several for one element the last stays
    return y, (index,)


def scatter_backward(dy, saved, *, dim):
    index, = saved
    where = along(index, dim)
    dx = dy.copy()
    dx[where] = 0                                       # what is overwritten has no effect
    number = np.arange(index.size).reshape(index.shape)
    last = np.zeros(dy.shape, np.int64)
    last[where] = number
    return dx, None, np.where(last[where] == number, dy[where], 0)


def scatter_value_forward(x, index, *, dim, value):
    y = x.copy()
    y[along(index, dim)] = value
    return y, (index,)


def scatter_value_backward(dy, saved, *, dim, value):
    index, = saved
    dx = dy.copy()
    dx[along(index, dim)] = 0                           # what is overwritten has no effect
    return dx, None


def index_copy_forward(x, index, source, *, dim):
    y = x.copy()
    y[(slice(None),) * dim + (index,)] = source         # of several for one place the last stays
    return y, (index,)


def index_copy_backward(dy, saved, *, dim):
    index, = saved
    dx = dy.copy()
    dx[(slice(None),) * dim + (index,)] = 0             # what is overwritten has no effect
    last = np.zeros(dy.shape[dim], np.int64)
    last[index] = np.arange(len(index))
    stays = (last[index] == np.arange(len(index))).reshape([-1 if d == dim else 1 for d in range(dy.ndim)])
    return dx, None, np.where(stays, np.take(dy, index, dim), 0)


# ---- sums by group -------------------------------------------------------------------------------
def scatter_add_forward(x, index, src, *, dim):
    y = x.copy()
    add_at(y, along(index, dim), src)
    return y, (index,)


def scatter_add_backward(dy, saved, *, dim):
    index, = saved
    return dy, None, dy[along(index, dim)]      # forward was  y[.., index, ..] += src


def index_add_forward(x, index, source, *, dim):
    y = x.copy()
    add_at(y, (slice(None),) * dim + (index,), source)
    return y, (index,)


def index_add_backward(dy, saved, *, dim):
    index, = saved
    return dy, None, np.take(dy, index, dim)    # forward was  y[.., index, ..] += source


# ---- several values for one element become one ---------------------------------------------------
def identity(reduce, dtype):
    """The number that changes no other."""
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    info = np.iinfo(dtype) if dtype.kind in "iu" else None
    return (info.min if info else -np.inf) if reduce == "amax" else (info.max if info else np.inf)


def scatter_reduce_forward(x, places, src, *, reduce, include_self):
    y = x.reshape(-1).copy()
    if not include_self:
        y[places] = identity(reduce, y.dtype)
    with np.errstate(all="ignore"):
        JOIN[reduce].at(y, places.reshape(-1), src.reshape(-1))
    return y.reshape(x.shape), (x, places, src, y)


def scatter_reduce_backward(dy, saved, *, reduce, include_self):
    x, places, src, y = saved
    shape, x, dy = x.shape, x.reshape(-1), dy.reshape(-1)
    joins = np.ones(x.size, bool)                       # whether x is one of those joined
    joins[places] = include_self
    alone = np.ones(x.size, bool)
    alone[places] = False
    with np.errstate(all="ignore"):
        if reduce == "prod":
            x_others, src_others = others(np.where(joins, x, 1), places, src)
            dx, dsrc = np.where(joins, dy * x_others, 0), dy[places] * src_others
        else:                                   # as in PyTorch, equal extremes share the gradient
            x_wins, src_wins = joins & same(x, y), same(src, y[places])
            winners = x_wins.astype(dy.dtype)
            np.add.at(winners, places.reshape(-1), src_wins.reshape(-1).astype(dy.dtype))
            share = dy / winners
            dx, dsrc = np.where(x_wins, share, 0), np.where(src_wins, share[places], 0)
    return np.where(alone, dy, dx).reshape(shape), None, dsrc


def same(a, b):
    return (a == b) | ((a != a) & (b != b))


def others(x, places, src):
    """For x and for src, elements that are multiplied with one another: the product of the others.

    It is not the whole product divided by the element, which may be 0 or infinite: of the factors
    of one place in their order, those before are multiplied, and those behind.
    """
    order = np.argsort(places, axis=None, kind="stable")
    place, factor = places.reshape(-1)[order], src.reshape(-1)[order]
    n = np.arange(len(place))
    first = np.ones(len(place), bool)
    first[1:] = place[1:] != place[:-1]
    rank = n - np.maximum.accumulate(np.where(first, n, 0))     # how many of its place come before
    ranks = [np.flatnonzero(rank == r) for r in range(int(rank.max(initial=-1)) + 1)]
    before, behind = x[place], np.ones(len(place), x.dtype)
    for of_rank in ranks[1:]:
        before[of_rank] = before[of_rank - 1] * factor[of_rank - 1]
    for of_rank in ranks[:0:-1]:
        behind[of_rank - 1] = behind[of_rank] * factor[of_rank]
    of_src, of_x = np.empty(len(place), x.dtype), np.ones(x.size, x.dtype)
    of_src[order] = before * behind
    of_x[place[first]] = behind[first] * factor[first]
    return of_x, of_src.reshape(src.shape)
