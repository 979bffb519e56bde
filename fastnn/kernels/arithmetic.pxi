# arithmetic.pxi -- calls of csrc/pointwise/arithmetic.c; map1, map2 and broadcast2 are in map.pxi,
# sum_to in reduce.pxi


cdef object shape_of(object a):
    return a.shape if isinstance(a, _ndarray) else None


cdef bint want(object needs, int k, object shape):
    """Is the gradient of input k wanted? Never for a number."""
    return shape is not None and (needs is None or needs[k])


def add_forward(a, b):
    return broadcast2(fnn_add, a, b), (shape_of(a), shape_of(b))


def add_backward(dy, saved, needs=None):
    a_shape, b_shape = saved
    return (sum_to(dy, a_shape) if want(needs, 0, a_shape) else None,
            sum_to(dy, b_shape) if want(needs, 1, b_shape) else None)


def zeros(shape, dtype):
    """np.zeros for float32 and float64, large ones in recycled memory."""
    cdef Array y_
    cdef Py_ssize_t sizes[MAX_DIMS]
    cdef int d, ndim = len(shape)
    need(ndim <= MAX_DIMS and (dtype == _float32 or dtype == _float64))
    for d in range(ndim):
        sizes[d] = shape[d]
    y = new_array(&y_, FNN_F32 if dtype == _float32 else FNN_F64, ndim, sizes)
    memset(y_.data, 0, y_.size * item_bytes(y_.dtype))
    return y


def add_to(y, x):
    """y += x for arrays of one shape and type; y is contiguous."""
    cdef Array y_, x_
    opened = open_array(y, &y_)
    if opened is not y or not writeable(y):
        raise ValueError("an array that is added to must be contiguous, aligned and in native byte order")
    x = open_array(x, &x_)
    need(matches(&x_, &y_))
    with nogil:
        fnn_add_to[y_.dtype](y_.data, x_.data, y_.size)


def sub_forward(a, b):
    return broadcast2(fnn_sub, a, b), (shape_of(a), shape_of(b))


def sub_backward(dy, saved, needs=None):
    a_shape, b_shape = saved
    return (sum_to(dy, a_shape) if want(needs, 0, a_shape) else None,
            map1(fnn_neg, sum_to(dy, b_shape)) if want(needs, 1, b_shape) else None)


def mul_forward(a, b):
    return broadcast2(fnn_mul, a, b), (a, b)


def mul_backward(dy, saved, needs=None):
    a, b = saved
    a_shape, b_shape = shape_of(a), shape_of(b)
    return (sum_to(broadcast2(fnn_mul, dy, b), a_shape) if want(needs, 0, a_shape) else None,
            sum_to(broadcast2(fnn_mul, dy, a), b_shape) if want(needs, 1, b_shape) else None)


def div_forward(a, b):
    y = broadcast2(fnn_div, a, b)
    return y, (shape_of(a), b, y)


def div_backward(dy, saved, needs=None):
    a_shape, b, y = saved
    b_shape = shape_of(b)
    da = broadcast2(fnn_div, dy, b)
    return (sum_to(da, a_shape) if want(needs, 0, a_shape) else None,
            sum_to(broadcast2(fnn_negmul_or_zero, da, y), b_shape) if want(needs, 1, b_shape) else None)


cdef object extreme_backward(object dy, object a, object b, object share, object needs):
    """The gradient goes to the winner; `share` is a's part of it, half where a and b are equal."""
    a_shape, b_shape = shape_of(a), shape_of(b)
    return (sum_to(broadcast2(fnn_mul_share, dy, share), a_shape) if want(needs, 0, a_shape) else None,
            sum_to(broadcast2(fnn_mul_rest, dy, share), b_shape) if want(needs, 1, b_shape) else None)


def maximum_forward(a, b):
    return broadcast2(fnn_maximum, a, b), (a, b)


def maximum_backward(dy, saved, needs=None):
    a, b = saved
    return extreme_backward(dy, a, b, broadcast2(fnn_share, a, b), needs)


