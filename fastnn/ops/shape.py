"""Shape ops: elements move, nothing is computed.

NumPy does this, and what it does without work is a view: another window onto the same memory. So
the definitions in fastnn/reference/shape.py are what runs.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import FOREIGN, explain
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import shape as reference
from ..tensor import Tensor, dtype_of, number_of, tensor
from .checks import common_dtype, need_array, need_room

__all__ = ["atleast_1d", "broadcast_tensors", "broadcast_to", "cat", "chunk", "clone", "concatenate", "contiguous",
           "expand", "flatten", "flip", "movedim", "pad", "permute", "repeat", "reshape", "roll", "split", "squeeze",
           "stack", "swapaxes", "tile", "to", "transpose", "tril", "triu", "unbind", "unflatten", "unsqueeze"]


# ---- another shape -------------------------------------------------------------------------------
def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements, in the same row-major order, in another shape.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *shape : int, or one tuple of int
        One size may be -1: it is whatever is left. The gradient gets the old shape back.

    Returns
    -------
    Tensor of that shape; a view where the layout allows, else a copy.

    Raises
    ------
    ShapeError : if the shape does not have as many elements.

    Cost: none for a view. The same holds for all functions of this file that say "a view".

    >>> import fastnn as nn
    >>> nn.functional.reshape(nn.tensor([1.0, 2.0, 3.0, 4.0]), 2, -1)
    tensor([[1., 2.],
            [3., 4.]])
    """
    try:
        new = sizes_of(shape)
        size = input._data.size
        known, holes, least = 1, 0, 0
        for n in new:
            if n == -1:
                holes += 1
            else:
                known *= n
                least = n if n < least else least
        if holes > 1 or least < 0 or (known != size if holes == 0 else known == 0 or size % known):
            raise ShapeError(f"{size} elements of shape {input.shape} do not fit the shape {new}", who="reshape")
        return apply(RESHAPE, input, shape=tuple([size // known if n == -1 else n for n in new]) if holes else new)
    except FOREIGN as error:
        return explain(reshape, error, input, *shape)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge neighbouring dimensions into one.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    start_dim, end_dim : int
        The first and the last dimension to merge.

    Raises
    ------
    RangeError : if there is no such dimension, or start_dim is behind end_dim.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.flatten(nn.ones(2, 3, 4), 1).shape
    (2, 12)
    """
    try:
        if input.ndim == 0:
            return reshape(input, 1)
        start, end = axis("flatten", start_dim, input.ndim), axis("flatten", end_dim, input.ndim)
        if start > end:
            raise RangeError(who="flatten", expected="start_dim <= end_dim", got=(start_dim, end_dim))
        sizes = input._data.shape
        return apply(RESHAPE, input, shape=(*sizes[:start], math.prod(sizes[start:end + 1]), *sizes[end + 1:]))
    except FOREIGN as error:
        return explain(flatten, error, input, start_dim, end_dim)


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one dimension into several.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
    sizes : sequence of int
        The new dimensions; one of them may be -1.

    Raises
    ------
    RangeError : if there is no such dimension.
    ShapeError : if the sizes do not multiply to the old one.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.unflatten(nn.ones(2, 12), 1, (3, -1)).shape
    (2, 3, 4)
    """
    d = axis("unflatten", dim, input.ndim)
    sizes = tuple(sizes)
    if -1 in sizes:
        rest = -int(np.prod(sizes))
        if sizes.count(-1) > 1 or rest == 0 or input.shape[d] % rest:
            raise ShapeError(f"dimension {dim} of size {input.shape[d]} cannot be split into {sizes}", who="unflatten")
        sizes = tuple(input.shape[d] // rest if n == -1 else n for n in sizes)
    if int(np.prod(sizes)) != input.shape[d]:
        raise ShapeError(f"dimension {dim} of size {input.shape[d]} cannot be split into {sizes}", who="unflatten")
    return apply(RESHAPE, input, shape=(*input.shape[:d], *sizes, *input.shape[d + 1:]))


def squeeze(input: Tensor, dim: int | tuple[int, ...] | None = None) -> Tensor:
    """Drop dimensions of size 1.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int or tuple of int, optional
        Which; None: all. A dimension of another size is left alone.

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.ones(1, 3, 1).squeeze().shape, nn.ones(1, 3, 1).squeeze(0).shape
    ((3,), (3, 1))
    """
    try:
        if dim is None:
            drop: Sequence[int] = range(input.ndim)
        else:
            drop = [axis("squeeze", d, input.ndim) for d in (dim if isinstance(dim, tuple) else (dim,))]
        return apply(RESHAPE, input, shape=tuple(n for d, n in enumerate(input.shape) if n != 1 or d not in drop))
    except FOREIGN as error:
        return explain(squeeze, error, input, dim)


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new dimension of size 1.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int
        Its number in the result.

    Raises
    ------
    RangeError : if the result has no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.ones(3).unsqueeze(0).shape, nn.ones(3).unsqueeze(-1).shape
    ((1, 3), (3, 1))
    """
    try:
        d = axis("unsqueeze", dim, input.ndim + 1)
        return apply(RESHAPE, input, shape=(*input.shape[:d], 1, *input.shape[d:]))
    except FOREIGN as error:
        return explain(unsqueeze, error, input, dim)


def atleast_1d(input: Tensor) -> Tensor:
    """A tensor without dimensions as a vector of one element; any other as it is.

    Parameters, errors and cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.functional.atleast_1d(nn.tensor(3.0))
    tensor([3.])
    """
    return reshape(input, 1) if input.ndim == 0 else to(input, input.dtype)


# ---- another order of dimensions -----------------------------------------------------------------
def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: dimension d of the result is dimension dims[d] of the input.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *dims : int, or one tuple of int
        Each dimension once. The gradient is permuted back.

    Returns
    -------
    Tensor, a view.

    Raises
    ------
    ShapeError : if a dimension is missing or named twice.
    RangeError : if there is no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.ones(2, 3, 4).permute(2, 0, 1).shape
    (4, 2, 3)
    """
    try:
        order, ndim = sizes_of(dims), input._data.ndim
        found = [d if 0 <= d < ndim else axis("permute", d, ndim) for d in order]
        if sorted(found) != list(range(ndim)):
            raise ShapeError(f"the order must name each of the {ndim} dimensions once", who="permute", got=order)
        return apply(PERMUTE, input, dims=tuple(found))
    except FOREIGN as error:
        return explain(permute, error, input, *dims)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions. A view; matmul and linear read it without a copy.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim0, dim1 : int

    Raises
    ------
    RangeError : if there is no such dimension.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0, 2.0, 3.0]]).transpose(0, 1).shape
    (3, 1)
    """
    try:
        ndim = input._data.ndim
        order = list(range(ndim))
        a, b = axis("transpose", dim0, ndim), axis("transpose", dim1, ndim)
        if order:
            order[a], order[b] = b, a
        return apply(PERMUTE, input, dims=tuple(order))
    except FOREIGN as error:
        return explain(transpose, error, input, dim0, dim1)


swapaxes = transpose


def movedim(input: Tensor, source: int, destination: int) -> Tensor:
    """Move one dimension to another place among the others. A view.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    source, destination : int

    Errors and cost: as `transpose`.

    >>> import fastnn as nn
    >>> nn.functional.movedim(nn.ones(2, 3, 4), 0, -1).shape
    (3, 4, 2)
    """
    order = list(range(input.ndim))
    order.insert(axis("movedim", destination, input.ndim), order.pop(axis("movedim", source, input.ndim)))
    return apply(PERMUTE, input, dims=tuple(order))


# ---- repetition ----------------------------------------------------------------------------------
def expand(input: Tensor, *shape: Any) -> Tensor:
    """Repeat along dimensions of size 1, and along new leading ones, without a copy.

    The gradient is the sum over the repetitions.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *shape : int, or one tuple of int
        -1 keeps a size.

    Returns
    -------
    Tensor of that shape, a view whose elements share memory.

    Raises
    ------
    ShapeError : if a dimension of another size than 1 would change.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> nn.tensor([[1.0], [2.0]]).expand(2, 3)
    tensor([[1., 1., 1.],
            [2., 2., 2.]])
    """
    try:
        new = sizes_of(shape)
        lead = len(new) - input.ndim
        full = tuple((input.shape[i - lead] if i >= lead else -1) if n == -1 else n for i, n in enumerate(new))
        fits = all(have in (1, n) for have, n in zip(input.shape, full[max(lead, 0):]))
        if lead < 0 or any(n < 0 for n in full) or not fits:
            raise ShapeError(f"shape {input.shape} cannot be expanded to {new}: only dimensions of size 1 repeat",
                             who="expand")
        need_room("expand", full, 1)
        return apply(EXPAND, input, shape=full)
    except FOREIGN as error:
        return explain(expand, error, input, *shape)


broadcast_to = expand


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All of them expanded to the one shape that NumPy's broadcasting gives. Views.

    Parameters
    ----------
    *tensors : Tensor

    Raises
    ------
    ShapeError : if the shapes do not broadcast.

    Cost: as `reshape`.

    >>> import fastnn as nn
    >>> [t.shape for t in nn.functional.broadcast_tensors(nn.ones(3, 1), nn.ones(4))]
    [(3, 4), (3, 4)]
    """
    try:
        shape = np.broadcast_shapes(*[t.shape for t in tensors])
    except ValueError:
        raise ShapeError("these shapes do not broadcast", who="broadcast_tensors",
                         got=[t.shape for t in tensors]) from None
    return tuple(expand(t, shape) for t in tensors)


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """Copy the whole tensor repeats[d] times along dimension d, as NumPy's tile.

    The gradient is the sum over the copies.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *repeats : int, or one tuple of int
        At least as many counts as dimensions; those in front make new dimensions.

    Raises
    ------
    ShapeError : if there are fewer counts than dimensions, or a negative one.

    Cost: writes each element of the result once.

    >>> import fastnn as nn
    >>> nn.tensor([1.0, 2.0]).repeat(2, 2)
    tensor([[1., 2., 1., 2.],
            [1., 2., 1., 2.]])
    """
    counts = sizes_of(repeats)
    if len(counts) < input.ndim or any(n < 0 for n in counts):
        raise ShapeError(who="repeat", expected=f"at least {input.ndim} counts, none negative", got=counts)
    lead = (1,) * (len(counts) - input.ndim)
    need_room("repeat", [n * times for n, times in zip((*lead, *input.shape), counts)], input.dtype.itemsize)
    return apply(TILE, input, repeats=counts)


def tile(input: Tensor, *repeats: Any) -> Tensor:
    """repeat, where missing counts are ones on the left. Parameters, errors and cost: as `repeat`.

    >>> import fastnn as nn
    >>> nn.functional.tile(nn.tensor([[1.0, 2.0]]), 2)
    tensor([[1., 2., 1., 2.]])
    """
    counts = sizes_of(repeats)
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


# ---- joining and cutting -------------------------------------------------------------------------
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along a dimension that they have.

    Parameters
    ----------
    tensors : sequence of Tensor
        Of one shape but for dimension dim. Where the dtypes differ, all get the one that arithmetic
        on them would have, as in PyTorch.
    dim : int

    Raises
    ------
    ShapeError : if there is no tensor, or the shapes differ elsewhere.
    DTypeError : if one is no tensor, or the dtypes have none in common.
    RangeError : if there is no such dimension.

    Cost: copies each element once; the gradients are views of dy.

    >>> import fastnn as nn
    >>> nn.cat([nn.tensor([1.0]), nn.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    try:
        tensors = of_one_dtype("cat", tensors)
        return apply(CAT, *tensors, dim=axis("cat", dim, tensors[0].ndim) if tensors else 0)
    except FOREIGN as error:
        return explain(cat, error, tensors, dim)


concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension. Parameters, errors and cost: as `cat`.

    >>> import fastnn as nn
    >>> nn.stack([nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0])])
    tensor([[1., 2.],
            [3., 4.]])
    """
    try:
        tensors = of_one_dtype("stack", tensors)
        return apply(STACK, *tensors, dim=axis("stack", dim, tensors[0].ndim + 1) if tensors else 0)
    except FOREIGN as error:
        return explain(stack, error, tensors, dim)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All slices along a dimension, which they do not have.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dim : int

    Returns
    -------
    Tuple of tensors, which are views.

    Raises
    ------
    ShapeError : if the tensor has no dimension.
    RangeError : if there is no such dimension.

    Cost: none. Backward copies each element once, or nothing where the slices' gradients lie side
    by side in memory.

    >>> import fastnn as nn
    >>> nn.functional.unbind(nn.tensor([[1.0, 2.0], [3.0, 4.0]]))
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    if input.ndim == 0:
        raise ShapeError(who="unbind", expected="a tensor with at least one dimension", got=input.shape)
    pieces: tuple[Tensor, ...] = apply(UNBIND, input, dim=axis("unbind", dim, input.ndim))
    return pieces


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along a dimension.

    Parameters
    ----------
    tensor : Tensor of any shape and dtype
    split_size_or_sections : int or sequence of int
        The size of all pieces, of which the last may be smaller; or the size of each.
    dim : int

    Returns
    -------
    Tuple of tensors, which are views.

    Raises
    ------
    ShapeError : if the sizes do not add up.
    RangeError : for a size below 1, or if there is no such dimension.

    Cost: as `unbind`.

    >>> import fastnn as nn
    >>> nn.functional.split(nn.tensor([1.0, 2.0, 3.0]), 2)
    (tensor([1., 2.]), tensor([3.]))
    """
    d = axis("split", dim, tensor.ndim)
    total = tensor.shape[d]
    if isinstance(split_size_or_sections, (tuple, list)):
        sections = list(split_size_or_sections)
        if sum(sections) != total or any(n < 0 for n in sections):
            raise ShapeError(who="split", expected=f"sizes that add up to {total}", got=sections)
    else:
        step = operator.index(split_size_or_sections)           # type: ignore[arg-type]
        if step < 1:
            raise RangeError(who="split", expected="a size of at least 1", got=step)
        sections = [min(step, total - i) for i in range(0, total, step)] or [0]
    pieces: tuple[Tensor, ...] = apply(SPLIT, tensor, sections=tuple(sections), dim=d)
    return pieces


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along a dimension into pieces of equal size, of which the last may be smaller.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    chunks : int
        At most so many pieces.
    dim : int

    Raises
    ------
    RangeError : for less than 1 chunk, or if there is no such dimension.

    Cost: as `unbind`.

    >>> import fastnn as nn
    >>> nn.functional.chunk(nn.tensor([1.0, 2.0, 3.0, 4.0]), 2)
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    if chunks < 1:
        raise RangeError(who="chunk", expected="at least 1 chunk", got=chunks)
    return split(input, max(1, -(-input.shape[axis("chunk", dim, input.ndim)] // chunks)), dim)


# ---- borders, order, triangles -------------------------------------------------------------------
def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put a border around the last dimensions.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    pad : sequence of int
        (left, right, top, bottom, ...): two widths for each dimension, from the last backwards, as
        in PyTorch. Negative widths cut, in mode "constant".
    mode : "constant", "reflect", "replicate" or "circular"
        The border is `value`; or a mirror image, without the element at the edge; or the element at
        the edge; or what stands at the other end.
    value : number, optional
        Default 0; in input's type. Integers drop the fraction, as in PyTorch.

    Raises
    ------
    ShapeError : if the widths are not pairs, are too many, or are larger than the mode allows.
    RangeError : for another mode, or if input's type cannot hold the value.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0, 3.0])
    >>> nn.functional.pad(x, (2, 1)), nn.functional.pad(x, (2, 1), "reflect")
    (tensor([0., 0., 1., 2., 3., 0.]), tensor([3., 2., 1., 2., 3., 2.]))
    """
    widths = list(pad)
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ShapeError(who="pad", expected=f"pairs of widths for at most {input.ndim} dimensions", got=tuple(pad))
    full = [(0, 0)] * (input.ndim - len(widths) // 2) + list(zip(widths[0::2], widths[1::2]))[::-1]
    if mode == "constant" and any(min(w) < 0 for w in full):
        cut = tuple(slice(max(0, -b), n - max(0, -a)) for (b, a), n in zip(full, input.shape))
        input, full = input[cut], [(max(b, 0), max(a, 0)) for b, a in full]
    need_room("pad", [max(n, 0) + b + a for n, (b, a) in zip(input.shape, full)], input.dtype.itemsize)
    return apply(PAD, input, widths=tuple(full), mode=mode,
                 value=number_of("pad", 0 if value is None else value, input.dtype))


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Reverse the order along the given dimensions. A view.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    *dims : int, or one tuple of int

    Errors and cost: as `transpose`.

    >>> import fastnn as nn
    >>> nn.functional.flip(nn.tensor([1.0, 2.0, 3.0]), 0)
    tensor([3., 2., 1.])
    """
    return apply(FLIP, input, dims=tuple(axis("flip", d, input.ndim) for d in sizes_of(dims)))


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Shift around: what leaves at one end comes in at the other.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    shifts : int or sequence of int
    dims : int or sequence of int, optional
        One for each shift; None: the flattened tensor is shifted.

    Raises
    ------
    ShapeError : if there is not one shift for each dimension.
    RangeError : if there is no such dimension.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.functional.roll(nn.tensor([1.0, 2.0, 3.0]), 1)
    tensor([3., 1., 2.])
    """
    if dims is None:
        return apply(ROLL, input, shifts=int(shifts), dims=None)      # type: ignore[arg-type]
    by = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    along = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(by) != len(along):
        raise ShapeError("needs one shift per dimension", who="roll",
                         got=f"{len(by)} shifts for {len(along)} dimensions")
    return apply(ROLL, input, shifts=by, dims=tuple(axis("roll", d, input.ndim) for d in along))


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """The lower triangle of the last two dimensions, zeros above it. The gradient is cut alike.

    Parameters
    ----------
    input : Tensor of shape (..., m, n)
    diagonal : int
        The last diagonal that is kept: 0 the main one, 1 the one above it.

    Raises
    ------
    ShapeError : if the tensor has less than two dimensions.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> nn.functional.tril(nn.ones(2, 2))
    tensor([[1., 0.],
            [1., 1.]])
    """
    return apply(TRIANGLE, input, diagonal=int(diagonal), upper=False)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dimensions, zeros below it.

    `diagonal` is the first diagonal that is kept. Parameters, errors and cost: as `tril`.

    >>> import fastnn as nn
    >>> nn.functional.triu(nn.ones(2, 2), 1)
    tensor([[0., 1.],
            [0., 0.]])
    """
    return apply(TRIANGLE, input, diagonal=int(diagonal), upper=True)


# ---- copies and types ----------------------------------------------------------------------------
def clone(input: Tensor) -> Tensor:
    """A copy in memory of its own; the gradient passes.

    Parameters
    ----------
    input : Tensor of any shape and dtype

    Raises
    ------
    DTypeError : if input is no tensor.

    Cost: copies each element once.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0])
    >>> y = x.clone(); y[0] = 5.0; x
    tensor([1., 2.])
    """
    return apply(CLONE, input)


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its memory is in row-major order, else a copy that is.

    Parameters, errors and cost: as `clone`; nothing for the tensor itself.

    >>> import fastnn as nn
    >>> x = nn.ones(2, 3)
    >>> x.contiguous() is x, x.transpose(0, 1).contiguous().data.flags.c_contiguous
    (True, True)
    """
    return input if input.data.flags.c_contiguous else apply(CLONE, input)


def to(input: Tensor, dtype: Any) -> Tensor:
    """The same values in another dtype; the tensor itself if it has that dtype.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    dtype : float32, float64, an integer type or bool
        The gradient comes back in the old one. Integers and booleans have none.

    Raises
    ------
    DTypeError : for another type.

    Cost: converts each element once.

    >>> import fastnn as nn
    >>> nn.functional.to(nn.tensor([1.7, -1.7]), "int64")
    tensor([ 1, -1])
    """
    new = dtype_of("to", dtype)
    if new == input.dtype:
        return input if isinstance(input, Tensor) else tensor(input)
    if new.kind != "f":
        return Tensor(input.data.astype(new))
    return apply(TO, input, dtype=new)


# ---- what the functions share --------------------------------------------------------------------
def axis(who: str, dim: Any, ndim: int) -> int:
    """The number of a dimension counted from the front; RangeError if there is none such."""
    try:
        d = dim.__index__()
    except AttributeError:
        raise DTypeError(who=who, expected="dim as an int", got=repr(dim)) from None
    if not -ndim <= d < max(ndim, 1):
        expected = f"{-ndim} <= dim < {ndim}" if ndim else "a tensor with dimensions"
        raise RangeError(f"dimension {d} does not exist", who=who, expected=expected)
    return d % ndim if ndim else 0


def of_one_dtype(who: str, tensors: Any) -> Sequence[Tensor]:
    """Several tensors or arrays in the type that arithmetic on them would have."""
    if tensors.__class__ is list or tensors.__class__ is tuple:             # the common case, quickly
        dtype: Any = None
        for t in tensors:
            if not isinstance(t, Tensor) or (t._data.dtype is not dtype and dtype is not None):
                break
            dtype = t._data.dtype
        else:
            return tensors
    if not isinstance(tensors, (list, tuple)):
        if isinstance(tensors, (str, bytes, dict)) or not hasattr(tensors, "__iter__"):
            raise DTypeError(who=who, expected="a sequence of tensors", got=type(tensors).__name__)
        tensors = list(tensors)
    need_array(who, **{f"tensor {i}": getattr(t, "_data", t) for i, t in enumerate(tensors)})
    found = [t if isinstance(t, Tensor) else tensor(t) for t in tensors]
    if any(t._data.dtype != found[0]._data.dtype for t in found):
        dtype = common_dtype(who, *[t._data for t in found])
        found = [to(t, dtype) for t in found]
    return found


def sizes_of(args: Sequence[Any]) -> tuple[int, ...]:
    """f(2, 3) and f((2, 3)) alike."""
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    for n in args:
        if n.__class__ is not int:
            return tuple([int(n) for n in args])
    return tuple(args)


# ---- checks --------------------------------------------------------------------------------------
def array_check(who: str) -> Callable[..., None]:
    """A check that the one input is an array."""
    def check(x: Any, **attrs: Any) -> None:
        if x.__class__ is not np.ndarray:
            need_array(who, x=x)
    return check


def check_join(name: str, arrays: tuple[Any, ...], dim: int) -> None:
    if not arrays:
        raise ShapeError("needs at least one tensor", who=name)
    first = arrays[0]
    for i, a in enumerate(arrays):
        if a.__class__ is not np.ndarray:
            need_array(name, **{f"tensor {i}": a})
        if name == "stack":
            fits, expected = a.shape == first.shape, f"{first.shape}"
        else:
            fits = a.ndim == first.ndim and all(d == dim or m == n
                                                for d, (m, n) in enumerate(zip(a.shape, first.shape)))
            expected = f"{first.shape} but for dimension {dim}"
        if not fits:
            raise ShapeError(f"tensor {i} does not fit tensor 0", who=name, expected=expected, got=a.shape)
        if a.dtype != first.dtype:
            raise DTypeError(f"tensor 0 is {first.dtype} but tensor {i} is {a.dtype}", who=name,
                             hint="Convert one of them.")


def check_pad(x: Any, *, widths: Any, mode: str, value: float) -> None:
    need_array("pad", x=x)
    if mode not in reference._PAD_MODES:
        raise RangeError(who="pad", expected=f"mode one of {', '.join(reference._PAD_MODES)}", got=mode)
    for d, ((before, after), n) in enumerate(zip(widths, x.shape)):
        limit = {"constant": None, "replicate": None, "reflect": n - 1, "circular": n}[mode]
        too_wide = limit is not None and max(before, after) > max(limit, 0)
        if before < 0 or after < 0 or too_wide or (mode == "replicate" and n == 0):
            raise ShapeError(f"dimension {d} of size {n} cannot be padded by {before, after} in mode {mode!r}",
                             who="pad")


def check_triangle(x: Any, *, diagonal: int, upper: bool) -> None:
    need_array("triangle", x=x)
    if x.ndim < 2:
        raise ShapeError(who="triu" if upper else "tril", expected="a matrix or a stack of matrices", got=x.shape)


# ---- samples -------------------------------------------------------------------------------------
def draw(name: str, *shape: int) -> np.ndarray:
    return seeded(name).standard_normal(shape)


def border(name: str, shape: tuple[int, ...], widths: Any, mode: str = "constant", value: float = 0.0) -> Sample:
    return Sample(name, (draw(name, *shape),), {"widths": widths, "mode": mode, "value": value})


# ---- records -------------------------------------------------------------------------------------
def shape_op(name: str, formula: str, samples: Callable[[], list[Sample]], errors: tuple[Any, ...],
             **fields: Any) -> Op:
    """A record whose definition is what runs, linear in x."""
    return register(Op(
        name=name, family="shape", inputs=fields.pop("inputs", ("x",)), formula=formula,
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=fields.pop("check", array_check(name)), samples=samples, errors=errors, linear_in=("x",),
        bytes=lambda n: 0, flops=lambda n: 0, **fields))


RESHAPE = shape_op(
    "reshape", "y = x in the same order with another shape",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"shape": ()}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"shape": (5, 6)}),
        Sample("empty", (draw("empty", 0, 3),), {"shape": (3, 0)}),
    ],
    errors=(
        Refusal("size", lambda: reshape(tensor(np.zeros((2, 3))), 4), ShapeError, ("reshape", "(2, 3)", "6")),
    ))

PERMUTE = shape_op(
    "permute", "y = x with its dimensions in another order",
    samples=lambda: [
        Sample("one", (draw("one", 1, 1),), {"dims": (1, 0)}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"dims": (2, 0, 1)}),
        Sample("empty", (draw("empty", 0, 3),), {"dims": (1, 0)}),
    ],
    errors=(
        Refusal("repeated", lambda: permute(tensor(np.zeros((2, 3))), 0, 0), ShapeError, ("permute", "(0, 0)")),
        Refusal("missing", lambda: transpose(tensor(np.zeros((2, 3))), 0, 2), RangeError, ("transpose", "dimension 2")),
    ))

EXPAND = shape_op(
    "expand", "y = x repeated along dimensions of size 1",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"shape": (3,)}),
        Sample("odd", (draw("odd", 3, 1),), {"shape": (2, 3, 5)}),
        Sample("same", (draw("same", 3, 2),), {"shape": (3, 2)}),
        Sample("empty", (draw("empty", 1, 3),), {"shape": (0, 3)}),
    ],
    errors=(
        Refusal("size", lambda: expand(tensor(np.zeros((2, 3))), 4, 3), ShapeError, ("expand", "(2, 3)", "(4, 3)")),
    ))

TILE = shape_op(
    "tile", "y = x repeated whole, repeats[d] times along dimension d",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"repeats": (3,)}),
        Sample("odd", (draw("odd", 3, 5),), {"repeats": (2, 3, 2)}),
        Sample("empty", (draw("empty", 0, 3),), {"repeats": (2, 2)}),
    ],
    errors=(
        Refusal("rank", lambda: repeat(tensor(np.zeros((2, 3))), 4), ShapeError, ("repeat", "at least 2")),
    ))

# The number of inputs varies, so the records show three.
CAT = register(Op(
    name="cat", family="shape", inputs=("a", "b", "c"), formula="y = the inputs one after another along dim",
    ref_forward=reference.cat_forward, ref_backward=reference.cat_backward,
    check=lambda *xs, dim: check_join("cat", xs, dim), linear_in=("a", "b", "c"),
    flops=lambda n: 0, bytes=lambda n: 8 * n,
    samples=lambda: [
        Sample("one", (draw("a", 1), draw("b", 1), draw("c", 1)), {"dim": 0}),
        Sample("odd", (draw("a", 2, 3), draw("b", 2, 1), draw("c", 2, 5)), {"dim": 1}),
        Sample("empty", (draw("a", 0, 3), draw("b", 2, 3), draw("c", 1, 3)), {"dim": 0}),
    ],
    errors=(
        Refusal("shape", lambda: cat([tensor(np.zeros((2, 3))), tensor(np.zeros((2, 4)))]),
                ShapeError, ("cat", "tensor 1", "(2, 4)")),
        Refusal("none", lambda: cat([]), ShapeError, ("cat", "at least one")),
    )))

STACK = register(Op(
    name="stack", family="shape", inputs=("a", "b", "c"), formula="y = the inputs side by side along a new dim",
    ref_forward=reference.stack_forward, ref_backward=reference.stack_backward,
    check=lambda *xs, dim: check_join("stack", xs, dim), linear_in=("a", "b", "c"),
    flops=lambda n: 0, bytes=lambda n: 8 * n,
    samples=lambda: [
        Sample("one", (draw("a", 1), draw("b", 1), draw("c", 1)), {"dim": 0}),
        Sample("odd", (draw("a", 2, 5), draw("b", 2, 5), draw("c", 2, 5)), {"dim": 1}),
        Sample("last", (draw("a", 2, 5), draw("b", 2, 5), draw("c", 2, 5)), {"dim": 2}),
    ],
    errors=(
        Refusal("shape", lambda: stack([tensor(np.zeros(2)), tensor(np.zeros(3))]),
                ShapeError, ("stack", "tensor 1", "(3,)")),
    )))

SPLIT = shape_op(
    "split", "y_i = the i-th piece of x along dim",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"sections": (1,), "dim": 0}),
        Sample("odd", (draw("odd", 2, 7, 3),), {"sections": (2, 0, 5), "dim": 1}),
        Sample("first", (draw("first", 5, 3),), {"sections": (1, 4), "dim": 0}),
    ],
    errors=(
        Refusal("sum", lambda: split(tensor(np.zeros((2, 3))), [1, 1], 1), ShapeError, ("split", "add up to 3")),
        Refusal("size", lambda: split(tensor(np.zeros((2, 3))), 0), RangeError, ("split", "at least 1")),
    ))

UNBIND = shape_op(
    "unbind", "y_i = x[i] along dim",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"dim": 0}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"dim": 1}),
        Sample("last", (draw("last", 5, 2),), {"dim": 1}),
    ],
    errors=(
        Refusal("number", lambda: unbind(tensor(1.0)), ShapeError, ("unbind", "dimension")),
        Refusal("dim", lambda: unbind(tensor(np.zeros((2, 3))), 2), RangeError, ("unbind", "dimension 2")),
    ))

PAD = shape_op(
    "pad", "y = x with a border", check=check_pad,
    samples=lambda: [
        border("one", (1,), ((0, 1),)),
        *[border(mode, (2, 4, 5), ((0, 0), (1, 2), (3, 1)), mode) for mode in reference._PAD_MODES],
        border("value", (2, 3), ((0, 0), (1, 0)), value=2.0),
    ],
    errors=(
        Refusal("reflect", lambda: pad(tensor(np.zeros((1, 3))), (3, 0), "reflect"),
                ShapeError, ("pad", "size 3", "reflect")),
        Refusal("odd", lambda: pad(tensor(np.zeros((1, 3))), (3,)), ShapeError, ("pad", "pairs")),
        Refusal("mode", lambda: pad(tensor(np.zeros((1, 3))), (1, 1), "mirror"),
                RangeError, ("pad", "mirror", "reflect")),
    ))

FLIP = shape_op(
    "flip", "y = x in reverse order along dims",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"dims": (0,)}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"dims": (0, 2)}),
        Sample("empty", (draw("empty", 0, 3),), {"dims": (1,)}),
    ],
    errors=(
        Refusal("missing", lambda: flip(tensor(np.zeros(3)), 1), RangeError, ("flip", "dimension 1")),
    ))

ROLL = shape_op(
    "roll", "y[(i + shift) mod size] = x[i]",
    samples=lambda: [
        Sample("one", (draw("one", 1),), {"shifts": (1,), "dims": (0,)}),
        Sample("odd", (draw("odd", 2, 3, 5),), {"shifts": (1, -2), "dims": (0, 2)}),
        Sample("flat", (draw("flat", 2, 3),), {"shifts": 2, "dims": None}),
    ],
    errors=(
        Refusal("lengths", lambda: roll(tensor(np.zeros(3)), (1, 2), (0,)),
                ShapeError, ("roll", "one shift per dimension")),
    ))

TRIANGLE = shape_op(
    "triangle", "y = x on and below (above) a diagonal, else 0", check=check_triangle,
    samples=lambda: [Sample("lower", (draw("lower", 2, 3, 5),), {"diagonal": 1, "upper": False}),
                     Sample("upper", (draw("upper", 3, 4),), {"diagonal": -1, "upper": True})],
    errors=(
        Refusal("vector", lambda: tril(tensor(np.zeros(3))), ShapeError, ("tril", "matrix", "(3,)")),
    ))

CLONE: Op = shape_op(
    "clone", "y = x in memory of its own",
    samples=lambda: [Sample("odd", (draw("odd", 2, 3, 5),)), Sample("empty", (draw("empty", 0, 2),))],
    errors=(
        Refusal("list", lambda: apply(CLONE, [1.0]), DTypeError, ("clone", "list", "nn.tensor")),
    ))

TO = shape_op(
    "to", "y = x in another dtype",
    samples=lambda: [Sample("odd", (draw("odd", 2, 3, 5),), {"dtype": np.float64})],
    errors=(
        Refusal("complex", lambda: to(tensor([1.0]), "complex64"), DTypeError, ("to", "complex64")),
    ))
