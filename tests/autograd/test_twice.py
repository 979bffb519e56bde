"""Gradients of gradients: autograd/twice.py and the tables in ops/slopes.py."""

import gc
import weakref

import numpy as np
import pytest

import fastnn as nn
from fastnn import functional as F
from fastnn.autograd import apply, grad
from fastnn.op import OPS

LARGE = 3000                        # elements: the law's numeric slope needs no larger samples
# what has no gradient on the tape, and says so
REFUSED = {"cumprod", "prod", "gru", "gru_cell", "lstm", "lstm_cell", "rnn", "rnn_cell", "scatter_reduce"}


def calls():
    for op in OPS.values():
        if op.ref_backward is not None:
            yield from [pytest.param(op, sample, id=f"{op.name}, {sample.name}") for sample in op.samples()
                        if all(np.size(a) < LARGE and np.isfinite(a).all() for a in sample.inputs
                               if isinstance(a, np.ndarray))]


def places(op, inputs):
    """Which inputs can have a gradient."""
    names = op.inputs if len(op.inputs) >= len(inputs) else (op.inputs[0],) * len(inputs)
    return [i for i, (name, a) in enumerate(zip(names, inputs)) if isinstance(a, np.ndarray) and a.dtype.kind == "f"
            and name in (op.differentiable or op.inputs)]


def first_gradients(op, sample, inputs, dys, create):
    """The leaves (inputs and upstream gradients), and the gradients of the inputs."""
    tensors = list(inputs)
    leaves = []
    for i in places(op, inputs):
        tensors[i] = nn.Tensor(inputs[i].copy(), requires_grad=True)
        leaves.append(tensors[i])
    y = apply(op, *tensors, **sample.attrs)
    ys = [t for t in (y if isinstance(y, tuple) else (y,)) if t.dtype.kind == "f"]
    if dys is None:
        dys = [sample.rng().standard_normal(t.shape) for t in ys]
    upstream = [nn.Tensor(np.array(dy), requires_grad=create) for dy in dys]
    return leaves + upstream, grad(ys, leaves, upstream, create_graph=create, allow_unused=True), dys


@pytest.mark.parametrize("op, sample", list(calls()))
def test_law(op, sample):
    """On the tape: the same gradient, whose slope along a line is the numeric one, whose gradients
    are the same on the tape once more.
    """
    inputs = sample.cast(np.float64)
    if not places(op, inputs):
        return
    _, plain, dys = first_gradients(op, sample, inputs, None, False)
    if op.name in REFUSED or sample.attrs.get("dropout_p"):
        with pytest.raises(nn.GraphError, match="differentiated again"):
            first_gradients(op, sample, inputs, dys, True)
        return
    leaves, found, _ = first_gradients(op, sample, inputs, dys, True)
    rng = sample.rng()
    pairs = []
    for a, b in zip(plain, found):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(b.data, a.data, rtol=1e-7, atol=1e-9)
            pairs.append((b, rng.standard_normal(b.shape)))
    weights = [u for _, u in pairs]
    pairs = [(t, u) for t, u in pairs if t.requires_grad]
    if not pairs:
        return                                          # the gradient is a constant
    ts, us = zip(*pairs)
    second = grad(ts, leaves, us, retain_graph=True, allow_unused=True)
    again = grad(ts, leaves, us, create_graph=True, allow_unused=True)
    for a, b in zip(second, again):
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(b.data, a.data, rtol=1e-6, atol=1e-8)
    line = [rng.standard_normal(t.shape) for t in leaves]
    step = 1e-6

    def along(t):
        moved = [np.asarray(leaf.data + t * d) for leaf, d in zip(leaves, line)]
        changed = list(inputs)
        for i, a in zip(places(op, inputs), moved):
            changed[i] = a
        _, gs, _ = first_gradients(op, sample, changed, moved[len(places(op, inputs)):], False)
        return sum(float((g.data * u).sum()) for g, u in zip([g for g in gs if g is not None], weights))

    try:
        numeric = (along(step) - along(-step)) / (2 * step)
    except nn.RangeError:
        return                                          # a probability beyond 0 or 1
    terms = [t.data * d for t, d in zip(second, line) if t is not None]
    size = sum(float(np.abs(a).sum()) for a in terms)
    assert abs(numeric - sum(float(a.sum()) for a in terms)) <= 1e-5 * (size + 1e-3)


