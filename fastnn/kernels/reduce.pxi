# reduce.pxi -- calls of csrc/pointwise/reduce.c
#
# A reduction over several neighbouring axes is one of outer x axis x inner. `dim` is a sorted tuple
# of axes. Axes that are not neighbours are reduced group by group, from the last, where that gives
# the same; else they are brought together by a transposed copy.

ctypedef void (*reduction_fn)(void *y, const void *x, const void *c, Py_ssize_t outer, Py_ssize_t axis,
                              Py_ssize_t inner, double divisor) noexcept nogil

from libc.math cimport INFINITY, NAN, fabs


# ---- axes ----------------------------------------------------------------------------------------
cdef void split_axes(const Array *x, int first, int last, Py_ssize_t *outer, Py_ssize_t *axis,
                     Py_ssize_t *inner) noexcept:
    """The sizes before, along and after the axes first..last."""
    cdef int d
    outer[0] = axis[0] = inner[0] = 1
    for d in range(x.ndim):
        if d < first:
            outer[0] *= x.shape[d]
        elif d <= last:
            axis[0] *= x.shape[d]
        else:
            inner[0] *= x.shape[d]


cdef double count(object shape, object dim):
    """How many elements are reduced to one."""
    cdef double n = 1
    for d in dim:
        n *= shape[d]
    return n


cdef double freedom(object shape, object dim, double correction):
    """The divisor of a variance: n - correction; at least 0, where the variance is not a number."""
    cdef double n = count(shape, dim) - correction
    return n if n > 0 else 0.0


cdef object with_axes(object y, object shape, object dim):
    """y, which may lack the axes `dim` of an array of that shape, with them as size 1."""
    if len(y.shape) == len(shape):
        return y
    return y.reshape([1 if d in dim else shape[d] for d in range(len(shape))])


cdef object drop_axes(object y, object dim, object keepdim):
    """Take the axes of size 1 away unless they are to be kept."""
    if keepdim or not dim:
        return y
    return y.reshape([y.shape[d] for d in range(y.ndim) if d not in dim])


# ---- reductions ----------------------------------------------------------------------------------
cdef object reduce_group(const reduction_fn *kernel, object x, object c, int first, int last, double divisor):
    """Reduce the axes first..last, which are kept with size 1; c has their result's size."""
    cdef Array x_, c_, y_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t outer, axis, inner
    cdef int d
    scratch_ready()
    x = open_array(x, &x_)
    c = open_optional(c, &c_)
    split_axes(&x_, first, last, &outer, &axis, &inner)
    need(first >= 0 and last < x_.ndim and has_size(&c_, x_.dtype, outer * inner))
    for d in range(x_.ndim):
        shape[d] = 1 if first <= d <= last else x_.shape[d]
    y = new_array(&y_, x_.dtype, x_.ndim, shape)
    with nogil:
        kernel[x_.dtype](y_.data, x_.data, c_.data, outer, axis, inner, divisor)
    return y


cdef object reduce_groups(const reduction_fn *kernel, object x, object dim, double divisor):
    """Reduce the axes `dim` group by group; the last group is divided by `divisor`."""
    cdef int last, first, k = len(dim) - 1
    if k < 0:
        return reduce_group(kernel, x, None, 0, -1, divisor)
    while k >= 0:
        last = first = dim[k]
        k -= 1
        while k >= 0 and dim[k] == first - 1:
            first = dim[k]
            k -= 1
        x = reduce_group(kernel, x, None, first, last, divisor if k < 0 else 1.0)
    return x


cdef object reduce_once(const reduction_fn *kernel, object x, object c, object dim, double divisor):
    """Reduce the axes `dim` together, for a kernel that needs c, which has them with size 1."""
    cdef int n = len(dim)
    if n == 0 or dim[n - 1] - dim[0] == n - 1:
        return reduce_group(kernel, x, c, dim[0] if n else 0, dim[n - 1] if n else -1, divisor)
    shape = x.shape
    order = [d for d in range(x.ndim) if d not in dim] + list(dim)
    y = reduce_group(kernel, x.transpose(order), c, x.ndim - n, x.ndim - 1, divisor)
    return y.reshape([1 if d in dim else shape[d] for d in range(len(shape))])


