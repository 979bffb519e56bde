"""Matrix products from their definition: y[..., i, j] = sum_p a[..., i, p] b[..., p, j]."""

import numpy as np

from .shape import sum_to


def as_matrices(a, b):
    """A vector on the left is one row, on the right one column."""
    return (a[None, :] if a.ndim == 1 else a), (b[:, None] if b.ndim == 1 else b)


def product(a, b):
    return np.einsum("...ip,...pj->...ij", a, b)


def matmul_forward(a, b):
    rows, columns = as_matrices(a, b)
    y = product(rows, columns)
    if a.ndim == 1:
        y = y[..., 0, :]
    if b.ndim == 1:
        y = y[..., 0]
    return y, (a, b)


def matmul_backward(dy, saved):
    a, b = saved
    rows, columns = as_matrices(a, b)
    if b.ndim == 1:
        dy = dy[..., None]
    if a.ndim == 1:
        dy = dy[..., None, :]
    # forward was  y[i,j] = sum_p a[i,p] b[p,j]
    # so  da[i,p] = sum_j dy[i,j] b[p,j]  and  db[p,j] = sum_i a[i,p] dy[i,j]
    da = product(dy, np.swapaxes(columns, -1, -2))
    db = product(np.swapaxes(rows, -1, -2), dy)
    return sum_to(da, rows.shape).reshape(a.shape), sum_to(db, columns.shape).reshape(b.shape)
