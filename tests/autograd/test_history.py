"""What leaves the tape and what stays on it: a result requires a gradient where PyTorch's does."""

import math
import warnings

import numpy as np
import pytest
from second_opinion import close

import fastnn as nn

F = nn.functional
NUMBERS = np.random.default_rng(0).uniform(0.2, 0.8, (3, 3))
# Arguments that fit many functions: x requires a gradient, y does not, i are positions.
ARGUMENTS = (
    lambda x, y, i: (x,), lambda x, y, i: (x, y), lambda x, y, i: (y, x), lambda x, y, i: (x, y, y),
    lambda x, y, i: (x, 0), lambda x, y, i: (x, 0.5), lambda x, y, i: (0.5, x), lambda x, y, i: (x, 0, 1),
    lambda x, y, i: (x, (1, 0)), lambda x, y, i: ([x, y],), lambda x, y, i: (x, 1, i), lambda x, y, i: (x, 0, i, y),
    lambda x, y, i: (y, 0, i, x), lambda x, y, i: (x[0], y[0]), lambda x, y, i: (x > 0.5, x, y),
    lambda x, y, i: (x, x > 0.5), lambda x, y, i: (x, x > 0.5, 0.5))
# PyTorch says that these require a gradient, and has none: its backward raises.
WITHOUT_BACKWARD = {"unique", "unique_consecutive"}


def arguments(library, choose, leaf):
    x = library.tensor(NUMBERS.copy(), requires_grad=True)
    return choose(x if leaf else x * 1, library.tensor(NUMBERS.T.copy()), library.tensor(np.arange(3)))


def requirements(result, kind):
    """Of every tensor in nested results whether it requires a gradient."""
    if isinstance(result, (tuple, list)):
        return [needed for item in result for needed in requirements(item, kind)]
    return [result.requires_grad] if isinstance(result, kind) else []


def differing(torch, pairs, leaf):
    """(how many calls both libraries take, those of which one result alone requires a gradient).

    pairs: name, our function, PyTorch's; they get the tensors themselves, so that it is also seen
    what they leave in these.
    """
    taken, found = 0, []
    for name, ours, theirs in pairs:
        for k, choose in enumerate(ARGUMENTS):
            needs = []
            for library, function in ((torch, theirs), (nn, ours)):
                given = arguments(library, choose, leaf)
                try:
                    results = function(*given)
                except Exception:
                    break
                needs.append(requirements([results, *given], library.Tensor))
            if len(needs) == 2:
                taken += 1
                found += [f"{name} of arguments {k}: ours {needs[1]}, PyTorch's {needs[0]}"] * (needs[0] != needs[1])
    return taken, found


@pytest.fixture(autouse=True)
def _silent():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")             # of what is deprecated
        yield


def test_functions_like_torch(torch):
    def theirs(name):
        return getattr(torch.nn.functional, name, None) or getattr(torch, name, None)
    here = {name for name in dir(F) if callable(getattr(F, name, None))} & {*dir(nn)} - WITHOUT_BACKWARD
    here |= {"as_tensor", "asarray", "bernoulli", "normal", "zeros_like"}
    pairs = [(name, getattr(nn, name), theirs(name)) for name in sorted(here) if theirs(name)]
    taken, found = differing(torch, pairs, leaf=True)
    assert taken > 600 and not found, "\n".join(found)


