"""The `.safetensors` format, through the package of that name.

A file is a JSON header with names, dtypes, shapes and offsets, and then the bytes. The package
checks that offsets lie inside the file, touch without gap or overlap, and fit the shapes. What the
format lacks is a checksum: a flipped bit in a weight would pass unnoticed. Files that fastnn writes
carry one in their metadata.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, BinaryIO

import numpy as np

from ..errors import DTypeError
from .tree import Arrays, Malformed, Tree, dumps, loads

__all__ = ["check", "package", "read", "write"]

DTYPES = {                          # the format's words; always little-endian
    "BOOL": "|b1", "U8": "|u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "I8": "|i1", "I16": "<i2", "I32": "<i4",
    "I64": "<i8", "F16": "<f2", "BF16": "<u2", "F32": "<f4", "F64": "<f8", "C64": "<c8",
}
# older versions cannot read complex
WRITABLE = {np.dtype(code) for word, code in DTYPES.items() if word != "C64"}


def package() -> Any:
    """The package `safetensors`, or one line that says how to get it."""
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError('.safetensors files need the package safetensors: '
                          'pip install "fastnn-engine[safetensors]"') from error
    return safetensors


def check(arrays: Arrays) -> None:
    """Raise a DTypeError for an array that the format has no word for."""
    for name, array in arrays.items():
        if array.dtype.newbyteorder("<") not in WRITABLE:
            raise DTypeError(f"the array {name!r} does not go into a .safetensors file", got=f"dtype {array.dtype}",
                             hint="Save it as .npz.")


def write(file: BinaryIO, tree: Tree, arrays: Arrays) -> None:
    """The whole file is put together in memory and then written."""
    arrays = {name: np.asarray(a, a.dtype.newbyteorder("<"), order="C") for name, a in arrays.items()}
    text = dumps(tree)
    metadata = {
        "format": "pt",    # the layout of the weights is PyTorch's; transformers requires this word
        "__meta__": text,
        "__crc32__": _checksum(text, arrays),
    }
    data = package().numpy.save(arrays)
    # Put in by hand: the package would write the metadata in random order, and the same state in
    # other bytes every time.
    length = int.from_bytes(data[:8], "little")
    rest = data[9:8 + length].rstrip()
    header = b'{"__metadata__":' + json.dumps(metadata).encode() + (b"," if arrays else b"") + rest
    header += b" " * (-len(header) % 8)
    file.write(len(header).to_bytes(8, "little") + header)
    file.write(memoryview(data)[8 + length:])


def read(file: BinaryIO) -> tuple[Tree | None, Arrays]:
    """The structure, if the file has one, and the arrays by name."""
    data = file.read()
    _check_kind(data)
    tensors = dict(package().deserialize(data))             # raises on every defect of the header
    metadata, names = _read_header(data)
    raw = {name: _array(name, tensors[name]) for name in names}
    text = metadata.get("__meta__")
    if (text is None) != ("__crc32__" not in metadata):
        raise Malformed("its metadata is damaged")
    if text is not None and metadata["__crc32__"] != _checksum(text, raw):
        raise Malformed("its checksum is wrong")
    arrays = {name: _widen(array, tensors[name]["dtype"]) for name, array in raw.items()}
    return None if text is None else loads(text), arrays


def _check_kind(data: bytes) -> None:
    """Say what the file is, where its first bytes say that it is something else."""
    if data[:4] == b"PK\3\4":
        raise Malformed("it is a zip archive (.npz or PyTorch's .pth), not a .safetensors file",
                        "Give it its own ending.")
    if data[:1] == b"\x80" and data[8:9] != b"{":
        raise Malformed("it is a pickle, which fastnn never reads",
                        "Pickles run code. Convert the file to .safetensors where it was made.")


def _read_header(data: bytes) -> tuple[dict[str, str], list[str]]:
    """Metadata and the arrays' names in the order of the header, none of them twice."""
    def no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            raise Malformed("its header has a name twice")
        return result

    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + length], object_pairs_hook=no_key_twice)
    metadata = header.pop("__metadata__", None) or {}
    return metadata, list(header)


def _array(name: str, entry: dict[str, Any]) -> np.ndarray:
    code = DTYPES.get(entry["dtype"])
    if code is None:
        raise Malformed(f"the array {name!r} is of type {entry['dtype']}, which NumPy does not have",
                        "Convert it to F32 where it was made.")
    array = np.frombuffer(entry["data"], code).reshape(entry["shape"])
    if code == "|b1" and array.view(np.uint8).max(initial=0) > 1:
        raise Malformed(f"the array {name!r} has booleans other than 0 and 1")
    return array


def _widen(array: np.ndarray, word: str) -> np.ndarray:
    """A writable array in the machine's byte order, 16-bit floats as float32."""
    if word == "BF16":              # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    if word == "F16":
        return array.astype(np.float32)
    return array.astype(array.dtype.type, copy=not array.flags.writeable)


def _checksum(text: str, arrays: Arrays) -> str:
    """CRC-32 of the structure and of every array's name, dtype, shape and bytes, hexadecimal."""
    crc = zlib.crc32(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        crc = zlib.crc32(f"{name} {array.dtype.str} {array.shape}".encode(), crc)
        crc = zlib.crc32(array.data, crc)
    return f"{crc:08x}"
