# softmax.pxi -- calls of csrc/pointwise/softmax.c

cdef extern from "fastnn.h" nogil:
    enum: FNN_REDUCE_NONE, FNN_REDUCE_MEAN, FNN_REDUCE_SUM

cdef struct Axis:
    Py_ssize_t outer, axis, inner


cdef Axis _along(const Array *a, int dim):
    """The sizes before, at and after an axis; an array without axes is a vector of one element."""
    cdef Axis s = Axis(1, 1, 1)
    cdef int i
    for i in range(a.ndim):
        if i < dim:
            s.outer *= a.shape[i]
        elif i == dim:
            s.axis = a.shape[i]
        else:
            s.inner *= a.shape[i]
    return s


cdef object _softmax_forward(x, int dim, int log):
    cdef Array x_, y_
    x = open_array(x, &x_)
    need(0 <= dim < max(x_.ndim, 1))
    y = new_like(&y_, &x_)
    cdef Axis s = _along(&x_, dim)
    with nogil:
        fnn_softmax_forward[x_.dtype](y_.data, x_.data, s.outer, s.axis, s.inner, log)
    return y, (y,)


cdef object _softmax_backward(dy, y, int dim, int log):
    cdef Array dy_, y_, dx_
    y = open_array(y, &y_)
    dy = open_array(dy, &dy_)
    need(matches(&dy_, &y_) and 0 <= dim < max(y_.ndim, 1))
    dx = new_like(&dx_, &y_)
    cdef Axis s = _along(&y_, dim)
    with nogil:
        fnn_softmax_backward[y_.dtype](dx_.data, dy_.data, y_.data, s.outer, s.axis, s.inner, log)
    return (dx,)


def softmax_forward(x, *, int dim):
    return _softmax_forward(x, dim, 0)


def softmax_backward(dy, saved, *, int dim):
    return _softmax_backward(dy, saved[0], dim, 0)


def log_softmax_forward(x, *, int dim):
    return _softmax_forward(x, dim, 1)


def log_softmax_backward(dy, saved, *, int dim):
    return _softmax_backward(dy, saved[0], dim, 1)


cdef dict _reductions = {"none": FNN_REDUCE_NONE, "mean": FNN_REDUCE_MEAN, "sum": FNN_REDUCE_SUM}


cdef object _new_loss(Array *out, const Array *x, bint one_each, int without_axis=-1):
    """A number; or one per element; or (without_axis >= 0) one per vector along that axis."""
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int i, ndim = 0
    if one_each:
        for i in range(x.ndim):
            if i != without_axis:
                shape[ndim] = x.shape[i]
                ndim += 1
    return new_array(out, x.dtype, ndim, shape)


cdef object _open_labels(object a, Array *out):
    """Labels of any integer type, as int64."""
    cdef const ndarray *f = fields_of(a)
    if (f == NULL or f.descr != <PyObject *>_int64) and a.dtype != _int64:
        a = a.astype(_int64)
    return open_any(a, out)


cdef bint labels_fit(const Array *label, const Axis *s, int64_t ignore) noexcept:
    """Whether there is one label for each vector, a class or the one to be ignored."""
    cdef const int64_t *l = <const int64_t *>label.data
    cdef Py_ssize_t i
    if l == NULL:
        return True
    if not has_size(label, b'q', s.outer * s.inner):
        return False
    for i in range(label.size):
        if <uint64_t>l[i] >= <uint64_t>s.axis and l[i] != ignore:
            return False
    return True


cdef object _open_target(object target, Array *label, Array *probabilities):
    """Labels or class probabilities: one of the two is filled, the other made empty."""
    if target.dtype.kind == "f":
        open_optional(None, label)
        return open_array(target, probabilities)
    open_optional(None, probabilities)
    return _open_labels(target, label)


def cross_entropy_forward(x, target, weight=None, *, int64_t ignore_index=-100, reduction="mean",
                          double label_smoothing=0.0):
    cdef Array x_, label_, target_, weight_, y_, top_, total_
    cdef int reduce = _reductions[reduction]
    cdef double divisor
    scratch_ready()
    x = open_array(x, &x_)
    target = _open_target(target, &label_, &target_)
    weight = open_optional(weight, &weight_)
    cdef int dim = 1 if x_.ndim > 1 else 0
    cdef Axis s = _along(&x_, dim)
    need(x_.ndim > 0 and labels_fit(&label_, &s, ignore_index) and matches(&target_, &x_)
         and has_size(&weight_, x_.dtype, s.axis))
    y = _new_loss(&y_, &x_, reduce == FNN_REDUCE_NONE, dim)
    top = _new_loss(&top_, &x_, True, dim)
    total = _new_loss(&total_, &x_, True, dim)
    with nogil:
        fnn_cross_entropy_forward[x_.dtype](y_.data, top_.data, total_.data, &divisor, x_.data,
                                            <const int64_t *>label_.data, target_.data, weight_.data, s.outer, s.axis,
                                            s.inner, ignore_index, label_smoothing, reduce)
    return y, (x, target, weight, top, total, divisor)


