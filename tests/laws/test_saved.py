"""What forward saved belongs to the tape: whatever the caller, or another thread, does to the
arrays after forward, backward gives the gradient of what forward saw, or says so.

For every op, by its record alone.
"""

from contextlib import suppress

import numpy as np
import pytest

import fastnn as nn
from fastnn.autograd import apply, apply_in_python
from fastnn.op import OPS

CASES = [pytest.param(op, sample, id=f"{op.name}-{sample.name}") for op in OPS.values() for sample in op.samples()]


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


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("op, sample", CASES)
def test_positions_may_change_after_forward(op, sample, backend, rule):
    with nn.use_backend(backend):
        call, untouched = Call(op, sample, rule), Call(op, sample, rule)
        if not call.recorded:
            return
        want = untouched.gradients()
        for a in call.arrays():
            if is_integers(a) and a.flags.writeable:
                a.fill(np.iinfo(a.dtype).max)
        for g, w in zip(call.gradients(), want):
            assert (g is None) == (w is None) and (g is None or np.array_equal(g, w, equal_nan=True))


def flattened(a):
    a.shape = (a.size,) if a.ndim != 1 else (a.size, 1)


def halved(a):
    a.resize((a.size // 2,), refcheck=False)


def retyped(a):
    a.dtype = np.int32 if a.itemsize == 4 else np.float64 if a.dtype.kind != "f" else np.int64


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("change", [flattened, halved, retyped])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("op, sample", CASES)
def test_arrays_may_get_another_form_after_forward(op, sample, backend, change):
    with nn.use_backend(backend):
        want = None
        for k in range(len(Call(op, sample, apply).arrays())):
            call = Call(op, sample, apply)
            a = call.arrays()[k]
            if not call.recorded:
                return
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
            for g, w in zip(got, want):
                assert (g is None) == (w is None) and (g is None or np.array_equal(g, w, equal_nan=True))


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("op, sample", CASES)
def test_what_an_input_looks_into_may_be_resized_after_forward(op, sample, backend, rule):
    """Its memory goes, and the view of it that was saved knows nothing."""
    with nn.use_backend(backend):
        want = None
        for k, t in enumerate(Call(op, sample, rule, view).leaves):
            if not isinstance(t, nn.Tensor) or t.dtype.kind != "f" or t.numel() == 0:
                continue
            call = Call(op, sample, rule, view)
            if not call.recorded:
                return
            call.leaves[k]._data.base.resize((1 << 14,), refcheck=False)
            try:
                got = call.gradients()
            except nn.GraphError:
                continue
            want = want or Call(op, sample, rule, view).gradients()
            for g, w in zip(got, want):
                assert (g is None) == (w is None) and (g is None or np.array_equal(g, w, equal_nan=True))


@pytest.mark.parametrize("rule", [apply, apply_in_python], ids=["compiled", "python"])
@pytest.mark.parametrize("backend", ["kernels", "reference"])
@pytest.mark.parametrize("op, sample", CASES)
def test_values_may_change_in_place_after_forward(op, sample, backend, rule):
    """Of inputs, which are views, and of results: what is saved is noticed, and what is not changes
    nothing.
    """
    with nn.use_backend(backend):
        want = None
        for k in range(len(Call(op, sample, rule, view).tensors())):
            call = Call(op, sample, rule, view)
            t = call.tensors()[k]
            if not call.recorded:
                return
            if not t.data.flags.writeable:          # expand's
                continue
            t.detach().fill_(0.375)
            try:
                got = call.gradients()
            except nn.GraphError:
                continue
            want = want or Call(op, sample, rule, view).gradients()
            for g, w in zip(got, want):
                assert (g is None) == (w is None) and (g is None or np.array_equal(g, w, equal_nan=True))
