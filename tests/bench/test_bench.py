"""What bench measures besides races: levels, memory, bars, and the record that keeps it all."""

import copy
import importlib.util
import json
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import fastnn as nn
from fastnn import cli
from fastnn.bench import (
    bars,
    choice,
    levels,
    memory,
    onnx_graphs,
    overhead,
    race,
    results,
    sweep,
    workloads,
)
from fastnn.bench.contest import NotOffered
from fastnn.bench.libraries import Fastnn, OnnxRuntime
from fastnn.bench.networks import NETWORKS
from fastnn.cli import bench
from fastnn.console import UserError
from fastnn.kernels import compiled

RUNNING = [name for name, (_, runs) in compiled.levels().items() if runs] if compiled else []
needs_proc = pytest.mark.skipif(not memory.available(), reason="the system has no /proc")


# ---- a level for everybody -----------------------------------------------------------------------
def test_a_rival_is_held_only_at_a_lower_level(monkeypatch):
    monkeypatch.setenv("FASTNN_ISA", "nonsense")
    environment = race.environment("torch", 2, "avx2")
    assert environment["ONEDNN_MAX_CPU_ISA"] == environment["MKL_ENABLE_INSTRUCTIONS"] == "AVX2"
    assert environment["ATEN_CPU_CAPABILITY"] == "avx2"
    assert environment["FASTNN_ISA"] == nn.isa() and environment["MKL_NUM_THREADS"] == "2"
    assert race.environment("numpy", 1, "avx2")["OPENBLAS_CORETYPE"] == "Haswell"
    for library in ("torch", "numpy", "fastnn"):
        assert levels.held(library, "") == {}
    assert "ONEDNN_MAX_CPU_ISA" not in race.environment("torch", 2)


@pytest.mark.skipif(len(RUNNING) < 2, reason="one level only")
def test_a_level_lasts_as_long_as_its_block():
    before = nn.isa()
    with levels.at_level(RUNNING[0]) as lowered:
        assert nn.isa() == lowered == RUNNING[0]
    assert nn.isa() == before
    with levels.at_level(RUNNING[-1]) as lowered:
        assert lowered == ""
    with pytest.raises(UserError, match="sse9"), levels.at_level("sse9"):
        pass


@pytest.mark.skipif(len(RUNNING) < 2, reason="one level only")
def test_bench_measures_at_a_level_and_names_it(tmp_path, capfd):
    args = ["bench", "relu/2048x512/forward", "--against", "numpy", "--isa", RUNNING[0], "--rounds", "1", "--seconds",
            "0.001", "--save"]
    assert cli.main([*args, str(tmp_path)]) == 0
    table, = tmp_path.glob("*.json")
    record = json.loads(table.read_text())
    assert RUNNING[0] in table.stem and record["instruction set"] == record["lowered"] == RUNNING[0]
    assert f"({RUNNING[0]})" in record["versions"]["fastnn"]
    assert f"held to {RUNNING[0]}" in table.with_suffix(".md").read_text()


def test_a_busy_machine_is_told(monkeypatch):
    monkeypatch.setattr(race, "cores_used", lambda seconds: 1.0*race.os.cpu_count())
    assert "busy" in race.busy()
    for quiet in (0.1, None):
        monkeypatch.setattr(race, "cores_used", lambda seconds, quiet=quiet: quiet)
        assert race.busy() == ""


@needs_proc
def test_work_elsewhere_is_seen():
    burner = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.1)
        assert race.cores_used(0.5) > 0.3       # a share of a core, even where others want it too
    finally:
        burner.kill()
        burner.wait()


# ---- ONNX Runtime --------------------------------------------------------------------------------
@pytest.mark.parametrize("name", [f"{name}/{what}" for name in onnx_graphs.GRAPHS for what in ("inference", "one")
                                  # their batches take seconds
                                  if what == "one" or name not in ("resnet18", "gpt-6x384")])
def test_onnx_runtime_computes_what_our_networks_do(name):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    workload = workloads.catalogue()[name]
    theirs, ours = (workload.contest(library(1)).results() for library in (OnnxRuntime, Fastnn))
    assert np.ptp(ours[0]) > 0 and race.difference(ours, theirs) < 1e-5


@pytest.mark.parametrize("name", ["lenet/step", "relu-2048x512/forward", "matmul/256/forward", "adam-11M/step"])
def test_onnx_runtime_says_what_it_cannot(name):
    library = OnnxRuntime.__new__(OnnxRuntime)
    with pytest.raises(NotOffered):
        workloads.catalogue()[name].contest(library)


def test_a_rival_that_is_not_installed_is_told_in_one_line(monkeypatch, capfd):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnx" else find(name))
    assert cli.main(["bench", "mlp-64-128-10/one", "--against", "onnxruntime", "--rounds", "1", "--seconds",
                     "0.001"]) == 0
    assert 'ONNX Runtime does not take part: pip install "fastnn-engine[bench]"' in capfd.readouterr().out


