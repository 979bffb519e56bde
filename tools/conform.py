"""fastnn against PyTorch's own test data: its samples of functions, modules and optimisers (OpInfo,
ModuleInfo, OptimizerInfo). Needs torch 2.13 and expecttest.

    python tools/conform.py [--ops] [--modules] [--optimisers] [--only NAME ...] [--samples 60]
                            [--seconds 8] [--ints] [--reference] [--allow-raises] [--expect FILE]
                            [--verbose] [--out DIR]

--ints adds samples of int64 and bool. --reference takes OpInfo's larger reference_inputs (NaN,
infinities, broadcasting) instead of sample_inputs. Without --ops, --modules or --optimisers all
three run. OUT/ops.json, OUT/modules.json and OUT/optimisers.json have every finding; ops.json also
says which of OpInfo's error inputs fastnn accepts. The last line printed is the summary.

The exit status is 0 only if every sample of what fastnn has agrees; with --allow-raises, every one
that it does not refuse; with --expect FILE, every one but refusals on purpose, which the file lists
with their reasons (tools/conform_expect.json). Where PyTorch has NaN and fastnn a number, the
number is not judged, only counted.

How a sample is judged: the same arrays (values and strides) go into PyTorch's function and into
fastnn's of that name. Compared are structure, shape, dtype, values, the inputs after the call
(running statistics), and, where PyTorch differentiates, the gradient of a random cotangent with
respect to every input that requires one. In float64 |a - b| <= 1e-9 (|b| + max |b|), in float32
1e-4; a float32 value beyond that still agrees if it is no further (x 3) from the float64 result
than PyTorch's own.
"""

from __future__ import annotations

import argparse
import inspect
import json
import math
import os
import re
import sys
import time
import traceback
import types
import warnings
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import fastnn as nn

warnings.filterwarnings("ignore")
torch.set_num_threads(1)
nn.set_num_threads(1)
F, FT = nn.functional, nn.Tensor

NUMPY = {
    torch.float32: np.float32,
    torch.float64: np.float64,
    torch.int64: np.int64,
    torch.int32: np.int32,
    torch.int16: np.int16,
    torch.int8: np.int8,
    torch.uint8: np.uint8,
    torch.bool: np.bool_,
}
TOL = {"float32": 1e-4, "float64": 1e-9}
# Differences below FLOOR * tolerance (1e-13 in float64) are rounding, whatever the scale.
FLOOR = 1e-4
# Where PyTorch is the less exact one: its float64 hardsigmoid backward multiplies by 1.0f / 6.0f,
# which is off by 3e-8.
# Its celu rounds 1 / alpha to float32, too.
TORCH_INEXACT = {"nn.functional.hardsigmoid": 1e-7, "nn.functional.celu": 1e-7,
                 # their derivative has 9 digits
                 "digamma": 1e-7, "polygamma": 1e-7, "special.polygamma": 1e-7,
                 # their slopes are differences of squares
                 "special.log_ndtr": 1e-6, "special.erfcx": 1e-2}
# Where PyTorch's slope at NaN is one in its vectors and another in the elements behind the last.
TORCH_BY_PLACE = {f"nn.functional.{name}" for name in (
    "hardtanh", "relu6", "elu", "selu", "celu", "softshrink", "hardshrink")}

# sin(pi k), 0 for whole numbers k, is a rounding error of float32 there.
TORCH_INEXACT_INTS = {"sinc": 1e-3}
# Near -1, -2, ..., where its slope goes to infinity, PyTorch's has no right digit.
TORCH_POLES = {"digamma", "polygamma", "special.polygamma"}
# Where PyTorch gives the gradient of an element to every value that was written there, not to the
# last alone.
TORCH_TO_ALL = {"index_copy"}
# The same along the last so many axes: there the places that several values have are left out.
TORCH_TO_ALL_IN = {"nn.functional.max_unpool1d": 1, "nn.functional.max_unpool2d": 2}
# Where PyTorch's slope at NaN is a number: that at 0.
TORCH_AT_NAN = {"special.i1", "special.i1e"}
# Where PyTorch's slope is another from this size on: at infinity not the limit; or the difference
# has no right digit left.
TORCH_FAR = {"frexp": math.inf, "special.log_ndtr": 1e4}
# Whose gradient PyTorch gives as if log_softmax came before: both are taken through it.
TORCH_NORMALISED = {"nn.functional.ctc_loss", "CTCLoss"}


LIMITS = [0]  # comparisons in which torch has NaN where fastnn has a number
# The rows of --expect: name of the entry, regular expression on fastnn's message, reason.
EXPECTED = []


def on_purpose(name, error):
    """The reason why fastnn refuses this, or None."""
    return next((why for entry, words, why in EXPECTED if entry in (name, "*") and re.search(words, str(error))), None)


class Inexpressible(Exception):
    """The sample uses what fastnn has not: complex, half, sparse, memory formats, generators."""


class Mismatch(Exception):
    def __init__(self, kind, detail, got=None, want=None):
        super().__init__(detail)
        self.kind, self.detail, self.got, self.want = kind, detail, got, want


# ---- conversion ----------------------------------------------------------------------------------
def array_of(t):
    if t.layout != torch.strided:
        raise Inexpressible("sparse")
    if t.dtype not in NUMPY:
        raise Inexpressible(f"dtype {t.dtype}")
    return t.detach().resolve_neg().resolve_conj().numpy()


def keep_strides(a):
    """A copy of a with the same strides (zero strides and gaps included), sharing nothing."""
    if a.size == 0 or a.flags.c_contiguous:
        return a.copy()
    low = sum(min(0, (n - 1) * s) for n, s in zip(a.shape, a.strides))
    high = sum(max(0, (n - 1) * s) for n, s in zip(a.shape, a.strides)) + a.itemsize
    base = np.zeros((high - low), np.uint8)
    view = np.ndarray(a.shape, a.dtype, base.data, -low, a.strides)
    view[...] = a
    return view


