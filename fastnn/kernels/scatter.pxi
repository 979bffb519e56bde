# scatter.pxi -- calls of csrc/pointwise/scatter.c

cdef extern from "fastnn.h" nogil:
    int64_t fnn_index_add_work(Py_ssize_t axis, Py_ssize_t n)


cdef bint indices_fit(const Array *index, Py_ssize_t axis) noexcept:
    """Whether each is one of `axis`, counted from the beginning or, below 0, from the end."""
    return index.dtype == b'q' and fnn_indices_fit(<const int64_t *>index.data, index.size, axis, axis)


cdef bint is_index(const ndarray *index, int ndim) noexcept:
    return (index != NULL and index.descr == <PyObject *>_int64 and index.nd == ndim
            and index.flags & (C_CONTIGUOUS | ALIGNED) == C_CONTIGUOUS | ALIGNED)


cdef bint along_fits(tuple inputs, dict attrs) noexcept:
    """gather and scatter_add: an index for each element, and a value for each index."""
    cdef const ndarray *x
    cdef const ndarray *index
    cdef const ndarray *values
    cdef int d, dim
    cdef Py_ssize_t size = 1, count = PyTuple_GET_SIZE(inputs)
    if not 2 <= count <= 3:
        return False
    x, index = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1))
    if x == NULL or not is_index(index, x.nd) or not axis_given(attrs, x.nd, &dim):
        return False
    if count == 3:
        values = float_fields(nth(inputs, 2))
        if (values == NULL or values.descr != x.descr or values.nd != x.nd
                or not same_sizes(values.dimensions, index.dimensions, x.nd)):
            return False
    for d in range(x.nd):
        if d != dim and index.dimensions[d] != x.dimensions[d]:
            return False
        size *= index.dimensions[d]
    return fnn_indices_fit(<const int64_t *>index.data, size, x.dimensions[dim] if count == 2 else 0,
                           x.dimensions[dim])


cdef bint places_fit(tuple inputs, dict attrs) noexcept:
    """put: a place for each value."""
    cdef const ndarray *x
    cdef const ndarray *places
    cdef const ndarray *values
    cdef int d
    cdef Py_ssize_t size = 1, n = 1
    if PyTuple_GET_SIZE(inputs) != 3:
        return False
    x, places, values = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1)), float_fields(nth(inputs, 2))
    if (x == NULL or values == NULL or values.descr != x.descr or not is_index(places, values.nd)
            or not same_sizes(values.dimensions, places.dimensions, values.nd)):
        return False
    for d in range(x.nd):
        size *= x.dimensions[d]
    for d in range(values.nd):
        n *= values.dimensions[d]
    return fnn_indices_fit(<const int64_t *>places.data, n, 0, size)


fits_along = fits(along_fits)
fits_put = fits(places_fit)


cdef Axis axis_of(const Array *a, int dim) except *:
    need(0 <= dim < a.ndim)
    return _along(a, dim)


cdef object within(object a, object shape, int dim):
    """The part of `a` that an index of this shape reaches: all of it along `dim`."""
    return a[tuple([slice(None) if d == dim else slice(n) for d, n in enumerate(shape)])]


cdef bint reaches_all(const Array *index, shape, int dim) except -1:
    """Whether an index of x's rank is as large as x but along `dim`. It must not be larger."""
    cdef bint all = True
    cdef int d
    need(0 <= dim < index.ndim == len(shape))
    for d in range(index.ndim):
        if d != dim and index.shape[d] != shape[d]:
            need(index.shape[d] < shape[d])
            all = False
    return all


cdef object picked_by(object x, object index, int dim):
    cdef Array x_, index_, y_
    index = _open_labels(index, &index_)
    if not reaches_all(&index_, x.shape, dim):
        x = within(x, index.shape, dim)
    x = open_array(x, &x_)
    cdef Axis s = axis_of(&x_, dim)
    need(indices_fit(&index_, s.axis))
    y = new_array(&y_, x_.dtype, index_.ndim, index_.shape)
    with nogil:
        fnn_gather[x_.dtype](y_.data, x_.data, <const int64_t *>index_.data, s.outer, s.axis, index_.shape[dim],
                             s.inner)
    return y


cdef object add_scattered(object y, object values, object index, int dim):
    """y, a new array, to which the values are added."""
    cdef Array y_, values_, index_
    index = _open_labels(index, &index_)
    values = open_array(values, &values_)
    cdef bint all = reaches_all(&index_, y.shape, dim)
    part = y if all else np.ascontiguousarray(within(y, index.shape, dim))
    part = open_array(part, &y_)
    cdef Axis s = axis_of(&y_, dim)
    need(indices_fit(&index_, s.axis) and has_size(&values_, y_.dtype, index_.size))
    with nogil:
        fnn_scatter_add[y_.dtype](y_.data, values_.data, <const int64_t *>index_.data, s.outer, s.axis,
                                  index_.shape[dim], s.inner)
    if not all:
        within(y, index.shape, dim)[...] = part
    return y


cdef inline bint wanted(object needs, int k):
    return needs is None or needs[k]


cdef object new_copy(object x):
    cdef Array x_, y_
    x = open_array(x, &x_)
    y = new_like(&y_, &x_)
    memcpy(y_.data, x_.data, x_.size * item_bytes(x_.dtype))
    return y


