#!/usr/bin/env python3
"""Random calls of all ops, functions, layers and optimisers, to find crashes and wrong numbers.

    python tools/fuzz.py SECONDS SEED [--only NAME,...] [--mutate] [--no-reference]
                         [--calls N] [--case I]

The inputs are variations of calls that work, and nothing is named here: tools/fuzz_calls.py. A call
is followed by its backward. What is looked for:

* a crash, a sanitiser's report or a hang: calls run in a worker process, and a driver starts
  another one behind the call that ended it;
* a result or gradient that differs from the definition's, or a call that only one of the two
  refuses (not with --no-reference, nor where inputs are so large that rounding decides);
* an exception that is not fastnn's: counted, with an example of each kind.

--mutate also changes the inputs through NumPy between forward and backward. A call depends on SEED
and its number I alone; --case I repeats that one here, with its traceback. The exit status is 1 if
there was a crash, report, hang or difference.

Under the sanitisers (FASTNN_SANITIZE=1 python setup.py build_ext --inplace) run it with

    LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)"
    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=3000
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 PYTHONMALLOC=malloc FASTNN_CACHE_MB=0
"""

from __future__ import annotations

import argparse
import collections
import faulthandler
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT/"tools")]

import fuzz_calls  # noqa: E402
from fuzz_calls import Call, Variations, described, leaves  # noqa: E402

import fastnn as nn  # noqa: E402
from fastnn.op import OPS  # noqa: E402

HANG = 45                   # seconds in one call
BEGIN = 300                 # seconds to begin, on a machine that is busy
RECORDING = "recording the calls that work"
# elements of results that are not compared: a definition may loop over them in Python
LARGE = 1 << 20
MOST_FAULTS = 60            # then the search ends
# bytes of address space of a worker; the sanitisers need more and have a limit of their own
MEMORY = 3 << 30
SAVE_EVERY = 500            # calls, so that a crash loses few counts
MOST_KINDS = 50             # of exceptions, shown
TEXT = 2000                 # characters of a call's description


