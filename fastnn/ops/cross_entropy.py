"""Classification losses: cross entropy on scores, negative log likelihood on log-probabilities.

Kernels: csrc/pointwise/softmax.c. Definitions: fastnn/reference/cross_entropy.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError, warn_once
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import cross_entropy as reference
from ..tensor import Tensor, tensor
from .checks import legacy, need_array, need_constants, need_float, need_integers

__all__ = ["cross_entropy", "nll_loss"]

# Ops that lay numbers out anew, or take some of them, and change none.
LAYOUTS = {"clone", "expand", "flip", "getitem", "index_select", "permute", "reshape", "split", "to", "unbind"}

def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    r"""The surprise, in nats, of seeing the labels where softmax(input) was predicted.

    .. math::
        y = -\sum_c a_c \log p_c \qquad p = \operatorname{softmax}(x) \qquad
        dx_c = dy \,\big(p_c \sum_k a_k - a_c\big)

    For a label l, a is the class weight :math:`w_l` at l and 0 elsewhere. For class probabilities
    t, :math:`a_c = w_c t_c`. With smoothing s, each is multiplied by 1 - s, and :math:`w_c s / C`
    is added.

    Parameters
    ----------
    input : Tensor of shape (N, C), (N, C, d1, ...) or (C,)
        Scores (logits) of C classes, not probabilities: softmax is part of this function.
    target : Tensor
        Labels, whole numbers from 0 to C - 1, of input's shape without the class axis; or class
        probabilities of input's shape.
    weight : Tensor of shape (C,), optional
        w, how much each class counts. A constant: it gets no gradient.
    ignore_index : int
        Positions with this label cost nothing and get no gradient.
    reduction : "mean", "sum" or "none"
        "mean" divides by the sum of the weights of the labels that count, for probabilities by the
        number of positions. If no label counts, because all are ignored or weigh 0, it is NaN, as
        in PyTorch.
    label_smoothing : float from 0 to 1
        s, the share of probability that is spread evenly over all classes.
    size_average, reduce : as in `mse_loss`

    Returns
    -------
    Tensor, a number; for "none" one per position.

    Raises
    ------
    RangeError : for a label that is no class (the message names the worst), a smoothing outside
        0..1, or an unknown reduction.
    ShapeError : if target or weight does not fit the input.
    DTypeError : if input or weight is not floating point, or their dtypes differ.
    RangeError : for an ignore_index from 0 on beside class probabilities, which have no labels.
    GraphError : if weight requires a gradient.

    A class that weighs nothing, because its probability or weight is 0, costs nothing, even if its
    score is -inf. A score of +inf makes its position NaN, as in PyTorch and in `softmax`; so does
    an infinite probability.

    It warns, once, if softmax has been applied to the input already, if there is one class, of
    which the loss is always 0, and if the class probabilities are none: negative, or with another
    sum than 1. Of the probabilities it looks at the first position's.

    Cost: one exp an element forward and one backward. No array of probabilities is made.

    Reference: Szegedy et al. (2016), "Rethinking the Inception architecture for computer vision",
    arXiv:1512.00567, for label smoothing.

    >>> import fastnn as nn
    >>> scores = nn.tensor([[2.0, 2.0], [2.0, 2.0]])
    >>> nn.functional.cross_entropy(scores, nn.tensor([0, 1]))                      # log 2
    tensor(0.6931)
    """
    reduction = reduction if size_average is reduce is None else legacy("cross_entropy", size_average, reduce)
    if weight is not None:
        need_constants("cross_entropy", weight=weight)
    y = apply(CROSS_ENTROPY, input, target, weight, ignore_index=ignore_index, reduction=reduction,
              label_smoothing=label_smoothing)
    notice_probabilities(input)
    notice_target(input, target)
    return y


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
             ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    r"""Negative log likelihood: cross entropy for an input that is log-probabilities already.

    .. math:: y = -w_l\, x_l \qquad dx_c = -dy\, w_l\, [c = l] \qquad l = \text{target}

    Parameters
    ----------
    input : Tensor of shape (N, C), (N, C, d1, ...) or (C,)
        Logarithms of probabilities, for example from `log_softmax`.
    target : Tensor
        Labels, whole numbers from 0 to C - 1, of input's shape without the class axis.
    weight, ignore_index, reduction : as in `cross_entropy`
    size_average, reduce : as in `mse_loss`

    Returns
    -------
    Tensor, a number; for "none" one per position.

    Errors: as `cross_entropy`.

    Where nothing weighs anything the mean is NaN, and the gradient zero.

    Cost: reads one element per position. cross_entropy(x, t) is nll_loss(log_softmax(x, 1), t) in
    one pass.

    >>> import fastnn as nn
    >>> nn.functional.nll_loss(nn.tensor([[-0.5, -1.0], [-2.0, -0.1]]), nn.tensor([1, 0]))
    tensor(1.5)
    """
    reduction = reduction if size_average is reduce is None else legacy("nll_loss", size_average, reduce)
    if weight is not None:
        need_constants("nll_loss", weight=weight)
    y = apply(NLL_LOSS, input, target, weight, ignore_index=ignore_index, reduction=reduction)
    notice_no_logarithms("nll_loss", input)
    return y


# ---- what the functions share --------------------------------------------------------------------
def made_by(x: Any) -> str:
    """The op on the tape that computed the numbers of x; "" where there is none."""
    node = getattr(x, "node", None)
    while node is not None and node.name in LAYOUTS:
        parent = node.parents[0]
        node = parent[0] if isinstance(parent, tuple) else None
    return "" if node is None else str(node.name)


def first_position(a: np.ndarray) -> np.ndarray:
    """The numbers of the classes at the first position; none where there is no position."""
    if a.ndim < 2:
        return a.reshape(-1)
    return a[0].reshape(a.shape[1], -1)[:, 0] if a.size else a.reshape(-1)


def are_probabilities(x: Any) -> bool:
    """Whether softmax was applied to x: the tape says it; without one, the first position's numbers
    are positive and sum to 1.
    """
    if getattr(x, "node", None) is not None:
        return made_by(x) == "softmax"
    row = first_position(getattr(x, "_data", x))
    return row.size > 1 and bool(row[0] > 0) and bool(row.min() > 0) and abs(float(row.sum()) - 1) < 1e-5


def notice_probabilities(x: Any) -> None:
    """Warn if softmax was applied to the scores already."""
    if are_probabilities(x):
        warn_once("softmax before cross_entropy", "cross_entropy: softmax has been applied to the input, which "
                  "cross_entropy does itself: pass the scores (logits), without a Softmax layer at the end of the "
                  "model.")


def notice_no_logarithms(who: str, x: Any) -> None:
    """Warn if a loss that takes logarithms of probabilities gets what softmax has made."""
    if are_probabilities(x):
        instead = ", or cross_entropy on the scores" if who == "nll_loss" else ""
        warn_once(f"softmax before {who}", f"{who}: the input is probabilities, and it takes their logarithms: use "
                  f"log_softmax{instead}.")


def notice_sigmoid(who: str, x: Any, instead: str = "") -> None:
    """Warn if sigmoid was applied to the scores of a loss that does so itself."""
    if made_by(x) == "sigmoid":
        warn_once(f"sigmoid before {who}", f"{who}: sigmoid has been applied to the input, which this loss does "
                  f"itself: pass the scores{instead}.")


def notice_target(x: Any, target: Any) -> None:
    """Warn of a target from which nothing is learned: of one class the loss is always 0, and
    numbers that are no probabilities have no class.
    """
    t = getattr(target, "_data", target)
    if x.shape[1 if len(x.shape) > 1 else 0] == 1:
        warn_once("one class", "cross_entropy: there is one class, whose probability is 1, so the loss is 0 whatever "
                  f"the scores are. {FOR_ONE_OUTPUT}")
    elif t.dtype.kind == "f":
        row = first_position(t)
        total = float(row.sum())
        if row.size and (row.min() < 0 or (total != 0 and abs(total - 1) > 0.01)):
            warn_once("class probabilities that are none", "cross_entropy: the target is class probabilities, and "
                      "these " + ("are negative" if row.min() < 0 else f"have the sum {total:.3g}, not 1")
                      + ". For numbers: mse_loss, in fit loss='mse_loss'; for several labels at once: "
                      "binary_cross_entropy_with_logits.")


FOR_ONE_OUTPUT = ("For numbers: mse_loss, in fit loss='mse_loss'; for yes or no: binary_cross_entropy_with_logits; for "
                  "classes the last layer needs one output for each.")


# ---- checks --------------------------------------------------------------------------------------
def check_reduction(who: str, reduction: str, allowed: tuple[str, ...] = ("none", "mean", "sum")) -> None:
    if reduction not in allowed:
        raise RangeError(who=who, expected=f"reduction {', '.join(map(repr, allowed[:-1]))} or {allowed[-1]!r}",
                         got=repr(reduction))


def check_classes(who: str, x: Any, weight: Any) -> int:
    """Scores with a class axis, and one weight per class; returns the number of classes."""
    need_float(who, input=x, weight=weight)
    if x.ndim == 0:
        raise ShapeError(who=who, expected="input of shape (N, C), (N, C, d1, ...) or (C,)", got=x.shape)
    classes = int(x.shape[1 if x.ndim > 1 else 0])
    if weight is not None and weight.shape != (classes,):
        raise ShapeError(who=who, expected=f"weight of shape ({classes},), one for each class", got=weight.shape)
    return classes


def check_labels(who: str, x: np.ndarray, target: np.ndarray, classes: int, ignore_index: int) -> None:
    """One label per position, each a class or ignore_index."""
    need_integers(who, target=target)
    expected = x.shape[:1] + x.shape[2:] if x.ndim > 1 else ()
    if target.shape != expected:
        hint = ""
        if target.size == np.prod(expected):
            hint = "Labels are one whole number per sample: drop the extra axis with .squeeze(1)."
        if x.ndim == 1 and target.shape == (1,):
            hint = "The scores are of one sample without a batch dimension: model(x[None])."
        if target.shape == x.shape:
            hint = "For one-hot labels or probabilities pass a floating-point target, or take target.argmax(1)."
        if classes == 1 and x.ndim > 1:
            hint = FOR_ONE_OUTPUT
        raise ShapeError(who=who, expected=f"target of shape {expected} for an input of shape {x.shape}",
                         got=target.shape, hint=hint)
    if target.size == 0:
        return
    # in one pass: as unsigned numbers, negative labels are large
    if target.dtype.isnative and target.view(f"u{target.itemsize}").max() < classes:
        return
    wrong = target[((target < 0) | (target >= classes)) & (target != ignore_index)]
    if wrong.size:
        worst = max(int(wrong.max()), int(wrong.min()), key=lambda label: abs(label - (classes - 1) / 2))
        from_one = int(wrong.max()) == classes and wrong.min() >= 0
        hint = f"The last layer needs {worst + 1} outputs." if worst >= classes else ""
        if from_one:
            hint = f"Are the labels counted from 1? They begin at 0. Else the last layer needs {worst + 1} outputs."
        if worst == 255:
            hint = "Where 255 marks what is not to count: ignore_index=255."
        if classes == 1:
            hint = FOR_ONE_OUTPUT
        if worst == -1 or (classes == 2 and wrong.min() == wrong.max() == -1):
            hint = ("For classes -1 and 1: (labels + 1) // 2." if classes == 2 and target.max() == 1 else
                    f"Labels begin at 0; one that is not to count is {ignore_index}, the ignore_index.")
        known = f"there are {classes} classes, 0 to {classes - 1}" if classes != 1 else "there is 1 class, 0"
        raise RangeError(f"a label is {worst}, but {known}", who=who, hint=hint)


def check_ignored(who: str, ignore_index: Any) -> None:
    if not isinstance(ignore_index, (int, np.integer)) or not -2**63 <= ignore_index < 2**63:
        raise DTypeError(who=who, expected="ignore_index, a whole number of 64 bits", got=repr(ignore_index))


def check_smoothing(who: str, label_smoothing: float) -> None:
    if not 0 <= label_smoothing <= 1:
        raise RangeError(who=who, expected="label_smoothing from 0 to 1", got=label_smoothing)


def check_cross_entropy(x: Any, target: Any, weight: Any = None, *, ignore_index: int = -100, reduction: str = "mean",
                        label_smoothing: float = 0.0) -> None:
    check_reduction("cross_entropy", reduction)
    check_ignored("cross_entropy", ignore_index)
    if getattr(x, "dtype", np.dtype("f")).kind in "iu" and getattr(target, "dtype", np.dtype("i")).kind == "f":
        raise DTypeError(who="cross_entropy", expected="input of dtype float32 or float64", got=x.dtype,
                         hint="Are the two swapped? It is cross_entropy(scores, labels).")
    classes = check_classes("cross_entropy", x, weight)
    need_array("cross_entropy", target=target)
    check_smoothing("cross_entropy", label_smoothing)
    if target.dtype.kind != "f":
        return check_labels("cross_entropy", x, target, classes, ignore_index)
    if target.shape != x.shape:
        labelled = target.shape == x.shape[:1] + x.shape[2:]
        whole = labelled and bool((target == np.trunc(target)).all())
        hint = "Labels must be whole numbers: convert them with .long()." if whole else \
            "For numbers: mse_loss, in fit loss='mse_loss', with a target of the output's shape." if labelled else ""
        raise ShapeError(who="cross_entropy", expected=f"class probabilities of input's shape {x.shape}",
                         got=target.shape, hint=hint)
    need_float("cross_entropy", input=x, target=target)
    if ignore_index >= 0:
        raise RangeError("class probabilities have no label that could be ignored", who="cross_entropy",
                         expected="no ignore_index", got=ignore_index,
                         hint="Take their rows out, or pass labels: target.argmax(1).")


def check_nll_loss(x: Any, target: Any, weight: Any = None, *, ignore_index: int = -100,
                   reduction: str = "mean") -> None:
    check_reduction("nll_loss", reduction)
    check_ignored("nll_loss", ignore_index)
    check_labels("nll_loss", x, target, check_classes("nll_loss", x, weight), ignore_index)


# ---- samples -------------------------------------------------------------------------------------
def labels(name: str, *shape: int, ignored: int = 0, weighted: bool = False, scale: float = 2.0,
           **attrs: Any) -> Sample:
    """Scores of `shape` with random labels, the first `ignored` of them equal to ignore_index."""
    rng = seeded(name)
    x = rng.standard_normal(shape) * scale
    classes = shape[0] if len(shape) == 1 else shape[1]
    target = rng.integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ())
    target.reshape(-1)[:ignored] = attrs.get("ignore_index", -100)
    return Sample(name, (x, target, rng.uniform(0.5, 2, classes) if weighted else None), attrs,
                  {"n": x.size, "C": classes})


def probabilities(name: str, *shape: int, weighted: bool = False, scale: float = 2.0, **attrs: Any) -> Sample:
    """Scores of `shape` with random class probabilities."""
    s = labels(name, *shape, weighted=weighted, scale=scale, **attrs)
    target = seeded(name + ", target").uniform(0.1, 1, shape)
    target /= target.sum(axis=1 if len(shape) > 1 else 0, keepdims=True)
    return Sample(name, (s.inputs[0], target, s.inputs[2]), attrs, s.sizes)


def label_samples() -> list[Sample]:
    return [
        labels("one sample", 1, 2),
        labels("odd", 7, 5),
        labels("one vector", 11),
        labels("image", 2, 5, 3, 7),
        labels("strip and one", 2, 3, 13, 5),
        labels("many classes", 3, 1031),
        labels("blocks", 211, 83),
        labels("empty, sum", 0, 4, reduction="sum"),
        labels("empty, none", 3, 4, 0, reduction="none"),
        labels("sum", 5, 7, reduction="sum"),
        labels("none", 5, 7, 3, reduction="none", ignored=2),
        labels("ignored", 7, 5, ignored=3),
        labels("own ignore_index", 7, 5, ignored=2, ignore_index=2),
        labels("weighted", 7, 5, weighted=True, ignored=2),
        labels("weighted image", 2, 5, 3, weighted=True),
    ]


def samples() -> list[Sample]:
    return [
        *label_samples(),
        labels("steep", 7, 13, scale=40.0, reduction="none"),
        labels("smooth", 7, 5, label_smoothing=0.1),
        labels("smooth, weighted, ignored", 7, 5, weighted=True, ignored=2, label_smoothing=0.3),
        labels("smooth image", 2, 5, 3, 7, weighted=True, ignored=4, label_smoothing=0.2),
        probabilities("probabilities", 7, 5),
        probabilities("probabilities of a vector", 11, reduction="sum"),
        probabilities("weighted probabilities", 7, 5, weighted=True, label_smoothing=0.2),
        probabilities("probabilities of an image", 2, 5, 3, 7, weighted=True, reduction="none"),
        probabilities("smooth probabilities", 3, 7, 67, label_smoothing=0.4),
    ]


# ---- errors --------------------------------------------------------------------------------------
def errors_of(name: str, function: Callable[..., Tensor]) -> tuple[Refusal, ...]:
    def call(shape: tuple[int, ...], target: Any, *args: Any, **kwargs: Any) -> Tensor:
        return function(zeros(shape), tensor(target), *args, **kwargs)

    return (
        Refusal("label too large", lambda: call((3, 4), [0, 9, 5]),
                RangeError, (name, "label is 9", "4 classes", "10 outputs")),
        Refusal("label 255", lambda: call((3, 4), [0, 255, 3]), RangeError, (name, "label is 255", "ignore_index=255")),
        Refusal("one output", lambda: call((3, 1), [0, 1, 0]),
                RangeError, (name, "label is 1", "1 class,", "binary_cross_entropy_with_logits")),
        Refusal("label negative", lambda: call((3, 4), [0, -7, 4]), RangeError, (name, "label is -7", "4 classes")),
        Refusal("label -1", lambda: call((3, 4), [0, -1, 3]), RangeError, (name, "label is -1", "ignore_index")),
        Refusal("labels -1 and 1", lambda: call((3, 2), [1, -1, 1]), RangeError, (name, "label is -1", "+ 1) // 2")),
        Refusal("no batch", lambda: call((4,), [1]), ShapeError, (name, "()", "(1,)", "x[None]")),
        Refusal("labels from 1", lambda: call((2, 4), [1, 4]),
                RangeError, (name, "label is 4", "4 classes", "begin at 0")),
        Refusal("column of labels", lambda: call((2, 4), [[1], [2]]), ShapeError, (name, "(2,)", "(2, 1)", "squeeze")),
        Refusal("one-hot integers", lambda: call((2, 2), [[1, 0], [0, 1]]), ShapeError, (name, "(2,)", "argmax")),
        Refusal("number of labels", lambda: call((2, 4), [1, 2, 3]), ShapeError, (name, "(2,)", "(3,)")),
        Refusal("integer scores", lambda: function(tensor([[1, 2]]), tensor([0])), DTypeError, (name, "int64")),
        Refusal("no class axis", lambda: call((), 0), ShapeError, (name, "(N, C)")),
        Refusal("weights", lambda: call((2, 4), [1, 2], tensor([1.0, 2.0])), ShapeError, (name, "(4,)", "(2,)")),
        Refusal("reduction", lambda: call((2, 4), [1, 2], reduction="average"),
                RangeError, (name, "'mean'", "'average'")),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_cross_entropy(x: np.ndarray, target: np.ndarray, weight: Any = None, **_: Any) -> np.ndarray:
    z = x - x.max(axis=1, keepdims=True)
    rows = np.arange(len(x))
    return np.asarray((np.log(np.exp(z).sum(axis=1)) - z[rows, target]).mean(), x.dtype)


def fast_nll_loss(x: np.ndarray, target: np.ndarray, weight: Any = None, **_: Any) -> np.ndarray:
    return np.asarray(-x[np.arange(len(x)), target].mean(), x.dtype)


# ---- records -------------------------------------------------------------------------------------
CROSS_ENTROPY = register(Op(
    name="cross_entropy", family="loss", inputs=("x", "target", "weight"),
    formula="y = mean of -w[l] log softmax(x)[l]",
    forward=kernel("cross_entropy_forward"), backward=kernel("cross_entropy_backward"),
    ref_forward=reference.cross_entropy_forward, ref_backward=reference.cross_entropy_backward,
    check=check_cross_entropy, samples=samples,
    errors=(
        *errors_of("cross_entropy", cross_entropy),
        Refusal("probabilities of another shape", lambda: cross_entropy(tensor([[0.0, 1.0]]), tensor([0.5, 0.5])),
                ShapeError, ("(1, 2)", "(2,)")),
        Refusal("labels as floats", lambda: cross_entropy(tensor([[0.0, 1.0]]), tensor([1.0])),
                ShapeError, ("(1, 2)", "long()")),
        Refusal("probabilities and ignore_index", lambda: cross_entropy(
                    tensor([[0.0, 1.0]]), tensor([[0.5, 0.5]]), ignore_index=1), RangeError, ("ignore_index", "1")),
        Refusal("numbers for labels", lambda: cross_entropy(tensor([[0.0, 1.0]]), tensor([0.5])),
                ShapeError, ("(1, 2)", "mse_loss")),
        Refusal("smoothing", lambda: cross_entropy(tensor([[0.0, 1.0]]), tensor([1]), label_smoothing=1.5),
                RangeError, ("label_smoothing", "1.5")),
    ),
    fast_numpy=fast_cross_entropy,
    bench={"2048x512": lambda: labels("2048x512", 2048, 512),
           "gpt2.vocabulary": lambda: labels("gpt2.vocabulary", 256, 50257),
           "mnist": lambda: labels("mnist", 128, 10)},
    flops=lambda n, C: 3 * n, bytes=lambda n, C: 4 * n, terms=lambda n, C: n, differentiable=("x", "target"),
    keeps_nan=("x", "target"),
))

NLL_LOSS = register(Op(
    name="nll_loss", family="loss", inputs=("x", "target", "weight"), formula="y = mean of -w[l] x[l]",
    forward=kernel("nll_loss_forward"), backward=kernel("nll_loss_backward"),
    ref_forward=reference.nll_loss_forward, ref_backward=reference.nll_loss_backward,
    check=check_nll_loss, samples=label_samples, errors=errors_of("nll_loss", nll_loss), fast_numpy=fast_nll_loss,
    bench={"2048x512": lambda: labels("2048x512", 2048, 512)},
    flops=lambda n, C: n // max(C, 1), bytes=lambda n, C: 12 * n // max(C, 1), terms=lambda n, C: n // max(C, 1),
    differentiable=("x",),
))
