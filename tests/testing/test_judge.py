"""The judge of kernels: right ones pass, wrong ones are refused with the mistake in words."""

import importlib
import re
import time

import numpy as np
import pytest
from student_kernels import RIGHT, WRONG

import fastnn as nn
from fastnn.op import ACTIVE, OPS, REPLACED
from fastnn.testing import judge, timing, trials
from fastnn.testing.behaviour import loses_nan

relu = lambda x: np.maximum(x, 0)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Every timed call once: what is measured is not what these tests are about."""
    monkeypatch.setattr(timing, "SPAN", 0.0)


def one_a_family(ops):
    """The first op of each family is tried at once, the others by `pytest -m slow`."""
    ops = list(ops)
    first = {op.family: op for op in reversed(ops)}
    return [pytest.param(op, id=op.name, marks=() if first[op.family] is op else pytest.mark.slow) for op in ops]


def names(rows):
    return [f"{n}-{row[0]}" for n, row in enumerate(rows)]


@pytest.mark.parametrize("row", RIGHT, ids=names(RIGHT))
def test_a_right_kernel_passes(row):
    verdict = judge(*row)
    assert verdict.passed and verdict.startswith(f"{row[0]}: correct on"), verdict
    assert verdict.ratio > 0 and "Time" in verdict


@pytest.mark.parametrize("row", WRONG, ids=names(WRONG))
def test_a_wrong_kernel_is_refused_and_the_mistake_named(row):
    verdict = judge(*row[:3])
    assert not verdict.passed and re.search(row[3], verdict.diagnosis), verdict
    assert max(map(len, verdict.splitlines())) <= 88
    assert np.isnan(verdict.ratio)


@pytest.mark.parametrize("op, kernel, said", [
    ("sigmoid", lambda x: (1 / (1 + np.exp(-x)) + 1e-4).astype(x.dtype), None),
    ("exp", lambda x: np.exp(x.astype(np.float16)).astype(x.dtype), "it computes in float16"),
    ("avg_pool2d", lambda x, **attrs: x, "the first input comes back"),
], ids=["a small offset", "float16", "unchanged"])
def test_a_mistake_is_named_only_where_it_is_that(op, kernel, said):
    """An offset was told to be float16's rounding, and what did nothing a negative kernel_size."""
    verdict = judge(op, kernel)
    assert not verdict.passed and (verdict.diagnosis == "" if said is None else said in verdict.diagnosis), verdict


def test_there_are_enough_of_them():
    assert len({row[0] for row in RIGHT}) >= 10 and len(WRONG) >= 30


@pytest.mark.parametrize("op", one_a_family(OPS.values()))
def test_every_op_s_own_pair_is_right(op, monkeypatch):
    """The compiled kernel in the place of a user's, and the definition: nothing is refused that the
    laws allow, and every op has a call of a real size to be timed.
    """
    for forward, backward in (op.kernels, op.definition):
        alone = forward if backward is not None else lambda *xs, _f=forward, **attrs: _f(*xs, **attrs)[0]
        verdict = judge(op.name, alone, backward)
        assert verdict.passed, verdict
        if forward is not op.ref_forward and op.name not in ("segments", "einsum"):
            assert "sample '" not in verdict, verdict
        monkeypatch.setattr(timing, "TIMING_SECONDS", 0.05)             # definitions are slow


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_no_op_s_own_pair_loses_nan(op):
    for forward, backward in (op.kernels, op.definition):
        alone = forward if backward is not None else lambda *xs, _f=forward, **attrs: _f(*xs, **attrs)[0]
        kernel = trials.Kernel(op, alone, backward)
        with np.errstate(all="ignore"):
            assert [loses_nan(kernel, trials.attempt(kernel, s, "float32")) for s in op.samples()].count("") == len(
                list(op.samples()))


def test_a_nan_that_an_op_drops_on_purpose_may_be_dropped():
    """heaviside is a comparison, and 0 of NaN; kept, it is wrong as any other number."""
    assert judge("heaviside", lambda x, *, value: OPS["heaviside"].ref_forward(x, value=value)[0]).passed