# ---- memory --------------------------------------------------------------------------------------
@needs_proc
def test_memory_holds_at_least_what_must_be_there(tmp_path, capfd):
    """Weights, gradients and Adam's two moments of the larger MLP are 10.7 MB; activations of 128
    rows are some more.
    """
    assert cli.main(["bench", "memory", "mlp-784-512-512-10", "--against", "", "--threads", "1", "--save",
                     str(tmp_path)]) == 0
    record = json.loads(next(tmp_path.glob("*.json")).read_text())
    row, = record["memory"]["rows"]
    parameters = 784*512 + 512*512 + 512*10 + 512 + 512 + 10
    assert 4*4*parameters < row["peak"]["fastnn"] < 10*4*4*parameters
    assert "mlp-784-512-512-10" in capfd.readouterr().out


@needs_proc
def test_memory_tells_what_failed(monkeypatch, capfd):
    monkeypatch.setattr(memory, "environment", lambda *_: {"PATH": "", "PYTHONPATH": "nowhere", "FASTNN_ISA": "sse9"})
    rows = memory.measure(["lenet"], ["fastnn"], 1)
    assert rows[0]["failed"]["fastnn"] and not rows[0]["peak"]


def test_memory_knows_its_networks(capsys):
    assert cli.main(["bench", "memory", "alexnet"]) == 2
    error = capsys.readouterr().err
    assert "alexnet" in error and "lenet" in error and error.count("\n") == 1


def test_tiny_networks_warm_up_every_kind_of_layer():
    library = Fastnn(1)

    def kinds(networks):
        return {type(m).__name__ for network in networks for m in network.build(library).modules()}
    assert kinds(NETWORKS[name] for name in NETWORKS if name != "resnet18") <= kinds(memory.TINY.values())


# ---- the record ----------------------------------------------------------------------------------
def row(workload, ours, torch, numpy=None, group="kernels", flops=0.0, moved=0.0):
    result = race.Result(workload, group, flops, moved,
                         {"fastnn": [ours], "torch": [torch], **({"numpy": [numpy]} if numpy else {})})
    return results.rows_of([result], ["torch", "numpy"], {"flops": 100.0, "bytes": 10.0})[0]


@pytest.fixture
def record():
    rows = [row("gemm-64/forward", 1.0, 2.0, 0.5), row("gemm-512/forward", 1.0, 1.5, flops=90.0),
            row("gemm-1024/forward", 1.0, 1.5, flops=80.0),
            row("conv3x3-64c56/forward", 1.0, 1.5, flops=140.0),
            row("conv3x3-64c56/forward+backward", 1.0, 0.5, flops=10.0),
            row("maxpool2x2-64c56/forward", 1.0, 3.0, moved=8.0), row("attention-8x8/forward", 1.0, 3.0),
            row("lenet/step", 1.0, 2.0, group="networks"), row("gpt/step", 1.0, 8.0, group="networks")]
    return {**results.about(2), "rivals": ["torch", "numpy"], "limits": {"flops": 100.0, "bytes": 10.0}, "rounds": 1,
            "seconds per round": 1.0, "lowered": "", "held": {}, "results": rows}


def test_bars_by_hand(record):
    found = {bar.what: bar for bar in bars.measure(record)}
    assert found["slowest kernel against PyTorch"].measured == 0.5
    assert found["slowest kernel against PyTorch"].where == "conv3x3-64c56/forward+backward"
    # of 2 and 8
    assert found["training steps against PyTorch, geometric mean"].measured == pytest.approx(4)
    assert found["training steps against PyTorch, geometric mean"].verdict == "aim"
    gemm = found["gemm, n >= 512: share of the multiply-add peak"]
    assert (gemm.measured, gemm.where, gemm.verdict) == (0.8, "gemm-1024/forward", "MISSED")
    # the better rival is NumPy
    assert found["slowest small or odd gemm"].measured == 0.5
    conv = found["convolution 3x3: effective rate over the multiply-add peak"]
    # backward does not count
    assert (conv.measured, conv.verdict) == (1.4, "aim")
    assert found["pooling: share of the copy bandwidth"].verdict == "met"
    assert found["slowest training step against PyTorch"].verdict == "aim"
    assert found["attention against PyTorch, slowest"].verdict == "met"
    # not measured: no row
    assert not any("ONNX" in what or "memory" in what or "LSTM" in what for what in found)


