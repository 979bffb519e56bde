"""Two-dimensional convolution, alone and with relu after it.

Kernels: csrc/conv/conv2d.c. Definition: fastnn/reference/conv2d.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import compiled, kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import conv2d as reference
from ..tensor import Tensor, tensor
from .checks import need_float, pair
from .window import MOST_ELEMENTS, batched, named_padding, need_filters, need_image, need_window

__all__ = ["conv2d", "conv2d_relu"]

Padding = tuple[tuple[int, int], tuple[int, int]]   # ((top, bottom), (left, right))


def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Tensor:
    r"""Slide K filters over N images: two-dimensional cross-correlation.

    .. math::
        y[n,k,p,q] = b[k] +
        \sum_{c,r,s} w[k,c,r,s] \; x[n,c,\; p\,sh - ph + r\,dh,\; q\,sw - pw + s\,dw]

    where the sum runs over the taps that lie on the image: padding adds nothing. (Deep learning's
    "convolution": the filter is not flipped.)

    Symbols
    -------
    N images, C channels in, H x W pixels; K filters of R x S taps; P x Q outputs; (sh, sw) stride,
    (ph, pw) padding, (dh, dw) dilation, where 1 is dense.
    P = (H + 2 ph - dh (R - 1) - 1) // sh + 1, and likewise Q.

    Parameters
    ----------
    input : Tensor of shape (N, C, H, W), or (C, H, W) for a single image
        float32 or float64.
    weight : Tensor of shape (K, C/groups, R, S)
        Of the same dtype.
    bias : Tensor of shape (K,), optional
    stride, dilation : int or pair of int
        In pixels; a pair is (vertical, horizontal).
    padding : int, pair of int, "valid" or "same"
        How far windows reach beyond each side, in pixels. "valid" is not at all. "same" keeps the
        image's size, at stride 1; an odd pixel goes to the bottom or to the right.
    groups : int
        The channels and the filters form so many groups of equal size, and filters see only the
        channels of their group. groups = C is a depthwise convolution.

    Returns
    -------
    Tensor of shape (N, K, P, Q), or (K, P, Q) for a single image.

    Gradient
    --------
    dx[n,c,i,j] = sum over every (k,p,q,r,s) that read x[n,c,i,j] of  w[k,c,r,s] * dy[n,k,p,q]
    dw[k,c,r,s] = sum over n,p,q of  dy[n,k,p,q] * (the x it multiplied)
    db[k]       = sum over n,p,q of  dy[n,k,p,q]

    Raises
    ------
    ShapeError : if ranks, channels or groups do not fit, the window is larger than the padded
        image, or the padding is below 0.
    RangeError : for "same" with a stride, or an unknown word.
    DTypeError : if an argument is not floating point, or their dtypes differ.

    Cost
    ----
    Forward 2 N K P Q C R S / groups flop; dx and dw each the same again. The extra memory does not
    grow with the batch: windows are unrolled into a matrix (im2col) some 500 output pixels at a
    time, so that it stays in the cache. 3x3 windows at stride 1 with enough channels and pixels
    take a third of the multiplications, by a Winograd algorithm. Strided and large windows are read
    from the image as they are. docs/kernels/conv2d.md has the method of each case.

    Numerics
    --------
    Sums are in the dtype of the input, in an order that depends on sizes only. The error is of the
    size of sqrt(C R S) u conv2d(|x|, |w|), with the unit roundoff u; for 3x3 at stride 1 up to 32
    times that where rows, columns or elements of x, w or dy are larger, and no more, however large.
    That holds where the channels are alike, since sums over channels decide; where one is large, or
    zero, and others are not, more can be lost (docs/kernels/winograd.md). Small whole numbers are
    exact. A pixel that is infinite or NaN reaches the outputs whose windows see it, and
    no other. An infinite weight meets the pixels of the image only: beside the image there is no 0
    that it could make NaN. PyTorch does so in some of its methods and not in others.

    References
    ----------
    Chellapilla, Puri, Simard (2006), "High performance convolutional neural networks for document
        processing".
    Lavin, Gray (2016), "Fast algorithms for convolutional neural networks", arXiv:1509.09308.
    Dumoulin, Visin (2016), "A guide to convolution arithmetic for deep learning", arXiv:1603.07285.

    Examples
    --------
    A filter that subtracts each pixel's lower-right neighbour; on a ramp the answer is constant.

    >>> import numpy as np, fastnn as nn
    >>> x = nn.tensor(np.arange(16.0).reshape(1, 1, 4, 4))
    >>> w = nn.tensor(np.array([[[[1.0, 0.0], [0.0, -1.0]]]]))
    >>> nn.functional.conv2d(x, w, stride=2).data[0, 0]
    array([[-5., -5.],
           [-5., -5.]])
    >>> nn.functional.conv2d(x, w, padding="same").shape
    (1, 1, 4, 4)
    """
    return convolve(CONV2D, input, weight, bias, stride, padding, dilation, groups)


def conv2d_relu(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
                dilation: Any = 1, groups: int = 1) -> Tensor:
    r"""relu(conv2d(...)) in one pass: y is cut at zero as it is written.

    .. math:: y = \max(z, 0), \quad z = \mathrm{conv2d}(x, w, b) \qquad dz = dy \, [y > 0]

    and from dz the gradients of conv2d. nn.Sequential runs Conv2d and ReLU so by itself. An
    infinite pixel or weight times a dz of 0 is NaN in dw and dx, as in PyTorch.

    Parameters, errors and cost: as `conv2d`. What is saved for backward is y, which the next layer
    saves anyway; z is never in memory.

    >>> import fastnn as nn
    >>> x, w = nn.tensor([[[1.0, -2.0, 3.0]]]), nn.tensor([[[[1.0]]], [[[-1.0]]]])
    >>> nn.functional.conv2d_relu(x, w)
    tensor([[[1., 0., 3.]],
    <BLANKLINE>
            [[0., 2., 0.]]])
    """
    return convolve(CONV2D_RELU, input, weight, bias, stride, padding, dilation, groups)


# ---- what the functions share --------------------------------------------------------------------
def pads(who: str, padding: Any, window: tuple[int, ...], stride: tuple[int, int],
         dilation: tuple[int, int]) -> Padding:
    """((top, bottom), (left, right)) from PyTorch's padding: an int, a pair, "valid" or "same"."""
    if isinstance(padding, str):
        rows, columns = named_padding(who, padding, window, stride, dilation)
        return rows, columns
    ph, pw = pair(who, "padding", padding, 0)
    return (ph, ph), (pw, pw)


