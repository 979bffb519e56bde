# special.pxi -- calls of csrc/pointwise/special.c; map1 and map2 are in map.pxi


def erf_forward(x):
    return map1(fnn_erf_forward, x), (x,)


def erf_backward(dy, saved):
    return (map2(fnn_erf_backward, dy, saved[0]),)


def erfc_forward(x):
    y = map1(fnn_erfc_forward, x)
    return y, (x, y)


def erfc_backward(dy, saved):
    return (map2(fnn_erfc_backward, dy, saved[0]),)


def erfinv_forward(x):
    y = map1(fnn_erfinv_forward, x)
    return y, (x, y)


def erfinv_backward(dy, saved):
    return (map2(fnn_erfinv_backward, dy, saved[1]),)


def lgamma_forward(x):
    y = map1(fnn_lgamma_forward, x)
    return y, (x, y)


def lgamma_backward(dy, saved):
    return (map2(fnn_lgamma_backward, dy, saved[0]),)


def digamma_forward(x):
    y = map1(fnn_digamma_forward, x)
    return y, (x, y)


def digamma_backward(dy, saved):
    return (map2(fnn_digamma_backward, dy, saved[0]),)