class Both:
    """One sample as torch arguments and as fastnn arguments with the same values; the same tensor
    twice stays the same tensor.
    """

    def __init__(self):
        self.memo, self.torch_tensors, self.fast_tensors, self.originals = {}, [], [], []

    def convert(self, x):
        """(for torch, for fastnn)"""
        if isinstance(x, torch.Tensor):
            if id(x) not in self.memo:
                a = array_of(x)
                t = torch.from_numpy(keep_strides(a)) if a.ndim or True else None
                t.requires_grad_(x.requires_grad)
                f = nn.tensor(keep_strides(a))
                if f.dtype != a.dtype:
                    raise Inexpressible(f"dtype {a.dtype}")
                f.requires_grad = bool(x.requires_grad)
                self.memo[id(x)] = (t, f, x)
                self.torch_tensors.append(t)
                self.fast_tensors.append(f)
            return self.memo[id(x)][:2]
        if isinstance(x, (types.FunctionType, types.BuiltinFunctionType, torch.nn.Module)):
            if not hasattr(F, getattr(x, "__name__", "")):
                raise Inexpressible("a function of torch's")
            return x, getattr(F, x.__name__)
        if isinstance(x, torch.dtype):
            if x not in NUMPY:
                raise Inexpressible(f"dtype {x}")
            return x, NUMPY[x]
        if isinstance(x, (torch.memory_format, torch.layout)):
            if x in (torch.preserve_format, torch.contiguous_format, torch.strided):
                return x, x  # values are compared, not strides
            raise Inexpressible("memory_format")
        if isinstance(x, torch.Generator):
            raise Inexpressible("generator")
        if isinstance(x, torch.device):
            return x, str(x)
        if isinstance(x, torch.Size):
            return x, tuple(x)
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            pairs = [self.convert(v) for v in x]
            return x, tuple(p[1] for p in pairs)
        if isinstance(x, (list, tuple)):
            pairs = [self.convert(v) for v in x]
            return type(x)(p[0] for p in pairs), type(x)(p[1] for p in pairs)
        if isinstance(x, dict):
            pairs = {k: self.convert(v) for k, v in x.items()}
            return {k: p[0] for k, p in pairs.items()}, {k: p[1] for k, p in pairs.items()}
        if isinstance(x, complex):
            raise Inexpressible("complex")
        return x, x

    def leaves(self):
        """Pairs of inputs that require a gradient."""
        return [(t, f) for t, f in zip(self.torch_tensors, self.fast_tensors) if t.requires_grad]


DROP = {
    "device",
    "layout",
    "pin_memory",
    "out",
    "memory_format",
}  # where there is one device and one layout, saying so asks nothing


def convert_call(both, args, kwargs):
    kw = {}
    for k, v in kwargs.items():
        if k == "out" and v is not None:
            raise Inexpressible("out=")
        if k == "memory_format" and v not in (None, torch.preserve_format, torch.contiguous_format):
            raise Inexpressible("memory_format")
        if k in ("layout",) and v not in (None, torch.strided):
            raise Inexpressible("sparse")
        if k == "generator":
            raise Inexpressible("generator")
        kw[k] = v
    ta, fa = both.convert(list(args))
    tk, fk = {}, {}
    for k, v in kw.items():
        if k in DROP:
            tk[k] = v
            continue
        tk[k], fk[k] = both.convert(v)
    return ta, tk, fa, fk


def describe(x):
    if isinstance(x, torch.Tensor):
        s = f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
        return s + ("" if x.is_contiguous() else "nc")
    if isinstance(x, (list, tuple)):
        return (
            ("[" if isinstance(x, list) else "(")
            + ", ".join(describe(v) for v in x)
            + ("]" if isinstance(x, list) else ")")
        )
    if isinstance(x, dict):
        return "{" + ", ".join(f"{k}: {describe(v)}" for k, v in x.items()) + "}"
    return repr(x)


def call_of(sample):
    return f"input {describe(sample.input)}, args {describe(sample.args)}, kwargs {describe(sample.kwargs)}"


def size_of(x):
    if isinstance(x, torch.Tensor):
        return x.numel() + x.ndim
    if isinstance(x, (list, tuple)):
        return sum(size_of(v) for v in x) + 1
    if isinstance(x, dict):
        return sum(size_of(v) for v in x.values())
    return 1


def show(a, n=6):
    a = np.asarray(a)
    return f"{a.dtype}{list(a.shape)} " + np.array2string(
        a.ravel()[:n], precision=10, separator=", ", max_line_width=10**6
    )


# ---- comparison ----------------------------------------------------------------------------------
def flat(x):
    """The tensors and numbers of a nested result, in order."""
    if isinstance(x, (torch.Tensor, FT)):
        return [x]
    if isinstance(x, (list, tuple)):
        return [y for v in x for y in flat(v)]
    if isinstance(x, dict):
        return [y for v in x.values() for y in flat(v)]
    return [] if x is None else [x]


def shape_of_structure(x):
    if isinstance(x, (list, tuple)):
        return [shape_of_structure(v) for v in x]
    return "."


def same_values(got, want, tol):
    """None if they agree, else where they do not."""
    if got.dtype.kind != "f" and want.dtype.kind != "f":
        bad = got != want
    else:
        g, w = got.astype(np.float64), want.astype(np.float64)
        finite = np.abs(w[np.isfinite(w)])
        scale = finite.max() if finite.size else 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            close = np.abs(g - w) <= tol * (np.abs(w) + scale + FLOOR)
        close |= (g == w) | (np.isnan(g) & np.isnan(w))
        bad = ~close
    return bad if bad.any() else None


def compare(got, want, tol, what, truth=None):
    """Raise Mismatch unless the arrays agree."""
    if got.shape != want.shape:
        raise Mismatch(f"{what} shape", f"{got.shape} instead of {want.shape}", show(got), show(want))
    if got.dtype != want.dtype:
        raise Mismatch(f"{what} dtype", f"{got.dtype} instead of {want.dtype}", show(got), show(want))
    if want.dtype == np.float32:    # the gradient of weights in float32 beside others in float64
        tol = max(tol, TOL["float32"])
    if want.dtype.kind == "f" and got.size:
        # where torch has NaN and fastnn a number (a limit, a masked value): counted, not judged
        limit = np.isnan(want) & ~np.isnan(got)
        if limit.any():
            LIMITS[0] += 1
            want = np.where(limit, got, want)
    bad = same_values(got, want, tol)
    if bad is not None and truth is not None and want.dtype == np.float32:
        ref = truth()
        if ref is not None and ref.shape == want.shape:
            with np.errstate(invalid="ignore", over="ignore"):
                g, w = got.astype(np.float64), want.astype(np.float64)
                fine = np.abs(g - ref) <= 3 * np.abs(w - ref).max() + 1e-7 * np.abs(ref)
            bad &= ~fine
            if not bad.any():
                bad = None
    if bad is not None:
        i = np.unravel_index(int(np.argmax(bad)), bad.shape)
        kind = "value"
        g, w = got[i], want[i]
        if want.dtype.kind == "f":
            if np.isnan(w) and not np.isnan(g):
                kind = "value (torch NaN)"
            elif np.isnan(g):
                kind = "value (fastnn NaN)"
            elif np.isinf(g) != np.isinf(w):
                kind = "value (infinity)"
        raise Mismatch(
            f"{what} {kind}",
            f"{int(bad.sum())} of {bad.size} differ, first at {tuple(int(k) for k in i)}: {g!r} instead of {w!r}",
            show(got),
            show(want),
        )


