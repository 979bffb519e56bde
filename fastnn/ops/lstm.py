"""Long short-term memory: a cell, a layer, layers stacked.

Kernels: csrc/recurrent/lstm.c. Definitions: fastnn/reference/lstm.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..autograd import apply
from ..creation import zeros
from ..errors import ShapeError
from ..kernels import kernel
from ..op import Op, Refusal, Sample, register
from ..reference import lstm as reference
from ..tensor import Tensor
from . import recurrent

__all__ = ["lstm", "lstm_cell"]


def lstm_cell(input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
              b_hh: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""One step of long short-term memory.

    .. math::
        z = x W_{ih}^T + b_{ih} + h W_{hh}^T + b_{hh} \qquad
        i = \sigma(z_i) \quad f = \sigma(z_f) \quad g = \tanh(z_g) \quad o = \sigma(z_o) \qquad
        c' = f \cdot c + i \cdot g \qquad h' = o \cdot \tanh(c')

    The input gate i lets the candidate g into the cell, the forget gate f keeps what the cell held,
    the output gate o shows it.

    An infinite input drives the gates to their limits. A gate then has slope 0, and the gradients
    of the weights are 0 times infinity: NaN, as in PyTorch.

    Parameters
    ----------
    input : Tensor of shape (B, I), float32 or float64
    hx : pair of Tensors, each of shape (B, H)
        The state (h, c).
    w_ih : Tensor of shape (4H, I)
        The weights of the gates one below the other, in the order i, f, g, o.
    w_hh : Tensor of shape (4H, H)
    b_ih, b_hh : Tensor of shape (4H,), optional

    Returns
    -------
    The pair (h', c'), each of shape (B, H).

    Raises
    ------
    ShapeError : if ranks, features, the state's or a weight's shape do not fit together.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 8 B H (I + H) flop.

    References
    ----------
    Hochreiter, Schmidhuber (1997), "Long short-term memory".
    Gers, Schmidhuber, Cummins (2000), "Learning to forget".

    Examples
    --------
    With all weights 0 every gate is half open and the candidate is 0, so the cell forgets half of
    what it held:

    >>> import fastnn as nn
    >>> zero, state = nn.zeros(4, 1), (nn.tensor([[1.0]]), nn.tensor([[4.0]]))
    >>> nn.functional.lstm_cell(nn.tensor([[3.0]]), state, zero, zero)
    (tensor([[0.482]]), tensor([[2.]]))
    """
    h, c = pair_of("lstm_cell", hx)
    return apply(LSTM_CELL, input, h, c, w_ih, w_hh, b_ih, b_hh)


