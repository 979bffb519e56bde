"""The guard against regress by counted instructions: what it compares, and that it does count
(where Valgrind is installed).
"""

import json
import shutil
import sys

import pytest
from checkout import ROOT, needs_sources

from fastnn.kernels import compiled

pytestmark = needs_sources


@pytest.fixture
def guard(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT/"tools"))
    import guard
    return guard


def test_three_percent_more_is_too_much_and_less_is_a_gain(guard):
    lines, well = guard.compare({"a": 1029, "b": 1000, "c": 960, "d": 5}, {"a": 1000, "b": 1000, "c": 1000})
    assert well and "MORE" not in "".join(lines)
    assert lines[3].endswith("keeps the gain") and lines[4].endswith("new")
    lines, well = guard.compare({"a": 1031, "b": 1000}, {"a": 1000, "b": 1000})
    assert not well and lines[1].endswith("MORE") and not lines[2].endswith("MORE")


def test_the_committed_counts_are_of_the_guarded_workloads(guard):
    committed = json.loads(guard.BASELINE.read_text())
    assert committed["level"] == guard.LEVEL and committed["compiler"] and committed["commit"]
    assert set(committed["instructions"]) == set(guard.guarded()) and min(committed["instructions"].values()) > 10_000


def test_unknown_names_are_told(guard, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["guard.py", "gemm-65"])
    assert guard.main() == 2
    assert "gemm-65" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("valgrind") or not compiled or "avx2" not in compiled.levels(),
                    reason="needs Valgrind and the AVX2 kernels")
def test_a_product_takes_at_least_its_multiply_adds(guard):
    """64^3 multiply-adds, eight in an instruction: 32,768; and not ten times as many."""
    counted = guard.count(["gemm-64/forward"])
    assert 64**3/8 < counted["gemm-64/forward"] < 10*64**3/8
