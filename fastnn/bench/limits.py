"""The two limits of the machine that speed is a share of: multiply-adds a second, and bytes moved a
second.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from ..kernels import compiled

__all__ = ["least_time", "measure"]

# bytes of the arrays that are copied: more than any cache of these machines' cores
COPIED = 64 << 20
TRIES = 7


def measure(threads: int) -> dict[str, float]:
    """{"flops": float32 operations a second, "bytes": bytes read and written a second} that
    `threads` threads reach here.

    Cost: about a third of a second, and 128 MiB for that time.
    """
    return {"flops": multiply_adds(threads), "bytes": copy_bandwidth(threads)}


def multiply_adds(threads: int) -> float:
    """Multiply-adds in registers (csrc/ladder/peak.c); without compiled kernels, the best matrix
    product of NumPy.
    """
    best = 0.0
    if compiled:
        sink = np.zeros(threads, np.float32)
        compiled.multiply_add_peak(sink, 100_000)
        for _ in range(TRIES):
            start = time.perf_counter()
            flops = compiled.multiply_add_peak(sink, 1_000_000)
            best = max(best, flops/(time.perf_counter() - start))
        return best
    a = np.ones((512, 512), np.float32)
    for _ in range(TRIES):
        start = time.perf_counter()
        _ = a @ a
        best = max(best, 2.0*512**3/(time.perf_counter() - start))
    return best


def copy_bandwidth(threads: int) -> float:
    """`np.copyto` of arrays that have been touched before, a slice for each thread (NumPy gives up
    the GIL while it copies).
    """
    source, target = np.ones(COPIED//4, np.float32), np.zeros(COPIED//4, np.float32)
    pieces = list(zip(np.array_split(target, threads), np.array_split(source, threads)))
    best = 0.0
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(TRIES + 1):
            start = time.perf_counter()
            for job in [pool.submit(partial(np.copyto, *piece)) for piece in pieces]:
                job.result()
            best = max(best, 2.0*COPIED/(time.perf_counter() - start))
    return best


def least_time(flops: float, moved: float, limits: dict[str, float]) -> float | None:
    """The time that no implementation can beat as long as the bytes come from memory; None where
    costs are unknown.
    """
    bounds = [amount/limits[what] for what, amount in (("flops", flops), ("bytes", moved))
              if amount and limits.get(what)]
    return max(bounds, default=None)
