"""Schedules that multiply: the learning rate is the first one times a factor of the epoch."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from types import FunctionType
from typing import Any, ClassVar

from ...errors import DTypeError, RangeError
from ...guard import guard_all
from ..optimizer import Optimizer
from ..rule import Setting
from .base import LAST, LRScheduler, between, current, from_zero, is_real, is_whole, whole

__all__ = ["ConstantLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "MultiplicativeLR", "PolynomialLR",
           "StepLR"]


class Factors(LRScheduler):
    """Chainable: a step multiplies by f(t) / f(t - 1), the first one by f(0)."""

    # whether a schedule that goes on behind last_epoch makes that step, or finds it done
    goes_on_with_a_step = False

    def _factor(self, epoch: int) -> float:
        """The learning rate at an epoch as a multiple of the first."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        t = self.last_epoch
        if t > 0 and self._is_initial and not self.goes_on_with_a_step:
            return current(self.optimizer)
        now, before = self._factor(t), self._factor(t - 1) if t > 0 else 1.0
        if now == before:
            return current(self.optimizer)
        if before == 0:
            raise RangeError("a learning rate that was multiplied by 0 has nothing to go on from",
                             who=f"{type(self).__name__}.step", got=f"epoch {t}", hint="Take a small factor above 0.")
        return [rate * (now / before) for rate in current(self.optimizer)]

    def _get_closed_form_lr(self) -> list[float]:
        return [base * self._factor(self.last_epoch) for base in self.base_lrs]


class StepLR(Factors):
    r"""The learning rate falls by one factor every `step_size` epochs.

    .. math:: \eta_t = \eta_0 \, \gamma^{\lfloor t / \text{step\_size} \rfloor}

    Chainable: at a multiple of step_size a step multiplies by gamma.

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

    settings: ClassVar = {"step_size": whole(1), "gamma": from_zero()}
    goes_on_with_a_step = True
    step_size: int
    gamma: float

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        self._set(step_size=step_size, gamma=gamma)
        super().__init__(optimizer, last_epoch, interval=interval)

    def get_lr(self) -> list[float]:
        """Not as a quotient, of which gamma = 0 has none."""
        falls = self.last_epoch > 0 and self.last_epoch % self.step_size == 0
        return [rate * self.gamma if falls else rate for rate in current(self.optimizer)]

    def _factor(self, epoch: int) -> float:
        return self.gamma ** (epoch // self.step_size)


class MultiStepLR(Factors):
    r"""The learning rate falls by one factor at each of the epochs that are given.

    .. math:: \eta_t = \eta_0 \, \gamma^{\,|\{m \in \text{milestones} : m \le t\}|}

    Chainable: at a milestone a step multiplies by gamma, and by its n-th power where it is given n
    times.

    Parameters
    ----------
    optimizer : Optimizer
    milestones : list of int
        The epochs.
    gamma : float
        The factor.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        A milestone that is no whole number from 0 up, gamma negative or not finite.

    He et al. (2016), "Deep residual learning for image recognition", fall so.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    settings: ClassVar = {
        "milestones": Setting(None, lambda value: isinstance(value, Mapping) and all(
            is_whole(m, 0) and m < LAST and is_whole(n, 1) and n < LAST for m, n in value.items()),
            "as whole numbers >= 0"),
        "gamma": from_zero(),
    }
    milestones: Counter[int]
    gamma: float

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        try:
            counted: Any = Counter(milestones)
        except TypeError:
            counted = milestones
        self._set(milestones=counted, gamma=gamma)
        super().__init__(optimizer, last_epoch, interval=interval)

    def get_lr(self) -> list[float]:
        """Not as a quotient, of which gamma = 0 has none."""
        power = self.milestones.get(self.last_epoch, 0)
        return [rate * self.gamma**power if power else rate for rate in current(self.optimizer)]

    def _factor(self, epoch: int) -> float:
        return self.gamma ** bisect_right(sorted(self.milestones.elements()), epoch)

    def _saved(self, name: str, value: Any) -> Any:
        return dict(value) if name == "milestones" else super()._saved(name, value)

    def _taken(self, name: str, value: Any) -> Any:
        return Counter(value) if name == "milestones" else super()._taken(name, value)


