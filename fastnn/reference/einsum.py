"""Einstein sums, from the definition.

Give every letter an axis, multiply, and sum over the letters that the result lacks. A letter that
only one operand has is summed before that operand is multiplied. x_axes, y_axes and out name the
axes of x, y and the result, one letter each. A letter that stands twice in one of them means its
diagonal.
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


def factor(a, axes, sizes, others):
    """`a` with one axis for every letter, summed over those that are not in `others`."""
    alone = tuple(i for i, c in enumerate(sizes) if c in axes and c not in others)
    return a[index(axes, sizes)].sum(alone, keepdims=True)


def einsum_forward(x, y, *, x_axes, y_axes, out):
    sizes = letters_of(x, y, x_axes, y_axes)
    product = factor(x, x_axes, sizes, y_axes + out)
    if y is not None:
        product = product * factor(y, y_axes, sizes, x_axes + out)
    order = list(sizes)
    result = product.sum(tuple(i for i, c in enumerate(order) if c not in out))
    left = [c for c in order if c in out]
    return np.asarray(result).transpose([left.index(c) for c in out]), (x, y)


def einsum_backward(dy, saved, *, x_axes, y_axes, out):
    x, y = saved
    sizes = letters_of(x, y, x_axes, y_axes)

    def gradient(a, axes, other, other_axes):
        share = dy[index(out, sizes)]
        if other is not None:
            share = share * factor(other, other_axes, sizes, axes + out)
        if not axes:
            return np.asarray(share.sum())
        g, at = np.zeros_like(a), index(axes, sizes)
        # forward was  y = sum of x[index] * y[index]:  each product gives its share
        full = np.broadcast_shapes(share.shape, *(i.shape for i in at))
        add_at(g, tuple(np.broadcast_to(i, full) for i in at), np.broadcast_to(share, full))
        return g
    return gradient(x, x_axes, y, y_axes), None if y is None else gradient(y, y_axes, x, x_axes)
