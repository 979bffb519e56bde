"""Buffers, and parameters and buffers whose shape the first forward finds."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import arrays
from .device import destination, on_cpu
from .errors import DTypeError, GraphError
from .guard import named
from .tensor import Parameter, Tensor, dtype_of, need_fractions, shape_of, tensor

__all__ = ["Buffer", "UninitializedBuffer", "UninitializedParameter", "forget_shape", "is_lazy"]


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

    @named
    def __init__(self, data: Any, *, persistent: bool = True) -> None:
        super().__init__(tensor(data))
        self.persistent = bool(persistent)


class _Unshaped:
    """What both share: no shape, and no values.

    Its `_data` is empty, so that whatever would compute with it stumbles, and is told `lacking`.
    Its dtype stands in `_base`, which only views use: a tensor that changes its class to become
    another one (`materialize`) can have no slot of its own.
    """

    __slots__ = ()

    def __init__(self: Any, requires_grad: bool, *, device: Any = None, dtype: Any = None) -> None:
        on_cpu(type(self).__name__, device)
        if not isinstance(requires_grad, (bool, np.bool_)):
            raise DTypeError(who=type(self).__name__, expected="requires_grad as a bool", got=repr(requires_grad))
        dtype = np.dtype(np.float32) if dtype is None else dtype_of(type(self).__name__, dtype)
        Tensor.__init__(self, np.empty(0, dtype), requires_grad)
        self._base = dtype
        del self._data

    @named
    def materialize(self: Any, shape: tuple[int, ...], device: Any = None, dtype: Any = None) -> None:
        """Give it a shape, and with that memory; from now on it is like any other."""
        on_cpu("materialize", device)
        dtype = self._of_dtype("materialize", dtype)
        self.data = arrays.empty(shape_of("materialize", (shape,)), dtype)
        self.__class__ = self._becomes

    @named
    def to(self: Any, *args: Any, dtype: Any = None, device: Any = None, **accepted: Any) -> Any:
        """Itself, from now on of another dtype: there are no values yet."""
        dtype = destination("to", args, dtype, device)
        self._base = self._of_dtype("to", dtype)
        return self

    def _of_dtype(self: Any, who: str, dtype: Any) -> np.dtype:
        """This dtype, or the one that it has; DTypeError if it could have no gradient."""
        found: np.dtype = self._base if dtype is None else dtype_of(who, dtype)
        if self._requires_grad:
            need_fractions(who, found)
        return found

    def detach(self: Any) -> Any:
        """Itself: there are no values yet."""
        return self

    @named
    def requires_grad_(self: Any, requires_grad: bool = True) -> Any:
        """Require a gradient once there is a shape, or not; in place, returns self."""
        if requires_grad:
            need_fractions("requires_grad_", self.dtype)
        self._requires_grad = bool(requires_grad)
        return self

    @staticmethod
    def lacking(t: Any) -> GraphError:
        """The error of what would need the values."""
        return GraphError(f"this {type(t).__name__} has no shape and no values yet", who=type(t).__name__,
                          hint="Call the model once with a batch, model(x): its lazy layers then find their sizes.")

    def numpy(self) -> Any:
        """GraphError: there are no values yet."""
        raise self.lacking(self)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise self.lacking(self)

    @property
    def dtype(self: Any) -> np.dtype:
        """NumPy's type of the elements that there will be."""
        dtype: np.dtype = self._base
        return dtype

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __copy__(self: Any) -> Any:
        return type(self)(self._requires_grad, dtype=self.dtype)

    def __deepcopy__(self: Any, memo: dict[int, Any]) -> Any:
        memo[id(self)] = result = self.__copy__()
        return result

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return _again, (type(self), self._requires_grad, str(self.dtype))


def _again(kind: Any, requires_grad: bool, dtype: str) -> Any:
    """For pickle."""
    return kind(requires_grad, dtype=dtype)


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

    @named
    def __init__(self, requires_grad: bool = True, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__(requires_grad, device=device, dtype=dtype)


class UninitializedBuffer(_Unshaped, Tensor):
    """A buffer whose shape the first forward finds: the statistics of lazy batch norms.

    >>> import fastnn as nn
    >>> nn.LazyBatchNorm1d().running_mean
    <UninitializedBuffer>
    """

    __slots__ = ()
    _becomes = Tensor

    @named
    def __init__(self, requires_grad: bool = False, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__(requires_grad, device=device, dtype=dtype)


def forget_shape(t: Any) -> None:
    """Take back what `materialize` did, where the first call was refused after all."""
    lazy: Any = t                                   # a name without a type: its class changes
    if not is_lazy(t):
        kind, dtype = UninitializedParameter if isinstance(t, Parameter) else UninitializedBuffer, t.dtype
        lazy.__class__, lazy._base = kind, dtype
        del lazy._data


def is_lazy(t: Any) -> bool:
    """Whether a parameter or buffer has no shape yet.

    >>> import fastnn as nn
    >>> [nn.parameters.is_lazy(layer.weight) for layer in (nn.LazyLinear(3), nn.Linear(2, 3))]
    [True, False]
    """
    return isinstance(t, _Unshaped)
