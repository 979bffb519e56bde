"""The tape: how gradients are computed. It knows no op by name.

Each op that runs on a tensor that requires a gradient leaves a Node: the op's backward, what its
forward saved, and where its inputs came from. `backward` walks the nodes from the newest to the
oldest, each once, when its upstream gradient is complete: for y = f(x) it asks f for

    dx = backward(dy, saved)          the vector-Jacobian product  dy^T (df/dx)

and adds dx to what x has already. There is no recursion, so a graph 100,000 ops deep is no trouble;
and each node lets go of what it saved as soon as it has been used.
"""

from __future__ import annotations

import itertools
import math
import sys
import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from ..errors import DTypeError, GraphError, NonFiniteError, ShapeError
from ..kernels import compiled, kernel
from ..op import ACTIVE, PLACES, Op
from ..tensor import Tensor, tensor

__all__ = ["Function", "add_hook", "apply", "backward", "detect_anomaly", "enable_grad", "grad", "is_grad_enabled",
           "no_grad", "set_grad_enabled"]


class _State(threading.local):
    enabled = True                                  # does the tape record in this thread?
    anomaly = False                                 # detect_anomaly()


_state = _State()
# has any thread ever asked for detect_anomaly()? Looking into _state costs more
_anomalies = False
_order = itertools.count()
_ndarray = np.ndarray
_add, _add_to = kernel("add_forward"), kernel("add_to")


class Node:
    """One op that ran: what its backward needs, and who its parents are.

    backward    the op's, with `takes_needs`: whether it wants to know which gradients are wanted
    parents     one entry per input: a leaf Tensor, a pair (Node, which output), or None where no
                gradient is wanted
    versions    (counter of changes in place, its value, id of the array) of each input that is a
                tensor
    outputs     (shape, dtype) of each output
    order       its age: nodes are numbered as they are made
    extras      hooks, tensors that keep their gradient, checksums; None on nearly every node
    """

    __slots__ = ("__weakref__", "attrs", "backward", "extras", "name", "order", "outputs", "parents", "saved",
                 "takes_needs", "tuple_output", "versions")

    def __init__(self, name: str, backward: Callable[..., Any], takes_needs: bool, saved: Any, attrs: dict[str, Any],
                 parents: Sequence[Any], versions: Sequence[tuple[list[int], int, int]],
                 outputs: Sequence[tuple[tuple[int, ...], np.dtype]], tuple_output: bool):
        self.name = name
        self.backward: Callable[..., Any] | None = backward
        self.takes_needs = takes_needs
        self.saved = saved
        self.attrs = attrs
        self.parents = parents
        self.versions = versions
        self.outputs = outputs
        self.tuple_output = tuple_output
        self.order = next(_order)
        self.extras: _Extras | None = None

    def __lt__(self, other: Node) -> bool:         # heapq pops the newest first
        return self.order > other.order

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def more(self) -> _Extras:
        """The extras, made when first needed."""
        if self.extras is None:
            self.extras = _Extras()
        return self.extras

    def retain(self, t: Tensor) -> None:
        self.more().kept[t.index] = t

    def release(self) -> None:
        """Let go of everything that a second backward would need."""
        self.backward = None
        self.saved = None
        self.parents = self.versions = ()

    def check_saved(self) -> None:
        """Raise GraphError if backward cannot run: it did already, or what forward saved is no
        longer what it was.
        """
        if self.backward is None:
            raise GraphError("backward was called a second time through a graph that was already used and freed",
                             who=self.name,
                             hint="Call backward(retain_graph=True) the first time, or compute the loss again.")
        for version, count, array in self.versions:
            if version[0] != count and any(id(a) == array for a in _flat(self.saved)):
                raise GraphError("an array that this op saved for backward has been changed in place since",
                                 who=self.name, hint="Change a copy, or make the change after backward().")
        if self.extras is not None and self.extras.checksums is not None and self.extras.checksums != _checksums(self.saved):
            raise GraphError("an array that this op saved for backward has been changed through NumPy since",
                             who=self.name, hint="Change a copy, or make the change after backward().")

    def run(self, grads: dict[int, np.ndarray]) -> Sequence[np.ndarray | None]:
        """Gradients of the inputs from gradients of the outputs."""
        self.check_saved()
        assert self.backward is not None
        dy: Any = tuple([grads.get(i) for i in range(len(self.outputs))]) if self.tuple_output else grads[0]
        if self.takes_needs:
            result = self.backward(dy, self.saved, needs=tuple([p is not None for p in self.parents]), **self.attrs)
        else:
            result = self.backward(dy, self.saved, **self.attrs)
        if result.__class__ is not tuple and not isinstance(result, (tuple, list)):
            result = (result,)
        if len(result) != len(self.parents):
            raise GraphError("backward must return one gradient per input", who=self.name, expected=len(self.parents),
                             got=len(result))
        return result