def to_array(x):
    if isinstance(x, torch.Tensor):
        if x._is_zerotensor():                          # the gradient of sgn
            return np.zeros(tuple(x.shape), NUMPY[x.dtype])
        return x.detach().resolve_neg().resolve_conj().numpy()
    if isinstance(x, FT):
        return x._data
    return np.asarray(x)


# ---- ops -----------------------------------------------------------------------------------------
def method(name):
    def call(x, *args, **kwargs):
        f = getattr(x, name)
        return f(*args, **kwargs)

    call.__name__ = f"Tensor.{name}"
    return call


class Caller:
    def __init__(self, label, function, flag=""):
        self.label, self.function, self.flag = label, function, flag


def no_tensor_method(name):
    return not hasattr(FT, name)


METHOD_ONLY = {
    "contiguous",
    "to",
    "bool",
    "double",
    "float",
    "int",
    "long",
    "expand",
    "expand_as",
    "reshape_as",
    "view_as",
    "item",
    "repeat",
    "view",
}
RANDOM = {"randn", "rand", "randn_like", "rand_like", "randint", "randint_like", "empty", "empty_like", "normal",
          "bernoulli", "multinomial", "new_empty", "nn.functional.fractional_max_pool2d"}
DROPOUT = {"nn.functional.dropout", "nn.functional.dropout1d", "nn.functional.dropout2d", "nn.functional.dropout3d"}
RANDOM_IN_TRAINING = {"nn.functional.rrelu", "nn.functional.alpha_dropout", "nn.functional.feature_alpha_dropout"}
OTHER_MEANING = {"unfold"}  # torch.Tensor.unfold is not nn.functional.unfold
NOT_OURS = ("masked.", "linalg.", "sparse.", "signal.", "fft.", "torch.", "_refs.")


def callers(op):
    """What in fastnn carries the op's name: the function under its PyTorch path, its aliases, the
    method.
    """
    name = op.name
    found = []
    if name in OTHER_MEANING:
        return found
    names = [name] + [a.name for a in op.aliases]
    if name == "einsum":
        return [Caller("nn.einsum", lambda tensors, equation: nn.einsum(equation, *tensors))]
    if name == "where":
        return [
            Caller("F.where", lambda self, condition, other: F.where(condition, self, other)),
            Caller("Tensor.where", lambda self, condition, other: self.where(condition, other)),
        ]
    if name == "nn.functional.embedding":
        return [Caller("F.embedding", lambda weight, idx, **kw: F.embedding(idx, weight, **kw))]
    if name == "nn.functional.embedding_bag":
        return [Caller("F.embedding_bag", lambda weight, idx, *args, **kw: F.embedding_bag(idx, weight, *args, **kw))]
    if name in ("polygamma", "special.polygamma"):
        return [Caller("F.polygamma", lambda x, n: F.polygamma(n, x)),
                Caller("Tensor.polygamma", lambda x, n: x.polygamma(n))]
    if name == "zero_":
        return [Caller("Tensor.zero_", lambda x: F.clone(x).detach().zero_(), "forward only")]
    if op.variant_test_name == "in_place":
        return [Caller("Tensor.normal_", lambda x, *a: F.clone(x).detach().normal_(*a))] if name == "normal" else []
    if name in ("T", "mT"):
        return [Caller(f"Tensor.{name}", lambda x: getattr(x, name))]
    if name in METHOD_ONLY:
        got = [Caller(f"Tensor.{name}", method(name))] if hasattr(FT, name) else []
        if name in ("expand", "repeat", "to") and hasattr(F, name):
            got.append(Caller(f"F.{name}", getattr(F, name)))
        return got
    seen = []
    for n in names:
        if n.startswith(NOT_OURS):
            continue
        if n.startswith("nn.functional."):
            f = getattr(F, n.removeprefix("nn.functional."), None)
            label = f"F.{n.removeprefix('nn.functional.')}"
        elif n.startswith("special."):
            f, label = getattr(nn.special, n.removeprefix("special."), None), n
        elif "." in n:
            continue
        elif n.startswith("__"):
            f, label = (method(n), f"Tensor.{n}") if hasattr(FT, n) else (None, "")
        else:
            f = getattr(F, n, None)
            label = f"F.{n}"
            if not callable(f):
                f, label = getattr(nn, n, None), f"nn.{n}"
            if isinstance(f, types.ModuleType):
                f = None
        if callable(f) and f not in seen:
            seen.append(f)
            found.append(Caller(label, f))
    if not name.startswith("__") and "." not in name and name not in METHOD_ONLY:
        for n in names:
            if "." not in n and hasattr(FT, n) and callable(getattr(FT, n)) and op.method_variant is not None:
                found.append(Caller(f"Tensor.{n}", method(n)))
    return found


def gradients_torch(outs, leaves, cots):
    outs = [(o, c) for o, c in zip(outs, cots) if c is not None]
    if not outs or not leaves:
        return None
    return torch.autograd.grad(
        [o for o, _ in outs], [t for t, _ in leaves], [torch.from_numpy(c) for _, c in outs], allow_unused=True
    )


