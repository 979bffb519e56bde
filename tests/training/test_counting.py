"""Losses and metrics are means over what counts, whatever the size of the batches."""

import functools

import numpy as np
import pytest

import fastnn as nn
from fastnn import functional as F


class Same(nn.Module):
    def forward(self, x):
        return x


RNG = np.random.default_rng(0)
SCORES = RNG.standard_normal((24, 5)).astype(np.float32)
LABELS = np.where(RNG.random(24) < 0.4, -100, RNG.integers(0, 5, 24))
TEXT = RNG.standard_normal((24, 5, 3)).astype(np.float32)                   # (N, C, T)
TOKENS = np.where(RNG.random((24, 3)) < 0.5, -100, RNG.integers(0, 5, (24, 3)))
SHARES = RNG.dirichlet(np.ones(5), 24).astype(np.float32)
WEIGHTS = np.array([0.5, 2.0, 0.0, 1.0, 3.0], np.float32)


def tokens_loss(output, target):
    """As users write it for text: one row for each token."""
    return F.cross_entropy(output.transpose(1, 2).reshape(-1, 5), nn.tensor(target).reshape(-1))


CASES = {
    "labels": ("cross_entropy", SCORES, LABELS),
    "layer": (nn.CrossEntropyLoss(), SCORES, LABELS),
    "class weights": (nn.CrossEntropyLoss(weight=WEIGHTS), SCORES, LABELS),
    "weights and smoothing": (nn.CrossEntropyLoss(weight=WEIGHTS + 1, label_smoothing=0.1), SCORES, LABELS),
    "another ignored class": (nn.CrossEntropyLoss(ignore_index=3), SCORES, np.abs(LABELS) % 5),
    "partial": (functools.partial(F.cross_entropy, weight=nn.tensor(WEIGHTS), ignore_index=1), SCORES,
                np.abs(LABELS) % 5),
    "nll": (nn.NLLLoss(weight=WEIGHTS), SCORES, LABELS),
    "tokens": ("cross_entropy", TEXT, TOKENS),
    "tokens, weights": (nn.CrossEntropyLoss(weight=WEIGHTS), TEXT, TOKENS),
    "a function of the user's": (tokens_loss, TEXT, TOKENS),
    "class probabilities": ("cross_entropy", SCORES, SHARES),
    "numbers": ("mse", SCORES, SHARES),
    "switches": ("binary_cross_entropy_with_logits", SCORES, (SHARES > 0.2).astype(np.float32)),
    "batchmean": (nn.KLDivLoss(reduction="batchmean"), np.log(SHARES), SHARES),
}


@pytest.mark.parametrize("name", CASES)
def test_the_numbers_do_not_depend_on_the_batch_size(name):
    loss, x, y = CASES[name]
    whole = nn.evaluate(Same(), (x, y), loss=loss, batch_size=24)
    direct = {"cross_entropy": F.cross_entropy, "mse": F.mse_loss,
              "binary_cross_entropy_with_logits": F.binary_cross_entropy_with_logits}.get(loss, loss)
    assert whole["loss"] == pytest.approx(direct(nn.tensor(x), nn.tensor(y)).item(), rel=1e-6)
    for size in (1, 2, 5, 7, 23):
        assert nn.evaluate(Same(), (x, y), loss=loss, batch_size=size) == pytest.approx(whole, rel=1e-5)


def test_accuracy_is_the_share_of_the_labels_that_count():
    counted = LABELS != -100
    right = (SCORES.argmax(1) == LABELS) & counted
    assert nn.evaluate(Same(), (SCORES, LABELS))["accuracy"] == pytest.approx(right.sum()/counted.sum())
    counted = TOKENS != -100
    right = (TEXT.argmax(1) == TOKENS) & counted
    assert nn.evaluate(Same(), (TEXT, TOKENS), batch_size=1)["accuracy"] == pytest.approx(right.sum()/counted.sum())


def test_a_sum_is_reported_as_a_mean():
    total = F.cross_entropy(nn.tensor(SCORES), nn.tensor(LABELS), reduction="sum").item()
    for size in (24, 5):
        row = nn.evaluate(Same(), (SCORES, LABELS), loss=nn.CrossEntropyLoss(reduction="sum"), batch_size=size)
        assert row["loss"] == pytest.approx(total/(LABELS != -100).sum(), rel=1e-5)


def test_batches_of_different_lengths_weigh_by_their_elements():
    batches = [(nn.tensor(SCORES[:2, :3]), nn.tensor(SHARES[:2, :3])), (nn.tensor(SCORES[2:4]), nn.tensor(SHARES[2:4]))]
    squares = np.concatenate([((a.data - b.data)**2).ravel() for a, b in batches])
    assert nn.evaluate(Same(), batches, loss="mse")["loss"] == pytest.approx(squares.mean(), rel=1e-6)


def linear():
    nn.seed(0)
    return nn.Linear(5, 5)


def test_a_batch_in_which_no_label_counts_is_passed_over():
    labels = LABELS.copy()
    labels[:12], labels[12:] = -100, np.abs(labels[12:]) % 5
    def trained(x, y):
        model = linear()
        history = nn.fit(model, nn.data.DataLoader(nn.data.TensorDataset(x, y), 4),
                         optimizer=nn.optim.SGD(model.parameters(), lr=0.1), epochs=2, progress=False)
        return model.weight.data, history["loss"], history["accuracy"]
    for a, b in zip(trained(SCORES, labels), trained(SCORES[12:], labels[12:])):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("run", [
    lambda x, y: nn.evaluate(linear(), (x, y)),
    lambda x, y: nn.fit(linear(), (x, y), progress=False),
    lambda x, y: nn.fit(linear(), (SCORES, LABELS), (x, y), progress=False)])
