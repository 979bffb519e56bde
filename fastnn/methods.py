"""The operators and methods of Tensor, each one line that calls the function of the same name in
nn.functional.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FunctionType
from typing import TYPE_CHECKING, Any

import numpy as np

from .autograd import is_grad_enabled, stepped, write
from .device import on_cpu
from .errors import AttributeMistake, DTypeError, RangeError, ShapeError
from .moved import moved_names

if TYPE_CHECKING:
    # `bool` is a method below
    from builtins import bool as Truth

    from . import creation as C
    from . import functional as F
    from . import init as I
    from .tensor import Tensor
else:
    F = C = I = None            # the functions, once they exist: fastnn/__init__.py hands them over


class TensorMethods:
    """Mixed into Tensor; knows no mathematics."""

    __slots__ = ()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not isinstance(vars(TensorMethods).get(name), Absent)]

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
    # object's return a bool
    def __eq__(self: Any, other: Any) -> Tensor:    # type: ignore[override]
        return F.eq(self, other) if comparable(other) else NotImplemented

    # as __eq__
    def __ne__(self: Any, other: Any) -> Tensor:    # type: ignore[override]
        return F.ne(self, other) if comparable(other) else NotImplemented

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
    def __lshift__(self: Any, other: Any) -> Tensor: return F.bitwise_left_shift(self, other)
    def __rlshift__(self: Any, other: Any) -> Tensor: return F.bitwise_left_shift(other, self)
    def __rshift__(self: Any, other: Any) -> Tensor: return F.bitwise_right_shift(self, other)
    def __rrshift__(self: Any, other: Any) -> Tensor: return F.bitwise_right_shift(other, self)
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
    def __ilshift__(self: Any, other: Any) -> Tensor: return augmented(self, "<<=", F.bitwise_left_shift, other)
    def __irshift__(self: Any, other: Any) -> Tensor: return augmented(self, ">>=", F.bitwise_right_shift, other)

    def add_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        return changed(self, "add_", F.add, other, alpha=alpha)

    def sub_(self: Any, other: Any, *, alpha: float = 1) -> Tensor:
        return changed(self, "sub_", F.sub, other, alpha=alpha)

    def mul_(self: Any, other: Any) -> Tensor: return changed(self, "mul_", F.mul, other)
    def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        return changed(self, "div_", F.div, other, rounding_mode=rounding_mode)

    def clamp_(self: Any, min: Any = None, max: Any = None) -> Tensor:
        return changed(self, "clamp_", F.clamp, min, max)

    def nan_to_num_(self: Any, nan: float | None = 0.0, posinf: float | None = None,
                    neginf: float | None = None) -> Tensor:
        return changed(self, "nan_to_num_", F.nan_to_num, nan, posinf, neginf)

    def fill_diagonal_(self: Any, fill_value: float, wrap: bool = False) -> Tensor:
        if self.ndim < 2 or (self.ndim > 2 and len(set(self.shape)) > 1):
            raise ShapeError(who="fill_diagonal_", expected="a matrix, or more axes of one length", got=self.shape)
        mask = np.zeros(self.shape, bool)
        if mask.size:
            np.fill_diagonal(mask, True, wrap=wrap)
        return changed(self, "fill_diagonal_", F.masked_fill, mask, fill_value)

    def masked_fill_(self: Any, mask: Any, value: Any) -> Tensor:
        return changed(self, "masked_fill_", F.masked_fill, mask, value)

    def cumsum_(self: Any, dim: int, *, dtype: Any = None) -> Tensor:
        need_own_type(self, "cumsum_", dtype)
        return changed(self, "cumsum_", F.cumsum, dim)

    def cumprod_(self: Any, dim: int, *, dtype: Any = None) -> Tensor:
        need_own_type(self, "cumprod_", dtype)
        return changed(self, "cumprod_", F.cumprod, dim)

    def logical_not_(self: Any) -> Tensor: return changed(self, "logical_not_", F.logical_not)
    def bitwise_not_(self: Any) -> Tensor: return changed(self, "bitwise_not_", F.bitwise_not)
    def abs_(self: Any) -> Tensor: return changed(self, "abs_", F.abs)
    def ceil_(self: Any) -> Tensor: return changed(self, "ceil_", F.ceil)
    def cos_(self: Any) -> Tensor: return changed(self, "cos_", F.cos)
    def erf_(self: Any) -> Tensor: return changed(self, "erf_", F.erf)
    def exp_(self: Any) -> Tensor: return changed(self, "exp_", F.exp)
    def expm1_(self: Any) -> Tensor: return changed(self, "expm1_", F.expm1)
    def floor_(self: Any) -> Tensor: return changed(self, "floor_", F.floor)
    def log_(self: Any) -> Tensor: return changed(self, "log_", F.log)
    def log10_(self: Any) -> Tensor: return changed(self, "log10_", F.log10)
    def log1p_(self: Any) -> Tensor: return changed(self, "log1p_", F.log1p)
    def log2_(self: Any) -> Tensor: return changed(self, "log2_", F.log2)
    def neg_(self: Any) -> Tensor: return changed(self, "neg_", F.neg)
    def reciprocal_(self: Any) -> Tensor: return changed(self, "reciprocal_", F.reciprocal)
    def relu_(self: Any) -> Tensor: return changed(self, "relu_", F.relu)
    def round_(self: Any, *, decimals: Any = 0) -> Tensor:
        return changed(self, "round_", F.round, decimals=decimals)

    def rsqrt_(self: Any) -> Tensor: return changed(self, "rsqrt_", F.rsqrt)
    def sigmoid_(self: Any) -> Tensor: return changed(self, "sigmoid_", F.sigmoid)
    def sign_(self: Any) -> Tensor: return changed(self, "sign_", F.sign)
    def sin_(self: Any) -> Tensor: return changed(self, "sin_", F.sin)
    def sqrt_(self: Any) -> Tensor: return changed(self, "sqrt_", F.sqrt)
    def square_(self: Any) -> Tensor: return changed(self, "square_", F.square)
    def tanh_(self: Any) -> Tensor: return changed(self, "tanh_", F.tanh)
    def trunc_(self: Any) -> Tensor: return changed(self, "trunc_", F.trunc)
    def pow_(self: Any, exponent: Any) -> Tensor: return changed(self, "pow_", F.pow, exponent)
    def remainder_(self: Any, other: Any) -> Tensor: return changed(self, "remainder_", F.remainder, other)
    def floor_divide_(self: Any, other: Any) -> Tensor: return changed(self, "floor_divide_", F.floor_divide, other)
    def eq_(self: Any, other: Any) -> Tensor: return compared(self, "eq_", F.eq, other)
    def ne_(self: Any, other: Any) -> Tensor: return compared(self, "ne_", F.ne, other)
    def lt_(self: Any, other: Any) -> Tensor: return compared(self, "lt_", F.lt, other)
    def le_(self: Any, other: Any) -> Tensor: return compared(self, "le_", F.le, other)
    def gt_(self: Any, other: Any) -> Tensor: return compared(self, "gt_", F.gt, other)
    def ge_(self: Any, other: Any) -> Tensor: return compared(self, "ge_", F.ge, other)
    def logical_and_(self: Any, other: Any) -> Tensor: return changed(self, "logical_and_", F.logical_and, other)
    def logical_or_(self: Any, other: Any) -> Tensor: return changed(self, "logical_or_", F.logical_or, other)
    def logical_xor_(self: Any, other: Any) -> Tensor: return changed(self, "logical_xor_", F.logical_xor, other)
    def heaviside_(self: Any, values: Any) -> Tensor: return changed(self, "heaviside_", F.heaviside, values)
    def bitwise_and_(self: Any, other: Any) -> Tensor: return changed(self, "bitwise_and_", F.bitwise_and, other)
    def bitwise_or_(self: Any, other: Any) -> Tensor: return changed(self, "bitwise_or_", F.bitwise_or, other)
    def bitwise_xor_(self: Any, other: Any) -> Tensor: return changed(self, "bitwise_xor_", F.bitwise_xor, other)
    def tril_(self: Any, diagonal: int = 0) -> Tensor: return changed(self, "tril_", F.tril, diagonal)
    def triu_(self: Any, diagonal: int = 0) -> Tensor: return changed(self, "triu_", F.triu, diagonal)
    def addcmul_(self: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        return changed(self, "addcmul_", F.addcmul, tensor1, tensor2, value=value)

    def addcdiv_(self: Any, tensor1: Any, tensor2: Any, *, value: float = 1) -> Tensor:
        return changed(self, "addcdiv_", F.addcdiv, tensor1, tensor2, value=value)

    def lerp_(self: Any, end: Any, weight: Any) -> Tensor: return changed(self, "lerp_", F.lerp, end, weight)

    def acos_(self: Any) -> Tensor: return changed(self, "acos_", F.acos)
    def acosh_(self: Any) -> Tensor: return changed(self, "acosh_", F.acosh)
    def asin_(self: Any) -> Tensor: return changed(self, "asin_", F.asin)
    def asinh_(self: Any) -> Tensor: return changed(self, "asinh_", F.asinh)
    def atan_(self: Any) -> Tensor: return changed(self, "atan_", F.atan)
    def atanh_(self: Any) -> Tensor: return changed(self, "atanh_", F.atanh)
    def cosh_(self: Any) -> Tensor: return changed(self, "cosh_", F.cosh)
    def deg2rad_(self: Any) -> Tensor: return changed(self, "deg2rad_", F.deg2rad)
    def digamma_(self: Any) -> Tensor: return changed(self, "digamma_", F.digamma)
    def erfc_(self: Any) -> Tensor: return changed(self, "erfc_", F.erfc)
    def erfinv_(self: Any) -> Tensor: return changed(self, "erfinv_", F.erfinv)
    def exp2_(self: Any) -> Tensor: return changed(self, "exp2_", F.exp2)
    def frac_(self: Any) -> Tensor: return changed(self, "frac_", F.frac)
    def lgamma_(self: Any) -> Tensor: return changed(self, "lgamma_", F.lgamma)
    def i0_(self: Any) -> Tensor: return changed(self, "i0_", F.i0)
    def mvlgamma_(self: Any, p: Any) -> Tensor: return changed(self, "mvlgamma_", F.mvlgamma, p)
    def rad2deg_(self: Any) -> Tensor: return changed(self, "rad2deg_", F.rad2deg)
    def sgn_(self: Any) -> Tensor: return changed(self, "sgn_", F.sgn)
    def sinc_(self: Any) -> Tensor: return changed(self, "sinc_", F.sinc)
    def sinh_(self: Any) -> Tensor: return changed(self, "sinh_", F.sinh)
    def tan_(self: Any) -> Tensor: return changed(self, "tan_", F.tan)
    def logit_(self: Any, eps: float | None = None) -> Tensor: return changed(self, "logit_", F.logit, eps)
    def atan2_(self: Any, other: Any) -> Tensor: return changed(self, "atan2_", F.atan2, other)
    def clamp_max_(self: Any, max: Any) -> Tensor: return changed(self, "clamp_max_", F.clamp_max, max)
    def clamp_min_(self: Any, min: Any) -> Tensor: return changed(self, "clamp_min_", F.clamp_min, min)
    def copysign_(self: Any, other: Any) -> Tensor: return changed(self, "copysign_", F.copysign, other)
    def fmod_(self: Any, other: Any) -> Tensor: return changed(self, "fmod_", F.fmod, other)
    def gcd_(self: Any, other: Any) -> Tensor: return changed(self, "gcd_", F.gcd, other)
    def hypot_(self: Any, other: Any) -> Tensor: return changed(self, "hypot_", F.hypot, other)
    def lcm_(self: Any, other: Any) -> Tensor: return changed(self, "lcm_", F.lcm, other)
    def ldexp_(self: Any, other: Any) -> Tensor: return changed(self, "ldexp_", F.ldexp, other)
    def nextafter_(self: Any, other: Any) -> Tensor: return changed(self, "nextafter_", F.nextafter, other)

    def polygamma_(self: Any, n: Any) -> Tensor:
        return changed(self, "polygamma_", lambda before: F.polygamma(n, before))

    def renorm_(self: Any, p: float, dim: int, maxnorm: float) -> Tensor:
        return changed(self, "renorm_", F.renorm, p, dim, maxnorm)

    def bitwise_left_shift_(self: Any, other: Any) -> Tensor:
        return changed(self, "bitwise_left_shift_", F.bitwise_left_shift, other)

    def bitwise_right_shift_(self: Any, other: Any) -> Tensor:
        return changed(self, "bitwise_right_shift_", F.bitwise_right_shift, other)

    def xlogy_(self: Any, other: Any) -> Tensor: return changed(self, "xlogy_", F.xlogy, other)

    def scatter_(self: Any, dim: int, index: Any, src: Any = None, *, value: Any = None,
                 reduce: str | None = None) -> Tensor:
        return changed(self, "scatter_", F.scatter, dim, index, src, value=value, reduce=reduce)

    def scatter_add_(self: Any, dim: int, index: Any, src: Any) -> Tensor:
        return changed(self, "scatter_add_", F.scatter_add, dim, index, src)

    def scatter_reduce_(self: Any, dim: int, index: Any, src: Any, reduce: str, *,
                        include_self: Truth = True) -> Tensor:
        return changed(self, "scatter_reduce_", F.scatter_reduce, dim, index, src, reduce, include_self=include_self)

    def index_add_(self: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Tensor:
        return changed(self, "index_add_", F.index_add, dim, index, source, alpha=alpha)

    def index_copy_(self: Any, dim: int, index: Any, source: Any) -> Tensor:
        return changed(self, "index_copy_", F.index_copy, dim, index, source)

    def index_fill_(self: Any, dim: int, index: Any, value: Any) -> Tensor:
        return changed(self, "index_fill_", F.index_fill, dim, index, value)

    def index_reduce_(self: Any, dim: int, index: Any, source: Any, reduce: str, *,
                      include_self: Truth = True) -> Tensor:
        return changed(self, "index_reduce_", F.index_reduce, dim, index, source, reduce, include_self=include_self)

    def index_put_(self: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
        return changed(self, "index_put_", F.index_put, indices, values, accumulate)

    def masked_scatter_(self: Any, mask: Any, source: Any) -> Tensor:
        return changed(self, "masked_scatter_", F.masked_scatter, mask, source)

    def put_(self: Any, index: Any, source: Any, accumulate: Any = False) -> Tensor:
        return changed(self, "put_", F.put, index, source, accumulate)

    fix_ = trunc_
    not_equal_, less_, less_equal_, greater_, greater_equal_ = ne_, lt_, le_, gt_, ge_
    clip_, multiply_, subtract_, divide_, true_divide_, negative_, absolute_ = (
        clamp_, mul_, sub_, div_, div_, neg_, abs_)
    arccos_, arcsin_, arctan_, arccosh_, arcsinh_, arctanh_, arctan2_ = (
        acos_, asin_, atan_, acosh_, asinh_, atanh_, atan2_)

    # ---- elements --------------------------------------------------------------------------------
    def __getitem__(self: Any, key: Any) -> Tensor: return F.getitem(self, key)
    def index_select(self: Any, dim: int, index: Any) -> Tensor: return F.index_select(self, dim, index)
    def masked_fill(self: Any, mask: Any, value: float | Tensor) -> Tensor: return F.masked_fill(self, mask, value)
    def where(self: Any, condition: Any, other: Any) -> Tensor: return F.where(condition, self, other)
    def tril(self: Any, diagonal: int = 0) -> Tensor: return F.tril(self, diagonal)
    def triu(self: Any, diagonal: int = 0) -> Tensor: return F.triu(self, diagonal)

    # ---- shape -----------------------------------------------------------------------------------
    def view(self: Any, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
        try:
            if dtype is None:
                return F.reshape(self, *shape, shape=size)
        except DTypeError:
            if not (shape and isinstance(shape[0], (np.dtype, type))):
                raise
            dtype = shape[0]
        raise RangeError("the bits are not read as another type", who="view", expected="sizes", got=dtype,
                         hint="x.to(dtype) converts the numbers; of the bits it is nn.tensor(x.numpy().view(dtype)).")

    def split(self: Any, split_size: Any, dim: int = 0, **numpy: Any) -> tuple[Tensor, ...]:
        return F.split(self, split_size, dim, **numpy)

    def view_as(self: Any, other: Any) -> Tensor: return F.reshape(self, *other.shape)
    def reshape_as(self: Any, other: Any) -> Tensor: return F.reshape(self, *other.shape)
    def flatten(self: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor: return F.flatten(self, start_dim, end_dim)
    def unflatten(self: Any, dim: int, sizes: Sequence[int]) -> Tensor: return F.unflatten(self, dim, sizes)
    def transpose(self: Any, dim0: int, dim1: int) -> Tensor: return F.transpose(self, dim0, dim1)
    def expand_as(self: Any, other: Any) -> Tensor: return F.expand(self, *other.shape)
    def roll(self: Any, shifts: Any, dims: Any = None) -> Tensor: return F.roll(self, shifts, dims)

    @property
    def T(self: Any) -> Tensor: return F.permute(self, *reversed(range(self.ndim)))

    @property
    def mT(self: Any) -> Tensor: return F.transpose(self, -2, -1)

    # ---- copies and types ------------------------------------------------------------------------
    def clone(self: Any) -> Tensor: return F.clone(self)
    def is_complex(self: Any) -> bool: return False
    def get_device(self: Any) -> int: return -1             # PyTorch's answer for the CPU

    def is_nonzero(self: Any) -> bool:
        if self.numel() != 1:
            raise ShapeError(who="is_nonzero", expected="one element", got=f"shape {self.shape}")
        return bool(self.item() != 0)

    def unfold(self: Any, dimension: int, size: int, step: int) -> Tensor:
        """Windows of a length along a dimension, each `step` further, as a new last dimension."""
        who, n = "unfold", self.shape[dimension] if -self.ndim <= dimension < self.ndim else -1
        if n < 0:
            raise RangeError(f"dimension {dimension} does not exist", who=who,
                             expected=f"{-self.ndim} <= dimension < {self.ndim}")
        if not 0 <= size <= n:
            raise RangeError(who=who, expected=f"0 <= size <= {n}", got=size)
        if step < 1:
            raise RangeError(who=who, expected="step >= 1", got=step)
        d, count = dimension % self.ndim, (n - size) // step + 1
        places: Any = (np.arange(count)[:, None] * step + np.arange(size)).reshape(-1)
        windows = F.index_select(self, d, places).reshape(*self.shape[:d], count, size, *self.shape[d + 1:])
        return F.movedim(windows, d + 1, -1)

    def contiguous(self: Any) -> Tensor: return F.contiguous(self)
    def cpu(self: Any) -> Tensor: return self

    def cuda(self: Any, *args: Any, **options: Any) -> Tensor:
        """RangeError: fastnn runs on the CPU."""
        on_cpu("cuda", "cuda")
        return self

    def type(self: Any, dtype: Any) -> Tensor: return F.to(self, dtype)
    def type_as(self: Any, other: Any) -> Tensor: return F.to(self, other.dtype)
    def float(self: Any) -> Tensor: return F.to(self, np.float32)
    def double(self: Any) -> Tensor: return F.to(self, np.float64)
    def long(self: Any) -> Tensor: return F.to(self, np.int64)
    def short(self: Any) -> Tensor: return F.to(self, np.int16)
    def byte(self: Any) -> Tensor: return F.to(self, np.uint8)
    def char(self: Any) -> Tensor: return F.to(self, np.int8)
    def int(self: Any) -> Tensor: return F.to(self, np.int32)
    def bool(self: Any) -> Tensor: return F.to(self, np.bool_)

    # ---- new tensors of this one's type ----------------------------------------------------------
    def new_zeros(self: Any, *sizes: Any, size: Any = None, dtype: Any = None, requires_grad: Truth = False,
                  device: Any = None, pin_memory: Truth = False) -> Tensor:
        return C.zeros(*sizes, size=size, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad,
                       device=device, pin_memory=pin_memory)

    def new_ones(self: Any, *sizes: Any, size: Any = None, dtype: Any = None, requires_grad: Truth = False,
                 device: Any = None, pin_memory: Truth = False) -> Tensor:
        return C.ones(*sizes, size=size, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad,
                      device=device, pin_memory=pin_memory)

    def new_empty(self: Any, *sizes: Any, size: Any = None, dtype: Any = None, requires_grad: Truth = False,
                  device: Any = None, pin_memory: Truth = False) -> Tensor:
        return C.empty(*sizes, size=size, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad,
                       device=device, pin_memory=pin_memory)

    def new_full(self: Any, size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: Truth = False,
                 device: Any = None, pin_memory: Truth = False) -> Tensor:
        return C.full(size, fill_value, dtype=self.dtype if dtype is None else dtype, requires_grad=requires_grad,
                      device=device, pin_memory=pin_memory)

    def new_tensor(self: Any, data: Any, *, dtype: Any = None, requires_grad: Truth = False,
                   device: Any = None) -> Tensor:
        return C.new_tensor(data, self.dtype if dtype is None else dtype, requires_grad, device=device)

    # ---- random numbers, in place ----------------------------------------------------------------
    def normal_(self: Any, mean: Any = 0.0, std: Any = 1.0, *, generator: Any = None) -> Tensor:
        return written(self, "normal_", I.normal_(C.empty_like(self), mean, std, generator))

    def uniform_(self: Any, from_: Any = 0.0, to: Any = 1.0, *, generator: Any = None, **python: Any) -> Tensor:
        """Numbers of U(from_, to), in place. from_ is PyTorch's `from`, a word of Python's."""
        from_ = the_from("uniform_", from_, python)
        return written(self, "uniform_", I.uniform_(C.empty_like(self), from_, to, generator))

    def bernoulli_(self: Any, p: Any = 0.5, *, generator: Any = None) -> Tensor:
        chances = p if hasattr(p, "shape") else C.full(self.shape, p + 0.0)
        return written(self, "bernoulli_", C.bernoulli(chances, generator=generator))

    def multinomial(self: Any, num_samples: Any, replacement: Any = False, *, generator: Any = None) -> Tensor:
        return C.multinomial(self, num_samples, replacement, generator=generator)

    def bernoulli(self: Any, p: Any = None, *, generator: Any = None) -> Tensor:
        return C.bernoulli(self, p, generator=generator)

    def random_(self: Any, from_: Any = None, to: Any = None, *, generator: Any = None, **python: Any) -> Tensor:
        """Whole numbers from <= x < to; random_(to) begins at 0, random_() ends where the type
        does. The first argument is PyTorch's `from`.
        """
        low, high = the_from("random_", from_, python), to
        if low is None and high is None:
            ends = {"float32": 2**24, "float64": 2**53, "bool": 2}
            high = ends.get(self.dtype.name) or np.iinfo(self.dtype).max
        low, high = (0, low) if high is None else (low or 0, high)
        return written(self, "random_", C.randint(low, high, self.shape, dtype=self.dtype, generator=generator))

    # ---- functions of each element ---------------------------------------------------------------
    def add(self: Any, other: Any, *, alpha: Any = 1) -> Tensor: return F.add(self, other, alpha=alpha)
    def sub(self: Any, other: Any, *, alpha: Any = 1) -> Tensor: return F.sub(self, other, alpha=alpha)
    def mul(self: Any, other: Any) -> Tensor: return F.mul(self, other)

    def div(self: Any, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        return F.div(self, other, rounding_mode=rounding_mode)

    def neg(self: Any) -> Tensor: return F.neg(self)
    def pow(self: Any, exponent: Any) -> Tensor: return F.pow(self, exponent)
    def matmul(self: Any, other: Any) -> Tensor: return F.matmul(self, other)
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
    def polygamma(self: Any, n: Any) -> Tensor: return F.polygamma(n, self)
    def floor(self: Any) -> Tensor: return F.floor(self)
    def ceil(self: Any) -> Tensor: return F.ceil(self)
    def trunc(self: Any) -> Tensor: return F.trunc(self)
    def round(self: Any, *, decimals: Any = 0) -> Tensor: return F.round(self, decimals=decimals)
    def relu(self: Any) -> Tensor: return F.relu(self)
    def sigmoid(self: Any) -> Tensor: return F.sigmoid(self)
    def tanh(self: Any) -> Tensor: return F.tanh(self)

    # ---- comparisons -----------------------------------------------------------------------------
    def eq(self: Any, other: Any) -> Tensor: return F.eq(self, other)
    def ne(self: Any, other: Any) -> Tensor: return F.ne(self, other)
    def lt(self: Any, other: Any) -> Tensor: return F.lt(self, other)
    def le(self: Any, other: Any) -> Tensor: return F.le(self, other)
    def gt(self: Any, other: Any) -> Tensor: return F.gt(self, other)
    def ge(self: Any, other: Any) -> Tensor: return F.ge(self, other)
    def equal(self: Any, other: Any) -> Truth: return F.equal(self, other)

    def isnan(self: Any) -> Tensor: return F.isnan(self)
    def isinf(self: Any) -> Tensor: return F.isinf(self)
    def isfinite(self: Any) -> Tensor: return F.isfinite(self)
    def logical_and(self: Any, other: Any) -> Tensor: return F.logical_and(self, other)
    def logical_or(self: Any, other: Any) -> Tensor: return F.logical_or(self, other)
    def logical_not(self: Any) -> Tensor: return F.logical_not(self)

    # ---- the functions themselves: `connect` puts them here --------------------------------------
    if TYPE_CHECKING:
        frexp = F.frexp
        i0 = F.i0
        mvlgamma = F.mvlgamma
        allclose = F.allclose
        bmm = F.bmm
        broadcast_to = F.expand
        dot = F.dot
        gather = F.gather
        mm = F.mm
        swapaxes = F.swapaxes
        to = F.to
        sum = F.sum
        mean = F.mean
        var = F.var
        std = F.std
        prod = F.prod
        cumprod = F.cumprod
        cumsum = F.cumsum
        hardshrink = F.hardshrink
        norm = F.norm
        logsumexp = F.logsumexp
        amax = F.amax
        amin = F.amin
        max = F.max
        min = F.min
        argmax = F.argmax
        argmin = F.argmin
        any = F.any
        all = F.all
        softmax = F.softmax
        log_softmax = F.log_softmax
        reshape = F.reshape
        squeeze = F.squeeze
        unsqueeze = F.unsqueeze
        unbind = F.unbind
        chunk = F.chunk
        flip = F.flip
        permute = F.permute
        movedim = F.movedim
        moveaxis = F.movedim
        swapdims = F.transpose
        ravel = F.ravel
        t = F.t
        expand = F.expand
        repeat = F.repeat
        tile = F.tile
        take_along_dim = F.take_along_dim
        absolute = F.abs
        negative = F.neg
        multiply = F.mul
        subtract = F.sub
        divide = F.div
        true_divide = F.div
        floor_divide = F.floor_divide
        greater = F.gt
        greater_equal = F.ge
        less = F.lt
        less_equal = F.le
        not_equal = F.ne
        bitwise_and = F.bitwise_and
        bitwise_not = F.bitwise_not
        bitwise_or = F.bitwise_or
        bitwise_xor = F.bitwise_xor
        logical_xor = F.logical_xor
        isclose = F.isclose
        prelu = F.prelu
        heaviside = F.heaviside
        mv = F.mv
        sort = F.sort
        argsort = F.argsort
        msort = F.msort
        topk = F.topk
        nonzero = F.nonzero
        argwhere = F.argwhere
        count_nonzero = F.count_nonzero
        masked_select = F.masked_select
        unique = F.unique
        bincount = F.bincount
        narrow = F.narrow
        select = F.select
        diagonal = F.diagonal
        diag = F.diag
        repeat_interleave = F.repeat_interleave
        outer = F.outer
        ger = F.outer
        inner = F.inner
        vdot = F.vdot
        addmm = F.addmm
        addmv = F.addmv
        addr = F.addr
        baddbmm = F.baddbmm
        addbmm = F.addbmm
        addcmul = F.addcmul
        addcdiv = F.addcdiv
        lerp = F.lerp
        logaddexp = F.logaddexp
        nan_to_num = F.nan_to_num
        positive = F.positive
        diagonal_scatter = F.diagonal_scatter
        index_add = F.index_add
        index_copy = F.index_copy
        index_fill = F.index_fill
        index_put = F.index_put
        index_reduce = F.index_reduce
        masked_scatter = F.masked_scatter
        put = F.put
        scatter = F.scatter
        scatter_add = F.scatter_add
        scatter_reduce = F.scatter_reduce
        select_scatter = F.select_scatter
        slice_scatter = F.slice_scatter
        take = F.take
        aminmax = F.aminmax
        cummax = F.cummax
        cummin = F.cummin
        diff = F.diff
        dist = F.dist
        fliplr = F.fliplr
        flipud = F.flipud
        nanmean = F.nanmean
        nansum = F.nansum
        trace = F.trace
        acos = F.acos
        acosh = F.acosh
        angle = F.angle
        arccos = F.acos
        arccosh = F.acosh
        arcsin = F.asin
        arcsinh = F.asinh
        arctan = F.atan
        arctan2 = F.atan2
        arctanh = F.atanh
        asin = F.asin
        asinh = F.asinh
        atan = F.atan
        atan2 = F.atan2
        atanh = F.atanh
        clamp_max = F.clamp_max
        clamp_min = F.clamp_min
        copysign = F.copysign
        cosh = F.cosh
        deg2rad = F.deg2rad
        digamma = F.digamma
        erfc = F.erfc
        erfinv = F.erfinv
        exp2 = F.exp2
        fmax = F.fmax
        fmin = F.fmin
        fmod = F.fmod
        frac = F.frac
        gcd = F.gcd
        hypot = F.hypot
        isneginf = F.isneginf
        isposinf = F.isposinf
        isreal = F.isreal
        lcm = F.lcm
        lgamma = F.lgamma
        logit = F.logit
        rad2deg = F.rad2deg
        sgn = F.sgn
        signbit = F.signbit
        sinc = F.sinc
        sinh = F.sinh
        tan = F.tan
        xlogy = F.xlogy
        bitwise_left_shift = F.bitwise_left_shift
        bitwise_right_shift = F.bitwise_right_shift
        corrcoef = F.corrcoef
        cov = F.cov
        cross = F.cross
        diag_embed = F.diag_embed
        diagflat = F.diagflat
        dsplit = F.dsplit
        fix = F.trunc
        float_power = F.float_power
        histc = F.histc
        hsplit = F.hsplit
        kron = F.kron
        kthvalue = F.kthvalue
        ldexp = F.ldexp
        logaddexp2 = F.logaddexp2
        logcumsumexp = F.logcumsumexp
        median = F.median
        mode = F.mode
        nanmedian = F.nanmedian
        nanquantile = F.nanquantile
        nextafter = F.nextafter
        quantile = F.quantile
        renorm = F.renorm
        rot90 = F.rot90
        split_with_sizes = F.split_with_sizes
        tensor_split = F.tensor_split
        unique_consecutive = F.unique_consecutive
        vsplit = F.vsplit


for _name, _method in vars(TensorMethods).items():
    if isinstance(_method, FunctionType) and _name.endswith("_") and not _name.endswith("__") and not _method.__doc__:
        _method.__doc__ = f"The tensor's method {_method.__name__[:-1]}, or the function of that name, in place."


THE_FUNCTIONS = """
    absolute acos acosh addbmm addcdiv addcmul addmm addmv addr all allclose amax amin aminmax angle
    any arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin argsort argwhere asin
    asinh atan atan2 atanh baddbmm bincount bitwise_and bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor bmm broadcast_to chunk clamp_max clamp_min copysign corrcoef
    cosh count_nonzero cov cross cummax cummin cumprod cumsum deg2rad diag diag_embed diagflat
    diagonal diagonal_scatter diff digamma dist divide dot dsplit erfc erfinv exp2 expand fix flip
    fliplr flipud float_power floor_divide fmax fmin fmod frac frexp gather gcd ger greater
    greater_equal hardshrink heaviside histc hsplit hypot i0 index_add index_copy index_fill
    index_put index_reduce inner isclose isneginf isposinf isreal kron kthvalue lcm ldexp lerp less
    less_equal lgamma log_softmax logaddexp logaddexp2 logcumsumexp logical_xor logit logsumexp
    masked_scatter masked_select max mean median min mm mode moveaxis movedim msort multiply mv
    mvlgamma nan_to_num nanmean nanmedian nanquantile nansum narrow negative nextafter nonzero norm
    not_equal outer permute positive prelu prod put quantile rad2deg ravel renorm repeat
    repeat_interleave reshape rot90 scatter scatter_add scatter_reduce select select_scatter sgn
    signbit sinc sinh slice_scatter softmax sort split_with_sizes squeeze std subtract sum swapaxes
    swapdims t take take_along_dim tan tensor_split tile to topk trace true_divide unbind unique
    unique_consecutive unsqueeze var vdot vsplit xlogy
