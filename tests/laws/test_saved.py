"""What forward saved belongs to the tape: whatever the caller, or another thread, does to the
arrays after forward, backward gives the gradient of what forward saw, or says so.

For every op, by its record alone.
"""

import sys
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest

import fastnn as nn
from fastnn.autograd import apply, apply_in_python
from fastnn.op import ACTIVE, OPS

sys.path.insert(0, str(Path(__file__).parents[2]/"tools"))
import fuzz_calls

every_op = pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in OPS.values()])


def samples(op):
    for sample in op.samples():
        print(f"sample '{sample.name}'")            # where a test fails, the last one is shown
        yield sample


def view(a):
    """A copy that is a view: the memory belongs to another array."""
    return np.array([a])[0, ...]


def is_integers(a):
    return isinstance(a, np.ndarray) and a.dtype.kind in "iu"


def arrays_in(value):
    """The arrays in a tuple of tuples."""
    if isinstance(value, (tuple, list)):
        return [a for item in value for a in arrays_in(item)]
    return [value] if isinstance(value, np.ndarray) else []


class Call:
    """One op on the tape, on arrays of its own."""

    def __init__(self, op, sample, rule, copied=np.copy):
        self.op = op
        inputs = [copied(a) if isinstance(a, np.ndarray) else a for a in sample.cast(np.float32)]
        self.attrs = dict(sample.attrs)
        for name, value in self.attrs.items():
            if arrays_in(value):
                self.attrs[name] = value.copy() if isinstance(value, np.ndarray) else tuple(
                    k.copy() if isinstance(k, np.ndarray) else k for k in value)
        wanted = [op.differentiable is None or name in op.differentiable for name in op.inputs]
        self.leaves = [nn.tensor(a, requires_grad=w and a.dtype.kind == "f") if isinstance(a, np.ndarray) else a
                       for a, w in zip(inputs, wanted)]
        if op.name == "getitem":                    # whose function takes care of the key
            self.outputs = (self.leaves[0][self.attrs["key"]],)
        else:
            y = rule(op, *self.leaves, **self.attrs)
            self.outputs = y if isinstance(y, tuple) else (y,)

    @property
    def recorded(self):
        return any(y.node is not None for y in self.outputs)

    def arrays(self):
        """Every array that the caller can reach."""
        return [t._data for t in (*self.leaves, *self.outputs) if isinstance(t, nn.Tensor)] + arrays_in(
            tuple(self.attrs.values()))

    def tensors(self):
        """Every tensor of floats, those given and those got."""
        return [t for t in (*self.leaves, *self.outputs) if isinstance(t, nn.Tensor) and t.dtype.kind == "f"]

    def gradients(self):
        ys = [y for y in self.outputs if y.node is not None]
        rng = np.random.default_rng(0)
        nn.autograd.backward(ys, [rng.standard_normal(y.node.outputs[y.index][0]).astype(y.dtype) for y in ys])
        return [None if not isinstance(x, nn.Tensor) or x.grad is None else x.grad.data for x in self.leaves]


def need_equal(got, want):
    for g, w in zip(got, want, strict=True):
        assert (g is None) == (w is None) and (g is None or np.array_equal(g, w, equal_nan=True))


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@every_op
def test_positions_may_change_after_forward(op, backend, rule):
    with nn.use_backend(backend):
        for sample in samples(op):
            call, untouched = Call(op, sample, rule), Call(op, sample, rule)
            if not call.recorded:
                continue
            want = untouched.gradients()
            for a in call.arrays():
                if is_integers(a) and a.flags.writeable:
                    a.fill(np.iinfo(a.dtype).max)
            need_equal(call.gradients(), want)


def flattened(a):
    a.shape = (a.size,) if a.ndim != 1 else (a.size, 1)