cdef object sum_to(object g, object shape):
    """Sum g over the axes along which `shape` was broadcast to g's; g itself where nothing was."""
    cdef int d, extra
    g_shape = g.shape
    if g_shape == shape:
        return g
    extra = len(g_shape) - len(shape)
    dim = [d for d in range(len(g_shape)) if d < extra or shape[d - extra] != g_shape[d]]
    return reduce_groups(fnn_sum, g, dim, 1.0).reshape(shape)


cdef object spread_over(object dy, object shape, object dim, double divisor):
    """dy / divisor, repeated along the axes `dim` up to `shape`. dy has those axes with size 1, or
    not at all.
    """
    cdef Array dy_, dx_
    cdef Py_ssize_t outer, axis, inner
    cdef Py_ssize_t sizes[MAX_DIMS]
    cdef int d, first, last, k = 0, n = len(dim), ndim = len(shape)
    need(ndim <= MAX_DIMS)
    dy = with_axes(dy, shape, dim)
    while True:
        first = dim[k] if n else 0
        last = first if n else -1
        k += 1
        while k < n and dim[k] == last + 1:
            last = dim[k]
            k += 1
        dy = open_array(dy, &dy_)
        need(dy_.ndim == ndim)
        for d in range(ndim):
            sizes[d] = shape[d] if first <= d <= last else dy_.shape[d]
        dx = new_array(&dx_, dy_.dtype, ndim, sizes)
        split_axes(&dx_, first, last, &outer, &axis, &inner)
        need(first >= 0 and last < ndim and dy_.size == outer * inner)
        with nogil:
            fnn_spread[dy_.dtype](dx_.data, dy_.data, outer, axis, inner, divisor if k >= n else 1.0)
        if k >= n:
            return dx
        dy = dx


# ---- sums ----------------------------------------------------------------------------------------
def sum_forward(x, *, dim, keepdim):
    return drop_axes(reduce_groups(fnn_sum, x, dim, 1.0), dim, keepdim), (x.shape,)


def sum_backward(dy, saved, *, dim, keepdim):
    return (spread_over(dy, saved[0], dim, 1.0),)


def mean_forward(x, *, dim, keepdim):
    return drop_axes(reduce_groups(fnn_sum, x, dim, count(x.shape, dim)), dim, keepdim), (x.shape,)


def mean_backward(dy, saved, *, dim, keepdim):
    return (spread_over(dy, saved[0], dim, count(saved[0], dim)),)


cdef bint matters(const Array *rest, const Array *y, bint root) noexcept nogil:
    """Whether what rounding left of the means shows beside the deviations: 2^-22 of one, whose
    square is 5.7e-14, or more. y has the variances, or their roots.
    """
    cdef Py_ssize_t i
    cdef double r, v
    for i in range(y.size):
        if y.dtype == FNN_F32:
            r, v = (<float *>rest.data)[i], (<float *>y.data)[i]
        else:
            r, v = (<double *>rest.data)[i], (<double *>y.data)[i]
        if r * r > 5.7e-14 * (v * v if root else v):
            return True
    return False


cdef tuple spread_forward(object x, object dim, object keepdim, double correction, bint root):
    """(variance or its root, saved): over the axes `dim` together."""
    cdef Array x_, y_, mean_, rest_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t outer, axis, inner
    cdef int d, k, n = len(dim), first = dim[0] if n else 0, last = dim[n - 1] if n else -1
    scratch_ready()
    x = kept = open_array(x, &x_)
    for d in range(x_.ndim):
        shape[d] = x_.shape[d]
    for k in range(n):
        need(0 <= dim[k] < x_.ndim and (k == 0 or dim[k - 1] < dim[k]))
        shape[<int>dim[k]] = 1
    # the axes brought together: the others in their order, then these
    if n and last - first != n - 1:
        kept = open_array(x.transpose([d for d in range(x_.ndim) if d not in dim] + list(dim)), &x_)
        first, last = x_.ndim - n, x_.ndim - 1
    split_axes(&x_, first, last, &outer, &axis, &inner)
    y = new_array(&y_, x_.dtype, x_.ndim, shape)
    mean = new_array(&mean_, x_.dtype, x_.ndim, shape)
    rest = new_array(&rest_, x_.dtype, x_.ndim, shape)
    cdef double divisor = axis - correction
    cdef bint shows
    with nogil:
        fnn_variance[x_.dtype](y_.data, mean_.data, rest_.data, x_.data, outer, axis, inner,
                               divisor if divisor > 0 else 0.0, root)
        shows = matters(&rest_, &y_, root)
    return drop_axes(y, dim, keepdim), (x, mean, rest if shows else None, y)


