"""Layers: modules that own parameters and call functions.

PyTorch's names, arguments and state_dict keys.
"""

from . import (
    activation,
    attention,
    container,
    convolution,
    distance,
    dropout,
    embedding,
    fusion,
    linear,
    loss,
    module,
    norm,
    padding,
    pooling,
    recurrent,
    shuffle,
    upsampling,
)
from .activation import *
from .attention import *
from .container import *
from .convolution import *
from .distance import *
from .dropout import *
from .embedding import *
from .fusion import *
from .linear import *
from .loss import *
from .module import *
from .norm import *
from .padding import *
from .pooling import *
from .recurrent import *
from .shuffle import *
from .upsampling import *

__all__: list[str] = []
for _room in (activation, attention, container, convolution, distance, dropout, embedding, fusion, linear, loss, module,
              norm, padding, pooling, recurrent, shuffle, upsampling):
    __all__ += _room.__all__
