"""Embedding: rows of a table by number.

Kernel: csrc/pointwise/embedding.c. Definition: fastnn/reference/embedding.py.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import embedding as reference
from ..tensor import Tensor, tensor
from .checks import need_array, need_float, need_integers, need_rank

__all__ = ["embedding"]


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
              norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    r"""Look up rows of a table by number.

    .. math:: y_{i} = w_{input_i} \qquad dw_v = \sum_{i : input_i = v} dy_i

    Parameters
    ----------
    input : Tensor of integers, any shape
        Each 0 <= input < V.
    weight : Tensor of shape (V, D), float32 or float64
        A vocabulary of V rows, each of D features.
    padding_idx : int, optional
        A row that gets no gradient. Negative counts from the end.
    max_norm, norm_type, scale_grad_by_freq, sparse : PyTorch's, at their defaults alone

    Returns
    -------
    Tensor of input's shape with D appended.

    Raises
    ------
    RangeError : if an index or padding_idx is not a row of weight. The message names the worst.
    DTypeError : if input is not of integers or weight not floating point.
    ShapeError : if weight has not two dimensions.

    Cost: moves 2 n D elements for n positions. Backward reads n D and writes the whole gradient,
    V D. Its sums run in the order of the positions, so the bits do not depend on threads.

    >>> import fastnn as nn
    >>> table = nn.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> nn.functional.embedding(nn.tensor([1, 1, 0]), table)
    tensor([[3., 4.],
            [3., 4.],
            [1., 2.]])
    """
    if max_norm is not None or scale_grad_by_freq or sparse:
        refuse_options("embedding")
    if padding_idx is not None:
        rows = len(weight)
        if not -rows <= padding_idx < rows:
            raise RangeError(who="embedding", expected=f"padding_idx within the {rows} rows", got=padding_idx)
        padding_idx %= rows
    return apply(EMBEDDING, input, weight, padding_idx=padding_idx)


def refuse_options(who: str) -> NoReturn:
    raise RangeError("gradients are whole tables, and rows are not renormalised", who=who,
                     expected="max_norm=None, scale_grad_by_freq=False and sparse=False")


# ---- checks --------------------------------------------------------------------------------------
def check(index: Any, w: Any, *, padding_idx: int | None) -> None:
    need_array("embedding", input=index, weight=w)
    need_integers("embedding", input=index)
    need_float("embedding", weight=w)
    need_rank("embedding", "weight", w, "(V, D)", 2)
    rows = w.shape[0]
    if index.size:
        low, high = int(index.min()), int(index.max())
        if low < 0 or high >= rows:
            worst = high if high >= rows else low
            raise RangeError(f"index {worst} is out of range for a vocabulary of {rows}", who="embedding",
                             expected=f"0 <= index < {rows}", hint="Do tokens and table come from the same vocabulary?")


# ---- samples -------------------------------------------------------------------------------------
def draw(name: str, *shape: int, V: int, D: int, low: int = 0, padding_idx: int | None = None) -> Sample:
    rng = seeded(name)
    index = np.asarray(rng.integers(low, V, shape))
    return Sample(name, (index, rng.standard_normal((V, D))), {"padding_idx": padding_idx},
                  {"n": index.size, "V": V, "D": D})


def samples() -> list[Sample]:
    # A padding row gets zeros by decree, not a derivative: "padding" never looks it up;
    # tests/ops/test_embedding.py does.
    return [
        draw("smallest", 1, V=1, D=1),
        draw("odd", 2, 3, V=7, D=5),
        draw("repeats", 31, V=3, D=2),
        draw("padding", 11, V=3, D=2, low=1, padding_idx=0),
        draw("a number alone", V=5, D=3),
        draw("no columns", 4, V=3, D=0),
        draw("empty", 0, 3, V=5, D=2),
        draw("wide", 13, V=17, D=1031),
        draw("many rows", 40, V=20011, D=3),
    ]


# ---- errors --------------------------------------------------------------------------------------
def five_rows(index: Any, padding_idx: int | None = None) -> Tensor:
    """Rows of a table of five."""
    return embedding(tensor(index), tensor(np.zeros((5, 2))), padding_idx)


# ---- cost and benchmarks -------------------------------------------------------------------------
def workspace_bytes(n: int, V: int) -> int:
    """What the backward kernel takes to sort n positions by row: csrc/pointwise/embedding.h."""
    return (V + 1 + n) * 8


# ---- records -------------------------------------------------------------------------------------
EMBEDDING = register(Op(
    name="embedding", family="embedding", inputs=("index", "w"), formula="y[i,:] = w[index[i],:]",
    forward=kernel("embedding_forward"), backward=kernel("embedding_backward"),
    ref_forward=reference.embedding_forward, ref_backward=reference.embedding_backward,
    check=check, samples=samples,
    errors=(
        Refusal("too large", lambda: five_rows([0, 9, 7]),
                RangeError, ("embedding", "index 9", "vocabulary of 5", "0 <= index < 5")),
        Refusal("negative", lambda: five_rows([0, -1]), RangeError, ("embedding", "index -1", "vocabulary of 5")),
        Refusal("real indices", lambda: five_rows([0.0]), DTypeError, ("embedding", "integer", "float32", ".long()")),
        Refusal("rank", lambda: embedding(tensor([0]), tensor(np.zeros(5))),
                ShapeError, ("embedding", "(V, D)", "(5,)")),
        Refusal("integer table", lambda: embedding(tensor([0]), tensor([[1], [2]])),
                DTypeError, ("embedding", "float32", "int64")),
        Refusal("padding", lambda: five_rows([0], 5), RangeError, ("embedding", "padding_idx", "5 rows")),
    ),
    fast_numpy=lambda index, w, padding_idx: np.take(w, index, axis=0),
    bench={"gpt2.tokens": lambda: draw("gpt2.tokens", 4, 256, V=50257, D=768),
           "chars": lambda: draw("chars", 64, 256, V=65, D=128)},
    flops=lambda n, V, D: 0, bytes=lambda n, V, D: 8 * n * D + 8 * n, linear_in=("w",), differentiable=("w",),
))
