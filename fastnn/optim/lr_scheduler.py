"""Learning rates that change as training goes on.

Call .step() after each epoch; `nn.fit(scheduler=...)` does. A schedule that counts optimiser steps
instead is made with interval="step".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from ..errors import DTypeError, RangeError
from ..guard import guard_all, guard_methods
from .optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "LRScheduler", "StepLR"]


class LRScheduler:
    """Base of schedules: the learning rate of each group is its first one times `factor`.

    A subclass defines `factor(epoch, base)`, or `rate(epoch, base)`, the learning rate itself.

    Parameters
    ----------
    optimizer : Optimizer
        Its groups' learning rates now are the first ones, unless a schedule noted others before, as
        "initial_lr" in the group.
    last_epoch : int
        -1 begins. Another goes on behind that epoch: the groups need their "initial_lr".
    interval : "epoch" or "step"
        What one call of step() stands for: `fit` calls it after each epoch, or after each
        optimiser step.

    Attributes
    ----------
    last_epoch : int
        How often step() was called.

    Raises
    ------
    RangeError
        Another interval, or a last_epoch without the first learning rates.
    DTypeError
        Something that is no optimiser.

    Examples
    --------
    >>> import fastnn as nn
    >>> class Halving(nn.optim.lr_scheduler.LRScheduler):
    ...     def factor(self, epoch, base):
    ...         return 0.5 ** epoch
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = Halving(optimizer)
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1, *, interval: str = "epoch"):
        if interval not in ("epoch", "step"):
            raise RangeError(who=type(self).__name__, expected='interval "epoch" or "step"', got=repr(interval))
        if not isinstance(getattr(optimizer, "param_groups", None), list):
            raise DTypeError(who=type(self).__name__, expected="an optimizer with param_groups",
                             got=type(optimizer).__name__)
        self.optimizer, self.interval = optimizer, interval
        if not _whole(last_epoch, -1):
            raise RangeError(who=type(self).__name__, expected="last_epoch, an integer from -1 up",
                             got=repr(last_epoch))
        for k, group in enumerate(optimizer.param_groups):
            if last_epoch >= 0 and "initial_lr" not in group:
                raise RangeError(f"group {k} has no initial_lr to go on from", who=type(self).__name__,
                                 expected="last_epoch=-1", got=last_epoch,
                                 hint="schedule.load_state_dict(...) takes up a schedule again.")
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        if last_epoch == -1:
            self.last_epoch = 0
        else:
            self.step()

    def factor(self, epoch: int, base: float) -> float:
        """The learning rate after `epoch` steps as a multiple of the first, `base`."""
        raise TypeError(f"{type(self).__name__} must define factor()")

    def rate(self, epoch: int, base: float) -> float:
        """The learning rate after `epoch` steps of a group that began with `base`."""
        return base * self.factor(epoch, base)

    def step(self, epoch: int | None = None) -> None:
        """One epoch, or one optimiser step, is over; with `epoch`, go to where that one begins."""
        if epoch is not None and not _whole(epoch, 0):
            raise RangeError(who=f"{type(self).__name__}.step", expected="epoch, an integer from 0 up",
                             got=repr(epoch))
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
        for group, base in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = self.rate(self.last_epoch, base)

    def get_last_lr(self) -> list[float]:
        """The learning rate of each group now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """{"last_epoch", "base_lrs"}: what a checkpoint keeps."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where `state_dict()` was taken; the learning rates themselves are the optimiser's
        to restore. Everything is checked before anything changes.

        Raises
        ------
        RangeError
            Something missing, or made for another number of groups.
        """
        who, groups = f"{type(self).__name__}.load_state_dict", len(self.optimizer.param_groups)
        if not isinstance(state_dict, Mapping) or not {"last_epoch", "base_lrs"} <= set(state_dict):
            raise RangeError(who=who, expected="the keys last_epoch and base_lrs",
                             got=sorted(map(str, state_dict)) if isinstance(state_dict, Mapping)
                             else type(state_dict).__name__)
        last_epoch, base_lrs = state_dict["last_epoch"], state_dict["base_lrs"]
        if not _whole(last_epoch, 0) or last_epoch >= 2**53:
            raise RangeError(who=who, expected="last_epoch, an integer from 0 up", got=repr(last_epoch))
        if (not isinstance(base_lrs, (list, tuple)) or len(base_lrs) != groups
                or not all(_number(lr) for lr in base_lrs)):
            raise RangeError(who=who, expected=f"base_lrs, {groups} numbers from 0 up", got=repr(base_lrs))
        self.last_epoch, self.base_lrs = int(last_epoch), list(base_lrs)


class StepLR(LRScheduler):
    r"""The learning rate falls by one factor every `step_size` epochs.

    .. math:: \eta_t = \eta_0 \, \gamma^{\lfloor t / \text{step\_size} \rfloor}

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
        Epochs between two falls; at least 1.
    gamma : float
        The factor.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        step_size below 1, gamma negative or not finite.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.StepLR(optimizer, step_size=2, gamma=0.5)
    >>> for _ in range(2): schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        if not _whole(step_size, 1):
            raise RangeError(who="StepLR", expected="step_size >= 1, a whole number", got=repr(step_size))
        if not _number(gamma):
            raise RangeError(who="StepLR", expected="gamma >= 0", got=repr(gamma))
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch, interval=interval)

    def factor(self, epoch: int, base: float) -> float:
        return self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(LRScheduler):
    r"""The learning rate falls to eta_min along half a cosine, in `T_max` epochs.

    .. math:: \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min}) \, \frac{1 + \cos(\pi t / T_{\max})}{2}

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
        Epochs until the lowest point; at least 1.
    eta_min : float
        The learning rate there.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        T_max below 1, eta_min negative or not finite.

    Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm restarts".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=0.4)
    >>> schedule = nn.optim.CosineAnnealingLR(optimizer, T_max=10)
    >>> for _ in range(5): schedule.step()
    >>> [round(lr, 6) for lr in schedule.get_last_lr()]
    [0.2]
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        if not _whole(T_max, 1):
            raise RangeError(who="CosineAnnealingLR", expected="T_max >= 1, a whole number", got=repr(T_max))
        if not _number(eta_min):
            raise RangeError(who="CosineAnnealingLR", expected="eta_min >= 0", got=repr(eta_min))
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch, interval=interval)

    def rate(self, epoch: int, base: float) -> float:
        # the sum itself, and not base times a factor: a group may begin with 0
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _number(value: Any) -> bool:
    """A finite number from 0 up."""
    return isinstance(value, Real) and not isinstance(value, bool) and 0 <= float(value) < math.inf


guard_all(globals())
guard_methods(LRScheduler, "step")
