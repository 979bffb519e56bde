"""fit: learns, reports, resumes bit for bit, survives Ctrl-C, and says which layer made a NaN."""

import io
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import fastnn as nn
from fastnn.training.progress import Progress


def blobs(n=96, seed=3):
    """Three classes around three corners: easy, but not for a model that does not learn."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = np.array([[0, 2], [2, 0], [-2, -2]])[y] + 0.5 * rng.standard_normal((n, 2))
    return x.astype(np.float32), y


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


def bits(model):
    return {key: t.data.tobytes() for key, t in model.state_dict().items()}


def test_it_learns():
    model, history = run(15)
    assert history["valid_accuracy"][-1] > 0.95
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history.columns == ["epoch", "loss", "accuracy", "valid_loss", "valid_accuracy", "seconds"]
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


def test_resume_is_exact_bit_for_bit(tmp_path):
    whole, history = run(6)
    path = tmp_path / "state.npz"
    run(2, path)
    resumed, second = run(6, path)
    assert bits(resumed) == bits(whole)
    assert [{k: v for k, v in row.items() if k != "seconds"}
            for row in second] == [{k: v for k, v in row.items() if k != "seconds"}
                                                                                       for row in history]


def test_resume_in_the_middle_of_an_epoch_is_exact(tmp_path):
    # a job in the background starts with Ctrl-C ignored
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        resume_in_the_middle(tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)


def resume_in_the_middle(tmp_path):
    whole, history = run(3)
    path, model, count = tmp_path / "state.npz", network(0.3), [0]

    def interrupt(module, inputs, output):
        if module.training:
            count[0] += 1
            if count[0] == 8:                       # the second batch of the second epoch
                os.kill(os.getpid(), signal.SIGINT)
    nn.seed(11)
    model = network(0.3)
    model.register_forward_hook(interrupt)
    loader = nn.data.DataLoader(nn.data.TensorDataset(*blobs()), batch_size=16, shuffle=True, seed=5)
    first = nn.fit(model, loader, blobs(30, 4), optimizer=nn.optim.Adam(model.parameters(), lr=0.02), epochs=3,
                   checkpoint=path, progress=False)
    assert first.interrupted and len(first) == 1
    resumed, second = run(3, path)
    assert bits(resumed) == bits(whole)
    assert second["loss"] == history["loss"]


def test_ctrl_c_keeps_the_last_state(tmp_path):
    script = textwrap.dedent("""
        import os, signal, numpy as np, fastnn as nn
        signal.signal(signal.SIGINT, signal.default_int_handler)        # a job in the background starts with Ctrl-C ignored
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
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "kept" in done.stdout, done.stdout + done.stderr


def test_nan_names_the_layer():
    class Explode(nn.Module):
        def forward(self, x):
            return nn.functional.relu(x) * nn.tensor(np.float32(np.inf))
    model = nn.Sequential(nn.Linear(2, 4), Explode(), nn.Linear(4, 3))
    before = bits(model)
    with np.errstate(invalid="ignore"), pytest.raises(nn.NonFiniteError,
                                                      match=r"model\.1 \(Explode\).*epoch 1, batch 1.*first to make NaN"):
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


def test_nan_leaves_batch_norm_and_the_random_stream_alone():
    class Bad(nn.Module):
        def forward(self, x):
            return x / nn.tensor(np.zeros(1, np.float32))
    model = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), Bad())
    buffers = []
    model[2].register_forward_hook(lambda m, i, o: buffers.append(model[1].running_mean.data.copy()))
    with np.errstate(all="ignore"), pytest.raises(nn.NonFiniteError, match=r"model\.2 \(Bad\)"):
        nn.fit(model, blobs(), epochs=1, progress=False)
    np.testing.assert_array_equal(model[1].running_mean.data, buffers[0])


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


def test_a_file_that_is_no_checkpoint_is_told(tmp_path):
    nn.save({"weights": np.zeros(3)}, tmp_path / "x.npz")
    with pytest.raises(nn.FileError, match=r"x\.npz is not a checkpoint.*resume=False"):
        run(1, tmp_path / "x.npz")


def test_a_checkpoint_of_another_model_changes_nothing(tmp_path):
    run(1, tmp_path / "x.npz")
    model = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
    before = bits(model)
    with pytest.raises(nn.ShapeError, match="nothing was loaded"):
        run(1, tmp_path / "x.npz", model=model)
    assert bits(model) == before


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_in_a_pipe_is_one_line_per_epoch():
    pipe = io.StringIO()
    line = Progress(12, stream=pipe)
    line.batch(3, 1, 10, {"loss": 1.0})
    line.epoch(3, {"epoch": 3, "loss": 0.5, "valid_accuracy": 0.9, "seconds": 1.26})
    assert pipe.getvalue() == "epoch  3/12  loss 0.5000  valid accuracy 0.9000  1.3 s\n"


def test_progress_in_a_terminal_rewrites_its_line():
    terminal = Terminal()
    line = Progress(2, stream=terminal)
    line.batch(1, 5, 10, {"loss": 123.0})
    line.epoch(1, {"loss": 0.5})
    first, second = terminal.getvalue().split("\r")[1:]
    assert first.startswith("epoch 1/2  [##########----------]  5/10  loss 123.0000")
    assert second.startswith("epoch 1/2  loss 0.5000") and second.endswith("\n") and len(second.rstrip("\n")) >= len(first)


def test_mistakes():
    with pytest.raises(nn.RangeError, match="no loss 'crossentropy'"):
        nn.fit(network(), blobs(), loss="crossentropy")
    with pytest.raises(nn.ShapeError, match="inputs"):
        nn.fit(network(), [np.zeros((4, 2))], progress=False)
    with pytest.raises(nn.ShapeError, match="no batch"):
        nn.fit(network(), (np.zeros((0, 2), np.float32), np.zeros(0, np.int64)), progress=False)


def test_history_files(tmp_path):
    _, history = run(2)
    history.save(tmp_path / "h.csv")
    history.save(tmp_path / "h.jsonl")
    assert (tmp_path / "h.csv").read_text().splitlines()[0] == "epoch,loss,accuracy,valid_loss,valid_accuracy,seconds"
    assert len((tmp_path / "h.jsonl").read_text().splitlines()) == 2
    assert "svg" in history.plot()
    with pytest.raises(ValueError, match=r"\.csv or \.jsonl"):
        history.save(tmp_path / "h.txt")