def gather_forward(x, index, *, int dim):
    return picked_by(x, index, dim), (x.shape, index)


def gather_backward(dy, saved, *, int dim):
    cdef Array dy_
    shape, index = saved
    dy = open_array(dy, &dy_)
    return add_scattered(zeros(shape, _dtype_object(dy_.dtype)), dy, index, dim), None


def scatter_add_forward(x, index, src, *, int dim):
    return add_scattered(new_copy(x), src, index, dim), (index,)


def scatter_add_backward(dy, saved, *, int dim, needs=None):
    return dy if wanted(needs, 0) else None, None, picked_by(dy, saved[0], dim) if wanted(needs, 2) else None


# ---- places in the whole array -------------------------------------------------------------------
def put_forward(x, places, values, *, bint accumulate):
    cdef Array y_, places_, values_
    places = _open_labels(places, &places_)
    values = open_array(values, &values_)
    y = new_copy(x)
    y = open_array(y, &y_)
    need(positions_fit(<const int64_t *>places_.data, places_.size, y_.size)
         and has_size(&values_, y_.dtype, places_.size))
    with nogil:
        if accumulate:
            fnn_scatter_add[y_.dtype](y_.data, values_.data, <const int64_t *>places_.data, 1, y_.size, places_.size, 1)
        else:
            fnn_put[y_.dtype](y_.data, values_.data, <const int64_t *>places_.data, places_.size)
    return y, (places,)


def put_backward(dy, saved, *, bint accumulate, needs=None):
    cdef Array dy_, dx_, places_, dvalues_
    cdef Workspace work
    places = _open_labels(saved[0], &places_)
    dy = open_array(dy, &dy_)
    need(positions_fit(<const int64_t *>places_.data, places_.size, dy_.size))
    dx, dvalues = dy, None
    if not accumulate:
        dx = new_like(&dx_, &dy_)
        dvalues = new_array(&dvalues_, dy_.dtype, places_.ndim, places_.shape)
        work = Workspace(dy_.size * sizeof(Py_ssize_t))
        with nogil:
            fnn_put_backward[dy_.dtype](dx_.data, dvalues_.data, dy_.data, <const int64_t *>places_.data,
                                        <Py_ssize_t *>work.data, dy_.size, places_.size)
    elif wanted(needs, 2):
        dvalues = new_array(&dvalues_, dy_.dtype, places_.ndim, places_.shape)
        with nogil:
            fnn_gather[dy_.dtype](dvalues_.data, dy_.data, <const int64_t *>places_.data, 1, dy_.size, places_.size, 1)
    return dx if wanted(needs, 0) else None, None, dvalues if wanted(needs, 2) else None


# ---- slices --------------------------------------------------------------------------------------
cdef object slices_of(object x, object index, int dim):
    cdef Array x_, index_, y_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int d
    index = _open_labels(index, &index_)
    x = open_array(x, &x_)
    cdef Axis s = axis_of(&x_, dim)
    need(index_.ndim <= 1 and indices_fit(&index_, s.axis))
    for d in range(x_.ndim):
        shape[d] = index_.size if d == dim else x_.shape[d]
    y = new_array(&y_, x_.dtype, x_.ndim, shape)
    with nogil:
        fnn_index_select[x_.dtype](y_.data, x_.data, <const int64_t *>index_.data, s.outer, s.axis, index_.size,
                                   s.inner)
    return y


cdef object add_slices(object x, object shape, object source, object index, int dim):
    """x, or zeros of a shape, plus the slices of source."""
    cdef Array x_, index_, source_, y_
    cdef Py_ssize_t sizes[MAX_DIMS]
    cdef int d
    index = _open_labels(index, &index_)
    source = open_array(source, &source_)
    x = open_optional(x, &x_)
    need(0 <= dim < source_.ndim == len(shape) and (x is None or tuple(shape) == x.shape) and index_.ndim <= 1
         and (x is None or x_.dtype == source_.dtype))
    for d in range(source_.ndim):
        sizes[d] = shape[d]
        need(source_.shape[d] == (index_.size if d == dim else sizes[d]))
    y = new_array(&y_, source_.dtype, source_.ndim, sizes)
    cdef Axis s = axis_of(&y_, dim)
    need(indices_fit(&index_, s.axis))
    cdef Workspace work = Workspace(fnn_index_add_work(s.axis, index_.size) * sizeof(Py_ssize_t))
    with nogil:
        fnn_index_add[y_.dtype](y_.data, x_.data, source_.data, <const int64_t *>index_.data, <Py_ssize_t *>work.data,
                                s.outer, s.axis, index_.size, s.inner)
    return y


def index_select_forward(x, index, *, int dim):
    return slices_of(x, index, dim), (x.shape, index)


def index_select_backward(dy, saved, *, int dim):
    shape, index = saved
    return add_slices(None, shape, dy, index, dim), None


def index_add_forward(x, index, source, *, int dim):
    return add_slices(x, x.shape, source, index, dim), (index,)


def index_add_backward(dy, saved, *, int dim, needs=None):
    return dy if wanted(needs, 0) else None, None, slices_of(dy, saved[0], dim) if wanted(needs, 2) else None
