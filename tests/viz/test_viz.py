"""The pictures: where the data land, and what hostile and broken input does."""

import copy
import doctest
import importlib
import os
import pickle
import re
import xml.etree.ElementTree as ET
from itertools import pairwise

import numpy as np
import pytest
from viz_reading import HOSTILE, INF, NAN, all_of, coordinates, decode_png, parse, texts

from fastnn import viz
from fastnn.io.png import write_png
from fastnn.viz import charts, images, learning_curves, svg

# ---- the SVG writer ------------------------------------------------------------------------------

def test_escape_leaves_no_markup_and_no_character_that_xml_forbids():
    escaped = svg.escape(HOSTILE)
    assert not set("<>\"'\x00\ud800") & set(escaped)
    read = ET.fromstring(f"<a b='{escaped}'>{escaped}</a>")
    assert read.text == HOSTILE.replace("\x00", "\ufffd").replace("\ud800", "\ufffd")


def test_element_writes_attributes_children_and_leaves_out_none():
    child = svg.element("title", "t")
    node = ET.fromstring(svg.element("rect", child, stroke_width=1.25, class_="a", rx=None, aria_label='"'))
    assert node.attrib == {"stroke-width": "1.25", "class": "a", "aria-label": '"'}
    assert [child.tag for child in node] == ["title"]


@pytest.mark.parametrize("low, high", [(0, 1), (0.93, 0.991), (-3, 1e-9), (1e-30, 3e-30), (-1e300, 1e300), (5, 5),
                                       (0, 0), (0, 5e-324), (12345, 12346), (7, 2)])
def test_nice_ticks_enclose_the_range_with_equal_round_steps(low, high):
    ticks = svg.nice_ticks(low, high)
    low, high = sorted((low, high))
    steps = np.diff(ticks)
    hair = 1e-8*steps[0]
    assert ticks[0] <= low + hair and high - hair <= ticks[-1] and ticks[0] < ticks[-1]
    assert 3 <= len(ticks) <= 9
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    mantissa = steps[0]/10.0**np.floor(np.log10(steps[0]) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 2.5, 5, 10)) < 1e-6


@pytest.mark.parametrize("low, high", [(0.03, 2.3), (1, 1), (1, 2), (1e-12, 3), (0.999, 1.001), (1e-300, 1e300),
                                       (10, 1000)])
def test_log_ticks_enclose_the_range(low, high):
    ticks = svg.log_ticks(low, high)
    assert 0 < ticks[0] <= low <= high <= ticks[-1] and ticks[0] < ticks[-1]
    assert 2 <= len(ticks) <= 10
    assert ticks == sorted(set(ticks))
    assert ticks[1] > low and ticks[-2] <= high        # nothing to spare at either end


@pytest.mark.parametrize("low, high", [(NAN, 1), (0, INF)])
def test_ticks_of_limits_that_are_not_finite_are_refused(low, high):
    with pytest.raises(ValueError, match="finite"):
        svg.nice_ticks(low, high)
    with pytest.raises(ValueError, match="0 < low <= high"):
        svg.log_ticks(low, high)


def test_tick_labels_are_distinct_and_equally_precise():
    for low, high in [(0.9, 0.99), (0, 3e9), (-0.002, 0.001), (1000, 1004)]:
        labels = svg.tick_labels(svg.nice_ticks(low, high))
        assert len(set(labels)) == len(labels)
        np.testing.assert_allclose([float(label) for label in labels], svg.nice_ticks(low, high), rtol=1e-3, atol=1e-12)


@pytest.mark.parametrize("value, shown", [
    (NAN, "nan"), (INF, "inf"), (-INF, "-inf"), (0, "0"), (-0.5, "-0.5"), (1234567, "1.23e6"), (0.00012, "1.2e-4"),
    (99.96, "100"), (0.25, "0.25")])
def test_short_number(value, shown):
    assert svg.short_number(value) == shown


