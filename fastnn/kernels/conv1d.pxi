# conv1d.pxi -- one-dimensional convolution: csrc/conv/conv2d.c on images one pixel high

cdef void _one_row(Array *a):
    """(N, C, L) as (N, C, 1, L)."""
    a.shape[3], a.shape[2], a.ndim = a.shape[2], 1, 4


cdef int _conv1d_window(fnn_window *g, Array *x, Array *w, stride, padding, dilation, groups) except -1:
    need(x.ndim == 3 and w.ndim == 3)
    _one_row(x)
    _one_row(w)
    return _conv_window(g, x, w, (1, stride), ((0, 0), padding), (1, dilation), groups)


def conv1d_workspace(x_shape, w_shape, stride, padding, dilation, groups):
    """Elements of workspace that conv1d_backward takes, all gradients wanted."""
    return conv2d_workspace((*x_shape[:2], 1, x_shape[2]), (*w_shape[:2], 1, w_shape[2]), (1, stride),
                            ((0, 0), padding), (1, dilation), groups)


def conv1d_forward(x, w, b, stride, padding, dilation, groups):
    cdef Array x_, w_, b_, y_
    cdef fnn_window g
    cdef Py_ssize_t shape[3]
    scratch_ready()
    x, w, b = open_array(x, &x_), open_array(w, &w_), open_optional(b, &b_)
    _conv1d_window(&g, &x_, &w_, stride, padding, dilation, groups)
    need(has_size(&b_, x_.dtype, g.K))
    shape[0], shape[1], shape[2] = g.N, g.K, g.Q
    y = new_array(&y_, x_.dtype, 3, shape)
    with nogil:
        fnn_conv2d_forward[x_.dtype](y_.data, x_.data, w_.data, b_.data, &g)
    return y, (x, w, b is not None)


def conv1d_backward(dy, saved, stride, padding, dilation, groups, needs=None):
    cdef Array dy_, x_, w_, dx_, dw_, db_
    cdef fnn_window g
    cdef Workspace workspace
    scratch_ready()
    x, w, has_bias = saved
    need_x, need_w, need_b = needs or (True, True, True)
    x, w, dy = open_array(x, &x_), open_array(w, &w_), open_array(dy, &dy_)
    dx = dw = db = None
    dx_.data = dw_.data = db_.data = NULL
    if need_x:
        dx = new_like(&dx_, &x_)
    if need_w:
        dw = new_like(&dw_, &w_)
    _conv1d_window(&g, &x_, &w_, stride, padding, dilation, groups)
    need(has_size(&dy_, x_.dtype, g.N * g.K * g.P * g.Q))
    if need_b and has_bias:
        db = new_array(&db_, x_.dtype, 1, &g.K)
    workspace = Workspace(fnn_conv2d_workspace(&g, need_x, need_w) * (4 if x_.dtype == FNN_F32 else 8))
    with nogil:
        fnn_conv2d_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, w_.data, workspace.data, &g)
    return dx, dw, db
