"""Layer, RMS and group normalisation.

Kernels: csrc/norm/norm.c. Definitions: fastnn/reference/norm.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import norm as reference
from ..tensor import Tensor, tensor
from .checks import at_least_zero, need_float

__all__ = ["group_norm", "layer_norm", "rms_norm"]


def layer_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
               bias: Tensor | None = None, eps: float = 1e-5) -> Tensor:
    r"""Standardise each row (the last axes of the input), then scale and shift.

    .. math:: y = \hat x \cdot weight + bias, \quad \hat x = (x - \mathrm{E}[x])\, r, \quad
        r = 1 / \sqrt{\mathrm{Var}[x] + \epsilon} \qquad
        dx = r\, (g - \mathrm{E}[g] - \hat x\, \mathrm{E}[g \hat x]), \quad g = dy \cdot weight

    The result is accurate also where the mean is far larger than the deviation, and where squares
    of the elements overflow or vanish. An infinity or a NaN makes its row NaN.

    Parameters
    ----------
    input : Tensor of shape (..., *normalized_shape), float32 or float64
    normalized_shape : int or sequence of int
        The sizes of the axes that make a row. The mean and the variance, which is divided by the
        number of elements, are taken over them.
    weight, bias : Tensor of shape normalized_shape, optional
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor of the input's shape.

    Raises
    ------
    ShapeError : if the input does not end in normalized_shape, or weight or bias has another shape.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 8 flop per element. The input is read from memory once, and backward once together with
    dy.

    Reference: Ba, Kiros, Hinton (2016), "Layer normalization", arXiv:1607.06450.

    >>> import fastnn as nn
    >>> nn.functional.layer_norm(nn.tensor([[1.0, 3.0], [10.0, 10.0]]), (2,), eps=0.0001)
    tensor([[-0.9999,  0.9999],
            [ 0.0000,  0.0000]])
    """
    return apply(LAYER_NORM, input, weight, bias, normalized_shape=as_shape(normalized_shape),
                 eps=at_least_zero("layer_norm", eps))


def rms_norm(input: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None = None,
             eps: float | None = None) -> Tensor:
    r"""Divide each row by the root of its mean square, then scale.

    .. math:: y = \hat x \cdot weight, \quad \hat x = x\, r, \quad
        r = 1 / \sqrt{\mathrm{E}[x^2] + \epsilon} \qquad
        dx = r\, (g - \hat x\, \mathrm{E}[g \hat x]), \quad g = dy \cdot weight

    Squares may overflow or vanish. An infinite element becomes NaN and makes the others of its row
    0, as the formula has it.

    Parameters
    ----------
    input, normalized_shape, weight : as in `layer_norm`
    eps : float, optional
        None: the distance from 1 to the next number of the input's dtype.

    Returns
    -------
    Tensor of the input's shape.

    Errors: as `layer_norm`. Cost: 5 flop per element; the input is read from memory once.

    Reference: Zhang, Sennrich (2019), "Root mean square layer normalization", arXiv:1910.07467.

    >>> import fastnn as nn
    >>> nn.functional.rms_norm(nn.tensor([3.0, -4.0]), (2,), eps=0.0)
    tensor([ 0.8485, -1.1314])
    """
    x: Any = getattr(input, "_data", input)
    if eps is None:
        eps = float(np.finfo(x.dtype).eps) if x.dtype.kind == "f" else 0.0
    return apply(RMS_NORM, input, weight, normalized_shape=as_shape(normalized_shape),
                 eps=at_least_zero("rms_norm", eps))


def group_norm(input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None,
               eps: float = 1e-5) -> Tensor:
    r"""Standardise each group of channels of each image, then scale and shift each channel.

    .. math:: y = (x - \mathrm{E}[x]) / \sqrt{\mathrm{Var}[x] + \epsilon} \cdot weight_c + bias_c

    with the mean and the variance over a group of C / num_groups channels of one image. The
    gradient is `layer_norm`'s, for a group in the place of a row, and so is what holds of NaN. The
    result does not depend on the batch.

    Parameters
    ----------
    input : Tensor of shape (N, C, ...), float32 or float64
    num_groups : int
        A divisor of C. With C groups this is instance normalisation.
    weight, bias : Tensor of shape (C,), optional
    eps : float
        Added to the variance.

    Returns
    -------
    Tensor of the input's shape.

    Raises
    ------
    ShapeError : if C is not a multiple of num_groups, weight or bias is not of shape (C,), or there
        is only one value per group.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 8 flop per element; bound by memory.

    Reference: Wu, He (2018), "Group normalization", arXiv:1803.08494.

    >>> import fastnn as nn
    >>> nn.functional.group_norm(nn.tensor([[1.0, 3.0, 5.0, 5.0]]), 2)
    tensor([[-1.,  1.,  0.,  0.]])
    """
    if isinstance(input, Tensor) and input._data.size == num_groups and input.shape[0] == 1:
        raise ShapeError("expected more than 1 value per group", who="group_norm", got=f"input of shape {input.shape}",
                         hint="One value is its own mean: the result would be 0.")
    return apply(GROUP_NORM, input, weight, bias, num_groups=int(num_groups),
                 eps=at_least_zero("group_norm", eps))


# ---- what the functions share --------------------------------------------------------------------
def as_shape(normalized_shape: Any) -> tuple[int, ...]:
    """As a tuple of int; the common case, quickly."""
    if normalized_shape.__class__ is tuple and len(normalized_shape) == 1 and normalized_shape[0].__class__ is int:
        return normalized_shape
    if isinstance(normalized_shape, int):
        return (normalized_shape,)
    for n in normalized_shape:
        if n.__class__ is not int:
            return tuple([int(n) for n in normalized_shape])
    return tuple(normalized_shape)


# ---- checks --------------------------------------------------------------------------------------
def need_shape(who: str, shape: tuple[int, ...], **arrays: Any) -> None:
    """Every named array that is given must have this shape."""
    for name, a in arrays.items():
        if a is not None and a.shape != shape:
            raise ShapeError(who=who, expected=f"{name} of shape {shape}", got=a.shape)


def check_rows(who: str, x: Any, weight: Any, bias: Any, normalized_shape: tuple[int, ...], eps: float) -> None:
    need_float(who, input=x, weight=weight, bias=bias)
    if not normalized_shape or x.shape[-len(normalized_shape):] != normalized_shape:
        last = ", ".join(map(str, normalized_shape))
        raise ShapeError(who=who, expected=f"input of shape (..., {last})", got=x.shape,
                         hint="normalized_shape names the last sizes of the input.")
    need_shape(who, normalized_shape, weight=weight, bias=bias)


def check_channels(who: str, x: Any, **vectors: Any) -> None:
    need_float(who, input=x, **vectors)
    if x.ndim < 2:
        raise ShapeError(who=who, expected="input of shape (N, C) or (N, C, ...)", got=x.shape,
                         hint="Is it one example? Put a batch axis in front: x[None]." if x.ndim == 1 else "")
    need_shape(who, x.shape[1:2], **vectors)


def check_group(x: Any, weight: Any, bias: Any, num_groups: int, eps: float) -> None:
    check_channels("group_norm", x, weight=weight, bias=bias)
    if num_groups < 1 or x.shape[1] % num_groups:
        raise ShapeError(f"{x.shape[1]} channels cannot be cut into {num_groups} equal groups", who="group_norm")


# ---- samples -------------------------------------------------------------------------------------
def rows_of(name: str, *lead: int, shape: tuple[int, ...], weight: bool = True, bias: bool | None = True,
            eps: float = 1e-5, mean: float = 0.0, scale: float = 1.0) -> Sample:
    """A sample of rows; bias None leaves that input out (RMS norm)."""
    rng = seeded("rows " + name)    # not sample.rng(): a dy equal to x would have a gradient of 0
    x = mean + scale * rng.standard_normal((*lead, *shape))
    w = rng.standard_normal(shape) + 0.5 if weight else None
    b = rng.standard_normal(shape) if bias else None
    return Sample(name, (x, w) if bias is None else (x, w, b), {"normalized_shape": shape, "eps": eps},
                  {"rows": math.prod(lead), "n": math.prod(shape)})


def layer_samples() -> list[Sample]:
    return [
        rows_of("smallest", 1, shape=(2,), eps=0.5),
        rows_of("odd", 3, 5, shape=(7,)),
        rows_of("two axes", 3, shape=(5, 7)),
        rows_of("no weight", 5, shape=(3,), weight=False),
        rows_of("no bias", 5, shape=(11,), bias=False),
        rows_of("plain", 2, shape=(13,), weight=False, bias=False),
        rows_of("one row", shape=(17,)),
        rows_of("wide", 2, shape=(1031,)),
        rows_of("many rows", 131, shape=(67,)),
        rows_of("empty", 0, shape=(4,)),
        rows_of("mean", 2, shape=(37,), mean=100.0),
        rows_of("large", 2, shape=(5,), scale=50.0),
        rows_of("eps", 2, shape=(5,), eps=2.0),
    ]


def rms_samples() -> list[Sample]:
    return [
        rows_of("smallest", 1, shape=(1,), bias=None, eps=0.5),
        rows_of("odd", 3, 5, shape=(7,), bias=None),
        rows_of("two axes", 3, shape=(5, 7), bias=None),
        rows_of("plain", 3, shape=(11,), weight=False, bias=None),
        rows_of("wide", 2, shape=(1031,), bias=None),
        rows_of("many rows", 131, shape=(37,), bias=None),
        rows_of("empty", 0, shape=(4,), bias=None),
        rows_of("large", 2, shape=(5,), scale=50.0, bias=None),
    ]


def images(name: str, *shape: int, weight: bool = True, bias: bool = True, mean: float = 0.0, scale: float = 1.0,
           **attrs: Any) -> Sample:
    rng = seeded("images " + name)
    x = mean + scale * rng.standard_normal(shape)
    w = rng.standard_normal(shape[1]) + 0.5 if weight else None
    b = rng.standard_normal(shape[1]) if bias else None
    sizes = {"N": shape[0], "C": shape[1], "S": math.prod(shape[2:])}
    if "num_groups" in attrs:
        sizes["G"] = attrs["num_groups"]
    return Sample(name, (x, w, b), {"eps": 1e-5} | attrs, sizes)


def group_samples() -> list[Sample]:
    return [
        images("smallest", 1, 2, 1, num_groups=1, eps=0.5),
        images("odd", 3, 10, 7, 11, num_groups=2),
        images("each channel", 2, 3, 5, num_groups=3),
        images("one group", 2, 5, 3, num_groups=1),
        images("rank 2", 5, 6, num_groups=2),
        images("plain", 2, 4, 3, 3, num_groups=2, weight=False, bias=False),
        images("no bias", 2, 6, 5, num_groups=3, bias=False),
        images("long", 1, 2, 5003, num_groups=1),
        images("empty", 0, 4, 3, num_groups=2),
        images("mean", 2, 4, 13, num_groups=2, mean=100.0),
    ]


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_layer_norm(x: Any, weight: Any, bias: Any, *, normalized_shape: tuple[int, ...], eps: float) -> Any:
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    d = x - x.mean(axes, keepdims=True)
    d *= 1 / np.sqrt(np.square(d).mean(axes, keepdims=True) + eps)
    if weight is not None:
        d *= weight
    if bias is not None:
        d += bias
    return d


def fast_rms_norm(x: Any, weight: Any, *, normalized_shape: tuple[int, ...], eps: float) -> Any:
    axes = tuple(range(x.ndim - len(normalized_shape), x.ndim))
    y = x * (1 / np.sqrt(np.square(x).mean(axes, keepdims=True) + eps))
    return y if weight is None else y * weight


def fast_group_norm(x: Any, weight: Any, bias: Any, *, num_groups: int, eps: float) -> Any:
    groups = x.reshape(x.shape[0], num_groups, -1)
    d = groups - groups.mean(2, keepdims=True)
    d *= 1 / np.sqrt(np.square(d).mean(2, keepdims=True) + eps)
    return reference.scale_and_shift(d.reshape(x.shape), weight, bias, 1)


# ---- records -------------------------------------------------------------------------------------
# dx = r (g - E[g] - xhat E[g xhat]) is the difference of three terms. Where the means are over a
# few elements, hardly anything may be left of it, and the laws measure their allowance by what is
# left: room for the rounding of each term.
CANCELLATION = 3.0

LAYER_NORM = register(Op(
    name="layer_norm", family="normalisation", inputs=("x", "weight", "bias"),
    formula="y = (x - mean) / sqrt(var + eps) * weight + bias, mean and var over the last axes",
    forward=kernel("layer_norm_forward"), backward=kernel("layer_norm_backward"),
    ref_forward=reference.layer_norm_forward, ref_backward=reference.layer_norm_backward,
    check=partial(check_rows, "layer_norm"), fits=kernel("fits_rows"), samples=layer_samples,
    errors=(
        Refusal("shape", lambda: layer_norm(tensor(np.zeros((2, 3))), (4,)),
                ShapeError, ("layer_norm", "(..., 4)", "(2, 3)")),
        Refusal("no shape", lambda: layer_norm(tensor(np.zeros((2, 3))), ()),
                ShapeError, ("layer_norm", "normalized_shape")),
        Refusal("weight", lambda: layer_norm(tensor(np.zeros((2, 3))), 3, tensor(np.zeros(2))),
                ShapeError, ("weight of shape (3,)", "(2,)")),
        Refusal("eps below 0", lambda: layer_norm(tensor(np.ones((2, 3))), 3, eps=-0.5),
                RangeError, ("layer_norm", "eps >= 0", "-0.5")),
        Refusal("integers", lambda: layer_norm(tensor([[1, 2]]), (2,)), DTypeError, ("layer_norm", "int64")),
        Refusal("mixed", lambda: layer_norm(tensor(np.zeros((2, 3))), (3,), tensor(np.zeros(3, np.float32))),
                DTypeError, ("float64", "float32")),
    ),
    fast_numpy=fast_layer_norm,
    bench={"2048x512": lambda: rows_of("2048x512", 2048, shape=(512,))},
    flops=lambda rows, n: 8 * rows * n, bytes=lambda rows, n: 4 * (2 * rows * n + 2 * n + 3 * rows),
    terms=lambda rows, n: n, slack=CANCELLATION, keeps_nan=("x",),
))

RMS_NORM = register(Op(
    name="rms_norm", family="normalisation", inputs=("x", "weight"), formula="y = x / sqrt(mean(x^2) + eps) * weight",
    forward=kernel("rms_norm_forward"), backward=kernel("rms_norm_backward"),
    ref_forward=reference.rms_norm_forward, ref_backward=reference.rms_norm_backward,
    check=lambda x, weight, normalized_shape, eps: check_rows("rms_norm", x, weight, None, normalized_shape, eps),
    fits=kernel("fits_rows"), samples=rms_samples,
    errors=(
        Refusal("shape", lambda: rms_norm(tensor(np.zeros((2, 3))), (4,)),
                ShapeError, ("rms_norm", "(..., 4)", "(2, 3)")),
        Refusal("eps below 0", lambda: rms_norm(tensor(np.ones((2, 3))), 3, eps=-0.5),
                RangeError, ("rms_norm", "eps >= 0", "-0.5")),
        Refusal("integers", lambda: rms_norm(tensor([[1, 2]]), (2,)), DTypeError, ("rms_norm", "int64")),
    ),
    fast_numpy=fast_rms_norm,
    bench={"2048x512": lambda: rows_of("2048x512", 2048, shape=(512,), bias=None)},
    flops=lambda rows, n: 5 * rows * n, bytes=lambda rows, n: 4 * (2 * rows * n + n + rows),
    terms=lambda rows, n: n, slack=CANCELLATION, keeps_nan=("x",),
))

GROUP_NORM = register(Op(
    name="group_norm", family="normalisation", inputs=("x", "weight", "bias"),
    formula="y = (x - mean) / sqrt(var + eps) * weight + bias, mean and var over groups of channels of one image",
    forward=kernel("group_norm_forward"), backward=kernel("group_norm_backward"),
    ref_forward=reference.group_norm_forward, ref_backward=reference.group_norm_backward,
    check=check_group, samples=group_samples,
    errors=(
        Refusal("groups", lambda: group_norm(tensor(np.zeros((2, 3, 4))), 2),
                ShapeError, ("group_norm", "3 channels", "2 equal groups")),
        Refusal("no groups", lambda: group_norm(tensor(np.zeros((2, 3, 4))), 0), ShapeError, ("0 equal groups",)),
        Refusal("rank", lambda: group_norm(tensor(np.zeros(3)), 1), ShapeError, ("(N, C)", "(3,)")),
        Refusal("bias", lambda: group_norm(tensor(np.zeros((2, 4))), 2, None, tensor(np.zeros(2))),
                ShapeError, ("bias of shape (4,)",)),
        Refusal("eps below 0", lambda: group_norm(tensor(np.ones((2, 4))), 2, eps=-0.5),
                RangeError, ("group_norm", "eps >= 0", "-0.5")),
        Refusal("integers", lambda: group_norm(tensor([[1, 2]]), 1), DTypeError, ("group_norm", "int64")),
    ),
    fast_numpy=fast_group_norm,
    bench={"32x64x28x28, 8 groups": lambda: images("32x64x28x28, 8 groups", 32, 64, 28, 28, num_groups=8)},
    flops=lambda N, C, S, G: 8 * N * C * S, bytes=lambda N, C, S, G: 4 * (2 * N * C * S + 2 * C + 3 * N * G),
    terms=lambda N, C, S, G: C // G * S, slack=CANCELLATION, keeps_nan=("x",),
))
