"""Long short-term memory: a cell, a layer, layers stacked. Kernels: csrc/lstm.c. Definitions: fastnn/reference/lstm.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import apply
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import kernel
from ..reference import lstm as reference
from ..tensor import Tensor, tensor
from . import dropout as dropout_ops
from .checks import need_float, need_rank
from .indexing import getitem
from .registry import Op, Sample, register, seeded
from .shape import cat, squeeze, stack, transpose, unsqueeze

__all__ = ["lstm", "lstm_cell"]


# ---- checks ---------------------------------------------------------------------------------------------------
def check_weights(who: str, inputs: int, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, where: str = "") -> int:
    """Do these weights take `inputs` features? Returns H. `where` is the layer, if there are several."""
    if w_hh.ndim != 2 or w_hh.shape[0] != 4 * w_hh.shape[1] or w_hh.shape[1] == 0:
        raise ShapeError(who=who, expected=f"w_hh{where} of shape (4*H, H)", got=w_hh.shape)
    H = w_hh.shape[1]
    if w_ih.ndim != 2 or w_ih.shape[0] != 4 * H:
        raise ShapeError(who=who, expected=f"w_ih{where} of shape (4*H, I) with H = {H}, as in w_hh", got=w_ih.shape)
    if w_ih.shape[1] != inputs:
        raise ShapeError(who=who, expected=f"input{where} with {w_ih.shape[1]} features", got=f"{inputs} features")
    for name, b in (("b_ih", b_ih), ("b_hh", b_hh)):
        if b is not None and b.shape != (4 * H,):
            raise ShapeError(who=who, expected=f"{name}{where} of shape {(4 * H,)}", got=b.shape)
    return H


def check_state(who: str, shape: tuple[int, ...], h: Any, c: Any) -> None:
    for name, a in (("hidden", h), ("cell", c)):
        if a.shape != shape:
            raise ShapeError(f"the {name} state does not fit", who=who, expected=shape, got=a.shape)


def check_cell(x: Any, h: Any, c: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any) -> None:
    need_float("lstm_cell", x=x, h=h, c=c, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    need_rank("lstm_cell", "input", x, "(B, I)", 2)
    H = check_weights("lstm_cell", x.shape[1], w_ih, w_hh, b_ih, b_hh)
    check_state("lstm_cell", (x.shape[0], H), h, c)


def check_lstm(x: Any, h0: Any, c0: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, reverse: bool) -> None:
    need_float("lstm", x=x, h0=h0, c0=c0, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    need_rank("lstm", "input", x, "(T, B, I)", 3)
    if x.shape[0] == 0:
        raise ShapeError("expected a sequence length larger than 0", who="lstm", got=f"input of shape {x.shape}")
    H = check_weights("lstm", x.shape[2], w_ih, w_hh, b_ih, b_hh)
    check_state("lstm", (x.shape[1], H), h0, c0)


# ---- one step -------------------------------------------------------------------------------------------------
def steps(name: str, T: int | None, B: int, I: int, H: int, *, reverse: bool = False, b_ih: bool = True, b_hh: bool = True,
          scale: float = 1.0) -> Sample:
    """A sample of T steps, or of one step without the axis of time (T None)."""
    rng = seeded("steps " + name)
    bound = H ** -0.5                               # as PyTorch initialises
    w_ih, w_hh = rng.uniform(-bound, bound, (4 * H, I)), rng.uniform(-bound, bound, (4 * H, H))
    biases = rng.uniform(-bound, bound, 4 * H) if b_ih else None, rng.uniform(-bound, bound, 4 * H) if b_hh else None
    state = rng.standard_normal((B, H)), rng.standard_normal((B, H))
    x = scale * rng.standard_normal((B, I) if T is None else (T, B, I))
    return Sample(name, (x, *state, w_ih, w_hh, *biases), {} if T is None else {"reverse": reverse},
                  {"T": 1 if T is None else T, "B": B, "I": I, "H": H})


def cell_samples() -> list[Sample]:
    return [steps("smallest", None, 1, 1, 1), steps("odd", None, 3, 5, 7), steps("wide", None, 2, 11, 37),
            steps("batch", None, 67, 3, 5), steps("no biases", None, 2, 3, 5, b_ih=False, b_hh=False),
            steps("b_ih only", None, 2, 3, 5, b_hh=False), steps("empty batch", None, 0, 3, 2),
            steps("large", None, 3, 5, 7, scale=10.0)]


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


def lstm_flops(T: int, B: int, I: int, H: int) -> int:
    return 2 * T * B * 4 * H * (I + H) + 10 * T * B * H


def workspace_bytes(T: int, B: int, H: int, itemsize: int) -> int:
    """What the backward kernel of one layer in one direction takes for its own time: see csrc/lstm.h."""
    return (4 * H * (T * B + H + 64) + 2 * B * H) * itemsize


INPUTS = ("x", "h", "c", "w_ih", "w_hh", "b_ih", "b_hh")
# Roundings of T steps are independent of each other and fade as the gates forget: they add up like sqrt(T), hence the T in
# `terms`. Besides, sigmoid and tanh are each good to 2 ulp, not to half an ulp as a product is.
SLACK = 2.0

LSTM_CELL = register(Op(
    name="lstm_cell", family="recurrent", inputs=INPUTS,
    formula="i, f, g, o = gates(x W_ih^T + h W_hh^T + b_ih + b_hh); c' = f c + i g; h' = o tanh(c')",
    forward=kernel("lstm_cell_forward"), backward=kernel("lstm_cell_backward"),
    ref_forward=reference.lstm_cell_forward, ref_backward=reference.lstm_cell_backward,
    check=check_cell, samples=cell_samples,
    errors=(("rank", lambda: lstm_cell(zeros(3), (zeros(1, 2), zeros(1, 2)), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("lstm_cell", "(B, I)", "(3,)")),
            ("features", lambda: lstm_cell(zeros(1, 4), (zeros(1, 2), zeros(1, 2)), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("lstm_cell", "input with 3 features", "4 features")),
            ("hidden", lambda: lstm_cell(zeros(1, 3), (zeros(1, 3), zeros(1, 2)), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("hidden state", "(1, 2)", "(1, 3)")),
            ("cell", lambda: lstm_cell(zeros(1, 3), (zeros(1, 2), zeros(2, 2)), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("cell state", "(1, 2)", "(2, 2)")),
            ("w_hh", lambda: lstm_cell(zeros(1, 3), (zeros(1, 2), zeros(1, 2)), zeros(8, 3), zeros(6, 2)), ShapeError,
             ("w_hh of shape (4*H, H)", "(6, 2)")),
            ("w_ih", lambda: lstm_cell(zeros(1, 3), (zeros(1, 2), zeros(1, 2)), zeros(6, 3), zeros(8, 2)), ShapeError,
             ("w_ih", "H = 2", "(6, 3)")),
            ("bias", lambda: lstm_cell(zeros(1, 3), (zeros(1, 2), zeros(1, 2)), zeros(8, 3), zeros(8, 2), zeros(2)),
             ShapeError, ("b_ih of shape (8,)", "(2,)")),
            ("mixed", lambda: lstm_cell(zeros(1, 3), (zeros(1, 2), zeros(1, 2)), zeros(8, 3), tensor(np.zeros((8, 2)))),
             DTypeError, ("lstm_cell", "float32", "float64"))),
    fast_numpy=fast_lstm_cell,
    bench={"B=32 I=128 H=256": lambda: steps("B=32 I=128 H=256", None, 32, 128, 256),
           "B=1 I=128 H=128": lambda: steps("B=1 I=128 H=128", None, 1, 128, 128)},
    flops=lstm_flops, bytes=lambda T, B, I, H: 4 * (4 * H * (I + H + 2) + B * (I + 8 * H)),
    terms=lambda T, B, I, H: I + H, slack=SLACK,
))


def zeros(*shape: int) -> Tensor:
    return tensor(np.zeros(shape, np.float32))


def lstm_cell(input: Tensor, hx: Sequence[Tensor], w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None,
              b_hh: Tensor | None = None) -> tuple[Tensor, Tensor]:
    r"""One step of long short-term memory.

    .. math::
        z = x W_{ih}^T + b_{ih} + h W_{hh}^T + b_{hh} \qquad
        i = \sigma(z_i) \quad f = \sigma(z_f) \quad g = \tanh(z_g) \quad o = \sigma(z_o)

        c' = f \cdot c + i \cdot g \qquad h' = o \cdot \tanh(c')

    The input gate i lets the candidate g into the cell, the forget gate f keeps what the cell held, the output gate o shows
    it.

    Parameters
    ----------
    input : Tensor (B, I), float32 or float64
    hx : pair of Tensors (h, c), each (B, H)
    w_ih : Tensor (4*H, I), gates one below the other in the order i, f, g, o
    w_hh : Tensor (4*H, H)
    b_ih, b_hh : Tensor (4*H,), optional

    Returns
    -------
    (h', c'), each (B, H).

    Raises
    ------
    ShapeError : if ranks, features, the state's or a weight's shape do not fit together.
    DTypeError : if an argument is not floating point, or they differ in dtype.

    Cost: 8*B*H*(I + H) flop. Hochreiter, Schmidhuber (1997), "Long short-term memory"; Gers, Schmidhuber, Cummins (2000),
    "Learning to forget".

    With all weights 0 every gate is half open and the candidate is 0, so the cell forgets half of what it held:

    >>> import fastnn as nn
    >>> zero = nn.tensor([[0.0], [0.0], [0.0], [0.0]])
    >>> nn.functional.lstm_cell(nn.tensor([[3.0]]), (nn.tensor([[1.0]]), nn.tensor([[4.0]])), zero, zero)
    (tensor([[0.482]]), tensor([[2.]]))
    """
    h, c = pair_of("lstm_cell", hx)
    return apply(LSTM_CELL, input, h, c, w_ih, w_hh, b_ih, b_hh)


def pair_of(who: str, hx: Any) -> Any:
    if not isinstance(hx, (tuple, list)) or len(hx) != 2:
        got = type(hx).__name__ + (f" of {len(hx)}" if isinstance(hx, (tuple, list)) else "")
        raise ShapeError(who=who, expected="the state as a pair (h, c)", got=got)
    return hx


# ---- a sequence -----------------------------------------------------------------------------------------------
def sequence_samples() -> list[Sample]:
    return [steps("smallest", 1, 1, 1, 1), steps("odd", 5, 3, 7, 2), steps("reverse", 3, 2, 5, 7, reverse=True),
            steps("one step", 1, 3, 5, 7), steps("one step reversed", 1, 2, 3, 5, reverse=True),
            steps("one sequence", 7, 1, 3, 5), steps("wide", 3, 29, 5, 37), steps("wide reversed", 2, 7, 3, 67, reverse=True),
            steps("no biases", 3, 2, 5, 3, b_ih=False, b_hh=False), steps("b_hh only", 2, 3, 2, 5, b_ih=False),
            steps("empty batch", 3, 0, 2, 5), steps("large", 3, 2, 5, 7, scale=10.0)]


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


def layer_of(T: int, B: int, I: int, H: int) -> Sample:
    return steps(f"T={T} B={B} I={I} H={H}", T, B, I, H)


def layer(*args: Tensor) -> Any:
    return apply(LSTM, *args, None, None, reverse=False)


LSTM = register(Op(
    name="lstm", family="recurrent", inputs=("x", "h0", "c0", *INPUTS[3:]),
    formula="h_t, c_t = lstm_cell(x_t, h_{t-1}, c_{t-1}) for t = 0 ... T-1, or backwards; gives all h_t and the last h and c",
    forward=kernel("lstm_forward"), backward=kernel("lstm_backward"),
    ref_forward=reference.lstm_forward, ref_backward=reference.lstm_backward,
    check=check_lstm, samples=sequence_samples,
    errors=(("no steps", lambda: layer(zeros(0, 1, 3), zeros(1, 2), zeros(1, 2), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("lstm", "sequence length larger than 0", "(0, 1, 3)")),
            ("rank", lambda: layer(zeros(1, 3), zeros(1, 2), zeros(1, 2), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("(T, B, I)", "(1, 3)")),
            ("features", lambda: layer(zeros(1, 1, 4), zeros(1, 2), zeros(1, 2), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("lstm", "input with 3 features", "4 features")),
            ("hidden", lambda: layer(zeros(1, 1, 3), zeros(2, 2), zeros(1, 2), zeros(8, 3), zeros(8, 2)), ShapeError,
             ("hidden state", "(1, 2)", "(2, 2)")),
            ("params", lambda: lstm(zeros(1, 1, 3), None, [zeros(8, 3)]), ShapeError, ("lstm", "2 or 4 parameters", "1")),
            ("layers", lambda: lstm(zeros(1, 1, 3), None, [zeros(8, 3), zeros(8, 2)], num_layers=2), ShapeError,
             ("4 or 8 parameters", "2 layers")),
            ("second layer", lambda: lstm(zeros(1, 1, 3), None, [zeros(8, 3), zeros(8, 2)] * 2, num_layers=2), ShapeError,
             ("layer 2", "3 features", "2 features")),
            ("two states", lambda: lstm(zeros(1, 1, 3), (zeros(1, 1, 2), zeros(1, 1, 2)),
                                        [zeros(8, 3), zeros(8, 2), zeros(8, 2), zeros(8, 2)], num_layers=2), ShapeError,
             ("hidden state", "(2, 1, 2)", "(1, 1, 2)")),
            ("no pair", lambda: lstm(zeros(1, 1, 3), [zeros(1, 1, 2)], [zeros(8, 3), zeros(8, 2)]), ShapeError,
             ("pair (h, c)", "list of 1")),
            ("mixed", lambda: lstm(zeros(1, 1, 3), None, [zeros(8, 3), tensor(np.zeros((8, 2)))]), DTypeError,
             ("lstm", "float32", "float64")),
            ("dropout", lambda: lstm(zeros(1, 1, 3), None, [zeros(8, 3), zeros(8, 2)], dropout=1.5), RangeError,
             ("dropout", "1.5"))),
    fast_numpy=fast_lstm,
    bench={"T=64 B=32 I=128 H=256": lambda: layer_of(64, 32, 128, 256),
           "T=128 B=1 I=128 H=128": lambda: layer_of(128, 1, 128, 128)},
    flops=lstm_flops, bytes=lambda T, B, I, H: 4 * (4 * H * (I + H + 2) + T * B * (I + 6 * H) + 4 * B * H),
    terms=lambda T, B, I, H: T * (I + H), slack=SLACK,
))


def parameter_shapes(input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                     bidirectional: bool = False) -> dict[str, tuple[int, ...]]:
    """PyTorch's names of an LSTM's parameters, with their shapes, in the order in which `lstm` takes them."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(num_layers):
        inputs = input_size if k == 0 else hidden_size * (1 + bidirectional)
        for suffix in ("", "_reverse")[:1 + bidirectional]:
            shapes[f"weight_ih_l{k}{suffix}"] = (4 * hidden_size, inputs)
            shapes[f"weight_hh_l{k}{suffix}"] = (4 * hidden_size, hidden_size)
            if bias:
                shapes[f"bias_ih_l{k}{suffix}"] = shapes[f"bias_hh_l{k}{suffix}"] = (4 * hidden_size,)
    return shapes


def lstm(input: Tensor, hx: Sequence[Tensor] | None, params: Sequence[Tensor], *, num_layers: int = 1,
         bidirectional: bool = False, batch_first: bool = False, dropout: float = 0.0,
         training: bool = False) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Long short-term memory over a sequence: layers on top of each other, each in one direction or in both.

    Each layer reads the outputs of the one below; a bidirectional layer runs once forwards and once backwards over the
    sequence and joins both outputs along the features. The formula of a step is that of `lstm_cell`.

    Symbols
    -------
    T steps; B batch; I inputs; H hidden units; L layers; D directions, 1 or 2.

    Parameters
    ----------
    input : Tensor (T, B, I), or (B, T, I) with batch_first, or (T, I) for one sequence without the axis of the batch
    hx : pair of Tensors (h_0, c_0), each (L*D, B, H), without B for one sequence; None means zeros
    params : sequence of Tensors
        w_ih (4H, I), w_hh (4H, H), b_ih (4H,), b_hh (4H,) of the first layer, forwards; the same backwards, if bidirectional;
        then those of the next layer, whose w_ih are (4H, D*H). Without biases, two for each layer and direction.
    dropout : float
        In training, the share of each layer's outputs, except the last layer's, that is dropped.

    Returns
    -------
    output : Tensor (T, B, D*H), or (B, T, D*H), or (T, D*H): the last layer's h of every step
    (h_n, c_n) : Tensors (L*D, B, H), or (L*D, H): the state after the last step of each layer and direction

    Raises
    ------
    ShapeError : if the sequence has no steps, or ranks, features, states, weights or their number do not fit together.
    DTypeError : if an argument is not floating point, or they differ in dtype.
    RangeError : if dropout is not a probability.

    Cost: 8*T*B*H*(I + H) flop per layer and direction, twice that backward; saves 6*T*B*H numbers for it. Hochreiter,
    Schmidhuber (1997), "Long short-term memory"; Graves, Schmidhuber (2005), "Framewise phoneme classification with
    bidirectional LSTM and other neural network architectures".

    >>> import numpy as np, fastnn as nn
    >>> rng = np.random.default_rng(0)
    >>> params = [nn.tensor(rng.standard_normal(shape)) for shape in ((8, 3), (8, 2), (8,), (8,))]
    >>> output, (h, c) = nn.functional.lstm(nn.tensor(rng.standard_normal((5, 1, 3))), None, params)
    >>> output.shape, h.shape, c.shape
    ((5, 1, 2), (1, 1, 2), (1, 1, 2))
    """
    if not 0 <= dropout <= 1:
        raise RangeError(who="lstm", expected="dropout between 0 and 1", got=dropout)
    x: Any = input if isinstance(input, Tensor) else tensor(input)
    if x.ndim not in (2, 3):
        raise ShapeError(who="lstm", expected="input of shape (T, B, I), or (T, I) for one sequence", got=x.shape)
    one = x.ndim == 2
    if one:
        x = unsqueeze(x, 1)
    elif batch_first:
        x = transpose(x, 0, 1)
    cells = cells_of(params, num_layers, 1 + bidirectional)
    h0, c0 = initial_state(x, hx, one, cells, 1 + bidirectional)

    h: list[Tensor] = []
    c: list[Tensor] = []
    for k in range(num_layers):
        outputs: list[Tensor] = []
        for cell in cells[len(h):len(h) + 1 + bidirectional]:
            state = (h0, c0) if hx is None else (getitem(h0, len(h)), getitem(c0, len(h)))
            y, h_n, c_n = apply(LSTM, x, *state, *cell, reverse=len(outputs) == 1)
            outputs.append(y)
            h.append(h_n)
            c.append(c_n)
        x = cat(outputs, 2) if bidirectional else outputs[0]
        if dropout > 0 and training and k < num_layers - 1:
            x = dropout_ops.dropout(x, dropout)
    last = tuple(unsqueeze(a[0], 0) if len(a) == 1 else stack(a, 0) for a in (h, c))
    if one:
        return squeeze(x, 1), (squeeze(last[0], 1), squeeze(last[1], 1))
    return transpose(x, 0, 1) if batch_first else x, (last[0], last[1])


def cells_of(params: Sequence[Any], num_layers: int, directions: int) -> list[Any]:
    """`params` cut into one (w_ih, w_hh, b_ih, b_hh) per layer and direction, with None for missing biases."""
    count = num_layers * directions
    if len(params) == 4 * count:
        return [tuple(params[i:i + 4]) for i in range(0, 4 * count, 4)]
    if len(params) == 2 * count:
        return [(*params[i:i + 2], None, None) for i in range(0, 2 * count, 2)]
    layers = f"{num_layers} layer{'s' if num_layers > 1 else ''}{' in two directions' if directions == 2 else ''}"
    raise ShapeError(who="lstm", expected=f"{2 * count} or {4 * count} parameters for {layers}", got=len(params))


def initial_state(x: Tensor, hx: Any, one: bool, cells: list[Any], directions: int) -> tuple[Any, Any]:
    """(h_0, c_0), each (L*D, B, H), after checking all sizes; zeros (B, H) for every layer where hx is None."""
    features, given = x.shape[2], {"input": x.data}
    for i, cell in enumerate(cells):
        arrays = [getattr(a, "_data", a) for a in cell]
        given |= {f"params[{4 * i + j}]": a for j, a in enumerate(arrays)}
        where = f" of layer {i // directions + 1}" if len(cells) > directions else ""
        H = check_weights("lstm", features, arrays[0], arrays[1], arrays[2], arrays[3], where)
        if i % directions == directions - 1:
            features = directions * H
    if hx is None:
        need_float("lstm", **given)
        zero = np.zeros((x.shape[1], H), x.dtype)
        return zero, zero
    h, c = pair_of("lstm", hx)
    need_float("lstm", h=getattr(h, "_data", h), c=getattr(c, "_data", c), **given)
    check_state("lstm", (len(cells), H) if one else (len(cells), x.shape[1], H), h, c)
    return (unsqueeze(h, 1), unsqueeze(c, 1)) if one else (h, c)
