"""The programs in examples/ run, with less to do than when a person starts them."""

import importlib.util
import math
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

EXAMPLES = ROOT/"examples"
pytestmark = needs_sources


def example(name: str):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES/f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lenet_learns():
    assert example("lenet").main(epochs=2) > 0.8


def test_char_lstm_learns_and_writes(capsys):
    writer = example("char_lstm")
    loss = writer.main(steps=30, count=20)
    assert loss < 0.9*math.log(len(writer.LETTERS))         # better than guessing among all letters
    assert set(capsys.readouterr().out[-21:-1]) <= set(writer.LETTERS)


def test_my_op_trains_as_well_as_the_kernel(capsys):
    mine, kernel = example("my_op").main()
    assert "conv2d: correct on" in capsys.readouterr().out
    assert mine > 0.8 and abs(mine - kernel) < 0.05


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_tells_how_to_start_it(path):
    text = path.read_text(encoding="utf-8")
    assert f"python examples/{path.name}" in text and text.endswith('if __name__ == "__main__":\n    main()\n')
    assert f"def test_{path.stem}_" in Path(__file__).read_text(encoding="utf-8")


def test_an_example_starts_from_the_command_line():
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import lenet; lenet.main(epochs=1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "epoch 1" in done.stdout, done.stderr
