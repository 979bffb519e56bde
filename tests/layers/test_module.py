"""Module: walking, state, modes, hooks, copies; and errors that name the layer."""

import copy
import inspect
import pickle
import re

import numpy as np
import pytest

import fastnn as nn
from fastnn import DTypeError, RangeError, ShapeError


def small():
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 3)])
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 2)})
        self.scale = nn.Parameter([2.0])
        self.register_buffer("count", np.zeros((), np.int64))
        self.register_buffer("scratch", np.zeros(2), persistent=False)

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.heads["a"](x) * self.scale


# ---- walking ------------------------------------------------------------
def test_walking():
    net = Net()
    assert [name for name, _ in net.named_modules()] == ["", "layers", "layers.0", "layers.1", "heads", "heads.a"]
    assert [name for name, _ in net.named_parameters()][:3] == ["scale", "layers.0.weight", "layers.0.bias"]
    assert [name for name, _ in net.named_buffers()] == ["count", "scratch"]
    assert list(net.state_dict()) == ["scale", "count", "layers.0.weight", "layers.0.bias", "layers.1.weight",
                                      "layers.1.bias", "heads.a.weight", "heads.a.bias"]
    assert net.get_submodule("layers.1") is net.layers[1] and net.get_submodule("") is net
    with pytest.raises(AttributeError, match="'middle'"):
        net.get_submodule("layers.middle")
    visited = []
    net.apply(lambda module: visited.append(type(module).__name__))
    assert visited == ["Linear", "Linear", "ModuleList", "Linear", "ModuleDict", "Net"]


def test_shared_parameters_count_once():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    net[1].weight = net[0].weight
    assert len(list(net.parameters())) == 3 and len(net.state_dict()) == 4
    again = copy.deepcopy(net)
    assert again[1].weight is again[0].weight and again[0].weight is not net[0].weight
    unpickled = pickle.loads(pickle.dumps(net))
    assert unpickled[1].weight is unpickled[0].weight
    net.to(np.float64)
    assert net[1].weight is net[0].weight and net[0].weight.dtype == np.float64


def test_containers():
    model = small()
    assert len(model) == 3 and model[-1] is model[2] and [type(m) for m in model[:2]] == [nn.Linear, nn.ReLU]
    model.insert(1, nn.Tanh())
    assert [type(m).__name__ for m in model] == ["Linear", "Tanh", "ReLU", "Sequential"]
    assert isinstance(model.pop(1), nn.Tanh) and list(model._modules) == ["0", "1", "2"]
    del model[0]
    assert isinstance(model[0], nn.ReLU)
    listed = nn.ModuleList([nn.ReLU()])
    listed += [nn.Tanh()]
    assert len(listed) == 2
    named = nn.Sequential({"first": nn.Linear(2, 2), "second": nn.ReLU()})
    assert list(named.state_dict()) == ["first.weight", "first.bias"]
    for container in (listed, nn.ModuleDict({"a": nn.ReLU()})):
        with pytest.raises(TypeError, match="cannot be called"):
            container(nn.tensor([1.0]))
    with pytest.raises(IndexError, match="no number 5"):
        model[5]
    with pytest.raises(TypeError, match=r"Did you mean a layer, like nn.ReLU\(\)"):
        nn.Sequential(nn.functional.relu)
    with pytest.raises(TypeError, match="must be a Module"):
        nn.ModuleList([3])


# ---- attributes ------------------------------------------------------------
def test_attributes():
    net = Net()
    with pytest.raises(TypeError, match="scale is a parameter; it cannot be replaced by a Tensor"):
        net.scale = nn.tensor([1.0])
    with pytest.raises(TypeError, match="layers is a module"):
        net.layers = 3
    net.count = nn.tensor(5)
    assert dict(net.named_buffers())["count"].item() == 5
    with pytest.raises(TypeError, match="buffer"):
        net.count = 7
    del net.heads
    assert "heads.a.weight" not in net.state_dict() and not hasattr(net, "heads")
    net.heads = nn.Linear(1, 1)
    net.heads = nn.Parameter([1.0])
    assert "heads" in dict(net.named_parameters()) and "heads" not in net._modules
    net.scale = None
    assert "scale" not in net.state_dict() and net.scale is None
    for name in ("", "a.b"):
        with pytest.raises(ValueError, match="name"):
            net.add_module(name, nn.ReLU())
    with pytest.raises(KeyError, match="has an attribute 'train'"):
        net.add_module("train", nn.ReLU())
    with pytest.raises(TypeError, match="'cost' is an attribute of the class"):
        net.cost = nn.Linear(1, 1)
    with pytest.raises(TypeError, match="must be a Parameter"):
        net.register_parameter("p", nn.tensor([1.0]))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = net.nonsense


def test_what_is_registered_again_replaces_the_first():
    net = Net()
    net.register_module("heads", nn.ReLU())
    assert isinstance(net.heads, nn.ReLU) and dict(net.named_children())["heads"] is net.heads
    net.register_parameter("scale", nn.Parameter([3.0]))
    net.register_buffer("scratch", np.ones(2))                  # part of the state from now on
    net.register_buffer("count", 4, persistent=False)
    assert net.scale.item() == 3 and {"scale", "scratch"} <= set(net.state_dict())
    assert "count" not in net.state_dict() and net.count.item() == 4
    assert nn.Module.register_module is nn.Module.add_module


def test_super_init_forgotten():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)
    with pytest.raises(TypeError, match=r"super\(\).__init__\(\)"):
        Forgetful()


def test_forward_forgotten():
    class Empty(nn.Module):
        pass
    with pytest.raises(TypeError, match=r"Empty must define forward\(\)"):
        Empty()(nn.tensor([1.0]))


# ---- state ------------------------------------------------------------
def test_load_state_dict():
    source, target = small(), small()
    source[2][1].running_mean.data[...] = 7
    report = target.load_state_dict({key: t.data.astype(np.float64) for key, t in source.state_dict().items()})
    assert repr(report) == "<All keys matched successfully>" and tuple(report) == ([], [])
    for (key, a), b in zip(source.state_dict().items(), target.state_dict().values()):
        assert a.dtype == b.dtype and np.array_equal(a.data, b.data), key
    assert not np.shares_memory(source[0].weight.data, target[0].weight.data)


def test_load_state_dict_tells_everything_and_changes_nothing():
    model = small()
    before = {key: t.data.copy() for key, t in model.state_dict().items()}
    state = {key: t.data + 1 for key, t in model.state_dict().items()}
    state["0.weight"] = np.zeros((3, 5))
    state["0.bias"] = np.array(["a", "b", "c"])
    del state["2.0.bias"]
    state["extra"] = np.zeros(1)
    with pytest.raises(ShapeError) as caught:
        model.load_state_dict(state)
    for words in ("0.weight: expected (3, 4), got (3, 5)", "0.bias: expected numbers", "2.0.bias: missing",
                  "extra: unexpected"):
        assert words in str(caught.value)
    with pytest.raises(ShapeError) as caught:
        model.load_state_dict(state, strict=False)
    assert "strict=False" not in str(caught.value) and "missing" not in str(caught.value)
    for key, t in model.state_dict().items():
        assert np.array_equal(t.data, before[key]), key
    state = {"0.bias": np.ones(3), "extra": np.zeros(1)}
    with pytest.raises(ShapeError, match="strict=False"):
        model.load_state_dict(state)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert "0.weight" in missing and unexpected == ["extra"] and model[0].bias.tolist() == [1, 1, 1]


@pytest.mark.parametrize("name, value, words", [
    ("num_batches_tracked", np.array(-1), "1.num_batches_tracked: expected 0 or more, got -1"),
    ("num_batches_tracked", np.array(-1.0), "1.num_batches_tracked: expected 0 or more, got -1.0"),
    ("running_var", np.array([1.0, -0.5]), "1.running_var: expected 0 or more, got -0.5"),
    ("running_var", nn.tensor([1.0, -np.inf]), "1.running_var: expected 0 or more, got -inf")])
@pytest.mark.parametrize("strict", [True, False])
def test_a_state_that_cannot_be_is_refused(name, value, words, strict):
    for norm in (nn.BatchNorm1d(2), nn.LazyBatchNorm1d(), nn.InstanceNorm1d(2, track_running_stats=True)):
        model = nn.Sequential(nn.Linear(3, 2), norm)
        state = {key: np.ones(2) if nn.parameters.is_lazy(t) else t.data.copy()
                 for key, t in model.state_dict().items()}
        before = model[0].weight.data.copy()
        with pytest.raises(ShapeError) as caught:
            model.load_state_dict({**state, "0.weight": np.ones((2, 3)), f"1.{name}": value}, strict)
        assert words in str(caught.value)
        assert np.array_equal(model[0].weight.data, before)
        model.load_state_dict({**state, "1.running_var": np.array([0.0, np.nan]), "1.num_batches_tracked": np.array(0)})


