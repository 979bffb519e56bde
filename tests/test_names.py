"""What a missing name says: what is near, and what another library calls by that name."""

import pickle
import re

import pytest

import fastnn as nn
from fastnn import methods, names

TABLES = {"OF_PYTORCH": names.OF_PYTORCH, "OF_OTHERS": names.OF_OTHERS, "OF_MODELS": names.OF_MODELS,
          "OF_TENSORS": names.OF_TENSORS}
SAMPLES = {"x": nn.ones(2, 3), "y": nn.ones(2, 3), "model": nn.Sequential(nn.Linear(3, 2)),
           "layer": nn.Linear(3, 2), "loss": nn.ones(1), "optimizer": nn.optim.SGD([nn.Parameter([1.0])], lr=1),
           "history": nn.training.History(), "nn": nn}


@pytest.mark.parametrize("module, name, told", [
    (nn, "Relu", "Did you mean nn.ReLU?"),
    (nn, "Lstm", "Did you mean nn.LSTM?"),
    (nn, "MSE", "Did you mean nn.MSELoss?"),
    (nn, "CrossEntropy", "Did you mean nn.CrossEntropyLoss?"),
    (nn, "DataLoader", "Did you mean nn.data.DataLoader?"),
    (nn, "Dens", "Keras's Dense is nn.Linear(in_features, out_features)."),
    (nn, "fft", "PyTorch has it, fastnn does not. Use np.fft on x.numpy(); gradients do not flow through it."),
    (nn.functional, "rellu", "Did you mean nn.functional.relu?"),
    (nn.functional, "crossentropy", "Did you mean nn.functional.cross_entropy?"),
    (nn.functional, "Linear", "Did you mean nn.Linear?"),
    (nn.optim, "Adamm", "Did you mean nn.optim.Adam?"),
    (nn.optim.lr_scheduler, "StepLr", "Did you mean nn.optim.lr_scheduler.StepLR?"),
    (nn.layers, "Liner", "Did you mean nn.Linear?"),
    (nn.init, "xavier_unifrom_", "Did you mean nn.init.xavier_uniform_?"),
    (nn.data, "Dataloader", "Did you mean nn.data.DataLoader?"),
    (nn.models, "ResNet18", "Did you mean nn.models.resnet18?"),
    (nn.viz, "imagegrid", "Did you mean nn.viz.image_grid?"),
    (nn.training, "EarlyStopping", "Use nn.fit(..., patience=5, restore_best=True)."),
    (nn.testing, "grad_check", "Did you mean nn.testing.gradcheck?"),
    (nn.utils, "clip_grad_norm", "Did you mean nn.utils.clip_grad_norm_?")])
def test_a_module_says_what_a_name_may_mean(module, name, told):
    with pytest.raises(AttributeError) as caught:
        getattr(module, name)
    assert isinstance(caught.value, nn.FastnnError)
    assert str(caught.value) == f"module '{module.__name__}' has no attribute '{name}'. {told}"
    with pytest.raises(ImportError) as caught:
        exec(f"from {module.__name__} import {name}")
    assert isinstance(caught.value, nn.FastnnError)
    assert str(caught.value) == f"cannot import name '{name}' from '{module.__name__}'. {told}"


@pytest.mark.parametrize("name, told", [
    ("wieght", "Did you mean weight?"), ("forwrad", "Did you mean forward?"), ("fit", "Use nn.fit(model, (x, y))."),
    ("half", "PyTorch has it, fastnn does not. Tensors are float32 or float64: x.float().")])
def test_a_layer_says_what_a_name_may_mean(name, told):
    layer = nn.Linear(3, 2)
    assert not hasattr(layer, name)
    with pytest.raises(AttributeError) as caught:
        getattr(layer, name)
    assert str(caught.value) == f"Linear has no attribute '{name}'. {told}"


@pytest.mark.parametrize("name", methods.ABSENT.split())
def test_a_tensor_says_what_another_library_s_name_is(name):
    x = nn.ones(2)
    assert not hasattr(x, name) and not hasattr(nn.Tensor, name) and name not in dir(x)
    with pytest.raises(AttributeError) as caught:
        getattr(x, name)
    told = {**names._flat(names.OF_PYTORCH), **names._flat(names.OF_TENSORS)}[name]
    assert str(caught.value).startswith(f"Tensor has no attribute {name!r}. ") and str(caught.value).endswith(told)


def test_all_that_is_told_about_tensors_is_told():
    assert set(names._flat(names.OF_TENSORS)) <= set(methods.ABSENT.split())


def test_nothing_is_looked_for_before_the_text_is_wanted(monkeypatch):
    asked = []
    monkeypatch.setattr(names, "advice", lambda *args: asked.append(args) or "So.")
    assert not hasattr(nn, "Lineer") and not asked
    with pytest.raises(AttributeError, match="So"):
        _ = nn.Lineer
    assert asked == [("Lineer", "fastnn")]


def test_the_error_of_a_missing_name_can_be_pickled():
    with pytest.raises(AttributeError) as caught:
        _ = nn.Lineer
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def known_names():
    """Every public name, wherever a user may look for it."""
    return set().union(*[dir(__import__(room, fromlist=["_"])) for room in names.ROOMS])


@pytest.mark.parametrize("table", ["OF_PYTORCH", "OF_OTHERS"])
def test_what_others_have_is_not_here(table):
    """Who adds such a name takes it off the table in names.py."""
    here = known_names() & set(names._flat(TABLES[table])) - {"random", "loss", "plot", "compile"}
    assert not {name for name in here if hasattr(nn, name) or hasattr(nn.functional, name) or hasattr(nn.optim, name)}
    assert not [name for name in names._flat(names.OF_MODELS) if hasattr(nn.Module, name)]


@pytest.mark.parametrize("table", TABLES)
def test_what_is_offered_instead_is_here(table):
    """Every `nn.name` and `x.method(` that a text names."""
    for text in names._flat(TABLES[table]).values():
        for path in re.findall(r"\b((?:nn|x|model|loss|optimizer|history|layer)(?:\.(?!npz)[A-Za-z_]\w*)+)", text):
            found = SAMPLES[path.partition(".")[0]]
            for part in path.split(".")[1:]:
                assert hasattr(found, part), (path, text)
                found = getattr(found, part)


def test_no_text_is_longer_than_a_message_may_be():
    assert all(len(text) < 140 and text[-1:] in (".", "?", "") for table in TABLES.values() for text in table.values())
