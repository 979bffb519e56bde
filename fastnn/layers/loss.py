"""Losses as layers: each calls the function of the same meaning in nn.functional.

x is what the model gives, t the target. reduction is "mean", "sum" or "none" (one loss per element
or sample). Gradients, costs and errors stand at the functions; an unknown reduction or an argument
out of range raises RangeError when the loss is made, shapes that differ raise ShapeError when it is
called.
"""

from __future__ import annotations

from inspect import signature
from typing import Any, ClassVar, NoReturn

from .. import functional as F
from ..errors import DTypeError, RangeError
from ..ops.checks import legacy
from ..ops.cross_entropy import check_ignored, check_reduction, check_smoothing
from ..tensor import Tensor
from .module import Module
from .sizes import need_above

__all__ = ["BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CosineEmbeddingLoss", "CrossEntropyLoss", "GaussianNLLLoss",
           "HingeEmbeddingLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "MarginRankingLoss",
           "MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultiMarginLoss", "NLLLoss",
           "NLLLoss2d", "PoissonNLLLoss", "SmoothL1Loss", "SoftMarginLoss", "TripletMarginLoss",
           "TripletMarginWithDistanceLoss"]


class _Loss(Module):
    """What all losses share: the reduction."""

    reductions: ClassVar[tuple[str, ...]] = ("none", "mean", "sum")

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__()
        for given in (size_average, reduce, reduction):
            if hasattr(given, "shape"):
                self._refuse_call(given)
        self.reduction = legacy(type(self).__name__, size_average, reduce, reduction)
        check_reduction(type(self).__name__, self.reduction, self.reductions)

    def _refuse_call(self, got: Any) -> NoReturn:
        """The arguments are those of a call."""
        name = type(self).__name__
        raise DTypeError(who=name, expected="options", got=type(got).__name__,
                         hint=f"A loss is made first and called then: nn.{name}()(output, target).")

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={_shown(getattr(self, name))}" for name, default in self._options().items()
                         if getattr(self, name) is not default and getattr(self, name) != default)

    def _options(self) -> dict[str, Any]:
        """{argument of __init__: its default}."""
        return {name: p.default for name, p in signature(type(self)).parameters.items() if hasattr(self, name)}


def _shown(value: Any) -> str:
    """An option in a repr: numbers and words as they are, of a tensor its shape."""
    return f"<{', '.join(map(str, value.shape))}>" if isinstance(value, Tensor) else repr(value)


