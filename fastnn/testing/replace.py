"""use_kernel: a function of yours in an op's place, checked and timed first."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..backend import backend, pair_of
from ..errors import DTypeError, RangeError
from ..op import ACTIVE, OPS, REPLACED, Op, activate
from . import laws

__all__ = ["use_kernel"]


class NoSuchOp(RangeError, KeyError):
    """Also a KeyError: a name that is not in the table."""


@contextmanager
def use_kernel(name: str, forward: Callable[..., Any], backward: Callable[..., Any] | None = None, *,
               check: bool = True) -> Iterator[str]:
    """Put your own function in an op's place while the `with` block runs.

    Parameters
    ----------
    name : str
        The op: `python -m fastnn ops` lists them.
    forward : function
        forward(*inputs, **attrs), on arrays, returns y. If you also give backward, it returns
        (y, saved).
    backward : function, optional
        backward(dy, saved, **attrs) returns one gradient per input. Without it the gradient is that
        of the op's definition.
    check : bool
        Compare forward with the definition on the op's samples first, and time both.

    Yields
    ------
    str
        The verdict: on how many samples it is correct, and its time as a multiple of the kernel's.

    Raises
    ------
    RangeError
        There is no such op. It is a KeyError as well.
    DTypeError
        forward or backward is no function.
    AssertionError
        The function differs from the definition; the message names the first sample. The op is
        left as it was.

    The function stays in place when `use_backend` is called inside. While it runs, no fused
    function (linear_relu, ...) takes the place of ops that stand one after the other, so that your
    function is called.

    >>> import numpy as np, fastnn as nn
    >>> with nn.use_kernel("relu", lambda x: np.maximum(x, 0)) as verdict:
    ...     y = nn.functional.relu(nn.tensor([-1.0, 2.0]))
    >>> verdict.startswith("relu: correct on")
    True
    """
    if not isinstance(name, str) or name not in OPS:
        from ..names import did_you_mean
        raise NoSuchOp(f"there is no op {name!r}; `python -m fastnn ops` lists them", who="use_kernel",
                       hint=did_you_mean(str(name), OPS))
    for what, function in (("forward", forward), ("backward", backward)):
        if not callable(function) and (what == "forward" or function is not None):
            raise DTypeError(who="use_kernel", expected=f"{what} as a function", got=repr(function))
    op = OPS[name]
    if backward is None:
        saving, back = pair_of(op, "reference")

        def run(*inputs: Any, **attrs: Any) -> Any:
            return forward(*inputs, **attrs), saving(*inputs, **attrs)[1]
    else:
        run, back = forward, backward

    verdict = _judge(op, run) if check else f"{name}: not checked"
    before, nested, chosen = ACTIVE[name], name in REPLACED, backend()
    activate(op, run, back)
    REPLACED.add(name)
    try:
        yield verdict
    finally:
        if not nested:
            REPLACED.discard(name)
        if nested or backend() == chosen:
            ACTIVE[name] = before
        else:                               # use_backend was called inside, and left this op alone
            activate(op, *pair_of(op, backend()))


def _judge(op: Op, run: Callable[..., Any]) -> str:
    """Compare with the definition on every sample, and time beside the kernel."""
    seconds = [0.0, 0.0]
    samples = list(op.samples())
    for sample in samples:
        laws.close_to_definition(op, sample, "float64", run)
        for i, function in enumerate((op.kernels[0], run)):
            inputs = sample.cast("float64")
            start = time.perf_counter()
            function(*inputs, **sample.attrs)
            seconds[i] += time.perf_counter() - start
    ratio = seconds[1] / max(seconds[0], 1e-9)
    return f"{op.name}: correct on {len(samples)} samples, {ratio:.1f} x the kernel's time on them"
