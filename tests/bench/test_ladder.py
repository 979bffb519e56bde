"""The steps from the plain loops to the kernels: each computes what the definition does, `bench
--ladder` measures them, docs/kernels tells them.
"""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from checkout import ROOT, needs_sources

import fastnn as nn
from fastnn import cli
from fastnn.bench import ladder
from fastnn.console import UserError
from fastnn.kernels import compiled

pytestmark = pytest.mark.skipif(compiled is None, reason="the steps are compiled code")

PAGES = ROOT/"docs/kernels"
LEVELS = [name for name, (_, runs) in compiled.levels().items() if runs] if compiled else []
SMALL = {"gemm": [dict(m=13, n=67, k=130), dict(m=1, n=1, k=1), dict(m=23, n=601, k=65)],
         "conv2d": [dict(N=2, C=3, H=7, W=9, K=5), dict(N=1, C=2, H=11, W=5, K=3, R=5),
                    dict(N=1, C=20, H=16, W=17, K=18)],
         "pooling": [dict(N=1, C=3, H=9, W=14), dict(N=2, C=1, H=8, W=67)],
         "softmax": [dict(rows=5, n=67), dict(rows=1, n=1), dict(rows=3, n=1031)],
         "lstm": [dict(T=5, B=3, I=7, H=9), dict(T=1, B=1, I=1, H=1), dict(T=4, B=17, I=20, H=33)],
         "attention": [dict(items=3, T=67, HS=33), dict(items=1, T=1, HS=1), dict(items=1, T=200, HS=16)]}
CASES = [pytest.param(name, sizes, id=f"{name}-{'-'.join(map(str, sizes.values()))}")
         for name, all_sizes in SMALL.items() for sizes in all_sizes]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, sizes", CASES)
def test_every_step_computes_what_the_definition_does(name, sizes, dtype, level):
    one = ladder.LADDERS[name](**sizes, dtype=dtype)
    expected = one.definition()
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    with nn.use_isa(level):
        for step in one.steps:
            y = step.run()
            assert y.dtype == dtype and y.shape == expected.shape
            np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance*np.abs(expected).max(),
                                       err_msg=step.name)


def test_the_pooling_steps_find_the_places_too():
    x = ladder.random(2, 3, 9, 14, dtype=np.float32)
    y, places = nn.op.OPS["max_pool2d"].ref_forward(x, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1),
                                                    dilation=(1, 1), ceil_mode=False, return_indices=True)[0]
    for step in range(3):
        values, found = compiled.ladder_max_pool2d(x, (3, 3), (2, 2), (1, 1), step)
        np.testing.assert_array_equal(values, y)
        np.testing.assert_array_equal(found, places)


@pytest.mark.parametrize("name", SMALL)
def test_steps_are_measured(name):
    measured = ladder.measure(ladder.LADDERS[name](**SMALL[name][0]), threads=2, rounds=1, seconds=0)
    rows = measured["steps"]
    assert [row["threads"] for row in rows] == [1]*(len(rows) - 1) + [2]
    assert all(row["seconds"] > 0 and row["share"] > 0 and row["bytes"] > 0 for row in rows)
    assert rows[0]["gain"] is None and rows[1]["gain"] == rows[0]["seconds"]/rows[1]["seconds"]
    assert list(measured["levels"]) == LEVELS[:LEVELS.index(nn.isa()) + 1]
    assert ladder.measure(ladder.LADDERS[name](**SMALL[name][0]), 1, 1, 0)["steps"][-1]["threads"] == 1


def test_a_step_after_an_aside_is_compared_with_the_one_before_it():
    rows = ladder.measure(ladder.softmax(5, 67), threads=1, rounds=1, seconds=0)["steps"]
    assert rows[2]["step"].startswith("aside") and rows[3]["gain"] == rows[1]["seconds"]/rows[3]["seconds"]


def test_a_wrong_step_is_not_timed():
    one = ladder.gemm(5, 6, 7)
    wrong = replace(one.steps[1], run=lambda: one.steps[1].run() + 0.01)
    with pytest.raises(UserError, match="three loops, i k j"):
        ladder.measure(replace(one, steps=[one.steps[0], wrong, *one.steps[2:]]), threads=1, rounds=1, seconds=0)


@pytest.fixture
def small(monkeypatch):
    for name, make in ladder.LADDERS.items():
        monkeypatch.setitem(ladder.LADDERS, name, lambda make=make, name=name: make(**SMALL[name][0]))


def test_the_command_prints_a_table(small, capfd):
    few = ["--threads", "2", "--rounds", "1", "--seconds", "1e-9"]
    assert cli.main(["bench", "gemm", "softmax", "--ladder", *few]) == 0
    out = capfd.readouterr().out
    assert all(step.name in out for name in ("gemm", "softmax") for step in ladder.LADDERS[name]().steps)
    assert "GFLOP/s" in out and "at 2 threads" in out


def test_the_command_prints_markdown_and_json(small, capfd):
    options = ["--ladder", "--threads", "1", "--rounds", "1", "--seconds", "1e-9"]
    assert cli.main(["bench", "lstm", *options, "--markdown"]) == 0
    table = [line for line in capfd.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(ladder.lstm(2, 2, 2, 2).steps) - 1 and {line.count("|") for line in table} == {7}
    assert cli.main(["bench", *options, "--json", "--isa", LEVELS[0]]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [one["ladder"] for one in found] == list(ladder.LADDERS) and found[0]["instruction set"] == LEVELS[0]


def test_an_unknown_ladder_is_one_line(capfd):
    assert cli.main(["bench", "relu", "--ladder"]) == 2
    assert "gemm, conv2d, pooling" in capfd.readouterr().err

# ---- the pages -----------------------------------------------------------------------------------


def plain(text):
    """Code without what the templates need and readers do not: FN(), spaces at ends."""
    return " ".join(re.sub(r"FN\((\w+)\)", r"\1", text).split())


@needs_sources
@pytest.mark.parametrize("name", SMALL)
def test_the_page_tells_every_step_and_quotes_code_that_exists(name):
    page = (PAGES/f"{name}.md").read_text(encoding="utf-8")
    table = re.search(rf"<!-- python tools/measure_ladder.py {name} -->\n(.*?)<!-- end -->", page, re.S).group(1)
    steps = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")][2:]
    assert steps == [step.name for step in ladder.LADDERS[name](**SMALL[name][0]).steps]
    assert f"]({name}.png)" in page and (PAGES/f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    told = [int(number) for number in re.findall(r"^\*\*(\d)\. ", page, re.M)]
    assert told == list(range(1, len(steps) + 1))
    lines = {plain(line) for path in (ROOT/"csrc").rglob("*.h")
             for line in path.read_text(encoding="utf-8").splitlines()}
    quoted = [line for block in re.findall(r"```c\n(.*?)```", page, re.S) for line in block.splitlines()
              if line.strip() and line.strip() != "..."]
    assert len(quoted) >= 4
    missing = [line for line in quoted if plain(line) not in lines]
    assert not missing, f"docs/kernels/{name}.md quotes what csrc does not contain: {missing}"