class MSELoss(_Loss):
    """Squared error, (x - t)^2. x and t of one shape.

    >>> import fastnn as nn
    >>> nn.MSELoss()(nn.tensor([1.0, 2.0]), nn.tensor([1.0, 5.0]))
    tensor(4.5)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """Absolute error, |x - t|. x and t of one shape.

    >>> import fastnn as nn
    >>> nn.L1Loss()(nn.tensor([1.0, 2.0]), nn.tensor([1.0, 5.0]))
    tensor(1.5)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """(x - t)^2 / (2 beta) where |x - t| < beta, |x - t| - beta / 2 elsewhere. Girshick (2015).

    >>> import fastnn as nn
    >>> nn.SmoothL1Loss(reduction="none")(nn.tensor([0.5, 3.0]), nn.zeros(2))
    tensor([0.125, 2.500])
    """

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                 beta: float = 1.0) -> None:
        super().__init__(size_average, reduce, reduction)
        if not beta >= 0:
            raise RangeError(who=type(self).__name__, expected="beta of at least 0", got=beta)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """(x - t)^2 / 2 where |x - t| < delta, delta (|x - t| - delta / 2) elsewhere. Huber (1964).

    >>> import fastnn as nn
    >>> nn.HuberLoss(reduction="none", delta=2.0)(nn.tensor([1.0, 3.0]), nn.zeros(2))
    tensor([0.5, 4.0])
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        need_above(type(self).__name__, delta=delta)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class CrossEntropyLoss(_Loss):
    """-log softmax(x)[t]: takes logits, not probabilities.

    Parameters
    ----------
    weight : array-like (C,), optional
        A factor for each class; the mean is then the weighted one.
    ignore_index : int
        Samples of this class count nothing.
    reduction : "mean", "sum" or "none"
    label_smoothing : float
        This share of each target is spread evenly over the classes. Szegedy et al. (2016).

    Shapes: x (N, C) and t (N,) class numbers, or (N, C) class probabilities; x (N, C, H, W) and t
    (N, H, W) for a class per pixel. RangeError for a class number that is not below C.

    >>> import fastnn as nn
    >>> nn.CrossEntropyLoss()(nn.zeros(8, 10), nn.zeros(8, dtype="int64"))      # log 10: chance
    tensor(2.3026)
    """

    def __init__(self, weight: Any = None, size_average: bool | None = None, ignore_index: int = -100,
                 reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0) -> None:
        super().__init__(size_average, reduce, reduction)
        if isinstance(ignore_index, Tensor):
            self._refuse_call(ignore_index)
        check_smoothing(type(self).__name__, label_smoothing)
        check_ignored(type(self).__name__, ignore_index)
        self.register_buffer("weight", weight)
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(input, target, weight=self.weight, ignore_index=self.ignore_index,
                               reduction=self.reduction, label_smoothing=self.label_smoothing)


class NLLLoss(_Loss):
    """-x[t] for log-probabilities x, as log_softmax gives them. Arguments and shapes: see
    CrossEntropyLoss.

    >>> import fastnn as nn
    >>> nn.NLLLoss()(nn.tensor([[-0.5, -1.0]]), nn.tensor([1]))
    tensor(1.)
    """

    def __init__(self, weight: Any = None, size_average: bool | None = None, ignore_index: int = -100,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        check_ignored(type(self).__name__, ignore_index)
        self.register_buffer("weight", weight)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


NLLLoss2d = NLLLoss                                 # PyTorch's older name for pixels


class CTCLoss(_Loss):
    """Minus the logarithm of the probability of a sequence of labels, at whatever times.

    Called with log_probs (T, N, C), targets (N, S), and the lengths of both: see
    nn.functional.ctc_loss. Graves et al. (2006).

    >>> import fastnn as nn
    >>> log_probs = nn.log_softmax(nn.zeros(5, 2, 3), 2)
    >>> nn.CTCLoss(reduction="none")(log_probs, nn.tensor([[1, 2], [2, 2]]), (5, 5), (2, 2))
    tensor([1.9377, 2.7850])
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        if not isinstance(blank, int):
            self._refuse_call(blank)
        super().__init__(reduction=reduction)
        self.blank, self.zero_infinity = blank, zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any) -> Tensor:
        return F.ctc_loss(log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction,
                          self.zero_infinity)


