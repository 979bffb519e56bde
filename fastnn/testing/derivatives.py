"""Is an op's backward the derivative of its forward? Central differences along a random direction,
with a random upstream gradient, in float64.

    <dy, (f(x + eps v) - f(x - eps v)) / 2 eps>   must equal   <backward(dy), v>

One random direction sees every element of the gradient at once. A numeric value near zero proves
nothing, so it is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..guard import named
from .allowance import as_tuple, is_floating

__all__ = ["VACUOUS", "inner", "op_gradcheck", "random_cotangent"]

VACUOUS = ("so the check proves nothing: choose inputs where the function is not flat "
           "(elements on its slopes, fewer of them, not so large)")


@named
def op_gradcheck(forward: Callable[..., Any], backward: Callable[..., Any], inputs: Sequence[Any],
                 attrs: dict[str, Any], rng: np.random.Generator, differentiable: Sequence[bool] | None = None,
                 eps: float = 1e-6, names: Sequence[str] = ()) -> dict[int, float]:
    """The relative error of each gradient of an op, a pair of functions on arrays (fastnn/op.py).

    Parameters
    ----------
    forward : function(*inputs, **attrs) -> (y, saved)
    backward : function(dy, saved, **attrs) -> gradients, one per input
    inputs : arrays, those to be checked in float64
    rng : numpy.random.Generator
        For the direction and the upstream gradient.
    differentiable : list of bool, optional
        Which inputs have a gradient; default: all of floating point.
    names : the inputs' names, for errors

    Returns
    -------
    {input number: error}

    Raises
    ------
    AssertionError
        A gradient has the wrong shape, is missing, or the check proves nothing.
    """
    y, saved = forward(*inputs, **attrs)
    dy = random_cotangent(y, rng)
    grads = backward(dy, saved, **attrs)
    errors = {}
    for k, x in enumerate(inputs):
        if not is_floating(x) or not (differentiable is None or differentiable[k]):
            continue
        g, name = grads[k], names[k] if names else f"input {k}"
        assert g is not None, f"{name} has no gradient"
        assert g.shape == x.shape, f"the gradient of {name} has shape {g.shape}, {name} itself {x.shape}"
        if x.size == 0 or sum(a.size for a in as_tuple(y)) == 0:
            continue
        v = rng.standard_normal(x.shape)
        high, low = (as_tuple(forward(*[np.asarray(xi + t * v) if i == k else xi for i, xi in enumerate(inputs)],
                                      **attrs)[0]) for t in (eps, -eps))
        difference = tuple((a - b) / (2 * eps) if is_floating(a) else a for a, b in zip(high, low))
        numeric, analytic = inner(as_tuple(dy), difference), float((g * v).sum())
        # f(x + eps v) and f(x - eps v) carry a few roundings each before they are subtracted and
        # divided by 2 eps
        terms = sum(float(((a * b) ** 2).sum()) for a, b in zip(as_tuple(dy), high) if a is not None)
        noise = 8 * np.finfo(np.float64).eps / eps * np.sqrt(terms)
        assert abs(numeric) > max(1e-8, 100 * noise), \
            f"gradient of {name}: the numeric derivative is {numeric:.1e}, lost in rounding, {VACUOUS}"
        errors[k] = max(abs(numeric - analytic) - noise, 0.0) / abs(numeric)
    return errors


def random_cotangent(y: Any, rng: np.random.Generator) -> Any:
    """Random upstream gradients of y's shapes (in the literature cotangents); None for outputs that
    are not floating point.
    """
    dys = tuple(rng.standard_normal(a.shape).astype(a.dtype) if is_floating(a) else None for a in as_tuple(y))
    return dys if isinstance(y, tuple) else dys[0]


def inner(dy: Any, y: Any) -> float:
    """<dy, y> summed over the outputs that have a gradient."""
    return float(sum((a * b).sum() for a, b in zip(as_tuple(dy), as_tuple(y)) if a is not None))
