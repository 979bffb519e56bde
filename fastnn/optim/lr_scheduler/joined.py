"""Schedules of schedules: one after the other, several at once, a warm-up before another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import DTypeError, RangeError
from ...guard import guard_all, guard_methods
from ..optimizer import Optimizer
from .base import LRScheduler, current, is_whole
from .factors import ConstantLR, LinearLR
from .plateau import ReduceLROnPlateau

__all__ = ["ChainedScheduler", "SequentialLR", "WarmupLR"]


class Joined(LRScheduler):
    """A schedule made of others, on one optimiser."""

    _schedulers: list[LRScheduler]

    def _join(self, optimizer: Any, schedulers: Any, interval: str | None) -> None:
        who = type(self).__name__
        if not isinstance(schedulers, (list, tuple)) or not schedulers:
            raise RangeError(who=who, expected="a list of schedules, at least one", got=repr(schedulers))
        for k, schedule in enumerate(schedulers):
            if not isinstance(schedule, LRScheduler):
                raise DTypeError(f"number {k} is no schedule", who=who, got=type(schedule).__name__)
            if isinstance(schedule, ReduceLROnPlateau):
                raise RangeError(f"number {k} is a ReduceLROnPlateau, whose step() needs a number", who=who,
                                 hint="Call its step() beside that of the others.")
        optimizer = schedulers[0].optimizer if optimizer is None else optimizer
        others = [k for k, schedule in enumerate(schedulers) if schedule.optimizer is not optimizer]
        if others:
            raise RangeError("schedules of another optimizer", who=who, expected="one optimizer for all",
                             got=f"another one of number {others[0]}")
        steps = any(schedule.interval == "step" for schedule in schedulers)
        self._attach(optimizer, interval or ("step" if steps else "epoch"))
        self._schedulers = list(schedulers)

    def _take_in_groups(self) -> None:
        """Each of them does."""

    def _saved(self, name: str, value: Any) -> Any:
        return [schedule.state_dict() for schedule in value] if name == "_schedulers" else super()._saved(name, value)

    def _taken(self, name: str, value: Any) -> Any:
        return self._schedulers if name == "_schedulers" else super()._taken(name, value)

    def _fault(self, name: str, value: Any, least: int) -> str:
        if name == "_schedulers":
            fits = isinstance(value, (list, tuple)) and len(value) == len(self._schedulers)
            return "" if fits else f"{len(self._schedulers)} states"
        return super()._fault(name, value, least)

    def _loaded(self, state_dict: Any, least: int = 0) -> Callable[[], None]:
        take = super()._loaded(state_dict, least)
        # those whose time has not come stand before their first epoch
        each = [schedule._loaded(state, -1) for schedule, state in zip(self._schedulers, state_dict["_schedulers"])]

        def take_all() -> None:
            take()
            for one in each:
                one()
        return take_all


class SequentialLR(Joined):
    r"""One schedule after the other: the k-th begins at the k-th milestone, with its epoch 0.

    .. math:: \eta_t = \eta^{(k)}_{t - m_k} \qquad m_k \le t < m_{k+1}

    Parameters
    ----------
    optimizer : Optimizer
    schedulers : list of LRScheduler
        All on this optimiser. Each begins from the groups' first learning rates, as far as it is
        one of a closed form; `MultiplicativeLR` goes on from those of the schedule before.
    milestones : list of int
        One fewer than schedules, not falling.
    last_epoch : as of `LRScheduler`
    interval : "epoch" or "step", optional
        As of `LRScheduler`; by default a step if it is that of one of the schedules.

    Raises
    ------
    RangeError
        No schedule, one of another optimiser, a ReduceLROnPlateau, milestones that do not fit.
    DTypeError
        Something that is no schedule.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> first = nn.optim.ConstantLR(optimizer, factor=0.5, total_iters=10)
    >>> then = nn.optim.ExponentialLR(optimizer, gamma=0.1)
    >>> schedule = nn.optim.SequentialLR(optimizer, [first, then], milestones=[2])
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(3): schedule.step(); rates += schedule.get_last_lr()
    >>> rates
    [0.5, 0.5, 1.0, 0.1]
    """

    _milestones: list[int]

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int],
                 last_epoch: int = -1, *, interval: str | None = None):
        self._join(optimizer, schedulers, interval)
        self._check_last_epoch(last_epoch)
        if self._fault("_milestones", milestones, 0):
            raise RangeError(who=type(self).__name__, got=repr(milestones),
                             expected=f"milestones, {self._fault('_milestones', milestones, 0)}")
        self._milestones, self.last_epoch = list(milestones), last_epoch + 1
        self._reset()
        for schedule in self._schedulers:
            schedule._undo()
        self._schedulers[self._place()]._begin()
        self._last_lr = current(optimizer)

    # as in PyTorch, without the base's epoch
    def step(self) -> None:  # type: ignore[override]
        """One epoch, or one optimiser step, is over."""
        self.last_epoch += 1
        place = self._place()
        try:
            if place and self._milestones[place - 1] == self.last_epoch:
                self._schedulers[place]._restart()
            else:
                self._schedulers[place].step()
        except BaseException:
            self.last_epoch -= 1
            raise
        self._last_lr = current(self.optimizer)

    def _place(self) -> int:
        """The number of the schedule whose time it is."""
        return bisect_right(self._milestones, self.last_epoch)

    def _reset(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]

    def _begin(self) -> None:
        self.last_epoch += 1
        self._schedulers[self._place()]._begin()
        self._last_lr = current(self.optimizer)

    def _undo(self) -> None:
        self._schedulers[self._place()]._undo()
        self.last_epoch -= 1

    def _restart(self) -> None:
        self.last_epoch = 0
        self._schedulers[self._place()]._restart()
        self._last_lr = current(self.optimizer)

    def _fault(self, name: str, value: Any, least: int) -> str:
        if name == "_milestones":
            fits = (isinstance(value, (list, tuple)) and len(value) == len(self._schedulers) - 1
                    and all(is_whole(m, 0) for m in value) and list(value) == sorted(value))
            return "" if fits else f"{len(self._schedulers) - 1} whole numbers >= 0 that do not fall"
        return super()._fault(name, value, least)


class ChainedScheduler(Joined):
    """Several schedules at once: a step makes a step of each, in their order.

    Those that are chainable multiply; one in closed form replaces what those before it did.

    Parameters
    ----------
    schedulers : list of LRScheduler
        All on one optimiser.
    optimizer : Optimizer, optional
        That one.
    interval : "epoch" or "step", optional
        As of `LRScheduler`; by default a step if it is that of one of the schedules.

    Raises
    ------
    RangeError
        No schedule, one of another optimiser, a ReduceLROnPlateau.
    DTypeError
        Something that is no schedule.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> falls = nn.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> rises = nn.optim.LinearLR(optimizer, start_factor=0.5, total_iters=1)
    >>> schedule = nn.optim.ChainedScheduler([falls, rises])
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(2): schedule.step(); rates += schedule.get_last_lr()
    >>> rates
    [0.5, 0.5, 0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None, *,
                 interval: str | None = None):
        self._join(optimizer, schedulers, interval)
        self._last_lr = current(self.optimizer)

    # as in PyTorch, without the base's epoch
    def step(self) -> None:  # type: ignore[override]
        """One epoch, or one optimiser step, is over."""
        for schedule in self._schedulers:
            schedule.step()
        self._last_lr = current(self.optimizer)

    def _begin(self) -> None:
        for schedule in self._schedulers:
            schedule._begin()
        self._last_lr = current(self.optimizer)

    def _undo(self) -> None:
        for schedule in self._schedulers:
            schedule._undo()

    def _restart(self) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        for schedule in self._schedulers:
            schedule.last_epoch = -1
        self._begin()


