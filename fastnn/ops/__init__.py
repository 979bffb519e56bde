"""The ops, one file per family: the record, and the differentiable function with its docstring. Start at registry.py."""

from .registry import OPS, Op, Sample, register

__all__ = ["OPS", "Op", "Sample", "register"]