def test_a_layer_in_two_places_is_looked_at_in_both():
    norm = nn.BatchNorm1d(2)
    model = nn.Sequential(norm, norm)
    with pytest.raises(ShapeError, match=r"1.running_var: expected 0 or more, got -1.0"):
        model.load_state_dict({**model.state_dict(), "1.running_var": np.array([1.0, -1.0])})


def test_loading_counts_as_a_change():
    """A graph that saved a weight notices that load_state_dict overwrote it."""
    layer = nn.Linear(3, 2)
    y = layer(nn.tensor(np.ones((1, 3), np.float32), requires_grad=True)).sum()
    layer.load_state_dict(layer.state_dict())
    with pytest.raises(nn.GraphError, match="changed in place"):
        y.backward()


def test_read_only_parameters_are_refused_before_anything_changes():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    fixed = np.zeros(2, np.float32)
    fixed.flags.writeable = False
    model[1].bias = nn.Parameter(fixed)
    before = model[0].weight.data.copy()
    with pytest.raises(ShapeError, match=r"1\.bias: the model's own array is read-only"):
        model.load_state_dict({key: np.ones_like(t.data) for key, t in model.state_dict().items()})
    assert np.array_equal(before, model[0].weight.data)


# ---- modes ------------------------------------------------------------
def test_modes_dtype_and_gradients():
    model = small()
    assert model.eval() is model and not any(m.training for m in model.modules())
    assert model.train() is model and all(m.training for m in model.modules())
    model(nn.tensor(np.ones((3, 4), np.float32))).sum().backward()
    assert model.double() is model and {p.dtype for p in model.parameters()} == {np.dtype(np.float64)}
    assert model[0].weight.grad.dtype == np.float64 and model[2][1].running_var.dtype == np.float64
    assert model[2][1].num_batches_tracked.dtype == np.int64
    model.float()
    array = model[0].weight.grad.data
    model.zero_grad(set_to_none=False)
    assert model[0].weight.grad.data is array and not array.any()
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    model.requires_grad_(False)
    assert not model(nn.tensor(np.ones((3, 4), np.float32))).requires_grad
    with pytest.raises(DTypeError, match="float32 or float64"):
        model.to("int32")


# ---- hooks ------------------------------------------------------------
def test_hooks():
    model = small()
    seen = []
    first = model[0].register_forward_hook(lambda m, inputs, y: seen.append((m, inputs[0].shape, y.shape)))
    x = nn.tensor(np.ones((2, 4), np.float32))
    model(x)
    assert seen == [(model[0], (2, 4), (2, 3))]
    first.remove()
    first.remove()                                  # a second time does nothing
    model(x)
    assert len(seen) == 1
    with model[1].register_forward_hook(lambda m, inputs, y: y * 0):
        assert not model[:2](x).data.any()
    assert model[1](x).data.any()
    remove = model.register_forward_pre_hook(lambda m, inputs: nn.tensor(np.zeros((5, 4), np.float32)))
    assert model(x).shape == (5, 2)
    remove()
    assert model(x).shape == (2, 2)


def test_copies_are_independent():
    model = small()
    x = nn.tensor(np.random.default_rng(0).standard_normal((5, 4)).astype(np.float32))
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.eval()
        model.eval()
        assert np.array_equal(model(x).data, other(x).data)
        other[0].weight.data[...] = 0
        assert model[0].weight.data.any()


@pytest.mark.parametrize("state", [None, "nonsense", 3, [1], np.zeros(3), nn.ones(2)], ids=repr)
def test_a_state_that_is_no_dict_is_told(state):
    with pytest.raises(nn.DTypeError, match=r"Linear.load_state_dict.*a dict"):
        nn.Linear(2, 2).load_state_dict(state)


class Unreadable:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("no such type in NumPy")

    def __repr__(self):
        return "Unreadable()"


@pytest.mark.parametrize("value, words", [
    ([[1, 2], [3]], "no array"), (Unreadable(), "no array.*no such type"), ("text", "expected numbers"),
    (None, "expected numbers"), (np.array([[1j, 0], [0, 0]]), "expected numbers"), ({"a": 1}, "expected numbers"),
    (np.zeros((2, 3)), r"expected \(2, 2\)"), (1.0, r"expected \(2, 2\)")], ids=str)
@pytest.mark.parametrize("strict", [True, False])
def test_a_value_that_does_not_fit_changes_nothing(value, words, strict):
    layer = nn.Linear(2, 2)
    before = [p.data.tobytes() for p in layer.parameters()]
    with pytest.raises(nn.ShapeError, match=f"(?s)nothing was loaded.*weight: {words}"):
        layer.load_state_dict({"bias": np.ones(2), "weight": value}, strict=strict)
    assert [p.data.tobytes() for p in layer.parameters()] == before


def test_whole_numbers_are_not_loaded_from_fractions():
    norm = nn.BatchNorm1d(2)
    for value in (1.5, True, np.nan, np.inf, 1e300, 2**64 - 1):
        with pytest.raises(nn.ShapeError, match=r"num_batches_tracked: expected whole numbers"):
            norm.load_state_dict({"num_batches_tracked": np.array(value)}, strict=False)
    norm.load_state_dict({"num_batches_tracked": np.array(7.0)}, strict=False)
    assert norm.num_batches_tracked.item() == 7


# ---- errors ------------------------------------------------------------
def zeros(*shape, dtype=np.float32):
    return nn.tensor(np.zeros(shape, dtype))


def test_an_error_names_the_path():
    net = Net()
    net.layers[1] = nn.Linear(5, 3)
    with pytest.raises(ShapeError) as caught:
        net(zeros(2, 4))
    assert str(caught.value) == "model.layers.1 (Linear 5 -> 3): expected (..., 5), got (2, 4)"

    class Outer(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), net)

        def forward(self, x):
            return self.body(x)
    with pytest.raises(ShapeError) as caught:
        Outer()(zeros(1, 1, 4, 6))
    assert str(caught.value).startswith("model.body.2.layers.1 (Linear 5 -> 3): expected (..., 5), got ")


def test_an_error_of_a_function_keeps_its_name():
    class Block(nn.Module):
        def forward(self, x):
            return x.reshape(7, 5)
    with pytest.raises(ShapeError, match=r"^model\.1 \(Block\) in reshape: "):
        nn.Sequential(nn.Identity(), Block())(zeros(2, 3))


def test_flatten_is_suggested():
    words = r"model\.0 \(Linear 784 -> 10\): .* got \(32, 1, 28, 28\)\. Did you forget Flatten\(\)\?"
    with pytest.raises(ShapeError, match=words):
        nn.Sequential(nn.Linear(784, 10))(zeros(32, 1, 28, 28))


def test_the_same_error_through_a_module_that_is_not_a_child():
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.__dict__["secret"] = nn.Linear(2, 2)

        def forward(self, x):
            return self.secret(x)
    with pytest.raises(ShapeError, match=r"^model \(Linear 2 -> 2\): "):
        Hidden()(zeros(1, 3))


class First(nn.Module):
    def forward(self, pair):
        return pair[0]


E3, E5 = zeros(2, 3, 6), zeros(2, 5, 6)


def batch_first():
    return nn.MultiheadAttention(6, 2, batch_first=True)


