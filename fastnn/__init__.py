"""fastnn: a neural-network engine to read and to use. `import fastnn as nn`."""

from __future__ import annotations

import os as _os

from . import autograd, data, errors, functional, init, models, optim, testing
from . import methods as _methods
from .autograd import enable_grad, grad, is_grad_enabled, no_grad, set_grad_enabled
from .backend import backend, use_backend, use_kernel
from .config import (
    get_num_threads,
    isa,
    memory,
    seed,
    set_num_threads,
    show_config,
    threads,
    use_isa,
)
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
from .io import load, save
from .layers import *
from .tensor import Parameter, Tensor, from_dlpack, from_numpy, tensor
from .training import History, evaluate, fit, predict

__version__ = "0.1.0"

_methods.F = functional                             # the methods of Tensor call the functions

if _wanted := _os.environ.get("FASTNN_BACKEND"):
    use_backend(_wanted)