def check_sample(op, sample, caller, dtype_name, seed, drop=(), by_position=()):
    """None if fastnn agrees; else raises Mismatch, Inexpressible, or Raised."""
    both = Both()
    if caller.label.startswith("Tensor.") and not isinstance(sample.input, torch.Tensor):
        raise Inexpressible("a number's method")
    args = [sample.input, *sample.args]
    ta, tk, fa, fk = convert_call(both, args, sample.kwargs)
    try:
        with torch.random.fork_rng(devices=[]):
            want = op.op(*ta, **tk)
    except Exception as error:
        raise Inexpressible(f"torch raises: {type(error).__name__}") from None
    want_flat = flat(want)
    for w in want_flat:
        if isinstance(w, torch.Tensor) and (w.dtype not in NUMPY or w.layout != torch.strided):
            raise Inexpressible(f"result {w.dtype}")
    try:
        for k in by_position:
            fa.append(fk.pop(k))
        got = caller.function(*fa, **{k: v for k, v in fk.items() if k not in drop})
    except Exception as error:
        raise Raised(error) from error
    got_flat = flat(got)
    tol = max(TOL.get(dtype_name, 1e-4), TORCH_INEXACT.get(op.name, 0),
              0 if dtype_name in TOL else TORCH_INEXACT_INTS.get(op.name, 0))
    if shape_of_structure(want) != shape_of_structure(got):
        raise Mismatch("structure", f"{describe_result(got)} instead of {describe_result(want)}")
    ref = Truth(op, sample, want_flat, dtype_name)
    if op.name in RANDOM or (op.name in RANDOM_IN_TRAINING and sample.kwargs.get("training")):
        for g, w in zip(got_flat, want_flat):
            g, w = to_array(g), to_array(w)
            if g.shape != w.shape or g.dtype != w.dtype:
                raise Mismatch(
                    "out dtype" if g.shape == w.shape else "out shape",
                    f"{g.dtype}{g.shape} instead of {w.dtype}{w.shape}",
                )
        return "random: shape and dtype"
    if op.name in DROPOUT:
        return check_dropout(op, sample, both, fa, fk, got, want, seed)
    if op.name == "nn.functional.scaled_dot_product_attention" and sample.kwargs.get("dropout_p", 0):
        g, w = to_array(got), to_array(want)
        if g.shape != w.shape or g.dtype != w.dtype:
            raise Mismatch("out shape", f"{g.dtype}{g.shape} instead of {w.dtype}{w.shape}")
        return "random: shape and dtype"
    if op.name in DIMENSION and (len(got_flat) == 2 or op.name == "argsort"):
        got_flat[-1], want_flat[-1] = (led_to(op, sample, both, places) for places in (got_flat[-1], want_flat[-1]))
    for i, (g, w) in enumerate(zip(got_flat, want_flat)):
        gt, wt = isinstance(g, FT), isinstance(w, (torch.Tensor, FT))
        if gt != wt:
            raise Mismatch("structure", f"{type(g).__name__} instead of {type(w).__name__}")
        compare(to_array(g), to_array(w), tol, "out", (lambda i=i: ref.out(i)) if dtype_name == "float32" else None)
    # what the call did to its inputs
    for t, f in zip(both.torch_tensors, both.fast_tensors):
        compare(to_array(f), to_array(t), tol, "input after the call")
    # gradients
    leaves = both.leaves()
    if not leaves or caller.flag == "forward only":
        return None
    rng = np.random.default_rng(seed)
    cots = [
        rng.standard_normal(tuple(w.shape)).astype(NUMPY[w.dtype])
        if isinstance(w, torch.Tensor) and w.requires_grad
        else None
        for w in want_flat
    ]
    for g, c in zip(got_flat, cots):
        if isinstance(g, FT) and g.requires_grad != (c is not None):
            raise Mismatch("grad missing" if c is not None else "grad where torch has none",
                           "one of the results requires a gradient, the other does not")
    if not any(c is not None for c in cots):
        return None
    try:
        grads = gradients_torch(want_flat, leaves, cots)
    except Exception as error:
        return f"torch gives no gradient: {type(error).__name__}"
    fouts = [(g, c) for g, c in zip(got_flat, cots) if c is not None]
    try:
        fgrads = nn.autograd.grad(
            [g for g, _ in fouts], [f for _, f in leaves], [nn.tensor(c) for _, c in fouts], allow_unused=True
        )
    except Exception as error:
        raise Raised(error, "backward: ") from error
    ref.cots = cots
    for i, ((t, f), want_g, got_g) in enumerate(zip(leaves, grads, fgrads)):
        w = np.zeros(tuple(t.shape), NUMPY[t.dtype]) if want_g is None else to_array(want_g)
        g = np.zeros(tuple(f.shape), f.dtype) if got_g is None else to_array(got_g)
        if op.name in TORCH_TO_ALL and i and any(len(np.unique(to_array(k))) < k.numel() for k in both.torch_tensors
                                                 if k.dtype == torch.int64):
            continue
        if op.name in TORCH_TO_ALL_IN:
            once = written_once(to_array(both.torch_tensors[1]), TORCH_TO_ALL_IN[op.name])
            g, w = (np.where(once, a, 0).astype(a.dtype) for a in (g, w))
        if op.name in TORCH_NORMALISED:
            p = np.exp(to_array(t))
            g, w = (a - p * a.sum(-1, keepdims=True) for a in (g, w))
        if op.name in TORCH_POLES:
            x = to_array(t)
            g, w = (np.where((x < 0.5) & (np.abs(x - np.round(x)) < 0.01), 0, a).astype(a.dtype) for a in (g, w))
        if op.name in TORCH_BY_PLACE | TORCH_AT_NAN:
            g, w = (np.where(np.isnan(to_array(t)), 0, a).astype(a.dtype) for a in (g, w))
        if op.name in TORCH_FAR:
            far = np.abs(to_array(t)) >= TORCH_FAR[op.name]
            g, w = (np.where(far, 0, a).astype(a.dtype) for a in (g, w))
        compare(g, w, tol, "grad", (lambda i=i: ref.grad(i)) if dtype_name == "float32" else None)
    return None


def written_once(index, axes):
    """Whether no other value along the last axes has the same place."""
    rows = index.reshape(*index.shape[:-axes], -1)
    return ((rows[..., None] == rows[..., None, :]).sum(-1) == 1).reshape(index.shape)


# Which argument of these is the dimension.
DIMENSION = {"sort": 0, "argsort": 0, "topk": 1, "kthvalue": 1, "mode": 0, "median": 0, "nanmedian": 0}


def led_to(op, sample, both, places):
    """The values at the places that a sort or a rank gives: nobody says in which order equals
    stand.
    """
    x, k = both.fast_tensors[0], DIMENSION[op.name]
    dim = sample.kwargs.get("dim", sample.args[k] if len(sample.args) > k else -1)
    places = to_array(places)
    if places.dtype != np.int64:
        raise Mismatch("out dtype", f"indices of {places.dtype}")
    if x.ndim > places.ndim:                        # without the dimension, whose place is one
        return nn.tensor(np.take_along_axis(to_array(x), np.expand_dims(places, dim), dim).squeeze(dim))
    return nn.tensor(np.take_along_axis(to_array(x), places, dim) if x.ndim else places)


class Raised(Exception):
    def __init__(self, error, prefix=""):
        self.error, self.prefix = error, prefix


