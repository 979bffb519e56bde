"""Choosing elements by position or by condition.

gather and index_select have kernels; the others are views, or NumPy's work: the definitions in
fastnn/reference/indexing.py are what runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import IndexMistake
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import indexing as reference
from ..tensor import Tensor, check_key, index_steps, number_of, own_index, tensor, wrapped
from .arithmetic import cast, common_shape, operand
from .checks import FLOATS, common_dtype, need_array, need_integers, need_native, need_room, renamed, single
from .clone import to
from .repeat import expand
from .shape import ravel, reshape
from .shape_op import axis, draw

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["gather", "getitem", "index_select", "masked_fill", "one_hot", "take_along_dim", "where"]

_MISSING: Any = object()


def getitem(input: Tensor, key: Any) -> Tensor:
    r"""input[key], with PyTorch's rules: numbers, slices, None and ... take a view; then arrays
    index what is left.

    .. math:: y = x[key] \qquad dx[key] = dx[key] + dy

    Repeated elements add their gradients.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    key : int, slice, None, ..., array of integers or booleans, or a tuple of them

    Returns
    -------
    Tensor: a view for ints and slices, a copy for arrays.

    Raises
    ------
    RangeError : if an index is out of range. It is an IndexError as well.
    DTypeError : for an index of floating point, or of uint8: a mask in PyTorch, positions in NumPy.

    NumPy differs where numbers and arrays do not stand together: with 2 positions in i,
    x[0, :, i] of a tensor (2, 3, 4) has shape (3, 2), and of an array (2, 3).

    Cost: none for a view; a copy reads and writes each chosen element once. Backward adds dy where
    x's gradient has been begun, without an array of zeros in between.

    >>> import fastnn as nn
    >>> x = nn.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> x[:, 1], x[x > 2]
    (tensor([2., 4.]), tensor([3., 4.]))
    """
    try:
        first, key = index_steps(own_index(key), input._data.ndim)
        if first is not None:
            return apply(GETITEM, apply(GETITEM, input, key=first), key=key)
        if slice_numbers(input, key):
            return apply(INDEX_SELECT, input, wrapped(key), dim=0)
        return apply(GETITEM, input, key=key)
    except IndexError as error:
        if isinstance(error, RangeError):
            raise
        raise IndexMistake(str(error), who="getitem", got=f"a tensor of shape {input.shape}") from None


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    r"""Pick elements along one dimension, one for each element of the index.

    .. math:: y_{ij} = x_{i,\, index_{ij}} \quad \text{for } dim = 1

    Elements picked several times add their gradients.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    index : Tensor of integers
        Of input's rank, and nowhere larger than it but along dim.
    sparse_grad : accepted for PyTorch's sake

    Returns
    -------
    Tensor of index's shape.

    Raises
    ------
    RangeError : if an index, or dim, is out of range.
    ShapeError : if index's shape does not fit.
    DTypeError : if index is not of integers.

    Cost: reads and writes each chosen element once.

    >>> import fastnn as nn
    >>> nn.functional.gather(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), 1, nn.tensor([[1], [0]]))
    tensor([[2.],
            [3.]])
    """
    if input.ndim == 0 and index.ndim < 2:          # a number counts as a row of one
        return reshape(gather(reshape(input, 1), dim, reshape(index, -1)), index.shape)
    return by_index(GATHER, input, index, axis("gather", dim, input.ndim))


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, **numpy: Unpack[Numpy]) -> Tensor:
    """As NumPy's take_along_axis: gather, where both shapes are broadcast but along dim.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    indices : Tensor of integers, of input's rank
    dim : int, optional
        None: both are taken as one row.

    Errors and cost: as `gather`.

    >>> import fastnn as nn
    >>> x = nn.tensor([[1.0, 2.0], [4.0, 3.0]])
    >>> nn.functional.take_along_dim(x, x.argmax(1, keepdim=True), 1)
    tensor([[2.],
            [4.]])
    """
    if numpy:
        return take_along_dim(input, indices, **renamed("take_along_dim", numpy, dim=dim))
    if dim is None:
        return gather(ravel(input), 0, ravel(indices))
    d = axis("take_along_dim", dim, input.ndim)
    a, b = ((*t.shape[:d], *t.shape[d + 1:]) for t in (input, indices))
    if a != b and input.ndim == indices.ndim:
        shape = common_shape("take_along_dim", a, b)
        input, indices = (expand(t, (*shape[:d], t.shape[d], *shape[d:])) for t in (input, indices))
    return gather(input, d, indices)


def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    r"""Whole slices by number along one dimension.

    .. math:: y_{ij} = x_{i,\, index_j} \quad \text{for } dim = 1

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    index : Tensor of integers, of one dimension

    Errors and cost: as `gather`.

    >>> import fastnn as nn
    >>> nn.functional.index_select(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), 0, nn.tensor([1, 1]))
    tensor([[3., 4.],
            [3., 4.]])
    """
    if input.ndim == 0:                             # a number counts as a row of one
        return reshape(index_select(reshape(input, 1), dim, index), ())
    return by_index(INDEX_SELECT, input, index, axis("index_select", dim, input.ndim))


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: Any, other: Any) -> Tensor: ...
def where(condition: Tensor, input: Any = _MISSING, other: Any = _MISSING) -> Any:
    """Elements of input where the condition holds, else of other; all broadcast. Of a condition
    alone, the places where it holds: a tensor of indices for each dimension, to index with.

    Parameters
    ----------
    condition : Tensor of bool
    input, other : Tensor, array or number

    Returns
    -------
    Tensor of the type that arithmetic on input and other would have: where(c, 1, 0.5) is float32.

    Raises
    ------
    ShapeError : if the shapes do not broadcast.
    DTypeError : if the condition is not bool.
    RangeError : for a number that the type cannot hold.

    Cost: reads both and writes the result once.

    >>> import fastnn as nn
    >>> x = nn.tensor([-1.0, 2.0])
    >>> nn.where(x > 0, x, 0.0)
    tensor([0., 2.])
    """
    if condition.__class__ is not Tensor:
        condition = tensor(condition)
    if input is _MISSING or other is _MISSING:
        if input is not other:
            raise DTypeError("the argument is missing: other", who="where", expected="(condition, input, other)")
        return tuple([wrapped(places.astype(np.int64)) for places in np.nonzero(np.atleast_1d(condition._data))])
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        if input._data.dtype is other._data.dtype:  # the common cases, quickly
            return apply(WHERE, condition, input, other)
    elif isinstance(input, Tensor) and other.__class__ is float and input._data.dtype in FLOATS:
        return apply(WHERE, condition, input, wrapped(np.asarray(other, input._data.dtype)))
    a, b = operand("where", input), operand("where", other)
    dtype = common_dtype("where", *[x._data if isinstance(x, Tensor) else x for x in (a, b)])
    a, b = (x if isinstance(x, Tensor) else wrapped(np.asarray(x, dtype))
            for x in (cast("where", x, dtype) for x in (a, b)))
    return apply(WHERE, condition, a, b)


def masked_fill(input: Tensor, mask: Tensor, value: float | Tensor) -> Tensor:
    """One value where a mask is True, the input elsewhere.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    mask : Tensor of bool
        It broadcasts to input's shape.
    value : number, or Tensor without dimensions
        In input's type; integers drop the fraction, as in PyTorch. A tensor gets a gradient.

    Raises
    ------
    ShapeError : if the mask does not broadcast, or the value has dimensions.
    DTypeError : if the mask is not bool.
    RangeError : if input's type cannot hold the value.

    Cost: reads and writes each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0])
    >>> nn.functional.masked_fill(x, x > 1, float("-inf"))
    tensor([  1., -inf])
    """
    if isinstance(value, Tensor) and value.ndim == 0 and isinstance(input, Tensor):
        if input._data.dtype.kind == "f":
            return apply(WHERE, mask, to(value, input.dtype), input)
        value = value.item()
    if isinstance(value, (Tensor, np.ndarray)) and value.ndim:
        raise ShapeError(who="masked_fill", expected="value as a number or a tensor without dimensions",
                         got=value.shape, hint="x[mask] = values writes several; where(mask, values, x) broadcasts.")
    if not isinstance(input, Tensor):
        need_array("masked_fill", input=input)
        input = tensor(input)
    return apply(MASKED_FILL, input, mask, value=number_of("masked_fill", value, input._data.dtype))


def one_hot(input: Tensor, num_classes: int = -1) -> Tensor:
    """Rows of zeros with a one at the given class; no gradient.

    Parameters
    ----------
    input : Tensor of integers
        Labels from 0.
    num_classes : int
        C; -1 takes the largest label + 1.

    Returns
    -------
    Tensor of int64, of input's shape with C appended.

    Raises
    ------
    RangeError : if a label is negative or not below C.
    DTypeError : if input is not of integers.

    Cost: writes each element of the result once.

    >>> import fastnn as nn
    >>> nn.functional.one_hot(nn.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    labels: Any = getattr(input, "_data", input)
    need_integers("one_hot", input=labels)
    largest, least = (int(labels.max()), int(labels.min())) if labels.size else (-1, 0)
    n = largest + 1 if num_classes == -1 else single("one_hot", "num_classes", num_classes, 0)
    if largest >= n or least < 0:
        raise RangeError("a label is out of range", who="one_hot", expected=f"0 <= label < {n}",
                         got=f"{least} to {largest}")
    need_room("one_hot", (*labels.shape, n), 8)
    return wrapped((labels[..., None] == np.arange(n)).astype(np.int64))


# ---- checks --------------------------------------------------------------------------------------
def by_index(op: Op, input: Tensor, index: Tensor, dim: int) -> Tensor:
    """gather or index_select; integers and booleans have no gradient, and no kernel."""
    if input._data.dtype in FLOATS:
        return apply(op, input, index, dim=dim)
    assert op.check is not None
    op.check(input._data, index._data, dim=dim)
    return wrapped(np.asarray(op.ref_forward(input._data, index._data, dim=dim)[0]))


def slice_numbers(input: Tensor, key: Any) -> bool:
    """Whether input[key] is an index_select, which has a kernel: an array of numbers in range."""
    return (key.__class__ is np.ndarray and key.ndim == 1 and key.size > 0
            and key.dtype.kind in "iu" and key.dtype != np.uint8      # check_getitem refuses it
            and input._data.ndim > 0 and input._data.dtype in FLOATS
            and -len(input._data) <= int(key.min()) and int(key.max()) < len(input._data))


def check_getitem(x: Any, *, key: Any) -> None:
    check_key("getitem", key)


def check_index(who: str, index: np.ndarray, size: int) -> None:
    need_integers(who, index=index)
    if index.size and (index.min() < -size or index.max() >= size):
        worst = int(index.max() if index.max() >= size else index.min())
        raise RangeError(f"index {worst} is out of range", who=who, expected=f"0 <= index < {size}")


def check_gather(x: Any, index: Any, *, dim: int) -> None:
    need_array("gather", x=x, index=index)
    need_native("gather", x=x)
    if index.ndim != x.ndim or any(d != dim and m > n for d, (m, n) in enumerate(zip(index.shape, x.shape))):
        raise ShapeError(who="gather", expected=f"an index of rank {x.ndim} that is nowhere larger than {x.shape} "
                                                f"but along dim {dim}", got=index.shape)
    check_index("gather", index, x.shape[dim])


def check_index_select(x: Any, index: Any, *, dim: int) -> None:
    need_array("index_select", x=x, index=index)
    need_native("index_select", x=x)
    if index.ndim > 1:
        raise ShapeError(who="index_select", expected="an index of one dimension", got=index.shape)
    check_index("index_select", index, x.shape[dim])


def check_where(condition: Any, a: Any, b: Any) -> None:
    need_array("where", condition=condition, a=a, b=b)
    if condition.dtype.kind != "b":
        raise DTypeError(who="where", expected="a condition of dtype bool", got=str(condition.dtype),
                         hint="Compare it, for example x > 0.")
    try:
        np.broadcast_shapes(condition.shape, a.shape, b.shape)
    except ValueError:
        raise ShapeError("these shapes do not broadcast", who="where",
                         got=[condition.shape, a.shape, b.shape]) from None
    if a.dtype != b.dtype:
        raise DTypeError(f"one branch is {a.dtype}, the other {b.dtype}", who="where", hint="Convert one of them.")


def check_masked_fill(x: Any, mask: Any, *, value: float) -> None:
    if x.__class__ is not np.ndarray or mask.__class__ is not np.ndarray:
        need_array("masked_fill", x=x, mask=mask)
    if mask.dtype.kind != "b":
        raise DTypeError(who="masked_fill", expected="a mask of dtype bool", got=str(mask.dtype),
                         hint="Compare it, for example mask == 0.")
    try:
        np.broadcast_shapes(x.shape, mask.shape)
    except ValueError:
        raise ShapeError("the mask does not broadcast to the tensor", who="masked_fill", expected=x.shape,
                         got=mask.shape) from None


# ---- samples -------------------------------------------------------------------------------------
def chosen(name: str, shape: tuple[int, ...], index: tuple[int, ...], dim: int) -> Sample:
    """A call with any indices, for the benchmarks."""
    n = int(np.prod(index)) * (shape[1 - dim] if len(index) < len(shape) else 1)
    return Sample(name, (draw(name, *shape), seeded(name).integers(0, shape[dim], index)), {"dim": dim}, {"n": n})


# ---- records -------------------------------------------------------------------------------------
GETITEM = register(Op(
    name="getitem", family="indexing", inputs=("x",), formula="y = x[key]",
    ref_forward=reference.getitem_forward, ref_backward=reference.getitem_backward, check=check_getitem,
    linear_in=("x",), flops=lambda n: 0, bytes=lambda n: 0,
    places=lambda key: key if reference.takes_once(key) else None,
    samples=lambda: [
        Sample("int", (draw("int", 3, 4),), {"key": 1}),
        Sample("slices", (draw("slices", 5, 7),), {"key": (slice(4, None, -2), slice(1, 6, 2))}),
        Sample("ellipsis", (draw("ellipsis", 2, 3, 5),), {"key": (..., None, 2)}),
        Sample("array", (draw("array", 5, 3),), {"key": np.array([0, 2, 2, -1])}),
        Sample("mask", (draw("mask", 2, 3),), {"key": np.array([[True, False, True], [False, True, True]])}),
        Sample("mixed", (draw("mixed", 4, 3, 2),), {"key": (np.array([0, 0, 3]), slice(1, None), 1)}),
        Sample("empty", (draw("empty", 0, 3),), {"key": slice(0, 2)}),
    ],
    errors=(
        Refusal("range", lambda: getitem(tensor(np.zeros((2, 3))), (0, 5)), RangeError, ("getitem", "5", "(2, 3)")),
        Refusal("float", lambda: getitem(tensor(np.zeros((2, 3))), 1.0), DTypeError, ("getitem", "float")),
        Refusal("mask", lambda: getitem(tensor(np.zeros(3)), np.array([True, False])), RangeError, ("getitem", "(3,)")),
    )))

GATHER = register(Op(
    name="gather", family="indexing", inputs=("x", "index"), formula="y[i,j] = x[i, index[i,j]]",
    forward=kernel("gather_forward"), backward=kernel("gather_backward"), fits=kernel("fits_along"),
    ref_forward=reference.gather_forward, ref_backward=reference.gather_backward, check=check_gather,
    linear_in=("x",), differentiable=("x",), flops=lambda n: 0, bytes=lambda n: 16 * n,
    samples=lambda: [
        Sample("rows", (draw("rows", 3, 5), np.array([[0, 4], [1, 1], [2, 3]])), {"dim": 1}),
        Sample("columns", (draw("columns", 3, 5), np.array([[0, 2, 1, 1, 0]])), {"dim": 0}),
        Sample("between", (draw("between", 2, 3, 5), np.arange(40).reshape(2, 4, 5) % 6 - 3), {"dim": 1}),
        Sample("narrower", (draw("narrower", 3, 5, 7), np.arange(16).reshape(2, 4, 2) % 5), {"dim": 1}),
        Sample("wide", (draw("wide", 3, 67), np.arange(335).reshape(5, 67) % 3), {"dim": 0}),
        Sample("empty", (draw("empty", 3, 5), np.zeros((3, 0), np.int64)), {"dim": 1}),
        Sample("no columns", (draw("no columns", 3, 0), np.zeros((2, 0), np.int64)), {"dim": 0}),
    ],
    fast_numpy=lambda x, index, dim: np.take_along_axis(x, index, dim),
    bench={"tokens": lambda: chosen("tokens", (4096, 64), (4096, 8), 1),
           "features": lambda: chosen("features", (1024, 64), (4096, 64), 0),
           "row": lambda: chosen("row", (1 << 20,), (1 << 20,), 0)},
    errors=(
        Refusal("range", lambda: gather(tensor(np.zeros((2, 3))), 1, tensor([[0], [3]])),
                RangeError, ("gather", "index 3", "3")),
        Refusal("rank", lambda: gather(tensor(np.zeros((2, 3))), 1, tensor([0])), ShapeError, ("gather", "rank 2")),
        Refusal("float", lambda: gather(tensor(np.zeros((2, 3))), 1, tensor([[0.0]])),
                DTypeError, ("gather", "integer")),
    )))

INDEX_SELECT = register(Op(
    name="index_select", family="indexing", inputs=("x", "index"), formula="y[:,j] = x[:, index[j]]",
    forward=kernel("index_select_forward"), backward=kernel("index_select_backward"),
    ref_forward=reference.index_select_forward, ref_backward=reference.index_select_backward, check=check_index_select,
    linear_in=("x",), differentiable=("x",), flops=lambda n: 0, bytes=lambda n: 8 * n,
    samples=lambda: [Sample("rows", (draw("rows", 3, 5), np.array([2, 0, 2])), {"dim": 0}),
                     Sample("columns", (draw("columns", 3, 5), np.array([4, 4, 1, 0])), {"dim": 1}),
                     Sample("from the end", (draw("from the end", 2, 5, 3), np.array([-1, 4, -5])), {"dim": 1}),
                     Sample("many before", (draw("many before", 37, 3, 2), np.array([1, -1, 1, 0])), {"dim": 1}),
                     Sample("none", (draw("none", 3, 5), np.zeros(0, np.int64)), {"dim": 0}),
                     Sample("one number", (draw("one number", 3, 5), np.array(1)), {"dim": 0})],
    fast_numpy=lambda x, index, dim: np.take(x, index, dim),
    bench={"rows": lambda: chosen("rows", (1024, 64), (4096,), 0),
           "columns": lambda: chosen("columns", (4096, 64), (32,), 1)},
    errors=(
        Refusal("range", lambda: index_select(tensor(np.zeros((2, 3))), 0, tensor([2])),
                RangeError, ("index_select", "index 2")),
    )))

WHERE = register(Op(
    name="where", family="indexing", inputs=("condition", "a", "b"), formula="y = a where condition, else b",
    ref_forward=reference.where_forward, ref_backward=reference.where_backward, check=check_where,
    linear_in=("a", "b"), differentiable=("a", "b"), flops=lambda n: 0, bytes=lambda n: 12 * n,
    samples=lambda: [
        Sample("odd", (draw("c", 3, 5) > 0, draw("a", 3, 5), draw("b", 3, 5))),
        Sample("broadcast", (draw("c", 3, 1) > 0, draw("a", 2, 1, 5), draw("b", 1, 5))),
        Sample("empty", (draw("c", 0) > 0, draw("a", 0), draw("b", 0))),
    ],
    errors=(
        Refusal("float", lambda: where(tensor([1.0]), tensor([1.0]), tensor([2.0])),
                DTypeError, ("where", "bool", "float32")),
        Refusal("shapes", lambda: where(tensor([True, False]), tensor([1.0, 2.0, 3.0]), 0.0),
                ShapeError, ("where", "(3,)")),
    )))

MASKED_FILL = register(Op(
    name="masked_fill", family="indexing", inputs=("x", "mask"), formula="y = value where mask, else x",
    ref_forward=reference.masked_fill_forward, ref_backward=reference.masked_fill_backward, check=check_masked_fill,
    linear_in=("x",), differentiable=("x",), flops=lambda n: 0, bytes=lambda n: 9 * n,
    samples=lambda: [Sample("odd", (draw("x", 3, 5), draw("m", 3, 5) > 0), {"value": 2.0}),
                     Sample("broadcast", (draw("x", 2, 3, 5), draw("mask", 3, 1) > 0), {"value": 0.0})],
    errors=(
        Refusal("float", lambda: masked_fill(tensor([1.0]), tensor([1.0]), 0.0), DTypeError, ("masked_fill", "bool")),
    )))
