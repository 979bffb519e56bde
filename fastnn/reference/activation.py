"""Activations, functions of each element, from their definitions. Everywhere dx = f'(x) dy."""

import math

import numpy as np


def exp(x):
    """e^x, where overflow to infinity is meant."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(x)


def s(x):
    """The logistic function 1 / (1 + e^-x), by the one of e^-x and e^x that cannot overflow."""
    e = exp(-np.abs(x))
    return np.where(x < 0, e, x.dtype.type(1)) / (1 + e)


def Phi(x):
    """The normal distribution function (1 + erf(x / sqrt 2)) / 2; NumPy has no erf, Python has."""
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (0.5 * (1 + erf(np.asarray(x, np.float64) / math.sqrt(2)))).astype(x.dtype)


def phi(x):
    """The normal density e^(-x^2 / 2) / sqrt(2 pi)."""
    return exp(-0.5 * x * x) / x.dtype.type(math.sqrt(2 * math.pi))


def times(x, w):
    """x w, and 0 where the factor w is 0: also where x is infinite, for there w went to 0 faster
    than x grew.
    """
    with np.errstate(invalid="ignore"):
        y = x * w
    return np.where(w == 0, y.dtype.type(0), y)


def only_where(mask, dy):
    """dy where the mask is true, else 0."""
    return np.where(mask, dy, dy.dtype.type(0))


def relu_forward(x):
    y = np.maximum(x, 0)
    return y, (y,)


def relu_backward(dy, saved):
    y, = saved
    return (only_where(~(y <= 0), dy),)  # forward was  y = max(x, 0);  0 at 0, and 1 at NaN


def leaky_relu_forward(x, *, slope):
    # with slope 0 it is relu, also at -infinity
    return np.where(x > 0, x, slope * x) if slope else np.maximum(x, 0), (x,)


def leaky_relu_backward(dy, saved, *, slope):
    x, = saved
    return (np.where(x > 0, dy, slope * dy),)


def elu_forward(x, *, alpha, scale):
    return scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), (x,)


def elu_backward(dy, saved, *, alpha, scale):
    x, = saved                              # forward was  y = scale alpha (e^x - 1)  where x <= 0
    return (scale * dy * np.where(x > 0, 1, alpha * exp(np.minimum(x, 0))),)


def sigmoid_forward(x):
    y = s(x)
    return y, (y,)


def sigmoid_backward(dy, saved):
    # forward was  y = 1 / (1 + e^-x),  dy/dx = e^-x / (1 + e^-x)^2 = y (1 - y)
    y, = saved
    return (dy * y * (1 - y),)


def tanh_forward(x):
    y = np.tanh(x)
    return y, (y,)


def tanh_backward(dy, saved):
    y, = saved
    return (dy * (1 - y * y),)


def gelu_forward(x):
    return times(x, Phi(x)), (x,)


def gelu_backward(dy, saved):
    x, = saved                                      # forward was  y = x Phi(x),  and Phi' = phi
    return (dy * (Phi(x) + times(x, phi(x))),)


def gelu_tanh_step(x):
    """(1 + tanh z) / 2 = s(2z) of gelu_tanh, and its slope: s' = s (1 - s), 1 - s(v) = s(-v)."""
    with np.errstate(over="ignore"):
        v = 2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        dv = 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)
    return s(v), times(dv, s(v) * s(-v))


def gelu_tanh_forward(x):
    return times(x, gelu_tanh_step(x)[0]), (x,)


def gelu_tanh_backward(dy, saved):
    x, = saved
    step, slope = gelu_tanh_step(x)                 # forward was  y = x step
    return (dy * (step + times(x, slope)),)


def silu_forward(x):
    return times(x, s(x)), (x,)


def silu_backward(dy, saved):
    x, = saved                                  # forward was  y = x s(x),  and s'(x) = s(x) s(-x)
    return (dy * (s(x) + times(x, s(x) * s(-x))),)


def softplus_of(x):
    """ln(1 + e^x), written so that e^x cannot overflow."""
    return np.maximum(x, 0) + np.log1p(exp(-np.abs(x)))


def mish_forward(x):
    return times(x, np.tanh(softplus_of(x))), (x,)


def mish_backward(dy, saved):
    x, = saved
    w = np.tanh(softplus_of(x))                 # forward was  y = x w,  and d softplus / dx = s(x)
    return (dy * (w + times(x, (1 - w * w) * s(x))),)


def softplus_forward(x, *, beta, threshold):
    return np.where(beta * x > threshold, x, softplus_of(beta * x) / beta), (x,)


def softplus_backward(dy, saved, *, beta, threshold):
    x, = saved                                      # forward was  y = ln(1 + e^(beta x)) / beta
    return (np.where(beta * x > threshold, dy, dy * s(beta * x)),)


def logsigmoid_forward(x):
    return -softplus_of(-x), (x,)


def logsigmoid_backward(dy, saved):
    x, = saved                                      # forward was  y = ln s(x) = -ln(1 + e^-x)
    return (dy * s(-x),)


def softsign_forward(x):
    with np.errstate(invalid="ignore"):
        return np.where(np.isinf(x), np.sign(x), x / (1 + np.abs(x))), (x,)


def softsign_backward(dy, saved):
    x, = saved                                      # forward was  y = x / (1 + |x|)
    with np.errstate(over="ignore"):
        return (dy / (1 + np.abs(x))**2,)


def hardtanh_forward(x, *, low, high):
    return np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high)), (x,)


def hardtanh_backward(dy, saved, *, low, high):
    x, = saved
    return (only_where((x > low) & (x < high), dy),)


def hardsigmoid_forward(x):
    return np.minimum(np.maximum(x + 3, 0), 6) / 6, (x,)


def hardsigmoid_backward(dy, saved):
    x, = saved
    return (only_where((x > -3) & (x < 3), dy / 6),)


def hardswish_forward(x):
    return times(x, np.minimum(np.maximum(x + 3, 0), 6) / 6), (x,)


def hardswish_backward(dy, saved):
    x, = saved                          # forward was  y = x (x + 3) / 6  between, x above, 0 below
    return (np.where(x <= -3, 0, np.where(x < 3, dy * (2 * x + 3) / 6, dy)),)


def hardshrink_forward(x, *, lambd):
    return only_where(~(np.abs(x) <= lambd), x), (x,)   # NaN stays


def hardshrink_backward(dy, saved, *, lambd):
    x, = saved
    return (only_where(~(np.abs(x) <= lambd), dy),)


def softshrink_forward(x, *, lambd):
    return x - np.clip(x, -lambd, lambd), (x,)


def softshrink_backward(dy, saved, *, lambd):
    x, = saved                                      # forward was  y = 0 between, x -+ lambd else
    return (only_where(~(np.abs(x) <= lambd), dy),)


def threshold_forward(x, *, threshold, value):
    return np.where(x <= threshold, x.dtype.type(value), x), (x,)


def threshold_backward(dy, saved, *, threshold, value):
    x, = saved
    return (only_where(~(x <= threshold), dy),)


def heaviside_forward(x, *, value):
    return np.where(x == 0, x.dtype.type(value), (x > 0).astype(x.dtype)), ()     # 0 of NaN
