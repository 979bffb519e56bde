"""What the C headers say about themselves: maps that name every file, names that name every kernel,
headings that stand where they are looked for, and where constants come from.
"""

import re

import pytest
from checkout import ROOT, needs_sources

pytestmark = needs_sources

CSRC = ROOT / "csrc"
# folder -> the file whose first comment is its map
MAPS = {"attention": "attention/attention.h", "conv": "conv/conv2d.h", "core": "fastnn.h", "gemm": "gemm/gemm.h",
        "ladder": "ladder/ladder.h", "norm": "norm/norm.h", "optim": "optim/optim.h",
        "pointwise": "pointwise/map.tmpl.h", "pool": "pool/pool2d.h", "recurrent": "recurrent/recurrent.h",
        "resample": "resample/resample.h"}
ROW = re.compile(r"^KERNEL\((\w+),", re.M)
HEADERS = [path for path in sorted(CSRC.glob("*/*.h")) if ROW.search(path.read_text())]
HEADING = r"[A-Z][a-z]+(?: [a-z]+)?"


def first_comment(text: str) -> str:
    return text[:text.index("*/")]


def under(heading: str, comment: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^ \* {heading} {{2,}}(.*?)(?=^ \* {HEADING} {{2,}}|\Z)", comment, re.M | re.S)
    assert found, f"no heading {heading!r}"
    return found[1]


def unnamed(stems: set[str], text: str) -> list[str]:
    """The stems of which the text names no file: window.h is one of window."""
    return sorted(stems - set(re.findall(r"([\w.]+?)(?:\.tmpl)?\.[ch]\b", text)))


def test_every_folder_has_a_map():
    assert set(MAPS) == {path.name for path in CSRC.iterdir() if path.is_dir()}


@pytest.mark.parametrize("folder", MAPS)
def test_a_map_names_every_file_of_its_folder(folder):
    comment = first_comment((CSRC / MAPS[folder]).read_text())
    stems = {path.name.split(".")[0] for path in (CSRC / folder).iterdir() if path != CSRC / MAPS[folder]}
    missing = unnamed(stems, under("core/" if folder == "core" else "Map", comment))
    assert not missing, f"the map in csrc/{MAPS[folder]} does not name {missing}"


@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.name)
def test_a_header_lists_its_kernels_under_names(header):
    text = header.read_text()
    names = re.findall(r"\bfnn_(\w+)", under("Names", first_comment(text)))
    rows = {name for name in names if "__" not in name}     # __: a version, at a level
    assert rows == set(ROW.findall(text))


def swallowed(comment: str, headings: set[str]) -> list[str]:
    """Headings inside a line, where joined lines have left them."""
    found = re.findall(rf"^ \* .*[^ ] ({HEADING}) {{3,}}[^ ]", comment, re.M)
    return [word for word in found if word.split()[-1] in headings or word in headings]


def test_headings_begin_a_line():
    comments = {path: first_comment(path.read_text()) for path in sorted(CSRC.rglob("*.[ch]"))}
    headings = {word for comment in comments.values()
                for word in re.findall(rf"^ \* ({HEADING}) {{3,}}", comment, re.M)}
    assert {"Math", "Method", "Threads", "Layout"} <= headings
    found = {path.name: words for path, comment in comments.items() if (words := swallowed(comment, headings))}
    assert not found


# What is no choice: a code, a flag, a limit that users are told, what an algorithm is, what follows
# from the level and the type, and what is said beside it in other words.
GIVEN = {"FROM_ROWS", "BY_ROWS", "BY_COLUMNS", "FNN_GEMM_ADD", "FNN_GEMM_RELU", "FNN_POOL_NONE", "FNN_MAX_DIMS",
         "FNN_F32", "FNN_F64", "FNN_PORTABLE", "FNN_AVX2", "FNN_AVX512", "FNN_LEVELS", "FNN_PLAIN", "IN_USE", "FREE",
         "WINO_OUT", "WINO_IN", "WINO_PRODUCTS", "WINO_KINDS", "WINO_SETS", "WINO_PIXELS",
         "VBYTES", "VL", "V_ELEMENTS", "GEMM_VL", "TRANSPOSE_LANES", "TRANSPOSE_ROUNDS", "TRANSPOSE_BLOCK",
         "HALF_LANES", "GEMM_LEAST", "REC_GATES", "REC_JOINT", "SQRT_2_PI", "FLUSH", "FNN_MAX_THREADS",
         "WINO_MR", "WINO_NR", "WINO_V_BYTES", "SCORES", "BY_KEY", "BY_QUERY",
         "STEP_WORK"}
MARKED = re.compile(r"\b(timed|bound|chosen|counted)\b", re.I)
PART = re.compile(r"/\*.*?\*/|\b([A-Z]\w+) *=", re.S)
DEFINE = re.compile(r"/\*.*?\*/|^#[ ]*define ([A-Z]\w*)[ ]+(?:(?!/\*)[^\n])+", re.S | re.M)
# A number, made of numbers and of other constants; 0 and 1 are switches.
NUMBER = re.compile(r"(?![01]u?$)(?=.*\b\d)(?:[-+*/%()<>?:=!&|. ]|\b\d[\w.]*|\b[A-Z][A-Z0-9_]*\b"
                    r"|\b(?:size_t|int|sizeof|fnn_size|uint64_t)\b)+$")