ERRORS = [
    ("Linear", lambda: nn.Linear(4, 2)(zeros(3, 5)), ShapeError, "Linear 4 -> 2|(..., 4)|(3, 5)"),
    ("Linear dtype", lambda: nn.Linear(4, 2)(zeros(3, 4, dtype=np.float64)), DTypeError,
     "Linear 4 -> 2|float64|float32"),
    ("Linear integers", lambda: nn.Linear(4, 2)(zeros(3, 4, dtype=np.int64)), DTypeError, "Linear 4 -> 2|int64"),
    ("Conv2d groups", lambda: nn.Conv2d(3, 4, 3, groups=2), ShapeError, "groups=2|3 channels"),
    ("Conv2d channels", lambda: nn.Conv2d(3, 4, 3)(zeros(1, 2, 8, 8)), ShapeError, "Conv2d 3 -> 4, 3x3|2 channels"),
    ("Conv2d window", lambda: nn.Conv2d(1, 1, 5)(zeros(1, 1, 4, 8)), ShapeError, "Conv2d 1 -> 1, 5x5|4"),
    ("Conv2d rank", lambda: nn.Conv2d(1, 1, 5)(zeros(8, 8)), ShapeError, "Conv2d|(8, 8)"),
    ("Conv2d stride", lambda: nn.Conv2d(1, 1, 5, stride=0), ShapeError, "stride >= 1"),
    ("Conv2d padding_mode", lambda: nn.Conv2d(1, 1, 3, padding_mode="mirror"), RangeError,
     "Conv2d: expected padding_mode as one of 'zeros', 'reflect', 'replicate', 'circular', got 'mirror'"),
    ("Conv2d padding", lambda: nn.Conv2d(1, 1, 3, padding="full"), RangeError, "Conv2d|'same' or 'valid'|'full'"),
    ("Conv1d same, strided", lambda: nn.Conv1d(1, 1, 3, stride=2, padding="same"), RangeError,
     "Conv1d: padding='same' needs stride 1|stride=2"),
    ("Conv2d reflect rank", lambda: nn.Conv2d(1, 1, 5, padding=2, padding_mode="reflect")(zeros(8, 8)), ShapeError,
     "Conv2d|(N, C, H, W)|(8, 8)"),
    ("Conv2d circular channels", lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")(zeros(1, 2, 8, 8)),
     ShapeError, "Conv2d 3 -> 4, 3x3|2 channels|(1, 2, 8, 8)"),
    ("Conv2d circular dtype", lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")(
        zeros(1, 3, 8, 8, dtype=np.float64)), DTypeError, "Conv2d 3 -> 4, 3x3|float64|float32"),
    ("Conv2d reflect small", lambda: nn.Conv2d(1, 1, 3, padding=4, padding_mode="reflect")(zeros(1, 1, 4, 8)),
     ShapeError, "Conv2d 1 -> 1, 3x3|in pad|size 4|(4, 4)|reflect"),
    ("Conv1d reflect rank", lambda: nn.Conv1d(1, 1, 5, padding=2, padding_mode="reflect")(zeros(8)), ShapeError,
     "Conv1d|(N, C, L)|(8,)"),
    ("Conv1d channels", lambda: nn.Conv1d(3, 4, 5)(zeros(1, 2, 8)), ShapeError, "Conv1d 3 -> 4, 5|2 channels"),
    ("Conv1d kernel", lambda: nn.Conv1d(1, 1, (1, 2)), DTypeError, "Conv1d|kernel_size as an int"),
    ("ConvTranspose2d channels", lambda: nn.ConvTranspose2d(3, 4, 5)(zeros(1, 2, 8, 8)), ShapeError,
     "ConvTranspose2d 3 -> 4, 5x5|2 channels"),
    ("ConvTranspose2d groups", lambda: nn.ConvTranspose2d(4, 3, 3, groups=2), ShapeError, "groups=2|3 channels out"),
    ("ConvTranspose1d size", lambda: nn.ConvTranspose1d(1, 1, 3, 2)(zeros(1, 1, 4), output_size=(7,)), ShapeError,
     "ConvTranspose1d|(9,) to (10,)"),
    ("Conv2d kernel", lambda: nn.Conv2d(1, 1, (1, 2, 3)), ShapeError, "kernel_size"),
    ("MaxPool2d", lambda: nn.MaxPool2d(9)(zeros(1, 1, 4, 4)), ShapeError, "MaxPool2d 9"),
    ("AvgPool2d", lambda: nn.AvgPool2d(2)(zeros(4)), ShapeError, "AvgPool2d 2|(4,)"),
    ("MaxPool1d", lambda: nn.MaxPool1d(9)(zeros(1, 1, 4)), ShapeError, "MaxPool1d 9|1 x 9 window"),
    ("AvgPool1d", lambda: nn.AvgPool1d(2)(zeros(4)), ShapeError, "AvgPool1d 2|(N, C, L)|(4,)"),
    ("AdaptiveAvgPool1d", lambda: nn.AdaptiveAvgPool1d((1, 2))(zeros(1, 4)), DTypeError, "output_size as an int"),
    ("AdaptiveAvgPool2d", lambda: nn.AdaptiveAvgPool2d(2)(zeros(4)), ShapeError, "AdaptiveAvgPool2d|(4,)"),
    ("BatchNorm1d rank", lambda: nn.BatchNorm1d(3)(zeros(2, 3, 4, 5)), ShapeError, "BatchNorm1d 3|(N, C)"),
    ("BatchNorm2d channels", lambda: nn.BatchNorm2d(3)(zeros(2, 4, 5, 5)), ShapeError,
     "BatchNorm2d 3|C = 3|(2, 4, 5, 5)"),
    ("BatchNorm1d one", lambda: nn.BatchNorm1d(3)(zeros(1, 3)), ShapeError, "BatchNorm1d 3|more than 1 value"),
    ("LayerNorm", lambda: nn.LayerNorm(5)(zeros(2, 4)), ShapeError, "LayerNorm 5|(2, 4)"),
    ("RMSNorm", lambda: nn.RMSNorm((2, 5))(zeros(2, 4)), ShapeError, "RMSNorm 2x5|(2, 4)"),
    ("GroupNorm", lambda: nn.GroupNorm(4, 6), ShapeError, "6 channels|4 equal groups"),
    ("Dropout", lambda: nn.Dropout(1.5), RangeError, "Dropout|0 <= p <= 1|1.5"),
    ("Dropout2d", lambda: nn.Dropout2d(0.5)(zeros(2, 3)), ShapeError, "Dropout2d|(N, C, H, W)|(2, 3)"),
    ("Embedding", lambda: nn.Embedding(5, 2)(nn.tensor([1, 5])), RangeError, "Embedding 5 x 2|index 5|0 <= index < 5"),
    ("Embedding reals", lambda: nn.Embedding(5, 2)(zeros(2)), DTypeError, "Embedding 5 x 2|integer"),
    ("Embedding padding", lambda: nn.Embedding(5, 2, padding_idx=7), RangeError, "padding_idx|5 rows"),
    ("Embedding vectors", lambda: nn.Embedding.from_pretrained(np.zeros(3)), ShapeError, "(V, D)|(3,)"),
    ("Flatten", lambda: nn.Flatten(3)(zeros(2, 3)), RangeError, "Flatten|dimension 3"),
    ("CrossEntropyLoss", lambda: nn.CrossEntropyLoss()(zeros(2, 3), nn.tensor([0, 3])), RangeError,
     "CrossEntropyLoss|3"),
    ("LSTM features", lambda: nn.LSTM(3, 4)(zeros(5, 2, 2)), ShapeError, "LSTM 3 -> 4|3 features|2 features"),
    ("LSTM rank", lambda: nn.LSTM(3, 4)(zeros(5)), ShapeError, "LSTM 3 -> 4|(T, B, I)|(5,)"),
    ("LSTM empty", lambda: nn.LSTM(3, 4)(zeros(0, 2, 3)), ShapeError, "LSTM 3 -> 4|sequence length larger than 0"),
    ("LSTM state", lambda: nn.LSTM(3, 4)(zeros(5, 2, 3), (zeros(1, 2, 4), zeros(1, 3, 4))), ShapeError,
     "LSTM 3 -> 4|cell state|(1, 2, 4)|(1, 3, 4)"),
    ("LSTM state alone", lambda: nn.LSTM(3, 4)(zeros(5, 2, 3), zeros(1, 2, 4)), ShapeError, "LSTM 3 -> 4|pair (h, c)"),
    ("LSTM dtype", lambda: nn.LSTM(3, 4)(zeros(5, 2, 3, dtype=np.float64)), DTypeError, "LSTM 3 -> 4|float64"),
    ("LSTM sizes", lambda: nn.LSTM(3, 0), ShapeError, "LSTM|hidden_size"),
    ("LSTM dropout", lambda: nn.LSTM(3, 4, dropout=2), RangeError, "LSTM|0 <= dropout <= 1|2"),
    ("LSTMCell features", lambda: nn.LSTMCell(3, 4)(zeros(2, 2)), ShapeError, "LSTMCell 3 -> 4|3 features|2 features"),
    ("LSTMCell state", lambda: nn.LSTMCell(3, 4)(zeros(2, 3), (zeros(2, 3), zeros(2, 4))), ShapeError,
     "hidden state|(2, 4)"),
    ("LSTMCell sizes", lambda: nn.LSTMCell(3, -1), ShapeError, "LSTMCell|hidden_size"),
    ("GRU features", lambda: nn.GRU(3, 4)(zeros(5, 2, 2)), ShapeError, "GRU 3 -> 4|3 features|2 features"),
    ("GRU empty", lambda: nn.GRU(3, 4)(zeros(0, 2, 3)), ShapeError, "GRU 3 -> 4|sequence length larger than 0"),
    ("GRU state", lambda: nn.GRU(3, 4)(zeros(5, 2, 3), zeros(1, 3, 4)), ShapeError,
     "GRU 3 -> 4|hidden state|(1, 2, 4)|(1, 3, 4)"),
    ("GRU pair", lambda: nn.GRU(3, 4)(zeros(5, 2, 3), (zeros(1, 2, 4), zeros(1, 2, 4))), ShapeError,
     "GRU 3 -> 4|one tensor h|tuple of 2"),
    ("GRU dtype", lambda: nn.GRU(3, 4)(zeros(5, 2, 3, dtype=np.float64)), DTypeError, "GRU 3 -> 4|float64"),
    ("GRU sizes", lambda: nn.GRU(3, 0), ShapeError, "GRU|hidden_size"),
    ("GRU dropout", lambda: nn.GRU(3, 4, dropout=2), RangeError, "GRU|0 <= dropout <= 1|2"),
    ("GRUCell features", lambda: nn.GRUCell(3, 4)(zeros(2, 2)), ShapeError, "GRUCell 3 -> 4|3 features|2 features"),
    ("RNN features", lambda: nn.RNN(3, 4)(zeros(5, 2, 2)), ShapeError, "RNN 3 -> 4|3 features|2 features"),
    ("RNN nonlinearity", lambda: nn.RNN(3, 4, nonlinearity="sigmoid"), RangeError, "RNN|tanh|relu|sigmoid"),
    ("RNNCell state", lambda: nn.RNNCell(3, 4, nonlinearity="relu")(zeros(2, 3), zeros(2, 3)), ShapeError,
     "RNNCell 3 -> 4|hidden state|(2, 4)"),
    ("RNNCell nonlinearity", lambda: nn.RNNCell(3, 4, nonlinearity="gelu"), RangeError, "RNNCell|tanh|relu|gelu"),
    ("heads", lambda: nn.MultiheadAttention(6, 4), ShapeError, "num_heads=4|embed_dim=6"),
    ("attention dropout", lambda: nn.MultiheadAttention(6, 2, dropout=-1), RangeError, "dropout|-1"),
    ("attention width", lambda: nn.MultiheadAttention(6, 2)(zeros(2, 3, 5), E3, E3), ShapeError,
     "MultiheadAttention 6, 2 heads|query with 6 features|(2, 3, 5)"),
    ("attention rank", lambda: nn.MultiheadAttention(6, 2)(E3, zeros(3, 6), E3), ShapeError,
     "key of shape (T, B, D)|(3, 6)"),
    ("attention batch", lambda: nn.MultiheadAttention(6, 2)(E3, E5, E5), ShapeError, "one B|batch_first is False"),
    ("attention values", lambda: batch_first()(E3, E3, E5), ShapeError, "one value for each key"),
    ("attention mask", lambda: batch_first()(E3, E5, E5, attn_mask=zeros(5, 3)), ShapeError,
     "attn_mask of shape (3, 5) or (4, 3, 5)|(5, 3)"),
    ("attention padding", lambda: batch_first()(E3, E5, E5, key_padding_mask=zeros(5, 2)), ShapeError,
     "key_padding_mask of shape (2, 5)|(5, 2)"),
    ("ReLU", lambda: nn.ReLU()(zeros(2, 3, dtype=np.int64)), DTypeError, "ReLU|int64"),
    ("ReLU6", lambda: nn.ReLU6()(zeros(2, 3, dtype=np.int64)), DTypeError, "ReLU6|int64"),
    ("LeakyReLU", lambda: nn.LeakyReLU()(zeros(2, 3, dtype=np.int64)), DTypeError, "LeakyReLU|int64"),
    ("ELU", lambda: nn.ELU()(zeros(2, 3, dtype=np.int64)), DTypeError, "ELU|int64"),
    ("SELU", lambda: nn.SELU()(zeros(2, 3, dtype=np.int64)), DTypeError, "SELU|int64"),
    ("GELU", lambda: nn.GELU()(zeros(2, 3, dtype=np.int64)), DTypeError, "GELU|int64"),
    ("SiLU", lambda: nn.SiLU()(zeros(2, 3, dtype=np.int64)), DTypeError, "SiLU|int64"),
    ("Softplus", lambda: nn.Softplus()(zeros(2, 3, dtype=np.int64)), DTypeError, "Softplus|int64"),
    ("Hardtanh", lambda: nn.Hardtanh()(zeros(2, 3, dtype=np.int64)), DTypeError, "Hardtanh|int64"),
    ("Mish", lambda: nn.Mish()(zeros(2, 3, dtype=np.int64)), DTypeError, "Mish|int64"),
    ("LogSigmoid", lambda: nn.LogSigmoid()(zeros(2, 3, dtype=np.int64)), DTypeError, "LogSigmoid|int64"),
    ("Softsign", lambda: nn.Softsign()(zeros(2, 3, dtype=np.int64)), DTypeError, "Softsign|int64"),
    ("Tanhshrink", lambda: nn.Tanhshrink()(zeros(2, 3, dtype=np.int64)), DTypeError, "Tanhshrink|int64"),
    ("CELU", lambda: nn.CELU()(zeros(2, 3, dtype=np.int64)), DTypeError, "CELU|int64"),
    ("Hardshrink", lambda: nn.Hardshrink()(zeros(2, 3, dtype=np.int64)), DTypeError, "Hardshrink|int64"),
    ("Softshrink", lambda: nn.Softshrink()(zeros(2, 3, dtype=np.int64)), DTypeError, "Softshrink|int64"),
    ("Hardsigmoid", lambda: nn.Hardsigmoid()(zeros(2, 3, dtype=np.int64)), DTypeError, "Hardsigmoid|int64"),
    ("Hardswish", lambda: nn.Hardswish()(zeros(2, 3, dtype=np.int64)), DTypeError, "Hardswish|int64"),
    ("Sigmoid", lambda: nn.Sigmoid()([1.0, "a"]), DTypeError, "Sigmoid|a tensor or an array|list"),
    ("Tanh", lambda: nn.Tanh()([1.0, "a"]), DTypeError, "Tanh|a tensor or an array|list"),
    ("Threshold", lambda: nn.Threshold(0.5, 0.1)(zeros(2, 3, dtype=np.int64)), DTypeError, "Threshold|int64"),
    ("Softmax", lambda: nn.Softmax(3)(zeros(2, 3)), ShapeError, "Softmax|dim from -2 to 1|got 3"),
    ("LogSoftmax", lambda: nn.LogSoftmax(-3)(zeros(2, 3)), ShapeError, "LogSoftmax|dim from -2 to 1|got -3"),
    ("Softmin", lambda: nn.Softmin(2)(zeros(2, 3)), ShapeError, "Softmin|dim from -2 to 1|got 2"),
    ("Softmax2d", lambda: nn.Softmax2d()(zeros(2, 3)), ShapeError, "Softmax2d|(C, H, W)|(2, 3)"),
    ("PReLU", lambda: nn.PReLU(3)(zeros(2, 4)), ShapeError, "PReLU|1 or 4 weights|(3,)"),
    ("GLU", lambda: nn.GLU()(zeros(2, 3)), ShapeError, "GLU|even size|(2, 3)"),
    ("Identity", lambda: nn.Identity()(), DTypeError, "Identity|input"),
    ("Sequential", lambda: nn.Sequential(nn.ReLU(), 3), DTypeError, "Sequential|number 1 is a int"),
    ("ModuleList", lambda: nn.ModuleList([3]), DTypeError, "ModuleList|0 must be a Module|int"),
    ("ModuleDict", lambda: nn.ModuleDict({"a": 3}), DTypeError, "ModuleDict|a must be a Module|int"),
    ("CosineSimilarity", lambda: nn.CosineSimilarity()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "CosineSimilarity|broadcast|(2, 3)|(2, 4)"),
    ("PairwiseDistance", lambda: nn.PairwiseDistance()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "PairwiseDistance|broadcast|(2, 3) and (2, 4)"),
    ("EmbeddingBag", lambda: nn.EmbeddingBag(5, 2)(nn.tensor([[1, 5]])), RangeError,
     "EmbeddingBag|index 5|0 <= index < 5"),
    ("Unflatten", lambda: nn.Unflatten(1, (2, 2))(zeros(2, 3)), ShapeError, "Unflatten|dimension 1 of size 3|(2, 2)"),
    ("InstanceNorm1d", lambda: nn.InstanceNorm1d(3)(zeros(2, 3, 4, 5)), ShapeError,
     "InstanceNorm1d|(N, C, L)|(2, 3, 4, 5)"),
    ("InstanceNorm2d", lambda: nn.InstanceNorm2d(3)(zeros(2, 4)), ShapeError, "InstanceNorm2d|C = 3|(2, 4)"),
    ("AdaptiveLogSoftmaxWithLoss", lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 20, [5, 20]), RangeError,
     "AdaptiveLogSoftmaxWithLoss|from 1 to 19|[5, 20]"),
    ("FractionalMaxPool2d", lambda: nn.FractionalMaxPool2d(3, 4)(zeros(1, 5, 9)), ShapeError,
     "FractionalMaxPool2d|(6, 6) pixels|(1, 5, 9)"),
    ("LocalResponseNorm", lambda: nn.LocalResponseNorm(2)(zeros(3)), ShapeError, "LocalResponseNorm|(N, C, ...)|(3,)"),
    ("ConstantPad1d", lambda: nn.ConstantPad1d(-3, 0.0)(zeros(2, 4)), ShapeError,
     "ConstantPad1d|more is cut than there is|(2, 4)"),
    ("ConstantPad2d", lambda: nn.ConstantPad2d((1, 2, 3), 0.0), ShapeError,
     "ConstantPad2d|padding as an int|(1, 2, 3)"),
    ("ConstantPad3d", lambda: nn.ConstantPad3d(1, 0.0)(zeros(2, 3)), ShapeError, "ConstantPad3d|at most 2 dimensions"),
    ("ZeroPad2d", lambda: nn.ZeroPad2d(1)(zeros(3)), ShapeError, "ZeroPad2d|at most 1 dimensions"),
    ("ReflectionPad1d", lambda: nn.ReflectionPad1d(4)(zeros(1, 1, 3)), ShapeError,
     "ReflectionPad1d|size 3|(4, 4)|reflect"),
    ("ReplicationPad2d", lambda: nn.ReplicationPad2d(1)(zeros(3)), ShapeError,
     "ReplicationPad2d|3 or 4 dimensions|(3,)"),
    ("CircularPad3d", lambda: nn.CircularPad3d(4)(zeros(1, 1, 3, 3, 3)), ShapeError,
     "CircularPad3d|size 3|(4, 4)|circular"),
    ("AdaptiveMaxPool1d", lambda: nn.AdaptiveMaxPool1d((1, 2))(zeros(1, 4)), DTypeError,
     "AdaptiveMaxPool1d|output_size as an int|(1, 2)"),
    ("AdaptiveMaxPool2d", lambda: nn.AdaptiveMaxPool2d(2)(zeros(4)), ShapeError, "AdaptiveMaxPool2d|(N, C, H, W)|(4,)"),
    ("PixelShuffle", lambda: nn.PixelShuffle(2)(zeros(1, 3, 4, 4)), ShapeError,
     "PixelShuffle|C a multiple of 4|(1, 3, 4, 4)"),
    ("PixelUnshuffle", lambda: nn.PixelUnshuffle(2)(zeros(1, 3, 5, 4)), ShapeError,
     "PixelUnshuffle|multiples of 2|(1, 3, 5, 4)"),
    ("ChannelShuffle", lambda: nn.ChannelShuffle(2)(zeros(1, 3, 4, 4)), ShapeError,
     "ChannelShuffle|C a multiple of 2|(1, 3, 4, 4)"),
    ("Unfold", lambda: nn.Unfold(5)(zeros(1, 1, 4, 4)), ShapeError, "Unfold|5 x 5 window|4 x 4"),
    ("Fold", lambda: nn.Fold((4, 4), 2)(zeros(1, 3, 9)), ShapeError, "Fold|(N, C*2*2, 3*3)|(1, 3, 9)"),
    ("Upsample", lambda: nn.Upsample(scale_factor=0)(zeros(1, 1, 4, 4)), RangeError, "Upsample|scale_factor > 0|0"),
    ("UpsamplingNearest2d", lambda: nn.UpsamplingNearest2d(2)(zeros(4, 4)), ShapeError,
     "UpsamplingNearest2d|(N, C, ...)|(4, 4)"),
    ("UpsamplingBilinear2d", lambda: nn.UpsamplingBilinear2d(2)(zeros(4)), ShapeError,
     "UpsamplingBilinear2d|(N, C, ...)|(4,)"),
    ("NLLLoss", lambda: nn.NLLLoss()(zeros(2, 3), nn.tensor([0, 3])), RangeError, "NLLLoss|a label is 3|3 classes"),
    ("MultiMarginLoss", lambda: nn.MultiMarginLoss()(zeros(2, 3), nn.tensor([0, 3])), RangeError,
     "MultiMarginLoss|0 <= label < 3"),
    ("MultiLabelMarginLoss", lambda: nn.MultiLabelMarginLoss()(zeros(1, 3), nn.tensor([[0, 3, -1]])), RangeError,
     "MultiLabelMarginLoss|0 <= label < 3"),
    ("RReLU", lambda: nn.RReLU(0.5, 0.25)(zeros(3)), RangeError, "RReLU|0.5 and 0.25"),
    ("Dropout1d", lambda: nn.Dropout1d()(zeros(3)), ShapeError, "Dropout1d 0.5|(N, C, L)|(3,)"),
    ("Dropout3d", lambda: nn.Dropout3d()(zeros(3)), ShapeError, "Dropout3d 0.5|(N, C, D, H, W)|(3,)"),
    ("AlphaDropout", lambda: nn.AlphaDropout(2), RangeError, "AlphaDropout|0 <= p <= 1|2"),
    ("FeatureAlphaDropout", lambda: nn.FeatureAlphaDropout()(zeros(3)), ShapeError,
     "FeatureAlphaDropout 0.5|(N, C, ...)|(3,)"),
    ("Bilinear", lambda: nn.Bilinear(4, 3, 5)(zeros(2, 4), zeros(2, 4)), ShapeError, "Bilinear|(5, 4, 3)|(2, 4)"),
    ("Bilinear size", lambda: nn.Bilinear(0, 3, 5), ShapeError, "Bilinear|in1_features >= 1|0"),
    ("LPPool1d", lambda: nn.LPPool1d(0, 2)(zeros(1, 1, 4)), RangeError, "LPPool1d|not 0"),
    ("LPPool2d", lambda: nn.LPPool2d(2, 9)(zeros(1, 1, 4, 4)), ShapeError, "LPPool2d|9 x 9 window"),
    ("MaxUnpool1d", lambda: nn.MaxUnpool1d(2)(zeros(1, 1), nn.tensor([[2]])), RangeError, "MaxUnpool1d|index < 2"),
    ("MaxUnpool2d", lambda: nn.MaxUnpool2d(2)(zeros(1, 1, 1), nn.tensor([1])), ShapeError, "MaxUnpool2d|(1,)"),
    ("CTCLoss", lambda: nn.CTCLoss(blank=3)(zeros(2, 1, 3), nn.tensor([[1]]), (2,), (1,)), RangeError,
     "CTCLoss|0 <= blank < 3|3"),
    ("ParameterList", lambda: nn.ParameterList([3]), DTypeError, "ParameterList|parameters or tensors|int"),
    ("ParameterDict", lambda: nn.ParameterDict({"a": "b"}), DTypeError, "ParameterDict|parameters or tensors|str"),
    ("LazyLinear", lambda: nn.LazyLinear(3)(nn.tensor(1.0)), ShapeError, "LazyLinear|(..., I)|()"),
    ("LazyConv1d", lambda: nn.LazyConv1d(3, 3)(zeros(4)), ShapeError, "LazyConv1d|(N, C, L)|(4,)"),
    ("LazyConv2d", lambda: nn.LazyConv2d(4, 3, groups=2)(zeros(1, 3, 5, 5)), ShapeError,
     "LazyConv2d|groups=2|3 channels in"),
    ("LazyConv2d groups", lambda: nn.LazyConv2d(3, 3, groups=2), ShapeError, "LazyConv2d|groups=2|3 channels out"),
    ("LazyConvTranspose1d", lambda: nn.LazyConvTranspose1d(3, 3)(zeros(4)), ShapeError, "LazyConvTranspose1d|(4,)"),
    ("LazyConvTranspose2d", lambda: nn.LazyConvTranspose2d(3, 3)(zeros(4)), ShapeError,
     "LazyConvTranspose2d|(C, H, W)|(4,)"),
    ("LazyBatchNorm1d", lambda: nn.LazyBatchNorm1d()(zeros(4)), ShapeError, "LazyBatchNorm1d|(N, C)|(4,)"),
    ("LazyBatchNorm2d", lambda: nn.LazyBatchNorm2d()(zeros(4, 3)), ShapeError, "LazyBatchNorm2d|(N, C, H, W)|(4, 3)"),
    ("LazyInstanceNorm1d", lambda: nn.LazyInstanceNorm1d()(zeros(4)), ShapeError, "LazyInstanceNorm1d|(C, L)|(4,)"),
    ("LazyInstanceNorm2d", lambda: nn.LazyInstanceNorm2d()(zeros(4)), ShapeError, "LazyInstanceNorm2d|(C, H, W)|(4,)"),
    ("MSELoss", lambda: nn.MSELoss()(zeros(2, 3), zeros(2, 4)), ShapeError, "MSELoss|(2, 3)|(2, 4)"),
    ("L1Loss", lambda: nn.L1Loss()(zeros(2, 3), zeros(2, 4)), ShapeError, "L1Loss|(2, 3)|(2, 4)"),
    ("SmoothL1Loss", lambda: nn.SmoothL1Loss()(zeros(2, 3), zeros(2, 4)), ShapeError, "SmoothL1Loss|(2, 3)|(2, 4)"),
    ("HuberLoss", lambda: nn.HuberLoss()(zeros(2, 3), zeros(2, 4)), ShapeError, "HuberLoss|(2, 3)|(2, 4)"),
    ("BCELoss", lambda: nn.BCELoss()(zeros(2, 3), zeros(2, 4)), ShapeError, "BCELoss|(2, 3)|(2, 4)"),
    ("BCEWithLogitsLoss", lambda: nn.BCEWithLogitsLoss()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "BCEWithLogitsLoss|(2, 3)|(2, 4)"),
    ("KLDivLoss", lambda: nn.KLDivLoss()(zeros(2, 3), zeros(2, 4)), ShapeError, "KLDivLoss|(2, 3)|(2, 4)"),
    ("SoftMarginLoss", lambda: nn.SoftMarginLoss()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "SoftMarginLoss|(2, 3)|(2, 4)"),
    ("PoissonNLLLoss", lambda: nn.PoissonNLLLoss()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "PoissonNLLLoss|(2, 3)|(2, 4)"),
    ("HingeEmbeddingLoss", lambda: nn.HingeEmbeddingLoss()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "HingeEmbeddingLoss|(2, 3)|(2, 4)"),
    ("MultiLabelSoftMarginLoss", lambda: nn.MultiLabelSoftMarginLoss()(zeros(2, 3), zeros(2, 4)), ShapeError,
     "MultiLabelSoftMarginLoss|(2, 3)|(2, 4)"),
    ("MarginRankingLoss", lambda: nn.MarginRankingLoss()(zeros(3), zeros(4), zeros(3)), ShapeError,
     "MarginRankingLoss|(3,) and (4,)"),
    ("CosineEmbeddingLoss", lambda: nn.CosineEmbeddingLoss()(zeros(2, 3), zeros(2, 4), zeros(2)), ShapeError,
     "CosineEmbeddingLoss|(2, 3) and (2, 4)"),
    ("TripletMarginLoss", lambda: nn.TripletMarginLoss()(zeros(2, 3), zeros(2, 3), zeros(2, 4)), ShapeError,
     "TripletMarginLoss|(2, 3) and (2, 4)"),
    ("TripletMarginWithDistanceLoss",
     lambda: nn.TripletMarginWithDistanceLoss()(zeros(2, 3), zeros(2, 3), zeros(2, 4)), ShapeError,
     "TripletMarginWithDistanceLoss|(2, 3) and (2, 4)"),
    ("GaussianNLLLoss", lambda: nn.GaussianNLLLoss()(zeros(2, 3), zeros(2, 3), zeros(2, 4)), ShapeError,
     "GaussianNLLLoss|(2, 3) and (2, 4)"),
]


