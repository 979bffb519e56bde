# pool2d.pxi -- calls of csrc/pool2d.c

cdef extern from "fastnn.h" nogil:
    void (*fnn_max_pool2d_forward[2])(void *y, int32_t *argmax, const void *x, const fnn_window *g)
    void (*fnn_max_pool2d_backward[2])(void *dx, const void *dy, const int32_t *argmax, const fnn_window *g)
    void (*fnn_avg_pool2d_forward[2])(void *y, const void *x, const fnn_window *g, int count_padding, Py_ssize_t divisor)
    void (*fnn_avg_pool2d_backward[2])(void *dx, const void *dy, const fnn_window *g, int count_padding, Py_ssize_t divisor)
    void (*fnn_adaptive_max_pool2d_forward[2])(void *y, int32_t *argmax, const void *x, const fnn_window *g)
    void (*fnn_adaptive_avg_pool2d_forward[2])(void *y, const void *x, const fnn_window *g)
    void (*fnn_adaptive_avg_pool2d_backward[2])(void *dx, const void *dy, const fnn_window *g)


cdef object _pool_planes(Array *y, int dtype, const fnn_window *g):
    """A result of shape (N, C, P, Q)."""
    cdef Py_ssize_t shape[4]
    shape[0], shape[1], shape[2], shape[3] = g.N, g.C, g.P, g.Q
    return new_array(y, dtype, 4, shape)


cdef object _pool_image(Array *dx, int dtype, fnn_window *g):
    """A result of shape (N, C, H, W)."""
    return new_array(dx, dtype, 4, &g.N)


cdef object _pool_output(size, kernel_size, stride, padding, dilation, ceil_mode):
    """Windows along each direction; with ceil_mode also a cut-off one that begins in the image or the padding before it."""
    output = []
    for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation):
        count = window_positions(n, k, s, p, p + (s - 1 if ceil_mode else 0), d)
        output.append(count - 1 if ceil_mode and (count - 1) * s >= n + p else count)
    return output


cdef object _pool_result(y, argmax, bint return_indices):
    """y, or y and PyTorch's int64 indices."""
    return (y, argmax.astype(_int64)) if return_indices else y


cdef object _max_pool_backward(dy, saved):
    """Scatter dy to where the maxima were; saved is (argmax, the image's height and width, the window's geometry or None)."""
    cdef Array dy_, argmax_, dx_
    cdef fnn_window g
    argmax, size, geometry = saved
    dy = open_array(dy[0] if isinstance(dy, tuple) else dy, &dy_)
    argmax = open_array(argmax, &argmax_)
    kernel_size, stride, padding, dilation = geometry or ((0, 0),) * 4
    fill_window(&g, dy_.shape, kernel_size, (dy_.shape[2], dy_.shape[3]), stride, padding, dilation)
    g.H, g.W = size
    dx = _pool_image(&dx_, dy_.dtype, &g)
    with nogil:
        fnn_max_pool2d_backward[dy_.dtype](dx_.data, dy_.data, <const int32_t *>argmax_.data, &g)
    return (dx,)


def max_pool2d_forward(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    cdef Array x_, y_, argmax_
    cdef fnn_window g
    x = open_array(x, &x_)
    output = _pool_output(x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    fill_window(&g, x_.shape, kernel_size, output, stride, padding, dilation)
    y, argmax = _pool_planes(&y_, x_.dtype, &g), _pool_planes(&argmax_, b'i', &g)
    with nogil:
        fnn_max_pool2d_forward[x_.dtype](y_.data, <int32_t *>argmax_.data, x_.data, &g)
    return _pool_result(y, argmax, return_indices), (argmax, x.shape[2:], (kernel_size, stride, padding, dilation))


def max_pool2d_backward(dy, saved, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    return _max_pool_backward(dy, saved)


def avg_pool2d_forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
    cdef Array x_, y_
    cdef fnn_window g
    cdef int count_padding = count_include_pad
    cdef Py_ssize_t divisor = divisor_override or 0
    x = open_array(x, &x_)
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
    dy = open_array(dy, &dy_)
    fill_window(&g, dy_.shape, kernel_size, (dy_.shape[2], dy_.shape[3]), stride, padding, (1, 1))
    g.H, g.W = saved[0]
    dx = _pool_image(&dx_, dy_.dtype, &g)
    with nogil:
        fnn_avg_pool2d_backward[dy_.dtype](dx_.data, dy_.data, &g, count_padding, divisor)
    return (dx,)


def adaptive_max_pool2d_forward(x, output_size, return_indices):
    cdef Array x_, y_, argmax_
    cdef fnn_window g
    x = open_array(x, &x_)
    fill_window(&g, x_.shape, (0, 0), output_size, (0, 0), (0, 0), (0, 0))
    y, argmax = _pool_planes(&y_, x_.dtype, &g), _pool_planes(&argmax_, b'i', &g)
    with nogil:
        fnn_adaptive_max_pool2d_forward[x_.dtype](y_.data, <int32_t *>argmax_.data, x_.data, &g)
    return _pool_result(y, argmax, return_indices), (argmax, x.shape[2:], None)


def adaptive_max_pool2d_backward(dy, saved, output_size, return_indices):
    return _max_pool_backward(dy, saved)


def adaptive_avg_pool2d_forward(x, output_size):
    cdef Array x_, y_
    cdef fnn_window g
    x = open_array(x, &x_)
    fill_window(&g, x_.shape, (0, 0), output_size, (0, 0), (0, 0), (0, 0))
    y = _pool_planes(&y_, x_.dtype, &g)
    with nogil:
        fnn_adaptive_avg_pool2d_forward[x_.dtype](y_.data, x_.data, &g)
    return y, (x.shape[2:],)


def adaptive_avg_pool2d_backward(dy, saved, output_size):
    cdef Array dy_, dx_
    cdef fnn_window g
    dy = open_array(dy, &dy_)
    fill_window(&g, dy_.shape, (0, 0), output_size, (0, 0), (0, 0), (0, 0))
    g.H, g.W = saved[0]
    dx = _pool_image(&dx_, dy_.dtype, &g)
    with nogil:
        fnn_adaptive_avg_pool2d_backward[dy_.dtype](dx_.data, dy_.data, &g)
    return (dx,)
