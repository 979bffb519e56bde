"""Pictures as PNG: what matplotlib draws is where SVG says, in the light theme."""

import sys

import numpy as np
import pytest
from viz_reading import HOSTILE, INF, NAN

from fastnn import viz
from fastnn.io.png import read_png
from fastnn.viz.svg import LIGHT, MARGIN, Svg, element, text

PICTURES = {
    "curves": lambda: viz.curves({"train_loss": [2.3, 0.1], "valid_loss": [1.9, 0.2], "valid_accuracy": [0.5, 0.9]}),
    "gaps": lambda: viz.line_chart({HOSTILE: [1.0, NAN, 2.0, INF], "b": []}, title=HOSTILE, y_label="y"),
    "dashes": lambda: viz.line_chart({str(k): [k, k + 1.0] for k in range(8)}),
    "bars": lambda: viz.bar_chart({"a $x$": {"NumPy": 9.1, "b": 0.4}, "c": {"NumPy": None}}, baseline=1, log=True),
    "confusion": lambda: viz.confusion([0, 1, 1], [0, 1, 0], ["caf\xe9", "a rather long name of it"]),
    "filters": lambda: viz.filters(np.random.default_rng(0).normal(size=(6, 1, 3, 3))),
    "maps": lambda: viz.feature_maps(np.zeros((3, 4, 8))),
    "digits": lambda: viz.image_grid(np.eye(4)[None], ["one\ntwo"], colours="ink"),
}


def pixels(picture, path):
    pytest.importorskip("matplotlib")
    assert picture.save(path) == path
    return np.rint(255*read_png(path.read_bytes())[..., :3]).astype(int)


def at(image, x, y):
    """The colour at a place of the picture, as in LIGHT."""
    return "#" + "".join(f"{part:02x}" for part in image[round(2*(y + MARGIN)), round(2*(x + MARGIN))])


@pytest.mark.parametrize("name", PICTURES)
def test_every_kind_of_picture_is_a_png(name, tmp_path):
    picture = PICTURES[name]()
    image = pixels(picture, tmp_path/"a.PNG")
    width, height = picture.width + 2*MARGIN, picture.height + 2*MARGIN
    assert abs(image.shape[0] - 2*height) <= 1 and abs(image.shape[1] - 2*width) <= 1
    assert at(image, 3 - MARGIN, 3 - MARGIN) == LIGHT["paper"] and len(np.unique(image)) > 10


def test_shapes_are_where_they_are_said_to_be(tmp_path):
    def shape(kind, name, **more):
        return element(kind, fill="currentColor", class_=f"fnn-{name}", **more)
    body = "".join([
        shape("rect", "s1", x=0, y=0, width=20, height=10, rx=2), shape("circle", "s2", cx=50, cy=10, r=8),
        shape("polygon", "s3", points="70,0 90,0 80,20"),
        element("g", shape("rect", "s4", x=0, y=0, width=20, height=4), transform="translate(10 60) rotate(-90)"),
        element("line", x1=30, y1=50, x2=60, y2=50, stroke="currentColor", class_="fnn-s5", stroke_width=4),
        element("g", element("path", d="M70 50L90 50", fill="none", stroke="currentColor", stroke_width=4),
                class_="fnn-s6"),
        element("rect", x=0, y=80, width=20, height=10, fill="currentColor", fill_opacity=0.5, class_="fnn-ink"),
        text(40, 90, "\N{FULL BLOCK}", size=20, colour="soft")])
    image = pixels(Svg(body, 100, 100, "shapes"), tmp_path/"a.png")
    for x, y, name in [(10, 5, "s1"), (50, 10, "s2"), (80, 5, "s3"), (12, 50, "s4"), (45, 50, "s5"), (80, 50, "s6"),
                       (46, 85, "soft"), (10, 15, "paper"), (50, 20, "paper"), (72, 15, "paper"), (20, 62, "paper"),
                       (45, 54, "paper")]:
        assert at(image, x, y) == LIGHT[name], name
    half = [(int(LIGHT["ink"][i:i + 2], 16) + 255)/2 for i in (1, 3, 5)]
    np.testing.assert_allclose(image[round(2*(85 + MARGIN)), round(2*(10 + MARGIN))], half, atol=2)


def test_images_keep_their_pixels(tmp_path):
    image = pixels(viz.image_grid(np.array([[[0.0, 1.0], [1.0, 0.0]]]), colours="ink"), tmp_path/"a.png")
    assert [at(image, x, y) for y in (10, 40) for x in (10, 40)] == ["#fbf8f1", "#141d33", "#141d33", "#fbf8f1"]


def test_without_matplotlib_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"drawn by matplotlib: .*\[viz\].*or save as \.svg"):
        viz.curves({"loss": [2.0, 1.0]}).save(tmp_path/"a.png")
    assert not list(tmp_path.iterdir())
