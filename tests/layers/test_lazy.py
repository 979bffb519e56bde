"""Layers that find their sizes in the first batch; buffers that are assigned; lists and dicts of
parameters.
"""

import copy
import pickle

import numpy as np
import pytest

import fastnn as nn


def net():
    return nn.Sequential(nn.LazyConv2d(4, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(),
                         nn.LazyLinear(3))


def test_the_first_call_makes_ordinary_layers():
    model = net()
    assert all(nn.parameters.is_lazy(p) for p in model.parameters()) and len(list(model.parameters())) == 6
    y = model(nn.randn(2, 1, 5, 5))
    assert y.shape == (2, 3)
    assert [type(layer) for layer in model] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.Flatten, nn.Linear]
    assert [p.shape for p in model.parameters()] == [(4, 1, 3, 3), (4,), (4,), (4,), (3, 100), (3,)]
    assert all(type(p) is nn.Parameter for p in model.parameters())
    assert model[0].in_channels == 1 and model[1].num_features == 4 and model[4].in_features == 100
    y.sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    optimizer, before = nn.optim.SGD(model.parameters(), lr=0.1), model[4].weight.data.copy()
    optimizer.step()
    assert not np.array_equal(model[4].weight.data, before)


def test_the_values_are_those_of_the_ordinary_layer():
    for lazy, ordinary, shape in ((lambda: nn.LazyLinear(3), lambda: nn.Linear(5, 3), (2, 5)),
                                  (lambda: nn.LazyConv1d(4, 3), lambda: nn.Conv1d(2, 4, 3), (1, 2, 9)),
                                  (lambda: nn.LazyConvTranspose2d(4, 3), lambda: nn.ConvTranspose2d(2, 4, 3),
                                   (1, 2, 5, 5))):
        nn.seed(1)
        a = lazy()
        a(nn.zeros(*shape))
        nn.seed(1)
        b = ordinary()
        assert list(a.state_dict()) == list(b.state_dict())
        assert all(nn.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
        assert repr(a) == repr(b)


@pytest.mark.parametrize("use", [
    lambda model: nn.optim.Adam(model.parameters()), lambda model: nn.save(model.state_dict(), "never.npz"),
    lambda model: model[0].weight.shape, lambda model: model[0].weight.data, lambda model: model[0].weight.numpy(),
    lambda model: np.asarray(model[0].weight)])
def test_what_has_no_shape_is_refused_with_the_way_out(use):
    with pytest.raises(nn.GraphError, match=r"no shape.*yet\. Call the model once with a batch, model\(x\)"):
        use(net())


def test_a_state_goes_into_a_lazy_model():
    model, again = net(), net()
    x = nn.randn(2, 1, 5, 5)
    model(x)
    before = copy.deepcopy(again)
    report = again.load_state_dict(model.state_dict())
    assert not report.missing_keys and not report.unexpected_keys
    assert nn.equal(again.eval()(x), model.eval()(x)) and type(again[0]) is nn.Conv2d
    assert before.load_state_dict(net().state_dict()) == ([], [])       # both know nothing yet
    assert nn.parameters.is_lazy(before[0].weight)
    wrong = {**model.state_dict(), "4.bias": np.array(["a"])}
    with pytest.raises(nn.ShapeError):
        before.load_state_dict(wrong)
    assert nn.parameters.is_lazy(before[0].weight), "nothing is loaded where something is wrong"


def test_dtype_copies_and_pickles_before_the_first_call():
    model = net().double()
    for one in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), model):
        assert one(nn.zeros(1, 1, 5, 5, dtype="float64")).dtype == np.float64
    assert nn.LazyLinear(2, dtype="float64")(nn.zeros(1, 3, dtype="float64")).dtype == np.float64


