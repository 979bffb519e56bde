"""DataLoader: batches in an order that a seed and the epoch decide.

A checkpoint can take the order up again, in the middle of an epoch too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..guard import described, named, need_defaults, whole
from ..random import Generator, stream_of
from ..tensor import Tensor, tensor
from .dataset import alike, dict_alike, fetch, permutation, philox

__all__ = ["DataLoader"]

Transform = Callable[[tuple[np.ndarray, ...], np.random.Generator], Any]


class DataLoader:
    """Go through a dataset in batches; every `for` over it is one epoch.

    The order of epoch k depends on the seed and on k alone, not on what ran before: an interrupted
    training takes up its order again from `state_dict()`, in the middle of an epoch too. Two loops
    over one loader, one within the other or side by side, are two epochs. Batches of
    a `TensorDataset` (or a `Subset` of one) are one vectorised copy per array. There are no worker
    processes.

    Parameters
    ----------
    dataset : Dataset, or anything with `len` and indexing
    batch_size : int, or None
        None: samples one by one, without a dimension for the batch.
    shuffle : bool, optional
        A new random order in every epoch; otherwise the order of the dataset.
    sampler : iterable of integers, optional
        The order of each epoch, in the place of shuffle.
    batch_sampler : iterable of lists of integers, optional
        The batches of each epoch, in the place of batch_size, shuffle, sampler and drop_last.
    collate_fn : function of a list of samples, optional
        Makes the batch, in the place of stacking; what it returns is handed out as it is.
    drop_last : bool
        Leave out the last batch if it is not full.
    generator : nn.Generator, optional
        Where the seed of each epoch is drawn from, in the place of `seed`.
    worker_init_fn, in_order : accepted for PyTorch's sake; they are about worker processes
    num_workers, timeout, multiprocessing_context, prefetch_factor, persistent_workers, pin_memory
        With pin_memory_device, PyTorch's at their defaults alone.
    seed : int
        From 0 to 2**64 - 1; decides the orders, and the random numbers that `transform` gets.
    transform : function (batch, rng) -> batch, optional
        Augmentation. `batch` is a tuple of NumPy arrays that the function may change in place;
        `rng` is a `numpy.random.Generator` that depends on (seed, epoch, first sample of the batch)
        alone.

    Yields
    ------
    tuple of Tensor
        One Tensor of shape (B, ...) per field of the samples; a dataset of single fields gives
        1-tuples. Samples and fields that are dicts or tuples give dicts and tuples of stacked
        values, and text lists.

    Attributes
    ----------
    epoch : int
        How many epochs have been handed out, the last batch included. An epoch left early counts
        once the next hands out a batch.

    Raises
    ------
    RangeError
        `batch_size` below 1, a seed outside its range, worker processes or pinned memory, or
        arguments of which one excludes the other.
    DTypeError
        A dataset without `len` or indexing, a batch size or seed that is not an integer.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.data import DataLoader, TensorDataset
    >>> dataset = TensorDataset(np.arange(10.0, dtype=np.float32), np.arange(10))
    >>> loader = DataLoader(dataset, batch_size=4, shuffle=True, seed=1)
    >>> [len(y.data) for x, y in loader]
    [4, 4, 2]
    >>> state = loader.state_dict()
    >>> second = [y.data.tolist() for x, y in loader]
    >>> loader.load_state_dict(state)
    >>> second == [y.data.tolist() for x, y in loader]
    True

    An augmentation, vectorised over the batch: half of the images mirrored.

    >>> def mirror(batch, rng):
    ...     x, y = batch
    ...     flip = rng.random(len(x)) < 0.5
    ...     x[flip] = x[flip, ..., ::-1]
    ...     return x, y
    >>> images = TensorDataset(np.zeros((10, 1, 8, 8), np.float32), np.arange(10))
    >>> x, y = next(iter(DataLoader(images, batch_size=4, transform=mirror)))
    >>> x.shape
    (4, 1, 8, 8)
    """

    @named
    def __init__(self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None,
                 sampler: Iterable[int] | None = None, batch_sampler: Iterable[Sequence[int]] | None = None,
                 num_workers: int = 0, collate_fn: Callable[[list[Any]], Any] | None = None, pin_memory: bool = False,
                 drop_last: bool = False, timeout: float = 0, worker_init_fn: Callable[[int], None] | None = None,
                 multiprocessing_context: None = None, generator: Generator | None = None, *,
                 prefetch_factor: None = None, persistent_workers: bool = False, pin_memory_device: str = "",
                 in_order: bool = True, seed: int = 0, transform: Transform | None = None):
        need_defaults("DataLoader", "A batch is one copy and needs no workers: leave it out.",
                      num_workers=(num_workers, 0), timeout=(timeout, 0),
                      multiprocessing_context=(multiprocessing_context, None),
                      prefetch_factor=(prefetch_factor, None), persistent_workers=(persistent_workers, False))
        need_defaults("DataLoader", "There is the CPU alone: leave it out.",
                      pin_memory=(pin_memory, False), pin_memory_device=(pin_memory_device, ""))
        refuse_both(batch_sampler=(batch_sampler, None), batch_size=(batch_size, 1), shuffle=(shuffle or None, None),
                    sampler=(sampler, None), drop_last=(drop_last, False))
        refuse_both(sampler=(sampler, None), shuffle=(shuffle or None, None))
        refuse_both(collate_fn=(collate_fn, None), transform=(transform, None))
        if batch_size is None:
            refuse_both(batch_size=(batch_size, 1), drop_last=(drop_last, False), transform=(transform, None))
        for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
            if given is not None and not hasattr(given, "__iter__"):
                raise DTypeError(who="DataLoader", expected=f"{name} as an iterable of indices",
                                 got=type(given).__name__)
        for name, function in (("collate_fn", collate_fn), ("transform", transform)):
            if function is not None and not callable(function):
                raise DTypeError(who="DataLoader", expected=f"{name} as a function", got=type(function).__name__)
        stream_of("DataLoader", generator)
        if isinstance(dataset, type):
            raise DTypeError(who="DataLoader", expected="a dataset", got=f"the class {dataset.__name__}",
                             hint=f"Write {dataset.__name__}(...).")
        if isinstance(dataset, Mapping):
            raise DTypeError(who="DataLoader", expected="a dataset, whose samples have numbers", got="a dict",
                             hint="Wrap its arrays in TensorDataset(x, y).")
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise DTypeError(who="DataLoader", expected="a dataset with __len__ and __getitem__",
                             got=type(dataset).__name__, hint="Wrap arrays in TensorDataset(x, y).")
        if isinstance(dataset, (np.ndarray, Tensor)):
            raise DTypeError(who="DataLoader", expected="a dataset", got="an array",
                             hint="Wrap arrays in TensorDataset(x, y).")
        self.dataset = dataset
        self.batch_size = None if batch_size is None or batch_sampler is not None else _integer(
            batch_size, "batch_size", least=1)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.sampler, self.batch_sampler, self.collate_fn = sampler, batch_sampler, collate_fn
        self.generator = generator
        self.seed = _integer(seed, "seed", most=2**64 - 1)
        self.transform = transform
        self.epoch = 0
        self._position = 0              # samples of this epoch already handed out, or its batches
        self._next = 0                  # the epoch that the next `for` will run
        self._resuming = False          # the position was loaded: the next `for` begins there

    def __len__(self) -> int:
        """The number of batches in a whole epoch."""
        n, size = self._count(), self.batch_size or 1
        if n is None:
            raise DTypeError("the sampler has no len(), so the number of batches is not known", who="DataLoader")
        return n // size if self.drop_last else -(-n // size)

    def _count(self) -> int | None:
        """How many samples an epoch has, or batches of batch_sampler; None if it does not say."""
        given: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
        if given is None:
            return len(self.dataset)
        return len(given) if hasattr(given, "__len__") else None

    def __iter__(self) -> Iterator[Any]:
        if self._resuming:
            self._resuming = False
            return self._run(self.epoch, self._position, self.seed)
        epoch, self._next = self._next, self._next + 1
        seed = self.seed if self.generator is None else int(stream_of("DataLoader", self.generator).integers(2**63))
        return self._run(epoch, 0, seed)

    def _batches(self, epoch: int, start: int, seed: int) -> Iterator[Any]:
        """The indices of each batch, from that sample on, or that batch of batch_sampler."""
        if self.batch_sampler is not None:
            for batch in itertools.islice(iter(self.batch_sampler), start, None):
                yield whole_numbers("batch_sampler", batch)
            return
        size, n = self.batch_size or 1, self._count()
        if self.sampler is None and n is not None:
            stream = epoch if self.generator is None else 0         # the seed is new in each epoch
            order = permutation(n, seed, stream) if self.shuffle else np.arange(n)
            for position in range(start, n - n % size if self.drop_last else n, size):
                yield order[position:position + size]
            return
        chosen = itertools.islice(iter(() if self.sampler is None else self.sampler), start, None)
        while indices := list(itertools.islice(chosen, size)):
            if len(indices) == size or not self.drop_last:
                yield whole_numbers("sampler", indices)

    def _taken(self, indices: Any) -> Any:
        """The samples at these indices as a batch."""
        if self.batch_size is None and self.batch_sampler is None:
            sample = self.dataset[int(indices[0])]
            return sample if self.collate_fn is None else self.collate_fn(sample)
        if self.collate_fn is not None:
            return self.collate_fn([self.dataset[int(i)] for i in indices])
        return fetch(self.dataset, np.asarray(indices))

    def _run(self, epoch: int, start: int, seed: int) -> Iterator[Any]:
        n, position = self._count(), start
        step = (self.batch_size or 1) if self.batch_sampler is None else 1
        stop = n - n % step if n is not None and self.drop_last else n
        for indices in self._batches(epoch, start, seed):
            batch = self._taken(indices)
            if self.transform is not None:
                # Block 0 of this key made the order, block 1 makes the random numbers for the
                # transforms.
                rng = np.random.Generator(philox(seed, epoch, block=1, offset=position))
                batch = self.transform(batch, rng)
                batch = batch if isinstance(batch, (tuple, list, dict)) else (batch,)
            # Counted before it is handed out: a checkpoint written after this batch's step goes on
            # with the next one.
            position += step
            self.seed = seed
            self.epoch, self._position = (epoch, position) if stop is None or position < stop else (self._next, 0)
            yield batch if self.collate_fn is not None else as_tensors(batch, whole=True)
        if position == start or stop is None:       # nothing to hand out, yet the epoch was run
            self.epoch, self._position = self._next, 0

    def state_dict(self) -> dict[str, int]:
        """Where the loader stands: {"seed", "epoch", "position", "next"}.

        The position counts the samples of this epoch that were handed out; next is the epoch of the
        next `for`.
        """
        return {"seed": self.seed, "epoch": self.epoch, "position": self._position, "next": self._next}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where `state_dict()` was taken; the next `for` hands out the rest of that epoch.

        Raises
        ------
        RangeError
            A key is missing or not known, a number is negative, or the position is not inside this
            dataset.
        """
        if not isinstance(state, Mapping) or set(state) != {"seed", "epoch", "position", "next"}:
            raise RangeError(who="DataLoader.load_state_dict", expected="the keys seed, epoch, position and next",
                             got=sorted(map(str, state)) if isinstance(state, Mapping) else type(state).__name__)
        seed = _integer(state["seed"], "seed", most=2**64 - 1)
        epoch = _integer(state["epoch"], "epoch", most=2**64 - 1)
        position = _integer(state["position"], "position")
        count = self._count()
        if position and count is not None and position >= count:
            raise RangeError(who="DataLoader.load_state_dict", got=position,
                             expected=f"a position below {count}, the dataset's length",
                             hint="Was the state saved with a larger dataset?")
        following = _integer(state["next"], "next", most=2**64 - 1)
        if following < epoch + bool(position):
            raise RangeError(who="DataLoader.load_state_dict, next", got=following,
                             expected=f"an epoch after those begun, at least {epoch + bool(position)}")
        self.seed, self.epoch, self._position, self._next = seed, epoch, position, following
        self._resuming = position > 0

    def __repr__(self) -> str:
        return (f"DataLoader({self.dataset!r}, batch_size={self.batch_size}, shuffle={self.shuffle}, "
                f"drop_last={self.drop_last}, seed={self.seed})")


