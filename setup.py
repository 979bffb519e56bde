"""Build fastnn: one extension module, fastnn._kernels, from fastnn/kernels/*.pyx and csrc/*/*.c.

    FASTNN_DEBUG=1      -O1 with assertions and Cython's bounds checks
    FASTNN_SANITIZE=1   AddressSanitizer and UndefinedBehaviorSanitizer over the C core
    FASTNN_REQUIRE=1    a failed compilation stops the build (CI); without it the package falls back
                        to NumPy and says so

There are no flags per instruction set: csrc/core/levels.h switches them on by pragma. Everything
else is in pyproject.toml.
"""

import importlib
import os
import re
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

# [build-system] of pyproject.toml: pip sees to these, and nobody does where setup.py is called
for _package, _least in (("setuptools", (77,)), ("Cython", (3, 1))):
    try:
        _found = importlib.import_module(_package).__version__
    except ImportError:
        _found = "none"
    if tuple(map(int, re.findall(r"\d+", _found)[:2])) < _least:
        sys.exit(f"fastnn: setup.py needs {_package} >= {'.'.join(map(str, _least))}, and here is {_found}: "
                 f"{sys.executable} -m pip install 'setuptools>=77' 'cython>=3.1'")

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

DEBUG = os.environ.get("FASTNN_DEBUG") == "1"
SANITIZE = os.environ.get("FASTNN_SANITIZE") == "1"
REQUIRE = os.environ.get("FASTNN_REQUIRE") == "1"

UNIX_FLAGS = [
    "-std=c11",
    "-ffp-contract=fast",       # a * b + c in one rounding where the processor can
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fvisibility=hidden",
    # what C++'s exceptions and profilers read: 80 KB of the wheel
    "-fno-asynchronous-unwind-tables",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",               # vector arguments between static functions of one file
    "-Wno-unknown-pragmas",
]
# only the `simd` pragmas: no OpenMP
KERNEL_FLAGS = ["-O1", "-g", "-fopenmp-simd"] if DEBUG or SANITIZE else ["-O3", "-g0", "-fopenmp-simd"]
# GCC unrolls what is left over behind each loop that it vectorised: worth it for short rows in the
# kernels that are plain loops, and a tenth of the whole code in those that are written in vectors,
# where what pays is unrolled by pragma.
IN_VECTORS = {"attention", "batch_norm", "conv2d", "gemm", "gru", "ladder", "lstm", "norm", "pool2d", "rnn"}
# Clang has no such parameter, and would say so
IN_VECTORS_FLAGS = ["--param=max-completely-peeled-insns=40", "-Wno-unused-command-line-argument"]
# For files with selections, c ? a : b, in their loops. GCC would go its own way for each side of
# the first one, as in x < 0 ? 0 : x > 6 ? 6 : x, and vectorised that is a comparison and a
# selection for each way through the rest of the loop: a sigmoid takes 30 instructions, not 24.
SELECTING = {"activation", "arithmetic", "gru", "loss", "lstm", "reduce", "rnn", "special"}
SELECTING_FLAGS = ["-fno-thread-jumps"]             # Clang has no such flag
# Cython's output: large, and never hot
WRAPPER_FLAGS = ["-O1", "-w"] + ([] if DEBUG or SANITIZE else ["-g0"])
SANITIZE_FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer", "-g"]
MSVC_FLAGS = ["/O2", "/std:c11", "/experimental:c11atomics"]
# What csrc/core/sync.h needs: on some processors of 32 bits this is a call of a library.
ATOMIC_PROGRAM = """#include <stdatomic.h>
#include <stdint.h>
_Atomic int64_t counter;
int main(void) { return (int)atomic_fetch_add(&counter, 1); }
"""


