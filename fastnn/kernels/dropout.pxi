# dropout.pxi -- calls of csrc/pointwise/dropout.c


cdef object _dropout(x, double p, uint64_t key, uint64_t call, Py_ssize_t span):
    cdef Array x_, y_
    x = open_array(x, &x_)
    y = new_like(&y_, &x_)
    with nogil:
        fnn_dropout[x_.dtype](y_.data, x_.data, x_.size, span, p, key, call)
    return y


def dropout_forward(x, *, p, key, call, span):
    return _dropout(x, p, key, call, span), ()


def dropout_backward(dy, saved, *, p, key, call, span):
    return (_dropout(dy, p, key, call, span),)
