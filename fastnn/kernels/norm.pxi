# norm.pxi -- calls of csrc/norm/norm.c and csrc/norm/batch_norm.c

cdef extern from "fastnn.h" nogil:
    int64_t fnn_layer_norm_work(Py_ssize_t rows, Py_ssize_t n)
    int64_t fnn_group_norm_work(Py_ssize_t N, Py_ssize_t C)


cdef object _wanted(bint wanted, Array *out, const Array *like):
    """A gradient with the shape and type of `like`; or None and a NULL pointer, where it is not
    wanted or there is no such input.
    """
    if wanted and like.data != NULL:
        return new_like(out, like)
    return open_optional(None, out)


cdef Py_ssize_t _pixels(const Array *x):
    """S of (N, C, ...)."""
    cdef Py_ssize_t S = 1
    cdef int i
    for i in range(2, x.ndim):
        S *= x.shape[i]
    return S


cdef bint channels_fit(const Array *x, const Array *weight, const Array *bias) noexcept:
    """Whether x has channels, and weight and bias one number for each."""
    return x.ndim > 1 and has_size(weight, x.dtype, x.shape[1]) and has_size(bias, x.dtype, x.shape[1])


# ---- layer norm and RMS norm: rows of n ----------------------------------------------------------
cdef object _row_norm_forward(x, weight, bias, normalized_shape, double eps, bint centred):
    cdef Array x_, w_, b_, y_, mean_, rstd_
    cdef Py_ssize_t pair[2]
    cdef int i, lead
    x = open_array(x, &x_)
    weight = open_optional(weight, &w_)
    bias = open_optional(bias, &b_)
    lead = x_.ndim - <int>len(normalized_shape)
    need(lead >= 0)
    pair[0], pair[1] = 1, 2
    for i in range(lead):
        pair[0] *= x_.shape[i]
    cdef Py_ssize_t n = 1
    for i in range(lead, x_.ndim):
        n *= x_.shape[i]
    need(has_size(&w_, x_.dtype, n) and has_size(&b_, x_.dtype, n))
    y = new_like(&y_, &x_)
    rstd = new_array(&rstd_, x_.dtype, 1, pair)
    mean = new_array(&mean_, x_.dtype, 2, pair) if centred else open_optional(None, &mean_)
    with nogil:
        fnn_layer_norm_forward[x_.dtype](y_.data, mean_.data, rstd_.data, x_.data, w_.data, b_.data, pair[0], n,
                                         eps)
    return y, (x, mean, rstd, weight, bias)


cdef object _row_norm_backward(dy, saved, needs):
    cdef Array dy_, x_, mean_, rstd_, w_, b_, dx_, dw_, db_
    x = open_array(saved[0], &x_)
    mean = open_optional(saved[1], &mean_)
    rstd = open_array(saved[2], &rstd_)
    weight = open_optional(saved[3], &w_)
    bias = open_optional(saved[4], &b_)
    dy = open_array(dy, &dy_)
    cdef Py_ssize_t rows = rstd_.size
    cdef Py_ssize_t n = x_.size // rows if rows > 0 else max(w_.size, b_.size)
    need(x_.size == rows * n and rstd_.dtype == x_.dtype and matches(&dy_, &x_) and has_size(&mean_, x_.dtype, 2 * rows)
         and has_size(&w_, x_.dtype, n) and has_size(&b_, x_.dtype, n))
    dx = _wanted(needs[0], &dx_, &x_)
    dweight = _wanted(needs[1], &dw_, &w_)
    dbias = _wanted(needs[2], &db_, &b_)
    cdef Workspace work = None
    cdef void *work_data = NULL
    if dw_.data != NULL or db_.data != NULL:
        work = Workspace(fnn_layer_norm_work(rows, n) * item_bytes(x_.dtype))
        work_data = work.data
    with nogil:
        fnn_layer_norm_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, mean_.data,
                                          rstd_.data, w_.data, work_data, rows, n)
    return dx, dweight, dbias


def layer_norm_forward(x, weight, bias, *, normalized_shape, eps):
    return _row_norm_forward(x, weight, bias, normalized_shape, eps, True)


def layer_norm_backward(dy, saved, needs=(True, True, True), *, normalized_shape, eps):
    return _row_norm_backward(dy, saved, needs)


def rms_norm_forward(x, weight, *, normalized_shape, eps):
    return _row_norm_forward(x, weight, None, normalized_shape, eps, False)


def rms_norm_backward(dy, saved, needs=(True, True), *, normalized_shape, eps):
    return _row_norm_backward(dy, saved, (*needs, False))[:2]


