"""Saving and loading: `.npz` (NumPy alone) and `.safetensors` (the extra of that name). No pickle
is ever written or read.

A state is a dict of arrays and Tensors, mixed to any depth with dicts, lists, tuples, strings,
numbers, booleans and None: the state of a model, or a checkpoint of model, optimiser, loader and
history together.

>>> import os, tempfile
>>> import fastnn as nn
>>> path = os.path.join(tempfile.mkdtemp(), "checkpoint.npz")
>>> nn.save({"model": {"weight": nn.tensor([[1.0, 2.0]])}, "epoch": 3, "loss": [0.5, 0.25]}, path)
>>> nn.load(path)
{'model': {'weight': array([[1., 2.]], dtype=float32)}, 'epoch': 3, 'loss': [0.5, 0.25]}

The two formats
---------------
Arrays are entries of the file, named by their path (`model/weight`); everything else is one JSON
text, which says where in the structure each array belongs (tree.py tells its grammar).

`.npz`          A zip archive of `.npy` members, stored uncompressed. The JSON is the member
                `__meta__.json`. A flat dict {name: array}, as `model.state_dict()` gives, needs
                none: the file is then an ordinary one, which `numpy.load` reads as it is. Dtype,
                shape, byte order and memory order come back as they were. A CRC-32 guards every
                member.
`.safetensors`  Read by PyTorch, Hugging Face and others. The JSON is the string `__meta__` of the
                file's metadata; beside it `__crc32__` guards names, dtypes, shapes and bytes, which
                the format itself does not. Little-endian, row-major. float16 and bfloat16 are
                widened to float32 when read, without loss.

Files of other programs are read too: an `.npz` of numeric arrays, any `.safetensors`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

from ..errors import DTypeError, FileError, MissingFile, RangeError
from ..guard import described, named
from .atomic import atomic_write, check_folder
from .tree import Malformed, flatten, unflatten

__all__ = ["check_path", "load", "save"]

Path = str | os.PathLike[str]


@named
def save(obj: Mapping[str, Any], f: Path) -> None:
    """Write a state to a `.npz` or `.safetensors` file, entirely or not at all.

    The file is written under another name in the same folder, flushed to the disk and moved into
    place: whatever happens on the way (a full disk, Ctrl-C, a crash), a file that was there before
    stays as it was.

    Parameters
    ----------
    obj : dict
        Names to arrays and Tensors, or nested as told above. Real, integer, boolean and (in `.npz`)
        complex arrays. NumPy scalars are saved as Python numbers of the same value.
    f : str or path-like
        Ends in `.npz` or `.safetensors`.

    Raises
    ------
    FileError
        Another ending; a state that contains itself.
    DTypeError
        Something that no file can hold without pickle; the message says where in the state it is.
    ImportError
        `.safetensors` without the package.
    OSError
        The disk is full, the folder is missing or may not be written, ...

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> import fastnn as nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> nn.save({"weight": nn.tensor([1.0, 2.0])}, path)
    >>> float(np.load(path)["weight"][1])
    2.0
    """
    form = _format(f, "save")
    if not isinstance(obj, Mapping):
        raise DTypeError(who="save", expected="a dict", got=type(obj).__name__,
                         hint="Save model.state_dict()." if hasattr(obj, "state_dict")
                         else 'Write save({"x": x}, path).')
    tree, arrays = flatten(obj)
    form.check(arrays)
    with atomic_write(f) as file:
        form.write(file, tree, arrays)


@named
def load(f: Path, map_location: Any = None, pickle_module: None = None, *, weights_only: bool = True,
         mmap: bool | None = None) -> dict[str, Any]:
    """Read what `save` wrote, with NumPy arrays in the place of arrays and Tensors.

    Nothing in the file is trusted: no code in it is run, no memory is taken that its size does not
    justify, and either all of it is returned or nothing. `model.load_state_dict(load(path))` takes
    the arrays as they are.

    Parameters
    ----------
    f : str or path-like
        Ends in `.npz` or `.safetensors`.
    map_location : "cpu", a dict {"cuda:0": "cpu"} or a function, optional
        The only device there is. A function is not called: nothing in the file has a device.
    weights_only : bool
        Says nothing here: a file holds numbers and no code.
    pickle_module, mmap : at their defaults alone

    Returns
    -------
    dict

    Raises
    ------
    FileError
        Another ending, or a file that is truncated, damaged, hostile, of another format, or holds
        objects; it says which.
    MissingFile
        There is none, also a FileNotFoundError; it says what is near.
    RangeError
        Another device, a pickle_module, mmap=True.
    PermissionError, ...
        As from `open`.
    ImportError
        `.safetensors` without the package.

    Examples
    --------
    >>> import os, tempfile
    >>> import fastnn as nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> model = nn.Linear(2, 3)
    >>> nn.save(model.state_dict(), path)
    >>> model.load_state_dict(nn.load(path))
    <All keys matched successfully>
    """
    check_options(map_location, pickle_module, mmap)
    form = _format(f, "load")
    with opened(f) as file:
        try:
            tree, arrays = form.read(file)
            return dict(arrays) if tree is None else unflatten(tree, arrays)
        except MemoryError:
            raise
        except Malformed as error:
            raise FileError(f"cannot load {os.fspath(f)}: {error}", hint=error.hint) from error
        except Exception as error:
            # The parsers raise a dozen types on a damaged file (BadZipFile, zlib.error, EOFError,
            # struct.error, NotImplementedError, ...), and which ones depends on the version of
            # Python. To the user they all mean this.
            raise FileError(f"cannot load {os.fspath(f)}: {error or type(error).__name__}",
                            hint=Malformed.hint) from error


def check_options(map_location: Any, pickle_module: Any, mmap: Any) -> None:
    """RangeError for what PyTorch's load has and this one has not."""
    if not callable(map_location):
        for place in map_location.values() if isinstance(map_location, Mapping) else [map_location]:
            if place is not None and str(place).partition(":")[0] != "cpu":
                raise RangeError(who="load", expected='map_location "cpu"', got=repr(str(place)),
                                 hint="fastnn runs on the CPU: leave it out.")
    if pickle_module is not None:
        raise RangeError(who="load", expected="pickle_module=None: nothing is unpickled", got=described(pickle_module))
    if mmap:
        raise RangeError(who="load", expected="mmap=False: the whole file is read and checked", got=mmap)


