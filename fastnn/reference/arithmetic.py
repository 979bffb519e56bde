"""Arithmetic and elementary functions of each element, from the definitions.

Two operands are broadcast as NumPy does it. One of them may be a number, which has no gradient.
"""

import math

import numpy as np

from . import shape as shapes


def shape(operand):
    """The shape of an array; None for a number."""
    return operand.shape if isinstance(operand, np.ndarray) else None


def sum_to(g, shape):
    """The gradient of an operand of this shape: the sum over its repetitions. None for a number."""
    return None if shape is None else shapes.sum_to(np.asarray(g), shape)


def add_forward(a, b):
    return np.asarray(a + b), (shape(a), shape(b))


def add_backward(dy, saved):
    a, b = saved
    return sum_to(dy, a), sum_to(dy, b)


def sub_forward(a, b):
    return np.asarray(a - b), (shape(a), shape(b))


def sub_backward(dy, saved):
    a, b = saved
    return sum_to(dy, a), sum_to(-dy, b)


def mul_forward(a, b):
    return np.asarray(a * b), (a, b)


def mul_backward(dy, saved):
    a, b = saved
    return sum_to(dy * b, shape(a)), sum_to(dy * a, shape(b))     # forward was  y = a b


def div_forward(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(a / b), (a, b)


def div_backward(dy, saved):
    a, b = saved                                    # forward was  y = a / b  and  dy/db = -y / b
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        da, y = dy / b, a / b
        db = np.where((y == 0) & ~np.isnan(da), 0, -da * y)
    return sum_to(da, shape(a)), sum_to(db, shape(b))


def maximum_forward(a, b):
    return np.asarray(np.maximum(a, b)), (a, b)


def shared(dy, more, less, a, b):
    """dy to a where it is more, to b where it is less, half where equal, and to both at NaN."""
    half = a == b
    return (sum_to(np.where(less, 0, np.where(half, dy * 0.5, dy)), shape(a)),
            sum_to(np.where(more, 0, np.where(half, dy * 0.5, dy)), shape(b)))


def maximum_backward(dy, saved):
    a, b = saved                                # the gradient goes to the larger; equals share it
    return shared(dy, a > b, a < b, a, b)


def minimum_forward(a, b):
    return np.asarray(np.minimum(a, b)), (a, b)


def minimum_backward(dy, saved):
    a, b = saved
    return shared(dy, a < b, a > b, a, b)


def pow_tensor_forward(a, b):
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.power(a, b)), (a, b)


def pow_tensor_backward(dy, saved):
    a, b = saved                                    # forward was  y = a^b = exp(b ln a)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = np.power(a, b - 1)
        slope_a = np.where((b == 0) | (power == 0), 0, b * power)
        y = np.power(a, b)
        # at 0^0, the one b >= 0 where 0^b jumps, 0 too
        slope_b = np.where((y == 0) | ((a == 0) & (y == 1)), 0, y * np.log(a).astype(y.dtype))
    return sum_to(dy * slope_a, shape(a)), sum_to(dy * slope_b, shape(b))


def remainder_forward(a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.remainder(a, b)), (a, b)


def remainder_backward(dy, saved):
    a, b = saved                                    # forward was  y = a - b floor(a / b)
    with np.errstate(divide="ignore", invalid="ignore"):
        return sum_to(dy, shape(a)), sum_to(-dy * np.floor_divide(a, b), shape(b))


def neg_forward(x):
    return -x, ()


def neg_backward(dy, saved):
    return (-dy,)


def exp_forward(x):
    with np.errstate(over="ignore", under="ignore"):
        y = np.exp(x)
    return y, (y,)


def exp_backward(dy, saved):
    y, = saved                                      # forward was  y = e^x  and  dy/dx = e^x
    return (dy * y,)


def expm1_forward(x):
    with np.errstate(over="ignore"):
        y = np.expm1(x)
    return y, (y,)


def expm1_backward(dy, saved):
    y, = saved
    return (dy * (y + 1),)


