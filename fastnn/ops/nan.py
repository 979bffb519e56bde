"""Where NaN stands for a number that is missing: sums and means without it, numbers in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import Tensor, number_of, wrapped
from .arithmetic import add, div
from .checks import need_float, renamed
from .compare import isnan
from .indexing import where
from .reduce import sum

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .checks import Numpy

__all__ = ["nan_to_num", "nanmean", "nansum"]


def nansum(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
           **numpy: Unpack[Numpy]) -> Tensor:
    """`sum`, where NaN counts as 0.

    Parameters
    ----------
    input, dim, keepdim, dtype : as in `sum`

    Errors: as `sum`. Cost: as `sum`, and two passes.

    >>> import fastnn as nn
    >>> nn.nansum(nn.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    if numpy:
        return nansum(input, dtype=dtype, **renamed("nansum", numpy, dim=dim, keepdim=keepdim))
    x = where(isnan(input), 0.0, input) if input.dtype.kind == "f" else input
    return sum(x, dim, keepdim, dtype=dtype)


def nanmean(input: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,
            **numpy: Unpack[Numpy]) -> Tensor:
    """The mean of what is not NaN; NaN where nothing else is.

    Parameters
    ----------
    input, dim, keepdim, dtype : as in `sum`

    Errors: as `mean`. Cost: as `mean`, and four passes.

    >>> import fastnn as nn
    >>> nn.nanmean(nn.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5)
    """
    if numpy:
        return nanmean(input, dtype=dtype, **renamed("nanmean", numpy, dim=dim, keepdim=keepdim))
    need_float("nanmean", input=input._data)
    there = Tensor(np.asarray(~np.isnan(input._data)).astype(input.dtype))
    return div(nansum(input, dim, keepdim, dtype=dtype), sum(there, dim, keepdim, dtype=dtype))


def nan_to_num(input: Tensor, nan: float | None = 0.0, posinf: float | None = None,
               neginf: float | None = None) -> Tensor:
    """Numbers in the place of NaN and infinities; there the gradient is 0.

    Parameters
    ----------
    input : Tensor of any shape and dtype
    nan : number, optional
    posinf, neginf : number, optional
        None: the largest and the smallest number of the type.

    Raises
    ------
    RangeError : if the type cannot hold a number.
    DTypeError : if one is no number.

    Cost: three passes over the elements.

    >>> import fastnn as nn
    >>> nn.nan_to_num(nn.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
    tensor([0., 9., 1.])
    """
    if input.dtype.kind != "f":
        return add(input, 0) if input.dtype.kind != "b" else input
    most = float(np.finfo(input.dtype).max)
    x = input._data
    for mask, value, default in ((np.isnan(x), nan, 0.0), (np.isposinf(x), posinf, most),
                                 (np.isneginf(x), neginf, -most)):
        number = number_of("nan_to_num", default if value is None else value, x.dtype)
        input = where(wrapped(np.asarray(~mask)), input, float(number))
    return input
