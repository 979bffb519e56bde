"""Sums and the like along axes. Extremes are in extremes.py.

Kernels: csrc/pointwise/reduce.c. Definitions: fastnn/reference/reduce.py.

`dim` is an int, a tuple of int, or None for all axes; negative ones count from the end. `keepdim`
keeps the reduced axes with size 1. float32 is added in double and rounded once, float64 by halves.
The bits do not depend on the number of threads.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import apply, stepped
from ..errors import DTypeError, RangeError
from ..guard import as_tensor_hint, whole
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import reduce as reference
from ..tensor import Tensor, tensor, wrapped
from .checks import need_float, renamed
from .clone import to
from .elementary import abs, float_check

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["cumprod", "cumsum", "logsumexp", "mean", "norm", "prod", "std", "std_mean", "sum", "var", "var_mean"]

Dim = int | tuple[int, ...] | None
_ALL = [tuple(range(ndim)) for ndim in range(65)]   # all axes of an array of so many dimensions


# ---- sums ----------------------------------------------------------------------------------------
def sum(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The sum over all elements, or over some axes.

    .. math:: y = \sum_i x_i \qquad dx_i = dy

    Parameters
    ----------
    input : Tensor of any shape
        Integers and booleans give int64 and have no gradient.
    dim : int or tuple of int, optional
        The axes to add over; None: all. Negative ones count from the end.
    keepdim : bool
        Keep the reduced axes with size 1.
    dtype : optional
        Convert to it first.

    Returns
    -------
    Tensor without the reduced axes.

    Raises
    ------
    RangeError : if there is no such axis, or one is named twice.
    DTypeError : if input is no tensor.

    Cost: reads each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x.sum(), x.sum(0), x.sum(-1, keepdim=True).shape
    (tensor(10.), tensor([4., 6.]), (2, 1))
    """
    if numpy:
        return sum(input, dtype=dtype, **renamed("sum", numpy, dim=dim, keepdim=keepdim))
    if dtype is not None:
        input = to(input, dtype)
    ndim = rank("sum", input)
    if input._data.dtype.kind != "f":
        into = np.int64 if dtype is None else input._data.dtype
        return wrapped(np.asarray(input._data.sum(axis=axes("sum", ndim, dim), keepdims=keepdim, dtype=into)))
    return apply(SUM, input, dim=axes("sum", ndim, dim), keepdim=keepdim)


def mean(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The mean over all n elements, or over some axes.

    .. math:: y = \frac1n \sum_i x_i \qquad dx_i = dy / n

    NaN where there are no elements. Parameters, errors and cost: as `sum`; integers are refused.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0], [3.0, 4.0]]).mean(0)
    tensor([2., 3.])
    """
    if numpy:
        return mean(input, dtype=dtype, **renamed("mean", numpy, dim=dim, keepdim=keepdim))
    if dtype is not None:
        input = to(input, dtype)
    return apply(MEAN, input, dim=axes("mean", rank("mean", input), dim), keepdim=keepdim)


def prod(input: Tensor, dim: Dim = None, keepdim: bool = False, *, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The product over all elements, or along one axis.

    .. math:: y = \prod_i x_i \qquad dx_i = dy \prod_{k \ne i} x_k

    The gradient holds for zeros, too, and where the product leaves the range. Zero times infinity
    is NaN, as in PyTorch. Parameters, errors and cost: as `sum`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0], [3.0, 4.0]]).prod(1)
    tensor([ 2., 12.])
    """
    if numpy:
        return prod(input, dtype=dtype, **renamed("prod", numpy, dim=dim, keepdim=keepdim))
    if dtype is not None:
        input = to(input, dtype)
    along = axes("prod", rank("prod", input), dim)
    if input._data.dtype.kind != "f":
        into = np.int64 if dtype is None else input._data.dtype
        return wrapped(np.asarray(input._data.prod(axis=along, keepdims=keepdim, dtype=into)))
    return apply(PROD, input, dim=along, keepdim=keepdim)


