# pool2d.pxi -- calls of csrc/pool/pool2d.c. fnn_max_pool2d_forward[2] and so on are pointers, for
# float and double, to the best version for this processor: csrc/pool/pool2d.h, which also says what
# a tap and an index are.

cdef extern from "fastnn.h" nogil:
    enum: FNN_POOL_NONE
    int fnn_pool2d_is_framed(const fnn_window *g)

cdef object _pool_planes(Array *y, int dtype, const fnn_window *g):
    """A result of shape (N, C, P, Q)."""
    cdef Py_ssize_t shape[4]
    shape[0], shape[1], shape[2], shape[3] = g.N, g.C, g.P, g.Q
    return new_array(y, dtype, 4, shape)


cdef object _pool_image(Array *dx, int dtype, fnn_window *g):
    """A result of shape (N, C, H, W)."""
    return new_array(dx, dtype, 4, &g.N)


cdef object _pool_output(size, kernel_size, stride, padding, dilation, ceil_mode):
    """Windows along each direction; with ceil_mode also a cut-off one that begins in the image or
    the padding before it."""
    output = []
    for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation):
        count = window_positions(n, k, s, p, p + (s - 1 if ceil_mode else 0), d)
        output.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return output


cdef object _max_pool_indices(tap, Py_ssize_t width, geometry):
    """The indices i*W + j in the plane, int64, of the taps that were the largest; -1 for none."""
    (_, S), (sh, sw), (ph, pw), (dh, dw) = geometry
    r, s = np.divmod(tap.astype(_int64), S)
    i = np.arange(tap.shape[2])[:, None] * sh - ph + r * dh
    j = np.arange(tap.shape[3]) * sw - pw + s * dw
    return np.where(tap == FNN_POOL_NONE, -1, i * width + j)


cdef object _max_pool_forward(x, output, geometry, return_indices, bint save):
    """y, or y and PyTorch's indices, and what backward needs: (taps or indices of the maxima, the
    image's size, the windows' geometry).

    geometry: (kernel_size, stride, padding, dilation) or None for adaptive windows.
    """
    cdef Array x_, y_, which_
    cdef fnn_window g
    cdef bint adaptive = geometry is None
    scratch_ready()
    x = open_array(x, &x_)
    need(x_.ndim == 4 and x_.shape[2] > 0 and x_.shape[3] > 0)
    kernel_size, stride, padding, dilation = geometry or ((0, 0),) * 4
    fill_window(&g, x_.shape, kernel_size, output, stride, padding, dilation)
    y = _pool_planes(&y_, x_.dtype, &g)
    if not adaptive and fnn_pool2d_is_framed(&g):
        which = _pool_planes(&which_, b'B', &g) if save or return_indices else None
        with nogil:
            fnn_max_pool2d_forward[x_.dtype](y_.data, NULL if which is None else <uint8_t *>which_.data, x_.data, &g)
    else:
        which = _pool_planes(&which_, b'i', &g)
        with nogil:
            fnn_max_window_pool2d_forward[x_.dtype](y_.data, <int32_t *>which_.data, x_.data, &g, adaptive)
    if return_indices:
        y = (y, which.astype(_int64) if which_.dtype == b'i' else _max_pool_indices(which, g.W, geometry))
    return y, (which, x.shape[2:], geometry) if save else ()


cdef object _max_pool_backward(dy, saved):
    cdef Array dy_, which_, dx_
    cdef fnn_window g
    scratch_ready()
    which, size, geometry = saved
    dy = open_array(dy[0] if isinstance(dy, tuple) else dy, &dy_)
    which = open_any(which, &which_)
    need(dy_.ndim == 4 and dy_.shape[2] > 0 and dy_.shape[3] > 0)
    kernel_size, stride, padding, dilation = geometry or ((0, 0),) * 4
    fill_window(&g, dy_.shape, kernel_size, (dy_.shape[2], dy_.shape[3]), stride, padding, dilation)
    g.H, g.W = size
    need(which_.size == dy_.size and (which_.dtype == b'B' and geometry is not None or which_.dtype == b'i'))
    dx = _pool_image(&dx_, dy_.dtype, &g)
    with nogil:
        if which_.dtype == b'B':
            fnn_max_pool2d_backward[dy_.dtype](dx_.data, dy_.data, <const uint8_t *>which_.data, &g)
        else:
            fnn_max_window_pool2d_backward[dy_.dtype](dx_.data, dy_.data, <const int32_t *>which_.data, &g)
    return (dx,)


