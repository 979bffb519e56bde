# unfold.pxi -- calls of csrc/conv/unfold.c, and how the geometry of a window is handed to C (conv2d
# and pool2d use it too)


cdef int fill_window(fnn_window *g, const Py_ssize_t *image, window, output, stride, padding, dilation) except -1:
    """The geometry of a window over images of shape (N, C, H, W); padding is what lies above and to
    the left.
    """
    g.N, g.C, g.H, g.W = image[0], image[1], image[2], image[3]
    g.K = g.G = 1
    g.R, g.S = window
    g.P, g.Q = output
    g.sh, g.sw = stride
    g.ph, g.pw = padding
    g.dh, g.dw = dilation
    return need(g.N >= 0 and g.C >= 0 and g.H >= 0 and g.W >= 0 and g.P >= 0 and g.Q >= 0)


cdef Py_ssize_t window_positions(Py_ssize_t size, Py_ssize_t taps, Py_ssize_t stride, Py_ssize_t before,
                                 Py_ssize_t after, Py_ssize_t dilation):
    """Positions that a window of `taps` can take on `size` pixels with padding before and after."""
    need(stride > 0)
    return (size + before + after - dilation * (taps - 1) - 1) // stride + 1


cdef object _unfold(x, size, kernel_size, dilation, padding, stride):
    cdef Array x_, y_
    cdef fnn_window g
    cdef Py_ssize_t shape[3]
    x = open_array(x, &x_)
    need(x_.ndim == 4 and (x_.shape[2], x_.shape[3]) == tuple(size))
    output = [window_positions(n, k, s, p, p, d) for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation)]
    fill_window(&g, x_.shape, kernel_size, output, stride, padding, dilation)
    shape[0], shape[1], shape[2] = g.N, g.C * g.R * g.S, g.P * g.Q
    y = new_array(&y_, x_.dtype, 3, shape)
    with nogil:
        fnn_unfold[x_.dtype](y_.data, x_.data, &g)
    return y


cdef object _fold(x, size, kernel_size, dilation, padding, stride):
    cdef Array x_, y_
    cdef fnn_window g
    cdef Py_ssize_t shape[4]
    x = open_array(x, &x_)
    output = [window_positions(n, k, s, p, p, d) for n, k, s, p, d in zip(size, kernel_size, stride, padding, dilation)]
    need(x_.ndim == 3 and kernel_size[0] > 0 and kernel_size[1] > 0)
    shape[0], shape[1] = x_.shape[0], x_.shape[1] // (kernel_size[0] * kernel_size[1])
    shape[2], shape[3] = size
    fill_window(&g, shape, kernel_size, output, stride, padding, dilation)
    need(x_.size == g.N * g.C * g.R * g.S * g.P * g.Q)
    y = new_array(&y_, x_.dtype, 4, shape)
    with nogil:
        fnn_fold[x_.dtype](y_.data, x_.data, &g)
    return y


def unfold_forward(x, kernel_size, dilation, padding, stride):
    return _unfold(x, x.shape[2:], kernel_size, dilation, padding, stride), (x.shape[2:],)


def unfold_backward(dy, saved, kernel_size, dilation, padding, stride):
    return (_fold(dy, saved[0], kernel_size, dilation, padding, stride),)


def fold_forward(x, output_size, kernel_size, dilation, padding, stride):
    return _fold(x, output_size, kernel_size, dilation, padding, stride), ()


def fold_backward(dy, saved, output_size, kernel_size, dilation, padding, stride):
    return (_unfold(dy, output_size, kernel_size, dilation, padding, stride),)
