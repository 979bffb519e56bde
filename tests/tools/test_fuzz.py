"""The fuzzer: that it reaches all that there is, repeats itself, and finds planted faults."""

import re
import resource
import subprocess
import sys
import textwrap
import time
from dataclasses import replace

import numpy as np
import pytest
from checkout import ROOT, needs_sources

import fastnn as nn
from fastnn.op import ACTIVE, OPS, activate, register
from fastnn.optim.rule import RULES
from fastnn.optim.rule import register as register_rule

pytestmark = needs_sources


@pytest.fixture
def fuzz(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT/"tools"))
    import fuzz
    threads, level = nn.get_num_threads(), nn.isa()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (fuzz.MEMORY, limits[1]))
    yield fuzz
    resource.setrlimit(resource.RLIMIT_AS, limits)
    nn.set_num_threads(threads)
    nn.use_backend("kernels")
    if level != "numpy":
        nn.use_isa(level)


def test_everything_is_reached(fuzz):
    """Each op, function, layer and optimiser has calls that work, and variations that do."""
    search, everything = fuzz.Search(seed=0, compare=False), set(fuzz.everything())
    names = search.variations.names
    assert {name.split(".")[-1] for name in names} == everything
    search.variations.spoiling = False
    for name in names:
        search.variations.names = [name]
        for number in range(60):
            if name.split(".")[-1] not in search.reached:
                search.one(number)
    assert search.reached == everything
    search.variations.names, before = names, search.totals.copy()
    search.run(0, time.monotonic() + 60, most=1000)
    assert search.totals["passed"] - before["passed"] > 500         # time is not spent on refusals


@pytest.mark.slow
def test_a_call_depends_on_seed_and_number_alone(fuzz):
    first = fuzz.Search(seed=3)
    nn.rand(3)
    second = fuzz.Search(seed=3)
    assert len({re.sub("0x[0-9a-f]+", "", repr(search.variations.calls)) for search in (first, second)}) == 1
    calls = {}
    for number in range(200):
        first.one(number)
        calls[number] = first.note_text
    for number in (150, 7, 199):
        second.one(number)
        assert second.note_text == calls[number]


def test_new_ops_and_rules_are_fuzzed_unnamed(fuzz):
    op = register(replace(OPS["relu"], name="relu_of_a_test"))
    rule = type("RuleOfATest", (nn.optim.SGD,), {})
    register_rule(rule, RULES[nn.optim.SGD])
    try:
        assert {"op.relu_of_a_test", "nn.RuleOfATest"} <= set(fuzz.Search(seed=0).variations.names)
    finally:
        del OPS[op.name], ACTIVE[op.name], RULES[rule]


@pytest.mark.parametrize("planted, what", [
    (lambda x: (x * np.float32(1.1), (x,)), "result 0: at"),
    (lambda x: (x[None], (x,)), "result 0: <f"),
    (lambda x: 1 / 0, "only the kernels raise"),
    (lambda x: (np.where(x > 2, np.nan, np.maximum(x, 0)).astype(x.dtype), (x,)), "are NaN"),
], ids=["scaled", "another shape", "an error", "NaN"])
def test_wrong_results_are_found(fuzz, planted, what):
    op = OPS["silu"]
    wrong = replace(op, forward=planted)
    OPS["silu"] = wrong
    activate(wrong, *wrong.kernels)
    try:
        search = fuzz.Search(seed=1, only=["op.silu"])
        search.run(0, time.monotonic() + 30, most=60)
    finally:
        OPS["silu"] = op
        activate(op, *op.kernels)
    assert any(what in d["why"] for d in search.differences), [d["why"] for d in search.differences]


@pytest.mark.slow
def test_a_crash_and_a_hang_are_found_and_survived(tmp_path):
    """In a program of its own: a kernel that reads address 0, and one that sleeps."""
    program = tmp_path/"planted.py"
    program.write_text(textwrap.dedent(f"""
        import ctypes, sys, time
        sys.path.insert(0, {str(ROOT/"tools")!r})
        import fuzz
        from fastnn.op import ACTIVE, OPS, activate
        fuzz.HANG = 4
        relu, tanh = ACTIVE["relu"], ACTIVE["tanh"]
        def crashes(x):
            return ctypes.string_at(0) if x.ndim == 3 else relu.forward(x)
        def hangs(x):
            return time.sleep(60) if x.ndim == 3 else tanh.forward(x)
        activate(OPS["relu"], crashes, relu.backward)
        activate(OPS["tanh"], hangs, tanh.backward)
        sys.exit(fuzz.main())
    """))
    run = subprocess.run([sys.executable, program, "30", "0", "--only", "op.relu,op.tanh", "--mutate"], cwd=ROOT,
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "exit status -11: op relu" in run.stdout and "hang: op tanh" in run.stdout, run.stdout + run.stderr


def test_the_command_makes_as_many_calls_as_it_is_told():
    run = subprocess.run([sys.executable, ROOT/"tools"/"fuzz.py", "60", "0", "--only", "add", "--calls", "137"],
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "137 calls" in run.stdout, run.stdout + run.stderr


@pytest.mark.slow
def test_the_command_ends_well_where_nothing_is_wrong():
    run = subprocess.run([sys.executable, ROOT/"tools"/"fuzz.py", "2", "0", "--only", "add,nn.Linear,nn.SGD"],
                         capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "0 faults" in run.stdout, run.stdout + run.stderr
    nothing = subprocess.run([sys.executable, ROOT/"tools"/"fuzz.py", "2", "0", "--only", "no_such_op"],
                             capture_output=True, text=True, timeout=120)
    assert nothing.returncode == 1 and "nothing named" in nothing.stdout, nothing.stdout
