"""Learning rates that change with the epoch.

Call .step() after each; `nn.fit(scheduler=...)` does.
"""

from __future__ import annotations

import math
from typing import Any

from ..errors import RangeError
from .optimizer import Optimizer

__all__ = ["CosineAnnealingLR", "StepLR"]


class _Schedule:
    def __init__(self, optimizer: Optimizer):
        self.optimizer = optimizer
        self.base_lrs = [group["lr"] for group in optimizer.param_groups]
        self.last_epoch = 0

    def factor(self, epoch: int, base: float) -> float:
        """The learning rate of an epoch as a multiple of the first."""
        raise TypeError(f"{type(self).__name__} must define factor()")

    def step(self) -> None:
        """One epoch is over."""
        self.last_epoch += 1
        for group, base in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = base * self.factor(self.last_epoch, base)

    def get_last_lr(self) -> list[float]:
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_epoch, self.base_lrs = int(state["last_epoch"]), list(state["base_lrs"])


class StepLR(_Schedule):
    """lr = base gamma^(epoch // step_size).

    >>> import fastnn as nn
    >>> opt = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.StepLR(opt, step_size=2, gamma=0.5)
    >>> for _ in range(2): schedule.step()
    >>> schedule.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1):
        if step_size < 1:
            raise RangeError(who="StepLR", expected="step_size >= 1", got=step_size)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def factor(self, epoch: int, base: float) -> float:
        return self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(_Schedule):
    """lr from base down to eta_min along half a cosine of T_max epochs.

    Loshchilov, Hutter (2017).
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0):
        if T_max < 1:
            raise RangeError(who="CosineAnnealingLR", expected="T_max >= 1", got=T_max)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def factor(self, epoch: int, base: float) -> float:
        low = self.eta_min / base if base else 0.0
        return low + (1 - low) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2
