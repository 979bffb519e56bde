"""The mistakes that people make in a kernel, each built into the definition. From four sources:

    changed calls      an input is left out, flipped, transposed, shifted ...; an attribute is
                       ignored, swapped, off by one ...
    other functions    another op of the table, or the textbook formula that overflows (formulas.py)
    changed results    negated, shifted, transposed, one row short ...
    wrong gradients    dy is not used, gradients stand in the wrong order ...

diagnosis.py looks for the one that gives a kernel's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from ..op import OPS, Op
from .allowance import as_tuple
from .formulas import formulas_of
from .trials import Trial

__all__ = ["Mistake", "Unsuitable", "changed_results", "mistakes_of", "run"]


class Mistake(NamedTuple):
    """The definition with a mistake in it.

    what       the diagnosis, a sentence without its full stop
    results    results(trial, kind) -> the outputs, or the gradients if `kind` is "gradients"
    change     for pairs: the change of the call, and of a result, of which the other is None
    finish
    noisy      it loses digits, so not the numbers but the size of the errors is compared
    type       of which then all its numbers must be
    """

    what: str
    results: Callable[[Trial, str], Sequence[Any]]
    change: Callable[[list[Any], dict[str, Any]], tuple[list[Any], dict[str, Any]]] | None = None
    finish: Callable[[Any], Any] | None = None
    noisy: bool = False
    type: Any = None


class Unsuitable(Exception):
    """A mistake that cannot be made in this call."""


def run(pair: Any, inputs: Sequence[Any], attrs: dict[str, Any], dy: Any, kind: str) -> Sequence[Any]:
    """The outputs of a pair of functions, or its gradients."""
    y, saved = pair[0](*inputs, **attrs)
    return as_tuple(y) if kind == "outputs" else pair[1](dy, saved, **attrs)


NOTHING: tuple[str, Callable[[np.ndarray], Any]] = ("all numbers are 0: nothing is written into the result",
                                                    np.zeros_like)


# ---- the list ------------------------------------------------------------------------------------
def mistakes_of(op: Op, trials: Sequence[Trial], kind: str, index: int) -> Iterator[Mistake]:
    """The mistakes that can be made in this op, the likeliest first."""
    yield Mistake(NOTHING[0], _of_finish(op, NOTHING[1]), finish=NOTHING[1])
    if kind == "outputs":
        yield Mistake("the first input comes back as it is: nothing is computed", lambda t, kind: [t.inputs[0]])
    for what, forward, backward, noisy in formulas_of(op.name):
        if kind == "outputs" or backward is not None:
            yield Mistake(what, _of_pair((forward, backward)), noisy=noisy)
    for what, change in _changed_calls(op, trials):
        yield Mistake(what, _of_change(op, change), change=change)
    if kind == "gradients":
        yield from _wrong_gradients(op, index)
    else:
        yield from _other_ops(op)
    for what, finish in changed_results():
        yield Mistake(what, _of_finish(op, finish), finish=finish)
    for small in (np.float32, np.float16):
        yield Mistake(f"it computes in {small.__name__}, whatever comes in", _in_type(op, small), noisy=True,
                      type=small)


def _of_pair(pair: Any) -> Callable[[Trial, str], Sequence[Any]]:
    return lambda t, kind: run(pair, t.inputs, t.attrs, t.dy, kind)


def _of_change(op: Op, change: Any) -> Callable[[Trial, str], Sequence[Any]]:
    def results(t: Trial, kind: str) -> Sequence[Any]:
        inputs, attrs = change(list(t.inputs), dict(t.attrs))
        return run(op.definition, inputs, attrs, t.dy, kind)
    return results


def _in_type(op: Op, dtype: Any) -> Callable[[Trial, str], Sequence[Any]]:
    """The definition on inputs that are rounded to a smaller type."""
    def results(t: Trial, kind: str) -> Sequence[Any]:
        def rounded(a: Any) -> Any:
            return a.astype(dtype).astype(t.dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
        dy = tuple(map(rounded, as_tuple(t.dy)))
        dy = dy if isinstance(t.dy, tuple) else dy[0]
        return run(op.definition, [rounded(a) for a in t.inputs], t.attrs, dy, kind)
    return results


def _of_finish(op: Op, finish: Any) -> Callable[[Trial, str], Sequence[Any]]:
    return lambda t, kind: [None if a is None else finish(a) for a in run(op.definition, t.inputs, t.attrs, t.dy, kind)]


def _other_ops(op: Op) -> Iterator[Mistake]:
    """The kernel may compute another op that takes the same inputs."""
    for other in sorted(OPS.values(), key=lambda o: o.family != op.family):
        if other is not op and len(other.inputs) >= len([n for n in op.inputs if n not in ("b", "bias")]):
            yield Mistake(f"it computes {other.name} ({other.formula}), and not {op.name}", _of_other(other))


def _of_other(other: Op) -> Callable[[Trial, str], Sequence[Any]]:
    def results(t: Trial, kind: str) -> Sequence[Any]:
        code = other.ref_forward.__code__
        names = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
        return as_tuple(other.ref_forward(*t.inputs, **{k: v for k, v in t.attrs.items() if k in names})[0])
    return results


def _wrong_gradients(op: Op, index: int) -> Iterator[Mistake]:
    """Mistakes of a backward alone."""
    def upstream(change: Callable[[Any], Any]) -> Callable[[Trial, str], Sequence[Any]]:
        def results(t: Trial, kind: str) -> Sequence[Any]:
            dy = tuple(None if a is None else change(a) for a in as_tuple(t.dy))
            return run(op.definition, t.inputs, t.attrs, dy if isinstance(t.dy, tuple) else dy[0], kind)
        return results

    def instead(k: int) -> Callable[[Trial, str], Sequence[Any]]:
        return lambda t, kind: [run(op.definition, t.inputs, t.attrs, t.dy, kind)[k]]*len(op.inputs)

    yield Mistake("dy, the upstream gradient, is not used (it counts as 1)", upstream(np.ones_like))
    yield Mistake("the mean of dy is used in place of dy", upstream(lambda a: np.full_like(a, a.mean())))
    yield Mistake("the sum of dy is used in place of dy", upstream(lambda a: np.full_like(a, a.sum())))
    for k, name in enumerate(op.inputs):
        if k != index:
            yield Mistake(f"it is the gradient of {name}: the gradients are returned in the wrong order", instead(k))

    def swapped_saved(of_y: bool) -> Callable[[Trial, str], Sequence[Any]]:
        def results(t: Trial, kind: str) -> Sequence[Any]:
            y, saved = op.ref_forward(*t.inputs, **t.attrs)
            x = t.inputs[0]
            old, new = (as_tuple(y)[0], x) if of_y else (x, as_tuple(y)[0])
            assert op.ref_backward is not None
            if old.shape != new.shape or not any(a is old for a in saved):
                raise Unsuitable
            return op.ref_backward(t.dy, tuple(new if a is old else a for a in saved), **t.attrs)
        return results
    yield Mistake("backward uses x where the result y is needed", swapped_saved(True))
    yield Mistake("backward uses the result y where x is needed", swapped_saved(False))
    yield Mistake("repeated positions overwrite one another, where their gradients must add up (np.add.at)",
                  lambda t, kind: _overwritten(op, t, index))


def _overwritten(op: Op, trial: Trial, index: int) -> Sequence[Any]:
    """Each element of dy alone, the last one that reaches an element stays."""
    y, saved = op.ref_forward(*trial.inputs, **trial.attrs)
    if isinstance(y, tuple) or y.size > 400 or op.ref_backward is None:
        raise Unsuitable
    made: Any = None
    for at in np.ndindex(y.shape):
        dy = np.zeros_like(y)
        dy[at] = trial.dy[at]
        g = op.ref_backward(dy, saved, **trial.attrs)[index]
        made = np.zeros_like(g) if made is None else made
        made = np.where(g != 0, g, made)
    return [made]*len(op.inputs)


# ---- changed calls -------------------------------------------------------------------------------
Change = Callable[[list[Any], dict[str, Any]], tuple[list[Any], dict[str, Any]]]


def _changed_calls(op: Op, trials: Sequence[Trial]) -> Iterator[tuple[str, Change]]:
    yield from _changed_attributes(op, trials)
    sizes = [[a for a in (t.inputs[k] for t in trials if k < len(t.inputs)) if isinstance(a, np.ndarray)]
             for k in range(len(op.inputs))]
    optional = [any(k < len(t.inputs) and t.inputs[k] is None for t in trials) for k in range(len(op.inputs))]
    for k, name in enumerate(op.inputs):
        kinds = {a.dtype.kind for a in sizes[k]}
        if optional[k] or name in ("b", "bias", "weight"):
            yield f"{name} is left out", _input(k, lambda a: None)
        if "f" in kinds:
            for what, function in CHANGED_ARRAYS:
                yield what.format(name), _input(k, function)
        if "b" in kinds:
            yield f"{name} is inverted", _input(k, np.logical_not, "b")
        if kinds & set("iu"):
            yield f"{name} is off by one: {name} + 1 is read", _input(k, lambda a: a + 1, "iu")
            yield f"{name} is off by one: {name} - 1 is read", _input(k, lambda a: a - 1, "iu")
    for i in range(len(op.inputs)):
        for j in range(i + 1, len(op.inputs)):
            yield f"{op.inputs[i]} and {op.inputs[j]} are swapped", _swapped(i, j)
    if op.family == "recurrent":
        yield from _gate_orders(op)


def _input(k: int, function: Callable[[Any], Any], kinds: str = "f") -> Change:
    def change(inputs: list[Any], attrs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        if isinstance(inputs[k], np.ndarray) and inputs[k].dtype.kind in kinds:
            inputs[k] = function(inputs[k])
        return inputs, attrs
    return change


def _swapped(i: int, j: int) -> Change:
    def change(inputs: list[Any], attrs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        inputs[i], inputs[j] = inputs[j], inputs[i]
        return inputs, attrs
    return change


def _gate_orders(op: Op) -> Iterator[tuple[str, Change]]:
    """The blocks of the weights and biases in another order."""
    gates = {"lstm": "ifgo", "lstm_cell": "ifgo", "gru": "rzn", "gru_cell": "rzn"}.get(op.name, "")
    for order in permutations(range(len(gates))):
        if list(order) == sorted(order):
            continue

        def change(inputs: list[Any], attrs: dict[str, Any], order: Any = order) -> tuple[list[Any], dict[str, Any]]:
            def blocks(a: np.ndarray) -> np.ndarray:
                parts = np.split(a, len(gates))
                return np.concatenate([parts[i] for i in order])
            return [blocks(a) if name[:2] in ("w_", "b_") and a is not None else a
                    for name, a in zip(op.inputs, inputs)], attrs
        # the block that the kernel takes for gate i is that of gate order[i]
        yield (f"the gates are read in the order {' '.join(gates[order.index(i)] for i in range(len(gates)))}, "
               f"and not {' '.join(gates)}"), change


def _needs(a: np.ndarray, ndim: int) -> np.ndarray:
    if a.ndim < ndim:
        raise Unsuitable
    return a


def _moved(a: np.ndarray, axis: int, by: int) -> np.ndarray:
    """a shifted along an axis, 0 coming in."""
    _needs(a, max(axis + 1, -axis))
    out = np.zeros_like(a)
    to, of = [slice(None)]*a.ndim, [slice(None)]*a.ndim
    to[axis], of[axis] = (slice(by, None), slice(None, -by)) if by > 0 else (slice(None, by), slice(-by, None))
    out[tuple(to)] = a[tuple(of)]
    return out


def _first_everywhere(a: np.ndarray) -> np.ndarray:
    return np.array(np.broadcast_to(_needs(a, 1)[:1], a.shape))


CHANGED_ARRAYS: list[tuple[str, Callable[[np.ndarray], Any]]] = [
    ("{} is flipped along its last two axes", lambda a: np.flip(_needs(a, 3), (-2, -1))),
    ("{} is flipped along its last axis", lambda a: np.flip(_needs(a, 1), -1)),
    ("{} is flipped along its second-last axis", lambda a: np.flip(_needs(a, 2), -2)),
    ("{} is flipped along its first axis", lambda a: np.flip(_needs(a, 1), 0)),
    ("{} is transposed (its last two axes are swapped)", lambda a: np.swapaxes(_needs(a, 2), -1, -2)),
    ("{} is read with its first two axes swapped", lambda a: np.swapaxes(_needs(a, 3), 0, 1).reshape(a.shape)),
    ("{} is read in another order: its numbers are taken as if its last two axes came the other way round",
     lambda a: np.swapaxes(_needs(a, 2), -1, -2).reshape(a.shape)),
    ("{} is read in another order: its second axis as if it were the last",
     lambda a: np.moveaxis(_needs(a, 3).reshape(a.shape[0], *a.shape[2:], a.shape[1]), -1, 1)),
    ("{} is not used: it counts as 0", np.zeros_like),
    ("{} is not used: it counts as 1", np.ones_like),
    ("{} has the wrong sign", np.negative),
    ("the absolute value of {} is used", np.abs),
    ("{} is squared", np.square),
    ("only the first item along {}'s first axis is read, for all of them", _first_everywhere),
    ("only the first item along {}'s second axis is read, for all of them",
     lambda a: np.array(np.broadcast_to(_needs(a, 2)[:, :1], a.shape))),
    ("{} is read one place further along its last axis", lambda a: _moved(a, -1, -1)),
    ("{} is read one place earlier along its last axis", lambda a: _moved(a, -1, 1)),
    ("{} is read one place further along its first axis", lambda a: _moved(a, 0, -1)),
    ("{} is read one place earlier along its first axis", lambda a: _moved(a, 0, 1)),
    ("{} is read one place further along its second-last axis", lambda a: _moved(a, -2, -1)),
    ("{} is read one place earlier along its second-last axis", lambda a: _moved(a, -2, 1)),
    ("the last item along {}'s last axis is left out: the loop ends one early",
     lambda a: np.concatenate([_needs(a, 1)[..., :-1], 0*a[..., -1:]], -1)),
    ("the last item along {}'s second axis is left out: the loop ends one early",
     lambda a: np.concatenate([_needs(a, 2)[:, :-1], 0*a[:, -1:]], 1)),
    ("the last item along {}'s second-last axis is left out: the loop ends one early",
     lambda a: np.concatenate([_needs(a, 2)[..., :-1, :], 0*a[..., -1:, :]], -2)),
    ("the first item along {}'s last axis is left out: the loop begins one late",
     lambda a: np.concatenate([0*_needs(a, 1)[..., :1], a[..., 1:]], -1)),
    ("{} is taken twice", lambda a: 2*a),
    ("{} is halved", lambda a: a/2),
    ("{} is read as memory holds it before it was reshaped: rows and columns are mixed",
     lambda a: np.asarray(a.ravel(order="F").reshape(a.shape))),
]


def _changed_attributes(op: Op, trials: Sequence[Trial]) -> Iterator[tuple[str, Change]]:
    """Every attribute with another value, by the kind of its values."""
    values: dict[str, list[Any]] = {}
    for t in trials:
        for key, value in t.attrs.items():
            values.setdefault(key, []).append(value)
    for key, seen in values.items():
        if key in ("key", "call"):                  # the words of the random stream
            continue
        for what, function in _other_values(op, key, seen):
            yield what, _attribute(key, function)


def _attribute(key: str, function: Callable[[Any, list[Any]], Any]) -> Change:
    def change(inputs: list[Any], attrs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        if key in attrs:
            attrs[key] = function(attrs[key], inputs)
        return inputs, attrs
    return change


Value = Callable[[Any, list[Any]], Any]
NEUTRAL = {"padding": 0, "stride": 1, "dilation": 1, "groups": 1, "output_padding": 0, "offset": 0, "num_groups": 1,
           "ignore_index": -100, "label_smoothing": 0.0, "dropout_p": 0.0, "eps": 0.0, "padding_idx": None,
           "divisor_override": None, "value": 0.0, "diagonal": 0, "shifts": 0}


def _like(value: Any, number: Any) -> Any:
    """The number in the shape of a value that may be a pair, or a pair of pairs."""
    return tuple(_like(v, number) for v in value) if isinstance(value, tuple) else number


def _map(value: Any, function: Callable[[Any], Any]) -> Any:
    return tuple(_map(v, function) for v in value) if isinstance(value, tuple) else function(value)


SIZES = ("kernel_size", "stride", "dilation", "groups", "output_size", "size")      # never below 0


def constant(value: Any) -> Value:
    return lambda v, xs: value


def _other_values(op: Op, key: str, seen: list[Any]) -> Iterator[tuple[str, Value]]:
    if key == "scale" and op.family == "attention":
        yield "the scale 1/sqrt(d) is missing: the scores are not divided by sqrt(d)", lambda v, xs: 1.0
        yield "the scores are divided by d, and not by sqrt(d)", lambda v, xs: v*v
    if key in NEUTRAL:
        yield f"{key} is ignored (it counts as {NEUTRAL[key]})", lambda v, xs: _like(v, NEUTRAL[key])
    kinds = {type(v) for v in seen}
    if bool in kinds:
        yield f"{key} is ignored (it counts as False)", lambda v, xs: False
        yield f"{key} is ignored (it counts as True)", lambda v, xs: True
        yield f"{key} is the wrong way round", lambda v, xs: not v
    elif str in kinds:
        for word in ("mean", "sum", "none") if key == "reduction" else sorted({v for v in seen if isinstance(v, str)}):
            yield f"it does what {key}={word!r} says, whatever {key} is", constant(word)
    elif key in ("dim", "dims"):
        yield from _other_axes(key)
    elif float in kinds:
        yield f"{key} is ignored (it counts as 1)", constant(1.0)
        yield f"{key} is ignored (it counts as 0)", constant(0.0)
        yield f"{key} is ignored (it counts as 2)", constant(2.0)
        yield f"{key} has the wrong sign", lambda v, xs: -v
        yield f"{key} is replaced by its reciprocal", lambda v, xs: 1/v
        yield f"{key} is squared", lambda v, xs: v*v
        yield f"{key} is replaced by its root", lambda v, xs: v**0.5
        yield f"{key} is replaced by 1 - {key}", lambda v, xs: 1 - v
    elif int in kinds or tuple in kinds:
        yield from _other_numbers(key)


def _other_axes(key: str) -> Iterator[tuple[str, Value]]:
    def axis(d: int) -> Value:
        return lambda v, xs: (d % xs[0].ndim,) if isinstance(v, tuple) else d % xs[0].ndim
    for d in range(3):
        yield f"it works along axis {d}, whatever {key} is", axis(d)
    yield f"it works along the last axis, whatever {key} is", axis(-1)
    yield f"it works along all axes, whatever {key} is", lambda v, xs: tuple(range(xs[0].ndim))
    yield f"it works along the axis before {key}", lambda v, xs: _map(v, lambda d: (d - 1) % max(xs[0].ndim, 1))
    yield f"it works along the axis behind {key}", lambda v, xs: _map(v, lambda d: (d + 1) % max(xs[0].ndim, 1))
    yield (f"it works along the other axes, and not along {key}",
           lambda v, xs: tuple(d for d in range(xs[0].ndim) if d not in (v if isinstance(v, tuple) else (v,))))
    yield f"only the first axis of {key} is used", lambda v, xs: v[:1]
    yield f"{key} is used in reverse", lambda v, xs: v[::-1]
    yield f"the inverse of {key} is used", lambda v, xs: tuple(int(i) for i in np.argsort(v))


def _other_numbers(key: str) -> Iterator[tuple[str, Value]]:
    if key not in NEUTRAL:
        yield f"{key} is ignored (it counts as 0)", lambda v, xs: _like(v, 0)
        yield f"{key} is ignored (it counts as 1)", lambda v, xs: _like(v, 1)
    yield f"{key} is one too large", lambda v, xs: _map(v, lambda n: n + 1)
    yield f"{key} is one too small", lambda v, xs: _map(v, lambda n: n - 1)
    if key not in SIZES:
        yield f"{key} has the wrong sign", lambda v, xs: _map(v, lambda n: -n)
    yield f"the first number of {key} is used for both", lambda v, xs: (v[0],)*len(v)
    yield f"the last number of {key} is used for both", lambda v, xs: (v[-1],)*len(v)
    yield f"the numbers of {key} are swapped", lambda v, xs: v[::-1]
    yield f"{key} goes all before, and none behind", lambda v, xs: _sides(v, lambda a, b: (a + b, 0))
    yield f"{key} goes all behind, and none before", lambda v, xs: _sides(v, lambda a, b: (0, a + b))
    yield f"{key} before and behind are swapped", lambda v, xs: _sides(v, lambda a, b: (b, a))
    yield f"{key} is taken twice", lambda v, xs: _map(v, lambda n: 2*n)


def _sides(value: Any, function: Callable[[int, int], tuple[int, int]]) -> Any:
    """The function of each pair (before, behind)."""
    if all(isinstance(v, tuple) for v in value):
        return tuple(_sides(v, function) for v in value)
    return function(*value)


# ---- changed results -----------------------------------------------------------------------------
def changed_results() -> Iterator[tuple[str, Callable[[np.ndarray], Any]]]:
    """What may be wrong with a result whatever the op is."""
    yield "the sign is wrong", np.negative
    yield NOTHING
    yield "the result is in float32 inside, whatever comes in", lambda a: a.astype(np.float32).astype(a.dtype)
    yield "numbers below 0 are made 0", lambda a: np.where(a < 0, 0, a)
    yield "the absolute value is returned", np.abs
    yield "the result is squared, or a square root is missing at the end", np.square
    yield "a root too much is taken at the end", np.sqrt
    yield "a logarithm is missing at the end, or an exponential is too much", np.exp
    yield "an exponential is missing at the end, or a logarithm is too much", np.log
    yield "it is 1 minus what it should be", lambda a: 1 - a
    yield "it is the reciprocal of what it should be", np.reciprocal
    yield "numbers are cut to whole ones", np.trunc
    for axis, name in ((-1, "last"), (0, "first"), (-2, "second-last"), (1, "second")):
        for what, finish in ALONG_AN_AXIS:
            yield what.format(name), _along(axis, finish)
    yield "all are summed up, which should not be", np.sum
    yield "the mean of all is taken, which should not be", np.mean
    yield "an axis of length 1 is too much at the front", lambda a: a[None]
    yield "an axis of length 1 is too much at the end", lambda a: a[..., None]
    yield "the result is transposed (its last two axes are swapped)", lambda a: np.swapaxes(_needs(a, 2), -1, -2)
    yield "the result has its axes in reverse", lambda a: _needs(a, 2).T
    yield "the result has its first two axes swapped", lambda a: np.swapaxes(_needs(a, 3), 0, 1)
    yield "the result has its second axis at the end", lambda a: np.moveaxis(_needs(a, 3), 1, -1)
    yield ("the result's memory is in another order: a transpose is missing before reshape",
           lambda a: np.swapaxes(_needs(a, 2), -1, -2).reshape(a.shape))
    yield "the result is flat: reshape is missing at the end", np.ravel


ALONG_AN_AXIS: list[tuple[str, Callable[[np.ndarray, int], Any]]] = [
    ("the result is flipped along its {} axis", np.flip),
    ("the result is off by one: shifted back along its {} axis, 0 coming in", lambda a, d: _moved(a, d, -1)),
    ("the result is off by one: shifted forward along its {} axis, 0 coming in", lambda a, d: _moved(a, d, 1)),
    ("the result is off by one: rolled back along its {} axis", lambda a, d: np.roll(a, -1, d)),
    ("the result is off by one: rolled forward along its {} axis", lambda a, d: np.roll(a, 1, d)),
    ("the last place along the {} axis is 0: a loop ends one early", lambda a, d: _blank(a, d, slice(-1, None))),
    ("the first place along the {} axis is 0: a loop begins one late", lambda a, d: _blank(a, d, slice(None, 1))),
    ("only the first place along the {} axis is written, the others are 0",
     lambda a, d: _blank(a, d, slice(1, None))),
    ("the last place along the {} axis is missing: a loop ends one early",
     lambda a, d: np.take(a, range(a.shape[d] - 1), d)),
    ("the first along the {} axis stands in all places",
     lambda a, d: np.broadcast_to(np.take(a, [0], d), a.shape)),
    ("the last along the {} axis stands in all places",
     lambda a, d: np.broadcast_to(np.take(a, [-1], d), a.shape)),
    ("the sum along the {} axis is taken, which should not be", lambda a, d: a.sum(d)),
    ("the sum along the {} axis is taken and kept, which should not be", lambda a, d: a.sum(d, keepdims=True)),
    ("the mean along the {} axis is taken, which should not be", lambda a, d: a.mean(d)),
    ("the {} axis is missing, which has length 1", lambda a, d: np.squeeze(a, d)),
]


def _along(axis: int, finish: Callable[[np.ndarray, int], Any]) -> Callable[[np.ndarray], Any]:
    return lambda a: finish(_axis(a, axis), axis)


def _axis(a: np.ndarray, axis: int) -> np.ndarray:
    """a, if it has this axis under no other of the names first, second, second-last and last."""
    d = axis % a.ndim if a.ndim else 0
    names = {-1: a.ndim >= 1, 0: a.ndim >= 2, -2: a.ndim >= 3, 1: a.ndim >= 4}
    if not names[axis] or d >= a.ndim:
        raise Unsuitable
    return a


def _blank(a: np.ndarray, axis: int, where: slice) -> np.ndarray:
    out = np.array(a)
    index: list[Any] = [slice(None)]*a.ndim
    index[axis] = where
    out[tuple(index)] = 0
    return out
