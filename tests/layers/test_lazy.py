"""Layers that find their sizes in the first batch; buffers that are assigned; lists and dicts of
parameters.
"""

import copy
import pickle
import threading

import numpy as np
import pytest

import fastnn as nn

F = nn.functional


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


# a layer, an input that it refuses, and the shape of one that it takes
REFUSED = {
    "dtype": (lambda: nn.LazyLinear(3), nn.zeros(2, 5, dtype="float64"), (2, 7)),
    "integers": (lambda: nn.LazyLinear(3), nn.tensor([[1, 2]]), (2, 7)),
    "window": (lambda: nn.LazyConv2d(4, 3), nn.zeros(1, 2, 2, 2), (1, 3, 4, 4)),
    "no channel": (lambda: nn.LazyConv1d(4, 3), nn.zeros(1, 0, 5), (1, 3, 5)),
    "border": (lambda: nn.LazyConv1d(4, 3, padding=5, padding_mode="reflect"), nn.zeros(1, 2, 4), (1, 3, 9)),
    "output_size": (lambda: nn.Sequential(nn.LazyConvTranspose2d(4, 3, 2)), nn.zeros(2, 2, 3, 3, dtype="float64"),
                    (1, 3, 4, 4)),
    "one value": (lambda: nn.LazyBatchNorm1d(), nn.zeros(1, 3), (4, 5)),
    "one pixel": (lambda: nn.LazyInstanceNorm1d(affine=True), nn.zeros(2, 3, 1), (2, 5, 4)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_input_does_not_fix_the_size(name):
    """Nor is anything else changed: parameters are the same objects, random numbers the same."""
    make, wrong, right = REFUSED[name]
    nn.seed(1)
    layer = make()
    before, parameters = repr(layer), [*layer.parameters(), *layer.buffers()]
    for _ in range(2):
        with pytest.raises(nn.errors.FastnnError):
            layer(wrong)
        assert repr(layer) == before
        assert any(nn.parameters.is_lazy(t) for t in parameters)
        pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer)
    y = layer(nn.ones(*right))
    assert all(a is b for a, b in zip(parameters, [*layer.parameters(), *layer.buffers()], strict=True))
    assert not any(nn.parameters.is_lazy(t) for t in parameters) and "Lazy" not in repr(layer)
    nn.seed(1)
    assert nn.equal(make()(nn.ones(*right)), y)
    # a call that was taken once fixes the size for good
    with pytest.raises(nn.errors.FastnnError):
        layer(wrong)
    assert "Lazy" not in repr(layer)


def test_a_refused_call_of_forward_does_not_fix_the_size():
    layer = nn.LazyLinear(3)
    with pytest.raises(nn.DTypeError):
        layer.forward(nn.zeros(2, 5, dtype="float64"))
    assert layer.forward(nn.zeros(2, 4)).shape == (2, 3) and layer.in_features == 4 and type(layer) is nn.Linear


class Net(nn.Module):
    """Does something between its lazy layer and another one."""

    def __init__(self, between=lambda net: None):
        super().__init__()
        self.first, self.last, self.between = nn.LazyLinear(2), nn.Linear(2, 1), between

    def forward(self, x):
        y = self.first(x)
        self.between(self)
        return self.last(y)


def test_what_fails_behind_leaves_the_sizes_and_a_later_error_says_where_they_come_from():
    model = nn.Sequential(nn.LazyConv1d(2, 1), nn.LazyBatchNorm1d(), nn.Flatten(), nn.Linear(8, 3))
    with pytest.raises(nn.ShapeError, match=r"^model\.3 \(Linear 8 -> 3\): expected \(..., 8\), got \(1, 6\)$"):
        model(nn.zeros(1, 4, 3))                    # 2 channels of 3, and 8 are wanted
    assert type(model[0]) is nn.Conv1d and model[0].in_channels == 4
    with pytest.raises(nn.ShapeError, match=r"model\.0 \(Conv1d 4 .*took its sizes from its first input, of shape "
                                            r"\(1, 4, 3\): if that was the wrong one, make the model anew\.$"):
        model(nn.zeros(2, 3, 4))
    for again in (model, copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again(nn.zeros(2, 4, 4)).shape == (2, 3)
        with pytest.raises(nn.ShapeError, match=r"first input, of shape \(1, 4, 3\)"):
            again[0](nn.zeros(2, 3, 4))
    with pytest.raises(nn.DTypeError) as caught:
        model[0](nn.zeros(2, 4, 4, dtype="float64"))
    assert "first input" not in str(caught.value)   # it is not of sizes


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(), nn.ShapeError("mine")], ids=repr)
@pytest.mark.parametrize("place", ["pre-hook", "hook", "between"])
def test_an_error_of_the_user(place, error):
    """Before the layer's own forward it leaves the layer lazy, behind it the sizes are found."""
    def fail(*_):
        raise error
    net = Net(fail if place == "between" else lambda net: None)
    hook = {"pre-hook": net.first.register_forward_pre_hook, "hook": net.first.register_forward_hook}.get(place)
    handle = hook and hook(fail)
    with pytest.raises(type(error)):
        net(nn.ones(1, 3))
    assert type(net.first) is (nn.LazyLinear if place == "pre-hook" else nn.Linear)
    assert net.first.has_uninitialized_params() if place == "pre-hook" else net.first.in_features == 3
    if handle:
        handle.remove()
    net.between = lambda net: None
    assert net(nn.ones(1, 3)).shape == (1, 1)


