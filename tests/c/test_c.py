"""The C self-tests of the thread pool and of the memory manager: plain, and under the sanitisers
where the compiler has them.

That of the kernels takes a build of all of them: `make selftest` here, `make neon` for arm64."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT, needs_sources

PROGRAMS = {"parallel": ["tests/c/test_parallel.c", "csrc/core/memory.c"], "memory": ["tests/c/test_memory.c"]}
SANITIZERS = {"plain": [], "address,undefined": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
              "thread": ["-fsanitize=thread"]}


@needs_sources
@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_c(program, sanitizer, tmp_path):
    compiler = shutil.which(os.environ.get("CC", "cc").split()[-1]) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform == "win32":
        pytest.skip("needs a C compiler and POSIX threads")
    binary = tmp_path / program
    build = subprocess.run([compiler, "-std=c11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-Icsrc",
                            *SANITIZERS[sanitizer], *PROGRAMS[program], "-o", str(binary)], cwd=ROOT,
                           capture_output=True, text=True)
    if build.returncode and sanitizer != "plain" and "cannot find" in build.stderr:
        pytest.skip(f"this compiler has no run time for -fsanitize={sanitizer}")
    assert build.returncode == 0, build.stderr
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("FASTNN_", "OMP_"))}
    run = subprocess.run([str(binary)], cwd=ROOT, capture_output=True, text=True, timeout=120, env=environment)
    assert run.returncode == 0 and "ok" in run.stdout, run.stdout + run.stderr


ROW = re.compile(r"^KERNEL\((\w+), \((.*?)\),\s*\((.*?)\)\)$", re.M | re.S)


def misnamed(text: str) -> list[str]:
    """The rows of kernels.h whose names, in brackets at the end, are not those of the arguments."""
    return [name for name, arguments, names in ROW.findall(text)
            if [re.findall(r"\w+", a)[-1] for a in arguments.split(",")] != re.findall(r"\w+", names)]


@needs_sources
def test_a_row_names_its_arguments_in_their_order():
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "csrc").rglob("*.h"))
    assert len(ROW.findall(text)) == len(re.findall(r"^KERNEL\(", text, re.M)) > 100
    assert misnamed(text) == []
    assert misnamed("KERNEL(f, (REAL *y, const REAL *x, fnn_size n),\n       (y, n, x))") == ["f"]


@needs_sources
def test_a_row_recompiles_only_its_own_family():
    compiler = shutil.which(os.environ.get("CC", "cc").split()[-1]) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("needs a compiler that lists what a file includes")
    headers = {path.relative_to(ROOT).as_posix() for path in (ROOT / "csrc").rglob("*.h")
               if re.search(r"^KERNEL\(", path.read_text(encoding="utf-8"), re.M)}
    files = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "csrc").glob("*/*.c"))]
    seen = {}
    for file in files:
        rule = subprocess.run([compiler, "-std=c11", "-MM", "-Icsrc", file], cwd=ROOT, capture_output=True, text=True,
                              check=True).stdout
        seen[file] = set(rule.replace("\\\n", " ").split()) & {*headers, "csrc/kernels.h"}
    assert seen.pop("csrc/core/dispatch.c") == {*headers, "csrc/kernels.h"}
    assert seen["csrc/pool/pool2d.c"] == {"csrc/pool/pool2d.h"}
    assert seen["csrc/conv/conv2d.c"] == {"csrc/conv/conv2d.h", "csrc/gemm/gemm.h"}
    of_gemm = {file for file, rows in seen.items() if "csrc/gemm/gemm.h" in rows}
    assert {Path(file).stem for file in of_gemm} == {"attention", "conv2d", "gemm", "gru", "ladder", "lstm", "rnn"}
    assert all(len(rows - {"csrc/gemm/gemm.h"}) <= 1 for rows in seen.values()), seen


@needs_sources
def test_every_kernel_has_a_case_in_the_self_test():
    rows = {name for header in (ROOT / "csrc").rglob("*.h")
            for name in re.findall(r"^KERNEL\((\w+)", header.read_text(encoding="utf-8"), re.M)}
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests/c").glob("cases_*.c"))
    cases = re.findall(r"^(?:CASE|CASE_STEP|FORWARD|BACKWARD|BROADCAST|REDUCTION)\((\w+)", text, re.M)
    assert len(rows) > 100
    assert sorted(rows) == sorted(case for case in cases if case != "name"), "how a case is written: tests/c/cases.h"