def cumsum(input: Tensor, dim: int | None = None, *, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The running sum along one axis.

    .. math:: y_a = \sum_{b \le a} x_b \qquad dx_b = \sum_{a \ge b} dy_a

    Parameters
    ----------
    input : Tensor of any shape
        Integers and booleans give int64 and have no gradient.
    dim : int
    dtype : optional
        Convert to it first.

    Errors: as `sum`. Cost: reads and writes each element once.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]).cumsum(0)
    tensor([1., 3., 6.])
    """
    if numpy:
        return cumsum(input, dtype=dtype, **renamed("cumsum", numpy, dim=dim))
    if dtype is not None:
        input = to(input, dtype)
    along = one_axis("cumsum", rank("cumsum", input), dim)
    if input._data.dtype.kind != "f":
        into = np.int64 if dtype is None else input._data.dtype
        return wrapped(np.cumsum(input._data, axis=along if input.ndim else None, dtype=into).reshape(input.shape))
    if input.ndim == 0:
        return sum(input)
    return apply(CUMSUM, input, dim=along)


def cumprod(input: Tensor, dim: int | None = None, *, dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The running product along one axis.

    .. math:: y_a = \prod_{b \le a} x_b \qquad
        dx_b = \prod_{c < b} x_c \sum_{a \ge b} dy_a \prod_{b < c \le a} x_c

    The gradient holds for zeros, too. Zero times infinity is NaN, as in PyTorch. float32 is
    multiplied in double, so a product that leaves its range may come back, as in `prod`.

    Parameters
    ----------
    input : Tensor of any shape
        Integers and booleans give int64 and have no gradient.
    dim : int
    dtype : optional
        Convert to it first.

    Errors: as `sum`. Cost: reads and writes each element once, in NumPy; backward takes the slices
    along the axis one after another.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0]).cumprod(0)
    tensor([1., 2., 6.])
    """
    if numpy:
        return cumprod(input, dtype=dtype, **renamed("cumprod", numpy, dim=dim))
    if dtype is not None:
        input = to(input, dtype)
    along = one_axis("cumprod", rank("cumprod", input), dim)
    if input._data.dtype.kind != "f":
        into = np.int64 if dtype is None else input._data.dtype
        return wrapped(np.cumprod(input._data, axis=along if input.ndim else None, dtype=into).reshape(input.shape))
    if input.ndim == 0:
        return prod(input)
    return apply(CUMPROD, input, dim=along)


# ---- spread and size -----------------------------------------------------------------------------
def var(input: Tensor, dim: Dim | bool = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The variance over all n elements, or over some axes.

    .. math:: y = \frac{1}{n - c} \sum_i (x_i - \bar x)^2 \qquad
        dx_i = \frac{2\, dy}{n - c} (x_i - \bar x)

    NaN where n <= c, and at an infinite element, as in PyTorch. The mean is taken first and
    subtracted, with what its rounding left, so a large mean costs no digits: y is within 16 units
    in the last place in float32, whatever the mean is, and `std` is finite wherever the dtype can
    hold it.

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    dim, keepdim : as in `sum`
    unbiased : bool
        PyTorch's older way to say the correction: True is 1, False is 0. var(x, False) means it,
        and no axis.
    correction : float, optional
        c; 1 corrects for the mean being taken from the same elements.

    Raises
    ------
    RangeError : if there is no such axis, or one is named twice.
    DTypeError : if input is not floating point.

    Cost: reads each element twice.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0, 3.0, 4.0]).var(), nn.tensor([1.0, 2.0, 3.0, 4.0]).var(correction=0)
    (tensor(1.6667), tensor(1.25))
    """
    if numpy:
        return var(input, unbiased=unbiased, correction=correction, **renamed("var", numpy, dim=dim, keepdim=keepdim))
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return apply(VAR, input, dim=axes("var", rank("var", input), dim), keepdim=keepdim,
                 correction=given(correction, unbiased))


def std(input: Tensor, dim: Dim | bool = None, unbiased: bool = True, keepdim: bool = False, *,
        correction: float | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The standard deviation: the root of the variance, in the units of the input.

    .. math:: y = \sqrt{\operatorname{var}(x)} \qquad dx_i = \frac{dy}{y\, (n - c)} (x_i - \bar x)

    The slope where y is 0 is taken as 0. NaN, parameters, errors and cost: as `var`.

    >>> import fastnn as nn
    >>> nn.tensor([2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).std(correction=0)
    tensor(2.)
    """
    if numpy:
        return std(input, unbiased=unbiased, correction=correction, **renamed("std", numpy, dim=dim, keepdim=keepdim))
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return apply(STD, input, dim=axes("std", rank("std", input), dim), keepdim=keepdim,
                 correction=given(correction, unbiased))


