"""fit: learns, reports, says which layer made a NaN, and refuses what makes no sense.

Callbacks are in test_callbacks.py, checkpoints and Ctrl-C in test_resume.py.
"""

import io

import numpy as np
import pytest
from toy import bits, blobs

import fastnn as nn
from fastnn.console import Line
from fastnn.training import Progress, State
from fastnn.training.callbacks import LiveProgress, progress_line


def network(dropout=0.0):
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3))


def run(epochs, checkpoint=None, model=None, dropout=0.3, **settings):
    """The same training from the same seed."""
    nn.seed(11)
    model = model or network(dropout)
    loader = nn.data.DataLoader(nn.data.TensorDataset(*blobs()), batch_size=16, shuffle=True, seed=5)
    opt = nn.optim.Adam(model.parameters(), lr=0.02)
    history = nn.fit(model, loader, blobs(30, 4), optimizer=opt, epochs=epochs, checkpoint=checkpoint, progress=False,
                     **settings)
    return model, history


def test_it_learns():
    model, history = run(15)
    assert history["valid_accuracy"][-1] > 0.95
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history.columns == ["epoch", "loss", "accuracy", "valid_loss", "valid_accuracy", "lr", "seconds"]
    x, y = blobs(30, 4)
    assert nn.evaluate(model, (x, y))["accuracy"] == history["valid_accuracy"][-1]
    np.testing.assert_array_equal(nn.predict(model, x, batch_size=7).data.argmax(1) == y,
                                  nn.predict(model, x).data.argmax(1) == y)
    assert model.training


def test_the_numbers_are_means_over_samples():
    # batches of 16 and a last one of 8: a mean over batches would weigh the last one double
    x, y = blobs(24)
    model = network()
    want = nn.functional.cross_entropy(model(nn.tensor(x)), nn.tensor(y)).item()
    assert nn.evaluate(model, (x, y), batch_size=16)["loss"] == pytest.approx(want, rel=1e-6)


def test_nan_names_the_layer():
    class Explode(nn.Module):
        def forward(self, x):
            return nn.functional.relu(x) * nn.tensor(np.float32(np.inf))
    model = nn.Sequential(nn.Linear(2, 4), Explode(), nn.Linear(4, 3))
    before = bits(model)
    words = r"model\.1 \(Explode\).*epoch 1, batch 1.*first to make NaN"
    with np.errstate(invalid="ignore"), pytest.raises(nn.NonFiniteError, match=words):
        nn.fit(model, blobs(), epochs=1, progress=False)
    assert bits(model) == before


def test_nan_in_the_data_and_in_the_parameters_is_told():
    x, y = blobs()
    bad = x.copy()
    bad[3, 1] = np.nan
    with pytest.raises(nn.NonFiniteError, match="batch itself"):
        nn.fit(network(), (bad, y), epochs=1, progress=False, batch_size=96)
    model = network()
    model[0].weight.data[0, 0] = np.inf
    with pytest.raises(nn.NonFiniteError, match=r"parameter 0\.weight"):
        nn.fit(model, (x, y), epochs=1, progress=False)


def test_nan_leaves_everything_as_before_that_step():
    class Bad(nn.Module):
        def forward(self, x):
            return x / nn.tensor(np.zeros(1, np.float32)) if self.training and next(calls) == 2 else x
    calls = iter(range(100))
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), Bad())
    seen = []

    class Look(nn.training.Callback):
        def on_batch_end(self, state):
            seen.append((state.batch, bits(model)))
    # a second look at the batch must be bad, too, or no layer can be named
    explained = pytest.raises(nn.NonFiniteError, match=r"epoch 1, batch 3")
    with np.errstate(all="ignore"), explained:
        nn.fit(model, blobs(), epochs=1, batch_size=16, progress=False, callbacks=[Look()])
    assert [batch for batch, _ in seen] == [1, 2] and bits(model) == seen[-1][1]


