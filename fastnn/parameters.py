"""Buffers, and parameters and buffers whose shape the first forward finds."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from . import arrays
from .device import on_cpu
from .errors import GraphError
from .tensor import Parameter, Tensor, dtype_of, tensor

__all__ = ["Buffer", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]


class Buffer(Tensor):
    """A tensor that belongs to a module's state but is not trained: assigned to an attribute, it is
    registered as by `register_buffer`.

    >>> import fastnn as nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scale = nn.Buffer(nn.ones(2))
    >>> list(Scale().state_dict()), list(Scale().parameters())
    (['scale'], [])
    """

    __slots__ = ("persistent",)

    persistent: bool                # whether it goes into the state_dict

    def __init__(self, data: Any, *, persistent: bool = True) -> None:
        super().__init__(tensor(data))
        self.persistent = bool(persistent)


class _Unshaped:
    """What both share: no shape, and no values."""

    __slots__ = ()

    def materialize(self: Any, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Give it a shape, and with that memory; from now on it is like any other."""
        on_cpu("materialize", device)
        self.data = arrays.empty(tuple(shape), self.dtype if dtype is None else dtype_of("materialize", dtype))
        self.__class__ = self._becomes

    def detach(self: Any) -> Any:
        """Itself: there are no values yet."""
        return self

    def _unknown(self) -> NoReturn:
        raise GraphError("it has no shape and no values yet", who=type(self).__name__,
                         hint="Call the model once with a batch, model(x): its lazy layers then find their sizes.")

    @property
    def shape(self) -> Any:
        """GraphError: nobody knows it yet."""
        self._unknown()

    @property
    def data(self) -> Any:
        """GraphError: there are no values yet."""
        self._unknown()

    @data.setter
    def data(self, value: Any) -> None:
        setter: Any = Tensor.data
        setter.__set__(self, value)

    def numpy(self) -> Any:
        """GraphError: there are no values yet."""
        self._unknown()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._unknown()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Unshaped, Parameter):
    """A parameter whose shape the first forward finds: of lazy layers.

    >>> import fastnn as nn
    >>> layer = nn.LazyLinear(3)
    >>> layer.weight
    <UninitializedParameter>
    >>> y = layer(nn.zeros(4, 5)); layer.weight.shape
    (3, 5)
    """

    __slots__ = ()
    _becomes = Parameter

    def __init__(self, requires_grad: bool = True, *, device: Any = None, dtype: Any = None) -> None:
        on_cpu(type(self).__name__, device)
        super().__init__(np.empty(0, np.float32 if dtype is None else dtype_of(type(self).__name__, dtype)),
                         requires_grad)


class UninitializedBuffer(_Unshaped, Tensor):
    """A buffer whose shape the first forward finds: the statistics of lazy batch norms.

    >>> import fastnn as nn
    >>> nn.LazyBatchNorm1d().running_mean
    <UninitializedBuffer>
    """

    __slots__ = ()
    _becomes = Tensor

    def __init__(self, requires_grad: bool = False, *, device: Any = None, dtype: Any = None) -> None:
        on_cpu(type(self).__name__, device)
        super().__init__(np.empty(0, np.float32 if dtype is None else dtype_of(type(self).__name__, dtype)),
                         requires_grad)


def is_lazy(t: Any) -> bool:
    """Whether a parameter or buffer has no shape yet.

    >>> import fastnn as nn
    >>> [nn.parameters.is_lazy(layer.weight) for layer in (nn.LazyLinear(3), nn.Linear(2, 3))]
    [True, False]
    """
    return isinstance(t, _Unshaped)