def test_a_refusal_that_a_forward_catches():
    class Tries(Net):
        def forward(self, x):
            try:
                y = self.first(x.double())
            except nn.DTypeError:
                y = self.first(x[:, 1:])
            return self.last(y)
    net = Tries()
    for _ in range(2):
        assert net(nn.ones(1, 4)).shape == (1, 1) and net.first.in_features == 3


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_before_in_and_after_the_first_call(copied):
    def lonely(net):                                # a function of a test cannot be pickled
        between, net.between = net.between, None
        one = copied(net)
        net.between = one.between = between
        return one
    copies = []
    net = Net(lambda net: len(copies) > 1 or copies.append(lonely(net)))
    copies.append(lonely(net))
    assert net(nn.ones(1, 3)).shape == (1, 1)
    copies.append(lonely(net))
    # a shallow copy shares the layer, which the call made an ordinary one
    width = 3 if copied is copy.copy else 5
    assert copies[0](nn.ones(1, width)).shape == (1, 1) and copies[0].first.in_features == width
    for one in (net, *copies[1:]):
        assert type(one.first) is nn.Linear and one(nn.ones(1, 3)).shape == (1, 1)
        with pytest.raises(nn.ShapeError):
            one(nn.ones(1, 4))
        assert one.state_dict().keys() == net.state_dict().keys()


def test_a_shallow_copy_of_the_layer_itself():
    """It shares the parameters, so it has the sizes as well; its class follows at its own call."""
    layer = nn.LazyLinear(2)
    other = copy.copy(layer)
    y = layer(nn.ones(1, 3))
    with pytest.raises(nn.ShapeError, match=r"weight of shape \(2, 4\) for this input, got \(2, 3\)"):
        other(nn.ones(1, 4))
    assert nn.equal(other(nn.ones(1, 3)), y) and type(other) is nn.Linear and other.in_features == 3


