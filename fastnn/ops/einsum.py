"""Einstein sums: any product of tensors, summed over any of their axes, written in letters.

An equation of several operands is worked off two at a time, the pair with the smallest result
first. Each pair is one op `einsum`, which brings the pair into the form of one batched matrix
product, and has csrc/gemm/gemm.c multiply it. Definition: fastnn/reference/einsum.py.
"""

from __future__ import annotations

import math
import string
from collections import Counter
from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import described
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import einsum as reference
from ..tensor import Tensor, tensor
from .checks import need_array, need_float
from .shape import reshape

__all__ = ["einsum"]

_matmul: Any = kernel("matmul_forward")


def einsum(equation: str | Tensor, *operands: Any) -> Tensor:
    r"""Products of tensors, summed over the indices that the result lacks.

    .. math:: \texttt{"ij,jk->ik"}: \quad y_{ik} = \sum_j a_{ij} b_{jk}

    Each letter of the equation is an index.

    Parameters
    ----------
    equation : str
        The axes of each operand, separated by commas, then ``->`` and the axes of the result. A
        letter that stands twice in one operand means its diagonal (``"ii->i"``, trace ``"ii"``).
        ``...`` stands for further axes, which broadcast. Without ``->`` the result has the axes of
        ``...``, then the letters that stand once, in alphabetical order.
    *operands : Tensors, or one list of them
        All float32 or all float64.

    Numbers may stand in the place of letters: einsum(a, [0, 1], b, [1, 2], [0, 2]), each operand
    followed by the list of its axes, and the result's last; `...` is Ellipsis.

    Returns
    -------
    Tensor with the axes of the result.

    Raises
    ------
    ShapeError : if the equation is malformed, does not fit the operands, or a letter has two sizes.
    DTypeError : if an operand is not floating point, or their dtypes differ.

    Cost: for two operands that of one batched matrix product, and a copy of those whose axes must
    move. More operands are worked off in pairs, the pair with the smallest result first.

    >>> import fastnn as nn
    >>> a, b = nn.tensor([[1.0, 2.0], [3.0, 4.0]]), nn.tensor([[5.0, 6.0], [7.0, 8.0]])
    >>> nn.functional.einsum("ij,jk->ik", a, b)
    tensor([[19., 22.],
            [43., 50.]])
    >>> nn.functional.einsum("ii", a)
    tensor(5.)
    """
    if not isinstance(equation, str):
        equation, operands = from_lists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    arrays = {f"operand {i + 1}": x._data if isinstance(x, Tensor) else x for i, x in enumerate(operands)}
    need_array("einsum", **arrays)
    need_float("einsum", **arrays)
    shapes = [a.shape for a in arrays.values()]
    axes, out = parse(equation, shapes)
    size = agree(equation, axes, shapes)

    left: list[tuple[Any, str]] = []
    for x, letters, shape in zip(operands, axes, shapes):
        # axes that broadcast are left out
        kept = [i for i, c in enumerate(letters) if shape[i] == size[c]]
        if len(kept) < len(letters):
            x = reshape(x if isinstance(x, Tensor) else tensor(x), *[shape[i] for i in kept])
            letters = "".join(letters[i] for i in kept)
        left.append((x, letters))
    while len(left) > 2:
        left.append(merged(left, out, size))
    (x, x_axes), (y, y_axes) = left if len(left) == 2 else (left[0], (None, ""))
    return apply(EINSUM, x, y, x_axes=x_axes, y_axes=y_axes, out=out)


# ---- what the functions share --------------------------------------------------------------------
def parse(equation: str, shapes: list[tuple[int, ...]]) -> tuple[list[str], str]:
    """The letters of each operand and of the result.

    The axes of an ellipsis are called 0, 1, 2, ... from the last one on.
    """
    text = equation.replace(" ", "")
    left, *right = text.split("->")
    if len(right) > 1:
        raise ShapeError(f"the equation {equation!r} has more than one '->'", who="einsum")
    for part in [*left.split(","), *right]:
        for c in part.replace("...", "", 1):
            if not (c.isascii() and c.isalpha()):
                raise ShapeError(f"{c!r} in the equation {equation!r} is neither a letter "
                                 "nor part of one '...' per operand", who="einsum")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise ShapeError(f"the equation {equation!r} has {len(terms)} operands", who="einsum",
                         expected=f"{len(terms)} tensors", got=len(shapes))

    widest = 0
    axes = []
    for term, shape in zip(terms, shapes):
        letters = term.replace("...", "")
        dots = len(shape) - len(letters)
        if dots < 0 or (dots > 0 and "..." not in term):
            need = f"at least {len(letters)}" if "..." in term else str(len(letters))
            raise ShapeError(f"the operand {term!r} of {equation!r} needs {need} dimensions", who="einsum",
                             got=f"shape {shape}")
        widest = max(widest, dots if "..." in term else 0)
        axes.append(term.replace("...", names(dots)))

    counts = Counter("".join(terms).replace(".", ""))
    if right:
        out = right[0].replace("...", names(widest))
        for c in right[0].replace("...", ""):
            if c not in counts:
                raise ShapeError(f"no operand of {equation!r} has the letter {c!r} of the result", who="einsum")
            if right[0].count(c) > 1:
                raise ShapeError(f"the result of {equation!r} has the letter {c!r} twice", who="einsum",
                                 hint="Only operands may have diagonals.")
    else:
        out = names(widest) + "".join(sorted(c for c, count in counts.items() if count == 1))
    return axes, out


