"""What a contestant does: a call to be timed, and the numbers that it computes.

The numbers are compared with the other contestants' before anything is timed. Inputs are drawn from
seeds, so processes need not send each other any.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..op import seeded

__all__ = ["BACKWARD", "FORWARD", "STEP", "Contest", "NotOffered", "Workload", "expression", "numpy_expression"]

FORWARD, BACKWARD, STEP = "forward", "forward+backward", "step"


class NotOffered(Exception):
    """A library has nothing of the kind: it does not take part."""


@dataclass(frozen=True)
class Contest:
    """One workload as one contestant runs it."""

    call: Callable[[], Any]                         # what is timed
    # what it computes: compared with the others' before timing
    results: Callable[[], list[np.ndarray]]
    library: Any
    gradients: bool = True                          # whether `call` needs the tape

    def repeat(self, number: int) -> None:
        call = self.call
        if self.gradients or self.library.name == "numpy":
            for _ in range(number):
                call()
        else:
            with self.library.without_gradients():
                for _ in range(number):
                    call()


@dataclass(frozen=True)
class Workload:
    """Something to measure.

    contest   contest(library) -> Contest; NotOffered where the library has nothing of the kind
    cost      () -> (flops, bytes) of one call: a multiply-add counts as two, bytes are the least
              that must move; 0 is unknown
    tolerance largest difference between two contestants' results, as a share of the largest value
    """

    name: str
    group: str
    contest: Callable[[Any], Contest]
    cost: Callable[[], tuple[float, float]]
    tolerance: float = 1e-4

    @property
    def direction(self) -> str:
        return self.name.rsplit("/", 1)[1]

    @property
    def subject(self) -> str:
        """What it is about: the op, kernel or network."""
        return self.name.split("/", 1)[0]


# ---- expressions: a function of arrays, forward or forward+backward ------------------------------
def floats(values: Sequence[Any]) -> list[bool]:
    return [isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in values]


def expression(library: Any, function: Callable[..., Any], inputs: Sequence[Any], direction: str, seed: str,
               differentiable: Sequence[bool] | None = None, compared: int | None = None) -> Contest:
    """function(*tensors), with the gradients of the differentiable inputs where the direction asks
    for them.

    compared: only so many of the outputs are looked at, and get an upstream gradient; default: all.
    """
    backward = direction == BACKWARD
    wanted = [is_float and backward and (differentiable is None or differentiable[i])
              for i, is_float in enumerate(floats(inputs))]
    leaves = [library.tensor(a, requires_grad=w) if isinstance(a, np.ndarray) else a for a, w in zip(inputs, wanted)]

    def outputs() -> list[Any]:
        y = function(*leaves)
        return [y] if not isinstance(y, (tuple, list)) else list(y[:compared])

    def results() -> list[np.ndarray]:
        if not backward:
            with library.without_gradients():
                return [library.array(y) for y in outputs()]
        ys = step()
        return [library.array(y) for y in ys] + [library.array(leaf.grad) for leaf, w in zip(leaves, wanted) if w]

    if not backward:
        return Contest(lambda: function(*leaves), results, library, gradients=False)

    with library.without_gradients():
        shapes = [(library.array(y).shape, library.array(y).dtype) for y in outputs()]
    rng = seeded(seed)
    cotangents = [library.tensor(rng.standard_normal(shape).astype(dtype)) if dtype.kind == "f" else None
                  for shape, dtype in shapes]

    def step() -> list[Any]:
        for leaf, w in zip(leaves, wanted):
            if w:
                leaf.grad = None                    # fresh gradients every time
        ys = outputs()
        with_gradient = [(y, g) for y, g in zip(ys, cotangents) if g is not None and y.requires_grad]
        library.backward([y for y, _ in with_gradient], [g for _, g in with_gradient])
        return ys
    return Contest(step, results, library)


def numpy_expression(library: Any, function: Callable[..., Any], inputs: Sequence[Any], direction: str) -> Contest:
    if direction != FORWARD:
        raise NotOffered("NumPy has no gradients")

    def results() -> list[np.ndarray]:
        y = function(*inputs)
        return [np.asarray(a) for a in (y if isinstance(y, (tuple, list)) else [y])]
    return Contest(lambda: function(*inputs), results, library, gradients=False)
