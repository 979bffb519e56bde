# activation.pxi -- calls of csrc/pointwise/activation.c; map1, map2 and the like are in map.pxi


# ---- the derivative needs y ----------------------------------------------------------------------
def relu_forward(x):
    y = map1(fnn_relu_forward, x)
    return y, (y,)


def relu_backward(dy, saved):
    return (map2(fnn_relu_backward, dy, saved[0]),)


def sigmoid_forward(x):
    y = map1(fnn_sigmoid_forward, x)
    return y, (y,)


def sigmoid_backward(dy, saved):
    return (map2(fnn_sigmoid_backward, dy, saved[0]),)


def tanh_forward(x):
    y = map1(fnn_tanh_forward, x)
    return y, (y,)


def tanh_backward(dy, saved):
    return (map2(fnn_tanh_backward, dy, saved[0]),)


# ---- the derivative needs x ----------------------------------------------------------------------
def leaky_relu_forward(x, *, slope):
    if slope == 0:                  # 0 times -infinity is 0 here
        return map1(fnn_relu_forward, x), (x,)
    return map1p(fnn_leaky_relu_forward, x, slope), (x,)


def leaky_relu_backward(dy, saved, *, slope):
    return (map2p(fnn_leaky_relu_backward, dy, saved[0], slope),)


def elu_forward(x, *, alpha, scale):
    return map1pq(fnn_elu_forward, x, alpha, scale), (x,)


def elu_backward(dy, saved, *, alpha, scale):
    return (map2pq(fnn_elu_backward, dy, saved[0], alpha, scale),)


def gelu_forward(x):
    return map1(fnn_gelu_forward, x), (x,)


def gelu_backward(dy, saved):
    return (map2(fnn_gelu_backward, dy, saved[0]),)


def gelu_tanh_forward(x):
    return map1(fnn_gelu_tanh_forward, x), (x,)


def gelu_tanh_backward(dy, saved):
    return (map2(fnn_gelu_tanh_backward, dy, saved[0]),)


def silu_forward(x):
    return map1(fnn_silu_forward, x), (x,)


def silu_backward(dy, saved):
    return (map2(fnn_silu_backward, dy, saved[0]),)


def mish_forward(x):
    return map1(fnn_mish_forward, x), (x,)


def mish_backward(dy, saved):
    return (map2(fnn_mish_backward, dy, saved[0]),)


def softplus_forward(x, *, beta, threshold):
    return map1pq(fnn_softplus_forward, x, beta, threshold), (x,)


def softplus_backward(dy, saved, *, beta, threshold):
    return (map2pq(fnn_softplus_backward, dy, saved[0], beta, threshold),)


def logsigmoid_forward(x):
    return map1(fnn_logsigmoid_forward, x), (x,)


def logsigmoid_backward(dy, saved):
    return (map2(fnn_logsigmoid_backward, dy, saved[0]),)


def softsign_forward(x):
    return map1(fnn_softsign_forward, x), (x,)


def softsign_backward(dy, saved):
    return (map2(fnn_softsign_backward, dy, saved[0]),)


def hardtanh_forward(x, *, low, high):
    return map1pq(fnn_clamp_forward, x, low, high), (x,)


def hardtanh_backward(dy, saved, *, low, high):
    return (map2pq(fnn_hardtanh_backward, dy, saved[0], low, high),)


def hardsigmoid_forward(x):
    return map1(fnn_hardsigmoid_forward, x), (x,)


def hardsigmoid_backward(dy, saved):
    return (map2(fnn_hardsigmoid_backward, dy, saved[0]),)


def hardswish_forward(x):
    return map1(fnn_hardswish_forward, x), (x,)


def hardswish_backward(dy, saved):
    return (map2(fnn_hardswish_backward, dy, saved[0]),)


def hardshrink_forward(x, *, lambd):
    return map1p(fnn_hardshrink_forward, x, lambd), (x,)


def hardshrink_backward(dy, saved, *, lambd):
    return (map2p(fnn_hardshrink_backward, dy, saved[0], lambd),)


def softshrink_forward(x, *, lambd):
    return map1p(fnn_softshrink_forward, x, lambd), (x,)


def softshrink_backward(dy, saved, *, lambd):
    return (map2p(fnn_hardshrink_backward, dy, saved[0], lambd),)


def threshold_forward(x, *, threshold, value):
    return map1pq(fnn_threshold_forward, x, threshold, value), (x,)


def threshold_backward(dy, saved, *, threshold, value):
    return (map2p(fnn_threshold_backward, dy, saved[0], threshold),)
