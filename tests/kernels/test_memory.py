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
            model = nn.Sequential(nn.Conv2d(c, k, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                                  nn.Linear(k * (h // 2) ** 2, 7))
            opt = nn.optim.Adam(model.parameters())
            images = nn.tensor(rng.standard_normal((n, c, h, h)).astype("float32"))
            both = model(images) + model(images[:, :, ::-1])    # weights used twice, a slice: gradients that meet
            loss = nn.functional.cross_entropy(both, nn.tensor(np.zeros(n, "int64")))
            loss.backward()
            opt.step()
            opt.zero_grad()
        for _ in range(200):
            step()
        before = resident()
        for _ in range(1000):
            step()
        print(resident() - before)
    """)
    grown = int(subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True,
                               check=True, timeout=300).stdout)
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


def test_gradients_are_added_in_place_only_where_nobody_sees_it():
    shape = (256, 128)
    p = nn.Parameter(np.ones(shape, np.float32))
    (p * 2).sum().backward()
    mine = p.grad.data.ctypes.data
    (p * 3).sum().backward()
    # the tape alone had it: the same memory
    assert p.grad.data.ctypes.data == mine and (p.grad.data == 5).all()
    kept, kept_array = p.grad, p.grad.data
    (p * 4).sum().backward()
    assert (kept_array == 5).all() and (kept.data == 5).all() and (p.grad.data == 9).all()
    kept = None
    (p * 4).sum().backward()                                            # the array is still held
    assert (kept_array == 5).all() and (p.grad.data == 13).all()


def test_a_gradient_that_the_caller_holds_is_not_added_to():
    x = nn.Parameter(np.ones(3, np.float32))
    upstream = np.ones(3, np.float32)
    # add hands the same array to both of its inputs
    (x + x).backward(upstream)
    assert upstream.tolist() == [1, 1, 1] and x.grad.tolist() == [2, 2, 2]
    seen = []
    y = x * 1
    y.register_hook(lambda g: seen.append(g))
    (y + y * 2).sum().backward()
    assert seen[0].tolist() == [3, 3, 3] and x.grad.tolist() == [5, 5, 5]


def test_two_uses_of_a_result_add_their_gradients():
    """Views, broadcasts and slices meet in one gradient: whatever is added in place must not reach
    the others.
    """
    rng = np.random.default_rng(0)
    a = rng.standard_normal((64, 512)).astype(np.float32)
    for others in (lambda y: y.reshape(512, 64).sum(1).sum(), lambda y: (y[3:7] * y[5:9]).sum(),
                   lambda y: (y + 1.0).sum(),
                   lambda y: y.transpose(0, 1)[2].sum(), lambda y: (y - y.mean(0)).sum() + y[0, 0]):
        x, alone = nn.Parameter(a), []
        for use in (lambda y: (y * y).sum(), others, lambda y: (y * 3).sum()):
            alone.append(nn.autograd.grad(use(x * 2), x)[0].data)
        y = x * 2
        ((y * y).sum() + others(y) + (y * 3).sum()).backward()
        np.testing.assert_allclose(x.grad.data, sum(alone), rtol=1e-5, atol=1e-5)


def made_here():
    """What fastnn allocates itself, by name."""
    layer, rows = nn.Linear(64, 64), nn.tensor(np.ones((128, 64), np.float32))
    adam = nn.optim.Adam(layer.parameters())
    layer(rows).sum().backward()
    adam.step()
    state = adam.state[layer.weight]
    batch, = nn.data.TensorDataset(np.ones((128, 64), np.float32)).batch(np.arange(-3, 61))
    stacked, = nn.data.dataset.collate([(np.ones(64, np.float32),)]*64)
    return {"zeros": nn.zeros(64, 64).data, "ones": nn.ones_like(rows).data, "empty": nn.empty(64, 64).data,
            "full": nn.full((64, 64), 2.5).data,
            "rand": nn.rand(64, 64).data, "randn": nn.randn(64, 64, dtype=np.float64).data,
            "arange": nn.arange(4096.0).data,
            "eye": nn.eye(64).data, "list": nn.tensor([[1.0]*64]*64).data,
            "converted": nn.tensor(np.ones((64, 64)), np.float32).data,
            "weight": layer.weight.data, "lstm": nn.LSTM(64, 64).weight_hh_l0.data,
            "conv": nn.Conv2d(16, 16, 3).weight.data,
            "norm": nn.LayerNorm(2048).weight.data, "batch": batch, "stacked": stacked,
            **{f"Adam {name}": value for name, value in state.items() if np.size(value) == 64*64}}


def test_arrays_that_are_made_here_begin_a_cache_line():
    for _ in range(3):
        found = made_here()
        assert len(found) >= 18
        assert {name: a.ctypes.data % 64 for name, a in found.items() if a.ctypes.data % 64} == {}


def test_a_tensor_over_an_array_still_shares_its_memory():
    a = np.ones((64, 64), np.float32)
    assert nn.tensor(a).data is a and nn.tensor(a, dtype=np.float32).data is a


def test_batches_take_rows_as_numpy_does():
    data = nn.data.TensorDataset(np.arange(4096.0).reshape(64, 64))
    np.testing.assert_array_equal(data.batch(np.array([3, -1, 0]))[0], data.tensors[0].data[[3, -1, 0]])
    for outside in ([64], [-65, 2]):
        with pytest.raises(IndexError):
            data.batch(np.array(outside))
