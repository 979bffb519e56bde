"""Transposed convolution, in one and two dimensions.

Kernels: csrc/conv/conv_transpose.tmpl.h. Definition: fastnn/reference/conv_transpose.py.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import compiled, kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import conv_transpose as reference
from ..tensor import Tensor
from .checks import need_float, need_rank, pair, single
from .window import MOST_ELEMENTS, batched, by, need_image

__all__ = ["conv_transpose1d", "conv_transpose2d"]

Sizes = tuple[int, ...]                             # one number per direction


def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Tensor:
    r"""Every input pixel writes a copy of the filters, times its value, into a larger image.

    .. math::
        y[n,c,i,j] = b[c] + \sum w[k,c,r,s] \; x[n,k,p,q] \quad\text{over all}\quad
        i = p\,sh - ph + r\,dh, \; j = q\,sw - pw + s\,dw

    This is the gradient of conv2d with the same attributes: conv2d's linear map, transposed. It
    gives back the sizes that conv2d takes away. It does not undo conv2d, so "deconvolution" is a
    misleading name.

    Symbols
    -------
    N images; K channels in, C channels out; P x Q input, H x W output; filters of R x S taps;
    (sh, sw) stride, (ph, pw) padding, (dh, dw) dilation.
    H = (P - 1) sh - 2 ph + dh (R - 1) + output_padding + 1, and likewise W.

    Parameters
    ----------
    input : Tensor of shape (N, K, P, Q), or (K, P, Q) for a single image
        float32 or float64.
    weight : Tensor of shape (K, C/groups, R, S)
        Of the same dtype. It is the weight of the convolution that is transposed.
    bias : Tensor of shape (C,), optional
    stride, dilation : int or pair of int
    padding : int or pair of int
        Pixels that are cut off on each side of the output.
    output_padding : int or pair of int
        More rows and columns at the bottom and right. With a stride, images of several sizes give
        conv2d outputs of one size; this says which is meant. It must be smaller than the stride or
        the dilation.
    groups : int
        The channels form so many groups, and those in write to the channels out of their group.

    Returns
    -------
    Tensor of shape (N, C, H, W), or (C, H, W) for a single image.

    Gradient
    --------
    dx = conv2d(dy, weight)
    dw = conv2d's gradient of its weight, for the image dy and the upstream gradient x
    db = sum of dy over all but the channels

    Raises
    ------
    ShapeError : if ranks, channels or groups do not fit, or the padding cuts off everything.
    RangeError : if output_padding is not smaller than the stride or the dilation.
    DTypeError : if an argument is not floating point, or their dtypes differ.

    Cost
    ----
    Forward 2 N K P Q C R S / groups flop; dx and dw each the same again. The kernels are those of
    conv2d's gradients.

    References
    ----------
    Zeiler, Krishnan, Taylor, Fergus (2010), "Deconvolutional networks".
    Dumoulin, Visin (2016), "A guide to convolution arithmetic for deep learning", arXiv:1603.07285,
        chapter 4.

    Examples
    --------
    Two pixels write a filter of three taps each, two pixels apart; in the middle they overlap:

    >>> import fastnn as nn
    >>> x, w = nn.tensor([[[[1.0, 10.0]]]]), nn.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> nn.functional.conv_transpose2d(x, w, stride=(1, 2))
    tensor([[[[ 1.,  2., 13., 20., 30.]]]])
    """
    who = "conv_transpose2d"
    attrs = {"stride": pair(who, "stride", stride, 1), "padding": pair(who, "padding", padding, 0),
             "output_padding": pair(who, "output_padding", output_padding, 0),
             "dilation": pair(who, "dilation", dilation, 1), "groups": single(who, "groups", groups, 1)}
    return batched(lambda x: apply(CONV_TRANSPOSE2D, x, weight, bias, **attrs), input)


def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Tensor:
    r"""Every input element writes a copy of the filters, times its value, into a longer sequence.

    .. math:: y[n,c,j] = b[c] + \sum w[k,c,s] \; x[n,k,q] \quad\text{over all}\quad
        j = q\,stride - padding + s\,dilation

    This is the gradient of conv1d with the same attributes: conv1d's linear map, transposed.

    Shapes: input (N, K, Q) or (K, Q), weight (K, C/groups, S), bias (C,) -> (N, C, L) or (C, L).
    L = (Q - 1) stride - 2 padding + dilation (S - 1) + output_padding + 1.

    Parameters, errors and cost: as `conv_transpose2d`, with one number for each direction.

    >>> import fastnn as nn
    >>> x, w = nn.tensor([[[1.0, 10.0]]]), nn.tensor([[[1.0, 2.0, 3.0]]])
    >>> nn.functional.conv_transpose1d(x, w, stride=2)
    tensor([[[ 1.,  2., 13., 20., 30.]]])
    """
    who = "conv_transpose1d"
    attrs = {"stride": (single(who, "stride", stride, 1),), "padding": (single(who, "padding", padding, 0),),
             "output_padding": (single(who, "output_padding", output_padding, 0),),
             "dilation": (single(who, "dilation", dilation, 1),), "groups": single(who, "groups", groups, 1)}
    return batched(lambda x: apply(CONV_TRANSPOSE1D, x, weight, bias, **attrs), input, 3)


# ---- checks --------------------------------------------------------------------------------------
def checker(who: str, axes: str, taps: str) -> Any:
    """The check of a record over images with these axes."""
    def check(x: Any, w: Any, b: Any, stride: Sizes, padding: Sizes, output_padding: Sizes, dilation: Sizes,
              groups: int) -> None:
        need_float(who, input=x, weight=w, bias=b)
        need_image(who, x, axes)
        need_rank(who, "weight", w, f"(C_in, C_out/groups, {', '.join(taps)})", 2 + len(axes))
        if w.shape[0] != x.shape[1]:
            raise ShapeError(f"the input has {x.shape[1]} channels but the weight takes {w.shape[0]}", who=who,
                             got=f"input {x.shape}, weight {w.shape}",
                             hint="A transposed convolution's weight is (C_in, C_out/groups, ...).")
        if x.shape[1] % groups or w.shape[1] == 0:
            raise ShapeError(f"groups={groups} must divide the channels", who=who,
                             got=f"input {x.shape}, weight {w.shape}")
        if b is not None and b.shape != (w.shape[1] * groups,):
            raise ShapeError(who=who, expected=f"bias of shape ({w.shape[1] * groups},), one per channel out",
                             got=b.shape)
        if 0 in w.shape[2:]:
            raise ShapeError(who=who, expected=f"a window of at least {by((1,) * len(axes))}", got=by(w.shape[2:]))
        if any(o >= s and o >= d for o, s, d in zip(output_padding, stride, dilation)):
            raise RangeError(who=who, expected="output_padding smaller than the stride or the dilation",
                             got=f"output_padding {output_padding}, stride {stride}, dilation {dilation}")
        output = tuple(map(reference.out_size, x.shape[2:], w.shape[2:], stride, padding, output_padding, dilation))
        if min(output) < 1:
            raise ShapeError("the padding cuts off the whole output", who=who,
                             expected="an output of at least one pixel", got=by(output), hint="Use less padding.")
        if max(max(x.shape[0], 1) * w.shape[1] * groups * prod(output), *stride, *dilation, *padding) > MOST_ELEMENTS:
            raise RangeError("the stride or dilation makes sizes that no memory holds", who=who,
                             got=f"output {by(output)}")
    return check


# ---- samples -------------------------------------------------------------------------------------
def case(name: str, images: Sizes, filters: Sizes, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
         dilation: Any = 1, groups: int = 1, bias: bool = True) -> Sample:
    """A sample from its sizes, images (N, C_in, ...) and filters (C_out, ...); an attribute that is
    one number holds for all directions.
    """
    (N, C_in, *size), (C_out, *window) = images, filters
    rng, rank = seeded(name), len(size)
    x, w = rng.standard_normal((N, C_in, *size)), rng.standard_normal((C_in, C_out // groups, *window))
    stride, padding, output_padding, dilation = ((a,) * rank if isinstance(a, int) else a
                                                 for a in (stride, padding, output_padding, dilation))
    output = tuple(map(reference.out_size, size, window, stride, padding, output_padding, dilation))
    return Sample(name, (x, w, rng.standard_normal(C_out) if bias else None),
                  {"stride": stride, "padding": padding, "output_padding": output_padding, "dilation": dilation,
                   "groups": groups},
                  {"N": N, "K": C_in, "C": C_out, "PQ": prod(size), "RS": prod(window), "HW": prod(output),
                   "G": groups})


def samples2d() -> list[Sample]:
    return [
        case("smallest", (1, 1, 1, 1), (1, 1, 1)),
        case("odd primes", (2, 3, 7, 5), (5, 3, 2)),
        case("stride 2, doubled", (2, 3, 5, 4), (2, 4, 4), stride=2, padding=1),
        case("stride 2, output padding", (2, 2, 5, 7), (3, 3, 3), stride=2, padding=1, output_padding=1),
        case("gap", (2, 2, 4, 3), (3, 2, 2), stride=(3, 4), padding=(1, 0), output_padding=(2, 3)),
        case("dilated", (1, 2, 6, 7), (2, 2, 3), dilation=(2, 3)),
        case("dilated strided", (2, 2, 5, 6), (3, 3, 2), stride=(2, 1), padding=(2, 3), output_padding=(1, 2),
             dilation=(2, 3)),
        case("output padding by dilation", (1, 2, 4, 5), (3, 2, 2), output_padding=(1, 2), dilation=(2, 3)),
        case("no bias", (2, 1, 4, 4), (2, 2, 3), bias=False),
        case("groups", (2, 6, 5, 4), (9, 2, 3), padding=1, groups=3),
        case("groups strided", (2, 4, 5, 4), (6, 3, 3), stride=2, padding=1, groups=2),
        case("depthwise", (2, 5, 7, 6), (5, 3, 3), padding=1, groups=5),
        case("depthwise strided", (2, 3, 4, 6), (3, 4, 4), stride=2, padding=1, groups=3),
        case("depthwise, two channels in each", (2, 6, 5, 4), (3, 3, 2), stride=(2, 3), groups=3),
        case("1x1", (2, 5, 3, 7), (4, 1, 1)),
        case("1x1 strided", (2, 5, 3, 4), (4, 1, 1), stride=2),
        case("padding over the window", (1, 2, 7, 8), (3, 3, 3), padding=(4, 3)),
        case("many channels", (3, 17, 5, 4), (18, 3, 3), padding=1),
        case("many channels strided", (3, 17, 5, 4), (18, 3, 3), stride=2, padding=1),
        case("strided, in pieces of columns", (1, 1, 23, 25), (2, 3, 5), stride=2, padding=1, output_padding=1),
        case("empty batch", (0, 2, 4, 4), (3, 3, 3), stride=2),
    ]


def samples1d() -> list[Sample]:
    return [
        case("smallest", (1, 1, 1), (1, 1)),
        case("odd primes", (2, 3, 11), (5, 2)),
        case("stride 2, doubled", (2, 3, 9), (2, 4), stride=2, padding=1),
        case("output padding", (2, 2, 7), (3, 3), stride=4, padding=1, output_padding=3),
        case("dilated", (1, 2, 13), (2, 3), padding=2, dilation=4),
        case("groups", (2, 6, 7), (9, 3), padding=1, groups=3, bias=False),
        case("depthwise", (2, 5, 17), (5, 3), stride=2, groups=5),
        case("many channels", (3, 17, 20), (18, 3), padding=1),
        case("empty batch", (0, 2, 4), (3, 3)),
    ]


# ---- errors --------------------------------------------------------------------------------------
def errors_of(name: str, function: Any, size: Sizes, window: Sizes) -> tuple[Refusal, ...]:
    x, w = (2, 4, *size), (4, 6, *window)
    return (
        Refusal("rank of input", lambda: function(zeros(8), zeros(*w)), ShapeError, (name, "(N, C, ", "(8,)")),
        Refusal("rank of weight", lambda: function(zeros(*x), zeros(6, 4)),
                ShapeError, (name, "(C_in, C_out/groups, ", "(6, 4)")),
        Refusal("channels", lambda: function(zeros(*x), zeros(6, 4, *window)),
                ShapeError, ("4 channels", "takes 6", "C_out/groups")),
        Refusal("groups", lambda: function(zeros(*x), zeros(*w), groups=3), ShapeError, ("groups=3",)),
        Refusal("bias", lambda: function(zeros(*x), zeros(*w), zeros(4)), ShapeError, ("bias", "(6,)", "(4,)")),
        Refusal("empty window", lambda: function(zeros(*x), zeros(4, 6, *(0 for _ in window))),
                ShapeError, ("window", "0")),
        Refusal("stride", lambda: function(zeros(*x), zeros(*w), stride=0), ShapeError, ("stride >= 1", "0")),
        Refusal("padding", lambda: function(zeros(*x), zeros(*w), padding=50),
                ShapeError, ("cuts off", "less padding")),
        Refusal("output padding", lambda: function(zeros(*x), zeros(*w), stride=2, output_padding=2),
                RangeError, ("output_padding", "stride")),
        Refusal("huge stride", lambda: function(zeros(*x), zeros(*w), stride=2**50), RangeError, (name, "memory")),
        Refusal("dtypes", lambda: function(zeros(*x), zeros(*w, dtype=np.float64)),
                DTypeError, ("float32", "weight is")),
        Refusal("no channel", lambda: function(zeros(2, 0, *size), zeros(*w)), ShapeError, ("only the batch",)),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, w: np.ndarray, b: Any, stride: Sizes, padding: Sizes, output_padding: Sizes,
               dilation: Sizes, groups: int) -> np.ndarray:
    """One matrix product for all taps, then one strided addition per tap."""
    N, K, *size = x.shape
    Cg, *window = w.shape[1:]
    wg = w.reshape(groups, K // groups, Cg * prod(window))
    parts = wg.transpose(0, 2, 1) @ x.reshape(N, groups, K // groups, prod(size))
    parts = parts.reshape(N, groups * Cg, prod(window), *size)
    out = reference.out_shape(x, w, stride, padding, output_padding, dilation)
    uncut = [n + 2 * p for n, p in zip(out, padding)]           # before the padding is cut off
    y = np.zeros((N, groups * Cg, *uncut), x.dtype)
    if b is not None:
        y += b.reshape(-1, *[1] * len(size))
    for i, tap in enumerate(np.ndindex(*window)):
        written = [slice(r * d, r * d + (n - 1) * s + 1, s) for r, d, n, s in zip(tap, dilation, size, stride)]
        seen: Any = (..., *written)
        y[seen] += parts[:, :, i]
    inside: Any = (..., *(slice(p, p + n) for n, p in zip(out, padding)))
    return y[inside]


def workspace_bytes(input: Tensor, weight: Tensor, stride: Sizes, padding: Sizes, output_padding: Sizes,
                    dilation: Sizes, groups: int) -> int:
    """Bytes that a kernel needs while it runs, besides each thread's scratch memory for columns; 0
    without kernels.
    """
    if compiled is None:
        return 0
    shape = input.shape if input.ndim == weight.ndim else (1, *input.shape)
    numbers = compiled.conv_transpose_workspace(shape, weight.shape, stride, padding, output_padding, dilation, groups)
    return int(numbers) * input.dtype.itemsize


# ---- records -------------------------------------------------------------------------------------
SHARED: dict[str, Any] = {
    "family": "convolution", "inputs": ("x", "w", "b"),
    "forward": kernel("conv_transpose_forward"), "backward": kernel("conv_transpose_backward"),
    "ref_forward": reference.conv_transpose_forward, "ref_backward": reference.conv_transpose_backward,
    "fast_numpy": fast_numpy,
    "flops": lambda N, K, C, PQ, RS, G, **_: 2 * N * K * PQ * (C // G) * RS,
    "bytes": lambda N, K, C, PQ, RS, HW, G: 4 * (N * K * PQ + K * (C // G) * RS + N * C * HW),
    "terms": lambda K, C, RS, G, **_: max(K, C) // G * RS + 1,
    "linear_in": ("x", "w", "b"),
}

CONV_TRANSPOSE1D = register(Op(
    name="conv_transpose1d",
    formula="y[n,c,j] = b[c] + sum of w[k,c,s] x[n,k,q] over q*stride-padding+s*dilation = j",
    check=checker("conv_transpose1d", "L", "S"), samples=samples1d,
    errors=errors_of("conv_transpose1d", conv_transpose1d, (8,), (3,)),
    bench={"vocoder.256c": lambda: case("vocoder.256c", (8, 256, 128), (128, 16), stride=8, padding=4)}, **SHARED,
))

CONV_TRANSPOSE2D = register(Op(
    name="conv_transpose2d",
    formula="y[n,c,i,j] = b[c] + sum of w[k,c,r,s] x[n,k,p,q] over p*sh-ph+r*dh = i, q*sw-pw+s*dw = j",
    check=checker("conv_transpose2d", "HW", "RS"), samples=samples2d,
    errors=errors_of("conv_transpose2d", conv_transpose2d, (8, 8), (3, 3)),
    bench={"dcgan.128c16": lambda: case("dcgan.128c16", (16, 128, 16, 16), (64, 4, 4), stride=2, padding=1, bias=False),
           "unet.128c28": lambda: case("unet.128c28", (4, 128, 28, 28), (64, 2, 2), stride=2)}, **SHARED,
))
