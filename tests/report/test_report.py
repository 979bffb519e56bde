"""The report: what each section shows, what is left out, and what the page may not contain."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from viz_reading import HOSTILE, INF, NAN, Page, decode_png

from fastnn.data.sets.digits import DIGITS_ATTRIBUTION
from fastnn.report import (
    CheckRow,
    Confusion,
    FeatureMaps,
    Filters,
    Mistake,
    Report,
    SpeedRow,
    SummaryRow,
    page,
    sections,
)
from fastnn.report.html import MISSING
from fastnn.report.page import render
from fastnn.viz import images, svg


def full_report(**changes):
    """A report with every section; small made-up numbers that the tests look for."""
    rng = np.random.default_rng(0)
    digit = rng.random((8, 8))
    report = Report(
        accuracy=0.975, tested=40, seconds=8.37, parameters=3818, machine={"CPU": "Example 9000", "Threads": "2"},
        samples=rng.random((30, 8, 8)), history={"train_loss": [2.0, 1.0], "valid_accuracy": [0.5, 0.975]},
        confusion=Confusion(np.array([[20, 0], [1, 19]]), ["zero", "one"]),
        filters=Filters(rng.normal(size=(6, 1, 3, 3)), "conv1"),
        feature_maps=FeatureMaps(digit, [("conv1", rng.random((6, 8, 8))), ("conv2", rng.random((4, 4, 4)))], truth=7,
                                 probabilities=[0.25, 0.75]),
        mistakes=[Mistake(digit, 3, 8, 0.62, 1234)], mistakes_total=5,
        summary=[SummaryRow("0 Conv2d", (6, 28, 28), 156, 117600, 18816, (5, 3)),
                 SummaryRow("1 Flatten", (4704,), None, None, 9)],
        checks=[CheckRow("conv2d", 96, 0.18), CheckRow("lstm", 1028, 0.31)],
        speed=[SpeedRow("one image", 50.0, {"NumPy": 200.0, "PyTorch": 25.0}),
               SpeedRow("a batch", 10.0, {"NumPy": 40.0, "PyTorch": None})],
        speed_note="Medians of 7 rounds.", attribution=DIGITS_ATTRIBUTION, created="1 January 2027",
                    command="python -m fastnn")
    return replace(report, **changes)


def test_page_is_well_formed_and_loads_nothing():
    html = render(full_report())
    parsed = Page(html)
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert ("meta", "name", "viewport") in parsed.attributes and ("meta", "charset", "utf-8") in parsed.attributes
    assert not {"script", "iframe", "object", "embed", "form", "base"} & set(parsed.tags)
    for _, name, value in parsed.attributes:
        if name in ("src", "href", "srcset", "poster", "data", "action", "xlink:href"):
            assert value.startswith(("data:image/png;base64,", "#")) or value == "data:,", value[:80]
        assert not name.startswith("on")
    assert not re.search(r"url\(|@import|@font-face", html)
    assert set(re.findall(r"https?://[^\s\"'<>]+", html)) == {svg.SVG_NAMESPACE}


def test_every_link_of_the_contents_leads_to_a_section():
    parsed = Page(render(full_report()))
    links = [value[1:] for tag, name, value in parsed.attributes if (tag, name) == ("a", "href")]
    assert links == ["learning", "confusion", "mistakes", "filters", "maps", "summary", "checks", "speed"]
    assert set(links) <= set(parsed.ids)


def test_every_picture_is_well_formed_and_described():
    html = render(full_report())
    pictures = re.findall(r"<svg .*?</svg>", html, re.S)
    assert len(pictures) == 6   # samples, 2 curves, confusion, 2 races
    assert all(ET.fromstring(picture).get("aria-label") for picture in pictures)
    for image in re.findall(r"<img [^>]*>", html):
        assert ' alt="' in image
        decode_png(re.search(r'src="([^"]+)"', image).group(1))


def test_head_shows_the_figures_and_the_machine():
    words = Page(render(full_report())).words
    for expected in ("97.5", "right on images that it had not seen: 39 of 40", "8.4", "3,818", "Example 9000", "CPU",
                     "2"):
        assert expected in words
    assert "8.4" in words and "14" in Page(render(full_report(seconds=845.0))).words


def test_tables_hold_the_numbers():
    html = render(full_report())
    parsed = Page(html)
    times = svg.TIMES
    assert parsed.rows(html, "layers")[1:] == [
        ["0 Conv2d", f"6 {times} 28 {times} 28", "156", "117,600", "18,816", f"5 {times} 3"],
        ["1 Flatten", "4704", svg.MISSING, svg.MISSING, "9", svg.MISSING],
        ["total", "", "156", "117,600", "18,825", ""]]
    assert parsed.rows(html, "checks")[1:] == [
        ["conv2d", "96", "18.0%", "", "agrees"], ["lstm", "1,028", "31.0%", "", "agrees"], ["all", "1,124", "", "", ""]]
    assert parsed.rows(html, "speed") == [
        ["workload", "fastnn µs", "NumPy µs", "against NumPy", "PyTorch µs", "against PyTorch"],
        ["one image", "50.0", "200", f"4.00{times} faster", "25.0", f"2.00{times} slower"],
        ["a batch", "10.0", "40.0", f"4.00{times} faster", svg.MISSING, svg.MISSING],
        ["geometric mean", "", "", f"4.00{times} faster", "", f"2.00{times} slower"]]
    assert parsed.rows(html, "recall")[1:] == [
        ["zero", "20", "100.0%", "", svg.MISSING], ["one", "20", "95.0%", "", "zero (1)"],
                                               ["all", "40", "97.5%", "", ""]]


def test_mistakes_show_image_answer_truth_and_confidence():
    html = render(full_report())
    item = re.search(r'<ul class="mistakes">(.*?)</ul>', html, re.S).group(1)
    assert "said <b>3</b>, is <b>8</b>" in item and "62% sure" in item and "width:62.0%" in item
    assert 'alt="An 8 that was taken for a 3, number 1234 of the validation set"' in item
    assert "1 of its 5 mistakes are shown" in html
    shown = decode_png(re.search(r'src="([^"]+)"', item).group(1))
    np.testing.assert_array_equal(shown[::14, ::14], images.colours_of(full_report().mistakes[0].image, "ink"))


def test_no_mistakes_at_all_are_worth_a_sentence():
    assert "None: it was right on every image" in render(Report(mistakes=[]))
    assert 'id="mistakes"' not in render(Report(mistakes=None))


def test_a_failed_check_cannot_be_overlooked():
    rows = [CheckRow("conv2d", 9, 0.2), CheckRow("lstm", 9, 3.5), CheckRow("softmax", 9, NAN)]
    html = render(full_report(checks=rows))
    assert html.count('<span class="wrong">differs</span>') == 2 and html.count('<span class="good">agrees</span>') == 1
    assert "Not all of them agree: see lstm, softmax." in html
    assert '<div class="bad"><dt>op families equal' in html
    shown = Page(html).rows(html, "checks")
    assert [row[2] for row in shown[2:4]] == ["350.0%", "nan"]


def test_verdict_follows_the_worst_error_unless_it_is_given():
    assert CheckRow("a", 1, 1.0).ok and not CheckRow("a", 1, 1.001).ok and not CheckRow("a", 1, INF).ok
    assert not CheckRow("a", 1, 0.1, passed=False).ok


def test_speed_ratio():
    row = SpeedRow("w", 10.0, {"NumPy": 25.0, "PyTorch": None, "broken": NAN, "instant": 0.0})
    assert row.ratio("NumPy") == 2.5
    assert [row.ratio(rival) for rival in ("PyTorch", "broken", "instant", "absent")] == [None]*4
    equal = render(Report(speed=[SpeedRow("w", 10.0, {"NumPy": 10.001})]))
    assert ">equal<" in equal
    Page(render(Report(speed=[SpeedRow("alone", 1.0)])))


SECTION_OF = {"history": "learning", "confusion": "confusion", "mistakes": "mistakes", "filters": "filters",
              "feature_maps": "maps", "summary": "summary", "checks": "checks", "speed": "speed"}


@pytest.mark.parametrize("field", SECTION_OF)
def test_a_section_without_data_is_left_out_and_the_others_stay(field):
    empty = None if field in ("history", "confusion", "mistakes", "filters", "feature_maps") else ()
    ids = set(Page(render(full_report(**{field: empty}))).ids)
    assert SECTION_OF[field] not in ids
    assert {anchor for name, anchor in SECTION_OF.items() if name != field} <= ids


def test_an_empty_report_is_a_page():
    parsed = Page(render(Report()))
    assert "section" not in parsed.tags and "nav" not in parsed.tags and "dl" not in parsed.tags
    assert len(sections.SECTIONS) == len(SECTION_OF)


def test_attribution_is_in_the_foot():
    words = " ".join(Page(render(full_report())).words)
    assert DIGITS_ATTRIBUTION in words
    for part in ("Optical Recognition of Handwritten Digits", "Alpaydin", "Kaynak", "1998", "CC BY 4.0",
                 "scikit-learn"):
        assert part in DIGITS_ATTRIBUTION
    assert DIGITS_ATTRIBUTION not in render(full_report(attribution=None))


def test_hostile_strings_stay_text_in_the_page():
    digit = np.eye(8)
    report = Report(
        title=HOSTILE, lead=HOSTILE, machine={HOSTILE: HOSTILE}, history={f"{HOSTILE}_loss": [1, 2]},
        confusion=Confusion([[1, 2], [3, 4]], [HOSTILE, HOSTILE + "2"]),
                    filters=Filters(np.ones((1, 1, 2, 2)), HOSTILE),
        feature_maps=FeatureMaps(digit, [(HOSTILE, digit[None])], truth=HOSTILE, probabilities=[1.0],
                                 classes=[HOSTILE]),
        mistakes=[Mistake(digit, HOSTILE, HOSTILE, 0.5)], summary=[SummaryRow(HOSTILE, (1,), 1, 1, 1, 1)],
        checks=[CheckRow(HOSTILE, 1, 2.0)], speed=[SpeedRow(HOSTILE, 1.0, {HOSTILE: 2.0})], speed_note=HOSTILE,
        attribution=HOSTILE, created=HOSTILE, command=HOSTILE)
    html = render(report)
    parsed = Page(html)
    assert "script" not in parsed.tags and "<script" not in html and "\x00" not in html
    assert not any(name.startswith("on") for _, name, _ in parsed.attributes)
    assert html.count(svg.escape(HOSTILE)) > 20
    html.encode("utf-8")


def test_numbers_that_are_not_numbers_do_not_break_the_page():
    digit = np.full((8, 8), NAN)
    report = Report(
        accuracy=NAN, seconds=INF, history={"loss": [NAN, INF], "accuracy": [NAN, NAN]},
        confusion=Confusion([[0, 0], [0, 0]]),
        filters=Filters(np.full((2, 1, 3, 3), NAN)), mistakes=[Mistake(digit, 1, 2, NAN)],
        feature_maps=FeatureMaps(digit, [("conv", np.zeros((0, 8, 8)))], probabilities=[NAN, NAN]),
        checks=[CheckRow("a", 0, INF)], speed=[SpeedRow("w", NAN, {"NumPy": INF})])
    html = render(report)
    Page(html)
    assert "nan%" not in html and "NaN" not in html and 'width:nan' not in html
    shown = decode_png(re.search(r'class="pixel" src="([^"]+)"', html).group(1))
    assert (shown == images.NOT_FINITE).all()


@pytest.mark.parametrize("make, words", [
    (lambda: Confusion([[1, 2]]), r"square matrix \(classes, classes\), got shape \(1, 2\)"),
    (lambda: Confusion([[1, 2], [3, 4]], ["a"]), "2 classes, but there are 1 names"),
    (lambda: Confusion([[0.5, 0.5], [0.0, 1.0]]), "counts, that is, integers from 0 up; got float64"),
    (lambda: Confusion([[1, -2], [3, 4]]), "got int64 from -2 up"),
    (lambda: Filters(np.zeros((3, 3))), r"\(K, C, R, S\), got \(3, 3\)"),
    (lambda: FeatureMaps(np.zeros(3), []), r"image of shape \(H, W\) or \(H, W, 3\), got \(3,\)"),
    (lambda: FeatureMaps(np.eye(3), [("conv1", np.eye(3))]), r"conv1 has \(3, 3\)"),
    (lambda: FeatureMaps(np.eye(3), [], probabilities=[0.5, 0.5], classes=["a"]), "2 probabilities, but 1 classes"),
    (lambda: Mistake(np.zeros((1, 8, 8)), 1, 2, 0.5), r"\(H, W\) or \(H, W, 3\), got \(1, 8, 8\)"),
])
def test_data_of_the_wrong_shape_are_refused_at_once(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_write_gives_the_rendered_page(tmp_path):
    path = full_report().save(tmp_path / "report.html")
    assert path.read_text("utf-8") == render(full_report())
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.stat().st_size < 200_000
    with pytest.raises(OSError):
        full_report().save(tmp_path / "missing" / "report.html")


def test_page_follows_the_theme_and_the_width_of_the_screen():
    sheet = page.style_sheet()
    assert sheet.count("{") == sheet.count("}")
    assert "prefers-color-scheme:dark" in sheet and "max-width:640px" in sheet and "tabular-nums" in sheet
    used = set(re.findall(r"var\(--([\w-]+)", sheet))
    for theme in (svg.LIGHT, svg.DARK):
        declared = {f"fnn-{name}" for name in theme} | {"ground", "shade"}
        assert used <= declared


def test_checks_that_say_the_same_are_one_line():
    """It unfolds; what differs is never folded in."""
    families = [CheckRow(f"family {k}", 10, 0.01*k) for k in range(16)]
    html = Report(checks=families).html()
    assert html.count("<details>") == 1 and "16 op families agree; the worst of them, family 15, uses 15.0%" in html
    assert len(Page.rows(html, "checks")) == 18
    wrong = Report(checks=[*families, CheckRow("lstm", 3, 2.5)]).html()
    before, after = wrong.split("<details>")
    assert "lstm</th>" in before and "family 3" not in before
    assert "16 op families agree" in after and "lstm" not in after
    assert "<details>" not in Report(checks=families[:3]).html()


def test_filter_and_map_of_one_number_are_tied():
    weight, maps = np.random.default_rng(0).normal(size=(3, 1, 3, 3)), np.ones((3, 4, 4))
    def page(weight, layers):
        return Report(filters=Filters(weight, "conv1"), feature_maps=FeatureMaps(np.ones((4, 4)), layers)).html()
    html = page(weight, [("conv1, norm, ReLU", maps), ("conv2", maps)])
    assert "Filter k makes map k below." in html and html.count("each with its filter") == 1
    for k in range(3):          # in its own section and beside its map; its map, that of conv2
        assert html.count(f'alt="filter {k}"') == 2 and html.count(f'alt="map {k}"') == 2
    colour = page(np.ones((3, 3, 3, 3)), [("conv1", maps)])
    assert "Filter k makes" in colour and 'alt="filter 2, 0"' in colour and colour.count("width=\"22\"") == 0
    for layers in ([("conv2", maps)], [("conv1", maps[:2])], [("conv10", maps)]):
        assert "Filter k makes" not in page(weight, layers)


def test_the_speed_section_says_that_its_axis_is_logarithmic():
    html = Report(speed=[SpeedRow("conv2d", 1.0, {"NumPy": 9.0})]).html()
    assert "Against NumPy (logarithmic)" in html and "axis is logarithmic" in html


def test_a_layer_is_a_card_on_a_phone():
    """Each number has its name with it, where the head of the table is not shown."""
    row = SummaryRow("conv1 Conv2d", (6, 8, 8), 156, None, 1536, (5, 5))
    html = Report(summary=[row]).html()
    cells = re.findall(r'<td[^>]*data-head="([^"]*)"[^>]*>([^<]*)<', html)
    assert ("parameters", "156") in cells and ("activation bytes", "1,536") in cells
    assert "multiply-adds" not in [head for head, text in cells if text == MISSING]
    phone = html.split("@media (max-width:640px)")[1]
    assert ".layers thead{display:none}" in phone and "content:attr(data-head)" in phone
