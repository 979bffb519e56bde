"""Callbacks: the points of a run, what they see, how they stop it, and what an error does."""

import sys
import weakref

import numpy as np
import pytest
import toy
from toy import bits

import fastnn as nn
from fastnn.training import Callback, State
from fastnn.training.callbacks import POINTS, Points


def blobs(n=48, seed=3):
    return toy.blobs(n, seed, spread=1.0)


def network():
    nn.seed(5)
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def fit(model=None, data=None, **settings):
    """Three batches of 16 an epoch."""
    model = model or network()
    settings.setdefault("optimizer", nn.optim.Adam(model.parameters(), lr=0.05))
    return nn.fit(model, data or blobs(), batch_size=16, progress=False, **settings)


class Diary(Callback):
    """Writes down where it is called."""

    def __init__(self, note=lambda point, state: point):
        self.note, self.lines = note, []

    def write(self, point, state):
        self.lines.append(self.note(point, state))


for _point in POINTS:
    setattr(Diary, _point, lambda self, state, point=_point: self.write(point, state))


# ---- the points ----------------------------------------------------------------------------------
def test_every_point_is_called_in_order():
    diary = Diary()
    fit(epochs=2, callbacks=[diary])
    batch = ["on_batch_start", "on_step", "on_batch_end"]
    epoch = ["on_epoch_start", *3 * batch, "on_epoch_end"]
    assert diary.lines == ["on_fit_start", *2 * epoch, "on_fit_end"]
    assert POINTS == ("on_fit_start", "on_epoch_start", "on_batch_start", "on_step", "on_batch_end", "on_epoch_end",
                      "on_fit_end")


def test_all_callbacks_see_one_state():
    seen = set()
    diaries = [Diary(lambda point, state: seen.add(id(state))) for _ in range(2)]
    fit(epochs=2, valid=blobs(), patience=1, clip_norm=1.0, callbacks=diaries)
    assert len(seen) == 1


def test_what_the_state_says():
    numbers = Diary(lambda point, state: (point, state.epoch, state.batch, state.batches, state.step))
    fit(epochs=2, callbacks=[numbers])
    assert numbers.lines[:8] == [
        ("on_fit_start", 0, 0, None, 0), ("on_epoch_start", 1, 0, 3, 0), ("on_batch_start", 1, 1, 3, 0),
        ("on_step", 1, 1, 3, 0), ("on_batch_end", 1, 1, 3, 1), ("on_batch_start", 1, 2, 3, 1), ("on_step", 1, 2, 3, 1),
        ("on_batch_end", 1, 2, 3, 2)]
    assert numbers.lines[-2:] == [("on_epoch_end", 2, 0, 3, 6), ("on_fit_end", 2, 0, 3, 6)]


def test_what_is_there_at_each_point():
    model = network()

    class Look(Callback):
        def on_epoch_start(self, state):
            assert state.model is model and model.training

        def on_batch_start(self, state):
            (x,), y = state.inputs, state.target
            assert x.shape == (16, 2) and y.shape == (16,) and state.output is None
            self.before = bits(model)

        def on_step(self, state):
            assert all(p.grad is not None for p in model.parameters())
            assert state.output.shape == (16, 3) and np.isfinite(state.loss)
            parameters = dict(model.named_parameters())
            assert all(t.data.tobytes() == self.before[name] for name, t in parameters.items())

        def on_batch_end(self, state):
            assert bits(model) != self.before and set(state.means.values()) == {"loss", "accuracy"}

        def on_epoch_end(self, state):
            assert set(state.row) == {"epoch", "loss", "accuracy", "valid_loss", "valid_accuracy", "lr", "seconds"}
            assert state.history.rows[-1] is state.row and model.training

    history = fit(model, valid=blobs(), epochs=2, callbacks=[look := Look()])
    assert len(history) == 2 and look.before


def test_a_callback_may_change_the_batch_and_the_gradients():
    x, y = blobs()

    class Double(Callback):
        def on_batch_start(self, state):
            state.inputs = tuple(nn.tensor(a.data * 2) for a in state.inputs)

    class Halve(Callback):
        def on_step(self, state):
            for p in state.model.parameters():
                p.grad = nn.tensor(p.grad.data / 2)
    models = [nn.Linear(2, 3) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    fit(models[0], (x, y), callbacks=[Double(), Halve()], optimizer=nn.optim.SGD(models[0].parameters(), lr=0.5))
    fit(models[1], (2 * x, y), optimizer=nn.optim.SGD(models[1].parameters(), lr=0.25))
    np.testing.assert_allclose(models[0].weight.data, models[1].weight.data, rtol=1e-5)


def test_the_arguments_callbacks_come_first():
    class Look(Callback):
        norms = ()

        def on_step(self, state):
            norm = np.sqrt(sum(float((p.grad.data ** 2).sum()) for p in state.model.parameters()))
            self.norms = (*self.norms, norm)

        def on_epoch_end(self, state):
            assert len(state.history) == state.epoch
            assert state.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.5 ** state.epoch)
    model = network()
    opt = nn.optim.SGD(model.parameters(), lr=0.1)
    fit(model, optimizer=opt, scheduler=nn.optim.StepLR(opt, 1, 0.5), clip_norm=0.01, epochs=3,
        callbacks=[look := Look()])
    assert max(look.norms) <= 0.01 * (1 + 1e-5)


