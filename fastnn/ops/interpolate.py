"""Images, signals and volumes of another size.

Kernel: csrc/resample/resample.c. Definition: fastnn/reference/interpolate.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import apply, stepped
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import whole
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import interpolate as reference
from ..tensor import Tensor
from .checks import need_float, need_room
from .shape import reshape

__all__ = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

# mode -> (dimensions of the input that it takes, what it is in each direction)
MODES: dict[str, tuple[tuple[int, ...], str]] = {
    "nearest": ((3, 4, 5), "nearest"), "nearest-exact": ((3, 4, 5), "nearest-exact"), "area": ((3, 4, 5), "area"),
    "linear": ((3,), "linear"), "bilinear": ((4,), "linear"), "trilinear": ((5,), "linear"), "bicubic": ((4,), "cubic"),
}


def interpolate(input: Tensor, size: Any = None, scale_factor: float | Sequence[float] | None = None,
                mode: str = "nearest", align_corners: bool | None = None, recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Tensor:
    r"""The image in another size: each new pixel is read at its place between the old ones.

    .. math:: y_{pq} = \sum_{ij} w(u_p - i)\, w(v_q - j)\, x_{ij}, \qquad
        u_p = \frac{H}{P} (p + \tfrac12) - \tfrac12 \;\text{ or, aligned, }\; \frac{H - 1}{P - 1} p

    and likewise v. The kernel w is a step, the hat max(0, 1 - |t|), or Keys' cubic, which stands
    at `grid_sample`. Beyond the border the border goes on. "area" is the mean over the pixels that
    an output covers.

    Parameters
    ----------
    input : Tensor of shape (N, C, L), (N, C, H, W) or (N, C, D, H, W), float32 or float64
    size : int or tuple of int, optional
        Of the output, without N and C.
    scale_factor : number or tuple of numbers, optional
        In the place of size: the output has floor(H * scale_factor) rows, and 1 / scale_factor
        stands for H / P.
    mode : "nearest", "nearest-exact", "linear", "bilinear", "bicubic", "trilinear" or "area"
        linear is for (N, C, L), bilinear and bicubic for images, trilinear for volumes.
        "nearest-exact" is nearest at the centres of pixels, as other programs have it.
    align_corners : bool, optional
        Whether the centres of the corner pixels are the corners, for linear and cubic.
    recompute_scale_factor : bool, optional
        True: H / P also where scale_factor is given.
    antialias : bool
        For bilinear and bicubic: widen the kernel where the image gets smaller, so that every old
        pixel counts.

    Returns
    -------
    Tensor of shape (N, C, *size).

    Raises
    ------
    ShapeError : if mode and shape do not fit, or a size is below 1, or below 0 with "area".
    RangeError : for an unknown mode, or align_corners or antialias where there is none.
    DTypeError : if input is not floating point, or neither or both of size and scale_factor stand.

    Cost: two, four or eight multiplications and additions an output pixel for linear, at most twice
    as many for cubic. A volume takes two passes.

    Reference: Keys (1981), "Cubic convolution interpolation for digital image processing".

    >>> import fastnn as nn
    >>> x = nn.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> nn.interpolate(x, size=(2, 3), mode="bilinear", align_corners=True)
    tensor([[[[1.0, 1.5, 2.0],
              [3.0, 3.5, 4.0]]]])
    """
    if mode not in MODES:
        raise RangeError(who="interpolate", expected=f"mode {', '.join(map(repr, MODES))}", got=repr(mode))
    ranks, way = MODES[mode]
    if input.ndim not in ranks:
        raise ShapeError(f"{mode} has another rank", who="interpolate", got=input.shape,
                         expected=f"input of {' or '.join(map(str, ranks))} dimensions, (N, C, ...)")
    if way in ("linear", "cubic"):
        aligned = bool(align_corners)
    elif align_corners is not None:
        raise RangeError(who="interpolate", expected=f"no align_corners with mode {mode!r}", got=align_corners)
    else:
        aligned = False
    if antialias and mode not in ("bilinear", "bicubic"):
        raise RangeError(who="interpolate", expected="antialias only with bilinear and bicubic", got=repr(mode))
    space = input.shape[2:]
    recompute = bool(recompute_scale_factor) or mode == "area"
    sizes, scales = sizes_and_scales(space, size, scale_factor, recompute, int(mode != "area"))
    if 0 in sizes:                                  # areas that cover nothing, as in PyTorch
        need_float("interpolate", input=input._data)
        return stepped("interpolate", np.empty((*input.shape[:2], *sizes), input.dtype), input)
    if len(space) == 2:
        return resample(input, sizes, (way, way), aligned, scales, bool(antialias))
    N, C = input.shape[:2]
    if len(space) == 1:
        y = resample(reshape(input, N, C, 1, *space), (1, *sizes), ("nearest", way), aligned, (None, *scales), False)
        return reshape(y, N, C, *sizes)
    # the images of a volume, and then its depth
    y = resample(reshape(input, N, -1, *space[1:]), sizes[1:], (way, way), aligned, scales[1:], False)
    n = sizes[1] * sizes[2]
    y = resample(reshape(y, N, C, space[0], n), (sizes[0], n), (way, "nearest"), aligned, (scales[0], None), False)
    return reshape(y, N, C, *sizes)


def upsample(input: Tensor, size: Any = None, scale_factor: float | Sequence[float] | None = None,
             mode: str = "nearest", align_corners: bool | None = None) -> Tensor:
    """PyTorch's older name of `interpolate`.

    Parameters, errors and cost: as `interpolate`.

    >>> import fastnn as nn
    >>> nn.upsample(nn.tensor([[[1.0, 2.0]]]), scale_factor=2)
    tensor([[[1., 1., 2., 2.]]])
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: float | Sequence[float] | None = None) -> Tensor:
    """`interpolate` with mode "nearest".

    Parameters, errors and cost: as `interpolate`.

    >>> import fastnn as nn
    >>> nn.functional.upsample_nearest(nn.tensor([[[1.0, 2.0]]]), size=3)
    tensor([[[1., 1., 2.]]])
    """
    return interpolate(input, size, scale_factor)


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: float | Sequence[float] | None = None) -> Tensor:
    """`interpolate` with mode "bilinear" and corners aligned.

    Parameters, errors and cost: as `interpolate`.

    >>> import fastnn as nn
    >>> nn.functional.upsample_bilinear(nn.tensor([[[[1.0, 3.0]]]]), size=(1, 3))
    tensor([[[[1., 2., 3.]]]])
    """
    return interpolate(input, size, scale_factor, "bilinear", True)


