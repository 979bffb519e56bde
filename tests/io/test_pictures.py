"""Pictures from files: arrays of every form, and what is refused."""

import numpy as np
import pytest

from fastnn.errors import FileError
from fastnn.io.pictures import read_pictures
from fastnn.io.png import write_png


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
