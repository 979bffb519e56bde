"""The PNG reader against an encoder that writes every filter, colour type and depth; the writer
against the reader.
"""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest

import fastnn as nn
from fastnn.errors import FileError
from fastnn.io.png import read_png, write_png
from fastnn.models.recognition import recognise


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def encode(pixels, kind, depth, filters, extra=b"", interlace=0):
    """A PNG of (H, W, C) whole numbers with the given filter for each row: the definition of the
    five filters, written forwards.
    """
    height, width, channels = pixels.shape
    bits = ((pixels.reshape(height, -1)[..., None] >> np.arange(depth)[::-1]) & 1).reshape(height, -1).astype(np.uint8)
    rows = np.packbits(bits, axis=1).astype(int)
    step = max(1, channels*depth//8)
    out = b""
    for y, row in enumerate(rows):
        a = np.concatenate([np.zeros(step, int), row])[:len(row)]
        b = rows[y - 1] if y else 0*row
        c = np.concatenate([np.zeros(step, int), b])[:len(row)]
        p = a + b - c
        pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        paeth = np.where((pa <= pb) & (pa <= pc), a, np.where(pb <= pc, b, c))
        predicted = [0*row, a, b, (a + b)//2, paeth][filters[y % len(filters)]]
        out += bytes([filters[y % len(filters)]]) + ((row - predicted) & 255).astype(np.uint8).tobytes()
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    data = zlib.compress(out)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", data[:7]) + chunk(b"IDAT", data[7:])
            + chunk(b"IEND", b""))


def shares(numbers, most=255):
    """What a reader makes of them: numbers from 0 to 1."""
    return np.asarray(numbers, np.float32)/np.float32(most)


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def largest(kind, depth, row_of):
    """A PNG of 4,096 x 4,096 pixels; row_of(y): the filter and the bytes of a row."""
    squeeze = zlib.compressobj(1)
    body = b"".join(squeeze.compress(row_of(y)) for y in range(4096)) + squeeze.flush()
    head = struct.pack(">IIBBBBB", 4096, 4096, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]],
                         ids=lambda f: "filters " + "".join(map(str, f)))
@pytest.mark.parametrize("kind, depth", [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16),
                                         (6, 8), (6, 16)])
def test_png_of_every_kind(kind, depth, filters):
    pixels = np.random.default_rng(kind + depth).integers(0, 2**depth, (7, 11, CHANNELS[kind]))
    got = read_png(encode(pixels, kind, depth, filters))
    assert got.shape == pixels.shape
    np.testing.assert_array_equal(got, shares(pixels, 2**depth - 1))


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_with_a_palette_and_transparency(depth):
    colours = np.random.default_rng(depth).integers(0, 256, (2**depth, 3))
    index = np.random.default_rng(0).integers(0, 2**depth, (5, 6, 1))
    extra = chunk(b"PLTE", colours.astype(np.uint8).tobytes()) + chunk(b"tRNS", bytes([128]))
    got = read_png(encode(index, 3, depth, [1, 4], extra))
    np.testing.assert_array_equal(got[..., :3], shares(colours[index[..., 0]]))
    np.testing.assert_array_equal(got[..., 3], shares(np.where(index[..., 0] == 0, 128, 255)))


def test_png_reads_what_the_report_writes():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 4, 3))
    np.testing.assert_array_equal(read_png(write_png(pixels)), shares(pixels))


def test_png_against_pillow(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(2).integers(0, 256, (33, 21, 4)).astype(np.uint8)
    pixels[5:20] = pixels[5]                        # so that its writer uses the filters
    image.fromarray(pixels).save(tmp_path/"x.png")
    np.testing.assert_array_equal(read_png((tmp_path/"x.png").read_bytes()), shares(pixels))


@pytest.mark.parametrize("height, width", [(1, 1), (1, 9), (9, 1), (2, 3), (3, 2), (40, 3), (3, 40)])
def test_png_of_every_shape(height, width):
    pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3))
    np.testing.assert_array_equal(read_png(encode(pixels, 2, 8, [4, 2, 3, 1, 4, 0])), shares(pixels))


def test_png_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path):
    """A file of a kilobyte that says 16,385 x 1,024; the pixels are not even there."""
    head = struct.pack(">IIBBBBB", 16385, 1024, 8, 6, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    with pytest.raises(FileError, match=r"at most 16,777,216, got 16385 x 1024 = 16,778,240.*Make it smaller"):
        read_png(bomb)


def peak_of(work):
    """The most bytes that are held at a time while it runs."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind, depth, most", [(6, 16, 550e6), (0, 1, 300e6)], ids=["rgba16", "grey1"])
def test_the_largest_png_takes_little_more_than_its_pixels(kind, depth, most):
    """As floats the pixels take 268 MB, or 67 where they are grey."""
    data = largest(kind, depth, lambda y: bytes([4]) + bytes(4096*CHANNELS[kind]*depth//8))
    assert len(data) < 1e6
    assert peak_of(lambda: read_png(data)) < most


def test_what_predict_takes_for_the_largest_png(tmp_path):
    """The floats of its pixels, 268 MB, and less than three times as much to find the ink."""
    paper = np.zeros((4096, 4), np.uint8)
    paper[0] = 255                      # filter 1: each pixel is that to its left, here white
    inked = paper.copy()
    inked[1500, :3], inked[2500, :3] = 1, 255               # to black, and back
    rows = [bytes([1]) + row.tobytes() for row in (paper, inked)]
    (tmp_path/"x.png").write_bytes(largest(6, 8, lambda y: rows[500 <= y < 3500]))
    nn.models.save(nn.models.DigitsCNN(), tmp_path/"m.npz", preprocessing=nn.models.Ink(8))
    found = []
    assert peak_of(lambda: found.extend(recognise(tmp_path/"m.npz", [tmp_path/"x.png"]))) < 1.1e9
    assert found[0].image.max() > 0.9 and found[0].shares.shape == (10,)


def damaged():
    good = encode(np.arange(48).reshape(4, 4, 3), 2, 8, [0])
    yield "not a PNG", b"GIF89a" + good, "not a PNG"
    yield "cut in the pixels", good[:60], "too early"
    yield "cut before the end", good[:-12], "too early"
    yield "one bit flipped", good[:50] + bytes([good[50] ^ 1]) + good[51:], "damaged"
    yield "interlaced", encode(np.zeros((4, 4, 3), int), 2, 8, [0], interlace=1), "interlaced"
    yield "no such depth", encode(np.zeros((4, 4, 3), int), 2, 4, [0]), "does not exist"
    yield "no such filter", encode_with_filter(9), "filter 9"
    yield "too large", huge(1 << 20, 1 << 20), "too many"
    yield "fewer pixels than it says", huge(8, 8), "fewer or more"
    yield "no pixels", good[:33] + chunk(b"IEND", b""), "missing"
    yield "palette too short", encode(np.full((2, 2, 1), 3), 3, 2, [0], chunk(b"PLTE", bytes(6))), "palette"


def encode_with_filter(number):
    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes([number, 0])))
            + chunk(b"IEND", b""))


def huge(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(50))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("what, data, words", list(damaged()), ids=lambda value: value if isinstance(value, str)
                         else "")
def test_a_damaged_png_is_refused(what, data, words):
    with pytest.raises(FileError, match=words):
        read_png(data)
