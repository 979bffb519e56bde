"""copy, deepcopy and pickle of everything that a training run is made of: tensors, modules,
optimisers, schedules, loaders, generators.

Each layer's copies are in layers/test_layers.py, each optimiser's in optim/test_saved_state.py.
"""

import copy
import itertools
import pickle

import numpy as np
import pytest

import fastnn as nn


def pickled(x):
    return pickle.loads(pickle.dumps(x))


every_copy = pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled], ids=lambda f: f.__name__)
own_memory = pytest.mark.parametrize("copied", [copy.deepcopy, pickled], ids=lambda f: f.__name__)


# ---- tensors -------------------------------------------------------------------------------------
ARRAYS = {
    "number": np.array(3.0), "number of float32": np.array(3.0, np.float32), "vector": np.arange(3.0),
    "bool": np.array(True), "int8": np.array([1, -2], np.int8), "uint8": np.array(255, np.uint8),
    "empty": np.zeros((0, 3)), "transposed": np.arange(6.0).reshape(2, 3).T,
    "Fortran order": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "strided, reversed": np.arange(24.0).reshape(4, 6)[::2, ::-3], "broadcast": np.broadcast_to(np.float32(2), (2, 3)),
    "one dimension of many": np.ones((1,) * 12), "NaN and -0": np.array([np.nan, -0.0, np.inf]),
}


@every_copy
@pytest.mark.parametrize("kind", [nn.Tensor, nn.Parameter])
@pytest.mark.parametrize("name", ARRAYS)
def test_a_copy_of_a_tensor_is_the_same_tensor(name, kind, copied):
    array = ARRAYS[name]
    for requires_grad in (False, True)[:1 + (array.dtype.kind == "f")]:
        t = kind(array, requires_grad)
        other = copied(t)
        assert type(other) is kind and other is not t and other.requires_grad is requires_grad
        assert (other.shape, other.dtype) == (t.shape, t.dtype) and other.data.tobytes() == t.data.tobytes()
        assert np.shares_memory(other.data, t.data) == (copied is copy.copy and t.data.size > 0)
        assert other.node is None and other.index == 0 and repr(other) == repr(t)


class Noted(nn.Tensor):
    """A subclass with attributes."""


class Named(nn.Parameter):
    __slots__ = ("name",)


@every_copy
def test_a_subclass_keeps_its_attributes(copied):
    t, p = Noted(np.ones(2)), Named(np.ones(2))
    t.notes, p.name = ["a"], "weight"
    other = copied(t)
    assert type(other) is Noted and other.notes == ["a"] and (other.notes is t.notes) == (copied is copy.copy)
    other = copied(p)
    assert type(other) is Named and other.name == "weight" and not hasattr(other, "__dict__")


@own_memory
def test_tensors_over_one_array_still_share_it(copied):
    """A tied weight made with `detach` or `nn.tensor` stays tied, and the tape sees its changes."""
    t = nn.tensor([1.0, 2.0])
    a, b, c = copied((t, t.detach(), nn.Parameter(t)))
    assert a.data is b.data is c.data and a._version is b._version
    with nn.no_grad():
        a[0] = 7.0
    assert b.tolist() == [7, 2] and t.tolist() == [1, 2]


def test_a_shallow_copy_is_seen_by_the_tape():
    x = nn.tensor([1.0, 2.0])
    w = nn.tensor([3.0, 4.0], requires_grad=True)
    y = (w * x).sum()
    copy.copy(x)[0] = 5.0
    with pytest.raises(nn.GraphError):
        y.backward()


def test_a_view_is_copied_without_what_it_looks_into():
    """A tensor that the tape has followed a write into, and views of it, made before and after."""
    before = nn.zeros(100_000)
    assert len(pickle.dumps(before[:2])) < 1000
    a, out = nn.tensor([1.0, 2.0], requires_grad=True), nn.zeros(4)
    early = out[1:3]
    out[:2] = a
    for t in (out, early, out[1:3], out.detach(), out.detach()[1:3]):
        for copied in (copy.copy, pickled):
            other = copied(t)
            assert other.tolist() == t.tolist() and other.node is None and other._base is None
            assert np.shares_memory(other.data, t.data) == (copied is copy.copy)
        if t.is_leaf:
            twin = copy.deepcopy(t)
            assert twin.tolist() == t.tolist() and not np.shares_memory(twin.data, t.data)
            assert len(twin._version) == 1
    out.sum().backward()
    assert a.grad.tolist() == [1, 1]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=str)
