"""One training step (forward, loss, backward, Adam) and inference of whole networks, fastnn and
PyTorch side by side.
"""

import pytest
from side_by_side import cases, run

# the larger ones take minutes: see `bench`
NAMES = ("mlp-64-128-10", "mlp-784-512-512-10", "lenet", "char-lstm", "gpt-4x128")


@pytest.mark.parametrize("name, impl", cases("networks", names=NAMES))
def test_network(benchmark, name, impl):
    run(benchmark, name, impl)
