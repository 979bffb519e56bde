"""A rule is data: what one optimiser does, as a record. The class Optimizer does the rest.

To add an optimiser, write three things:

1. a definition in NumPy, one function in fastnn/reference/optim.py;
2. a class with PyTorch's signature and a docstring, a subclass of Optimizer;
3. a record, `register(TheClass, Rule(...))`, under the class.

Nothing else: the base class gathers parameters, checks, keeps the state, saves and loads it. The
laws of tests/optim run over all records: that the rule equals its definition and PyTorch's over 50
steps, and that a step which cannot be done changes nothing. A kernel is welcome and not needed:
without one the definition runs.

>>> import numpy as np, fastnn as nn
>>> from fastnn.optim.rule import Rule, at_least_zero
>>> class SignSGD(nn.optim.Optimizer):
...     "Steps of one length, whatever the size of the gradient."
...     rule = Rule(formula="p -= lr sign(g)",
...                 definition=lambda p, g, *, lr: (p - lr * np.sign(g),),
...                 settings={"lr": at_least_zero(0.01)})
...     def __init__(self, params, lr=0.01):
...         super().__init__(params, {"lr": lr})
>>> p = nn.Parameter([1.0, -2.0])
>>> optimizer = SignSGD([p], lr=0.5)
>>> (p * p).sum().backward(); optimizer.step(); p
parameter([ 0.5, -1.5], requires_grad=True)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..backend import backend
from ..errors import RangeError
from ..kernels import compiled

__all__ = ["RULES", "Rule", "Setting", "State", "are_numbers", "at_least_zero", "betas", "fraction", "markdown",
           "number", "on_kernels", "pair", "register", "switch"]


@dataclass(frozen=True, eq=False)
class Rule:
    """The record of one optimiser.

    formula       one line for tables
    definition    a step in NumPy: (p, g, *state, *[t], **settings) -> (p, *state); see
                  fastnn/reference/optim.py
    settings      name -> Setting, in the order of the class's signature: what a group can set
    kernel        the same step for many parameters of one dtype: it takes a list wherever the
                  definition takes an array (and t), and changes p and the state in place. A state
                  that is None in its list is put there; a state that is a number is
                  replaced in its list. None: the definition runs
    state         what the rule keeps for each parameter, in the order of the definition's arguments
    dimensions    the number of dimensions that a parameter must have; None: any
    counts_steps  whether the state has "step", the number of steps so far; the definition takes t
    fixed         further settings of the definition, which a group cannot change
    check         check(who, settings): raises RangeError where settings exclude each other
    samples       name -> settings, for the laws: every branch of the definition at least once
    """

    formula: str
    definition: Callable[..., tuple[Any, ...]]
    settings: Mapping[str, Setting]
    kernel: Callable[..., None] | None = None
    state: tuple[State, ...] = ()
    counts_steps: bool = False
    dimensions: int | None = None
    fixed: Mapping[str, Any] = field(default_factory=dict)
    check: Callable[[str, Mapping[str, Any]], None] | None = None
    samples: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"defaults": {}})

    @property
    def defaults(self) -> dict[str, Any]:
        """{name: default} of all settings."""
        return {name: setting.default for name, setting in self.settings.items()}

    def check_settings(self, who: str, values: Mapping[str, Any]) -> None:
        """Raise RangeError for settings that make no sense. `values` has all of them."""
        for name, setting in self.settings.items():
            if not setting.holds_for(values[name]):
                raise RangeError(who=who, expected=f"{name} {setting.expected}", got=repr(values[name]))
        if self.check is not None:
            self.check(who, values)


@dataclass(frozen=True, eq=False)
class Setting:
    """A number or switch of a rule: its default, and what it must be.

    holds     function(value) -> bool; a value of a wrong type may make it raise
    expected  the same in words, to stand behind the setting's name: ">= 0 and finite"
    """

    default: Any
    holds: Callable[[Any], bool]
    expected: str

    def holds_for(self, value: Any) -> bool:
        """Whether the value is allowed; one of a wrong type is not."""
        try:
            return bool(self.holds(value))
        except (TypeError, ValueError, OverflowError, RuntimeError):    # PyTorch's the last
            return False


@dataclass(frozen=True, eq=False)
class State:
    """What a rule keeps for a parameter from step to step: an array of the parameter's shape and
    dtype, unless `shape` or `number` says otherwise.

    name     PyTorch's key in the state_dict
    initial  what it holds before the first step: a number, or the name of a setting; None: it does
             not exist, and the definition gets None
    only_if  a setting: while it is zero or false, the rule neither reads nor writes this state
    least    the least number that it can hold: 0 for a mean of squares; -inf: any
    most     the largest number that it can hold; inf: any
    shape    shape(the parameter's) -> its own, or None for a parameter that has no such state
    number   it is one number, a float
    """

    name: str
    initial: float | str | None = 0.0
    only_if: str | None = None
    least: float = -math.inf
    most: float = math.inf
    shape: Callable[[tuple[int, ...]], tuple[int, ...] | None] | None = None
    number: bool = False

    def used(self, settings: Mapping[str, Any]) -> bool:
        """Whether the rule reads and writes it under these settings."""
        return self.only_if is None or bool(settings[self.only_if])

    def shape_for(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Its shape for a parameter of that shape; None: there is no such state."""
        return shape if self.shape is None else self.shape(shape)

    def first(self, settings: Mapping[str, Any]) -> Any:
        """What it holds before the first step."""
        return settings[self.initial] if isinstance(self.initial, str) else self.initial

    def in_range(self, value: Any) -> bool:
        """Whether all numbers of it can be there; NaN can."""
        return not (np.less(value, self.least).any() or np.greater(value, self.most).any())

    @property
    def expected(self) -> str:
        """The numbers that it can hold, in words."""
        return f"numbers {between(self.least, self.most)}".rstrip()

    @property
    def like_the_parameter(self) -> bool:
        """Whether it is an array of the parameter's shape."""
        return self.shape is None and not self.number


# ---- kinds of settings ---------------------------------------------------------------------------
def number(default: float, least: float = -math.inf, most: float = math.inf) -> Setting:
    """A finite number between two bounds, which are allowed themselves.

    >>> number(1.0, least=1).expected, number(-0.8, most=0).expected, number(0.9, 0, 1).expected
    ('>= 1 and finite', '<= 0 and finite', 'from 0 to 1')
    """
    bounded = math.isfinite(least) and math.isfinite(most)
    return Setting(default, lambda value: are_numbers([value]) and least <= value <= most,
                   between(least, most) + (" and finite" if not bounded else ""))


def at_least_zero(default: float) -> Setting:
    """A finite number from 0 up."""
    return number(default, least=0)


def fraction(default: float) -> Setting:
    """A number from 0 to 1."""
    return number(default, 0, 1)


def pair(default: tuple[float, float], holds: Callable[[float, float], bool], expected: str) -> Setting:
    """Two numbers for which holds(first, second)."""
    return Setting(default, lambda value: isinstance(value, (tuple, list)) and len(value) == 2 and are_numbers(value)
                   and holds(*value), f"a pair with {expected}")


def betas(default: tuple[float, float] = (0.9, 0.999)) -> Setting:
    """The decay rates of two running means: of each, the fraction beta is kept in a step."""
    return pair(default, lambda beta1, beta2: 0 <= beta1 < 1 and 0 <= beta2 < 1, "0 <= beta < 1")


def switch(default: bool) -> Setting:
    """True or False."""
    return Setting(default, lambda value: value in (True, False), "True or False")


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether all are finite numbers that a float can hold, and no booleans; TypeError or
    OverflowError for what is no number at all or too large.
    """
    return all(not isinstance(value, (bool, np.bool_)) and math.isfinite(value) for value in values)


def between(least: float, most: float) -> str:
    """Two bounds in words; a bound that is infinite is none."""
    if math.isfinite(least) and math.isfinite(most):
        return f"from {least:g} to {most:g}"
    return f">= {least:g}" if math.isfinite(least) else f"<= {most:g}" if math.isfinite(most) else ""


# class -> rule, of every optimiser that fastnn has
RULES: dict[type, Rule] = {}


def register(optimizer: Any, rule: Rule) -> None:
    """Give a class its rule, and put both into the table that the laws run over."""
    optimizer.rule = rule
    RULES[optimizer] = rule


def markdown() -> str:
    """The table of all rules for the documentation (tools/readme.py). Papers are the paragraph of
    the class's docstring that has their years.
    """
    rows = []
    for optimizer, rule in RULES.items():
        papers = [" ".join(part.split()) for part in (optimizer.__doc__ or "").split("\n\n")
                  if re.search(r"\((19|20)\d\d\)", part)]
        settings = ", ".join(f"`{name}={default}`" for name, default in rule.defaults.items())
        rows.append(f"| `{optimizer.__name__}` | `{rule.formula}` | {settings} | {' '.join(papers)} |")
    return "\n".join(["| name | a step | settings | papers |", "|---|---|---|---|", *rows, ""])


def on_kernels() -> bool:
    """Whether compiled kernels run, or the definitions in NumPy: by nn.use_backend, or because
    there was no compiler.
    """
    return compiled is not None and backend() == "kernels"