class ConstantLR(Factors):
    r"""The learning rate is a part of the first one until `total_iters`, and then the first one.

    .. math:: \eta_t = \eta_0 \cdot \begin{cases} \text{factor} & t < \text{total\_iters} \\
        1 & \text{else} \end{cases}

    Chainable: the beginning multiplies by the factor, and total_iters by 1 / factor.

    Parameters
    ----------
    optimizer : Optimizer
    factor : float
        From 0 to 1. From 0 nothing leads back: total_iters is then to lie behind the training.
    total_iters : int
        How long.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        A factor that is not from 0 to 1, total_iters negative. In step(): total_iters with a factor
        of 0.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.ConstantLR(optimizer, factor=0.5, total_iters=2)
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(3): schedule.step(); rates += schedule.get_last_lr()
    >>> rates
    [0.5, 0.5, 1.0, 1.0]
    """

    settings: ClassVar = {"factor": between(0, 1), "total_iters": whole(0)}
    goes_on_with_a_step = True
    factor: float
    total_iters: int

    def __init__(self, optimizer: Optimizer, factor: float = 1/3, total_iters: int = 5, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        self._set(factor=factor, total_iters=total_iters)
        super().__init__(optimizer, last_epoch, interval=interval)

    def _factor(self, epoch: int) -> float:
        # total_iters = 0 does not undo what the beginning has done
        return self.factor if epoch < self.total_iters or self.total_iters == 0 else 1.0


class LinearLR(Factors):
    r"""The learning rate goes from one part of the first one to another, in `total_iters` equal
    steps: a warm-up, where it rises.

    .. math:: \eta_t = \eta_0 \left(a + (b - a) \, \frac{\min(t, T)}{T}\right)

    with a = start_factor, b = end_factor, T = total_iters. Chainable.

    Parameters
    ----------
    optimizer : Optimizer
    start_factor : float
        a, above 0 and at most 1.
    end_factor : float
        b, from 0 to 1.
    total_iters : int
        T; at 0 the learning rate stays at the start.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        A factor or total_iters outside its range.

    Goyal et al. (2017), "Accurate, large minibatch SGD: training ImageNet in 1 hour".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> rates = schedule.get_last_lr()
    >>> for _ in range(4): schedule.step(); rates += schedule.get_last_lr()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    settings: ClassVar = {
        "start_factor": Setting(None, lambda value: is_real(value) and 0 < value <= 1, "> 0 and <= 1"),
        "end_factor": between(0, 1), "total_iters": whole(0),
    }
    start_factor: float
    end_factor: float
    total_iters: int

    def __init__(self, optimizer: Optimizer, start_factor: float = 1/3, end_factor: float = 1.0, total_iters: int = 5,
                 last_epoch: int = -1, *, interval: str = "epoch"):
        self._set(start_factor=start_factor, end_factor=end_factor, total_iters=total_iters)
        super().__init__(optimizer, last_epoch, interval=interval)

    def _factor(self, epoch: int) -> float:
        share = min(epoch, self.total_iters) / self.total_iters if self.total_iters else 0.0
        return self.start_factor + (self.end_factor - self.start_factor) * share


class ExponentialLR(Factors):
    r"""The learning rate falls by one factor every epoch.

    .. math:: \eta_t = \eta_0 \, \gamma^t

    Chainable: a step multiplies by gamma.

    Parameters
    ----------
    optimizer : Optimizer
    gamma : float
        The factor.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        gamma negative or not finite.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.ExponentialLR(optimizer, gamma=0.5)
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.125]
    """

    settings: ClassVar = {"gamma": from_zero()}
    gamma: float

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1, *, interval: str = "epoch"):
        self._set(gamma=gamma)
        super().__init__(optimizer, last_epoch, interval=interval)

    def get_lr(self) -> list[float]:
        """Not as a quotient of powers, which underflow."""
        gamma = 1.0 if self._is_initial else self.gamma
        return [rate * gamma for rate in current(self.optimizer)]

    def _factor(self, epoch: int) -> float:
        return self.gamma**epoch


class PolynomialLR(Factors):
    r"""The learning rate falls to 0 as a power of what is left of `total_iters`.

    .. math:: \eta_t = \eta_0 \left(1 - \frac{\min(t, T)}{T}\right)^p

    with T = total_iters and p = power; linearly for p = 1. Chainable.

    Parameters
    ----------
    optimizer : Optimizer
    total_iters : int
        T, at least 1.
    power : float
        p.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    RangeError
        total_iters below 1, power negative or not finite.

    Chen et al. (2018), "DeepLab: semantic image segmentation with deep convolutional nets, atrous
    convolution, and fully connected CRFs": "poly".

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.PolynomialLR(optimizer, total_iters=4, power=2.0)
    >>> for _ in range(2): schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    settings: ClassVar = {"total_iters": whole(1), "power": from_zero()}
    total_iters: int
    power: float

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1, *,
                 interval: str = "epoch"):
        self._set(total_iters=total_iters, power=power)
        super().__init__(optimizer, last_epoch, interval=interval)

    def _factor(self, epoch: int) -> float:
        return (1.0 - min(epoch, self.total_iters) / self.total_iters) ** self.power


