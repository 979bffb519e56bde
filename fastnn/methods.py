"""The operators and methods of Tensor, each one line that calls the function of the same name in nn.functional."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import functional as F
else:
    F = None                                        # set by fastnn/__init__.py once the functions exist


def plain_index(key: Any) -> Any:
    """An index with every tensor in it replaced by its array."""
    if isinstance(key, tuple):
        return tuple(plain_index(k) for k in key)
    return getattr(key, "_data", key)


class TensorMethods:
    """Mixed into Tensor; knows no mathematics."""

    __slots__ = ()
