"""Every op under the laws, summed up in a line for each op or family: what `python -m fastnn check`
runs.

An op with a kernel is compared with its definition, forward and backward. An op without one (a
view, or all of them where nothing was compiled) runs on its definition, and that one's gradient is
checked by finite differences instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from ..op import Op
from . import laws

__all__ = ["DTYPES", "Verdict", "check_families", "check_op"]

DTYPES = ("float32", "float64")


@dataclass
class Verdict:
    """The outcome for one op or one family."""

    name: str
    ops: int = 0
    cases: int = 0
    worst: float = 0.0                      # the largest error as a share of its allowance
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures

    def add(self, other: Verdict) -> None:
        self.ops += other.ops
        self.cases += other.cases
        self.worst = max(self.worst, other.worst)
        self.failures += other.failures


def check_op(op: Op, dtypes: Sequence[str] = DTYPES, everything: bool = False) -> Verdict:
    """Every sample of the op in every dtype under the laws. What fails is told, and the rest goes
    on.

    everything: all laws, not only those that compare kernel and definition.

    >>> from fastnn.op import OPS
    >>> check_op(OPS["relu"]).passed
    True
    """
    verdict = Verdict(op.name, ops=1)
    for sample in op.samples():
        for law in laws_for(op, everything):
            # this law works in float64, whatever it is given
            for dtype in dtypes[-1:] if law is laws.definition_gradient_is_the_derivative else dtypes:
                verdict.cases += 1
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")         # overflow where a sample wants it
                        verdict.worst = max(verdict.worst, law(op, sample, dtype))
                except AssertionError as error:
                    verdict.worst = float("inf")
                    verdict.failures.append(f"{dtype} {error}")
                except Exception as error:
                    verdict.worst = float("inf")
                    verdict.failures.append(f"{dtype} {op.name}[{sample.name}]: {law.__name__}: "
                                            f"{type(error).__name__}: {error}")
    return verdict


def laws_for(op: Op, everything: bool) -> list[Callable[..., float]]:
    if everything:
        return list(laws.LAWS.values())
    if op.forward is None:
        return [laws.definition_gradient_is_the_derivative]
    return [laws.forward_is_the_definition, laws.backward_is_the_definition]


def check_families(ops: Iterable[Op], dtypes: Sequence[str] = DTYPES, everything: bool = False,
                   begin: Callable[[Op], None] = lambda op: None) -> list[Verdict]:
    """One verdict per family, in the order of the table of ops. begin(op) is called before each."""
    families: dict[str, Verdict] = {}
    for op in ops:
        begin(op)
        families.setdefault(op.family, Verdict(op.family)).add(check_op(op, dtypes, everything))
    return list(families.values())
