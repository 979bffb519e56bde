"""One op, one record: everything that fastnn knows about an op, as data.

An op is a pair of pure functions on NumPy arrays,

    forward(*inputs, **attrs)      -> (y, saved)    y: an array, or a tuple of arrays
    backward(dy, saved, **attrs)   -> gradients     one per input, None where there is none

given twice: as compiled kernels and as the NumPy definition (fastnn/reference). The record adds
what the tape, the laws, the benchmarks, `summary()` and the documentation need. To add an op, write
the two functions and `register(Op(...))`; CONTRIBUTING.md has the steps.

Two keywords are optional. A forward that takes `save` gets False where no backward will follow: it
leaves out what only backward needs, and returns () as saved; y has the same bits. A backward that
takes `needs` gets a tuple of bool, one per input: whether its gradient is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

__all__ = ["OPS", "Op", "Refusal", "Sample", "register", "seeded"]


@dataclass(frozen=True, eq=False)
class Sample:
    """One call of an op: tiny, and named, so that a failing law says which one.

    inputs   arrays (float64, or an integer or bool type for indices and masks) or None, in the
             order of `Op.inputs`
    attrs    keyword arguments of forward and backward
    sizes    the letters of the op's docstring, for its cost functions: {"N": 2, "C": 3, ...}
    """

    name: str
    inputs: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # 0.3 * a of an array without dimensions is a number of NumPy's, no array
        arrays = tuple([np.asarray(a) if isinstance(a, np.generic) else a for a in self.inputs])
        object.__setattr__(self, "inputs", arrays)

    def cast(self, dtype: Any) -> list[Any]:
        """The inputs with every floating-point array in `dtype`."""
        return [a.astype(dtype) if _is_floating(a) else a for a in self.inputs]

    def integers(self, low: int, high: int) -> Sample:
        """The same call on small whole numbers: every partial sum is exact, so the order of
        summation cannot matter.
        """
        rng = self.rng()
        return replace(self, inputs=tuple([np.asarray(rng.integers(low, high, a.shape), float) if _is_floating(a) else a
                                           for a in self.inputs]))

    def rng(self) -> np.random.Generator:
        """The laws' random numbers for this call: not those that its inputs were drawn from."""
        return seeded(f"laws of {self.name}")


def seeded(name: str) -> np.random.Generator:
    """A generator that gives the same numbers on every machine and in every run, another stream for
    each name.
    """
    return np.random.default_rng(list(name.encode()))


def _is_floating(a: Any) -> bool:
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


class Refusal(NamedTuple):
    """A call that an op must refuse: call() raises this error, whose message has all the words."""

    what: str
    call: Callable[[], Any]
    raises: type[Exception]
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Op:
    """The record of one op.

    name, family      "conv2d", "convolution": the family is a heading in tables
    inputs            names in order, ("x", "w", "b")
    formula           one line for the op table
    forward, backward the kernels; None: the definition runs, because the result is a view or
                      because no kernel has been written
    ref_forward,
    ref_backward      the definition, from fastnn/reference; same signatures
    check             check(*inputs, **attrs): raises a FastnnError before any work; runs before
                      either implementation
    fits              compiled: fits(*inputs, **attrs) is True where a glance shows that `check`
                      would pass, or the kernel will refuse; then `check` is not called before the
                      kernel, but after it refused, for the words. It only saves time: leave it out
                      if unsure
    samples           tiny named calls for the laws
    errors            bad calls, and the error that each must raise
    fast_numpy        the best plain-NumPy expression, fast_numpy(*inputs, **attrs) -> y: the
                      opponent in benchmarks
    bench             name -> function that makes a Sample with shapes of a real network
    flops, bytes      cost of one forward as functions of the sizes
    terms             products summed into one output element, for the rounding allowance
    linear_in         inputs in which the op is linear: for them two more laws hold, that of whole
                      numbers and that of the adjoint (docs/words.md)
    differentiable    inputs that can have a gradient; default: all
    places            for an op y = x[key] that saves x.shape first: places(**attrs) -> key, or None
                      where an element may be picked twice. The tape then adds dy to dx[key] of the
                      gradient that x has already, not an array that is zero nearly everywhere
    keeps_nan         inputs at whose infinities the result is NaN, as in PyTorch, though there is a
                      limit; the function's docstring says so
    drops_nan         inputs whose NaN becomes a number, as in PyTorch: it is false in a comparison
    saturates         its inner factors, such as a softmax's weights or 1 - tanh^2, may round to 0,
                      and 0 times infinity is NaN: so in one type and not in another, and not in the
                      limit
    slack             factor on the rounding allowance, with the reason in a comment at the record
    """

    name: str
    family: str
    inputs: tuple[str, ...]
    formula: str
    ref_forward: Callable[..., Any]
    ref_backward: Callable[..., Any] | None
    samples: Callable[[], Iterable[Sample]]
    forward: Callable[..., Any] | None = None
    backward: Callable[..., Any] | None = None
    check: Callable[..., None] | None = None
    fits: Callable[..., bool] | None = None
    errors: tuple[Refusal, ...] = ()
    fast_numpy: Callable[..., Any] | None = None
    bench: Mapping[str, Callable[[], Sample]] = field(default_factory=dict)
    flops: Callable[..., int] | None = None
    bytes: Callable[..., int] | None = None
    terms: Callable[..., int] = lambda **_: 1
    linear_in: tuple[str, ...] = ()
    differentiable: tuple[str, ...] | None = None
    places: Callable[..., Any] | None = None
    keeps_nan: tuple[str, ...] = ()
    drops_nan: tuple[str, ...] = ()
    saturates: bool = False
    slack: float = 1.0

    @property
    def kernels(self) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
        """(forward, backward) as compiled, or the definition where there is no kernel."""
        return self.forward or self.ref_forward, self.backward or self.ref_backward

    @property
    def definition(self) -> tuple[Callable[..., Any], Callable[..., Any] | None]:
        """(forward, backward) of the definition."""
        return self.ref_forward, self.ref_backward


