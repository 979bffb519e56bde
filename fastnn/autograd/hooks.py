"""Hooks: functions that see the gradient of a tensor when it is complete, and may replace it.

Those of an op's output live on its node, and go when it goes. A leaf has no node: its hooks live
here, under its id, until the leaf dies.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError, ShapeError
from . import tape
from .accumulate import plus

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["add_hook"]

leaf_hooks: dict[int, dict[int, Callable[[Tensor], Any]]] = {}     # id(leaf) -> {number: hook}


def add_hook(t: Tensor, hook: Callable[[Tensor], Any]) -> Callable[[], None]:
    """Tensor.register_hook: see there."""
    if not t.requires_grad:
        raise GraphError("a hook needs a tensor that requires a gradient", who="register_hook")
    if t.node is not None:
        hooks = t.node.more().hooks.setdefault(t.index, [])
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None
    key, number = id(t), next(tape.ages)
    if key not in leaf_hooks:
        weakref.finalize(t, leaf_hooks.pop, key, None)
    leaf_hooks.setdefault(key, {})[number] = hook
    return lambda: leaf_hooks.get(key, {}).pop(number, None) and None


def run_hooks(extras: tape.Extras, grads: dict[int, np.ndarray]) -> None:
    """Call the hooks of a node's outputs on their gradients, and keep those that are to be kept."""
    for index in list(grads):
        for hook in extras.hooks.get(index, ()):
            grads[index] = _call(hook, grads[index])
        t = extras.retained.get(index)
        if t is not None:
            t.grad = tape.wrapped(grads[index].copy() if t.grad is None else plus(t.grad._data, grads[index]))


def run_leaf_hooks(leaves: dict[int, list[Any]]) -> None:
    """The same for leaves. leaves: id(leaf) -> [leaf, its gradient]."""
    if leaf_hooks:
        for key, slot in leaves.items():
            for hook in leaf_hooks.get(key, {}).values():
                slot[1] = _call(hook, slot[1])


def _call(hook: Callable[[Tensor], Any], g: np.ndarray) -> np.ndarray:
    replaced = hook(tape.wrapped(g))
    if replaced is None:
        return g
    new = np.asarray(replaced._data if isinstance(replaced, tape.Tensor) else replaced, dtype=g.dtype)
    if new.shape != g.shape:
        raise ShapeError("a hook must return a gradient of the same shape", who="hook", expected=g.shape, got=new.shape)
    return new
