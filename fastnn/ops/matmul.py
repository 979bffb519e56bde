"""Matrix products, in all of NumPy's forms.

Kernels: csrc/gemm/gemm.c. Definition: fastnn/reference/matmul.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import DTypeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import matmul as reference
from ..tensor import Tensor, tensor, wrapped
from .checks import need_array, need_float

__all__ = ["bmm", "dot", "matmul", "mm", "mv"]


def matmul(input: Tensor, other: Tensor) -> Tensor:
    r"""Matrix product; also written ``input @ other``.

    .. math:: y_{ij} = \sum_p a_{ip} b_{pj} \qquad da = dy\, b^T \qquad db = a^T dy

    Parameters
    ----------
    input : Tensor of shape (..., m, k), or (k,) for one row
        a. The leading axes are batch axes, which broadcast.
    other : Tensor of shape (..., k, n), or (k,) for one column
        b, of the same dtype. Integers give integers and have no gradient.

    Returns
    -------
    Tensor of shape (..., m, n), without m where input is a vector, without n where other is one.

    Raises
    ------
    ShapeError : if the inner sizes differ, the batch axes do not broadcast, or an operand has no
        dimensions.
    DTypeError : for booleans, or if the dtypes differ.

    Cost: 2 m n k flop per matrix, and twice that backward. Transposed and sliced operands are read
    where they lie, without a copy. csrc/gemm/gemm.tmpl.h says how.

    Reference: Goto, van de Geijn (2008), "Anatomy of high-performance matrix multiplication".

    >>> import fastnn as nn
    >>> a, b = nn.tensor([[1.0, 2.0], [3.0, 4.0]]), nn.tensor([[5.0, 6.0], [7.0, 8.0]])
    >>> nn.functional.matmul(a, b)
    tensor([[19., 22.],
            [43., 50.]])
    """
    try:
        return apply(MATMUL, input, other)
    except DTypeError:
        if not are_integers(input, other):
            raise
    return of_integers("matmul", input, other)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Product of two matrices (n, m) and (m, p), no broadcasting.

    Parameters, errors and cost: as `matmul`.

    >>> import fastnn as nn
    >>> nn.functional.mm(nn.tensor([[1.0, 2.0]]), nn.tensor([[3.0], [4.0]]))
    tensor([[11.]])
    """
    return ranked("mm", input, mat2, ("(n, m)", "(m, p)"), (2, 2))


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of b pairs of matrices, (b, n, m) and (b, m, p), no broadcasting.

    Parameters, errors and cost: as `matmul`.

    >>> import fastnn as nn
    >>> a, b = nn.tensor([[[1.0, 2.0]], [[3.0, 4.0]]]), nn.tensor([[[1.0], [1.0]], [[2.0], [0.0]]])
    >>> nn.functional.bmm(a, b)
    tensor([[[3.]],
    <BLANKLINE>
            [[6.]]])
    """
    if getattr(input, "ndim", 0) == getattr(mat2, "ndim", 0) == 3 and input.shape[0] != mat2.shape[0]:
        raise ShapeError("both operands need the same number of matrices; bmm does not broadcast", who="bmm",
                         expected=input.shape[0], got=mat2.shape[0], hint="matmul() broadcasts.")
    return ranked("bmm", input, mat2, ("(b, n, m)", "(b, m, p)"), (3, 3))


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Product of a matrix (n, m) and a vector (m,). Parameters, errors and cost: as `matmul`.

    >>> import fastnn as nn
    >>> nn.functional.mv(nn.tensor([[1.0, 2.0], [3.0, 4.0]]), nn.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    return ranked("mv", input, vec, ("(n, m)", "(m,)"), (2, 1))


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Sum of the products of two vectors (n,). Parameters, errors and cost: as `matmul`.

    >>> import fastnn as nn
    >>> nn.functional.dot(nn.tensor([1.0, 2.0]), nn.tensor([3.0, 4.0]))
    tensor(11.)
    """
    return ranked("dot", input, tensor, ("(n,)", "(n,)"), (1, 1))


