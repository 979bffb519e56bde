"""The table of ops: ops found by name, described, and the files of each."""

import inspect
import re
from pathlib import Path

import pytest

from fastnn import functional, optable
from fastnn.console import UserError
from fastnn.op import OPS

ROOT = Path(__file__).resolve().parents[2]


def test_find_ops_prefers_names_to_families():
    assert [op.name for op in optable.find_ops(["softmax"])] == ["softmax"]
    assert len(optable.find_ops(["normalisation"])) > 1 and len(optable.find_ops([])) == len(OPS)
    with pytest.raises(UserError):
        optable.find_ops(["relu", "rel"])


@pytest.mark.parametrize("name", sorted(name for name, f in vars(functional).items()
                                        if inspect.isroutine(f) and not name.startswith("_") and name not in OPS))
def test_every_function_is_found(name):
    """Under another name its op; without a record, its file and tests."""
    function = inspect.unwrap(getattr(functional, name))
    if function.__name__ in OPS:
        assert optable.find_ops([name]) == [OPS[function.__name__]]
        return
    with pytest.raises(UserError) as refused:
        optable.find_ops([name])
    paths = re.findall(r"\b(?:fastnn|tests)/[\w/]+\.py", str(refused.value))
    assert ROOT/paths[0] == Path(inspect.getsourcefile(function)) and all((ROOT/path).exists() for path in paths)
    assert "tests/laws/test_composed.py" in paths


@pytest.mark.parametrize("name", OPS)
def test_the_files_of_an_op_exist(name):
    for what, text in optable.files_of(OPS[name]).items():
        for path in text.split(" -k ")[0].replace("contract in ", "").split(", "):
            assert (ROOT/path).exists(), f"{what} of {name}: {path}"


@pytest.mark.parametrize("name", OPS)
def test_every_op_is_described(name):
    op = OPS[name]
    facts = optable.facts_of(op)
    assert all(facts.values()) and all(name in facts["inputs"] for name in op.inputs)
    assert facts["call"].startswith(f"fastnn.functional.{name}(") == bool(optable.text_of(op))
    assert len(optable.samples_of(op)) == len(list(op.samples()))
    assert [cost.case for cost in optable.costs_of(op)] == list(op.bench)


def test_the_cost_of_a_convolution_is_counted():
    """LeNet's first layer: 28 x 28 x 6 outputs of 25 products; x, w and y."""
    cost = next(cost for cost in optable.costs_of(OPS["conv2d"]) if cost.case == "lenet.conv1")
    sample = OPS["conv2d"].bench["lenet.conv1"]()
    batch = sample.inputs[0].shape[0]
    assert cost.flops == 2*batch*28*28*6*25
    assert cost.bytes == 4*(sum(a.size for a in sample.inputs[:2]) + batch*6*28*28)
