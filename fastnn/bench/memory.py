"""`python -m fastnn bench memory`: the peak resident memory of a network's training step, fastnn's
beside its rivals'.

A network is trained for a few steps in a process of its own for each library. Its figure is the
highest resident size in that time (VmHWM of /proc/self/status) over the resident size before the
network was made. Before that, tiny networks with every kind of layer learn for a step, so that
code, thread pools and whatever else a library loads at first use counts for nobody.

    python -m fastnn.bench.memory LIBRARY NETWORK THREADS       one measurement, as a line of JSON
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from .. import console
from ..config import memory
from ..console import UserError
from . import results
from .libraries import LIBRARIES, NAMES, fill
from .networks import NETWORKS, Network, char_lstm, gpt, mlp
from .race import environment

__all__ = ["available", "measure", "part", "peak_of_training"]

STEPS = 5
TINY = {"mlp": Network(mlp(8, 8, 10), 2, image=(8,)),
        "lenet": Network(NETWORKS["lenet"].build, 1, image=(1, 28, 28)),
        "lstm": Network(char_lstm(5, 4, 4), 2, tokens=(3, 5)),
        "gpt": Network(gpt(vocab_size=5, n_positions=4, n_embd=8, n_layer=1, n_head=1, activation_function="gelu"), 2,
                       tokens=(4, 5))}


def available() -> bool:
    """Whether this system says how much is resident, and lets the peak begin anew."""
    return os.access("/proc/self/clear_refs", os.W_OK)


def resident(what: str) -> int:
    """Bytes of VmRSS (now) or VmHWM (the most since the last reset)."""
    with open("/proc/self/status", encoding="ascii") as status:
        found = re.search(rf"^{what}:\s*(\d+) kB", status.read(), re.M)
    if not found:
        raise UserError(f"/proc/self/status has no {what}")
    return int(found[1]) << 10


def forget_peak() -> None:
    """Begin VmHWM anew from what is resident now."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as control:
        control.write("5")


def give_back() -> None:
    """Free memory that libraries keep for reuse returns to the system, so that the next network
    does not find it.
    """
    gc.collect()
    memory.trim()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)                # glibc's


def train(library: Any, network: Network, name: str, steps: int) -> float:
    """So many steps of Adam, as the benchmarks' `step` does them; returns the last loss."""
    model = network.build(library)
    fill(library, model, name)
    x, target = (library.tensor(a) for a in network.data(name, network.batch))
    optimizer = library.adam(model.parameters())
    loss = None
    for _ in range(steps):
        loss = library.F.cross_entropy(network.scores(model, x), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert loss is not None
    return float(loss.item())


def peak_of_training(library: Any, name: str, steps: int = STEPS) -> dict[str, float]:
    """{"before": bytes resident before the network is made, "peak": the most above that, "loss":
    after the steps}, in this process.

    Raises OSError where the system has no /proc.
    """
    for tiny, network in TINY.items():
        train(library, network, tiny, 1)
    give_back()
    before = resident("VmRSS")
    forget_peak()
    loss = train(library, NETWORKS[name], name, steps)
    return {"before": before, "peak": max(0, resident("VmHWM") - before), "loss": loss}


def measure(networks: Sequence[str], libraries: Sequence[str], threads: int, level: str = "") -> list[dict[str, Any]]:
    """A row per network: {"network": name, "peak": {library: bytes}, "failed": {library: why}}."""
    rows = []
    for name in networks:
        row: dict[str, Any] = {"network": name, "peak": {}, "failed": {}}
        for library in libraries:
            console.progress(f"  {NAMES[library]} trains {name}")
            done = subprocess.run([sys.executable, "-m", __name__, library, name, str(threads)], capture_output=True,
                                  text=True, env=environment(library, threads, level))
            if done.returncode:
                row["failed"][library] = (done.stderr.strip().splitlines()
                                          or [f"ended with code {done.returncode}"])[-1]
            else:
                row["peak"][library] = json.loads(done.stdout.splitlines()[-1])["peak"]
        rows.append(row)
    console.progress("")
    return rows


def part(names: Sequence[str], rivals: Sequence[str], threads: int, level: str = "") -> dict[str, Any]:
    """The part of a record, over these networks, or all without names.

    UserError: a name that is no network's, or a system that does not tell.
    """
    if not available():
        raise UserError("peak memory is read from /proc, which this system does not have")
    for name in names:
        if name not in NETWORKS:
            raise UserError(f"there is no network called {name!r}; known are {', '.join(NETWORKS)}")
    rows = measure(names or list(NETWORKS), ["fastnn", *rivals], threads, level)
    return results.part(threads, level, rivals, rows, steps=STEPS)


def main() -> None:
    library, name, threads = sys.argv[1:]
    console.say(json.dumps(peak_of_training(LIBRARIES[library](int(threads)), name)))


if __name__ == "__main__":
    main()
