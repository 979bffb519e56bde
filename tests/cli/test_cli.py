"""The command line: what each command prints, writes and returns, and what it says to mistakes."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from viz_reading import Page

import fastnn as nn
from fastnn import cli, console
from fastnn.bench import highlights, limits, race, results, screen
from fastnn.bench.contest import Contest, NotOffered, Workload
from fastnn.bench.libraries import Fastnn, Numpy
from fastnn.bench.networks import NETWORKS
from fastnn.bench.workloads import catalogue
from fastnn.cli import check, tour
from fastnn.models import recipes
from fastnn.op import OPS
from fastnn.testing import verdicts

ROOT = Path(__file__).resolve().parents[2]


def run(*args, **environment):
    """`python -m fastnn ...` in a process of its own."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run([sys.executable, "-m", "fastnn", *args], capture_output=True, text=True, env=env, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a digits model that was trained for three epochs."""
    out = tmp_path_factory.mktemp("run")
    assert cli.main(["train", "--epochs", "3", "--out", str(out)]) == 0
    return out


# ---- mistakes ------------------------------------------------------------------------------------
@pytest.mark.parametrize("args, words", [
    (["check", "conf2d"], ["conf2d", "conv2d"]),
    (["ops", "softmaxx"], ["softmaxx", "softmax"]),
    (["bench", "gem-64"], ["gem-64", "gemm-64"]),
    (["bench", "relu", "--against", "theano"], ["theano", "torch"]),
    (["bench", "reshape"], ["reshape has no benchmark"]),
    (["bench", "lenet/one", "--backward"], ["backward"]),
    (["summary", "alexnet"], ["alexnet", "digits", "lenet"]),
    (["summary", "lenet", "--input", "one"], ["one", "1,28,28"]),
    (["summary", "lenet", "--input", "1,20,20"], ["model.fc1", "400"]),
    (["predict", "nowhere.npz", "x.png"], ["nowhere.npz"]),
    (["train", "--epochs", "0"], ["--epochs"]),
    (["frobnicate"], ["frobnicate"]),
], ids=lambda value: " ".join(value) if isinstance(value, list) else None)
def test_a_mistake_is_told_in_one_line(args, words, capsys):
    try:
        code = cli.main(args)
    except SystemExit as left:                      # argparse's own complaints
        code = left.code
    error = capsys.readouterr().err
    assert code == 2
    lines = error.splitlines()
    assert "Traceback" not in error and (len(lines) == 1 or lines[0].endswith("The layers before it:"))
    for word in words:
        assert word in error


def test_a_process_returns_the_code_and_no_traceback():
    done = run("check", "nosuchop")
    assert done.returncode == 2 and "Traceback" not in done.stderr and "nosuchop" in done.stderr


