"""What to measure, and against whom: from the names that a person gives to workloads and rivals."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from ..console import UserError
from ..op import OPS
from .contest import BACKWARD, STEP, Workload
from .libraries import PACKAGES
from .workloads import catalogue

__all__ = ["GROUPS", "choose", "choose_rivals"]

GROUPS = ("ops", "kernels", "networks")


def choose(names: Sequence[str], backward: bool = False) -> list[Workload]:
    """The workloads of these names; kernels and networks without any.

    A name is a group, a workload, an op, kernel or network, or a family of ops: the first of these
    that fits.

    Parameters
    ----------
    backward : bool
        Only forward+backward and training steps.

    Raises
    ------
    UserError
        A name that means nothing, with what is close to it; or nothing is left.
    """
    everything = catalogue()
    chosen: dict[str, Workload] = {}
    for name in names or ("kernels", "networks"):
        matches = meant(name, list(everything.values()))
        if not matches:
            raise unknown(name, everything)
        chosen.update({w.name: w for w in matches})
    workloads = [w for w in chosen.values() if not backward or w.direction in (BACKWARD, STEP)]
    if not workloads:
        raise UserError("none of these has a backward")
    return workloads


def meant(name: str, workloads: Sequence[Workload]) -> list[Workload]:
    """The workloads of the first meaning of a name that any fits."""
    family = {op.name for op in OPS.values() if op.family == name}
    meanings: list[Callable[[Workload], bool]] = [
        lambda w: w.group == name, lambda w: w.name == name, lambda w: w.name.startswith(f"{name}/"),
        lambda w: w.subject in family]
    return next((found for fits in meanings if (found := [w for w in workloads if fits(w)])), [])


def unknown(name: str, everything: dict[str, Workload]) -> UserError:
    if name in OPS:
        return UserError(f"{name} has no benchmark: it moves no numbers or has no kernel")
    known = [*GROUPS, *dict.fromkeys(w.subject for w in everything.values())]
    close = get_close_matches(name, known, n=3, cutoff=0.5) or [k for k in known if name in k][:3]
    hint = f"; did you mean {', '.join(close)}?" if close else ""
    return UserError(f"there is nothing called {name!r} to measure{hint}")


def choose_rivals(names: str) -> tuple[list[str], list[str]]:
    """(rivals that are installed, rivals that are not) of names with commas between them.

    UserError: a name that is no rival's.
    """
    wanted = [name for name in names.replace(" ", "").split(",") if name]
    for name in wanted:
        if name not in PACKAGES:
            raise UserError(f"cannot measure against {name!r}; known rivals are torch, numpy and onnxruntime")
    here = [name for name in wanted if all(importlib.util.find_spec(package) for package in PACKAGES[name])]
    return here, [name for name in wanted if name not in here]