@pytest.mark.parametrize("op", one_a_family(op for op in OPS.values() if op.ref_backward is not None))
def test_a_backward_that_is_17_times_too_large_is_refused_for_every_op(op):
    def backward(*args, **attrs):
        return tuple(None if g is None else 17*g for g in op.ref_backward(*args, **attrs))
    verdict = judge(op.name, op.ref_forward, backward)
    assert not verdict.passed and "backward wrong on" in verdict and "17 times" in verdict.diagnosis, verdict


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.ref_backward is not None], ids=lambda op: op.name)
def test_a_sign_that_is_wrong_is_named_for_every_op(op):
    """Or what comes to the same, such as inputs that are swapped in a difference."""
    def minus(a):
        return -a if a.dtype.kind == "f" else a

    def forward(*inputs, **attrs):
        y, _ = op.ref_forward(*inputs, **attrs)
        return tuple(map(minus, y)) if isinstance(y, tuple) else minus(y)
    verdict = judge(op.name, forward)
    assert not verdict.passed and verdict.diagnosis, verdict


def test_a_verdict_says_where_and_how_much():
    verdict = judge("relu", lambda x: np.where(x > 0, x, 0.25*(x < -2)).astype(x.dtype))
    assert "Sample     '" in verdict and "Got        0.25" in verdict and "Expected   0" in verdict
    assert re.search(r"Place      y\[\d+.*\], where the error is largest", verdict)
    assert verdict.diagnosis == "" and "Formula    y = max(x, 0)" in verdict


def test_what_samples_have_in_common_is_told():
    def conv2d(x, w, b, stride, padding, dilation, groups):
        y, _ = OPS["conv2d"].ref_forward(x, w, b, stride, padding, dilation, groups)
        return y*(1 + (groups > 1))
    verdict = judge("conv2d", conv2d)
    assert "wrong where groups is not 1, right elsewhere" in verdict
    assert verdict.diagnosis == "every number is 2 times what it should be"


def test_an_exception_is_told_with_its_line():
    def softmax(x, *, dim):
        return x/x.shape[7]
    verdict = judge("softmax", softmax)
    assert "IndexError: tuple index out of range, in line" in verdict and "return x/x.shape[7]" in verdict


def test_loops_in_python_show_their_thousands():
    """At the size of a layer of LeNet, not on samples of a few numbers, where calls cost most."""
    from student_kernels import conv2d_loops
    verdict = judge("conv2d", conv2d_loops)
    assert verdict.passed and "lenet.conv1" in verdict
    assert verdict.ratio > 500


def test_a_verdict_names_several_threads_only_where_calls_were_repeated(monkeypatch):
    module = importlib.import_module("fastnn.testing.judge")
    several = max(nn.get_num_threads(), 3)
    assert f"with 1 and {several} threads" in " ".join(judge("relu", relu).split())
    monkeypatch.setattr(module, "REPEAT_SECONDS", 0.0)
    assert "with 1 thread (too slow to repeat)" in " ".join(judge("relu", relu).split())
    slow = min(t.size for t in (sample.inputs[0] for sample in OPS["relu"].samples()) if t.size)

    def busy(x):
        """Slow on some samples."""
        begin = time.thread_time()
        while x.size > slow and time.thread_time() - begin < 0.002:
            pass
        return relu(x)
    monkeypatch.setattr(module, "REPEAT_SECONDS", 0.002)
    text = " ".join(judge("relu", busy).split())
    assert re.search(rf"with 1 thread; \d+ of \d+ calls with {several} too, others are too slow to repeat", text)