class Truth:
    """The same sample in float64 by torch, computed only when a float32 comparison fails."""

    def __init__(self, op, sample, want_flat, dtype_name):
        self.op, self.sample, self.done, self.cots = op, sample, False, None

    def run(self):
        memo, leaves = {}, []

        def up(x):
            if isinstance(x, torch.Tensor):
                if id(x) not in memo:
                    y = x.detach().to(torch.float64) if x.dtype == torch.float32 else x.detach().clone()
                    y.requires_grad_(x.requires_grad)
                    memo[id(x)] = y
                    if x.requires_grad:
                        leaves.append(y)
                return memo[id(x)]
            if x is torch.float32:
                return torch.float64
            if isinstance(x, (list, tuple)) and not isinstance(x, torch.Size):
                return type(x)(up(v) for v in x)
            return x

        args = up([self.sample.input, *self.sample.args])
        kwargs = {k: up(v) for k, v in self.sample.kwargs.items()}
        self.outs = flat(self.op.op(*args, **kwargs))
        self.leaves = leaves
        self.done = True

    def out(self, i):
        try:
            if not self.done:
                self.run()
            return self.outs[i].detach().numpy().astype(np.float64)
        except Exception:
            return None

    def grad(self, i):
        try:
            if not self.done:
                self.run()
            pairs = [(o, torch.from_numpy(c.astype(np.float64))) for o, c in zip(self.outs, self.cots) if c is not None]
            g = torch.autograd.grad(
                [o for o, _ in pairs], self.leaves, [c for _, c in pairs], allow_unused=True, retain_graph=True
            )[i]
            return None if g is None else g.numpy()
        except Exception:
            return None


def check_dropout(op, sample, both, fa, fk, got, want, seed):
    x = to_array(both.fast_tensors[0])
    g, w = to_array(got), to_array(want)
    if g.shape != w.shape or g.dtype != w.dtype:
        raise Mismatch("out shape", f"{g.dtype}{g.shape} instead of {w.dtype}{w.shape}")
    p, training = sample.kwargs.get("p", sample.args[0] if sample.args else 0.5), sample.kwargs.get("training", True)
    if not training or p == 0:
        compare(g, x, 1e-12, "out")
        mask = np.ones_like(x)
    elif p == 1:
        compare(g, np.zeros_like(x), 1e-12, "out")
        mask = np.zeros_like(x)
    else:
        kept = g != 0
        mask = kept / (1 - p)
        compare(g, (x * mask).astype(x.dtype), 1e-6 if x.dtype == np.float32 else 1e-12, "out")
        axes = int(op.name[-2]) if op.name.endswith("d") else 0
        if axes and x.ndim > axes:
            channels = kept.reshape(*kept.shape[:-axes], -1)
            if not (channels.all(-1) | ~channels.any(-1)).all() and x.all():
                raise Mismatch("out value", "a channel is neither kept nor dropped whole")
    if not both.fast_tensors[0].requires_grad:
        return None
    c = np.random.default_rng(seed).standard_normal(x.shape).astype(x.dtype)
    (fg,) = nn.autograd.grad([got], [both.fast_tensors[0]], [nn.tensor(c)], allow_unused=True)
    compare(
        to_array(fg) if fg is not None else np.zeros_like(c),
        (c * mask).astype(x.dtype),
        1e-6 if x.dtype == np.float32 else 1e-12,
        "grad",
    )
    return "random: mask taken from the result"


def describe_result(x):
    if isinstance(x, (torch.Tensor, FT)):
        return f"tensor{list(x.shape)}"
    if isinstance(x, (list, tuple)):
        return type(x).__name__ + "(" + ", ".join(describe_result(v) for v in x) + ")"
    return type(x).__name__


def kind_of_error(error, prefix=""):
    text = str(error)
    m = re.search(r"unexpected keyword argument '(\w+)'", text)
    if m:
        return f"{prefix}no argument {m.group(1)}="
    if re.search(r"takes .* positional argument|missing \d+ required|multiple values for argument", text):
        return f"{prefix}signature: " + re.sub(r"^.*?(takes|missing|got multiple)", r"\1", text)
    text = re.sub(r"\d+(\.\d+)?(e[-+]?\d+)?", "#", text)
    text = re.sub(r"\(#(, #)*,?\)|\[#(, #)*\]|\(\)", "(..)", text)
    return f"{prefix}{type(error).__name__}: {text[:150]}"


def run_op(op, options):
    found = callers(op)
    if not found:
        return None
    result = {"name": op.name, "variant": op.variant_test_name, "callers": {}}
    dtypes = [d for d in (torch.float64, torch.float32) if d in op.dtypes]
    if not dtypes:
        dtypes = [d for d in (torch.int64, torch.bool) if d in op.dtypes]
        if not dtypes:
            return {"name": op.name, "variant": op.variant_test_name, "callers": {}, "skipped": "no real dtype"}
    if options.ints:
        dtypes += [d for d in (torch.int64, torch.bool) if d in op.dtypes and d not in dtypes]
    for caller in found:
        result["callers"][caller.label] = {
            "samples": 0,
            "agree": 0,
            "differ": 0,
            "raises": 0,
            "inexpressible": 0,
            "kinds": {},
            "notes": {},
        }
    started = time.monotonic()
    for d in dtypes:
        name = str(d).removeprefix("torch.")
        grad = bool(op.supports_autograd and d.is_floating_point)
        try:
            torch.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002  OpInfo draws from it
            samples = (op.reference_inputs if options.reference else op.sample_inputs)("cpu", d, requires_grad=grad)
            for k, sample in enumerate(samples):
                if k >= options.samples or time.monotonic() - started > options.seconds * (1 + (d is not dtypes[0])):
                    result["cut"] = True
                    break
                for caller in found:
                    judge(result["callers"][caller.label], op, sample, caller, name, k, options)
        except Exception as error:
            result.setdefault("sample errors", []).append(f"{name}: {type(error).__name__}: {error}"[:200])
    for caller in found:
        run_errors(op, caller, result["callers"][caller.label])
    return result


def judge(row, op, sample, caller, dtype_name, k, options):
    row["samples"] += 1
    text = f"{dtype_name} #{k}: {call_of(sample)}"
    size = size_of(sample.input) + size_of(sample.args) + size_of(sample.kwargs)

    def note(home, kind, detail="", got=None, want=None):
        entry = home.setdefault(kind, {"count": 0, "dtypes": {}, "size": math.inf, "sample": "", "detail": ""})
        entry["count"] += 1
        entry["dtypes"][dtype_name] = entry["dtypes"].get(dtype_name, 0) + 1
        if size < entry["size"]:
            entry.update(size=size, sample=text, detail=detail, got=got, want=want)

    try:
        said = check_sample(op, sample, caller, dtype_name, 1000 + k)
        row["agree"] += 1
        if said:
            note(row["notes"], said)
    except Inexpressible as why:
        row["inexpressible"] += 1
        note(row["notes"], f"inexpressible: {why}")
    except Mismatch as m:
        row["differ"] += 1
        note(row["kinds"], f"differs: {m.kind}", m.detail, m.got, m.want)
    except Raised as r:
        if why := on_purpose(op.name, r.error):
            row["inexpressible"] += 1
            return note(row["notes"], f"refused on purpose: {why}")
        row["raises"] += 1
        kind = kind_of_error(r.error, r.prefix)
        note(row["kinds"], f"raises: {kind}", str(r.error)[:300])
        if m := re.match(r"no argument (\w+)=", kind):
            name, value = m[1], sample.kwargs.get(m[1])
            neutral = value is None or (
                name == "dtype" and isinstance(sample.input, torch.Tensor) and value == sample.input.dtype
            )
            try:
                check_sample(op, sample, caller, dtype_name, 1000 + k, *(((name,), ()) if neutral else ((), (name,))))
                note(row["notes"], f"of those, agrees {'without' if neutral else 'by position'}: {name}")
            except Exception:
                pass
    except Exception as error:
        row["differ"] += 1
        note(row["kinds"], f"script: {type(error).__name__}: {error}"[:200], traceback.format_exc()[-1500:])


