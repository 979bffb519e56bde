"""Model files: the state of a network with its architecture's name and settings, so that the file
alone is enough to use it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from inspect import signature
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from .. import arrays, io
from ..errors import FastnnError, FileError
from ..guard import named
from ..layers import Module
from .language.gpt2 import GPT2LMHeadModel
from .registry import record_of
from .vision.digits import DigitsCNN
from .vision.lenet import LeNet5
from .vision.preprocessing import Ink, Photo, from_data, to_data
from .vision.resnet import ResNet

__all__ = ["ARCHITECTURES", "load", "preprocessing_of", "save"]

KIND = "model 1"            # in every file, so that another kind of state is not taken for a model
ARCHITECTURES: dict[str, type[Any]] = {"digits": DigitsCNN, "lenet": LeNet5, "resnet": ResNet, "gpt2": GPT2LMHeadModel}
RENAMED = {"classes": "num_classes"}        # settings of the first files
LARGE = 4096        # a number in the settings may be as large as the file has weights, or as this


@named
def save(model: Module, path: str | os.PathLike[str], **info: Any) -> None:
    """Write a model and what is worth knowing about it (its classes, its accuracy, ...) to `.npz`
    or `.safetensors`.

    Parameters
    ----------
    model : Module
        An instance of one of `ARCHITECTURES`. Its `settings`, the arguments that it was built with,
        may be numbers, strings, booleans, None, and lists and dicts of them.
    path : str or path-like
    info : plain data
        Kept as it is; `load` gives it back. `preprocessing` may be a `Photo` or an `Ink`: what
        pictures go through before the network sees them. `classes`, a list of names, and
        `preprocessing` are what `python -m fastnn predict` looks for.

    Raises
    ------
    FileError
        A model of another class (save its `state_dict()` with `nn.save`), or another file name
        ending.
    OSError
        The file cannot be written; an older file of that name is then unchanged.
    """
    name = next((name for name, architecture in ARCHITECTURES.items() if type(model) is architecture), None)
    if name is None:
        raise FileError(f"{type(model).__name__} is not one of the architectures {', '.join(ARCHITECTURES)}",
                        who="models.save", hint="Save model.state_dict() with nn.save().")
    kept = {key: to_data(value) if isinstance(value, (Photo, Ink)) else value for key, value in info.items()}
    io.save({"fastnn": KIND, "architecture": name, "settings": model.settings, "info": kept,
             "state": model.state_dict()}, path)


@named
def load(path: str | os.PathLike[str]) -> tuple[Module, dict[str, Any]]:
    """The model in a file, in eval mode, and the info that was saved with it.

    Nothing in the file is run or trusted. The architecture is looked up by name, the settings are
    checked against its arguments, and a network larger than the file is refused before any memory
    is taken for it. Then every array is checked.

    Raises
    ------
    FileError
        The file is damaged, is no model, or does not fit the architecture that it names.
    OSError
        It cannot be read.

    >>> import os, tempfile
    >>> import fastnn as nn
    >>> path = os.path.join(tempfile.mkdtemp(), "digits.npz")
    >>> nn.models.save(nn.models.DigitsCNN(), path, accuracy=0.99)
    >>> model, info = nn.models.load(path)
    >>> type(model).__name__, info
    ('DigitsCNN', {'accuracy': 0.99})
    """
    held = io.load(path)
    where = os.fspath(path)
    name, settings, info, state = (held.get(key) for key in ("architecture", "settings", "info", "state"))
    kind = held.get("fastnn")
    if not isinstance(kind, str) or kind != KIND or not all(isinstance(part, dict) for part in (settings, info, state)):
        raise FileError(f"{where} holds arrays, but not a model that fastnn wrote",
                        hint="Build the model yourself and give it the arrays with load_state_dict().")
    assert isinstance(settings, dict) and isinstance(info, dict) and isinstance(state, dict)
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise FileError(f"{where} holds a {name!r}, and this fastnn knows {', '.join(ARCHITECTURES)}")
    architecture = ARCHITECTURES[name]
    settings = {RENAMED.get(key, str(key)): value for key, value in settings.items()}
    size = sum(np.size(a) + 1 for a in state.values())
    if wrong := unfit(settings, architecture, max(LARGE, size)):
        raise FileError(f"{where} has settings that no {name} has: {wrong}")
    try:
        with arrays.meta(2*size + LARGE):           # buffers that no state_dict has need room too
            architecture(**settings)
        model = architecture(**settings)
        model.load_state_dict(state)
    except FastnnError as error:
        raise FileError(f"{where} does not fit the architecture {name!r} that it names: {error}") from error
    except MemoryError as error:
        raise FileError(f"{where} has settings of a larger {name} than its arrays are") from error
    except Exception as error:                  # an argument of the right type that makes no sense
        raise FileError(f"{where} has settings that no {name} has: {type(error).__name__}: {error}") from error
    return model.eval(), info


@named
def preprocessing_of(model: Module, info: Mapping[str, Any]) -> Photo | Ink | None:
    """What pictures go through before this network sees them: as its file says, or else as its
    record does. None where neither does.
    """
    if "preprocessing" in info:
        return from_data(info["preprocessing"])
    record = record_of(model)
    return record.preprocessing if record else None


# ---- settings out of a file, against the arguments of the architecture ---------------------------
def unfit(settings: Mapping[str, Any], architecture: type[Any], largest: int) -> str:
    """The first setting that is no argument, or has another type or size; "" if all are well."""
    known = signature(architecture).parameters
    hints = get_type_hints(architecture.__init__)
    for key, value in settings.items():
        if key not in known:
            return f"{key!r}"
        if not fits(value, hints.get(key, Any), largest):
            return f"{key} = {str(value)[:60]!r}"
    return ""


def fits(value: Any, hint: Any, largest: int) -> bool:
    """Whether plain data is of the annotated type, and no number in it larger than that.

    >>> fits(3, int, 10), fits(True, int, 10), fits(30, int, 10), fits([1, 2], Sequence[int], 10)
    (True, False, False, True)
    """
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind in (Union, UnionType):
        return any(fits(value, choice, largest) for choice in inner)
    if kind is Any:
        return any(fits(value, choice, largest) for choice in (None, bool, int, float, str, list[Any], dict[str, Any]))
    if kind in (None, NoneType):
        return value is None
    if kind in (bool, str):
        return type(value) is kind
    if kind is int:
        return type(value) is int and abs(value) <= largest
    if kind is float:
        return (type(value) is float and math.isfinite(value)) or fits(value, int, largest)
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return isinstance(value, dict) and all(fits(item, inner[-1] if inner else Any, largest)
                                               for item in value.values())
    if isinstance(kind, type) and issubclass(kind, Sequence):
        return isinstance(value, (list, tuple)) and all(fits(item, inner[0] if inner else Any, largest)
                                                        for item in value)
    return False
