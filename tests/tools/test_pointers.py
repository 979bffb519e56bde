"""What comments and pages point to is there: files, Python names, and kernels by their C names."""

import importlib
import io
import re
import tokenize
import warnings

from checkout import ROOT, needs_sources

ROOMS = ("csrc", "fastnn", "tests", "tools", "docs", "benchmarks", "examples", ".ci")
NOT_OURS = {                    # file names that are right though no such file is in the repository
    "Python.h": "CPython's header",
    "__meta__.json": "inside the .npz files that fastnn.io writes",
    "OUT/ops.json": "written by tools/conform.py, as are the next ones",
    "OUT/modules.json": "", "OUT/optimisers.json": "", "ops.json": "",
    "expect.json": "written by a test",
}
FILE = re.compile(r"(?<![\w/.*{<-])((?:[\w.-]+/)*[\w-]+(?:\.tmpl)?\.(?:c|h|py|pyx|pxi|pyi|md|json|toml))\b"
                  r"(?!\.?[\w(/])")
DOTTED = re.compile(r"(?<![\w/.@-])fastnn(?:\.[A-Za-z_]\w*)+(?!\.?\w)")

pytestmark = needs_sources


def sources():
    """Every text file of the project, without what is built or downloaded."""
    for room in ROOMS:
        yield from (p for p in sorted((ROOT / room).rglob("*")) if p.is_file() and "__pycache__" not in p.parts)
    yield from (p for p in sorted(ROOT.iterdir()) if p.is_file())


def spans(path):
    """(offset, text) of what is told in words: comments and docstrings, or all of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return [(0, text)]
    if path.suffix in (".c", ".h"):
        return [(m.start(), m.group()) for m in re.finditer(r"/\*.*?\*/|//[^\n]*", text, re.S)]
    if path.suffix in (".pyx", ".pxi"):             # Cython is no Python for tokenize
        return [(m.start(), m.group()) for m in re.finditer(r'""".*?"""|#[^\n]*', text, re.S)]
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return [(starts[t.start[0] - 1] + t.start[1], t.string)
            for t in tokenize.generate_tokens(io.StringIO(text).readline)
            if t.type == tokenize.COMMENT or (t.type == tokenize.STRING and t.string.lstrip("rRbBuUfF")[:3] == '"""')]


def mentions(pattern):
    """(file:line, what) of all that the pattern finds in words."""
    for path in sources():
        if path.suffix not in (".c", ".h", ".md", ".py", ".pyx", ".pxi", ".pyi") or path.name == "_kernels.c":
            continue
        text = None
        for offset, words in spans(path):
            for found in pattern.finditer(words):
                text = text or path.read_text(encoding="utf-8")
                line = text.count("\n", 0, offset + found.start()) + 1
                yield f"{path.relative_to(ROOT).as_posix()}:{line}", found.group()


def is_there(dotted):
    """Whether a name like fastnn.data.digits leads somewhere, without help from old paths."""
    parts = dotted.split(".")
    for i in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:i]))
        except ImportError:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            try:
                for name in parts[i:]:
                    found = getattr(found, name)
            except (AttributeError, DeprecationWarning):
                return False
        return True
    return False


def test_every_file_that_is_named_exists():
    known = set(NOT_OURS)
    for path in sources():
        parts = path.relative_to(ROOT).parts
        known |= {"/".join(parts[i:]) for i in range(len(parts))}
    found = list(mentions(FILE))
    assert len(found) > 500
    missing = [f"{where}: {name}" for where, name in found if re.sub(r"^(\.\.?/)+", "", name) not in known]
    assert not missing, "no such file:\n" + "\n".join(missing)


def test_every_python_name_that_is_told_exists():
    found = [(where, name) for where, name in mentions(DOTTED) if name != "fastnn.h"]
    assert len(found) > 10
    missing = [f"{where}: {name}" for where, name in found if not is_there(name)]
    assert not missing, "leads nowhere:\n" + "\n".join(missing)


def test_a_search_for_a_kernel_finds_its_family():
    """KERNEL(gemm, ...) pastes the name fnn_gemm together: each header names its kernels in full,
    too.
    """
    missing = []
    for header in (ROOT / "csrc").rglob("*.h"):
        text = header.read_text(encoding="utf-8")
        for name in re.findall(r"^KERNEL\((\w+)", text, re.M):
            if not re.search(rf"\bfnn_{name}\b", text):
                missing.append(f"{header.relative_to(ROOT).as_posix()}: fnn_{name}")
    assert not missing, "not in words:\n" + "\n".join(missing)