def test_methods_like_torch(torch):
    """In place, too."""
    def method(name):
        return lambda x, *others: getattr(x, name)(*others)
    here = {*dir(nn.Tensor)} & {*dir(torch.Tensor)} - {*dir(object)} - WITHOUT_BACKWARD
    here |= {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
    pairs = [(name, method(name), method(name)) for name in sorted(here)
             if callable(getattr(torch.Tensor, name))]
    taken, found = differing(torch, pairs, leaf=False)
    assert taken > 700 and not found, "\n".join(found)


# ---- slopes of 0 ---------------------------------------------------------------------------------
STEPS = {
    **{name: lambda n, a, b, name=name: getattr(n, name)(a)
       for name in ("floor", "ceil", "trunc", "fix", "round", "sign", "sgn", "angle", "bernoulli")},
    "round to digits": lambda n, a, b: a.round(decimals=1),
    "div floor": lambda n, a, b: n.div(a, b, rounding_mode="floor"),
    "div trunc": lambda n, a, b: n.div(a, b[0], rounding_mode="trunc"),
    "div by a number": lambda n, a, b: n.div(a, 0.3, rounding_mode="trunc"),
    "norm": lambda n, a, b: n.norm(a, 0), "norm of rows": lambda n, a, b: n.norm(a, 0, 1, keepdim=True),
    "dist": lambda n, a, b: n.dist(a, b, 0), "cdist": lambda n, a, b: n.cdist(a, b, p=0.0),
    "pdist": lambda n, a, b: n.pdist(a, p=0.0), "normal": lambda n, a, b: n.normal(a, b),
    "pairwise_distance": lambda n, a, b: getattr(n, "nn", n).functional.pairwise_distance(a, b, 0.0),
    "copysign": lambda n, a, b: n.copysign(n.ones(3, 3, dtype=n.float64), b),
    "grid_sample": lambda n, a, b: getattr(n, "nn", n).functional.grid_sample(
        n.ones(1, 1, 3, 3, dtype=n.float64), a[None, :, :2, None].expand(1, 3, 2, 2), "nearest", align_corners=True),
    "eq_": lambda n, a, b: n.zeros(3, 3, dtype=n.float64).eq_(a), "gt_": lambda n, a, b: (a * 1).gt_(b),
    "floor_": lambda n, a, b: (a * 1).floor_(), "bernoulli_": lambda n, a, b: n.zeros(3, 3).bernoulli_(b),
}


@pytest.mark.parametrize("name", STEPS)
def test_step_functions_have_a_gradient_of_zeros(torch, name):
    want = STEPS[name](torch, *(torch.tensor(x.copy(), requires_grad=True) for x in (NUMBERS, NUMBERS.T)))
    a, b = (nn.tensor(x.copy(), requires_grad=True) for x in (NUMBERS, NUMBERS.T))
    got = STEPS[name](nn, a, b)
    assert got.requires_grad and want.requires_grad
    if name not in ("bernoulli", "bernoulli_", "normal"):
        close(got, want)
    (got * math.nan).sum().backward()               # the slope is 0 whatever comes from above
    grads = [x.grad for x in (a, b) if x.grad is not None]
    assert grads and not any(grad.data.any() for grad in grads)
    with nn.no_grad():
        assert not STEPS[name](nn, a, b).requires_grad


def test_what_pytorch_cannot_differentiate_is_flat_too():
    """There its backward raises."""
    x, y = (nn.tensor(a.copy(), requires_grad=True) for a in (NUMBERS, NUMBERS.T))
    for function in (lambda: x // y, lambda: 2.0 // y, lambda: F.heaviside(x, 0.5)):
        z = function()
        assert z.requires_grad
        z.sum().backward()
    assert not x.grad.data.any() and not y.grad.data.any()
    values = nn.tensor([0.5, 0.5], requires_grad=True)
    F.heaviside(nn.tensor([0.0, 3.0]), values).sum().backward()
    assert values.grad.tolist() == [1, 0]


def test_slopes_of_zero_are_differentiated_again():
    x = nn.tensor([1.5, -0.5], requires_grad=True)
    first, = nn.autograd.grad((x * x * x.floor()).sum(), x, create_graph=True)
    assert first.tolist() == [3, 1]
    second, = nn.autograd.grad(first.sum(), x)
    assert second.tolist() == [2, -2]


def test_a_tensor_stays_what_it_is():
    x = nn.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    assert nn.as_tensor(y) is y and nn.asarray(y) is y and nn.as_tensor(y, dtype=nn.float32) is y
    nn.as_tensor(y, dtype="float64").sum().backward()
    assert x.grad.tolist() == [2, 2]
    apart = nn.asarray(y, requires_grad=False)
    assert apart.data is y.data and not apart.requires_grad
    assert nn.asarray([1.0], requires_grad=True).requires_grad and nn.as_tensor(np.ones(2)).dtype == np.float64
