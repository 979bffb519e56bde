"""Model files: the state of a network together with its architecture's name, so that the file alone
is enough to use it.
"""

from __future__ import annotations

import os
from typing import Any

from .. import io
from ..errors import FastnnError, FileError
from ..layers import Module
from .digits import DigitsCNN
from .lenet import LeNet5

__all__ = ["ARCHITECTURES", "load", "save"]

KIND = "model 1"                    # in every file, so that another kind of state is not taken for a model
ARCHITECTURES: dict[str, type[Any]] = {"digits": DigitsCNN, "lenet": LeNet5}


def save(model: Module, path: str | os.PathLike[str], **info: Any) -> None:
    """Write a model and what is worth knowing about it (its classes, its accuracy, ...) to `.npz`
    or `.safetensors`.

    Parameters
    ----------
    model : Module
        An instance of one of `ARCHITECTURES`.
    path : str or path-like
    info : plain data
        Kept as it is; `load` gives it back.

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
    io.save({"fastnn": KIND, "architecture": name, "settings": model.settings, "info": info,
             "state": model.state_dict()}, path)


def load(path: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """The model in a file, in eval mode, and the info that was saved with it.

    Nothing in the file is run or trusted: the architecture is looked up by name, and every array is
    checked against it.

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
    name, settings, info, state = (held.get(key) for key in ("architecture", "settings", "info", "state"))
    if held.get("fastnn") != KIND or not isinstance(settings,
                                                    dict) or not isinstance(info, dict) or not isinstance(state, dict):
        raise FileError(f"{os.fspath(path)} holds arrays, but not a model that fastnn wrote",
                        hint="Build the model yourself and give it the arrays with load_state_dict().")
    if not isinstance(name, str) or name not in ARCHITECTURES:
        raise FileError(f"{os.fspath(path)} holds a {name!r}, and this fastnn knows {', '.join(ARCHITECTURES)}")
    if any(type(value) is not int or not 0 < value <= 4096 for value in settings.values()):
        raise FileError(f"{os.fspath(path)} has settings that no {name} has: {settings!r}")
    try:
        model = ARCHITECTURES[name](**settings)
        model.load_state_dict(state)
    except (TypeError, FastnnError) as error:
        raise FileError(f"{os.fspath(path)} does not fit the architecture {name!r} that it names: {error}") from error
    return model.eval(), info
