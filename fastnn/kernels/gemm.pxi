# gemm.pxi -- calls of csrc/gemm/gemm.c. Matrices are opened with their strides: transposed and
# sliced operands are not copied.

cdef extern from "fastnn.h" nogil:
    Py_ssize_t fnn_gemm_packed_size(Py_ssize_t lanes, Py_ssize_t k)
    enum: FNN_GEMM_ADD, FNN_GEMM_RELU
    Py_ssize_t FNN_PACKED


cdef struct Strided:
    void *data
    int dtype, ndim
    Py_ssize_t shape[MAX_DIMS]
    Py_ssize_t strides[MAX_DIMS]                    # in elements


cdef object open_strided(object a, Strided *out):
    """Like open_array, but strides are kept; only byte-swapped and misaligned arrays are copied."""
    cdef const ndarray *f = fields_of(a)
    cdef int i, dtype = _dtype_of(f.descr) if f != NULL else -1
    if (dtype != FNN_F32 and dtype != FNN_F64) or f.flags & ALIGNED == 0 or f.nd > MAX_DIMS:
        return open_strided_buffer(a, out)
    cdef int bits = 2 if dtype == FNN_F32 else 3    # an element is 1 << bits bytes
    cdef Py_ssize_t step = 1, odd = 0
    out.data = f.data
    out.dtype = dtype
    out.ndim = f.nd
    # strides of axes of size 1 may be anything: the buffer protocol has orderly ones
    if f.flags & C_CONTIGUOUS:
        for i in range(f.nd - 1, -1, -1):
            out.shape[i] = f.dimensions[i]
            out.strides[i] = step
            step *= f.dimensions[i]
        return a
    for i in range(f.nd):
        out.shape[i] = f.dimensions[i]
        out.strides[i] = f.strides[i] >> bits
        odd |= f.strides[i] & ((1 << bits) - 1)
    return a if odd == 0 else open_strided_buffer(a, out)


cdef object open_strided_buffer(object a, Strided *out):
    """open_strided through the buffer protocol."""
    cdef Py_buffer view
    cdef Array plain
    cdef bint usable
    cdef Py_ssize_t step = 1
    cdef int i
    PyObject_GetBuffer(a, &view, PyBUF_FORMAT | PyBUF_ND | PyBUF_STRIDES)
    usable = (view.ndim <= MAX_DIMS and view.format != NULL and (view.format[0] == b'f' or view.format[0] == b'd')
              and view.format[1] == 0 and <uintptr_t>view.buf % <uintptr_t>view.itemsize == 0)
    for i in range(view.ndim):
        usable = usable and view.strides[i] % view.itemsize == 0
    if usable:
        out.data = view.buf
        out.dtype = FNN_F32 if view.format[0] == b'f' else FNN_F64
        out.ndim = view.ndim
        for i in range(view.ndim):
            out.shape[i] = view.shape[i]
            out.strides[i] = view.strides[i] // view.itemsize
    PyBuffer_Release(&view)
    if usable:
        return a
    a = open_array(np.array(a, order="C"), &plain)
    out.data = plain.data
    out.dtype = plain.dtype
    out.ndim = plain.ndim
    for i in range(plain.ndim - 1, -1, -1):
        out.shape[i] = plain.shape[i]
        out.strides[i] = step
        step *= plain.shape[i]
    return a


cdef Strided contiguous(const Array *a) noexcept:
    """A contiguous array, with its strides."""
    cdef Strided s
    cdef Py_ssize_t step = 1
    cdef int i
    s.data = a.data
    s.dtype = a.dtype
    s.ndim = a.ndim
    for i in range(a.ndim - 1, -1, -1):
        s.shape[i] = a.shape[i]
        s.strides[i] = step
        step *= a.shape[i]
    return s


cdef Strided transposed(const Strided *a) noexcept:
    """The last two axes exchanged."""
    cdef Strided t = a[0]
    cdef int last = a.ndim - 1
    t.shape[last], t.shape[last - 1] = a.shape[last - 1], a.shape[last]
    t.strides[last], t.strides[last - 1] = a.strides[last - 1], a.strides[last]
    return t


cdef void insert_axis(Strided *a, int axis) noexcept:
    """An axis of size 1 in front of axis number `axis`."""
    cdef int i
    for i in range(a.ndim, axis, -1):
        a.shape[i] = a.shape[i - 1]
        a.strides[i] = a.strides[i - 1]
    a.shape[axis] = 1
    a.strides[axis] = 1
    a.ndim += 1


