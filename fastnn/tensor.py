"""Tensor: a NumPy array that remembers how it was made.

The array is `t.data`, the gradient `t.grad`, the op that made it `t.node`. Operators and methods
(`+`, `@`, `.sum()`, `.reshape()`) are in methods.py; the tape that they write on is in autograd/
"""

from __future__ import annotations

import copy
import copyreg
import math
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any, overload

import numpy as np

from . import guard
from .arrays import MOST, copied, restore_dtype, with_own_dtype
from .autograd import RemovableHandle, add_hook, backward, leave, may_write, renew, tape, write
from .copies import copy_memory
from .device import CPU, device, on_cpu
from .errors import DTypeError, GraphError, RangeError, ShapeError
from .methods import TensorMethods

# a word for bool that the guard leaves alone: of a size in its place __init__ says more
Truth = bool

__all__ = ["Parameter", "Tensor", "as_tensor", "asarray", "dtype_of", "from_dlpack", "from_numpy", "is_tensor",
           "need_fractions", "number_of", "shape_of", "tensor", "wrapped"]

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
_MOST = float(np.finfo(np.float32).max)
_MOST_DOUBLE = int(np.finfo(np.float64).max)
_new = object.__new__


class Tensor(TensorMethods):
    """An n-dimensional array with a gradient.

    Parameters
    ----------
    data : array-like
        An array or a tensor is wrapped without a copy where its type allows, as by `nn.tensor`.
        Numbers in lists become float32, as in PyTorch; `nn.tensor` keeps integers.
    requires_grad : bool
        Whether backward() should compute a gradient for it. Only for float32 and float64.

    Attributes
    ----------
    data : numpy.ndarray
        The values. Changing them through this array is not seen by the tape; use `t[...] = v`,
        `t.copy_(v)`, `t.zero_()`, which are, or `nn.autograd.detect_anomaly()`, which compares
        checksums.
    grad : Tensor or None
        Filled and added to by backward(), for leaves that require a gradient (and after
        retain_grad()).

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    >>> nn.Tensor([1, 2, 3])
    tensor([1., 2., 3.])
    """

    __slots__ = ("__weakref__", "_base", "_data", "_requires_grad", "_version", "grad", "index", "node")
    __array_priority__ = 1000.0                     # NumPy leaves `array + tensor` to the tensor
    __hash__ = object.__hash__

    _data: np.ndarray
    _requires_grad: bool
    grad: Tensor | None
    node: Any                       # the autograd.Node that made it, None for a leaf
    index: int                      # which of that node's outputs it is
    _version: list[Any]             # counts changes in place; views share the list
    _base: Tensor | None            # the tensor that a view looks into

    @guard.named
    def __init__(self, data: Any = (), requires_grad: Truth = False, *sizes: int) -> None:
        if sizes or not isinstance(requires_grad, (bool, np.bool_)) or type(data) is int:
            given = (data, requires_grad, *sizes) if requires_grad is not False else (data,)
            text = ", ".join(map(guard.described, given))
            raise DTypeError(who=type(self).__name__, expected="one array-like, and requires_grad as a bool",
                             got=f"({text})", hint=f"nn.empty({text}) has this shape, nn.tensor({data}) this value."
                             if all(type(size) is int for size in given) else "")
        kept = isinstance(data, Tensor) or hasattr(data, "__array__") or hasattr(data, "__array_interface__")
        _become(self, tensor(data, None if kept else np.float32), requires_grad)

    # ---- what it is ------------------------------------------------------------------------------
    @property
    def data(self) -> np.ndarray:
        """The array. Assigning another counts as a change in place."""
        try:
            _versions.remember(self._data, self._version)
            return self._data
        except AttributeError:
            raise tape.incomplete(self) from None

    @data.setter
    def data(self, value: Any) -> None:
        given = tensor(value)
        if self._requires_grad:
            need_fractions(type(self).__name__, given.dtype)
        if len(self._version) > 1:
            leave(self)
        self._version[0] += 1                       # who saved the old array sees this
        self._data, self._version, self._base = given._data, given._version, None

    @property
    def shape(self) -> tuple[int, ...]:
        """The size of each dimension."""
        try:
            return self._data.shape
        except AttributeError:
            raise tape.incomplete(self) from None

    @property
    def dtype(self) -> np.dtype:
        """NumPy's type of the elements."""
        try:
            return self._data.dtype
        except AttributeError:
            raise tape.incomplete(self) from None

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        try:
            return self._data.ndim
        except AttributeError:
            raise tape.incomplete(self) from None

    @property
    def device(self) -> device:
        """The CPU: there is no other."""
        return CPU

    @property
    def is_cuda(self) -> bool:
        """False, for scripts that ask."""
        return False

    @property
    def itemsize(self) -> int:
        """The bytes of one element."""
        return self._data.itemsize

    @property
    def nbytes(self) -> int:
        """The bytes of all elements."""
        return self._data.nbytes

    @property
    def requires_grad(self) -> bool:
        """Whether backward() computes a gradient for it, or through it. A view does since its base
        was written with what does.
        """
        if len(self._version) > 1:
            renew(self)
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    @property
    def is_leaf(self) -> bool:
        """Whether no op of the tape made it: gradients end up in leaves."""
        return self.grad_fn is None

    @property
    def grad_fn(self) -> Any:
        """PyTorch's name for `node`."""
        return self.node if self.requires_grad else None

    def dim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    @overload
    def size(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def size(self, dim: int) -> int: ...
    def size(self, dim: int | None = None) -> Any:
        """The shape, or one size of it."""
        try:
            return self._data.shape if dim is None else self._data.shape[dim]
        except (IndexError, TypeError) as error:
            raise guard.refusal("size", error, Tensor.size, (self, dim), {}) from None

    def numel(self) -> int:
        """The number of elements."""
        return self._data.size

    nelement, ndimension = numel, dim

    def element_size(self) -> int:
        """The bytes of one element."""
        return self._data.itemsize

    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...
    def stride(self, dim: int | None = None) -> Any:
        """How many elements apart in memory neighbours along each dimension are, or along one."""
        strides = tuple([step // self._data.itemsize for step in self._data.strides])
        try:
            return strides if dim is None else strides[dim]
        except (IndexError, TypeError) as error:
            raise guard.refusal("stride", error, Tensor.stride, (self, dim), {}) from None

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in row-major order."""
        return self._data.flags.c_contiguous

    def is_floating_point(self) -> bool:
        """Whether the elements are float32 or float64."""
        return self._data.dtype.kind == "f"

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._data.__array_interface__["data"][0])

    def __len__(self) -> int:
        if self._data.ndim == 0:
            raise TypeError("a tensor with no dimensions has no length")
        return self._data.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if self._data.ndim == 0:
            raise TypeError("a tensor with no dimensions cannot be iterated")
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        if self._data.size != 1:
            raise ShapeError("a tensor of several elements is neither true nor false", who="bool",
                             expected="one element", got=f"shape {self.shape}", hint="Use .any() or .all().")
        return bool(self._data.reshape(())[()])

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return self._data.__index__()

    def __contains__(self, value: Any) -> bool:
        value = value._data if isinstance(value, Tensor) else value
        try:
            return bool((self._data == value).any())
        except ValueError:
            raise ShapeError(who="in", expected=f"what broadcasts to {self.shape}",
                             got=guard.described(value)) from None

    def __repr__(self) -> str:
        text = np.array2string(self._data, separator=", ", prefix="tensor(", floatmode="maxprec_equal", precision=4)
        notes = []
        if self._data.dtype not in (np.float32, np.int64, np.bool_):
            notes.append(f"dtype={self._data.dtype}")
        if self._data.size == 0 and self._data.ndim != 1:
            notes.append(f"shape={self._data.shape}")
        if not self.is_leaf:
            notes.append(f"grad_fn=<{self.node.name}>")
        elif self.requires_grad:
            notes.append("requires_grad=True")
        return f"{type(self).__name__.lower()}({', '.join([text, *notes])})"

    def _repr_html_(self) -> str:
        """For notebooks."""
        from .html import tensor_html
        return tensor_html(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if self._data.size == 1 and spec else repr(self)

    # ---- the tape --------------------------------------------------------------------------------
    def backward(self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
                 inputs: Tensor | Sequence[Tensor] | None = None) -> None:
        """Add d(self)/d(leaf) * gradient to the `.grad` of every leaf that self was computed from.

        Parameters
        ----------
        gradient : array-like of self's shape, optional
            The upstream gradient; 1 if self is a scalar.
        retain_graph : bool, optional
            Keep what the tape saved, so that backward can be called again.
        create_graph : bool
            Must be False: `.grad` has no history. `autograd.grad` has this argument.
        inputs : Tensor, or a sequence of them, optional
            Only these get a `.grad`, also where they are results of ops.

        Raises
        ------
        GraphError
            if self needs no gradient, if backward was called already, if a saved array was changed
            in place, or with create_graph.
        ShapeError
            if self is not a scalar and no gradient is given, or its shape differs.
        """
        backward(self, gradient, retain_graph, create_graph, inputs=inputs)

    def detach(self) -> Tensor:
        """The same array without its history: a leaf that shares the memory, and needs no gradient.
        """
        result = wrapped(self._data)
        result._version = self._version
        return result

    def detach_(self) -> Tensor:
        """Forget the history in place, and need no gradient; returns self. GraphError for a view.

        >>> import fastnn as nn
        >>> h = nn.Parameter([1.0]) * 2
        >>> h.detach_().requires_grad
        False
        """
        if self._base is not None:
            raise GraphError("a view cannot forget its history in place", who="detach_", hint="Use detach().")
        self.node, self.index, self._requires_grad = None, 0, False
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Require a gradient from now on, or no longer; in place, returns self.

        Raises
        ------
        GraphError
            self is the result of an op and requires a gradient: use detach().
        DTypeError
            self holds integers or booleans.
        """
        if not self.is_leaf and not requires_grad:
            raise GraphError("the result of an op cannot stop requiring a gradient", who="requires_grad_",
                             hint="Use detach().")
        if requires_grad:
            need_fractions("requires_grad_", self.dtype)
        self._requires_grad = bool(requires_grad)
        return self

    def retain_grad(self) -> None:
        """Keep the gradient of this result of an op in `.grad` too; leaves keep theirs anyway."""
        if not self.is_leaf:
            self.node.retain(self)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call hook(gradient) when the gradient of this tensor is complete; what it returns, if not
        None, replaces the gradient.

        Returns a handle, whose `remove()` takes the hook away. DTypeError if the hook cannot be
        called, GraphError if self requires no gradient.

        >>> import fastnn as nn
        >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
        >>> handle = x.register_hook(lambda g: g * 10)
        >>> x.sum().backward()
        >>> handle.remove()
        >>> x.grad
        tensor([10., 10.])
        """
        return add_hook(self, hook)

    # ---- changes in place: seen by the tape ------------------------------------------------------
    def _before(self) -> Tensor:
        """What this tensor is now, in memory of its own: for an op whose result will be written
        into self, and whose backward needs the old values.
        """
        renew(self)
        result = wrapped(self._data.copy())
        result.node, result.index, result._requires_grad = self.node, self.index, self.requires_grad
        return result

    def _may_change(self, who: str) -> None:
        """GraphError if `who` must not change self in place: it is a leaf that requires a gradient,
        or a view of one, and the tape records.
        """
        may_write(self, who)

    def __setitem__(self, key: Any, value: Any) -> None:
        """self[key] = value, in place. See `copy_`."""
        if key.__class__ is not int and key.__class__ is not slice:
            key = own_index(key)
            check_key("setitem", key)
            first, key = index_steps(key, self._data.ndim)
            if first is not None:
                self[first][key] = value            # the first step is a view
                return
        write(self, "setitem", key, _to_write("setitem", value, self._data.dtype))

    def copy_(self, src: Any, non_blocking: bool = False) -> Tensor:
        """Overwrite the values, broadcasting `src`; returns self. non_blocking says nothing here.

        The tape follows, as it follows `self[key] = src` and every change in place: the gradient
        of what is overwritten is 0, and `src` gets its own.

        Raises
        ------
        GraphError
            self is a leaf that requires a gradient (or a view of one) and the tape records, or it
            holds integers and `src` requires a gradient.
        ShapeError
            `src` does not broadcast to self.
        DTypeError
            `src` is of a wider kind: a fraction cannot go where integers are.

        >>> import fastnn as nn
        >>> w, out = nn.Parameter([2.0]), nn.zeros(3, 1)
        >>> for t in range(3):
        ...     out[t] = w * t
        >>> out.sum().backward(); w.grad
        tensor([3.])
        """
        write(self, "copy_", None, src)
        return self

    def fill_(self, value: Any) -> Tensor:
        """Overwrite every value with this one; returns self. See `copy_`."""
        if not isinstance(value, (Tensor, np.ndarray)):
            value = number_of("fill_", value, self._data.dtype)
        write(self, "fill_", ..., _to_write("fill_", value, self._data.dtype))
        return self

    def zero_(self) -> Tensor:
        """Overwrite every value with 0; returns self. See `copy_`."""
        write(self, "zero_", ..., 0)
        return self

    # ---- NumPy and the others --------------------------------------------------------------------
    def numpy(self) -> np.ndarray:
        """The array itself, no copy. A tensor on the tape must be detached first, as in PyTorch."""
        if self.requires_grad:
            raise GraphError("numpy() on a tensor that requires a gradient would lose its history", who="numpy",
                             hint="Use .detach().numpy().")
        return self.data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """What NumPy's functions ask for: np.exp(t), np.asarray(t). As `numpy`."""
        if self.requires_grad:
            raise GraphError("a function of NumPy on a tensor that requires a gradient would lose its history",
                             who="numpy", hint="Use fastnn's function of that name, or t.detach().")
        if copy is False and dtype is not None and np.dtype(dtype) != self._data.dtype:
            raise ValueError("a copy is needed to change the dtype")
        if copy:
            return np.array(self._data, dtype=dtype)
        return self.data if dtype is None else self._data.astype(dtype, copy=False)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """np.stack([t, t]), np.sum(t, axis=0): NumPy's function on the arrays. As `numpy`, but a
        result without a gradient (np.array_equal, np.argmax) loses no history.
        """
        plain = array_of if function in _WITHOUT_GRADIENT else np.asarray

        def arrays(x: Any) -> Any:
            if isinstance(x, (list, tuple)):
                return type(x)(map(arrays, x)) if type(x) in (list, tuple) else x
            return plain(x) if isinstance(x, Tensor) else x
        return function(*map(arrays, args), **{name: arrays(value) for name, value in kwargs.items()})

    def __dlpack__(self, **kwargs: Any) -> Any:
        if self.requires_grad:
            raise GraphError("a tensor that requires a gradient cannot be exported", who="dlpack",
                             hint="Use .detach().")
        return self._data.__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def item(self) -> Any:
        """The one element as a Python number; ShapeError if there are more or none."""
        if self._data.size != 1:
            raise ShapeError(who="item", expected="one element", got=f"shape {self.shape}")
        return self._data.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._data.tolist()

    # ---- copies ----------------------------------------------------------------------------------
    def __copy__(self) -> Tensor:
        """A tensor over the same array; no gradient and no history, as in PyTorch. The counter of
        changes is one for both, so that the tape sees what is written through either.
        """
        attributes, slots = self._state()
        return _filled(type(self).__new__(type(self)), {**attributes, **slots, "_version": self._version})

    def __reduce_ex__(self, protocol: Any) -> Any:
        """For pickle: the values and a subclass's own attributes; no gradient and no history, as in
        PyTorch. Tensors over one array that are pickled together share it afterwards too.
        """
        attributes, slots = self._state()
        # not in typeshed
        make = copyreg.__newobj__                   # type: ignore[attr-defined]
        return make, (type(self),), (attributes or None, slots)

    def __setstate__(self, state: tuple[dict[str, Any] | None, dict[str, Any]]) -> None:
        _filled(self, {**(state[0] or {}), **state[1]})
        restore_dtype(self._data)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Values, gradient and a subclass's own attributes; GraphError for the result of an op.

        Tensors that share memory and are copied together, a view and its base too, share it
        afterwards, as in PyTorch; a view that is copied alone takes only what it shows.
        """
        if not self.is_leaf:
            raise GraphError("only leaves can be copied", who="deepcopy", hint="Use detach() first.")
        attributes, slots = self._state()
        memo[id(self)] = result = type(self).__new__(type(self))
        copy_memory(self, result, memo)
        del slots["_data"], slots["_version"]
        return _filled(result, copy.deepcopy({**attributes, **slots, "grad": self.grad}, memo))

    def _state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The attributes and the slots, those of subclasses too, without gradient and history."""
        as_usual: Any = super().__reduce_ex__(2)
        attributes, slots = as_usual[2]
        # behind the count of changes, the tape may have noted this very tensor
        version = self._version if len(self._version) == 1 else self._version[:1]
        return attributes or {}, {**slots, "grad": None, "node": None, "index": 0, "_base": None, "_version": version}


def _filled(t: Tensor, values: Mapping[str, Any]) -> Tensor:
    for name, value in values.items():
        setattr(t, name, value)
    return t


_WITHOUT_GRADIENT = {np.all, np.allclose, np.any, np.argmax, np.argmin, np.argsort, np.array_equal, np.array_equiv,
                     np.count_nonzero, np.isclose, np.may_share_memory, np.ndim, np.shape, np.shares_memory, np.size}


def wrapped(array: np.ndarray, requires_grad: bool | None = False) -> Tensor:
    """The tensor over an array that an op of ours has just made and nobody else knows: quicker than
    `Tensor(array)`, which looks at what it is given.
    """
    result: Tensor = _new(Tensor)
    result._requires_grad = False
    if requires_grad:
        need_fractions("tensor", array.dtype)
        result._requires_grad = True
    result._data = with_own_dtype(array)
    result.grad = result.node = result._base = None
    result.index = 0
    result._version = [0]
    return result


def _become(t: Tensor, given: Tensor, requires_grad: bool) -> None:
    """Fill the fields of a new tensor: a leaf over the array of another one, which counts changes
    with it.
    """
    if requires_grad:
        need_fractions(type(t).__name__, given.dtype)
    t._data, t._version, t._requires_grad = given._data, given._version, bool(requires_grad)
    t.grad = t.node = t._base = None
    t.index = 0


def need_fractions(who: str, dtype: np.dtype) -> None:
    """DTypeError unless a tensor of this dtype can have a gradient."""
    if dtype.kind != "f":
        raise DTypeError("only floating-point tensors can have a gradient", who=who, got=str(dtype),
                         hint="Make it float32 or float64.")


tape.connect(Tensor, wrapped, renew)


class Parameter(Tensor):
    """A tensor that a Module owns and an optimiser changes; requires a gradient by default.

    >>> import fastnn as nn
    >>> nn.Parameter([1.0, 2.0])
    parameter([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    @guard.named
    def __init__(self, data: Any, requires_grad: bool = True):
        _become(self, tensor(data), requires_grad)


@guard.named
def tensor(data: Any, dtype: Any = None, requires_grad: bool = False, *, device: Any = None,
           pin_memory: bool = False) -> Tensor:
    """A tensor from anything array-like; an array is wrapped without a copy where its type allows.

    Python floats become float32 and Python integers int64; arrays and tensors keep their dtype,
    except that float16 and long double, which no kernel takes, become float32 and float64. Unlike
    PyTorch's, the result shares memory with an array that is given: copy first if you will change
    it.

    Raises
    ------
    DTypeError
        It holds no real numbers (text, objects, rows of different lengths), a gradient is required
        of integers, or dtype is none of float32, float64, the integer types and bool.
    RangeError
        A Python number that the integer type cannot hold.

    >>> import numpy as np, fastnn as nn
    >>> nn.tensor([[1, 2], [3, 4.5]])
    tensor([[1.0, 2.0],
            [3.0, 4.5]])
    >>> a = np.zeros(3)
    >>> nn.tensor(a).data is a
    True
    """
    if device is not None or pin_memory:
        on_cpu("tensor", device, pin_memory)
    if isinstance(data, Tensor):
        array = data._data
    elif isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        if isinstance(data, np.integer) and dtype is not None:
            number_of("tensor", data, dtype_of("tensor", dtype))
    elif isinstance(data, (list, tuple)) and any(isinstance(item, Tensor) for item in data):
        array = _array([array_of(item) for item in data])
    elif hasattr(data, "__array__") or hasattr(data, "__array_interface__"):
        array = np.asarray(data)
    else:
        array = _array(data)
        if array.dtype == object and array.size and all(isinstance(x, (int, float)) for x in array.flat):
            # Python's integers have no end
            new = dtype_of("tensor", np.int64 if dtype is None else dtype)
            if new.kind != "f" or any(abs(x) > _MOST_DOUBLE for x in array.flat if isinstance(x, int)):
                raise RangeError(f"{new} cannot hold an integer of this size", who="tensor", got=repr(data)[:40])
            array = array.astype(np.float64)
        if array.dtype.kind in "fiu":
            default = np.float32 if array.dtype.kind == "f" else np.int64
            new = dtype_of("tensor", default if dtype is None else dtype)
            if new.kind in "iu" and array.size:   # numbers as Python has them: none may wrap around
                number_of("tensor", array.max().item(), new)
                number_of("tensor", array.min().item(), new)
            array = array if array.dtype == new else copied(array, new)
    if array.dtype.kind not in "fiub":
        got, hint = guard.strange(array if hasattr(data, "__array__") else data) or (str(array.dtype), "")
        raise DTypeError("a tensor holds real numbers, integers or booleans", who="tensor", got=got, hint=hint)
    if dtype is not None:
        new = dtype_of("tensor", dtype)
        array = array if array.dtype == new else copied(array, new)
    elif array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8):
        array = copied(array, np.float32 if array.dtype.itemsize < 4 else np.float64)
    if not array.dtype.isnative:
        array = copied(array, np.dtype(array.dtype.type))
    array = with_own_dtype(array)
    result = wrapped(array, bool(requires_grad))
    if isinstance(data, Tensor) and array is data._data:
        result._version = data._version             # a change of either is a change of both
    elif isinstance(data, np.ndarray):
        result._version = _versions.of(array, result._version)
    return result


@guard.named
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor as it is, with its history; anything else by `tensor`.

    Another dtype is that of `Tensor.to`, through which the gradient passes. Errors: as `tensor`.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> nn.as_tensor(x) is x, nn.as_tensor([1, 2])
    (True, tensor([1, 2]))
    """
    if not isinstance(data, Tensor):
        return tensor(data, dtype, device=device)
    return data if dtype is None and device is None else data.to(dtype=dtype, device=device)


@guard.named
def asarray(data: Any, dtype: Any = None, requires_grad: bool | None = None, *, device: Any = None) -> Tensor:
    """As `as_tensor`, and it says whether the result requires a gradient: None leaves it as it is.

    False gives a tensor over the same memory, without the history.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> nn.asarray(x * 2).requires_grad, nn.asarray(x * 2, requires_grad=False).requires_grad
    (True, False)
    """
    result = as_tensor(data, dtype, device)
    if requires_grad is None or result.requires_grad == requires_grad:
        return result
    return result.requires_grad_() if requires_grad else result.detach()


@guard.named
def is_tensor(obj: Any) -> bool:
    """Whether this is a tensor of fastnn's.

    >>> import numpy as np, fastnn as nn
    >>> nn.is_tensor(nn.ones(2)), nn.is_tensor(np.ones(2))
    (True, False)
    """
    return isinstance(obj, Tensor)


def array_of(x: Any) -> np.ndarray:
    """The array of a tensor, whether it requires a gradient or not; np.asarray of anything else.

    For where the history is not wanted: files, pictures, metrics.
    """
    return x._data if isinstance(x, Tensor) else np.asarray(x)


def _incomplete(x: Any) -> GraphError | None:
    """The error about a tensor without its fields; None of anything else."""
    lacking = isinstance(x, Tensor) and not all(hasattr(x, name) for name in Tensor.__slots__)
    return tape.incomplete(x) if lacking else None


guard.connect(tensor, _incomplete)
for _class in (TensorMethods, Tensor):
    guard.guard_protocols(_class, "data", "shape", "dtype", "ndim")
    guard.guard_methods(_class, *[_name for _name, _method in vars(_class).items()
                                  if isinstance(_method, FunctionType) and not _name.startswith("_")])


def _array(data: Any) -> np.ndarray:
    """np.array, where rows of different lengths are an error of ours."""
    try:
        return np.array(data)
    except (TypeError, ValueError) as error:
        got, hint = guard.strange(data) or (type(data).__name__, "")
        raise DTypeError("a tensor holds rows of one length, of numbers", who="tensor", got=got, hint=hint) from error


@guard.named
def from_numpy(array: np.ndarray) -> Tensor:
    """The tensor over this very array; PyTorch's name for what `tensor` does here anyway.

    >>> import numpy as np, fastnn as nn
    >>> a = np.zeros(2, np.float32)
    >>> t = nn.from_numpy(a)
    >>> a[0] = 1
    >>> t
    tensor([1., 0.])
    """
    return tensor(array)


@guard.guarded
def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor over the memory of another library's array (PyTorch, JAX, CuPy on the CPU); a copy
    only with copy=True.

    >>> import numpy as np, fastnn as nn
    >>> nn.from_dlpack(np.arange(3))
    tensor([0, 1, 2])
    """
    on_cpu("from_dlpack", device)
    result = tensor(np.from_dlpack(ext_tensor))
    if copy:
        return wrapped(result._data.copy())
    if isinstance(ext_tensor, Tensor):
        result._version = ext_tensor._version       # a change of either is a change of both
    elif isinstance(ext_tensor, np.ndarray):
        result._version = _versions.of(ext_tensor, result._version)
    return result


def dtype_of(who: str, dtype: Any) -> np.dtype:
    """NumPy's type for what a caller names so; DTypeError if a tensor cannot have it."""
    try:
        found = np.dtype(dtype)
    except (TypeError, ValueError):
        found = None
    if (dtype is None or found is None or found.kind not in "fiub"
            or (found.kind == "f" and found.itemsize not in (4, 8))):
        known = str(dtype).startswith("torch.") and str(dtype)[6:] in ("float32", "float64", "int32", "int64", "bool")
        hint = f"It is PyTorch's: nn.{str(dtype)[6:]}." if known else ""
        raise DTypeError(who=who, expected="dtype float32, float64, an integer type or bool",
                         got=repr(dtype) if found is None or dtype is None else str(found), hint=hint)
    # in the machine's order of bytes, and NumPy's own object
    return np.dtype(found.str.lstrip("<>"))


def shape_of(who: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that a caller names so, zeros(2, 3) and zeros((2, 3)) alike; ShapeError if no
    tensor can have it.
    """
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = tuple([n if n.__class__ is int else guard.whole(who, "sizes as whole numbers", n) for n in size])
    if any(n < 0 for n in shape):
        raise ShapeError(who=who, expected="sizes as whole numbers of at least 0", got=size)
    if math.prod(shape) > MOST:
        raise ShapeError("the tensor would be larger than any memory", who=who, got=shape)
    return shape


def number_of(who: str, value: Any, dtype: np.dtype) -> Any:
    """The Python number that this one is in a tensor of the dtype, without loss but for fractions
    in integers, which are cut off as in PyTorch.

    Raises
    ------
    RangeError
        The dtype cannot hold it: 300 in uint8, NaN in int64, 1e300 in float32.
    DTypeError
        It is no number.
    """
    given, kind = value, value.__class__
    # the common cases, quickly
    if (kind is float or kind is int) and (dtype is _FLOAT32 or dtype is _FLOAT64):
        if -_MOST < value < _MOST or value in (math.inf, -math.inf):
            return float(value)
    elif kind is int and dtype is _INT64 and -2**63 <= value < 2**63:
        return value
    if isinstance(value, (np.ndarray, np.generic, Tensor)) and np.size(getattr(value, "_data", value)) == 1:
        value = value.item()
    if not isinstance(value, (bool, int, float)):
        raise DTypeError(who=who, expected="a number", got=type(given).__name__)
    if dtype.kind == "b":
        return bool(value)
    if dtype.kind == "f":
        most = float(np.finfo(dtype).max)
        if not -most <= value <= most and (isinstance(value, int) or math.isfinite(value)):
            raise RangeError(f"{dtype} cannot hold this number", who=who, expected=f"at most {most:.4g}", got=given)
        return float(value)
    info = np.iinfo(dtype)
    if not (isinstance(value, int) or math.isfinite(value)) or not info.min <= int(value) <= info.max:
        raise RangeError(f"{dtype} cannot hold this number", who=who, expected=f"{info.min} to {info.max}", got=given,
                         hint="Convert the tensor to another dtype first, for example with .long() or .float().")
    return int(value)


def _to_write(who: str, value: Any, dtype: np.dtype) -> Any:
    """What is written into a tensor of the dtype. One number among integers is what they can hold,
    as a Python number, an array or a tensor alike.
    """
    if dtype.kind not in "iu" or not isinstance(value, (np.generic, np.ndarray, Tensor)) or value.ndim:
        return value
    if value.dtype == dtype or getattr(value, "requires_grad", False):
        return value
    return number_of(who, value, dtype)


class _Versions(dict[int, tuple["weakref.ref[np.ndarray]", list[Any]]]):
    """The counters of changes in place of arrays that were handed out or taken in, id(array) ->
    (the array, its counter): another tensor over the same array shares its counter. An entry goes
    when its array does.
    """

    def remember(self, array: np.ndarray, version: list[Any]) -> None:
        """`array` is handed out, or taken in: who comes with it again gets this counter."""
        key = id(array)
        if key not in self:
            self[key] = weakref.ref(array, lambda _: self.pop(key, None) and None), version

    def of(self, array: np.ndarray, fresh: list[Any]) -> list[Any]:
        """The counter of this array, or of the one that it is a view of; `fresh` for a new one."""
        known = self.get(id(array)) or (self.get(id(array.base)) if isinstance(array.base, np.ndarray) else None)
        if known is None:
            self.remember(array, fresh)
            return fresh
        return known[1]


_versions = _Versions()



def own_index(key: Any) -> Any:
    """An index with every tensor in it replaced by its array, and arrays and lists copied: backward
    uses them again.
    """
    if isinstance(key, tuple):
        return tuple(own_index(list(k) if isinstance(k, tuple) else k) for k in key)
    if isinstance(key, list):
        try:
            positions = np.array(key)
        except ValueError:                          # of different lengths: NumPy says so
            return key
        return positions if positions.size else positions.astype(np.intp)
    key = getattr(key, "_data", key)
    if not isinstance(key, np.ndarray):
        return key
    # a number without dimensions is a number, as in PyTorch: it takes a view
    return int(key) if key.ndim == 0 and key.dtype.kind in "iu" and key.dtype != np.uint8 else key.copy()


def index_steps(key: Any, ndim: int) -> tuple[Any, Any]:
    """(first, then): x[first][then] is what PyTorch makes of x[key], key from `own_index`; first is
    None where x[key] of NumPy is that as well.

    PyTorch takes the numbers first, and the arrays index what is left. For NumPy a number is one
    more array, so it puts the arrays' axes first in x[0, :, i], where they do not stand together.
    """
    def is_array(k: Any) -> bool:
        return isinstance(k, (np.ndarray, bool, np.bool_))
    if key.__class__ is not tuple or not any(map(is_array, key)):
        return None, key
    numbered = any(k is Ellipsis or (isinstance(k, (int, np.integer)) and not is_array(k)) for k in key)
    takes = [k.ndim if isinstance(k, np.ndarray) and k.dtype.kind == "b" else
             0 if k is None or k is Ellipsis or isinstance(k, (bool, np.bool_)) else 1 for k in key]
    picked = [n for n, k in enumerate(key) if is_array(k) or isinstance(k, (int, np.integer))]
    together = picked[-1] - picked[0] == len(picked) - 1
    rest = ndim - sum(takes)
    if together or not numbered or rest < 0 or sum(k is Ellipsis for k in key) > 1:
        return None, key
    first: list[Any] = []
    then: list[Any] = []
    for k, n in zip(key, takes):
        if is_array(k):
            first += [slice(None)] * n
            then.append(k)
        elif k is Ellipsis:
            first += [slice(None)] * rest
            then += [slice(None)] * rest
        else:
            first.append(k)
            if k is None or isinstance(k, slice):
                then.append(slice(None))
    return tuple(first), tuple(then)


def check_key(who: str, key: Any) -> None:
    """DTypeError for an index that `own_index` returned and that is none."""
    for k in key if isinstance(key, tuple) else (key,):
        if isinstance(k, (float, str)) or (isinstance(k, np.ndarray) and k.dtype.kind not in "biu"):
            raise DTypeError("an index is an int, a slice, None, ..., or an array of integers or booleans",
                             who=who, got=getattr(k, "dtype", repr(k) if isinstance(k, str) else type(k).__name__),
                             hint="A tensor has no columns with names: keep them in a dict of tensors."
                             if isinstance(k, str) else "Convert it with .long().")
        if isinstance(k, np.ndarray) and k.dtype == np.uint8:
            raise DTypeError("uint8 as an index is a mask in PyTorch and positions in NumPy", who=who,
                             expected="an array of booleans or of other integers", got=k.dtype,
                             hint="Convert it: with .bool() to a mask, with .long() to positions.")
        if isinstance(k, np.ndarray) and k.dtype == np.uint64 and k.size and k.max() >= 2**63:
            # NumPy would take it as a negative one
            raise guard.IndexMistake(f"index {k.max()} is out of bounds", who=who)
