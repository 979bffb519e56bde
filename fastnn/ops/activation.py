"""Activations: functions applied to each element. Kernels: csrc/activation.c. Definitions:
fastnn/reference/activation.py.

Everywhere dx = f'(x) dy; s(x) = 1 / (1 + e^-x). Each reads and writes its elements once. The
float32 elementary functions under them are in csrc/core/simd.h, with their errors; float64 calls
the C library.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import activation as reference
from ..tensor import Tensor, tensor
from .arithmetic import add, mul
from .elementary import clamp, float_check
from .shape import chunk, reshape

__all__ = ["elu", "gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "heaviside", "leaky_relu", "logsigmoid",
           "mish", "prelu", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign", "swish", "tanh"]

SELU_ALPHA, SELU_SCALE = 1.6732632423543772848, 1.0507009873554804934


# ---- piecewise linear ----------------------------------------------------------------------------
def relu(input: Tensor, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit, max(x, 0), element by element.

    .. math:: y = \max(x, 0) \qquad dx = dy \cdot [y > 0]

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    inplace : accepted for PyTorch's sake, here and below; the result is always a new tensor.

    Returns
    -------
    Tensor of the same shape and dtype.

    Raises
    ------
    DTypeError : if input is not floating point. The same holds for every function of this file.

    Cost: reads and writes each element once. The slope at 0 is taken as 0. Nair, Hinton (2010),
    "Rectified linear units improve restricted Boltzmann machines".

    >>> import fastnn as nn
    >>> nn.functional.relu(nn.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return apply(RELU, input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6); the slope is 0 at 0 and at 6. Krizhevsky (2010), "Convolutional deep
    belief networks on CIFAR-10".

    >>> import fastnn as nn
    >>> nn.functional.relu6(nn.tensor([-1.0, 3.0, 9.0]))
    tensor([0., 3., 6.])
    """
    return apply(HARDTANH, input, low=0.0, high=6.0)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where x > 0, else negative_slope * x. Maas, Hannun, Ng (2013), "Rectifier nonlinearities
    improve neural network acoustic models".

    >>> import fastnn as nn
    >>> nn.functional.leaky_relu(nn.tensor([-2.0, 3.0]), 0.5)
    tensor([-1.,  3.])
    """
    return apply(LEAKY_RELU, input, slope=float(negative_slope))


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where x > 0, else weight * x, with one learned weight for all or one per channel (dimension
    1).

    He et al. (2015), "Delving deep into rectifiers", arXiv:1502.01852.

    >>> import fastnn as nn
    >>> nn.functional.prelu(nn.tensor([[-2.0, -2.0]]), nn.tensor([0.5, 0.25]))
    tensor([[-1.0, -0.5]])
    """
    channels = input.shape[1] if input.ndim > 1 else 1
    if weight.numel() not in (1, channels):
        raise ShapeError(who="prelu", expected=f"1 or {channels} weights", got=weight.shape,
                         hint="Channels are dimension 1.")
    if weight.numel() > 1:
        weight = reshape(weight, channels, *[1] * (input.ndim - 2))
    return add(relu(input), mul(weight, clamp(input, max=0.0)))


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x moved into min_val..max_val; the slope is 1 inside, 0 on the bounds and outside.

    >>> import fastnn as nn
    >>> nn.functional.hardtanh(nn.tensor([-3.0, 0.5, 3.0]))
    tensor([-1.0,  0.5,  1.0])
    """
    if not min_val < max_val:
        raise RangeError(who="hardtanh", expected="min_val < max_val", got=f"{min_val} and {max_val}")
    return apply(HARDTANH, input, low=float(min_val), high=float(max_val))


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """x / 6 + 1/2 moved into 0..1: a cheap sigmoid. Courbariaux, Bengio, David (2015),
    "BinaryConnect", arXiv:1511.00363.

    >>> import fastnn as nn
    >>> nn.functional.hardsigmoid(nn.tensor([-4.0, 0.0, 4.0]))
    tensor([0.0, 0.5, 1.0])
    """
    return apply(HARDSIGMOID, input)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x times hardsigmoid(x). Howard et al. (2019), "Searching for MobileNetV3", arXiv:1905.02244.

    >>> import fastnn as nn
    >>> nn.functional.hardswish(nn.tensor([-4.0, 1.5, 4.0]))
    tensor([-0.000,  1.125,  4.000])
    """
    return apply(HARDSWISH, input)


def heaviside(input: Tensor, values: Any) -> Tensor:
    """The step function: 0 below 0, 1 above, `values` (a number) at 0. It has no gradient, for its
    slope is 0 wherever there is one.

    McCulloch, Pitts (1943), "A logical calculus of the ideas immanent in nervous activity".

    >>> import fastnn as nn
    >>> nn.functional.heaviside(nn.tensor([-1.0, 0.0, 2.0]), 0.5)
    tensor([0.0, 0.5, 1.0])
    """
    if np.size(getattr(values, "data", values)) != 1:
        raise ShapeError(who="heaviside", expected="values with one element", got=np.shape(values))
    return apply(HEAVISIDE, input, value=float(values))


