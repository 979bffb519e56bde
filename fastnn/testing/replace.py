"""use_kernel: a function of yours in an op's place, checked and timed first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..backend import backend, pair_of
from ..errors import DTypeError
from ..guard import named
from ..op import ACTIVE, OPS, REPLACED, activate
from .judge import Judgement, NoSuchOp, judge

__all__ = ["use_kernel"]


@contextmanager
@named
def use_kernel(name: str, forward: Callable[..., Any], backward: Callable[..., Any] | None = None, *,
               check: bool = True) -> Iterator[Judgement]:
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
        Judge the functions first: see `fastnn.testing.judge`.

    Yields
    ------
    Judgement
        The verdict, a text: on how many samples the functions are correct, and their time as a
        multiple of the kernel's; with `passed`, `diagnosis` and `ratio`.

    Raises
    ------
    RangeError
        There is no such op. It is a KeyError as well.
    DTypeError
        forward or backward is no function.
    AssertionError
        A function differs from the definition, in float32 or float64, forward or backward, with one
        thread or more, or does what a network would stumble over, as making a number of NaN. The
        message is the verdict: the sample, what came, what is right, and the mistake if it is
        known. The op is left as it was.

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

    verdict = judge(name, forward, backward) if check else Judgement(f"{name}: not checked", True)
    if not verdict.passed:
        raise AssertionError(verdict)
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
