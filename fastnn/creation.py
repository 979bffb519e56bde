"""New tensors: constants, ranges, random numbers.

PyTorch's names; float32 unless told otherwise; random ones from the stream of nn.seed. A size is
given as zeros(2, 3) or as zeros((2, 3)); a size below 0 is a ShapeError, a fraction a DTypeError.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import arrays, guard
from .autograd import stepped
from .device import on_cpu
from .errors import DTypeError, RangeError, ShapeError
from .guard import whole
from .random import Generator, stream_of
from .tensor import Tensor, dtype_of, number_of, shape_of, tensor, wrapped

__all__ = ["arange", "bernoulli", "empty", "empty_like", "eye", "full", "full_like", "linspace", "logspace",
           "multinomial", "normal", "ones", "ones_like", "rand", "rand_like", "randint", "randint_like", "randn",
           "randn_like", "randperm", "tril_indices", "triu_indices", "zeros", "zeros_like"]


def zeros(*sizes: Any, size: Any = None, dtype: Any = np.float32, requires_grad: bool | None = False,
          device: Any = None, pin_memory: bool = False) -> Tensor:
    """Zeros of the given shape.

    >>> import fastnn as nn
    >>> nn.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    on_cpu("zeros", device, pin_memory)
    return wrapped(arrays.full(_named("zeros", sizes, size), 0, dtype_of("zeros", dtype)), requires_grad)


def ones(*sizes: Any, size: Any = None, dtype: Any = np.float32, requires_grad: bool | None = False,
         device: Any = None, pin_memory: bool = False) -> Tensor:
    """Ones of the given shape.

    >>> import fastnn as nn
    >>> nn.ones(3, dtype="int64")
    tensor([1, 1, 1])
    """
    on_cpu("ones", device, pin_memory)
    return wrapped(arrays.full(_named("ones", sizes, size), 1, dtype_of("ones", dtype)), requires_grad)


def empty(*sizes: Any, size: Any = None, dtype: Any = np.float32, requires_grad: bool | None = False,
          device: Any = None, pin_memory: bool = False) -> Tensor:
    """Memory of the given shape with whatever it held: to be filled.

    >>> import fastnn as nn
    >>> nn.empty(2).fill_(5)
    tensor([5., 5.])
    """
    on_cpu("empty", device, pin_memory)
    return wrapped(arrays.empty(_named("empty", sizes, size), dtype_of("empty", dtype)), requires_grad)


def full(size: Any, fill_value: float, *, dtype: Any = None, requires_grad: bool | None = False, device: Any = None,
         pin_memory: bool = False) -> Tensor:
    """One value everywhere: float32 for a float, int64 for an int, bool for a bool.

    Raises
    ------
    RangeError
        The dtype cannot hold the value.

    >>> import fastnn as nn
    >>> nn.full((2,), 7)
    tensor([7, 7])
    """
    on_cpu("full", device, pin_memory)
    if dtype is None:
        dtype = _dtype_of_number(fill_value)
    return _filled("full", shape_of("full", (size,)), fill_value, dtype, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool | None = False, device: Any = None,
               pin_memory: bool = False) -> Tensor:
    """Zeros of the same shape, and dtype unless another is given.

    >>> import fastnn as nn
    >>> nn.zeros_like(nn.tensor([1, 2]))
    tensor([0, 0])
    """
    on_cpu("zeros_like", device, pin_memory)
    return _filled("zeros_like", input.shape, 0, input.dtype if dtype is None else dtype, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool | None = False, device: Any = None,
              pin_memory: bool = False) -> Tensor:
    """Ones of the same shape, and dtype unless another is given."""
    on_cpu("ones_like", device, pin_memory)
    return _filled("ones_like", input.shape, 1, input.dtype if dtype is None else dtype, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, requires_grad: bool | None = False, device: Any = None,
               pin_memory: bool = False) -> Tensor:
    """Memory of the same shape, and dtype unless another is given, to be filled."""
    on_cpu("empty_like", device, pin_memory)
    new = dtype_of("empty_like", input.dtype if dtype is None else dtype)
    return wrapped(arrays.empty(input.shape, new), requires_grad)


