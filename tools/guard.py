"""Guard against regress that a noisy machine cannot fool: instructions counted by Valgrind's
callgrind, compared with the committed counts.

    make guard                  compare; exit code 1 where a workload takes over 3 % more
                                instructions than benchmarks/results/instructions.json says
    make guard UPDATE=1         write that file anew
    python tools/guard.py [--update] [NAME ...]

A workload is run k times, then 2k times, one after the other; the difference, divided by k, is the
cost of a call without what surrounds it. A mark in between is a call of getsid(), at which
callgrind writes down what it has counted. One thread, and the AVX2 kernels: Valgrind has no
AVX-512. Counts hold for one compiler and one Python; the file names them. Fewer instructions are
not always less time (a division is one, a cache miss none), so this guards what has been tuned by
the clock, and does not replace it. Takes a minute or two.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from fastnn.bench import contest as contests  # noqa: E402
from fastnn.bench import kernel_list as kernels  # noqa: E402
from fastnn.bench import libraries, networks, results, workloads  # noqa: E402
from fastnn.bench.contest import BACKWARD, FORWARD, STEP, Workload  # noqa: E402
from fastnn.bench.networks import Network  # noqa: E402

BASELINE = ROOT/"benchmarks"/"results"/"instructions.json"
LEVEL, TOLERANCE = "avx2", 0.03
MARK = "getsid"             # a function of the C library that nobody else calls

# smaller than those of the races: callgrind takes some 50 times as long as the processor
NETWORKS = {
    "mlp-64-128-10": Network(networks.mlp(64, 128, 10), 32, image=(64,)),
    "lenet": Network(networks.NETWORKS["lenet"].build, 4, image=(1, 28, 28)),
    "char-lstm": Network(networks.char_lstm(65, 64, 128), 4, tokens=(16, 65)),
    "gpt": Network(networks.gpt(vocab_size=65, n_positions=32, n_embd=128, n_layer=1, n_head=4,
                                activation_function="gelu"), 2, tokens=(32, 65)),
}


def guarded() -> dict[str, tuple[Workload, int]]:
    """{name: (workload, k)}: what is counted, and over how many calls."""
    chosen = {
        "gemm-64": (kernels.gemm(64), 32), "gemm-131": (kernels.gemm(131), 8), "gemm-256": (kernels.gemm(256), 2),
        "gemm-1x1024x1024": (kernels.product(1, 1024, 1024), 8),
        "conv3x3-64c14": (kernels.conv(1, 64, 14, 64, 3, padding=1), 1),
        "conv5x5-6c14": (kernels.conv(8, 6, 14, 16, 5), 1),
        "conv1x1-128c14": (kernels.conv(1, 128, 14, 64, 1), 1),
        "depthwise3x3-128c14": (kernels.conv(1, 128, 14, 128, 3, padding=1, groups=128), 2),
        "maxpool2x2-64c28": (kernels.pool(lambda F, x: F.max_pool2d(x, 2), 1, 64, 28, 28), 4),
        "batchnorm-64c28": (kernels.pointwise(lambda F, x: F.batch_norm(x, None, None, None, None, True),
                                              1, 64, 28, 28), 4),
        "layernorm-128x512": (kernels.pointwise(lambda F, x: F.layer_norm(x, (512,)), 128, 512), 4),
        "softmax-128x512": (kernels.pointwise(lambda F, x: F.softmax(x, dim=-1), 128, 512), 4),
        "gelu-128x512": (kernels.pointwise(lambda F, x: F.gelu(x), 128, 512), 4),
        "lstm-T16-B4-I64-H128": (kernels.recurrent("LSTM", 4, 16, 4, 64, 128), 1),
        "attention-1x2x128x64-causal": (kernels.attention(1, 2, 128, 64, True), 1),
    }
    found = {}
    for name, (kernel, k) in chosen.items():
        for direction in (FORWARD, BACKWARD) if not name.startswith("gemm-") else (FORWARD,):
            found[f"{name}/{direction}"] = workloads.kernel_workload(name, kernel, direction), k
    for name, network in NETWORKS.items():
        found[f"{name}/step"] = workloads.network_workload(name, network, STEP), 8 if name.startswith("mlp") else 1
    return found


class Repeating:
    """Stands in for the random generators: what a kernel is fed with is no matter here, and drawing
    it under callgrind would take minutes.
    """

    def __init__(self) -> None:
        self.block = np.random.default_rng(0).standard_normal(4093)

    def standard_normal(self, shape: Any) -> np.ndarray:
        return np.resize(self.block, shape)

    def integers(self, low: int, high: int, shape: Any) -> np.ndarray:
        return np.resize(np.arange(low, high), shape)


def run_inside(names: list[str]) -> None:
    """What callgrind watches: each workload, marked before, between and after k and 2k calls."""
    generator = Repeating()
    for module in (contests, kernels, libraries, networks):
        module.seeded = lambda name: generator
    library = libraries.Fastnn(1)
    known = guarded()
    mark = getattr(os, MARK)
    gc.disable()
    for name in names:
        workload, k = known[name]
        contest = workload.contest(library)
        contest.repeat(k)                   # buffers exist, and Python has specialised its bytecode
        mark(0)
        contest.repeat(k)
        mark(0)
        contest.repeat(2*k)
        mark(0)


def count(names: list[str]) -> dict[str, int]:
    """{workload: instructions of one call}."""
    known = guarded()
    with tempfile.TemporaryDirectory(prefix="fastnn-guard-") as folder:
        out = Path(folder)/"out"
        environment = {**os.environ, "FASTNN_ISA": LEVEL, "FASTNN_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
                       "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--dump-before={MARK}", f"--callgrind-out-file={out}",
                               sys.executable,
                               str(Path(__file__).resolve()), "--inside", *names], env=environment, capture_output=True,
                              text=True)
        if done.returncode:
            raise SystemExit(f"callgrind ended with code {done.returncode}:\n{done.stderr[-2000:]}")
        found = {}
        for i, name in enumerate(names):
            once, twice = (total(out.with_suffix(f".{3*i + part}")) for part in (2, 3))
            found[name] = round((twice - once)/known[name][1])
        return found


def total(dump: Path) -> int:
    """The instructions of one dump of callgrind."""
    for line in dump.read_text(encoding="utf-8", errors="replace").splitlines():
        if line.startswith("summary:"):
            return int(line.split()[1])
    raise SystemExit(f"{dump.name} has no summary")


def compare(counted: dict[str, int], before: dict[str, int]) -> tuple[list[str], bool]:
    """Lines of a table, and whether all is well."""
    lines, well = [f"{'workload':<44} {'committed':>12} {'now':>12} {'ratio':>7}"], True
    for name, now in counted.items():
        then = before.get(name)
        ratio = now/then if then else float("nan")
        verdict = "" if then else "new"
        if then and ratio > 1 + TOLERANCE:
            verdict, well = "MORE", False
        elif then and ratio < 1 - TOLERANCE:
            verdict = "fewer: make guard UPDATE=1 keeps the gain"
        lines.append(f"{name:<44} {then or 0:>12,} {now:>12,} {ratio:>7.3f}  {verdict}".rstrip())
    return lines, well


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--inside"]:
        run_inside(arguments[1:])
        return 0
    names = [name for name in arguments if name != "--update"] or list(guarded())
    unknown = [name for name in names if name not in guarded()]
    if unknown:
        print(f"not among the guarded workloads: {', '.join(unknown)}; they are {', '.join(guarded())}",
              file=sys.stderr)
        return 2
    if not shutil.which("valgrind"):
        print("the guard counts with Valgrind, which is not installed here", file=sys.stderr)
        return 2
    about = results.about(1)
    facts = {"level": LEVEL, "compiler": about["compiler"], "python": about["python"],
             "valgrind": subprocess.run(["valgrind", "--version"], capture_output=True, text=True).stdout.strip()}
    committed = json.loads(BASELINE.read_text(encoding="utf-8")) if BASELINE.exists() else {"instructions": {}}
    for key, value in facts.items():
        if committed.get(key, value) != value:
            print(f"note: the committed counts are of {key} {committed[key]}, these of {value}")
    counted = count(names)
    lines, well = compare(counted, committed["instructions"])
    print("\n".join(lines))
    if "--update" in arguments:
        kept = {name: n for name, n in {**committed["instructions"], **counted}.items() if name in guarded()}
        BASELINE.write_text(json.dumps({**facts, "commit": about["commit"], "date": about["date"],
                                        "instructions": kept}, indent=1) + "\n",
                            encoding="utf-8")
        print(f"written: {BASELINE.relative_to(ROOT)}")
        return 0
    print("no more instructions than committed" if well
          else f"MORE instructions than committed, by over {100*TOLERANCE:.0f} %")
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
