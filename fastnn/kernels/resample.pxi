# resample.pxi -- calls of csrc/resample/resample.c, and its tables: which pixels an output is a
# mean of, with which weights

from functools import lru_cache as _lru_cache

cdef extern from "fastnn.h" nogil:
    ctypedef struct fnn_taps:
        const Py_ssize_t *start
        const int32_t *at
        const void *weight

    ctypedef struct fnn_resample:
        Py_ssize_t planes, H, W, P, Q
        fnn_taps row, col
        Py_ssize_t col_taps
        const int32_t *col_at
        const void *col_weight

    enum: FNN_RESAMPLE_TAPS


def _linear_weight(t, width):
    return np.maximum(0, 1 - np.abs(t))


def _cubic_weight(t, a):
    """Keys' kernel: 1 at 0, 0 at the other whole numbers, smooth, of width 2 to each side."""
    t = np.abs(t)
    return np.where(t <= 1, ((a + 2) * t - (a + 3)) * t * t + 1, np.where(t < 2, a * (t - 1) * (t - 2) * (t - 2), 0))


def _taps_of(mode, n, m, align_corners, scale, antialias):
    """(inputs (m, k), their weights (m, k)) of m outputs of n pixels; some weights may be 0."""
    p = np.arange(m)
    if mode.startswith("nearest"):
        half = mode == "nearest-exact"
        i = np.floor((p + 0.5 * half) / scale).astype(_int64) if scale else (2 * p + half) * n // (2 * m)
        return np.minimum(i, n - 1)[:, None], np.ones((m, 1))
    if mode == "area":
        first, end = p * n // m, -(-(p + 1) * n // m)
        i = first[:, None] + np.arange((end - first).max(initial=0))
        inside = i < end[:, None]
        return np.minimum(i, n - 1), inside / (end - first)[:, None]
    weight, reach, a = (_linear_weight, 1, 0) if mode == "linear" else (_cubic_weight, 2, -0.5 if antialias else -0.75)
    if align_corners:
        step = (n - 1) / (m - 1) if m > 1 else 0
    else:
        step = 1 / scale if scale else n / m
    if antialias:
        centre, wide = step * (p + 0.5), max(step, 1)
        first = np.maximum((centre - reach * wide + 0.5).astype(_int64), 0)
        end = np.minimum((centre + reach * wide + 0.5).astype(_int64), n)
        i = first[:, None] + np.arange((end - first).max(initial=0))
        w = np.where(i < end[:, None], weight((i - centre[:, None] + 0.5) / wide, a), 0)
        return np.minimum(i, n - 1), w / w.sum(1, keepdims=True)
    place = step * p if align_corners else step * (p + 0.5) - 0.5
    if mode == "linear":
        place = p if n == m else np.clip(place, 0, n - 1)
    i = np.floor(place).astype(_int64)[:, None] + np.arange(1 - reach, 1 + reach)
    return np.clip(i, 0, n - 1), weight(place[:, None] - i, a)


def _sorted_taps(to, at, weight, outputs, dtype):
    """(start, at, weight) as fnn_taps wants them, and the table of equal numbers, or None."""
    order = np.lexsort((at, to))
    to, at, weight = to[order], at[order], weight[order]
    count = np.bincount(to, minlength=outputs)
    start = np.concatenate([[0], np.cumsum(count)]).astype(np.intp)
    taps = (start, at.astype(_int32), weight.astype(dtype))
    most = int(count.max(initial=0))
    if outputs == 0 or count.min() == 0 or most > FNN_RESAMPLE_TAPS:
        return taps, None
    k = most if most < 3 else 4
    # an output with fewer taps has its first in parts, halves of halves, which add up exactly
    part, last = np.arange(k)[None, :], (k - count)[:, None]
    places = start[:outputs, None] + np.maximum(part - last, 0)
    factor = np.where(part < last, 0.5 ** (part + 1), np.where(part == last, 0.5 ** last, 1))
    return taps, (k, at[places].T.astype(_int32, order="C"), (weight[places] * factor).T.astype(dtype, order="C"))


@_lru_cache(maxsize=128)
def _resample_tables(mode, n, m, align_corners, scale, antialias, dtype):
    """The tables forward, of m outputs, and backward, of n."""
    at, weight = _taps_of(mode, n, m, align_corners, scale, antialias)
    to = np.repeat(np.arange(m), at.shape[1])
    # taps of one pixel, as at the border, are one tap: infinity times their sum
    pair, which = np.unique(to * n + at.reshape(-1), return_inverse=True)
    weight = np.bincount(which.reshape(-1), weight.reshape(-1), pair.size)
    pair, weight = pair[weight != 0], weight[weight != 0]
    to, at = pair // n, pair % n
    return _sorted_taps(to, at, weight, m, dtype), _sorted_taps(at, to, weight, n, dtype)


cdef object _open_taps(object tables, fnn_taps *taps):
    cdef Array start_, at_, weight_
    open_any(tables[0], &start_), open_any(tables[1], &at_), open_array(tables[2], &weight_)
    taps.start, taps.at, taps.weight = <const Py_ssize_t *>start_.data, <const int32_t *>at_.data, weight_.data


cdef object _resample(object x, object size, object mode, object align_corners, object scales, object antialias,
                      int backward):
    """x brought to `size`; backward: dy brought back to `size`."""
    cdef Array x_, y_, at_, weight_
    cdef fnn_resample s
    cdef Py_ssize_t shape[4]
    scratch_ready()
    x = open_array(x, &x_)
    need(x_.ndim == 4 and x_.shape[2] > 0 and x_.shape[3] > 0)
    tables = []
    for d in range(2):
        n, m = (size[d], x.shape[2 + d]) if backward else (x.shape[2 + d], size[d])
        tables.append(_resample_tables(mode[d], n, m, align_corners, scales[d], antialias, x.dtype)[backward])
    (rows, _), (columns, equal) = tables
    s.planes, s.H, s.W, s.P, s.Q = x_.shape[0] * x_.shape[1], x_.shape[2], x_.shape[3], size[0], size[1]
    _open_taps(rows, &s.row)
    _open_taps(columns, &s.col)
    s.col_taps, s.col_at, s.col_weight = 0, NULL, NULL
    if equal is not None:
        open_any(equal[1], &at_), open_array(equal[2], &weight_)
        s.col_taps, s.col_at, s.col_weight = equal[0], <const int32_t *>at_.data, weight_.data
    shape[0], shape[1], shape[2], shape[3] = x_.shape[0], x_.shape[1], s.P, s.Q
    y = new_array(&y_, x_.dtype, 4, shape)
    with nogil:
        fnn_resample2d[x_.dtype](y_.data, x_.data, &s)
    return y


def interpolate_forward(x, *, size, mode, align_corners, scales, antialias):
    return _resample(x, size, mode, align_corners, scales, antialias, 0), (x.shape[2:],)


def interpolate_backward(dy, saved, *, size, mode, align_corners, scales, antialias):
    return (_resample(dy, saved[0], mode, align_corners, scales, antialias, 1),)