cdef bint is_extreme(object a) except -1:
    """Whether an element is neither 0 nor in the middle range, whose quotients are normal."""
    cdef Array a_
    cdef Py_ssize_t i, found = 0
    cdef double size
    a = open_array(a, &a_)
    for i in range(a_.size):
        if a_.dtype == FNN_F32:
            size = fabs((<float *>a_.data)[i])
            found += size != 0 and not 2.0**-60 <= size <= 2.0**60
        else:
            size = fabs((<double *>a_.data)[i])
            found += size != 0 and not 2.0**-500 <= size <= 2.0**500
    return found > 0


cdef bint any_infinite(object a):
    """Whether an element is infinite."""
    cdef Array a_
    cdef Py_ssize_t i, found = 0
    a = open_array(a, &a_)
    for i in range(a_.size):
        if a_.dtype == FNN_F32:
            found += fabs((<float *>a_.data)[i]) == INFINITY
        else:
            found += fabs((<double *>a_.data)[i]) == INFINITY
    return found > 0


cdef object in_range(object x, object y):
    """x, times 2^-40 in the slices whose result y overflowed: the slope of a norm is the same."""
    with np.errstate(under="ignore"):
        return np.where(y == INFINITY, np.ldexp(x, -40), x)


cdef object times_share(object dy, object x, object y):
    """dy x / y, where |x| <= y up to a small factor; 0 where y is 0."""
    if is_extreme(y) or is_extreme(dy):     # dy / y may leave the range, and x / y will not
        return broadcast2(fnn_mul, broadcast2(fnn_divide_or_zero, x, y), dy)
    return broadcast2(fnn_mul, x, broadcast2(fnn_divide_or_zero, dy, y))


cdef object deviations(object x, object mean, object rest):
    """x - mean, whose two parts are those that fnn_variance made."""
    d = broadcast2(fnn_sub, x, mean)
    return d if rest is None else broadcast2(fnn_sub, d, rest)


def var_forward(x, *, dim, keepdim, correction):
    y, saved = spread_forward(x, dim, keepdim, correction, False)
    return y, saved[:3]


def var_backward(dy, saved, *, dim, keepdim, correction):
    # forward was  y = sum (x - mean)^2 / (n - correction),  and sum (x - mean) = 0
    x, mean, rest = saved
    scale = broadcast2(fnn_mul, with_axes(dy, x.shape, dim), 2 / freedom(x.shape, dim, correction))
    return (broadcast2(fnn_mul, deviations(x, mean, rest), scale),)


def std_forward(x, *, dim, keepdim, correction):
    return spread_forward(x, dim, keepdim, correction, True)


def std_backward(dy, saved, *, dim, keepdim, correction):
    # forward was  y = sqrt(variance);  where y is 0 the slope is taken as 0
    x, mean, rest, y = saved
    if any_infinite(y):
        x, mean, rest, y = spread_forward(in_range(x, y), dim, True, correction, True)[1]
    dy = broadcast2(fnn_mul, with_axes(dy, x.shape, dim), 1 / freedom(x.shape, dim, correction))
    return (times_share(dy, deviations(x, mean, rest), y),)


def norm_forward(x, *, p, dim, keepdim):
    if p == 1:
        y = reduce_groups(fnn_sum_abs, x, dim, 1.0)
    else:
        y = reduce_once(fnn_root_sum_square, x, None, dim, 1.0)
    return drop_axes(y, dim, keepdim), (x, y)


