"""Activations as layers: no parameters, one call of the function of the same name.

x has any shape (after Softmax and LogSoftmax: with the dimension dim), y has it too. A DTypeError
for x that is not floating point. Gradients, costs and papers stand at the functions: nn.functional.
"""

from __future__ import annotations

from .. import functional as F
from ..tensor import Tensor
from .module import POINTWISE, Module, Window

__all__ = ["ELU", "GELU", "SELU", "Hardtanh", "LeakyReLU", "LogSoftmax", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax",
           "Softplus", "Tanh"]


class _Activation(Module):
    """A function of each element."""

    def receptive_window(self) -> Window:
        return POINTWISE


class ReLU(_Activation):
    """y = max(x, 0).

    `inplace` is accepted for PyTorch's sake, here and below, and changes nothing.

    >>> import fastnn as nn
    >>> nn.ReLU()(nn.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input)


class ReLU6(_Activation):
    """y = min(max(x, 0), 6).

    >>> import fastnn as nn
    >>> nn.ReLU6()(nn.tensor([-1.0, 3.0, 9.0]))
    tensor([0., 3., 6.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, 0.0, 6.0)


class LeakyReLU(_Activation):
    """y = x for x > 0, negative_slope x below.

    >>> import fastnn as nn
    >>> nn.LeakyReLU(0.5)(nn.tensor([-2.0, 3.0]))
    tensor([-1.,  3.])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__()
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope)

    def extra_repr(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(_Activation):
    """y = x for x > 0, alpha (e^x - 1) below. Clevert, Unterthiner, Hochreiter (2016).

    >>> import fastnn as nn
    >>> nn.ELU()(nn.tensor([-100.0, 2.0]))
    tensor([-1.,  2.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class SELU(_Activation):
    """ELU scaled so that activations keep mean 0 and variance 1 from layer to layer.

    y = 1.0507 x for x > 0, 1.0507 * 1.6733 (e^x - 1) below. Klambauer, Unterthiner, Mayr,
    Hochreiter (2017).

    >>> import fastnn as nn
    >>> nn.SELU()(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 1.0507])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input)


class GELU(_Activation):
    """y = x Phi(x), Phi being the normal distribution function. Hendrycks, Gimpel (2016).

    approximate: "none" computes Phi by erf; "tanh" takes 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715
    x^3))), as GPT-2 does.

    >>> import fastnn as nn
    >>> nn.GELU()(nn.tensor([-1.0, 0.0, 1.0]))
    tensor([-0.1587,  0.0000,  0.8413])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class SiLU(_Activation):
    """y = x sigmoid(x), also called swish.

    >>> import fastnn as nn
    >>> nn.SiLU()(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7311])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input)


class Sigmoid(_Activation):
    """y = 1 / (1 + e^-x).

    >>> import fastnn as nn
    >>> nn.Sigmoid()(nn.tensor([0.0, 100.0]))
    tensor([0.5, 1.0])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class Tanh(_Activation):
    """y = tanh(x) = (e^x - e^-x) / (e^x + e^-x).

    >>> import fastnn as nn
    >>> nn.Tanh()(nn.tensor([0.0, 100.0]))
    tensor([0., 1.])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Softplus(_Activation):
    """y = log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold.

    >>> import fastnn as nn
    >>> nn.Softplus()(nn.tensor([0.0, 50.0]))
    tensor([ 0.6931, 50.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta, self.threshold = beta, threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardtanh(_Activation):
    """y = x cut to [min_val, max_val].

    >>> import fastnn as nn
    >>> nn.Hardtanh()(nn.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0,  0.5,  1.0])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.min_val, self.max_val = min_val, max_val

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Softmax(Module):
    """y = e^x / sum of e^x along dim. Do not put it before cross-entropy, which takes the logits.

    >>> import fastnn as nn
    >>> nn.Softmax(dim=1)(nn.zeros(1, 4))
    tensor([[0.25, 0.25, 0.25, 0.25]])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """y = log(softmax(x)) along dim, without overflow.

    >>> import fastnn as nn
    >>> nn.LogSoftmax(dim=1)(nn.tensor([[0.0, 1000.0]]))
    tensor([[-1000.,     0.]])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
