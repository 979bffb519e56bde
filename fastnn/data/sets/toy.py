"""Toy problems in the plane: small enough to plot, hard enough that a line cannot solve them."""

from __future__ import annotations

import numpy as np

from ...errors import RangeError
from ...guard import guard_all
from ..dataset import TensorDataset, philox

__all__ = ["moons", "spirals", "xor"]


def xor() -> TensorDataset:
    """The four points of exclusive or: the label is 1 where the two inputs differ.

    The smallest problem that a network without a hidden layer cannot solve (Minsky and Papert,
    1969, "Perceptrons").

    Returns
    -------
    TensorDataset of points, float32 (4, 2), and labels, int64 (4,).

    Examples
    --------
    >>> from fastnn.data import xor
    >>> x, y = xor().tensors
    >>> x.data.tolist(), y.data.tolist()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0])
    """
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    return TensorDataset(x, np.array([0, 1, 1, 0], np.int64))


def spirals(n: int = 300, noise: float = 0.05, seed: int = 0, *, classes: int = 3) -> TensorDataset:
    """Interleaved spiral arms, one for each class: n points of the plane with their classes.

    Point i of class c lies at radius r_i, from 0 to 1 along its arm, and at the angle

        2 pi (c / classes + r_i)  +  noise,

    so that every arm goes round once.

    Parameters
    ----------
    n : int
        Points in all; classes get equally many, but for the remainder, which goes to the first.
    noise : float
        Standard deviation of the normal noise that is added to both coordinates.
    seed : int
    classes : int
        How many arms.

    Returns
    -------
    TensorDataset of points, float32 (n, 2), and labels, int64 (n,), in random order.

    Raises
    ------
    RangeError
        Negative n or noise, no class.

    Examples
    --------
    >>> from fastnn.data import spirals
    >>> x, y = spirals(300).tensors
    >>> x.shape, y.shape, [int((y.data == c).sum()) for c in range(3)]
    ((300, 2), (300,), [100, 100, 100])
    """
    _check("spirals", n, noise)
    if classes < 1:
        raise RangeError(who="spirals, classes", expected="at least 1", got=classes)
    label = np.arange(n) % classes
    step = np.arange(n) // classes
    radius = step / max(1, -(-n // classes) - 1)
    angle = 2 * np.pi * (label / classes + radius)
    return _noisy(radius * np.cos(angle), radius * np.sin(angle), label, noise, seed)


def moons(n: int = 200, noise: float = 0.1, seed: int = 0) -> TensorDataset:
    """Two half circles that reach into each other: n points of the plane with their classes.

        class 0:  (cos t, sin t),  class 1:  (1 - cos t, 1/2 - sin t),  t from 0 to pi,

    and normal noise of standard deviation `noise` on both coordinates.

    Parameters
    ----------
    n : int
        Points in all, half of them in each class.
    noise : float
        Standard deviation of the noise.
    seed : int

    Returns
    -------
    TensorDataset of points, float32 (n, 2), and labels, int64 (n,), in random order.

    Raises
    ------
    RangeError
        Negative n or noise.

    Examples
    --------
    >>> from fastnn.data import moons
    >>> x, y = moons(200).tensors
    >>> x.shape, int(y.data.sum())
    ((200, 2), 100)
    """
    _check("moons", n, noise)
    label = np.arange(n) % 2
    t = np.pi * (np.arange(n) // 2) / max(1, -(-n // 2) - 1)
    return _noisy(np.where(label, 1 - np.cos(t), np.cos(t)), np.where(label, 0.5 - np.sin(t), np.sin(t)),
                  label, noise, seed)


def _noisy(x: np.ndarray, y: np.ndarray, label: np.ndarray, noise: float, seed: int) -> TensorDataset:
    rng = np.random.Generator(philox(seed, 0))
    points = np.stack([x, y], axis=1) + noise * rng.standard_normal((len(label), 2))
    order = rng.permutation(len(label))
    return TensorDataset(points[order].astype(np.float32), label[order].astype(np.int64))


def _check(name: str, n: int, noise: float) -> None:
    if n < 0:
        raise RangeError(who=f"{name}, n", expected="at least 0", got=n)
    if not noise >= 0:
        raise RangeError(who=f"{name}, noise", expected="at least 0", got=noise)


guard_all(globals())
