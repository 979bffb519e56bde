"""What runs and is not meant is told once, at the user's line; what is right is never told."""

import copy
import pickle
import warnings
from collections import deque

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
     "binary_cross_entropy_with_logits: sigmoid has been applied"),
    (lambda: F.cross_entropy(F.softmax(nn.Parameter(X)[:, :, None], 1).squeeze(), Y),
     "cross_entropy: softmax has been applied"),
    (lambda: F.cross_entropy(F.softmax(nn.Parameter(X)[:, :, None], 1), Y[:, None]),
     "cross_entropy: softmax has been applied"),
    (lambda: F.cross_entropy(F.softmax(X[:, :, None], 1), Y[:, None]), "cross_entropy: softmax has been applied"),
    (lambda: F.cross_entropy(F.softmax(nn.Parameter(X), 1).double().T.clone().T, Y),
     "cross_entropy: softmax has been applied"),
    (lambda: F.nll_loss(F.softmax(X, 1), Y), "nll_loss: the input is probabilities"),
    (lambda: F.kl_div(F.softmax(nn.Parameter(X), 1), F.softmax(X, 1)), "kl_div: the input is probabilities"),
    (lambda: F.kl_div(F.softmax(X, 1), F.softmax(X, 1)), "kl_div: the input is probabilities"),
    (lambda: nn.MultiLabelSoftMarginLoss()(nn.Parameter(X).sigmoid().reshape(8, 3), nn.zeros(8, 3)),
     "multilabel_soft_margin_loss: sigmoid has been applied"),
    (lambda: F.multilabel_soft_margin_loss(nn.Parameter(X).sigmoid(), nn.zeros(8, 3)),
     "multilabel_soft_margin_loss: sigmoid has been applied")])
def test_a_loss_that_gets_probabilities_for_scores_is_told(run, said):
    text, = told(run)
    assert text.startswith(said)


def test_losses_that_get_what_they_take_are_fine():
    def run():
        F.cross_entropy(nn.Parameter(X) * 2, Y)
        F.cross_entropy(F.softmax(nn.Parameter(X), 1).log(), Y)
        F.nll_loss(F.log_softmax(nn.Parameter(X), 1), Y)
        F.binary_cross_entropy(nn.Parameter(X).sigmoid(), nn.zeros(8, 3))
        F.kl_div(F.log_softmax(nn.Parameter(X), 1), F.softmax(X, 1))
        F.cross_entropy(F.softmax(nn.Parameter(X), 1) @ nn.ones(3, 3), Y)
        # the last: a mask, of which no row counts
        for target in (F.softmax(X, 1), F.one_hot(Y, 3).float(), nn.zeros(8, 3)):
            F.cross_entropy(nn.Parameter(X), target)
    assert told(run) == []


@pytest.mark.parametrize("target, said", [
    (X, "cross_entropy: the target is class probabilities, and these are negative. For numbers: mse_loss"),
    (abs(X) + 1, "cross_entropy: the target is class probabilities, and these have the sum "),
    (nn.ones(8, 3), "cross_entropy: the target is class probabilities, and these have the sum 3, not 1")])
@pytest.mark.parametrize("run", [lambda target: F.cross_entropy(nn.Parameter(X), target),
                                 lambda target: F.cross_entropy(X[:, :, None], target[:, :, None]),
                                 lambda target: F.cross_entropy(X[0], target[0]),
                                 lambda target: fit(X, target, outputs=3)])
def test_a_target_of_numbers_that_are_no_probabilities_is_told(run, target, said):
    text, = told(lambda: run(target))
    assert text.startswith(said) or (said.endswith("negative. For numbers: mse_loss") and "have the sum" in text)


@pytest.mark.parametrize("target", [nn.ones(8, 1), nn.zeros(8).long()])
def test_one_class_is_told(target):
    text, = told(lambda: F.cross_entropy(nn.Parameter(X[:, :1]), target))
    assert text.startswith("cross_entropy: there is one class") and "mse_loss" in text


@pytest.mark.parametrize("loss", ["cross_entropy", nn.CrossEntropyLoss(), F.cross_entropy])
@pytest.mark.parametrize("target", [X[:, :1], X[:, 0], X[:, 0].double()])
def test_fit_refuses_numbers_for_one_output_before_any_work(loss, target):
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 1))
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    with pytest.raises(nn.RangeError, match=r"fit, loss: the model has one output .* loss='mse_loss'"):
        nn.fit(model, (X, target), loss=loss, progress=False)
    for name, value in model.state_dict().items():
        assert np.array_equal(value.numpy(), before[name]), name
    with pytest.raises(nn.RangeError, match="evaluate, loss: the model has one output"):
        nn.evaluate(model, (X, target), loss=loss)
    nn.fit(model, (X, X[:, :1]), loss="mse_loss", progress=False)


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
                                        (set, "ModuleList"), (frozenset, "ModuleList"), (deque, "ModuleList"),
                                        (lambda layers: dict(enumerate(layers)), "ModuleDict")])
