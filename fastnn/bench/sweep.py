"""`python -m fastnn bench sweep`: does speed fall off a cliff at odd sizes? Prime-sized products
and odd images beside their neighbours.

Sizes come in clusters: 127 beside 128, an image of 17 x 17 beside 16 x 16. A size is a cliff where
an operation costs more than 1.5 times what it costs at the better of the sizes next to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .. import config, console, functional, no_grad, tensor
from ..op import seeded
from . import results
from .bars import CLIFF
from .race import busy

__all__ = ["SWEEPS", "Sweep", "cliffs", "measure", "part", "steep"]

# rounds, and seconds of a size in each; sizes alternate, so that a disturbance hits no single one
ROUNDS, SECONDS = 5, 0.01
TRIES = 3                   # what looks like a cliff is measured again, so often in all


@dataclass(frozen=True)
class Sweep:
    """What is swept: call(n, dtype) makes (a call to time, its operations); clusters of sizes n
    that are compared among themselves.
    """

    name: str
    clusters: tuple[tuple[int, ...], ...]
    call: Callable[[int, Any], tuple[Callable[[], Any], float]]


def gemm(n: int, dtype: Any) -> tuple[Callable[[], Any], float]:
    a, b = (tensor(seeded(f"sweep {n} {i}").standard_normal((n, n)).astype(dtype)) for i in range(2))
    return lambda: a @ b, 2.0*n**3


def conv(size: int, dtype: Any, backward: bool = False) -> tuple[Callable[[], Any], float]:
    """3 x 3, 32 to 64 channels, 4 images; backward: with the gradients of images and filters."""
    rng = seeded(f"sweep {size}")
    x = tensor(rng.standard_normal((4, 32, size, size)).astype(dtype), requires_grad=backward)
    w = tensor(rng.standard_normal((64, 32, 3, 3)).astype(dtype), requires_grad=backward)
    dy = tensor(rng.standard_normal((4, 64, size, size)).astype(dtype))

    def both() -> None:
        x.grad = w.grad = None
        functional.conv2d(x, w, padding=1).backward(dy)
    flops = 2.0*4*64*size*size*32*9
    return (both, 3*flops) if backward else (lambda: functional.conv2d(x, w, padding=1), flops)


SIZES = ((29, 31, 32, 33, 37), (61, 64, 67), (127, 128, 131), (251, 256, 257), (509, 512, 521), (1021, 1024, 1031))
IMAGES = ((7, 8, 9), (14, 15, 16, 17, 18), (28, 29, 30, 31, 32, 33), (55, 56, 57))
SWEEPS = (Sweep("gemm", SIZES, gemm), Sweep("conv3x3", IMAGES, conv),
          Sweep("conv3x3 forward+backward", IMAGES, lambda size, dtype: conv(size, dtype, True)))


def repeats(call: Callable[[], Any], seconds: float) -> int:
    """How many calls take so long."""
    call()
    start = time.perf_counter()
    call()
    return max(1, round(seconds/max(time.perf_counter() - start, 1e-9)))


def measure(sweeps: Sequence[Sweep], dtypes: Sequence[str], seconds: float = SECONDS,
            rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """A row per size: {"what", "dtype", "size", "seconds": of a call, the best of the rounds,
    "rate": operations a second, "cost": ...}.

    cost: what an operation takes, over what it takes at the better neighbour; see `cliffs`.
    """
    rows = []
    for sweep in sweeps:
        for dtype in dtypes:
            console.progress(f"  sweeping {sweep.name}, {dtype}")
            for cluster in sweep.clusters:
                calls = {n: sweep.call(n, dtype) for n in cluster}
                with_gradients = "backward" in sweep.name
                best = dict.fromkeys(cluster, float("inf"))
                counts = {n: repeats(call, seconds) for n, (call, _) in calls.items()}
                for _ in range(TRIES):
                    for _ in range(rounds):
                        for n, (call, _) in calls.items():
                            best[n] = min(best[n], timed(call, counts[n], with_gradients))
                    found = cliffs([{"what": sweep.name, "dtype": dtype, "size": n, "seconds": best[n],
                                     "rate": calls[n][1]/best[n]}
                                    for n in cluster])
                    if all(row["cost"] <= CLIFF for row in found):
                        break
                rows += found
    console.progress("")
    return rows


def timed(call: Callable[[], Any], number: int, with_gradients: bool) -> float:
    def loop() -> float:
        start = time.perf_counter()
        for _ in range(number):
            call()
        return (time.perf_counter() - start)/number
    if with_gradients:
        return loop()
    with no_grad():
        return loop()


def cliffs(cluster: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of one cluster, sizes ascending, with "cost": the best rate of the two sizes next to it
    over its own; above CLIFF it is a cliff.

    >>> [row["cost"] for row in cliffs([{"rate": 4.0}, {"rate": 2.0}, {"rate": 8.0}])]
    [0.5, 4.0, 0.25]
    """
    rates = [row["rate"] for row in cluster]
    return [{**row, "cost": max(rates[max(0, i - 1):i] + rates[i + 1:i + 2])/rates[i]} for i, row in enumerate(cluster)]


def part(threads: int, level: str = "") -> dict[str, Any]:
    """The part of a record."""
    warning = busy()
    with config.threads(threads):
        return results.part(threads, level, [], measure(SWEEPS, ("float32", "float64")), warning)


def steep(part: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that are cliffs."""
    return [row for row in part["rows"] if row["cost"] > CLIFF]