cdef bint has_batch(const Strided *a) noexcept:
    cdef int i
    for i in range(a.ndim - 2):
        if a.shape[i] != 1:
            return True
    return False


cdef object fold(object a, Strided *a_):
    """Make (..., m, k) into (M, k): all rows under each other. Copies only where rows are not all
    the same distance apart.
    """
    cdef Array plain
    cdef Py_ssize_t rows = 1, stride = 1
    cdef int i
    cdef bint regular = True
    for i in range(a_.ndim - 2, -1, -1):
        if a_.shape[i] != 1:
            if rows == 1:
                stride = a_.strides[i]
            elif a_.strides[i] != stride * rows:
                regular = False
            rows *= a_.shape[i]
    if not regular:
        a = open_array(np.ascontiguousarray(a), &plain)
        a_.data = plain.data
        a_.strides[a_.ndim - 1] = 1
        stride = a_.shape[a_.ndim - 1]
    a_.shape[1], a_.strides[1] = a_.shape[a_.ndim - 1], a_.strides[a_.ndim - 1]
    a_.shape[0], a_.strides[0] = rows, stride
    a_.ndim = 2
    return a


cdef void offsets(Py_ssize_t *out, const Strided *a, const Py_ssize_t *batch, int batch_dims) noexcept:
    """Where the matrix of each batch index begins. Axes that `a` lacks, or has with size 1, are
    broadcast.
    """
    cdef Py_ssize_t count = 1, i, j, base, stride
    cdef int axis, own
    out[0] = 0
    for axis in range(batch_dims):
        own = axis - (batch_dims - (a.ndim - 2))
        stride = 0 if own < 0 or a.shape[own] == 1 else a.strides[own]
        for i in range(count - 1, -1, -1):
            base = out[i]
            for j in range(batch[axis] - 1, -1, -1):
                out[i * batch[axis] + j] = base + j * stride
        count *= batch[axis]


cdef int product(int dtype, void *c, const Strided *a, const Strided *b) except -1:
    """C = A B for contiguous C and matrices that are the last two axes of `a` and `b`."""
    cdef int i = a.ndim - 2, j = b.ndim - 2
    cdef Py_ssize_t m = a.shape[i], k = a.shape[i + 1], n = b.shape[j + 1]
    cdef PyThreadState *others
    scratch_ready()
    others = let_others_run(m * n * k)
    fnn_gemm[dtype](c, n, a.data, a.strides[i], a.strides[i + 1], b.data, b.strides[j], b.strides[j + 1], NULL, NULL, m,
                    n, k, 0)
    run_again(others)
    return 0


cdef int multiply(const Strided *c, const Strided *a, const Strided *b, const Py_ssize_t *batch,
                  int batch_dims) except -1:
    """C = A B for every index of the batch axes, summed over those in which C has size 1. C's
    matrices are contiguous.
    """
    cdef Py_ssize_t m = c.shape[c.ndim - 2], n = c.shape[c.ndim - 1], k = a.shape[a.ndim - 1], t
    cdef Py_ssize_t rsa = a.strides[a.ndim - 2], csa = a.strides[a.ndim - 1]
    cdef Py_ssize_t rsb = b.strides[b.ndim - 2], csb = b.strides[b.ndim - 1]
    cdef Py_ssize_t kept_batch[MAX_DIMS]
    cdef Py_ssize_t summed_batch[MAX_DIMS]
    cdef Py_ssize_t kept = 1, summed = 1, itemsize = item_bytes(c.dtype)
    cdef int axis, own, dtype = c.dtype
    if batch_dims == 0:
        return product(dtype, c.data, a, b)
    scratch_ready()
    for axis in range(batch_dims):
        own = axis - (batch_dims - (c.ndim - 2))
        is_kept = own >= 0 and c.shape[own] == batch[axis]
        kept_batch[axis] = batch[axis] if is_kept else 1
        summed_batch[axis] = 1 if is_kept else batch[axis]
        kept *= kept_batch[axis]
        summed *= summed_batch[axis]
    if summed == 0:                                 # a sum of no products
        memset(c.data, 0, kept * m * n * itemsize)
    if kept == 0 or summed == 0:
        return 0
    cdef Workspace room = Workspace((3 * kept + 2 * summed) * sizeof(Py_ssize_t))
    cdef Py_ssize_t *at_c = <Py_ssize_t *>room.data
    cdef Py_ssize_t *at_a = at_c + kept
    cdef Py_ssize_t *at_b = at_a + kept
    cdef Py_ssize_t *from_a = at_b + kept
    cdef Py_ssize_t *from_b = from_a + summed
    offsets(at_c, c, kept_batch, batch_dims)
    offsets(at_a, a, kept_batch, batch_dims)
    offsets(at_b, b, kept_batch, batch_dims)
    offsets(from_a, a, summed_batch, batch_dims)
    offsets(from_b, b, summed_batch, batch_dims)
    with nogil:
        for t in range(summed):
            fnn_gemm_batched[dtype](c.data, n, <char *>a.data + from_a[t] * itemsize, rsa, csa,
                                    <char *>b.data + from_b[t] * itemsize, rsb, csb, at_c, at_a, at_b, kept, m, n, k,
                                    t > 0)
    return 0