# ---- sigmoid and tanh ----------------------------------------------------------------------------
def sigmoid(input: Tensor) -> Tensor:
    """The logistic function 1 / (1 + e^-x); dx = y (1 - y) dy. Float32 within 2.2 ulp.

    >>> import fastnn as nn
    >>> nn.functional.sigmoid(nn.tensor([-1000.0, 0.0, 1000.0]))
    tensor([0.0, 0.5, 1.0])
    """
    return apply(SIGMOID, input)


def logsigmoid(input: Tensor) -> Tensor:
    """ln s(x) = -ln(1 + e^-x) without overflow or cancellation; dx = s(-x) dy.

    >>> import fastnn as nn
    >>> nn.functional.logsigmoid(nn.tensor([-100.0, 0.0]))
    tensor([-100.0000,   -0.6931])
    """
    return apply(LOGSIGMOID, input)


def tanh(input: Tensor) -> Tensor:
    """The hyperbolic tangent; dx = (1 - y^2) dy. Float32 within 2.7 ulp, near 0 too.

    >>> import fastnn as nn
    >>> nn.functional.tanh(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.7616])
    """
    return apply(TANH, input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|); dx = dy / (1 + |x|)^2.

    >>> import fastnn as nn
    >>> nn.functional.softsign(nn.tensor([-1.0, 3.0]))
    tensor([-0.50,  0.75])
    """
    return apply(SOFTSIGN, input)


# ---- smooth relatives of relu --------------------------------------------------------------------
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """ln(1 + e^(beta x)) / beta, and x itself where beta x > threshold; dx = s(beta x) dy.

    >>> import fastnn as nn
    >>> nn.functional.softplus(nn.tensor([0.0, 100.0]))
    tensor([  0.6931, 100.0000])
    """
    if beta == 0:
        raise RangeError(who="softplus", expected="beta other than 0", got=beta)
    return apply(SOFTPLUS, input, beta=float(beta), threshold=float(threshold))


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where x > 0, else alpha (e^x - 1). Clevert, Unterthiner, Hochreiter (2016),
    arXiv:1511.07289.

    >>> import fastnn as nn
    >>> nn.functional.elu(nn.tensor([-1.0, 2.0]))
    tensor([-0.6321,  2.0000])
    """
    return apply(ELU, input, alpha=float(alpha), scale=1.0)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """1.0507 * elu(x, alpha=1.6733): keeps mean 0 and variance 1. Klambauer et al. (2017),
    "Self-normalizing neural networks", arXiv:1706.02515.

    >>> import fastnn as nn
    >>> nn.functional.selu(nn.tensor([-1.0, 2.0]))
    tensor([-1.1113,  2.1014])
    """
    return apply(ELU, input, alpha=SELU_ALPHA, scale=SELU_SCALE)


