"""Images of another size, from the formulas: every output is a sum of a few pixels."""

import math

import numpy as np


def cubic(t, a):
    """Keys' kernel."""
    t = abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t - 1) * (t - 2)**2 if t < 2 else 0.0


def linear(t, a):
    return max(0.0, 1 - abs(t))


def taps_of(p, mode, n, m, align_corners, scale, antialias):
    """{pixel: weight} of output p of m, along a direction of n pixels."""
    if mode == "area":
        window = range(p * n // m, math.ceil((p + 1) * n / m))
        return {i: 1 / len(window) for i in window}
    if mode in ("nearest", "nearest-exact"):
        odd = mode == "nearest-exact"                   # pixels' centres, or their left ends
        i = math.floor((p + odd/2) / scale) if scale else (2*p + odd) * n // (2*m)
        return {min(i, n - 1): 1.0}
    if align_corners:
        step = (n - 1) / (m - 1) if m > 1 else 0.0
    else:
        step = 1 / scale if scale else n / m
    kernel, reach, a = (linear, 1, 0) if mode == "linear" else (cubic, 2, -0.5 if antialias else -0.75)
    if antialias:                                       # the kernel is as wide as the pixels of y
        centre, wide = step * (p + 0.5), max(step, 1.0)
        window = range(max(int(centre - reach * wide + 0.5), 0), min(int(centre + reach * wide + 0.5), n))
        weights = [kernel((i - centre + 0.5) / wide, a) for i in window]
        return {i: w / sum(weights) for i, w in zip(window, weights) if w}
    place = step * p if align_corners else step * (p + 0.5) - 0.5
    if mode == "linear":                # as in PyTorch, what has its size stays as it is
        place = p if n == m else min(max(place, 0), n - 1)
    taps = {}
    for i in range(math.floor(place) + 1 - reach, math.floor(place) + 1 + reach):
        inside = min(max(i, 0), n - 1)                  # the border goes on outside
        taps[inside] = taps.get(inside, 0) + kernel(place - i, a)
    return {i: w for i, w in taps.items() if w}


def interpolate_forward(x, *, size, mode, align_corners, scales, antialias):
    y = x
    for d in range(2):
        n, m = x.shape[2 + d], size[d]
        old, new = np.moveaxis(y, 2 + d, 0), np.zeros((m, *np.moveaxis(y, 2 + d, 0).shape[1:]), x.dtype)
        for p in range(m):
            for i, w in taps_of(p, mode[d], n, m, align_corners, scales[d], antialias).items():
                new[p] += x.dtype.type(w) * old[i]
        y = np.moveaxis(new, 0, 2 + d)
    return np.ascontiguousarray(y), (x.shape[2:],)


def interpolate_backward(dy, saved, *, size, mode, align_corners, scales, antialias):
    dx = dy
    for d in range(2):
        n, m = saved[0][d], size[d]
        old, new = np.moveaxis(dx, 2 + d, 0), np.zeros((n, *np.moveaxis(dx, 2 + d, 0).shape[1:]), dy.dtype)
        for p in range(m):
            for i, w in taps_of(p, mode[d], n, m, align_corners, scales[d], antialias).items():
                new[i] += dy.dtype.type(w) * old[p]     # forward was  new[p] += w * old[i]
        dx = np.moveaxis(new, 0, 2 + d)
    return (np.ascontiguousarray(dx),)
