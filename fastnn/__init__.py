"""fastnn: a neural-network engine to read and to use. `import fastnn as nn`."""

from __future__ import annotations

import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from . import autograd, errors, functional, init, optim
from . import methods as _methods
from . import moved as _moved
from .about import show_config
from .autograd import enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled
from .backend import backend, use_backend, use_kernel
from .config import get_num_threads, isa, memory, set_num_threads, threads, use_isa
from .creation import *
from .errors import DTypeError, FastnnError, FileError, GraphError, NonFiniteError, RangeError, ShapeError
from .functional import (
    allclose,
    bmm,
    cat,
    chunk,
    clamp,
    concatenate,
    einsum,
    equal,
    exp,
    flatten,
    flip,
    gather,
    log,
    matmul,
    maximum,
    mean,
    minimum,
    mm,
    movedim,
    permute,
    relu,
    reshape,
    sigmoid,
    softmax,
    split,
    sqrt,
    squeeze,
    stack,
    sum,
    tanh,
    transpose,
    tril,
    triu,
    unsqueeze,
    where,
)
from .layers import *
from .random import seed
from .tensor import Parameter, Tensor, from_dlpack, from_numpy, tensor

if TYPE_CHECKING:
    from . import data, models, testing, viz
    from .io import load, save
    from .layers.summary import Summary, summary
    from .training import History, evaluate, fit, predict

__version__ = "0.1.0"

_moved.watch()
_methods.F = functional                             # the methods of Tensor call the functions

if _wanted := _os.environ.get("FASTNN_BACKEND"):
    use_backend(_wanted)

# Loaded when first asked for, so that `import fastnn` stays quick: name -> (module, attribute of it
# or None for the module itself).
_LAZY = {
    "data": (".data", None), "models": (".models", None), "testing": (".testing", None), "viz": (".viz", None),
    "load": (".io", "load"), "save": (".io", "save"), "Summary": (".layers.summary", "Summary"),
         "summary": (".layers.summary", "summary"),
    "History": (".training", "History"), "evaluate": (".training", "evaluate"), "fit": (".training", "fit"),
         "predict": (".training", "predict"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'fastnn' has no attribute {name!r}")
    module, attribute = _LAZY[name]
    found = _import_module(module, __name__)
    globals()[name] = value = found if attribute is None else getattr(found, attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