# ---- whole programs, against PyTorch -------------------------------------------------------------
def networks(torch, layers):
    """The same network twice, from [(kind, arguments), ...]."""
    ours = nn.Sequential(*[getattr(nn, kind)(*args) for kind, *args in layers]).double()
    theirs = torch.nn.Sequential(*[getattr(torch.nn, kind)(*args) for kind, *args in layers]).double()
    theirs.load_state_dict({k: torch.tensor(v.data.copy()) for k, v in ours.state_dict().items()})
    return ours, theirs


CRITICS = {
    "mlp": ([("Linear", 6, 16), ("Tanh",), ("LayerNorm", 16), ("Linear", 16, 16), ("SiLU",), ("Linear", 16, 1)],
            (5, 6)),
    "cnn": ([("Conv2d", 2, 4, 3, 2, 1), ("LeakyReLU", 0.2), ("Conv2d", 4, 4, 3), ("GroupNorm", 2, 4), ("GELU",),
             ("MaxPool2d", 2), ("Flatten",), ("Linear", 16, 1)], (3, 2, 11, 11)),
    "fused": ([("Conv2d", 2, 4, 3), ("BatchNorm2d", 4), ("ReLU",), ("Conv2d", 4, 4, 3), ("ReLU",), ("AvgPool2d", 2),
               ("Flatten",), ("Linear", 16, 8), ("ReLU",), ("Linear", 8, 1)], (3, 2, 8, 8)),
}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", CRITICS)
def test_gradient_penalty_like_torch(torch, name, training):
    layers, shape = CRITICS[name]
    ours, theirs = networks(torch, layers)
    ours.train(training)
    theirs.train(training)
    x = np.random.default_rng(0).standard_normal(shape)

    a = nn.Tensor(x.copy(), requires_grad=True)
    g, = grad(ours(a).sum(), a, create_graph=True)
    (((g.reshape(len(x), -1) ** 2).sum(1).sqrt() - 1) ** 2).mean().backward()

    b = torch.tensor(x, requires_grad=True)
    h, = torch.autograd.grad(theirs(b).sum(), b, create_graph=True)
    (((h.reshape(len(x), -1) ** 2).sum(1).sqrt() - 1) ** 2).mean().backward()

    np.testing.assert_allclose(g.data, h.detach().numpy(), rtol=1e-8, atol=1e-10)
    for (key, p), q in zip(ours.named_parameters(), theirs.parameters()):
        expected = np.zeros(p.shape) if q.grad is None else q.grad.numpy()
        got = np.zeros(p.shape) if p.grad is None else p.grad.data
        np.testing.assert_allclose(got, expected, rtol=1e-7, atol=1e-10, err_msg=key)


def test_an_equation_of_physics_like_torch(torch):
    """u'' of a network, in the loss: the gradient of the parameters is a third derivative."""
    ours, theirs = networks(torch, [("Linear", 1, 8), ("Tanh",), ("Linear", 8, 8), ("Sigmoid",), ("Linear", 8, 1)])
    t = np.linspace(0, 1, 7)[:, None]

    def train(x, net, grad):
        u = net(x)
        du, = grad(u.sum(), x, create_graph=True)
        ddu, = grad(du.sum(), x, create_graph=True)
        loss = ((ddu + u * du) ** 2).mean()
        loss.backward()
        return loss.item()

    a, b = nn.Tensor(t.copy(), requires_grad=True), torch.tensor(t, requires_grad=True)
    assert train(a, ours, grad) == pytest.approx(train(b, theirs, torch.autograd.grad), rel=1e-9)
    for p, q in zip(ours.parameters(), theirs.parameters()):
        np.testing.assert_allclose(p.grad.data, q.grad.numpy(), rtol=1e-7, atol=1e-12)


def test_derivatives_of_any_order():
    x = nn.Tensor(np.array([0.5, -1.5]), requires_grad=True)
    y = x ** 5
    for factor, power in ((5, 4), (20, 3), (60, 2), (120, 1), (120, 0)):
        y, = grad(y.sum(), x, create_graph=True)
        np.testing.assert_allclose(y.data, factor * x.data ** power)


