"""LRScheduler, the base of all schedules: what it is attached to, when it steps, what it keeps."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

from ...errors import DTypeError, RangeError
from ...guard import guard_methods
from ..optimizer import Optimizer
from ..rule import Setting

__all__ = ["LRScheduler"]

LAST = 2**53                                        # beyond it a float does not count by ones


class LRScheduler:
    r"""Base of schedules: they change the learning rate of each group as training goes on.

    A subclass defines `get_lr()`, the list of the groups' learning rates at epoch `last_epoch`. A
    schedule is *chainable* if it multiplies the learning rate that a group has now: then two of
    them on one optimiser multiply, one set by hand is gone on from, and a group may be added later.
    One in *closed form* computes it from the group's first learning rate, and so replaces what
    others did.

    Parameters
    ----------
    optimizer : Optimizer
        Its groups' learning rates now are the first ones, unless a schedule noted others before, as
        "initial_lr" in the group.
    last_epoch : int
        -1 begins. Another goes on behind that epoch: the groups need their "initial_lr", and their
        learning rates are to be those of the epoch that begins.
    interval : "epoch" or "step"
        What one call of step() stands for: `fit` calls it after each epoch, or after each
        optimiser step.

    Attributes
    ----------
    last_epoch : int
        How often step() was called.
    base_lrs : list of float
        The first learning rate of each group.

    Raises
    ------
    RangeError
        Another interval, or a last_epoch without the first learning rates.
    DTypeError
        Something that is no optimiser.

    A group that is added to the optimiser is taken in at the next step: its learning rate then is
    its first. A schedule that was given a value for each group refuses.

    Examples
    --------
    >>> import fastnn as nn
    >>> class Halving(nn.optim.lr_scheduler.LRScheduler):
    ...     def get_lr(self):
    ...         return [base * 0.5 ** self.last_epoch for base in self.base_lrs]
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    # name of an attribute -> what it must be: checked when it is given, and when it is loaded
    settings: ClassVar[Mapping[str, Setting]] = {}
    # what a saved state need not have
    optional: ClassVar[tuple[str, ...]] = ("_last_lr",)

    last_epoch: int
    base_lrs: list[float]
    # whether the step that is being done is the one that begins
    _is_initial: bool = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1, *, interval: str = "epoch"):
        self._attach(optimizer, interval)
        self._check_last_epoch(last_epoch)
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", lr_of(group))
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._begin()

    # ---- what there is to call -------------------------------------------------------------------
    def get_lr(self) -> list[float]:
        """The learning rate of each group at epoch last_epoch, from what the groups hold now. What
        was set last is get_last_lr().
        """
        raise DTypeError(f"{type(self).__name__} must define get_lr()", who=type(self).__name__)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group as the last step set it."""
        return list(self._last_lr)

    def step(self, epoch: int | None = None) -> None:
        """One epoch, or one optimiser step, is over; call it behind optimizer.step().

        With `epoch`, PyTorch's older form, go to where that one begins: in closed form where the
        schedule has one.
        """
        if epoch is not None and not is_whole(epoch, 0):
            raise RangeError(who=f"{type(self).__name__}.step", expected="epoch, an integer from 0 up",
                             got=repr(epoch))
        self._update(epoch)

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps: last_epoch, the first learning rates, the last ones, and the
        settings, under PyTorch's names.
        """
        self._take_in_groups()
        return {name: self._saved(name, value) for name, value in vars(self).items() if self._is_kept(name)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken, of this schedule or of PyTorch's of the same name,
        with the settings that it had there. The groups' learning rates are the optimiser's to
        restore. Everything is checked before anything changes.

        Raises
        ------
        RangeError
            Something missing or outside its range, or made for more groups.
        """
        self._loaded(state_dict)()

    # ---- the beginning ---------------------------------------------------------------------------
    def _attach(self, optimizer: Any, interval: str) -> None:
        who = type(self).__name__
        if interval not in ("epoch", "step"):
            raise RangeError(who=who, expected='interval "epoch" or "step"', got=repr(interval))
        if not isinstance(getattr(optimizer, "param_groups", None), list):
            raise DTypeError(who=who, expected="an optimizer with param_groups", got=type(optimizer).__name__)
        self.optimizer, self.interval = optimizer, interval

    def _check_last_epoch(self, last_epoch: Any) -> None:
        who = type(self).__name__
        if not is_whole(last_epoch, -1):
            raise RangeError(who=who, expected="last_epoch, an integer from -1 up", got=repr(last_epoch))
        for k, group in enumerate(self.optimizer.param_groups):
            if last_epoch >= 0 and "initial_lr" not in group:
                raise RangeError(f"group {k} has no initial_lr to go on from", who=who,
                                 expected="last_epoch=-1", got=last_epoch,
                                 hint="schedule.load_state_dict(...) takes up a schedule again.")

    def _set(self, **values: Any) -> None:
        """Settings, checked, as attributes."""
        for name, value in values.items():
            if not self.settings[name].holds_for(value):
                raise RangeError(who=type(self).__name__, expected=f"{name} {self.settings[name].expected}",
                                 got=repr(value))
        vars(self).update(values)

    def _per_group(self, name: str, value: Any, allowed: Setting) -> list[float]:
        """A number for each group, of one for all or of a list."""
        groups = len(self.optimizer.param_groups)
        numbers = list(value) if isinstance(value, (list, tuple)) else [value]*groups
        if len(numbers) != groups or not all(allowed.holds_for(one) for one in numbers):
            raise RangeError(who=type(self).__name__, got=repr(value),
                             expected=f"{name} {allowed.expected}, or a list of {groups} such, one for each group")
        return numbers

    def _begin(self) -> None:
        """The first step, to epoch 0, or to the one behind the last."""
        self._is_initial = True
        try:
            self.step()
        finally:
            del self._is_initial

    # ---- for schedules of schedules --------------------------------------------------------------
    def _undo(self) -> None:
        """Forget the first step, except for what it set."""
        self.last_epoch -= 1

    def _restart(self) -> None:
        """Go to the beginning, whatever the learning rates are now."""
        self._update(0)

    # ---- a step ----------------------------------------------------------------------------------
    def _update(self, epoch: int | None) -> None:
        """Go to the next epoch, or to that one. After an error everything is as it was."""
        self._take_in_groups()
        before = self.last_epoch
        try:
            self.last_epoch = before + 1 if epoch is None else int(epoch)
            compute = self.get_lr if epoch is None else getattr(self, "_get_closed_form_lr", self.get_lr)
            rates = compute()
            if not isinstance(rates, (list, tuple)) or len(rates) != len(self.optimizer.param_groups):
                raise RangeError(who=f"{type(self).__name__}.get_lr", got=repr(rates),
                                 expected=f"a list of {len(self.optimizer.param_groups)}, one for each group")
            self._apply(rates)
        except BaseException:
            self.last_epoch = before
            raise

    def _apply(self, rates: Iterable[float]) -> None:
        """These are the groups' learning rates from now on."""
        for group, rate in zip(self.optimizer.param_groups, rates):
            group["lr"] = rate
        self._last_lr = current(self.optimizer)

    def _take_in_groups(self) -> None:
        """Note the first learning rates of groups that were added since."""
        groups = self.optimizer.param_groups
        for group in groups[len(self.base_lrs):]:
            self.base_lrs.append(group.setdefault("initial_lr", lr_of(group)))
        if len(groups) < len(self.base_lrs):
            raise RangeError("the optimizer has lost groups since the schedule was made", who=type(self).__name__,
                             expected=f"{len(self.base_lrs)} groups", got=len(groups))

    # ---- what is kept ----------------------------------------------------------------------------
    def _is_kept(self, name: str) -> bool:
        return name not in ("optimizer", "interval", "_is_initial")

    def _saved(self, name: str, value: Any) -> Any:
        """An attribute as it is saved."""
        return copy.deepcopy(value)

    def _taken(self, name: str, value: Any) -> Any:
        """A saved value as an attribute."""
        return copy.deepcopy(value)

    def _loaded(self, state_dict: Any, least: int = 0) -> Callable[[], None]:
        """Checks a saved state; what it returns takes it over. least: the first epoch."""
        who, mine = f"{type(self).__name__}.load_state_dict", [name for name in vars(self) if self._is_kept(name)]
        needed = [name for name in mine if name not in self.optional]
        if not isinstance(state_dict, Mapping) or not set(needed) <= set(state_dict):
            raise RangeError(who=who, expected=f"the keys {', '.join(needed)}",
                             got=sorted(map(str, state_dict)) if isinstance(state_dict, Mapping)
                             else type(state_dict).__name__)
        state = {name: state_dict[name] for name in mine if name in state_dict}
        for name, value in state.items():
            wrong = self._fault(name, value, least)
            if wrong:
                raise RangeError(who=who, expected=f"{name}, {wrong}" if wrong[0].isalnum() else f"{name} {wrong}",
                                 got=repr(value))
        taken = {name: self._taken(name, value) for name, value in state.items()}

        def take() -> None:
            vars(self).update(taken)
        return take

    def _fault(self, name: str, value: Any, least: int) -> str:
        """What a saved value should have been, if it is something else."""
        groups = len(self.optimizer.param_groups)
        if name == "last_epoch":
            return "" if is_whole(value, least) and value < LAST else f"an integer from {least} up"
        if name in ("base_lrs", "_last_lr"):
            fits = isinstance(value, (list, tuple)) and 1 <= len(value) <= groups and all(map(is_number, value))
            return "" if fits else f"{groups} numbers from 0 up"
        allowed = self.settings.get(name)
        return "" if allowed is None or allowed.holds_for(value) else allowed.expected


def lr_of(group: Mapping[str, Any]) -> float:
    """The learning rate of a group as a number: it may be a tensor of one."""
    value = group["lr"]
    return value if isinstance(value, (int, float)) else float(value)


def current(optimizer: Optimizer) -> list[float]:
    """The groups' learning rates."""
    return [lr_of(group) for group in optimizer.param_groups]


# ---- what settings must be -----------------------------------------------------------------------
def is_whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def is_number(value: Any) -> bool:
    """A finite number from 0 up."""
    return is_real(value) and value >= 0


def is_real(value: Any) -> bool:
    """A finite number."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def whole(least: int) -> Setting:
    return Setting(None, lambda value: is_whole(value, least) and value < LAST, f">= {least}, a whole number")


def from_zero() -> Setting:
    return Setting(None, is_number, ">= 0")


def above_zero() -> Setting:
    return Setting(None, lambda value: is_real(value) and value > 0, "> 0")


def between(least: float, most: float) -> Setting:
    return Setting(None, lambda value: is_real(value) and least <= value <= most, f"from {least:g} to {most:g}")


def one_of(*words: str) -> Setting:
    return Setting(None, lambda value: isinstance(value, str) and value in words,
                   " or ".join([", ".join(map(repr, words[:-1])), repr(words[-1])]))


def boolean() -> Setting:
    return Setting(None, lambda value: isinstance(value, bool), "True or False")


guard_methods(LRScheduler, "__init__", "step")
