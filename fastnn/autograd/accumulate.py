"""Sums of gradients: a tensor that is used twice gets two, and a leaf adds to the `.grad` it has.

A sum goes into the array that is there already, but only where nobody else holds it: a gradient
that has been handed out never changes. Python counts the references to every object, and that
count tells.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import compiled, kernel
from . import tape

if TYPE_CHECKING:
    from ..tensor import Tensor

_ndarray = np.ndarray
_add, _add_to = kernel("add_forward"), kernel("add_to")


def join(slots: Any, key: int, g: np.ndarray) -> None:
    """slots[key] += g, in place where nobody else holds slots[key].

    An op may hand the same array to two parents, the caller may keep the gradient that was passed
    in, a hook may have stored its argument, a view refers to its base: each of these is one more
    reference than the two of the slot and of this look at it.
    """
    if sys.getrefcount(slots[key]) == 2 and _owned(slots[key]):
        _add_in_place(slots[key], g)
    else:
        slots[key] = plus(slots[key], g)


def join_leaf(leaf: Tensor, g: np.ndarray) -> None:
    """leaf.grad += g, in place where nobody else holds leaf.grad."""
    assert leaf.grad is not None
    if (sys.getrefcount(leaf.grad) == 2 and sys.getrefcount(leaf.grad._data) == 2 and _owned(leaf.grad._data)
            and leaf.grad._data.shape == g.shape):
        _add_in_place(leaf.grad._data, g)
    else:
        leaf.grad = tape.wrapped(plus(leaf.grad._data, g))


def join_at(parent: Any, key: Any, dy: np.ndarray, pending: Any, leaves: Any,
            arrive: Callable[[Any, np.ndarray], None]) -> None:
    """Add dy to the gradient of `parent` at the places x[key], where the op y = x[key] took its
    elements, each once.

    pending, leaves and arrive are those of walk.walk.
    """
    slots, at = (pending.get(parent[0]), parent[1]) if parent.__class__ is tuple else (leaves.get(id(parent)), 1)
    known = bool(slots) and (slots.__class__ is list or at in slots)
    if known and sys.getrefcount(slots[at]) == 2 and _owned(slots[at]):
        whole = slots[at]
        part = whole[key]
        if part.__class__ is _ndarray and part.base is whole:
            _add_in_place(part, dy)
        else:                                       # one element, or places picked one by one
            whole[key] = plus(np.asarray(part), dy)
        return
    shape, dtype = shape_and_dtype(parent)
    whole = compiled.zeros(shape, dtype) if compiled is not None else np.zeros(shape, dtype)
    whole[key] = dy
    arrive(parent, whole)


def plus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a + b in new memory; by the kernel, on all cores and in recycled memory, where it fits."""
    if _add is not None and a.dtype == b.dtype and a.dtype.kind == "f":
        return _add(a, b)[0]
    with np.errstate(all="ignore"):
        return np.asarray(a + b)


def shape_and_dtype(parent: Any) -> tuple[tuple[int, ...], np.dtype]:
    """Of a node's parent, (Node, which output) or a leaf: so its gradient must be."""
    return parent[0].outputs[parent[1]] if parent.__class__ is tuple else (parent._data.shape, parent._data.dtype)


def _add_in_place(a: np.ndarray, b: np.ndarray) -> None:
    """a += b."""
    if _add_to is not None and a.dtype == b.dtype and a.flags.c_contiguous:
        _add_to(a, b)
    else:
        with np.errstate(all="ignore"):
            a += b


def _owned(a: np.ndarray) -> bool:
    """Whether `a` has its memory for itself, as far as the array knows: it is no view, and may be
    written.
    """
    return a.flags.writeable and not isinstance(a.base, _ndarray)
