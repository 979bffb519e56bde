"""Cross entropy and negative log likelihood, from their definitions.

    loss = - sum_c a_c z_c      at each position, with z = log softmax(x) or z = x

a is the class weight at the label and 0 elsewhere; or weights times class probabilities. A mean
divides by the sum of the weights of the labels that count. It depends on their ratios alone, so
they are first divided by a power of two near the largest of them, and no size of weights overflows.
"""

import numpy as np

from .losses import weighed
from .softmax import log_softmax_forward


def class_axis(x):
    """The axis of the C classes: x is (N, C, ...), or (C,)."""
    return 1 if x.ndim > 1 else 0


def along_classes(weight, x):
    """Class weights shaped to multiply x; ones if there are none."""
    shape = [1] * x.ndim
    shape[class_axis(x)] = -1
    return np.ones(x.shape[class_axis(x)], x.dtype).reshape(shape) if weight is None else weight.reshape(shape)


def one_hot(label, x):
    """1 where the class is the label, else 0, in x's shape; all 0 where the label is no class."""
    classes = np.arange(x.shape[class_axis(x)]).reshape(along_classes(None, x).shape)
    return (classes == np.expand_dims(label, class_axis(x))).astype(x.dtype)


def weights_that_count(weight, target, ignore_index, reduction):
    """Class weights divided by a power of two near the largest of those that count, where a mean
    divides by their sum; else as they are.
    """
    if weight is None or target.dtype.kind == "f" or reduction != "mean":
        return weight
    counted = np.abs(weight[target[target != ignore_index]])
    largest = np.where(np.isfinite(counted), counted, 0).max(initial=0)
    with np.errstate(over="ignore"):
        return np.ldexp(weight, 1 - np.frexp(largest)[1])


def coefficients(x, target, weight, ignore_index, smoothing):
    """a of the formula above, and what each position adds to the divisor of the mean."""
    C, w = x.shape[class_axis(x)], along_classes(weight, x)
    if target.dtype.kind == "f":
        a = w * ((1 - smoothing) * target + smoothing / max(C, 1))
        return a, np.ones(a.sum(axis=class_axis(x)).shape, x.dtype)
    counts = target != ignore_index
    hot = one_hot(np.where(counts, target, -1), x)
    hot = np.where(hot == 1, w, x.dtype.type(0))
    label_weight = hot.sum(axis=class_axis(x))
    even = weighed(np.asarray(smoothing / max(C, 1), x.dtype), w)
    a = weighed(np.asarray(1 - smoothing, x.dtype), hot) + np.where(np.expand_dims(counts, class_axis(x)), even,
                                                                    x.dtype.type(0))
    return a, label_weight


def reduce(loss, divisors, reduction):
    """(result, what a mean was divided by)"""
    if reduction == "none":
        return loss, 1.0
    divisor = divisors.sum() if reduction == "mean" else 1.0
    # the sum of finite losses may be too large where the mean is not
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.asarray(loss.sum(dtype=np.longdouble) / divisor, loss.dtype), divisor


def spread(dy, reduction, divisor, axis):
    """The gradient that reaches each position, from the gradient of the reduced loss."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.expand_dims(dy, axis) if reduction == "none" else dy / divisor


def cross_entropy_forward(x, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    axis = class_axis(x)
    z = log_softmax_forward(x, dim=axis)[0]
    weight = weights_that_count(weight, target, ignore_index, reduction)
    a, divisors = coefficients(x, target, weight, ignore_index, label_smoothing)
    # a class that weighs nothing costs nothing, even if its probability is 0
    y, divisor = reduce(-weighed(a, z).sum(axis=axis), divisors, reduction)
    return y, (z, a, target, weight, divisor)


def cross_entropy_backward(dy, saved, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    z, a, target, weight, divisor = saved
    axis = class_axis(z)
    g = spread(dy, reduction, divisor, axis)
    with np.errstate(invalid="ignore"):
        # forward was  y = - sum_c a_c z_c,  and for z = log softmax(x)  dz_c/dx_k = [c = k] - p_k
        dx = g * (np.exp(z) * a.sum(axis=axis, keepdims=True) - a)
    if target.dtype.kind == "f":
        # a = w ((1 - smoothing) target + smoothing / C)
        return dx, -weighed(g * along_classes(weight, z) * (1 - label_smoothing), z), None
    return np.where(np.expand_dims(target == ignore_index, axis), 0, dx), None, None


def nll_loss_forward(x, target, weight=None, *, ignore_index=-100, reduction="mean"):
    weight = weights_that_count(weight, target, ignore_index, reduction)
    a, divisors = coefficients(x, target, weight, ignore_index, 0.0)
    y, divisor = reduce(-weighed(a, x).sum(axis=class_axis(x)), divisors, reduction)
    return y, (a, target, divisor)


def nll_loss_backward(dy, saved, *, ignore_index=-100, reduction="mean"):
    a, target, divisor = saved
    # forward was  y = - sum_c a_c x_c
    with np.errstate(invalid="ignore"):
        dx = -weighed(a, spread(dy, reduction, divisor, class_axis(a)))
    return np.where(np.expand_dims(target == ignore_index, class_axis(a)), 0, dx), None, None
