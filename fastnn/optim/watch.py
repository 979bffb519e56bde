"""Two silent mistakes of a training loop, seen where its steps are made: no gradients, and
gradients that are never forgotten.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from ..errors import warn_once
from ..tensor import Tensor

__all__ = ["FirstSteps"]


class FirstSteps:
    """Looks at the first two steps of an optimiser, and not at those that follow.

    backward() adds to a gradient in place. So one that is the same tensor as in the step before,
    not written since, but with another sum of squares, has been added to and not forgotten between.
    """

    def __init__(self) -> None:
        self.done = False
        # a weak reference: it is added to in place where nobody else holds it
        self.gradient: Any = None
        self.version, self.squares = 0, 0.0

    def __reduce__(self) -> Any:
        return FirstSteps, ()                       # a copied or saved optimiser begins anew

    def look(self, name: str, gradients: list[Any]) -> None:
        """Before a step with these gradients."""
        if not gradients:
            warn_once("a step without gradients", f"{name}.step: no parameter has a gradient, so nothing changes. Is "
                      "loss.backward() called before it, and is the optimiser of this model's parameters?")
            return
        g = min(gradients, key=Tensor.numel)
        if self.gradient is None:
            self.gradient, self.version, self.squares = weakref.ref(g), g._version[0], squares(g)
            return
        self.done = True
        if self.gradient() is g and g._version[0] == self.version and squares(g) != self.squares:
            warn_once("zero_grad forgotten", f"{name}.step: the gradients of the step before are still in these. Call "
                      "optimizer.zero_grad() in the loop, before loss.backward().")


def squares(t: Tensor) -> float:
    """The sum of the squares; that of the values is 0 for many a gradient."""
    return float(np.vdot(t._data, t._data))
