# scatter.pxi -- calls of csrc/pointwise/scatter.c

cdef extern from "fastnn.h" nogil:
    int64_t fnn_index_add_work(Py_ssize_t axis, Py_ssize_t n)
    int64_t fnn_index_copy_work(Py_ssize_t axis)


cdef bint indices_fit(const Array *index, Py_ssize_t axis) noexcept:
    """Whether each is one of `axis`, counted from the beginning or, below 0, from the end."""
    return index.dtype == b'q' and fnn_indices_fit(<const int64_t *>index.data, index.size, axis, axis)


cdef bint is_index(const ndarray *index, int ndim) noexcept:
    return (index != NULL and index.descr == <PyObject *>_int64 and index.nd == ndim
            and index.flags & (C_CONTIGUOUS | ALIGNED) == C_CONTIGUOUS | ALIGNED)


cdef bint along_fits(tuple inputs, dict attrs) noexcept:
    """gather, scatter and their kin: an index for each element, and a value for each index if the
    op has values. Whether the indices are in range the kernel sees.
    """
    cdef const ndarray *x
    cdef const ndarray *index
    cdef const ndarray *values
    cdef int d, dim
    cdef Py_ssize_t count = PyTuple_GET_SIZE(inputs)
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
        if d != dim and index.dimensions[d] > x.dimensions[d]:
            return False
    return True


cdef bint slices_fit(tuple inputs, dict attrs) noexcept:
    """index_copy: a slice for each number of one. Whether these are in range the kernel sees."""
    cdef const ndarray *x
    cdef const ndarray *index
    cdef const ndarray *source
    cdef int d, dim
    if PyTuple_GET_SIZE(inputs) != 3:
        return False
    x, index, source = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1)), float_fields(nth(inputs, 2))
    if (x == NULL or source == NULL or source.descr != x.descr or source.nd != x.nd or not is_index(index, 1)
            or not axis_given(attrs, x.nd, &dim)):
        return False
    for d in range(x.nd):
        if source.dimensions[d] != (index.dimensions[0] if d == dim else x.dimensions[d]):
            return False
    return True


cdef bint places_fit(tuple inputs, dict attrs) noexcept:
    """put: a place for each value."""
    cdef const ndarray *x
    cdef const ndarray *places
    cdef const ndarray *values
    if PyTuple_GET_SIZE(inputs) != 3:
        return False
    x, places, values = float_fields(nth(inputs, 0)), fields_of(nth(inputs, 1)), float_fields(nth(inputs, 2))
    return (x != NULL and values != NULL and values.descr == x.descr and is_index(places, values.nd)
            and same_sizes(values.dimensions, places.dimensions, values.nd))


fits_along = fits(along_fits)
fits_scatter = fits(along_fits, True)
fits_put = fits(places_fit, True)
fits_slices = fits(slices_fit)


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


cdef object written(object y, object index, int dim, object values, double value):
    """y, a new array, with the values, or the number where these are None, at the indices."""
    return scattered(y, index, dim, values, value, False, False)


cdef object scattered(object y, object index, int dim, object values, double value, bint add, bint from_end):
    """y, a new array, with the values, or the number where these are None, written or added.

    from_end: indices below 0 count from the end, of what is added; else they are errors
    """
    cdef Array y_, values_, index_
    cdef int64_t outside
    index = _open_labels(index, &index_)
    values = open_optional(values, &values_)
    cdef bint all = reaches_all(&index_, y.shape, dim)
    part = y if all else np.ascontiguousarray(within(y, index.shape, dim))
    part = open_array(part, &y_)
    cdef Axis s = axis_of(&y_, dim)
    need(has_size(&values_, y_.dtype, index_.size))
    with nogil:
        if add:
            fnn_scatter_add[y_.dtype](y_.data, &outside, values_.data, <const int64_t *>index_.data, s.outer, s.axis,
                                      index_.shape[dim], s.inner, s.axis if from_end else 0)
        else:
            fnn_scatter[y_.dtype](y_.data, &outside, values_.data, <const int64_t *>index_.data, s.outer, s.axis,
                                  index_.shape[dim], s.inner, value)
    need(outside == 0)
    if not all:
        within(y, index.shape, dim)[...] = part
    return y


cdef object taken_back(object dx, object index, int dim):
    """The gradient of the values that a scatter wrote. dx, a new array, holds dy; afterwards what
    is left for x.
    """
    cdef Array dx_, dvalues_, index_
    cdef int64_t outside
    index = _open_labels(index, &index_)
    cdef bint all = reaches_all(&index_, dx.shape, dim)
    part = dx if all else np.ascontiguousarray(within(dx, index.shape, dim))
    part = open_array(part, &dx_)
    cdef Axis s = axis_of(&dx_, dim)
    dvalues = new_array(&dvalues_, dx_.dtype, index_.ndim, index_.shape)
    with nogil:
        fnn_scatter_backward[dx_.dtype](dx_.data, dvalues_.data, &outside, <const int64_t *>index_.data, s.outer,
                                        s.axis, index_.shape[dim], s.inner)
    need(outside == 0)
    if not all:
        within(dx, index.shape, dim)[...] = part
    return dvalues


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
    return scattered(zeros(shape, _dtype_object(dy_.dtype)), index, dim, dy, 0, True, True), None


