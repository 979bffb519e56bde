"""The gradients of ops as functions of tensors, for grad(..., create_graph=True).

Two tables of formulas by name of the op; autograd/twice.py says how they are used. A linear op
needs no formula, because its record's `linear_in` tells that it is linear. RULES names those that
multiply two inputs (`products`), and those whose record does not say it (`linear`).

A slope gets dy and what forward saved: the inputs in their order, or the result (RESULTS). A
composition gets the inputs. At a jump, a slope's own slope is 0, as elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..autograd.twice import Rules, Transposed, Zero
from ..errors import GraphError
from ..op import OPS
from ..reference import cross_entropy as labels
from ..reference import losses
from ..tensor import Tensor
from .activation import logsigmoid, sigmoid, softplus, tanh
from .arithmetic import add, maximum
from .clone import to
from .elementary import abs, cos, erf, exp, log, log1p, pow, reciprocal, rsqrt, sin, square
from .indexing import index_select, masked_fill, where
from .join import stack
from .matmul import matmul
from .permute import transpose
from .reduce import mean, sum
from .repeat import expand
from .shape import reshape
from .softmax import log_softmax, softmax
from .special import erfcx, i0, i0e, polygamma
from .special import i1 as i1_of
from .special import i1e as i1e_of
from .transcendental import cosh, digamma, sinh

__all__: list[str] = []


# ---- what the tables share -----------------------------------------------------------------------
def data(operand: Any) -> Any:
    """The array of a tensor; a number as it is."""
    return operand._data if isinstance(operand, Tensor) else operand


def constant(a: Any) -> Tensor:
    return Tensor(np.asarray(a))


def sum_to(dy: Tensor, operand: Any) -> Tensor | None:
    """The gradient of an operand that was broadcast: the sum over its repetitions."""
    if not isinstance(operand, Tensor | tuple):
        return None                                     # a number
    shape = operand if isinstance(operand, tuple) else operand.shape
    lead = dy.ndim - len(shape)
    axes = (*range(lead), *[lead + i for i, n in enumerate(shape) if n == 1 and dy.shape[lead + i] != 1])
    return reshape(sum(dy, axes, True), shape) if axes else dy


def only(condition: Any, dy: Any, other: Any = 0.0) -> Tensor:
    """dy where the array `condition` is true, else `other`."""
    return where(constant(condition), dy, other)


def over(dy: Tensor, shape: tuple[int, ...], dim: tuple[int, ...]) -> Tensor:
    """dy in the shape that was reduced along the axes `dim`."""
    return expand(reshape(dy, [1 if d in dim else n for d, n in enumerate(shape)]), shape)


def at(dy: Tensor, index: np.ndarray, dim: int, shape: tuple[int, ...]) -> Tensor:
    """Zeros of `shape`, to which dy is added at these positions along `dim`: gather, transposed."""
    values = [Zero(shape, dy.dtype), index]
    dx = Transposed(OPS["gather"], {"dim": dim}, values, (), False).of([dy], values)[0]
    assert dx is not None
    return dx


def times(x: Tensor, w: Tensor) -> Tensor:
    """x w, and 0 where w is 0: also where x is infinite."""
    return only(w._data == 0, 0.0, x * w)


# ---- slopes --------------------------------------------------------------------------------------
def div(dy: Tensor, a: Any, b: Any, y: Any = None) -> Any:
    da = dy / b
    return sum_to(da, a), sum_to(-da * (a / b if y is None else y), b)


def extremes(dy: Tensor, a: Any, b: Any, largest: bool) -> Any:
    """Of maximum and minimum: equals share."""
    more, less = (data(a), data(b)) if largest else (data(b), data(a))
    half = only(data(a) == data(b), dy * 0.5, dy)
    return sum_to(only(more < less, 0.0, half), a), sum_to(only(more > less, 0.0, half), b)


def pow_tensor(dy: Tensor, a: Any, b: Any, y: Any = None) -> Any:
    da = db = None
    if isinstance(a, Tensor):
        flat = data(b) == 0             # there a^(b - 1), which is infinite at 0, must not be asked
        da = sum_to(dy * only(flat, 0.0, b * a**only(flat, 0.0, b - 1)), a)
    if isinstance(b, Tensor):
        base = a if isinstance(a, Tensor) else constant(np.asarray(a, b.dtype))
        db = sum_to(dy * (a**b) * log(only(base._data == 0, 1.0, base)), b)
    return da, db


def power(dy: Tensor, x: Tensor, *, exponent: float) -> Tensor:
    return dy * 0.0 if exponent == 0 else dy * exponent * pow(x, exponent - 1)


def clamp_between(dy: Tensor, x: Tensor, low: Any, high: Any) -> Any:
    y = data(x) if low is None else np.maximum(data(x), data(low))
    from_high = np.zeros(dy.shape, bool) if high is None else ~(y <= data(high))
    from_low = np.zeros(dy.shape, bool) if low is None else ~(data(x) >= data(low)) & ~from_high
    return (sum_to(only(from_low | from_high, 0.0, dy), x), sum_to(only(from_low, dy), low),
            sum_to(only(from_high, dy), high))


def elu(dy: Tensor, x: Tensor, *, alpha: float, scale: float) -> Tensor:
    below = data(x) <= 0
    return dy * only(below, scale * alpha * exp(only(below, x)), scale)


def normal_density(x: Tensor) -> Tensor:
    return exp(square(x) * -0.5) / math.sqrt(2 * math.pi)


def gelu(dy: Tensor, x: Tensor) -> Tensor:
    Phi = 0.5 * (1 + erf(x / math.sqrt(2)))
    return dy * (Phi + times(x, normal_density(x)))


def soft_plus(dy: Tensor, x: Tensor, *, beta: float, threshold: float) -> Tensor:
    return dy * only(beta * data(x) > threshold, 1.0, sigmoid(beta * x))


def hardswish(dy: Tensor, x: Tensor) -> Tensor:
    return dy * only(data(x) <= -3, 0.0, only(data(x) < 3, (2 * x + 3) / 6, 1.0))


def logit(dy: Tensor, x: Tensor, *, eps: float | None) -> Tensor:
    low, high = (0, 1) if eps is None else (eps, 1 - eps)
    return only((data(x) < low) | (data(x) > high), math.nan if eps is None else 0.0, dy / (x * (1 - x)))


def atan2(dy: Tensor, a: Tensor, b: Tensor) -> Any:
    over_square = dy / (square(a) + square(b))
    return sum_to(over_square * b, a), sum_to(-over_square * a, b)


def frexp(dy: Any, x: Tensor) -> Tensor:
    return only(np.isinf(data(x)), 0.0, dy[0] * constant(np.ldexp(x.dtype.type(1), -np.frexp(data(x))[1])))


def log_ndtr(dy: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return dy * math.sqrt(2 / math.pi) * reciprocal(erfcx(x * -math.sqrt(0.5)))


def i1(dy: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """i0 - i1 / x, where x is 0 as a series: the slope of a half x is not lost."""
    at_0 = data(x) == 0
    return dy * only(at_0, 0.5 + square(x) * (3 / 16), i0(x) - y / only(at_0, 1.0, x))


def i1e(dy: Tensor, x: Tensor, y: Tensor) -> Tensor:
    at_0 = data(x) == 0
    part = y / only(at_0, 1.0, x)
    return dy * only(at_0, 0.5, i0e(x) - y * constant(np.sign(data(x))) - part)


def softmax_slope(dy: Tensor, y: Tensor, *, dim: int) -> Tensor:
    return y * (dy - sum(dy * y, dim, True))


def log_softmax_slope(dy: Tensor, y: Tensor, *, dim: int) -> Tensor:
    return dy - exp(y) * sum(dy, dim, True)


def logsumexp(dy: Tensor, x: Tensor, y: Tensor, *, dim: Any, keepdim: bool) -> Tensor:
    return over(dy, x.shape, dim) * exp(x - over(y, x.shape, dim))


def norm(dy: Tensor, x: Tensor, y: Tensor, *, p: float, dim: Any, keepdim: bool) -> Tensor:
    """y^p = sum |x|^p, so the slope is sign(x) (|x| / y)^(p - 1); 0 where x or y is 0."""
    if p == 1:
        return over(dy, x.shape, dim) * constant(np.sign(data(x)))
    whole = over(y, x.shape, dim)
    share = x / only(data(whole) == 0, 1.0, whole)
    if p != 2:
        size = abs(share)
        share = constant(np.sign(data(x))) * only(data(size) == 0, 0.0, only(data(size) == 0, 1.0, size)**(p - 1))
    return over(dy, x.shape, dim) * share


def equal_shares(dy: Tensor, x: Tensor, y: Any, *, dim: Any, keepdim: bool) -> Tensor:
    """Of amax and amin: all that are equal share."""
    best = np.asarray(data(y)).reshape([1 if d in dim else n for d, n in enumerate(x.shape)])
    same = (data(x) == best) | (np.isnan(data(x)) & np.isnan(best))
    return only(same, over(dy, x.shape, dim) / constant(same.sum(dim, keepdims=True).astype(dy.dtype)))


def picked(dy: Any, x: Any, index: np.ndarray, *, dim: int, keepdim: bool) -> Tensor:
    """Of max and min with positions: (values, indices) were returned."""
    shape = x if isinstance(x, tuple) else x.shape
    kept = [1 if d == dim else n for d, n in enumerate(shape)]
    return at(reshape(dy[0], kept), np.asarray(index).reshape(kept), dim, shape)


def segments(dy: Tensor, starts: np.ndarray, x: Any, y: Tensor, *, mode: str) -> Any:
    """Each row has the gradient of its bag; of a maximum the first of the largest alone."""
    rows = x[0] if isinstance(x, tuple) else x.shape[0]
    bag = np.append(np.repeat(np.arange(len(starts) - 1), np.diff(starts)), np.zeros(rows - starts[-1], np.int64))
    counts = (np.arange(rows) < starts[-1])[:, None] if len(starts) > 1 else np.zeros((rows, 1), bool)
    spread = index_select(dy, 0, constant(bag)) if dy.shape[0] else Zero((rows, dy.shape[1]), dy.dtype)
    if mode == "max" and rows:
        largest = counts & ((data(x) == data(y)[bag]) | np.isnan(data(x)))
        first = np.full(y.shape, rows)
        np.minimum.at(first, bag, np.where(largest, np.arange(rows)[:, None], rows))
        counts = largest & (first[bag] == np.arange(rows)[:, None])
    return only(counts, spread), None


def max_pool(dy: Any, which: np.ndarray, size: Any, geometry: Any = None, **attrs: Any) -> Tensor:
    """forward was  y[n, c, p, q] = x[n, c, place]. The kernels keep the tap of a window (uint8),
    from which the place follows.
    """
    dy = dy[0] if isinstance(dy, tuple) else dy
    place = np.asarray(which, np.int64)
    if which.dtype == np.uint8:
        (_, S), (sh, sw), (ph, pw), (dh, dw) = geometry
        r, s = np.divmod(place, S)
        i = np.arange(place.shape[2])[:, None] * sh - ph + r * dh
        j = np.arange(place.shape[3]) * sw - pw + s * dw
        place = np.where(which == np.iinfo(np.uint8).max, -1, i * size[1] + j)
    N, C = dy.shape[:2]
    windows = place.shape[2] * place.shape[3]
    dy, place = reshape(only(place >= 0, dy), N, C, windows), np.maximum(place, 0).reshape(N, C, windows)
    return reshape(at(dy, place, 2, (N, C, size[0] * size[1])), N, C, *size)


def after_relu(op: str) -> Any:
    """The gradient of op and relu in one: relu's, and then the op's, which is linear."""
    def slope(dy: Tensor, x: Tensor, w: Tensor, b: Any, y: Tensor, **attrs: Any) -> Any:
        dz = only(data(y) > 0, dy)
        values = [x, w, Zero((w.shape[0],), w.dtype) if b is not False and b is not None else None]
        return tuple(Transposed(OPS[op], attrs, values, (0, 1), False).of([dz], values))
    return slope


def batch_norm_inference(relu: bool) -> Any:
    def slope(dy: Tensor, x: Tensor, mean: Tensor, rstd: Tensor, weight: Any, bias: Any, *, eps: float) -> Any:
        shape, axes = (1, -1, *[1] * (x.ndim - 2)), (0, *range(2, x.ndim))
        scale = reshape(rstd, shape)
        # mean has two columns: the second holds what the first has lost in rounding
        xhat = (x - reshape(sum(mean, 1), shape)) * scale
        if relu:
            dy = only(data(scaled(xhat, weight, bias, shape)) > 0, dy)
        dx = dy * scale if weight is None else dy * scale * reshape(weight, shape)
        return dx, None, None, sum(dy * xhat, axes), sum(dy, axes)
    return slope


# ---- compositions --------------------------------------------------------------------------------
def sinc(x: Tensor) -> Tensor:
    z = only(data(x) == 0, 1.0, x) * math.pi
    return only(data(x) == 0, 1.0, sin(z) / z)


def silu(x: Tensor) -> Tensor:
    return times(x, sigmoid(x))


def gelu_tanh(x: Tensor) -> Tensor:
    return times(x, sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def mish(x: Tensor) -> Tensor:
    return times(x, tanh(softplus(x)))


def var(x: Tensor, *, dim: Any, keepdim: bool, correction: float) -> Tensor:
    count = math.prod([x.shape[d] for d in dim])
    return sum(square(x - mean(x, dim, True)), dim, keepdim) / float(max(count - correction, 0))


def std(x: Tensor, *, dim: Any, keepdim: bool, correction: float) -> Tensor:
    return var(x, dim=dim, keepdim=keepdim, correction=correction)**0.5


def standardised(x: Tensor, dim: tuple[int, ...], eps: float, centred: bool = True) -> Tensor:
    d = x - mean(x, dim, True) if centred else x
    return d * rsqrt(mean(square(d), dim, True) + eps)


def scaled(xhat: Tensor, weight: Any, bias: Any, shape: Any = None) -> Tensor:
    for operand, combine in ((weight, Tensor.__mul__), (bias, Tensor.__add__)):
        if operand is not None:
            xhat = combine(xhat, operand if shape is None else reshape(operand, shape))
    return xhat


def layer_norm(x: Tensor, weight: Any, bias: Any, *, normalized_shape: Any, eps: float) -> Tensor:
    return scaled(standardised(x, tuple(range(x.ndim - len(normalized_shape), x.ndim)), eps), weight, bias)


def rms_norm(x: Tensor, weight: Any, *, normalized_shape: Any, eps: float) -> Tensor:
    return scaled(standardised(x, tuple(range(x.ndim - len(normalized_shape), x.ndim)), eps, False), weight, None)


def group_norm(x: Tensor, weight: Any, bias: Any, *, num_groups: int, eps: float) -> Tensor:
    groups = reshape(x, x.shape[0], num_groups, math.prod(x.shape[1:]) // num_groups)
    return scaled(reshape(standardised(groups, (2,), eps), x.shape), weight, bias, (1, -1, *[1] * (x.ndim - 2)))


def batch_norm(x: Tensor, weight: Any, bias: Any, *, eps: float) -> Any:
    axes = (0, *range(2, x.ndim))
    y = scaled(standardised(x, axes, eps), weight, bias, (1, -1, *[1] * (x.ndim - 2)))
    return y, mean(x, axes), var(x, dim=axes, keepdim=False, correction=0)


def batch_norm_relu(x: Tensor, weight: Any, bias: Any, *, eps: float) -> Any:
    y, *statistics = batch_norm(x, weight, bias, eps=eps)
    return only(data(y) > 0, y), *statistics


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Any = None, *, is_causal: bool = False, scale: float = 1.0,
              dropout_p: float = 0.0, key: int = 0, call: int = 0) -> Tensor:
    if dropout_p:
        raise GraphError("the gradient of attention with dropout cannot be differentiated again",
                         who="scaled_dot_product_attention", hint="Call it in eval mode, or with dropout_p=0.")
    scores = matmul(q, transpose(k, -1, -2)) * scale
    hidden = np.zeros(scores.shape, bool)
    if mask is not None and data(mask).dtype == bool:
        hidden = hidden | ~data(mask)
    elif mask is not None:
        hidden = hidden | (data(mask) == -math.inf)
        scores = scores + only(data(mask) == -math.inf, 0.0, mask)
    if is_causal:
        hidden = hidden | (np.tri(hidden.shape[-2], hidden.shape[-1]) == 0)
    # a query that sees no key has the weights 0
    some = ~hidden.all(-1, keepdims=True)
    weights = softmax(masked_fill(scores, constant(hidden & some), -math.inf), -1)
    return matmul(only(hidden, 0.0, weights), v)


def reduced(loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of the elements' losses, or all of them."""
    return loss if reduction == "none" else sum(loss) / float(losses.divisor(data(loss), reduction))


