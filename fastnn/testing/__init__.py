"""Checks that are public: the laws that every op of fastnn obeys, the law of optimisers, gradcheck,
and use_kernel. Run them on your own ops and optimisers.
"""

from ..moved import moved_names
from . import laws
from .gradcheck import gradcheck, op_gradcheck
from .replace import use_kernel
from .trajectory import trajectory_is_the_definition

__all__ = ["gradcheck", "laws", "op_gradcheck", "trajectory_is_the_definition", "use_kernel"]


__getattr__ = moved_names(__name__)