cdef bint factors(const Strided *a, const Strided *b) noexcept:
    """Whether these are matrices, or arrays of them, or vectors, that can be multiplied."""
    cdef int axis
    cdef Py_ssize_t m, n
    if a.dtype != b.dtype or not 0 < a.ndim < MAX_DIMS or not 0 < b.ndim < MAX_DIMS:
        return False
    for axis in range(3, min(a.ndim, b.ndim) + 1):
        m, n = a.shape[a.ndim - axis], b.shape[b.ndim - axis]
        if m != n and m != 1 and n != 1:
            return False
    return a.shape[a.ndim - 1] == b.shape[max(b.ndim - 2, 0)]


cdef bint is_product(const Strided *y, const Strided *a, const Strided *b) noexcept:
    """Whether y has the type and shape of the product of these."""
    cdef Py_ssize_t size = 1, n, m
    cdef int axis, batch = max(a.ndim, b.ndim, 2) - 2
    if not factors(a, b) or y.dtype != a.dtype or y.ndim != batch + (a.ndim > 1) + (b.ndim > 1):
        return False
    for axis in range(batch):
        m = a.shape[axis - batch + a.ndim - 2] if axis - batch + a.ndim - 2 >= 0 else 1
        n = b.shape[axis - batch + b.ndim - 2] if axis - batch + b.ndim - 2 >= 0 else 1
        if y.shape[axis] != (n if m == 1 else m):
            return False
    if a.ndim > 1 and y.shape[batch] != a.shape[a.ndim - 2]:
        return False
    return b.ndim == 1 or y.shape[y.ndim - 1] == b.shape[b.ndim - 1]


def matmul_forward(a, b):
    cdef Strided a_, b_, c_
    cdef Array y_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t batch[MAX_DIMS]
    cdef int axis, own, batch_dims, ndim
    a = kept_a = open_strided(a, &a_)
    b = open_strided(b, &b_)
    need(factors(&a_, &b_))
    if a_.ndim == 2 and b_.ndim == 2:               # two matrices, quickly
        shape[0], shape[1] = a_.shape[0], b_.shape[1]
        y = new_array(&y_, a_.dtype, 2, shape)
        product(y_.dtype, y_.data, &a_, &b_)
        return y, (a, b)
    cdef bint a_vector = a_.ndim == 1, b_vector = b_.ndim == 1
    if a_vector:
        insert_axis(&a_, 0)
    if b_vector:
        insert_axis(&b_, 1)

    batch_dims = ndim = max(a_.ndim, b_.ndim) - 2
    for axis in range(batch_dims):
        batch[axis] = 1
        own = axis - (batch_dims - (b_.ndim - 2))
        if own >= 0:
            batch[axis] = b_.shape[own]
        own = axis - (batch_dims - (a_.ndim - 2))
        if own >= 0 and a_.shape[own] != 1:
            batch[axis] = a_.shape[own]
        shape[axis] = batch[axis]
    shape[ndim] = a_.shape[a_.ndim - 2]
    ndim += not a_vector
    shape[ndim] = b_.shape[b_.ndim - 1]
    ndim += not b_vector
    y = new_array(&y_, a_.dtype, ndim, shape)

    c_ = contiguous(&y_)
    if a_vector:
        insert_axis(&c_, batch_dims)
    if b_vector:
        insert_axis(&c_, batch_dims + 1)
    if has_batch(&a_) and not has_batch(&b_):       # one matrix for all: one product of all rows
        kept_a = fold(a, &a_)
        fold(y, &c_)
        batch_dims = 0
    multiply(&c_, &a_, &b_, batch, batch_dims)
    return y, (a, b)


