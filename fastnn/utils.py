"""PyTorch's torch.nn.utils: gradients clipped, and all parameters as one vector.

>>> import fastnn as nn
>>> model = nn.Linear(2, 3)
>>> nn.utils.parameters_to_vector(model.parameters()).shape
(9,)
"""

from __future__ import annotations

from collections.abc import Iterable

from . import functional as F
from .autograd import no_grad
from .errors import DTypeError, ShapeError
from .guard import guard_all
from .optim.clip import clip_grad_norm_, clip_grad_value_
from .tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_", "parameters_to_vector", "vector_to_parameters"]

# so that `from fastnn.utils.data import DataLoader`, as PyTorch says it, is looked for: moved.py
__path__: list[str] = []


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of the parameters, one parameter after the other, as one row.

    Parameters
    ----------
    parameters : iterable of Tensors of one dtype; ShapeError where there are none

    Gradients flow through it to each parameter. Cost: one copy.

    >>> import fastnn as nn
    >>> nn.utils.parameters_to_vector([nn.tensor([[1.0, 2.0]]), nn.tensor(3.0)])
    tensor([1., 2., 3.])
    """
    given = _all_tensors("parameters_to_vector", parameters)
    if not given:
        raise ShapeError(who="parameters_to_vector", expected="at least one parameter", got="none",
                         hint="Pass model.parameters().")
    return F.cat([p.reshape(-1) for p in given])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Fill the parameters from a row, as `parameters_to_vector` lays them out.

    Parameters
    ----------
    vec : Tensor (N,)
        N as many elements as the parameters have in all; ShapeError for another shape, and nothing
        changes.
    parameters : iterable of Tensors

    Cost: one copy, of which no history is kept.

    >>> import fastnn as nn
    >>> p = nn.Parameter([[1.0, 2.0]])
    >>> nn.utils.vector_to_parameters(nn.tensor([3.0, 4.0]), [p]); p
    parameter([[3., 4.]], requires_grad=True)
    """
    given = _all_tensors("vector_to_parameters", parameters)
    size = sum(p.numel() for p in given)
    if not isinstance(vec, Tensor):
        raise DTypeError(who="vector_to_parameters", expected="vec as a tensor", got=type(vec).__name__)
    if vec.shape != (size,):
        raise ShapeError(who="vector_to_parameters", expected=f"vec of shape ({size},)", got=vec.shape)
    start = 0
    with no_grad():
        for p in given:
            p.copy_(vec[start:start + p.numel()].reshape(p.shape))
            start += p.numel()


def _all_tensors(who: str, parameters: Iterable[Tensor]) -> list[Tensor]:
    given = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    for p in given:
        if not isinstance(p, Tensor):
            raise DTypeError(who=who, expected="parameters as tensors", got=type(p).__name__,
                             hint="Pass model.parameters().")
    return given


guard_all(globals())