def test_nan_in_a_layer_behind_batch_norm_is_named():
    class Bad(nn.Module):
        def forward(self, x):
            return x / nn.tensor(np.zeros(1, np.float32))
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), Bad())
    before = bits(model)
    with np.errstate(all="ignore"), pytest.raises(nn.NonFiniteError, match=r"model\.2 \(Bad\)"):
        nn.fit(model, blobs(), epochs=1, progress=False)
    assert bits(model) == before


def test_early_stop_and_on_epoch():
    _, history = run(50, patience=2, metrics={})
    assert history.stopped_early or len(history) == 50
    best = min(history["valid_loss"])
    assert history["valid_loss"].index(best) == len(history) - 3 or not history.stopped_early
    _, history = run(50, on_epoch=lambda epoch, row: epoch == 2)
    assert len(history) == 2


def test_patience_stops_a_model_that_cannot_improve():
    model = network()
    opt = nn.optim.SGD(model.parameters(), lr=0.0)
    history = nn.fit(model, blobs(), optimizer=opt, epochs=50, patience=3, progress=False, batch_size=96)
    assert history.stopped_early and len(history) <= 6


def test_clip_norm_bounds_the_step():
    model = network()
    before = {k: t.data.copy() for k, t in model.state_dict().items()}
    nn.fit(model, blobs(), optimizer=nn.optim.SGD(model.parameters(), lr=1.0), epochs=1, batch_size=96, clip_norm=0.01,
           progress=False)
    moved = np.sqrt(sum(((t.data - before[k]) ** 2).sum() for k, t in model.state_dict().items()))
    assert moved == pytest.approx(0.01, rel=1e-4)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def standing(**values):
    """A run that stands somewhere."""
    state = State(network(), None, None, {}, None, None, epochs=values.pop("epochs"), history=None)
    for name, value in values.items():
        setattr(state, name, value)
    return state


def test_progress_in_a_pipe_is_one_line_per_epoch():
    pipe = io.StringIO()
    line = progress_line(pipe)
    assert type(line) is Progress
    line.on_batch_end(standing(epochs=12, epoch=3, batch=1, batches=10))
    row = {"epoch": 3, "loss": 0.5, "valid_accuracy": 0.9, "lr": 0.1, "seconds": 1.26}
    line.on_epoch_end(standing(epochs=12, epoch=3, row=row))
    assert pipe.getvalue() == "epoch  3/12  loss 0.5000  valid accuracy 0.9000  1.3 s\n"


def test_progress_in_a_terminal_rewrites_its_line():
    terminal = Terminal()
    line = progress_line(terminal)
    assert type(line) is LiveProgress
    state = standing(epochs=2, epoch=1, batch=5, batches=10)
    state.means.add(123.0, None, None, 1)
    line.on_batch_end(state)
    line.on_batch_end(state)                        # at once again: too soon
    line.on_epoch_end(standing(epochs=2, epoch=1, row={"loss": 0.5}))
    first, second = terminal.getvalue().split("\r")[1:]
    assert first.startswith("epoch 1/2  [##########----------]  5/10  loss 123.0000")
    assert second.startswith("epoch 1/2  loss 0.5000") and second.endswith("\n")
    assert len(second.rstrip("\n")) >= len(first)


def test_progress_where_the_number_of_batches_is_not_known():
    terminal = Terminal()
    LiveProgress(Line(terminal)).on_batch_end(standing(epochs=2, epoch=1, batch=5))
    assert "[--------------------]  5/?" in terminal.getvalue()


def test_fit_prints_its_epochs_and_why_it_ended(capsys):
    fit = dict(epochs=50, batch_size=96, patience=2)
    model = network()
    nn.fit(model, blobs(), optimizer=nn.optim.SGD(model.parameters(), lr=0.0), **fit)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch  1/50  loss ") and lines[-1].startswith("stopped: no better than epoch ")
    nn.fit(model, blobs(), progress=False, **fit)
    assert capsys.readouterr().out == ""


def test_every_layer_keeps_its_mode():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model[1].eval()
    for run_it in (lambda: nn.evaluate(model, blobs()), lambda: nn.predict(model, blobs()[0]),
                   lambda: nn.fit(model, blobs(), blobs(), progress=False)):
        run_it()
        assert [m.training for m in model.modules()] == [True, True, False]