# ---- the driver ----------------------------------------------------------------------------------
def main() -> int:
    """Read the command line; be the driver, a worker, or show one call."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60)
    parser.add_argument("seed", type=int, nargs="?", default=0)
    parser.add_argument("--calls", type=int, default=sys.maxsize, metavar="N", help="end behind call N: a quick "
                        "machine then makes no other calls than a slow one")
    parser.add_argument("--only", help="names, with commas: conv2d, op.conv2d, nn.Conv2d")
    parser.add_argument("--mutate", action="store_true", help="change inputs between forward and backward")
    parser.add_argument("--case", type=int, metavar="I", help="only call I, here")
    parser.add_argument("--no-reference", action="store_true", help="do not compare with the definitions")
    # the file in which it notes what it does
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    names = options.only.split(",") if options.only else None
    if not options.worker and options.case is None:
        return drive(options)
    search = Search(options.seed, names, options.mutate, not options.no_reference, options.worker)
    if options.case is not None:
        search.one(options.case, loud=True)
        print(search.note_text, "\n", json.dumps(search.findings(), indent=1), sep="")
        return 1 if search.differences else 0
    faulthandler.enable()
    if "asan" not in os.environ.get("LD_PRELOAD", ""):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    search.run(options.start, time.monotonic() + options.seconds, options.calls - options.start)
    return 0


def drive(options: argparse.Namespace) -> int:
    """Run workers, one after the other, for the time that is given; print what they found."""
    end, start = time.monotonic() + options.seconds, 0
    totals: collections.Counter[str] = collections.Counter()
    others: collections.Counter[str] = collections.Counter()
    examples: dict[str, str] = {}
    faults: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
        while time.monotonic() < end and start < options.calls and len(faults) < MOST_FAULTS:
            notes = Path(folder)/f"from {start}"
            status, text = watched_worker(options, notes, start, end - time.monotonic())
            found = json.loads(notes.with_suffix(".json").read_text()) if notes.with_suffix(".json").exists() else {}
            totals.update(found.get("totals", {}))
            others.update(found.get("others", {}))
            examples = {**found.get("examples", {}), **examples}
            faults += found.get("differences", [])
            noted = notes.read_text(errors="replace") if notes.exists() else ""
            if not noted.strip():
                print(f"the worker did not start: {status}\n{text[-2000:]}")
                return 1
            number = int(noted[:12])
            if status == "ended":
                break
            told = [line for line in text.splitlines()
                    if any(word in line for word in ("ERROR", "runtime error", "Fatal", "SUMMARY"))]
            faults.append({"what": status, "case": number, "call": noted[12:].strip(),
                           "told": told[:3] or text.splitlines()[-6:]})
            print(f"case {number}: {status}: {noted[12:].strip()}\n    {faults[-1]['told']}", flush=True)
            start = number + 1
    calls = max(totals["calls"], 1)
    print(f"seed {options.seed}: " + ", ".join(f"{count:,} {name}" for name, count in totals.items()))
    print(f"{totals['others']:,} exceptions that are not fastnn's, {100 * totals['others'] / calls:.2f} % of calls")
    for kind, count in others.most_common(MOST_KINDS):
        print(f"  {count:6d}  {kind}\n          {examples[kind][:300]}")
    if len(others) > MOST_KINDS:
        print(f"  and {len(others) - MOST_KINDS} kinds more")
    print(f"{len(faults)} faults" + "".join(f"\n  {json.dumps(fault)[:1200]}" for fault in faults))
    return 1 if faults else 0


def watched_worker(options: argparse.Namespace, notes: Path, start: int, seconds: float) -> tuple[str, str]:
    """Run a worker from call `start` on. Returns how it ended, and what it wrote to stderr."""
    command = [sys.executable, "-W", "ignore", sys.argv[0], str(seconds), str(options.seed), "--worker", str(notes),
               "--start", str(start), "--calls", str(options.calls)]
    command += [flag for flag, on in (("--mutate", options.mutate), ("--no-reference", options.no_reference)) if on]
    command += ["--only", options.only] if options.only else []
    with open(notes.with_suffix(".err"), "w+", errors="replace") as err:
        worker = subprocess.Popen(command, stderr=err)
        last, since, hangs = b"", time.monotonic(), False
        while worker.poll() is None:
            time.sleep(0.1)
            now = notes.read_bytes() if notes.exists() else b""
            begins = not now or RECORDING.encode() in now
            if now != last:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > (BEGIN if begins else HANG):
                hangs = True
                worker.send_signal(6)               # faulthandler writes where it was
                try:
                    worker.wait(5)
                except subprocess.TimeoutExpired:
                    worker.kill()
                    worker.wait()
        err.seek(0)
        text = err.read()
    return "hang" if hangs else "ended" if worker.returncode == 0 else f"exit status {worker.returncode}", text


# ---- a worker ------------------------------------------------------------------------------------
class Search:
    """Calls, one after the other, and what is wrong with them.

    differences   the calls whose result differs from the definition's, as dicts
    others        kind of exception that is not fastnn's -> how many; `examples` has one of each
    reached       names that worked at least once
    """

    def __init__(self, seed: int, only: list[str] | None = None, mutate: bool = False, compare: bool = True,
                 notes: str | None = None) -> None:
        self.seed, self.mutate, self.comparing = seed, mutate, compare
        self.notes = Path(notes) if notes else None
        self.file = open(notes, "wb", buffering=0) if notes else None
        self.totals: collections.Counter[str] = collections.Counter()
        self.others: collections.Counter[str] = collections.Counter()
        self.examples: dict[str, str] = {}
        self.differences: list[dict[str, Any]] = []
        self.reached: set[str] = set()
        self.note_text = ""
        self.note(0, RECORDING)
        self.variations = Variations(only)
        if not self.variations.names:
            raise SystemExit(f"there is nothing named {only}")
        self.levels = [name for name, (_, runs) in nn.kernels.compiled.levels().items() if runs] \
            if nn.kernels.compiled is not None else []

    def run(self, start: int, end: float, most: int | None = None) -> None:
        """Calls from number `start` on, until the clock shows `end`, or `most` of them."""
        number = start
        while time.monotonic() < end and (most is None or number < start + most):
            self.one(number)
            number += 1
            if number % SAVE_EVERY == 0:
                self.save()
        self.save()

    def save(self) -> None:
        """Write the findings beside the notes, whole or not at all."""
        if self.notes is not None:
            new = self.notes.with_suffix(".new")
            new.write_text(json.dumps(self.findings()))
            new.replace(self.notes.with_suffix(".json"))

    def findings(self) -> dict[str, Any]:
        return {"totals": self.totals, "others": self.others, "examples": self.examples,
                "differences": self.differences}

    def note(self, number: int, text: str) -> None:
        """Write down what is about to be done, for whoever finds this process dead."""
        self.note_text = text
        if self.file is not None:
            os.pwrite(self.file.fileno(), f"{number:<12d}{text:<{TEXT}.{TEXT}s}".encode("ascii", "replace"), 0)

    def one(self, number: int, loud: bool = False) -> None:
        """Call `number` of this seed."""
        rng = random.Random(f"{self.seed}/{number}")
        call = self.variations.draw(rng)
        self.totals["calls"] += 1
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                self.judge(call, number, rng.getrandbits(64))
            self.totals["passed"] += 1
        except nn.FastnnError as error:
            self.totals["refused"] += 1
            if len(str(error)) < 12:
                self.count(f"says too little, in {call.how} {call.name}", number, error)
            if loud:
                print(repr(error))
        except MemoryError:
            self.totals["out of memory"] += 1
        except Exception as error:
            if loud:
                traceback.print_exc()
            inside = [f for f in traceback.extract_tb(error.__traceback__) if f"{os.sep}fastnn{os.sep}" in f.filename]
            where = f"{Path(inside[-1].filename).name}:{inside[-1].name}" if inside else "a compiled function"
            self.totals["others"] += 1
            self.count(f"{type(error).__name__} in {call.how} {call.name} [{where}]", number, error)

    def count(self, kind: str, number: int, error: Exception) -> None:
        self.others[kind] += 1
        self.examples.setdefault(kind, f"{str(error)[:70]!r}, case {number}: {self.note_text}")

    # ---- one call --------------------------------------------------------------------------------
    def judge(self, call: Call, number: int, seed: int) -> None:
        """Run the call, backward too; then once more with the definitions, and compare."""
        rng = random.Random(seed)
        if self.levels and rng.random() < 0.05:
            nn.use_isa(rng.choice(self.levels))
        if rng.random() < 0.02:
            nn.set_num_threads(rng.choice((1, 2, 3)))
        comparing = self.comparing and not self.mutate and rng.random() < 0.35
        if call.how == "op" and any(isinstance(leaf, np.generic) for leaf in leaves([call.args, call.kwargs])):
            comparing = False           # functions make Python's numbers of NumPy's; ops take these
        if not comparing:
            self.outcome(call, number, seed, True)
            return
        got, error = self.attempt(call, number, seed)
        if got is not None and sum(np.size(a) for arrays in got.values() for a in arrays) > LARGE:
            return
        level = nn.isa()
        with nn.use_backend("reference"):
            want, refusal = self.attempt(call, number, seed)
        if error is not None and (refusal is not None or call.spoilt):
            raise error
        if (refusal is not None and call.spoilt) or None in (got or error, want or refusal):
            return                                  # nonsense, or not calm
        self.totals["compared"] += 1
        if error is not None:
            why: str | None = f"only the kernels raise: {error!r}"
        elif refusal is not None:
            why = f"only the definition raises: {refusal!r}"
        else:
            why = difference(got, want)
            if why and self.order_decides(call, number, seed, got, want):
                self.totals["chaotic"] += 1
                return
        if why:
            self.differences.append({"what": "differs from the definition", "case": number, "seed": self.seed,
                                     "level": level, "call": self.note_text, "why": why})

    def attempt(self, call: Call, number: int, seed: int) -> tuple[dict[str, list[Any]] | None, Exception | None]:
        """The outcome of a call, or what it raises."""
        try:
            return self.outcome(call, number, seed, False), None
        except MemoryError:
            raise
        except Exception as error:
            return None, error

    def order_decides(self, call: Call, number: int, seed: int, got: Any, want: Any) -> bool:
        """Whether the order of sums decides the result: `rounding_decides`, or both have left the
        range of float32, in which one order overflows where another does not.
        """
        if self.rounding_decides(call, number, seed, want):
            return True
        if is_finite(got) or is_finite(want):
            return False
        self.variations.widened = True
        try:
            with nn.use_backend("reference"):
                wide = self.outcome(call, number, seed, False)
        finally:
            self.variations.widened = False
        return wide is not None and is_finite(wide)

    def rounding_decides(self, call: Call, number: int, seed: int, want: dict[str, list[Any]]) -> bool:
        """Whether inputs that are off by some roundings change the definition's own result as much:
        a recurrent network with large weights is chaotic. One shake may miss what another one hits.
        """
        for self.variations.shaken in (1, 2, 4, 8):
            try:
                with nn.use_backend("reference"):
                    other = self.outcome(call, number, seed, False)
            finally:
                self.variations.shaken = 0
            if other is None or difference(other, want) is not None:
                return True
        return False

    def outcome(self, call: Call, number: int, seed: int, wild: bool) -> dict[str, list[Any]] | None:
        """{"result": arrays, "gradient": arrays} of a call; the same seed gives the same inputs.

        wild   gradients that do not fit, other threads and levels in backward. Where not, and the
               inputs are such that rounding decides, the outcome is None.
        """
        rng = random.Random(seed)
        nn.seed(seed % 2**32)
        if call.how == "optimizer":
            return self.steps(call, number, rng, wild)
        plans = call.made_with, call.args, call.kwargs
        made_with, args, kwargs = (self.variations.build(plan, rng) for plan in plans)
        text = f"{call.how} {call.name}"
        if call.how == "layer":
            text += f"({described(made_with[0])[1:-1]}, {described(made_with[1])})"
            self.note(number, text)
            target = getattr(nn.layers, call.name)(*made_with[0], **made_with[1])
            if rng.random() < 0.3:
                target.eval()
        elif call.how == "op":
            target = lambda *inputs, **attrs: nn.autograd.apply(OPS[call.name], *inputs, **attrs)
        else:
            target = getattr(nn.functional, call.name)
        self.note(number, f"{text}({described(args)[1:-1]}, {described(kwargs)})")
        if call.how == "layer" and not args and not kwargs:
            self.reached.add(call.name)
            return None
        calm = all(map(is_calm, leaves([args, kwargs])))
        results = [t for t in leaves(target(*args, **kwargs)) if isinstance(t, nn.Tensor)]
        self.reached.add(call.name)
        if not wild and not calm:
            return None
        inputs = [t for t in leaves([args, kwargs]) if isinstance(t, nn.Tensor)]
        if self.mutate:
            for x in leaves([args, kwargs]):
                disturb(x, rng)
        return {"result": [t.data for t in results], "gradient": self.gradients(results, inputs, rng, wild)}

    def gradients(self, results: list[nn.Tensor], inputs: list[nn.Tensor], rng: random.Random, wild: bool) -> list[Any]:
        """The gradients of the inputs, for random ones of the results."""
        results = [t for t in results if t.requires_grad]
        if not results:
            return []
        if wild and self.levels and rng.random() < 0.1:
            nn.use_isa(rng.choice(self.levels))
        if wild and rng.random() < 0.2:
            nn.set_num_threads(rng.choice((1, 2, 3, 8)))
        upstream = []
        for t in results:
            plan = fuzz_calls.Array(t.shape, "f")
            if wild and rng.random() < 0.03:
                plan = fuzz_calls.Array((3,), "f")
            kind = t.dtype if not wild or rng.random() > 0.03 else np.dtype(rng.choice(("f4", "f8")))
            dy = fuzz_calls.numbers(plan, kind, rng)
            upstream.append(self.variations.laid_out(dy, rng) if wild else np.nan_to_num(dy, posinf=1, neginf=1))
        self.totals["backward"] += 1
        if wild:
            chosen = rng.sample(range(len(results)), rng.randint(1, len(results)))
            nn.autograd.backward([results[i] for i in chosen], [upstream[i] for i in chosen], rng.random() < 0.1)
            return []
        if not all(map(is_calm, upstream)):
            return []
        nn.autograd.backward(results, upstream)
        return [None if t.grad is None else t.grad.data for t in inputs if t.requires_grad and t.is_leaf]

    def steps(self, call: Call, number: int, rng: random.Random, wild: bool) -> dict[str, list[Any]] | None:
        """A few steps of an optimiser; the result is the parameters."""
        kind = getattr(nn.optim, call.name)
        dtype = rng.choice(("f4", "f8"))
        settings = dict(call.kwargs)
        if settings and rng.random() < 0.15:
            settings[rng.choice(list(settings))] = rng.choice(fuzz_calls.JUNK)
        parameters = []
        for _ in range(rng.randint(1, 3)):
            shape = tuple([rng.choice(fuzz_calls.SIZES[:10]) for _ in range(rng.randint(0, 3))])
            plan = fuzz_calls.Array(shape, "f")
            p = nn.Parameter(fuzz_calls.numbers(plan, np.dtype(dtype), rng))
            if wild and rng.random() < 0.3:
                p.data = self.variations.laid_out(p.data, rng)
            if rng.random() < 0.9:
                spoilt = wild and rng.random() < 0.15
                g = fuzz_calls.numbers(fuzz_calls.Array((3, 2), "f") if spoilt and rng.random() < 0.5 else plan,
                                       np.dtype(rng.choice(("f4", "f8", "i8", "c8", "f2")) if spoilt else dtype), rng)
                p.grad = nn.Tensor(self.variations.laid_out(g, rng) if wild else g)
            parameters.append(p)
        texts = [f"{described(p)} grad {described(p.grad)}" for p in parameters]
        self.note(number, f"optimizer {call.name}({', '.join(texts)}, {described(settings)})")
        if not wild and not all(is_calm(t) for p in parameters for t in (p, p.grad)):
            return None
        optimizer = kind(parameters, **settings)
        optimizer.step()
        self.reached.add(call.name)
        if wild and rng.random() < 0.2:             # what it keeps no longer fits
            p = rng.choice(parameters)
            p.data = p.data.astype(rng.choice(("f4", "f8"))) if rng.random() < 0.5 else np.ones((2, 3), p.data.dtype)
        if rng.random() < 0.3:
            optimizer.load_state_dict(optimizer.state_dict())
        optimizer.step()
        return {"result": [p.data for p in parameters]}


# ---- what a call is judged by --------------------------------------------------------------------
def is_calm(x: Any) -> bool:
    """Whether rounding, overflow and flushed denormals decide nothing about this argument."""
    x = x.data if isinstance(x, nn.Tensor) else x
    if isinstance(x, float):
        return x == 0 or 1e-4 < abs(x) < 1e4
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        return not isinstance(x, np.ndarray) or x.dtype.kind in "iub"
    size = np.abs(np.asarray(x, np.float64))
    return type(x) is np.ndarray and x.dtype.itemsize >= 4 and bool(
        np.isfinite(size).all() and ((size == 0) | (size > 1e-6)).all() and size.max(initial=0) < 1e5)


def disturb(x: Any, rng: random.Random) -> None:
    """Change an input's elements through NumPy, or the shape of its array: tapes do not see it."""
    a = x.data if isinstance(x, nn.Tensor) else x
    if not isinstance(a, np.ndarray) or rng.random() < 0.5 or not a.flags.writeable or not a.size:
        return
    with np.errstate(all="ignore"):
        if rng.random() < 0.1:
            try:
                if rng.random() < 0.5:
                    a.shape = a.shape[::-1]
                else:
                    a.resize((1, 1), refcheck=False)
            except Exception:
                pass                                # NumPy refuses, each version with another error
        elif a.dtype.kind in "iu":
            a[...] = rng.choice((0, np.iinfo(a.dtype).max, np.iinfo(a.dtype).min, 9))
        elif a.dtype.kind == "f":
            a[...] = rng.choice((np.nan, np.inf, 0, 1e30))


