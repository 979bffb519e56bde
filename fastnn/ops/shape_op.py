"""What the functions that only move elements share: dimensions and sizes as they are given, and the
record of such an op.

NumPy does this, and what it does without work is a view: another window onto the same memory. So
the definitions in fastnn/reference/shape.py are what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..guard import whole
from ..op import Op, Sample, register, seeded
from ..reference import shape as reference
from .checks import need_array

__all__ = ["array_check", "axis", "draw", "shape_op", "sizes_of", "slice_axis"]


def axis(who: str, dim: Any, ndim: int) -> int:
    """The number of a dimension counted from the front; RangeError if there is none such. A tensor
    without dimensions lets 0 and -1 pass, as in PyTorch.
    """
    d = dim if dim.__class__ is int else whole(who, "dim as an int", dim)
    bound = ndim or 1
    if not -bound <= d < bound:
        raise RangeError(f"dimension {d} does not exist", who=who, expected=f"{-bound} <= dim < {bound}")
    return d % bound


def slice_axis(who: str, dim: Any, ndim: int) -> int:
    """As axis, of a tensor that is to be cut into slices: one without dimensions has none."""
    d = axis(who, dim, ndim)
    if ndim == 0:
        raise RangeError(f"dimension {dim} does not exist", who=who, expected="a tensor with dimensions", got=())
    return d


def sizes_of(args: Sequence[Any], named: Any = None, who: str = "") -> tuple[int, ...]:
    """f(2, 3), f((2, 3)) and f(named=(2, 3)) alike."""
    if named is not None:
        if args:
            raise DTypeError("sizes or dimensions are given twice", who=who, got=f"{tuple(args)} and {named}")
        args = named if isinstance(named, (tuple, list)) else (named,)
    if len(args) == 1 and isinstance(args[0], (tuple, list)):
        args = args[0]
    for n in args:
        if n.__class__ is not int:
            return tuple([whole(who, "sizes or dimensions as int", n) for n in args])
    return tuple(args)


# ---- the check -----------------------------------------------------------------------------------
def array_check(who: str) -> Callable[..., None]:
    """A check that the one input is an array."""
    def check(x: Any, **attrs: Any) -> None:
        if x.__class__ is not np.ndarray:
            need_array(who, x=x)
    return check


# ---- samples -------------------------------------------------------------------------------------
def draw(name: str, *shape: int) -> np.ndarray:
    return seeded(name).standard_normal(shape)


# ---- the record ----------------------------------------------------------------------------------
def shape_op(name: str, formula: str, samples: Callable[[], list[Sample]], errors: tuple[Any, ...],
             **fields: Any) -> Op:
    """A record whose definition is what runs, linear in x."""
    return register(Op(
        name=name, family="shape", inputs=fields.pop("inputs", ("x",)), formula=formula,
        ref_forward=getattr(reference, f"{name}_forward"), ref_backward=getattr(reference, f"{name}_backward"),
        check=fields.pop("check", array_check(name)), samples=samples, errors=errors, linear_in=("x",),
        bytes=lambda n: 0, flops=lambda n: 0, **fields))