@pytest.mark.parametrize("row", ERRORS, ids=[row[0] for row in ERRORS])
def test_error_table(row):
    _, call, error, words = row
    with pytest.raises(error) as caught:
        call()
    for word in words.split("|"):
        assert word in str(caught.value), f"{word!r} is not in: {caught.value}"


class NoInit(nn.Module):
    def __init__(self):
        self.layer = nn.Linear(1, 1)


def set_attribute(module, name, value):
    setattr(module, name, value)


PAIR = np.array([1, 2])             # neither true nor false

# of containers and modules: the call, an error of Python's that it stays, how the message begins
MISUSES = [
    (lambda: small()[5], IndexError, "Sequential: of 3 modules there is no number 5"),
    (lambda: small()[None], TypeError, r"Sequential\.__getitem__: "),
    (lambda: small().insert(0, 3), TypeError, "Sequential: it holds modules, not a int"),
    (lambda: nn.Sequential(nn.ReLU(), 3), TypeError, "Sequential: it holds modules; number 1 is a int.* Did you mean"),
    (lambda: nn.ModuleList([])(1), TypeError, r"model \(ModuleList\): a ModuleList cannot be called"),
    (lambda: nn.ModuleDict({})(1), TypeError, r"model \(ModuleDict\): a ModuleDict cannot be called"),
    (lambda: nn.ParameterList([])(1), TypeError, r"model \(ParameterList\): a ParameterList cannot be called"),
    (lambda: nn.ParameterDict({})(1), TypeError, r"model \(ParameterDict\): a ParameterDict cannot be called"),
    (lambda: nn.ParameterList([nn.ones(1)])[1], IndexError, "ParameterList: of 1 parameters there is no number 1"),
    (lambda: nn.ParameterDict({"b": nn.ones(1)})["a"], KeyError, "ParameterDict: there is no parameter 'a', only b"),
    (lambda: nn.ParameterDict({}).pop("a"), KeyError, "ParameterDict: there is no parameter 'a', only none"),
    (lambda: nn.ModuleDict({"b": nn.ReLU()})["a"], KeyError, "ModuleDict: there is no module 'a', only b"),
    (lambda: nn.ModuleDict({}).pop("a"), KeyError, "ModuleDict: there is no module 'a', only none"),
    (lambda: nn.ModuleDict({}).__delitem__("a"), KeyError, "ModuleDict: there is no module 'a'"),
    (lambda: nn.Linear(1, 1).register_forward_hook(3), TypeError, "register_hook: expected a hook that can be called"),
    (NoInit, TypeError, r"call super\(\).__init__\(\) before"),
    (lambda: set_attribute(nn.Linear(1, 1), "weight", 3), TypeError, "Linear: weight is a parameter; it cannot"),
    (lambda: set_attribute(nn.Linear(1, 1), "forward", nn.ReLU()), TypeError, "'forward' is an attribute of the class"),
    (lambda: nn.Linear(1, 1).add_module("a.b", nn.ReLU()), ValueError, "Linear: a name must not be empty or hold"),
    (lambda: nn.Linear(1, 1).add_module("train", nn.ReLU()), KeyError, "Linear: it has an attribute 'train' already"),
    (lambda: nn.Linear(1, 1).register_parameter("p", 3), TypeError, "Linear: p must be a Parameter, not a int"),
    (lambda: nn.Linear(1, 1).add_module("m", 3), TypeError, "Linear: m must be a Module, not a int"),
    (lambda: nn.Linear(1, 1).add_module(3, nn.ReLU()), ValueError, "Linear: a name must not be empty or hold a dot: 3"),
    (lambda: nn.Linear(1, 1).register_module("a.b", nn.ReLU()), ValueError, "Linear: a name must not be empty"),
    (lambda: nn.Linear(1, 1).register_module("m", 3), TypeError, "Linear: m must be a Module, not a int"),
    (lambda: nn.Linear(1, 1).register_buffer("a.b", 1.0), ValueError, "Linear: a name must not be empty or hold a dot"),
    (lambda: nn.Linear(1, 1).register_buffer("weight", 1.0), KeyError, "Linear: it has an attribute 'weight' already"),
    (lambda: nn.Linear(1, 1).register_parameter("", None), ValueError, "Linear: a name must not be empty or hold"),
    (lambda: nn.Linear(1, 1).register_parameter("train", None), KeyError, "Linear: it has an attribute 'train'"),
    (lambda: nn.Linear(1, 1).register_buffer("b", 1.0, PAIR), TypeError, r"Linear\.register_buffer: .*persistent as a"),
    (lambda: nn.Linear(1, 1).requires_grad_(PAIR), TypeError, r"\w+\.requires_grad_: expected requires_grad as a bool"),
    (lambda: nn.BatchNorm1d(1).train(PAIR), TypeError, r"BatchNorm1d\.train: .*mode as a"),
    (lambda: nn.Linear(1, 1).zero_grad(PAIR), TypeError, r"Linear\.zero_grad: expected set_to_none as a bool"),
    (lambda: nn.Linear(1, 1).apply(3), TypeError, r"Linear\.apply: .*'int' object is not callable"),
    (lambda: nn.Linear(1, 1).state_dict(3), TypeError, r"Linear\.state_dict: there is 1 argument without a name"),
    (lambda: nn.Linear(1, 1).get_submodule("a"), AttributeError, "Linear: it has no module 'a'"),
    (lambda: nn.Linear(1, 1).get_submodule(None), (AttributeError, TypeError), r"Linear\.get_submodule: "),
    (lambda: nn.Linear(1, 1).to(5), TypeError, "Linear"),
    (lambda: nn.optim.SGD([nn.Parameter([1.0])], lr=0.1).step(3), TypeError, "SGD: expected a closure"),
    (lambda: nn.evaluate(3, []), TypeError, "evaluate: expected a model"),
]