def run_errors(op, caller, row):
    """Inputs that torch refuses: does fastnn refuse them too, with an error of its own?"""
    row["errors"] = {"inputs": 0, "refused": 0, "by an error not its own": {}, "accepted": []}
    if op.error_inputs_func is None:
        return
    try:
        cases = list(op.error_inputs("cpu"))
    except Exception:
        return
    for case in cases:
        sample, both = case.sample_input, Both()
        try:
            ta, tk, fa, fk = convert_call(both, [sample.input, *sample.args], sample.kwargs)
        except Exception:
            continue
        if isinstance(sample.kwargs.get("out"), torch.Tensor):
            continue
        try:
            op.op(*ta, **tk)
            continue  # the error came from something that was dropped
        except Exception:
            pass
        home = row["errors"]
        home["inputs"] += 1
        text = f"{call_of(sample)}: torch says {str(case.error_regex)[:120]}"
        try:
            got = caller.function(*fa, **fk)
            home["accepted"].append(text + f"; fastnn gives {describe_result(got)}")
        except nn.FastnnError:
            home["refused"] += 1
        except Exception as error:
            home["refused"] += 1
            kind = f"{type(error).__name__}: {error}"[:120]
            home["by an error not its own"].setdefault(kind, text)


def run_ops(options):
    from torch.testing._internal.common_methods_invocations import op_db

    results, lacking = [], []
    for op in op_db:
        if options.only and op.name not in options.only:
            continue
        one = run_op(op, options)
        if one is None:
            lacking.append(op.name + (f" ({op.variant_test_name})" if op.variant_test_name else ""))
        else:
            results.append(one)
            if options.verbose:
                bad = {
                    label: {k: v["count"] for k, v in row["kinds"].items()}
                    for label, row in one["callers"].items()
                    if row["kinds"]
                }
                print(
                    op.name,
                    op.variant_test_name,
                    {label: (r["samples"], r["agree"]) for label, r in one["callers"].items()},
                    bad or "",
                    flush=True,
                )
    dump(options, "ops.json", {"ops": results, "lacking": lacking, "total": len(op_db)})
    every = [row for one in results for row in one["callers"].values()]
    ones = [one for one in results if one["callers"]]
    clean = [one for one in ones if all(r["differ"] == r["raises"] == 0 for r in one["callers"].values())]
    undiff = [one for one in ones if all(r["differ"] == 0 for r in one["callers"].values())]
    total = lambda key, of: sum(r[key] for r in of)
    second = sum(v["count"] for r in every for k, v in r["notes"].items() if k.startswith("of those, agrees"))
    return {
        "ok": total("differ", every) == 0,
        "raises": total("raises", every),
        "text": f"ops: {total('agree', every)} of {total('samples', every) - total('inexpressible', every)} samples "
        f"agree, {total('differ', every)} differ, {total('raises', every)} raise, of which {second} agree once a "
        f"neutral argument goes or a keyword becomes positional ({len(clean)} ops of {len(ones)} wholly, {len(undiff)} "
        f"without a difference; {len(lacking)} of op_db's {len(op_db)} lack)",
    }


# ---- modules -------------------------------------------------------------------------------------
def run_modules(options):
    from torch.testing._internal.common_modules import module_db

    results, lacking = [], []
    for info in module_db:
        name = info.module_cls.__name__
        if options.only and name not in options.only:
            continue
        cls = getattr(nn, name, None)
        if cls is None or not isinstance(cls, type):
            lacking.append(name)
            continue
        row = {
            "name": name,
            "samples": 0,
            "agree": 0,
            "differ": 0,
            "raises": 0,
            "inexpressible": 0,
            "kinds": {},
            "notes": {},
        }
        started = time.monotonic()
        for d in (torch.float64, torch.float32):
            if d not in info.dtypes:
                continue
            for training in (True, False):
                torch.manual_seed(0)
                try:
                    inputs = list(
                        info.module_inputs_func(info, device="cpu", dtype=d, requires_grad=True, training=training)
                    )
                except Exception as error:
                    row.setdefault("sample errors", []).append(f"{type(error).__name__}: {error}"[:200])
                    continue
                for k, one in enumerate(inputs[: options.samples]):
                    if time.monotonic() - started > 2 * options.seconds:
                        row["cut"] = True
                        break
                    judge_module(row, info, cls, one, d, training, k)
        results.append(row)
        if options.verbose:
            print(
                name, row["samples"], row["agree"], {k: v["count"] for k, v in row["kinds"].items()} or "", flush=True
            )
    dump(options, "modules.json", {"modules": results, "lacking": lacking, "total": len(module_db)})
    total = lambda key: sum(r[key] for r in results)
    clean = [r for r in results if r["differ"] == r["raises"] == 0]
    second = sum(v["count"] for r in results for k, v in r["notes"].items() if k.startswith("of those, agrees"))
    return {
        "ok": total("differ") == 0,
        "raises": total("raises"),
        "text": f"modules: {total('agree')} of {total('samples') - total('inexpressible')} samples agree, "
        f"{total('differ')} differ, {total('raises')} raise, of which {second} agree once arguments at their defaults "
        f"go ({len(clean)} modules of {len(results)} wholly; {len(lacking)} of module_db's {len(module_db)} lack)",
    }


