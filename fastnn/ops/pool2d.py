"""Pooling over two-dimensional windows.

Kernels: csrc/pool/pool2d.c. Definitions: fastnn/reference/pool2d.py.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import pool2d as reference
from ..tensor import Tensor
from .checks import need_float, pair
from .window import batched, need_image, need_window

__all__ = ["avg_pool2d", "max_pool2d"]


@overload
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ...,
               ceil_mode: bool = ..., return_indices: Literal[False] = ...) -> Tensor: ...
@overload
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ...,
               ceil_mode: bool = ..., *, return_indices: Literal[True]) -> tuple[Tensor, Tensor]: ...
@overload
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ...,
               ceil_mode: bool = ..., return_indices: bool = ...) -> Any: ...
def max_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    r"""The largest value under each window.

    .. math:: y[n,c,p,q] = \max_{r,s} \; x[n,c,\; p\,sh - ph + r\,dh,\; q\,sw - pw + s\,dw]

    over the pixels inside the image: padding counts as minus infinity. NaN wins over every number.

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W), or (C, H, W) for a single image
        float32 or float64.
    kernel_size : int or pair of int
        The window (R, S).
    stride : int or pair of int, optional
        None: the window's size, so that windows do not overlap.
    padding : int or pair of int
        At most half the window.
    dilation : int or pair of int
    ceil_mode : bool
        Also take a last window that is cut off by the edge, if it begins inside the image or the
        padding before it.
    return_indices : bool
        Also return the index of each maximum in its plane, i W + j, of int64.

    Returns
    -------
    Tensor of shape (N, C, P, Q), or (C, P, Q); with return_indices the pair (y, indices).
    P = (H + 2 ph - dh (R - 1) - 1) // sh + 1, rounded up with ceil_mode, and likewise Q.

    Gradient
    --------
    dx[n,c,i,j] = sum of dy[n,c,p,q] over the windows whose maximum was (i,j), the first of equals

    Raises
    ------
    ShapeError : if the rank is another, the window larger than the padded image, or the padding
        more than half the window.
    DTypeError : if input is not floating point.

    Cost: N C P Q R S comparisons; bound by memory. One int32 per output is saved for backward.

    >>> import fastnn as nn
    >>> x = nn.tensor([[[1.0, 5.0, 2.0, 0.0], [4.0, 3.0, 6.0, 6.0]]])
    >>> nn.functional.max_pool2d(x, 2, return_indices=True)
    (tensor([[[5., 6.]]]), tensor([[[1, 6]]]))
    """
    attrs = {**window_attributes("max_pool2d", kernel_size, stride, padding),
             "dilation": pair("max_pool2d", "dilation", dilation, 1),
             "ceil_mode": bool(ceil_mode), "return_indices": bool(return_indices)}
    return batched(lambda x: apply(MAX_POOL2D, x, **attrs), input)


def avg_pool2d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:
    r"""The mean of each window.

    .. math:: y[n,c,p,q] = \frac{1}{d} \sum_{r,s} x[n,c,\; p\,sh - ph + r,\; q\,sw - pw + s]

    and dx[n,c,i,j] is the sum of dy[n,c,p,q] / d over the windows that see (i,j).

    Parameters
    ----------
    input, kernel_size, stride, ceil_mode : as in `max_pool2d`
    padding : int or pair of int
        Zeros, at most half the window.
    count_include_pad : bool
        Whether d counts the window's elements in the padding (but not beyond it), too, or only
        those in the image.
    divisor_override : int, optional
        Use this as d.

    Returns
    -------
    Tensor of shape (N, C, P, Q), or (C, P, Q), as for max_pool2d.

    Raises
    ------
    ShapeError, DTypeError : as `max_pool2d`.
    RangeError : for a divisor of 0.

    Cost: N C P Q R S additions; bound by memory.

    >>> import fastnn as nn
    >>> nn.functional.avg_pool2d(nn.tensor([[[1.0, 5.0, 2.0, 0.0], [4.0, 2.0, 6.0, 4.0]]]), 2)
    tensor([[[3., 3.]]])
    """
    attrs = {**window_attributes("avg_pool2d", kernel_size, stride, padding), "ceil_mode": bool(ceil_mode),
             "count_include_pad": bool(count_include_pad), "divisor_override": divisor_override}
    return batched(lambda x: apply(AVG_POOL2D, x, **attrs), input)


# ---- what the functions share --------------------------------------------------------------------
def window_attributes(who: str, kernel_size: Any, stride: Any, padding: Any) -> dict[str, tuple[int, int]]:
    """As pairs; the stride is the window's size unless given."""
    window = pair(who, "kernel_size", kernel_size, 1)
    step = window if stride is None or stride == () else pair(who, "stride", stride, 1)
    return {"kernel_size": window, "stride": step, "padding": pair(who, "padding", padding, 0)}


