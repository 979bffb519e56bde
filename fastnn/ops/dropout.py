"""Dropout, element by element or by channel.

Kernel: csrc/pointwise/dropout.c. Definition: fastnn/reference/dropout.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import random
from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import dropout as reference
from ..tensor import Tensor, tensor, wrapped
from .arithmetic import add, mul
from .checks import need_float
from .indexing import where

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]


# what selu tends to far below 0: -scale alpha
LEAST = -1.7580993408473766


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    r"""Zero each element with probability p and divide the others by 1 - p, so that the mean stays.

    .. math:: y_i = \frac{k_i x_i}{1 - p}, \quad k_i \sim \mathrm{Bernoulli}(1 - p) \qquad
        dx_i = \frac{k_i dy_i}{1 - p}

    The mask k is a function of the key that nn.seed sets, the number of this call, and the number
    of the element. So it is the same after the same nn.seed, on any number of threads, and it is
    never stored.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    p : float
        Probability of dropping, 0 <= p <= 1. At 1 everything is zero.
    training : bool
        False, or p = 0: input itself is returned.
    inplace : bool
        Accepted for PyTorch's sake. The result is a new tensor.

    Raises
    ------
    RangeError : if p is not from 0 to 1.
    DTypeError : if input is not floating point, or p no number.

    Cost: reads and writes each element once, forward and backward.

    Reference: Srivastava et al. (2014), "Dropout: a simple way to prevent neural networks from
    overfitting". Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3", for the
    generator.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0])
    >>> nn.functional.dropout(x, training=False) is x
    True
    >>> nn.functional.dropout(x, 1.0)
    tensor([0., 0.])
    """
    return drop(input, probability("dropout", p), training, 1)


def dropout2d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels with probability p, and divide the others by 1 - p.

    Neighbouring pixels say nearly the same, so dropping single ones hides little.

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W) or (C, H, W)
    p, training, inplace : as in `dropout`

    Raises
    ------
    ShapeError : if input has another rank.
    RangeError, DTypeError : as `dropout`.

    Cost: as `dropout`.

    Reference: Tompson et al. (2015), "Efficient object localization using convolutional networks",
    arXiv:1411.4280.

    >>> import fastnn as nn
    >>> y = nn.functional.dropout2d(nn.tensor([[[[1.0, 1.0]], [[1.0, 1.0]]]]), 0.5)
    >>> all(channel.tolist() in ([[0.0, 0.0]], [[2.0, 2.0]]) for channel in y.data[0])
    True
    """
    p = probability("dropout2d", p)
    if input.ndim not in (3, 4):
        raise ShapeError(who="dropout2d", expected="input of shape (N, C, H, W) or (C, H, W)", got=input.shape)
    return drop(input, p, training, max(input.shape[-1] * input.shape[-2], 1))


def dropout1d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of sequences with probability p, and divide the others by 1 - p.

    Parameters
    ----------
    input : Tensor of shape (N, C, L) or (C, L)
    p, training, inplace : as in `dropout`

    Errors and cost: as `dropout2d`.

    >>> import fastnn as nn
    >>> y = nn.functional.dropout1d(nn.tensor([[[1.0, 1.0], [1.0, 1.0]]]), 0.5)
    >>> all(channel.tolist() in ([0.0, 0.0], [2.0, 2.0]) for channel in y.data[0])
    True
    """
    p = probability("dropout1d", p)
    if input.ndim not in (2, 3):
        raise ShapeError(who="dropout1d", expected="input of shape (N, C, L) or (C, L)", got=input.shape)
    return drop(input, p, training, max(input.shape[-1], 1))


def dropout3d(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Zero whole channels of volumes with probability p, and divide the others by 1 - p.

    Parameters
    ----------
    input : Tensor of shape (N, C, D, H, W) or (C, D, H, W)
    p, training, inplace : as in `dropout`

    Errors and cost: as `dropout2d`.

    >>> import fastnn as nn
    >>> y = nn.functional.dropout3d(nn.ones(2, 1, 1, 2), 0.5)
    >>> all(channel.tolist() in ([[[0.0, 0.0]]], [[[2.0, 2.0]]]) for channel in y.data)
    True
    """
    p = probability("dropout3d", p)
    if input.ndim not in (4, 5):
        raise ShapeError(who="dropout3d", expected="input of shape (N, C, D, H, W) or (C, D, H, W)", got=input.shape)
    return drop(input, p, training, max(math.prod(input.shape[-3:]), 1))


def alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    r"""Dropout for `selu`: what is dropped becomes selu's least value, then mean and variance are
    restored.

    .. math:: y = a\, (k x + (1 - k)\, \alpha') - a\, \alpha' p, \quad
        a = ((1 - p)(1 + p\, \alpha'^2))^{-1/2}, \; \alpha' = -1.7581

    k is 1 with probability 1 - p. Elements with mean 0 and variance 1 keep these.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    p, training, inplace : as in `dropout`
        At p = 1 everything is zero.

    Raises
    ------
    RangeError : if p is not from 0 to 1.
    DTypeError : if input is not floating point, or p no number.

    Cost: four passes over the elements.

    Reference: Klambauer et al. (2017), "Self-normalizing neural networks", arXiv:1706.02515.

    >>> import fastnn as nn
    >>> y = nn.functional.alpha_dropout(nn.zeros(1000), 0.5, training=True)
    >>> [f"{value:.4f}" for value in nn.unique(y).tolist()]
    ['-0.7792', '0.7792']
    """
    return drop_to_least("alpha_dropout", input, p, training, input.shape)


