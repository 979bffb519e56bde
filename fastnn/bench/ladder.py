"""`python -m fastnn bench gemm --ladder`: the way from the plain loops to the kernel, step by step,
measured on this machine.

The steps are csrc/ladder/ladder.tmpl.h, told in docs/kernels; the last ones are the library's
kernel, at one thread and at several.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from .. import about, config, console
from ..console import UserError
from ..kernels import compiled
from ..op import OPS
from . import limits

__all__ = ["HEADS", "LADDERS", "Ladder", "Step", "at_levels", "cells", "facts", "ladders", "markdown", "measure"]

Array = Any


@dataclass(frozen=True)
class Step:
    """One step of the way.

    name      what it is called
    run       computes the whole result once
    bytes     of the arrays that it passes over, once for each pass; once in all where a loop comes
              back to what is still in cache
    threads   0: all
    aside     whether it leads nowhere: the next step is then compared with the one before it
    """

    name: str
    run: Callable[[], Array]
    bytes: float
    threads: int = 1
    aside: bool = False


@dataclass(frozen=True)
class Ladder:
    """A kernel, what is measured of it, the operations that the result takes, the steps, and the
    definition's result.
    """

    name: str
    about: str
    operations: float
    steps: Sequence[Step]
    definition: Callable[[], Array]
    dtype: Any = field(default=np.float32)


def random(*shape: int, dtype: Any, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype)


def forward(op: str, *inputs: Array, **attrs: Any) -> Array:
    """The kernel's result, or the first of several."""
    y = OPS[op].kernels[0](*inputs, **attrs)[0]
    return y[0] if isinstance(y, tuple) else y


def defined(op: str, *inputs: Array, **attrs: Any) -> Array:
    """The definition's, from inputs in float64."""
    y = OPS[op].ref_forward(*[x if x is None else x.astype(np.float64) for x in inputs], **attrs)[0]
    return y[0] if isinstance(y, tuple) else y


def kernel_steps(name: str, run: Callable[[], Array], moved: float) -> list[Step]:
    """The two last steps of every ladder."""
    return [Step(f"{name}: the kernel", run, moved), Step("the kernel on all threads", run, moved, threads=0)]


def gemm(m: int = 960, n: int = 960, k: int = 960, dtype: Any = np.float32) -> Ladder:
    a, b = random(m, k, dtype=dtype), random(k, n, dtype=dtype, seed=1)
    names = ("three loops, i j k", "three loops, i k j", "blocks that stay in cache", "four rows at a time",
             "tiles of C in registers")
    moved = a.itemsize*(m*k + k*n + m*n)
    steps = [Step(name, partial(compiled.ladder_gemm, a, b, i), moved) for i, name in enumerate(names)]
    steps += kernel_steps("packed panels", lambda: forward("matmul", a, b), moved)
    return Ladder("gemm", f"C = A B, {m} x {k} times {k} x {n}", 2*m*n*k, steps, lambda: defined("matmul", a, b), dtype)


def conv2d(N: int = 4, C: int = 64, H: int = 56, W: int = 56, K: int = 64, R: int = 3,
           dtype: Any = np.float32) -> Ladder:
    x, w = random(N, C, H, W, dtype=dtype), random(K, C, R, R, dtype=dtype, seed=1)
    p = R//2
    P, Q = H + 2*p - R + 1, W + 2*p - R + 1
    attrs = {"stride": (1, 1), "padding": ((p, p), (p, p)), "dilation": (1, 1), "groups": 1}
    moved, columns = x.itemsize*(x.size + w.size + N*K*P*Q), x.itemsize*N*C*R*R*P*Q
    names = (("seven loops", 0), ("im2col, then i k j", 2*columns), ("im2col, then gemm", 2*columns),
             ("strips of columns", 0))
    steps = [Step(name, partial(compiled.ladder_conv2d, x, w, (1, 1), ((p, p), (p, p)), i), moved + extra)
             for i, (name, extra) in enumerate(names)]
    steps += kernel_steps("Winograd" if R == 3 else "im2col by pieces", lambda: forward("conv2d", x, w, None, **attrs),
                          moved)
    return Ladder("conv2d", f"{N} x {C} x {H} x {W}, {K} filters of {R} x {R}, padding {p}", 2*N*K*P*Q*C*R*R, steps,
                  lambda: defined("conv2d", x, w, None, **attrs), dtype)