def sizes_of(shape: tuple[int, ...], attrs: dict[str, Any]) -> dict[str, int]:
    N, C, H, W = shape
    dilation = attrs.get("dilation", (1, 1))
    P, Q = (reference.pooled_size(n, k, s, p, d, attrs["ceil_mode"])
            for n, k, s, p, d in zip((H, W), attrs["kernel_size"], attrs["stride"], attrs["padding"], dilation))
    return {"N": N, "C": C, "H": H, "W": W, "R": attrs["kernel_size"][0], "S": attrs["kernel_size"][1], "P": P, "Q": Q}


# ---- checks --------------------------------------------------------------------------------------
def check_pool(who: str, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> None:
    need_float(who, input=x)
    need_image(who, x)
    for k, p, d in zip(kernel_size, padding, dilation):
        if 2 * p > d * (k - 1) + 1:
            spread = f" ({d * (k - 1) + 1} with dilation {d})" if d > 1 else ""
            raise ShapeError("the padding is more than half the window, so that some windows would see nothing else",
                             who=who, expected=f"padding of at most {(d * (k - 1) + 1) // 2}",
                             got=f"padding {p}, window {k}{spread}")
    around = tuple((p, p + s - 1 if ceil_mode else p) for p, s in zip(padding, stride))
    need_window(who, x.shape[2:], kernel_size, stride, around, dilation)
    if x.shape[2] * x.shape[3] >= 2**31:
        raise RangeError("a plane has more pixels than a saved index can name", who=who, expected="H*W < 2**31",
                         got=x.shape)


def check_max(x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
              return_indices: bool) -> None:
    check_pool("max_pool2d", x, kernel_size, stride, padding, dilation, ceil_mode)


def check_avg(x: Any, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
              divisor_override: Any) -> None:
    check_pool("avg_pool2d", x, kernel_size, stride, padding, (1, 1), ceil_mode)
    if divisor_override is not None and (not isinstance(divisor_override, (int, np.integer)) or divisor_override == 0):
        raise RangeError(who="avg_pool2d", expected="divisor_override as an int other than 0, or None",
                         got=repr(divisor_override))


# ---- samples -------------------------------------------------------------------------------------
def max_case(name: str, shape: tuple[int, ...], kernel_size: Any, stride: Any = None, padding: Any = 0,
             dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False) -> Sample:
    attrs: dict[str, Any] = {**window_attributes(name, kernel_size, stride, padding),
                             "dilation": pair(name, "dilation", dilation, 1),
                             "ceil_mode": ceil_mode, "return_indices": return_indices}
    return Sample(name, (seeded(name).standard_normal(shape),), attrs, sizes_of(shape, attrs))


def avg_case(name: str, shape: tuple[int, ...], kernel_size: Any, stride: Any = None, padding: Any = 0,
             ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None) -> Sample:
    attrs: dict[str, Any] = {**window_attributes(name, kernel_size, stride, padding), "ceil_mode": ceil_mode,
                             "count_include_pad": count_include_pad, "divisor_override": divisor_override}
    return Sample(name, (seeded(name).standard_normal(shape),), attrs, sizes_of(shape, attrs))


# Samples with a tie are in tests/ops/test_pool2d.py: at a tie the maximum has no derivative, so the
# laws cannot use them.
def max_samples() -> list[Sample]:
    return [
        max_case("smallest", (1, 1, 1, 1), 1),
        max_case("odd primes", (2, 3, 11, 7), (5, 2)),
        max_case("two by two", (2, 3, 6, 70), 2),
        max_case("two by two, odd image", (2, 3, 7, 9), 2),
        max_case("overlap", (2, 2, 6, 7), 3, stride=(1, 2), padding=1),
        max_case("gap", (1, 2, 9, 11), 2, stride=(3, 4)),
        max_case("dilated", (2, 2, 9, 10), (3, 2), stride=1, padding=1, dilation=(2, 3)),
        max_case("ceil", (2, 2, 6, 8), 3, stride=2, ceil_mode=True),
        max_case("ceil padded", (1, 2, 7, 6), (3, 2), stride=(3, 4), padding=1, ceil_mode=True),
        max_case("indices", (2, 2, 5, 6), 3, stride=2, padding=1, return_indices=True),
        max_case("one row", (1, 2, 1, 37), (1, 3), stride=1),
        max_case("empty batch", (0, 2, 4, 4), 2),
    ]


def avg_samples() -> list[Sample]:
    return [
        avg_case("smallest", (1, 1, 1, 1), 1),
        avg_case("odd primes", (2, 3, 11, 7), (5, 2)),
        avg_case("two by two", (2, 3, 6, 70), 2),
        avg_case("two by two, odd image, divisor", (2, 3, 7, 9), 2, divisor_override=3),
        avg_case("overlap", (2, 2, 6, 7), 3, stride=(1, 2), padding=1),
        avg_case("gap", (1, 2, 9, 11), 2, stride=(3, 4)),
        avg_case("padding not counted", (2, 2, 7, 8), 3, stride=2, padding=1, count_include_pad=False),
        avg_case("ceil", (2, 2, 6, 8), 3, stride=2, padding=1, ceil_mode=True),
        avg_case("ceil, padding not counted", (1, 2, 7, 6), (3, 2), stride=(3, 4), padding=1, ceil_mode=True,
                 count_include_pad=False),
        avg_case("divisor", (1, 2, 5, 5), 3, stride=2, padding=1, divisor_override=-7),
        avg_case("long window", (2, 2, 5, 40), (2, 29), stride=(1, 3), padding=(1, 14)),
        avg_case("many windows of one row", (1, 1, 1, 150), (1, 3), stride=1),
        avg_case("empty batch", (0, 2, 4, 4), 2),
    ]


# ---- errors --------------------------------------------------------------------------------------
def pool_errors(name: str, pool: Any) -> tuple[Refusal, ...]:
    """What both poolings refuse."""
    return (
        Refusal("rank", lambda: pool(zeros(8, 8), 2), ShapeError, (name, "(N, C, H, W) or (C, H, W)", "(8, 8)")),
        Refusal("window", lambda: pool(zeros(1, 1, 3, 8), 4), ShapeError, (name, "4 x 4 window", "3 x 8")),
        Refusal("padding", lambda: pool(zeros(1, 1, 8, 8), 2, padding=2),
                ShapeError, (name, "at most 1", "padding 2, window 2")),
        Refusal("negative padding", lambda: pool(zeros(1, 1, 8, 8), 2, padding=-1),
                ShapeError, (name, "padding >= 0")),
        Refusal("stride", lambda: pool(zeros(1, 1, 8, 8), 2, stride=0), ShapeError, (name, "stride >= 1")),
        Refusal("huge stride", lambda: pool(zeros(1, 1, 8, 8), 2, stride=2**50), RangeError, (name, "stride")),
        Refusal("kernel_size", lambda: pool(zeros(1, 1, 8, 8), (2, 2, 2)),
                ShapeError, (name, "kernel_size", "pair")),
        Refusal("integers", lambda: pool(zeros(1, 1, 8, 8, dtype=np.int64), 2), DTypeError, (name, "int64")),
        Refusal("empty plane", lambda: pool(zeros(1, 1, 0, 8), 1),
                ShapeError, (name, "only the batch", "(1, 1, 0, 8)")),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def taps(x: np.ndarray, fill: float, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
         ceil_mode: bool) -> Any:
    """For each tap of the window, the strided slice of the padded image that it sees: arrays of the
    output's size.
    """
    (sh, sw), (dh, dw) = stride, dilation
    P, Q = (reference.pooled_size(n, k, s, p, d, ceil_mode)
            for n, k, s, p, d in zip(x.shape[2:], kernel_size, stride, padding, dilation))
    after = [max((o - 1) * s + d * (k - 1) + 1 - n - p, 0)
             for o, n, k, s, p, d in zip((P, Q), x.shape[2:], kernel_size, stride, padding, dilation)]
    xp = np.pad(x, ((0, 0), (0, 0), (padding[0], after[0]), (padding[1], after[1])), constant_values=fill)
    for r in range(kernel_size[0]):
        for s in range(kernel_size[1]):
            yield xp[:, :, r * dh:r * dh + sh * (P - 1) + 1:sh, s * dw:s * dw + sw * (Q - 1) + 1:sw]


def fast_max(x: np.ndarray, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
             return_indices: bool) -> np.ndarray:
    """The maximum of one strided slice per tap."""
    slices = taps(x, -np.inf, kernel_size, stride, padding, dilation, ceil_mode)
    y = next(slices).copy()
    for tap in slices:
        np.maximum(y, tap, out=y)
    return y


def fast_avg(x: np.ndarray, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool,
             divisor_override: Any) -> np.ndarray:
    """The sum of one strided slice per tap."""
    slices = taps(x, 0, kernel_size, stride, padding, (1, 1), ceil_mode)
    y = next(slices).copy()
    for tap in slices:
        y += tap
    attrs = (x.shape[2:], kernel_size, stride, padding, count_include_pad, divisor_override)
    divisor = [[reference.mean_divisor(p, q, *attrs) for q in range(y.shape[3])] for p in range(y.shape[2])]
    return y / np.array(divisor, x.dtype)


BENCH: dict[str, Any] = {"shape": (32, 64, 56, 56), "kernel_size": 2}


# ---- records -------------------------------------------------------------------------------------
MAX_POOL2D = register(Op(
    name="max_pool2d", family="pooling", inputs=("x",),
    formula="y[n,c,p,q] = max over (r,s) of x[n,c,p*sh-ph+r*dh,q*sw-pw+s*dw]",
    forward=kernel("max_pool2d_forward"), backward=kernel("max_pool2d_backward"),
    ref_forward=reference.max_pool2d_forward, ref_backward=reference.max_pool2d_backward,
    check=check_max, fits=kernel("fits_pool2d"), samples=max_samples,
    errors=(
        *pool_errors("max_pool2d", max_pool2d),
        Refusal("dilation", lambda: max_pool2d(zeros(1, 1, 8, 8), 2, dilation=0),
                ShapeError, ("max_pool2d", "dilation >= 1")),
    ),
    fast_numpy=fast_max, bench={"2x2.64c56": lambda: max_case("2x2.64c56", **BENCH)},
    flops=lambda N, C, P, Q, R, S, **_: N * C * P * Q * R * S,
    bytes=lambda N, C, H, W, P, Q, **_: N * C * (4 * H * W + 8 * P * Q),
))

AVG_POOL2D = register(Op(
    name="avg_pool2d", family="pooling", inputs=("x",),
    formula="y[n,c,p,q] = (sum over (r,s) of x[n,c,p*sh-ph+r,q*sw-pw+s]) / (R*S)",
    forward=kernel("avg_pool2d_forward"), backward=kernel("avg_pool2d_backward"),
    ref_forward=reference.avg_pool2d_forward, ref_backward=reference.avg_pool2d_backward,
    check=check_avg, samples=avg_samples,
    errors=(
        *pool_errors("avg_pool2d", avg_pool2d),
        Refusal("divisor", lambda: avg_pool2d(zeros(1, 1, 8, 8), 2, divisor_override=0),
                RangeError, ("divisor_override", "0")),
    ),
    fast_numpy=fast_avg, bench={"2x2.64c56": lambda: avg_case("2x2.64c56", **BENCH)},
    flops=lambda N, C, P, Q, R, S, **_: N * C * P * Q * R * S,
    bytes=lambda N, C, H, W, P, Q, **_: 4 * N * C * (H * W + P * Q),
    # linear, but 1/9 is not exact: tests/ops/test_pool2d.py has the adjoint with divisor 1
    terms=lambda R, S, **_: R * S,
))
