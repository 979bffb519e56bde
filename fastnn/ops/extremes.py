"""The largest and the smallest along axes, and where they are.

Kernels: csrc/pointwise/reduce.c. Definitions: fastnn/reference/reduce.py.

NaN counts as the largest and as the smallest. Where several elements are equal to the extreme,
PyTorch has two rules, which hold here too. amax and amin, and max and min over everything, share
the gradient evenly among them. max and min along an axis give it to the one that their index names,
which is the first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np

from ..autograd import apply
from ..errors import ShapeError
from ..moved import moved_names
from ..op import Op, Refusal, Sample, seeded
from ..tensor import Tensor, tensor, wrapped
from .arithmetic import maximum, minimum
from .checks import need_float, renamed
from .reduce import Dim, axes, draw, one_axis, rank, reduction, reductions

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "max", "min"]


# ---- extremes ------------------------------------------------------------------------------------
def amax(input: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The largest over all elements, or over some axes.

    .. math:: y = \max_i x_i \qquad dx_i = dy\, [x_i = y] / \#\{k : x_k = y\}

    Parameters
    ----------
    input : Tensor of any shape
        Integers give integers and have no gradient.
    dim : int or tuple of int, optional
        The axes to look over; None: all. Negative ones count from the end.
    keepdim : bool
        Keep the reduced axes with size 1.

    Returns
    -------
    Tensor without the reduced axes.

    Raises
    ------
    ShapeError : if there are no elements along `dim`.
    RangeError : if there is no such axis, or one is named twice.

    Cost: reads each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([[1.0, 5.0, 5.0]], requires_grad=True)
    >>> x.amax().backward(); x.grad
    tensor([[0.0, 0.5, 0.5]])
    """
    if numpy:
        return amax(input, **renamed("amax", numpy, dim=dim, keepdim=keepdim))
    return whole(AMAX, np.max, input, dim, keepdim)


