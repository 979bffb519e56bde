"""Layers: modules that own parameters and call functions.

PyTorch's names, arguments and state_dict keys.
"""

from . import (
    activation,
    attention,
    container,
    convolution,
    dropout,
    embedding,
    fusion,
    linear,
    loss,
    module,
    norm,
    pooling,
    recurrent,
)
from .activation import *
from .attention import *
from .container import *
from .convolution import *
from .dropout import *
from .embedding import *
from .fusion import *
from .linear import *
from .loss import *
from .module import *
from .norm import *
from .pooling import *
from .recurrent import *

__all__: list[str] = []
for _room in (activation, attention, container, convolution, dropout, embedding, fusion, linear, loss, module, norm,
              pooling, recurrent):
    __all__ += _room.__all__
