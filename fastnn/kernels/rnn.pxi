# rnn.pxi -- calls of csrc/recurrent/rnn.c. fnn_rnn_forward[2] and fnn_rnn_backward[2] are pointers,
# for float and double, to the best version for this processor: csrc/recurrent/rnn.h.


cdef object _rnn_forward(x, h0, w_ih, w_hh, b_ih, b_hh, bint sequence, bint reverse, bint relu):
    """(y, hT, saved). Of a cell (sequence=False, x without the axis of time) y is the new h, and
    hT is None."""
    cdef Recurrence r
    cdef Array y_, hT_
    x, h0, w_ih, w_hh, b_ih, b_hh = _open_recurrence(&r, x, h0, w_ih, w_hh, b_ih, b_hh, sequence, 1)
    y = _over_steps(&r, &y_, r.H)
    hT = _wanted(sequence, &hT_, &r.h0)
    cdef Workspace work = _recurrent_workspace(&r, fnn_recurrent_forward_work(1, r.B, r.H))
    with nogil:
        fnn_rnn_forward[r.x.dtype](y_.data, hT_.data, r.x.data, r.h0.data, r.w_ih.data, r.w_hh.data, r.b_ih.data,
                                   r.b_hh.data, work.data, r.T, r.B, r.I, r.H, reverse, relu)
    return y, hT, (x, h0, w_ih, w_hh, b_ih is not None, b_hh is not None, y)


cdef object _rnn_backward(dy, dhT, saved, needs, bint sequence, bint reverse, bint relu):
    cdef Recurrence r
    cdef Array y_, dy_, dhT_, dx_, dh0_, dw_ih_, dw_hh_, db_
    x, h0, w_ih, w_hh, has_b_ih, has_b_hh, y = saved
    x, h0, w_ih, w_hh, _, _ = _open_recurrence(&r, x, h0, w_ih, w_hh, None, None, sequence, 1)
    y = open_array(y, &y_)
    dy = open_optional(dy, &dy_)
    dhT = open_optional(dhT, &dhT_)
    need(_has_width(&r, &y_, r.H) and _has_width(&r, &dy_, r.H) and matches(&dhT_, &r.h0))
    dx = _wanted(needs[0], &dx_, &r.x)
    dh0 = _wanted(needs[1], &dh0_, &r.h0)
    dw_ih = _wanted(needs[2], &dw_ih_, &r.w_ih)
    dw_hh = _wanted(needs[3], &dw_hh_, &r.w_hh)
    cdef bint of_ih = needs[4] and has_b_ih, of_hh = needs[5] and has_b_hh
    db = _bias_gradient(&r, of_ih or of_hh, &db_, 1)
    cdef Workspace work = _recurrent_workspace(&r, fnn_recurrent_work(1, r.T, r.B, r.I, r.H))
    with nogil:
        fnn_rnn_backward[r.x.dtype](dx_.data, dh0_.data, dw_ih_.data, dw_hh_.data, db_.data, dy_.data, dhT_.data,
                                    r.x.data, r.h0.data, r.w_ih.data, r.w_hh.data, y_.data, work.data, r.T, r.B, r.I,
                                    r.H, reverse, relu)
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
