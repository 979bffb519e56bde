"""The linear layer, alone and with relu after it.

Kernels: csrc/gemm/gemm.c. Definition: fastnn/reference/linear.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import linear as reference
from ..tensor import Tensor, tensor
from .checks import need_float, need_rank

__all__ = ["linear", "linear_relu"]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""Every feature out is a weighted sum of all features in.

    .. math:: y = x w^T + b \qquad dx = dy\, w \qquad dw = dy^T x \qquad db = \sum_{rows} dy

    Parameters
    ----------
    input : Tensor of shape (..., in)
    weight : Tensor of shape (out, in)
    bias : Tensor of shape (out,), optional

    Returns
    -------
    Tensor of shape (..., out).

    Raises
    ------
    ShapeError : if input's last axis is not "in" long, or weight or bias has another shape.
    DTypeError : if one of them is not floating point, or their dtypes differ.

    Cost: 2 m n k flop forward and 4 m n k backward, for m rows of k features in and n out. The bias
    is added as the product is written.

    >>> import fastnn as nn
    >>> w, b = nn.tensor([[3.0, 4.0], [5.0, 6.0]]), nn.tensor([0.5, 0.0])
    >>> nn.functional.linear(nn.tensor([1.0, 2.0]), w, b)
    tensor([11.5, 17.0])
    """
    return apply(LINEAR, input, weight, bias)


