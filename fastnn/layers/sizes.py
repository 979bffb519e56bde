"""Checks of what a layer or a network is made with."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..device import on_cpu
from ..errors import DTypeError, RangeError
from ..ops.checks import single
from ..tensor import dtype_of

__all__ = ["need_above", "need_sizes", "parameter_dtype"]


def need_sizes(who: str, low: float = 0, **sizes: Any) -> None:
    """Every named argument must be an int, at least `low`."""
    for name, value in sizes.items():
        if isinstance(value, (tuple, list)):
            raise DTypeError(who=who, expected=f"{name} as an int", got=value)
        single(who, name, value, low)


def need_above(who: str, low: float = 0, **numbers: Any) -> None:
    """Every named number must be above `low`; NaN is not."""
    for name, value in numbers.items():
        if not value > low:
            raise RangeError(who=who, expected=f"{name} above {low}", got=value)


def parameter_dtype(who: str, dtype: Any, device: Any) -> np.dtype:
    """The dtype of a layer's parameters, float32 unless another is given; the device must be the
    CPU.
    """
    on_cpu(who, device)
    return dtype_of(who, np.float32 if dtype is None else dtype)