def test_more_than_memory_can_move_comes_from_a_cache(record):
    said = {r.workload: r.share_in_words(record["limits"]) for r in results.results_of(record)}
    assert said["maxpool2x2-64c56/forward"] == "80 %"               # 8 of 10 bytes a second
    assert said["conv3x3-64c56/forward"] == "140 %"                 # fewer products than counted
    assert said["gpt/step"] == ""                                   # costs are unknown
    cached = results.results_of({"results": [row("relu/forward", 1.0, 3.0, moved=36.9)]})[0]
    assert cached.share_in_words(record["limits"]) == "369 % cache"
    assert "above it the data come from a cache" in "".join(results.facts(record))


def test_bars_at_a_lower_level(record):
    record["lowered"] = "avx2"
    found = {bar.what: bar for bar in bars.measure(record)}
    assert found["slowest kernel against PyTorch"].asked == 0.9
    assert found["pooling: share of the copy bandwidth"].verdict == "reported"


def test_a_figure_is_rounded_against_us():
    bar = bars.Bar("x", 1.699, "", 1.7, None)
    assert bar.show(bar.measured) == "1.69 x" and bar.verdict == "MISSED" and bar.show(bar.asked) == "1.70 x"
    most = bars.Bar("x", 0.501, "", 1.0, 0.5, most=True)
    assert most.show(most.measured) == "0.51 x" and most.verdict == "met" and most.show(most.aim) == "0.50 x"


def test_parts_join_the_record_and_outlive_a_new_race(record, tmp_path):
    part = {**results.about(2), "rivals": ["torch"], "lowered": "", "held": {}, "steps": 5,
            "rows": [{"network": "lenet", "peak": {"fastnn": 30 << 20, "torch": 20 << 20}, "failed": {}}]}
    # the part first, then the race, then the race again
    page, table = results.save(tmp_path, part, "memory")
    assert "30.0 MiB | 20.0 MiB | 1.50" in page.read_text()
    for _ in range(2):
        results.save(tmp_path, record)
    saved, text = json.loads(table.read_text()), page.read_text()
    assert saved["memory"]["rows"] == part["rows"] and len(saved["results"]) == len(record["results"])
    memory_bar, = [bar for bar in saved["bars"] if "memory" in bar["what"]]
    assert memory_bar["measured"] == 1.5 and memory_bar["where"] == "lenet"
    assert "| gpt/step |" in text and "MISSED" in text and "30.0 MiB" in text
    part["rows"][0]["peak"]["fastnn"] = 10 << 20
    results.save(tmp_path, part, "memory")
    assert len(list(tmp_path.iterdir())) == 2 and "10.0 MiB | 20.0 MiB | 0.50" in page.read_text()


def test_the_page_follows_from_the_json_alone(record):
    text = results.as_json(record)
    assert '"fastnn": [1.0]' in text                                        # numbers share a line
    again = json.loads(text)
    assert results.markdown(again) == results.markdown(copy.deepcopy(record))
    assert [r.ratio("torch") for r in results.results_of(again)] == [r["ratio"]["torch"] for r in record["results"]]


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
def test_the_commit_says_whether_the_code_differs_from_it(tmp_path):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b.c", *words], cwd=tmp_path, check=True,
                       capture_output=True)
    assert results.commit(tmp_path) == ""
    git("init")
    written = tmp_path/"benchmarks"/"results"/"x.json"
    written.parent.mkdir(parents=True)
    for path in (tmp_path/"code.py", written):
        path.write_text("1")
    git("add", ".")
    git("commit", "-m", "x")
    clean = results.commit(tmp_path)
    written.write_text("2")                         # the last table, measured at this very commit
    assert clean and results.commit(tmp_path) == clean
    (tmp_path/"code.py").write_text("2")
    assert results.commit(tmp_path) == clean + "+"


@pytest.mark.parametrize("processor, name", [
    ("Intel(R) Xeon(R) Processor", "intel-xeon-avx512-1-thread"), ("AMD EPYC 9R45", "amd-epyc-9r45-avx512-1-thread"),
    ("11th Gen Intel(R) Core(TM) i7-1165G7 @ 2.80GHz", "11th-gen-intel-core-i7-1165g7-avx512-1-thread")])
def test_files_are_named_after_the_machine(processor, name):
    assert results.file_name({"processor": processor, "instruction set": "avx512", "threads": 1}) == name


def test_bench_has_no_workload_of_the_name_of_a_kind():
    for kind in bench.KINDS:
        with pytest.raises(UserError):
            choice.choose([kind])


# ---- threads, overhead, odd sizes ----------------------------------------------------------------
def test_scaling_runs_both_numbers_of_threads(tmp_path, capfd):
    args = ["bench", "scaling", "gemm-64/forward", "--against", "", "--threads", "2", "--rounds", "2", "--seconds",
            "0.001", "--save"]
    assert cli.main([*args, str(tmp_path)]) == 0
    part = json.loads(next(tmp_path.glob("*.json")).read_text())["scaling"]
    row, = part["rows"]
    one, many = row["seconds"]["fastnn"]
    assert row["workload"] == "gemm-64/forward" and row["speed-up"]["fastnn"] == one/many > 0
    assert "gemm-64/forward" in capfd.readouterr().out


