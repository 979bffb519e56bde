"""A tensor that requires a gradient in the place of a number: where PyTorch computes its gradient
we compute the same, and where PyTorch refuses it, its gradient is not lost in silence here.
"""

import numpy as np
import pytest

import fastnn as nn
from tests.second_opinion import close

X = np.float32([[0.3, -0.2, 0.6], [0.1, 0.9, 0.4]])
PLANES = np.linspace(0.1, 1, 48, dtype=np.float32).reshape(1, 3, 4, 4)


def scalars(lib):
    """name -> (call, the number). A call gets what torch.nn.functional or the top has, and w."""
    F = lib if lib is nn else lib.nn.functional
    x, planes, ones = lib.tensor(X), lib.tensor(PLANES), lib.ones(2, 3)
    labels = lib.tensor([0, 2])
    return {
        "clamp min": (lambda w: lib.clamp(x, min=w), 0.2), "clamp max": (lambda w: lib.clamp(x, max=w), 0.2),
        "lerp": (lambda w: lib.lerp(x, ones, w), 0.3), "pow": (lambda w: x.abs() ** w, 1.5),
        "where": (lambda w: lib.where(x > 0.2, x, w), 0.3), "masked_fill": (lambda w: x.masked_fill(x > 0.2, w), 0.3),
        "index_fill": (lambda w: x.index_fill(0, lib.tensor([1]), w), 0.3), "xlogy": (lambda w: lib.xlogy(x, w), 0.3),
        "gumbel_softmax": (lambda w: F.gumbel_softmax(ones * 0 + 3, w).sum(), 0.5),
        "normalize": (lambda w: F.normalize(x, eps=w), 0.9), "setitem": (lambda w: filled(lib, w), 0.3),
        "local_response_norm alpha": (lambda w: F.local_response_norm(planes, 2, alpha=w), 0.3),
        "local_response_norm beta": (lambda w: F.local_response_norm(planes, 2, 1.0, beta=w), 0.3),
        "local_response_norm k": (lambda w: F.local_response_norm(planes, 2, k=w), 0.3),
        "triplets": (lambda w: F.triplet_margin_with_distance_loss(x, x + 1, x + 2, margin=w), 4.0),
        "quantile": (lambda w: lib.quantile(x, w), 0.3),
        "elu": (lambda w: F.elu(x, w), 0.3), "leaky_relu": (lambda w: F.leaky_relu(x, w), 0.3),
        "celu": (lambda w: F.celu(x, alpha=w), 0.3), "hardtanh": (lambda w: F.hardtanh(x, max_val=w), 0.3),
        "softplus": (lambda w: F.softplus(x, beta=w), 0.3), "threshold": (lambda w: F.threshold(x, w, 0.0), 0.3),
        "full": (lambda w: lib.full((2,), w), 0.3), "full_like": (lambda w: lib.full_like(x, w), 0.3),
        "new_full": (lambda w: x.new_full((2,), w), 0.3), "arange": (lambda w: lib.arange(0.0, w), 3.0),
        "add": (lambda w: lib.add(x, x, alpha=w), 0.3), "add of a tensor": (lambda w: x.add(x, alpha=w), 0.3),
        "addmm": (lambda w: lib.addmm(lib.ones(2, 2), lib.ones(2, 2), lib.ones(2, 2), alpha=w), 0.3),
        "addcmul": (lambda w: x.addcmul(x, x, value=w), 0.3), "norm": (lambda w: lib.norm(x, w), 3.0),
        "renorm": (lambda w: lib.renorm(x, w, 0, 1.0), 2.0), "cdist": (lambda w: lib.cdist(x, x, w), 2.0),
        "layer_norm": (lambda w: F.layer_norm(x, (3,), eps=w), 0.3), "logit": (lambda w: lib.logit(ones * 0.5, w), 0.3),
        "attention": (lambda w: F.scaled_dot_product_attention(planes, planes, planes, scale=w), 0.3),
        "cross_entropy": (lambda w: F.cross_entropy(x, labels, label_smoothing=w), 0.3),
        "smooth_l1_loss": (lambda w: F.smooth_l1_loss(x, x + 1, beta=w), 0.3),
        "pad": (lambda w: F.pad(x, (1, 1), value=w), 0.3),
        "huber_loss": (lambda w: F.huber_loss(x, x + 1, delta=w), 0.3), "dropout": (lambda w: F.dropout(x, w), 0.3),
        "nan_to_num": (lambda w: lib.nan_to_num(x, w), 0.3), "std": (lambda w: lib.std(x, correction=w), 1.0),
        "margins": (lambda w: F.margin_ranking_loss(x, x + 1, ones, margin=w), 0.3),
        "interpolate": (lambda w: F.interpolate(planes, scale_factor=w), 2.0),
        "Dropout": (lambda w: lib.nn.Dropout(w)(x) if lib is not nn else nn.Dropout(w)(x), 0.3),
        "normal_": (lambda w: lib.ones(2).normal_(w), 0.3),
        "fill_diagonal_": (lambda w: lib.ones(2, 2).fill_diagonal_(w), 0.3),
    }