# ---- what the functions share --------------------------------------------------------------------
def ranked(who: str, input: Any, other: Any, shapes: tuple[str, str], ranks: tuple[int, int]) -> Tensor:
    """matmul for operands of these ranks only."""
    arrays = [x._data if isinstance(x, Tensor) else x for x in (input, other)]
    need_array(who, input=arrays[0], other=arrays[1])
    for name, a, shape, rank in zip(("input", "other"), arrays, shapes, ranks):
        if a.ndim != rank:
            raise ShapeError(who=who, expected=f"{name} of shape {shape}", got=a.shape,
                             hint="matmul() takes all forms.")
    if are_integers(*arrays):
        return of_integers(who, *arrays)
    if MATMUL.fits is None or not MATMUL.fits(*arrays):
        check(arrays[0], arrays[1], who)
    return apply(MATMUL, input, other)


def are_integers(input: Any, other: Any) -> bool:
    """Whether both operands hold integers of one type, which NumPy multiplies."""
    a, b = (getattr(x, "dtype", None) for x in (input, other))
    return a is not None and a == b and a.kind in "iu"


def of_integers(who: str, input: Any, other: Any) -> Tensor:
    """The product of integers, which wraps around as in PyTorch."""
    a, b = (getattr(x, "_data", x) for x in (input, other))
    check_shapes(a, b, who)
    return wrapped(np.asarray(a @ b))


# ---- checks --------------------------------------------------------------------------------------
def check(a: np.ndarray, b: np.ndarray, who: str = "matmul") -> None:
    need_float(who, input=a, other=b)
    check_shapes(a, b, who)


def check_shapes(a: np.ndarray, b: np.ndarray, who: str) -> None:
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError(who=who, expected="tensors with at least one dimension", got=(a.shape, b.shape),
                         hint="Use * to multiply by a number.")
    k, rows = a.shape[-1], b.shape[-2 if b.ndim > 1 else -1]
    if k != rows:
        hint = ""
        if a.ndim > 1 and a.shape[-2] == rows:
            hint = "Did you mean input.transpose(-1, -2)?"
        elif b.ndim > 1 and b.shape[-1] == k:
            hint = "Did you mean other.transpose(-1, -2)?"
        axis = -2 if b.ndim > 1 else -1
        raise ShapeError(f"axis -1 of input {a.shape} and axis {axis} of other {b.shape} must agree", who=who,
                         expected=f"{k} on both", got=f"{k} and {rows}", hint=hint)
    if a.ndim > 2 and b.ndim > 2:
        for i in range(3, min(a.ndim, b.ndim) + 1):
            if a.shape[-i] != b.shape[-i] and 1 not in (a.shape[-i], b.shape[-i]):
                raise ShapeError(f"batch axis {-i} of input {a.shape} and of other {b.shape} must agree or be 1",
                                 who=who, expected=f"{a.shape[-i]} or 1", got=b.shape[-i])


# ---- samples -------------------------------------------------------------------------------------
def sample(name: str, a: tuple[int, ...], b: tuple[int, ...]) -> Sample:
    rng = seeded(name)
    batch = np.broadcast_shapes(a[:-2], b[:-2])
    k, m, n = a[-1], a[-2] if len(a) > 1 else 1, b[-1] if len(b) > 1 else 1
    return Sample(name, (rng.standard_normal(a), rng.standard_normal(b)),
                  sizes={"batch": int(np.prod(batch)), "m": m, "n": n, "k": k})


def samples() -> list[Sample]:
    return [
        sample("one", (1, 1), (1, 1)),
        sample("primes", (5, 7), (7, 11)),
        sample("tiles", (17, 13), (13, 37)),
        sample("blocks", (31, 523), (523, 41)),
        sample("wide", (7, 19), (19, 317)),
        sample("tall", (211, 5), (5, 3)),
        sample("few rows", (2, 67), (67, 43)),
        sample("chunks", (3, 4100), (4100, 2)),
        sample("vectors", (23,), (23,)),
        sample("vector matrix", (29,), (29, 31)),
        sample("matrix vector", (31, 29), (29,)),
        sample("batch", (3, 5, 7), (3, 7, 2)),
        sample("batch, one matrix", (2, 3, 5, 7), (7, 11)),
        sample("one matrix, batch", (5, 7), (3, 7, 4)),
        sample("broadcast", (2, 1, 5, 7), (3, 7, 4)),
        sample("vector, batch", (7,), (3, 7, 4)),
        sample("batch, vector", (3, 5, 7), (7,)),
        sample("no rows", (0, 3), (3, 4)),
        sample("no products", (5, 0), (0, 4)),
        sample("no columns", (5, 3), (3, 0)),
        sample("no batch", (0, 2, 3), (3, 4)),
        sample("no batch, broadcast", (0, 1, 2, 3), (4, 3, 2)),
    ]