def var_mean(input: Tensor, dim: Dim | bool = None, unbiased: bool = True, keepdim: bool = False, *,
             correction: float | None = None, **numpy: Unpack[Numpy]) -> tuple[Tensor, Tensor]:
    """The pair (var, mean). NaN, parameters, errors and cost: as `var`, and one reading more.

    >>> import fastnn as nn
    >>> nn.functional.var_mean(nn.tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    if numpy:
        return var_mean(input, unbiased=unbiased, correction=correction,
                        **renamed("var_mean", numpy, dim=dim, keepdim=keepdim))
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return var(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def std_mean(input: Tensor, dim: Dim | bool = None, unbiased: bool = True, keepdim: bool = False, *,
             correction: float | None = None, **numpy: Unpack[Numpy]) -> tuple[Tensor, Tensor]:
    """The pair (std, mean). NaN, parameters, errors and cost: as `var`, and one reading more.

    >>> import fastnn as nn
    >>> nn.functional.std_mean(nn.tensor([1.0, 3.0]), correction=0)
    (tensor(1.), tensor(2.))
    """
    if numpy:
        return std_mean(input, unbiased=unbiased, correction=correction,
                        **renamed("std_mean", numpy, dim=dim, keepdim=keepdim))
    dim, unbiased = (None, dim) if isinstance(dim, bool) else (dim, unbiased)
    return std(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)


def norm(input: Tensor, p: float | str | None = "fro", dim: Dim = None, keepdim: bool = False, *,
         dtype: Any = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The p-norm over all elements, or over some axes.

    .. math:: y = \Big(\sum_i |x_i|^p\Big)^{1/p} \qquad
        dx_i = dy\, \operatorname{sign}(x_i)\, (|x_i| / y)^{p-1}

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    p : float or "fro"
        1 and 2 have kernels. inf gives the largest |x|, -inf the smallest; "fro" is 2. 0 counts the
        elements that are not 0, with a gradient of 0.
    dim, keepdim, dtype : as in `sum`

    Raises
    ------
    RangeError : for another word; if there is no such axis, or one is named twice.
    DTypeError : if input is not floating point.

    Cost: reads each element once; for other p than 1 and 2 some ten passes of NumPy. The slope is
    taken as 0 where the norm is 0, and at x = 0 for p < 1.

    >>> import fastnn as nn
    >>> x = nn.tensor([3.0, -4.0])
    >>> x.norm(), x.norm(1), x.norm(float("inf"))
    (tensor(5.), tensor(7.), tensor(4.))
    """
    if numpy:
        return norm(input, p, dtype=dtype, **renamed("norm", numpy, dim=dim, keepdim=keepdim))
    if dtype is not None:
        input = to(input, dtype)
    if isinstance(p, str) and p != "fro":
        raise RangeError(who="norm", expected='p as a number or "fro"', got=repr(p))
    p = 2.0 if p == "fro" or p is None else float(p)
    if np.isinf(p):
        return abs(input).amax(dim, keepdim) if p > 0 else abs(input).amin(dim, keepdim)
    if p == 0:
        return sum(stepped("norm", np.asarray(input._data != 0, input.dtype), input), dim, keepdim)
    return apply(NORM, input, p=p, dim=axes("norm", rank("norm", input), dim), keepdim=keepdim)


