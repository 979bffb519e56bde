"""backward and grad: the walk over the tape, from the newest node to the oldest.

Each node runs once, when its upstream gradient dy is complete: for y = f(x) it computes

    dx = backward(dy, saved)          the vector-Jacobian product  dy^T (df/dx)

and adds dx to what x has already. There is no recursion, so a graph 100,000 ops deep is no trouble;
and each node lets go of what it saved as soon as it has been used.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, TypeVar, overload

import numpy as np

from ..errors import DTypeError, GraphError, NonFiniteError, RangeError, ShapeError
from ..guard import described, guarded
from ..op import PLACES
from . import modes, tape
from .accumulate import join, join_at, join_leaf, shape_and_dtype
from .hooks import run_hooks, run_leaf_hooks
from .reach import Place, Wanted

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["backward", "grad"]

_ndarray = np.ndarray
Key = TypeVar("Key")


@guarded
def backward(tensors: Tensor | Sequence[Tensor], grad_tensors: Any = None, retain_graph: bool | None = None,
             create_graph: bool = False, grad_variables: Any = None,
             inputs: Tensor | Sequence[Tensor] | dict[Any, Tensor] | None = None) -> None:
    """Add the gradient of sum_i <grad_tensors[i], tensors[i]> to the `.grad` of every leaf.

    Parameters
    ----------
    tensors : Tensor, or a sequence of them
    grad_tensors : array-like, or a sequence of them, optional
        The upstream gradient of each tensor; None stands for 1, where the tensor is a scalar.
    retain_graph : bool, optional
        Keep what the tape saved, so that backward can be called again.
    create_graph : bool
        Must be False: `.grad` has no history. `autograd.grad` has this argument.
    grad_variables : PyTorch's older name for grad_tensors
    inputs : Tensor, a sequence or a dict of them, optional
        Only these get a `.grad`, also where they are results of ops. Only the ops run, and only the
        hooks, that lead to them.

    Raises
    ------
    GraphError, ShapeError
        As Tensor.backward, which calls this with one output.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> nn.autograd.backward([x.sum(), x * 3], [None, [10.0, 0.0]])
    >>> x.grad
    tensor([31.,  1.])
    """
    if create_graph:
        raise GraphError("gradients in .grad have no history", who="backward",
                         hint="nn.autograd.grad(loss, parameters, create_graph=True) returns some that have.")
    if grad_variables is not None:
        if grad_tensors is not None:
            raise GraphError("grad_tensors and grad_variables are one argument", who="backward")
        grad_tensors = grad_variables
    outs, upstream = _with_upstream("backward", tensors, grad_tensors)
    if inputs is None:
        leaves = walk(outs, upstream, bool(retain_graph))
    else:
        leaves = _of_these(outs, upstream, bool(retain_graph), _inputs("backward", inputs))
    # memory that some leaf, or the caller, holds already: no other leaf's `.grad` may share it
    taken = _memory_of(upstream)
    for slot in leaves.values():
        leaf, g = slot
        if leaf.grad is not None:
            slot[1] = None          # so that g can go as soon as it is added
            join_leaf(leaf, g)
            continue
        memory = id(g if g.base is None else g.base)
        if memory in taken or not g.flags.writeable:
            g = g.copy()
        taken.add(memory)
        leaf.grad = tape.wrapped(g)


def _with_upstream(who: str, tensors: Any, gradients: Any) -> tuple[list[Tensor], list[Any]]:
    """The outputs as a list, and the upstream gradient of each, or None."""
    one = isinstance(tensors, tape.Tensor)
    outs: list[Tensor] = [tensors] if one else list(tensors)
    if isinstance(gradients, (list, tuple)):
        # of one output, a list of numbers is its gradient
        if one and not (gradients and (gradients[0] is None or isinstance(gradients[0], (tape.Tensor, _ndarray)))):
            gradients = [gradients]
    elif gradients is None:
        gradients = [None] * len(outs)
    elif isinstance(gradients, (tape.Tensor, _ndarray)) or one:
        gradients = [gradients]
    given = list(gradients)
    if len(given) < len(outs):
        raise ShapeError("there are fewer upstream gradients than outputs", who=who, expected=len(outs),
                         got=len(given), hint="None stands for the 1 of a scalar.")
    return outs, given


def _inputs(who: str, inputs: Any) -> list[Tensor]:
    """The tensors whose gradients are wanted, as a list."""
    ins = [inputs] if isinstance(inputs, tape.Tensor) else \
        list(inputs.values() if isinstance(inputs, dict) else inputs)
    if not ins:
        raise GraphError("there is no tensor in inputs", who=who,
                         hint="Leave it out for all leaves." if who == "backward" else "")
    for t in ins:
        if not isinstance(t, tape.Tensor):
            raise DTypeError(who=who, expected="inputs as tensors", got=described(t))
        if not t.requires_grad:
            raise GraphError("one of inputs requires no gradient", who=who, got=f"shape {t.shape}")
    return ins


def _of_these(outs: list[Tensor], upstream: list[Any], retain_graph: bool, ins: list[Tensor]) -> dict[int, list[Any]]:
    """{id(input): [input, its gradient]} of those inputs that have one and are leaves. A result of
    an op keeps its own on the walk, once, also where retain_grad() was called before.
    """
    for t in ins:
        t.retain_grad()
    gradients = grad(outs, ins, upstream, retain_graph, allow_unused=True)
    return {id(t): [t, g._data] for t, g in zip(ins, gradients) if g is not None and t.is_leaf}


@overload
def grad(outputs: Tensor | Sequence[Tensor], inputs: dict[Key, Tensor], grad_outputs: Any = None,
         retain_graph: bool | None = None, create_graph: bool = False, only_inputs: bool = True,
         allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> dict[Key, Tensor | None]: ...
@overload
def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor], grad_outputs: Any = None,
         retain_graph: bool | None = None, create_graph: bool = False, only_inputs: bool = True,
         allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> tuple[Tensor | None, ...]: ...
@guarded
def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Sequence[Tensor] | dict[Any, Tensor],
         grad_outputs: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
         only_inputs: bool = True, allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> Any:
    """The gradients of `outputs` with respect to `inputs`, returned instead of added to `.grad`.

    Parameters
    ----------
    outputs : Tensor, or a sequence of them
    inputs : Tensor, a sequence or a dict of them
        Leaves or results of ops; of a dict, the result is a dict. Only the ops run, and only the
        hooks, that lead to them.
    grad_outputs : array-like, or a sequence of them, optional
        The upstream gradient of each output; None stands for 1, where the output is a scalar.
    retain_graph : bool, optional
        Keep what the tape saved, so that it can be walked again. With create_graph it is kept.
    create_graph : bool
        Compute the gradients by ops on the tape, so that they can be differentiated in turn: for
        gradient penalties, Hessians, equations of physics. Costs more time and memory than walking.
    only_inputs : must be True; `backward` adds to the `.grad` of all leaves
    allow_unused : bool, optional
        Whether an input that the outputs do not depend on gives None instead of an error.
    is_grads_batched : bool
        The first dimension of grad_outputs counts upstream gradients, and that of the results too.
        They are walked one after the other, so that a hook runs once for each, on its gradient.
    materialize_grads : bool
        Zeros in the place of None.

    Raises
    ------
    RangeError
        only_inputs=False, or materialize_grads with allow_unused=False.
    GraphError
        An input was not used or requires no gradient, there is none, an output has no history, or
        the graph was used and freed before.
        With create_graph also where an op has no gradient on the tape: recurrent layers, cumprod,
        prod, scatter_reduce, attention with dropout, writes, and functions of your own.
    ShapeError
        An output is not a scalar and has no upstream gradient, or one of another shape, or there
        are fewer of these than outputs.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0, 2.0], requires_grad=True)
    >>> nn.autograd.grad((x * x).sum(), x)
    (tensor([2., 4.]),)
    >>> slope, = nn.autograd.grad((x**3).sum(), x, create_graph=True)
    >>> nn.autograd.grad(slope.sum(), x)                        # 6 x
    (tensor([ 6., 12.]),)
    """
    if isinstance(inputs, dict):
        return dict(zip(inputs, grad(outputs, list(inputs.values()), grad_outputs, retain_graph, create_graph,
                                     only_inputs, allow_unused, is_grads_batched, materialize_grads)))
    outs, upstream = _with_upstream("grad", outputs, grad_outputs)
    ins = _inputs("grad", inputs)
    if not only_inputs:
        raise RangeError(who="grad", expected="only_inputs=True", got=only_inputs,
                         hint="nn.autograd.backward adds to the .grad of all leaves.")
    if materialize_grads and allow_unused is False:
        raise RangeError("zeros in the place of None need allow_unused", who="grad",
                         expected="allow_unused=True, or left out, with materialize_grads=True", got=allow_unused)
    found: list[Any]
    if is_grads_batched:
        return _batched(outs, ins, upstream, retain_graph=bool(retain_graph), create_graph=create_graph,
                        allow_unused=allow_unused, materialize_grads=materialize_grads)
    if create_graph:
        from . import twice  # few need it, and it costs import time
        found = twice.gradients(outs, [_upstream_on_tape(t, g) for t, g in zip(outs, upstream)], ins)
    else:
        between: dict[Place, np.ndarray] = {}
        leaves = walk(outs, upstream, bool(retain_graph), Wanted(outs, ins), between)
        arrays = [leaves[id(t)][1] if id(t) in leaves else between.get((id(t.node), t.index)) for t in ins]
        found = [None if g is None else tape.wrapped(g.copy()) for g in arrays]
    if materialize_grads:
        found = [tape.wrapped(np.zeros_like(t._data)).requires_grad_(create_graph) if g is None else g
                 for t, g in zip(ins, found)]
    if not allow_unused and any(g is None for g in found):
        raise GraphError("an input was not used to compute the outputs, or a backward returned None for it",
                         who="grad", hint="Pass allow_unused=True to get None for it.")
    return tuple(found)


def _batched(outs: list[Tensor], ins: list[Tensor], upstream: list[Any], retain_graph: bool,
             **options: Any) -> tuple[Tensor | None, ...]:
    """`grad` for each of the upstream gradients that the first dimension counts, stacked."""
    given = [x for x in upstream if x is not None]
    lengths = {np.shape(getattr(x, "_data", x))[:1] for x in given}
    if len(lengths) != 1 or lengths == {()} or lengths == {(0,)}:
        raise ShapeError(who="grad", expected="grad_outputs whose first dimension counts gradients",
                         got=[np.shape(getattr(x, "_data", x)) for x in given])
    (count,), = lengths
    rows = [grad(outs, ins, [None if x is None else x[i] for x in upstream],
                 retain_graph or i < count - 1, **options) for i in range(count)]
    from . import twice
    stack: Any = twice.load().functions.stack
    return tuple([None if column[0] is None else stack(column) for column in zip(*rows)])


def walk(outputs: Sequence[Tensor], gradients: Sequence[Any], retain_graph: bool, wanted: Wanted | None = None,
         between: dict[Place, np.ndarray] | None = None) -> dict[int, list[Any]]:
    """Run the nodes under `outputs`, the newest first.

    wanted: only those nodes run that lead to these; without it, all. between: gets the gradients of
    those that are results of ops.

    Returns {id(leaf): [leaf, its gradient]}.
    """
    leaves: dict[int, list[Any]] = {}
    # Node -> {which output: its gradient so far}
    pending: dict[tape.Node, dict[int, np.ndarray]] = {}
    # A heap of the nodes in `pending`. All that uses a node's outputs is newer and runs first, so
    # the newest has got all of its dy.
    queue: list[tape.Node] = []
    anomaly = modes.state.anomaly

    def arrive(parent: Any, g: np.ndarray) -> None:
        """Add g to the gradient of a leaf or of (Node, which output)."""
        if parent.__class__ is tuple:
            node, index = parent
            slots = pending.get(node)
            if slots is None:
                pending[node] = {index: g}
                heappush(queue, node)
            elif index in slots:
                join(slots, index, g)
            else:
                slots[index] = g
        else:
            slot = leaves.get(id(parent))
            if slot is None:
                leaves[id(parent)] = [parent, g]
            else:
                join(slot, 1, g)

    for t, gradient in zip(outputs, gradients):
        parent = t if t.is_leaf else (t.node, t.index)
        if wanted is None or wanted.has(parent):
            arrive(parent, _upstream(t, gradient))
        else:
            _upstream(t, gradient)                  # it must be right all the same

    needs: Sequence[bool] | None = None
    while queue:
        node = heappop(queue)
        grads = pending.pop(node)
        if node.extras is not None:
            run_hooks(node.extras, grads)
        if wanted is not None and between is not None:
            for index in grads:
                if (id(node), index) in wanted.places:
                    between[id(node), index] = grads[index]
            needs = wanted.needs(node)
            if not any(needs):                      # it made one, and leads to no other
                continue
        # An op y = x[key] has `places`, which tells the key. Its dy is added to dx at these places,
        # and no dx of zeros with a few numbers is made. (None, of a freed node, is not in PLACES.)
        places = PLACES.get(node.backward)          # type: ignore[arg-type]
        if places is not None and not anomaly and (key := places(**node.attrs)) is not None:
            if not tape.untouched(node):
                node.check_saved()
            saved: Any = node.saved     # of such an op: first the shape of x
            if shape_and_dtype(node.parents[0])[0] != saved[0]:
                raise GraphError("the array of an input has got another shape since", who=node.name,
                                 expected=saved[0], got=shape_and_dtype(node.parents[0])[0],
                                 hint="Reshape a copy.")
            join_at(node.parents[0], key, grads[0], pending, leaves, arrive)
        else:
            results = node.run(grads, needs)
            # join adds in place only where nobody else holds an array: keep no reference here
            del grads
            if needs is not None:
                results = [dx if need else None for need, dx in zip(needs, results)]
            for parent, dx in zip(node.parents, results):
                if parent is not None and dx is not None:
                    arrive(parent, _checked(node, parent, dx, anomaly))
            # nor here; of another type
            results = dx = ()                       # type: ignore[assignment]
        if not retain_graph:
            node.release()

    run_leaf_hooks(leaves)
    return leaves


def _checked(node: tape.Node, parent: Any, dx: Any, anomaly: bool) -> np.ndarray:
    """dx as an array of the shape and dtype of the parent that it is the gradient of."""
    g = dx if dx.__class__ is _ndarray else np.asarray(dx)
    shape, dtype = shape_and_dtype(parent)
    if g.shape != shape:
        raise ShapeError("its backward returned a gradient of the wrong shape", who=node.name, expected=shape,
                         got=g.shape)
    if g.dtype is not dtype:
        if dtype.kind != "f":
            raise GraphError("the array of an input has got another type since", who=node.name, expected=str(g.dtype),
                             got=str(dtype), hint="Convert a copy.")
        with np.errstate(over="ignore", invalid="ignore"):
            g = g.astype(dtype, copy=False)
    if anomaly and not np.isfinite(g).all():
        raise NonFiniteError("its backward made NaN or infinity", who=node.name)
    return g


def _upstream(t: Tensor, gradient: Any) -> np.ndarray:
    """The gradient of an output, to begin with."""
    if not t.requires_grad:
        raise GraphError("this tensor does not require a gradient and has no history", who="backward",
                         hint="Was it computed under no_grad(), or from tensors without requires_grad=True, as the "
                         "parameters of a frozen model are?")
    a = t._data
    if t.node is not None and (a.shape, a.dtype) != t.node.outputs[t.index]:
        raise GraphError("its array has got another shape or type since", who=t.node.name,
                         expected=t.node.outputs[t.index], got=(a.shape, a.dtype), hint="Reshape a copy.")
    if gradient is None:
        if t.numel() != 1:
            raise ShapeError("backward() without a gradient needs a scalar", who="backward", got=f"shape {t.shape}",
                             hint="Reduce it with .sum() or .mean(), or pass a gradient of its shape.")
        return np.ones(t.shape, t.dtype)
    given = gradient._data if isinstance(gradient, tape.Tensor) else gradient
    g = np.asarray(given, dtype=t.dtype)
    if g.shape != t.shape:
        raise ShapeError("the gradient must have the tensor's shape", who="backward", expected=t.shape, got=g.shape)
    return g


def _upstream_on_tape(t: Tensor, gradient: Any) -> Tensor:
    """The same as a tensor; one that has a history keeps it."""
    a = _upstream(t, gradient)
    return gradient if isinstance(gradient, tape.Tensor) and gradient._data is a else tape.Tensor(a)


def _memory_of(gradients: Sequence[Any]) -> set[int]:
    """The memory of the gradients that the caller handed in: a leaf must not share it."""
    taken = set()
    for g in gradients:
        a = g._data if isinstance(g, tape.Tensor) else g
        if isinstance(a, np.ndarray):
            taken.add(id(a if a.base is None else a.base))
    return taken