# ---- what the functions share --------------------------------------------------------------------
def sizes_and_scales(space: tuple[int, ...], size: Any, scale_factor: Any,
                     recompute: bool, least: int) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
    """The sizes of the output, at least `least`, and the scale factors that count for places, or
    None.
    """
    if (size is None) == (scale_factor is None):
        raise DTypeError("size or scale_factor is needed", who="interpolate",
                         got="neither" if size is None else "both")
    given: Any = scale_factor if size is None else size
    each: Sequence[Any] = given if isinstance(given, (tuple, list)) else (given,) * len(space)
    if len(each) != len(space):
        raise ShapeError(who="interpolate", expected=f"a number, or {len(space)} of them, one a direction", got=given)
    if size is not None:
        sizes = tuple([whole("interpolate", "size as int", n) for n in each])
        scales: tuple[float | None, ...] = (None,) * len(space)
    else:
        factors = [float(f) for f in each]
        if not all((0 < f or least == f == 0) and f < math.inf for f in factors):
            raise RangeError(who="interpolate", expected="scale_factor > 0", got=scale_factor)
        sizes = tuple([math.floor(n * f) for n, f in zip(space, factors)])
        scales = (None,) * len(space) if recompute else tuple(factors)
    if any(n < least for n in sizes) or 0 in space:
        raise ShapeError(who="interpolate", expected="sizes >= 1", got=f"{space} to {sizes}")
    return sizes, scales


def resample(input: Tensor, size: tuple[int, ...], mode: tuple[str, str], align_corners: bool,
             scales: tuple[float | None, ...], antialias: bool) -> Tensor:
    return apply(INTERPOLATE, input, size=size, mode=mode, align_corners=align_corners, scales=scales,
                 antialias=antialias)


# ---- checks --------------------------------------------------------------------------------------
def check(x: Any, *, size: tuple[int, ...], **attrs: Any) -> None:
    need_float("interpolate", input=x)
    if x.ndim != 4 or x.shape[2] < 1 or x.shape[3] < 1:
        raise ShapeError(who="interpolate", expected="input of shape (N, C, H, W) with pixels", got=x.shape)
    if max(*size, *x.shape[2:]) >= 2**31:
        raise RangeError("more rows or columns than a table can number", who="interpolate", expected="sizes < 2**31",
                         got=size)
    need_room("interpolate", (*x.shape[:2], *size), x.dtype.itemsize)


# ---- samples -------------------------------------------------------------------------------------
def case(name: str, shape: tuple[int, ...], size: tuple[int, int], mode: str = "linear", align_corners: bool = False,
         scales: tuple[float | None, ...] = (None, None), antialias: bool = False) -> Sample:
    attrs = {"size": size, "mode": (mode, mode), "align_corners": align_corners, "scales": scales,
             "antialias": antialias}
    N, C, H, W = shape
    return Sample(name, (seeded(name).standard_normal(shape),), attrs,
                  {"N": N, "C": C, "H": H, "W": W, "P": size[0], "Q": size[1]})