cdef object _even(size, output_size):
    """The kernel size of adaptive windows that are all alike, which makes ordinary pooling of them;
    else None."""
    (H, W), (P, Q) = size, output_size
    return (H // P, W // Q) if H % P == 0 and W % Q == 0 else None


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices, save=True):
    output = _pool_output(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    return _max_pool_forward(x, output, (kernel_size, stride, padding, dilation), return_indices, save)


def max_pool2d_backward(dy, saved, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    return _max_pool_backward(dy, saved)


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    cdef Array x_, y_
    cdef fnn_window g
    cdef int count_padding = count_include_pad
    cdef Py_ssize_t divisor = divisor_override or 0
    scratch_ready()
    x = open_array(x, &x_)
    need(x_.ndim == 4 and x_.shape[2] > 0 and x_.shape[3] > 0)
    output = _pool_output(x.shape[2:], kernel_size, stride, padding, (1, 1), ceil_mode)
    fill_window(&g, x_.shape, kernel_size, output, stride, padding, (1, 1))
    y = _pool_planes(&y_, x_.dtype, &g)
    with nogil:
        fnn_avg_pool2d_forward[x_.dtype](y_.data, x_.data, &g, count_padding, divisor)
    return y, (x.shape[2:],)


def avg_pool2d_backward(dy, saved, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    cdef Array dy_, dx_
    cdef fnn_window g
    cdef int count_padding = count_include_pad
    cdef Py_ssize_t divisor = divisor_override or 0
    scratch_ready()
    dy = open_array(dy, &dy_)
    need(dy_.ndim == 4 and dy_.shape[2] > 0 and dy_.shape[3] > 0)
    fill_window(&g, dy_.shape, kernel_size, (dy_.shape[2], dy_.shape[3]), stride, padding, (1, 1))
    g.H, g.W = saved[0]
    dx = _pool_image(&dx_, dy_.dtype, &g)
    with nogil:
        fnn_avg_pool2d_backward[dy_.dtype](dx_.data, dy_.data, &g, count_padding, divisor)
    return (dx,)


def adaptive_max_pool2d_forward(x, output_size, return_indices, save=True):
    window = _even(x.shape[2:], output_size)
    return _max_pool_forward(x, output_size, (window, window, (0, 0), (1, 1)) if window else None, return_indices, save)


def adaptive_max_pool2d_backward(dy, saved, output_size, return_indices):
    return _max_pool_backward(dy, saved)


def adaptive_avg_pool2d_forward(x, output_size):
    cdef Array x_, y_
    cdef fnn_window g
    window = _even(x.shape[2:], output_size)
    if window:
        return avg_pool2d_forward(x, window, window, (0, 0), False, False, None)
    x = open_array(x, &x_)
    need(x_.ndim == 4 and x_.shape[2] > 0 and x_.shape[3] > 0)
    fill_window(&g, x_.shape, (0, 0), output_size, (0, 0), (0, 0), (0, 0))
    y = _pool_planes(&y_, x_.dtype, &g)
    with nogil:
        fnn_adaptive_avg_pool2d_forward[x_.dtype](y_.data, x_.data, &g)
    return y, (x.shape[2:],)


def adaptive_avg_pool2d_backward(dy, saved, output_size):
    cdef Array dy_, dx_
    cdef fnn_window g
    window = _even(saved[0], output_size)
    if window:
        return avg_pool2d_backward(dy, saved, window, window, (0, 0), False, False, None)
    dy = open_array(dy, &dy_)
    need(dy_.ndim == 4 and dy_.shape[2] > 0 and dy_.shape[3] > 0)
    fill_window(&g, dy_.shape, (0, 0), (dy_.shape[2], dy_.shape[3]), (0, 0), (0, 0), (0, 0))
    g.H, g.W = saved[0]
    dx = _pool_image(&dx_, dy_.dtype, &g)
    with nogil:
        fnn_adaptive_avg_pool2d_backward[dy_.dtype](dx_.data, dy_.data, &g)
    return (dx,)
