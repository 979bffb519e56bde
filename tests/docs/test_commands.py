"""The commands on the pages exist: the parser takes each `python -m fastnn ...`, `make ...` is in
the Makefile, and a program that is named is there.
"""

import re

import pytest
from checkout import ROOT, needs_sources

from fastnn.cli.parser import parser

PAGES = [ROOT/"README.md", ROOT/"CONTRIBUTING.md", ROOT/"CHANGELOG.md", *sorted((ROOT/"docs").rglob("*.md"))]
PAGES = [path for path in PAGES if path.exists()]
pytestmark = needs_sources


def code_of(text: str):
    """Each line of a bash fence, and each `...` in the text."""
    bash = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    yield from (line.partition(" #")[0] for block in bash for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))


def commands(text: str, start: str) -> list[list[str]]:
    """The words behind `start` in every command that a text shows."""
    parts = [part.strip() for code in code_of(text) for part in re.split(r"&&|;|\|", code)]
    return [part[found.end():].split() for part in parts if (found := re.match(rf"(\S*/)?{start}(?=\s|$)", part))]


def wrong(words: list[str]) -> str:
    """The words, if the parser does not take them; "" if it does."""
    try:
        parser().parse_args(words)
    except SystemExit as left:
        return "" if not left.code else " ".join(words)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_commands_of_a_page_are_taken(page, capsys):
    text = page.read_text(encoding="utf-8")
    assert [told for words in commands(text, "python3? -m fastnn") if (told := wrong(words))] == []
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT/"Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    asked = {word for words in commands(text, "make") for word in words if "=" not in word}
    assert asked - targets == set()
    programs = {words[0] for words in commands(text, "python3?") if words and words[0].endswith(".py")}
    assert {program for program in programs if not (ROOT/program).exists()} == set()


def test_the_commands_are_found():
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert sum(len(commands(text, "python3? -m fastnn")) for text in texts) >= 15
    assert sum(len(commands(text, "make")) for text in texts) > 10


def test_a_command_that_is_not_there_is_told(capsys):
    assert commands("a\n```bash\n.venv/bin/python -m fastnn bench relu --fast   # quickly\n```\n`make it`",
                    "python3? -m fastnn") == [["bench", "relu", "--fast"]]
    assert wrong(["bench", "relu", "--fast"]) and wrong(["benchmark"])
    assert not wrong(["bench", "relu", "--threads", "1"]) and not wrong([])
