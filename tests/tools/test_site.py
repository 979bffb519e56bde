"""The site's own two steps: docstrings become Markdown, and links lead to the project's files."""

from types import SimpleNamespace

import pytest
from checkout import ROOT, needs_sources

pytest.importorskip("griffe", reason="the extra `docs` is not installed")
pytest.importorskip("latex2mathml", reason="the extra `docs` is not installed")
pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")

pytestmark = needs_sources


def tool(name: str):
    import importlib.util
    spec = importlib.util.spec_from_file_location(f"tools_{name}", ROOT/"tools"/f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


DOCSTRING = r"""Slide filters: y = a * b.

.. math:: y = a \qquad z = b

Parameters
----------
a, b : int
    Two numbers,
    both of them.
padding : int, "same" or something
that is too long for a line
    Around the image.

Shapes: x (N, C) -> y (N,); w[k][c] is a*b and :math:`x
^2`.

Raises
------
ShapeError : sizes that do not fit: ranks,
channels.
RangeError : a window larger than the
    image. It may be as large.
FileError : the file is damaged.
    It is left as it was.
DTypeError, RangeError
    The rest.

References
----------
Goto, van de Geijn (2008), "Anatomy of high-performance matrix
multiplication".
Lavin, Gray (2016), "Fast algorithms".

>>> 1 + 1                                           # doctest: +SKIP
2
"""


def test_a_docstring_becomes_markdown():
    assert tool("site_docstrings").markdown(DOCSTRING) == "\n".join([
        "Slide filters: y = a * b.", "", "", "```math", r"y = a \qquad z = b", "```", "", "",
        "**Parameters**", "",
        "`a`, `b`", ":   int.", "    Two numbers,", "    both of them.", "",
        "`padding`", ':   int, "same" or something', "    that is too long for a line", "    Around the image.", "",
        "**Shapes.** x (N, C) -> y (N,); w[k]\\[c] is a\\*b and "
        + tool("site_docstrings").convert("x ^2", display="inline") + ".", "", "",
        "**Raises**", "",
        "`ShapeError`", ":   sizes that do not fit: ranks,", "    channels.", "",
        "`RangeError`", ":   a window larger than the", "    image. It may be as large.", "",
        "`FileError`", ":   the file is damaged.", "    It is left as it was.", "",
        "`DTypeError`, `RangeError`", ":   The rest.", "", "",
        "**References**", "",
        '- Goto, van de Geijn (2008), "Anatomy of high-performance matrix', 'multiplication".',
        '- Lavin, Gray (2016), "Fast algorithms".', "", "", "```pycon", ">>> 1 + 1", "2", "```"])


def test_a_parameter_that_the_signature_does_not_have_is_told(caplog):
    parameters = [SimpleNamespace(name="x"), SimpleNamespace(name="**attrs")]
    thing = SimpleNamespace(path="fastnn.thing", parameters=parameters)
    tool("site_docstrings").markdown("Parameters\n----------\nx : int\n**attrs\nz : int\n", thing)
    assert [record.args[1] for record in caplog.records] == ["z"]


def test_links_lead_to_pages_made_of_the_projects_files():
    site = tool("site")
    text = ("see `csrc/fastnn.h`, [the op](../../fastnn/op.py#L1), [here](tape.md), "
            "[there](https://x.y/z.py), `fastnn/no.py`\n")
    wanted = ("see [`csrc/fastnn.h`](P/source/csrc/fastnn.h.md), [the op](P/source/fastnn/op.py.md#L1), "
              "[here](P/design/tape.md), [there](https://x.y/z.py), `fastnn/no.py`\n")
    assert site.linked(text, "docs/design", lambda path: f"P/{site.page_of(path)}") == wanted
    fenced = "```text\n[the op](../../fastnn/op.py)\n```\n"
    assert site.outside_fences(fenced, lambda piece: site.linked(piece, "docs/design", str.upper)) == fenced


def test_a_name_leads_to_its_entry():
    site = tool("site")
    assert site.reference("", "Conv2d") == "[`Conv2d`][fastnn.layers.convolution.Conv2d]"
    assert site.reference("functional.", "relu") == "[`relu`][fastnn.ops.activation.relu]"
    assert site.reference("", "load") is None               # of nn, and of nn.models
    assert site.reference("", "nothing") is None


def test_lines_in_columns_stay_columns():
    markdown = tool("site_docstrings").markdown
    assert markdown("Sum.\n\none      1\ntwo      2\n") == "Sum.\n\n```text\none      1\ntwo      2\n\n```"
    equations = "Sum.\n\nGradient\n--------\ndx = dy    for x\ndw = dy    for w\n"
    assert markdown(equations).endswith("**Gradient**\n\n```text\ndx = dy    for x\ndw = dy    for w\n```")
