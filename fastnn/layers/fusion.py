"""chain: layers one after the other, two of them in one pass where there is a function for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import functional as F
from ..errors import FastnnError
from ..guard import guarded
from ..op import REPLACED
from ..tensor import Tensor
from .activation import ReLU
from .convolution import Conv2d
from .linear import Linear
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d

__all__ = ["chain"]


@guarded
def chain(input: Any, *layers: Callable[[Any], Any]) -> Tensor:
    """layers[-1](... layers[1](layers[0](input))), as fast as Sequential computes it.

    For the forward of a model whose layers have names of their own, where a Sequential would change
    the keys of its state_dict. Where a layer and the one after it have a function that does both in
    one pass, that is what runs:

        Linear, ReLU         F.linear_relu
        Conv2d, ReLU         F.conv2d_relu
        BatchNorm, ReLU      F.batch_norm_relu         BatchNorm1d and BatchNorm2d

    What lies between the two is then never written to memory: one pass over it is saved in forward
    and one in backward.

    Parameters
    ----------
    input : Tensor
        What the first layer takes.
    layers : modules, or functions of one tensor
        Only modules are fused.

    Returns
    -------
    What the last layer returns; `input` without layers. Values have the bits that the layers give
    when they are called one by one.

    Raises
    ------
    FastnnError
        What the layer that fails raises, with its path in the model.

    The layers are called one by one wherever one could tell the difference: hooks on one of the
    two, a forward of its own (in a class derived from these, or assigned to the layer or to its
    class), an op replaced by use_kernel.

    >>> import fastnn as nn
    >>> class Block(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.conv1, self.bn1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
    ...         self.relu = nn.ReLU()
    ...     def forward(self, x):
    ...         return nn.chain(x, self.conv1, self.bn1, self.relu)
    >>> y = Block()(nn.zeros(2, 3, 5, 5))
    >>> y.shape, y.node.name
    ((2, 8, 5, 5), 'batch_norm_relu')
    """
    i, last = 0, len(layers) - 1
    while i < last:
        layer: Any = layers[i]
        i += 1
        followers = FUSIONS.get(layer.__class__)
        if followers is not None:
            after: Any = layers[i]
            both = followers.get(after.__class__)
            if both is not None and fusible(layer, after):
                try:
                    input = both(layer, input)
                except FastnnError as error:        # as Module.__call__ does
                    layer._tell(error, (input,))
                    raise
                i += 1
                continue
        input = layer(input)
    return layers[i](input) if i == last else input


# A layer -> the one after it -> the function of the first layer and its input that computes both.
# Exactly these classes: a class derived from them may have another forward.
FUSIONS: dict[type, dict[type, Callable[[Any, Any], Any]]] = {
    Linear: {ReLU: lambda layer, input: F.linear_relu(input, layer.weight, layer.bias)},
    Conv2d: {ReLU: lambda layer, input: layer.convolved(F.conv2d_relu, input)},
    BatchNorm1d: {ReLU: lambda layer, input: layer.normalised(F.batch_norm_relu, input)},
    BatchNorm2d: {ReLU: lambda layer, input: layer.normalised(F.batch_norm_relu, input)},
}

# Their forwards as they are defined: one that was replaced in the class since then is to be called.
FORWARDS: dict[type, Callable[..., Any]] = {
    layer: layer.forward for layer in (Linear, Conv2d, BatchNorm1d, BatchNorm2d, ReLU)}


def fusible(first: Module, second: Module) -> bool:
    """Whether nobody can tell that what lies between the two is never computed: no hooks, no
    forward of their own, no op replaced (nn.use_kernel).
    """
    a, b = first.__dict__, second.__dict__  # faster than getattr: this is asked in every forward
    return not (REPLACED or a["_forward_hooks"] or a["_forward_pre_hooks"] or b["_forward_hooks"]
                or b["_forward_pre_hooks"] or "forward" in a or "forward" in b
                or first.__class__.forward is not FORWARDS[first.__class__]
                or second.__class__.forward is not FORWARDS[second.__class__])