def matmul_backward(dy, saved, needs=None):
    cdef Strided a_, b_, dy_, d_, t_
    cdef Array da_, db_
    cdef Py_ssize_t batch[MAX_DIMS]
    cdef Py_ssize_t a_shape[MAX_DIMS]
    cdef int axis, batch_dims, a_ndim
    a = kept_a = open_strided(saved[0], &a_)
    b = open_strided(saved[1], &b_)
    dy = kept_dy = open_strided(dy, &dy_)
    need(is_product(&dy_, &a_, &b_))
    cdef bint a_vector = a_.ndim == 1, b_vector = b_.ndim == 1
    da = db = None
    if needs is None or needs[0]:
        da = new_array(&da_, a_.dtype, a_.ndim, a_.shape)
    if needs is None or needs[1]:
        db = new_array(&db_, b_.dtype, b_.ndim, b_.shape)
    if a_vector:
        insert_axis(&a_, 0)
    if b_vector:
        insert_axis(&b_, 1)
    batch_dims = max(a_.ndim, b_.ndim) - 2
    if a_vector:
        insert_axis(&dy_, batch_dims)
    if b_vector:
        insert_axis(&dy_, batch_dims + 1)
    for axis in range(batch_dims):
        batch[axis] = dy_.shape[axis]
    cdef bint one_product = has_batch(&a_) and not has_batch(&b_)
    if one_product:
        kept_a = fold(a, &a_)
        kept_dy = fold(dy, &dy_)
        batch_dims = 0
    if da is not None:                              # forward was  y = a b
        d_ = contiguous(&da_)
        if a_vector:
            insert_axis(&d_, 0)
        if one_product:
            fold(da, &d_)
        t_ = transposed(&b_)
        multiply(&d_, &dy_, &t_, batch, batch_dims)
    if db is not None:
        d_ = contiguous(&db_)
        if b_vector:
            insert_axis(&d_, 1)
        t_ = transposed(&a_)
        multiply(&d_, &t_, &dy_, batch, batch_dims)
    return da, db


def gemm(c, a, b, bias_row=None, bias_col=None, bint accumulate=False, bint relu=False, bint pack_a=False,
         bint pack_b=False):
    """C (+)= A B (+ biases), then relu if wanted, in the memory of `c`, whose rows have adjacent
    elements. This is the C function as it is, for tests. With pack_a or pack_b that operand is
    packed first.
    """
    cdef Strided c_, a_, b_
    cdef Array row_, col_
    cdef Workspace packed_a, packed_b
    opened = open_strided(c, &c_)
    a = open_strided(a, &a_)
    b = open_strided(b, &b_)
    bias_row = open_optional(bias_row, &row_)
    bias_col = open_optional(bias_col, &col_)
    need(c_.ndim == 2 and a_.ndim == 2)
    cdef Py_ssize_t m = c_.shape[0], n = c_.shape[1], k = a_.shape[1], itemsize = item_bytes(c_.dtype)
    if (opened is not c or c_.ndim != 2 or a_.ndim != 2 or b_.ndim != 2
            or a_.shape[0] != m or b_.shape[0] != k or b_.shape[1] != n
            or c_.dtype != a_.dtype or c_.dtype != b_.dtype or (n > 1 and c_.strides[1] != 1)
            or not has_size(&row_, c_.dtype, m) or not has_size(&col_, c_.dtype, n)
            or not writeable(c)):
        raise ValueError("gemm: operands do not fit")
    scratch_ready()
    if pack_a:
        packed_a = Workspace(fnn_gemm_packed_size(m, k) * itemsize)
        fnn_gemm_pack_a[c_.dtype](packed_a.data, a_.data, a_.strides[0], a_.strides[1], m, k)
        a_.data = packed_a.data
        a_.strides[0] = FNN_PACKED
    if pack_b:
        packed_b = Workspace(fnn_gemm_packed_size(n, k) * itemsize)
        fnn_gemm_pack_b[c_.dtype](packed_b.data, b_.data, b_.strides[0], b_.strides[1], n, k)
        b_.data = packed_b.data
        b_.strides[0] = FNN_PACKED
    with nogil:
        fnn_gemm[c_.dtype](c_.data, c_.strides[0], a_.data, a_.strides[0], a_.strides[1], b_.data, b_.strides[0],
                           b_.strides[1], row_.data, col_.data, m, n, k,
                           (FNN_GEMM_ADD if accumulate else 0) | (FNN_GEMM_RELU if relu else 0))


