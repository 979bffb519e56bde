"""Softmax and log-softmax along an axis.

Kernels: csrc/pointwise/softmax.c. Definitions: fastnn/reference/softmax.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, ShapeError, warn_once
from ..guard import whole
from ..kernels import kernel
from ..moved import moved_names
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import softmax as reference
from ..tensor import Tensor, tensor
from .checks import need_float, renamed
from .clone import to
from .elementary import neg

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["log_softmax", "softmax", "softmin"]


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""Scores become probabilities along one axis.

    .. math:: y_c = \frac{e^{x_c}}{\sum_k e^{x_k}} \qquad
        dx_c = y_c \big(dy_c - \sum_k dy_k\, y_k\big)

    The largest element is subtracted first, so that scores of any size are safe. A score of -inf
    means "never": probability 0, gradient 0. Where every score is -inf there is no answer: the
    result is NaN, as in PyTorch. For a loss use `cross_entropy` on the scores themselves.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    dim : int
        The axis whose elements sum to 1; negative counts from the end.
    dtype : optional
        Convert to it first.

    Returns
    -------
    Tensor of the same shape and dtype.

    Raises
    ------
    DTypeError : if input is not floating point.
    ShapeError : if there is no axis `dim`.

    Cost: one exp an element forward, none backward; each element is read and written once.

    >>> import fastnn as nn
    >>> nn.functional.softmax(nn.tensor([0.0, 0.0, float("-inf")]), dim=0)
    tensor([0.5, 0.5, 0.0])
    """
    if numpy:
        return softmax(input, dtype=dtype, **renamed("softmax", numpy, dim=dim))
    if dtype is not None:
        input = to(input, dtype)
    return apply(SOFTMAX, input, dim=from_the_front("softmax", input, dim))


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    """softmax of -x: the smallest gets most.

    Parameters
    ----------
    input, dim, dtype : as in `softmax`

    Errors, NaN and cost: as `softmax`, and one pass.

    >>> import fastnn as nn
    >>> nn.functional.softmin(nn.tensor([0.0, 0.0]), 0)
    tensor([0.5, 0.5])
    """
    if numpy:
        return softmin(input, dtype=dtype, **renamed("softmin", numpy, dim=dim))
    return softmax(neg(input), dim, dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The logarithm of softmax, computed without passing through the small numbers.

    .. math:: y_c = x_c - \log \sum_k e^{x_k} \qquad dx_c = dy_c - e^{y_c} \sum_k dy_k

    Where a probability is too small for the type, log(softmax(x)) is -inf; this is not. NaN as in
    `softmax`.

    Parameters and errors: as `softmax`. Cost: one exp an element forward and one backward.

    >>> import fastnn as nn
    >>> nn.functional.log_softmax(nn.tensor([0.0, 1000.0]), dim=0)
    tensor([-1000.,     0.])
    """
    if numpy:
        return log_softmax(input, dtype=dtype, **renamed("log_softmax", numpy, dim=dim))
    if dtype is not None:
        input = to(input, dtype)
    return apply(LOG_SOFTMAX, input, dim=from_the_front("log_softmax", input, dim))


# ---- what the functions share --------------------------------------------------------------------
def from_the_front(who: str, input: Any, dim: Any) -> int:
    """dim counted from the front; an out-of-range one is left for the check to name. None is
    PyTorch's choice of old: 0 for a number, a vector or three dimensions, else 1.
    """
    ndim = getattr(input, "ndim", 1) or 1
    if dim is None:
        dim = 0 if ndim in (1, 3) else 1
        warn_once(f"{who} without dim", f"{who}: dim is not given, and {dim} is taken; say which it is: dim=1 for "
                  "scores (N, C), dim=-1 for the last.")
    dim = whole(who, "dim as an int", dim)
    return dim + ndim if -ndim <= dim < 0 else dim


# ---- checks --------------------------------------------------------------------------------------
def check(who: str) -> Callable[..., None]:
    def check_softmax(x: Any, *, dim: int) -> None:
        need_float(who, x=x)
        if not 0 <= dim < (x.ndim or 1):
            last = max(x.ndim, 1) - 1
            raise ShapeError(who=who, expected=f"dim from {-last - 1} to {last} for an input of shape {x.shape}",
                             got=dim)
    return check_softmax


# ---- samples -------------------------------------------------------------------------------------
def scores(name: str, *shape: int, dim: int = -1, scale: float = 2.0, never: tuple[Any, ...] = ()) -> Sample:
    """A sample of `shape` with softmax along `dim`; the elements at the index `never` are -inf."""
    x = seeded(name).standard_normal(shape) * scale
    if never:
        x[never] = -np.inf
    dim = dim % len(shape)
    axis = shape[dim]
    return Sample(name, (x,), {"dim": dim}, {"n": x.size, "axis": axis})


def samples() -> list[Sample]:
    return [
        scores("one row", 1, 2),
        scores("odd", 3, 5, 7),
        scores("middle", 3, 5, 7, dim=1),
        scores("first", 3, 5, 7, dim=0),
        scores("vector", 37),
        scores("empty", 0, 4),
        scores("empty axis", 3, 0, dim=1),
        scores("no columns", 2, 3, 0, dim=1),
        scores("strip and one", 2, 3, 65, dim=1),
        scores("long", 2, 1031),
        scores("steep", 5, 33, scale=30.0),
        scores("steep columns", 33, 5, dim=0, scale=30.0),
    ]


def softmax_samples() -> list[Sample]:
    return [
        *samples(),
        scores("never", 4, 19, never=(slice(1, 3), slice(2, 17))),
        scores("never, columns", 19, 4, dim=0, never=(slice(3, 18),)),
    ]


# ---- errors --------------------------------------------------------------------------------------
def errors_of(name: str, function: Callable[..., Tensor]) -> tuple[Refusal, ...]:
    return (
        Refusal("integers", lambda: function(tensor([1, 2]), 0), DTypeError, (name, "int64", "float32")),
        Refusal("dim too large", lambda: function(tensor([[1.0, 2.0]]), 2),
                ShapeError, (name, "dim from -2 to 1", "got 2")),
        Refusal("dim too small", lambda: function(tensor([1.0, 2.0]), -2),
                ShapeError, (name, "dim from -1 to 0", "got -2")),
        Refusal("dim is no whole number", lambda: function(tensor([[1.0, 2.0]]), -1.5), DTypeError, (name, "-1.5")),
    )


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_softmax(x: np.ndarray, *, dim: int) -> np.ndarray:
    e = np.exp(x - x.max(axis=dim, keepdims=True))
    e /= e.sum(axis=dim, keepdims=True)
    return e


def fast_log_softmax(x: np.ndarray, *, dim: int) -> np.ndarray:
    z = x - x.max(axis=dim, keepdims=True)
    z -= np.log(np.exp(z).sum(axis=dim, keepdims=True))
    return z


BENCH = {
    "2048x512": lambda: scores("2048x512", 2048, 512),
    "gpt2.vocabulary": lambda: scores("gpt2.vocabulary", 64, 50257),
    "image": lambda: scores("image", 4, 21, 128, 128, dim=1),
}


# ---- records -------------------------------------------------------------------------------------
SOFTMAX = register(Op(
    name="softmax", family="softmax", inputs=("x",), formula="y = exp(x) / sum exp(x)",
    forward=kernel("softmax_forward"), backward=kernel("softmax_backward"),
    ref_forward=reference.softmax_forward, ref_backward=reference.softmax_backward,
    keeps_nan=("x",),
    check=check("softmax"), fits=kernel("fits_axis"), samples=softmax_samples, errors=errors_of("softmax", softmax),
    fast_numpy=fast_softmax, bench=BENCH,
    flops=lambda n, axis: 4 * n, bytes=lambda n, axis: 8 * n, terms=lambda n, axis: axis,
))

LOG_SOFTMAX = register(Op(
    name="log_softmax", family="softmax", inputs=("x",), formula="y = x - log sum exp(x)",
    forward=kernel("log_softmax_forward"), backward=kernel("log_softmax_backward"),
    ref_forward=reference.log_softmax_forward, ref_backward=reference.log_softmax_backward,
    keeps_nan=("x",),
    check=check("log_softmax"), fits=kernel("fits_axis"), samples=samples, errors=errors_of("log_softmax", log_softmax),
    fast_numpy=fast_log_softmax, bench=BENCH,
    flops=lambda n, axis: 4 * n, bytes=lambda n, axis: 8 * n, terms=lambda n, axis: axis,
))


moved_names(__name__)