def test_a_list_of_batches_is_taken_as_it_is():
    x, y = blobs()
    batches = [(nn.tensor(x[i:i + 32]), nn.tensor(y[i:i + 32])) for i in (0, 32, 64)]
    model = network()
    assert nn.evaluate(model, batches) == pytest.approx(nn.evaluate(model, (x, y)))
    assert len(nn.fit(model, batches, epochs=2, progress=False)) == 2


def test_a_schedule_counts_epochs_or_steps():
    for interval, want in (("epoch", 3), ("step", 18)):
        model = network()
        opt = nn.optim.SGD(model.parameters(), lr=0.1)
        schedule = nn.optim.StepLR(opt, 1000, interval=interval)
        nn.fit(model, blobs(), optimizer=opt, scheduler=schedule, epochs=3, batch_size=16, progress=False)
        assert schedule.last_epoch == want


def with_schedule(make, epochs=3, **settings):
    """(the schedule, the history) of 6 steps an epoch, from a learning rate of 0.1."""
    model = network()
    opt = nn.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    schedule = make(opt)
    history = nn.fit(model, blobs(), blobs(), optimizer=opt, scheduler=schedule, epochs=epochs, batch_size=16,
                     progress=False, **settings)
    return schedule, history


def test_the_history_has_the_learning_rate_of_an_epochs_last_step():
    assert with_schedule(lambda o: nn.optim.ExponentialLR(o, 0.5))[1]["lr"] == [0.1, 0.05, 0.025]
    steps = lambda o: nn.optim.LambdaLR(o, lambda step: 1 / (1 + step), interval="step")
    assert with_schedule(steps)[1]["lr"] == pytest.approx([0.1 / n for n in (6, 12, 18)])
    assert with_schedule(lambda o: None)[1]["lr"] == [0.1]*3

    class WithoutGroups:
        def step(self):
            pass
        zero_grad = step
    history = nn.fit(network(), blobs(), optimizer=WithoutGroups(), progress=False)
    assert "lr" not in history.columns


def test_schedules_of_steps_and_warm_ups():
    cycle, history = with_schedule(lambda o: nn.optim.OneCycleLR(o, 0.3, epochs=3, steps_per_epoch=6))
    assert cycle.last_epoch == 18 and history["lr"][-1] == pytest.approx(0.3 / 25 / 1e4)
    warm, history = with_schedule(lambda o: nn.optim.WarmupLR(o, 6, nn.optim.CosineAnnealingLR(o, 12, interval="step")))
    assert warm.last_epoch == 18 and history["lr"][0] == 0.1
    with pytest.raises(nn.RangeError, match=r"OneCycleLR\.step: all steps are done.*epochs times batches"):
        with_schedule(lambda o: nn.optim.OneCycleLR(o, 0.3, total_steps=10))


def test_a_plateau_gets_its_number_from_the_row():
    seen = []

    class Noted(nn.optim.ReduceLROnPlateau):
        def step(self, metrics, epoch=None):
            seen.append(metrics)
            super().step(metrics, epoch)
    for settings, column in (({}, "valid_loss"), ({"mode": "max", "metric": "valid_accuracy"}, "valid_accuracy"),
                             ({"metric": "loss"}, "loss")):
        seen.clear()
        schedule, history = with_schedule(lambda o: Noted(o, **settings))
        assert seen == history[column] and schedule.last_epoch == 3
    never = with_schedule(lambda o: nn.optim.ReduceLROnPlateau(o, factor=0.5, patience=0, threshold=0.99), epochs=4)[1]
    assert never["lr"] == [0.1, 0.1, 0.05, 0.025]
    with pytest.raises(nn.RangeError, match="Write metric='valid_accuracy'"):
        with_schedule(lambda o: nn.optim.ReduceLROnPlateau(o, mode="max"))
    with pytest.raises(nn.RangeError, match=r"no column 'valid_los'.*mean 'valid_loss'"):
        with_schedule(lambda o: nn.optim.ReduceLROnPlateau(o, metric="valid_los"))


