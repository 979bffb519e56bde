"""Parts of a dataset: a choice of its samples, and a random division into train and test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError, ShapeError
from ..guard import guard_all, guard_methods
from ..random import Generator, stream_of
from ..tensor import Tensor
from .dataset import Dataset, fetch, permutation

__all__ = ["Subset", "random_split"]


class Subset(Dataset):
    """Some samples of a dataset, in the order of `indices`; nothing is copied.

    Parameters
    ----------
    dataset : Dataset, or anything with `len` and indexing
    indices : integers of shape (m,), or a boolean mask of shape (n,)
        Negative integers count from the end.

    Raises
    ------
    ShapeError
        Indices that are not one-dimensional, or a mask of another length.
    RangeError
        An index outside the dataset.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.data import Subset, TensorDataset
    >>> dataset = TensorDataset(np.arange(10.0), np.arange(10) % 3)
    >>> even = Subset(dataset, range(0, 10, 2))
    >>> class_0 = Subset(dataset, dataset.tensors[1].data == 0)
    >>> len(even), len(class_0)
    (5, 4)
    """

    def __init__(self, dataset: Any, indices: Any):
        n = len(dataset)
        if isinstance(indices, Tensor):
            indices = indices.data
        index = np.asarray(indices if isinstance(indices, np.ndarray) else list(indices))
        if index.ndim != 1:
            raise ShapeError(who="Subset", expected="indices of shape (m,)", got=index.shape)
        if index.dtype == bool:
            if len(index) != n:
                raise ShapeError(who="Subset", expected=f"a mask of {n} samples", got=len(index))
            index = np.flatnonzero(index)
        elif index.size and index.dtype.kind not in "iu":
            raise DTypeError(who="Subset", expected="integer indices or a boolean mask", got=index.dtype)
        index = index.astype(np.intp)
        outside = (index < -n) | (index >= n)
        if outside.any():
            raise RangeError(who="Subset", expected=f"indices below {n}, the dataset's length",
                             got=int(index[outside.argmax()]))
        self.dataset, self.indices = dataset, np.where(index < 0, index + n, index)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        return self.dataset[int(self.indices[index])]

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        return fetch(self.dataset, self.indices[indices])

    def __repr__(self) -> str:
        return f"Subset({len(self)} of {len(self.dataset)} samples of {type(self.dataset).__name__})"


def random_split(dataset: Any, lengths: Sequence[float], generator: Generator | None = None, *,
                 seed: int = 0) -> list[Subset]:
    """Deal the samples of a dataset out at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset, or anything with `len` and indexing
    lengths : integers that add up to `len(dataset)`, or fractions that add up to 1
        A fraction f gets floor(f * n) samples; those left over go to the first parts, one each.
    generator : nn.Generator, optional
        Where the seed is drawn from.
    seed : int
        The same seed gives the same parts, on every machine and with every version of NumPy.

    Raises
    ------
    RangeError
        Lengths that do not add up, or a negative one.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.data import TensorDataset, random_split
    >>> train, valid = random_split(TensorDataset(np.arange(10)), [0.8, 0.2])
    >>> len(train), len(valid)
    (8, 2)
    """
    n = len(dataset)
    parts: list[Any] = list(lengths)
    expected = f"integers that add up to {n}, or fractions that add up to 1"
    if not parts or any(not 0 <= part < float("inf") for part in parts):
        raise RangeError(who="random_split", expected=expected, got=parts)
    if sum(parts) != n and abs(sum(parts) - 1) < 1e-6:
        # 0.29 * 100 is 28.999999999999996, and means 29
        parts = [int(round(part * n, 6)) for part in parts]
        for k in range(n - sum(parts)):
            parts[k % len(parts)] += 1
    if any(part != int(part) for part in parts) or sum(parts) != n:
        raise RangeError(who="random_split", expected=expected, got=list(lengths))
    if generator is not None:
        seed = int(stream_of("random_split", generator).integers(2**63))
    order = permutation(n, seed)
    ends = np.cumsum([int(part) for part in parts])
    return [Subset(dataset, order[end - int(part):end]) for part, end in zip(parts, ends, strict=True)]


guard_all(globals())
guard_methods(Subset, "__getitem__", "batch")
