"""A fair race: every contestant in a process of its own, rounds in which they alternate, results
compared before any clock runs.

Contestants wait stopped (SIGSTOP) while another runs: a thread pool that spins for a while after
its work would otherwise take the cores from whoever runs next.

Inputs lie where each library puts the arrays that it makes: PyTorch's and fastnn's begin a cache
line; NumPy's, and those that ONNX Runtime is given, begin mostly 16 bytes into one. Over
`nn.tensor(array)`, which shares NumPy's memory, products that read a matrix once take longer than
the table says: 1.03 times from memory, up to 1.6 times from an L2 cache; others hardly.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import config, console
from ..kernels import compiled
from .contest import Workload
from .levels import held
from .limits import least_time

__all__ = ["Contestants", "Result", "Worker", "busy", "environment", "geometric_mean", "race"]

CAN_STOP = hasattr(signal, "SIGSTOP")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
                    "VECLIB_MAXIMUM_THREADS", "FASTNN_NUM_THREADS")


def environment(library: str, threads: int, level: str = "") -> dict[str, str]:
    """What a contestant's process is started with: this fastnn at its level in force, so many
    threads.

    level: what rivals are held to; "": to nothing.
    """
    found = dict(os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), **held(library, level))
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [root, found.get("PYTHONPATH", "")]))
    if compiled:
        found["FASTNN_ISA"] = config.isa()
    return found


class Worker:
    """A contestant's process, and the conversation with it."""

    def __init__(self, library: str, threads: int, level: str = ""):
        self.name = library
        self.process = subprocess.Popen([sys.executable, "-m", "fastnn.bench.worker", library, str(threads)],
                                        env=environment(library, threads, level),
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        encoding="utf-8")
        self.hello: dict[str, Any] | None = None

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return {"error": f"the process of {self.name} ended with code {self.process.wait()}"}
        return json.loads(line)

    def greet(self) -> dict[str, Any]:
        """What it said when it was ready: waits for its imports the first time."""
        if self.hello is None:
            self.hello = self.receive()
            self.pause()
        return self.hello

    def ask(self, **request: Any) -> dict[str, Any]:
        if "error" in self.greet():
            return self.hello or {}
        self.resume()
        try:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            return self.receive()
        except BrokenPipeError:
            return {"error": f"the process of {self.name} has ended"}
        finally:
            self.pause()

    def pause(self) -> None:
        if CAN_STOP and self.process.poll() is None:
            self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if CAN_STOP and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
        else:
            time.sleep(0.03)                        # let the others' thread pools fall asleep

    def end(self) -> None:
        self.process.kill()         # it holds nothing that is worth a farewell, and may be stopped
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):      # what was still to be written
                # both are pipes, never None
                stream.close()                      # type: ignore[union-attr]


class Contestants:
    """The processes of all contestants; a context manager. Starting is quick: imports run while
    others go on working.

    libraries: their names; or {name: (library, threads)} for contestants that differ in more.
    "fastnn" is the one that others are compared with. level: the instruction set that rivals are
    held to where they can be (levels.py); "": to none.
    """

    def __init__(self, libraries: Sequence[str] | Mapping[str, tuple[str, int]], threads: int, level: str = ""):
        self.threads = threads
        pairs = libraries if isinstance(libraries, Mapping) else {library: (library, threads) for library in libraries}
        self.workers = {name: Worker(library, n, level) for name, (library, n) in pairs.items()}

    def __enter__(self) -> Contestants:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers.values():
            worker.end()

    def versions(self) -> dict[str, str]:
        """What took part: {library: its name and version}.

        Those that could not start are dropped.
        """
        found = {}
        for name, worker in list(self.workers.items()):
            hello = worker.greet()
            if "error" in hello:
                self.workers.pop(name).end()
            else:
                found[name] = hello["version"]
        return found

    def limits(self) -> dict[str, float]:
        return self.workers["fastnn"].ask(do="limits")


