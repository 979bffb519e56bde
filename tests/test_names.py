"""What a missing name says: what is near, and what another library calls by that name."""

import copy
import importlib
import inspect
import pickle
import re
import subprocess
import sys

import numpy as np
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
    told = names._flat(names.OF_TENSORS).get(name) or names.about_library(name)
    assert told and str(caught.value) == f"Tensor has no attribute {name!r}. {told}"


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


def every_error(cls=nn.FastnnError):
    assert nn.testing                               # which has one of its own
    yield cls
    for below in cls.__subclasses__():
        if below.__module__.startswith("fastnn"):
            yield from every_error(below)


@pytest.mark.parametrize("cls", {cls.__name__: cls for cls in every_error()}.values())
def test_an_error_shows_its_text_wherever_it_is_asked(cls):
    """In a notebook, a log, a test runner, and in another process."""
    error = cls("it is wrong", who="linear")
    if not issubclass(cls, AttributeError):
        error.expected, error.got, error.layer = (2, 3), lambda: 0, nn.Linear(2, 3)
    text = str(error)
    assert text.startswith("linear: it is wrong")
    assert repr(error) == f"{cls.__name__}({text!r})" and error.args == (text,)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls and str(again) == text and repr(again) == repr(error)
    error.args = ("another text",)
    assert str(error) == "another text"


def test_an_error_tells_the_path_in_its_args():
    with pytest.raises(nn.ShapeError) as caught:
        nn.Sequential(nn.Linear(3, 2))(nn.ones(2, 4))
    assert caught.value.args[0].startswith("model.0 (Linear 3 -> 2)") and "model.0" in repr(caught.value)
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


# ---- names of arguments --------------------------------------------------------------------------
ROOMS = (nn.functional, nn.creation, nn.init, nn.layers, nn.optim, nn.optim.lr_scheduler, nn.special, nn.utils)
TOOLS = (nn.fit, nn.evaluate, nn.predict, nn.summary, nn.load, nn.save, nn.data.DataLoader, nn.data.random_split,
         nn.tensor)
BASES = (nn.Module, nn.optim.Rule, nn.optim.Optimizer, nn.layers.module.RemovableHandle, nn.chain)