def as_tensors(batch: Any, whole: bool = False) -> Any:
    """The arrays in a batch as tensors, a list as a tuple; text stays as it is. A whole batch of
    one field is a tuple.
    """
    if isinstance(batch, tuple) or (whole and isinstance(batch, list)):
        return alike(batch, [field if isinstance(field, Tensor) else as_tensors(field) for field in batch])
    if isinstance(batch, Mapping):
        return dict_alike(batch, {key: as_tensors(value) for key, value in batch.items()})
    if isinstance(batch, (str, bytes, Tensor)) or (isinstance(batch, list) and batch and isinstance(
            batch[0], (str, bytes))):
        return batch
    return tensor(batch)


def whole_numbers(name: str, batch: Any) -> list[int]:
    """The indices of a batch, as a sampler gave them."""
    expected = "lists of indices, one a batch" if name == "batch_sampler" else "indices"
    if not isinstance(batch, Iterable) or isinstance(batch, (str, Mapping)):
        raise DTypeError(who=f"DataLoader, {name}", expected=expected, got=described(batch),
                         hint="Single indices are sampler's." if isinstance(batch, (int, np.integer)) else "")
    indices = [whole(f"DataLoader, {name}", expected, index) for index in batch]
    if not indices:
        raise RangeError(who=f"DataLoader, {name}", expected="at least one index a batch", got="[]")
    return indices


def refuse_both(**given: tuple[Any, Any]) -> None:
    """The first argument excludes the others: name=(value, default)."""
    (first, (value, default)), *others = given.items()
    if value is default:
        return
    for name, (other, unset) in others:
        if other is not unset and not (isinstance(other, (bool, int)) and other == unset):
            raise RangeError(f"{first} and {name} exclude one another", who="DataLoader",
                             got=f"{first}={described(value)} and {name}={described(other)}")


def _integer(value: Any, name: str, least: int = 0, most: float = float("inf")) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DTypeError(who=f"DataLoader, {name}", expected="an integer", got=repr(value))
    if not least <= value <= most:
        raise RangeError(who=f"DataLoader, {name}", got=value,
                         expected=f"at least {least}" if value < least else f"at most {most}")
    return int(value)
