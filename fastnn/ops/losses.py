"""Losses that compare an input with a target element by element.

Kernels: csrc/pointwise/loss.c. Definitions: fastnn/reference/losses.py.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import losses as reference
from ..tensor import Tensor, tensor, wrapped
from .arithmetic import div, mul
from .checks import legacy, need_constants, need_float
from .cross_entropy import check_reduction, notice_no_logarithms, notice_sigmoid
from .indexing import where
from .reduce import mean, sum

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "huber_loss", "kl_div", "l1_loss", "mse_loss",
           "smooth_l1_loss"]


def mse_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
             reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    r"""Mean squared error.

    .. math:: y = \frac1n \sum_i (x_i - t_i)^2 \qquad dx_i = \frac{2\,dy}{n} (x_i - t_i) = -dt_i

    Parameters
    ----------
    input, target : Tensor
        x and t, of one shape and one floating-point dtype. n is the number of their elements.
    reduction : "mean", "sum" or "none"
        "sum" leaves out 1/n. "none" gives one number for each element.
    size_average, reduce : bool, optional
        PyTorch's older words for the reduction: reduce=False is "none", size_average=False "sum".
    weight : Tensor of input's shape, optional
        A factor for each element; the mean is then over the sum of the weights. An element that
        weighs 0 costs nothing and has slope 0, even if its error is infinite.

    Returns
    -------
    Tensor, a number; for "none" of input's shape. As in PyTorch, the mean over no elements is NaN
    and their sum is 0.

    Raises
    ------
    ShapeError : if the shapes differ, also where they would broadcast: (N, 1) against (N,) compares
        each element with N others.
    DTypeError : if input or target is not floating point, or their dtypes differ.
    RangeError : for an unknown reduction.

    Cost: reads each element once; backward reads and writes each once.

    >>> import fastnn as nn
    >>> nn.functional.mse_loss(nn.tensor([1.0, 2.0]), nn.tensor([0.0, 4.0]))        # (1 + 4) / 2
    tensor(2.5)
    """
    reduction = reduction if size_average is reduce is None else legacy("mse_loss", size_average, reduce)
    if weight is not None:
        return weighted("mse_loss", partial(mse_loss, reduction="none"), input, target, weight, reduction)
    return apply(MSE_LOSS, input, target, reduction=reduction)


def l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
            reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    r"""Mean absolute error.

    .. math:: y = \frac1n \sum_i |x_i - t_i| \qquad
        dx_i = \frac{dy}{n} \operatorname{sign}(x_i - t_i) = -dt_i

    The slope where x = t is taken as 0. Parameters, errors and cost: as `mse_loss`.

    >>> import fastnn as nn
    >>> nn.functional.l1_loss(nn.tensor([1.0, 2.0]), nn.tensor([0.0, 4.0]))         # (1 + 2) / 2
    tensor(1.5)
    """
    reduction = reduction if size_average is reduce is None else legacy("l1_loss", size_average, reduce)
    if weight is not None:
        return weighted("l1_loss", partial(l1_loss, reduction="none"), input, target, weight, reduction)
    return apply(L1_LOSS, input, target, reduction=reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean", beta: float = 1.0) -> Tensor:
    r"""Squared error for small differences, absolute error for large ones.

    .. math::
        y = \frac1n \sum_i \begin{cases} d_i^2 / 2\beta & |d_i| < \beta \\
                                         |d_i| - \beta/2 & \text{else} \end{cases}
        \qquad d = x - t \qquad dx_i = \frac{dy}{n} \min(1, \max(-1, d_i / \beta)) = -dt_i

    Its slope is small near 0, and an outlier pulls no harder than any other large difference.
    `huber_loss` is beta times this.

    Parameters
    ----------
    input, target, reduction : as in `mse_loss`
    beta : float
        Where the parabola meets the line, in units of the input. 0 gives `l1_loss`.
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError, DTypeError : as `mse_loss`.
    RangeError : for an unknown reduction or a negative beta.

    Cost: as `mse_loss`.

    Reference: Girshick (2015), "Fast R-CNN", arXiv:1504.08083.

    >>> import fastnn as nn
    >>> nn.functional.smooth_l1_loss(nn.tensor([1.0, 4.0]), nn.tensor([0.5, 1.0]), reduction="none")
    tensor([0.125, 2.500])
    """
    reduction = reduction if size_average is reduce is None else legacy("smooth_l1_loss", size_average, reduce)
    return apply(SMOOTH_L1_LOSS, input, target, reduction=reduction, beta=float(beta))


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0,
               weight: Tensor | None = None) -> Tensor:
    r"""Huber's loss: half the squared error for small differences, a line for large ones.

    .. math::
        y = \frac1n \sum_i \begin{cases} d_i^2 / 2 & |d_i| < \delta \\
                                         \delta (|d_i| - \delta/2) & \text{else} \end{cases}
        \qquad d = x - t \qquad dx_i = \frac{dy}{n} \min(\delta, \max(-\delta, d_i)) = -dt_i

    Parameters
    ----------
    input, target, reduction : as in `mse_loss`
    delta : float
        Where the parabola meets the line, in units of the input, and the line's slope.
    weight : Tensor of input's shape, optional
        As in `mse_loss`; the mean is over the number of elements, as PyTorch's.

    Raises
    ------
    ShapeError, DTypeError : as `mse_loss`.
    RangeError : for an unknown reduction or a delta that is not above 0.

    Cost: as `mse_loss`.

    Reference: Huber (1964), "Robust estimation of a location parameter".

    >>> import fastnn as nn
    >>> x, t = nn.tensor([1.0, 4.0]), nn.tensor([0.5, 1.0])
    >>> nn.functional.huber_loss(x, t, reduction="none", delta=2.0)
    tensor([0.125, 4.000])
    """
    if weight is not None:
        each = partial(huber_loss, reduction="none", delta=delta)
        return weighted("huber_loss", each, input, target, weight, reduction, over_weights=False)
    return apply(HUBER_LOSS, input, target, reduction=reduction, delta=float(delta))


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    r"""The surprise, in nats, at yes-or-no answers t where yes was given the probability x.

    .. math::
        y = -\frac1n \sum_i w_i \big(t_i \log x_i + (1 - t_i) \log(1 - x_i)\big) \qquad
        dx_i = \frac{dy\, w_i}{n} \frac{x_i - t_i}{x_i (1 - x_i)} \qquad
        dt_i = \frac{dy\, w_i}{n} \log\frac{1 - x_i}{x_i}

    As in PyTorch, logarithms are taken as at least -100 and x (1 - x) as at least 1e-12, so that
    the probabilities 0 and 1 give finite numbers. Scores belong into
    `binary_cross_entropy_with_logits`, which loses nothing.

    Parameters
    ----------
    input, target : Tensor
        Probabilities from 0 to 1, of one shape and one floating-point dtype.
    weight : Tensor that broadcasts to input's shape, optional
        w, how much each element counts. A constant: it gets no gradient.
    reduction : as in `mse_loss`
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError, DTypeError : as `mse_loss`, also for weight.
    GraphError : if weight requires a gradient.
    RangeError : for an input or target outside 0..1, or an unknown reduction.

    Cost: two logarithms an element forward.

    >>> import fastnn as nn
    >>> p, t = nn.tensor([0.5, 0.25]), nn.tensor([1.0, 0.0])
    >>> nn.functional.binary_cross_entropy(p, t, reduction="sum")                 # log 2 + log 4/3
    tensor(0.9808)
    """
    reduction = reduction if size_average is reduce is None else legacy("binary_cross_entropy", size_average, reduce)
    if weight is not None:
        need_constants("binary_cross_entropy", weight=weight)
    return apply(BINARY_CROSS_ENTROPY, input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                     size_average: bool | None = None, reduce: bool | None = None,
                                     reduction: str = "mean", pos_weight: Tensor | None = None) -> Tensor:
    r"""binary_cross_entropy of sigmoid(input), exact for scores of any size.

    .. math::
        y = -\frac1n \sum_i w_i \big(q_i t_i \log \sigma(x_i) + (1 - t_i) \log \sigma(-x_i)\big)
        \qquad \log \sigma(x) = -\log(1 + e^{-x}) \qquad
        dx_i = \frac{dy\, w_i}{n} \big((1 - t_i)\, \sigma(x_i) - q_i t_i\, \sigma(-x_i)\big) \qquad
        dt_i = \frac{dy\, w_i}{n} \big(\log \sigma(-x_i) - q_i \log \sigma(x_i)\big)

    Parameters
    ----------
    input : Tensor
        Scores (logits) of any size, infinite ones too: an outcome that weighs nothing costs
        nothing.
    target : Tensor
        Probabilities from 0 to 1, of input's shape and dtype; an infinite one gives NaN.
    weight : Tensor that broadcasts to input's shape, optional
        w, how much each element counts. A constant: it gets no gradient.
    reduction : as in `mse_loss`
    pos_weight : Tensor that broadcasts to input's shape, optional
        q, how much a yes counts. A constant as well.
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError, DTypeError : as `mse_loss`, also for weight and pos_weight.
    GraphError : if one of these requires a gradient.
    RangeError : for an unknown reduction.

    Cost: one exp and one logarithm an element forward, one exp backward.

    >>> import fastnn as nn
    >>> x, t = nn.tensor([0.0, 1000.0]), nn.tensor([1.0, 0.0])
    >>> nn.functional.binary_cross_entropy_with_logits(x, t, reduction="none")
    tensor([6.9315e-01, 1.0000e+03])
    """
    reduction = reduction if size_average is reduce is None else legacy(
        "binary_cross_entropy_with_logits", size_average, reduce)
    if weight is not None or pos_weight is not None:
        need_constants("binary_cross_entropy_with_logits", weight=weight, pos_weight=pos_weight)
    y = apply(BINARY_CROSS_ENTROPY_WITH_LOGITS, input, target, weight, pos_weight, reduction=reduction)
    notice_sigmoid("binary_cross_entropy_with_logits", input, ", or use binary_cross_entropy")
    return y


def kl_div(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
           reduction: str = "mean", log_target: bool = False) -> Tensor:
    r"""Kullback-Leibler divergence, in nats, of a distribution from the target.

    .. math:: y = \frac1n \sum_i t_i (\log t_i - x_i) \qquad dx_i = -\frac{dy}{n} t_i \qquad
        dt_i = \frac{dy}{n} (\log t_i + 1 - x_i)

    With log_target the same for :math:`t = e^{\text{target}}`, and the gradient of target is
    :math:`t_i` times :math:`dt_i`. Where t = 0 the term is 0, whatever x is, and the slope of t
    log t is taken as 0.

    Parameters
    ----------
    input : Tensor
        x, the logarithms of the distribution's probabilities.
    target : Tensor
        t, the target's probabilities (with log_target their logarithms), of input's shape and
        dtype.
    reduction : "mean", "batchmean", "sum" or "none"
        "mean" divides by the number of elements. "batchmean" divides by the size of the first axis:
        this is the divergence itself.
    log_target : bool
        Whether target holds logarithms, too.
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError, DTypeError, RangeError : as `mse_loss`.

    Cost: one logarithm (with log_target one exp) an element forward.

    Reference: Kullback, Leibler (1951), "On information and sufficiency".

    >>> import fastnn as nn
    >>> x = nn.tensor([[0.5, 0.5]]).log()
    >>> nn.functional.kl_div(x, nn.tensor([[1.0, 0.0]]), reduction="batchmean")     # log 2
    tensor(0.6931)
    """
    reduction = reduction if size_average is reduce is None else legacy("kl_div", size_average, reduce)
    y = apply(KL_DIV, input, target, reduction=reduction, log_target=bool(log_target))
    notice_no_logarithms("kl_div", input)
    return y


# ---- checks --------------------------------------------------------------------------------------
def check_pair(who: str, x: Any, target: Any) -> None:
    """Input and target of one dtype and exactly one shape."""
    need_float(who, input=x, target=target)
    if x.shape == target.shape:
        return
    hint = ""
    try:
        together = np.broadcast_shapes(x.shape, target.shape)
    except ValueError:
        pass
    else:
        hint = (f"They would broadcast to {together}, which compares every element with many. "
                "Use .squeeze(), .unsqueeze() or .reshape() on one.")
    raise ShapeError("input and target must have the same shape", who=who, expected=x.shape, got=target.shape,
                     hint=hint)


def check_weight(who: str, name: str, x: Any, weight: Any) -> None:
    need_float(who, input=x, **{name: weight})
    try:
        fits = weight is None or np.broadcast_shapes(weight.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if weight is not None and not fits:
        raise ShapeError(who=who, expected=f"{name} that broadcasts to {x.shape}", got=weight.shape)


def check_probabilities(who: str, name: str, p: np.ndarray, hint: str) -> None:
    if p.size and not (p.min() >= 0 and p.max() <= 1):
        worst = p.min() if not p.min() >= 0 else p.max()
        raise RangeError(who=who, expected=f"every {name} from 0 to 1", got=float(worst), hint=hint)


def weighed(weight: Tensor, function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """weight function(*inputs), element by element, with a finite function(0, ...); what weighs
    nothing is 0 and has slope 0, also where the function is infinite.
    """
    y = function(*inputs)
    none = (weight._data == 0) & np.isinf(y._data)
    if none.any():                                  # before the function: its slope may be infinite
        y = function(*[where(wrapped(none), 0.0, x) for x in inputs])
    return mul(y, weight)


def weighted(who: str, function: Callable[..., Tensor], input: Tensor, target: Tensor, weight: Tensor, reduction: str,
             over_weights: bool = True) -> Tensor:
    """The losses of the elements, each times its weight, reduced. PyTorch divides by the sum of the
    weights, but of huber_loss by the number of elements.
    """
    check_reduction(who, reduction)
    check_pair(who, input._data, target._data)
    if weight.shape != input.shape:
        raise ShapeError(who=who, expected=f"weight of the input's shape {input.shape}", got=weight.shape)
    each = weighed(weight, function, input, target)
    if reduction == "none":
        return each
    if reduction == "sum":
        return sum(each)
    return div(sum(each), sum(weight)) if over_weights else mean(each)


def checker(who: str, attribute: str = "", positive: bool = True,
            reductions: tuple[str, ...] = ("none", "mean", "sum")) -> Callable[..., None]:
    """The check of a loss of (input, target), and of its one number if it has one."""
    def check(x: Any, target: Any, *, reduction: str = "mean", **attrs: Any) -> None:
        check_reduction(who, reduction, reductions)
        check_pair(who, x, target)
        value = attrs.get(attribute, 1.0)
        if attribute and not (value > 0 if positive else value >= 0):
            raise RangeError(who=who, expected=f"{attribute} {'above' if positive else 'of at least'} 0", got=value)
    return check


def check_binary_cross_entropy(x: Any, target: Any, weight: Any = None, *, reduction: str = "mean") -> None:
    who = "binary_cross_entropy"
    check_reduction(who, reduction)
    check_pair(who, x, target)
    check_weight(who, "weight", x, weight)
    check_probabilities(who, "input", x,
                        "For scores that have not been through sigmoid() use binary_cross_entropy_with_logits.")
    check_probabilities(who, "target", target, "")


def check_with_logits(x: Any, target: Any, weight: Any = None, pos_weight: Any = None, *,
                      reduction: str = "mean") -> None:
    who = "binary_cross_entropy_with_logits"
    check_reduction(who, reduction)
    check_pair(who, x, target)
    check_weight(who, "weight", x, weight)
    check_weight(who, "pos_weight", x, pos_weight)


# ---- samples -------------------------------------------------------------------------------------
def difference(name: str, *shape: int, scale: float = 2.0, **attrs: Any) -> Sample:
    """Input and target whose differences stay 0.01 away from 0 and 1, where losses have kinks."""
    rng = seeded(name)
    x, d = rng.standard_normal(shape) * scale, rng.standard_normal(shape) * scale
    d += np.where(np.abs(np.abs(d) - 1) < 0.01, 0.03, 0) + np.where(np.abs(d) < 0.01, 0.02, 0)
    return Sample(name, (np.asarray(x), np.asarray(x - d)), attrs, {"n": int(np.size(x))})


def differences(**attrs: Any) -> list[Sample]:
    return [
        difference("one", 1, **attrs),
        difference("odd", 3, 5, 7, **attrs),
        difference("sum", 3, 5, reduction="sum", **attrs),
        difference("none", 3, 5, reduction="none", **attrs),
        difference("number", **attrs),
        difference("empty, sum", 0, 3, reduction="sum", **attrs),
        difference("empty, none", 0, 3, reduction="none", **attrs),
        difference("steep", 37, scale=80.0, **attrs),
        difference("blocks", 3, 16381, **attrs),
    ]


def binary(name: str, *shape: int, logits: bool = False, weight: tuple[int, ...] | None = None,
           pos_weight: tuple[int, ...] | None = None, scale: float = 2.0, **attrs: Any) -> Sample:
    """Probabilities (or scores) and targets from 0 to 1, a few of them exactly 0 and 1."""
    rng = seeded(name)
    x = rng.standard_normal(shape) * scale if logits else rng.uniform(0.02, 0.98, shape)
    target = rng.uniform(0, 1, shape)
    target.reshape(-1)[1::3] = 0
    target.reshape(-1)[2::3] = 1
    w = None if weight is None else rng.uniform(0.5, 2, weight)
    q = None if pos_weight is None else rng.uniform(0.5, 2, pos_weight)
    return Sample(name, (x, target, w, q) if logits else (x, target, w), attrs, {"n": x.size})


def binaries(logits: bool) -> list[Sample]:
    return [
        binary("one", 1, logits=logits),
        binary("odd", 3, 5, 7, logits=logits),
        binary("sum", 3, 5, reduction="sum", logits=logits),
        binary("none", 3, 5, reduction="none", weight=(3, 5), logits=logits),
        binary("weight of a column", 3, 5, weight=(5,), logits=logits),
        binary("weight of a row", 3, 5, weight=(3, 1), logits=logits),
        binary("empty", 0, 3, reduction="sum", logits=logits),
        binary("blocks", 2, 16411, logits=logits),
    ]


def with_logits_samples() -> list[Sample]:
    return [
        *binaries(True),
        binary("pos_weight", 3, 5, pos_weight=(5,), logits=True),
        binary("both weights", 3, 5, weight=(3, 1), pos_weight=(5,), reduction="sum", logits=True),
        binary("both weights, none", 3, 5, weight=(3, 5), pos_weight=(1,), reduction="none", logits=True),
        binary("steep", 41, scale=40.0, logits=True),
    ]


def divergence(name: str, *shape: int, **attrs: Any) -> Sample:
    """Log-probabilities and probabilities, or the logarithms of both; they need not sum to 1 for
    the formula to hold.
    """
    x, t = seeded(name).uniform(0.05, 1, (2, *shape))
    return Sample(name, (np.log(x), np.log(t) if attrs.get("log_target") else t), attrs, {"n": x.size})


def divergences() -> list[Sample]:
    plain = [
        divergence("two", 1, 2),
        divergence("odd", 3, 5, 7),
        divergence("sum", 3, 5, reduction="sum"),
        divergence("none", 3, 5, reduction="none"),
        divergence("batchmean", 3, 5, reduction="batchmean"),
        divergence("empty", 0, 3, reduction="sum"),
        divergence("blocks", 2, 16411),
    ]
    return plain + [divergence(s.name + ", log target", *s.inputs[0].shape, log_target=True, **s.attrs) for s in plain]


# ---- errors --------------------------------------------------------------------------------------
def errors_of(function: Callable[..., Tensor]) -> tuple[Refusal, ...]:
    """What every one of these losses refuses."""
    name = function.__name__

    def call(*shapes: tuple[int, ...], dtype: Any = np.float32, **attrs: Any) -> Tensor:
        return function(*[tensor(np.full(s, 0.5).astype(dtype)) for s in shapes], **attrs)

    return (
        Refusal("column against row", lambda: call((4, 1), (4,)),
                ShapeError, (name, "(4, 1)", "(4,)", "broadcast to (4, 4)", "squeeze")),
        Refusal("number of elements", lambda: call((4,), (3,)), ShapeError, (name, "(4,)", "(3,)")),
        Refusal("integers", lambda: call((4,), (4,), dtype=np.int64), DTypeError, (name, "int64")),
        Refusal("reduction", lambda: call((4,), (4,), reduction="median"), RangeError, (name, "'mean'", "'median'")),
    )


def of(function: Callable[..., Tensor], *values: Any, **attrs: Any) -> Tensor:
    """The function of tensors of these values."""
    return function(*map(tensor, values), **attrs)


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_mean(loss: np.ndarray) -> np.ndarray:
    return np.asarray(loss.mean(), loss.dtype)


def fast_smooth_l1(x: np.ndarray, t: np.ndarray, beta: float = 1.0) -> np.ndarray:
    d = np.abs(x - t)
    return fast_mean(np.where(d < beta, d * d * (0.5 / beta), d - beta / 2))


def fast_binary_cross_entropy(x: np.ndarray, t: np.ndarray, w: Any) -> np.ndarray:
    return fast_mean((t - 1) * np.maximum(np.log1p(-x), -100) - t * np.maximum(np.log(x), -100))


# ---- records -------------------------------------------------------------------------------------
def loss(function: Callable[..., Tensor], formula: str, check: Callable[..., None],
         samples: Callable[[], list[Sample]], fast_numpy: Callable[..., Any], bench: Callable[..., Sample],
         inputs: tuple[str, ...] = ("x", "target"), errors: tuple[Refusal, ...] = (), flops: int = 3,
         keeps_nan: tuple[str, ...] = ()) -> Op:
    """The record of a loss, under its function's name."""
    name = function.__name__
    return register(Op(
        name=name, family="loss", inputs=inputs, formula=formula,
        forward=kernel(name + "_forward"), backward=kernel(name + "_backward"),
        ref_forward=getattr(reference, name + "_forward"), ref_backward=getattr(reference, name + "_backward"),
        check=check, samples=samples, errors=(*errors_of(function), *errors), fast_numpy=fast_numpy,
        bench={"2048x512": lambda: bench("2048x512", 2048, 512)},
        flops=lambda n: flops * n, bytes=lambda n: 8 * n, terms=lambda n: n, differentiable=("x", "target"),
        keeps_nan=keeps_nan))


