"""The sections of the report: each takes a `Report` and gives a `Section`, or None where the run
has no data for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..html import escape
from ..viz.charts import bar_chart, ratio_text
from ..viz.heatmap import heat_map
from ..viz.images import image_grid, limits_of
from ..viz.learning_curves import curve_charts
from ..viz.svg import short_number
from .html import MISSING, TIMES, bar, colour_key, count, microseconds, numbered, percent, pixel_picture, sizes, table

if TYPE_CHECKING:
    from .parts import FeatureMaps, Mistake, Report

SAMPLES_SHOWN = 24
FILTERS_SHOWN = 64
MAPS_SHOWN = 32            # of one layer
CLASSES_SHOWN = 30         # in the confusion matrix and its table
VOTES_SHOWN = 10           # classes of one answer
FEW_CHECKS = 4             # so many families that agree are shown openly


@dataclass(frozen=True)
class Section:
    """One section: its place in the page, its name in the contents, and its HTML."""

    anchor: str
    name: str
    html: str


def _section(report: Report, anchor: str, name: str, heading: str, see: str, content: str) -> Section:
    """A section, with the caller's heading and caption where the report has them.

    `see` is the sentence that tells a student what to look at; `content` is markup.
    """
    heading, see = report.headings.get(anchor, heading), report.captions.get(anchor, see)
    return Section(anchor, name, "\n".join([
        f'<section id="{anchor}" aria-labelledby="{anchor}-h">', f'<h2 id="{anchor}-h">{escape(heading)}</h2>',
        f'<p class="see">{escape(see)}</p>' if see else "", content, "</section>"]))


# ---- head and foot -------------------------------------------------------------------------------

def header(report: Report) -> str:
    """Title, some of the data, the figures that matter, and the machine."""
    facts = []
    if report.accuracy is not None and math.isfinite(report.accuracy):
        meaning = f"right on {report.item}s that it had not seen"
        if report.tested:
            right = round(report.accuracy*report.tested)
            meaning += f": {right:,} of {report.tested:,}"
        facts.append(_fact(f"{100*report.accuracy:.1f}<small>%</small>", meaning))
    if report.seconds is not None and math.isfinite(report.seconds):
        facts.append(_fact(_duration(report.seconds), "to train, on this machine"))
    if report.parameters is not None:
        facts.append(_fact(f"{report.parameters:,}", "parameters learned"))
    if report.checks:
        good, all_of_them = sum(row.ok for row in report.checks), len(report.checks)
        facts.append(_fact(f"{good}<small> / {all_of_them}</small>", "op families equal their NumPy definition",
                           bad=good < all_of_them))
    machine = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
                      for name, value in report.machine.items())
    samples = [] if report.samples is None else list(report.samples)[:SAMPLES_SHOWN]
    picture = image_grid(samples, columns=6, colours=report.colours, cell=44).inline() if samples else ""
    return "\n".join(filter(None, [
        "<header>", '<div class="title"><div>', '<p class="kicker">fastnn report</p>',
                                   f"<h1>{escape(report.title)}</h1>",
        f'<p class="lead">{escape(report.lead)}</p>' if report.lead else "", f"</div>{picture}</div>",
        f'<dl class="facts">{"".join(facts)}</dl>' if facts else "",
        f'<dl class="machine">{machine}</dl>' if machine else "", "</header>"]))


def _fact(figure: str, meaning: str, bad: bool = False) -> str:
    """`figure` is markup, `meaning` plain text."""
    kind = ' class="bad"' if bad else ""
    return f"<div{kind}><dt>{escape(meaning)}</dt><dd>{figure}</dd></div>"


def _duration(seconds: float) -> str:
    if seconds < 99.95:
        return f"{seconds:.1f}<small> s</small>"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,}<small> min</small> {rest}<small> s</small>"


def contents(sections: Sequence[Section]) -> str:
    """Links to the sections; nothing for a page of one section."""
    if len(sections) < 2:
        return ""
    links = "".join(f'<li><a href="#{section.anchor}">{escape(section.name)}</a></li>' for section in sections)
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>'


def footer(report: Report) -> str:
    """Attribution of the data, and how the page was made."""
    credit = f"<p>{escape(report.attribution)}</p>" if report.attribution else ""
    command = f"<code>{escape(report.command)}</code>" if report.command else "fastnn"
    when = f" on {escape(report.created)}" if report.created else ""
    return f"<footer>{credit}<p>Made by {command}{when}. The page is complete in itself: it loads nothing.</p></footer>"


# ---- what it learned -----------------------------------------------------------------------------

def learning(report: Report) -> Section | None:
    """Loss and accuracy over the epochs."""
    charts = curve_charts(report.history) if report.history is not None else []
    if not charts:
        return None
    return _section(
        report, "learning", "Learning", "How it learned",
        f"One point per epoch, that is, one pass over the training {report.item}s. Loss and error, the share of wrong "
        "answers, should fall for training and validation together; where validation gets worse while training goes "
        "on, the network begins to learn by heart.", _pair(*[chart.inline() for chart in charts]))


def confusion(report: Report) -> Section | None:
    """The confusion matrix, and the recall of each class."""
    if report.confusion is None or not np.size(report.confusion.matrix):
        return None
    matrix = np.asarray(report.confusion.matrix)
    classes = report.confusion.classes
    names = [str(name) for name in (range(len(matrix)) if classes is None else classes)]
    errors = matrix - np.diag(np.diag(matrix))
    shown = list(range(len(matrix)))
    if len(shown) > CLASSES_SHOWN:      # those with the most mistakes, either way, in their order
        worst = np.argsort(-(errors.sum(axis=0) + errors.sum(axis=1)), kind="stable")[:CLASSES_SHOWN]
        shown = sorted(worst.tolist())
    labels = [names[k] for k in shown]
    short = len(shown) <= 10 and max(map(len, labels)) <= 9
    picture = heat_map(matrix[np.ix_(shown, shown)], labels, labels, row_title="truth", column_title="the network said",
                       diagonal=True, width=400 if short else None)
    rows = []
    for k in shown:
        often = f"{escape(names[int(errors[k].argmax())])} ({errors[k].max()})" if errors[k].any() else MISSING
        rows.append([escape(names[k]), *_recall(int(matrix[k, k]), int(matrix[k].sum())), often])
    some = ""
    if len(shown) < len(matrix):
        some = f" {len(shown)} of {len(matrix)} classes are shown, those with the most mistakes."
    recall = table(["class", f"{report.item}s", "recall", "", "mostly taken for"], "tnnbt", rows,
                   ["all", *_recall(int(np.trace(matrix)), int(matrix.sum())), ""],
                   caption=f"Recall: of all {report.item}s of a class, the share that was found.", name="recall")
    return _section(
        report, "confusion", "Confusion", "What it takes for what",
        f"Each row is what the {report.item} was, each column what the network said. Everything on "
        "the blue diagonal is right; every outlined orange cell is a mistake, and tells which two classes look "
        "alike to the network." + some,
        _pair(picture.inline(), recall))


def _recall(right: int, total: int) -> list[str]:
    """The cells images, recall, bar."""
    if not total:
        return ["0", MISSING, ""]
    return [f"{total:,}", f"{100*right/total:.1f}%", bar(right/total)]


def mistakes(report: Report) -> Section | None:
    """The images that the network got wrong."""
    if report.mistakes is None:
        return None
    anchor, name, heading = "mistakes", "Mistakes", f"The {report.item}s that it got wrong"
    total = max(report.mistakes_total or 0, len(report.mistakes))
    if not total:
        return _section(report, anchor, name, heading,
                        f"None: it was right on every {report.item} that it had not seen before.", "")
    some = f" {len(report.mistakes)} of its {total} mistakes are shown." if total > len(report.mistakes) else ""
    return _section(
        report, anchor, name, heading,
        "Would you have known better? The bar shows how sure the network was of its wrong answer: a long bar is a "
        f"confident mistake, a short one a close call.{some}",
        f'<ul class="mistakes">{"".join(_mistake(mistake, report.colours) for mistake in report.mistakes)}</ul>')


def with_article(truth: object) -> str:
    """A class with its article: "a 3", "an 8", "an owl"."""
    name = str(truth)
    return f"{'an' if name[:1].lower() in ('a', 'e', 'i', 'o', '8') or name in ('11', '18') else 'a'} {name}"


def _mistake(mistake: Mistake, colours: str) -> str:
    which = "" if mistake.index is None else f", number {mistake.index} of the validation set"
    what = f"A{with_article(mistake.truth)[1:]} that was taken for {with_article(mistake.said)}{which}"
    picture = (f'<p class="soft">{"" if mistake.index is None else f"number {mistake.index}"}</p>'
               if mistake.image is None
               else pixel_picture(mistake.image, 112, what, colours))
    return (f"<li>{picture}<p>said <b>{escape(mistake.said)}</b>, is <b>{escape(mistake.truth)}</b><br>"
            f'<span class="soft">{percent(mistake.confidence, 0)} sure</span></p>'
            f"{bar(mistake.confidence, bad=True)}</li>")


# ---- inside the network --------------------------------------------------------------------------

def filters(report: Report) -> Section | None:
    """The weights of the first convolution as pictures."""
    if report.filters is None or not np.size(report.filters.weight):
        return None
    weight = np.asarray(report.filters.weight)
    filter_count, channels, height, width = weight.shape
    images = weight.reshape(filter_count*channels, height, width)[:FILTERS_SHOWN]
    some = f" {len(images)} of {filter_count*channels} are shown." if len(images) < filter_count*channels else ""
    names = [f"{k}, {c}" if channels > 1 else str(k) for k in range(filter_count) for c in range(channels)]
    tied = " Filter k makes map k below." if _tied(report) else ""
    return _section(
        report, "filters", "Filters", f"What {report.filters.layer} looks for",
        f"The {filter_count} learned filters of {height} {TIMES} {width} weights. Orange weights add what they see, "
        "blue ones subtract it: a filter with an orange and a blue side answers to an edge in that direction."
        + tied + some, numbered(images, names, "diverging", "filter") + colour_key("diverging", images))


def _tied(report: Report) -> bool:
    """Whether the first feature maps are those of the convolution whose filters are shown."""
    if report.filters is None or report.feature_maps is None or not report.feature_maps.layers:
        return False
    name, maps = report.feature_maps.layers[0]
    return name.split(",")[0].strip() == report.filters.layer and len(maps) == len(np.asarray(report.filters.weight))


def feature_maps(report: Report) -> Section | None:
    """One image on its way through the layers, and the answer at the end."""
    maps = report.feature_maps
    if maps is None:
        return None
    name = with_article(maps.truth) if maps.truth is not None else f"one {report.item}"
    figures = []
    for place, (layer, activation) in enumerate(maps.layers):
        values = np.asarray(activation)
        shown = values[:MAPS_SHOWN]
        some = f", {len(shown)} shown" if len(shown) < len(values) else ""
        caption = f"<b>{escape(layer)}</b> · {len(values)} maps of {values.shape[1]} {TIMES} {values.shape[2]}{some}"
        marks: list[str] = []
        if place == 0 and report.filters is not None and _tied(report):
            weight = np.asarray(report.filters.weight)[:len(shown)]
            caption += ", each with its filter"
            if weight.shape[1] == 1:                # of several channels there is no one picture
                limits = limits_of(weight, "diverging")
                marks = [pixel_picture(filter_[0], 22, f"filter {k}", "diverging", limits)
                         for k, filter_ in enumerate(weight)]
        grid = (numbered(shown, [str(k) for k in range(len(shown))], "sequential", "map", marks)
                + colour_key("sequential", shown))
        figures.append(f"<figure><figcaption>{caption}</figcaption>{grid}</figure>")
    picture = pixel_picture(maps.image, 168, f"The input: {name}", report.colours)
    sample = (f'<div class="sample"><figure><figcaption><b>Input</b></figcaption>{picture}</figure>'
              f"{_votes(maps)}</div>")
    return _section(
        report, "maps", "Feature maps", f"How {name} travels through the layers",
        "Each small picture is one channel: bright where its filter found what it looks for. Early layers still "
        "show the input and its edges; later ones are coarser and answer to whole parts of it.",
        f'<div class="journey">{sample}<div class="stack">{"".join(figures)}</div></div>')


def _votes(maps: FeatureMaps) -> str:
    """The probabilities of the classes as a list of bars."""
    if maps.probabilities is None or not len(maps.probabilities):
        return ""
    shares = np.asarray(maps.probabilities, dtype=np.float64)
    names = range(len(shares)) if maps.classes is None else maps.classes
    top = int(np.nanargmax(shares)) if not np.isnan(shares).all() else -1
    names = list(names)
    # many classes: the likeliest ones, in the order of their shares
    order = (list(range(len(shares))) if len(shares) <= CLASSES_SHOWN
             else np.argsort(-shares, kind="stable")[:VOTES_SHOWN].tolist())
    items = []
    for k in order:
        name, share = names[k], float(shares[k])
        kind = ' class="top"' if k == top else ""
        items.append(f"<li{kind}><span>{escape(name)}</span>{bar(share)}<span>{percent(share)}</span></li>")
    return ('<figure><figcaption><b>Output</b> · how sure</figcaption>'
            f'<ol class="votes">{"".join(items)}</ol></figure>')


# ---- tables --------------------------------------------------------------------------------------

def summary(report: Report) -> Section | None:
    """The layers with their shapes and costs."""
    if not report.summary:
        return None
    costs = ("parameters", "multiply_adds", "bytes")
    rows = [[escape(row.layer), sizes(row.output_shape), *[count(getattr(row, cost)) for cost in costs],
             sizes(row.receptive_field)] for row in report.summary]
    totals = [count(sum(getattr(row, cost) or 0 for row in report.summary)) for cost in costs]
    heads = ["layer", "output shape", "parameters", "multiply-adds", "activation bytes", "receptive field"]
    return _section(
        report, "summary", "Layers", "The layers and what they cost",
        f"For one {report.item}. Look where the parameters are and where the multiply-adds are: seldom in the same "
        "layer. The receptive field is the patch of the input, in pixels, that one number of the layer can see.",
        table(heads, "ttnnnn", rows, ["total", "", *totals, ""], name="layers"))


def checks(report: Report) -> Section | None:
    """The comparison of every op family with its definition."""
    if not report.checks:
        return None
    rows = []
    for row in report.checks:
        verdict = '<span class="good">agrees</span>' if row.ok else '<span class="wrong">differs</span>'
        rows.append([escape(row.family), f"{row.cases:,}", _allowance(row.worst), bar(row.worst, bad=not row.ok),
                     verdict])
    good = [line for line, row in zip(rows, report.checks) if row.ok]
    wrong = [line for line, row in zip(rows, report.checks) if not row.ok]
    warning = f" Not all of them agree: see {', '.join(row.family for row in report.checks if not row.ok)}." \
        if wrong else ""

    def lines(rows: list[list[str]], foot: list[str] | None = None) -> str:
        return table(["op family", "cases", "worst error / allowance", "", "verdict"], "tnnbt", rows, foot,
                     name="checks")
    foot = ["all", f"{sum(row.cases for row in report.checks):,}", "", "", ""]
    content = lines(wrong) if wrong else ""
    if len(good) > FEW_CHECKS:              # rows that say the same: one line, which unfolds
        worst = max((row for row in report.checks if row.ok), key=lambda row: row.worst)
        content += (f"<details><summary>{len(good)} op families agree; the worst of them, {escape(worst.family)}, uses "
                    f"{_allowance(worst.worst)} of what rounding allows</summary>{lines(good, foot)}</details>")
    else:
        content = lines(rows, foot)
    return _section(
        report, "checks", "Checks", "Every kernel against its definition",
        "Each kernel was compared, on this machine, with the same op written in plain NumPy. The worst error is given "
        f"as a share of what rounding allows: below 100% the two agree.{warning}", content)


def _allowance(share: float) -> str:
    if not math.isfinite(share):
        return str(float(share))
    if 0 < share < 0.001:
        return "&lt; 0.1%"
    return f"{100*share:,.1f}%" if share < 100 else f"{short_number(100*share)}%"


def speed(report: Report) -> Section | None:
    """The race against the rivals, wins and losses alike."""
    if not report.speed:
        return None
    rivals = list(dict.fromkeys(rival for row in report.speed for rival in row.rivals))
    ratios = {rival: {row.workload: ratio for row in report.speed if (ratio := row.ratio(rival)) is not None}
              for rival in rivals}
    every = [ratio for of_rival in ratios.values() for ratio in of_rival.values()]
    # one scale, so that the charts can be compared
    limits = (min(every), max(every)) if every else None
    charts = [bar_chart(ratios[rival], title=f"Against {rival}", baseline=1, log=True, unit=TIMES, limits=limits)
              for rival in rivals if ratios[rival]]

    heads, kinds, foot = ["workload", "fastnn µs"], "tn", ["geometric mean", ""]
    for rival in rivals:
        heads += [f"{rival} µs", f"against {rival}"]
        kinds += "nn"
        logs = [math.log(ratio) for ratio in ratios[rival].values()]
        foot += ["", _faster(math.exp(sum(logs)/len(logs)) if logs else None)]
    rows = []
    for row in report.speed:
        cells = [escape(row.workload), microseconds(row.fastnn)]
        for rival in rivals:
            cells += [microseconds(row.rivals.get(rival)), _faster(row.ratio(rival))]
        rows.append(cells)
    times = table(heads, kinds, rows, foot if every else None, name="speed")
    pictures = _pair(*[chart.inline() for chart in charts]) if charts else ""
    return _section(
        report, "speed", "Speed", "How fast it is",
        "How many times faster fastnn is than each rival at the same work. Bars to the right of the line are wins, "
        "bars to the left are losses. Their axis is logarithmic: a bar of twice the length is the factor squared, "
        f"10{TIMES} beside 100{TIMES}. {report.speed_note}".rstrip(),
        f'<div class="stack">{pictures}{times}</div>')


def _faster(ratio: float | None) -> str:
    """2.50 as "2.50 times faster", 0.40 as "2.50 times slower", so that a loss is as easy to read
    as a win.
    """
    if ratio is None:
        return MISSING
    shown = ratio_text(max(ratio, 1/ratio))
    if shown == "1.00":
        return "equal"
    return f"{shown}{TIMES} {'faster' if ratio > 1 else 'slower'}"


def _pair(*contents: str) -> str:
    """Side by side on a wide screen, one below the other on a narrow one."""
    return f'<div class="pair">{"".join(contents)}</div>'


SECTIONS: tuple[Callable[[Any], Section | None], ...] = (
    learning, confusion, mistakes, filters, feature_maps, summary, checks, speed)
