"""Whatever goes in, what comes out is a result or an error of ours that says who refuses it: never
Python's or NumPy's own words from somewhere inside.

The calls are drawn, not written: every public function, layer and op of the table gets arguments of
every kind, so one that is added later is held without being named.
"""

import contextlib
import gc
import inspect
import random
import warnings
import weakref

import numpy as np
import pytest

import fastnn as nn
from fastnn.op import OPS

F = nn.functional
CALLS = 120
FUNCTIONS = {f"F.{name}": f for name, f in vars(F).items()
             if inspect.isroutine(f) and f.__module__.startswith("fastnn.ops")}
LAYERS = {name: c for name, c in vars(nn).items()
          if isinstance(c, type) and issubclass(c, nn.Module) and c.__module__.startswith("fastnn.layers")}


def tensor(r, kind="f4", shape=None):
    shapes = [(), (1,), (4,), (2, 4), (3, 4), (2, 3, 4), (2, 2, 4, 4), (0, 4), (1,) * 34]
    shape = r.choice(shapes) if shape is None else shape
    return np.asarray(np.random.default_rng(r.getrandbits(32)).integers(0, 3, shape)).astype(kind)


def junk(r):
    return r.choice([
        None, True, False, -1, 0, 1, 2, 3, 2**62, 2**70, 1.5, float("nan"), float("inf"), "abc", b"x", (), (1,),
        (1, 2), (1, 2, 3), [2, 2], [], {}, set(), ..., slice(None), int, (None, 1), ("a", "b"), (-1, -1), (1.5, 2),
        ((1, 2), (3, 4)), 1 + 2j, np.int64(3), np.float32(2.5), np.bool_(True), np.str_("a"), object(),
        np.array("text"), np.array([None, 1], object), np.zeros(2, "c8"), np.zeros(3, "M8[s]"), np.zeros(2, "f2"),
        nn.tensor([True]), [nn.ones(2), nn.ones(2)], [nn.ones(2), None]])


def likely(r, name, annotation, floats):
    """Something that may well be right, by the annotation of the argument."""
    if "Sequence[Tensor]" in annotation or name in ("tensors", "params", "weights"):
        return [nn.tensor(tensor(r)) for _ in range(r.randint(0, 3))]
    if name in ("cutoffs", "n_classes"):            # of AdaptiveLogSoftmaxWithLoss
        return [1, 2] if name == "cutoffs" else 3
    if "size" in name or name in ("stride", "padding", "dilation", "groups"):
        return r.randint(1, 3)
    if "Tensor" in annotation or annotation == "Any":
        kind = "i8" if name in ("index", "indices", "target") and r.random() < 0.6 else floats
        kind = "?" if name in ("condition", "mask") and r.random() < 0.8 else kind
        x = tensor(r, r.choice([kind, kind, kind, "f8", "i8", "u1", "i2"]), (4,) if r.random() < 0.3 else None)
        return x if r.random() < 0.4 else nn.tensor(x)
    return r.choice([0, 1, 2, 3, -1]) if "int" in annotation else 0.5 if "float" in annotation else r.random() < 0.5


def arguments(r, signature, wrong=0.3):
    args, kwargs = [], {}
    for p in signature.parameters.values():
        if p.name == "self" or (p.default is not p.empty and r.random() < 0.6):
            if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self":
                args.append(p.default)
            continue
        value = junk(r) if r.random() < wrong else likely(r, p.name, str(p.annotation), "f4")
        if p.kind is p.VAR_POSITIONAL:
            args += [value] * r.randint(0, 2)
        elif p.kind is p.KEYWORD_ONLY:
            kwargs[p.name] = value
        elif p.kind is not p.VAR_KEYWORD:
            args.append(value)
    return args, kwargs


