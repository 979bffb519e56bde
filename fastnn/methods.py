"""The operators and methods of Tensor, each one line that calls the function of the same name in
nn.functional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .autograd import is_grad_enabled
from .moved import moved_names

if TYPE_CHECKING:
    from . import functional as F
    from .tensor import Tensor
else:
    F = None                    # the functions, once they exist: fastnn/__init__.py hands them over


class TensorMethods:
    """Mixed into Tensor; knows no mathematics."""

    __slots__ = ()

    # ---- arithmetic ------------------------------------------------------------------------------
    def __add__(self: Any, other: Any) -> Tensor: return F.add(self, other)
    def __radd__(self: Any, other: Any) -> Tensor: return F.add(other, self)
    def __sub__(self: Any, other: Any) -> Tensor: return F.sub(self, other)
    def __rsub__(self: Any, other: Any) -> Tensor: return F.sub(other, self)
    def __mul__(self: Any, other: Any) -> Tensor: return F.mul(self, other)
    def __rmul__(self: Any, other: Any) -> Tensor: return F.mul(other, self)
    def __truediv__(self: Any, other: Any) -> Tensor: return F.div(self, other)
    def __rtruediv__(self: Any, other: Any) -> Tensor: return F.div(other, self)
    def __floordiv__(self: Any, other: Any) -> Tensor: return F.floor_divide(self, other)
    def __rfloordiv__(self: Any, other: Any) -> Tensor: return F.floor_divide(other, self)
    def __mod__(self: Any, other: Any) -> Tensor: return F.remainder(self, other)
    def __rmod__(self: Any, other: Any) -> Tensor: return F.remainder(other, self)
    def __pow__(self: Any, other: Any) -> Tensor: return F.pow(self, other)
    def __rpow__(self: Any, other: Any) -> Tensor: return F.pow(other, self)
    def __matmul__(self: Any, other: Any) -> Tensor: return F.matmul(self, other)
    def __rmatmul__(self: Any, other: Any) -> Tensor: return F.matmul(other, self)
    def __neg__(self: Any) -> Tensor: return F.neg(self)
    def __pos__(self: Any) -> Tensor: return self
    def __abs__(self: Any) -> Tensor: return F.abs(self)

    # ---- comparisons and logic: bool tensors -----------------------------------------------------
    def __eq__(self: Any, other: Any) -> Any: return F.eq(self, other) if comparable(other) else NotImplemented
    def __ne__(self: Any, other: Any) -> Any: return F.ne(self, other) if comparable(other) else NotImplemented
    def __lt__(self: Any, other: Any) -> Tensor: return F.lt(self, other)
    def __le__(self: Any, other: Any) -> Tensor: return F.le(self, other)
    def __gt__(self: Any, other: Any) -> Tensor: return F.gt(self, other)
    def __ge__(self: Any, other: Any) -> Tensor: return F.ge(self, other)
    def __and__(self: Any, other: Any) -> Tensor: return F.bitwise_and(self, other)
    def __rand__(self: Any, other: Any) -> Tensor: return F.bitwise_and(other, self)
    def __or__(self: Any, other: Any) -> Tensor: return F.bitwise_or(self, other)
    def __ror__(self: Any, other: Any) -> Tensor: return F.bitwise_or(other, self)
    def __xor__(self: Any, other: Any) -> Tensor: return F.bitwise_xor(self, other)
    def __rxor__(self: Any, other: Any) -> Tensor: return F.bitwise_xor(other, self)
    def __invert__(self: Any) -> Tensor: return F.bitwise_not(self)
    __hash__ = object.__hash__

    # ---- in place --------------------------------------------------------------------------------
    def __iadd__(self: Any, other: Any) -> Tensor: return augmented(self, "+=", F.add, other)
    def __isub__(self: Any, other: Any) -> Tensor: return augmented(self, "-=", F.sub, other)
    def __imul__(self: Any, other: Any) -> Tensor: return augmented(self, "*=", F.mul, other)
    def __itruediv__(self: Any, other: Any) -> Tensor: return augmented(self, "/=", F.div, other)
    def __ifloordiv__(self: Any, other: Any) -> Tensor: return augmented(self, "//=", F.floor_divide, other)
    def __imod__(self: Any, other: Any) -> Tensor: return augmented(self, "%=", F.remainder, other)
    def __ipow__(self: Any, other: Any) -> Tensor: return augmented(self, "**=", F.pow, other)
    def __imatmul__(self: Any, other: Any) -> Tensor: return augmented(self, "@=", F.matmul, other)
    def __iand__(self: Any, other: Any) -> Tensor: return augmented(self, "&=", F.bitwise_and, other)
    def __ior__(self: Any, other: Any) -> Tensor: return augmented(self, "|=", F.bitwise_or, other)
    def __ixor__(self: Any, other: Any) -> Tensor: return augmented(self, "^=", F.bitwise_xor, other)

    def add_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        return changed(self, "add_", F.add, other, alpha=alpha)

    def sub_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        return changed(self, "sub_", F.sub, other, alpha=alpha)

    def mul_(self: Any, other: Any) -> Tensor: return changed(self, "mul_", F.mul, other)
    def div_(self: Any, other: Any) -> Tensor: return changed(self, "div_", F.div, other)

    def clamp_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        return changed(self, "clamp_", F.clamp, min, max)

    # ---- elements --------------------------------------------------------------------------------
    def __getitem__(self: Any, key: Any) -> Tensor: return F.getitem(self, key)
    def gather(self: Any, dim: int, index: Any) -> Tensor: return F.gather(self, dim, index)
    def take_along_dim(self: Any, indices: Any, dim: int) -> Tensor: return F.take_along_dim(self, indices, dim)
    def index_select(self: Any, dim: int, index: Any) -> Tensor: return F.index_select(self, dim, index)
    def masked_fill(self: Any, mask: Any, value: float) -> Tensor: return F.masked_fill(self, mask, value)
    def where(self: Any, condition: Any, other: Any) -> Tensor: return F.where(condition, self, other)
    def tril(self: Any, diagonal: int = 0) -> Tensor: return F.tril(self, diagonal)
    def triu(self: Any, diagonal: int = 0) -> Tensor: return F.triu(self, diagonal)

    # ---- shape -----------------------------------------------------------------------------------
    def reshape(self: Any, *shape: Any) -> Tensor: return F.reshape(self, *shape)
    def view(self: Any, *shape: Any) -> Tensor: return F.reshape(self, *shape)
    def view_as(self: Any, other: Any) -> Tensor: return F.reshape(self, *other.shape)
    def reshape_as(self: Any, other: Any) -> Tensor: return F.reshape(self, *other.shape)
    def flatten(self: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor: return F.flatten(self, start_dim, end_dim)
    def unflatten(self: Any, dim: int, sizes: Sequence[int]) -> Tensor: return F.unflatten(self, dim, sizes)
    def squeeze(self: Any, dim: Any = None) -> Tensor: return F.squeeze(self, dim)
    def unsqueeze(self: Any, dim: int) -> Tensor: return F.unsqueeze(self, dim)
    def permute(self: Any, *dims: Any) -> Tensor: return F.permute(self, *dims)
    def transpose(self: Any, dim0: int, dim1: int) -> Tensor: return F.transpose(self, dim0, dim1)
    def swapaxes(self: Any, axis0: int, axis1: int) -> Tensor: return F.swapaxes(self, axis0, axis1)
    def movedim(self: Any, source: int, destination: int) -> Tensor: return F.movedim(self, source, destination)
    def expand(self: Any, *shape: Any) -> Tensor: return F.expand(self, *shape)
    def expand_as(self: Any, other: Any) -> Tensor: return F.expand(self, *other.shape)
    def broadcast_to(self: Any, *shape: Any) -> Tensor: return F.broadcast_to(self, *shape)
    def repeat(self: Any, *repeats: Any) -> Tensor: return F.repeat(self, *repeats)
    def tile(self: Any, *repeats: Any) -> Tensor: return F.tile(self, *repeats)
    def flip(self: Any, *dims: Any) -> Tensor: return F.flip(self, *dims)
    def roll(self: Any, shifts: Any, dims: Any = None) -> Tensor: return F.roll(self, shifts, dims)
    def split(self: Any, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]: return F.split(self, split_size, dim)
    def unbind(self: Any, dim: int = 0) -> tuple[Tensor, ...]: return F.unbind(self, dim)
    def chunk(self: Any, chunks: int, dim: int = 0) -> tuple[Tensor, ...]: return F.chunk(self, chunks, dim)
    def t(self: Any) -> Tensor: return self if self.ndim < 2 else F.transpose(self, 0, 1)

    @property
    def T(self: Any) -> Tensor: return F.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self: Any) -> Tensor: return F.transpose(self, -2, -1)

    # ---- copies and types ------------------------------------------------------------------------
    def clone(self: Any) -> Tensor: return F.clone(self)
    def contiguous(self: Any) -> Tensor: return F.contiguous(self)
    def to(self: Any, dtype: Any) -> Tensor:
        """In another dtype, or that of another tensor; "cpu", the only device there is, changes
        nothing.
        """
        if isinstance(dtype, TensorMethods):
            # a Tensor, which is not known here, has one
            return F.to(self, dtype.dtype)          # type: ignore[attr-defined]
        return self if isinstance(dtype, str) and dtype == "cpu" else F.to(self, dtype)

    def type_as(self: Any, other: Any) -> Tensor: return F.to(self, other.dtype)
    def float(self: Any) -> Tensor: return F.to(self, np.float32)
    def double(self: Any) -> Tensor: return F.to(self, np.float64)
    def long(self: Any) -> Tensor: return F.to(self, np.int64)
    def int(self: Any) -> Tensor: return F.to(self, np.int32)
    def bool(self: Any) -> Tensor: return F.to(self, np.bool_)

    # ---- functions of each element ---------------------------------------------------------------
    def add(self: Any, other: Any, *, alpha: Any = 1) -> Tensor: return F.add(self, other, alpha=alpha)
    def sub(self: Any, other: Any, *, alpha: Any = 1) -> Tensor: return F.sub(self, other, alpha=alpha)
    def mul(self: Any, other: Any) -> Tensor: return F.mul(self, other)

    def div(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        return F.div(self, other, rounding_mode=rounding_mode)

    def neg(self: Any) -> Tensor: return F.neg(self)
    def pow(self: Any, exponent: Any) -> Tensor: return F.pow(self, exponent)
    def matmul(self: Any, other: Any) -> Tensor: return F.matmul(self, other)
    def mm(self: Any, other: Any) -> Tensor: return F.mm(self, other)
    def bmm(self: Any, other: Any) -> Tensor: return F.bmm(self, other)
    def dot(self: Any, other: Any) -> Tensor: return F.dot(self, other)
    def maximum(self: Any, other: Any) -> Tensor: return F.maximum(self, other)
    def minimum(self: Any, other: Any) -> Tensor: return F.minimum(self, other)
    def remainder(self: Any, other: Any) -> Tensor: return F.remainder(self, other)
    def clamp(self: Any, min: Any = None, max: Any = None) -> Tensor: return F.clamp(self, min, max)
    def clip(self: Any, min: Any = None, max: Any = None) -> Tensor: return F.clamp(self, min, max)
    def abs(self: Any) -> Tensor: return F.abs(self)
    def exp(self: Any) -> Tensor: return F.exp(self)
    def erf(self: Any) -> Tensor: return F.erf(self)
    def expm1(self: Any) -> Tensor: return F.expm1(self)
    def log(self: Any) -> Tensor: return F.log(self)
    def log2(self: Any) -> Tensor: return F.log2(self)
    def log10(self: Any) -> Tensor: return F.log10(self)
    def log1p(self: Any) -> Tensor: return F.log1p(self)
    def sqrt(self: Any) -> Tensor: return F.sqrt(self)
    def rsqrt(self: Any) -> Tensor: return F.rsqrt(self)
    def square(self: Any) -> Tensor: return F.square(self)
    def reciprocal(self: Any) -> Tensor: return F.reciprocal(self)
    def sin(self: Any) -> Tensor: return F.sin(self)
    def cos(self: Any) -> Tensor: return F.cos(self)
    def sign(self: Any) -> Tensor: return F.sign(self)
    def floor(self: Any) -> Tensor: return F.floor(self)
    def ceil(self: Any) -> Tensor: return F.ceil(self)
    def trunc(self: Any) -> Tensor: return F.trunc(self)
    def round(self: Any, *, decimals: Any = 0) -> Tensor: return F.round(self, decimals=decimals)
    def relu(self: Any) -> Tensor: return F.relu(self)
    def sigmoid(self: Any) -> Tensor: return F.sigmoid(self)
    def tanh(self: Any) -> Tensor: return F.tanh(self)
    def softmax(self: Any, dim: Any) -> Tensor: return F.softmax(self, dim)
    def log_softmax(self: Any, dim: Any) -> Tensor: return F.log_softmax(self, dim)

    # ---- comparisons -----------------------------------------------------------------------------
    def eq(self: Any, other: Any) -> Tensor: return F.eq(self, other)
    def ne(self: Any, other: Any) -> Tensor: return F.ne(self, other)
    def lt(self: Any, other: Any) -> Tensor: return F.lt(self, other)
    def le(self: Any, other: Any) -> Tensor: return F.le(self, other)
    def gt(self: Any, other: Any) -> Tensor: return F.gt(self, other)
    def ge(self: Any, other: Any) -> Tensor: return F.ge(self, other)
    def equal(self: Any, other: Any) -> Any: return F.equal(self, other)

    def allclose(self: Any, other: Any, rtol: Any = 1e-5, atol: Any = 1e-8) -> Any:
        return F.allclose(self, other, rtol, atol)

    def isnan(self: Any) -> Tensor: return F.isnan(self)
    def isinf(self: Any) -> Tensor: return F.isinf(self)
    def isfinite(self: Any) -> Tensor: return F.isfinite(self)
    def logical_and(self: Any, other: Any) -> Tensor: return F.logical_and(self, other)
    def logical_or(self: Any, other: Any) -> Tensor: return F.logical_or(self, other)
    def logical_not(self: Any) -> Tensor: return F.logical_not(self)

    # ---- reductions ------------------------------------------------------------------------------
    def sum(self: Any, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Tensor:
        return F.sum(self, dim, keepdim, dtype=dtype)

    def mean(self: Any, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Tensor:
        return F.mean(self, dim, keepdim, dtype=dtype)

    def var(self: Any, dim: Any = None, unbiased: Any = True, keepdim: Any = False, *,
            correction: Any = None) -> Tensor:
        return F.var(self, dim, unbiased, keepdim, correction=correction)

    def std(self: Any, dim: Any = None, unbiased: Any = True, keepdim: Any = False, *,
            correction: Any = None) -> Tensor:
        return F.std(self, dim, unbiased, keepdim, correction=correction)

    def prod(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.prod(self, dim, keepdim)
    def cumsum(self: Any, dim: Any) -> Tensor: return F.cumsum(self, dim)

    def norm(self: Any, p: Any = 2, dim: Any = None, keepdim: Any = False) -> Tensor:
        return F.norm(self, p, dim, keepdim)

    def logsumexp(self: Any, dim: Any, keepdim: Any = False) -> Tensor: return F.logsumexp(self, dim, keepdim)
    def amax(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.amax(self, dim, keepdim)
    def amin(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.amin(self, dim, keepdim)
    def max(self: Any, dim: Any = None, keepdim: Any = False) -> Any: return F.max(self, dim, keepdim)
    def min(self: Any, dim: Any = None, keepdim: Any = False) -> Any: return F.min(self, dim, keepdim)
    def argmax(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.argmax(self, dim, keepdim)
    def argmin(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.argmin(self, dim, keepdim)
    def any(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.any(self, dim, keepdim)
    def all(self: Any, dim: Any = None, keepdim: Any = False) -> Tensor: return F.all(self, dim, keepdim)


_COMPARED = (bool, int, float, np.generic, np.ndarray)


def comparable(other: Any) -> bool:
    """Whether == and != compare values; else (None, text) Python compares identity."""
    return isinstance(other, (TensorMethods, *_COMPARED))


def recorded(*operands: Any) -> bool:
    """Whether the tape would record an op on these."""
    return is_grad_enabled() and any(getattr(x, "requires_grad", False) for x in operands)


def changed(t: Any, who: str, function: Callable[..., Tensor], *operands: Any, **attrs: Any) -> Tensor:
    """t = function(t, *operands), in t's memory; the tape follows."""
    t._may_change(who)
    before = t._before() if recorded(t, *operands) else t
    return t.copy_(function(before, *operands, **attrs), who=who)


def augmented(t: Any, who: str, function: Callable[..., Tensor], other: Any) -> Tensor:
    """What `t += other` leaves in t: t itself, changed in place.

    But for the result of an op, which others may have saved for backward: there the name gets a new
    tensor, and the result stays as it is.
    """
    if is_grad_enabled() and t.node is not None and t._base is None and len(t._version) == 1:
        return function(t, other)
    return changed(t, who, function, other)


__getattr__ = moved_names(__name__)
