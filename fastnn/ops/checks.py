"""Checks that many ops share.

They run before any work, on the arrays. An error says what was expected, what was got, and the fix.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import guard
from ..errors import DTypeError, GraphError, RangeError, ShapeError
from ..guard import as_tensor_hint, whole

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class Numpy(TypedDict, total=False):
        """NumPy's names of arguments."""

        axis: Any
        keepdims: bool

__all__ = ["FLOATS", "at_least_zero", "common_dtype", "legacy", "need_array", "need_constants", "need_float",
           "need_integers", "need_native", "need_rank", "need_room", "pair", "renamed", "single"]

_NUMPY = {"axis": "dim", "keepdims": "keepdim"}

# bytes: the addresses that a program has on most processors
LARGEST = 2**47
# NumPy's letters of dtypes: bool < integer < float
_RANKS = {"b": 0, "u": 1, "i": 1, "f": 2}
FLOATS = _FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
MOST_EPS = 1e30                                     # beside a variance; float32 ends at 3e38


OF_RECURRENT = ("A recurrent layer gives (output, state), attention and pooling with return_indices give two tensors, "
                "too. No Sequential takes them apart: in a forward() of your own, y, _ = self.lstm(x).")


def need_array(who: str, **arrays: Any) -> None:
    """Every named argument (None is let through) must be an array by now."""
    for name, a in arrays.items():
        if a is not None and not isinstance(a, np.ndarray):
            told = guard.incomplete(a)
            if told is not None:
                raise told
            raise DTypeError(f"{name} must be a tensor or an array", who=who, got=type(a).__name__,
                             hint=OF_RECURRENT if isinstance(a, tuple) else as_tensor_hint(a))


