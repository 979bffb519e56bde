"""Layers: modules that own parameters and call functions. PyTorch's names, arguments and state_dict keys."""

from .activation import *
from .attention import *
from .container import *
from .convolution import *
from .dropout import *
from .embedding import *
from .linear import *
from .loss import *
from .module import *
from .norm import *
from .pooling import *
from .recurrent import *
