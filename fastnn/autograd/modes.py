"""Modes of the tape, in each thread its own: whether it records, and looks for anomalies.

`no_grad`, `enable_grad` and `set_grad_enabled` switch recording. `detect_anomaly` looks at the
values that pass, and at the arrays that were saved.
"""

from __future__ import annotations

import functools
import inspect
import math
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import numpy as np

from ..errors import DTypeError, NonFiniteError
from ..guard import named
from ..kernels import compiled

__all__ = ["detect_anomaly", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

if TYPE_CHECKING:
    from typing import Protocol

    class Mode(Protocol):
        """What type checkers see of no_grad and enable_grad: a class whose `__new__` may return a
        function is beyond them.
        """

        @overload
        def __call__(self, function: None = None) -> set_grad_enabled: ...
        @overload
        def __call__(self, function: AnyFunction) -> AnyFunction: ...

    class ModeOr(Protocol):
        """The same of inference_mode, which takes a bool too."""

        @overload
        def __call__(self, mode: bool = True) -> set_grad_enabled: ...
        @overload
        def __call__(self, mode: AnyFunction) -> AnyFunction: ...


class set_grad_enabled:
    """Switch the tape on or off in this thread: `with nn.set_grad_enabled(flag):`.

    Also a decorator: `@nn.set_grad_enabled(False)`. A generator or a coroutine that is decorated
    has the mode while it runs, and whoever it gives way to has the mode of before.

    Parameters
    ----------
    enabled : bool
        Whether ops on tensors that require a gradient leave a node.

    >>> import fastnn as nn
    >>> x = nn.tensor([1.0], requires_grad=True)
    >>> with nn.set_grad_enabled(False):
    ...     y = x * 2
    >>> y.requires_grad, (x * 2).requires_grad
    (False, True)
    """

    @named
    def __init__(self, enabled: bool):
        self.enabled = enabled
        self.before: list[bool] = []

    def __enter__(self) -> set_grad_enabled:
        self.before.append(state.enabled)
        state.enabled = self.enabled
        return self

    def __exit__(self, *_: object) -> None:
        state.enabled = self.before.pop()

    def __call__(self, function: AnyFunction) -> AnyFunction:
        mode = self.enabled     # each call gets a fresh one, so that the function may call itself

        if inspect.isgeneratorfunction(function):
            @functools.wraps(function)
            def generator(*args: Any, **kwargs: Any) -> Any:
                return (yield from _Steps(function(*args, **kwargs), mode))
            return cast(AnyFunction, generator)
        if inspect.iscoroutinefunction(function):
            @functools.wraps(function)
            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                return await _Steps(function(*args, **kwargs), mode)
            return cast(AnyFunction, coroutine)
        if inspect.isasyncgenfunction(function):
            @functools.wraps(function)
            async def asynchronous_generator(*args: Any, **kwargs: Any) -> Any:
                given = function(*args, **kwargs)
                step, message = given.asend, None
                while True:
                    try:
                        item = await _Steps(step(message), mode)
                    except StopAsyncIteration:
                        return
                    try:
                        step, message = given.asend, (yield item)
                    except GeneratorExit:
                        await _Steps(given.aclose(), mode)
                        raise
                    except BaseException as error:
                        # thrown in from outside: for the generator to see
                        step, message = given.athrow, error
            return cast(AnyFunction, asynchronous_generator)

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with set_grad_enabled(mode):
                return function(*args, **kwargs)
        return cast(AnyFunction, wrapped)


class _Steps(Generator[Any, Any, Any]):
    """A generator or coroutine that has a mode of its own while it runs."""

    def __init__(self, inner: Any, enabled: bool):
        self.inner = inner
        self.enabled = enabled

    def send(self, value: Any) -> Any:
        with set_grad_enabled(self.enabled):
            return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        with set_grad_enabled(self.enabled):
            return self.inner.throw(*error)

    def close(self) -> None:
        with set_grad_enabled(self.enabled):
            self.inner.close()

    def __await__(self) -> _Steps:
        return self


def _mode_or_decorated(cls: type, function: Any) -> Any:
    """A new mode, or for `@nn.no_grad` without brackets the function in that mode."""
    if function is None:
        return object.__new__(cls)
    if not callable(function):
        raise DTypeError(who=cls.__name__, expected="no argument, or the function that it decorates",
                         got=type(function).__name__)
    return cls()(function)


class no_grad(set_grad_enabled):
    """Nothing is recorded inside: `with nn.no_grad():`, also as a decorator, `@nn.no_grad()`
    or `@nn.no_grad`.

    For evaluation and for changes of parameters: ops save nothing and leave no node.

    >>> import fastnn as nn
    >>> w = nn.Parameter([1.0, 2.0])
    >>> with nn.no_grad():
    ...     y = w * 2
    >>> y.requires_grad
    False
    """

    @named
    def __new__(cls, function: Any = None) -> Any:
        return _mode_or_decorated(cls, function)

    def __init__(self, function: Any = None) -> None:
        super().__init__(False)


class inference_mode(set_grad_enabled):
    """PyTorch's stricter no_grad; here it is no_grad.

    >>> import fastnn as nn
    >>> with nn.inference_mode():
    ...     nn.is_grad_enabled()
    False
    """

    @named
    def __new__(cls, mode: Any = True) -> Any:
        return _mode_or_decorated(cls, mode if callable(mode) else None)

    @named
    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)


