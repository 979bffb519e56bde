"""Shape ops: elements move, nothing is computed.

NumPy does these as views where it can; definitions: fastnn/reference/shape.py.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import shape as reference
from ..tensor import Tensor, tensor
from .checks import need_array

__all__ = ["atleast_1d", "broadcast_tensors", "broadcast_to", "cat", "chunk", "clone", "concatenate", "contiguous",
           "expand", "flatten", "flip",
           "movedim", "pad", "permute", "repeat", "reshape", "roll", "split", "squeeze", "stack", "swapaxes", "tile",
           "to", "transpose", "tril", "triu", "unbind", "unflatten", "unsqueeze"]


def reshape(input: Tensor, *shape: Any) -> Tensor:
    """The same elements, in the same order, in another shape; one size may be -1. A view where the
    layout allows.

    >>> import fastnn as nn
    >>> nn.functional.reshape(nn.tensor([1.0, 2.0, 3.0, 4.0]), 2, -1)
    tensor([[1., 2.],
            [3., 4.]])
    """
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


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the dimensions start_dim to end_dim into one."""
    if input.ndim == 0:
        return reshape(input, 1)
    start, end = axis("flatten", start_dim, input.ndim), axis("flatten", end_dim, input.ndim)
    if start > end:
        raise RangeError(who="flatten", expected="start_dim <= end_dim", got=(start_dim, end_dim))
    sizes = input._data.shape
    return apply(RESHAPE, input, shape=(*sizes[:start], math.prod(sizes[start:end + 1]), *sizes[end + 1:]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split one dimension into several."""
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
    """Drop dimensions of size 1: all of them, or those named (others are left alone)."""
    dims = range(input.ndim) if dim is None else [axis("squeeze", d, input.ndim)
                                                  for d in (dim if isinstance(dim, tuple) else (dim,))]
    return apply(RESHAPE, input, shape=tuple(n for d, n in enumerate(input.shape) if n != 1 or d not in dims))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new dimension of size 1 at place dim."""
    d = axis("unsqueeze", dim, input.ndim + 1)
    return apply(RESHAPE, input, shape=(*input.shape[:d], 1, *input.shape[d:]))


def atleast_1d(input: Tensor) -> Tensor:
    """`input`, or for a tensor without dimensions its one element in a dimension of its own."""
    return reshape(input, 1) if input.ndim == 0 else input


def permute(input: Tensor, *dims: Any) -> Tensor:
    """The dimensions in another order: y[i_dims[0], i_dims[1], ...]. A view."""
    order, ndim = sizes_of(dims), input._data.ndim
    places = [d if 0 <= d < ndim else axis("permute", d, ndim) for d in order]
    if sorted(places) != list(range(ndim)):
        raise ShapeError(f"the order must name each of the {ndim} dimensions once", who="permute", got=order)
    return apply(PERMUTE, input, dims=tuple(places))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Exchange two dimensions. A view; matmul and linear read it without a copy."""
    ndim = input._data.ndim
    order = list(range(ndim))
    a, b = axis("transpose", dim0, ndim), axis("transpose", dim1, ndim)
    if order:
        order[a], order[b] = b, a
    return apply(PERMUTE, input, dims=tuple(order))


swapaxes = transpose


def movedim(input: Tensor, source: int, destination: int) -> Tensor:
    """Move one dimension to another place."""
    order = list(range(input.ndim))
    order.insert(axis("movedim", destination, input.ndim), order.pop(axis("movedim", source, input.ndim)))
    return apply(PERMUTE, input, dims=tuple(order))


def expand(input: Tensor, *shape: Any) -> Tensor:
    """Repeat along dimensions of size 1 and new leading ones, without a copy; -1 keeps a size."""
    new = sizes_of(shape)
    lead = len(new) - input.ndim
    full = tuple((input.shape[i - lead] if i >= lead else -1) if n == -1 else n for i, n in enumerate(new))
    if lead < 0 or any(n < 0 for n in full) or any(have not in (1, n) for have,
                                                   n in zip(input.shape, full[max(lead, 0):])):
        raise ShapeError(f"shape {input.shape} cannot be expanded to {new}: only dimensions of size 1 repeat",
                         who="expand")
    return apply(EXPAND, input, shape=full)


broadcast_to = expand


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All of them expanded to the one shape that NumPy's broadcasting gives."""
    try:
        shape = np.broadcast_shapes(*[t.shape for t in tensors])
    except ValueError:
        raise ShapeError("these shapes do not broadcast", who="broadcast_tensors",
                         got=[t.shape for t in tensors]) from None
    return tuple(expand(t, shape) for t in tensors)


def repeat(input: Tensor, *repeats: Any) -> Tensor:
    """Copy the whole tensor repeats[d] times along dimension d (NumPy's tile)."""
    counts = sizes_of(repeats)
    if len(counts) < input.ndim or any(n < 0 for n in counts):
        raise ShapeError(who="repeat", expected=f"at least {input.ndim} counts, none negative", got=counts)
    return apply(TILE, input, repeats=counts)


def tile(input: Tensor, *repeats: Any) -> Tensor:
    """As repeat, but fewer counts than dimensions are filled with ones on the left."""
    counts = sizes_of(repeats)
    return repeat(input, (1,) * (input.ndim - len(counts)) + counts)


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors along a dimension that they have.

    >>> import fastnn as nn
    >>> nn.cat([nn.tensor([1.0]), nn.tensor([2.0, 3.0])])
    tensor([1., 2., 3.])
    """
    tensors = list(tensors)
    return apply(CAT, *tensors, dim=axis("cat", dim, tensors[0].ndim) if tensors else 0)


concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new dimension."""
    tensors = list(tensors)
    return apply(STACK, *tensors, dim=axis("stack", dim, tensors[0].ndim + 1) if tensors else 0)


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All slices along a dimension, without it. Views. Cost: backward takes no copy where the
    slices' gradients lie side by side in memory.

    >>> import fastnn as nn
    >>> nn.functional.unbind(nn.tensor([[1.0, 2.0], [3.0, 4.0]]))
    (tensor([1., 2.]), tensor([3., 4.]))
    """
    if input.ndim == 0:
        raise ShapeError(who="unbind", expected="a tensor with at least one dimension", got=input.shape)
    pieces: tuple[Tensor, ...] = apply(UNBIND, input, dim=axis("unbind", dim, input.ndim))
    return pieces


def split(tensor: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along a dimension into pieces of one size (the last may be smaller) or of the given
    sizes. Views.
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
    """Cut along a dimension into at most `chunks` pieces of equal size (the last may be smaller).

    Views.
    """
    if chunks < 1:
        raise RangeError(who="chunk", expected="at least 1 chunk", got=chunks)
    return split(input, max(1, -(-input.shape[axis("chunk", dim, input.ndim)] // chunks)), dim)


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Put a border around the last dimensions.

    pad : (left, right, top, bottom, ...), from the last dimension backwards, as in PyTorch;
    negative widths cut in mode "constant".
    mode : "constant" (value, default 0), "reflect", "replicate" or "circular".
    """
    widths = list(pad)
    if len(widths) % 2 or len(widths) > 2 * input.ndim:
        raise ShapeError(who="pad", expected=f"pairs of widths for at most {input.ndim} dimensions", got=tuple(pad))
    full = [(0, 0)] * (input.ndim - len(widths) // 2) + list(zip(widths[0::2], widths[1::2]))[::-1]
    if mode == "constant" and any(min(w) < 0 for w in full):
        cut = tuple(slice(max(0, -b), n - max(0, -a)) for (b, a), n in zip(full, input.shape))
        input, full = input[cut], [(max(b, 0), max(a, 0)) for b, a in full]
    return apply(PAD, input, widths=tuple(full), mode=mode, value=float(value or 0.0))


def flip(input: Tensor, *dims: Any) -> Tensor:
    """Reverse the order along the given dimensions. A view."""
    return apply(FLIP, input, dims=tuple(axis("flip", d, input.ndim) for d in sizes_of(dims)))


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Shift around: what leaves at one end comes in at the other; over the flattened tensor if dims
    is None.
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
    """The lower triangle of the last two dimensions, zeros above the diagonal."""
    return apply(TRIANGLE, input, diagonal=int(diagonal), upper=False)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """The upper triangle of the last two dimensions, zeros below the diagonal."""
    return apply(TRIANGLE, input, diagonal=int(diagonal), upper=True)


def clone(input: Tensor) -> Tensor:
    """A copy in memory of its own; the gradient flows through."""
    return apply(CLONE, input)


def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if its memory is in row-major order, else a copy that is."""
    return input if input.data.flags.c_contiguous else apply(CLONE, input)


def to(input: Tensor, dtype: Any) -> Tensor:
    """The same values in another dtype; the tensor itself if it has that dtype.

    The gradient comes back in the old one.
    """
    new = np.dtype(dtype)
    if new.kind not in "fiub" or (new.kind == "f" and new.itemsize not in (4, 8)):
        raise DTypeError(who="to", expected="float32, float64, an integer type or bool", got=str(new))
    if new == input.dtype:
        return input
    if new.kind != "f":
        return Tensor(input.data.astype(new))
    return apply(TO, input, dtype=new)


# ---- what the functions share --------------------------------------------------------------------
def axis(who: str, dim: Any, ndim: int) -> int:
    """A dimension number counted from the front; RangeError if there is none such."""
    try:
        d = dim.__index__()
    except AttributeError:
        raise DTypeError(who=who, expected="dim as an int", got=repr(dim)) from None
    if not -ndim <= d < max(ndim, 1):
        raise RangeError(f"dimension {d} does not exist", who=who, expected=f"{-ndim} <= dim < {ndim}" if ndim
                         else "a tensor with dimensions")
    return d % ndim if ndim else 0


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


def _check_join(name: str, arrays: tuple[Any, ...], dim: int) -> None:
    if not arrays:
        raise ShapeError("needs at least one tensor", who=name)
    need_array(name, **{f"tensor {i}": a for i, a in enumerate(arrays)})
    first = arrays[0]
    for i, a in enumerate(arrays):
        same = a.shape == first.shape if name == "stack" else (
            a.ndim == first.ndim and all(d == dim or m == n for d, (m, n) in enumerate(zip(a.shape, first.shape))))
        if not same:
            raise ShapeError(f"tensor {i} does not fit tensor 0", who=name,
                             expected=f"{first.shape}{'' if name == 'stack' else f' but for dimension {dim}'}",
                             got=a.shape)
        if a.dtype != first.dtype:
            raise DTypeError(f"tensor 0 is {first.dtype} but tensor {i} is {a.dtype}", who=name,
                             hint="Convert one of them.")


def _check_pad(x: Any, *, widths: Any, mode: str, value: float) -> None:
    need_array("pad", x=x)
    if mode not in reference._PAD_MODES:
        raise RangeError(who="pad", expected=f"mode one of {', '.join(reference._PAD_MODES)}", got=mode)
    for d, ((before, after), n) in enumerate(zip(widths, x.shape)):
        limit = {"constant": None, "replicate": None, "reflect": n - 1, "circular": n}[mode]
        if (before < 0 or after < 0) or (limit is not None
                                         and max(before, after) > max(limit, 0)) or (mode == "replicate" and n == 0):
            raise ShapeError(f"dimension {d} of size {n} cannot be padded by {before, after} in mode {mode!r}",
                             who="pad")


def _check_triangle(x: Any, *, diagonal: int, upper: bool) -> None:
    need_array("triangle", x=x)
    if x.ndim < 2:
        raise ShapeError(who="triu" if upper else "tril", expected="a matrix or a stack of matrices", got=x.shape)


# ---- samples -------------------------------------------------------------------------------------
def draw(name: str, *shape: int) -> np.ndarray:
    return seeded(name).standard_normal(shape)


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
    samples=lambda: [Sample("one", (draw("one", 1),), {"shape": ()}),
                     Sample("odd", (draw("odd", 2, 3, 5),), {"shape": (5, 6)}),
                     Sample("empty", (draw("empty", 0, 3),), {"shape": (3, 0)})],
    errors=(
        Refusal("size", lambda: reshape(tensor(np.zeros((2, 3))), 4), ShapeError, ("reshape", "(2, 3)", "6")),
    ))

PERMUTE = shape_op(
    "permute", "y = x with its dimensions in another order",
    samples=lambda: [Sample("one", (draw("one", 1, 1),), {"dims": (1, 0)}),
                     Sample("odd", (draw("odd", 2, 3, 5),), {"dims": (2, 0, 1)}),
                     Sample("empty", (draw("empty", 0, 3),), {"dims": (1, 0)})],
    errors=(
        Refusal("repeated", lambda: permute(tensor(np.zeros((2, 3))), 0, 0), ShapeError, ("permute", "(0, 0)")),
        Refusal("missing", lambda: transpose(tensor(np.zeros((2, 3))), 0, 2), RangeError, ("transpose", "dimension 2")),
    ))

EXPAND = shape_op(
    "expand", "y = x repeated along dimensions of size 1",
    samples=lambda: [Sample("one", (draw("one", 1),), {"shape": (3,)}),
                     Sample("odd", (draw("odd", 3, 1),), {"shape": (2, 3, 5)}),
                     Sample("same", (draw("same", 3, 2),), {"shape": (3, 2)}),
                     Sample("empty", (draw("empty", 1, 3),), {"shape": (0, 3)})],
    errors=(
        Refusal("size", lambda: expand(tensor(np.zeros((2, 3))), 4, 3), ShapeError, ("expand", "(2, 3)", "(4, 3)")),
    ))

TILE = shape_op(
    "tile", "y = x repeated whole, repeats[d] times along dimension d",
    samples=lambda: [Sample("one", (draw("one", 1),), {"repeats": (3,)}),
                     Sample("odd", (draw("odd", 3, 5),), {"repeats": (2, 3, 2)}),
                     Sample("empty", (draw("empty", 0, 3),), {"repeats": (2, 2)})],
    errors=(
        Refusal("rank", lambda: repeat(tensor(np.zeros((2, 3))), 4), ShapeError, ("repeat", "at least 2")),
    ))

# The number of inputs varies, so the records show three.
CAT = register(Op(
    name="cat", family="shape", inputs=("a", "b", "c"), formula="y = the inputs one after another along dim",
    ref_forward=reference.cat_forward, ref_backward=reference.cat_backward,
    check=lambda *xs, dim: _check_join("cat", xs, dim), linear_in=("a", "b", "c"), flops=lambda n: 0,
                  bytes=lambda n: 8 * n,
    samples=lambda: [Sample("one", (draw("a", 1), draw("b", 1), draw("c", 1)), {"dim": 0}),
                     Sample("odd", (draw("a", 2, 3), draw("b", 2, 1), draw("c", 2, 5)), {"dim": 1}),
                     Sample("empty", (draw("a", 0, 3), draw("b", 2, 3), draw("c", 1, 3)), {"dim": 0})],
    errors=(
        Refusal("shape", lambda: cat([tensor(np.zeros((2, 3))), tensor(np.zeros((2, 4)))]),
                ShapeError, ("cat", "tensor 1", "(2, 4)")),
        Refusal("none", lambda: cat([]), ShapeError, ("cat", "at least one")),
    )))

STACK = register(Op(
    name="stack", family="shape", inputs=("a", "b", "c"), formula="y = the inputs side by side along a new dim",
    ref_forward=reference.stack_forward, ref_backward=reference.stack_backward,
    check=lambda *xs, dim: _check_join("stack", xs, dim), linear_in=("a", "b", "c"), flops=lambda n: 0,
                    bytes=lambda n: 8 * n,
    samples=lambda: [Sample("one", (draw("a", 1), draw("b", 1), draw("c", 1)), {"dim": 0}),
                     Sample("odd", (draw("a", 2, 5), draw("b", 2, 5), draw("c", 2, 5)), {"dim": 1}),
                     Sample("last", (draw("a", 2, 5), draw("b", 2, 5), draw("c", 2, 5)), {"dim": 2})],
    errors=(
        Refusal("shape", lambda: stack([tensor(np.zeros(2)), tensor(np.zeros(3))]),
                ShapeError, ("stack", "tensor 1", "(3,)")),
    )))

SPLIT = shape_op(
    "split", "y_i = the i-th piece of x along dim",
    samples=lambda: [Sample("one", (draw("one", 1),), {"sections": (1,), "dim": 0}),
                     Sample("odd", (draw("odd", 2, 7, 3),), {"sections": (2, 0, 5), "dim": 1}),
                     Sample("first", (draw("first", 5, 3),), {"sections": (1, 4), "dim": 0})],
    errors=(
        Refusal("sum", lambda: split(tensor(np.zeros((2, 3))), [1, 1], 1), ShapeError, ("split", "add up to 3")),
        Refusal("size", lambda: split(tensor(np.zeros((2, 3))), 0), RangeError, ("split", "at least 1")),
    ))

UNBIND = shape_op(
    "unbind", "y_i = x[i] along dim",
    samples=lambda: [Sample("one", (draw("one", 1),), {"dim": 0}), Sample("odd", (draw("odd", 2, 3, 5),), {"dim": 1}),
                     Sample("last", (draw("last", 5, 2),), {"dim": 1})],
    errors=(
        Refusal("number", lambda: unbind(tensor(1.0)), ShapeError, ("unbind", "dimension")),
        Refusal("dim", lambda: unbind(tensor(np.zeros((2, 3))), 2), RangeError, ("unbind", "dimension 2")),
    ))

PAD = shape_op(
    "pad", "y = x with a border", check=_check_pad,
    samples=lambda: [Sample("one", (draw("one", 1),), {"widths": ((0, 1),), "mode": "constant", "value": 0.0}),
                     *[Sample(mode, (draw(mode, 2, 4, 5),), {"widths": ((0, 0), (1, 2), (3, 1)), "mode": mode,
                                                             "value": 0.0})
                       for mode in reference._PAD_MODES],
                     Sample("value", (draw("value", 2, 3),), {"widths": ((0, 0), (1, 0)), "mode": "constant",
                                                              "value": 2.0})],
    errors=(
        Refusal("reflect", lambda: pad(tensor(np.zeros((1, 3))), (3, 0), "reflect"),
                ShapeError, ("pad", "size 3", "reflect")),
        Refusal("odd", lambda: pad(tensor(np.zeros((1, 3))), (3,)), ShapeError, ("pad", "pairs")),
        Refusal("mode", lambda: pad(tensor(np.zeros((1, 3))), (1, 1), "mirror"),
                RangeError, ("pad", "mirror", "reflect")),
    ))

FLIP = shape_op(
    "flip", "y = x in reverse order along dims",
    samples=lambda: [Sample("one", (draw("one", 1),), {"dims": (0,)}),
                     Sample("odd", (draw("odd", 2, 3, 5),), {"dims": (0, 2)}),
                     Sample("empty", (draw("empty", 0, 3),), {"dims": (1,)})],
    errors=(
        Refusal("missing", lambda: flip(tensor(np.zeros(3)), 1), RangeError, ("flip", "dimension 1")),
    ))

ROLL = shape_op(
    "roll", "y[(i + shift) mod size] = x[i]",
    samples=lambda: [Sample("one", (draw("one", 1),), {"shifts": (1,), "dims": (0,)}),
                     Sample("odd", (draw("odd", 2, 3, 5),), {"shifts": (1, -2), "dims": (0, 2)}),
                     Sample("flat", (draw("flat", 2, 3),), {"shifts": 2, "dims": None})],
    errors=(
        Refusal("lengths", lambda: roll(tensor(np.zeros(3)), (1, 2), (0,)),
                ShapeError, ("roll", "one shift per dimension")),
    ))

TRIANGLE = shape_op(
    "triangle", "y = x on and below (above) a diagonal, else 0", check=_check_triangle,
    samples=lambda: [Sample("lower", (draw("lower", 2, 3, 5),), {"diagonal": 1, "upper": False}),
                     Sample("upper", (draw("upper", 3, 4),), {"diagonal": -1, "upper": True})],
    errors=(
        Refusal("vector", lambda: tril(tensor(np.zeros(3))), ShapeError, ("tril", "matrix", "(3,)")),
    ))

CLONE: Op = shape_op("clone", "y = x in memory of its own",
                 samples=lambda: [Sample("odd", (draw("odd", 2, 3, 5),)), Sample("empty", (draw("empty", 0, 2),))],
                 errors=(
                     Refusal("list", lambda: apply(CLONE, [1.0]), DTypeError, ("clone", "list", "nn.tensor")),
                 ))
TO = shape_op("to", "y = x in another dtype",
              samples=lambda: [Sample("odd", (draw("odd", 2, 3, 5),), {"dtype": np.float64})],
              errors=(
                  Refusal("complex", lambda: to(tensor([1.0]), "complex64"), DTypeError, ("to", "complex64")),
              ))
