"""From a file to a digit: the PNG reader, pictures and arrays of all kinds, model files, and
`predict` on them.
"""

import struct
import zlib

import numpy as np
import pytest

import fastnn as nn
from fastnn import cli
from fastnn.cli.picture import ascii_picture, read_pictures, to_digit
from fastnn.cli.predict import probabilities
from fastnn.console import UserError
from fastnn.errors import FileError
from fastnn.io.png import BadPicture, read_png
from fastnn.viz.images import png


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


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@pytest.mark.parametrize("filters", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]],
                         ids=lambda f: "filters " + "".join(map(str, f)))
@pytest.mark.parametrize("kind, depth", [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (4, 16),
                                         (6, 8), (6, 16)])
def test_png_of_every_kind(kind, depth, filters):
    pixels = np.random.default_rng(kind + depth).integers(0, 2**depth, (7, 11, CHANNELS[kind]))
    got = read_png(encode(pixels, kind, depth, filters))
    assert got.shape == pixels.shape
    np.testing.assert_allclose(got, pixels/(2**depth - 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_with_a_palette_and_transparency(depth):
    colours = np.random.default_rng(depth).integers(0, 256, (2**depth, 3))
    index = np.random.default_rng(0).integers(0, 2**depth, (5, 6, 1))
    extra = chunk(b"PLTE", colours.astype(np.uint8).tobytes()) + chunk(b"tRNS", bytes([128]))
    got = read_png(encode(index, 3, depth, [1, 4], extra))
    np.testing.assert_allclose(got[..., :3], colours[index[..., 0]]/255)
    np.testing.assert_allclose(got[..., 3], np.where(index[..., 0] == 0, 128/255, 1))


def test_png_reads_what_the_report_writes():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 4, 3))
    np.testing.assert_allclose(read_png(png(pixels)), pixels/255)