cdef object several_infinities(object x, object dim):
    """Where a slice along `dim` has more than one: the limit depends on which grows faster."""
    return np.sum(np.abs(x) == INFINITY, axis=dim, keepdims=True) > 1


def norm_backward(dy, saved, *, p, dim, keepdim):
    x, y = saved            # y = sum |x|  or  y = sqrt(sum x^2),  whose slopes at 0 are taken as 0
    y, dy = with_axes(y, x.shape, dim), with_axes(dy, x.shape, dim)
    if p == 1:
        return (broadcast2(fnn_times_sign, dy, x),)
    if any_infinite(y):             # the slope x / y is 1 or -1 where x is infinite, 0 beside it
        x = in_range(x, y)
        y = reduce_once(fnn_root_sum_square, x, None, dim, 1.0)
        with np.errstate(invalid="ignore", over="ignore"):
            slope = np.where(np.abs(x) == INFINITY, np.sign(x), x / np.where(y == 0, 1, y))
            return (np.asarray(np.where(several_infinities(x, dim), NAN, slope) * dy, x.dtype),)
    return (times_share(dy, x, y),)


def logsumexp_forward(x, *, dim, keepdim):
    top = map1(fnn_finite_or_zero, reduce_groups(fnn_amax, x, dim, 1.0))
    y = broadcast2(fnn_add, map1(fnn_log_forward, reduce_once(fnn_sum_exp, x, top, dim, 1.0)), top)
    return drop_axes(y, dim, keepdim), (x, y)


def logsumexp_backward(dy, saved, *, dim, keepdim):
    x, y = saved                    # dy/dx = e^x / sum e^x = e^(x - y)
    dy = with_axes(dy, x.shape, dim)
    if count(x.shape, dim) == 1:    # of one element it is that element
        return (spread_over(dy, x.shape, dim, 1.0),)
    if any_infinite(y):
        dy = np.asarray(np.where((y == INFINITY) & several_infinities(np.maximum(x, 0), dim), NAN, dy), x.dtype)
    return (broadcast2(fnn_mul, broadcast2(fnn_exp_difference, x, y), dy),)


# ---- products and running sums -------------------------------------------------------------------
def prod_forward(x, *, dim, keepdim):
    return drop_axes(reduce_groups(fnn_prod, x, dim, 1.0), dim, keepdim), (x,)


def prod_backward(dy, saved, *, dim, keepdim):
    cdef Array x_, dy_, dx_
    cdef Py_ssize_t outer, axis, inner, n = len(dim)
    x = open_array(saved[0], &x_)
    dy = open_array(dy, &dy_)
    # one axis, or all
    split_axes(&x_, dim[0] if n else 0, dim[n - 1] if n else -1, &outer, &axis, &inner)
    need(has_size(&dy_, x_.dtype, outer * inner))
    dx = new_like(&dx_, &x_)
    with nogil:
        fnn_prod_backward[x_.dtype](dx_.data, dy_.data, x_.data, outer, axis, inner)
    return (dx,)


cdef object running_sum(object x, int dim, int reverse):
    cdef Array x_, y_
    cdef Py_ssize_t outer, axis, inner
    x = open_array(x, &x_)
    need(0 <= dim < x_.ndim)
    split_axes(&x_, dim, dim, &outer, &axis, &inner)
    y = new_like(&y_, &x_)
    with nogil:
        fnn_cumsum[x_.dtype](y_.data, x_.data, outer, axis, inner, reverse)
    return y


def cumsum_forward(x, *, dim):
    return running_sum(x, dim, 0), ()


def cumsum_backward(dy, saved, *, dim):
    return (running_sum(dy, dim, 1),)           # forward was  y[a] = sum of x[b] over b <= a


cdef extern from "fastnn.h" nogil:
    bint fnn_indices_fit(const int64_t *index, Py_ssize_t n, Py_ssize_t below, Py_ssize_t size)


cdef bint positions_fit(const int64_t *index, Py_ssize_t n, Py_ssize_t size) noexcept:
    """Whether each position is one of `size`."""
    return fnn_indices_fit(index, n, 0, size)


