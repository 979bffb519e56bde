"""The Python on the pages runs: each page from top to bottom, in an empty folder.

A fence of `python` is run; a fence of `text` right behind it holds what it prints. In a fence of
`pycon` what is printed is compared as in a doctest.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

PAGES = [ROOT/"README.md", ROOT/"CONTRIBUTING.md", *sorted((ROOT/"docs").rglob("*.md"))]
PAGES = [path for path in PAGES if path.exists()]
FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1``` *$", re.MULTILINE | re.DOTALL)
RUN, SHOWN = {"python", "pycon", "printed"}, {"bash", "text", "c", "math"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def fences(text: str) -> list[tuple[str, str, int]]:
    """(language, code, first line) of each fence of a page, but not of what a page includes. The
    language of a `text` fence right behind a `python` one is "printed".
    """
    found, end = [], None
    for fence in FENCE.finditer(text):
        indent, language, code = fence.groups()
        if "--8<--" not in code:
            follows = found and found[-1][0] == "python" and language == "text" and not text[end:fence.start()].strip()
            code = "\n".join(line.removeprefix(indent) for line in code.splitlines()) + "\n"
            found.append(("printed" if follows else language, code, text[:fence.start()].count("\n") + 1))
            end = fence.end()
    return found


def run(path: str, text: str) -> int:
    """Run a page; how many fences ran. AssertionError where an output is another."""
    names: dict = {"__name__": "page"}
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    done = 0
    for language, code, line in fences(text):
        if language == "python":
            with contextlib.redirect_stdout(printed := io.StringIO()):
                exec(compile("\n"*line + code, path, "exec"), names)
        elif language == "printed":
            got = printed.getvalue()
            assert doctest.OutputChecker().check_output(code, got, FLAGS), f"{path}:{line}: {got}"
        elif language == "pycon":
            test = doctest.DocTestParser().get_doctest(code, names, path, path, line)
            report: list[str] = []
            runner.run(test, out=report.append, clear_globs=False)
            names.update(test.globs)
            assert not report, "".join(report)
        done += language in RUN
    return done


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if any(language in RUN for language, *_ in fences(
    page.read_text(encoding="utf-8")))], ids=name_of)
def test_every_line_of_a_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(str(page), page.read_text(encoding="utf-8")) > 0


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_fence_says_what_it_holds(page):
    """So that no Python escapes: it is run, or it is something else."""
    languages = {(language, line) for language, _, line in fences(page.read_text(encoding="utf-8"))}
    assert {found for found in languages if found[0] not in RUN | SHOWN} == set()


@needs_sources
def test_the_guide_has_code_on_every_page():
    pages = [page for page in (ROOT/"docs"/"guide").glob("*.md") if page.name != "index.md"]
    assert len(pages) == 12
    assert all(any(language in RUN for language, *_ in fences(page.read_text(encoding="utf-8"))) for page in pages)


def test_the_runner_notices_an_output_that_differs():
    with pytest.raises(AssertionError, match="Expected"):
        run("page", "```pycon\n>>> 1 + 1\n3\n```\n")
    with pytest.raises(ZeroDivisionError):
        run("page", "text\n\n```python\n1/0\n```\n")
    with pytest.raises(AssertionError, match="page:5: 1"):
        run("page", "```python\nprint(1)\n```\n\n```text\n2\n```\n")
    assert run("page", "```python\nx = 1\nprint(x)\n```\n\n```text\n1\n```\n\n```pycon\n>>> x\n1\n```\n") == 3
