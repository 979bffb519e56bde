"""Which implementation of each op runs: the kernels, the NumPy definitions, or a function of yours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .op import ACTIVE, OPS, REPLACED, activate

__all__ = ["backend", "use_backend", "use_kernel"]

_name = "kernels"


def backend() -> str:
    """"kernels" or "reference"."""
    return _name


class use_backend:
    """Run every op on the C kernels ("kernels") or on its NumPy definition ("reference").

    Works as a statement and as a context manager; FASTNN_BACKEND=reference sets it at import. For
    teaching, debugging and checking.

    >>> import fastnn as nn
    >>> with nn.use_backend("reference"):
    ...     y = nn.functional.relu(nn.tensor([-1.0, 2.0]))
    >>> y
    tensor([0., 2.])
    """

    def __init__(self, name: str):
        global _name
        if name not in ("kernels", "reference"):
            raise ValueError(f"backend {name!r} does not exist; choose 'kernels' or 'reference'")
        self.before = _name
        self._switch(name)

    @staticmethod
    def _switch(name: str) -> None:
        global _name
        for op in OPS.values():
            activate(op, *(op.kernels if name == "kernels" else op.definition))
        _name = name

    def __enter__(self) -> use_backend:
        return self

    def __exit__(self, *_: object) -> None:
        self._switch(self.before)


@contextmanager
def use_kernel(name: str, forward: Callable[..., Any], backward: Callable[..., Any] | None = None, *,
               check: bool = True) -> Iterator[str]:
    """Put your own function in an op's place while the `with` block runs.

    forward(*inputs, **attrs) returns y, or (y, saved) if you also give `backward(dy, saved,
    **attrs)`; without `backward` the op's own definition is used for the gradient. The function is
    first compared with the definition on the op's samples (AssertionError names the first sample
    that differs) and timed; the block gets the verdict as text.

    >>> import numpy as np, fastnn as nn
    >>> with nn.use_kernel("relu", lambda x: np.maximum(x, 0)) as verdict:
    ...     y = nn.functional.relu(nn.tensor([-1.0, 2.0]))
    >>> verdict.startswith("relu: correct on")
    True
    """
    from .testing import laws

    if name not in OPS:
        raise KeyError(f"there is no op {name!r}; `python -m fastnn ops` lists them")
    op = OPS[name]
    if backward is None:
        def pair(*inputs: Any, **attrs: Any) -> Any:
            y = forward(*inputs, **attrs)
            return y, op.ref_forward(*inputs, **attrs)[1]
        run, back = pair, op.ref_backward
    else:
        run, back = forward, backward

    verdict = f"{name}: not checked"
    if check:
        seconds = [0.0, 0.0]
        count = 0
        for sample in op.samples():
            laws.close_to_definition(op, sample, "float64", run)
            for i, function in enumerate((op.kernels[0], run)):
                start = time.perf_counter()
                function(*sample.cast("float64"), **sample.attrs)
                seconds[i] += time.perf_counter() - start
            count += 1
        ratio = seconds[1] / max(seconds[0], 1e-9)
        verdict = f"{name}: correct on {count} samples, {ratio:.1f} x the kernel's time on them"
    before = ACTIVE[name]
    activate(op, run, back)
    nested = name in REPLACED
    REPLACED.add(name)
    try:
        yield verdict
    finally:
        ACTIVE[name] = before
        if not nested:
            REPLACED.discard(name)