def test_svg_is_a_string_that_survives_copies_and_saves_itself(tmp_path):
    picture = viz.line_chart({"a": [1, 2]}, title="é, 数")
    assert isinstance(picture, str) and picture == picture._repr_svg_()
    for other in (copy.deepcopy(picture), pickle.loads(pickle.dumps(picture))):
        assert other == picture and other.inline() == picture.inline()
    path = picture.save(tmp_path / "a.svg")
    assert ET.parse(path).getroot().get("aria-label") == picture.label
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]


@pytest.mark.parametrize("name", ["curves.pdf", "curves.jpg", "curves", "svg", "png"])
def test_a_picture_is_never_written_under_a_wrong_name(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.svg.*" + name):
        svg.Svg("", 1, 1, "nothing").save(tmp_path/name)
    assert not list(tmp_path.iterdir())


def test_standalone_picture_has_both_themes_and_inline_picture_has_none():
    picture = viz.line_chart({"a": [1, 2]})
    style, = all_of(picture, "style")
    assert "prefers-color-scheme:dark" in style.text
    assert svg.LIGHT["ink"] in style.text and svg.DARK["ink"] in style.text
    root = ET.fromstring(picture.inline())
    assert "style" not in {node.tag.split("}")[1] for node in root.iter()}
    assert root.get("viewBox") == f"0 0 {picture.width:g} {picture.height:g}"


def test_pictures_have_no_ids_so_that_many_fit_one_page():
    for picture in (viz.curves({"loss": [1, 2]}), viz.filters(np.ones((2, 1, 3, 3))), viz.confusion([0, 1], [0, 1])):
        assert not [node for node in parse(picture).iter() if node.get("id")]


def test_colours_of_text_stand_out_from_the_paper():
    def luminance(colour):
        channels = [int(colour[i:i + 2], 16)/255 for i in (1, 3, 5)]
        linear = [c/12.92 if c <= 0.04045 else ((c + 0.055)/1.055)**2.4 for c in channels]
        return np.dot([0.2126, 0.7152, 0.0722], linear)

    for theme in (svg.LIGHT, svg.DARK):
        for name in ("ink", "soft", *svg.SERIES):                   # WCAG 2: at least 4.5 for text
            a, b = sorted((luminance(theme[name]), luminance(theme["paper"])))
            assert (b + 0.05)/(a + 0.05) >= 4.5, (name, theme[name])


@pytest.mark.parametrize("failing", ["write", "replace"])
def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, failing):
    path = tmp_path / "report.html"
    path.write_text("old")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync" if failing == "write" else "replace", full_disk)
    with pytest.raises(OSError, match="No space left"):
        svg.write_text(path, "new")
    assert path.read_text() == "old" and [file.name for file in tmp_path.iterdir()] == ["report.html"]


# ---- line chart ----------------------------------------------------------------------------------

def test_line_chart_points_stand_where_the_numbers_say():
    picture = viz.line_chart({"a": [0.0, 1.0, 0.5]})
    path, = all_of(picture, "path")
    (x0, y0), (x1, y1), (x2, y2) = coordinates(path)
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.02) and x0 < x1
    assert y1 < y2 < y0                                                # up is less in SVG
    assert y2 == pytest.approx((y0 + y1)/2, abs=0.02)
    assert all(0 <= x <= picture.width and 0 <= y <= picture.height for x, y in coordinates(path))


def test_line_chart_on_a_logarithmic_axis_gives_equal_factors_equal_steps():
    (_, a), (_, b), (_, c) = coordinates(all_of(viz.line_chart({"a": [1.0, 0.1, 0.01]}, log=True), "path")[0])
    assert b - a == pytest.approx(c - b, abs=0.03) and b > a


def test_line_chart_tool_tips_hold_the_values():
    tips = [node.text for node in all_of(viz.line_chart({"train": [0.25, 0.5]}, percent=True), "title")]
    assert tips == ["train, 1: 25.00%", "train, 2: 50.00%"]


