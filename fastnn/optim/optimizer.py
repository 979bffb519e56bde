"""Optimizer, the base of all optimisers.

What differs from one optimiser to the next is its rule, a record (rule.py). What is here happens
once, for all of them: parameters are gathered, the state is kept, saved and loaded, and a step is

    plan    every gradient, setting and state of every group is checked; nothing changes
    run     the rule's kernel, or its definition in NumPy
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from itertools import pairwise
from numbers import Integral, Real
from operator import itemgetter
from typing import Any, NoReturn, TypeVar, cast, overload

import numpy as np

from ..arrays import copied, full, restore_dtype
from ..autograd import RemovableHandle, enable_grad
from ..backend import quiet
from ..errors import DTypeError, GraphError, RangeError, ShapeError
from ..guard import guard_all, guard_methods, named
from ..kernels import compiled
from ..parameters import is_lazy
from ..tensor import Tensor, array_of
from .rule import RULES, Rule, Setting, State, on_kernels
from .watch import FirstSteps

Result = TypeVar("Result")
Method = TypeVar("Method", bound=Callable[..., Any])

__all__ = ["Optimizer"]

gathered = getattr(compiled, "gathered", None)
gathered_states = getattr(compiled, "gathered_states", None)

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
MUTABLE = (list, dict, np.ndarray, Tensor)
LAST_STEP = 2**53                                   # beyond it a float does not count by ones
# Settings of PyTorch's groups that choose an implementation: a saved state may have them.
SWITCHES = ("foreach", "fused", "capturable", "differentiable")
# What schedules keep in a group.
OF_SCHEDULES = ("initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum")
# Points at which hooks are called.
HOOKS = ("step_pre", "step_post", "state_dict_pre", "state_dict_post", "load_state_dict_pre", "load_state_dict_post")


def with_hooks(step: Method) -> Method:
    """The method `step` of an optimiser, with its hooks around it."""
    @wraps(step)
    def call(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        before, after = self._hooks["step_pre"], self._hooks["step_post"]
        if not before and not after:
            return step(self, *args, **kwargs)
        given: tuple[Any, ...] = (self, *args)
        for hook in list(before.values()):
            replaced = hook(self, given, kwargs)
            if replaced is None:
                continue
            if not isinstance(replaced, tuple) or len(replaced) != 2:
                raise DTypeError("a hook before the step returns None or (args, kwargs)", who=type(self).__name__,
                                 got=type(replaced).__name__)
            given, kwargs = replaced
        result = step(*given, **kwargs)
        for hook in list(after.values()):
            hook(self, given, kwargs)
        return result
    return cast(Method, call)


class Optimizer:
    """Base of all optimisers.

    A subclass has a class attribute `rule`, and an `__init__` that hands its settings on; rule.py
    shows one. Or it has no rule and defines `step()` itself, as in PyTorch: then the defaults are
    its settings, and it keeps in `state` what it likes.

    Parameters
    ----------
    params : iterable of Parameters, or of dicts
        A dict {"params": [...], "lr": ...} is a group: its settings override the defaults for its
        parameters. Other keys, "name" or "lr_mult", are kept, unless one is nearly the name of a
        setting. Of model.named_parameters() the group keeps the names, as "param_names".
    defaults : {name: value}
        Settings of the rule.

    Attributes
    ----------
    param_groups : list of dict
        {"params": list, and every setting}. A setting may be changed between two steps.
    state : defaultdict, {parameter: {name: array or number}}
        What the rule keeps for a parameter; empty before the parameter's first step.

    Raises
    ------
    ShapeError
        No parameters.
    DTypeError
        Something that is no parameter.
    RangeError
        A setting outside its range or misspelt, a parameter that comes twice, two that share
        memory, names for some parameters alone.

    Examples
    --------
    >>> import fastnn as nn
    >>> class Descent(nn.optim.Optimizer):
    ...     "The simplest one, with a step of its own."
    ...     def __init__(self, params, lr=0.1):
    ...         super().__init__(params, {"lr": lr})
    ...     def step(self, closure=None):
    ...         for group in self.param_groups:
    ...             for p in group["params"]:
    ...                 p.detach().sub_(group["lr"] * p.grad)
    >>> p = nn.Parameter([1.0, 2.0])
    >>> optimizer = Descent([{"params": [p], "name": "head"}], lr=0.5)
    >>> (p * p).sum().backward(); optimizer.step(); p
    parameter([0., 0.], requires_grad=True)
    """

    rule: Rule

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            # a class is not expected to change its methods
            cls.step = with_hooks(vars(cls)["step"])  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]):
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise DTypeError(who=name, expected="an iterable of parameters", got="one tensor",
                             hint="Pass model.parameters() or [p].")
        if not isinstance(defaults, Mapping):
            raise DTypeError(who=name, expected='defaults, a dict like {"lr": 0.1}', got=type(defaults).__name__)
        self._has_rule = hasattr(type(self), "rule")
        if not self._has_rule:
            self.rule = _free_rule(defaults)
        self._hooks: dict[str, dict[Any, Any]] = {point: {} for point in HOOKS}
        groups = _listed(name, params)
        if not groups:
            raise ShapeError("there is nothing to optimise: the list of parameters is empty", who=name,
                             hint="An iterator like model.parameters() can be used only once: call it again. A model "
                             "has none if its layers are in a plain list (use nn.ModuleList) or all are filtered out.")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.defaults: dict[str, Any] = {**self.rule.defaults, **defaults}
        self.param_groups: list[dict[str, Any]] = []
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        # group number -> (values that passed their check, the definition's settings)
        self._checked: dict[int, tuple[Any, dict[str, Any]]] = {}
        self._first_steps = FirstSteps()
        self._values_of = itemgetter(*self.rule.settings or ("params",))
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own: {"params": [...], "lr": ...}."""
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise DTypeError(who=name, expected='a group {"params": [...], ...}', got=type(param_group).__name__
                             if not isinstance(param_group, dict) else f"the keys {sorted(param_group)}")
        params = param_group["params"]
        params, names = _named(name, [params] if isinstance(params, Tensor) else _listed(name, params))
        known = {p for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor) or p.node is not None:
                raise DTypeError(who=name, expected="parameters (leaf tensors)",
                                 got="the result of an op" if isinstance(p, Tensor) else type(p).__name__,
                                 hint="Pass model.parameters()." if hasattr(p, "parameters") else "")
            if is_lazy(p):
                raise GraphError("a parameter of a lazy layer has no shape yet", who=name,
                                 hint="Call the model once with a batch, model(x), and make the optimiser then.")
            if self.rule.dimensions not in (None, p.ndim):
                raise ShapeError("a parameter that this optimiser is not for", who=name, got=p.shape,
                                 expected=f"parameters of {self.rule.dimensions} dimensions",
                                 hint="Give the others to nn.optim.AdamW.")
            if p in known:
                raise RangeError("a parameter stands in two groups, or twice in one", who=name)
            known.add(p)
        self._check_memory([*known])
        settings = {**self.defaults, **param_group}
        del settings["params"]
        if names is not None:
            settings["param_names"] = names
        self._check_names(settings.get("param_names"), len(params))
        if self.param_groups and ("param_names" in settings) != ("param_names" in self.param_groups[0]):
            raise RangeError("of the groups some have names of parameters and some have not", who=name,
                             hint="Give model.named_parameters() to all of them, or to none.")
        for key in settings:
            self._check_spelling(key)
        self.rule.check_settings(name, settings)
        self.param_groups.append({"params": params, **settings})

    def _check_spelling(self, key: Any) -> None:
        """RangeError if a key of a group is nearly the name of a setting, and so means it."""
        known = self.rule.settings
        if isinstance(key, str) and key not in (*known, *SWITCHES, *OF_SCHEDULES, "param_names", "params"):
            from ..names import did_you_mean  # here, so that `import fastnn` does not load it
            hint = did_you_mean(key, known)
            if hint:
                raise RangeError(f"unknown settings {[key]}", who=type(self).__name__, hint=hint,
                                 expected=f"some of {sorted(known)}, or a key that looks like none of them")

    def _check_names(self, names: Any, n: int) -> None:
        """RangeError unless these are n names of parameters, or None."""
        if names is not None and not (isinstance(names, (list, tuple)) and len(names) == n
                                      and all(isinstance(one, str) for one in names)):
            raise RangeError(who=type(self).__name__, expected=f"param_names, {n} names",
                             got=repr(names) if not isinstance(names, (list, tuple)) else f"{len(names)}: {names!r}")

    def _check_memory(self, params: list[Tensor]) -> None:
        """RangeError if two parameters have memory in common: threads would step it at once, and
        the definition once for both.
        """
        places = sorted([(p.data_ptr(), p.data_ptr() + p.nbytes, p.shape) for p in params
                         if p._data.flags.c_contiguous and p.nbytes])
        for (_, end, shape), (begin, _, other) in pairwise(places):
            if begin < end:
                raise RangeError("two parameters share memory", who=type(self).__name__, got=f"{shape} and {other}",
                                 hint="Tie weights by one parameter, b.weight = a.weight, or copy: t.clone().")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or fill them with zeros)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.detach().zero_()         # it may be on the tape itself

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Result]) -> Result: ...
    @with_hooks
    @named
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient.

        `closure`, if given, is called first, with gradients enabled, and its result returned. All
        groups are checked before the first parameter changes: after an error everything is as it
        was, the state and the count of steps too.

        Raises
        ------
        ShapeError, DTypeError
            A gradient, or the state, of another shape or dtype than its parameter.
        RangeError
            A setting that was changed to something outside its range.
        """
        if closure is not None and not callable(closure):
            raise DTypeError(who=type(self).__name__, expected="a closure that can be called, or None",
                             got=type(closure).__name__)
        if not self._has_rule:
            raise DTypeError(f"{type(self).__name__} must define step()", who=type(self).__name__,
                             hint="Or give the class a rule: fastnn/optim/rule.py shows one.")
        result = None
        if closure is not None:
            with enable_grad():
                result = closure()
        # a work is the parameters of one group and one dtype: lists of their arrays and gradients,
        # and of the state a list, a column, for each name; what is new there is kept afterwards
        plan = self._plan()
        if not plan or not self._first_steps.done:
            self._first_steps.look(type(self).__name__, [p.grad for work in plan for p in work.params])
        if self.rule.kernel is not None and on_kernels():
            for work in plan:
                self.rule.kernel(work.arrays, work.gradients, *work.columns, **work.settings)
                self._keep(work)
        else:
            # all of it before the first change: a definition may raise, too
            results = [self._defined(work) for work in plan]
            for work, new in zip(plan, results):
                work.take(new)
                self._keep(work)
        return result

    # ---- the parts of a step ---------------------------------------------------------------------
    def _plan(self) -> list[_Work]:
        """What this step will do. All of it is checked, and nothing changes."""
        plan = []
        for k, group in enumerate(self.param_groups):
            settings = self._settings(k, group)
            # a compiled glance at the usual case; whatever else there may be is looked at here
            found = gathered(group["params"]) if gathered is not None else None
            works = [_Work(settings, *found)] if found is not None else self._gather(k, group["params"], settings)
            for work in works:
                if work.params:
                    if group.get("maximize"):       # up the slope is down its opposite
                        work.gradients = [-g for g in work.gradients]
                    self._find_state(work)
                    plan.append(work)
        return plan

    def _settings(self, k: int, group: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of group k, checked whenever they have changed."""
        if not isinstance(group, dict) or not isinstance(group.get("params"), (list, tuple)):
            raise DTypeError(f"group {k} has lost its parameters", who=type(self).__name__,
                             expected='a dict {"params": [...], ...}', got=type(group).__name__
                             if not isinstance(group, dict) else f'"params" of {type(group.get("params")).__name__}',
                             hint="add_param_group makes a group.")
        try:
            values = self._values_of(group)
            known = k in self._checked and self._checked[k][0] == values
        except (KeyError, ValueError):      # one is missing, or an array: the check below names it
            known = False
        if not known:
            settings = {name: group.get(name) for name in self.rule.settings}
            self.rule.check_settings(type(self).__name__, settings)
            settings.pop("maximize", None)          # which the plan sees to, for every rule
            settings |= self.rule.fixed
            if any(isinstance(value, MUTABLE) for value in settings.values()):
                return settings                     # these can change and still be the same object
            self._checked[k] = values, settings
        return self._checked[k][1]

    def _gather(self, k: int, params: Any, settings: dict[str, Any]) -> list[_Work]:
        """The parameters of group k that have a gradient, with it; a work for each dtype, because a
        kernel takes one. The compiled `gathered` does the same where nothing is unusual.
        """
        works: dict[np.dtype, _Work] = {}
        for i, p in enumerate(params):
            what = f"parameter {i} of group {k}"
            data, g = self._array(p, what), p.grad
            if g is None:
                continue
            gradient = self._array(g, f"the gradient of {what}", "Write p.grad = nn.tensor(g).")
            self._check_gradient(data, gradient, what)
            work = works.setdefault(data.dtype, _Work(settings, [], [], []))
            work.params.append(p)
            # one made from a view or a read-only array gets memory of its own
            work.arrays.append(_own(data))
            work.gradients.append(gradient)
        return list(works.values())

    def _array(self, t: Any, what: str, hint: str = "") -> np.ndarray:
        """The array of a tensor."""
        data = getattr(t, "_data", None)
        if not isinstance(t, Tensor) or not isinstance(data, np.ndarray):
            raise DTypeError(f"{what} is no tensor", who=type(self).__name__, got=type(t).__name__, hint=hint)
        return data

    def _check_gradient(self, data: np.ndarray, g: np.ndarray, what: str) -> None:
        name = type(self).__name__
        if g.shape != data.shape:
            raise ShapeError(f"the gradient of {what} has another shape than the parameter", who=name,
                             expected=data.shape, got=g.shape)
        if g.dtype != data.dtype:
            raise DTypeError(f"the gradient of {what} has another dtype than the parameter", who=name,
                             expected=data.dtype, got=g.dtype,
                             hint=f'Write p.grad = nn.tensor(g, dtype="{data.dtype}").')
        if data.dtype not in FLOATS:
            raise DTypeError(f"{what} cannot be optimised", who=name, expected="float32 or float64", got=data.dtype)

    def _find_state(self, work: _Work) -> None:
        """Put the state into the plan, as the last step left it, or as it begins."""
        rule, known = self.rule, self.state
        specs = [spec for spec in rule.state if spec.used(work.settings)]
        nothing: list[Any] = [None] * len(work.params)
        if not specs and not rule.counts_steps:
            work.columns = [nothing for _ in rule.state]
            return
        if gathered_states is not None and all([spec.like_the_parameter for spec in specs]):
            names = tuple([spec.name for spec in specs])
            found = gathered_states(known, work.params, work.arrays, names, rule.counts_steps)
            if found is not None:
                work.states, columns = found
                if rule.counts_steps:
                    work.kept["step"] = columns[-1]
                if len(specs) < len(rule.state):
                    by_name = dict(zip(names, columns))
                    columns = [by_name.get(spec.name, nothing) for spec in rule.state] + columns[len(names):]
                work.columns = columns
                return
        work.new = True
        work.states = [known.get(p, {}) for p in work.params]
        for p, state in zip(work.params, work.states):
            if not isinstance(state, dict):
                self._refuse_state("of the optimiser", p, state)
        for spec in rule.state:
            if not spec.used(work.settings):
                work.columns.append(nothing)
                continue
            first = spec.first(work.settings)
            column: list[Any] = [self._state_number(spec, p, state, first) if spec.number else
                                 self._state_array(spec, p, data, state, first)
                                 for p, data, state in zip(work.params, work.arrays, work.states)]
            work.columns.append(column)
            work.kept[spec.name] = column
        if rule.counts_steps:
            work.kept["step"] = [self._step_number(p, state) for p, state in zip(work.params, work.states)]
            work.columns.append(work.kept["step"])

    def _state_array(self, spec: State, p: Tensor, data: np.ndarray, state: Mapping[str, Any],
                     first: Any) -> np.ndarray | None:
        """An array that the rule keeps for a parameter, in memory that a kernel can change."""
        shape, a = spec.shape_for(data.shape), state.get(spec.name)
        if shape is None:
            if a is not None:                       # the parameter had another shape
                self._refuse_state(spec.name, p, a)
            return None
        if a is None:
            return full(shape, first, data.dtype) if first is not None else None
        if not isinstance(a, np.ndarray) or a.shape != shape or a.dtype != data.dtype:
            self._refuse_state(spec.name, p, a)
        return _own(a)

    def _state_number(self, spec: State, p: Tensor, state: Mapping[str, Any], first: float) -> float:
        """A number that the rule keeps for a parameter."""
        a = state.get(spec.name, first)
        try:
            number = math.nan if isinstance(a, bool) or not isinstance(a, Real) else float(a)
        except OverflowError:
            number = math.nan
        if not math.isfinite(number) or not spec.in_range(number):
            self._refuse_state(spec.name, p, a)
        return number

    def _step_number(self, p: Tensor, state: Mapping[str, Any]) -> int:
        """The number of the step that is about to be done."""
        done = state.get("step", None if state else 0)
        if isinstance(done, bool) or not isinstance(done, Integral) or not 0 <= int(done) < LAST_STEP:
            self._refuse_state("step", p, done)
        return int(done) + 1

    def _refuse_state(self, name: str, p: Tensor, a: Any) -> NoReturn:
        spec = {spec.name: spec for spec in self.rule.state}.get(name)
        shape = spec.shape_for(p.shape) if spec is not None else p.shape
        if not isinstance(a, np.ndarray) or name == "step" or (spec is not None and spec.number):
            raise DTypeError(f"the state {name} has been changed", who=type(self).__name__,
                             expected="a whole number from 0 up" if name == "step" else
                             "a number in its range" if spec is not None and spec.number else
                             f"an array of {p.dtype} of shape {shape}", got=repr(a),
                             hint="Make a new optimiser, or load its state_dict.")
        what = f"the state {name} does not fit its parameter: one of them has changed since the last step"
        raise DTypeError(what, who=type(self).__name__, expected=f"{p.dtype} of shape {shape}",
                         got=f"{a.dtype} of shape {a.shape}",
                         hint="After model.double() or model.float(), "
                              "optimizer.load_state_dict(optimizer.state_dict()) converts the state."
                         if a.shape == shape else "Make a new optimiser.")

    def _defined(self, work: _Work) -> list[list[np.ndarray | None]]:
        """The definition's results for each parameter, (p, *state); nothing changes."""
        results = []
        step = quiet(self.rule.definition)
        for i, (p, g) in enumerate(zip(work.arrays, work.gradients)):
            new = step(p, _own(g), *[column[i] for column in work.columns], **work.settings)
            if not isinstance(new, tuple) or len(new) != 1 + len(self.rule.state):
                raise ShapeError("the definition must return a tuple (p, *state)", who=type(self).__name__,
                                 expected=f"{1 + len(self.rule.state)} arrays", got=type(new).__name__)
            arrays = [a if a is None else array_of(a) for a in new]
            shapes = [p.shape] + [() if spec.number else spec.shape_for(p.shape) for spec in self.rule.state]
            for a, shape in zip(arrays, shapes):
                if a is not None and a.shape != shape:
                    raise ShapeError("the definition returns another shape than the parameter's",
                                     who=type(self).__name__, expected=shape, got=a.shape)
            results.append(arrays)
        return results

    def _keep(self, work: _Work) -> None:
        """The step is done: what was new in the plan becomes the state."""
        for p, array in zip(work.params, work.arrays):
            p._data = array
            p._version[0] += 1
        for name, column in work.kept.items():
            for state, value in zip(work.states, column):
                if value is not None:
                    state[name] = value
        if work.new:
            self.state.update(zip(work.params, work.states))

    # ---- hooks -----------------------------------------------------------------------------------
    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) before each step; args begins with the optimiser. What
        it returns, if not None, replaces (args, kwargs).

        >>> import fastnn as nn
        >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])])
        >>> handle = optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: print("step"))
        >>> optimizer.param_groups[0]["params"][0].sum().backward(); optimizer.step()
        step
        >>> handle.remove()
        """
        return RemovableHandle(self._hooks["step_pre"], hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call hook(optimizer, args, kwargs) after each step."""
        return RemovableHandle(self._hooks["step_post"], hook)

    def register_state_dict_pre_hook(self, hook: Callable[[Optimizer], Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer) before state_dict(). prepend: before the hooks that are there."""
        return RemovableHandle(self._hooks["state_dict_pre"], hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer, state) on what state_dict() returns; what the hook returns, if not
        None, replaces it.
        """
        return RemovableHandle(self._hooks["state_dict_post"], hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer, state) before load_state_dict(state), on a shallow copy; what the
        hook returns, if not None, is loaded in its place.
        """
        return RemovableHandle(self._hooks["load_state_dict_pre"], hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[[Optimizer], Any],
                                           prepend: bool = False) -> RemovableHandle:
        """Call hook(optimizer) after load_state_dict()."""
        return RemovableHandle(self._hooks["load_state_dict_post"], hook, prepend)

    # ---- checkpoints -----------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """{"state": {number of the parameter: its state}, "param_groups": [settings, parameters by
        number]}, as in PyTorch.
        """
        for before in list(self._hooks["state_dict_pre"].values()):
            before(self)
        number = {p: i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        state = {"state": {number[p]: dict(state) for p, state in self.state.items() if p in number},
                 "param_groups": [{**group, "params": [number[p] for p in group["params"]]}
                                  for group in self.param_groups]}
        for after in list(self._hooks["state_dict_post"].values()):
            replaced = after(self, state)
            state = state if replaced is None else replaced
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and state, from this optimiser or from PyTorch's of the same name.

        Arrays are converted to their parameter's dtype. A group has the saved keys afterwards, and
        the names of its parameters where none are saved. Everything is checked before anything
        changes.

        Raises
        ------
        ShapeError
            Saved for other parameters.
        RangeError
            Something missing, or something that this optimiser does not have.
        """
        name = type(self).__name__
        for before in list(self._hooks["load_state_dict_pre"].values()):
            state_dict = dict(state_dict) if isinstance(state_dict, Mapping) else state_dict
            replaced = before(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        try:
            saved, groups = state_dict["state"], list(state_dict["param_groups"])
            order = [[_number(i) for i in group["params"]] for group in groups]
            entries = {_number(i): dict(values.items()) for i, values in saved.items()}
        except (TypeError, LookupError, ValueError, AttributeError) as error:
            raise RangeError("this is not the state of an optimiser", who=name,
                             expected='{"state": {0: {...}, ...}, "param_groups": [{"params": [0, ...], ...}, ...]}',
                             got=type(state_dict).__name__ if not isinstance(state_dict, Mapping)
                             else f"the keys {sorted(map(str, state_dict))}") from error
        sizes = [len(group["params"]) for group in self.param_groups]
        if [len(members) for members in order] != sizes:
            raise ShapeError("the saved state is for other parameters", who=name, expected=f"groups of {sizes}",
                             got=f"groups of {[len(members) for members in order]}")
        numbers = [i for group in order for i in group]
        if not set(entries) <= set(numbers) or len(set(numbers)) < len(numbers):
            raise RangeError("the saved state does not say whose it is", who=name,
                             expected="each parameter's number in one group", got=f"{order} and {sorted(entries)}")
        settings = [self._saved_settings(group, own) for group, own in zip(groups, self.param_groups)]
        fresh = {p: self._saved_state(i, p, entries[i], new)
                 for group, new, members in zip(self.param_groups, settings, order)
                 for p, i in zip(group["params"], members) if entries.get(i)}
        for group, new in zip(self.param_groups, settings):
            for key in set(group) - set(new) - {"params", "param_names"}:
                del group[key]
            group.update(new)
        self.state.clear()              # the same dict: a shallow copy of the optimiser has it too
        self.state.update(fresh)
        for after in list(self._hooks["load_state_dict_post"].values()):
            after(self)

    def _saved_settings(self, saved: Mapping[str, Any], group: Mapping[str, Any]) -> dict[str, Any]:
        """The settings and further keys of `group` out of a saved one."""
        name, rule = type(self).__name__, self.rule
        of_others = {key for other in RULES.values() for key in other.settings}
        further = {}                                # what the user, or PyTorch, put into the group
        for key, value in saved.items():
            if key in rule.settings or key in ("params", *OF_SCHEDULES):
                continue
            if key in group or key == "param_names" or key not in (*SWITCHES, *of_others, *rule.fixed):
                if key not in group:
                    self._check_spelling(key)
                further[key] = copy.deepcopy(value)
            elif key not in SWITCHES and (value != rule.fixed[key] if key in rule.fixed else not _is_off(value)):
                raise RangeError(f"the saved {key}={value} is a setting that this {name} does not have", who=name,
                                 expected=f"some of {sorted(rule.settings)}")
        self._check_names(further.get("param_names"), len(group["params"]))
        missing = [key for key in rule.settings if key not in saved and key != "maximize"]
        if missing:
            raise RangeError(f"the saved group has no {', '.join(missing)}", who=name,
                             expected=", ".join(rule.settings), got=", ".join(map(str, saved)))
        settings = {key: _plain(saved.get(key, False)) for key in rule.settings}
        rule.check_settings(name, settings)
        for key in OF_SCHEDULES:
            if key in saved:
                value = _plain(saved[key])
                if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
                    raise RangeError(who=name, expected=f"{key}, a number from 0 up", got=repr(value))
                settings[key] = value
        return settings | further

    def _saved_state(self, i: int, p: Tensor, saved: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """Parameter i's state out of a saved one."""
        name, rule = type(self).__name__, self.rule
        if not self._has_rule:
            return {key: copy.deepcopy(value) for key, value in saved.items()}
        specs = {spec.name: spec for spec in rule.state}
        needed = [spec.name for spec in rule.state if spec.initial is not None and spec.used(settings)
                  and spec.shape_for(p.shape) is not None]
        needed += ["step"] if rule.counts_steps else []
        missing = [key for key in needed if saved.get(key) is None]
        unknown = [key for key in saved if key not in specs and not (key == "step" and rule.counts_steps)]
        if missing or unknown:
            raise RangeError(f"the saved state of parameter {i} is not {name}'s", who=name,
                             expected=", ".join([*specs, *(["step"] if rule.counts_steps else [])]) or "nothing",
                             got=", ".join(map(str, saved)) or "nothing")
        state: dict[str, Any] = {}
        for key, value in saved.items():
            if value is None:
                continue
            try:
                array = array_of(value)
            except Exception as error:          # a tensor of another library that NumPy cannot read
                raise DTypeError(f"the saved {key} of parameter {i} cannot be read", who=name, expected="an array",
                                 got=f"{type(value).__name__} ({error})") from error
            if array.dtype.kind not in "fiu":
                raise DTypeError(f"the saved {key} of parameter {i} does not hold numbers", who=name, got=array.dtype)
            if key == "step":
                if array.size != 1 or not (array >= 0).all() or not (array < LAST_STEP).all() or (array % 1).any():
                    raise RangeError(f"the saved step of parameter {i}", who=name, expected="a whole number from 0 up",
                                     got=value)
                state[key] = int(array.reshape(()))
                continue
            if specs[key].number:
                if array.size != 1 or not np.isfinite(array).all() or not specs[key].in_range(array):
                    raise RangeError(f"the saved {key} of parameter {i}", who=name, expected="a number in its range",
                                     got=value)
                state[key] = float(array.reshape(()))
                continue
            if array.shape != specs[key].shape_for(p.shape):
                raise ShapeError(f"the saved {key} of parameter {i} does not fit", who=name,
                                 expected=specs[key].shape_for(p.shape), got=array.shape)
            if not specs[key].in_range(array):
                raise RangeError(f"the saved {key} of parameter {i}", who=name, expected=specs[key].expected,
                                 got=array.min())
            state[key] = copied(array, p.dtype)
        return state

    def __getstate__(self) -> dict[str, Any]:
        # a copy has none of the hooks, as in PyTorch
        return {**vars(self), "_hooks": {point: {} for point in HOOKS}}

    def __setstate__(self, attributes: dict[str, Any]) -> None:
        self.__dict__.update(attributes)
        for entry in self.state.values():
            for value in entry.values():
                if isinstance(value, np.ndarray):
                    restore_dtype(value)

    def __repr__(self) -> str:
        lines = [f"  {len(g['params'])} parameters: " + ", ".join(f"{k}={v}" for k, v in g.items()
                                                          if k not in ("params", "param_names"))
                 for g in self.param_groups]
        return "\n".join([f"{type(self).__name__} (", *lines, ")"])


def _listed(who: str, params: Any) -> list[Any]:
    """What was given for parameters, as a list."""
    if isinstance(params, (str, Mapping)) or not isinstance(params, Iterable):
        raise DTypeError(who=who, expected="an iterable of parameters", got=type(params).__name__,
                         hint="Pass model.parameters().")
    if isinstance(params, (set, frozenset)):
        raise DTypeError(who=who, expected="a list of parameters", got=type(params).__name__,
                         hint="A set has another order in each run.")
    return list(params)


def _named(who: str, given: list[Any]) -> tuple[list[Any], list[str] | None]:
    """(parameters, their names), of model.named_parameters(); (parameters, None) of the bare ones.
    """
    pairs = [p for p in given if isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], str)]
    if not pairs:
        return given, None
    if len(pairs) < len(given):
        raise RangeError("some parameters have names and some have not", who=who, got=f"{len(pairs)} of {len(given)}",
                         hint="Pass model.named_parameters(), or model.parameters().")
    return [p for _, p in pairs], [name for name, _ in pairs]


def _free_rule(defaults: Mapping[str, Any]) -> Rule:
    """What stands for the rule of a class that defines step() itself: its settings are any values.
    """
    return Rule(formula="", definition=_no_definition,
                settings={name: Setting(value, lambda value: True, "") for name, value in defaults.items()})


def _no_definition(*arguments: Any, **settings: Any) -> NoReturn:
    raise DTypeError("there is no rule, but a step of the class's own", who="Optimizer")


def _number(i: Any) -> int:
    """The number of a parameter in a saved state."""
    if isinstance(i, bool) or not isinstance(i, Integral):
        raise TypeError(f"{i!r} is no number")
    return int(i)


def _plain(value: Any) -> Any:
    """A setting as a number or a tuple: files have lists, and in PyTorch it may be a tensor."""
    if isinstance(value, list):
        return tuple(value)
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def _is_off(value: Any) -> bool:
    """Whether a setting that the rule does not know makes no difference."""
    return value is None or (isinstance(value, (bool, int, float)) and value == 0)


def _own(a: np.ndarray) -> np.ndarray:
    """The array, if a kernel can change it in place, else a copy."""
    return a if type(a) is np.ndarray and a.flags.carray else copied(a)


class _Work:
    """A part of a step: parameters of one group and one dtype, column by column."""

    __slots__ = ("arrays", "columns", "gradients", "kept", "new", "params", "settings", "states")

    def __init__(self, settings: dict[str, Any], params: list[Tensor], arrays: list[np.ndarray],
                 gradients: list[np.ndarray]):
        self.settings = settings
        self.params, self.gradients = params, gradients
        self.arrays = arrays                                # the parameters', to be changed
        self.states: list[dict[str, Any]] = []              # an entry of Optimizer.state for each
        # the rule's state, a column per name; and t
        self.columns: list[list[Any]] = []
        self.kept: dict[str, list[Any]] = {}                # the columns in which something is new
        # whether a parameter has no entry of Optimizer.state yet
        self.new = False

    def take(self, results: list[list[np.ndarray | None]]) -> None:
        """Write the definition's results where a kernel would have."""
        columns: list[list[Any]] = [self.arrays, *self.columns]
        for i, new in enumerate(results):
            for column, a in zip(columns, new):
                if a is None:
                    continue
                if column[i] is None:
                    column[i] = copied(a, self.arrays[i].dtype)
                elif isinstance(column[i], float):
                    column[i] = float(a)
                else:
                    column[i][...] = a


guard_all(globals())
guard_methods(Optimizer, "add_param_group", "zero_grad", *[f"register_{point}_hook" for point in HOOKS])
