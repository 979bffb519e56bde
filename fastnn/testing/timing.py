"""How fast is a kernel beside the compiled one, at the size of a layer of a real network?"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import console
from ..op import Op, Sample, seeded
from .allowance import each
from .derivatives import random_cotangent
from .trials import Kernel, Trial
from .words import times

__all__ = ["timed"]

FIRST = ("lenet", "mlp", "mnist", "chars")          # benchmarks that are timed if an op has them
LARGEST = 16_000_000            # elements of a timed call: more take seconds to be drawn
SPAN = 0.1                      # seconds in which a call is repeated
TIMING_SECONDS = 1.5            # how long a call may take, as far as can be foreseen


def timed(kernel: Kernel, trials: Sequence[Trial]) -> tuple[list[tuple[str, str]], float]:
    size, sample = _realistic(kernel.op, trials)
    inputs = [np.ascontiguousarray(a) if isinstance(a, np.ndarray) and a.ndim else a for a in sample.cast("float32")]
    y, ref_saved = kernel.op.kernels[0](*inputs, **sample.attrs)
    dy = each(lambda a: a.astype("float32"), random_cotangent(y, sample.rng()))
    mine = _seconds(lambda: kernel.forward(*inputs, **sample.attrs))
    theirs = _seconds(lambda: kernel.op.kernels[0](*inputs, **sample.attrs))
    lines = [("Time", f"{size}, float32: {_beside(mine, theirs)}")]
    if kernel.backward is not None and kernel.op.kernels[1] is not None:
        back, ours = kernel.backward, kernel.op.kernels[1]
        saved = kernel.forward(*inputs, **sample.attrs)[1]
        lines.append(("", "backward: " + _beside(_seconds(lambda: back(dy, saved, **sample.attrs)),
                                                 _seconds(lambda: ours(dy, ref_saved, **sample.attrs)))))
    return lines, mine/theirs


def _realistic(op: Op, trials: Sequence[Trial]) -> tuple[str, Sample]:
    """(its name, a call of a real network's size), with fewer items where the kernel would take too
    long; and where even one would, the call that is foreseen to be shortest.
    """
    foreseen = _foreseen(op, trials)
    benches: list[tuple[str, Callable[[], Sample | None]]] = [*op.bench.items()]
    benches = benches or [("2048x512", lambda: _plain(op))]
    largest = max((t.sample for t in trials), key=lambda s: _work(op, s))
    found = [(f"sample '{largest.name}', the largest", largest)]
    for name, make in sorted(benches, key=lambda item: item[0].split(".")[0] not in FIRST):
        sample = make()
        if sample is None or sum(a.size for a in sample.inputs if isinstance(a, np.ndarray)) > LARGEST:
            continue
        seconds = foreseen(sample)
        if seconds <= TIMING_SECONDS:
            return name, sample
        items = next(len(a) for a in sample.inputs if isinstance(a, np.ndarray) and a.ndim)
        few = max(1, int(items*TIMING_SECONDS/seconds))
        fewer = _shortened(op, sample, few)
        if fewer is not None:
            found.append((f"{name} with {few} of its {items} items", fewer))
            if foreseen(fewer) <= 2*TIMING_SECONDS:
                return found[-1]
    return min(found, key=lambda row: _work(op, row[1]))


def _foreseen(op: Op, trials: Sequence[Trial]) -> Callable[[Sample], float]:
    """How long a call will take, by the shortest and the longest of the trials."""
    first, *_, last = sorted(trials, key=lambda t: _work(op, t.sample))
    begin, more = _work(op, last.sample), _work(op, last.sample) - _work(op, first.sample)
    slope = max(last.seconds - first.seconds, 0.0)/max(more, 1)
    return lambda sample: last.seconds + slope*max(_work(op, sample) - begin, 0)


def _work(op: Op, sample: Sample) -> float:
    """A measure of a call's work: by its sizes, or by its elements."""
    elements = sum(a.size for a in sample.inputs if isinstance(a, np.ndarray)) + 1
    return max(op.flops(**sample.sizes) if op.flops and sample.sizes else 0, elements)


def _shortened(op: Op, sample: Sample, items: int) -> Sample | None:
    """The same call with fewer items along the first axis, or None if it has no such axis."""
    if op.name == "einsum":                         # a letter has one length in all inputs
        return None
    first = next(a for a in sample.inputs if isinstance(a, np.ndarray))
    length = len(first)
    inputs = tuple(a[:items] if isinstance(a, np.ndarray) and a.ndim and len(a) == length else a for a in sample.inputs)
    key = next((k for k, n in sample.sizes.items() if n == length), None)
    sizes = {k: items if k == key else n for k, n in sample.sizes.items()}
    if key is None:                                 # sizes that count elements
        sizes = {k: n*items//length if n == first.size else n for k, n in sizes.items()}
    made = replace(sample, inputs=inputs, sizes=sizes)
    try:
        if op.check is not None:
            op.check(*made.cast("float64"), **made.attrs)
        op.kernels[0](*made.cast("float32"), **made.attrs)
    except Exception:
        return None
    return made


def _plain(op: Op) -> Sample | None:
    """A call with 2,048 x 512 numbers for ops without a benchmark; None if there is none. Where all
    arrays of a sample have one shape, they are repeated.
    """
    rng = seeded("judge: a call of a real size")
    x = rng.standard_normal((2048, 512))
    i = rng.integers(0, 512, (2048, 256))
    places = rng.integers(0, x.size, (2048, 256))
    sizes: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
        "clone": ((x,), {}), "to": ((x,), {"dtype": np.float64}), "reshape": ((x,), {"shape": (512, 2048)}),
        "expand": ((x[:, :1],), {"shape": (2048, 512)}), "tile": ((x[:1],), {"repeats": (2048, 1)}),
        "getitem": ((x,), {"key": rng.integers(0, 2048, 1024)}), "gather": ((x, i), {"dim": 1}),
        "index_select": ((x, rng.integers(0, 2048, 1024)), {"dim": 0}), "where": ((x > 0, x, -x), {}),
        "masked_fill": ((x, x > 0), {"value": 0.0}), "split": ((x,), {"sections": (1024, 1024), "dim": 0}),
        "unbind": ((x[:16],), {"dim": 0}), "heaviside": ((x,), {"value": 0.0}), "flip": ((x,), {"dims": (1,)}),
        "roll": ((x,), {"shifts": (1,), "dims": (1,)}), "cat": ((x, x, x), {"dim": 0}),
        "stack": ((x, x, x), {"dim": 0}), "permute": ((x,), {"dims": (1, 0)}),
        "pad": ((x,), {"widths": ((1, 1), (1, 1)), "mode": "constant", "value": 0.0}),
        "diagonal": ((x,), {"offset": 0, "dims": (0, 1)}), "triangle": ((x,), {"diagonal": 0, "upper": False}),
        "cumprod": ((x,), {"dim": 1}), "put": ((x, places, x[:, :256]), {"accumulate": True}),
        "scatter_reduce": ((x, places, x[:, :256]), {"reduce": "amax", "include_self": True})}
    if op.name not in sizes:
        return next(map(_repeated, filter(_of_one_shape, op.samples())), None)
    inputs, attrs = sizes[op.name]
    return Sample("2048x512", inputs, attrs)


def _of_one_shape(sample: Sample) -> bool:
    shapes = {a.shape for a in sample.inputs if isinstance(a, np.ndarray)}
    return len(shapes) == 1 and len(max(shapes)) == 3 and min(max(shapes)) > 1 and not sample.attrs.get("dim")


def _repeated(sample: Sample) -> Sample:
    inputs = tuple(np.resize(a, (2048, 512)) if isinstance(a, np.ndarray) else a for a in sample.inputs)
    return Sample("2048x512", inputs, sample.attrs)


def _seconds(call: Callable[[], Any]) -> float:
    """The best of as many calls as go into SPAN seconds, or of one; a long one is not charged for
    the time in which the machine did something else.
    """
    best, begin = float("inf"), time.perf_counter()
    while best == float("inf") or time.perf_counter() - begin < SPAN:
        start, work = time.perf_counter(), time.process_time()
        call()
        seconds, work = time.perf_counter() - start, time.process_time() - work
        best = min(best, min(seconds, work) if work > 0.05 else seconds)
    return best


def _beside(mine: float, theirs: float) -> str:
    ratio = mine/theirs
    how = f"{times(ratio)} the kernel's {console.time(theirs)}" if ratio >= 1.05 else \
        f"{times(1/ratio)} as fast as the kernel's {console.time(theirs)}" if ratio < 0.95 else \
        f"as the kernel's {console.time(theirs)}"
    return f"{console.time(mine)}, {how}"
