"""Datasets: what can be counted and indexed, and how a batch is taken out of it in one go.

A dataset is any object with `len(d)` and `d[i]`. What makes loading fast is one more method,
`batch(indices)`, which returns many samples at once as a tuple of arrays: `TensorDataset` does it
with one fancy index per array, so that no Python runs per sample. `Dataset` gives everything else a
`batch` that stacks single samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import empty
from ..errors import DTypeError, RangeError, ShapeError
from ..tensor import Tensor, tensor

__all__ = ["Dataset", "Subset", "TensorDataset", "random_split"]


class Dataset:
    """Base of datasets of your own: write `__len__` and `__getitem__`; DataLoader does the rest.

    Override `batch` as well where many samples can be had at less than the price of each one alone.

    Examples
    --------
    >>> from fastnn.data import DataLoader, Dataset
    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 5
    ...     def __getitem__(self, i):
    ...         return float(i), i * i
    >>> [y.data.tolist() for x, y in DataLoader(Squares(), batch_size=2)]
    [[0, 1], [4, 9], [16]]
    """

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self): the number of samples")

    def __getitem__(self, index: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index): one sample")

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        """The samples at `indices`, integers (B,), as a tuple of arrays of shape (B, ...)."""
        return collate([self[int(i)] for i in indices])


def _rows(a: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """a[indices], in memory that begins a cache line. IndexError outside."""
    index = np.asarray(indices)
    if index.size == 0 or index.dtype.kind not in "iu" or not -len(a) <= index.min() <= index.max() < len(a):
        return a.take(indices, axis=0)
    # "raise" would make a copy more
    return a.take(index, axis=0, out=empty((*index.shape, *a.shape[1:]), a.dtype), mode="wrap")


class TensorDataset(Dataset):
    """Arrays of equal length; sample i is the tuple of their i-th rows.

    Parameters
    ----------
    *tensors : Tensor or array, each of shape (n, ...)
        Kept without a copy, and read-only as far as the dataset is concerned: batches are copies.

    Attributes
    ----------
    tensors : tuple of Tensor
        The whole set at once: `x, y = dataset.tensors`.

    Raises
    ------
    ShapeError
        No array, an array without a first axis, or lengths that differ.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.data import TensorDataset
    >>> images, labels = np.zeros((10, 1, 8, 8), np.float32), np.arange(10)
    >>> dataset = TensorDataset(images, labels)
    >>> len(dataset)
    10
    >>> x, y = dataset[3]
    >>> x.shape, int(y)
    ((1, 8, 8), 3)
    """

    def __init__(self, *tensors: Any):
        self.tensors = tuple(t if isinstance(t, Tensor) else tensor(t) for t in tensors)
        if not self.tensors:
            raise ShapeError("no array given", who="TensorDataset", hint="Write TensorDataset(images, labels).")
        for position, t in enumerate(self.tensors):
            if t.data.ndim == 0:
                raise ShapeError(who=f"TensorDataset, array {position}", expected="(n, ...)", got="a single number")
        lengths = [len(t.data) for t in self.tensors]
        if len(set(lengths)) > 1:
            raise ShapeError(
                "the arrays differ in their number of samples", who="TensorDataset", expected="one length",
                got=" and ".join(str(t.data.shape) for t in self.tensors),
                hint="The first axis of every array counts the samples.",
            )

    def __len__(self) -> int:
        return len(self.tensors[0].data)

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor(t.data[index]) for t in self.tensors)

    def batch(self, indices: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(_rows(t.data, indices) for t in self.tensors)

    def __repr__(self) -> str:
        arrays = ", ".join(f"{t.data.dtype}{list(t.data.shape)}" for t in self.tensors)
        return f"TensorDataset({arrays})"


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


def random_split(dataset: Any, lengths: Sequence[float], seed: int = 0) -> list[Subset]:
    """Deal the samples of a dataset out at random into parts that do not overlap.

    Parameters
    ----------
    dataset : Dataset, or anything with `len` and indexing
    lengths : integers that add up to `len(dataset)`, or fractions that add up to 1
        A fraction f gets floor(f * n) samples; those left over go to the first parts, one each.
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
        parts = [int(round(part * n, 6)) for part in parts]      # 0.29 * 100 is 28.999999999999996, and means 29
        for k in range(n - sum(parts)):
            parts[k % len(parts)] += 1
    if any(part != int(part) for part in parts) or sum(parts) != n:
        raise RangeError(who="random_split", expected=expected, got=list(lengths))
    order = permutation(n, seed)
    ends = np.cumsum([int(part) for part in parts])
    return [Subset(dataset, order[end - int(part):end]) for part, end in zip(parts, ends, strict=True)]


def permutation(n: int, seed: int, stream: int = 0) -> np.ndarray:
    """The numbers 0 to n - 1 in a random order that depends on (seed, stream) alone.

    Sorts n words of the counter-based generator Philox with key (seed, stream). NumPy promises the
    same words in all its versions, and does not promise that of `Generator.permutation`. Cost: a
    sort, some 15 ms for 60,000 samples.

    Salmon, Moraes, Dror, Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3".
    """
    words = philox(seed, stream).random_raw(n)
    return np.argsort(words, kind="stable")


def philox(seed: int, stream: int, block: int = 0, offset: int = 0) -> np.random.Philox:
    """The counter-based generator at key (seed, stream), counting from (block, offset).

    No two of them overlap.
    """
    return np.random.Philox(key=np.array([seed, stream], np.uint64),
                            counter=np.array([0, 0, block, offset], np.uint64))


def fetch(dataset: Any, indices: np.ndarray) -> tuple[np.ndarray, ...]:
    """A batch out of any dataset: by its own `batch` if it has one, else sample by sample."""
    if isinstance(dataset, Dataset):
        return dataset.batch(indices)
    return collate([dataset[int(i)] for i in indices])


def collate(samples: Sequence[Any]) -> tuple[np.ndarray, ...]:
    """Stack samples to a tuple of arrays (B, ...), one for each field of a sample.

    A sample is a tuple or list of fields, or one field alone; a field is an array, a Tensor or a
    number (or nested lists of numbers, inside a tuple). Python floats become float32, Python ints
    int64.

    Raises
    ------
    ShapeError
        Fields of different shapes, or samples with different numbers of fields.
    DTypeError
        A field that is neither a number nor an array of numbers.
    """
    rows = [sample if isinstance(sample, (tuple, list)) else (sample,) for sample in samples]
    width = len(rows[0])
    for row in rows:
        if len(row) != width:
            raise ShapeError("samples differ in their number of fields", who="DataLoader", expected=width, got=len(row))
    return tuple(_stack([_field(row[k]) for row in rows], k) for k in range(width))


def _field(value: Any) -> np.ndarray:
    array = value.data if isinstance(value, Tensor) else np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise DTypeError("cannot make a batch of this", who="DataLoader", expected="numbers, arrays or Tensors",
                         got=type(value).__name__)
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return array
    return array.astype({"f": np.float32, "i": np.int64}.get(array.dtype.kind, array.dtype))


def _stack(arrays: list[np.ndarray], field: int) -> np.ndarray:
    for array in arrays:
        if array.shape != arrays[0].shape:
            raise ShapeError(
                f"field {field} of the samples differs in shape", who="DataLoader", expected=arrays[0].shape,
                got=array.shape, hint="Pad or crop the samples to one shape in __getitem__.",
            )
    return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), np.result_type(*arrays)))
