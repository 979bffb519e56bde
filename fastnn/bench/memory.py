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
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from .. import config, console
from ..config import memory
from ..console import UserError
from . import results
from .levels import at_level
from .libraries import LIBRARIES, NAMES, fill
from .networks import NETWORKS, Network, char_lstm, gpt, lenet, mlp
from .race import environment

__all__ = ["available", "command", "measure", "peak_of_training"]

STEPS = 5
TINY = {"mlp": Network(mlp(8, 8, 10), 2, image=(8,)), "lenet": Network(lenet, 1, image=(1, 28, 28)),
        "lstm": Network(char_lstm(5, 4, 4), 2, tokens=(3, 5)), "gpt": Network(gpt(5, 1, 1, 8, 4), 2, tokens=(4, 5))}


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
        loss = library.F.cross_entropy(model(x), target)
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


def command(args: Namespace) -> int:
    """`bench memory [NETWORK ...]`."""
    from ..cli.bench import rivals_here, say_missing
    if not available():
        raise UserError("peak memory is read from /proc, which this system does not have")
    networks = args.names[1:] or list(NETWORKS)
    for name in networks:
        if name not in NETWORKS:
            raise UserError(f"there is no network called {name!r}; known are {', '.join(NETWORKS)}")
    rivals, missing = rivals_here(name for name in args.against.replace(" ", "").split(",")
                                  if name not in ("numpy", "onnxruntime"))
    threads = args.threads or config.get_num_threads()
    with at_level(args.isa) as level:
        part = {**results.about(threads), **results.held_to(level, rivals), "steps": STEPS,
                "rows": measure(networks, ["fastnn", *rivals], threads, level)}
    if not args.json:
        say_missing(missing)
    results.tell(args, "memory", part)
    for row in part["rows"]:
        for library, why in row["failed"].items():
            print(f"{row['network']}: {NAMES[library]}: {why}", file=sys.stderr)
    return 1 if any(row["failed"] for row in part["rows"]) else 0


def main() -> None:
    library, name, threads = sys.argv[1:]
    print(json.dumps(peak_of_training(LIBRARIES[library](int(threads)), name)))


if __name__ == "__main__":
    main()
