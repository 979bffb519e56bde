"""Hooks: functions that see the gradient of a tensor when it is complete, and may replace it; and
the handle that takes any hook away again, a module's too.

Those of an op's output live on its node, and go when it goes. A leaf has no node: its hooks live
here, under its id, until the leaf dies.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DTypeError, GraphError, ShapeError
from ..guard import named
from . import tape
from .accumulate import plus

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["RemovableHandle", "add_hook"]

Hook = Callable[["Tensor"], Any]


class RemovableHandle:
    """Takes a hook away again: call it, call `remove()`, or leave its `with` block."""

    @named
    def __init__(self, hooks: dict[Any, Any], hook: Any, first: bool = False) -> None:
        if not callable(hook):
            raise DTypeError(who="register_hook", expected="a hook that can be called", got=type(hook).__name__)
        self._hooks = hooks
        others = dict(hooks) if first else {}
        for key in others:
            del hooks[key]
        hooks[self] = hook
        hooks.update(others)

    def remove(self) -> None:
        self._hooks.pop(self, None)

    __call__ = remove

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


leaf_hooks: dict[int, dict[RemovableHandle, Hook]] = {}     # id(leaf) -> its hooks


@named
def add_hook(t: Tensor, hook: Hook) -> RemovableHandle:
    """Tensor.register_hook: see there."""
    if not t.requires_grad:
        raise GraphError("a hook needs a tensor that requires a gradient", who="register_hook")
    if t.node is not None:
        return RemovableHandle(t.node.more().hooks.setdefault(t.index, {}), hook)
    key = id(t)
    if key not in leaf_hooks:
        weakref.finalize(t, leaf_hooks.pop, key, None)
    return RemovableHandle(leaf_hooks.setdefault(key, {}), hook)


def run_hooks(extras: tape.Extras, grads: dict[int, np.ndarray]) -> None:
    """Call the hooks of a node's outputs on their gradients, and keep those that are to be kept."""
    for index in list(grads):
        for hook in tuple(extras.hooks.get(index, {}).values()):        # one may remove itself
            grads[index] = _call(hook, grads[index])
        t = extras.retained.get(index)
        if t is not None:
            t.grad = tape.wrapped(grads[index].copy() if t.grad is None else plus(t.grad._data, grads[index]))


def run_leaf_hooks(leaves: dict[int, list[Any]]) -> None:
    """The same for leaves. leaves: id(leaf) -> [leaf, its gradient]."""
    if leaf_hooks:
        for key, slot in leaves.items():
            for hook in tuple(leaf_hooks.get(key, {}).values()):
                slot[1] = _call(hook, slot[1])


def _call(hook: Hook, g: np.ndarray) -> np.ndarray:
    replaced = hook(tape.wrapped(g))
    if replaced is None:
        return g
    new = np.asarray(replaced._data if isinstance(replaced, tape.Tensor) else replaced, dtype=g.dtype)
    if new.shape != g.shape:
        raise ShapeError("a hook must return a gradient of the same shape", who="hook", expected=g.shape, got=new.shape)
    return new
