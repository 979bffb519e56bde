"""Published networks, one file a paper, and files that hold a network together with what is needed
to build it again.

>>> import fastnn as nn
>>> sum(p.numel() for p in nn.models.LeNet5().parameters())
61706
>>> nn.models.list_models()
['digits', 'lenet', 'resnet18', 'resnet18-32', 'gpt2', 'gpt-4x128', 'gpt-6x384']
"""

from typing import Any

from ..moved import moved_names
from . import published
from .files import ARCHITECTURES, load, preprocessing_of, save
from .language.gpt2 import GPT2LMHeadModel
from .registry import RECORDS, Record, get_model, get_record, list_models, record_of
from .vision.digits import DigitsCNN
from .vision.lenet import LeNet5
from .vision.preprocessing import Ink, Photo
from .vision.resnet import ResNet, resnet18

__all__ = ["ARCHITECTURES", "RECORDS", "DigitsCNN", "GPT2LMHeadModel", "Ink", "LeNet5", "Photo", "Record", "ResNet",
           "get_model", "get_record", "list_models", "load", "preprocessing_of", "record_of", "resnet18", "save"]


moved_names(__name__)