def renamed(who: str, numpy: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """The arguments dim and keepdim, which came under NumPy's names, axis and keepdims."""
    for name, value in numpy.items():
        known = _NUMPY.get(name)
        if known not in given:
            raise unknown_argument(who, name)
        if given[known]:
            raise DTypeError(f"{known} and {name} are one argument", who=who, got=f"{given[known]} and {value}")
        given[known] = value
    return given


def legacy(who: str, size_average: bool | None, reduce: bool | None, reduction: str = "mean") -> str:
    """What size_average and reduce, PyTorch's older names for the reduction, ask for; `reduction`
    where neither is given.
    """
    for name, value in (("size_average", size_average), ("reduce", reduce)):
        if not isinstance(value, (bool, int, type(None))):
            raise DTypeError(who=who, expected=f"{name} as a bool or None", got=repr(value),
                             hint=f"Did you mean reduction={value!r}?" if isinstance(value, str) else "")
    if size_average is None and reduce is None:
        return reduction
    return "none" if reduce is not None and not reduce else "mean" if size_average in (None, True) else "sum"


def at_least_zero(who: str, eps: Any) -> float:
    """The number under a root beside a variance: below 0 the root need not exist."""
    value = float(eps)
    if not value >= 0:
        raise RangeError(who=who, expected="eps >= 0", got=eps)
    if value > MOST_EPS:
        raise RangeError(who=who, expected=f"eps <= {MOST_EPS:g}: with more, results are 0", got=eps)
    return value


def need_native(who: str, **arrays: Any) -> None:
    """Floats must be float32 or float64 of this machine; what else there is stays as it is."""
    for name, a in arrays.items():
        if a.dtype.kind == "f" and a.dtype not in FLOATS:
            raise_for_float(who, {name: a})


def need_float(who: str, **arrays: Any) -> None:
    """Every named array (None is let through) must be float32 or float64, and all of one type."""
    first: Any = None
    for a in arrays.values():                       # the common case, quickly
        if a is not None:
            dtype: Any = a.dtype if a.__class__ is np.ndarray else False
            if dtype is not first:
                if first is not None or (dtype is not _FLOAT32 and dtype is not _FLOAT64):
                    break
                first = dtype
    else:
        return
    raise_for_float(who, arrays)


def need_integers(who: str, **arrays: Any) -> None:
    """Every named array (None is let through) must be of integers."""
    for name, a in arrays.items():
        need_array(who, **{name: a})
        if a is not None and a.dtype.kind not in "iu":
            raise DTypeError(who=who, expected=f"{name} of an integer dtype", got=str(a.dtype),
                             hint="Convert it with .long().")


def need_constants(who: str, **tensors: Any) -> None:
    """No named tensor (None is let through) may require a gradient: none is computed for it."""
    for name, t in tensors.items():
        if getattr(t, "requires_grad", False):
            raise GraphError(f"{name} is a constant here, and gets no gradient", who=who,
                             hint=f"Pass {name}.detach().")


def need_rank(who: str, name: str, a: np.ndarray, shape: str, rank: int, hint: str = "") -> None:
    """`a` must have `rank` dimensions; `shape` says what they mean, like "(N, C, H, W)"."""
    if a.ndim != rank:
        raise ShapeError(who=who, expected=f"{name} of shape {shape}", got=a.shape, hint=hint)


def need_room(who: str, shape: Sequence[int], itemsize: int) -> None:
    """A result of this shape must be one that some computer's memory could hold."""
    if math.prod(shape) * itemsize > LARGEST:
        sizes = ", ".join(str(n) if n < 2**64 else "more than 2**64" for n in shape)
        raise ShapeError("the result would be larger than any memory", who=who, got=f"shape ({sizes})")


def pair(who: str, name: str, value: Any, low: float) -> tuple[int, int]:
    """An int for both directions, or a pair (vertical, horizontal); each at least `low`."""
    if value.__class__ is int:                      # the common cases, quickly
        if value >= low:
            return value, value
    elif value.__class__ is tuple and len(value) == 2:
        if value[0].__class__ is int is value[1].__class__ and value[0] >= low <= value[1]:
            return value
    if isinstance(value, (tuple, list)):
        if len(value) == 1:
            value = (value[0], value[0])
        if len(value) != 2:
            raise ShapeError(who=who, expected=f"{name} as an int or a pair of int", got=value)
        a, b = value
    else:
        a = b = value
    a, b = (whole(who, f"{name} as an int or a pair of int", n) for n in (a, b))
    if a < low or b < low:
        raise ShapeError(who=who, expected=f"{name} >= {low}", got=value)
    return a, b


def single(who: str, name: str, value: Any, low: float) -> int:
    """An int, or a tuple of one; at least `low`."""
    if isinstance(value, (tuple, list)) and len(value) == 1:
        value = value[0]
    number = whole(who, f"{name} as an int", value)
    if number < low:
        raise ShapeError(who=who, expected=f"{name} >= {low}", got=value)
    return number


# ---- types ---------------------------------------------------------------------------------------
def common_dtype(who: str, *operands: Any) -> np.dtype:
    """The type that PyTorch computes in: tensors with dimensions decide; those without, and after
    them numbers, count only where they are of a higher kind (bool < integer < float). DTypeError
    for uint64 with a signed type.
    """
    arrays = [x for x in operands if isinstance(x, np.ndarray)]
    numbers = [type_of_number(x) for x in operands if not isinstance(x, np.ndarray)]
    best: np.dtype | None = None
    for dtypes in ([a.dtype for a in arrays if a.ndim], [a.dtype for a in arrays if not a.ndim], numbers):
        for d in dtypes:
            if d.kind not in _RANKS:
                raise DTypeError(who=who, expected="numbers or booleans", got=str(d))
        if dtypes:
            here = np.result_type(*([d for d in dtypes if d.kind == "f"] or dtypes))
            if here.kind == "f" and all(d.kind != "f" for d in dtypes):
                raise DTypeError("uint64 and a signed type have no integer type in common", who=who,
                                 got=" and ".join(map(str, dtypes)), hint="Convert one of them with .long().")
            if best is None or _RANKS[here.kind] > _RANKS[best.kind]:
                best = here
    assert best is not None
    return best


def type_of_number(x: Any) -> np.dtype:
    """The type that a Python number would have as a tensor."""
    if isinstance(x, (bool, np.bool_)):
        return np.dtype(np.bool_)
    return np.dtype(np.int64) if isinstance(x, (int, np.integer)) else _FLOAT32


# ---- what the functions share --------------------------------------------------------------------
def raise_for_float(who: str, arrays: dict[str, Any]) -> None:
    """Raise the error of the first array that is not as need_float wants it."""
    first = None
    for name, a in arrays.items():
        if a is None:
            continue
        if not isinstance(a, np.ndarray):
            need_array(who, **{name: a})
        dtype = a.dtype
        if dtype not in FLOATS:
            raise DTypeError(who=who, expected=f"{name} of dtype float32 or float64", got=str(dtype),
                             hint="Pictures hold 0 to 255: x.float() / 255." if dtype == np.uint8 else
                             "Convert it, for example with .float().")
        if first is None:
            first = (name, dtype)
        elif dtype != first[1]:
            raise DTypeError(f"{first[0]} is {first[1]} but {name} is {dtype}", who=who,
                             hint="Convert one of them: x.to(dtype) or model.to(dtype).")


def unknown_argument(who: str, name: str) -> DTypeError:
    """The error for a name that a function which takes NumPy's does not know."""
    from ..names import wrong_argument
    parameters = signature(getattr(sys.modules["fastnn.functional"], who)).parameters
    return wrong_argument(who, name, [known for known, p in parameters.items() if p.kind is not p.VAR_KEYWORD])
