"""ReduceLROnPlateau: the learning rate falls when a number has stopped to improve."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from ...errors import DTypeError, RangeError
from ...guard import NameMistake, guard_all, guard_methods
from ..optimizer import Optimizer
from ..rule import Setting
from .base import LRScheduler, current, from_zero, is_number, is_real, is_whole, lr_of, one_of, whole

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    r"""The learning rate falls by a factor when a number has not improved for more than `patience`
    epochs.

    .. math:: \eta \leftarrow \max(\text{factor} \cdot \eta, \eta_{\min})

    Of `mode` "min", m improves on the best so far, b, if m < b (1 - threshold), or with
    threshold_mode "abs" m < b - threshold; of "max" if m > b (1 + threshold), or m > b + threshold.
    NaN improves on nothing. Chainable.

    Parameters
    ----------
    optimizer : Optimizer
    mode : "min" or "max"
    factor : float
        From 0 up to, not including, 1.
    patience : int
        Epochs without an improvement that are let pass.
    threshold : float
    threshold_mode : "rel" or "abs"
    cooldown : int
        Epochs behind a fall that do not count.
    min_lr : float, or a list with one for each group
    eps : float
        A fall by less than this is left out.
    metric : str, optional
        The column of the history that `fit` hands over. Default: "valid_loss", or "loss" where
        nothing is validated; with mode "max" it is to be given: "valid_accuracy".

    Raises
    ------
    RangeError
        A setting outside its range, a list for other groups.
    DTypeError
        In step(): no number.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in [2.0, 1.0, 1.0, 1.0]: schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    bounds = Setting(None, lambda value: isinstance(value, (list, tuple)) and len(value) > 0
                     and all(map(is_number, value)), "a list of numbers >= 0")
    settings: ClassVar = {
        "mode": one_of("min", "max"), "threshold_mode": one_of("rel", "abs"), "patience": whole(0),
        "factor": Setting(None, lambda value: is_real(value) and 0 <= value < 1, ">= 0 and < 1"),
        "threshold": from_zero(), "cooldown": whole(0), "eps": from_zero(), "min_lrs": bounds,
        "default_min_lr": Setting(None, lambda value: value is None or is_number(value), "None or a number >= 0"),
        "num_bad_epochs": whole(0), "cooldown_counter": whole(0),
        "best": Setting(None, lambda value: isinstance(value, (int, float)) and not isinstance(value, bool)
                        and not math.isnan(value), "a number"),
    }
    optional = ("_last_lr",)
    mode: str
    factor: float
    patience: int
    threshold: float
    threshold_mode: str
    cooldown: int
    eps: float
    best: float
    num_bad_epochs: int
    cooldown_counter: int

    def __init__(self, optimizer: Optimizer, mode: str = "min", factor: float = 0.1, patience: int = 10,
                 threshold: float = 1e-4, threshold_mode: str = "rel", cooldown: int = 0,
                 min_lr: float | list[float] = 0.0, eps: float = 1e-8, *, metric: str | None = None):
        self._attach(optimizer, "epoch")
        if metric is not None and not isinstance(metric, str):
            raise DTypeError(who="ReduceLROnPlateau", expected="metric, the name of a column, or None",
                             got=type(metric).__name__)
        self._set(mode=mode, factor=factor, patience=patience, threshold=threshold, threshold_mode=threshold_mode,
                  cooldown=cooldown, eps=eps)
        self.min_lrs = self._per_group("min_lr", min_lr, from_zero())
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.metric = metric
        self.best, self.num_bad_epochs, self.cooldown_counter = math.inf if mode == "min" else -math.inf, 0, 0
        self.last_epoch = 0
        self._last_lr = current(optimizer)

    @property
    def in_cooldown(self) -> bool:
        """Whether the last fall was not long ago."""
        return self.cooldown_counter > 0

    # as in PyTorch, other arguments than those of the base
    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """An epoch is over, in which the number was `metrics`."""
        try:
            now = math.nan if isinstance(metrics, (str, bytes)) else float(metrics)
        except (TypeError, ValueError):
            raise DTypeError(who="ReduceLROnPlateau.step", expected="metrics, a number such as the validation loss",
                             got=type(metrics).__name__) from None
        if isinstance(metrics, (str, bytes)):
            raise DTypeError(who="ReduceLROnPlateau.step", expected="metrics, a number", got=repr(metrics))
        if epoch is not None and not is_whole(epoch, 0):
            raise RangeError(who="ReduceLROnPlateau.step", expected="epoch, an integer from 0 up", got=repr(epoch))
        self._take_in_groups()
        self.last_epoch = self.last_epoch + 1 if epoch is None else int(epoch)
        if self._improves(now):
            self.best, self.num_bad_epochs = now, 0
        else:
            self.num_bad_epochs += 1
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            for group, least in zip(self.optimizer.param_groups, self.min_lrs):
                before, rate = lr_of(group), max(lr_of(group) * self.factor, least)
                if before - rate > self.eps:
                    group["lr"] = rate
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = current(self.optimizer)

    def metric_of(self, row: Mapping[str, float]) -> float:
        """The number in a row of `fit`'s history that step() is for."""
        if self.metric is None and self.mode == "max":
            raise RangeError("mode='max' does not say what is to grow", who="ReduceLROnPlateau",
                             hint="Write metric='valid_accuracy', or another column of the history.")
        name = self.metric or ("valid_loss" if "valid_loss" in row else "loss")
        if name not in row:
            from ...names import did_you_mean
            raise NameMistake(f"there is no column {name!r}", who="ReduceLROnPlateau, metric",
                              expected=", ".join(row), hint=did_you_mean(name, row))
        return row[name]

    def _improves(self, now: float) -> bool:
        sign = 1.0 if self.mode == "min" else -1.0
        bound = self.best * (1.0 - sign * self.threshold) if self.threshold_mode == "rel" \
            else self.best - sign * self.threshold
        return sign * now < sign * bound

    def _take_in_groups(self) -> None:
        missing = len(self.optimizer.param_groups) - len(self.min_lrs)
        if missing > 0 and self.default_min_lr is None:
            raise RangeError("a group was added after the schedule was made, and has no min_lr",
                             who="ReduceLROnPlateau", expected=f"{len(self.min_lrs)} groups",
                             got=len(self.optimizer.param_groups), hint="Append to schedule.min_lrs.")
        self.min_lrs += [self.default_min_lr or 0.0]*missing

    def _is_kept(self, name: str) -> bool:
        return name != "metric" and super()._is_kept(name)

    def _fault(self, name: str, value: Any, least: int) -> str:
        if name == "min_lrs":
            groups = len(self.optimizer.param_groups)
            return "" if self.bounds.holds_for(value) and len(value) <= groups else f"{groups} numbers from 0 up"
        return super()._fault(name, value, least)


guard_all(globals())
guard_methods(ReduceLROnPlateau, "step")