def test_line_chart_breaks_at_values_that_are_not_finite_and_counts_them():
    picture = viz.line_chart({"a": [1, 2, NAN, 3, INF, 4, 1e301]})
    path, = all_of(picture, "path")
    assert path.get("d").count("M") == 3 and len(coordinates(path)) == 4
    assert "a (3 not finite)" in texts(picture)
    assert not re.search(r"\b(nan|inf)\b", str(picture).lower())


def test_line_chart_on_a_logarithmic_axis_cannot_draw_zero():
    picture = viz.line_chart({"a": [1, 0, -2, 0.5]}, log=True)
    assert "a (2 not above 0)" in texts(picture)
    assert len(coordinates(all_of(picture, "path")[0])) == 2


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize("series", [{}, {"a": []}, {"a": [NAN, NAN]}])
def test_line_chart_without_anything_to_draw_says_so(series, log):
    picture = viz.line_chart(series, log=log)
    assert "no data" in texts(picture) and not all_of(picture, "path")


@pytest.mark.parametrize("values", [[3.0], [5, 5, 5], [0, 0], [-1e300, 1e300], [1e-320, 2e-320], [1e16, 1e16 + 2]])
def test_line_chart_of_one_point_constants_and_extremes_stays_in_its_frame(values):
    picture = viz.line_chart({"a": values})
    for x, y in coordinates(all_of(picture, "path")[0]):
        assert 0 <= x <= picture.width and 0 <= y <= picture.height


def test_line_chart_keeps_the_peaks_of_a_long_series():
    values = np.zeros(100_000)
    values[61_803] = 7.0
    path, = all_of(viz.line_chart({"a": values}), "path")
    points = coordinates(path)
    assert len(points) <= charts.DRAWN_POINTS + 2
    peak = min(points, key=lambda point: point[1])
    assert [y for _, y in points].count(peak[1]) == 1
    span = points[-1][0] - points[0][0]
    assert (peak[0] - points[0][0])/span == pytest.approx(0.618, abs=1e-3)


def test_line_chart_legend_wraps_and_names_every_series():
    picture = viz.line_chart({f"series number {k}": [k, k + 1] for k in range(9)})
    assert {f"series number {k}" for k in range(9)} <= set(texts(picture))
    rows = {node.get("y") for node in all_of(picture, "text") if node.text.startswith("series")}
    assert len(rows) >= 3
    assert all(float(node.get("x")) < picture.width for node in all_of(picture, "text"))


def test_series_differ_in_more_than_colour():
    shapes = [charts._marker(0, 0, k) for k in range(4)]
    assert len(set(shapes)) == 4


def test_epochs_are_whole_numbers_from_one():
    for count in (2, 3, 7, 15, 40, 300):
        shown = [int(label) for label in texts(viz.line_chart({"a": list(range(count, 0, -1))}, x_label="epoch",
                                                              percent=True))
                 if label.isdigit()]
        assert shown[0] == 1 and shown == sorted(set(shown)) and shown[-1] <= count
        assert len(shown) >= 2


def test_line_chart_refuses_what_it_cannot_draw():
    with pytest.raises(ValueError, match=r"'a' must be one row of numbers, got shape \(1, 2\)"):
        viz.line_chart({"a": [[1, 2]]})
    with pytest.raises(ValueError, match="series 'a' has 3 values, but x has only 2"):
        viz.line_chart({"a": [1, 2, 3]}, x=[1, 2])


def test_notes_are_written_at_their_point():
    picture = viz.line_chart({"a": [1, 5, 2]}, notes=[(2, 5, "best 5")])
    assert texts(picture).count("best 5") == 2                          # the words and their halo
    path, = all_of(picture, "path")
    ring = next(node for node in all_of(picture, "circle") if node.get("fill") == "none")
    assert (float(ring.get("cx")), float(ring.get("cy"))) == coordinates(path)[1]


