"""What the README and the generated pages say is so: the op table is the one that the command
prints, figures are the committed ones, and links lead somewhere.
"""

import re
import subprocess
import sys

import pytest
from checkout import ROOT, needs_sources


@needs_sources
def test_op_table_is_current():
    from fastnn.op import OPS
    from fastnn.optable import markdown
    page = (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
    assert markdown() in page, "run `make readme`"
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, re.M)) == sorted(OPS)


@needs_sources
def test_the_table_of_models_has_every_record():
    from fastnn.models import RECORDS
    page = (ROOT / "docs" / "api" / "models.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([\w-]+)` \|", page, re.M) == list(RECORDS)


@needs_sources
def test_the_table_of_optimisers_has_every_rule():
    from fastnn.optim.rule import RULES
    page = (ROOT / "docs" / "api" / "optim.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| `lr=.*` \| (.*\(\d{4}\).*) \|$", page, re.M)
    assert [row[:2] for row in rows] == [(optimizer.__name__, rule.formula) for optimizer, rule in RULES.items()]


@needs_sources
def test_generated_pages_are_current():
    done = subprocess.run([sys.executable, ROOT / "tools" / "readme.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_sources
@pytest.mark.parametrize("page", ["README", "SPEED"])
def test_the_check_of_the_speed_figures_can_fail(page, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import readme
    copy = tmp_path / "page.md"
    text = getattr(readme, page).read_text(encoding="utf-8")
    ratio = re.compile(r"\d \|$", re.M).search(text, readme.BEGIN.search(text).end()).start()
    monkeypatch.setattr(readme, page, copy)
    # one digit of one figure
    copy.write_text(text[:ratio] + str((int(text[ratio]) + 1) % 10) + text[ratio + 1:], encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["readme.py", "--check"])
    assert readme.main() == 1
    monkeypatch.setattr(sys, "argv", ["readme.py"])
    assert readme.main() == 0 and copy.read_text(encoding="utf-8") == text


@needs_sources
def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@needs_sources
@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", *sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md"))])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([\w./-]+\.\w+)(?:#[\w.-]+)?\)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing


@needs_sources
def test_the_two_commands_come_first():
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert [command.rsplit("-m ", 1)[1] for command in commands] == ["fastnn", "pytest -n 2"]
