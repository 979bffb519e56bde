"""Kernels as students write them: RIGHT ones, and WRONG ones with words that their diagnosis must
have. Each row is (op, forward, backward or None), a wrong one with the words behind it.
"""

import numpy as np


# ---- softmax and losses --------------------------------------------------------------------------
def softmax(x, *, dim):
    e = np.exp(x - np.max(x, axis=dim, keepdims=True)) if x.size else x.copy()
    return e/e.sum(axis=dim, keepdims=True)


def stable(x, *, dim):
    """As softmax, and where a row is -inf throughout, NaN as in the definition."""
    y = softmax(x, dim=dim)
    return y, (y,)


def softmax_backward(dy, saved, *, dim):
    y, = saved
    return (y*(dy - (dy*y).sum(axis=dim, keepdims=True)),)


def log_softmax(x, axis):
    z = x - x.max(axis=axis, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=axis, keepdims=True))


def classes(x):
    return 1 if x.ndim > 1 else 0


def softmax_of_classes(x):
    return softmax(x, dim=classes(x))


def cross_entropy(log_probabilities, by_weight=True):
    def forward(x, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0):
        z, axis = log_probabilities(x), classes(x)
        w = (np.ones(x.shape[axis], x.dtype) if weight is None else weight).reshape([-1, *[1]*(x.ndim - 1 - axis)])
        if target.dtype.kind == "f":
            a = w*((1 - label_smoothing)*target + label_smoothing/x.shape[axis])
            counts = np.ones(a.sum(axis).shape)
        else:
            used = np.expand_dims(target != ignore_index, axis)
            hot = np.arange(x.shape[axis]).reshape(w.shape if x.ndim > 1 else -1) == np.expand_dims(target, axis)
            a = np.where(used, w*((1 - label_smoothing)*hot + label_smoothing/x.shape[axis]), 0)
            counts = np.where(used, w*hot, 0).sum(axis) if by_weight else np.ones(a.sum(axis).shape)
        each = -np.where(a == 0, 0, a*z).sum(axis).astype(x.dtype)
        return each if reduction == "none" else np.asarray(
            each.sum()/(counts.sum() if reduction == "mean" else 1), x.dtype)
    return forward


def mse_loss(x, target, *, reduction="mean"):
    each = (x - target)**2
    return (each if reduction == "none" else each.sum() if reduction == "sum" else each.mean()), (x, target)


def mse_loss_backward(dy, saved, *, reduction="mean"):
    x, target = saved
    dx = dy*2*(x - target)/(x.size if reduction == "mean" else 1)
    return dx.astype(x.dtype), -dx.astype(x.dtype)


# ---- convolution and pooling ---------------------------------------------------------------------
def conv2d_loops(x, w, b, stride, padding, dilation, groups):
    """Seven loops and nothing else."""
    (sh, sw), (dh, dw) = stride, dilation
    x = np.pad(x, ((0, 0), (0, 0), *padding))
    N, _, H, W = x.shape
    K, C, R, S = w.shape
    P, Q = (H - dh*(R - 1) - 1)//sh + 1, (W - dw*(S - 1) - 1)//sw + 1
    y = np.zeros((N, K, P, Q), x.dtype)
    for n in range(N):
        for k in range(K):
            first = k//(K//groups)*C
            for p in range(P):
                for q in range(Q):
                    total = 0.0 if b is None else b[k]
                    for c in range(C):
                        for r in range(R):
                            for s in range(S):
                                total += w[k, c, r, s]*x[n, first + c, p*sh + r*dh, q*sw + s*dw]
                    y[n, k, p, q] = total
    return y


