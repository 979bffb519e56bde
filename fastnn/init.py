"""Initialisation: fill a parameter in place with random numbers of the right size.

A layer that sums n_in products of unit variance gives variance n_in; weights of variance 1 / n_in
keep the signal's size from layer to layer, forward, and 1 / n_out keeps it backward. ReLU halves
the variance, which He's factor 2 makes good.

    Glorot, uniform   U(-a, a),  a = gain sqrt(6 / (n_in + n_out))     xavier_uniform_
    Glorot, normal    N(0, s),   s = gain sqrt(2 / (n_in + n_out))     xavier_normal_
    He, uniform       U(-b, b),  b = gain sqrt(3 / n_in)               kaiming_uniform_
    He, normal        N(0, s),   s = gain / sqrt(n_in)                 kaiming_normal_

U(a, b) is uniform from a to b; N(m, s) is normal with mean m and standard deviation s. Glorot's
first name is Xavier. gain is 1, or sqrt(2) before a ReLU: calculate_gain. Lecture notes often state
Xavier as N(0, 1) / sqrt(n_in): that is kaiming_normal_(w, nonlinearity="linear").

All draw from the stream of `nn.seed`, or from a `generator`, and return the tensor. PyTorch's names
and arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import guard
from .arrays import is_meta
from .errors import DTypeError, RangeError, ShapeError
from .random import Generator, stream_of
from .tensor import Tensor, number_of

__all__ = ["calculate_gain", "constant_", "dirac_", "eye_", "fans", "kaiming_normal_", "kaiming_uniform_",
           "normal_", "ones_", "orthogonal_", "sparse_", "trunc_normal_", "uniform_", "xavier_normal_",
           "xavier_uniform_", "zeros_"]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """U(-a, a) with a = gain sqrt(6 / (n_in + n_out)).

    Glorot, Bengio (2010), "Understanding the difficulty of training deep feedforward neural
    networks".

    >>> import fastnn as nn
    >>> w = nn.init.xavier_uniform_(nn.empty(2, 4))
    >>> bool((w.abs() <= 1).all())          # sqrt(6 / (4 + 2))
    True
    """
    a = gain * math.sqrt(6.0 / max(sum(fans(tensor)), 1))
    return uniform_(tensor, -a, a, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(0, s) with s = gain sqrt(2 / (n_in + n_out)). Glorot, Bengio (2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / max(sum(fans(tensor)), 1)), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Generator | None = None) -> Tensor:
    """U(-b, b) with b = gain sqrt(3 / n). Arguments: see kaiming_normal_.

    He, Zhang, Ren, Sun (2015).
    """
    b = calculate_gain(nonlinearity, a) * math.sqrt(3.0 / _fan(tensor, mode))
    return uniform_(tensor, -b, b, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Generator | None = None) -> Tensor:
    """N(0, s) with s = gain / sqrt(n).

    Parameters
    ----------
    tensor : Tensor
        A weight of at least two dimensions.
    a : float
        The negative slope, for nonlinearity="leaky_relu".
    mode : "fan_in" or "fan_out"
        Whether n is n_in, which keeps the signal's size forward, or n_out, backward.
    nonlinearity : str
        What follows the layer; it sets the gain: see calculate_gain.

    Raises
    ------
    ShapeError
        The tensor has fewer than two dimensions.
    RangeError
        There is no such mode or nonlinearity.

    He, Zhang, Ren, Sun (2015), "Delving deep into rectifiers: surpassing human-level performance on
    ImageNet classification".

    >>> import fastnn as nn
    >>> nn.seed(0)
    >>> w = nn.init.kaiming_normal_(nn.empty(1000, 50), nonlinearity="relu")
    >>> w.std().round(decimals=1)           # sqrt(2 / 50) = 0.2
    tensor(0.2)
    """
    return normal_(tensor, 0.0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Orthonormal rows or columns, whichever are fewer, times gain; a product then keeps lengths.

    Saxe, McClelland, Ganguli (2014), "Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks".

    >>> import fastnn as nn
    >>> w = nn.init.orthogonal_(nn.empty(3, 5))
    >>> (w @ w.T).allclose(nn.eye(3), atol=1e-5)
    True
    """
    rng = stream_of("orthogonal_", generator)
    if tensor.ndim < 2:
        raise ShapeError(who="orthogonal_", expected="at least two dimensions", got=tensor.shape)

    def draw() -> np.ndarray:
        rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
        q, r = np.linalg.qr(rng.normal(size=(max(rows, columns), min(rows, columns))))
        q = q * np.sign(np.diag(r))     # else the draw is not uniform over the orthogonal matrices
        return gain * (q if rows >= columns else q.T).reshape(tensor.shape)
    return _fill(tensor, draw, "orthogonal_")


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None) -> Tensor:
    """N(0, std), and in each column ceil(sparsity * rows) zeros, at random places.

    Each unit then listens to few of the units before it. ShapeError unless a matrix, RangeError
    unless 0 <= sparsity <= 1.

    Martens (2010), "Deep learning via Hessian-free optimization".

    >>> import fastnn as nn
    >>> w = nn.init.sparse_(nn.empty(10, 4), sparsity=0.25)
    >>> (w == 0).sum(0)                     # ceil(2.5) of 10 rows
    tensor([3, 3, 3, 3])
    """
    rng = stream_of("sparse_", generator)
    if tensor.ndim != 2:
        raise ShapeError(who="sparse_", expected="a matrix", got=tensor.shape)
    if not 0 <= sparsity <= 1:
        raise RangeError(who="sparse_", expected="0 <= sparsity <= 1", got=sparsity)

    def draw() -> np.ndarray:
        rows, columns = tensor.shape
        weights = rng.normal(0.0, std, (rows, columns))
        for c in range(columns):
            weights[rng.permutation(rows)[:math.ceil(sparsity * rows)], c] = 0.0
        return weights
    return _fill(tensor, draw, "sparse_")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None) -> Tensor:
    """U(a, b): a <= x < b, also after rounding to the tensor's type.

    Where the type has no number between a and b, all are a. RangeError unless a <= b, and b - a is
    finite.
    """
    rng = stream_of("uniform_", generator)
    if not (a <= b and math.isfinite(b - a)):
        raise RangeError(who="uniform_", expected="a <= b, both finite", got=(a, b))

    def draw() -> np.ndarray:
        values = rng.uniform(a, b, tensor.shape).astype(tensor.dtype, copy=False)
        low, high = tensor.dtype.type(a), tensor.dtype.type(b)
        return np.minimum(values, max(low, np.nextafter(high, low)))   # rounding may have reached b
    return _fill(tensor, draw, "uniform_")


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> Tensor:
    """N(mean, std). RangeError unless std is at least 0 and both are finite."""
    rng = stream_of("normal_", generator)
    if not (0 <= std < math.inf and math.isfinite(mean)):
        raise RangeError(who="normal_", expected="a finite mean and std >= 0", got=(mean, std))
    return _fill(tensor, lambda: rng.normal(mean, std, tensor.shape), "normal_")


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Generator | None = None) -> Tensor:
    """N(mean, std) between a and b: numbers outside are drawn again, so none piles up at a bound.

    Where [a, b] lies in a tail, or is narrow, the proposals come from an exponential or a uniform
    law instead of the normal one, and about one in two or more is taken.

    RangeError unless a < b, std is at least 0, and mean and std are finite.

    Robert (1995), "Simulation of truncated normal variables", Statistics and Computing 5.

    >>> import fastnn as nn
    >>> nn.seed(0)
    >>> x = nn.init.trunc_normal_(nn.empty(10_000), a=5.0, b=6.0)
    >>> x.mean().round(decimals=2)          # 5.18 by integration
    tensor(5.18)
    """
    rng = stream_of("trunc_normal_", generator)
    if not a < b:
        raise RangeError(who="trunc_normal_", expected="a < b", got=(a, b))
    if not (0 <= std < math.inf and math.isfinite(mean)):
        raise RangeError(who="trunc_normal_", expected="a finite mean and std >= 0", got=(mean, std))

    def draw() -> np.ndarray:
        with np.errstate(over="ignore"):
            low, high = np.divide((a - mean, b - mean), std) if std else (math.inf, math.inf)
        if low == math.inf or high == -math.inf:    # all of the law lies in one point
            return np.full(tensor.shape, min(max(mean, a), b))
        propose = _proposals(rng, float(low), float(high))
        values, taken = propose(tensor.shape)
        while not taken.all():
            left = np.flatnonzero(~taken)
            again, good = propose(left.shape)
            values.reshape(-1)[left], taken.reshape(-1)[left] = again, good
        return np.clip(mean + std * values, a, b)
    return _fill(tensor, draw, "trunc_normal_")


