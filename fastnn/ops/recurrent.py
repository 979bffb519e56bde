"""What the recurrences share: layers on top of each other, names of parameters, checks, samples.

lstm.py, gru.py and rnn.py have the functions. T steps, B batch, I inputs, H hidden units; `gates`
is the number of rows of weights that a hidden unit has: 4, 3 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..creation import zeros
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import compiled
from ..op import Refusal, Sample, seeded
from ..tensor import Tensor, tensor
from . import dropout as dropout_ops
from .checks import need_float, need_rank
from .indexing import getitem
from .join import cat, stack
from .permute import transpose
from .shape import squeeze, unsqueeze

__all__ = ["Family", "layers", "parameter_shapes"]


class Family(NamedTuple):
    """Whose layers these are."""

    who: str        # for errors
    gates: int
    states: int     # that a step hands to the next: of LSTM 2, h and c


# ---- layers on top of each other -----------------------------------------------------------------
def parameter_shapes(gates: int, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                     bidirectional: bool = False) -> dict[str, tuple[int, ...]]:
    """PyTorch's names of a layer's parameters, with their shapes, in the order of `params`."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(num_layers):
        inputs = input_size if k == 0 else hidden_size * (1 + bidirectional)
        for suffix in ("", "_reverse")[:1 + bidirectional]:
            shapes[f"weight_ih_l{k}{suffix}"] = (gates * hidden_size, inputs)
            shapes[f"weight_hh_l{k}{suffix}"] = (gates * hidden_size, hidden_size)
            if bias:
                shapes[f"bias_ih_l{k}{suffix}"] = shapes[f"bias_hh_l{k}{suffix}"] = (gates * hidden_size,)
    return shapes


def layers(family: Family, run: Callable[..., Any], input: Any, hx: Mapping[str, Any] | None, params: Sequence[Any], *,
           num_layers: int, bidirectional: bool, batch_first: bool, dropout: float,
           training: bool) -> tuple[Tensor, list[Tensor]]:
    """The outputs of the last layer, and the last states of all layers and directions.

    run(x, *states, *cell, reverse) -> (y, *last states) is one layer in one direction. hx has the
    first states by name; None: zeros.
    """
    if not 0 <= dropout <= 1:
        raise RangeError(who=family.who, expected="dropout between 0 and 1", got=dropout)
    if num_layers < 1:
        raise RangeError(who=family.who, expected="num_layers >= 1", got=num_layers)
    # NumPy's small integers would wrap around in 1 + bidirectional
    bidirectional = bool(bidirectional)
    x: Any = input if isinstance(input, Tensor) else tensor(input)
    if x.ndim not in (2, 3):
        raise ShapeError(who=family.who, expected="input of shape (T, B, I), or (T, I) for one sequence", got=x.shape,
                         hint="Is it one step? Put the axis of time in front: x[None]." if x.ndim == 1 else "")
    one = x.ndim == 2
    if one:
        x = unsqueeze(x, 1)
    elif batch_first:
        x = transpose(x, 0, 1)
    cells = cells_of(family.who, params, num_layers, 1 + bidirectional)
    initial = initial_states(family, x, hx, one, cells, 1 + bidirectional)

    last: list[list[Tensor]] = [[] for _ in range(family.states)]
    for k in range(num_layers):
        outputs: list[Tensor] = []
        for cell in cells[len(last[0]):len(last[0]) + 1 + bidirectional]:
            states = initial if hx is None else [getitem(s, len(last[0])) for s in initial]
            y, *ends = run(x, *states, *cell, reverse=len(outputs) == 1)
            outputs.append(y)
            for all_ends, end in zip(last, ends):
                all_ends.append(end)
        x = cat(outputs, 2) if bidirectional else outputs[0]
        if dropout > 0 and training and k < num_layers - 1:
            x = dropout_ops.dropout(x, dropout)
    ends = [unsqueeze(a[0], 0) if len(a) == 1 else stack(a, 0) for a in last]
    if one:
        return squeeze(x, 1), [squeeze(a, 1) for a in ends]
    return transpose(x, 0, 1) if batch_first else x, ends


# ---- what the functions share --------------------------------------------------------------------
def hidden_state(who: str, hx: Any) -> Any:
    """The state, which must be one tensor."""
    if isinstance(hx, (tuple, list)):
        raise ShapeError(who=who, expected="the state as one tensor h", got=f"{type(hx).__name__} of {len(hx)}")
    return hx


