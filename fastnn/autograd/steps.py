"""Results of step functions, whose slope is 0 wherever there is one: floor, sign, a count.

NumPy computes them, beside the tape. `stepped` puts what came out on it, so that a loss that hangs
on nothing else has a gradient, of zeros, as in PyTorch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import modes, tape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["flat_backward", "stepped"]


def stepped(name: str, y: np.ndarray, *inputs: Any) -> Tensor:
    """The tensor over y, which a step function made of these inputs: of the tensors among them that
    require a gradient it is one of zeros.

    >>> import numpy as np, fastnn as nn
    >>> x = nn.tensor([1.5, -2.5], requires_grad=True)
    >>> y = nn.autograd.steps.stepped("half", np.ceil(x.data / 2), x)
    >>> y.sum().backward(); y, x.grad
    (tensor([ 1., -1.], grad_fn=<half>), tensor([0., 0.]))
    """
    if not modes.state.enabled or y.dtype.kind != "f" or not any(is_wanted(x) for x in inputs):
        return tape.wrapped(y)
    forms = tuple([(x.shape, x.dtype) if is_wanted(x) else None for x in inputs])
    result: Tensor = tape.wrap(name, y, forms, flat_backward, False, inputs, {})
    return result


def flat_backward(dy: np.ndarray, saved: Any) -> tuple[np.ndarray | None, ...]:
    """Zeros of each input's shape and dtype, whatever dy is: NaN, too, meets a constant."""
    return tuple([None if form is None else np.zeros(*form) for form in saved])


def is_wanted(x: Any) -> bool:
    """Whether this is a tensor whose gradient is wanted."""
    return isinstance(x, tape.Tensor) and x.requires_grad
