"""Scaled dot-product attention from its definition, with the whole matrix of scores.

    s = scale q k^T + mask      p = softmax(s) over the keys      y = (d p) v

q (..., T, HS), k (..., U, HS), v (..., U, HV), y (..., T, HV): T queries, U keys, HS and HV the
sizes of a query and of a value. d drops weights at random.

A key that is hidden from a query by a mask, or whose weight was dropped, is left out of the sums:
whatever it holds, NaN and infinity too, has no effect on that query.
"""

import numpy as np

from .philox import keep_mask
from .shape import sum_to


def transposed(a):
    """Each matrix of a stack, transposed."""
    return np.swapaxes(a, -1, -2)


def allowed_keys(shape, mask, is_causal):
    """Which query (row) may look at which key (column): -inf in an added mask forbids too."""
    allowed = np.ones(shape, bool)
    if mask is not None:
        allowed = allowed & (mask if mask.dtype == bool else mask != -np.inf)
    if is_causal:
        allowed = allowed & np.tri(*shape[-2:], dtype=bool)      # query t sees keys 0..t
    return allowed


def dropout_factors(shape, dtype, dropout_p, key, call):
    """0 where a weight is dropped, else 1 / (1 - p).

    The random words of a row begin at a multiple of 4, for they are made in fours
    (csrc/core/philox.h).
    """
    if dropout_p == 0:
        return np.ones(shape, dtype)
    U = shape[-1]
    row = np.arange(np.prod(shape[:-1], dtype=int)).reshape(*shape[:-1], 1)
    kept = keep_mask(dropout_p, key, call, row * (-(-U // 4) * 4) + np.arange(U))
    return kept / dtype.type(1 - dropout_p) if dropout_p < 1 else np.zeros(shape, dtype)


def sum_of_used(used, weights, rows):
    """weights @ rows, without the rows that are not used: y[i] = sum over used (i, j) of
    weights[i, j] rows[j].
    """
    weights = np.where(used, weights, 0)
    if np.isfinite(rows).all():
        return weights @ rows
    used, weights, rows = used[..., None], weights[..., None], rows[..., None, :, :]
    # 0 times NaN is NaN, so 0 is put in its place
    return np.where(used, weights * rows, 0).sum(axis=-2)


def weights(q, k, mask, is_causal, scale):
    """p, the weight of each key for each query; 0 for all keys where none is allowed."""
    s = scale * (q @ transposed(k))
    if mask is not None and mask.dtype != bool:
        s = s + mask
    s = np.where(allowed_keys(s.shape, mask, is_causal), s, -np.inf)
    top = s.max(axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(s - np.where(top == -np.inf, 0, top))
    total = e.sum(axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


@np.errstate(invalid="ignore", over="ignore")                  # of what is hidden
def scaled_dot_product_attention_forward(q, k, v, mask=None, *, is_causal=False, scale=1.0, dropout_p=0.0, key=0,
                                         call=0):
    p = weights(q, k, mask, is_causal, scale)
    p = np.broadcast_to(p, (*np.broadcast_shapes(p.shape[:-2], v.shape[:-2]), *p.shape[-2:]))
    d = dropout_factors(p.shape, q.dtype, dropout_p, key, call)
    allowed = sees_a_key(allowed_keys(p.shape, mask, is_causal), p)
    y = sum_of_used(allowed & (d != 0), d * p, v)
    return y, (q, k, v, mask, p, d, y)


def sees_a_key(allowed, p):
    """The same, but nothing for a query that gets nothing, since all its keys are hidden."""
    return allowed & ((p != 0).any(axis=-1, keepdims=True))


@np.errstate(invalid="ignore", over="ignore")                  # of what is hidden
def scaled_dot_product_attention_backward(dy, saved, *, is_causal=False, scale=1.0, dropout_p=0.0, key=0, call=0):
    q, k, v, mask, p, d, y = saved
    allowed = sees_a_key(allowed_keys(p.shape, mask, is_causal), p)
    used = allowed & (d != 0)
    dv = sum_of_used(transposed(used), transposed(d * p), dy)    # forward was  y = (d p) v
    dp = np.where(used, d * (dy @ transposed(v)), 0)
    pull = (dy * y).sum(axis=-1, keepdims=True)             # sum over the keys of p dp
    ds = np.where(allowed, p * (dp - pull), 0)              # forward was  p = exp(s) / sum exp(s)
    dq = scale * sum_of_used(allowed, ds, k)                # forward was  s = scale q k^T + mask
    dk = scale * sum_of_used(transposed(allowed), transposed(ds), q)
    dmask = None if mask is None or mask.dtype == bool else sum_to(ds, mask.shape)
    return sum_to(dq, q.shape), sum_to(dk, k.shape), sum_to(dv, v.shape), dmask
