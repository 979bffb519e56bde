"""Pooling along sequences: that of images one pixel high, by pool2d.py and adaptive_pool.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, overload

from ..errors import ShapeError
from ..tensor import Tensor, tensor
from .adaptive_pool import adaptive_avg_pool2d, adaptive_max_pool2d
from .checks import single
from .pool2d import avg_pool2d, max_pool2d
from .shape import reshape

__all__ = ["adaptive_avg_pool1d", "adaptive_max_pool1d", "avg_pool1d", "max_pool1d"]


@overload
def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ...,
               ceil_mode: bool = ..., return_indices: Literal[False] = ...) -> Tensor: ...
@overload
def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ...,
               ceil_mode: bool = ..., *, return_indices: Literal[True]) -> tuple[Tensor, Tensor]: ...
@overload
def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = ..., padding: Any = ..., dilation: Any = ...,
               ceil_mode: bool = ..., return_indices: bool = ...) -> Any: ...
def max_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    r"""The largest value under each window of a sequence.

    .. math:: y[n,c,q] = \max_s \; x[n,c,\; q\,stride - padding + s\,dilation]

    Shapes: (N, C, L) or (C, L) -> (N, C, Q) or (C, Q), for a window of S elements with
    Q = (L + 2 padding - dilation (S - 1) - 1) // stride + 1. The indices are those in the sequence.

    Parameters, errors and cost: as `max_pool2d`, with one number for each direction.

    >>> import fastnn as nn
    >>> nn.functional.max_pool1d(nn.tensor([[1.0, 5.0, 2.0, 0.0]]), 2)
    tensor([[5., 2.]])
    """
    stride = kernel_size if stride is None or stride == () else stride
    attrs = along("max_pool1d", kernel_size=(kernel_size, 1), stride=(stride, 1), padding=(padding, 0),
                  dilation=(dilation, 1))
    attrs |= {"ceil_mode": ceil_mode, "return_indices": return_indices}
    return one_row("max_pool1d", lambda x: max_pool2d(x, **attrs), input)


def avg_pool1d(input: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Tensor:
    r"""The mean of each window of a sequence.

    .. math:: y[n,c,q] = \frac1d \sum_s x[n,c,\; q\,stride - padding + s]

    Shapes: (N, C, L) or (C, L) -> (N, C, Q) or (C, Q), with Q as for `max_pool1d`.

    Parameters, errors and cost: as `avg_pool2d`, with one number for each direction.

    >>> import fastnn as nn
    >>> nn.functional.avg_pool1d(nn.tensor([[1.0, 5.0, 2.0, 0.0]]), 2)
    tensor([[3., 1.]])
    """
    stride = kernel_size if stride is None or stride == () else stride
    attrs = along("avg_pool1d", kernel_size=(kernel_size, 1), stride=(stride, 1), padding=(padding, 0))
    attrs |= {"ceil_mode": ceil_mode, "count_include_pad": count_include_pad}
    result: Tensor = one_row("avg_pool1d", lambda x: avg_pool2d(x, **attrs), input)
    return result


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """The mean of each of output_size windows that together cover the sequence.

    An output_size of 1 is the global average.

    Parameters, errors and cost: as `adaptive_avg_pool2d`, for (N, C, L) or (C, L).

    >>> import fastnn as nn
    >>> nn.functional.adaptive_avg_pool1d(nn.tensor([[1.0, 5.0, 2.0, 0.0]]), 1)
    tensor([[2.]])
    """
    size = along("adaptive_avg_pool1d", output_size=(output_size, 1))["output_size"]
    result: Tensor = one_row("adaptive_avg_pool1d", lambda x: adaptive_avg_pool2d(x, size), input)
    return result


@overload
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: Literal[False] = ...) -> Tensor: ...
@overload
def adaptive_max_pool1d(input: Tensor, output_size: Any, *, return_indices: Literal[True]) -> tuple[Tensor, Tensor]: ...
@overload
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = ...) -> Any: ...
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """The largest value of each of output_size windows that together cover the sequence.

    Parameters, errors and cost: as `adaptive_max_pool2d`, for (N, C, L) or (C, L).

    >>> import fastnn as nn
    >>> nn.functional.adaptive_max_pool1d(nn.tensor([[1.0, 5.0, 2.0, 0.0]]), 2)
    tensor([[5., 2.]])
    """
    size = along("adaptive_max_pool1d", output_size=(output_size, 1))["output_size"]
    return one_row("adaptive_max_pool1d", lambda x: adaptive_max_pool2d(x, size, return_indices), input)


# ---- what the functions share --------------------------------------------------------------------
def one_row(who: str, function: Callable[[Tensor], Any], input: Any) -> Any:
    """function of (..., C, L) as images (..., C, 1, L); the results lose that axis again."""
    x = input if isinstance(input, Tensor) else tensor(input)
    if x.ndim not in (2, 3):
        raise ShapeError(who=who, expected="input of shape (N, C, L) or (C, L)", got=x.shape)
    y = function(reshape(x, (*x.shape[:-1], 1, x.shape[-1])))
    results = tuple(reshape(t, (*t.shape[:-2], t.shape[-1])) for t in (y if isinstance(y, tuple) else (y,)))
    return results if isinstance(y, tuple) else results[0]


def along(who: str, **sizes: tuple[Any, int]) -> dict[str, Any]:
    """Attributes of a row, from name = (number, its least value): in the other direction windows
    are 1 pixel high and 1 apart, without padding.
    """
    return {name: (0 if name == "padding" else 1, single(who, name, value, low))
            for name, (value, low) in sizes.items()}
