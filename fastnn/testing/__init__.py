"""Checks for ops: the laws that every op of fastnn obeys, gradcheck, and use_kernel.

Public: run them on your own ops.
"""

from . import laws
from .gradcheck import gradcheck, op_gradcheck
from .replace import use_kernel

__all__ = ["gradcheck", "laws", "op_gradcheck", "use_kernel"]
