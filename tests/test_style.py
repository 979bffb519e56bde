"""The written form: widths of lines, one sentence a line in Markdown, the field's words, and how
many arguments a function takes.

Code has at most 120 columns, comments and docstrings 100, behind code too. A line that cannot be
broken, because most of it is one word, is let be.
"""

import ast
import io
import re
import tokenize
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

pytestmark = needs_sources

CODE, PROSE = 120, 100
SOURCES = {"csrc": (".c", ".h"), "fastnn": (".py", ".pyi", ".pyx", ".pxi"), "tests": (".py", ".c", ".h"),
           "tools": (".py",), "benchmarks": (".py",), "examples": (".py",), "docs": (".css", ".js")}
# what stands before a docstring
BEGINS = {None, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}

# What stands for a word of the field -> how the field says it.
DIALECT = {
    r"\bask(s|ed|ing)? (the \w+ )?for\b(?=.*\b(cache|line|memory|row|panel|ahead|next))": "prefetch",
    r"\basked for (ahead|by the line)|\basks? (memory )?for (the |its )?(next|rows?|lines?|panel)": "prefetch",
    r"(?<!\bin )(?<!['\"])\bturn(s|ed|ing)?\b(?!( \w+){0,3} (in)?to\b)(?! once)(?!=)": "flip, transpose or alternate",
    r"shares? (the )?(same )?places in (the|a) caches?": "cache aliasing",
    r"\bin work (at once|at a time|together)": "in flight",
}
# Arguments of a function, at most: where there are more, a struct or a record gives them names.
# What users and bindings call keeps the arguments that it has: docs/design/kernels.md says why of a
# kernel's row; layers, optimisers and functions have PyTorch's signatures.
ARGUMENTS = 10
CALLED = {"fit", "__init__", "embedding_bag"}
SPOKEN = {"csrc": (".c", ".h"), "fastnn": (".py", ".pxi", ".pyx", ".pyi"), "docs": (".md",), "examples": (".py",),
          "tools": (".py",), "tests": (".py",)}
# files beside the rooms: what they are written in is told by their comments
PAPERS = ("Makefile", ".ci/run", "setup.py", "pyproject.toml", "MANIFEST.in")


def files(places: dict[str, tuple[str, ...]]) -> list[Path]:
    return [path for place, suffixes in places.items() for path in sorted((ROOT/place).rglob("*"))
            if path.suffix in suffixes and path.name != "_kernels.c" and path != Path(__file__)]


def prose_of_python(text: str) -> set[int]:
    """The numbers of the lines that are comments or docstrings."""
    found: set[int] = set()
    before = None
    lines = [*text.splitlines(), ""]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        first, last = token.start[0], token.end[0]
        alone = not lines[first - 1][:token.start[1]].strip()
        if token.type == tokenize.COMMENT or (alone and token.type == tokenize.STRING and before in BEGINS):
            found.update(range(first, last + 1))
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            before = token.type
    return found


def prose_of_c(text: str) -> set[int]:
    """The numbers of the lines that end with a comment, or are inside one."""
    found, inside = set(), False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        opens = "/*" in bare
        if inside or "//" in bare or (opens and (bare.endswith("*/") or "*/" not in bare)):
            found.add(number)
        inside = "*/" not in bare[bare.rfind("/*") + 1:] if inside or opens else False
    return found


def prose_of_cython(text: str) -> set[int]:
    """As in Python, for what Python's own reader does not read, make's and the shell's files too:
    comments, and strings that stand alone.
    """
    found, inside = set(), False
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        opens = re.match(r'[rb]?"""', bare)
        if inside or opens or re.match(r"""([^#'"]|'[^']*'|"[^"]*")*#""", bare):
            found.add(number)
        if opens or inside:
            inside = bare.count('"""') % 2 == (0 if inside else 1)
    return found


def too_wide(path: Path, text: str) -> list[str]:
    readers = {**dict.fromkeys((".c", ".h", ".css", ".js"), prose_of_c),
               **dict.fromkeys((".py", ".pyi"), prose_of_python)}
    prose = readers.get(path.suffix, prose_of_cython)(text)
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        limit = PROSE if number in prose else CODE
        if len(line) > limit and max(map(len, line.split())) < 70:
            found.append(f"{path}:{number}: {len(line)} columns, {limit} at most")
    return found


