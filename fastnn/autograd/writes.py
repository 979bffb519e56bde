"""Writes into a tensor, `buffer[t] = h` and its kin, and how the tape follows them.

A write y = x with x[key] = v happens in x's own memory. Where a gradient will be wanted, x gets a
node, as if an op had made it:

    dx = dy, but 0 at key        what was there before has no influence any more
    dv = dy[key]                 summed over the axes along which v was broadcast

A view has no memory of its own. A write through it is one into its root, the tensor that it looks
into, at the view's window: the places of the root's memory that the view shows. Other views of that
root are then out of date; each is renewed when it is next used.
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DTypeError, GraphError, RangeError, ShapeError
from ..guard import IndexMistake
from . import modes, tape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["leave", "may_write", "renew", "write"]


def write(t: Tensor, who: str, key: Any, value: Any) -> None:
    """t[key] = value in place, on the tape where a gradient will be wanted.

    Parameters
    ----------
    t : Tensor
    who : str
        The method, for errors.
    key : an index of NumPy's, or None for all of t
        All of t takes values of no wider kind only, as copy_ in PyTorch: no fraction is lost.
    value : Tensor, array or number, of a shape that broadcasts

    Raises
    ------
    GraphError, ShapeError, DTypeError
        As Tensor.copy_; then nothing has changed.
    RangeError
        There is no such place, or t's type cannot hold the number.
    """
    given = isinstance(value, tape.Tensor)
    array = value._data if given else value
    if array is None:                               # NumPy would write NaN
        raise DTypeError(who=who, expected="a tensor, an array or a number", got="None")
    root = root_of(t)
    followed = ((root._requires_grad or t.requires_grad or (given and value.requires_grad)) and modes.state.enabled)
    if followed:
        may_write(t, who)
        if t._data.dtype.kind != "f":
            raise GraphError("an array of integers or booleans cannot follow what is written into it", who=who,
                             got=str(t._data.dtype), hint="Write value.detach(), or make the buffer floating-point.")
        window = None if t is root else window_of(t, Root.of(root))
        # then nothing is left of what was there
        all_of_it = t is root and (key is None or key is Ellipsis)
        parents = [None if all_of_it else _history(root), _history(value) if given else None]
    try:
        if key is None:
            np.copyto(t._data, array, casting="same_kind")
        else:
            # one element goes where one number goes, whatever its shape: out[i] = model(x)
            t._data[key] = array.reshape(()) if isinstance(array, np.ndarray) and array.size == 1 else array
    except IndexError as error:
        raise IndexMistake(str(error), who=who, got=f"a tensor of shape {t._data.shape}") from None
    except OverflowError as error:
        raise RangeError(str(error), who=who, expected=f"a number that {t._data.dtype} can hold", got=array) from None
    except ValueError as error:
        if not t._data.flags.writeable:
            raise GraphError("this tensor can only be read", who=who, got=f"shape {t._data.shape}",
                             hint="Its elements may share a place, as expand()'s do: write into t.clone().") from None
        try:
            shape = np.shape(array)
        except ValueError:                          # rows of different lengths
            raise DTypeError(str(error), who=who) from None
        if isinstance(array, (str, bytes)):
            raise DTypeError(str(error), who=who) from None
        if shape == ():                             # NaN among integers
            raise RangeError(str(error), who=who, expected=f"a number that {t._data.dtype} can hold") from None
        try:
            place = t._data[... if key is None else key]
        except IndexError as wrong_place:           # the value, too, does not fit
            raise IndexMistake(str(wrong_place), who=who, got=f"a tensor of shape {t._data.shape}") from None
        raise ShapeError(str(error), who=who, expected=f"what broadcasts to {place.shape}",
                         got=f"shape {shape}") from None
    except TypeError as error:
        raise DTypeError(str(error), who=who) from None
    t._version[0] += 1
    if followed:
        attrs = {"window": window, "key": ... if key is None else key, "shape": np.shape(array)}
        before, index = root.node, root.index
        root.node = tape.Node(who, write_backward, True, (), attrs, parents, (),
                              [(root._data.shape, root._data.dtype)], False)
        root.index, root._requires_grad = 0, True
        if before is not None and before.extras is not None and before.extras.retained.get(index) is root:
            del before.extras.retained[index]       # retain_grad is about what the tensor is now
            root.retain_grad()
        if root is t:
            t._base = None                          # whatever it looked into has other data by now
        if len(root._version) == 1:
            # from now on views ask whether they are up to date
            root._version.append(weakref.ref(root))


def root_of(t: Tensor) -> Tensor:
    """The tensor whose memory t looks into; t itself where its base was given other data since."""
    base = t._base
    return t if base is None or base._version is not t._version else base


def may_write(t: Tensor, who: str) -> Tensor:
    """The root of t; GraphError if the tape records and one of them is a leaf whose gradient is
    wanted.
    """
    root = root_of(t)
    if modes.state.enabled:
        for leaf in (t, root):
            if leaf._requires_grad and leaf.node is None:
                raise GraphError("a leaf that requires a gradient cannot be changed in place while the tape records",
                                 who=who,
                                 hint="Wrap the change in `with nn.no_grad():`, or build a new tensor with nn.where().")
    return root


def renew(t: Any) -> None:
    """Bring the history of a view up to date, if its root was written since it was made."""
    version = t._version if isinstance(t, tape.Tensor) else ()
    if len(version) < 2 or t._base is None or (t._requires_grad and t.node is None):
        return
    last = version[1]
    root: Any = last if isinstance(last, Root) else last()
    if root is None or root.node is None or (root is not last and root_of(t) is not root):
        return
    if t.node is not None and t.node.parents:
        parent = t.node.parents[0]
        if parent.__class__ is tuple and parent[0] is root.node:
            return
    if root is not last:
        root = Root.of(root)
    t.node = tape.Node("view", view_backward, False, (), {"window": window_of(t, root), "shape": root.shape},
                       [(root.node, root.output)], (), [(t._data.shape, t._data.dtype)], False)
    t.index, t._requires_grad = 0, True


def leave(root: Tensor) -> None:
    """`root`, which was written, gets other data: for the views of the old array its version keeps
    the history.
    """
    if root._base is None:
        root._version[1:] = [] if root.node is None else [Root.of(root)]


# ---- windows -------------------------------------------------------------------------------------
class Root(NamedTuple):
    """What the views of a root must know of it: its history, and its array's address, or None where
    that is not contiguous, and shape.
    """

    node: Any
    output: int
    address: int | None
    shape: tuple[int, ...]

    @classmethod
    def of(cls, root: Tensor) -> Root:
        a = root._data
        return cls(root.node, root.index, a.__array_interface__["data"][0] if a.flags.c_contiguous else None, a.shape)


class Window(NamedTuple):
    """Where in a contiguous array a view's elements lie, counted in elements."""

    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]

    def of(self, a: np.ndarray) -> np.ndarray:
        """This window of an array that is contiguous, as the root's is."""
        return np.ndarray(self.shape, a.dtype, a, self.offset * a.itemsize, [s * a.itemsize for s in self.strides])