def test_only_what_is_overridden_is_called():
    class Quiet(Callback):
        def on_epoch_end(self, state):
            pass
    points = Points([Quiet(), Callback()])
    assert [len(getattr(points, point)) for point in POINTS] == [0, 0, 0, 0, 0, 1, 0]


def test_callbacks_cost_nothing_where_there_are_none():
    """Python calls per batch within fit: as many with a callback at the ends as without."""
    class AtTheEnds(Callback):
        def on_fit_start(self, state):
            pass

        def on_fit_end(self, state):
            pass

    class EachBatch(Callback):
        def on_batch_end(self, state):
            pass

    def calls(batches, callbacks):
        x, y = blobs(16 * batches)
        count = [0]

        def profile(frame, event, argument):
            count[0] += event == "call" and "training" in frame.f_code.co_filename
        model = network()
        optimizer = nn.optim.SGD(model.parameters(), lr=0.1)
        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            fit(model, (x, y), optimizer=optimizer, callbacks=callbacks)
        finally:
            sys.setprofile(before)
        return count[0]

    def per_batch(*callbacks):
        return (calls(30, callbacks) - calls(20, callbacks)) / 10
    plain = per_batch()
    assert per_batch(AtTheEnds()) == plain
    assert per_batch(EachBatch()) == plain + 2      # the method, and what names it in an error


def test_nothing_of_a_batch_lives_on_into_the_next():
    class Look(Callback):
        old, layers = None, ()

        def on_step(self, state):
            self.old = weakref.ref(state.output)

        def on_batch_start(self, state):
            assert self.old is None or self.old() is None
    hidden = []

    def remember(module, inputs, output):
        assert all(ref() is None for ref in hidden)
        hidden[:] = [weakref.ref(output)]
    model = network()
    model[0].register_forward_hook(remember)
    fit(model, epochs=2, clip_norm=1.0, callbacks=[Look()])
    assert hidden


# ---- stopping ------------------------------------------------------------------------------------
class StopAt(Callback):
    def __init__(self, point, epoch, batch, reason=""):
        self.at, self.reason = (point, epoch, batch), reason

    def look(self, point, state):
        if (point, state.epoch, state.batch) == self.at:
            state.stop(self.reason)


for _point in POINTS:
    setattr(StopAt, _point, lambda self, state, point=_point: self.look(point, state))


@pytest.mark.parametrize("point, epoch, batch, rows, steps", [
    ("on_fit_start", 0, 0, 0, 0), ("on_epoch_start", 2, 0, 1, 3), ("on_batch_start", 2, 1, 1, 4),
    ("on_step", 2, 2, 1, 5), ("on_batch_end", 2, 1, 1, 4), ("on_batch_end", 2, 3, 2, 6), ("on_epoch_end", 2, 0, 2, 6)])
def test_a_callback_can_stop(point, epoch, batch, rows, steps):
    last = Diary(lambda point, state: (point, state.step))
    history = fit(epochs=9, callbacks=[StopAt(point, epoch, batch), last])
    assert len(history) == rows and last.lines[-1] == ("on_fit_end", steps)
    assert not history.interrupted and not history.stopped_early


def test_the_reason_is_told(capsys):
    nn.fit(network(), blobs(), epochs=9, callbacks=[StopAt("on_epoch_end", 2, 0, "good enough")])
    assert capsys.readouterr().out.splitlines()[-1] == "good enough"


def test_on_epoch_returns_true_to_stop():
    seen = []
    history = fit(epochs=9, on_epoch=lambda epoch, row: seen.append((epoch, row["epoch"])) or epoch == 2)
    assert len(history) == 2 and seen == [(1, 1), (2, 2)]


# ---- errors --------------------------------------------------------------------------------------
class Broken(Callback):
    """Raises at one point, in epoch 2; keeps the model as after the last whole step."""

    def __init__(self, point):
        self.point = point

    def look(self, point, state):
        if point != "on_step":                  # the forward has changed batch norm's statistics
            self.whole = bits(state.model)
        if point == self.point and state.epoch in (0, 2):
            raise ValueError("a mistake of the author's")


for _point in POINTS:
    setattr(Broken, _point, lambda self, state, point=_point: self.look(point, state))


@pytest.mark.parametrize("point", POINTS)
def test_an_error_names_the_callback_and_leaves_whole_steps(point):
    model = network()
    before = [m.training for m in model.modules()]
    broken = Broken(point)
    with pytest.raises(ValueError, match="a mistake of the author's") as caught:
        fit(model, epochs=2, callbacks=[broken])
    assert any(f"Broken.{point}" in note for note in caught.value.__notes__)
    assert bits(model) == broken.whole and [m.training for m in model.modules()] == before