def cells_of(who: str, params: Sequence[Any], num_layers: int, directions: int) -> list[Any]:
    """`params` cut into (w_ih, w_hh, b_ih, b_hh) per layer and direction; None: no bias."""
    count = num_layers * directions
    if len(params) == 4 * count:
        return [tuple(params[i:i + 4]) for i in range(0, 4 * count, 4)]
    if len(params) == 2 * count:
        return [(*params[i:i + 2], None, None) for i in range(0, 2 * count, 2)]
    text = f"{num_layers} layer{'s' if num_layers > 1 else ''}{' in two directions' if directions == 2 else ''}"
    raise ShapeError(who=who, expected=f"{2 * count} or {4 * count} parameters for {text}", got=len(params))


def initial_states(family: Family, x: Tensor, hx: Mapping[str, Any] | None, one: bool, cells: list[Any],
                   directions: int) -> list[Any]:
    """The states before the first step, each (L D, B, H), after checking all sizes.

    Where hx is None they are zeros (B, H), for every layer.
    """
    who, features, given = family.who, x.shape[2], {"input": x.data}
    for i, cell in enumerate(cells):
        arrays = [getattr(a, "_data", a) for a in cell]
        given |= {f"params[{4 * i + j}]": a for j, a in enumerate(arrays)}
        where = f" of layer {i // directions + 1}" if len(cells) > directions else ""
        H = check_weights(who, family.gates, features, arrays[0], arrays[1], arrays[2], arrays[3], where)
        if i % directions == directions - 1:
            features = directions * H
    if hx is None:
        need_float(who, **given)
        return [np.zeros((x.shape[1], H), x.dtype)] * family.states
    need_float(who, **{name: getattr(a, "_data", a) for name, a in hx.items()}, **given)
    check_states(who, (len(cells), H) if one else (len(cells), x.shape[1], H), hx)
    return [unsqueeze(a, 1) for a in hx.values()] if one else list(hx.values())


# ---- checks --------------------------------------------------------------------------------------
def check_weights(who: str, gates: int, inputs: int, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any,
                  where: str = "") -> int:
    """These weights must take `inputs` features. Returns H.

    `where` names the layer, if there are several.
    """
    rows = f"{gates}*H" if gates > 1 else "H"
    if w_hh.ndim != 2 or w_hh.shape[0] != gates * w_hh.shape[1] or w_hh.shape[1] == 0:
        raise ShapeError(who=who, expected=f"w_hh{where} of shape ({rows}, H)", got=w_hh.shape)
    H = w_hh.shape[1]
    if w_ih.ndim != 2 or w_ih.shape[0] != gates * H:
        raise ShapeError(who=who, expected=f"w_ih{where} of shape ({rows}, I) with H = {H}, as in w_hh", got=w_ih.shape)
    if w_ih.shape[1] != inputs:
        raise ShapeError(who=who, expected=f"input{where} with {w_ih.shape[1]} features", got=f"{inputs} features")
    for name, b in (("b_ih", b_ih), ("b_hh", b_hh)):
        if b is not None and b.shape != (gates * H,):
            raise ShapeError(who=who, expected=f"{name}{where} of shape {(gates * H,)}", got=b.shape)
    return H


def check_states(who: str, shape: tuple[int, ...], states: Mapping[str, Any]) -> None:
    for name, a in states.items():
        if a.shape != shape:
            raise ShapeError(f"the {name} state does not fit", who=who, expected=shape, got=a.shape)


