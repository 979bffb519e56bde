# ladder.pxi -- calls of csrc/ladder/ladder.c: steps on the way to six kernels, by number (the enums
# of csrc/ladder/ladder.h). For fastnn/bench/ladder.py.


def ladder_gemm(a, b, int step):
    """a [m][k] times b [k][n]"""
    cdef Array a_, b_, c_
    cdef Py_ssize_t shape[2]
    a, b = open_array(a, &a_), open_array(b, &b_)
    need(a_.ndim == 2 and b_.ndim == 2 and a_.dtype == b_.dtype and a_.shape[1] == b_.shape[0])
    shape[0], shape[1] = a_.shape[0], b_.shape[1]
    c = new_array(&c_, a_.dtype, 2, shape)
    with nogil:
        fnn_ladder_gemm[a_.dtype](c_.data, a_.data, b_.data, a_.shape[0], b_.shape[1], b_.shape[0], step)
    return c


def ladder_conv2d(x, w, stride, padding, int step):
    """conv2d without bias, groups and dilation; padding ((top, bottom), (left, right))"""
    cdef Array x_, w_, y_
    cdef fnn_window g
    cdef Py_ssize_t shape[4]
    scratch_ready()
    x, w = open_array(x, &x_), open_array(w, &w_)
    _conv_window(&g, &x_, &w_, stride, padding, (1, 1), 1)
    shape[0], shape[1], shape[2], shape[3] = g.N, g.K, g.P, g.Q
    y = new_array(&y_, x_.dtype, 4, shape)
    cdef Workspace cols = Workspace(<int64_t>g.C * g.R * g.S * g.P * g.Q * item_bytes(x_.dtype))
    with nogil:
        fnn_ladder_conv2d[x_.dtype](y_.data, x_.data, w_.data, cols.data, &g, step)
    return y


def ladder_max_pool2d(x, kernel_size, stride, padding, int step):
    """max_pool2d and the places of the maxima"""
    cdef Array x_, y_, argmax_
    cdef fnn_window g
    x = open_array(x, &x_)
    need(x_.ndim == 4)
    output = _pool_output(x.shape[2:], kernel_size, stride, padding, (1, 1), False)
    fill_window(&g, x_.shape, kernel_size, output, stride, padding, (1, 1))
    y, argmax = _pool_planes(&y_, x_.dtype, &g), _pool_planes(&argmax_, b'i', &g)
    with nogil:
        fnn_ladder_max_pool2d[x_.dtype](y_.data, <int32_t *>argmax_.data, x_.data, &g, step)
    return y, argmax


def ladder_softmax(x, int step):
    """softmax of each row of a matrix"""
    cdef Array x_, y_
    x = open_array(x, &x_)
    need(x_.ndim == 2)
    y = new_array(&y_, x_.dtype, 2, x_.shape)
    with nogil:
        fnn_ladder_softmax[x_.dtype](y_.data, x_.data, x_.shape[0], x_.shape[1], step)
    return y


def ladder_lstm(x, h0, c0, w_ih, w_hh, b, int step):
    """All h of a sequence x [T][B][I]"""
    cdef Array x_, h0_, c0_, w_ih_, w_hh_, b_, y_
    cdef Py_ssize_t shape[3]
    scratch_ready()
    x, h0, c0 = open_array(x, &x_), open_array(h0, &h0_), open_array(c0, &c0_)
    w_ih, w_hh, b = open_array(w_ih, &w_ih_), open_array(w_hh, &w_hh_), open_array(b, &b_)
    need(x_.ndim == 3 and h0_.ndim == 2)
    shape[0], shape[1], shape[2] = x_.shape[0], x_.shape[1], h0_.shape[1]
    need(has_size(&h0_, x_.dtype, shape[1] * shape[2]) and matches(&c0_, &h0_)
         and has_size(&w_ih_, x_.dtype, 4 * shape[2] * x_.shape[2])
         and has_size(&w_hh_, x_.dtype, 4 * shape[2] * shape[2]) and has_size(&b_, x_.dtype, 4 * shape[2]))
    y = new_array(&y_, x_.dtype, 3, shape)
    cdef Workspace work = Workspace(<int64_t>(4 * shape[0] + 1) * shape[1] * shape[2] * item_bytes(x_.dtype))
    with nogil:
        fnn_ladder_lstm[x_.dtype](y_.data, x_.data, h0_.data, c0_.data, w_ih_.data, w_hh_.data, b_.data, work.data,
                                  shape[0], shape[1], x_.shape[2], shape[2], step)
    return y


def ladder_attention(q, k, v, double scale, int step):
    """Causal attention of q, k, v [items][T][HS]"""
    cdef Array q_, k_, v_, y_
    scratch_ready()
    q, k, v = open_array(q, &q_), open_array(k, &k_), open_array(v, &v_)
    need(q_.ndim == 3 and matches(&k_, &q_) and matches(&v_, &q_))
    y = new_array(&y_, q_.dtype, 3, q_.shape)
    cdef Workspace work = Workspace(<int64_t>q_.shape[1] * q_.shape[1] * item_bytes(q_.dtype))
    with nogil:
        fnn_ladder_attention[q_.dtype](y_.data, q_.data, k_.data, v_.data, work.data, q_.shape[0], q_.shape[1],
                                       q_.shape[2], scale, step)
    return y