# ---- bar chart -----------------------------------------------------------------------------------

def test_bars_of_a_logarithmic_chart_are_as_long_to_both_sides():
    picture = viz.bar_chart({"win": 4.0, "loss": 0.25}, baseline=1, log=True, unit="x")
    win, loss = [node for node in all_of(picture, "rect") if node.get("height") == "13"]
    assert float(win.get("width")) == pytest.approx(float(loss.get("width")), abs=0.02)
    assert float(win.get("x")) == pytest.approx(float(loss.get("x")) + float(loss.get("width")), abs=0.02)
    assert {"4.00x", "0.25x"} <= set(texts(picture))
    assert win.get("class") != loss.get("class")


def test_bars_share_a_scale_where_limits_are_given():
    def length(picture):
        return float(next(node for node in all_of(picture, "rect") if node.get("height") == "13").get("width"))

    assert length(viz.bar_chart({"a": 2.0}, limits=(0, 8))) == pytest.approx(length(viz.bar_chart({"a": 8.0}))/4,
                                                                             abs=0.02)


def test_bar_chart_shows_a_dash_where_there_is_no_number():
    picture = viz.bar_chart({"a": {"x": None, "y": NAN, "z": 1.0}, "b": {"x": INF, "y": 2.0, "z": 0.0}}, baseline=1,
                            log=True)
    assert texts(picture).count(svg.MISSING) == 4
    assert len([node for node in all_of(picture, "rect") if node.get("height") == "13"]) == 2
    assert viz.bar_chart({}).label == "Bar chart: no data"
    with pytest.raises(ValueError, match="positive baseline"):
        viz.bar_chart({"a": 1.0}, log=True)


# ---- heat map ------------------------------------------------------------------------------------

def test_heat_map_puts_every_number_in_its_cell():
    matrix = np.arange(6).reshape(2, 3) + 10
    picture = viz.heat_map(matrix, ["r0", "r1"], ["c0", "c1", "c2"])
    place = {node.text: (float(node.get("x")), float(node.get("y"))) for node in all_of(picture, "text")}
    for i in range(2):
        for j in range(3):
            x, y = place[str(matrix[i, j])]
            assert x == place[f"c{j}"][0] and y == place[f"r{i}"][1]


def test_confusion_errors_differ_from_the_diagonal_in_shape_and_weight_too():
    picture = viz.confusion([0, 0, 0, 1, 1], [0, 0, 1, 1, 1])
    cells = {group[0].text: group for group in all_of(picture, "g") if len(group) and group[0].tag.endswith("title")}
    right, wrong, none = cells["0, 0: 2"], cells["0, 1: 1"], cells["1, 0: 0"]
    assert right.find("{*}rect").get("stroke") is None and wrong.find("{*}rect").get("stroke") == "currentColor"
    assert right.find("{*}rect").get("class") != wrong.find("{*}rect").get("class")
    assert right.find("{*}text").get("font-weight") is None and wrong.find("{*}text").get("font-weight") == "700"
    assert none.find("{*}rect") is None and none.find("{*}text").text == "·"
    darker = float(cells["1, 1: 2"].find("{*}rect").get("fill-opacity"))
    assert darker > float(right.find("{*}rect").get("fill-opacity"))


def test_heat_map_of_signed_numbers_nan_and_nothing():
    picture = viz.heat_map([[-2.0, 1.0], [NAN, 0.0]])
    kinds = [node.get("class") for node in all_of(picture, "rect")][1:]
    assert kinds == ["fnn-s2", "fnn-s1", "fnn-s1"]                      # zero has no tint
    assert svg.MISSING in texts(picture)
    assert viz.heat_map(np.zeros((0, 0))).label == "Matrix: 0 rows, 0 columns"