@pytest.mark.parametrize("ask", [lambda model: list(model.parameters()), lambda model: nn.optim.Adam(
    model.named_parameters()), nn.Module.state_dict, nn.Module.double, nn.Module.zero_grad,
    lambda model: model.load_state_dict(model[0].state_dict(), strict=False)])
def test_layers_in_a_plain_list_are_told(make, kind, ask):
    def run():
        ask(nn.Sequential(nn.Linear(3, 3), Listed(make)))
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


def fit(x, y, outputs=2, **options):
    return nn.fit(nn.Linear(3, outputs), (x, y), epochs=3, progress=False, **options)


def test_a_loss_at_chance_level_is_told():
    text, = told(lambda: fit(X * 0, Y))
    assert text.startswith("fit: after 3 epochs the loss is 0.69") and "guessing among 2 classes" in text
    errors._told.clear()
    assert told(lambda: fit(X, (X[:, 0] > 0).long(), loss=nn.CrossEntropyLoss())) == []


# ---- what learns and what does not, on the digits ------------------------------------------------
DIGITS = [t.numpy()[:640] for t in nn.data.digits("train").tensors]
PIXELS, LABELS = DIGITS[0].reshape(640, -1), DIGITS[1]


def network(*more):
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), *more, nn.Linear(32, 10))


def dead():
    model = network()
    model[0].bias.data[...] = -100
    return model


def six_sigmoids():
    layers = [layer for _ in range(5) for layer in (nn.Linear(32, 32), nn.Sigmoid())]
    return nn.Sequential(nn.Linear(64, 32), nn.Sigmoid(), *layers, nn.Linear(32, 10))


def chance_told(make, rule, lr, x=PIXELS, y=LABELS, seed=0, **options):
    nn.seed(seed)
    errors._told.clear()
    model = make()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nn.fit(model, (x, y), optimizer=rule(model.parameters(), lr=lr), progress=False, **{"epochs": 3} | options)
    return [str(w.message) for w in caught]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("what", [
    (dead, nn.optim.SGD, 0.01), (dead, nn.optim.Adam, 1e-3), (network, nn.optim.SGD, 0.0),
    (network, nn.optim.Adam, 1e-7), (dead, nn.optim.Adam, 1.0), (six_sigmoids, nn.optim.Adam, 1e-3),
    (network, nn.optim.Adam, 1e-3, PIXELS, np.random.default_rng(0).permutation(LABELS)),
    (network, nn.optim.SGD, 50.0, 16 * PIXELS)])
def test_a_network_that_only_guesses_is_told(what, seed):
    text, = chance_told(*what, seed=seed)
    assert "guessing among 10 classes (log 10 = 2.303)" in text


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("what", [
    (network, nn.optim.Adam, 1e-3), (network, nn.optim.SGD, 0.1), (network, nn.optim.SGD, 0.03),
    (network, nn.optim.Adam, 3e-4), (lambda: network(nn.Dropout(0.5)), nn.optim.Adam, 1e-3)])
@pytest.mark.parametrize("epochs", [2, 4])
def test_a_network_that_has_begun_to_learn_is_not_told(what, seed, epochs):
    assert chance_told(*what, seed=seed, epochs=epochs) == []


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.4])
@pytest.mark.parametrize("learns", [True, False])
def test_of_imbalanced_labels_their_frequencies_are_learned_and_that_is_not_told(share, learns):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((600, 8)).astype("float32")
    of = x[:, 0] if learns else rng.standard_normal(600)
    y = (of > np.quantile(of, 1 - share)).astype("int64")
    assert chance_told(lambda: nn.Linear(8, 2), nn.optim.Adam, 0.02, x, y, epochs=8) == []
    yes = {"loss": "binary_cross_entropy_with_logits", "epochs": 8}
    assert chance_told(lambda: nn.Linear(8, 1), nn.optim.Adam, 0.02, x, y[:, None].astype("float32"), **yes) == []


def test_guessing_at_yes_or_no_is_told():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((640, 8)).astype("float32"), rng.integers(0, 2, (640, 1)).astype("float32")
    text, = chance_told(lambda: nn.Linear(8, 1), nn.optim.Adam, 0.02, x, y, loss=nn.BCEWithLogitsLoss(), epochs=5)
    assert "guessing among 2 classes" in text


def test_a_loss_that_is_no_mean_of_cross_entropies_is_not_compared_with_that_of_guessing():
    for loss in (nn.CrossEntropyLoss(reduction="sum"), lambda output, target: 100 + 0 * output.sum()):
        assert chance_told(network, nn.optim.SGD, 0.0, loss=loss) == []


def test_they_can_be_silenced():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", nn.MistakeWarning)
        nn.optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1).step()
    assert caught == []
