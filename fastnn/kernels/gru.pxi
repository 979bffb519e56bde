# gru.pxi -- calls of csrc/gru.c

cdef extern from "fastnn.h" nogil:
    void (*fnn_gru_forward[2])(void *y, void *hT, void *gates, const void *x, const void *h0, const void *w_ih,
                               const void *w_hh, const void *b_ih, const void *b_hh, void *work, Py_ssize_t T,
                               Py_ssize_t B, Py_ssize_t I, Py_ssize_t H, int reverse)
    void (*fnn_gru_backward[2])(void *dx, void *dh0, void *dw_ih, void *dw_hh, void *db_ih, void *db_hh,
                                const void *dy, const void *dhT, const void *x, const void *h0, const void *w_ih,
                                const void *w_hh, const void *y, const void *gates, void *work, Py_ssize_t T,
                                Py_ssize_t B, Py_ssize_t I, Py_ssize_t H, int reverse)


cdef object _gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, bint sequence, bint reverse):
    """(y, hT, saved); of a cell (sequence=False, x without the axis of time) y is the new h, and hT is None."""
    cdef Array x_, h0_, w_ih_, w_hh_, b_ih_, b_hh_, y_, hT_, gates_
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
    shape[lead] = fnn_recurrent_pitch(4 * H)
    gates = new_array(&gates_, x_.dtype, lead + 1, shape)
    hT = _wanted(sequence, &hT_, &h0_)
    cdef Workspace work = Workspace(fnn_recurrent_forward_work(3, B, H) * (4 if x_.dtype == FNN_F32 else 8))
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no memory for the kernels' scratch")
    with nogil:
        fnn_gru_forward[x_.dtype](y_.data, hT_.data, gates_.data, x_.data, h0_.data, w_ih_.data, w_hh_.data,
                                  b_ih_.data, b_hh_.data, work.data, T, B, I, H, reverse)
    return y, hT, (x, h0, w_ih, w_hh, b_ih is not None, b_hh is not None, y, gates)


cdef object _gru_backward(dy, dhT, saved, needs, bint sequence, bint reverse):
    cdef Array x_, h0_, w_ih_, w_hh_, y_, gates_, dy_, dhT_, dx_, dh0_, dw_ih_, dw_hh_, db_ih_, db_hh_
    cdef Py_ssize_t shape[1]
    x, h0, w_ih, w_hh, has_b_ih, has_b_hh, y, gates = saved
    x = open_array(x, &x_)
    h0 = open_array(h0, &h0_)
    w_ih = open_array(w_ih, &w_ih_)
    w_hh = open_array(w_hh, &w_hh_)
    y = open_array(y, &y_)
    gates = open_array(gates, &gates_)
    dy = open_optional(dy, &dy_)
    dhT = open_optional(dhT, &dhT_)
    cdef Py_ssize_t T = x_.shape[0] if sequence else 1, B = h0_.shape[0], H = h0_.shape[1], I = w_ih_.shape[1]
    dx = _wanted(needs[0], &dx_, &x_)
    dh0 = _wanted(needs[1], &dh0_, &h0_)
    dw_ih = _wanted(needs[2], &dw_ih_, &w_ih_)
    dw_hh = _wanted(needs[3], &dw_hh_, &w_hh_)
    shape[0] = 3 * H
    db_ih = new_array(&db_ih_, x_.dtype, 1, shape) if needs[4] and has_b_ih else open_optional(None, &db_ih_)
    db_hh = new_array(&db_hh_, x_.dtype, 1, shape) if needs[5] and has_b_hh else open_optional(None, &db_hh_)
    cdef Workspace work = Workspace(fnn_recurrent_work(3, 4, T, B, I, H) * (4 if x_.dtype == FNN_F32 else 8))
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no memory for the kernels' scratch")
    with nogil:
        fnn_gru_backward[x_.dtype](dx_.data, dh0_.data, dw_ih_.data, dw_hh_.data, db_ih_.data, db_hh_.data, dy_.data,
                                   dhT_.data, x_.data, h0_.data, w_ih_.data, w_hh_.data, y_.data, gates_.data,
                                   work.data, T, B, I, H, reverse)
    return dx, dh0, dw_ih, dw_hh, db_ih, db_hh


def gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, *, reverse):
    y, hT, saved = _gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, True, reverse)
    return (y, hT), saved


def gru_backward(dy, saved, needs=(True,) * 6, *, reverse):
    dy, dhT = dy
    return _gru_backward(dy, dhT, saved, needs, True, reverse)


def gru_cell_forward(x, h, w_ih, w_hh, b_ih, b_hh):
    new_h, _, saved = _gru_forward(x, h, w_ih, w_hh, b_ih, b_hh, False, False)
    return new_h, saved


def gru_cell_backward(dy, saved, needs=(True,) * 6):
    return _gru_backward(dy, None, saved, needs, False, False)
