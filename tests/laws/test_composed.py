"""The laws of the ends for functions that are composed of others and so have no record: infinities,
NaN, huge and tiny numbers, zeros and empty arrays. The calls are those of their docstrings, which
tools/fuzz_calls.py records, so that a new function is held without being named.
"""

import contextlib
import functools
import inspect
import itertools
import re
import sys
import time
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

import fastnn as nn
from fastnn.op import OPS

sys.path.insert(0, str(Path(__file__).parents[2]/"tools"))
import fuzz_calls
from fuzz_calls import Array, changed, leaves, parameters_of

F = nn.functional
# functions of ops whose records have another name
RECORDED = {*OPS, "rnn_relu", "rnn_tanh", "rnn_relu_cell", "rnn_tanh_cell"}
FUNCTIONS = fuzz_calls.functions()
OF_OPS = {FUNCTIONS[name].__wrapped__ for name in RECORDED if name in FUNCTIONS}
COMPOSED = sorted(name for name, f in FUNCTIONS.items() if f.__wrapped__ not in OF_OPS)

ENDS = (np.inf, -np.inf, np.nan, 1e30, -1e30, 1e20, 1e-20, 1e-30, 1e-42, 0.0, -0.0)
# where an end stands: in one element, in every second, or in all, of one array or of each
PLACES = ("one", "second", "all", "one of each", "all of each")


@functools.cache
def calls():
    """{name: different calls of it}."""
    found = {}
    for call in fuzz_calls.watched():
        if call.how == "function" and call.name in COMPOSED:
            found.setdefault(call.name, {})[repr((call.args, call.kwargs))] = call
    return {name: list(several.values()) for name, several in found.items()}


def arguments(call, k=-1, end=0.0, place="", labels=(), dtype=np.float32):
    """Arrays in the plans' places, of this dtype, with the end where it should stand, in array k.
    Where there are labels, targets are drawn from them.
    """
    rng, number = np.random.default_rng([*call.name.encode()]), itertools.count()

    def make(leaf, name=""):
        if not isinstance(leaf, Array):
            return leaf
        if leaf.kind != "f":
            a = rng.integers(int(leaf.low), int(leaf.high) + 1, leaf.shape)
            return np.asarray(a, bool if leaf.kind == "b" else np.int64)
        positive = leaf.low >= 0 and leaf.high > 0
        a = np.asarray(rng.uniform(leaf.low, leaf.high, leaf.shape) if positive else rng.standard_normal(leaf.shape))
        if labels and name == "target":
            a = np.asarray(rng.choice(labels, leaf.shape), float)
        at = int(rng.integers(max(a.size, 1)))
        if place and (next(number) == k or "each" in place) and a.size:
            a.reshape(-1)[{"o": slice(at, at + 1), "s": slice(None, None, 2), "a": slice(None)}[place[0]]] = end
        return a.astype(dtype)
    names = parameters_of(FUNCTIONS.get(call.name))
    return ([changed(arg, functools.partial(make, name=name)) for name, arg in
             itertools.zip_longest(names[:len(call.args)], call.args)],
            {name: changed(arg, functools.partial(make, name=name)) for name, arg in call.kwargs.items()})