def marks(text: str, part: re.Pattern) -> dict[str, set[str]]:
    """What the comments of the constants say of where they come from: the one behind, and those
    that it leads on to; or else the last one above.
    """
    found = {}
    parts = list(part.finditer(text))
    alone = [not text[:each.start()].rpartition("\n")[2].strip() for each in parts]
    for i, each in enumerate(parts):
        if not each[1] or each[1] in GIVEN:
            continue
        above = [parts[j][0] for j in range(i) if not parts[j][1] and alone[j]]
        said = ""
        for j in range(i + 1, len(parts)):
            if not parts[j][1] and not alone[j]:
                said += parts[j][0]
                if not re.search(r"[,:;]\s*\*/$", said):
                    break
        if not MARKED.search(said):
            said = above[-1] if above else ""
        found[each[1]] = {mark.lower() for mark in MARKED.findall(said)}
    return found


def origins(text: str) -> dict[str, set[str]]:
    """Of the enums, and of the macros that are numbers: timed, bound, chosen, counted. A comment
    above these holds up to the next blank line.
    """
    found = {}
    for enum in re.finditer(r"(?:/\*(?:(?!\*/).)*\*/\n)?^enum \{.*?\};(?:[ \t]*/\*.*?\*/)?", text, re.M | re.S):
        found |= marks(enum[0], PART)
    for block in re.split(r"\n\s*\n", text):
        values = {each[1]: each[0].partition(each[1])[2].strip() for each in DEFINE.finditer(block) if each[1]}
        found |= {name: said for name, said in marks(block, DEFINE).items() if NUMBER.match(values[name])}
    return found


def unmarked(text: str) -> list[str]:
    return [name for name, said in origins(text).items() if not said]


def untold(text: str, pages: str) -> list[str]:
    """The constants that were timed, as their comments say, and that no page names."""
    return [name for name, said in origins(text).items() if "timed" in said and not re.search(rf"\b{name}\b", pages)]


def test_constants_say_where_they_come_from():
    found = {str(path.relative_to(CSRC)): names for path in sorted(CSRC.rglob("*.[ch]"))
             if (names := unmarked(path.read_text()))}
    assert not found, f"timed, bound or chosen (docs/words.md)? {found}"


def test_what_was_timed_is_named_on_a_page():
    pages = "".join(path.read_text() for path in sorted((ROOT / "docs" / "kernels").glob("*.md")))
    found = {str(path.relative_to(CSRC)): names for path in sorted(CSRC.rglob("*.[ch]"))
             if (names := untold(path.read_text(), pages))}
    assert not found, f"name it on a page of docs/kernels with its times, or mark it otherwise: {found}"


def test_constants_of_the_wrappers_say_where_they_come_from():
    """Of the kernels' wrappers in Cython: in the comment behind, or in the one above."""
    found = []
    for path in sorted((ROOT / "fastnn" / "kernels").glob("*.pxi")):
        lines = path.read_text().splitlines()
        for i, line in enumerate(lines):
            constant = re.match(r" *(?:cdef enum: |#define )([A-Z]\w*)(?: = | )(.*)", line)
            if not constant or constant[1] in GIVEN or not NUMBER.match(re.split(r" *(?:#|/\*)", constant[2])[0]):
                continue
            above = i
            while above and lines[above - 1].lstrip().startswith("#") and "#define" not in lines[above - 1]:
                above -= 1
            if not MARKED.search(" ".join(lines[above:i + 1])):
                found.append(f"{path.name}: {constant[1]}")
    assert not found, f"timed, bound or chosen (docs/words.md)? {found}"


def test_an_unmarked_constant_is_noticed():
    text = """
/* Chosen: as stated. */
enum { ABOVE = 1 };
enum {
    BEHIND = 2,     /* timed */
    LEADS = 3,      /* the least, */
    ON = 4,         /* and the most; bound: the
                       stack */
    /* part two */
    BARE = 5,       /* elements */
    LAST = 6        /* elements */
};

/* Bound: the stack. */
#define NAMED 7
#define SAID ((size_t)8 << 20)      /* bytes, */
#define TOO (2 * SAID)              /* or so many; chosen */
#define SWITCH 1
#define CALL f(9)

#define NAKED (LAST > 4 ? 2 : 3)    /* elements */
#  define TIMES 0.5
"""
    assert unmarked(text) == ["BARE", "LAST", "NAKED", "TIMES"]
    assert untold(text, "`BEHINDS` 2") == ["BEHIND"] and untold(text, "`BEHIND` 2") == []


def test_what_is_missing_is_noticed():
    comment = (" * Names      fnn_a\n * Map        a.tmpl.h   first\n *            c_d.h      second\n"
               " * Letters    b.c\n")
    assert unnamed({"a", "b", "c_d", "d"}, under("Map", comment)) == ["b", "d"]
    assert under("Names", comment) == "fnn_a\n"
    assert swallowed(" * Layout     flat tensors. Method     All are cut\n", {"Method"}) == ["Method"]
    assert not swallowed(" * Layout     flat tensors\n * Method     All are cut\n", {"Method"})