def pooling(N: int = 8, C: int = 64, H: int = 112, W: int = 112, dtype: Any = np.float32) -> Ladder:
    x = random(N, C, H, W, dtype=dtype)
    attrs = {"kernel_size": (3, 3), "stride": (2, 2), "padding": (1, 1), "dilation": (1, 1), "ceil_mode": False,
             "return_indices": False}
    y_size = N*C*((H - 1)//2 + 1)*((W - 1)//2 + 1)
    moved = x.itemsize*(x.size + y_size) + 4*y_size                 # and places as 32-bit numbers
    names = ("every tap asks where it is", "loops cut to the image", "a row at a time, in vectors")

    def maxima(step: int) -> Array:
        # without their places
        return compiled.ladder_max_pool2d(x, (3, 3), (2, 2), (1, 1), step)[0]

    steps = [Step(name, partial(maxima, i), moved) for i, name in enumerate(names)]
    # places as bytes
    steps += kernel_steps("first down, then across", lambda: forward("max_pool2d", x, **attrs), moved - 3*y_size)
    return Ladder("pooling",
                  f"max_pool2d, {N} x {C} x {H} x {W}, 3 x 3, stride 2, padding 1, with the places of the maxima",
                  9*y_size, steps, lambda: defined("max_pool2d", x, **attrs), dtype)


def softmax(rows: int = 4096, n: int = 1000, dtype: Any = np.float32) -> Ladder:
    x = 4*random(rows, n, dtype=dtype)
    moved = 2*x.nbytes
    names = ("three passes, exp of the C library", "three passes, exp in vectors",
             "aside: online, two passes and two exp")
    steps = [Step(name, partial(compiled.ladder_softmax, x, i), moved, aside=i == 2) for i, name in enumerate(names)]
    steps += kernel_steps("three passes, any axis", lambda: forward("softmax", x, dim=1), moved)
    return Ladder("softmax", f"{rows} rows of {n}", 5*x.size, steps, lambda: defined("softmax", x, dim=1), dtype)


def lstm(T: int = 32, B: int = 16, I: int = 256, H: int = 256, dtype: Any = np.float32) -> Ladder:
    x, h0, c0 = random(T, B, I, dtype=dtype), random(B, H, dtype=dtype, seed=1), random(B, H, dtype=dtype, seed=2)
    bound = H**-0.5
    w_ih, w_hh, b = (bound*random(*shape, dtype=dtype, seed=seed)
                     for seed, shape in enumerate(((4*H, I), (4*H, H), (4*H,)), 3))
    z, weights = x.itemsize*T*B*4*H, w_ih.nbytes + w_hh.nbytes
    moved = x.nbytes + x.itemsize*T*B*H + weights
    each_step = (T - 1)*w_ih.nbytes         # read again for each step, where the products are apart
    names = (("a dot product for each gate", each_step), ("two products a step", 2*z + each_step),
             ("one product for all inputs", 2*z), ("gates in vectors", 2*z))
    steps = [Step(name, partial(compiled.ladder_lstm, x, h0, c0, w_ih, w_hh, b, i), moved + extra)
             for i, (name, extra) in enumerate(names)]
    attrs = {"reverse": False}
    inputs = (x, h0, c0, w_ih, w_hh, b, None)
    steps += kernel_steps("packed weights, gates on the tile", lambda: forward("lstm", *inputs, **attrs), moved + 2*z)
    return Ladder("lstm", f"{T} steps, batch {B}, {I} inputs, {H} units", 2*T*B*4*H*(I + H), steps,
                  lambda: defined("lstm", *inputs, **attrs), dtype)


def attention(items: int = 2, T: int = 2048, HS: int = 64, dtype: Any = np.float32) -> Ladder:
    q, k, v = (random(items, T, HS, dtype=dtype, seed=seed) for seed in range(3))
    scale = HS**-0.5
    seen = np.tril(np.ones((T, T), bool))
    op = "scaled_dot_product_attention"
    moved, scores = 4*q.nbytes, q.itemsize*items*T*T
    steps = [Step("query by query", lambda: compiled.ladder_attention(q, k, v, scale, 0), moved),
             Step("all scores: gemm, softmax, gemm", lambda: compiled.ladder_attention(q, k, v, scale, 1),
                  moved + 6*scores),
             Step("tiles with online softmax", lambda: forward(op, q, k, v, seen, is_causal=False, scale=scale),
                  moved + seen.nbytes),
             *kernel_steps("tiles above the diagonal skipped",
                           lambda: forward(op, q, k, v, None, is_causal=True, scale=scale), moved)]
    return Ladder("attention", f"causal, {items} heads, {T} queries and keys of {HS}", 2*items*T*(T + 1)*HS, steps,
                  lambda: defined(op, q, k, v, None, is_causal=True, scale=scale), dtype)


LADDERS: dict[str, Callable[..., Ladder]] = {"gemm": gemm, "conv2d": conv2d, "pooling": pooling, "softmax": softmax,
                                             "lstm": lstm, "attention": attention}


def ladders(names: Sequence[str]) -> list[str]:
    """These names, or all without any. UserError where there is no such ladder, or none can run."""
    for name in names:
        if name not in LADDERS:
            raise UserError(f"there is no ladder to {name!r}; known are {', '.join(LADDERS)}")
    if compiled is None:
        raise UserError("the steps are compiled code, and fastnn was installed without a compiler")
    return list(names or LADDERS)


ENOUGH, LONG = 3, 0.2       # rounds of a step whose single call takes longer than so many seconds


def time_of(run: Callable[[], Array], seconds: float) -> float:
    """The time of one call, from as many as fit."""
    calls, start = 0, time.perf_counter()
    while True:
        run()
        calls += 1
        passed = time.perf_counter() - start
        if passed >= seconds:
            return passed/calls


def machine(counts: set[int]) -> dict[int, dict[str, float]]:
    """The machine's limits at these numbers of threads."""
    found = {}
    for n in sorted(counts):
        with config.threads(n):
            found[n] = limits.measure(n)
    return found


def measure(ladder: Ladder, threads: int, rounds: int = 7, seconds: float = 0.05) -> dict[str, Any]:
    """Medians of rounds in which all steps alternate, and at one thread those of the kernel at each
    instruction set that runs here.

    UserError where a step's result is not the definition's.
    """
    steps = [step for step in ladder.steps if step.threads == 1 or threads > 1]
    levels = [name for name, (_, runs) in compiled.levels().items() if runs]
    levels = levels[:levels.index(config.isa()) + 1]
    kernel = next(step for step in reversed(ladder.steps) if step.threads == 1)
    expected, tolerance = ladder.definition(), 1e-4 if ladder.dtype == np.float32 else 1e-11
    bounds = machine({1, threads})
    times: dict[str, list[float]] = {}
    with config.threads(1):
        for step in steps:
            if not np.allclose(step.run(), expected, rtol=tolerance, atol=tolerance*float(np.abs(expected).max())):
                raise UserError(f"{ladder.name}: the step '{step.name}' computes something else than the definition")
        for _ in range(rounds):
            for step in steps:
                known = times.get(step.name, [])
                if len(known) >= ENOUGH and known[-1] > LONG:
                    continue
                with config.threads(step.threads or threads):
                    times.setdefault(step.name, []).append(time_of(step.run, seconds))
            for level in levels:
                with config.use_isa(level):
                    times.setdefault(f"@{level}", []).append(time_of(kernel.run, seconds))
    # the better of before and after: what disturbs a moment must not lower the roof
    again = machine({1, threads})
    bounds = {n: {what: max(limit, again[n][what]) for what, limit in bounds[n].items()} for n in bounds}
    rows: list[dict[str, Any]] = []
    before = None
    for step in steps:
        took, limit = statistics.median(times[step.name]), bounds[step.threads or threads]
        least = limits.least_time(ladder.operations, ladder.steps[-1].bytes, limit) or 0.0
        rows.append({"step": step.name, "seconds": took, "threads": step.threads or threads, "bytes": step.bytes,
                     "rate": ladder.operations/took, "gain": before/took if before else None,
                     "share": least/took})
        before = before if step.aside else took
    return {"ladder": ladder.name, "about": ladder.about, "operations": ladder.operations, "steps": rows,
            "limits": bounds, "threads": threads,
            "levels": {level: statistics.median(times[f"@{level}"]) for level in levels},
            "processor": about.processor(), "instruction set": config.isa(), "date": time.strftime("%Y-%m-%d")}


HEADS = ("step", "time", "gain", "so far", "Gop/s", "of limit")


def cells(measured: dict[str, Any]) -> list[list[str]]:
    first = measured["steps"][0]["seconds"]
    return [[row["step"], console.time(row["seconds"]), f"{row['gain']:.2f} x" if row["gain"] else "",
             f"{first/row['seconds']:.1f} x", f"{row['rate']/1e9:.1f}", console.share(row["share"])]
            for row in measured["steps"]]


def at_levels(measured: dict[str, Any]) -> str:
    times = ", ".join(f"{level} {console.time(seconds)}" for level, seconds in measured["levels"].items())
    return f"The kernel at one thread: {times}."


def facts(measured: dict[str, Any]) -> str:
    bound = [f"{limit['flops']/1e9:.0f} GFLOP/s and {limit['bytes']/1e9:.1f} GB/s at {console.count(n, 'thread')}"
             for n, limit in sorted(measured["limits"].items())]
    return f"{measured['processor']}, {measured['instruction set']}, {measured['date']}; limits: {'; '.join(bound)}."


def markdown(measured: dict[str, Any]) -> str:
    """The table for a page of docs/kernels."""
    lines = [f"{measured['about']}; float32.", "", f"| {' | '.join(HEADS)} |", f"|---|{'---:|'*(len(HEADS) - 1)}"]
    lines += [f"| {' | '.join(row)} |" for row in cells(measured)]
    return "\n".join([*lines, "", at_levels(measured), facts(measured), ""])
