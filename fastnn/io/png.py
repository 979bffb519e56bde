"""A reader and a writer of PNG files (ISO/IEC 15948) in the standard library and NumPy.

The reader takes all colour types and bit depths, without interlacing. Every length in the file is
checked before it is believed.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ..errors import FileError, ShapeError

__all__ = ["read_png", "write_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 1 << 26
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}           # colour type -> numbers per pixel; 3 is an index into the palette
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read_png(data: bytes) -> np.ndarray:
    """The pixels of a PNG file as floats from 0 to 1.

    Returns
    -------
    (H, W, C) float64: C is 1 (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 (red, green, blue,
    alpha).

    Raises
    ------
    FileError
        Not a PNG, damaged, interlaced, or larger than 64 million pixels.
    """
    if data[:8] != SIGNATURE:
        raise FileError("it is not a PNG file")
    chunks = read_chunks(data)
    head = chunks.get(b"IHDR", [b""])[0]
    if len(head) != 13 or b"IDAT" not in chunks:
        raise FileError("its header or its pixels are missing")
    width, height, depth, kind, compression, filtering, interlace = struct.unpack(">IIBBBBB", head)
    if depth not in DEPTHS.get(kind, ()) or compression or filtering:
        raise FileError(f"colour type {kind} with {depth} bits does not exist")
    if interlace:
        raise FileError("it is interlaced; save it without interlacing")
    if not 0 < width*height <= MOST_PIXELS:
        raise FileError(f"{width} x {height} pixels are none or too many")
    channels = CHANNELS[kind]
    row_bytes = (width*channels*depth + 7)//8
    rows = unfilter(inflate(b"".join(chunks[b"IDAT"]), height*(row_bytes + 1)), height, row_bytes,
                    max(1, channels*depth//8))
    values = unpack(rows, width*channels, depth).reshape(height, width, channels)
    if kind == 3:
        return palette_colours(values[..., 0], chunks)
    return values/float(2**depth - 1)


def write_png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) bytes as a PNG file: eight-bit truecolour, no filter, one data chunk.

    >>> pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    >>> bool((read_png(write_png(pixels))*255 == pixels).all())
    True
    """
    pixels = np.ascontiguousarray(pixels, dtype=np.uint8)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ShapeError(who="write_png", expected="pixels of shape (H, W, 3), none of them 0", got=pixels.shape)
    height, width, _ = pixels.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # every row begins with the number of its filter: 0, none
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], axis=1)
    return (SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows.tobytes(), 9)) + chunk(b"IEND", b""))


# ---- reading -------------------------------------------------------------------------------------
def read_chunks(data: bytes) -> dict[bytes, list[bytes]]:
    """The bodies of all chunks by kind, up to the end chunk, every checksum tested."""
    chunks: dict[bytes, list[bytes]] = {}
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8:at + 8 + size]
        check = data[at + 8 + size:at + 12 + size]
        if len(check) < 4:
            break
        if zlib.crc32(kind + body) != int.from_bytes(check, "big"):
            raise FileError(f"its {kind.decode('latin-1')} chunk is damaged")
        chunks.setdefault(kind, []).append(body)
        at += 12 + size
        if kind == b"IEND":
            return chunks
    raise FileError("it ends too early")


def inflate(data: bytes, size: int) -> bytes:
    """Decompress exactly `size` bytes: a bomb gets no further than one byte more."""
    try:
        pixels = zlib.decompressobj().decompress(data, size + 1)
    except zlib.error as error:
        raise FileError(f"its pixels are damaged ({error})") from error
    if len(pixels) != size:
        raise FileError("it has fewer or more pixels than its header says")
    return pixels


def unfilter(data: bytes, height: int, row_bytes: int, step: int) -> np.ndarray:
    """Undo the filter of each row. x: a byte; a: the one a pixel to its left; b: above it; c: above
    a.
    """
    rows = np.frombuffer(data, np.uint8).reshape(height, row_bytes + 1)
    out = np.zeros((height, row_bytes), np.uint8)
    above = np.zeros(row_bytes, np.uint8)
    for y in range(height):
        kind, row = int(rows[y, 0]), rows[y, 1:]
        if kind == 0:                               # none
            out[y] = row
        elif kind == 1:                             # sub: x was written as x - a
            for channel in range(step):
                out[y, channel::step] = np.cumsum(row[channel::step], dtype=np.uint8)
        elif kind == 2:                             # up: x - b
            out[y] = row + above
        elif kind == 3:                             # average: x - (a + b)/2
            out[y] = undo_average(row.tolist(), above.tolist(), step)
        elif kind == 4:                             # Paeth: x - whichever of a, b, c is nearest to a + b - c
            out[y] = undo_paeth(row.tolist(), above.tolist(), step)
        else:
            raise FileError(f"row {y} has the filter {kind}, which does not exist")
        above = out[y]
    return out


def undo_average(row: list[int], above: list[int], step: int) -> list[int]:
    done: list[int] = []
    for i, value in enumerate(row):
        a = done[i - step] if i >= step else 0
        done.append((value + (a + above[i])//2) & 255)
    return done


def undo_paeth(row: list[int], above: list[int], step: int) -> list[int]:
    done: list[int] = []
    for i, value in enumerate(row):
        a, c = (done[i - step], above[i - step]) if i >= step else (0, 0)
        b = above[i]
        pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2*c)
        nearest = a if pa <= pb and pa <= pc else b if pb <= pc else c
        done.append((value + nearest) & 255)
    return done


def unpack(rows: np.ndarray, count: int, depth: int) -> np.ndarray:
    """`count` whole numbers of `depth` bits from each row of bytes."""
    if depth == 8:
        return rows
    if depth == 16:
        return rows.reshape(len(rows), count, 2).astype(np.uint16) @ np.array([256, 1], np.uint16)
    bits = np.unpackbits(rows, axis=1)[:, :count*depth].reshape(len(rows), count, depth)
    return bits @ (1 << np.arange(depth)[::-1])


def palette_colours(index: np.ndarray, chunks: dict[bytes, list[bytes]]) -> np.ndarray:
    palette = np.frombuffer(chunks.get(b"PLTE", [b""])[0], np.uint8)
    if palette.size % 3 or int(index.max()) >= palette.size//3:
        raise FileError("its palette lacks colours that its pixels use")
    colours = np.full((palette.size//3, 4), 255, np.uint8)
    colours[:, :3] = palette.reshape(-1, 3)
    alpha = np.frombuffer(chunks.get(b"tRNS", [b""])[0], np.uint8)[:len(colours)]
    colours[:len(alpha), 3] = alpha
    return colours[index]/255.0
