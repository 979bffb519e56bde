"""New tensors: constants, ranges, random numbers.

PyTorch's names; float32 unless told otherwise; random ones from the stream of nn.seed. A size is
given as zeros(2, 3) or as zeros((2, 3)); anything but whole numbers of at least 0 is a ShapeError.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import arrays, guard
from .errors import DTypeError, RangeError, ShapeError
from .random import generator
from .tensor import Tensor, dtype_of, number_of

__all__ = ["arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "ones", "ones_like", "rand",
           "rand_like", "randint", "randn", "randn_like", "randperm", "zeros", "zeros_like"]


def zeros(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Zeros of the given shape.

    >>> import fastnn as nn
    >>> nn.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return Tensor(arrays.full(_shape("zeros", size), 0, dtype_of("zeros", dtype)), requires_grad)


def ones(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Ones of the given shape.

    >>> import fastnn as nn
    >>> nn.ones(3, dtype="int64")
    tensor([1, 1, 1])
    """
    return Tensor(arrays.full(_shape("ones", size), 1, dtype_of("ones", dtype)), requires_grad)


def empty(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Memory of the given shape with whatever it held: to be filled.

    >>> import fastnn as nn
    >>> nn.empty(2).fill_(5)
    tensor([5., 5.])
    """
    return Tensor(arrays.empty(_shape("empty", size), dtype_of("empty", dtype)), requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value everywhere: float32 for a float, int64 for an int, bool for a bool.

    Raises
    ------
    RangeError
        The dtype cannot hold the value.

    >>> import fastnn as nn
    >>> nn.full((2,), 7)
    tensor([7, 7])
    """
    if dtype is None:
        dtype = _dtype_of_number(fill_value)
    return _filled("full", _shape("full", (size,)), fill_value, dtype, requires_grad)


def zeros_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros of the same shape, and dtype unless another is given.

    >>> import fastnn as nn
    >>> nn.zeros_like(nn.tensor([1, 2]))
    tensor([0, 0])
    """
    return _filled("zeros_like", input.shape, 0, input.dtype if dtype is None else dtype, requires_grad)


def ones_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones of the same shape, and dtype unless another is given."""
    return _filled("ones_like", input.shape, 1, input.dtype if dtype is None else dtype, requires_grad)


def empty_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Memory of the same shape, and dtype unless another is given, to be filled."""
    new = dtype_of("empty_like", input.dtype if dtype is None else dtype)
    return Tensor(arrays.empty(input.shape, new), requires_grad)


def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """One value in the same shape, and dtype unless another is given.

    RangeError if the dtype cannot hold the value; integers drop its fraction, as in PyTorch.
    """
    return _filled("full_like", input.shape, fill_value, input.dtype if dtype is None else dtype, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """n rows and m columns (n, if m is not given), ones on the diagonal.

    >>> import fastnn as nn
    >>> nn.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    shape = _shape("eye", (n, n if m is None else m))
    return Tensor(arrays.copied(np.eye(*shape, dtype=dtype_of("eye", dtype))), requires_grad)


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
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
    if end is None:
        start, end = 0, start
    if step == 0:
        raise RangeError(who="arange", expected="a step other than 0", got=step)
    if (end - start) / step < 0:
        raise RangeError("the step leads away from the end", who="arange", got=(start, end, step))
    if dtype is None:
        dtype = np.int64 if all(isinstance(x, (int, np.integer)) for x in (start, end, step)) else np.float32
    return _converted("arange", np.arange(start, end, step), dtype, requires_grad)


def linspace(start: float, end: float, steps: int, *, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """steps numbers from start to end, both included.

    >>> import fastnn as nn
    >>> nn.linspace(0, 1, 5)
    tensor([0.00, 0.25, 0.50, 0.75, 1.00])
    """
    numbers = np.linspace(start, end, _shape("linspace", (steps,))[0])
    return _converted("linspace", numbers, dtype, requires_grad)


def rand(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Uniform in [0, 1).

    >>> import fastnn as nn
    >>> x = nn.rand(1000)
    >>> bool((x >= 0).all() and (x < 1).all())
    True
    """
    values = arrays.empty(_shape("rand", size), _floating("rand", dtype))
    if not arrays.is_meta(values):
        generator().random(dtype=values.dtype, out=values)
    return Tensor(values, requires_grad)


def randn(*size: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Standard normal: mean 0, variance 1.

    >>> import fastnn as nn
    >>> nn.seed(0)
    >>> nn.randn(10_000).std().round(decimals=1)
    tensor(1.)
    """
    values = arrays.empty(_shape("randn", size), _floating("randn", dtype))
    if not arrays.is_meta(values):
        generator().standard_normal(dtype=values.dtype, out=values)
    return Tensor(values, requires_grad)


def rand_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniform in [0, 1), of the same shape."""
    return rand(input.shape, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad)


def randn_like(input: Tensor, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """Standard normal, of the same shape."""
    return randn(input.shape, dtype=input.dtype if dtype is None else dtype, requires_grad=requires_grad)


def randint(low: int, high: Any = None, size: Any = None, *, dtype: Any = np.int64) -> Tensor:
    """Whole numbers low <= x < high; randint(high, size) begins at 0.

    Raises
    ------
    RangeError
        There is no size, no number between low and high, or the dtype cannot hold them all.

    >>> import fastnn as nn
    >>> nn.randint(3, (2, 5)).shape
    (2, 5)
    """
    if size is None:
        low, high, size = 0, low, high
    if size is None or not low < high:
        raise RangeError(who="randint", expected="low < high and a size: randint(0, 10, (2, 3))", got=(low, high, size))
    new, low, high = dtype_of("randint", dtype), _whole("randint", low), _whole("randint", high)
    for number in (low, high - 1):
        if new.kind == "b" and number not in (0, 1):
            raise RangeError(who="randint", expected="randint(0, 2, size) for booleans", got=(low, high))
        number_of("randint", number, new)
    drawn = np.uint64 if new == np.uint64 else np.int64     # PyTorch's floats are whole numbers too
    return Tensor(generator().integers(low, high, _shape("randint", (size,)), drawn).astype(new, copy=False))


def randperm(n: int) -> Tensor:
    """0 ... n - 1 in random order, int64.

    >>> import fastnn as nn
    >>> nn.randperm(5).sum()
    tensor(10)
    """
    return Tensor(generator().permutation(_shape("randperm", (n,))[0]))


def _shape(who: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """zeros(2, 3) and zeros((2, 3)) alike."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    try:
        shape = tuple(n.__index__() for n in size)
    except AttributeError:
        shape = (-1,)
    if any(n < 0 for n in shape):
        raise ShapeError(who=who, expected="sizes as whole numbers of at least 0", got=size)
    if math.prod(shape) > arrays.MOST:
        raise ShapeError("the tensor would be larger than any memory", who=who, got=shape)
    return shape


def _filled(who: str, shape: tuple[int, ...], value: Any, dtype: Any, requires_grad: bool) -> Tensor:
    """A tensor of one number, which its dtype must be able to hold."""
    new = dtype_of(who, dtype)
    return Tensor(arrays.full(shape, number_of(who, value, new), new), requires_grad)


def _converted(who: str, numbers: np.ndarray, dtype: Any, requires_grad: bool) -> Tensor:
    """The numbers as a tensor; RangeError where an integer type cannot hold them all."""
    new = dtype_of(who, dtype)
    if numbers.size and new.kind in "iu":
        number_of(who, numbers.min(), new)
        number_of(who, numbers.max(), new)
    return Tensor(arrays.copied(numbers, new), requires_grad)


def _floating(who: str, dtype: Any) -> np.dtype:
    """float32 or float64; DTypeError for others, in which random fractions would all be 0."""
    new = dtype_of(who, dtype)
    if new.kind != "f":
        raise DTypeError(who=who, expected="dtype float32 or float64", got=str(new), hint="Whole numbers: nn.randint.")
    return new


def _whole(who: str, number: Any) -> int:
    """The whole number as Python's int."""
    try:
        return int(number.__index__())
    except (AttributeError, TypeError):
        raise DTypeError(who=who, expected="whole numbers", got=repr(number)) from None


def _dtype_of_number(x: Any) -> Any:
    """bool, int64 or float32: what a tensor of this one number has."""
    if isinstance(x, (bool, np.bool_)):
        return np.bool_
    return np.int64 if isinstance(x, (int, np.integer)) else np.float32


guard.guard_all(globals())
