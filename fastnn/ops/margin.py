"""Losses of pairs, triplets and rankings, and of counts and variances, composed of other functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import apply, no_grad
from ..errors import RangeError, ShapeError
from ..tensor import Tensor
from .activation import logsigmoid
from .arithmetic import add, common_shape, div, minimum, mul, sub
from .checks import legacy, need_constants, need_float, need_integers
from .clone import to
from .compare import eq, gt, ne
from .composed import positive, rsub, share_of
from .cross_entropy import check_reduction, notice_sigmoid
from .distance import pairwise_distance
from .elementary import clamp, exp, log, neg, square
from .indexing import gather, getitem, where
from .losses import BINARY_CROSS_ENTROPY_WITH_LOGITS, weighed
from .reduce import mean, norm, sum
from .shape import reshape, unsqueeze
from .transcendental import hypot

__all__ = ["cosine_embedding_loss", "gaussian_nll_loss", "hinge_embedding_loss", "margin_ranking_loss",
           "multi_margin_loss", "multilabel_margin_loss", "multilabel_soft_margin_loss", "poisson_nll_loss",
           "soft_margin_loss", "triplet_margin_loss", "triplet_margin_with_distance_loss"]


# ---- which of two, and how far apart -------------------------------------------------------------
def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
                        size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Tensor:
    r"""Two scores should differ by a margin, the way that the target says.

    .. math:: y = \max(0, \; -t\, (x_1 - x_2) + margin)

    Parameters
    ----------
    input1, input2 : Tensor, floating point, which broadcast
    target : Tensor
        t: 1 where the first should be the larger, -1 where the second.
    margin : float
    reduction : "mean", "sum" or "none"
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if a score is not floating point.
    RangeError : for an unknown reduction.

    Cost: five passes over the elements. The difference of two equal infinities is NaN, as in
    PyTorch.

    >>> import fastnn as nn
    >>> a, b, t = nn.tensor([1.0, 2.0]), nn.tensor([0.0, 4.0]), nn.tensor([1.0, 1.0])
    >>> nn.margin_ranking_loss(a, b, t, reduction="none")
    tensor([0., 2.])
    """
    reduction = reduction if size_average is reduce is None else legacy("margin_ranking_loss", size_average, reduce)
    checked("margin_ranking_loss", reduction, input1=input1, input2=input2)
    return reduced(hinge(add(share_of(neg(target), sub(input1, input2)), margin)), reduction)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    r"""Distances of pairs: small where they belong together, beyond the margin where they do not.

    .. math:: y = x \; (t = 1), \; \max(0, margin - x) \; (t = -1)

    Parameters
    ----------
    input : Tensor, floating point
        x, distances.
    target : Tensor of 1 and -1
    margin : float
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Errors and cost: as `margin_ranking_loss`. Another target costs the sum of both, which is NaN at
    x = -infinity, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.hinge_embedding_loss(nn.tensor([0.5, 0.25]), nn.tensor([1.0, -1.0]), reduction="none")
    tensor([0.50, 0.75])
    """
    reduction = reduction if size_average is reduce is None else legacy("hinge_embedding_loss", size_average, reduce)
    checked("hinge_embedding_loss", reduction, input=input)
    apart = where(ne(target, 1), hinge(rsub(input, margin)), 0.0)
    return reduced(add(apart, where(ne(target, -1), input, 0.0)), reduction)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0,
                          size_average: bool | None = None, reduce: bool | None = None,
                          reduction: str = "mean") -> Tensor:
    r"""Directions of pairs: alike where they belong together, no more than the margin else.

    .. math:: y = 1 - \cos(x_1, x_2) \; (t = 1), \; \max(0, \cos(x_1, x_2) - margin) \; (t = -1)

    Parameters
    ----------
    input1, input2 : Tensor of shape (N, D), or (D,), floating point
    target : Tensor of shape (N,), or (), of 1 and -1
    margin : float
        From -1 to 1.
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError : if the shapes do not fit.
    DTypeError, RangeError : as `margin_ranking_loss`.

    Cost: eight passes over the vectors, of any length: no square overflows. An infinite element
    gives NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> a, b = nn.tensor([[1.0, 0.0], [1.0, 0.0]]), nn.tensor([[0.0, 2.0], [3.0, 0.0]])
    >>> nn.cosine_embedding_loss(a, b, nn.tensor([1.0, -1.0]), reduction="none")
    tensor([1., 1.])
    """
    reduction = reduction if size_average is reduce is None else legacy("cosine_embedding_loss", size_average, reduce)
    who = "cosine_embedding_loss"
    checked(who, reduction, input1=input1, input2=input2)
    if target.ndim > 1 or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise ShapeError(who=who, expected="inputs (N, D) and a target (N,), or (D,) and ()",
                         got=f"{input1.shape}, {input2.shape} and {target.shape}")
    common_shape(who, input1.shape, input2.shape)
    # over the root of |x|^2 + 1e-12, without the squares, which overflow; so 0 has a slope
    a, b = (div(x, hypot(norm(x, 2, -1, True), 1e-6)) for x in (input1, input2))
    cosine = sum(mul(a, b), -1)
    alike = where(eq(target, 1), rsub(cosine, 1), 0.0)
    return reduced(add(alike, where(eq(target, -1), hinge(sub(cosine, margin)), 0.0)), reduction)


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2,
                        eps: float = 1e-6, swap: bool = False, size_average: bool | None = None,
                        reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    r"""An anchor should be nearer to its like than to another, by a margin.

    .. math:: y = \max(0, \; d(a, p) - d(a, n) + margin), \qquad
        d(a, b) = \lVert a - b + eps \rVert_p

    Parameters
    ----------
    anchor, positive, negative : Tensor of shape (N, D), or (D,), floating point
        a, p and n.
    margin : float
        Above 0.
    p, eps : as in `pairwise_distance`
    swap : bool
        Take the distance of n from p, where that is the smaller.
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Errors: as `margin_ranking_loss`. Cost: two or three times `pairwise_distance`. The difference
    of two infinite distances is NaN, as in PyTorch.

    Reference: Schroff, Kalenichenko, Philbin (2015), "FaceNet", arXiv:1503.03832.

    >>> import fastnn as nn
    >>> a, b, c = nn.tensor([[0.0, 0.0]]), nn.tensor([[3.0, 4.0]]), nn.tensor([[0.0, 2.0]])
    >>> round(nn.triplet_margin_loss(a, b, c).item(), 4)
    4.0
    """
    reduction = reduction if size_average is reduce is None else legacy("triplet_margin_loss", size_average, reduce)
    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)
    return triplets("triplet_margin_loss", (anchor, positive, negative), distance, margin, swap, reduction)


def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *,
                                      distance_function: Callable[..., Tensor] | None = None,
                                      margin: float | Tensor = 1.0, swap: bool = False,
                                      reduction: str = "mean") -> Tensor:
    """triplet_margin_loss with a distance of one's own.

    Parameters
    ----------
    anchor, positive, negative, margin, swap, reduction : as in `triplet_margin_loss`
    distance_function : function of two tensors, optional
        None: `pairwise_distance`.

    Errors, NaN and cost: as `triplet_margin_loss`.

    >>> import fastnn as nn
    >>> a, b, c = nn.tensor([[0.0]]), nn.tensor([[3.0]]), nn.tensor([[2.0]])
    >>> def square(x, y): return (x - y).square().sum(1)
    >>> nn.triplet_margin_with_distance_loss(a, b, c, distance_function=square)
    tensor(6.)
    """
    return triplets("triplet_margin_with_distance_loss", (anchor, positive, negative),
                    distance_function or pairwise_distance, margin, swap, reduction)


# ---- classes by margins --------------------------------------------------------------------------
def soft_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    r"""The logistic loss of one score for two classes.

    .. math:: y = \ln(1 + e^{-t x})

    Parameters
    ----------
    input : Tensor, floating point
    target : Tensor of input's shape, of 1 and -1
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Errors: as `margin_ranking_loss`. Cost: as `logsigmoid`, and three passes. An infinite target
    gives NaN at x = 0, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.soft_margin_loss(nn.tensor([0.0]), nn.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = reduction if size_average is reduce is None else legacy("soft_margin_loss", size_average, reduce)
    checked("soft_margin_loss", reduction, input=input)
    one_shape("soft_margin_loss", input, target)
    return reduced(neg(logsigmoid(share_of(target, input))), reduction)


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                size_average: bool | None = None, reduce: bool | None = None,
                                reduction: str = "mean") -> Tensor:
    r"""The mean over classes of the binary cross-entropy, where a sample may have several.

    .. math:: y = -\frac1C \sum_c w_c\, (t_c \ln s(x_c) + (1 - t_c) \ln s(-x_c))

    Parameters
    ----------
    input : Tensor of shape (N, C), or (C,), floating point
        Scores.
    target : Tensor of input's shape, 0 or 1
    weight : Tensor of shape (C,), optional
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Errors: as `margin_ranking_loss`. Cost: as `binary_cross_entropy_with_logits`, and a pass. As
    there, a class that weighs nothing costs nothing, even if its score is infinite, and an infinite
    target gives NaN.

    >>> import fastnn as nn
    >>> nn.multilabel_soft_margin_loss(nn.tensor([[0.0, 0.0]]), nn.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    reduction = reduction if size_average is reduce is None else legacy(
        "multilabel_soft_margin_loss", size_average, reduce)
    checked("multilabel_soft_margin_loss", reduction, input=input)
    one_shape("multilabel_soft_margin_loss", input, target)
    notice_sigmoid("multilabel_soft_margin_loss", input, ", or use binary_cross_entropy")
    def each(x: Tensor, t: Tensor) -> Tensor:
        loss: Tensor = apply(BINARY_CROSS_ENTROPY_WITH_LOGITS, x, t, None, None, reduction="none")
        return loss
    t = to(target, input.dtype)
    loss = each(input, t) if weight is None else weighed(weight, each, input, t)
    return reduced(mean(loss, -1), reduction)


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
                      size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    r"""The right class should have the largest score, by a margin: a support vector machine's loss.

    .. math:: y = \frac{w_t}{C} \sum_{c \ne t} \max(0, \; margin - x_t + x_c)^p

    Parameters
    ----------
    input : Tensor of shape (N, C), or (C,), floating point
        Scores.
    target : Tensor of integers of shape (N,), or ()
        Classes from 0.
    p : 1 or 2
    margin : float
    weight : Tensor of shape (C,), optional
        A constant.
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError : if the shapes do not fit.
    GraphError : if weight requires a gradient.
    RangeError : for another p, an unknown reduction, or a class that is none.
    DTypeError : if target is not of integers, or input not floating point.

    Cost: six passes over the scores.

    Reference: Crammer, Singer (2001), "On the algorithmic implementation of multiclass
    kernel-based vector machines".

    >>> import fastnn as nn
    >>> nn.multi_margin_loss(nn.tensor([[0.0, 0.5, 3.0, 0.25]]), nn.tensor([2]))
    tensor(0.)
    """
    reduction = reduction if size_average is reduce is None else legacy("multi_margin_loss", size_average, reduce)
    who = "multi_margin_loss"
    checked(who, reduction, input=input)
    if p not in (1, 2):
        raise RangeError(who=who, expected="p 1 or 2", got=p)
    need_integers(who, target=target._data)
    x = reshape(input, 1, -1) if input.ndim < 2 else input
    t = reshape(target, -1, 1)
    if x.ndim != 2 or t.shape[0] != x.shape[0]:
        raise ShapeError(who=who, expected="input (N, C) and target (N,)", got=f"{input.shape} and {target.shape}")
    C = x.shape[1]
    in_classes(who, t._data, C)
    need_constants(who, weight=weight)
    if weight is not None and weight.shape != (C,):
        raise ShapeError(who=who, expected=f"weight of shape ({C},), one for each class", got=weight.shape)
    others = hinge(add(sub(x, gather(x, 1, t)), margin))
    others = where(Tensor(np.arange(C) != t._data), others, 0.0)
    each = positive if p == 1 else square
    others = each(others) if weight is None else weighed(getitem(weight, t), each, others)
    loss = div(sum(others, 1), C)
    return reduced(loss if input.ndim == 2 else reshape(loss, ()), reduction)


def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                           reduction: str = "mean") -> Tensor:
    r"""Every right class should have a larger score than every other, by 1.

    .. math:: y = \frac1C \sum_{t \in T} \sum_{c \notin T} \max(0, \; 1 - x_t + x_c)

    Parameters
    ----------
    input : Tensor of shape (N, C), or (C,), floating point
        Scores.
    target : Tensor of integers of input's shape
        The right classes T of each sample, and behind them -1.
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Raises
    ------
    ShapeError : if the shapes differ.
    RangeError : for an unknown reduction, or a class that is none.
    DTypeError : if target is not of integers, or input not floating point.

    Cost: C times as many passes as scores, C^2 numbers a sample.

    >>> import fastnn as nn
    >>> nn.multilabel_margin_loss(nn.tensor([[0.0, 2.0, 4.0]]), nn.tensor([[2, -1, 0]]))
    tensor(0.)
    """
    reduction = reduction if size_average is reduce is None else legacy("multilabel_margin_loss", size_average, reduce)
    who = "multilabel_margin_loss"
    checked(who, reduction, input=input)
    need_integers(who, target=target._data)
    one_shape(who, input, target)
    x, t = (reshape(a, -1, a.shape[-1] if a.ndim else 1) for a in (input, target))
    C = x.shape[1]
    there = np.logical_and.accumulate(t._data >= 0, 1)                  # up to the first below 0
    in_classes(who, t._data[there], C)
    chosen = np.zeros(x.shape, bool)
    rows, places = np.nonzero(there)
    chosen[rows, t._data[rows, places]] = True
    right = gather(x, 1, Tensor(np.where(there, t._data, 0)))
    gaps = hinge(sub(add(unsqueeze(x, 1), 1), unsqueeze(right, 2)))
    loss = div(sum(where(Tensor(there[:, :, None] & ~chosen[:, None, :]), gaps, 0.0), (1, 2)), C)
    return reduced(loss if input.ndim == 2 else reshape(loss, ()), reduction)


# ---- likelihoods ---------------------------------------------------------------------------------
def gaussian_nll_loss(input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Tensor:
    r"""The negative log-likelihood of a normal distribution whose mean and variance are predicted.

    .. math:: y = \tfrac12 \left( \ln v + \frac{(x - t)^2}{v} \right), \quad v = \max(var, eps)

    Parameters
    ----------
    input, target : Tensor, floating point, which broadcast
        x, the mean, and t.
    var : Tensor, or a number
        The variance, of input's shape, or without its last dimension.
    full : bool
        Add the constant ln(2 pi) / 2.
    eps : float
        Above 0. The gradient of var is that of v.
    reduction : as in `margin_ranking_loss`

    Raises
    ------
    ShapeError : if the shapes do not fit.
    RangeError : for a negative variance, an eps of 0 or less, or an unknown reduction.
    DTypeError : if input is not floating point.

    Cost: a logarithm an element, in eight passes.

    Reference: Nix, Weigend (1994), "Estimating the mean and variance of the target probability
    distribution".

    >>> import fastnn as nn
    >>> nn.gaussian_nll_loss(nn.tensor([1.0]), nn.tensor([3.0]), nn.tensor([4.0]))
    tensor(1.1931)
    """
    who = "gaussian_nll_loss"
    checked(who, reduction, input=input)
    if not eps > 0:
        raise RangeError(who=who, expected="eps > 0", got=eps)
    if not isinstance(var, Tensor):
        var = Tensor(np.full(input.shape, var, input.dtype))
    if (var._data < 0).any():
        raise RangeError("a variance is negative", who=who, expected="var >= 0", got=float(var._data.min()))
    if var.shape != input.shape and var.shape == input.shape[:-1]:
        var = unsqueeze(var, -1)
    common_shape(who, input.shape, target.shape, var.shape)
    with no_grad():
        lifted = Tensor(np.maximum(eps - var._data, 0).astype(var.dtype))
    v = add(var, lifted) if lifted._data.any() else var
    loss = mul(add(log(v), div(square(sub(input, target)), v)), 0.5)
    return reduced(add(loss, 0.5 * math.log(2 * math.pi)) if full else loss, reduction)


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False,
                     size_average: bool | None = None, eps: float = 1e-8, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    r"""The negative log-likelihood of counts whose rate is predicted.

    .. math:: y = e^x - t x \;\text{ or, without logarithm, }\; x - t \ln(x + eps)

    Parameters
    ----------
    input : Tensor, floating point
        x, the logarithm of the rate, or the rate.
    target : Tensor, which broadcasts
        t, counts.
    log_input : bool
    full : bool
        Add Stirling's formula for ln t!, where t is above 1.
    eps : float
    reduction : as in `margin_ranking_loss`
    size_average, reduce : as in `mse_loss`

    Errors: as `margin_ranking_loss`. Cost: an exponential or a logarithm an element, and four
    passes. A count of 0 costs the rate, also where x is -infinity, and an infinite rate costs
    infinity; an infinite count gives NaN where terms cancel, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.poisson_nll_loss(nn.tensor([0.0]), nn.tensor([2.0]))
    tensor(1.)
    """
    reduction = reduction if size_average is reduce is None else legacy("poisson_nll_loss", size_average, reduce)
    checked("poisson_nll_loss", reduction, input=input)
    common_shape("poisson_nll_loss", input.shape, target.shape)
    rate = exp(input) if log_input else input
    counted = share_of(target, input if log_input else log(add(input, eps)))
    # the rate is the larger infinity; the slopes stay
    beyond = (rate._data == np.inf) & (np.abs(target._data) < 1e-3 * np.finfo(rate.dtype).max)
    if beyond.any():
        counted._data[beyond] = 0
    loss = sub(rate, counted)
    if full:
        above = gt(target, 1)
        t = where(above, target, 1.0)
        stirling = add(sub(mul(t, log(t)), t), mul(log(mul(t, 2 * math.pi)), 0.5))
        loss = add(loss, where(above, stirling, 0.0))
    return reduced(loss, reduction)


# ---- what the functions share --------------------------------------------------------------------
def checked(who: str, reduction: str, **floats: Tensor) -> None:
    check_reduction(who, reduction)
    for name, x in floats.items():
        need_float(who, **{name: x._data})


def reduced(loss: Tensor, reduction: str) -> Tensor:
    return mean(loss) if reduction == "mean" else sum(loss) if reduction == "sum" else loss


def hinge(x: Tensor) -> Tensor:
    return clamp(x, 0.0)


def one_shape(who: str, input: Tensor, target: Tensor) -> None:
    if input.shape != target.shape:
        raise ShapeError(who=who, expected=f"a target of shape {input.shape}", got=target.shape)


def in_classes(who: str, t: np.ndarray, C: int) -> None:
    if t.size and (t.min() < 0 or t.max() >= C):
        raise RangeError("a label is out of range", who=who, expected=f"0 <= label < {C}",
                         got=f"{t.min()} to {t.max()}")


def triplets(who: str, three: tuple[Tensor, Tensor, Tensor], distance: Callable[..., Tensor],
             margin: float | Tensor, swap: bool, reduction: str) -> Tensor:
    a, p, n = three
    checked(who, reduction, anchor=a, positive=p, negative=n)
    if not margin > 0:
        raise RangeError(who=who, expected="margin > 0", got=margin)
    if not a.ndim == p.ndim == n.ndim:
        raise ShapeError(who=who, expected="three tensors of one rank", got=f"{a.shape}, {p.shape} and {n.shape}")
    near, far = distance(a, p), distance(a, n)
    if swap:
        far = minimum(far, distance(p, n))
    return reduced(hinge(add(sub(near, far), margin)), reduction)
