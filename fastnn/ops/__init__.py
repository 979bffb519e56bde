"""The ops, one file per family: what a user calls, and what fastnn knows about it.

In each file the functions come first, then what they share, checks, samples, errors, cost and
benchmarks, and last the records, which name all of these. Start at fastnn/op.py.
"""

from typing import Any

from ..moved import moved_names
from ..op import LATE, OPS, Op, Refusal, Sample, register

__all__ = ["OPS", "Op", "Refusal", "Sample", "register"]


moved_names(__name__)


def _slopes() -> Any:
    from .slopes import RULES
    return RULES


LATE["slopes"] = _slopes
