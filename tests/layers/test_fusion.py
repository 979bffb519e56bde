"""chain and Sequential: layers that run as one give what they give one by one."""

import numpy as np
import pytest

import fastnn as nn
from fastnn.layers.fusion import FUSIONS

F = nn.functional


def sequential(input, *layers):
    return nn.Sequential(*layers)(input)


def one_by_one(input, *layers):
    for layer in layers:
        input = layer(input)
    return input


WAYS = pytest.mark.parametrize("way", [nn.chain, sequential])

# A layer that can be the first of two, and its input: for every row of FUSIONS.
FIRST = {
    nn.Linear: (lambda: nn.Linear(5, 7), (4, 5)),
    nn.Conv2d: (lambda: nn.Conv2d(2, 4, 3, 2, 1, groups=2), (3, 2, 6, 5)),
    nn.BatchNorm1d: (lambda: nn.BatchNorm1d(5), (4, 5)),
    nn.BatchNorm2d: (lambda: nn.BatchNorm2d(2), (3, 2, 4, 5)),
}


def ops_of(loss):
    """The names of the ops that the tape recorded, the newest first."""
    names, waiting = [], [loss.node]
    while waiting:
        node = waiting.pop()
        names.append(node.name)
        waiting.extend(p[0] for p in node.parents if isinstance(p, tuple))
    return names


def numbers(*shape, dtype=np.float32):
    return nn.tensor(np.sin(np.arange(np.prod(shape), dtype=dtype) + 1).reshape(shape), requires_grad=True)


def perceptron():
    nn.seed(0)
    return nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3)


# ---- the same as one by one ----------------------------------------------------------------------
def test_every_fused_function_is_used():
    assert set(FIRST) == set(FUSIONS) and all(set(followers) == {nn.ReLU} for followers in FUSIONS.values())
    used = {ops_of(nn.chain(numbers(*shape), make(), nn.ReLU()))[0] for make, shape in FIRST.values()}
    assert used == {name for name in vars(F) if name.endswith("_relu")} - {"leaky_relu", "rnn_relu"}


@WAYS
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", FIRST, ids=lambda cls: cls.__name__)
def test_bits_gradients_and_buffers(way, cls, dtype, training):
    make, shape = FIRST[cls]
    x = numbers(*shape, dtype=dtype)

    def run(how):
        nn.seed(0)
        layers = make().to(dtype).train(training), nn.ReLU()
        y = how(x, *layers)
        ops = ops_of(y)
        y.backward(np.cos(np.arange(y.numel(), dtype=dtype)).reshape(y.shape))
        return y, layers[0], ops
    (y, first, fused), (z, second, apart) = run(way), run(one_by_one)
    assert apart[0] == "relu" and fused == [f"{apart[1]}_relu"]
    np.testing.assert_array_equal(y.data, z.data)
    for p, q in zip(first.parameters(), second.parameters()):
        np.testing.assert_allclose(p.grad.data, q.grad.data, rtol=1e-5, atol=1e-6)
    for p, q in zip(first.buffers(), second.buffers()):
        np.testing.assert_array_equal(p.data, q.data)
    with nn.use_backend("reference"), nn.no_grad():
        np.testing.assert_array_equal(way(x, first.eval(), nn.ReLU()).data, one_by_one(x, first, nn.ReLU()).data)


@WAYS
def test_only_neighbours_are_fused_each_layer_once(way):
    nn.seed(0)
    linear, relu = nn.Linear(5, 5), nn.ReLU()
    x = numbers(2, 5)
    for layers, ops in [((linear,), ["linear"]), ((relu, linear), ["linear", "relu"]),
                        ((linear, relu, relu), ["relu", "linear_relu"]),
                        ((linear, linear, relu), ["linear_relu", "linear"]),
                        ((linear, relu, linear, relu), ["linear_relu", "linear_relu"]),
                        ((linear, nn.Identity(), relu), ["relu", "linear"])]:
        y = way(x, *layers)
        assert ops_of(y) == ops
        np.testing.assert_array_equal(y.data, one_by_one(x, *layers).data)
    assert way(x) is x