def test_a_deep_copy_of_tensors_that_overlap_shares_memory_as_they_do(order):
    """As in PyTorch, in whichever order they come: a base, views of it, a view of a view."""
    base = nn.tensor(np.arange(12.0).reshape(3, 4))
    several = [base, base[1:], base[1:].T, base[0, :1]]
    copies = copy.deepcopy([several[i] for i in order])
    twins = [copies[order.index(i)] for i in range(4)]
    for a, b in zip(several, twins):
        assert a.tolist() == b.tolist() and not np.shares_memory(a.data, b.data) and b._base is None
    w = nn.ones(3, 4, requires_grad=True)
    y = (w * twins[0]).sum()
    with nn.no_grad():
        twins[2][3, 1] = 70.0
    assert twins[0][2, 3].item() == twins[1][1, 3].item() == 70 and base[2, 3].item() == 11
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()                                # their counter of changes is one


def test_rows_of_a_large_array_are_copied_alone():
    rows = copy.deepcopy({"a": (t := nn.zeros(1000, 100))[3], "b": t[900], "a again": t[3]})
    assert rows["a"].data is not rows["a again"].data and np.shares_memory(rows["a"].data, rows["a again"].data)
    assert all(a.data.nbytes == 400 and (a.data.base is None or a.data.base.nbytes < 1000) for a in rows.values())


class Owned(nn.Parameter):
    """It knows who owns it: a circle."""


@every_copy
def test_a_circle_through_a_tensor(copied):
    p = Owned([1.0])
    p.owner = {"weight": p}
    other = copied(p)
    assert other.owner["weight"] is (p if copied is copy.copy else other)


def test_gradients_go_where_pytorchs_go():
    p = nn.Parameter([1.0, 2.0])
    p.grad = nn.tensor([3.0, 4.0])
    assert copy.copy(p).grad is None and pickled(p).grad is None
    twin = copy.deepcopy(p)
    assert twin.grad.tolist() == [3, 4] and not np.shares_memory(twin.grad.data, p.grad.data)


def test_the_result_of_an_op():
    """As in PyTorch: deepcopy refuses; pickle and copy.copy keep the values and not the history."""
    y = nn.tensor([1.0, 2.0], requires_grad=True) * 2
    with pytest.raises(nn.GraphError, match=r"only leaves.*detach"):
        copy.deepcopy({"y": y})
    for copied in (copy.copy, pickled):
        other = copied(y)
        assert other.node is None and other.requires_grad and other.tolist() == [2, 4]
    assert y.node is not None and y.grad is None


# ---- modules -------------------------------------------------------------------------------------
def network():
    nn.seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        self.count = 0

    def forward(self, i):
        return self.head(self.embed(i))


@own_memory
def test_shared_parameters_stay_shared(copied):
    model = copied(Tied())
    assert model.head.weight is model.embed.weight and len(list(model.parameters())) == 1
    with nn.no_grad():
        model.embed.weight.fill_(0)
    assert not model(np.array([1, 2])).data.any()


def test_a_shallow_copy_of_a_module_has_its_own_names():
    model = Tied()
    other = copy.copy(model)
    assert other.embed is model.embed and other.head.weight is model.head.weight
    before = {key: t.data.tobytes() for key, t in model.state_dict().items()}
    other.head = nn.Linear(3, 2)
    other.extra, other.count = nn.Parameter([1.0]), 1
    other.register_buffer("seen", nn.tensor([1.0]), persistent=False)
    del other.embed
    assert {key: t.data.tobytes() for key, t in model.state_dict().items()} == before
    assert model.head is dict(model.named_modules())["head"] and model.count == 0
    assert not hasattr(model, "extra") and not hasattr(model, "seen") and list(other._modules) == ["head"]
    model.register_buffer("seen", nn.tensor([2.0]))
    assert "seen" in model.state_dict() and "seen" not in other.state_dict()
    assert [name for name, _ in other.named_parameters()] == ["extra", "head.weight", "head.bias"]


