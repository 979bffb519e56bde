"""Optimizer: groups of parameters with their settings, and the state that belongs to each
parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..arrays import copied, full
from ..backend import backend
from ..errors import DTypeError, RangeError, ShapeError
from ..kernels import compiled
from ..tensor import Tensor

__all__ = ["Optimizer"]


class Optimizer:
    """Base of all optimisers.

    params : an iterable of Parameters, or of dicts {"params": [...], "lr": ...} that override the
    defaults for a group.

    A subclass defines `_step(group, params)` for parameters of one dtype that all have a gradient;
    `self.state[id(p)]` is its memory.
    """

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        name = type(self).__name__
        if isinstance(params, Tensor):
            raise DTypeError(who=name, expected="an iterable of parameters", got="one tensor",
                             hint="Pass model.parameters() or [p].")
        groups = list(params)
        if not groups:
            raise ShapeError("there is nothing to optimise: the list of parameters is empty", who=name,
                             hint="An iterator like model.parameters() can be used only once; call it again.")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[int, dict[str, Any]] = {}
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Add parameters with settings of their own."""
        params = [group["params"]] if isinstance(group["params"], Tensor) else list(group["params"])
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor) or p.node is not None:
                raise DTypeError(who=type(self).__name__, expected="parameters (leaf tensors)",
                                 got=type(p).__name__ if not isinstance(p, Tensor)
                                 else "the result of an op")
            if id(p) in known:
                raise RangeError("a parameter stands in two groups, or twice in one", who=type(self).__name__)
            known.add(id(p))
        settings = {**self.defaults, **group, "params": params}
        unknown = set(settings) - set(self.defaults) - {"params"}
        if unknown:
            raise RangeError(f"unknown settings {sorted(unknown)}", who=type(self).__name__,
                             expected=f"some of {sorted(self.defaults)}")
        self._check(settings)
        self.param_groups.append(settings)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise RangeError for settings that make no sense."""
        for name in ("lr", "eps", "weight_decay"):
            if name in group and not group[name] >= 0:
                raise RangeError(who=type(self).__name__, expected=f"{name} >= 0", got=group[name])

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or fill them with zeros)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad.zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change every parameter that has a gradient; `closure`, if given, is called first and its
        result returned.
        """
        result = closure() if closure is not None else None
        for group in self.param_groups:
            for params in self._with_gradient(group):
                self._step(group, params)
                for p in params:
                    p._version[0] += 1
        return result

    def _with_gradient(self, group: dict[str, Any]) -> Iterator[list[Tensor]]:
        """The group's parameters that have a gradient, by dtype: a kernel takes one."""
        by_dtype: dict[Any, list[Tensor]] = {}
        for p in group["params"]:
            if p.grad is not None:
                data = p._data
                if p.grad._data.shape != data.shape:
                    raise ShapeError("a gradient has another shape than its parameter", who=type(self).__name__,
                                     expected=p.shape, got=p.grad.shape)
                flags = data.flags
                if not flags.c_contiguous or not flags.writeable:
                    # a parameter made from a view or a read-only array gets memory of its own
                    p._data = data.copy()
                by_dtype.setdefault(data.dtype, []).append(p)
        yield from by_dtype.values()

    def _step(self, group: dict[str, Any], params: list[Tensor]) -> None:
        raise TypeError(f"{type(self).__name__} must define _step()")

    @property
    def on_kernels(self) -> bool:
        """Whether the C kernels do the step, or the definition."""
        return compiled is not None and backend() == "kernels"

    def _zeros(self, p: Tensor, name: str) -> np.ndarray:
        """The state array of that name, zeros before the first step."""
        state = self.state.setdefault(id(p), {})
        if name not in state:
            state[name] = full(p.shape, 0, p.dtype)
        return state[name]

    # ---- checkpoints -----------------------------------------------------------------------------
    def state_dict(self) -> dict[str, Any]:
        """{"state": {number of the parameter: its state}, "param_groups": [settings, parameters by
        number]}, as in PyTorch.
        """
        number = {id(p): i for i, p in enumerate(p for group in self.param_groups for p in group["params"])}
        groups = [{**{k: v for k, v in group.items() if k != "params"},
                   "params": [number[id(p)] for p in group["params"]]}
                  for group in self.param_groups]
        return {"state": {number[key]: dict(value) for key, value in self.state.items() if key in number},
                "param_groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over settings and state; everything is checked before anything changes."""
        name = type(self).__name__
        params = [p for group in self.param_groups for p in group["params"]]
        groups = state["param_groups"]
        if [len(g["params"]) for g in groups] != [len(g["params"]) for g in self.param_groups]:
            raise ShapeError("the saved state is for other parameters", who=name,
                             expected=[len(g["params"]) for g in self.param_groups],
                             got=[len(g["params"]) for g in groups])
        order = [i for group in groups for i in group["params"]]
        fresh: dict[int, dict[str, Any]] = {}
        for p, i in zip(params, order):
            values = state["state"].get(i, state["state"].get(str(i)))
            if values is None:
                continue
            fresh[id(p)] = {}
            for key, value in values.items():
                if isinstance(value, (np.ndarray, Tensor)) and np.ndim(value) == p.ndim and p.ndim:
                    if np.shape(value) != p.shape:
                        raise ShapeError(f"the saved {key} of parameter {i} does not fit", who=name, expected=p.shape,
                                         got=np.shape(value))
                    value = copied(np.asarray(value), p.dtype)
                elif isinstance(value, (np.ndarray, Tensor)):
                    value = np.array(value)
                fresh[id(p)][key] = value
        for group, saved in zip(self.param_groups, groups):
            settings = {k: tuple(v) if isinstance(v, list) else v for k, v in saved.items() if k != "params"
                        and k in self.defaults}
            self._check({**group, **settings})
            group.update(settings)
        self.state = fresh

    def __repr__(self) -> str:
        lines = [f"  {len(g['params'])} parameters: " + ", ".join(f"{k}={v}" for k, v in g.items() if k != "params")
                 for g in self.param_groups]
        return "\n".join([f"{type(self).__name__} (", *lines, ")"])
