"""Every window of an image as a column, and the way back.

Kernels: csrc/conv/unfold.c. Definitions: fastnn/reference/unfold.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import unfold as reference
from ..reference.conv2d import out_shape
from ..tensor import Tensor
from .checks import need_float, need_rank, pair
from .window import batched, by, need_image, need_window

__all__ = ["fold", "unfold"]


def unfold(input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    r"""Every window of each image as a column (im2col).

    .. math:: cols[n, (c,r,s), (p,q)] = x[n, c, p\,sh - ph + r\,dh, q\,sw - pw + s\,dw]

    with zeros outside the image. A convolution is a matrix product with these columns:
    w.reshape(K, -1) @ cols. The gradient is fold(dy), which adds each column back to the pixels
    that it came from.

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W), or (C, H, W) for a single image
        float32 or float64.
    kernel_size, dilation, padding, stride : int or pair of int
        The window (R, S), and what `conv2d` means by the others.

    Returns
    -------
    Tensor of shape (N, C R S, P Q), or (C R S, P Q). P = (H + 2 ph - dh (R - 1) - 1) // sh + 1, and
    likewise Q.

    Raises
    ------
    ShapeError : if the rank is another, the window larger than the padded image, or a stride below
        1.
    DTypeError : if input is not floating point.

    Cost: moves N C R S P Q elements.

    >>> import fastnn as nn
    >>> nn.functional.unfold(nn.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]]), (2, 2)).data[0]
    array([[1., 2.],
           [2., 3.],
           [4., 5.],
           [5., 6.]], dtype=float32)
    """
    attrs = attributes("unfold", kernel_size, dilation, padding, stride)
    return batched(lambda x: apply(UNFOLD, x, **attrs), input)


def fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1) -> Tensor:
    r"""Add columns back to the pixels that `unfold` would have read them from (col2im).

    .. math:: y[n,c,i,j] = \sum x[n, (c,r,s), (p,q)] \quad\text{over all}\quad
        i = p\,sh - ph + r\,dh, \; j = q\,sw - pw + s\,dw

    Overlapping windows add up. So fold is unfold's linear map transposed, not its inverse:
    fold(unfold(x)) multiplies each pixel by the number of windows that see it. The gradient is
    unfold(dy).

    Parameters
    ----------
    input : Tensor of shape (N, C R S, P Q), or (C R S, P Q)
    output_size : int or pair of int
        The image's H and W.
    kernel_size, dilation, padding, stride : as in `unfold`

    Returns
    -------
    Tensor of shape (N, C, H, W), or (C, H, W).

    Raises
    ------
    ShapeError : if the sizes do not belong together.
    DTypeError : if input is not floating point.

    Cost: N C R S P Q additions.

    >>> import numpy as np, fastnn as nn
    >>> x = nn.tensor(np.ones((1, 1, 3, 3)))
    >>> nn.functional.fold(nn.functional.unfold(x, 2), 3, 2).data[0, 0]
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]])
    """
    size = pair("fold", "output_size", output_size, 1)
    attrs = attributes("fold", kernel_size, dilation, padding, stride)
    return batched(lambda x: apply(FOLD, x, output_size=size, **attrs), input, rank=3)


# ---- what the functions share --------------------------------------------------------------------
def attributes(who: str, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> dict[str, tuple[int, int]]:
    """The attributes of both ops, as pairs."""
    return {"kernel_size": pair(who, "kernel_size", kernel_size, 1), "dilation": pair(who, "dilation", dilation, 1),
            "padding": pair(who, "padding", padding, 0), "stride": pair(who, "stride", stride, 1)}


# ---- checks --------------------------------------------------------------------------------------
def output_of(who: str, image: tuple[int, ...], kernel_size: Any, dilation: Any, padding: Any,
              stride: Any) -> tuple[int, ...]:
    """(P, Q); the window must fit."""
    return need_window(who, image, kernel_size, stride, tuple((p, p) for p in padding), dilation)


def check_unfold(x: Any, **attrs: Any) -> None:
    need_float("unfold", input=x)
    need_image("unfold", x)
    output_of("unfold", x.shape[2:], **attrs)


def check_fold(x: Any, output_size: Any, **attrs: Any) -> None:
    need_float("fold", input=x)
    need_rank("fold", "input", x, "(N, C*R*S, P*Q) or (C*R*S, P*Q)", 3)
    R, S = attrs["kernel_size"]
    P, Q = output_of("fold", output_size, **attrs)
    if x.shape[1] == 0 or x.shape[1] % (R * S):
        raise ShapeError(who="fold", expected=f"input of shape (N, C*{R}*{S}, {P}*{Q})", got=x.shape,
                         hint=f"Its second size must be a multiple of the window's {R * S} elements.")
    if x.shape[2] != P * Q:
        raise ShapeError(f"the {R} x {S} window takes {P} x {Q} positions on an image of {by(output_size)}",
                         who="fold", expected=f"input of shape (N, C*{R}*{S}, {P * Q})", got=x.shape)


# ---- samples -------------------------------------------------------------------------------------
def geometry(name: str, N: int, C: int, H: int, W: int, kernel_size: Any,
             **attrs: Any) -> tuple[dict[str, Any], dict[str, int]]:
    """Attributes and sizes of a sample."""
    known = attributes(name, kernel_size, attrs.get("dilation", 1), attrs.get("padding", 0), attrs.get("stride", 1))
    (R, S), (P, Q) = known["kernel_size"], output_of(name, (H, W), **known)
    return known, {"N": N, "C": C, "H": H, "W": W, "R": R, "S": S, "P": P, "Q": Q}


CASES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("smallest", {"N": 1, "C": 1, "H": 1, "W": 1, "kernel_size": 1}),
    ("odd primes", {"N": 2, "C": 3, "H": 11, "W": 7, "kernel_size": (5, 2)}),
    ("overlap", {"N": 2, "C": 2, "H": 6, "W": 5, "kernel_size": 3, "stride": (1, 2), "padding": (2, 1)}),
    ("gap", {"N": 1, "C": 2, "H": 9, "W": 11, "kernel_size": 2, "stride": (3, 4)}),
    ("dilated", {"N": 2, "C": 2, "H": 9, "W": 8, "kernel_size": (3, 2), "dilation": (2, 3), "padding": (3, 4),
                 "stride": (2, 1)}),
    ("one row", {"N": 1, "C": 2, "H": 1, "W": 37, "kernel_size": (1, 5)}),
    ("empty batch", {"N": 0, "C": 2, "H": 4, "W": 4, "kernel_size": 3}),
)


def unfold_case(name: str, **sizes: Any) -> Sample:
    attrs, letters = geometry(name, **sizes)
    return Sample(name, (seeded(name).standard_normal([letters[k] for k in "NCHW"]),), attrs, letters)


def fold_case(name: str, **sizes: Any) -> Sample:
    attrs, letters = geometry(name, **sizes)
    N, C, H, W, R, S, P, Q = (letters[k] for k in "NCHWRSPQ")
    return Sample(name, (seeded(name).standard_normal((N, C * R * S, P * Q)),), {"output_size": (H, W), **attrs},
                  letters)


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_unfold(x: np.ndarray, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> np.ndarray:
    """Windows as a view, copied once."""
    xp = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    spread = tuple(d * (k - 1) + 1 for k, d in zip(kernel_size, dilation))
    seen = np.lib.stride_tricks.sliding_window_view(xp, spread, (2, 3))
    seen = seen[:, :, ::stride[0], ::stride[1], ::dilation[0], ::dilation[1]]
    N, C, P, Q, R, S = seen.shape
    return seen.transpose(0, 1, 4, 5, 2, 3).reshape(N, C * R * S, P * Q)


def fast_fold(x: np.ndarray, output_size: Any, kernel_size: Any, dilation: Any, padding: Any,
              stride: Any) -> np.ndarray:
    """One addition of a strided slice per tap."""
    (R, S), (sh, sw), (dh, dw), (ph, pw), (H, W) = kernel_size, stride, dilation, padding, output_size
    P, Q = out_shape(output_size, kernel_size, stride, ((ph, ph), (pw, pw)), dilation)
    cols = x.reshape(x.shape[0], -1, R, S, P, Q)
    y = np.zeros((*cols.shape[:2], H + 2 * ph, W + 2 * pw), x.dtype)
    for r in range(R):
        for s in range(S):
            y[:, :, r * dh:r * dh + sh * (P - 1) + 1:sh, s * dw:s * dw + sw * (Q - 1) + 1:sw] += cols[:, :, r, s]
    return y[:, :, ph:ph + H, pw:pw + W]


BENCH = {"N": 8, "C": 64, "H": 56, "W": 56, "kernel_size": 3, "padding": 1}


# ---- records -------------------------------------------------------------------------------------
UNFOLD = register(Op(
    name="unfold", family="convolution", inputs=("x",),
    formula="cols[n,(c,r,s),(p,q)] = x[n,c,p*sh-ph+r*dh,q*sw-pw+s*dw]",
    forward=kernel("unfold_forward"), backward=kernel("unfold_backward"),
    ref_forward=reference.unfold_forward, ref_backward=reference.unfold_backward,
    check=check_unfold, samples=lambda: [unfold_case(name, **sizes) for name, sizes in CASES],
    errors=(
        Refusal("rank", lambda: unfold(zeros(8, 8), 3), ShapeError, ("unfold", "(N, C, H, W)", "(8, 8)")),
        Refusal("window", lambda: unfold(zeros(1, 1, 2, 8), 3), ShapeError, ("unfold", "3 x 3 window", "2 x 8")),
        Refusal("stride", lambda: unfold(zeros(1, 1, 8, 8), 3, stride=0), ShapeError, ("unfold", "stride >= 1")),
    ),
    fast_numpy=fast_unfold, bench={"resnet.64c56": lambda: unfold_case("resnet.64c56", **BENCH)},
    flops=lambda **_: 0, bytes=lambda N, C, H, W, R, S, P, Q: 4 * N * C * (H * W + R * S * P * Q), linear_in=("x",),
))

FOLD = register(Op(
    name="fold", family="convolution", inputs=("x",),
    formula="y[n,c,i,j] = sum of x[n,(c,r,s),(p,q)] over all that unfold reads at (i,j)",
    forward=kernel("fold_forward"), backward=kernel("fold_backward"),
    ref_forward=reference.fold_forward, ref_backward=reference.fold_backward,
    check=check_fold, samples=lambda: [fold_case(name, **sizes) for name, sizes in CASES],
    errors=(
        Refusal("rank", lambda: fold(zeros(8), 4, 2), ShapeError, ("fold", "(N, C*R*S, P*Q)", "(8,)")),
        Refusal("taps", lambda: fold(zeros(1, 6, 9), 4, 2), ShapeError, ("fold", "multiple", "4 elements")),
        Refusal("positions", lambda: fold(zeros(1, 8, 10), 4, 2),
                ShapeError, ("fold", "3 x 3 positions", "(1, 8, 10)")),
        Refusal("window", lambda: fold(zeros(1, 9, 1), 2, 3), ShapeError, ("fold", "3 x 3 window", "2 x 2")),
    ),
    fast_numpy=fast_fold, bench={"resnet.64c56": lambda: fold_case("resnet.64c56", **BENCH)},
    flops=lambda N, C, R, S, P, Q, **_: N * C * R * S * P * Q,
    bytes=lambda N, C, H, W, R, S, P, Q: 4 * N * C * (H * W + R * S * P * Q),
    terms=lambda R, S, **_: R * S, linear_in=("x",),
))
