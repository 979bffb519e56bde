# attention.pxi -- calls of csrc/attention/attention.c. fnn_attention_forward[2] and
# fnn_attention_backward[2] are pointers, for float and double, to the best version for this
# processor: csrc/attention/attention.h, which also says what an item is and how its matrices lie.

from libc.stdlib cimport free, malloc

cdef extern from "fastnn.h" nogil:
    enum: FNN_NO_MASK, FNN_ALLOW_MASK, FNN_ADD_MASK


cdef struct Matrices:
    # an array of matrices with adjacent elements in their rows; the strides, in elements, of all
    # axes but the last
    void *data
    int dtype, ndim
    Py_ssize_t shape[MAX_DIMS]
    Py_ssize_t strides[MAX_DIMS]


cdef object open_matrices(object a, Matrices *out):
    """Like open_array, but only the last axis must lie adjacent: heads are read where a projection
    has put them."""
    cdef Array whole
    cdef Py_buffer view
    cdef Py_ssize_t step = 1
    cdef int i
    cdef bint plain = False
    PyObject_GetBuffer(a, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
    if 2 <= view.ndim <= MAX_DIMS and view.format != NULL and (
            view.format[0] == b'f' or view.format[0] == b'd') and view.format[1] == 0:
        plain = <uintptr_t>view.buf % <uintptr_t>view.itemsize == 0 and (
            view.strides[view.ndim - 1] == view.itemsize or view.shape[view.ndim - 1] <= 1)
        for i in range(view.ndim - 1):
            plain = plain and view.strides[i] % view.itemsize == 0
    if plain:
        out.data = view.buf
        out.dtype = FNN_F32 if view.format[0] == b'f' else FNN_F64
        out.ndim = view.ndim
        for i in range(view.ndim):
            out.shape[i] = view.shape[i]
            out.strides[i] = view.strides[i] // view.itemsize
        PyBuffer_Release(&view)
        return a
    PyBuffer_Release(&view)
    a = open_array(a, &whole)
    out.data, out.dtype, out.ndim = whole.data, whole.dtype, whole.ndim
    for i in range(whole.ndim - 1, -1, -1):
        out.shape[i], out.strides[i] = whole.shape[i], step
        step *= whole.shape[i]
    return a


cdef class _Attention:
    """What the kernel wants to know about one call: its fnn_attention, and the memory that this
    points to. Leading dimensions broadcast: `lead` is what they come to."""
    cdef fnn_attention about
    cdef int dtype, ndim                            # dimensions of `lead`
    cdef Py_ssize_t lead[MAX_DIMS]
    cdef Py_ssize_t *at[9]                          # what about.*.at points to
    cdef int held

    def __cinit__(self):
        memset(&self.about, 0, sizeof(fnn_attention))
        self.held = 0

    def __dealloc__(self):
        cdef int i
        for i in range(self.held):
            free(self.at[i])

    cdef int fill(self, Matrices *q, Matrices *k, Matrices *v, bint is_causal, double scale, double dropout_p,
                  uint64_t key, uint64_t call) except -1:
        """All of `about` but the mask and the results."""
        cdef fnn_attention *about = &self.about
        cdef Matrices *m
        cdef int i, j
        need(q.ndim >= 2 and k.ndim >= 2 and v.ndim >= 2 and q.dtype == k.dtype == v.dtype
             and q.shape[q.ndim - 1] == k.shape[k.ndim - 1] and k.shape[k.ndim - 2] == v.shape[v.ndim - 2])
        self.dtype = q.dtype
        self.ndim = max(q.ndim, k.ndim, v.ndim) - 2
        for i in range(self.ndim):
            self.lead[i] = 1
        for j in range(3):
            m = q if j == 0 else k if j == 1 else v
            for i in range(m.ndim - 2):
                if m.shape[i] != 1:
                    need(self.lead[self.ndim - (m.ndim - 2) + i] in (1, m.shape[i]))
                    self.lead[self.ndim - (m.ndim - 2) + i] = m.shape[i]
        about.items = 1
        for i in range(self.ndim):
            about.items *= self.lead[i]
        about.T, about.HS = q.shape[q.ndim - 2], q.shape[q.ndim - 1]
        about.U, about.HV = v.shape[v.ndim - 2], v.shape[v.ndim - 1]
        about.scale, about.causal = scale, is_causal
        about.dropout, about.dropout_key, about.dropout_call = dropout_p, key, call
        self.matrices(&about.q, q)
        self.matrices(&about.k, k)
        self.matrices(&about.v, v)
        return 0

    cdef const Py_ssize_t *offsets(self, int ndim, const Py_ssize_t *shape, const Py_ssize_t *strides) except NULL:
        """For each item where its matrix begins in an array with the leading dimensions `shape`."""
        cdef Py_ssize_t items = self.about.items, i, position, step
        cdef Py_ssize_t *at = <Py_ssize_t *>malloc((items + 1) * sizeof(Py_ssize_t))
        cdef int axis, own
        if at == NULL:
            raise MemoryError("fastnn: no memory for the heads' offsets")
        self.at[self.held] = at
        self.held += 1
        at[0] = 0
        if items == 0:
            return at
        step = 1                # items done: all indices of the axes so far, the last ones first
        for axis in range(self.ndim - 1, -1, -1):
            own = axis - (self.ndim - ndim)
            for i in range(step, step * self.lead[axis]):
                position = i // step
                at[i] = at[i % step] + (position * strides[own] if own >= 0 and shape[own] != 1 else 0)
            step *= self.lead[axis]
        return at

    cdef int matrices(self, fnn_matrices *to, Matrices *m) except -1:
        to.at = self.offsets(m.ndim - 2, m.shape, m.strides)
        to.rs = m.strides[m.ndim - 2]
        return 0

    cdef bint covers(self, int ndim, const Py_ssize_t *shape, Py_ssize_t rows, Py_ssize_t columns, bint broadcast):
        """Whether an array of this shape has a matrix (rows, columns) for each item; with
        `broadcast` sizes of 1 will do.
        """
        cdef Py_ssize_t wanted
        cdef int axis, own
        if ndim > self.ndim + 2 or (ndim < self.ndim + 2 and not broadcast):
            return False
        for axis in range(self.ndim + 2):
            own = axis - (self.ndim + 2 - ndim)
            wanted = self.lead[axis] if axis < self.ndim else rows if axis == self.ndim else columns
            if own >= 0 and shape[own] != wanted and not (broadcast and shape[own] == 1):
                return False
        return True

    cdef int add_mask(self, Array *mask) except -1:
        cdef Py_ssize_t strides[MAX_DIMS]
        need((mask.dtype == self.dtype or mask.dtype == b'?')
             and self.covers(mask.ndim, mask.shape, self.about.T, self.about.U, True))
        cdef Py_ssize_t step = 1
        cdef Py_ssize_t rows = mask.shape[mask.ndim - 2] if mask.ndim > 1 else 1
        cdef Py_ssize_t columns = mask.shape[mask.ndim - 1] if mask.ndim > 0 else 1
        cdef int i
        step = rows * columns
        for i in range(mask.ndim - 3, -1, -1):
            strides[i] = step
            step *= mask.shape[i]
        self.about.mask = mask.data
        self.about.mask_kind = FNN_ADD_MASK if mask.dtype == self.dtype else FNN_ALLOW_MASK
        self.about.mask_rs = columns if rows > 1 else 0
        self.about.mask_cs = 1 if columns > 1 else 0
        self.about.mask_at = self.offsets(max(mask.ndim - 2, 0), mask.shape, strides)
        return 0

    cdef object new(self, Array *out, fnn_matrices *to, Py_ssize_t rows, Py_ssize_t columns, const Matrices *like):
        """A result with the leading dimensions.

        Its heads lie in memory as those of `like` do: (..., row, head, column), so that a layer
        puts them side by side without a copy, or (..., head, row, column)."""
        cdef Matrices m
        cdef int i, n = self.ndim
        cdef Py_ssize_t step
        cdef Py_ssize_t shape[MAX_DIMS]
        cdef bint rows_first = (like != NULL and n > 0 and like.ndim > 2 and like.shape[like.ndim - 3] > 1
                                and like.strides[like.ndim - 2] > like.strides[like.ndim - 3] > 0)
        for i in range(n):
            m.shape[i] = shape[i] = self.lead[i]
        m.shape[n], m.shape[n + 1], m.ndim = rows, columns, n + 2
        shape[n], shape[n + 1] = rows, columns
        if rows_first:
            shape[n - 1], shape[n] = rows, self.lead[n - 1]
        result = new_array(out, self.dtype, n + 2, shape)
        step = 1
        for i in range(n + 1, -1, -1):
            m.strides[i] = step
            step *= shape[i]
        if rows_first:
            result = result.swapaxes(n - 1, n)
            m.strides[n - 1], m.strides[n] = m.strides[n], m.strides[n - 1]
        if to != NULL:
            self.matrices(to, &m)
        return result

    cdef object new_joint(self, Matrices *q, Matrices *k, Matrices *v, Array *dq, Array *dk, Array *dv):
        """dq, dk and dv as parts of one array, where q, k and v are the parts of one; else None.

        The gradient of that array is then there already, without a copy."""
        cdef Py_ssize_t step = (<char *>k.data - <char *>q.data) // item_bytes(self.dtype), expected = 1
        cdef Py_ssize_t shape[MAX_DIMS]
        # axes of (3, *q.shape) from the largest step in memory to the smallest
        cdef int order[MAX_DIMS]
        cdef int n = q.ndim + 1, i, j
        cdef Array whole_
        if not (q.ndim == k.ndim == v.ndim == self.ndim + 2 < MAX_DIMS
                and <char *>v.data - <char *>k.data == <char *>k.data - <char *>q.data):
            return None
        for i in range(q.ndim):
            if not (q.shape[i] == k.shape[i] == v.shape[i] and q.strides[i] == k.strides[i] == v.strides[i]
                    and q.strides[i] >= 0):
                return None
        for i in range(n):
            j = i
            while j > 0 and (q.strides[order[j - 1] - 1] if order[j - 1] else step) < (q.strides[i - 1] if i else step):
                order[j] = order[j - 1]
                j -= 1
            order[j] = i
        for i in range(n - 1, -1, -1):              # dense: no gaps and no overlap
            j = order[i]
            shape[i] = q.shape[j - 1] if j else 3
            if shape[i] > 1 and (q.strides[j - 1] if j else step) != expected:
                return None
            expected *= shape[i]
        whole = new_array(&whole_, self.dtype, n, shape)
        back = [0] * n
        for i in range(n):
            back[order[i]] = i
        whole = whole.transpose(back)
        dq.data = whole_.data
        dk.data = <char *>whole_.data + step * item_bytes(self.dtype)
        dv.data = <char *>whole_.data + 2 * step * item_bytes(self.dtype)
        self.matrices(&self.about.dq, q)
        self.about.dk = self.about.dv = self.about.dq
        return whole[0], whole[1], whole[2]

    cdef object new_rows(self, Array *out):
        """One number for each query of each item."""
        cdef Py_ssize_t shape[2]
        shape[0], shape[1] = self.about.items, self.about.T
        return new_array(out, self.dtype, 2, shape)


cdef object _sum_to(g, shape):
    """Add up the gradient over the axes along which an input of `shape` was broadcast."""
    if g.shape == shape:
        return g
    if g.ndim > len(shape):
        g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    axes = tuple([i for i, n in enumerate(shape) if n == 1 and g.shape[i] != 1])
    return g.sum(axis=axes, keepdims=True) if axes else g


def scaled_dot_product_attention_forward(q, k, v, mask=None, *, bint is_causal=False, double scale=1.0,
                                         double dropout_p=0.0, uint64_t key=0, uint64_t call=0):
    cdef Array y_, top_, total_, mask_
    cdef Matrices q_, k_, v_
    cdef _Attention a = _Attention()
    scratch_ready()
    q = open_matrices(q, &q_)
    k = open_matrices(k, &k_)
    v = open_matrices(v, &v_)
    a.fill(&q_, &k_, &v_, is_causal, scale, dropout_p, key, call)
    if mask is not None:
        mask = open_any(mask, &mask_)
        a.add_mask(&mask_)
    y = a.new(&y_, &a.about.y, a.about.T, a.about.HV, &q_)
    top = a.new_rows(&top_)
    total = a.new_rows(&total_)
    with nogil:
        fnn_attention_forward[a.dtype](y_.data, top_.data, total_.data, q_.data, k_.data, v_.data, &a.about)
    return y, (q, k, v, mask, y, top, total)


def scaled_dot_product_attention_backward(dy, saved, *, needs=None, bint is_causal=False, double scale=1.0,
                                          double dropout_p=0.0, uint64_t key=0, uint64_t call=0):
    cdef Array top_, total_, dq_, dk_, dv_, dmask_, mask_
    cdef Matrices q_, k_, v_, y_, dy_
    cdef _Attention a = _Attention()
    q, k, v, mask, y, top, total = saved
    scratch_ready()
    q = open_matrices(q, &q_)
    k = open_matrices(k, &k_)
    v = open_matrices(v, &v_)
    y = open_matrices(y, &y_)
    dy = open_matrices(dy, &dy_)
    top = open_array(top, &top_)
    total = open_array(total, &total_)
    a.fill(&q_, &k_, &v_, is_causal, scale, dropout_p, key, call)
    need(y_.dtype == a.dtype and dy_.dtype == a.dtype
         and a.covers(y_.ndim, y_.shape, a.about.T, a.about.HV, False)
         and a.covers(dy_.ndim, dy_.shape, a.about.T, a.about.HV, False)
         and has_size(&top_, a.dtype, a.about.items * a.about.T)
         and has_size(&total_, a.dtype, a.about.items * a.about.T))
    a.matrices(&a.about.y, &y_)
    a.matrices(&a.about.dy, &dy_)
    if mask is not None:
        mask = open_any(mask, &mask_)
        a.add_mask(&mask_)
    dq = dk = dv = dmask = None
    dq_.data = dk_.data = dv_.data = dmask_.data = NULL
    joint = None
    if needs is None or needs[0] and needs[1] and needs[2]:
        joint = a.new_joint(&q_, &k_, &v_, &dq_, &dk_, &dv_)
    if joint is not None:
        dq, dk, dv = joint
    elif needs is None or needs[0]:
        dq = a.new(&dq_, &a.about.dq, a.about.T, a.about.HS, &q_)
    if joint is None and (needs is None or needs[1]):
        dk = a.new(&dk_, &a.about.dk, a.about.U, a.about.HS, &k_)
    if joint is None and (needs is None or needs[2]):
        dv = a.new(&dv_, &a.about.dv, a.about.U, a.about.HV, &v_)
    if a.about.mask_kind == FNN_ADD_MASK and (needs is None or needs[3]):
        dmask = a.new(&dmask_, NULL, a.about.T, a.about.U, NULL)
    with nogil:
        fnn_attention_backward[a.dtype](dq_.data, dk_.data, dv_.data, dmask_.data, dy_.data, y_.data, top_.data,
                                        total_.data, q_.data, k_.data, v_.data, &a.about)
    return tuple([g if g is None else _sum_to(g, x.shape) for g, x in ((dq, q), (dk, k), (dv, v), (dmask, mask))])
