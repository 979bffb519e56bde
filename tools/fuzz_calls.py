"""The inputs of the fuzzer (tools/fuzz.py): calls that are known to work, and random variations of
them.

Nothing here names an op, a layer or an optimiser. Calls that work are recorded from what every one
of them has:

* an op: the samples of its record (fastnn/op.py), and the bad calls that it must refuse;
* a function or layer: the example in its docstring, which is run and watched;
* an optimiser: the samples of its rule (fastnn/optim/rule.py).

A recorded call is a plan: a tree of arguments in which arrays are replaced by their shape and kind.
`vary` changes the plan, `build` makes arguments of it. Both take all chance from the generator that
they are given, so a call can be built twice, for the kernels and for the definitions.
"""

from __future__ import annotations

import contextlib
import copy
import doctest
import inspect
import io
import mmap
import random
import re
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

import fastnn as nn
from fastnn.op import OPS
from fastnn.optim.rule import RULES
from fastnn.random import random_state, set_random_state

F = nn.functional
SIZES = (1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 13, 16, 17, 31, 33, 64, 67)
MOST_ELEMENTS = 20_000                              # of one array: a call takes a millisecond or so
NUMBERS = (0, 1, -1, 2, 3, 0.5, -1.5, 1e-30, 1e30, 1e300, float("nan"), float("inf"), float("-inf"))
JUNK = (None, True, False, -1, 0, 1, 2, 7, 2**24, 2**31 - 1, 2**31, 2**40, 2**62, 2**63, -2**63, 2**70, 1.5, -0.5,
        float("nan"), float("inf"), 1 + 2j, "abc", "", b"x", (), (1,), (1, 2), (1, 2, 3), [2, 2], [], {}, set(), ...,
        slice(None), object(), int, (None, 1), ("a", "b"), (2**40, 2**40), (2**24, 2**24), (-1, -1), (1.5, 2),
        ((1, 2), (3, 4)), np.int64(3), np.float32(2.5), np.bool_(True), np.uint8(255), np.float64("nan"), np.str_("a"))
JUNK_TYPES = ("f2", "f4", "f8", "g", "i1", "i4", "i8", "u1", "u8", "?", "O", "c8", "c16", "U3", "S2", "M8[s]", "V4")
LAYOUTS = ("plain",) * 10 + ("fortran", "backwards", "gaps", "transposed", "read-only", "misaligned", "swapped",
                             "repeated", "overlapping", "mapped", "subclass")


@dataclass(frozen=True)
class Array:
    """What a plan has in an array's place.

    kind    "f", "i" or "b", as in NumPy's dtype.kind
    low, high   the range of the recorded elements: integers of a variation keep below the size that
                they index, and probabilities stay probabilities
    wrapped     whether it was a Tensor
    """

    shape: tuple[int, ...]
    kind: str
    low: float = 0
    high: float = 0
    wrapped: bool = True


@dataclass
class Call:
    """Something to call: `how` is "function", "op", "layer" or "optimizer". A layer has arguments
    of its constructor, too.
    """

    how: str
    name: str
    args: list[Any]
    kwargs: dict[str, Any]
    made_with: tuple[list[Any], dict[str, Any]] = field(default_factory=lambda: ([], {}))
    spoilt: bool = False                            # whether an argument is nonsense


# ---- what is there, and calls of it that work ----------------------------------------------------
def functions() -> dict[str, Callable[..., Any]]:
    """Every function of nn.functional."""
    return {name: f for name, f in vars(F).items() if inspect.isroutine(f) and not name.startswith("_")}


def layers() -> dict[str, type[nn.Module]]:
    """Every layer of fastnn.layers, under its own name."""
    found = {name: getattr(nn.layers, name) for name in nn.layers.__all__}
    return {name: c for name, c in found.items() if isinstance(c, type) and issubclass(c, nn.Module)
            and c is not nn.Module and c.__name__ == name}


def plan_of(value: Any) -> Any:
    """A value with a plan in each array's place."""
    if isinstance(value, nn.Tensor):
        return replace(plan_of(value.data), wrapped=True)
    if isinstance(value, np.ndarray):
        kind = value.dtype.kind if value.dtype.kind in "fib" else "f"
        finite = value[np.isfinite(value)] if kind == "f" and value.dtype.kind == "f" else value
        some = finite.size > 0 and value.dtype.kind in "fib"
        return Array(value.shape, kind, float(finite.min()) if some else 0., float(finite.max()) if some else 0., False)
    if isinstance(value, (list, tuple)):
        return type(value)(map(plan_of, value)) if type(value) in (list, tuple) else value
    return value


