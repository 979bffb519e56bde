"""fastnn: a neural-network engine to read and to use. `import fastnn as nn`."""

from __future__ import annotations

import math as _math
import os as _os
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

from numpy import finfo, iinfo

from . import autograd, creation, errors, functional, init, layers, optim
from . import methods as _methods
from . import moved as _moved
from .about import __version__, show_config
from .autograd import enable_grad, grad, inference_mode, is_grad_enabled, no_grad, set_grad_enabled
from .backend import backend, use_backend
from .config import get_num_threads, isa, memory, set_flush_denormal, set_num_threads, threads, use_isa
from .creation import *
from .device import accelerator, backends, cuda, device
from .dtypes import *
from .errors import (
    DTypeError,
    FastnnError,
    FileError,
    GraphError,
    MistakeWarning,
    NonFiniteError,
    RangeError,
    ShapeError,
)
from .functional import *
from .layers import *
from .optim import clip as utils  # where PyTorch has clip_grad_norm_
from .random import manual_seed, seed
from .tensor import Parameter, Tensor, as_tensor, asarray, from_dlpack, from_numpy, is_tensor, tensor

if TYPE_CHECKING:
    from . import data, models, testing, training, viz
    from .io import load, save
    from .layers.summary import Summary, summary
    from .testing import use_kernel
    from .training import History, evaluate, fit, predict

_moved.watch()
_moved.answer_for(autograd, creation, functional, init, layers, optim.clip, optim.lr_scheduler)
_methods.connect(functional, creation, init)        # the methods of Tensor call these

inf, nan, pi, e = _math.inf, _math.nan, _math.pi, _math.e

try:
    use_backend(_os.environ.get("FASTNN_BACKEND") or "kernels")
except RangeError as _error:
    _error.who = "FASTNN_BACKEND"
    raise

# Loaded when first used, so that `import fastnn` stays quick: name -> (module, attribute of it, or
# None for the module itself).
_LAZY: dict[str, tuple[str, str | None]] = {
    **{room: (f".{room}", None) for room in ("data", "models", "testing", "training", "viz")},
    **{name: (".io", name) for name in ("load", "save")},
    **{name: (".layers.summary", name) for name in ("Summary", "summary")},
    **{name: (".training", name) for name in ("History", "evaluate", "fit", "predict")},
    "use_kernel": (".testing", "use_kernel"),
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise _moved.missing(__name__, name)
    module, attribute = _LAZY[name]
    found = _import_module(module, __name__)
    globals()[name] = value = found if attribute is None else getattr(found, attribute)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