def scatter_forward(x, index, src, *, int dim):
    need(src is not None)
    return written(new_copy(x), index, dim, src, 0), (index,)


def scatter_backward(dy, saved, *, int dim, needs=None):
    dx, dsrc = new_copy(dy), None
    if wanted(needs, 2):
        dsrc = taken_back(dx, saved[0], dim)
    else:
        written(dx, saved[0], dim, None, 0)
    return dx if wanted(needs, 0) else None, None, dsrc


def scatter_value_forward(x, index, *, int dim, double value):
    return written(new_copy(x), index, dim, None, value), (index,)


def scatter_value_backward(dy, saved, *, int dim, value):
    return written(new_copy(dy), saved[0], dim, None, 0), None


def scatter_add_forward(x, index, src, *, int dim):
    need(src is not None)
    return scattered(new_copy(x), index, dim, src, 0, True, False), (index,)


def scatter_add_backward(dy, saved, *, int dim, needs=None):
    return dy if wanted(needs, 0) else None, None, picked_by(dy, saved[0], dim) if wanted(needs, 2) else None


# ---- places in the whole array -------------------------------------------------------------------
cdef object as_row(object a):
    """An array in new_copy's layout as one row, in the same memory."""
    return a.reshape(-1)


def put_forward(x, places, values, *, bint accumulate):
    need(values is not None and places.size == values.size)
    y = new_copy(x)
    scattered(as_row(y), places.reshape(-1), 0, values, 0, accumulate, False)
    return y, (places,)


def put_backward(dy, saved, *, bint accumulate, needs=None):
    places = saved[0]
    if accumulate:
        return (dy if wanted(needs, 0) else None, None,
                picked_by(as_row(dy), places.reshape(-1), 0).reshape(places.shape) if wanted(needs, 2) else None)
    dx, dvalues = new_copy(dy), None
    if wanted(needs, 2):
        dvalues = taken_back(as_row(dx), places.reshape(-1), 0).reshape(places.shape)
    else:
        written(as_row(dx), places.reshape(-1), 0, None, 0)
    return dx if wanted(needs, 0) else None, None, dvalues


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
    if x is None:                                   # the gradient of index_select, which takes them
        need(indices_fit(&index_, s.axis))
    else:
        need(positions_fit(<const int64_t *>index_.data, index_.size, s.axis))
    cdef Workspace work = Workspace(fnn_index_add_work(s.axis, index_.size) * sizeof(Py_ssize_t))
    with nogil:
        fnn_index_add[y_.dtype](y_.data, x_.data, source_.data, <const int64_t *>index_.data, <Py_ssize_t *>work.data,
                                s.outer, s.axis, index_.size, s.inner)
    return y


cdef object copy_slices(object x, object source, object index, int dim):
    """x with the slices of source in place of its own."""
    cdef Array x_, index_, source_, y_
    cdef int d
    index = _open_labels(index, &index_)
    source = open_array(source, &source_)
    x = open_array(x, &x_)
    cdef Axis s = axis_of(&x_, dim)
    need(source_.ndim == x_.ndim and source_.dtype == x_.dtype and index_.ndim <= 1
         and positions_fit(<const int64_t *>index_.data, index_.size, s.axis))
    for d in range(source_.ndim):
        need(source_.shape[d] == (index_.size if d == dim else x_.shape[d]))
    y = new_like(&y_, &x_)
    cdef Workspace work = Workspace(fnn_index_copy_work(s.axis) * sizeof(Py_ssize_t))
    with nogil:
        fnn_index_copy[y_.dtype](y_.data, x_.data, source_.data, <const int64_t *>index_.data, <Py_ssize_t *>work.data,
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


def index_copy_forward(x, index, source, *, int dim):
    if x.ndim == 1:                                 # one element a slice: a scatter
        need(source is not None)
        return written(new_copy(x), index, dim, source, 0), (index,)
    return copy_slices(x, source, index, dim), (index,)


def index_copy_backward(dy, saved, *, int dim, needs=None):
    cdef Array dy_, dx_, dsource_, index_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int d
    if dy.ndim == 1:
        return scatter_backward(dy, saved, dim=dim, needs=needs)
    index = _open_labels(saved[0], &index_)
    dy = open_array(dy, &dy_)
    cdef Axis s = axis_of(&dy_, dim)
    need(index_.ndim <= 1 and positions_fit(<const int64_t *>index_.data, index_.size, s.axis))
    for d in range(dy_.ndim):
        shape[d] = index_.size if d == dim else dy_.shape[d]
    dx = dsource = None
    open_optional(None, &dx_)
    open_optional(None, &dsource_)
    if wanted(needs, 0) or s.inner == 1:
        dx = new_like(&dx_, &dy_)
    if wanted(needs, 2):
        dsource = new_array(&dsource_, dy_.dtype, dy_.ndim, shape)
    cdef Workspace work = Workspace(fnn_index_copy_work(s.axis) * sizeof(Py_ssize_t))
    with nogil:
        fnn_index_copy_backward[dy_.dtype](dx_.data, dsource_.data, dy_.data, <const int64_t *>index_.data,
                                           <Py_ssize_t *>work.data, s.outer, s.axis, index_.size, s.inner)
    return dx if wanted(needs, 0) else None, None, dsource