def test_use_kernel_refuses_with_the_verdict_and_leaves_the_op():
    before = ACTIVE["softmax"]
    with pytest.raises(AssertionError, match=r"(?s)softmax: wrong on .*overflows"):
        with nn.use_kernel("softmax", lambda x, *, dim: np.exp(x)/np.exp(x).sum(axis=dim, keepdims=True)):
            raise RuntimeError("the block must not run")
    assert ACTIVE["softmax"] is before and not REPLACED
    backward = lambda dy, passed: (17*dy*passed,)
    with pytest.raises(AssertionError, match=r"(?s)relu: backward wrong on .*17 times"):
        with nn.use_kernel("relu", lambda x: (relu(x), x > 0), backward):
            raise RuntimeError("the block must not run")
    assert ACTIVE["relu"] is OPS["relu"] or not REPLACED


def test_a_judgement_is_read_in_a_notebook_as_it_is_printed():
    verdict = judge("relu", relu)
    assert repr(verdict) == str(verdict) and verdict.count("\n") >= 3


def test_progress_is_written_where_somebody_watches(monkeypatch, capsys):
    import importlib
    import time

    watch = importlib.import_module("fastnn.testing.judge").Watch("relu")
    watch.line.live = True
    watch.begin = time.perf_counter() - 2
    watch.tell("call 1 of 2")
    watch.wipe()
    err = capsys.readouterr().err
    assert "judging relu: call 1 of 2" in err and err.endswith("\r")


# ---- gradcheck -----------------------------------------------------------------------------------
def function_with(gradient):
    class Square(nn.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x*x

        @staticmethod
        def backward(ctx, dy):
            return gradient(ctx.saved_tensors[0], dy)
    return Square.apply


@pytest.mark.parametrize("gradient, words", [
    (lambda x, dy: 34*x*dy, "every number is 17 times"),
    (lambda x, dy: -2*x*dy, "every number is -1 times"),
    (lambda x, dy: 2*x, "upstream gradient, is not used"),
    (lambda x, dy: 1*dy, "the function's own slope is missing"),
    (lambda x, dy: (2*x*dy).T, "the gradient is transposed"),
    (lambda x, dy: np.roll(2*x*dy, 1, -1), "rolled forward along its last axis"),
    (lambda x, dy: np.zeros_like(x), "0 everywhere"),
])
def test_gradcheck_names_place_values_ratio_and_mistake(gradient, words):
    x = np.random.default_rng(3).standard_normal((3, 3))
    with pytest.raises(AssertionError) as failed:
        nn.testing.gradcheck(function_with(gradient), x)
    text = str(failed.value)
    assert words in " ".join(text.split()), text
    place = re.search(r"Place      \[(\d), (\d)\] of shape \(3, 3\), where x = (\S+)", text)
    i, j = int(place[1]), int(place[2])
    assert float(place[3]) == pytest.approx(x[i, j], rel=1e-5)
    analytic, numeric = (float(re.search(rf"{word} +(\S+?),?( by|\n)", text)[1]) for word in ("Backward", "Numeric"))
    ratio = float(re.search(r"Ratio +(\S+)", text)[1])
    assert ratio == pytest.approx(analytic/numeric, rel=1e-4) and ratio != pytest.approx(1)


def test_gradcheck_looks_at_some_of_many_elements():
    x = np.random.default_rng(3).standard_normal((40, 50))
    with pytest.raises(AssertionError, match=r"(?s)400 of 2,000 that were looked at.*every number is 17 times"):
        nn.testing.gradcheck(function_with(lambda x, dy: 34*x*dy), x)


def test_gradcheck_finds_one_wrong_element():
    def gradient(x, dy):
        g = 2*x*dy
        g[1, 2] *= 3
        return g
    x = np.random.default_rng(3).standard_normal((3, 4))
    with pytest.raises(AssertionError, match=r"(?s)wrong at 1 of 12 places.*Place      \[1, 2\].*Ratio      3\n?$"):
        nn.testing.gradcheck(function_with(gradient), x)


def test_a_backward_that_raises_is_told():
    for backward in (lambda dy, saved: 1/0, lambda dy, saved: saved["nothing"]):
        told = str(nn.testing.judge("relu", lambda x: (np.maximum(x, 0), x), backward))
        assert "wrong" in told and "Error: " in told and "in line" in told
