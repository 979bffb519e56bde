"""The ops, one file per family: the record, and the differentiable function with its docstring.

Start at fastnn/op.py.
"""

from typing import Any

from ..moved import moved_name
from ..op import OPS, Op, Sample, register

__all__ = ["OPS", "Op", "Sample", "register"]


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
