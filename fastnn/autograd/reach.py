"""Which nodes lead from outputs to the tensors whose gradients are wanted: the others need not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from . import tape

if TYPE_CHECKING:
    from ..tensor import Tensor

__all__ = ["Place", "Wanted"]

# (id(node), which output). Parents hold (node, output); dicts are keyed by Place.
Place = tuple[int, int]


class Wanted:
    """The tensors whose gradients are wanted, and the nodes through which these pass.

    places      results of ops: where each was made -> the tensor
    leaves      id(leaf) -> the leaf
    nodes       those under `outputs` that lead to one of them, or that made one

    Raises
    ------
    GraphError
        A node that may lead to one of them was used and freed: it no longer knows its parents.
    """

    def __init__(self, outputs: Iterable[Tensor], inputs: Sequence[Tensor]) -> None:
        self.places: dict[Place, Tensor] = {(id(t.node), t.index): t for t in inputs if not t.is_leaf}
        self.leaves: dict[int, Tensor] = {id(t): t for t in inputs if t.is_leaf}
        self.nodes: set[tape.Node] = set()
        makers = {t.node for t in self.places.values()}
        # parents are older than their children: nothing is to be found under the oldest that counts
        oldest = -1 if self.leaves else min(node.order for node in makers)
        seen: set[tape.Node] = set()
        waiting = [t.node for t in outputs if not t.is_leaf]
        while waiting:
            node = waiting.pop()
            if node not in seen and node.order >= oldest:
                if node.backward is None and node.order > oldest:
                    node.check_saved()                  # raises
                seen.add(node)
                waiting += [parent[0] for parent in node.parents if parent.__class__ is tuple]
        for node in sorted(seen, key=lambda node: node.order):
            if node in makers or any(self.needs(node)):
                self.nodes.add(node)

    def needs(self, node: tape.Node) -> list[bool]:
        """For each input of the node whether its gradient is wanted, or leads to one that is."""
        return [self.has(parent) for parent in node.parents]

    def has(self, parent: Any) -> bool:
        """The same of a parent: a leaf, (Node, which output), or None."""
        if parent.__class__ is tuple:
            return parent[0] in self.nodes
        return id(parent) in self.leaves
