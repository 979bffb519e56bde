"""The law of optimisers: over many steps the class goes where its rule's definition goes.

    trajectory_is_the_definition(nn.optim.Adam, {"lr": 0.01}, np.float32)

Public: run it on your own optimiser. tests/optim runs it over every rule, and compares the same
course with PyTorch.

The course: parameters of eight shapes in two groups, one with half the learning rate. The gradients
are random and do not depend on the parameters, so that rounding does not feed on itself. In some
steps some parameters have no gradient; one never has any.

The rounding allowance is derived, not tuned. With u the unit roundoff, a step rounds a parameter by
u |p| when it is added, and by u |p| more where weight decay scales it with a rounded constant; the
step's own length has relative errors of about as much. Momentum hands an error on to later steps,
as it hands on the step. Over n steps that is

    2 n u (max |p| + length of the path)

for each element. The state is held to the same bound, with its own size in place of the path.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from ..backend import use_backend
from ..guard import named
from ..op import seeded
from ..tensor import Parameter, tensor

__all__ = ["SHAPES", "STEPS", "Course", "definition_course", "trajectory_is_the_definition", "within"]

STEPS = 50
# a number, one, none, a matrix, one block of the kernels (8,192), more than one and an odd rest
SHAPES = ((), (1,), (0, 4), (3, 5), (7,), (9001,), (2, 8192), (3, 5, 1093))
IDLE = 4                            # the number of the shape that never has a gradient


@dataclass
class Course:
    """Where a run went: for each shape the parameter, the state and the number of its steps, at the
    end; and for the allowance the largest |p| and |state| and the length of the path, element by
    element.
    """

    params: list[np.ndarray]
    states: list[dict[str, np.ndarray]]
    steps: list[int]
    largest: list[np.ndarray]
    path: list[np.ndarray]
    largest_states: list[dict[str, np.ndarray]]


def takes(optimizer: Any, a: np.ndarray) -> bool:
    """Whether the rule is for parameters of this shape."""
    return optimizer.rule.dimensions in (None, a.ndim)


def starts(dtype: Any, optimizer: Any) -> list[np.ndarray]:
    """The parameters before the first step."""
    rng = seeded("trajectory: parameters")
    drawn = [np.asarray(rng.standard_normal(shape), np.float32).astype(dtype) for shape in SHAPES]
    return [a for a in drawn if takes(optimizer, a)]


def gradients(step: int, dtype: Any, optimizer: Any) -> list[np.ndarray | None]:
    """The gradients of a step, from 0, for each parameter; None for one without. The numbers are
    float32's, so that both dtypes see the same.
    """
    return [None if i == IDLE or (step + i) % 5 == 4 else g.astype(dtype) for i, g in enumerate(_draw(step))
            if takes(optimizer, g)]


def first_state(rule: Any, shape: tuple[int, ...], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The state of a parameter of this shape before its first step."""
    state: dict[str, Any] = {}
    for spec in rule.state:
        own = spec.shape_for(shape)
        if spec.used(settings) and own is not None:
            first = spec.first(settings)
            state[spec.name] = first if first is None or spec.number else np.full(own, float(first))
    return state


@cache
def _draw(step: int) -> list[np.ndarray]:
    rng = seeded(f"trajectory: step {step}")
    return [np.asarray(rng.standard_normal(shape), np.float32) for shape in SHAPES]


def groups(params: Sequence[Any], settings: Mapping[str, Any], lr: float) -> list[dict[str, Any]]:
    """Two groups, odd and even numbers; the second learns half as fast."""
    return [{"params": list(params[0::2]), **settings}, {"params": list(params[1::2]), **settings, "lr": lr / 2}]


def definition_course(optimizer: Any, settings: Mapping[str, Any], steps: int = STEPS) -> Course:
    """The course of a rule's definition, in float64, without anything of the class Optimizer."""
    rule = optimizer.rule
    given = {**rule.defaults, **settings, **rule.fixed}
    params: list[Any] = starts(np.float64, optimizer)
    states = [first_state(rule, p.shape, {**given, "lr": given["lr"] / (1 + i % 2)}) for i, p in enumerate(params)]
    count = [0] * len(params)
    largest, path = [np.abs(p) for p in params], [np.zeros(p.shape) for p in params]
    largest_states: list[dict[str, Any]] = [{} for _ in params]
    for step in range(steps):
        for i, g in enumerate(gradients(step, np.float64, optimizer)):
            if g is None:
                continue
            count[i] += 1
            here = {**given, "lr": given["lr"] / (1 + i % 2)}
            g = -g if here.pop("maximize", False) else g
            before = [states[i].get(spec.name) for spec in rule.state]
            new, *after = rule.definition(params[i], g, *before, *([count[i]] if rule.counts_steps else []), **here)
            path[i] += np.abs(new - params[i])
            params[i] = new
            largest[i] = np.maximum(largest[i], np.abs(new))
            for spec, a in zip(rule.state, after):
                if spec.used(given) and a is not None:
                    states[i][spec.name] = a
                    largest_states[i][spec.name] = np.maximum(largest_states[i].get(spec.name, 0), np.abs(a))
    return Course(params, states, count, largest, path, largest_states)


