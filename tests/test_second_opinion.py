"""The comparison with PyTorch notices what it is there for, and nothing else compares."""

import ast
from pathlib import Path

import numpy as np
import pytest
from second_opinion import EACH, ROUNDINGS, close, compare, compare_layers, state_of

import fastnn as nn

HERE = Path(__file__).parent


def imports(path):
    """Names of modules that a file imports, also by importorskip."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("importorskip"):
            yield ast.literal_eval(node.args[0])


def test_no_test_imports_pytorch_itself():
    """They take the fixture `torch`; torchvision_shim.py loads what needs PyTorch."""
    files = {path.name for path in HERE.rglob("*.py") if any(name.split(".")[0] == "torch" for name in imports(path))}
    assert files == {"second_opinion.py", "torchvision_shim.py"}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_close_allows_roundings_and_no_more(dtype):
    eps = float(np.finfo(dtype).eps)
    want = np.array([100.0, 1.0, np.nan, np.inf], dtype)
    close(want.copy(), want)
    for each, at, allowed in ((False, 1, 100 * ROUNDINGS), (True, 1, 2 * EACH), (True, 0, 101 * EACH)):
        for share, right in ((0.9, True), (1.1, False)):
            got = want.copy()
            got[at] += dtype(share * allowed * eps)
            if right:
                close(got, want, each=each)
            else:
                with pytest.raises(AssertionError):
                    close(got, want, each=each)


@pytest.mark.parametrize("got", [np.ones(3), np.ones((3, 1), np.float32), np.array([1, 1, np.nan], np.float32),
                                 np.array([1, 1, np.inf], np.float32), np.ones(3, np.int64)], ids=str)
def test_close_notices_types_shapes_and_what_is_no_number(got):
    with pytest.raises(AssertionError):
        close(got, np.ones(3, np.float32))
    with pytest.raises(AssertionError):
        close(np.array([1, 2]), np.array([1, 3]))


class Wrong(nn.autograd.Function):
    """x w with a gradient of w that is off by one part in a thousand."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        return dy * w, dy * x * 1.001


def test_compare_notices_results_and_gradients(torch):
    arrays = [np.arange(1.0, 4), np.arange(2.0, 5)]
    compare(lambda x, w: x * w, lambda x, w: x * w, arrays)
    for wrong, words in ((lambda x, w: x * w * 1.001, "result 0"), (Wrong.apply, "gradient 1"),
                         (lambda x, w: x * w.detach(), "gradient 1")):
        with pytest.raises(AssertionError, match=words):
            compare(wrong, lambda x, w: x * w, arrays)


def test_compare_layers_notices_state(torch):
    x = [np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)]
    for momentum in (0.1, 0.2):
        theirs, ours = torch.nn.BatchNorm1d(3), nn.BatchNorm1d(3, momentum=momentum)
        ours.load_state_dict(state_of(theirs))
        if momentum == 0.1:
            compare_layers(ours, theirs, x)
        else:
            with pytest.raises(AssertionError, match="running_mean"):
                compare_layers(ours, theirs, x)
