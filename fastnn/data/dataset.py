"""Datasets: what can be counted and indexed, and how a batch is taken out of it in one go.

A dataset is any object with `len(d)` and `d[i]`. What makes loading fast is one more method,
`batch(indices)`, which returns many samples at once as a tuple of arrays: `TensorDataset` does it
with one fancy index per array, so that no Python runs per sample. `Dataset` gives everything else a
`batch` that stacks single samples.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from ..arrays import empty
from ..errors import DTypeError, RangeError, ShapeError
from ..guard import described, guard_methods, named, strange
from ..moved import moved_names
from ..tensor import Tensor, array_of, tensor

__all__ = ["Dataset", "TensorDataset"]


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

    def batch(self, indices: np.ndarray) -> Any:
        """The samples at `indices`, integers (B,), as a tuple of arrays of shape (B, ...); samples
        that are dicts give a dict of them.
        """
        return collate([self[int(i)] for i in indices], indices)


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

    @named
    def __init__(self, *tensors: Any):
        self.tensors = tuple(numbers(f"TensorDataset, array {position}", t) for position, t in enumerate(tensors))
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


def numbers(who: str, rows: Any) -> Tensor:
    """The tensor of what was given as one; `who` is told where it holds something else."""
    try:
        return rows if isinstance(rows, Tensor) else tensor(rows)
    except (DTypeError, RangeError) as error:
        error.who = who
        raise


guard_methods(TensorDataset, "__getitem__", "batch")


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


def fetch(dataset: Any, indices: np.ndarray) -> Any:
    """A batch out of any dataset: by its own `batch` if it has one, else sample by sample."""
    if isinstance(dataset, Dataset):
        return dataset.batch(indices)
    return collate([dataset[int(i)] for i in indices], indices)


def collate(samples: Sequence[Any], places: Sequence[Any] | np.ndarray = ()) -> Any:
    """Stack samples to a tuple of arrays (B, ...), one for each field of a sample.

    A sample is a tuple or list of fields, or one field alone; a field is an array, a Tensor, a
    number or nested lists of numbers. Python floats become float32, Python ints int64. A sample, or
    a field, that is a dict or a tuple (also one with names) gives the same of stacked values, and a
    list that holds other things than numbers a tuple of them; text gives a list. `places` are the
    samples' numbers in the dataset, for errors.

    Raises
    ------
    ShapeError
        Fields of different shapes, or samples with different numbers of fields or other keys.
    DTypeError
        A field that is neither a number, an array of numbers, text nor made of them.
    """
    places = places if len(places) == len(samples) else range(len(samples))
    if isinstance(samples[0], Mapping):
        return _stack_dicts(samples, "", places)
    rows = [sample if isinstance(sample, (tuple, list)) else (sample,) for sample in samples]
    width = len(rows[0])
    for row in rows:
        if len(row) != width:
            raise ShapeError("samples differ in their number of fields", who="DataLoader", expected=width, got=len(row))
    return alike(rows[0], [_stack_values([row[k] for row in rows], str(k), k == width - 1 > 0, width, places)
                           for k in range(width)])


def alike(model: Any, fields: Sequence[Any]) -> Any:
    """A tuple of these fields, or one with the names of the model's."""
    return type(model)(*fields) if hasattr(model, "_fields") else tuple(fields)


def dict_alike(model: Mapping[Any, Any], values: Mapping[Any, Any]) -> Any:
    """A dict of these values, under the model's keys and of its type where it can be copied."""
    if type(model) is not dict and isinstance(model, MutableMapping):
        try:
            made = copy(model)
            made.update(values)
            return made
        except Exception:                           # a class of the user's may have other rules
            return dict(values)
    return dict(values)


def _stack_values(values: list[Any], field: str, target: bool, width: int, places: Any) -> Any:
    """One field of all samples: an array, or what holds some."""
    first = values[0]
    if isinstance(first, Mapping):
        return _stack_dicts(values, f"{field}.", places)
    if isinstance(first, tuple) or (isinstance(first, list) and not _is_row(first)):
        for value in values:
            if not isinstance(value, (tuple, list)) or len(value) != len(first):
                raise ShapeError(f"field {field} of the samples differs in its number of parts", who="DataLoader",
                                 expected=len(first), got=len(value) if hasattr(value, "__len__") else
                                 type(value).__name__)
        return alike(first, [_stack_values([value[k] for value in values], f"{field}.{k}", False, width, places)
                             for k in range(len(first))])
    if all(isinstance(value, (str, bytes)) for value in values):
        return values
    arrays = [_field(value, field, target, width, i) for value, i in zip(values, places)]
    dtype = np.result_type(*arrays)
    if dtype == np.float64 and not any(hasattr(value, "dtype") for value in values):
        dtype = np.dtype(np.float32)                # Python's ints beside floats
    return _stack(arrays, field, dtype)


def _is_row(values: list[Any]) -> bool:
    """Whether a list is a row of numbers, or rows of them, and no list of fields."""
    return not any(isinstance(value, (np.ndarray, Tensor, Mapping, tuple, str, bytes))
                   or (isinstance(value, list) and not _is_row(value)) for value in values)


def _stack_dicts(samples: Sequence[Any], lead: str, places: Any) -> Any:
    """{key: the samples' values, stacked}."""
    keys = list(samples[0])
    for sample in samples:
        if not isinstance(sample, Mapping) or set(sample) != set(keys):
            raise ShapeError("samples differ in their keys", who="DataLoader", expected=keys,
                             got=list(sample) if isinstance(sample, Mapping) else type(sample).__name__)
    return dict_alike(samples[0], {key: _stack_values([sample[key] for sample in samples], f"{lead}{key}", False, 1,
                                                      places) for key in keys})


def _field(value: Any, field: str, target: bool, width: int, sample: int) -> np.ndarray:
    """The array of one field of so many; `target`: the last one is that of a loss, in fit."""
    try:
        array = array_of(value)
    except (TypeError, ValueError):                 # rows of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        got, hint = strange(array if hasattr(value, "__array__") else value) or (
            described(value), "An integer has at most 64 bits.")
        if value is None:
            hint = "Does __getitem__ return nothing?" if width == 1 else "Leave out the samples that have none."
            hint = "A label that is not to count is -100, the ignore_index." if target else hint
        raise DTypeError(f"field {field} of sample {sample}{', the target in fit,' if target else ''} is no array of "
                         "numbers", who="DataLoader", expected="numbers, arrays or Tensors", got=got, hint=hint)
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return array
    return array.astype({"f": np.float32, "i": np.int64}.get(array.dtype.kind, array.dtype))


def _stack(arrays: list[np.ndarray], field: str, dtype: np.dtype) -> np.ndarray:
    for array in arrays:
        if array.shape != arrays[0].shape:
            raise ShapeError(
                f"field {field} of the samples differs in shape", who="DataLoader", expected=arrays[0].shape,
                got=array.shape, hint="Pad or crop the samples to one shape in __getitem__.",
            )
    return np.stack(arrays, out=empty((len(arrays), *arrays[0].shape), dtype), casting="same_kind")


moved_names(__name__)