def full_like(input: Tensor, fill_value: float, *, dtype: Any = None, requires_grad: bool | None = False,
              device: Any = None, pin_memory: bool = False) -> Tensor:
    """One value in the same shape, and dtype unless another is given.

    RangeError if the dtype cannot hold the value; integers drop its fraction, as in PyTorch.
    """
    on_cpu("full_like", device, pin_memory)
    return _filled("full_like", input.shape, fill_value, input.dtype if dtype is None else dtype, requires_grad)


def new_tensor(data: Any, dtype: Any = None, requires_grad: bool | None = False, *, device: Any = None) -> Tensor:
    """As `nn.tensor`, but always in memory of its own: tensor.new_tensor calls it.

    >>> import numpy as np, fastnn as nn
    >>> a = np.zeros(2)
    >>> nn.ones(1).new_tensor(a).data is a
    False
    """
    given = tensor(data, dtype, device=device)
    return wrapped(given.data.copy(), requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = np.float32, requires_grad: bool | None = False,
        device: Any = None, pin_memory: bool = False) -> Tensor:
    """n rows and m columns (n, if m is not given), ones on the diagonal.

    >>> import fastnn as nn
    >>> nn.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    on_cpu("eye", device, pin_memory)
    shape = shape_of("eye", (n, n if m is None else m))
    return wrapped(arrays.copied(np.eye(*shape, dtype=dtype_of("eye", dtype))), requires_grad)


def arange(start: float | None = None, end: float | None = None, step: float = 1, *, dtype: Any = None,
           requires_grad: bool | None = False, device: Any = None, pin_memory: bool = False) -> Tensor:
    """start, start + step, ... below end; arange(end) starts at 0. int64 if all are whole, else
    float32.

    Raises
    ------
    RangeError
        The step is 0, leads away from the end, or the dtype cannot hold the numbers.

    >>> import fastnn as nn
    >>> nn.arange(2, 8, 2)
    tensor([2, 4, 6])
    """
    on_cpu("arange", device, pin_memory)
    if end is None:
        start, end = None, start
    if end is None:
        raise DTypeError("the argument is missing: end", who="arange", expected="(start=0, end, step=1)")
    given = (0 if start is None else start, end, step)
    first, last, by = (x.item() if isinstance(x, Tensor) else x for x in given)
    if dtype is not None and dtype_of("arange", dtype).kind in "iu":
        first, last, by = int(first), int(last), int(by)            # fractions are cut off first
    if by == 0:
        raise RangeError(who="arange", expected="a step other than 0", got=by)
    if (last - first) / by < 0:
        raise RangeError("the step leads away from the end", who="arange", got=(first, last, by))
    if dtype is None:
        dtype = np.int64 if all(isinstance(x, (int, np.integer)) for x in (first, last, by)) else np.float32
    return _converted("arange", np.arange(first, last, by), dtype, requires_grad)


def linspace(start: float, end: float, steps: int = 100, *, dtype: Any = np.float32,
             requires_grad: bool | None = False, device: Any = None, pin_memory: bool = False) -> Tensor:
    """steps numbers from start to end, both included.

    >>> import fastnn as nn
    >>> nn.linspace(0, 1, 5)
    tensor([0.00, 0.25, 0.50, 0.75, 1.00])
    """
    on_cpu("linspace", device, pin_memory)
    return _converted("linspace", _spaced("linspace", start, end, steps, dtype), dtype, requires_grad)


def logspace(start: float, end: float, steps: int, base: float = 10.0, *, dtype: Any = np.float32,
             requires_grad: bool | None = False, device: Any = None, pin_memory: bool = False) -> Tensor:
    """steps powers of a base, from base^start to base^end, each the same factor from the next.

    Raises
    ------
    RangeError
        The dtype cannot hold them: integers no fraction of a power of a negative base.

    >>> import fastnn as nn
    >>> nn.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    on_cpu("logspace", device, pin_memory)
    with np.errstate(all="ignore"):
        powers = np.power(float(base), _spaced("logspace", start, end, steps, dtype))
    return _converted("logspace", powers, dtype, requires_grad)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: Any = None,
                 pin_memory: bool = False) -> Tensor:
    """The rows, and the columns, of the lower triangle's elements in a matrix, row after row.

    `offset` is the last diagonal of it: 0 the main one, 1 the one above. x[tuple(indices)] takes
    the elements.

    Raises
    ------
    DTypeError
        Another dtype than int32 and int64.

    >>> import fastnn as nn
    >>> nn.tril_indices(2, 3)
    tensor([[0, 1, 1],
            [0, 0, 1]])
    """
    on_cpu("tril_indices", device, pin_memory)
    return _triangle("tril_indices", (row, col), offset, False, dtype)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = np.int64, device: Any = None,
                 pin_memory: bool = False) -> Tensor:
    """`tril_indices` of the upper triangle, whose first diagonal is `offset`.

    >>> import fastnn as nn
    >>> nn.triu_indices(2, 3)
    tensor([[0, 0, 0, 1, 1],
            [0, 1, 2, 1, 2]])
    """
    on_cpu("triu_indices", device, pin_memory)
    return _triangle("triu_indices", (row, col), offset, True, dtype)


