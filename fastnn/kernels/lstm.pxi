# lstm.pxi -- calls of csrc/recurrent/lstm.c. fnn_lstm_forward[2] and fnn_lstm_backward[2] are
# pointers, for float and double, to the best version for this processor: csrc/recurrent/lstm.h.


cdef object _lstm_forward(x, h0, c0, w_ih, w_hh, b_ih, b_hh, bint sequence, bint reverse):
    """(y, hT, cT, saved). Of a cell (sequence=False, x without the axis of time) y is the new h,
    and hT and cT are None."""
    cdef Recurrence r
    cdef Array c0_, y_, hT_, cT_, gates_, cells_
    x, h0, w_ih, w_hh, b_ih, b_hh = _open_recurrence(&r, x, h0, w_ih, w_hh, b_ih, b_hh, sequence, 4)
    c0 = open_array(c0, &c0_)
    need(matches(&c0_, &r.h0))
    y = _over_steps(&r, &y_, r.H)
    cells = _over_steps(&r, &cells_, r.H)
    gates = _over_steps(&r, &gates_, fnn_gates_pitch(4, r.H))
    hT = _wanted(sequence, &hT_, &r.h0)
    cT = _wanted(sequence, &cT_, &r.h0)
    cdef Workspace work = _recurrent_workspace(&r, fnn_recurrent_forward_work(4, r.B, r.H))
    with nogil:
        fnn_lstm_forward[r.x.dtype](y_.data, hT_.data, cT_.data, gates_.data, cells_.data, r.x.data, r.h0.data,
                                    c0_.data, r.w_ih.data, r.w_hh.data, r.b_ih.data, r.b_hh.data, work.data, r.T, r.B,
                                    r.I, r.H, reverse)
    return y, hT, cT, (x, h0, c0, w_ih, w_hh, b_ih is not None, b_hh is not None, y, gates, cells)


cdef object _lstm_backward(dy, dhT, dcT, saved, needs, bint sequence, bint reverse):
    cdef Recurrence r
    cdef Array c0_, y_, gates_, cells_, dy_, dhT_, dcT_, dx_, dh0_, dc0_, dw_ih_, dw_hh_, db_
    x, h0, c0, w_ih, w_hh, has_b_ih, has_b_hh, y, gates, cells = saved
    x, h0, w_ih, w_hh, _, _ = _open_recurrence(&r, x, h0, w_ih, w_hh, None, None, sequence, 4)
    c0 = open_array(c0, &c0_)
    y = open_array(y, &y_)
    gates = open_array(gates, &gates_)
    cells = open_array(cells, &cells_)
    dy = open_optional(dy, &dy_)
    dhT = open_optional(dhT, &dhT_)
    dcT = open_optional(dcT, &dcT_)
    need(matches(&c0_, &r.h0) and _has_width(&r, &y_, r.H) and _has_width(&r, &gates_, fnn_gates_pitch(4, r.H))
         and _has_width(&r, &cells_, r.H) and _has_width(&r, &dy_, r.H) and matches(&dhT_, &r.h0)
         and matches(&dcT_, &r.h0))
    dx = _wanted(needs[0], &dx_, &r.x)
    dh0 = _wanted(needs[1], &dh0_, &r.h0)
    dc0 = _wanted(needs[2], &dc0_, &c0_)
    dw_ih = _wanted(needs[3], &dw_ih_, &r.w_ih)
    dw_hh = _wanted(needs[4], &dw_hh_, &r.w_hh)
    cdef bint of_ih = needs[5] and has_b_ih, of_hh = needs[6] and has_b_hh
    db = _bias_gradient(&r, of_ih or of_hh, &db_, 4)
    cdef Workspace work = _recurrent_workspace(&r, fnn_recurrent_work(4, r.T, r.B, r.I, r.H))
    with nogil:
        fnn_lstm_backward[r.x.dtype](dx_.data, dh0_.data, dc0_.data, dw_ih_.data, dw_hh_.data, db_.data,
                                     dy_.data, dhT_.data, dcT_.data, r.x.data, r.h0.data, c0_.data, r.w_ih.data,
                                     r.w_hh.data, y_.data, gates_.data, cells_.data, work.data, r.T, r.B, r.I, r.H,
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