def opened(path: Path) -> BinaryIO:
    """The file, to be read."""
    try:
        return open(path, "rb")
    except FileNotFoundError as error:
        from ..names import near
        folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
        there = os.path.isdir(folder)
        close = near(name, os.listdir(folder)) if there else []
        found = MissingFile(f"there is no file {os.fsdecode(path)!r}" if there else f"there is no folder {folder!r}",
                            who="load", hint=f"Did you mean {close[0]!r}?" if close else
                            f"It was looked for in {folder}." if there else "")
        found.errno, found.strerror, found.filename = error.errno, error.strerror, os.fspath(path)
        raise found from None


def check_path(path: Path, who: str = "save") -> None:
    """Raise what `save` would raise for this path, before there is anything to save.

    Raises
    ------
    FileError
        Another ending.
    ImportError
        `.safetensors` without the package.
    FileNotFoundError
        The folder is missing.
    """
    _format(path, who)
    check_folder(path)


def _format(path: Path, who: str) -> Any:
    """The module that reads and writes files of this ending.

    Imported when used: zipfile and json cost 10 ms.
    """
    try:
        name = os.fspath(path)
    except TypeError:
        raise DTypeError(who=who, expected="a path", got=type(path).__name__) from None
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    ending = os.path.splitext(name)[1].lower()
    if ending == ".npz":
        from . import npz
        return npz
    if ending == ".safetensors":
        from . import safetensors
        safetensors.package()
        return safetensors
    of_pytorch = ending in (".pth", ".pt", ".bin", ".ckpt") and who == "load"
    raise FileError(who=who, expected="a file name that ends in .npz or .safetensors", got=repr(name),
                    hint="PyTorch writes such a one with safetensors.torch.save_file(model.state_dict(), "
                         "'model.safetensors')." if of_pytorch else "")