@pytest.mark.parametrize("make", [
    lambda o: nn.optim.OneCycleLR(o, 0.3, total_steps=40), lambda o: nn.optim.ReduceLROnPlateau(o, patience=0),
    lambda o: nn.optim.WarmupLR(o, 4, nn.optim.CosineAnnealingWarmRestarts(o, 3)),
    lambda o: nn.optim.CyclicLR(o, 0.01, 0.2, 5), lambda o: nn.optim.MultiStepLR(o, [1, 2])])
def test_a_run_with_any_schedule_resumes_exactly(make, tmp_path):
    def run(path, epochs):
        nn.seed(0)
        return with_schedule(make, epochs, checkpoint=path)[1].rows
    whole = run(tmp_path / "whole.npz", 4)
    run(tmp_path / "half.npz", 2)
    again = run(tmp_path / "half.npz", 4)
    assert [{**row, "seconds": 0} for row in whole] == [{**row, "seconds": 0} for row in again]


MISTAKES = [
    (lambda: nn.fit(network(), blobs(), loss="crossentropy"), nn.RangeError, "no loss 'crossentropy'"),
    (lambda: nn.fit(network(), blobs(), loss=3), nn.RangeError, "no loss 3"),
    (lambda: nn.fit(network(), [np.zeros((4, 2))], progress=False), nn.ShapeError, "inputs"),
    (lambda: nn.fit(network(), (np.zeros((0, 2), np.float32), np.zeros(0, np.int64)), progress=False), nn.ShapeError,
     "no batch"),
    (lambda: nn.fit(network(), 3), nn.DTypeError, "expected data.*got int"),
    (lambda: nn.fit(lambda x: x, blobs()), nn.DTypeError, "a model.*got function"),
    (lambda: nn.fit(network(), blobs(), epochs=-1), nn.RangeError, "epochs"),
    (lambda: nn.fit(network(), blobs(), epochs=1.5), nn.DTypeError, "epochs"),
    (lambda: nn.fit(network(), blobs(), patience=0), nn.RangeError, "patience"),
    (lambda: nn.fit(network(), blobs(), patience=True), nn.DTypeError, "patience"),
    (lambda: nn.fit(network(), blobs(), clip_norm=0), nn.RangeError, "clip_norm"),
    (lambda: nn.fit(network(), blobs(), clip_norm=-1.0), nn.RangeError, "clip_norm"),
    (lambda: nn.fit(network(), blobs(), clip_norm=float("nan")), nn.RangeError, "clip_norm"),
    (lambda: nn.fit(network(), blobs(), clip_norm="1"), nn.RangeError, "clip_norm"),
    (lambda: nn.fit(network(), blobs(), batch_size=0), nn.RangeError, "batch_size"),
    (lambda: nn.fit(network(), blobs(), optimizer="adm"), nn.RangeError, "Did you mean 'adam'"),
    (lambda: nn.fit(network(), blobs(), optimizer=nn.optim.SGD(network().parameters(), lr=0.1)), nn.RangeError,
     "an optimizer over parameters of this model, got one over none of them"),
    (lambda: nn.fit(network(), blobs(), scheduler=0.1), nn.DTypeError, "scheduler"),
    (lambda: nn.fit(network(), blobs(), metrics=[max]), nn.DTypeError, "metrics"),
    (lambda: nn.fit(network(), blobs(), on_epoch=3), nn.DTypeError, "on_epoch"),
    (lambda: nn.fit(network(), blobs(), checkpoint="c.pth"), nn.FileError, r"\.npz"),
    (lambda: nn.fit(network(), blobs(), checkpoint="no/such/folder/c.npz"), FileNotFoundError, "no folder"),
    (lambda: nn.fit(network(), blobs(), callbacks=3), nn.DTypeError, "a list of callbacks"),
    (lambda: nn.fit(network(), blobs(), callbacks=nn.training.Callback()), nn.DTypeError, r"\[\.\.\.\]"),
    (lambda: nn.fit(network(), blobs(), callbacks=[nn.training.Callback]), nn.DTypeError, r"Write Callback\(\)"),
    (lambda: nn.fit(network(), blobs(), callbacks=[print]), nn.DTypeError, "on_epoch="),
    (lambda: nn.fit(network(), blobs(), callbacks=[type("C", (nn.training.Callback,), {"on_epoch_begin": print})()]),
     nn.RangeError, "C.on_epoch_begin would never be called.*on_epoch_start"),
    (lambda: nn.fit(network(), blobs(), callbacks=[nn.training.Callback()] * 2), nn.RangeError, "twice"),
    (lambda: nn.evaluate(network(), (np.zeros((0, 2), np.float32), np.zeros(0, np.int64))), nn.ShapeError, "no batch"),
    (lambda: nn.evaluate(network(), blobs(), loss="nonesuch"), nn.RangeError, "evaluate: there is no loss"),
]


