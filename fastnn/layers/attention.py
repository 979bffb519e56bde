"""MultiheadAttention.

Letters: B sequences, T queries, U keys, D the width, NH heads, HS = D / NH the size of a head.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import arrays, init
from .. import functional as F
from ..errors import RangeError, ShapeError
from ..tensor import Parameter, Tensor, tensor, wrapped
from .linear import Linear
from .module import Module
from .sizes import need_sizes, parameter_dtype

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    r"""Attention in NH subspaces at once: each head takes its own projections of queries, keys and
    values.

    .. math::
        y = [y_1 \dots y_{NH}]\, W_o^T + b_o, \qquad
        y_i = \operatorname{softmax}(q_i k_i^T / \sqrt{HS} + mask)\, v_i

    with q = query W_q^T + b_q and so on, each cut into NH heads of size HS = D / NH.

    Parameters
    ----------
    embed_dim, num_heads : int
        D and NH; NH must divide D.
    dropout : float
        In training, the share of attention weights that is dropped.
    bias : bool
    add_bias_kv, add_zero_attn : bool
        One more key and value for every query to attend, behind the others: learned ones (bias_k
        and bias_v, each (1, 1, D)), or zeros. The weights have a column for each.
    kdim, vdim : int, optional
        Widths of key and value where they differ from D.
    batch_first : bool
        (B, T, D) instead of (T, B, D).

    Called as y, weights = attention(query, key, value, ...):

    query, key, value : Tensor
        (T, B, D), (U, B, kdim) and (U, B, vdim), or without B for one sequence; y as query.
    key_padding_mask : (B, U)
        True: this key is padding and may NOT be attended. Floating point: added to the scores.
    need_weights : bool
        True, PyTorch's default, also returns the weights: T*U numbers per head, all kept for
        backward. With False, weights is None and memory grows only linearly with T and U: say so
        where you do not look at them.
    attn_mask : (T, U) or (B*NH, T, U)
        True: this query may NOT attend this key. Floating point: added to the scores.
        (F.scaled_dot_product_attention has it the other way round, True takes part; so it is in
        PyTorch.)
    average_attn_weights : bool
        Weights (B, T, U), averaged over the heads; with False, (B, NH, T, U).
    is_causal : bool
        Query t attends keys 0..t only. Unlike PyTorch's it needs no attn_mask beside it; with one,
        both hold.

    Parameters' names: in_proj_weight (3*D, D), q above k above v, from Xavier's uniform (with kdim
    or vdim: q_proj_weight, k_proj_weight, v_proj_weight); in_proj_bias (3*D,) zeros;
    out_proj.weight as in Linear, out_proj.bias zeros.

    Raises
    ------
    ShapeError
        num_heads does not divide embed_dim; when called: shapes that do not fit each other.
    RangeError
        dropout is no probability.

    Cost: 4*D*D multiply-adds per element of the sequence for the projections, 2*T*U*D per sequence
    for scores and values. A query that may attend nothing gives y = b_o and zero weights; PyTorch's
    layer gives NaN, unless need_weights=False. A key behind a mask has no effect, whatever it
    holds: with NaN, infinity or huge numbers anywhere in q, k or v, the weights beside a mask cost
    T*U*U per head more.

    Vaswani et al. (2017), "Attention is all you need".

    >>> import fastnn as nn
    >>> attention = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = nn.zeros(3, 5, 8)
    >>> y, weights = attention(x, x, x, is_causal=True)
    >>> y.shape, weights.shape, weights[0, 1].tolist()
    ((3, 5, 8), (3, 5, 5), [0.5, 0.5, 0.0, 0.0, 0.0])
    """

    in_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    out_proj: Linear

    def __init__(self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True,
                 add_bias_kv: bool = False, add_zero_attn: bool = False, *, kdim: int | None = None,
                 vdim: int | None = None, batch_first: bool = False, device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__()
        need_sizes("MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads)
        if num_heads < 1 or embed_dim < 1 or embed_dim % num_heads:
            raise ShapeError(f"num_heads={num_heads} must divide embed_dim={embed_dim}", who="MultiheadAttention")
        if not 0 <= dropout <= 1:
            raise RangeError(who="MultiheadAttention", expected="a probability 0 <= dropout <= 1", got=dropout)
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.dropout, self.batch_first = dropout, batch_first
        self.kdim, self.vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        joint = self.kdim == self.vdim == embed_dim

        def weight(present: bool, *shape: int) -> Parameter | None:
            return Parameter(arrays.empty(shape, dtype)) if present else None
        self.register_parameter("in_proj_weight", weight(joint, 3 * embed_dim, embed_dim))
        self.register_parameter("q_proj_weight", weight(not joint, embed_dim, embed_dim))
        self.register_parameter("k_proj_weight", weight(not joint, embed_dim, self.kdim))
        self.register_parameter("v_proj_weight", weight(not joint, embed_dim, self.vdim))
        self.register_parameter("in_proj_bias", weight(bias, 3 * embed_dim))
        self.register_parameter("bias_k", weight(add_bias_kv, 1, 1, embed_dim))
        self.register_parameter("bias_v", weight(add_bias_kv, 1, 1, embed_dim))
        self.add_zero_attn = bool(add_zero_attn)
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier's uniform for the projections in, Linear's own for the one out, zero biases."""
        for p in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if p is not None:
                init.xavier_uniform_(p)
        self.out_proj.reset_parameters()
        for b in (self.in_proj_bias, self.out_proj.bias):
            if b is not None:
                init.zeros_(b)
        for b in (self.bias_k, self.bias_v):
            if b is not None:
                init.xavier_normal_(b)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor | None = None,
                need_weights: bool = True, attn_mask: Tensor | None = None, average_attn_weights: bool = True,
                is_causal: bool = False) -> tuple[Tensor, Tensor | None]:
        self._check(query, key, value)
        one = query.ndim == 2
        q, k, v = self._projected(query, key, value)
        if one:
            q, k, v = (F.unsqueeze(a, 0) for a in (q, k, v))
        elif not self.batch_first:
            q, k, v = (F.transpose(a, 0, 1) for a in (q, k, v))
        q, k, v = (F.transpose(F.reshape(a, *a.shape[:2], self.num_heads, self.head_dim), 1, 2) for a in (q, k, v))
        mask = self._mask(attn_mask, key_padding_mask, q.shape[0], q.shape[2], k.shape[2], one)
        if self.bias_k is not None or self.add_zero_attn:
            k, v, mask = self._more_keys(k, v, mask, q.shape[2], is_causal)
            is_causal = False

        dropout = self.dropout if self.training else 0.0
        weights = None
        if need_weights:
            y, weights = attention_with_weights(q, k, v, mask, is_causal, dropout)
            if average_attn_weights:
                weights = F.mean(weights, 1)
            weights = F.squeeze(weights, 0) if one else weights
        else:
            y = F.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
        y = F.reshape(F.transpose(y, 1, 2), y.shape[0], y.shape[2], self.embed_dim)
        y = F.linear(y, self.out_proj.weight, self.out_proj.bias)
        if one:
            return F.squeeze(y, 0), weights
        return y if self.batch_first else F.transpose(y, 0, 1), weights

    def _check(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        who = "MultiheadAttention"
        layout = "(B, T, D)" if self.batch_first else "(T, B, D)"
        for name, x, width in (("query", query, self.embed_dim), ("key", key, self.kdim), ("value", value, self.vdim)):
            if x.ndim not in (2, 3) or x.ndim != query.ndim:
                raise ShapeError(who=who, expected=f"{name} of shape {layout}, or (T, D) for one sequence in all three",
                                 got=x.shape)
            if x.shape[-1] != width:
                raise ShapeError(who=who, expected=f"{name} with {width} features", got=x.shape)
        batch, time = (0, 1) if self.batch_first else (1, 0)
        if query.ndim == 2:
            time = 0
        elif not query.shape[batch] == key.shape[batch] == value.shape[batch]:
            raise ShapeError(who=who, expected=f"query, key and value {layout} with one B",
                             got=f"{query.shape}, {key.shape}, {value.shape}",
                             hint=f"batch_first is {self.batch_first}.")
        if key.shape[time] != value.shape[time]:
            raise ShapeError("there must be one value for each key", who=who,
                             got=f"key {key.shape}, value {value.shape}")

    def _projected(self, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k and v; in as few matrix products as the inputs allow."""
        D, w, b = self.embed_dim, self.in_proj_weight, self.in_proj_bias
        if w is not None and query is key and key is value:
            q, k, v = F.split(F.linear(query, w, b), D, -1)
            return q, k, v
        apart = self.q_proj_weight, self.k_proj_weight, self.v_proj_weight
        weights: Any = F.split(w, D, 0) if w is not None else apart
        biases: Any = F.split(b, D, 0) if b is not None else (None, None, None)
        q, k, v = map(F.linear, (query, key, value), weights, biases)
        return q, k, v

    def _mask(self, attn_mask: Any, key_padding_mask: Any, B: int, T: int, U: int, one: bool) -> Tensor | None:
        """One mask for F.scaled_dot_product_attention: True takes part, or numbers that are added.
        """
        given = []
        if attn_mask is not None:
            attn_mask = attn_mask if isinstance(attn_mask, Tensor) else tensor(attn_mask)
            allowed = ((T, U), (B * self.num_heads, T, U))
            if attn_mask.shape not in allowed:
                raise ShapeError(who="MultiheadAttention", expected=f"attn_mask of shape {allowed[0]} or {allowed[1]}",
                                 got=attn_mask.shape)
            given.append(attn_mask if attn_mask.ndim == 2 else F.reshape(attn_mask, B, self.num_heads, T, U))
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask if isinstance(key_padding_mask, Tensor) else tensor(key_padding_mask)
            if key_padding_mask.shape != ((U,) if one else (B, U)):
                raise ShapeError(who="MultiheadAttention",
                                 expected=f"key_padding_mask of shape {(U,) if one else (B, U)}",
                                 got=key_padding_mask.shape)
            given.append(F.reshape(key_padding_mask, B, 1, 1, U))
        forbidden = [m for m in given if m.dtype == np.bool_]
        added = [m for m in given if m.dtype != np.bool_]
        if not given:
            return None
        no = np.logical_or(forbidden[0].data, forbidden[-1].data) if forbidden else None
        if no is not None and not added:
            return wrapped(~no)
        total = added[0] if len(added) == 1 else F.add(added[0], added[1])
        return total if no is None else F.masked_fill(total, wrapped(no), -math.inf)

    def _more_keys(self, k: Tensor, v: Tensor, mask: Tensor | None, T: int,
                   is_causal: bool) -> tuple[Tensor, Tensor, Tensor | None]:
        """k, v and the mask with the learned key and value and the zeros behind, which every query
        may attend.
        """
        B, U = k.shape[0], k.shape[2]
        if is_causal:                               # said by a mask, which can have more columns
            earlier = wrapped(np.tri(T, U, dtype=bool))
            if mask is None or mask.dtype == np.bool_:
                mask = earlier if mask is None else F.logical_and(mask, earlier)
            else:
                mask = F.masked_fill(mask, F.logical_not(earlier), -math.inf)
        more = []
        if self.bias_k is not None and self.bias_v is not None:
            shape = (1, 1, self.num_heads, self.head_dim)
            more.append([F.expand(F.transpose(F.reshape(b, shape), 1, 2), B, -1, -1, -1)
                         for b in (self.bias_k, self.bias_v)])
        if self.add_zero_attn:
            more.append([wrapped(np.zeros((B, self.num_heads, 1, self.head_dim), k.dtype))] * 2)
        keys, values = zip(*more)
        if mask is not None:
            mask = F.pad(mask, (0, len(more)), value=1.0 if mask.dtype == np.bool_ else 0.0)
        return F.cat([k, *keys], 2), F.cat([v, *values], 2), mask

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        query, key = inputs[:2]
        D = self.embed_dim
        T, U = (x.shape[-2] if self.batch_first or x.ndim == 2 else x.shape[0] for x in (query, key))
        B = query.numel() // (T * D)
        projections = T * D * D + U * self.kdim * D + U * self.vdim * D + T * D * D
        return B * (projections + 2 * T * U * D)   # q k^T and p v: HS products per score, NH scores

    def describe(self) -> str:
        return f"MultiheadAttention {self.embed_dim}, {self.num_heads} heads"

    def extra_repr(self) -> str:
        text = f"{self.embed_dim}, {self.num_heads}"
        for name, default in (("dropout", 0.0), ("kdim", self.embed_dim), ("vdim", self.embed_dim),
                              ("batch_first", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text if self.in_proj_bias is not None else text + ", bias=False"


def attention_with_weights(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, is_causal: bool,
                           dropout_p: float) -> tuple[Tensor, Tensor]:
    """y and the weights.

    A key behind a mask has weight 0, but 0 times NaN is NaN, forward and backward. Where such
    numbers may meet, F.scaled_dot_product_attention does it all, which leaves hidden keys out of
    its sums: with the unit matrix beside v, its columns behind y are the weights. That costs T*U*U
    products more per head, so ordinary numbers go through matrix products.
    """
    hidden = is_causal or mask is not None
    if hidden and not all(is_moderate(a.data) for a in (q, k, v)):
        unit = F.expand(wrapped(np.eye(v.shape[-2], dtype=v.dtype)), *v.shape[:-2], -1, -1)
        both = F.scaled_dot_product_attention(q, k, F.cat([v, unit], -1), mask, dropout_p, is_causal)
        y, weights = F.split(both, [v.shape[-1], v.shape[-2]], -1)
        return y, weights
    weights = attention_weights(q, k, mask, is_causal, dropout_p)
    return F.matmul(weights, v), weights


def is_moderate(a: np.ndarray) -> bool:
    """Whether products of these numbers, with each other or with gradients of their size, stay
    finite.
    """
    bound = math.sqrt(np.finfo(a.dtype).max) / 2 ** 16
    return not a.size or bool(max(a.max(), -a.min()) < bound)       # NaN is not below it


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None, is_causal: bool, dropout_p: float) -> Tensor:
    """The weights that F.scaled_dot_product_attention never writes down: softmax(q k^T / sqrt(HS) +
    mask), dropout applied.

    Rows that allow nothing are zero: their scores are set to 0 first, so that no NaN arises in
    either direction.
    """
    scores = F.mul(F.matmul(q, F.transpose(k, -2, -1)), 1 / math.sqrt(q.shape[-1]))
    T, U = scores.shape[-2:]
    no: Any = ~np.tri(T, U, dtype=bool) if is_causal else np.zeros((1, 1), bool)
    if mask is not None:
        no = no | (~mask.data if mask.dtype == np.bool_ else np.isneginf(mask.data))
        if mask.dtype != np.bool_:
            scores = F.add(scores, mask)
    nothing: Any = np.broadcast_to(no, np.broadcast_shapes(no.shape, (T, U))).all(-1, keepdims=True)
    if no.any():
        scores = F.masked_fill(F.masked_fill(scores, wrapped(no), -math.inf), wrapped(nothing), 0.0)
    weights = F.softmax(scores, -1)
    if nothing.any():
        weights = F.masked_fill(weights, wrapped(nothing), 0.0)
    return F.dropout(weights, dropout_p)