def check_cell(who: str, gates: int, x: Any, states: Mapping[str, Any], weights: Sequence[Any]) -> None:
    w_ih, w_hh, b_ih, b_hh = weights
    need_float(who, x=x, **states, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    need_rank(who, "input", x, "(B, I)", 2)
    H = check_weights(who, gates, x.shape[1], w_ih, w_hh, b_ih, b_hh)
    check_states(who, (x.shape[0], H), states)


def check_sequence(who: str, gates: int, x: Any, states: Mapping[str, Any], weights: Sequence[Any]) -> None:
    w_ih, w_hh, b_ih, b_hh = weights
    need_float(who, x=x, **states, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    need_rank(who, "input", x, "(T, B, I)", 3)
    if x.shape[0] == 0:
        raise ShapeError("expected a sequence length larger than 0", who=who, got=f"input of shape {x.shape}")
    H = check_weights(who, gates, x.shape[2], w_ih, w_hh, b_ih, b_hh)
    check_states(who, (x.shape[1], H), states)


# ---- samples -------------------------------------------------------------------------------------
def steps(gates: int, states: int, name: str, T: int | None, B: int, I: int, H: int, *, b_ih: bool = True,
          b_hh: bool = True, scale: float = 1.0, **attrs: Any) -> Sample:
    """A sample of T steps, or of one step without the axis of time (T None)."""
    rng = seeded("steps " + name)
    bound = H ** -0.5                               # as PyTorch initialises
    w_ih, w_hh = rng.uniform(-bound, bound, (gates * H, I)), rng.uniform(-bound, bound, (gates * H, H))
    biases = [rng.uniform(-bound, bound, gates * H) if wanted else None for wanted in (b_ih, b_hh)]
    state = [rng.standard_normal((B, H)) for _ in range(states)]
    x = scale * rng.standard_normal((B, I) if T is None else (T, B, I))
    return Sample(name, (x, *state, w_ih, w_hh, *biases), attrs, {"T": 1 if T is None else T, "B": B, "I": I, "H": H})


def cell_samples(sample: Callable[..., Sample]) -> list[Sample]:
    return [
        sample("smallest", None, 1, 1, 1),
        sample("odd", None, 3, 5, 7),
        sample("wide", None, 2, 11, 37),
        sample("batch", None, 67, 3, 5),
        sample("no biases", None, 2, 3, 5, b_ih=False, b_hh=False),
        sample("b_ih only", None, 2, 3, 5, b_hh=False),
        sample("empty batch", None, 0, 3, 2),
        sample("large", None, 3, 5, 7, scale=10.0),
    ]


def sequence_samples(sample: Callable[..., Sample]) -> list[Sample]:
    return [
        sample("smallest", 1, 1, 1, 1),
        sample("odd", 5, 3, 7, 2),
        sample("reverse", 3, 2, 5, 7, reverse=True),
        sample("one step", 1, 3, 5, 7),
        sample("one step reversed", 1, 2, 3, 5, reverse=True),
        sample("one sequence", 7, 1, 3, 5),
        sample("wide", 3, 29, 5, 37),
        sample("wide reversed", 2, 7, 3, 67, reverse=True),
        sample("no biases", 3, 2, 5, 3, b_ih=False, b_hh=False),
        sample("b_hh only", 2, 3, 2, 5, b_ih=False),
        sample("empty batch", 3, 0, 2, 5),
        sample("large", 3, 2, 5, 7, scale=10.0),
        sample("parts", 5, 97, 1, 2),
        sample("parts reversed", 5, 97, 2, 1, reverse=True),
    ]


# ---- errors --------------------------------------------------------------------------------------
def cell_errors(name: str, gates: int, cell: Callable[..., Any]) -> tuple[Refusal, ...]:
    """What a cell refuses; it is called with (x, h, w_ih, w_hh, b_ih)."""
    G, rows = gates, f"{gates}*H" if gates > 1 else "H"
    return (
        Refusal("rank", lambda: cell(zeros(3), zeros(1, 2), zeros(2*G, 3), zeros(2*G, 2)),
                ShapeError, (name, "(B, I)", "(3,)")),
        Refusal("features", lambda: cell(zeros(1, 4), zeros(1, 2), zeros(2*G, 3), zeros(2*G, 2)),
                ShapeError, (name, "input with 3 features", "4 features")),
        Refusal("hidden", lambda: cell(zeros(1, 3), zeros(1, 3), zeros(2*G, 3), zeros(2*G, 2)),
                ShapeError, ("hidden state", "(1, 2)", "(1, 3)")),
        Refusal("w_hh", lambda: cell(zeros(1, 3), zeros(1, 2), zeros(2*G, 3), zeros(2*G + 1, 2)),
                ShapeError, (f"w_hh of shape ({rows}, H)", f"({2*G + 1}, 2)")),
        Refusal("w_ih", lambda: cell(zeros(1, 3), zeros(1, 2), zeros(2*G + 1, 3), zeros(2*G, 2)),
                ShapeError, ("w_ih", "H = 2", f"({2*G + 1}, 3)")),
        Refusal("bias", lambda: cell(zeros(1, 3), zeros(1, 2), zeros(2*G, 3), zeros(2*G, 2), zeros(2*G - 1)),
                ShapeError, (f"b_ih of shape ({2*G},)", f"({2*G - 1},)")),
        Refusal("mixed", lambda: cell(zeros(1, 3), zeros(1, 2), zeros(2*G, 3), tensor(np.zeros((2*G, 2)))),
                DTypeError, (name, "float32", "float64")),
    )


def sequence_errors(name: str, gates: int, layer: Callable[..., Any],
                    function: Callable[..., Any]) -> tuple[Refusal, ...]:
    """What a layer refuses: layer(x, h0, w_ih, w_hh) is the op, function(input, h, params) the
    public function.
    """
    w_ih, w_hh = zeros(2*gates, 3), zeros(2*gates, 2)
    return (
        Refusal("no steps", lambda: layer(zeros(0, 1, 3), zeros(1, 2), w_ih, w_hh),
                ShapeError, (name, "sequence length larger than 0", "(0, 1, 3)")),
        Refusal("rank", lambda: layer(zeros(1, 3), zeros(1, 2), w_ih, w_hh), ShapeError, (name, "(T, B, I)", "(1, 3)")),
        Refusal("features", lambda: layer(zeros(1, 1, 4), zeros(1, 2), w_ih, w_hh),
                ShapeError, (name, "input with 3 features", "4 features")),
        Refusal("hidden", lambda: layer(zeros(1, 1, 3), zeros(2, 2), w_ih, w_hh),
                ShapeError, ("hidden state", "(1, 2)", "(2, 2)")),
        Refusal("params", lambda: function(zeros(1, 1, 3), None, [w_ih]), ShapeError, (name, "2 or 4 parameters", "1")),
        Refusal("layers", lambda: function(zeros(1, 1, 3), None, [w_ih, w_hh], num_layers=2),
                ShapeError, (name, "4 or 8 parameters", "2 layers")),
        Refusal("second layer", lambda: function(zeros(1, 1, 3), None, [w_ih, w_hh] * 2, num_layers=2),
                ShapeError, (name, "layer 2", "3 features", "2 features")),
        Refusal("two states", lambda: function(zeros(1, 1, 3), zeros(1, 1, 2), [w_ih, w_hh, w_hh, w_hh], num_layers=2),
                ShapeError, (name, "hidden state", "(2, 1, 2)", "(1, 1, 2)")),
        Refusal("mixed", lambda: function(zeros(1, 1, 3), None, [w_ih, tensor(np.zeros((2*gates, 2)))]),
                DTypeError, (name, "float32", "float64")),
        Refusal("dropout", lambda: function(zeros(1, 1, 3), None, [w_ih, w_hh], dropout=1.5),
                RangeError, (name, "dropout", "1.5")),
    )


def state_error(name: str, gates: int, function: Callable[..., Any]) -> Refusal:
    """What a layer refuses whose state is one tensor, h."""
    params = [zeros(2*gates, 3), zeros(2*gates, 2)]
    return Refusal("no tensor", lambda: function(zeros(1, 1, 3), (zeros(1, 1, 2), zeros(1, 1, 2)), params),
                   ShapeError, (name, "one tensor", "tuple"))


# ---- cost and benchmarks -------------------------------------------------------------------------
def flops_of(gates: int) -> Callable[..., int]:
    return lambda T, B, I, H: 2 * T * B * gates * H * (I + H) + 10 * T * B * H


def workspace_bytes(gates: int, T: int, B: int, I: int, H: int, itemsize: int) -> int:
    """Bytes that the backward kernel of one layer in one direction needs while it runs; 0 without
    kernels.
    """
    return int(compiled.recurrent_workspace(gates, T, B, I, H)) * itemsize if compiled is not None else 0


# The rounding that the laws allow to a cell and to a layer. Roundings of T steps are independent of
# each other and fade as the gates forget: they add up like sqrt(T), hence the T in `terms`. Sigmoid
# and tanh are each good to 2 ulp, not to half an ulp as a product is, hence the slack.
SLACK = 2.0
FEATURES: dict[str, Any] = {"terms": lambda T, B, I, H: I + H, "slack": SLACK, "saturates": True}
STEPS: dict[str, Any] = {"terms": lambda T, B, I, H: T * (I + H), "slack": SLACK, "saturates": True}
