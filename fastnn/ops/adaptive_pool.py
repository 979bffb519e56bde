"""Pooling to a given output size.

Kernels: csrc/pool/pool2d.c. Definitions: fastnn/reference/adaptive_pool.py.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import adaptive_pool as reference
from ..tensor import Tensor, tensor
from .checks import need_float, pair
from .window import MOST_ELEMENTS, batched, need_image

__all__ = ["adaptive_avg_pool2d", "adaptive_max_pool2d"]


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    r"""The mean of each of P x Q windows that together cover the image, whatever its size.

    .. math:: y[n,c,p,q] = \operatorname{mean}\; x[n,c,i,j], \qquad
        \lfloor pH/P \rfloor \le i < \lceil (p+1)H/P \rceil, \quad
        \lfloor qW/Q \rfloor \le j < \lceil (q+1)W/Q \rceil

    and dx[n,c,i,j] is the sum, over the windows that see (i,j), of dy[n,c,p,q] / (its pixels).

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W), or (C, H, W) for a single image
        float32 or float64.
    output_size : int or pair
        (P, Q). None keeps the image's size in that direction; 1 is global average pooling.

    Returns
    -------
    Tensor of shape (N, C, P, Q), or (C, P, Q).

    Raises
    ------
    ShapeError : if the rank is another, or a size is below 1.
    RangeError : if no memory holds the output.
    DTypeError : if input is not floating point.

    Cost: reads each pixel about once.

    Reference: Lin, Chen, Yan (2014), "Network in network", arXiv:1312.4400.

    >>> import fastnn as nn
    >>> nn.functional.adaptive_avg_pool2d(nn.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]), (1, 2))
    tensor([[[3., 4.]]])
    """
    x = input if isinstance(input, Tensor) else tensor(input)
    size = size_of("adaptive_avg_pool2d", output_size, x)
    return batched(lambda x: apply(ADAPTIVE_AVG_POOL2D, x, output_size=size), x)


@overload
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: Literal[False] = ...) -> Tensor: ...
@overload
def adaptive_max_pool2d(input: Tensor, output_size: Any, *, return_indices: Literal[True]) -> tuple[Tensor, Tensor]: ...
@overload
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = ...) -> Any: ...
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    r"""The largest value of each of P x Q windows that together cover the image, whatever its size.

    .. math:: y[n,c,p,q] = \max\; x[n,c,i,j], \qquad
        \lfloor pH/P \rfloor \le i < \lceil (p+1)H/P \rceil, \quad
        \lfloor qW/Q \rfloor \le j < \lceil (q+1)W/Q \rceil

    and dy goes to the first of the largest values of its window.

    Parameters
    ----------
    input, output_size : as in `adaptive_avg_pool2d`
    return_indices : bool
        Also return the index of each maximum in its plane, i W + j, of int64.

    Returns
    -------
    Tensor of shape (N, C, P, Q), or (C, P, Q); with return_indices the pair (y, indices).

    Errors and cost: as `adaptive_avg_pool2d`.

    >>> import fastnn as nn
    >>> nn.functional.adaptive_max_pool2d(nn.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]), (1, 2))
    tensor([[[5., 6.]]])
    """
    x = input if isinstance(input, Tensor) else tensor(input)
    attrs = {"output_size": size_of("adaptive_max_pool2d", output_size, x), "return_indices": bool(return_indices)}
    return batched(lambda x: apply(ADAPTIVE_MAX_POOL2D, x, **attrs), x)


# ---- what the functions share --------------------------------------------------------------------
def size_of(who: str, output_size: Any, x: Tensor) -> tuple[int, int]:
    """(P, Q) from an int, a pair, or a pair with None, which keeps the image's size."""
    if output_size is None:
        output_size = (None, None)
    if isinstance(output_size, (tuple, list)) and len(output_size) == 2 and x.ndim in (3, 4):
        output_size = tuple(n if o is None else o for o, n in zip(output_size, x.shape[-2:]))
    return pair(who, "output_size", output_size, 1)


# ---- checks --------------------------------------------------------------------------------------
def check_adaptive(who: str, x: Any, output_size: tuple[int, int]) -> None:
    need_float(who, input=x)
    need_image(who, x)
    if x.shape[2] * x.shape[3] >= 2**31:
        raise RangeError("a plane has more pixels than a saved index can name", who=who, expected="H*W < 2**31",
                         got=x.shape)
    if output_size[0] * output_size[1] * max(x.shape[0], 1) * x.shape[1] > MOST_ELEMENTS:
        raise RangeError("no memory holds an output of that size", who=who, got=output_size)


