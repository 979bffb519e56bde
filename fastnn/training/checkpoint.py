"""Checkpoints: a whole training run in one file, and taken up again from it.

A checkpoint is a dict, in a file of nn.save:

    fastnn      "checkpoint 1"
    model, optimizer, loader, scheduler     what their state_dict() gives, None where there is none
    callbacks   {name: state} of those that keep one
    random      the random streams
    history     the rows of the epochs that are over
    epoch       how many those are
    step        optimiser steps since the training began
    partial     None; or, for an epoch that was left in its middle, {"batch", "counts", "sums",
                "seconds"}: its batches, what its means count, the sums behind them, and its time

To take a run up again its parts are loaded one by one. If one does not fit, those before it are put
back: nothing is changed unless all of it fits.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence, MutableSet
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from ..data import DataLoader
from ..errors import FastnnError, FileError
from ..io import load
from ..io import save as write
from ..layers.module import Module
from ..random import random_state, set_random_state
from ..tensor import Tensor
from .means import Means
from .state import State

__all__ = ["restore", "save"]

Path = str | os.PathLike[str]
FORMAT = "checkpoint 1"
MOST = 2**53                                # epochs, batches, steps: far more than there will be
FIELDS = ("fastnn", "model", "optimizer", "loader", "scheduler", "callbacks", "random", "history", "epoch", "step",
          "partial")


def save(path: Path, state: State) -> None:
    """Write the run as it stands, between two steps or two epochs."""
    partial = None
    if state.unfinished:
        partial = {"batch": state.batch, "counts": dict(state.means.counts), "sums": dict(state.means.sums),
                   "seconds": state.seconds}
    write({
        "fastnn": FORMAT,
        "model": state.model.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "loader": _state_of(state.loader),
        "scheduler": _state_of(state.scheduler),
        "callbacks": {name: kept for name, callback in _named(state) if (kept := callback.state_dict())},
        "random": random_state(),
        "history": state.history.rows,
        "epoch": len(state.history),
        "step": state.step,
        "partial": partial,
    }, path)


def restore(path: Path, state: State) -> None:
    """Put everything back as it was when the checkpoint was written.

    Raises
    ------
    FastnnError
        Something does not fit, or is damaged: the message names the file and the field. Nothing
        was changed.
    """
    saved = _read(path)
    callbacks = dict(_named(state))
    with _told(path, "epoch"):
        epoch = _count(saved["epoch"])
    with _told(path, "history"):
        rows = _rows(saved["history"], epoch)
    with _told(path, "partial"):
        partial = saved["partial"]
        means, batch, seconds = _partial(partial, state.metrics) if partial is not None else (Means(), 0, 0.0)
    with _told(path, "step"):
        step = _count(saved["step"], least=epoch + batch)
    undo: list[Callable[[], None]] = [_attributes(state), _attributes(state.history)]
    try:
        with _told(path, "model"):
            undo.append(_values(state.model.state_dict()))
            state.model.load_state_dict(_mapping(saved["model"]))
            _need_numbers(dict(state.model.named_parameters()))
        with _told(path, "optimizer"):
            before = copy.deepcopy(state.optimizer.state_dict())
            undo.append(lambda: state.optimizer.load_state_dict(before))
            state.optimizer.load_state_dict(_mapping(saved["optimizer"]))
            for kept in getattr(state.optimizer, "state", {}).values():
                _need_numbers({name: a for name, a in dict(kept).items() if isinstance(a, np.ndarray)})
            if step and not getattr(state.optimizer, "state", True) and state.optimizer.rule.counts_steps:
                raise FileError(f"no parameter has a state after {step} steps")
        for field, thing in (("loader", state.loader), ("scheduler", state.scheduler)):
            with _told(path, field):
                _load(thing, saved[field], undo)
        with _told(path, "partial"):
            if isinstance(state.loader, DataLoader) and (state.loader.state_dict()["position"] > 0) != (batch > 0):
                raise FileError("the loader stands in the middle of an epoch and the run does not, or the reverse",
                                got=f"{batch} batches, and the loader's {saved['loader']}")
            if isinstance(state.loader, DataLoader) and state.loader.state_dict()["position"] < batch:
                raise FileError("every batch has a sample", expected=f"at most {saved['loader']['position']} batches",
                                got=batch)
        with _told(path, "random"):
            streams = random_state()
            undo.append(lambda: set_random_state(streams))
            set_random_state(dict(_mapping(saved["random"])))
        state.history.rows = rows
        state.epoch, state.step = epoch, step
        state.batch, state.means, state.started = batch, means, time.perf_counter() - seconds
        with _told(path, "callbacks"):              # last: their checks may look at all of the run
            for name, kept in _mapping(saved["callbacks"]).items():
                _mapping(kept)
                if name in callbacks:
                    _load(callbacks[name], kept, undo)
                    callbacks[name].check(state)
    except BaseException:
        for put_back in reversed(undo):
            put_back()
        raise


# ---- the file ------------------------------------------------------------------------------------
def _read(path: Path) -> dict[str, Any]:
    """The checkpoint, with every field in its place."""
    saved = load(path)
    if not isinstance(saved.get("fastnn"), str) or saved["fastnn"] != FORMAT:
        raise FileError(f"{os.fspath(path)} is not a checkpoint that fit() wrote", who="fit",
                        hint="Give another path, or resume=False to begin anew and overwrite it.")
    if set(saved) != set(FIELDS):
        raise FileError(f"the checkpoint {os.fspath(path)} is not complete", who="fit", expected=", ".join(FIELDS),
                        got=", ".join(map(str, saved)), hint="resume=False begins anew and overwrites it.")
    return saved


@contextmanager
def _told(path: Path, field: str) -> Iterator[None]:
    """An error names the file and the field."""
    what = f"cannot resume from {os.fspath(path)}: its {field} does not fit"
    hint = "resume=False begins anew and overwrites it."
    try:
        yield
    except FastnnError as error:
        error.message = ": ".join(filter(None, [what, error.who, error.message]))
        error.who, error.hint = "fit", f"{error.hint} {hint}".strip()
        raise
    except Exception as error:
        # whatever a state_dict of the user's own makes of a field that is damaged
        raise FileError(f"{what} ({type(error).__name__}: {error})", who="fit", hint=hint) from error


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise FileError(expected="a dict", got=type(value).__name__)
    return value


def _count(value: Any, least: int = 0) -> int:
    if type(value) is not int or not least <= value < MOST:
        raise FileError(expected=f"a whole number >= {least}", got=repr(value))
    return value


def _number(value: Any, name: str = "") -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise FileError(expected=f"{name}, a number" if name else "a number", got=repr(value))
    return value


def _finite(value: Any, name: str, least: float = -math.inf) -> float:
    if not least <= _number(value, name) or not abs(value) < math.inf:
        raise FileError(expected=f"{name}, a finite number" + (f" >= {least:g}" if least > -math.inf else ""),
                        got=repr(value))
    return value


def _rows(rows: Any, epoch: int) -> list[dict[str, float]]:
    """The history, one row for each epoch."""
    if not isinstance(rows, list) or len(rows) != epoch:
        raise FileError(expected=f"a list of {epoch} rows", got=f"{len(rows)} rows" if isinstance(rows, list)
                        else type(rows).__name__)
    for number, row in enumerate(rows, 1):
        for name, value in _mapping(row).items():
            if not isinstance(name, str):
                raise FileError(expected="columns with names", got=repr(name))
            _number(value, name)
        if type(row.get("epoch")) is not int or row["epoch"] != number or "loss" not in row:
            raise FileError(expected=f"a loss in epoch {number}", got=row)
        _finite(row["loss"], "loss")                # with another one the run would have ended
        _finite(row.get("seconds", 0), "seconds", least=0)
    return rows


def _partial(partial: Any, metrics: Mapping[str, Any]) -> tuple[Means, int, float]:
    """What an epoch that was left in its middle had gathered: its means, batches and seconds."""
    found = _mapping(partial)
    if set(found) != {"batch", "counts", "sums", "seconds"}:
        raise FileError(expected="batch, counts, sums and seconds", got=", ".join(map(str, found)))
    means = Means(metrics)
    sums, counts = _mapping(found["sums"]), _mapping(found["counts"])
    if set(sums) != set(means.sums) or set(counts) != set(means.counts):
        raise FileError("the epoch was begun with other metrics", expected=sorted(map(str, sums)),
                        got=sorted(means.sums))
    means.sums = {name: _number(value, name) for name, value in sums.items()}
    means.counts = {name: _finite(value, f"the count of {name}", least=0) for name, value in counts.items()}
    _finite(means.sums["loss"], "loss")
    batch = _count(found["batch"])
    if batch == 0 and any(means.counts.values()):
        raise FileError(expected="samples in batches", got=f"{means.count} samples in {batch} batches")
    return means, batch, _finite(found["seconds"], "seconds", least=0)


# ---- states of objects, and putting them back ----------------------------------------------------
def _state_of(thing: Any) -> Any:
    return thing.state_dict() if hasattr(thing, "state_dict") else None


def _named(state: State) -> Iterator[tuple[str, Any]]:
    """(name, callback): names of classes, numbered where one comes again."""
    seen: dict[str, int] = {}
    for callback in state.callbacks:
        name = type(callback).__name__
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name} {seen[name]}"), callback


def _load(thing: Any, kept: Any, undo: list[Callable[[], None]]) -> None:
    """thing.load_state_dict(kept), and on the list how to undo it."""
    able = hasattr(thing, "load_state_dict")
    if (kept is None) == able:
        raise FileError("the run was saved without one, and this run has one" if able else
                        "the run was saved with one, and this run has none that could take its state",
                        hint="Give fit the same arguments as before.")
    if able:
        undo.append(_attributes(thing))
        if hasattr(thing, "state_dict"):            # what it holds in objects of its own
            before = copy.deepcopy(thing.state_dict())

            def load_again() -> None:
                with suppress(Exception):           # of a class that refuses its own state
                    thing.load_state_dict(before)
            undo.append(load_again)
        thing.load_state_dict(kept)


def _need_numbers(arrays: Mapping[str, Any]) -> None:
    """FileError if a parameter, or what an optimiser keeps for one, has a NaN: no run goes on from
    there, and a file of `fit` has none.
    """
    for name, a in arrays.items():
        if np.isnan(np.asarray(a.data if isinstance(a, Tensor) else a)).any():
            raise FileError(f"{name} holds NaN", hint="Take an older file, or begin anew with resume=False.")


def _values(tensors: Mapping[str, Any]) -> Callable[[], None]:
    """Puts the numbers of tensors, or arrays, back as they are now."""
    kept = [(t, a, a.copy()) for t in tensors.values() for a in [t.data if isinstance(t, Tensor) else t]]

    def put_back() -> None:
        for t, a, values in kept:
            if isinstance(t, Tensor) and t.data is not a:
                t.data = a
            if a.flags.writeable and not np.array_equal(a, values, equal_nan=a.dtype.kind == "f"):
                a[...] = values
    return put_back


def _attributes(thing: Any) -> Callable[[], None]:
    """Puts an object's attributes back as they are now, and what containers, arrays, tensors and
    modules among them hold.
    """
    seen: dict[int, Callable[[], Any]] = {}
    kept = _as_now(getattr(thing, "__dict__", {}), seen)
    slots = [(name, _as_now(getattr(thing, name), seen)) for kind in type(thing).__mro__
             for name in np.atleast_1d(getattr(kind, "__slots__", ())).tolist()
             if name != "__dict__" and hasattr(thing, name)]

    def put_back() -> None:
        kept()
        for name, back in slots:
            setattr(thing, name, back())
    return put_back


def _as_now(value: Any, seen: dict[int, Callable[[], Any]]) -> Callable[[], Any]:
    """A function that makes a value again what it is now, in place, and returns it. Objects of
    other classes stay what they are.
    """
    if id(value) in seen:
        return seen[id(value)]
    seen[id(value)] = lambda: value
    fill: Callable[[], None] = lambda: None
    if isinstance(value, MutableMapping):
        fields = [(name, _as_now(field, seen)) for name, field in value.items()]

        def fill() -> None:
            now = [(name, field()) for name, field in fields]
            value.clear()
            for name, field in now:
                value[name] = field
    elif isinstance(value, (MutableSequence, tuple)):
        items = [_as_now(item, seen) for item in value]

        def fill() -> None:
            now = [item() for item in items]
            if not isinstance(value, tuple):
                value.clear()
                value.extend(now)
    elif isinstance(value, MutableSet):
        members = list(value)

        def fill() -> None:
            value.clear()
            for member in members:
                value.add(member)
    elif isinstance(value, (np.ndarray, Tensor)):
        fill = _values({"": value})
    elif isinstance(value, Module):
        numbers, modes = _values(value.state_dict()), [(module, module.training) for module in value.modules()]

        def fill() -> None:
            numbers()
            for module, mode in modes:
                module.training = mode

    def back() -> Any:
        fill()
        return value
    return back
