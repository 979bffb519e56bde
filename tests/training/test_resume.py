"""Checkpoints: an interrupted run goes on bit for bit; one that does not fit changes nothing."""

import collections
import copy
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from sabotage import every_place, replaced
from toy import blobs

import fastnn as nn


def network(width=16):
    return nn.Sequential(nn.Linear(2, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(0.3), nn.Linear(width, 3))


class Counter(nn.training.Callback):
    """A callback with a memory: a sum over the batches, which also steers the run."""

    def __init__(self):
        self.total = np.zeros(3)

    def on_step(self, state):
        self.total[state.batch % 3] += state.loss
        state.optimizer.param_groups[0]["weight_decay"] = 1e-3 * float(self.total[0] % 1)

    def state_dict(self):
        return {"total": self.total}

    def load_state_dict(self, state):
        total = np.asarray(state["total"])
        if total.shape != (3,) or total.dtype.kind != "f":
            raise nn.ShapeError(who="Counter", expected=(3,), got=total.shape)
        self.total = total.copy()


class Run:
    """Everything that a training run is made of, always from the same seeds."""

    def __init__(self, interval="step", width=16, lr=0.02, callbacks=1):
        nn.seed(11)
        self.model = network(width)
        self.optimizer = nn.optim.AdamW(self.model.parameters(), lr=lr)
        self.loader = nn.data.DataLoader(nn.data.TensorDataset(*blobs()), batch_size=16, shuffle=True, seed=5)
        self.scheduler = nn.optim.CosineAnnealingLR(self.optimizer, 40, interval=interval)
        self.counters = [Counter() for _ in range(callbacks)]

    def fit(self, path=None, epochs=6, **settings):
        settings = {"scheduler": self.scheduler, "clip_norm": 1.0, "patience": 4, "restore_best": True,
                    "progress": False, "callbacks": [*self.counters, *settings.pop("more", ())], **settings}
        return nn.fit(self.model, self.loader, blobs(30, 4), optimizer=self.optimizer, epochs=epochs, checkpoint=path,
                      **settings)

    def bits(self):
        """All that a run changes, as bytes and plain values."""
        def plain(value):
            if isinstance(value, nn.Tensor):
                value = value.data
            if isinstance(value, np.ndarray):
                return value.dtype.str, value.shape, value.tobytes()
            if isinstance(value, dict):
                return {k: plain(v) for k, v in value.items()}
            return [plain(v) for v in value] if isinstance(value, (list, tuple)) else value
        return plain({
            "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "loader": vars(self.loader),
            "scheduler": vars(self.scheduler) | {"optimizer": None}, "counters": [c.total for c in self.counters],
            "random": nn.random.random_state(), "modes": [m.training for m in self.model.modules()]})


def rows(history):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in history]


def same_end(one, history, other, second):
    """Both runs ended in the same place."""
    a, b = one.bits(), other.bits()
    for bits in (a, b):                     # a loader that was resumed says so until it is used up
        bits["loader"] = {k: bits["loader"][k] for k in ("seed", "epoch")}
    assert a == b and rows(history) == rows(second)


class Interrupt(nn.training.Callback):
    """Presses Ctrl-C in a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, state):
        if state.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)

    def state_dict(self):
        return {}


@pytest.fixture
def ctrl_c():
    """A job in the background starts with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


# ---- going on ------------------------------------------------------------------------------------
@pytest.mark.parametrize("ending", [".npz", ".safetensors"])
@pytest.mark.parametrize("interval", ["epoch", "step"])
def test_resume_is_exact(tmp_path, interval, ending):
    path = tmp_path / f"c{ending}"
    whole = Run(interval)
    history = whole.fit()
    Run(interval).fit(path, epochs=2)
    resumed = Run(interval)
    same_end(whole, history, resumed, resumed.fit(path))


@pytest.mark.parametrize("step", [0, 1, 5, 6, 8, 11, 20])
def test_resume_from_ctrl_c_is_exact(tmp_path, ctrl_c, step):
    path = tmp_path / "c.npz"
    whole = Run()
    history = whole.fit()
    first = Run().fit(path, more=[Interrupt(step)])
    assert first.interrupted and len(first) == (step + 1) // 6
    resumed = Run()
    same_end(whole, history, resumed, resumed.fit(path))


