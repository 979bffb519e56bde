"""LSTM, GRU and RNN over sequences, and their cells, which take one step.

Letters: T steps, B sequences in a batch, I inputs, H hidden units, L layers, D directions. The
formulas stand at the functions: nn.functional.lstm_cell, gru_cell, rnn_tanh_cell.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import arrays, init
from .. import functional as F
from ..errors import RangeError, ShapeError
from ..guard import need_defaults
from ..ops.recurrent import parameter_shapes, workspace_bytes
from ..tensor import Parameter, Tensor, wrapped
from .module import Module
from .sizes import need_sizes, parameter_dtype

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell"]


MOST_LAYERS = 10_000


class Recurrent(Module):
    """What LSTM, GRU and RNN share: parameters, their start values, costs.

    gates: rows of weights that belong to a hidden unit.
    """

    gates: int

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, bias: bool, batch_first: bool,
                 dropout: float, bidirectional: bool, dtype: Any) -> None:
        super().__init__()
        who = type(self).__name__
        need_sizes(who, 1, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if num_layers > MOST_LAYERS:  # else making the parameters would take hours, then all memory
            raise ShapeError(who=who, expected=f"num_layers <= {MOST_LAYERS}", got=num_layers)
        if not 0 <= dropout <= 1:
            raise RangeError(who=who, expected="a probability 0 <= dropout <= 1", got=dropout)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bool(bidirectional)
        shapes = parameter_shapes(self.gates, input_size, hidden_size, num_layers, bias, self.bidirectional)
        self._names = list(shapes)
        for name, shape in shapes.items():
            self.register_parameter(name, Parameter(arrays.empty(shape, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All uniform in +-1/sqrt(H)."""
        draw_parameters(self)

    def run(self, function: Any, input: Tensor, hx: Any) -> Any:
        """The function of the whole sequence, with this layer's parameters."""
        params = [getattr(self, name) for name in self._names]
        return function(input, hx, params, num_layers=self.num_layers, bidirectional=self.bidirectional,
                        batch_first=self.batch_first, dropout=self.dropout, training=self.training)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        steps = math.prod(inputs[0].shape[:-1])
        return steps * sum(p.numel() for name, p in self.named_parameters(recurse=False) if name.startswith("weight"))

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        x = inputs[0]
        T, B = (x.shape[0], 1) if x.ndim == 2 else x.shape[1::-1] if self.batch_first else x.shape[:2]
        I = max(self.input_size, self.hidden_size * (1 + self.bidirectional) if self.num_layers > 1 else 0)
        # layers and directions run one after the other and use the same workspace
        return workspace_bytes(self.gates, T, B, I, self.hidden_size, x.dtype.itemsize)

    def describe(self) -> str:
        layers = f", {self.num_layers} layers" if self.num_layers > 1 else ""
        return (f"{type(self).__name__} {self.input_size} -> {self.hidden_size}{layers}"
                f"{', both ways' if self.bidirectional else ''}")

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("nonlinearity", "tanh"), ("bias", True), ("batch_first", False),
                              ("dropout", 0.0), ("bidirectional", False)):
            if getattr(self, name, default) != default:
                text += f", {name}={getattr(self, name)!r}"
        return text

    def flatten_parameters(self) -> None:
        """Nothing, for PyTorch's sake: the kernels read the parameters where they are."""