class enable_grad(set_grad_enabled):
    """Record inside, even within no_grad().

    >>> import fastnn as nn
    >>> w = nn.Parameter([1.0, 2.0])
    >>> with nn.no_grad(), nn.enable_grad():
    ...     y = w * 2
    >>> y.requires_grad
    True
    """

    @named
    def __new__(cls, function: Any = None) -> Any:
        return _mode_or_decorated(cls, function)

    def __init__(self, function: Any = None) -> None:
        super().__init__(True)


@named
def is_grad_enabled() -> bool:
    """Whether the tape records in this thread."""
    return state.enabled


class detect_anomaly:
    """Inside, the first op that makes NaN or infinity out of finite inputs raises, in forward and
    in backward.

    Arrays that the tape saved are compared by checksum too: a change through NumPy, which the tape
    cannot see otherwise, raises a GraphError in backward. Slow: for debugging.

    Raises
    ------
    NonFiniteError
        The op made NaN or infinity; its message names the op.
    GraphError
        A saved array was changed through NumPy.

    >>> import fastnn as nn
    >>> with nn.autograd.detect_anomaly():
    ...     nn.tensor([0.0]).log()
    Traceback (most recent call last):
        ...
    fastnn.errors.NonFiniteError: log: made NaN or infinity out of finite inputs
    """

    @named
    def __init__(self) -> None:
        self.before = False

    def __enter__(self) -> detect_anomaly:
        global used
        self.before = state.anomaly
        used = state.anomaly = True
        if compiled is not None:
            compiled.watch_tape()
        return self

    def __exit__(self, *_: object) -> None:
        state.anomaly = self.before


class _State(threading.local):
    enabled = True                                  # does the tape record in this thread?
    anomaly = False                                 # is this thread inside detect_anomaly()?


state = _State()
used = False        # has any thread ever entered detect_anomaly()? Looking into `state` costs more


def look_for_nan(name: str, inputs: Sequence[Any], outputs: Sequence[np.ndarray]) -> None:
    """Raise NonFiniteError if an output holds NaN or infinity and no input does."""
    def bad(a: Any) -> bool:
        a = getattr(a, "_data", a)
        if isinstance(a, float):    # an attribute: the -inf of masked_fill(x, mask, -inf) is wanted
            return not math.isfinite(a)
        return isinstance(a, np.ndarray) and a.dtype.kind == "f" and not np.isfinite(a).all()
    if any(map(bad, outputs)) and not any(map(bad, inputs)):
        raise NonFiniteError("made NaN or infinity out of finite inputs", who=name)


def flat(saved: Any) -> Iterable[np.ndarray]:
    """The arrays in what a forward saved, which may be nested tuples."""
    if isinstance(saved, (tuple, list)):
        for item in saved:
            yield from flat(item)
    elif isinstance(saved, np.ndarray):
        yield saved


def checksums(saved: Any) -> list[int]:
    """A checksum of each saved array."""
    import zlib  # here, so that `import fastnn` does not pay for it
    return [zlib.crc32(np.ascontiguousarray(a).tobytes()) for a in flat(saved)]
