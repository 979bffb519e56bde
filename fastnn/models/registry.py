"""The record of a published network, and the table of them.

What is data here drives tests, documentation, `summary`, `bench` and `predict` at once.

The records themselves are in published.py; the networks, one file a paper, in vision/ and
language/.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arrays
from ..errors import RangeError
from ..guard import named, named_init
from ..layers import Module

if TYPE_CHECKING:
    from ..layers.summary import Summary
    from .vision.preprocessing import Ink, Photo

__all__ = ["RECORDS", "Record", "get_model", "get_record", "list_models", "markdown", "record_of", "register"]


@named_init
@dataclass(frozen=True)
class Record:
    """One variant of a network, as it was published.

    name            what `get_model` and the command line call it
    builder         builder(**settings) -> the network with random weights
    input           shape of one sample
    parameters      exactly; a shared weight counts once
    multiply_adds   of one sample, exactly, as `summary` counts them
    paper           authors, year, title
    settings        what this variant passes to the builder
    dtype           of the input; "int64" for tokens
    names           whose names the parameters have: "torchvision", "transformers", or "fastnn"
    preprocessing   what a picture goes through first; None where the network reads no pictures
    classes         names of the outputs, where they are few
    renames         (pattern, replacement) for keys of older files; a key that becomes "" is dropped
    tied            {key: the key whose array it shares}: files may leave it out
    """

    name: str
    builder: Callable[..., Any]
    input: tuple[int, ...]
    parameters: int
    multiply_adds: int
    paper: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    dtype: str = "float32"
    names: str = "fastnn"
    preprocessing: Photo | Ink | None = None
    classes: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    tied: Mapping[str, str] = field(default_factory=dict)

    def build(self, **settings: Any) -> Module:
        """The network with random weights; settings change or add to those of the record."""
        return self.builder(**{**self.settings, **settings})

    def outline(self, **settings: Any) -> Module:
        """The network without memory for its weights, for questions about its shapes."""
        with arrays.meta():
            return self.build(**settings)

    def summary(self, *shape: int) -> Summary:
        """The table of layers, for an input of another shape if one is given."""
        return self.outline().summary(shape or self.input, dtype=self.dtype)

    def translate(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """A state_dict of an older file under today's keys, for `load_state_dict`.

        >>> import fastnn as nn
        >>> state = {"wte.weight": 1, "h.0.attn.bias": 2, "h.0.attn.c_attn.bias": 3}
        >>> nn.models.get_record("gpt2").translate(state)
        {'transformer.wte.weight': 1, 'transformer.h.0.attn.c_attn.bias': 3, 'lm_head.weight': 1}
        """
        found = {}
        for key, value in state.items():
            for pattern, replacement in self.renames:
                key = re.sub(pattern, replacement, key)
            if key:
                found[key] = value
        for key, other in self.tied.items():
            if other in found:
                found.setdefault(key, found[other])
        # files of before PyTorch 0.4.1 do not count a batch norm's batches
        for key in [key for key in found if key.endswith(".running_mean")]:
            found.setdefault(key.replace("running_mean", "num_batches_tracked"), np.zeros((), np.int64))
        return found


RECORDS: dict[str, Record] = {}


def register(record: Record) -> Record:
    if record.name in RECORDS:
        raise ValueError(f"there are two records named {record.name!r}")
    RECORDS[record.name] = record
    return record


@named
def list_models() -> list[str]:
    """The names of all records; torchvision's function.

    >>> import fastnn as nn
    >>> "resnet18" in nn.models.list_models()
    True
    """
    return list(RECORDS)


@named
def get_record(name: str) -> Record:
    """The record of that name.

    Raises
    ------
    RangeError
        There is none; the message names those that are close.
    """
    if not isinstance(name, str):
        raise RangeError(who="models", expected="the name of a network", got=repr(name),
                         hint=f"Known are {', '.join(RECORDS)}.")
    if name in RECORDS:
        return RECORDS[name]
    from ..names import near
    close = near(name, RECORDS) or [known for known in RECORDS if name and known.startswith(name)]
    raise RangeError(f"there is no network called {name!r}", who="models",
                     hint=f"Did you mean {' or '.join(close)}?" if close else f"Known are {', '.join(RECORDS)}.")


@named
def get_model(name: str, **settings: Any) -> Module:
    """A network by the name of its record, with random weights; torchvision's function.

    Parameters
    ----------
    name : str
        One of `list_models()`.
    settings
        Go to the builder, in place of the record's or beside them.

    >>> import fastnn as nn
    >>> nn.models.get_model("resnet18", num_classes=10).fc
    Linear(in_features=512, out_features=10, bias=True)
    """
    return get_record(name).build(**settings)


@named
def record_of(model: Module) -> Record | None:
    """The record that describes this network best: of its class, and with its settings, whatever
    the number of classes. None if there is none.
    """
    settings = getattr(model, "settings", {})
    agree = [record for record in RECORDS.values() if class_of(record.name) is type(model)
             and all(settings.get(key) == value for key, value in record.settings.items() if key != "num_classes")]
    return max(agree, key=lambda record: len(record.settings), default=None)


@cache
def class_of(name: str) -> type:
    """The class of what a record builds."""
    return type(RECORDS[name].outline())


def markdown() -> str:
    """The table of all records for the documentation (tools/readme.py)."""
    heads = ("name", "built by", "input", "parameters", "multiply-adds", "names of weights", "paper")
    rows = [(f"`{record.name}`", f"`{record.builder.__name__}`", " x ".join(map(str, record.input)),
             f"{record.parameters:,}", f"{record.multiply_adds:,}", record.names, record.paper)
            for record in RECORDS.values()]
    return "\n".join([f"| {' | '.join(heads)} |", "|---|---|---|---:|---:|---|---|",
                      *[f"| {' | '.join(row)} |" for row in rows], ""])