def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x Phi(x), Phi the normal distribution function; approximate="tanh": x (1 + tanh(sqrt(2/pi) (x
    + 0.044715 x^3))) / 2.

    Hendrycks, Gimpel (2016), "Gaussian error linear units", arXiv:1606.08415.

    >>> import fastnn as nn
    >>> nn.functional.gelu(nn.tensor([-1.0, 1.0]))
    tensor([-0.1587,  0.8413])
    """
    if approximate not in ("none", "tanh"):
        raise RangeError(who="gelu", expected="approximate 'none' or 'tanh'", got=repr(approximate))
    return apply(GELU if approximate == "none" else GELU_TANH, input)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x s(x), also called swish. Elfwing, Uchibe, Doya (2017), arXiv:1702.03118; Ramachandran,
    Zoph, Le (2017), arXiv:1710.05941.

    >>> import fastnn as nn
    >>> nn.functional.silu(nn.tensor([-1.0, 1.0]))
    tensor([-0.2689,  0.7311])
    """
    return apply(SILU, input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x tanh(softplus(x)). Misra (2019), "Mish: a self regularized non-monotonic activation
    function", arXiv:1908.08681.

    >>> import fastnn as nn
    >>> nn.functional.mish(nn.tensor([-1.0, 1.0]))
    tensor([-0.3034,  0.8651])
    """
    return apply(MISH, input)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Gated linear unit: a s(b), where a and b are the halves of the input along `dim`. Dauphin et
    al. (2017), arXiv:1612.08083.

    >>> import fastnn as nn
    >>> nn.functional.glu(nn.tensor([2.0, 4.0, 0.0, 0.0]))
    tensor([1., 2.])
    """
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
        x = np.asarray(np.abs(x))                               # a lone value: where each function has a slope
    for kink in kinks:
        x = np.where(np.abs(x - kink) < 0.01, kink + 0.02, x)
    return Sample(name, (x,), attrs, {"n": x.size})


def samples(kinks: tuple[float, ...] = (), large: float = 80.0, **attrs: Any) -> list[Sample]:
    return [values(name, *shape, spread=spread, kinks=kinks, **attrs) for name, shape, spread in
            (("one", (1,), 0.5), ("odd", (3, 5, 7), 2.0), ("zero-dimensional", (), 0.1), ("empty", (0, 4), 2.0),
             ("large", (33,), large), ("wide", (2, 1031), 2.0), ("blocks", (2, 16411), 2.0))]


# ---- cost and benchmarks -------------------------------------------------------------------------
def _gelu_tanh(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


# ---- records -------------------------------------------------------------------------------------
def activation(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[[Any], Any], flops: int,
               draw: Callable[[], list[Sample]] = samples, slack: float = 1.0, **attrs: Any) -> Op:
    """The record of an activation; `attrs` are those of the benchmark.

    slack: the rounding allowance of the laws is for one operation, but a derivative such as 1 - y^2
    subtracts nearly equal numbers.
    """
    return register(Op(
        name=name, family="activation", inputs=("x",), formula=formula,
        forward=kernel(f"{name}_forward"), backward=kernel(f"{name}_backward"),
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=float_check(name), fits=kernel("fits_float"), samples=draw, fast_numpy=fast_numpy,
        errors=(
            Refusal("integers", lambda: call(tensor([1, 2])), DTypeError, (name, "int64", "float32")),
        ),
        bench={"2048x512": lambda: values("2048x512", 2048, 512, **attrs)},
        flops=lambda n: flops * n, bytes=lambda n: 8 * n, slack=slack))


RELU = activation("relu", "y = max(x, 0)", lambda x: np.maximum(x, 0), lambda x: relu(x), 1)
LEAKY_RELU = activation("leaky_relu", "y = x > 0 ? x : slope x", lambda x, slope: np.where(x > 0, x, slope * x),
                        lambda x: leaky_relu(x), 2, lambda: samples(slope=0.3), slope=0.01)
ELU = activation("elu", "y = scale (x > 0 ? x : alpha (e^x - 1))",
                 lambda x, alpha, scale: scale * np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
                 lambda x: elu(x), 15, lambda: samples(alpha=0.7, scale=1.3), alpha=1.0, scale=1.0)
SIGMOID = activation("sigmoid", "y = 1 / (1 + e^-x)", lambda x: 1 / (1 + np.exp(-x)), lambda x: sigmoid(x), 15, slack=2)
TANH = activation("tanh", "y = tanh x", np.tanh, lambda x: tanh(x), 20, slack=4)
# NumPy has no erf: the other form is the opponent
GELU = activation("gelu", "y = x Phi(x)", _gelu_tanh, lambda x: gelu(x), 30)
GELU_TANH: Op = activation("gelu_tanh", "y = x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2", _gelu_tanh,
                       lambda x: apply(GELU_TANH, x), 22, slack=16)
SILU = activation("silu", "y = x s(x)", lambda x: x / (1 + np.exp(-x)), lambda x: silu(x), 16)
MISH = activation("mish", "y = x tanh(ln(1 + e^x))", lambda x: x * np.tanh(np.log1p(np.exp(x))), lambda x: mish(x), 20,
                  slack=4)
SOFTPLUS = activation("softplus", "y = ln(1 + e^(beta x)) / beta", lambda x, beta,
                      threshold: np.logaddexp(0, beta * x) / beta,
                      lambda x: softplus(x), 35, lambda: samples(beta=1.7, threshold=20.0), beta=1.0, threshold=20.0)
LOGSIGMOID = activation("logsigmoid", "y = ln s(x)", lambda x: -np.logaddexp(0, -x), lambda x: logsigmoid(x), 35)
SOFTSIGN = activation("softsign", "y = x / (1 + |x|)", lambda x: x / (1 + np.abs(x)), lambda x: softsign(x), 3)
HARDTANH = activation("hardtanh", "y = min(max(x, low), high)", lambda x, low, high: np.clip(x, low, high),
                      lambda x: hardtanh(x), 2,
                      lambda: samples((-1.3, 1.7), large=8.0, low=-1.3, high=1.7), low=-1.0, high=1.0)
HARDSIGMOID = activation("hardsigmoid", "y = min(max(x / 6 + 1/2, 0), 1)", lambda x: np.clip(x / 6 + 0.5, 0, 1),
                         lambda x: hardsigmoid(x), 4, lambda: samples((-3, 3), large=8.0))
HARDSWISH = activation("hardswish", "y = x hardsigmoid(x)", lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
                       lambda x: hardswish(x), 5, lambda: samples((-3, 3), large=8.0))

HEAVISIDE = register(Op(
    name="heaviside", family="activation", inputs=("x",), formula="y = [x > 0], value at 0",
    ref_forward=reference.heaviside_forward, ref_backward=None, differentiable=(), check=float_check("heaviside"),
    samples=lambda: [Sample("odd", (seeded("odd").integers(-1, 2, (3, 5, 7)).astype(float),), {"value": 0.25},
                            {"n": 105})],
    errors=(
        Refusal("integers", lambda: heaviside(tensor([1, 2]), 0.5), DTypeError, ("heaviside", "int64")),
        Refusal("values", lambda: heaviside(tensor([1.0, 2.0]), tensor([1.0, 2.0])),
                ShapeError, ("heaviside", "one element", "(2,)")),
    ),
    flops=lambda n: n, bytes=lambda n: 8 * n))
