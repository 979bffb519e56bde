"""Checks that are public: the laws that every op of fastnn obeys, the law of optimisers, gradcheck,
and use_kernel. Run them on your own ops and optimisers.
"""

from ..moved import moved_names
from . import laws
from .derivatives import op_gradcheck
from .gradcheck import gradcheck
from .judge import judge
from .replace import use_kernel
from .trajectory import trajectory_is_the_definition

__all__ = ["gradcheck", "judge", "laws", "op_gradcheck", "trajectory_is_the_definition", "use_kernel"]


__getattr__ = moved_names(__name__)