@dataclass
class Result:
    """One workload measured.

    Times are seconds of one call, a list with a number per round for each contestant.
    """

    workload: str
    group: str
    flops: float = 0.0
    bytes: float = 0.0
    times: dict[str, list[float]] = field(default_factory=dict)
    # from fastnn, as a share of the largest value
    differences: dict[str, float] = field(default_factory=dict)
    # contestants that did not take part, and why
    refused: dict[str, str] = field(default_factory=dict)
    # contestants whose results differ from fastnn's
    wrong: dict[str, str] = field(default_factory=dict)

    def median(self, library: str) -> float | None:
        return statistics.median(self.times[library]) if self.times.get(library) else None

    def best(self, library: str) -> float | None:
        return min(self.times[library]) if self.times.get(library) else None

    def ratio(self, library: str) -> float | None:
        """How many times faster fastnn is, by the medians; below 1 it is slower."""
        ours, theirs = self.median("fastnn"), self.median(library)
        return theirs/ours if ours and theirs else None

    def share(self, limits: dict[str, float]) -> float | None:
        """fastnn's speed as a share of the machine's limit; above 1 where the data stay in a cache.
        """
        least, ours = least_time(self.flops, self.bytes, limits), self.median("fastnn")
        return least/ours if least and ours else None

    def share_in_words(self, limits: dict[str, float]) -> str:
        """The same for a table: "87 %", or "369 % cache" where bytes move faster than memory can
        move them, which so come from a cache.
        """
        share, moving, ours = self.share(limits), least_time(0, self.bytes, limits), self.median("fastnn")
        if not share or not ours:
            return ""
        # a tenth: what is only read may move a little faster than what is copied
        return console.share(share) + (" cache" if moving and moving > 1.1*ours else "")


def difference(got: list[np.ndarray], want: list[np.ndarray]) -> float:
    """The largest difference as a share of the largest value, over arrays that both have; infinite
    where shapes differ.
    """
    worst = 0.0
    for a, b in zip(got, want):
        if a.shape != b.shape:
            return math.inf
        if a.size:
            scale = max(float(np.abs(b).max()), 1e-30)
            error = float(np.abs(a.astype(np.float64) - b).max())/scale
            worst = max(worst, error if math.isfinite(error) else math.inf)
    return worst


def race(contestants: Contestants, workload: Workload, rounds: int, seconds: float) -> Result:
    """Measure one workload: make it everywhere, compare the results, then run it for `rounds`
    rounds, in each about `seconds` for every contestant.
    """
    flops, moved = workload.cost()
    result = Result(workload.name, workload.group, flops, moved)
    with tempfile.TemporaryDirectory(prefix="fastnn-bench-") as folder:
        results: dict[str, list[np.ndarray]] = {}
        for name, worker in contestants.workers.items():
            path = os.path.join(folder, f"{name}.npz")
            answer = worker.ask(do="load", workload=workload.name, results=path, seconds=seconds)
            if "error" in answer:
                result.refused[name] = answer["error"]
            else:
                with np.load(path) as archive:
                    results[name] = [archive[key] for key in archive.files]
    for name in results:
        if name == "fastnn" or "fastnn" not in results:
            continue
        result.differences[name] = difference(results["fastnn"], results[name])
        if result.differences[name] > workload.tolerance:
            result.wrong[name] = f"results differ by {result.differences[name]:.1e} of the largest value"
    racing = [name for name in results if name not in result.wrong]
    for number in range(rounds):
        # A B C, C B A, A B C, ...: nobody always runs after the same neighbour
        for name in racing if number % 2 == 0 else reversed(racing):
            answer = contestants.workers[name].ask(do="round")
            if "error" in answer:
                result.refused[name] = answer["error"]
            else:
                result.times.setdefault(name, []).append(answer["seconds"])
    return result


def cores_used(seconds: float) -> float | None:
    """How many cores did work, for whomever, while this process slept for so long; None where the
    system does not say.

    The load average would also count what ended a minute ago, such as the race before this one.
    """
    def now() -> tuple[float, float]:
        with open("/proc/stat", encoding="ascii") as stat:
            # user nice system idle iowait irq softirq steal
            ticks = [float(tick) for tick in stat.readline().split()[1:9]]
        return sum(ticks), ticks[3] + ticks[4]
    try:
        total, idle = now()
        time.sleep(seconds)
        total_after, idle_after = now()
        return (os.cpu_count() or 1)*(1 - (idle_after - idle)/(total_after - total))
    except (OSError, ValueError, IndexError, ZeroDivisionError):
        return None


def busy() -> str:
    """A warning where other programs keep this machine from measuring; "" where it is quiet or does
    not say.
    """
    cores, used = os.cpu_count() or 1, cores_used(0.25)
    if used is None or used <= max(0.3, 0.1*cores):
        return ""
    return (f"this machine was busy before the race began (other programs used {used:.1f} of {cores} cores): "
            "these figures mean little, and libraries whose threads wait for each other suffer most")


def geometric_mean(ratios: Iterable[float | None]) -> float | None:
    logs = [math.log(ratio) for ratio in ratios if ratio]
    return math.exp(sum(logs)/len(logs)) if logs else None
