"""LSTM and LSTMCell."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import functional as F
from .. import init
from ..errors import RangeError, ShapeError
from ..ops.lstm import parameter_shapes, workspace_bytes
from ..tensor import Parameter, Tensor
from .module import Module

__all__ = ["LSTM", "LSTMCell"]


class LSTM(Module):
    r"""Long short-term memory over a whole sequence in one call per layer and direction.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    num_layers : int
        L layers on top of each other.
    bias : bool
    batch_first : bool
        Sequences as (B, T, I) instead of (T, B, I). States are (L*D, B, H) either way.
    dropout : float
        In training, the share of each layer's outputs, except the last layer's, that is dropped.
    bidirectional : bool
        D = 2: each layer also runs backwards, and its two outputs are joined.

    Call: output, (h, c) = lstm(x) or lstm(x, (h0, c0)); zeros without. x may be one sequence (T, I). output (T, B, D*H);
    h and c (L*D, B, H). Parameters of layer k: weight_ih_lk (4*H, I), weight_hh_lk (4*H, H), bias_ih_lk, bias_hh_lk (4*H,),
    and with _reverse those of the other direction; gates in the order i f g o; all from U(-a, a) with a = 1/sqrt(H).
    Hochreiter, Schmidhuber (1997), "Long short-term memory".

    >>> import fastnn as nn
    >>> output, (h, c) = nn.LSTM(3, 5, num_layers=2, bidirectional=True)(nn.zeros(7, 4, 3))
    >>> output.shape, h.shape, c.shape
    ((7, 4, 10), (4, 4, 5), (4, 4, 5))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *,
                 dtype: Any = np.float32) -> None:
        super().__init__()
        if hidden_size < 1 or num_layers < 1:
            raise ShapeError(who="LSTM", expected="hidden_size and num_layers of at least 1", got=(hidden_size, num_layers))
        if not 0 <= dropout <= 1:
            raise RangeError(who="LSTM", expected="a probability 0 <= dropout <= 1", got=dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        shapes = parameter_shapes(input_size, hidden_size, num_layers, bias, bidirectional)
        self._names = list(shapes)
        for name, shape in shapes.items():
            self.register_parameter(name, Parameter(np.empty(shape, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All uniform in +-1/sqrt(H)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        params = [getattr(self, name) for name in self._names]
        return F.lstm(input, hx, params, num_layers=self.num_layers, bidirectional=self.bidirectional,
                      batch_first=self.batch_first, dropout=self.dropout, training=self.training)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        steps = math.prod(inputs[0].shape[:-1])
        return steps * sum(p.numel() for name, p in self.named_parameters(recurse=False) if name.startswith("weight"))

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        x = inputs[0]
        T, B = (x.shape[0], 1) if x.ndim == 2 else x.shape[1::-1] if self.batch_first else x.shape[:2]
        return workspace_bytes(T, B, self.hidden_size, x.dtype.itemsize)        # layers and directions take turns

    def describe(self) -> str:
        layers = f", {self.num_layers} layers" if self.num_layers > 1 else ""
        return f"LSTM {self.input_size} -> {self.hidden_size}{layers}{', both ways' if self.bidirectional else ''}"

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0),
                              ("bidirectional", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class LSTMCell(Module):
    """One step of long short-term memory: h, c = cell(x) or cell(x, (h, c)). x (B, I) or (I,); h and c (B, H) or (H,).

    weight_ih (4*H, I), weight_hh (4*H, H), bias_ih and bias_hh (4*H,), all from U(-a, a) with a = 1/sqrt(H); gates i f g o.
    LSTM takes a whole sequence in one call, which is much faster than a loop over cells.
    """

    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, dtype: Any = np.float32) -> None:
        super().__init__()
        if hidden_size < 1:
            raise ShapeError(who="LSTMCell", expected="hidden_size of at least 1", got=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self.weight_ih = Parameter(np.empty((4 * hidden_size, input_size), dtype))
        self.weight_hh = Parameter(np.empty((4 * hidden_size, hidden_size), dtype))
        self.register_parameter("bias_ih", Parameter(np.empty(4 * hidden_size, dtype)) if bias else None)
        self.register_parameter("bias_hh", Parameter(np.empty(4 * hidden_size, dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All uniform in +-1/sqrt(H)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if hx is None:
            zero = Tensor(np.zeros((*input.shape[:-1], self.hidden_size), input.dtype))
            hx = (zero, zero)
        if input.ndim == 1:
            h, c = F.lstm_cell(F.unsqueeze(input, 0), tuple(F.unsqueeze(s, 0) for s in hx), self.weight_ih, self.weight_hh,
                               self.bias_ih, self.bias_hh)
            return F.squeeze(h, 0), F.squeeze(c, 0)
        return F.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        return math.prod(inputs[0].shape[:-1]) * (self.weight_ih.numel() + self.weight_hh.numel())

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        x = inputs[0]
        return workspace_bytes(1, math.prod(x.shape[:-1]), self.hidden_size, x.dtype.itemsize)

    def describe(self) -> str:
        return f"LSTMCell {self.input_size} -> {self.hidden_size}"

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