def _proposals(rng: np.random.Generator, low: float,
               high: float) -> Callable[[tuple[int, ...]], tuple[np.ndarray, np.ndarray]]:
    """propose(shape) -> (values, which of them are taken), for N(0, 1) between low and high.

    A value z from a law of density g is taken with the probability e^(-z^2 / 2) / (c g(z)), where c
    makes the largest of these 1.
    """
    if high <= 0:                                   # the lower tail is the upper one, mirrored
        mirrored = _proposals(rng, -high, -low)

        def mirror(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
            z, taken = mirrored(shape)
            return -z, taken
        return mirror

    def normal(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        z = rng.normal(0.0, 1.0, shape)
        return z, (z >= low) & (z <= high)

    def uniform(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        z = rng.uniform(low, high, shape)
        return z, rng.random(shape) <= np.exp((max(low, 0.0) ** 2 - z * z) / 2)

    def exponential(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        rate = (low + math.hypot(low, 2)) / 2       # Robert's, the best one
        z = low - np.log1p(rng.random(shape) * math.expm1(-rate * (high - low))) / rate
        return z, rng.random(shape) <= np.exp(-((z - rate) ** 2) / 2)

    if low <= 0:
        return normal if high - low > 1.5 else uniform
    return uniform if (high - low) * low < 1 and high - low < 1.5 else exponential


def constant_(tensor: Tensor, val: float) -> Tensor:
    """The same number everywhere. RangeError if the tensor's type cannot hold it."""
    return _fill(tensor, number_of("constant_", val, tensor.dtype))


def zeros_(tensor: Tensor) -> Tensor:
    """0 everywhere."""
    return _fill(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """1 everywhere."""
    return _fill(tensor, 1.0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity, y = x, as the weight of a linear layer. ShapeError unless a matrix."""
    if tensor.ndim != 2:
        raise ShapeError(who="eye_", expected="a matrix", got=tensor.shape)
    return _fill(tensor, np.eye(tensor.shape[0], tensor.shape[1]))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The identity, y = x, as the weight of a convolution: 1 in the middle of a window, from each
    channel to its own, in each group; further output channels are 0.

    ShapeError unless the weight has 3 to 5 dimensions, and the output channels are a multiple of
    groups.

    Zagoruyko, Komodakis (2017), "DiracNets: training very deep neural networks without
    skip-connections".

    >>> import fastnn as nn
    >>> nn.init.dirac_(nn.empty(1, 1, 3, 3))
    tensor([[[[0., 0., 0.],
              [0., 1., 0.],
              [0., 0., 0.]]]])
    """
    if tensor.ndim not in (3, 4, 5):
        raise ShapeError(who="dirac_", expected="the weight of a convolution, of 3 to 5 dimensions", got=tensor.shape)
    if groups < 1 or tensor.shape[0] % groups:
        raise ShapeError(who="dirac_", expected=f"output channels a multiple of groups={groups}", got=tensor.shape)
    out = tensor.shape[0] // groups
    middle = tuple([size // 2 for size in tensor.shape[2:]])

    def identities() -> np.ndarray:
        weights = np.zeros(tensor.shape)
        for g in range(groups):
            for c in range(min(out, tensor.shape[1])):
                place = (g * out + c, c, *middle)
                weights[place] = 1.0
        return weights
    return _fill(tensor, identities)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """How much a layer's weights must be enlarged to make good what the nonlinearity takes away.

    linear, conv1d, conv2d, conv3d, sigmoid: 1; tanh: 5/3; relu: sqrt(2); selu: 3/4; leaky_relu:
    sqrt(2 / (1 + param^2)), param being the negative slope (0.01). RangeError for others.

    >>> import fastnn as nn
    >>> round(nn.init.calculate_gain("relu"), 4)
    1.4142
    """
    gains = {"linear": 1.0, "conv1d": 1.0, "conv2d": 1.0, "conv3d": 1.0, "sigmoid": 1.0, "tanh": 5 / 3,
             "relu": math.sqrt(2.0), "selu": 0.75}
    if nonlinearity == "leaky_relu":
        return math.sqrt(2.0 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in gains:
        raise RangeError(who="calculate_gain", expected=f"one of {', '.join([*gains, 'leaky_relu'])}", got=nonlinearity)
    return gains[nonlinearity]


def fans(tensor: Tensor) -> tuple[int, int]:
    """(n_in, n_out): the products that are summed into an output element, and the output elements
    that an input element goes to.

    >>> import fastnn as nn
    >>> nn.init.fans(nn.empty(16, 3, 5, 5))         # 16 filters of 3 x 5 x 5
    (75, 400)
    """
    if tensor.ndim < 2:
        raise ShapeError(who="init", expected="a weight of at least two dimensions", got=tensor.shape)
    window = math.prod(tensor.shape[2:])
    return tensor.shape[1] * window, tensor.shape[0] * window


def _fan(tensor: Tensor, mode: str) -> int:
    if mode not in ("fan_in", "fan_out"):
        raise RangeError(who="init", expected="mode 'fan_in' or 'fan_out'", got=mode)
    return max(fans(tensor)[mode == "fan_out"], 1)


def _fill(t: Tensor, values: Any, random: str = "") -> Tensor:
    """Copy the values, or what a function gives, into t; what has no memory stays as it is.

    `random` names a function whose numbers are fractions: of integers it would leave nothing.
    """
    if random and t.dtype.kind != "f":
        raise DTypeError(who=random, expected="a tensor of float32 or float64", got=str(t.dtype))
    if not is_meta(t._data):
        drawn: Any = values() if callable(values) else values
        np.copyto(t.data, drawn, casting="unsafe")
        t._version[0] += 1
    return t


guard.guard_all(globals())