def test_png_against_pillow(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(2).integers(0, 256, (33, 21, 4)).astype(np.uint8)
    pixels[5:20] = pixels[5]                        # so that its writer uses the filters
    image.fromarray(pixels).save(tmp_path/"x.png")
    np.testing.assert_allclose(read_png((tmp_path/"x.png").read_bytes()), pixels/255)


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
    with pytest.raises(BadPicture, match=words):
        read_png(data)


# ---- pictures ------------------------------------------------------------------------------------
def test_ink_is_found_whatever_its_colour_size_and_place():
    stroke = np.zeros((60, 80))
    stroke[10:50, 20:28] = 1
    light, dark = to_digit(stroke, (8, 8)), to_digit(1 - stroke, (8, 8))
    faint = to_digit(0.8 - 0.5*stroke, (8, 8))
    np.testing.assert_allclose(light, dark)
    np.testing.assert_allclose(light, faint, atol=1e-12)
    np.testing.assert_allclose(light, to_digit(np.roll(stroke, (5, 30), (0, 1)), (8, 8)))
    # 40 x 8 pixels at a fifth: 8 rows of 1.6 columns in the middle
    np.testing.assert_allclose(light[:, 3:5], 0.8)
    assert light.sum() == pytest.approx(8*1.6) and light[:, :3].max() == 0


def test_larger_networks_get_a_margin():
    stroke = np.zeros((60, 60))
    stroke[10:50, 10:50] = 1
    digit = to_digit(stroke, (28, 28))
    assert digit[:4].max() == digit[:, -4:].max() == 0 and digit[4:24, 4:24].min() == pytest.approx(1)


def test_a_picture_of_the_right_size_is_not_moved():
    digit = np.asarray(nn.data.digits("test").tensors[0])[3, 0].astype(np.float64)
    np.testing.assert_array_equal(to_digit(digit, (8, 8)), digit)
    np.testing.assert_allclose(to_digit(1 - digit, (8, 8)), digit, atol=1e-7)


def test_the_drawing_has_two_characters_a_pixel():
    assert ascii_picture(np.array([[0.0, 0.5], [1.0, 2.0]])) == ["  ++", "@@@@"]


@pytest.mark.parametrize("array, top", [(np.arange(64).reshape(8, 8) % 17, 16),
                                        (np.arange(64, dtype=np.uint8).reshape(8, 8)*4, 255),
                                        (np.arange(64).reshape(8, 8)/63, 1), (np.eye(8, dtype=bool), 1)])
def test_arrays_are_scaled_by_what_they_hold(array, top, tmp_path):
    np.save(tmp_path/"x.npy", array)
    picture, = read_pictures(str(tmp_path/"x.npy"))
    np.testing.assert_allclose(picture, array/top)


def test_arrays_of_several_pictures(tmp_path):
    images = np.random.default_rng(0).random((3, 1, 8, 8)).astype(np.float32)
    np.savez(tmp_path/"x.npz", images=images, labels=np.arange(3))
    assert [p.shape for p in read_pictures(str(tmp_path/"x.npz"))] == [(8, 8)]*3
    np.savez(tmp_path/"y.npz", a=images, b=images)
    with pytest.raises(UserError, match="images"):
        read_pictures(str(tmp_path/"y.npz"))


# ---- model files ---------------------------------------------------------------------------------
@pytest.mark.parametrize("model", [nn.models.DigitsCNN(7, 4), nn.models.LeNet5(3)], ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_a_model_comes_back_as_it_was(model, ending, tmp_path):
    if ending == "safetensors":
        pytest.importorskip("safetensors")
    nn.models.save(model, tmp_path/f"m.{ending}", classes=["a", "b"], note=None)
    again, info = nn.models.load(tmp_path/f"m.{ending}")
    assert type(again) is type(model) and again.settings == model.settings and not again.training
    assert info == {"classes": ["a", "b"], "note": None}
    x = nn.tensor(np.random.default_rng(0).random((2, *model.input_shape)).astype(np.float32))
    assert np.array_equal(again(x), model.eval()(x))


@pytest.mark.parametrize("change, words", [
    ({"fastnn": "model 9"}, "not a model"), ({"architecture": "os.system"}, "os.system"),
                                           ({"architecture": 3}, "knows digits"),
    ({"settings": {"classes": 10**9}}, "settings"), ({"settings": {"classes": "10"}}, "settings"),
                                           ({"settings": {"depth": 3}}, "fit"),
    ({"settings": {"classes": 11}}, "fit"), ({"state": {"conv1.weight": np.zeros(3)}}, "fit"),
                                           ({"state": None}, "not a model"),
], ids=str)
def test_a_model_file_is_not_trusted(change, words, tmp_path):
    nn.models.save(nn.models.DigitsCNN(), tmp_path/"m.npz")
    nn.save({**nn.load(tmp_path/"m.npz"), **change}, tmp_path/"m.npz")
    with pytest.raises(FileError, match=words):
        nn.models.load(tmp_path/"m.npz")


def test_only_known_architectures_are_saved(tmp_path):
    with pytest.raises(FileError, match="state_dict"):
        nn.models.save(nn.Linear(2, 2), tmp_path/"m.npz")
    assert not list(tmp_path.iterdir())


# ---- predict -------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    assert cli.main(["train", "--epochs", "4", "--out", str(path)]) == 0
    return path/"digits.npz"


def test_predict_says_what_the_model_says(model_file, tmp_path, capsys):
    images, labels = (np.asarray(t) for t in nn.data.digits("test").tensors)
    np.save(tmp_path/"d.npy", np.rint(16*images[:12, 0]).astype(np.uint8))
    assert cli.main(["predict", str(model_file), str(tmp_path/"d.npy")]) == 0
    lines = capsys.readouterr().out.splitlines()
    model, _ = nn.models.load(model_file)
    want = np.asarray(nn.functional.softmax(nn.predict(model, images[:12]), dim=1))
    assert len(lines) == 12
    for i, line in enumerate(lines):
        assert line.startswith(f"{tmp_path/'d.npy'}[{i}]: {want[i].argmax()}, {100*want[i].max():.1f} % sure (")
    assert (want.argmax(1) == labels[:12]).mean() > 0.8


def test_digits_drawn_on_paper_are_read_nearly_as_well(model_file):
    images, labels = (np.asarray(t) for t in nn.data.digits("test").tensors)
    model, info = nn.models.load(model_file)
    drawn = []
    for image in images[:, 0]:
        paper = np.full((230, 300), 0.9)
        paper[30:190, 60:220] -= 0.8*image.repeat(20, 0).repeat(20, 1)
        drawn.append(to_digit(paper, (8, 8)))
    assert (probabilities(model, np.stack(drawn)).argmax(1) == labels).mean() > info["accuracy"] - 0.02


def test_predict_draws_a_few_pictures(model_file, tmp_path, capsys):
    image = np.asarray(nn.data.digits("test").tensors[0])[0, 0]
    page = np.ones((200, 160, 3))
    page[20:180, 0:160] -= image.repeat(20, 0).repeat(20, 1)[..., None]
    (tmp_path/"d.png").write_bytes(png(np.rint(255*np.clip(page, 0, 1))))
    assert cli.main(["predict", str(model_file), str(tmp_path/"d.png"), str(tmp_path/"d.png")]) == 0
    text = capsys.readouterr().out
    assert text.count("@@") > 2 and text.count("% sure") == 2 and len(text.splitlines()) == 2*10


@pytest.mark.parametrize("name, content, words", [
    ("x.png", b"\x89PNG\r\n\x1a\nnothing", "too early"), ("x.npy", b"\x93NUMPYnothing", "x.npy"),
                                                  ("x.npz", b"PK", "x.npz"),
    ("blank.npy", np.ones((20, 20)), "one colour"), ("flat.npy", np.ones(8), "shape (8,)"),
                                                  ("nan.npy", np.full((8, 8), np.nan), "not finite"),
    ("text.npy", np.array([["a"]]), "<U1"), ("pickle.npy", np.array([[None]]), "pickle.npy"),
                                                  ("x.xyz", b"what", "x.xyz"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_predict_refuses_in_one_line(name, content, words, model_file, tmp_path, capsys):
    if isinstance(content, bytes):
        (tmp_path/name).write_bytes(content)
    else:
        np.save(tmp_path/name, content)
    assert cli.main(["predict", str(model_file), str(tmp_path/name)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and words in error and "Traceback" not in error


def test_predict_refuses_a_file_that_is_no_model(tmp_path, capsys):
    np.savez(tmp_path/"m.npz", weight=np.zeros(3))
    assert cli.main(["predict", str(tmp_path/"m.npz"), "x.png"]) == 2
    assert "not a model" in capsys.readouterr().err