def test_a_command_imports_no_other():
    code = ("import sys; from fastnn.cli import main; main(['ops', 'relu']); "
            "print([m for m in sys.modules if 'torch' in m or 'tour' in m])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0 and done.stdout.endswith("[]\n")


def test_colour_only_for_a_terminal(monkeypatch):
    class Terminal:
        def isatty(self):
            return True
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.colour(Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not console.colour(Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not console.colour(Terminal())
    assert console.paint("x", "red") == "x"         # pytest's capture is no terminal


# ---- check ---------------------------------------------------------------------------------------
def test_check_names_family_cases_and_verdict(capsys):
    assert cli.main(["check", "relu", "softmax"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cases = 4*len(list(OPS["relu"].samples()))         # forward and backward, two dtypes
    assert any(line.split()[:3] == ["relu", "1", str(cases)] and line.endswith("agrees") for line in lines)
    assert "all agree" in lines[-1]


def test_check_takes_a_family_a_dtype_and_all_laws(capsys):
    assert cli.main(["check", "softmax", "--dtype", "float64"]) == 0
    assert "2 ops" not in capsys.readouterr().out           # an op's name comes before a family's
    assert cli.main(["check", "relu", "--all-laws"]) == 0
    assert "relu" in capsys.readouterr().out


@pytest.mark.parametrize("damage", [
    {"forward": lambda x: (x*1.001, (x,))},
    {"backward": lambda dy, saved: (dy,)},
    {"forward": lambda x: 1/0},
], ids=["forward", "backward", "crash"])
def test_check_notices_a_broken_kernel(damage, monkeypatch, capsys):
    monkeypatch.setitem(OPS, "relu", dataclasses.replace(OPS["relu"], **damage))
    assert cli.main(["check", "relu"]) == 1
    assert "DIFFERS" in capsys.readouterr().out


def test_check_notices_a_broken_definition_where_there_is_no_kernel(monkeypatch):
    op = dataclasses.replace(OPS["flip"], ref_backward=lambda dy, saved, **attrs: (dy,))
    assert op.forward is None
    assert not verdicts.check_op(op).passed
    assert verdicts.check_op(OPS["flip"]).passed


# ---- ops, doctor, summary ------------------------------------------------------------------------
def test_ops_lists_every_op(capsys):
    assert cli.main(["ops"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in OPS)
    assert cli.main(["ops", "--markdown"]) == 0
    rows = [row for row in capsys.readouterr().out.splitlines() if row.startswith("| `")]
    assert len(rows) == len(OPS) and all(row.count(" | ") == 3 for row in rows)


def test_ops_of_one_names_its_parts(capsys):
    assert cli.main(["ops", "conv2d"]) == 0
    text = capsys.readouterr().out
    for part in ("fastnn/ops/conv2d.py", "fastnn/reference/conv2d.py", "csrc/conv/conv2d.tmpl.h",
                 "fastnn/kernels/conv2d.pxi", "fastnn.functional.conv2d(", "lenet.conv1", "Mflop", "ShapeError"):
        assert part in text


def test_doctor_tells_what_it_found(capsys):
    assert cli.main(["doctor"]) == 0
    text = capsys.readouterr().out
    for word in (nn.isa(), "threads", "blas", "safetensors", "self-test", "all agree", nn.about.processor()):
        assert word in text


def test_summary_of_an_architecture_and_of_a_file(folder, capsys):
    assert cli.main(["summary", "lenet"]) == 0
    assert "61,706" in capsys.readouterr().out
    assert cli.main(["summary", "lenet", "--input", "1x28x28"]) == 0
    assert cli.main(["summary", "resnet18"]) == 0
    assert "11,689,512" in capsys.readouterr().out
    assert cli.main(["summary", "gpt-4x128", "--input", "8"]) == 0
    assert "809,856" in capsys.readouterr().out
    assert cli.main(["summary", str(folder/"digits.npz")]) == 0
    text = capsys.readouterr().out
    assert "15,498" in text and "accuracy: 0.9" in text


# ---- train and the main job ----------------------------------------------------------------------
def test_training_is_deterministic_and_learns(folder):
    first, second = (recipes.train("digits", epochs=2, progress=False) for _ in range(2))
    for a, b in zip(first.model.state_dict().values(), second.model.state_dict().values()):
        assert np.asarray(a).tobytes() == np.asarray(b).tobytes()
    assert first.accuracy > 0.9
    other = recipes.train("digits", seed=1, epochs=1, progress=False)
    assert not np.array_equal(other.model.conv1.weight, first.model.conv1.weight)


@pytest.mark.skipif(os.name != "posix", reason="links are POSIX's")
def test_a_link_in_the_folder_is_never_written_through(tmp_path):
    """Its name is known to everybody, so somebody else may have laid a link there."""
    precious, out = tmp_path/"precious", tmp_path/"fastnn-run"
    precious.write_text("precious")
    out.mkdir()
    for name in ("digits.npz", "digit.png", "curve.svg"):
        (out/name).symlink_to(precious)
    done = run("train", "--epochs", "1", "--out", str(out))
    assert done.returncode == 0, done.stderr
    with tour.atomic_write(out/"digit.png", follow_links=False) as file:
        file.write(b"png")
    nn.viz.line_chart({"loss": [1.0, 0.5]}).save(out/"curve.svg")
    assert precious.read_text() == "precious" and not any(path.is_symlink() for path in out.iterdir())
    assert nn.load(out/"digits.npz")["architecture"] == "digits"


def test_training_resumes_from_a_checkpoint(tmp_path, capsys):
    for epochs in ("1", "2"):
        assert cli.main(["train", "lenet", "--epochs", epochs, "--out", str(tmp_path), "--checkpoint",
                         str(tmp_path/"c.npz")]) == 0
    text = capsys.readouterr().out
    assert text.count("epoch 1/") == 1 and text.count("epoch 2/2") == 1
    model, info = nn.models.load(tmp_path/"lenet.npz")
    assert type(model) is nn.models.LeNet5 and info["epochs"] == 2


def test_enlarged_digits_keep_their_ink():
    images = nn.data.digits("test").tensors[0].data[:5]
    large = recipes.enlarged(images)
    assert large.shape == (5, 1, 28, 28) and large[:, :, :4].max() == 0
    np.testing.assert_allclose(large.sum((2, 3)), images.sum((2, 3))*2.5**2, rtol=1e-5)


def test_nudged_digits_move_sideways_by_half_a_pixel_at_most():
    images = np.zeros((50, 1, 8, 8), np.float32)
    images[:, :, 2:6, 3:5] = 1
    moved, labels = recipes.nudged((images, np.arange(50)), np.random.default_rng(0))
    by = np.random.default_rng(0).uniform(-0.5, 0.5, 50)
    ink = moved.sum((1, 2))
    np.testing.assert_allclose((ink*np.arange(8)).sum(1)/ink.sum(1), 3.5 + by, atol=1e-6)
    np.testing.assert_allclose(moved.sum((2, 3)), images.sum((2, 3)), rtol=1e-6)
    assert np.array_equal(labels, np.arange(50)) and images[0, 0, 2, 2] == 0


@pytest.fixture(scope="module")
def main_job(tmp_path_factory):
    """The main job with a short race against NumPy: (folder, exit code, what it printed)."""
    out = tmp_path_factory.mktemp("main")/"made"
    few = {name: highlights.HIGHLIGHTS[name] for name in ("matmul/256/forward", "lenet/one")}
    lines = []
    with pytest.MonkeyPatch.context() as patch:
        for module in (tour, check, console, screen):
            patch.setattr(module, "say", lambda text="": lines.append(text))
        for module in (screen, highlights):
            patch.setattr(module, "HIGHLIGHTS", few)
        patch.setattr(highlights, "ROUNDS", 2)
        patch.setattr(highlights, "SECONDS", 1e-3)
        patch.setattr(tour, "choose_rivals", lambda names: (["numpy"], ["torch"]))
        code = cli.main(["--out", str(out)])
    return out, code, "\n".join(lines)


def test_the_main_job_succeeds_and_says_so(main_job):
    out, code, text = main_job
    assert code == 0
    assert sorted(path.name for path in out.iterdir()) == ["digit.png", "digits.npz", "report.html"]
    for word in ("All is well.", "Processor", "convolution", "agrees", "matrix product", "PyTorch is not installed",
                 "report.html"):
        assert word in text
    assert all(op.family in text for op in OPS.values())


def test_the_report_is_whole(main_job):
    out, _, _ = main_job
    page = Page((out/"report.html").read_text(encoding="utf-8"))
    for anchor in ("learning", "confusion", "mistakes", "filters", "maps", "summary", "checks", "speed"):
        assert anchor in page.ids
    words = " ".join(page.words)
    for word in ("15,498", "matrix product", "LeNet-5", "Conv2d 1 -> 16, 3x3", "CC BY 4.0"):
        assert word in words
    outside = [value for _, name, value in page.attributes if name in ("src", "href")
               and value.startswith(("http", "//"))]
    assert not outside and "script" not in page.tags


def test_the_model_of_the_main_job_reads_its_digit(main_job, capsys):
    out, _, _ = main_job
    label = int(nn.data.digits("test").tensors[1].data[0])
    assert cli.main(["predict", str(out/"digits.npz"), str(out/"digit.png")]) == 0
    assert f"digit.png: {label}," in capsys.readouterr().out
    model, info = nn.models.load(out/"digits.npz")
    assert nn.evaluate(model, nn.data.digits("test"))["accuracy"] == info["accuracy"] >= tour.GOAL


def test_the_main_job_fails_where_it_should(capsys):
    good, bad = (verdicts.Verdict("softmax", 1, 2, 0.5),
                 verdicts.Verdict("conv2d", 1, 2, 9.0, ["conv2d[odd]: differs"]))
    assert tour.verdict([good], 0.98, 1.0) == 0
    assert tour.verdict([good, bad], 0.99, 1.0) == 1
    assert tour.verdict([good], 0.979, 1.0) == 1
    assert "conv2d" in capsys.readouterr().out


def test_a_file_in_the_place_of_the_folder_stops_the_main_job_at_once(tmp_path, capsys):
    (tmp_path/"taken").write_text("")
    assert cli.main(["--out", str(tmp_path/"taken")]) == 2
    assert "taken" in capsys.readouterr().err


# ---- bench ---------------------------------------------------------------------------------------
def test_bench_measures_compares_and_saves(tmp_path, capfd):
    assert cli.main(["bench", "relu", "--against", "numpy", "--rounds", "3", "--seconds", "0.001", "--json", "--save",
                     str(tmp_path)]) == 0
    page, table = sorted(tmp_path.iterdir(), reverse=True)
    printed, saved = json.loads(capfd.readouterr().out), json.loads(table.read_text())
    assert printed == saved
    forward, backward = saved["results"]
    assert (forward["workload"], backward["workload"]) == ("relu/2048x512/forward", "relu/2048x512/forward+backward")
    assert len(forward["times"]["fastnn"]) == len(forward["times"]["numpy"]) == 3
    assert forward["differences"]["numpy"] == 0 and forward["ratio"]["numpy"] > 0 and forward["share of limit"] > 0
    assert "numpy" in backward["refused"] and backward["ratio"]["numpy"] is None
    assert saved["limits"]["flops"] > 1e8 and saved["limits"]["bytes"] > 1e7
    assert saved["threads"] == nn.get_num_threads()
    assert page.stem == table.stem == results.file_name(saved) and nn.isa() in page.stem
    text = page.read_text()
    assert "| relu/2048x512/forward |" in text and "geometric mean" in text and saved["processor"] in text


def test_bench_prints_a_table(capfd):
    assert cli.main(["bench", "relu", "--against", "", "--rounds", "1", "--seconds", "0.001", "--backward", "--threads",
                     "1"]) == 0
    text = capfd.readouterr().out
    assert "relu/2048x512/forward+backward" in text and "1 thread," in text and "GB/s" in text


def test_a_wrong_result_is_not_timed():
    # the worker runs the true workload, which differs from NumPy by nothing; with this tolerance
    # even that is too much
    strict = dataclasses.replace(catalogue()["relu/2048x512/forward"], tolerance=-1.0)
    with race.Contestants(["fastnn", "numpy"], 1) as contestants:
        result = race.race(contestants, strict, rounds=1, seconds=1e-4)
    assert "numpy" in result.wrong and "numpy" not in result.times and result.times["fastnn"]


def test_difference_is_relative_to_the_largest_value():
    a = np.array([1.0, 100.0])
    assert race.difference([a], [a]) == 0
    assert race.difference([a + np.array([1.0, 0])], [a]) == pytest.approx(0.01)
    assert race.difference([a[:1]], [a]) == race.difference([a*np.nan], [a]) == float("inf")


def test_a_contestant_that_dies_is_told(monkeypatch):
    with race.Contestants(["fastnn"], 1) as contestants:
        contestants.versions()
        contestants.workers["fastnn"].process.kill()
        result = race.race(contestants, catalogue()["relu/2048x512/forward"], rounds=1, seconds=1e-4)
    assert "ended" in result.refused["fastnn"] and not result.times


def test_geometric_mean_and_ratios():
    assert race.geometric_mean([2.0, 0.5, None]) == pytest.approx(1)
    assert race.geometric_mean([]) is None
    result = race.Result("x/forward", "ops", 2e9, 1e9, {"fastnn": [1.0, 2.0, 9.0], "torch": [4.0, 4.0, 4.0]})
    assert result.ratio("torch") == 2 and result.ratio("numpy") is None and result.best("fastnn") == 1
    # 2 s of arithmetic bind, 1 s of bytes does not
    assert result.share({"flops": 1e9, "bytes": 1e9}) == 1


def test_limits_are_plausible():
    found = limits.measure(1)
    assert 1e8 < found["flops"] < 1e13 and 1e7 < found["bytes"] < 1e12
    assert limits.least_time(0, 0, found) is None
    assert limits.least_time(10.0, 1.0, {"flops": 5.0, "bytes": 1.0}) == 2


def test_the_catalogue_is_sound():
    workloads = catalogue()
    assert set(highlights.HIGHLIGHTS) <= set(workloads)
    assert {w.group for w in workloads.values()} == {"ops", "kernels", "networks"}
    assert all(isinstance(w, Workload) and w.direction in ("forward", "forward+backward", "step", "inference", "one")
               for w in workloads.values())
    assert all(f"{op.name}/{case}/forward" in workloads for op in OPS.values() for case in op.bench)


@pytest.mark.parametrize("name", ["relu/2048x512/forward+backward", "lenet/step", "adam-11M/step"])
def test_numpy_says_what_it_cannot(name):
    with pytest.raises(NotOffered):
        catalogue()[name].contest(Numpy())


def test_a_gradient_contest_starts_fresh_every_time():
    contest = catalogue()["relu/2048x512/forward+backward"].contest(Fastnn())
    assert isinstance(contest, Contest)
    first = contest.results()
    contest.repeat(3)
    for a, b in zip(first, contest.results()):
        assert np.array_equal(a, b)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("resnet18", "gpt-6x384")])
def test_networks_learn_as_in_pytorch(torch, name):
    """Three training steps of the same network in both libraries: the losses agree."""
    from fastnn.bench.libraries import Torch
    workload = catalogue()[f"{name}/step"]
    ours, theirs = (workload.contest(library(1)).results() for library in (Fastnn, Torch))
    assert race.difference(ours, theirs) < 1e-4
    assert len(set(ours[0])) == 3                   # it does move


def test_unknown_names_are_refused_by_the_worker():
    with race.Contestants(["fastnn"], 1) as contestants:
        assert "error" in contestants.workers["fastnn"].ask(do="sing")
        assert "error" in contestants.workers["fastnn"].ask(do="load", workload="none", results="", seconds=0)


# ---- mistakes that are told before any work ------------------------------------------------------
def test_a_folder_that_cannot_be_is_told_before_the_training(tmp_path, capsys, monkeypatch):
    (tmp_path / "taken").write_text("")
    monkeypatch.setattr("fastnn.models.recipes.train", lambda *_, **__: pytest.fail("it trained"))
    monkeypatch.setattr("fastnn.bench.speed.measure", lambda *_, **__: pytest.fail("it measured"))
    for command in (["train", "--out"], ["bench", "relu", "--save"]):
        for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
            assert cli.main([*command, str(folder)]) == 2
            shown = capsys.readouterr()
            assert "taken is a file, not a folder" in shown.err and shown.err.count("\n") == 1 and not shown.out


@pytest.mark.parametrize("shape", ["1,1000000,100000000", "1,100000000000000000000,8"])
def test_summary_of_an_input_larger_than_memory_is_one_line(shape, capsys):
    assert cli.main(["summary", "lenet", "--input", shape]) == 2
    error = capsys.readouterr().err
    assert "not enough memory" in error and error.count("\n") == 1


@pytest.mark.parametrize("arguments", [["train", "--seed", "-1"], ["bench", "relu", "--seconds", "nan"],
                                       ["bench", "relu", "--seconds", "-1"], ["bench", "relu", "--seconds", "inf"]])
def test_numbers_out_of_range_are_one_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
