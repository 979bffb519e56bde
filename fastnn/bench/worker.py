"""One contestant of `bench` in a process of its own: reads a JSON line from stdin, answers with one
on stdout.

    {"do": "load", "workload": NAME, "results": FILE, "seconds": S}
        make the contest, write its results to FILE (.npz), warm up
        -> {"number": calls that fill S seconds}
    {"do": "round"}
        time that many calls
        -> {"seconds": for one call}
    {"do": "limits"}
        the machine's limits
        -> {"flops": ..., "bytes": ...}

The first line that it writes says what it is: {"version": ..., "threads": ...}. An answer {"error":
...} refuses a request.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
from typing import Any

import numpy as np

from .contest import Contest, NotOffered
from .libraries import LIBRARIES
from .workloads import catalogue

__all__ = ["Contestant", "main"]

MOST_CALLS = 1 << 20


class Contestant:
    """A library with the workload that it is running."""

    def __init__(self, library: str, threads: int):
        self.library = LIBRARIES[library](threads)
        self.workloads = catalogue()
        self.contest: Contest | None = None
        self.number = 1

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        self.contest = None                         # the last one's memory goes first
        gc.collect()
        try:
            contest = self.workloads[request["workload"]].contest(self.library)
        except NotOffered as error:
            return {"error": str(error)}
        results = contest.results()
        np.savez(request["results"], *results)
        self.contest, self.number = contest, 1
        seconds = self.time()
        # too short for the clock
        while seconds*self.number < request["seconds"]/2 and self.number < MOST_CALLS:
            self.number = min(MOST_CALLS, max(2*self.number, int(request["seconds"]/2/max(seconds, 1e-9))))
            seconds = self.time()
        # once more: a disturbed clock would make all rounds too short
        seconds = min(seconds, self.time())
        self.number = max(1, min(MOST_CALLS, round(request["seconds"]/max(seconds, 1e-9))))
        return {"number": self.number}

    def time(self) -> float:
        """Seconds of one call, over `number` calls in a row.

        One more goes before them uncounted, since others have had the caches; a call that fills a
        round alone has no need of it.
        """
        assert self.contest is not None
        if self.number > 1:
            self.contest.repeat(1)
        start = time.perf_counter()
        self.contest.repeat(self.number)
        return (time.perf_counter() - start)/self.number

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        what = request["do"]
        if what == "load":
            return self.load(request)
        if what == "round":
            return {"seconds": self.time()}
        if what == "limits":
            from .limits import measure
            return measure(self.library.threads)
        return {"error": f"unknown request {what!r}"}


def die_with_parent() -> None:
    """On Linux: a contestant that waits stopped would outlive a parent that was killed, since it
    cannot notice.
    """
    if sys.platform == "linux":
        import ctypes
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    die_with_parent()
    # what libraries print must not end up between the answers: stdout becomes stderr, the answers
    # keep a copy of it
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    contestant = Contestant(sys.argv[1], int(sys.argv[2]))
    gc.disable()
    reply: dict[str, Any] = {"version": contestant.library.version, "threads": contestant.library.threads}
    while True:
        answers.write(json.dumps(reply) + "\n")
        answers.flush()
        line = sys.stdin.readline()
        if not line:
            return
        try:
            reply = contestant.answer(json.loads(line))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