def rand(*sizes: Any, size: Any = None, generator: Generator | None = None, dtype: Any = np.float32,
         requires_grad: bool | None = False, device: Any = None, pin_memory: bool = False) -> Tensor:
    """Uniform in [0, 1).

    >>> import fastnn as nn
    >>> x = nn.rand(1000)
    >>> bool((x >= 0).all() and (x < 1).all())
    True
    """
    on_cpu("rand", device, pin_memory)
    values = arrays.empty(_named("rand", sizes, size), _floating("rand", dtype))
    if not arrays.is_meta(values):
        stream_of("rand", generator).random(dtype=values.dtype, out=values)
    return wrapped(values, requires_grad)


def randn(*sizes: Any, size: Any = None, generator: Generator | None = None, dtype: Any = np.float32,
          requires_grad: bool | None = False, device: Any = None, pin_memory: bool = False) -> Tensor:
    """Standard normal: mean 0, variance 1.

    >>> import fastnn as nn
    >>> nn.seed(0)
    >>> nn.randn(10_000).std().round(decimals=1)
    tensor(1.)
    """
    on_cpu("randn", device, pin_memory)
    values = arrays.empty(_named("randn", sizes, size), _floating("randn", dtype))
    if not arrays.is_meta(values):
        stream_of("randn", generator).standard_normal(dtype=values.dtype, out=values)
    return wrapped(values, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool | None = False, device: Any = None,
              generator: Generator | None = None, pin_memory: bool = False) -> Tensor:
    """Uniform in [0, 1), of the same shape."""
    on_cpu("rand_like", device, pin_memory)
    return rand(input.shape, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad,
                generator=generator)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool | None = False, device: Any = None,
               generator: Generator | None = None, pin_memory: bool = False) -> Tensor:
    """Standard normal, of the same shape."""
    on_cpu("randn_like", device, pin_memory)
    return randn(input.shape, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad,
                 generator=generator)


def randint(low: int, high: Any = None, size: Any = None, *, dtype: Any = np.int64, device: Any = None,
            requires_grad: bool | None = False, generator: Generator | None = None,
            pin_memory: bool = False) -> Tensor:
    """Whole numbers low <= x < high; randint(high, size) begins at 0.

    Raises
    ------
    RangeError
        There is no size, no number between low and high, or the dtype cannot hold them all.

    >>> import fastnn as nn
    >>> nn.randint(3, (2, 5)).shape
    (2, 5)
    """
    on_cpu("randint", device, pin_memory)
    if size is None:
        low, high, size = 0, low, high
    if size is None or not low < high:
        raise RangeError(who="randint", expected="low < high and a size: randint(0, 10, (2, 3))", got=(low, high, size))
    new = dtype_of("randint", dtype)
    low, high = (whole("randint", "whole numbers", number) for number in (low, high))
    for number in (low, high - 1):
        if new.kind == "b" and number not in (0, 1):
            raise RangeError(who="randint", expected="randint(0, 2, size) for booleans", got=(low, high))
        number_of("randint", number, new)
    drawn = np.uint64 if new == np.uint64 else np.int64     # PyTorch's floats are whole numbers too
    numbers = stream_of("randint", generator).integers(low, high, shape_of("randint", (size,)), drawn)
    return wrapped(numbers.astype(new, copy=False), requires_grad)