def test_heat_map_refuses_wrong_shapes_and_labels():
    with pytest.raises(ValueError, match=r"expected a matrix of shape \(rows, columns\), got shape \(3,\)"):
        viz.heat_map([1, 2, 3])
    with pytest.raises(ValueError, match="2 columns, but there are 1 column labels"):
        viz.heat_map(np.eye(2), None, ["a"])


# ---- images --------------------------------------------------------------------------------------

def test_png_is_read_back_pixel_by_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    large = decode_png(images.png_uri(pixels, 20))
    assert large.shape == (20, 12, 3)
    np.testing.assert_array_equal(large[::4, ::4], pixels)
    np.testing.assert_array_equal(large, pixels.repeat(4, 0).repeat(4, 1))
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        write_png(np.zeros((0, 3, 3), np.uint8))


@pytest.mark.parametrize("name", images.COLOUR_MAPS)
def test_lightness_is_monotone_along_every_colour_map(name):
    light = images.colours_of(np.linspace(0, 1, 101)[None], name, (0, 1))[0] @ [0.2126, 0.7152, 0.0722]
    steps = np.diff(light)
    if name == "diverging":
        assert (steps[:50] > 0).all() and (steps[50:] < 0).all()
        assert abs(light[0] - light[-1]) < 20                       # neither sign looks stronger
    else:
        assert (steps > 0).all() or (steps < 0).all()


def test_diverging_colours_put_zero_in_the_middle():
    colours = images.colours_of([[-1.0, 0.0, 4.0]], "diverging")[0]
    middle = images.COLOUR_MAPS["diverging"][3]
    assert "#" + bytes(colours[1]).hex() == middle
    # blue below, orange above
    assert colours[0][2] > colours[0][0] and colours[2][0] > colours[2][2]


def test_unknown_colour_map_is_refused():
    with pytest.raises(ValueError, match="unknown colour map 'jet': expected one of 'ink', 'sequential', 'diverging'"):
        images.colours_of([[1]], "jet")


def test_image_grid_shows_the_pixels_with_one_scale_and_marks_nan():
    first, second = np.array([[0.0, 0.5]]), np.array([[1.0, NAN]])
    a, b = (decode_png(node.get("href")) for node in all_of(viz.image_grid([first, second]), "image"))
    expected = images.colours_of([[0.0, 0.5, 1.0, NAN]], "sequential", (0, 1))[0]
    half = a.shape[1]//2
    np.testing.assert_array_equal([a[0, 0], a[0, half], b[0, 0], b[0, half]], expected)
    assert tuple(expected[3]) == images.NOT_FINITE


def test_image_grid_layout_labels_and_scale():
    picture = viz.image_grid(np.zeros((5, 2, 2)), ["a\nb", "c", "d", "e", "f"], columns=3, limits=(-2, 6), scale=True)
    nodes = all_of(picture, "image")
    assert len(nodes) == 6                                              # five and the colour strip
    places = [(float(node.get("x")), float(node.get("y"))) for node in nodes[:5]]
    assert len({x for x, _ in places}) == 3 and len({y for _, y in places}) == 2
    assert places[0][1] == places[2][1] < places[3][1]
    assert texts(picture) == ["a", "b", "c", "d", "e", "f", "-2", "6", "0"]


def test_image_grid_of_colour_images_bytes_and_floats():
    pixels = np.array([[[255, 0, 128]]], np.uint8)
    for image in (pixels, pixels/255):
        node, = all_of(viz.image_grid([image]), "image")
        assert tuple(decode_png(node.get("href"))[0, 0]) == (255, 0, 128)


def test_image_grid_of_nothing_and_of_the_wrong_thing():
    assert "no images" in texts(viz.image_grid([]))
    assert not all_of(viz.image_grid(np.zeros((1, 0, 4))), "image")
    with pytest.raises(ValueError, match=r"image 1 has \(3,\)"):
        viz.image_grid([np.zeros((2, 2)), np.zeros(3)])
    with pytest.raises(ValueError, match="2 images, but 1 labels"):
        viz.image_grid(np.zeros((2, 2, 2)), ["a"])
    with pytest.raises(ValueError, match="columns must be at least 1"):
        viz.image_grid(np.zeros((2, 2, 2)), columns=0)


