"""One step of each optimiser for one parameter, from its definition. Arrays in, new arrays out."""

import numpy as np


def sgd_step(p, g, m, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False):
    """Returns (p, m); m is None before the first step."""
    g = g + weight_decay * p
    if momentum == 0:
        return p - lr * g, m
    m = g if m is None else momentum * m + (1 - dampening) * g
    return p - lr * (g + momentum * m if nesterov else m), m


def adam_step(p, g, m, v, t, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0, decoupled=False):
    """Returns (p, m, v) after step number t (from 1). m and v begin as zeros; the divisions undo
    their bias towards zero.
    """
    if decoupled:
        p = p - lr * weight_decay * p
    else:
        g = g + weight_decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    return p - lr * (m / (1 - beta1 ** t)) / (np.sqrt(v / (1 - beta2 ** t)) + eps), m, v