# ---- samples -------------------------------------------------------------------------------------
def case(name: str, N: int, C: int, H: int, W: int, P: int, Q: int, **attrs: Any) -> Sample:
    return Sample(name, (seeded(name).standard_normal((N, C, H, W)),), {"output_size": (P, Q), **attrs},
                  {"N": N, "C": C, "H": H, "W": W, "P": P, "Q": Q})


CASES: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("smallest", (1, 1, 1, 1, 1, 1)),
    ("odd primes", (2, 3, 11, 7, 5, 2)),
    ("even windows", (2, 3, 6, 8, 3, 2)),
    ("whole plane", (3, 2, 5, 7, 1, 1)),
    ("rows only", (2, 2, 5, 36, 5, 1)),
    ("larger than the image", (1, 2, 3, 4, 5, 7)),
    ("empty batch", (0, 2, 4, 4, 3, 3)),
)


# ---- errors --------------------------------------------------------------------------------------
def errors_of(name: str, pool: Any) -> tuple[Refusal, ...]:
    return (
        Refusal("rank", lambda: pool(zeros(8, 8), 1), ShapeError, (name, "(N, C, H, W) or (C, H, W)", "(8, 8)")),
        Refusal("size", lambda: pool(zeros(1, 1, 8, 8), 0), ShapeError, (name, "output_size >= 1", "0")),
        Refusal("pair", lambda: pool(zeros(1, 1, 8, 8), (1, 2, 3)), ShapeError, (name, "output_size", "pair")),
        Refusal("huge", lambda: pool(zeros(1, 1, 8, 8), 2**30), RangeError, (name, "memory")),
        Refusal("integers", lambda: pool(zeros(1, 1, 8, 8, dtype=np.int64), 2), DTypeError, (name, "int64")),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, output_size: tuple[int, int], reduction: Any) -> np.ndarray:
    """A reshape where all windows are alike, else window by window."""
    (H, W), (P, Q) = x.shape[2:], output_size
    if H % P == 0 and W % Q == 0:
        return reduction(x.reshape(*x.shape[:2], P, H // P, Q, W // Q), (3, 5))
    y = np.empty((*x.shape[:2], P, Q), x.dtype)
    for p, q, i, j in reference.windows((H, W), output_size):
        y[:, :, p, q] = reduction(x[:, :, i, j], (2, 3), keepdims=True)
    return y


# ---- records -------------------------------------------------------------------------------------
SHARED: dict[str, Any] = {
    "family": "pooling", "inputs": ("x",),
    "flops": lambda N, C, H, W, **_: N * C * H * W, "bytes": lambda N, C, H, W, P, Q: 4 * N * C * (H * W + P * Q),
}

ADAPTIVE_AVG_POOL2D = register(Op(
    name="adaptive_avg_pool2d",
    formula="y[n,c,p,q] = mean of x[n,c,i,j] for floor(p*H/P) <= i < ceil((p+1)*H/P), likewise j",
    forward=kernel("adaptive_avg_pool2d_forward"), backward=kernel("adaptive_avg_pool2d_backward"),
    ref_forward=reference.adaptive_avg_pool2d_forward, ref_backward=reference.adaptive_avg_pool2d_backward,
    check=lambda x, output_size: check_adaptive("adaptive_avg_pool2d", x, output_size),
    samples=lambda: [case(name, *sizes) for name, sizes in CASES],
    errors=errors_of("adaptive_avg_pool2d", adaptive_avg_pool2d),
    fast_numpy=lambda x, output_size: fast_numpy(x, output_size, np.mean),
    bench={"global.512c7": lambda: case("global.512c7", 32, 512, 7, 7, 1, 1),
           "6x6.256c13": lambda: case("6x6.256c13", 32, 256, 13, 13, 6, 6)},
    terms=lambda H, W, **_: H * W, **SHARED,
))

ADAPTIVE_MAX_POOL2D = register(Op(
    name="adaptive_max_pool2d",
    formula="y[n,c,p,q] = max of x[n,c,i,j] for floor(p*H/P) <= i < ceil((p+1)*H/P), likewise j",
    forward=kernel("adaptive_max_pool2d_forward"), backward=kernel("adaptive_max_pool2d_backward"),
    ref_forward=reference.adaptive_max_pool2d_forward, ref_backward=reference.adaptive_max_pool2d_backward,
    check=lambda x, output_size, return_indices: check_adaptive("adaptive_max_pool2d", x, output_size),
    samples=lambda: [case(name, *sizes, return_indices=name == "odd primes") for name, sizes in CASES],
    errors=errors_of("adaptive_max_pool2d", adaptive_max_pool2d),
    fast_numpy=lambda x, output_size, return_indices: fast_numpy(x, output_size, np.max),
    bench={"6x6.256c13": lambda: case("6x6.256c13", 32, 256, 13, 13, 6, 6, return_indices=False)},
    **SHARED,
))