def test_a_shallow_copy_of_a_layer_takes_a_parameter_of_its_own():
    layer = nn.Linear(2, 2)
    other = copy.copy(layer)
    other.weight = nn.Parameter(np.zeros((2, 2), np.float32))
    assert other.weight is dict(other.named_parameters())["weight"] and layer.weight.data.any()
    assert layer.weight is dict(layer.named_parameters())["weight"] and other.bias is layer.bias


class Doubling:
    """A hook that can be pickled."""

    def __init__(self):
        self.calls = 0

    def __call__(self, module, inputs, output):
        self.calls += 1
        return output * 2


@every_copy
def test_hooks_are_copied_and_apart(copied):
    model, x = network(), nn.ones(5, 3)
    want = model(x).data
    handle = model.register_forward_hook(Doubling())
    other = copied(model)
    np.testing.assert_array_equal(other(x).data, 2 * want)
    handle.remove()
    np.testing.assert_array_equal(model(x).data, want)
    np.testing.assert_array_equal(other(x).data, 2 * want)
    other.register_forward_pre_hook(lambda module, inputs: (inputs[0] * 0,))
    np.testing.assert_array_equal(model(x).data, want)


# ---- a whole run ---------------------------------------------------------------------------------
SCHEDULES = {"cosine": lambda o: nn.optim.CosineAnnealingLR(o, 7, 0.01), "steps": lambda o: nn.optim.StepLR(o, 2, 0.5)}


@own_memory
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_whole_run_goes_on_from_its_copy(schedule, copied):
    def epochs(run, count):
        model, optimizer, scheduler, loader = run
        for _ in range(count):
            for x, y in loader:
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()
            scheduler.step()

    def bits(run):
        return pickle.dumps([{key: t.data for key, t in run[0].state_dict().items()}, run[1].state_dict()["state"],
                             run[2].state_dict(), run[2].get_last_lr(), run[3].state_dict()])
    model = network()
    optimizer = nn.optim.Adam(model.parameters(), lr=0.1)
    x = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    data = nn.data.TensorDataset(x, np.arange(20) % 2)
    run = model, optimizer, SCHEDULES[schedule](optimizer), nn.data.DataLoader(data, 8, shuffle=True, seed=3)
    epochs(run, 3)
    twin = copied(run)
    assert twin[2].optimizer is twin[1] and set(twin[1].state) == set(twin[0].parameters())
    before = bits(run)
    assert bits(twin) == before
    epochs(twin, 3)
    assert bits(run) == before
    epochs(run, 3)
    assert bits(twin) == bits(run)


@every_copy
def test_a_copy_of_an_optimizer_is_whole(copied):
    """A shallow copy shares parameters, settings and state: the two are one. Another owns all."""
    p = nn.Parameter([1.0, 2.0])
    optimizer = nn.optim.Adam([p], lr=0.5)
    p.grad = nn.tensor([1.0, 1.0])
    optimizer.step()
    other = copied(optimizer)
    q = other.param_groups[0]["params"][0]
    assert (q is p) == (copied is copy.copy)
    q.grad = nn.tensor([1.0, 1.0])
    other.step()
    other.param_groups[0]["lr"] = 0.25
    other.load_state_dict(other.state_dict())
    assert other.state[q]["step"] == 2 and other.defaults == optimizer.defaults
    shared = copied is copy.copy
    assert optimizer.state[p]["step"] == (2 if shared else 1)
    assert optimizer.param_groups[0]["lr"] == (0.25 if shared else 0.5)
    assert (optimizer.state is other.state) == shared


@every_copy
def test_random_streams_go_on(copied):
    nn.seed(5)
    nn.randn(3)
    state = copied(nn.random.random_state())
    want = nn.randn(4).tolist()
    nn.random.set_random_state(state)
    assert nn.randn(4).tolist() == want
    rng = np.random.default_rng(3)
    assert copied(rng).random() == np.random.default_rng(3).random()