def lstm(input: Tensor, hx: Sequence[Tensor] | None, params: Sequence[Tensor], *, num_layers: int = 1,
         bidirectional: bool = False, batch_first: bool = False, dropout: float = 0.0,
         training: bool = False) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Long short-term memory over a sequence: layers on top of each other, in one or two
    directions.

    The formula of a step is that of `lstm_cell`, and so is what is NaN. Each layer reads the
    outputs of the one below. A bidirectional layer runs once forwards and once backwards over the
    sequence, and joins both outputs along the features.

    Symbols: T steps, B batch, I inputs, H hidden units; L layers, D directions (1 or 2).

    Parameters
    ----------
    input : Tensor of shape (T, B, I), or (T, I) for one sequence
        float32 or float64.
    hx : pair of Tensors, each of shape (L D, B, H), or (L D, H) for one sequence
        The first state (h_0, c_0) of each layer and direction. None: zeros.
    params : sequence of Tensors
        w_ih (4H, I), w_hh (4H, H), b_ih (4H,) and b_hh (4H,) of the first layer, forwards; if
        bidirectional the same backwards; then those of the next layer, whose w_ih are (4H, D H).
        Without biases, two for each layer and direction.
    num_layers : int
        L.
    bidirectional : bool
        Whether D is 2.
    batch_first : bool
        Whether input and output are (B, T, ...).
    dropout : float
        In training, the share of each layer's outputs, except the last layer's, that is dropped.
    training : bool

    Returns
    -------
    The pair (output, (h_n, c_n)). output is of shape (T, B, D H), (B, T, D H) or (T, D H) and holds
    the last layer's h of every step. h_n and c_n are of h_0's shape and hold the state after the
    last step of each layer and direction.

    Raises
    ------
    ShapeError : if the sequence has no steps, or ranks, features, states, weights or their number
        do not fit together.
    DTypeError : if an argument is not floating point, or they differ in dtype.
    RangeError : if dropout is not a probability.

    Cost: 8 T B H (I + H) flop per layer and direction, twice that backward. Some 6 T B H numbers
    are saved for it.

    References
    ----------
    Hochreiter, Schmidhuber (1997), "Long short-term memory".
    Graves, Schmidhuber (2005), "Framewise phoneme classification with bidirectional LSTM and other
        neural network architectures".

    Examples
    --------

    >>> import numpy as np, fastnn as nn
    >>> rng = np.random.default_rng(0)
    >>> params = [nn.tensor(rng.standard_normal(shape)) for shape in ((8, 3), (8, 2), (8,), (8,))]
    >>> output, (h, c) = nn.functional.lstm(nn.tensor(rng.standard_normal((5, 1, 3))), None, params)
    >>> output.shape, h.shape, c.shape
    ((5, 1, 2), (1, 1, 2), (1, 1, 2))
    """
    states: dict[str, Any] | None = None if hx is None else dict(zip(("hidden", "cell"), pair_of("lstm", hx)))
    family = recurrent.Family("lstm", gates=4, states=2)
    y, (h, c) = recurrent.layers(family, partial(apply, LSTM), input, states, params, num_layers=num_layers,
                                 bidirectional=bidirectional, batch_first=batch_first, dropout=dropout,
                                 training=training)
    return y, (h, c)


# ---- what the functions share --------------------------------------------------------------------
def pair_of(who: str, hx: Any) -> Any:
    """The state, which must be a pair."""
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        got = type(hx).__name__ + (f" of {len(hx)}" if isinstance(hx, (tuple, list)) else "")
        raise ShapeError(who=who, expected="the state as a pair (h, c)", got=got)
    return hx


# ---- checks --------------------------------------------------------------------------------------
def check_cell(x: Any, h: Any, c: Any, *weights: Any) -> None:
    recurrent.check_cell("lstm_cell", 4, x, {"hidden": h, "cell": c}, weights)


def check_lstm(x: Any, h0: Any, c0: Any, *weights: Any, reverse: bool) -> None:
    recurrent.check_sequence("lstm", 4, x, {"hidden": h0, "cell": c0}, weights)


# ---- samples -------------------------------------------------------------------------------------
steps = partial(recurrent.steps, 4, 2)


def layer_of(T: int, B: int, I: int, H: int) -> Sample:
    return steps(f"T={T} B={B} I={I} H={H}", T, B, I, H, reverse=False)


# ---- errors --------------------------------------------------------------------------------------
def layer(*args: Tensor) -> Any:
    """The op itself, without biases."""
    return apply(LSTM, *args, None, None, reverse=False)


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_lstm_cell(x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    z = x @ w_ih.T
    z += h @ w_hh.T
    for b in (b_ih, b_hh):
        if b is not None:
            z += b
    H = c.shape[1]
    i, f, o = (1 / (1 + np.exp(-z[:, k * H:(k + 1) * H])) for k in (0, 1, 3))
    c = f * c + i * np.tanh(z[:, 2 * H:3 * H])
    return o * np.tanh(c), c


def fast_lstm(x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, reverse: bool) -> Any:
    T, B, I = x.shape
    H = c.shape[1]
    z = (x.reshape(T * B, I) @ w_ih.T).reshape(T, B, 4 * H)
    for b in (b_ih, b_hh):
        if b is not None:
            z += b
    y = np.empty((T, B, H), x.dtype)
    w = np.ascontiguousarray(w_hh.T)
    for t in range(T - 1, -1, -1) if reverse else range(T):
        z[t] += h @ w
        i, f, o = (1 / (1 + np.exp(-z[t, :, k * H:(k + 1) * H])) for k in (0, 1, 3))
        c = f * c + i * np.tanh(z[t, :, 2 * H:3 * H])
        h = y[t] = o * np.tanh(c)
    return y, h, c


# ---- records -------------------------------------------------------------------------------------
INPUTS = ("x", "h", "c", "w_ih", "w_hh", "b_ih", "b_hh")

LSTM_CELL = register(Op(
    name="lstm_cell", family="recurrent", inputs=INPUTS,
    formula="i, f, g, o = gates(x W_ih^T + h W_hh^T + b_ih + b_hh); c' = f c + i g; h' = o tanh(c')",
    forward=kernel("lstm_cell_forward"), backward=kernel("lstm_cell_backward"),
    ref_forward=reference.lstm_cell_forward, ref_backward=reference.lstm_cell_backward,
    check=check_cell, samples=lambda: recurrent.cell_samples(steps),
    errors=(
        *recurrent.cell_errors("lstm_cell", 4, lambda x, h, *weights: lstm_cell(x, (h, zeros(1, 2)), *weights)),
        Refusal("cell", lambda: lstm_cell(zeros(1, 3), (zeros(1, 2), zeros(2, 2)), zeros(8, 3), zeros(8, 2)),
                ShapeError, ("cell state", "(1, 2)", "(2, 2)")),
    ),
    fast_numpy=fast_lstm_cell,
    bench={"B=32 I=128 H=256": lambda: steps("B=32 I=128 H=256", None, 32, 128, 256),
           "B=1 I=128 H=128": lambda: steps("B=1 I=128 H=128", None, 1, 128, 128)},
    flops=recurrent.flops_of(4), bytes=lambda T, B, I, H: 4 * (4 * H * (I + H + 2) + B * (I + 8 * H)),
    **recurrent.FEATURES,
))

LSTM = register(Op(
    name="lstm", family="recurrent", inputs=("x", "h0", "c0", *INPUTS[3:]),
    formula="h_t, c_t = lstm_cell(x_t, h_{t-1}, c_{t-1}) for t = 0 ... T-1, or backwards; "
            "gives all h_t and the last h and c",
    forward=kernel("lstm_forward"), backward=kernel("lstm_backward"),
    ref_forward=reference.lstm_forward, ref_backward=reference.lstm_backward,
    check=check_lstm, samples=lambda: recurrent.sequence_samples(partial(steps, reverse=False)),
    errors=(
        *recurrent.sequence_errors("lstm", 4, lambda x, h, *weights: layer(x, h, zeros(1, 2), *weights),
                                   lambda x, h, *params, **k: lstm(x, None if h is None else (h, h), *params, **k)),
        Refusal("cell", lambda: layer(zeros(1, 1, 3), zeros(1, 2), zeros(2, 2), zeros(8, 3), zeros(8, 2)),
                ShapeError, ("cell state", "(1, 2)", "(2, 2)")),
        Refusal("no pair", lambda: lstm(zeros(1, 1, 3), [zeros(1, 1, 2)], [zeros(8, 3), zeros(8, 2)]),
                ShapeError, ("pair (h, c)", "list of 1")),
    ),
    fast_numpy=fast_lstm,
    bench={"T=64 B=32 I=128 H=256": lambda: layer_of(64, 32, 128, 256),
           "T=128 B=1 I=128 H=128": lambda: layer_of(128, 1, 128, 128)},
    flops=recurrent.flops_of(4), bytes=lambda T, B, I, H: 4 * (4 * H * (I + H + 2) + T * B * (I + 6 * H) + 4 * B * H),
    **recurrent.STEPS,
))
