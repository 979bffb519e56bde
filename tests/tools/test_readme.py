"""What the README says is so: the op table is the one that the command prints, and its files exist.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn as nn

ROOT = Path(__file__).resolve().parents[2]
needs_checkout = pytest.mark.skipif(not (ROOT / "README.md").exists(), reason="runs in a checkout")


@needs_checkout
def test_op_table_is_current():
    from fastnn.op import OPS
    table = re.findall(r"^\| `(\w+)` \| [^|]+ \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert table == list(OPS), "run `python -m fastnn ops --markdown` and put its table into README.md"


@needs_checkout
def test_speed_figures_are_the_committed_ones():
    done = subprocess.run([sys.executable, ROOT / "tools" / "readme.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_checkout
def test_the_check_of_the_speed_figures_can_fail(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import readme
    copy = tmp_path / "README.md"
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    ratio = re.search(r" x \|", text[text.index(readme.BEGIN):]).start() + text.index(readme.BEGIN)
    monkeypatch.setattr(readme, "README", copy)
    # one digit of one figure
    copy.write_text(text[:ratio - 1] + str((int(text[ratio - 1]) + 1) % 10) + text[ratio:], encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["readme.py", "--check"])
    assert readme.main() == 1
    monkeypatch.setattr(sys, "argv", ["readme.py"])
    assert readme.main() == 0 and copy.read_text(encoding="utf-8") == text


@needs_checkout
@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/design.md"])
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([\w./-]+\.\w+)\)", (ROOT / page).read_text(encoding="utf-8"))
    missing = [link for link in links if not ((ROOT / page).parent / link).exists()]
    assert not missing


@needs_checkout
def test_the_two_commands_come_first():
    commands = re.findall(r"^python3 -m venv .*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    assert [command.rsplit("-m ", 1)[1] for command in commands] == ["fastnn", "pytest"]


def test_the_lenet_of_the_readme_has_its_published_size():
    model = nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(),
                          nn.AvgPool2d(2), nn.Flatten(),
                          nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10))
    assert sum(p.numel() for p in model.parameters()) == 61_706
    assert model(nn.zeros(2, 1, 28, 28)).shape == (2, 10)
