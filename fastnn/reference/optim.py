"""One step of each optimiser for one parameter, from its definition. Arrays in, new arrays out.

Every definition has one form:

    step(p, g, *state, *[t], **settings)  ->  (p, *state)

p is the parameter and g its gradient. The state is as the last step left it: arrays, or a number.
t is the number of this step, from 1; only rules that count their steps take it. Nothing that comes
in is changed. The papers stand in the docstrings of fastnn.optim's classes.
"""

import math

import numpy as np


def penalised(p, g, weight_decay):
    """The gradient with that of the penalty weight_decay/2 |p|^2. Without one it is g, also where p
    is infinite and 0 p would be NaN.
    """
    return g + weight_decay * p if weight_decay != 0 else g


def sgd_step(p, g, m, *, lr, momentum, dampening, weight_decay, nesterov):
    """m is the decaying sum of the gradients; None before the first step, which has m = g."""
    g = penalised(p, g, weight_decay)
    if momentum == 0:
        return p - lr * g, m
    m = g if m is None else momentum * m + (1 - dampening) * g
    return p - lr * (g + momentum * m if nesterov else m), m


def asgd_step(p, g, eta, mu, ax, t, *, lr, lambd, alpha, t0, weight_decay):
    """eta and mu, the learning rate and the weight of p in ax, are those of this step; those of the
    next are returned. They begin as lr and 1.

    mu_t = 1 / max(1, t - 1 - t0) is 1 up to step t0 + 2. Until then ax is p itself; after step t it
    is the mean of p after the steps t0 + 2, ..., t.
    """
    g = penalised(p, g, weight_decay)
    p = (1 - lambd * eta) * p - eta * g
    ax = ax + mu * (p - ax) if mu != 1 else p
    return p, asgd_rate(lr, lambd, alpha, t), 1 / max(1.0, t - t0), ax


def asgd_rate(lr, lambd, alpha, t):
    """lr / (1 + lambd lr t)^alpha, of which the power may overflow."""
    return lr * math.exp(-alpha * math.log1p(lambd * lr * t))


# ---- Adam and its kin ----------------------------------------------------------------------------
def decayed(p, g, lr, weight_decay, decoupled_weight_decay):
    """(p, g) with weight decay in p itself where it is decoupled, else in the gradient."""
    if decoupled_weight_decay:
        return (1 - lr * weight_decay) * p, g
    return p, penalised(p, g, weight_decay)


def adam_step(p, g, m, v, top, t, *, lr, betas, eps, weight_decay, amsgrad, decoupled_weight_decay):
    """m and v are running means of g and g^2, estimates of its first and second moment; top is the
    largest v so far. All begin as zeros; the divisions correct their bias towards zero.
    """
    beta1, beta2 = betas
    p, g = decayed(p, g, lr, weight_decay, decoupled_weight_decay)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    if amsgrad:
        top = np.maximum(top, v)
    root = np.sqrt((top if amsgrad else v) / (1 - beta2 ** t))
    return p - lr * (m / (1 - beta1 ** t)) / (root + eps), m, v, top


def nadam_step(p, g, mu_product, m, v, t, *, lr, betas, eps, weight_decay, momentum_decay, decoupled_weight_decay):
    """m and v as Adam's. The momentum mu grows from step to step; mu_product is the product of all
    so far.
    """
    beta1, beta2 = betas
    p, g = decayed(p, g, lr, weight_decay, decoupled_weight_decay)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    mu = beta1 * (1 - 0.96 ** (t * momentum_decay) / 2)
    mu_next = beta1 * (1 - 0.96 ** ((t + 1) * momentum_decay) / 2)
    mu_product = mu_product * mu
    root = np.sqrt(v / (1 - beta2 ** t)) + eps
    ahead = (1 - mu) / (1 - mu_product) * g + mu_next / (1 - mu_product * mu_next) * m
    return p - lr * ahead / root, mu_product, m, v


