# reduce.pxi -- calls of csrc/reduce.c
#
# A reduction of several neighbouring axes is one of outer x axis x inner. `dim` is a sorted tuple of axes; those that are not neighbours
# are taken group by group from the last.

cdef extern from "fastnn.h" nogil:
    void (*fnn_sum[2])(void *y, const void *x, Py_ssize_t outer, Py_ssize_t axis, Py_ssize_t inner, double divisor)
    void (*fnn_spread[2])(void *dx, const void *dy, Py_ssize_t outer, Py_ssize_t axis, Py_ssize_t inner, double divisor)


cdef void reduced_shape(Py_ssize_t *shape, const Array *x, int first, int last, Py_ssize_t *outer, Py_ssize_t *axis, Py_ssize_t *inner) noexcept:
    """The shape of x with axes first..last of size 1, and the sizes before, along and after them."""
    cdef int d
    outer[0] = axis[0] = inner[0] = 1
    for d in range(x.ndim):
        shape[d] = x.shape[d]
        if d < first:
            outer[0] *= x.shape[d]
        elif d <= last:
            axis[0] *= x.shape[d]
            shape[d] = 1
        else:
            inner[0] *= x.shape[d]


cdef object sum_group(object x, int first, int last, double divisor):
    """Sum over the axes first..last, which are kept with size 1."""
    cdef Array x_, y_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t outer, axis, inner
    if not fnn_scratch_ready():
        raise MemoryError("fastnn: no scratch memory")
    x = open_array(x, &x_)
    reduced_shape(shape, &x_, first, last, &outer, &axis, &inner)
    y = new_array(&y_, x_.dtype, x_.ndim, shape)
    with nogil:
        fnn_sum[x_.dtype](y_.data, x_.data, outer, axis, inner, divisor)
    return y


cdef object sum_over(object x, object dim, double divisor):
    """Sum over the axes `dim` (sorted), kept with size 1; the last group that is summed is divided by `divisor`."""
    cdef int last, first, k = len(dim) - 1
    if k < 0:
        return sum_group(x, 0, -1, divisor)
    while k >= 0:
        last = first = dim[k]
        k -= 1
        while k >= 0 and dim[k] == first - 1:
            first = dim[k]
            k -= 1
        x = sum_group(x, first, last, divisor if k < 0 else 1.0)
    return x


cdef object sum_to(object g, object shape):
    """Sum g over the axes along which `shape` was broadcast to g's; g itself where nothing was."""
    cdef int d, extra
    g_shape = g.shape
    if g_shape == shape:
        return g
    extra = len(g_shape) - len(shape)
    dim = [d for d in range(len(g_shape)) if d < extra or shape[d - extra] != g_shape[d]]
    return sum_over(g, dim, 1.0).reshape(shape)


cdef object spread_over(object dy, object shape, object dim, double divisor):
    """dy / divisor, repeated along the axes `dim` up to `shape`; dy may have those axes with size 1 or not at all."""
    cdef Array dy_, dx_
    cdef Py_ssize_t outer, axis, inner
    cdef Py_ssize_t sizes[MAX_DIMS]
    cdef int d, first, last, k = 0, n = len(dim), ndim = len(shape)
    dy = dy.reshape([1 if d in dim else shape[d] for d in range(ndim)])
    while True:
        first = dim[k] if n else 0
        last = first if n else -1
        k += 1
        while k < n and dim[k] == last + 1:
            last = dim[k]
            k += 1
        dy = open_array(dy, &dy_)
        outer = axis = inner = 1
        for d in range(ndim):
            sizes[d] = dy_.shape[d]
            if d < first:
                outer *= sizes[d]
            elif d <= last:
                sizes[d] = shape[d]
                axis *= sizes[d]
            else:
                inner *= sizes[d]
        dx = new_array(&dx_, dy_.dtype, ndim, sizes)
        with nogil:
            fnn_spread[dy_.dtype](dx_.data, dy_.data, outer, axis, inner, divisor if k >= n else 1.0)
        if k >= n:
            return dx
        dy = dx


cdef object drop_axes(object y, object dim, object keepdim):
    """Take the axes of size 1 away unless they are to be kept."""
    return y if keepdim else y.reshape([y.shape[d] for d in range(y.ndim) if d not in dim])


def sum_forward(x, *, dim, keepdim):
    return drop_axes(sum_over(x, dim, 1.0), dim, keepdim), (x.shape,)


def sum_backward(dy, saved, *, dim, keepdim):
    return (spread_over(dy, saved[0], dim, 1.0),)


cdef double count(object shape, object dim):
    cdef double n = 1
    for d in dim:
        n *= shape[d]
    return n


def mean_forward(x, *, dim, keepdim):
    return drop_axes(sum_over(x, dim, count(x.shape, dim)), dim, keepdim), (x.shape,)


def mean_backward(dy, saved, *, dim, keepdim):
    return (spread_over(dy, saved[0], dim, count(saved[0], dim)),)