def weighed(weight: Any, loss: Tensor) -> Tensor:
    return loss if weight is None else only(data(weight) == 0, 0.0, loss * weight)


def mse_loss(x: Tensor, target: Tensor, *unused: Any, reduction: str = "mean") -> Tensor:
    return reduced(square(x - target), reduction)


def l1_loss(x: Tensor, target: Tensor, *unused: Any, reduction: str = "mean") -> Tensor:
    return reduced(abs(x - target), reduction)


def smooth_l1_loss(x: Tensor, target: Tensor, *unused: Any, reduction: str = "mean", beta: float = 1.0) -> Tensor:
    d = x - target
    size = abs(d)
    return reduced(size if beta == 0 else only(data(size) < beta, square(d) / (2 * beta), size - beta / 2), reduction)


def huber_loss(x: Tensor, target: Tensor, *unused: Any, reduction: str = "mean", delta: float = 1.0) -> Tensor:
    d = x - target
    size = abs(d)
    return reduced(only(data(size) <= delta, square(d) / 2, delta * (size - delta / 2)), reduction)


def binary_cross_entropy(x: Tensor, target: Tensor, weight: Any = None, *unused: Any,
                         reduction: str = "mean") -> Tensor:
    yes, no = maximum(log(x), -100.0), maximum(log1p(-x), -100.0)
    return reduced(-weighed(weight, target * yes + (1 - target) * no), reduction)