def radam_step(p, g, m, v, t, *, lr, betas, eps, weight_decay, decoupled_weight_decay):
    """m and v as Adam's. The rectification r shortens the step by as much as the variance of the
    adaptive rate 1 / sqrt(v) asks; as long as there is no r, the step does without v.
    """
    beta1, beta2 = betas
    p, g = decayed(p, g, lr, weight_decay, decoupled_weight_decay)
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    corrected = m / (1 - beta1 ** t)
    r = radam_rectification(t, beta2)
    if r == 0:
        return p - lr * corrected, m, v
    return p - lr * r * corrected * math.sqrt(1 - beta2 ** t) / (np.sqrt(v) + eps), m, v


def radam_rectification(t, beta2):
    """The paper's r_t, from 0 to 1; 0 stands for none, which is where rho_t <= 5.

    rho_t is the length of the plain average of squares that is as good as v at step t. The variance
    of 1 / sqrt(v) is finite from rho_t > 4 on, which is the paper's limit. That of PyTorch and of
    the paper's code is 5, because rho_t is itself an approximation.
    """
    rho_infinity = 2 / (1 - beta2) - 1
    rho = rho_infinity - 2 * t * beta2 ** t / (1 - beta2 ** t)
    if rho <= 5:
        return 0.0
    return math.sqrt((rho - 4) * (rho - 2) * rho_infinity / ((rho_infinity - 4) * (rho_infinity - 2) * rho))


def adamax_step(p, g, m, u, t, *, lr, betas, eps, weight_decay):
    """m as Adam's; u is the largest |g|, of which older ones count less."""
    beta1, beta2 = betas
    g = penalised(p, g, weight_decay)
    m = beta1 * m + (1 - beta1) * g
    u = np.maximum(beta2 * u, np.abs(g) + eps)
    return p - lr / (1 - beta1 ** t) * m / u, m, u


# ---- rates by the size of past gradients ---------------------------------------------------------
def adagrad_step(p, g, total, t, *, lr, lr_decay, weight_decay, initial_accumulator_value, eps):
    """total is the sum of all g^2, from initial_accumulator_value on."""
    g = penalised(p, g, weight_decay)
    total = total + g * g
    return p - lr / (1 + (t - 1) * lr_decay) * g / (np.sqrt(total) + eps), total


def adadelta_step(p, g, v, a, t, *, lr, rho, eps, weight_decay):
    """v and a are running means of the squares of the gradients, and of the updates at lr = 1."""
    g = penalised(p, g, weight_decay)
    v = rho * v + (1 - rho) * g * g
    delta = np.sqrt(a + eps) / np.sqrt(v + eps) * g
    a = rho * a + (1 - rho) * delta * delta
    return p - lr * delta, v, a


def rmsprop_step(p, g, v, w, m, t, *, lr, alpha, eps, weight_decay, momentum, centered):
    """v and w are running means of g^2 and of g, m the decaying sum of the updates."""
    g = penalised(p, g, weight_decay)
    v = alpha * v + (1 - alpha) * g * g
    moment = v                              # the second: raw, or central
    if centered:
        w = alpha * w + (1 - alpha) * g
        # w^2 may overflow; rounding can make the difference negative
        moment = np.maximum(v - np.square(w, dtype=np.float64), 0).astype(p.dtype)
    delta = g / (np.sqrt(moment) + eps)
    if momentum == 0:
        return p - lr * delta, v, w, m
    m = momentum * m + delta
    return p - lr * m, v, w, m