class _Extras:
    """What few nodes have."""

    def __init__(self) -> None:
        self.hooks: dict[int, list[Callable[[Tensor], Any]]] = {}
        self.kept: dict[int, Tensor] = {}
        self.checksums: list[int] | None = None


def _flat(saved: Any) -> Iterable[Any]:
    if isinstance(saved, (tuple, list)):
        for item in saved:
            yield from _flat(item)
    elif isinstance(saved, np.ndarray):
        yield saved


def _checksums(saved: Any) -> list[int]:
    return [zlib.crc32(np.ascontiguousarray(a).tobytes()) for a in _flat(saved)]


def apply(op: Op, *inputs: Any, **attrs: Any) -> Any:
    """Run `op` on tensors (or arrays, scalars, None) and leave a node on the tape if a gradient
    will be wanted.

    This is the whole rule, the same for every op. Returns a Tensor, or a tuple of them. Where there
    are kernels, what runs is the same rule compiled (kernels/tape.pxi); this is its definition,
    here as `apply_in_python`.
    """
    forward, back, takes_needs, check, fits, takes_save = ACTIVE[op.name]
    arrays = []
    record = False
    for x in inputs:
        if isinstance(x, Tensor):
            arrays.append(x._data)
            if x.requires_grad:
                record = True
        else:
            arrays.append(x)
    if check is not None and (fits is None or not fits(*arrays, **attrs)):
        check(*arrays, **attrs)
    record = record and back is not None and _state.enabled
    y, saved = forward(*arrays, save=False, **attrs) if takes_save and not record else forward(*arrays, **attrs)
    return _wrap(op.name, y, saved, back if record else None, takes_needs, inputs, attrs)


def _wrap(name: str, y: Any, saved: Any, back: Any, takes_needs: bool, inputs: Sequence[Any],
          attrs: dict[str, Any]) -> Any:
    """The tensor, or the tuple of tensors, over what forward returned; on the tape if there is a
    `back` and the tape records.
    """
    many = y.__class__ is tuple
    if _anomalies and _state.anomaly:
        _look_for_nan(name, (*inputs, *attrs.values()), y if many else (y,))
    node = None
    if back is not None and _state.enabled:
        parents: list[Any] = []
        versions = []
        for x in inputs:
            if isinstance(x, Tensor):
                version = x._version
                versions.append((version, version[0], id(x._data)))
                parents.append(None if not x.requires_grad else x if x.node is None else (x.node, x.index))
            else:
                parents.append(None)
        node = Node(name, back, takes_needs, saved, attrs, parents, versions, [(a.shape, a.dtype) for a in y] if many
                    else ((y.shape, y.dtype),), many)
        if _anomalies and _state.anomaly:
            node.more().checksums = _checksums(saved)
    return tuple([_result(a, node, i, inputs) for i, a in enumerate(y)]) if many else _result(y, node, 0, inputs)


def _result(a: np.ndarray, node: Node | None, index: int, inputs: Sequence[Any]) -> Tensor:
    """The tensor over one output."""
    if a.__class__ is not _ndarray:                 # NumPy makes a scalar of an array without dimensions
        a = np.asarray(a)
    t = Tensor(a)
    if node is not None and a.dtype.kind == "f":
        t.node, t.index, t.requires_grad = node, index, True
    base = a.base
    if base is not None and isinstance(base, _ndarray):         # a view: a change of either is a change of both
        for x in inputs:
            if isinstance(x, Tensor) and (x._data is base or x._data.base is base):
                t._version = x._version
                break
    return t


def _look_for_nan(name: str, inputs: Sequence[Any], outputs: Sequence[np.ndarray]) -> None:
    def bad(a: Any) -> bool:
        a = getattr(a, "_data", a)
        if isinstance(a, float):                    # an attribute: masked_fill(x, mask, -inf) is asked for its infinity
            return not math.isfinite(a)
        return isinstance(a, np.ndarray) and a.dtype.kind == "f" and not np.isfinite(a).all()
    if any(map(bad, outputs)) and not any(map(bad, inputs)):
        raise NonFiniteError("made NaN or infinity out of finite inputs", who=name)


