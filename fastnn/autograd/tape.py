"""The tape: the one rule by which every op runs. It knows no op by name.

`apply(op, *inputs)` runs the op's forward. If an input requires a gradient, it leaves a Node: the
op's backward, what forward saved, and where the inputs came from. Nodes that point to their
parents are the tape; walk.py runs it backwards.

The rule is written twice. Here it is to be read, and runs where there is no compiler; compiled, in
kernels/tape.pxi, it takes half the time. tests/autograd holds the two equal.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError
from ..guard import FOREIGN, refuse
from ..kernels import compiled
from ..op import ACTIVE, Op, Running
from . import modes

if TYPE_CHECKING:
    from ..tensor import Tensor
else:
    Tensor = None                                   # tensor.py hands its class over: connect

__all__ = ["Node", "apply", "apply_in_python", "connect"]

ages = itertools.count()                            # numbers for nodes, as they are made
# brings the history of a view up to date: writes.py hands it over, see connect
renew: Callable[[Any], None] = lambda view: None
# the tensor over a new array: from tensor.py too
wrapped: Callable[[np.ndarray], Any] = lambda array: None
_ndarray = np.ndarray


def apply(op: Op, *inputs: Any, **attrs: Any) -> Any:
    """Run `op` on tensors (or arrays, scalars, None) and leave a node on the tape if a gradient
    will be wanted.

    This is the whole rule, the same for every op: check, forward, and `wrap`, which makes the node.

    Parameters
    ----------
    op : Op
        The record; its row of ACTIVE says what runs.
    inputs : Tensor, array, number or None
        In the order of op.inputs.
    attrs : keyword arguments of forward and backward

    Returns
    -------
    A Tensor, or a tuple of them where forward returns a tuple.

    Raises
    ------
    FastnnError
        What the op's check says about its inputs, before any work is done.

    >>> import fastnn as nn
    >>> x = nn.tensor([-1.0, 2.0], requires_grad=True)
    >>> y = nn.autograd.apply(nn.op.OPS["relu"], x)
    >>> y, y.node.name, y.node.parents[0] is x
    (tensor([0., 2.], grad_fn=<relu>), 'relu', True)
    """
    run = ACTIVE[op.name]
    arrays = []
    record = False
    for x in inputs:
        if isinstance(x, Tensor):
            try:
                if len(x._version) > 1:         # its memory was written on the tape: writes.py
                    renew(x)
                arrays.append(x._data)
                record = record or x.requires_grad
            except AttributeError:
                raise incomplete(x) from None
        else:
            arrays.append(x)
    record = record and run.backward is not None and modes.state.enabled
    if len(arrays) > 1 and (record or (any(map(is_floats, arrays)) and not getattr(run.fits, "reads_once", False))):
        # positions beside floats are used again, unchecked, by kernel and backward: these get a
        # copy, which nobody else can change
        arrays = [a.copy() if is_integers(a) else a for a in arrays]
    left_out = run.check
    try:
        # fits, where an op has it, is a quick yes in place of the check
        if run.check is not None and (run.fits is None or not run.fits(*arrays, **attrs)):
            left_out = None
            run.check(*arrays, **attrs)
        if run.takes_save and not record:
            y, saved = run.forward(*arrays, save=False, **attrs)
        else:
            y, saved = run.forward(*arrays, **attrs)
    except FOREIGN as error:
        refuse(op.name, op.inputs, error, arrays, attrs, left_out)
    return wrap(op.name, y, saved, run.backward if record else None, run.takes_needs, inputs, attrs)


def wrap(name: str, y: Any, saved: Any, backward: Any, takes_needs: bool, inputs: Sequence[Any],
         attrs: dict[str, Any]) -> Any:
    """The tensor, or the tuple of tensors, over what forward returned; on the tape if there is a
    `backward` and the tape records.
    """
    many = y.__class__ is tuple
    if modes.used and modes.state.anomaly:
        modes.look_for_nan(name, (*inputs, *attrs.values()), y if many else (y,))
    node = None
    if backward is not None and modes.state.enabled:
        parents: list[Any] = []
        versions = []
        for x in inputs:
            if isinstance(x, Tensor):
                version = x._version
                versions.append((version, version[0], id(owner(x._data))))
                parents.append(None if not x.requires_grad else x if x.node is None else (x.node, x.index))
            else:
                parents.append(None)
        if many:                # positions that are saved and also returned: a copy, as in apply
            y = tuple([a.copy() if is_integers(a) and any(np.may_share_memory(a, b) for b in modes.flat(saved)) else a
                       for a in y])
        outputs = [(a.shape, a.dtype) for a in y] if many else ((y.shape, y.dtype),)
        node = Node(name, backward, takes_needs, saved, attrs, parents, versions, outputs, many)
        if modes.used and modes.state.anomaly:
            node.more().checksums = modes.checksums(saved)
    results = tuple([_result(a, node, i, inputs) for i, a in enumerate(y)]) if many else (_result(y, node, 0, inputs),)
    if node is not None:
        saved_memory = {id(owner(a)) for a in modes.flat(saved)}
        for t in results:
            # a new counter, [0]: a view has that of its input, which is in `versions` already
            if id(owner(t._data)) in saved_memory and t._version == [0]:
                node.kept = t._version if not many else (*(node.kept or ()), t._version)
    return results if many else results[0]


def _result(a: np.ndarray, node: Node | None, index: int, inputs: Sequence[Any]) -> Tensor:
    """The tensor over one output."""
    if a.__class__ is not _ndarray:         # NumPy makes a scalar of an array without dimensions
        a = np.asarray(a)
    t = wrapped(a)
    if node is not None and a.dtype.kind == "f":
        t.node, t.index, t._requires_grad = node, index, True
    base = a.base
    # a view: a change of either is a change of both
    if base is not None and isinstance(base, _ndarray):
        for x in inputs:
            if isinstance(x, Tensor) and (x._data is base or x._data.base is base):
                t._version = x._version
                root = x if x._base is None else x._base
                # under no_grad() a view keeps no graph alive
                if node is not None or not root.requires_grad:
                    t._base = root
                break
    return t


def owner(a: np.ndarray) -> np.ndarray:
    """The array whose memory `a` shows: itself, or the one that it is a view of."""
    return a.base if isinstance(a.base, _ndarray) else a


def is_integers(a: Any) -> bool:
    """Whether this is an array of integers: positions or labels, where an op takes them."""
    return isinstance(a, _ndarray) and a.dtype.kind in "iu"


def is_floats(a: Any) -> bool:
    return isinstance(a, _ndarray) and a.dtype.kind == "f"


def incomplete(t: Any) -> GraphError:
    """The error for a tensor that lacks fields; a class may have one of its own, `lacking`."""
    if hasattr(type(t), "lacking"):
        told: GraphError = type(t).lacking(t)
        return told
    return GraphError("this tensor lacks its fields", who=type(t).__name__,
                      hint="Its class must call super().__init__(data) before it is used.")


def forms_in_python(saved: Any) -> Any:
    """Where each array in `saved` lies, its type, shape and strides: what nobody may change before
    backward, and what backward's kernels rely on. A view stays as it is when the array that it
    looks into is resized: so where that one lies too, and its size.
    """
    return [(a.__array_interface__["data"][0], a.dtype, a.shape, a.strides,
             owner(a).__array_interface__["data"][0], owner(a).size) for a in modes.flat(saved)]


class Node:
    """One op that ran: what its backward needs, and who its parents are.

    name        the op's
    backward    the op's; None once it has run and let go of everything
    takes_needs whether backward has a keyword `needs`: which inputs' gradients are wanted
    saved       what forward left for backward
    attrs       keyword arguments of forward and backward
    parents     one entry per input: a leaf Tensor, a pair (Node, which output), or None where no
                gradient is wanted
    versions    (counter of changes in place, its value, id of the array that owns the memory) of
                each input that is a tensor
    kept        the counter of the output, or a tuple of those outputs', that was saved; else None
    forms       where the saved arrays lie, and their types and shapes: see forms_in_python
    outputs     (shape, dtype) of each output
    tuple_output whether forward returned a tuple
    order       its number: nodes are counted as they are made, so the newest has the largest
    extras      hooks, tensors that keep their gradient, checksums; None on nearly every node
    """

    __slots__ = ("__weakref__", "attrs", "backward", "extras", "forms", "kept", "name", "order", "outputs", "parents",
                 "saved", "takes_needs", "tuple_output", "versions")

    def __init__(self, name: str, backward: Callable[..., Any], takes_needs: bool, saved: Any, attrs: dict[str, Any],
                 parents: Sequence[Any], versions: Sequence[tuple[list[int], int, int]],
                 outputs: Sequence[tuple[tuple[int, ...], np.dtype]], tuple_output: bool):
        self.name = name
        self.backward: Callable[..., Any] | None = backward
        self.takes_needs = takes_needs
        self.saved: Any = saved
        self.attrs = attrs
        self.parents: Sequence[Any] = parents
        self.versions = versions
        self.outputs = outputs
        self.tuple_output = tuple_output
        self.order = next(ages)
        self.extras: Extras | None = None
        self.forms = forms(saved)
        self.kept: Any = None

    def __lt__(self, other: Node) -> bool:          # heapq pops the newest first
        return self.order > other.order

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def more(self) -> Extras:
        """The extras, made when first needed."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def retain(self, t: Tensor) -> None:
        """Keep the gradient of this output in `t.grad`: see Tensor.retain_grad."""
        self.more().retained[t.index] = t

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
        saved_memory = {id(owner(a)) for a in modes.flat(self.saved)}
        kept = self.kept if self.kept.__class__ is tuple else () if self.kept is None else (self.kept,)
        if (any(version[0] != count and array in saved_memory for version, count, array in self.versions)
                or any(version[0] != 0 for version in kept)):
            raise GraphError("an array that this op saved for backward has been changed in place since",
                             who=self.name, hint="Change a copy, or make the change after backward().")
        if forms(self.saved) != self.forms:
            raise GraphError("an array that this op saved for backward has got another shape, type or memory since",
                             who=self.name, hint="Reshape a copy, or do it after backward().")
        known = self.extras.checksums if self.extras is not None else None
        if known is not None and known != modes.checksums(self.saved):
            raise GraphError("an array that this op saved for backward has been changed through NumPy since",
                             who=self.name, hint="Change a copy, or make the change after backward().")

    def run(self, grads: dict[int, np.ndarray], needs: Sequence[bool] | None = None) -> Sequence[np.ndarray | None]:
        """Gradients of the inputs from gradients of the outputs; of all that have a parent, or of
        those that `needs` tells, and maybe of others.
        """
        if not untouched(self):
            self.check_saved()
        assert self.backward is not None
        dy: Any = tuple([grads.get(i) for i in range(len(self.outputs))]) if self.tuple_output else grads[0]
        if self.takes_needs:
            needs = tuple([p is not None for p in self.parents] if needs is None else needs)
            result = self.backward(dy, self.saved, needs=needs, **self.attrs)
        else:
            result = self.backward(dy, self.saved, **self.attrs)
        if result.__class__ is not tuple and not isinstance(result, (tuple, list)):
            result = (result,)
        if len(result) != len(self.parents):
            raise GraphError("backward must return one gradient per input", who=self.name, expected=len(self.parents),
                             got=len(result))
        return result


