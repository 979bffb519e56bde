"""Random slopes and random choices, with gradients. Composed of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import random
from ..errors import RangeError
from ..random import Generator, stream_of
from ..tensor import Tensor, wrapped
from .activation import leaky_relu
from .arithmetic import add, div, mul, sub
from .checks import need_float, renamed
from .compare import le
from .indexing import where
from .reduce import one_axis
from .softmax import softmax

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["gumbel_softmax", "rrelu"]


def rrelu(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
          inplace: bool = False, *, generator: Generator | None = None) -> Tensor:
    r"""leaky_relu with a slope that is drawn for each element while training.

    .. math:: y = x \; (x > 0), \; r x \; (\text{else}), \quad r \sim U(lower, upper)

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    lower, upper : float
        The interval of the slopes.
    training : bool
        False: the slope is the middle of the interval.
    inplace : accepted for PyTorch's sake
    generator : nn.Generator, optional
        Where the slopes come from.

    Raises
    ------
    RangeError : if lower is above upper, or one is not finite.
    DTypeError : if input is not floating point.

    Cost: three passes over the elements, and a random number for each.

    Reference: Xu, Wang, Chen, Li (2015), "Empirical evaluation of rectified activations in
    convolutional network", arXiv:1505.00853.

    >>> import fastnn as nn
    >>> nn.rrelu(nn.tensor([-3.0, 2.0]), 0.25, 0.75)
    tensor([-1.5,  2.0])
    """
    need_float("rrelu", input=input._data)
    if not -np.inf < lower <= upper < np.inf:
        raise RangeError(who="rrelu", expected="finite lower <= upper", got=f"{lower} and {upper}")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    slopes = stream_of("rrelu", generator).uniform(lower, upper, input.shape)
    return where(le(input, 0.0), mul(input, wrapped(np.asarray(slopes, input.dtype))), input)


def gumbel_softmax(logits: Tensor, tau: float | Tensor = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1,
                   **numpy: Unpack[Numpy]) -> Tensor:
    r"""A choice by logits that has a gradient: a softmax of logits and noise.

    .. math:: y = \mathrm{softmax}((x + g) / \tau), \quad g = -\ln e, \; e \sim \mathrm{Exp}(1)

    Parameters
    ----------
    logits : Tensor, float32 or float64
    tau : float
        The temperature, above 0: the lower, the nearer to a choice of one.
    hard : bool
        A one where y is largest, else zeros; the gradient stays that of y.
    eps : accepted for PyTorch's sake
    dim : int
        Along which the choice is made.

    Raises
    ------
    RangeError : if tau is not above 0, or there is no such dimension.
    DTypeError : if logits are not floating point.

    Cost: as `softmax`, and a random number and a logarithm for each element. NaN as in `softmax`.

    Reference: Jang, Gu, Poole (2017), "Categorical reparameterization with Gumbel-softmax",
    arXiv:1611.01144.

    >>> import fastnn as nn
    >>> nn.functional.gumbel_softmax(nn.tensor([[0.0, 100.0], [100.0, 0.0]]), hard=True)
    tensor([[0., 1.],
            [1., 0.]])
    """
    if numpy:
        return gumbel_softmax(logits, tau, hard, eps, **renamed("gumbel_softmax", numpy, dim=0 if dim == -1 else dim))
    need_float("gumbel_softmax", logits=logits._data)
    if not tau > 0:
        raise RangeError(who="gumbel_softmax", expected="tau > 0", got=tau)
    d = one_axis("gumbel_softmax", logits.ndim, dim)
    tiny = np.finfo(logits.dtype).tiny
    waits = np.maximum(random.generator().standard_exponential(logits.shape), tiny)
    y = softmax(div(add(logits, wrapped(np.asarray(-np.log(waits), logits.dtype))), tau), d)
    if not hard:
        return y
    chosen: Any = np.zeros(y.shape, y.dtype)
    if chosen.ndim == 0:
        chosen[...] = 1
    elif chosen.size:
        np.put_along_axis(chosen, y._data.argmax(d, keepdims=True), 1, d)
    return add(sub(wrapped(chosen), y.detach()), y)