def amin(input: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The smallest over all elements, or over some axes.

    .. math:: y = \min_i x_i \qquad dx_i = dy\, [x_i = y] / \#\{k : x_k = y\}

    Parameters, errors and cost: as `amax`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 7.0], [4.0, 2.0]]).amin(1)
    tensor([1., 2.])
    """
    if numpy:
        return amin(input, **renamed("amin", numpy, dim=dim, keepdim=keepdim))
    return whole(AMIN, np.min, input, dim, keepdim)


@overload
def max(input: Tensor, dim: int, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Extreme: ...
@overload
def max(input: Tensor, dim: Tensor | np.ndarray | None = None, keepdim: bool = False) -> Tensor: ...
@overload
def max(input: Tensor, *, axis: int, keepdims: bool = False) -> Extreme: ...
@overload
def max(input: Tensor, *, other: Tensor) -> Tensor: ...
def max(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None,
        **numpy: Unpack[Numpy]) -> Any:
    r"""The largest of all elements, or along one axis with its index.

    .. math:: y = x_m, \; m = \operatorname{argmax}_i x_i \qquad dx_i = dy\, [i = m]

    Along an axis the index m is that of the first of equals, which gets the gradient. Over
    everything it is `amax`.

    Parameters
    ----------
    input : Tensor of any shape
    dim : int or Tensor, optional
        The axis; None: all. With a tensor in its place it is maximum(input, dim).
    keepdim : bool
    other : Tensor, optional
        maximum(input, other).

    Returns
    -------
    Tensor; along an axis the pair (values, indices), indices of int64.

    Errors and cost: as `amax`.

    >>> import fastnn as nn
    >>> x = nn.tensor([[1.0, 7.0, 7.0], [4.0, 2.0, 0.0]])
    >>> x.max()
    tensor(7.)
    >>> values, indices = x.max(1); values, indices
    (tensor([7., 4.]), tensor([1, 0]))
    """
    if numpy:
        return max(input, **renamed("max", numpy, dim=dim, keepdim=keepdim))
    if other is not None:
        return maximum(input, other)
    if isinstance(dim, (Tensor, np.ndarray)):
        return maximum(input, dim)
    return amax(input, None, keepdim) if dim is None else along("max", MAX, np.argmax, input, dim, keepdim)


@overload
def min(input: Tensor, dim: int, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Extreme: ...
@overload
def min(input: Tensor, dim: Tensor | np.ndarray | None = None, keepdim: bool = False) -> Tensor: ...
@overload
def min(input: Tensor, *, axis: int, keepdims: bool = False) -> Extreme: ...
@overload
def min(input: Tensor, *, other: Tensor) -> Tensor: ...
def min(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None,
        **numpy: Unpack[Numpy]) -> Any:
    """The smallest of all elements, or along one axis with its index.

    With a tensor in the place of dim it is minimum(input, dim). Parameters, errors and cost: as
    `max`.

    >>> import fastnn as nn
    >>> values, indices = nn.tensor([[1.0, 7.0], [4.0, 2.0]]).min(1); values, indices
    (tensor([1., 2.]), tensor([0, 1]))
    """
    if numpy:
        return min(input, **renamed("min", numpy, dim=dim, keepdim=keepdim))
    if other is not None:
        return minimum(input, other)
    if isinstance(dim, (Tensor, np.ndarray)):
        return minimum(input, dim)
    return amin(input, None, keepdim) if dim is None else along("min", MIN, np.argmin, input, dim, keepdim)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Range:
    """`amin` and `amax` at once.

    Parameters
    ----------
    input, dim, keepdim : as in `amax`

    Returns
    -------
    A named tuple (min, max).

    Errors: as `amax`. Cost: twice `amax`.

    >>> import fastnn as nn
    >>> nn.aminmax(nn.tensor([2.0, 1.0]))
    Range(min=tensor(1.), max=tensor(2.))
    """
    if numpy:
        return aminmax(input, **renamed("aminmax", numpy, dim=dim, keepdim=keepdim))
    return Range(amin(input, dim, keepdim), amax(input, dim, keepdim))


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    """Where the largest element is, the first of equals.

    Parameters
    ----------
    input : Tensor of any shape
    dim : int, optional
        The axis; None: all, and the index is that in the flattened tensor.
    keepdim : bool

    Returns
    -------
    Tensor of int64, without a gradient.

    Errors and cost: as `amax`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 7.0], [4.0, 2.0]]).argmax(1)
    tensor([1, 0])
    """
    if numpy:
        return argmax(input, **renamed("argmax", numpy, dim=dim, keepdim=keepdim))
    return position("argmax", ARGMAX, np.argmax, input, dim, keepdim)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    """Where the smallest element is, the first of equals. Parameters, errors and cost: as `argmax`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 7.0], [4.0, 2.0]]).argmin()
    tensor(0)
    """
    if numpy:
        return argmin(input, **renamed("argmin", numpy, dim=dim, keepdim=keepdim))
    return position("argmin", ARGMIN, np.argmin, input, dim, keepdim)


# ---- truth ---------------------------------------------------------------------------------------
def any(input: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    """Whether some element is not zero, over all or over some axes.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim, keepdim : as in `amax`

    Returns
    -------
    Tensor of bool, without a gradient.

    Raises
    ------
    RangeError : if there is no such axis, or one is named twice.

    Cost: reads each element once, in NumPy.

    >>> import fastnn as nn
    >>> (nn.tensor([1.0, 2.0]) > 1).any(), (nn.tensor([1.0, 2.0]) > 1).all()
    (tensor(True), tensor(False))
    """
    if numpy:
        return any(input, **renamed("any", numpy, dim=dim, keepdim=keepdim))
    return wrapped(np.asarray(np.any(input._data, axis=axes("any", rank("any", input), dim), keepdims=keepdim)))


def all(input: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    """Whether no element is zero, over all or over some axes.

    Parameters, errors and cost: as `any`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0], [0.0, 3.0]]).all(1)
    tensor([ True, False])
    """
    if numpy:
        return all(input, **renamed("all", numpy, dim=dim, keepdim=keepdim))
    return wrapped(np.asarray(np.all(input._data, axis=axes("all", rank("all", input), dim), keepdims=keepdim)))


# ---- what the functions share --------------------------------------------------------------------
class Extreme(NamedTuple):
    """What max and min along an axis return."""

    values: Tensor
    indices: Tensor


class Range(NamedTuple):
    """What aminmax returns."""

    min: Tensor
    max: Tensor


def whole(op: Op, function: Callable[..., Any], input: Tensor, dim: Dim, keepdim: bool) -> Tensor:
    """op over axes; integers by the NumPy function."""
    over = axes(op.name, rank(op.name, input), dim)
    if input._data.dtype.kind == "f":
        return apply(op, input, dim=over, keepdim=keepdim)
    need_elements(op.name, input._data, over)
    return wrapped(np.asarray(function(input._data, axis=over, keepdims=keepdim)))


def along(who: str, op: Op, function: Callable[..., Any], input: Tensor, dim: int, keepdim: bool) -> Extreme:
    """op along one axis; integers by the NumPy function that finds the index."""
    axis = one_axis(who, rank(who, input), dim)
    x = input._data
    if x.ndim == 0:
        return Extreme(amax(input), wrapped(np.zeros((), np.int64)))
    if x.dtype.kind == "f":
        return Extreme(*apply(op, input, dim=axis, keepdim=keepdim))
    need_elements(who, x, axis)
    index = function(x, axis=axis, keepdims=True)
    values = np.take_along_axis(x, index, axis)
    return Extreme(*[wrapped(a if keepdim else np.squeeze(a, axis)) for a in (values, index)])


def position(who: str, op: Op, function: Callable[..., Any], input: Tensor, dim: int | None, keepdim: bool) -> Tensor:
    """The op of an index; integers by the NumPy function."""
    axis = None if dim is None else one_axis(who, rank(who, input), dim)
    rank(who, input)
    x = input._data
    if x.dtype.kind == "f":
        return apply(op, input, dim=axis, keepdim=keepdim)
    need_elements(who, x, axis)
    return wrapped(np.asarray(function(x, axis=axis, keepdims=keepdim), np.int64))


# ---- checks --------------------------------------------------------------------------------------
def check(who: str) -> Callable[..., None]:
    """A check that there is something along the axes."""
    def run(x: Any, *, dim: Any, keepdim: bool) -> None:
        need_float(who, x=x)
        need_elements(who, x, dim)
    return run


def need_elements(who: str, x: np.ndarray, dim: Any) -> None:
    for d in range(x.ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,):
        if x.ndim and x.shape[d] == 0:
            raise ShapeError("nothing has no extreme", who=who, expected=f"a size above 0 along dimension {d}",
                             got=x.shape)


# ---- samples -------------------------------------------------------------------------------------
def along_one() -> list[Sample]:
    """Samples along one axis."""
    shapes: list[tuple[str, tuple[int, ...], int, bool]] = [
        ("one", (1,), 0, False),
        ("first", (3, 5, 7), 0, False),
        ("middle", (3, 5, 7), 1, False),
        ("last", (3, 5, 7), 2, False),
        ("kept", (3, 5, 7), 1, True),
        ("long", (2, 1031), 1, False),
        ("wide", (3, 1031), 0, False),
        ("empty result", (0, 3), 1, False),
    ]
    return [Sample(name, (seeded(name).standard_normal(shape),), {"dim": dim, "keepdim": keep},
                   {"n": int(np.prod(shape)), "terms": 1})
            for name, shape, dim, keep in shapes]


def one_of(name: str, samples: Callable[[], list[Sample]], dim: int) -> Sample:
    """A benchmark's sample, whose `dim` is a tuple where those of the laws are."""
    several = isinstance(samples()[0].attrs["dim"], tuple)
    s = draw(name, (2048, 512), (dim,))
    return Sample(name, s.inputs, {"dim": (dim,) if several else dim, "keepdim": False}, s.sizes)


