"""docs/guide/mistakes.md: each row is typed, and fastnn says what the page says."""

import contextlib
import io
import re
import warnings

import pytest
from checkout import ROOT, needs_sources

import fastnn as nn
from fastnn import errors
from fastnn.cli import main

PAGE = ROOT/"docs"/"guide"/"mistakes.md"
COMMAND = "$ python -m fastnn "


def rows(text):
    """(what is typed, what fastnn says) of each row."""
    return re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)


def names_of_page(text):
    """The names that the rows use, from the page's first fence."""
    names = {"__name__": "page"}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), names)
    return names


def told(typed, names):
    """What fastnn says, in one line: an error or a warning with its kind, or a command's complaint.
    """
    errors._told.clear()
    nn.seed(0)
    if typed.startswith(COMMAND):
        with contextlib.redirect_stderr(printed := io.StringIO()), pytest.raises(SystemExit):
            main(typed.removeprefix(COMMAND).split())
        return printed.getvalue().strip()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            exec(typed, names)
        except Exception as error:
            assert isinstance(error, nn.FastnnError), repr(error)
            return one_line(f"{type(error).__name__}: {error}")
    assert len(caught) == 1, caught
    return one_line(f"{caught[0].category.__name__}: {caught[0].message}")


def one_line(text):
    """As a cell of a table holds it."""
    return " ".join(text.replace("|", "\\|").split())


@needs_sources
def test_the_page_has_forty_mistakes_and_no_row_that_is_not_read():
    text = PAGE.read_text(encoding="utf-8")
    assert len(rows(text)) >= 40
    assert len(rows(text)) == len(re.findall(r"^\| `", text, re.MULTILINE))


@needs_sources
@pytest.mark.parametrize("typed, said", rows(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else [])
def test_fastnn_says_what_the_page_says(typed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert told(typed, names_of_page(PAGE.read_text(encoding="utf-8"))) == said


@pytest.mark.parametrize("typed", ["1 + 1", "import warnings; warnings.warn('a'); warnings.warn('b')"])
def test_what_is_no_mistake_is_no_row(typed):
    with pytest.raises(AssertionError):
        told(typed, {})
