"""Embedding, of words and of bags of words."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import arrays, init
from .. import functional as F
from ..errors import RangeError, ShapeError
from ..guard import need_defaults
from ..ops.embedding import workspace_bytes
from ..tensor import Parameter, Tensor
from .module import Module
from .sizes import need_sizes, parameter_dtype

__all__ = ["Embedding", "EmbeddingBag"]


class Embedding(Module):
    """A table of vectors, looked up by number: y = weight[x].

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V and D.
    padding_idx : int, optional
        This row starts as zeros and gets no gradient.
    max_norm, norm_type, scale_grad_by_freq, sparse : PyTorch's, at their defaults alone.
    _weight : Tensor (V, D), optional
        The table, in the place of random numbers.

    Shapes: x of whole numbers, any shape -> y (*x.shape, D); weight (V, D) from N(0, 1).

    Raises
    ------
    DTypeError
        When called: x holds no whole numbers.
    RangeError
        When called: a number is not in 0 ... V - 1. When made: padding_idx is no row.

    >>> import fastnn as nn
    >>> nn.Embedding(1000, 16)(nn.tensor([[1, 2, 3]])).shape
    (1, 3, 16)
    """

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                 sparse: bool = False, _weight: Tensor | None = None, _freeze: bool = False, *, device: Any = None,
                 dtype: Any = None) -> None:
        need_defaults("Embedding", "Gradients are whole tables, and rows are not renormalised.",
                      max_norm=(max_norm, None), scale_grad_by_freq=(scale_grad_by_freq, False), sparse=(sparse, False))
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__()
        need_sizes("Embedding", num_embeddings=num_embeddings, embedding_dim=embedding_dim)
        if padding_idx is not None and not -num_embeddings <= padding_idx < num_embeddings:
            raise RangeError(who="Embedding", expected=f"padding_idx within the {num_embeddings} rows", got=padding_idx)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = None if padding_idx is None else padding_idx % num_embeddings
        if _weight is None:
            self.weight = Parameter(arrays.empty((num_embeddings, embedding_dim), dtype), not _freeze)
            self.reset_parameters()
            return
        if _weight.shape != (num_embeddings, embedding_dim):
            raise ShapeError(who="Embedding", expected=f"_weight {(num_embeddings, embedding_dim)}", got=_weight.shape)
        self.weight = Parameter(_weight, not _freeze)

    def reset_parameters(self) -> None:
        """N(0, 1), and zeros in the row of the padding."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    @classmethod
    def from_pretrained(cls, embeddings: Any, freeze: bool = True, padding_idx: int | None = None) -> Embedding:
        """A layer over given vectors (V, D), which it copies; frozen unless told otherwise.

        >>> import fastnn as nn
        >>> nn.Embedding.from_pretrained([[1.0, 2.0], [3.0, 4.0]])(nn.tensor([1]))
        tensor([[3., 4.]], dtype=float64)
        """
        values = np.array(embeddings)
        if values.ndim != 2:
            raise ShapeError(who="Embedding", expected="vectors of shape (V, D)", got=values.shape)
        layer = cls(values.shape[0], values.shape[1], padding_idx)
        layer.weight = Parameter(values, requires_grad=not freeze)
        return layer

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(input, self.weight, self.padding_idx)

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        return workspace_bytes(inputs[0].numel(), self.num_embeddings)

    def describe(self) -> str:
        return f"Embedding {self.num_embeddings} x {self.embedding_dim}"

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class EmbeddingBag(Module):
    """The sum, mean or maximum of the vectors of each bag of words.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        V and D.
    mode : "sum", "mean" or "max"
    include_last_offset : bool
        Whether the last offset is where the last bag ends.
    padding_idx : int, optional
        A word that does not count; its row starts as zeros and gets no gradient.
    max_norm, norm_type, scale_grad_by_freq, sparse : PyTorch's, at their defaults alone.
    _weight : Tensor (V, D), optional
        The table, in the place of random numbers.

    Shapes: x of whole numbers (B, n), or (n,) with offsets (B,) -> y (B, D); weight (V, D) from
    N(0, 1).

    Raises
    ------
    RangeError
        When called: a number is not in 0 ... V - 1, or offsets are out of order. When made:
        padding_idx is no row.

    >>> import fastnn as nn
    >>> nn.EmbeddingBag(1000, 16)(nn.tensor([1, 2, 3]), nn.tensor([0, 2])).shape
    (2, 16)
    """

    weight: Parameter

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                 _weight: Tensor | None = None, include_last_offset: bool = False, padding_idx: int | None = None, *,
                 device: Any = None, dtype: Any = None) -> None:
        need_defaults("EmbeddingBag", "Gradients are whole tables, and rows are not renormalised.",
                      max_norm=(max_norm, None), scale_grad_by_freq=(scale_grad_by_freq, False), sparse=(sparse, False))
        if mode not in ("sum", "mean", "max"):
            raise RangeError(who="EmbeddingBag", expected="mode 'sum', 'mean' or 'max'", got=repr(mode))
        super().__init__()
        table = Embedding(num_embeddings, embedding_dim, padding_idx, _weight=_weight, device=device, dtype=dtype)
        self.num_embeddings, self.embedding_dim, self.mode = num_embeddings, embedding_dim, mode
        self.padding_idx, self.include_last_offset = table.padding_idx, include_last_offset
        self.weight = table.weight

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(input, self.weight, offsets, mode=self.mode, per_sample_weights=per_sample_weights,
                               include_last_offset=self.include_last_offset, padding_idx=self.padding_idx)

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        return workspace_bytes(inputs[0].numel(), self.num_embeddings)

    def extra_repr(self) -> str:
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}{padding}"