def test_attention_and_cross_entropy():
    q = nn.Tensor(np.random.default_rng(1).standard_normal((2, 4, 3)), requires_grad=True)
    labels = nn.tensor([0, 2, 1, 1, 2, 0, 0, -100])

    def penalty(q):
        if not q.requires_grad:                         # gradcheck's steps beside q
            q.requires_grad_()
        y = F.scaled_dot_product_attention(q, q, q, is_causal=True)
        g, = grad(F.cross_entropy(y.reshape(8, 3), labels), q, create_graph=True)
        return (g * g).sum()

    nn.testing.gradcheck(penalty, q)


# ---- what it costs, and what it refuses ----------------------------------------------------------
def test_only_what_leads_to_the_inputs_needs_a_rule():
    x = nn.Tensor(np.ones((1, 2, 3)), requires_grad=True)
    w = nn.Tensor(np.ones((2, 3)), requires_grad=True)
    hidden, _ = nn.LSTM(3, 3, batch_first=True).double()(x)
    y = (hidden[0] * w ** 2).sum()
    g, = grad(y, w, create_graph=True)
    np.testing.assert_allclose(grad(g.sum(), w, retain_graph=True)[0].data, 2 * hidden.data[0])
    with pytest.raises(nn.GraphError, match="lstm: the gradient of this op cannot be differentiated again"):
        grad(y, x, create_graph=True)


def test_refusals():
    x = nn.Tensor(np.ones(3), requires_grad=True)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(nn.GraphError, match="second time"):
        grad(y, x, create_graph=True)
    with pytest.raises(nn.GraphError, match="not used"):
        grad((x * 2).sum(), nn.Tensor(np.ones(1), requires_grad=True), create_graph=True)
    with nn.use_backend("reference"), pytest.raises(nn.GraphError, match="definition"):
        grad(F.layer_norm(x, (3,)).sum(), x, create_graph=True)

    class Twice(nn.autograd.Function):
        @staticmethod
        def forward(ctx, a):
            return a * 2

        @staticmethod
        def backward(ctx, dy):
            return dy * 2

    with pytest.raises(nn.GraphError, match=r"Twice: .* of your own"):
        grad(Twice.apply(x).sum(), x, create_graph=True)
    buffer = nn.zeros(3, dtype=np.float64)
    buffer[0] = x[0] * x[1]
    with pytest.raises(nn.GraphError, match=r"went through a write .* stack"):
        grad(buffer.sum(), x, create_graph=True)
    with pytest.raises(nn.GraphError, match=r"backward: .* nn.autograd.grad\("):
        (x * x).sum().backward(create_graph=True)
    z = x.exp()
    z.data[0] = 5.0
    with nn.no_grad():
        z += 1
    with pytest.raises(nn.GraphError, match="changed in place"):
        grad(z.sum(), x, create_graph=True)


def test_unused_inputs_give_none_and_results_can_be_inputs():
    x, unused = (nn.Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    y = x * 3
    z = (y * y).sum()
    gy, nothing, gx = grad(z, (y, unused, x), create_graph=True, allow_unused=True)
    assert nothing is None
    np.testing.assert_allclose(gy.data, 6)
    np.testing.assert_allclose(gx.data, 18)
    np.testing.assert_allclose(grad(gy.sum(), x, retain_graph=True)[0].data, 6)


def test_hooks_see_tensors_with_a_history():
    x = nn.Tensor(np.array([2.0]), requires_grad=True)
    y = x ** 3
    y.register_hook(lambda dy: dy * x)
    g, = grad(y.sum(), x, create_graph=True)            # 3 x^3
    np.testing.assert_allclose(grad(g.sum(), x)[0].data, 36)


def test_the_graph_is_kept_and_goes_with_its_tensors():
    x = nn.Tensor(np.ones(4), requires_grad=True)
    y = (x ** 3).sum()
    g, = grad(y, x, create_graph=True)
    y.backward()                                        # the graph of y was kept
    node = weakref.ref(g.node)
    del g, y
    gc.collect()
    assert node() is None


def test_powers_of_zero():
    """x^0 and x^1 have no second derivative, at 0, too, and x^3 has 6 x."""
    x = nn.tensor([0.0, 2.0], requires_grad=True)
    for exponent, want in ((0.0, [0, 0]), (1.0, [0, 0]), (3.0, [0, 12])):
        g, = nn.autograd.grad((x**nn.tensor([exponent])).sum(), x, create_graph=True)
        assert nn.autograd.grad(g.sum(), x)[0].tolist() == want, exponent