def window_of(view: Tensor, root: Root) -> Window:
    """Where `view` lies in `root`."""
    a = view._data
    if root.address is None:
        raise GraphError("a write into a view of an array that is not contiguous cannot be followed", who="setitem",
                         hint="Write into the tensor itself, t[key] = value, or make it contiguous first.")
    begin = a.__array_interface__["data"][0] - root.address
    return Window(a.shape, begin // a.itemsize if a.size else 0, tuple([s // a.itemsize for s in a.strides]))


def _history(t: Tensor) -> Any:
    """Where t came from, as a node keeps it of its parents."""
    return None if not t.requires_grad else t if t.node is None else (t.node, t.index)


# ---- gradients -----------------------------------------------------------------------------------
def write_backward(dy: np.ndarray, saved: Any, *, needs: tuple[bool, ...], window: Window | None, key: Any,
                    shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Forward was  y = x; y[key] = v."""
    dx = dv = None
    if needs[1]:
        whole = np.asarray(dy, order="C")
        taken = np.asarray((whole if window is None else window.of(whole))[key])
        if _may_repeat(key):                    # the last write to a place is the one that counts
            number = np.arange(taken.size).reshape(taken.shape)
            last = np.zeros(dy.shape if window is None else window.shape, np.intp)
            last[key] = number
            taken = np.where(last[key] == number, taken, 0)
        dv = _sum_to(taken, shape)
    if needs[0]:
        dx = np.array(dy, order="C")
        (dx if window is None else window.of(dx))[key] = 0
    return dx, dv


def view_backward(dy: np.ndarray, saved: Any, *, window: Window, shape: tuple[int, ...]) -> tuple[Any]:
    """Forward was  y = the window of x."""
    dx = np.zeros(shape, dy.dtype)
    spread = tuple([d for d, (n, stride) in enumerate(zip(window.shape, window.strides)) if n > 1 and stride == 0])
    once = window._replace(shape=tuple([1 if d in spread else n for d, n in enumerate(window.shape)]))
    place = once.of(dx)
    place += dy.sum(axis=spread, keepdims=True) if spread else dy
    return (dx,)


def _may_repeat(key: Any) -> bool:
    """Whether a place may be written twice: only arrays of integers can name one twice."""
    return any(isinstance(k, (list, np.ndarray)) and np.asarray(k).dtype.kind in "iu"
               for k in (key if isinstance(key, tuple) else (key,)))


def _sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum g over the axes along which `shape` was broadcast to its shape."""
    extra = g.ndim - len(shape)
    if extra < 0:                                   # NumPy takes a row (1, n) where n numbers go
        return _sum_to(g, shape[-extra:]).reshape(shape)
    axes = tuple([d for d, n in enumerate(g.shape) if d < extra or shape[d - extra] != n])
    return np.asarray(g.sum(axis=axes, dtype=g.dtype) if axes else g).reshape(shape)
