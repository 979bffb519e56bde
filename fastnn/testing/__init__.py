"""Checks for ops: the laws that every op of fastnn obeys, and gradcheck.

Public: run them on your own ops.
"""

from . import laws
from .gradcheck import gradcheck, op_gradcheck

__all__ = ["gradcheck", "laws", "op_gradcheck"]