# ---- extremes ------------------------------------------------------------------------------------
cdef object extreme_spread(object dy, object x, object y, object dim):
    """dy in equal parts to all x along `dim` that are equal to y."""
    share = broadcast2(fnn_is_same, x, y)
    each = broadcast2(fnn_div, with_axes(dy, x.shape, dim), reduce_groups(fnn_sum, share, dim, 1.0))
    return broadcast2(fnn_mul_or_zero, each, share)


def amax_forward(x, *, dim, keepdim):
    y = reduce_groups(fnn_amax, x, dim, 1.0)
    return drop_axes(y, dim, keepdim), (x, y)


def amax_backward(dy, saved, *, dim, keepdim):
    return (extreme_spread(dy, saved[0], saved[1], dim),)


def amin_forward(x, *, dim, keepdim):
    y = reduce_groups(fnn_amin, x, dim, 1.0)
    return drop_axes(y, dim, keepdim), (x, y)


def amin_backward(dy, saved, *, dim, keepdim):
    return (extreme_spread(dy, saved[0], saved[1], dim),)


cdef object find_extreme(object x, object dim, object keepdim, double sign):
    """((values, indices), saved): the first extreme along one axis, or of all with dim None."""
    cdef Array x_, y_, index_
    cdef Py_ssize_t shape[MAX_DIMS]
    cdef Py_ssize_t outer, axis, inner
    cdef int d, first, last
    x = open_array(x, &x_)
    first = 0 if dim is None else dim
    last = x_.ndim - 1 if dim is None else dim
    if x_.ndim == 0 and first == 0:         # a number is its own extreme, along "dimension 0" too
        last = -1
    need(dim is None or x_.ndim == 0 == first or 0 <= first < x_.ndim)
    split_axes(&x_, first, last, &outer, &axis, &inner)
    need(axis > 0 or outer * inner == 0)
    for d in range(x_.ndim):
        shape[d] = 1 if first <= d <= last else x_.shape[d]
    values = new_array(&y_, x_.dtype, x_.ndim, shape)
    indices = new_array(&index_, b'q', x_.ndim, shape)
    with nogil:
        fnn_argmax[x_.dtype](<int64_t *>index_.data, y_.data, x_.data, outer, axis, inner, sign)
    dims = tuple(range(first, last + 1))
    values, indices = drop_axes(values, dims, keepdim), drop_axes(indices, dims, keepdim)
    return (values, indices), (x.shape, indices)


cdef object to_extreme(object dy, object saved, object dim):
    """dy at the extremes that find_extreme found, 0 elsewhere."""
    cdef Array dy_, index_, dx_
    cdef Py_ssize_t sizes[MAX_DIMS]
    cdef Py_ssize_t outer, axis, inner
    cdef int d
    shape, indices = saved
    dy = open_array(dy[0], &dy_)
    indices = open_any(indices, &index_)
    need(len(shape) <= MAX_DIMS)
    for d in range(len(shape)):
        sizes[d] = shape[d]
    dx = new_array(&dx_, dy_.dtype, len(shape), sizes)
    split_axes(&dx_, dim, dim, &outer, &axis, &inner)
    need((0 <= dim < dx_.ndim or dx_.ndim == 0 == dim) and dy_.size == outer * inner
         and has_size(&index_, b'q', outer * inner)
         and positions_fit(<int64_t *>index_.data, index_.size, axis))
    with nogil:
        fnn_argmax_backward[dy_.dtype](dx_.data, dy_.data, <int64_t *>index_.data, outer, axis, inner)
    return (dx,)


def max_forward(x, *, dim, keepdim):
    return find_extreme(x, dim, keepdim, 1.0)


def max_backward(dy, saved, *, dim, keepdim):
    return to_extreme(dy, saved, dim)


def min_forward(x, *, dim, keepdim):
    return find_extreme(x, dim, keepdim, -1.0)


def min_backward(dy, saved, *, dim, keepdim):
    return to_extreme(dy, saved, dim)


def argmax_forward(x, *, dim, keepdim):
    return find_extreme(x, dim, keepdim, 1.0)[0][1], ()


def argmin_forward(x, *, dim, keepdim):
    return find_extreme(x, dim, keepdim, -1.0)[0][1], ()
