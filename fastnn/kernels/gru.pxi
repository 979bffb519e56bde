# gru.pxi -- calls of csrc/recurrent/gru.c. fnn_gru_forward[2] and fnn_gru_backward[2] are pointers,
# for float and double, to the best version for this processor: csrc/recurrent/gru.h.


cdef object _gru_forward(x, h0, w_ih, w_hh, b_ih, b_hh, bint sequence, bint reverse):
    """(y, hT, saved). Of a cell (sequence=False, x without the axis of time) y is the new h, and
    hT is None."""
    cdef Recurrence r
    cdef Array y_, hT_, gates_
    x, h0, w_ih, w_hh, b_ih, b_hh = _open_recurrence(&r, x, h0, w_ih, w_hh, b_ih, b_hh, sequence, 3)
    y = _over_steps(&r, &y_, r.H)
    gates = _over_steps(&r, &gates_, fnn_gates_pitch(3, r.H))
    hT = _wanted(sequence, &hT_, &r.h0)
    cdef Workspace work = _recurrent_workspace(&r, fnn_recurrent_forward_work(3, r.B, r.H))
    with nogil:
        fnn_gru_forward[r.x.dtype](y_.data, hT_.data, gates_.data, r.x.data, r.h0.data, r.w_ih.data, r.w_hh.data,
                                   r.b_ih.data, r.b_hh.data, work.data, r.T, r.B, r.I, r.H, reverse)
    return y, hT, (x, h0, w_ih, w_hh, b_ih is not None, b_hh is not None, y, gates)


cdef object _gru_backward(dy, dhT, saved, needs, bint sequence, bint reverse):
    cdef Recurrence r
    cdef Array y_, gates_, dy_, dhT_, dx_, dh0_, dw_ih_, dw_hh_, db_ih_, db_hh_
    x, h0, w_ih, w_hh, has_b_ih, has_b_hh, y, gates = saved
    x, h0, w_ih, w_hh, _, _ = _open_recurrence(&r, x, h0, w_ih, w_hh, None, None, sequence, 3)
    y = open_array(y, &y_)
    gates = open_array(gates, &gates_)
    dy = open_optional(dy, &dy_)
    dhT = open_optional(dhT, &dhT_)
    need(_has_width(&r, &y_, r.H) and _has_width(&r, &gates_, fnn_gates_pitch(3, r.H)) and _has_width(&r, &dy_, r.H)
         and matches(&dhT_, &r.h0))
    dx = _wanted(needs[0], &dx_, &r.x)
    dh0 = _wanted(needs[1], &dh0_, &r.h0)
    dw_ih = _wanted(needs[2], &dw_ih_, &r.w_ih)
    dw_hh = _wanted(needs[3], &dw_hh_, &r.w_hh)
    db_ih = _bias_gradient(&r, needs[4] and has_b_ih, &db_ih_, 3)
    db_hh = _bias_gradient(&r, needs[5] and has_b_hh, &db_hh_, 3)
    cdef Workspace work = _recurrent_workspace(&r, fnn_recurrent_work(3, r.T, r.B, r.I, r.H))
    with nogil:
        fnn_gru_backward[r.x.dtype](dx_.data, dh0_.data, dw_ih_.data, dw_hh_.data, db_ih_.data, db_hh_.data, dy_.data,
                                    dhT_.data, r.x.data, r.h0.data, r.w_ih.data, r.w_hh.data, y_.data, gates_.data,
                                    work.data, r.T, r.B, r.I, r.H, reverse)
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