MSE_LOSS = loss(
    mse_loss, "y = mean (x - t)^2",
    checker("mse_loss"), differences, lambda x, t: fast_mean((x - t)**2), difference)

L1_LOSS = loss(
    l1_loss, "y = mean |x - t|",
    checker("l1_loss"), differences, lambda x, t: fast_mean(np.abs(x - t)), difference, flops=2)

SMOOTH_L1_LOSS = loss(
    smooth_l1_loss, "y = mean of d^2 / 2 beta where |d| < beta, else |d| - beta/2",
    checker("smooth_l1_loss", "beta", positive=False),
    lambda: [*differences(beta=1.0), difference("beta", 31, beta=0.37), difference("beta 0", 31, beta=0.0)],
    fast_smooth_l1, difference, flops=5,
    errors=(
        Refusal("beta", lambda: of(smooth_l1_loss, [1.0], [2.0], beta=-1.0), RangeError, ("beta", "-1")),
    ))

HUBER_LOSS = loss(
    huber_loss, "y = mean of d^2 / 2 where |d| < delta, else delta (|d| - delta/2)",
    checker("huber_loss", "delta"), lambda: [*differences(delta=1.0), difference("delta", 31, delta=2.7)],
    fast_smooth_l1, difference, flops=5,
    errors=(
        Refusal("delta", lambda: of(huber_loss, [1.0], [2.0], delta=0.0), RangeError, ("delta above 0", "0")),
    ))