@pytest.mark.parametrize("call, error, words", MISTAKES)
def test_mistakes(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("settings", [
    {"epochs": -1}, {"patience": 0}, {"clip_norm": 0.0}, {"callbacks": [print]}, {"checkpoint": "c.pth"},
    {"loss": "none"}, {"metrics": 3}, {"batch_size": 0}, {"valid": 3}])
def test_a_mistake_is_told_before_any_work(settings):
    class Never(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 3)

        def forward(self, x):
            raise AssertionError("the model was called")
    with pytest.raises(nn.FastnnError):
        nn.fit(Never(), blobs(), **settings)


def test_validation_data_that_can_be_read_once_is_told():
    x, y = blobs()
    with pytest.raises(nn.ShapeError, match=r"validation: the data has no batch.*only once"):
        nn.fit(network(), (x, y), (b for b in [(nn.tensor(x), nn.tensor(y))]), epochs=2, progress=False)
    with pytest.raises(nn.ShapeError, match=r"training data has no batch.*only once"):
        nn.fit(network(), (b for b in [(nn.tensor(x), nn.tensor(y))]), epochs=2, progress=False)


def test_history_files(tmp_path):
    _, history = run(2)
    history.save(tmp_path / "h.csv")
    history.save(tmp_path / "h.jsonl")
    columns = (tmp_path / "h.csv").read_text().splitlines()[0]
    assert columns == "epoch,loss,accuracy,valid_loss,valid_accuracy,lr,seconds"
    assert len((tmp_path / "h.jsonl").read_text().splitlines()) == 2
    assert "svg" in history.plot()
    with pytest.raises(ValueError, match=r"\.csv or \.jsonl"):
        history.save(tmp_path / "h.txt")


# ---- what is no loss, no metric, no object -------------------------------------------------------
def small():
    nn.seed(1)
    rng = np.random.default_rng(0)
    data = rng.standard_normal((48, 2)).astype(np.float32), np.arange(48) % 3
    return nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3)), data


def refused(error, match, run=nn.fit, **settings):
    """The error comes before the first step: no parameter and no buffer has changed."""
    model, data = small()
    before = {key: t.data.copy() for key, t in model.state_dict().items()}
    with pytest.raises(error, match=match):
        run(model, data, **settings)
    for key, t in model.state_dict().items():
        np.testing.assert_array_equal(t.data, before[key])


@pytest.mark.parametrize("loss, error, match", [
    (lambda output, target: 1.0, nn.DTypeError, "loss: expected a scalar Tensor, got float"),
    (lambda output, target: None, nn.DTypeError, "got NoneType"),
    (lambda output, target: np.float32(1), nn.DTypeError, "got float32"),
    (lambda output, target: output, nn.ShapeError, r"expected a scalar Tensor, got \(\d+, 3\)"),
    (nn.CrossEntropyLoss, nn.DTypeError, r"Write CrossEntropyLoss\(\)"),
    ("__name__", nn.RangeError, "there is no loss"),
])
def test_what_is_no_loss_is_said(loss, error, match):
    refused(error, match, loss=loss, progress=False)
    refused(error, match, nn.evaluate, loss=loss)