def test_threads_share_the_first_call():
    """One of them finds the sizes; the others compute with the same values, or are refused."""
    for _ in range(30):
        layer, ready, told = nn.LazyLinear(4), threading.Barrier(6), []

        def use(width, layer=layer, ready=ready, told=told):
            ready.wait()
            try:
                told.append((width, layer(nn.ones(2, width)).data.copy()))
            except Exception as error:
                told.append((width, error))
        threads = [threading.Thread(target=use, args=(width,)) for width in (3, 3, 3, 3, 7, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(told) == 6 and type(layer) is nn.Linear
        for width, y in told:
            if width == layer.in_features:
                assert np.array_equal(y, layer(nn.ones(2, width)).data)
            else:
                assert type(y) is nn.ShapeError, y


def test_a_thread_that_is_refused_leaves_the_layer_to_another_one():
    layer, y = nn.LazyLinear(2), []
    with pytest.raises(nn.DTypeError):
        layer(nn.ones(2, 3, dtype="int64"))
    thread = threading.Thread(target=lambda: y.append(layer(nn.ones(2, 4))))
    thread.start()
    thread.join()
    assert y[0].shape == (2, 2)


def test_the_sizes_may_be_given_without_a_call():
    layer = nn.LazyConv1d(4, 3)
    layer.initialize_parameters(nn.ones(1, 2, 5))
    assert type(layer) is nn.Conv1d and layer.weight.shape == (4, 2, 3)


def test_values_that_were_loaded_do_not_fit_the_first_input():
    layer = nn.LazyLinear(3)
    layer.load_state_dict({"weight": np.ones((3, 5)), "bias": np.ones(3)})
    with pytest.raises(nn.ShapeError, match=r"LazyLinear.*expected weight of shape \(3, 7\) for this .* got \(3, 5\)"):
        layer(nn.ones(2, 7))
    assert layer(nn.ones(2, 5)).tolist() == [[6, 6, 6]] * 2 and layer.in_features == 5


@pytest.mark.parametrize("make, shapes, words", [
    (lambda: nn.LazyLinear(3), {"weight": (4, 5)}, r"weight: expected \(3, 5\), got \(4, 5\)"),
    (lambda: nn.LazyLinear(3), {"weight": (3,)}, r"weight: expected \(3, in_features\), got \(3,\)"),
    (lambda: nn.LazyLinear(3), {"bias": (4,)}, r"bias: expected \(3,\), got \(4,\)"),
    (lambda: nn.LazyConv2d(4, 3), {"weight": (4, 2, 5, 3)}, r"weight: expected \(4, 2, 3, 3\), got \(4, 2, 5, 3\)"),
    (lambda: nn.LazyConv1d(4, 3), {"weight": (4, 0, 3)}, r"weight: expected \(4, in_channels, 3\), got \(4, 0, 3\)"),
    (lambda: nn.LazyConv2d(4, 3, groups=2), {"weight": (4, 2)},
     r"weight: expected \(4, in_channels / 2, 3, 3\), got \(4, 2\)"),
    (lambda: nn.LazyConvTranspose1d(4, 3, groups=2), {"weight": (3, 2, 3)},
     r"weight: expected \(a multiple of 2, 2, 3\), got \(3, 2, 3\)"),
    (lambda: nn.LazyConvTranspose2d(4, 3), {"weight": (4, 3, 3, 3)},
     r"weight: expected \(4, 4, 3, 3\), got \(4, 3, 3, 3\)"),
    (lambda: nn.LazyBatchNorm1d(), {"weight": (4,), "running_mean": (5,)},
     r"running_mean: expected \(4,\), got \(5,\)"),
    (lambda: nn.LazyBatchNorm2d(), {"running_var": (4, 1)}, r"running_var: expected \(num_features,\), got \(4, 1\)"),
    (lambda: nn.Sequential(nn.ReLU(), nn.LazyLinear(3)), {"1.weight": (4, 5)}, r"Sequential.*\n.*1.weight: expected")])
def test_a_state_that_no_input_would_fit_is_refused(make, shapes, words):
    layer = make()
    with pytest.raises(nn.ShapeError, match=words):
        layer.load_state_dict({name: np.zeros(shape) for name, shape in shapes.items()}, strict=False)
    assert all(nn.parameters.is_lazy(p) for p in layer.parameters()), "nothing is loaded where something is wrong"


def test_a_second_state_must_fit_the_first():
    norm = nn.LazyBatchNorm1d()
    norm.load_state_dict({"weight": np.ones(4)}, strict=False)
    with pytest.raises(nn.ShapeError, match=r"bias: expected \(4,\), got \(5,\)"):
        norm.load_state_dict({"bias": np.ones(5)}, strict=False)


@pytest.mark.parametrize("kind", [nn.UninitializedParameter, nn.UninitializedBuffer])
@pytest.mark.parametrize("use", [
    lambda p: p + 1, lambda p: 2 * p, lambda p: p.sum(), nn.exp, lambda p: F.linear(nn.zeros(2, 3), p),
    lambda p: F.linear(nn.zeros(2, 3), nn.zeros(4, 3), p), lambda p: p.floor(), lambda p: p == 1,
    lambda p: nn.cat([p, p]), lambda p: p.numel(), len, list, lambda p: p.zero_(),
    nn.init.normal_, lambda p: p.norm(), nn.tensor, nn.Parameter,
    lambda p: p[0], lambda p: p.__setitem__(0, 1.0), np.exp, lambda p: p.clone(), lambda p: p.tolist(), lambda p: p.T,
    lambda p: p.copy_(nn.ones(2)), lambda p: nn.ones(2).copy_(p), lambda p: p.shape, lambda p: p.ndim, bool])
def test_nothing_is_computed_without_a_shape(use, kind):
    with pytest.raises(nn.GraphError, match=r"this Uninit\w+ has no shape and no values yet\. Call the model once"):
        use(kind())


def test_what_is_known_without_a_shape():
    p = nn.UninitializedParameter(dtype="float64")
    assert p.dtype == np.float64 and p.requires_grad and p.is_leaf and p.grad is None
    assert not p.requires_grad_(False).requires_grad
    for q in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert type(q) is nn.UninitializedParameter and q.dtype == np.float64 and not q.requires_grad
    assert repr(nn.LazyBatchNorm1d().to("float64").running_mean.dtype) == "dtype('float64')"
    assert "LazyLinear" in nn.Sequential(nn.LazyLinear(2))._repr_html_()


@pytest.mark.parametrize("kind", [nn.UninitializedParameter, nn.UninitializedBuffer])
@pytest.mark.parametrize("shape, options, error", [
    ((-1,), {}, nn.ShapeError), (("a",), {}, nn.DTypeError), (None, {}, nn.DTypeError), ((2.5,), {}, nn.DTypeError),
    ((2**62, 2**62), {}, nn.ShapeError), (2, {"dtype": "x"}, nn.DTypeError), (2, {"dtype": "complex64"}, nn.DTypeError),
    (2, {"device": "cuda"}, nn.RangeError), (2, {"size": 3}, nn.DTypeError)])
def test_a_shape_that_cannot_be_is_refused(kind, shape, options, error):
    t = kind()
    with pytest.raises(error, match="materialize"):
        t.materialize(shape, **options)
    assert nn.parameters.is_lazy(t)
    t.materialize([2, 3])
    assert t.shape == (2, 3)


def test_what_requires_a_gradient_has_fractions():
    for use in (lambda: nn.UninitializedParameter(dtype="int64"), lambda: nn.UninitializedParameter().to("int64"),
                lambda: nn.UninitializedParameter().materialize(2, dtype="int64"),
                lambda: nn.UninitializedBuffer(dtype="int64").requires_grad_(),
                lambda: nn.UninitializedParameter("yes"), lambda: nn.UninitializedParameter(1, 2, 3, 4)):
        with pytest.raises(nn.DTypeError):
            use()
    count = nn.UninitializedBuffer()
    count.materialize((), dtype="int64")
    assert count.dtype == np.int64 and count.shape == ()


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