def samples() -> list[Sample]:
    shapes = (("larger", (2, 3, 5, 7), (11, 13)), ("smaller", (2, 2, 13, 11), (5, 3)),
              ("doubled", (1, 2, 3, 5), (6, 10)), ("one pixel", (1, 1, 1, 1), (3, 2)),
              ("to one pixel", (1, 2, 5, 3), (1, 1)), ("empty", (0, 2, 3, 3), (2, 4)),
              ("fewer rows", (1, 2, 5, 17), (2, 40)))
    modes = (("nearest", False), ("nearest-exact", False), ("linear", False), ("linear", True), ("cubic", False),
             ("cubic", True), ("area", False))
    found = [case(f"{mode}{' aligned' * aligned} {name}", shape, size, mode, aligned)
             for name, shape, size in shapes for mode, aligned in modes]
    return [*found, case("scaled", (1, 2, 5, 7), (7, 11), "linear", scales=(1.5, 1.7)),
            case("wide", (1, 1, 3, 5003), (4, 9001), "cubic"),
            case("antialias", (1, 2, 13, 11), (5, 4), "linear", antialias=True),
            case("cubic antialias", (1, 2, 13, 7), (5, 9), "cubic", antialias=True)]


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, *, size: tuple[int, int], mode: tuple[str, str], align_corners: bool,
               scales: Any, antialias: bool) -> np.ndarray:
    """Two products with dense matrices."""
    y = x
    for d in (1, 0):
        n, m = x.shape[2 + d], size[d]
        matrix = np.zeros((m, n), x.dtype)
        for p in range(m):
            for i, w in reference.taps_of(p, mode[d], n, m, align_corners, scales[d], antialias).items():
                matrix[p, i] = w
        y = y @ matrix.T if d else matrix @ y
    return y


# ---- the record ----------------------------------------------------------------------------------
INTERPOLATE = register(Op(
    name="interpolate", family="pooling", inputs=("x",), formula="y[n,c,p,q] = sum of w(u[p]-i) w(v[q]-j) x[n,c,i,j]",
    forward=kernel("interpolate_forward"), backward=kernel("interpolate_backward"),
    ref_forward=reference.interpolate_forward, ref_backward=reference.interpolate_backward, check=check,
    samples=samples, fast_numpy=fast_numpy,
    errors=(
        Refusal("mode", lambda: interpolate(zeros(1, 1, 2, 2), 3, mode="cubic"), RangeError,
                ("interpolate", "'bicubic'", "'cubic'")),
        Refusal("rank", lambda: interpolate(zeros(1, 1, 2), 3, mode="bilinear"), ShapeError,
                ("interpolate", "4 dimensions", "(1, 1, 2)")),
        Refusal("corners", lambda: interpolate(zeros(1, 1, 2), 3, align_corners=True), RangeError,
                ("interpolate", "align_corners", "'nearest'")),
        Refusal("neither", lambda: interpolate(zeros(1, 1, 2)), DTypeError, ("interpolate", "scale_factor", "neither")),
        Refusal("small", lambda: interpolate(zeros(1, 1, 2), scale_factor=0.3), ShapeError, ("interpolate", "(0,)")),
        Refusal("factor", lambda: interpolate(zeros(1, 1, 2), scale_factor=-1), RangeError,
                ("interpolate", "> 0", "-1")),
        Refusal("sizes", lambda: interpolate(zeros(1, 1, 2), (3, 3)), ShapeError,
                ("interpolate", "1 of them", "(3, 3)")),
        Refusal("integers", lambda: interpolate(zeros(1, 1, 2, dtype=np.int64), 3), DTypeError,
                ("interpolate", "int64")),
        Refusal("antialias", lambda: interpolate(zeros(1, 1, 2), 3, antialias=True), RangeError,
                ("interpolate", "antialias", "bicubic")),
    ),
    bench={"nearest.2x": lambda: case("nearest.2x", (8, 64, 56, 56), (112, 112), "nearest"),
           "bilinear.2x": lambda: case("bilinear.2x", (8, 64, 56, 56), (112, 112)),
           "bicubic.2x": lambda: case("bicubic.2x", (8, 64, 56, 56), (112, 112), "cubic"),
           "bilinear.half": lambda: case("bilinear.half", (8, 64, 112, 112), (56, 56))},
    flops=lambda N, C, H, W, P, Q: 8 * N * C * P * Q, bytes=lambda N, C, H, W, P, Q: 4 * N * C * (H * W + P * Q),
    terms=lambda H, W, P, Q, **_: max(16, H * W),
))
