"""The plain recurrent layer: a cell, a layer, layers stacked.

Kernels: csrc/recurrent/rnn.c. Definitions: fastnn/reference/rnn.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ..autograd import apply
from ..kernels import kernel
from ..op import Op, Sample, register
from ..reference import rnn as reference
from ..tensor import Tensor
from . import recurrent

__all__ = ["rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


def rnn_tanh_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
                  b_hh: Tensor | None = None) -> Tensor:
    r"""One step of a plain recurrent network.

    .. math:: h' = \tanh(x W_{ih}^T + b_{ih} + h W_{hh}^T + b_{hh})

    An infinite input drives h' to 1 or -1. Its slope is then 0, and the gradients of the weights
    are 0 times infinity: NaN, as in PyTorch.

    Parameters
    ----------
    input : Tensor of shape (B, I), float32 or float64
    hx : Tensor of shape (B, H)
        The state h.
    w_ih : Tensor of shape (H, I)
    w_hh : Tensor of shape (H, H)
    b_ih, b_hh : Tensor of shape (H,), optional

    Returns
    -------
    Tensor h' of shape (B, H).

    Raises
    ------
    ShapeError : if ranks, features, the state's or a weight's shape do not fit together.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 2 B H (I + H) flop.

    Reference: Elman (1990), "Finding structure in time".

    >>> import fastnn as nn
    >>> one = nn.tensor([[1.0]])
    >>> nn.functional.rnn_tanh_cell(nn.tensor([[0.75]]), nn.tensor([[-0.25]]), one, one)
    tensor([[0.4621]])
    """
    y: Tensor = apply(RNN_CELL, input, recurrent.hidden_state("rnn_tanh_cell", hx), w_ih, w_hh, b_ih, b_hh, relu=False)
    return y


def rnn_relu_cell(input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
                  b_hh: Tensor | None = None) -> Tensor:
    r"""One step of a plain recurrent network with the rectifier as its activation.

    .. math:: h' = \max(0, x W_{ih}^T + b_{ih} + h W_{hh}^T + b_{hh})

    Parameters, errors and cost: as `rnn_tanh_cell`.

    Reference: Le, Jaitly, Hinton (2015), "A simple way to initialize recurrent networks of
    rectified linear units", arXiv:1504.00941.

    >>> import fastnn as nn
    >>> one = nn.tensor([[1.0]])
    >>> nn.functional.rnn_relu_cell(nn.tensor([[0.75]]), nn.tensor([[-0.25]]), one, one)
    tensor([[0.5]])
    """
    y: Tensor = apply(RNN_CELL, input, recurrent.hidden_state("rnn_relu_cell", hx), w_ih, w_hh, b_ih, b_hh, relu=True)
    return y


def rnn_tanh(input: Tensor, hx: Tensor | None, params: Sequence[Tensor], *, num_layers: int = 1,
             bidirectional: bool = False, batch_first: bool = False, dropout: float = 0.0,
             training: bool = False) -> tuple[Tensor, Tensor]:
    """A plain recurrent network over a sequence: layers on top of each other, in one or two
    directions.

    The formula of a step is that of `rnn_tanh_cell`, and so is what is NaN. How layers and
    directions go together, and the symbols, are those of `lstm`.

    Parameters
    ----------
    input, num_layers, bidirectional, batch_first, dropout, training : as in `lstm`
    hx : Tensor h_0 of shape (L D, B, H), or (L D, H) for one sequence
        None: zeros.
    params : sequence of Tensors
        w_ih (H, I), w_hh (H, H), b_ih (H,) and b_hh (H,) of the first layer, forwards; if
        bidirectional the same backwards; then those of the next layer, whose w_ih are (H, D H).
        Without biases, two for each layer and direction.

    Returns
    -------
    The pair (output, h_n). output is of shape (T, B, D H), (B, T, D H) or (T, D H) and holds the
    last layer's h of every step. h_n is of hx's shape and holds the state after the last step of
    each layer and direction.

    Errors: as `lstm`.

    Cost: 2 T B H (I + H) flop per layer and direction, twice that backward. Nothing but the output
    is saved for it.

    Reference: Elman (1990), "Finding structure in time".

    >>> import numpy as np, fastnn as nn
    >>> rng = np.random.default_rng(0)
    >>> params = [nn.tensor(rng.standard_normal(shape)) for shape in ((2, 3), (2, 2), (2,), (2,))]
    >>> output, h = nn.functional.rnn_tanh(nn.tensor(rng.standard_normal((5, 1, 3))), None, params)
    >>> output.shape, h.shape
    ((5, 1, 2), (1, 1, 2))
    """
    return layers_of("rnn_tanh", False, input, hx, params, num_layers=num_layers, bidirectional=bidirectional,
                     batch_first=batch_first, dropout=dropout, training=training)


def rnn_relu(input: Tensor, hx: Tensor | None, params: Sequence[Tensor], *, num_layers: int = 1,
             bidirectional: bool = False, batch_first: bool = False, dropout: float = 0.0,
             training: bool = False) -> tuple[Tensor, Tensor]:
    """A plain recurrent network whose step is `rnn_relu_cell`.

    Infinities of both signs that meet in a step make NaN. Parameters, errors and cost: as
    `rnn_tanh`.

    >>> import fastnn as nn
    >>> one = nn.tensor([[1.0]])
    >>> x = nn.tensor([[[1.0]], [[-3.0]], [[2.0]]])
    >>> nn.functional.rnn_relu(x, None, [one, one])[0].flatten()
    tensor([1., 0., 2.])
    """
    return layers_of("rnn_relu", True, input, hx, params, num_layers=num_layers, bidirectional=bidirectional,
                     batch_first=batch_first, dropout=dropout, training=training)


# ---- what the functions share --------------------------------------------------------------------
def layers_of(who: str, relu: bool, input: Tensor, hx: Tensor | None, params: Sequence[Tensor],
              **options: Any) -> tuple[Tensor, Tensor]:
    """The layers of rnn_tanh and rnn_relu."""
    states = None if hx is None else {"hidden": recurrent.hidden_state(who, hx)}
    family = recurrent.Family(who, gates=1, states=1)
    y, (h,) = recurrent.layers(family, partial(apply, RNN, relu=relu), input, states, params, **options)
    return y, h


# ---- checks --------------------------------------------------------------------------------------
def check_cell(x: Any, h: Any, *weights: Any, relu: bool) -> None:
    recurrent.check_cell("rnn_relu_cell" if relu else "rnn_tanh_cell", 1, x, {"hidden": h}, weights)


def check_rnn(x: Any, h0: Any, *weights: Any, reverse: bool, relu: bool) -> None:
    recurrent.check_sequence("rnn_relu" if relu else "rnn_tanh", 1, x, {"hidden": h0}, weights)


# ---- samples -------------------------------------------------------------------------------------
steps = partial(recurrent.steps, 1, 1)


def cell_samples() -> list[Sample]:
    return [
        *recurrent.cell_samples(partial(steps, relu=False)),
        steps("relu", None, 3, 5, 7, relu=True),
        steps("relu, batch", None, 67, 3, 37, relu=True),
        steps("relu, no biases", None, 2, 3, 5, b_ih=False, b_hh=False, relu=True),
    ]


def sequence_samples() -> list[Sample]:
    return [
        *recurrent.sequence_samples(partial(steps, reverse=False, relu=False)),
        steps("relu", 5, 3, 7, 5, reverse=False, relu=True),
        steps("relu, wide reversed", 2, 7, 3, 67, reverse=True, relu=True),
        steps("relu, one step", 1, 3, 5, 7, b_ih=False, b_hh=False, reverse=False, relu=True),
    ]


def layer_of(T: int, B: int, I: int, H: int) -> Sample:
    return steps(f"T={T} B={B} I={I} H={H}", T, B, I, H, reverse=False, relu=False)


# ---- errors --------------------------------------------------------------------------------------
def layer(*args: Tensor) -> Any:
    """The op itself, without biases."""
    return apply(RNN, *args, None, None, reverse=False, relu=False)


# ---- cost and benchmarks -------------------------------------------------------------------------
def fast_rnn_cell(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, relu: bool) -> Any:
    z = x @ w_ih.T
    z += h @ w_hh.T
    for b in (b_ih, b_hh):
        if b is not None:
            z += b
    return np.maximum(z, 0) if relu else np.tanh(z)


def fast_rnn(x: Any, h: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, *, reverse: bool, relu: bool) -> Any:
    T, B, I = x.shape
    y = (x.reshape(T * B, I) @ w_ih.T).reshape(T, B, -1)
    for b in (b_ih, b_hh):
        if b is not None:
            y += b
    w = np.ascontiguousarray(w_hh.T)
    for t in range(T - 1, -1, -1) if reverse else range(T):
        y[t] += h @ w
        h = np.maximum(y[t], 0, out=y[t]) if relu else np.tanh(y[t], out=y[t])
    return y, h


# ---- records -------------------------------------------------------------------------------------
INPUTS = ("x", "h", "w_ih", "w_hh", "b_ih", "b_hh")

RNN_CELL = register(Op(
    name="rnn_cell", family="recurrent", inputs=INPUTS,
    formula="h' = tanh(x W_ih^T + b_ih + h W_hh^T + b_hh), or max(0, ...)",
    forward=kernel("rnn_cell_forward"), backward=kernel("rnn_cell_backward"),
    ref_forward=reference.rnn_cell_forward, ref_backward=reference.rnn_cell_backward,
    check=check_cell, samples=cell_samples,
    errors=(
        *recurrent.cell_errors("rnn_tanh_cell", 1, rnn_tanh_cell),
        *(bad._replace(what=f"relu, {bad.what}") for bad in recurrent.cell_errors("rnn_relu_cell", 1, rnn_relu_cell)),
    ),
    fast_numpy=fast_rnn_cell,
    bench={"B=32 I=128 H=256": lambda: steps("B=32 I=128 H=256", None, 32, 128, 256, relu=False),
           "B=1 I=128 H=128": lambda: steps("B=1 I=128 H=128", None, 1, 128, 128, relu=False)},
    flops=recurrent.flops_of(1), bytes=lambda T, B, I, H: 4 * (H * (I + H + 2) + B * (I + 2 * H)),
    **recurrent.FEATURES,
))

RNN = register(Op(
    name="rnn", family="recurrent", inputs=("x", "h0", *INPUTS[2:]),
    formula="h_t = rnn_cell(x_t, h_{t-1}) for t = 0 ... T-1, or backwards; gives all h_t and the last h",
    forward=kernel("rnn_forward"), backward=kernel("rnn_backward"),
    ref_forward=reference.rnn_forward, ref_backward=reference.rnn_backward,
    check=check_rnn, samples=sequence_samples,
    errors=(*recurrent.sequence_errors("rnn_tanh", 1, layer, rnn_tanh), recurrent.state_error("rnn_tanh", 1, rnn_tanh)),
    fast_numpy=fast_rnn,
    bench={"T=64 B=32 I=128 H=256": lambda: layer_of(64, 32, 128, 256),
           "T=128 B=1 I=128 H=128": lambda: layer_of(128, 1, 128, 128)},
    flops=recurrent.flops_of(1), bytes=lambda T, B, I, H: 4 * (H * (I + H + 2) + T * B * (I + H) + 2 * B * H),
    keeps_nan=("x", "h0", *INPUTS[2:]), **recurrent.STEPS,
))