def outcome(what, call):
    """The result, or None for an error of ours; anything else fails."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return call()
    except nn.FastnnError as error:
        assert len(str(error)) > 12 and ": " in str(error), f"{what}: says too little: {error}"
    except MemoryError:
        pass
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    return None


@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name, backend):
    function, signature = FUNCTIONS[name], inspect.signature(FUNCTIONS[name])
    with nn.use_backend(backend):
        for i in range(CALLS):
            args, kwargs = arguments(random.Random(f"{name}/{i}"), signature)
            what = f"call {i}: {name}{nn.guard.described(args)} {kwargs}"
            outcome(what, lambda: function(*args, **kwargs))


@pytest.mark.parametrize("name", LAYERS)
def test_layers(name):
    made = 0
    for i in range(CALLS):
        r = random.Random(f"{name}/{i}")
        args, kwargs = arguments(r, inspect.signature(LAYERS[name]), 0.2)
        what = f"call {i}: {name}{args} {kwargs}"
        layer = outcome(what, lambda: LAYERS[name](*args, **kwargs))
        if layer is not None:
            made += 1
            for _ in range(2):
                inputs, words = arguments(r, inspect.signature(layer.forward), 0.3)
                outcome(f"{what}, of {inputs} {words}", lambda: layer(*inputs, **words))
    assert made


@pytest.mark.parametrize("name", OPS)
def test_ops(name):
    """A sample's inputs and attributes, each in turn replaced by what does not belong there."""
    op = OPS[name]
    for sample in list(op.samples())[:2]:
        for i in range(CALLS // 2):
            r = random.Random(f"{name}/{sample.name}/{i}")
            inputs = [nn.tensor(a) if isinstance(a, np.ndarray) else a for a in sample.cast("f4")]
            k = r.randrange(len(inputs))
            inputs[k] = junk(r) if r.random() < 0.7 else nn.tensor(tensor(r, r.choice(["f4", "f8", "i8"])))
            what = f"call {i}: {name} input {k} = {inputs[k]!r}"
            outcome(what, lambda: nn.autograd.apply(op, *inputs, **sample.attrs))


MADE = {
    "Module": lambda: nn.Linear(2, 2), "Sequential": lambda: nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
    "ModuleList": lambda: nn.ModuleList([nn.Linear(2, 2), nn.ReLU()]),
    "ModuleDict": lambda: nn.ModuleDict({"a": nn.Linear(2, 2)}),
    "SGD": lambda: nn.optim.SGD([nn.Parameter([1.0])], lr=0.1), "Adam": lambda: nn.optim.Adam([nn.Parameter([1.0])]),
    **{name: lambda name=name, given=given: getattr(nn.optim, name)(nn.optim.SGD([nn.Parameter([1.0])], lr=0.1), *given)
       for name, given in (("StepLR", (2,)), ("MultiStepLR", ([2, 3],)), ("LambdaLR", (lambda epoch: 0.5,)),
                           ("CosineAnnealingWarmRestarts", (2,)), ("OneCycleLR", (0.1, 50)), ("CyclicLR", (0.1, 0.2)),
                           ("ReduceLROnPlateau", ()), ("WarmupLR", (3,)))},
    "TensorDataset": lambda: nn.data.TensorDataset(np.ones((5, 3)), np.arange(5)),
    "Subset": lambda: nn.data.Subset(nn.data.TensorDataset(np.arange(5)), [0, 1]),
}
ITEMS = ("__getitem__", "__setitem__", "__delitem__")
# those that only make an iterator, are called by the class itself, or belong to a calculation
NOT_HELD = {"forward", "buffers", "named_buffers", "named_modules", "named_parameters", "parameters", "get_lr", "cost",
            "scale_fn", "metric_of"}
METHODS = [f"{kind}.{name}" for kind, make in MADE.items() for name in dir(make())
           if (name in ITEMS or not name.startswith("_")) and callable(getattr(make(), name)) and name not in NOT_HELD]


@pytest.mark.parametrize("name", METHODS)
def test_methods(name):
    """Of modules, containers, optimisers and data sets."""
    kind, _, method = name.partition(".")
    signature = inspect.signature(getattr(MADE[kind](), method))
    for i in range(CALLS // 2):
        args, kwargs = arguments(random.Random(f"{name}/{i}"), signature, 0.6)
        outcome(f"call {i}: {name}{nn.guard.described(args)} {kwargs}",
                lambda: getattr(MADE[kind](), method)(*args, **kwargs))


MAKERS = {c.__name__: c for c in (nn.optim.SGD, nn.optim.Adam, nn.optim.AdamW, nn.data.TensorDataset, nn.data.Subset,
                                  nn.data.DataLoader)}
MAKERS |= {name: getattr(nn.optim.lr_scheduler, name) for name in nn.optim.lr_scheduler.__all__}
MAKERS |= {f.__name__: f for f in (nn.evaluate, nn.from_dlpack)}


@pytest.mark.parametrize("name", MAKERS)
def test_makers(name):
    signature = inspect.signature(MAKERS[name])
    for i in range(CALLS):
        args, kwargs = arguments(random.Random(f"{name}/{i}"), signature, 0.6)
        outcome(f"call {i}: {name}{nn.guard.described(args)} {kwargs}", lambda: MAKERS[name](*args, **kwargs))


ARRAYS = ["flatten(a)", "isnan(a)", "floor(a)", "equal(a, a)", "permute(a, (1, 0))", "transpose(a, 0, 1)",
          "prelu(a, np.ones(1, np.float32))", "relu(a)", "sum(a)", "mean(a, 1)", "amax(a)", "argmax(a, 1)", "var(a)",
          "reshape(a, -1)", "squeeze(a)", "unsqueeze(a, 0)", "expand(a, 4, 2, 3)", "cat([a, a])", "stack([a, a])",
          "split(a, 1)", "chunk(a, 2)", "unbind(a)", "contiguous(a)", "atleast_1d(a)", "clone(a)", "to(a, 'float64')",
          "to(a, 'float32')", "broadcast_tensors(a, a)", "repeat(a, 2, 2)", "tile(a, 2)", "flip(a, 0)", "roll(a, 1)",
          "tril(a)", "pad(a, (1, 1))", "any(a)", "all(a)", "max(a)", "max(a, 1)", "softmax(a, 1)", "layer_norm(a, 3)",
          "glu(np.ones((2, 4), np.float32))", "one_hot(np.array([0, 2]))", "where(a > 0, a, a)", "getitem(a, 0)",
          "masked_fill(a, a > 0, 1.0)", "clamp(a, 0, 1)", "neg(a)", "abs(a)", "logical_not(a)", "round(a)",
          "einsum('ij->ji', a)", "matmul(a, a.T)", "linear(a, a)", "norm(a)", "logsumexp(a, 1)", "cumsum(a, 0)",
          "dropout2d(np.ones((1, 2, 3, 3), np.float32), 0.0)", "gather(a, 1, np.array([[0], [1]]))", "isfinite(a)",
          "batch_norm(a, np.zeros(3, np.float32), np.ones(3, np.float32))", "floor_divide(a, 2)", "sign(a)"]


@pytest.mark.parametrize("call", ARRAYS)
def test_arrays_go_where_tensors_go(call):
    """With the same result as of tensors."""
    names = {**vars(F), "np": np}
    a = np.arange(6, dtype=np.float32).reshape(2, 3)
    got = eval(call, {**names, "a": a})
    wanted = eval(call, {**names, "a": nn.tensor(a)})
    for g, w in zip(*[y if isinstance(y, tuple) else (y,) for y in (got, wanted)], strict=True):
        assert type(g) is type(w)
        np.testing.assert_array_equal(getattr(g, "_data", g), getattr(w, "_data", w))


def test_what_the_user_raised_passes_unchanged():
    class Mine(Exception):
        pass

    def wrong(*args, **kwargs):
        raise ValueError("mine")

    class Layer(nn.Module):
        def forward(self, x):
            return {}["mine"]

    with pytest.raises(KeyError, match="mine"):
        nn.Sequential(nn.Linear(2, 2), Layer())(nn.ones(1, 2))
    layer = nn.Linear(2, 2)
    layer.register_forward_pre_hook(wrong)
    with pytest.raises(ValueError, match=r"^mine$"):
        nn.Sequential(layer)(nn.ones(1, 2))
    with nn.use_kernel("relu", wrong, check=False), pytest.raises(ValueError, match=r"^mine$"):
        F.relu(nn.ones(1))
    with nn.use_kernel("sum", wrong, check=False), pytest.raises(ValueError, match=r"^mine$"):
        nn.ones(1).sum()

    class Odd(nn.Linear):
        def reset_parameters(self):
            raise AttributeError("mine")
    with pytest.raises(AttributeError, match=r"^mine$"):
        Odd(2, 2)


def test_layers_beyond_memory_are_refused():
    for make in (lambda: nn.LSTM(2, 3, num_layers=2**31), lambda: nn.GRU(2, 3, num_layers=2**24),
                 lambda: nn.RNN(2, 3, num_layers=2**62), lambda: nn.Linear(2**40, 2**40), lambda: nn.LSTM(2**62, 4),
                 lambda: nn.Embedding(2**62, 2), lambda: nn.Conv2d(2**31, 2**31, 3), lambda: nn.LayerNorm(2**62),
                 lambda: nn.BatchNorm2d(2**62), lambda: nn.ConvTranspose1d(2**40, 2**40, 2),
                 lambda: nn.MultiheadAttention(2**40, 2), lambda: nn.LSTMCell(2**40, 2**40)):
        with pytest.raises((nn.FastnnError, MemoryError)):
            make()


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
def test_labels_and_indices_of_every_integer_type(dtype):
    """The same as those of int64."""
    x, wanted = nn.tensor(np.arange(12, dtype=np.float32).reshape(3, 4)), np.array([0, 1, 3])
    loss = nn.CrossEntropyLoss(ignore_index=-1)
    for call in (lambda i: loss(x, i), lambda i: F.nll_loss(x, i), lambda i: F.embedding(i, nn.eye(5)),
                 lambda i: F.index_select(x, 1, i), F.one_hot,
                 # uint8 would be a mask in PyTorch
                 lambda i: x[0, i.long() if i.dtype == np.uint8 else i],
                 lambda i: F.gather(x, 1, F.reshape(i, 3, 1))):
        for make in (nn.tensor, np.asarray):
            if call is F.one_hot or make is nn.tensor:
                np.testing.assert_array_equal(call(make(wanted.astype(dtype))).data, call(nn.tensor(wanted)).data)


def test_running_statistics_move_together_or_not_at_all():
    mean, variance = np.zeros(3, np.float32), np.ones(3, np.float32)
    variance.flags.writeable = False
    for attrs in ({}, {"momentum": None}, {"momentum": "a"}):
        with pytest.raises(nn.FastnnError, match="batch_norm"):
            F.batch_norm(nn.tensor(np.eye(3, dtype=np.float32)), mean, variance, training=True, **attrs)
        assert (mean == 0).all()
    layer = nn.BatchNorm1d(3, momentum=None)        # a layer's None is the mean over all batches
    layer(nn.ones(4, 3) * 2)
    layer(nn.ones(4, 3) * 4)
    assert layer.running_mean.tolist() == [3, 3, 3]


def test_an_error_holds_nothing_when_it_is_gone():
    """No circle of error, traceback and frames: tensors would live until Python looks for such."""
    gc.collect()
    gc.disable()
    try:
        for call in (lambda x: F.relu(x, 1, 2), lambda x: F.reshape(x, "a"), lambda x: F.tile(x, None),
                     lambda x: F.softmax(x, (1,)), lambda x: nn.Linear(2, 3)(x), lambda x: F.add(x, "a"),
                     lambda x: nn.Flatten("a")(x), lambda x: x.backward(), lambda x: nn.autograd.grad(3, x)):
            x = nn.ones(3)
            there = weakref.ref(x)
            with contextlib.suppress(nn.FastnnError, TypeError):
                call(x)
            del x
            assert there() is None, inspect.getsource(call)
    finally:
        gc.enable()
