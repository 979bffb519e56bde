"""Softmax and its logarithm along one axis, from their definitions."""

import numpy as np


def shifted(x, dim):
    """x less its largest element along dim, which changes no softmax and keeps exp in range.

    Where all elements are -inf, or one is +inf, there is no answer: NaN.
    """
    with np.errstate(invalid="ignore"):
        return x - x.max(axis=dim, keepdims=True) if x.size else x.copy()


def softmax_forward(x, *, dim):
    e = np.exp(shifted(x, dim))
    y = e / e.sum(axis=dim, keepdims=True)
    return y, (y,)


def softmax_backward(dy, saved, *, dim):
    y, = saved
    # forward was  y = e / sum(e)  so  dy_c/dx_k = y_c ([c = k] - y_k)
    return (y * (dy - (dy * y).sum(axis=dim, keepdims=True)),)


def log_softmax_forward(x, *, dim):
    z = shifted(x, dim)
    y = z - np.log(np.exp(z).sum(axis=dim, keepdims=True)) if x.size else z
    return y, (y,)


def log_softmax_backward(dy, saved, *, dim):
    y, = saved
    # forward was  y = x - log sum exp(x)  so  dy_c/dx_k = [c = k] - softmax(x)_k
    return (dy - np.exp(y) * dy.sum(axis=dim, keepdims=True),)