# ---- records -------------------------------------------------------------------------------------
def extreme(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[..., Any],
            samples: Callable[[], list[Sample]], **fields: Any) -> Op:
    """The record of an extreme."""
    return reduction(
        name, formula, fast_numpy, call, samples, check=check(name),
        errors=(
            Refusal("nothing", lambda: call(tensor(np.ones((2, 0))), dim=1),
                    ShapeError, (name, "dimension 1", "(2, 0)")),
        ),
        bench={"2048x512 rows": lambda: one_of("2048x512 rows", samples, 1),
               "2048x512 columns": lambda: one_of("2048x512 columns", samples, 0)},
        **fields)


AMAX = extreme(
    "amax", "y = max x",
    lambda x, dim, keepdim: x.max(axis=dim, keepdims=keepdim), amax, reductions)
AMIN = extreme(
    "amin", "y = min x",
    lambda x, dim, keepdim: x.min(axis=dim, keepdims=keepdim), amin, reductions)
MAX = extreme(
    "max", "y, index = max x and where it is first",
    lambda x, dim, keepdim: (x.max(dim), x.argmax(dim)), max, along_one)
MIN = extreme(
    "min", "y, index = min x and where it is first",
    lambda x, dim, keepdim: (x.min(dim), x.argmin(dim)), min, along_one)
ARGMAX = extreme(
    "argmax", "y = where x is largest first",
    lambda x, dim, keepdim: x.argmax(dim), argmax, along_one, differentiable=())
ARGMIN = extreme(
    "argmin", "y = where x is smallest first",
    lambda x, dim, keepdim: x.argmin(dim), argmin, along_one, differentiable=())


moved_names(__name__)
