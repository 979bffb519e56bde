# activation.pxi -- calls of csrc/activation.c

cdef extern from "fastnn.h" nogil:
    void (*fnn_relu_forward[2])(void *y, const void *x, Py_ssize_t n)
    void (*fnn_relu_backward[2])(void *dx, const void *dy, const void *y, Py_ssize_t n)


def relu_forward(x):
    cdef Array x_, y_
    x = open_array(x, &x_)
    y = new_like(&y_, &x_)
    with nogil:
        fnn_relu_forward[x_.dtype](y_.data, x_.data, x_.size)
    return y, (y,)


def relu_backward(dy, saved):
    cdef Array dy_, y_, dx_
    y = open_array(saved[0], &y_)
    dy = open_array(dy, &dy_)
    dx = new_like(&dx_, &y_)
    with nogil:
        fnn_relu_backward[y_.dtype](dx_.data, dy_.data, y_.data, y_.size)
    return (dx,)
