"""A reader and a writer of PNG files (ISO/IEC 15948) in the standard library and NumPy.

The reader takes all colour types and bit depths, without interlacing. Every length in the file is
checked before it is believed.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ..errors import FileError, ShapeError

__all__ = ["check_pixels", "read_png", "write_png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 1 << 24            # 4,096 x 4,096; as floats of red, green, blue and alpha 268 MB
# colour type -> numbers per pixel; 3 is an index into the palette
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}


def read_png(data: bytes) -> np.ndarray:
    """The pixels of a PNG file as floats from 0 to 1.

    Returns
    -------
    (H, W, C) float32: C is 1 (grey), 2 (grey, alpha), 3 (red, green, blue) or 4 (red, green, blue,
    alpha).

    Raises
    ------
    FileError
        Not a PNG, damaged, interlaced, or of more than 16,777,216 pixels.
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
    check_pixels(width, height)
    channels = CHANNELS[kind]
    row_bytes = (width*channels*depth + 7)//8
    rows = unfilter(inflate(b"".join(chunks[b"IDAT"]), height*(row_bytes + 1)), height, row_bytes,
                    max(1, channels*depth//8))
    values = unpack(rows, width*channels, depth).reshape(height, width, channels)
    if kind == 3:
        return palette_colours(values[..., 0], chunks)
    return np.divide(values, 2**depth - 1, dtype=np.float32)


def write_png(pixels: np.ndarray) -> bytes:
    """(H, W, 3) bytes as a PNG file: eight-bit truecolour, no filter, one data chunk.

    >>> pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    >>> bool((np.rint(read_png(write_png(pixels))*255) == pixels).all())
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


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture without pixels, and one that would fill the memory."""
    if width*height == 0:
        raise FileError(f"it has {width} x {height} pixels")
    if width*height > MOST_PIXELS:
        raise FileError("it has too many pixels", expected=f"at most {MOST_PIXELS:,}",
                        got=f"{width} x {height} = {width*height:,}", hint="Make it smaller before it is read.")


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
    """Undo the filter of each row. `step`: bytes from a pixel to the next."""
    rows = np.frombuffer(data, np.uint8).reshape(height, row_bytes + 1)
    kinds = rows[:, 0]
    if int(kinds.max()) > 4:
        y = int(np.argmax(kinds > 4))
        raise FileError(f"row {y} has the filter {kinds[y]}, which does not exist")
    if (kinds >= 3).any():
        return undo_by_diagonals(rows, kinds, step)
    out = np.zeros((height, row_bytes), np.uint8)
    for y, kind in enumerate(kinds):
        if kind == 1:                           # sub: x was written as x - (the pixel to its left)
            for channel in range(step):
                np.cumsum(rows[y, 1 + channel::step], dtype=np.uint8, out=out[y, channel::step])
        else:                                       # none, or up: x - (the pixel above)
            out[y] = rows[y, 1:] + out[y - 1] if kind == 2 and y else rows[y, 1:]
    return out


def undo_by_diagonals(rows: np.ndarray, kinds: np.ndarray, step: int) -> np.ndarray:
    """Any mixture of filters, a diagonal of pixels at a time.

    A pixel was written as the difference to a guess from a, to its left, b, above it, and c, above
    a. All pixels with the same row + column are independent of each other.

    kind  1 sub  2 up  3 average      4 Paeth
    guess a      b     (a + b)//2     whichever of a, b, c is nearest to a + b - c
    """
    height, width = len(rows), (rows.shape[1] - 1)//step
    # a margin of zeros above and to the left; the pixels are decoded where they stand
    padded = np.zeros((height + 1, width + 1, step), np.uint8)
    padded[1:, 1:] = rows[:, 1:].reshape(height, width, step)
    pixels = padded.reshape(-1, step)
    masks = [(kind, (kinds == kind)[:, None]) for kind in range(1, 5) if (kinds == kind).any()]
    for diagonal in range(2, height + width + 1):
        first, last = max(1, diagonal - width), min(height, diagonal - 1)
        # pixel (y, diagonal - y) is number diagonal + y*width: a slice with a stride
        start, stop = diagonal + first*width, diagonal + last*width + 1
        a, b, c = (pixels[start - back:stop - back:width].astype(np.int16) for back in (1, width + 1, width + 2))
        guess = np.zeros_like(a)
        for kind, mask in masks:
            if kind == 4:
                pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2*c)
                value = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
            else:
                value = (a, b, (a + b) >> 1)[kind - 1]
            np.copyto(guess, value, where=mask[first - 1:last])
        pixels[start:stop:width] += guess.astype(np.uint8)
    return padded[1:, 1:].reshape(height, -1)


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
    return np.divide(colours, 255, dtype=np.float32)[index]
