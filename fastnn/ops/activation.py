"""Activations: functions applied to each element. Kernels: csrc/activation.c. Definitions: fastnn/reference/activation.py."""

from __future__ import annotations

import numpy as np

from ..autograd import apply
from ..errors import DTypeError
from ..kernels import kernel
from ..reference import activation as reference
from ..tensor import Tensor, tensor
from .checks import need_float
from .registry import Op, Sample, register, seeded

__all__ = ["relu"]


def values(name: str, *shape: int, scale: float = 2.0) -> Sample:
    """A sample of `shape` whose values stay away from 0, where some slopes jump."""
    x = seeded(name).standard_normal(shape) * scale
    return Sample(name, (x + np.where(x >= 0, 0.05, -0.05),), sizes={"n": x.size})


def samples() -> list[Sample]:
    return [values("one", 1), values("odd", 3, 5, 7), values("empty", 0, 4), values("large", 33, scale=80.0), values("wide", 2, 1031)]


RELU = register(Op(
    name="relu", family="activation", inputs=("x",), formula="y = max(x, 0)",
    forward=kernel("relu_forward"), backward=kernel("relu_backward"),
    ref_forward=reference.relu_forward, ref_backward=reference.relu_backward,
    check=lambda x: need_float("relu", x=x),
    samples=samples,
    errors=(("integers", lambda: relu(tensor([1, 2])), DTypeError, ("relu", "int64", "float32")),),
    fast_numpy=lambda x: np.maximum(x, 0),
    bench={"2048x512": lambda: values("2048x512", 2048, 512)},
    flops=lambda n: n, bytes=lambda n: 8 * n,
))


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    r"""Rectified linear unit, max(x, 0), element by element.

    .. math:: y = \max(x, 0) \qquad dx = dy \cdot [y > 0]

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    inplace : accepted for PyTorch's sake; the result is always a new tensor.

    Returns
    -------
    Tensor of the same shape and dtype.

    Raises
    ------
    DTypeError : if input is not floating point.

    Cost: reads and writes each element once. The slope at 0 is taken as 0. Nair, Hinton (2010), "Rectified linear units improve restricted
    Boltzmann machines".

    >>> import fastnn as nn
    >>> nn.functional.relu(nn.tensor([-1.0, 0.0, 2.0]))
    tensor([0., 0., 2.])
    """
    return apply(RELU, input)