def logsumexp(input: Tensor, dim: Dim = None, keepdim: bool = False, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The logarithm of the sum of exponentials over some axes, without overflow.

    .. math:: y = \ln \sum_i e^{x_i} \qquad dx_i = dy\, e^{x_i - y}

    The slope is softmax's result; an infinity alone has slope 1, of several the slopes are NaN, and
    where all elements are -inf they are 0. Of nothing it is -inf.

    Parameters, errors and cost: as `var`, with one exp an element.

    >>> import fastnn as nn
    >>> nn.functional.logsumexp(nn.tensor([500.0, 500.0]), 0)
    tensor(500.6931)
    """
    if numpy:
        return logsumexp(input, **renamed("logsumexp", numpy, dim=dim, keepdim=keepdim))
    return apply(LOGSUMEXP, input, dim=axes("logsumexp", rank("logsumexp", input), dim), keepdim=keepdim)


# ---- what the functions share --------------------------------------------------------------------
def axes(who: str, ndim: int, dim: Any) -> tuple[int, ...]:
    """The axes as a sorted tuple of numbers counted from the front; None and () mean all."""
    if dim is None:
        return _ALL[ndim]
    if dim.__class__ is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    found = sorted([one_axis(who, ndim, d) for d in (dim if isinstance(dim, (tuple, list)) else (dim,))])
    if not found:
        return _ALL[ndim]
    if len(set(found)) != len(found):
        raise RangeError("an axis is named twice", who=who, got=tuple(dim))
    return tuple(found) if ndim else ()


def one_axis(who: str, ndim: int, dim: Any) -> int:
    """One axis counted from the front; a tensor without dimensions lets 0 and -1 pass."""
    d = whole(who, "dim as an int, a tuple of int, or None", dim)
    bound = ndim or 1
    if not -bound <= d < bound:
        raise RangeError(f"dimension {d} does not exist", who=who, expected=f"{-bound} <= dim < {bound}")
    return d % bound


def rank(who: str, input: Any) -> int:
    """The number of dimensions of a tensor or an array."""
    if isinstance(input, Tensor):
        return input._data.ndim
    if isinstance(input, np.ndarray):
        return input.ndim
    raise DTypeError(who=who, expected="a tensor", got=type(input).__name__, hint=as_tensor_hint(input))


def given(correction: Any, unbiased: bool) -> float:
    """The correction, or PyTorch's older way of saying 1 or 0."""
    if correction is None:
        return int(unbiased)
    if isinstance(correction, (int, np.integer)):
        return int(correction)
    if isinstance(correction, (float, np.floating)):
        return float(correction)
    raise DTypeError(who="var, std", expected="correction, a number", got=type(correction).__name__)


# ---- checks --------------------------------------------------------------------------------------
def check_cumsum(x: Any, *, dim: int) -> None:
    need_float("cumsum", x=x)


def check_cumprod(x: Any, *, dim: int) -> None:
    need_float("cumprod", x=x)


# ---- samples -------------------------------------------------------------------------------------
def draw(name: str, shape: tuple[int, ...], dim: Any, keepdim: bool = False, spread: float = 1.0,
         **attrs: Any) -> Sample:
    """Values to reduce over `dim`, none near 0, where |x| has a kink."""
    x = seeded(name).standard_normal(shape) * spread
    x = np.asarray(x + np.where(x >= 0, 0.05, -0.05))
    terms = int(np.prod([shape[d] for d in dim], dtype=np.int64))       # so many become one
    return Sample(name, (x,), {"dim": dim, "keepdim": keepdim, **attrs}, {"n": x.size, "terms": terms})


def reductions(one: bool = True, **attrs: Any) -> list[Sample]:
    """First, last, middle, neighbouring and separate axes; lengths around the blocks of
    csrc/pointwise/reduce.c. one: also reduce single elements.
    """
    single = [draw("one", (1,), (0,), **attrs), draw("zero-dimensional", (), (), **attrs)] if one else []
    return [
        *single,
        draw("all", (3, 5, 7), (0, 1, 2), **attrs),
        draw("first", (3, 5, 7), (0,), **attrs),
        draw("middle", (3, 5, 7), (1,), **attrs),
        draw("last", (3, 5, 7), (2,), **attrs),
        draw("last two", (3, 5, 7), (1, 2), **attrs),
        draw("first and last", (3, 5, 7), (0, 2), **attrs),
        draw("channels", (2, 3, 5, 7), (0, 2, 3), True, **attrs),
        draw("kept", (3, 5, 7), (1,), True, **attrs),
        draw("empty result", (0, 3), (1,), **attrs),
        draw("long", (1031,), (0,), **attrs),
        draw("tall", (523, 3), (0,), **attrs),
        draw("wide", (2, 3, 1031), (1,), **attrs),
        draw("pieces", (2, 40009), (1,), **attrs),
        draw("pieces of columns", (20011, 2), (0,), **attrs),
    ]


def corrected() -> list[Sample]:
    """Variances with and without the correction."""
    return [*reductions(one=False, correction=1), draw("uncorrected", (3, 5), (1,), correction=0)]


def factors(name: str, *shape: int, dim: tuple[int, ...], zeros: tuple[int, ...] = ()) -> Sample:
    """Values near 1 and -1, so that long products stay in range, with zeros at some indices."""
    rng = seeded(name)
    x = rng.uniform(0.9, 1.1, shape) * rng.choice([-1.0, 1.0], shape)
    x.reshape(-1)[list(zeros)] = 0
    return Sample(name, (x,), {"dim": dim, "keepdim": False},
                  {"n": x.size, "terms": int(np.prod([shape[d] for d in dim]))})


def products() -> list[Sample]:
    return [
        factors("one", 1, dim=(0,)),
        factors("all", 3, 5, 7, dim=(0, 1, 2)),
        factors("middle", 3, 5, 7, dim=(1,)),
        factors("last", 3, 5, 7, dim=(2,)),
        factors("one zero", 3, 5, dim=(1,), zeros=(2,)),
        factors("two zeros", 3, 5, dim=(1,), zeros=(1, 3, 7)),
        factors("empty", 0, 3, dim=(1,)),
    ]


def running(name: str, *shape: int, dim: int) -> Sample:
    return Sample(name, (seeded(name).standard_normal(shape),), {"dim": dim},
                  {"n": int(np.prod(shape)), "terms": shape[dim]})


def powers() -> list[Sample]:
    """Norms of every power: 2 and 1, which have kernels, and some that have none."""
    return [*reductions(p=2.0), *[dataclasses.replace(s, name=f"{s.name} p=1") for s in reductions(p=1.0)],
            draw("p=3", (3, 5, 7), (0, 2), p=3.0), draw("p=1.5", (3, 5), (1,), True, p=1.5),
            draw("p=-2", (3, 5), (0,), p=-2.0)]


# ---- records -------------------------------------------------------------------------------------
def by_power(compiled: Callable[..., Any] | None, definition: Callable[..., Any]) -> Callable[..., Any] | None:
    """The kernel for the powers 1 and 2, the definition for others; None where there are no
    kernels.
    """
    def run(*args: Any, p: float, **attrs: Any) -> Any:
        chosen: Any = compiled if p in (1.0, 2.0) else definition
        return chosen(*args, p=p, **attrs)
    return None if compiled is None else run


def reduction(name: str, formula: str, fast_numpy: Callable[..., Any], call: Callable[..., Any],
              samples: Callable[[], list[Sample]] = reductions, attrs: Mapping[str, Any] | None = None, flops: int = 1,
              **fields: Any) -> Op:
    """The record of a reduction over `dim`; `attrs` are more attributes of the benchmark."""
    more = attrs or {}
    ref_backward = getattr(reference, f"{name}_backward", None)         # argmax has none
    return register(Op(
        name=name, family="reduction", inputs=("x",), formula=formula,
        forward=fields.pop("forward", kernel(f"{name}_forward")),
        backward=fields.pop("backward", kernel(f"{name}_backward") if ref_backward else None),
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=ref_backward,
        fits=None if "check" in fields else kernel("fits_float"), check=fields.pop("check", float_check(name)),
        samples=samples, fast_numpy=fast_numpy,
        errors=(
            Refusal("text", lambda: call("1"), DTypeError, (name, "str")),
            Refusal("no such axis", lambda: call(tensor(np.ones((2, 3))), dim=2),
                    RangeError, (name, "2", "-2 <= dim < 2")),
            *fields.pop("errors", ()),
        ),
        bench=fields.pop("bench", {"2048x512 rows": lambda: draw("2048x512 rows", (2048, 512), (1,), **more),
                                   "2048x512 columns": lambda: draw("2048x512 columns", (2048, 512), (0,), **more)}),
        flops=lambda n, terms: flops * n, bytes=lambda n, terms: 4 * n, terms=lambda n, terms: terms, **fields))


SUM = reduction(
    "sum", "y = sum x",
    lambda x, dim, keepdim: x.sum(axis=dim, keepdims=keepdim), sum, linear_in=("x",))
MEAN = reduction(
    "mean", "y = sum x / n",
    lambda x, dim, keepdim: x.mean(axis=dim, keepdims=keepdim), mean)
VAR = reduction(
    "var", "y = sum (x - mean)^2 / (n - correction)",
    lambda x, dim, keepdim, correction: x.var(axis=dim, keepdims=keepdim, ddof=correction),
    var, corrected, {"correction": 1}, flops=4, keeps_nan=("x",))
STD = reduction(
    "std", "y = sqrt(var)",
    lambda x, dim, keepdim, correction: x.std(axis=dim, keepdims=keepdim, ddof=correction),
    std, corrected, {"correction": 1}, flops=4, keeps_nan=("x",))
NORM = reduction(
    "norm", "y = (sum |x|^p)^(1/p)",
    lambda x, p, dim, keepdim: np.linalg.norm(x, p, axis=dim[0], keepdims=keepdim), norm, powers,
    {"p": 2.0}, flops=2, forward=by_power(kernel("norm_forward"), reference.norm_forward),
    backward=by_power(kernel("norm_backward"), reference.norm_backward))
LOGSUMEXP = reduction(
    "logsumexp", "y = ln sum e^x",
    lambda x, dim, keepdim: np.log(np.exp(x - x.max(dim, keepdims=True)).sum(dim)) + x.max(dim),
    lambda *a, **k: logsumexp(*a, **{"dim": 0, **k}),
    lambda: reductions(spread=4.0), flops=14)       # a few slopes are large
PROD = reduction(
    "prod", "y = prod x",
    lambda x, dim, keepdim: x.prod(axis=dim, keepdims=keepdim), prod, products, keeps_nan=("x",))

CUMSUM: Op = register(Op(
    name="cumsum", family="reduction", inputs=("x",), formula="y_a = sum of x_b over b <= a",
    forward=kernel("cumsum_forward"), backward=kernel("cumsum_backward"),
    ref_forward=reference.cumsum_forward, ref_backward=reference.cumsum_backward, check=check_cumsum,
    samples=lambda: [
        running("one", 1, dim=0),
        running("first", 3, 5, 7, dim=0),
        running("middle", 3, 5, 7, dim=1),
        running("last", 3, 5, 7, dim=2),
        running("empty", 0, 3, dim=1),
    ],
    errors=(
        Refusal("text", lambda: apply(CUMSUM, "1", dim=0), DTypeError, ("cumsum", "str")),
        Refusal("no such axis", lambda: cumsum(tensor(np.ones((2, 3))), 2),
                RangeError, ("cumsum", "2", "-2 <= dim < 2")),
    ),
    fast_numpy=lambda x, dim: np.cumsum(x, dim), bench={"2048x512": lambda: running("2048x512", 2048, 512, dim=1)},
    flops=lambda n, terms: n, bytes=lambda n, terms: 8 * n, terms=lambda n, terms: terms, linear_in=("x",)))

CUMPROD: Op = register(Op(
    name="cumprod", family="reduction", inputs=("x",), formula="y_a = product of x_b over b <= a",
    ref_forward=reference.cumprod_forward, ref_backward=reference.cumprod_backward, check=check_cumprod,
    samples=lambda: [Sample(s.name, s.inputs, {"dim": s.attrs["dim"][0]}, s.sizes) for s in (
        factors("one", 1, dim=(0,)), factors("middle", 3, 5, 7, dim=(1,)), factors("last", 3, 7, dim=(1,)),
        factors("first", 7, 3, dim=(0,)), factors("one zero", 3, 5, dim=(1,), zeros=(2,)),
        factors("two zeros", 3, 5, dim=(1,), zeros=(1, 3, 7)), factors("empty", 0, 3, dim=(1,)))],
    errors=(
        Refusal("text", lambda: apply(CUMPROD, "1", dim=0), DTypeError, ("cumprod", "str")),
        Refusal("no such axis", lambda: cumprod(tensor(np.ones((2, 3))), 2),
                RangeError, ("cumprod", "2", "-2 <= dim < 2")),
    ),
    fast_numpy=lambda x, dim: np.cumprod(x, dim),
    flops=lambda n, terms: n, bytes=lambda n, terms: 8 * n, terms=lambda n, terms: terms, keeps_nan=("x",)))