def test_resume_from_a_stop_in_the_middle_is_exact(tmp_path):
    class StopAt(nn.training.Callback):
        def on_batch_end(self, state):
            if state.step in (3, 4, 17):
                state.stop()
    path = tmp_path / "c.npz"
    whole = Run()
    history = whole.fit()
    for _ in range(4):              # in the first epoch twice, in the third once, and to the end
        resumed = Run()
        second = resumed.fit(path, more=[StopAt()])
    same_end(whole, history, resumed, second)


def test_resume_with_patience_is_exact(tmp_path):
    """The count of epochs without improvement and the best weights go on, too."""
    def run(path=None, stop=None):
        this = Run(lr=0.5)
        history = this.fit(path, 30, patience=2, scheduler=None, on_epoch=lambda epoch, row: epoch == stop)
        return this, history
    whole, history = run()
    assert history.stopped_early and history.best()["epoch"] == len(history) - 2
    for stop in range(1, len(history) + 1):
        path = tmp_path / f"{stop}.npz"
        first, _ = run(path, stop)
        resumed, second = run(path)
        assert second.stopped_early and resumed.bits()["model"] == whole.bits()["model"]
        assert rows(second) == rows(history)


def test_patience_is_counted_from_the_history_where_no_file_knew_it(tmp_path):
    path = tmp_path / "c.npz"
    history = Run(lr=0.5).fit(path, 5, patience=None, restore_best=False, scheduler=None)
    since = 5 - history.best()["epoch"]
    assert since > 0
    history = Run(lr=0.5).fit(path, 9, patience=since, restore_best=False, scheduler=None)
    assert history.stopped_early and len(history) == 5
    history = Run(lr=0.5).fit(path, 9, patience=since + 1, restore_best=False, scheduler=None)
    assert len(history) > 5


def test_callbacks_of_one_class_keep_their_own_state(tmp_path):
    class Twice(Counter):
        def on_step(self, state):
            self.total[0] += 1
    path = tmp_path / "c.npz"
    Run().fit(path, 1, more=[a := Twice(), b := Twice()])
    b.total[1] = 7.0
    Run().fit(path, 2, resume=False, more=[a, b])
    assert [c.total.tolist() for c in (a, b)] == [[18, 0, 0], [18, 7, 0]]
    again = [Twice(), Twice()]
    Run().fit(path, 2, more=again)
    assert [c.total.tolist() for c in again] == [[18, 0, 0], [18, 7, 0]]


def test_a_finished_run_is_not_trained_again(tmp_path):
    path = tmp_path / "c.npz"
    done = Run()
    done.fit(path, 2)
    again = Run()
    assert len(again.fit(path, 2)) == 2 and again.bits()["model"] == done.bits()["model"]


def test_the_step_counts_on(tmp_path):
    path, seen = tmp_path / "c.npz", []

    class Look(nn.training.Callback):
        def on_batch_end(self, state):
            seen.append(state.step)
    Run().fit(path, 1)
    Run().fit(path, 2, more=[Look()])
    assert seen == list(range(7, 13))


# ---- Ctrl-C --------------------------------------------------------------------------------------
def test_ctrl_c_keeps_the_last_state(tmp_path):
    script = textwrap.dedent("""
        import os, signal, numpy as np, fastnn as nn
        signal.signal(signal.SIGINT, signal.default_int_handler)        # a job in the background starts with it ignored
        model = nn.Linear(2, 2)
        x, y = np.ones((64, 2), np.float32), np.zeros(64, np.int64)
        def stop(epoch, row):
            if epoch == 3:
                os.kill(os.getpid(), signal.SIGINT)
        history = nn.fit(model, (x, y), epochs=1000, checkpoint="c.npz", on_epoch=stop)
        assert history.interrupted and len(history) in (3, 4), len(history)
        assert nn.load("c.npz")["epoch"] == len(history)
        print("kept", len(history))
    """)
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == 0 and "kept" in done.stdout, done.stdout + done.stderr
    assert "interrupted after epoch" in done.stdout


def test_ctrl_c_says_what_was_kept(tmp_path, ctrl_c, capsys):
    path = tmp_path / "c.npz"
    Run().fit(path, more=[Interrupt(8)], progress=True)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"interrupted in epoch 2: the model keeps its last whole step, and {path} resumes from it"