def binary_cross_entropy_with_logits(x: Tensor, target: Tensor, weight: Any = None, pos_weight: Any = None,
                                     *unused: Any, reduction: str = "mean") -> Tensor:
    yes = target if pos_weight is None else target * pos_weight
    return reduced(-weighed(weight, yes * logsigmoid(x) + (1 - target) * logsigmoid(-x)), reduction)


def kl_div(x: Tensor, target: Tensor, *unused: Any, reduction: str = "mean", log_target: bool = False) -> Tensor:
    if log_target:
        return reduced(exp(target) * (target - x), reduction)
    return reduced(target * (log(only(data(target) == 0, 1.0, target)) - x), reduction)


def cross_entropy(x: Tensor, target: Any, weight: Any = None, *unused: Any, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Tensor:
    axis = labels.class_axis(data(x))
    return from_logs(log_softmax(x, axis), target, weight, ignore_index, reduction, label_smoothing)


def from_logs(z: Tensor, target: Any, weight: Any, ignore_index: int, reduction: str, smoothing: float) -> Tensor:
    """- sum_c a_c z_c at each position: see reference/cross_entropy.py."""
    axis, w = labels.class_axis(data(z)), data(weight)
    a, divisors = labels.coefficients(data(z), data(target), w, ignore_index, smoothing)
    if isinstance(target, Tensor) and target.dtype.kind == "f":
        coefficients = ((1 - smoothing) * target + smoothing / z.shape[axis]) * Tensor(labels.along_classes(w, data(z)))
    else:
        coefficients = constant(a)
    loss = -sum(only(a == 0, 0.0, coefficients * z) if smoothing == 0 else coefficients * z, axis)
    return labels_reduced(loss, divisors, reduction)


def labels_reduced(loss: Tensor, divisors: np.ndarray, reduction: str) -> Tensor:
    return loss if reduction == "none" else sum(loss) / (float(divisors.sum()) if reduction == "mean" else 1.0)


def nll_loss(z: Tensor, target: Any, weight: Any = None, *, ignore_index: int = -100,
             reduction: str = "mean") -> Tensor:
    return from_logs(z, target, weight, ignore_index, reduction, 0.0)


# ---- the tables ----------------------------------------------------------------------------------
SLOPES: dict[str, Callable[..., Any]] = {
    "div": div,
    "maximum": lambda dy, a, b: extremes(dy, a, b, True),
    "minimum": lambda dy, a, b: extremes(dy, a, b, False),
    "pow_tensor": pow_tensor,
    "remainder": lambda dy, a, b: (sum_to(dy, a), sum_to(-dy * constant(np.floor_divide(data(a), data(b))), b)),
    "abs": lambda dy, x: dy * constant(np.sign(data(x))),
    "exp": lambda dy, y: dy * y,
    "expm1": lambda dy, y: dy * (y + 1),
    "log": lambda dy, x: dy / x,
    "log2": lambda dy, x: dy / (x * math.log(2)),
    "log10": lambda dy, x: dy / (x * math.log(10)),
    "log1p": lambda dy, x: dy / (x + 1),
    "erf": lambda dy, x: dy * (2 / math.sqrt(math.pi)) * exp(-square(x)),
    "sqrt": lambda dy, y: dy / (2 * y),
    "sin": lambda dy, x: dy * cos(x),
    "cos": lambda dy, x: -dy * sin(x),
    "tan": lambda dy, x, y: dy * (1 + square(y)),
    "asin": lambda dy, x, y: dy * rsqrt((1 - x) * (1 + x)),
    "acos": lambda dy, x, y: -dy * rsqrt((1 - x) * (1 + x)),
    "atan": lambda dy, x, y: dy / (1 + square(x)),
    "sinh": lambda dy, x, y: dy * cosh(x),
    "cosh": lambda dy, x, y: dy * sinh(x),
    "asinh": lambda dy, x, y: dy * rsqrt(square(x) + 1),
    "acosh": lambda dy, x, y: dy * rsqrt((x - 1) * (x + 1)),
    "atanh": lambda dy, x, y: dy / ((1 - x) * (1 + x)),
    "exp2": lambda dy, x, y: dy * y * math.log(2),
    "erfc": lambda dy, x, y: dy * (-2 / math.sqrt(math.pi)) * exp(-square(x)),
    "erfinv": lambda dy, x, y: dy * (math.sqrt(math.pi) / 2) * exp(square(y)),
    "lgamma": lambda dy, x, y: dy * digamma(x),
    "digamma": lambda dy, x, y: dy * polygamma(1, x),
    "polygamma": lambda dy, x, *, n: dy * polygamma(n + 1, x),
    "i0": lambda dy, x, y: dy * i1_of(x),
    "i1": i1,
    "i0e": lambda dy, x, y: dy * (i1e_of(x) - y * constant(np.sign(data(x)))),
    "i1e": i1e,
    "erfcx": lambda dy, x, y: dy * (2 * x * y - 2 / math.sqrt(math.pi)),
    "log_ndtr": log_ndtr,
    "ndtri": lambda dy, x, y: dy * math.sqrt(2 * math.pi) * exp(square(y) * 0.5),
    "entr": lambda dy, x, y: -dy * (1 + log(x)),
    "frexp": frexp,
    "logit": logit,
    "atan2": atan2,
    "hypot": lambda dy, a, b, y: (sum_to(dy * a / y, a), sum_to(dy * b / y, b)),
    "xlogy": lambda dy, a, b: (sum_to(dy * log(b), a), sum_to(dy * a / b, b)),
    "xlog1py": lambda dy, a, b: (sum_to(dy * log1p(b), a), sum_to(dy * a / (1 + b), b)),
    "fmod": lambda dy, a, b: (sum_to(dy, a), sum_to(-dy * constant(np.trunc(data(a) / data(b))), b)),
    "pow": power,
    "clamp": lambda dy, x, *, low, high: only((data(x) >= low) & (data(x) <= high), dy),
    "clamp_between": clamp_between,
    "relu": lambda dy, y: only(~(data(y) <= 0), dy),
    "leaky_relu": lambda dy, x, *, slope: only(data(x) > 0, dy, slope * dy),
    "elu": elu,
    "sigmoid": lambda dy, y: dy * y * (1 - y),
    "tanh": lambda dy, y: dy * (1 - y * y),
    "gelu": gelu,
    "softplus": soft_plus,
    "logsigmoid": lambda dy, x: dy * sigmoid(-x),
    "softsign": lambda dy, x: dy / square(1 + abs(x)),
    "hardtanh": lambda dy, x, *, low, high: only((data(x) > low) & (data(x) < high), dy),
    "hardsigmoid": lambda dy, x: only((data(x) > -3) & (data(x) < 3), dy / 6),
    "hardswish": hardswish,
    "hardshrink": lambda dy, x, *, lambd: only(np.abs(data(x)) <= lambd, 0.0, dy),
    "softshrink": lambda dy, x, *, lambd: only(np.abs(data(x)) <= lambd, 0.0, dy),
    "threshold": lambda dy, x, *, threshold, value: only(data(x) <= threshold, 0.0, dy),
    "softmax": softmax_slope,
    "log_softmax": log_softmax_slope,
    "logsumexp": logsumexp,
    "norm": norm,
    "amax": equal_shares,
    "amin": equal_shares,
    "max": picked,
    "min": picked,
    "segments": segments,
    "max_pool2d": max_pool,
    "adaptive_max_pool2d": max_pool,
    "conv2d_relu": after_relu("conv2d"),
    "linear_relu": after_relu("linear"),
    "batch_norm_inference": batch_norm_inference(False),
    "batch_norm_inference_relu": batch_norm_inference(True),
}

# Where results stand in what forward saved: place -> which output
FIRST, SECOND, FOURTH = {0: 0}, {1: 0}, {3: 0}
RESULTS = {name: FIRST for name in ("exp", "expm1", "sqrt", "relu", "sigmoid", "tanh", "softmax", "log_softmax")}
RESULTS |= {name: SECOND for name in ("tan", "exp2", "erfinv", "i1", "i0e", "i1e", "erfcx", "ndtri")}
RESULTS |= {"hypot": {2: 0}, "segments": {2: 0}}
RESULTS |= {"logsumexp": SECOND, "norm": SECOND, "conv2d_relu": FOURTH, "linear_relu": FOURTH, "div": {2: 0}}

# Where inputs stand, if not at their own places: slot i of `saved` is this input
INPUTS = {name: {0: 0, 3: 1, 4: 2} for name in ("layer_norm", "rms_norm", "group_norm", "batch_norm",
                                                "batch_norm_relu")}
INPUTS |= {name: {0: 1} for name in ("put", "scatter", "scatter_value", "scatter_add", "index_add",
                                         "index_copy")}

COMPOSED: dict[str, Callable[..., Any]] = {
    "sinc": sinc, "silu": silu, "gelu_tanh": gelu_tanh, "mish": mish, "var": var, "std": std,
    "layer_norm": layer_norm, "rms_norm": rms_norm, "group_norm": group_norm, "batch_norm": batch_norm,
    "batch_norm_relu": batch_norm_relu, "scaled_dot_product_attention": attention,
    "mse_loss": mse_loss, "l1_loss": l1_loss, "smooth_l1_loss": smooth_l1_loss, "huber_loss": huber_loss,
    "binary_cross_entropy": binary_cross_entropy, "kl_div": kl_div,
    "binary_cross_entropy_with_logits": binary_cross_entropy_with_logits,
    "cross_entropy": cross_entropy, "nll_loss": nll_loss,
}

RULES = Rules(
    slopes=SLOPES, composed=COMPOSED, results=RESULTS, inputs=INPUTS,
    products=frozenset({"mul", "matmul", "linear", "einsum", "conv1d", "conv2d", "conv_transpose1d",
                        "conv_transpose2d"}),
    linear=frozenset({"mean", "avg_pool2d", "adaptive_avg_pool2d", "interpolate"}),
    still={"pad": {"value": 0.0}, "masked_fill": {"value": 0.0}, "scatter_value": {"value": 0.0}},
    compiled=frozenset({"var", "std", "layer_norm", "rms_norm", "group_norm", "batch_norm", "batch_norm_relu",
                        "batch_norm_inference", "batch_norm_inference_relu", "cross_entropy", "nll_loss",
                        "conv2d_relu", "linear_relu"}),
    functions=SimpleNamespace(add=add, expand=expand, stack=stack, to=to),
)