def randint_like(input: Tensor, low: int, high: Any = None, *, dtype: Any = None, device: Any = None,
                 requires_grad: bool | None = False, generator: Generator | None = None,
                 pin_memory: bool = False) -> Tensor:
    """Whole numbers low <= x < high, of the same shape and dtype; randint_like(x, high) begins at
    0. Errors: as `randint`.
    """
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, input.shape, dtype=input.dtype if dtype is None else dtype, device=device,
                   requires_grad=requires_grad, generator=generator, pin_memory=pin_memory)


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, dtype: Any = None, requires_grad: bool | None = False,
           device: Any = None, generator: Generator | None = None, pin_memory: bool = False) -> Tensor:
    """Normal with these means and standard deviations, numbers or tensors that broadcast; with
    numbers alone a size is needed. Tensors get a gradient of 0, as in PyTorch.

    Raises
    ------
    RangeError
        A standard deviation is below 0, or two numbers come without a size.

    >>> import fastnn as nn
    >>> nn.normal(5.0, 0.0, (2,))
    tensor([5., 5.])
    """
    on_cpu("normal", device, pin_memory)
    given = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not given and size is None:
        raise RangeError(who="normal", expected="a size, or a tensor of means: normal(0.0, 1.0, (2, 3))",
                         got=(mean, std))
    spread = np.asarray(getattr(std, "_data", std))
    if not (spread >= 0).all():
        raise RangeError(who="normal", expected="std >= 0", got=float(spread.min()))
    shape = np.broadcast_shapes(*[x.shape for x in given]) if size is None else shape_of("normal", (size,))
    dtype = _floating("normal", dtype if dtype is not None else given[0].dtype if given else np.float32)
    values = stream_of("normal", generator).standard_normal(shape, dtype=dtype.type)
    result = stepped("normal", np.asarray(values * spread + getattr(mean, "_data", mean), dtype), mean, std)
    return result.requires_grad_() if requires_grad else result


