"""Scaled dot-product attention.

Kernel: csrc/attention/attention.c. Definition: fastnn/reference/attention.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import random
from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register, seeded
from ..reference import attention as reference
from ..tensor import Tensor, tensor
from .checks import need_array, need_float
from .slices import repeat_interleave

__all__ = ["scaled_dot_product_attention"]

WHO = "scaled_dot_product_attention"


def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
                                 dropout_p: float = 0.0, is_causal: bool = False,
                                 scale: float | None = None, enable_gqa: bool = False) -> Tensor:
    r"""Each query takes a mean of the values, weighted by how well its key fits.

    .. math::
        y = p\, v \qquad p = \operatorname{softmax}(s) \qquad
        s = \text{scale} \; q k^T + \text{mask} \qquad
        dv = p^T dy, \quad ds = p \odot \big(dp - \sum_u p \odot dp\big), \quad dp = dy\, v^T \qquad
        dq = \text{scale}\; ds\, k, \quad dk = \text{scale}\; ds^T q, \quad dmask = ds

    with the softmax over the keys. A query that may look at no key gives zeros and has no gradient.

    A key that a mask hides from a query has no effect on it, forward or backward, whatever key and
    value hold, NaN and infinity too; nor has the value of a weight that dropout drops. In PyTorch
    such a NaN can come through, as 0 times NaN. Padding need not be cleared, therefore. What a
    query sees counts: a NaN or an infinite score there makes its whole row NaN, as in `softmax`.

    Symbols: T queries, U keys; HS head size, HV size of a value. "..." are leading dimensions
    (batch, heads) that broadcast against each other.

    Parameters
    ----------
    query : Tensor of shape (..., T, HS)
    key : Tensor of shape (..., U, HS)
    value : Tensor of shape (..., U, HV)
    attn_mask : Tensor that broadcasts to (..., T, U), optional
        bool: True where a query may look at a key. Floating point: added to the scores, and -inf
        forbids. It may require a gradient, which then is the one thing that takes memory for all
        scores.
    dropout_p : float
        Drop weights with this probability and scale up the rest. It is applied whenever it is above
        0: pass 0 in evaluation.
    is_causal : bool
        Query t looks at keys 0..t only, counted from the first of each also where T and U differ.
        It may be combined with attn_mask.
    scale : float, optional
        None: 1 / sqrt(HS).
    enable_gqa : bool
        Grouped queries: each head of key and value serves as many heads of query, one after the
        other, as there are more of these. The heads are the third dimension from the end.

    Returns
    -------
    Tensor of shape (..., T, HV).

    Raises
    ------
    ShapeError : if the sizes of query, key, value or mask do not fit.
    DTypeError : if their dtypes differ, or the mask is neither bool nor of that dtype.
    RangeError : if dropout_p is not from 0 to 1.

    Cost: 2 T U (HS + HV) flop for each head, half if causal; backward 2.5 times that. Memory is
    linear in T and U: the scores are made tile by tile and never kept.

    References
    ----------
    Vaswani et al. (2017), "Attention is all you need", arXiv:1706.03762.
    Dao et al. (2022), "FlashAttention", arXiv:2205.14135.

    Examples
    --------
    The first query likes both keys equally, the second only the first key:

    >>> import fastnn as nn
    >>> q = nn.tensor([[0.0, 0.0], [9.0, 0.0]])
    >>> k = nn.tensor([[9.0, 0.0], [0.0, 0.0]])
    >>> v = nn.tensor([[1.0], [3.0]])
    >>> nn.functional.scaled_dot_product_attention(q, k, v)
    tensor([[2.],
            [1.]])
    """
    if enable_gqa:
        key, value = for_groups(query, key), for_groups(query, value)
    head_size = getattr(query, "shape", (1,))[-1:]
    if scale is None:
        scale = 1 / math.sqrt(head_size[0]) if head_size and head_size[0] else 1.0
    stream, call = random.next_dropout_key() if dropout_p > 0 else (0, 0)
    return apply(ATTENTION, query, key, value, attn_mask, is_causal=bool(is_causal), scale=float(scale),
                 dropout_p=float(dropout_p), key=stream, call=call)


def for_groups(query: Tensor, shared: Tensor) -> Tensor:
    """Keys or values with as many heads as the queries have."""
    if query.ndim < 3 or shared.ndim < 3 or not shared.shape[-3] or query.shape[-3] % shared.shape[-3]:
        raise ShapeError("the heads of key and value must divide those of query", who=WHO,
                         expected="(..., heads, positions, size)", got=f"{query.shape} and {shared.shape}")
    times = query.shape[-3] // shared.shape[-3]
    return shared if times == 1 else repeat_interleave(shared, times, -3)


# ---- checks --------------------------------------------------------------------------------------
def check(q: Any, k: Any, v: Any, mask: Any = None, *, is_causal: bool = False, scale: float = 1.0,
          dropout_p: float = 0.0, key: int = 0, call: int = 0) -> None:
    need_float(WHO, query=q, key=k, value=v)
    for name, a in (("query", q), ("key", k), ("value", v)):
        if a.ndim < 2:
            raise ShapeError(who=WHO, expected=f"{name} of shape (..., length, size)", got=a.shape)
    if q.shape[-1] != k.shape[-1]:
        raise ShapeError("query and key must have the same head size", who=WHO,
                         expected=f"key of shape (..., U, {q.shape[-1]})", got=k.shape,
                         hint="The last axis is the head size; the one before it counts positions.")
    if k.shape[-2] != v.shape[-2]:
        raise ShapeError("there must be one value for each key", who=WHO,
                         expected=f"value of shape (..., {k.shape[-2]}, HV)", got=v.shape)
    try:
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    except ValueError:
        raise ShapeError("the leading dimensions of query, key and value do not broadcast", who=WHO,
                         got=f"{q.shape}, {k.shape}, {v.shape}") from None
    if not 0 <= dropout_p <= 1:
        raise RangeError(who=WHO, expected="dropout_p from 0 to 1", got=dropout_p)
    if mask is None:
        return
    need_array(WHO, attn_mask=mask)
    if mask.dtype != bool and mask.dtype != q.dtype:
        raise DTypeError(who=WHO,
                         expected=f"attn_mask of dtype bool (True: take part) or {q.dtype} (added to the scores)",
                         got=str(mask.dtype))
    scores = (*lead, q.shape[-2], k.shape[-2])
    try:
        fits = np.broadcast_shapes(mask.shape, scores) == scores
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(who=WHO, expected=f"attn_mask that broadcasts to {scores}", got=mask.shape)


# ---- samples -------------------------------------------------------------------------------------
def sequences(name: str, T: int, U: int, HS: int, HV: int, lead: tuple[int, ...] = (),
              own: Mapping[str, tuple[int, ...]] | None = None, mask: tuple[str, tuple[int, ...]] | None = None,
              whole: int = 0, **attrs: Any) -> Sample:
    """Queries, keys and values.

    lead    their leading shape; own: {"q": that of the queries, ...} where it is another
    mask    "allow" (bool) or "add" (floating point), and its shape
    whole   q and k are whole numbers times this, so that large scores are exact
    """
    rng = seeded(name)
    q, k, v = (rng.standard_normal((*(own or {}).get(letter, lead), length, size))
               for letter, length, size in (("q", T, HS), ("k", U, HS), ("v", U, HV)))
    if whole:
        q, k = (np.round(2 * a) * whole for a in (q, k))
    attrs.setdefault("scale", 1 / math.sqrt(HS))
    kind, shape = mask or ("", ())
    m: Any = None
    if kind == "allow":
        m = rng.random(shape) < 0.6
    elif kind == "add":
        m = rng.standard_normal(shape)
    items = math.prod(np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2]))
    return Sample(name, (q, k, v, m), attrs, {"items": items, "T": T, "U": U, "HS": HS, "HV": HV})


def with_mask_row(s: Sample, row: int, value: Any) -> Sample:
    """The sample with one row of its mask set to `value`."""
    s.inputs[3][..., row, :] = value
    return s


def samples() -> list[Sample]:
    never, minus_infinity = False, -np.inf
    dropout: dict[str, Any] = {"dropout_p": 0.3, "key": 2**63 + 12345, "call": 7}
    return [
        sequences("smallest", 1, 2, 1, 1),
        sequences("odd", 5, 7, 3, 11, lead=(2,)),
        sequences("heads", 7, 5, 3, 2, lead=(2, 3)),
        sequences("scaled", 5, 7, 3, 2, lead=(2,), scale=0.71),
        sequences("negative scale", 5, 7, 3, 2, scale=-0.4),
        sequences("no queries", 0, 3, 2, 5, lead=(2,)),
        sequences("no items", 3, 5, 2, 2, lead=(0, 2)),
        sequences("allow", 5, 7, 3, 2, lead=(2, 3), mask=("allow", (2, 3, 5, 7))),
        sequences("allow, one for all", 5, 7, 3, 2, lead=(2, 3), mask=("allow", (5, 7))),
        sequences("allow, by key", 5, 7, 3, 2, lead=(2, 3), mask=("allow", (2, 1, 1, 7))),
        sequences("allow, by query", 5, 7, 3, 2, lead=(3,), mask=("allow", (3, 5, 1))),
        sequences("allow, a vector", 5, 7, 3, 2, lead=(3,), mask=("allow", (7,))),
        with_mask_row(sequences("nothing allowed", 5, 7, 3, 2, lead=(2,), mask=("allow", (2, 5, 7))), 3,
                      never),
        sequences("add", 5, 7, 3, 2, lead=(2, 3), mask=("add", (2, 3, 5, 7))),
        sequences("add, by head", 5, 7, 3, 2, lead=(2, 3), mask=("add", (3, 5, 7))),
        sequences("add, by key", 5, 7, 3, 2, lead=(2, 3), mask=("add", (2, 1, 1, 7))),
        with_mask_row(sequences("add, nothing allowed", 5, 7, 3, 2, mask=("add", (5, 7))), 2, minus_infinity),
        sequences("causal", 7, 7, 3, 5, lead=(2,), is_causal=True),
        sequences("causal, more queries", 11, 5, 3, 2, is_causal=True),
        sequences("causal, more keys", 5, 11, 3, 2, is_causal=True),
        sequences("causal and mask", 7, 7, 3, 2, mask=("allow", (1, 7)), is_causal=True),
        sequences("keys of one head", 5, 7, 3, 2, lead=(2, 3), own={"k": (2, 1), "v": (2, 1)}),
        sequences("query of one batch", 5, 7, 3, 2, lead=(2, 3), own={"q": (3,), "k": (2, 1)}),
        sequences("dropout", 5, 7, 3, 2, lead=(2,), **dropout),
        sequences("dropout, causal, mask", 11, 13, 3, 2, lead=(2,), mask=("add", (2, 11, 13)), is_causal=True,
                  **dropout),
        sequences("tile edge", 65, 129, 3, 2, lead=(2,), mask=("allow", (65, 129))),
        sequences("tile edge, causal", 130, 257, 2, 3, is_causal=True, **dropout),
        sequences("tile edge, causal, long", 257, 130, 2, 3, is_causal=True, mask=("add", (257, 130))),
        sequences("many items", 5, 3, 2, 3, lead=(17,), is_causal=True),
        sequences("many items, shared keys", 67, 131, 2, 3, lead=(17,), own={"k": (1,)}),
        sequences("one query", 1, 257, 67, 35, lead=(2, 3), own={"k": (2, 1)}),
        sequences("two queries, causal", 2, 5, 3, 2, is_causal=True),
        sequences("one query, allow, dropout", 1, 131, 5, 3, lead=(3,), mask=("allow", (3, 1, 131)), **dropout),
        sequences("one query, add", 1, 131, 17, 19, lead=(3,), mask=("add", (1, 131)), scale=-0.3),
        with_mask_row(sequences("two queries, nothing allowed", 2, 7, 3, 2, lead=(2,), mask=("allow", (2, 2, 7))), 1,
                      never),
        sequences("two queries", 2, 130, 3, 2, lead=(2,), mask=("allow", (130,))),
        sequences("four queries, mask, dropout", 4, 131, 5, 3, lead=(2,), mask=("add", (4, 131)), **dropout),
        sequences("four queries, causal", 4, 131, 17, 3, lead=(2,), is_causal=True),
        sequences("steep", 13, 17, 3, 2, lead=(2,), scale=1.0, whole=8),
    ]


# ---- errors --------------------------------------------------------------------------------------
def call(*shapes: tuple[int, ...], dtypes: Any = None, **kwargs: Any) -> Tensor:
    """Attention of zeros."""
    arrays: Any = [tensor(np.zeros(s, d)) for s, d in zip(shapes, dtypes or [np.float32] * len(shapes))]
    return scaled_dot_product_attention(*arrays, **kwargs)


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_numpy(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: Any = None, *, scale: float, is_causal: bool = False,
               **_: Any) -> np.ndarray:
    s = q @ np.swapaxes(k, -1, -2)
    s *= scale
    if is_causal:
        s += np.where(np.tri(*s.shape[-2:]) > 0, 0, -np.inf).astype(s.dtype)
    s -= s.max(axis=-1, keepdims=True)
    np.exp(s, out=s)
    s /= s.sum(axis=-1, keepdims=True)
    return s @ v


# ---- records -------------------------------------------------------------------------------------
ATTENTION = register(Op(
    name=WHO, family="attention", inputs=("query", "key", "value", "attn_mask"),
    formula="y = softmax(scale q k^T + mask) v",
    forward=kernel(WHO + "_forward"), backward=kernel(WHO + "_backward"),
    ref_forward=reference.scaled_dot_product_attention_forward,
    ref_backward=reference.scaled_dot_product_attention_backward,
    check=check, samples=samples,
    errors=(
        Refusal("head sizes", lambda: call((2, 5, 4), (2, 7, 3), (2, 7, 3)),
                ShapeError, (WHO, "(..., U, 4)", "(2, 7, 3)")),
        Refusal("keys and values", lambda: call((2, 5, 4), (2, 7, 4), (2, 6, 4)),
                ShapeError, (WHO, "one value for each key", "(..., 7, HV)", "(2, 6, 4)")),
        Refusal("a vector", lambda: call((4,), (7, 4), (7, 4)), ShapeError, (WHO, "query", "(4,)")),
        Refusal("heads", lambda: call((2, 5, 4), (3, 7, 4), (3, 7, 4)),
                ShapeError, (WHO, "broadcast", "(2, 5, 4)", "(3, 7, 4)")),
        Refusal("mask shape", lambda: call((2, 5, 4), (2, 7, 4), (2, 7, 4), attn_mask=tensor(np.ones((7, 5), bool))),
                ShapeError, (WHO, "attn_mask", "(2, 5, 7)", "(7, 5)")),
        Refusal("mask with more heads",
                lambda: call((5, 4), (7, 4), (7, 4), attn_mask=tensor(np.ones((2, 5, 7), bool))),
                ShapeError, (WHO, "attn_mask", "(5, 7)", "(2, 5, 7)")),
        Refusal("mask of integers", lambda: call((5, 4), (7, 4), (7, 4), attn_mask=tensor(np.ones((5, 7), np.int64))),
                DTypeError, (WHO, "attn_mask", "bool", "int64")),
        Refusal("mixed types", lambda: call((5, 4), (7, 4), (7, 4), dtypes=[np.float32, np.float64, np.float32]),
                DTypeError, (WHO, "float32", "float64")),
        Refusal("dropout", lambda: call((5, 4), (7, 4), (7, 4), dropout_p=1.5), RangeError, (WHO, "dropout_p", "1.5")),
    ),
    fast_numpy=fast_numpy,
    bench={"8x8x256x64": lambda: sequences("8x8x256x64", 256, 256, 64, 64, lead=(8, 8)),
           "8x8x256x64.causal": lambda: sequences("8x8x256x64.causal", 256, 256, 64, 64, lead=(8, 8), is_causal=True),
           "gpt2": lambda: sequences("gpt2", 1024, 1024, 64, 64, lead=(1, 12), is_causal=True),
           "gpt2.step": lambda: sequences("gpt2.step", 1, 1024, 64, 64, lead=(1, 12)),
           "vit": lambda: sequences("vit", 197, 197, 64, 64, lead=(4, 12))},
    flops=lambda items, T, U, HS, HV: 2 * items * T * U * (HS + HV),
    bytes=lambda items, T, U, HS, HV: 4 * items * (T * HS + U * HS + U * HV + T * HV),
    terms=lambda items, T, U, HS, HV: HS + U, saturates=True,
    keeps_nan=("query", "key", "value", "attn_mask"),
))