def adafactor_step(p, g, row, column, variance, t, *, lr, beta2_decay, eps, d, weight_decay):
    """row and column are running means of the mean g^2 of each row and of each column. Their outer
    product, over the mean of row, estimates the running mean of a matrix's g^2. Of a vector that is
    kept itself, in `variance`.

    length is the paper's alpha_t, a step relative to the size of p.
    """
    if p.size == 0:
        return p, row, column, variance
    eps1 = np.finfo(p.dtype).eps if eps[0] is None else eps[0]
    one_minus_beta2 = t ** beta2_decay
    length = max(eps[1], rms(p)) * min(lr, 1 / math.sqrt(t))
    squares = np.square(g)
    if p.ndim >= 2:
        row = row + one_minus_beta2 * (squares.mean(-1, keepdims=True) - row)
        column = column + one_minus_beta2 * (squares.mean(-2, keepdims=True) - column)
        estimate = row / np.maximum(row.mean(-2, keepdims=True), eps1) * column
    else:
        variance = variance + one_minus_beta2 * (squares - variance)
        estimate = variance
    update = g / np.sqrt(np.maximum(estimate, eps1 ** 2))
    return ((1 - lr * weight_decay) * p - length / max(1.0, rms(update) / d) * update).astype(p.dtype), \
        row, column, variance


def rms(a):
    """The root of the mean of the squares."""
    return math.sqrt(float(np.square(a, dtype=np.float64).mean()))


# ---- by the sign ---------------------------------------------------------------------------------
def rprop_step(p, g, previous, size, t, *, lr, etas, step_sizes):
    """size is the length of each element's step, `previous` its last gradient. Where the sign
    changed, a minimum was passed, and the element waits for the next gradient.
    """
    etaminus, etaplus = etas
    product = g * sign(previous)            # g previous rounds to 0 where both are small
    size = np.clip(size * np.where(product > 0, etaplus, np.where(product < 0, etaminus, 1.0)), *step_sizes)
    g = np.where(product < 0, 0, g)
    return p - size * sign(g), g, size


def lion_step(p, g, m, *, lr, betas, weight_decay):
    """m is a running mean of g. The update is the sign of another mean, in which g weighs more."""
    beta1, beta2 = betas
    update = sign(beta1 * m + (1 - beta1) * g)
    return (1 - lr * weight_decay) * p - lr * update, beta2 * m + (1 - beta2) * g


def sign(a):
    """-1, 0 or 1; 0 for NaN."""
    return np.where(a > 0, 1.0, np.where(a < 0, -1.0, 0.0)).astype(a.dtype)


# ---- by matrix products --------------------------------------------------------------------------
def muon_step(p, g, m, *, lr, weight_decay, momentum, nesterov, adjust_lr_fn, **polynomial):
    """m is a running mean of g. The update is m, or m with a look ahead, made nearly orthogonal."""
    m = momentum * m + (1 - momentum) * g
    update = orthogonalised((1 - momentum) * g + momentum * m if nesterov else m, **polynomial)
    return (1 - lr * weight_decay) * p - lr * muon_scale(p.shape, adjust_lr_fn) * update, m


def orthogonalised(x, ns_coefficients, eps, ns_steps):
    """A matrix with the singular vectors of x and singular values of about 1, by the iteration of
    Newton and Schulz.

    x over its Frobenius norm has singular values from 0 to 1. A step maps each of them, s, to
    a s + b s^3 + c s^5. Muon's coefficients are chosen for a steep rise from 0, and not for
    convergence to 1: five steps bring every s above 0.0015 to between 0.68 and 1.21, where the
    following ones keep it. A singular value of 0 stays 0.
    """
    a, b, c = ns_coefficients
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / max(math.sqrt(float(np.square(x, dtype=np.float64).sum())), eps)
    for _ in range(ns_steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


def muon_scale(shape, adjust_lr_fn):
    """The factor of the learning rate for a matrix of this shape."""
    rows, columns = shape
    if adjust_lr_fn == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / max(columns, 1)))


# ---- over all gradients at once ------------------------------------------------------------------
def square_sum(arrays):
    """The sum of the squares of all elements, in float64; infinite where it overflows."""
    with np.errstate(over="ignore", under="ignore"):
        return sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays)


def scale_all(arrays, factor):
    """Multiply all arrays by a number, in place."""
    for a in arrays:
        a *= factor