@pytest.mark.parametrize("name", ["loss", "epoch", "lr", "seconds", "valid_loss"])
def test_a_metric_does_not_take_the_name_of_a_column(name):
    metrics = {name: lambda output, target: 7.0}
    refused(nn.RangeError, f"cannot be called '{name}'", metrics=metrics, progress=False)
    refused(nn.RangeError, f"cannot be called '{name}'", nn.evaluate, metrics=metrics)


@pytest.mark.parametrize("value, got", [(None, "None"), ("x", "'x'"), (np.ones(3), r"ndarray of shape \(3,\)")])
def test_a_metric_that_is_no_number_is_named(value, got):
    model, data = small()
    with pytest.raises(nn.DTypeError, match=f"the metric odd: expected a number, got {got}"):
        nn.fit(model, data, metrics={"odd": lambda output, target: value}, progress=False)


def test_classes_where_objects_are_meant_are_refused():
    refused(nn.DTypeError, r"Write optimizer=Adam\(", optimizer=nn.optim.Adam, progress=False)
    refused(nn.DTypeError, r"Write scheduler=StepLR\(", scheduler=nn.optim.StepLR, progress=False)
    refused(nn.DTypeError, "checkpoint: expected a path, got int", checkpoint=3, progress=False)
    with pytest.raises(nn.DTypeError, match=r"Write model=Linear\("):
        nn.fit(nn.Linear, small()[1])
    for data, match in ((nn.data.TensorDataset, "the class TensorDataset"), ({"x": 1}, "got a dict")):
        with pytest.raises(nn.DTypeError, match=match):
            nn.fit(small()[0], data, progress=False)


# ---- what is no number ---------------------------------------------------------------------------
X, Y = np.ones((4, 3), np.float32), [0, 1, 0, 1]
NONE, MISSING = [0, 1, None, 1], r"got None at row 2\. Is a value missing there\? Leave its row out, or fill in"


@pytest.mark.parametrize("data, words", [
    ((X, NONE), f"target: .* {MISSING}"), ((X, np.array(NONE)), f"target: .* {MISSING}"),
    ((X, None), "target: .* got None. Did a function return nothing"), ((None, Y), "input: .* got None. Did a"),
    (([[1.0], [2.0], None, [3.0]], Y), f"input: .* {MISSING}"),
    (([[1.0, None]] * 4, Y), "input: .* got None at row 0, column 1. Is a"), ((X, X, NONE), f"target: .* {MISSING}"),
    ((X, NONE, Y), f"input 1: .* {MISSING}"), ((X, ["cat", "dog"] * 2), "target: .* got 'cat' at row 0. Text becomes"),
    ((X, np.array(["cat", "dog"] * 2)), "target: .* got <U3. Text becomes"),
    ((X, [{"label": 1}] * 4), "target: .* got dict at row 0. Take out"),
    (([[1.0, 2.0], [3.0], [1.0], [1.0]], Y), "input: .* got a row of 1 at row 1 after a row of 2. Pad the shorter"),
    ([(X, NONE)], f"target: expected numbers, {MISSING}"), ([(X, np.array(NONE))], f"target: expected num.* {MISSING}"),
    ([(X, None)], "target: expected numbers, got None"),
    (((X, np.array(NONE)) for _ in range(9)), f"target.* {MISSING}"),
    ([(np.array([[1.0, 2.0, None]] * 4), nn.tensor(Y))], "input: expected numbers, got None at row 0, column 2")])
def test_what_is_no_number_in_the_data_is_named_with_its_row(data, words):
    """In the data for training, for validation and for evaluate."""
    model = nn.Linear(3, 2)
    before = model.weight.data.copy()
    with pytest.raises(nn.DTypeError, match=f"^fit, {words}"):
        nn.fit(model, data, epochs=1, progress=False)
    assert np.array_equal(model.weight.data, before)
    if isinstance(data, (tuple, list)):
        with pytest.raises(nn.DTypeError, match=f"^evaluate, {words}"):
            nn.evaluate(model, data)
        with pytest.raises(nn.DTypeError, match=f"^fit, (validation, )?{words}"):
            nn.fit(model, (X, Y), valid=data, epochs=1, progress=False)


