"""Data: datasets, splits and batches, the bundled handwritten digits, and toy problems.

>>> import fastnn as nn
>>> train = nn.data.digits("train")
>>> loader = nn.data.DataLoader(train, batch_size=64, shuffle=True)
>>> images, labels = next(iter(loader))
>>> images.shape, labels.shape
((64, 1, 8, 8), (64,))
"""

from .bundled import digits
from .dataset import Dataset, Subset, TensorDataset, random_split
from .loader import DataLoader
from .toy import moons, spirals, xor

__all__ = ["DataLoader", "Dataset", "Subset", "TensorDataset", "digits", "moons", "random_split", "spirals", "xor"]
