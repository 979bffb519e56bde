"""One-dimensional convolution.

Kernels: csrc/conv/conv2d.c, on planes one pixel high. Definition: fastnn/reference/conv1d.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import compiled, kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import conv1d as reference
from ..tensor import Tensor
from . import conv2d as planes
from .checks import need_float, single
from .window import MOST_ELEMENTS, batched, named_padding, need_filters, need_image, need_window

__all__ = ["conv1d"]


def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
           dilation: Any = 1, groups: int = 1) -> Tensor:
    r"""Slide K filters along N sequences: one-dimensional cross-correlation.

    .. math::
        y[n,k,q] = b[k] + \sum_{c,s} w[k,c,s] \; x[n,c,\; q\,stride - padding + s\,dilation]

    with x taken as zero before and after the sequence.

    Symbols
    -------
    N sequences of length L, C channels in; K filters of S taps; Q outputs,
    Q = (L + 2 padding - dilation (S - 1) - 1) // stride + 1.

    Parameters
    ----------
    input : Tensor of shape (N, C, L), or (C, L) for a single sequence
        float32 or float64.
    weight : Tensor of shape (K, C/groups, S)
        Of the same dtype.
    bias : Tensor of shape (K,), optional
    stride, dilation : int
        In steps of the sequence.
    padding : int, "valid" or "same"
        Zeros at both ends. "valid" is none. "same" keeps the length, at stride 1; an odd zero goes
        to the end.
    groups : int
        The channels and the filters form so many groups of equal size, and filters see only the
        channels of their group. groups = C is a depthwise convolution.

    Returns
    -------
    Tensor of shape (N, K, Q), or (K, Q) for a single sequence.

    Gradient
    --------
    dx[n,c,j] = sum over every (k,q,s) that read x[n,c,j] of  w[k,c,s] * dy[n,k,q]
    dw[k,c,s] = sum over n,q of  dy[n,k,q] * (the x it multiplied)
    db[k]     = sum over n,q of  dy[n,k,q]

    Raises
    ------
    ShapeError : if ranks, channels or groups do not fit, the window is longer than the padded
        sequence, or the padding is below 0.
    RangeError : for "same" with a stride, or an unknown word.
    DTypeError : if an argument is not floating point, or their dtypes differ.

    Cost
    ----
    Forward 2 N K Q C S / groups flop; dx and dw each the same again. It runs as a two-dimensional
    convolution of planes one pixel high, with the same methods.

    References
    ----------
    Waibel, Hanazawa, Hinton, Shikano, Lang (1989), "Phoneme recognition using time-delay neural
        networks".

    Examples
    --------
    Differences of neighbours:

    >>> import fastnn as nn
    >>> x = nn.tensor([[[1.0, 2.0, 4.0, 8.0]]])
    >>> nn.functional.conv1d(x, nn.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2., 4.]]])
    """
    stride, dilation = single("conv1d", "stride", stride, 1), single("conv1d", "dilation", dilation, 1)
    groups = single("conv1d", "groups", groups, 1)
    around = pads(padding, weight.shape[2:], stride, dilation)
    attrs = {"stride": stride, "padding": around, "dilation": dilation, "groups": groups}
    return batched(lambda x: apply(CONV1D, x, weight, bias, **attrs), input, 3)


# ---- what the functions share --------------------------------------------------------------------
def pads(padding: Any, window: tuple[int, ...], stride: int, dilation: int) -> tuple[int, int]:
    """(before, after) from PyTorch's padding: an int, "valid" or "same"."""
    if isinstance(padding, str):
        return named_padding("conv1d", padding, window, (stride,), (dilation,))[0]
    p = single("conv1d", "padding", padding, 0)
    return p, p


# ---- checks --------------------------------------------------------------------------------------
def check(x: Any, w: Any, b: Any, stride: int, padding: tuple[int, int], dilation: int, groups: int) -> None:
    need_float("conv1d", input=x, weight=w, bias=b)
    need_image("conv1d", x, "L")
    need_filters("conv1d", x, w, b, groups, "S")
    Q, = need_window("conv1d", x.shape[2:], w.shape[2:], (stride,), (padding,), (dilation,))
    if max(x.shape[0], 1) * w.shape[0] * Q > MOST_ELEMENTS:
        raise RangeError("the padding makes sizes that no memory holds", who="conv1d", got=f"output {Q}")


