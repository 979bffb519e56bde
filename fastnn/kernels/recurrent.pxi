# recurrent.pxi -- what lstm.pxi, gru.pxi and rnn.pxi share: opening the arguments, arrays over the
# steps, workspace. How rows lie and what the kernels need, csrc/recurrent/recurrent.h says.

cdef extern from "fastnn.h" nogil:
    Py_ssize_t fnn_gates_pitch(Py_ssize_t gates, Py_ssize_t H)
    int64_t fnn_recurrent_forward_work(Py_ssize_t gates, Py_ssize_t B, Py_ssize_t H)
    int64_t fnn_recurrent_work(Py_ssize_t gates, Py_ssize_t T, Py_ssize_t B, Py_ssize_t I, Py_ssize_t H)


def recurrent_workspace(Py_ssize_t gates, Py_ssize_t T, Py_ssize_t B, Py_ssize_t I, Py_ssize_t H):
    """Elements of workspace that backward takes, of LSTM, GRU or RNN: 4, 3 or 1 gates."""
    return fnn_recurrent_work(gates, T, B, I, H)


cdef struct Recurrence:
    Array x, h0, w_ih, w_hh, b_ih, b_hh
    Py_ssize_t T, B, I, H
    int axes            # of an array over the steps: 3, or 2 of a cell, which has no axis of time


cdef tuple _open_recurrence(Recurrence *r, x, h0, w_ih, w_hh, b_ih, b_hh, bint sequence, int gates):
    """Fill `r`, and return the six objects that must stay referenced while it is in use."""
    x = open_array(x, &r.x)
    h0 = open_array(h0, &r.h0)
    w_ih = open_array(w_ih, &r.w_ih)
    w_hh = open_array(w_hh, &r.w_hh)
    b_ih = open_optional(b_ih, &r.b_ih)
    b_hh = open_optional(b_hh, &r.b_hh)
    r.axes = 3 if sequence else 2
    need(r.x.ndim == r.axes and r.h0.ndim == 2 and r.w_ih.ndim == 2)
    r.T = r.x.shape[0] if sequence else 1
    r.B, r.H, r.I = r.h0.shape[0], r.h0.shape[1], r.w_ih.shape[1]
    need(has_size(&r.x, r.x.dtype, r.T * r.B * r.I) and has_size(&r.h0, r.x.dtype, r.B * r.H)
         and has_size(&r.w_ih, r.x.dtype, gates * r.H * r.I) and has_size(&r.w_hh, r.x.dtype, gates * r.H * r.H)
         and has_size(&r.b_ih, r.x.dtype, gates * r.H) and has_size(&r.b_hh, r.x.dtype, gates * r.H))
    return x, h0, w_ih, w_hh, b_ih, b_hh


cdef object _over_steps(const Recurrence *r, Array *out, Py_ssize_t width):
    """A result with `width` numbers for each step and sequence."""
    cdef Py_ssize_t shape[3]
    shape[0], shape[1], shape[2] = r.T, r.B, width
    return new_array(out, r.x.dtype, r.axes, &shape[3 - r.axes])


cdef bint _has_width(const Recurrence *r, const Array *a, Py_ssize_t width) noexcept:
    """Whether `a` has `width` numbers for each step and sequence."""
    return has_size(a, r.x.dtype, r.T * r.B * width)


cdef object _bias_gradient(const Recurrence *r, bint wanted, Array *out, int gates):
    cdef Py_ssize_t length = gates * r.H
    return new_array(out, r.x.dtype, 1, &length) if wanted else open_optional(None, out)


cdef Workspace _recurrent_workspace(const Recurrence *r, int64_t elements):
    scratch_ready()
    return Workspace(elements * item_bytes(r.x.dtype))