def is_finite(outcome: dict[str, list[Any]]) -> bool:
    """Whether all numbers of an outcome are."""
    return all(a is None or bool(np.isfinite(np.asarray(a)).all()) for arrays in outcome.values() for a in arrays)


def difference(got: dict[str, list[Any]], want: dict[str, list[Any]]) -> str | None:
    """What is not the same, in words; None where all is, to what rounding explains."""
    for what in want:
        if len(got[what]) != len(want[what]):
            return f"{len(got[what])} {what}s, {len(want[what])} of the definition"
        for i, (a, b) in enumerate(zip(got[what], want[what])):
            if (a is None) != (b is None):
                return f"{what} {i}: one of the two is None"
            why = None if a is None else unequal(np.asarray(a), np.asarray(b), what == "gradient")
            if why:
                return f"{what} {i}: {why}"
    return None


def unequal(a: np.ndarray, b: np.ndarray, norm_wise: bool) -> str | None:
    """Results are compared by element. Gradients as a whole: next to a kink, rounding decides which
    slope an element has.
    """
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.dtype.str}{a.shape}, the definition has {b.dtype.str}{b.shape}"
    if a.dtype.kind != "f":
        return None if (a == b).all() else "integers differ"
    if (np.isnan(a) != np.isnan(b)).any():
        return f"{int(np.isnan(a).sum())} are NaN, {int(np.isnan(b).sum())} in the definition"
    x, y = a.astype(np.float64), b.astype(np.float64)
    same = (x == y) | np.isnan(x) | (np.abs(y) > np.finfo(a.dtype).max / 1e4)
    x, y = np.where(same, 0, x), np.where(same, 0, y)
    scale = 1 + float(np.abs(np.where(np.isfinite(b), b, 0)).max(initial=0))
    off = np.abs(x - y)
    if norm_wise:
        size = float(np.sqrt(np.square(np.where(np.isfinite(b), b.astype(np.float64), 0)).sum()))
        wrong = float(np.sqrt(np.square(off).sum())) > 5e-2 * size + 1e-3 * scale
    else:
        wrong = not bool((off <= 3e-2 * np.abs(y) + 1e-3 * scale).all())
    if not wrong:
        return None
    at = tuple(map(int, np.unravel_index(int(np.nan_to_num(off, nan=np.inf).argmax()), off.shape)))
    return f"at {at} {a[at]!r}, the definition {b[at]!r}"


def everything() -> Iterator[str]:
    """The names of all that is there to be reached: for the test."""
    yield from OPS
    yield from fuzz_calls.functions()
    yield from fuzz_calls.layers()
    yield from (rule.__name__ for rule in fuzz_calls.RULES)


if __name__ == "__main__":
    sys.exit(main())