def gemm_strided(c, a, b):
    """C[i] = A[i] B[i] for all i in one call of the C function, for tests. The matrices of `c` have
    rows of adjacent elements.
    """
    cdef Strided c_, a_, b_
    opened = open_strided(c, &c_)
    a = open_strided(a, &a_)
    b = open_strided(b, &b_)
    if (opened is not c or c_.ndim != 3 or a_.ndim != 3 or b_.ndim != 3
            or a_.shape[0] != c_.shape[0] or b_.shape[0] != c_.shape[0]
            or a_.shape[1] != c_.shape[1] or b_.shape[1] != a_.shape[2] or b_.shape[2] != c_.shape[2]
            or c_.dtype != a_.dtype or c_.dtype != b_.dtype or (c_.shape[2] > 1 and c_.strides[2] != 1)
            or not writeable(c)):
        raise ValueError("gemm_strided: operands do not fit")
    scratch_ready()
    with nogil:
        fnn_gemm_strided[c_.dtype](c_.data, c_.strides[1], c_.strides[0], a_.data, a_.strides[1], a_.strides[2],
                                   a_.strides[0], b_.data, b_.strides[1], b_.strides[2], b_.strides[0], c_.shape[0],
                                   c_.shape[1], c_.shape[2], a_.shape[2], 0)


def linear_forward(x, w, b):
    cdef Array x_, w_, b_, y_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t m = 1
    cdef int i
    x = open_array(x, &x_)
    w = open_array(w, &w_)
    kept_b = open_optional(b, &b_)
    need(x_.ndim > 0 and w_.ndim == 2 and w_.dtype == x_.dtype and x_.shape[x_.ndim - 1] == w_.shape[1]
         and has_size(&b_, x_.dtype, w_.shape[0]))
    for i in range(x_.ndim - 1):
        shape[i] = x_.shape[i]
        m *= x_.shape[i]
    shape[x_.ndim - 1] = w_.shape[0]
    y = new_array(&y_, x_.dtype, x_.ndim, shape)
    scratch_ready()
    with nogil:
        fnn_linear_forward[x_.dtype](y_.data, x_.data, w_.data, b_.data, m, w_.shape[0], w_.shape[1])
    return y, (x, w, b is not None)


def linear_backward(dy, saved, needs=None):
    cdef Array dy_, x_, w_, dx_, dw_, db_
    x = open_array(saved[0], &x_)
    w = open_array(saved[1], &w_)
    dy = open_array(dy, &dy_)
    cdef Py_ssize_t m = 1
    cdef int i
    for i in range(x_.ndim - 1):
        m *= x_.shape[i]
    need(x_.ndim > 0 and w_.ndim == 2 and w_.dtype == x_.dtype and x_.shape[x_.ndim - 1] == w_.shape[1]
         and has_size(&dy_, x_.dtype, m * w_.shape[0]))
    dx = dw = db = None
    dx_.data = dw_.data = db_.data = NULL
    if needs is None or needs[0]:
        dx = new_like(&dx_, &x_)
    if needs is None or needs[1]:
        dw = new_like(&dw_, &w_)
    if saved[2] and (needs is None or needs[2]):
        db = new_array(&db_, w_.dtype, 1, w_.shape)
    scratch_ready()
    with nogil:
        fnn_linear_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, w_.data,
                                      m, w_.shape[0], w_.shape[1])
    return dx, dw, db


# ---- with relu in the epilogue -------------------------------------------------------------------
def linear_relu_forward(x, w, b):
    cdef Array x_, w_, b_, y_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t m = 1
    cdef int i
    x = open_array(x, &x_)
    w = open_array(w, &w_)
    kept_b = open_optional(b, &b_)
    need(x_.ndim > 0 and w_.ndim == 2 and w_.dtype == x_.dtype and x_.shape[x_.ndim - 1] == w_.shape[1]
         and has_size(&b_, x_.dtype, w_.shape[0]))
    for i in range(x_.ndim - 1):
        shape[i] = x_.shape[i]
        m *= x_.shape[i]
    shape[x_.ndim - 1] = w_.shape[0]
    y = new_array(&y_, x_.dtype, x_.ndim, shape)
    scratch_ready()
    with nogil:
        fnn_gemm[x_.dtype](y_.data, w_.shape[0], x_.data, w_.shape[1], 1, w_.data, 1, w_.shape[1], NULL, b_.data,
                           m, w_.shape[0], w_.shape[1], FNN_GEMM_RELU)
    return y, (x, w, b is not None, y)


def linear_relu_backward(dy, saved, needs=None):
    x, w, with_bias, y = saved
    return linear_backward(map2(fnn_relu_backward, dy, y), (x, w, with_bias), needs)