def test_data_without_a_label_that_counts_is_refused(run):
    with pytest.raises(nn.ShapeError, match="no label that counts"):
        run(SCORES, np.full(24, -100))
    with pytest.raises(nn.ShapeError, match="no batch"):
        run(SCORES[:0], LABELS[:0])


def test_metrics_get_arrays_of_all_that_a_model_returns():
    class Two(nn.Module):
        def forward(self, x):
            return x, {"twice": 2*x}
    seen = []
    def metric(output, target):
        seen.append(output)
        return float(output[1]["twice"].mean())
    row = nn.evaluate(Two(), (SCORES, LABELS), loss=lambda output, target: output[0].mean(), metrics={"m": metric})
    assert isinstance(row["m"], float) and all(type(output[0]) is np.ndarray for output in seen)


# ---- predict -------------------------------------------------------------------------------------
class Parts(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_predict_joins_what_a_model_returns():
    first, (second, third) = nn.predict(Parts(lambda x: (x, [2*x, {"three": 3*x}])), SCORES, batch_size=5)
    np.testing.assert_array_equal(first.data, SCORES)
    np.testing.assert_array_equal(second.data, 2*SCORES)
    np.testing.assert_array_equal(third["three"].data, 3*SCORES)


@pytest.mark.parametrize("model, inputs, error, words", [
    (nn.LSTM(5, 4, num_layers=2, batch_first=True), RNG.standard_normal((2, 3, 5)).astype(np.float32), nn.ShapeError,
     r"predict, LSTM: an output does not have one entry for each sample.*\[0\]"),
    (nn.GRU(5, 4), RNG.standard_normal((2, 3, 5)).astype(np.float32), nn.ShapeError, "predict, GRU"),
    (Parts(lambda x: x.mean()), SCORES, nn.ShapeError, r"expected \(24, \.\.\.\), got \(\)"),
    (Parts(lambda x: x[:3]), SCORES, nn.ShapeError, r"expected \(24, \.\.\.\), got \(3, 5\)"),
    (Parts(lambda x: None), SCORES, nn.DTypeError, "a model that returns a Tensor.*got NoneType"),
    (Parts(lambda x: (x, "text")), SCORES, nn.DTypeError, "got str"),
    (print, SCORES, nn.DTypeError, "a model, that is, a Module"),
    (Same(), np.float32(1), nn.ShapeError, r"inputs of shape \(N, \.\.\.\)"),
])
def test_predict_says_what_it_cannot_join(model, inputs, error, words):
    with pytest.raises(error, match=words):
        nn.predict(model, inputs)


def test_predict_takes_inputs_of_one_length_and_whole_batches():
    with pytest.raises(nn.ShapeError, match="N the same in all"):
        nn.predict(Same(), SCORES, SCORES[:3])
    for size in (0, -1, 2.5, True):
        with pytest.raises((nn.RangeError, nn.DTypeError), match="batch_size"):
            nn.predict(Same(), SCORES, batch_size=size)
    assert nn.predict(Same(), SCORES[:0]).shape == (0, 5)


# ---- layers that are frozen ----------------------------------------------------------------------
class OwnTrain(nn.Module):
    """As in torchvision's training scripts: a layer that never leaves eval mode."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(5)

    def forward(self, x):
        return self.norm(x)

    def train(self, mode=True):
        super().train(mode)
        self.norm.eval()
        return self


def network(norm):
    nn.seed(0)
    return nn.Sequential(nn.Linear(5, 5), norm, nn.Linear(5, 5))


def test_a_frozen_layer_stays_frozen_while_the_rest_trains():
    for model in (network(nn.BatchNorm1d(5)), network(OwnTrain())):
        norm = model[1] if isinstance(model[1], nn.BatchNorm1d) else model[1].norm
        model.train()
        norm.eval()
        before, weight = norm.running_mean.data.copy(), model[0].weight.data.copy()
        nn.evaluate(model, (SCORES, np.abs(LABELS) % 5))
        nn.predict(model, SCORES)
        nn.fit(model, (SCORES, LABELS), (SCORES, LABELS), epochs=3, progress=False)
        np.testing.assert_array_equal(norm.running_mean.data, before)
        assert not np.array_equal(model[0].weight.data, weight)
        assert model.training and not norm.training


def test_a_model_in_eval_mode_trains_as_a_whole_and_is_put_back():
    model = network(nn.BatchNorm1d(5)).eval()
    before = model[1].running_mean.data.copy()
    nn.fit(model, (SCORES, LABELS), epochs=2, progress=False)
    assert not np.array_equal(model[1].running_mean.data, before)
    assert not any(module.training for module in model.modules())


def test_a_callback_may_freeze_a_layer_or_forget_the_eval_mode():
    class Freeze(nn.training.Callback):
        def on_epoch_end(self, state):
            if state.epoch == 1:
                state.model[1].eval()
                self.mean = state.model[1].running_mean.data.copy()
            else:
                state.model.eval()                  # and no train() after it
    freeze, model = Freeze(), network(nn.BatchNorm1d(5))
    modes = []
    model[0].register_forward_hook(lambda module, given, output: modes.append(module.training))
    nn.fit(model, (SCORES, LABELS), epochs=4, callbacks=[freeze], progress=False)
    np.testing.assert_array_equal(model[1].running_mean.data, freeze.mean)
    assert all(modes)