def judge_module(row, info, cls, one, d, training, k):
    name = str(d).removeprefix("torch.")
    row["samples"] += 1
    c, f = one.constructor_input, one.forward_input
    text = (
        f"{name} {'training' if training else 'eval'} #{k} ({one.desc}): "
        f"{info.module_cls.__name__}(*{describe(c.args)}, **{describe(c.kwargs)})"
        f" on {describe(f.args)}, {describe(f.kwargs)}"
    )

    def note(home, kind, detail="", got=None, want=None):
        entry = home.setdefault(
            kind, {"count": 0, "dtypes": {}, "sample": text, "detail": detail, "got": got, "want": want}
        )
        entry["count"] += 1
        entry["dtypes"][name] = entry["dtypes"].get(name, 0) + 1

    try:
        said = check_module(info, cls, one, d, training, k)
        row["agree"] += 1
        if said:
            note(row["notes"], said)
    except Inexpressible as why:
        row["inexpressible"] += 1
        note(row["notes"], f"inexpressible: {why}")
    except Mismatch as m:
        row["differ"] += 1
        note(row["kinds"], f"differs: {m.kind}", m.detail, m.got, m.want)
    except Raised as r:
        if why := on_purpose(info.module_cls.__name__, r.error):
            row["inexpressible"] += 1
            return note(row["notes"], f"refused on purpose: {why}")
        row["raises"] += 1
        note(row["kinds"], f"raises: {kind_of_error(r.error, r.prefix)}", str(r.error)[:300])
        drop = ()
        while (
            (m := re.match(r"constructor: no argument (\w+)=", kind_of_error(r.error, r.prefix)))
            and neutral_arguments(info.module_cls, one.constructor_input.kwargs, m[1])
            and m[1] not in drop
        ):
            drop += (m[1],)
            try:
                check_module(info, cls, one, d, training, k, drop)
                note(row["notes"], f"of those, agrees without the neutral {', '.join(drop)}")
                break
            except Raised as again:
                r = again
                if not r.prefix.startswith("constructor"):
                    note(
                        row["notes"],
                        f"of those, without the neutral {', '.join(drop)}: raises {kind_of_error(r.error, r.prefix)}",
                        str(r.error)[:300],
                    )
            except Mismatch as m2:
                row["differ"] += 1
                row["raises"] -= 1
                note(
                    row["kinds"],
                    f"differs: without the neutral {', '.join(drop)}: {m2.kind}",
                    m2.detail,
                    m2.got,
                    m2.want,
                )
                break
            except Inexpressible as why:
                note(row["notes"], f"of those, without the neutral {', '.join(drop)}: {why}")
                break
        else:
            if drop:
                note(
                    row["notes"],
                    f"of those, after {', '.join(drop)} still: {kind_of_error(r.error, r.prefix)}",
                    str(r.error)[:300],
                )
    except Exception as error:
        row["differ"] += 1
        note(row["kinds"], f"script: {type(error).__name__}: {error}"[:200], traceback.format_exc()[-1500:])


def neutral_arguments(theirs, kwargs, refused):
    """Whether the refused argument stands at PyTorch's default: without it, it is the same call."""
    for klass in theirs.__mro__:
        parameters = inspect.signature(klass.__init__).parameters
        if refused in parameters:
            default = parameters[refused].default
            return refused in kwargs and (kwargs[refused] is default or kwargs[refused] == default)
    return {"proj_size": 0}.get(refused, Ellipsis) == kwargs.get(refused)


def copied_arguments(f):
    """Copies of the arguments of a module's call."""
    return [x.detach().clone() if isinstance(x, torch.Tensor) else x for x in f.args]


def check_module(info, cls, one, d, training, k, drop=()):
    both = Both()
    c, f = one.constructor_input, one.forward_input
    tca, tck, fca, fck = convert_call(both, c.args, c.kwargs)
    torch.manual_seed(k)
    module = info.module_cls(*tca, **tck)
    module = module.to(d)
    module.train(training)
    try:
        mine = cls(*fca, **{key: v for key, v in fck.items() if key not in drop})
    except Exception as error:
        raise Raised(error, "constructor: ") from error
    mine.to(str(d).removeprefix("torch."))
    mine.train(training)
    if any(isinstance(p, torch.nn.parameter.UninitializedParameter) for p in module.parameters()):
        with torch.no_grad():                           # a lazy layer; ours takes its state lazily
            module(*copied_arguments(f))
    tstate = {key: value for key, value in module.state_dict().items()}
    try:
        report = mine.load_state_dict(
            {key: value.detach().numpy().copy() for key, value in tstate.items()}, strict=False
        )
    except Exception as error:
        raise Raised(error, "load_state_dict: ") from error
    missing, unexpected = list(report[0]), list(report[1])
    if missing or unexpected:
        raise Mismatch("state_dict keys", f"missing {missing}, unexpected {unexpected}")
    if f is None:
        raise Inexpressible("no forward input")
    ta, tk, fa, fk = convert_call(both, f.args, f.kwargs)
    seed_rng = torch.random.fork_rng(devices=[])
    try:
        with seed_rng:
            want = module(*ta, **tk)
    except Exception as error:
        raise Inexpressible(f"torch raises: {type(error).__name__}") from None
    try:
        got = mine(*fa, **fk)
    except Exception as error:
        raise Raised(error) from error
    tol = TOL[str(d).removeprefix("torch.")]
    random = (
        training
        and (getattr(module, "dropout", 0) or 0)
        and not isinstance(getattr(module, "dropout", 0), torch.nn.Module)
    )
    want_flat, got_flat = flat(want), flat(got)
    if shape_of_structure(want) != shape_of_structure(got):
        raise Mismatch("structure", f"{describe_result(got)} instead of {describe_result(want)}")
    if random:
        for g, w in zip(got_flat, want_flat):
            if tuple(g.shape) != tuple(w.shape):
                raise Mismatch("out shape", f"{tuple(g.shape)} instead of {tuple(w.shape)}")
        return "random: shape only"
    for g, w in zip(got_flat, want_flat):
        compare(to_array(g), to_array(w), tol, "out")
    tparams, fparams = dict(module.named_parameters()), dict(mine.named_parameters())
    if list(tparams) != list(fparams):
        raise Mismatch("parameter names or order", f"{list(fparams)} instead of {list(tparams)}")
    fbuffers = dict(mine.named_buffers())
    for key, value in module.named_buffers():
        if key not in fbuffers:
            raise Mismatch("buffer missing", key)
        compare(to_array(fbuffers[key]), to_array(value), tol, f"buffer {key}")
    leaves = both.leaves() + [(tparams[n], fparams[n]) for n in tparams if tparams[n].requires_grad]
    rng = np.random.default_rng(k)
    cots = [
        rng.standard_normal(tuple(w.shape)).astype(NUMPY[w.dtype])
        if isinstance(w, torch.Tensor) and w.requires_grad
        else None
        for w in want_flat
    ]
    if not leaves or not any(x is not None for x in cots):
        return None
    grads = gradients_torch(want_flat, leaves, cots)
    pairs = [(g, x) for g, x in zip(got_flat, cots) if x is not None]
    for g, _ in pairs:
        if not g.requires_grad:
            raise Mismatch("grad missing", "the result does not require a gradient, torch's does")
    try:
        fgrads = nn.autograd.grad(
            [g for g, _ in pairs], [x for _, x in leaves], [nn.tensor(x) for _, x in pairs], allow_unused=True
        )
    except Exception as error:
        raise Raised(error, "backward: ") from error
    for (t, x), want_g, got_g in zip(leaves, grads, fgrads):
        w = np.zeros(tuple(t.shape), NUMPY[t.dtype]) if want_g is None else to_array(want_g)
        g = np.zeros(tuple(x.shape), x.dtype) if got_g is None else to_array(got_g)
        if info.module_cls.__name__ in TORCH_NORMALISED:
            p = np.exp(to_array(t))
            g, w = (a - p * a.sum(-1, keepdims=True) for a in (g, w))
        compare(g, w, tol, "grad")
    return None


