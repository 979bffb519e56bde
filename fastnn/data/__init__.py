"""Data: datasets, splits and batches, the bundled handwritten digits, and toy problems.

>>> import fastnn as nn
>>> train = nn.data.digits("train")
>>> loader = nn.data.DataLoader(train, batch_size=64, shuffle=True)
>>> images, labels = next(iter(loader))
>>> images.shape, labels.shape
((64, 1, 8, 8), (64,))
"""

from typing import Any

from ..moved import moved_names
from .dataset import Dataset, TensorDataset
from .loader import DataLoader
from .sets import digits, moons, spirals, xor
from .splits import Subset, random_split

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "digits", "moons", "random_split", "spirals", "xor"]


moved_names(__name__)
