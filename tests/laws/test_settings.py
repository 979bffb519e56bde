"""A parameter that is a bool gets one, one that is an int gets neither a bool nor a float, and one
that is a float no tensor that requires a gradient, in every function, layer, method and class:
PyTorch refuses a word for a bool, where Python takes any for true, and a tensor whose gradient
would be lost.

All signatures are read, so what is added later is held without being named.
"""

import inspect

import numpy as np
import pytest

import fastnn as nn
from fastnn import guard

MODULES = ("functional", "special", "optim", "data", "training", "models", "init", "utils", "viz", "autograd",
           "testing")


def spaces():
    yield "nn", nn
    yield from ((f"nn.{name}", getattr(nn, name)) for name in MODULES)


CALLED = nn.Module, nn.optim.Optimizer, nn.data.DataLoader


def members():
    """(path, object to call it on or None, what is called) of all that is public."""
    for path, space in spaces():
        for name, what in vars(space).items():
            if name[0] == "_" or not callable(what) or not getattr(what, "__module__", "").startswith("fastnn"):
                continue
            yield f"{path}.{name}", None, what
            if isinstance(what, type) and (not issubclass(what, nn.Tensor) or what is nn.Tensor):
                made = nn.ones(1) if what is nn.Tensor else object.__new__(what) if issubclass(what, CALLED) else None
                for base in what.__mro__:
                    if base.__module__.startswith("fastnn"):
                        yield from ((f"{path}.{base.__name__}.{key}", made, method) for key, method in
                                    vars(base).items() if key[0] != "_" and inspect.isroutine(method))


# Whose arguments no user writes
OF_THE_ENGINE = {"Node", "State", "Rule", "Record", "factor", "rate", "trajectory_is_the_definition", "scale_fn",
                 "step"}


def settings():
    """{path of what is called: (object, function, [(parameter, place, kind, may be None)])}"""
    found, seen = {}, set()
    for path, made, function in members():
        # forward is reached through the layer's call, and its functions check what it hands on
        if function in seen or path.rpartition(".")[2] in {*OF_THE_ENGINE, "forward"}:
            continue
        seen.add(function)
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):
            continue
        rows = []
        for place, p in enumerate(parameters):
            words = {word.strip(" '\"") for word in str(getattr(p.annotation, "__name__", p.annotation)).split("|")}
            for kind, room in (("bool", {"None"}), ("int", {"None"}), ("float", {"None", "int", "str"})):
                if words <= {kind, *room} and kind in words and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
                    rows.append((p, place, kind, "None" in words))
        if rows:
            found[path] = made, function, parameters, rows
    return found


SETTINGS = settings()
WRONG = {"bool": ("False", 2, 1.0, [], nn.tensor([True, True]), None), "int": (True, 1.0),
         "float": (nn.tensor(0.5, requires_grad=True), nn.Parameter([0.5]))}
SAID = {"bool": "{0} as a bool", "int": "{0} as an int", "float": "{0} gets none: pass its .item(), or .detach()."}


def test_enough_is_found():
    assert len(SETTINGS) > 300
    assert sum(kind == "float" for *_, rows in SETTINGS.values() for _, _, kind, _ in rows) > 250


@pytest.mark.parametrize("path", SETTINGS)
def test_a_bool_is_a_bool_an_int_an_int_and_a_float_no_tensor_with_a_gradient(path):
    made, function, parameters, rows = SETTINGS[path]
    for p, place, kind, optional in rows:
        before = [q.default if q.default is not q.empty else 0.5 if "float" in str(q.annotation) else None
                  for q in parameters[:place]]
        if made is not None and before and parameters[0].name == "self":
            before[0] = made
        own = before[:1] if made is not None and parameters[0].name == "self" else []
        for value in WRONG[kind]:
            if value is None and optional:
                continue
            for args, kwargs in ((own, {p.name: value}), *([([*before, value], {})] if p.kind is not p.KEYWORD_ONLY
                                                           else [])):
                try:
                    function(*args, **kwargs)
                    text = "accepted"
                except (nn.DTypeError, nn.GraphError) as error:
                    text = str(error)
                assert SAID[kind].format(p.name) in text or "is made first" in text, f"{p.name}={value!r}: {text}"


def test_what_passes_for_a_bool():
    x = nn.ones(2, 3)
    for value in (True, np.True_, 1, np.int64(1)):
        assert nn.sum(x, 1, value).shape == nn.sum(x, 1, keepdims=value).shape == (2, 1)
        assert nn.Linear(2, 3, value).bias is not None
    assert nn.Linear(2, 3, bias=0).bias is None
    assert nn.zeros(2, requires_grad=1).requires_grad is True


def test_sizes_and_dimensions_in_a_list(torch):
    """No bool among them either, as in PyTorch."""
    for call in (lambda n, x: x.reshape(True, 6), lambda n, x: x.sum((True,)), lambda n, x: n.zeros(True),
                 lambda n, x: x.expand(True, 2, 3), lambda n, x: x.reshape(6.0),
                 lambda n, x: getattr(n, "nn", n).functional.avg_pool2d(x[None], (True, 1)),
                 lambda n, x: getattr(n, "nn", n).functional.conv1d(x[None], x[None], stride=True)):
        with pytest.raises(TypeError):
            call(torch, torch.ones(2, 3))
        with pytest.raises(nn.DTypeError):
            call(nn, nn.ones(2, 3))


@pytest.mark.parametrize("what", [
    nn.layers.LoadReport, nn.layers.RemovableHandle, nn.models.resnet18, nn.training.Clipping, nn.training.History,
    nn.training.Checkpoint, nn.training.Schedule, nn.training.Progress, nn.training.Patience, nn.Summary])
def test_wrong_lists_of_arguments(what):
    """Of what is neither a function of tensors nor a layer."""
    for args, kwargs in (((None,) * 30, {}), ((), {"nonsense": 1})):
        with pytest.raises(nn.DTypeError, match=what.__name__):
            what(*args, **kwargs)


def test_what_a_signature_has_room_for_is_not_looked_at_twice():
    """None beside a bool is one glance in C: the second look takes as long as a small op."""
    looked = []
    for path, _, function in members():
        try:
            kinds, _ = guard.settings(function)
            parameters = inspect.signature(function).parameters
        except (TypeError, ValueError, AttributeError):
            continue
        for name, kind in kinds.items():
            default = parameters[name].default if name in parameters else inspect.Parameter.empty
            if default is not inspect.Parameter.empty:
                looked.append(path)
                assert not guard.is_strange_setting(kind, default), (path, name, default)
    assert len(looked) > 300
    assert guard.settings(nn.Tensor.backward)[0]["retain_graph"] == guard.BOOL | guard.OR_NONE
