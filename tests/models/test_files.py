"""Model files: settings of every kind come back, and nothing in a file is trusted."""

import time
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

import fastnn as nn
from fastnn.errors import FileError
from fastnn.models import files

MODELS = {"digits": lambda: nn.models.DigitsCNN(7, 4), "lenet": lambda: nn.models.LeNet5(3),
          "resnet": lambda: nn.models.ResNet([1, 2, 1, 1], num_classes=4, in_channels=1, small=True),
          "gpt2": lambda: nn.models.GPT2LMHeadModel(11, 6, 8, 2, 2, activation_function="relu", dropout=0.25)}
INPUTS = {"digits": (2, 1, 8, 8), "lenet": (2, 1, 28, 28), "resnet": (2, 1, 16, 16), "gpt2": (2, 5)}


def test_every_architecture_is_tried():
    assert list(MODELS) == list(nn.models.ARCHITECTURES)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_model_comes_back_as_it_was(name, ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    model = MODELS[name]()
    nn.models.save(model, tmp_path/f"m.{ending}", classes=["a", "b"], note=None)
    again, info = nn.models.load(tmp_path/f"m.{ending}")
    assert type(again) is type(model) and again.settings == model.settings and not again.training
    assert info == {"classes": ["a", "b"], "note": None}
    rng = np.random.default_rng(0)
    shape = INPUTS[name]
    x = nn.tensor(rng.integers(0, 11, shape) if name == "gpt2" else rng.random(shape).astype(np.float32))
    assert np.array_equal(again(x), model.eval()(x))


class Any_(nn.Sequential):
    """A network with settings of every kind that JSON has."""

    def __init__(self, width: int, rate: float = 0.5, kind: str = "a", bias: bool = True, groups: int | None = None,
                 sizes: Sequence[int] = (1,), names: list[str] | None = None,
                 table: Mapping[str, dict[str, float]] | None = None, rest: Any = None) -> None:
        super().__init__(nn.Linear(width, 2, bias=bias))
        self.settings = {"width": width, "rate": rate, "kind": kind, "bias": bias, "groups": groups,
                         "sizes": list(sizes), "names": names, "table": table, "rest": rest}


@pytest.fixture
def any_kind(monkeypatch):
    monkeypatch.setitem(nn.models.ARCHITECTURES, "any", Any_)


@pytest.mark.parametrize("settings", [
    {"rate": 0.25, "kind": "b", "bias": False, "groups": 3, "sizes": [2, 3], "names": ["x", "y"]},
    {"rate": 1, "groups": None, "names": None, "sizes": []},
    {"table": {"a": {"b": 1.5, "c": 2}}, "rest": {"x": [1, "two", None, True, {"y": [0.5]}]}},
    {"rest": [[[]]], "kind": "", "table": {}}], ids=str)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_settings_of_every_kind_come_back(settings, ending, any_kind, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    model = Any_(3, **settings)
    nn.models.save(model, tmp_path/f"m.{ending}")
    again, _ = nn.models.load(tmp_path/f"m.{ending}")
    assert again.settings == model.settings
    assert np.array_equal(again[0].weight.data, model[0].weight.data)


@pytest.mark.parametrize("settings", [
    {"rate": "0.5"}, {"rate": None}, {"rate": float("nan")}, {"kind": 3}, {"kind": None}, {"bias": 1},
    {"bias": "yes"}, {"groups": 1.0}, {"groups": True}, {"sizes": 3}, {"sizes": "12"}, {"sizes": [1, "2"]},
    {"sizes": [10**9]}, {"names": [1]}, {"table": {"a": 1.0}}, {"table": [1]}, {"rest": [10**9]},
    {"rest": {"a": {"b": [-10**9]}}}, {"width": 3.0}, {"width": [3]}, {"width": -10**9}, {"unknown": 1},
], ids=str)
def test_settings_of_another_kind_are_refused(settings, any_kind, tmp_path):
    nn.models.save(Any_(3), tmp_path/"m.npz")
    held = nn.load(tmp_path/"m.npz")
    nn.save({**held, "settings": {**held["settings"], **settings}}, tmp_path/"m.npz")
    with pytest.raises(FileError, match=f"settings that no any has: '?{next(iter(settings))}"):
        nn.models.load(tmp_path/"m.npz")


@pytest.mark.parametrize("name, change, words", [
    ("digits", {"fastnn": "model 9"}, "not a model"), ("digits", {"architecture": "os.system"}, "os.system"),
    ("digits", {"architecture": 3}, "knows digits"), ("digits", {"architecture": ["digits"]}, "knows digits"),
    ("digits", {"settings": {"num_classes": 10**9}}, "settings that no digits has"),
    ("digits", {"settings": {"num_classes": "10"}}, "settings that no digits has: num_classes = '10'"),
    ("digits", {"settings": {"depth": 3}}, "'depth'"), ("digits", {"settings": [3]}, "not a model"),
    ("digits", {"settings": {"num_classes": 0, "width": 4}}, "fit"),
    ("digits", {"settings": {"num_classes": -3}}, "settings"),
    ("digits", {"settings": {"num_classes": 11, "width": 4}}, "fit"),
    ("digits", {"settings": {"width": 4096}}, "larger digits"), ("digits", {"state": None}, "not a model"),
    ("digits", {"state": {"conv1.weight": np.zeros(3)}}, "conv2.weight: missing"),
    ("digits", {"state": {"conv1.weight": "text"}}, "expected numbers"), ("digits", {"info": 3}, "not a model"),
    ("resnet", {"settings": {"layers": [1, 1, 1]}}, "four numbers"),
    ("resnet", {"settings": {"layers": [4000]*4}}, "larger resnet"),
    ("resnet", {"settings": {"layers": "1234"}}, "layers"), ("resnet", {"settings": {"small": "no"}}, "small"),
    ("gpt2", {"settings": {"n_layer": 4000, "n_embd": 2, "n_head": 1}}, "larger gpt2"),
    ("gpt2", {"settings": {"n_embd": 4000, "n_head": 1}}, "larger gpt2"),
    ("gpt2", {"settings": {"n_head": 7}}, "divides"), ("gpt2", {"settings": {"activation_function": "os"}}, "gelu"),
    ("gpt2", {"settings": {}}, "larger gpt2"),
], ids=str)
def test_a_model_file_is_not_trusted(name, change, words, tmp_path):
    """And refusing it takes neither time nor memory."""
    path = tmp_path/"m.npz"
    nn.models.save(MODELS[name](), path)
    nn.save({**nn.load(path), **change}, path)
    nbytes = path.stat().st_size
    tracemalloc.start()
    started = time.perf_counter()
    try:
        with pytest.raises(FileError, match=words):
            nn.models.load(path)
        assert tracemalloc.get_traced_memory()[1] < 4*nbytes + (8 << 20)
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - started < 5


def test_deep_settings_are_refused(tmp_path):
    """Written by hand, since `save` refuses to nest so deeply."""
    import io
    import json
    import zipfile
    model = nn.models.DigitsCNN()
    nn.models.save(model, tmp_path/"m.npz")
    deep = '{"width":' + "["*100_000 + "]"*100_000 + "}"
    with zipfile.ZipFile(tmp_path/"m.npz") as old, zipfile.ZipFile(tmp_path/"d.npz", "w") as new:
        for member in old.infolist():
            data = old.read(member)
            if member.filename == "__meta__.json":
                settings = json.dumps(model.settings, separators=(",", ":"))
                assert settings.encode() in data
                data = data.replace(settings.encode(), deep.encode())
            new.writestr(member.filename, io.BytesIO(data).getvalue())
    with pytest.raises(FileError):
        nn.models.load(tmp_path/"d.npz")


def test_settings_of_many_parts_are_refused_quickly(any_kind, tmp_path):
    nn.models.save(Any_(3), tmp_path/"m.npz")
    held = nn.load(tmp_path/"m.npz")
    nn.save({**held, "settings": {**held["settings"], "sizes": [1]*200_000, "width": 10**9}}, tmp_path/"m.npz")
    started = time.perf_counter()
    with pytest.raises(FileError) as error:
        nn.models.load(tmp_path/"m.npz")
    assert time.perf_counter() - started < 5 and len(str(error.value)) < 1000


def test_files_of_the_first_form_load(tmp_path):
    """They called the number of classes `classes`."""
    for model, settings in ((nn.models.DigitsCNN(7, 4), {"classes": 7, "width": 4}),
                            (nn.models.LeNet5(3), {"classes": 3})):
        name = "digits" if "width" in settings else "lenet"
        nn.save({"fastnn": "model 1", "architecture": name, "settings": settings, "info": {"accuracy": 0.5},
                 "state": model.state_dict()}, tmp_path/"m.npz")
        again, info = nn.models.load(tmp_path/"m.npz")
        assert again.settings == model.settings and info == {"accuracy": 0.5}
        assert np.array_equal(again.conv1.weight.data, model.conv1.weight.data)
        assert nn.models.preprocessing_of(again, info) == nn.models.get_record(name).preprocessing


def test_only_known_architectures_are_saved(tmp_path):
    with pytest.raises(FileError, match="state_dict"):
        nn.models.save(nn.Linear(2, 2), tmp_path/"m.npz")
    assert not list(tmp_path.iterdir())


def test_preprocessing_travels_with_the_weights(tmp_path):
    photo = nn.models.Photo(resize=32, crop=32, mean=(0.5,), std=(0.25,))
    nn.models.save(MODELS["resnet"](), tmp_path/"m.npz", preprocessing=photo)
    model, info = nn.models.load(tmp_path/"m.npz")
    assert nn.models.preprocessing_of(model, info) == photo
    # random weights of that form were never published
    assert nn.models.preprocessing_of(model, {}) is None
    assert nn.models.preprocessing_of(nn.models.resnet18(), {}) == nn.models.Photo()
    assert nn.models.preprocessing_of(nn.Linear(2, 2), {}) is None


def test_fits_follows_the_annotation():
    assert files.fits(None, int | None, 9) and not files.fits(10, int | None, 9)
    assert files.fits({"a": [1, 2.5]}, dict[str, list[float]], 9)
    assert not files.fits({"a": [1, "b"]}, dict[str, list[float]], 9)
    assert not files.fits(3, complex, 9)


def test_an_array_in_place_of_the_kind_is_no_model(tmp_path):
    path = tmp_path / "odd.npz"
    nn.save({"fastnn": np.zeros(2), "architecture": "digits", "settings": {}, "info": {}, "state": {}}, path)
    with pytest.raises(nn.errors.FileError, match="not a model that fastnn wrote"):
        nn.models.load(path)
    for wrong in (3, None):
        with pytest.raises(nn.DTypeError, match="expected a path"):
            nn.models.load(wrong)


@pytest.mark.parametrize("name", [None, 3, ["digits"]])
def test_what_is_no_name_of_a_network_is_said(name):
    with pytest.raises(nn.errors.RangeError, match="the name of a network"):
        nn.models.get_model(name)
