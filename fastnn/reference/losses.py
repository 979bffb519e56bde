"""Losses that compare an input x with a target t element by element, from their definitions.

Each gives a loss per element, and then their mean, their sum, or all of them.
"""

import numpy as np


def reduce(loss, reduction, dtype=None):
    """The mean or the sum of the elements' losses, or all of them; in the losses' type if no other
    is given.
    """
    if reduction == "none":
        return loss.astype(dtype or loss.dtype)
    # the sum of finite losses may be too large where the mean is not
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return np.asarray(loss.sum(dtype=np.longdouble) / divisor(loss, reduction), dtype or loss.dtype)


def weighed(c, v):
    """c v, and 0 where c is 0, whatever v is: what weighs nothing costs nothing, even if it is
    impossible and v infinite.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        y = c * v
    return np.where(c == 0, y.dtype.type(0), y)


def divisor(x, reduction):
    """What the sum of the elements' losses is divided by."""
    return np.float64({"none": 1, "sum": 1, "mean": x.size, "batchmean": x.shape[0] if x.ndim else 1}[reduction])


def spread(dy, x, reduction):
    """The gradient that reaches each element's loss."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.broadcast_to(dy, x.shape) / divisor(x, reduction)).astype(x.dtype)


def mse_loss_forward(x, target, *, reduction="mean"):
    return reduce((x - target)**2, reduction), (x, target)


def mse_loss_backward(dy, saved, *, reduction="mean"):
    x, target = saved
    dx = spread(dy, x, reduction) * 2 * (x - target)            # forward was  (x - t)^2
    return dx, -dx


def l1_loss_forward(x, target, *, reduction="mean"):
    return reduce(np.abs(x - target), reduction), (x, target)


def l1_loss_backward(dy, saved, *, reduction="mean"):
    x, target = saved
    dx = spread(dy, x, reduction) * np.sign(x - target)         # forward was  |x - t|
    return dx, -dx


def smooth_l1_loss_forward(x, target, *, reduction="mean", beta=1.0):
    d = np.abs(x - target)
    loss = d if beta == 0 else np.where(d < beta, d**2 / (2 * beta), d - beta / 2)
    return reduce(loss, reduction), (x, target)


def smooth_l1_loss_backward(dy, saved, *, reduction="mean", beta=1.0):
    x, target = saved
    d = x - target
    # forward was  d^2 / 2 beta  or  |d| - beta / 2
    slope = np.sign(d) if beta == 0 else np.where(np.abs(d) < beta, d / beta, np.sign(d))
    dx = spread(dy, x, reduction) * slope
    return dx, -dx


def huber_loss_forward(x, target, *, reduction="mean", delta=1.0):
    d = np.abs(x - target)
    return reduce(np.where(d <= delta, d**2 / 2, delta * (d - delta / 2)), reduction), (x, target)


def huber_loss_backward(dy, saved, *, reduction="mean", delta=1.0):
    x, target = saved
    d = x - target
    # forward was  d^2 / 2  or  delta (|d| - delta / 2)
    dx = spread(dy, x, reduction) * np.where(np.abs(d) < delta, d, delta * np.sign(d))
    return dx, -dx


def ones_if_none(weight):
    """Weights in float64 at least: their product with one factor may be beyond float32 where that
    with all of them is not.
    """
    return 1.0 if weight is None else weight.astype(np.result_type(weight, np.float64))


def clamped_logs(x):
    """log x and log(1 - x), both at least -100."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100), np.maximum(np.log1p(-x), -100)


def binary_cross_entropy_forward(x, target, weight=None, *, reduction="mean"):
    log_x, log_not_x = clamped_logs(x)
    loss = -weighed(ones_if_none(weight), target * log_x + (1 - target) * log_not_x)
    return reduce(loss, reduction, x.dtype), (x, target, weight)


def binary_cross_entropy_backward(dy, saved, *, reduction="mean"):
    x, target, weight = saved
    g = spread(dy, x, reduction) * ones_if_none(weight)
    log_x, log_not_x = clamped_logs(x)
    # forward was  -(t log x + (1 - t) log(1 - x)),  and its slope is  (x - t) / (x (1 - x));
    # at 0 and 1 the divisor is taken as 1e-12
    dx, dtarget = g * (x - target) / np.maximum((1 - x) * x, 1e-12), g * (log_not_x - log_x)
    return dx.astype(x.dtype), dtarget.astype(x.dtype), None


def log_sigmoid(x):
    """log(1 / (1 + e^-x)), which overflows nowhere."""
    return -np.logaddexp(0, -x)


def binary_cross_entropy_with_logits_forward(x, target, weight=None, pos_weight=None, *, reduction="mean"):
    yes, no = weighed(target, ones_if_none(pos_weight)), 1 - target
    loss = -weighed(ones_if_none(weight), weighed(yes, log_sigmoid(x)) + weighed(no, log_sigmoid(-x)))
    return reduce(loss, reduction, x.dtype), (x, target, weight, pos_weight)


def binary_cross_entropy_with_logits_backward(dy, saved, *, reduction="mean"):
    x, target, weight, pos_weight = saved
    g, q = spread(dy, x, reduction) * ones_if_none(weight), ones_if_none(pos_weight)
    # forward was  -(q t log sigmoid(x) + (1 - t) log sigmoid(-x)),
    # and  d/dx log sigmoid(x) = sigmoid(-x)
    dx = -g * (weighed(target, q) * np.exp(log_sigmoid(-x)) - (1 - target) * np.exp(log_sigmoid(x)))
    dtarget = -weighed(g, weighed(q, log_sigmoid(x)) - log_sigmoid(-x))
    return dx.astype(x.dtype), dtarget.astype(x.dtype), None, None


def log_or_0(t):
    """log t, and 0 where t = 0: the slope of t log t there is taken as 0."""
    return np.log(np.where(t == 0, 1, t))


def kl_div_forward(x, target, *, reduction="mean", log_target=False):
    with np.errstate(invalid="ignore"):
        loss = weighed(np.exp(target), target - x) if log_target else weighed(target, log_or_0(target) - x)
    return reduce(loss, reduction), (x, target)


def kl_div_backward(dy, saved, *, reduction="mean", log_target=False):
    x, target = saved
    g = spread(dy, x, reduction)
    if log_target:                                  # forward was  e^t (t - x)
        with np.errstate(invalid="ignore"):
            return -g * np.exp(target), g * weighed(np.exp(target), target - x + 1)
    # forward was  t (log t - x)
    return -g * target, g * (log_or_0(target) - x + (target != 0))
