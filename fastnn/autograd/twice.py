"""Gradients that are on the tape themselves: grad(..., create_graph=True).

The walk is that of walk.py, with tensors for arrays: each dx is computed by ops, which leave nodes
too. So a gradient can be differentiated, and that one's gradient again. How an op's dx is computed
depends on what kind of function the op is.

    linear     y = L x, or bilinear, L(x, w) that is linear in x and in w, as convolution is. Then
               dx = L^T dy, whose own gradients need nothing but L and L^T: class Transposed
    a slope    dx = f'(x) dy, a formula in ops
    composed   the same function as a composition of ops that have a rule; the walk goes through it

A linear op needs no formula. `linear_in` of its record tells that it is linear; `Rules.products`
names those that multiply two inputs, and `Rules.linear` those whose record does not say it. These
names, and the formulas of the other kinds, stand in ops/slopes.py. They are loaded when a gradient
is first wanted on the tape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import GraphError, ShapeError
from ..op import ACTIVE, LATE, OPS, Op
from . import hooks, modes, steps, tape, writes
from .accumulate import shape_and_dtype
from .reach import Wanted

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["Rules", "Transposed", "Zero", "gradients"]


@dataclass(frozen=True)
class Rules:
    """What ops/slopes.py says about ops by name.

    slopes      op -> rule(dy, *saved, **attrs): the inputs' gradients, by functions of tensors
    composed    op -> function(*inputs, **attrs): the op itself, as a composition
    results     op -> {i: which output saved[i] is}; everywhere else saved[i] is input i
    inputs      op -> {i: which input saved[i] is}, where inputs stand elsewhere
    products    linear ops that multiply their first two inputs; further ones are added
    linear      ops that are linear, though their record has no `linear_in`
    still       affine ops, y = L x + c: the attributes under which c is 0, as pad's value
    compiled    ops whose definition saves something else than the inputs: only the kernels' have a
                rule
    functions   what this folder computes with: add, expand, stack and to
    """

    slopes: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    composed: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    results: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    products: frozenset[str] = frozenset()
    linear: frozenset[str] = frozenset()
    still: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    compiled: frozenset[str] = frozenset()
    functions: Any = None


def load() -> Rules:
    """The rules in ops/slopes.py, loaded when first wanted."""
    rules: Rules = LATE["slopes"]()
    return rules


# ---- the walk ------------------------------------------------------------------------------------
def gradients(outputs: Sequence[Tensor], upstream: Sequence[Tensor], inputs: Sequence[Tensor]) -> list[Tensor | None]:
    """The gradients of sum_i <upstream[i], outputs[i]> with respect to the inputs, on the tape.

    Nodes from which no input can be reached are left out: they need no rule.
    """
    wanted = Wanted(outputs, inputs)
    found: dict[int, Tensor] = {}                       # id(input) -> its gradient
    pending: dict[tape.Node, dict[int, Tensor]] = {}
    queue: list[tape.Node] = []
    add = load().functions.add

    def arrive(parent: Any, g: Tensor) -> None:
        """Add g to the gradient of a leaf or of (Node, which output)."""
        if parent.__class__ is tuple:
            node, index = parent
            if node not in pending:
                pending[node] = {}
                heappush(queue, node)
            slots: dict[int, Tensor] = pending[node]
        else:
            slots, index = found, id(parent)
        slots[index] = g if index not in slots else add(slots[index], g)

    with modes.enable_grad():
        for t, dy in zip(outputs, upstream):
            parent = t if t.is_leaf else (t.node, t.index)
            if wanted.has(parent):
                arrive(parent, dy)
        while queue:
            node = heappop(queue)                       # newest first: Node.__lt__
            grads = pending.pop(node)
            _run_hooks(node, grads)
            for index, g in grads.items():
                if (id(node), index) in wanted.places:
                    found[id(wanted.places[id(node), index])] = g
            needs = wanted.needs(node)
            if any(needs):
                for parent, need, dx in zip(node.parents, needs, _run(node, grads, needs)):
                    if need and dx is not None:
                        arrive(parent, _checked(node, parent, dx))
        for key, g in found.items():
            for hook in tuple(hooks.leaf_hooks.get(key, {}).values()):
                found[key] = _replaced(hook, g)
    # one tensor may be named twice
    return [found.get(id(t if t.is_leaf else wanted.places[id(t.node), t.index])) for t in inputs]


def _run_hooks(node: tape.Node, dy: dict[int, Tensor]) -> None:
    """As hooks.run_hooks: what replaces a gradient may have a history."""
    if node.extras is not None:
        for index in list(dy):
            for hook in tuple(node.extras.hooks.get(index, {}).values()):
                dy[index] = _replaced(hook, dy[index])
            t = node.extras.retained.get(index)
            if t is not None:
                t.grad = dy[index] if t.grad is None else load().functions.add(t.grad, dy[index])


def _replaced(hook: Callable[[Tensor], Any], g: Tensor) -> Tensor:
    new = hook(g)
    if new is None:
        return g
    new = new if isinstance(new, tape.Tensor) else tape.Tensor(np.asarray(new, g.dtype))
    if new.shape != g.shape:
        raise ShapeError("a hook must return a gradient of the same shape", who="hook", expected=g.shape, got=new.shape)
    return new


def _checked(node: tape.Node, parent: Any, dx: Tensor) -> Tensor:
    """dx in the type of what it is the gradient of."""
    shape, dtype = shape_and_dtype(parent)
    if dx.shape != shape:
        raise ShapeError("its gradient has the wrong shape", who=node.name, expected=shape, got=dx.shape)
    return dx if dx.dtype == dtype else load().functions.to(dx, dtype)


# ---- one node ------------------------------------------------------------------------------------
def _run(node: tape.Node, dy: dict[int, Tensor], needs: Sequence[bool]) -> Sequence[Tensor | None]:
    """The gradients of the inputs of a node, on the tape."""
    node.check_saved()
    if isinstance(node.backward, Transposed):
        return node.backward.on_tape(dy, [_alias(a, p) for a, p in zip(node.saved, node.parents)], needs)
    if node.backward is _passed_on:
        return (dy[0],)
    if node.backward is steps.flat_backward:
        return [None if form is None else tape.Tensor(np.zeros(*form)) for form in node.saved]
    if node.backward in (writes.write_backward, writes.view_backward):
        raise GraphError("a gradient that went through a write cannot be differentiated again", who=node.name,
                         hint="Put the parts together by stack, cat or where, not by buffer[t] = h.")
    rules, op = load(), OPS.get(node.name)
    # use_backend wraps definitions
    if op is None or (node.backward not in (op.kernels[1], op.ref_backward)
                      and getattr(node.backward, "__wrapped__", node) is not op.ref_backward):
        raise GraphError("the gradient of a function of your own cannot be differentiated again", who=node.name,
                         hint="Write the function with fastnn's ops, or call grad without create_graph.")
    if op.name in rules.compiled and node.backward is not op.kernels[1]:
        raise GraphError("the gradient of its definition cannot be differentiated again", who=node.name,
                         hint="Leave use_backend('reference').")
    if op.name in rules.slopes:
        result = rules.slopes[op.name](_lone(node, dy), *_lifted(node, rules.results.get(op.name, {})), **node.attrs)
        return result if isinstance(result, tuple) else (result,)
    if op.name in rules.composed:
        return _composed(rules.composed[op.name], node, rules.inputs.get(op.name, {}), dy, needs)
    if _is_linear(op, rules):
        return _linear(op, {**node.attrs, **rules.still.get(op.name, {})}, node, dy)
    raise GraphError("the gradient of this op cannot be differentiated again", who=node.name,
                     hint="Compute the same by elementary ops (matmul, exp, tanh, sum, ...), or call grad without "
                          "create_graph. The slope of a new op goes to fastnn/ops/slopes.py.")


def _is_linear(op: Op, rules: Rules) -> bool:
    return op.name in rules.linear or (bool(op.linear_in) and set(op.differentiable or op.linear_in) <=
                                       set(op.linear_in))


def _lone(node: tape.Node, dy: dict[int, Tensor]) -> Any:
    """dy of a node with one output; of several, a tuple."""
    return tuple([dy.get(i) for i in range(len(node.outputs))]) if node.tuple_output else dy[0]


def _lifted(node: tape.Node, results: Mapping[int, int]) -> list[Any]:
    """What forward saved, with the inputs and outputs in it as tensors with their history."""
    saved: list[Any] = []
    for i, a in enumerate(node.saved):
        if not isinstance(a, np.ndarray) or a.dtype.kind != "f":
            saved.append(a)
        elif i in results:                              # it may have kept the axes of a reduction
            saved.append(_alias(a.reshape(node.outputs[results[i]][0]), (node, results[i])))
        else:
            saved.append(_alias(a, node.parents[i] if i < len(node.parents) else None))
    return saved


def _saved_inputs(node: tape.Node, places: Mapping[int, int]) -> list[Any]:
    """For each input what forward saved of it: mostly its array. places: see Rules.inputs."""
    saved: list[Any] = [None] * len(node.parents)
    for i, a in enumerate(node.saved):
        place = places.get(i, -1) if places else i
        if 0 <= place < len(saved):
            saved[place] = a
    return saved


def _alias(a: np.ndarray, parent: Any) -> Tensor:
    """A tensor over `a` that passes its gradient on to `parent`, if there is one."""
    t = tape.Tensor(a)
    if parent is not None:
        t.node = tape.Node("alias", _passed_on, False, (), {}, (parent,), (), ((a.shape, a.dtype),), False)
        t.index, t._requires_grad = 0, True
    return t


def _passed_on(dy: np.ndarray, saved: Any) -> tuple[np.ndarray]:
    return (dy,)


def _composed(function: Callable[..., Any], node: tape.Node, places: Mapping[int, int], dy: dict[int, Tensor],
              needs: Sequence[bool]) -> list[Tensor | None]:
    """Through the op as a composition: a walk that ends at its inputs."""
    saved = _saved_inputs(node, places)
    inputs: list[Any] = []
    for a, parent in zip(saved, node.parents):
        if isinstance(a, np.ndarray):
            inputs.append(_alias(a, parent))
        elif parent is not None:        # not saved: its value does not matter, as that of a bias
            inputs.append(_alias(np.zeros(*shape_and_dtype(parent)), parent))
        else:
            inputs.append(None)
    y = function(*inputs, **node.attrs)
    ys = y if isinstance(y, tuple) else (y,)
    chosen = [i for i in dy if ys[i].requires_grad]
    wanted = [t for t, need in zip(inputs, needs) if need]
    found = iter(gradients([ys[i] for i in chosen], [dy[i] for i in chosen], wanted))
    return [next(found) if need else None for need in needs]


# ---- linear ops ----------------------------------------------------------------------------------
def _linear(op: Op, attrs: dict[str, Any], node: tape.Node, dy: dict[int, Tensor]) -> Sequence[Tensor | None]:
    """dx = L^T dy, from what forward saved.

    The inputs of a product that are multiplied with each other are its factors, as x and w of
    x w + b. What is added to them, as b, is additive: its value does not matter.
    """
    product = op.name in load().products
    values: list[Any] = []
    factors = []
    for i, (a, parent) in enumerate(zip(_saved_inputs(node, load().inputs.get(op.name, {})), node.parents)):
        if product:
            if i < 2 and isinstance(a, np.ndarray):
                factors.append(i)
            # a factor may be a number, and there may be no second one; what is added counts as 0
            values.append(_alias(a, parent) if i in factors else a if i < 2 else None)
        elif parent is not None:
            values.append(Zero(*shape_and_dtype(parent)))
        elif i < len(op.inputs) and op.inputs[i] not in (op.linear_in or op.inputs):
            values.append(a)                            # positions, or a mask
        else:
            values.append(Zero(a if isinstance(a, tuple) else None, node.outputs[0][1]))
    dys = [dy[i] if i in dy else tape.Tensor(np.zeros(*form)) for i, form in enumerate(node.outputs)]
    return Transposed(op, attrs, values, factors, node.tuple_output).of(dys, values, node)


@dataclass(frozen=True)
class Zero:
    """An input of a linear op whose value does not matter; shape None: it is not known yet."""

    shape: tuple[int, ...] | None
    dtype: np.dtype

    def array(self) -> np.ndarray:
        return np.zeros(() if self.shape is None else self.shape, self.dtype)


class Transposed:
    """dx = L^T dy of an op y = L(x_1, ..., x_m) that is linear in each of its inputs; the backward
    of a node that has the outputs dx.

    With upstream gradients g_i of dx_i, that node's own gradients are those of

        sum_i <g_i, dx_i>  =  sum_i <dy, L(..., g_i in place of x_i, ...)>

    so that d(dy) is a sum of L, and the gradient of a factor x_j is one of L^T. An input that is
    multiplied with no other, such as a bias or the operands of a sum, needs no value.

    values    of each input: a tensor, a constant, or a Zero
    factors   the inputs that are multiplied with each other, or none
    many      whether the op returns a tuple
    """

    def __init__(self, op: Op, attrs: dict[str, Any], values: Sequence[Any], factors: Sequence[int], many: bool):
        self.op, self.attrs, self.factors, self.many = op, attrs, tuple(factors), many
        self.constants: list[Any] = [None if i in factors else value for i, value in enumerate(values)]
        self.returned: list[int] = []                   # which inputs have a gradient

    def of(self, dys: Sequence[Tensor], values: Sequence[Any], node: tape.Node | None = None) -> list[Tensor | None]:
        """The gradients of the inputs, and a node that has this object as its backward."""
        if node is not None:
            backward, saved, takes_needs = node.backward, node.saved, node.takes_needs
        else:
            run = ACTIVE[self.op.name]
            arrays = [v.array() if isinstance(v, Zero) else v._data if isinstance(v, tape.Tensor) else v
                      for v in values]
            saved = run.forward(*arrays, **self.attrs)[1]
            backward, takes_needs = run.backward, run.takes_needs
        assert backward is not None
        dy: Any = tuple([t._data for t in dys]) if self.many else dys[0]._data
        needs: dict[str, Any] = {}
        if takes_needs:
            needs["needs"] = tuple([isinstance(v, (tape.Tensor, Zero)) or (node is not None and p is not None)
                                    for v, p in zip(values, node.parents if node is not None else values)])
        dx = backward(dy, saved, **needs, **self.attrs)
        dx = dx if isinstance(dx, (tuple, list)) else (dx,)
        self.returned = [i for i, a in enumerate(dx) if a is not None]
        for i in self.returned:
            if isinstance(self.constants[i], Zero):
                self.constants[i] = Zero(dx[i].shape, self.constants[i].dtype)
        # a result that is dy itself becomes a view of it, so that a change of either is one of both
        results = [np.asarray(dx[i])[...] for i in self.returned]
        factors = [values[i] for i in self.factors]
        inputs = (*dys, *factors)
        tensors = tape.wrap(f"gradient of {self.op.name}", tuple(results), tuple([t._data for t in inputs]),
                            self if any(t.requires_grad for t in inputs) else None, True, inputs, {})
        out: list[Tensor | None] = [None] * len(values)
        for i, t in zip(self.returned, tensors):
            out[i] = t
        return out

    def __call__(self, gs: Sequence[np.ndarray | None], saved: Sequence[np.ndarray],
                 needs: Sequence[bool]) -> list[np.ndarray | None]:
        """The gradients of dy and of the factors, as arrays: for a walk that leaves no nodes."""
        with modes.no_grad():
            result = self.on_tape({i: tape.Tensor(g) for i, g in enumerate(gs) if g is not None},
                                  [tape.Tensor(a) for a in saved], needs)
        return [None if t is None else t._data for t in result]

    def on_tape(self, gs: Mapping[int, Tensor], inputs: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
        """The gradients of the node's inputs, dy and the factors, from those of its outputs."""
        count = len(inputs) - len(self.factors)
        dys, values = inputs[:count], self._values(inputs[count:])
        g = {self.returned[i]: t for i, t in gs.items()}
        result: list[Tensor | None] = [None] * len(inputs)
        if any(needs[:count]):
            result[:count] = self._image(g, values, dys)
        for place, j in enumerate(self.factors, count):
            if needs[place]:
                add = load().functions.add
                for i in self.factors:
                    if i != j and i in g:
                        new = self._values(inputs[count:], i, g[i])
                        more = Transposed(self.op, self.attrs, new, self.factors, self.many).of(dys, new)[j]
                        result[place] = more if result[place] is None else add(result[place], more)
        return result

    def _values(self, factors: Sequence[Tensor], place: int = -1, other: Tensor | None = None) -> list[Any]:
        """The inputs again; at `place`, the other one."""
        values = list(self.constants)
        for i, t in zip(self.factors, factors):
            values[i] = other if i == place else t
        return values

    def _image(self, g: dict[int, Tensor], values: Sequence[Any], dys: Sequence[Tensor]) -> list[Tensor]:
        """sum_i L(..., g_i, ...), for each output.

        For L(x, w, b) = x w + b it is L(g_x, w, g_b) + L(x, g_w, 0). What is added, as b, enters
        the first term only, or it would count twice.
        """
        add, expand = load().functions.add, load().functions.expand
        plain = [v.array() if isinstance(v, Zero) else v for v in values]
        additive = [g.get(i, v) for i, v in enumerate(plain)]
        terms = []
        present = [i for i in self.factors if i in g]
        if not present:
            if self.factors:                            # only what is added has one, as a bias
                additive[self.factors[0]] = tape.Tensor(np.zeros_like(values[self.factors[0]]._data))
            terms.append(additive)
        for n, i in enumerate(present):
            term = list(additive if n == 0 else plain)
            for j in self.factors:
                term[j] = g[i] if j == i else values[j]
            terms.append(term)
        total: list[Any] = [None] * len(dys)
        for inputs in terms:
            y = tape.apply(self.op, *inputs, **self.attrs)
            for k, t in enumerate(y if isinstance(y, tuple) else (y,)):
                t = t if t.shape == dys[k].shape else expand(t, dys[k].shape)
                total[k] = t if total[k] is None else add(total[k], t)
        return total
