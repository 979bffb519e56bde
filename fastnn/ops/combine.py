"""Matrices that are made of vectors and of smaller matrices."""

from __future__ import annotations

from itertools import chain, combinations_with_replacement
from itertools import combinations as choices
from math import comb
from typing import Any

import numpy as np

from ..errors import DTypeError, ShapeError
from ..tensor import Tensor
from .checks import need_room, single
from .clone import to
from .elementary import pow
from .indexing import index_select
from .join import cat, of_one_dtype, stack
from .pad import pad
from .repeat import meshgrid
from .shape import reshape, unsqueeze

__all__ = ["block_diag", "cartesian_prod", "combinations", "vander"]


def block_diag(*tensors: Tensor) -> Tensor:
    """The matrix with these matrices along its diagonal, and zeros elsewhere.

    Parameters
    ----------
    *tensors : Tensor
        Matrices; a vector is one row, a number one element.

    Returns
    -------
    Tensor with as many rows, and as many columns, as all of them together, in their common dtype.

    Raises
    ------
    ShapeError : if one has more than two dimensions.
    DTypeError : if one is no tensor.

    Cost: reads each element and writes the result twice.

    >>> import fastnn as nn
    >>> nn.block_diag(nn.tensor([[1, 2]]), nn.tensor([[3], [4]]))
    tensor([[1, 2, 0],
            [0, 0, 3],
            [0, 0, 4]])
    """
    for i, t in enumerate(tensors):
        if not isinstance(t, Tensor):
            raise DTypeError(who="block_diag", expected="tensors, one after the other", got=type(t).__name__,
                             hint="Of a list: block_diag(*matrices).")
        if t.ndim > 2:
            raise ShapeError(who="block_diag", expected="matrices", got=f"tensor {i} of shape {t.shape}")
    if not tensors:
        return Tensor(np.zeros((1, 0), np.float32))
    blocks = [reshape(t, *[1] * (2 - t.ndim), *t.shape) for t in of_one_dtype("block_diag", tensors)]
    widths = [t.shape[1] for t in blocks]
    need_room("block_diag", (sum(t.shape[0] for t in blocks), sum(widths)), 8)
    return cat([pad(t, (sum(widths[:i]), sum(widths[i + 1:]))) for i, t in enumerate(blocks)], 0)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Every way to take one element of each vector, a row each.

    Parameters
    ----------
    *tensors : Tensor, vectors of one dtype

    Returns
    -------
    Tensor of shape (n1 n2 ..., number of vectors); of one vector, itself.

    Raises
    ------
    ShapeError : if there is no vector, or one is none.
    DTypeError : if they have several dtypes.

    Cost: writes the result once.

    >>> import fastnn as nn
    >>> nn.cartesian_prod(nn.tensor([1, 2]), nn.tensor([5, 6]))
    tensor([[1, 5],
            [1, 6],
            [2, 5],
            [2, 6]])
    """
    who = "cartesian_prod"
    if not tensors or any(t.ndim != 1 for t in tensors):
        raise ShapeError(who=who, expected="vectors", got=[t.shape for t in tensors])
    if len({t.dtype for t in tensors}) > 1:
        raise DTypeError(who=who, expected="one dtype", got=", ".join(str(t.dtype) for t in tensors))
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(t, t.numel()) for t in meshgrid(*tensors)], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Every way to take r elements of a vector, in their order, a row each.

    Parameters
    ----------
    input : Tensor, a vector
    r : int
        How many, from 0.
    with_replacement : bool
        Whether an element may come several times.

    Returns
    -------
    Tensor of shape (n choose r, r), with replacement (n + r - 1 choose r, r); (0,) where r is 0.

    Raises
    ------
    ShapeError : if input is no vector, r is negative, or no memory could hold the result.

    Cost: Python's itertools for the positions, and one pass over the result.

    >>> import fastnn as nn
    >>> nn.combinations(nn.tensor([1, 2, 3]))
    tensor([[1, 2],
            [1, 3],
            [2, 3]])
    """
    who = "combinations"
    if input.ndim != 1:
        raise ShapeError(who=who, expected="a vector", got=input.shape)
    n, r = input.shape[0], single(who, "r", r, 0)
    if r == 0:
        return Tensor(np.zeros(0, input.dtype))
    rows = (comb(n + r - 1, min(r, n - 1)) if n else 0) if with_replacement else comb(n, r) if r <= n else 0
    need_room(who, (rows, r), 8)
    make = combinations_with_replacement if with_replacement else choices
    places = np.fromiter(chain.from_iterable(make(range(n), r)) if rows else (), np.int64, rows * r)
    return reshape(index_select(input, 0, Tensor(places)), rows, r)


def vander(x: Tensor, N: int | None = None, *, increasing: bool = False) -> Tensor:
    r"""The powers of each element of a vector, a row each: Vandermonde's matrix.

    .. math:: y_{i j} = x_i^{N - 1 - j}, \quad \text{increasing: } x_i^j

    Parameters
    ----------
    x : Tensor, a vector
        Integers and booleans become int64.
    N : int, optional
        How many powers. Default: as many as elements.
    increasing : bool

    Raises
    ------
    ShapeError : if x is no vector, or N is negative.

    Cost: one power for each element of the result.

    >>> import fastnn as nn
    >>> nn.vander(nn.tensor([1, 2, 3]), increasing=True)
    tensor([[1, 1, 1],
            [1, 2, 4],
            [1, 3, 9]])
    """
    if x.ndim != 1:
        raise ShapeError(who="vander", expected="a vector", got=x.shape)
    n = x.shape[0] if N is None else single("vander", "N", N, 0)
    need_room("vander", (x.shape[0], n), 8)
    base = x if x.dtype.kind == "f" else to(x, np.int64)
    exponents: Any = np.arange(n, dtype=base.dtype)
    return pow(unsqueeze(base, -1), Tensor(exponents if increasing else exponents[::-1].copy()))
