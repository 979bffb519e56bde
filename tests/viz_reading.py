"""Independent readers of what `fastnn.viz` writes: SVG as XML, PNG, and the labels that try to
break out of them.
"""

import base64
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser

import numpy as np

from fastnn.viz import svg

NAN, INF = float("nan"), float("inf")
HOSTILE = """</text></svg><script>alert("1")</script>' onload='x & \x00\ud800"""


def parse(picture):
    """The picture's root element; fails if it is not well-formed XML."""
    return ET.fromstring(str(picture))


def all_of(picture, tag):
    return list(parse(picture).iter(f"{{{svg.SVG_NAMESPACE}}}{tag}"))


def texts(picture):
    """What is written in the picture, without tool tips."""
    return [node.text for node in all_of(picture, "text")]


def coordinates(path):
    return [tuple(map(float, pair.split())) for pair in re.findall(r"[ML]([-\d.]+ [-\d.]+)", path.get("d"))]


def decode_png(uri):
    """An independent reader of the PNG files that `io.png` writes: checks every checksum,
    returns (H, W, 3) bytes.
    """
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"), validate=True)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size, = struct.unpack(">I", data[at:at + 4])
        kind, body = data[at + 4:at + 8], data[at + 8:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(kind + body)
        chunks[kind], at = body, at + 12 + size
    assert list(chunks) == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, colour, *rest = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour, rest) == (8, 2, [0, 0, 0])
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3*width)
    assert not rows[:, 0].any()
    return rows[:, 1:].reshape(height, width, 3)


class Page(HTMLParser):
    """Reads a page strictly: every element is closed in order, ids are unique, attributes are not
    repeated.
    """

    VOID = frozenset({"meta", "link", "img", "br"})

    def __init__(self, html):
        super().__init__()
        self.open, self.tags, self.ids, self.attributes, self.words = [], [], [], [], []
        self.feed(html)
        self.close()
        assert not self.open, f"not closed: {self.open}"
        assert len(set(self.ids)) == len(self.ids)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        names = [name for name, _ in attributes]
        assert len(set(names)) == len(names)
        self.attributes += [(tag, name, value) for name, value in attributes]
        self.ids += [value for name, value in attributes if name == "id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        assert "svg" in self.open, f"<{tag}/> is not HTML"
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if data.strip() and self.open and self.open[-1] not in ("style", "title"):
            self.words.append(data.strip())

    @staticmethod
    def rows(html, name):
        """The cells of the table of that class, as text."""
        body = re.search(rf'<table class="{name}">(.*?)</table>', html, re.S).group(1)
        rows = re.findall(r"<tr>(.*?)</tr>", body, re.S)
        cells = [re.findall(r"<(?:td|th)[^>]*>(.*?)</(?:td|th)>", row) for row in rows]
        return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in cells]
