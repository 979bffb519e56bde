"""Cosine annealing, without restarts and with them."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from ...errors import RangeError
from ...guard import guard_all
from ..optimizer import Optimizer
from .base import LAST, LRScheduler, above_zero, current, from_zero, is_real, is_whole, whole

__all__ = ["CosineAnnealingLR", "CosineAnnealingWarmRestarts"]


class CosineAnnealingLR(LRScheduler):
    r"""The learning rate falls to eta_min along half a cosine, in `T_max` epochs.

    .. math:: \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min}) \, \frac{1 + \cos(\pi t / T_{\max})}{2}

    Chainable, as the recursion

    .. math:: \eta_t = \eta_{\min} + (\eta_{t-1} - \eta_{\min}) \,
        \frac{1 + \cos(\pi t / T_{\max})}{1 + \cos(\pi (t - 1) / T_{\max})}

    Behind T_max it rises again. Beside a schedule that leads below eta_min the recursion leads
    below 0, in PyTorch too, and the optimiser refuses the next step: take eta_min = 0 there.

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

    settings: ClassVar = {"T_max": whole(1), "eta_min": from_zero()}
    T_max: int
    eta_min: float

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        self._set(T_max=T_max, eta_min=eta_min)
        super().__init__(optimizer, last_epoch, interval=interval)

    def get_lr(self) -> list[float]:
        rates, t, T, low = current(self.optimizer), self.last_epoch, self.T_max, self.eta_min
        if self._is_initial or t == 0:
            return rates
        if (t - 1 - T) % (2*T) == 0:                # at the lowest point the quotient is 0 / 0
            return [rate + (base - low) * (1 - math.cos(math.pi / T)) / 2 for rate, base in zip(rates, self.base_lrs)]
        quotient = (1 + math.cos(math.pi * t / T)) / (1 + math.cos(math.pi * (t - 1) / T))
        found = [low + (rate - low) * quotient for rate in rates]
        # rounding must not lead below 0, which an optimiser refuses
        return [0.0 if -1e-12 * low < rate < 0 else rate for rate in found]

    def _get_closed_form_lr(self) -> list[float]:
        # the sum itself, and not base times a factor: a group may begin with 0
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    r"""The learning rate falls along half a cosine, jumps back, and falls again, more slowly.

    .. math:: \eta_t = \eta_{\min} + (\eta_0 - \eta_{\min}) \, \frac{1 + \cos(\pi T_{cur} / T_i)}{2}
        \qquad T_i = T_0 \, T_{mult}^{\,i}

    T_cur counts from the last restart, the i-th. In closed form.

    Parameters
    ----------
    optimizer : Optimizer
    T_0 : int
        Epochs until the first restart; at least 1.
    T_mult : int
        How many times as long each fall is as the one before; at least 1.
    eta_min : float
        The lowest learning rate.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        T_0 or T_mult below 1, eta_min negative or not finite.

    `step(epoch)` takes fractions: `step(epoch + i / batches)` behind batch i goes on smoothly.

    Loshchilov, Hutter (2017), "SGDR: stochastic gradient descent with warm restarts".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=0.4)
    >>> schedule = nn.optim.CosineAnnealingWarmRestarts(optimizer, T_0=2, T_mult=2)
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(6): schedule.step(); rates += schedule.get_last_lr()
    >>> [round(lr, 3) for lr in rates]
    [0.4, 0.2, 0.4, 0.341, 0.2, 0.059, 0.4]
    """

    settings: ClassVar = {
        "T_0": whole(1), "T_mult": whole(1), "eta_min": from_zero(), "T_i": above_zero(), "T_cur": from_zero(),
    }
    T_0: int
    T_mult: int
    eta_min: float
    T_i: float
    T_cur: float

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        self._set(T_0=T_0, T_mult=T_mult, eta_min=eta_min)
        if is_whole(last_epoch, -1):
            self._go(max(0, last_epoch))
        super().__init__(optimizer, last_epoch, interval=interval)

    def get_lr(self) -> list[float]:
        share = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """One epoch, or one optimiser step, is over; with `epoch`, a fraction too, go to there."""
        if epoch is not None and not (is_real(epoch) and 0 <= epoch < LAST):
            raise RangeError(who=f"{type(self).__name__}.step", expected="epoch, a number from 0 up", got=repr(epoch))
        before = self.T_cur, self.T_i
        if epoch is None and self.last_epoch >= 0:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur, self.T_i = self.T_cur % self.T_i, self.T_i * self.T_mult
        else:
            self._go(epoch or 0)
        try:
            self._update(None if epoch is None else math.floor(epoch))
        except BaseException:
            self.T_cur, self.T_i = before
            raise

    def _restart(self) -> None:
        self.step(0)

    def _go(self, epoch: Any) -> None:
        """T_cur and T_i at an epoch."""
        self.T_cur, self.T_i = epoch, self.T_0
        if self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        while self.T_cur >= self.T_i:
            self.T_cur, self.T_i = self.T_cur - self.T_i, self.T_i * self.T_mult


guard_all(globals())
