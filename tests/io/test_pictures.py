"""Pictures from files: arrays of every form, and what is refused. And back: bytes, characters."""

import numpy as np
import pytest

from fastnn.errors import FileError
from fastnn.io.pictures import ascii_picture, black_on_white, read_pictures
from fastnn.io.png import read_png, write_png


@pytest.mark.parametrize("array, top", [
    (np.arange(64).reshape(8, 8) % 17, 16), (np.arange(64, dtype=np.uint8).reshape(8, 8)*4, 255),
    (np.arange(64).reshape(8, 8)/63, 1), (np.eye(8, dtype=bool), 1)])
def test_arrays_are_scaled_by_what_they_hold(array, top, tmp_path):
    np.save(tmp_path/"x.npy", array)
    picture, = read_pictures(tmp_path/"x.npy")
    np.testing.assert_allclose(picture, array/top)


def test_arrays_of_several_pictures(tmp_path):
    images = np.random.default_rng(0).random((3, 1, 8, 8)).astype(np.float32)
    np.savez(tmp_path/"x.npz", images=images, labels=np.arange(3))
    assert [p.shape for p in read_pictures(tmp_path/"x.npz")] == [(8, 8)]*3
    np.savez(tmp_path/"y.npz", a=images, b=images)
    with pytest.raises(FileError, match="images"):
        read_pictures(tmp_path/"y.npz")


def test_arrays_of_colours_come_with_their_channels_last(tmp_path):
    images = np.random.default_rng(0).random((2, 3, 5, 4))
    np.save(tmp_path/"x.npy", images)
    first, second = read_pictures(tmp_path/"x.npy")
    np.testing.assert_array_equal(first, images[0].transpose(1, 2, 0))
    assert second.shape == (5, 4, 3)


@pytest.mark.parametrize("shape", [(8,), (2, 4, 8, 8), (1, 2, 3, 4, 5), (0, 8), ()])
def test_arrays_of_other_shapes_are_refused(shape, tmp_path):
    np.save(tmp_path/"x.npy", np.zeros(shape))
    with pytest.raises(FileError, match="expected numbers of shape"):
        read_pictures(tmp_path/"x.npy")


def test_files_that_are_no_pictures(tmp_path):
    (tmp_path/"x.png").write_bytes(write_png(np.zeros((3, 3, 3)))[:-20])
    with pytest.raises(FileError, match=r"x\.png cannot be read: it ends too early"):
        read_pictures(tmp_path/"x.png")
    with pytest.raises(FileNotFoundError):
        read_pictures(tmp_path/"nowhere.png")


def test_other_formats_through_pillow(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3)).astype(np.uint8)
    image.fromarray(pixels).save(tmp_path/"x.bmp")
    picture, = read_pictures(tmp_path/"x.bmp")
    np.testing.assert_allclose(picture[..., :3], pixels/255)


def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(tmp_path):
    """Beyond our limit, beyond Pillow's warning, beyond its error."""
    image = pytest.importorskip("PIL.Image")
    for side in (5_000, 10_000, 15_000):
        image.new("1", (side, side)).save(tmp_path/"x.bmp")
        with pytest.raises(FileError, match=r"x\.bmp cannot be read: (it has too many pixels|Pillow: .*pixels)"):
            read_pictures(tmp_path/"x.bmp")


def test_a_damaged_file_of_another_format_is_an_error_of_ours(tmp_path):
    image = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for ending in ("gif", "tiff", "bmp", "webp", "jpg"):
        image.fromarray(rng.integers(0, 256, (9, 9, 3)).astype(np.uint8)).save(tmp_path/f"x.{ending}")
        good = (tmp_path/f"x.{ending}").read_bytes()
        for _ in range(40):
            bad = bytearray(good[:rng.integers(1, len(good))])
            bad[rng.integers(len(bad))] ^= int(rng.integers(1, 256))
            (tmp_path/f"x.{ending}").write_bytes(bad)
            try:
                read_pictures(tmp_path/f"x.{ending}")
            except FileError as error:
                assert f"x.{ending} cannot be read" in str(error)


@pytest.mark.parametrize("header", [
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }", "{'descr': '<f8', 'shape': (4, 4)}",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (4, 4), }", "(" * 3000,
    "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 3), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"])
def test_a_header_that_promises_what_is_not_there(header, tmp_path):
    text = header.encode() + b"\n"
    (tmp_path/"x.npy").write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    with pytest.raises(FileError, match=r"x\.npy"):
        read_pictures(tmp_path/"x.npy")


def test_ink_becomes_a_picture_that_reads_back():
    ink = np.array([[0.0, 0.5], [1.0, 0.25]])
    back = read_png(write_png(black_on_white(ink, 3)))[..., 0]
    np.testing.assert_allclose(1 - back, ink.repeat(3, 0).repeat(3, 1), atol=1/255)


def test_the_drawing_has_two_characters_a_pixel():
    assert ascii_picture(np.array([[0.0, 0.5], [1.0, 2.0]])) == ["  ++", "@@@@"]
