"""fastnn: a neural-network engine to read and to use. `import fastnn as nn`."""

from __future__ import annotations

import math as _math
import os as _os
import sys as _sys
from importlib import import_module as _import_module
from typing import TYPE_CHECKING, Any

# `X as X` tells type checkers that a name is for users; what comes with a star is.
from . import autograd, creation, errors, functional, init, layers, optim, special, utils
from . import methods as _methods
from . import moved as _moved
from .about import __version__ as __version__, show_config as show_config
from .autograd import enable_grad as enable_grad, grad as grad, inference_mode as inference_mode
from .autograd import is_grad_enabled as is_grad_enabled, no_grad as no_grad, set_grad_enabled as set_grad_enabled
from .backend import backend as backend, use_backend as use_backend
from .config import get_num_threads as get_num_threads, isa as isa, memory as memory
from .config import set_flush_denormal as set_flush_denormal, set_num_threads as set_num_threads, threads as threads
from .config import use_isa as use_isa
from .creation import *
from .device import accelerator as accelerator, backends as backends, cuda as cuda, device as device
from .dtypes import *
from .errors import DTypeError as DTypeError, FastnnError as FastnnError, FileError as FileError
from .errors import GraphError as GraphError, MistakeWarning as MistakeWarning, NonFiniteError as NonFiniteError
from .errors import RangeError as RangeError, ShapeError as ShapeError
from .functional import *
from .inplace_functions import *
from .layers import *
from .parameters import Buffer as Buffer, UninitializedBuffer as UninitializedBuffer
from .parameters import UninitializedParameter as UninitializedParameter
from .random import Generator as Generator, manual_seed as manual_seed, seed as seed
from .tensor import Parameter as Parameter, Tensor as Tensor, as_tensor as as_tensor, asarray as asarray
from .tensor import from_dlpack as from_dlpack, from_numpy as from_numpy, is_tensor as is_tensor, tensor as tensor

if TYPE_CHECKING:
    from . import data, models, testing, training, viz
    from .io import load as load, save as save
    from .layers.summary import Summary as Summary, summary as summary
    from .testing import use_kernel as use_kernel
    from .training import History as History, evaluate as evaluate, fit as fit, predict as predict

_moved.watch()
_moved.answer_for(autograd, creation, functional, init, layers, optim.clip, optim.lr_scheduler, special, utils)
_methods.connect(functional, creation, init)        # the methods of Tensor call these

# `import fastnn.nn as nn`, `import fastnn as torch; torch.nn.Linear`: all is in one place here
nn = _sys.modules[__name__]

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


if not TYPE_CHECKING:               # which would take it that any name is there
    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise _moved.missing(__name__, name)
        module, attribute = _LAZY[name]
        found = _import_module(module, __name__)
        globals()[name] = value = found if attribute is None else getattr(found, attribute)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