def test_contestants_may_differ_in_threads_alone():
    with race.Contestants({"fastnn": ("fastnn", 1), "fastnn on 2": ("fastnn", 2)}, 2) as contestants:
        contestants.versions()
        threads = [worker.greet()["threads"] for worker in contestants.workers.values()]
        assert threads == ([1, 2] if compiled else [1, 1])


def test_scaling_needs_two_threads(capsys):
    assert cli.main(["bench", "scaling", "--threads", "1"]) == 2
    assert "--threads 2" in capsys.readouterr().err


def test_overhead_is_measured_over_the_very_call_that_the_function_makes():
    x = nn.tensor([[1.0, -2.0]])
    call = overhead.kernel_call("softmax", lambda: nn.functional.softmax(x, dim=-1))
    np.testing.assert_array_equal(call()[0], np.asarray(nn.functional.softmax(x, dim=-1)))
    before = nn.op.ACTIVE["softmax"]
    with pytest.raises(ZeroDivisionError):
        overhead.kernel_call("softmax", lambda: 1/0)
    assert nn.op.ACTIVE["softmax"] is before


def test_overhead_has_a_row_for_every_op(monkeypatch, capfd):
    monkeypatch.setattr(overhead, "ROUNDS", 5)
    monkeypatch.setattr(overhead, "CALLS", 20)
    assert cli.main(["bench", "overhead", "--json"]) == 0
    rows = json.loads(capfd.readouterr().out)["rows"]
    assert [row["op"] for row in rows] == list(overhead.subjects())
    assert all(0 < row["kernel"] < row["tape"] for row in rows)


def test_a_cliff_is_a_size_that_costs_more_than_the_better_neighbour():
    rows = sweep.cliffs([{"rate": rate} for rate in (10.0, 10.0, 4.0, 9.0, 7.0)])
    assert [row["cost"] for row in rows] == [1.0, 1.0, 2.5, pytest.approx(7/9), pytest.approx(9/7)]
    assert [row["cost"] > bars.CLIFF for row in rows] == [False, False, True, False, False]


def test_sweep_finds_a_cliff_and_returns_its_code(monkeypatch, capfd):
    # the middle size takes 20 times the others' time
    def call(n, dtype):
        return lambda: time.sleep(0.02 if n == 17 else 0.001), float(n)
    monkeypatch.setattr(sweep, "SWEEPS", (sweep.Sweep("nap", ((16, 17, 18),), call),))
    monkeypatch.setattr(sweep, "ROUNDS", 2)
    assert cli.main(["bench", "sweep", "--threads", "1"]) == 1
    out = capfd.readouterr().out
    assert "CLIFF: nap, float32, size 17" in out and "CLIFF: nap, float64, size 17" in out
    assert "size 16:" not in out and "2 cliffs" in out


@pytest.mark.parametrize("swept", sweep.SWEEPS, ids=lambda swept: swept.name)
def test_sweeps_do_what_they_say(swept):
    call, flops = swept.call(8, "float64")
    y = call()
    if swept.name == "gemm":
        assert y.shape == (8, 8) and y.dtype == np.float64 and flops == 2*8**3
    else:
        assert flops == (3 if "backward" in swept.name else 1)*2*4*64*64*32*9
    assert all(list(cluster) == sorted(cluster) and len(cluster) > 1 for cluster in swept.clusters)


def test_parts_have_their_bars():
    overheads = [{"op": "relu", "kernel": 1e-6, "tape": 1.5e-6, "layer": 3.5e-6},
                 {"op": "mul", "kernel": 1e-6, "tape": 2.9e-6, "layer": None}]
    sizes = [{"what": "gemm", "dtype": "float32", "size": 127, "cost": 1.6},
             {"what": "gemm", "dtype": "float32", "size": 128, "cost": 0.6}]
    speed_ups = [{"workload": "resnet18/step", "speed-up": {"fastnn": 1.85}},
                 {"workload": "lenet/step", "speed-up": {"fastnn": 1.0}}]
    record = {"scaling": {"threads": 2, "rows": speed_ups}, "overhead": {"rows": overheads}, "sweep": {"rows": sizes}}
    found = [(bar.what.split(",")[0], bar.measured, bar.where, bar.verdict) for bar in bars.measure(record)]
    assert found == [("2 threads over one", 1.85, "resnet18/step", "met"),
                     ("overhead of tape over the C call", pytest.approx(1.9), "mul", "met"),
                     ("overhead of tape and layer over the C call", pytest.approx(2.5), "relu", "MISSED"),
                     ("cost of an odd size over its neighbour's", 1.6, "gemm of 127, float32", "MISSED")]