def test_lenet_runs_convolutions_and_relu_as_one():
    """The layers have the names that they had when forward called them one by one, and the result
    their bits.
    """
    nn.seed(0)
    model, x = nn.models.LeNet5(), numbers(2, 1, 28, 28)
    assert list(model.state_dict()) == [f"{layer}.{p}" for layer in ("conv1", "conv2", "fc1", "fc2", "fc3")
                                        for p in ("weight", "bias")]
    fused = model(x)
    assert ops_of(fused) == ["linear", "linear_relu", "linear_relu", "reshape", "max_pool2d", "conv2d_relu",
                             "max_pool2d", "conv2d_relu"]
    np.testing.assert_array_equal(fused.data, one_by_one(x, *model).data)


def test_functions_stand_in_a_chain_and_are_called():
    linear, x = nn.Linear(5, 7), numbers(2, 5)
    y = nn.chain(x, F.relu, linear, F.relu, lambda x: x * 2)
    assert ops_of(y) == ["mul", "relu", "linear", "relu"]
    with pytest.raises(TypeError, match="not callable"):
        nn.chain(x, linear, None)


# ---- nobody can tell -----------------------------------------------------------------------------
@WAYS
@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("register", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_see_what_lies_between(way, layer, register):
    layers, seen, x = perceptron(), [], numbers(2, 5)
    with getattr(layers[layer], register)(lambda module, inputs, *output: seen.append(inputs[0].shape)):
        assert ops_of(way(x, *layers)) == ["linear", "relu", "linear"]
    assert seen == [(2, 5) if layer == 0 else (2, 7)]
    assert ops_of(way(x, *layers)) == ["linear", "linear_relu"]             # the hook is gone


@WAYS
def test_a_forward_of_its_own_is_called(way):
    class Doubled(nn.Linear):
        def forward(self, x):
            return super().forward(x) * 2

    class Quiet(nn.ReLU):
        def forward(self, x):
            return x
    x = numbers(2, 5)
    assert ops_of(way(x, Doubled(5, 3), nn.ReLU())) == ["relu", "mul", "linear"]
    assert ops_of(way(x, nn.Linear(5, 3), Quiet())) == ["linear"]
    linear, relu = nn.Linear(5, 5), nn.ReLU()
    linear.forward = F.tanh
    assert ops_of(way(x, linear, relu)) == ["relu", "tanh"]
    relu.forward = F.tanh
    assert ops_of(way(x, nn.Linear(5, 5), relu)) == ["tanh", "linear"]


@WAYS
def test_a_replaced_op_is_called(way):
    layers, x, calls = perceptron(), numbers(2, 5), []

    def mine(x):
        calls.append(x.shape)
        return np.maximum(x, 0)
    with nn.use_kernel("relu", mine, check=False):
        way(x, *layers)
    assert calls == [(2, 7)]
    way(x, *layers)
    assert calls == [(2, 7)]


# ---- errors --------------------------------------------------------------------------------------
class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.relu, self.fc2 = nn.Linear(5, 7), nn.ReLU(), nn.Linear(6, 3)

    def forward(self, x):
        return nn.chain(x, self.fc1, self.relu, self.fc2)


def test_an_error_names_the_layer_s_path():
    x = numbers(2, 6)
    with pytest.raises(nn.ShapeError, match=r"^model\.0 \(Linear 5 -> 7\): expected \(\.\.\., 5\), got \(2, 6\)"):
        nn.Sequential(*perceptron())(x)
    model = nn.Sequential(nn.Identity(), Block())
    assert list(Block().state_dict()) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]
    with pytest.raises(nn.ShapeError, match=r"^model\.1\.fc1 \(Linear 5 -> 7\): expected \(\.\.\., 5\), got \(2, 6\)"):
        model(x)                                        # in the first of two that run as one
    with pytest.raises(nn.ShapeError, match=r"^model\.1\.fc2 \(Linear 6 -> 3\): expected \(\.\.\., 6\), got \(2, 7\)"):
        model(numbers(2, 5))                            # in a layer that runs alone


@pytest.mark.parametrize("cls", [nn.Linear, nn.ReLU])
def test_a_forward_replaced_in_the_class_is_called(cls, monkeypatch):
    linear, relu, x = nn.Linear(3, 5), nn.ReLU(), nn.ones(4, 3)
    monkeypatch.setattr(cls, "forward", lambda self, input: nn.ones(4, 5) * 9)
    np.testing.assert_array_equal(nn.chain(x, linear, relu).data, np.full((4, 5), 9))
