"""Dropout, from its definition: y = keep x / (1 - p).

The mask comes from philox.py. Each run of `span` neighbouring elements, a channel, shares a word.
"""

import numpy as np

from .philox import keep_mask


def _kept(keep, x, p):
    """x / (1 - p) where it is kept, else 0."""
    y = np.zeros_like(x)
    if p < 1:
        y[keep] = x[keep] / (1 - p)
    return y


def dropout_forward(x, *, p, key, call, span):
    keep = keep_mask(p, key, call, np.arange(x.size).reshape(x.shape) // span)
    return _kept(keep, x, p), (keep,)


def dropout_backward(dy, saved, *, p, key, call, span):
    keep, = saved
    return (_kept(keep, dy, p),)                    # forward was  y = keep x / (1 - p)