def recorded() -> dict[str, list[Call]]:
    """{name: calls that work} of every op, function, layer and optimiser. Names of ops begin with
    "op.", names of layers and optimisers with "nn.".
    """
    found: dict[str, list[Call]] = {}

    def add(name: str, call: Call) -> None:
        found.setdefault(name, []).append(call)

    for name, op in OPS.items():
        for sample in op.samples():
            add(f"op.{name}", Call("op", name, [replace(plan_of(x), wrapped=True) if isinstance(x, np.ndarray) else x
                                                for x in sample.inputs], dict(sample.attrs)))
    for rule in RULES.items():
        for settings in rule[1].samples.values():
            add(f"nn.{rule[0].__name__}", Call("optimizer", rule[0].__name__, [], dict(settings)))
    for call in watched():
        add(call.name if call.how == "function" else f"nn.{call.name}", call)
    return {name: calls for name, calls in sorted(found.items())}


def watched() -> Iterator[Call]:
    """The calls of functions and layers while the docstrings' examples run, and the bad calls."""
    known = functions()
    # what wraps functions is code that they share
    code_of = {name: inspect.unwrap(f).__code__ for name, f in known.items()}
    by_code = {code: name for name, code in code_of.items()}
    classes = {c: name for name, c in layers().items()}
    module_call, found, made = nn.Module.__call__.__code__, [], {}

    def arguments(frame: types.FrameType) -> tuple[list[Any], dict[str, Any]]:
        """What a function was called with, as it is about to begin."""
        code, values = frame.f_code, frame.f_locals
        names = code.co_varnames[:code.co_argcount]
        args, extra = [plan_of(values[n]) for n in names], code.co_argcount + code.co_kwonlyargcount
        kwargs = {n: plan_of(values[n]) for n in code.co_varnames[code.co_argcount:extra]}
        if code.co_flags & inspect.CO_VARARGS:
            args += plan_of(values[code.co_varnames[extra]])
        if code.co_flags & inspect.CO_VARKEYWORDS:
            kwargs.update(plan_of(values[code.co_varnames[extra + bool(code.co_flags & inspect.CO_VARARGS)]]))
        return args, kwargs

    def watch(frame: types.FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if code in by_code:
            found.append(Call("function", by_code[code], *arguments(frame)))
        elif code is module_call and type(frame.f_locals["self"]) in classes:
            layer = frame.f_locals["self"]
            if id(layer) in made:
                args, kwargs = arguments(frame)
                # a lazy layer is of another class after its first call
                found.append(Call("layer", made[id(layer)][2], args[1:], kwargs, made[id(layer)][1]))
        elif code.co_name == "__init__" and type(frame.f_locals.get("self")) in classes:
            layer = frame.f_locals["self"]
            if code is inspect.unwrap(type(layer).__init__).__code__:
                args, kwargs = arguments(frame)
                # the layer, so that its id stays its own
                made[id(layer)] = layer, (args[1:], kwargs), classes[type(layer)]

    examples = [e.source for thing in (*known.values(), *classes) for test in doctest.DocTestFinder().find(thing)
                for e in (doctest.Example("_scope.clear()\n", ""), *test.examples)]
    bad = [refusal.call for op in OPS.values() for refusal in op.errors]
    scope: dict[str, Any] = {}
    random = random_state()
    nn.seed(0)                          # examples draw numbers, which become part of the calls
    sys.setprofile(watch)
    try:
        with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
            for source in examples:
                if source == "_scope.clear()\n":
                    scope = {"__name__": "example"}
                    continue
                with contextlib.suppress(Exception):
                    exec(compile(source, "<example>", "single"), scope)
            for call in bad:
                with contextlib.suppress(Exception):
                    call()
    finally:
        sys.setprofile(None)
        set_random_state(random)
    called = {call.name for call in found if call.how == "layer"}
    found += [Call("layer", name, [], {}, made_with) for _, made_with, name in made.values()
              if name not in called]  # containers, whose examples show other things
    aliases: dict[str, list[str]] = {}
    for name in known:
        aliases.setdefault(by_code[code_of[name]], []).append(name)
    for call in found:
        for name in aliases.get(call.name, [call.name]) if call.how == "function" else [call.name]:
            yield replace(call, name=name)


def known_values(calls: dict[str, list[Call]]) -> dict[str, list[Any]]:
    """{parameter: values that some op, function or layer takes for it}: one's stride is a stride
    for another. Names in quotation marks in a docstring are values of text.
    """
    found: dict[str, dict[str, Any]] = {}

    def note(name: str, value: Any) -> None:
        if not any(isinstance(leaf, Array) for leaf in leaves(value)):
            found.setdefault(name, {})[repr(value)] = value

    for name, several in calls.items():
        for call in several:
            target = functions().get(name) or layers().get(call.name) or OPS.get(call.name)
            own = call.made_with if call.how == "layer" else (call.args, call.kwargs)
            for parameter, value in [*zip(parameters_of(target), own[0]), *own[1].items()]:
                note(parameter, value)
                if isinstance(value, str):
                    for word in re.findall(r'"([\w-]+)"', inspect.getdoc(target) or ""):
                        note(parameter, word)
    return {name: list(values.values()) for name, values in found.items()}


def parameters_of(target: Any) -> list[str]:
    """The names of a function's or a constructor's positional parameters, or an op's inputs."""
    if target is None or hasattr(target, "inputs"):
        return list(target.inputs) if target is not None else []
    return [p.name for p in inspect.signature(target).parameters.values()
            if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]


# ---- variations ----------------------------------------------------------------------------------
def leaves(tree: Any) -> Iterator[Any]:
    """What a tree of lists, tuples and dicts holds."""
    if isinstance(tree, dict):
        tree = list(tree.values())
    if type(tree) in (list, tuple):
        for branch in tree:
            yield from leaves(branch)
    else:
        yield tree


def changed(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The tree with change(leaf) in each leaf's place."""
    if isinstance(tree, dict):
        return {key: changed(value, change) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(changed(branch, change) for branch in tree)
    return change(tree)


class Variations:
    """Random variations of the recorded calls."""

    def __init__(self, only: list[str] | None = None) -> None:
        everything = recorded()
        self.values = known_values(everything)
        self.calls = {name: calls for name, calls in everything.items()
                      if not only or name in only or name.split(".")[-1] in only}
        self.names = list(self.calls)
        self.spoiling = True                        # whether some calls get nonsense
        self.shaken = 0                             # by how many roundings each number is off
        self.widened = False                        # whether float32 becomes float64

    def draw(self, rng: random.Random) -> Call:
        """A call: of any name with the same probability, whole in three of four cases."""
        call = rng.choice(self.calls[rng.choice(self.names)])
        args, kwargs, made_with = self.resized((call.args, call.kwargs, call.made_with), rng)
        call = replace(call, args=list(args), kwargs=dict(kwargs), made_with=(list(made_with[0]), dict(made_with[1])))
        if call.how == "layer":
            self.other_values(layers()[call.name], *call.made_with, rng)
        elif call.how == "function":
            self.other_values(functions()[call.name], call.args, call.kwargs, rng)
        # an op's attributes were made by its function, which checks them
        if rng.random() < 0.25 and self.spoiling:
            call.spoilt, kwargs = True, {} if call.how == "op" else call.kwargs
            for _ in range(rng.choice((1, 1, 1, 2))):
                self.spoil(rng.choice([(call.args, kwargs), call.made_with]), rng)
        return call

    def resized(self, tree: Any, rng: random.Random) -> Any:
        """Other sizes, the same one wherever the same one stood, so that most of what fitted fits.
        A size that is a multiple of another may follow it: four gates of H units are 4 H rows. So
        may numbers that are sizes; those up to the number of axes may be axes.
        """
        if rng.random() < 0.15:
            return tree
        sizes = sorted({n for leaf in leaves(tree) if isinstance(leaf, Array) for n in leaf.shape})
        new: dict[int, int] = {}
        for n in sizes:
            bases = [b for b in sizes if 1 < b < n and n % b == 0 and n // b <= 8 and new[b] != b]
            if bases and rng.random() < 0.7:
                b = rng.choice(bases)
                new[n] = new[b] * (n // b)
            elif n <= 1 or rng.random() < 0.4:
                new[n] = n if rng.random() < 0.95 else rng.choice(SIZES)
            else:
                new[n] = 0 if rng.random() < 0.03 else rng.choice(SIZES)
        follow = rng.random() < 0.7
        axes = max((len(leaf.shape) for leaf in leaves(tree) if isinstance(leaf, Array)), default=1)

        def change(leaf: Any) -> Any:
            if isinstance(leaf, Array):
                shape = tuple([rng.choice(SIZES) if rng.random() < 0.004 else new[n] for n in leaf.shape])
                if rng.random() < 0.02:
                    shape = (*shape[1:],) if rng.random() < 0.5 else (rng.choice(SIZES), *shape)
                high = leaf.high
                if leaf.kind == "i":    # an index stays below the smallest size that it could index
                    fits = [n for n in sizes if n > leaf.high]
                    high = max(new[min(fits)] - 1, 0) if fits else high
                return replace(leaf, shape=shape if elements(shape) <= MOST_ELEMENTS else leaf.shape, high=high)
            if type(leaf) is int and leaf > axes and follow:
                return new.get(leaf, leaf)
            return leaf
        return changed(tree, change)

    def other_values(self, target: Any, args: list[Any], kwargs: dict[str, Any], rng: random.Random) -> None:
        """Other values of parameters that are no arrays, in place."""
        names = parameters_of(target)
        for where, key, name in [*((args, i, names[i]) for i in range(min(len(args), len(names)))),
                                 *((kwargs, name, name) for name in list(kwargs))]:
            old: Any = where[key]
            if any(isinstance(leaf, Array) for leaf in leaves(old)) or rng.random() < 0.6:
                continue
            k, new = rng.random(), old
            if k < 0.65 and self.values.get(name):
                new = rng.choice(self.values[name])
            elif isinstance(old, bool):
                new = not old
            elif isinstance(old, (int, float)) and k < 0.85:
                new = old + rng.choice((-2, -1, 1, 2))
            elif isinstance(old, (int, float)):
                new = rng.choice(NUMBERS)
            elif old is None and k < 0.85:
                # an array that was left out: of a shape like the others' ends
                shapes = [leaf.shape for leaf in leaves([args, kwargs]) if isinstance(leaf, Array)]
                shape = rng.choice(shapes) if shapes else ()
                new = Array(rng.choice((shape, shape[-1:], shape[:1], shape[1:2])), rng.choice("fffb"), -1, 1)
            where[key] = new

    def spoil(self, arguments: tuple[list[Any], dict[str, Any]], rng: random.Random) -> None:
        """Something else in one argument's place, in place."""
        args, kwargs = arguments
        places: list[tuple[Any, Any]] = [*((args, i) for i in range(len(args))), *((kwargs, k) for k in kwargs)]
        if not places:
            return
        where, key = rng.choice(places)
        k = rng.random()
        if type(where[key]) in (list, tuple) and where[key] and k < 0.4:            # one of several
            several = list(where[key])
            several[rng.randrange(len(several))] = rng.choice(JUNK)
            where[key] = type(where[key])(several)
        elif k < 0.6:
            where[key] = rng.choice(JUNK)
        else:
            shape = tuple([rng.choice((0, *SIZES[:10])) for _ in range(rng.choice((0, 1, 2, 3, 4, 33, 65)))])
            if elements(shape) > MOST_ELEMENTS or len(shape) > 4:
                shape = (1,) * min(len(shape), 64)
            where[key] = Array(shape, rng.choice(JUNK_TYPES), -3, 3, rng.random() < 0.5)

    # ---- arguments of a plan ---------------------------------------------------------------------
    def build(self, tree: Any, rng: random.Random) -> Any:
        """The tree with arrays and tensors in the plans' places; floating point is of one type."""
        dtype = rng.choice(("f4", "f4", "f4", "f8"))
        def make(leaf: Any) -> Any:
            if isinstance(leaf, nn.Module):
                return copy.deepcopy(leaf)      # a call must not find what another one left there
            return self.array(leaf, dtype, rng) if isinstance(leaf, Array) else leaf
        return changed(tree, make)

    def array(self, plan: Array, dtype: str, rng: random.Random) -> Any:
        """An array or tensor of a plan."""
        if plan.kind == "f" and rng.random() < 0.02:
            dtype = rng.choice(("f4", "f8", "f2"))
        kinds = {"f": dtype, "i": rng.choice(("i8", "i8", "i8", "i4", "i2", "u1", "u8")), "b": "?"}
        x = numbers(plan, np.dtype(kinds.get(plan.kind, plan.kind)), rng)
        if self.shaken and x.dtype.kind == "f":
            signs = np.random.default_rng(self.shaken).choice((-1, 1), x.shape)
            x = np.asarray(x * (1 + signs * self.shaken * np.finfo(x.dtype).eps), x.dtype)
        if self.widened and x.dtype == np.float32:
            x = x.astype(np.float64)
        x = self.laid_out(x, rng)
        if not plan.wrapped or rng.random() < 0.05:
            return x
        try:
            t = nn.Tensor(x) if rng.random() < 0.15 else nn.tensor(x)
        except Exception:
            return x
        if t.dtype.kind == "f" and rng.random() < 0.75:
            t.requires_grad = True
            if rng.random() < 0.1:
                t = t.clone()                       # no leaf: a result, bit for bit
        return t

    def laid_out(self, x: np.ndarray, rng: random.Random) -> Any:
        """The same elements in another layout, or (repeated, overlapping) some of them."""
        how = rng.choice(LAYOUTS)
        plain = x.dtype.kind in "fiub" and x.size > 0
        if how == "read-only":
            x.flags.writeable = False
        elif how == "misaligned" and plain:
            y = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
            y[...] = x
            return y
        elif how == "swapped" and plain:
            return x.astype(x.dtype.newbyteorder(">"))
        elif x.ndim == 0:
            return x
        elif how == "fortran":
            return np.asfortranarray(x)
        elif how == "backwards":
            return np.flip(np.flip(x).copy())
        elif how == "gaps":
            return np.repeat(x, 2, -1)[..., ::2]
        elif how == "transposed" and x.ndim > 1:
            return np.ascontiguousarray(x.swapaxes(-1, -2)).swapaxes(-1, -2)
        elif how == "repeated" and plain:
            return np.broadcast_to(x[(slice(0, 1),) * x.ndim], x.shape)
        elif how == "overlapping" and plain:
            return np.lib.stride_tricks.as_strided(x, x.shape, tuple(min(s, x.itemsize) for s in x.strides),
                                                   writeable=False)
        elif how == "mapped" and plain:         # up to the last byte of a mapping, as a file can be
            size = -(-x.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
            y = np.frombuffer(mmap.mmap(-1, size), x.dtype, x.size, size - x.nbytes).reshape(x.shape)
            y[...] = x
            return y
        elif how == "subclass" and x.ndim == 2 and plain:
            return np.ma.masked_array(x) if rng.random() < 0.5 else x.view(np.matrix)
        return x


def elements(shape: tuple[int, ...]) -> int:
    n = 1
    for size in shape:
        n *= size
    return n


def numbers(plan: Array, dtype: np.dtype[Any], rng: random.Random) -> np.ndarray:
    """Random elements: mostly ordinary, some huge, tiny, infinite or NaN."""
    draw = np.random.default_rng(rng.getrandbits(32))
    if dtype.kind in "iu":
        return np.asarray(draw.integers(int(max(plan.low, 0)), int(max(plan.low, 0, min(plan.high, 100))) + 1,
                                        plan.shape)).astype(dtype)
    if dtype.kind == "b":
        return np.asarray(draw.integers(0, 2, plan.shape)).astype(bool)
    if dtype.kind not in "fc":
        return np.zeros(plan.shape, dtype)
    x, k = np.asarray(draw.standard_normal(plan.shape)), rng.random()
    # probabilities, variances: as they were
    if plan.low >= 0 and plan.high > 0 and rng.random() < 0.8:
        x = np.asarray(draw.uniform(plan.low, plan.high, plan.shape))
    with np.errstate(all="ignore"):
        x = np.asarray(x * (1 if k < 0.85 else rng.choice((0, 100, 1e-30, 1e30, 1e-38, 1e38)))).astype(dtype)
        if k > 0.93 and x.size:
            x.reshape(-1)[draw.integers(0, x.size, max(1, x.size // 5))] = rng.choice(
                (np.nan, np.inf, -np.inf, -0.0, 1e-42))
    return x


def described(value: Any, depth: int = 0) -> str:
    """An argument in words: a(2, 3)<f4 is an array, t(2, 3)<f4 a tensor."""
    if isinstance(value, nn.Tensor):
        return "t" + described(value.data)[1:] + ("+grad" if value.requires_grad else "")
    if isinstance(value, np.ndarray):
        name = "a" if type(value) in (np.ndarray, np.memmap) else type(value).__name__
        extra = "" if value.flags.c_contiguous else f"/strides{value.strides}"
        extra += "" if value.flags.aligned else "/misaligned"
        return f"{name}{value.shape}{value.dtype.str}{extra}" + ("" if value.flags.writeable else "/read-only")
    if isinstance(value, dict):
        return ", ".join(f"{key}={described(item, depth + 1)}" for key, item in value.items())
    if type(value) in (list, tuple) and depth < 3:
        return "[" + ", ".join(described(item, depth + 1) for item in value) + "]"
    return repr(value)[:60]