def filled(lib, w):
    x = lib.ones(3)
    x[1] = w
    return x


# of so many, the first ones, PyTorch computes the gradient
COMPUTED = 16


@pytest.mark.parametrize("name", scalars(nn))
def test_its_gradient_is_pytorchs_or_it_is_refused(name, torch):
    call, value = scalars(torch)[name]
    theirs = torch.tensor(value, requires_grad=True)
    ours = nn.tensor(np.float32(value), requires_grad=True)
    if list(scalars(nn)).index(name) >= COMPUTED:
        with pytest.raises((TypeError, RuntimeError)):
            call(theirs)
        with pytest.raises(nn.DTypeError, match=r"requires a gradient\. .* gets none: pass its \.item\(\)"):
            scalars(nn)[name][0](ours)
        return
    call(theirs).sum().backward()
    scalars(nn)[name][0](ours).sum().backward()
    close(ours.grad, theirs.grad, name)


def test_a_tensor_without_a_gradient_is_a_number():
    x = nn.tensor(X)
    half = nn.tensor(0.5)
    assert nn.elu(x, half).tolist() == nn.elu(x, 0.5).tolist() == nn.elu(x, alpha=nn.Parameter([0.5]).detach()).tolist()
    assert nn.full((2,), half).tolist() == [0.5, 0.5]


# ---- weights of losses ---------------------------------------------------------------------------
WEIGHTS = {"cross_entropy": ["weight"], "nll_loss": ["weight"], "multi_margin_loss": ["weight"],
           "binary_cross_entropy": ["weight"], "binary_cross_entropy_with_logits": ["weight", "pos_weight"]}


def loss(lib, name, **weights):
    labels = name in ("cross_entropy", "nll_loss", "multi_margin_loss")
    target = lib.tensor([0, 2]) if labels else lib.ones(2, 3)
    F = lib.nn.functional if lib is not nn else nn.functional
    return getattr(F, name)(lib.tensor(np.abs(X), requires_grad=True), target, **weights)


@pytest.mark.parametrize("name, weight", [(name, weight) for name, weights in WEIGHTS.items() for weight in weights])
def test_a_weight_that_is_a_constant_requires_no_gradient(name, weight, torch):
    with pytest.raises(RuntimeError, match="not differentiable"):
        loss(torch, name, **{weight: torch.ones(3, requires_grad=True)})
    with pytest.raises(nn.GraphError, match=rf"^{name}: {weight} is a constant here.* Pass {weight}\.detach\(\)\."):
        loss(nn, name, **{weight: nn.ones(3, requires_grad=True)})
    close(loss(nn, name, **{weight: nn.Parameter(np.ones(3)).detach().float()}),
          loss(torch, name, **{weight: torch.ones(3)}), name)


@pytest.mark.parametrize("training", [False, True])
def test_running_statistics_require_no_gradient(training, torch):
    for lib, F, error in ((torch, torch.nn.functional, RuntimeError), (nn, nn.functional, nn.GraphError)):
        for which in range(2):
            statistics = [lib.zeros(3), lib.ones(3)]
            statistics[which].requires_grad_()
            with pytest.raises(error, match=r"not differentiable|batch_norm: running_(mean|var) is a constant here"):
                F.batch_norm(lib.ones(2, 3), *statistics, training=training)


def test_these_are_all_losses_with_constants():
    """An op that has no gradient for an array of fractions takes it as a constant, and says so."""
    # flat functions, which have no gradient; and running statistics, see above
    known = {"heaviside", "argmax", "argmin", "batch_norm_inference", "batch_norm_inference_relu"}
    found = {}
    for name, op in nn.op.OPS.items():
        for sample in op.samples():
            for key, a in zip(op.inputs, sample.cast("f4")):
                if (op.differentiable is not None and key not in op.differentiable and isinstance(a, np.ndarray)
                        and a.dtype.kind == "f"):
                    found.setdefault(name, set()).add(key)
    assert {name: set(keys) for name, keys in WEIGHTS.items() if name in nn.op.OPS} == {
        name: keys for name, keys in found.items() if name not in known}


@pytest.mark.parametrize("shape", [(4, 1), (1, 3), (2,), (4,), ()])
def test_a_weight_for_each_class(shape):
    for name in ("cross_entropy", "nll_loss", "multi_margin_loss"):
        with pytest.raises(nn.ShapeError, match=rf"^{name}: expected weight of shape \(3,\), one for each class"):
            loss(nn, name, weight=nn.ones(shape))
