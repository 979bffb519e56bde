"""Clipping gradients: by their common norm, or element by element."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..arrays import copied
from ..backend import quiet
from ..errors import DTypeError, NonFiniteError, RangeError
from ..guard import guard_all
from ..kernels import compiled
from ..reference import optim as reference
from ..tensor import Tensor
from .rule import on_kernels

__all__ = ["clip_grad_norm_", "clip_grad_value_"]

HINT = "Pass model.parameters()."
LARGEST = {np.dtype(dtype).char: float(np.finfo(dtype).max) for dtype in (np.float32, np.float64)}


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> float:
    r"""Scale all gradients down by one factor when their common norm is above max_norm.

    .. math:: |g| = \sqrt{\sum_{p} \sum_i g_{p,i}^2} \qquad
        g_p \leftarrow g_p \cdot \min(1, \text{max\_norm} / |g|)

    Parameters
    ----------
    parameters : iterable of Tensors, or one
        Those without a gradient are passed over.
    max_norm : float
        From 0 up.
    norm_type : float
        p of the p-norm, above 0; inf is the largest size of an element.
    error_if_nonfinite : bool
        Raise a NonFiniteError where the norm is infinite or NaN; nothing changes.
    foreach : accepted for PyTorch's sake

    Returns
    -------
    float : |g| as it was before; right from the smallest to the largest numbers of the dtypes.

    Raises
    ------
    RangeError
        max_norm is negative or NaN, norm_type is not above 0.
    DTypeError
        Something that is no parameter, a gradient that is not float32 or float64. Nothing changed.
    NonFiniteError
        See error_if_nonfinite.

    An infinite gradient becomes NaN and the others 0; with a NaN all become NaN: as in PyTorch. A
    gradient that comes twice counts once.

    Cost: one pass over the gradients, two where they are scaled.

    Pascanu, Mikolov, Bengio (2013), "On the difficulty of training recurrent neural networks".

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([3.0, 4.0]); (p * p).sum().backward()
    >>> nn.optim.clip_grad_norm_([p], 1.0), p.grad
    (10.0, tensor([0.6, 0.8]))
    """
    limit = _limit("clip_grad_norm_", "max_norm", max_norm)
    by_dtype = [gs for gs in _gradients("clip_grad_norm_", parameters) if gs]
    square_sum, scale_all = (compiled.square_sum, compiled.scale_all) if on_kernels() else (
        quiet(reference.square_sum), quiet(reference.scale_all))
    if norm_type == 2:
        squares = sum([square_sum(gs) for gs in by_dtype])
        if SAFE_FROM <= squares < math.inf or math.isnan(squares):
            norm, power = math.sqrt(squares), 0
        else:
            norm, power = _scaled_norm(by_dtype)
    else:
        norm, power = _p_norm(by_dtype, norm_type), 0
    total = math.ldexp(norm, power) if power <= 1024 else math.inf
    if error_if_nonfinite and not math.isfinite(total):
        raise NonFiniteError("the norm of the gradients is not finite", who="clip_grad_norm_", got=total,
                             hint="nn.autograd.detect_anomaly() finds the op that made it.")
    if not total <= limit:                          # a NaN goes to all of them
        for gs in by_dtype:
            _scale(scale_all, gs, limit / norm, -power)
    return total


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float) -> None:
    """Cut every element of every gradient to [-clip_value, clip_value].

    Raises
    ------
    RangeError
        clip_value is negative or NaN.
    DTypeError
        Something that is no parameter, a gradient that is not float32 or float64. Nothing changed.

    Examples
    --------
    >>> import fastnn as nn
    >>> p = nn.Parameter([3.0, -0.1]); (p * p).sum().backward()
    >>> nn.optim.clip_grad_value_([p], 1.0); p.grad
    tensor([ 1.0, -0.2])
    """
    limit = _limit("clip_grad_value_", "clip_value", clip_value)
    for gs in _gradients("clip_grad_value_", parameters):
        for g in gs:
            if limit <= LARGEST[g.dtype.char]:      # else there is nothing to cut
                bound = g.dtype.type(limit)
                np.minimum(g, bound, out=g)
                np.maximum(g, -bound, out=g)


def _limit(who: str, name: str, value: Any) -> float:
    """A limit as a float."""
    try:
        limit = math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError, OverflowError):
        limit = math.nan
    if not limit >= 0:
        raise RangeError(who=who, expected=f"{name} >= 0", got=repr(value))
    return limit


def _gradients(who: str, parameters: Iterable[Tensor] | Tensor) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The gradients' arrays, of float32 and of float64, each once, which can be changed in place.
    All are checked before anything changes.
    """
    try:
        params = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    except TypeError:
        raise DTypeError(who=who, expected="parameters", got=type(parameters).__name__, hint=HINT) from None
    found = compiled.gathered_gradients(params) if compiled is not None else None
    if found is not None:
        return found
    # something is unusual: a view, a read-only array, or a mistake
    grads: dict[int, Tensor] = {}
    for i, p in enumerate(params):
        if not isinstance(p, Tensor) or not hasattr(p, "grad"):
            raise DTypeError(f"number {i} is no parameter", who=who, got=type(p).__name__, hint=HINT)
        g = p.grad
        if g is None:
            continue
        if not isinstance(g, Tensor) or not isinstance(getattr(g, "_data", None), np.ndarray):
            raise DTypeError(f"the gradient of parameter {i} is no tensor", who=who, got=type(g).__name__,
                             hint="Write p.grad = nn.tensor(g).")
        if g.dtype.char not in LARGEST:
            raise DTypeError(f"the gradient of parameter {i} cannot be clipped", who=who,
                             expected="float32 or float64", got=g.dtype)
        grads[id(g._data)] = g
    by_dtype: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for g in grads.values():
        if type(g._data) is not np.ndarray or not g._data.flags.carray:
            g._data = copied(g._data, np.dtype(g.dtype.type))
        g._version[0] += 1
        by_dtype[g.dtype.char == "d"].append(g._data)
    return by_dtype