# ---- optimisers ----------------------------------------------------------------------------------
NOT_COMPARED = {"Muon": "torch's rounds to bfloat16", "LBFGS": "needs a closure", "SparseAdam": "sparse gradients"}
NOT_SETTINGS = {"foreach", "fused", "capturable", "differentiable"}  # how, not what


def run_optimisers(options):
    from torch.testing._internal.common_optimizers import optim_db

    results, lacking = [], []
    for info in optim_db:
        name = info.optim_cls.__name__
        if options.only and name not in options.only:
            continue
        cls = getattr(nn.optim, name, None)
        row = {
            "name": name,
            "samples": 0,
            "agree": 0,
            "differ": 0,
            "raises": 0,
            "inexpressible": 0,
            "kinds": {},
            "notes": {},
        }
        inputs = info.optim_inputs_func(device="cpu")
        if cls is None:
            lacking.append(name)
            continue
        for one in inputs:
            row["samples"] += 1
            text = f"{one.desc}: {one.kwargs}"

            def note(home, kind, detail="", text=text):
                entry = home.setdefault(kind, {"count": 0, "sample": text, "detail": detail})
                entry["count"] += 1

            try:
                if set(one.kwargs) & NOT_SETTINGS:
                    raise Inexpressible(str(sorted(set(one.kwargs) & NOT_SETTINGS)))
                if name in NOT_COMPARED:
                    raise Inexpressible(NOT_COMPARED[name])
                # of the numbers in a state, as of the parameters
                torch.set_default_dtype(torch.float64)
                try:
                    check_optimiser(info.optim_cls, cls, one.kwargs)
                finally:
                    torch.set_default_dtype(torch.float32)
                row["agree"] += 1
            except Inexpressible as why:
                row["inexpressible"] += 1
                note(row["notes"], f"inexpressible: {why}")
            except Mismatch as m:
                row["differ"] += 1
                note(row["kinds"], f"differs: {m.kind}", m.detail)
            except Raised as r:
                if why := on_purpose(name, r.error):
                    row["inexpressible"] += 1
                    note(row["notes"], f"refused on purpose: {why}")
                    continue
                row["raises"] += 1
                note(row["kinds"], f"raises: {kind_of_error(r.error, r.prefix)}", str(r.error)[:300])
        results.append(row)
        if options.verbose:
            print(
                name, row["samples"], row["agree"], {k: v["count"] for k, v in row["kinds"].items()} or "", flush=True
            )
    dump(options, "optimisers.json", {"optimisers": results, "lacking": lacking, "total": len(optim_db)})
    total = lambda key: sum(r[key] for r in results)
    clean = [r for r in results if r["differ"] == r["raises"] == 0]
    return {
        "ok": total("differ") == 0,
        "raises": total("raises"),
        "text": f"optimisers: {total('agree')} of {total('samples') - total('inexpressible')} settings agree, "
        f"{total('differ')} differ, {total('raises')} raise ({len(clean)} optimisers of {len(results)} wholly; "
        f"{len(lacking)} of optim_db's {len(optim_db)} lack)",
    }


def check_optimiser(theirs, mine, kwargs):
    both = Both()
    _, tk, _, fk = convert_call(both, [], kwargs)
    rng = np.random.default_rng(0)
    start = [rng.standard_normal(s) for s in ((5, 7), (3,), (), (1, 2, 3))]
    curve = [rng.uniform(0.1, 2, a.shape) for a in start]
    tp = [
        torch.from_numpy(a.copy()).requires_grad_()
        if a.ndim
        else torch.tensor(float(a), dtype=torch.float64, requires_grad=True)
        for a in start
    ]
    fp = [nn.Parameter(np.array(a)) for a in start]
    topt = theirs(tp, **tk)
    try:
        fopt = mine(fp, **fk)
    except Exception as error:
        raise Raised(error) from error
    for step in range(20):
        noise = [np.random.default_rng(100 * step + i).standard_normal(a.shape) for i, a in enumerate(start)]
        for i, (t, f) in enumerate(zip(tp, fp)):
            skip = step in (3, 4) and i == 1  # a parameter without a gradient for two steps
            g = curve[i] * t.detach().numpy() + noise[i]
            t.grad = None if skip else torch.from_numpy(np.array(g))
            g = curve[i] * f.data + noise[i]
            f.grad = None if skip else nn.tensor(np.array(g))
        topt.step()
        try:
            fopt.step()
        except Exception as error:
            raise Raised(error, "step: ") from error
        for i, (t, f) in enumerate(zip(tp, fp)):
            try:
                compare(f.data, t.detach().numpy(), 1e-9, "parameter")
            except Mismatch as m:
                raise Mismatch(m.kind, f"after step {step + 1}, parameter {i}: {m.detail}") from None


# ---- main ----------------------------------------------------------------------------------------
def dump(options, name, what):
    if options.only:
        name = "only-" + name
    with open(os.path.join(options.out, name), "w") as file:
        json.dump(what, file, indent=1, default=lambda x: None if x == math.inf else str(x))


def main():
    parser = argparse.ArgumentParser()
    for flag in ("ops", "modules", "optimisers", "verbose", "allow-raises", "ints", "reference"):
        parser.add_argument(f"--{flag}", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--samples", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--out", default=".", help="folder for the JSON results")
    parser.add_argument(
        "--expect",
        help='JSON file of refusals on purpose: [[entry or "*", regular expression on the message, reason], ...]',
    )
    options = parser.parse_args()
    if options.expect:
        with open(options.expect) as file:
            EXPECTED.extend(json.load(file))
    every = not (options.ops or options.modules or options.optimisers)
    said = []
    for wanted, run in ((options.ops, run_ops), (options.modules, run_modules), (options.optimisers, run_optimisers)):
        if wanted or every:
            said.append(run(options))
    print(
        "; ".join(s["text"] for s in said)
        + (f"; {LIMITS[0]} comparisons where torch has NaN and fastnn a number" if LIMITS[0] else "")
    )
    return 0 if all(s["ok"] and not (s["raises"] and not options.allow_raises) for s in said) else 1


if __name__ == "__main__":
    sys.exit(main())
