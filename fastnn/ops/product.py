"""Products and what is added to them, composed of other functions: addmm and its kin, outer, inner
and cross products, and bilinear forms.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..tensor import Tensor, wrapped
from .arithmetic import add, mul, sub
from .checks import need_float, need_room, renamed
from .indexing import index_select
from .matmul import bmm, matmul, mm, mv
from .permute import permute
from .reduce import sum
from .repeat import broadcast_tensors
from .shape import reshape
from .shape_op import axis

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm", "bilinear", "cross", "ger", "inner", "kron", "outer",
           "tensordot", "vdot"]


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    r"""A product of matrices, and something added.

    .. math:: y = \beta\, input + \alpha\, mat1\, mat2

    Parameters
    ----------
    input : Tensor that broadcasts to (n, p)
    mat1, mat2 : Tensor of shape (n, m) and (m, p)
    beta, alpha : number
        With beta = 0 input is not looked at: NaN there does not count.

    Raises
    ------
    ShapeError : if the shapes do not fit.
    DTypeError : if the dtypes differ, or are not floating point.

    Cost: that of `mm`, and two passes.

    >>> import fastnn as nn
    >>> nn.addmm(nn.tensor([10.0]), nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0], [4.0]]))
    tensor([[21.]])
    """
    return added("addmm", input, mm(mat1, mat2), beta, alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha mat vec.

    Parameters
    ----------
    input : Tensor that broadcasts to (n,)
    mat, vec : Tensor of shape (n, m) and (m,)
    beta, alpha : as in `addmm`

    Errors and cost: as `addmm`.

    >>> import fastnn as nn
    >>> nn.addmv(nn.tensor([1.0]), nn.tensor([[1.0, 2.0]]), nn.tensor([3.0, 4.0]))
    tensor([12.])
    """
    return added("addmv", input, mv(mat, vec), beta, alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta input + alpha times the outer product of two vectors.

    Parameters
    ----------
    input : Tensor that broadcasts to (n, m)
    vec1, vec2 : Tensor of shape (n,) and (m,)
    beta, alpha : as in `addmm`
        alpha is multiplied with vec1 first, as in PyTorch: what overflows alone may come back.

    Errors and cost: as `addmm`.

    >>> import fastnn as nn
    >>> nn.addr(nn.zeros(1, 2), nn.tensor([2.0]), nn.tensor([3.0, 4.0]))
    tensor([[6., 8.]])
    """
    if all(isinstance(v, Tensor) and v.dtype.kind == "f" for v in (vec1, vec2)) and vec1.dtype == vec2.dtype \
            and isinstance(alpha, (int, float)) and alpha != 1:
        return added("addr", input, outer(mul(vec1, alpha), vec2), beta, 1)
    return added("addr", input, outer(vec1, vec2), beta, alpha)


def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """addmm of b pairs of matrices.

    Parameters
    ----------
    input : Tensor that broadcasts to (b, n, p)
    batch1, batch2 : Tensor of shape (b, n, m) and (b, m, p)
    beta, alpha : as in `addmm`

    Errors and cost: as `addmm`.

    >>> import fastnn as nn
    >>> nn.baddbmm(nn.tensor(1.0), nn.ones(2, 1, 3), nn.ones(2, 3, 1)).flatten()
    tensor([4., 4.])
    """
    return added("baddbmm", input, bmm(batch1, batch2), beta, alpha)


def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """The sum of the products of b pairs of matrices, and something added.

    Parameters
    ----------
    input : Tensor that broadcasts to (n, p)
    batch1, batch2, beta, alpha : as in `baddbmm`

    Errors and cost: as `addmm`.

    >>> import fastnn as nn
    >>> nn.addbmm(nn.tensor(1.0), nn.ones(2, 1, 3), nn.ones(2, 3, 1))
    tensor([[7.]])
    """
    return added("addbmm", input, sum(bmm(batch1, batch2), 0), beta, alpha)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    r"""All products of an element of one vector with one of the other.

    .. math:: y_{ij} = a_i b_j

    Parameters
    ----------
    input, vec2 : Tensor of shape (n,) and (m,)

    Raises
    ------
    ShapeError : if one is no vector.

    Cost: writes each of the n m elements once.

    >>> import fastnn as nn
    >>> nn.outer(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0]))
    tensor([[3., 4.],
            [6., 8.]])
    """
    if input.ndim != 1 or vec2.ndim != 1:
        raise ShapeError(who="outer", expected="two vectors", got=f"{input.shape} and {vec2.shape}")
    return mul(reshape(input, -1, 1), vec2)


ger = outer


def inner(input: Tensor, other: Tensor) -> Tensor:
    r"""Sums of products over the last dimension of both.

    .. math:: y_{i \dots j \dots} = \sum_p a_{i \dots p}\, b_{j \dots p}

    Parameters
    ----------
    input, other : Tensor, whose last dimensions are equal
        A number multiplies.

    Raises
    ------
    ShapeError : if the last dimensions differ.
    DTypeError : if the dtypes differ, or are not floating point.

    Cost: that of `matmul`.

    >>> import fastnn as nn
    >>> nn.inner(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if input.ndim == 0 or other.ndim == 0:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise ShapeError(who="inner", expected="last dimensions of one size", got=f"{input.shape} and {other.shape}")
    return tensordot(input, other, ([-1], [-1]))


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """dot: of real numbers it is the same. Parameters, errors and cost: as `inner`.

    >>> import fastnn as nn
    >>> nn.vdot(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0]))
    tensor(11.)
    """
    if input.ndim != 1 or input.shape != other.shape:
        raise ShapeError(who="vdot", expected="two vectors of one size", got=f"{input.shape} and {other.shape}")
    return inner(input, other)


def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """Sums of products over some dimensions of both, as one matrix product.

    Parameters
    ----------
    a, b : Tensor
    dims : int, or two sequences of int
        The last so many of a with the first of b; or those of a and those of b, in pairs. One of
        size 1 is repeated.

    Raises
    ------
    ShapeError : if paired dimensions differ in size, or the sequences in length.
    RangeError : if there is no such dimension.
    DTypeError : if the dtypes differ, or are not floating point.

    Cost: that of `matmul`, and copies of operands whose summed dimensions are not at that end.

    >>> import fastnn as nn
    >>> nn.tensordot(nn.ones(2, 3, 4), nn.ones(3, 4, 5)).shape
    (2, 5)
    """
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise ShapeError(who="tensordot", expected=f"dims from 0 to {min(a.ndim, b.ndim)}", got=dims)
        dims = range(a.ndim - dims, a.ndim), range(dims)
    over = [[axis("tensordot", d, t.ndim) for d in (ds if isinstance(ds, Sequence) else [ds])]
            for ds, t in zip(dims, (a, b))]
    for i, j in zip(*over):                         # a dimension of size 1 is repeated
        if a.shape[i] != b.shape[j] and 1 in (a.shape[i], b.shape[j]):
            a, b = (t if t.shape[d] == 1 else sum(t, d, True) for t, d in ((a, i), (b, j)))
    sizes = [[t.shape[d] for d in ds] for ds, t in zip(over, (a, b))]
    if sizes[0] != sizes[1] or any(len(set(ds)) < len(ds) for ds in over):
        raise ShapeError(who="tensordot", expected="paired dimensions of one size, each once",
                         got=f"{sizes[0]} of {a.shape} and {sizes[1]} of {b.shape}")
    rest = [[d for d in range(t.ndim) if d not in ds] for ds, t in zip(over, (a, b))]
    n = math.prod(sizes[0])
    left = reshape(permute(a, *rest[0], *over[0]), math.prod(a.shape[d] for d in rest[0]), n)
    right = reshape(permute(b, *over[1], *rest[1]), n, math.prod(b.shape[d] for d in rest[1]))
    return reshape(matmul(left, right), [*[a.shape[d] for d in rest[0]], *[b.shape[d] for d in rest[1]]])


def kron(input: Tensor, other: Tensor) -> Tensor:
    r"""Kronecker's product: each element of one times the whole other.

    .. math:: y_{i p + k,\, j q + l} = a_{ij}\, b_{kl}

    Parameters
    ----------
    input, other : Tensor
        The one with fewer dimensions gets ones in front.

    Errors: as `mul`, and a ShapeError for a result beyond memory. Cost: writes each element of the
    result once.

    >>> import fastnn as nn
    >>> nn.kron(nn.tensor([1, 10]), nn.tensor([1, 2]))
    tensor([ 1,  2, 10, 20])
    """
    ndim = max(input.ndim, other.ndim)
    a, b = ((1,) * (ndim - t.ndim) + t.shape for t in (input, other))
    need_room("kron", [m * n for m, n in zip(a, b)], 8)
    if 2 * ndim > 64:
        raise ShapeError(who="kron", expected="at most 32 dimensions", got=ndim)
    y = mul(reshape(input, [n for size in a for n in (size, 1)]), reshape(other, [n for size in b for n in (1, size)]))
    return reshape(y, [m * n for m, n in zip(a, b)])


def cross(input: Tensor, other: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    r"""The cross product of vectors in space, which is at right angles to both.

    .. math:: y_1 = a_2 b_3 - a_3 b_2, \quad y_2 = a_3 b_1 - a_1 b_3, \quad y_3 = a_1 b_2 - a_2 b_1

    Parameters
    ----------
    input, other : Tensor of as many dimensions, which broadcast
    dim : int, optional
        Along which vectors lie, of size 3; None: the first such.

    Raises
    ------
    ShapeError : if no dimension has size 3, or the shapes do not broadcast.
    RangeError : if there is no such dimension.

    Cost: four copies, two products and a difference. Of products the difference of two that leave
    the range is NaN, as in PyTorch.

    >>> import fastnn as nn
    >>> nn.cross(nn.tensor([1.0, 0.0, 0.0]), nn.tensor([0.0, 1.0, 0.0]))
    tensor([0., 0., 1.])
    """
    if numpy:
        return cross(input, other, **renamed("cross", numpy, dim=dim))
    if input.ndim != other.ndim:
        raise ShapeError(who="cross", expected="as many dimensions of both", got=f"{input.shape} and {other.shape}")
    a, b = broadcast_tensors(input, other)
    d = next((i for i, n in enumerate(a.shape) if n == 3), 0) if dim is None else axis("cross", dim, a.ndim)
    if a.ndim == 0 or input.shape[d] != 3 or other.shape[d] != 3:
        raise ShapeError(who="cross", expected="a dimension of size 3", got=f"{input.shape} and {other.shape}")
    after, before = wrapped(np.array([1, 2, 0])), wrapped(np.array([2, 0, 1]))
    return sub(mul(index_select(a, d, after), index_select(b, d, before)),
               mul(index_select(a, d, before), index_select(b, d, after)))


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    r"""A form that is linear in each of two inputs.

    .. math:: y_k = \sum_{ij} a_i\, W_{kij}\, b_j + bias_k

    Parameters
    ----------
    input1, input2 : Tensor of shape (..., I) and (..., J), with the same sizes in front
    weight : Tensor of shape (K, I, J)
    bias : Tensor of shape (K,), optional

    Returns
    -------
    Tensor of shape (..., K).

    Raises
    ------
    ShapeError : if the sizes do not fit.
    DTypeError : if the dtypes differ, or are not floating point.

    Cost: I J K multiply-adds a row, as one matrix product, and J K numbers in memory for each. Zero
    times infinity is NaN, as in PyTorch; so may be products of three that leave the range.

    >>> import fastnn as nn
    >>> nn.bilinear(nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0, 4.0]]), nn.eye(2).reshape(1, 2, 2))
    tensor([[11.]])
    """
    need_float("bilinear", input1=input1._data, input2=input2._data, weight=weight._data,
               bias=None if bias is None else bias._data)
    lead = input1.shape[:-1]
    if (weight.ndim != 3 or input1.ndim == 0 or input2.ndim == 0 or input2.shape[:-1] != lead
            or weight.shape[1:] != (input1.shape[-1], input2.shape[-1])
            or (bias is not None and bias.shape != weight.shape[:1])):
        shapes = [t.shape for t in (input1, input2, weight, bias) if t is not None]
        raise ShapeError(who="bilinear", expected="(..., I), (..., J), a weight (K, I, J) and a bias (K,)", got=shapes)
    (K, I, J), n = weight.shape, math.prod(lead)
    half = matmul(reshape(input1, n, I), reshape(permute(weight, 1, 0, 2), I, K * J))
    y = reshape(matmul(reshape(half, n, K, J), reshape(input2, n, J, 1)), *lead, K)
    return y if bias is None else add(y, bias)


# ---- what the functions share --------------------------------------------------------------------
def added(who: str, input: Any, product: Tensor, beta: float, alpha: float) -> Tensor:
    """beta input + alpha product, of the product's shape."""
    whole = isinstance(alpha, int) and isinstance(beta, int)
    if product.dtype.kind == "b" or (product.dtype.kind in "iu" and not whole):
        raise DTypeError(who=who, expected=f"numbers, and alpha and beta as int for {product.dtype}",
                         got=f"alpha={alpha}, beta={beta}")
    product = product if alpha == 1 else mul(product, alpha)
    if beta == 0:
        return product
    total = add(product, input if beta == 1 else mul(input, beta))
    if total.shape != product.shape:
        raise ShapeError(who=who, expected=f"input that broadcasts to {product.shape}", got=input.shape)
    return total
