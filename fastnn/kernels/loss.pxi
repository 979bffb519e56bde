# loss.pxi -- calls of csrc/pointwise/loss.c

cdef extern from "fastnn.h" nogil:
    enum: FNN_MSE, FNN_L1, FNN_SMOOTH_L1, FNN_HUBER, FNN_BCE, FNN_BCE_LOGITS, FNN_KL, FNN_KL_LOG

cdef object _broadcast_to = np.broadcast_to


cdef object _open_weight(object w, x, Array *out):
    """An optional weight for each element of x; a smaller one is broadcast to x, which takes a
    copy.
    """
    if w is not None and w.shape != x.shape:
        w = _broadcast_to(w, x.shape)
    return open_optional(w, out)


cdef double _divisor(str reduction, const Array *x):
    """What the sum over all elements is divided by."""
    if reduction == "mean":
        return x.size
    if reduction == "batchmean":
        return x.shape[0] if x.ndim else 1
    return 1


cdef object _loss_forward(int which, x, t, str reduction, double param=0, w=None, pw=None):
    cdef Array x_, t_, w_, pw_, y_
    scratch_ready()
    x = open_array(x, &x_)
    t = open_array(t, &t_)
    w_object = _open_weight(w, x, &w_)
    pw_object = _open_weight(pw, x, &pw_)
    need(matches(&t_, &x_) and matches(&w_, &x_) and matches(&pw_, &x_))
    cdef bint each = reduction == "none"
    cdef double divisor = _divisor(reduction, &x_)
    y = _new_loss(&y_, &x_, each)
    with nogil:
        fnn_loss_forward[x_.dtype](y_.data, x_.data, t_.data, w_.data, pw_.data, x_.size, which, param, each, divisor)
    return y, (x, t, w, pw)


cdef object _loss_backward(int which, dy, saved, needs, str reduction, double param=0):
    """(dx, dt)"""
    cdef Array dy_, x_, t_, w_, pw_, dx_, dt_
    x, t, w, pw = saved
    x = open_array(x, &x_)
    t = open_array(t, &t_)
    w = _open_weight(w, x, &w_)
    pw = _open_weight(pw, x, &pw_)
    dy = open_array(dy, &dy_)
    cdef bint each = reduction == "none"
    need(matches(&t_, &x_) and matches(&w_, &x_) and matches(&pw_, &x_)
         and has_size(&dy_, x_.dtype, x_.size if each else 1))
    cdef double divisor = _divisor(reduction, &x_)
    dx = dt = None
    dx_.data = dt_.data = NULL
    if needs is None or needs[0]:
        dx = new_like(&dx_, &x_)
    if needs is None or needs[1]:
        dt = new_like(&dt_, &x_)
    with nogil:
        fnn_loss_backward[x_.dtype](dx_.data, dt_.data, dy_.data, x_.data, t_.data, w_.data, pw_.data, x_.size, which,
                                    param, each, divisor)
    return dx, dt


def mse_loss_forward(x, target, *, reduction="mean"):
    return _loss_forward(FNN_MSE, x, target, reduction)


def mse_loss_backward(dy, saved, *, needs=None, reduction="mean"):
    return _loss_backward(FNN_MSE, dy, saved, needs, reduction)


def l1_loss_forward(x, target, *, reduction="mean"):
    return _loss_forward(FNN_L1, x, target, reduction)


def l1_loss_backward(dy, saved, *, needs=None, reduction="mean"):
    return _loss_backward(FNN_L1, dy, saved, needs, reduction)


def smooth_l1_loss_forward(x, target, *, reduction="mean", double beta=1.0):
    return _loss_forward(FNN_SMOOTH_L1, x, target, reduction, beta)


def smooth_l1_loss_backward(dy, saved, *, needs=None, reduction="mean", double beta=1.0):
    return _loss_backward(FNN_SMOOTH_L1, dy, saved, needs, reduction, beta)


def huber_loss_forward(x, target, *, reduction="mean", double delta=1.0):
    return _loss_forward(FNN_HUBER, x, target, reduction, delta)


def huber_loss_backward(dy, saved, *, needs=None, reduction="mean", double delta=1.0):
    return _loss_backward(FNN_HUBER, dy, saved, needs, reduction, delta)


def binary_cross_entropy_forward(x, target, weight=None, *, reduction="mean"):
    return _loss_forward(FNN_BCE, x, target, reduction, 0, weight)


def binary_cross_entropy_backward(dy, saved, *, needs=None, reduction="mean"):
    return *_loss_backward(FNN_BCE, dy, saved, needs, reduction), None


def binary_cross_entropy_with_logits_forward(x, target, weight=None, pos_weight=None, *, reduction="mean"):
    return _loss_forward(FNN_BCE_LOGITS, x, target, reduction, 0, weight, pos_weight)


def binary_cross_entropy_with_logits_backward(dy, saved, *, needs=None, reduction="mean"):
    return *_loss_backward(FNN_BCE_LOGITS, dy, saved, needs, reduction), None, None


def kl_div_forward(x, target, *, reduction="mean", bint log_target=False):
    return _loss_forward(FNN_KL_LOG if log_target else FNN_KL, x, target, reduction)


def kl_div_backward(dy, saved, *, needs=None, reduction="mean", bint log_target=False):
    return _loss_backward(FNN_KL_LOG if log_target else FNN_KL, dy, saved, needs, reduction)