def convolve(op: Op, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any,
             groups: Any) -> Tensor:
    """The op on one image or several, with its attributes as both implementations take them."""
    who = op.name
    stride, dilation = pair(who, "stride", stride, 1), pair(who, "dilation", dilation, 1)
    groups = pair(who, "groups", groups, 1)[0]
    around = pads(who, padding, weight.shape[2:], stride, dilation)
    attrs = {"stride": stride, "padding": around, "dilation": dilation, "groups": groups}
    return batched(lambda x: apply(op, x, weight, bias, **attrs), input)


# ---- checks --------------------------------------------------------------------------------------
def check_as(who: str) -> Callable[..., None]:
    def check(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> None:
        need_float(who, input=x, weight=w, bias=b)
        need_image(who, x)
        need_filters(who, x, w, b, groups, "RS")
        P, Q = need_window(who, x.shape[2:], w.shape[2:], stride, padding, dilation)
        if max(x.shape[0], 1) * w.shape[0] * P * Q > MOST_ELEMENTS:
            raise RangeError("the padding makes sizes that no memory holds", who=who, got=f"output {P} x {Q}")
    return check


# ---- samples -------------------------------------------------------------------------------------
def case(name: str, stride: Any = (1, 1), padding: Any = 0, dilation: Any = (1, 1), groups: int = 1, bias: bool = True,
         **sizes: int) -> Sample:
    """A sample from its sizes N, C, H, W, K, R and S."""
    rng = seeded(name)
    N, C, H, W, K, R, S = (sizes[letter] for letter in "NCHWKRS")
    x, w = rng.standard_normal((N, C, H, W)), rng.standard_normal((K, C // groups, R, S))
    around = pads("conv2d", padding, (R, S), stride, dilation)
    P, Q = reference.out_shape((H, W), (R, S), stride, around, dilation)
    return Sample(name, (x, w, rng.standard_normal(K) if bias else None),
                  {"stride": stride, "padding": around, "dilation": dilation, "groups": groups},
                  {**sizes, "P": P, "Q": Q, "G": groups})


def samples() -> list[Sample]:
    return [
        case("smallest", N=1, C=1, H=1, W=1, K=1, R=1, S=1),
        case("odd primes", N=2, C=3, H=11, W=7, K=5, R=3, S=2),
        case("overlap", N=1, C=2, H=6, W=6, K=3, R=3, S=3, stride=(1, 2), padding=(2, 1)),
        case("gap", N=2, C=2, H=9, W=11, K=3, R=2, S=2, stride=(3, 4), padding=(1, 0)),
        case("dilated", N=1, C=2, H=7, W=8, K=2, R=2, S=3, dilation=(2, 3)),
        case("dilated strided", N=2, C=2, H=9, W=10, K=3, R=3, S=2, stride=(2, 1), padding=(2, 3), dilation=(2, 3)),
        case("no bias", N=2, C=1, H=4, W=4, K=2, R=3, S=3, bias=False),
        case("groups", N=2, C=6, H=5, W=4, K=9, R=2, S=3, padding=1, groups=3),
        case("groups strided", N=2, C=4, H=5, W=7, K=6, R=3, S=3, stride=(2, 2), padding=1, groups=2),
        case("depthwise", N=2, C=5, H=7, W=6, K=5, R=3, S=3, padding=1, groups=5),
        case("depthwise, two filters each", N=2, C=3, H=8, W=7, K=6, R=3, S=2, stride=(2, 3), padding=(2, 1),
             dilation=(1, 2), groups=3),
        case("depthwise, many filters each", N=2, C=2, H=4, W=5, K=36, R=2, S=2, padding=1, groups=2),
        case("one channel", N=3, C=1, H=9, W=8, K=3, R=5, S=4, padding=2),
        case("1x1", N=2, C=5, H=3, W=7, K=4, R=1, S=1),
        case("1x1 one large image", N=1, C=5, H=13, W=17, K=3, R=1, S=1),
        case("1x1 strided", N=2, C=5, H=7, W=6, K=4, R=1, S=1, stride=(2, 2)),
        case("1x1 padded", N=1, C=2, H=3, W=4, K=3, R=1, S=1, padding=(1, 2)),
        case("same, even window", N=2, C=2, H=5, W=6, K=3, R=4, S=2, padding="same"),
        case("padding over half the window", N=1, C=2, H=4, W=5, K=3, R=3, S=3, padding=(4, 3)),
        case("padding over half the window, strided", N=1, C=2, H=4, W=5, K=3, R=3, S=3, stride=(2, 3), padding=(5, 4)),
        case("one row", N=2, C=3, H=1, W=37, K=2, R=1, S=5, padding=(0, 2)),
        case("seven filters", N=2, C=3, H=5, W=6, K=7, R=3, S=3, padding=1),
        case("many filters and channels", N=3, C=17, H=5, W=4, K=18, R=3, S=3, padding=1),
        case("3x3 tiles", N=2, C=33, H=12, W=11, K=32, R=3, S=3, padding=1),
        case("3x3 tiles, no padding", N=2, C=34, H=10, W=10, K=32, R=3, S=3, padding=0, bias=False),
        case("strided, many taps", N=4, C=17, H=13, W=15, K=18, R=3, S=3, stride=(2, 3), padding=(2, 1),
             dilation=(1, 2)),
        case("many filters, dilated", N=2, C=2, H=9, W=8, K=19, R=3, S=2, padding=(1, 2), dilation=(2, 3)),
        case("window as large as the image", N=3, C=4, H=5, W=3, K=6, R=5, S=3),
        case("empty batch", N=0, C=2, H=4, W=4, K=2, R=3, S=3),
        case("empty batch, depthwise", N=0, C=2, H=4, W=4, K=2, R=3, S=3, groups=2),
    ]


def relu_samples() -> list[Sample]:
    """Weights of 1/sqrt(taps), as in a network: results before relu are near 1, and so is the scale
    of their rounding. A lone one is positive.
    """
    found = []
    for s in samples():
        x, w, b = s.inputs
        if s.name == "smallest":
            x, w, b = np.abs(x), np.abs(w), np.abs(b)
        found.append(Sample(s.name, (x, w / math.sqrt(math.prod(w.shape[1:])), b), s.attrs, s.sizes))
    return found


# ---- errors --------------------------------------------------------------------------------------
def errors() -> tuple[Refusal, ...]:
    image, weight = (2, 4, 8, 8), (6, 4, 3, 3)
    word: Any = "all"
    return (
        Refusal("rank of input", lambda: conv2d(zeros(8, 8), zeros(*weight)),
                ShapeError, ("conv2d", "(N, C, H, W)", "(8, 8)")),
        Refusal("rank of weight", lambda: conv2d(zeros(*image), zeros(6, 4, 3)),
                ShapeError, ("(K, C/groups, R, S)", "(6, 4, 3)")),
        Refusal("channels", lambda: conv2d(zeros(*image), zeros(6, 3, 3, 3)),
                ShapeError, ("4 channels", "takes 3", "groups=1")),
        Refusal("channels of groups", lambda: conv2d(zeros(*image), zeros(*weight), groups=2),
                ShapeError, ("2 groups = 8",)),
        Refusal("channels last", lambda: conv2d(zeros(2, 8, 8, 4), zeros(*weight)),
                ShapeError, ("8 channels", "permute(0, 3")),
        Refusal("grey for colour", lambda: conv2d(zeros(2, 1, 8, 8), zeros(6, 3, 3, 3)),
                ShapeError, ("1 channels", "takes 3", "grey", "expand")),
        Refusal("colour for grey", lambda: conv2d(zeros(2, 3, 8, 8), zeros(6, 1, 3, 3)),
                ShapeError, ("3 channels", "takes 1", "in colour", "mean(1")),
        Refusal("groups", lambda: conv2d(zeros(*image), zeros(6, 1, 3, 3), groups=4),
                ShapeError, ("groups=4", "4 channels and 6")),
        Refusal("no groups", lambda: conv2d(zeros(*image), zeros(*weight), groups=0), ShapeError, ("groups", "1", "0")),
        Refusal("groups not a number", lambda: conv2d(zeros(*image), zeros(*weight), groups=word),
                DTypeError, ("groups", "all")),
        Refusal("bias", lambda: conv2d(zeros(*image), zeros(*weight), zeros(4)), ShapeError, ("bias", "(6,)", "(4,)")),
        Refusal("window", lambda: conv2d(zeros(2, 4, 2, 2), zeros(*weight)),
                ShapeError, ("3 x 3 window", "at most 2 x 2")),
        Refusal("dilated window", lambda: conv2d(zeros(*image), zeros(*weight), dilation=4),
                ShapeError, ("9 x 9 with", "8 x 8")),
        Refusal("empty window", lambda: conv2d(zeros(*image), zeros(6, 4, 0, 3)), ShapeError, ("window", "0 x 3")),
        Refusal("stride", lambda: conv2d(zeros(*image), zeros(*weight), stride=0), ShapeError, ("stride >= 1", "0")),
        Refusal("padding", lambda: conv2d(zeros(*image), zeros(*weight), padding=-1),
                ShapeError, ("padding >= 0", "-1")),
        Refusal("three paddings", lambda: conv2d(zeros(*image), zeros(*weight), padding=(1, 1, 1)),
                ShapeError, ("padding", "pair")),
        Refusal("padding's name", lambda: conv2d(zeros(*image), zeros(*weight), padding="full"),
                RangeError, ("same", "'full'")),
        Refusal("huge padding", lambda: conv2d(zeros(*image), zeros(*weight), padding=2**40),
                RangeError, ("conv2d", "padding")),
        Refusal("same with stride", lambda: conv2d(zeros(*image), zeros(*weight), None, 2, "same"),
                RangeError, ("same", "stride")),
        Refusal("dtypes", lambda: conv2d(zeros(*image), zeros(*weight, dtype=np.float64)),
                DTypeError, ("float32", "weight is")),
        Refusal("integers", lambda: conv2d(zeros(*image, dtype=np.int64), zeros(*weight)),
                DTypeError, ("input", "int64")),
        Refusal("no channel", lambda: conv2d(zeros(2, 0, 8, 8), zeros(6, 0, 3, 3)),
                ShapeError, ("only the batch", "(2, 0, 8, 8)")),
    )


def relu_errors() -> tuple[Refusal, ...]:
    image, weight = (2, 4, 8, 8), (6, 4, 3, 3)
    return (
        Refusal("rank of input", lambda: conv2d_relu(zeros(8, 8), zeros(*weight)),
                ShapeError, ("conv2d_relu", "(N, C, H, W)", "(8, 8)")),
        Refusal("channels", lambda: conv2d_relu(zeros(*image), zeros(6, 3, 3, 3)),
                ShapeError, ("conv2d_relu", "4 channels", "takes 3")),
        Refusal("bias", lambda: conv2d_relu(zeros(*image), zeros(*weight), zeros(4)),
                ShapeError, ("conv2d_relu", "bias", "(6,)", "(4,)")),
        Refusal("window", lambda: conv2d_relu(zeros(2, 4, 2, 2), zeros(*weight)),
                ShapeError, ("conv2d_relu", "3 x 3 window", "at most 2 x 2")),
        Refusal("stride", lambda: conv2d_relu(zeros(*image), zeros(*weight), stride=0),
                ShapeError, ("conv2d_relu", "stride >= 1", "0")),
        Refusal("same with stride", lambda: conv2d_relu(zeros(*image), zeros(*weight), None, 2, "same"),
                RangeError, ("conv2d_relu", "same")),
        Refusal("huge padding", lambda: conv2d_relu(zeros(*image), zeros(*weight), padding=2**40),
                RangeError, ("conv2d_relu", "padding")),
        Refusal("dtypes", lambda: conv2d_relu(zeros(*image), tensor(np.zeros(weight))),
                DTypeError, ("conv2d_relu", "float32", "weight is")),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, w: np.ndarray, b: Any, stride: Any, padding: Any, dilation: Any,
               groups: int) -> np.ndarray:
    """Windows as a view, copied into columns, and one matrix product."""
    K, Cg, R, S = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), *padding))
    spread = tuple(d * (k - 1) + 1 for k, d in zip((R, S), dilation))
    seen = np.lib.stride_tricks.sliding_window_view(xp, spread, (2, 3))
    seen = seen[:, :, ::stride[0], ::stride[1], ::dilation[0], ::dilation[1]]
    N, _, P, Q = seen.shape[:4]
    cols = seen.transpose(0, 1, 4, 5, 2, 3).reshape(N, groups, Cg * R * S, P * Q)
    y = (w.reshape(groups, K // groups, -1) @ cols).reshape(N, K, P, Q)
    return y if b is None else y + b[:, None, None]


def workspace_bytes(input: Tensor, weight: Tensor, stride: Any, padding: Any, dilation: Any, groups: int) -> int:
    """Bytes that the backward kernel needs while it runs, besides each thread's scratch memory for
    columns; 0 without kernels.
    """
    if compiled is None:
        return 0
    stride, dilation = pair("conv2d", "stride", stride, 1), pair("conv2d", "dilation", dilation, 1)
    shape = input.shape if input.ndim == 4 else (1, *input.shape)
    around = pads("conv2d", padding, weight.shape[2:], stride, dilation)
    return int(compiled.conv2d_workspace(shape, weight.shape, stride, around, dilation, groups)) * input.dtype.itemsize


# ---- records -------------------------------------------------------------------------------------
CONV2D = register(Op(
    name="conv2d", family="convolution", inputs=("x", "w", "b"),
    formula="y[n,k,p,q] = b[k] + sum_crs w[k,c,r,s] x[n,c,p*sh-ph+r*dh,q*sw-pw+s*dw]",
    forward=kernel("conv2d_forward"), backward=kernel("conv2d_backward"),
    ref_forward=reference.conv2d_forward, ref_backward=reference.conv2d_backward,
    check=check_as("conv2d"), fits=kernel("fits_conv2d"), samples=samples, errors=errors(), fast_numpy=fast_numpy,
    bench={
        "lenet.conv1": lambda: case("lenet.conv1", N=64, C=1, H=28, W=28, K=6, R=5, S=5, padding=2),
        "lenet.conv2": lambda: case("lenet.conv2", N=64, C=6, H=14, W=14, K=16, R=5, S=5),
        "resnet.64c56": lambda: case("resnet.64c56", N=8, C=64, H=56, W=56, K=64, R=3, S=3, padding=1, bias=False),
        "resnet.1x1": lambda: case("resnet.1x1", N=8, C=256, H=56, W=56, K=64, R=1, S=1, bias=False),
        "depthwise.128c28": lambda: case("depthwise.128c28", N=8, C=128, H=28, W=28, K=128, R=3, S=3, padding=1,
                                         groups=128, bias=False),
    },
    flops=lambda N, C, K, R, S, P, Q, G, **_: 2 * N * K * P * Q * (C // G) * R * S,
    bytes=lambda N, C, H, W, K, R, S, P, Q, G: 4 * (N * C * H * W + K * (C // G) * R * S + N * K * P * Q),
    terms=lambda C, R, S, G, **_: C // G * R * S + 1,
    linear_in=("x", "w", "b"),
))

CONV2D_RELU = register(Op(
    name="conv2d_relu", family="convolution", inputs=("x", "w", "b"), formula="y = max(conv2d(x, w, b), 0)",
    forward=kernel("conv2d_relu_forward"), backward=kernel("conv2d_relu_backward"),
    ref_forward=reference.conv2d_relu_forward, ref_backward=reference.conv2d_relu_backward,
    check=check_as("conv2d_relu"), fits=kernel("fits_conv2d"), samples=relu_samples, errors=relu_errors(),
    fast_numpy=lambda x, w, b, **attrs: np.maximum(fast_numpy(x, w, b, **attrs), 0),
    bench={name: CONV2D.bench[name] for name in ("lenet.conv1", "lenet.conv2", "resnet.64c56", "depthwise.128c28")},
    flops=CONV2D.flops, bytes=CONV2D.bytes, terms=CONV2D.terms, keeps_nan=("x", "w"),
))
