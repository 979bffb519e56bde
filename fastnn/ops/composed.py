"""Functions of each element, of one or several inputs, that are composed of others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..autograd import stepped
from ..errors import DTypeError, RangeError
from ..tensor import Tensor, tensor
from .activation import elu, tanh
from .arithmetic import add, cast, div, maximum, minimum, mul, operand, sub
from .checks import common_dtype, need_float
from .clone import clone, to
from .compare import eq, gt, isinf
from .elementary import abs, clamp, exp, expm1, log1p, pow
from .indexing import masked_fill, where
from .repeat import broadcast_tensors
from .transcendental import exp2

if TYPE_CHECKING:

    pass

__all__ = ["addcdiv", "addcmul", "celu", "float_power", "ldexp", "lerp", "logaddexp", "logaddexp2",
           "nextafter", "positive", "rsub", "tanhshrink"]


def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    r"""input plus a multiple of a product.

    .. math:: y = input + value \cdot tensor1 \cdot tensor2

    Parameters
    ----------
    input, tensor1, tensor2 : Tensor, which broadcast
    value : number

    Errors: as `add`. Cost: two or three passes over the elements. As in PyTorch, value is
    multiplied with tensor1 first: a product of the two tensors that overflows alone may come back.

    >>> import fastnn as nn
    >>> nn.addcmul(nn.tensor([1.0]), nn.tensor([2.0]), nn.tensor([3.0]), value=0.5)
    tensor([4.])
    """
    return multiple_added("addcmul", input, mul, tensor1, tensor2, value)


def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: float = 1) -> Tensor:
    r"""input plus a multiple of a quotient.

    .. math:: y = input + value \cdot tensor1 / tensor2

    Parameters, errors and cost: as `addcmul`; integers are refused, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.addcdiv(nn.tensor([1.0]), nn.tensor([6.0]), nn.tensor([3.0]), value=0.5)
    tensor([2.])
    """
    if all(t.dtype.kind != "f" for t in (tensor1, tensor2)):
        raise DTypeError(who="addcdiv", expected="a floating-point quotient", got=f"{tensor1.dtype} / {tensor2.dtype}")
    return multiple_added("addcdiv", input, div, tensor1, tensor2, value)


def lerp(input: Tensor, end: Tensor, weight: Any) -> Tensor:
    r"""A part of the way from input to end.

    .. math:: y = input + weight\, (end - input)

    Parameters
    ----------
    input, end : Tensor of one floating-point dtype, which broadcast
    weight : number or Tensor

    Raises
    ------
    DTypeError : if input is not floating point, or the dtypes differ.
    ShapeError : if the shapes do not broadcast.

    Cost: three passes over the elements. A weight of 1/2 or more is counted from the end, so that
    weight 1 gives the end exactly; an infinite gradient from above then gives NaN.

    >>> import fastnn as nn
    >>> nn.lerp(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 6.0]), 0.5)
    tensor([2., 4.])
    """
    if input.dtype.kind != "f" or end.dtype != input.dtype:
        raise DTypeError(who="lerp", expected="input and end of one floating-point dtype",
                         got=f"{input.dtype} and {end.dtype}")
    way = sub(end, input)
    if not isinstance(weight, Tensor):
        return sub(end, mul(way, 1 - weight)) if math.fabs(weight) >= 0.5 else add(input, mul(way, weight))
    if weight.dtype != input.dtype:
        raise DTypeError(who="lerp", expected=f"a weight of {input.dtype}", got=str(weight.dtype))
    # chosen before the product: behind it 0 times an infinite way is a slope of NaN
    near = abs(weight) < 0.5
    return add(where(near, input, end), mul(way, where(near, weight, sub(weight, 1))))


def rsub(input: Tensor, other: Any, *, alpha: float = 1) -> Tensor:
    """other - alpha input. Parameters, errors and cost: as `sub`.

    >>> import fastnn as nn
    >>> nn.rsub(nn.tensor([1.0, 2.0]), 10)
    tensor([9., 8.])
    """
    return sub(other, input, alpha=alpha)


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    r"""The logarithm of a sum of two exponentials, without overflow.

    .. math:: y = \ln(e^a + e^b) = \max(a, b) + \ln(1 + e^{-|a - b|})

    Two equal infinities give themselves, and share the slope in halves, which is NaN in PyTorch.

    Parameters
    ----------
    input, other : Tensor of floating point, which broadcast

    Raises
    ------
    DTypeError : if one is not floating point.
    ShapeError : if the shapes do not broadcast.

    Cost: an exp and a log an element, in six passes.

    >>> import fastnn as nn
    >>> nn.logaddexp(nn.tensor([1000.0]), nn.tensor([1000.0]))
    tensor([1000.6932])
    """
    top, apart = largest_and_rest("logaddexp", input, other)
    return add(top, log1p(exp(apart)))


def logaddexp2(input: Tensor, other: Tensor) -> Tensor:
    r"""The logarithm to base 2 of a sum of two powers of 2, without overflow.

    .. math:: y = \log_2(2^a + 2^b)

    Two equal infinities give themselves, and share the slope in halves, which is NaN in PyTorch.

    Parameters, errors and cost: as `logaddexp`.

    >>> import fastnn as nn
    >>> nn.logaddexp2(nn.tensor([1000.0]), nn.tensor([1000.0]))
    tensor([1001.])
    """
    top, apart = largest_and_rest("logaddexp2", input, other)
    return add(top, mul(log1p(exp2(apart)), 1 / math.log(2)))


def ldexp(input: Tensor, other: Any) -> Tensor:
    r"""The number with this fraction and this exponent to base 2.

    .. math:: y = a \cdot 2^b

    Parameters
    ----------
    input, other : Tensor, array or number
        Their shapes broadcast together. Integers give float32.

    Errors: as `pow` and `mul`. Cost: as three of each. A power of 2 that the type cannot hold does
    not count: of a zero comes 0, and of an infinity infinity, where 0 times 2^2000 is NaN in
    PyTorch. So are the slopes, 2^b and y ln 2.

    >>> import fastnn as nn
    >>> nn.ldexp(nn.tensor([1.0, 3.0]), nn.tensor([2, -1]))
    tensor([4.0, 1.5])
    """
    a, b = operand("ldexp", input), operand("ldexp", other)
    dtype = common_dtype("ldexp", *[x._data if isinstance(x, Tensor) else x for x in (a, b)])
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float32)
    a, b = (to(x, dtype) if isinstance(x, Tensor) else tensor(x, dtype) for x in (a, b))
    # In steps that the type holds. The last is the largest: what rounds below the normal numbers
    # before a large step down is 0 behind it, so that one step rounds at most.
    most = 100 if dtype == np.float32 else 1000
    steps, rest = [], b.detach()
    for _ in range(3):
        steps.append(clamp(rest, -most, most))
        rest = sub(rest, steps[-1])
    y = a
    for step in reversed(steps):
        y = mul(y, pow(2.0, step))
    if not b.requires_grad:
        return y
    # times 2^0, whose slope is y ln 2
    return mul(y, pow(2.0, masked_fill(sub(b, b.detach()), isinf(b), 0.0)))


def float_power(input: Any, exponent: Any) -> Tensor:
    """pow in float64.

    Parameters
    ----------
    input, exponent : as in `pow`

    Errors and cost: as `pow`.

    >>> import fastnn as nn
    >>> nn.float_power(nn.tensor([2]), -1)
    tensor([0.5], dtype=float64)
    """
    a, b = (to(x, np.float64) if isinstance(x, Tensor) else x for x in (input, exponent))
    if not isinstance(a, Tensor) and not isinstance(b, Tensor):
        a = tensor(a, np.float64)
    return pow(a, b)


def nextafter(input: Tensor, other: Tensor) -> Tensor:
    r"""The next number of the type towards another one.

    .. math:: da = dy\, [a \ne b], \quad db = 0

    Parameters
    ----------
    input, other : Tensor, floating point, which broadcast

    Raises
    ------
    DTypeError : if one is not floating point, or the dtypes differ.
    ShapeError : if the shapes do not broadcast.

    Cost: four passes over the elements, in NumPy.

    >>> import fastnn as nn
    >>> nn.nextafter(nn.tensor([1.0]), nn.tensor([2.0])) - 1 == nn.finfo("float32").eps
    tensor([ True])
    """
    need_float("nextafter", input=input._data, other=other._data)
    a, b = broadcast_tensors(input, other)
    return where(eq(a, b), stepped("nextafter", b._data, b), with_values(a, np.nextafter(a._data, b._data)))


def positive(input: Tensor) -> Tensor:
    """+x, which is x. DTypeError for booleans.

    Parameters, errors and cost: as `neg`.

    >>> import fastnn as nn
    >>> nn.positive(nn.tensor([1.0]))
    tensor([1.])
    """
    if input.dtype.kind == "b":
        raise DTypeError(who="positive", expected="numbers", got="booleans", hint="Convert them with .long().")
    return input


# ---- activations ---------------------------------------------------------------------------------
def tanhshrink(input: Tensor) -> Tensor:
    r"""x - tanh(x), which is small about 0. Parameters and errors: as `tanh`, but no integers.

    Cost: two passes over the elements.

    >>> import fastnn as nn
    >>> nn.functional.tanhshrink(nn.tensor([0.0, 1.0]))
    tensor([0.0000, 0.2384])
    """
    need_float("tanhshrink", input=input._data)
    return sub(input, tanh(input))


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    r"""elu whose slope is 1 at 0 for every alpha.

    .. math:: y = x \; (x > 0), \; \alpha (e^{x / \alpha} - 1) \; (\text{else})

    Parameters
    ----------
    input : Tensor of any shape, float32 or float64
    alpha : float
        Other than 0. Where it is negative, the exponential goes down without end below 0; of
        infinity the result is the limit, x.
    inplace : accepted for PyTorch's sake

    Raises
    ------
    RangeError : if alpha is 0.
    DTypeError : if input is not floating point.

    Cost: an exp an element, in three passes.

    Reference: Barron (2017), "Continuously differentiable exponential linear units",
    arXiv:1704.07483.

    >>> import fastnn as nn
    >>> nn.celu(nn.tensor([-100.0, 3.0]), 2.0)
    tensor([-2.,  3.])
    """
    need_float("celu", input=input._data)
    if alpha == 0:
        raise RangeError(who="celu", expected="alpha other than 0", got=alpha)
    if math.isinf(alpha):
        return clone(input)
    if alpha > 0:
        return mul(elu(div(input, alpha)), alpha)
    return where(gt(input, 0), input, mul(expm1(div(input, alpha)), alpha))


# ---- what the functions share --------------------------------------------------------------------
def share_of(weight: Tensor, x: Tensor) -> Tensor:
    """weight x, and 0 where weight is 0 and x infinite; the slopes are x and weight."""
    y = mul(weight, x)
    none = (weight._data == 0) & np.isinf(x._data)
    if none.any():
        y._data[none] = 0
    return y


def with_values(x: Tensor, values: np.ndarray) -> Tensor:
    """Other values, with slope 1: of what is scaled before a function and back behind it."""
    y = clone(x)                                    # a sum might flush what is tiny
    y._data[...] = values
    return y


def lead_of(x: np.ndarray, axis: int, p: float = 2.0) -> np.ndarray:
    """What each slice is divided by so that no sum of its p-th powers overflows or vanishes: its
    largest |x|, for p < 0 its smallest; 1 where that is 0, infinite or NaN. The axis stays.
    """
    size = np.abs(x)
    lead = size.max(axis, keepdims=True, initial=0) if p > 0 else size.min(axis, keepdims=True, initial=np.inf)
    return np.where((lead > 0) & (lead < np.inf), lead, 1).astype(x.dtype)


def multiple_added(who: str, input: Tensor, op: Any, a: Tensor, b: Tensor, value: float) -> Tensor:
    """input + op(value a, b), in the order of PyTorch; of integers, where no order matters,
    input + value op(a, b).
    """
    if isinstance(value, (int, float, np.number)) and value != 1 and all(isinstance(t, Tensor) for t in (a, b)):
        dtype = common_dtype(who, a._data, b._data)
        if dtype.kind == "f":                       # value in the type of the product
            return add(input, op(mul(cast(who, a, dtype), value), b))
    return add(input, op(a, b), alpha=value)


def largest_and_rest(who: str, input: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """The larger of two, and the smaller less that, from 0 down."""
    for t in (input, other):
        if t.dtype.kind != "f":
            raise DTypeError(who=who, expected="floating point", got=str(t.dtype),
                             hint="Convert it, for example with .float().")
    # where both are one infinity their difference is NaN: there it is 0
    top = maximum(input, other)
    apart = sub(minimum(input, other), top)
    if np.isinf(input._data).any():
        apart = where(eq(input, other), 0.0, apart)
    return top, apart