"""


# Names that other libraries' tensors have, and this one has not: see `Absent`.
ABSENT = """
    H addbmm_ addmm_ addmv_ addr_ adjoint append apply_ as_numpy as_strided as_strided_
    as_strided_scatter asnumpy astype baddbmm_ bfloat16 cauchy_ ccol_indices cdouble cfloat
    cholesky cholesky_inverse cholesky_solve coalesce col_indices conj conj_physical
    conj_physical_ const_data_ptr copy crow_indices dense_dim dequantize det dim_order
    dot_product exponential_ fill float_power_ geometric_ geqrf half igamma igamma_ igammac
    igammac_ imag indices int_repr inverse ipu is_coalesced is_conj is_cpu
    is_distributed is_inference is_ipu is_maia is_meta is_mkldnn is_mps is_mtia is_neg is_nested
    is_pinned is_quantized is_same_size is_shared is_signed is_sparse is_sparse_csr is_vulkan
    is_xla is_xpu layout len length log_normal_ logdet lstsq lu lu_solve mH map2_ map_
    matrix_exp matrix_power mtia narrow_copy new new_empty_strided nonzero_static orgqr ormqr
    pin_memory pinverse plot q_per_channel_axis q_per_channel_scales q_per_channel_zero_points
    q_scale q_zero_point qr qscheme real record_stream register_backward_hook
    register_post_accumulate_grad_hook resize resize_ resize_as resize_as_ resize_as_sparse_
    resolve_conj resolve_neg retains_grad row_indices set_ share_memory_ slice_inverse slogdet
    smm solve sparse_dim sparse_mask sparse_resize_ sparse_resize_and_clear_ squeeze_ sspaddmm
    step stft storage storage_offset storage_type sum_ sum_to_size svd swapaxes_ swapdims_
    symeig t_ to_dense to_mkldnn to_numpy to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr
    to_sparse_coo to_sparse_csc to_sparse_csr transpose_ triangular_solve unsafe_chunk
    unsafe_split unsafe_split_with_sizes unsqueeze_ untyped_storage values xpu zero_grad
