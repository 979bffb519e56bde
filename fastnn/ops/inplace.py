"""Activations in place, under PyTorch's names with a final underscore: they write into their input
and return it. The tape follows, as it follows every write.
"""

from __future__ import annotations

from ..methods import changed
from ..random import Generator
from ..tensor import Tensor
from .activation import elu, hardtanh, leaky_relu, relu, selu, threshold
from .chance import rrelu
from .composed import celu

__all__ = ["celu_", "elu_", "hardtanh_", "leaky_relu_", "relu_", "rrelu_", "selu_", "threshold_"]

# what a parameter is called in `threshold_`
_threshold = threshold


def relu_(input: Tensor) -> Tensor:
    """relu in place.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64

    Raises
    ------
    GraphError : if input is a leaf that requires a gradient, or a view of one.
    DTypeError : if input is not floating point.

    Cost: as the function without the underscore, and a copy.

    >>> import fastnn as nn
    >>> x = nn.tensor([-1.0, 2.0])
    >>> nn.functional.relu_(x) is x, x
    (True, tensor([0., 2.]))
    """
    return changed(input, "relu_", relu)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """leaky_relu in place.

    Parameters
    ----------
    input : as in `relu_`
    negative_slope : as in `leaky_relu`

    Errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.leaky_relu_(nn.tensor([-1.0, 2.0]), 0.5)
    tensor([-0.5,  2.0])
    """
    return changed(input, "leaky_relu_", leaky_relu, negative_slope)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """elu in place.

    Parameters
    ----------
    input : as in `relu_`
    alpha : as in `elu`

    Errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.elu_(nn.tensor([-100.0, 2.0]), 0.5)
    tensor([-0.5,  2.0])
    """
    return changed(input, "elu_", elu, alpha)


def selu_(input: Tensor) -> Tensor:
    """selu in place. Parameters, errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.selu_(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """
    return changed(input, "selu_", selu)


def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """celu in place.

    Parameters
    ----------
    input : as in `relu_`
    alpha : as in `celu`

    Errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.celu_(nn.tensor([-100.0, 2.0]), 0.5)
    tensor([-0.5,  2.0])
    """
    return changed(input, "celu_", celu, alpha)


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """hardtanh in place.

    Parameters
    ----------
    input : as in `relu_`
    min_val, max_val : as in `hardtanh`

    Errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.hardtanh_(nn.tensor([-2.0, 0.5]))
    tensor([-1.0,  0.5])
    """
    return changed(input, "hardtanh_", hardtanh, min_val, max_val)


def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """threshold in place.

    Parameters
    ----------
    input : as in `relu_`
    threshold, value : as in `threshold`

    Errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.threshold_(nn.tensor([-2.0, 0.5]), 0.1, 9.0)
    tensor([9.0, 0.5])
    """
    return changed(input, "threshold_", _threshold, threshold, value)


def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, *,
           generator: Generator | None = None) -> Tensor:
    """rrelu in place.

    Parameters
    ----------
    input : as in `relu_`
    lower, upper, training, generator : as in `rrelu`

    Errors and cost: as `relu_`.

    >>> import fastnn as nn
    >>> nn.functional.rrelu_(nn.tensor([-2.0, 0.5]), 0.25, 0.75)
    tensor([-1.0,  0.5])
    """
    return changed(input, "rrelu_", rrelu, lower, upper, training, generator=generator)