@pytest.mark.parametrize("call, stays, words", MISUSES, ids=[words[:40] for _, _, words in MISUSES])
def test_misuses_of_modules_are_refused_by_name(call, stays, words):
    with pytest.raises(nn.FastnnError) as caught:
        call()
    assert isinstance(caught.value, stays) and re.match(words, str(caught.value)), str(caught.value)


def test_a_key_error_stays_one_and_is_readable():
    error = nn.guard.about_call("f", KeyError("a"), None, (), {})
    assert isinstance(error, nn.RangeError) and isinstance(error, KeyError)
    assert str(error) == "f: these arguments do not fit ('a'), got ()"


EMPTY = {
    "LSTMCell": (lambda: nn.Sequential(nn.LSTMCell(4, 3), First()), zeros(0, 4)),
    "LSTM": (lambda: nn.Sequential(nn.LSTM(4, 3, batch_first=True), First()), zeros(0, 5, 4)),
    "GRU": (lambda: nn.Sequential(nn.GRU(4, 3, batch_first=True), First()), zeros(0, 5, 4)),
    "GRUCell": (lambda: nn.GRUCell(4, 3), zeros(0, 4)),
    "RNN": (lambda: nn.Sequential(nn.RNN(4, 3, batch_first=True), First()), zeros(0, 5, 4)),
    "RNNCell": (lambda: nn.RNNCell(4, 3), zeros(0, 4)),
    "Linear": (lambda: nn.Linear(4, 2), zeros(0, 4)),
    "Conv2d": (lambda: nn.Conv2d(1, 2, 3), zeros(0, 1, 5, 5)),
    "Conv1d": (lambda: nn.Conv1d(1, 2, 3), zeros(0, 1, 5)),
    "ConvTranspose2d": (lambda: nn.ConvTranspose2d(1, 2, 3, stride=2), zeros(0, 1, 5, 5)),
    "MaxPool2d": (lambda: nn.MaxPool2d(2), zeros(0, 1, 4, 4)),
    "Flatten": (lambda: nn.Flatten(), zeros(0, 2, 3)),
    "LayerNorm": (lambda: nn.LayerNorm(4), zeros(0, 4)),
    "BatchNorm2d": (lambda: nn.BatchNorm2d(3).eval(), zeros(0, 3, 2, 2)),
    "Embedding": (lambda: nn.Embedding(5, 2), zeros(0, 3, dtype=np.int64)),
    "Dropout": (lambda: nn.Dropout(0.5), zeros(0, 4)),
    "ReLU": (lambda: nn.ReLU(), zeros(0, 4)),
    "Softmax": (lambda: nn.Softmax(-1), zeros(0, 4)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_empty_batch_works(name):
    make, x = EMPTY[name]
    layer = make()
    y = layer(x)
    assert y.shape[0] == 0
    if y.requires_grad:
        y.sum().backward()
        assert all(p.grad is None or not p.grad.data.any() for p in layer.parameters())


def test_empty_batch_of_attention():
    attention = nn.MultiheadAttention(6, 2, batch_first=True)
    for need_weights in (True, False):
        y, weights = attention(*[zeros(0, 5, 6)] * 3, need_weights=need_weights)
        assert y.shape == (0, 5, 6) and (weights is None or weights.shape == (0, 5, 5))


# ---- registers ------------------------------------------------------------
def test_attributes_are_where_their_registers_say():
    """Parameters, buffers and modules are in __dict__ beside their registers: every way of changing
    one must change both.
    """
    def check(module):
        for home in (module._parameters, module._buffers, module._modules):
            for name, value in home.items():
                assert module.__dict__[name] is value
        owned = {*module._parameters, *module._buffers, *module._modules}
        for name, value in module.__dict__.items():
            assert name in owned or not isinstance(value, (nn.Parameter, nn.Module))
    layer = nn.Linear(2, 3)
    check(layer)
    layer.bias = None
    check(layer)
    layer.bias = nn.Parameter([1.0, 2.0, 3.0])
    check(layer)
    layer.inner = nn.ReLU()
    layer.inner = nn.Parameter([1.0])                              # from one register to another
    check(layer)
    del layer.inner
    check(layer)
    assert not hasattr(layer, "inner")
    norm = nn.BatchNorm1d(2)
    norm.running_mean = nn.tensor([1.0, 2.0])
    norm.double()
    norm.summary((2,))
    check(norm)
    for copied in (copy.deepcopy(norm), pickle.loads(pickle.dumps(norm))):
        check(copied)
        assert copied.weight is not norm.weight
    listed = nn.ModuleList([nn.ReLU(), nn.Tanh(), nn.ReLU()])
    del listed[0]
    listed.insert(0, nn.Linear(1, 1))
    listed[1] = nn.Linear(2, 2)
    check(listed)
    assert [type(getattr(listed, str(i))).__name__ for i in range(len(listed))] == ["Linear", "Linear", "ReLU"]
    table = nn.ModuleDict({"a": nn.ReLU(), "b": nn.Tanh()})
    table.pop("a")
    check(table)
    assert not hasattr(table, "a")


# ---- what a recurrent layer gives ----------------------------------------------------------------
@pytest.mark.parametrize("layer", [
    nn.Linear(4, 2), nn.ReLU(), nn.Conv1d(4, 2, 1), nn.Conv2d(4, 2, 1), nn.ConvTranspose1d(4, 2, 1), nn.Flatten(),
    nn.BatchNorm1d(4), nn.LayerNorm(4), nn.RMSNorm(4), nn.GRU(4, 2), nn.LSTM(4, 2), nn.LSTMCell(4, 2),
    nn.Embedding(4, 2), nn.MaxPool1d(2), nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Softmax(-1), nn.Dropout(),
    nn.PReLU(), nn.ZeroPad2d(1), nn.Sequential(nn.Linear(4, 2), nn.ReLU()),
    nn.Sequential(nn.Conv2d(4, 2, 1), nn.ReLU())], ids=lambda layer: layer.describe())
def test_any_layer_behind_a_recurrent_one_says_what_it_got(layer):
    with pytest.raises(nn.DTypeError, match=r"^model\.1.*got tuple\. A recurrent layer gives \(output, state\)"):
        nn.Sequential(nn.LSTM(3, 4), layer)(nn.zeros(5, 2, 3))


# ---- beginner's mistakes -------------------------------------------------------------------------
F = nn.functional
NOTHING = "Did a function return nothing? A forward() ends with return."


@pytest.mark.parametrize("call", [
    lambda: F.cross_entropy(None, nn.tensor([1])), lambda: F.relu(None), lambda: F.mse_loss(nn.ones(2), None),
    lambda: nn.Linear(3, 2)(None), lambda: nn.MSELoss()(None, nn.ones(2)), lambda: nn.sum(None),
    lambda: nn.ones(2) + None, lambda: F.dropout(None), lambda: F.softmax(None, 1)])
def test_none_in_the_place_of_a_tensor_is_a_forgotten_return(call):
    with pytest.raises(nn.DTypeError) as caught:
        call()
    assert str(caught.value).endswith(NOTHING) and "attribute" not in str(caught.value)


ONE = nn.ones(2)


@pytest.mark.parametrize("make, name", [
    (lambda: nn.MSELoss(ONE, ONE), "nn.MSELoss()(output, target)"),
    (lambda: nn.NLLLoss(ONE, ONE), "nn.NLLLoss()(output, target)"),
    (lambda: nn.PoissonNLLLoss(ONE, ONE), "nn.PoissonNLLLoss()(output, target)"),
    (lambda: nn.TripletMarginLoss(ONE, ONE, ONE), "nn.TripletMarginLoss()(output, target)"),
    (lambda: nn.ReLU(ONE), "nn.ReLU(...)(x)"), (lambda: nn.Softmax(ONE), "nn.Softmax(...)(x)"),
    (lambda: nn.Flatten(ONE), "nn.Flatten(...)(x)"), (lambda: nn.Sigmoid(ONE), "nn.Sigmoid(...)(x)"),
    (lambda: nn.MaxPool2d(ONE), "nn.MaxPool2d(...)(x)"), (lambda: nn.Dropout(p=ONE), "nn.Dropout(...)(x)")])
def test_a_tensor_is_no_setting_of_a_layer(make, name):
    with pytest.raises(nn.DTypeError) as caught:
        make()
    assert f"is made first and called then: {name}." in str(caught.value)


def test_weights_of_classes_are_settings():
    assert nn.NLLLoss(ONE).weight is not None and nn.BCEWithLogitsLoss(pos_weight=ONE).pos_weight is not None
    assert len(list(nn.ParameterList([ONE]).parameters())) == 1


class Forwrad(nn.Module):
    def forwrad(self, x):
        return x


class Foreign:
    """A tensor of torch, as far as a message looks."""

    __module__ = "torch"


@pytest.mark.parametrize("call, told", [
    (lambda: nn.Sequential(nn.Flatten(), nn.Linear(3, 2))(nn.zeros(3)), "batch axis in front: x[None]."),
    (lambda: nn.GroupNorm(1, 3)(nn.zeros(3)), "batch axis in front: x[None]."),
    (lambda: nn.LSTM(3, 4)(nn.zeros(3)), "the axis of time in front: x[None]."),
    (lambda: F.cross_entropy(nn.tensor([1]), nn.zeros(1, 2)), "Are the two swapped? It is cross_entropy(scores,"),
    (lambda: nn.Sequential(nn.Linear(3, 2), F.relu), "number 1 is the function relu. Did you mean a layer"),
    (lambda: F.relu(Foreign()), "It is PyTorch's: nn.tensor(t.numpy())."),
    (lambda: nn.ones(2) + Foreign(), "It is PyTorch's: nn.tensor(t.numpy())."),
    (lambda: nn.ones(2)["a"], "got 'a'. A tensor has no columns with names"),
    (lambda: Forwrad()(nn.ones(2)), "Forwrad must define forward(). Is it forwrad() that is meant?"),
    (lambda: nn.Sequential(nn.MaxPool2d(2, return_indices=True), nn.ReLU())(nn.ones(1, 1, 4, 4)),
     "attention and pooling with return_indices give two tensors, too.")])
def test_the_likely_fix_is_told(call, told):
    with pytest.raises(nn.FastnnError) as caught:
        call()
    assert told in str(caught.value)


@pytest.mark.parametrize("value, told", [
    (lambda: [[nn.Linear(3, 3)]], "the 1 layers in the list self.a. Write self.a = nn.ModuleList"),
    (lambda: [("n", nn.Linear(3, 3))], "the 1 layers in the list self.a."),
    (lambda: [nn.Parameter([1.0])], "the 1 parameters in the list self.a. Write self.a = nn.ParameterList(...)."),
    (lambda: {"w": nn.Parameter([1.0])}, "the 1 parameters in the dict self.a. Write self.a = nn.ParameterDict(...).")])
def test_what_is_in_lists_is_unknown_to_the_model_and_told(value, told, monkeypatch):
    monkeypatch.setattr(nn.errors, "_told", set())
    model = nn.Module()
    model.a = value()
    with pytest.warns(nn.MistakeWarning) as caught:
        model.parameters()
    assert told in str(caught[0].message)


def test_an_optimiser_takes_named_parameters():
    layer = nn.Linear(2, 3)
    optimizer = nn.optim.SGD(layer.named_parameters(), lr=1)
    assert optimizer.param_groups[0]["params"] == [layer.weight, layer.bias]
    groups = nn.optim.SGD([{"params": layer.named_parameters()}], lr=1).param_groups
    assert groups[0]["params"] == [layer.weight, layer.bias]


def layers_with_numbers():
    """(class, setting) of each setting of a layer that is a float."""
    for name in sorted(dir(nn)):
        layer = getattr(nn, name)
        if isinstance(layer, type) and issubclass(layer, nn.Module):
            for parameter in inspect.signature(layer).parameters.values():
                if parameter.annotation in ("float", "float | None") and parameter.default is not parameter.empty:
                    yield pytest.param(layer, parameter, id=f"{name}.{parameter.name}")


@pytest.mark.parametrize("layer, parameter", list(layers_with_numbers()))
@pytest.mark.parametrize("value", [1j, "a", [1.0], [1.0, [2.0]], None])
def test_a_setting_that_is_no_number_is_refused_when_the_layer_is_made(layer, parameter, value):
    if value is None and "None" in parameter.annotation:
        return
    needed = [4 for p in inspect.signature(layer).parameters.values()
              if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    with pytest.raises((nn.DTypeError, nn.RangeError), match=parameter.name):
        layer(*needed, **{parameter.name: value})


@pytest.mark.parametrize("make, words", [
    (lambda: nn.HuberLoss(delta=-1), "HuberLoss: expected delta above 0, got -1"),
    (lambda: nn.HuberLoss(delta=float("nan")), "HuberLoss: expected delta above 0, got nan"),
    (lambda: nn.SmoothL1Loss(beta=-1.0), "SmoothL1Loss: expected beta of at least 0, got -1.0"),
    (lambda: nn.CrossEntropyLoss(label_smoothing=2), "CrossEntropyLoss: expected label_smoothing from 0 to 1, got 2"),
    (lambda: nn.CrossEntropyLoss(ignore_index="a"), "CrossEntropyLoss: expected ignore_index"),
    (lambda: nn.NLLLoss(ignore_index=None), "NLLLoss: expected ignore_index"),
    (lambda: nn.GaussianNLLLoss(eps=0.0), "GaussianNLLLoss: expected eps above 0, got 0.0"),
    (lambda: nn.TripletMarginLoss(margin=0.0), "TripletMarginLoss: expected margin above 0, got 0.0"),
    (lambda: nn.TripletMarginWithDistanceLoss(margin=-1.0), "TripletMarginWithDistanceLoss: expected margin above 0"),
    (lambda: nn.MultiMarginLoss(p=3), "MultiMarginLoss: expected p 1 or 2, got 3")])
def test_a_setting_of_a_loss_outside_its_range_is_refused_when_it_is_made(make, words):
    with pytest.raises((nn.DTypeError, nn.RangeError)) as caught:
        make()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("name", [name for name in dir(nn) if name.endswith("Loss") and "Adaptive" not in name])
def test_an_unknown_reduction_is_refused_when_the_loss_is_made(name):
    with pytest.raises(nn.RangeError, match=rf"^{getattr(nn, name).__name__}: expected reduction .*'median'"):
        getattr(nn, name)(reduction="median")


def test_a_tensor_of_one_number_may_be_a_setting():
    assert nn.LeakyReLU(np.float32(0.5))(nn.tensor([-1.0])).item() == -0.5
    assert nn.LeakyReLU(nn.tensor(0.5)).negative_slope == 0.5


def test_what_takes_the_place_of_a_parameter_or_a_layer_is_told_how_to():
    layer, model = nn.Linear(2, 2), nn.Sequential(nn.ReLU())
    for value in (nn.zeros(2, 2), np.zeros((2, 2))):
        with pytest.raises(nn.DTypeError, match=r"weight = nn\.Parameter\(\.\.\.\), .*copy_"):
            layer.weight = value
    with pytest.raises(nn.DTypeError, match=r"cannot be replaced by a function.*Module"):
        setattr(model, "0", nn.functional.relu)


def test_a_layer_that_is_called_on_a_layer_misses_a_comma():
    with pytest.raises(nn.DTypeError, match=r"got ReLU\. Is a comma missing\?"):
        nn.Sequential(nn.Linear(2, 2)
                      (nn.ReLU()))
