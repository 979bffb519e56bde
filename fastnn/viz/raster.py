"""A picture as PNG, drawn by matplotlib: the few elements that `svg.py` writes, in one theme.

Symbols: lengths as in svg.py. A matrix is a 3 x 3 affine map from an element's own coordinates to
the picture's.
"""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..io.png import read_png

__all__ = ["png_of"]

SCALE = 2                   # pixels of a unit: sharp on paper and on a dense screen
# after the first, for what it does not have; only those that are there
FONTS = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK KR", "Noto Sans CJK SC", "Noto Sans CJK JP")
INHERITED = ("fill", "stroke", "stroke-width", "stroke-dasharray")


def png_of(body: str, width: float, height: float, margin: float, theme: Mapping[str, str]) -> bytes:
    """The bytes of a PNG file, two pixels to a unit.

    Parameters
    ----------
    body, width, height, margin
        The elements, and the size of the picture without the margin on all sides.
    theme : {name: colour}
        The colours of the classes "fnn-name".

    Raises
    ------
    ImportError
        Without matplotlib; it says how to install it.
    """
    try:
        from matplotlib import font_manager
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError('a .png is drawn by matplotlib: pip install "fastnn-engine[viz]"; or save as .svg, which '
                          "needs nothing") from error
    # an inch has 72 points: a unit is a point
    figure = Figure(figsize=((width + 2*margin)/72, (height + 2*margin)/72), dpi=72*SCALE, facecolor=theme["paper"])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin))
    axes.set_axis_off()
    known = {font.name for font in font_manager.fontManager.ttflist}
    painter = _Painter(axes, [name for name in FONTS if name in known], theme)
    for node in ET.fromstring(f"<svg>{body}</svg>"):
        painter.draw(node, np.eye(3), {"fill": "#000000"}, "#000000")
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


class _Painter:
    """Puts elements on matplotlib's axes, each above those before it."""

    def __init__(self, axes: Any, fonts: list[str], theme: Mapping[str, str]) -> None:
        self.axes, self.fonts, self.theme, self.order = axes, fonts, theme, 0

    def draw(self, node: ET.Element, matrix: np.ndarray, style: dict[str, str], colour: str) -> None:
        """One element and what is in it; style and colour are what it inherits."""
        for name in (node.get("class") or "").split():
            colour = self.theme.get(name.removeprefix("fnn-"), colour)
        style = {**style, **{name: node.attrib[name] for name in INHERITED if name in node.attrib}}
        # as CSS has it, currentColor is the colour where the fill was said
        style = {name: colour if value == "currentColor" and name in node.attrib else value
                 for name, value in style.items()}
        kind, matrix = node.tag, matrix @ _transform(node.get("transform") or "")
        if kind == "g":
            for child in node:
                self.draw(child, matrix, style, colour)
        elif kind == "text":
            self._text(node, matrix, style)
        elif kind == "image":
            self._image(node, matrix)
        elif kind != "title":
            self._shape(kind, node, matrix, style)

    def _put(self, artist: Any) -> None:
        artist.set_zorder(self.order)
        self.order += 1

    def _on(self, matrix: np.ndarray) -> Any:
        from matplotlib.transforms import Affine2D
        return Affine2D(matrix) + self.axes.transData

    def _text(self, node: ET.Element, matrix: np.ndarray, style: dict[str, str]) -> None:
        x, y, _ = matrix @ (float(node.get("x", 0)), float(node.get("y", 0)), 1)
        anchor = {"middle": "center", "end": "right"}.get(node.get("text-anchor", ""), "left")
        weight = "bold" if float(node.get("font-weight", 400)) >= 600 else "normal"
        size = float(node.get("font-size", 12))*np.hypot(*matrix[:2, 0])
        # the outline of a note, see charts.py: words in the paper's colour, drawn wide
        halo = style.get("stroke")
        from matplotlib.patheffects import withStroke
        outline = [withStroke(linewidth=float(style.get("stroke-width", 1)), foreground=halo)] if halo else []
        # no formulas: a dollar sign is one
        self._put(self.axes.text(x, y, node.text or "", ha=anchor, va="baseline", fontsize=size, color=style["fill"],
                                 weight=weight, family=self.fonts, path_effects=outline, parse_math=False,
                                 rotation=-np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])),
                                 rotation_mode="anchor"))

    def _image(self, node: ET.Element, matrix: np.ndarray) -> None:
        pixels = read_png(base64.b64decode(node.attrib["href"].partition(",")[2]))
        x, y, width, height = (float(node.get(name, 0)) for name in ("x", "y", "width", "height"))
        limits = self.axes.get_xlim(), self.axes.get_ylim()
        self._put(self.axes.imshow(pixels, extent=(x, x + width, y + height, y), aspect="auto",
                                   interpolation="nearest", transform=self._on(matrix)))
        self.axes.set(xlim=limits[0], ylim=limits[1])

    def _shape(self, kind: str, node: ET.Element, matrix: np.ndarray, style: dict[str, str]) -> None:
        from matplotlib import patches
        from matplotlib.path import Path
        at = {name: float(value) for name, value in node.attrib.items() if re.fullmatch(r"-?[\d.]+", value)}
        if kind == "rect":
            box = (at["x"], at["y"]), at["width"], at["height"]
            shape: Any = patches.Rectangle(*box)
            if (r := min(at.get("rx", 0), at["width"]/2, at["height"]/2)) > 0:
                shape = patches.FancyBboxPatch(*box, boxstyle=patches.BoxStyle("Round", pad=0, rounding_size=r))
        elif kind == "circle":
            shape = patches.Circle((at["cx"], at["cy"]), at["r"])
        elif kind == "line":
            shape = patches.PathPatch(Path([(at["x1"], at["y1"]), (at["x2"], at["y2"])]))
        elif kind == "polygon":
            corners = [tuple(map(float, pair.split(","))) for pair in node.attrib["points"].split()]
            shape = patches.Polygon(corners, closed=True)
        elif kind == "path":
            steps = re.findall(r"([ML])(-?[\d.]+) (-?[\d.]+)", node.attrib["d"])
            shape = patches.PathPatch(Path([(float(x), float(y)) for _, x, y in steps],
                                           [Path.MOVETO if letter == "M" else Path.LINETO for letter, _, _ in steps]))
        else:
            raise ValueError(f"svg.py writes no element <{kind}>")
        none = "none"
        shape.set(facecolor=none if kind == "line" else style.get("fill", none), edgecolor=style.get("stroke", none),
                  linewidth=float(style.get("stroke-width", 1)), transform=self._on(matrix),
                  capstyle="round" if node.get("stroke-linecap") else "butt",
                  joinstyle="round" if node.get("stroke-linejoin") else "miter")
        if "fill-opacity" in at:
            shape.set_facecolor((*_parts(style["fill"]), at["fill-opacity"]))
        if "stroke-dasharray" in style:
            dashes = [float(length)/shape.get_linewidth() for length in style["stroke-dasharray"].split()]
            shape.set_linestyle((0, dashes))
        self._put(self.axes.add_patch(shape))


def _parts(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[i:i + 2], 16)/255 for i in (1, 3, 5))
    return red, green, blue


def _transform(words: str) -> np.ndarray:
    """The matrix of "translate(13 40) rotate(-90)"."""
    matrix = np.eye(3)
    for name, numbers in re.findall(r"(\w+)\(([^)]*)\)", words):
        values = [float(number) for number in numbers.split()]
        step = np.eye(3)
        if name == "translate":
            step[:2, 2] = values
        else:
            angle = np.radians(values[0])
            step[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        matrix = matrix @ step
    return matrix
