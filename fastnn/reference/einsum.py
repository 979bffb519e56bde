"""Einstein sums, from the definition.

Give every letter an axis, multiply, and sum over the letters that the result lacks. x_axes, y_axes
and out name the axes of x, y and the result, one letter each. A letter that stands twice in one of
them means its diagonal.
"""

import numpy as np

from .indexing import add_at


def letters_of(x, y, x_axes, y_axes):
    """The size of each letter."""
    return {**dict(zip(x_axes, x.shape)), **(dict(zip(y_axes, y.shape)) if y is not None else {})}


def index(axes, sizes):
    """a[index(axes, sizes)] has one axis for every letter, of size 1 for those that `a` lacks."""
    order = list(sizes)
    if not axes:
        return (None,) * len(order)
    return tuple(np.arange(sizes[c]).reshape([-1 if c == d else 1 for d in order]) for c in axes)


def einsum_forward(x, y, *, x_axes, y_axes, out):
    sizes = letters_of(x, y, x_axes, y_axes)
    product = x[index(x_axes, sizes)]
    if y is not None:
        product = product * y[index(y_axes, sizes)]
    order = list(sizes)
    result = np.asarray(product).sum(tuple(i for i, c in enumerate(order) if c not in out))
    left = [c for c in order if c in out]
    return np.asarray(result).transpose([left.index(c) for c in out]), (x, y)


def einsum_backward(dy, saved, *, x_axes, y_axes, out):
    x, y = saved
    sizes = letters_of(x, y, x_axes, y_axes)
    full = tuple(sizes.values())

    def gradient(a, axes, other, other_axes):
        share = np.broadcast_to(dy[index(out, sizes)], full)
        if other is not None:
            share = share * other[index(other_axes, sizes)]
        if not axes:
            return np.asarray(share.sum())
        g = np.zeros_like(a)
        # forward was  y = sum of x[index] * y[index]:  each product gives its share
        add_at(g, tuple(np.broadcast_to(i, full) for i in index(axes, sizes)), share)
        return g
    return gradient(x, x_axes, y, y_axes), None if y is None else gradient(y, y_axes, x, x_axes)
