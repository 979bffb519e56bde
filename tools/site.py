"""What the site's generator does not do by itself (hooks of mkdocs.yml; `make site` runs it).

* A page may link to any file of the project, and a path in `backticks` is such a link: the file
  becomes a page of the site.
* A name in `backticks`, such as `nn.fit`, is a link to its entry in the reference.
* A formula, a fence of `math`, becomes MathML, which browsers draw without a script.
* A page that stands alone in the navigation has no list of pages at its side.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File, InclusionLevel

ROOT = Path(__file__).resolve().parents[1]
IN_NAVIGATION = ("CHANGELOG.md", "CONTRIBUTING.md")
LEXERS = {".h": "c", ".py": "python", ".pyi": "python", ".pxi": "cython", ".pyx": "cython", ".txt": "text", "": "text"}
LINK = re.compile(r"(\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
PATH = re.compile(r"(?<![\[`\w])`((?:csrc|fastnn|tests|tools|examples|benchmarks)/[\w/.-]+\.\w+)`(?![\]`])")
NAME = re.compile(r"(?<![\[`\w])`nn\.((?:\w+\.)*)(\w+)(\([^`]*\))?`(?![\]`])")
ROOMS = {"functional": "ops"}                       # a name that users write -> where it is defined
FENCE = re.compile(r"(^ *```.*?^ *```\s*?$)", re.MULTILINE | re.DOTALL)


def on_config(config: Any) -> Any:
    fence = {"name": "math", "class": "math", "format": formula}
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": [fence]}
    return config


def formula(source: str, *_: Any, **__: Any) -> str:
    """MathML for a fence of `math`: an equation each, so that they may stand on lines of their own.
    """
    equations = [piece for piece in re.split(r"\\qquad|\n\n", source) if piece.strip()]
    return f'<div class="math">{"".join(convert(piece, display="block") for piece in equations)}</div>'


def on_files(files: Any, config: Any) -> Any:
    """Add a page for each file of the project that a page links to, and for those that these link
    to.
    """
    def add(path: str) -> None:
        if (ROOT/path).is_file() and not path.startswith("docs/") and not files.get_file_from_path(page_of(path)):
            page = File.generated(config, page_of(path), content=content_of(path), inclusion=InclusionLevel.NOT_IN_NAV)
            files.append(page)
            waiting.append(page)

    waiting = list(files.documentation_pages())
    for path in IN_NAVIGATION:
        add(path)
    while waiting:
        page = waiting.pop()
        if not page.src_uri.startswith("source/"):
            outside_fences(page.content_string, partial(linked, folder=folder_of(page.src_uri), to=add))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links to files of the project lead to the pages made of them."""
    source = page.file.src_uri
    if source.startswith("source/"):
        return markdown
    if page.parent is None:
        page.meta.setdefault("hide", ["navigation"])
    markdown = outside_fences(markdown, lambda text: linked(text, folder_of(source), lambda path: posixpath.relpath(
        page_of(path), posixpath.dirname(source) or ".")))
    if source == "ops.md":
        return re.sub(r"^\| `(\w+)`", lambda row: f"| {reference('functional.', row[1]) or f'`{row[1]}`'}", markdown,
                      flags=re.MULTILINE)
    return outside_fences(markdown, lambda text: NAME.sub(
        lambda found: reference(found[1], found[2], found[0]) or found[0], text))


@cache
def entries() -> dict[str, list[str]]:
    """name -> the paths under which the reference has it."""
    found: dict[str, list[str]] = {}
    for page in (ROOT/"docs"/"api").glob("*.md"):
        for module in re.findall(r"^::: (fastnn[\w.]*)", page.read_text(encoding="utf-8"), re.MULTILINE):
            path = ROOT/(module.replace(".", "/") + ".py")
            if path.exists():
                names = re.findall(r"^(?:def|class) (\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
            else:                                   # a package shows what it exports
                text = (path.with_suffix("")/"__init__.py").read_text(encoding="utf-8")
                names = re.findall(r'"(\w+)"', text[text.index("__all__"):].partition("]")[0])
            for name in names:
                found.setdefault(name, []).append(f"{module}.{name}")
    # a function may have its file's name: the file's entry counts
    for name, paths in found.items():
        found[name] = [path for path in paths if path.endswith(f".{name}.{name}")] or paths
    return found


def reference(rooms: str, name: str, shown: str = "") -> str | None:
    """A link to the entry of nn.<rooms><name>, if there is one and only one."""
    wanted = [ROOMS.get(room, room) for room in rooms.split(".") if room]
    paths = [path for path in entries().get(name, []) if all(f".{room}." in path for room in wanted)]
    return f"[{shown or f'`{name}`'}][{paths[0]}]" if len(paths) == 1 else None


def linked(text: str, folder: str, to: Callable[[str], str | None]) -> str:
    """`text`, which stands in `folder` of the project, with every path of the project replaced by
    to(path).
    """
    def link(found: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, found[2]))
        return f"{found[1]}{to(path)}{found[3] or ''})" if (ROOT/path).is_file() else found[0]

    def path(found: re.Match[str]) -> str:
        return f"[`{found[1]}`]({to(found[1])})" if (ROOT/found[1]).is_file() else found[0]

    return PATH.sub(path, LINK.sub(link, text))


def outside_fences(text: str, change: Callable[[str], str]) -> str:
    pieces = FENCE.split(text)
    pieces[::2] = map(change, pieces[::2])
    return "".join(pieces)


def folder_of(page: str) -> str:
    """The folder of the project in which the file of a page of the site lies."""
    path = page.removeprefix("project/") if page.startswith("project/") else f"docs/{page}"
    return posixpath.dirname(path)


def page_of(path: str) -> str:
    """The page of the site that shows a file of the project."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path == "README.md":
        return "index.md"
    return f"project/{path}" if path.endswith(".md") else f"source/{path}.md"


def content_of(path: str) -> str:
    text = (ROOT/path).read_text(encoding="utf-8")
    if path.endswith(".md"):
        return text
    suffix = Path(path).suffix
    return (f"---\ntitle: {Path(path).name}\nsearch: {{exclude: true}}\nhide: [toc]\n---\n# `{path}`\n\n"
            f"````{LEXERS.get(suffix, suffix[1:])} linenums=\"1\"\n{text.rstrip()}\n````\n")