def callables():
    """(name, function or class, its parameters) of what a user calls with arguments by name."""
    found = {}
    for room in ROOMS:
        for name in getattr(room, "__all__", dir(room)):
            value = getattr(room, name)
            if not name.startswith("_") and callable(value) and getattr(value, "__module__", "").startswith("fastnn."):
                found.setdefault(id(value), (name, value))
    for name, value in [*found.values(), *[(value.__name__, value) for value in TOOLS]]:
        if isinstance(value, type) and (issubclass(value, Exception) or "__init__" not in vars(value)):
            continue
        parameters = [p for p in inspect.signature(value).parameters.values() if p.kind in (
            p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
        if any(len(p.name) > 1 for p in parameters) and value not in BASES:
            yield name, value, parameters


def call_misspelt(value, parameters):
    """The argument with the longest name, how it is misspelt, and the call, with None for what is
    needed.
    """
    needed = [None for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    meant = max([p.name for p in parameters], key=len)
    return meant, meant + "z", lambda: value(*needed, **{meant + "z": None})


@pytest.mark.parametrize("name, value, parameters", [pytest.param(*each, id=each[0]) for each in callables()])
def test_a_misspelt_argument_is_told_with_the_right_one(name, value, parameters):
    meant, wrong, call = call_misspelt(value, parameters)
    with pytest.raises(nn.DTypeError) as caught:
        call()
    told = str(caught.value)
    assert told == f"{value.__name__}: there is no argument '{wrong}'. Did you mean {meant}=?", name


def test_a_misspelt_argument_of_a_method_too():
    x, seen = nn.ones(2, 3), 0
    told = r"there is no argument 'nonsense'|the arguments? (is|are) missing: |fastnn runs on the CPU"
    for name in dir(x):
        method = getattr(x, name)
        if name.startswith("_") or not inspect.ismethod(method):
            continue
        with pytest.raises(nn.FastnnError, match=told):
            method(nonsense=1)
        seen += 1
    assert seen > 200


@pytest.mark.parametrize("call, told", [
    (lambda: nn.Linear(3), "Linear: the argument is missing: out_features, expected (in_features, out_features, "),
    (lambda: nn.Linear(3, 2, True, 5), "Linear: there are 4 arguments without a name, but it takes at most 3, "),
    (lambda: nn.Linear(3, 2, out_features=2), "Linear: an argument is given twice: out_features, "),
    (lambda: nn.fit(), "fit: the arguments are missing: model, train, "),
    (lambda: nn.optim.Adam([nn.Parameter([1.0])], learning_rate=0.1),
     "Adam: there is no argument 'learning_rate'. Did you mean lr=?"),
    (lambda: nn.Linear(3, 2, activation="relu"), "Linear: there is no argument 'activation'. An activation is a "),
    (lambda: nn.ones(2).sum(xyzzy=1), "sum: there is no argument 'xyzzy', expected input, dim, keepdim, dtype"),
    (lambda: nn.Sequential(nn.ReLU(), name="x"), "Sequential: there is no argument 'name', expected modules")])
def test_a_call_that_does_not_fit_is_told(call, told):
    with pytest.raises(nn.DTypeError) as caught:
        call()
    assert str(caught.value).startswith(told)


def test_a_mistake_inside_a_function_of_the_user_s_is_no_mistake_of_the_call():
    def loss(output, target):
        return nn.functional.cross_entropy(output, target, nothing_such=1)
    with pytest.raises(nn.DTypeError, match="cross_entropy: there is no argument 'nothing_such'"):
        nn.fit(nn.Linear(1, 2), (nn.zeros(2, 1), nn.zeros(2, dtype="int64")), loss=loss, progress=False)

    def other(output):
        return output.sum()
    with pytest.raises(TypeError, match=r"other\(\) takes 1 positional argument but 2 were given") as caught:
        nn.fit(nn.Linear(1, 2), (nn.zeros(2, 1), nn.zeros(2, dtype="int64")), loss=other, progress=False)
    assert not isinstance(caught.value, nn.FastnnError)


def test_what_belongs_elsewhere_is_no_argument_here():
    rooms = {"fit": nn.fit, "load": nn.load, "DataLoader": nn.data.DataLoader, "Linear": nn.Linear,
             "Conv2d": nn.Conv2d}
    for (who, argument), text in names.ELSEWHERE.items():
        assert argument not in inspect.signature(rooms[who]).parameters and text


# ---- other names ---------------------------------------------------------------------------------
def test_names_of_settings_columns_ops_and_models_are_told():
    p = nn.Parameter([1.0])
    with pytest.raises(nn.RangeError, match=r"unknown settings \['learning_rate'\].* Did you mean 'lr'\?"):
        nn.optim.SGD([{"params": [p], "learning_rate": 0.1}])
    with pytest.raises(KeyError, match=r"there is no op 'conv2D'.* Did you mean 'conv2d'\?"), \
            nn.use_kernel("conv2D", len):
        pass
    history = nn.training.History([{"epoch": 1, "loss": 2.5, "accuracy": 0.5}])
    for ask in (history.__getitem__, history.best):
        with pytest.raises(KeyError) as caught:
            ask("acuracy")
        assert str(caught.value) == ("History: there is no column 'acuracy', expected epoch, loss, accuracy. "
                                     "Did you mean 'accuracy'?")
    with pytest.raises(nn.RangeError, match=r"Did you mean resnet18"):
        nn.models.get_model("resnet81")


def test_a_method_called_without_a_tensor():
    for call in (lambda: nn.exp_(), lambda: nn.Tensor.exp_(), lambda: nn.exp_(None), lambda: nn.exp_(np.ones(2))):
        with pytest.raises(nn.DTypeError, match=r"^exp_: expected a tensor, got "):
            call()


def test_a_function_from_pickle_is_the_same():
    again = pickle.loads(pickle.dumps(nn.relu))
    assert again == nn.relu and hash(again) == hash(nn.relu) and again != nn.tanh
    assert copy.deepcopy(nn.relu) is nn.relu and again(nn.ones(1)).item() == 1


class Junk:
    """What no function takes."""


ROOMS = (nn, nn.functional, nn.optim.lr_scheduler, nn.init, nn.utils, nn.data, nn.models, nn.viz, nn.testing,
         nn.training, nn.autograd)
# What the engine calls and no user does, in the loop of every op; and bases of classes of the user,
# about which Python's own words are.
OF_THE_ENGINE = ("Node", "apply", "apply_in_python", "leave", "may_write", "renew", "write", "stepped", "Function",
                 "Callback")


# Left out is what fastnn makes and no user does.
@pytest.mark.parametrize("path", sorted({
    f"{room.__name__}.{name}" for room in ROOMS for name in getattr(room, "__all__", None) or dir(room)
    if not name.startswith("_") and callable(getattr(room, name))
    and str(getattr(getattr(room, name), "__module__", "")).startswith("fastnn")
    and not (isinstance(getattr(room, name), type) and issubclass(getattr(room, name), Exception))
    and name not in ("LoadReport", "RemovableHandle", "Summary", "History", "memory", "Dataset", *OF_THE_ENGINE,
                     "UninitializedParameter", "UninitializedBuffer")} | {
    "fastnn.models.get_model", "fastnn.models.get_record", "fastnn.models.list_models", "fastnn.testing.gradcheck",
    "fastnn.testing.use_kernel"}))
def test_a_wrong_list_of_arguments_is_told_in_our_words(path, capsys):
    room, _, name = path.rpartition(".")
    function = getattr(importlib.import_module(room), name)
    for args, kwargs in (((), {}), ((Junk(),) * 14, {}), ((), {"no_such_thing": 1})):
        try:
            function(*args, **kwargs)
        except nn.FastnnError as error:
            assert str(error)


ITSELF = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize("call, told", [
    (lambda: nn.Sigmoid(3), "Sigmoid: there is 1 argument without a name, but it takes none, expected ()"),
    (lambda: nn.seed(), "seed: the argument is missing: seed"),
    (lambda: nn.testing.gradcheck(3, 4), "gradcheck: expected a function of tensors first, got int"),
    (lambda: nn.GRUCell(float("inf"), 2), "GRUCell: expected input_size as an int, got inf"),
    (lambda: nn.LSTMCell(2, float("nan")), "LSTMCell: expected hidden_size as an int, got nan"),
    (lambda: nn.atleast_1d(ITSELF), "atleast_1d: expected tensor 0 as a tensor, got list"),
    (lambda: nn.atleast_3d([nn.ones(2), [nn.ones(2)]]), "atleast_3d: expected tensor 1 as a tensor, got list"),
    (lambda: nn.tensor(ITSELF), "rows in rows, more than 64 deep. Does a list hold itself?"),
    (lambda: nn.finfo("int64"), "finfo: expected a floating-point type, got int64. Of integers nn.iinfo"),
    (lambda: nn.iinfo(nn.float32), "iinfo: expected an integer type, got float32. Of floating point nn.finfo"),
    (lambda: bool(nn.zeros(2)), "bool: a tensor of several elements is neither true nor false, expected one element, "
                                "got shape (2,). Use .any() or .all()."),
    (lambda: nn.use_isa(), "use_isa: the argument is missing: name"),
    (lambda: nn.device(), "device: the argument is missing: type"),
    (lambda: nn.device("cpu", 1), "device: expected index 0: there is one CPU, got 1"),
    (lambda: nn.viz.Svg("<g/>", 1, 1, "nothing").save("a.pdf"), "save: a picture is written as .svg")])
def test_what_python_or_numpy_would_say_is_said_in_our_words(call, told):
    with pytest.raises(nn.FastnnError) as caught:
        call()
    assert told in str(caught.value)


def test_ranges_of_types():
    assert nn.finfo(nn.ones(1)).eps == nn.finfo().eps == np.finfo("float32").eps and nn.iinfo(nn.int8).max == 127
    assert nn.device("cpu", 0) == nn.device("cpu") == "cpu"


def test_memory_that_the_machine_lacks_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(nn.arrays, "memory_limit", lambda: 2**31)
    asked = []
    monkeypatch.setattr(np, "empty", lambda *args: asked.append(args))
    with pytest.raises(MemoryError, match="no memory for"):
        nn.Linear(2**30, 8)
    assert not asked


@pytest.mark.parametrize("path, told", [
    ("nn.utils.rnn", "module 'fastnn.utils' has no attribute 'rnn'. PyTorch has it, fastnn does not. Pad the"),
    ("nn.utils.weight_norm", "PyTorch has it, fastnn does not."),
    ("nn.utils.spectral_norm", "PyTorch has it, fastnn does not."),
    ("nn.logdet", "PyTorch has it, fastnn does not. Use np.linalg"),
    ("nn.can_cast", "PyTorch has it, fastnn does not. Use np.can_cast."),
    ("nn.cuda.amp", "nn.cuda has no attribute 'amp'. There is the CPU alone: leave it out."),
    ("nn.backends.mkldnn", "nn.backends has no attribute 'mkldnn'."),
    ("nn.backends.cudnn.version", "nn.backends.cudnn has no attribute 'version'."),
    ("x.addmm_", "PyTorch has it, fastnn does not. Use x = x.addmm(...)."),
    ("x.H", "Tensors are real: x.T")])
def test_names_of_pytorch_are_told_where_they_are_looked_for(path, told):
    owner, _, name = path.rpartition(".")
    with pytest.raises(nn.FastnnError) as caught:
        getattr(eval(owner, {"nn": nn, "x": nn.ones(2, 2)}), name)
    assert isinstance(caught.value, AttributeError) and told in str(caught.value)


def test_what_waits_for_a_device_does_nothing():
    assert nn.cuda.synchronize() is nn.cuda.empty_cache() is nn.cuda.manual_seed_all(0) is None
    assert nn.accelerator.synchronize() is None and not hasattr(nn.cuda, "Stream")


@pytest.mark.parametrize("settings, told", [
    ({"loss": "MSELoss"}, "there is no loss 'MSELoss'. Did you mean 'mse'?"),
    ({"loss": "bce_with_logits"}, "Did you mean 'binary_cross_entropy_with_logits'?"),
    ({"loss": "BCELoss"}, "Did you mean 'binary_cross_entropy'?"),
    ({"optimizer": "sparseadam"}, "PyTorch has it, fastnn does not. nn.optim has fourteen others")])
def test_names_given_to_fit_are_told(settings, told):
    with pytest.raises(nn.RangeError) as caught:
        nn.fit(nn.Linear(3, 2), (np.zeros((4, 3), np.float32), np.zeros(4, int)), progress=False, **settings)
    assert told in str(caught.value)


def test_a_network_is_told_by_the_name_of_its_class():
    with pytest.raises(nn.RangeError, match="Did you mean lenet"):
        nn.models.get_model("LeNet5")


@pytest.mark.parametrize("name, known", [("can_casts", "concat"), ("gradient", "randint")])
def test_what_differs_by_more_than_a_slip_is_not_offered(name, known):
    assert names.near(name, [known]) == []
    assert names.near("wieght", ["weight"]) == ["weight"] and names.near("activaton", ["activation"]) == ["activation"]


def test_parameters_as_a_vector():
    model = nn.Linear(2, 3)
    row = nn.utils.parameters_to_vector(model.parameters())
    assert row.tolist() == [*model.weight.reshape(-1).tolist(), *model.bias.tolist()]
    row.sum().backward()
    assert model.weight.grad.tolist() == np.ones((3, 2)).tolist()
    nn.utils.vector_to_parameters(nn.arange(9.0), model.parameters())
    assert model.weight.tolist() == [[0, 1], [2, 3], [4, 5]] and model.bias.tolist() == [6, 7, 8]
    with pytest.raises(nn.ShapeError, match=r"expected vec of shape \(9,\), got \(8,\)"):
        nn.utils.vector_to_parameters(nn.zeros(8), model.parameters())
    assert model.bias.tolist() == [6, 7, 8]
    with pytest.raises(nn.ShapeError, match="at least one parameter, got none"):
        nn.utils.parameters_to_vector(nn.ReLU().parameters())


# ---- what PyTorch has ----------------------------------------------------------------------------
# Parts of PyTorch's compiler and of its files, and helpers of its modules: no user types them.
INSIDE = re.compile(
    r"[A-Z]\w*(Type|Key|KeySet|Writer|Reader|Context|Config|Stats|Guard|Hook|Notes|DataPipe|Chunk|State|Event)"
    r"|BroadcastingList\d|[A-Z_]+|\w*(torch_function\w*|_notes|boolean_dispatch|assert_int_or_pair|merge_type\w*|_types?)"
    r"|unify_type_list|prepare_\w+|thread_safe_generator|init_num_threads|get_file_path|is_storage|classproperty"
    r"|profile\w*|functional_datapipe|\w*_determinism|non_deterministic|runtime_validation\w*|argument_validation"
    r"|common_args|multi_dim_common|factory_kwargs|is_view_replay_enabled|\w*multithreading_enabled|kineto_available"
    r"|enforce_grad_layout_policy|\w*warn_always\w*|reinforce|volatile|name|output_nr|module_load|grad_dtype|is_set_to"
    r"|hash_tensor|as_subclass|swap_in_optimizer_params_and_state|batch_norm_\w+|is_tensor_like|variable|AcceleratorError|Tag|NestedIOFunction")


def modules_of(torch):
    """PyTorch's rooms, each with the place here where its names are looked for."""
    return {"torch": (torch, nn), "torch.nn": (torch.nn, nn), "F": (torch.nn.functional, nn.functional),
            "Tensor": (torch.Tensor, nn.Tensor), "init": (torch.nn.init, nn.init), "utils": (torch.nn.utils, nn.utils),
            "data": (torch.utils.data, nn.data), "special": (torch.special, nn.special),
            "optim": (torch.optim, nn.optim),
            "Module": (torch.nn.Module, nn.Module),
            "autograd": (torch.autograd, nn.autograd)}


@pytest.mark.parametrize("room", ["torch", "torch.nn", "F", "Tensor", "init", "utils", "data", "special", "optim",
                                  "Module", "autograd"])
def test_what_pytorch_has_and_we_lack_is_told(torch, room):
    """Every public function, class and method of PyTorch's is here, or is told by its name."""
    theirs, ours = modules_of(torch)[room]
    untold = []
    for name in dir(theirs):
        value = getattr(theirs, name, None)
        if name.startswith("_") or INSIDE.fullmatch(name) or inspect.ismodule(value) or hasattr(ours, name):
            continue
        documented = getattr(value, "__doc__", None) or inspect.isroutine(value)
        home = str(getattr(value, "__module__", None) or "torch")
        if not home.startswith("torch") or not documented or (inspect.isclass(value) and "_C" in home):
            continue
        told = names.advice(name, ours.__name__) if inspect.ismodule(ours) else names.advice_about(ours, name)
        if not told.startswith(("PyTorch has it", "Did you mean", *names._flat(names.OF_OTHERS).values(),
                                *names._flat(names.OF_TENSORS).values(), *names._flat(names.OF_MODELS).values())):
            untold.append(name)
    assert not untold


@pytest.mark.parametrize("text", [
    "import fastnn.nn as nn; import fastnn.nn.functional as F; assert nn.functional is F and F.relu",
    "from fastnn.nn.utils import clip_grad_norm_", "from fastnn.nn.parameter import Parameter",
    "from fastnn.utils.data import DataLoader, TensorDataset", "import fastnn.utils.data",
    "import fastnn as torch; assert torch.nn.Linear is torch.Linear and torch.utils.data.DataLoader",
    "from fastnn.nn import Module, functional, init; from fastnn import nn, optim; assert nn.Module is Module"])
def test_pytorch_s_paths_lead_here(text):
    """The first lines of a script, with fastnn for torch, in a fresh interpreter: no warning."""
    subprocess.run([sys.executable, "-W", "error", "-c", text], check=True, timeout=60)


@pytest.mark.parametrize("module, told", [
    ("fastnn.linalg", "No module named 'fastnn.linalg'. PyTorch has it, fastnn does not. Use np.linalg"),
    ("fastnn.datasets", "No module named 'fastnn.datasets'. The digits that come with fastnn are"),
    ("fastnn.optmi", "No module named 'fastnn.optmi'. Did you mean nn.optim?")])
def test_a_module_that_is_missing_is_told(module, told):
    with pytest.raises(ModuleNotFoundError) as caught:
        importlib.import_module(module)
    assert str(caught.value).startswith(told) and caught.value.name == module


@pytest.mark.parametrize("name, told", [
    ("lu", "Use np.linalg"), ("igamma", "scipy.special"), ("poisson", "np.random"), ("is_nonzero", "bool(x)"),
    ("train", "nn.fit(model, data)"), ("adaptive_avg_pool3d", "1 and 2 dimensions"), ("view_copy", ".clone()"),
    ("LazyConv3d", "1 and 2 dimensions"), ("quantize_per_tensor", "not quantised"), ("hann_windw", "np.hanning")])
def test_a_name_leads_to_what_it_means_and_not_to_what_begins_like_it(name, told):
    assert told in names.advice(name, "fastnn")


def test_a_type_of_pytorchs_is_told_with_its_name_here(torch):
    for name in ("float32", "float64", "int64", "bool"):
        with pytest.raises(nn.DTypeError, match=rf"got torch\.{name}\. It is PyTorch's: nn\.{name}\."):
            nn.zeros(2, dtype=getattr(torch, name))
        assert hasattr(nn, name)
    with pytest.raises(nn.DTypeError, match=r"got torch\.complex64$"):
        nn.zeros(2, dtype=torch.complex64)