# ---- group norm ----------------------------------------------------------------------------------
def group_norm_forward(x, weight, bias, *, num_groups, double eps):
    cdef Array x_, w_, b_, y_, mean_, rstd_
    cdef Py_ssize_t shape[3]
    x = open_array(x, &x_)
    weight = open_optional(weight, &w_)
    bias = open_optional(bias, &b_)
    cdef Py_ssize_t S = _pixels(&x_), G = num_groups
    need(channels_fit(&x_, &w_, &b_) and G > 0 and x_.shape[1] % G == 0)
    shape[0], shape[1], shape[2] = x_.shape[0], G, 2
    y = new_like(&y_, &x_)
    mean = new_array(&mean_, x_.dtype, 3, shape)
    rstd = new_array(&rstd_, x_.dtype, 2, shape)
    with nogil:
        fnn_group_norm_forward[x_.dtype](y_.data, mean_.data, rstd_.data, x_.data, w_.data, b_.data,
                                         x_.shape[0], x_.shape[1], S, G, eps)
    return y, (x, mean, rstd, weight, bias)


def group_norm_backward(dy, saved, needs=(True, True, True), *, num_groups, eps):
    cdef Array dy_, x_, mean_, rstd_, w_, b_, dx_, dw_, db_
    x = open_array(saved[0], &x_)
    mean = open_array(saved[1], &mean_)
    rstd = open_array(saved[2], &rstd_)
    weight = open_optional(saved[3], &w_)
    bias = open_optional(saved[4], &b_)
    dy = open_array(dy, &dy_)
    dx = _wanted(needs[0], &dx_, &x_)
    dweight = _wanted(needs[1], &dw_, &w_)
    dbias = _wanted(needs[2], &db_, &b_)
    cdef Py_ssize_t S = _pixels(&x_), G = num_groups
    need(channels_fit(&x_, &w_, &b_) and G > 0 and x_.shape[1] % G == 0 and matches(&dy_, &x_)
         and has_size(&mean_, x_.dtype, 2 * x_.shape[0] * G) and has_size(&rstd_, x_.dtype, x_.shape[0] * G))
    cdef Workspace work = Workspace(fnn_group_norm_work(x_.shape[0], x_.shape[1]) * item_bytes(x_.dtype))
    with nogil:
        fnn_group_norm_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, mean_.data,
                                          rstd_.data, w_.data, work.data, x_.shape[0], x_.shape[1], S, G)
    return dx, dweight, dbias


# ---- batch norm ----------------------------------------------------------------------------------
cdef tuple _batch_norm_forward(x, weight, bias, double eps, bint relu):
    cdef Array x_, w_, b_, y_, batch_mean_, batch_var_, mean_, rstd_
    cdef Py_ssize_t shape[2]
    x = open_array(x, &x_)
    weight = open_optional(weight, &w_)
    bias = open_optional(bias, &b_)
    need(channels_fit(&x_, &w_, &b_))
    shape[0], shape[1] = x_.shape[1], 2
    y = new_like(&y_, &x_)
    batch_mean = new_array(&batch_mean_, x_.dtype, 1, shape)
    batch_var = new_array(&batch_var_, x_.dtype, 1, shape)
    mean = new_array(&mean_, x_.dtype, 2, shape)
    rstd = new_array(&rstd_, x_.dtype, 1, shape)
    cdef Py_ssize_t S = _pixels(&x_)
    with nogil:
        fnn_batch_norm_forward[x_.dtype](y_.data, batch_mean_.data, batch_var_.data, mean_.data, rstd_.data,
                                         x_.data, w_.data, b_.data, x_.shape[0], x_.shape[1], S, eps, relu)
    return (y, batch_mean, batch_var), (x, mean, rstd, weight, bias)


cdef tuple _batch_norm_backward(dy, saved, needs, bint relu):
    cdef Array dy_, dmean_, dvar_, x_, mean_, rstd_, w_, b_, dx_, dw_, db_
    x = open_array(saved[0], &x_)
    mean = open_array(saved[1], &mean_)
    rstd = open_array(saved[2], &rstd_)
    weight = open_optional(saved[3], &w_)
    bias = open_optional(saved[4], &b_)
    dy, dmean, dvar = dy
    dy = open_array(np.zeros_like(x) if dy is None else dy, &dy_)
    dmean = open_optional(dmean, &dmean_)
    dvar = open_optional(dvar, &dvar_)
    need(channels_fit(&x_, &w_, &b_) and matches(&dy_, &x_) and has_size(&mean_, x_.dtype, 2 * x_.shape[1])
         and has_size(&rstd_, x_.dtype, x_.shape[1]) and has_size(&dmean_, x_.dtype, x_.shape[1])
         and has_size(&dvar_, x_.dtype, x_.shape[1]))
    dx = _wanted(needs[0], &dx_, &x_)
    dweight = _wanted(needs[1], &dw_, &w_)
    dbias = _wanted(needs[2], &db_, &b_)
    cdef Py_ssize_t S = _pixels(&x_)
    with nogil:
        fnn_batch_norm_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, dmean_.data, dvar_.data, x_.data,
                                          mean_.data, rstd_.data, w_.data, b_.data, x_.shape[0], x_.shape[1], S, relu)
    return dx, dweight, dbias