def log_forward(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(x), (x,)


def log_backward(dy, saved):
    x, = saved                                      # forward was  y = ln x
    with np.errstate(divide="ignore", invalid="ignore"):
        return (dy / x,)


def log2_forward(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log2(x), (x,)


def log2_backward(dy, saved):
    x, = saved                                      # forward was  y = ln x / ln 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return (dy / (x * math.log(2)),)


def log10_forward(x):
    # NumPy's log10 of float32 is not exact at all powers of 10
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log10(x.astype(np.result_type(x, np.float64))).astype(x.dtype), (x,)


def log10_backward(dy, saved):
    x, = saved                                      # forward was  y = ln x / ln 10
    with np.errstate(divide="ignore", invalid="ignore"):
        return (dy / (x * math.log(10)),)


def log1p_forward(x):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log1p(x), (x,)


def log1p_backward(dy, saved):
    x, = saved
    with np.errstate(divide="ignore", invalid="ignore"):
        return (dy / (1 + x),)


def erf_forward(x):
    # NumPy has no erf, Python has
    return np.vectorize(math.erf, otypes=[np.float64])(x).astype(x.dtype), (x,)


def erf_backward(dy, saved):
    # forward was  y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x
    x, = saved
    with np.errstate(under="ignore"):
        return (dy * 2 / math.sqrt(math.pi) * np.exp(-x * x),)


def sqrt_forward(x):
    with np.errstate(invalid="ignore"):
        y = np.sqrt(x)
    return y, (y,)


def sqrt_backward(dy, saved):
    y, = saved                                  # forward was  y = sqrt(x),  y^2 = x,  2 y dy/dx = 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return (dy / (2 * y),)


def abs_forward(x):
    return np.abs(x), (x,)


def abs_backward(dy, saved):
    x, = saved
    # the slope at 0 is taken as 0, whatever dy is
    return (np.where(x > 0, dy, np.where(x < 0, -dy, x.dtype.type(0))),)


def sin_forward(x):
    with np.errstate(invalid="ignore"):             # at an infinity
        return np.sin(x), (x,)


def sin_backward(dy, saved):
    x, = saved
    with np.errstate(invalid="ignore", over="ignore"):
        return (dy * np.cos(x),)


def cos_forward(x):
    with np.errstate(invalid="ignore"):
        return np.cos(x), (x,)


def cos_backward(dy, saved):
    x, = saved
    with np.errstate(invalid="ignore", over="ignore"):
        return (-dy * np.sin(x),)


def power(x, exponent):
    """x^p as IEEE 754 has it. Of a lone exponent 1/2 NumPy makes a root, which is NaN at -inf."""
    return np.asarray(np.power(x, np.full(x.shape, exponent, x.dtype)))


def pow_forward(x, *, exponent):
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return power(x, exponent), (x,)


def pow_backward(dy, saved, *, exponent):
    x, = saved                                      # forward was  y = x^p
    if exponent == 0:
        return (np.zeros_like(x),)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return (dy * exponent * power(x, exponent - 1),)


def clamp_forward(x, *, low, high):
    return np.minimum(np.maximum(x, x.dtype.type(low)), x.dtype.type(high)), (x,)


def clamp_backward(dy, saved, *, low, high):
    x, = saved
    inside = (x >= low) & (x <= high)               # outside, y does not move with x
    return (np.where(inside, dy, dy.dtype.type(0)),)


def clamp_between_forward(x, low, high):
    y = x if low is None else np.maximum(x, low)
    return np.asarray(y if high is None else np.minimum(y, high)), (x, low, high)


def clamp_between_backward(dy, saved):
    x, low, high = saved
    y = x if low is None else np.maximum(x, low)
    # NaN is no bound to stay within
    from_high = np.zeros(dy.shape, bool) if high is None else ~(y <= high)
    from_low = np.zeros(dy.shape, bool) if low is None else ~(x >= low) & ~from_high
    zero = dy.dtype.type(0)
    return (sum_to(np.where(from_low | from_high, zero, dy), x.shape),
            sum_to(np.where(from_low, dy, zero), shape(low)), sum_to(np.where(from_high, dy, zero), shape(high)))