class BuildKernels(build_ext):
    """Compile the C files that have changed, or of which a header has, side by side, each with the
    flags of its kind, and survive a missing compiler.
    """

    def build_extension(self, ext):
        compiler = self.compiler
        if compiler.compiler_type != "msvc":
            ext.extra_compile_args = UNIX_FLAGS + (SANITIZE_FLAGS if SANITIZE else [])
            ext.extra_link_args = ["-pthread"] + (SANITIZE_FLAGS if SANITIZE else [])
            if not links(compiler) and links(compiler, "atomic"):
                ext.libraries = [*ext.libraries, "atomic"]
            self.selecting_flags = SELECTING_FLAGS if accepts(compiler, SELECTING_FLAGS) else []
            if not (DEBUG or SANITIZE or sys.platform == "darwin"):
                ext.extra_link_args.append("-s")
            self.compile_in_parallel(compiler)
        else:
            ext.extra_compile_args = MSVC_FLAGS
        super().build_extension(ext)

    def compile_in_parallel(self, compiler):
        """setuptools compiles one file after another and with one set of flags; this does neither.
        """
        compile_one = compiler._compile

        def with_flags(obj, src, ext, cc_args, extra_postargs, pp_opts):
            name = Path(src).stem
            flags = WRAPPER_FLAGS if name == "_kernels" else KERNEL_FLAGS
            if name in IN_VECTORS:
                flags = flags + IN_VECTORS_FLAGS
            if name in SELECTING:
                flags = flags + self.selecting_flags
            if name != "_kernels":          # no Python.h: an object serves every environment
                cc_args, pp_opts = ([option for option in options if option == "-Icsrc" or not option.startswith("-I")]
                                    for options in (cc_args, pp_opts))
            command = " ".join([*compiler.compiler_so, *cc_args, src, *extra_postargs, *flags, *pp_opts])
            if self.force or not unchanged(obj, command):
                Path(f"{obj}.command").unlink(missing_ok=True)
                compile_one(obj, src, ext, cc_args, [*extra_postargs, *flags, "-MMD", "-MF", f"{obj}.d"], pp_opts)
                Path(f"{obj}.command").write_text(command, encoding="utf-8")

        def compile(sources, output_dir=None, macros=None, include_dirs=None, debug=0,
                    extra_preargs=None, extra_postargs=None, depends=None):
            macros, objects, extra, pp_opts, build = compiler._setup_compile(
                output_dir, macros, include_dirs, sources, depends, extra_postargs)
            cc_args = compiler._get_cc_args(pp_opts, debug, extra_preargs)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                jobs = [pool.submit(with_flags, obj, *build[obj], cc_args, extra, pp_opts) for obj in objects
                        if obj in build]
                for job in jobs:
                    job.result()
            return objects

        compiler.compile = compile

    def run(self):
        if self.editable_mode:                      # pip's folder is a new one each time
            self.build_temp = os.path.join("build", f"temp.{self.plat_name}-{sys.implementation.cache_tag}")
        try:
            super().run()
        except Exception as error:
            if REQUIRE:
                raise
            print(f"\nfastnn: the C kernels could NOT be compiled ({error}).\n"
                  "fastnn: installing without them: everything works, slowly, on the NumPy definitions.\n"
                  "fastnn: with a compiler, install again with `pip install --no-cache-dir --force-reinstall ...`:\n"
                  "fastnn: pip keeps the wheel that it makes now, without kernels, and would take it once more.\n",
                  file=sys.stderr)

    def get_outputs(self):
        return [path for path in super().get_outputs() if os.path.exists(path)]

    def copy_extensions_to_source(self):
        built = [os.path.join(self.build_lib, self.get_ext_filename(ext.name)) for ext in self.extensions]
        if all(map(os.path.exists, built)) or REQUIRE:
            super().copy_extensions_to_source()


def unchanged(obj, command):
    """Whether this command made the object, and all that it read (which the compiler wrote to
    `obj`.d, as a rule of make) is older.
    """
    try:
        made = os.stat(obj).st_mtime_ns
        read = Path(f"{obj}.d").read_text(encoding="utf-8").replace("\\\n", " ").split(": ", 1)[1].split()
        return (Path(f"{obj}.command").read_text(encoding="utf-8") == command
                and all(os.stat(path).st_mtime_ns < made for path in read))
    except (OSError, IndexError):
        return False


def links(compiler, *libraries):
    """Whether a program with 64-bit atomic numbers can be linked with these libraries."""
    with TemporaryDirectory() as folder:
        source = Path(folder)/"atomic.c"
        source.write_text(ATOMIC_PROGRAM, encoding="utf-8")
        try:
            objects = compiler.compile([str(source)], output_dir=folder, extra_postargs=["-std=c11"])
            compiler.link_executable(objects, "atomic", output_dir=folder, libraries=list(libraries))
        except Exception:
            return False
    return True


def accepts(compiler, flags):
    """Whether the compiler has these flags."""
    with TemporaryDirectory() as folder:
        source = Path(folder)/"empty.c"
        source.touch()
        command = [*compiler.compiler_so, *flags, "-c", str(source), "-o", str(source.with_suffix(".o"))]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0


ROW = re.compile(r"^KERNEL\((\w+), (\(.*?\)),\s*\(", re.MULTILINE | re.DOTALL)


def write_rows():
    """Write the kernels' types, which are the rows KERNEL of csrc/*/*.h, for Cython: rows.pxi. A
    file that is right already is left as it is, with its time.
    """
    lines = ["# rows.pxi -- the kernels, for float and for double; setup.py writes this from csrc/*/*.h", "",
             'cdef extern from "fastnn.h" nogil:']
    for header in sorted(Path("csrc").glob("*/*.h")):
        for name, arguments in ROW.findall(header.read_text(encoding="utf-8")):
            arguments = re.sub(r"\bREAL\b", "void", re.sub(r"\bfnn_size\b", "Py_ssize_t", " ".join(arguments.split())))
            lines.append(textwrap.fill(f"    void (*fnn_{name}[2]){arguments}", 100, subsequent_indent=" "*8))
    path, text = Path("fastnn/kernels/rows.pxi"), "\n".join([*lines, ""])
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def extensions():
    from Cython.Build import cythonize
    write_rows()

    def templates(source):
        """Bytes of the templates that a file is made of, so that the last job to finish is a short
        one.
        """
        return sum(path.stat().st_size for path in Path(source).parent.glob(Path(source).stem + "*.tmpl.h"))

    sources = sorted(sorted(map(str, Path("csrc").glob("*/*.c"))), key=templates, reverse=True)
    headers = sorted(map(str, Path("csrc").rglob("*.h")))
    pieces = sorted(map(str, Path("fastnn/kernels").glob("*.pxi")))
    kernels = Extension(
        "fastnn._kernels",
        sources=["fastnn/kernels/_kernels.pyx", *sources],
        include_dirs=["csrc"],
        depends=headers + pieces,
        define_macros=[] if DEBUG or SANITIZE else [("NDEBUG", "1")],
    )
    return cythonize([kernels], compiler_directives={
        "language_level": 3,
        "boundscheck": True,        # a tuple of the caller may be short; arrays are not concerned
        "wraparound": False,
        "cdivision": True,
        "freethreading_compatible": True,
    })


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildKernels})
