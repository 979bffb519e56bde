"""One step of each optimiser for one parameter, from its definition. Arrays in, new arrays out.

Every definition has one form:

    step(p, g, *state, *[t], **settings)  ->  (p, *state)

p is the parameter and g its gradient. The state is as the step before left it. t is the number of
this step, from 1; only rules that count their steps take it. Nothing that comes in is changed.
"""

import numpy as np


def sgd_step(p, g, m, *, lr, momentum, dampening, weight_decay, nesterov):
    """m is the sum of past gradients that momentum keeps; None before the first step."""
    g = g + weight_decay * p
    if momentum == 0:
        return p - lr * g, m
    m = g if m is None else momentum * m + (1 - dampening) * g
    return p - lr * (g + momentum * m if nesterov else m), m


def adam_step(p, g, m, v, t, *, lr, betas, eps, weight_decay, decoupled_weight_decay):
    """m and v are running means of g and g^2.

    Both begin as zeros; the divisions undo their bias towards zero.
    """
    beta1, beta2 = betas
    if decoupled_weight_decay:
        p = p - lr * weight_decay * p
    else:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * (m / (1 - beta1 ** t)) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v


# ---- over all gradients at once ------------------------------------------------------------------
def square_sum(arrays):
    """The sum of the squares of all elements, in float64; infinite where it overflows."""
    with np.errstate(over="ignore", under="ignore"):
        return sum(float(np.square(a, dtype=np.float64).sum()) for a in arrays)


def scale_all(arrays, factor):
    """Multiply all arrays by a number, in place."""
    for a in arrays:
        a *= factor
