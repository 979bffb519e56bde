"""Devices: there is one, the CPU. What scripts for PyTorch say about devices is understood, and any
other is refused.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from .errors import AttributeMistake, DTypeError, RangeError
from .guard import named

__all__ = ["CPU", "accelerator", "backends", "cuda", "destination", "device", "on_cpu"]

_OTHERS = ("cuda", "mps", "xpu", "hip", "xla", "meta", "mtia", "privateuseone", "gpu")


class device(str):
    """The device of a tensor, `nn.device("cpu")`; RangeError for any other.

    >>> import fastnn as nn
    >>> device = nn.device("cuda" if nn.cuda.is_available() else "cpu")
    >>> nn.ones(2, device=device).to(device).device
    device(type='cpu')
    """

    __slots__ = ()
    type = "cpu"
    # PyTorch's name; the method of str is not used
    index: Any = None

    @named
    def __new__(cls, type: Any, index: Any = None) -> device:
        on_cpu("device", type)
        if index not in (None, 0):
            raise RangeError(who="device", expected="index 0: there is one CPU", got=index)
        return super().__new__(cls, "cpu")

    def __repr__(self) -> str:
        return "device(type='cpu')"


def on_cpu(who: str, device: Any, pin_memory: Any = False) -> None:
    """RangeError unless the device is the CPU, or None, which says nothing; and for memory that is
    pinned for another device.
    """
    if pin_memory:
        raise RangeError(who=who, expected="pin_memory=False", got=pin_memory,
                         hint="It prepares a copy to another device, and fastnn runs on the CPU: leave it out.")
    if device is None or device.__class__ is globals()["device"]:
        return
    kind, colon, index = str(device).partition(":")
    if kind == "cpu" and colon and not index.isdecimal():
        raise RangeError(who=who, expected='device "cpu" or "cpu:0"', got=repr(str(device)))
    if kind != "cpu":
        raise RangeError(who=who, expected='device "cpu"', got=repr(str(device)),
                         hint="fastnn runs on the CPU: leave the device out.")


def destination(who: str, args: tuple[Any, ...], dtype: Any, device: Any) -> Any:
    """The dtype in the arguments of `to`, in any of PyTorch's forms, or None.

    to(dtype), to(device), to(device, dtype), to(other) and what follows them: whether the copy may
    be made later (non_blocking), which says nothing here.
    """
    if args:
        first, rest = args[0], args[1:]
        if hasattr(first, "requires_grad"):         # another tensor, whose dtype is wanted
            dtype = first.dtype
        elif first is None or is_device(first):
            on_cpu(who, first)
            if rest and not isinstance(rest[0], bool):
                dtype, rest = rest[0] if dtype is None else dtype, rest[1:]
        else:
            dtype = first
        if any(not isinstance(flag, (bool, int)) for flag in rest) or len(rest) > 2:
            raise DTypeError(who=who, expected="(dtype), (device), (device, dtype) or (tensor)", got=args)
    on_cpu(who, device)
    return dtype


def is_device(x: Any) -> bool:
    """Whether an argument names a device, of fastnn or of PyTorch: dtypes are words, too."""
    if type(x).__name__ == "device":
        return True
    return isinstance(x, str) and x.partition(":")[0] in ("cpu", *_OTHERS)


CPU = device("cpu")


class Namespace(SimpleNamespace):
    """Functions of one of PyTorch's devices; a name that it does not have is told in our words."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeMistake(f"{self._path} has no attribute {name!r}",
                               find=lambda: "There is the CPU alone: leave it out.")


def _nothing(*args: Any, **kwargs: Any) -> None:
    """There is nothing to wait for, to free or to seed."""


# What scripts ask before they choose a device, and settings that say nothing here.
_none: dict[str, Any] = {"is_available": lambda: False, "device_count": lambda: 0, "synchronize": _nothing}
cuda = Namespace(**_none, _path="nn.cuda", is_initialized=lambda: False, manual_seed=_nothing,
                 manual_seed_all=_nothing, empty_cache=_nothing)
accelerator = Namespace(**_none, _path="nn.accelerator")
backends = Namespace(_path="nn.backends",
                     mps=Namespace(**_none, _path="nn.backends.mps", is_built=lambda: False),
                     cudnn=Namespace(**_none, _path="nn.backends.cudnn", benchmark=False, deterministic=False,
                                     enabled=False))