class Functions(LRScheduler):
    """A function of the epoch for each group, or one for all."""

    optional = ("_last_lr", "lr_lambdas")
    lr_lambdas: list[Callable[[int], float]]

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
                 last_epoch: int = -1, *, interval: str = "epoch"):
        self._attach(optimizer, interval)
        groups, several = len(optimizer.param_groups), isinstance(lr_lambda, (list, tuple))
        functions: Any = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda]*groups
        for function in functions:
            if not callable(function):
                raise DTypeError(who=type(self).__name__, expected="lr_lambda, a function of the epoch",
                                 got=type(function).__name__)
        if len(functions) != groups:
            raise RangeError(who=type(self).__name__, expected=f"a function for each group, {groups}",
                             got=len(functions))
        self.lr_lambdas = functions
        self._one_for_all = not several
        super().__init__(optimizer, last_epoch, interval=interval)

    def _factors(self) -> list[float]:
        found = []
        for function in self.lr_lambdas:
            value = function(self.last_epoch)
            try:
                found.append(float(value))
            except (TypeError, ValueError):
                raise DTypeError(who=type(self).__name__, expected=f"lr_lambda({self.last_epoch}) to be a number",
                                 got=type(value).__name__) from None
        return found

    def _take_in_groups(self) -> None:
        missing = len(self.optimizer.param_groups) - len(self.lr_lambdas)
        if missing > 0 and not self._one_for_all:
            raise RangeError("a group was added after the schedule was made, and there is no function for it",
                             who=type(self).__name__, got=f"{len(self.lr_lambdas)} functions",
                             expected=f"{len(self.optimizer.param_groups)}",
                             hint="Make the schedule when all groups are there.")
        self.lr_lambdas += self.lr_lambdas[:1]*missing
        super()._take_in_groups()

    def _is_kept(self, name: str) -> bool:
        return name != "_one_for_all" and super()._is_kept(name)

    def _saved(self, name: str, value: Any) -> Any:
        """Of functions that are objects their attributes, of others nothing."""
        if name != "lr_lambdas":
            return super()._saved(name, value)
        return [None if isinstance(f, FunctionType) else super(Functions, self)._saved(name, getattr(f, "__dict__", {}))
                for f in value]

    def _taken(self, name: str, value: Any) -> Any:
        if name != "lr_lambdas":
            return super()._taken(name, value)
        return list(self.lr_lambdas)

    def _loaded(self, state_dict: Any, least: int = 0) -> Callable[[], None]:
        take = super()._loaded(state_dict, least)
        attributes = state_dict.get("lr_lambdas", [])

        def take_all() -> None:
            take()
            for function, values in zip(self.lr_lambdas, attributes):
                if values:
                    vars(function).update(super(Functions, self)._taken("", values))
        return take_all

    def _fault(self, name: str, value: Any, least: int) -> str:
        if name != "lr_lambdas":
            return super()._fault(name, value, least)
        fits = isinstance(value, (list, tuple)) and 1 <= len(value) <= len(self.lr_lambdas) and all(
            one is None or (isinstance(one, Mapping) and set(one) <= set(getattr(f, "__dict__", {})))
            for one, f in zip(value, self.lr_lambdas))
        return "" if fits else "None or the attributes of each function"


class LambdaLR(Functions):
    r"""The learning rate is the first one times a function of the epoch.

    .. math:: \eta_t = \eta_0 \, f(t)

    In closed form.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of the epoch, or a list with one for each group
        f. A saved state has the attributes of one that is an object, and nothing of others.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    DTypeError
        Something that is no function, or gives no number.
    RangeError
        Functions for other groups.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        return [base * factor for base, factor in zip(self.base_lrs, self._factors())]


class MultiplicativeLR(Functions):
    r"""Each epoch multiplies the learning rate by a function of the epoch.

    .. math:: \eta_t = \eta_{t-1} \, f(t) \qquad t \ge 1

    Chainable.

    Parameters
    ----------
    optimizer : Optimizer
    lr_lambda : function of the epoch, or a list with one for each group
        f. A saved state has the attributes of one that is an object, and nothing of others.
    last_epoch, interval : as of `LRScheduler`

    Raises
    ------
    DTypeError
        Something that is no function, or gives no number.
    RangeError
        Functions for other groups.

    Examples
    --------
    >>> import fastnn as nn
    >>> optimizer = nn.optim.SGD([nn.Parameter([1.0])], lr=1.0)
    >>> schedule = nn.optim.MultiplicativeLR(optimizer, lambda epoch: 0.5 if epoch > 1 else 1.0)
    >>> for _ in range(3): schedule.step()
    >>> schedule.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return current(self.optimizer)
        return [rate * factor for rate, factor in zip(current(self.optimizer), self._factors())]


guard_all(globals())