def class_course(optimizer: Any, settings: Mapping[str, Any], dtype: Any, steps: int = STEPS) -> tuple[Any, list[Any]]:
    """The same course by the class itself: (the optimiser, its parameters) at the end."""
    params = [Parameter(a) for a in starts(dtype, optimizer)]
    opt = optimizer(groups(params, settings, {**optimizer.rule.defaults, **settings}["lr"]))
    for step in range(steps):
        for p, g in zip(params, gradients(step, dtype, optimizer)):
            p.grad = None if g is None else tensor(g)
        opt.step()
    return opt, params


def within(what: str, got: np.ndarray, want: np.ndarray, allowed: np.ndarray, dtype: Any) -> float:
    """The worst error as a share of the allowance; AssertionError above 1."""
    assert got.shape == want.shape, f"{what}: shape {got.shape}, expected {want.shape}"
    assert got.dtype == dtype, f"{what}: dtype {got.dtype}, expected {np.dtype(dtype)}"
    if want.size == 0:
        return 0.0
    share = np.abs(got.astype(np.float64) - want) / allowed
    worst = float(np.where(np.isnan(share), np.inf, share).max())
    at = np.unravel_index(int(share.argmax()), want.shape)
    assert worst <= 1, f"{what}: error {worst:.3g} x the allowance: got {got[at]!r}, expected {want[at]!r}"
    return worst


def allowance(largest: np.ndarray | float, path: np.ndarray | float, dtype: Any, steps: int) -> np.ndarray:
    """The bound at the head of this file, element by element."""
    unit = float(np.finfo(dtype).eps) / 2
    return 2 * steps * unit * (np.asarray(largest) + path) + float(np.finfo(dtype).tiny)


@named
def trajectory_is_the_definition(optimizer: Any, settings: Mapping[str, Any], dtype: Any, *,
                                 backend: str = "kernels", steps: int = STEPS, want: Course | None = None,
                                 run: Callable[..., tuple[Any, list[Any]]] = class_course) -> float:
    """Run the course twice, by the class and by its rule's definition, and compare parameters,
    state and counts of steps.

    Parameters
    ----------
    optimizer : a subclass of Optimizer
    settings : {name: value}
        For both groups.
    dtype : float32 or float64
        Of the class's run; the definition's is float64.
    backend : "kernels" or "reference"
    want : Course
        The definition's course, where it is known already: definition_course(optimizer, settings).

    Returns
    -------
    float : the worst error as a share of the rounding allowance.

    Raises
    ------
    AssertionError
        They differ by more than rounding, or in what the state holds; the message says where.

    >>> import numpy as np, fastnn as nn
    >>> nn.testing.trajectory_is_the_definition(nn.optim.SGD, {"lr": 0.1}, np.float32) < 1
    True
    """
    want = definition_course(optimizer, settings, steps) if want is None else want
    with use_backend(backend):
        opt, params = run(optimizer, settings, dtype, steps)
    worst, who = 0.0, optimizer.__name__
    for i, p in enumerate(params):
        what = f"{who}{dict(settings)}, the parameter of shape {p.shape}"
        allowed = allowance(want.largest[i], want.path[i], dtype, steps)
        worst = max(worst, within(what, p.data, want.params[i], allowed, dtype))
        state = dict(opt.state.get(p, {}))
        assert state.pop("step", 0) == (want.steps[i] if optimizer.rule.counts_steps else 0), f"{what}: count of steps"
        begun = set(want.states[i]) if want.steps[i] else set()
        assert set(state) == begun, f"{what}: the state holds {sorted(state)}, expected {sorted(begun)}"
        specs = {spec.name: spec for spec in optimizer.rule.state}
        for name in begun:
            if specs[name].number:
                np.testing.assert_allclose(state[name], want.states[i][name], rtol=1e-12, err_msg=f"{what}, its {name}")
                continue
            largest = want.largest[i] if specs[name].like_the_parameter else want.largest[i].max(initial=0)
            # a sum of gradients and of decayed parameters
            allowed = allowance(largest, want.largest_states[i][name], dtype, steps)
            worst = max(worst, within(f"{what}, its {name}", state[name], want.states[i][name], allowed, dtype))
    return worst
