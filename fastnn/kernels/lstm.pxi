# lstm.pxi -- calls of csrc/lstm.c

cdef extern from "fastnn.h" nogil:
    Py_ssize_t fnn_recurrent_pitch(Py_ssize_t width)
    Py_ssize_t fnn_recurrent_forward_work(Py_ssize_t gates, Py_ssize_t B, Py_ssize_t H)
    Py_ssize_t fnn_recurrent_work(Py_ssize_t gates, Py_ssize_t pieces, Py_ssize_t T, Py_ssize_t B, Py_ssize_t I, Py_ssize_t H)
    void (*fnn_lstm_forward[2])(void *y, void *hT, void *cT, void *gates, void *cells, const void *x,
                                const void *h0, const void *c0, const void *w_ih, const void *w_hh,
                                const void *b_ih, const void *b_hh, void *work, Py_ssize_t T, Py_ssize_t B,
                                Py_ssize_t I, Py_ssize_t H, int reverse)
    void (*fnn_lstm_backward[2])(void *dx, void *dh0, void *dc0, void *dw_ih, void *dw_hh, void *db,
                                 const void *dy, const void *dhT, const void *dcT, const void *x,
                                 const void *h0, const void *c0, const void *w_ih, const void *w_hh,
                                 const void *y, const void *gates, const void *cells, void *work, Py_ssize_t T,
                                 Py_ssize_t B, Py_ssize_t I, Py_ssize_t H, int reverse)


cdef object _lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, bint sequence, bint reverse):
    """(y, hT, cT, saved); of a cell (sequence=False, x without the axis of time) y is the new h, and hT and cT are None."""
    cdef Array x_, h0_, c0_, w_ih_, w_hh_, b_ih_, b_hh_, y_, hT_, cT_, gates_, cells_
    cdef Py_ssize_t shape[3]
    x = open_array(x, &x_)
    h0 = open_array(h0, &h0_)
    c0 = open_array(c0, &c0_)
    w_ih = open_array(w_ih, &w_ih_)
    w_hh = open_array(w_hh, &w_hh_)
    b_ih = open_optional(b_ih, &b_ih_)
    b_hh = open_optional(b_hh, &b_hh_)
    cdef int lead = 2 if sequence else 1
    cdef Py_ssize_t T = x_.shape[0] if sequence else 1, B = h0_.shape[0], H = h0_.shape[1], I = w_ih_.shape[1]
    shape[0], shape[1] = x_.shape[0], x_.shape[1]
    shape[lead] = H
    y = new_array(&y_, x_.dtype, lead + 1, shape)
    cells = new_array(&cells_, x_.dtype, lead + 1, shape)
    shape[lead] = fnn_recurrent_pitch(4 * H)
    gates = new_array(&gates_, x_.dtype, lead + 1, shape)
    hT = _wanted(sequence, &hT_, &h0_)
    cT = _wanted(sequence, &cT_, &c0_)
    cdef Workspace work = Workspace(fnn_recurrent_forward_work(4, B, H) * (4 if x_.dtype == FNN_F32 else 8))
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no memory for the kernels' scratch")
    with nogil:
        fnn_lstm_forward[x_.dtype](y_.data, hT_.data, cT_.data, gates_.data, cells_.data, x_.data, h0_.data,
                                   c0_.data, w_ih_.data, w_hh_.data, b_ih_.data, b_hh_.data, work.data, T, B, I,
                                   H, reverse)
    return y, hT, cT, (x, h0, c0, w_ih, w_hh, b_ih is not None, b_hh is not None, y, gates, cells)


cdef object _lstm_backward(dy, dhT, dcT, saved, needs, bint sequence, bint reverse):
    cdef Array x_, h0_, c0_, w_ih_, w_hh_, y_, gates_, cells_, dy_, dhT_, dcT_, dx_, dh0_, dc0_, dw_ih_, dw_hh_, db_
    cdef Py_ssize_t shape[1]
    x, h0, c0, w_ih, w_hh, has_b_ih, has_b_hh, y, gates, cells = saved
    x = open_array(x, &x_)
    h0 = open_array(h0, &h0_)
    c0 = open_array(c0, &c0_)
    w_ih = open_array(w_ih, &w_ih_)
    w_hh = open_array(w_hh, &w_hh_)
    y = open_array(y, &y_)
    gates = open_array(gates, &gates_)
    cells = open_array(cells, &cells_)
    dy = open_optional(dy, &dy_)
    dhT = open_optional(dhT, &dhT_)
    dcT = open_optional(dcT, &dcT_)
    cdef Py_ssize_t T = x_.shape[0] if sequence else 1, B = h0_.shape[0], H = h0_.shape[1], I = w_ih_.shape[1]
    dx = _wanted(needs[0], &dx_, &x_)
    dh0 = _wanted(needs[1], &dh0_, &h0_)
    dc0 = _wanted(needs[2], &dc0_, &c0_)
    dw_ih = _wanted(needs[3], &dw_ih_, &w_ih_)
    dw_hh = _wanted(needs[4], &dw_hh_, &w_hh_)
    cdef bint of_ih = needs[5] and has_b_ih, of_hh = needs[6] and has_b_hh
    shape[0] = 4 * H
    db = new_array(&db_, x_.dtype, 1, shape) if of_ih or of_hh else open_optional(None, &db_)
    cdef Workspace work = Workspace(fnn_recurrent_work(4, 4, T, B, I, H) * (4 if x_.dtype == FNN_F32 else 8))
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no memory for the kernels' scratch")
    with nogil:
        fnn_lstm_backward[x_.dtype](dx_.data, dh0_.data, dc0_.data, dw_ih_.data, dw_hh_.data, db_.data,
                                    dy_.data, dhT_.data, dcT_.data, x_.data, h0_.data, c0_.data, w_ih_.data,
                                    w_hh_.data, y_.data, gates_.data, cells_.data, work.data, T, B, I, H,
                                    reverse)
    # both biases enter the same sum: one gradient, but each in memory of its own
    return dx, dh0, dc0, dw_ih, dw_hh, db if of_ih else None, None if not of_hh else db.copy() if of_ih else db


def lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, *, reverse):
    y, hT, cT, saved = _lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, True, reverse)
    return (y, hT, cT), saved


def lstm_backward(dy, saved, needs=(True,) * 7, *, reverse):
    dy, dhT, dcT = dy
    return _lstm_backward(dy, dhT, dcT, saved, needs, True, reverse)


def lstm_cell_forward(x, h, c, w_ih, w_hh, b_ih, b_hh):
    new_h, _, _, saved = _lstm_forward(x, h, c, w_ih, w_hh, b_ih, b_hh, False, False)
    return (new_h, saved[9]), saved


def lstm_cell_backward(dy, saved, needs=(True,) * 7):
    dh, dc = dy
    return _lstm_backward(dh, None, dc, saved, needs, False, False)