# ---- samples -------------------------------------------------------------------------------------
def case(name: str, stride: int = 1, padding: Any = 0, dilation: int = 1, groups: int = 1, bias: bool = True,
         **sizes: int) -> Sample:
    """A sample from its sizes N, C, L, K and S."""
    rng = seeded(name)
    N, C, L, K, S = (sizes[letter] for letter in "NCLKS")
    x, w = rng.standard_normal((N, C, L)), rng.standard_normal((K, C // groups, S))
    around = pads(padding, (S,), stride, dilation)
    return Sample(name, (x, w, rng.standard_normal(K) if bias else None),
                  {"stride": stride, "padding": around, "dilation": dilation, "groups": groups},
                  {**sizes, "Q": reference.out_size(L, S, stride, *around, dilation), "G": groups})


def samples() -> list[Sample]:
    return [
        case("smallest", N=1, C=1, L=1, K=1, S=1),
        case("odd primes", N=2, C=3, L=11, K=5, S=2),
        case("overlap", N=1, C=2, L=13, K=3, S=5, stride=2, padding=2),
        case("gap", N=2, C=2, L=17, K=3, S=2, stride=5, padding=1),
        case("dilated", N=1, C=2, L=19, K=2, S=3, dilation=4),
        case("dilated strided", N=2, C=2, L=23, K=3, S=3, stride=2, padding=5, dilation=3),
        case("no bias", N=2, C=1, L=7, K=2, S=3, bias=False),
        case("groups", N=2, C=6, L=7, K=9, S=3, padding=1, groups=3),
        case("depthwise", N=2, C=5, L=37, K=5, S=3, padding=1, groups=5),
        case("depthwise strided", N=2, C=3, L=41, K=6, S=5, stride=3, padding=2, dilation=2, groups=3),
        case("one channel", N=3, C=1, L=29, K=3, S=7, padding=3),
        case("one tap", N=2, C=5, L=7, K=4, S=1),
        case("one tap strided", N=2, C=5, L=17, K=4, S=1, stride=2),
        case("same, even window", N=2, C=2, L=9, K=3, S=4, padding="same"),
        case("padding over the window", N=1, C=2, L=5, K=3, S=3, padding=4),
        case("many filters and channels", N=3, C=17, L=20, K=18, S=3, padding=1),
        case("window as large as the sequence", N=3, C=4, L=5, K=6, S=5),
        case("empty batch", N=0, C=2, L=4, K=2, S=3),
    ]


# ---- errors --------------------------------------------------------------------------------------
def errors() -> tuple[Refusal, ...]:
    x, weight = (2, 4, 8), (6, 4, 3)
    return (
        Refusal("rank of input", lambda: conv1d(zeros(8), zeros(*weight)),
                ShapeError, ("conv1d", "(N, C, L) or (C, L)", "(8,)", "unsqueeze(-2)")),
        Refusal("rank of weight", lambda: conv1d(zeros(*x), zeros(6, 4)), ShapeError, ("(K, C/groups, S)", "(6, 4)")),
        Refusal("channels", lambda: conv1d(zeros(*x), zeros(6, 3, 3)),
                ShapeError, ("4 channels", "takes 3", "groups=1")),
        Refusal("channels last", lambda: conv1d(zeros(2, 8, 4), zeros(*weight)),
                ShapeError, ("8 channels", "permute(0, 2, 1)")),
        Refusal("groups", lambda: conv1d(zeros(*x), zeros(6, 1, 3), groups=4),
                ShapeError, ("groups=4", "4 channels and 6")),
        Refusal("no groups", lambda: conv1d(zeros(*x), zeros(*weight), groups=0), ShapeError, ("groups", "1", "0")),
        Refusal("bias", lambda: conv1d(zeros(*x), zeros(*weight), zeros(4)), ShapeError, ("bias", "(6,)", "(4,)")),
        Refusal("window", lambda: conv1d(zeros(2, 4, 2), zeros(*weight)),
                ShapeError, ("the 3 window", "padded sequence", "at most 2")),
        Refusal("dilated window", lambda: conv1d(zeros(*x), zeros(*weight), dilation=4),
                ShapeError, ("9 with dilation", "at most 8")),
        Refusal("empty window", lambda: conv1d(zeros(*x), zeros(6, 4, 0)), ShapeError, ("window", "at least 1", "0")),
        Refusal("stride", lambda: conv1d(zeros(*x), zeros(*weight), stride=0), ShapeError, ("stride >= 1", "0")),
        Refusal("pair", lambda: conv1d(zeros(*x), zeros(*weight), stride=(1, 2)),
                DTypeError, ("stride as an int", "(1, 2)")),
        Refusal("padding", lambda: conv1d(zeros(*x), zeros(*weight), padding=-1), ShapeError, ("padding >= 0", "-1")),
        Refusal("padding's name", lambda: conv1d(zeros(*x), zeros(*weight), padding="full"),
                RangeError, ("same", "'full'")),
        Refusal("huge padding", lambda: conv1d(zeros(*x), zeros(*weight), padding=2**60),
                RangeError, ("conv1d", "padding")),
        Refusal("same with stride", lambda: conv1d(zeros(*x), zeros(*weight), None, 2, "same"),
                RangeError, ("same", "stride")),
        Refusal("dtypes", lambda: conv1d(zeros(*x), zeros(*weight, dtype=np.float64)),
                DTypeError, ("float32", "weight is")),
        Refusal("no channel", lambda: conv1d(zeros(2, 0, 8), zeros(6, 0, 3)),
                ShapeError, ("only the batch", "(2, 0, 8)")),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, w: np.ndarray, b: Any, stride: int, padding: tuple[int, int], dilation: int,
               groups: int) -> np.ndarray:
    """That of conv2d, on planes one pixel high."""
    y = planes.fast_numpy(x[:, :, None], w[:, :, None], b, (1, stride), ((0, 0), padding), (1, dilation), groups)
    return y[:, :, 0]


def workspace_bytes(input: Tensor, weight: Tensor, stride: int, padding: Any, dilation: int, groups: int) -> int:
    """Bytes that the backward kernel needs while it runs, besides each thread's scratch memory for
    columns; 0 without kernels.
    """
    if compiled is None:
        return 0
    shape = input.shape if input.ndim == 3 else (1, *input.shape)
    around = pads(padding, weight.shape[2:], stride, dilation)
    return int(compiled.conv1d_workspace(shape, weight.shape, stride, around, dilation, groups)) * input.dtype.itemsize


# ---- records -------------------------------------------------------------------------------------
CONV1D = register(Op(
    name="conv1d", family="convolution", inputs=("x", "w", "b"),
    formula="y[n,k,q] = b[k] + sum_cs w[k,c,s] x[n,c,q*stride-padding+s*dilation]",
    forward=kernel("conv1d_forward"), backward=kernel("conv1d_backward"),
    ref_forward=reference.conv1d_forward, ref_backward=reference.conv1d_backward,
    check=check, samples=samples, errors=errors(), fast_numpy=fast_numpy,
    bench={
        "wavenet.64c": lambda: case("wavenet.64c", N=8, C=64, L=1024, K=128, S=2, dilation=16, bias=False),
        "depthwise.256c": lambda: case("depthwise.256c", N=8, C=256, L=512, K=256, S=31, padding=15, groups=256),
    },
    flops=lambda N, C, K, S, Q, G, **_: 2 * N * K * Q * (C // G) * S,
    bytes=lambda N, C, L, K, S, Q, G: 4 * (N * C * L + K * (C // G) * S + N * K * Q),
    terms=lambda C, S, G, **_: C // G * S + 1,
    linear_in=("x", "w", "b"),
))