class Extras:
    """What few nodes have.

    hooks       which output -> {handle: function of its gradient}
    retained    which output -> the tensor whose `.grad` keeps its gradient (retain_grad)
    checksums   of what forward saved, inside detect_anomaly()
    """

    def __init__(self) -> None:
        self.hooks: dict[int, dict[Any, Callable[[Tensor], Any]]] = {}
        self.retained: dict[int, Tensor] = {}
        self.checksums: list[int] | None = None


# ---- the compiled rule ---------------------------------------------------------------------------
apply_in_python = apply
# The compiled rule reads a tensor's fields without a lock: only where the GIL is one.
_compiled = bool(compiled) and getattr(sys, "_is_gil_enabled", lambda: True)()
forms = forms_in_python
# whether a quick look shows that check_saved would find nothing; here it never tries
untouched: Callable[[Node], bool] = lambda node: False
if _compiled:
    apply, forms, untouched = compiled.apply, compiled.forms, compiled.untouched


def connect(tensor_class: type[Tensor], wrapped: Callable[[np.ndarray], Any], renew: Callable[[Any], None]) -> None:
    """Tell the tape which class it records, what makes one over a new array, and what brings a view
    up to date (writes.py). Called once, by tensor.py: the tape stands below and imports neither.
    """
    globals().update(Tensor=tensor_class, wrapped=wrapped, renew=renew)
    if _compiled:
        compiled.connect_tape(tensor_class, Node, ACTIVE, Running._fields, modes.state, ages, wrap, refuse,
                              incomplete, renew)
