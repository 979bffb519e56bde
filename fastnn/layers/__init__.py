"""Layers: modules that own parameters and call functions.

PyTorch's names, arguments and state_dict keys.
"""

from types import ModuleType as _ModuleType

from .activation import *
from .adaptive_softmax import *
from .attention import *
from .container import *
from .convolution import *
from .distance import *
from .dropout import *
from .embedding import *
from .fusion import *
from .lazy import *
from .linear import *
from .loss import *
from .module import *
from .norm import *
from .padding import *
from .pooling import *
from .recurrent import *
from .shuffle import *
from .upsampling import *

# What the files list, without the files: `dropout` is a function to users. Type checkers, which
# read only lists that are written out, are not shown this one.
globals()["__all__"] = [name for name, value in globals().items()
                        if not name.startswith("_") and not isinstance(value, _ModuleType)]
