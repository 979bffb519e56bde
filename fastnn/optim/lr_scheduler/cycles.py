"""Schedules of a rise and a fall, counted in optimiser steps; the momentum goes the other way."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, ClassVar

from ...errors import DTypeError, RangeError
from ...guard import guard_all
from ..optimizer import Optimizer
from ..rule import Setting
from .base import LRScheduler, above_zero, between, boolean, from_zero, is_real, is_whole, one_of, whole

__all__ = ["CyclicLR", "OneCycleLR"]


class Cycles(LRScheduler):
    """Learning rate and momentum of each group between two bounds of their own."""

    cycle_momentum: bool
    use_beta1: bool

    def _bound_momentum(self, cycle_momentum: bool, base: Any, most: Any, last_epoch: int) -> None:
        """Begin with the largest momentum, and note both bounds in the groups."""
        self._set(cycle_momentum=cycle_momentum)
        if not cycle_momentum:
            return
        known = getattr(self.optimizer, "defaults", {})
        if not {"momentum", "betas"} & set(known):
            raise RangeError(f"{type(self.optimizer).__name__} has no momentum", who=type(self).__name__,
                             expected="an optimizer with momentum or betas", hint="Write cycle_momentum=False.")
        self.use_beta1 = "betas" in known
        bases, largest = (self._per_group(name, value, between(0, 1))
                          for name, value in (("base_momentum", base), ("max_momentum", most)))
        if last_epoch == -1:
            self._set_momenta(largest)
            for group, low, high in zip(self.optimizer.param_groups, bases, largest):
                group["max_momentum"], group["base_momentum"] = high, low
        self._momenta_between(bases, largest)

    def _momenta_between(self, bases: list[float], largest: list[float]) -> None:
        """For a schedule that keeps the bounds itself."""

    def _momenta(self) -> list[float]:
        """The momentum of each group at last_epoch."""
        raise NotImplementedError

    def _apply(self, rates: Iterable[float]) -> None:
        if self.cycle_momentum:
            self._set_momenta(self._momenta())
        super()._apply(rates)

    def _set_momenta(self, momenta: list[float]) -> None:
        for group, momentum in zip(self.optimizer.param_groups, momenta):
            if self.use_beta1:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum

    def _fault(self, name: str, value: Any, least: int) -> str:
        if name in ("cycle_momentum", "use_beta1") and value is not getattr(self, name):
            return f"{getattr(self, name)}, as of this schedule"
        return super()._fault(name, value, least)

    def _take_in_groups(self) -> None:
        if len(self.optimizer.param_groups) != len(self.base_lrs):
            raise RangeError("a group was added after the schedule was made, and has no bounds",
                             who=type(self).__name__, expected=f"{len(self.base_lrs)} groups",
                             got=len(self.optimizer.param_groups), hint="Make the schedule when all groups are there.")


class CyclicLR(Cycles):
    r"""The learning rate goes up and down between two bounds, again and again.

    .. math:: \eta_t = \eta_{base} + (\eta_{max} - \eta_{base}) \, s \, \Delta(t)

    Delta rises from 0 to 1 in step_size_up steps and falls back in step_size_down. s is 1 for
    "triangular", 1/2 to the number of cycles that are over for "triangular2", gamma^t for
    "exp_range". In closed form. The momentum goes from max_momentum down to base_momentum and back.

    Parameters
    ----------
    optimizer : Optimizer
    base_lr, max_lr : float, or a list with one for each group
        The bounds. base_lr becomes the learning rate at once.
    step_size_up, step_size_down : int
        Optimiser steps of the rise and of the fall, above 0; default: as many down as up.
    mode : "triangular", "triangular2" or "exp_range"
    gamma : float
        Of "exp_range".
    scale_fn : function, optional
        s instead of `mode`: of the number of the cycle, from 1, or of t. A saved state has the
        attributes of one that is an object, and nothing of others.
    scale_mode : "cycle" or "iterations"
        What scale_fn is called with.
    cycle_momentum : bool
        Change the momentum too, or the first of `betas`.
    base_momentum, max_momentum : float, or a list with one for each group
    last_epoch : as of `LRScheduler`
    interval : "step" or "epoch"
        As of `LRScheduler`; by default a step.

    Raises
    ------
    RangeError
        A setting outside its range, lists for other groups, an optimiser without momentum, a group
        that is added later.
    DTypeError
        A scale_fn that is no function.

    Smith (2017), "Cyclical learning rates for training neural networks".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0, momentum=0.9)
    >>> schedule = nn.optim.CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(4): schedule.step(); rates += schedule.get_last_lr()
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    bounds = Setting(None, lambda value: isinstance(value, (list, tuple)) and len(value) > 0
                     and all(is_real(one) and one >= 0 for one in value), "a list of numbers >= 0")
    settings: ClassVar = {
        "total_size": above_zero(), "gamma": from_zero(), "cycle_momentum": boolean(), "use_beta1": boolean(),
        "step_ratio": Setting(None, lambda value: is_real(value) and 0 < value < 1, "between 0 and 1"),
        "mode": Setting(None, lambda value: isinstance(value, str), "a word"),
        "scale_mode": one_of("cycle", "iterations"), "max_lrs": bounds, "base_momentums": bounds,
        "max_momentums": bounds,
    }
    modes = ("triangular", "triangular2", "exp_range")
    optional = ("_last_lr", "_scale_fn_custom")
    max_lrs: list[float]
    base_momentums: list[float]
    max_momentums: list[float]
    mode: str
    gamma: float
    scale_mode: str
    total_size: float
    step_ratio: float

    def __init__(self, optimizer: Optimizer, base_lr: float | list[float], max_lr: float | list[float],
                 step_size_up: float = 2000, step_size_down: float | None = None, mode: str = "triangular",
                 gamma: float = 1.0, scale_fn: Callable[[float], float] | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum: float | list[float] = 0.8,
                 max_momentum: float | list[float] = 0.9, last_epoch: int = -1, *, interval: str = "step"):
        self._attach(optimizer, interval)
        self._check_last_epoch(last_epoch)
        base_lrs = self._per_group("base_lr", base_lr, from_zero())
        self.max_lrs = self._per_group("max_lr", max_lr, from_zero())
        down = step_size_up if step_size_down is None else step_size_down
        for name, value in (("step_size_up", step_size_up), ("step_size_down", down)):
            if not above_zero().holds_for(value):
                raise RangeError(who="CyclicLR", expected=f"{name} > 0", got=repr(value))
        if scale_fn is not None and not callable(scale_fn):
            raise DTypeError(who="CyclicLR", expected="scale_fn, a function, or None", got=type(scale_fn).__name__)
        if scale_fn is None and mode not in self.modes:
            raise RangeError(who="CyclicLR", expected=f"mode, {' or '.join(map(repr, self.modes))}, or a scale_fn",
                             got=repr(mode))
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self._set(total_size=float(step_size_up) + float(down), mode=mode, gamma=gamma, scale_mode=scale_mode,
                  step_ratio=float(step_size_up) / (float(step_size_up) + float(down)))
        self._scale_fn_custom = scale_fn
        self._bound_momentum(cycle_momentum, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs):
                group["lr"] = rate
                group.setdefault("initial_lr", rate)
        self.base_lrs, self.last_epoch = base_lrs, last_epoch
        self._begin()

    def scale_fn(self, x: float) -> float:
        """s of a cycle, or of a step."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular2":
            return 0.5 ** (x - 1)
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def _height(self) -> float:
        """s Delta(t)."""
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        share = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        return share * self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)

    def get_lr(self) -> list[float]:
        height = self._height()
        return [base + (most - base) * height for base, most in zip(self.base_lrs, self.max_lrs)]

    def _momenta_between(self, bases: list[float], largest: list[float]) -> None:
        self.base_momentums, self.max_momentums = bases, largest

    def _momenta(self) -> list[float]:
        height = self._height()
        return [most - (most - base) * height for base, most in zip(self.base_momentums, self.max_momentums)]

    def _saved(self, name: str, value: Any) -> Any:
        if name != "_scale_fn_custom":
            return super()._saved(name, value)
        # of a function that is an object its attributes, of others nothing
        return None if isinstance(value, (FunctionType, type(None))) else super()._saved(name, vars(value))

    def _taken(self, name: str, value: Any) -> Any:
        return self._scale_fn_custom if name == "_scale_fn_custom" else super()._taken(name, value)

    def _fault(self, name: str, value: Any, least: int) -> str:
        if name == "_scale_fn_custom":
            own = getattr(self._scale_fn_custom, "__dict__", {})
            return "" if value is None or (isinstance(value, Mapping) and set(value) <= set(own)) \
                else "None or the attributes of scale_fn"
        if name == "mode" and self._scale_fn_custom is None:
            return "" if isinstance(value, str) and value in self.modes else " or ".join(map(repr, self.modes))
        if name in ("base_lrs", "max_lrs", "base_momentums", "max_momentums"):
            groups = len(self.base_lrs)
            fits = self.bounds.holds_for(value) and len(value) == groups
            return "" if fits else f"{groups} numbers from 0 up"
        return super()._fault(name, value, least)

    def _loaded(self, state_dict: Any, least: int = 0) -> Callable[[], None]:
        take = super()._loaded(state_dict, least)
        attributes = state_dict.get("_scale_fn_custom")

        def take_all() -> None:
            take()
            if attributes:
                vars(self._scale_fn_custom).update(super(CyclicLR, self)._taken("", attributes))
        return take_all


class OneCycleLR(Cycles):
    r"""The learning rate rises to its maximum and falls to nearly nothing, once.

    .. math:: \frac{\eta_{max}}{\text{div\_factor}} \;\to\; \eta_{max} \;\to\;
        \frac{\eta_{max}}{\text{div\_factor} \cdot \text{final\_div\_factor}}

    The rise ends with step pct_start total_steps - 1, the fall with step total_steps - 1; from a to
    b along half a cosine, b + (a - b) (1 + cos(pi x)) / 2, or linearly. In three phases, as in the
    paper, the fall is first as long as the rise and leads back to the beginning. In closed form.
    The momentum goes from max_momentum down to base_momentum and back.

    Parameters
    ----------
    optimizer : Optimizer
    max_lr : float, or a list with one for each group
    total_steps : int, optional
        Optimiser steps in all; default: epochs times steps_per_epoch.
    epochs, steps_per_epoch : int, optional
    pct_start : float
        The share of the steps in which the learning rate rises.
    anneal_strategy : "cos" or "linear"
    cycle_momentum : bool
        Change the momentum too, or the first of `betas`.
    base_momentum, max_momentum : float, or a list with one for each group
    div_factor, final_div_factor : float
        Above 0.
    three_phase : bool
    last_epoch : as of `LRScheduler`
    interval : "step" or "epoch"
        As of `LRScheduler`; by default a step.

    Raises
    ------
    RangeError
        A setting outside its range, lists for other groups, an optimiser without momentum, a group
        that is added later. In step(): the steps are over.

    The bounds are in the groups, as "initial_lr", "max_lr", "min_lr", "base_momentum" and
    "max_momentum".

    Smith, Topin (2019), "Super-convergence: very fast training of neural networks using large
    learning rates".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0, momentum=0.9)
    >>> schedule = nn.optim.OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(9): schedule.step(); rates += schedule.get_last_lr()
    >>> [round(lr, 2) for lr in rates]
    [0.04, 0.52, 1.0, 0.95, 0.81, 0.61, 0.39, 0.19, 0.05, 0.0]
    """

    settings: ClassVar = {
        "total_steps": whole(1), "pct_start": between(0, 1), "_anneal_func_type": one_of("cos", "linear"),
        "three_phase": boolean(), "cycle_momentum": boolean(), "use_beta1": boolean(),
    }
    # PyTorch's state has them in another form: they are to be those of this schedule
    optional = ("_last_lr", "pct_start", "three_phase")
    total_steps: int
    pct_start: float
    three_phase: bool
    _anneal_func_type: str

    def __init__(self, optimizer: Optimizer, max_lr: float | list[float], total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True,
                 base_momentum: float | list[float] = 0.85, max_momentum: float | list[float] = 0.95,
                 div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False,
                 last_epoch: int = -1, *, interval: str = "step"):
        self._attach(optimizer, interval)
        self._check_last_epoch(last_epoch)
        if total_steps is None and (epochs is None or steps_per_epoch is None):
            raise RangeError(who="OneCycleLR", expected="total_steps, or epochs and steps_per_epoch", got="neither")
        for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
            if total_steps is None and not is_whole(value, 1):
                raise RangeError(who="OneCycleLR", expected=f"{name} >= 1, a whole number", got=repr(value))
        for name, divisor in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
            if not above_zero().holds_for(divisor):
                raise RangeError(who="OneCycleLR", expected=f"{name} > 0", got=repr(divisor))
        if not one_of("cos", "linear").holds_for(anneal_strategy):
            raise RangeError(who="OneCycleLR", expected="anneal_strategy 'cos' or 'linear'", got=repr(anneal_strategy))
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = epochs * steps_per_epoch
        self._set(total_steps=total_steps,
                  pct_start=pct_start, three_phase=three_phase, _anneal_func_type=anneal_strategy)
        largest = self._per_group("max_lr", max_lr, from_zero())
        self._bound_momentum(cycle_momentum, base_momentum, max_momentum, last_epoch)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, largest):
                group["initial_lr"], group["max_lr"] = most / div_factor, most
                group["min_lr"] = most / div_factor / final_div_factor
        super().__init__(optimizer, last_epoch, interval=interval)

    def _phases(self) -> list[tuple[float, str, str, str, str]]:
        """(its last step, learning rate from, to, momentum from, to) of each phase."""
        last, rise = self.total_steps - 1, self.pct_start * self.total_steps
        up = (rise - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum")
        if not self.three_phase:
            return [up, (last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
        return [up, (2*rise - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                (last, "initial_lr", "min_lr", "max_momentum", "max_momentum")]

    def _now(self) -> tuple[float, str, str, str, str]:
        """(how much of the phase is over, the names of its ends)."""
        t, phases = self.last_epoch, self._phases()
        if t > self.total_steps:
            raise RangeError("all steps are done", who="OneCycleLR.step", expected=f"at most {self.total_steps}", got=t,
                             hint="total_steps is the number of optimiser steps: epochs times batches.")
        number = next((i for i, phase in enumerate(phases) if t <= phase[0]), len(phases) - 1)
        begin, end = phases[number - 1][0] if number else 0.0, phases[number][0]
        # a phase without length is over at once; the step behind the last one stays at the end
        share = min(1.0, (t - begin) / (end - begin)) if end > begin else 1.0
        return share, *phases[number][1:]

    def _between(self, group: Mapping[str, Any], begin: str, end: str, share: float) -> float:
        if begin not in group or end not in group:
            raise RangeError(f"a group has lost {begin if begin not in group else end}", who="OneCycleLR.step",
                             hint="Load the optimizer's state before the schedule is made, or one that was saved "
                             "with it.")
        a, b = group[begin], group[end]
        if self._anneal_func_type == "linear":
            return a + (b - a) * share
        return b + (a - b) / 2 * (1 + math.cos(math.pi * share))

    def get_lr(self) -> list[float]:
        share, begin, end, *_ = self._now()
        return [self._between(group, begin, end, share) for group in self.optimizer.param_groups]

    def _momenta(self) -> list[float]:
        share, *_, begin, end = self._now()
        return [self._between(group, begin, end, share) for group in self.optimizer.param_groups]


guard_all(globals())