# ---- backward ------------------------------------------------------------------------------------
def backward(outputs: Sequence[Tensor], gradients: Sequence[Any] | None = None, retain_graph: bool = False) -> None:
    """Add the gradient of sum_i <gradients[i], outputs[i]> to the `.grad` of every leaf.

    See Tensor.backward.
    """
    leaves: dict[int, list[Any]] = {}
    _walk(outputs, gradients, retain_graph, leaves, None)
    given = _roots(gradients) if gradients else set()           # memory that some leaf, or the caller, has already
    for slot in leaves.values():
        leaf, g = slot
        if leaf.grad is not None:
            slot[1] = None
            _accumulate(leaf, g)
            continue
        root = id(g if g.base is None else g.base)
        if root in given or not g.flags.writeable:
            g = g.copy()
        given.add(root)
        leaf.grad = Tensor(g)


def _roots(gradients: Sequence[Any] | None) -> set[int]:
    """The memory of the gradients that the caller handed in: a leaf must not share it."""
    roots = set()
    for g in gradients or ():
        a = g._data if isinstance(g, Tensor) else g
        if isinstance(a, np.ndarray):
            roots.add(id(a if a.base is None else a.base))
    return roots


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor], grad_outputs: Any = None,
         retain_graph: bool = False, allow_unused: bool = False) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` with respect to `inputs`, returned instead of added to `.grad`.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> nn.autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    """
    outs = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    ins = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    if grad_outputs is not None and isinstance(outputs, Tensor):
        grad_outputs = [grad_outputs]
    leaves: dict[int, list[Any]] = {}
    wanted = {(id(t.node), t.index): None for t in ins if t.node is not None}
    found: dict[tuple[int, int], np.ndarray] = {}
    _walk(outs, grad_outputs, retain_graph, leaves, (wanted, found))
    results: list[Tensor | None] = []
    for t in ins:
        g = leaves[id(t)][1] if id(t) in leaves else found.get((id(t.node), t.index)) if t.node is not None else None
        if g is None and not allow_unused:
            raise GraphError("an input was not used to compute the outputs", who="grad",
                             hint="Pass allow_unused=True to get None for it.")
        results.append(None if g is None else Tensor(g.copy()))
    return tuple(results)


def _plus(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The sum of two gradients, in new memory; large ones by the kernel, on all cores and in
    recycled memory.
    """
    if a.nbytes >= 1 << 16 and _add is not None and a.dtype == b.dtype and a.dtype.kind == "f":
        return _add(a, b)[0]
    return np.asarray(a + b)


def _add_in_place(a: np.ndarray, b: np.ndarray) -> None:
    """a += b."""
    if a.nbytes >= 1 << 16 and _add_to is not None and a.dtype == b.dtype and a.flags.c_contiguous:
        _add_to(a, b)
    else:
        a += b


def _whole(a: np.ndarray) -> bool:
    """Whether `a` has its memory for itself, as far as the array knows: it is no view, and may be
    written.
    """
    return a.flags.writeable and not isinstance(a.base, _ndarray)


def _join(slots: Any, key: int, g: np.ndarray) -> None:
    """Add g to the gradient slots[key]: in place where nobody else holds that array, so that nobody
    can see it change.

    An op may hand the same array to two parents, the caller may keep the gradient that was passed
    in, a hook may have stored its argument, a view refers to its base: each of these is one more
    reference than the two of the slot and of this look at it.
    """
    if sys.getrefcount(slots[key]) == 2 and _whole(slots[key]):
        _add_in_place(slots[key], g)
    else:
        slots[key] = _plus(slots[key], g)


def _arrive_at(parent: Any, key: Any, grads: dict[int, np.ndarray], pending: Any, leaves: Any,
               arrive: Callable[[Any, np.ndarray], None]) -> None:
    """Add dy = grads[0] to the gradient of `parent` at the places x[key], where the op y = x[key]
    took its elements, each once.
    """
    slots, at = (pending.get(parent[0]), parent[1]) if parent.__class__ is tuple else (leaves.get(id(parent)), 1)
    known = slots is not None and (slots.__class__ is list or at in slots)
    if known and sys.getrefcount(slots[at]) == 2 and _whole(slots[at]):
        slots[at][key] += grads[0]
        return
    shape, dtype = parent[0].outputs[parent[1]] if parent.__class__ is tuple else (parent._data.shape,
                                                                                   parent._data.dtype)
    whole = compiled.zeros(shape, dtype) if compiled is not None else np.zeros(shape, dtype)
    whole[key] = grads[0]
    arrive(parent, whole)


def _accumulate(leaf: Tensor, g: np.ndarray) -> None:
    """leaf.grad += g, in place where nobody else holds leaf.grad."""
    assert leaf.grad is not None
    if (sys.getrefcount(leaf.grad) == 2 and sys.getrefcount(leaf.grad._data) == 2 and _whole(leaf.grad._data)
            and leaf.grad._data.shape == g.shape):
        _add_in_place(leaf.grad._data, g)
    else:
        leaf.grad = Tensor(_plus(leaf.grad._data, g))


def _seed(t: Tensor, gradient: Any) -> np.ndarray:
    """The upstream gradient to begin with."""
    if not t.requires_grad:
        raise GraphError("this tensor does not require a gradient and has no history", who="backward",
                         hint="Was it computed under no_grad(), or from tensors without requires_grad=True?")
    if gradient is None:
        if t.numel() != 1:
            raise ShapeError("backward() without a gradient needs a scalar", who="backward", got=f"shape {t.shape}",
                             hint="Reduce it with .sum() or .mean(), or pass a gradient of its shape.")
        return np.ones(t.shape, t.dtype)
    g = np.asarray(gradient, dtype=t.dtype)
    if g.shape != t.shape:
        raise ShapeError("the gradient must have the tensor's shape", who="backward", expected=t.shape, got=g.shape)
    return g


def _walk(outputs: Sequence[Tensor], gradients: Sequence[Any] | None, retain_graph: bool, leaves: dict[int, list[Any]],
          want: Any) -> None:
    """Run the nodes under `outputs`, the newest first. leaves: id(leaf) -> [leaf, its gradient],
    filled here.
    """
    pending: dict[Node, dict[int, np.ndarray]] = {}             # which output of the node: its gradient so far
    queue: list[Node] = []
    anomaly = _state.anomaly

    def arrive(parent: Any, g: np.ndarray) -> None:
        if parent.__class__ is tuple:
            node, index = parent
            slots = pending.get(node)
            if slots is None:
                pending[node] = {index: g}
                heappush(queue, node)
            elif index in slots:
                _join(slots, index, g)
            else:
                slots[index] = g
        else:
            slot = leaves.get(id(parent))
            if slot is None:
                leaves[id(parent)] = [parent, g]
            else:
                _join(slot, 1, g)

    for i, t in enumerate(outputs):
        arrive(t if t.node is None else (t.node, t.index), _seed(t, None if gradients is None else gradients[i]))

    while queue:
        node = heappop(queue)
        grads = pending.pop(node)
        if node.extras is not None:
            _run_hooks(node.extras, grads)
        if want is not None:
            for index, g in grads.items():
                if (id(node), index) in want[0]:
                    want[1][(id(node), index)] = g
        places = PLACES.get(node.backward)          # type: ignore[arg-type]
        if places is not None and not anomaly and (key := places(**node.attrs)) is not None:
            node.check_saved()
            _arrive_at(node.parents[0], key, grads, pending, leaves, arrive)
            if not retain_graph:
                node.release()
            continue
        results = node.run(grads)
        del grads                                   # what was only needed for this node can go, or be written to
        for parent, dx in zip(node.parents, results):
            if parent is None or dx is None:
                continue
            g = dx if dx.__class__ is _ndarray else np.asarray(dx)
            if parent.__class__ is tuple:
                shape, dtype = parent[0].outputs[parent[1]]
            else:
                shape, dtype = parent._data.shape, parent._data.dtype
            if g.shape != shape:
                raise ShapeError("its backward returned a gradient of the wrong shape", who=node.name, expected=shape,
                                 got=g.shape)
            if g.dtype is not dtype:
                g = g.astype(dtype, copy=False)
            if anomaly and not np.isfinite(g).all():
                raise NonFiniteError("its backward made NaN or infinity", who=node.name)
            arrive(parent, g)
        results = dx = g = ()                       # type: ignore[assignment]
        if not retain_graph:
            node.release()

    if _leaf_hooks:
        for key, slot in leaves.items():
            for hook in _leaf_hooks.get(key, {}).values():
                slot[1] = _call_hook(hook, slot[1])


# ---- hooks ---------------------------------------------------------------------------------------
_leaf_hooks: dict[int, dict[int, Callable[[Tensor], Any]]] = {}


def add_hook(t: Tensor, hook: Callable[[Tensor], Any]) -> Callable[[], None]:
    """Tensor.register_hook: see there."""
    if not t.requires_grad:
        raise GraphError("a hook needs a tensor that requires a gradient", who="register_hook")
    if t.node is not None:
        hooks = t.node.more().hooks.setdefault(t.index, [])
        hooks.append(hook)
        return lambda: hooks.remove(hook) if hook in hooks else None
    import weakref
    key, number = id(t), next(_order)
    if key not in _leaf_hooks:
        weakref.finalize(t, _leaf_hooks.pop, key, None)
    _leaf_hooks.setdefault(key, {})[number] = hook
    return lambda: _leaf_hooks.get(key, {}).pop(number, None) and None


def _call_hook(hook: Callable[[Tensor], Any], g: np.ndarray) -> np.ndarray:
    replaced = hook(Tensor(g))
    if replaced is None:
        return g
    new = np.asarray(replaced, dtype=g.dtype)
    if new.shape != g.shape:
        raise ShapeError("a hook must return a gradient of the same shape", who="hook", expected=g.shape, got=new.shape)
    return new


def _run_hooks(extras: _Extras, grads: dict[int, np.ndarray]) -> None:
    for index in list(grads):
        for hook in extras.hooks.get(index, ()):
            grads[index] = _call_hook(hook, grads[index])
        kept = extras.kept.get(index)
        if kept is not None:
            kept.grad = Tensor(grads[index].copy() if kept.grad is None else _plus(kept.grad._data, grads[index]))


# ---- modes ---------------------------------------------------------------------------------------
class set_grad_enabled:
    """Switch the tape on or off in this thread: `with set_grad_enabled(flag):`."""

    def __init__(self, enabled: bool):
        self.enabled = enabled
        self.before: list[bool] = []

    def __enter__(self) -> Any:
        self.before.append(_state.enabled)
        _state.enabled = self.enabled
        return self

    def __exit__(self, *_: object) -> None:
        _state.enabled = self.before.pop()

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        import functools

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with set_grad_enabled(self.enabled):    # a fresh one, so that the function may call itself
                return function(*args, **kwargs)
        return wrapped


class no_grad(set_grad_enabled):
    """Nothing is recorded inside: `with nn.no_grad():`, also as a decorator `@nn.no_grad()`."""

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(set_grad_enabled):
    """Record inside, even within no_grad()."""

    def __init__(self) -> None:
        super().__init__(True)


def is_grad_enabled() -> bool:
    return _state.enabled


class detect_anomaly:
    """Inside, the first op that makes NaN or infinity out of finite inputs raises, in forward and
    in backward, and arrays that the tape saved are checked by checksum for changes made behind its
    back. Slow: for debugging.

    >>> import fastnn as nn
    >>> with nn.autograd.detect_anomaly():
    ...     nn.tensor([0.0]).log()
    Traceback (most recent call last):
        ...
    fastnn.errors.NonFiniteError: log: made NaN or infinity out of finite inputs
    """

    def __enter__(self) -> detect_anomaly:
        global _anomalies
        self.before = _state.anomaly
        _anomalies = _state.anomaly = True
        if compiled is not None:
            compiled.watch_tape()
        return self

    def __exit__(self, *_: object) -> None:
        _state.anomaly = self.before


# ---- a student's own op --------------------------------------------------------------------------
class _Context:
    """What forward leaves for backward."""

    def __init__(self) -> None:
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *arrays: Any) -> None:
        self.saved_tensors = arrays


class Function:
    """Write your own differentiable function: forward and backward on NumPy arrays.

    >>> import numpy as np, fastnn as nn
    >>> class Cube(nn.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         x, = ctx.saved_tensors
    ...         return 3 * x ** 2 * dy
    >>> x = nn.tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor([12.])

    A record (fastnn.op.Op) does more: with samples and a definition it also gets the laws and the
    benchmarks.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("a Function needs a static method forward(ctx, *arrays)")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise TypeError("a Function needs a static method backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *inputs: Any, **kwargs: Any) -> Any:
        ctx = _Context()
        ctx.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in inputs)
        y = cls.forward(ctx, *[x._data if isinstance(x, Tensor) else x for x in inputs], **kwargs)

        def array(a: Any) -> np.ndarray:
            a = np.asarray(a)
            if a.dtype.kind not in "fiub":
                raise DTypeError("forward must return numbers", who=cls.__name__, got=str(a.dtype))
            return a
        y = tuple(map(array, y)) if isinstance(y, tuple) else array(y)

        def back(dy: Any, saved: Any) -> Any:
            result = cls.backward(ctx, *(dy if isinstance(dy, tuple) else (dy,)))
            result = result if isinstance(result, tuple) else (result,)
            return tuple(None if g is None else tensor(g)._data for g in result)
        return _wrap(cls.__name__, y, ctx.saved_tensors, back if any(ctx.needs_input_grad) else None, False, inputs, {})


# ---- the compiled rule ---------------------------------------------------------------------------
apply_in_python = apply
if compiled is not None and getattr(sys, "_is_gil_enabled", lambda: True)():           # it reads slots without locks
    compiled.connect_tape(Tensor, Node, ACTIVE, _state, _order, _wrap)
    apply = compiled.apply
