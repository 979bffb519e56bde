"""Function: a differentiable function of your own, forward and backward on NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DTypeError
from . import tape

__all__ = ["Function"]


class Function:
    """Write your own differentiable function: forward and backward on NumPy arrays.

    `forward(ctx, *arrays, **kwargs)` returns an array, or a tuple of them, and leaves what backward
    needs with `ctx.save_for_backward(*arrays)`. `backward(ctx, *gradients)` gets the gradient of
    each output (None where there is none) and returns one per input. `ctx.needs_input_grad` says
    for which inputs a gradient is wanted. Call it as `apply(*tensors, **kwargs)`.

    Raises
    ------
    DTypeError
        forward or backward returned something that is no array of numbers.
    GraphError, ShapeError
        In backward: not one gradient per input, or one of another shape than its input's.

    >>> import numpy as np, fastnn as nn
    >>> class Cube(nn.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, dy):
    ...         x, = ctx.saved_tensors
    ...         return 3 * x ** 2 * dy
    >>> x = nn.tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor([12.])

    A record (fastnn.op.Op) does more: with samples and a definition it also gets the laws and the
    benchmarks.
    """

    @staticmethod
    def forward(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        """y, or a tuple of outputs, from arrays. To be written."""
        raise TypeError("a Function needs a static method forward(ctx, *arrays)")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """One gradient per input from those of the outputs. To be written."""
        raise TypeError("a Function needs a static method backward(ctx, *gradients)")

    @classmethod
    def apply(cls, *inputs: Any, **kwargs: Any) -> Any:
        """Run forward on tensors (or arrays, numbers, None); a Tensor, or a tuple of them."""
        def array(method: str, a: Any) -> np.ndarray:
            a = a._data if isinstance(a, tape.Tensor) else np.asarray(a)
            if a.dtype.kind not in "fiub":
                raise DTypeError(f"{method} must return numbers", who=cls.__name__, got=str(a.dtype))
            return a

        def back(dy: Any, saved: Any) -> Any:
            result = cls.backward(ctx, *(dy if isinstance(dy, tuple) else (dy,)))
            result = result if isinstance(result, tuple) else (result,)
            return tuple(None if g is None else array("backward", g) for g in result)

        ctx = _Context()
        ctx.needs_input_grad = tuple(isinstance(x, tape.Tensor) and x.requires_grad for x in inputs)
        y = cls.forward(ctx, *[x._data if isinstance(x, tape.Tensor) else x for x in inputs], **kwargs)
        y = tuple(array("forward", a) for a in y) if isinstance(y, tuple) else array("forward", y)
        return tape.wrap(cls.__name__, y, ctx.saved_tensors, back if any(ctx.needs_input_grad) else None, False, inputs,
                         {})


class _Context:
    """What forward leaves for backward."""

    def __init__(self) -> None:
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *arrays: Any) -> None:
        self.saved_tensors = arrays
