"""`python -m fastnn summary`: the table of layers of a model file, or of a network by name."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from .. import models
from ..console import UserError, say
from ..moved import moved_names
from .parser import meant

__all__ = ["command"]


def command(args: Namespace) -> int:
    shape = shape_of(args.input) if args.input else ()
    if args.model in models.RECORDS and not Path(args.model).exists():
        say(str(models.get_record(args.model).summary(*shape)))
        return 0
    if Path(args.model).suffix not in (".npz", ".safetensors") and not Path(args.model).exists():
        raise UserError(f"{args.model!r} is neither a file nor one of the networks {', '.join(models.list_models())}"
                        + meant(args.model, models.list_models()))
    model, info = models.load(args.model)
    record = models.record_of(model)
    if record is None:
        raise UserError(f"no record tells the input of a {type(model).__name__} like this")
    say(str(model.summary(shape or record.input, dtype=record.dtype)))
    for name, value in info.items():
        if isinstance(value, (str, int, float)):
            say(f"{name}: {value}")
    return 0


def shape_of(text: str) -> tuple[int, ...]:
    """"1,28,28" or "1x28x28" as a shape."""
    try:
        shape = tuple(int(size) for size in text.strip("()[] ").replace("x", ",").split(",") if size.strip())
    except ValueError:
        shape = ()
    if not shape or min(shape) < 1:
        raise UserError(f"--input {text!r} is not a shape; write it as 1,28,28")
    return shape


moved_names(__name__)
