"""report(model, data): any classifier, any labelled data, and texts of the caller's own."""

import numpy as np
import pytest
from viz_reading import Page

import fastnn as nn
from fastnn.errors import DTypeError, RangeError, ShapeError
from fastnn.report.classifier import probabilities


def images(n=12, channels=1, size=8):
    rng = np.random.default_rng(1)
    return rng.random((n, channels, size, size), dtype=np.float32), np.arange(n) % 3


def network(channels=1):
    return nn.Sequential({"conv": nn.Conv2d(channels, 4, 3, padding=1), "norm": nn.BatchNorm2d(4), "relu": nn.ReLU(),
                          "flatten": nn.Flatten(), "fc": nn.Linear(4*64, 3)})


@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_on_images_fills_every_section_that_it_can(channels):
    x, y = images(channels=channels)
    model = network(channels)
    history = nn.fit(model, (x, y), epochs=2, progress=False)
    found = nn.viz.report(model, (x, y), classes=["a", "b", "c"], history=history, train=(x, y))
    html = found.html()
    parsed = Page(html)
    assert {"learning", "confusion", "mistakes", "filters", "maps", "summary"} <= set(parsed.ids)
    said = model.eval()(nn.tensor(x)).data.argmax(1)
    assert found.tested == 12 and found.accuracy == (said == y).mean()
    assert np.trace(found.confusion.matrix) == (said == y).sum() and found.mistakes_total == (said != y).sum()
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert found.feature_maps.image.shape == ((8, 8) if channels == 1 else (8, 8, 3))
    assert "digit" not in html.lower()


def test_the_texts_are_the_callers_own():
    x, y = images()
    found = nn.viz.report(network(), (x, y), title="My title", lead="My lead.", item="leaf",
                          headings={"confusion": "Mixed up"},
                          captions={"confusion": "Look here.", "maps": ""}, attribution="My data", command="mine")
    html = found.html()
    for text in ("My title", "My lead.", "Mixed up", "Look here.", "My data", "mine", "leafs"):
        assert text in html
    assert "Each row is what" not in html and "Each small picture" not in html
    with pytest.raises(ValueError, match="no section 'confusions'; the sections are learning, confusion"):
        nn.viz.report(network(), (x, y), captions={"confusions": "?"})
    with pytest.raises(TypeError, match="headline"):
        nn.viz.report(network(), (x, y), headline="?")


def test_mistakes_are_shown_surest_first_and_the_right_ones_are_not():
    x, y = images(n=6)
    scores = np.log([[.9, .05, .05], [.1, .8, .1], [.5, .3, .2], [.6, .3, .1], [.2, .2, .6], [.1, .1, .8]])
    found = nn.viz.report(lambda batch: nn.tensor(scores), (x, y))
    assert [(m.index, m.said, m.truth) for m in found.mistakes] == [(4, 2, 1), (2, 0, 2)]
    assert found.mistakes[0].confidence == pytest.approx(0.6) and found.accuracy == pytest.approx(4/6)
    perfect = nn.viz.report(lambda batch: nn.tensor(np.eye(3)[y]), (x, y))
    assert perfect.mistakes == [] and "None: it was right on every image" in perfect.html()


