# map.pxi -- call a kernel of one of the forms of csrc/pointwise/map.tmpl.h: element by element, or
# broadcast

cdef extern from "fastnn.h" nogil:
    int fnn_broadcast_plan(fnn_broadcast *plan, Py_ssize_t *y_shape, int a_ndim, const Py_ssize_t *a_shape,
                           int b_ndim, const Py_ssize_t *b_shape)

cdef enum: MAP_WORK = 8         # what an element costs, in multiply-adds; chosen: more or less

ctypedef void (*map1_fn)(void *y, const void *x, Py_ssize_t n) noexcept nogil
ctypedef void (*map1p_fn)(void *y, const void *x, Py_ssize_t n, double p) noexcept nogil
ctypedef void (*map1pq_fn)(void *y, const void *x, Py_ssize_t n, double p, double q) noexcept nogil
ctypedef void (*map2_fn)(void *y, const void *a, const void *b, Py_ssize_t n) noexcept nogil
ctypedef void (*map2p_fn)(void *y, const void *a, const void *b, Py_ssize_t n, double p) noexcept nogil
ctypedef void (*map2pq_fn)(void *y, const void *a, const void *b, Py_ssize_t n, double p, double q) noexcept nogil
ctypedef void (*broadcast_fn)(void *y, const void *a, const void *b, const fnn_broadcast *s) noexcept nogil


# ---- y = f(x) and dx = g(dy, x or y), element by element -----------------------------------------
cdef object map1(const map1_fn *kernel, object x):
    cdef Array x_, y_
    x = open_array(x, &x_)
    y = new_like(&y_, &x_)
    others = let_others_run(x_.size * MAP_WORK)
    kernel[x_.dtype](y_.data, x_.data, x_.size)
    run_again(others)
    return y


cdef object map1p(const map1p_fn *kernel, object x, double p):
    cdef Array x_, y_
    x = open_array(x, &x_)
    y = new_like(&y_, &x_)
    others = let_others_run(x_.size * MAP_WORK)
    kernel[x_.dtype](y_.data, x_.data, x_.size, p)
    run_again(others)
    return y


cdef object map1pq(const map1pq_fn *kernel, object x, double p, double q):
    cdef Array x_, y_
    x = open_array(x, &x_)
    y = new_like(&y_, &x_)
    others = let_others_run(x_.size * MAP_WORK)
    kernel[x_.dtype](y_.data, x_.data, x_.size, p, q)
    run_again(others)
    return y


cdef object map2(const map2_fn *kernel, object a, object b):
    cdef Array a_, b_, y_
    a = open_array(a, &a_)
    b = open_array(b, &b_)
    need(matches(&a_, &b_))
    y = new_like(&y_, &b_)
    others = let_others_run(b_.size * MAP_WORK)
    kernel[b_.dtype](y_.data, a_.data, b_.data, b_.size)
    run_again(others)
    return y


cdef object map2p(const map2p_fn *kernel, object a, object b, double p):
    cdef Array a_, b_, y_
    a = open_array(a, &a_)
    b = open_array(b, &b_)
    need(matches(&a_, &b_))
    y = new_like(&y_, &b_)
    others = let_others_run(b_.size * MAP_WORK)
    kernel[b_.dtype](y_.data, a_.data, b_.data, b_.size, p)
    run_again(others)
    return y


cdef object map2pq(const map2pq_fn *kernel, object a, object b, double p, double q):
    cdef Array a_, b_, y_
    a = open_array(a, &a_)
    b = open_array(b, &b_)
    need(matches(&a_, &b_))
    y = new_like(&y_, &b_)
    others = let_others_run(b_.size * MAP_WORK)
    kernel[b_.dtype](y_.data, a_.data, b_.data, b_.size, p, q)
    run_again(others)
    return y


# ---- y = f(a, b), broadcast ----------------------------------------------------------------------
cdef object open_operand(object a, Array *out, double *room):
    """An array; or a number, which goes to `room` and gets its type in `open_pair`."""
    if isinstance(a, _ndarray):
        return open_array(a, out)
    room[0] = a
    out.data = room
    out.dtype = -1
    out.ndim = 0
    out.size = 1
    return a


cdef bint broadcasts(const Array *a, const Array *b) noexcept:
    """Whether sizes, counted from the last, are equal or 1."""
    cdef int d
    cdef Py_ssize_t m, n
    for d in range(1, min(a.ndim, b.ndim) + 1):
        m, n = a.shape[a.ndim - d], b.shape[b.ndim - d]
        if m != n and m != 1 and n != 1:
            return False
    return True


cdef void number_to(int dtype, Array *number) noexcept:
    """Write a number in its room as `dtype`."""
    cdef double value = (<double *>number.data)[0]
    if dtype == FNN_F32:
        (<float *>number.data)[0] = <float>value
    number.dtype = dtype


cdef object broadcast2(const broadcast_fn *kernel, object a, object b):
    """f(a, b) for arrays of one type, or one array and one number. The shapes are known to fit."""
    cdef Array a_, b_, y_
    cdef double a_room, b_room
    cdef fnn_broadcast plan
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int ndim
    a = open_operand(a, &a_, &a_room)
    b = open_operand(b, &b_, &b_room)
    if a_.dtype < 0:
        number_to(b_.dtype, &a_)
    elif b_.dtype < 0:
        number_to(a_.dtype, &b_)
    need(a_.dtype >= 0 and a_.dtype == b_.dtype and broadcasts(&a_, &b_))
    ndim = fnn_broadcast_plan(&plan, shape, a_.ndim, a_.shape, b_.ndim, b_.shape)
    y = new_array(&y_, a_.dtype, ndim, shape)
    others = let_others_run(y_.size * MAP_WORK)
    kernel[y_.dtype](y_.data, a_.data, b_.data, &plan)
    run_again(others)
    return y