def conv2d(change=lambda v: v):
    """A convolution as a sum of products, one for each place of the window; change makes a mistake
    in {"w": ..., "b": ..., "stride": ..., "taps": ...}.
    """
    def forward(x, w, b, stride, padding, dilation, groups):
        v = change({"x": x, "w": w, "b": b, "stride": stride, "padding": padding, "dilation": dilation,
                    "columns": w.shape[3], "group": lambda g: g})
        w, b, (sh, sw), (dh, dw) = v["w"], v["b"], v["stride"], v["dilation"]
        x = np.pad(x, ((0, 0), (0, 0), *v["padding"]))
        N, _, H, W = x.shape
        K, C, R, S = w.shape
        P, Q = (H - dh*(R - 1) - 1)//sh + 1, (W - dw*(S - 1) - 1)//sw + 1
        y = np.zeros((N, K, P, Q), x.dtype)
        for g in range(groups):
            seen = x[:, v["group"](g)*C:(v["group"](g) + 1)*C]
            filters = slice(g*(K//groups), (g + 1)*(K//groups))
            for r in range(R):
                for s in range(v["columns"]):
                    pixels = seen[:, :, r*dh:r*dh + sh*(P - 1) + 1:sh, s*dw:s*dw + sw*(Q - 1) + 1:sw]
                    y[:, filters] += np.einsum("kc,ncpq->nkpq", w[filters, :, r, s], pixels)
        return y if b is None else y + b[:, None, None]
    return forward


def avg_pool(divided=True, begin=-1):
    """begin=0: windows begin at the first pixel, whatever the padding."""
    def forward(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override):
        (R, S), (sh, sw), (ph, pw) = kernel_size, stride, padding
        N, C, H, W = x.shape
        size = [-(-a//b) + 1 if ceil_mode else a//b + 1 for a, b in ((H + 2*ph - R, sh), (W + 2*pw - S, sw))]
        P, Q = (n - 1 if ceil_mode and (n - 1)*s >= a + p else n
                for n, s, a, p in zip(size, (sh, sw), (H, W), (ph, pw)))
        y = np.zeros((N, C, P, Q), x.dtype)
        for p in range(P):
            for q in range(Q):
                top, left = p*sh - ph, q*sw - pw
                inside = [max(0, min(a + n, m) - max(a, 0)) for a, n, m in ((top, R, H), (left, S, W))]
                framed = [min(a + n, m + f) - a for a, n, m, f in ((top, R, H, ph), (left, S, W, pw))]
                if begin == 0:
                    top, left = p*sh, q*sw
                window = x[:, :, max(top, 0):max(top + R, 0), max(left, 0):max(left + S, 0)].sum((2, 3))
                number = divisor_override or np.prod(framed if count_include_pad else inside)
                y[:, :, p, q] = window/number if divided else window
        return y
    return forward


def max_pool(edge, larger=lambda new, most: (new > most) | np.isnan(new)):
    """NaN counts as larger than all numbers."""
    def forward(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
        (R, S), (sh, sw), (ph, pw), (dh, dw) = kernel_size, stride, padding, dilation
        N, C, H, W = x.shape
        size = [-(-a//b) + 1 if ceil_mode else a//b + 1 for a, b in (
            (H + 2*ph - dh*(R - 1) - 1, sh), (W + 2*pw - dw*(S - 1) - 1, sw))]
        P, Q = (n - 1 if ceil_mode and (n - 1)*s >= a + p else n
                for n, s, a, p in zip(size, (sh, sw), (H, W), (ph, pw)))
        y, at = np.full((N, C, P, Q), edge, x.dtype), np.zeros((N, C, P, Q), np.int64)
        for p in range(P):
            for q in range(Q):
                for r in range(R):
                    for s in range(S):
                        i, j = p*sh - ph + r*dh, q*sw - pw + s*dw
                        if 0 <= i < H and 0 <= j < W:
                            more = larger(x[:, :, i, j], y[:, :, p, q])
                            y[:, :, p, q] = np.where(more, x[:, :, i, j], y[:, :, p, q])
                            at[:, :, p, q] = np.where(more, i*W + j, at[:, :, p, q])
        return (y, at) if return_indices else y
    return forward


# ---- linear, normalisation, attention ------------------------------------------------------------
def linear(x, w, b):
    y = x @ w.T
    return (y if b is None else y + b), (x, w, b)


def linear_but_the_last_row(x, w, b):
    y = np.empty((*x.shape[:-1], w.shape[0]), x.dtype)
    y[:-1] = x[:-1] @ w.T
    return y if b is None else np.add(y, b, out=y)


def linear_backward(over_rows=np.sum):
    def backward(dy, saved):
        x, w, b = saved
        rows, drows = x.reshape(-1, w.shape[1]) if w.shape[1] else x.reshape(x.size, 0), None
        drows = dy.reshape(-1, w.shape[0]) if w.shape[0] else dy.reshape(len(rows), 0)
        rows = rows if len(rows) == len(drows) else x.reshape(len(drows), w.shape[1])
        return dy @ w, drows.T @ rows, None if b is None else over_rows(drows, axis=0)
    return backward


def layer_norm(ddof=0):
    def forward(x, weight, bias, *, normalized_shape, eps):
        axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
        n = int(np.prod(normalized_shape))
        mean = x.mean(axis=axes, keepdims=True)
        var = ((x - mean)**2).sum(axis=axes, keepdims=True)/(n - ddof)
        xhat = (x - mean)/np.sqrt(var + eps)
        y = xhat if weight is None else xhat*weight
        return (y if bias is None else y + bias), (xhat, 1/np.sqrt(var + eps), weight, bias, axes)
    return forward


def layer_norm_backward(whole):
    def backward(dy, saved, *, normalized_shape, eps):
        xhat, rstd, weight, bias, axes = saved
        d = dy if weight is None else dy*weight
        others = tuple(range(xhat.ndim - len(normalized_shape)))
        dx = rstd*(d - d.mean(axes, keepdims=True) - xhat*(d*xhat).mean(axes, keepdims=True)) if whole else rstd*d
        return (dx, None if weight is None else (dy*xhat).sum(others), None if bias is None else dy.sum(others))
    return backward


def attention(scaled=True, below=0):
    def forward(q, k, v, mask=None, *, is_causal=False, scale=1.0, dropout_p=0.0, key=0, call=0):
        s = q @ np.swapaxes(k, -1, -2)
        s = s*scale if scaled else s
        if mask is not None:
            s = np.where(mask, s, -np.inf) if mask.dtype == bool else s + mask
        if is_causal:
            s = np.where(np.tri(*s.shape[-2:], k=below, dtype=bool), s, -np.inf)
        top = s.max(axis=-1, keepdims=True, initial=-np.inf)
        e = np.exp(s - np.where(np.isinf(top), 0, top))
        total = e.sum(axis=-1, keepdims=True)
        p = e/np.where(total == 0, 1, total)
        if dropout_p:                               # the random stream is fastnn's own
            from fastnn.reference.attention import dropout_factors
            p = np.broadcast_to(p, (*np.broadcast_shapes(p.shape[:-2], v.shape[:-2]), *p.shape[-2:]))
            p = p*dropout_factors(p.shape, q.dtype, dropout_p, key, call)
        return (p @ v).astype(q.dtype)
    return forward


def batch_norm(std):
    def forward(x, weight, bias, *, eps):
        axes = (0, *range(2, x.ndim))
        mean, var = x.mean(axes), x.var(axes)
        shape = (-1, *[1]*(x.ndim - 2))
        y = (x - mean.reshape(shape))/std(var, eps).reshape(shape)
        y = y if weight is None else y*weight.reshape(shape)
        return (y if bias is None else y + bias.reshape(shape)), mean, var
    return forward


# ---- recurrent -----------------------------------------------------------------------------------
def sigmoid(x):
    return 1/(1 + np.exp(-x))


def lstm_cell(order=(0, 1, 2, 3)):
    def forward(x, h, c, w_ih, w_hh, b_ih, b_hh):
        z = x @ w_ih.T + h @ w_hh.T
        for b in (b_ih, b_hh):
            z = z if b is None else z + b
        parts = np.split(z, 4, axis=1)
        i, f, g, o = (parts[n] for n in order)
        c = sigmoid(f)*c + sigmoid(i)*np.tanh(g)
        return sigmoid(o)*np.tanh(c), c
    return forward


def gru_cell(z_keeps):
    def forward(x, h, w_ih, w_hh, b_ih, b_hh):
        a, u = x @ w_ih.T, h @ w_hh.T
        a, u = a if b_ih is None else a + b_ih, u if b_hh is None else u + b_hh
        (ar, az, an), (ur, uz, un) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
        z, n = sigmoid(az + uz), np.tanh(an + sigmoid(ar + ur)*un)
        return z*h + (1 - z)*n if z_keeps else (1 - z)*h + z*n
    return forward


# ---- embedding, arithmetic -----------------------------------------------------------------------
def embedding(index, w, *, padding_idx):
    return w[index], (index, w)


def embedding_backward(add):
    def backward(dy, saved, *, padding_idx):
        index, w = saved
        dw = np.zeros_like(w)
        if add:
            np.add.at(dw, index, dy)
        else:
            dw[index] = dy
        if padding_idx is not None:
            dw[padding_idx] = 0
        return None, dw
    return backward


def summed_to(g, like):
    """g summed over the axes along which `like` was broadcast."""
    shape = np.shape(like)
    while g.ndim > len(shape):
        g = g.sum(0)
    return g.sum(axis=tuple(d for d, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)


def relu(x):
    return np.maximum(x, 0)


RIGHT = [
    ("relu", relu, None),
    ("relu", lambda x: (relu(x), x > 0), lambda dy, passed: (dy*passed,)),
    ("sigmoid", lambda x: (sigmoid(x), sigmoid(x)), lambda dy, y: (dy*y*(1 - y),)),
    ("softmax", stable, softmax_backward),
    ("log_softmax", lambda x, *, dim: log_softmax(x, dim) if x.size else x.copy(), None),
    ("mse_loss", mse_loss, mse_loss_backward),
    ("linear", linear, linear_backward()),
    ("matmul", lambda a, b: a @ b, None),
    ("cross_entropy", cross_entropy(lambda x: log_softmax(x, classes(x))), None),
    ("conv2d", conv2d(), None),
    ("conv2d", conv2d_loops, None),
    ("max_pool2d", max_pool(-np.inf), None),
    ("avg_pool2d", avg_pool(), None),
    ("layer_norm", layer_norm(), layer_norm_backward(True)),
    ("batch_norm", batch_norm(lambda var, eps: np.sqrt(var + eps)), None),
    ("scaled_dot_product_attention", attention(), None),
    ("lstm_cell", lstm_cell(), None),
    ("gru_cell", gru_cell(True), None),
    ("embedding", embedding, embedding_backward(True)),
    ("add", lambda a, b: (a + b, (a, b)), lambda dy, saved: (summed_to(dy, saved[0]), summed_to(dy, saved[1]))),
    ("sum", lambda x, *, dim, keepdim: x.sum(axis=dim, keepdims=keepdim), None),
]

scratch = np.zeros(40_000)
total = np.zeros(40_000)


def relu_in_a_scratch_array(x):
    scratch[:x.size] = x.ravel()
    y = np.zeros(x.size, x.dtype)
    for i in range(min(x.size, 20)):
        y[i] = max(scratch[i], 0)
    y[20:] = np.maximum(scratch[20:x.size], 0)
    return y.reshape(x.shape)


def relu_that_adds_up(x):
    part = total[:x.size]
    part += np.maximum(x.ravel(), 0)
    return part.reshape(x.shape).astype(x.dtype)


def relu_into_one_array(results={}):                # noqa: B006
    def forward(x):
        y = results.setdefault((x.shape, x.dtype), np.empty_like(x))
        return np.maximum(x, 0, out=y)
    return forward


def changed(**values):
    """conv2d with some of its variables replaced; a function is called with the right value."""
    return conv2d(lambda v: {k: values[k](v[k]) if k in values else a for k, a in v.items()})


def both(first, second):
    return conv2d(lambda v: {**v, "w": first(v["w"]), "b": second(v["b"])})


WRONG = [
    # forward: textbook formulas
    ("softmax", lambda x, *, dim: np.exp(x)/np.exp(x).sum(axis=dim, keepdims=True), None, "overflows.*largest x"),
    ("softmax", lambda x, *, dim: softmax(x, dim=-1), None, "the last axis, whatever dim is"),
    ("softmax", lambda x, *, dim: np.exp(x - x.max(axis=dim, keepdims=True)), None, "not divided by its sum"),
    ("logsumexp", lambda x, *, dim, keepdim: np.log(np.exp(x).sum(axis=dim, keepdims=keepdim)), None, "overflows"),
    ("cross_entropy", cross_entropy(lambda x: x), None, "log softmax is missing"),
    ("cross_entropy", cross_entropy(softmax_of_classes), None, "its logarithm is missing"),
    ("cross_entropy", cross_entropy(lambda x: log_softmax(x, classes(x)), by_weight=False), None,
     "number of labels, and not by the sum of their weights"),
    ("var", lambda x, *, dim, keepdim, correction: x.var(axis=dim, keepdims=keepdim), None, "correction is ignored.*0"),
    # convolution
    ("conv2d", changed(w=lambda w: w[:, :, ::-1, ::-1]), None, "w is flipped along its last two axes"),
    ("conv2d", changed(w=lambda w: w.swapaxes(2, 3) if w.shape[2] == w.shape[3] else w), None, "w is transposed"),
    ("conv2d", changed(b=lambda b: None), None, "b is left out"),
    ("conv2d", changed(stride=lambda s: (1, 1)), None, "stride is ignored"),
    ("conv2d", changed(stride=lambda s: (s[0], s[0])), None, "first number of stride is used for both"),
    ("conv2d", changed(padding=lambda p: ((0, 0), (0, 0))), None, "padding is ignored"),
    ("conv2d", changed(padding=lambda p: tuple((a + b, 0) for a, b in p)), None, "padding goes all before"),
    ("conv2d", changed(dilation=lambda d: (1, 1)), None, "dilation is ignored|shape"),
    ("conv2d", changed(columns=lambda n: n - 1), None, "last item along w's last axis is left out.*one early"),
    ("conv2d", changed(group=lambda g: lambda group: 0), None, "every group reads the channels of the first"),
    ("conv2d", both(lambda w: w[:, :, ::-1, ::-1], lambda b: None), None, "flipped.*left out|left out.*flipped"),
    ("max_pool2d", max_pool(0), None, "below 0 are made 0"),
    ("avg_pool2d", avg_pool(divided=False), None, "it is the sum of the window, and not the mean"),
    ("avg_pool2d", avg_pool(begin=0), None, "padding is ignored: the first window begins at the first"),
    # linear, products
    ("linear", lambda x, w, b: x @ w + (0 if b is None else b), None, "weight is transposed"),
    ("linear", lambda x, w, b: x @ w.T, None, "bias is left out"),
    ("matmul", lambda a, b: (a.astype(np.float32) @ b.astype(np.float32)).astype(a.dtype), None,
     "computes in float32|float32 inside"),
    ("linear", linear_but_the_last_row, None, "never written"),
    # reductions and losses
    ("sum", lambda x, *, dim, keepdim: x.mean(axis=dim, keepdims=keepdim), None, "computes mean"),
    ("mean", lambda x, *, dim, keepdim: x.sum(axis=dim, keepdims=keepdim), None, "computes sum"),
    ("sum", lambda x, *, dim, keepdim: x.sum(axis=dim), None, "keepdim is ignored"),
    ("mse_loss", lambda x, t, *, reduction="mean": (x - t)**2 if reduction == "none" else ((x - t)**2).sum(), None,
     "reduction='sum'|every number"),
    ("cumsum", lambda x, *, dim: np.cumsum(x, axis=dim) - x, None, "off by one"),
    # normalisation, attention, recurrent
    ("layer_norm", lambda *a, **k: layer_norm(1)(*a, **k)[0], None, "n - 1"),
    ("batch_norm", batch_norm(lambda var, eps: np.sqrt(var) + eps), None, "eps is added to the standard deviation"),
    ("batch_norm", batch_norm(lambda var, eps: np.sqrt(var)), None, "eps is ignored"),
    ("scaled_dot_product_attention", attention(scaled=False), None, r"not divided by sqrt\(d\)"),
    ("scaled_dot_product_attention", attention(below=-1), None, "does not see its own key"),
    ("lstm_cell", lstm_cell((0, 1, 3, 2)), None, "order i f o g"),
    ("gru_cell", gru_cell(False), None, "z and 1 - z are swapped"),
    # elementwise
    ("sub", lambda a, b: b - a, None, "a and b are swapped|sign"),
    ("gelu", lambda x: 0.5*x*(1 + np.tanh(0.7978845608028654*(x + 0.044715*x**3))), None, "gelu_tanh"),
    ("leaky_relu", lambda x, *, slope: np.maximum(x, 0), None, "computes relu|slope is ignored"),
    ("elu", lambda x, *, alpha, scale: np.where(x > 0, x, alpha*np.expm1(np.minimum(x, 0))), None, "scale"),
    # backward
    ("softmax", stable, lambda *a, **k: (17*softmax_backward(*a, **k)[0],), "17 times"),
    ("softmax", stable, lambda dy, saved, *, dim: (dy*saved[0]*(1 - saved[0]),), "only the diagonal"),
    ("sigmoid", lambda x: (sigmoid(x), x), lambda dy, x: (dy*x*(1 - x),), "uses x where the result y is needed"),
    ("relu", lambda x: (relu(x), x > 0), lambda dy, passed: (passed.astype(dy.dtype),), "dy.*is not used"),
    ("relu", lambda x: (relu(x), x > 0), lambda dy, passed: (-dy*passed,), "sign is wrong"),
    ("mse_loss", mse_loss, lambda *a, **k: tuple(g/2 for g in mse_loss_backward(*a, **k)), "0.5 times"),
    ("linear", linear, linear_backward(np.mean), "1/.the number of rows"),
    ("sub", lambda a, b: (a - b, (a, b)), lambda dy, saved: (summed_to(dy, saved[0]), summed_to(dy, saved[1])), "sign"),
    ("layer_norm", layer_norm(), layer_norm_backward(False), "taken for constants"),
    ("embedding", embedding, embedding_backward(False), "overwrite one another"),
    ("div", lambda a, b: (a/b, (a, b)),
     lambda dy, saved: (summed_to(-dy*saved[0]/saved[1]**2, saved[1]), summed_to(dy/saved[1], saved[0])),
     "wrong order"),
    # NaN that gets lost
    ("relu", lambda x: np.fmax(x, 0), None,
     r"NaN gets lost: where x\[.*\] is NaN, y\[.*\] is 0, and NaN is right.*np.maximum keeps it"),
    ("relu", lambda x: np.where(x > 0, x, 0).astype(x.dtype), None, "gets lost.*A comparison with NaN is false"),
    ("relu", lambda x: (relu(x), relu(x)), lambda dy, y: (np.nan_to_num(dy)*(y > 0),),
     "gets lost: where dy.* is NaN, the gradient of x.*np.nan_to_num leaves NaN out"),
    ("max_pool2d", max_pool(-np.inf, larger=np.greater), None, "NaN gets lost: where x"),
    ("softmax", lambda x, *, dim: np.nan_to_num(stable(x, dim=dim)[0], nan=0.0), None, "NaN gets lost"),
    ("sum", lambda x, *, dim, keepdim: np.nansum(x, axis=dim, keepdims=keepdim), None, "np.nansum leaves NaN out"),
    ("amax", lambda x, *, dim, keepdim: np.fmax.reduce(x, axis=dim, keepdims=keepdim), None, "NaN gets lost"),
    ("hardtanh", lambda x, *, low, high: np.fmin(np.fmax(x, low), high), None, "NaN gets lost.*np.minimum keeps it"),
    ("sigmoid", lambda x: (sigmoid(x), np.nan_to_num(sigmoid(x))), lambda dy, y: (dy*y*(1 - y),),
     "gets lost: where x.* is NaN, the gradient of x"),
    ("linear", lambda x, w, b: linear(x, np.nan_to_num(w), b)[0], None, "NaN gets lost: where (w|weight)"),
    # what is no number
    ("relu", lambda x: np.maximum(x, 0, out=x), None, "overwrites its input x"),
    ("clone", lambda x: x, None, "aliases its input"),
    ("relu", relu_in_a_scratch_array, None, "not thread safe"),
    ("relu", relu_that_adds_up, None, "state is kept.*adds"),
    ("relu", relu_into_one_array(), None, "a later call writes into the result"),
    ("relu", lambda x: np.maximum(x, np.zeros(x.shape)), None, "wrong dtype"),
    ("relu", lambda x: None, None, "None"),
    ("relu", lambda x: [[1.0]], None, "a list"),
    ("softmax", lambda x: x, None, r"Write: def forward\(x, \*, dim\)"),
    ("softmax", stable, lambda dy, saved, *, dim: softmax_backward(dy, saved, dim=dim)[0], "tuple with one gradient"),
    ("relu", lambda x: np.lib.stride_tricks.as_strided(np.maximum(x, 0) if x.ndim else np.abs(x)*(x > 0), x.shape) if
     x.flags.c_contiguous else relu(np.lib.stride_tricks.as_strided(x, x.shape, np.empty_like(x, order="C").strides)
                                    if x.ndim else x), None, "strides"),
]
