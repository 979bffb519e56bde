"""DataLoader: batches in an order that a seed and the epoch decide.

A checkpoint can take the order up again, in the middle of an epoch too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..errors import DTypeError, RangeError
from ..guard import named
from ..tensor import Tensor, tensor
from .dataset import fetch, permutation, philox

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
    batch_size : int
    shuffle : bool
        A new random order in every epoch; otherwise the order of the dataset.
    drop_last : bool
        Leave out the last batch if it is not full.
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
        1-tuples.

    Attributes
    ----------
    epoch : int
        How many epochs have been handed out, the last batch included. An epoch left early counts
        once the next hands out a batch.

    Raises
    ------
    RangeError
        `batch_size` below 1, a seed outside its range.
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
    def __init__(self, dataset: Any, batch_size: int = 1, shuffle: bool = False, *, drop_last: bool = False,
                 seed: int = 0, transform: Transform | None = None):
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
        self.batch_size = _integer(batch_size, "batch_size", least=1)
        self.shuffle, self.drop_last = bool(shuffle), bool(drop_last)
        self.seed = _integer(seed, "seed", most=2**64 - 1)
        self.transform = transform
        self.epoch = 0
        self._position = 0              # samples of this epoch already handed out
        self._next = 0                  # the epoch that the next `for` will run
        self._resuming = False          # the position was loaded: the next `for` begins there

    def __len__(self) -> int:
        """The number of batches in a whole epoch."""
        n = len(self.dataset)
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        if self._resuming:
            self._resuming = False
            return self._run(self.epoch, self._position)
        epoch, self._next = self._next, self._next + 1
        return self._run(epoch, 0)

    def _run(self, epoch: int, start: int) -> Iterator[tuple[Tensor, ...]]:
        n = len(self.dataset)
        stop = n - n % self.batch_size if self.drop_last else n
        order = permutation(n, self.seed, epoch) if self.shuffle else np.arange(n)
        for position in range(start, stop, self.batch_size):
            batch = fetch(self.dataset, order[position:position + self.batch_size])
            if self.transform is not None:
                # Block 0 of this key made the order, block 1 makes the random numbers for the
                # transforms.
                rng = np.random.Generator(philox(self.seed, epoch, block=1, offset=position))
                batch = self.transform(batch, rng)
                batch = batch if isinstance(batch, (tuple, list)) else (batch,)
            # Counted before it is handed out: a checkpoint written after this batch's step goes on
            # with the next one.
            after = position + self.batch_size
            self.epoch, self._position = (epoch, after) if after < stop else (self._next, 0)
            yield tuple(field if isinstance(field, Tensor) else tensor(field) for field in batch)
        if start >= stop:               # nothing to hand out, yet the epoch was run
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
        if position and position >= len(self.dataset):
            raise RangeError(who="DataLoader.load_state_dict", got=position,
                             expected=f"a position below {len(self.dataset)}, the dataset's length",
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


def _integer(value: Any, name: str, least: int = 0, most: float = float("inf")) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise DTypeError(who=f"DataLoader, {name}", expected="an integer", got=repr(value))
    if not least <= value <= most:
        raise RangeError(who=f"DataLoader, {name}", got=value,
                         expected=f"at least {least}" if value < least else f"at most {most}")
    return int(value)
