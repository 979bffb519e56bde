"""Activations: functions applied to each element.

Kernels: csrc/pointwise/activation.c. Definitions: fastnn/reference/activation.py.

Everywhere dx = f'(x) dy, and s(x) = 1 / (1 + e^-x). Each kernel reads and writes its elements once.
The elementary functions under them are in csrc/core/simd.h, with their errors; in float64 they are
the C library's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply, stepped
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import activation as reference
from ..tensor import Tensor, tensor
from .arithmetic import mul
from .checks import renamed
from .compare import eq, gt
from .elementary import as_floats, float_check
from .indexing import where
from .shape import reshape
from .split import chunk

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["elu", "gelu", "glu", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "heaviside", "leaky_relu",
           "logsigmoid", "mish", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softshrink",
           "softsign", "swish", "tanh", "threshold"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934


# ---- piecewise linear ----------------------------------------------------------------------------
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit: max(x, 0), element by element.

    .. math:: y = \max(x, 0) \qquad dx = dy \cdot [y > 0]

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    inplace : bool
        Accepted for PyTorch's sake, here and below. The result is always a new tensor.

    Returns
    -------
    Tensor of the same shape and dtype.

    Raises
    ------
    DTypeError : if input is not floating point.

    Cost: reads and writes each element once. The slope at 0 is taken as 0.

    Reference: Nair, Hinton (2010), "Rectified linear units improve restricted Boltzmann machines".

    >>> import fastnn as nn
    >>> nn.functional.relu(nn.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return apply(RELU, input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    r"""relu that goes no higher than 6.

    .. math:: y = \min(\max(x, 0), 6) \qquad dx = dy \cdot [0 < x < 6]

    Parameters, errors and cost: as `relu`.

    Reference: Krizhevsky (2010), "Convolutional deep belief networks on CIFAR-10".

    >>> import fastnn as nn
    >>> nn.functional.relu6(nn.tensor([-1.0, 3.0, 9.0]))
    tensor([0., 3., 6.])
    """
    return apply(HARDTANH, input, low=0.0, high=6.0)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    r"""relu with a small slope below 0, so that no unit loses its gradient.

    .. math:: y = x \;(x > 0), \; s x \;(\text{else}) \qquad
        dx = dy \;(x > 0), \; s\, dy \;(\text{else})

    Parameters
    ----------
    input, inplace : as in `relu`
    negative_slope : float
        s, the slope below 0.

    Errors and cost: as `relu`.

    Reference: Maas, Hannun, Ng (2013), "Rectifier nonlinearities improve neural network acoustic
    models".

    >>> import fastnn as nn
    >>> nn.functional.leaky_relu(nn.tensor([-2.0, 3.0]), 0.5)
    tensor([-1.,  3.])
    """
    return apply(LEAKY_RELU, input, slope=float(negative_slope))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    r"""leaky_relu with learned slopes.

    .. math:: y = x \;(x > 0), \; w_c x \;(\text{else}) \qquad dw_c = \sum_{x \le 0} x\, dy

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
        Channels are dimension 1.
    weight : Tensor of one element, or (C,)
        One slope for all, or one per channel.

    Raises
    ------
    ShapeError : if there is neither one weight nor one per channel.
    DTypeError : if an argument is not floating point.

    Cost: four passes over the elements; it is composed of other functions.

    Reference: He et al. (2015), "Delving deep into rectifiers", arXiv:1502.01852.

    >>> import fastnn as nn
    >>> nn.functional.prelu(nn.tensor([[-2.0, -2.0]]), nn.tensor([0.5, 0.25]))
    tensor([[-1.0, -0.5]])
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.ndim > 1 or weight.numel() not in (1, channels):
        raise ShapeError(who="prelu", expected=f"a vector of 1 or {channels} weights", got=weight.shape,
                         hint="Channels are dimension 1.")
    weight = reshape(weight, channels, *[1] * (input.ndim - 2)) if weight.numel() > 1 else reshape(weight, ())
    above = gt(input, 0)
    # chosen, not added: an infinite slope is nothing to an x above 0
    return where(above, input, mul(weight, where(above, 0.0, input)))


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    r"""x moved into the range from min_val to max_val.

    .. math:: y = \min(\max(x, low), high) \qquad dx = dy \cdot [low < x < high]

    Parameters
    ----------
    input, inplace : as in `relu`
    min_val, max_val : float
        low and high. The slope on the bounds is taken as 0.

    Raises
    ------
    RangeError : unless min_val <= max_val.
    DTypeError : if input is not floating point.

    Cost: as `relu`.

    >>> import fastnn as nn
    >>> nn.functional.hardtanh(nn.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0,  0.5,  1.0])
    """
    if not min_val <= max_val:
        raise RangeError(who="hardtanh", expected="min_val <= max_val", got=f"{min_val} and {max_val}")
    return apply(HARDTANH, input, low=float(min_val), high=float(max_val))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    r"""A sigmoid of three straight lines.

    .. math:: y = \min(\max(x / 6 + 1/2, 0), 1) \qquad dx = dy / 6 \cdot [-3 < x < 3]

    Parameters, errors and cost: as `relu`.

    Reference: Courbariaux, Bengio, David (2015), "BinaryConnect", arXiv:1511.00363.

    >>> import fastnn as nn
    >>> nn.functional.hardsigmoid(nn.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0, 0.5, 1.0])
    """
    return apply(HARDSIGMOID, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    r"""x times hardsigmoid(x): `silu` without an exponential.

    .. math:: y = x \min(\max(x / 6 + 1/2, 0), 1) \qquad
        dx = dy\, (2x + 3) / 6 \;\text{ for } -3 < x < 3

    Parameters, errors and cost: as `relu`.

    Reference: Howard et al. (2019), "Searching for MobileNetV3", arXiv:1905.02244.

    >>> import fastnn as nn
    >>> nn.functional.hardswish(nn.tensor([-4.0, 1.5, 4.0]))
    tensor([0.000, 1.125, 4.000])
    """
    return apply(HARDSWISH, input)


def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    r"""0 for what is small.

    .. math:: y = x \; (|x| > \lambda), \; 0 \; (\text{else}) \qquad dx = dy \cdot [|x| > \lambda]

    Parameters
    ----------
    input : as in `relu`
    lambd : float
        lambda

    Errors and cost: as `relu`.

    >>> import fastnn as nn
    >>> nn.hardshrink(nn.tensor([-1.0, 0.2, 2.0]))
    tensor([-1.,  0.,  2.])
    """
    return apply(HARDSHRINK, input, lambd=float(lambd))


def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    r"""Nearer to 0 by lambda, and 0 for what is small.

    .. math:: y = x - \min(\max(x, -\lambda), \lambda) \qquad dx = dy \cdot [|x| > \lambda]

    Parameters
    ----------
    input : as in `relu`
    lambd : float
        lambda, from 0 up.

    Raises
    ------
    RangeError : if lambd is negative.
    DTypeError : if input is not floating point.

    Cost: as `relu`.

    >>> import fastnn as nn
    >>> nn.softshrink(nn.tensor([-1.0, 0.2, 2.0]))
    tensor([-0.5,  0.0,  1.5])
    """
    if not lambd >= 0:
        raise RangeError(who="softshrink", expected="lambd >= 0", got=lambd)
    return apply(SOFTSHRINK, input, lambd=float(lambd))


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    r"""A value for what is not above a threshold.

    .. math:: y = x \; (x > threshold), \; value \; (\text{else}) \qquad
        dx = dy \cdot [x > threshold]

    Parameters
    ----------
    input, inplace : as in `relu`
    threshold, value : float

    Errors and cost: as `relu`.

    >>> import fastnn as nn
    >>> nn.threshold(nn.tensor([-1.0, 0.2, 2.0]), 0.5, 9.0)
    tensor([9., 9., 2.])
    """
    return apply(THRESHOLD, input, threshold=float(threshold), value=float(value))


def heaviside(input: Tensor, values: Any) -> Tensor:
    r"""The step function: 0 below 0, 1 above.

    .. math:: y = [x > 0], \; values \text{ where } x = 0

    The gradient of input is 0, as the slope is wherever there is one; that of values is dy where
    they are the result.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    values : number or tensor
        The result at 0; its shape and input's broadcast together.

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if input is not floating point.

    Cost: as `relu`, in NumPy.

    Reference: McCulloch, Pitts (1943), "A logical calculus of the ideas immanent in nervous
    activity".

    >>> import fastnn as nn
    >>> nn.functional.heaviside(nn.tensor([-1.0, 0.0, 2.0]), 0.5)
    tensor([0.0, 0.5, 1.0])
    """
    if isinstance(values, (Tensor, np.ndarray)) and (values.ndim or isinstance(values, Tensor)):
        return where(eq(input, 0), values, heaviside(input, 0))
    return stepped("heaviside", apply(HEAVISIDE, input, value=float(values))._data, input)


# ---- sigmoid and tanh ----------------------------------------------------------------------------
def sigmoid(input: Tensor) -> Tensor:
    r"""The logistic function: scores become probabilities.

    .. math:: y = s(x) = \frac{1}{1 + e^{-x}} \qquad dx = dy\, y (1 - y)

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64; integers become float32

    Returns
    -------
    Tensor of the same shape and dtype, from 0 to 1. float32 is exact within 2.2 ulp.

    Raises
    ------
    DTypeError : if input holds truth values or no numbers.

    Cost: one exp an element.

    >>> import fastnn as nn
    >>> nn.functional.sigmoid(nn.tensor([-1000.0, 0.0, 1000.0]))
    tensor([0.0, 0.5, 1.0])
    """
    try:
        return apply(SIGMOID, input)
    except DTypeError:
        return apply(SIGMOID, as_floats(input))


def logsigmoid(input: Tensor) -> Tensor:
    r"""The logarithm of sigmoid, where neither overflows nor cancels.

    .. math:: y = \ln s(x) = -\ln(1 + e^{-x}) \qquad dx = dy\, s(-x)

    Parameters and errors: as `sigmoid`, but no integers.

    Cost: one exp and one logarithm an element.

    >>> import fastnn as nn
    >>> nn.functional.logsigmoid(nn.tensor([-100.0, 0.0]))
    tensor([-100.0000,   -0.6931])
    """
    return apply(LOGSIGMOID, input)


def tanh(input: Tensor) -> Tensor:
    r"""The hyperbolic tangent.

    .. math:: y = \tanh x = 2 s(2x) - 1 \qquad dx = dy\, (1 - y^2)

    float32 is exact within 2.7 ulp, also near 0. Parameters, errors and cost: as `sigmoid`.

    >>> import fastnn as nn
    >>> nn.functional.tanh(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    try:
        return apply(TANH, input)
    except DTypeError:
        return apply(TANH, as_floats(input))


def softsign(input: Tensor) -> Tensor:
    r"""From -1 to 1 like tanh, but approached slowly and without an exponential.

    .. math:: y = \frac{x}{1 + |x|} \qquad dx = \frac{dy}{(1 + |x|)^2}

    Parameters and errors: as `sigmoid`, but no integers. Cost: one division an element.

    >>> import fastnn as nn
    >>> nn.functional.softsign(nn.tensor([-1.0, 3.0]))
    tensor([-0.50,  0.75])
    """
    return apply(SOFTSIGN, input)


# ---- smooth relatives of relu --------------------------------------------------------------------
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    r"""A relu without the corner.

    .. math:: y = \ln(1 + e^{\beta x}) / \beta \qquad dx = dy\, s(\beta x)

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    beta : float
        How sharp the corner is.
    threshold : float
        Where beta x is above it, the result is x itself.

    Raises
    ------
    RangeError : if beta is 0.
    DTypeError : if input is not floating point.

    Cost: one exp and one logarithm an element.

    >>> import fastnn as nn
    >>> nn.functional.softplus(nn.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.0000])
    """
    if beta == 0:
        raise RangeError(who="softplus", expected="beta other than 0", got=beta)
    return apply(SOFTPLUS, input, beta=float(beta), threshold=float(threshold))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    r"""Exponential linear unit: x above 0, an exponential that ends at -alpha below.

    .. math:: y = x \;(x > 0), \; \alpha (e^x - 1) \;(\text{else}) \qquad
        dx = dy \;(x > 0), \; dy\, \alpha e^x \;(\text{else})

    Parameters
    ----------
    input, inplace : as in `relu`
    alpha : float

    Errors: as `relu`. Cost: one exp an element.

    Reference: Clevert, Unterthiner, Hochreiter (2016), "Fast and accurate deep network learning by
    exponential linear units", arXiv:1511.07289.

    >>> import fastnn as nn
    >>> nn.functional.elu(nn.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return apply(ELU, input, alpha=float(alpha), scale=1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    r"""elu with the two constants that keep mean 0 and variance 1 from layer to layer.

    .. math:: y = 1.0507\, \mathrm{elu}(x, \alpha = 1.6733)

    Parameters, errors and cost: as `elu`.

    Reference: Klambauer et al. (2017), "Self-normalizing neural networks", arXiv:1706.02515.

    >>> import fastnn as nn
    >>> nn.functional.selu(nn.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return apply(ELU, input, alpha=SELU_ALPHA, scale=SELU_SCALE)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    r"""Gaussian error linear unit: x times the probability that a normal variable is below x.

    .. math:: y = x\, \Phi(x) \qquad dx = dy\, (\Phi(x) + x\, \varphi(x))

    with the normal distribution function :math:`\Phi` and its density :math:`\varphi`. With "tanh",

    .. math:: y = x\, (1 + \tanh(\sqrt{2 / \pi}\, (x + 0.044715\, x^3))) / 2

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    approximate : "none" or "tanh"

    Raises
    ------
    RangeError : for another approximation.
    DTypeError : if input is not floating point.

    Cost: one erf, or one tanh, an element; backward one exp more.

    Reference: Hendrycks, Gimpel (2016), "Gaussian error linear units", arXiv:1606.08415.

    >>> import fastnn as nn
    >>> nn.functional.gelu(nn.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise RangeError(who="gelu", expected="approximate 'none' or 'tanh'", got=repr(approximate))
    return apply(GELU if approximate == "none" else GELU_TANH, input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    r"""Sigmoid linear unit: x times sigmoid(x). Another name is swish.

    .. math:: y = x\, s(x) \qquad dx = dy\, s(x)\, (1 + x\, (1 - s(x)))

    Parameters and errors: as `relu`. Cost: one exp an element.

    Reference: Elfwing, Uchibe, Doya (2017), arXiv:1702.03118. Ramachandran, Zoph, Le (2017),
    "Searching for activation functions", arXiv:1710.05941.

    >>> import fastnn as nn
    >>> nn.functional.silu(nn.tensor([-1.0, 1.0]))
    tensor([-0.2689,  0.7311])
    """
    return apply(SILU, input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    r"""x times tanh(softplus(x)).

    .. math:: y = x\, w, \quad w = \tanh(\ln(1 + e^x)) \qquad dx = dy\, (w + x\, (1 - w^2)\, s(x))

    Parameters and errors: as `relu`. Cost: one exp an element, for tanh(ln u) is a fraction of u^2.

    Reference: Misra (2019), "Mish: a self regularized non-monotonic activation function",
    arXiv:1908.08681.

    >>> import fastnn as nn
    >>> nn.functional.mish(nn.tensor([-1.0, 1.0]))
    tensor([-0.3034,  0.8651])
    """
    return apply(MISH, input)


def glu(input: Tensor, dim: int = -1, **numpy: Unpack[Numpy]) -> Tensor:
    r"""Gated linear unit: one half of the input, each element let through by the other half.

    .. math:: y = a\, s(b), \quad (a, b) \text{ the halves of } x \text{ along } dim

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    dim : int
        The axis that is halved; its size is even.

    Raises
    ------
    ShapeError : if the size along dim is odd.
    DTypeError : if input is not floating point.

    Cost: one exp an element of the result, in two passes.

    Reference: Dauphin et al. (2017), "Language modeling with gated convolutional networks",
    arXiv:1612.08083.

    >>> import fastnn as nn
    >>> nn.functional.glu(nn.tensor([2.0, 4.0, 0.0, 0.0]))
    tensor([1., 2.])
    """
    if numpy:
        return glu(input, **renamed("glu", numpy, dim=0 if dim == -1 else dim))
    if input.ndim == 0 or input.shape[dim] % 2:
        raise ShapeError(who="glu", expected=f"an even size along dimension {dim}", got=input.shape)
    a, b = chunk(input, 2, dim)
    return mul(a, sigmoid(b))


swish = silu


# ---- samples -------------------------------------------------------------------------------------
def values(name: str, *shape: int, spread: float = 2.0, kinks: tuple[float, ...] = (), **attrs: Any) -> Sample:
    """A sample of `shape` whose values stay away from 0 and from `kinks`, where slopes jump."""
    x = np.asarray(seeded(name).standard_normal(shape) * spread)
    x = np.asarray(x + np.where(x >= 0, 0.05, -0.05))
    if x.size == 1:
        x = np.asarray(np.abs(x))                   # a lone value: where each function has a slope
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.01, kink + 0.02, x)
    return Sample(name, (x,), attrs, {"n": x.size})


def samples(kinks: tuple[float, ...] = (), large: float = 80.0, **attrs: Any) -> list[Sample]:
    cases = (
        ("one", (1,), 0.5),
        ("odd", (3, 5, 7), 2.0),
        ("zero-dimensional", (), 0.1),
        ("empty", (0, 4), 2.0),
        ("large", (33,), large),
        ("wide", (2, 1031), 2.0),
        ("blocks", (2, 16411), 2.0),
    )
    return [values(name, *shape, spread=spread, kinks=kinks, **attrs) for name, shape, spread in cases]


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


# ---- records -------------------------------------------------------------------------------------
def activation(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[[Any], Any], flops: int,
               draw: Callable[[], list[Sample]] = samples, slack: float = 1.0, integers: bool = False,
               compiled: bool = True, **attrs: Any) -> Op:
    """The record of an activation; `attrs` are those of the benchmark.

    compiled: False where there is no kernel, so far: then the definition alone runs.
    slack: the rounding allowance of the laws is for one operation, but a derivative such as 1 - y^2
    subtracts nearly equal numbers.
    integers: whether the function takes them, as float32.
    """
    return register(Op(
        name=name, family="activation", inputs=("x",), formula=formula,
        forward=kernel(f"{name}_forward") if compiled else None,
        backward=kernel(f"{name}_backward") if compiled else None,
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=float_check(name), fits=kernel("fits_float"), samples=draw, fast_numpy=fast_numpy,
        errors=(Refusal("truth values", lambda: call(tensor([True, False])), DTypeError, (name, "bool", "float32")),
                *(() if integers else (Refusal("integers", lambda: call(tensor([1, 2])), DTypeError,
                                               (name, "int64", "float32")),))),
        bench={"2048x512": lambda: values("2048x512", 2048, 512, **attrs)},
        flops=lambda n: flops * n, bytes=lambda n: 8 * n, slack=slack))


RELU = activation(
    "relu", "y = max(x, 0)",
    lambda x: np.maximum(x, 0), relu, flops=1)
LEAKY_RELU = activation(
    "leaky_relu", "y = x > 0 ? x : slope x",
    lambda x, slope: np.where(x > 0, x, slope * x), leaky_relu, flops=2,
    draw=lambda: samples(slope=0.3), slope=0.01)
ELU = activation(
    "elu", "y = scale (x > 0 ? x : alpha (e^x - 1))",
    lambda x, alpha, scale: scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))), elu, flops=15,
    draw=lambda: samples(alpha=0.7, scale=1.3), alpha=1.0, scale=1.0)
SIGMOID = activation(
    "sigmoid", "y = 1 / (1 + e^-x)",
    lambda x: 1 / (1 + np.exp(-x)), sigmoid, flops=15, slack=2, integers=True)
TANH = activation(
    "tanh", "y = tanh x",
    np.tanh, tanh, flops=20, slack=4, integers=True)
GELU = activation(
    "gelu", "y = x Phi(x)",
    fast_gelu_tanh, gelu, flops=30)    # NumPy has no erf: the other form is the opponent
GELU_TANH: Op = activation(
    "gelu_tanh", "y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2",
    fast_gelu_tanh, lambda x: apply(GELU_TANH, x), flops=22, slack=16)
SILU = activation(
    "silu", "y = x s(x)",
    lambda x: x / (1 + np.exp(-x)), silu, flops=16)
MISH = activation(
    "mish", "y = x tanh(ln(1 + e^x))",
    lambda x: x * np.tanh(np.log1p(np.exp(x))), mish, flops=20, slack=4)
SOFTPLUS = activation(
    "softplus", "y = ln(1 + e^(beta x)) / beta",
    lambda x, beta, threshold: np.logaddexp(0, beta * x) / beta, softplus, flops=35,
    draw=lambda: samples(beta=1.7, threshold=20.0), beta=1.0, threshold=20.0)
LOGSIGMOID = activation(
    "logsigmoid", "y = ln s(x)",
    lambda x: -np.logaddexp(0, -x), logsigmoid, flops=35)
SOFTSIGN = activation(
    "softsign", "y = x / (1 + |x|)",
    lambda x: x / (1 + np.abs(x)), softsign, flops=3)
HARDTANH = activation(
    "hardtanh", "y = min(max(x, low), high)",
    lambda x, low, high: np.clip(x, low, high), hardtanh, flops=2,
    draw=lambda: samples((-1.3, 1.7), large=8.0, low=-1.3, high=1.7), low=-1.0, high=1.0)
HARDSIGMOID = activation(
    "hardsigmoid", "y = min(max(x / 6 + 1/2, 0), 1)",
    lambda x: np.clip(x / 6 + 0.5, 0, 1), hardsigmoid, flops=4,
    draw=lambda: samples((-3, 3), large=8.0))
HARDSWISH = activation(
    "hardswish", "y = x hardsigmoid(x)",
    lambda x: x * np.clip(x / 6 + 0.5, 0, 1), hardswish, flops=5,
    draw=lambda: samples((-3, 3), large=8.0))

HARDSHRINK = activation(
    "hardshrink", "y = x where |x| > lambd, else 0",
    lambda x, lambd: np.where(np.abs(x) > lambd, x, 0), hardshrink, flops=1,
    draw=lambda: samples((-0.1, 0.1), lambd=0.1), lambd=0.5)
SOFTSHRINK = activation(
    "softshrink", "y = x - min(max(x, -lambd), lambd)",
    lambda x, lambd: x - np.clip(x, -lambd, lambd), softshrink, flops=3,
    draw=lambda: samples((-0.1, 0.1), lambd=0.1), lambd=0.5)
THRESHOLD: Op = activation(
    "threshold", "y = x where x > threshold, else value",
    lambda x, threshold, value: np.where(x > threshold, x, value), lambda x: threshold(x, 0.1, 2.0), flops=1,
    draw=lambda: samples((0.1,), threshold=0.1, value=-2.0), threshold=0.1, value=2.0)

HEAVISIDE = register(Op(
    name="heaviside", family="activation", inputs=("x",), formula="y = [x > 0], value at 0",
    ref_forward=reference.heaviside_forward, ref_backward=None, differentiable=(), drops_nan=("x",),
    check=float_check("heaviside"),
    samples=lambda: [Sample("odd", (seeded("odd").integers(-1, 2, (3, 5, 7)).astype(float),), {"value": 0.25},
                            {"n": 105})],
    errors=(
        Refusal("integers", lambda: heaviside(tensor([1, 2]), 0.5), DTypeError, ("heaviside", "int64")),
        Refusal("values", lambda: heaviside(tensor([1.0, 2.0]), tensor([1.0, 2.0, 3.0])),
                ShapeError, ("(2,)", "(3,)", "broadcast")),
    ),
    flops=lambda n: n, bytes=lambda n: 8 * n))
