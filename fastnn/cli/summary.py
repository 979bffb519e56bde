"""`python -m fastnn summary`: the table of layers of a model file, or of an architecture by name.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from .. import models
from ..console import UserError, say

__all__ = ["command", "find_model"]


def find_model(name: str) -> tuple[Any, dict[str, Any]]:
    """The model in a file, or a fresh one of an architecture, with the info of the file."""
    if name in models.ARCHITECTURES and not Path(name).exists():
        return models.ARCHITECTURES[name](), {}
    if Path(name).suffix not in (".npz", ".safetensors") and not Path(name).exists():
        raise UserError(f"{name!r} is neither a file nor one of the architectures {', '.join(models.ARCHITECTURES)}")
    return models.load(name)


def input_shape(text: str | None, model: Any) -> tuple[int, ...]:
    if text is None:
        return model.input_shape
    try:
        shape = tuple(int(size) for size in text.strip("()[] ").replace("x", ",").split(",") if size.strip())
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise UserError(f"--input {text!r} is not a shape; write it as 1,28,28")
    return shape


def command(args: Namespace) -> int:
    model, info = find_model(args.model)
    say(str(model.summary(input_shape(args.input, model))))
    for name, value in info.items():
        if isinstance(value, (str, int, float)):
            say(f"{name}: {value}")
    return 0