# ---- the convenience functions -------------------------------------------------------------------

class ArrayLike:
    """As little of a tensor as the functions may rely on."""

    def __init__(self, values):
        self.values = np.asarray(values)

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


def test_functions_take_whatever_has_an_array():
    weight, maps = np.random.default_rng(1).normal(size=(4, 1, 3, 3)), np.random.default_rng(2).random((2, 3, 4, 4))
    assert viz.filters(ArrayLike(weight)) == viz.filters(weight)
    assert viz.feature_maps(ArrayLike(maps), index=1) == viz.feature_maps(maps[1])
    assert viz.confusion(ArrayLike([0, 1]), ArrayLike([[0.2, 0.8], [0.1, 0.9]])) == viz.confusion([0, 1], [1, 1])


def test_filters_by_channel_shape_and_limit():
    assert len(all_of(viz.filters(np.ones((3, 4, 2, 2))), "image")) == 13   # and the colour strip
    picture = viz.filters(np.ones((100, 1, 2, 2)), most=10)
    assert len(all_of(picture, "image")) == 11 and "Filters (10 of 100)" in texts(picture)
    assert len(all_of(viz.filters(np.ones((5, 64)), shape=(8, 8)), "image")) == 6
    with pytest.raises(ValueError, match=r"\(K, C, R, S\), got \(5, 64\). Pass shape"):
        viz.filters(np.ones((5, 64)))
    with pytest.raises(ValueError, match=r"needs a weight of shape \(K, 49\), got \(5, 64\)"):
        viz.filters(np.ones((5, 64)), shape=(7, 7))


def test_feature_maps_limit_and_shape():
    picture = viz.feature_maps(np.ones((70, 2, 2)), most=9)
    assert len(all_of(picture, "image")) == 10 and "Feature maps (9 of 70)" in texts(picture)
    with pytest.raises(ValueError, match=r"got \(3,\)"):
        viz.feature_maps(np.ones(3))


def test_confusion_matrix_counts_rows_by_truth():
    matrix = viz.confusion_matrix([0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 2, 2], 4)
    np.testing.assert_array_equal(matrix, [[1, 1, 0, 0], [0, 1, 0, 0], [1, 0, 2, 0], [0, 0, 0, 0]])
    names = viz.confusion_matrix(["cat", "dog", "dog"], ["dog", "dog", "cat"], ["cat", "dog"])
    np.testing.assert_array_equal(names, [[0, 1], [1, 1]])
    assert viz.confusion_matrix([], []).shape == (0, 0)
    np.testing.assert_array_equal(viz.confusion_matrix([], [], 2), np.zeros((2, 2)))


@pytest.mark.parametrize("truth, predicted, classes, words", [
    ([0, 1], [0], None, "truth has 2 labels, predicted has 1"),
    ([0, 3], [0, 1], 3, "truth holds the label 3, expected 0 to 2"),
    ([0, 1], [0, -1], None, "predicted holds the label -1"),
    (["cow"], ["cat"], ["cat", "dog"], "truth holds the label 'cow', which is not in classes"),
    (["cow"], ["cow"], None, "give their names in classes="),
    ([[0, 1]], [0], None, r"truth must be one label per image, got shape \(1, 2\)"),
])
def test_confusion_matrix_refuses(truth, predicted, classes, words):
    with pytest.raises(ValueError, match=words):
        viz.confusion_matrix(truth, predicted, classes)


class Epoch:
    def __init__(self, **values):
        self.__dict__.update(values)


class History:
    def __init__(self, **columns):
        self.__dict__.update(columns)


