"""What the benchmarks share: who can run a workload, the comparison before the clock, the rates."""

from __future__ import annotations

import functools
import gc
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

import fastnn
from fastnn.bench.contest import BACKWARD, STEP, Contest, NotOffered, Workload
from fastnn.bench.libraries import LIBRARIES
from fastnn.bench.limits import least_time, measure
from fastnn.bench.race import difference
from fastnn.bench.workloads import catalogue
from fastnn.op import OPS

WORKLOADS = catalogue()


@functools.cache
def limits() -> dict[str, float]:
    """Of this machine; measured when they are first wanted."""
    return measure(fastnn.get_num_threads())


@functools.cache
def library(name: str) -> Any:
    if name == "torch":
        pytest.importorskip("torch")
    return LIBRARIES[name](fastnn.get_num_threads())


def contestants(workload: Workload) -> list[str]:
    """Who can run it: NumPy has expressions, but no gradients, layers or optimisers."""
    numpy = (workload.group == "ops" and workload.direction not in (BACKWARD, STEP)
             and OPS[workload.subject].fast_numpy is not None)
    return ["fastnn", *(["numpy"] if numpy else []), "torch"]


def cases(*groups: str, names: tuple[str, ...] = ()) -> list[Any]:
    """pytest parameters (workload name, impl) of the groups, or of the named subjects in them."""
    return [pytest.param(w.name, impl, id=f"{w.name}-{impl}") for w in WORKLOADS.values()
            if w.group in groups and (not names or w.subject in names) for impl in contestants(w)]


# the tests of one workload follow each other, so three contestants are all that is worth keeping
@functools.lru_cache(maxsize=3)
def contest(name: str, impl: str) -> Contest:
    return WORKLOADS[name].contest(library(impl))


@functools.lru_cache(maxsize=3)
def results(name: str, impl: str) -> list[np.ndarray]:
    """What a contestant computes; "the definitions" is fastnn on its definitions."""
    if impl == "the definitions":
        with fastnn.use_backend("reference"):
            return WORKLOADS[name].contest(library("fastnn")).results()
    return contest(name, impl).results()


def opponent(workload: Workload) -> str:
    """Whom fastnn's own results are compared with: NumPy's, PyTorch's, or those of the definitions.
    """
    if "numpy" in contestants(workload):
        return "numpy"
    try:
        import torch  # noqa: F401
        contest(workload.name, "torch")
        return "torch"
    except (ImportError, NotOffered):
        return "the definitions"


def run(benchmark: Any, name: str, impl: str) -> None:
    """Compare, then time."""
    workload = WORKLOADS[name]
    try:
        ours, theirs = results(name, "fastnn"), results(name, opponent(workload) if impl == "fastnn" else impl)
    except NotOffered as error:
        pytest.skip(str(error))
    error = difference(ours, theirs)
    assert error <= workload.tolerance, f"{name}: {impl} and the others differ by {error:.1e} of the largest value"

    flops, moved = workload.cost()
    benchmark.group = name
    benchmark.extra_info.update(
        impl=impl, flop=flops, byte=moved, error=error, threads=fastnn.get_num_threads(), isa=fastnn.isa(),
        versions={"fastnn": fastnn.__version__, "numpy": np.__version__, impl: library(impl).version})
    timed = contest(name, impl)
    gc.collect()
    with nullcontext() if timed.gradients or impl == "numpy" else library(impl).without_gradients():
        benchmark(timed.call)


def rates(info: dict[str, Any], seconds: float) -> dict[str, float]:
    """GFLOP/s, GB/s and the share of the limit that binds; above 1 where the data stay in a cache.
    """
    least = least_time(info["flop"], info["byte"], limits())
    found = {"GFLOP/s": info["flop"]/seconds/1e9, "GB/s": info["byte"]/seconds/1e9,
             "share of limit": least/seconds if least else 0.0}
    return {name: value for name, value in found.items() if value}