class WarmupLR(SequentialLR):
    r"""A warm-up, and then another schedule: the learning rate rises in n equal steps to the first
    one, and at step n the other begins, with its epoch 0.

    .. math:: \eta_t = \eta_0 \, \frac{t + 1}{n} \qquad t < n

    Parameters
    ----------
    optimizer : Optimizer
    warmup : int
        n, at least 1.
    after : LRScheduler, optional
        The other schedule, on the same optimiser; default: the learning rate stays.
    interval : "step" or "epoch", optional
        As of `LRScheduler`; by default that of `after`, else a step.

    Raises
    ------
    RangeError
        warmup below 1; `after` as in `SequentialLR`.

    It is SequentialLR(optimizer, [LinearLR(optimizer, 1/n, 1, n - 1), after], [n]); PyTorch has no
    name for it.

    Goyal et al. (2017), "Accurate, large minibatch SGD: training ImageNet in 1 hour".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.WarmupLR(optimizer, 4, nn.optim.ExponentialLR(optimizer, 0.5))
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(6): schedule.step(); rates += schedule.get_last_lr()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.5, 0.25]
    """

    def __init__(self, optimizer: Optimizer, warmup: int, after: LRScheduler | None = None, *,
                 interval: str | None = None):
        if not is_whole(warmup, 1):
            raise RangeError(who="WarmupLR", expected="warmup >= 1, a whole number", got=repr(warmup))
        if after is not None and not isinstance(after, LRScheduler):
            raise DTypeError(who="WarmupLR", expected="after, a schedule", got=type(after).__name__)
        if after is not None:               # before the other one changes anything
            self._join(optimizer, [after], interval)
        if interval not in (None, "epoch", "step"):
            raise RangeError(who="WarmupLR", expected='interval "epoch" or "step"', got=repr(interval))
        own = interval or (after.interval if after is not None else "step")
        stays = ConstantLR(optimizer, 1.0, 0, interval=own) if after is None else after
        rises = LinearLR(optimizer, 1/warmup, 1.0, max(1, warmup - 1), interval=own)
        super().__init__(optimizer, [rises, stays], [warmup], interval=interval)


guard_all(globals())
guard_methods(SequentialLR, "step")
guard_methods(ChainedScheduler, "step")
