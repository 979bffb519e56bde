"""Batch normalisation, alone and with relu after it.

Kernels: csrc/norm/batch_norm.c. Definitions: fastnn/reference/norm.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..autograd import apply, no_grad
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..moved import moved_names
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import norm as reference
from ..tensor import Tensor, tensor
from .checks import at_least_zero, need_constants
from .norm import CANCELLATION, check_channels, images

__all__ = ["batch_norm", "batch_norm_relu"]


def batch_norm(input: Tensor, running_mean: Any, running_var: Any, weight: Tensor | None = None,
               bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Tensor:
    r"""Standardise each channel over the batch, or by running statistics; then scale and shift.

    .. math:: y = (x - \mathrm{E}[x]) / \sqrt{\mathrm{Var}[x] + \epsilon} \cdot weight_c + bias_c

    In training the mean and the variance are the batch's; the variance is divided by the number m
    of values per channel. Gradients flow through both, as in `layer_norm` for a channel in the
    place of a row; an infinity or a NaN makes its channel NaN. When the result is there, the
    running statistics move towards them, in place:

        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var  = (1 - momentum) * running_var  + momentum * var * m / (m - 1)

    Parameters
    ----------
    input : Tensor of shape (N, C), (N, C, L), (N, C, H, W) or of higher rank
        float32 or float64.
    running_mean, running_var : Tensor or array of shape (C,)
        In training they may be None.
    weight, bias : Tensor of shape (C,), optional
    training : bool
        Whether to take the batch's statistics.
    momentum : float
        The share of the new batch in the running statistics.
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor of the input's shape. An empty batch leaves the running statistics as they are.

    Raises
    ------
    ShapeError : in training, if there is only one value per channel; otherwise, if running
        statistics are missing; always, if sizes differ.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 7 flop per element; bound by memory.

    Reference: Ioffe, Szegedy (2015), "Batch normalization", arXiv:1502.03167.

    >>> import fastnn as nn
    >>> mean, var = nn.tensor([0.0]), nn.tensor([1.0])
    >>> nn.functional.batch_norm(nn.tensor([[1.0], [3.0]]), mean, var, training=True)
    tensor([[-1.],
            [ 1.]])
    >>> mean, var
    (tensor([0.2]), tensor([1.1]))
    """
    return normalise(BATCH_NORM, BATCH_NORM_INFERENCE, input, running_mean, running_var, weight, bias, training,
                     momentum, eps)


def batch_norm_relu(input: Tensor, running_mean: Any, running_var: Any, weight: Tensor | None = None,
                    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1,
                    eps: float = 1e-5) -> Tensor:
    r"""relu(batch_norm(...)) in one pass.

    .. math:: y = \max(z, 0), \quad z = \mathrm{batch\_norm}(x) \qquad dz = dy \, [z > 0]

    and from dz the gradients of batch_norm. nn.Sequential runs BatchNorm1d or BatchNorm2d and ReLU
    so by itself. Evaluated with running statistics, an infinite element times a dz of 0 is NaN in
    weight's gradient, as in PyTorch.

    Parameters and errors: as `batch_norm`, and so are the running statistics.

    Cost: 8 flop per element; bound by memory. What is read and written is what batch_norm alone
    takes: backward needs no y, for it tells from x where z was positive.

    >>> import fastnn as nn
    >>> nn.functional.batch_norm_relu(nn.tensor([[1.0], [3.0]]), None, None, training=True)
    tensor([[0.],
            [1.]])
    """
    return normalise(BATCH_NORM_RELU, BATCH_NORM_INFERENCE_RELU, input, running_mean, running_var, weight, bias,
                     training, momentum, eps)


# ---- what the functions share --------------------------------------------------------------------
def normalise(by_batch: Op, by_given: Op, input: Tensor, running_mean: Any, running_var: Any, weight: Tensor | None,
              bias: Tensor | None, training: bool, momentum: float, eps: float) -> Tensor:
    """One of the two ops, and the running statistics moved in training."""
    who = by_batch.name
    if getattr(running_mean, "_requires_grad", False) or getattr(running_var, "_requires_grad", False):
        need_constants(who, running_mean=running_mean, running_var=running_var)
    if not training:
        if running_mean is None or running_var is None:
            raise ShapeError(who=who, expected="running_mean and running_var when training=False", got=None,
                             hint="Pass training=True to normalise by the batch's own statistics.")
        return apply(by_given, input, running_mean, running_var, weight, bias, eps=at_least_zero(who, eps))
    x: Any = getattr(input, "_data", input)
    check_channels(who, x, running_mean=getattr(running_mean, "_data", running_mean),
                   running_var=getattr(running_var, "_data", running_var))
    momentum = float(momentum)
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if running is not None and not getattr(running, "_data", running).flags.writeable:
            raise RangeError(who=who, expected=f"{name} in memory that may be written to", got="a read-only array",
                             hint="Give a copy.")           # before one of the two has moved
    eps = at_least_zero(who, eps)
    if eps == 0:                                    # a channel of equal values has no variance
        raise RangeError(who=who, expected="eps > 0 in training", got=eps)
    y, mean, var = apply(by_batch, input, weight, bias, eps=eps)
    if x.size > 0:
        m = x.size // x.shape[1]
        blend(running_mean, mean._data, momentum)
        blend(running_var, var._data * (m / (m - 1)), momentum)
    return y


def blend(running: Any, batch: np.ndarray, momentum: float) -> None:
    """running = (1 - momentum) * running + momentum * batch, in place, counted as a change where it
    is a tensor. A factor of 0 leaves its part out, infinite or not.
    """
    if momentum == 0 or running is None:
        return
    before = running._data if isinstance(running, Tensor) else running
    after = batch if momentum == 1 else (1 - momentum) * before + momentum * batch
    if isinstance(running, Tensor):
        with no_grad():
            running.copy_(after)
    else:
        np.copyto(running, after, casting="same_kind")


# ---- checks --------------------------------------------------------------------------------------
def check_batch(who: str, x: Any, weight: Any, bias: Any, eps: float) -> None:
    check_channels(who, x, weight=weight, bias=bias)
    if x.size == x.shape[1] > 0:
        raise ShapeError("expected more than 1 value per channel when training", who=who,
                         got=f"input of shape {x.shape}",
                         hint="One value has no variance: use a larger batch, or model.eval().")


def check_given(who: str, x: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, eps: float) -> None:
    check_channels(who, x, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)


# ---- samples -------------------------------------------------------------------------------------
def batch_samples() -> list[Sample]:
    return [
        images("smallest", 2, 1, eps=0.5),
        images("odd", 3, 5, 7, 11),
        images("rank 2", 7, 67),
        images("rank 3", 3, 5, 7),
        images("one image", 1, 3, 5, 2),
        images("plain", 3, 2, 4, weight=False, bias=False),
        images("no bias", 5, 3, bias=False),
        images("tall", 1031, 3),
        images("long", 2, 2, 5003),
        images("no channels", 5, 0, 2),
        images("mean", 5, 3, 13, mean=100.0),
        images("large", 5, 3, scale=20.0),
        images("eps", 3, 2, 4, eps=2.0),
        images("few pixels", 19, 21, 4, 4),
    ]


def lifted(samples: list[Sample]) -> list[Sample]:
    """The few values of the smallest samples moved above zero, where relu has a gradient."""
    return [Sample(s.name, (*s.inputs[:-1], s.inputs[-1] + 5), s.attrs, s.sizes) if s.name in ("smallest", "one") else s
            for s in samples]


def with_statistics(s: Sample) -> Sample:
    """The same sample with a running mean and a running variance."""
    x, w, b = s.inputs
    rng = seeded("statistics of " + s.name)
    near = x.mean() if x.size else 0.0
    statistics = near + rng.standard_normal(x.shape[1]), rng.uniform(0.5, 2.0, x.shape[1])
    return Sample(s.name, (x, *statistics, w, b), s.attrs, s.sizes)


def inference_samples() -> list[Sample]:
    return [with_statistics(s) for s in [images("one", 1, 1), images("empty", 0, 3, 2), *batch_samples()]]


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_batch_norm(x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    axes = (0, *range(2, x.ndim))
    mean, var = x.mean(axes), x.var(axes)
    scale = 1 / np.sqrt(var + eps) if weight is None else weight / np.sqrt(var + eps)
    y = x * reference.along(scale, x, 1)
    y += reference.along((0 if bias is None else bias) - mean * scale, x, 1)
    return y, mean, var


def fast_batch_norm_relu(x: Any, weight: Any, bias: Any, *, eps: float) -> Any:
    y, mean, var = fast_batch_norm(x, weight, bias, eps=eps)
    return np.maximum(y, 0), mean, var


def fast_batch_norm_inference(x: Any, running_mean: Any, running_var: Any, weight: Any, bias: Any, *,
                              eps: float) -> Any:
    scale = 1 / np.sqrt(running_var + eps) if weight is None else weight / np.sqrt(running_var + eps)
    y = x * reference.along(scale, x, 1)
    y += reference.along((0 if bias is None else bias) - running_mean * scale, x, 1)
    return y


# ---- records -------------------------------------------------------------------------------------
BATCH_NORM = register(Op(
    name="batch_norm", family="normalisation", inputs=("x", "weight", "bias"),
    formula="y = (x - mean) / sqrt(var + eps) * weight + bias, mean and var of each channel; gives mean and var too",
    forward=kernel("batch_norm_forward"), backward=kernel("batch_norm_backward"),
    ref_forward=reference.batch_norm_forward, ref_backward=reference.batch_norm_backward,
    check=partial(check_batch, "batch_norm"), samples=batch_samples,
    errors=(
        Refusal("one value", lambda: batch_norm(tensor(np.zeros((1, 3, 1, 1))), None, None, training=True),
                ShapeError, ("batch_norm", "more than 1 value per channel when training", "(1, 3, 1, 1)")),
        Refusal("rank", lambda: batch_norm(tensor(np.zeros(3)), None, None, training=True),
                ShapeError, ("(N, C)", "(3,)")),
        Refusal("weight", lambda: batch_norm(tensor(np.zeros((2, 3))), None, None, tensor(np.zeros(2)), training=True),
                ShapeError, ("weight of shape (3,)", "(2,)")),
        Refusal("running", lambda: batch_norm(tensor(np.zeros((2, 3))), tensor(np.zeros(2)), None, training=True),
                ShapeError, ("running_mean of shape (3,)", "(2,)")),
        Refusal("eps below 0", lambda: batch_norm(tensor(np.ones((2, 3))), None, None, training=True, eps=-0.5),
                RangeError, ("batch_norm", "eps >= 0", "-0.5")),
        Refusal("integers", lambda: batch_norm(tensor([[1, 2], [3, 4]]), None, None, training=True),
                DTypeError, ("batch_norm", "int64")),
    ),
    fast_numpy=fast_batch_norm,
    bench={"32x64x56x56": lambda: images("32x64x56x56", 32, 64, 56, 56)},
    flops=lambda N, C, S: 7 * N * C * S, bytes=lambda N, C, S: 4 * (2 * N * C * S + 7 * C),
    terms=lambda N, C, S: N * S, slack=CANCELLATION, keeps_nan=("x", "weight"),
))

BATCH_NORM_RELU = register(Op(
    name="batch_norm_relu", family="normalisation", inputs=("x", "weight", "bias"),
    formula="y = max(batch_norm(x, weight, bias), 0); gives mean and var too",
    forward=kernel("batch_norm_relu_forward"), backward=kernel("batch_norm_relu_backward"),
    ref_forward=reference.batch_norm_relu_forward, ref_backward=reference.batch_norm_relu_backward,
    check=partial(check_batch, "batch_norm_relu"), samples=lambda: lifted(batch_samples()),
    errors=(
        Refusal("one value", lambda: batch_norm_relu(tensor(np.zeros((1, 3, 1, 1))), None, None, training=True),
                ShapeError, ("batch_norm_relu", "more than 1 value per channel when training", "(1, 3, 1, 1)")),
        Refusal("weight", lambda: batch_norm_relu(tensor(np.zeros((2, 3))), None, None, tensor(np.zeros(2)),
                                                  training=True),
                ShapeError, ("batch_norm_relu", "weight of shape (3,)", "(2,)")),
        Refusal("running", lambda: batch_norm_relu(tensor(np.zeros((2, 3))), tensor(np.zeros(2)), None, training=True),
                ShapeError, ("batch_norm_relu", "running_mean of shape (3,)", "(2,)")),
    ),
    fast_numpy=fast_batch_norm_relu, bench=BATCH_NORM.bench,
    flops=lambda N, C, S: 8 * N * C * S, bytes=BATCH_NORM.bytes, terms=BATCH_NORM.terms, slack=CANCELLATION,
    keeps_nan=("x", "weight"),
))

BATCH_NORM_INFERENCE = register(Op(
    name="batch_norm_inference", family="normalisation", inputs=("x", "running_mean", "running_var", "weight", "bias"),
    formula="y = (x - running_mean) / sqrt(running_var + eps) * weight + bias", differentiable=("x", "weight", "bias"),
    forward=kernel("batch_norm_inference_forward"), backward=kernel("batch_norm_inference_backward"),
    ref_forward=reference.batch_norm_inference_forward, ref_backward=reference.batch_norm_inference_backward,
    check=partial(check_given, "batch_norm"), samples=inference_samples,
    errors=(
        Refusal("none", lambda: batch_norm(tensor(np.zeros((2, 3))), None, None),
                ShapeError, ("batch_norm", "running_mean and running_var")),
        Refusal("size", lambda: batch_norm(tensor(np.zeros((2, 3))), tensor(np.zeros(3)), tensor(np.ones(2))),
                ShapeError, ("running_var of shape (3,)", "(2,)")),
    ),
    fast_numpy=fast_batch_norm_inference,
    bench={"32x64x56x56": lambda: with_statistics(images("32x64x56x56", 32, 64, 56, 56))},
    flops=lambda N, C, S: 3 * N * C * S, bytes=lambda N, C, S: 4 * (2 * N * C * S + 4 * C), terms=lambda N, C, S: N * S,
))

BATCH_NORM_INFERENCE_RELU = register(Op(
    name="batch_norm_inference_relu", family="normalisation", inputs=BATCH_NORM_INFERENCE.inputs,
    formula="y = max(batch_norm_inference(x, running_mean, running_var, weight, bias), 0)",
    differentiable=("x", "weight", "bias"),
    forward=kernel("batch_norm_inference_relu_forward"), backward=kernel("batch_norm_inference_relu_backward"),
    ref_forward=reference.batch_norm_inference_relu_forward, ref_backward=reference.batch_norm_inference_relu_backward,
    check=partial(check_given, "batch_norm_relu"), samples=lambda: lifted(inference_samples()),
    errors=(
        Refusal("none", lambda: batch_norm_relu(tensor(np.zeros((2, 3))), None, None),
                ShapeError, ("batch_norm_relu", "running_mean and running_var")),
        Refusal("size", lambda: batch_norm_relu(tensor(np.zeros((2, 3))), tensor(np.zeros(3)), tensor(np.ones(2))),
                ShapeError, ("batch_norm_relu", "running_var of shape (3,)", "(2,)")),
    ),
    fast_numpy=lambda *inputs, eps: np.maximum(fast_batch_norm_inference(*inputs, eps=eps), 0),
    bench=BATCH_NORM_INFERENCE.bench, flops=lambda N, C, S: 4 * N * C * S, bytes=BATCH_NORM_INFERENCE.bytes,
    terms=BATCH_NORM_INFERENCE.terms, keeps_nan=("x", "weight"),
))


moved_names(__name__)