BINARY_CROSS_ENTROPY = loss(
    binary_cross_entropy, "y = mean of -t log x - (1 - t) log(1 - x)",
    check_binary_cross_entropy, lambda: binaries(False), fast_binary_cross_entropy, binary,
    inputs=("x", "target", "weight"), flops=20,
    errors=(
        Refusal("scores", lambda: of(binary_cross_entropy, [0.5, -3.0], [0.0, 1.0]),
                RangeError, ("input from 0 to 1", "-3", "with_logits")),
        Refusal("NaN", lambda: of(binary_cross_entropy, [0.5, float("nan")], [0.0, 1.0]),
                RangeError, ("input from 0 to 1", "nan")),
        Refusal("target", lambda: of(binary_cross_entropy, [0.5, 0.5], [0.0, 2.0]),
                RangeError, ("target from 0 to 1", "2.0")),
        Refusal("weight", lambda: of(binary_cross_entropy, [0.5], [0.0], [1.0, 2.0]),
                ShapeError, ("weight", "(1,)", "(2,)")),
    ))

BINARY_CROSS_ENTROPY_WITH_LOGITS = loss(
    binary_cross_entropy_with_logits, "y = mean of -q t log sigmoid(x) - (1 - t) log sigmoid(-x)",
    check_with_logits, with_logits_samples,
    lambda x, t, w, q: fast_mean(np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))),
    lambda *args: binary(*args, logits=True), inputs=("x", "target", "weight", "pos_weight"), flops=20,
    keeps_nan=("target",),
    errors=(
        Refusal("pos_weight", lambda: of(binary_cross_entropy_with_logits, [[0.5]], [[0.0]],
                                         pos_weight=tensor([1.0, 2.0])),
                ShapeError, ("pos_weight", "(1, 1)", "(2,)")),
    ))

KL_DIV = loss(
    kl_div, "y = mean of t (log t - x)",
    checker("kl_div", reductions=("none", "mean", "sum", "batchmean")), divergences,
    lambda x, t: fast_mean(t * (np.log(t) - x)), divergence, flops=15)
