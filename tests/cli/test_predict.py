"""`predict`: from a model file and pictures to what the network sees in them."""

import numpy as np
import pytest

import fastnn as nn
from fastnn import cli
from fastnn.io.png import write_png
from fastnn.models.recognition import probabilities


# ---- predict -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    assert cli.main(["train", "--epochs", "4", "--out", str(path)]) == 0
    return path/"digits.npz"


def test_predict_says_what_the_model_says(model_file, tmp_path, capsys):
    images, labels = (np.asarray(t) for t in nn.data.digits("test").tensors)
    np.save(tmp_path/"d.npy", np.rint(16*images[:12, 0]).astype(np.uint8))
    assert cli.main(["predict", str(model_file), str(tmp_path/"d.npy")]) == 0
    lines = capsys.readouterr().out.splitlines()
    model, _ = nn.models.load(model_file)
    want = np.asarray(nn.functional.softmax(nn.predict(model, images[:12]), dim=1))
    assert len(lines) == 12
    for i, line in enumerate(lines):
        assert line.startswith(f"{tmp_path/'d.npy'}[{i}]: {want[i].argmax()}, {100*want[i].max():.1f} % sure (")
    assert (want.argmax(1) == labels[:12]).mean() > 0.8


def test_digits_drawn_on_paper_are_read_nearly_as_well(model_file):
    images, labels = (np.asarray(t) for t in nn.data.digits("test").tensors)
    model, info = nn.models.load(model_file)
    prepare = nn.models.preprocessing_of(model, info)
    drawn = []
    for image in images[:, 0]:
        paper = np.full((230, 300), 0.9)
        paper[30:190, 60:220] -= 0.8*image.repeat(20, 0).repeat(20, 1)
        drawn.append(prepare(paper))
    assert (probabilities(model, np.stack(drawn)).argmax(1) == labels).mean() > info["accuracy"] - 0.02


def test_predict_draws_a_few_pictures(model_file, tmp_path, capsys):
    image = np.asarray(nn.data.digits("test").tensors[0])[0, 0]
    page = np.ones((200, 160, 3))
    page[20:180, 0:160] -= image.repeat(20, 0).repeat(20, 1)[..., None]
    (tmp_path/"d.png").write_bytes(write_png(np.rint(255*np.clip(page, 0, 1))))
    assert cli.main(["predict", str(model_file), str(tmp_path/"d.png"), str(tmp_path/"d.png")]) == 0
    text = capsys.readouterr().out
    assert text.count("@@") > 2 and text.count("% sure") == 2 and len(text.splitlines()) == 2*10


@pytest.mark.parametrize("name, content, words", [
    ("x.png", b"\x89PNG\r\n\x1a\nnothing", "too early"), ("x.npy", b"\x93NUMPYnothing", "x.npy"),
                                                  ("x.npz", b"PK", "x.npz"),
    ("blank.npy", np.ones((20, 20)), "one colour"), ("flat.npy", np.ones(8), "shape (8,)"),
                                                  ("nan.npy", np.full((8, 8), np.nan), "not finite"),
    ("text.npy", np.array([["a"]]), "<U1"), ("pickle.npy", np.array([[None]]), "pickle.npy"),
                                                  ("x.xyz", b"what", "x.xyz"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_predict_refuses_in_one_line(name, content, words, model_file, tmp_path, capsys):
    if isinstance(content, bytes):
        (tmp_path/name).write_bytes(content)
    else:
        np.save(tmp_path/name, content)
    assert cli.main(["predict", str(model_file), str(tmp_path/name)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and words in error and "Traceback" not in error


def test_predict_refuses_a_file_that_is_no_model(tmp_path, capsys):
    np.savez(tmp_path/"m.npz", weight=np.zeros(3))
    assert cli.main(["predict", str(tmp_path/"m.npz"), "x.png"]) == 2
    assert "not a model" in capsys.readouterr().err


def test_predict_on_photographs(tmp_path, capsys):
    """Any network of `models`, with the preprocessing that its file tells."""
    model = nn.models.resnet18(num_classes=2, small=True)
    photo = nn.models.Photo(resize=20, crop=16)
    nn.models.save(model, tmp_path/"m.npz", classes=["cat", "dog"], preprocessing=photo)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3))
    (tmp_path/"x.png").write_bytes(write_png(pixels))
    assert cli.main(["predict", str(tmp_path/"m.npz"), str(tmp_path/"x.png")]) == 0
    share = probabilities(model.eval(), photo(pixels/255)[None])[0]
    best = ["cat", "dog"][share.argmax()]
    assert capsys.readouterr().out.startswith(f"{tmp_path/'x.png'}: {best}, {100*share.max():.1f} % sure (")


@pytest.mark.parametrize("info, words", [
    ({}, "does not say what pictures go through"), ({"preprocessing": {"kind": "x"}}, "preprocessing"),
    ({"preprocessing": {"kind": "photo", "crop": 16}, "classes": ["cat"]}, "names 1 classes, and its network has 2"),
], ids=str)
def test_predict_refuses_what_it_cannot_know(info, words, tmp_path, capsys):
    nn.models.save(nn.models.resnet18(num_classes=2, small=True), tmp_path/"m.npz", **info)
    (tmp_path/"x.png").write_bytes(write_png(np.zeros((30, 40, 3))))
    assert cli.main(["predict", str(tmp_path/"m.npz"), str(tmp_path/"x.png")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


def test_predict_refuses_a_network_that_reads_no_pictures(tmp_path, capsys):
    model = nn.models.GPT2LMHeadModel(vocab_size=5, n_positions=4, n_embd=4, n_layer=1, n_head=1)
    nn.models.save(model, tmp_path/"m.npz")
    assert cli.main(["predict", str(tmp_path/"m.npz"), "x.png"]) == 2
    assert "does not say what pictures" in capsys.readouterr().err