def plans(call):
    """(what it is, arguments, the end of the upstream gradient); a target is any number, one of 0
    and 1, and one of -1 and 1.
    """
    for labels in ((), (0, 1), (-1, 1)) if "target" in parameters_of(FUNCTIONS[call.name]) else ((),):
        plain = arguments(call, labels=labels)
        arrays = sum(isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" for leaf in leaves([*plain]))
        of = f", labels {labels}" if labels else ""
        for end, place in itertools.product(ENDS, PLACES):
            for k in range(arrays) if "each" not in place else [-1]:
                yield f"{end} in {place} of array {k}{of}", arguments(call, k, end, place, labels), None
        for end in (np.inf, np.nan, 1e30):
            yield f"{end} in dy{of}", plain, end


def outcome(function, inputs, dtype, upstream, wrap=nn.tensor, backward=nn.autograd.backward):
    """(results, gradients), or the error; `wrap` and `backward` are ours or PyTorch's."""
    tensors = []

    def tensor(leaf):
        if not isinstance(leaf, np.ndarray):
            return leaf
        floating = leaf.dtype.kind == "f"
        t = wrap(leaf.astype(dtype) if floating else leaf, requires_grad=floating)
        tensors.extend([t] if floating else [])
        return t
    nn.seed(0)
    try:
        results = function(*changed(inputs[0], tensor), **changed(inputs[1], tensor))
    except (nn.FastnnError, RuntimeError, TypeError, IndexError, ValueError) as error:
        return error
    kind = type(wrap(np.ones(1)))
    results = [t for t in (results if isinstance(results, (tuple, list)) else [results]) if isinstance(t, kind)]
    made = [t for t in results if t.requires_grad]
    if made:
        rng, dys = np.random.default_rng(3), []
        for t in made:
            dy = np.asarray(rng.standard_normal(tuple(t.shape)), np.float32)
            if upstream is not None and dy.size:
                dy.reshape(-1)[rng.integers(dy.size)] = upstream
            dys.append(wrap(dy.astype(dtype)))
        backward(made, dys)
    return [plain(t) for t in results], [plain(t.grad) for t in tensors]


def plain(t):
    if t is None or not hasattr(t, "detach"):
        return None if t is None else np.asarray(t)
    # PyTorch's gradients that are 0 everywhere need force
    return np.asarray(t.detach().numpy() if isinstance(t, nn.Tensor) else t.detach().numpy(force=True))


def differing(got, want, near=True):
    """Where two arrays differ: in NaN, in an infinity, or (near) as numbers."""
    if got.dtype.kind != "f":
        return got != want
    with np.errstate(all="ignore"):
        want = want.astype(got.dtype)
        same = (got == want) | ((got != got) & (want != want))
        return ~(same | (np.isfinite(got) & np.isfinite(want)
                         & ((np.abs(got - want) <= 1e-3 * (np.abs(want) + 1)) | (not near))))


def hold(what, got, want, exact=False, near=True):
    """Results and gradients are those wanted. exact: `want` was found in float64; sums over
    repetitions, whose terms may leave the range of float32 apart, are not held to that.
    """
    if isinstance(got, Exception) or isinstance(want, Exception):
        assert isinstance(got, Exception) == isinstance(want, Exception), f"{what}: {got!r}, expected {want!r}"
        return
    most = max((a.size for a in [*got[0], *got[1]] if a is not None), default=0)
    for kind, mine, others in zip(("result", "gradient"), got, want):
        assert len(mine) == len(others), what
        for i, (a, b) in enumerate(zip(mine, others)):
            assert (a is None) == (b is None), f"{what}: {kind} {i}: {a} instead of {b}"
            if a is None or (exact and kind == "gradient" and a.size < most):
                continue
            assert a.shape == b.shape, f"{what}: {kind} {i}: {a.shape}, expected {b.shape}"
            wrong = differing(a, b, near or kind == "result")
            assert not wrong.any(), f"{what}: {kind} {i}: {a[wrong][:3]}, expected {b[wrong][:3]}"


@pytest.fixture(autouse=True)
def _denormals_are_kept():
    before = nn.config.flushes_denormal()
    nn.set_flush_denormal(False)
    yield
    nn.set_flush_denormal(before)


# name -> where float64's result is another on purpose, as in plans(); and what the docstring says
# about it
ANOTHER = {
    "bilinear": (("1e+30 in all of each", "1e+20 in all of each"), "so may be products of three that leave the range"),
    "cross": (("1e+30 in", "1e+20 in"), "the difference of two that leave the range is NaN"),
    "gradient": (("1e+30 in", "1e+20 in"), "slopes of positions are differences, in which the digits of large numbers"),
    "local_response_norm": (("1e-20 in", "1e-30 in", "1e-42 in"), "of tiny elements leave the range"),
    "nan_to_num": (("inf in",), "the largest and the smallest number of the type"),
    "nextafter": (("inf in",), "The next number of the type"),
    "trapezoid": (("1e+30 in one of each", "1e+20 in one of each"), "areas that leave the range is NaN"),
    "trapz": (("1e+30 in one of each", "1e+20 in one of each"), "areas that leave the range is NaN"),
    "triplet_margin_with_distance_loss": (("1e+30 in", "1e+20 in"), "Errors, NaN and cost"),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_ends(name):
    """Kernels at every level are the definitions in their type and in float64; nothing warns. Where
    float64's result is another the docstring says so.
    """
    where, words = ANOTHER.get(name, ((), ""))
    assert words in " ".join(FUNCTIONS[name].__doc__.split())
    for call in calls()[name]:
        for what, inputs, upstream in plans(call):
            what = f"{name} {call.args} {call.kwargs} with {what}"
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                with nn.use_backend("reference"):
                    want, exact = (outcome(FUNCTIONS[name], inputs, t, upstream) for t in ("f4", "f8"))
                for level in nn.config.isas():
                    with nn.use_isa(level):
                        got = outcome(FUNCTIONS[name], inputs, "f4", upstream)
                        # a huge gradient may cancel to what rounding leaves
                        hold(f"{what}, {level}", got, want, near=upstream is None)
            if not any(word in what for word in where):
                hold(f"{what}, float64", got, exact, exact=True, near=upstream is None)


def with_a_limit(call):
    """Arguments with an infinity in one element where float64's results at 1e25 and 1e100 are those
    of one limit, and yet NaN at the infinity.
    """
    for sign, which in itertools.product((1, -1), range(8)):
        ends = [outcome(FUNCTIONS[call.name], arguments(call, which, sign * end, "one", dtype="f8"), "f8", None)
                for end in (1e25, 1e100, np.inf)]
        if any(isinstance(end, Exception) for end in ends):
            continue
        for y1, y2, y in zip(*[results for results, _ in ends]):
            with np.errstate(all="ignore"):
                near = np.isclose(y1, y2, 1e-6, 1e-6) | ((y1 * y2 > 1e40) & np.isfinite(y2))
            if y.dtype.kind == "f" and (near & np.isnan(y)).any():
                yield f"{sign * np.inf} in array {which}: {y}, near it {y2}"


@pytest.mark.parametrize("name", COMPOSED)
def test_where_nan_is_kept_the_docstring_says_so(name):
    if not re.search("NaN|infini", FUNCTIONS[name].__doc__):
        for call in calls()[name]:
            assert not [*with_a_limit(call)], f"{name} {call.args} {call.kwargs}"


# ---- what weighs nothing -------------------------------------------------------------------------
# name -> ends that count all the same, and what the docstring says about it
COUNT = {"cross_entropy": ((np.inf,), "A score of +inf makes its position NaN, as in PyTorch"),
         "binary_cross_entropy": ((np.inf, -np.inf, 1e30, -1e30), "input or target outside 0..1")}
WEIGHTED = sorted(name for name, f in FUNCTIONS.items()
                  if {"input", "target", "weight"} <= {*inspect.signature(f).parameters})


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_what_weighs_nothing_costs_nothing(name, backend):
    """An end in elements, or in a score of a sample of a class, whose weight is 0 changes no loss
    and no slope, and has slope 0 itself; for each reduction and power, and target 0 or 1.
    """
    function, (besides, words) = FUNCTIONS[name], COUNT.get(name, ((), ""))
    assert words in " ".join(function.__doc__.split())
    settings = [{}, {"p": 2}] if "p" in inspect.signature(function).parameters else [{}]
    classes = name in ("cross_entropy", "multi_margin_loss", "nll_loss")
    for reduction, other, label in itertools.product(("none", "mean", "sum"), settings, (0, 1)):
        def run(end, reduction=reduction, other=other, label=label):
            x, w = np.full((3, 4), 0.25, np.float32), np.ones(4, np.float32)
            w[1] = 0                                # the second class, or the second column
            target = np.array([0, 1, 2]) if classes else np.full((3, 4), label, np.float32)
            x[(1, 1 + label) if classes else (slice(None), 1)] = end
            x = nn.tensor(x, requires_grad=True)
            shaped = w if classes or name.startswith("multilabel") else np.broadcast_to(w, (3, 4)).copy()
            with nn.use_backend(backend):
                y = function(x, nn.tensor(target), weight=nn.tensor(shaped), reduction=reduction, **other)
                y.sum().backward()
            return y.data, x.grad.data
        for end in (np.inf, -np.inf, 1e30, -1e30, 0.0, 1.0):
            if end not in besides:
                for got, want in zip(run(end), run(0.5)):
                    assert np.array_equal(got, want), f"{name} {reduction} {other} {label} {end}: {got}, not {want}"


# ---- PyTorch -------------------------------------------------------------------------------------
# name -> where we differ on purpose, as in plans(); and what the docstring says about it
DIFFERENT = {
    "bucketize": (("of array 1", "each"), ""),          # boundaries that are in no order
    "searchsorted": (("of array 0", "each"), ""),       # the same
    # PyTorch weighs the elements, we their differences; two positions at 1e30 are one
    "gradient": (("inf in", "1e+30 in", "1e+20 in", "in second of array 1", "in all"),
                 "Beside an infinity two differences may be infinite"),
    # neighbours cancel, and rounding is left, or the difference of two infinities
    "grid_sample": (("1e+30", "1e+20", "inf in dy"), ""),
    "instance_norm": (("in all", "in second"), "0 and all elements of a channel are the same, y is NaN"),
    "lerp": (("inf in dy",), "an infinite gradient from above then gives NaN"),
    "local_response_norm": (("1e-20", "1e-30", "1e-42"), ""),   # cancels, and rounding is left
    "kthvalue": (("in all", "in second", "each"), "equals are counted in their order, in PyTorch in any"),
    "logaddexp": (("inf in",), "halves, which is NaN in PyTorch"),
    "logaddexp2": (("inf in",), "halves, which is NaN in PyTorch"),
    # of what is huge PyTorch's slope, e to the power of a difference, has no right digit; and of a
    # NaN from above it loses sight
    "logcumsumexp": (("inf in", "nan in dy", "1e+30", "1e+20"), "that of `logaddexp`, and NaN in PyTorch"),
    # PyTorch's slope there is that of its relu, 0
    "lp_pool1d": (("nan in",), ""),
    "lp_pool2d": (("nan in",), ""),
    "pairwise_distance": (("inf in",), "and NaN in PyTorch"),
    "quantile": (("inf in dy",), "an infinite gradient from above gives NaN"),
}
# where PyTorch has NaN there may be a number: the limit, or the gradient of the element that counts
LIMITS = {"aminmax", "copysign", "dist", "grid_sample", "index_reduce", "multilabel_soft_margin_loss", "nanmean",
          "pdist", "poisson_nll_loss", "soft_margin_loss", "upsample_bilinear"}
# other numbers are drawn
CHANCE = {"alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout", "fractional_max_pool2d",
          "fractional_max_pool2d_with_indices", "gumbel_softmax"}
# PyTorch has other arguments before `reduction`; or adds in another order, or counts NaN as 0;
# or its slope of ldexp is a power of 2 among integers, 0 below 1; or it loses the counts of
# unique_consecutive where the arguments have no names; or its gradient is that of a log_softmax
# before; or of several values for one place another stays
NOT_COMPARED = {"cosine_embedding_loss", "ctc_loss", "hinge_embedding_loss", "ldexp", "margin_ranking_loss",
                "max_unpool1d", "max_unpool2d", "multi_margin_loss", "multilabel_margin_loss", "triplet_margin_loss",
                "triplet_margin_with_distance_loss", "unique", "unique_consecutive"}
# of the slope at NaN PyTorch has two answers, by the element's place: a vector, or behind the last
TWO_ANSWERS = {"celu", "relu6", "selu"}


@pytest.mark.parametrize("name", sorted({*COMPOSED} - CHANCE - NOT_COMPARED))
def test_ends_like_torch(torch, name):
    """In float64 results and gradients are PyTorch's, of the same calls, where PyTorch takes them;
    where we differ the docstring says so.
    """
    theirs = getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    where, words = DIFFERENT.get(name, ((), ""))
    assert words in " ".join(FUNCTIONS[name].__doc__.split())

    def wrap(a, requires_grad=False):
        return torch.tensor(a, requires_grad=requires_grad)
    for call in calls()[name] if theirs else []:
        for what, inputs, upstream in plans(call):
            if any(word in what for word in where) or (name in TWO_ANSWERS and what.startswith("nan")):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")         # of what is deprecated
                got, want = (outcome(f, inputs, "f8", upstream, *how) for f, *how in
                             ((FUNCTIONS[name],), (theirs, wrap, torch.autograd.backward)))
            if isinstance(got, Exception) or isinstance(want, Exception):
                continue
            if name in LIMITS:
                want = [[b if a is None or b is None or b.dtype.kind != "f" else np.where(np.isnan(b), a, b)
                         for a, b in zip(*pair)] for pair in zip(got, want)]
            hold(f"{name} {call.args} {call.kwargs} with {what}", got, want, near=upstream is None)


# ---- what a setting may cost ---------------------------------------------------------------------
def numbers(tree, path=()):
    """Where a tree of lists, tuples and dicts has numbers."""
    if isinstance(tree, (dict, list, tuple)):
        for key, branch in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from numbers(branch, (*path, key))
    elif isinstance(tree, (int, float)) and not isinstance(tree, bool):
        yield path


def with_number(tree, path, value):
    """The tree with another number there."""
    if not path:
        return value
    if isinstance(tree, dict):
        return {**tree, path[0]: with_number(tree[path[0]], path[1:], value)}
    return type(tree)([with_number(b, path[1:], value) if k == path[0] else b for k, b in enumerate(tree)])


def with_huge_settings(function, args, kwargs, values):
    """(which, arguments) with each number of a call in turn replaced by each value: those that were
    given, and those whole numbers, or tuples of them, that the signature has as defaults.
    """
    left_out = {}
    for parameter in [*inspect.signature(function).parameters.values()][len(args):]:
        several = parameter.default if isinstance(parameter.default, tuple) else (parameter.default,)
        if parameter.name not in kwargs and several and all(type(n) is int for n in several):
            left_out[parameter.name] = parameter.default
    for path, value in itertools.product([*numbers((args, {**kwargs, **left_out}))], values):
        some, named = with_number((args, {**kwargs, **left_out}), path, value)
        yield f"{path[1:]} = {value}", (some, {k: v for k, v in named.items() if k in kwargs or k == path[1]})


@functools.cache
def calls_of_all():
    """{name: different calls} of every function, and of every layer, whose names begin with nn."""
    found = {}
    for call in fuzz_calls.watched():
        name = call.name if call.how == "function" else f"nn.{call.name}"
        # of a layer how it is made is enough, and one call of it
        found.setdefault(name, {}).setdefault(repr(call.made_with if call.how == "layer" else
                                                   (call.args, call.kwargs)), call)
    return {name: list(several.values()) for name, several in found.items()}


@contextlib.contextmanager
def little_memory(nbytes):
    """Memory for so many bytes more than there are now, so that what is large is refused at once
    and not filled on a machine that has room for it.
    """
    resource = pytest.importorskip("resource")
    status = Path("/proc/self/statm")
    if not status.exists():
        pytest.skip("the system does not say how much address space is taken")
    before = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(status.read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + nbytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_huge_setting_costs_no_more_than_its_result(name):
    """Time and memory grow with what goes in and comes out, not with a number that is given."""
    for call in calls_of_all().get(name, []):
        # of a function with a kernel, only results that are soon made
        memory = contextlib.nullcontext if name in COMPOSED else lambda: little_memory(2**25)
        huge = (2**20, -2**20, 2**40) if name in COMPOSED else (2**18, -2**18, 2**40, 2**62)
        for which, inputs in with_huge_settings(FUNCTIONS[name], *arguments(call), huge):
            got = MemoryError()
            tracemalloc.start()
            start = time.process_time()
            with memory(), warnings.catch_warnings(), contextlib.suppress(MemoryError):
                warnings.simplefilter("ignore")
                got = outcome(FUNCTIONS[name], inputs, "f4", None)
            seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
            tracemalloc.stop()
            size = 0 if isinstance(got, Exception) else sum(a.size for part in got for a in part if a is not None)
            what = f"{name} {call.args} {call.kwargs} with {which}: {size} elements"
            assert not isinstance(got, Exception) or isinstance(got, (nn.FastnnError, MemoryError)), f"{what}: {got!r}"
            assert seconds < 1 + 1e-6 * size, f"{what} took {seconds:.1f} s"
            # resampling has a table of weights and positions for each place along an axis
            assert size == 0 or peak < 2**24 + 300 * size, f"{what} took {peak:,} bytes"


@pytest.mark.parametrize("name", sorted(fuzz_calls.layers()))
def test_a_layer_of_a_huge_size_is_refused_or_cheap(name):
    """In any setting, from what fits to what no machine has; an array that does not fit is Python's
    MemoryError, which says how large it would be.
    """
    layer = fuzz_calls.layers()[name]
    for call in calls_of_all().get(f"nn.{name}", []):
        for which, made_with in with_huge_settings(layer, *call.made_with, (2**24, 2**31, 2**40, 2**62, -2**40)):
            inputs = changed(arguments(call), lambda leaf: nn.tensor(leaf) if isinstance(leaf, np.ndarray) else leaf)
            what, start = f"nn.{name} {call.made_with} with {which}", time.process_time()
            try:
                with little_memory(2**25), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    made = layer(*made_with[0], **made_with[1])
                    if inputs[0]:
                        made(*inputs[0], **inputs[1])
            except nn.FastnnError:
                pass
            except MemoryError as error:
                assert re.search(r"shape|bytes|elements", str(error)), f"{what}: {error!r}"
            seconds = time.process_time() - start
            assert seconds < 3, f"{what} took {seconds:.1f} s"