def test_an_error_in_on_epoch_is_named():
    def broken(epoch, row):
        raise nn.RangeError("no")
    with pytest.raises(nn.RangeError, match="no") as caught:
        fit(epochs=1, on_epoch=broken)
    assert "OnEpoch.on_epoch_end, epoch 1" in caught.value.__notes__[0]


def test_a_keyboard_interrupt_in_the_middle_of_a_step_is_undone():
    class Impatient(Callback):
        def on_batch_start(self, state):
            self.before = bits(state.model)

        def on_step(self, state):
            if state.step == 4:
                raise KeyboardInterrupt
    model = network()
    history = fit(model, epochs=5, callbacks=[impatient := Impatient(), end := Diary()])
    assert history.interrupted and len(history) == 1 and bits(model) == impatient.before
    assert end.lines[-1] == "on_fit_end"


# ---- patience ------------------------------------------------------------------------------------
def with_losses(losses, **settings):
    """A run whose validation losses are given; returns the weights after each epoch, too."""
    told = iter(losses)

    class Told(nn.training.Patience):
        def on_epoch_end(self, state):
            state.row["valid_loss"] = next(told)
            super().on_epoch_end(state)
    model, weights = network(), []
    history = fit(model, epochs=len(losses), callbacks=[Told(**settings)],
                  on_epoch=lambda epoch, row: weights.append(bits(model)))
    return model, history, weights


def test_patience_counts_epochs_without_a_new_lowest_loss():
    _, history, _ = with_losses([3.0, 2.0, 2.0, 2.5, 1.0, 1.5, 1.0, 1.2, 0.5], patience=3)
    assert len(history) == 8 and history.stopped_early
    _, history, _ = with_losses([3.0, float("nan"), float("nan"), 2.0], patience=2)
    assert len(history) == 3 and history.stopped_early
    _, history, _ = with_losses([3.0, 2.0, 1.0], patience=1)
    assert len(history) == 3 and not history.stopped_early


@pytest.mark.parametrize("patience", [1, None])
def test_the_best_weights_are_put_back(patience):
    model, history, weights = with_losses([3.0, 1.0, 2.0], patience=patience, restore_best=True)
    assert bits(model) == weights[1] != weights[-1]
    assert history.stopped_early == bool(patience)


def test_without_restore_best_the_last_weights_stay():
    model, _, weights = with_losses([3.0, 1.0, 2.0], patience=1)
    assert bits(model) == weights[-1]


def test_fit_restores_the_best():
    model = network()
    seen = {}

    def note(epoch, row):
        seen[epoch] = bits(model)
    history = fit(model, valid=blobs(30, 4), optimizer=nn.optim.SGD(model.parameters(), lr=2.0), epochs=8,
                  restore_best=True, on_epoch=note)
    best = history.best("valid_loss")["epoch"]
    assert bits(model) == seen[best] and best != 8
    assert nn.evaluate(model, blobs(30, 4))["loss"] == pytest.approx(history.best("valid_loss")["valid_loss"])


def test_ctrl_c_does_not_put_the_best_back():
    class Interrupt(Callback):
        def on_step(self, state):
            if state.epoch == 4:
                raise KeyboardInterrupt
    model = network()
    last = {}
    history = fit(model, optimizer=nn.optim.SGD(model.parameters(), lr=3.0), epochs=8, restore_best=True,
                  callbacks=[Interrupt()], on_epoch=lambda epoch, row: last.update(bits(model)))
    assert history.interrupted and bits(model) == last


def test_the_state_is_public():
    assert nn.training.State is State and nn.training.Callback is Callback


@pytest.mark.parametrize("point", POINTS)
def test_a_point_that_cannot_be_called_is_refused(point):
    for value in (3, None):
        odd = type("Odd", (Callback,), {point: value})()
        with pytest.raises(nn.DTypeError, match=f"Odd.{point} cannot be called"):
            fit(callbacks=[odd])


@pytest.mark.parametrize("make, match", [
    (lambda: nn.training.Patience("x"), "patience"), (lambda: nn.training.Patience(0), "patience"),
    (lambda: nn.training.Clipping("a"), "clip_norm"), (lambda: nn.training.Clipping(float("nan")), "clip_norm"),
    (lambda: nn.training.Schedule(3), r"step\(\)"), (lambda: nn.training.Schedule(nn.optim.StepLR), "class StepLR"),
    (lambda: nn.training.Checkpoint(3), "expected a path"), (lambda: nn.training.Checkpoint("a.txt"), ".npz"),
])
def test_callbacks_of_the_package_check_their_arguments_when_made(make, match):
    with pytest.raises(nn.errors.FastnnError, match=match):
        make()
