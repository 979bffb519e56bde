"""Connectionist temporal classification: the loss of labels without their places. Composed of
others.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, wrapped
from .arithmetic import add, div
from .checks import need_float
from .cross_entropy import check_reduction
from .elementary import neg
from .indexing import gather, getitem, where
from .join import cat, stack
from .reduce import logsumexp, mean, sum
from .repeat import expand
from .shape import reshape

__all__ = ["ctc_loss"]


def ctc_loss(log_probs: Tensor, targets: Any, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: str = "mean", zero_infinity: bool = False) -> Tensor:
    r"""Minus the logarithm of the probability of a sequence of labels, at whatever times.

    .. math:: y = -\ln \sum_{\pi \to target} \prod_t p_t(\pi_t)

    The sum is over all ways pi of saying the target: each label once or several times in a row,
    with blanks between, and at least one blank between equal labels.

    Parameters
    ----------
    log_probs : Tensor of shape (T, N, C), or (T, C) for one sequence, float32 or float64
        Logarithms of probabilities, as log_softmax gives them.
    targets : Tensor of integers, of shape (N, S), or one row with all targets one after another
    input_lengths, target_lengths : Tensor of integers, or tuple of int, of shape (N,)
        How many steps and how many labels of each count.
    blank : int
        The number of the blank.
    reduction : "none", "mean" or "sum"
        "mean" divides each by its number of labels first.
    zero_infinity : bool
        0 in the place of infinite losses, of targets that are too long to be said.

    Returns
    -------
    Tensor of shape (N,), or without dimensions. Its gradient is the derivative for any log_probs.
    PyTorch's is right only if log_probs come from log_softmax. The gradient of the scores before
    log_softmax is the same in both.

    Raises
    ------
    ShapeError : if the shapes or lengths do not fit.
    RangeError : if a label or the blank is none of the C, or for another reduction.
    DTypeError : if log_probs are not floating point, or the others no integers.

    Cost: 3 N (2 S + 1) exponentials in each of T steps. A step leaves eight nodes on the tape, or
    nine where the lengths differ.

    Reference: Graves, Fernandez, Gomez, Schmidhuber (2006), "Connectionist temporal classification:
    labelling unsegmented sequence data with recurrent neural networks".

    >>> import fastnn as nn
    >>> log_probs = nn.tensor([[0.5, 0.5], [0.5, 0.5]]).log()       # of the blank, and of label 1
    >>> # three of the four ways say label 1 (1 1, blank 1, 1 blank): e^y = 1 / 0.75
    >>> nn.functional.ctc_loss(log_probs, nn.tensor([1]), (2,), (1,), reduction="sum").exp()
    tensor(1.3333)
    """
    need_float("ctc_loss", log_probs=log_probs._data)
    check_reduction("ctc_loss", reduction)
    if log_probs.ndim not in (2, 3):
        raise ShapeError(who="ctc_loss", expected="log_probs of shape (T, N, C) or (T, C)", got=log_probs.shape)
    batched = log_probs.ndim == 3
    x = log_probs if batched else reshape(log_probs, log_probs.shape[0], 1, -1)
    T, N, C = x.shape
    if not isinstance(blank, Integral) or not 0 <= blank < C:
        raise RangeError(who="ctc_loss", expected=f"0 <= blank < {C}", got=blank)
    steps, numbers = (lengths(name, given, N) for name, given in (("input_lengths", input_lengths),
                                                                  ("target_lengths", target_lengths)))
    if steps.size and steps.max() > T:
        raise ShapeError(who="ctc_loss", expected=f"input_lengths of at most {T}, the steps", got=int(steps.max()))
    labels = padded(integers("targets", targets), numbers, N, blank)
    if labels.size and not (0 <= labels.min() and labels.max() < C):
        raise RangeError("a label is none of the classes", who="ctc_loss", expected=f"0 <= label < {C}",
                         got=int(labels.min() if labels.min() < 0 else labels.max()))
    loss = neg(log_likelihood(x, labels, steps, numbers, blank))
    if zero_infinity:
        loss = where(wrapped(np.isposinf(loss._data)), 0.0, loss)
    if reduction == "mean":
        loss = mean(div(loss, wrapped(np.maximum(numbers, 1).astype(x.dtype))))
    elif reduction == "sum":
        loss = sum(loss)
    return loss if batched or loss.ndim == 0 else reshape(loss, ())


# ---- what the function consists of ---------------------------------------------------------------
def log_likelihood(x: Tensor, labels: np.ndarray, steps: np.ndarray, numbers: np.ndarray, blank: int) -> Tensor:
    """The logarithm of the probability of each target, by the forward recursion.

    l is blank, label, blank, label, ..., blank. alpha_t(s) is the probability of all ways through l
    that are at position s in step t:

        alpha_t(s) = p_t(l_s) [alpha_{t-1}(s) + alpha_{t-1}(s-1) + may_skip_s alpha_{t-1}(s-2)]

    may_skip_s is 1 where a way may leave out the blank at s-1, because the labels beside it differ.
    All is in logarithms, so that products are sums, and the sum is a logsumexp.
    """
    T, N, _ = x.shape
    positions = 2 * labels.shape[1] + 1
    l = np.full((N, positions), blank, np.int64)
    l[:, 1::2] = labels
    differs = np.zeros((N, positions), bool)
    differs[:, 2:] = (l[:, 2:] != blank) & (l[:, 2:] != l[:, :-2])
    may_skip, never = wrapped(differs), wrapped(np.full((N, 2), -np.inf, x.dtype))
    log_p = gather(x, 2, expand(wrapped(l), T, N, positions))
    # a way begins with the first blank or with the first label
    begin = np.zeros((N, positions), bool)
    begin[:, 0] = True
    begin[:, 1:2] = (numbers > 0)[:, None]
    alpha = wrapped(np.where(begin, 0, -np.inf).astype(x.dtype))
    for t in range(T):
        if t:
            before = cat([never, alpha], 1)
            ways = [alpha, getitem(before, (slice(None), slice(1, positions + 1))),
                    where(may_skip, getitem(before, (slice(None), slice(0, positions))), float("-inf"))]
            new = add(logsumexp(stack(ways), 0), getitem(log_p, t))
        else:
            new = add(alpha, getitem(log_p, t))
        alpha = new if (steps > t).all() else where(wrapped((steps > t)[:, None]), new, alpha)
    if not steps.all():                             # without a step nothing is said
        nothing = np.where(np.arange(positions) == 0, 0, -np.inf).astype(x.dtype)
        alpha = where(wrapped((steps == 0)[:, None]), wrapped(nothing), alpha)
    # it ends with the last label, or with the blank behind it
    rows = np.arange(N)
    ends = [getitem(alpha, (rows, 2 * numbers)),
            where(wrapped(numbers > 0), getitem(alpha, (rows, np.maximum(2 * numbers - 1, 0))), float("-inf"))]
    return logsumexp(stack(ends), 0)


def integers(name: str, given: Any) -> np.ndarray:
    a = np.asarray(getattr(given, "_data", given))
    if a.dtype.kind not in "iu" and a.size:
        raise DTypeError(who="ctc_loss", expected=f"{name} of integers", got=str(a.dtype),
                         hint="Convert them with .long().")
    return a.astype(np.int64)


def lengths(name: str, given: Any, N: int) -> np.ndarray:
    """A number of steps or labels for each sequence."""
    a = integers(name, given)
    if a.size != N or a.ndim > 1:
        raise ShapeError(who="ctc_loss", expected=f"{name} of shape ({N},)", got=a.shape)
    if a.size and a.min() < 0:
        raise ShapeError(who="ctc_loss", expected=f"{name} >= 0", got=int(a.min()))
    return a.reshape(N)


def padded(targets: np.ndarray, numbers: np.ndarray, N: int, blank: int) -> np.ndarray:
    """The targets as rows, with blanks behind."""
    S = int(numbers.max()) if N else 0
    rows = np.full((N, S), blank, np.int64)
    if targets.ndim == 2:
        fits = targets.shape[0] == N and targets.shape[1] >= S
    else:
        fits = targets.ndim == 1 and targets.size == numbers.sum()
    if not fits:
        raise ShapeError(who="ctc_loss", got=f"{targets.shape}, and target_lengths up to {S}",
                         expected=f"targets of shape ({N}, S) or (sum of target_lengths,)")
    begin = np.cumsum(numbers) - numbers
    for n, length in enumerate(numbers):
        rows[n, :length] = targets[n, :length] if targets.ndim == 2 else targets[begin[n]:begin[n] + length]
    return rows