class LSTM(Recurrent):
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

    Called as output, (h, c) = lstm(x) or lstm(x, (h0, c0)); states not given are zeros.

    Shapes: x (T, B, I), or (T, I) for one sequence -> output (T, B, D*H), the last layer's hidden
    states of all steps; h and c (L*D, B, H), every layer's states of the last step.

    Parameters' names, for layer k: weight_ih_lk (4*H, I), weight_hh_lk (4*H, H), bias_ih_lk and
    bias_hh_lk (4*H,), and with _reverse those of the other direction; gates in the order i f g o;
    all from U(-a, a) with a = 1/sqrt(H).

    Raises
    ------
    ShapeError
        x or a state has another shape; hidden_size or num_layers is below 1.
    DTypeError
        x or a state has another dtype than the weights.
    RangeError
        dropout is no probability.

    Cost: 4*H*(I + H) multiply-adds per step, sequence, layer and direction.

    Hochreiter, Schmidhuber (1997), "Long short-term memory".

    >>> import fastnn as nn
    >>> output, (h, c) = nn.LSTM(3, 5, num_layers=2, bidirectional=True)(nn.zeros(7, 4, 3))
    >>> output.shape, h.shape, c.shape
    ((7, 4, 10), (4, 4, 5), (4, 4, 5))
    """

    gates = 4

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, *, device: Any = None, dtype: Any = None) -> None:
        need_defaults("LSTM", "For a smaller state put a Linear behind it.", proj_size=(proj_size, 0))
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, state = self.run(F.lstm, input, hx)
        return output, state


class GRU(Recurrent):
    r"""Gated recurrent units over a whole sequence in one call per layer and direction.

    Arguments, names of parameters and errors are those of `LSTM`, with gates in the order r z n.

    Called as output, h = gru(x) or gru(x, h0); a state not given is zeros.

    Shapes: x (T, B, I), or (T, I) for one sequence -> output (T, B, D*H); h (L*D, B, H);
    weight_ih_lk (3*H, I), weight_hh_lk (3*H, H), bias_ih_lk and bias_hh_lk (3*H,).

    The reset gate r acts after the product with W_hn and its bias, as in PyTorch.

    Cost: 3*H*(I + H) multiply-adds per step, sequence, layer and direction.

    Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation".

    >>> import fastnn as nn
    >>> output, h = nn.GRU(3, 5, num_layers=2, bidirectional=True)(nn.zeros(7, 4, 3))
    >>> output.shape, h.shape
    ((7, 4, 10), (4, 4, 5))
    """

    gates = 3

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *, device: Any = None,
                 dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, h = self.run(F.gru, input, hx)
        return output, h


class RNN(Recurrent):
    r"""A plain recurrent network over a whole sequence in one call per layer and direction.

    Arguments, names of parameters and errors are those of `LSTM`, with nonlinearity, "tanh" or
    "relu", after num_layers, as in PyTorch.

    Called as output, h = rnn(x) or rnn(x, h0); a state not given is zeros.

    Shapes: x (T, B, I), or (T, I) for one sequence -> output (T, B, D*H); h (L*D, B, H);
    weight_ih_lk (H, I), weight_hh_lk (H, H), bias_ih_lk and bias_hh_lk (H,).

    Cost: H*(I + H) multiply-adds per step, sequence, layer and direction.

    Elman (1990), "Finding structure in time".

    >>> import fastnn as nn
    >>> output, h = nn.RNN(3, 5, nonlinearity="relu")(nn.zeros(7, 4, 3))
    >>> output.shape, h.shape
    ((7, 4, 5), (1, 4, 5))
    """

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, *,
                 device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        check_nonlinearity("RNN", nonlinearity)
        super().__init__(input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output, h = self.run(F.rnn_relu if self.nonlinearity == "relu" else F.rnn_tanh, input, hx)
        return output, h


# ---- cells ---------------------------------------------------------------------------------------
class RecurrentCell(Module):
    """What LSTMCell, GRUCell and RNNCell share: parameters, their start values, costs."""

    gates: int
    weight_ih: Parameter
    weight_hh: Parameter
    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool, dtype: Any) -> None:
        super().__init__()
        who = type(self).__name__
        need_sizes(who, input_size=input_size)
        need_sizes(who, 1, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = self.gates * hidden_size
        self.weight_ih = Parameter(arrays.empty((rows, input_size), dtype))
        self.weight_hh = Parameter(arrays.empty((rows, hidden_size), dtype))
        self.register_parameter("bias_ih", Parameter(arrays.empty((rows,), dtype)) if bias else None)
        self.register_parameter("bias_hh", Parameter(arrays.empty((rows,), dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """All uniform in +-1/sqrt(H)."""
        draw_parameters(self)

    def zero_state(self, input: Tensor) -> Tensor:
        """The state before the first step."""
        return wrapped(np.zeros((*input.shape[:-1], self.hidden_size), input.dtype))

    def step(self, function: Any, input: Tensor, h: Tensor) -> Any:
        """One step of a cell whose state is one tensor, of a batch or of one sample."""
        weights = self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh
        if input.ndim == 1:
            return F.squeeze(function(F.unsqueeze(input, 0), F.unsqueeze(h, 0), *weights), 0)
        return function(input, h, *weights)

    def cost(self, inputs: tuple[Any, ...], output: Any) -> int:
        return math.prod(inputs[0].shape[:-1]) * (self.weight_ih.numel() + self.weight_hh.numel())

    def workspace_bytes(self, inputs: tuple[Any, ...], output: Any) -> int:
        x = inputs[0]
        return workspace_bytes(self.gates, 1, math.prod(x.shape[:-1]), self.input_size, self.hidden_size,
                               x.dtype.itemsize)

    def describe(self) -> str:
        return f"{type(self).__name__} {self.input_size} -> {self.hidden_size}"

    def extra_repr(self) -> str:
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return (f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
                + ("" if nonlinearity == "tanh" else f", nonlinearity={nonlinearity!r}"))


class LSTMCell(RecurrentCell):
    """One step of long short-term memory: h, c = cell(x) or cell(x, (h, c)).

    LSTM takes a whole sequence in one call, which is much faster than a loop over cells.

    Shapes: x (B, I) or (I,); h and c (B, H) or (H,); weight_ih (4*H, I), weight_hh (4*H, H),
    bias_ih and bias_hh (4*H,), all from U(-a, a) with a = 1/sqrt(H); gates in the order i f g o.

    >>> import fastnn as nn
    >>> cell, state = nn.LSTMCell(3, 5), None
    >>> for x in nn.randn(7, 4, 3):                 # T, B, I
    ...     state = cell(x, state)
    >>> h, c = state
    >>> h.shape, c.shape
    ((4, 5), (4, 5))
    """

    gates = 4

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, device: Any = None,
                 dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        if hx is None:
            zero = self.zero_state(input)
            hx = (zero, zero)
        if input.ndim == 1:
            h, c = F.lstm_cell(F.unsqueeze(input, 0), tuple(F.unsqueeze(s, 0) for s in hx), self.weight_ih,
                               self.weight_hh, self.bias_ih, self.bias_hh)
            return F.squeeze(h, 0), F.squeeze(c, 0)
        return F.lstm_cell(input, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)


class GRUCell(RecurrentCell):
    """One step of a gated recurrent unit: h = cell(x) or cell(x, h).

    GRU takes a whole sequence in one call, which is much faster than a loop over cells.

    Shapes: x (B, I) or (I,); h (B, H) or (H,); weight_ih (3*H, I), weight_hh (3*H, H), bias_ih and
    bias_hh (3*H,), all from U(-a, a) with a = 1/sqrt(H); gates in the order r z n.

    >>> import fastnn as nn
    >>> nn.GRUCell(3, 5)(nn.zeros(4, 3)).shape
    (4, 5)
    """

    gates = 3

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, *, device: Any = None,
                 dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        super().__init__(input_size, hidden_size, bias, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        y: Tensor = self.step(F.gru_cell, input, self.zero_state(input) if hx is None else hx)
        return y


class RNNCell(RecurrentCell):
    """One step of a plain recurrent network: h = cell(x) or cell(x, h).

    nonlinearity is "tanh" or "relu". RNN takes a whole sequence in one call, which is much faster
    than a loop over cells.

    Shapes: x (B, I) or (I,); h (B, H) or (H,); weight_ih (H, I), weight_hh (H, H), bias_ih and
    bias_hh (H,), all from U(-a, a) with a = 1/sqrt(H).

    >>> import fastnn as nn
    >>> nn.RNNCell(3, 5, nonlinearity="relu")(nn.zeros(3)).shape
    (5,)
    """

    gates = 1

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", *,
                 device: Any = None, dtype: Any = None) -> None:
        dtype = parameter_dtype(type(self).__name__, dtype, device)
        check_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        function = F.rnn_relu_cell if self.nonlinearity == "relu" else F.rnn_tanh_cell
        y: Tensor = self.step(function, input, self.zero_state(input) if hx is None else hx)
        return y


def draw_parameters(layer: Recurrent | RecurrentCell) -> None:
    """All parameters uniform in +-1/sqrt(H)."""
    bound = 1 / math.sqrt(layer.hidden_size)
    for p in layer.parameters():
        init.uniform_(p, -bound, bound)


def check_nonlinearity(who: str, nonlinearity: str) -> None:
    """RangeError unless it is "tanh" or "relu"."""
    if nonlinearity not in ("tanh", "relu"):
        raise RangeError(who=who, expected='nonlinearity "tanh" or "relu"', got=nonlinearity)
