"""Nothing grows: not with the number of shapes seen, not with the number of steps."""

import gc
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastnn as nn


def resident():
    """Bytes of memory that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


@needs_proc
def test_a_thousand_shapes_use_the_memory_of_ten():
    script = textwrap.dedent("""
        import numpy as np, fastnn as nn
        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        rng = np.random.default_rng(0)
        def step():
            n, c, h, k = (int(v) for v in rng.integers([1, 1, 8, 1], [8, 16, 48, 16]))
            model = nn.Sequential(nn.Conv2d(c, k, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(k * (h // 2) ** 2, 7))
            loss = nn.functional.cross_entropy(model(nn.tensor(rng.standard_normal((n, c, h, h)).astype("float32"))), nn.tensor(np.zeros(n, "int64")))
            loss.backward()
        for _ in range(200):
            step()
        before = resident()
        for _ in range(1000):
            step()
        print(resident() - before)
    """)
    grown = int(subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True, timeout=300).stdout)
    assert grown < 24 << 20, f"a thousand more shapes grew the process by {grown >> 20} MB"


def test_a_step_leaves_nothing_behind():
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64))
    x, y = nn.tensor(np.ones((512, 64), np.float32)), nn.tensor(np.zeros(512, np.int64))
    opt = nn.optim.Adam(model.parameters())

    def step():
        loss = nn.functional.cross_entropy(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    for _ in range(3):
        step()
    gc.collect()
    gc.disable()                                    # the tape must not need the cycle collector
    try:
        before = nn.memory.in_use()
        for _ in range(20):
            step()
        assert nn.memory.in_use() == before
    finally:
        gc.enable()


def test_buffers_come_back_and_can_be_given_back():
    y = nn.functional.relu(nn.tensor(np.ones(1 << 20, np.float32)))
    held = nn.memory.in_use()
    assert held >= 4 << 20
    del y
    assert nn.memory.in_use() <= held - (4 << 20)
    assert nn.memory.cached() >= 4 << 20
    nn.memory.trim()
    assert nn.memory.cached() == 0
