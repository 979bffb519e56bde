"""Functions applied to each element, from their definitions."""

import numpy as np


def relu_forward(x):
    y = np.maximum(x, 0)
    return y, (y,)


def relu_backward(dy, saved):
    y, = saved
    return (dy * (y > 0),)                          # forward was  y = max(x, 0);  the slope at 0 is taken as 0