def test_what_a_model_takes_need_not_be_numbers():
    """Words, a target that is None: the model and the loss decide."""
    class Lengths(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter([1.0])

        def forward(self, words):
            return self.scale * nn.tensor([float(len(word)) for word in words])
    model = Lengths()
    batches = ((words, None) for words in (("a", "bcd"), ("ab", "c")))
    nn.fit(model, batches, loss=lambda output, target: output.sum(), metrics={}, epochs=1, progress=False)
    assert model.scale.item() != 1
    # and an error of another kind stays what it is
    batches = ((words, nn.tensor([1, 2])) for words in (("a", "bcd"), ("ab", "c")))
    with pytest.raises(nn.DTypeError, match=r"^fit, add: "):
        nn.fit(model, batches, loss=lambda output, target: nn.add(output, "x").sum(), epochs=1, progress=False)
    with pytest.raises(nn.DTypeError, match=r"^predict, input: .* got None at row 0, column 1"):
        nn.predict(nn.Linear(2, 1), [[1.0, None]])


def test_what_refuses_the_data_is_told_with_the_name_of_the_function_that_was_called():
    model, x, y = nn.Linear(3, 2), np.zeros((8, 3), "float32"), np.zeros(8, "int64")
    wrong = {"float64": x.astype("float64"), "uint8": x.astype("uint8"), "(8, 2)": x[:, :2]}
    for words, data in wrong.items():
        for name, call in (("fit", lambda data=data: nn.fit(model, (data, y), progress=False)),
                           ("evaluate", lambda data=data: nn.evaluate(model, (data, y))),
                           ("predict", lambda data=data: nn.predict(model, data)),
                           ("fit, validation", lambda data=data: nn.fit(model, (x, y), (data, y), progress=False))):
            with pytest.raises(nn.FastnnError, match=rf"^{name}, model \(Linear 3 -> 2\)") as caught:
                call()
            assert words in str(caught.value)
    with pytest.raises(nn.DTypeError, match=r"^fit, mse_loss: .* float64"):
        nn.fit(model, (x, np.zeros((8, 2))), loss="mse", progress=False)
    for empty in ([], ()):
        with pytest.raises(nn.ShapeError, match=r"^fit, validation: .* got an empty"):
            nn.fit(model, (x, y), valid=empty)
    with pytest.raises(nn.ShapeError, match=r"^evaluate: the arrays differ in their number of samples"):
        nn.evaluate(model, (x, y[:3]))


def test_the_error_of_a_users_callback_keeps_its_words():
    class Refusing(nn.training.Callback):
        def on_step(self, state):
            raise nn.RangeError("no more", who="mine")
    with pytest.raises(nn.RangeError, match=r"^mine: no more"):
        nn.fit(nn.Linear(3, 2), (np.zeros((8, 3), "float32"), np.zeros(8, "int64")), callbacks=[Refusing()])


def test_predict_takes_inputs_and_no_target():
    x, y = np.zeros((8, 3), "float32"), np.zeros(8, "int64")
    for given in ((x, y), [x, y], (nn.tensor(x), nn.tensor(x))):
        with pytest.raises(nn.DTypeError, match=r"^predict, input: .* without the target.* predict\(model, x\)"):
            nn.predict(nn.Linear(3, 2), given)
    assert nn.predict(nn.Linear(3, 2), [row for row in x]).shape == (8, 2)
    assert nn.predict(nn.Linear(3, 2), ((1, 2, 3), (4, 5, 6.0))).shape == (2, 2)


def test_a_loss_that_overflows_after_too_large_a_step_names_the_learning_rate():
    x = np.ones((8, 3), "float32")
    model = nn.Linear(3, 1)
    with pytest.raises(nn.NonFiniteError, match=r"outputs are as large as .* Lower the learning rate"):
        nn.fit(model, (x, x[:, :1]), loss="mse", epochs=9, progress=False,
               optimizer=nn.optim.SGD(model.parameters(), lr=1e10))
    with pytest.raises(nn.NonFiniteError, match=r"the loss function made it.* Does the loss take logits"):
        nn.fit(nn.Linear(3, 1), (0 * x, x), loss=lambda output, target: (0 * output).log().mean(), progress=False)