def names(count: int) -> str:
    """The names of the axes of an ellipsis: "210" for three."""
    return "".join(chr(ord("0") + i) for i in range(count - 1, -1, -1))


def agree(equation: str, axes: list[str], shapes: list[tuple[int, ...]]) -> dict[str, int]:
    """The size of each letter; ShapeError where two operands, or two axes of one, differ."""
    size: dict[str, int] = {}
    for letters, shape in zip(axes, shapes):
        for c, n in zip(letters, shape):
            if size.setdefault(c, n) == n or (not c.isalpha() and n == 1):
                continue
            if not c.isalpha() and size[c] == 1:
                size[c] = n
                continue
            what = f"the letter {c!r}" if c.isalpha() else "an axis of '...'"
            raise ShapeError(f"{what} of {equation!r} has two sizes", who="einsum", expected=size[c],
                             got=f"{n} in shape {shape}")
    return size


def merged(left: list[tuple[Any, str]], out: str, size: dict[str, int]) -> tuple[Any, str]:
    """Take the pair with the smallest result, of equals the first, out of `left`; multiply it."""
    def result(i: int, j: int) -> str:
        others = out + "".join(letters for k, (_, letters) in enumerate(left) if k not in (i, j))
        return "".join(c for c in dict.fromkeys(left[i][1] + left[j][1]) if c in others)

    pairs = [(i, j) for j in range(len(left)) for i in range(j)]
    i, j = min(pairs, key=lambda pair: math.prod(size[c] for c in result(*pair)))
    axes = result(i, j)
    (y, y_axes), (x, x_axes) = left.pop(j), left.pop(i)
    return apply(EINSUM, x, y, x_axes=x_axes, y_axes=y_axes, out=axes), axes


# ---- one operand or two --------------------------------------------------------------------------
def diagonal(a: np.ndarray, axes: str) -> tuple[np.ndarray, str]:
    """A view in which each letter has one axis: repeated letters become the diagonal."""
    letters = "".join(dict.fromkeys(axes))
    if len(letters) == len(axes):
        return a, axes
    strides = [sum(s for c, s in zip(axes, a.strides) if c == letter) for letter in letters]
    shape = [a.shape[axes.index(letter)] for letter in letters]
    return np.lib.stride_tricks.as_strided(a, shape, strides), letters


def arranged(a: np.ndarray, axes: str, order: str) -> np.ndarray:
    """A view with its axes in another order."""
    return np.asarray(a).transpose([axes.index(c) for c in order])


def alone(a: np.ndarray, axes: str, wanted: str) -> tuple[np.ndarray, str]:
    """Take the diagonals and sum over the letters that nobody else wants."""
    a, axes = diagonal(a, axes)
    left = "".join(c for c in axes if c in wanted)
    # contiguous, so that the order of the sum is the same for every layout
    if left != axes:
        a = np.ascontiguousarray(a).sum(tuple(i for i, c in enumerate(axes) if c not in wanted))
    return a, left


def contract(x: np.ndarray, x_axes: str, y: np.ndarray | None, y_axes: str, out: str) -> np.ndarray:
    """The sum, as one batched matrix product: [batch, rows, inner] [batch, inner, columns]."""
    x, x_axes = alone(x, x_axes, out + y_axes)
    if y is None:
        return np.array(arranged(x, x_axes, out), order="C")
    y, y_axes = alone(y, y_axes, out + x_axes)
    # let the result's last axis be that of the columns
    if out and out[-1] in x_axes and out[-1] not in y_axes:
        x, x_axes, y, y_axes = y, y_axes, x, x_axes
    batch = "".join(c for c in out if c in x_axes and c in y_axes)
    inner = "".join(c for c in x_axes if c in y_axes and c not in out)
    rows = "".join(c for c in out if c in x_axes and c not in batch)
    columns = "".join(c for c in out if c in y_axes and c not in batch)
    size = {**dict(zip(x_axes, x.shape)), **dict(zip(y_axes, y.shape))}
    b, m, k, n = (tuple(size[c] for c in part) for part in (batch, rows, inner, columns))
    x = arranged(x, x_axes, batch + rows + inner)
    y = arranged(y, y_axes, batch + inner + columns)
    if not inner:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            product = x.reshape(b + m + (1,) * len(n)) * y.reshape(b + (1,) * len(m) + n)
    else:
        x = x.reshape(math.prod(b), math.prod(m), math.prod(k))
        y = y.reshape(math.prod(b), math.prod(k), math.prod(n))
        product = _matmul(x, y)[0].reshape(b + m + n)
    return arranged(product, batch + rows + columns, out)