@pytest.mark.parametrize("history", [
    {"train_loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "val_acc": [0.5, 0.75], "lr": [0.1, 0.1]},
    [{"epoch": 1, "train_loss": 2.0, "valid_loss": 2.5, "valid_accuracy": 0.5},
     {"epoch": 2, "train_loss": 1.0, "valid_loss": 1.5, "valid_accuracy": 0.75}],
    [Epoch(loss=2.0, valid_loss=2.5, valid_accuracy=0.5), Epoch(loss=1.0, valid_loss=1.5, valid_accuracy=0.75)],
    History(train_loss=np.array([2.0, 1.0]), valid_loss=[2.5, 1.5], valid_accuracy=(0.5, 0.75), seconds=3.0),
    History(history={"loss": [2.0, 1.0], "val_loss": [2.5, 1.5], "val_accuracy": [0.5, 0.75]}),
])
def test_histories_in_every_form_give_the_same_series(history):
    assert viz.history_series(history) == {"loss": {"train": [2.0, 1.0], "validation": [2.5, 1.5]},
                                           "accuracy": {"validation": [0.5, 0.75]}}
    picture = viz.curves(history)
    assert "best 25%" in texts(picture) and len(all_of(picture, "path")) == 3


def test_accuracy_is_drawn_as_error_on_a_logarithmic_axis():
    """From 98% to 99% is as large a step as from 96% to 98%."""
    loss, error = learning_curves.curve_charts({"loss": [1, 1], "accuracy": [0.9, 0.96, 0.98, 0.99, 1.0]})
    assert "Error (logarithmic)" in texts(error) and {"1%", "2%", "10%"} <= set(texts(error))
    assert "train (1 not above 0%)" in texts(error) and "Error" not in texts(loss)
    ys = [y for _, y in coordinates(all_of(error, "path")[0])]
    assert len(ys) == 4 and abs((ys[2] - ys[1]) - (ys[3] - ys[2])) < 0.1
    for accuracy, title in (([1.0, 1.0], "Accuracy"), ([55.0, 71.0], "Accuracy"), ([NAN, NAN], "Accuracy")):
        assert title in texts(viz.curves({"accuracy": accuracy}))


@pytest.mark.parametrize("seed", range(40))
def test_the_label_of_the_best_epoch_covers_nothing(seed):
    """No line, no marker, no ring, and it stays inside the picture."""
    rng = np.random.default_rng(seed)
    epochs = int(rng.choice([2, 3, 10, 40, 200]))
    falling = np.exp(-np.linspace(0, rng.uniform(0.1, 5), epochs))
    accuracy = [np.clip(1 - rng.uniform(0.05, 0.5)*falling*rng.uniform(0.8, 1.25, epochs), 0, 0.9999) for _ in (0, 1)]
    chart, = learning_curves.curve_charts({"accuracy": accuracy[0], "val_accuracy": accuracy[1]})
    words = [node for node in all_of(chart, "text") if (node.text or "").startswith("best")][-1]
    x, y, half = float(words.get("x")), float(words.get("y")), svg.text_width(words.text, 12)/2
    assert half - 1 <= x <= chart.width - half + 1 and 40 < y < chart.height - 30
    lines = [np.array(coordinates(path)) for path in all_of(chart, "path")]
    points = np.concatenate([np.linspace(a, b, 200) for line in lines for a, b in pairwise(line)])
    rings = [node for node in all_of(chart, "circle") if node.get("r") == "6.5"]
    circle = np.linspace(0, 2*np.pi, 60)
    points = np.concatenate([points, *[np.stack([float(ring.get("cx")) + 6.5*np.cos(circle),
                                                 float(ring.get("cy")) + 6.5*np.sin(circle)], 1) for ring in rings]])
    under = (abs(points[:, 0] - x) < half) & (points[:, 1] > y - 10) & (points[:, 1] < y + 3)
    assert len(rings) == 1 and not under.any()


def test_logarithmic_axes_say_so_however_long_the_title():
    for title in ("Speed", "", "a title that is far too long to stand in one row of a chart " * 3):
        for picture in (viz.bar_chart({"a": 2.0}, title=title, baseline=1, log=True),
                        viz.line_chart({"a": [1.0, 9.0]}, title=title, log=True)):
            said, = (words for words in texts(picture) if words and "(logarithmic)" in words)
            assert svg.text_width(said, 15) <= picture.width and said.startswith(title[:5])
    assert "(log" not in str(viz.bar_chart({"a": 2.0})) + str(viz.line_chart({"a": [1.0, 2.0]}))


LONG = "American black bear, Ursus americanus"


def test_long_labels_have_two_lines_and_fit():
    bars = viz.bar_chart({"conv2d 64x1x28x28, 6 filters of 5x5, same padding, forward and backward": 2.0})
    assert {"conv2d 64x1x28x28, 6 filters of 5x5, same padding,", "forward and backward"} <= set(texts(bars))
    names = [LONG, "cat", "Donaudampfschifffahrtskapitaen"]
    matrix = viz.confusion([0, 1, 2], [0, 1, 2], names)
    for words in (texts(bars), texts(matrix)):
        assert not any("\u2026" in line for line in words), words
    assert texts(matrix).count("American black bear,") == texts(matrix).count("Ursus americanus") == 2
    for node in all_of(matrix, "text"):
        assert svg.text_width(node.text, float(node.get("font-size"))) <= 150


def test_curves_take_missing_epochs_and_broken_losses():
    picture = viz.curves([{"loss": 1.0}, {"loss": NAN, "valid_loss": 0.5}, {"loss": None}])
    assert {"train (2 not finite)", "validation (2 not finite)"} <= set(texts(picture))
    assert "no data" in texts(viz.curves({"loss": [NAN, NAN], "accuracy": [NAN]}))


def test_curves_choose_a_logarithmic_axis_only_for_a_loss_that_needs_it():
    assert "Loss (logarithmic)" in texts(viz.curves({"loss": [2.0, 0.05]}))
    for values in ([2.0, 0.5], [2.0, 0.0], [5.0, -1.0]):
        assert "Loss" in texts(viz.curves({"loss": values}))


def test_curves_without_anything_to_draw_say_what_there_is():
    with pytest.raises(ValueError, match="it holds lr, seconds"):
        viz.curves({"seconds": [1, 2], "lr": [0.1]})
    with pytest.raises(ValueError, match="it holds nothing"):
        viz.curves([])


def test_hostile_labels_stay_text_in_every_picture():
    clean = svg.escape(HOSTILE)
    line = viz.line_chart({HOSTILE: [1, 2]}, title=HOSTILE, x_label=HOSTILE, y_label=HOSTILE, notes=[(1, 1, HOSTILE)])
    bars = viz.bar_chart({HOSTILE: {HOSTILE: 1.0, "b": 2.0}}, title=HOSTILE, unit=HOSTILE)
    names = [HOSTILE, HOSTILE]
    heat = viz.heat_map(np.eye(2), names, names, title=HOSTILE, row_title=HOSTILE, column_title=HOSTILE)
    grid = viz.image_grid(np.eye(2)[None], [HOSTILE], title=HOSTILE, cell=900)
    for picture in (line, bars, heat, grid):
        assert "script" not in {node.tag.split("}")[1] for node in parse(picture).iter()}
        assert "<script" not in picture and "\x00" not in picture
        assert clean in picture
        assert not any(name.startswith("on") for node in parse(picture).iter() for name in node.attrib)


# ---- the documentation ---------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["viz", "viz.svg", "viz.charts", "viz.heatmap", "viz.images", "report.html",
                                  "report.sections", "report.page", "report.parts", "report.classifier",
                                  "viz.learning_curves", "viz.classification", "viz.network"])
def test_examples_in_the_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(f"fastnn.{name}"))
    assert failed == 0