def feature_alpha_dropout(input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False) -> Tensor:
    """alpha_dropout of whole channels.

    Parameters
    ----------
    input : Tensor of shape (N, C, ...), float32 or float64
    p, training, inplace : as in `alpha_dropout`

    Raises
    ------
    ShapeError : if there are fewer than two dimensions, in training.
    RangeError, DTypeError : as `alpha_dropout`.

    Cost: as `alpha_dropout`.

    >>> import fastnn as nn
    >>> y = nn.functional.feature_alpha_dropout(nn.zeros(1, 100, 3), 0.5, training=True)
    >>> len(nn.unique(y)), nn.equal(y[..., 0], y[..., 2])
    (2, True)
    """
    if input.ndim < 2 and training and p != 0:
        raise ShapeError(who="feature_alpha_dropout", expected="input of shape (N, C, ...)", got=input.shape)
    return drop_to_least("feature_alpha_dropout", input, p, training, input.shape[:2] + (1,) * (input.ndim - 2))


# ---- what the functions share --------------------------------------------------------------------
def probability(who: str, p: Any) -> float:
    """p as a float; an error unless 0 <= p <= 1."""
    try:
        value = float(p)
    except (TypeError, ValueError):
        raise DTypeError(who=who, expected="p as a number", got=repr(p)) from None
    if not 0 <= value <= 1:
        raise RangeError(who=who, expected="a probability 0 <= p <= 1", got=p)
    return value


def drop(input: Tensor, p: float, training: bool, span: int) -> Tensor:
    """Each run of `span` neighbouring elements is kept or dropped as one."""
    if not training or p == 0:
        return input
    key, call = random.next_dropout_key()
    return apply(DROPOUT, input, p=p, key=key, call=call, span=span)


def drop_to_least(who: str, input: Tensor, p: Any, training: bool, shape: tuple[int, ...]) -> Tensor:
    """alpha_dropout with one number for each element of a shape that broadcasts to input's."""
    need_float(who, input=input._data)
    p = probability(who, p)
    if not training or p == 0:
        return input
    if p == 1:
        return mul(input, 0.0)
    kept = wrapped(np.asarray(drop(wrapped(np.ones(shape, input.dtype)), p, True, 1)._data != 0))
    a = 1 / math.sqrt((1 - p) * (1 + p * LEAST**2))
    return where(kept, add(mul(input, a), -a * LEAST * p), a * LEAST * (1 - p))


# ---- samples -------------------------------------------------------------------------------------
def draw(name: str, *shape: int, p: float = 0.2, key: int = 2**40 + 7, call: int = 3, span: int = 1) -> Sample:
    x = seeded(name).standard_normal(shape)
    return Sample(name, (x,), {"p": p, "key": key, "call": call, "span": span}, {"n": x.size, "span": span})


def samples() -> list[Sample]:
    # 1 / (1 - 0.2) and 1 / (1 - 0.75) are short in binary, so that the integer law can hold
    return [
        draw("one", 1, p=0.5, call=2),
        draw("odd", 3, 5, 7),
        draw("counters", 2, 131),
        draw("mostly", 33, p=0.75),
        draw("channels", 3, 5, 7, 2, span=14),
        draw("large numbers", 17, p=0.5, key=2**63 - 1, call=2**33 + 1),
        draw("empty", 0, 4),
        draw("blocks", 2, 20011),
    ]


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, *, p: float, key: int, call: int, span: int) -> np.ndarray:
    """NumPy's own generator: the same law of chance, other bits."""
    mask = np.random.default_rng([key, call]).random(x.size // span, np.float32) >= p
    y = x.reshape(-1, span) * (mask[:, None] * np.float32(1 / (1 - p)))
    return y.reshape(x.shape).astype(x.dtype, copy=False)


# ---- records -------------------------------------------------------------------------------------
DROPOUT = register(Op(
    name="dropout", family="dropout", inputs=("x",), formula="y = x keep / (1 - p), P(keep) = 1 - p",
    forward=kernel("dropout_forward"), backward=kernel("dropout_backward"),
    ref_forward=reference.dropout_forward, ref_backward=reference.dropout_backward,
    check=lambda x, **_: need_float("dropout", x=x),
    samples=samples,
    errors=(
        Refusal("p above 1", lambda: dropout(tensor([1.0]), 1.5), RangeError, ("dropout", "0 <= p <= 1", "1.5")),
        Refusal("p below 0", lambda: dropout(tensor([1.0]), -0.1, training=False),
                RangeError, ("dropout", "0 <= p <= 1", "-0.1")),
        Refusal("p is NaN", lambda: dropout(tensor([1.0]), math.nan), RangeError, ("dropout", "0 <= p <= 1", "nan")),
        # wrong on purpose, for types too
        Refusal("p is text", lambda: dropout(tensor([1.0]), "half"),    # type: ignore[arg-type]
                DTypeError, ("dropout", "a number", "half")),
        Refusal("integers", lambda: dropout(tensor([1, 2])), DTypeError, ("dropout", "int64", "float32")),
        Refusal("rank", lambda: dropout2d(tensor(np.zeros((2, 3)))),
                ShapeError, ("dropout2d", "(N, C, H, W)", "(2, 3)")),
        Refusal("2d p", lambda: dropout2d(tensor(np.zeros((1, 1, 2, 2))), 2),
                RangeError, ("dropout2d", "0 <= p <= 1", "2")),
    ),
    fast_numpy=fast_numpy,
    bench={"gpt.block": lambda: draw("gpt.block", 8, 256, 384),
           "alexnet.fc": lambda: draw("alexnet.fc", 128, 4096, p=0.5),
           "channels": lambda: draw("channels", 32, 64, 28, 28, span=784)},
    flops=lambda n, span: 2 * n, bytes=lambda n, span: 8 * n, linear_in=("x",),
))