def minimum_forward(a, b):
    return broadcast2(fnn_minimum, a, b), (a, b)


def minimum_backward(dy, saved, needs=None):
    a, b = saved
    return extreme_backward(dy, a, b, broadcast2(fnn_share, map1(fnn_neg, a) if isinstance(a, _ndarray) else -a,
                                                 map1(fnn_neg, b) if isinstance(b, _ndarray) else -b), needs)


def pow_tensor_forward(a, b):
    y = broadcast2(fnn_pow_tensor, a, b)
    return y, (a, b, y)


def pow_tensor_backward(dy, saved, needs=None):
    a, b, y = saved
    a_shape, b_shape = shape_of(a), shape_of(b)
    da = db = None
    if want(needs, 0, a_shape):
        da = sum_to(broadcast2(fnn_mul, dy, broadcast2(fnn_pow_tensor_slope_a, a, b)), a_shape)
    if want(needs, 1, b_shape):
        db = sum_to(broadcast2(fnn_mul, dy, broadcast2(fnn_pow_tensor_slope_b, a, y)), b_shape)
    return da, db


def remainder_forward(a, b):
    return broadcast2(fnn_remainder, a, b), (a, b)


def remainder_backward(dy, saved, needs=None):
    a, b = saved
    a_shape, b_shape = shape_of(a), shape_of(b)
    return (sum_to(dy, a_shape) if want(needs, 0, a_shape) else None,
            sum_to(broadcast2(fnn_negmul, dy, broadcast2(fnn_quotient, a, b)), b_shape) if want(needs, 1, b_shape)
            else None)


# ---- functions of one array ----------------------------------------------------------------------
def neg_forward(x):
    return map1(fnn_neg, x), ()


def neg_backward(dy, saved):
    return (map1(fnn_neg, dy),)


def exp_forward(x):
    y = map1(fnn_exp_forward, x)
    return y, (y,)


def exp_backward(dy, saved):
    return (broadcast2(fnn_mul, dy, saved[0]),)


def expm1_forward(x):
    y = map1(fnn_expm1_forward, x)
    return y, (y,)


def expm1_backward(dy, saved):
    return (map2(fnn_expm1_backward, dy, saved[0]),)


def log_forward(x):
    return map1(fnn_log_forward, x), (x,)


def log_backward(dy, saved):
    return (broadcast2(fnn_div, dy, saved[0]),)


def log2_forward(x):
    return map1(fnn_log2_forward, x), (x,)


def log2_backward(dy, saved):
    return (map2p(fnn_log_base_backward, dy, saved[0], 0.69314718055994530942),)


def log10_forward(x):
    return map1(fnn_log10_forward, x), (x,)


def log10_backward(dy, saved):
    return (map2p(fnn_log_base_backward, dy, saved[0], 2.3025850929940456840),)


def log1p_forward(x):
    return map1(fnn_log1p_forward, x), (x,)


def log1p_backward(dy, saved):
    return (map2(fnn_log1p_backward, dy, saved[0]),)


def sqrt_forward(x):
    y = map1(fnn_sqrt_forward, x)
    return y, (y,)


def sqrt_backward(dy, saved):
    return (map2(fnn_sqrt_backward, dy, saved[0]),)


def abs_forward(x):
    return map1(fnn_abs_forward, x), (x,)


def abs_backward(dy, saved):
    return (map2(fnn_abs_backward, dy, saved[0]),)


def pow_forward(x, *, exponent):
    return map1p(fnn_pow_forward, x, exponent), (x,)


def pow_backward(dy, saved, *, exponent):
    return (map2p(fnn_pow_backward, dy, saved[0], exponent),)


def clamp_forward(x, *, double low, double high):
    if low != low or high != high:              # no comparison with NaN holds, so none would show
        return np.full_like(x, low + high, order="C", subok=False), (x,)
    return map1pq(fnn_clamp_forward, x, low, high), (x,)


def clamp_backward(dy, saved, *, low, high):
    return (map2pq(fnn_clamp_backward, dy, saved[0], low, high),)