def trains_of_c(text: str) -> list[str]:
    """The functions that are defined here with too many arguments."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|\\\n", lambda found: re.sub(r"[^\n]", " ", found[0]), text, flags=re.DOTALL)
    found = []
    for head in re.finditer(r"\b(?:FN\(([\w#]+)\)|(\w+))\s*\(", text):
        inside, commas, at = 1, 0, head.end()
        while inside and at < len(text):
            inside += (text[at] in "([{") - (text[at] in ")]}")
            commas += text[at] == "," and inside == 1
            at += 1
        if commas >= ARGUMENTS and re.match(r"\s*\{", text[at:]):
            found.append(f"{head[1] or head[2]} has {commas + 1} arguments")
    return found


def trains_of_python(text: str) -> list[str]:
    """As in C; self and cls do not count."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > ARGUMENTS:
                found.append(f"{node.name} has {count} arguments")
    return found


def trains(path: Path, text: str, called: set[str]) -> list[str]:
    """Functions with too many arguments, but for those that are `called` from outside."""
    found = (trains_of_python if path.suffix == ".py" else trains_of_c)(text)
    return [f"{path}: {line}" for line in found if line.split()[0] not in called]


def dialect(path: Path, text: str) -> list[str]:
    return [f"{path}:{number}: {found[0]!r}: say {better}" for number, line in enumerate(text.splitlines(), 1)
            for pattern, better in DIALECT.items() if (found := re.search(pattern, line, re.IGNORECASE))]


def split_sentences(text: str) -> list[str]:
    """Lines of Markdown that hold more than a sentence, or less: outside code, tables and lists of
    papers.
    """
    found, fenced, before = [], False, ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        fenced ^= bare.startswith("```")
        listed = re.match(r"[-*|#<>!:{]|\d+\. |---", bare)
        if fenced or re.match(r"```|#|\w+: \[", bare) or line.startswith("    ") or "(19" in line or "(20" in line:
            before = ""
            continue
        plain = re.sub(r"`[^`]*`|^\*\*\d\. ", "x", bare)
        if re.search(r"\w\*\w", plain):            # Markdown would take it for emphasis
            found.append(f"{number}: a product outside `code`: {bare[:60]}")
        if re.search(r"(?<![A-Z])(?<! vs)(?<!\be\.g)(?<!\bi\.e)[.?!]\)?(\*\*)? [A-Z]([a-z]|\^)", plain):
            found.append(f"{number}: two sentences: {bare[:60]}")
        if before and bare and not listed and not re.search(r'[.:;?!,]["\')*]*$|\*\*$', before):
            found.append(f"{number}: a sentence goes on: {bare[:60]}")
        before = "" if re.match(r"[|#<!]|---", bare) else bare
    return found


MINIMUM = re.compile(r"(?<!&& )(?<![\w.>])([\w>.\[\]]+(?: [-+*/] [\w>.\[\]]+)*) [<>]=? ([^?:;=&|]+?)"
                     r" \? (.+?) : ([^:;,]+?)(?=[;,)]|$)")


def minima(path: Path, text: str) -> list[str]:
    """Where C writes out `a < b ? a : b`, for which there are functions. With a number it is a
    formula: `z < 0 ? 0 : z` is ReLU.
    """
    return [f"{path}:{number}: {a}, {b}: say fnn_min, fnn_max and so on (sizes.h), or r_min, r_max (simd.h)"
            for number, line in enumerate(text.splitlines(), 1) for a, b, *chosen in MINIMUM.findall(line)
            if {a, b} == set(chosen) and not re.match(r"-?\d", a) and not re.match(r"-?\d", b)]


def bad(places: dict[str, tuple[str, ...]], check) -> dict[str, list[str]]:
    found = {}
    for path in files(places):
        name = path.relative_to(ROOT)
        if lines := check(name, path.read_text(encoding="utf-8")):
            found[name.as_posix()] = lines
    return found


def shown(found: dict[str, list[str]]) -> str:
    return "\n".join(line for lines in found.values() for line in lines)


def test_lines_are_not_too_wide():
    found = bad(SOURCES, too_wide)
    assert not found, shown(found)
    for path in (*map(ROOT.joinpath, PAPERS), Path(__file__)):
        if path.exists():                           # .ci is not part of an sdist
            found = too_wide(path, path.read_text(encoding="utf-8"))
            assert not found, "\n".join(found)


def test_arguments_have_names_where_they_are_many():
    kernels = {name for path in files({"csrc": (".h",)})
               for name in re.findall(r"KERNEL\((\w+)", path.read_text(encoding="utf-8"))}
    found = bad({"csrc": (".c", ".h"), "fastnn": (".py",)}, lambda path, text: trains(path, text, kernels | CALLED))
    assert not found, shown(found)


