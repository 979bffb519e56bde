"""Deep copies of tensors that share memory: what shared it before shares it afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import copied, empty, is_meta

__all__ = ["copy_memory"]


def copy_memory(t: Any, result: Any, memo: Any) -> None:
    """Give `result` a copy of t's array, and a counter of changes.

    A tensor that is copied alone takes along only what it shows, a view too. Of two that overlap,
    as a tensor and its view, the copies lie in one piece of memory, in whichever order they come.

    memo    as deepcopy passes it on: what belongs to one copy of many things
    """
    a = t._data
    begin, end = extent(a) if not is_meta(a) else (0, 0)
    groups = memo.setdefault(("memory", id(a.base if isinstance(a.base, np.ndarray) else a)), [])
    near = [g for g in groups if (g.begin < end and begin < g.end) or any(b is a for _, b in g.members)]
    group = Group(min([begin, *[g.begin for g in near]]), max([end, *[g.end for g in near]]),
                  [m for g in near for m in g.members], near[0].version if near else [t._version[0]])
    groups[:] = [g for g in groups if g not in near] + [group]
    twin = memo.get(id(a))
    group.members.append((result, a))
    result._data = copied(a) if twin is None else twin
    if twin is None and near:
        memory = empty((group.end - group.begin,), np.uint8)
        whole = {id(b): window(b, memory, group.begin) for _, b in group.members}
        for r, b in group.members:
            r._data = whole[id(b)]
    for r, b in group.members:
        r._version, memo[id(b)] = group.version, r._data


class Group:
    """Copies that lie together: the addresses from begin to end, (copy, its original's array)s, and
    their counter of changes.
    """

    def __init__(self, begin: int, end: int, members: list[Any], version: list[Any]) -> None:
        self.begin, self.end, self.members, self.version = begin, end, members, version


def window(a: np.ndarray, memory: np.ndarray, begin: int) -> np.ndarray:
    """A copy of `a` in this memory, which stands for that from the address `begin` on."""
    copy = np.ndarray(a.shape, a.dtype, memory, a.__array_interface__["data"][0] - begin, a.strides)
    np.copyto(copy, a)
    copy.flags.writeable = a.flags.writeable
    return copy


def extent(a: np.ndarray) -> tuple[int, int]:
    """The first address of an array's elements, and the one behind the last."""
    begin = end = a.__array_interface__["data"][0]
    if a.size:
        ways = [(n - 1) * stride for n, stride in zip(a.shape, a.strides)]
        begin += sum(w for w in ways if w < 0)
        end += sum(w for w in ways if w > 0) + a.itemsize
    return begin, end
