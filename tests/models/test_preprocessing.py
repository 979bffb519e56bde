"""What pictures go through: ink of every colour and size, photographs as torchvision takes them."""

import numpy as np
import pytest
from torchvision_shim import import_torchvision

import fastnn as nn
from fastnn.errors import FileError, RangeError
from fastnn.models import Ink, Photo
from fastnn.models.vision.preprocessing import from_data, to_data


def test_ink_is_found_whatever_its_colour_size_and_place():
    stroke = np.zeros((60, 80))
    stroke[10:50, 20:28] = 1
    ink = Ink(8)
    light, dark, faint = ink(stroke), ink(1 - stroke), ink(0.8 - 0.5*stroke)
    assert light.dtype == np.float32 and light.shape == (1, 8, 8)
    np.testing.assert_allclose(light, dark)
    np.testing.assert_allclose(light, faint, atol=1e-6)
    np.testing.assert_allclose(light, ink(np.roll(stroke, (5, 30), (0, 1))))
    # 40 x 8 pixels at a fifth: 8 rows of 1.6 columns in the middle
    np.testing.assert_allclose(light[0, :, 3:5], 0.8, rtol=1e-6)
    assert light.sum() == pytest.approx(8*1.6) and light[0, :, :3].max() == 0


def test_a_margin_stays_free():
    stroke = np.zeros((60, 60))
    stroke[10:50, 10:50] = 1
    digit = Ink(28, margin=4)(stroke)[0]
    assert digit[:4].max() == digit[:, -4:].max() == 0 and digit[4:24, 4:24].min() == pytest.approx(1)


def test_a_picture_of_the_right_size_is_not_moved():
    digit = np.asarray(nn.data.digits("test").tensors[0])[3, 0].astype(np.float64)
    np.testing.assert_array_equal(Ink(8)(digit)[0], digit)
    np.testing.assert_allclose(Ink(8)(1 - digit)[0], digit, atol=1e-7)


def test_colours_are_made_grey_and_transparency_is_paper():
    pixels = np.zeros((20, 20, 4))                          # black, and transparent but for a bar
    pixels[4:16, 9:11, 3] = 1
    np.testing.assert_allclose(Ink(8)(pixels), Ink(8)(1 - pixels[..., 3]), atol=1e-6)


def test_a_blank_picture_is_refused():
    with pytest.raises(RangeError, match="one colour"):
        Ink(8)(np.full((20, 30), 0.5))


@pytest.mark.torch
@pytest.mark.parametrize("shape", [(300, 400), (500, 256), (256, 256), (90, 60), (257, 600), (1, 2)])
def test_photographs_become_what_torchvision_makes_of_them(shape):
    image = pytest.importorskip("PIL.Image")
    transforms = import_torchvision().transforms
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (shape[0]//8 + 1, shape[1]//8 + 1, 3))
    pixels = coarse.repeat(8, 0).repeat(8, 1)[:shape[0], :shape[1]].astype(np.uint8)
    theirs = transforms.Compose([
        transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])(image.fromarray(pixels)).numpy()
    ours = Photo()(pixels/255)
    assert ours.shape == theirs.shape == (3, 224, 224) and ours.dtype == theirs.dtype
    # Pillow rounds to 1/255 after each direction
    assert np.abs(ours - theirs).max() <= 1.01/255/0.224


def test_small_pictures_get_a_black_border():
    y = Photo(resize=0, crop=6, mean=(0.0,), std=(1.0,))(np.ones((3, 4)))
    assert y.shape == (1, 6, 6) and y.sum() == 12 and y[0, 1:4, 1:5].min() == 1


def test_channels_are_made_to_fit():
    grey, colour = np.random.default_rng(0).random((9, 9)), np.random.default_rng(0).random((9, 9, 3))
    plain = {"resize": 0, "crop": 9}
    as_grey = Photo(**plain, mean=(0.0,), std=(1.0,))
    np.testing.assert_allclose(as_grey(colour)[0], colour @ [0.299, 0.587, 0.114], rtol=1e-6)
    y = Photo(**plain, mean=(0.0, 0.0, 0.5), std=(1.0, 0.5, 1.0))(grey)
    np.testing.assert_allclose(y, [grey, 2*grey, grey - 0.5], rtol=1e-5, atol=1e-6)


def test_a_thread_of_a_picture_is_refused():
    with pytest.raises(RangeError, match="long and narrow"):
        Photo()(np.zeros((2, 20_000)))


@pytest.mark.parametrize("preprocessing", [
    Ink(8), Ink(28, 4), Photo(), Photo(resize=0, crop=3, mean=(1.0,), std=(2.0,))], ids=str)
def test_plain_data_and_back(preprocessing):
    assert from_data(to_data(preprocessing)) == preprocessing
    lists = {key: list(value) if isinstance(value, tuple) else value for key, value in to_data(preprocessing).items()}
    assert from_data(lists) == preprocessing


@pytest.mark.parametrize("data", [
    None, 3, [], {}, {"kind": "ink"}, {"kind": "smell", "size": 8}, {"kind": "ink", "size": 10**9},
    {"kind": "ink", "size": "8"}, {"kind": "ink", "size": 8, "margin": 4}, {"kind": "ink", "size": 8, "colour": 1},
    {"kind": "photo", "std": [0.0, 1.0, 1.0]}, {"kind": "photo", "mean": [0.0]}, {"kind": "photo", "crop": 10**9},
    {"kind": "photo", "mean": "abc"}, {"kind": "photo", "interpolation": "magic"}, {"kind": ["ink"]},
    {"kind": "photo", "std": [float("nan")]*3}, {"kind": "photo", "crop": 2.5},
], ids=str)
def test_data_that_makes_no_sense(data):
    with pytest.raises(FileError, match="preprocessing"):
        from_data(data)
