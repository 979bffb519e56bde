"""Embedding of bags: one vector for a set of words.

The rows are looked up by the kernel of embedding.py. NumPy joins them: the definition in
fastnn/reference/embedding_bag.py is what runs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import embedding_bag as reference
from ..tensor import Tensor, tensor
from .arithmetic import div, mul
from .checks import need_array, need_float, need_integers, need_rank
from .embedding import embedding, refuse_options
from .indexing import index_select
from .shape import reshape, unsqueeze

__all__ = ["embedding_bag"]


def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
                  norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:
    r"""The sum, the mean or the maximum of the embeddings of each bag of words.

    .. math:: y_b = \sum_{i \in b} u_i\, w_{input_i}, \quad u_i = 1 \text{ if not given};
        \qquad \text{the mean divides by the size of the bag}

    Parameters
    ----------
    input : Tensor of integers
        Of shape (B, n), B bags of n words, or (n,), bags one after the other.
    weight : Tensor of shape (V, D), float32 or float64
    offsets : Tensor of integers, optional
        Where each bag of a vector begins; the first is 0, and none comes before the one ahead.
    mode : "sum", "mean" or "max"
        An empty bag gives zeros. Of equal maxima the first has the gradient.
    per_sample_weights : Tensor of input's shape and weight's dtype, optional
        u, for the sum alone.
    include_last_offset : bool
        Whether the last offset is where the last bag ends.
    padding_idx : int, optional
        A word that does not count.
    max_norm, norm_type, scale_grad_by_freq, sparse : PyTorch's, at their defaults alone

    Returns
    -------
    Tensor of shape (B, D).

    Raises
    ------
    RangeError : if a word is no row of weight, offsets are out of order, or the mode is another.
    ShapeError : if the shapes do not fit, or offsets are missing or too many.
    DTypeError : if input or offsets are not of integers.

    Cost: as `embedding`, and reads each row once more.

    >>> import fastnn as nn
    >>> table = nn.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> nn.functional.embedding_bag(nn.tensor([0, 1, 2]), table, nn.tensor([0, 2]), mode="sum")
    tensor([[4., 6.],
            [5., 6.]])
    """
    who = "embedding_bag"
    if max_norm is not None or scale_grad_by_freq or sparse:
        refuse_options(who)
    if mode not in ("sum", "mean", "max"):
        raise RangeError(who=who, expected="mode 'sum', 'mean' or 'max'", got=repr(mode))
    if per_sample_weights is not None and mode != "sum":
        raise RangeError(who=who, expected="per_sample_weights only with mode 'sum'", got=repr(mode))
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ShapeError(who=who, expected=f"per_sample_weights of shape {input.shape}", got=per_sample_weights.shape)
    starts = starts_of(input, offsets, include_last_offset)
    words = reshape(input, -1)
    factors = None if per_sample_weights is None else reshape(per_sample_weights, -1)
    if padding_idx is not None:
        V = len(weight)
        if not -V <= padding_idx < V:
            raise RangeError(who=who, expected=f"padding_idx within the {V} rows", got=padding_idx)
        counts = words._data != padding_idx % V
        kept = Tensor(np.flatnonzero(counts))
        words = index_select(words, 0, kept)
        factors = None if factors is None else index_select(factors, 0, kept)
        starts = np.concatenate([[0], np.cumsum(counts)])[starts]
    rows = embedding(words, weight)
    if factors is not None:
        rows = mul(rows, unsqueeze(factors, 1))
    y = apply(SEGMENTS, rows, Tensor(starts), mode="max" if mode == "max" else "sum")
    if mode != "mean":
        return y
    return div(y, Tensor(np.maximum(np.diff(starts), 1).astype(weight.dtype)[:, None]))


# ---- what the functions share --------------------------------------------------------------------
def starts_of(input: Tensor, offsets: Tensor | None, include_last_offset: bool) -> np.ndarray:
    """Where each bag begins, and where the last ends."""
    need_integers("embedding_bag", input=input._data)
    if input.ndim == 2 and offsets is None:
        B, n = input.shape
        return np.arange(B + 1) * n
    if input.ndim != 1:
        raise ShapeError(who="embedding_bag", expected="input of shape (B, n) without offsets, or (n,) with them",
                         got=input.shape)
    if offsets is None:
        raise ShapeError("a vector needs offsets: where each bag begins", who="embedding_bag",
                         expected="offsets of shape (B,)", got="None")
    need_integers("embedding_bag", offsets=offsets._data)
    if offsets.ndim != 1 or (include_last_offset and offsets.numel() == 0):
        raise ShapeError(who="embedding_bag", expected="offsets of shape (B,)", got=offsets.shape)
    starts = offsets._data.astype(np.int64)
    n = input.numel()
    if starts.size and starts[0] != 0:
        raise RangeError(who="embedding_bag", expected="offsets that begin with 0", got=int(starts[0]))
    if not include_last_offset:
        starts = np.append(starts, n)
    if (np.diff(starts) < 0).any() or starts[-1] > n:
        raise RangeError(who="embedding_bag", expected=f"offsets in order, at most {n}", got=offsets.tolist())
    return starts


# ---- checks --------------------------------------------------------------------------------------
def check(x: Any, starts: Any, *, mode: str) -> None:
    need_array("embedding_bag", rows=x, starts=starts)
    need_float("embedding_bag", rows=x)
    need_integers("embedding_bag", starts=starts)
    need_rank("embedding_bag", "rows", x, "(n, D)", 2)
    if starts.ndim != 1 or starts.size == 0 or starts[0] != 0 or starts[-1] > len(x) or (np.diff(starts) < 0).any():
        raise RangeError(who="embedding_bag", expected=f"starts from 0 in order, at most {len(x)}", got=starts.shape)


# ---- samples -------------------------------------------------------------------------------------
def case(name: str, shape: tuple[int, int], starts: list[int], mode: str) -> Sample:
    """Rows whose numbers are apart, so that no two are the largest."""
    rng = seeded(name)
    x = np.asarray(rng.permutation(shape[0] * shape[1]).reshape(shape) / 7 + rng.uniform(0, 0.05, shape) - 2)
    return Sample(f"{mode} {name}", (x, np.array(starts)), {"mode": mode}, {"n": shape[0], "D": shape[1]})


def samples() -> list[Sample]:
    return [case(name, shape, starts, mode) for mode in ("sum", "max") for name, shape, starts in (
        ("smallest", (1, 1), [0, 1]), ("odd", (7, 5), [0, 3, 5, 7]), ("with empty ones", (5, 3), [0, 0, 2, 2, 5, 5]),
        ("no row", (0, 3), [0, 0, 0]), ("no column", (4, 0), [0, 4]), ("long", (101, 3), [0, 100, 101]))]


# ---- the record ----------------------------------------------------------------------------------
BAG = "y[b] = sum or max of x[i] for starts[b] <= i < starts[b+1]"
SEGMENTS = register(Op(
    name="segments", family="embedding", inputs=("x", "starts"), formula=BAG,
    ref_forward=reference.segments_forward, ref_backward=reference.segments_backward, check=check, samples=samples,
    differentiable=("x",), flops=lambda n, D: n * D, bytes=lambda n, D: 4 * n * D, terms=lambda n, D: n,
    errors=(
        Refusal("mode", lambda: embedding_bag(tensor([[0]]), tensor([[1.0]]), mode="median"), RangeError,
                ("embedding_bag", "'mean'", "'median'")),
        Refusal("offsets", lambda: embedding_bag(tensor([0]), tensor([[1.0]])), ShapeError,
                ("embedding_bag", "offsets", "None")),
        Refusal("order", lambda: embedding_bag(tensor([0, 0]), tensor([[1.0]]), tensor([0, 2, 1])), RangeError,
                ("embedding_bag", "in order", "[0, 2, 1]")),
        Refusal("first", lambda: embedding_bag(tensor([0, 0]), tensor([[1.0]]), tensor([1])), RangeError,
                ("embedding_bag", "begin with 0", "1")),
        Refusal("too large", lambda: embedding_bag(tensor([[1]]), tensor([[1.0]])), RangeError,
                ("embedding", "index 1", "vocabulary of 1")),
        Refusal("fractions", lambda: embedding_bag(tensor([[1.0]]), tensor([[1.0]])), DTypeError,
                ("embedding_bag", "float32")),
        Refusal("weights", lambda: embedding_bag(tensor([[0]]), tensor([[1.0]]), per_sample_weights=tensor([[1.0]])),
                RangeError, ("embedding_bag", "per_sample_weights", "'mean'")),
    )))
