"""The `.npz` format: a zip archive with one `.npy` member for each array. Written with NumPy, read
with more suspicion.

`numpy.load` believes what a header says about sizes, and fetches a member when it is asked for.
Here all of a file is checked and read before anything is handed out, and nothing is allocated that
the file is too small to fill:

- the members lie side by side and fill the file, no name comes twice, and no name leads out of a
  folder;
- a member is stored or deflated, and no larger than its share of the file allows (deflate gains at
  most a factor of 1,032);
- an array's header describes numbers, and shape times item size is exactly what the member holds;
- the CRC-32 of every member is right.
"""

from __future__ import annotations

import ast
import math
import re
import struct
import zipfile
from collections.abc import Iterator
from typing import IO, BinaryIO

import numpy as np

from .tree import Arrays, Malformed, Tree, dumps, is_flat, loads

__all__ = ["check", "read", "write"]

META = "__meta__.json"
HEADER_LIMIT = 10_000               # bytes of an array's header; NumPy's own limit
DEFLATE_LIMIT = 1032                # the best that deflate can do: 258 bytes in 2 bits
# a larger description that is deflated further than this is a bomb
META_FREE, META_RATIO = 1 << 24, 100
CHUNK = 1 << 20


def check(arrays: Arrays) -> None:
    """Every array of numbers goes into an `.npz`."""


def write(file: BinaryIO, tree: Tree, arrays: Arrays) -> None:
    """One stored member per array, and the structure as JSON unless the names say it all.

    The same state gives the same bytes: members carry no time.
    """
    with zipfile.ZipFile(file, "w") as archive:
        if not is_flat(tree):
            archive.writestr(zipfile.ZipInfo(META), dumps(tree))
        for name, array in arrays.items():
            large = array.nbytes > zipfile.ZIP64_LIMIT - (1 << 16)
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=large) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def read(file: BinaryIO) -> tuple[Tree | None, Arrays]:
    """The structure, if the file has one, and the arrays by name."""
    _check_kind(file)
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Malformed("the directory at its end is missing or damaged, so the file was probably cut short") from error
    tree, arrays = None, {}
    with archive:
        for member in _members(archive, file):
            with archive.open(member) as stream:
                if member.filename == META:
                    tree = loads(stream.read())
                else:
                    arrays[member.filename[:-len(".npy")]] = _read_array(stream, member)
    return tree, arrays


def _check_kind(file: BinaryIO) -> None:
    """Say what the file is, where its first bytes say that it is something else."""
    start = file.read(6)
    if start[:2] == b"PK":
        return
    if not start:
        raise Malformed("the file is empty")
    if start == b"\x93NUMPY":
        raise Malformed("it is a single .npy array, not an .npz archive", "Read it with numpy.load.")
    if start[:1] == b"\x80":
        raise Malformed("it is a pickle, which fastnn never reads",
                        "Pickles run code. Convert the file to .safetensors where it was made.")
    raise Malformed(f"it is not an .npz archive: it starts with {start!r}")


def _members(archive: zipfile.ZipFile, file: BinaryIO) -> Iterator[zipfile.ZipInfo]:
    """The members of the archive, after the directory as a whole was checked."""
    members = archive.infolist()
    _check_tiling(members, archive.start_dir, file)
    seen: set[str] = set()
    for member in members:
        name = member.filename
        if name in seen:
            raise Malformed(f"it has two members named {name!r}")
        seen.add(name)
        if name.endswith("data.pkl"):
            raise Malformed("it is a PyTorch file of pickles, which fastnn never reads",
                            "Pickles run code. Convert it where it was made: "
                            "safetensors.torch.save_file(state_dict, path).")
        if not name.endswith(".npy") and name != META:
            raise Malformed(f"its member {name!r} is not an array")
        if "\\" in name or name.startswith("/") or ".." in name.split("/"):
            raise Malformed(f"its member {name!r} has a name that leads out of the archive", "Do not use this file.")
        _check_size(member)
    yield from members