CLASSIFIERS = {
    "scores": (lambda x: nn.tensor(np.stack([-5*x[:, 0].data, 5*x[:, 0].data], 1)), 2),
    "probabilities": (lambda x: nn.tensor(np.stack([x[:, 0].data < 0, x[:, 0].data >= 0], 1).astype("float32")), 2),
    "one score a sample": (lambda x: x[:, 0], 2),
    "one column": (lambda x: x[:, :1], 2),
    "one probability a sample": (lambda x: nn.sigmoid(x[:, 0]), 2),
    "an array": (lambda x: np.stack([-x[:, 0].data, x[:, 0].data], 1), 2),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_any_function_that_classifies(name):
    x = np.random.default_rng(0).standard_normal((40, 3)).astype("float32")
    y = (x[:, 0] > 0).astype(int)
    function, _ = CLASSIFIERS[name]
    shares = probabilities(function, x, 7)
    assert shares.shape == (40, 2) and np.allclose(shares.sum(1), 1)
    found = nn.viz.report(function, (x, y), batch_size=7)
    assert found.accuracy == 1.0 and found.filters is None and found.item == "sample"
    Page(found.html())


def test_an_object_with_predict_proba():
    class Half:
        def predict_proba(self, x):
            return np.full((len(x), 4), 0.25)
    found = nn.viz.report(Half(), (np.zeros((5, 2)), np.zeros(5, int)))
    assert found.accuracy == 1.0 and found.confusion.matrix.shape == (4, 4)


@pytest.mark.parametrize("wrap", [lambda x, y: (x, y), nn.data.TensorDataset,
                                  lambda x, y: nn.data.DataLoader(nn.data.TensorDataset(x, y), batch_size=5),
                                  lambda x, y: [(x[:4], y[:4]), (x[4:6], y[4:6]), (x[6:], y[6:])]])
def test_data_in_every_form_give_the_same_page(wrap):
    x, y = images()
    model = network()
    want = nn.viz.report(model, (x, y)).html()
    assert nn.viz.report(model, wrap(x, y)).html() == want


def test_tokens_and_tables_are_not_taken_for_images():
    tokens, labels = np.arange(20).reshape(10, 2) % 7, np.arange(10) % 2
    model = nn.Sequential(nn.Embedding(7, 3), nn.Flatten(), nn.Linear(6, 2))
    found = nn.viz.report(model, (tokens, labels))
    assert found.feature_maps is None and all(m.image is None for m in found.mistakes)
    Page(found.html())
    table = nn.viz.report(nn.Linear(3, 2), (np.zeros((4, 3), np.float32), np.array([0, 1, 0, 1])))
    assert table.summary and "sample" in table.html()


def test_the_model_is_left_as_it_was():
    x, y = images()
    model = network().train()
    model.norm.eval()
    before = {name: t.data.copy() for name, t in model.state_dict().items()}
    nn.viz.report(model, (x, y))
    assert model.training and not model.norm.training and model.conv.training
    assert all(np.array_equal(before[name], t.data) for name, t in model.state_dict().items())
    with pytest.raises(ShapeError):
        nn.viz.report(model, (x[:, :, :4], y))
    assert model.training and not model.norm.training and model.conv.training


def test_nan_is_no_answer():
    x, y = images(n=3)
    scores = np.array([[np.nan, 1.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    html = nn.viz.report(lambda batch: nn.tensor(scores), (x, y)).html()
    Page(html)
    assert "nan" not in html.lower().replace("nan</", "")


def test_many_classes_make_a_page_that_can_be_opened():
    count = 2000
    y = np.arange(count)
    found = nn.viz.report(lambda x: nn.tensor(np.eye(count, dtype="float32")[(y + (y % 7 == 0)) % count]),
                          (np.zeros((count, 2), "float32"), y), batch_size=count)
    html = found.html()
    assert len(html) < 500_000 and "30 of 2000 classes are shown" in html


def test_training_data_may_be_a_dataset():
    train = nn.data.digits("train")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    found = nn.viz.report(model, nn.data.digits("test"), train=train)
    assert np.array_equal(found.samples, np.asarray(train[:24][0])[:, 0])


def test_saves_as_one_file(tmp_path):
    x, y = images()
    path = nn.viz.report(network(), (x, y)).save(tmp_path/"page.html")
    assert path.read_text("utf-8").startswith("<!DOCTYPE html>") and [p.name
                                                                      for p in tmp_path.iterdir()] == ["page.html"]


X, Y = images()


@pytest.mark.parametrize("call, error, words", [
    (lambda: nn.viz.report(network(), (X, Y[:5])), ShapeError, "12 labels.*5 labels"),
    (lambda: nn.viz.report(network(), (X, Y + 0.5)), DTypeError, "whole numbers.*float64"),
    (lambda: nn.viz.report(network(), (X, np.eye(3)[Y])), DTypeError, r"\(12, 3\)"),
    (lambda: nn.viz.report(network(), (X, Y + 1)), RangeError, "0 to 2.*3"),
    (lambda: nn.viz.report(network(), (X, Y - 1)), RangeError, "0 to 2.*-1"),
    (lambda: nn.viz.report(network(), (X, Y), classes=["a", "b"]), ShapeError, "3 names.*2 names"),
    (lambda: nn.viz.report(network(), (X, Y), layers=["conv9"]), RangeError, "no such layer.*conv.*conv9"),
    (lambda: nn.viz.report(network(), (X, Y), example=99), RangeError, "0 to 11.*99"),
    (lambda: nn.viz.report(lambda x: x, (X, Y)), ShapeError, r"\(N, classes\)"),
    (lambda: nn.viz.report(lambda x: nn.zeros(3, 2), (X, Y)), ShapeError, "12 rows.*3 rows"),
    (lambda: nn.viz.report(lambda x: nn.zeros(12, 3), (X, Y), layers=["conv"]), DTypeError, "a Module"),
    (lambda: nn.viz.report("model.npz", (X, Y)), DTypeError, "no classifier.*str"),
    (lambda: nn.viz.report(network(), []), ShapeError, "empty"),
    (lambda: nn.viz.report(network(), None), DTypeError, "no data.*NoneType"),
    (lambda: nn.viz.report(network(), "digits"), DTypeError, "no data.*str"),
    (lambda: nn.viz.report(lambda x: None, (X, Y)), DTypeError, "scores.*NoneType"),
    (lambda: nn.viz.report(lambda x: "cat", (X, Y)), DTypeError, "scores.*str"),
    (lambda: nn.viz.report(lambda x: nn.zeros(12, 0), (X, Y)), ShapeError, "classes"),
    (lambda: nn.viz.report(lambda x: 1.0, (X, Y)), ShapeError, "one number"),
    (lambda: nn.viz.report(network(), (X, Y), layers="conv"), DTypeError, "layers.*conv"),
    (lambda: nn.viz.report(network(), (X, Y), layers=[1]), DTypeError, "layers"),
    (lambda: nn.viz.report(network(), (X, Y), example="first"), DTypeError, "example.*first"),
    (lambda: nn.viz.report(network(), (X, Y), train="all"), DTypeError, "train.*str"),
    (lambda: nn.viz.report(network(), (X, Y), batch_size=0), RangeError, "batch_size.*0"),
    (lambda: nn.viz.report(network(), (X, Y), batch_size=2.5), DTypeError, "batch_size as an int"),
    (lambda: nn.viz.report(network(), [X]), ShapeError, r"\(inputs, labels\)"),
])
def test_what_is_no_classifier_or_no_data_is_refused(call, error, words):
    with pytest.raises(error, match="(?s)report.*" + words):
        call()
