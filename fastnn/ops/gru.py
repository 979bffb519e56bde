"""Gated recurrent units: a cell, a layer, layers stacked.

Kernels: csrc/recurrent/gru.c. Definitions: fastnn/reference/gru.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..autograd import apply
from ..kernels import kernel
from ..op import Op, Sample, register
from ..reference import gru as reference
from ..tensor import Tensor
from . import recurrent

__all__ = ["gru", "gru_cell"]


def gru_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
             b_hh: Tensor | None = None) -> Tensor:
    r"""One step of a gated recurrent unit.

    .. math::
        r = \sigma(x W_{ir}^T + b_{ir} + h W_{hr}^T + b_{hr}) \qquad
        z = \sigma(x W_{iz}^T + b_{iz} + h W_{hz}^T + b_{hz}) \qquad
        n = \tanh(x W_{in}^T + b_{in} + r \cdot (h W_{hn}^T + b_{hn})) \qquad
        h' = (1 - z) \cdot n + z \cdot h

    The reset gate r says how much of the state enters the candidate n, the update gate z how much
    of the state stays. As in PyTorch, r acts after the product with W_hn and its bias.

    An infinite input drives the gates to their limits. A gate then has slope 0, and the gradients
    of the weights are 0 times infinity: NaN, as in PyTorch. So is an infinite state where z is 0.

    Parameters
    ----------
    input : Tensor of shape (B, I), float32 or float64
    hx : Tensor of shape (B, H)
        The state h.
    w_ih : Tensor of shape (3H, I)
        The weights of the gates one below the other, in the order r, z, n.
    w_hh : Tensor of shape (3H, H)
    b_ih, b_hh : Tensor of shape (3H,), optional

    Returns
    -------
    Tensor h' of shape (B, H).

    Raises
    ------
    ShapeError : if ranks, features, the state's or a weight's shape do not fit together.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 6 B H (I + H) flop.

    Reference: Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", arXiv:1406.1078.

    Examples
    --------
    With all weights 0 both gates are half open and the candidate is 0, so half of the state stays:

    >>> import fastnn as nn
    >>> zero = nn.tensor([[0.0], [0.0], [0.0]])
    >>> nn.functional.gru_cell(nn.tensor([[3.0]]), nn.tensor([[4.0]]), zero, zero)
    tensor([[2.]])
    """
    y: Tensor = apply(GRU_CELL, input, recurrent.hidden_state("gru_cell", hx), w_ih, w_hh, b_ih, b_hh)
    return y


def gru(input: Tensor, hx: Tensor | None, params: Sequence[Tensor], *, num_layers: int = 1, bidirectional: bool = False,
        batch_first: bool = False, dropout: float = 0.0, training: bool = False) -> tuple[Tensor, Tensor]:
    """Gated recurrent units over a sequence: layers on top of each other, in one or two directions.

    The formula of a step is that of `gru_cell`, and so is what is NaN. How layers and directions go
    together, and the symbols, are those of `lstm`.

    Parameters
    ----------
    input, num_layers, bidirectional, batch_first, dropout, training : as in `lstm`
    hx : Tensor h_0 of shape (L D, B, H), or (L D, H) for one sequence
        None: zeros.
    params : sequence of Tensors
        w_ih (3H, I), w_hh (3H, H), b_ih (3H,) and b_hh (3H,) of the first layer, forwards; if
        bidirectional the same backwards; then those of the next layer, whose w_ih are (3H, D H).
        Without biases, two for each layer and direction.

    Returns
    -------
    The pair (output, h_n). output is of shape (T, B, D H), (B, T, D H) or (T, D H) and holds the
    last layer's h of every step. h_n is of hx's shape and holds the state after the last step of
    each layer and direction.

    Errors: as `lstm`.

    Cost: 6 T B H (I + H) flop per layer and direction, twice that backward. Some 5 T B H numbers
    are saved for it.

    Reference: Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", arXiv:1406.1078.

    >>> import numpy as np, fastnn as nn
    >>> rng = np.random.default_rng(0)
    >>> params = [nn.tensor(rng.standard_normal(shape)) for shape in ((6, 3), (6, 2), (6,), (6,))]
    >>> output, h = nn.functional.gru(nn.tensor(rng.standard_normal((5, 1, 3))), None, params)
    >>> output.shape, h.shape
    ((5, 1, 2), (1, 1, 2))
    """
    states = None if hx is None else {"hidden": recurrent.hidden_state("gru", hx)}
    family = recurrent.Family("gru", gates=3, states=1)
    y, (h,) = recurrent.layers(family, partial(apply, GRU), input, states, params, num_layers=num_layers,
                               bidirectional=bidirectional, batch_first=batch_first, dropout=dropout, training=training)
    return y, h


# ---- checks --------------------------------------------------------------------------------------
def check_cell(x: Any, h: Any, *weights: Any) -> None:
    recurrent.check_cell("gru_cell", 3, x, {"hidden": h}, weights)


def check_gru(x: Any, h0: Any, *weights: Any, reverse: bool) -> None:
    recurrent.check_sequence("gru", 3, x, {"hidden": h0}, weights)


# ---- samples -------------------------------------------------------------------------------------
steps = partial(recurrent.steps, 3, 1)


def layer_of(T: int, B: int, I: int, H: int) -> Sample:
    return steps(f"T={T} B={B} I={I} H={H}", T, B, I, H, reverse=False)


# ---- errors --------------------------------------------------------------------------------------
def layer(*args: Tensor) -> Any:
    """The op itself, without biases."""
    return apply(GRU, *args, None, None, reverse=False)


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_gru_cell(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> Any:
    a, u, H = x @ w_ih.T, h @ w_hh.T, h.shape[1]
    if b_ih is not None:
        a += b_ih
    if b_hh is not None:
        u += b_hh
    rz = 1 / (1 + np.exp(-(a[:, :2 * H] + u[:, :2 * H])))
    n = np.tanh(a[:, 2 * H:] + rz[:, :H] * u[:, 2 * H:])
    return n + rz[:, H:] * (h - n)


def fast_gru(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, reverse: bool) -> Any:
    T, B, I = x.shape
    H = h.shape[1]
    a = (x.reshape(T * B, I) @ w_ih.T).reshape(T, B, 3 * H)
    if b_ih is not None:
        a += b_ih
    y = np.empty((T, B, H), x.dtype)
    w = np.ascontiguousarray(w_hh.T)
    for t in range(T - 1, -1, -1) if reverse else range(T):
        u = h @ w
        if b_hh is not None:
            u += b_hh
        rz = 1 / (1 + np.exp(-(a[t, :, :2 * H] + u[:, :2 * H])))
        n = np.tanh(a[t, :, 2 * H:] + rz[:, :H] * u[:, 2 * H:])
        h = y[t] = n + rz[:, H:] * (h - n)
    return y, h


# ---- records -------------------------------------------------------------------------------------
INPUTS = ("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")

GRU_CELL = register(Op(
    name="gru_cell", family="recurrent", inputs=INPUTS,
    formula="r, z = sigmoid(x W_ih^T + b_ih + h W_hh^T + b_hh); n = tanh(x W_in^T + b_in + r (h W_hn^T + b_hn)); "
            "h' = (1 - z) n + z h",
    forward=kernel("gru_cell_forward"), backward=kernel("gru_cell_backward"),
    ref_forward=reference.gru_cell_forward, ref_backward=reference.gru_cell_backward,
    check=check_cell, samples=lambda: recurrent.cell_samples(steps),
    errors=recurrent.cell_errors("gru_cell", 3, gru_cell),
    fast_numpy=fast_gru_cell,
    bench={"B=32 I=128 H=256": lambda: steps("B=32 I=128 H=256", None, 32, 128, 256),
           "B=1 I=128 H=128": lambda: steps("B=1 I=128 H=128", None, 1, 128, 128)},
    flops=recurrent.flops_of(3), bytes=lambda T, B, I, H: 4 * (3 * H * (I + H + 2) + B * (I + 6 * H)),
    keeps_nan=("h",), **recurrent.FEATURES,
))

GRU = register(Op(
    name="gru", family="recurrent", inputs=("x", "h0", *INPUTS[2:]),
    formula="h_t = gru_cell(x_t, h_{t-1}) for t = 0 ... T-1, or backwards; gives all h_t and the last h",
    forward=kernel("gru_forward"), backward=kernel("gru_backward"),
    ref_forward=reference.gru_forward, ref_backward=reference.gru_backward,
    check=check_gru, samples=lambda: recurrent.sequence_samples(partial(steps, reverse=False)),
    errors=(*recurrent.sequence_errors("gru", 3, layer, gru), recurrent.state_error("gru", 3, gru)),
    fast_numpy=fast_gru,
    bench={"T=64 B=32 I=128 H=256": lambda: layer_of(64, 32, 128, 256),
           "T=128 B=1 I=128 H=128": lambda: layer_of(128, 1, 128, 128)},
    flops=recurrent.flops_of(3), bytes=lambda T, B, I, H: 4 * (3 * H * (I + H + 2) + T * B * (I + 5 * H) + 2 * B * H),
    keeps_nan=("h0",), **recurrent.STEPS,
))