def _p_norm(by_dtype: list[list[np.ndarray]], p: Any) -> float:
    """(sum |g|^p)^(1/p) over all gradients, divided by the largest size first, against overflow."""
    if isinstance(p, str) or not p > 0:
        raise RangeError(who="clip_grad_norm_", expected="norm_type > 0 or inf", got=repr(p))
    sizes = [np.abs(g.reshape(-1).astype(np.float64)) for gs in by_dtype for g in gs if g.size]
    largest = float(np.max([a.max() for a in sizes])) if sizes else 0.0         # NaN, if one is
    if p == math.inf or largest == 0 or not math.isfinite(largest):
        return largest
    return largest * sum([float(((a / largest) ** p).sum()) for a in sizes]) ** (1 / p)


SAFE_FROM = 1e-280                  # below this sum, squares that matter may have become denormals
PART = 4096                         # elements that are squared at a time


def _scaled_norm(by_dtype: list[list[np.ndarray]]) -> tuple[float, int]:
    """(m, k) with the norm m 2^k, to the last bit: where the sum of squares overflows or
    underflows, the gradients are brought near 1 by a power of two.
    """
    from fractions import Fraction  # here, so that `import fastnn` does not pay for it

    gradients = [g.reshape(-1) for gs in by_dtype for g in gs]
    largest = max((float(np.abs(g).max(initial=0.0)) for g in gradients), default=0.0)
    if largest == 0 or not math.isfinite(largest):
        return largest, 0
    power = math.frexp(largest)[1]

    def squares() -> Iterator[float]:
        for g in gradients:
            for i in range(0, g.size, PART):
                a = np.ldexp(g[i:i + PART].astype(np.float64), -power)
                yield from np.concatenate(_square(a)).tolist()
    total = math.fsum(squares())
    rest = math.fsum(itertools.chain([-total], squares()))
    root = Fraction(math.sqrt(total))
    # a step of Newton's method
    root += (Fraction(total) + Fraction(rest) - root * root) / (2 * root)
    mantissa, exponent = math.frexp(float(root))
    return mantissa, exponent + power


def _square(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a^2 rounded, and what was rounded off: Dekker (1971), "A floating-point technique for
    extending the available precision".
    """
    square, shifted = a * a, a * (2.0 ** 27 + 1)
    high = shifted - (shifted - a)
    low = a - high
    return square, (high * high - square + 2 * high * low) + low * low


def _scale(scale_all: Callable[[list[np.ndarray], float], None], gradients: list[np.ndarray], factor: float,
           power: int) -> None:
    """Multiply by factor 2^power, which need not be a number that the dtype has."""
    least = 100 if gradients[0].dtype == np.float32 else 900
    mantissa, exponent = math.frexp(factor)
    exponent += power
    while exponent < -least and mantissa != 0:
        scale_all(gradients, math.ldexp(1.0, -least))
        exponent += least
    scale_all(gradients, math.ldexp(mantissa, exponent))


guard_all(globals())
