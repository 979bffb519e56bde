# conv2d.pxi -- calls of csrc/conv/conv2d.c. The map of its files and methods: csrc/conv/conv2d.h

cdef extern from "fastnn.h" nogil:
    int64_t fnn_conv2d_workspace(const fnn_window *g, int want_dx, int want_dw)
    void fnn_conv2d_methods(const fnn_window *g, const char *names[3])


cdef int _conv_window(fnn_window *g, const Array *x, const Array *w, stride, padding, dilation, groups) except -1:
    (top, bottom), (left, right) = padding
    need(x.ndim == 4 and w.ndim == 4 and x.dtype == w.dtype)
    output = (window_positions(x.shape[2], w.shape[2], stride[0], top, bottom, dilation[0]),
              window_positions(x.shape[3], w.shape[3], stride[1], left, right, dilation[1]))
    fill_window(g, x.shape, (w.shape[2], w.shape[3]), output, stride, (top, left), dilation)
    g.K, g.G = w.shape[0], groups
    return need(g.G > 0 and g.R > 0 and g.S > 0 and g.sh > 0 and g.sw > 0 and g.dh > 0 and g.dw > 0
                and g.P > 0 and g.Q > 0 and g.C == w.shape[1] * g.G and g.K % g.G == 0)


def conv2d_workspace(x_shape, w_shape, stride, padding, dilation, groups):
    """Elements of workspace that conv2d_backward takes, all gradients wanted."""
    cdef Array x_, w_
    cdef fnn_window g
    x_.ndim = w_.ndim = 4
    x_.dtype = w_.dtype = FNN_F32
    for i in range(4):
        x_.shape[i], w_.shape[i] = x_shape[i], w_shape[i]
    _conv_window(&g, &x_, &w_, stride, padding, dilation, groups)
    return fnn_conv2d_workspace(&g, 1, 1)


def conv2d_methods(x_shape, w_shape, stride, padding, dilation, groups):
    """The names of the methods that compute y, dx and dw: docs/kernels/conv2d.md."""
    cdef Array x_, w_
    cdef fnn_window g
    cdef const char *names[3]
    x_.ndim = w_.ndim = 4
    x_.dtype = w_.dtype = FNN_F32
    for i in range(4):
        x_.shape[i], w_.shape[i] = x_shape[i], w_shape[i]
    _conv_window(&g, &x_, &w_, stride, padding, dilation, groups)
    fnn_conv2d_methods(&g, names)
    return tuple(name.decode() for name in names)


cdef tuple _conv2d(x, w, b, stride, padding, dilation, groups, bint relu):
    """y, x, w, b is not None"""
    cdef Array x_, w_, b_, y_
    cdef fnn_window g
    cdef Py_ssize_t shape[4]
    scratch_ready()
    x, w, b = open_array(x, &x_), open_array(w, &w_), open_optional(b, &b_)
    _conv_window(&g, &x_, &w_, stride, padding, dilation, groups)
    need(has_size(&b_, x_.dtype, g.K))
    shape[0], shape[1], shape[2], shape[3] = g.N, g.K, g.P, g.Q
    y = new_array(&y_, x_.dtype, 4, shape)
    with nogil:
        if relu:
            fnn_conv2d_relu_forward[x_.dtype](y_.data, x_.data, w_.data, b_.data, &g)
        else:
            fnn_conv2d_forward[x_.dtype](y_.data, x_.data, w_.data, b_.data, &g)
    return y, x, w, b is not None


def conv2d_forward(x, w, b, stride, padding, dilation, groups):
    y, x, w, with_bias = _conv2d(x, w, b, stride, padding, dilation, groups, False)
    return y, (x, w, with_bias)


def conv2d_backward(dy, saved, stride, padding, dilation, groups, needs=None):
    cdef Array dy_, x_, w_, dx_, dw_, db_
    cdef fnn_window g
    cdef Workspace workspace
    scratch_ready()
    x, w, has_bias = saved
    need_x, need_w, need_b = needs or (True, True, True)
    x, w, dy = open_array(x, &x_), open_array(w, &w_), open_array(dy, &dy_)
    _conv_window(&g, &x_, &w_, stride, padding, dilation, groups)
    need(has_size(&dy_, x_.dtype, g.N * g.K * g.P * g.Q))
    dx = dw = db = None
    dx_.data = dw_.data = db_.data = NULL
    if need_x:
        dx = new_like(&dx_, &x_)
    if need_w:
        dw = new_like(&dw_, &w_)
    if need_b and has_bias:
        db = new_array(&db_, x_.dtype, 1, &g.K)
    workspace = Workspace(fnn_conv2d_workspace(&g, need_x, need_w) * (4 if x_.dtype == FNN_F32 else 8))
    with nogil:
        fnn_conv2d_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, w_.data, workspace.data, &g)
    return dx, dw, db


# ---- with relu as y is written -------------------------------------------------------------------
def conv2d_relu_forward(x, w, b, stride, padding, dilation, groups):
    y, x, w, with_bias = _conv2d(x, w, b, stride, padding, dilation, groups, True)
    return y, (x, w, with_bias, y)


def conv2d_relu_backward(dy, saved, stride, padding, dilation, groups, needs=None):
    x, w, with_bias, y = saved
    return conv2d_backward(map2(fnn_relu_backward, dy, y), (x, w, with_bias), stride, padding, dilation, groups, needs)