def gradient(dy: np.ndarray, out: str, x: np.ndarray, x_axes: str, y: np.ndarray | None, y_axes: str) -> np.ndarray:
    """dx is the sum of dy * y over the letters that x lacks, the same along the letters that only x
    has, on x's diagonals.
    """
    letters = "".join(dict.fromkeys(x_axes))
    known = "".join(c for c in letters if c in out or c in y_axes)
    g = contract(dy, out, y, y_axes, known)
    if len(letters) == len(x_axes) == len(known):
        return g
    dx = np.zeros(x.shape, x.dtype)
    view, _ = diagonal(dx, x_axes)
    view[...] = g[tuple(slice(None) if c in known else None for c in letters)]
    return dx


def from_lists(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The equation and the operands of einsum(a, [0, 1], b, [1, 2], [0, 2])."""
    lists = [*given[1::2], *(given[-1:] if len(given) % 2 else ())]
    letters = string.ascii_uppercase + string.ascii_lowercase
    terms = []
    for axes in lists:
        if isinstance(axes, (np.ndarray, Tensor)) and axes.ndim == 1:
            axes = axes.tolist()
        if not isinstance(axes, (list, tuple, range)):
            raise DTypeError(who="einsum", expected="an equation, or each operand followed by the list of its axes",
                             got=described(axes))
        for n in axes:
            if n is not Ellipsis and not (isinstance(n, (int, np.integer)) and 0 <= n < len(letters)):
                raise RangeError(who="einsum", expected=f"axes as numbers from 0 to {len(letters) - 1}, or Ellipsis",
                                 got=repr(n))
        terms.append("".join(["..." if n is Ellipsis else letters[n] for n in axes]))
    result = "->" + terms.pop() if len(given) % 2 else ""
    return ",".join(terms) + result, given[:len(given) - len(given) % 2:2]


def einsum_forward(x: np.ndarray, y: np.ndarray | None, *, x_axes: str, y_axes: str, out: str) -> Any:
    return contract(x, x_axes, y, y_axes, out), (x, y)


def einsum_backward(dy: np.ndarray, saved: Any, needs: Any = None, *, x_axes: str, y_axes: str, out: str) -> Any:
    x, y = saved
    dx = gradient(dy, out, x, x_axes, y, y_axes) if needs is None or needs[0] else None
    dy_ = gradient(dy, out, y, y_axes, x, x_axes) if y is not None and (needs is None or needs[1]) else None
    return dx, dy_


# ---- checks --------------------------------------------------------------------------------------
def check(x: np.ndarray, y: np.ndarray | None, *, x_axes: str, y_axes: str, out: str) -> None:
    need_float("einsum", **{"operand 1": x, "operand 2": y})
    # one size for each letter: a stride over a shorter axis would lead out of the array
    size: dict[str, int] = {}
    for a, axes in ((x, x_axes), (y, y_axes)):
        if a is not None and (len(axes) != a.ndim or any(size.setdefault(c, n) != n for c, n in zip(axes, a.shape))):
            raise ShapeError(who="einsum", expected=f"an operand with axes {axes!r}, one size for each letter",
                             got=a.shape)


# ---- samples -------------------------------------------------------------------------------------
def sample(name: str, equation: str, x: tuple[int, ...], y: tuple[int, ...] | None = None) -> Sample:
    rng = seeded(name)
    terms, out = equation.split("->")
    x_axes, y_axes = (terms + ",").split(",")[:2]
    size = {**dict(zip(x_axes, x)), **dict(zip(y_axes, y or ()))}
    return Sample(name, (rng.standard_normal(x), None if y is None else rng.standard_normal(y)),
                  {"x_axes": x_axes, "y_axes": y_axes, "out": out},
                  {"products": math.prod(size.values()), "results": math.prod(size[c] for c in out)})


def samples() -> list[Sample]:
    return [
        sample("one", "ij,jk->ik", (1, 1), (1, 1)),
        sample("matmul", "ij,jk->ik", (5, 7), (7, 3)),
        sample("transposed", "ij,kj->ki", (5, 7), (3, 7)),
        sample("batch", "bij,bjk->bik", (2, 3, 5), (2, 5, 7)),
        sample("heads", "bthd,bshd->bhts", (2, 3, 2, 5), (2, 7, 2, 5)),
        sample("two inner", "aijb,jkbi->ka", (3, 2, 5, 7), (5, 11, 7, 2)),
        sample("outer", "i,j->ji", (3,), (5,)),
        sample("elementwise", "ij,ji->ij", (3, 5), (5, 3)),
        sample("dot", "i,i->", (7,), (7,)),
        sample("rows' dots", "ij,ij->i", (5, 7), (5, 7)),
        sample("summed alone", "ijk,kl->jl", (3, 5, 7), (7, 2)),
        sample("number", ",ij->ji", (), (3, 5)),
        sample("numbers", ",->", (), ()),
        sample("permuted", "ijk->kij", (2, 3, 5)),
        sample("summed", "ijk->j", (2, 3, 5)),
        sample("everything", "ij->", (3, 5)),
        sample("trace", "ii->", (5, 5)),
        sample("diagonal", "jii->ij", (2, 5, 5)),
        sample("diagonal product", "iij,jk->ki", (3, 3, 5), (5, 2)),
        sample("diagonal summed", "iij,jk->jk", (3, 3, 5), (5, 2)),
        sample("empty inner", "ij,jk->ik", (3, 0), (0, 2)),
        sample("empty", "ij,jk->ik", (0, 3), (3, 2)),
    ]


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(x: np.ndarray, y: np.ndarray | None, *, x_axes: str, y_axes: str, out: str) -> np.ndarray:
    if y is None:
        return np.einsum(f"{x_axes}->{out}", x)
    return np.einsum(f"{x_axes},{y_axes}->{out}", x, y, optimize=True)


# ---- records -------------------------------------------------------------------------------------
EINSUM = register(Op(
    name="einsum", family="linear", inputs=("x", "y"),
    formula="y[out] = sum of x[x_axes] y[y_axes] over the letters not in out",
    forward=einsum_forward if _matmul else None, backward=einsum_backward if _matmul else None,
    ref_forward=reference.einsum_forward, ref_backward=reference.einsum_backward,
    check=check, samples=samples,
    errors=(
        Refusal("sizes", lambda: einsum("ij,jk->ik", zeros(2, 3), zeros(4, 5)),
                ShapeError, ("einsum", "'j'", "3", "4", "(4, 5)")),
        Refusal("rank", lambda: einsum("ij,jk->ik", zeros(2, 3), zeros(4)),
                ShapeError, ("einsum", "'jk'", "2 dimensions", "(4,)")),
        Refusal("few axes", lambda: einsum("ij...->i", zeros(2)), ShapeError, ("einsum", "at least 2", "(2,)")),
        Refusal("count", lambda: einsum("ij,jk->ik", zeros(2, 3)), ShapeError, ("einsum", "2 operands", "got 1")),
        Refusal("letter", lambda: einsum("ij->ik", zeros(2, 3)), ShapeError, ("einsum", "'k'", "no operand")),
        Refusal("twice", lambda: einsum("ij->ii", zeros(2, 3)), ShapeError, ("einsum", "'i'", "twice")),
        Refusal("character", lambda: einsum("i1->i", zeros(2, 3)), ShapeError, ("einsum", "'1'")),
        Refusal("dots", lambda: einsum("i..->i", zeros(2, 3)), ShapeError, ("einsum", "'...'")),
        Refusal("arrows", lambda: einsum("i->j->k", zeros(2)), ShapeError, ("einsum", "'->'")),
        Refusal("ellipsis", lambda: einsum("...i,...i->...", zeros(2, 3), zeros(4, 3)),
                ShapeError, ("einsum", "'...'", "2", "4")),
        Refusal("integers", lambda: einsum("ij->ji", tensor([[1, 2]])), DTypeError, ("einsum", "int64", "float32")),
        Refusal("mixed", lambda: einsum("i,i->", zeros(2), np.zeros(2)), DTypeError, ("einsum", "float64", "float32")),
    ),
    fast_numpy=fast_numpy,
    bench={"heads": lambda: sample("heads", "bthd,bshd->bhts", (8, 128, 4, 64), (8, 128, 4, 64)),
           "bilinear": lambda: sample("bilinear", "bi,oij->boj", (64, 128), (32, 128, 64))},
    flops=lambda products, results: 2 * products, bytes=lambda products, results: 4 * results,
    terms=lambda products, results: products,
    linear_in=("x", "y"),
))
