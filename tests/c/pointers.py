"""Instrument LLVM's assembly so that every pointer that is computed from another one is checked:
it must point into the array of the other, or just behind it.

    python pointers.py IN.ll OUT.ll

C leaves undefined what comes of a pointer outside its array, even if nothing is read there. No
sanitizer looks for that: pointer-overflow notices only addresses that wrap around. Here a call of
check_pointer (pointers.c) follows each `getelementptr inbounds`, which is how Clang says that one
pointer was made of another, with the place in the source. Calls of the scratch memory's functions
go through pointers.c too, so that it knows those arrays. IN.ll is of
`clang -O1 -g -Xclang -disable-llvm-passes -S -emit-llvm`: as it was written, not yet optimised.
"""

import re
import sys
from pathlib import Path

POINTER = re.compile(r"^  (%[\w.]+) = getelementptr inbounds [^%]*?ptr (%[\w.]+), .*?, !dbg !(\d+)")
WATCHED = re.compile(r"@(fnn_scratch_(?:alloc|free))\b")
LOCATION = re.compile(r"^!(\d+) = (?:distinct )?!DILocation\(line: (\d+),.*?scope: !(\d+)", re.M)
SCOPE = re.compile(r"^!(\d+) = (?:distinct )?!DI(?:Subprogram|LexicalBlock|LexicalBlockFile)\(.*?file: !(\d+)", re.M)
FILE = re.compile(r'^!(\d+) = !DIFile\(filename: "([^"]*)"', re.M)


def instrumented(text: str) -> str:
    files = dict(FILE.findall(text))
    scopes = dict(SCOPE.findall(text))
    places = {number: f"{Path(files[scopes[scope]]).name}:{line}" for number, line, scope in LOCATION.findall(text)}
    names: dict[str, int] = {}
    lines = []
    for line in text.splitlines():
        line = WATCHED.sub(r"@watched_\1", line)
        lines.append(line)
        found = POINTER.match(line)
        if found:
            to, of, at = found.groups()
            place = names.setdefault(places[at], len(names))
            lines.append(f"  call void @check_pointer(ptr {of}, ptr {to}, ptr @place.{place}), !dbg !{at}")
    lines.append("declare void @check_pointer(ptr, ptr, ptr)")
    for place, number in names.items():
        lines.append(f'@place.{number} = private constant [{len(place) + 1} x i8] c"{place}\\00"')
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:])
    target.write_text(instrumented(source.read_text()))
