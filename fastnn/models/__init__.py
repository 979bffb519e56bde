"""Ready-made networks, and files that hold a network together with what is needed to build it
again.

>>> import fastnn as nn
>>> sum(p.numel() for p in nn.models.LeNet5().parameters())
61706
"""

from .digits import DigitsCNN
from .files import ARCHITECTURES, load, save
from .lenet import LeNet5

__all__ = ["ARCHITECTURES", "DigitsCNN", "LeNet5", "load", "save"]
