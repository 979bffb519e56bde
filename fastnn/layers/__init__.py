"""Layers: modules that own parameters and call functions. PyTorch's names, arguments and state_dict keys."""

from .activation import *  # noqa: F403
from .container import *  # noqa: F403
from .convolution import *  # noqa: F403
from .dropout import *  # noqa: F403
from .embedding import *  # noqa: F403
from .linear import *  # noqa: F403
from .loss import *  # noqa: F403
from .module import *  # noqa: F403
from .norm import *  # noqa: F403
from .pooling import *  # noqa: F403