OPS: dict[str, Op] = {}


class Running(NamedTuple):
    """What runs when an op is called.

    forward, backward   the kernels, the definitions, or a function of the user
    takes_needs         whether backward has a keyword `needs`: see takes_needs
    check, fits         the record's; no fits but before its kernel, which looks at what fits does
                        not
    takes_save          whether forward has a keyword `save`: see takes_save
    """

    forward: Callable[..., Any]
    backward: Callable[..., Any] | None
    takes_needs: bool
    check: Callable[..., None] | None
    fits: Callable[..., bool] | None
    takes_save: bool


# name of an op -> what runs. use_backend and use_kernel change rows; the tape reads them.
ACTIVE: dict[str, Running] = {}

# Names of ops that a function of the user replaces for now (use_kernel): no fusion may leave them
# out.
REPLACED: set[str] = set()

# For ops with `places`: the backward that runs -> places.
PLACES: dict[Callable[..., Any], Callable[..., Any]] = {}

# What few need and is loaded late: "slopes" -> the rules in ops/slopes.py, for autograd/twice.py,
# which does not import ops. ops/__init__.py fills it in.
LATE: dict[str, Callable[[], Any]] = {}


def takes(function: Callable[..., Any] | None, name: str) -> bool:
    """Whether `function` has an argument of this name."""
    # Cython's functions have one too; `inspect` would cost import time
    code = getattr(getattr(function, "__wrapped__", function), "__code__", None)
    return code is not None and name in code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]


def takes_needs(backward: Callable[..., Any] | None) -> bool:
    """Whether `backward` has the keyword `needs`: which inputs' gradients are wanted."""
    return takes(backward, "needs")


def takes_save(forward: Callable[..., Any]) -> bool:
    """Whether `forward` has the keyword `save`: whether a backward may follow."""
    return takes(forward, "save")


def activate(op: Op, forward: Callable[..., Any], backward: Callable[..., Any] | None) -> None:
    """Make this pair run when `op` is called."""
    ACTIVE[op.name] = Running(forward, backward, takes_needs(backward), op.check,
                              op.fits if forward is op.forward else None, takes_save(forward))
    if op.places is not None and getattr(backward, "__wrapped__", backward) in op.kernels and backward is not None:
        PLACES[backward] = op.places


def register(op: Op) -> Op:
    """Add an op to the table and return it. A name can be taken once."""
    if op.name in OPS:
        raise ValueError(f"op {op.name!r} is registered already")
    OPS[op.name] = op
    activate(op, *op.kernels)
    return op
