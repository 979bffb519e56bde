"""What a notebook shows for tensors, models and summaries: the numbers, escaped text, no colour
that one theme hides.
"""

import re

import numpy as np
import pytest
from viz_reading import HOSTILE, Page

import fastnn as nn


def read(thing):
    """The HTML of a thing, read strictly, and its words."""
    html = thing._repr_html_()
    Page(html)
    assert "<script" not in html and "id=" not in html and "class=" not in html
    return html, re.sub(r"<[^>]*>", " ", html)


def cells(html):
    return re.findall(r"<td[^>]*>(.*?)</td>", html)


def test_a_matrix_is_a_table_of_its_numbers():
    html, words = read(nn.tensor([[1.0, -2.5], [0.0, 0.25]]))
    assert cells(html) == ["1.00", "-2.50", "0.00", "0.25"] and "2 \N{MULTIPLICATION SIGN} 2 · float32" in words
    tints = re.findall(r"background:rgba\((\d+),\d+,\d+,([\d.]+)\)", html)
    assert [float(share) for _, share in tints] == [0.16, 0.4, 0.04]    # of the largest, 2.5
    assert tints[0][0] == tints[2][0] != tints[1][0]                            # the sign


@pytest.mark.parametrize("shape", [(9,), (8, 9), (1000, 1), (3, 10**6)])
def test_a_long_one_is_shown_at_both_ends(shape):
    array = np.arange(np.prod(shape)).reshape(shape)
    html, _ = read(nn.tensor(array))
    shown = [int(cell) for cell in cells(html) if cell not in "…⋮"]
    assert len(html) < 20_000 and shown[0] == 0 and shown[-1] == array[-1].max()
    assert len(shown) == np.prod([min(n, 8) for n in shape]) and {"…", "⋮"} & {*cells(html)}


@pytest.mark.parametrize("make, said", [
    (lambda: nn.tensor(3.0), "one number"), (lambda: nn.zeros(2, 2, 2), "[[0., 0.]"),
    (lambda: nn.zeros(0, 3), "0 \N{MULTIPLICATION SIGN} 3"),
    (lambda: nn.tensor([True, False]), "bool"), (lambda: nn.tensor([float("nan"), float("inf"), 1.0]), "inf"),
    (lambda: nn.Parameter([1.0]), "Parameter"), (lambda: nn.Parameter([1.0]), "requires a gradient"),
    (lambda: nn.Parameter([1.0]) * 2, "made by mul"), (lambda: nn.tensor(np.uint8([255])), "255"),
    (lambda: nn.tensor(np.array([5e-324, 1.7e308])), "1.7e+308")])
def test_every_kind_of_tensor_has_a_picture(make, said):
    assert said in read(make())[1]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(4, 2))))
        self.body[0].requires_grad_(False)

    def describe(self):
        return HOSTILE

    def forward(self, x):
        return self.body(x)


def test_a_model_is_a_tree_that_unfolds():
    html, words = read(Net())
    assert html.count("<details") == 4 and html.count("<details open") == 2
    assert words.count("26 parameters, 16 of them fixed") == 2
    assert "Linear(in_features=3, out_features=4, bias=True)" in words and "onload" in words
    assert "parameters" not in read(nn.ReLU())[1]


def test_a_summary_is_the_table_with_bars():
    s = Net().summary((3,))
    html, words = read(s)
    assert len(re.findall("<tr", html)) == len(s.rows) + 2
    for row in s.rows:
        assert row.path in words and f"{row.multiply_adds:,}" in cells(html)
    assert re.findall(r"linear-gradient\(270deg,rgba\([\d,]+,.25\) ([\d.]+)%", html).count("100.0") >= 3
    assert "16 parameters are fixed" in words and "onload" in words
    assert "Not reached" in read(Unused().summary((3,)))[1]


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x):
        return self.used(x)


def test_words_have_the_notebooks_own_colour():
    """Lines and tints let what lies under them through, and nothing else has a colour."""
    for thing in (nn.randn(3, 3), Net(), Net().summary((3,)), nn.zeros(1, 1, 1)):
        html = thing._repr_html_()
        assert not re.search(r"[;\"]color:(?!inherit)|#[0-9a-fA-F]{3}|background:(white|black)", html)
        for alpha in re.findall(r"rgba\(\d+,\d+,\d+,([\d.]+)\)", html):
            assert float(alpha) <= 0.4