"""


class Absent:
    """What a tensor has under such a name: an AttributeError that says what to use.

    A __getattr__ would say it of any name, but slow every look at an attribute down fourfold.
    """

    __slots__ = ("name",)

    def __init__(self, name: str):
        self.name = name

    def __get__(self, obj: Any, cls: Any = None) -> Any:
        def find() -> str:
            from .names import advice_about
            return advice_about(cls if obj is None else obj, self.name)
        raise AttributeMistake(f"Tensor has no attribute {self.name!r}", find=find)


def connect(functions: Any, creation: Any, init: Any) -> None:
    """The functions exist. Called once, by fastnn/__init__.py."""
    global F, C, I
    F, C, I = functions, creation, init
    for name in THE_FUNCTIONS.split():
        setattr(TensorMethods, name, getattr(functions, name))
    for name in ABSENT.split():
        setattr(TensorMethods, name, Absent(name))


_COMPARED = (bool, int, float, np.generic, np.ndarray)


def comparable(other: Any) -> bool:
    """Whether == and != compare values; else (None, text) Python compares identity."""
    return isinstance(other, (TensorMethods, *_COMPARED))


def recorded(*operands: Any) -> bool:
    """Whether the tape would record an op on these."""
    return is_grad_enabled() and any(getattr(x, "requires_grad", False) for x in operands)


def the_from(who: str, given: Any, python: dict[str, Any]) -> Any:
    """The argument `from`, written as **{"from": 0}, or what was given for it by place."""
    for name in python:
        if name != "from":
            from .names import wrong_argument
            raise wrong_argument(f"Tensor.{who}", name, ("from_", "to", "generator"))
    return python.get("from", given)


def need_own_type(t: Any, who: str, dtype: Any) -> None:
    """The result stands in t's memory, so its type is t's."""
    if dtype is not None and np.dtype(dtype) != t.dtype:
        raise DTypeError(who=who, expected=f"dtype {t.dtype}, in which the result stands", got=dtype,
                         hint=f"Use {who[:-1]}(dim, dtype=...).")


def changed(t: Any, who: str, function: Callable[..., Tensor], *operands: Any, **attrs: Any) -> Tensor:
    """t = function(t, *operands), in t's memory; the tape follows."""
    t._may_change(who)
    before = t._before() if recorded(t, *operands) else t
    return written(t, who, function(before, *operands, **attrs))


def written(t: Any, who: str, values: Any) -> Tensor:
    """t with these values in its memory; the tape follows."""
    write(t, who, None, values)
    return t


def compared(t: Any, who: str, function: Callable[..., Tensor], other: Any) -> Tensor:
    """t = function(t, other) as 0 and 1, in t's memory, with a gradient of zeros."""
    def as_numbers(a: Any, b: Any) -> Tensor:
        return stepped(who, function(a, b)._data.astype(t._data.dtype), a, b)
    return changed(t, who, as_numbers, other)


def augmented(t: Any, who: str, function: Callable[..., Tensor], other: Any) -> Tensor:
    """What `t += other` leaves in t: t itself, changed in place.

    But for the result of an op, which others may have saved for backward: there the name gets a new
    tensor, and the result stays as it is.
    """
    if is_grad_enabled() and t.node is not None and t._base is None and len(t._version) == 1:
        return function(t, other)
    return changed(t, who, function, other)


moved_names(__name__)