def test_what_types_do_not_see_has_a_reason():
    """A comment above `type: ignore`, or behind it."""
    found = []
    for path in files({"fastnn": (".py",), "tests": (".py",), "tools": (".py",), "examples": (".py",)}):
        lines = ["", *path.read_text(encoding="utf-8").splitlines()]
        found += [f"{path}:{i}" for i, line in enumerate(lines) if re.search(r"# type: ignore(\[[\w-]+\])?$", line)
                  and not lines[i - 1].strip().startswith("#")]
    assert not found, "\n".join(found)


def test_minima_are_written_one_way():
    found = bad({"csrc": (".c", ".h")},
                lambda path, text: [] if path.name in ("sizes.h", "simd.h") else minima(path, text))
    assert not found, shown(found)


def test_the_words_are_the_fields():
    found = bad(SPOKEN, dialect)
    for page in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        found[page] = dialect(ROOT/page, (ROOT/page).read_text(encoding="utf-8"))
    assert not any(found.values()), shown(found)


@pytest.mark.parametrize("page", [path for path in (ROOT/"README.md", ROOT/"CHANGELOG.md", ROOT/"CONTRIBUTING.md",
                                                    *sorted((ROOT/"docs").rglob("*.md"))) if path.exists()],
                         ids=lambda path: path.relative_to(ROOT).as_posix())
def test_markdown_has_a_sentence_a_line(page):
    found = split_sentences(page.read_text(encoding="utf-8"))
    assert not found, "\n".join(found)


def test_the_glossary_has_the_words_that_need_one():
    text = (ROOT/"docs"/"words.md").read_text(encoding="utf-8").lower()
    for word in ("adjoint", "band", "cache aliasing", "carry", "flip", "im2col", "in flight", "kinds", "lanes",
                 "packing", "panel", "prefetch", "set", "tile", "transpose"):
        assert re.search(rf"^\*\*([\w ]+, )*{word}\b", text, re.MULTILINE), word


def test_the_checks_can_fail():
    python = 'x = 1\n\n\ndef f():\n    """' + "word "*20 + '"""\n    return ' + "x + "*30 + "x\n"
    assert [line.split(":")[1] for line in too_wide(Path("a.py"), python)] == ["5", "6"]
    c = "/* " + "word "*20 + "*/\nint " + "x, "*30 + "y;\n"
    assert [line.split(":")[1] for line in too_wide(Path("a.c"), c)] == ["1"]
    assert [line.split(":")[1] for line in too_wide(Path("a.pxi"), "# " + "word "*20 + "\n")] == ["1"]
    for name, behind in (("a.c", "int x;  /* " + "word "*20 + "*/\n"), ("a.h", "int x;  /* a\n" + "b "*51 + "*/\n"),
                         ("a.py", "x = 1  # " + "word "*20 + "\n"), ("a.pxi", "x = '#'  # " + "word "*20 + "\n")):
        assert too_wide(Path(name), behind), name
    for name in ("a.css", "a.js"):
        assert too_wide(Path(name), "a { " + "b: c; "*20 + "}\n") and too_wide(Path(name), "/* " + "word "*20 + "*/\n")
    assert not too_wide(Path("a.py"), "# see https://" + "x"*120 + "\n")
    eleven = ", ".join(f"int a{i}" for i in range(11))
    assert trains_of_c(f"/* f */ static void FN(f_##n)({eleven})\n{{ }}") == ["f_##n has 11 arguments"]
    assert not trains_of_c(f"void f({eleven.partition(', ')[2]}) {{ }}") and not trains_of_c(f"f({eleven});")
    assert trains_of_python(f"def f({eleven.replace('int ', '')}): pass") == ["f has 11 arguments"]
    assert not trains_of_python(f"def f(self, {eleven.partition(', ')[2].replace('int ', '')}): pass")
    for text in ("x = a < b ? a : b;", "x = n - i > most ? most : n - i;", "f(n > b[i] ? n : b[i], 1)"):
        assert minima(Path("a.c"), text), text
    for text in ("x = z < 0 ? 0 : z;", "x = a < b ? b : c;", "x = fnn_min(a, b);"):
        assert not minima(Path("a.c"), text), text
    for text in ("the filters turned", "rows that share places in the caches", "three rows in work at once",
                 "A tile asks for rows of B ahead"):
        assert dialect(Path("a.h"), text), text
    for text in ("return x", "turns scores into probabilities", "imported when asked for"):
        assert not dialect(Path("a.h"), text), text
    assert split_sentences("One. Two sentences.\n") and split_sentences("One that\ngoes on.\n")
    assert split_sentences("The sum is 1*2 + 3*4.\n") and not split_sentences("The sum is `1*2`, **bold**.\n")
    assert not split_sentences("One.\nTwo: e.g. Three.\n\n```text\nA. B\n```\n")