# ---- cost and benchmarks -------------------------------------------------------------------------
def case(a: tuple[int, ...], b: tuple[int, ...]) -> Any:
    return lambda: sample("bench", a, b)


# ---- records -------------------------------------------------------------------------------------
MATMUL = register(Op(
    name="matmul", family="linear", inputs=("input", "other"), formula="y[i,j] = sum_p input[i,p] other[p,j]",
    forward=kernel("matmul_forward"), backward=kernel("matmul_backward"),
    ref_forward=reference.matmul_forward, ref_backward=reference.matmul_backward,
    check=check, fits=kernel("fits_matmul"), samples=samples,
    errors=(
        Refusal("inner sizes", lambda: matmul(zeros(2, 3), zeros(4, 5)),
                ShapeError, ("matmul", "(2, 3)", "(4, 5)", "axis -1", "axis -2", "3 and 4")),
        Refusal("transposed", lambda: matmul(zeros(2, 3), zeros(5, 3)), ShapeError, ("other.transpose(-1, -2)",)),
        Refusal("vector", lambda: matmul(zeros(2, 3), zeros(2)), ShapeError, ("matmul", "(2,)", "input.transpose")),
        Refusal("batch", lambda: matmul(zeros(2, 3, 4), zeros(5, 4, 3)), ShapeError, ("batch axis -3", "2 or 1", "5")),
        Refusal("number", lambda: matmul(zeros(2, 3), tensor(2.0)), ShapeError, ("matmul", "Use *")),
        Refusal("booleans", lambda: matmul(tensor([[True]]), tensor([[True]])),
                DTypeError, ("matmul", "bool", "float32")),
        Refusal("mixed", lambda: matmul(zeros(2, 3), tensor(np.zeros((3, 2)))), DTypeError, ("float32", "float64")),
        Refusal("mm rank", lambda: mm(zeros(2, 3, 4), zeros(4, 2)), ShapeError, ("mm", "(n, m)", "(2, 3, 4)")),
        Refusal("bmm rank", lambda: bmm(zeros(3, 4), zeros(4, 2)), ShapeError, ("bmm", "(b, n, m)", "(3, 4)")),
        Refusal("bmm batch", lambda: bmm(zeros(1, 3, 4), zeros(2, 4, 2)),
                ShapeError, ("bmm", "2", "does not broadcast")),
        Refusal("mv rank", lambda: mv(zeros(3, 4), zeros(4, 1)), ShapeError, ("mv", "(m,)", "(4, 1)")),
        Refusal("dot rank", lambda: dot(zeros(3, 4), zeros(4)), ShapeError, ("dot", "(n,)", "(3, 4)")),
        Refusal("dot sizes", lambda: dot(zeros(3), zeros(4)), ShapeError, ("dot", "3 and 4")),
    ),
    fast_numpy=lambda a, b: a @ b,
    bench={
        **{f"{n}": case((n, n), (n, n)) for n in (64, 128, 256, 512, 1024, 2048)},
        "mlp": case((128, 784), (784, 512)),
        "one row": case((1, 1024), (1024, 1024)),
        "64x(128x64.64x128)": case((64, 128, 64), (64, 64, 128)),
    },
    flops=lambda m, n, k, batch=1: 2 * batch * m * n * k,
    bytes=lambda m, n, k, batch=1: 4 * batch * (m * k + k * n + m * n),
    terms=lambda m, n, k, batch=1: max(m, n, k, batch),
    linear_in=("input", "other"),
))