def test_a_wrong_first_call_changes_nothing():
    layer = nn.LazyConv2d(4, 3, groups=2)
    with pytest.raises(nn.ShapeError):
        layer(nn.zeros(1, 3, 5, 5))
    assert layer.has_uninitialized_params() and type(layer) is nn.LazyConv2d
    assert layer(nn.zeros(1, 6, 5, 5)).shape == (1, 4, 3, 3)


def test_norms_without_weights_or_statistics():
    for norm in (nn.LazyBatchNorm1d(affine=False), nn.LazyBatchNorm1d(track_running_stats=False),
                 nn.LazyBatchNorm1d(bias=False), nn.LazyInstanceNorm1d(affine=False, track_running_stats=False)):
        y = norm(nn.randn(4, 3, 5))
        assert y.shape == (4, 3, 5) and norm.num_features == 3 and not type(norm).__name__.startswith("Lazy")
    assert nn.LazyBatchNorm1d(bias=False).bias is None
    one = nn.LazyInstanceNorm1d()
    one(nn.randn(3, 5))
    assert one.num_features == 3


def test_another_name_of_a_loss():
    assert nn.NLLLoss2d is nn.NLLLoss


# ---- buffers -------------------------------------------------------------------------------------
class Kept(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Buffer(nn.ones(2))
        self.b = nn.Buffer(np.zeros(3), persistent=False)

    def forward(self, x):
        return x * self.a


def test_buffers_are_assigned():
    model = Kept()
    assert list(model.state_dict()) == ["a"] and [name for name, _ in model.named_buffers()] == ["a", "b"]
    assert not list(model.parameters()) and not model.a.requires_grad
    model.a = nn.zeros(2)
    assert model(nn.ones(2)).tolist() == [0, 0]
    model.b = nn.Buffer(nn.ones(1))
    assert list(model.state_dict()) == ["a", "b"]
    assert copy.deepcopy(model).double().a.dtype == np.float64
    with pytest.raises(nn.DTypeError, match=r"'forward' is an attribute of the class Kept: .* the buffer"):
        model.forward = nn.Buffer(nn.ones(1))


# ---- lists and dicts of parameters ---------------------------------------------------------------
def test_lists_of_parameters():
    kept = nn.ParameterList([nn.zeros(2), nn.Parameter(nn.ones(3))])
    kept += [nn.ones(1)]
    assert len(kept) == 3 and [p.shape for p in kept] == [(2,), (3,), (1,)] and kept[-1].shape == (1,)
    assert [name for name, _ in kept.named_parameters()] == ["0", "1", "2"] and len(kept[1:]) == 2
    kept[0] = nn.ones(4)
    assert kept[0].shape == (4,) and isinstance(kept[0], nn.Parameter)
    assert repr(kept) == "ParameterList(0: float32[4], 1: float32[3], 2: float32[1])"


def test_dicts_of_parameters():
    kept = nn.ParameterDict({"a": nn.zeros(2)})
    kept["b"] = nn.ones(3)
    assert kept.setdefault("b", nn.zeros(1)).shape == (3,) and kept.setdefault("c", nn.zeros(1)).shape == (1,)
    assert list(kept.keys()) == ["a", "b", "c"] and "b" in kept and kept.get("d") is None and len(kept) == 3
    assert kept.pop("a").shape == (2,) and [name for name, _ in kept.items()] == ["b", "c"]
    assert list(kept.state_dict()) == ["b", "c"] and all(p.requires_grad for p in kept.values())
    kept.clear()
    assert len(kept) == 0 and not list(kept.parameters())


def test_a_value_that_was_loaded_is_kept():
    layer = nn.LazyLinear(2)
    layer.load_state_dict({"weight": nn.ones(2, 3)}, strict=False)
    with pytest.raises(nn.ShapeError, match=r"weight of shape \(2, 7\) for this input"):
        layer(nn.zeros(1, 7))
    layer(nn.zeros(1, 3))
    assert layer.weight.tolist() == [[1, 1, 1], [1, 1, 1]] and layer.bias.shape == (2,)
