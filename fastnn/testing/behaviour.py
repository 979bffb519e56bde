"""What a network stumbles over although every result is right: NaN that gets lost, state that is
kept from call to call, layouts of memory that are read wrong, two threads that call at the same
time.

Each check takes a kernel and a call that it answered right, and gives the complaint in words, or
"".
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..config import get_num_threads, threads
from .allowance import as_tuple, each, is_floating, widened
from .ends import is_allowed, one_element_replaced, results_of
from .trials import Kernel, Trial, attempt, copied, told, worst
from .words import number

__all__ = ["CHECKS", "some", "unsteady"]

LATER = ("state is kept between calls: a later call writes into the result of an earlier one. Make a new array in "
         "every call.")

# NumPy's functions that leave NaN out, and what to call in their place
LOSES_NAN = {"fmax": "np.maximum keeps it", "fmin": "np.minimum keeps it", "nanmax": "np.max keeps it",
             "nanmin": "np.min keeps it", "nansum": "np.sum keeps it", "nanmean": "np.mean keeps it",
             "nanvar": "np.var keeps it", "nanstd": "np.std keeps it", "nanprod": "np.prod keeps it",
             "nanargmax": "np.argmax finds it", "nan_to_num": "leave it out"}

LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "a view with gaps, as x[..., ::2]": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "a transposed view, as x.T": np.asfortranarray,
    "an array that may not be written": lambda a: np.lib.stride_tricks.as_strided(a, writeable=False),
}



def loses_nan(kernel: Kernel, trial: Trial) -> str:
    """One NaN in an input, or in the upstream gradient, becomes a number where the definition has
    NaN. Inputs whose NaN the op drops on purpose (`drops_nan`) are left out.
    """
    op, sample, dtype = kernel.op, trial.sample, trial.dtype
    if dtype != "float32":
        return ""
    for k, _, put in one_element_replaced(op, sample, dtype):
        upstream = k >= len(trial.inputs)
        name = "dy" if upstream else op.inputs[min(k, len(op.inputs) - 1)]
        inputs, dy = put(np.nan)
        if (upstream and kernel.backward is None) or name in op.drops_nan or not is_allowed(op, sample, inputs):
            continue
        wants = [results_of(op.definition, given, upstream_gradient, sample) for given, upstream_gradient in
                 ((inputs, dy), ([widened(a) for a in inputs], each(widened, dy)))]
        try:
            got = _all_results(kernel, trial, inputs, dy)
        except Exception as error:
            return f"NaN in {name} ends the call: {told(error)}"
        outputs = len(trial.outputs)
        for i, (g, *want) in enumerate(zip(got, *wants)):
            if g is None or any(w is None or not is_floating(np.asarray(w)) for w in want):
                continue
            lost = np.isnan(want[0]) & np.isnan(want[1]) & ~np.isnan(g)
            if lost.any():
                result = ("y" if outputs == 1 else f"y[{i}]") if i < outputs else (
                    f"the gradient of {op.inputs[min(i - outputs, len(op.inputs) - 1)]}")
                cause = as_tuple(dy)[k - len(trial.inputs)] if upstream else inputs[k]
                return (f"NaN gets lost: where {name}{_place(np.isnan(cause))} is NaN, {result}{_place(lost)} is "
                        f"{number(g[lost].flat[0])}, and NaN is right. In training NaN is how an error shows: where it "
                        f"gets lost, the loss looks healthy and the weights are not. {_keeps_nan(kernel)}")
    return ""


def _place(where: np.ndarray) -> str:
    """The first true element, as it is written behind a name."""
    return str([int(n) for n in np.argwhere(where)[0]]) if np.ndim(where) else ""


def _all_results(kernel: Kernel, trial: Trial, inputs: list[Any], dy: Any) -> list[Any]:
    """Outputs, and after them the gradients, if the kernel gives any."""
    y, saved = kernel.run(*map(copied, inputs), **trial.sample.attrs)
    grads: Any = ()
    if kernel.backward is not None and trial.gradients:
        grads = kernel.backward(each(np.copy, dy), saved, **trial.sample.attrs)
    return [np.asarray(a) if a is not None else None for a in (*as_tuple(y), *grads)]


def _keeps_nan(kernel: Kernel) -> str:
    """What to write, in words."""
    for function in (kernel.forward, kernel.backward):
        for name in getattr(getattr(function, "__code__", None), "co_names", ()):
            if name in LOSES_NAN:
                return f"np.{name} leaves NaN out: {LOSES_NAN[name]}."
    return ("A comparison with NaN is false: let the false side be the one that keeps x, as np.where(x < 0, 0, x) "
            "does.")


def keeps_state(kernel: Kernel, trial: Trial) -> str:
    """A later call, with several threads, gives another result, or changes that of the first."""
    again = attempt(kernel, trial.sample, trial.dtype)
    if any(r.allowed is not None and worst(r.got, r.want, r.allowed)[0] > 1 for r in trial.outputs):
        return LATER
    faults = [r for r in [*again.outputs, *again.gradients] if r.fault]
    if not faults and not again.error:
        return ""
    with threads(1):
        alone = attempt(kernel, trial.sample, trial.dtype)
    if not alone.error and not any(r.fault for r in [*alone.outputs, *alone.gradients]):
        return f"the result depends on the number of threads: right with 1, wrong with {get_num_threads()}."
    if again.error:
        return f"state is kept between calls: the same call again raises {again.error}"
    row = faults[0]
    text = "state is kept between calls: the same call again gives another result"
    if row.fault == "values" and row.at is not None:
        text += f", {row.name}{list(row.at)} = {number(row.got[row.at])} where it was {number(row.want[row.at])}"
    return f"{text}. What a call adds up must begin at 0 in every call."


def shares_results(kernel: Kernel, trial: Trial) -> str:
    """A call with other numbers of the same shapes changes what an earlier call gave."""
    other = _flipped(kernel, trial)
    first = [np.asarray(a) for a in as_tuple(kernel.run(*map(copied, trial.inputs), **trial.sample.attrs)[0])]
    kept = [a.copy() for a in first]
    kernel.run(*map(copied, other), **trial.sample.attrs)
    return "" if all(alike(a, b, trial.dtype) for a, b in zip(first, kept)) else LATER


def _flipped(kernel: Kernel, trial: Trial) -> list[Any]:
    """The same numbers in another order, if the op takes them so."""
    other = [np.flip(a).copy() if is_floating(a) and a.ndim else copied(a) for a in trial.inputs]
    return other if is_allowed(kernel.op, trial.sample, other) else trial.inputs


def overwrites_saved(kernel: Kernel, trial: Trial) -> str:
    """Backward changes what forward saved, so that a second backward gives something else."""
    if kernel.backward is None or not trial.gradients:
        return ""
    _, saved = kernel.run(*map(copied, trial.inputs), **trial.sample.attrs)
    first = [copied(g) for g in kernel.backward(each(np.copy, trial.dy), saved, **trial.sample.attrs)]
    second = kernel.backward(each(np.copy, trial.dy), saved, **trial.sample.attrs)
    for name, a, b in zip(kernel.op.inputs, first, second):
        if isinstance(a, np.ndarray) and not alike(a, np.asarray(b), trial.dtype):
            return (f"backward overwrites what forward saved, or adds to what it gave before: called again, it gives "
                    f"another gradient of {name}.")
    return ""


def layouts(kernel: Kernel, trial: Trial) -> str:
    """Views of other arrays, as x.T and x[::2] are, and arrays that may not be written."""
    want = as_tuple(kernel.run(*map(copied, trial.inputs), **trial.sample.attrs)[0])
    for what, change in LAYOUTS.items():
        inputs = [change(a) if isinstance(a, np.ndarray) and a.ndim else a for a in trial.inputs]
        try:
            got = as_tuple(kernel.run(*inputs, **trial.sample.attrs)[0])
        except Exception as error:
            return f"it cannot take {what}: {told(error)}. np.ascontiguousarray(x) makes a plain array of any."
        for a, b in zip(want, got):
            if not alike(np.asarray(a), np.asarray(b), trial.dtype):
                return (f"it gives another result for {what}: memory is read as if it had no strides. "
                        "np.ascontiguousarray(x) makes a plain array of any.")
    return ""


def together(kernel: Kernel, trial: Trial) -> str:
    """Two threads that call at the same time, line by line in turn."""
    inputs = [trial.inputs, _flipped(kernel, trial)]
    try:
        alone = [kernel.results(trial, a) for a in inputs]
    except Exception:                           # numbers that are not this function's
        return ""
    for _ in range(3):
        results: list[Any] = [None, None]

        def work(n: int, results: list[Any] = results) -> None:
            sys.settrace(_in_turn(kernel.forward, kernel.backward))
            try:
                with np.errstate(all="ignore"):
                    results[n] = kernel.results(trial, inputs[n])
            except Exception as error:
                results[n] = error
            finally:
                sys.settrace(None)
        crew = [threading.Thread(target=work, args=(n,)) for n in range(2)]
        for t in crew:
            t.start()
        for t in crew:
            t.join()
        for one, both in zip(alone, results):
            if isinstance(both, Exception):
                return f"not thread safe: called by two threads at the same time, it raises {told(both)}."
            if any(not alike(a, b, trial.dtype) for a, b in zip(one, both)):
                return ("not thread safe: called by two threads at the same time, it gives wrong results. They share "
                        "an array that stands outside the function: make it in every call.")
    return ""


def _in_turn(*functions: Any) -> Callable[..., Any]:
    """A tracing function that hands over to another thread at each of the first 300 lines of these
    functions' files.
    """
    files = {f.__code__.co_filename for f in functions if hasattr(f, "__code__")}
    left = [300]

    def step(frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename not in files or left[0] <= 0:
            return None
        if event == "line":
            left[0] -= 1
            time.sleep(1e-5)
        return step
    return step


def unsteady(kernel: Kernel, trial: Trial) -> str:
    """Whether two equal calls give different results, in words."""
    try:
        one, two = (kernel.results(trial, trial.inputs) for _ in range(2))
    except Exception:
        return ""
    complaint = unwritten(kernel, trial)
    if complaint:
        return complaint
    if all(alike(a, b, trial.dtype) for a, b in zip(one, two)):
        return ""
    text = "state is kept between calls: two equal calls give different results"
    want = trial.outputs[0].want
    if one[0].shape == want.shape and is_floating(want) and alike(two[0] - one[0], want, trial.dtype):
        text += ", for the second adds what is right to what the first gave"
    return f"{text}. Make a new array, of zeros, in every call."


def unwritten(kernel: Kernel, trial: Trial) -> str:
    """How many numbers of the result come from what was in its memory before, in words.

    The memory of a result is filled with a mark and given back, and the next call gets the same: it
    is unwritten where one mark gives one number, twice, and another mark another.
    """
    found = []
    inputs = [copied(a) for a in trial.inputs]      # once: copies would take the marked memory
    for mark in (7.28125, -3.40625, 7.28125):
        y = np.asarray(as_tuple(kernel.run(*inputs, **trial.sample.attrs)[0])[0])
        if not is_floating(y) or not y.flags.writeable or any(
                isinstance(a, np.ndarray) and np.shares_memory(a, y) for a in inputs):
            return ""
        y.fill(mark)
        del y
        found.append(np.array(as_tuple(kernel.run(*inputs, **trial.sample.attrs)[0])[0]))
    left = (found[0] == found[2]) & (found[0] != found[1])
    if not left.any():
        return ""
    return (f"{int(left.sum()):,} of {left.size:,} numbers of the result are never written: they come from "
            "what was in the memory of np.empty. Write all of them, or begin with np.zeros.")


def alike(a: np.ndarray, b: np.ndarray, dtype: str) -> bool:
    """Equal but for rounding: a sum may be made in another order at another address."""
    if a.shape != b.shape or a.dtype.kind not in "fiub" or b.dtype.kind not in "fiub":
        return a.shape == b.shape
    return np.allclose(a, b, rtol=1e-3 if dtype == "float32" else 1e-7, atol=1e-5 if dtype == "float32" else 1e-9,
                       equal_nan=a.dtype.kind == "f")


def some(trials: Sequence[Trial], count: int) -> list[Trial]:
    """A few calls of middling size in float32."""
    fit = sorted((t for t in trials if t.dtype == "float32" and t.outputs and t.outputs[0].want.size >= 4
                  and not any(is_floating(a) and not np.isfinite(a).all() for a in t.inputs)),
                 key=lambda t: t.outputs[0].want.size)
    return fit[len(fit)//3:][:count]


# each with how many calls it looks at; None for all
CHECKS: list[tuple[Callable[[Kernel, Trial], str], int | None]] = [
    (loses_nan, None), (keeps_state, None), (unwritten, 6), (shares_results, 6), (overwrites_saved, 6), (layouts, 3),
    (together, 2)]
