"""Textbook formulas that go wrong, op by op: what mistakes.py cannot make of the definition by
changing a call or a result.

Each is (what, forward, backward or None, noisy), with the signatures of the definition. A backward
stands with the right forward of the definition, whose `saved` it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..op import OPS

__all__ = ["formulas_of"]

Formula = tuple[str, Callable[..., Any], Any, bool]
OVERFLOW = "it takes exp of x as it is, which overflows: subtract the largest x first"
CANCELS = "the variance is mean(x^2) - mean(x)^2, which loses its digits where the mean is large"


def formulas_of(name: str) -> list[Formula]:
    """The formulas for an op of this name.

    >>> [what for what, *_ in formulas_of("log_softmax")][0]
    'it takes exp of x as it is, which overflows: subtract the largest x first'
    """
    return [formula for names, make in TABLE if name in names for formula in make(name)]


def forward_only(what: str, function: Callable[..., Any], noisy: bool = False) -> Formula:
    return what, lambda *xs, **attrs: (function(*xs, **attrs), ()), None, noisy


def backward_only(name: str, what: str, function: Callable[..., Any]) -> Formula:
    return what, OPS[name].ref_forward, function, False


# ---- softmax and what is built on it -------------------------------------------------------------
def exp_share(x: Any, axis: Any) -> Any:
    e = np.exp(x)
    return e/e.sum(axis=axis, keepdims=True)


def softmax(name: str) -> list[Formula]:
    return [
        forward_only(OVERFLOW, lambda x, *, dim: exp_share(x, dim)),
        forward_only("exp(x) is not divided by its sum", lambda x, *, dim: np.exp(x)),
        forward_only("exp(x - max) is not divided by its sum",
                     lambda x, *, dim: np.exp(x - x.max(axis=dim, keepdims=True))),
        forward_only("the sum runs over all elements, and not along dim alone",
                     lambda x, *, dim: exp_share(x - x.max(), None)),
        backward_only(name, "only the diagonal y (1 - y) of the derivative is there: the other y_k of a row act too",
                      lambda dy, saved, *, dim: (dy*saved[0]*(1 - saved[0]),)),
        backward_only(name, "only y dy is there: y sum(dy y) is not subtracted",
                      lambda dy, saved, *, dim: (dy*saved[0],)),
    ]


def log_softmax(name: str) -> list[Formula]:
    return [
        forward_only(OVERFLOW, lambda x, *, dim: x - np.log(np.exp(x).sum(axis=dim, keepdims=True))),
        forward_only(OVERFLOW, lambda x, *, dim: np.log(exp_share(x, dim))),
        forward_only("it takes log of a softmax, which has rounded to 0: write x - max - log(sum(exp(x - max)))",
                     lambda x, *, dim: np.log(exp_share(x - x.max(axis=dim, keepdims=True), dim))),
        backward_only(name, "softmax(x) sum(dy) is not subtracted", lambda dy, saved, *, dim: (dy,)),
        backward_only(name, "dy is not summed up along dim: it should be dy - softmax(x) sum(dy)",
                      lambda dy, saved, *, dim: (dy - np.exp(saved[0])*dy,)),
    ]


def logsumexp(name: str) -> list[Formula]:
    return [
        forward_only(OVERFLOW, lambda x, *, dim, keepdim: np.log(np.exp(x).sum(axis=dim, keepdims=keepdim))),
        forward_only("the largest x, which was subtracted, is not added again", lambda x, *, dim, keepdim: np.log(
            np.exp(x - x.max(axis=dim, keepdims=True)).sum(axis=dim, keepdims=keepdim))),
    ]


def cross_entropy(name: str) -> list[Formula]:
    ref = OPS[name].ref_forward

    def on(function: Callable[[Any, int], Any]) -> Callable[..., Any]:
        """The loss of a function of x that ought to be log softmax."""
        def made(x: Any, target: Any, weight: Any = None, *, reduction: str = "mean", **attrs: Any) -> Any:
            a, divisor = (ref(x, target, weight, reduction=reduction, **attrs)[1][i] for i in (1, 4))
            axis = 1 if x.ndim > 1 else 0
            each = -np.where(a == 0, 0, a*function(x, axis)).sum(axis=axis)
            return each if reduction == "none" else np.asarray(each.sum()/divisor)
        return made

    def by_count(x: Any, target: Any, weight: Any = None, *, reduction: str = "mean", **attrs: Any) -> Any:
        each = ref(x, target, weight, reduction="none", **attrs)[0]
        return each if reduction == "none" else np.asarray(each.mean() if reduction == "mean" else each.sum())

    return [
        forward_only("x is taken for log-probabilities: log softmax is missing", on(lambda x, axis: x)),
        forward_only("softmax is there, but its logarithm is missing",
                     on(lambda x, axis: exp_share(x - x.max(axis=axis, keepdims=True), axis))),
        forward_only(OVERFLOW, on(lambda x, axis: x - np.log(np.exp(x).sum(axis=axis, keepdims=True)))),
        forward_only(OVERFLOW, on(lambda x, axis: np.log(exp_share(x, axis)))),
        forward_only("it takes log of a softmax, which has rounded to 0: use log_softmax",
                     on(lambda x, axis: np.log(exp_share(x - x.max(axis=axis, keepdims=True), axis)))),
        forward_only("softmax is taken twice", on(lambda x, axis: OPS["log_softmax"].ref_forward(
            OPS["softmax"].ref_forward(x, dim=axis)[0], dim=axis)[0])),
        forward_only("the mean divides by the number of labels, and not by the sum of their weights", by_count),
        backward_only(name, "it is softmax(x): 1 is not subtracted at the label", _without_label),
    ]


def _without_label(dy: Any, saved: Any, **attrs: Any) -> Any:
    z, a, target, weight, divisor = saved
    axis = 1 if z.ndim > 1 else 0
    g = np.expand_dims(dy, axis) if attrs.get("reduction") == "none" else dy/divisor
    return g*np.exp(z)*a.sum(axis=axis, keepdims=True), None, None


def nll_loss(name: str) -> list[Formula]:
    ref = OPS[name].ref_forward
    return [forward_only("the mean divides by the number of labels, and not by the sum of their weights",
                         lambda x, target, weight=None, *, reduction="mean", **attrs: (
                             lambda each: each if reduction == "none" else
                             np.asarray(each.mean() if reduction == "mean" else each.sum()))(
                                 ref(x, target, weight, reduction="none", **attrs)[0]))]


# ---- attention -----------------------------------------------------------------------------------
def attention(name: str) -> list[Formula]:
    def scores(q: Any, k: Any, mask: Any, is_causal: bool, scale: float, diagonal: int, fill: float) -> Any:
        s = scale*(q @ np.swapaxes(k, -1, -2))
        allowed = np.tri(s.shape[-2], s.shape[-1], k=diagonal, dtype=bool) if is_causal else np.ones(s.shape[-2:], bool)
        if mask is not None:
            s, allowed = (s, allowed & mask) if mask.dtype == bool else (s + mask, allowed)
        return np.where(allowed, s, fill)

    def made(weigh: Callable[..., Any], diagonal: int = 0, fill: float = -np.inf) -> Callable[..., Any]:
        def function(q: Any, k: Any, v: Any, mask: Any = None, *, is_causal: bool = False, scale: float = 1.0,
                     dropout_p: float = 0.0, key: int = 0, call: int = 0) -> Any:
            if dropout_p:
                raise ValueError
            return weigh(scores(q, k, mask, is_causal, scale, diagonal, fill)) @ v
        return function

    def safe(s: Any, axis: int = -1) -> Any:
        top = s.max(axis=axis, keepdims=True)
        e = np.exp(s - np.where(np.isfinite(top), top, 0))
        total = e.sum(axis=axis, keepdims=True)
        return e/np.where(total == 0, 1, total)

    return [
        forward_only("softmax runs over the queries, and not over the keys", made(lambda s: safe(s, -2))),
        forward_only("softmax is missing", made(lambda s: np.where(np.isfinite(s), s, 0))),
        forward_only("the causal mask is off by one: a query sees the key behind its own", made(safe, 1)),
        forward_only("the causal mask is off by one: a query does not see its own key", made(safe, -1)),
        forward_only("hidden scores are made 0 before softmax, and not -inf", made(safe, 0, 0.0)),
        forward_only("a query with all its keys hidden gives NaN, and not 0", made(
            lambda s: exp_share(s - s.max(axis=-1, keepdims=True), -1))),
        forward_only("it takes exp of the scores as they are, which overflows: subtract the largest first",
                     made(lambda s: exp_share(s, -1))),
    ]


# ---- normalisation -------------------------------------------------------------------------------
def norm(name: str) -> list[Formula]:
    def axes(x: Any, attrs: dict[str, Any]) -> tuple[int, ...]:
        if "normalized_shape" in attrs:
            return tuple(range(x.ndim - len(attrs["normalized_shape"]), x.ndim))
        return (2,) if "num_groups" in attrs else (0, *range(2, x.ndim))

    def scaled(xhat: Any, weight: Any, bias: Any, attrs: dict[str, Any]) -> Any:
        if "normalized_shape" not in attrs:
            weight, bias = (None if a is None else a.reshape(-1, *[1]*(xhat.ndim - 2)) for a in (weight, bias))
        y = xhat if weight is None else xhat*weight
        y = y if bias is None else y + bias
        return np.where(y < 0, 0, y).astype(y.dtype) if name.endswith("relu") else y

    def made(standardise: Callable[[Any, Any, float], Any], where: Any = axes) -> Callable[..., Any]:
        def function(x: Any, weight: Any, bias: Any = None, **attrs: Any) -> Any:
            rows = x.reshape(x.shape[0], attrs["num_groups"], -1) if "num_groups" in attrs else x
            over = where(rows, attrs)
            y = scaled(standardise(rows, over, attrs["eps"]).reshape(x.shape), weight, bias, attrs)
            if not name.startswith("batch"):
                return y
            return y, x.mean(axes(x, attrs)), x.var(axes(x, attrs))
        return function

    def mean(x: Any, a: Any) -> Any:
        return x.mean(a, keepdims=True)

    def cancelling(x: Any, a: Any) -> Any:
        return mean(x*x, a) - mean(x, a)**2

    kinds: list[tuple[str, Callable[[Any, Any, float], Any], bool]] = [
        ("the variance divides by n - 1, and not by n",
         lambda x, a, eps: (x - mean(x, a))/np.sqrt(x.var(a, keepdims=True, ddof=1) + eps), False),
        ("eps is added to the standard deviation, and not to the variance",
         lambda x, a, eps: (x - mean(x, a))/(x.std(a, keepdims=True) + eps), False),
        ("x - mean is not divided by sqrt(var + eps)", lambda x, a, eps: x - mean(x, a), False),
        ("x - mean is divided by the variance, and not by its root",
         lambda x, a, eps: (x - mean(x, a))/(x.var(a, keepdims=True) + eps), False),
        ("the mean is not subtracted", lambda x, a, eps: x/np.sqrt(x.var(a, keepdims=True) + eps), False),
        ("it divides by the root of mean(x^2), as RMS norm does",
         lambda x, a, eps: x/np.sqrt(mean(x*x, a) + eps), False),
        (CANCELS, lambda x, a, eps: (x - mean(x, a))/np.sqrt(cancelling(x, a) + eps), True),
    ]
    if name == "rms_norm":
        kinds = [
            ("eps is added to the root, and not to the mean square",
             lambda x, a, eps: x/(np.sqrt(mean(x*x, a)) + eps), False),
            ("it divides by the mean square, and not by its root", lambda x, a, eps: x/(mean(x*x, a) + eps), False),
            ("it divides by the root of the sum of squares, and not of their mean",
             lambda x, a, eps: x/np.sqrt((x*x).sum(a, keepdims=True) + eps), False),
            ("the mean is subtracted, as in layer norm",
             lambda x, a, eps: (x - mean(x, a))/np.sqrt(x.var(a, keepdims=True) + eps), False),
        ]
    found = [forward_only(what, made(kind), noisy) for what, kind, noisy in kinds]

    def plain(x: Any, a: Any, eps: float) -> Any:
        return (x - mean(x, a))/np.sqrt(x.var(a, keepdims=True) + eps)
    for what, where in (("mean and variance are those of the whole array", lambda x, attrs: tuple(range(x.ndim))),
                        ("mean and variance run over the first axis alone", lambda x, attrs: (0,)),
                        ("mean and variance run over the last axis alone", lambda x, attrs: (x.ndim - 1,)),
                        ("each image has a mean and variance of its own, as in instance norm",
                         lambda x, attrs: tuple(range(2, x.ndim))),
                        ("mean and variance run over the channels, too, of each image, as in layer norm",
                         lambda x, attrs: tuple(range(1, x.ndim)))):
        found.append(forward_only(what, made(plain, where)))
    return found + [_norm_backward(name, what, kept) for what, kept in (
        ("mean and variance are taken for constants: x acts through them too", ()),
        ("the variance is taken for a constant: x acts through it too", ("mean",)),
        ("the mean is taken for a constant: x acts through it too", ("var",)))]


def _norm_backward(name: str, what: str, kept: tuple[str, ...]) -> Formula:
    """dx without the part that goes through the mean or the variance."""
    def backward(dy: Any, saved: Any, **attrs: Any) -> Any:
        ref = OPS[name].ref_backward
        assert ref is not None
        right = ref(dy, saved, **attrs)
        xhat, rstd, weight = saved[:3]
        d = dy[0] if isinstance(dy, tuple) else dy
        if name.endswith("relu"):
            d = np.where(saved[-1], d, 0)
        if isinstance(dy, tuple) and any(a is not None for a in dy[1:]):
            extra = ref((None, *dy[1:]), saved, **attrs)[0]
        else:
            extra = 0
        if weight is not None:
            d = d*(weight if "normalized_shape" in attrs else weight.reshape(-1, *[1]*(xhat.ndim - 2)))
        if "num_groups" in attrs:
            shape, d, xhat = xhat.shape, d.reshape(*rstd.shape[:2], -1), xhat.reshape(*rstd.shape[:2], -1)
        over = tuple(i for i in range(xhat.ndim) if rstd.shape[i] == 1 and xhat.shape[i] != 1)
        dx = d - (d.mean(over, keepdims=True) if "mean" in kept else 0)
        dx = dx - (xhat*(d*xhat).mean(over, keepdims=True) if "var" in kept else 0)
        dx = (rstd*dx).reshape(shape) if "num_groups" in attrs else rstd*dx
        return dx + extra, *right[1:]
    return backward_only(name, what, backward)


def variance(name: str) -> list[Formula]:
    def made(x: Any, *, dim: Any, keepdim: bool, correction: int) -> Any:
        n = int(np.prod([x.shape[d] for d in dim]))
        v = ((x*x).mean(dim, keepdims=keepdim) - x.mean(dim, keepdims=keepdim)**2)*(n/max(n - correction, 0))
        return np.asarray(np.sqrt(v) if name == "std" else v)
    return [forward_only(CANCELS, made, True)]


# ---- convolution and pooling ---------------------------------------------------------------------
def convolution(name: str) -> list[Formula]:
    ref = OPS[name].ref_forward

    def changed(change: Callable[[Any, Any, Any, Any], tuple[Any, Any, Any]]) -> Callable[..., Any]:
        def function(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
            return ref(*change(x, w, b, groups), stride, padding, dilation, groups)[0]
        return function

    def within(a: Any, groups: int) -> Any:
        """Channel c of group g stands where c * groups + g was: groups interleaved."""
        return a.reshape(a.shape[0], -1, groups, *a.shape[2:]).swapaxes(1, 2).reshape(a.shape)

    def first_group(x: Any, w: Any, b: Any, groups: int) -> Any:
        return np.tile(x[:, :x.shape[1]//groups], (1, groups, *[1]*(x.ndim - 2))), w, b

    def times(x: Any, w: Any, b: Any, groups: int) -> Any:
        return x, w, None if b is None else b*w.shape[1]

    def places(x: Any, w: Any, b: Any, groups: int) -> Any:
        return x, w, None if b is None else b*(w.size//w.shape[0])

    return [
        forward_only("every group reads the channels of the first", changed(first_group)),
        forward_only("the channels of the groups are interleaved", changed(lambda x, w, b, g: (within(x, g), w, b))),
        forward_only("b is added once for each channel, and not once", changed(times)),
        forward_only("b is added once for each number of the filter, and not once", changed(places)),
    ]


def max_pool(name: str) -> list[Formula]:
    ref = OPS[name].ref_forward

    def zeros(x: Any, kernel_size: Any, stride: Any, padding: Any, *rest: Any, **attrs: Any) -> Any:
        padded = np.pad(x, ((0, 0), (0, 0), *[(n, n) for n in padding]))
        if attrs.get("return_indices"):
            raise ValueError
        return ref(padded, kernel_size, stride, (0, 0), *rest, **attrs)[0]
    def shifted(x: Any, kernel_size: Any, stride: Any, padding: Any, *rest: Any, **attrs: Any) -> Any:
        if attrs.get("return_indices"):
            raise ValueError
        return ref(padded_behind(x, padding, -np.inf), kernel_size, stride, (0, 0), *rest, **attrs)[0]
    return [forward_only("the padding counts as 0, and not as -inf", zeros), forward_only(SHIFTED, shifted)]


SHIFTED = "padding is ignored: the first window begins at the first number, and not before it"


def padded_behind(x: Any, padding: Any, value: float) -> Any:
    """x with all of its padding behind the last numbers."""
    return np.pad(x, ((0, 0), (0, 0), *[(0, 2*n) for n in padding]), constant_values=value)


def avg_pool(name: str) -> list[Formula]:
    forward, backward = OPS[name].ref_forward, OPS[name].ref_backward
    assert backward is not None

    def total(x: Any, **attrs: Any) -> Any:
        return forward(x, **{**attrs, "divisor_override": 1})

    def total_backward(dy: Any, saved: Any, **attrs: Any) -> Any:
        return backward(dy, saved, **{**attrs, "divisor_override": 1})

    def shifted(x: Any, padding: Any, **attrs: Any) -> Any:
        return forward(padded_behind(x, padding, 0), padding=(0, 0), **attrs)[0]
    return [("it is the sum of the window, and not the mean", total, total_backward, False),
            forward_only(SHIFTED, shifted)]


# ---- recurrent -----------------------------------------------------------------------------------
def sigmoid(x: Any) -> Any:
    return 1/(1 + np.exp(-x))


def recurrent(name: str) -> list[Formula]:
    def cell(step: Callable[..., Any]) -> Callable[..., Any]:
        """One step, or all steps of a sequence: step(x, states, weights) -> states."""
        def function(x: Any, *rest: Any, **attrs: Any) -> Any:
            states = 2 if name.startswith("lstm") else 1
            s, weights = rest[:states], rest[states:]
            if "reverse" not in attrs:
                s = step(x, s, weights, **attrs)
                return s if states == 2 else s[0]
            y = np.zeros((x.shape[0], *s[0].shape), x.dtype)
            plain = {k: v for k, v in attrs.items() if k != "reverse"}
            for t in range(x.shape[0])[::-1 if attrs["reverse"] else 1]:
                s = step(x[t], s, weights, **plain)
                y[t] = s[0]
            return (y, *s)
        return function

    def products(x: Any, h: Any, weights: Any) -> tuple[Any, Any]:
        w_ih, w_hh, b_ih, b_hh = weights
        return x @ w_ih.T + (0 if b_ih is None else b_ih), h @ w_hh.T + (0 if b_hh is None else b_hh)

    def lstm(change: str) -> Callable[..., Any]:
        def step(x: Any, s: Any, weights: Any) -> Any:
            a, u = products(x, s[0], weights)
            i, f, g, o = np.split(a + u, 4, axis=1)
            g = sigmoid(g) if change == "g" else g if change == "plain g" else np.tanh(g)
            f = 1 - sigmoid(i) if change == "coupled" else sigmoid(f)
            c = (0 if change == "c" else f*s[1]) + sigmoid(i)*g
            return sigmoid(o)*(c if change == "tanh" else np.tanh(c)), c
        return cell(step)

    def gru(change: str) -> Callable[..., Any]:
        def step(x: Any, s: Any, weights: Any) -> Any:
            a, u = products(x, s[0], weights)
            (a_r, a_z, a_n), (u_r, u_z, u_n) = np.split(a, 3, axis=1), np.split(u, 3, axis=1)
            r, z = sigmoid(a_r + u_r), sigmoid(a_z + u_z)
            if change == "before":
                w, b = np.split(weights[1], 3)[2], None if weights[3] is None else np.split(weights[3], 3)[2]
                n = np.tanh(a_n + (r*s[0]) @ w.T + (0 if b is None else b))
            elif change == "no r":
                n = np.tanh(a_n + u_n)
            elif change == "sigmoid":
                n = sigmoid(a_n + r*u_n)
            else:
                n = np.tanh(a_n + r*u_n)
            return ((z*n + (1 - z)*s[0]) if change == "z" else (1 - z)*n + z*s[0],)
        return cell(step)

    def rnn(change: str) -> Callable[..., Any]:
        def step(x: Any, s: Any, weights: Any, relu: bool) -> Any:
            z = sum(products(x, s[0], weights))
            if change == "relu":
                relu = not relu
            other = {"none": lambda z: z, "sigmoid": sigmoid}.get(change, np.tanh)
            return (np.maximum(z, 0) if relu and change != "none" else other(z),)
        return cell(step)

    found = {
        "lstm": [("g goes through sigmoid, and not through tanh", lstm("g")), ("tanh of g is missing", lstm("plain g")),
                 ("h' = o c', and not o tanh(c')", lstm("tanh")),
                 ("f is 1 - i, and not a gate of its own", lstm("coupled")),
                 ("the cell forgets: f c is left out of c'", lstm("c"))],
        "gru": [("r is applied to h before the product with W_hn, and not behind it", gru("before")),
                ("z and 1 - z are swapped: h' = z n + (1 - z) h", gru("z")), ("r is not used", gru("no r")),
                ("n goes through sigmoid, and not through tanh", gru("sigmoid"))],
        "rnn": [("tanh is missing", rnn("none")), ("sigmoid stands in the place of tanh", rnn("sigmoid"))]}
    found_here = [forward_only(what, function) for what, function in found[name.split("_")[0]]]
    if not name.endswith("cell"):
        found_here.append(forward_only("every step starts from the first state: h is not carried on",
                                       _not_carried(name)))
    return found_here


def _not_carried(name: str) -> Callable[..., Any]:
    ref = OPS[name].ref_forward

    def function(x: Any, *rest: Any, **attrs: Any) -> Any:
        steps = [ref(x[t:t + 1], *rest, **attrs)[0] for t in range(x.shape[0])]
        return (np.concatenate([s[0] for s in steps]), *steps[0 if attrs["reverse"] else -1][1:])
    return function


# ---- running sums --------------------------------------------------------------------------------
def running(name: str) -> list[Formula]:
    total = np.cumsum if name == "cumsum" else np.cumprod

    def without_own(x: Any, *, dim: int) -> Any:
        y = np.roll(total(x, axis=dim), 1, dim) if x.ndim else np.zeros_like(x)
        y[(slice(None),)*dim + (slice(None, 1),)] = 0 if name == "cumsum" else 1
        return y
    return [forward_only("it is off by one: each place holds what comes before it, without its own number",
                         without_own),
            forward_only("it runs from the end to the beginning",
                         lambda x, *, dim: np.flip(total(np.flip(x, dim), axis=dim), dim)),
            forward_only("it gives the whole of each row in all places",
                         lambda x, *, dim: np.broadcast_to(np.take(total(x, axis=dim), [-1], axis=dim), x.shape))]


# ---- pointwise, dropout --------------------------------------------------------------------------
def dropout(name: str) -> list[Formula]:
    ref = OPS[name].ref_forward
    return [forward_only("it keeps what should be dropped, and drops the rest",
                         lambda x, *, p, **attrs: x/(1 - p) - ref(x, p=p, **attrs)[0])]


def activation(name: str) -> list[Formula]:
    found: dict[str, list[tuple[str, Callable[..., Any]]]] = {
             "gelu": [("it is the approximation x sigmoid(1.702 x)", lambda x: x*sigmoid(1.702*x))],
             "tanh": [("exp overflows: (e^x - e^-x) / (e^x + e^-x) is inf / inf where |x| is large",
                       lambda x: (np.exp(x) - np.exp(-x))/(np.exp(x) + np.exp(-x)))],
             "sigmoid": [("exp overflows: e^x / (1 + e^x) is inf / inf where x is large",
                          lambda x: np.exp(x)/(1 + np.exp(x)))],
             "softplus": [("exp overflows: log(1 + e^x) is infinite where x is large",
                           lambda x, beta, threshold: np.log(1 + np.exp(beta*x))/beta)],
             "logsigmoid": [("exp overflows: log of a sigmoid that has rounded to 0", lambda x: np.log(sigmoid(x)))],
             "silu": [("exp overflows: x e^x / (1 + e^x)", lambda x: x*np.exp(x)/(1 + np.exp(x)))],
             "mish": [("exp overflows: log(1 + e^x) is infinite where x is large",
                       lambda x: x*np.tanh(np.log(1 + np.exp(x))))],
             "expm1": [("e^x - 1 loses its digits where x is small", lambda x: np.exp(x) - 1)],
             "log1p": [("log(1 + x) loses its digits where x is small", lambda x: np.log(1 + x))],
             "remainder": [("the remainder has the sign of the dividend, as fmod in C", np.fmod)],
             "div": [("it divides whole numbers: the quotient is rounded down", np.floor_divide)]}
    return [forward_only(what, function) for what, function in found.get(name, ())]


def with_logits(name: str) -> list[Formula]:
    def made(x: Any, target: Any, weight: Any = None, pos_weight: Any = None, *, reduction: str = "mean") -> Any:
        p = sigmoid(x)
        each = -((1 if pos_weight is None else pos_weight)*target*np.log(p) + (1 - target)*np.log(1 - p))
        each = each if weight is None else each*weight
        return each if reduction == "none" else np.asarray(each.mean() if reduction == "mean" else each.sum())
    return [forward_only("it takes log of a sigmoid that has rounded to 0 or 1: write it with log(1 + e^-|x|)", made)]


TABLE: list[tuple[tuple[str, ...], Callable[[str], list[Formula]]]] = [
    (("softmax",), softmax), (("log_softmax",), log_softmax), (("logsumexp",), logsumexp),
    (("cross_entropy",), cross_entropy), (("nll_loss",), nll_loss), (("scaled_dot_product_attention",), attention),
    (("layer_norm", "rms_norm", "group_norm", "batch_norm", "batch_norm_relu"), norm), (("var", "std"), variance),
    (("conv1d", "conv2d"), convolution), (("max_pool2d",), max_pool), (("avg_pool2d",), avg_pool),
    (("cumsum", "cumprod"), running),
    (("lstm", "lstm_cell", "gru", "gru_cell", "rnn", "rnn_cell"), recurrent), (("dropout",), dropout),
    (("gelu", "tanh", "sigmoid", "softplus", "logsigmoid", "silu", "mish", "expm1", "log1p", "remainder", "div"),
     activation),
    (("binary_cross_entropy_with_logits",), with_logits)]