def test_ctrl_c_in_batches_that_cannot_be_resumed_keeps_the_last_epoch(tmp_path, ctrl_c, capsys):
    x, y = blobs()
    path, batches = tmp_path / "c.npz", [(nn.tensor(x[i:i + 16]), nn.tensor(y[i:i + 16])) for i in range(0, 96, 16)]

    class Endless:
        def __iter__(self):
            while True:
                yield from batches
    for data in (batches, Endless()):
        path.unlink(missing_ok=True)
        model = network()
        history = nn.fit(model, data, epochs=3, checkpoint=path, callbacks=[Interrupt(8)])
        assert history.interrupted and len(history) == (data is batches)
        assert "resumes" not in capsys.readouterr().out
        assert path.exists() == (data is batches)
    nn.fit(model, batches, epochs=1, checkpoint=path, progress=False)
    assert nn.load(path)["partial"] is None


def test_a_second_ctrl_c_in_a_step_leaves_the_checkpoint_alone(tmp_path, ctrl_c):
    class Impatient(nn.training.Callback):
        def on_step(self, state):
            if state.step == 8:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000):               # the signal arrives between two instructions
                    pass
    path = tmp_path / "c.npz"
    whole = Run()
    history = whole.fit()
    first = Run().fit(path, more=[Impatient()])
    assert first.interrupted and nn.load(path)["partial"] is None and nn.load(path)["epoch"] == 1
    resumed = Run()
    same_end(whole, history, resumed, resumed.fit(path))


