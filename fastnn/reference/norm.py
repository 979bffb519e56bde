"""Normalisation from its definitions: standardise m elements together, then scale and shift.

    mean = sum x / m                        var = sum (x - mean)^2 / m
    xhat = (x - mean) / sqrt(var + eps)     y = xhat * weight + bias

Which elements belong together: a row, which is the last axes of x (layer norm); a group of channels
of one image (group norm); one channel of all images (batch norm). RMS norm leaves the mean out.
"""

import numpy as np

from .reduce import near_one


def mean_of(x, axes):
    """The mean along `axes`, which stay as axes of size 1; 0 for no elements."""
    count = int(np.prod([x.shape[a] for a in axes]))
    return x.sum(axes, keepdims=True) / max(count, 1)


def in_range(x, axes):
    """(x / 2^k, k): k is 0 except for sets whose squares would overflow or vanish."""
    exponent = near_one(x, axes)[1]
    limit = 400 if x.dtype.itemsize > 4 else 40
    k = np.maximum(exponent - np.clip(exponent, -limit, limit), -limit)
    return np.ldexp(x, -k), k


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def inverse_root(var, eps, k):
    """1 / sqrt(var + eps) of a variance of x / 2^k, where eps is beside the variance of x."""
    rstd = 1 / np.sqrt(var + np.ldexp(var.dtype.type(eps), -2 * k))
    return np.where(var == 0, np.ldexp(1 / np.sqrt(var.dtype.type(eps)), k), rstd)


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def standardise(x, axes, eps):
    """(xhat, mean, var, rstd)."""
    x, k = in_range(x, axes)
    mean = mean_of(x, axes)
    d = x - mean
    d = d - mean_of(d, axes)                        # takes out what rounding has left of the mean
    var = mean_of(d * d, axes)
    rstd = inverse_root(var, eps, k)
    return d * rstd, np.ldexp(mean, k), np.ldexp(var, 2 * k), np.ldexp(rstd, -k)


@np.errstate(invalid="ignore", over="ignore")
def standardise_backward(dxhat, xhat, rstd, axes):
    # forward was  xhat = (x - mean) * rstd:  x acts directly, through the mean, and through rstd
    return rstd * (dxhat - mean_of(dxhat, axes) - xhat * mean_of(dxhat * xhat, axes))


def along(v, x, axis):
    """v, which lies along `axis` of x (from there on, if v has several axes), shaped to broadcast
    with x.
    """
    if v is None:
        return None
    return v.reshape([*v.shape, *[1] * (x.ndim - axis - v.ndim)])


@np.errstate(invalid="ignore", over="ignore")
def scale_and_shift(xhat, weight, bias, axis):
    y = xhat if weight is None else xhat * along(weight, xhat, axis)
    return y if bias is None else y + along(bias, xhat, axis)


@np.errstate(invalid="ignore", over="ignore")
def scale_and_shift_backward(dy, xhat, weight, bias, axis, axes):
    """(dxhat, dweight, dbias); `axes` are those that weight and bias are broadcast along."""
    # forward was  y = xhat * weight + bias
    dxhat = dy if weight is None else dy * along(weight, xhat, axis)
    dweight = None if weight is None else (dy * xhat).sum(axes).reshape(weight.shape)
    dbias = None if bias is None else dy.sum(axes).reshape(bias.shape)
    return dxhat, dweight, dbias


# ---- layer norm ----------------------------------------------------------------------------------
def layer_norm_forward(x, weight, bias, *, normalized_shape, eps):
    first = x.ndim - len(normalized_shape)
    xhat, _, _, rstd = standardise(x, tuple(range(first, x.ndim)), eps)
    return scale_and_shift(xhat, weight, bias, first), (xhat, rstd, weight, bias)


def layer_norm_backward(dy, saved, *, normalized_shape, eps):
    xhat, rstd, weight, bias = saved
    first = xhat.ndim - len(normalized_shape)
    dxhat, dweight, dbias = scale_and_shift_backward(dy, xhat, weight, bias, first, tuple(range(first)))
    return standardise_backward(dxhat, xhat, rstd, tuple(range(first, xhat.ndim))), dweight, dbias


# ---- RMS norm ------------------------------------------------------------------------------------
@np.errstate(invalid="ignore", over="ignore")
def rms_norm_forward(x, weight, *, normalized_shape, eps):
    first = x.ndim - len(normalized_shape)
    x, k = in_range(x, tuple(range(first, x.ndim)))
    rstd = inverse_root(mean_of(x * x, tuple(range(first, x.ndim))), eps, k)
    return scale_and_shift(x * rstd, weight, None, first), (x * rstd, np.ldexp(rstd, -k), weight)


