"""Bags: sums and maxima of rows that follow one another. NumPy does this, so this is also what
runs.
"""

import numpy as np


def segments_forward(x, starts, *, mode):
    """y[b] of the rows starts[b] <= i < starts[b + 1]; zeros for none."""
    y = np.zeros((len(starts) - 1, x.shape[1]), x.dtype)
    filled = starts[1:] > starts[:-1]
    if filled.any():
        # the rows of an empty bag would be those of the next
        join = np.add if mode == "sum" else np.maximum
        with np.errstate(invalid="ignore", over="ignore"):
            y[filled] = join.reduceat(np.ascontiguousarray(x[:starts[-1]]), starts[:-1][filled], axis=0)
    return y, (starts, x if mode == "max" else x.shape, y)


def segments_backward(dy, saved, *, mode):
    starts, x, y = saved
    sizes = np.diff(starts)
    spread = np.repeat(dy, sizes, axis=0)
    if mode == "sum":
        dx = np.zeros(x, dy.dtype)
        dx[:starts[-1]] = spread
        return dx, None
    # the first of the largest has the gradient
    bag, rows = np.repeat(np.arange(len(sizes)), sizes), np.arange(starts[-1])
    top = y[bag]
    largest = (x[:starts[-1]] == top) | np.isnan(x[:starts[-1]])
    first = np.full(y.shape, len(x))
    np.minimum.at(first, bag, np.where(largest, rows[:, None], len(x)))
    dx = np.zeros(x.shape, dy.dtype)
    dx[:starts[-1]] = np.where(first[bag] == rows[:, None], spread, 0)
    return dx, None