def cross_entropy_backward(dy, saved, *, needs=None, int64_t ignore_index=-100, reduction="mean",
                           double label_smoothing=0.0):
    cdef Array dy_, x_, label_, target_, weight_, top_, total_, dx_, dtarget_
    cdef double divisor
    cdef int reduce = _reductions[reduction]
    x, target, weight, top, total, divisor = saved
    x = open_array(x, &x_)
    target = _open_target(target, &label_, &target_)
    weight = open_optional(weight, &weight_)
    top = open_array(top, &top_)
    total = open_array(total, &total_)
    dy = open_array(dy, &dy_)
    dx = dtarget = None
    dx_.data = dtarget_.data = NULL
    if needs is None or needs[0]:
        dx = new_like(&dx_, &x_)
    if target_.data != NULL and (needs is None or needs[1]):
        dtarget = new_like(&dtarget_, &x_)
    cdef Axis s = _along(&x_, 1 if x_.ndim > 1 else 0)
    need(x_.ndim > 0 and labels_fit(&label_, &s, ignore_index) and matches(&target_, &x_)
         and has_size(&weight_, x_.dtype, s.axis) and has_size(&top_, x_.dtype, s.outer * s.inner)
         and has_size(&total_, x_.dtype, s.outer * s.inner)
         and has_size(&dy_, x_.dtype, s.outer * s.inner if reduce == FNN_REDUCE_NONE else 1))
    with nogil:
        fnn_cross_entropy_backward[x_.dtype](dx_.data, dtarget_.data, dy_.data, x_.data, top_.data, total_.data,
                                             <const int64_t *>label_.data, target_.data, weight_.data, s.outer, s.axis,
                                             s.inner, ignore_index, label_smoothing, reduce, divisor)
    return dx, dtarget, None


def nll_loss_forward(x, target, weight=None, *, int64_t ignore_index=-100, reduction="mean"):
    cdef Array x_, label_, weight_, y_
    cdef int reduce = _reductions[reduction]
    cdef double divisor
    scratch_ready()
    x = open_array(x, &x_)
    target = _open_labels(target, &label_)
    weight = open_optional(weight, &weight_)
    cdef int dim = 1 if x_.ndim > 1 else 0
    cdef Axis s = _along(&x_, dim)
    need(x_.ndim > 0 and labels_fit(&label_, &s, ignore_index) and has_size(&weight_, x_.dtype, s.axis))
    y = _new_loss(&y_, &x_, reduce == FNN_REDUCE_NONE, dim)
    with nogil:
        fnn_nll_loss_forward[x_.dtype](y_.data, &divisor, x_.data, <const int64_t *>label_.data, weight_.data,
                                       s.outer, s.axis, s.inner, ignore_index, reduce)
    return y, (x.shape, target, weight, divisor)


def nll_loss_backward(dy, saved, *, int64_t ignore_index=-100, reduction="mean"):
    cdef Array dy_, label_, weight_, dx_
    cdef double divisor
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef int i, ndim, reduce = _reductions[reduction]
    x_shape, target, weight, divisor = saved
    dy = open_array(dy, &dy_)
    target = _open_labels(target, &label_)
    weight = open_optional(weight, &weight_)
    ndim = len(x_shape)
    need(0 < ndim <= MAX_DIMS)
    for i in range(ndim):
        shape[i] = x_shape[i]
    dx = new_array(&dx_, dy_.dtype, ndim, shape)
    cdef Axis s = _along(&dx_, 1 if ndim > 1 else 0)
    need(labels_fit(&label_, &s, ignore_index) and has_size(&weight_, dy_.dtype, s.axis)
         and dy_.size == (s.outer * s.inner if reduce == FNN_REDUCE_NONE else 1))
    with nogil:
        fnn_nll_loss_backward[dy_.dtype](dx_.data, dy_.data, <const int64_t *>label_.data, weight_.data,
                                         s.outer, s.axis, s.inner, ignore_index, reduce, divisor)
    return dx, None, None