def rms_norm_backward(dy, saved, *, normalized_shape, eps):
    xhat, rstd, weight = saved
    first = xhat.ndim - len(normalized_shape)
    dxhat, dweight, _ = scale_and_shift_backward(dy, xhat, weight, None, first, tuple(range(first)))
    # forward was  xhat = x * rstd(x)
    with np.errstate(invalid="ignore", over="ignore"):
        return rstd * (dxhat - xhat * mean_of(dxhat * xhat, tuple(range(first, xhat.ndim)))), dweight


# ---- group norm ----------------------------------------------------------------------------------
def group_norm_forward(x, weight, bias, *, num_groups, eps):
    groups = x.reshape(x.shape[0], num_groups, -1) if x.size else x.reshape(x.shape[0], num_groups, 0)
    xhat, _, _, rstd = standardise(groups, (2,), eps)
    return scale_and_shift(xhat.reshape(x.shape), weight, bias, 1), (xhat.reshape(x.shape), rstd, weight, bias)


def group_norm_backward(dy, saved, *, num_groups, eps):
    xhat, rstd, weight, bias = saved
    dxhat, dweight, dbias = scale_and_shift_backward(dy, xhat, weight, bias, 1, (0, *range(2, xhat.ndim)))
    groups = (*rstd.shape[:2], xhat.size // max(rstd.size, 1))
    dx = standardise_backward(dxhat.reshape(groups), xhat.reshape(groups), rstd, (2,))
    return dx.reshape(xhat.shape), dweight, dbias


# ---- batch norm ----------------------------------------------------------------------------------
def batch_norm_forward(x, weight, bias, *, eps):
    axes = (0, *range(2, x.ndim))
    xhat, mean, var, rstd = standardise(x, axes, eps)
    y = scale_and_shift(xhat, weight, bias, 1)
    return (y, mean.reshape(-1), var.reshape(-1)), (xhat, rstd, weight, bias)


def batch_norm_backward(dy, saved, *, eps):
    xhat, rstd, weight, bias = saved
    axes = (0, *range(2, xhat.ndim))
    dy, dmean, dvar = dy
    dy = np.zeros_like(xhat) if dy is None else dy
    dxhat, dweight, dbias = scale_and_shift_backward(dy, xhat, weight, bias, 1, axes)
    dx = standardise_backward(dxhat, xhat, rstd, axes)
    m = max(int(np.prod([xhat.shape[a] for a in axes])), 1)
    if dmean is not None:                           # forward was  mean = sum x / m
        dx = dx + along(dmean, xhat, 1) / m
    if dvar is not None:        # forward was  var = sum (x - mean)^2 / m;   x - mean = xhat / rstd
        dx = dx + along(dvar, xhat, 1) * 2 * xhat / rstd / m
    return dx, dweight, dbias


def batch_norm_relu_forward(x, weight, bias, *, eps):
    (z, mean, var), saved = batch_norm_forward(x, weight, bias, eps=eps)
    return (np.where(z < 0, np.zeros((), z.dtype), z), mean, var), (*saved, z > 0)


def batch_norm_relu_backward(dy, saved, *, eps):
    # forward was  y = z where z > 0, else 0;  z = batch_norm(x, weight, bias)
    *saved, passed = saved
    dy, dmean, dvar = dy
    dz = None if dy is None else np.where(passed, dy, np.zeros((), dy.dtype))
    return batch_norm_backward((dz, dmean, dvar), saved, eps=eps)


@np.errstate(invalid="ignore", over="ignore", divide="ignore")
def batch_norm_inference_forward(x, running_mean, running_var, weight, bias, *, eps):
    rstd = 1 / np.sqrt(running_var + eps)
    xhat = (x - along(running_mean, x, 1)) * along(rstd, x, 1)
    return scale_and_shift(xhat, weight, bias, 1), (xhat, rstd, weight, bias)


def batch_norm_inference_backward(dy, saved, *, eps):
    xhat, rstd, weight, bias = saved
    dxhat, dweight, dbias = scale_and_shift_backward(dy, xhat, weight, bias, 1, (0, *range(2, xhat.ndim)))
    # forward was  xhat = (x - running_mean) * rstd
    return dxhat * along(rstd, xhat, 1), None, None, dweight, dbias


def batch_norm_inference_relu_forward(x, running_mean, running_var, weight, bias, *, eps):
    z, saved = batch_norm_inference_forward(x, running_mean, running_var, weight, bias, eps=eps)
    return np.where(z < 0, np.zeros((), z.dtype), z), (*saved, z > 0)


def batch_norm_inference_relu_backward(dy, saved, *, eps):
    *saved, passed = saved                          # forward was  y = z where z > 0, else 0
    return batch_norm_inference_backward(np.where(passed, dy, np.zeros((), dy.dtype)), saved, eps=eps)