def linear_relu(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""relu(linear(input, weight, bias)) in one pass: the product's last write is relu's.

    .. math:: y = \max(x w^T + b, 0) \qquad
        dz = dy \, [y > 0], \quad dx = dz\, w, \quad dw = dz^T x, \quad db = \sum_{rows} dz

    nn.Sequential runs Linear and ReLU so by itself. An infinite input times a dz of 0 is NaN in dw,
    as in PyTorch.

    Parameters, errors and cost: as `linear`. The result before relu is never in memory.

    >>> import fastnn as nn
    >>> w, b = nn.tensor([[3.0, 4.0], [-5.0, -6.0]]), nn.tensor([0.5, 0.0])
    >>> nn.functional.linear_relu(nn.tensor([1.0, 2.0]), w, b)
    tensor([11.5,  0.0])
    """
    return apply(LINEAR_RELU, input, weight, bias)


# ---- checks --------------------------------------------------------------------------------------
def check_as(who: str) -> Callable[..., None]:
    def check(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> None:
        need_float(who, input=x, weight=w, bias=b)
        need_rank(who, "weight", w, "(out, in)", 2)
        outputs, inputs = w.shape
        if x.ndim == 0 or x.shape[-1] != inputs:
            hint = ""
            if x.ndim > 2 and inputs == int(np.prod(x.shape[1:])):
                hint = "Did you forget Flatten()?"
            elif x.ndim > 1 and inputs == x.size:
                hint = "One sample has no batch dimension, which Flatten() keeps: model(x[None])?"
            elif x.ndim and x.shape[-1] == outputs:
                hint = "The weight has shape (out, in): is it transposed?"
            raise ShapeError(who=who, expected=f"(..., {inputs})", got=x.shape, hint=hint)
        if b is not None and b.shape != (outputs,):
            raise ShapeError(who=who, expected=f"bias of shape ({outputs},)", got=b.shape)
    return check


# ---- samples -------------------------------------------------------------------------------------
def sample(name: str, x: tuple[int, ...], outputs: int, bias: bool = True) -> Sample:
    rng = seeded(name)
    b = rng.standard_normal(outputs) if bias else None
    return Sample(name, (rng.standard_normal(x), rng.standard_normal((outputs, x[-1])), b),
                  sizes={"m": int(np.prod(x[:-1])), "n": outputs, "k": x[-1]})


def samples() -> list[Sample]:
    return [
        sample("one", (1, 1), 1),
        sample("primes", (5, 7), 11),
        sample("no bias", (5, 7), 3, bias=False),
        sample("vector", (13,), 5),
        sample("more axes", (2, 3, 5, 7), 4),
        sample("blocks", (37, 523), 41),
        sample("large batch", (4200, 3), 2),
        sample("no rows", (0, 3), 4),
        sample("no inputs", (3, 0), 4),
        sample("no outputs", (3, 4), 0),
    ]


def relu_samples() -> list[Sample]:
    """Weights of 1/sqrt(k), as in a network: results before relu are near 1, and so is the scale of
    their rounding. A lone one is positive.
    """
    found = []
    for s in samples():
        x, w, b = s.inputs
        if s.name == "one":
            x, w, b = np.abs(x), np.abs(w), np.abs(b)
        found.append(Sample(s.name, (x, w / math.sqrt(max(x.shape[-1], 1)), b), sizes=s.sizes))
    return found


# ---- cost and benchmarks -------------------------------------------------------------------------
def case(m: int, k: int, n: int) -> Any:
    return lambda: sample("bench", (m, k), n)


def fast_numpy(x: np.ndarray, w: np.ndarray, b: np.ndarray | None) -> np.ndarray:
    y = x @ w.T
    if b is not None:
        y += b
    return y


# ---- records -------------------------------------------------------------------------------------
LINEAR = register(Op(
    name="linear", family="linear", inputs=("input", "weight", "bias"), formula="y = x w^T + b",
    forward=kernel("linear_forward"), backward=kernel("linear_backward"),
    ref_forward=reference.linear_forward, ref_backward=reference.linear_backward,
    check=check_as("linear"), fits=kernel("fits_linear"), samples=samples,
    errors=(
        Refusal("image", lambda: linear(zeros(32, 28, 28), zeros(10, 784)),
                ShapeError, ("linear: expected (..., 784), got (32, 28, 28). Did you forget Flatten()?",)),
        Refusal("one sample", lambda: linear(zeros(6, 576), zeros(10, 3456)), ShapeError, ("(6, 576)", "x[None]")),
        Refusal("transposed", lambda: linear(zeros(2, 5), zeros(5, 3)),
                ShapeError, ("(..., 3)", "(2, 5)", "transposed")),
        Refusal("weight", lambda: linear(zeros(2, 5), zeros(5)), ShapeError, ("weight of shape (out, in)", "(5,)")),
        Refusal("bias", lambda: linear(zeros(2, 5), zeros(3, 5), zeros(5)), ShapeError, ("bias of shape (3,)", "(5,)")),
        Refusal("number", lambda: linear(tensor(1.0), zeros(3, 5)), ShapeError, ("(..., 5)", "()")),
        Refusal("integers", lambda: linear(tensor([[1, 2]]), zeros(3, 2)), DTypeError, ("linear", "int64", "float32")),
        Refusal("mixed", lambda: linear(zeros(2, 5), tensor(np.zeros((3, 5)))), DTypeError, ("float32", "float64")),
    ),
    fast_numpy=fast_numpy,
    bench={"mlp": case(128, 784, 512), "transformer": case(1024, 512, 2048), "classes": case(128, 512, 10),
           "one row": case(1, 1024, 1024)},
    flops=lambda m, n, k: 2 * m * n * k,
    bytes=lambda m, n, k: 4 * (m * k + n * k + m * n + n),
    terms=lambda m, n, k: max(m, n, k) + 1,
    linear_in=("input", "weight", "bias"),
))

LINEAR_RELU = register(Op(
    name="linear_relu", family="linear", inputs=("input", "weight", "bias"), formula="y = max(x w^T + b, 0)",
    forward=kernel("linear_relu_forward"), backward=kernel("linear_relu_backward"),
    ref_forward=reference.linear_relu_forward, ref_backward=reference.linear_relu_backward,
    check=check_as("linear_relu"), fits=kernel("fits_linear"), samples=relu_samples,
    errors=(
        Refusal("image", lambda: linear_relu(zeros(32, 28, 28), zeros(10, 784)),
                ShapeError, ("linear_relu: expected (..., 784), got (32, 28, 28). Did you forget Flatten()?",)),
        Refusal("weight", lambda: linear_relu(zeros(2, 5), zeros(5)),
                ShapeError, ("linear_relu", "weight of shape (out, in)", "(5,)")),
        Refusal("bias", lambda: linear_relu(zeros(2, 5), zeros(3, 5), zeros(5)),
                ShapeError, ("linear_relu", "bias of shape (3,)", "(5,)")),
        Refusal("mixed", lambda: linear_relu(zeros(2, 5), tensor(np.zeros((3, 5)))),
                DTypeError, ("linear_relu", "float32", "float64")),
    ),
    fast_numpy=lambda x, w, b: np.maximum(fast_numpy(x, w, b), 0),
    bench={"mlp": case(128, 784, 512), "transformer": case(1024, 512, 2048), "one row": case(1, 1024, 1024)},
    flops=lambda m, n, k: 2 * m * n * k,
    bytes=lambda m, n, k: 4 * (m * k + n * k + m * n + n),
    terms=lambda m, n, k: max(m, n, k) + 1, keeps_nan=("input", "weight"),
))
