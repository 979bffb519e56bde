# attention.pxi -- calls of csrc/attention.c

cdef extern from "fastnn.h" nogil:
    enum: FNN_NO_MASK, FNN_ALLOW_MASK, FNN_ADD_MASK
    ctypedef struct fnn_attention:
        Py_ssize_t items, T, U, HS, HV
        const Py_ssize_t *q_of
        const Py_ssize_t *k_of
        const Py_ssize_t *v_of
        const Py_ssize_t *mask_of
        const void *mask
        int mask_kind
        Py_ssize_t mask_size, mask_rs, mask_cs
        double scale
        int causal
        double dropout
        uint64_t dropout_key, dropout_call
    void (*fnn_attention_forward[2])(void *y, void *top, void *total, const void *q, const void *k, const void *v,
                                     const fnn_attention *about)
    void (*fnn_attention_backward[2])(void *dq, void *dk, void *dv, void *dmask, const void *dy, const void *y, const void *top,
                                      const void *total, const void *q, const void *k, const void *v, void *pull,
                                      const fnn_attention *about)

cdef object _intp = np.dtype(np.intp)


cdef tuple _leading(a):
    """The dimensions before the last two."""
    return a.shape[:max(len(a.shape) - 2, 0)]


cdef class _Attention:
    """The arrays of one call, opened, and what the kernel wants to know about them."""
    cdef fnn_attention about
    cdef Array q, k, v, mask
    cdef object kept                # what `about` points into
    cdef readonly tuple lead        # the leading dimensions, broadcast together
    cdef readonly object q_array, k_array, v_array, mask_array

    def __init__(self, q, k, v, mask, bint is_causal, double scale, double dropout_p, uint64_t key, uint64_t call):
        cdef fnn_attention *about = &self.about
        memset(about, 0, sizeof(fnn_attention))
        self.q_array = q = open_array(q, &self.q)
        self.k_array = k = open_array(k, &self.k)
        self.v_array = v = open_array(v, &self.v)
        self.mask_array = mask = open_optional(mask, &self.mask)
        self.kept = []
        self.lead = np.broadcast_shapes(_leading(q), _leading(k), _leading(v))
        about.items = 1
        for n in self.lead:
            about.items *= n
        about.T, about.HS = self.q.shape[self.q.ndim - 2], self.q.shape[self.q.ndim - 1]
        about.U, about.HV = self.v.shape[self.v.ndim - 2], self.v.shape[self.v.ndim - 1]
        about.q_of = self.matrices(_leading(q))
        about.k_of = self.matrices(_leading(k))
        about.v_of = self.matrices(_leading(v))
        about.mask_kind = FNN_NO_MASK
        if mask is not None:
            rows = self.mask.shape[self.mask.ndim - 2] if self.mask.ndim > 1 else 1
            columns = self.mask.shape[self.mask.ndim - 1] if self.mask.ndim > 0 else 1
            about.mask = self.mask.data
            about.mask_kind = FNN_ADD_MASK if self.mask.dtype == self.q.dtype else FNN_ALLOW_MASK
            about.mask_size = rows * columns
            about.mask_rs = columns if rows > 1 else 0
            about.mask_cs = 1 if columns > 1 else 0
            about.mask_of = self.matrices(_leading(mask))
        about.scale = scale
        about.causal = is_causal
        about.dropout = dropout_p
        about.dropout_key = key
        about.dropout_call = call

    cdef const Py_ssize_t *matrices(self, shape) except? NULL:
        """For each item the number of its matrix in an array with the leading dimensions `shape`; NULL where that is the item's own."""
        if shape == self.lead:
            return NULL
        count = 1
        for n in shape:
            count *= n
        of = np.ascontiguousarray(_broadcast_to(np.arange(count, dtype=_intp).reshape(shape), self.lead))
        self.kept.append(of)
        return <const Py_ssize_t *><uintptr_t>of.ctypes.data

    cdef object new(self, Array *out, Py_ssize_t rows, Py_ssize_t columns=-1):
        """A result with the leading dimensions and one or two more."""
        cdef Py_ssize_t shape[MAX_DIMS]
        cdef int i, ndim = len(self.lead)
        for i in range(ndim):
            shape[i] = self.lead[i]
        shape[ndim] = rows
        shape[ndim + 1] = columns
        return new_array(out, self.q.dtype, ndim + (1 if columns < 0 else 2), shape)


cdef object _sum_to(g, shape):
    """Add up the gradient over the axes along which an input of `shape` was broadcast."""
    if g.shape == shape:
        return g
    if g.ndim > len(shape):
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
    return g.sum(axis=axes, keepdims=True) if axes else g


def scaled_dot_product_attention_forward(q, k, v, mask=None, *, bint is_causal=False, double scale=1.0, double dropout_p=0.0,
                                         uint64_t key=0, uint64_t call=0):
    cdef Array y_, top_, total_
    scratch_ready()
    cdef _Attention a = _Attention(q, k, v, mask, is_causal, scale, dropout_p, key, call)
    y = a.new(&y_, a.about.T, a.about.HV)
    top = a.new(&top_, a.about.T)
    total = a.new(&total_, a.about.T)
    with nogil:
        fnn_attention_forward[a.q.dtype](y_.data, top_.data, total_.data, a.q.data, a.k.data, a.v.data, &a.about)
    return y, (a.q_array, a.k_array, a.v_array, a.mask_array, y, top, total)


def scaled_dot_product_attention_backward(dy, saved, *, needs=None, bint is_causal=False, double scale=1.0, double dropout_p=0.0,
                                          uint64_t key=0, uint64_t call=0):
    cdef Array dy_, y_, top_, total_, dq_, dk_, dv_, dmask_
    q, k, v, mask, y, top, total = saved
    scratch_ready()
    cdef _Attention a = _Attention(q, k, v, mask, is_causal, scale, dropout_p, key, call)
    dy = open_array(dy, &dy_)
    y = open_array(y, &y_)
    top = open_array(top, &top_)
    total = open_array(total, &total_)
    cdef Workspace pull = Workspace(total_.size * 8)
    dq = dk = dv = dmask = None
    dq_.data = dk_.data = dv_.data = dmask_.data = NULL
    if needs is None or needs[0]:
        dq = a.new(&dq_, a.about.T, a.about.HS)
    if needs is None or needs[1]:
        dk = a.new(&dk_, a.about.U, a.about.HS)
    if needs is None or needs[2]:
        dv = a.new(&dv_, a.about.U, a.about.HV)
    if a.about.mask_kind == FNN_ADD_MASK and (needs is None or needs[3]):
        dmask = a.new(&dmask_, a.about.T, a.about.U)
    with nogil:
        fnn_attention_backward[a.q.dtype](dq_.data, dk_.data, dv_.data, dmask_.data, dy_.data, y_.data, top_.data, total_.data,
                                          a.q.data, a.k.data, a.v.data, pull.data, &a.about)
    return tuple([g if g is None else _sum_to(g, x.shape) for g, x in ((dq, q), (dk, k), (dv, v), (dmask, mask))])