class BCELoss(_Loss):
    """-t log x - (1 - t) log(1 - x) for probabilities x. BCEWithLogitsLoss is the accurate one.

    x and t of one shape, from 0 to 1 (else RangeError); weight is a factor that broadcasts to it.

    >>> import fastnn as nn
    >>> nn.BCELoss()(nn.tensor([0.5]), nn.tensor([1.0]))
    tensor(0.6931)
    """

    def __init__(self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """Binary cross-entropy of sigmoid(x), without overflow.

    x and t of one shape; weight is a factor that broadcasts to it, pos_weight a factor of the
    positive targets alone: above 1 it makes good that they are rare.

    >>> import fastnn as nn
    >>> nn.BCEWithLogitsLoss()(nn.tensor([-1000.0, 0.0]), nn.tensor([0.0, 1.0]))
    tensor(0.3466)
    """

    def __init__(self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean", pos_weight: Any = None) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(input, target, weight=self.weight, reduction=self.reduction,
                                                  pos_weight=self.pos_weight)


class KLDivLoss(_Loss):
    """Kullback-Leibler divergence, t (log t - x), for log-probabilities x and probabilities t.

    reduction="batchmean" sums over a sample's elements and takes the mean over samples, which is
    the divergence; "mean" divides by all elements. log_target: t are log-probabilities too.

    >>> import fastnn as nn
    >>> nn.KLDivLoss(reduction="batchmean")(nn.tensor([[0.5, 0.5]]).log(), nn.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    reductions = ("none", "mean", "batchmean", "sum")

    def __init__(self, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
                 log_target: bool = False) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)

class _MarginLoss(_Loss):
    """A loss of which pairs have no part that are further apart than a margin."""

    def __init__(self, margin: float = 0.0, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class MarginRankingLoss(_MarginLoss):
    """max(0, -t (x1 - x2) + margin): x1 and x2 are scores, t is 1 where the first should be larger.

    >>> import fastnn as nn
    >>> nn.MarginRankingLoss()(nn.tensor([1.0]), nn.tensor([3.0]), nn.tensor([1.0]))
    tensor(2.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, self.margin, reduction=self.reduction)


class HingeEmbeddingLoss(_Loss):
    """x where t = 1, max(0, margin - x) where t = -1, for distances x of pairs.

    >>> import fastnn as nn
    >>> nn.HingeEmbeddingLoss()(nn.tensor([0.25]), nn.tensor([-1.0]))
    tensor(0.75)
    """

    def __init__(self, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """1 - cos(x1, x2) where t = 1, max(0, cos(x1, x2) - margin) where t = -1.

    x1 and x2 (N, D), t (N,).

    >>> import fastnn as nn
    >>> nn.CosineEmbeddingLoss()(nn.tensor([[1.0, 0.0]]), nn.tensor([[0.0, 2.0]]), nn.tensor([1.0]))
    tensor(1.)
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, self.margin, reduction=self.reduction)


class TripletMarginLoss(_Loss):
    """max(0, d(anchor, positive) - d(anchor, negative) + margin); each (N, D).

    Schroff, Kalenichenko, Philbin (2015).

    >>> import fastnn as nn
    >>> nn.TripletMarginLoss()(nn.zeros(1, 2), nn.zeros(1, 2), nn.ones(1, 2) * 3)
    tensor(0.)
    """

    def __init__(self, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
                 size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        need_above(type(self).__name__, margin=margin)
        self.margin, self.p, self.eps, self.swap = margin, p, eps, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(anchor, positive, negative, self.margin, self.p, self.eps, self.swap,
                                     reduction=self.reduction)


class TripletMarginWithDistanceLoss(_Loss):
    """TripletMarginLoss with a distance of one's own, which may be a module.

    >>> import fastnn as nn
    >>> nn.TripletMarginWithDistanceLoss()(nn.zeros(1, 2), nn.zeros(1, 2), nn.ones(1, 2) * 3)
    tensor(0.)
    """

    def __init__(self, *, distance_function: Any = None, margin: float | Tensor = 1.0, swap: bool = False,
                 reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        need_above(type(self).__name__, margin=margin)
        self.distance_function, self.margin, self.swap = distance_function, margin, swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(anchor, positive, negative, distance_function=self.distance_function,
                                                   margin=self.margin, swap=self.swap, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """ln(1 + e^(-t x)), for scores x and targets of 1 and -1.

    >>> import fastnn as nn
    >>> nn.SoftMarginLoss()(nn.tensor([0.0]), nn.tensor([1.0]))
    tensor(0.6931)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_Loss):
    """The mean over classes of the binary cross-entropy; x and t (N, C).

    >>> import fastnn as nn
    >>> nn.MultiLabelSoftMarginLoss()(nn.tensor([[0.0, 0.0]]), nn.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """

    def __init__(self, weight: Any = None, size_average: bool | None = None, reduce: bool | None = None,
                 reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, self.weight, reduction=self.reduction)


class MultiMarginLoss(_Loss):
    """The right class should have the largest score, by a margin; x (N, C), t (N,) of labels.

    >>> import fastnn as nn
    >>> nn.MultiMarginLoss()(nn.tensor([[0.0, 0.5, 3.0, 0.25]]), nn.tensor([2]))
    tensor(0.)
    """

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Any = None, size_average: bool | None = None,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        if p not in (1, 2):
            raise RangeError(who=type(self).__name__, expected="p 1 or 2", got=p)
        self.p, self.margin = p, margin
        self.register_buffer("weight", weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(input, target, self.p, self.margin, self.weight, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """Every right class above every other, by 1; x and t (N, C), in t the right ones and then -1.

    >>> import fastnn as nn
    >>> nn.MultiLabelMarginLoss()(nn.tensor([[0.0, 2.0, 4.0]]), nn.tensor([[2, -1, 0]]))
    tensor(0.)
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class GaussianNLLLoss(_Loss):
    """(ln v + (x - t)^2 / v) / 2, for predicted means x and variances v; full adds ln(2 pi) / 2.

    >>> import fastnn as nn
    >>> nn.GaussianNLLLoss()(nn.tensor([1.0]), nn.tensor([3.0]), nn.tensor([4.0]))
    tensor(1.1931)
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        need_above(type(self).__name__, eps=eps)
        self.full, self.eps = full, eps

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, self.full, self.eps, reduction=self.reduction)


class PoissonNLLLoss(_Loss):
    """e^x - t x for logarithms of rates x and counts t; without log_input x - t ln(x + eps).

    >>> import fastnn as nn
    >>> nn.PoissonNLLLoss()(nn.tensor([0.0]), nn.tensor([2.0]))
    tensor(1.)
    """

    def __init__(self, log_input: bool = True, full: bool = False, size_average: bool | None = None, eps: float = 1e-8,
                 reduce: bool | None = None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input, self.full, self.eps = log_input, full, eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(log_input, target, self.log_input, self.full, eps=self.eps, reduction=self.reduction)