def _check_tiling(members: list[zipfile.ZipInfo], directory: int, file: BinaryIO) -> None:
    """Every byte before the directory belongs to one member: none is lost, which zipfile would not
    notice, and none shared.
    """
    ends = {0}
    for member in sorted(members, key=lambda m: m.header_offset):
        if member.header_offset not in ends:
            raise Malformed("the directory of the archive does not fit its content")
        # in the local header, the lengths of name and extra field
        file.seek(member.header_offset + 26)
        end = member.header_offset + 30 + sum(struct.unpack("<2H", file.read(4))) + member.compress_size
        # A program that wrote to a pipe put the sizes behind the data, in one of four layouts.
        ends = {end + trailer for trailer in (12, 16, 20, 24)} if member.flag_bits & 8 else {end}
    if directory not in ends:
        raise Malformed("the directory of the archive does not fit its content")


def _check_size(member: zipfile.ZipInfo) -> None:
    if member.flag_bits & 1:
        raise Malformed(f"its member {member.filename!r} is encrypted", "Save it without a password.")
    if member.compress_type == zipfile.ZIP_STORED:
        plausible = member.file_size == member.compress_size
    elif member.compress_type == zipfile.ZIP_DEFLATED:
        plausible = member.file_size <= DEFLATE_LIMIT * member.compress_size
    else:
        raise Malformed(f"its member {member.filename!r} uses compression method {member.compress_type}",
                        "Write it with numpy.savez or numpy.savez_compressed.")
    if member.filename == META and member.file_size > max(META_FREE, META_RATIO * member.compress_size):
        raise Malformed(f"its member {META!r} claims {member.file_size} bytes, more than a description takes")
    if not plausible:
        raise Malformed(f"its member {member.filename!r} claims {member.file_size} bytes, more than it can hold")


def _read_array(stream: IO[bytes], member: zipfile.ZipInfo) -> np.ndarray:
    dtype, shape, fortran, offset = _read_header(stream, member.filename)
    count = math.prod(shape)
    claimed, present = count * dtype.itemsize, member.file_size - offset
    if claimed != present:
        raise Malformed(f"{member.filename!r} claims shape {shape} of {dtype}, {claimed} bytes, and has {present}")
    try:
        array = np.empty(count, dtype)
    except MemoryError as error:
        raise Malformed(f"{member.filename!r} holds {claimed:,} bytes, for which there is no memory",
                        "Load it on a machine with more memory.") from error
    # an array is a buffer, which types can say from Python 3.12 on
    buffer = memoryview(array.view(np.uint8))       # type: ignore[arg-type]
    done = 0
    while done < len(buffer):           # with the last byte of a member zipfile compares its CRC
        # members of an archive have it; the type of all streams does not
        got = stream.readinto(buffer[done:done + CHUNK])    # type: ignore[attr-defined]
        if not got:
            raise Malformed(f"{member.filename!r} ends too early")
        done += got
    if dtype.kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise Malformed(f"{member.filename!r} has booleans other than 0 and 1")
    return array.reshape(shape, order="F" if fortran else "C")


def _read_header(stream: IO[bytes], name: str) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """The head of a `.npy` member: dtype, shape, column-major or not, where the data begins."""
    magic = stream.read(8)
    width = {1: 2, 2: 4, 3: 4}.get(magic[6]) if len(magic) == 8 and magic[:6] == b"\x93NUMPY" else None
    if width is None:
        raise Malformed(f"{name!r} is not an array in NumPy's format")
    length = int.from_bytes(stream.read(width), "little")
    if length > HEADER_LIMIT:
        raise Malformed(f"{name!r} has a header of {length} bytes")
    try:
        header = ast.literal_eval(stream.read(length).decode("latin-1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], header["shape"]
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError) as error:
        raise Malformed(f"{name!r} has a header that is not NumPy's ({type(error).__name__})") from error
    if "|O" in str(descr):
        raise Malformed(f"{name!r} holds Python objects, which are pickles, and fastnn never reads pickles",
                        "Pickles run code. Save arrays of numbers.")
    if not isinstance(descr, str) or not re.fullmatch(r"[<>|=][biufc]\d{1,2}", descr):
        raise Malformed(f"{name!r} does not hold numbers but {descr!r}", "Save arrays of numbers.")
    if type(fortran) is not bool or not isinstance(shape, tuple) or any(type(s) is not int or s < 0 for s in shape):
        raise Malformed(f"{name!r} has a header that is not NumPy's")
    return np.dtype(descr), shape, fortran, len(magic) + width + length
