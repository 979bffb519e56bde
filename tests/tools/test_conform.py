"""tools/conform.py: that it judges, and that what it lets pass is on the page of differences."""

import json
import re
import subprocess
import sys

import pytest
from checkout import ROOT, needs_sources

import fastnn as nn

pytestmark = needs_sources
EXPECT = ROOT/"tools"/"conform_expect.json"
PAGE = ROOT/"docs"/"guide"/"differences.md"


def test_every_reason_stands_on_the_page():
    page = PAGE.read_text(encoding="utf-8")
    for entry, words, reason in json.loads(EXPECT.read_text(encoding="utf-8")):
        re.compile(words)
        assert entry and f"| {reason} |" in page, reason


def test_every_refused_call_of_the_page_is_refused():
    integers = nn.tensor([[1]])
    names = {"nn": nn, "F": nn.functional, "x": nn.ones(2, 3), "model": nn.Linear(2, 2),
             "params": [nn.Parameter([1.0])], "a": integers, "b": integers, "c": integers}
    table = PAGE.read_text(encoding="utf-8").partition("| call | why |")[2]
    cells = re.findall(r"^\| (`.*?) \| ", table, re.MULTILINE)
    calls = [call for cell in cells for call in re.findall("`(.+?)`", cell)]
    assert len(calls) >= 12
    for call in calls:
        with pytest.raises(nn.FastnnError):
            eval(call, dict(names))
            pytest.fail(f"{call} is not refused")


RUNS = """
import json, runpy, sys
import fastnn as nn
F = nn.functional
flip = F.flip
main = runpy.run_path(tool, run_name="conform")["main"]

def run(*options):
    sys.argv[1:] = ["--ops", "--only", *options, "--out", "."]
    print("status", main())

def refuse(*args, **words):
    raise nn.RangeError("not today", who="flip")

run("sum", "cat", "flip")
F.flip = lambda *args, **words: flip(*args, **words) * 1.000001
run("flip")
F.flip = refuse
run("flip")
open("expect.json", "w").write(json.dumps([["flip", "not today", "a test"]]))
run("flip", "--expect", "expect.json")
"""


def test_it_judges(torch, tmp_path):
    """What agrees, a result that is off by one part in a million, a refusal, and one on purpose."""
    pytest.importorskip("expecttest")
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); tool = {str(ROOT/'tools'/'conform.py')!r}\n{RUNS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    said = re.findall(r"ops: (\d+) of (\d+) samples agree, (\d+) differ, (\d+) raise.*\nstatus (\d)", done.stdout)
    assert len(said) == 4, done.stderr[-800:]
    (agree, of, *rest), off, refused, on_purpose = said
    assert agree == of and int(agree) > 50 and rest == ["0", "0", "0"]
    assert int(off[2]) > 3 and off[4] == "1" and int(refused[3]) > 3 and refused[4] == "1"
    assert on_purpose[3:] == ("0", "0")