def bernoulli(input: Tensor, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that the input says, else 0, in the input's type. The gradient is 0.

    With a number p, that is the probability everywhere.

    Raises
    ------
    RangeError
        A probability is not in [0, 1].

    >>> import fastnn as nn
    >>> nn.bernoulli(nn.tensor([0.0, 1.0]))
    tensor([0., 1.])
    """
    dtype = _floating("bernoulli", input.dtype)
    chances = input._data if p is None else np.full(input.shape, p, dtype)
    if not ((chances >= 0) & (chances <= 1)).all():
        raise RangeError(who="bernoulli", expected="probabilities from 0 to 1",
                         got=f"{chances.min()} to {chances.max()}")
    draws = stream_of("bernoulli", generator).random(chances.shape, dtype=dtype.type)
    return stepped("bernoulli", np.asarray(draws < chances, dtype), input)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *,
                generator: Generator | None = None) -> Tensor:
    """Numbers drawn with the probabilities in each row, which need not sum to 1; int64.

    Without replacement none comes twice.

    Raises
    ------
    ShapeError
        input is neither a vector nor a matrix.
    RangeError
        A weight is negative or not finite, a row has none above 0, or, without replacement, fewer
        than num_samples.

    >>> import fastnn as nn
    >>> nn.multinomial(nn.tensor([0.0, 1.0, 0.0]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    _floating("multinomial", input.dtype)
    rng = stream_of("multinomial", generator)
    n = whole("multinomial", "whole numbers", num_samples)
    if input.ndim not in (1, 2):
        raise ShapeError(who="multinomial", expected="weights of shape (n,) or (m, n)", got=input.shape)
    w = np.atleast_2d(input._data).astype(np.float64)
    if not (np.isfinite(w).all() and (w >= 0).all()):
        raise RangeError(who="multinomial", expected="finite weights >= 0", got=f"{w.min()} to {w.max()}")
    enough = 1 if replacement else n
    if n < 1 or ((w > 0).sum(1) < enough).any():
        raise RangeError(who="multinomial", expected=f"{max(enough, 1)} weights above 0 in each row, and 1 sample",
                         got=f"{n} samples")
    if replacement:
        ends = np.cumsum(w / w.sum(1, keepdims=True), 1)
        draws = rng.random((len(w), n)) * ends[:, -1:]
        found = np.stack([np.searchsorted(e, d, side="right") for e, d in zip(ends, draws)]) if len(w) else draws
    else:               # the n smallest of exponential waiting times: Efraimidis, Spirakis (2006)
        with np.errstate(divide="ignore"):
            found = np.argsort(rng.standard_exponential(w.shape) / w, 1, kind="stable")[:, :n]
    found = found.astype(np.int64, copy=False)
    return wrapped(np.ascontiguousarray(found[0] if input.ndim == 1 else found))


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = np.int64, requires_grad: bool | None = False,
             device: Any = None, pin_memory: bool = False) -> Tensor:
    """0 ... n - 1 in random order, int64.

    >>> import fastnn as nn
    >>> nn.randperm(5).sum()
    tensor(10)
    """
    on_cpu("randperm", device, pin_memory)
    return _converted("randperm", stream_of("randperm", generator).permutation(shape_of("randperm", (n,))[0]), dtype,
                      requires_grad)


def _named(who: str, sizes: tuple[Any, ...], size: Any) -> tuple[int, ...]:
    """The shape of zeros(2, 3), zeros((2, 3)) or zeros(size=(2, 3))."""
    if size is None:
        return shape_of(who, sizes)
    if sizes:
        raise DTypeError("sizes are given twice", who=who, got=f"{sizes} and {size}")
    return shape_of(who, (size,))


def _spaced(who: str, start: Any, end: Any, steps: int, dtype: Any) -> np.ndarray:
    """steps numbers of float64 from start to end."""
    first, last = float(start), float(end)
    if dtype_of(who, dtype).kind in "iu":
        first, last = float(int(first)), float(int(last))           # fractions are cut off first
    i = np.arange(shape_of(who, (steps,))[0], dtype=np.float64)
    step = (last - first) / max(i.size - 1, 1)
    # from the nearer end, so that both are exact
    return np.where(i < i.size // 2, first + step * i, last - step * (i.size - 1 - i)) if i.size != 1 else i + first


def _triangle(who: str, size: Any, offset: Any, upper: bool, dtype: Any) -> Tensor:
    """The rows and the columns of a triangle's elements."""
    rows, columns = shape_of(who, size)
    new, offset = dtype_of(who, dtype), whole(who, "whole numbers", offset)
    if new not in (np.int32, np.int64):
        raise DTypeError(who=who, expected="int32 or int64", got=str(new))
    # where each row's part begins and ends
    edge = np.clip(np.arange(rows) + min(max(offset, -rows - columns), rows + columns) + (not upper), 0, columns)
    starts, counts = (edge, columns - edge) if upper else (np.zeros_like(edge), edge)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return wrapped(np.stack([np.repeat(np.arange(rows), counts), within + np.repeat(starts, counts)]).astype(new))


def _filled(who: str, shape: tuple[int, ...], value: Any, dtype: Any, requires_grad: bool | None) -> Tensor:
    """A tensor of one number, which its dtype must be able to hold."""
    new = dtype_of(who, dtype)
    return wrapped(arrays.full(shape, number_of(who, value, new), new), requires_grad)


def _converted(who: str, numbers: np.ndarray, dtype: Any, requires_grad: bool | None) -> Tensor:
    """The numbers as a tensor; RangeError where an integer type cannot hold them all."""
    new = dtype_of(who, dtype)
    if numbers.size and new.kind in "iu":
        number_of(who, numbers.min(), new)
        number_of(who, numbers.max(), new)
    return wrapped(arrays.copied(numbers, new), requires_grad)


def _floating(who: str, dtype: Any) -> np.dtype:
    """float32 or float64; DTypeError for others, in which random fractions would all be 0."""
    new = dtype_of(who, dtype)
    if new.kind != "f":
        raise DTypeError(who=who, expected="dtype float32 or float64", got=str(new), hint="Whole numbers: nn.randint.")
    return new


def _dtype_of_number(x: Any) -> Any:
    """bool, int64 or float32: what a tensor of this one number has."""
    if isinstance(x, (bool, np.bool_)):
        return np.bool_
    return np.int64 if isinstance(x, (int, np.integer)) else np.float32


guard.guard_all(globals())
