"""Activations as layers: one call of the function of the same name; PReLU alone has parameters.

x has any shape (after Softmax and LogSoftmax: with the dimension dim), y has it too. A DTypeError
for x that is not floating point. Gradients, costs and papers stand at the functions: nn.functional.
"""

from __future__ import annotations

from typing import Any

from .. import arrays
from .. import functional as F
from ..errors import RangeError, ShapeError
from ..tensor import Parameter, Tensor
from .module import POINTWISE, Module, Window, notice_training
from .sizes import need_sizes, parameter_dtype

__all__ = ["CELU", "ELU", "GELU", "GLU", "SELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
           "LogSigmoid", "LogSoftmax", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SiLU", "Sigmoid", "Softmax",
           "Softmax2d", "Softmin", "Softplus", "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold"]


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


class RReLU(_Activation):
    """y = x for x > 0, r x below; in training r is drawn from lower to upper for each element, and
    in eval mode it is their middle. Xu et al. (2015).

    >>> import fastnn as nn
    >>> nn.RReLU(0.25, 0.75).eval()(nn.tensor([-2.0, 3.0]))
    tensor([-1.,  3.])
    """

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, inplace: bool = False) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def forward(self, input: Tensor) -> Tensor:
        y = F.rrelu(input, self.lower, self.upper, self.training)
        if y.node is None and self.training:
            notice_training(self)
        return y

    def extra_repr(self) -> str:
        return f"lower={self.lower}, upper={self.upper}"


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
    """y = x cut to [min_val, max_val], which PyTorch once called min_value and max_value.

    >>> import fastnn as nn
    >>> nn.Hardtanh()(nn.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0,  0.5,  1.0])
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False,
                 min_value: float | None = None, max_value: float | None = None) -> None:
        super().__init__()
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        if not self.min_val < self.max_val:
            raise RangeError(who="Hardtanh", expected="min_val < max_val", got=(self.min_val, self.max_val))

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

    def __init__(self, dim: int | None = None) -> None:
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

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Hardsigmoid(_Activation):
    """y = min(max(x / 6 + 1/2, 0), 1).

    >>> import fastnn as nn
    >>> nn.Hardsigmoid()(nn.tensor([-9.0, 0.0, 9.0]))
    tensor([0.0, 0.5, 1.0])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input)


class Hardswish(_Activation):
    """y = x min(max(x / 6 + 1/2, 0), 1). Howard et al. (2019).

    >>> import fastnn as nn
    >>> nn.Hardswish()(nn.tensor([-9.0, 0.0, 9.0]))
    tensor([0., 0., 9.])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input)


class Mish(_Activation):
    """y = x tanh(ln(1 + e^x)). Misra (2020).

    >>> import fastnn as nn
    >>> nn.Mish()(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.8651])
    """

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input)


class LogSigmoid(_Activation):
    """y = ln(1 / (1 + e^-x)), without overflow.

    >>> import fastnn as nn
    >>> nn.LogSigmoid()(nn.tensor([-1000.0, 0.0]))
    tensor([-1.0000e+03, -6.9315e-01])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softsign(_Activation):
    """y = x / (1 + |x|).

    >>> import fastnn as nn
    >>> nn.Softsign()(nn.tensor([-1.0, 3.0]))
    tensor([-0.50,  0.75])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Tanhshrink(_Activation):
    """y = x - tanh(x).

    >>> import fastnn as nn
    >>> nn.Tanhshrink()(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class CELU(_Activation):
    """y = x for x > 0, alpha (e^(x / alpha) - 1) below. Barron (2017).

    >>> import fastnn as nn
    >>> nn.CELU(2.0)(nn.tensor([-100.0, 3.0]))
    tensor([-2.,  3.])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class Hardshrink(_Activation):
    """y = x where |x| > lambd, else 0.

    >>> import fastnn as nn
    >>> nn.Hardshrink()(nn.tensor([-1.0, 0.2, 2.0]))
    tensor([-1.,  0.,  2.])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(_Activation):
    """y = x, nearer to 0 by lambd, and 0 where |x| <= lambd.

    >>> import fastnn as nn
    >>> nn.Softshrink()(nn.tensor([-1.0, 0.2, 2.0]))
    tensor([-0.5,  0.0,  1.5])
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Threshold(_Activation):
    """y = x where x > threshold, else value.

    >>> import fastnn as nn
    >>> nn.Threshold(0.5, 9.0)(nn.tensor([-1.0, 2.0]))
    tensor([9., 2.])
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__()
        self.threshold, self.value = threshold, value

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value)

    def extra_repr(self) -> str:
        return f"threshold={self.threshold}, value={self.value}"


class PReLU(_Activation):
    """y = x for x > 0, w x below, with learned slopes w. He et al. (2015).

    num_parameters is 1, one slope for all, or the number of channels, dimension 1 of x; weight
    (num_parameters,) begins as init. ShapeError for x of another number of channels.

    >>> import fastnn as nn
    >>> nn.PReLU()(nn.tensor([-2.0, 3.0]))
    tensor([-0.5,  3.0], grad_fn=<where>)
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, *, device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype("PReLU", dtype, device)
        super().__init__()
        need_sizes("PReLU", 1, num_parameters=num_parameters)
        self.num_parameters, self.init = num_parameters, init
        self.weight = Parameter(arrays.full((num_parameters,), init, dtype))

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class GLU(Module):
    """y = a / (1 + e^-b), where a and b are the halves of x along dim. Dauphin et al. (2017).

    ShapeError for x of an odd size along dim.

    >>> import fastnn as nn
    >>> nn.GLU()(nn.tensor([2.0, 4.0, 0.0, 0.0]))
    tensor([1., 2.])
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmin(Module):
    """y = e^-x / sum of e^-x along dim.

    >>> import fastnn as nn
    >>> nn.Softmin(dim=0)(nn.zeros(2))
    tensor([0.5, 0.5])
    """

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax2d(Module):
    """softmax over the channels of each pixel; x (N, C, H, W) or (C, H, W).

    >>> import fastnn as nn
    >>> nn.Softmax2d()(nn.zeros(1, 4, 1, 1)).flatten()
    tensor([0.25, 0.25, 0.25, 0.25])
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ShapeError(who="Softmax2d", expected="input of shape (N, C, H, W) or (C, H, W)", got=input.shape)
        return F.softmax(input, -3)