# ---- a checkpoint that does not fit --------------------------------------------------------------
@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A checkpoint in the middle of the second epoch."""
    class Stop(nn.training.Callback):
        def on_batch_end(self, state):
            if state.step == 8:
                state.stop()
    path = tmp_path_factory.mktemp("good") / "c.npz"
    Run().fit(path, more=[Stop()])
    return nn.load(path)


FIELDS = ["fastnn", "model", "optimizer", "loader", "scheduler", "callbacks", "random", "history", "epoch", "step",
          "partial"]


def change(*keys, to):
    """A checkpoint with one value replaced; `to` may be a function of what is there."""
    def spoil(state):
        here = state
        for key in keys[:-1]:
            here = here[key]
        here[keys[-1]] = to(here[keys[-1]]) if callable(to) else to
    return spoil


def without(*keys):
    def spoil(state):
        here = state
        for key in keys[:-1]:
            here = here[key]
        del here[keys[-1]]
    return spoil


BAD = [
    *((f"{field}: nonsense", field, change(field, to="nonsense")) for field in FIELDS),
    *((f"{field}: a number", field, change(field, to=7)) for field in FIELDS if field not in ("epoch", "step")),
    *((f"{field}: a list", field, change(field, to=[1, 2])) for field in FIELDS),
    *((f"{field}: an empty dict", field, change(field, to={})) for field in FIELDS if field != "callbacks"),
    *((f"{field}: None", field, change(field, to=None)) for field in FIELDS if field != "partial"),
    *((f"{field}: missing", "complete", without(field)) for field in FIELDS),
    ("a field too many", "complete", change("extra", to=3)),
    ("model: a shape", "model", change("model", "0.weight", to=np.zeros((3, 3), np.float32))),
    ("model: a key", "model", without("model", "4.bias")),
    ("optimizer: a shape", "optimizer", change("optimizer", "state", 1, "exp_avg", to=np.zeros(3, np.float32))),
    ("model: a count below 0", "model", change("model", "1.num_batches_tracked", to=np.array(-1))),
    ("model: a variance below 0", "model", change("model", "1.running_var", to=lambda a: a - 10)),
    ("optimizer: a square below 0", "optimizer", change("optimizer", "state", 0, "exp_avg_sq", to=lambda a: a - 1)),
    ("model: NaN", "model", change("model", "0.weight", to=lambda a: a + np.float32("nan"))),
    ("optimizer: NaN", "optimizer", change("optimizer", "state", 0, "exp_avg", to=lambda a: a + np.float32("nan"))),
    ("optimizer: a setting", "optimizer", change("optimizer", "param_groups", 0, "lr", to=-1.0)),
    ("optimizer: a group", "optimizer", change("optimizer", "param_groups", to=lambda groups: groups * 2)),
    ("optimizer: text", "optimizer", change("optimizer", "state", 2, "step", to="x")),
    ("loader: position", "loader", change("loader", "position", to=10_000)),
    ("loader: seed", "loader", change("loader", "seed", to=-1)),
    ("loader: epoch", "loader", change("loader", "epoch", to=1.5)),
    ("scheduler: groups", "scheduler", change("scheduler", "base_lrs", to=[0.1, 0.2])),
    ("scheduler: epoch", "scheduler", change("scheduler", "last_epoch", to="x")),
    ("callbacks: a list", "callbacks", change("callbacks", "Counter", to=[1])),
    ("callbacks: a shape", "callbacks", change("callbacks", "Counter", "total", to=np.zeros(4))),
    ("callbacks: a key", "callbacks", without("callbacks", "Counter", "total")),
    ("callbacks: patience", "callbacks", change("callbacks", "Patience", "best_epoch", to="x")),
    ("callbacks: weights", "callbacks", change("callbacks", "Patience", "weights", to={"0.weight": 3})),
    ("callbacks: weights of another model", "callbacks",
     change("callbacks", "Patience", "weights", "0.weight", to=np.zeros((3, 3), np.float32))),
    ("callbacks: a count of weights below 0", "callbacks",
     change("callbacks", "Patience", "weights", "1.num_batches_tracked", to=np.array(-1))),
    ("callbacks: a variance of weights below 0", "callbacks",
     change("callbacks", "Patience", "weights", "1.running_var", to=lambda a: a - 10)),
    ("random: generator", "random", change("random", "generator", to="nonsense")),
    ("random: another generator", "random", change("random", "generator", "bit_generator", to="MT19937")),
    ("random: key", "random", change("random", "dropout_key", to="x")),
    ("random: calls", "random", without("random", "dropout_calls")),
    ("history: too short", "history", change("history", to=[])),
    ("history: a row", "history", change("history", 0, to="x")),
    ("history: text", "history", change("history", 0, "loss", to="x")),
    ("history: no loss", "history", without("history", 0, "loss")),
    ("history: a column without a name", "history", change("history", 0, to=lambda row: {**row, 3: 1.0})),
    *((f"history: {value!r} in a column", "history", change("history", 0, "accuracy", to=value))
      for value in ("x", None, True, [1.0], {})),
    ("history: NaN as a loss", "history", change("history", 0, "loss", to=float("nan"))),
    ("history: NaN as seconds", "history", change("history", 0, "seconds", to=float("nan"))),
    ("history: another epoch", "history", change("history", 0, "epoch", to=5)),
    ("epoch: negative", "epoch", change("epoch", to=-1)),
    ("epoch: too many", "history", change("epoch", to=3)),
    ("epoch: half", "epoch", change("epoch", to=1.0)),
    ("step: negative", "step", change("step", to=-1)),
    ("step: half", "step", change("step", to=1.5)),
    ("partial: batch", "partial", change("partial", "batch", to="x")),
    ("partial: more batches than samples", "partial",
     lambda state: (change("partial", "batch", to=33)(state), change("step", to=50)(state))),
    ("loader: fewer samples than batches", "partial", change("loader", "position", to=1)),
    ("partial: no batch", "partial", change("partial", "batch", to=0)),
    ("partial: count", "partial", change("partial", "count", to=-3)),
    ("partial: seconds", "partial", change("partial", "seconds", to=None)),
    ("partial: other metrics", "partial", without("partial", "sums", "accuracy")),
    ("partial: text", "partial", change("partial", "sums", "loss", to="x")),
    ("partial: a key", "partial", without("partial", "sums")),
]


@pytest.mark.parametrize("what, named, spoil", BAD, ids=[row[0] for row in BAD])
def test_a_checkpoint_with_one_wrong_field_changes_nothing(tmp_path, good, what, named, spoil):
    state = copy.deepcopy(good)
    spoil(state)
    path = tmp_path / "c.npz"
    nn.save(state, path)
    kept = path.read_bytes()
    run = Run()
    run.fit(epochs=1)                           # not as it was made: what is put back must be this
    nn.randn(3)
    before = run.bits()
    with pytest.raises(nn.FastnnError) as caught:
        run.fit(path)
    text = str(caught.value)
    assert str(path) in text and (named in text or "not a checkpoint" in text) and "resume=False" in text, text
    assert run.bits() == before and path.read_bytes() == kept


NONSENSE = ["nonsense", None, True, float("nan"), -1, 1.5, 2**70, [], {}, {"a": 1}, (1, 2), np.zeros((2, 7))]
# Values that say something else, but nothing wrong: no other field could contradict them
SENSIBLE = [
    (("optimizer", "param_groups", 0, "maximize"), (True,)),
    (("optimizer", "param_groups", 0), (1.5, 2**70)), (("scheduler", "base_lrs", 0), (1.5, 2**70)),
    (("scheduler", "_last_lr", 0), (1.5, 2**70)), (("scheduler", "eta_min"), (1.5, 2**70)),
    (("optimizer", "state"), ({},)), (("history", 0, "lr"), (-1, 1.5, 2**70, float("nan"))),
    (("callbacks",), ({},)), (("callbacks", "Patience", "weights"), (None,)),
    (("callbacks", "Patience", "best"), (-1, 1.5, 2**70)),
    (("random", "generator", "state"), (2**70,)), (("history", 0, "loss"), (-1, 1.5, 2**70)),
    (("history", 0, "accuracy"), (-1, 1.5, 2**70, float("nan"))), (("history", 0, "seconds"), (1.5, 2**70)),
    (("history", 0, "valid_loss"), (-1, 1.5, 2**70, float("nan"))),
    (("history", 0, "valid_accuracy"), (-1, 1.5, 2**70, float("nan"))),
    (("partial", "sums", "loss"), (-1, 1.5, 2**70)), (("partial", "counts"), (1.5, 2**70)),
    (("partial", "sums", "accuracy"), (-1, 1.5, 2**70, float("nan"))), (("partial", "seconds"), (1.5, 2**70)),
]


def is_sensible(place, value):
    return any(place[:len(known)] == known and repr(value) in map(repr, values) for known, values in SENSIBLE)


@pytest.mark.parametrize("field", FIELDS)
def test_nonsense_in_any_place_is_refused_by_file_and_field(tmp_path, good, field, monkeypatch):
    # a hundred files that no power cut will meet
    monkeypatch.setattr(os, "fsync", lambda file: None)
    path = tmp_path / "c.npz"
    run = Run()
    run.fit(epochs=1)
    before = run.bits()
    tried = 0
    for place in every_place(good[field], (field,)):
        if place[:2] == ("optimizer", "state") and place[2:3] > (1,):
            continue                                # as those of the first two parameters
        for value in NONSENSE:
            if repr(replaced(good, place, value)) == repr(good) or is_sensible(place, value):
                continue
            nn.save(replaced(good, place, value), path)
            with pytest.raises(nn.FastnnError) as caught:
                run.fit(path)
                raise AssertionError(f"{place} = {value!r} was accepted")
            text = str(caught.value)
            assert str(path) in text and (field in text or "not a checkpoint" in text), (place, value, text)
            assert run.bits() == before, (place, value)
            tried += 1
    assert tried >= len(NONSENSE) - 2


def test_the_good_one_is_good(tmp_path, good):
    nn.save(good, tmp_path / "c.npz")
    whole, resumed = Run(), Run()
    history = whole.fit()
    same_end(whole, history, resumed, resumed.fit(tmp_path / "c.npz"))
    assert set(good) == set(FIELDS)


@pytest.mark.parametrize("other, named", [
    (dict(width=8), "model"), (dict(scheduler=None), "scheduler"), (dict(metrics={}), "partial"),
    (dict(optimizer="SGD"), "optimizer"), (dict(loader="batches"), "loader")])
def test_a_checkpoint_of_another_run_changes_nothing(tmp_path, good, other, named):
    path = tmp_path / "c.npz"
    nn.save(good, path)
    run = Run(width=other.pop("width", 16))
    if other.pop("optimizer", None):
        run.optimizer = nn.optim.SGD(run.model.parameters(), momentum=0.9)
        run.scheduler = nn.optim.CosineAnnealingLR(run.optimizer, 40)
    before = run.bits()
    if other.pop("loader", None):
        run.loader = [(nn.tensor(blobs()[0]), nn.tensor(blobs()[1]))]
        before = None
    with pytest.raises(nn.FastnnError, match=rf"cannot resume from .*c\.npz: its {named} does not fit"):
        run.fit(path, **other)
    assert before is None or run.bits() == before


def test_a_run_without_a_scheduler_does_not_resume_with_one(tmp_path):
    path = tmp_path / "c.npz"
    Run().fit(path, 1, scheduler=None)
    run = Run()
    before = run.bits()
    with pytest.raises(nn.FileError, match="scheduler does not fit: the run was saved without one"):
        run.fit(path, 2)
    assert run.bits() == before


def test_an_error_of_a_users_own_class_is_told_and_undone(tmp_path, good):
    class Careless(Counter):
        def load_state_dict(self, state):
            self.total[0] = 99.0                    # changed first, looked at later
            raise KeyError("no such thing")
    Careless.__name__ = "Counter"
    path = tmp_path / "c.npz"
    nn.save(good, path)
    run = Run()
    run.counters = [Careless()]
    run.counters[0].total = [1.0, 2.0, 3.0]
    before = run.bits()
    with pytest.raises(nn.FileError, match=r"callbacks does not fit \(KeyError: 'no such thing'\)"):
        run.fit(path)
    assert run.bits() == before


class InPlace(nn.training.Callback):
    """Loads its state into what it has: arrays, nested lists, an object of its own."""

    class Meter:
        value = 0

    def __init__(self, value):
        self.meter, self.rows = self.Meter(), [[value], {"deep": [value]}, (value, [value])]
        self.total, self.tensor, self.meter.value = np.full(3, value), nn.full((2,), value), value
        self.past, self.counts = collections.deque([value]), collections.Counter({"a": int(value)})
        self.average = nn.Linear(1, 1)
        self.average.weight.data[...] = value

    def state_dict(self):
        return {"value": self.meter.value}

    def load_state_dict(self, state):
        value = state["value"]
        self.total[...], self.meter.value = value, value
        self.tensor.fill_(value)
        self.rows[0].append(value)
        self.rows[1]["deep"][0] = value
        self.rows[2][1][0] = value
        self.past.append(value)
        self.counts["b"] += 1
        self.average.weight.data[...] = value
        self.average.eval()

    def all(self):
        return (self.total.tolist(), self.tensor.tolist(), self.rows, self.meter.value, list(self.past),
                dict(self.counts), self.average.weight.tolist(), self.average.training)


class Refuses(InPlace):
    def load_state_dict(self, state):
        raise nn.FileError("I do not like it")


def test_state_that_is_loaded_in_place_is_put_back(tmp_path):
    path = tmp_path/"run.npz"
    Run().fit(path, epochs=1, more=[InPlace(1.0), InPlace(1.0)])
    other = [InPlace(2.0), InPlace(2.0)]
    other[1].__class__ = type("InPlace", (Refuses,), {})
    with pytest.raises(nn.FileError, match=r"callbacks.*I do not like it"):
        Run().fit(path, epochs=2, more=other)
    assert [one.all() for one in other] == [InPlace(2.0).all()] * 2


def test_a_file_that_is_no_checkpoint_is_told(tmp_path):
    nn.save({"weights": np.zeros(3)}, tmp_path / "x.npz")
    with pytest.raises(nn.FileError, match=r"x\.npz is not a checkpoint.*resume=False"):
        Run().fit(tmp_path / "x.npz")


def test_a_checkpoint_that_is_damaged_is_told(tmp_path, good):
    path = tmp_path / "c.npz"
    nn.save(good, path)
    path.write_bytes(path.read_bytes()[:-100])
    run = Run()
    before = run.bits()
    with pytest.raises(nn.FileError, match=r"c\.npz"):
        run.fit(path)
    assert run.bits() == before


def test_resume_false_begins_anew(tmp_path):
    path = tmp_path / "c.npz"
    path.write_bytes(b"anything")
    assert len(Run().fit(path, 1, resume=False)) == 1 and nn.load(path)["epoch"] == 1
