"""What runs and is not meant is told once, at the user's line; what is right is never told."""

import copy
import pickle
import warnings

import numpy as np
import pytest

import fastnn as nn
from fastnn import errors

F = nn.functional
X = nn.tensor(np.random.default_rng(0).standard_normal((8, 3)).astype("float32"))
Y = nn.tensor(np.arange(8) % 2)


@pytest.fixture(autouse=True)
def _nothing_was_told(monkeypatch):
    monkeypatch.setattr(errors, "_told", set())


def told(run):
    """The warnings of two runs, each with the line of this file that it is about."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run()
        run()
    assert all(w.filename == __file__ and w.category is nn.MistakeWarning for w in caught)
    return [str(w.message) for w in caught]


def train(model, optimizer, forget, steps=3, loss=F.cross_entropy):
    for _ in range(steps):
        forget()
        loss(model(X), Y).backward()
        optimizer.step()


@pytest.mark.parametrize("rule", [nn.optim.SGD, nn.optim.Adam, nn.optim.AdamW])
@pytest.mark.parametrize("backend", ["reference", "kernels"])
def test_a_forgotten_zero_grad_is_told(rule, backend):
    with nn.use_backend(backend):
        def run():
            model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
            train(model, rule(model.parameters(), lr=0.01), lambda: None)
        text, = told(run)
    assert text.startswith(f"{rule.__name__}.step: the gradients of the step before are still in these.")


@pytest.mark.parametrize("forget", ["optimizer", "model", "zeros", "zeros of the model", "by hand", "in the array"])
def test_gradients_that_are_forgotten_are_fine(forget):
    model = nn.Linear(3, 2)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)

    def by_hand():
        for p in model.parameters():
            p.grad = None

    def in_the_array():
        for p in model.parameters():
            if p.grad is not None:
                p.grad.zero_()
    ways = {"optimizer": optimizer.zero_grad, "model": model.zero_grad, "by hand": by_hand,
            "zeros": lambda: optimizer.zero_grad(set_to_none=False), "in the array": in_the_array,
            "zeros of the model": lambda: model.zero_grad(set_to_none=False)}
    assert told(lambda: train(model, optimizer, ways[forget])) == []
    assert optimizer._first_steps.done          # so that the steps that follow cost nothing


def test_one_gradient_may_serve_two_steps_and_several_losses_one_step():
    model = nn.Linear(3, 2)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
    F.cross_entropy(model(X), Y).backward()

    def run():
        optimizer.step()
    assert told(run) == []

    def accumulated():
        optimizer.zero_grad()
        for _ in range(3):
            F.cross_entropy(model(X), Y).backward()
        optimizer.step()
    assert told(accumulated) == []


def test_an_optimiser_that_was_copied_or_saved_looks_anew():
    model = nn.Linear(3, 2)
    optimizer = nn.optim.SGD(model.parameters(), lr=0.01)
    train(model, optimizer, lambda: None, steps=1)
    for again in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert not again._first_steps.done and again._first_steps.gradient is None


def test_a_step_without_gradients_is_told():
    def run():
        nn.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1).step()
    text, = told(run)
    assert text.startswith("SGD.step: no parameter has a gradient, so nothing changes.")


@pytest.mark.parametrize("run, said", [
    (lambda: F.cross_entropy(F.softmax(nn.Parameter(X) * 2, 1), Y), "cross_entropy: softmax has been applied"),
    (lambda: F.cross_entropy(F.softmax(X, 1), Y), "cross_entropy: softmax has been applied"),
    (lambda: F.nll_loss(F.softmax(nn.Parameter(X), 1), Y), "nll_loss: the input is probabilities"),
    (lambda: F.binary_cross_entropy_with_logits(nn.Parameter(X).sigmoid(), nn.zeros(8, 3)),
     "binary_cross_entropy_with_logits: sigmoid has been applied")])
def test_a_loss_that_gets_probabilities_for_scores_is_told(run, said):
    text, = told(run)
    assert text.startswith(said)


def test_losses_that_get_what_they_take_are_fine():
    def run():
        F.cross_entropy(nn.Parameter(X) * 2, Y)
        F.cross_entropy(F.softmax(nn.Parameter(X), 1).log(), Y)
        F.nll_loss(F.log_softmax(nn.Parameter(X), 1), Y)
        F.binary_cross_entropy(nn.Parameter(X).sigmoid(), nn.zeros(8, 3))
    assert told(run) == []


@pytest.mark.parametrize("layer, shape", [
    (nn.Dropout(0.5), (4, 3)), (nn.Dropout2d(0.5), (4, 3, 2, 2)), (nn.BatchNorm1d(3), (4, 3)),
    (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU()), (4, 3, 2, 2))])
def test_a_layer_in_training_mode_under_no_grad_is_told(layer, shape):
    def run():
        with nn.no_grad():
            layer.train()(nn.ones(*shape))
    text, = told(run)
    assert "is in training mode under no_grad()" in text and "model.eval()" in text

    def right():
        layer.train()(nn.ones(*shape))
        layer.train()(nn.ones(*shape, requires_grad=True))
        with nn.no_grad():
            layer.eval()(nn.ones(*shape))
    errors._told.clear()
    assert told(right) == []


class Listed(nn.Module):
    def __init__(self, make):
        super().__init__()
        self.layers = make([nn.Linear(3, 4), nn.Linear(4, 2)])


@pytest.mark.parametrize("make, kind", [(list, "ModuleList"), (tuple, "ModuleList"),
                                        (lambda layers: dict(enumerate(layers)), "ModuleDict")])
def test_layers_in_a_plain_list_are_told(make, kind):
    def run():
        list(nn.Sequential(nn.Linear(3, 3), Listed(make)).parameters())
    text, = told(run)
    assert text.startswith("Listed (1): the model does not know the 2 layers in the ")
    assert text.endswith(f"self.layers. Write self.layers = nn.{kind}(...).")


def test_layers_that_the_model_knows_or_need_no_training_may_be_in_a_list():
    def run():
        known = Listed(list)
        for i, layer in enumerate(known.layers):
            known.add_module(f"layer{i}", layer)
        teacher = nn.Module()
        teacher.hidden = [nn.Linear(3, 2).requires_grad_(False), nn.ReLU(), 3]
        assert len(list(known.parameters())) == 4 and list(teacher.parameters()) == []
        list(Listed(nn.ModuleList).parameters())
    assert told(run) == []


def fit(x, y, **options):
    return nn.fit(nn.Linear(3, 2), (x, y), epochs=3, progress=False, **options)


def test_a_loss_at_chance_level_is_told():
    text, = told(lambda: fit(X * 0, Y))
    assert text.startswith("fit: after 3 epochs the loss is 0.69") and "guessing among 2 classes" in text
    errors._told.clear()
    assert told(lambda: fit(X, (X[:, 0] > 0).long(), loss=nn.CrossEntropyLoss())) == []


def test_they_can_be_silenced():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", nn.MistakeWarning)
        nn.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1).step()
    assert caught == []
