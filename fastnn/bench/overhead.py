"""`python -m fastnn bench overhead`: what the tape and a layer cost over the C call itself, on
vectors too short to matter.

Four clocks for each op, the best of many rounds: its kernel on arrays (with the wrapper that opens
and allocates them), its function on tensors, the same when a gradient will be wanted, so that the
tape records, and its layer in training. What the last two cost over the first is the overhead.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import functional, layers, no_grad, tensor
from ..op import ACTIVE
from . import results

__all__ = ["measure", "part"]

ROUNDS, CALLS = 15, 1000


def subjects() -> dict[str, tuple[Callable[[Any], Any], Any]]:
    """{op: (its function of x, a layer that calls it)}."""
    w, b = tensor(np.ones((8, 8), np.float32)), tensor(np.ones(8, np.float32))
    return {"relu": (functional.relu, layers.ReLU()), "tanh": (functional.tanh, layers.Tanh()),
            "softmax": (lambda x: functional.softmax(x, dim=-1), layers.Softmax(dim=-1)),
            "linear": (lambda x: functional.linear(x, w, b), layers.Linear(8, 8)),
            "layer_norm": (lambda x: functional.layer_norm(x, (8,), b, b), layers.LayerNorm(8)),
            "mul": (lambda x: x*x, None)}


def kernel_call(op: str, function: Callable[[], Any]) -> Callable[[], Any]:
    """The call of the op's kernel that `function` makes, with its arrays and attributes, to be made
    again without the way there.
    """
    before = ACTIVE[op]
    forward = before.forward
    seen: list[tuple[Any, dict[str, Any]]] = []

    def noted(*arrays: Any, **attrs: Any) -> Any:
        seen.append((arrays, attrs))
        return forward(*arrays, **attrs)
    ACTIVE[op] = before._replace(forward=noted)
    try:
        function()
    finally:
        ACTIVE[op] = before
    (arrays, attrs), = seen
    return lambda: forward(*arrays, **attrs)


def best(call: Callable[[], Any]) -> float:
    """Seconds of one call: the best of ROUNDS rounds of CALLS."""
    seconds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        seconds.append((time.perf_counter() - start)/CALLS)
    return min(seconds)


def measure() -> list[dict[str, Any]]:
    """A row per op: {"op": name, "kernel", "function", "tape", "layer": seconds of a call}; no
    layer: None.
    """
    rows = []
    x, leaf = tensor(np.ones((2, 8), np.float32)), tensor(np.ones((2, 8), np.float32), requires_grad=True)
    for op, (function, layer) in subjects().items():
        with no_grad():
            kernel, plain = best(kernel_call(op, partial(function, x))), best(partial(function, x))
        rows.append({"op": op, "kernel": kernel, "function": plain, "tape": best(partial(function, leaf)),
                     "layer": best(partial(layer, leaf)) if layer else None})
    return rows


def part(threads: int, level: str = "") -> dict[str, Any]:
    """The part of a record."""
    return results.part(threads, level, [], measure())
