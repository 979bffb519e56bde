"""PyTorch as a second opinion: how tests compare with it, but for a few that state their own bound.

A test that compares takes the fixture `torch`; where PyTorch is not installed it is skipped.

    def test_softmax(torch):
        compare(*both("softmax"), [x], np.float32, dim=1)

How far two right results may lie apart. Both libraries round every operation to the nearest number
of the type: a relative error of at most eps / 2, with eps = 2^-23 (float32) or 2^-52 (float64).
But they add up in different orders. The roundings of a sum of n terms point either way, so they add
up to about sqrt(n) eps / 2 of the largest partial sum, which is about as large as the largest
result. The longest sums here have some 30,000 terms: ROUNDINGS = 84 eps of the array's largest
element are allowed, 1e-5 in float32 and 1.9e-14 in float64. Results that cancelled are smaller than
the terms that were rounded; in these tests terms have a size of about 1, so that is the least
largest element that counts (`least`). Functions of single elements add nothing up: with `each`,
every element y is held to EACH = 16 roundings of 1 + |y|.
"""

from __future__ import annotations

import numpy as np
import pytest

import fastnn as nn

ROUNDINGS, EACH = 84.0, 16.0


@pytest.fixture
def torch():
    """PyTorch, freshly seeded."""
    module = pytest.importorskip("torch")
    module.manual_seed(0)
    return module


def both(name):
    """Our function of that name, and PyTorch's."""
    import torch

    return getattr(nn.functional, name), getattr(torch.nn.functional, name, None) or getattr(torch, name)


# ---- arrays --------------------------------------------------------------------------------------
def array(x):
    """The numbers of a tensor, of ours or of PyTorch's."""
    return np.asarray(x.detach().numpy() if hasattr(x, "detach") else x)


def close(got, want, what="", *, roundings=None, each=False, least=1.0):
    """The same type and shape, NaN and infinities at the same places, and no number further away
    than rounding explains. Integers and booleans must be equal.
    """
    got, want = array(got), array(want)
    assert (got.dtype, got.shape) == (want.dtype, want.shape), \
        f"{what}: {got.dtype} {got.shape}, PyTorch's {want.dtype} {want.shape}"
    if want.dtype.kind != "f":
        np.testing.assert_array_equal(got, want, err_msg=what)
        return
    allowed = (EACH if each else ROUNDINGS) if roundings is None else roundings
    allowed *= float(np.finfo(want.dtype).eps)
    largest = max(least, float(np.abs(want[np.isfinite(want)]).max(initial=0)))
    np.testing.assert_allclose(got, want, rtol=allowed if each else 0, atol=allowed * (1 if each else largest),
                               err_msg=what)


def worst(got, want):
    """The largest difference as a share of the largest value."""
    got, want = array(got), array(want)
    assert got.shape == want.shape and got.dtype == want.dtype
    return np.abs(got - want).max()/np.abs(want).max()


def flat(results):
    """The tensors of nested results, in order, without those that are None."""
    if isinstance(results, (tuple, list)):
        return [x for item in results for x in flat(item)]
    return [] if results is None else [results]


def same_results(got, want, leaves, their_leaves, what="", **tolerance):
    """Results, and the gradients of the leaves where all results get random ones."""
    import torch

    got, want = flat(got), flat(want)
    assert len(got) == len(want) and len(leaves) == len(their_leaves), what
    rng, upstream = np.random.default_rng(1), []
    for i, (y, z) in enumerate(zip(got, want)):
        close(y, z, f"{what}: result {i}", **tolerance)
        assert y.requires_grad == z.requires_grad, f"{what}: result {i}"
        if y.requires_grad:
            upstream.append((y, z, np.asarray(rng.standard_normal(y.shape), y.dtype)))
    if not upstream:
        return
    ys, zs, dys = zip(*upstream)
    nn.autograd.backward(ys, dys)
    torch.autograd.backward(zs, [torch.from_numpy(dy) for dy in dys])
    for i, (a, b) in enumerate(zip(leaves, their_leaves)):
        if b is not None and b.requires_grad:
            assert (a.grad is None) == (b.grad is None), f"{what}: gradient {i}"
            if b.grad is not None:
                close(a.grad, b.grad, f"{what}: gradient {i}", **tolerance)


def their_tensor(a):
    """An array as a tensor of PyTorch's."""
    import torch

    return torch.tensor(a)


# ---- functions -----------------------------------------------------------------------------------
def tensors(arrays, dtype=None, differentiable=None):
    """The arrays as tensors, ours and PyTorch's; None stays None.

    Floating-point ones get `dtype`, and a gradient: all, or those numbered in `differentiable`.
    """
    import torch

    ours, theirs = [], []
    for i, a in enumerate(arrays):
        if a is None:
            ours.append(None)
            theirs.append(None)
            continue
        real = np.asarray(a).dtype.kind == "f"
        a = np.array(a, dtype if real else None)
        grad = real and (differentiable is None or i in differentiable)
        ours.append(nn.tensor(a.copy(), requires_grad=grad))
        theirs.append(torch.tensor(a, requires_grad=grad))
    return ours, theirs


def compare(ours, theirs, arrays, dtype=None, *, differentiable=None, roundings=None, each=False, **attrs):
    """ours(*arrays, **attrs) and theirs(*arrays, **attrs): their results, and the gradients of the
    inputs.
    """
    xs, ts = tensors(arrays, dtype, differentiable)
    what = f"{getattr(theirs, '__name__', 'function')} {[None if x is None else x.shape for x in xs]} {attrs}"
    same_results(ours(*xs, **attrs), theirs(*ts, **attrs), xs, ts, what, roundings=roundings, each=each)


# ---- layers --------------------------------------------------------------------------------------
def randomise(theirs):
    """Other values than 1 and 0 in a layer's norms, biases and statistics."""
    import torch

    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, t in theirs.state_dict().items():
            if t.dtype.is_floating_point:
                values = torch.rand(t.shape, generator=generator, dtype=torch.float64) * 0.8 + 0.1
                sign = 1 if "var" in name else torch.where(torch.rand(t.shape, generator=generator) < 0.5, -1, 1)
                t.copy_(values * sign)


def in_dtype(theirs, dtype):
    """A layer of PyTorch's with all its numbers in one of NumPy's types."""
    import torch

    return theirs.to({np.float32: torch.float32, np.float64: torch.float64}[dtype])


def state_of(theirs):
    """The state_dict of a layer of PyTorch's, as arrays."""
    return {key: array(value).copy() for key, value in theirs.state_dict().items()}


def compare_layers(ours, theirs, arrays, dtype=None, *, differentiable=None, **kwargs):
    """Two layers with the same state: results, gradients of inputs and parameters, and the state
    afterwards. Arrays among the keywords become tensors without a gradient.
    """
    import torch

    xs, ts = tensors(arrays, dtype, differentiable)
    named = dict(theirs.named_parameters())
    parameters = [dict(ours.named_parameters())[name] for name in named]
    given = [{k: wrap(v) if isinstance(v, np.ndarray) else v for k, v in kwargs.items()}
             for wrap in (nn.tensor, torch.tensor)]
    same_results(ours(*xs, **given[0]), theirs(*ts, **given[1]), [*xs, *parameters], [*ts, *named.values()],
                 type(theirs).__name__, least=0.1)
    state = ours.state_dict()
    for name, want in state_of(theirs).items():
        close(state[name], want, name, least=0.1)