def batch_norm_forward(x, weight, bias, *, double eps):
    return _batch_norm_forward(x, weight, bias, eps, False)


def batch_norm_backward(dy, saved, needs=(True, True, True), *, eps):
    return _batch_norm_backward(dy, saved, needs, False)


def batch_norm_relu_forward(x, weight, bias, *, double eps):
    return _batch_norm_forward(x, weight, bias, eps, True)


def batch_norm_relu_backward(dy, saved, needs=(True, True, True), *, eps):
    return _batch_norm_backward(dy, saved, needs, True)


cdef tuple _batch_norm_inference_forward(x, running_mean, running_var, weight, bias, double eps, bint relu):
    cdef Array x_, rm_, rv_, w_, b_, y_, mean_, rstd_
    cdef Py_ssize_t shape[2]
    x = open_array(x, &x_)
    running_mean = open_array(running_mean, &rm_)
    running_var = open_array(running_var, &rv_)
    weight = open_optional(weight, &w_)
    bias = open_optional(bias, &b_)
    need(channels_fit(&x_, &w_, &b_) and has_size(&rm_, x_.dtype, x_.shape[1])
         and has_size(&rv_, x_.dtype, x_.shape[1]))
    shape[0], shape[1] = x_.shape[1], 2
    y = new_like(&y_, &x_)
    mean = new_array(&mean_, x_.dtype, 2, shape)
    rstd = new_array(&rstd_, x_.dtype, 1, shape)
    cdef Py_ssize_t S = _pixels(&x_)
    with nogil:
        fnn_batch_norm_inference_forward[x_.dtype](y_.data, mean_.data, rstd_.data, x_.data, rm_.data, rv_.data,
                                                   w_.data, b_.data, x_.shape[0], x_.shape[1], S, eps, relu)
    return y, (x, mean, rstd, weight, bias)


cdef tuple _batch_norm_inference_backward(dy, saved, needs, bint relu):
    cdef Array dy_, x_, mean_, rstd_, w_, b_, dx_, dw_, db_
    x = open_array(saved[0], &x_)
    mean = open_array(saved[1], &mean_)
    rstd = open_array(saved[2], &rstd_)
    weight = open_optional(saved[3], &w_)
    bias = open_optional(saved[4], &b_)
    dy = open_array(dy, &dy_)
    need(channels_fit(&x_, &w_, &b_) and matches(&dy_, &x_) and has_size(&mean_, x_.dtype, 2 * x_.shape[1])
         and has_size(&rstd_, x_.dtype, x_.shape[1]))
    dx = _wanted(needs[0], &dx_, &x_)
    dweight = _wanted(needs[3], &dw_, &w_)
    dbias = _wanted(needs[4], &db_, &b_)
    cdef Py_ssize_t S = _pixels(&x_)
    with nogil:
        fnn_batch_norm_inference_backward[x_.dtype](dx_.data, dw_.data, db_.data, dy_.data, x_.data, mean_.data,
                                                    rstd_.data, w_.data, b_.data, x_.shape[0], x_.shape[1], S, relu)
    return dx, None, None, dweight, dbias


def batch_norm_inference_forward(x, running_mean, running_var, weight, bias, *, double eps):
    return _batch_norm_inference_forward(x, running_mean, running_var, weight, bias, eps, False)


def batch_norm_inference_backward(dy, saved, needs=(True, False, False, True, True), *, eps):
    return _batch_norm_inference_backward(dy, saved, needs, False)


def batch_norm_inference_relu_forward(x, running_mean, running_var, weight, bias, *, double eps):
    return _batch_norm_inference_forward(x, running_mean, running_var, weight, bias, eps, True)


def batch_norm_inference_relu_backward(dy, saved, needs=(True, False, False, True, True), *, eps):
    return _batch_norm_inference_backward(dy, saved, needs, True)
