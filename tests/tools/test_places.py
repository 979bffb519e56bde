"""tools/places.py names what an op lacks; and the stubs are what tools/stubs.py writes."""

import re

import pytest
from checkout import ROOT, needs_sources

pytestmark = needs_sources


@pytest.fixture
def places(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT/"tools"))
    import places
    return places


def test_nothing_is_lacking(places):
    files = places.sources()
    assert len(places.rows(files)) > 140 and len(list(places.records(files))) > 85
    assert sum(len(record.kernels) for record in places.records(files)) > 180
    assert places.lacking(files) == []


ACTIVATION = {"record": "fastnn/ops/activation.py", "row": "csrc/pointwise/activation.h",
              "body": "csrc/pointwise/activation.tmpl.h", "wrapper": "fastnn/kernels/activation.pxi"}


@pytest.mark.parametrize("path, old, new, said", [
    (ACTIVATION["body"], "MAP1(softsign_forward,", "/* MAP1(softsign_forward,",
     "csrc/pointwise/activation.tmpl.h: the body of softsign_forward, FN(softsign_forward) or a line MAP1("),
    ("csrc/norm/norm.tmpl.h", "FN(layer_norm_forward)(", "FN(layer_norm_forwards)(",
     "csrc/norm/norm.tmpl.h: the body of layer_norm_forward,"),
    ("tests/c/cases_elements.c", "FORWARD(softsign_forward,", "", "tests/c/cases_*.c: a case of softsign_forward;"),
    (ACTIVATION["row"], "fnn_softsign_forward,", "", "csrc/pointwise/activation.h: fnn_softsign_forward under Names"),
    (ACTIVATION["wrapper"], "map1(fnn_softsign_forward, x)", "x",
     "fastnn/kernels/*.pxi: a call of fnn_softsign_forward"),
    (ACTIVATION["row"], "KERNEL(softsign_forward,", "",
     "csrc/<family>/<name>.h: a row KERNEL(softsign_forward, ...), which fastnn/kernels/activation.pxi calls"),
    (ACTIVATION["wrapper"], "def softsign_backward(", "def other(",
     "def softsign_backward(...), which the record of softsign in fastnn/ops/activation.py names"),
    ("csrc/kernels.h", '#include "norm/norm.h"', "", 'csrc/kernels.h: #include "norm/norm.h"'),
    ("csrc/norm/norm.c", None, None, "csrc/norm/norm.c: four lines, as in csrc/pointwise/activation.c"),
    ("fastnn/kernels/_kernels.pyx", 'include "norm.pxi"', "", 'fastnn/kernels/_kernels.pyx: include "norm.pxi"'),
    ("fastnn/functional.py", "from .ops.norm import *", "", "fastnn/functional.py: from .ops.norm import *"),
    ("docs/api/normalisation.md", "::: fastnn.ops.norm\n", "", "docs/api/*.md: ::: fastnn.ops.norm"),
    ("docs/ops.md", "| `softsign` |", "", "docs/ops.md: the row of softsign; `make readme` writes it"),
    ("fastnn/layers/activation.py", '"Softsign", ', "", "fastnn/layers/activation.py: the layer of softsign, if"),
    ("tests/layers/test_layers.py", '"Softsign"', "", "tests/layers/test_layers.py: a row of Softsign in CASES"),
    ("tests/layers/test_module.py", "Softsign", "Other", "tests/layers/test_module.py: a row of Softsign in ERRORS"),
])
def test_what_is_taken_away_is_named(places, path, old, new, said):
    files = places.sources()
    if old is None:
        del files[path]
    else:
        assert old in files[path]
        files[path] = files[path].replace(old, new)
    assert any(said in line for line in places.lacking(files)), places.lacking(files)


def test_an_op_without_tests_is_named(places):
    files = {path: re.sub("softsign", "other", text) if path.startswith("tests/ops/") else text
             for path, text in places.sources().items()}
    assert places.lacking(files) == ["tests/ops/test_*.py: a number of softsign worked by hand, and PyTorch's"]


def test_a_record_without_kernels_wants_none(places):
    files = places.sources()
    files[ACTIVATION["record"]] += '\nactivation("cube", "y = x^3", None, None, flops=2, compiled=False)\n'
    assert not any("cube_forward" in line for line in places.lacking(files))
    files[ACTIVATION["record"]] = files[ACTIVATION["record"]].replace("compiled=False", "compiled=True")
    assert any("def cube_forward(...)" in line for line in places.lacking(files))


def test_the_stubs_are_those_of_the_wrappers(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT/"tools"))
    import stubs
    assert stubs.PATH.read_text(encoding="utf-8") == stubs.stubs(), "make build writes them"
    assert stubs.stub("f_forward", "x, *, double p=0.5,\n    needs=(True, True)", "") == (
        "def f_forward(x: Any, *, p: Any = 0.5, needs: Any = (True, True)) -> tuple[Any, Any]: ...")
    assert stubs.stub("f_backward", "dy, saved", "") == "def f_backward(dy: Any, saved: Any) -> tuple[Any, ...]: ..."
    assert stubs.stub("set_it", "Py_ssize_t n", "None") == "def set_it(n: Any) -> None: ..."
