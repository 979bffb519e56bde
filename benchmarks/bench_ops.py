"""Every op of the table at the sizes of real networks, forward and forward+backward: NumPy, fastnn
and PyTorch side by side.
"""

import pytest
from side_by_side import cases, run


@pytest.mark.parametrize("name, impl", cases("ops"))
def test_op(benchmark, name, impl):
    run(benchmark, name, impl)