def halved(a):
    a.resize((a.size // 2,), refcheck=False)


def retyped(a):
    a.dtype = np.int32 if a.itemsize == 4 else np.float64 if a.dtype.kind != "f" else np.int64


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("change", [flattened, halved, retyped])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@every_op
def test_arrays_may_get_another_form_after_forward(op, backend, change):
    with nn.use_backend(backend):
        for sample in samples(op):
            want = None
            for k in range(len(Call(op, sample, apply).arrays())):
                call = Call(op, sample, apply)
                a = call.arrays()[k]
                if not call.recorded:
                    break
                before = a.shape, a.dtype
                with suppress(ValueError, AttributeError, TypeError):          # NumPy refuses
                    change(a)
                if (a.shape, a.dtype) == before:
                    continue
                try:
                    got = call.gradients()
                except nn.FastnnError:
                    continue
                want = want or Call(op, sample, apply).gradients()
                need_equal(got, want)


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@every_op
def test_what_an_input_looks_into_may_be_resized_after_forward(op, backend, rule):
    """Its memory goes, and the view of it that was saved knows nothing."""
    with nn.use_backend(backend):
        for sample in samples(op):
            want = None
            for k, t in enumerate(Call(op, sample, rule, view).leaves):
                if not isinstance(t, nn.Tensor) or t.dtype.kind != "f" or t.numel() == 0:
                    continue
                call = Call(op, sample, rule, view)
                if not call.recorded:
                    break
                call.leaves[k]._data.base.resize((1 << 14,), refcheck=False)
                try:
                    got = call.gradients()
                except nn.GraphError:
                    continue
                want = want or Call(op, sample, rule, view).gradients()
                need_equal(got, want)


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@every_op
def test_values_may_change_in_place_after_forward(op, backend, rule):
    """Of inputs, which are views, and of results: what is saved is noticed, and what is not changes
    nothing.
    """
    with nn.use_backend(backend):
        for sample in samples(op):
            want = None
            for k in range(len(Call(op, sample, rule, view).tensors())):
                call = Call(op, sample, rule, view)
                t = call.tensors()[k]
                if not call.recorded:
                    break
                if not t.data.flags.writeable:          # expand's
                    continue
                t.detach().fill_(0.375)
                try:
                    got = call.gradients()
                except nn.GraphError:
                    continue
                want = want or Call(op, sample, rule, view).gradients()
                need_equal(got, want)


# ---- lists of numbers ----------------------------------------------------------------------------
def as_lists(tree, given):
    """The tree with its tuples of numbers as lists, which are added to `given`."""
    if type(tree) not in (tuple, list):
        return tree
    branches = [as_lists(branch, given) for branch in tree]
    if branches and all(isinstance(branch, (int, float)) for branch in branches):
        given.append(branches)
        return branches
    return type(tree)(branches)


def kept_by(node):
    """What the nodes from this one on hold besides arrays and tensors."""
    nodes, seen = [node], set()
    while nodes:
        node = nodes.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        yield from branches_of([node.attrs, node.saved])
        nodes += [parent[0] if isinstance(parent, tuple) else None for parent in node.parents]


def branches_of(tree):
    yield tree
    for branch in tree.values() if isinstance(tree, dict) else tree if type(tree) in (tuple, list) else ():
        yield from branches_of(branch)


def test_a_list_that_was_given_may_change_after_forward():
    """Sizes, dimensions, positions: no op keeps the caller's list for its backward."""
    variations, random, tried = fuzz_calls.Variations(), Random(0), 0
    for name, calls in variations.calls.items():
        for call in calls:
            if call.how != "function":
                continue
            given = []
            args, kwargs = variations.build(call.args, random), variations.build(call.kwargs, random)
            for t in fuzz_calls.leaves([args, kwargs]):
                if isinstance(t, nn.Tensor) and t.dtype.kind == "f":
                    t.requires_grad_(True)
            args = [as_lists(arg, given) for arg in args]
            kwargs = {key: as_lists(value, given) for key, value in kwargs.items()}
            with suppress(nn.FastnnError):
                results = getattr(nn.functional, name)(*args, **kwargs)
                for t in fuzz_calls.leaves(results if isinstance(results, (tuple, list)) else [results]):
                    tried += bool(given)
                    assert not any(kept is g for kept in kept_by(getattr(t, "node", None)) for g in given), name
    assert tried > 100


def test_a_list_of_positions_may_change_after_forward():
    for index in (lambda k: k, lambda k: (k, 0), lambda k: [k, k]):
        x, positions = nn.ones(4, 3, requires_grad=True), [0, 1]
        y = x[index(positions)]
        positions[0] = 3
        y.sum().backward()
        again = nn.ones(4, 3, requires_grad=True)
        again[index([0, 1])].sum().backward()
        assert np.array_equal(x.grad.data, again.grad.data)
        h, buffer, positions = nn.ones(2, requires_grad=True), nn.zeros(4), [0, 1]
        buffer[positions] = h
        positions[0] = 3
        (buffer * nn.tensor([1.0, 2.0, 3.0, 4.0])).sum().backward()
        assert h.grad.tolist() == [1, 2]


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@every_op
def test_positions_beside_floats_are_copied_before_they_are_checked(op, rule, monkeypatch):
    """Another thread may change them between check and kernel, which no lock protects: unless the
    kernel says that it looks at what it reads.
    """
    seen = []
    once = getattr(op.fits, "reads_once", False)

    def spy(*arrays, **attrs):
        seen.extend(arrays)
        return running.forward(*arrays, **attrs)

    running = ACTIVE[op.name]
    monkeypatch.setitem(ACTIVE, op.name, running._replace(forward=spy))
    for sample in op.samples():
        kinds = {a.dtype.kind for a in arrays_in(sample.inputs)}
        if "f" not in kinds or not kinds & {"i", "u"}:
            continue
        seen.clear()
        inputs = [None if a is None else np.array(a) for a in sample.inputs]
        rule(op, *[None if a is None else nn.tensor(a) for a in inputs], **sample.attrs)
        for given, got in zip(inputs, seen, strict=True):
            if is_integers(given) and given.size:
                assert np.shares_memory(given, got) == once
