"""Are the gradients of a function of tensors its derivatives? The check of derivatives.py; where it
fails, the elements are looked at one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd import grad
from ..errors import DTypeError
from ..guard import named
from ..moved import moved_names
from ..tensor import Tensor, array_of, tensor
from .derivatives import VACUOUS
from .diagnosis import constant_ratio, resemblance
from .words import laid_out

__all__ = ["gradcheck"]


@named
def gradcheck(function: Callable[..., Tensor], *inputs: Any, eps: float = 1e-6, tolerance: float = 1e-6,
              seed: int = 0) -> bool:
    """Check the gradients of a function of tensors, layers included, in float64.

    Parameters
    ----------
    function : function(*tensors) -> Tensor
    *inputs : array-like
        Where to check; made float64. A tuple or list of tensors, as PyTorch's gradcheck takes, is
        taken for the inputs.
    eps : float
        Half the distance of the two points whose difference is taken.
    tolerance : float
        The relative error that is allowed.
    seed : int
        For the direction and the upstream gradient.

    Returns
    -------
    True.

    Raises
    ------
    AssertionError
        A gradient is off: at which place most, its value by backward and by a difference quotient,
        their ratio, and what is wrong if all places show the same. Or the check proves nothing.

    Cost: three calls of the function and one backward for each input; two for each of up to 400
    elements of a gradient that is off.

    Examples
    --------
    >>> import numpy as np, fastnn as nn
    >>> nn.testing.gradcheck(lambda x: nn.functional.relu(x) * x, [1.0, 2.0, -3.0])
    True
    >>> nn.testing.gradcheck(nn.functional.linear, (nn.randn(2, 3), nn.randn(4, 3)))
    True
    """
    if not callable(function):
        raise DTypeError(who="gradcheck", expected="a function of tensors first", got=type(function).__name__,
                         hint="Write gradcheck(function, x, ...).")
    if len(inputs) == 1 and isinstance(inputs[0], (tuple, list)) and any(
            isinstance(x, (Tensor, np.ndarray)) for x in inputs[0]):
        inputs = tuple(inputs[0])
    rng = np.random.default_rng(seed)
    xs = [tensor(np.array(array_of(x), dtype=np.float64), requires_grad=True) for x in inputs]
    y = function(*xs)
    assert isinstance(y, Tensor), "the function must return one tensor"
    dy = rng.standard_normal(y.shape)
    grads = grad(y, xs, dy)
    for k, (x, g) in enumerate(zip(xs, grads)):
        v = rng.standard_normal(x.shape)
        high, low = (function(*[tensor(xi.data + t * v) if i == k else xi.detach() for i, xi in enumerate(xs)]).data
                     for t in (eps, -eps))
        numeric = float((dy * (high - low)).sum() / (2 * eps))
        assert np.isfinite(numeric), f"input {k}: the function gives NaN or infinity there"
        analytic = 0.0 if g is None else float((g.data * v).sum())
        assert max(abs(numeric), abs(analytic)) > 1e-8, \
            f"input {k}: the numeric derivative is zero, {VACUOUS}"
        error = abs(numeric - analytic) / max(abs(numeric), 1e-300)
        if not error < tolerance:
            raise AssertionError(_at_fault(function, xs, dy, k, np.zeros(x.shape) if g is None else g.data, eps,
                                           f"relative error {error:.1e} in a random direction"))
    return True


PLACES = 400                    # so many elements are looked at one by one


def _at_fault(function: Callable[..., Tensor], xs: Sequence[Tensor], dy: np.ndarray, k: int, g: np.ndarray, eps: float,
              summary: str) -> str:
    """Where gradient k is wrong, and how: every element beside its own difference quotient."""
    x = xs[k].data
    flat = np.arange(x.size) if x.size <= PLACES else np.sort(np.random.default_rng(0).choice(x.size, PLACES, False))
    numeric = np.zeros(flat.size)
    for n, at in enumerate(flat):
        ends = []
        for t in (eps, -eps):
            moved = x.copy()
            moved.reshape(-1)[at] += t
            ends.append(function(*[tensor(moved) if i == k else xi.detach() for i, xi in enumerate(xs)]).data)
        numeric[n] = float((dy * (ends[0] - ends[1])).sum() / (2 * eps))
    analytic = g.reshape(-1)[flat]
    off = np.abs(analytic - numeric)
    wrong = off > 1e-5*np.abs(numeric) + 1e-6*np.abs(numeric).max(initial=0) + 1e-9
    worst = int(off.argmax())
    place = tuple(int(i) for i in np.unravel_index(flat[worst], x.shape))
    a, b = float(analytic[worst]), float(numeric[worst])
    ratio = f"{a/b:.6g}" if abs(b) > 1e-9 else "-: the numeric derivative is 0"
    lines = [("Place", f"{list(place)} of shape {x.shape}, where x = {x[place]:.6g}"),
             ("Backward", f"{a:.9g}"), ("Numeric", f"{b:.9g}, by a difference quotient"), ("Ratio", ratio)]
    whole = flat.size == x.size
    shape = x.shape if whole else (-1,)
    doubled = grad(function(*xs), xs, 2*dy)[k]
    constant = constant_ratio(analytic, numeric, 1e-5)
    if not g.any():
        known = "it is 0 everywhere"
    elif doubled is not None and np.array_equal(doubled.data, g):
        known = "dy, the upstream gradient, is not used: twice the dy gives the same"
    elif g.shape == dy.shape and x.size > 1 and np.allclose(g, dy, rtol=1e-9):
        known = "it is dy, the upstream gradient, as it came: the function's own slope is missing"
    elif constant is not None and x.size > 1:
        known = f"every number is {constant:.6g} times what it should be"
    else:
        known = resemblance(analytic.reshape(shape), numeric.reshape(shape), 1e-5) if whole else ""
    if known:
        lines.insert(0, ("Diagnosis", f"{known}."))
    of = f"{flat.size:,}" if whole else f"{flat.size} of {x.size:,} that were looked at"
    return laid_out(f"gradcheck: the gradient of input {k} is wrong at {int(wrong.sum()):,} of {of} places, {summary}",
                    lines)


__getattr__ = moved_names(__name__)
