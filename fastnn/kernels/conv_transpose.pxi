# conv_transpose.pxi -- calls of csrc/conv/conv_transpose.tmpl.h, for planes and for sequences,
# which are planes one pixel high


cdef int _conv_transpose_window(fnn_window *g, Array *x, Array *w, stride, padding, output_padding, dilation,
                                groups) except -1:
    """The geometry of the convolution from y to x. Sequences become planes; attributes have one
    number per direction.
    """
    cdef Py_ssize_t y_shape[4]
    need((x.ndim == 3 or x.ndim == 4) and w.ndim == x.ndim and w.dtype == x.dtype and w.shape[0] == x.shape[1])
    if x.ndim == 3:
        _one_row(x)
        _one_row(w)
        stride, padding, output_padding, dilation = (1, *stride), (0, *padding), (0, *output_padding), (1, *dilation)
    y_shape[0], y_shape[1] = x.shape[0], w.shape[1] * groups
    for i in range(2):
        y_shape[2 + i] = ((x.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (w.shape[2 + i] - 1)
                          + output_padding[i] + 1)
    fill_window(g, y_shape, (w.shape[2], w.shape[3]), (x.shape[2], x.shape[3]), stride, padding, dilation)
    g.K, g.G = x.shape[1], groups
    return need(g.G > 0 and g.K % g.G == 0 and g.R > 0 and g.S > 0 and g.sh > 0 and g.sw > 0 and g.dh > 0 and g.dw > 0
                and g.H > 0 and g.W > 0 and g.P > 0 and g.Q > 0)


cdef object _conv_transpose_workspace(const fnn_window *g, int want_y, int want_dw, int dtype):
    return Workspace(fnn_conv2d_workspace(g, want_y, want_dw) * (4 if dtype == FNN_F32 else 8))


def conv_transpose_workspace(x_shape, w_shape, stride, padding, output_padding, dilation, groups):
    """Elements of workspace that forward or backward takes, whichever is more."""
    cdef Array x_, w_
    cdef fnn_window g
    x_.ndim = w_.ndim = len(x_shape)
    x_.dtype = w_.dtype = FNN_F32
    for i in range(x_.ndim):
        x_.shape[i], w_.shape[i] = x_shape[i], w_shape[i]
    _conv_transpose_window(&g, &x_, &w_, stride, padding, output_padding, dilation, groups)
    return max(fnn_conv2d_workspace(&g, 1, 0), fnn_conv2d_workspace(&g, 0, 1))


def conv_transpose_forward(x, w, b, stride, padding, output_padding, dilation, groups):
    cdef Array x_, w_, b_, y_
    cdef fnn_window g
    cdef Workspace workspace
    cdef Py_ssize_t shape[4]
    cdef int rank
    scratch_ready()
    x, w, b = open_array(x, &x_), open_array(w, &w_), open_optional(b, &b_)
    rank = x_.ndim
    _conv_transpose_window(&g, &x_, &w_, stride, padding, output_padding, dilation, groups)
    shape[0], shape[1], shape[2], shape[3] = g.N, g.C, g.H, g.W
    if rank == 3:
        shape[2] = g.W
    need(has_size(&b_, x_.dtype, g.C))
    y = new_array(&y_, x_.dtype, rank, shape)
    workspace = _conv_transpose_workspace(&g, 1, 0, x_.dtype)
    with nogil:
        fnn_conv_transpose2d_forward[x_.dtype](y_.data, x_.data, w_.data, b_.data, workspace.data, &g)
    return y, (x, w, b is not None)


def conv_transpose_backward(dy, saved, stride, padding, output_padding, dilation, groups, needs=None):
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
    _conv_transpose_window(&g, &x_, &w_, stride, padding, output_padding, dilation, groups)
    need(has_size(&dy_, x_.dtype, g.N * g.C * g.H * g.W))
    if need_b and has_bias:
        db = new_array(&db_, x_.dtype, 1, &g.C)
    workspace = _conv_transpose_workspace(&g, 0, need_w, x_.dtype)
    with nogil:
        fnn_conv_transpose2d_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, w_.data,
                                                workspace.data, &g)
    return dx, dw, db
