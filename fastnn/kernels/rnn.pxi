# rnn.pxi -- calls of csrc/rnn.c

cdef extern from "fastnn.h" nogil:
    void (*fnn_rnn_forward[2])(void *y, void *hT, const void *x, const void *h0, const void *w_ih, const void *w_hh,
                               const void *b_ih, const void *b_hh, void *work, Py_ssize_t T, Py_ssize_t B, Py_ssize_t I,
                               Py_ssize_t H, int reverse, int relu)
    void (*fnn_rnn_backward[2])(void *dx, void *dh0, void *dw_ih, void *dw_hh, void *db, const void *dy, const void *dhT,
                                const void *x, const void *h0, const void *w_ih, const void *w_hh, const void *y,
                                void *work, Py_ssize_t T, Py_ssize_t B, Py_ssize_t I, Py_ssize_t H, int reverse, int relu)


cdef object _rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, bint sequence, bint reverse, bint relu):
    """(y, hT, saved); of a cell (sequence=False, x without the axis of time) y is the new h, and hT is None."""
    cdef Array x_, h0_, w_ih_, w_hh_, b_ih_, b_hh_, y_, hT_
    cdef Py_ssize_t shape[3]
    x = open_array(x, &x_)
    h0 = open_array(h0, &h0_)
    w_ih = open_array(w_ih, &w_ih_)
    w_hh = open_array(w_hh, &w_hh_)
    b_ih = open_optional(b_ih, &b_ih_)
    b_hh = open_optional(b_hh, &b_hh_)
    cdef int lead = 2 if sequence else 1
    cdef Py_ssize_t T = x_.shape[0] if sequence else 1, B = h0_.shape[0], H = h0_.shape[1], I = w_ih_.shape[1]
    shape[0], shape[1] = x_.shape[0], x_.shape[1]
    shape[lead] = H
    y = new_array(&y_, x_.dtype, lead + 1, shape)
    hT = _wanted(sequence, &hT_, &h0_)
    cdef Workspace work = Workspace(fnn_recurrent_forward_work(1, B, H) * (4 if x_.dtype == FNN_F32 else 8))
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no memory for the kernels' scratch")
    with nogil:
        fnn_rnn_forward[x_.dtype](y_.data, hT_.data, x_.data, h0_.data, w_ih_.data, w_hh_.data, b_ih_.data, b_hh_.data,
                                  work.data, T, B, I, H, reverse, relu)
    return y, hT, (x, h0, w_ih, w_hh, b_ih is not None, b_hh is not None, y)


cdef object _rnn_backward(dy, dhT, saved, needs, bint sequence, bint reverse, bint relu):
    cdef Array x_, h0_, w_ih_, w_hh_, y_, dy_, dhT_, dx_, dh0_, dw_ih_, dw_hh_, db_
    cdef Py_ssize_t shape[1]
    x, h0, w_ih, w_hh, has_b_ih, has_b_hh, y = saved
    x = open_array(x, &x_)
    h0 = open_array(h0, &h0_)
    w_ih = open_array(w_ih, &w_ih_)
    w_hh = open_array(w_hh, &w_hh_)
    y = open_array(y, &y_)
    dy = open_optional(dy, &dy_)
    dhT = open_optional(dhT, &dhT_)
    cdef Py_ssize_t T = x_.shape[0] if sequence else 1, B = h0_.shape[0], H = h0_.shape[1], I = w_ih_.shape[1]
    dx = _wanted(needs[0], &dx_, &x_)
    dh0 = _wanted(needs[1], &dh0_, &h0_)
    dw_ih = _wanted(needs[2], &dw_ih_, &w_ih_)
    dw_hh = _wanted(needs[3], &dw_hh_, &w_hh_)
    cdef bint of_ih = needs[4] and has_b_ih, of_hh = needs[5] and has_b_hh
    shape[0] = H
    db = new_array(&db_, x_.dtype, 1, shape) if of_ih or of_hh else open_optional(None, &db_)
    cdef Workspace work = Workspace(fnn_recurrent_work(1, 1, T, B, I, H) * (4 if x_.dtype == FNN_F32 else 8))
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no memory for the kernels' scratch")
    with nogil:
        fnn_rnn_backward[x_.dtype](dx_.data, dh0_.data, dw_ih_.data, dw_hh_.data, db_.data, dy_.data, dhT_.data, x_.data,
                                   h0_.data, w_ih_.data, w_hh_.data, y_.data, work.data, T, B, I, H, reverse, relu)
    # both biases enter the same sum: one gradient, but each in memory of its own
    return dx, dh0, dw_ih, dw_hh, db if of_ih else None, None if not of_hh else db.copy() if of_ih else db


def rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, *, reverse, relu):
    y, hT, saved = _rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, True, reverse, relu)
    return (y, hT), saved


def rnn_backward(dy, saved, needs=(True,) * 6, *, reverse, relu):
    dy, dhT = dy
    return _rnn_backward(dy, dhT, saved, needs, True, reverse, relu)


def rnn_cell_forward(x, h, w_ih, w_hh, b_ih, b_hh, *, relu):
    new_h, _, saved = _rnn_forward(x, h, w_ih, w_hh, b_ih, b_hh, False, False, relu)
    return new_h, saved


def rnn_cell_backward(dy, saved, needs=(True,) * 6, *, relu):
    return _rnn_backward(dy, None, saved, needs, False, False, relu)
